"""Index keys of items: whole, as they are declared, or not at all.

An item that was stored before its model had an index, or another template for its keys, lacks keys that
the model would write today, or has others. A write that changes a part of such a key asks that the
rest of it is there; where it is not, all of it is written, from the item that was found.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs

from dynattrs.errors import MappingError
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Function,
    IsNone,
    Value,
    any_conditions,
    conjunctions,
)
from dynattrs.expressions.paths import stored_at
from dynattrs.expressions.updates import Action
from dynattrs.keys.discriminator import subclasses
from dynattrs.keys.kinds import is_other
from dynattrs.mapper.anything import native
from dynattrs.mapper.equality import alike
from dynattrs.operations.conditions import Worded, attribute_path
from dynattrs.operations.item_keys import key_in, readable_parts
from dynattrs.operations.refusals import ConditionFalse, Outdated
from dynattrs.operations.writing.as_read import dumped
from dynattrs.schema.model_info import ComputedKeys, ModelInfo, StoredForm, model_info
from dynattrs.schema.table import AttributeMap, AttributeValue, key_attributes_of
from dynattrs.schema.templates import Slot, Template

# --- What is stored, and what would be ----------------------------------------------------------


def rewritten(info: ModelInfo, item: AttributeMap) -> dict[str, AttributeValue | None]:
    """The index keys of an item that its model would write otherwise today, as it would; None for one
    that it would leave out.

    Raises:
        MappingError: The item cannot be read, or has no place in a key.
    """
    if not info.index_keys:
        return {}
    obj = info.mapper.load(item, info.cls)
    own = model_info(type(obj))
    written = dumped(own, obj)
    return {
        name: written.get(name)
        for name in own.index_keys
        if not alike(written.get(name), item.get(name), None)
    }


def rewriting(
    info: ModelInfo, item: AttributeMap, keys: Mapping[str, AttributeValue | None]
) -> tuple[list[Action], list[Condition]]:
    """What makes the *keys* of an item, and perhaps its discriminator, and the conditions that what they
    are made of is stored so.
    """
    assert info.keys is not None
    templates = info.keys.templates
    conditions = {
        slot.steps: as_stored(info, slot.steps, item)
        for name in keys.keys() & templates.keys()
        for slot in templates[name].slots
        if slot.steps not in readable_parts(info, item)
    }
    for name in keys.keys() - templates.keys():
        conditions[(name,)] = as_stored(info, (name,), item)
    return [set_key(info, name, value) for name, value in keys.items()], [*conditions.values()]


def set_key(info: ModelInfo, attribute: str, value: AttributeValue | None) -> Action:
    """The action that gives a key attribute its value, or takes it away."""
    path = attribute_path(info, (attribute,), attribute).path
    written = f"{attribute} follows"
    if value is None:
        return Action("REMOVE", path, None, written)
    return Action("SET", path, Value(value, value), written)


def as_stored(info: ModelInfo, steps: Sequence[str | int], item: AttributeMap) -> Condition:
    """The condition that a place is as it is in an item."""
    operand = attribute_path(info, (*steps,), ".".join(map(str, steps)))
    value = stored_at(item, steps)
    if value is None:
        return Function("attribute_not_exists", "not_exists", operand)
    stored = native(value)
    return Comparison("=", operand, Value(stored, stored))


# --- Updates, which know no item ----------------------------------------------------------------


class IndexKeyThere(Worded):
    """The condition that a part of an index key is there, which an update does not write."""


def the_rest(info: ModelInfo, written: Collection[str]) -> Iterator[IndexKeyThere]:
    """The conditions that the index keys that are *written* in part are there otherwise."""
    keys = info.keys
    if keys is None:
        return
    for attribute in _parts_of(info, written):
        if not _is_shared(info, attribute):
            continue
        template = keys.templates[attribute]
        operand = attribute_path(info, (attribute,), attribute)
        first = template.parts[0] if template.parts else None
        there: Condition
        if template.constant is not None:
            there = Comparison("=", operand, Value(template.constant, template.constant))
        elif isinstance(first, str):
            # Another template began otherwise, perhaps.
            there = Function("begins_with", "begins_with", operand, Value({"S": first}, first))
        else:
            there = Function("attribute_exists", "exists", operand)
        none = (found for slot in template.slots if (found := _is_none(info, slot)) is not None)
        asked = any_conditions((there, *none))
        yield IndexKeyThere(asked, f"that the index key {attribute} is there")


def _parts_of(info: ModelInfo, written: Collection[str]) -> list[str]:
    """The computed attributes of index keys with others *written* that are not."""
    found: dict[str, None] = {}
    for index in info.table.secondary_indexes:
        attributes = key_attributes_of(info.table, index)
        if not set(written).isdisjoint(attributes):
            found.update(dict.fromkeys(attributes))
    return [name for name in info.index_keys if name in found and name not in written]


def _is_shared(info: ModelInfo, attribute: str) -> bool:
    """Whether items of a model's subclasses have the same key there."""
    written = [each.keys.written for each in (info, *subclasses(info)) if each.keys is not None]
    return all(each.get(attribute) == written[0].get(attribute) for each in written)


