"""Edits: the difference between an object before and after, as one UpdateItem.

Both states are attribute maps, so in-place changes count (`tags.add`, `lines.append`, a nested
field), and what the model does not know stays as it is stored.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import ConditionError, ConditionFailed, MappingError, OutcomeUnknown
from dynattrs.expressions.conditions import Comparison, Condition, Value
from dynattrs.expressions.updates import Action
from dynattrs.mapper.carried import carried_by, carry, carry_on
from dynattrs.mapper.defaults import is_frozen as is_frozen_class
from dynattrs.mapper.equality import alike, inside
from dynattrs.mapper.upgrades import renewed
from dynattrs.operations.conditions import (
    exists,
    field_path,
    joined,
    of_kind,
    stored_today,
    version_is,
)
from dynattrs.operations.context import Core, is_frozen
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.item_keys import key_changed, key_in, own_key
from dynattrs.operations.refusals import ConditionFalse
from dynattrs.operations.writing import outcomes, updates
from dynattrs.operations.writing.as_read import MOST_TRIES, as_written, dumped, still
from dynattrs.operations.writing.encoding import Encoded, check_size, stamp, validate
from dynattrs.operations.writing.index_keys import EditedKeys
from dynattrs.operations.writing.places import Difference, Known, Places, Unlike
from dynattrs.operations.writing.prepared import Prepared
from dynattrs.operations.writing.settling import settle_edit
from dynattrs.operations.writing.spellings import SETS, Steps, place_at
from dynattrs.schema.model_info import IN_S3, ModelInfo, StoredForm, model_info
from dynattrs.schema.table import AttributeMap, AttributeValue

if TYPE_CHECKING:
    from dynattrs.operations.writing import unique_items, unique_writes
else:
    unique_items = deferred("dynattrs.operations.writing.unique_items")
    unique_writes = deferred("dynattrs.operations.writing.unique_writes")

#: Attributes and changes of an item that a condition holds: two operators and some 20 bytes each.
_MOST_GUARDED: Final = 130
#: Changed members of a list that are written one by one: some 20 bytes each, of the 4,096 of an expression.
_MOST_MEMBERS: Final = 100
_PLAIN: Final = frozenset({"S", "N", "B", "BOOL", "NULL"})


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
        held: The objects beside whose fields attributes are stored that no class knows, by their places.
    """

    info: ModelInfo
    obj: Any
    before: AttributeMap
    version: Condition | None
    guard: bool
    renews: bool = False
    held: Mapping[str, object] = attrs.field(factory=dict)


def begin(obj: Any, *, guard: bool) -> Edit:
    """Remember what *obj* is now.

    Raises:
        ModelError: It is not a model.
        ConditionError: It is frozen, so nothing could change.
        KeyChanged: It carries its key, which is another one now.
    """
    info = model_info(type(obj))
    if is_frozen(info):
        raise ConditionError(f"edit: {info.name} is frozen; use update(obj, set_(...))")
    base = carried_by(obj).base
    if base is None:
        own_key(info, obj)
        before = dumped(info, obj)
    else:
        # Of an edit that failed: it may have left behind what has no place in DynamoDB.
        before = {**base, **_version_of(info, obj)}
    held = holders(info, obj)
    return Edit(info, obj, before, version_is(info, obj), guard, held=held)


def between(
    old: Any, new: Any, *, held: Mapping[str, object], also: Condition | None = None
) -> Edit:
    """The edit that makes *new* of *old*, which is as it was read; of frozen classes as well. The version
    guards it; without one, what has changed must be stored as it was read.

    Args:
        old: An object, which stays as it is.
        new: Another object of its class. It takes over what no class knows of the item.
        held: The `holders` of the object that *new* was made of, as it was read.
        also: What must be true of the item besides.
    """
    info = model_info(type(old))
    if info.carries:
        carry(new, carried_by(old))
    version = version_is(info, old)
    return Edit(
        info, new, dumped(info, old), joined(version, also), guard=version is None, held=held,
    )  # fmt: skip


