"""Whether an update may copy from one field to another, without a look at the values.

What is stored as one type may have no meaning to the other, though both are numbers or lists: then the
item could not be read any more. Where nothing is known of a type, as of one with hooks, it is taken.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from dynattrs.mapper.codec import (
    ANY,
    ChoicesShape,
    Codec,
    KeyedMapShape,
    ListShape,
    MapShape,
    OptionalShape,
    SetShape,
    TupleShape,
    UnionShape,
)
from dynattrs.mapper.equality import comparable


def can_read(codec: Codec, other: Codec) -> bool:
    """Whether a codec can read what another one stores, None apart."""
    return _can_read(codec, other, frozenset())


def _can_read(codec: Codec, other: Codec, seen: frozenset[tuple[int, int]]) -> bool:
    codec, other = _bare(codec), _bare(other)
    pair = id(codec), id(other)
    if pair in seen or ANY in (codec.tags, other.tags):
        return True
    if not _tags(codec) & _tags(other) or codec.form != other.form:
        return False
    if codec.type == other.type:
        return True
    seen |= {pair}
    one, two = codec.shape, other.shape
    if isinstance(one, UnionShape) and one.tag is None:
        return any(_can_read(each, other, seen) for each in one.members.values())
    if isinstance(two, UnionShape) and two.tag is None:
        return any(_can_read(codec, each, seen) for each in two.members.values())
    if isinstance(one, ChoicesShape):
        return isinstance(two, ChoicesShape) and _stored(two) <= _stored(one)
    if isinstance(one, TupleShape):
        if isinstance(two, TupleShape):
            pairs = zip(one.elements, two.elements)  # noqa: B905 - the lengths are compared
            same_length = len(one.elements) == len(two.elements)
            return same_length and all(_can_read(*each, seen) for each in pairs)
        return not isinstance(two, (ListShape, SetShape))
    members = _members(other)
    if isinstance(one, (ListShape, SetShape, MapShape, KeyedMapShape)) and members is not None:
        return all(_can_read(one.element, each, seen) for each in members)
    return not (_is_whole(codec) and _may_be_broken(other))


def _bare(codec: Codec) -> Codec:
    """A codec without what is around it."""
    while True:
        if codec.wrapped is not None:
            codec = codec.wrapped
        elif isinstance(codec.shape, OptionalShape):
            codec = codec.shape.inner
        else:
            return codec


def _tags(codec: Codec) -> frozenset[str]:
    return codec.tags | {"L"} if codec.is_set else codec.tags


def _members(codec: Codec) -> tuple[Codec, ...] | None:
    shape = codec.shape
    if isinstance(shape, TupleShape):
        return shape.elements
    if isinstance(shape, (ListShape, SetShape, MapShape, KeyedMapShape)):
        return (shape.element,)
    return None


def _stored(shape: ChoicesShape) -> set[Any]:
    return {comparable(each) for each in shape.written.values() if "NULL" not in each}


def _is_whole(codec: Codec) -> bool:
    cls = codec.type
    return isinstance(cls, type) and issubclass(cls, int) and not issubclass(cls, (bool, Enum))


def _may_be_broken(codec: Codec) -> bool:
    """Whether values are numbers that need not be whole."""
    if isinstance(codec.shape, ChoicesShape):
        numbers = (each["N"] for each in codec.shape.written.values() if "N" in each)
        return any(Decimal(each) % 1 for each in numbers)
    return isinstance(codec.type, type) and issubclass(codec.type, (float, Decimal, timedelta))
