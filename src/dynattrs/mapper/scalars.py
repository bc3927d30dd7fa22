"""Codecs of types with one simple stored form: text, numbers, bytes, dates, enums, literals."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from dynattrs import foreign_values
from dynattrs.mapper import numbers, temporal
from dynattrs.mapper.codec import (
    ChoicesShape,
    Codec,
    Dump,
    Load,
    Refused,
    TextsShape,
    show,
    show_instead,
    show_stored,
)
from dynattrs.schema.table import AttributeValue


def dump_str(value: object) -> AttributeValue:
    if type(value) is str:
        return {"S": value}
    if isinstance(value, str):
        # The content of a subclass, such as a member of a str enum.
        return {"S": str.__str__(value)}
    raise Refused("a str", show(value))


def load_str(value: AttributeValue) -> str:
    text = value["S"]
    if type(text) is not str:
        raise Refused("a string (S)", show_stored(value))
    return text


def dump_bool(value: object) -> AttributeValue:
    if type(value) is not bool:
        value = foreign_values.plain(value)
        if type(value) is not bool:
            raise Refused("a bool", show(value))
    return {"BOOL": value}


def load_bool(value: AttributeValue) -> bool:
    truth = value["BOOL"]
    if type(truth) is not bool:
        raise Refused("a boolean (BOOL)", show_stored(value))
    return truth


def dump_bytes(value: object) -> AttributeValue:
    if type(value) is bytes:
        return {"B": value}
    value = foreign_values.plain(value)
    if isinstance(value, (bytes, bytearray)):
        return {"B": bytes(value)}
    raise Refused("bytes", show(value))


def load_bytes(value: AttributeValue) -> bytes:
    return binary(value["B"])


def binary(payload: object) -> bytes:
    """The payload of B: bytes, or the base64 text of an attribute map as JSON has it."""
    if type(payload) is bytes:
        return payload
    if isinstance(payload, str):
        return base64.b64decode(payload, validate=True)
    # botocore's resource layer hands out its own `Binary`.
    payload = getattr(payload, "value", payload)
    if not isinstance(payload, (bytes, bytearray, memoryview)):
        raise Refused("bytes", show(payload))
    return bytes(payload)


def dump_null(value: object) -> AttributeValue:
    if value is not None:
        raise Refused("None", show(value))
    return {"NULL": True}


def load_null(value: AttributeValue) -> None:
    if "NULL" not in value:
        raise Refused("NULL", show_stored(value))


def _text_pair(cls: type[Any]) -> tuple[Dump, Load]:
    """Dump by `str`, load by the class: for types whose text is their value."""

    def dump(value: object) -> AttributeValue:
        if not isinstance(value, cls):
            raise Refused(f"a {cls.__name__}", show(value))
        return {"S": str(value)}

    def load(value: AttributeValue) -> Any:
        return cls(value["S"])

    return dump, load


def _scalar(type_: object, kind: str, expected: str, dump: Dump, load: Load) -> Codec:
    return Codec(type_, frozenset({kind}), dump, load, expected=expected)


#: Types whose values are stored as what `str` makes of them.
TEXTS: Final = (
    uuid.UUID,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
    pathlib.PurePath,
    pathlib.Path,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)

#: The codecs of plain types, by type.
PLAIN: Final[dict[Any, Codec]] = {
    codec.type: codec
    for codec in (
        _scalar(str, "S", "a str", dump_str, load_str),
        _scalar(bool, "BOOL", "a bool", dump_bool, load_bool),
        _scalar(bytes, "B", "bytes", dump_bytes, load_bytes),
        _scalar(int, "N", numbers.INT, numbers.dump_int, numbers.load_int),
        _scalar(float, "N", numbers.FLOAT, numbers.dump_float, numbers.load_float),
        _scalar(Decimal, "N", numbers.DECIMAL, numbers.dump_decimal, numbers.load_decimal),
        _scalar(dt.datetime, "S", temporal.AWARE, temporal.dump_datetime, temporal.load_datetime),
        _scalar(dt.date, "S", "a date", temporal.dump_date, temporal.load_date),
        _scalar(dt.time, "S", "a naive time", temporal.dump_time, temporal.load_time),
        _scalar(dt.timedelta, "N", "a timedelta", temporal.dump_timedelta, temporal.load_timedelta),
        _scalar(type(None), "NULL", "None", dump_null, load_null),
        *(_scalar(cls, "S", f"a {cls.__name__}", *_text_pair(cls)) for cls in TEXTS),
    )
}

EPOCH: Final = _scalar(dt.datetime, "N", temporal.AWARE, temporal.dump_epoch, temporal.load_epoch)


def enum_codec(cls: type[enum.Enum], encode: Callable[[Any], AttributeValue]) -> Codec:
    """An enum is stored by its members' values, each by the value's own type."""
    if issubclass(cls, enum.Flag):
        # Members combine, so the values are more than the members.
        def dump_flag(value: object) -> AttributeValue:
            if not isinstance(value, cls):
                raise Refused(f"a {cls.__name__}", show_instead(value, cls))
            return numbers.dump_int(value.value)

        def load_flag(value: AttributeValue) -> Any:
            return cls(numbers.load_int(value))

        return _scalar(cls, "N", f"a {cls.__name__}", dump_flag, load_flag)
    return _choice_codec(
        cls, ((member, member.value) for member in cls), f"a {cls.__name__}", encode
    )


def literal_codec(
    type_: object, choices: tuple[object, ...], encode: Callable[[Any], AttributeValue]
) -> Codec:
    """A literal is stored by its value's own type; an enum member among the choices by its value."""
    pairs = (
        (choice, choice.value if isinstance(choice, enum.Enum) else choice) for choice in choices
    )
    return _choice_codec(type_, pairs, "one of " + ", ".join(map(repr, choices)), encode)


