# ruff: noqa: UP045 - spellings of types are what is tested
"""Models as pydantic types: what comes in is made by the class, and what goes out is its fields alone."""

from __future__ import annotations

import collections.abc as abc
import dataclasses
import datetime as dt
import enum
import ipaddress
import json
import pathlib
import subprocess
import sys
import typing
from array import array
from collections import deque
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, Optional, TypeVar, get_origin

import attrs
import msgspec
import pytest
from typing_extensions import NotRequired, TypedDict

pydantic = pytest.importorskip("pydantic")

from pydantic import BaseModel, Field, TypeAdapter, ValidationError  # noqa: E402

from dynattrs import (  # noqa: E402
    Accepts,
    ByKind,
    Epoch,
    ModelError,
    Partial,
    Table,
    field,
    map_class,
    mapper,
    model,
    partition_key,
    set_,
    sort_key,
)

T = TypeVar("T")


@attrs.define
class Address:
    """Where people live."""

    city: str
    code: str = attrs.field(default="", validator=attrs.validators.max_len(5))
    before: Address | None = None


def lower(value: str) -> str:
    return value.lower()


def words(value: str | list[str]) -> list[str]:
    return value.split() if isinstance(value, str) else value


@model("people")
class Person:
    """A person."""

    id: str = partition_key()
    mail: Annotated[str, Field(description="Where to write", min_length=3)] = field(
        default="a@b", converter=lower
    )
    age: int | None = field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(0))
    )
    addresses: list[Address] = attrs.field(factory=list)
    friends: dict[str, Person] = attrs.field(factory=dict)
    tags: list[str] = attrs.field(factory=list, converter=words)
    nick: str = attrs.field(default="", metadata={"description": "What friends say"})
    joined: int = field(init=False, default=7)
    version: int = field(version=True)
    created: dt.datetime | None = field(created=True, default=None)
    updated: dt.datetime | None = field(updated=True, default=None)


PEOPLE: TypeAdapter[Person] = TypeAdapter(Person)


def errors(adapter: TypeAdapter[Any], value: Any) -> dict[tuple[Any, ...], str]:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    return {each["loc"]: each["msg"] for each in caught.value.errors()}


def load(cls: Any, value: Any) -> Any:
    return TypeAdapter(cls).validate_python(value)


# --- What comes in ------------------------------------------------------------------------------


def test_the_class_makes_what_is_absent_and_converts_what_is_stated():
    made = PEOPLE.validate_python({"id": "1", "mail": "ANN@B.ORG", "tags": "a b"})

    assert made == Person("1", "ann@b.org", tags=["a", "b"])
    assert made.tags == ["a", "b"]
    assert made.addresses is not PEOPLE.validate_python({"id": "1"}).addresses


def test_an_object_is_taken_as_it_is():
    person = Person("1")

    assert PEOPLE.validate_python(person) is person


def test_errors_are_at_the_places_of_the_fields():
    found = errors(
        PEOPLE,
        {
            "mail": "a",
            "age": "x",
            "addresses": [{"city": "Paris"}, {"city": 3}],
            "friends": {"a": {}},
        },
    )

    assert set(found) == {
        ("id",), ("mail",), ("age",), ("addresses", 1, "city"), ("friends", "a", "id"),
    }  # fmt: skip


def test_what_a_validator_raises_is_an_error_at_its_field_at_any_depth():
    assert errors(PEOPLE, {"id": "1", "age": -1}) == {
        ("age",): "Value error, 'age' must be >= 0: -1"
    }
    nested = {"id": "1", "addresses": [{"city": "Paris", "code": "123456"}]}
    assert set(errors(PEOPLE, nested)) == {("addresses", 0, "code")}


@pytest.mark.parametrize(
    "raised", [TypeError("not so"), ValueError("not so"), AssertionError("not so")]
)
def test_what_the_class_itself_raises_is_an_error_of_the_whole(raised: Exception):
    @model("things")
    class Thing:
        id: str = partition_key()

        def __attrs_post_init__(self) -> None:
            raise raised

    assert errors(TypeAdapter(Thing), {"id": "1"}) == {(): "Value error, not so"}


def test_whatever_a_converter_raises_is_no_error_of_the_program():
    @model("things")
    class Thing:
        id: str = partition_key()
        tags: list[str] = attrs.field(default="", converter=lambda text: text.split(","))

    assert set(errors(TypeAdapter(Thing), {"id": "1", "tags": ["a"]})) == {("tags",)}
    assert set(errors(TypeAdapter(Partial[Thing]), {"tags": ["a"]})) == {("tags",)}


