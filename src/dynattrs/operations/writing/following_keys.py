"""Moves: keys that follow the fields that they are made of.

An update of a field that is part of an index key rewrites that key in the same expression; without it
the index would go on saying what no longer is. The service cannot make text of fields, so all of the
key's fields must be known: from the actions, from the primary key, or from the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from dynattrs.errors import (
    ConditionError,
    StaleKey,
)
from dynattrs.expressions.computed import IfNotExists
from dynattrs.expressions.conditions import (
    Condition,
    IsNone,
    Value,
)
from dynattrs.expressions.updates import Action
from dynattrs.keys.discriminator import subclasses
from dynattrs.mapper.carried import carried_by
from dynattrs.operations.conditions import attribute_path, joined
from dynattrs.operations.item_keys import readable_parts
from dynattrs.operations.writing.as_read import dumped, still
from dynattrs.operations.writing.index_keys import put, set_key, the_rest
from dynattrs.schema.model_info import ComputedKeys, ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue
from dynattrs.schema.templates import Slot, Template, value_at

if TYPE_CHECKING:
    pass

R = TypeVar("R")

#: How the action is called that sets `created`.
CREATED: Final = "the time stamp created"


@attrs.frozen
class Following:
    """What an update does besides what was asked for.

    Attributes:
        actions: For the key attributes that follow.
        still: The condition that what was taken from the object is still so; None if nothing was.
    """

    actions: tuple[Action, ...] = ()
    still: Condition | None = None


def check_key_untouched(info: ModelInfo, action: Action) -> None:
    """Refuse an action on what makes the primary key.

    Raises:
        ConditionError: It says what to do.
    """
    keys = info.keys
    if keys is None:
        return
    for template, slot in keys.following(action.steps):
        if template.attribute in info.table.key:
            raise ConditionError(
                f"{action}: {info.name}.{slot} is part of the key {template.attribute}="
                f"{template.written!r}, which never changes; write session.move(old, new), or "
                f"t.move(old, new) in a transaction, which saves the object under its new key and "
                f"deletes the old item"
            )
    for other in subclasses(info):
        if other.keys is None or other.keys.written == keys.written:
            continue
        for template, slot in other.keys.following(action.steps):
            if keys.written.get(template.attribute) != template.written:
                raise ConditionError(
                    f"{action}: the items of {other.name} have another key with {slot!r} "
                    f"({template.attribute}={template.written!r}) than those of {info.name}; update "
                    f"{other.name}"
                )


def following(info: ModelInfo, key: AttributeMap, obj: Any, actions: Sequence[Action]) -> Following:
    """What has to change along with what *actions* change.

    Args:
        info: The model.
        key: The item's primary key.
        obj: The object that is updated, or None where only its key was given.
        actions: All actions, those for time stamps too.

    Raises:
        StaleKey: A field of a key is not known.
        ConditionError: A field of a key would be computed by the service.
    """
    keys = info.keys
    if keys is None:
        return Following()
    known = _Known(info, keys, key, obj, actions)
    found: list[Action] = []
    for template in keys.templates.values():
        if template.attribute in info.table.key:
            continue
        touched = [each for each in actions if _touches(template, each)]
        if touched:
            found.append(known.follow(template, touched[0]))
    written = {str(each.steps[0]) for each in (*actions, *found)}
    return Following(tuple(found), joined(*known.taken.values(), *the_rest(info, written)))


def _touches(template: Template, action: Action) -> bool:
    if _only_once(action):
        return False
    steps = action.steps
    for slot in template.slots:
        shared = min(len(slot.steps), len(steps))
        if slot.steps[:shared] == steps[:shared]:
            return True
    return False


def _only_once(action: Action) -> bool:
    """Whether an action sets `created`, which of an item that is there changes nothing."""
    return isinstance(action.value, IfNotExists) and action.written == CREATED


def keeps_out(info: ModelInfo, action: Action) -> bool:
    """Whether an action would give an item that has no `created` one, and not the index keys made of it:
    nothing tells which it was.
    """
    if not _only_once(action) or info.keys is None:
        return False
    templates = (info.keys.templates[name] for name in info.index_keys)
    return any(template.uses(str(action.steps[0])) for template in templates)


class _Known:
    """The fields of an item as far as they are known, and where from."""

    def __init__(
        self,
        info: ModelInfo,
        keys: ComputedKeys,
        key: AttributeMap,
        obj: Any,
        actions: Sequence[Action],
    ) -> None:
        self._info = info
        self._keys = keys
        self._key = key
        self._actions = actions
        carried = carried_by(obj).key
        self._parts = readable_parts(info, key if carried is None else carried.written)
        self._obj = obj
        self._stored = None if obj is None else dumped(info, obj)
        #: What was taken from the object: conditions that it is still so, by place.
        self.taken: dict[tuple[str, ...], Condition] = {}
        #: The item as it will be, as far as templates need it.
        self.item: AttributeMap = {}
        for steps, value in self._parts.items():
            put(self.item, steps, value)

    def of_key(self, slot: Slot) -> AttributeValue | None:
        return self._parts.get(slot.steps)

    def follow(self, template: Template, because: Action) -> Action:
        """The action that gives a key attribute its new value, or takes it away."""
        unknown: list[Slot] = []
        for slot in template.slots:
            action = self._acting_on(slot)
            if action is not None:
                value = self._acted(template, slot, action)
            elif self.of_key(slot) is not None:
                continue
            elif self._stored is not None:
                value = slot.stored(self._stored)
            else:
                unknown.append(slot)
                continue
            if value is None:
                # Whatever the others are: the item leaves the index.
                if action is None:
                    self._take(slot)
                return self.set_to(template, None)
            put(self.item, slot.steps, value)
        if unknown:
            raise self._stale(template, unknown, because)
        for slot in template.slots if self._stored is not None else ():
            if self._acting_on(slot) is None and self.of_key(slot) is None:
                self._take(slot)
        return self.set_to(template, self._keys.value(template, self.item))

    def _acting_on(self, slot: Slot) -> Action | None:
        for action in self._actions:
            if slot.steps[: len(action.steps)] == action.steps and not _only_once(action):
                return action
        return None

    def _acted(self, template: Template, slot: Slot, action: Action) -> AttributeValue | None:
        if action.clause == "REMOVE":
            return None
        if action.clause == "SET" and isinstance(action.value, Value):
            rest = slot.steps[len(action.steps) :]
            stored = action.value.stored
            return value_at(stored.get("M", {}), rest) if rest else value_at({"": stored}, ("",))
        raise ConditionError(
            f"{action}: {self._info.name}.{slot.name} is part of the key {template.attribute}="
            f"{template.written!r}, and the value that the service computes is not known in advance; set a "
            f"value, or read the item and use edit(...)"
        )

    def _take(self, slot: Slot) -> None:
        """Demand that what was taken from the object is still so."""
        label = f"{self._info.name}.{slot.name}"
        operand = attribute_path(self._info, slot.steps, label)
        value = slot.stored(self._stored or {})
        self.taken[slot.steps] = (
            IsNone(operand) if value is None else still(self._obj, operand, value)
        )

    def set_to(self, template: Template, value: AttributeValue | None) -> Action:
        return set_key(self._info, template.attribute, value)

    def _stale(self, template: Template, unknown: Sequence[Slot], because: Action) -> StaleKey:
        names = " and ".join(f"{self._info.name}.{slot.name}" for slot in unknown)
        return StaleKey(
            f"{because} changes the key {template.attribute}={template.written!r} of an index, which "
            f"also needs {names}; set that in the same update, or give the object: update(obj, ...)",
            tuple(slot.name for slot in unknown),
        )
