"""Cursors: where a page ended, as text that another process can go on from.

A cursor holds the key attributes of the last item returned, of the table and of the index. It is
bound by a checksum to what gives it meaning: the table, the index, the key condition and the
direction. Filter values are left out of that, because they may hold the clock. With a secret the
checksum is a signature; without one a cursor can be read and made by anybody.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any, Final

from dynattrs import utf8
from dynattrs.errors import CursorError
from dynattrs.mapper.scalars import binary
from dynattrs.schema.messages import Message
from dynattrs.schema.table import KEY_TYPES, AttributeMap

_VERSION: Final = b"\x01"
_DIGEST_BYTES: Final = 16


def encode(key: AttributeMap, context: object, secret: bytes | None) -> str:
    """The cursor for going on after the item with these key attributes."""
    text = json.dumps(_plain(key), separators=(",", ":"), ensure_ascii=False)
    payload = utf8.as_bytes(text)
    return _text(_VERSION + _digest(payload, context, secret) + payload)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(
    cursor: object, names: Iterable[str], context: object, secret: bytes | None
) -> AttributeMap:
    """The key attributes in a cursor.

    Raises:
        CursorError: It is no cursor, is damaged, has a wrong signature, or is another query's.
    """
    if not isinstance(cursor, str):
        raise CursorError(f"a cursor is a str, as a page has it, not {type(cursor).__name__}")
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CursorError("this is no cursor; start from the beginning") from None
    if len(raw) <= 1 + _DIGEST_BYTES:
        raise CursorError("this is no cursor; start from the beginning")
    if raw[:1] != _VERSION:
        raise CursorError("this cursor is of another version of dynattrs; start from the beginning")
    # Base64 leaves the last letter some bits without a meaning: one cursor is one text.
    if _text(raw) != cursor:
        raise CursorError("this is no cursor; start from the beginning")
    digest, payload = raw[1 : 1 + _DIGEST_BYTES], raw[1 + _DIGEST_BYTES :]
    if not hmac.compare_digest(digest, _digest(payload, context, secret)):
        raise CursorError(
            "this cursor is damaged, or belongs to a query with another table, index, key condition "
            "or direction" + (", or has a wrong signature" if secret else "")
        )
    try:
        key = _typed(json.loads(payload))
    except (ValueError, TypeError, AttributeError, RecursionError):
        # Without a secret anybody can make the checksum of anything.
        raise CursorError("this is no cursor; start from the beginning") from None
    if key.keys() != set(names):
        raise CursorError("this cursor is of a table whose keys have changed since")
    return key


def _digest(payload: bytes, context: object, secret: bytes | None) -> bytes:
    text = json.dumps(context, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    bound = utf8.as_bytes(text)
    content = len(bound).to_bytes(4, "big") + bound + payload
    if secret is not None:
        return hmac.digest(secret, content, "sha256")[:_DIGEST_BYTES]
    return hashlib.sha256(content).digest()[:_DIGEST_BYTES]


def _plain(key: AttributeMap) -> dict[str, list[str]]:
    plain = {}
    for name in sorted(key):
        ((tag, payload),) = key[name].items()
        text = base64.b64encode(binary(payload)).decode() if tag == "B" else payload
        plain[name] = [tag, text]
    return plain


def _typed(plain: dict[str, list[str]]) -> AttributeMap:
    key: AttributeMap = {}
    for name, (tag, text) in plain.items():
        if tag not in KEY_TYPES or not isinstance(text, str):
            raise ValueError(plain)
        key[name] = {tag: base64.b64decode(text, validate=True) if tag == "B" else text}
    return key


def plain_condition(expressions: Message) -> Any:
    """A rendered key condition as JSON-able data."""
    values = expressions.get("ExpressionAttributeValues", {})
    return [
        expressions.get("KeyConditionExpression"),
        expressions.get("ExpressionAttributeNames"),
        _plain(values),
    ]
