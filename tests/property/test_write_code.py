"""Items that become JSON at once: the same requests, keys and refusals as by way of attribute maps."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import (
    GlobalIndex,
    MappingError,
    Session,
    Table,
    field,
    limits,
    mapper,
    model,
    partition_key,
    sort_key,
)
from dynattrs.mapper.carried import Carried, carried_by, carry
from dynattrs.mapper.size import TooDeep, item_size
from dynattrs.operations.writing.batch import put_write
from dynattrs.operations.writing.buffer import Buffer
from dynattrs.operations.writing.encoding import by_codecs
from dynattrs.operations.writing.packed import END, WHOLE, packed_write, take_packed
from dynattrs.schema.model_info import model_info
from model_of_everything import Thing as Wide
from two_writings import check, read

import strategies


@given(strategies.models())
def test_an_object_becomes_the_json_of_its_attribute_map(thing: Any) -> None:
    check(thing)


@given(
    strategies.models(),
    st.dictionaries(st.text(min_size=1, max_size=4).map("x".__add__), st.just({"B": "AAEC"})),
)
def test_what_an_object_carries_is_part_of_the_json(thing: Any, unknown: Any) -> None:
    loaded = mapper.load({**mapper.dump(thing), **unknown}, type(thing))

    check(loaded)


@attrs.define
class Inner:
    name: Any
    count: int | None


@model(
    "packed",
    indexes=[
        GlobalIndex("by-flag", partition_key="word", sort_key="when"),
        GlobalIndex("by-price", partition_key="price"),
    ],
)
class Packed:
    id: str = partition_key()
    number: int = sort_key()
    word: str | None = None
    when: dt.datetime | None = None
    price: Decimal | None = None
    flag: bool = False
    ratio: float = 0.0
    data: bytes = b""
    tags: set[str] = attrs.field(factory=set)
    maybe: frozenset[str] | None = frozenset()
    words: list[str] = attrs.field(factory=list)
    anything: Any = None
    inner: Inner | None = None
    unset: int | None = 5


NOW = dt.datetime(2026, 11, 25, tzinfo=dt.timezone.utc)
values = st.one_of(
    st.none(), st.booleans(), st.text(max_size=4), st.integers(), st.integers(-(10**39), 10**39),
    st.floats(), st.decimals(), st.binary(max_size=4), st.sets(st.text(max_size=2) | st.integers()),
    st.frozensets(st.text(max_size=2)), st.lists(st.text(max_size=2) | st.none(), max_size=3),
    st.tuples(st.text(max_size=2)), st.sampled_from(["a" * 257, "é" * 600, "\ud800", "x" * 3000]),
    st.sampled_from(strategies.Level), st.just(strategies.Code("c")), st.just(NOW),
    st.builds(Inner, st.text(max_size=2) | st.binary(max_size=2), st.none() | st.integers()),
    st.just([[[[]]]]), st.builds(bytearray, st.binary(max_size=2)), st.just('"\\\x00\x7f\u2028'),
)  # fmt: skip
FIELDS = [each.name for each in attrs.fields(Packed)]  # type: ignore[arg-type]


@given(st.dictionaries(st.sampled_from(FIELDS), values, max_size=4))
def test_what_the_general_way_refuses_is_never_packed(changed: dict[str, Any]) -> None:
    obj = Packed("a", 1)
    for name, value in changed.items():
        setattr(obj, name, value)

    check(obj)


@model("numbered")
class Numbered:
    id: float = partition_key()
    at: Decimal = sort_key()


@model("binary")
class Binary:
    id: bytes = partition_key()


@model("named")
class Named:
    id: uuid.UUID = partition_key()
    at: dt.datetime = sort_key()


@given(st.floats(-1e9, 1e9), st.decimals(-100, 100, places=2))
def test_numbers_are_one_key_where_they_are_one_number(number: float, other: Decimal) -> None:
    obj = Numbered(number, other)

    check(obj)


@given(st.binary(min_size=1, max_size=300), st.uuids(), st.datetimes())
def test_keys_of_other_types_are_told_apart_as_ever(key: bytes, id_: Any, at: Any) -> None:
    check(Binary(key), always=True)
    check(Named(id_, at.replace(tzinfo=dt.timezone.utc)), always=True)


def test_the_usual_object_is_packed() -> None:
    check(Packed("a", 1, "word", NOW, Decimal("1.50"), inner=Inner("x", 3)), always=True)
    check(Wide(1, 2), always=True)


def test_an_item_that_is_too_large_is_left_to_the_general_way() -> None:
    fits, large = (Packed("a", 1, anything="x" * size) for size in (399_000, 409_600))

    check(fits, always=True)
    check(large)
    # Characters that JSON writes longer than they are.
    escaped = Packed("a", 1, anything="\x01" * 100_000)
    check(escaped, always=True)
    assert item_size(mapper.dump(escaped)) < limits.ITEM_BYTES


def test_nesting_is_counted_wherever_it_begins() -> None:
    deep: Any = "end"
    for _ in range(31):
        deep = [deep]
    for extra in range(3):
        obj = Packed("a", 1, inner=Inner(deep, None))
        deep = [deep]

        check(obj)
        assert (mapper.default.dump_as_request(obj, "real") is None) == (extra > 0)


@pytest.mark.parametrize("value", [{"n": {1, 2}}, {"b": b"x"}, [Decimal("1.0")], 'é"\\'])
def test_any_value_is_packed_as_its_codec_stores_it(value: Any) -> None:
    check(Packed("a", 1, anything=value), always=True)


class Half(float, enum.Enum):
    HALF = 0.5


class One(enum.IntEnum):
    ONE = 1


class Word(str, enum.Enum):
    B = "b"


class Text(str):
    __slots__ = ()


class Share(float):
    pass


@model("listed")
class Listed:
    id: str = partition_key()
    ints: list[int] = attrs.field(factory=list)
    floats: list[float] = attrs.field(factory=list)
    words: set[str] = attrs.field(factory=set)
    ratio: float = 0.5


FLOATS = [
    0.5, -0.5, 1e-4, -1e-4, 9.999e-5, -9.999e-5, 1.5e-5, 1e-6, 1e-130, 1e-131, 5e-324, 0.0, -0.0,
    999999999999999.9, 1e15, 1e16, 1.5e22, -1e16, 9.9e125, 1e126, float("nan"), float("inf"), 1, 10**17, True,
    Half.HALF, Share(0.5), Share(1e-5), Decimal("0.5"), None, "0.5",
]  # fmt: skip
INTS = [
    0, -1, 10**37, 10**38 - 1, -(10**38) + 1, 10**38, 10**38 + 1, -(10**38) - 1, True, One.ONE, 1.0, 1.5,
    Decimal(1), None, "1",
]  # fmt: skip


@pytest.mark.parametrize("other", FLOATS, ids=repr)
def test_each_float_is_written_as_by_its_codec(other: Any) -> None:
    check(Listed("a", ratio=other))
    check(Listed("a", floats=[other]))
    check(Listed("a", floats=[0.25, other, 0.75]))
    check(Listed("a", floats=[0.25] * 24 + [other]))


@pytest.mark.parametrize("other", INTS, ids=repr)
def test_each_int_is_written_as_by_its_codec(other: Any) -> None:
    check(Listed("a", ints=[other]))
    check(Listed("a", ints=[7, other, -8]))
    check(Listed("a", ints=[7] * 24 + [other]))


@pytest.mark.parametrize(
    "other", ["", "é", '"', "\ud800", Word.B, Text("t"), 1, None, b"b"], ids=repr
)
def test_each_set_of_texts_is_written_as_by_its_codec(other: Any) -> None:
    check(Listed("a", words={other}))
    check(Listed("a", words={"x", other, "y"}))
    check(Listed("a", words=frozenset({"x", other})))
    check(Listed("a", words=["x", other]))


def test_any_name_is_written() -> None:
    @model("odd")
    class Odd:
        id: str = partition_key()
        quoted: str = field(name='a"b', default="x")
        percent: str | None = field(name="100 %b", default="x")

    check(Odd("a"), always=True)


@pytest.mark.parametrize("tags", [None, set(), {"a"}, "", 0, ["a"]], ids=str)
def test_a_set_that_is_none_by_default_is_left_out(tags: Any) -> None:
    """Of no type that says so."""

    @model("loose")
    class Loose:
        id: str = partition_key()
        tags: set[str] = None  # type: ignore[assignment]
        codes: set[int] = None  # type: ignore[assignment]

    loose = Loose("a", tags)

    check(loose, always=tags is None or isinstance(tags, set))


def test_an_item_has_its_schema_version() -> None:
    @model("upgraded", upgrades=[lambda item: item])
    class Upgraded:
        id: str = partition_key()

    check(Upgraded("a"), always=True)
    assert mapper.dump(Upgraded("a"))["schema_version"] == {"N": "2"}


# --- Keys that templates make --------------------------------------------------------------------


@given(strategies.keyed_models())
def test_keys_that_templates_make_are_part_of_the_json(thing: Any) -> None:
    check(thing)


@attrs.define
class Place:
    city: str
    zip: int | None = None


class Day(enum.Enum):
    MONDAY = "mo"
    SUNDAY = "su"


SHELF = Table(
    "packed_shelf", partition_key="pk", sort_key="sk", discriminator="type",
    indexes=[
        GlobalIndex("by_day", partition_key="g1", sort_key="g2", write_shards=3),
        GlobalIndex("by_rank", partition_key="g3", sort_key=("g4", "g5")),
    ],
    types={"g4": "N", "g5": "B"},
)  # fmt: skip


@model(
    SHELF, pk="B#{owner}::{day}", sk="{number:08x}#{place.city}'{{", g1="D%{day}",
    g2="{at:%Y-%m}#{flag}#{ratio}", g3="{id}", g4="{number}", g5="{data}", kind="bü",
    upgrades=[lambda item: item],
)  # fmt: skip
class Boxed:
    """Its keys are made of fields of several types; one field is stored nowhere else."""

    owner: str = field(key_only=True)
    number: int
    place: Place
    day: Day = Day.SUNDAY
    at: dt.datetime | None = None
    flag: bool | None = False
    ratio: float = 0.5
    id: uuid.UUID = uuid.UUID(int=7)
    data: bytes | None = b"x"
    zone: Place | None = None


boxed = st.builds(
    Boxed,
    owner=st.text(max_size=4) | st.sampled_from(["a" * 2100, "é" * 600, "\ud800", "a#", "a::", ":"]),
    number=st.integers(-1, 2**33), place=st.builds(Place, st.text(max_size=3)),
    day=st.sampled_from(Day), at=st.none() | strategies.instants, flag=st.none() | st.booleans(),
    ratio=strategies.floats, id=st.uuids(), data=st.none() | st.binary(max_size=3),
)  # fmt: skip


@given(boxed, st.dictionaries(st.sampled_from(["x", "pk", "g1", "g2", "owner", "type", "schema_version"]),
                              st.just({"S": "carried"})))  # fmt: skip
def test_items_with_computed_keys_become_json(box: Boxed, unknown: dict[str, Any]) -> None:
    # What is carried may be called as what is computed, if it was so when it was carried.
    carry(box, Carried(unknown))

    check(box)


@given(
    st.dictionaries(
        st.sampled_from([each.name for each in attrs.fields(Boxed)]),  # type: ignore[arg-type]
        values | st.builds(Place, st.integers() | st.text(max_size=2)),
    )
)
def test_keys_of_wrong_values_are_refused(changed: dict[str, Any]) -> None:
    box = Boxed("ann", 7, Place("l"))
    for name, value in changed.items():
        setattr(box, name, value)

    check(box)


# --- What a save changes, and keys in another spelling ------------------------------------------


@model(SHELF, pk="T#{id}", sk="{at}", g1="{updated:%Y}", g2="{created}")
class Stamped:
    id: uuid.UUID
    at: dt.datetime
    created: dt.datetime | None = field(created=True, default=None)
    updated: dt.datetime | None = field(updated=True, default=None)
    other: str | None = None


@model("packed_spelled")
class Spelled:
    id: uuid.UUID = partition_key()
    at: dt.datetime = sort_key()
    note: str = ""


@model("packed_numbered")
class ByNumber:
    id: float = partition_key()
    created: dt.datetime | None = field(created=True, default=None)


def write_and_encoded(obj: Any) -> tuple[Any, Any]:
    """The write of an object in both ways. Each is of an object of its own, and settled."""
    core = Session(client=object())._core
    core.environment = attrs.evolve(core.environment, now=lambda: NOW)
    found = []
    for way in (
        lambda one: packed_write(core, one),
        lambda one: put_write(core, by_codecs(core, model_info(type(one)), one)),
    ):
        one = copy.deepcopy(obj)
        try:
            write = way(one)
        except (MappingError, TooDeep, UnicodeEncodeError):
            write = None
        if write is None:
            found.append(None)
            continue
        if write.acknowledged is not None:
            write.acknowledged()
        found.append((read(write.request), write.identity, one, carried_by(one)))
    return found[0], found[1]


@model("packed_memos")
class Memo:
    id: str = partition_key()
    text: str = ""


memos = st.builds(
    Memo,
    st.sampled_from(["a", "b", "c", *map(str, range(40))]),
    st.sampled_from(["", "text", "\ud800", None]),
)
several = st.lists(
    memos | st.builds(ByNumber, st.integers(0, 3)) | st.just("no object"), max_size=60
)


@given(several)
def test_objects_that_are_taken_together_are_written_as_one_by_one(objects: list[Any]) -> None:
    core = Session(client=object())._core
    core.environment = attrs.evolve(core.environment, now=lambda: NOW)
    alone, left = Buffer(), []
    for obj in objects:
        write = packed_write(core, obj)
        if write is None:
            left.append(obj)
        else:
            alone.add(write)

    together, given_back = Buffer(), []
    coming = iter(objects)
    while (taken := take_packed(core, together, coming, at_once=True)) is not END:
        if taken is not WHOLE:
            given_back.append(taken)

    assert given_back == left
    assert described(together) == described(alone)


def described(buffer: Buffer) -> list[Any]:
    return [
        (bytes(each.request), each.size, each.identity, each.obj, each.place)
        for each in buffer._every()
    ]


stamps = st.none() | strategies.instants | st.sampled_from([NOW, dt.datetime(2026, 1, 1), 5])  # noqa: DTZ001


@given(st.uuids(), strategies.instants, stamps, stamps)
def test_what_a_save_changes_is_part_of_the_json(
    id_: Any, at: Any, created: Any, updated: Any
) -> None:
    obj = Stamped(id_, at)
    obj.created, obj.updated = created, updated

    packed, encoded = write_and_encoded(obj)

    assert packed == encoded


@given(st.uuids(), strategies.instants, st.booleans(), st.sampled_from([None, "at", "id", "note"]))
def test_a_key_in_another_spelling_is_written_as_it_was_read(
    id_: uuid.UUID, at: dt.datetime, computed: bool, changed: str | None
) -> None:
    obj = Stamped(id_, at, created=NOW) if computed else Spelled(id_, at)
    item = mapper.dump(obj)
    if computed:
        item["pk"] = {"S": f"T#{str(id_).upper()}"}
    else:
        item.update(id={"S": str(id_).upper()}, at={"S": item["at"]["S"][:-1] + "+00:00"})
    loaded: Any = mapper.load(item, type(obj))
    if changed == "at":
        loaded.at = NOW
    elif changed == "id":
        loaded.id = uuid.UUID(int=1)

    packed, encoded = write_and_encoded(loaded)

    assert packed == encoded
    assert packed is not None


@given(st.sampled_from(["1.0", "10E-1", "1", "2.50"]), st.booleans())
def test_a_number_that_is_a_key_has_one_text(text: str, known: bool) -> None:
    extra = {} if known else {"more": {"L": [{"B": b"x"}]}}
    loaded = mapper.load({"id": {"N": text}, **extra}, ByNumber)

    packed, encoded = write_and_encoded(loaded)

    assert packed == encoded
    assert packed is not None
