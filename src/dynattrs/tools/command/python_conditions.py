"""Conditions in Python's syntax: `artist == "Nina Simone" and 1960 <= year < 1970`.

The text is parsed and never run: what is not listed here is refused. A name is a field of a model, so a
comparison of two constants, which would mean nothing to DynamoDB, is refused as well.

https://docs.python.org/3/library/ast.html
"""

from __future__ import annotations

import ast
import base64
import contextlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

import attrs

from dynattrs.errors import ConditionError
from dynattrs.expressions import functions
from dynattrs.expressions.paths import Path, data_of, did_you_mean, is_path
from dynattrs.models.model import path as path_of
from dynattrs.operations.item_keys import key_parts
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import ModelInfo, StoredForm

R = TypeVar("R")

_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: lambda one, other: one == other,
    ast.NotEq: lambda one, other: one != other,
    ast.Lt: lambda one, other: one < other,
    ast.LtE: lambda one, other: one <= other,
    ast.Gt: lambda one, other: one > other,
    ast.GtE: lambda one, other: one >= other,
}
#: Values that are written as calls. One text is what they are written as in ISO 8601.
_VALUES: Final[Mapping[str, Callable[..., Any]]] = {
    "Decimal": Decimal,
    "UUID": UUID,
    "date": date,
    "datetime": datetime,
    "time": time,
    "timedelta": timedelta,
}
#: Functions of one path.
_OF_PATHS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "exists": functions.exists,
    "not_exists": functions.not_exists,
    "is_none": functions.is_none,
    "not_none": functions.not_none,
}
_FUNCTIONS: Final = (
    *_OF_PATHS, "all_of", "any_of", "attribute_type", "begins_with", "between", "contains", "in_", "not_",
)  # fmt: skip
_SIZES: Final = ("size", "len")


def condition_of(text: str, infos: Sequence[ModelInfo]) -> bool:
    """The condition that a text says, of the items of some models of one table.

    A name is the field of the first of them that has it; `Order.number` names the model as well.

    Raises:
        ConditionError: It is not a condition, or one that cannot be sent; the message names the part.
    """
    return _read(text, _Reader(text, infos).condition)


def path_in(text: str, infos: Sequence[ModelInfo]) -> Path:
    """The path that a text says, such as `address.city` or `lines[0].price`.

    Raises:
        ConditionError: It is none, or no field has the name.
    """
    return _read(text, _Reader(text, infos).path)


def key_in(text: str, info: ModelInfo) -> dict[str, Any]:
    """The key that a text says, such as `artist == "Nina Simone" and title == "Sinnerman"`.

    Raises:
        ConditionError: It says something else than what each field of the key is equal to.
    """
    reader = _Reader(text, [info])
    parts = {part.name: part.codec for part in key_parts(info)}
    found: dict[str, Any] = {}
    for node in _conjunction(_parsed(text)):
        name = ast.unparse(node.left) if isinstance(node, ast.Compare) else ""
        name = name.removeprefix(f"{info.name}.")
        if (
            not isinstance(node, ast.Compare)
            or [type(each) for each in node.ops] != [ast.Eq]
            or name not in parts
            or name in found
        ):
            raise ConditionError(
                f"{ast.unparse(node)}: a key takes one == for each of its fields, "
                f"{' and '.join(parts)}, joined by `and`"
            )
        found[name] = reader.literal(node.comparators[0]).fitting(parts[name])
    missing = [name for name in parts if name not in found]
    if missing:
        raise ConditionError(f"the key of {info.name} has also {' and '.join(missing)}")
    return found


def value_of(text: str, form: StoredForm) -> Any:
    """The value that a text of the command line is, for a place that is stored in some form: `42` is a
    number where that is a number's, and text where it is text's. Bytes are base64, as they are printed.
    """
    if form.tags == {"B"}:
        with contextlib.suppress(Exception):  # it is none, or of another type
            return form.load({"B": base64.b64decode(text, validate=True)})
    return _Literal(text, text, bare=True).fitting(form)


