"""The places of an edit: where each of its changes is written, and what has to be stored there.

A position says which element of a list is meant as long as the list is as it was read, and a name
inside a map needs the map. So each change is asked for what it rests on: the element of a list that
it is in, the map around it, and a name that may be spelled otherwise (`spellings`). A refusal brings the
item. Where that says the same in another form (other spellings, attributes that no class knows, a map that
it lacks because it is older than the field, which reads as its default), the changes are written once more,
as that item needs them. Members that others have put into a set stay there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import attrs

from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Function,
    Size,
    Value,
)
from dynattrs.expressions.paths import stored_at
from dynattrs.mapper.anything import native
from dynattrs.mapper.equality import alike
from dynattrs.operations.conditions import Worded
from dynattrs.operations.writing.as_read import codec_at
from dynattrs.operations.writing.spellings import (
    MOST_NAMES,
    SETS,
    Steps,
    around_of,
    arounds,
    exists,
    has_names,
    is_set,
    is_stored,
    label_of,
    located,
    members_of,
    packed,
    place_at,
    varying,
    without,
)
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

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
        of_members: Whether both are sets, absent ones being empty: members are put in and taken out.
    """

    steps: Steps
    clause: Clause
    value: AttributeValue | None
    before: AttributeValue | None
    of_members: bool = False


class Unlike(Exception):
    """What is stored says something else than what was read."""


