"""How the service orders attribute values of one type."""

from __future__ import annotations

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
