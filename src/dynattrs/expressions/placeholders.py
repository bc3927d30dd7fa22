"""The names and values of a request's expressions, which stand in them as `#0` and `:0`.

So no name can be a reserved word, hold a dot, or be mistaken for syntax.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

from dynattrs import limits
from dynattrs.errors import ConditionError
from dynattrs.schema.messages import Message
from dynattrs.schema.table import AttributeValue

# Decimal's arithmetic rounds as the caller's context says. This one rounds no number of an item.
_ALL_DIGITS: Final = Context(prec=1000)


_NESTED: Final = frozenset(("L", "M"))
_SETS: Final = frozenset(("SS", "NS", "BS"))


class Placeholders:
    """The names and values of one request's expressions."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._contents: dict[str, AttributeValue] = {}
        self._operators = 0

    def name(self, name: str) -> str:
        return self._names.setdefault(name, f"#{len(self._names)}")

    def path(self, steps: tuple[str | int, ...]) -> str:
        """A document path: `#0.#1[2]`."""
        if len(steps) == 1:
            return self.name(str(steps[0]))
        text = ""
        for step in steps:
            text += f"[{step}]" if isinstance(step, int) else f".{self.name(step)}"
        return text[1:]

    def value(self, value: AttributeValue) -> str:
        value = _with_plain_numbers(value)
        # The embedded engine stores a list or map that two actions share once, for both.
        shared = _NESTED.isdisjoint(value)
        identity = repr(value) if shared else str(len(self._values))
        placeholder = self._values.get(identity)
        if placeholder is None:
            placeholder = self._values[identity] = f":{len(self._values)}"
            self._contents[placeholder] = value
        return placeholder

    def operator(self, count: int = 1) -> None:
        """Count operators or functions: an expression has at most 300."""
        self._operators += count

    def check(self, expression: str, what: str) -> str:
        """Refuse an expression that the service would refuse for its length.

        Raises:
            ConditionError: It is longer than 4 KB or has more than 300 operators.
        """
        # The limits are for each expression of a request; names and values are shared.
        operators, self._operators = self._operators, 0
        size = len(expression)  # it is ASCII: all that is not stands in names and values
        if size > limits.EXPRESSION_BYTES:
            raise ConditionError(
                f"the {what} is {size:,} bytes long; DynamoDB takes {limits.EXPRESSION_BYTES:,}: "
                f"state fewer conditions, or filter in Python"
            )
        if operators > limits.EXPRESSION_OPERATORS:
            raise ConditionError(
                f"the {what} has {operators} operators; DynamoDB takes "
                f"{limits.EXPRESSION_OPERATORS}: state fewer conditions, or filter in Python"
            )
        return expression

    def contents(self) -> tuple[tuple[str, ...], tuple[object, ...]]:
        """The names and the values, in the order of their numbers, the latter in a form to be compared."""
        return tuple(self._names), tuple(map(_comparable, self._contents.values()))

    def into(self, parameters: Message) -> None:
        """Add the names and values to a request's parameters, where there are any."""
        if self._names:
            parameters["ExpressionAttributeNames"] = {
                placeholder: name for name, placeholder in self._names.items()
            }
        if self._contents:
            parameters["ExpressionAttributeValues"] = dict(self._contents)


def _comparable(value: AttributeValue) -> object:
    """A value whose sets have no order."""
    ((tag, payload),) = value.items()
    if tag == "L":
        return tag, [*map(_comparable, payload)]
    if tag == "M":
        return tag, {name: _comparable(each) for name, each in payload.items()}
    return tag, frozenset(payload) if tag in _SETS else payload


def _with_plain_numbers(value: AttributeValue) -> AttributeValue:
    """A number, or a set of some, in the form that the service gives them: 1 for 1.0 and 1E+0.

    The service compares numbers by value. The embedded engine takes the members of sets by their text.
    """
    if "N" in value:
        return {"N": plain_number(value["N"])}
    return {"NS": [*map(plain_number, value["NS"])]} if "NS" in value else value


def plain_number(text: str) -> str:
    """The text of a number: one for each value."""
    if text.isdecimal() and text.isascii() and text[0] != "0":
        return text
    number = Decimal(text)
    return format(number.normalize(_ALL_DIGITS), "f") if number else "0"
