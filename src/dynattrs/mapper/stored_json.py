"""Stored values as JSON, as requests have them: what the code of `request_code` calls.

Each function takes a value and gives the bytes of `{"S":"text"}`, or of what stands in its place. What
is usual is written at once, and the codec makes the attribute value of everything else, which raises
where the value is wrong.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

import msgspec

from dynattrs import limits
from dynattrs.mapper.anything import SCALARS as ANY_SCALARS
from dynattrs.mapper.anything import distinct
from dynattrs.mapper.carried import Carried, StoredKey
from dynattrs.mapper.codec import Codec
from dynattrs.mapper.numbers import plain_number
from dynattrs.mapper.scalars import PLAIN, binary
from dynattrs.mapper.size import item_size, value_size
from dynattrs.schema.table import AttributeMap

#: The JSON of text, bytes, dates, UUIDs: each is as DynamoDB's is.
encode: Final = msgspec.json.Encoder().encode

UTC: Final = dt.timezone.utc
#: Ints between these have digits enough.
MOST: Final = 10**limits.NUMBER_DIGITS
LEAST: Final = -MOST

TEXT: Final = frozenset({str})
SETS: Final = (set, frozenset)
SETS_OR_NONE: Final = (*SETS, type(None))
NULL: Final = b'{"NULL":true}'
NO_MEMBERS: Final = b'{"L":[]}'


class Unusual(Exception):
    """The fast way met what only the general one may judge."""


def leave_to_dump(*arguments: Any) -> NoReturn:
    """Stands for a function that there is none of."""
    raise Unusual


# --- What any codec stores ----------------------------------------------------------------------


def by_codec(codec: Codec) -> Callable[[Any, int], bytes]:
    """The JSON of what a codec stores, at a depth, by way of the attribute value."""
    dump = codec.dump

    def stored(value: Any, depth: int) -> bytes:
        found = dump(value)
        text = encode(found)
        # There cannot be more levels than what opens them.
        if depth + text.count(b'"L":[') + text.count(b'"M":{') > limits.NESTING_DEPTH:
            value_size(found, depth)
        return text

    return stored


def payload_by_codec(codec: Codec, tag: str) -> Callable[[Any], Any]:
    """What a codec stores under a type tag."""
    dump = codec.dump
    return lambda value: dump(value)[tag]


def json_by_codec(codec: Codec, tag: str) -> Callable[[Any], bytes]:
    """The same as JSON."""
    dump = codec.dump
    return lambda value: encode(dump(value)[tag])


def int_by_codec(codec: Codec) -> Callable[[Any], int]:
    """What a codec stores as N, of an int."""
    dump = codec.dump
    return lambda value: int(dump(value)["N"])


def float_by_codec(codec: Codec) -> Callable[[Any], bytes]:
    """The text of what a codec stores as N, of a float."""
    dump = codec.dump

    def text(value: Any) -> bytes:
        if type(value) is float and (1e-130 <= value < 1e126 or 1e-130 <= -value < 1e126):
            return b"%a" % value
        stored: str = dump(value)["N"]
        return stored.encode()

    return text


# --- Scalars ------------------------------------------------------------------------------------

_dump_datetime: Final = PLAIN[dt.datetime].dump
_dump_time: Final = PLAIN[dt.time].dump
_dump_timedelta: Final = PLAIN[dt.timedelta].dump
_dump_decimal: Final = PLAIN[Decimal].dump


def instant(value: Any) -> bytes:
    if type(value) is dt.datetime and value.tzinfo is UTC:
        text = encode(value)
        # Whole seconds come without their six digits.
        return text if len(text) == 29 else text[:20] + b'.000000Z"'
    return encode(_dump_datetime(value)["S"])


def time_of_day(value: Any) -> bytes:
    if type(value) is dt.time and value.tzinfo is None:
        text = encode(value)
        return text if len(text) == 17 else text[:9] + b'.000000"'
    return encode(_dump_time(value)["S"])


def duration(value: Any) -> bytes:
    if type(value) is dt.timedelta and not value.microseconds:
        return b'"%d"' % (value.days * 86400 + value.seconds)
    return encode(_dump_timedelta(value)["N"])


def decimal(value: Any) -> bytes:
    if type(value) is Decimal and value.is_finite() and value:
        text = encode(value)
        # Digits enough, and an exponent that needs no look.
        if len(text) <= limits.NUMBER_DIGITS and b"E" not in text:
            return text
    return encode(_dump_decimal(value)["N"])


# --- Lists of few numbers ---

# Measured (benchmarks/second_ways.py): 0.7 -> 0.3 us five ints. tests/property/test_write_code.py holds both
# functions to the codec of a member.

#: What stands between two numbers.
_BETWEEN: Final = b'"},{"N":"'
#: Of more than that, functions that look at all of them at once are as fast.
_SEVERAL: Final = 20


def few_ints(value: Any) -> bytes | None:
    """The JSON of L for a list of few ints; None for any other value."""
    if type(value) is not list or not 0 < len(value) <= _SEVERAL:
        return None
    for each in value:
        if type(each) is not int:
            return None
    text = encode(value)
    # None of them is longer than all of them.
    if len(text) > limits.NUMBER_DIGITS:
        return None
    return b'{"L":[{"N":"%b"}]}' % text[1:-1].replace(b",", _BETWEEN)


def few_floats(value: Any) -> bytes | None:
    """The same of few floats that JSON has as `repr` writes them."""
    if type(value) is not list or not 0 < len(value) <= _SEVERAL:
        return None
    for each in value:
        if type(each) is not float or not (1e-4 <= each < 1e15 or 1e-4 <= -each < 1e15):
            return None
    return b'{"L":[{"N":"%b"}]}' % encode(value)[1:-1].replace(b",", _BETWEEN)


# --- What is made of several --------------------------------------------------------------------


def members(value: Any, named: Mapping[bytes, bytes]) -> bytes:
    """The members of M, whose names were made of keys that were different."""
    if len(named) != len(value):
        raise Unusual
    return b",".join([b"%b:%b" % each for each in named.items()])


def pairs(value: Any) -> Any:
    """The keys of a map with its members."""
    if type(value) is dict:
        return value.items()
    if not isinstance(value, Mapping):
        raise Unusual
    return [(each, value[each]) for each in value]


def apart(payloads: list[bytes]) -> bytes:
    """The members of SS or BS, which have to be different."""
    if len({*payloads}) != len(payloads):
        raise Unusual
    return b",".join(payloads)


def numbers_apart(payloads: list[str]) -> bytes:
    """The members of NS, which have to be different numbers."""
    return b'"%b"' % '","'.join(distinct("N", payloads)).encode()


def also(members: bytes) -> bytes:
    """Further members of M, with the comma before them."""
    return b"," + members if members else members


def inside(stored: bytes) -> bytes:
    """What is inside of L or M."""
    return stored[6:-2]


# --- Any ----------------------------------------------------------------------------------------


def any_by(codec: Codec) -> Callable[[Any, int], bytes]:
    """The JSON of what `Any` stores; *codec* is its."""
    others = by_codec(codec)

    def stored(value: Any, depth: int) -> bytes:
        kind = type(value)
        if kind is str:
            return b'{"S":%b}' % encode(value)
        if kind is int and LEAST < value < MOST:
            return b'{"N":"%d"}' % value
        if value is None:
            return NULL
        if kind is bool:
            return b'{"BOOL":true}' if value else b'{"BOOL":false}'
        if kind is bytes:
            return b'{"B":%b}' % encode(value)
        if kind in ANY_SCALARS:
            return others(value, depth)
        if depth > limits.NESTING_DEPTH:
            # It may be a set, which is not a level.
            return others(value, depth)
        if kind is dict:
            if not TEXT.issuperset(map(type, value)) or "" in value:
                return others(value, depth)
            parts = [
                b"%b:%b" % (encode(name), stored(each, depth + 1)) for name, each in value.items()
            ]
            return b'{"M":{%b}}' % b",".join(parts)
        if kind is list or kind is tuple:
            return b'{"L":[%b]}' % b",".join([stored(each, depth + 1) for each in value])
        return others(value, depth)

    return stored


# --- Keys and what is carried -------------------------------------------------------------------


def fitting(text: Any, most: int) -> None:
    """Refuse a key attribute's text or bytes that are empty, or longer than *most* bytes."""
    size = len(text.encode()) if type(text) is str else len(text)
    if not 0 < size <= most:
        raise Unusual


