"""Keys of plain texts and ints are made quickly; what comes out is what the general way makes."""

from __future__ import annotations

import enum
from typing import Any
from unittest import mock

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs import Table, model, partition_key, sort_key
from dynattrs.operations import item_keys
from dynattrs.schema.model_info import model_info


class Kind(str, enum.Enum):
    ONE = "one"


class Number(enum.IntEnum):
    ONE = 1


@model("two-texts")
class TwoTexts:
    one: str = partition_key(name="first")
    two: str = sort_key()


@model("an-int")
class AnInt:
    one: int = partition_key()


@model("both")
class Both:
    one: str = partition_key()
    two: int = sort_key()


@model("converted")
class Converted:
    one: str = partition_key(converter=str.upper)
    two: str = sort_key(validator=attrs.validators.max_len(3))


@model("another-kind")
class Other:
    one: Kind = partition_key()
    two: bytes = sort_key()


app = Table("app", partition_key="pk", sort_key="sk")


@model(app, pk="USER#{one}", sk="{two:06d}")
class Templates:
    one: str
    two: int


MODELS = [TwoTexts, AnInt, Both, Converted, Other, Templates]

_texts = st.one_of(
    st.text(max_size=4),
    st.text(st.characters(), max_size=3),  # halves of characters as well
    st.sampled_from(["", "x" * 1024, "x" * 1025, "x" * 2048, "x" * 2049, "é" * 600, Kind.ONE]),
)
_numbers = st.integers(-3, 3) | st.sampled_from(
    [10**18, -(10**18), 10**18 - 1, 10**37, 10**38, True, Number.ONE, 1.0, 1.5]
)
_parts = st.one_of(_texts, _numbers, st.sampled_from([None, b"", b"x", (), ["a"]]))
_keys = st.one_of(
    _parts,
    st.tuples(_parts),
    st.tuples(_texts, _texts | _numbers),
    st.tuples(_parts, _parts),
    st.tuples(_parts, _parts, _parts),
    st.dictionaries(st.sampled_from(["one", "two", "three"]), _parts, max_size=3),
)


def outcome(cls: type[Any], key: object) -> object:
    """The key, or what was said of it."""
    try:
        return item_keys.key_of(model_info(cls), key)
    except Exception as error:
        return type(error), str(error)


@given(st.sampled_from(MODELS), _keys)
@example(TwoTexts, ("a", "b"))
@example(Both, ("a", 0))
@example(AnInt, 10**18)
@example(Templates, ())
def test_a_key_is_made_quickly_as_it_is_made_otherwise(cls: type[Any], key: object) -> None:
    found = outcome(cls, key)
    with mock.patch.object(item_keys, "_simple_key", return_value=None):
        expected = outcome(cls, key)

    assert found == expected


def test_plain_keys_take_the_quick_way() -> None:
    """Otherwise the law above would say nothing."""
    found = [
        item_keys._simple_key(model_info(cls), key)
        for cls, key in ((TwoTexts, ("a", "b")), (AnInt, 7), (Both, ("a", -7)))
    ]

    assert found == [
        {"first": {"S": "a"}, "two": {"S": "b"}},
        {"one": {"N": "7"}},
        {"one": {"S": "a"}, "two": {"N": "-7"}},
    ]
