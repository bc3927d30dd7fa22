"""The items that everybody saves and reads here: their fields, their values, and what they look like
on the wire.

A shape has a name: `flat-11` has eleven attributes, `nested-11` eleven with maps and lists of maps,
`mixed-11` eleven with a set, a list of ints and one map, `keyed-11` the same and four attributes for
keys that are made of the others, `text-1000` six with a text of a thousand characters, `vector-1024`
three with a list of 1,024 floats. The item of a number
is always the same, so that a server can make it, a rival can save it, and both can be checked.

Only the standard library is used: this runs in the environment of every rival.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

ARTIST = "Nina Simone"
#: Values, titles aside, repeat after so many items, so that pages can be made of stored pieces.
PERIOD = 1000

#: What an UpdateItem sets here.
CHANGED = {"plays": 123, "genre": "soul"}


@dataclass(frozen=True)
class Field:
    """One attribute. The kind is `str`, `optional` (a str that may be absent), `int`, `float`, `bool`,
    `set` (of str), `ints` or `floats` (a list of them), `map` or `list` (of maps); the last two have
    parts.
    """

    name: str
    kind: str
    parts: tuple[Field, ...] = ()

    def value(self, number: int) -> Any:
        """The value of item *number*, as Python has it."""
        index = number % PERIOD
        if self.kind in ("str", "optional"):
            return f"{self.name} number {index % 97}"
        if self.kind == "int":
            return index * 7
        if self.kind == "float":
            return index + 0.25  # exact in binary, so that nobody is asked to round
        if self.kind == "bool":
            return index % 2 == 0
        if self.kind == "set":
            return {"live", f"tag {index % 5}"}
        if self.kind == "ints":
            return [index + each for each in range(5)]
        if self.kind == "map":
            return {part.name: part.value(number) for part in self.parts}
        assert self.kind == "list"
        return [{part.name: part.value(number + each) for part in self.parts} for each in range(3)]


@dataclass(frozen=True)
class Text(Field):
    """A str of so many characters."""

    length: int = 0

    def value(self, number: int) -> Any:
        if self.name == "title":
            return f"Title {number:07}"
        if self.name == "artist":
            return ARTIST
        return f"{number % PERIOD:04}".ljust(self.length, "x")


@dataclass(frozen=True)
class Vector(Field):
    """A list of so many floats between -0.5 and 0.5, most of them with sixteen digits or more."""

    length: int = 0

    def value(self, number: int) -> Any:
        first = number % PERIOD * 1021
        return [(first + 7919 * each) % 100_003 / 100_003 - 0.5 for each in range(self.length)]


@dataclass(frozen=True)
class Shape:
    """What an item looks like.

    Attributes:
        name: What it is called.
        fields: What a class declares.
        computed: What is stored besides, made of fields by templates as `str.format` takes them.
    """

    name: str
    fields: tuple[Field, ...]
    computed: Mapping[str, str] = field(default_factory=dict)

    @property
    def key_names(self) -> tuple[str, ...]:
        return ("pk", "sk") if self.computed else ("artist", "title")

    def values(self, number: int) -> dict[str, Any]:
        """Item *number* as Python has it."""
        return {each.name: each.value(number) for each in self.fields}

    def item(self, number: int) -> dict[str, Any]:
        """Item *number* as an attribute map."""
        values = self.values(number)
        item = {each.name: attribute(each, values[each.name]) for each in self.fields}
        return item | {
            name: {"S": template.format(**values)} for name, template in self.computed.items()
        }

    def key(self, number: int) -> dict[str, Any]:
        key = {"artist": ARTIST, "title": title(number)}
        if self.computed:
            key = {name: self.computed[name].format(**key) for name in self.key_names}
        return {name: {"S": value} for name, value in key.items()}


def title(number: int) -> str:
    return f"Title {number:07}"


_KEY = (Text("artist", "str"), Text("title", "str"))
_FLAT = (
    *_KEY,
    Field("genre", "str"), Field("plays", "int"), Field("seconds", "float"),
    Field("year", "int"), Field("live", "bool"), Field("album", "str"), Field("label", "str"),
    Field("note", "optional"), Field("tags", "set"),
)  # fmt: skip
_COMPANY = (Field("name", "str"), Field("city", "str"), Field("since", "int"))
_TRACK = (Field("song", "str"), Field("length", "float"))
_NESTED = (
    *_KEY,
    Field("genre", "str"), Field("plays", "int"), Field("company", "map", _COMPANY),
    Field("seconds", "float"), Field("year", "int"), Field("live", "bool"), Field("note", "optional"),
    Field("tracks", "list", _TRACK), Field("tags", "set"),
)  # fmt: skip
_MIXED = (
    *_KEY,
    Field("genre", "str"), Field("plays", "int"), Field("seconds", "float"), Field("live", "bool"),
    Field("album", "str"), Field("tags", "set"), Field("ratings", "ints"),
    Field("company", "map", _COMPANY), Field("note", "optional"),
)  # fmt: skip
#: What a table's keys and an index's are made of.
TEMPLATES = {
    "pk": "ARTIST#{artist}", "sk": "SONG#{title}", "gsi1pk": "GENRE#{genre}", "gsi1sk": "ALBUM#{album}"
}  # fmt: skip
_MORE_FLAT = ("str", "int", "str", "float", "str", "bool")
_MORE_NESTED = ("str", "int", "map", "float", "str", "list")


@lru_cache
def shape(name: str) -> Shape:
    """The shape called *name*: `flat-N` and `nested-N` have N attributes, five or more."""
    family, _, size = name.partition("-")
    count = int(size)
    if family == "vector":
        return Shape(name, (*_KEY, Vector("values", "floats", length=count)))
    if family in ("mixed", "keyed") and count == len(_MIXED):
        return Shape(name, _MIXED, TEMPLATES if family == "keyed" else {})
    if family == "text":
        return Shape(name, (*_FLAT[:5], Text("text", "str", length=count)))
    if count < 5 or family not in ("flat", "nested"):
        raise ValueError(f"no shape is called {name!r}")
    first, more = (_FLAT, _MORE_FLAT) if family == "flat" else (_NESTED, _MORE_NESTED)
    return Shape(name, (*first[:count], *_extra(more, count - len(first))))


def _extra(kinds: tuple[str, ...], count: int) -> Iterator[Field]:
    parts = {"map": _COMPANY, "list": _TRACK}
    for index in range(count):
        kind = kinds[index % len(kinds)]
        yield Field(f"more_{index:02}", kind, parts.get(kind, ()))


# --- On the wire -----------------------------------------------------------------------------------


def attribute(field: Field, value: Any) -> dict[str, Any]:
    """*value* as DynamoDB's JSON has it."""
    if field.kind in ("str", "optional"):
        return {"S": value}
    if field.kind in ("int", "float"):
        return {"N": str(value)}
    if field.kind == "bool":
        return {"BOOL": value}
    if field.kind == "set":
        return {"SS": sorted(value)}
    if field.kind == "map":
        return {"M": _parts(field, value)}
    if field.kind in ("ints", "floats"):
        return {"L": [{"N": str(each)} for each in value]}
    return {"L": [{"M": _parts(field, each)} for each in value]}