@attrs.frozen(eq=False)
class Known:
    """An item as far as it is known.

    Attributes:
        stored: As it is stored.
        read: As its model writes what it reads there.
        told: Attributes that the object knows the stored form of, None for absent ones.
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
    changes: dict[Steps, Difference] = attrs.field(factory=dict, init=False)
    conditions: dict[tuple[str, Steps], Condition] = attrs.field(factory=dict, init=False)
    _whole: list[Steps] = attrs.field(factory=list, init=False)

    def add(self, change: Difference, *, guarded: bool) -> None:
        """Take a change in.

        Args:
            change: A difference of `before` and `after`.
            guarded: Whether a guard holds for it.

        Raises:
            Unlike: What it rests on is not as it was read.
        """
        steps, guard = change.steps, guarded and self.guard
        if any(steps[: len(each)] == each for each in self._whole):
            return
        place, element = self._missing(steps), self._element(steps)
        if place is not None:
            # Written whole, as the default that was read and then changed.
            change = self._take_whole(place)
        if element is not None and (place is None or len(place) >= len(element)):
            place = element
            if guard:
                self._ask_length(self._list_of(element))
        if place is not None:
            self._ask_as_read(place)
        else:
            if guard:
                self._ask_as_read(steps)
            self._ask_names(steps)
            if len(steps) > 1 and not (guard and self._stored(steps)):
                self._ask_map(steps[: 1 if self.roughly else -1])
        if change.of_members:
            change = self._members(change, asked=guard or place is not None)
        self.changes[change.steps] = attrs.evolve(change, steps=self._there(change.steps))

    def _take_whole(self, place: Steps) -> Difference:
        """The change that writes all that is at a place, with the changes inside it."""
        self._whole.append(place)
        for steps in [each for each in self.changes if each[: len(place)] == place]:
            del self.changes[steps]
        value = stored_at(self.after, place)
        return Difference(
            place, "REMOVE" if value is None else "SET", value, stored_at(self.before, place)
        )

    def _there(self, steps: Steps) -> Steps:
        """A place as it is called in the stored item."""
        return located(self.info, self.known.stored, steps)

    def _stored(self, steps: Steps) -> AttributeValue | None:
        return stored_at(self.known.stored, self._there(steps))

    def _element(self, steps: Steps) -> Steps | None:
        """The outermost element of a list that a place is in; of those inside it the same is true."""
        for depth, step in enumerate(steps):
            if isinstance(step, int):
                return steps[: depth if self.roughly else depth + 1]
        return None

    def _list_of(self, element: Steps) -> Steps:
        return element if self.roughly else element[:-1]

    def _missing(self, steps: Steps) -> Steps | None:
        """The outermost place around another one that is stored as no map or list: as a rule, not at all.
        Or the field whose converter has made a name that is not stored.
        """
        there = self._there(steps)
        for depth, step in enumerate(steps):
            value = stored_at(self.known.stored, there[:depth])
            if ("L" if isinstance(step, int) else "M") not in (value or {}):
                return steps[:depth]
        if self.known.read is self.before:
            return None
        for depth, around in zip(range(len(steps)), arounds(self.info, steps)):  # noqa: B905
            name = steps[: depth + 1]
            respelt = around.is_map and around.respelt and self._stored(name) is None
            if respelt and stored_at(self.known.read, name):
                return steps[: around.field]
        return None

    def _ask_as_read(self, steps: Steps) -> None:
        found = self._stored(steps)
        if not self._is_known_absent(steps, found):
            self._check_same(steps)
        self._ask_stored(steps, found)

    def _ask_stored(self, steps: Steps, found: AttributeValue | None) -> None:
        operand = place_at(self.info, self._there(steps))
        asked = is_stored(operand, found)
        self.conditions["as read", steps] = Worded(asked, f"that {operand} is as it was read")

    def _ask_names(self, steps: Steps) -> None:
        """Demand that names are spelled as they are written, or are in the map in no form."""
        depths = varying(self.info, steps, respelt=True)
        new = [depth for depth in depths if self._stored(steps[: depth + 1]) is None]
        if not depths:
            return
        if new or self.roughly:
            outer = steps[: new[0] if new else depths[0]]
            there, found = self._there(outer), self._stored(outer)
            asked = has_names(self.info, there, found, 0 if self.roughly else MOST_NAMES)
            text = f"that {label_of(self.info, there)} has the names that were read"
            self.conditions["names", outer] = Worded(asked, text)
        elif depths[-1] + 1 == len(steps):
            operand = place_at(self.info, self._there(steps))
            self.conditions["name", steps] = Worded(exists(operand), f"that {operand} is there")

    def _members(self, change: Difference, *, asked: bool) -> Difference:
        """A change of a set, of what is stored there now."""
        steps, around = change.steps, around_of(self.info, change.steps)
        element = None if around.codec is None else around.codec.element
        stored = self._stored(steps)
        stored = None if stored is None else native(stored)
        there = members_of(stored)
        if there is None:
            raise Unlike
        was, now = members_of(change.before) or [], members_of(change.value) or []
        gone, new = without(was, now, element), without(now, was, element)
        kinds = (
            tag for tag in SETS for value in (change.value, change.before) if tag in (value or {})
        )
        tag = next(kinds, "L")
        # ADD and DELETE work on top-level attributes, and only one of them on each. What has lost its
        # last member is absent.
        alone = (
            tag != "L" and len(steps) == 1 and bool(gone) is not bool(new)
            and (new or self._is_left_out(steps))
            and not around.members_vary and not around.respelt
        )  # fmt: skip
        if alone and (stored is None or tag in stored):
            if not asked:
                operand = place_at(self.info, steps)
                self.conditions["set", steps] = Worded(
                    is_set(operand, tag), f"that {operand} is a set"
                )
            return attrs.evolve(
                change, clause="ADD" if new else "DELETE", value=packed(new or gone, tag)
            )
        if not asked:
            self._ask_stored(steps, stored)
        if around.respelt:
            there = members_of(stored_at(self.known.read, steps)) or []
        made = packed([*without(there, gone, element), *without(new, there, element)], tag)
        if made["L" if "L" in made else tag] or not self._is_left_out(steps):
            return attrs.evolve(change, clause="SET", value=made)
        return attrs.evolve(change, clause="REMOVE", value=None)

    def _is_left_out(self, steps: Steps) -> bool:
        """Whether the empty set is left out where it is saved."""
        holder = around_of(self.info, steps[:-1]).codec
        own = around_of(self.info, steps).codec
        return bool(holder and holder.fields and own and not own.optional)

    def _is_known_absent(self, steps: Steps, stored: AttributeValue | None) -> bool:
        """Whether an attribute was absent when it was read, as it is now: its default differs each time."""
        return stored is None and self.known.told.get(str(steps[0]), self) is None

    def _ask_map(self, steps: Steps) -> None:
        operand = place_at(self.info, self._there(steps))
        asked = Function("attribute_type", "attribute_type", operand, _MAP)
        self.conditions["map", steps] = Worded(asked, f"that {operand} is there")

    def _ask_length(self, steps: Steps) -> None:
        """Demand that a list has as many elements as when it was read."""
        known = self._stored(steps) or {}
        number = len(known.get("L", ()))
        if number != len((stored_at(self.before, steps) or {}).get("L", ())):
            raise Unlike
        size = Size(place_at(self.info, self._there(steps)).path)
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
