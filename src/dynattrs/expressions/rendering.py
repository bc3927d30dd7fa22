"""Expression strings: every name and value is a placeholder, each once in a request.

Placeholders everywhere, so that no name can be a reserved word, hold a dot, or be mistaken for
syntax: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
"""

from __future__ import annotations

from typing import Any

from dynattrs import limits
from dynattrs.errors import ConditionError
from dynattrs.schema.table import AttributeValue


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
        text = ""
        for step in steps:
            text += f"[{step}]" if isinstance(step, int) else f".{self.name(step)}"
        return text[1:]

    def value(self, value: AttributeValue) -> str:
        identity = repr(value)
        placeholder = self._values.get(identity)
        if placeholder is None:
            placeholder = self._values[identity] = f":{len(self._values)}"
            self._contents[placeholder] = value
        return placeholder

    def operator(self) -> None:
        """Count an operator or function: an expression has at most 300."""
        self._operators += 1

    def check(self, expression: str, what: str) -> str:
        """Refuse an expression that the service would refuse for its length.

        Raises:
            ConditionError: It is longer than 4 KB or has more than 300 operators.
        """
        # The limits are for each expression of a request; names and values are shared.
        operators, self._operators = self._operators, 0
        size = len(expression.encode())
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

    def into(self, parameters: dict[str, Any]) -> None:
        """Add the names and values to a request's parameters, where there are any."""
        if self._names:
            parameters["ExpressionAttributeNames"] = {
                placeholder: name for name, placeholder in self._names.items()
            }
        if self._contents:
            parameters["ExpressionAttributeValues"] = dict(self._contents)
