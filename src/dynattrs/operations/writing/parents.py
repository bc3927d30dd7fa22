"""What the places of an update are in, made where the item lacks it.

`SET meta.a.b` needs a map at `meta.a`. Where an item has none, the service refuses the whole update, and its
error names no path. So the item is read, and each missing map is written whole: as it reads, by the field's
default, with the actions done to it. It is asked that it is still missing, and that the others are still
there, so that nothing is erased that another writer has put there meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from dynattrs.errors import ConditionError, InvalidRequest, MappingError
from dynattrs.expressions.computed import operands
from dynattrs.expressions.conditions import Condition, Function, PathOperand, Value
from dynattrs.expressions.paths import data_of, stored_at
from dynattrs.expressions.updates import Action
from dynattrs.mapper.anything import native
from dynattrs.mapper.codec import Codec, Trail, explain_load, show_stored
from dynattrs.mapper.equality import same
from dynattrs.operations.conditions import Worded, joined
from dynattrs.operations.context import Core
from dynattrs.operations.item_keys import plain_key
from dynattrs.operations.writing.applied import NotComputed, applied
from dynattrs.operations.writing.as_read import as_written, codec_at
from dynattrs.operations.writing.spellings import (
    Steps,
    is_plain,
    is_stored,
    label_of,
    place_at,
)
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

#: How often an update is written for what is stored, where others make and remove that all the time.
MOST_ROUNDS: Final = 3


def may_be_unfit(error: Exception, actions: Sequence[Action]) -> bool:
    """Whether the service may have refused an update because of what is stored: a place of it is in
    nothing, or it computes with something that is not a number.
    """
    # It says "The document path provided in the update expression is invalid for update", or "An operand in
    # the update expression has an incorrect data type", and other engines say it in other words. No code
    # tells it from other mistakes, so the item has to.
    return isinstance(error, InvalidRequest) and not all(map(is_plain, actions))


def check_computed(
    info: ModelInfo, actions: Sequence[Action], item: AttributeMap, error: Exception
) -> None:
    """Say which of the actions cannot be done to an item, after the service has refused them.

    Raises:
        ConditionError: One computes with what the item lacks, or has of another type.
    """
    try:
        applied(actions, item)
    except NotComputed as refused:
        raise ConditionError(
            f"{refused.action}: {refused.why}; set a value first, or write if_not_exists(...) where it "
            f"may be absent. Nothing was written to the item of {info.name} with the key "
            f"{plain_key(info, item)}"
        ) from error


def are_inside(actions: Sequence[Action]) -> bool:
    """Whether any of some actions is on a place inside an attribute."""
    return any(len(each.steps) > 1 for each in actions)


def asked_of(info: ModelInfo, actions: Sequence[Action]) -> Condition | None:
    """The condition that what the actions are in is there; None where they are on attributes only."""
    asked = {each.steps[:-1]: _container(each.steps, -1) for each in actions if each.steps[1:]}
    return joined(*(_is_there(info, steps, tag) for steps, tag in asked.items()))


def with_parents(
    core: Core,
    info: ModelInfo,
    actions: Sequence[Action],
    item: AttributeMap,
    *,
    new: bool = False,
    only_missing: bool = False,
) -> tuple[list[Action], Condition | None]:
    """What *actions* become of an item that is known, and the condition that what they are in is as it is
    there.

    Args:
        core: Settings.
        info: The model.
        actions: With the names that the item has.
        item: What is stored.
        new: Whether that is the beginning of a new item, which has what its fields have by default.
        only_missing: Whether no more is asked than that what is missing is so: expressions have limits.

    Raises:
        ConditionError: Something else is stored where a map is to be; or what is missing cannot be made of
            these actions alone.
    """
    if not are_inside(actions):
        return [*actions], None
    return _Parents(core, info, item, new, only_missing).of(actions)


class _Parents:
    def __init__(
        self, core: Core, info: ModelInfo, item: AttributeMap, new: bool, only_missing: bool = False
    ) -> None:
        self._core = core
        self._info = info
        self._item = item
        self._new = new
        self._only_missing = only_missing
        self._asked: dict[Steps, Condition] = {}

    def of(self, actions: Sequence[Action]) -> tuple[list[Action], Condition | None]:
        done: list[Action] = []
        missing: dict[Steps, list[Action]] = {}
        for action in actions:
            place = self._missing(action)
            if place is None:
                done.append(action)
                self._ask_parent(action.steps)
            else:
                missing.setdefault(place, []).append(action)
        for place, inside in missing.items():
            done += self._made(place, inside)
        return done, joined(*self._asked.values())

    def _missing(self, action: Action) -> Steps | None:
        """The outermost place around an action's where nothing is stored, or NULL.

        Raises:
            ConditionError: Something else is stored there, or it would be an element of a list.
        """
        steps = action.steps
        for depth in range(1, len(steps)):
            place, tag = steps[:depth], _container(steps, depth)
            value = stored_at(self._item, place)
            if value is not None and tag in value:
                continue
            label = label_of(self._info, place)
            if value is not None and "NULL" not in value:
                kind = "list" if tag == "L" else "map"
                raise ConditionError(
                    f"{action}: {label} is stored as {show_stored(value)}, which is not a {kind}"
                )
            if value is None and isinstance(place[-1], int):
                outer = label_of(self._info, place[:-1])
                raise ConditionError(
                    f"{action}: {label} does not exist; to append to a list write "
                    f"set_({outer}, list_append({outer}, [...]))"
                )
            return place
        return None

    def _made(self, place: Steps, actions: Sequence[Action]) -> list[Action]:
        """The action that makes what is missing with some actions done to it; none where they change
        nothing, as a removal.
        """
        first = actions[0]
        base = self._base(place, _container(first.steps, len(place)))
        begun = _with(self._item, place, base)
        # Inside of it more may be missing.
        done, _ = _Parents(self._core, self._info, begun, self._new).of(actions)
        try:
            after = stored_at(applied(done, begun), place)
        except NotComputed as refused:
            raise ConditionError(
                f"{refused.action}: {label_of(self._info, place)} is missing, and this cannot be "
                f"computed then: {refused.why}; write if_not_exists(...)"
            ) from None
        assert after is not None
        self._ask_missing(place)
        if all(each.clause in ("REMOVE", "DELETE") for each in actions) and same(
            {"": after}, {"": base}
        ):
            return []
        self._ask_operands(place, actions)
        whole = native(self._whole(place, after, first))
        written = ", ".join(map(str, actions))
        return [
            Action("SET", place_at(self._info, place).path, Value(whole, whole), written),
        ]

    def _base(self, place: Steps, tag: str) -> AttributeValue:
        """What the place reads as; what is empty, where that is None."""
        read = self._read if len(place) == 1 else self._read_at(place[:-1])
        value = stored_at(read or {}, place[-1:])
        if value is not None and tag in value:
            return value
        return {tag: {} if tag == "M" else []}

    @cached_property
    def _read(self) -> AttributeMap | None:
        """The item as it would be written of what it reads as; of one that cannot be read, what its key
        alone would read as.
        """
        if self._new:
            return None
        read = as_written(self._core, self._info, self._item)
        if read is None:
            key = {name: self._item[name] for name in self._info.table.key}
            read = as_written(self._core, self._info, key)
        return read

    def _read_at(self, place: Steps) -> AttributeMap | None:
        """The same of a map inside it."""
        codec, value = codec_at(self._info, place), stored_at(self._item, place)
        if codec is not None and value is not None and "M" in value:
            with contextlib.suppress(Exception):  # a class with a field that has no value, say
                return codec.dump(codec.load(value)).get("M")
        return None

    def _whole(self, place: Steps, value: AttributeValue, action: Action) -> AttributeValue:
        """A value as a save would store it, after the validators of what it is.

        Raises:
            ConditionError: It cannot be read, as a class with a field that has no value.
            MappingError: A validator refuses it.
        """
        info, codec = self._info, codec_at(self._info, place)
        if not isinstance(codec, Codec):
            return value
        label = label_of(info, place)
        try:
            loaded = explain_load(codec, value, Trail(label))
        except MappingError as error:
            raise ConditionError(
                f"{action}: {label} is missing, and cannot be made of this alone: {error}; set all of "
                f"it, set_({label}, ...)"
            ) from error
        holder = codec_at(info, place[:-1])
        if holder is not None and holder.names is not None:
            for name, stored in holder.names.items():
                if stored == place[-1] and name in holder.rules:
                    holder.rules[name].check(label, loaded, None)
        return codec.dump(loaded)

    # --- What is asked ---

    def _ask_parent(self, steps: Steps) -> None:
        if len(steps) > 1 and not self._only_missing:
            outer = steps[:-1]
            self._asked[outer] = _is_there(self._info, outer, _container(steps, -1))

    def _ask_missing(self, place: Steps) -> None:
        self._ask_parent(place)
        operand = place_at(self._info, place)
        asked = _is_kind(self._info, place, "NULL")
        if stored_at(self._item, place) is None:
            asked = Function("attribute_not_exists", "not_exists", operand)
        self._asked[place] = Worded(asked, f"that {operand} is missing")

    def _ask_operands(self, place: Steps, actions: Sequence[Action]) -> None:
        """Demand that what was computed with is as it was."""
        for action in actions:
            for each in operands(action.value):
                steps = each.steps if isinstance(each, PathOperand) else data_of(each).steps
                if steps[: len(place)] != place:
                    stored = stored_at(self._item, steps)
                    stored = None if stored is None else native(stored)
                    operand = place_at(self._info, steps)
                    asked = is_stored(operand, stored)
                    which: Steps = ("computed with", *steps)
                    self._asked[which] = Worded(asked, f"that {operand} is as it was")


def _container(steps: Steps, depth: int) -> str:
    """What a step is taken in: a list or a map."""
    return "L" if isinstance(steps[depth], int) else "M"


def _is_kind(info: ModelInfo, steps: Steps, tag: str) -> Condition:
    kind = Value({"S": tag}, tag)
    return Function("attribute_type", "attribute_type", place_at(info, steps), kind)


def _is_there(info: ModelInfo, steps: Steps, tag: str) -> Condition:
    return Worded(_is_kind(info, steps, tag), f"that {label_of(info, steps)} is there")


def _with(item: AttributeMap, place: Steps, value: AttributeValue) -> AttributeMap:
    """An item with another value at a place, whose surroundings are there."""
    made: AttributeMap = _put({"M": item}, place, value)["M"]
    return made


def _put(outer: Any, place: Steps, value: AttributeValue) -> Any:
    if not place:
        return value
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        members = list(outer["L"])
        members[step] = _put(members[step], rest, value)
        return {"L": members}
    return {"M": {**outer["M"], step: _put(outer["M"].get(step), rest, value)}}
