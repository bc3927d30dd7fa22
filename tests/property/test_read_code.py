"""Two ways from a reply's bytes to objects: rows, and attribute maps. They never differ.

The general way (`Mapper.load` of parsed JSON) is the oracle. The same bytes are read by the decoder
that goes with a call, and what comes of it, object or error, must be the same to the last detail.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import uuid
from decimal import Decimal
from typing import Annotated, Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import (
    Epoch,
    Json,
    Table,
    field,
    map_class,
    mapper,
    model,
    partition_key,
)
from dynattrs.mapper.rows import Row, attribute_map
from dynattrs.operations.reading.objects import decoder
from dynattrs.operations.reading.projections import projected
from dynattrs.schema.model_info import model_info
from model_of_everything import Inner, Thing
from two_readings import (
    any_values,
    assert_same,
    damaged,
    is_item_of,
    is_stored,
    outcome,
    stored_values,
    wire,
)

import strategies

# --- Laws -------------------------------------------------------------------------------------


@given(strategies.models())
def test_what_was_stored_is_read_alike(thing: Any) -> None:
    assert_same(type(thing), [wire(mapper.dump(thing))] * 2)


@given(strategies.models(), st.data())
def test_what_is_damaged_is_read_or_refused_alike(thing: Any, data: st.DataObject) -> None:
    item = wire(mapper.dump(thing))
    broken = [data.draw(damaged(item)) for _ in range(2)]

    assert_same(type(thing), [item, *broken, item])


@given(strategies.models(), st.data())
def test_what_the_class_does_not_know_is_kept_alike(thing: Any, data: st.DataObject) -> None:
    item = wire(mapper.dump(thing))
    names = st.text(min_size=1, max_size=4).map("other-".__add__)
    items = []
    for _ in range(data.draw(st.integers(1, 3))):
        unknown = data.draw(st.dictionaries(names, stored_values, max_size=3))
        # One at most that cannot be kept: of two, the first one in the item would be reported.
        unknown.update(data.draw(st.dictionaries(names, any_values, max_size=1)))
        items.append({**item, **unknown})

    assert_same(type(thing), items)


STORED = st.sampled_from(list(model_info(Thing).names.values()))


@given(
    st.lists(
        st.dictionaries(STORED, any_values, max_size=8),
        min_size=1,
        max_size=3,
    )
)
def test_arbitrary_attributes_are_read_or_refused_alike(items: Any) -> None:
    key = {"part": {"N": "1"}, "number": {"N": "2"}}

    assert_same(Thing, [{**key, **item} for item in items])


# --- Values of many kinds, one inside the other -----------------------------------------------


@attrs.define
class Leaf:
    name: str
    size: int | None = None


@attrs.define
class Branch:
    leaves: list[Leaf]
    size: int | None = None
    other: Leaf | None = None


@attrs.frozen
class Root:
    name: str = field(name="called")
    spread: tuple[float, ...] = ()
    made: str = attrs.field(default=attrs.Factory(lambda self: self.name, takes_self=True))


Grown = Leaf | Branch | Root


@model("assorted")
class Assorted:
    id: uuid.UUID = partition_key()
    at: dt.datetime
    pair: tuple[str, int]
    grown: Grown
    until: dt.datetime | None = field(ttl=True, default=None)
    day: dt.date | None = None
    time: dt.time | None = None
    took: dt.timedelta | None = None
    epoch: Annotated[dt.datetime, Epoch] | None = None
    data: bytes | None = None
    either: str | int | list[Leaf] | None = None
    ids: set[uuid.UUID] = attrs.field(factory=set)
    days: list[dt.date] = attrs.field(factory=list)
    pairs: list[tuple[float, bool | None, Leaf]] = attrs.field(factory=list)
    named: dict[str, Grown | None] = attrs.field(factory=dict)
    prices: dict[str, Decimal] = attrs.field(factory=dict)
    deep: list[list[Branch | None]] = attrs.field(factory=list)
    anything: Any = None
    plain: Annotated[dict[str, list[float | None]], Json] | None = None


_leaves = st.builds(Leaf, strategies.texts, st.none() | st.integers(-9, 9))
_branches = st.builds(Branch, st.lists(_leaves, max_size=2), st.none() | st.just(0),
                      st.none() | _leaves)  # fmt: skip
_grown = (
    _leaves
    | _branches
    | st.builds(Root, strategies.texts, st.lists(strategies.floats, max_size=2).map(tuple))
)
_instants = st.datetimes(timezones=st.just(dt.timezone.utc))
assorted = st.builds(
    Assorted, st.uuids(), _instants, st.tuples(strategies.texts, strategies.ints), _grown,
    until=st.none() | _instants.map(lambda at: at.replace(microsecond=0)),
    day=st.none() | st.dates(), time=st.none() | st.times(), took=st.none() | st.timedeltas(),
    epoch=st.none() | _instants, data=st.none() | st.binary(max_size=4),
    either=st.none() | strategies.texts | strategies.ints | st.lists(_leaves, max_size=2),
    ids=st.sets(st.uuids(), max_size=2), days=st.lists(st.dates(), max_size=2),
    pairs=st.lists(st.tuples(strategies.floats, st.none() | st.booleans(), _leaves), max_size=2),
    named=st.dictionaries(st.text("ab", min_size=1), st.none() | _grown, max_size=2),
    prices=st.dictionaries(st.text("ab", min_size=1), strategies.decimals(), max_size=2),
    deep=st.lists(st.lists(st.none() | _branches, max_size=2), max_size=2),
    plain=st.none() | st.dictionaries(
        st.text("ab"), st.lists(st.none() | strategies.floats | st.just(-0.0), max_size=3), max_size=2
    ),
)  # fmt: skip


@given(assorted)
def test_values_inside_values_are_read_alike(thing: Assorted) -> None:
    item = wire(mapper.dump(thing))

    assert_same(Assorted, [item] * 2)
    decode = decoder(model_info(Assorted), Assorted, "Items")
    assert decode is not None
    (row,) = decode(json.dumps({"Items": [item]}).encode())["Items"]
    assert isinstance(row, Row)


@given(assorted, st.data())
def test_damaged_values_inside_values_are_read_or_refused_alike(
    thing: Assorted, data: st.DataObject
) -> None:
    item = wire(mapper.dump(thing))
    broken = [data.draw(damaged(item).filter(lambda each: is_item_of(item, each)))
              for _ in range(3)]  # fmt: skip

    assert_same(Assorted, [item, *broken])


_odd_texts = st.sampled_from(
    ["2026-11-27T12:30:15.123456Z", "2026-11-27T12:30:15Z", "2026-11-27 12:30:15.123456Z",
     "2026-11-27T12:30:15.123+05Z", "2026-11-27T12:30:15.12345 Z", "2026-W48-5T12:30:15.123456Z",
     "2026-11-27T24:00:00.000000Z", "2026-11-27x12:30:15.123456Z", "2026-11-27T12:30:15.\\u0031Z",
     "2026-11-27T12:30:15.123456+00:00", "0001-01-01T00:00:00.000000Z", "2026-11-27", "2026-W48-5",
     "20261127", "2026-1-271", "12:30:15.123456", "12:30:15.123+05", "12:30:15.12345٣", "12:30", "T12:30",
     "00000000-0000-0000-0000-00000000000A", "{00000000-0000-0000-0000-000000000001}", "0" * 32,
     "urn:uuid:00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-0000000\\u0030",
     "0" * 27 + "\\u0030", "0" * 31 + "-", '0"', "AAEC", "AAE=", "AB==", "AB\\/+", "AAE", "A A=",
     "-0", "-0.0", "-0e5", "0e0", "1_0", "1e2", "1E400", "1.5", " 7", "7 ", "0x1", "٣", "1" * 39,
     '{"a": [1, -0, 1e400]}', '{"a": [-0.0, 1.5e3, null]}', '{"a": [1], "a": [2]}', '{"a": [true]}',
     '{"a": ["1"]}', '{"": []}', "NaN", '{"a": [12345678901234567890123]}', ""]
)  # fmt: skip


@given(st.sampled_from(["S", "N", "B"]), _odd_texts, st.sampled_from(
    ["at", "until", "day", "time", "took", "epoch", "data", "either", "anything", "plain", "ids", "days",
     "prices"]
))  # fmt: skip
def test_texts_that_msgspec_reads_are_read_as_python_does(tag: str, text: str, name: str) -> None:
    thing = Assorted(
        uuid.UUID(int=7), dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc), ("a", 1), Leaf("b")
    )
    value: Any = {tag: text}
    if name in ("ids", "days"):
        value = {"L": [value]} if name == "days" else {f"{tag}S": [text]}
    if name == "prices":
        value = {"M": {"x": value}}

    assert_same(Assorted, [{**wire(mapper.dump(thing)), name: value}])


@attrs.define
class Part:
    """Some fields of `Thing`, stored under names of their own."""

    number: int
    text: str = "none"
    price: Decimal = field(name="cost", default=Decimal(1))  # noqa: RUF009 - attrs' own way
    done: bool | None = None
    labels: set[str] = attrs.field(factory=set)
    inner: Inner | None = None
    anything: Any = None


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([stored for name, stored in model_info(Thing).names.items()
                             if hasattr(Part, name)]),
            any_values,
        ),
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_projections_are_read_or_refused_alike(items: Any) -> None:
    reader = projected(model_info(Thing), Part)
    key = {"part": {"N": "1"}, "number": {"N": "2"}}
    items = [{**key, **item} for item in items]
    body = json.dumps({"Items": items}).encode()
    decode = reader.decoder("Items")
    assert decode is not None

    for row, item in zip(decode(body)["Items"], items, strict=True):
        assert attribute_map(row) == item
        if isinstance(row, Row):
            assert row["part"] == {"N": "1"}
        expected = outcome(lambda: reader.read(item))  # noqa: B023
        assert outcome(lambda: reader.reads()(row)) == expected  # noqa: B023


@model("things", unknown="drop")
class Dropping:
    id: str = partition_key()
    inner: Inner | None = None


@model("things", unknown="forbid")
class Forbidding:
    id: str = partition_key()
    inner: Inner | None = None


@attrs.define
class Mapped:
    id: str
    inner: Inner | None = None


map_class(Mapped, "things", partition_key="id")


@given(
    st.sampled_from([Dropping, Forbidding, Mapped]),
    st.lists(st.dictionaries(strategies.texts, stored_values, max_size=2), min_size=1, max_size=3),
    st.dictionaries(strategies.texts, stored_values, max_size=1),
)
def test_what_is_dropped_or_forbidden_is_so_alike(cls: Any, unknown: Any, nested: Any) -> None:
    inner = {"M": {"code": {"N": "1"}, **nested}}

    assert_same(cls, [{**each, "id": {"S": "a"}, "inner": inner} for each in unknown])


# --- Fields that are stored in keys only ------------------------------------------------------


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


TICKETS = Table("tickets", partition_key="pk", sort_key="sk")


@model(
    TICKETS,
    pk="T#{owner}#{day}#{at}{number:04d}",
    sk="{price}|{code:02X}|{done}|{color}|{ticket}|{made:%Y-%m}|{made}|{number:03x}{owner}-{rest:*}",
)
class Ticket:
    """All that stands in its keys in one way or another; two fields stand there twice."""

    owner: str = field(key_only=True, name="o")
    day: dt.date = field(key_only=True)
    at: dt.time = field(key_only=True)
    number: int = field(key_only=True)
    price: Decimal = field(key_only=True)
    code: int = field(key_only=True)
    done: bool = field(key_only=True)
    color: Color = field(key_only=True)
    ticket: uuid.UUID
    made: dt.datetime = field(key_only=True)
    rest: str = field(key_only=True, default="none")
    seat: int | None = None
    whole: str = attrs.field(default=attrs.Factory(lambda self: self.owner, takes_self=True))


ODD = Table("odd_keys", partition_key="pk", sort_key="sk", types={"pk": "B", "sk": "N"})


@model(ODD, pk="{raw}", sk="{number}")
class Odd:
    raw: bytes = field(key_only=True)
    number: float = field(key_only=True)
    text: str = ""


@model(Table("marked", partition_key="pk", sort_key="sk"), pk="{name}", sk="MARK")
class Marked:
    name: str = field(key_only=True, init=False, default="")
    text: str = ""


tickets = st.builds(
    Ticket, st.text("ab é", min_size=1, max_size=3), st.dates(), st.times(), st.integers(0, 4095),
    st.decimals(-9, 9, places=1), st.integers(0, 255), st.booleans(), st.sampled_from(Color),
    st.uuids(), st.datetimes(timezones=st.just(dt.timezone.utc)), st.text("ab#|", max_size=3),
    st.none() | st.integers(0, 9),
)  # fmt: skip
odd = st.builds(
    Odd,
    st.binary(min_size=1, max_size=4),
    st.integers(-9, 9).map(float) | st.just(0.1),
    st.text(max_size=2),
)


@st.composite
def changed(draw: st.DrawFn, text: str) -> str:
    """A key's text with a few characters more, fewer or others somewhere in it."""
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(text)))
        new = draw(st.sampled_from(["", "#", "|", "-", "0", "9", "a", "F", "٣", " ", "\x00", "##"]))
        text = text[:at] + new + text[at + draw(st.integers(0, 2)) :]
    return text


