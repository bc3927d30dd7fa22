# ruff: noqa: PT017, UP007 - an outcome is one of two; every spelling of a type is tested
"""Plain JSON and DynamoDB JSON, both ways."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import uuid
from decimal import Decimal
from typing import Annotated, Any, Union

import attrs
import pytest

from dynattrs import Table, field, mapper, model, partition_key
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


# --- What plain JSON has no type for --------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [{"SS": ["x"]}, {"NS": ["1"]}, {"BS": [b"x"]}, {"B": b"\x00\xff"}, {"L": [{"M": {"a": {"B": b"x"}}}]}],
    ids=str,
)  # fmt: skip
def test_plain_json_keeps_bytes_and_sets_or_refuses(value: Any) -> None:
    """As text and lists they would come back, and a save would store these."""
    extra = mapper.load({"id": {"S": "x"}, "extra": value}, Thing)
    within = mapper.load({"id": {"S": "x"}, "anything": value}, Thing)

    for thing, place in ((extra, "Thing['extra']"), (within, "Thing.anything")):
        with pytest.raises(MappingError) as caught:
            mapper.to_json(thing)
        assert str(caught.value).startswith(place)
        assert "use to_dynamodb_json()" in str(caught.value)
        again = mapper.from_dynamodb_json(mapper.to_dynamodb_json(thing), Thing)
        assert mapper.dump(again) == mapper.dump(thing)


def test_plain_json_refuses_what_a_union_would_read_as_another_member() -> None:
    @model("unions")
    class Either:
        id: str = partition_key()
        text: str | bytes = ""
        parts: list[int] | bytes = attrs.field(factory=list)

    assert mapper.from_json(mapper.to_json(Either("x", "a", b"b")), Either) == Either(
        "x", "a", b"b"
    )
    with pytest.raises(MappingError, match=r"Either\.text: expected what plain JSON has a type"):
        mapper.to_json(Either("x", b"a"))


# --- The shape of plain JSON ----------------------------------------------------------------------

APP = Table("app", partition_key="pk", sort_key="sk", discriminator="kind")


@model(APP, pk="USER#{user}", sk="POST#{at}#{number:04d}")
class Post:
    user: str
    at: dt.date = field(key_only=True)
    number: int
    title: str = field(name="t", default="")
    tags: set[str] = attrs.field(factory=set)


@model(APP, pk="USER#{user}", sk="NOTE#{at}#{number:04d}")
class LongPost(Post):
    chapters: int = 1


@model("shelves")
class Shelf:
    id: str = partition_key()
    post: Post | None = None
    posts: list[Post] = attrs.field(factory=list)


POST = Post("ann", dt.date(2026, 1, 2), 7, "Hi", {"a"})
POST_JSON = {"user": "ann", "at": "2026-01-02", "number": 7, "t": "Hi", "tags": ["a"]}


def test_plain_json_of_a_model_has_its_fields_and_no_keys_wherever_it_is() -> None:
    shelf = Shelf("1", POST, [POST])

    assert json.loads(mapper.to_json(POST)) == POST_JSON
    assert list(json.loads(mapper.to_json(POST))) == list(POST_JSON)
    assert json.loads(mapper.to_json(shelf)) == {"id": "1", "post": POST_JSON, "posts": [POST_JSON]}


def test_plain_json_of_a_model_with_computed_keys_comes_back() -> None:
    assert mapper.from_json(mapper.to_json(POST), Post) == POST
    assert mapper.from_json(mapper.to_json(Shelf("1", POST)), Shelf).post == POST
    assert mapper.dump(mapper.from_json(mapper.to_json(POST), Post)) == mapper.dump(POST)

    item = {**mapper.dump(POST), "extra": {"N": "1"}}
    read = mapper.load(item, Post)
    assert mapper.dump(mapper.from_json(mapper.to_json(read), Post)) == item


def test_json_of_a_whole_item_is_read_too() -> None:
    """Other programs write the attributes as they are stored, key and kind included."""
    whole = {"pk": "USER#ann", "sk": "NOTE#2026-01-02#0007", "kind": "LongPost", "user": "ann",
             "number": 7, "chapters": 3}  # fmt: skip

    assert mapper.from_json(json.dumps(whole), Post) == LongPost(
        "ann", dt.date(2026, 1, 2), 7, chapters=3
    )
    with pytest.raises(MappingError):
        mapper.from_json(json.dumps({**whole, "kind": "other"}), Post)


def test_plain_json_of_a_subclass_is_not_taken_for_its_base() -> None:
    long = LongPost("ann", dt.date(2026, 1, 2), 7, chapters=3)

    assert mapper.from_json(mapper.to_json(long), LongPost) == long
    with pytest.raises(MappingError, match="give LongPost to from_json"):
        mapper.from_json(mapper.to_json(long), Post)


def test_plain_json_without_what_the_key_is_made_of_is_refused() -> None:
    with pytest.raises(MappingError):
        mapper.from_json('{"user": "ann", "number": 7}', Post)


def test_plain_json_of_an_object_with_another_form_of_its_key_comes_back_or_is_refused() -> None:
    @model(Table("mixed", partition_key="pk", sort_key="at"), pk="PAGE#{page}")
    class Visit:
        page: str
        at: dt.datetime

    item: Any = {"pk": {"S": "PAGE#1"}, "page": {"S": "1"}, "at": {"S": "2026-01-02T03:04:05Z"}}
    visit = mapper.load(item, Visit)
    assert mapper.dump(mapper.from_json(mapper.to_json(visit), Visit)) == item

    @model(Table("ids", partition_key="pk"), pk="ID#{id}")
    class Account:
        id: uuid.UUID

    item = {
        "pk": {"S": f"ID#{uuid.UUID(int=0xABC)}".upper()},
        "id": {"S": str(uuid.UUID(int=0xABC))},
    }
    try:
        account = mapper.load(item, Account)
    except MappingError:
        return
    try:
        text = mapper.to_json(account)
    except MappingError as error:
        assert "use to_dynamodb_json()" in str(error)
    else:
        assert mapper.dump(mapper.from_json(text, Account)) == mapper.dump(account)


def test_an_old_schema_in_plain_json_is_brought_up_to_date() -> None:
    def rename(item: dict[str, Any]) -> None:
        item["number"] = item.pop("n")

    table = Table("evolving", partition_key="pk")

    @model(table, pk="N#{number}", upgrades=[rename])
    class Numbered:
        number: int = field(key_only=True)
        note: str = ""

    made = Numbered(3, "x")
    assert mapper.from_json(mapper.to_json(made), Numbered) == made
    assert mapper.from_json('{"n": 3, "note": "x"}', Numbered) == made


# --- JSON inside of attributes --------------------------------------------------------------------


@attrs.define
class Numbers:
    whole: int = 0
    ratio: float = 0.0
    exact: Decimal = Decimal(0)


@model("documents")
class Document:
    id: str = partition_key()
    free: Annotated[Any, Json] = None
    named: Annotated[dict[str, Any], Json] = attrs.field(factory=dict)
    typed: Annotated[Numbers, Json] = attrs.field(factory=Numbers)
    packed: Annotated[dict[str, Any], Compressed] = attrs.field(factory=dict)


TEXTS = [
    '{"f": 1.5}', '{"f": 1.0}', '{"f": 1e100}', '{"f": 1E+5, "g": -0.0}', '{"f": 0.1}',
    '{"b": 123456789012345678901234567890123456789012345}', '{"a": "x\\u0000\\ud800"}',
    '{"": 1, "a": {"": []}}', '{"a": 1, "a": 2}', '{"a": null, "b": [true, false]}', "{}",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_json_attribute_gives_what_json_gives(text: str) -> None:
    expected = json.loads(text)
    packed = gzip.compress(text.encode())
    item: Any = {"free": {"S": text}, "named": {"S": text}, "packed": {"B": packed}}
    found = mapper.load({"id": {"S": "x"}, **item}, Document)

    for value in (found.free, found.named, found.packed):
        assert repr(value) == repr(expected)
    stored = mapper.dump(found)
    for name in ("free", "named"):
        assert repr(json.loads(stored[name]["S"])) == repr(expected)
        stored[name]["S"].encode()
    assert repr(json.loads(gzip.decompress(stored["packed"]["B"]))) == repr(expected)
    assert mapper.load(stored, Document) == found


def test_typed_numbers_in_json_have_no_limits_of_dynamodbs() -> None:
    numbers = Numbers(10**60 + 1, 1e-200, Decimal("1." + "1" * 60))
    document = Document("x", typed=numbers, free=[10**60, 1e200])

    assert mapper.load(mapper.dump(document), Document) == document
    assert mapper.from_json(mapper.to_json(document), Document) == document


def test_other_programs_nan_in_json_is_read_as_json_reads_it() -> None:
    found = mapper.load({"id": {"S": "x"}, "free": {"S": "[NaN, -Infinity, 1e400]"}}, Document)

    assert repr(found.free) == "[nan, -inf, inf]"
    with pytest.raises(
        MappingError, match=r"Document.free\[0\]: .*JSON has no NaN and no infinity"
    ):
        mapper.dump(found)


@pytest.mark.parametrize(
    "value",
    [{1}, frozenset({1}), b"x", bytearray(b"x"), memoryview(b"x"), {"a": [b"x"]}, {1: 2}, Blob(b"x"),
     Decimal("0.1000000000000000055511151231257827"), Decimal("NaN"), float("nan"), 10**5000, object()],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_json_has_no_type_for_is_refused_in_a_json_attribute(value: Any) -> None:
    for document in (Document("x", free=value), Document("x", named={"v": value})):
        with pytest.raises(MappingError, match=r"Document\.(free|named)") as caught:
            mapper.dump(document)
        assert len(str(caught.value)) < 500


def test_what_json_changes_nothing_of_is_taken_in_a_json_attribute() -> None:
    document = Document(
        "x", free=[(1, 2), Decimal("0.10"), Decimal(3), Note("n"), dt.date(2026, 1, 2)]
    )

    found = mapper.load(mapper.dump(document), Document).free

    assert found == [[1, 2], 0.1, 3, {"data": "n"}, "2026-01-02"]


def test_json_that_is_none_or_of_another_type_is_refused() -> None:
    for item, where in (
        ({"free": {"S": "{"}}, "Document.free: expected JSON"),
        ({"named": {"S": "[1]"}}, "Document.named: expected a map (M), found L of 1"),
        ({"typed": {"S": '{"whole": 1.5}'}}, "Document.typed.whole: expected an integral number"),
        ({"typed": {"S": '{"whole": 1e999999999}'}}, "Document.typed.whole: expected"),
        ({"typed": {"S": '{"ratio": NaN}'}}, "Document.typed.ratio: expected a finite float"),
        ({"free": {"S": "[" * 100_000}}, "Document.free"),
        ({"free": {"S": "1" * 5000}}, "Document.free"),
    ):
        with pytest.raises(MappingError) as caught:
            mapper.load({"id": {"S": "x"}, **item}, Document)
        assert where in str(caught.value)
        assert len(str(caught.value)) < 600


def test_lone_surrogates_are_escaped_in_json() -> None:
    thing = Thing("x", renamed="\ud800")
    text = mapper.to_json(thing)

    text.encode()
    assert mapper.from_json(text, Thing) == thing
    mapper.to_dynamodb_json(thing).encode()


# --- What would be lost ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"id": "1", "big": 2, "id": "2"}', "id"),
        ('{"id": "1", "anything": [{"x": 1, "x": 1}]}', "x"),
        ('{"id": "1", "pair": null, "big": 1, "big": 2, "big": 3}', "big"),
    ],
)
def test_a_name_that_stands_twice_in_an_object_is_refused(text: str, name: str):
    """`json.loads` keeps the last, and says nothing of the others."""
    with pytest.raises(MappingError, match=rf"Thing: .*each name once .*, found '{name}' twice"):
        mapper.from_json(text, Thing)


@pytest.mark.parametrize(
    "text",
    [
        '{"id": {"S": "1"}, "id": {"S": "2"}}',
        '{"id": {"S": "1", "S": "2"}}',
        '{"Item": {"id": {"S": "1"}, "anything": {"M": {"x": {"S": "1"}, "x": {"S": "2"}}}}}',
    ],
)
def test_a_name_that_stands_twice_in_dynamodb_json_is_refused(text: str):
    with pytest.raises(MappingError, match=r"Thing: .*each name once .* twice"):
        mapper.from_dynamodb_json(text, Thing)


def test_what_json_has_no_type_for_is_told_with_what_helps():
    declared = Thing("1", anything={"x": [b"y"]})
    with pytest.raises(
        MappingError,
        match=r"Thing\.anything\['x'\]\[0\]: .*or declare a type that tells them apart$",
    ):
        mapper.to_json(declared)
    unknown = mapper.load({"id": {"S": "1"}, "more": {"SS": ["a"]}}, Thing)
    with pytest.raises(
        MappingError, match=r"Thing\['more'\]: .*declare a field for it, or the model"
    ):
        mapper.to_json(unknown)


def endless() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            object(),
            r"Thing\.anything: .* found object <object object .*no value that could be stored",
        ),
        ([{"a": object()}], r"Thing\.anything\[0\]\['a'\]: .* found object <object"),
        ({object()}, r"Thing\.anything: .* found object <object"),
        (endless(), r"Thing\.anything.*: expected a value that is not nested without end"),
    ],
    ids=["object", "inside", "in a set", "endless"],
)
def test_what_is_no_value_is_told_plainly(value: Any, message: str):
    with pytest.raises(MappingError, match=message):
        mapper.dump(Thing("1", anything=value))
