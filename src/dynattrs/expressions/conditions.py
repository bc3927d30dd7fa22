"""Conditions: comparisons of paths with values and with each other, joined by `&`, `|` and `~`.

Operands go through the codec of the field that they are compared with, so that an enum, a date or
a renamed field compares as it is stored; a wrong one is refused where it is written.

A condition is sent as an expression string, in which every name and value is a placeholder, so that no
name can be a reserved word, hold a dot, or be mistaken for syntax.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

from dynattrs import limits
from dynattrs.errors import ConditionError
from dynattrs.expressions.paths import (
    ORDERED,
    Expression,
    Path,
    PathData,
    check_ordered,
    check_unpacked,
    data_of,
    is_path,
    no_truth,
    stored_none,
    unconverted,
)
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.late_classes import field, frozen
from dynattrs.quoting import HIDDEN, quoted, written
from dynattrs.schema.definitions import two_names
from dynattrs.schema.field_rules import ReadsObject
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ENCRYPTED, StoredForm
from dynattrs.schema.table import AttributeValue
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

Operator: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">="]
TypeTag: TypeAlias = Literal["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"]

_PYTHON: Final[dict[str, str]] = {"=": "==", "<>": "!="}
_MIRROR: Final[dict[Operator, Operator]] = {
    "=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="
}  # fmt: skip
SIZED: Final = frozenset({"S", "B", "L", "M", "SS", "NS", "BS"})


# --- Operands -----------------------------------------------------------------------------------


@frozen(eq=False, repr=False)
class Value:
    """A value as it is stored, and as it was written."""

    stored: AttributeValue
    written: Any

    def render(self, placeholders: Placeholders) -> str:
        return placeholders.value(self.stored)

    def __str__(self) -> str:
        return written(self.written)


@frozen(eq=False)
class PathOperand:
    path: Path
    steps: tuple[str | int, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "steps", self.path.__dynattrs_path__.steps)

    @property
    def form(self) -> StoredForm:
        return data_of(self.path).form

    def render(self, placeholders: Placeholders) -> str:
        return placeholders.path(self.steps)

    def __str__(self) -> str:
        return data_of(self.path).label


def place_operand(model: type[object], steps: tuple[str | int, ...], label: str) -> PathOperand:
    """Any place in an item as an operand that can only be rendered."""

    def no_form() -> tuple[StoredForm, str]:
        raise LookupError(f"{label} is rendered only")

    return PathOperand(Path(PathData(model, steps, label, no_form)))


@frozen(eq=False, repr=False)
class Size(Expression):
    """`size(path)`: characters, bytes or members. Compared with numbers."""

    path: Path

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        return f"size({placeholders.path(data_of(self.path).steps)})"

    def __str__(self) -> str:
        return f"size({data_of(self.path).label})"

    def __bool__(self) -> bool:
        raise no_truth(str(self))

    def operand(self, other: object) -> Operand:
        if isinstance(other, Size):
            return other
        if is_path(other):
            if "N" not in data_of(other).form.tags:
                raise ConditionError(
                    f"{self} is a number, {other!r} is {data_of(other).form.expected}"
                )
            return PathOperand(other)
        if type(other) is not int:
            raise ConditionError(f"{self} is compared with an int, not {quoted(other)}")
        return Value({"N": str(other)}, other)


Operand: TypeAlias = "Value | PathOperand | Size"


def encode_at(label: str, form: StoredForm, value: object) -> Value:
    """*value* as it is stored in a place, whose *label* is for the message.

    Raises:
        ConditionError: It has another type.
    """
    try:
        stored = form.dump(value)
        return Value(stored, value if form.packed != ENCRYPTED else HIDDEN)
    except Exception as error:
        expected = getattr(error, "expected", form.expected)
        found = getattr(error, "found", None) or f"{type(value).__name__} {quoted(value)}"
        hint = getattr(error, "hint", "")
        raise ConditionError(
            f"{label} goes with {expected}; found {found}" + (f"; {hint}" if hint else "")
        ) from None


def compared(path: Path, value: object) -> Any:
    """A value that is compared with a whole field, as the field's converter makes it. None is what is
    absent; one that a converter makes of the object is taken as it is.

    Raises:
        ConditionError: The converter refuses it.
    """
    data = path.__dynattrs_path__
    rules = data.rules
    if rules is None or value is None or isinstance(value, Expression):
        return value
    try:
        return rules.compared(value)
    except ReadsObject:
        return value
    except Exception as error:
        raise unconverted(data, value, error) from error


def operand_for(path: Path, value: object, form: StoredForm | None = None) -> Operand:
    """What stands on the other side of a comparison with *path*."""
    data = path.__dynattrs_path__
    own = form or data.form
    if own.packed:
        check_unpacked(path, "equality", own)
    if isinstance(value, Path):
        other = value.__dynattrs_path__
        check_unpacked(value, "equality")
        if other.model is not data.model:
            models = " and ".join(two_names(data.model, other.model))
            raise ConditionError(
                f"{data.label} and {other.label} are of different models, {models}; "
                f"a condition compares fields of one item"
            )
        if not own.tags & other.form.tags or own.packed != other.form.packed:
            raise ConditionError(
                f"{data.label} is {own.expected} and {other.label} is "
                f"{other.form.expected}; they are never equal and have no order"
            )
        if own.form != other.form.form:
            forms = " and ".join(each or "usual" for each in (own.form, other.form.form))
            raise ConditionError(f"{data.label} and {other.label} are stored differently: {forms}")
        if other.steps == data.steps:
            raise ConditionError(
                f"{other.label} is compared with itself, which DynamoDB refuses; "
                f"use exists({other.label}) or not_exists({other.label})"
            )
        return PathOperand(value)
    if isinstance(value, Size):
        return value
    if isinstance(value, Condition):
        raise ConditionError(
            f"{data.label} is compared with the condition {value}; "
            f"put parentheses around comparisons: (a == b) & (c == d)"
        )
    return encode_at(data.label, own.compared, value)


# --- Conditions -------------------------------------------------------------------------------


class Condition(Expression):
    """What must be true of an item. Joined with `&`, `|` and `~` (or `not_`)."""

    __slots__ = ()

    def render(self, placeholders: Placeholders) -> str:
        """The expression string, its names and values put into *placeholders*."""
        raise NotImplementedError

    def __and__(self, other: object) -> Condition:
        return all_conditions((self, condition(other)))

    def __rand__(self, other: object) -> Condition:
        return all_conditions((condition(other), self))

    def __or__(self, other: object) -> Condition:
        return any_conditions((self, condition(other)))

    def __ror__(self, other: object) -> Condition:
        return any_conditions((condition(other), self))

    def __invert__(self) -> Condition:
        return Not(self)

    def __bool__(self) -> bool:
        raise no_truth(f"the condition {self}")

    # Conditions are compared as what they say: a pickled one equals the one that it was made of.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Condition):
            return NotImplemented
        return self is other or _said(self) == _said(other)

    def __hash__(self) -> int:
        models, text, names, _ = _said(self)
        return hash((models, text, names))


@frozen(eq=False, repr=False)
class Comparison(Condition):
    operator: Operator
    left: Operand
    right: Operand

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        left, right = self.left.render(placeholders), self.right.render(placeholders)
        return f"{left} {self.operator} {right}"

    def __str__(self) -> str:
        return f"{self.left} {_PYTHON.get(self.operator, self.operator)} {self.right}"


@frozen(eq=False, repr=False)
class Between(Condition):
    operand: PathOperand | Size
    low: Operand
    high: Operand

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        operand, low = self.operand.render(placeholders), self.low.render(placeholders)
        first, last = self.low, self.high
        if isinstance(first, Value) and isinstance(last, Value) and first.stored == last.stored:
            # DynamoDB Local takes no key to go on after that is at the end of BETWEEN.
            return f"{operand} = {low}"
        high = self.high.render(placeholders)
        return f"{operand} BETWEEN {low} AND {high}"

    def __str__(self) -> str:
        return f"between({self.operand}, {self.low}, {self.high})"


@frozen(eq=False, repr=False)
class In(Condition):
    operand: PathOperand | Size
    values: tuple[Operand, ...]

    def render(self, placeholders: Placeholders) -> str:
        operand = self.operand.render(placeholders)
        parts = []
        for start in range(0, len(self.values), limits.IN_OPERANDS):
            chunk = self.values[start : start + limits.IN_OPERANDS]
            parts.append(f"{operand} IN ({', '.join(each.render(placeholders) for each in chunk)})")
        placeholders.operator(2 * len(parts) - 1)
        return " OR ".join(parts)

    def __str__(self) -> str:
        return f"in_({self.operand}, [{', '.join(map(str, self.values))}])"


@frozen(eq=False, repr=False)
class Function(Condition):
    """`begins_with`, `contains`, `attribute_exists`, `attribute_not_exists`, `attribute_type`."""

    service_name: str
    name: str
    operand: PathOperand
    argument: Operand | None = None

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        arguments = [self.operand.render(placeholders)]
        if self.argument is not None:
            arguments.append(self.argument.render(placeholders))
        return f"{self.service_name}({', '.join(arguments)})"

    def __str__(self) -> str:
        argument = f", {self.argument}" if self.argument is not None else ""
        return f"{self.name}({self.operand}{argument})"


@frozen(eq=False, repr=False)
class IsNone(Condition):
    """Absent or NULL, which are the two ways None is stored; or, negated, neither."""

    operand: PathOperand
    negated: bool = False

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator(3 if self.negated else 2)
        path = self.operand.render(placeholders)
        null = placeholders.value({"S": "NULL"})
        if self.negated:
            return f"(attribute_exists({path}) AND NOT attribute_type({path}, {null}))"
        return f"(attribute_not_exists({path}) OR attribute_type({path}, {null}))"

    def __invert__(self) -> Condition:
        return IsNone(self.operand, not self.negated)

    def __str__(self) -> str:
        return f"{'not_none' if self.negated else 'is_none'}({self.operand})"


@frozen(eq=False, repr=False)
class Joined(Condition):
    """Two or more conditions: all must be true, or one of them must be."""

    word: Literal["AND", "OR"]
    parts: tuple[Condition, ...]

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator(len(self.parts) - 1)
        return f" {self.word} ".join(_grouped(part, placeholders) for part in self.parts)

    def __str__(self) -> str:
        sign = " & " if self.word == "AND" else " | "
        return sign.join(f"({part})" for part in self.parts)


def _grouped(part: Condition, placeholders: Placeholders) -> str:
    text = part.render(placeholders)
    several = isinstance(part, In) and len(part.values) > limits.IN_OPERANDS
    # Not around everything: the service refuses parentheses that change nothing.
    return f"({text})" if several or isinstance(part, Joined) else text


@frozen(eq=False, repr=False)
class Not(Condition):
    part: Condition

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        return f"NOT ({self.part.render(placeholders)})"

    def __invert__(self) -> Condition:
        return self.part

    def __str__(self) -> str:
        return f"not_({self.part})"


@frozen(eq=False, repr=False)
class Constant(Condition):
    """Known without asking: `in_` of nothing, `between` bounds that are the wrong way round. It is
    folded away and never sent.
    """

    value: bool
    written: str

    def render(self, placeholders: Placeholders) -> str:
        raise AssertionError("a constant condition is folded, not rendered")

    def __invert__(self) -> Condition:
        return Constant(not self.value, f"not_({self.written})")

    def __str__(self) -> str:
        return self.written


def _said(part: Condition) -> tuple[frozenset[type[object]], str, tuple[str, ...], Any]:
    """What a condition says: its models, its expression, and the names and values in that."""
    if isinstance(part, Constant):
        return frozenset(), part.written, (), part.value
    placeholders = Placeholders()
    text = part.render(placeholders)
    return frozenset(models_of(part)), text, *placeholders.contents()


def models_of(part: object) -> set[type[object]]:
    """The models whose fields a condition names."""
    return {path.__dynattrs_path__.model for path in paths_in(part)}


def paths_in(part: object) -> Iterator[Path]:
    """Every path inside a condition."""
    if isinstance(part, PathOperand):
        yield part.path
    elif isinstance(part, Comparison):
        yield from paths_in(part.left)
        yield from paths_in(part.right)
    elif isinstance(part, Path):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from paths_in(each)
    elif isinstance(part, (Condition, Size)) and attrs.has(cls := type(part)):
        for field in attrs.fields(cls):
            yield from paths_in(getattr(part, field.name))


def condition(value: object) -> Condition:
    """A condition from what stands where one is expected: itself, or a bare boolean field.

    Raises:
        ConditionError: *value* is neither. A real `bool` comes from `is None`, `in`, or a
            comparison of values instead of paths.
    """
    if isinstance(value, Condition):
        return value
    if is_path(value):
        if data_of(value).form.tags != {"BOOL"}:
            raise ConditionError(
                f"{value!r} stands alone where a condition is expected, and is not a boolean field; "
                f"compare it, or use exists({value!r})"
            )
        return _compare(value, "=", True)
    if isinstance(value, bool):
        raise ConditionError(
            f"a condition is expected, found the plain {value}: `is None`, `in`, `not` and `and` "
            "never reach DynamoDB; use is_none(...), in_(...), not_(...) and `&`"
        )
    found = f"a condition is expected, found {type(value).__name__} {quoted(value)}"
    raise ConditionError(f"{found}; compare a field, with parentheses around each comparison")


def conjunctions(conditions: Iterable[Condition]) -> list[Condition]:
    """The conditions that must all be true, with `&` taken apart."""
    flat: list[Condition] = []
    for each in conditions:
        if isinstance(each, Joined) and each.word == "AND":
            flat.extend(conjunctions(each.parts))
        else:
            flat.append(each)
    return flat


def all_conditions(parts: Iterable[Condition]) -> Condition:
    return _join("AND", conjunctions(parts))


def any_conditions(parts: Iterable[Condition]) -> Condition:
    flat: list[Condition] = []
    for each in parts:
        flat.extend(each.parts if isinstance(each, Joined) and each.word == "OR" else (each,))
    return _join("OR", flat)


def _join(word: Literal["AND", "OR"], parts: list[Condition]) -> Condition:
    # False decides an AND, True an OR; the other one says nothing.
    decides = word == "OR"
    kept = []
    for part in parts:
        if isinstance(part, Constant):
            if part.value is decides:
                return part
        else:
            kept.append(part)
    if not kept:
        return parts[0]
    return kept[0] if len(kept) == 1 else Joined(word, tuple(kept))


def render(found: Condition, placeholders: Placeholders, what: str) -> str:
    """The expression of a condition, checked against the service's limits."""
    return placeholders.check(found.render(placeholders), what)


