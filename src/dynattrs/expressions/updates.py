"""Update actions: the changes that one UpdateItem makes.

    session.update(Song, key, set_(Song.plays, Song.plays + 1), remove(Song.year))

Values go through the codec of the field that they are written to, and a wrong one is refused where
it is written. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

# Of overloads that take the same, the first one decides. mypy needs some that to pyright are no use.
# mypy: disable-error-code="overload-overlap"
# pyright: reportOverlappingOverload=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, cast, overload

import attrs

from dynattrs.errors import ConditionError
from dynattrs.expressions.computed import (
    Computed,
    IfNotExists,
    ListAppend,
    Whole,
    bound_to,
    difference,
    shown,
)
from dynattrs.expressions.conditions import PathOperand, Value
from dynattrs.expressions.paths import (
    Expression,
    Path,
    data_of,
    is_path,
    no_truth,
    path_of,
    stored_none,
)
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.quoting import written as as_written
from dynattrs.schema.field_rules import ReadsObject
from dynattrs.schema.model_info import ENCRYPTED, StoredForm
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from decimal import Decimal

    from dynattrs.expressions.operand_types import D, FieldOf, N, Num, SequenceOf, ValueOf

T = TypeVar("T")

Clause: TypeAlias = Literal["SET", "REMOVE", "ADD", "DELETE"]

_CLAUSES: Final[tuple[Clause, ...]] = ("SET", "REMOVE", "ADD", "DELETE")
_SETS: Final = frozenset({"SS", "NS", "BS"})


# --- Actions ------------------------------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class Action(Expression):
    """One change of an update, made by `set_`, `put`, `remove`, `add`, `delete` or `on_insert`.

    Attributes:
        clause: The clause of the update expression that it belongs to.
        path: The place that is changed.
        value: The operand, or None for a removal.
        written: Its Python source, for messages.
        more: Further actions: of the other paths in `remove(Song.year, Song.genre)`, and of `on_insert`.
        stated: The value for a field as you gave it, after the field's converter.
        again: Makes the action for an object, if the field's converter looks at the object.
        on_insert: Whether it applies only to an item that an upsert creates.
        steps: The stored place of the change.
    """

    clause: Clause
    path: Path
    value: Value | PathOperand | Computed | None = None
    written: str = ""
    more: tuple[Action, ...] = ()
    stated: tuple[Any, ...] = ()
    again: partial[Action] | None = None
    on_insert: bool = False
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
        return attrs.evolve(self.again(obj), on_insert=self.on_insert)

    @property
    def computed(self) -> bool:
        """Whether the service finds out what is stored."""
        return self.clause in ("ADD", "DELETE") or isinstance(self.value, (PathOperand, Computed))

    # Compared as what it says: a pickled one equals the one that it was made of.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Action):
            return NotImplemented
        return self is other or self._said() == other._said()

    def __hash__(self) -> int:
        return hash((self.clause, self.steps, self.on_insert))

    def _said(self) -> tuple[Any, ...]:
        placeholders = Placeholders()
        text = self.render(placeholders)
        # Where it waits for an object, the value and how it was written.
        given = None if self.again is None else self.again.args[1:]
        model = data_of(self.path).model
        return model, self.clause, self.on_insert, text, *placeholders.contents(), given

    def render(self, placeholders: Placeholders) -> str:
        # SET and its kin do not count as operators (tried).
        if self.value is None:
            return ", ".join(placeholders.path(each.steps) for each in (self, *self.more))
        path = placeholders.path(self.steps)
        value = self.value.render(placeholders)
        return f"{path} = {value}" if self.clause == "SET" else f"{path} {value}"

    def __str__(self) -> str:
        if not self.on_insert:
            return self.written
        return f"on_insert({', '.join(each.written for each in (self, *self.more))})"


if TYPE_CHECKING:

    @overload
    def set_(target: FieldOf[T] | None, value: ValueOf[T] | None) -> Action: ...
    @overload
    def set_(target: FieldOf[Decimal] | None, value: Decimal | int | None) -> Action: ...
    @overload
    def set_(target: FieldOf[str] | None, value: str | None) -> Action: ...
    @overload
    def set_(target: FieldOf[int] | None, value: int | None) -> Action: ...
    @overload
    def set_(target: D | None, value: D | None) -> Action: ...
    @overload
    def set_(target: N | None, value: ValueOf[N] | None) -> Action: ...


def set_(target: object, value: object) -> Action:
    """Set a field, or a place inside one, to a value or to an expression that the service computes.

    None and the empty set are treated as in a save: if a save would leave the field out, it is removed.

    Raises:
        ConditionError: *target* is not a path, or *value* has another type.
    """
    return _action(path_of(target, "set_"), value, "set_({}, {})")


@attrs.frozen(eq=False, repr=False)
class Put(Expression, Generic[T]):
    """The beginning of an action, made by `put`."""

    _path: Path

    def to(self, value: T) -> Action:
        """Set the field to a value or to an expression that the service computes, like `set_`.

        Raises:
            ConditionError: *value* has another type.
        """
        return _action(self._path, value, "put({}).to({})")

    def __bool__(self) -> bool:
        raise no_truth(str(self))

    def __str__(self) -> str:
        return f"put({data_of(self._path).label})"


def put(target: T) -> Put[T]:
    """Set a field, or a place inside one: `put(Song.plays).to(3)` is `set_(Song.plays, 3)`.

    The difference is in type checking: the type comes from the field alone, so checkers also find a None or
    a literal that the field does not accept, and they accept values of any union.

    Raises:
        ConditionError: *target* is not a path.
    """
    return Put(path_of(target, "put"))


def _action(path: Path, value: object, form: str) -> Action:
    try:
        return _set(path, value, form, None)
    except ReadsObject:
        written = form.format(data_of(path).label, shown(value))
        return Action("SET", path, None, written, again=partial(_set, path, value, form))


def _set(path: Path, value: object, form: str, obj: object) -> Action:
    data = data_of(path)
    secret = data.form.packed == ENCRYPTED
    written = form.format(data.label, "..." if secret else shown(value))
    whole = Whole(path, obj)
    if not isinstance(value, Expression):
        value = whole.take(value)
    if _is_left_out(path, value):
        return Action("REMOVE", path, None, written, stated=tuple(whole.stated))
    if value is None and stored_none(data.form) is None:
        raise ConditionError(
            f"{written}: {data.label} is {data.form.expected} and never None; use remove(...)"
        )
    if data.stray:
        raise ConditionError(f"{written}: {data.stray}")
    bound = bound_to(value, data.form, data.label, whole)
    return Action("SET", path, bound, written, stated=tuple(whole.stated))


def _is_left_out(path: Path, value: object) -> bool:
    data = data_of(path)
    if value is None:
        return data.sparse
    empty_set = isinstance(value, (set, frozenset)) and not value
    return empty_set and data.form.is_set and not data.form.optional and data.is_field


def remove(target: object, *more: object) -> Action:
    """Remove attributes, keys of maps or elements of lists: `remove(Song.year, Song.notes[0])`.

    Removing an absent attribute is not an error.

    Raises:
        ConditionError: One of them is not a path, or a member of a tuple of a fixed length.
    """
    paths = [path_of(each, "remove") for each in (target, *more)]
    for path in paths:
        if data_of(path).counted:
            raise ConditionError(
                f"remove({path!r}): it is a member of a tuple, which could not be read with one less; set_ "
                f"it, or all of the tuple"
            )
    first, *others = (Action("REMOVE", path, None, f"remove({path!r})") for path in paths)
    if not others:
        return first
    written = f"remove({', '.join(map(repr, paths))})"
    return attrs.evolve(first, written=written, more=tuple(others))


def one_by_one(actions: Iterable[object]) -> Iterator[object]:
    """The actions, with those of several paths taken apart."""
    for each in actions:
        if isinstance(each, Action) and each.more:
            written = each.written if each.on_insert else f"remove({each.path!r})"
            yield attrs.evolve(each, written=written, more=())
            yield from each.more
        else:
            yield each


def on_insert(action: Action, *more: Action) -> Action:
    """Apply actions only if the upsert creates the item: `update(Song, key, add(Song.plays, 1),
    on_insert(set_(Song.genre, "jazz")), upsert=True)`.

    An existing item keeps what it has there, even if the attribute is absent.

    Raises:
        ConditionError: One of them is not an action.
    """
    for each in (action, *more):
        if not isinstance(each, Action):
            raise ConditionError(
                f"on_insert takes actions, such as on_insert(set_(Song.genre, 'jazz')), found {each!r}"
            )
    first, *others = (
        attrs.evolve(part, on_insert=True)
        for part in cast("Iterator[Action]", one_by_one((action, *more)))
    )
    return attrs.evolve(first, more=tuple(others))


if TYPE_CHECKING:

    @overload
    def add(target: FieldOf[Num] | None, value: ValueOf[Num]) -> Action: ...
    @overload
    def add(target: FieldOf[Decimal] | None, value: Decimal | int) -> Action: ...
    @overload
    def add(target: set[T] | None, value: AbstractSet[ValueOf[T]]) -> Action: ...
    @overload
    def add(target: set[T] | None, value: AbstractSet[T]) -> Action: ...
    @overload
    def add(
        target: FieldOf[frozenset[T]] | FieldOf[AbstractSet[T]] | None,
        value: AbstractSet[T],
    ) -> Action: ...


def add(target: object, value: object) -> Action:
    """Add to a number, or add members to a set. An absent number starts at 0, an absent set empty.

    Raises:
        ConditionError: The field is neither a number nor a set, or *value* has another type.
    """
    path = path_of(target, "add")
    data = data_of(path)
    written = f"add({data.label}, {as_written(value, 200)})"
    if data.stray:
        raise ConditionError(f"{written}: {data.stray}")
    if not data.form.tags <= _SETS | {"N"}:
        raise ConditionError(
            f"{written}: {data.label} is {data.form.expected}; add works on numbers and on sets of "
            f"text, numbers or bytes"
        )
    return Action("ADD", path, _members(data.label, data.form, value, written), written)


if TYPE_CHECKING:

    @overload
    def delete(target: set[T] | None, value: AbstractSet[ValueOf[T]]) -> Action: ...
    @overload
    def delete(target: set[T] | None, value: AbstractSet[T]) -> Action: ...
    @overload
    def delete(
        target: FieldOf[frozenset[T]] | FieldOf[AbstractSet[T]] | None,
        value: AbstractSet[T],
    ) -> Action: ...


def delete(target: object, value: object) -> Action:
    """Delete members from a set.

    Raises:
        ConditionError: The field is not a set of text, numbers or bytes.
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
    return difference(label, form, value)