def _parts(field: Field, value: Mapping[str, Any]) -> dict[str, Any]:
    return {part.name: attribute(part, value[part.name]) for part in field.parts}


# --- Checks ----------------------------------------------------------------------------------------


def check_item(found: Mapping[str, Any], expected: Mapping[str, Any], where: str = "item") -> None:
    """Compare two attribute maps as the service would: numbers by value, sets without order.

    Raises:
        ValueError: They differ; it says where.
    """
    if found.keys() != expected.keys():
        raise ValueError(f"{where} has {sorted(found)} where {sorted(expected)} were expected")
    for name, attribute_value in expected.items():
        _check_value(found[name], attribute_value, f"{where}.{name}")


def _check_value(found: Any, expected: dict[str, Any], where: str) -> None:
    (tag, payload), = expected.items()  # fmt: skip
    if not isinstance(found, dict) or list(found) != [tag]:
        raise ValueError(f"{where} is {found!r} where {expected!r} was expected")
    got = found[tag]
    if tag == "M":
        check_item(got, payload, where)
    elif tag == "L":
        if len(got) != len(payload):
            raise ValueError(f"{where} has {len(got)} elements, not {len(payload)}")
        for index, (one, other) in enumerate(zip(got, payload, strict=True)):
            _check_value(one, other, f"{where}[{index}]")
    elif not (
        (Decimal(got) == Decimal(payload))
        if tag == "N"
        else (sorted(got) == sorted(payload))
        if tag == "SS"
        else (type(got) is type(payload) and got == payload)
    ):
        raise ValueError(f"{where} is {found!r} where {expected!r} was expected")


def check_object(
    found: Any, wanted: Shape, number: int, changed: Mapping[str, Any] | None = None
) -> None:
    """Compare what a rival made of item *number*, an object or a dict, with what it should be.

    Raises:
        ValueError: They differ; it says where.
    """
    expected = {**wanted.values(number), **(changed or {})}
    for each in wanted.fields:
        _check(_read(found, each.name), expected[each.name], each, f"item {number}.{each.name}")


def _check(found: Any, expected: Any, field: Field, where: str) -> None:
    if field.kind == "map":
        for part in field.parts:
            _check(_read(found, part.name), expected[part.name], part, f"{where}.{part.name}")
    elif field.kind == "list":
        if len(found) != len(expected):
            raise ValueError(f"{where} has {len(found)} elements, not {len(expected)}")
        for one, other in zip(found, expected, strict=True):
            for part in field.parts:
                _check(_read(one, part.name), other[part.name], part, f"{where}[].{part.name}")
    elif field.kind in ("ints", "floats"):
        # Decimals that stand for a float are not equal to it.
        if [int(each) if field.kind == "ints" else float(each) for each in found] != expected:
            raise ValueError(f"{where} is {reprlib.repr(found)}, not {reprlib.repr(expected)}")
    elif field.kind == "set":
        if set(found) != expected:
            raise ValueError(f"{where} is {found!r}, not {expected!r}")
    elif found != expected or (field.kind == "bool" and type(found) is not bool):
        raise ValueError(f"{where} is {found!r}, not {expected!r}")


def _read(found: Any, name: str) -> Any:
    if isinstance(found, Mapping):
        return found[name]
    return getattr(found, name)