def test_what_only_the_object_tells_is_an_error_of_the_whole():
    @model("spans")
    class Span:
        low: int = partition_key()
        high: int = attrs.field()

        @high.validator
        def _check(self, attribute: Any, value: int) -> None:
            if value < self.low:
                raise ValueError("high is below low")

    assert errors(TypeAdapter(Span), {"low": 3, "high": 1}) == {
        (): "Value error, high is below low"
    }


def test_what_no_item_can_hold_is_an_error_before_anything_is_sent():
    @model("things")
    class Thing:
        id: str = partition_key()
        number: int = 0
        inner: dict[str, list[int]] = attrs.field(factory=dict)

    found = errors(
        TypeAdapter(Thing), {"id": "1", "number": 10**40 + 1, "inner": {"a": [1, 10**40 + 1]}}
    )

    assert set(found) == {("number",), ("inner", "a", 1)}
    assert "38 digits" in found["number",]


@attrs.define
class Inner:
    number: int = 0
    text: str = ""
    inner: Inner | None = None


class Counted(msgspec.Struct):
    number: int = 0


@dataclasses.dataclass
class Secretive:
    number: int = 0
    secret: Annotated[str, Field(exclude=True)] = "s3cret"
    made: list[str] = dataclasses.field(init=False, default_factory=lambda: ["s3cret"])


@model("all")
class All:
    id: str = partition_key()
    price: float = 0.0
    inners: list[Inner] = attrs.field(factory=list)
    counted: list[Counted] = attrs.field(factory=list)
    vector: Annotated[array, "f"] = attrs.field(factory=lambda: array("f"))
    decimal: Decimal = Decimal(0)
    secretive: Secretive | None = None
    text: str = ""
    tags: set[str] = attrs.field(factory=set)
    numbers: set[int] = attrs.field(factory=set)
    map: dict[str, int] = attrs.field(factory=dict)
    any: Any = None
    limited: str = attrs.field(default="", validator=attrs.validators.max_len(5))

    def __attrs_post_init__(self) -> None:
        if self.price == 13:
            raise ValueError(f"not with {self.text!s}")


LONG = 10**38 + 1
HALF = "\ud800"


def nested(value: Any, times: int, inside: Any) -> Any:
    for _ in range(times):
        inside = value(inside)
    return inside


@pytest.mark.parametrize("type_", [All, Partial[All]], ids=["whole", "partial"])
@pytest.mark.parametrize(
    ("body", "place", "shown"),
    [
        ({"price": "NaN"}, ("price",), "NaN"),
        ({"price": "1e999"}, ("price",), "1e999"),
        ({"price": float("nan")}, ("price",), "nan"),
        ({"inners": [{"number": LONG}]}, ("inners", 0, "number"), LONG),
        ({"inners": [{"inner": {"number": LONG}}]}, ("inners", 0, "inner", "number"), LONG),
        ({"counted": [{}, {"number": LONG}]}, ("counted", 1, "number"), LONG),
        ({"vector": [1e39]}, ("vector", 0), 1e39),
        ({"decimal": "9" * 5000}, ("decimal",), "9" * 5000),
        ({"secretive": {"number": LONG}}, ("secretive", "number"), LONG),
        ({"text": HALF}, ("text",), "'\\ud800'"),
        ({"limited": HALF * 6}, ("limited",), repr(HALF * 6)),
        ({"tags": ["a", HALF]}, ("tags", 1), "'\\ud800'"),
        ({"numbers": [LONG]}, ("numbers",), [LONG]),
        ({"map": {HALF: 1}}, ("map",), "{'\\ud800': 1}"),
        ({"inners": [{"text": HALF}]}, ("inners", 0, "text"), "'\\ud800'"),
        ({"any": {"a": [1, HALF]}}, ("any", "a", 1), "'\\ud800'"),
        ({"any": float("inf")}, ("any",), "inf"),
        ({"any": nested(lambda each: [each], 40, 1)}, ("any",), None),
        ({"inners": [nested(lambda each: {"inner": each}, 40, {})]}, ("inners",), None),
        ({"text": "x" * 410_000}, (), None),
        ({"tags": ["x" * 210_000, "y" * 210_000]}, (), None),
    ],
)
def test_what_no_item_can_hold_is_answered_with_what_was_sent(
    type_: Any, body: Any, place: Any, shown: Any
):
    stated = body if type_ is not All else {"id": "1", **body}
    with pytest.raises(ValidationError) as caught:
        load(type_, stated)

    (error,) = caught.value.errors()
    assert error["loc"] == place
    if shown is not None:
        assert error["input"] == shown
    # As FastAPI answers.
    text = json.dumps(caught.value.errors(), allow_nan=False, ensure_ascii=False).encode()
    assert b"s3cret" not in text
    assert len(text) < 12_000