if TYPE_CHECKING:

    @overload
    def if_not_exists(target: FieldOf[T] | None, default: ValueOf[T] | None) -> T: ...
    @overload
    def if_not_exists(target: FieldOf[Decimal] | None, default: Decimal | int) -> Decimal: ...
    @overload
    def if_not_exists(target: FieldOf[str] | None, default: str) -> str: ...
    @overload
    def if_not_exists(target: FieldOf[int] | None, default: int) -> int: ...
    @overload
    def if_not_exists(target: D | None, default: D) -> D: ...
    @overload
    def if_not_exists(target: N | None, default: ValueOf[N]) -> N: ...


def if_not_exists(target: object, default: object) -> Any:
    """The value stored at *target*, or *default* if there is none: for use in `set_`."""
    path = path_of(target, "if_not_exists")
    if is_path(default) and data_of(default).steps == data_of(path).steps:
        raise ConditionError(
            f"if_not_exists({path!r}, {path!r}) is {path!r} itself, and DynamoDB refuses it"
        )
    return IfNotExists(path, default)


if TYPE_CHECKING:

    @overload
    def list_append(first: list[T] | None, second: SequenceOf[T] | None) -> list[T]: ...
    @overload
    def list_append(first: SequenceOf[T] | None, second: list[T] | None) -> list[T]: ...
    @overload
    def list_append(first: list[T] | None, second: Sequence[T] | None) -> list[T]: ...
    @overload
    def list_append(first: Sequence[T] | None, second: list[T] | None) -> list[T]: ...
    @overload
    def list_append(
        first: FieldOf[tuple[T, ...]] | None, second: tuple[T, ...] | None
    ) -> tuple[T, ...]: ...
    @overload
    def list_append(
        first: tuple[T, ...] | None, second: FieldOf[tuple[T, ...]] | None
    ) -> tuple[T, ...]: ...


def list_append(first: object, second: object) -> Any:
    """The members of both lists, at least one of them a path: for use in `set_`."""
    for side in (first, second):
        if is_path(side) and "L" not in data_of(side).form.tags:
            raise ConditionError(
                f"list_append: {side!r} is {data_of(side).form.expected}, not a list"
            )
    return ListAppend(first, second)


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
    inside = [each for each in actions if each.more or len(each.steps) > 1]
    if not inside:
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
                why = "DynamoDB takes one action for it"
                if one.on_insert is not other.on_insert:
                    why = "both are done to the item that an upsert makes; leave one of them out"
                raise ConditionError(f"{one} and {other} change the same place; {why}")
