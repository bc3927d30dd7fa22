# ruff: noqa: UP007 - every spelling of a type is tested
"""Plain JSON and DynamoDB JSON, both ways."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Annotated, Any, Union

import attrs
import pytest

from dynattrs import field, mapper, model, partition_key
from dynattrs.errors import MappingError
from dynattrs.mapper import Compressed, Json


@attrs.define
class Blob:
    data: bytes


@attrs.define
class Note:
    data: str


@model("things")
class Thing:
    id: str = partition_key()
    big: int = 0
    exact: Decimal = Decimal(0)
    ratio: float = 0.0
    data: bytes = b""
    tags: set[str] = attrs.field(factory=set)
    numbers: set[int] = attrs.field(factory=set)
    blobs: frozenset[bytes] = frozenset()
    at: dt.datetime | None = None
    pair: tuple[bytes, str] | None = None
    either: Union[Blob, Note, None] = None
    some: Union[int, list[bytes], None] = None
    packed: Annotated[str, Compressed] | None = None
    nested: Annotated[dict[str, bytes], Json] | None = None
    renamed: str = field(name="other name", default="")
    anything: Any = None


def full() -> Thing:
    return Thing(
        "é",
        12345678901234567890123456789012345678,
        Decimal("0.10"),
        1e22,
        b"\x00\xff",
        {"b", "a"},
        {10, 9},
        frozenset({b"b", b"a"}),
        dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc),
        (b"x", "YQ=="),
        Blob(b"y"),
        [b"z"],
        "packed",
        {"a": b"b"},
        "r",
        {"a": [1, Decimal("1.5"), None, True]},
    )


def test_plain_json_has_exact_numbers_base64_and_sorted_sets() -> None:
    text = mapper.to_json(full())

    assert '"big": 12345678901234567890123456789012345678' in text
    assert '"exact": 0.10' in text
    assert '"data": "AP8="' in text
    assert '"tags": ["a", "b"]' in text
    assert '"numbers": [9, 10]' in text
    assert '"id": "é"' in text
    assert json.loads(text)["other name"] == "r"


def test_plain_json_comes_back_as_the_object() -> None:
    assert mapper.from_json(mapper.to_json(full()), Thing) == full()
    assert mapper.from_json(mapper.to_json(full()).encode(), Thing) == full()
    assert mapper.from_json('{"id": "x"}', Thing) == Thing("x")


def test_members_of_a_union_read_json_by_their_own_types() -> None:
    for either in (Blob(b"a"), Note("YQ==")):
        assert mapper.from_json(mapper.to_json(Thing("x", either=either)), Thing).either == either


def test_plain_json_with_wrong_types_is_refused() -> None:
    for text, why in (
        ('{"id": 3}', "Thing.id: expected a string (S), found N '3'"),
        ('{"id": "x", "big": "3"}', "Thing.big: expected a number (N), found S '3'"),
        ('{"id": "x", "big": NaN}', "there is no NaN and no infinity"),
        ('{"id": "x", "big": 1e999999999}', "Thing.big: expected a number that DynamoDB can hold"),
        ('{"id": "x", "data": "***"}', "Thing"),
        ('{"id": "x", "": 1}', "a key that is not empty"),
        ("[1]", "expected a JSON object, found list [1]"),
        ("{", "expected JSON"),
        ("[" * 100_000, "Thing"),
    ):
        with pytest.raises(MappingError) as caught:
            mapper.from_json(text, Thing)
        assert why in str(caught.value)


def test_dynamodb_json_is_as_the_service_writes_it() -> None:
    thing = Thing("x", 1, data=b"a", tags={"t"}, blobs=frozenset({b"b"}))
    assert json.loads(mapper.to_dynamodb_json(thing)) == {
        "id": {"S": "x"},
        "big": {"N": "1"},
        "exact": {"N": "0"},
        "ratio": {"N": "0"},
        "data": {"B": "YQ=="},
        "tags": {"SS": ["t"]},
        "blobs": {"BS": ["Yg=="]},
        "other name": {"S": ""},
    }


def test_dynamodb_json_comes_back_as_the_object() -> None:
    assert mapper.from_dynamodb_json(mapper.to_dynamodb_json(full()), Thing) == full()


def test_the_wrapper_of_exports_is_taken_off() -> None:
    assert mapper.from_dynamodb_json('{"Item": {"id": {"S": "x"}}}', Thing) == Thing("x")


def test_a_model_with_an_attribute_called_item_is_no_wrapper() -> None:
    @model("items")
    class Holder:
        Item: str = partition_key()

    assert mapper.from_dynamodb_json('{"Item": {"S": "x"}}', Holder) == Holder("x")


def test_junk_in_place_of_dynamodb_json_is_refused() -> None:
    for text in (
        "1", '{"Item": 1}', '{"Item": {"S": "x"}}', '{"id": "x"}', '{"id": {"N": 3.5}}', "[" * 100_000,
        '{"id": {"S": "x"}, "big": {"N": 3.5}}',
    ):  # fmt: skip
        with pytest.raises(MappingError):
            mapper.from_dynamodb_json(text, Thing)


def test_attributes_that_the_class_does_not_know_are_in_both_kinds_of_json() -> None:
    item = {"id": {"S": "x"}, "extra": {"L": [{"N": "1"}]}}
    thing = mapper.load(item, Thing)

    assert json.loads(mapper.to_json(thing))["extra"] == [1]
    again = mapper.from_dynamodb_json(mapper.to_dynamodb_json(thing), Thing)
    assert mapper.dump(again)["extra"] == {"L": [{"N": "1"}]}
    assert mapper.dump(mapper.from_json(mapper.to_json(thing), Thing))["extra"] == item["extra"]
