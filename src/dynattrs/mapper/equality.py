"""Whether stored values are one value to the service: numbers by value, sets without order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from typing import Any, Final

from dynattrs.mapper.scalars import binary
from dynattrs.schema.table import AttributeValue


def same(one: Mapping[str, AttributeValue], other: Mapping[str, AttributeValue]) -> bool:
    """Whether two attribute maps are the same to the service."""
    return comparable({"M": one}) == comparable({"M": other})


def comparable(value: Mapping[str, Any]) -> tuple[str, Hashable | Mapping[str, Any]]:
    """An attribute value in a form that is equal where the service's value is: 1 and 1.0 are one
    number, sets have no order, and B may be bytes or base64 text.
    """
    ((tag, payload),) = value.items()
    form = _FORMS.get(tag)
    return tag, payload if form is None else form(payload)


_FORMS: Final[dict[str, Callable[[Any], Any]]] = {
    "N": Decimal,
    "B": binary,
    "SS": frozenset,
    "NS": lambda members: frozenset(map(Decimal, members)),
    "BS": lambda members: frozenset(map(binary, members)),
    "L": lambda members: [comparable(member) for member in members],
    "M": lambda members: {name: comparable(member) for name, member in members.items()},
}