def expressions(
    key: Sequence[Condition], filter: Condition | None = None, projection: Iterable[str] = ()
) -> Message:
    """What a request to read says in expressions, with the names and values in them.

    Raises:
        ConditionError: One is beyond the service's limits.
    """
    placeholders, found = Placeholders(), {}
    if key:
        parts = [render(each, placeholders, "key condition") for each in key]
        found["KeyConditionExpression"] = " AND ".join(parts)
    if filter is not None:
        found["FilterExpression"] = render(filter, placeholders, "filter")
    if names := ", ".join(map(placeholders.name, projection)):
        found["ProjectionExpression"] = names
    placeholders.into(found)
    return found


# --- A path's operators -------------------------------------------------------------------------


def _compare(path: Path, operator: Operator, value: object) -> Condition:
    data = path.__dynattrs_path__
    value = compared(path, value)
    if value is None:
        if operator in ("=", "<>"):
            return none_at(path, negated=operator == "<>")
        raise ConditionError(f"{data.label} {operator} None: None has no order; use is_none(...)")
    if operator not in ("=", "<>"):
        check_ordered(path)
    empty = data.form.is_set and isinstance(value, (set, frozenset)) and not value
    if empty and data.is_field and not data.form.optional:
        # An empty set is not stored: such a field is absent.
        if operator == "=":
            return Function("attribute_not_exists", "not_exists", PathOperand(path))
        return Function("attribute_exists", "exists", PathOperand(path))
    operand = operand_for(path, value)
    if operator not in ("=", "<>"):
        check_order(data.label, operand)
    return Comparison(operator, PathOperand(path), operand)


