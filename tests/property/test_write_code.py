"""Items that become JSON at once: the same requests, keys and refusals as by way of attribute maps."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import GlobalIndex, MappingError, limits, mapper, model, partition_key, sort_key
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.size import TooDeep, item_size
from dynattrs.operations.item_keys import identity
from dynattrs.operations.requests import unpacked
from dynattrs.schema.model_info import model_info
from model_of_everything import Thing as Wide

import strategies


def apart(obj: Any) -> tuple[Any, Any, int] | None:
    """Request, identity and size as the general way comes to them; None where it refuses."""
    try:
        item, size = mapper.default.dump_with_size(obj)
        if size > limits.ITEM_BYTES:
            return None
        key = {name: item[name] for name in model_info(type(obj)).table.key}
        return read({"PutRequest": {"Item": item}}), identity("real", key), size
    except (MappingError, TooDeep, UnicodeEncodeError):
        return None


def read(request: Any) -> Any:
    found = unpacked({"RequestItems": {"real": [request]}})["RequestItems"]["real"]
    return [with_sets(each["PutRequest"]["Item"]) for each in found]


def with_sets(value: Any) -> Any:
    """Sets have no order."""
    if isinstance(value, list):
        return [with_sets(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: frozenset(each) if name in ("SS", "NS", "BS") else with_sets(each)
        for name, each in value.items()
    }


def check(obj: Any, *, always: bool = False) -> None:
    """The fast way says what the general one says, or leaves it to that."""
    found = mapper.default.dump_as_request(obj, "real")
    expected = apart(obj)

    if found is None:
        assert not always
        return
    assert expected is not None
    request, length, key = found
    assert read(request) == expected[0]
    assert key == expected[1]
    assert hash(key) == hash(expected[1])
    assert length == len(bytes(request))
    # What makes measuring unnecessary.
    assert length >= expected[2]


@given(strategies.models())
def test_an_object_becomes_the_json_of_its_attribute_map(thing: Any) -> None:
    check(thing, always=apart(thing) is not None)


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

    check(obj, always=apart(obj) is not None)


@given(st.binary(min_size=1, max_size=300), st.uuids(), st.datetimes())
def test_keys_of_other_types_are_told_apart_as_ever(key: bytes, id_: Any, at: Any) -> None:
    check(Binary(key), always=len(key) < 256)
    check(Named(id_, at.replace(tzinfo=dt.timezone.utc)), always=True)


def test_the_usual_object_is_packed() -> None:
    check(Packed("a", 1, "word", NOW, Decimal("1.50"), inner=Inner("x", 3)), always=True)
    check(Wide(1, 2), always=True)


def test_what_an_object_carries_is_left_to_the_general_way() -> None:
    loaded = mapper.load({**mapper.dump(Packed("a", 1)), "more": {"S": "x"}}, Packed)

    assert mapper.default.dump_as_request(loaded, "real") is None


def test_an_item_that_may_be_too_large_is_left_to_the_general_way() -> None:
    fits, large = (Packed("a", 1, anything="x" * size) for size in (399_000, 409_600))

    check(fits, always=True)
    assert mapper.default.dump_as_request(large, "real") is None
    # Characters that JSON writes longer than they are.
    escaped = Packed("a", 1, anything="\x01" * 100_000)
    assert mapper.default.dump_as_request(escaped, "real") is None
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


def test_a_name_that_no_struct_can_have_is_left_to_the_general_way() -> None:
    from dynattrs import field

    @model("odd")
    class Odd:
        id: str = partition_key()
        quoted: str = field(name='a"b', default="x")

    assert mapper.default.dump_as_request(Odd("a"), "real") is None
    assert isinstance(mapper.default.codec(Odd), ClassCodec)
    assert msgspec.json.encode(mapper.dump(Odd("a")))


def test_an_item_with_a_schema_version_is_left_to_the_general_way() -> None:
    @model("upgraded", upgrades=[lambda item: item])
    class Upgraded:
        id: str = partition_key()

    assert mapper.default.dump_as_request(Upgraded("a"), "real") is None
    assert mapper.dump(Upgraded("a"))["schema_version"] == {"N": "2"}
