# ruff: noqa: PT017 - an outcome is one of two
"""The laws of mapping, for every row of the mapping table, nested."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import decimal
import gzip
import json
import pathlib
import pickle
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import evolve, mapper, model, partition_key
from dynattrs.errors import MappingError
from dynattrs.mapper import Compressed, Epoch, Json

import strategies


@given(strategies.models())
def test_load_inverts_dump(thing: Any) -> None:
    """What goes into the table comes back equal, for every field type."""
    assert mapper.load(mapper.dump(thing), type(thing)) == thing


@given(strategies.models())
def test_what_is_dumped_is_what_the_service_takes(thing: Any) -> None:
    strategies.check_item(mapper.dump(thing))


@given(strategies.models())
def test_dumping_what_was_loaded_changes_nothing(thing: Any) -> None:
    """A save after a read writes the same item (sets in any order)."""
    item = mapper.dump(thing)

    assert _unordered(mapper.dump(mapper.load(item, type(thing)))) == _unordered(item)


@given(strategies.models())
def test_plain_json_keeps_the_object(thing: Any) -> None:
    assert mapper.from_json(mapper.to_json(thing), type(thing)) == thing


@given(strategies.models())
def test_dynamodb_json_keeps_the_object(thing: Any) -> None:
    assert mapper.from_dynamodb_json(mapper.to_dynamodb_json(thing), type(thing)) == thing


@given(strategies.models(), st.integers(1, 6))
def test_the_callers_decimal_context_changes_nothing(thing: Any, precision: int) -> None:
    with decimal.localcontext() as context:
        context.prec = precision
        context.traps = dict.fromkeys(context.traps, True)
        loaded = mapper.load(mapper.dump(thing), type(thing))

    assert loaded == thing


@given(
    strategies.models(),
    st.dictionaries(
        st.text(min_size=1, max_size=5).map("other-".__add__),
        strategies.samples.flatmap(lambda sample: st.just({"S": "x"})),
        min_size=1,
        max_size=3,
    ),
)
def test_attributes_that_the_class_does_not_know_survive(thing: Any, unknown: Any) -> None:
    """Trap: attributes that the class does not know are erased by a save."""
    item = {**mapper.dump(thing), **unknown}
    loaded = mapper.load(item, type(thing))

    for each in (loaded, copy.copy(loaded), copy.deepcopy(loaded), evolve(loaded)):
        assert _unordered(mapper.dump(each)) == _unordered(item)


@model("everything")
class Everything:
    id: str = partition_key()
    text: str = ""
    flag: bool = False
    data: bytes = b""
    count: int = 0
    ratio: float = 0.0
    price: Decimal = Decimal(0)
    at: dt.datetime | None = None
    day: dt.date | None = None
    time: dt.time | None = None
    span: dt.timedelta | None = None
    uid: uuid.UUID | None = None
    path: pathlib.PurePath | None = None
    color: strategies.Color | None = None
    mixed: strategies.Mixed | None = None
    access: strategies.Access | None = None
    choice: Literal["a", 1] | None = None
    epoch: Annotated[dt.datetime, Epoch] | None = None
    json: Annotated[dict[str, int], Json] | None = None
    packed: Annotated[list[bytes], Compressed] | None = None
    names: set[str] = attrs.field(factory=set)
    numbers: set[int] = attrs.field(factory=set)
    blobs: frozenset[bytes] = frozenset()
    pairs: set[tuple[int, str]] = attrs.field(factory=set)
    matrix: list[list[float]] = attrs.field(factory=list)
    pair: tuple[int, str] | None = None
    by_name: dict[str, int | None] = attrs.field(factory=dict)
    by_day: dict[dt.date, str] = attrs.field(factory=dict)
    either: int | str | bytes | list[int] | None = None
    anything: Any = None
    parent: Everything | None = None


FIELDS = st.sampled_from([field.name for field in attrs.fields(Everything)])  # type: ignore[arg-type]


@given(st.dictionaries(FIELDS | st.text(min_size=1, max_size=3), strategies.attribute_values))
def test_load_raises_nothing_but_mapping_errors(item: Any) -> None:
    try:
        loaded = mapper.load(item, Everything)
    except MappingError as error:
        assert error.path.startswith("Everything")
        assert str(error)
    else:
        assert type(loaded) is Everything


@given(strategies.attribute_values)
def test_load_of_anything_raises_nothing_but_mapping_errors(item: Any) -> None:
    for each in (Everything, dict[str, int]):
        with contextlib.suppress(MappingError):
            mapper.load(item, each)


@given(st.text() | st.binary())
def test_json_that_is_none_raises_mapping_errors(text: Any) -> None:
    for read in (mapper.from_json, mapper.from_dynamodb_json):
        with contextlib.suppress(MappingError):
            read(text, Everything)


@attrs.define
class Moment:
    at: dt.datetime


@given(strategies.instants, strategies.instants)
def test_stored_datetimes_sort_as_time_does(first: dt.datetime, second: dt.datetime) -> None:
    """Trap: offsets are kept so that strings do not sort, "…00Z" sorts after "…00.5Z"."""
    stored = [mapper.dump(Moment(at))["at"]["S"] for at in (first, second)]

    assert (stored[0] < stored[1]) == (first < second)
    assert (stored[0] == stored[1]) == (first == second)


@attrs.define
class Number:
    value: Decimal


@given(strategies.decimals())
def test_no_digit_of_a_number_is_lost(value: Decimal) -> None:
    """Trap: numbers of more than 17 digits come back as floats."""
    loaded = mapper.load(mapper.dump(Number(value)), Number)

    assert loaded.value == value
    assert type(loaded.value) is Decimal


@given(st.decimals())
def test_a_decimal_is_stored_as_it_is_or_refused(value: Decimal) -> None:
    try:
        item = mapper.dump(Number(value))
    except MappingError as error:
        assert error.path == "Number.value"
    else:
        strategies.check_item(item)
        assert Decimal(item["value"]["N"]) == value


@attrs.define
class Real:
    value: float


@given(st.floats())
def test_a_float_is_stored_as_it_is_or_refused(value: float) -> None:
    """Trap: floats refused."""
    try:
        item = mapper.dump(Real(value))
    except MappingError as error:
        assert error.path == "Real.value"
        assert not 1e-130 <= abs(value) < 1e126
    else:
        assert mapper.load(item, Real).value == value


@attrs.define
class Whole:
    value: int


@given(st.integers() | strategies.ints | st.integers(1, 500).map(lambda power: 10**power))
def test_an_int_is_stored_as_it_is_or_refused(value: int) -> None:
    try:
        item = mapper.dump(Whole(value))
    except MappingError:
        assert abs(value) >= 10**38
    else:
        strategies.check_item(item)
        assert mapper.load(item, Whole).value == value


@attrs.define
class Free:
    value: Any


plain = strategies.nested(
    st.none()
    | st.booleans()
    | strategies.texts
    | strategies.ints
    | strategies.decimals()
    | st.binary(),
    strategies.texts.filter(bool),
)


@given(plain)
def test_any_keeps_what_is_plain(value: Any) -> None:
    item = mapper.dump(Free(value))

    strategies.check_item(item)
    assert mapper.load(item, Free).value == value


@given(strategies.models())
def test_models_with_carried_attributes_pickle(thing: Any) -> None:
    """Classes made on the spot have no name to pickle by, so only their state is taken."""
    loaded = mapper.load({**mapper.dump(thing), "other": {"N": "1"}}, type(thing))
    state = loaded.__getstate__() if hasattr(type(loaded), "__getstate__") else vars(loaded)

    assert "__dynattrs_unknown__" in state
    assert pickle.loads(pickle.dumps(state["__dynattrs_unknown__"])).attributes == {
        "other": {"N": "1"}
    }


def _unordered(value: Any) -> Any:
    """An attribute map with its sets, and lists that stand for sets, in one order."""
    if isinstance(value, dict):
        return {name: _unordered(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted((_unordered(each) for each in value), key=repr)
    # The JSON of `Json` and `Compressed` may hold sets, too.
    if isinstance(value, bytes) and value.startswith(b"\x1f\x8b"):
        return sorted(gzip.decompress(value))
    return sorted(value) if isinstance(value, str) else value


# --- JSON ---------------------------------------------------------------------------------------

json_values = strategies.nested(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**80), 10**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=5),
    st.text(st.characters(), max_size=3),
)


@model("documents")
class Document:
    id: str = partition_key()
    free: Annotated[Any, Json] = None
    packed: Annotated[list[Any], Compressed] = attrs.field(factory=list)


@given(json_values, st.sampled_from([None, 2]))
def test_a_json_attribute_is_what_json_says(value: Any, indent: int | None) -> None:
    """Whatever program has written it, and back, with every type and digit."""
    text = json.dumps(value, indent=indent)
    stored: Any = {"id": {"S": "x"}, "free": {"S": text}}

    found = mapper.load(stored, Document)

    assert repr(found.free) == repr(json.loads(text))
    found.packed = [value]
    again = mapper.dump(found)
    if value is not None:
        assert repr(json.loads(again["free"]["S"])) == repr(json.loads(text))
        again["free"]["S"].encode()
    assert repr(json.loads(gzip.decompress(again["packed"]["B"]))) == repr([json.loads(text)])


wire_values = st.recursive(
    st.just({"NULL": True})
    | st.booleans().map(lambda value: {"BOOL": value})
    | st.integers(-(10**37), 10**37).map(lambda value: {"N": str(value)})
    | st.text(max_size=3).map(lambda value: {"S": value})
    | st.binary(max_size=3).map(lambda value: {"B": value})
    | st.sets(st.text(max_size=2), min_size=1, max_size=3).map(lambda v: {"SS": sorted(v)})
    | st.sets(st.integers(), min_size=1, max_size=3).map(lambda v: {"NS": [*map(str, sorted(v))]})
    | st.sets(st.binary(max_size=2), min_size=1, max_size=3).map(lambda v: {"BS": sorted(v)}),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda value: {"L": value})
        | st.dictionaries(st.text(min_size=1, max_size=2), inner, max_size=2).map(
            lambda v: {"M": v}
        )
    ),
    max_leaves=5,
)


@given(wire_values, wire_values)
def test_plain_json_keeps_what_no_type_speaks_of_or_refuses(extra: Any, within: Any) -> None:
    """There and back, an item is the same to the service."""

    @model("open")
    class Open:
        id: str = partition_key()
        within: Any = None
        tags: set[str] = attrs.field(factory=set)
        data: bytes = b""

    item = {"id": {"S": "x"}, "extra": extra, "within": within, "tags": {"SS": ["b", "a"]},
            "data": {"B": b"x"}}  # fmt: skip
    thing = mapper.load(item, Open)
    try:
        text = mapper.to_json(thing)
    except MappingError:
        assert set(map(str, tags_in({"L": [extra, within]}))) & {"B", "SS", "NS", "BS"}
        return

    back = mapper.from_json(text, Open)

    assert _unordered(mapper.dump(back)) == _unordered(mapper.dump(thing))


def tags_in(value: Any) -> set[str]:
    ((tag, payload),) = value.items()
    inner = payload if tag == "L" else payload.values() if tag == "M" else ()
    return {tag}.union(*map(tags_in, inner))