def test_what_the_whole_object_refuses_is_answered_too():
    body = {"id": "1", "price": 13, "text": HALF, "any": float("nan")}
    with pytest.raises(ValidationError) as caught:
        load(All, body)

    (error,) = caught.value.errors()
    assert error["loc"] == ()
    assert error["msg"] == r"Value error, not with \ud800"
    json.dumps(caught.value.errors(), allow_nan=False, ensure_ascii=False).encode()


class Metered(msgspec.Struct):
    id: str
    count: Annotated[int | None, msgspec.Meta(ge=0, lt=10, description="How many")] = 0
    above: Annotated[Decimal, msgspec.Meta(gt=0, le=1)] = Decimal(1)
    name: Annotated[str, msgspec.Meta(min_length=2, max_length=3, pattern="^a")] = "ab"
    steps: Annotated[list[Annotated[float, msgspec.Meta(multiple_of=0.1)]],
                     msgspec.Meta(max_length=2, extra_json_schema={"x-unit": "m"})] = []  # fmt: skip
    data: Annotated[bytes, msgspec.Meta(min_length=1)] = b"x"


map_class(Metered, "metered", partition_key="id")


@pytest.mark.parametrize("type_", [Annotated[Metered, Accepts()], Partial[Metered]])
@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"count": -1}, ("count",)),
        ({"count": 10}, ("count",)),
        ({"above": "0"}, ("above",)),
        ({"above": 1.5}, ("above",)),
        ({"above": 0.5}, None),
        ({"count": None}, None),
        ({"name": "a"}, ("name",)),
        ({"name": "abcd"}, ("name",)),
        ({"name": "bab"}, ("name",)),
        ({"name": "aba"}, None),
        ({"steps": [0.3, 0.25]}, ("steps", 1)),
        ({"steps": [0.3, 0.7]}, None),
        ({"steps": [0.1, 0.1, 0.1]}, ("steps",)),
        ({"data": ""}, ("data",)),
    ],
)
def test_what_msgspec_says_of_values_counts(type_: Any, body: Any, place: Any):
    stated = {"id": "1", **body} if get_origin(type_) is not Partial else body

    if place is None:
        load(type_, stated)
    else:
        assert set(errors(TypeAdapter(type_), stated)) == {place}


def test_schemas_say_what_msgspec_says_of_values():
    schema = TypeAdapter(Annotated[Metered, Accepts()]).json_schema()["properties"]

    assert schema["count"]["minimum"] == 0
    assert schema["count"]["exclusiveMaximum"] == 10
    assert schema["count"]["description"] == "How many"
    assert schema["name"]["minLength"] == 2
    assert schema["name"]["pattern"] == "^a"
    assert schema["steps"]["maxItems"] == 2
    assert schema["steps"]["x-unit"] == "m"
    assert schema["steps"]["items"]["multipleOf"] == 0.1
    assert "minLength" not in schema["data"]


class Kind(enum.Enum):
    A = "a"
    B = "b"


def test_members_of_enums_in_a_literal_are_stated_by_their_values():
    kinds: TypeAdapter[Any] = TypeAdapter(Annotated[LiteralHolder, Accepts()])

    made = kinds.validate_python({"kind": "a"})
    assert made == LiteralHolder(Kind.A)
    assert kinds.dump_python(made, mode="json") == {"kind": "a"}
    assert kinds.validate_json('{"kind": 1}') == LiteralHolder(1)
    assert kinds.validate_python({"kind": Kind.A}) == made
    for other in ("b", [], None):
        assert set(errors(kinds, {"kind": other})) == {("kind",)}


