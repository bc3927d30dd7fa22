"""Cursors: where a page ended, as text that another process can go on from.

A cursor holds the key attributes of the last item returned, of the table and of the index. It is
bound by a checksum to what gives it meaning: the table, the index, the key condition and the
direction. Filter values are left out of that, because they may hold the clock. Where a query asks for
several parts of partitions, it holds the number of the part as well, and is bound to all of them. One of
a parallel scan holds the place of each segment. With a secret the checksum is a signature; without one a
cursor can be read and made by anyone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from dynattrs import utf8
from dynattrs.errors import CursorError
from dynattrs.expressions.conditions import expressions
from dynattrs.keys.plans import Plan
from dynattrs.mapper.scalars import binary
from dynattrs.schema.messages import Message
from dynattrs.schema.table import KEY_TYPES, AttributeMap

R = TypeVar("R")

_VERSION: Final = b"\x01"
_DIGEST_BYTES: Final = 16
#: What stands for a segment without a key to go on after.
_NOT_BEGUN: Final = 0
_ENDED: Final = 1


def encode(
    key: AttributeMap, context: object, secret: bytes | None, part: int | None = None
) -> str:
    """The cursor for going on after the item with these key attributes; in a *part* of what is asked, where
    there are several, from its beginning without a key.
    """
    plain = _plain(key)
    where = plain if part is None else [part, plain]
    text = json.dumps(where, separators=(",", ":"), ensure_ascii=False)
    payload = utf8.as_bytes(text)
    return _text(_VERSION + _digest(payload, context, secret) + payload)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encode_segments(
    places: Mapping[int, AttributeMap | None], total: int, context: object, secret: bytes | None
) -> str:
    """The cursor for going on with the segments of a scan that are not at their end: after the item with
    a key, or from the beginning.
    """
    types: dict[str, str] = {}
    text: list[Any] = [_ENDED] * total
    for segment, key in places.items():
        if key is None:
            text[segment] = _NOT_BEGUN
        else:
            plain = _plain(key)
            types = {name: tag for name, (tag, _) in plain.items()}
            text[segment] = [value for _, value in plain.values()]
    payload = utf8.as_bytes(json.dumps([types, text], separators=(",", ":"), ensure_ascii=False))
    return _text(_VERSION + _digest(payload, context, secret) + payload)


def decode_segments(
    cursor: object, names: Iterable[str], context: object, secret: bytes | None, total: int
) -> dict[int, AttributeMap | None]:
    """The segments in such a cursor, each with the key to go on after, or None.

    Raises:
        CursorError: As `decode`.
    """

    def typed(found: Any) -> dict[int, AttributeMap | None]:
        types, places = found
        left: dict[int, AttributeMap | None] = {}
        for segment, place in enumerate(places):
            if place == _NOT_BEGUN:
                left[segment] = None
            elif place != _ENDED:
                pairs = zip(types.items(), place, strict=True)
                left[segment] = _typed({name: [tag, value] for (name, tag), value in pairs})
        if len(places) != total or not left:
            raise ValueError(places)
        return left

    left = _read(_payload(cursor, context, secret), typed)
    for key in left.values():
        if key is not None:
            _check_names(key, names)
    return left


def decode(
    cursor: object, names: Iterable[str], context: object, secret: bytes | None
) -> AttributeMap:
    """The key attributes in a cursor.

    Raises:
        CursorError: It is not a cursor, is damaged, has a wrong signature, or is another query's.
    """
    key = _read(_payload(cursor, context, secret), _typed)
    _check_names(key, names)
    return key


def decode_part(
    cursor: object, names: Iterable[str], context: object, secret: bytes | None, parts: int
) -> tuple[int, AttributeMap]:
    """As `decode`, in one of *parts*: its number, and the key, which is empty at the beginning."""
    part, key = _read(_payload(cursor, context, secret), lambda found: (found[0], _typed(found[1])))
    if type(part) is not int or not 0 <= part < parts:
        raise CursorError("this is not a cursor; start from the beginning")
    if key:
        _check_names(key, names)
    return part, key


def _payload(cursor: object, context: object, secret: bytes | None) -> bytes:
    """What a cursor says, once it is known to be this query's."""
    if not isinstance(cursor, str):
        raise CursorError(f"a cursor is a str, as a page has it, not {type(cursor).__name__}")
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CursorError("this is not a cursor; start from the beginning") from None
    if len(raw) <= 1 + _DIGEST_BYTES:
        raise CursorError("this is not a cursor; start from the beginning")
    if raw[:1] != _VERSION:
        raise CursorError(
            "this cursor comes from another version of dynattrs; start from the beginning"
        )
    # Base64 leaves the last letter some bits without a meaning: one cursor is one text.
    if _text(raw) != cursor:
        raise CursorError("this is not a cursor; start from the beginning")
    digest, payload = raw[1 : 1 + _DIGEST_BYTES], raw[1 + _DIGEST_BYTES :]
    if not hmac.compare_digest(digest, _digest(payload, context, secret)):
        raise CursorError(
            "this cursor is damaged, or belongs to a query with another table, index, segment, key "
            "condition or direction" + (", or has a wrong signature" if secret else "")
        )
    return payload


def _read(payload: bytes, typed: Callable[[Any], R]) -> R:
    try:
        return typed(json.loads(payload))
    except (ValueError, TypeError, AttributeError, RecursionError, LookupError):
        # Without a secret anyone can make the checksum of anything.
        raise CursorError("this is not a cursor; start from the beginning") from None


def _check_names(key: AttributeMap, names: Iterable[str]) -> None:
    if key.keys() != set(names):
        raise CursorError(
            "this cursor is for a table whose keys have changed since; start from the beginning"
        )


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


def context_of(table: str, plan: Plan, *, reverse: bool) -> Any:
    """What gives a query's cursors their meaning, as JSON-able data."""
    asked = [_plain_condition(expressions(each.key)) for each in plan.requests]
    return [
        table,
        plan.index.name if plan.index else None,
        plan.operation,
        asked if plan.partitions else asked[0],
        reverse,
        *plan.kinds,
        *(["merged"] if plan.merged else ()),
    ]


def _plain_condition(rendered: Message) -> Any:
    """A rendered key condition as JSON-able data."""
    values = rendered.get("ExpressionAttributeValues", {})
    return [
        rendered.get("KeyConditionExpression"),
        rendered.get("ExpressionAttributeNames"),
        _plain(values),
    ]
