"""In what the features of a table differ from its declaration: all that is neither its key, an index,
its capacity nor a switch of its own.

Replicas are made and dropped one at a time, all of a strongly consistent global table at once. A Kinesis
stream is left before another one is told of changes.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from dynattrs import limits
from dynattrs.operations.flows import Call
from dynattrs.operations.tables.changes import Comparing, Order, Step, TableChange
from dynattrs.schema import features as declared_features
from dynattrs.schema.capacity import TABLE_CLASSES, described_warmth
from dynattrs.schema.features import (
    INSIGHTS_MODES,
    OWNED,
    PRECISIONS,
    Insights,
    KinesisStream,
    Replica,
    Replicas,
)
from dynattrs.schema.messages import Message
from dynattrs.schema.table import GlobalIndex, says

_FIXED_REGIONS: Final = (
    "the regions of a strongly consistent global table are chosen when it is made; declare "
    "replicas=[] to make it a table of one region again, which has to be empty for other ones"
)
_FIXED_CONSISTENCY: Final = (
    "consistency is chosen with the first replicas; declare replicas=[], and then the others on the "
    "table, which has to be empty for strong consistency"
)

_DISABLE: Final = "disable_kinesis_streaming_destination"
_ENABLE: Final = "enable_kinesis_streaming_destination"
_UPDATE: Final = "update_kinesis_streaming_destination"


def differences(there: Comparing, created: Collection[str]) -> Iterator[TableChange]:
    """Every difference in these.

    Args:
        there: The table and its declaration.
        created: The indexes that are being created, which begin without insights.
    """
    found = _Features(there.table, there.name, there.found, there.only)
    yield from found.warm_throughput()
    yield from found.tags()
    yield from found.encryption()
    yield from found.resource_policy()
    yield from found.replicas()
    yield from found.contributor_insights(created)
    yield from found.kinesis()


class _Features(Comparing):
    # --- Warm throughput ---

    def warm_throughput(self) -> Iterator[TableChange]:
        if not says(self.table, "warm_throughput"):
            return
        stored = described_warmth(self.description)
        if stored is None:
            return  # the engine keeps none
        declared = self.table.warm_throughput
        wanted = None if declared is None else declared.raised(stored)
        if wanted is not None:
            step = self.update_table(Order.WARM, **wanted.arguments())
            yield self._warmer("its warm throughput", stored, declared, step)
        there = {each["IndexName"]: each for each in self._indexes_there()}
        for index in self._indexes():
            if index.warm_throughput is None or index.name not in there:
                continue
            warmth = described_warmth(there[index.name])
            more = index.warm_throughput.raised(warmth)
            if more is not None:
                update = {"Update": {"IndexName": index.name, **more.arguments()}}
                step = self.update_table(Order.WARM, GlobalSecondaryIndexUpdates=[update])
                what = f"the warm throughput of index {index.name!r}"
                yield self._warmer(what, warmth, index.warm_throughput, step)

    def _warmer(self, what: str, stored: object, declared: object, step: Step) -> TableChange:
        return self.change(
            "warm_throughput",
            f"{what} is {stored or 'not said'}, declared is {declared}",
            "raise it, which is paid for once and not lowered again",
            step,
        )

    def _indexes(self) -> list[GlobalIndex]:
        return [each for each in self.table.indexes if isinstance(each, GlobalIndex)]

    def _indexes_there(self) -> list[Message]:
        found: list[Message] = self.description.get("GlobalSecondaryIndexes", [])
        return found

    # --- Tags, encryption, policy ---

    @property
    def _arn(self) -> str:
        return str(self.description["TableArn"])

    def tags(self) -> Iterator[TableChange]:
        stored, declared = self.found.features.tags, self.table.tags
        if stored is None or not declared:
            return
        set_, unset = {}, []
        for tag, text in declared.items():
            if text is None and tag in stored:
                unset.append(tag)
            elif text is not None and stored.get(tag) != text:
                set_[tag] = text
        tagging = {"ResourceArn": self._arn, "Tags": declared_features.tag_list(set_)}
        for tag, text in set_.items():
            there = f"its tag {tag!r} is {stored[tag]!r}" if tag in stored else f"no tag {tag!r}"
            yield self.change(
                "tags",
                f"{there if tag in stored else f'it has {there}'}, declared is {text!r}",
                "set it",
                (Order.TAG, Call("tag_resource", tagging)),
            )
        untagging = {"ResourceArn": self._arn, "TagKeys": unset}
        for tag in unset:
            yield self.change(
                "tags",
                f"it has the tag {tag!r}, declared is that it has not",
                "take it away",
                (Order.TAG, Call("untag_resource", untagging)),
            )

    def encryption(self) -> Iterator[TableChange]:
        declared = self.table.encryption
        if declared is None or self.found.is_dynamodb_local():
            return
        stored = declared_features.described_encryption(self.description)
        if declared_features.same_key(declared, stored):
            return
        specification = declared_features.encryption_specification(declared)
        yield self.change(
            "encryption",
            f"it is encrypted with {_shown_key(stored)}, declared is {_shown_key(declared)}",
            "change it; backups that were made before still need the key of then",
            self.update_table(Order.SET, SSESpecification=specification),
        )

    def resource_policy(self) -> Iterator[TableChange]:
        stored, declared = self.found.features.resource_policy, self.table.resource_policy
        if stored is None or declared is None:
            return
        if declared_features.same_policy(stored, declared):
            return
        if declared is False:
            call = Call("delete_resource_policy", {"ResourceArn": self._arn})
            difference, action = "it has a resource policy, declared is none", "delete it"
        else:
            text = declared_features.policy_text(declared)
            call = Call("put_resource_policy", {"ResourceArn": self._arn, "Policy": text})
            difference = "its resource policy is another one than the one declared"
            if stored is False:
                difference = "it has no resource policy, which is declared"
            action = "replace it" if stored else "put it"
        yield self.change(
            "resource_policy", difference, action, (Order.POLICY, call), destructive=bool(stored)
        )

    # --- Replicas ---

    def replicas(self) -> Iterator[TableChange]:
        said = self.table.replicas
        if said is None or self.found.is_dynamodb_local():
            return
        own = declared_features.region_in(self.description)
        declared = said.others(own)
        stored = declared_features.described_replicas(self.description)
        witnesses = declared_features.described_witnesses(self.description)
        if said.consistency == "strong" and not stored and not witnesses:
            yield self._strong(said, declared)
            return
        strong = self.description.get("MultiRegionConsistency") == "STRONG"
        kept = "MultiRegionConsistency" in self.description or not self.found.is_emulated()
        if stored and declared and said.consistency is not None and kept:
            wanted = said.consistency == "strong"
            if wanted != strong:
                there, other = ("strong", "eventual") if strong else ("eventual", "strong")
                yield self.impossible(
                    "replicas",
                    f"its replicas are of {there} consistency, declared is {other}",
                    _FIXED_CONSISTENCY,
                )
                return
        if strong and not declared:
            yield self._dropped([*stored], witnesses)
            return
        if strong and (stored.keys() != declared.keys() or witnesses != _witnesses(said)):
            yield self.impossible(
                "replicas",
                f"its other regions are {_listed([*stored, *witnesses])}, declared are "
                f"{_listed([*declared, *_witnesses(said)])}",
                _FIXED_REGIONS,
            )
            return
        for region in stored.keys() - declared.keys():
            yield self._dropped([region], [])
        for region, replica in declared.items():
            if region not in stored:
                yield self._created(replica)
            elif stored[region].get("ReplicaStatus") == "CREATION_FAILED":
                yield self._made_anew(replica, stored[region])
            else:
                yield from self._changed(replica, stored[region])

    def _strong(self, said: Replicas, declared: dict[str, Replica]) -> TableChange:
        """All regions in one request, which the service takes for an empty table."""
        witnesses = _witnesses(said)
        difference = "it has no replicas of strong consistency, which are declared"
        count = len(declared) + len(witnesses)
        if count != limits.STRONG_REGIONS - 1:
            return self.impossible(
                "replicas",
                difference,
                f"two other regions are expected, {count} are declared besides the table's own",
            )
        parameters: Message = {
            "MultiRegionConsistency": "STRONG",
            "ReplicaUpdates": [{"Create": each.arguments()} for each in declared.values()],
        }
        if witnesses:
            parameters["GlobalTableWitnessUpdates"] = [
                {"Create": {"RegionName": each}} for each in witnesses
            ]
        return self.change(
            "replicas",
            difference,
            "create them together, which takes an empty table",
            self.update_table(Order.REPLICA, **parameters),
        )

    def _dropped(self, regions: list[str], witnesses: list[str]) -> TableChange:
        parameters: Message = {"ReplicaUpdates": [{"Delete": {"RegionName": r}} for r in regions]}
        if witnesses:
            parameters["GlobalTableWitnessUpdates"] = [
                {"Delete": {"RegionName": each}} for each in witnesses
            ]
        several = len(regions) > 1
        return self.change(
            "replicas",
            f"it has {'replicas' if several else 'a replica'} in {_listed(regions)}, not declared",
            "drop them" if several else "drop it",
            self.update_table(Order.NO_REPLICA, **parameters),
            destructive=True,
        )

    def _created(self, replica: Replica) -> TableChange:
        steps = []
        if self.table.stream is None and not self._has_stream():
            on = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
            steps.append(self.update_table(Order.STREAM_ON, StreamSpecification=on))
        return self.change(
            "replicas",
            f"it has no replica in {replica.region}, which is declared",
            "create it, and wait until it is filled",
            *steps,
            self._replica(Order.REPLICA, "Create", replica.arguments()),
        )

    def _has_stream(self) -> bool:
        return bool(self.description.get("StreamSpecification", {}).get("StreamEnabled"))

    def _made_anew(self, replica: Replica, stored: Message) -> TableChange:
        why = stored.get("ReplicaStatusDescription") or "the service does not say why"
        return self.change(
            "replicas",
            f"its replica in {replica.region} could not be created: {why}",
            "drop it and create it anew",
            self._replica(Order.NO_REPLICA, "Delete", {"RegionName": replica.region}),
            self._replica(Order.REPLICA, "Create", replica.arguments()),
        )

    def _changed(self, replica: Replica, stored: Message) -> Iterator[TableChange]:
        """What a replica says for itself, and has not."""
        wrong = [*_wrong_in_replica(replica, stored)]
        if not wrong or self.found.is_emulated():
            return
        yield self.change(
            "replicas",
            f"its replica in {replica.region} differs in {' and '.join(wrong)}",
            "change it",
            self._replica(Order.REPLICA, "Update", replica.arguments()),
        )

    def _replica(self, order: Order, what: str, arguments: Message) -> Step:
        return self.update_table(order, ReplicaUpdates=[{what: arguments}])

    # --- Contributor insights ---

    def contributor_insights(self, created: Collection[str]) -> Iterator[TableChange]:
        stored = self.found.features.contributor_insights
        if stored is None:
            return
        said: dict[str | None, Insights | None] = {None: self.table.contributor_insights}
        said.update({each.name: each.contributor_insights for each in self._indexes()})
        for index, declared in said.items():
            mode = None if index in created else stored.get(index)
            if declared is None or _same_insights(declared, mode):
                continue
            parameters: Message = {"TableName": self.name}
            if index is not None:
                parameters["IndexName"] = index
            parameters |= declared_features.insights_arguments(declared)
            what = "its contributor insights"
            if index is not None:
                what = f"the contributor insights of index {index!r}"
            yield self.change(
                "contributor_insights",
                f"{what} are {_shown_insights(mode)}, declared is {_shown_declared(declared)}",
                "switch them off"
                if not declared
                else "switch them on"
                if mode is None
                else "change their mode",
                (Order.INSIGHTS, Call("update_contributor_insights", parameters)),
            )

    # --- Kinesis ---

    def kinesis(self) -> Iterator[TableChange]:
        stored, declared = self.found.features.kinesis, self.table.kinesis
        if stored is None or declared is None:
            return
        wanted = declared or None
        there = None
        for destination in stored:
            arn = destination["StreamArn"]
            if wanted is not None and arn == wanted.arn:
                there = destination
                continue
            yield self.change(
                "kinesis",
                f"its changes go to {arn}, declared is {wanted.arn if wanted else 'no stream'}",
                "leave it; what reads it now misses what is written from then on",
                self._destination(Order.DESTINATION_OFF, _DISABLE, {"StreamArn": arn}),
                destructive=True,
            )
        if wanted is not None and there is None:
            yield self.change(
                "kinesis",
                f"its changes do not go to {wanted.arn}, which is declared",
                "send them there",
                self._destination(
                    Order.DESTINATION_ON,
                    _ENABLE,
                    _destination_of(wanted, "EnableKinesisStreamingConfiguration"),
                ),
            )
        elif wanted is not None and wanted.precision is not None:
            precision = PRECISIONS[wanted.precision]
            kept = (there or {}).get("ApproximateCreationDateTimePrecision", "MILLISECOND")
            if kept != precision:
                yield self.change(
                    "kinesis",
                    f"the times of its changes in Kinesis are of a {kept.lower()}, declared is a "
                    f"{wanted.precision}",
                    "change it",
                    self._destination(
                        Order.DESTINATION_ON,
                        _UPDATE,
                        _destination_of(wanted, "UpdateKinesisStreamingConfiguration"),
                    ),
                )

    def _destination(self, order: Order, operation: str, parameters: Message) -> Step:
        return order, Call(operation, {"TableName": self.name, **parameters})


def _destination_of(stream: KinesisStream, configuration: str) -> Message:
    found: Message = {"StreamArn": stream.arn}
    if stream.precision is not None:
        precision = PRECISIONS[stream.precision]
        found[configuration] = {"ApproximateCreationDateTimePrecision": precision}
    return found


def _witnesses(said: Replicas) -> list[str]:
    return [] if said.witness is None else [said.witness]


def _wrong_in_replica(replica: Replica, stored: Message) -> Iterator[str]:
    key = replica.kms_key
    if key is not None and not declared_features.same_key(key, stored.get("KMSMasterKeyId", "")):
        yield "its key"
    summary = stored.get("ReplicaTableClassSummary", {})
    wanted = None if replica.table_class is None else TABLE_CLASSES[replica.table_class]
    if wanted is not None and summary.get("TableClass", "STANDARD") != wanted:
        yield "its class"
    indexes: dict[str, Any] = {
        each["IndexName"]: declared_features.described_reads(each)
        for each in declared_features.indexes_of_replica(stored)
    }
    own = declared_features.described_reads(stored)
    capacities = [((replica.read, replica.max_read), own)]
    capacities += [
        ((replica.index_read.get(name), replica.index_max_read.get(name)),
         indexes.get(name, (None, None)))
        for name in dict.fromkeys((*replica.index_read, *replica.index_max_read))
    ]  # fmt: skip
    if any(
        said is not None and said != there
        for declared, found in capacities
        for said, there in zip(declared, found, strict=True)
    ):
        yield "its capacity"


def _listed(regions: list[str]) -> str:
    return ", ".join(sorted(regions)) or "none"


def _shown_key(key: str) -> str:
    return {
        OWNED: "a key that the service owns",
        declared_features.MANAGED: "the key that AWS manages",
    }.get(key, f"the key {key}")


def _same_insights(declared: Insights, mode: str | None) -> bool:
    if mode is None or isinstance(declared, bool):
        return (mode is not None) is bool(declared)
    return mode in ("", INSIGHTS_MODES[declared])


def _shown_insights(mode: str | None) -> str:
    names = {stored: f"of {name!r}" for name, stored in INSIGHTS_MODES.items()}
    return "off" if mode is None else names.get(mode, "on")


def _shown_declared(declared: Insights) -> str:
    return f"{declared!r}" if isinstance(declared, str) else "on" if declared else "off"