def none_at(path: Path, *, negated: bool = False) -> Condition:
    """The condition that None is stored at a place, in whatever way; or, negated, that it is not."""
    found, operand = IsNone(PathOperand(path), negated), PathOperand(path)
    stored = stored_none(operand.form)
    if stored is None or "NULL" in stored:
        return found
    # As JSON, or compressed, None is text or bytes as any other value.
    other = Comparison("<>" if negated else "=", operand, Value(stored, None))
    return all_conditions((found, other)) if negated else any_conditions((found, other))


def check_order(label: str, operand: Operand) -> None:
    """Refuse a value without an order, of a field that may hold several types."""
    if isinstance(operand, PathOperand):
        check_unpacked(operand.path, "order")
    if isinstance(operand, Value) and operand.stored.keys().isdisjoint(ORDERED):
        raise ConditionError(
            f"{label} is compared with {operand}; only text, numbers and bytes have an order"
        )


def _install() -> None:
    """Give paths and sizes their operators."""

    def of_path(operator: Operator) -> Any:
        def compare(self: Path, other: object) -> Any:
            if isinstance(other, Size):
                return Comparison(_MIRROR[operator], other, other.operand(self))
            return _compare(self, operator, other)

        return compare

    def of_size(operator: Operator) -> Any:
        return lambda self, other: Comparison(operator, self, self.operand(other))

    operators: dict[str, Operator] = {
        "__eq__": "=", "__ne__": "<>", "__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="
    }  # fmt: skip
    for name, operator in operators.items():
        setattr(Path, name, of_path(operator))
        setattr(Size, name, of_size(operator))
    methods: Message = {
        "__and__": lambda self, other: condition(self) & other,
        "__rand__": lambda self, other: condition(other) & self,
        "__or__": lambda self, other: condition(self) | other,
        "__ror__": lambda self, other: condition(other) | self,
        "__invert__": lambda self: ~condition(self),
    }
    for name, method in methods.items():
        setattr(Path, name, method)


_install()
