"""Raw items that are written only where there is none, or only where it is older.

What is stored decides in Python, from the item that a refused put brings back, and the next put demands that
it is still so: times that other programs spell otherwise compare as times. An item with unique values goes
with its guards, in one transaction, because what it replaces may have other values and so other guards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from dynattrs.errors import DynattrsError, MappingError
from dynattrs.expressions.conditions import Condition
from dynattrs.mapper.codec import show_stored
from dynattrs.mapper.equality import same
from dynattrs.operations.conditions import joined, with_condition
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.refusals import ConditionFalse
from dynattrs.operations.transaction_errors import TransactionFailed
from dynattrs.operations.writing import unique_writes
from dynattrs.operations.writing.unique_items import stored_item, unchanged
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue, Table

#: What becomes of an item that is there already: it is replaced, stays, or is replaced if it is older.
Overwrite: TypeAlias = Literal["always", "absent", "newer"]

#: What has become of an item. One is skipped that another one is there for, as new as it.
Done: TypeAlias = Literal["written", "unchanged", "skipped"]

#: How often an item is tried that others change all the time.
_TRIES: Final = 30


@attrs.frozen
class Age:
    """How new the items of a model are: by their version, or by the time of their last change.

    Attributes:
        info: The model.
        field: The field with `version=True`, or with `updated=True`.
    """

    info: ModelInfo
    field: str

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that say it: today's, and those that older items have."""
        name = self.info.names[self.field]
        return name, *(old for old, new in self.info.formerly.items() if new == name)

    def of(self, item: Mapping[str, AttributeValue]) -> Any:
        """The version or time of an item; None where it has none.

        Raises:
            MappingError: It cannot be read.
        """
        value = next((item[name] for name in self.attributes if name in item), None)
        if value is None or "NULL" in value:
            return None
        form = (self.info.mapper.model_codec(self.info.cls).fields or {})[self.field]
        try:
            return form.load(value)
        except Exception as error:
            raise MappingError(
                f"{self.info.name}.{self.field}", getattr(error, "expected", form.expected),
                show_stored(value), {name: item[name] for name in self.info.table.key},
            ) from error  # fmt: skip

    def is_newer(
        self, one: Mapping[str, AttributeValue], other: Mapping[str, AttributeValue]
    ) -> bool:
        """Whether *one* is newer than *other*. What says how new it is, is newer than what does not."""
        mine, theirs = self.of(one), self.of(other)
        return mine is not None and (theirs is None or mine > theirs)


def age_of(info: ModelInfo) -> Age | None:
    """What tells how new a model's items are; None where nothing does."""
    name = info.version or info.updated
    return None if name is None else Age(info, name)


@attrs.frozen
class RawItem:
    """An item on its way.

    Attributes:
        table: The declared table.
        item: The attribute map, with bytes.
        info: Its model; None where none is known.
        overwrite: What becomes of one that is there.
        owner: Who writes, for messages.
        written: The attribute map as it will be stored, with maps for values on their way into S3; None
            where it is `item`.
    """

    table: Table
    item: AttributeMap
    info: ModelInfo | None
    overwrite: Overwrite
    owner: str
    written: AttributeMap | None = None

    @property
    def key(self) -> AttributeMap:
        return {name: self.item[name] for name in self.table.key}

    @property
    def age(self) -> Age | None:
        return None if self.info is None else age_of(self.info)

    def decided(self, stored: AttributeMap | None) -> Done | None:
        """What becomes of it where *stored* is there; None where it is to be written.

        Raises:
            MappingError: Nothing tells which of the two is newer.
        """
        if stored is None:
            return None
        if same(stored, self.item if self.written is None else self.written):
            return "unchanged"
        if self.overwrite != "newer":
            return "skipped" if self.overwrite == "absent" else None
        if self.age is None:
            raise MappingError(
                self.owner, "an item of a model with a version or an update time",
                "an item of no declared model, and the table holds another one under its key", self.key,
                hint="use overwrite='always' or 'absent' for such items",
            )  # fmt: skip
        return None if self.age.is_newer(self.item, stored) else "skipped"

    def restless(self) -> DynattrsError:
        return DynattrsError(
            f"{self.owner}: other programs changed the item {self.key} of table {self.table.name!r} "
            f"during each of {_TRIES} tries; begin a job for it when they write less"
        )


