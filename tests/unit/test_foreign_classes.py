# ruff: noqa: PT017, UP045 - an outcome is one of two; every spelling of a type is tested
"""Values of other libraries' classes: stored as what they are and read back, or refused in plain words."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, Optional

import attrs
import pydantic
import pydantic.dataclasses
import pytest
from boto3.dynamodb.types import Binary

from dynattrs import Epoch, field, mapper, model, partition_key
from dynattrs.errors import MappingError, ModelError


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Size(str, enum.Enum):
    SMALL = "s"


def holder(type_: Any) -> Any:
    """A model with one field of a type."""
    made: Any = type(
        "Holder", (), {"__annotations__": {"id": str, "value": type_}, "id": partition_key()}
    )
    return model("holders")(made)


def round_trip(type_: Any, value: Any) -> Any:
    cls = holder(type_)
    return mapper.load(mapper.dump(cls("1", value)), cls).value


# --- pydantic: names ----------------------------------------------------------------------------

ALIASES: dict[str, Any] = {
    "alias": pydantic.Field(default="", alias="zip"),
    "validation alias": pydantic.Field(default="", validation_alias="zip"),
    "choices": pydantic.Field(
        default="", validation_alias=pydantic.AliasChoices("zip", "postcode")
    ),
    "path": pydantic.Field(default="", validation_alias=pydantic.AliasPath("zips", 0)),
    "path among choices": pydantic.Field(
        default="", validation_alias=pydantic.AliasChoices(pydantic.AliasPath("zips", 0), "zip")
    ),
    "serialization alias": pydantic.Field(default="", serialization_alias="zip"),
}
CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"populate_by_name": True},
    {"extra": "forbid"},
    {"extra": "forbid", "populate_by_name": True},
    {"strict": True},
    {"frozen": True},
    {"validate_by_alias": False, "validate_by_name": True},
]


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("kind", ["model", "dataclass"])
def test_a_field_with_an_alias_is_read_as_it_was_written(kind: str, alias: str, config: Any):
    found: Any = ALIASES[alias]
    body = {"__annotations__": {"city": str, "code": str}, "code": found, "__module__": __name__}
    if kind == "model":
        cls: Any = type(
            "Address",
            (pydantic.BaseModel,),
            {**body, "model_config": pydantic.ConfigDict(**config)},
        )
        made = cls.model_construct(city="Paris", code="75001")
    else:
        options = {**config}
        cls = pydantic.dataclasses.dataclass(
            type("Address", (), body), config=pydantic.ConfigDict(**options)
        )
        made = cls.__new__(cls)
        object.__setattr__(made, "city", "Paris")
        object.__setattr__(made, "code", "75001")

    try:
        read = round_trip(cls, made)
    except ModelError as error:  # an older pydantic
        assert "alias is a path" in str(error)
        return

    assert read == made
    assert read.code == "75001"


def test_a_dataclass_of_pydantics_without_a_stored_value_has_its_default():
    @pydantic.dataclasses.dataclass
    class Address:
        code: str = pydantic.Field(default="none", alias="zip")
        tags: list[str] = pydantic.Field(default_factory=list)
        more: int = pydantic.Field(default=3, init=False)

    read = mapper.load({}, Address)

    assert (read.code, read.tags, read.more) == ("none", [], 3)
    assert read.tags is not mapper.load({}, Address).tags


def test_a_default_that_is_made_of_other_fields_is_left_to_pydantic():
    class Range(pydantic.BaseModel):
        low: int
        high: int = pydantic.Field(default_factory=lambda data: data["low"] + 1)

    assert mapper.load({"low": {"N": "3"}}, Range) == Range(low=3)


@pytest.mark.parametrize("kind", ["model", "dataclass"])
def test_classes_that_take_anything_are_refused(kind: str):
    config = pydantic.ConfigDict(extra="allow")
    if kind == "model":

        class Open(pydantic.BaseModel):
            model_config = config
    else:

        @pydantic.dataclasses.dataclass(config=config)
        class Open:  # type: ignore[no-redef]
            size: int = 0

    with pytest.raises(ModelError, match="its extra values would be lost"):
        holder(Open)


def test_a_dataclass_that_is_made_of_more_than_its_fields_is_refused():
    @dataclasses.dataclass
    class Priced:
        cents: int
        currency: dataclasses.InitVar[str]

    @dataclasses.dataclass
    class Free:
        cents: int
        currency: dataclasses.InitVar[str] = "EUR"

    with pytest.raises(ModelError, match=r"Priced with 'currency' besides \(InitVar\)"):
        holder(Priced)
    assert round_trip(Free, Free(3)) == Free(3)


def test_a_class_whose_own_constructor_does_not_take_its_fields_is_refused():
    @dataclasses.dataclass(init=False)
    class Data:
        size: int

        def __init__(self, text: str) -> None:
            self.size = len(text)

    @attrs.define(init=False)
    class Attrs:
        size: int

        def __init__(self, text: str) -> None:
            self.size = len(text)

    @attrs.define(init=False)
    class Takes:
        size: int
        _note: str = ""

        def __init__(self, size: int, note: str = "", *, more: int = 0) -> None:
            self.__attrs_init__(size, note)  # type: ignore[attr-defined]

    for cls in (Data, Attrs):
        with pytest.raises(ModelError, match=f"{cls.__name__}, of whose constructor .*'text'"):
            holder(cls)
    assert round_trip(Takes, Takes(3, "n")) == Takes(3, "n")


# --- pydantic: values ---------------------------------------------------------------------------


class Tags(pydantic.RootModel[list[str]]):
    pass


class Prices(pydantic.RootModel[dict[str, Decimal]]):
    pass


class Chosen(pydantic.RootModel[set[int]]):
    pass


class Nested(pydantic.RootModel[Optional[Tags]]):
    pass


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Tags(["a", "b"]), {"L": [{"S": "a"}, {"S": "b"}]}),
        (Tags([]), {"L": []}),
        (Prices({"a": Decimal("1.50")}), {"M": {"a": {"N": "1.50"}}}),
        (Chosen({1}), {"NS": ["1"]}),
        (Chosen(set()), {"L": []}),
        (Nested(Tags(["a"])), {"L": [{"S": "a"}]}),
        (Nested(None), {"NULL": True}),
    ],
)
def test_a_root_model_is_stored_as_what_it_holds(value: Any, stored: Any):
    cls = holder(type(value))

    assert mapper.dump(cls("1", value))["value"] == stored
    assert mapper.load({"id": {"S": "1"}, "value": stored}, cls) == cls("1", value)
    assert mapper.from_json(mapper.to_json(cls("1", value)), cls) == cls("1", value)
    assert round_trip(list[type(value)], [value]) == [value]  # type: ignore[misc]


def test_what_a_root_model_refuses_names_the_place():
    cls = holder(Tags)

    with pytest.raises(MappingError, match=r"Holder\.value\[0\]: expected a string"):
        mapper.load({"id": {"S": "1"}, "value": {"L": [{"N": "1"}]}}, cls)
    with pytest.raises(MappingError, match=r"Holder\.value: expected a Tags, found list \['a'\]"):
        mapper.dump(cls("1", ["a"]))


class Document(pydantic.BaseModel):
    body: pydantic.Json[dict[str, list[int]]]
    maybe: pydantic.Json[list[str]] | None = None
    free: pydantic.Json = None
    several: list[pydantic.Json[int]] = []
    raw: pydantic.Base64Bytes = b""


def test_json_fields_are_stored_as_json_and_read_back():
    made = Document(
        body='{"a": [1]}', maybe='["x"]', free='{"f": 1.5, "n": null}', several=["1"], raw=b"aGk="
    )
    cls = holder(Document)

    stored = mapper.dump(cls("1", made))["value"]["M"]

    assert stored["body"] == {"S": '{"a": [1]}'}
    assert stored["raw"] == {"B": b"hi"}
    read = mapper.load(mapper.dump(cls("1", made)), cls).value
    assert read == made
    assert read.free == {"f": 1.5, "n": None}
    assert round_trip(Document, Document(body="{}")) == Document(body="{}")


def test_json_of_a_class_with_two_names_for_a_field_is_refused():
    class Inner(pydantic.BaseModel):
        size: int = pydantic.Field(validation_alias="in", serialization_alias="out")

    class Outer(pydantic.BaseModel):
        inner: pydantic.Json[Inner]

    class Both(pydantic.BaseModel):
        size: int = pydantic.Field(alias="s")

    class Taken(pydantic.BaseModel):
        inner: pydantic.Json[Both]

    with pytest.raises(ModelError, match=r"Inner\.size, which Outer.inner holds as JSON"):
        holder(Outer)
    assert round_trip(Taken, made := Taken(inner='{"s": 3}')) == made


@pytest.mark.parametrize("strict", [False, True])
def test_classes_that_hold_the_values_of_enums_are_read_as_they_were_written(strict: bool):
    class Painted(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(use_enum_values=True, strict=strict)

        one: Colour
        maybe: Colour | None = None
        several: list[Colour] = []
        by_colour: dict[Colour, int] = {}
        literal: Literal[Colour.RED, "x"] = "x"
        size: Size = Size.SMALL

    made = Painted(
        one=Colour.RED, maybe=Colour.BLUE, several=[Colour.RED], by_colour={Colour.BLUE: 1},
        literal=Colour.RED,
    )  # fmt: skip
    assert made.one == "r"  # type: ignore[comparison-overlap]

    assert round_trip(Painted, made) == made
    assert mapper.dump(made)["one"] == {"S": "r"}
    with pytest.raises(MappingError, match="expected a Colour, found str 'green'"):
        mapper.dump(made.model_copy(update={"one": "green"}))


def test_a_default_that_would_be_read_as_another_value_is_refused():
    class Painted(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(use_enum_values=True)
        one: Colour = Colour.RED

    class Validated(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(use_enum_values=True, validate_default=True)
        one: Colour = Colour.RED

    with pytest.raises(ModelError, match=r"Painted.one = Colour <Colour.RED: 'r'>"):
        holder(Painted)
    assert round_trip(Validated, Validated()) == Validated()


# --- Finer than a microsecond -------------------------------------------------------------------


class Stamp(dt.datetime):
    """As pandas' Timestamp: a datetime that counts nanoseconds."""

    nanosecond = 999