@attrs.define
class LiteralHolder:
    kind: Literal[Kind.A, 1]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("1.5", 1.5),
        ("5", 5),
        ("0.1", 0.1),
        ("12345678901234567890123", 12345678901234567890123),
        ("1.2345678901234567890123", "1.2345678901234567890123"),
        ("1E+125", 1e125),
        ("NaN", "NaN"),
    ],
)
def test_numbers_of_any_kind_are_shown_as_numbers(stored: str, shown: object):
    shape: TypeAdapter[Any] = TypeAdapter(All)
    made = json.loads(shape.dump_json(All("1", any={"a": [Decimal(stored)]})))

    assert made["any"] == {"a": [shown]}


def test_what_an_item_can_hold_is_taken():
    body = {"id": "1", "text": "x" * 400_000, "any": nested(lambda each: [each], 32, 1)}

    assert load(All, body).text == body["text"]


@pytest.mark.parametrize("name", ["version", "created", "updated", "joined"])
def test_what_the_library_sets_is_refused_by_default(name: str):
    assert errors(PEOPLE, {"id": "1", name: 3}) == {
        (name,): "Field is read-only: it is set where the item is stored"
    }


def test_what_the_library_sets_can_be_ignored_or_taken():
    body = {"id": "1", "version": 3, "created": "2026-01-01T00:00:00Z", "joined": 9}
    instant = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)

    assert load(Annotated[Person, Accepts(read_only="ignore")], body) == Person("1")
    taken = load(Annotated[Person, Accepts(read_only="take")], body)
    assert (taken.version, taken.created, taken.joined) == (3, instant, 7)
    with pytest.raises(ValueError, match="read_only"):
        Accepts(read_only="drop")  # type: ignore[arg-type]


def test_keys_that_are_no_fields_are_ignored_as_pydantic_does_or_forbidden():
    @model("strict", unknown="forbid")
    class Strict:
        id: str = partition_key()

    body = {"id": "1", "other": 2}

    assert PEOPLE.validate_python(body) == Person("1")
    assert set(errors(TypeAdapter(Strict), body)) == {("other",)}
    assert set(errors(TypeAdapter(Annotated[Person, Accepts(unknown="forbid")]), body)) == {
        ("other",)
    }
    assert load(Annotated[Strict, Accepts(unknown="ignore")], body) == Strict("1")


def test_options_hold_for_nested_classes_too():
    found = errors(
        TypeAdapter(Annotated[list[Person], Accepts(unknown="forbid")]),
        [{"id": "1", "addresses": [{"city": "Paris", "zip": 3}]}],
    )

    assert set(found) == {(0, "addresses", 0, "zip")}


# --- What goes out ------------------------------------------------------------------------------


def test_only_fields_are_shown():
    stored = {"id": {"S": "1"}, "secret": {"S": "x"}, "version": {"N": "2"}}
    person = mapper.load(stored, Person)

    shown = json.loads(PEOPLE.dump_json(person))

    assert mapper.dump(person)["secret"] == {"S": "x"}
    assert set(shown) == {each.name for each in attrs.fields(Person)}
    assert shown["version"] == 2


def test_an_object_of_a_subclass_is_shown_as_the_class_that_was_asked_for():
    @model("people")
    class Employee(Person):
        salary: int = 0

    shown = json.loads(PEOPLE.dump_json(Employee("1", salary=9)))

    assert "salary" not in shown
    assert load(Employee, {"id": "1", "salary": 3}) == Employee("1", salary=3)


def test_a_field_can_be_kept_out_of_what_is_shown():
    @model("accounts")
    class Account:
        id: str = partition_key()
        password: Annotated[str, Field(exclude=True)] = ""

    adapter = TypeAdapter(Account)

    assert json.loads(adapter.dump_json(adapter.validate_python({"id": "1", "password": "x"}))) == {
        "id": "1"
    }
    assert "password" in adapter.json_schema()["properties"]


def test_computed_keys_are_not_shown():
    app = Table("app", partition_key="pk", sort_key="sk")

    @model(app, pk="U#{id}", sk="PROFILE")
    class User:
        id: str

    assert json.loads(TypeAdapter(User).dump_json(User("1"))) == {"id": "1"}


def test_what_is_left_out_of_an_answer_is_pydantics_choice():
    assert "age" not in json.loads(PEOPLE.dump_json(Person("1"), exclude_none=True))
    assert json.loads(PEOPLE.dump_json(Person("1"), include={"id"})) == {"id": "1"}
    assert "mail" not in json.loads(PEOPLE.dump_json(Person("1"), exclude={"mail", "age"}))
    shown = json.loads(PEOPLE.dump_json(Person("1", age=3), exclude_defaults=True))
    assert shown == {"id": "1", "age": 3}