def _version_of(info: ModelInfo, obj: Any) -> AttributeMap:
    """An object's version as it is now: it may have been saved since an edit of it failed."""
    if info.version is None:
        return {}
    fields = info.mapper.model_codec(info.cls).fields or {}
    return {info.names[info.version]: fields[info.version].dump(getattr(obj, info.version))}


def failed(edit: Edit) -> None:
    """The changes were not stored: the next edit of the object still has to write them."""
    if edit.info.carries:
        carry(edit.obj, attrs.evolve(carried_by(edit.obj), base=edit.before))


@attrs.frozen(eq=False)
class Edited:
    """An edit whose block has ended, and what it does.

    Attributes:
        edit: The edit.
        after: The item as it shall be.
        changes: What differs, but for what the edit itself sets.
        own: That, such as the version and time stamps.
        encoded: The object with these.
        size: The item's bytes.
    """

    edit: Edit
    after: AttributeMap
    changes: Sequence[Difference]
    own: Sequence[Action]
    encoded: Encoded
    size: int

    @property
    def is_unique(self) -> bool:
        """Whether values that other items may not have are changed, or their time to live."""
        info = self.edit.info
        touched = (change.steps[0] for change in self.changes)
        return bool(info.guarding) and unique_items.concerns(info, touched)

    def prepared(self, core: Core, known: Known | None = None) -> Prepared:
        """The update of an item as far as it is known; None for no more than was read.

        Raises:
            Unlike: What the changes rest on is not as it was read.
        """
        edit = self.edit
        if known is None:
            known = Known.before(edit.before, carried_by(edit.obj).as_stored)
        return _prepared(core, edit, self.after, self.changes, self.own, known)

    def settle(self) -> None:
        """The service has said yes."""
        written = {change.steps[0] for change in self.changes}
        written.update(action.steps[0] for action in self.own)
        stored = carried_by(self.edit.obj).as_stored
        alone = {name: value for name, value in stored.items() if name not in written}
        self.encoded.settle()
        if alone:
            known = carried_by(self.edit.obj).as_stored
            carry_on(self.edit.obj, as_stored={**known, **alone})


def finish(core: Core, edit: Edit) -> Flow[None]:
    """Write what has changed since, if anything has.

    Raises:
        NoSuchItem: The item is gone; nothing is written.
        ConditionFailed: The version is another one, or a changed field is not as it was read.
        KeyChanged: The key was changed.
        MappingError: A value has no place in DynamoDB.
    """
    edited = ended(core, edit)
    if edited is not None:
        yield from send(core, edited)
        edited.settle()


def ended(core: Core, edit: Edit) -> Edited | None:
    """What an edit does at the end of its block; None for nothing.

    Raises:
        KeyChanged: The key was changed.
        MappingError: A value has no place in DynamoDB.
    """
    info, obj = edit.info, edit.obj
    after = dumped(info, obj)
    if edit.renews:
        after = renewed(info, edit.before, info.mapper.current(info, edit.before), after)
    if after != edit.before and core.saves_through_hooks(info) and not edit.renews:
        obj = core.before_save(info, obj)
        edit = attrs.evolve(edit, obj=obj)  # another one where it is frozen
        after = dumped(info, obj)
    if key_in(info, edit.before) != key_in(info, after):
        carried = carried_by(obj).key  # that one its template can read
        raise key_changed(info, edit.before if carried is None else carried.written, after)
    if not edit.renews:
        _check_version(info, edit.before, after)
    size = check_size(info, after)
    lost = carried_by(obj).lost
    changes = _differences(edit, after)
    if not changes:
        settle_edit(obj, carried_by(obj).as_stored)
        return None
    if not edit.renews:
        _check_lost(edit, lost, changes)
        validate(info, obj, {str(change.steps[0]) for change in changes})
    encoded = Encoded(info, obj, after)
    if not edit.renews:
        stamp(core, encoded)
    if info.keys is not None:
        # Time stamps may be part of index keys.
        changes = _differences(edit, after)
    # What the edit itself sets, such as a time stamp, is not set to something else as well.
    own = {info.names[name] for name in encoded.moves}
    changes = [change for change in changes if change.steps[0] not in own]
    own_actions = [
        Action("SET", field_path(info, name).path, _stored(after[info.names[name]]), name)
        for name in encoded.moves
    ]
    return Edited(edit, after, changes, own_actions, encoded, size)