class Span(dt.timedelta):
    """As pandas' Timedelta."""

    nanoseconds = 1


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (dt.datetime, Stamp(2024, 1, 1, tzinfo=dt.timezone.utc)),
        (Annotated[dt.datetime, Epoch], Stamp(2024, 1, 1, tzinfo=dt.timezone.utc)),
        (dt.timedelta, Span(seconds=1)),
    ],
)
def test_nanoseconds_are_refused_and_never_dropped(type_: Any, value: Any):
    with pytest.raises(MappingError, match=r"Holder\.value: expected at most six digits"):
        round_trip(type_, value)


def test_a_time_to_live_is_rounded_up_from_nanoseconds_too():
    @model("tokens")
    class Token:
        id: str = partition_key()
        expires: dt.datetime = field(ttl=True)

    at = Stamp(2024, 1, 1, tzinfo=dt.timezone.utc)

    assert mapper.dump(Token("1", at))["expires"] == {"N": "1704067200"}


def test_values_of_pandas():
    pandas = pytest.importorskip("pandas", reason="pip install pandas")
    whole = pandas.Timestamp("2024-01-01T00:00:00.000001Z")
    long = pandas.Timedelta("1 days 00:00:00.000001")

    assert round_trip(dt.datetime, whole) == whole
    assert round_trip(Annotated[dt.datetime, Epoch], whole) == whole
    assert round_trip(dt.timedelta, long) == long
    for type_, value in (
        (dt.datetime, pandas.Timestamp("2024-01-01T00:00:00.000000999Z")),
        (Annotated[dt.datetime, Epoch], pandas.Timestamp("2024-01-01T00:00:00.000000999Z")),
        (dt.timedelta, pandas.Timedelta(999, "ns")),
        (dt.datetime, pandas.NaT),
        (dt.date, pandas.NaT),
        (dt.timedelta, pandas.NaT),
    ):
        with pytest.raises(MappingError, match=r"Holder\.value: expected"):
            round_trip(type_, value)

    @model("tokens")
    class Token:
        id: str = partition_key()
        expires: dt.datetime = field(ttl=True)

    late = pandas.Timestamp("2024-01-01T00:00:00.000000001Z")
    assert mapper.dump(Token("1", late))["expires"] == {"N": "1704067201"}