def carried_json(kept: AttributeMap) -> bytes:
    """What an object carries, as further members of its item."""
    if not kept:
        return b""
    text = encode(kept)
    if text.count(b'"L":[') + text.count(b'"M":{') > limits.NESTING_DEPTH:
        item_size(kept)
    return b"," + text[1:-1]


def restored(
    carried: Carried, plain: bool, names: tuple[tuple[str, str], ...], *payloads: Any
) -> tuple[Any, ...]:
    """The payloads of a primary key as it was read, where that is written otherwise.

    Args:
        carried: What the object carries.
        plain: Whether numbers are written by their one text all the same.
        names: The key's attributes with their types.
        payloads: As they are written.
    """
    key: StoredKey | None = carried.key
    if key is None:
        return payloads
    written = {
        name: {tag: str(payload) if tag == "N" else payload}
        for (name, tag), payload in zip(names, payloads, strict=True)
    }
    stored = key.of(written)
    if stored is None:
        return payloads
    found = []
    for name, tag in names:
        payload = stored.get(name, written[name])[tag]
        if tag == "B":
            payload = binary(payload)
        elif tag == "N" and plain:
            payload = plain_number(payload)
        found.append(payload)
    return tuple(found)


def measured(request: bytes) -> None:
    """Refuse a request whose item is too large; its JSON may be without that."""
    item = msgspec.json.decode(request)["PutRequest"]["Item"]
    if item_size(item) > limits.ITEM_BYTES:
        raise Unusual
