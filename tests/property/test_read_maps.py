"""Typed dicts, dicts of keys that are not text, and classes that hold themselves, read as rows and not.

As in `test_read_code`: the general way is the oracle.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import uuid
from decimal import Decimal
from typing import Any, Literal, TypedDict

import attrs
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import NotRequired

from dynattrs import field, mapper, model, partition_key
from dynattrs.mapper.rows import Row
from dynattrs.operations.reading.objects import decoder
from dynattrs.schema.model_info import model_info
from two_readings import assert_same, damaged, is_item_of, wire

import strategies


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(TypedDict):
    city: str
    number: int
    tags: NotRequired[list[str]]
    either: NotRequired[str | int | None]


class Region(TypedDict, total=False):
    places: list[Place]
    inside: dict[str, Region]
    capital: Place | None


@attrs.define
class Node:
    value: int
    name: str = field(name="called", default="")
    children: list[Node] = attrs.field(factory=list)
    pair: tuple[Node, ...] = ()
    twin: Node | None = None
    named: dict[str, Node] = attrs.field(factory=dict)
    other: Other | None = None


@attrs.frozen
class Other:
    """Holds what holds it."""

    nodes: list[Node | None]
    place: Place | None = None


@model("maps-of-all-kinds")
class Maps:
    id: str = partition_key()
    place: Place
    region: Region | None = None
    regions: list[Region] = attrs.field(factory=list)
    tree: Node | None = None
    trees: dict[int, Node] = attrs.field(factory=dict)
    by_int: dict[int, int | None] = attrs.field(factory=dict)
    by_day: dict[dt.date, list[Place]] = attrs.field(factory=dict)
    by_price: dict[Decimal, str] = attrs.field(factory=dict)
    by_float: dict[float, Decimal] = attrs.field(factory=dict)
    by_colour: dict[Colour, dict[uuid.UUID, bool]] = attrs.field(factory=dict)
    by_word: dict[Literal["a", "b"], bytes] = attrs.field(factory=dict)
    within: list[Maps] = attrs.field(factory=list)
    parent: Maps | None = None


def dicts(keys: Any, values: Any) -> Any:
    return st.dictionaries(keys, values, max_size=2)


_places = st.fixed_dictionaries(
    {"city": strategies.texts, "number": strategies.ints},
    optional={"tags": st.lists(strategies.texts, max_size=2),
              "either": st.none() | strategies.texts | strategies.ints},
)  # fmt: skip
#: With names that the type does not have, which are kept.
_wider = st.builds(
    lambda place, more: {**more, **place},
    _places,
    dicts(st.sampled_from(["x", "y"]), strategies.ints),
)
_regions = st.recursive(
    st.fixed_dictionaries({}, optional={"capital": st.none() | _wider}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "places": st.lists(_wider, max_size=2),
            "inside": dicts(st.text("ab", min_size=1), inner),
        },
    ),
    max_leaves=3,
)
_nodes = st.recursive(
    st.builds(Node, strategies.ints, strategies.texts),
    lambda inner: st.builds(
        Node, strategies.ints, children=st.lists(inner, max_size=2),
        pair=st.lists(inner, max_size=1).map(tuple), twin=st.none() | inner,
        named=dicts(st.text("ab", min_size=1), inner),
        other=st.none() | st.builds(Other, st.lists(st.none() | inner, max_size=2), st.none() | _places),
    ),
    max_leaves=4,
)  # fmt: skip


def _maps(inner: Any) -> Any:
    return st.builds(
        Maps, strategies.texts.filter(bool), _wider, st.none() | _regions, st.lists(_regions, max_size=1),
        st.none() | _nodes, dicts(strategies.ints, _nodes),
        dicts(strategies.ints, st.none() | st.integers(0, 9)),
        dicts(st.dates(), st.lists(_places, max_size=1)), dicts(strategies.decimals(), strategies.texts),
        dicts(strategies.floats, strategies.decimals()),
        dicts(st.sampled_from(Colour), dicts(st.uuids(), st.booleans())),
        dicts(st.sampled_from(["a", "b"]), st.binary(max_size=2)),
        st.lists(inner, max_size=1), st.none() | inner,
    )  # fmt: skip


maps = st.recursive(st.builds(Maps, st.just("leaf"), _places), _maps, max_leaves=3)


@given(maps)
def test_maps_of_all_kinds_are_read_alike_and_as_rows(thing: Maps) -> None:
    item = wire(mapper.dump(thing))

    assert_same(Maps, [item] * 2)
    decode = decoder(model_info(Maps), Maps, "Items")
    assert decode is not None
    (row,) = decode(json.dumps({"Items": [item]}).encode())["Items"]
    assert isinstance(row, Row)


@given(maps, st.data())
def test_damaged_maps_are_read_or_refused_alike(thing: Maps, data: st.DataObject) -> None:
    item = wire(mapper.dump(thing))
    broken = [data.draw(damaged(item).filter(lambda each: is_item_of(item, each)))
              for _ in range(3)]  # fmt: skip

    assert_same(Maps, [item, *broken])


def test_keys_that_become_one_are_refused_alike() -> None:
    item = {"id": {"S": "a"}, "place": {"M": {"city": {"S": "b"}, "number": {"N": "1"}}}}
    for attribute, names, value in [
        ("by_int", ["1", "01"], {"N": "2"}), ("by_price", ["1", "1.0"], {"S": "c"}),
        ("by_float", ["1", "1.0"], {"N": "3"}), ("by_int", ["1", "x"], {"N": "2"}),
        ("trees", ["7", "07"], {"M": {"value": {"N": "1"}}}),
    ]:  # fmt: skip
        assert_same(Maps, [{**item, attribute: {"M": dict.fromkeys(names, value)}}])