# --- numpy --------------------------------------------------------------------------------------


def test_scalars_of_numpy_are_the_numbers_that_they_stand_for():
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    for type_, value in (
        (int, numpy.int64(-3)),
        (int, numpy.uint8(200)),
        (float, numpy.int64(3)),
        (float, numpy.float32(0.1)),
        (float, numpy.float64(0.1)),
        (float, numpy.float16(0.1)),
        (Decimal, numpy.int64(3)),
        (bool, numpy.bool_(True)),
        (str, numpy.str_("x")),
        (bytes, numpy.bytes_(b"x")),
        (Any, numpy.int64(3)),
        (Any, numpy.bool_(False)),
        (Any, numpy.float32(0.5)),
        (numpy.int64, numpy.int64(3)),
        (numpy.float32, numpy.float32(0.1)),
        (numpy.bool_, numpy.bool_(True)),
        (Optional[float], numpy.float32(0.1)),
    ):
        read = round_trip(type_, value)
        assert read == value.item()
        if type_ is not Any:
            assert type(read) is (float if type_ == Optional[float] else type_)
    assert round_trip(list[float], numpy.array([0.1, 3], dtype="float32"))[1] == 3.0


def test_what_of_numpy_has_no_exact_place_is_refused():
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    for type_, value in (
        (int, numpy.float64(3)),
        (int, numpy.bool_(True)),
        (bool, numpy.int64(1)),
        (float, numpy.bool_(True)),
        (float, numpy.float32("nan")),
        (float, numpy.timedelta64(5, "s")),
        (Decimal, numpy.float32(0.1)),
        (Any, numpy.timedelta64(5, "s")),
        (Any, numpy.datetime64("2024-01-01")),
        (dt.datetime, numpy.datetime64("2024-01-01")),
        (str, numpy.int64(1)),
        (numpy.float32, 0.1),
        (float, numpy.longdouble(1) / 3),
    ):
        with pytest.raises(MappingError, match=r"Holder\.value: expected"):
            round_trip(type_, value)


