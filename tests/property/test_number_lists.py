"""Lists of numbers that are written and read as text: as their members are, one after another."""

from __future__ import annotations

import collections
import json
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs import MappingError, mapper, model, partition_key
from dynattrs.mapper.number_lists import number_lists
from dynattrs.mapper.size import item_size
from dynattrs.operations.reading.objects import Objects, decoder
from dynattrs.operations.requests import unpacked
from dynattrs.schema.model_info import model_info

import strategies

TYPES = (float, int)


class Half(float):
    """A subclass that `msgspec` does not know."""


def lists(members: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Short ones, and long ones that have few members that differ."""
    few = st.lists(members, min_size=1, max_size=4)
    return st.lists(members, max_size=12) | st.builds(
        lambda each, times: each * times, few, st.integers(3, 9)
    )


#: What `list[float]` and `list[int]` may be given, right and wrong.
numbers = st.one_of(
    strategies.floats, st.floats(), st.floats(-1, 1), strategies.ints, st.integers(),
    st.sampled_from([0.0, -0.0, 1e-4, 1e-5, -1.5e-7, 1e15, 1e16, 1e22, 1e125, 1e126, 1e-130, 9e-131,
                     100.00001, 5e-324, 10**38 - 1, 10**38, -(10**38), 2**64]),
)  # fmt: skip
_STRANGE: list[Any] = [
    True, None, "1", "", b"1", Decimal("1.5"), strategies.Level.LOW, strategies.Mixed.NUMBER,
    Half(0.5), [1.0], {}, 1j, msgspec.Raw(b"1"), msgspec.Raw(b"1,2"),
]  # fmt: skip
try:
    import numpy as np
except ImportError:
    pass
else:
    _STRANGE += np.float32(0.1), np.float64(0.1), np.int64(3)
strange = st.sampled_from(_STRANGE)

spellings = st.one_of(
    numbers.map(repr), strategies.decimals().map(str), strategies.ints.map(str),
    st.from_regex(r"\A[-+]?[0-9]{0,3}(\.[0-9]{0,2})?([eE][-+]?[0-9]{1,3})?\Z"),
    st.sampled_from(
        ["1E2", "01", " 1", "1 ", "1_000", "-0", "-0.0", "+1", ".5", "5.", "1,2", "", ",", "NaN", "null",
         "true", '"1"', "[1]", "1]", "[1", "1e999", "0x1", "\u0661", "\\u0031", '1"},{"N":"2', "9" * 38,
         "9007199254740993", "18446744073709551616", "1.0", "1e-400"]
    ),
)  # fmt: skip


def outcome(work: Any) -> Any:
    try:
        found = work()
    except MappingError as error:
        return error.path, error.expected, error.found, error.hint
    except Exception as error:
        return type(error)
    return repr(found)


@pytest.mark.parametrize("type_", TYPES)
@given(values=lists(numbers) | lists(numbers | strange))
@example(values=[0.0, -0.0, 0.0, 0.5] * 3)
@example(values=[1e-07, 0.5, 1e-05, 1e16] * 3)
@example(values=[1e-05, 0.5, 0.25] * 3)
@example(values=[1e-05] + [0.5] * 8)
@example(values=[float("nan")] * 9)
def test_a_list_is_written_as_its_members_are(type_: Any, values: list[Any]) -> None:
    member = mapper.default.codec(type_)
    lists = number_lists(member)
    assert lists is not None

    def apart() -> list[Any]:
        return [member.dump(each) for each in values]

    expected = outcome(apart)
    assert outcome(lambda: mapper.default.codec(list[type_]).dump(values)["L"]) == expected
    assert outcome(lambda: json.loads(lists.payload(values))) == expected
    assert outcome(lambda: [{"N": each} for each in lists.texts(values)]) == expected
    if isinstance(expected, str):
        assert lists.payload(tuple(values)) == msgspec.json.encode(apart())


@pytest.mark.parametrize("type_", TYPES)
@given(texts=lists(numbers.map(repr)) | lists(spellings))
@example(texts=["1,2"] * 9)
@example(texts=["-0"] * 9)
@example(texts=["0.5", "-0", "-0.0"] * 3)
@example(texts=['1"},{"N":"2'] * 9)
def test_a_list_is_read_as_its_members_are(type_: Any, texts: list[str]) -> None:
    member = mapper.default.codec(type_)
    stored = [{"N": each} for each in texts]

    expected = outcome(lambda: [member.load(each) for each in stored])

    assert outcome(lambda: mapper.default.codec(list[type_]).load({"L": stored})) == expected


# --- In models ------------------------------------------------------------------------------------


@attrs.define
class Part:
    weights: list[float]
    counts: list[int] | None


@model("documents")
class Document:
    id: str = partition_key()
    floats: list[float] = attrs.field(factory=list)
    several: tuple[float, ...] = ()
    ints: list[int] = attrs.field(factory=list)
    last: collections.deque[int] = attrs.field(factory=collections.deque)
    perhaps: list[float] | None = None
    part: Part | None = None


FIELDS = ("floats", "several", "ints", "last", "perhaps")


def described(value: Any) -> Any:
    if attrs.has(type(value)):
        return [described(getattr(value, each.name)) for each in attrs.fields(type(value))]
    return type(value), repr(value)


@st.composite
def documents(draw: st.DrawFn, members: st.SearchStrategy[Any]) -> Document:
    obj = Document("d")
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        values = draw(lists(members))
        kind = draw(st.sampled_from([list, list, tuple, collections.deque]))
        setattr(obj, name, kind(values))
    if draw(st.booleans()):
        obj.part = Part(draw(lists(members)), draw(st.none() | lists(members)))
    return obj


@given(documents(numbers) | documents(numbers | strange))
def test_objects_with_lists_of_numbers_become_the_same_items(obj: Document) -> None:
    def apart() -> Any:
        item = mapper.dump(obj)
        return item, item_size(item)

    expected = outcome(apart)
    request = mapper.default.dump_as_request(obj, "documents")

    assert outcome(lambda: mapper.default.dump_with_size(obj)) == expected
    if request is not None:
        sent = unpacked({"RequestItems": {"documents": [request[0]]}})["RequestItems"]["documents"]
        assert sent == [{"PutRequest": {"Item": mapper.dump(obj)}}]
        assert apart()[1] <= request[1]
    elif isinstance(expected, str):
        pytest.fail("left to the general way")


@given(
    st.dictionaries(
        st.sampled_from((*FIELDS, "part")),
        lists(st.fixed_dictionaries({"N": spellings}) | strategies.attribute_values),
        max_size=3,
    ),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
@example({"floats": [{"N": "0.5"}, {"N": "1", "S": "x"}], "ints": []}, (",", ":"))
@example({"floats": [{"N": "1,2"}, {"N": "3"}], "ints": [{"N": "1,2"}]}, (",", ":"))
def test_objects_are_made_of_replies_as_of_attribute_maps(
    stored: dict[str, list[Any]], separators: tuple[str, str]
) -> None:
    item = {"id": {"S": "d"}, **{name: {"L": each} for name, each in stored.items()}}
    if "part" in item:
        item["part"] = {"M": {"weights": item["part"], "counts": {"NULL": True}}}
    # As JSON has it, which knows neither bytes nor NaN.
    plain = msgspec.json.decode(msgspec.json.encode(item))
    body = json.dumps({"Item": plain}, separators=separators).encode()
    info = model_info(Document)
    decode = decoder(info, Document, "Item")
    assert decode is not None

    def read() -> Any:
        return Objects(info, Document).reads()(decode(body)["Item"])

    expected = outcome(lambda: described(mapper.load(plain, Document)))
    assert outcome(lambda: described(read())) == expected
