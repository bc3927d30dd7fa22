"""The text of JSON attributes, written at once: to the letter what is made of attribute values."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections import OrderedDict
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import NotRequired, TypedDict

from dynattrs import Compressed, Json, MappingError, mapper, model, partition_key
from dynattrs.mapper import json_text
from dynattrs.mapper.anything import plain_json
from dynattrs.utf8 import encodable

import strategies


def check(type_: Any, value: Any, *, always: bool = False) -> None:
    """A value's text at once is what its codec stores as text; what that refuses has none."""
    codec = mapper.default.in_json.codec(type_)
    try:
        expected = plain_json(codec.dump(value))
    except Exception:
        expected = None
    try:
        found = json_text.writer(codec)(value)
    except Exception:
        found = None

    if found is not None and encodable(found):
        assert found == expected
    else:
        assert not always
    assert expected is not None or found is None or not encodable(found)


class Text(str):
    """A subclass of a plain type."""

    __slots__ = ()


class Color(enum.Enum):
    RED = "red"
    BLUE = 7


class Number(enum.IntEnum):
    ONE = 1


class Pair(NamedTuple):
    first: int
    second: str | None = None


class Dict(TypedDict):
    name: str
    more: NotRequired[list[int]]


@attrs.define
class Leaf:
    name: str
    tags: set[str] = attrs.field(factory=set)
    note: str | None = None
    value: Any = None


@attrs.define
class Other:
    number: int


@attrs.define
class Tree:
    children: list[Tree] = attrs.field(factory=list)
    leaf: Leaf | None = None
    named: dict[str, Leaf] = attrs.field(factory=dict)


names = st.text(max_size=3) | st.sampled_from(['"', "\\", "\x00\x1f\x7f\u2028", "\ud800", ""])
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.binary(max_size=3), names,
    st.sampled_from([Text("x"), Color.RED, Number.ONE, -0.0, 1e16, 5e-324, {1, 2}, set()]),
    st.just(dt.date(2026, 1, 1)), st.just(uuid.UUID(int=1)), st.builds(Pair, st.integers()),
    st.builds(Leaf, names), st.just(OrderedDict(a=1)), st.just(Decimal("1.10")),
)  # fmt: skip
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names | st.integers() | st.just(Text("y")), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=6,
)
TYPES: list[Any] = [
    Any, str, int, float, bool, Decimal, bytes, dt.datetime, uuid.UUID, Color, Number, Pair, Dict, Leaf,
    Tree, int | None, list[int], list[Any], tuple[int, ...], tuple[int, str], set[int], dict[str, float],
    dict[int, str], dict[str, Any], Literal["a", 1], Leaf | Other, int | str, list[Leaf | None],
]  # fmt: skip


@given(st.sampled_from(TYPES), anything)
def test_any_value_of_any_type_has_the_text_of_its_codec_or_none(type_: Any, value: Any) -> None:
    check(type_, value)


USUAL: list[tuple[Any, Any]] = [
    (Any, {"a": [1, 2.5, None, True, "é\n"], "b": {"": (1, [])}}), (dict[str, Any], {"a": Decimal(1)}),
    (list[Leaf], [Leaf("a"), Leaf("b", {"y", "x"}, "note", [1])]), (Leaf | Other, Other(3)),
    (Tree, Tree([Tree()], Leaf("x"), {"y": Leaf("z")})), (Dict, {"more": [1], "name": "x", "z": 5}),
    (tuple[int, str], (1, "a")), (Literal["a", 1], 1), (Color, Color.BLUE), (set[int], {3, 1}),
    (dict[str, float], {"x": 1e16, "y": -0.0}), (list[int | None], [10**50, None]), (bytes, b"ab"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value"), USUAL, ids=range(len(USUAL)))
def test_the_usual_value_is_written_at_once(type_: Any, value: Any) -> None:
    check(type_, value, always=True)


def test_an_int_that_python_cannot_write_is_left_to_the_codec() -> None:
    check(int, 10**5000)
    check(Any, [10**5000])


@given(st.data(), strategies.samples.filter(strategies._is_json))
def test_types_of_all_kinds_are_written_so(data: st.DataObject, sample: strategies.Sample) -> None:
    check(sample.type, data.draw(sample.values))


@model("json_text_parts")
class Part:
    id: str = partition_key()
    note: str | None = None


@model("json_text")
class Kept:
    id: str = partition_key()
    text: Annotated[Any, Json] = None
    zipped: Annotated[dict[str, Any], Compressed] = attrs.field(factory=dict)
    tree: Annotated[Tree, Json] = attrs.field(factory=Tree)
    parts: Annotated[list[Part], Json] = attrs.field(factory=list)


def test_what_is_wrong_is_named_as_ever() -> None:
    deep = Kept("a", zipped={"a": [1, float("nan")]})
    with pytest.raises(MappingError, match=r"Kept\.zipped\['a'\]\[1\]: expected a finite float"):
        mapper.dump(deep)
    with pytest.raises(MappingError, match=r"Kept\.tree\.leaf\.name: expected a str"):
        mapper.dump(Kept("a", tree=Tree(leaf=Leaf(5))))  # type: ignore[arg-type]


def test_half_a_character_is_written_as_an_escape() -> None:
    item = mapper.dump(Kept("a", text=["\ud800", "é"]))

    assert item["text"] == {"S": '["\\ud800", "é"]'}
    assert mapper.load(item, Kept).text == ["\ud800", "é"]


def test_what_a_nested_object_carries_is_part_of_its_text() -> None:
    item = mapper.dump(Kept("a", parts=[Part("b")]))
    item["parts"] = {"S": '[{"id": "b", "new": 5}]'}

    assert mapper.dump(mapper.load(item, Kept))["parts"] == item["parts"]


def test_what_holds_itself_is_refused() -> None:
    tree = Tree()
    tree.children.append(tree)

    with pytest.raises(MappingError):
        mapper.dump(Kept("a", tree=tree))
