"""Conditions that an item is still as it was read.

An object knows the values that it was made of, and not the form that they were stored in: `…22Z`,
NULL where nothing would be written, a float with more digits, nothing at all where an older item lacks
an attribute. So it is asked first whether a place is as the mapper would write it. Where that is false, the
service gives the item that it found, and if that reads as the very value that the object had, only the form
was another one: it is asked again in the form that is stored. Reads cost nothing for that.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Final, TypeVar, cast

import attrs

from dynattrs.errors import DynattrsError
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Function,
    Joined,
    PathOperand,
    Value,
)
from dynattrs.expressions.paths import stored_at
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.mapper.anything import native
from dynattrs.mapper.carried import carried_by, carry
from dynattrs.mapper.equality import alike, inside
from dynattrs.operations.context import Core
from dynattrs.operations.refusals import quietly
from dynattrs.schema.model_info import ModelInfo, StoredForm, model_info
from dynattrs.schema.table import AttributeMap, AttributeValue

C = TypeVar("C", bound="Condition | None")

#: How often to ask again where others write the same value in another form all the time.
MOST_TRIES: Final = 10


@attrs.frozen(eq=False, repr=False)
class Still(Condition):
    """The condition that a place of an item is as it was read.

    Attributes:
        operand: The place.
        read: What was read, as the mapper writes it; None for nothing.
        stored: What is stored there, as far as is known; None for nothing.
    """

    operand: PathOperand
    read: AttributeValue | None
    stored: AttributeValue | None

    def _asked(self) -> Condition:
        if self.stored is None:
            return Function("attribute_not_exists", "not_exists", self.operand)
        return Comparison("=", self.operand, Value(self.stored, self.stored))

    def render(self, placeholders: Placeholders) -> str:
        return self._asked().render(placeholders)

    def __str__(self) -> str:
        return str(self._asked())


def still(obj: object, operand: PathOperand, read: AttributeValue | None) -> Still:
    """The condition that a place is as *obj* has read it."""
    known = carried_by(obj).as_stored
    first = str(operand.steps[0])
    if len(operand.steps) == 1 and first in known:
        return Still(operand, read, known[first])
    return Still(operand, read, read)


def as_stored(
    core: Core, info: ModelInfo, item: AttributeMap | None, *conditions: C
) -> tuple[C, ...] | None:
    """Some conditions that were false for *item*, in the form that it is stored in; None where that is no
    reason for it: it holds another value than was read, or what was asked is its form already.
    """
    places = [each for asked in conditions if asked is not None for each in _stills(asked)]
    if not places or not item:
        return None
    written: AttributeMap | None = None
    found: dict[int, Still] = {}
    for each in places:
        there = stored_at(item, each.operand.steps)
        if alike(there, each.stored, None):
            continue
        if written is None:
            written = as_written(core, info, item)
        if written is None:
            return None
        steps = each.operand.steps
        if not alike(stored_at(written, steps), each.read, codec_at(info, steps)):
            return None
        stored = None if there is None else native(there)
        found[id(each)] = Still(each.operand, each.read, stored)
    if not found:
        return None
    return tuple(cast("C", None if asked is None else _with(asked, found)) for asked in conditions)


def _stills(asked: Condition) -> Iterator[Still]:
    if isinstance(asked, Still):
        yield asked
    elif isinstance(asked, Joined) and asked.word == "AND":
        for part in asked.parts:
            yield from _stills(part)


def _with(asked: Condition, found: dict[int, Still]) -> Condition:
    if isinstance(asked, Joined) and asked.word == "AND":
        return Joined("AND", tuple(_with(part, found) for part in asked.parts))
    return found.get(id(asked), asked)


def codec_at(info: ModelInfo, steps: tuple[str | int, ...]) -> StoredForm | None:
    """How what is stored at a place is stored; None where nothing says so."""
    codec: StoredForm | None = info.mapper.model_codec(info.cls)
    for step in steps:
        codec = inside(codec, step)
    return codec


def as_written(core: Core, info: ModelInfo, item: AttributeMap) -> AttributeMap | None:
    """An item as it would be written anew; None where it cannot be read or written."""
    with contextlib.suppress(DynattrsError):
        obj = info.mapper.load(item, info.cls)
        own = model_info(type(obj))
        finish = core.after_load(own)
        return dumped(own, obj if finish is None else quietly(finish, obj))
    return None


def dumped(info: ModelInfo, obj: object) -> AttributeMap:
    """An object's item, without what nested classes could not keep of it: no condition and no edit
    touches that.
    """
    carried = carried_by(obj)
    if carried.lost:
        obj = copy.copy(obj)
        carry(obj, attrs.evolve(carried, lost=()))
    return info.mapper.dump(obj)
