"""Items written into a table exactly as they are: unknown attributes, versions and guards as they were.

Without a condition they go in batches. Where an item may be there already, each is a put of its own under a
condition, and one of a model with unique fields is a transaction with its guards. Everything may be done
twice: what is there already, equal, counts as unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from dynattrs.errors import (
    AlreadyTaken,
    DynattrsError,
    InvalidRequest,
    MappingError,
    ModelError,
    UnsentWrites,
)
from dynattrs.expressions.conditions import Condition
from dynattrs.keys.discriminator import Sieve, is_guard
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.equality import same
from dynattrs.mapper.size import item_size
from dynattrs.operations.conditions import with_condition
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.refusals import ConditionFalse
from dynattrs.operations.transaction_errors import TransactionFailed
from dynattrs.operations.writing import batch, beside, unique_writes
from dynattrs.operations.writing.buffer import Buffer, Write
from dynattrs.operations.writing.unique_items import stored_item
from dynattrs.schema.model_info import ModelInfo, model_info, models_in
from dynattrs.schema.table import AttributeMap, AttributeValue, Table
from dynattrs.session.session import Session

#: What becomes of an item that is there already: it is replaced, stays, or is replaced if it is older.
Overwrite: TypeAlias = Literal["always", "absent", "newer"]


@attrs.define
class Written:
    """What has become of some items.

    Attributes:
        counts: How many were `written` or `deleted`, were `unchanged`, or were `skipped` because there is
            another item.
        units: The write units that it has cost.
        failures: Items that the service refuses, or that have a unique value of another one, by their
            places among those that were given.
    """

    counts: dict[str, int] = attrs.field(factory=dict)
    units: float = 0.0
    failures: dict[int, Exception] = attrs.field(factory=dict)

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def check_overwrite(overwrite: object, infos: Iterable[ModelInfo], owner: str) -> None:
    """Refuse what is no way to treat items that are there.

    Raises:
        ModelError: It is none; or nothing says which of two items is the newer one.
    """
    if overwrite not in get_args(Overwrite):
        known = ", ".join(map(repr, get_args(Overwrite)))
        raise ModelError(owner, f"overwrite={overwrite!r}: expected one of {known}")
    if overwrite == "newer":
        for info in infos:
            if _age(info) is None:
                raise ModelError(
                    owner,
                    f"overwrite='newer': {info.name} has neither a version nor an update time, so nothing "
                    f"tells which of two items is newer; declare field(version=True), or say 'always' or "
                    f"'absent'",
                )


def _age(info: ModelInfo) -> str | None:
    """The attribute that grows whenever an item is saved."""
    name = info.version or info.updated
    return None if name is None else info.names[name]


class RawWrites:
    """Writes raw items into a table.

    Args:
        session: Writes.
        table: The declared table.
        overwrite: What becomes of items that are there.
        guarded: Whether items may come without their guards: then these are made.
        owner: Who writes, for messages: `copy()`.
    """

    def __init__(
        self, session: Session, table: Table, overwrite: Overwrite, *, guarded: bool, owner: str
    ) -> None:
        self._session = session
        self._core: Core = session._core
        self._table = table
        self._name = self._core.table_name(table)
        self._overwrite: Overwrite = overwrite
        self._owner = owner
        members = models_in(table)
        self._sieve = Sieve(members) if members else None
        self._by_guards = guarded or overwrite != "always"
        self._guarded = any(info.guarding for info in members)

    def write(self, items: Sequence[AttributeMap], deletes: Sequence[AttributeMap] = ()) -> Written:
        """Put items, and delete those with some keys, and wait until all is stored.

        Args:
            items: Attribute maps. Of two with one key the last one counts.
            deletes: Primary keys.

        Raises:
            DynattrsError: The service cannot be reached, there is no such table, or it throttles too long.
                Some may be written.
        """
        done = Written()
        buffer = Buffer()
        with self._session.measure() as cost:
            core = cost._core
            gathering = self._gather(core, buffer, items, deletes, done)
            try:
                cost._drive(batch.gathered(core, buffer, gathering))
            except UnsentWrites as unsent:
                self._sort_out(unsent, done)
        done.units = cost.write_units
        return done

    def _gather(
        self,
        core: Core,
        buffer: Buffer,
        items: Sequence[AttributeMap],
        deletes: Sequence[AttributeMap],
        done: Written,
    ) -> Flow[None]:
        for place, item in enumerate(items):
            try:
                yield from self._put(core, buffer, place, item, done)
            except (MappingError, AlreadyTaken) as error:
                done.failures[place] = error
        for place, key in enumerate(deletes, len(items)):
            write = Write(self._name, key, {"DeleteRequest": {"Key": key}}, 100, place, "delete")
            write.acknowledged = lambda: done.count("deleted")
            yield from batch.gather(core, buffer, write, going_on=True)

    def _put(
        self, core: Core, buffer: Buffer, place: int, item: AttributeMap, done: Written
    ) -> Flow[None]:
        key = self._key(item)
        info = self._info(item) if self._by_guards and self._sieve is not None else None
        if self._by_guards and self._guarded and is_guard(self._table, item):
            done.count("guards")  # written with its item
            return
        condition = self._condition(info, item)
        if info is not None and info.guarding:
            yield from self._with_guards(core, info, key, item, condition, done)
            return
        size = item_size(item)
        request = {"PutRequest": {"Item": native_map(item)}}
        write = Write(self._name, key, request, size, place, "save")
        if condition is None:
            write.acknowledged = lambda: done.count("written")
            yield from batch.gather(core, buffer, write, going_on=True)
            return
        asked = condition

        def put(until: float) -> Flow[None]:
            parameters = {"TableName": self._name, "Item": native_map(item), **asked}
            try:
                yield Call("put_item", parameters, deadline=until)
            except ConditionFalse as error:
                done.count("unchanged" if error.item and same(error.item, item) else "skipped")
            else:
                done.count("written")

        yield from beside.gather_beside(core, buffer, write, put)

    def _key(self, item: AttributeMap) -> AttributeMap:
        key: AttributeMap = {}
        for name in self._table.key:
            value = item.get(name)
            kind = self._table.type_of(name)
            if value is None or kind not in value:
                raise MappingError(
                    self._owner, f"an item with the key attribute {name!r}, of type {kind}",
                    "none" if value is None else f"one of type {next(iter(value))}",
                    hint=f"table {self._table.name!r} cannot hold it",
                )  # fmt: skip
            key[name] = value
        return key

    def _info(self, item: AttributeMap) -> ModelInfo | None:
        assert self._sieve is not None
        try:
            return self._sieve.model_of(item)
        except MappingError:
            return None

    def _condition(self, info: ModelInfo | None, item: AttributeMap) -> dict[str, Any] | None:
        """What is asked of the table, as a request's parameters; None for nothing."""
        if self._overwrite == "always":
            return None
        absent = "attribute_not_exists(#p)"
        names = {"#p": self._table.partition_key}
        back: dict[str, Any] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        age = None if info is None or self._overwrite == "absent" else _age(info)
        value: AttributeValue | None = None if age is None else item.get(age)
        if age is None or value is None:
            return {"ConditionExpression": absent, "ExpressionAttributeNames": names, **back}
        return {
            "ConditionExpression": f"{absent} OR attribute_not_exists(#a) OR #a < :a",
            "ExpressionAttributeNames": {**names, "#a": age},
            "ExpressionAttributeValues": {":a": value},
            **back,
        }

    def _with_guards(
        self,
        core: Core,
        info: ModelInfo,
        key: AttributeMap,
        item: AttributeMap,
        condition: Mapping[str, Any] | None,
        done: Written,
    ) -> Flow[None]:
        """Put an item and its guards, and take away those of what it replaces."""
        old = yield from stored_item(core, info, key)
        if old is not None:
            if same(old, item):
                done.count("unchanged")
                return
            if not self._replaces(info, old, item):
                done.count("skipped")
                return

        def make(further: Condition) -> dict[str, Any]:
            return {"Put": with_condition({"TableName": self._name, "Item": item}, further)}

        def refused(stored: AttributeMap | None, failed: TransactionFailed) -> Exception:
            return failed

        yield from unique_writes.act(
            core, info, key, f"{self._owner}: put({info.name})", make, lambda _: item, refused, old
        )
        done.count("written")

    def _replaces(self, info: ModelInfo, old: AttributeMap, item: AttributeMap) -> bool:
        if self._overwrite != "newer":
            return self._overwrite == "always"
        age = _age(info)
        if age is None or age not in old:
            return age is not None
        new = item.get(age)
        return new is not None and _number(new) > _number(old[age])

    def _sort_out(self, unsent: UnsentWrites, done: Written) -> None:
        """Items that the service refuses are failures; anything else ends the step.

        Raises:
            DynattrsError: What it is.
        """
        for each in unsent.unsent:
            if not isinstance(each.cause, InvalidRequest):
                if isinstance(each.cause, DynattrsError):
                    raise each.cause
                raise unsent
            done.failures[each.object] = each.cause


def _number(value: AttributeValue) -> Any:
    from decimal import Decimal

    ((tag, payload),) = value.items()
    return (tag, Decimal(payload)) if tag == "N" else (tag, payload)


#: The most items of a page that is written.
MOST_ITEMS: Final = 100


def infos_of(models: Iterable[object], table: Table) -> list[ModelInfo]:
    """The models of a job: those that it names, and all of a table that it names."""
    found: list[ModelInfo] = []
    for each in models:
        found += models_in(each) if isinstance(each, Table) else [model_info(each)]
    return found


def table_of(models: Sequence[object], owner: str) -> Table:
    """The one table of a job's models.

    Raises:
        ModelError: There are several, or none.
    """
    tables = {
        id(table): table
        for each in models
        for table in [each if isinstance(each, Table) else model_info(each).table]
    }
    if len(tables) != 1:
        names = ", ".join(sorted(each.name for each in tables.values()))
        raise ModelError(
            owner, f"its models are of {len(tables)} tables ({names}); make a job for each of them"
        )
    return next(iter(tables.values()))
