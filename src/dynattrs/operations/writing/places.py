"""The places of an edit: where each of its changes is written, and what has to be stored there.

A position says which element of a list is meant as long as the list is as it was read, and a name
inside a map needs the map. So each change is asked for what it rests on: the element of a list that
it is in, and the map around it. A refusal brings the item. Where that says the same in another form
(other spellings, attributes that no class knows, a map that it lacks because it is older than the
field, which reads as its default), the changes are written once more, as that item needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Function,
    PathOperand,
    Size,
    Value,
)
from dynattrs.expressions.paths import stored_at
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.mapper.anything import native
from dynattrs.mapper.equality import alike
from dynattrs.operations.conditions import attribute_path
from dynattrs.operations.writing.as_read import codec_at
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

#: From the item inwards: names in maps, positions in lists.
Steps: TypeAlias = "tuple[str | int, ...]"
#: What an edit does at a place.
Clause: TypeAlias = Literal["SET", "REMOVE", "ADD", "DELETE"]

_MAP: Final = Value({"S": "M"}, "M")


@attrs.frozen
class Difference:
    """One difference.

    Attributes:
        steps: Where, from the item inwards.
        clause: `SET`, `REMOVE`, or for members of a set `ADD` or `DELETE`.
        value: The operand; None for a removal.
        before: What is stored there as far as was read; None if nothing.
    """

    steps: Steps
    clause: Clause
    value: AttributeValue | None
    before: AttributeValue | None


class Unlike(Exception):
    """What is stored says something else than what was read."""


@attrs.frozen(eq=False, repr=False)
class Worded(Condition):
    """A condition on what is stored, which messages call by its meaning."""

    asked: Condition
    written: str

    def render(self, placeholders: Placeholders) -> str:
        return self.asked.render(placeholders)

    def __str__(self) -> str:
        return self.written


@attrs.frozen(eq=False)
class Known:
    """An item as far as it is known.

    Attributes:
        stored: As it is stored.
        read: As its model writes what it reads there.
        told: Attributes of which the object knows how they were stored, None for absent ones.
    """

    stored: AttributeMap
    read: AttributeMap
    told: Mapping[str, AttributeValue | None]

    @classmethod
    def before(cls, read: AttributeMap, told: Mapping[str, AttributeValue | None]) -> Known:
        """What is known of an item that was read, before anything is asked."""
        stored = {**read, **told}
        return cls({name: value for name, value in stored.items() if value is not None}, read, told)


@attrs.define(eq=False)
class Places:
    """What the changes of an edit become, of an item that is known.

    Attributes:
        info: The model.
        before: The item as the model writes it, as it was read.
        after: As it shall be.
        known: What is stored.
        guard: Whether what changes must be as it was read, wherever it is.
        roughly: Whether whole lists are asked for, and the maps at the top only: expressions have limits.
    """

    info: ModelInfo
    before: AttributeMap
    after: AttributeMap
    known: Known
    guard: bool
    roughly: bool = False
    #: By their places: a change takes the place of those inside it.
    changes: dict[Steps, Difference] = attrs.field(factory=dict, init=False)
    conditions: dict[tuple[str, Steps], Condition] = attrs.field(factory=dict, init=False)

    def add(self, change: Difference, *, guarded: bool) -> None:
        """Take a change in.

        Args:
            change: A difference of `before` and `after`.
            guarded: Whether a guard holds for it.

        Raises:
            Unlike: What it rests on is not as it was read.
        """
        steps, guard = change.steps, guarded and self.guard
        place, element = self._missing(steps), self._element(steps)
        if place is not None:
            # Written whole, as the default that was read and then changed.
            change = Difference(
                place, "SET", stored_at(self.after, place), stored_at(self.before, place)
            )
        if element is not None and (place is None or len(place) >= len(element)):
            place = element
            if guard:
                self._ask_length(self._list_of(element))
        if place is not None:
            self._ask_as_read(place)
        else:
            if guard:
                self._ask_as_read(steps)
            if len(steps) > 1 and not (guard and stored_at(self.known.stored, steps)):
                self._ask_map(steps[: 1 if self.roughly else -1])
        self.changes[change.steps] = change

    def _element(self, steps: Steps) -> Steps | None:
        """The outermost element of a list that a place is in; of those inside it the same is true."""
        for depth, step in enumerate(steps):
            if isinstance(step, int):
                return steps[: depth if self.roughly else depth + 1]
        return None

    def _list_of(self, element: Steps) -> Steps:
        return element if self.roughly else element[:-1]

    def _missing(self, steps: Steps) -> Steps | None:
        """The outermost place around another one that is stored as no map or list: as a rule, not at all."""
        value: Any = {"M": self.known.stored}
        for depth, step in enumerate(steps):
            members = value.get("L" if isinstance(step, int) else "M")
            if members is None:
                return steps[:depth]
            value = stored_at({"": value}, ("", step)) or {}
        return None

    def _ask_as_read(self, steps: Steps) -> None:
        found = stored_at(self.known.stored, steps)
        if not self._is_known_absent(steps, found):
            self._check_same(steps)
        operand = place_at(self.info, steps)
        asked: Condition
        if found is None:
            asked = Function("attribute_not_exists", "not_exists", operand)
        else:
            stored = native(found)
            asked = Comparison("=", operand, Value(stored, stored))
        self.conditions["as read", steps] = Worded(asked, f"that {operand} is as it was read")

    def _is_known_absent(self, steps: Steps, stored: AttributeValue | None) -> bool:
        """Whether an attribute was absent when it was read, as it is now: its default differs each time."""
        return stored is None and self.known.told.get(str(steps[0]), self) is None

    def _ask_map(self, steps: Steps) -> None:
        operand = place_at(self.info, steps)
        asked = Function("attribute_type", "attribute_type", operand, _MAP)
        self.conditions["map", steps] = Worded(asked, f"that {operand} is there")

    def _ask_length(self, steps: Steps) -> None:
        """Demand that a list has as many elements as when it was read."""
        known = stored_at(self.known.stored, steps) or {}
        number = len(known.get("L", ()))
        if number != len((stored_at(self.before, steps) or {}).get("L", ())):
            raise Unlike
        size = Size(place_at(self.info, steps).path)
        asked = Comparison("=", size, Value({"N": str(number)}, number))
        self.conditions["length", steps] = Worded(
            asked, f"that {label_of(self.info, steps)} has {number} elements"
        )

    def _check_same(self, steps: Steps) -> None:
        if self.known.read is self.before:
            return
        codec = codec_at(self.info, steps)
        one, other = (stored_at(item, steps) for item in (self.known.read, self.before))
        if (one is None) is not (other is None) or not alike(one, other, codec):
            raise Unlike


# --- Where a place is ---------------------------------------------------------------------------


def place_at(info: ModelInfo, steps: Steps) -> PathOperand:
    """A place as an operand that is rendered only."""
    return attribute_path(info, steps, label_of(info, steps))


def label_of(info: ModelInfo, steps: Steps) -> str:
    by_attribute = {stored: name for name, stored in info.names.items()}
    text = f"{info.name}.{by_attribute.get(str(steps[0]), steps[0])}"
    return text + "".join(f"[{step!r}]" for step in steps[1:])
