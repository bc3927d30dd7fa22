"""Update actions: what one UpdateItem changes.

    session.update(Song, key, set_(Song.plays, Song.plays + 1), remove(Song.year))

Values go through the codec of the field that they are written to, and a wrong one is refused where
it is written. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

import attrs

from dynattrs.errors import ConditionError
from dynattrs.expressions.conditions import PathOperand, Value, encode_at, stored_none, unconverted
from dynattrs.expressions.paths import Expression, Path, data_of, is_path, no_truth, path_of
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.quoting import written as as_written
from dynattrs.schema.field_rules import ReadsObject
from dynattrs.schema.model_info import StoredForm
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

T = TypeVar("T")

Clause: TypeAlias = Literal["SET", "REMOVE", "ADD", "DELETE"]

_CLAUSES: Final[tuple[Clause, ...]] = ("SET", "REMOVE", "ADD", "DELETE")
_SETS: Final = frozenset({"SS", "NS", "BS"})


class Computed(Expression):
    """A value that the service computes: `Song.plays + 1`, `if_not_exists(...)`, `list_append(...)`.

    It has no truth value and is no condition.
    """

    def bind(self, form: StoredForm, target: str, whole: Whole | None = None) -> Computed:
        """Encode the plain values inside as *form*'s type, which is the target's.

        Args:
            form: How the target is stored.
            target: What it is called.
            whole: Takes what may be stored there as it is; None where it is computed with.
        """
        raise NotImplementedError

    def render(self, placeholders: Placeholders) -> str:
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise no_truth(f"the update value {self}")

    def _not_compared(self, other: object) -> Any:
        raise ConditionError(
            f"{self} is compared with {_shown(other)}: DynamoDB's conditions do not compute; compare "
            f"the field itself, with the constant on the other side"
        )

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _not_compared
    __hash__ = object.__hash__

    def __add__(self, other: object) -> Any:
        return arithmetic("+", self, other)

    def __radd__(self, other: object) -> Any:
        return arithmetic("+", other, self)

    def __sub__(self, other: object) -> Any:
        return arithmetic("-", self, other)

    def __rsub__(self, other: object) -> Any:
        return arithmetic("-", other, self)


class Whole:
    """What an update stores in a field as it is written: after the field's converter.

    Attributes:
        stated: The values, for the field's validator.
    """

    def __init__(self, path: Path, obj: object = None) -> None:
        self._data = data_of(path)
        self._obj = obj
        self.stated: list[Any] = []

    def take(self, value: object) -> Any:
        """A value after the converter.

        Raises:
            ConditionError: The converter refuses it.
            ReadsObject: The converter looks at the object, and there is none.
        """
        rules = self._data.rules
        if rules is not None:
            try:
                value = rules.stored(value, self._obj)
            except Exception as error:
                raise unconverted(self._data, value, error) from error
        self.stated.append(value)
        return value


def _bound(value: object, form: StoredForm, target: str, whole: Whole | None = None) -> Any:
    if isinstance(value, Computed):
        return value.bind(form, target, whole)
    if is_path(value):
        _check_kinds(value, form, target)
        return PathOperand(value)
    return encode_at(target, form, value)


def _term(value: object, form: StoredForm, target: str) -> Any:
    if isinstance(value, Computed) or is_path(value):
        return _bound(value, form, target)
    return _difference(target, form, value)


def _difference(target: str, form: StoredForm, value: object) -> Value:
    """What is added to a number. It is never rounded, so it has to be whole where numbers are."""
    found = encode_at(target, form.compared, value)
    if form.compared is not form:
        number = Decimal(found.stored["N"])
        if number != number.to_integral_value():
            raise ConditionError(
                f"{target} is a time to live, which is whole seconds; it cannot be computed with "
                f"{value!r}"
            )
    return found


def _check_kinds(path: Path, form: StoredForm, target: str) -> None:
    other = data_of(path).form
    if not form.tags & other.tags or form.packed != other.packed:
        raise ConditionError(f"{target} is {form.expected}; {path!r} is {other.expected}")


@attrs.frozen(eq=False, repr=False)
class Arithmetic(Computed):
    operator: Literal["+", "-"]
    left: Any
    right: Any

    def bind(self, form: StoredForm, target: str, whole: Whole | None = None) -> Computed:
        if "N" not in form.tags:
            raise ConditionError(
                f"{target} is {form.expected}; only numbers are computed with + and - "
                f"(lists with list_append, sets with add and delete)"
            )
        return attrs.evolve(
            self, left=_term(self.left, form, target), right=_term(self.right, form, target)
        )

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        left, right = self.left.render(placeholders), self.right.render(placeholders)
        return f"{left} {self.operator} {right}"

    def __str__(self) -> str:
        return f"{_shown(self.left)} {self.operator} {_shown(self.right)}"


@attrs.frozen(eq=False, repr=False)
class IfNotExists(Computed):
    path: Path
    default: Any

    def bind(self, form: StoredForm, target: str, whole: Whole | None = None) -> Computed:
        _check_kinds(self.path, form, target)
        default = self.default
        if not isinstance(default, Expression):
            # It is stored as it is; or computed with, where it stands for what is stored at the path.
            default = (whole or Whole(self.path)).take(default)
        return attrs.evolve(self, default=_bound(default, form, target, whole))

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        path = placeholders.path(data_of(self.path).steps)
        return f"if_not_exists({path}, {self.default.render(placeholders)})"

    def __str__(self) -> str:
        return f"if_not_exists({self.path!r}, {_shown(self.default)})"


@attrs.frozen(eq=False, repr=False)
class ListAppend(Computed):
    first: Any
    second: Any

    def bind(self, form: StoredForm, target: str, whole: Whole | None = None) -> Computed:
        if "L" not in form.tags:
            raise ConditionError(f"{target} is {form.expected}; list_append makes lists")
        return attrs.evolve(
            self, first=_bound(self.first, form, target), second=_bound(self.second, form, target)
        )

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        first, second = self.first.render(placeholders), self.second.render(placeholders)
        return f"list_append({first}, {second})"

    def __str__(self) -> str:
        return f"list_append({_shown(self.first)}, {_shown(self.second)})"


def _shown(value: object) -> str:
    return (
        str(value) if isinstance(value, (Computed, Value, PathOperand)) else as_written(value, 200)
    )


def arithmetic(operator: Literal["+", "-"], left: object, right: object) -> Arithmetic:
    """`left + right`: the service takes one such in a value."""
    for side in (left, right):
        if isinstance(side, (Arithmetic, ListAppend)):
            raise ConditionError(
                f"{_shown(left)} {operator} {_shown(right)}: DynamoDB takes one + or - in a value; "
                f"add the constants up in Python"
            )
        if is_path(side) and "N" not in data_of(side).form.tags:
            raise ConditionError(
                f"{side!r} is {data_of(side).form.expected}; only numbers are computed with + and - "
                f"(lists with list_append, sets with add and delete)"
            )
    return Arithmetic(operator, left, right)


def _install() -> None:
    """Give `Path` its arithmetic."""

    def method(operator: Literal["+", "-"], mirrored: bool) -> Any:
        def compute(self: Path, other: object) -> Any:
            return (
                arithmetic(operator, other, self) if mirrored else arithmetic(operator, self, other)
            )

        return compute

    signs: tuple[tuple[Literal["+", "-"], str], ...] = (("+", "add"), ("-", "sub"))
    for sign, name in signs:
        setattr(Path, f"__{name}__", method(sign, mirrored=False))
        setattr(Path, f"__r{name}__", method(sign, mirrored=True))


_install()


# --- Actions ------------------------------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class Action(Expression):
    """One change of an update: made by `set_`, `remove`, `add` and `delete`.

    Attributes:
        clause: Which clause of the update expression it belongs to.
        path: What is changed.
        value: The operand, or None for a removal.
        written: How it was written, for messages.
        more: The same for further paths, which `remove(Song.year, Song.genre)` names.
        stated: What is stored in a field as it is written, after its converter.
        again: Makes the action of an object, where the field's converter looks at that.
        steps: Where what is changed is stored.
    """

    clause: Clause
    path: Path
    value: Value | PathOperand | Computed | None = None
    written: str = ""
    more: tuple[Action, ...] = ()
    stated: tuple[Any, ...] = ()
    again: Callable[[Any], Action] | None = None
    steps: tuple[str | int, ...] = attrs.field(
        init=False, default=attrs.Factory(lambda self: data_of(self.path).steps, takes_self=True)
    )

    def of(self, obj: object) -> Action:
        """The action on the item of an object; None where only the key is known.

        Raises:
            ConditionError: The converter of its field looks at the object, and there is none.
        """
        if self.again is None:
            return self
        if obj is None:
            label = data_of(self.path).label
            raise ConditionError(
                f"{self}: the converter of {label} takes the object (takes_self=True), and only a key is "
                f"given; give the object, update(obj, set_({label}, ...)), or use edit(...)"
            )
        return self.again(obj)

    @property
    def computed(self) -> bool:
        """Whether the service finds out what is stored."""
        return self.clause in ("ADD", "DELETE") or isinstance(self.value, (PathOperand, Computed))

    def render(self, placeholders: Placeholders) -> str:
        # SET and its kin do not count as operators (tried).
        if self.value is None:
            return ", ".join(placeholders.path(each.steps) for each in (self, *self.more))
        path = placeholders.path(self.steps)
        value = self.value.render(placeholders)
        return f"{path} = {value}" if self.clause == "SET" else f"{path} {value}"

    def __str__(self) -> str:
        return self.written


def set_(target: T, value: T) -> Action:
    """Set a field, or a place inside one, to a value or to what the service computes.

    None and the empty set follow the model's rule: where a save would leave the field out, it is
    removed.

    Raises:
        ConditionError: *target* is no path, or *value* has another type.
    """
    path = path_of(target, "set_")
    try:
        return _set(path, value, None)
    except ReadsObject:
        written = f"set_({data_of(path).label}, {_shown(value)})"
        return Action("SET", path, None, written, again=partial(_set, path, value))


def _set(path: Path, value: object, obj: object) -> Action:
    data = data_of(path)
    written = f"set_({data.label}, {_shown(value)})"
    whole = Whole(path, obj)
    if not isinstance(value, Expression):
        value = whole.take(value)
    if _is_left_out(path, value):
        return Action("REMOVE", path, None, written, stated=tuple(whole.stated))
    if value is None and stored_none(data.form) is None:
        raise ConditionError(
            f"{written}: {data.label} is {data.form.expected} and never None; use remove(...)"
        )
    bound = _bound(value, data.form, data.label, whole)
    return Action("SET", path, bound, written, stated=tuple(whole.stated))


def _is_left_out(path: Path, value: object) -> bool:
    data = data_of(path)
    if value is None:
        return data.sparse
    empty_set = isinstance(value, (set, frozenset)) and not value
    return empty_set and data.form.is_set and not data.form.optional and data.is_field


def remove(target: object, *more: object) -> Action:
    """Remove attributes, keys of maps or elements of lists: `remove(Song.year, Song.notes[0])`.

    Removing what is not there is not an error.

    Raises:
        ConditionError: One of them is no path.
    """
    paths = [path_of(each, "remove") for each in (target, *more)]
    first, *others = (Action("REMOVE", path, None, f"remove({path!r})") for path in paths)
    if not others:
        return first
    written = f"remove({', '.join(map(repr, paths))})"
    return attrs.evolve(first, written=written, more=tuple(others))


def one_by_one(actions: Iterable[object]) -> Iterator[object]:
    """The actions, with those of several paths taken apart."""
    for each in actions:
        if isinstance(each, Action) and each.more:
            yield attrs.evolve(each, written=f"remove({each.path!r})", more=())
            yield from each.more
        else:
            yield each


def add(target: object, value: object) -> Action:
    """Add to a number, or members to a set; an absent one begins at 0, or empty.

    Raises:
        ConditionError: The field is neither, or *value* has another type.
    """
    path = path_of(target, "add")
    data = data_of(path)
    written = f"add({data.label}, {as_written(value, 200)})"
    if not data.form.tags <= _SETS | {"N"}:
        raise ConditionError(
            f"{written}: {data.label} is {data.form.expected}; add works on numbers and on sets of "
            f"text, numbers or bytes"
        )
    return Action("ADD", path, _members(data.label, data.form, value, written), written)


def delete(target: object, value: object) -> Action:
    """Delete members from a set.

    Raises:
        ConditionError: The field is no set of text, numbers or bytes.
    """
    path = path_of(target, "delete")
    data = data_of(path)
    written = f"delete({data.label}, {as_written(value, 200)})"
    if not data.form.tags <= _SETS:
        raise ConditionError(
            f"{written}: {data.label} is {data.form.expected}; delete works on sets of text, "
            f"numbers or bytes; to remove the attribute use remove(...)"
        )
    return Action("DELETE", path, _members(data.label, data.form, value, written), written)


def _members(label: str, form: StoredForm, value: object, written: str) -> Value:
    if value is None or isinstance(value, Computed) or is_path(value):
        raise ConditionError(f"{written}: a plain value is expected here, {form.expected}")
    if isinstance(value, (set, frozenset)) and not value:
        raise ConditionError(f"{written}: the set is empty; leave this action out")
    return _difference(label, form, value)


def if_not_exists(target: T, default: T) -> T:
    """What is stored at *target*, or *default* where nothing is: for `set_`."""
    path = path_of(target, "if_not_exists")
    if is_path(default) and data_of(default).steps == data_of(path).steps:
        raise ConditionError(
            f"if_not_exists({path!r}, {path!r}) is {path!r} itself, and DynamoDB refuses it"
        )
    return cast("T", IfNotExists(path, default))


def list_append(first: Sequence[T] | None, second: Sequence[T] | None) -> list[T]:
    """The members of both lists, one of which is a path: for `set_`."""
    for side in (first, second):
        if is_path(side) and "L" not in data_of(side).form.tags:
            raise ConditionError(
                f"list_append: {side!r} is {data_of(side).form.expected}, not a list"
            )
    return cast("list[T]", ListAppend(first, second))


def operands(value: object) -> tuple[PathOperand | Path, ...]:
    """The paths that an action's value is computed from."""
    if value is None or type(value) is Value:
        return ()
    if isinstance(value, (Path, PathOperand)):
        return (value,)
    if isinstance(value, Arithmetic):
        return (*operands(value.left), *operands(value.right))
    if isinstance(value, IfNotExists):
        return (value.path, *operands(value.default))
    if isinstance(value, ListAppend):
        return (*operands(value.first), *operands(value.second))
    return ()