def test_a_number_that_a_float_only_comes_near_is_refused():
    for value in (Fraction(1, 3), Decimal("0.1")):
        with pytest.raises(MappingError, match="expected a finite float"):
            round_trip(float, value)


# --- bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [Binary, memoryview, bytearray, bytes])
def test_all_kinds_of_bytes_are_bytes(made: Any):
    assert round_trip(bytes, made(b"\x00x")) == b"\x00x"
    assert round_trip(Any, made(b"\x00x")) == b"\x00x"
    assert round_trip(list[bytes], [made(b"x")]) == [b"x"]
    assert round_trip(dict[str, Any], {"a": [made(b"x")]}) == {"a": [b"x"]}
    if made is not bytearray:
        assert round_trip(set[bytes], {made(b"x")}) == {b"x"}
    read = round_trip(made, made(b"x"))
    assert type(read) is made
    assert read == made(b"x")
    assert holder(bytes)("1", made(b"x")) is not None


# --- Sets ---------------------------------------------------------------------------------------


class Pair(str):
    """A text that is equal to nothing but itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (Any, {0.1, Decimal("0.1")}),
        (Any, {0.1, Decimal("0.10")}),
        (Any, frozenset({1e22, Decimal(10**22) + Decimal("0.0"), 0.1, Decimal("0.1")})),
        (list[Any], [{0.1, Decimal("0.1")}]),
        (dict[str, Any], {"a": {0.1, Decimal("0.1")}}),
        (set[Any], {0.1, Decimal("0.1")}),
        (set[Pair], {Pair("a"), Pair("a")}),
    ],
)
def test_a_set_of_members_that_are_one_to_the_service_is_refused(type_: Any, value: Any):
    with pytest.raises(MappingError, match="whose members are stored differently"):
        round_trip(type_, value)


def test_sets_of_different_numbers_in_several_types_are_stored():
    for value in ({1, 0.5, Decimal("0.1")}, {True}, {0.1, Decimal("0.2")}):
        assert {float(each) for each in round_trip(Any, value)} == {float(each) for each in value}