def send(core: Core, edited: Edited) -> Flow[None]:
    """Send the update of an edit: once more where the item has what was read in another form, or lacks what
    the changes are in.
    """
    edit, prepared, unique = edited.edit, edited.prepared(core), edited.is_unique
    for left in reversed(range(MOST_TRIES)):
        try:
            if unique:
                yield from unique_writes.edit(core, prepared, edit.before, edited.after)
            else:
                yield from updates.send(core, prepared)
        except ConditionFailed as refused:
            known = yield from _found(core, edit, refused)
            try:
                again = edited.prepared(core, known)
            except Unlike:
                raise refused from refused.__cause__
            if not left or again.is_like(prepared):
                raise
            prepared = again
        except OutcomeUnknown as error:
            if not _was_applied(edit, prepared, error):
                raise
            return
        else:
            return


def _prepared(
    core: Core,
    edit: Edit,
    after: AttributeMap,
    changes: Sequence[Difference],
    own: Sequence[Action],
    known: Known,
) -> Prepared:
    """The update of an item as far as it is known.

    Raises:
        Unlike: What they rest on is not as it was read.
    """
    info = edit.info
    # Today's fields must not be written into an older item.
    current = None if edit.renews else stored_today(info)
    for roughly in (False, True):
        placed, rests_on = _placed(edit, after, changes, own, known, roughly=roughly)
        actions = [*(_action(info, change) for change in placed), *own]
        asked = joined(edit.version, rests_on)
        prepared = Prepared(
            core.table_name(info.table), info, key_in(info, edit.before), actions, actions,
            edit.version, asked, joined(exists(info), of_kind(info, key=edit.before), current, asked),
            renews=edit.renews, tries=MOST_TRIES,  # here, where the changes go along
        )  # fmt: skip
        with contextlib.suppress(ConditionError):  # it is too long
            prepared.under()
            break
    return prepared


def _placed(
    edit: Edit,
    after: AttributeMap,
    changes: Sequence[Difference],
    own: Sequence[Action],
    known: Known,
    *,
    roughly: bool,
) -> tuple[Sequence[Difference], Condition | None]:
    """The changes as they are written, and the condition that what they rest on is so.

    Where an item is brought up to date, anything in it may be made of all the rest, so all of it is
    asked. An item of very many attributes has no place in an expression: of that, the changes are.

    Raises:
        Unlike: It is not.
    """
    info, before = edit.info, edit.before
    new = [change for change in changes if len(change.steps) == 1 and change.before is None]
    if edit.renews and len(before) + len(new) <= _MOST_GUARDED:
        whole = [
            Comparison("=", place_at(info, (name,)), _stored(value))
            for name, value in before.items()
            if name not in info.table.key
        ]
        absent = [still(edit.obj, place_at(info, change.steps), None) for change in new]
        return changes, joined(*whole, *absent)
    # Computed keys were not read: what they are made of is guarded.
    computed = () if info.keys is None else info.keys.attributes
    places = Places(info, before, after, known, edit.guard, roughly)
    for change in changes:
        if change.steps[0] not in info.index_keys:
            places.add(change, guarded=change.steps[0] not in computed)
    changed = {*(change.steps for change in changes), *(action.steps for action in own)}
    read = after if edit.renews else known.read
    keys = EditedKeys(info, known.stored, read, after, changed)
    followed = [
        Difference((name,), "REMOVE" if value is None else "SET", value, known.stored.get(name))
        for name, value in keys.values.items()
    ]
    for steps, asked in keys.conditions.items():
        places.conditions.setdefault(("as read", steps), asked)
    return [*places.changes.values(), *followed], joined(*places.conditions.values())