def _choice_codec(
    type_: object,
    pairs: Iterable[tuple[object, object]],
    expected: str,
    encode: Callable[[Any], AttributeValue],
) -> Codec:
    stored: dict[Any, AttributeValue] = {}
    members: dict[Any, Any] = {}
    for member, value in pairs:
        if not isinstance(value, (str, int, float, Decimal, bytes, bool, type(None))):
            raise Refused(
                "choices whose values are text, numbers, bytes, booleans or None",
                show(value),
                "register hooks for it on the mapper",
            )
        encoded = encode(value)
        stored[type(member), member] = encoded
        other = members.setdefault(_identity(encoded), member)
        if other != member:
            raise Refused(
                "choices that are stored differently",
                f"{other!r} and {member!r}, which are both stored as {show_stored(encoded)}",
                "they could not be told apart when read: give one of them another value",
            )

    def dump(value: object) -> AttributeValue:
        try:
            # The type keeps Literal[1] and True apart. A copy, because attribute maps are mutable.
            return dict(stored[type(value), value])
        except (KeyError, TypeError):
            found = show_instead(value, *{type(member) for member in members.values()})
            raise Refused(expected, found) from None

    def load(value: AttributeValue) -> Any:
        try:
            return members[_identity(value)]
        except KeyError:
            raise Refused(expected, show_stored(value)) from None

    tags = frozenset(next(iter(encoded)) for encoded in stored.values())
    optional = "NULL" in tags
    shape = (
        TextsShape(stored, {text: member for (_, text), member in members.items()})
        if tags == {"S"}
        else ChoicesShape(stored)
    )
    return Codec(
        type_, tags - {"NULL"} or tags, dump, load,
        expected=expected, optional=optional, shape=shape,
    )  # fmt: skip


def _identity(value: AttributeValue) -> tuple[str, Any]:
    ((tag, payload),) = value.items()
    if tag == "N":
        return tag, Decimal(payload)
    return tag, binary(payload) if tag == "B" else payload
