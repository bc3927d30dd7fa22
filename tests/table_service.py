"""A service that has tables and nothing in them: one thing at a time, and slow at it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import Any

from dynattrs import InvalidRequest, NoSuchTable, ServiceError, Table
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Sync
from dynattrs.operations.tables.verbs import TableVerbs


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
        self.asked: list[Call] = []
        self.before: Callable[[Call], None] = lambda call: None
        self._looks: dict[str, int] = {}
        for table in declared:
            self._create(table.create_arguments())
            self._looks[table.name] = 0
            self._settle(table.name)
            if table.ttl:
                self.ttl[table.name] = ("ENABLED", table.ttl)
            if table.point_in_time_recovery:
                days = table.point_in_time_recovery
                self.recovery[table.name] = 35 if days is True else days
        self.asked.clear()

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
        self.before(effect)
        self.asked.append(effect)
        name = effect.parameters["TableName"]
        if effect.operation == "create_table":
            return self._create(effect.parameters)
        if name not in self.there:
            raise NoSuchTable(effect.operation, "ResourceNotFoundException", "no", name)
        return getattr(self, f"_{effect.operation}")(name, **effect.parameters)

    def changes(self) -> list[dict[str, Any]]:
        """What was asked that changes something, without the table's name."""
        return [
            {key: value for key, value in call.parameters.items() if key != "TableName"}
            for call in self.asked
            if not call.operation.startswith("describe")
        ]

    def _create(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments["TableName"]
        mode = {"BillingMode": arguments["BillingMode"]}
        self.there[name] = {
            **deepcopy(arguments),
            "BillingModeSummary": mode,
            "TableStatus": "CREATING",
        }
        if "TableClass" in arguments:
            self.there[name]["TableClassSummary"] = {"TableClass": arguments["TableClass"]}
        for index in self.there[name].get("GlobalSecondaryIndexes", ()):
            index["IndexStatus"] = "CREATING"
        self._looks[name] = self.slow
        return {}

    def _settle(self, name: str) -> None:
        """A look: what is changing becomes ready after some of them."""
        self._looks[name] -= 1
        if self._looks[name] > 0:
            return
        table = self.there[name]
        table["TableStatus"] = "ACTIVE"
        indexes = table.get("GlobalSecondaryIndexes", [])
        indexes[:] = [each for each in indexes if each["IndexStatus"] != "DELETING"]
        for index in indexes:
            index["IndexStatus"] = "ACTIVE"
        used = {
            each["AttributeName"]
            for part in (table, *indexes, *table.get("LocalSecondaryIndexes", ()))
            for each in part["KeySchema"]
        }
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
            else:
                assert stored is not None
                stored.update(index)
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

    @staticmethod
    def _invalid(operation: str, message: str, name: str) -> InvalidRequest:
        return InvalidRequest(operation, "ValidationException", message, name)
