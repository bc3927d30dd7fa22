"""How large an item is to the service, and how deep.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

import base64
from typing import Any

from dynattrs import limits
from dynattrs.schema.table import AttributeMap, AttributeValue


class TooDeep(Exception):
    """A value is nested beyond the service's 32 levels; `args[0]` is the path to it."""


def item_size(item: AttributeMap) -> int:
    """The bytes that the service counts for *item*: names and values.

    Numbers count about a byte for two digits; the service's own count differs by a byte or two.

    Raises:
        TooDeep: A list or map is nested more than 32 levels deep.
    """
    return sum(len(name.encode()) + value_size(value, 1) for name, value in item.items())


def value_size(value: AttributeValue, depth: int) -> int:
    """The bytes of an attribute value; *depth* counts the lists and maps around it, from 1 for an
    attribute of the item.
    """
    ((tag, payload),) = value.items()
    if tag == "S":
        return len(payload) if payload.isascii() else len(payload.encode())
    if tag == "N":
        return _number_size(payload)
    if tag in ("BOOL", "NULL"):
        return 1
    if tag == "B":
        return _binary_size(payload)
    if tag == "M":
        _check_depth(depth)
        return 3 + sum(
            len(name.encode()) + 1 + value_size(member, depth + 1)
            for name, member in payload.items()
        )
    if tag == "L":
        _check_depth(depth)
        return 3 + sum(1 + value_size(member, depth + 1) for member in payload)
    if tag == "SS":
        return sum(len(member.encode()) for member in payload)
    if tag == "NS":
        return sum(map(_number_size, payload))
    return sum(map(_binary_size, payload))


def _check_depth(depth: int) -> None:
    if depth > limits.NESTING_DEPTH:
        raise TooDeep


def _number_size(text: str) -> int:
    return len(text.strip("-0.")) // 2 + 2


def _binary_size(payload: Any) -> int:
    # Bytes, or base64 text where an attribute map came from the wire untouched.
    return len(base64.b64decode(payload)) if isinstance(payload, str) else len(payload)