def _found(core: Core, edit: Edit, refused: ConditionFailed) -> Flow[Known]:
    """What is stored, after a refusal.

    Raises:
        ConditionFailed: It is gone, or cannot be read; or an item is brought up to date, of which all
            that is stored was known.
    """
    if edit.renews:
        raise refused
    info, cause = edit.info, refused.__cause__
    item = cause.item if isinstance(cause, ConditionFalse) else None
    if not item:
        table, key = core.table_name(info.table), key_in(info, edit.before)
        reading = {"TableName": table, "Key": key, "ConsistentRead": True}
        item = (yield Call("get_item", reading)).get("Item")
    read = None if item is None else as_written(core, info, item)
    if item is None or read is None:
        raise refused
    return Known(item, read, carried_by(edit.obj).as_stored)


def _was_applied(edit: Edit, prepared: Prepared, error: OutcomeUnknown) -> bool:
    """Whether an item that was found after a lost reply is as the edit makes it. With a guard another
    else may have written the same, who counted on it as well.
    """
    found = error.__cause__.item if isinstance(error.__cause__, ConditionFalse) else None
    if not found or edit.guard or edit.version is not None:
        return False
    return outcomes.is_done(prepared.done, found)


def _check_version(info: ModelInfo, before: AttributeMap, after: AttributeMap) -> None:
    stored = info.names.get(info.version or "")
    if stored is not None and before.get(stored) != after.get(stored):
        raise ConditionError(
            f"edit: {info.name}.{info.version} is the version, and was changed inside the block: by "
            f"an assignment, or because the object was saved or refreshed there; the edit raises it"
        )


# --- Differences --------------------------------------------------------------------------------


def _differences(edit: Edit, after: AttributeMap) -> list[Difference]:
    codec = edit.info.mapper.model_codec(edit.info.cls)
    wary = bool(carried_by(edit.obj).lost)
    return list(_changes(edit.before, after, (), codec, wary=wary))


def _changes(
    before: AttributeMap, after: AttributeMap, steps: Steps, codec: StoredForm | None, *, wary: bool
) -> Iterator[Difference]:
    """The differences of two maps. Where attributes are inside that no class knows (*wary*), what has
    moved here from another place is one whole change: those attributes have not moved along.
    """
    for name in before.keys() - after.keys():
        # An empty set field is not stored: others may have put members into it that were not read.
        empty = _is_never_absent(inside(codec, name)) and _is_set(before[name])
        yield Difference((*steps, name), "REMOVE", None, before[name], of_members=empty)
    for name, value in after.items():
        own = inside(codec, name)
        if name not in before:
            joins = own is not None and own.is_set and _is_set(value)
            yield Difference((*steps, name), "SET", value, None, of_members=joins)
        elif wary and before[name] != value and _is_among(value, before.values()):
            yield Difference((*steps, name), "SET", value, before[name])
        else:
            yield from _change(before[name], value, (*steps, name), own, wary=wary)


def _is_never_absent(codec: StoredForm | None) -> bool:
    """Whether it is that of a set field whose absence is the empty set."""
    return codec is not None and codec.is_set and not codec.optional


def _is_set(value: AttributeValue) -> bool:
    """Whether it may be stored for a set."""
    return any(tag in value for tag in (*SETS, "L"))


def _is_among(value: AttributeValue, values: Iterable[AttributeValue]) -> bool:
    # Nothing can have moved along in one that is empty.
    return bool(value.get("M") or value.get("L")) and value in values


def _change(
    before: AttributeValue,
    after: AttributeValue,
    steps: Steps,
    codec: StoredForm | None,
    *,
    wary: bool,
) -> Iterator[Difference]:
    if before == after:
        return
    if codec is not None and codec.is_set and alike(before, after, codec):
        return  # in another order
    if codec is not None and codec.packed == IN_S3:
        if not alike(before, after, codec):
            yield Difference(steps, "SET", after, before)
        return
    ((tag_before, was),) = before.items()
    ((tag, now),) = after.items()
    if codec is not None and codec.is_set and _is_set(after):
        was_set = _is_set(before) or "NULL" in before
        yield Difference(steps, "SET", after, before, of_members=was_set)
    elif tag == tag_before == "M":
        yield from _changes(was, now, steps, codec, wary=wary)
    elif tag == tag_before == "L" and len(was) == len(now) and not _is_another(was, now):
        for position, (one, other) in enumerate(zip(was, now, strict=True)):
            if wary and one != other and _is_among(other, was):
                yield Difference((*steps, position), "SET", other, one)
            else:
                own = inside(codec, position)
                yield from _change(one, other, (*steps, position), own, wary=wary)
    elif tag == tag_before and tag in SETS:
        if set(was) != set(now):
            yield Difference(steps, "SET", after, before, of_members=True)
    else:
        yield Difference(steps, "SET", after, before)


