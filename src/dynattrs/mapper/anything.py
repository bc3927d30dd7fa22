"""`Any`: values by their own type, and attribute maps as plain Python and JSON.

Plain here is what `Any` reads: `str`, `int` where integral else `Decimal`, `bytes`, `bool`, None,
`list`, `dict`, `set`.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from dynattrs import utf8
from dynattrs.mapper import numbers, scalars
from dynattrs.mapper.codec import (
    ANY,
    SETS,
    AnyShape,
    Codec,
    Refused,
    Trail,
    show,
    show_stored,
)
from dynattrs.quoting import quoted
from dynattrs.schema.ordering import in_order
from dynattrs.schema.table import AttributeMap, AttributeValue

#: Python reads no int of so many digits.
_LONG: Final = 4300

_LOADERS: Final[dict[str, Callable[[AttributeValue], Any]]] = {
    "N": numbers.load_number,
    "B": scalars.load_bytes,
    "BOOL": scalars.load_bool,
    "NULL": scalars.load_null,
    "SS": lambda value: set(value["SS"]),
    "NS": lambda value: {numbers.load_number({"N": member}) for member in value["NS"]},
    "BS": lambda value: {scalars.binary(member) for member in value["BS"]},
}


def load_any(value: AttributeValue) -> Any:
    """An attribute value as plain Python."""
    ((tag, payload),) = value.items()
    # The most usual ones first, in place.
    if tag == "S":
        return payload
    if tag == "L":
        return [load_any(member) for member in payload]
    if tag == "M":
        return {name: load_any(member) for name, member in payload.items()}
    if tag == "N" and type(payload) is str and payload.isdecimal() and len(payload) < _LONG:
        return int(payload)
    return _LOADERS[tag](value)


def native(value: AttributeValue) -> AttributeValue:
    """An attribute value with bytes where the wire has base64 text: what botocore sends."""
    ((tag, payload),) = value.items()
    if tag == "B":
        return {tag: scalars.binary(payload)}
    if tag == "BS":
        return {tag: [scalars.binary(member) for member in payload]}
    if tag == "L":
        return {tag: [native(member) for member in payload]}
    if tag == "M":
        return {tag: native_map(payload)}
    return value


def native_map(item: Mapping[str, AttributeValue]) -> AttributeMap:
    """An attribute map with bytes where the wire has base64 text."""
    return {name: native(value) for name, value in item.items()}


def dump_set(members: list[AttributeValue]) -> AttributeValue:
    """A set by the kind of its members: SS, NS or BS where they are all of that kind, else L."""
    tags = {tag for member in members for tag in member}
    if len(tags) == 1 and (tag := next(iter(tags))) in SETS:
        return {SETS[tag]: distinct(tag, [member[tag] for member in members])}
    return {"L": in_order(members)}


def distinct(tag: str, payloads: list[Any]) -> list[Any]:
    """The members of a set as they are stored, which the service wants to be different.

    Raises:
        Refused: Two are equal there, though they are not in Python: `{0.1, Decimal("0.1")}`.
    """
    seen: dict[Any, Any] = {}
    for payload in payloads:
        same = numbers.plain_number(payload) if tag == "N" else payload
        if same in seen:
            raise Refused(
                "a set whose members are stored differently",
                f"two that are stored as {show_stored({tag: payload})}",
                "the service takes them for one: give the members one type",
            )
        seen[same] = payload
    return payloads


def check_name(name: object) -> str:
    """A name inside a map: any text but the empty one, which the service refuses."""
    if not isinstance(name, str):
        raise Refused("a str as the key of a map", show(name))
    if not name:
        raise Refused("a key that is not empty", "''", "DynamoDB has no empty attribute names")
    return str.__str__(name)


SCALARS: Final[Mapping[type[object], Callable[[Any], AttributeValue]]] = {
    str: scalars.dump_str,
    int: numbers.dump_int,
    bool: scalars.dump_bool,
    float: numbers.dump_float,
    Decimal: numbers.dump_decimal,
    bytes: scalars.dump_bytes,
    bytearray: scalars.dump_bytes,
    memoryview: scalars.dump_bytes,
    type(None): scalars.dump_null,
}


def any_codec(
    codec_of: Callable[[Any], Codec],
    *,
    simple: Mapping[type[object], Callable[[Any], AttributeValue]] = SCALARS,
    name_of: Callable[[object], str] = check_name,
    load: Callable[[AttributeValue], Any] = load_any,
    expected: str = "a value that DynamoDB can hold",
    told: Callable[[object, AttributeValue], AttributeValue] = lambda _, stored: stored,
) -> Codec:
    """The codec of `Any`.

    Args:
        codec_of: Gives the codec of a class, for what is not plain.
        simple: How scalars are stored.
        name_of: How names of maps are.
        load: Reads what is stored.
        expected: What a value should be.
        told: Judges how a set, or an object of a class, would be stored.
    """

    def of_class(value: Any) -> Codec:
        if type(value) is object:  # whose codec is this one
            raise Refused(expected, show(value), "an `object()` has no value that could be stored")
        return codec_of(type(value))

    def dump(value: Any) -> AttributeValue:
        scalar = simple.get(type(value))
        if scalar is not None:
            return scalar(value)
        if type(value) in (list, tuple):
            return {"L": [dump(member) for member in value]}
        if type(value) is dict or isinstance(value, Mapping):
            return {"M": {name_of(name): dump(member) for name, member in value.items()}}
        if isinstance(value, (set, frozenset)):
            return told(value, dump_set([dump(member) for member in value]))
        return told(value, of_class(value).dump(value))

    def dump_at(value: Any, trail: Trail) -> AttributeValue:
        if type(value) in (list, tuple):
            members = []
            for position, member in enumerate(value):
                trail.parts.append(f"[{position}]")
                members.append(dump_at(member, trail))
                trail.parts.pop()
            return {"L": members}
        if isinstance(value, Mapping):
            named = {}
            for name, member in value.items():
                trail.parts.append(f"[{quoted(name)}]")
                named[name_of(name)] = dump_at(member, trail)
                trail.parts.pop()
            return {"M": named}
        if type(value) in simple or isinstance(value, (set, frozenset)):
            return dump(value)
        return told(value, of_class(value).dump_at(value, trail))

    shape = AnyShape() if simple is SCALARS else None
    return Codec(
        Any, ANY, dump, load, expected=expected, dump_at=dump_at, optional=True, shape=shape
    )


# --- JSON -------------------------------------------------------------------------------------


def plain_json(value: AttributeValue) -> str:
    """An attribute value as plain JSON: numbers with all their digits, bytes as base64."""
    ((tag, payload),) = value.items()
    if tag == "N":
        return str(payload)
    if tag == "B":
        return json.dumps(_base64(payload))
    if tag == "NULL":
        return "null"
    if tag == "L":
        return f"[{', '.join(map(plain_json, payload))}]"
    if tag == "M":
        members = (f"{_text(name)}: {plain_json(member)}" for name, member in payload.items())
        return f"{{{', '.join(members)}}}"
    if tag == "NS":
        return f"[{', '.join(sorted(payload, key=Decimal))}]"
    if tag == "SS":
        return _text(sorted(payload))
    if tag == "BS":
        return _text(sorted(map(_base64, payload)))
    return _text(payload)


def _text(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # A lone surrogate has no UTF-8 form, and has one as an escape.
    return text if utf8.encodable(text) else json.dumps(value)


def has_more_types(value: AttributeValue) -> bool:
    """Whether there are bytes or sets in an attribute value, which JSON has no types for."""
    ((tag, payload),) = value.items()
    if tag == "L":
        return any(map(has_more_types, payload))
    if tag == "M":
        return any(map(has_more_types, payload.values()))
    return tag in ("B", "SS", "NS", "BS")


def _base64(payload: object) -> str:
    return base64.b64encode(scalars.binary(payload)).decode()


def dynamodb_json(item: AttributeMap) -> str:
    """An attribute map as DynamoDB JSON: `{"id": {"S": "test"}}`, bytes as base64."""
    return _text({name: _typed(value) for name, value in item.items()})


def _typed(value: AttributeValue) -> AttributeValue:
    ((tag, payload),) = value.items()
    if tag == "B":
        return {tag: _base64(payload)}
    if tag == "BS":
        return {tag: sorted(map(_base64, payload))}
    if tag == "L":
        return {tag: [_typed(member) for member in payload]}
    if tag == "M":
        return {tag: {name: _typed(member) for name, member in payload.items()}}
    return {tag: payload}


def parse_json(text: str | bytes) -> Any:
    """JSON as plain Python, with exact numbers: `int`, or `Decimal` where there is a point.

    Raises:
        Refused: It has NaN or an infinity, or a name twice in one object, where one would be lost.
    """
    return json.loads(
        text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_once
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise Refused("JSON with each name once in an object", f"{quoted(twice)} twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise Refused("JSON that DynamoDB can hold", name, "there is no NaN and no infinity")


class JsonNumber(str):
    """A number of JSON inside an attribute, as it is written there."""

    __slots__ = ()


class JsonObject(dict[str, Any]):
    """An object of JSON inside an attribute, whose names may be empty."""


def parse_json_inside(text: str) -> Any:
    """JSON that an attribute holds as text, for `from_plain`: any number, and any name.

    Raises:
        Refused: As `parse_json`.
    """
    return json.loads(
        text, parse_int=JsonNumber, parse_float=JsonNumber, parse_constant=_refuse_constant,
        object_pairs_hook=lambda pairs: JsonObject(_once(pairs)),
    )  # fmt: skip


def from_plain(value: object, codec: Codec) -> AttributeValue:
    """Plain JSON as an attribute value, read as *codec*'s type: it tells base64 from text."""
    if codec.plain is not None:
        return codec.plain(value)
    if type(value) is JsonNumber:
        return {"N": str(value)}
    if isinstance(value, list):
        member = codec.element or ANY_CODEC
        return {"L": [from_plain(each, member) for each in value]}
    if isinstance(value, dict):
        fields = _by_stored_name(codec)
        element = codec.element or ANY_CODEC
        checked = str if type(value) is JsonObject else check_name
        return {
            "M": {
                checked(name): from_plain(each, fields.get(name, element))
                for name, each in value.items()
            }
        }
    if isinstance(value, str) and "B" in codec.tags and "S" not in codec.tags:
        return {"B": scalars.binary(value)}
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool) and codec.tags == {"N"}:
        return {"N": str(value)}
    return ANY_CODEC.dump(value)


def _by_stored_name(codec: Codec) -> Mapping[str, Codec]:
    if not codec.fields:
        return {}
    names = codec.names or {}
    return {names.get(name, name): field for name, field in codec.fields.items()}


def _no_class(cls: Any) -> Codec:
    raise Refused("plain JSON", f"a {cls.__name__}")


#: The codec of plain values, which knows no classes.
ANY_CODEC: Final = any_codec(_no_class)
