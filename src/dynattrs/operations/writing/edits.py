"""Edits: the difference between an object before and after, as one UpdateItem.

Both states are attribute maps, so in-place changes count (`tags.add`, `lines.append`, a nested
field), and what the model does not know stays as it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import ConditionError, MappingError
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    PathOperand,
    Value,
)
from dynattrs.expressions.paths import Path, PathData
from dynattrs.expressions.updates import Action
from dynattrs.mapper.carried import carried_by, carry, carry_on
from dynattrs.operations.conditions import (
    attribute_path,
    exists,
    field_path,
    joined,
    of_kind,
    up_to_date,
    version_is,
)
from dynattrs.operations.context import Core, is_frozen
from dynattrs.operations.flows import Flow
from dynattrs.operations.item_keys import key_changed, key_in, own_key
from dynattrs.operations.writing import updates
from dynattrs.operations.writing.as_read import dumped, still
from dynattrs.operations.writing.encoding import Encoded, check_size, settle_edit, stamp
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap, AttributeValue

if TYPE_CHECKING:
    from dynattrs.operations.writing import unique_items, unique_writes
else:
    unique_items = deferred("dynattrs.operations.writing.unique_items")
    unique_writes = deferred("dynattrs.operations.writing.unique_writes")

_SETS = ("SS", "NS", "BS")

#: Attributes and changes of an item that a condition holds: two operators and some 20 bytes each.
_MOST_GUARDED: Final = 130


@attrs.frozen(eq=False)
class Edit:
    """An object that is being edited, and what it was before.

    Attributes:
        info: Its model.
        obj: The object.
        before: What is stored, as far as is known.
        version: The condition that the stored version is the object's.
        guard: Whether what has changed must be stored as it was read.
        renews: Whether it is only brought up to date: hooks, version and time stamps are left out.
    """

    info: ModelInfo
    obj: Any
    before: AttributeMap
    version: Condition | None
    guard: bool
    renews: bool = False


def begin(obj: Any, *, guard: bool) -> Edit:
    """Remember what *obj* is now.

    Raises:
        ModelError: It is no model.
        ConditionError: It is frozen, so nothing could change.
        KeyChanged: It carries its key, which is another one now.
    """
    info = model_info(type(obj))
    if is_frozen(info):
        raise ConditionError(f"edit: {info.name} is frozen; use update(obj, set_(...))")
    own_key(info, obj)
    before, base = dumped(info, obj), carried_by(obj).base
    if base is not None:
        # The version is what it is now: the object may have been saved since.
        version = info.names.get(info.version or "")
        before = {**base, **{name: value for name, value in before.items() if name == version}}
    return Edit(info, obj, before, version_is(info, obj), guard)


def failed(edit: Edit) -> None:
    """The changes were not stored: the next edit of the object still has to write them."""
    if edit.info.carries:
        carry(edit.obj, attrs.evolve(carried_by(edit.obj), base=edit.before))


def finish(core: Core, edit: Edit) -> Flow[None]:
    """Write what has changed since, if anything has.

    Raises:
        NoSuchItem: The item is gone; nothing is written.
        ConditionFailed: The version is another one, or a changed field is not as it was read.
        KeyChanged: The key was changed.
        MappingError: A value has no place in DynamoDB.
    """
    info, obj = edit.info, edit.obj
    after = dumped(info, obj)
    if after != edit.before and core.saves_through_hooks(info) and not edit.renews:
        core.before_save(info, obj)
        after = dumped(info, obj)
    if key_in(info, edit.before) != key_in(info, after):
        raise key_changed(info, edit.before, after)
    if edit.renews:
        _keep_stamps(info, edit.before, after)
    else:
        _check_version(info, edit.before, after)
    check_size(info, after)
    lost = carried_by(obj).lost
    changes = list(_changes(edit.before, after, (), wary=bool(lost)))
    if not changes:
        settle_edit(obj, carried_by(obj).as_stored)
        return
    _check_lost(info, lost, changes)
    encoded = Encoded(info, obj, after)
    if not edit.renews:
        stamp(core, encoded)
    if info.keys is not None:
        # Time stamps may be part of index keys.
        changes = list(_changes(edit.before, after, (), wary=bool(lost)))
    # What the edit itself sets, such as a time stamp, is not set to something else as well.
    own = {info.names[name] for name in encoded.moves}
    changes = [change for change in changes if change.steps[0] not in own]
    actions = [_action(info, change) for change in changes]
    actions += [
        Action("SET", field_path(info, name).path, _stored(after[info.names[name]]), name)
        for name in encoded.moves
    ]
    asked = joined(edit.version, _still_as_read(info, edit, changes))
    # Today's fields must not be written into an older item.
    current = up_to_date(info) if info.evolves and not edit.renews else None
    prepared = updates.Prepared(
        core.table_name(info.table), info, key_in(info, after), actions, actions, edit.version,
        asked, joined(exists(info), of_kind(info), current, asked), renews=edit.renews,
    )  # fmt: skip
    if info.guarding and unique_items.concerns(info, (change.steps[0] for change in changes)):
        yield from unique_writes.edit(core, prepared, edit.before, after)
    else:
        yield from updates.send(core, prepared)
    written = {change.steps[0] for change in changes} | own
    alone = {
        name: value for name, value in carried_by(obj).as_stored.items() if name not in written
    }
    encoded.settle()
    if alone:
        carry_on(obj, as_stored=alone)


def _keep_stamps(info: ModelInfo, before: AttributeMap, after: AttributeMap) -> None:
    """Leave version and time stamps as they are stored, or absent."""
    for name in (info.version, info.created, info.updated):
        stored = info.names.get(name or "")
        if stored is None:
            continue
        if stored in before:
            after[stored] = before[stored]
        else:
            after.pop(stored, None)


def _check_version(info: ModelInfo, before: AttributeMap, after: AttributeMap) -> None:
    stored = info.names.get(info.version or "")
    if stored is not None and before.get(stored) != after.get(stored):
        raise ConditionError(
            f"edit: {info.name}.{info.version} is the version, and was changed inside the block: by "
            f"an assignment, or because the object was saved or refreshed there; the edit raises it"
        )


# --- Differences --------------------------------------------------------------------------------


@attrs.frozen
class Difference:
    """One difference.

    Attributes:
        steps: Where, from the item inwards.
        clause: `SET`, `REMOVE`, or for members of a set `ADD` or `DELETE`.
        value: The operand; None for a removal.
        before: What is stored there as far as was read; None if nothing.
    """

    steps: tuple[str | int, ...]
    clause: Any
    value: AttributeValue | None
    before: AttributeValue | None


def _changes(
    before: AttributeMap, after: AttributeMap, steps: tuple[str | int, ...], *, wary: bool
) -> Iterator[Difference]:
    """The differences of two maps. Where attributes are inside that nobody knows (*wary*), what has
    moved here from another place is one whole change: those attributes have not moved along.
    """
    for name in before.keys() - after.keys():
        yield Difference((*steps, name), "REMOVE", None, before[name])
    for name, value in after.items():
        if name not in before:
            yield Difference((*steps, name), "SET", value, None)
        elif wary and before[name] != value and _is_among(value, before.values()):
            yield Difference((*steps, name), "SET", value, before[name])
        else:
            yield from _change(before[name], value, (*steps, name), wary=wary)


def _is_among(value: AttributeValue, values: Iterable[AttributeValue]) -> bool:
    return ("M" in value or "L" in value) and value in values


def _change(
    before: AttributeValue, after: AttributeValue, steps: tuple[str | int, ...], *, wary: bool
) -> Iterator[Difference]:
    if before == after:
        return
    ((tag_before, was),) = before.items()
    ((tag, now),) = after.items()
    if tag == tag_before == "M":
        yield from _changes(was, now, steps, wary=wary)
    elif tag == tag_before == "L" and len(was) == len(now):
        for position, (one, other) in enumerate(zip(was, now, strict=True)):
            if wary and one != other and _is_among(other, was):
                yield Difference((*steps, position), "SET", other, one)
            else:
                yield from _change(one, other, (*steps, position), wary=wary)
    elif tag == tag_before and tag in _SETS:
        yield from _set_change(before, after, steps, tag)
    else:
        yield Difference(steps, "SET", after, before)


def _set_change(
    before: AttributeValue, after: AttributeValue, steps: tuple[str | int, ...], tag: str
) -> Iterator[Difference]:
    was, now = set(before[tag]), set(after[tag])
    added, removed = sorted(now - was), sorted(was - now)
    # ADD and DELETE work on top-level attributes, and only one of them on each.
    if len(steps) > 1 or (added and removed):
        yield Difference(steps, "SET", after, before)
    elif added:
        yield Difference(steps, "ADD", {tag: added}, before)
    elif removed:
        yield Difference(steps, "DELETE", {tag: removed}, before)


def _check_lost(info: ModelInfo, lost: Sequence[str], changes: list[Difference]) -> None:
    """Refuse to replace a value inside which there are attributes that nobody knows."""
    if not lost:
        return
    for change in changes:
        where, exact = _place(info, change.steps)
        if change.before is None or (not exact and change.before.keys().isdisjoint(("M", "L"))):
            continue  # nothing is inside what is replaced
        for place in lost:
            if place.startswith(where) and place[len(where) :].startswith((".", "[", "{")):
                raise MappingError(
                    where,
                    "a value whose nested attributes are all known",
                    f"an unknown one at {place}",
                    hint="replacing or moving it would erase that; change fields inside it, use "
                    "update(...), or add the field to the nested class",
                )


def _place(info: ModelInfo, steps: tuple[str | int, ...]) -> tuple[str, bool]:
    """Where a change is, as the mapper names places, and whether that is exact. Inside a tuple or a
    union of classes it is the last place around it that has a name.
    """
    codec: Any = info.mapper.model_codec(info.cls)
    text = info.name
    for step in steps:
        if codec.fields:
            names = {codec.names[each]: each for each in codec.fields}
            if step not in names:
                return text, False
            text, codec = f"{text}.{names[step]}", codec.fields[names[step]]
        elif codec.element is not None:
            text, codec = f"{text}[{step!r}]", codec.element
        else:
            return text, False
    return text, True


def _stored(value: AttributeValue) -> Value:
    return Value(value, value)


def _path(info: ModelInfo, steps: tuple[str | int, ...]) -> Path:
    def no_form() -> Any:
        raise LookupError("this path is rendered only")

    return Path(PathData(info.cls, steps, _label(info, steps), no_form))


def _label(info: ModelInfo, steps: tuple[str | int, ...]) -> str:
    by_attribute = {stored: name for name, stored in info.names.items()}
    text = f"{info.name}.{by_attribute.get(str(steps[0]), steps[0])}"
    return text + "".join(f"[{step!r}]" for step in steps[1:])


def _action(info: ModelInfo, change: Difference) -> Action:
    value = None if change.value is None else _stored(change.value)
    return Action(change.clause, _path(info, change.steps), value, str(change.steps))


def _still_as_read(info: ModelInfo, edit: Edit, changes: Sequence[Difference]) -> Condition | None:
    """The condition that what is written rests on what is stored.

    Where an item is brought up to date, anything in it may be made of all the rest, so all of it is
    asked. An item of very many attributes has no place in an expression: of that, the changes are.
    """
    before = edit.before
    new = [change for change in changes if len(change.steps) == 1 and change.before is None]
    if edit.renews and len(before) + len(new) <= _MOST_GUARDED:
        known = [
            Comparison("=", attribute_path(info, (name,), name), _stored(value))
            for name, value in before.items()
            if name not in info.table.key
        ]
        return joined(*known, *(_as_read(edit, change) for change in new))
    if not edit.guard:
        return None
    # Of computed keys nobody has read anything: what they are made of is guarded.
    computed = () if info.keys is None else info.keys.attributes
    read = [change for change in changes if change.steps[0] not in computed]
    return joined(*(_as_read(edit, change) for change in read))


def _as_read(edit: Edit, change: Difference) -> Condition:
    """The condition that the place of a change is still as it was read."""
    return still(edit.obj, PathOperand(_path(edit.info, change.steps)), change.before)