def render_update(actions: Sequence[Action], placeholders: Placeholders) -> str:
    """The update expression: `SET … REMOVE … ADD … DELETE …`."""
    clauses = []
    stated = {each.clause for each in actions}
    for clause in _CLAUSES:
        if clause in stated:
            own = [each for each in actions if each.clause == clause]
            parts = [each.render(placeholders) for each in _by_position(clause, own)]
            clauses.append(f"{clause} {', '.join(parts)}")
    return placeholders.check(" ".join(clauses), "update")


def _by_position(clause: Clause, actions: list[Action]) -> list[Action]:
    """The actions of a clause, those inside lists in an order that means the same to every engine.

    To the service positions are those before the update, and what is set beyond a list's end is
    appended by position. The embedded engine takes one action after the other: so from the end where
    elements are removed, and from the beginning where they are set.
    """
    every = [part for each in actions for part in (each, *each.more)]
    if all(len(each.steps) == 1 for each in every):
        return actions
    taken = [part for each in actions for part in (attrs.evolve(each, more=()), *each.more)]
    if not any(isinstance(step, int) for each in taken for step in each.steps):
        return actions
    sign = -1 if clause == "REMOVE" else 1

    def positions(action: Action) -> list[int]:
        return [sign * step if isinstance(step, int) else 0 for step in action.steps]

    return sorted(taken, key=positions)


def check_overlap(actions: Sequence[Action]) -> None:
    """Refuse two actions where one changes what contains the other's place.

    Raises:
        ConditionError: Names both.
    """
    for position, one in enumerate(actions):
        for other in actions[position + 1 :]:
            shared = min(len(one.steps), len(other.steps))
            if one.steps[:shared] == other.steps[:shared]:
                raise ConditionError(
                    f"{one} and {other} change the same place; DynamoDB takes one action for it"
                )
