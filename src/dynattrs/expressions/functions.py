"""The functions that make conditions: `between`, `in_`, `begins_with`, `contains`, `exists`, …

Checkers see a `bool`, or an `int` for `size`; at run time they are conditions and operands.
"""

# mypy needs overloads that to pyright are never needed.
# pyright: reportOverlappingOverload=false

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast, overload

from dynattrs import foreign_values
from dynattrs.errors import ConditionError
from dynattrs.expressions.conditions import (
    SIZED,
    Between,
    Condition,
    Constant,
    Function,
    In,
    Operand,
    PathOperand,
    Size,
    TypeTag,
    Value,
    all_conditions,
    any_conditions,
    check_order,
    compared,
    condition,
    none_at,
    operand_for,
)
from dynattrs.expressions.paths import (
    Path,
    check_ordered,
    check_unpacked,
    data_of,
    is_path,
    path_of,
)
from dynattrs.quoting import quoted
from dynattrs.schema.ordering import order_of, place_of
from dynattrs.schema.table import AttributeValue
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from decimal import Decimal

    from dynattrs.expressions.operand_types import (
        FieldOf,
        N,
        Sized_,
        T,
        Textual,
        ValueOf,
    )


def _subject(value: object, function: str) -> PathOperand | Size:
    return value if isinstance(value, Size) else PathOperand(path_of(value, function))


def _whole(subject: PathOperand | Size, value: object) -> Any:
    """A value that is compared with all of *subject*, after the converter of a field."""
    return value if isinstance(subject, Size) else compared(subject.path, value)


def _other(subject: PathOperand | Size, value: object) -> Operand:
    return subject.operand(value) if isinstance(subject, Size) else operand_for(subject.path, value)


def _place(operand: Operand) -> Any:
    return place_of(operand.stored) if isinstance(operand, Value) else ("", str(operand))


def _as_bool(made: Condition) -> bool:
    """A condition as what checkers take it for."""
    return cast("bool", made)


def _function(service_name: str, name: str, path: Path, argument: Operand | None = None) -> bool:
    return _as_bool(Function(service_name, name, PathOperand(path), argument))


if TYPE_CHECKING:

    @overload
    def between(operand: FieldOf[T] | None, low: ValueOf[T], high: ValueOf[T]) -> bool: ...
    @overload
    def between(operand: FieldOf[str] | None, low: str, high: str) -> bool: ...
    @overload
    def between(operand: FieldOf[int] | None, low: int, high: int) -> bool: ...
    @overload
    def between(
        operand: FieldOf[Decimal] | None, low: Decimal | int, high: Decimal | int
    ) -> bool: ...


def between(operand: object, low: object, high: object) -> bool:
    """True if *operand* is between *low* and *high*, both included. If *low* is above *high*, nothing
    matches and nothing is sent.

    Raises:
        ConditionError: *operand* is not a path or cannot be ordered, or a bound has another type.
    """
    subject = _subject(operand, "between")
    if isinstance(subject, PathOperand):
        check_ordered(subject.path)
    low, high = _whole(subject, low), _whole(subject, high)
    if low is None or high is None:
        raise ConditionError(
            f"between({subject}, {quoted(low)}, {quoted(high)}): None has no order; write >= or <= for one "
            f"bound"
        )
    first, last = _other(subject, low), _other(subject, high)
    for bound in (first, last):
        check_order(str(subject), bound)
    if isinstance(first, Value) and isinstance(last, Value):
        written = f"between({subject}, {first}, {last})"
        if first.stored.keys() != last.stored.keys():
            raise ConditionError(f"{written}: the bounds are stored as values of different types")
        # The service refuses such bounds, though what they mean is clear.
        if order_of(first.stored) > order_of(last.stored):
            return _as_bool(Constant(value=False, written=written))
    return _as_bool(Between(subject, first, last))


if TYPE_CHECKING:

    @overload
    def in_(operand: FieldOf[T] | None, values: Iterable[ValueOf[T] | None]) -> bool: ...
    @overload
    def in_(operand: FieldOf[T] | None, values: Iterable[T | None]) -> bool: ...
    @overload
    def in_(operand: FieldOf[str] | None, values: Iterable[str | None]) -> bool: ...
    @overload
    def in_(operand: FieldOf[int] | None, values: Iterable[int | None]) -> bool: ...
    @overload
    def in_(operand: FieldOf[Decimal] | None, values: Iterable[Decimal | int | None]) -> bool: ...
    @overload
    def in_(operand: N | None, values: Iterable[N | None]) -> bool: ...


def in_(operand: object, values: Iterable[object]) -> bool:
    """True if *operand* equals one of *values*. Without values, nothing matches and nothing is sent. More
    than 100 values are split, because one IN takes at most 100.
    """
    subject = _subject(operand, "in_")
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ConditionError(f"in_({subject}, {quoted(values)}): a list of values is expected")
    given = [_whole(subject, value) for value in values]
    if not given:
        return _as_bool(Constant(value=False, written=f"in_({subject}, [])"))
    # (A size is never None: its operand refuses that.)
    some = [value for value in given if value is not None or isinstance(subject, Size)]
    none = len(some) != len(given)
    found: list[Condition] = []
    if some:
        others = [_other(subject, value) for value in some]
        if isinstance(values, (set, frozenset)):
            # A request that is repeated elsewhere with the same token has them in the same order.
            others.sort(key=_place)
        found.append(In(subject, tuple(others)))
    if none and isinstance(subject, PathOperand):
        found.append(none_at(subject.path))
    return _as_bool(any_conditions(found))


