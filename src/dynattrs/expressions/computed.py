"""What an update lets the service compute: `Song.plays + 1`, `if_not_exists(...)`, `list_append(...)`.

The plain values in them go through the codec of the field that they are written to.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import attrs

from dynattrs.errors import ConditionError
from dynattrs.expressions.conditions import PathOperand, Value, encode_at
from dynattrs.expressions.paths import Expression, Path, data_of, is_path, no_truth, unconverted
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.quoting import written
from dynattrs.schema.model_info import ENCRYPTED, StoredForm
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden


class Computed(Expression):
    """A value that the service computes: `Song.plays + 1`, `if_not_exists(...)`, `list_append(...)`.

    It has no truth value and is not a condition.
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
            f"{self} is compared with {shown(other)}: DynamoDB's conditions do not compute; compare "
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


def bound_to(value: object, form: StoredForm, target: str, whole: Whole | None = None) -> Any:
    if form.packed == ENCRYPTED and (isinstance(value, Computed) or is_path(value)):
        raise ConditionError(
            f"{target} is encrypted for its place in its item: DynamoDB can neither compute it nor copy it; "
            f"read the item, and set the value"
        )
    if isinstance(value, Computed):
        return value.bind(form, target, whole)
    if is_path(value):
        _check_kinds(value, form, target)
        return PathOperand(value)
    return encode_at(target, form, value)


def _term(value: object, form: StoredForm, target: str) -> Any:
    if isinstance(value, Computed) or is_path(value):
        return bound_to(value, form, target)
    return difference(target, form, value)


def difference(target: str, form: StoredForm, value: object) -> Value:
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
    if not form.reads(other):
        raise ConditionError(
            f"{target} is {form.expected}; {path!r} is {other.expected}, and with a copy of it the item "
            f"might not be read; read the value, and set it"
        )


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
        return f"{shown(self.left)} {self.operator} {shown(self.right)}"


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
        return attrs.evolve(self, default=bound_to(default, form, target, whole))

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        path = placeholders.path(data_of(self.path).steps)
        return f"if_not_exists({path}, {self.default.render(placeholders)})"

    def __str__(self) -> str:
        return f"if_not_exists({self.path!r}, {shown(self.default)})"


@attrs.frozen(eq=False, repr=False)
class ListAppend(Computed):
    first: Any
    second: Any

    def bind(self, form: StoredForm, target: str, whole: Whole | None = None) -> Computed:
        if "L" not in form.tags:
            raise ConditionError(f"{target} is {form.expected}; list_append makes lists")
        if form.length is not None:
            raise ConditionError(
                f"{target} is {form.expected}, which could not be read with more; set_ its members, or "
                f"all of it"
            )
        return attrs.evolve(
            self,
            first=bound_to(self.first, form, target),
            second=bound_to(self.second, form, target),
        )

    def render(self, placeholders: Placeholders) -> str:
        placeholders.operator()
        first, second = self.first.render(placeholders), self.second.render(placeholders)
        return f"list_append({first}, {second})"

    def __str__(self) -> str:
        return f"list_append({shown(self.first)}, {shown(self.second)})"


def shown(value: object) -> str:
    return str(value) if isinstance(value, (Computed, Value, PathOperand)) else written(value, 200)


def arithmetic(operator: Literal["+", "-"], left: object, right: object) -> Arithmetic:
    """`left + right`: the service takes one such in a value."""
    for side in (left, right):
        if isinstance(side, (Arithmetic, ListAppend)):
            raise ConditionError(
                f"{shown(left)} {operator} {shown(right)}: DynamoDB takes one + or - in a value; "
                f"add the constants up in Python"
            )
        if is_path(side) and "N" not in data_of(side).form.tags:
            raise ConditionError(
                f"{side!r} is {data_of(side).form.expected}; only numbers are computed with + and - "
                f"(lists with list_append, sets with add and delete)"
            )
    return Arithmetic(operator, left, right)


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