# --- Names --------------------------------------------------------------------------------------


def test_json_has_the_names_of_the_constructor_and_not_those_of_the_item():
    @model("things")
    class Thing:
        id: str = partition_key(name="PK")
        _hidden: int = 0
        loud: int = attrs.field(default=0, alias="loudness")
        other: Annotated[int, Field(alias="otherName")] = 0

    adapter = TypeAdapter(Thing)
    made = adapter.validate_python({"id": "1", "hidden": 2, "loudness": 3, "otherName": 4})

    assert made == Thing("1", hidden=2, loudness=3, other=4)
    shown = {"id": "1", "hidden": 2, "loudness": 3, "otherName": 4}
    assert json.loads(adapter.dump_json(made)) == shown
    assert set(adapter.json_schema()["properties"]) == set(shown)


def test_two_fields_of_one_name_are_refused():
    @model("things")
    class Thing:
        id: str = partition_key()
        other: Annotated[int, Field(alias="id")] = 0

    with pytest.raises(ModelError, match=r"Thing\.other: it is 'id' in JSON"):
        TypeAdapter(Thing)


# --- Schemas ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_json_schema_describes_the_model(mode: Any):
    schema = PEOPLE.json_schema(mode=mode)
    found = schema["$defs"]["Person"]

    assert (found["title"], found["description"]) == ("Person", "A person.")
    assert found["required"] == ["id"]
    properties = found["properties"]
    assert properties["mail"]["description"] == "Where to write"
    assert properties["nick"]["description"] == "What friends say"
    assert properties["mail"]["default"] == "a@b"
    assert all(properties[name]["readOnly"] for name in ("version", "created", "updated", "joined"))
    assert properties["addresses"]["items"] == {"$ref": "#/$defs/Address"}
    assert schema["$defs"]["Address"]["description"] == "Where people live."


def test_a_model_that_forbids_says_so():
    @model("strict", unknown="forbid")
    class Strict:
        id: str = partition_key()

    assert TypeAdapter(Strict).json_schema()["additionalProperties"] is False
    assert "additionalProperties" not in PEOPLE.json_schema()["$defs"]["Person"]


# --- Classes of all kinds -------------------------------------------------------------------------


@dataclasses.dataclass
class Data:
    address: Address
    made: bool = dataclasses.field(default=False, init=False)

    def __post_init__(self) -> None:
        self.made = True


class Pair(NamedTuple):
    address: Address
    blob: bytes = b"\xff"


class Struct(msgspec.Struct, rename="camel"):
    home_address: Address


class Dict(TypedDict):
    address: Address
    more: NotRequired[list[Address]]


class Code(str):
    __slots__ = ()


class Level(enum.IntEnum):
    LOW = 1


class Odd(enum.Enum):
    BYTES = b"\xff"
    EXACT = Decimal("1.50")
    NUMBER = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