def _read(text: str, read: Callable[[ast.expr], R]) -> R:
    try:
        return read(_parsed(text))
    except RecursionError:
        raise ConditionError(f"{quoted(text)} is nested too deeply") from None


def _parsed(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of comparisons that Python would not make
            return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ConditionError(f"{quoted(text)} is not a Python expression: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConditionError(f"{quoted(text)} is not a condition: {error}") from None


def _conjunction(node: ast.expr) -> Iterable[ast.expr]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for each in node.values:
            yield from _conjunction(each)
    else:
        yield node


@attrs.frozen
class _Literal:
    """A value that a condition compares with.

    Attributes:
        value: The value.
        written: How it was written, if it is a number or text: a number with all its digits.
        bare: Whether it was written without quotes, so that it may be a number.
    """

    value: Any
    written: str | None = None
    bare: bool = False

    def fitting(self, form: StoredForm) -> Any:
        """The value as a place takes it: as it is, or else as the place would read it if it were stored
        so. `"jazz"` is the member of an enum, `"2026-01-02"` a date, and 1.10 a Decimal.
        """
        for value in self._readings(form):
            try:
                form.dump(value)
            except Exception:  # noqa: S112 - of another type
                continue
            return value
        return self.value  # which is refused where it is used, saying what is expected

    def _readings(self, form: StoredForm) -> Iterable[Any]:
        yield self.value
        if self.written is None:
            return
        text = isinstance(self.value, str)
        for tag, possible in (("S", text), ("N", not text or self.bare)):
            if possible and tag in form.tags:
                with contextlib.suppress(Exception):  # it is of another type
                    yield form.load({tag: self.written})


class _Reader:
    def __init__(self, text: str, infos: Sequence[ModelInfo]) -> None:
        self._text = text
        self._infos = infos

    # --- Conditions ---

    def condition(self, node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp):
            join = functions.all_of if isinstance(node.op, ast.And) else functions.any_of
            return join(*map(self.condition, node.values))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
            return functions.not_(self.condition(node.operand))
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            join = functions.all_of if isinstance(node.op, ast.BitAnd) else functions.any_of
            return join(self.condition(node.left), self.condition(node.right))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call):
            return self._function(node)
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            found: Any = self.path(node)
            if data_of(found).form.tags != {"BOOL"}:
                raise self._refused(node, "it is not a condition: compare it with something")
            return _as_condition(found == True)  # noqa: E712
        raise self._refused(
            node, "a condition compares a field with something, or is a function of one"
        )

    def _comparison(self, node: ast.Compare) -> bool:
        operands = [node.left, *node.comparators]
        found = [
            self._pair(one, operator, other)
            for one, operator, other in zip(operands, node.ops, operands[1:], strict=False)
        ]
        return found[0] if len(found) == 1 else functions.all_of(*found)

    def _pair(self, one: ast.expr, operator: ast.cmpop, other: ast.expr) -> bool:
        if isinstance(operator, (ast.In, ast.NotIn)):
            found = self._membership(one, other)
            return functions.not_(found) if isinstance(operator, ast.NotIn) else found
        left, right = self._operand(one), self._operand(other)
        if isinstance(left, _Literal) and isinstance(right, _Literal):
            shown = f"{ast.unparse(one)} and {ast.unparse(other)}"
            raise ConditionError(
                f"{self._shown}: {shown} are both constants; one side of a comparison is a field"
                f"{self._there_are()}"
            )
        if isinstance(operator, (ast.Is, ast.IsNot)):
            if not (isinstance(right, _Literal) and right.value is None):
                raise self._refused(other, "`is` is for None")
            test = functions.is_none if isinstance(operator, ast.Is) else functions.not_none
            return test(left)
        compare = _COMPARISONS[type(operator)]
        return _as_condition(compare(_fitted(left, right), _fitted(right, left)))

    def _membership(self, one: ast.expr, other: ast.expr) -> bool:
        if isinstance(other, (ast.List, ast.Tuple, ast.Set)):
            return self._in(one, other.elts)
        container = self.path(other)
        return self._contains(container, one)

    def _in(self, one: ast.expr, values: Sequence[ast.expr]) -> bool:
        operand = self._operand(one)
        if isinstance(operand, _Literal):
            raise self._refused(one, "it is not a field: `field in [...]`, or `value in field`")
        return functions.in_(operand, [_fitted(self.literal(each), operand) for each in values])

    def _contains(self, container: Path, value: ast.expr) -> bool:
        operand = self._operand(value)
        form = data_of(container).form
        if isinstance(operand, _Literal):
            member = form.element if form.element is not None and "M" not in form.tags else form
            operand = operand.fitting(member)
        return functions.contains(_untyped(container), operand)

    def _function(self, node: ast.Call) -> bool:
        name, arguments = self._called(node)
        if name == "startswith" and isinstance(node.func, ast.Attribute):
            self._count(node, name, arguments, 1)
            prefix = self.literal(arguments[0]).value
            return functions.begins_with(_untyped(self.path(node.func.value)), prefix)
        if not isinstance(node.func, ast.Name) or name not in _FUNCTIONS:
            known = did_you_mean(name, (*_FUNCTIONS, "size"))
            raise self._refused(node.func, f"it is not a function of conditions{known}")
        if name in _OF_PATHS:
            self._count(node, name, arguments, 1)
            return _OF_PATHS[name](self.path(arguments[0]))
        if name in ("all_of", "any_of"):
            join = functions.all_of if name == "all_of" else functions.any_of
            return join(*map(self.condition, arguments))
        if name == "not_":
            self._count(node, name, arguments, 1)
            return functions.not_(self.condition(arguments[0]))
        if name == "between":
            self._count(node, name, arguments, 3)
            operand = self._operand(arguments[0])
            bounds = [_fitted(self._operand(each), operand) for each in arguments[1:]]
            return functions.between(_plain(operand), *bounds)
        self._count(node, name, arguments, 2)
        if name == "in_":
            if not isinstance(arguments[1], (ast.List, ast.Tuple, ast.Set)):
                raise self._refused(arguments[1], "a list of values is expected")
            return self._in(arguments[0], arguments[1].elts)
        path = self.path(arguments[0])
        if name == "contains":
            return self._contains(path, arguments[1])
        operand = self._operand(arguments[1])
        if name == "begins_with":
            return functions.begins_with(_untyped(path), _plain(operand))
        return functions.attribute_type(path, _plain(operand))

    def _called(self, node: ast.Call) -> tuple[str, list[ast.expr]]:
        if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            raise self._refused(
                node, "functions of conditions take no named and no starred arguments"
            )
        return ast.unparse(node.func).rpartition(".")[2], node.args

    def _count(self, node: ast.Call, name: str, arguments: Sequence[object], count: int) -> None:
        if len(arguments) != count:
            raise self._refused(node, f"{name} takes {count} arguments, found {len(arguments)}")

    # --- Operands ---

    def _operand(self, node: ast.expr) -> Any:
        """A path, a size, or a literal."""
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            return self.path(node)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in _SIZES
        ):
            name, arguments = self._called(node)
            self._count(node, name, arguments, 1)
            return functions.size(_untyped(self.path(arguments[0])))
        return self.literal(node)

    def path(self, node: ast.expr) -> Path:
        """The path that a part of the text says."""
        if isinstance(node, ast.Name):
            for info in self._infos:
                if node.id in info.names:
                    return _field(info, node.id)
            raise self._refused(
                node, f"there is no field of that name{self._did_you_mean(node.id)}"
            )
        if isinstance(node, ast.Attribute):
            for info in self._infos:
                if isinstance(node.value, ast.Name) and node.value.id == info.name:
                    if node.attr not in info.names:
                        known = did_you_mean(node.attr, info.names)
                        raise self._refused(node, f"{info.name} has no field {node.attr!r}{known}")
                    return _field(info, node.attr)
            found: Any = self.path(node.value)
            if node.attr.startswith("__"):
                raise self._refused(node, "there is no field of that name")
            try:
                inner = getattr(found, node.attr)
            except AttributeError as error:
                raise ConditionError(f"{self._shown}: {error}") from None
            assert is_path(inner)
            return inner
        if isinstance(node, ast.Subscript):
            outer = self.path(node.value)
            return outer[self.literal(node.slice).value]
        raise self._refused(node, f"a field is expected{self._there_are()}")

    def literal(self, node: ast.expr) -> _Literal:
        """The value that a part of the text says."""
        if isinstance(node, ast.Constant):
            value = node.value
            if type(value) in (int, float):
                return _Literal(value, ast.get_source_segment(self._text.strip(), node))
            if value is None or type(value) in (str, bytes, bool):
                return _Literal(value, value if isinstance(value, str) else None)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            inner = self.literal(node.operand)
            if type(inner.value) in (int, float, Decimal, timedelta):
                minus = isinstance(node.op, ast.USub)
                written = inner.written and ("-" if minus else "") + inner.written
                return _Literal(-inner.value if minus else inner.value, written)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            values = [self.literal(each).value for each in node.elts]
            made: Any = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return _Literal(made(values))
        if isinstance(node, ast.Dict):
            keys = [None if key is None else self.literal(key).value for key in node.keys]
            return _Literal(
                dict(zip(keys, (self.literal(each).value for each in node.values), strict=True))
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            make = _VALUES.get(node.func.id)
            if make is not None:
                return _Literal(self._made(node, make))
        values_shown = ", ".join(f"{name}(...)" for name in _VALUES)
        raise self._refused(
            node, f"it is neither a field nor a value; values are constants and {values_shown}"
        )

    def _made(self, node: ast.Call, make: Callable[..., Any]) -> Any:
        arguments = [self._argument(each) for each in node.args]
        named = {each.arg: self._argument(each.value) for each in node.keywords if each.arg}
        iso = getattr(make, "fromisoformat", None)
        try:
            if iso is not None and len(arguments) == 1 and isinstance(arguments[0], str):
                # Python before 3.11 does not know the letter.
                text = arguments[0]
                return iso(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
            return make(*arguments, **named)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise self._refused(node, f"{type(error).__name__}: {error}") from None

    def _argument(self, node: ast.expr) -> Any:
        if ast.unparse(node) in ("UTC", "timezone.utc"):
            return timezone.utc
        return self.literal(node).value

    # --- Messages ---

    @property
    def _shown(self) -> str:
        return quoted(self._text, 200)

    def _refused(self, node: ast.expr, problem: str) -> ConditionError:
        return ConditionError(f"{self._shown}: {ast.unparse(node)}: {problem}")

    def _there_are(self) -> str:
        names = dict.fromkeys(name for info in self._infos for name in info.names)
        return f"; fields are {', '.join(names)}"

    def _did_you_mean(self, name: str) -> str:
        return did_you_mean(name, dict.fromkeys(n for info in self._infos for n in info.names))


def _field(info: ModelInfo, name: str) -> Path:
    found: object = getattr(path_of(info.cls), name)
    assert is_path(found)
    return found


def _fitted(operand: Any, beside: Any) -> Any:
    """An operand as it is compared with another one: a literal as that takes it."""
    if not isinstance(operand, _Literal):
        return operand
    return operand.fitting(data_of(beside).form) if is_path(beside) else operand.value


def _plain(operand: Any) -> Any:
    return operand.value if isinstance(operand, _Literal) else operand


def _untyped(path: Path) -> Any:
    """A path where checkers expect the type of a field."""
    return path


def _as_condition(found: Any) -> bool:
    """What a comparison has made, which checkers take for its result."""
    made: bool = found
    return made
