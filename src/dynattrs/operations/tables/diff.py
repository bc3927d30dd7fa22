"""In what a table differs from its declaration, and the requests that would bring it there.

The service changes a table one thing at a time: one index created or dropped in a request, a stream
switched off before it is switched on with another view, a time to live switched off before another
attribute has it. So each difference has its steps, and all steps have one order.

What a declaration does not say is not compared.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from dynattrs.operations.flows import Call
from dynattrs.operations.tables import features, vector_changes
from dynattrs.operations.tables.changes import (
    Comparing,
    Order,
    Step,
    StoredTable,
    TableChange,
    created_by,
    recovery_call,
    ttl_call,
)
from dynattrs.schema.capacity import (
    STREAM_VIEWS,
    TABLE_CLASSES,
    Billing,
    OnDemand,
    billing_mode,
    described,
    described_mode,
)
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import models_in
from dynattrs.schema.table import (
    GlobalIndex,
    Index,
    Table,
    TableSetting,
    billing_of,
    definitions,
    index_arguments,
    key_attributes_of,
    key_schema,
    projection_arguments,
    says,
    stream_specification,
)
from dynattrs.schema.vectors import VectorIndex

_LOCAL_INDEX: Final = (
    "a local index is made with its table, and cannot be added, changed or dropped; declare a "
    "GlobalIndex, or make a new table and copy the items"
)
_KEY: Final = "the key of a table cannot be changed; make a new table and copy the items"


def compare(
    table: Table, name: str, found: StoredTable, only: Collection[TableSetting] | None = None
) -> list[TableChange]:
    """Every difference between what a declaration says and what the service has.

    Args:
        table: The declaration.
        name: The table's real name.
        found: What the service has.
        only: The settings to compare besides the key; None for all.
    """
    there = _Comparison(table, name, found, only)
    changes = [
        *there.keys(),
        *there.indexes(),
        *vector_changes.differences(there, there.to_migrate),
        *there.time_to_live(),
        *there.billing(),
        *there.stream(),
        *there.settings(),
    ]
    changes += features.differences(there, created_by(changes))
    return [each for each in changes if each.setting == "key" or there.concerns(each.setting)]


class _Comparison(Comparing):
    def __init__(
        self, table: Table, name: str, found: StoredTable, only: Collection[TableSetting] | None
    ) -> None:
        super().__init__(table, name, found, only)
        self.globals: dict[str, Message] = {
            each["IndexName"]: each for each in self.description.get("GlobalSecondaryIndexes", ())
        }
        self.locals: dict[str, Message] = {
            each["IndexName"]: each for each in self.description.get("LocalSecondaryIndexes", ())
        }

    # --- Keys and indexes ---

    def keys(self) -> Iterator[TableChange]:
        stored, declared = self.description["KeySchema"], key_schema(self.table, None)
        if shown_key(stored) != shown_key(declared):
            yield self.impossible(
                "key", f"its key is {shown_key(stored)}, declared is {shown_key(declared)}", _KEY
            )
        types = {
            each["AttributeName"]: each["AttributeType"]
            for each in self.description["AttributeDefinitions"]
        }
        for attribute in self.table.key_attributes:
            kind = types.get(attribute)
            declared_kind = self.table.type_of(attribute)
            if kind is None or kind == declared_kind:
                continue
            difference = (
                f"key attribute {attribute!r} is of type {kind}, declared is {declared_kind}"
            )
            fixed = [self.description, *self.locals.values()]
            if any(attribute in _attributes(each["KeySchema"]) for each in fixed):
                yield self.impossible("key", difference, _KEY)
                continue
            # An attribute of global indexes only: all of them are dropped, and then created anew.
            users = [n for n, i in self.globals.items() if attribute in _attributes(i["KeySchema"])]
            searched, again = vector_changes.made_anew(self, attribute)
            steps = [self._drop(user) for user in users]
            steps += [self._create(i) for i in self._declared_globals() if i.name in users]
            steps += again
            yield self.change(
                "indexes",
                difference,
                f"drop the {_listed([*users, *searched])} and create what is declared of them anew",
                *steps,
                destructive=True,
            )

    def indexes(self) -> Iterator[TableChange]:
        for index in self.table.secondary_indexes:
            yield from self._index(index)
        if not says(self.table, "indexes"):
            return
        declared = {index.name for index in self.table.secondary_indexes}
        for name in self.globals.keys() - declared:
            yield self.change(
                "indexes",
                f"it has the global index {name!r}, not declared",
                "drop it",
                self._drop(name),
                destructive=True,
            )
        for name in self.locals.keys() - declared:
            yield self.impossible(
                "indexes", f"it has the local index {name!r}, not declared", _LOCAL_INDEX
            )

    def _index(self, index: Index) -> Iterator[TableChange]:
        is_global = isinstance(index, GlobalIndex)
        kind, other = ("global", "local") if is_global else ("local", "global")
        same, others = (self.globals, self.locals) if is_global else (self.locals, self.globals)
        stored = same.get(index.name)
        if stored is None and index.name in others:
            yield self.impossible(
                "indexes", f"index {index.name!r} is {other}, declared is {kind}", _LOCAL_INDEX
            )
            return
        if stored is None:
            difference = f"it has no {kind} index {index.name!r}, which is declared"
            if isinstance(index, GlobalIndex):
                yield self.change(
                    "indexes",
                    difference,
                    f"create it, and wait until it is filled{self.to_migrate(index)}",
                    self._create(index),
                )
            else:
                yield self.impossible("indexes", difference, _LOCAL_INDEX)
            return
        differences = []
        key, declared_key = shown_key(stored["KeySchema"]), shown_key(key_schema(self.table, index))
        if key != declared_key:
            differences.append(
                f"the key of index {index.name!r} is {key}, declared is {declared_key}"
            )
        projection = _shown_projection(stored["Projection"])
        declared = _shown_projection(projection_arguments(self.table, index))
        if projection != declared:
            differences.append(
                f"index {index.name!r} projects {projection}, declared is {declared}"
            )
        for difference in differences:
            if isinstance(index, GlobalIndex):
                yield self.change(
                    "indexes",
                    difference,
                    "drop it and create it anew; queries fail meanwhile, so rather declare an "
                    f"index of another name{self.to_migrate(index)}",
                    self._drop(index.name),
                    self._create(index),
                    destructive=True,
                )
            else:
                yield self.impossible("indexes", difference, _LOCAL_INDEX)

    def to_migrate(self, index: GlobalIndex | VectorIndex) -> str:
        """What is to be done besides, where items cannot have the keys of an index yet."""
        known = _attributes(self.description["AttributeDefinitions"])
        own = (
            key_attributes_of(self.table, index)
            if isinstance(index, GlobalIndex)
            else index.search_attributes
        )
        new = {each for each in own if each not in known}
        models = [
            info.name for info in models_in(self.table) if not new.isdisjoint(info.index_keys)
        ]
        if not models:
            return ""
        calls = " and ".join(f"session.migrate({name})" for name in models)
        return f"; then {calls} gives its keys to the items that were stored before"

    def _declared_globals(self) -> list[GlobalIndex]:
        return [index for index in self.table.indexes if isinstance(index, GlobalIndex)]

    def _create(self, index: GlobalIndex) -> Step:
        return self.update_table(
            Order.CREATE,
            AttributeDefinitions=definitions(self.table, key_attributes_of(self.table, index)),
            GlobalSecondaryIndexUpdates=[{"Create": self._arguments(index)}],
        )

    def _arguments(self, index: GlobalIndex) -> Message:
        declared = billing_mode(self.table.billing)
        changes = says(self.table, "billing") and self.concerns("billing")
        mode = declared if changes else self._mode
        arguments = index_arguments(self.table, index)
        if mode == declared:
            return arguments
        # The table stays as it is, and an index is billed as its table. One that is provisioned takes
        # no index without a capacity: it is given what it had before, or else what the table has.
        there = self.globals.get(index.name, self.description)
        capacity = described(mode, there).arguments() if mode == "PROVISIONED" else {}
        own = ("IndexName", "KeySchema", "Projection", "WarmThroughput")
        return {name: arguments[name] for name in own if name in arguments} | capacity

    def _drop(self, name: str) -> Step:
        return self.update_table(
            Order.DROP, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": name}}]
        )

    # --- Settings ---

    def time_to_live(self) -> Iterator[TableChange]:
        stored, declared = self.found.ttl, self.table.ttl_attribute
        if stored == declared or not says(self.table, "ttl"):
            return
        steps = []
        if stored is not None:
            steps.append((Order.TTL_OFF, self._ttl(stored, enabled=False)))
        if declared is not None:
            steps.append((Order.TTL_ON, self._ttl(declared, enabled=True)))
        action = {
            (True, True): "switch it off, wait for that, and switch it on for the other attribute",
            (True, False): "switch it off, which keeps what would have been deleted from then on",
            (False, True): "switch it on",
        }[stored is not None, declared is not None]
        if declared is not None:
            action += ", which deletes the items whose time has gone by"
        yield self.change(
            "ttl",
            f"its time to live is {_shown_ttl(stored)}, declared is {_shown_ttl(declared)}",
            action,
            *steps,
            destructive=True,
        )

    def _ttl(self, attribute: str, *, enabled: bool) -> Call:
        return ttl_call(self.name, attribute, enabled=enabled)

    def billing(self) -> Iterator[TableChange]:
        if not says(self.table, "billing"):
            return
        # An index that has a billing of its own says the table's mode, and no more of the table.
        declared, mode = self.table.billing or OnDemand(), self._mode
        stored = self._described(mode, self.description)
        wanted = self._kept(declared)
        if mode != billing_mode(declared):
            # All indexes change with the table, also those that are not declared.
            changes: Message = {"BillingMode": billing_mode(declared), **wanted.arguments()}
            own = {index.name: index for index in self._declared_globals()}
            updates = [
                {"Update": {"IndexName": name, **self._kept(each).arguments()}}
                for name in self.globals
                if (each := billing_of(self.table, own.get(name))).arguments()
            ]
            if updates:
                changes["GlobalSecondaryIndexUpdates"] = updates
            yield self.change(
                "billing",
                f"it is billed {stored}, declared is {declared}",
                "change the billing mode, which the service allows a few times a day",
                self.update_table(Order.BILL, **changes),
            )
            return
        if self.table.billing is not None and stored != wanted:
            yield self.change(
                "billing",
                f"it is billed {stored}, declared is {declared}",
                "change its capacity",
                self.update_table(Order.BILL, **wanted.changes()),
            )
        for index in self._declared_globals():
            there = self.globals.get(index.name)
            if there is None or (self.table.billing is None and index.billing is None):
                continue
            stored, wanted = self._described(mode, there), self._kept(billing_of(self.table, index))
            if stored != wanted:
                update = {"Update": {"IndexName": index.name, **wanted.changes()}}
                yield self.change(
                    "billing",
                    f"index {index.name!r} is billed {stored}, declared is {wanted}",
                    "change its capacity",
                    self.update_table(Order.BILL, GlobalSecondaryIndexUpdates=[update]),
                )

    @property
    def _mode(self) -> str:
        """The billing mode that the table has."""
        return described_mode(self.description)

    def _described(self, mode: str, description: Message) -> Billing:
        return self._kept(described(mode, description))

    def _kept(self, billing: Billing) -> Billing:
        """What of a billing the engine keeps."""
        if isinstance(billing, OnDemand) and self.found.is_dynamodb_local():
            return OnDemand()
        return billing

    def stream(self) -> Iterator[TableChange]:
        declared = self.table.stream
        if declared is None:
            return
        specification = self.description.get("StreamSpecification", {})
        views = {view: name for name, view in STREAM_VIEWS.items()}
        stored: Any = False
        if specification.get("StreamEnabled"):
            stored = views.get(specification.get("StreamViewType"), "unknown")
        if stored == declared:
            return
        steps = []
        if stored:
            off = stream_specification(False)
            steps.append(self.update_table(Order.STREAM_OFF, StreamSpecification=off))
        if declared:
            on = stream_specification(declared)
            steps.append(self.update_table(Order.STREAM_ON, StreamSpecification=on))
        action = "switch it on"
        if stored:
            action = "switch it off" + (", and on again under another ARN" if declared else "")
            action += "; what reads it now misses what is written from then on"
        yield self.change(
            "stream",
            f"its stream is {_shown_stream(stored)}, declared is {_shown_stream(declared)}",
            action,
            *steps,
            destructive=bool(stored),
        )

    def settings(self) -> Iterator[TableChange]:
        table = self.table
        protected = bool(self.description.get("DeletionProtectionEnabled"))
        if table.deletion_protection is not None and table.deletion_protection != protected:
            on = table.deletion_protection
            yield self.change(
                "deletion_protection",
                f"its deletion protection is {_on_off(protected)}, declared is {_on_off(on)}",
                f"switch it {_on_off(on)}",
                self.update_table(Order.PROTECTION, DeletionProtectionEnabled=on),
            )
        if table.table_class is not None and not self.found.is_dynamodb_local():
            summary = self.description.get("TableClassSummary", {})
            stored = summary.get("TableClass", "STANDARD")
            declared = TABLE_CLASSES[table.table_class]
            if stored != declared:
                yield self.change(
                    "table_class",
                    f"its class is {stored}, declared is {declared}",
                    "change it, which the service allows twice in 30 days",
                    self.update_table(Order.SET, TableClass=declared),
                )
        yield from self._recovery()

    def _recovery(self) -> Iterator[TableChange]:
        declared, stored = self.table.point_in_time_recovery, self.found.recovery
        if declared is None or stored is None:
            return
        # True is satisfied with any number of days.
        days = (stored or None) if declared is True else int(declared)
        if days == stored:
            return
        on = declared is not False
        fewer = stored > 0 and (days or 0) < stored
        wanted = "on" if declared is True else _shown_recovery(int(declared))
        action = (
            f"switch it {_on_off(on)}" if bool(stored) != on else f"make it {declared} days"
        ) + ("; the service forgets what it could restore before" if fewer else "")
        yield self.change(
            "point_in_time_recovery",
            f"its point-in-time recovery is {_shown_recovery(stored)}, declared is {wanted}",
            action,
            (Order.NO_BACK_UP if fewer else Order.BACK_UP, recovery_call(self.name, declared)),
            destructive=fewer,
        )


def _attributes(schema: Iterable[Mapping[str, str]]) -> set[str]:
    return {each["AttributeName"] for each in schema}


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names))
    return f"index {shown}" if len(names) == 1 else f"indexes {shown}"


def shown_key(schema: Iterable[Mapping[str, str]]) -> str:
    elements = list(schema)
    parts = [
        [each["AttributeName"] for each in elements if each["KeyType"] == kind]
        for kind in ("HASH", "RANGE")
    ]
    return f"({' + '.join(parts[0])}{', ' if parts[1] else ''}{' + '.join(parts[1])})"


def _shown_projection(projection: Message) -> str:
    kind = projection["ProjectionType"]
    if kind != "INCLUDE":
        return "all" if kind == "ALL" else "keys"
    return ", ".join(sorted(projection.get("NonKeyAttributes", ())))


def _shown_ttl(attribute: str | None) -> str:
    return "off" if attribute is None else f"on attribute {attribute!r}"


def _shown_stream(stream: object) -> str:
    return f"of {stream!r}" if stream else "off"


def _shown_recovery(days: int) -> str:
    return f"on for {days} days" if days else "off"


def _on_off(on: bool) -> str:
    return "on" if on else "off"
