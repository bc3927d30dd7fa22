"""Names in maps, and members of sets, whose values have several stored forms: `…22Z`, an upper-case UUID.

Such a value is written as dynattrs would store it, and may be stored otherwise by another program. To set
the key of a map would then make a second one, and to remove a member would do nothing. So what is written
there is asked for the form that is stored. It is the usual one as a rule; after a refusal, which brings the
item, the stored one. A name that the map has in no form is new: it is put in where the map has the names
that it is known to have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs

from dynattrs.errors import ConditionError
from dynattrs.expressions.computed import Arithmetic, IfNotExists, ListAppend, operands
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Function,
    PathOperand,
    Size,
    Value,
    all_conditions,
    any_conditions,
    paths_in,
)
from dynattrs.expressions.paths import Path, data_of, stored_at
from dynattrs.expressions.updates import Action
from dynattrs.mapper.anything import native
from dynattrs.mapper.codec import show_stored
from dynattrs.mapper.equality import as_written, comparable, inside, is_spelled_once
from dynattrs.mapper.scalars import binary
from dynattrs.operations.conditions import attribute_path, joined
from dynattrs.operations.item_keys import plain_key
from dynattrs.schema.model_info import ModelInfo, StoredForm
from dynattrs.schema.table import AttributeMap, AttributeValue

#: From the item inwards: names in maps, positions in lists.
Steps: TypeAlias = "tuple[str | int, ...]"

SETS: Final = ("SS", "NS", "BS")
#: What tells the members of a set apart.
MEMBERS: Final[dict[str, Callable[[Any], Any]]] = {"SS": str, "NS": Decimal, "BS": binary}
#: Names of a map that are asked for one by one: a condition has at most 300 operators.
MOST_NAMES: Final = 40


# --- Places -------------------------------------------------------------------------------------


def place_at(info: ModelInfo, steps: Steps) -> PathOperand:
    """A place as an operand that is rendered only."""
    return attribute_path(info, steps, label_of(info, steps))


def label_of(info: ModelInfo, steps: Steps) -> str:
    by_attribute = {stored: name for name, stored in info.names.items()}
    text = f"{info.name}.{by_attribute.get(str(steps[0]), steps[0])}"
    return text + "".join(f"[{step!r}]" for step in steps[1:])


@attrs.frozen
class Around:
    """What a step is taken in.

    Attributes:
        codec: How it is stored; None where nothing says so.
        field: The depth of the field of a class that it is in.
        respelt: Whether that field has a converter, which may make other names and members of those
            that are stored.
    """

    codec: StoredForm | None
    field: int = 0
    respelt: bool = False

    @property
    def is_map(self) -> bool:
        """Whether names are taken in it that are not fields of a class."""
        return self.codec is not None and not self.codec.fields and "M" in self.codec.tags

    @property
    def names_vary(self) -> bool:
        """Whether it is a map whose names may be stored in another form."""
        key = None if self.codec is None else self.codec.key
        return self.is_map and key is not None and not is_spelled_once(key, in_set=False)

    @property
    def members_vary(self) -> bool:
        """Whether it is a set whose members may be stored in another form."""
        element = None if self.codec is None else self.codec.element
        return element is not None and not is_spelled_once(element, in_set=True)


def arounds(info: ModelInfo, steps: Steps) -> Iterator[Around]:
    """What each step is taken in, and at last what the place itself is."""
    around = Around(info.mapper.model_codec(info.cls))
    for depth, step in enumerate(steps):
        yield around
        codec = around.codec
        if codec is not None and codec.fields:
            around = Around(inside(codec, step), depth + 1, _has_converter(codec, step))
        else:
            around = attrs.evolve(around, codec=inside(codec, step))
    yield around


def around_of(info: ModelInfo, steps: Steps) -> Around:
    """What a place itself is."""
    *_, last = arounds(info, steps)
    return last


def _has_converter(codec: StoredForm, step: str | int) -> bool:
    for name, stored in (codec.names or {}).items():
        if stored == step and name in codec.rules:
            converter = codec.rules[name].field.converter
            plain = isinstance(converter, type) and converter.__module__ == "builtins"
            return converter is not None and not plain  # `set` makes no other members
    return False


def varying(info: ModelInfo, steps: Steps, *, respelt: bool = False) -> list[int]:
    """The depths at which a step is a name that may be stored in another form.

    Args:
        info: The model.
        steps: The place.
        respelt: Whether names count that a field's converter may have made.
    """
    if len(steps) < 2:
        return []
    return [
        depth
        for depth, around in zip(range(len(steps)), arounds(info, steps))  # noqa: B905
        if around.names_vary or (respelt and around.respelt and around.is_map)
    ]


def located(info: ModelInfo, item: AttributeMap, steps: Steps) -> Steps:
    """A place with the names that *item* has for it. What is not there is called as it would be written."""
    depths = varying(info, steps)
    if not depths:
        return steps
    found = list(steps)
    for depth, around in zip(range(len(steps)), arounds(info, steps)):  # noqa: B905
        if depth in depths and around.codec is not None and around.codec.key is not None:
            members = (stored_at(item, found[:depth]) or {}).get("M") or {}
            found[depth] = _name_in(members, str(steps[depth]), around.codec.key)
    return tuple(found)


def not_looked_for(info: ModelInfo, asked: Condition, item: AttributeMap) -> str:
    """What to say where a condition asks for a key of a map that an item has in another spelling; "" where
    it asks for none.
    """
    for path in paths_in(asked):
        data = data_of(path)
        there = located(info, item, data.steps)
        if there != data.steps:
            name = next(one for one, other in zip(there, data.steps, strict=True) if one != other)
            return (
                f"the item has {data.label} under the name {str(name)!r}, and conditions look for the usual "
                f"spelling only: state [{str(name)!r}], or save() the object, which spells its keys anew"
            )
    return ""


def _name_in(members: AttributeMap, name: str, key: StoredForm) -> str:
    if name in members:
        return name
    (tag,) = key.tags
    wanted = as_written({tag: name}, key)
    same = (each for each in members if as_written({tag: each}, key) == wanted)
    return next(same, name)


def has_names(info: ModelInfo, steps: Steps, stored: AttributeValue | None, most: int) -> Condition:
    """The condition that a map has the names that it is known to have, and no other one: that it is as it
    is stored, where these are more than *most*.
    """
    operand = place_at(info, steps)
    names = (stored or {}).get("M")
    if names is None or len(names) > most:
        return is_stored(operand, stored)
    size = Comparison("=", Size(operand.path), Value({"N": str(len(names))}, len(names)))
    return all_conditions([size, *(exists(place_at(info, (*steps, name))) for name in names)])


def exists(operand: PathOperand) -> Condition:
    return Function("attribute_exists", "exists", operand)


def is_stored(operand: PathOperand, stored: AttributeValue | None) -> Condition:
    """The condition that a value, or nothing, is stored at a place."""
    if stored is None:
        return Function("attribute_not_exists", "not_exists", operand)
    value = native(stored)
    return Comparison("=", operand, Value(value, value))


def is_set(operand: PathOperand, tag: str) -> Condition:
    """The condition that a set, or a number, is stored at a place, or nothing: as `ADD` needs it."""
    kind = Function("attribute_type", "attribute_type", operand, Value({"S": tag}, tag))
    return any_conditions([kind, is_stored(operand, None)])


# --- Members of sets ----------------------------------------------------------------------------


def members_of(value: AttributeValue | None) -> list[AttributeValue] | None:
    """The members of a set, also where it is stored as a list, or not at all; None for another value."""
    if value is None or "NULL" in value:
        return []
    ((tag, payload),) = value.items()
    if tag == "L":
        return list(payload)
    return [{tag[0]: each} for each in payload] if tag in SETS else None


def without(
    members: Iterable[AttributeValue], others: Iterable[AttributeValue], element: StoredForm | None
) -> list[AttributeValue]:
    """The members that are not among others, in whatever form."""
    unwanted = [comparable(as_written(each, element)) for each in others]
    return [each for each in members if comparable(as_written(each, element)) not in unwanted]


def packed(members: Sequence[AttributeValue], tag: str) -> AttributeValue:
    """Members as a set of a kind, or a list; an empty set is an empty list."""
    if tag in SETS and members and all(tag[0] in each for each in members):
        # A list of another program's may hold a member twice, which the service refuses in a set.
        apart = MEMBERS[tag]
        return {tag: [*{apart(each[tag[0]]): each[tag[0]] for each in members}.values()]}
    return {"L": list(members)}


def joined_set(
    adding: bool, stored: AttributeValue, value: AttributeValue, element: StoredForm | None
) -> AttributeValue:
    """What `add` and `delete` make of a set that is stored as a list, or as NULL."""
    ((tag, _),) = value.items()
    there, stated = members_of(stored) or [], members_of(value) or []
    if adding:
        return packed([*there, *without(stated, there, element)], tag)
    return stored if "NULL" in stored else packed(without(there, stated, element), tag)


# --- Updates ------------------------------------------------------------------------------------


def as_spelled(
    info: ModelInfo, actions: Sequence[Action], item: AttributeMap | None, *, sure: bool = True
) -> tuple[list[Action], Condition | None]:
    """Actions with the names and members that an item has, and the condition that it has them; None
    where nothing is asked, whatever is stored.

    Args:
        info: The model.
        actions: As they were stated.
        item: What is stored as far as is known; None if nothing is.
        sure: Whether the service has said so.

    Raises:
        ConditionError: What is stored goes with no such action.
    """
    if all(map(is_plain, actions)):
        return list(actions), None
    spelled = _Spelled(info, item, sure)
    return [spelled.action(each) for each in actions], joined(*spelled.asked.values())


def is_plain(action: Action) -> bool:
    """Whether an action sets or removes an attribute, to a value that is known: nothing of it varies."""
    plain = action.value is None or type(action.value) is Value
    return plain and len(action.steps) == 1 and action.clause in ("SET", "REMOVE")


def guesses(info: ModelInfo, actions: Sequence[Action]) -> Action | None:
    """An action that needs to know what is stored, as a name or a member in it may be stored otherwise."""
    for action in actions:
        paths = [action.path, *map(_path_of, operands(action.value))]
        if any(varying(info, data_of(path).steps) for path in paths):
            return action
        if action.clause == "DELETE" and around_of(info, action.steps).members_vary:
            return action
    return None


@attrs.define(eq=False)
class _Spelled:
    info: ModelInfo
    item: AttributeMap | None
    sure: bool
    asked: dict[str, Condition] = attrs.field(factory=dict, init=False)

    def action(self, action: Action) -> Action:
        steps, value = action.steps, action.value
        path = self._path(action.path)
        if path is not action.path:
            action = attrs.evolve(action, path=path)
        if any(varying(self.info, data_of(_path_of(each)).steps) for each in operands(value)):
            action = attrs.evolve(action, value=_with_paths(value, self._path))
        if action.clause in ("ADD", "DELETE") and isinstance(value, Value):
            return self._changed(action, value.stored, around_of(self.info, steps))
        return action

    def _path(self, path: Path) -> Path:
        """A path as it is stored, after asking for the names in it."""
        steps = data_of(path).steps
        depths = varying(self.info, steps)
        if not depths:
            return path
        found, end = steps, depths[-1] + 1
        if self.item is not None:
            found = located(self.info, self.item, steps)
            for depth in depths:
                if stored_at(self.item, found[: depth + 1]) is None:
                    there, outer = stored_at(self.item, found[:depth]), found[:depth]
                    self._ask(outer, has_names(self.info, outer, there, MOST_NAMES))
                    return self._moved(path, found)
        self._ask(found[:end], exists(place_at(self.info, found[:end])))
        return self._moved(path, found)

    def _moved(self, path: Path, steps: Steps) -> Path:
        data = data_of(path)
        if steps == data.steps:
            return path
        return attribute_path(self.info, steps, data.label).path

    def _ask(self, steps: Steps, condition: Condition) -> None:
        self.asked.setdefault(f"{condition} {steps}", condition)

    def _changed(self, action: Action, value: AttributeValue, around: Around) -> Action:
        """An action on a number or the members of a set, for what is stored there."""
        ((tag, _),) = value.items()
        operand = PathOperand(action.path)
        if tag == "N":
            return self._added(action, operand, around)
        if self.item is None:
            never = action.clause == "DELETE" and around.members_vary
            self._ask(action.steps, is_stored(operand, None) if never else is_set(operand, tag))
            return action
        stored = stored_at(self.item, action.steps)
        stored = None if stored is None else native(stored)
        there = members_of(stored)
        if there is None:
            hint = f"a set is expected there: give it one first, with set_({operand}, ...)"
            return self._unfit(action, tag, stored, hint)
        element = None if around.codec is None else around.codec.element
        stated = members_of(value) or []
        # Many may put members in at once, so `ADD` asks for no more than it needs.
        plain = not around.members_vary or (action.clause == "ADD" and not self.sure)
        if (stored is None or tag in stored) and plain:
            self._ask(action.steps, is_set(operand, tag))
            return action
        self._ask(action.steps, is_stored(operand, stored))
        left, new = without(there, stated, element), without(stated, there, element)
        if stored is not None and tag not in stored:  # a list, or NULL
            made = joined_set(action.clause == "ADD", stored, value, element)
            return attrs.evolve(_with(action, made), clause="SET")
        members = new if action.clause == "ADD" else without(there, left, element)
        if members:
            return _with(action, packed(members, tag))
        # Nothing is to be done: what is there already, or is not there, changes nothing.
        return action if stored is None or action.clause == "DELETE" else _with(action, stored)

    def _added(self, action: Action, operand: PathOperand, around: Around) -> Action:
        if around.codec is None or not around.codec.optional:
            return action
        stored = None if self.item is None else stored_at(self.item, action.steps)
        if stored is not None and "N" not in stored:
            return self._unfit(action, "N", stored, f"give it a number with set_({operand}, ...)")
        self._ask(action.steps, is_set(operand, "N"))
        return action

    def _unfit(self, action: Action, tag: str, stored: AttributeValue | None, hint: str) -> Action:
        """Refuse an action on a value of another type, as far as it is sure that it is one."""
        label = data_of(action.path).label
        if self.sure:
            raise ConditionError(
                f"{action}: {label} is stored as {show_stored(stored)}; {hint}. Nothing was written to the "
                f"item of {self.info.name} with the key {plain_key(self.info, self.item or {})}"
            )
        self._ask(action.steps, is_set(PathOperand(action.path), tag))
        return action


def _with(action: Action, stored: AttributeValue) -> Action:
    return attrs.evolve(action, value=Value(stored, stored))


def _path_of(operand: PathOperand | Path) -> Path:
    return operand.path if isinstance(operand, PathOperand) else operand


def _with_paths(value: Any, change: Callable[[Path], Path]) -> Any:
    """What an action computes, of other paths."""
    if isinstance(value, PathOperand):
        return PathOperand(change(value.path))
    if isinstance(value, Arithmetic):
        left, right = _with_paths(value.left, change), _with_paths(value.right, change)
        return attrs.evolve(value, left=left, right=right)
    if isinstance(value, IfNotExists):
        default = _with_paths(value.default, change)
        return attrs.evolve(value, path=change(value.path), default=default)
    if isinstance(value, ListAppend):
        first, second = _with_paths(value.first, change), _with_paths(value.second, change)
        return attrs.evolve(value, first=first, second=second)
    return value