def _is_another(was: Sequence[AttributeValue], now: Sequence[AttributeValue]) -> bool:
    """Whether too much of a list has changed for an expression that names each member: an embedding
    that was made again. Only of plain values, inside which there is nothing to keep.
    """
    return (
        len(now) > _MOST_MEMBERS
        and sum(map(operator.ne, was, now)) > _MOST_MEMBERS
        and all(each.keys() <= _PLAIN for each in (*was, *now))
    )


def _check_lost(edit: Edit, lost: Sequence[str], changes: list[Difference]) -> None:
    """Refuse to replace a value inside which there are attributes that no class knows: also where the new
    one differs in some fields only, so that these attributes would be found beside it.
    """
    if not lost:
        return
    info = edit.info
    now = holders(info, edit.obj)
    others = [each for each, held in edit.held.items() if now.get(each, held) is not held]
    for change in changes:
        where, exact = _place(info, change.steps)
        for place in lost:
            if any(_is_inside(where, each) and _is_inside(place, each) for each in others):
                raise _erased(where, place)
        if change.before is None or (not exact and change.before.keys().isdisjoint(("M", "L"))):
            continue  # nothing is inside what is replaced
        for place in lost:
            if place != where and _is_inside(place, where):
                raise _erased(where, place)


def _is_inside(place: str, outer: str) -> bool:
    rest = place[len(outer) :]
    return place.startswith(outer) and (not rest or rest.startswith((".", "[", "{")))


def _erased(where: str, place: str) -> MappingError:
    return MappingError(
        where,
        "a value whose nested attributes are all known",
        f"an unknown one at {place}",
        hint="replacing or moving it would erase that; change fields inside it, use "
        "update(...), or add the field to the nested class",
    )


def holders(info: ModelInfo, obj: object) -> dict[str, object]:
    """The objects inside *obj* beside which attributes were stored that no class knows, by their places.

    One that cannot change is replaced where a field of it is meant, so it is left out.
    """
    return dict(_holders(info, obj))


def _holders(info: ModelInfo, obj: object) -> Iterator[tuple[str, object]]:
    lost = carried_by(obj).lost

    def inside_of(codec: StoredForm, value: Any, text: str) -> Iterator[tuple[str, object]]:
        if value is None or codec.is_set or not any(_is_inside(each, text) for each in lost):
            return
        if codec.fields:
            if not isinstance(value, Mapping):
                if not (isinstance(value, tuple) or is_frozen_class(type(value))):
                    yield text, value
                value = {name: getattr(value, name, None) for name in codec.fields}
            for name, form in codec.fields.items():
                yield from inside_of(form, value.get(name), f"{text}.{name}")
        elif codec.element is not None:
            for step, each in _members(codec, value):
                yield from inside_of(codec.element, each, f"{text}[{step!r}]")

    if lost:
        codec = info.mapper.model_codec(info.cls)
        for name, form in (codec.fields or {}).items():
            yield from inside_of(form, getattr(obj, name, None), f"{info.name}.{name}")


def _members(codec: StoredForm, value: Any) -> Iterable[tuple[object, object]]:
    if not isinstance(value, Mapping):
        return enumerate(value)
    if codec.key is None:
        return value.items()
    return [(next(iter(codec.key.dump(name).values())), each) for name, each in value.items()]


def _place(info: ModelInfo, steps: Steps) -> tuple[str, bool]:
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


def _action(info: ModelInfo, change: Difference) -> Action:
    value = None if change.value is None else _stored(change.value)
    return Action(change.clause, place_at(info, change.steps).path, value, str(change.steps))
