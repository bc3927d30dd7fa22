"""Sets that are equal are stored alike, whatever order Python has for them: as lists, and as JSON."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs import Compressed, Json, in_, mapper, model, partition_key
from dynattrs.mapper.equality import alike


class Mixed(enum.Enum):
    TEXT = "a"
    NUMBER = 7


@attrs.frozen
class Point:
    x: int
    tags: frozenset[int] = frozenset()


@model("set_order")
class Sets:
    id: str = partition_key()
    optional: set[int | None] = attrs.field(factory=set)
    pairs: set[tuple[str, int]] = attrs.field(factory=set)
    sets: set[frozenset[int]] = attrs.field(factory=set)
    points: frozenset[Point] = frozenset()
    either: set[int | str] = attrs.field(factory=set)
    choices: set[Mixed] = attrs.field(factory=set)
    listed: list[set[tuple[int, ...]]] = attrs.field(factory=list)
    anything: Any = None
    text: Annotated[set[int | None], Json] = attrs.field(factory=set)
    texts: Annotated[dict[str, set[tuple[str, int]]], Json] = attrs.field(factory=dict)
    zipped: Annotated[set[bytes | None], Compressed] = attrs.field(factory=set)
    numbers: Annotated[set[int], Json] = attrs.field(factory=set)


def filled(numbers: list[int]) -> Sets:
    """Sets whose members are added one after the other."""
    pairs = {(str(each), each) for each in numbers}
    return Sets(
        "a", {None, *numbers}, pairs, {frozenset(numbers), frozenset()},
        frozenset([Point(each, frozenset(numbers)) for each in numbers]),
        {"x", *numbers}, {*Mixed}, [{(each, 1) for each in numbers}],
        {"in": {None, *numbers}}, {*numbers, None}, {"in": pairs},
        {None, *map(str.encode, map(str, numbers))}, {*numbers},
    )  # fmt: skip


def without_order(item: Any) -> Any:
    """What is stored, with SS, NS and BS in order: the service takes these for sets."""
    if isinstance(item, dict):
        return {
            name: sorted(each) if name in ("SS", "NS", "BS") else without_order(each)
            for name, each in item.items()
        }
    return [without_order(each) for each in item] if isinstance(item, list) else item


members = st.lists(st.integers(0, 10) | st.sampled_from([8, 16, 2**61 - 1, 2**61]), min_size=2)


@given(members.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
@example(([0, 8], [8, 0]))
def test_equal_sets_are_stored_alike(orders: tuple[list[int], list[int]]) -> None:
    one, other = (filled(each) for each in orders)
    assert one == other

    stored = mapper.dump(one)

    assert without_order(stored) == without_order(mapper.dump(other))
    assert attrs.evolve(mapper.load(stored, Sets), anything=one.anything) == one
    for name in ("optional", "pairs", "either", "choices", "text", "texts", "zipped", "numbers"):
        assert stored[name] == mapper.dump(other)[name]


def test_the_members_of_a_list_that_is_a_set_are_ordered_by_their_kind_and_value() -> None:
    stored = mapper.dump(filled([10, 9, 100]))

    assert stored["optional"] == {"L": [{"N": "9"}, {"N": "10"}, {"N": "100"}, {"NULL": True}]}
    assert stored["text"] == {"S": "[9, 10, 100, null]"}
    assert stored["texts"] == {"S": '{"in": [["10", 10], ["100", 100], ["9", 9]]}'}


@pytest.mark.parametrize("ten", ["10", "1E+1", "10.0"])
def test_numbers_are_ordered_by_value(ten: str) -> None:
    codec = mapper.default.codec(set[Decimal | None])

    stored = codec.dump({Decimal(9), Decimal(ten), Decimal(100), None})

    assert stored["L"][1] == {"N": ten}
    assert alike(stored, codec.dump({Decimal(9), Decimal(10), Decimal(100), None}), codec)


@model("in_order")
class Held:
    id: str = partition_key()
    number: int = 0


def test_in_has_the_members_of_a_set_in_one_order() -> None:
    assert (
        str(in_(Held.number, {8, 0})) == str(in_(Held.number, {0, 8})) == "in_(Held.number, [0, 8])"
    )
    assert str(in_(Held.number, [8, 0])) == "in_(Held.number, [8, 0])"