ADDRESS = Address("Paris")
SHOWN = {"city": "Paris", "code": "", "before": None}
NESTED: list[tuple[Any, Any, Any]] = [
    (Address, ADDRESS, SHOWN),
    (Optional[Address], None, None),
    (list[Address], [ADDRESS], [SHOWN]),
    (abc.Sequence[Address], [ADDRESS], [SHOWN]),
    (abc.Iterable[Address], [ADDRESS], [SHOWN]),
    (abc.Collection[Address], [ADDRESS], [SHOWN]),
    (abc.MutableSequence[Address], [ADDRESS], [SHOWN]),
    (deque[Address], deque([ADDRESS]), [SHOWN]),
    (tuple[Address, ...], (ADDRESS,), [SHOWN]),
    (tuple[int, Address], (1, ADDRESS), [1, SHOWN]),
    (dict[str, Address], {"a": ADDRESS}, {"a": SHOWN}),
    (dict[Level, list[Address]], {Level.LOW: [ADDRESS]}, {"1": [SHOWN]}),
    (abc.Mapping[str, Address], {"a": ADDRESS}, {"a": SHOWN}),
    (abc.MutableMapping[str, Address], {"a": ADDRESS}, {"a": SHOWN}),
    (int | Address, ADDRESS, SHOWN),
    (Data, Data(ADDRESS), {"address": SHOWN, "made": True}),
    (Pair, Pair(ADDRESS), {"address": SHOWN, "blob": "/w=="}),
    (Struct, Struct(ADDRESS), {"homeAddress": SHOWN}),
    (Dict, {"address": ADDRESS, "more": [ADDRESS]}, {"address": SHOWN, "more": [SHOWN]}),
    (Address | Pair, ADDRESS, {"_type": "Address", **SHOWN}),
    (list[Address | Pair | None], [Pair(ADDRESS), None],
     [{"_type": "Pair", "address": SHOWN, "blob": "/w=="}, None]),
    (bytes, b"\xff\xfe", "//4="),
    (Decimal, Decimal("1E+20"), "1E+20"),
    (Code, Code("x"), "x"),
    (Access, Access.READ | Access.WRITE, 3),
    (list[Odd], [*Odd], ["/w==", "1.50", 1]),
    (list[pathlib.PurePosixPath | Access], [Access.READ, pathlib.PurePosixPath("a")], [1, "a"]),
    (list[ipaddress.IPv4Address | Level], [Level.LOW, ipaddress.IPv4Address("0.0.0.1")], [1, "0.0.0.1"]),
    (Annotated[array, "f"], array("f", [0.5]), [0.5]),
    (Annotated[dt.datetime, Epoch], dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc), "2026-01-01T00:00:00Z"),
    (typing.Any, {"a": [b"\xff", {1}]}, {"a": ["/w==", [1]]}),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value", "shown"), NESTED, ids=lambda each: str(each)[:40])
def test_classes_and_values_are_known_wherever_they_stand(type_: Any, value: Any, shown: Any):
    @attrs.define
    class Inner:
        value: type_  # type: ignore[valid-type]

    @model("holders")
    class Holder:
        id: str = partition_key()
        value: type_ = None  # type: ignore[valid-type]
        inner: Inner | None = None

    adapter = TypeAdapter(Holder)
    holder = Holder("1", value, Inner(value))

    text = json.loads(adapter.dump_json(holder))

    assert text == {"id": "1", "value": shown, "inner": {"value": shown}}
    if type_ is not typing.Any:
        sent = json.loads(json.dumps(text).replace(', "made": true', ""))
        assert adapter.validate_python(sent) == holder
        assert adapter.validate_json(json.dumps(sent)) == holder


def test_a_model_stands_in_classes_of_pydantics_and_these_in_a_model():
    class Playlist(BaseModel):
        name: str
        people: list[Person] = []

    @model("owners")
    class Owner:
        id: str = partition_key()
        lists: list[Playlist] = attrs.field(factory=list)

    body = {"id": "1", "lists": [{"name": "a", "people": [{"id": "2"}]}]}

    made = load(Owner, body)

    assert made == Owner("1", [Playlist(name="a", people=[Person("2")])])
    assert json.loads(TypeAdapter(Owner).dump_json(made))["lists"][0]["people"][0]["id"] == "2"
    assert {"Person", "Playlist"} <= set(TypeAdapter(Owner).json_schema()["$defs"])


def test_generic_models_are_made_for_their_arguments():
    @model("boxes")
    class Box(Generic[T]):
        id: str = partition_key()
        value: T
        more: list[T] = attrs.field(factory=list)

    assert load(Box[int], {"id": "1", "value": "3"}) == Box("1", 3)
    assert load(Box[Address], {"id": "1", "value": SHOWN, "more": [SHOWN]}) == Box(
        "1", ADDRESS, [ADDRESS]
    )
    assert set(errors(TypeAdapter(Box[int]), {"id": "1", "value": "x"})) == {("value",)}
    schema = TypeAdapter(tuple[Box[int], Box[str]]).json_schema()
    assert len(schema["$defs"]) == 2


def test_frozen_models_are_made():
    @model("frozen", frozen=True)
    class Frozen:
        id: str = partition_key()
        version: int = field(version=True)

    assert load(Frozen, {"id": "1"}) == Frozen("1")


def test_a_class_that_says_itself_what_it_is_to_pydantic_is_believed():
    @model("own")
    class Own:
        id: str = partition_key()

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            from pydantic_core import core_schema

            return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    assert load(Own, "1") == Own("1")
    assert load(list[Own], ["1"]) == [Own("1")]


@model("nodes")
class Node:
    id: str = partition_key()
    later: Later | None = None  # type: ignore[name-defined]  # noqa: F821