def _is_none(info: ModelInfo, slot: Slot) -> Condition | None:
    """The condition that a slot's field is None, so that an item has no such key; None if it never is."""
    operand = attribute_path(info, slot.steps, slot.name)
    codec: StoredForm = info.mapper.model_codec(info.cls)
    for name in slot.name.split("."):
        if name in codec.sparse:
            return IsNone(operand)
        inner = (codec.fields or {}).get(name)
        if inner is None:
            return None
        codec = inner
    # Where it is absent, it is a default that is not None.
    null = Function("attribute_type", "attribute_type", operand, Value({"S": "NULL"}, "NULL"))
    return null if codec.optional else None


def check_whole(info: ModelInfo, asked: Condition | None, error: ConditionFalse) -> None:
    """Say so where a part of an index key was asked for that the item does not have yet.

    Raises:
        Outdated: It was.
    """
    if error.item and lacks(info, asked, error.item):
        raise Outdated(info, error.item) from error


def lacks(info: ModelInfo, asked: Condition | None, item: AttributeMap) -> bool:
    """Whether an item has not the index keys that its model would write, and they were asked for."""
    if asked is None or not any(isinstance(each, IndexKeyThere) for each in conjunctions((asked,))):
        return False
    with contextlib.suppress(MappingError):
        return not is_other(info, item) and bool(rewritten(info, item))
    return False


# --- Edits, which know what was read ------------------------------------------------------------


@attrs.frozen(eq=False)
class EditedKeys:
    """What an edit does to the keys of indexes.

    Attributes:
        info: The model.
        stored: The item as far as it is known.
        read: That as its model writes it.
        after: As it shall be, as far as the edit changes it.
        changed: The places that it changes.
    """

    info: ModelInfo
    stored: AttributeMap
    read: AttributeMap
    after: AttributeMap
    changed: Collection[tuple[str | int, ...]]
    #: The keys that are written.
    values: dict[str, AttributeValue | None] = attrs.field(factory=dict, init=False)
    #: What they rest on, by place.
    conditions: dict[tuple[str, ...], Condition] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        keys = self.info.keys
        if keys is None:
            return
        for name in self.info.index_keys:
            if self._is_changed((name,)) or any(
                self._is_changed(slot.steps) for slot in keys.templates[name].slots
            ):
                self._write(keys, keys.templates[name])
        written = {*self.values, *(str(steps[0]) for steps in self.changed)}
        for name in _parts_of(self.info, written):
            if alike(self.stored.get(name), self.read.get(name), None):
                self.conditions[(name,)] = as_stored(self.info, (name,), self.stored)
            else:
                self._write(keys, keys.templates[name])

    def _is_changed(self, steps: Sequence[str]) -> bool:
        for each in self.changed:
            shared = min(len(each), len(steps))
            if (*steps[:shared],) == each[:shared]:
                return True
        return False

    def _write(self, keys: ComputedKeys, template: Template) -> None:
        """Make a key of what changes, and of what is stored otherwise, which has to stay so."""
        parts = readable_parts(self.info, key_in(self.info, self.stored))
        item: AttributeMap = {}
        for steps, value in parts.items():
            put(item, steps, value)
        lacking = False
        for slot in template.slots:
            if slot.steps in parts:
                continue
            changed = self._is_changed(slot.steps)
            if not changed:
                self.conditions[slot.steps] = as_stored(self.info, slot.steps, self.stored)
            found = slot.stored(self.after if changed else self.read)
            if found is None:
                lacking = True
            else:
                put(item, slot.steps, found)
        self.values[template.attribute] = None if lacking else keys.value(template, item)


def put(item: AttributeMap, steps: Sequence[str], value: AttributeValue) -> None:
    """Put a value at a place in an item, with the maps around it."""
    place = item
    for step in steps[:-1]:
        place = place.setdefault(step, {"M": {}})["M"]
    place[steps[-1]] = value