def put(core: Core, raw: RawItem, until: float | None = None) -> Flow[Done]:
    """Put an item that has no guards, if what is stored allows it.

    Args:
        core: The session's.
        raw: The item.
        until: When no attempt begins any more.

    Raises:
        MappingError: Nothing tells which of two items is newer.
        DynattrsError: What the service has refused it with; or others change what is there all the time.
    """
    name = core.table_name(raw.table)
    stored: AttributeMap | None = None
    for _ in range(_TRIES):
        parameters = {"TableName": name, "Item": raw.item, **_asked(raw, stored)}
        try:
            yield Call("put_item", parameters, deadline=until)
        except ConditionFalse as error:
            stored = error.item or None
            if stored is None:  # what was there is gone
                reading = {"TableName": name, "Key": raw.key, "ConsistentRead": True}
                stored = (yield Call("get_item", reading, deadline=until)).get("Item")
            done = raw.decided(stored)
            if done == "unchanged" and error.uncertain:
                return "written"  # by an attempt of ours whose reply was lost
            if done is not None:
                return done
        else:
            return "written"
    raise raw.restless()


def _asked(raw: RawItem, stored: AttributeMap | None) -> dict[str, Any]:
    """The condition that nothing is there, or an item that says of its age what *stored* says."""
    names, values = {"#p": raw.table.partition_key}, {}
    parts = ["attribute_not_exists(#p)"]
    if stored is not None:
        parts = ["attribute_exists(#p)"]
        for number, attribute in enumerate(raw.age.attributes if raw.age is not None else ()):
            names[f"#{number}"] = attribute
            if attribute in stored:
                values[f":{number}"] = stored[attribute]
                parts.append(f"#{number} = :{number}")
            else:
                parts.append(f"attribute_not_exists(#{number})")
    asked: dict[str, Any] = {
        "ConditionExpression": " AND ".join(parts),
        "ExpressionAttributeNames": names,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return {**asked, "ExpressionAttributeValues": values} if values else asked


class _OtherStored(Exception):
    """Something else is stored than was expected."""

    def __init__(self, stored: AttributeMap | None) -> None:
        super().__init__()
        self.stored = stored


def put_with_guards(core: Core, info: ModelInfo, raw: RawItem) -> Flow[Done]:
    """Put an item with the guards of its unique values, and take away those of what it replaces.

    Raises:
        AlreadyTaken: Another item of the table has one of the values.
        MappingError: As `put`.
        DynattrsError: As `put`.
    """
    key, table = raw.key, core.table_name(raw.table)
    stored = yield from stored_item(core, info, key)
    for _ in range(_TRIES):
        asked: Condition | None = None
        if raw.overwrite != "always":
            done = raw.decided(stored)
            if done is not None:
                return done
            attributes = () if raw.age is None else raw.age.attributes
            asked = unchanged(info, stored, frozenset(attributes))

        def make(further: Condition, asked: Condition | None = asked) -> dict[str, Any]:
            request = {"TableName": table, "Item": raw.item}
            return {"Put": with_condition(request, joined(asked, further))}

        written = f"{raw.owner} of an item of {info.name}"
        try:
            yield from unique_writes.act(
                core, info, key, written, make, lambda _: raw.item, _refused, stored
            )
        except _OtherStored as other:
            stored = other.stored
        else:
            return "written"
    raise raw.restless()


def _refused(stored: AttributeMap | None, failed: TransactionFailed) -> Exception:
    return _OtherStored(stored)
