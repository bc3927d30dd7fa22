"""Columns of pages read at once and through objects: values and errors never differ."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import json
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import Epoch, ImpossibleKey, Json, MappingError, field, mapper, model, partition_key
from dynattrs.operations.reading.objects import decoder
from dynattrs.operations.reading.pages import RawPage
from dynattrs.schema.model_info import model_info
from stepped_session import ByHand
from two_readings import damaged, is_item_of, wire

import strategies

pytest.importorskip("pyarrow")

from dynattrs.frames.batches import Frame
from dynattrs.frames.saving import Rows
from dynattrs.frames.tables import FrameRows


class Shade(enum.Enum):
    LIGHT = "light"
    DARK = "dark"


@attrs.define
class Leaf:
    name: str
    size: int | None = None
    inside: list[Leaf] = attrs.field(factory=list)


@model("assorted")
class Assorted:
    id: str = partition_key()
    uid: uuid.UUID
    at: dt.datetime
    count: int
    ratio: float
    price: Decimal
    shade: Shade
    sure: bool
    pair: tuple[str, int]
    until: dt.datetime | None = field(ttl=True, default=None)
    day: dt.date | None = None
    time: dt.time = dt.time(12)
    took: dt.timedelta | None = dt.timedelta(1)
    epoch: Annotated[dt.datetime, Epoch] | None = None
    data: bytes | None = b"x"
    letter: Literal["a", "b"] | None = "a"
    given: int | None = attrs.field(kw_only=True)
    either: str | int | list[Leaf] | None = None
    ids: set[uuid.UUID] = attrs.field(factory=set)
    named: dict[str, Leaf | None] = attrs.field(factory=dict)
    deep: list[list[Leaf | None]] = attrs.field(factory=list)
    anything: Any = None
    plain: Annotated[dict[str, list[float | None]], Json] | None = None
    other: int = 7


_leaves = st.builds(
    Leaf, strategies.texts, st.none() | st.integers(-9, 9),
    st.lists(st.builds(Leaf, strategies.texts), max_size=1),
)  # fmt: skip
_instants = st.datetimes(timezones=st.just(dt.timezone.utc))
_prices = st.decimals(-(10**9), 10**9, places=4, allow_nan=False)
_ints = st.integers(-99, 99)
_spans = st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999))
_times = _instants.map(lambda at: at.replace(microsecond=0))
assorted = st.builds(
    Assorted, strategies.texts.filter(bool), st.uuids(), _instants,
    _ints | strategies.ints, strategies.floats, _prices | strategies.decimals(),
    st.sampled_from(Shade), st.booleans(), st.tuples(strategies.texts, _ints), until=st.none() | _times,
    day=st.none() | st.dates(), time=st.times(), took=st.none() | _spans | st.timedeltas(),
    epoch=st.none() | _instants | _times, data=st.none() | st.binary(max_size=4),
    letter=st.sampled_from(["a", "b", None]), given=st.none() | st.integers(-(2**63), 2**63),
    either=st.none() | strategies.texts | strategies.ints | st.lists(_leaves, max_size=2),
    ids=st.sets(st.uuids(), max_size=2),
    deep=st.lists(st.lists(st.none() | _leaves, max_size=2), max_size=2),
    named=st.dictionaries(st.text("ab", min_size=1), st.none() | _leaves, max_size=2),
    plain=st.none() | st.dictionaries(
        st.text("ab"), st.lists(st.none() | strategies.floats, max_size=3), max_size=2
    ),
    anything=st.none() | strategies.texts | strategies.ints, other=st.integers(),
)  # fmt: skip


def columns(cls: type[Any], items: list[Any], *, rows: bool) -> Any:
    """The columns of a page with all numbers, or the error, with everything that can be told apart."""
    body = json.dumps({"Items": items}).encode()
    page = json.loads(body)["Items"]
    if rows:
        decode = decoder(model_info(cls), cls, "Items")
        assert decode is not None
        for _ in range(2):  # the first time may have taught it attributes
            page = decode(body)["Items"]
    frame = Frame.of(ByHand().scan(cls), None)
    try:
        arrays = frame.arrays(RawPage(page, len(page), 0, 0.0, None, page), widening=True)
    except MappingError as error:
        return "error", error.path, error.expected, error.hint, error.key
    return [(each.type, told(each.to_pylist())) for each in arrays], frame.schema


def told(value: Any) -> Any:
    """A value in which the order of a dict, which is no part of it, does not count in JSON text."""
    if isinstance(value, list):
        return [told(each) for each in value]
    if isinstance(value, tuple):
        return tuple(map(told, value))
    if isinstance(value, dict):
        return {name: told(each) for name, each in value.items()}
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return json.dumps(json.loads(value, parse_float=str, parse_int=str), sort_keys=True)
    return value


def assert_same(cls: type[Any], items: list[Any]) -> None:
    quick, slow = (columns(cls, items, rows=rows) for rows in (True, False))

    assert repr(quick) == repr(slow)  # which tells -0.0 and 0.0 apart


@given(strategies.models())
def test_columns_are_read_alike(thing: Any) -> None:
    item = wire(mapper.dump(thing))

    assert_same(type(thing), [item, item])


@given(strategies.keyed_models())
def test_columns_of_keyed_models_are_read_alike(thing: Any) -> None:
    try:
        item = wire(mapper.dump(thing))
    except ImpossibleKey:
        return

    assert_same(type(thing), [item, item])
    assert_same_again(thing)


@given(st.lists(assorted, min_size=1, max_size=3))
def test_columns_of_many_kinds_are_read_alike(things: list[Assorted]) -> None:
    assert_same(Assorted, [wire(mapper.dump(each)) for each in things])


@given(st.lists(assorted, min_size=1, max_size=2), st.data())
def test_columns_of_damaged_items_are_read_or_refused_alike(
    things: list[Assorted], data: st.DataObject
) -> None:
    items = [wire(mapper.dump(each)) for each in things]
    broken = data.draw(damaged(items[-1]).filter(lambda each: is_item_of(items[-1], each)))
    # What is no attribute value is refused in an attribute of which nothing is read, too: by objects.
    known = model_info(Assorted).names.values()
    broken = {name: value for name, value in broken.items() if name in known}

    assert_same(Assorted, [*items, broken])


@given(strategies.models())
def test_what_columns_hold_makes_the_same_objects(thing: Any) -> None:
    assert_same_again(thing)


@given(assorted)
def test_columns_of_many_kinds_make_the_same_objects(thing: Assorted) -> None:
    assert_same_again(thing)


def assert_same_again(thing: Any) -> None:
    cls, item = type(thing), mapper.dump(thing)
    frame = Frame.of(ByHand().scan(cls), None)
    try:
        arrays = frame.arrays(RawPage([item], 1, 0, 0.0, None, [item]), widening=True)
    except MappingError:
        return  # no type of Arrow has a place for it
    table = FrameRows(frame.batch(arrays))
    (again,) = Rows(model_info(cls), cls, table, "raise", "forbid")

    assert again == mapper.load(item, cls)
