"""A service that has tables and nothing in them: one thing at a time, and slow at it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import validate_parameters

from dynattrs import InvalidRequest, NoSuchTable, ServiceError, Table
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Sync
from dynattrs.operations.requests import TABLE_OPERATIONS
from dynattrs.operations.tables.verbs import TableVerbs


def check_parameters(call: Call) -> None:
    """As botocore checks them when it is asked to send a request. An older one knows fewer."""
    operation = "".join(part.capitalize() for part in call.operation.split("_"))
    assert operation in TABLE_OPERATIONS
    if tuple(map(int, botocore.__version__.split(".")[:2])) >= (1, 42):
        validate_parameters(call.parameters, _model().operation_model(operation).input_shape)


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("dynamodb")


class Service(TableVerbs, Sync):
    """One account: it takes what DynamoDB takes, one thing at a time, and is slow at it."""

    def __init__(self, *declared: Table, slow: int = 2) -> None:
        self._clock = 0.0
        environment = Environment(
            lambda: self._clock, lambda: 0.5, lambda: datetime.now(timezone.utc)
        )
        self._core = Core(environment, timedelta(seconds=60), 4)
        #: How often a look finds the table still changing.
        self.slow = slow
        self.there: dict[str, dict[str, Any]] = {}
        self.ttl: dict[str, tuple[str, str]] = {}
        self.recovery: dict[str, int] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.policies: dict[str, str] = {}
        self.insights: dict[tuple[str, str | None], tuple[str, str]] = {}
        self.destinations: dict[str, dict[str, dict[str, str]]] = {}
        self.asked: list[Call] = []
        self.before: Callable[[Call], None] = lambda call: None
        self._looks: dict[str, int] = {}
        #: Whether it takes vector indexes without making them, as DynamoDB Local does.
        self.ignores_vectors = False
        for table in declared:
            self._create(table.create_arguments())
            self._looks[table.name] = 0
            self._settle(table.name)
            if table.ttl:
                self.ttl[table.name] = ("ENABLED", table.ttl)
            if table.point_in_time_recovery:
                days = table.point_in_time_recovery
                self.recovery[table.name] = 35 if days is True else days
            self._give_features(table)
        self.asked.clear()

    def _give_features(self, table: Table) -> None:
        for subject in (None, *table.indexes):
            said = getattr(table if subject is None else subject, "contributor_insights", None)
            if said:
                mode = "THROTTLED_KEYS" if said == "throttled" else "ACCESSED_AND_THROTTLED_KEYS"
                self.insights[table.name, subject and subject.name] = ("ENABLED", mode)
        if table.kinesis:
            precision = (table.kinesis.precision or "millisecond").upper()
            self.destinations[table.name] = {
                table.kinesis.arn: {
                    "StreamArn": table.kinesis.arn,
                    "DestinationStatus": "ACTIVE",
                    "ApproximateCreationDateTimePrecision": precision,
                }
            }
        if table.replicas:
            strong = table.replicas.consistency == "strong"
            self.there[table.name] |= {
                "Replicas": [
                    _replica(each.arguments(), "ACTIVE")
                    for each in table.replicas.others("eu-west-1").values()
                ],
                "MultiRegionConsistency": "STRONG" if strong else "EVENTUAL",
            }
            if table.replicas.witness:
                self.there[table.name]["GlobalTableWitnesses"] = [
                    {"RegionName": table.replicas.witness, "WitnessStatus": "ACTIVE"}
                ]

    def _drive(self, flow: Flow[Any]) -> Any:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self._perform(effect)
                except Exception as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            return stop.value

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Pause):
            self._clock += effect.seconds
            return None
        assert isinstance(effect, Call)
        check_parameters(effect)
        self.before(effect)
        self.asked.append(effect)
        parameters = effect.parameters
        name = parameters.get("TableName") or parameters["ResourceArn"].rpartition("/")[2]
        if effect.operation == "create_table":
            return self._create(effect.parameters)
        if name not in self.there:
            raise NoSuchTable(effect.operation, "ResourceNotFoundException", "no", name)
        return getattr(self, f"_{effect.operation}")(name, **effect.parameters)

    def changes(self) -> list[dict[str, Any]]:
        """What was asked that changes something, without the table's name."""
        return [
            {
                key: value
                for key, value in call.parameters.items()
                if key not in ("TableName", "ResourceArn")
            }
            for call in self.asked
            if not call.operation.startswith(("describe", "list", "get"))
        ]

    def _create(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments["TableName"]
        mode = {"BillingMode": arguments["BillingMode"]}
        self.there[name] = {
            **deepcopy(arguments),
            "BillingModeSummary": mode,
            "TableStatus": "CREATING",
            "TableArn": f"arn:aws:dynamodb:eu-west-1:111111111111:table/{name}",
        }
        made = self.there[name]
        self.tags[name] = {each["Key"]: each["Value"] for each in made.pop("Tags", ())}
        if "ResourcePolicy" in made:
            self.policies[name] = made.pop("ResourcePolicy")
        _encrypt(made)
        for each in (made, *made.get("GlobalSecondaryIndexes", ())):
            units = each.get("ProvisionedThroughput", {})
            least = {
                "ReadUnitsPerSecond": units.get("ReadCapacityUnits", 12_000),
                "WriteUnitsPerSecond": units.get("WriteCapacityUnits", 4_000),
            }
            each["WarmThroughput"] = least | each.get("WarmThroughput", {}) | {"Status": "ACTIVE"}
        if "TableClass" in arguments:
            self.there[name]["TableClassSummary"] = {"TableClass": arguments["TableClass"]}
        for index in self.there[name].get("GlobalSecondaryIndexes", ()):
            index["IndexStatus"] = "CREATING"
        if self.ignores_vectors:
            self.there[name].pop("VectorIndexes", None)
        for index in self.there[name].get("VectorIndexes", ()):
            index["IndexStatus"] = "CREATING"
        self._looks[name] = self.slow
        return {}

    def _settle(self, name: str) -> None:
        """A look: what is changing becomes ready after some of them."""
        self._looks[name] -= 1
        table = self.there[name]
        vectors = table.get("VectorIndexes", [])
        if self._looks[name] > 0:
            for index in vectors:
                if index.get("Backfilling") is False and index["IndexStatus"] == "CREATING":
                    # Allocated: the table is active while the index is filled.
                    index["Backfilling"], table["TableStatus"] = True, "ACTIVE"
            return
        table["TableStatus"] = "ACTIVE"
        vectors[:] = [each for each in vectors if each["IndexStatus"] != "DELETING"]
        for index in vectors:
            index["IndexStatus"] = "ACTIVE"
            if "Backfilling" in index:
                index["Backfilling"] = False
        indexes = table.get("GlobalSecondaryIndexes", [])
        indexes[:] = [each for each in indexes if each["IndexStatus"] != "DELETING"]
        for index in indexes:
            index["IndexStatus"] = "ACTIVE"
        for part in ("Replicas", "GlobalTableWitnesses"):
            key = "ReplicaStatus" if part == "Replicas" else "WitnessStatus"
            if part in table:
                table[part] = [
                    each | {key: "ACTIVE"} for each in table[part] if each[key] != "DELETING"
                ]
        used = {
            each["AttributeName"]
            for part in (table, *indexes, *table.get("LocalSecondaryIndexes", ()))
            for each in part["KeySchema"]
        }
        used |= {e["AttributeName"] for each in vectors for e in each.get("SearchSchema", ())}
        table["AttributeDefinitions"] = [
            each for each in table["AttributeDefinitions"] if each["AttributeName"] in used
        ]

    def _describe_table(self, name: str, **_: Any) -> dict[str, Any]:
        found = deepcopy(self.there[name])
        self._settle(name)
        return {"Table": found}

    def _describe_time_to_live(self, name: str, **_: Any) -> dict[str, Any]:
        status, attribute = self.ttl.get(name, ("DISABLED", ""))
        if status == "DISABLING":
            del self.ttl[name]
        found = {"TimeToLiveStatus": status}
        if attribute:
            found["AttributeName"] = attribute
        return {"TimeToLiveDescription": found}

    def _describe_continuous_backups(self, name: str, **_: Any) -> dict[str, Any]:
        days = self.recovery.get(name)
        status = {"PointInTimeRecoveryStatus": "ENABLED" if days else "DISABLED"}
        found = status | ({"RecoveryPeriodInDays": days} if days else {})
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": found}}

    def _update_continuous_backups(self, name: str, **parameters: Any) -> dict[str, Any]:
        specification = parameters["PointInTimeRecoverySpecification"]
        self.recovery[name] = (
            specification.get("RecoveryPeriodInDays", 35)
            if specification["PointInTimeRecoveryEnabled"]
            else 0
        )
        return {}

    def _update_time_to_live(self, name: str, **parameters: Any) -> dict[str, Any]:
        specification = parameters["TimeToLiveSpecification"]
        status, attribute = self.ttl.get(name, ("DISABLED", ""))
        wanted = specification["AttributeName"]
        if status == "DISABLING":
            raise self._invalid("UpdateTimeToLive", "TimeToLive is being changed", name)
        if specification["Enabled"]:
            if status != "DISABLED":
                raise self._invalid("UpdateTimeToLive", "TimeToLive is already enabled", name)
            self.ttl[name] = ("ENABLING", wanted)
        else:
            if attribute != wanted:
                raise self._invalid("UpdateTimeToLive", "another AttributeName", name)
            self.ttl[name] = ("DISABLING", wanted)
        return {}

    def _update_table(self, name: str, **parameters: Any) -> dict[str, Any]:
        table = self.there[name]
        del parameters["TableName"]
        if table["TableStatus"] != "ACTIVE":
            raise ServiceError("UpdateTable", "ResourceInUseException", "being updated", name)
        updates = parameters.get("GlobalSecondaryIndexUpdates", [])
        online = [each for each in updates if "Update" not in each]
        assert len(online) <= 1, "one index at a time"
        assert not online or set(parameters) <= {
            "GlobalSecondaryIndexUpdates",
            "AttributeDefinitions",
        }, "an index is created or dropped by itself"
        indexes = table.setdefault("GlobalSecondaryIndexes", [])
        for update in updates:
            ((what, index),) = update.items()
            stored = next((i for i in indexes if i["IndexName"] == index["IndexName"]), None)
            if what == "Create":
                if stored is not None:
                    raise self._invalid("UpdateTable", "the index already exists", name)
                provisioned = table["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
                if provisioned != ("ProvisionedThroughput" in index):
                    raise self._invalid("UpdateTable", "ProvisionedThroughput of an index", name)
                known = {d["AttributeName"]: d for d in table["AttributeDefinitions"]}
                for each in parameters["AttributeDefinitions"]:
                    if known.setdefault(each["AttributeName"], each) != each:
                        raise self._invalid("UpdateTable", "attribute has another type", name)
                table["AttributeDefinitions"] = list(known.values())
                indexes.append({**index, "IndexStatus": "CREATING", "Backfilling": True})
            elif what == "Delete":
                assert stored is not None
                stored["IndexStatus"] = "DELETING"
                self.insights.pop((name, index["IndexName"]), None)
            else:
                assert stored is not None
                stored.update(index)
        self._replicate(name, table, parameters)
        for part, given in (
            (table, parameters),
            *(
                (next(i for i in indexes if i["IndexName"] == each["IndexName"]), each)
                for update in updates
                for each in update.values()
            ),
        ):
            if "WarmThroughput" in given:
                stored = part.get("WarmThroughput", {})
                part["WarmThroughput"] = {"Status": "ACTIVE", **stored, **given["WarmThroughput"]}
                for unit, value in stored.items():
                    assert unit == "Status" or value <= part["WarmThroughput"][unit], "no less"
        if "SSESpecification" in parameters:
            table["SSESpecification"] = parameters["SSESpecification"]
            _encrypt(table)
        self._update_vectors(table, parameters)
        stream = parameters.get("StreamSpecification")
        if stream is not None:
            enabled = table.get("StreamSpecification", {}).get("StreamEnabled", False)
            if enabled and stream["StreamEnabled"]:
                raise self._invalid("UpdateTable", "Table already has an enabled stream", name)
            table["StreamSpecification"] = stream
        if "BillingMode" in parameters:
            table["BillingModeSummary"] = {"BillingMode": parameters["BillingMode"]}
            if parameters["BillingMode"] == "PROVISIONED":
                given = {each["Update"]["IndexName"] for each in updates}
                assert given == {index["IndexName"] for index in indexes}, "capacity of indexes"
        for setting in ("DeletionProtectionEnabled", "ProvisionedThroughput", "OnDemandThroughput"):
            if setting in parameters:
                table[setting] = parameters[setting]
        if "TableClass" in parameters:
            table["TableClassSummary"] = {"TableClass": parameters["TableClass"]}
        table["TableStatus"] = "UPDATING"
        self._looks[name] = self.slow
        return {}

    def _replicate(self, name: str, table: dict[str, Any], parameters: dict[str, Any]) -> None:
        updates = parameters.get("ReplicaUpdates", [])
        witnesses = parameters.get("GlobalTableWitnessUpdates", [])
        strong = parameters.get("MultiRegionConsistency") == "STRONG"
        if not updates and not witnesses:
            return
        was_strong = table.get("MultiRegionConsistency") == "STRONG"
        assert set(parameters) <= {
            "ReplicaUpdates", "GlobalTableWitnessUpdates", "MultiRegionConsistency",
        }, "replicas are changed by themselves"  # fmt: skip
        if not (strong or was_strong):
            assert len(updates) == 1, "one replica at a time"
            if not table.get("StreamSpecification", {}).get("StreamEnabled"):
                raise self._invalid("UpdateTable", "a stream is needed", name)
        assert not strong or len(updates) + len(witnesses) == 2, "three regions"
        if strong:
            table["MultiRegionConsistency"] = "STRONG"
        replicas = table.setdefault("Replicas", [])
        for update in updates:
            ((what, given),) = update.items()
            stored = next((r for r in replicas if r["RegionName"] == given["RegionName"]), None)
            if what == "Create":
                assert stored is None
                replicas.append(_replica(given, "CREATING"))
            elif stored is None:
                raise self._invalid("UpdateTable", "no such replica", name)
            elif what == "Delete":
                stored["ReplicaStatus"] = "DELETING"
            else:
                stored |= _replica(given, "UPDATING")
        kept = table.setdefault("GlobalTableWitnesses", [])
        for update in witnesses:
            ((what, given),) = update.items()
            if what == "Create":
                kept.append({**given, "WitnessStatus": "CREATING"})
            else:
                kept[0]["WitnessStatus"] = "DELETING"
        if {"Delete"} == {what for update in updates for what in update} and was_strong:
            del table["MultiRegionConsistency"]

    def _update_vectors(self, table: dict[str, Any], parameters: dict[str, Any]) -> None:
        updates = parameters.get("VectorIndexUpdates", [])
        if not updates or self.ignores_vectors:
            return
        assert len(updates) == 1, "one index at a time"
        assert set(parameters) <= {"VectorIndexUpdates", "AttributeDefinitions"}
        indexes = table.setdefault("VectorIndexes", [])
        assert all(each["IndexStatus"] == "ACTIVE" for each in indexes), "one after the other"
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        ((what, index),) = updates[0].items()
        if what == "Delete":
            [stored] = [each for each in indexes if each["IndexName"] == index["IndexName"]]
            stored["IndexStatus"] = "DELETING"
            return
        defined = {each["AttributeName"]: each for each in parameters["AttributeDefinitions"]}
        assert {e["AttributeName"] for e in index.get("SearchSchema", ())} == set(defined)
        known = {each["AttributeName"]: each for each in table["AttributeDefinitions"]}
        table["AttributeDefinitions"] = [*{**defined, **known}.values()]
        indexes.append({**index, "IndexStatus": "CREATING", "Backfilling": False})

    def _list_tags_of_resource(self, name: str, **_: Any) -> dict[str, Any]:
        tags = {"aws:cloudformation:stack-name": "shop"} | self.tags.get(name, {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _tag_resource(self, name: str, **parameters: Any) -> dict[str, Any]:
        self.tags.setdefault(name, {}).update(
            {each["Key"]: each["Value"] for each in parameters["Tags"]}
        )
        return {}

    def _untag_resource(self, name: str, **parameters: Any) -> dict[str, Any]:
        for each in parameters["TagKeys"]:
            del self.tags[name][each]
        return {}

    def _get_resource_policy(self, name: str, **_: Any) -> dict[str, Any]:
        if name not in self.policies:
            raise ServiceError("GetResourcePolicy", "PolicyNotFoundException", "no policy", name)
        return {"Policy": self.policies[name]}

    def _put_resource_policy(self, name: str, **parameters: Any) -> dict[str, Any]:
        self.policies[name] = parameters["Policy"]
        return {}

    def _delete_resource_policy(self, name: str, **_: Any) -> dict[str, Any]:
        del self.policies[name]
        return {}

    def _list_contributor_insights(self, name: str, **_: Any) -> dict[str, Any]:
        return {
            "ContributorInsightsSummaries": [
                {
                    "TableName": name,
                    **({} if index is None else {"IndexName": index}),
                    "ContributorInsightsStatus": status,
                    "ContributorInsightsMode": mode,
                }
                for (table, index), (status, mode) in self.insights.items()
                if table == name
            ]
        }

    def _describe_contributor_insights(self, name: str, **parameters: Any) -> dict[str, Any]:
        key = (name, parameters.get("IndexName"))
        status, mode = self.insights[key]
        settled = {"ENABLING": "ENABLED", "DISABLING": "DISABLED"}
        self.insights[key] = (settled.get(status, status), mode)
        return {"ContributorInsightsStatus": status}

    def _update_contributor_insights(self, name: str, **parameters: Any) -> dict[str, Any]:
        on = parameters["ContributorInsightsAction"] == "ENABLE"
        mode = parameters.get("ContributorInsightsMode", "ACCESSED_AND_THROTTLED_KEYS")
        status = "ENABLING" if on else "DISABLING"
        self.insights[name, parameters.get("IndexName")] = (status, mode)
        return {}

    def _describe_kinesis_streaming_destination(self, name: str, **_: Any) -> dict[str, Any]:
        found = self.destinations.get(name, {})
        described = deepcopy([*found.values()])
        settled = {"ENABLING": "ACTIVE", "UPDATING": "ACTIVE", "DISABLING": "DISABLED"}
        for each in found.values():
            status = each["DestinationStatus"]
            each["DestinationStatus"] = settled.get(status, status)
        return {"KinesisDataStreamDestinations": described}

    def _enable_kinesis_streaming_destination(self, name: str, **parameters: Any) -> dict[str, Any]:
        there = self.destinations.setdefault(name, {})
        assert all(each["DestinationStatus"] == "DISABLED" for each in there.values()), "one stream"
        configuration = parameters.get("EnableKinesisStreamingConfiguration", {})
        there[parameters["StreamArn"]] = {
            "StreamArn": parameters["StreamArn"],
            "DestinationStatus": "ENABLING",
            "ApproximateCreationDateTimePrecision": "MILLISECOND",
            **configuration,
        }
        return {}

    def _disable_kinesis_streaming_destination(
        self, name: str, **parameters: Any
    ) -> dict[str, Any]:
        self.destinations[name][parameters["StreamArn"]]["DestinationStatus"] = "DISABLING"
        return {}

    def _update_kinesis_streaming_destination(self, name: str, **parameters: Any) -> dict[str, Any]:
        self.destinations[name][parameters["StreamArn"]] |= {
            "DestinationStatus": "UPDATING",
            **parameters["UpdateKinesisStreamingConfiguration"],
        }
        return {}

    @staticmethod
    def _invalid(operation: str, message: str, name: str) -> InvalidRequest:
        return InvalidRequest(operation, "ValidationException", message, name)


def _encrypt(table: dict[str, Any]) -> None:
    given = table.pop("SSESpecification", None)
    if given is None:
        return
    table.pop("SSEDescription", None)
    if given["Enabled"]:
        key = given.get("KMSMasterKeyId", "11111111-1111-1111-1111-111111111111")
        arn = key if ":" in key else f"arn:aws:kms:eu-west-1:111111111111:key/{key}"
        table["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn}


def _replica(given: dict[str, Any], status: str) -> dict[str, Any]:
    found = {**given, "ReplicaStatus": status}
    if "TableClassOverride" in found:
        found["ReplicaTableClassSummary"] = {"TableClass": found.pop("TableClassOverride")}
    return found