if TYPE_CHECKING:

    @overload
    def begins_with(operand: Textual | None, prefix: str) -> bool: ...
    @overload
    def begins_with(operand: bytes | None, prefix: bytes) -> bool: ...


def begins_with(operand: object, prefix: str | bytes) -> bool:
    """True if text or bytes begin with *prefix*.

    Raises:
        ConditionError: The field is not stored as text or bytes.
    """
    path = path_of(operand, "begins_with")
    form = data_of(path).form
    if not form.tags & {"S", "B"}:
        raise ConditionError(
            f"begins_with({path!r}, ...): {path!r} is {form.expected}; "
            f"only text and bytes have a beginning"
        )
    check_unpacked(path, "beginning")
    if is_path(prefix):
        check_unpacked(prefix, "beginning")
        return _function("begins_with", "begins_with", path, operand_for(path, prefix))
    plain = foreign_values.plain(prefix)
    # A prefix of a date, an id or an enum is not a date, id or enum: it is taken as text.
    if isinstance(plain, str) and "S" in form.tags:
        stored: AttributeValue = {"S": str.__str__(plain)}
    elif isinstance(plain, bytes) and "B" in form.tags:
        stored = {"B": bytes(plain)}
    else:
        raise ConditionError(
            f"begins_with({path!r}, {quoted(prefix)}): the prefix has another type"
        )
    return _function("begins_with", "begins_with", path, Value(stored, prefix))


if TYPE_CHECKING:

    @overload
    def contains(operand: str | None, value: str) -> bool: ...
    @overload
    def contains(operand: bytes | None, value: bytes) -> bool: ...
    @overload
    def contains(operand: list[T] | set[T] | None, value: ValueOf[T]) -> bool: ...
    @overload
    def contains(
        operand: FieldOf[frozenset[T]]
        | FieldOf[tuple[T, ...]]
        | FieldOf[Sequence[T]]
        | FieldOf[AbstractSet[T]]
        | None,
        value: ValueOf[T],
    ) -> bool: ...


def contains(operand: object, value: object) -> bool:
    """True if a set or list has *value* as a member, or if text contains it.

    Raises:
        ConditionError: The field is not a set, a list or text, or *value* does not have the type of its
            members.
    """
    path = path_of(operand, "contains")
    form = data_of(path).form
    check_unpacked(path, "parts")
    if form.element is not None and "M" not in form.tags:
        argument = operand_for(path, value, form.element)
    elif form.tags & {"S", "B", "L", "SS", "NS", "BS"}:
        argument = operand_for(path, value, form)
    else:
        raise ConditionError(
            f"contains({path!r}, ...): {path!r} is {form.expected}; "
            f"only text, bytes, lists and sets contain something"
        )
    return _function("contains", "contains", path, argument)


def exists(operand: object) -> bool:
    """True if the attribute is stored, even as NULL."""
    return _function("attribute_exists", "exists", path_of(operand, "exists"))


def not_exists(operand: object) -> bool:
    """True if the attribute is not stored at all."""
    return _function("attribute_not_exists", "not_exists", path_of(operand, "not_exists"))


def attribute_type(operand: object, type: TypeTag) -> bool:
    """True if the attribute is stored with this type tag, such as `"S"` or `"NULL"`."""
    path = path_of(operand, "attribute_type")
    if type not in ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"):
        raise ConditionError(
            f"attribute_type({path!r}, {quoted(type)}): a type tag such as 'S' is expected"
        )
    return _function("attribute_type", "attribute_type", path, Value({"S": type}, type))


def is_none(operand: object) -> bool:
    """True if the attribute is absent or NULL, the two ways to store None."""
    return _as_bool(none_at(path_of(operand, "is_none")))


def not_none(operand: object) -> bool:
    """True if the attribute is stored and is not NULL."""
    return _as_bool(none_at(path_of(operand, "not_none"), negated=True))


def size(operand: Sized_ | None) -> int:
    """The size of an attribute: the length of text and bytes, the number of members of lists, maps and sets.

    Raises:
        ConditionError: The field is a number, a boolean or None, which have no size.
    """
    path = path_of(operand, "size")
    if not data_of(path).form.tags & SIZED:
        raise ConditionError(
            f"size({path!r}): {path!r} is {data_of(path).form.expected}, without a size"
        )
    check_unpacked(path, "size")
    return cast("int", Size(path))


def not_(operand: bool) -> bool:
    """True if a condition is false. To type checkers it is a `bool`, while `~condition` is an `int`."""
    return _as_bool(~condition(operand))


def all_of(*conditions: bool) -> bool:
    """True if all *conditions* are true."""
    if not conditions:
        raise ConditionError("all_of() needs at least one condition")
    return _as_bool(all_conditions(condition(each) for each in conditions))


def any_of(*conditions: bool) -> bool:
    """True if at least one of *conditions* is true."""
    if not conditions:
        raise ConditionError("any_of() needs at least one condition")
    return _as_bool(any_conditions(condition(each) for each in conditions))
