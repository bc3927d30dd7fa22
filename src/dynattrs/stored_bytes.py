"""Bytes of attribute values, which replies have as base64 text, for what is shown or handed out.

An item with the text would be written back as something else: boto3 sends it as the bytes of the text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from dynattrs import foreign_values


class KeptElsewhere:
    """Stands in an attribute value for bytes that are to be kept elsewhere, which requests do not take.

    Attributes:
        instead: The attribute value that was sent in its place; None as long as none was.
    """

    __slots__ = ()

    instead: Any

    @property
    def size(self) -> int:
        """How many bytes they are."""
        raise NotImplementedError


def size_elsewhere(value: Any) -> int:
    """How many bytes of an attribute value are to be kept elsewhere."""
    payload = value.get("B")
    return payload.size if isinstance(payload, KeptElsewhere) else 0


def with_bytes(value: Any) -> Any:
    """An attribute value with bytes; what is malformed stays as it is."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    ((tag, payload),) = value.items()
    try:
        if tag == "B":
            return {tag: _bytes(payload)}
        if tag == "BS":
            return {tag: [_bytes(member) for member in payload]}
        if tag == "L":
            return {tag: [with_bytes(member) for member in payload]}
        if tag == "M":
            return {tag: {name: with_bytes(member) for name, member in payload.items()}}
    except (AttributeError, TypeError, ValueError):
        pass
    return value


def item_with_bytes(item: Any) -> Any:
    """An attribute map with bytes; None, and what is none, stays as it is."""
    if not isinstance(item, Mapping):
        return item
    try:
        return {name: with_bytes(value) for name, value in item.items()}
    except RecursionError:  # it holds itself
        return dict(item)


def _bytes(payload: Any) -> Any:
    if isinstance(payload, str):
        return base64.b64decode(payload, validate=True)
    return foreign_values.plain(payload)
