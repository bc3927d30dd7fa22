"""The text of JSON attributes, without attribute values in between.

What is usual is written at once, the way `anything.plain_json` writes what a codec stores, to the letter:
a condition may ask for equality. A part that is unusual is left to its codec, and what is wrong raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Final, TypeAlias

from dynattrs.mapper import json_values
from dynattrs.mapper.anything import plain_json
from dynattrs.mapper.carried import NOTHING_CARRIED, carried_by
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.codec import (
    ChoicesShape,
    Codec,
    ListShape,
    MapShape,
    OptionalShape,
    TupleShape,
    TypedDictShape,
    UnionShape,
)

#: Gives the text of a value.
Writer: TypeAlias = Callable[[Any], str]

_PLAIN: Final = json_values.PLAIN
_TEXT: Final = frozenset({str})
_SETS: Final = (set, frozenset)
_quoted: Final[Writer] = encode_basestring


# Measured (benchmarks/second_ways.py): 177 -> 31 us an attribute of 1 KB.
# tests/property/test_json_text.py holds it to `plain_json` of what the codec stores.
def writer(codec: Codec) -> Writer:
    """What writes the values of a codec. It raises anything where the codec has to decide."""
    return _Writers().of(codec)


class _Writers:
    """The writers of a codec and of what is in it, each made once."""

    def __init__(self) -> None:
        self._known: dict[Codec, Writer] = {}

    def of(self, codec: Codec) -> Writer:
        known = self._known
        if codec not in known:
            # What holds itself asks for the writer while that is made.
            known[codec] = lambda value: known[codec](value)  # noqa: PLW0108 - it is another one then
            known[codec] = self._made(codec)
        return known[codec]

    def _made(self, codec: Codec) -> Writer:
        general, shape = _by_codec(codec), codec.shape
        if codec in _SCALARS:
            return _SCALARS[codec](general)
        if codec.load is json_values.load_any:
            return _any(general)
        if isinstance(codec, ClassCodec):
            return self._class(codec, general)
        if isinstance(shape, OptionalShape):
            inner = self.of(shape.inner)
            return lambda value: "null" if value is None else inner(value)
        if isinstance(shape, ListShape) and shape.members is None:
            return _list(self.of(shape.element), general)
        if isinstance(shape, TupleShape):
            return _tuple([self.of(each) for each in shape.elements], general)
        if isinstance(shape, MapShape):
            return _map({}, frozenset(), self.of(shape.element), general)
        if isinstance(shape, TypedDictShape):
            members = {name: self.of(each) for name, each in shape.members.items()}
            return _map(members, shape.required, self.of(shape.other), general)
        if isinstance(shape, UnionShape) and shape.tag is None:
            kinds = {kind: self.of(each) for kind, each in shape.members.items()}
            return lambda value: kinds.get(type(value), general)(value)
        if isinstance(shape, ChoicesShape):
            texts = {choice: plain_json(each) for choice, each in shape.written.items()}
            return lambda value: texts.get((type(value), value)) or general(value)
        return general

    def _class(self, codec: ClassCodec, general: Writer) -> Writer:
        cls, carries = codec.record.cls, codec.carries
        fields = [
            (attrgetter(each.name), f"{_quoted(each.stored)}: ", self.of(each.codec),
             each.member.defaults_to_none, each.always_set)
            for each in codec.members
        ]  # fmt: skip

        def write(value: Any) -> str:
            if type(value) is not cls or (carries and carried_by(value) is not NOTHING_CARRIED):
                return general(value)
            parts = []
            for get, name, member, defaults_to_none, always_set in fields:
                each = get(value)
                if each is None and defaults_to_none:
                    continue
                if always_set and not each and isinstance(each, _SETS):
                    continue
                parts.append(name + member(each))
            return f"{{{', '.join(parts)}}}"

        return write


def _by_codec(codec: Codec) -> Writer:
    return lambda value: plain_json(codec.dump(value))


# --- Scalars ------------------------------------------------------------------------------------


def _str(general: Writer) -> Writer:
    return lambda value: _quoted(value) if type(value) is str else general(value)


def _int(general: Writer) -> Writer:
    return lambda value: str(value) if type(value) is int else general(value)


def _float(general: Writer) -> Writer:
    def write(value: Any) -> str:
        return repr(value) if type(value) is float and math.isfinite(value) else general(value)

    return write


def _bool(general: Writer) -> Writer:
    def write(value: Any) -> str:
        return "true" if value is True else "false" if value is False else general(value)

    return write


_SCALARS: Final[Mapping[Codec, Callable[[Writer], Writer]]] = {
    _PLAIN[str]: _str, _PLAIN[int]: _int, _PLAIN[float]: _float, _PLAIN[bool]: _bool,
}  # fmt: skip


# --- What is made of several --------------------------------------------------------------------


def _any(general: Writer) -> Writer:
    def write(value: Any) -> str:
        kind = type(value)
        if kind is str:
            return _quoted(value)
        if kind is int:
            return str(value)
        if kind is float and math.isfinite(value):
            return repr(value)
        if kind is dict and _TEXT.issuperset(map(type, value)):
            parts = [f"{_quoted(name)}: {write(each)}" for name, each in value.items()]
            return f"{{{', '.join(parts)}}}"
        if kind is list or kind is tuple:
            return f"[{', '.join([write(each) for each in value])}]"
        if value is None:
            return "null"
        if kind is bool:
            return "true" if value else "false"
        return general(value)

    return write


def _list(element: Writer, general: Writer) -> Writer:
    def write(value: Any) -> str:
        if type(value) is list or type(value) is tuple:
            return f"[{', '.join([element(each) for each in value])}]"
        return general(value)

    return write


def _tuple(elements: list[Writer], general: Writer) -> Writer:
    def write(value: Any) -> str:
        if type(value) is not tuple or len(value) != len(elements):
            return general(value)
        parts = [element(each) for element, each in zip(elements, value, strict=True)]
        return f"[{', '.join(parts)}]"

    return write


def _map(
    members: Mapping[str, Writer], required: frozenset[str], other: Writer, general: Writer
) -> Writer:
    def write(value: Any) -> str:
        if type(value) is not dict or not _TEXT.issuperset(map(type, value)):
            return general(value)
        if not required <= value.keys():
            return general(value)
        parts = [
            f"{_quoted(name)}: {members.get(name, other)(each)}" for name, each in value.items()
        ]
        return f"{{{', '.join(parts)}}}"

    return write