def test_a_forward_reference_is_resolved_when_it_is_known():
    with pytest.raises((pydantic.errors.PydanticUndefinedAnnotation, pydantic.PydanticUserError)):
        TypeAdapter(Node).validate_python({"id": "1"})

    globals()["Later"] = Address

    assert load(Node, {"id": "1", "later": {"city": "Paris"}}) == Node("1", Address("Paris"))


class Strange:
    pass


@attrs.define
class Stranger:
    value: Strange


def test_a_subclass_of_a_model_that_is_not_decorated_is_refused():
    class Worker(Person):
        wage: int

    with pytest.raises(
        ModelError, match=r"Worker: it is a subclass of the model Person and not decorated"
    ):
        TypeAdapter(Worker)


def test_a_value_that_is_of_no_member_of_an_enum_is_refused():
    @model("odd-things")
    class Thing:
        id: str = partition_key()
        odd: Odd = Odd.NUMBER

    assert set(errors(TypeAdapter(Thing), {"id": "1", "odd": "2"})) == {("odd",)}
    assert set(errors(TypeAdapter(Thing), {"id": "1", "odd": [1]})) == {("odd",)}
    assert TypeAdapter(Thing).json_schema()["properties"]["odd"]["enum"] == ["/w==", "1.50", 1]


def test_what_pydantic_does_not_know_is_named():
    with pytest.raises(ModelError, match=r"Stranger\.value: pydantic has no form for Strange"):
        TypeAdapter(Annotated[Stranger, Accepts()])


def test_members_of_a_union_that_json_cannot_tell_apart_are_refused():
    @model("things")
    class Thing:
        id: str = partition_key()
        value: str | Decimal = ""

    with pytest.raises(ModelError, match=r"Thing\.value: str and Decimal are both text in JSON"):
        TypeAdapter(Thing)


def test_datetimes_without_a_zone_and_bytes_that_are_no_base64_are_refused():
    @model("things")
    class Thing:
        id: str = partition_key()
        at: dt.datetime | None = None
        time: dt.time | None = None
        blob: bytes = b""

    found = errors(
        TypeAdapter(Thing), {"id": "1", "at": "2026-01-01T00:00:00", "blob": "?", "time": "01:00Z"}
    )

    assert set(found) == {("at",), ("blob",), ("time",)}
    assert (
        load(Thing, {"id": "1", "blob": "_-8"}).blob
        == load(Thing, {"id": "1", "blob": "/+8="}).blob
    )


# --- Unions of models -----------------------------------------------------------------------------


@model("pets")
class Cat:
    id: str = partition_key()
    kind: Literal["cat"] = "cat"


@model("pets")
class Dog:
    id: str = partition_key()
    kind: Literal["dog"] = "dog"


@pytest.mark.parametrize("inside", [False, True])
def test_models_are_told_apart_by_a_field(inside: bool):
    pet: Any = Annotated[Cat | Dog, Field(discriminator="kind")]
    if inside:

        @model("owners")
        class Owner:
            id: str = partition_key()
            pets: list[pet] = attrs.field(factory=list)

        made = load(Owner, {"id": "1", "pets": [{"id": "2", "kind": "dog"}]})
        assert made.pets == [Dog("2")]
        shown = json.loads(TypeAdapter(Owner).dump_json(made))
        assert shown["pets"] == [{"id": "2", "kind": "dog"}]
        return
    adapter: TypeAdapter[Any] = TypeAdapter(pet)
    assert adapter.validate_python({"id": "1", "kind": "dog"}) == Dog("1")
    assert adapter.validate_python(Dog("1")) == Dog("1")
    assert json.loads(adapter.dump_json(Dog("1"))) == {"id": "1", "kind": "dog"}
    assert adapter.json_schema()["discriminator"]["propertyName"] == "kind"


APP = Table("kinds", partition_key="pk", sort_key="sk", discriminator="type")


@model(APP, pk="U#{user}", sk="PROFILE", kind="user")
class User:
    user: str


@model(APP, pk="U#{user}", sk="O#{number}")
class Order:
    user: str
    number: int


def test_models_of_a_table_are_told_apart_by_its_discriminator():
    adapter: TypeAdapter[Any] = TypeAdapter(list[Annotated[User | Order, ByKind()]])
    text = [{"type": "user", "user": "1"}, {"type": "Order", "user": "1", "number": 2}]

    assert adapter.validate_python(text) == [User("1"), Order("1", 2)]
    assert json.loads(adapter.dump_json([User("1"), Order("1", 2)])) == text
    assert set(errors(adapter, [{"user": "1"}])) == {(0,)}