def has_keys(item: Any) -> bool:
    """Whether what it has for keys are attribute values. Anything else is not an item of a table."""
    keys = [item[name] for name in ("pk", "sk") if name in item] if isinstance(item, dict) else [0]
    return all(
        isinstance(key, dict)
        and key
        and is_stored(key)
        and all(type(payload) is str for tag, payload in key.items() if tag in "SNB")
        for key in keys
    )


@given(tickets | odd, st.data())
def test_fields_of_keys_are_read_or_refused_alike(thing: Any, data: st.DataObject) -> None:
    item = wire(mapper.dump(thing))
    more = data.draw(
        st.dictionaries(st.sampled_from(["o", "day", "number", "raw", "x"]), stored_values)
    )
    items = [item, {**item, **more}, data.draw(damaged(item).filter(has_keys))]
    for name in ("pk", "sk"):
        value = item[name]
        others = st.just(value) | damaged(value) | stored_values
        if "S" in value:
            others |= changed(value["S"]).map(lambda text: {"S": text})
        items.append(data.draw(others.map(lambda key: {**item, name: key}).filter(has_keys)))  # noqa: B023

    assert_same(type(thing), items)


@given(st.lists(st.dictionaries(st.sampled_from(["pk", "name", "text"]), stored_values)))
def test_a_field_that_the_constructor_does_not_take_is_read_from_the_key_alike(items: Any) -> None:
    named = [{"sk": {"S": "MARK"}, "pk": {"S": "né"}, **item} for item in ({}, *items)]

    assert_same(Marked, [item for item in named if has_keys(item)])
