"""How the service orders attribute values of one type, and the order of a set's members in a list."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from dynattrs import utf8
from dynattrs.schema.table import AttributeValue


def order_of(value: AttributeValue) -> Any:
    """Text, a number or bytes as the service orders values of one type: text by UTF-8 bytes."""
    ((tag, payload),) = value.items()
    if tag == "N":
        return Decimal(payload)
    return utf8.as_bytes(payload) if tag == "S" else payload


def in_order(members: Iterable[AttributeValue]) -> list[AttributeValue]:
    """The members of a set in the order in which a list has them: one for all sets that are equal, in
    every process. Python's own differs.
    """
    return sorted(members, key=place_of)


def place_of(value: AttributeValue) -> tuple[str, Any]:
    """What orders attribute values of all types: equal for those that are one value to the service."""
    ((tag, payload),) = value.items()
    if tag == "L":
        return tag, [place_of(each) for each in payload]
    if tag == "M":
        return tag, sorted((name, place_of(each)) for name, each in payload.items())
    if tag in ("SS", "NS", "BS"):
        return tag, sorted(order_of({tag[0]: each}) for each in payload)
    return tag, order_of(value)