def test_errors_name_the_choices_of_a_union_by_their_classes():
    assert set(errors(TypeAdapter(list[Cat | Dog]), [{"id": "1", "kind": "x"}])) == {
        (0, "Cat", "kind"), (0, "Dog", "kind"),
    }  # fmt: skip


def test_models_without_a_discriminator_are_not_told_apart_by_it():
    with pytest.raises(ModelError, match="ByKind"):
        TypeAdapter(Annotated[Cat | Dog, ByKind()])


# --- Some fields ----------------------------------------------------------------------------------

SOME: TypeAdapter[Partial[Person]] = TypeAdapter(Partial[Person])


def test_only_stated_fields_are_in_a_partial():
    changes = SOME.validate_python({"mail": "ANN@B", "age": None})

    assert dict(changes.values) == {"mail": "ANN@B", "age": None}
    assert "mail" in changes
    assert "nick" not in changes
    assert [*changes] == ["mail", "age"]
    assert [str(each) for each in changes.actions()] == [
        str(set_(Person.mail, "ANN@B")), str(set_(Person.age, None)),
    ]  # fmt: skip
    assert changes.apply(Person("1", age=3)) == Person("1", "ann@b")
    assert repr(changes) == "Partial[Person](mail='ANN@B', age=None)"


def test_a_partial_is_checked_as_an_object_is():
    found = errors(SOME, {"mail": "a", "age": "x", "addresses": [{"city": 1}]})
    assert set(found) == {("mail",), ("age",), ("addresses", 0, "city")}
    assert set(errors(SOME, {"age": -1})) == {("age",)}
    assert set(errors(SOME, {"age": 10**40 + 1})) == {("age",)}
    for name in ("id", "version", "created", "joined"):
        assert set(errors(SOME, {name: "1"})) == {(name,)}
    assert errors(SOME, {}) == {(): "State at least one field that can be changed"}


def test_a_partial_has_a_schema_of_its_own():
    schema = TypeAdapter(list[Partial[Person]]).json_schema()["$defs"]["PartialPerson"]

    assert schema["title"] == "PartialPerson"
    assert "required" not in schema
    assert schema["properties"]["id"]["readOnly"]
    assert json.loads(SOME.dump_json(Partial(Person, {"age": 3}))) == {"age": 3}


def test_a_partial_has_no_defaults_that_a_client_might_fill_in():
    schema = TypeAdapter(Partial[Person]).json_schema()["$defs"]

    whole = TypeAdapter(Person).json_schema()["$defs"]["Person"]["properties"]
    assert whole["mail"]["default"] == "a@b"
    partial = TypeAdapter(list[Partial[Person]]).json_schema()["$defs"]["PartialPerson"]
    assert not any("default" in each for each in partial["properties"].values())
    assert partial["properties"]["mail"]["description"] == "Where to write"
    # What is stated of a nested object is the whole of it.
    assert schema["Address"]["properties"]["code"]["default"] == ""


def test_what_a_partial_never_takes_is_answered_whatever_it_is():
    with pytest.raises(ValidationError) as caught:
        load(Partial[All], {"id": HALF})

    assert caught.value.errors()[0]["type"] == "read_only"
    json.dumps(caught.value.errors(), ensure_ascii=False).encode()


def test_a_partial_is_of_a_model():
    with pytest.raises(ModelError, match="not a model"):
        TypeAdapter(Partial[Address])
    with pytest.raises(ModelError, match="has no field 'ages'"):
        Partial(Person, {"ages": 3})
    with pytest.raises(ModelError, match="name its model"):
        TypeAdapter(Partial)


@model("sorted")
class Sorted:
    id: str = partition_key()
    sort: int = sort_key()


def test_a_model_that_is_all_key_has_nothing_to_change():
    assert set(errors(TypeAdapter(Partial[Sorted]), {"sort": 3})) == {("sort",)}


# --- What it costs where it is not used -------------------------------------------------------------


def test_declaring_a_model_imports_nothing_of_pydantic():
    code = (
        "import sys\nfrom dynattrs import model, partition_key\n"
        "@model('songs')\nclass T:\n    id: str = partition_key()\n"
        "print(*sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
    )

    loaded = done.stdout.split()
    assert not [name for name in loaded if "pydantic" in name or "fastapi" in name]
