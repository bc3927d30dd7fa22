# ruff: noqa: UP007, UP045, DTZ001, PYI051, SLOT000 - every spelling of a type is tested
"""Every row of the mapping table: its stored form, the way back, and what is refused."""

from __future__ import annotations

import collections
import collections.abc as abc
import datetime as dt
import decimal
import enum
import gzip
import ipaddress
import math
import pathlib
import typing
import uuid
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar, Union

import attrs
import pytest
from typing_extensions import TypeAliasType

from dynattrs import mapper, model, partition_key
from dynattrs.errors import MappingError, ModelError
from dynattrs.mapper import Compressed, Epoch, Json
from dynattrs.mapper.codec import Refused

UTC = dt.timezone.utc
NONE = type(None)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Text(str, enum.Enum):
    A = "a"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


class Ratio(enum.Enum):
    HALF = Decimal("0.5")
    THIRD = 0.3


class Void(enum.Enum):
    NOTHING = None
    SOMETHING = 1


class Code(str):
    pass


class Degrees(float):
    pass


class Point(NamedTuple):
    x: int
    y: int = 0


class Movie(typing.TypedDict, total=False):
    title: str
    year: int


@attrs.define(frozen=True)
class Part:
    size: int


@attrs.define
class Circle:
    radius: int


@attrs.define
class Square:
    side: int


UserId = NewType("UserId", str)


def holder(type_: Any, **options: Any) -> Any:
    """A class with one field `v` of a type."""
    body = {"__annotations__": {"v": type_}, "v": attrs.field(**options)}
    return attrs.define(type("Holder", (), body))


def stored(type_: Any, value: Any) -> Any:
    return mapper.dump(holder(type_)(value))["v"]


def read(type_: Any, value: Any) -> Any:
    return mapper.load({"v": value}, holder(type_)).v


def refused(type_: Any, value: Any) -> str:
    with pytest.raises(MappingError) as caught:
        stored(type_, value)
    assert caught.value.path.startswith("Holder.v")
    return str(caught.value)


def unreadable(type_: Any, value: Any) -> str:
    with pytest.raises(MappingError) as caught:
        read(type_, value)
    return str(caught.value)


def undeclared(type_: Any) -> str:
    body = {"__annotations__": {"id": str, "v": type_}, "id": partition_key()}
    with pytest.raises(ModelError) as caught:
        model("things")(type("Thing", (), body))
    return str(caught.value)


ROWS: list[tuple[Any, Any, Any]] = [
    (str, "", {"S": ""}),
    (str, "héllo", {"S": "héllo"}),
    (bool, True, {"BOOL": True}),
    (bytes, b"", {"B": b""}),
    (bytes, b"\x00\xff", {"B": b"\x00\xff"}),
    (int, -7, {"N": "-7"}),
    (int, 10**38 - 1, {"N": "9" * 38}),
    (int, 10**125, {"N": "1" + "0" * 125}),
    (float, 0.1, {"N": "0.1"}),
    (float, -0.0, {"N": "0"}),
    (float, 1e22, {"N": "1e+22"}),
    (float, 5.0, {"N": "5.0"}),
    (Decimal, Decimal("1.10"), {"N": "1.10"}),
    (Decimal, Decimal("1E-130"), {"N": "1E-130"}),
    (Decimal, Decimal("0E-500"), {"N": "0"}),
    (dt.datetime, dt.datetime(2020, 1, 2, 3, 4, 5, 6, UTC), {"S": "2020-01-02T03:04:05.000006Z"}),
    (dt.datetime, dt.datetime(1, 1, 1, tzinfo=UTC), {"S": "0001-01-01T00:00:00.000000Z"}),
    (dt.date, dt.date(2020, 1, 2), {"S": "2020-01-02"}),
    (dt.time, dt.time(1, 2, 3), {"S": "01:02:03.000000"}),
    (dt.timedelta, dt.timedelta(days=1), {"N": "86400"}),
    (dt.timedelta, dt.timedelta(microseconds=-1), {"N": "-0.000001"}),
    (dt.timedelta, dt.timedelta(seconds=1.5), {"N": "1.5"}),
    (dt.timedelta, dt.timedelta.max, {"N": "86399999999999.999999"}),
    (dt.timedelta, dt.timedelta.min, {"N": "-86399999913600"}),
    (Annotated[dt.datetime, Epoch], dt.datetime(2020, 1, 1, tzinfo=UTC), {"N": "1577836800"}),
    (Annotated[dt.datetime, Epoch], dt.datetime(1969, 12, 31, 23, 59, 59, 500000, UTC), {"N": "-0.5"}),
    (uuid.UUID, uuid.UUID(int=1), {"S": "00000000-0000-0000-0000-000000000001"}),
    (pathlib.PurePosixPath, pathlib.PurePosixPath("a/b"), {"S": "a/b"}),
    (pathlib.Path, pathlib.Path("a/b"), {"S": str(pathlib.Path("a/b"))}),
    (ipaddress.IPv4Address, ipaddress.IPv4Address("1.2.3.4"), {"S": "1.2.3.4"}),
    (ipaddress.IPv6Network, ipaddress.IPv6Network("::/8"), {"S": "::/8"}),
    (Color, Color.RED, {"S": "red"}),
    (Level, Level.HIGH, {"N": "2"}),
    (Text, Text.A, {"S": "a"}),
    (Access, Access.READ | Access.WRITE, {"N": "3"}),
    (Access, Access(0), {"N": "0"}),
    (Bits, Bits.ONE | Bits.TWO, {"N": "3"}),
    (Ratio, Ratio.HALF, {"N": "0.5"}),
    (Ratio, Ratio.THIRD, {"N": "0.3"}),
    (Void, Void.NOTHING, {"NULL": True}),
    (Literal["a", 1, b"x"], "a", {"S": "a"}),
    (Literal["a", 1, b"x"], 1, {"N": "1"}),
    (Literal["a", 1, b"x"], b"x", {"B": b"x"}),
    (Literal[1, True], True, {"BOOL": True}),
    (Literal[Color.RED], Color.RED, {"S": "red"}),
    (Code, Code("x"), {"S": "x"}),
    (Degrees, Degrees(1.5), {"N": "1.5"}),
    (UserId, UserId("x"), {"S": "x"}),
    (set[str], {"a"}, {"SS": ["a"]}),
    (set[str], {""}, {"SS": [""]}),
    (set[int], {1}, {"NS": ["1"]}),
    (set[Level], {Level.LOW}, {"NS": ["1"]}),
    (set[dt.date], {dt.date(2020, 1, 1)}, {"SS": ["2020-01-01"]}),
    (frozenset[bytes], frozenset({b"a"}), {"BS": [b"a"]}),
    (abc.Set[str], frozenset({"a"}), {"SS": ["a"]}),
    (set[bool], {True}, {"L": [{"BOOL": True}]}),
    (set[tuple[int, str]], {(1, "a")}, {"L": [{"L": [{"N": "1"}, {"S": "a"}]}]}),
    (set[Optional[int]], {None}, {"L": [{"NULL": True}]}),
    (set[Part], {Part(1)}, {"L": [{"M": {"size": {"N": "1"}}}]}),
    (list[int], [], {"L": []}),
    (list[int], [1, 2], {"L": [{"N": "1"}, {"N": "2"}]}),
    (list[Optional[int]], [None], {"L": [{"NULL": True}]}),
    (list[set[str]], [set()], {"L": [{"L": []}]}),
    (abc.Sequence[str], ["a"], {"L": [{"S": "a"}]}),
    (collections.deque[int], collections.deque([1]), {"L": [{"N": "1"}]}),
    (tuple[int, ...], (1, 2), {"L": [{"N": "1"}, {"N": "2"}]}),
    (tuple[int, str], (1, "a"), {"L": [{"N": "1"}, {"S": "a"}]}),
    (tuple[()], (), {"L": []}),
    (dict[str, int], {"a": 1}, {"M": {"a": {"N": "1"}}}),
    (dict[int, str], {-1: "a"}, {"M": {"-1": {"S": "a"}}}),
    (dict[dt.date, int], {dt.date(2020, 1, 1): 1}, {"M": {"2020-01-01": {"N": "1"}}}),
    (dict[Color, int], {Color.RED: 1}, {"M": {"red": {"N": "1"}}}),
    (dict[str, Optional[int]], {"a": None}, {"M": {"a": {"NULL": True}}}),
    (dict[str, set[int]], {"a": set()}, {"M": {"a": {"L": []}}}),
    (abc.Mapping[str, int], {"a": 1}, {"M": {"a": {"N": "1"}}}),
    (Movie, {"title": "x"}, {"M": {"title": {"S": "x"}}}),
    (Point, Point(1), {"M": {"x": {"N": "1"}, "y": {"N": "0"}}}),
    (Part, Part(1), {"M": {"size": {"N": "1"}}}),
    (Union[int, str], "a", {"S": "a"}),
    (Union[int, str], 1, {"N": "1"}),
    (Union[bool, int], True, {"BOOL": True}),
    (Union[int, list[int]], [1], {"L": [{"N": "1"}]}),
    (Union[str, Part], Part(1), {"M": {"size": {"N": "1"}}}),
    (Union[Circle, Square], Square(1), {"M": {"_type": {"S": "Square"}, "side": {"N": "1"}}}),
    (Union[Circle, Square, str], "x", {"S": "x"}),
    (Annotated[dict[str, int], Json], {"a": 1}, {"S": '{"a": 1}'}),
    (Annotated[Decimal, Json], Decimal("1.10"), {"S": "1.10"}),
    (Annotated[list[bytes], Json], [b"a"], {"S": '["YQ=="]'}),
    (Annotated[int, "a remark"], 1, {"N": "1"}),
    (Any, None, {"NULL": True}),
    (Any, [1, "a", {"b": Decimal("1.5")}],
     {"L": [{"N": "1"}, {"S": "a"}, {"M": {"b": {"N": "1.5"}}}]}),
    (NONE, None, {"NULL": True}),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value", "form"), ROWS, ids=lambda each: str(each)[:40])
def test_every_row_is_stored_as_the_table_says_and_read_back(
    type_: Any, value: Any, form: Any
) -> None:
    assert stored(type_, value) == form
    loaded = read(type_, form)
    assert loaded == value
    assert type(loaded) is type(value)


# --- None and empty sets -------------------------------------------------------------------------


def dumped(type_: Any, value: Any, **options: Any) -> Any:
    return mapper.dump(holder(type_, **options)(value))


def test_none_is_left_out_where_it_is_the_default() -> None:
    """Trap: None written as NULL, or removed, or replaced by a default, depending on the verb."""
    assert dumped(Optional[int], None, default=None) == {}
    assert mapper.load({}, holder(Optional[int], default=None)).v is None
    assert mapper.load({"v": {"NULL": True}}, holder(Optional[int], default=None)).v is None


def test_none_is_null_where_it_is_not_the_default() -> None:
    assert dumped(Optional[int], None) == {"v": {"NULL": True}}
    assert dumped(Optional[int], None, default=3) == {"v": {"NULL": True}}
    assert mapper.load({"v": {"NULL": True}}, holder(Optional[int], default=3)).v is None


def test_an_empty_set_is_left_out_and_absence_reads_as_empty() -> None:
    """Trap: an empty set or string fails at the service."""
    for options in ({}, {"factory": set}):
        assert dumped(set[str], set(), **options) == {}
        assert mapper.load({}, holder(set[str], **options)).v == set()
        assert mapper.load({"v": {"L": []}}, holder(set[str], **options)).v == set()
    assert dumped(frozenset[int], frozenset()) == {}
    assert mapper.load({}, holder(frozenset[int])).v == frozenset()
    assert type(mapper.load({}, holder(frozenset[int])).v) is frozenset


def test_an_empty_list_of_members_of_a_set_is_left_out_too() -> None:
    assert dumped(set[bool], set()) == {}


def test_an_optional_set_tells_none_from_empty() -> None:
    cls = holder(Optional[set[str]], default=None)
    assert mapper.dump(cls(None)) == {}
    assert mapper.dump(cls(set())) == {"v": {"L": []}}
    assert mapper.load({"v": {"L": []}}, cls).v == set()
    assert mapper.load({}, cls).v is None
    assert mapper.dump(cls({"a"})) == {"v": {"SS": ["a"]}}


def test_what_is_false_and_no_set_is_refused_in_a_set_field() -> None:
    assert refused(set[str], []) == "Holder.v: expected a set, found list []"
    assert refused(set[str], "") == "Holder.v: expected a set, found str ''"
    assert refused(set[str], None) == "Holder.v: expected a set, found NoneType None"


def test_a_set_default_that_is_empty_is_allowed() -> None:
    assert mapper.load({}, holder(frozenset[str], default=frozenset())).v == frozenset()


# --- Numbers ------------------------------------------------------------------------------------


def test_numbers_over_38_digits_are_refused() -> None:
    assert refused(int, 10**38 + 1) == (
        "Holder.v: expected an int of up to 38 digits, found int of about 39 digits; DynamoDB "
        "keeps 38 digits between 1E-130 and 9.99E125, and has no NaN and no infinity; round it, "
        "or declare the field as str"
    )
    assert "a Decimal of up to 38 digits" in refused(Decimal, Decimal("1." + "1" * 38))
    assert "digits" in refused(int, 10**5000)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e126, 1e-131, 5e-324])
def test_floats_that_are_no_numbers_of_dynamodb_are_refused(value: float) -> None:
    assert "expected a finite float between 1E-130 and 1E126" in refused(float, value)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "1E126", "1E-131"])
def test_decimals_that_are_no_numbers_of_dynamodb_are_refused(text: str) -> None:
    assert "expected a Decimal of up to 38 digits" in refused(Decimal, Decimal(text))


def test_zeros_at_the_end_are_no_digits() -> None:
    assert stored(Decimal, Decimal("1." + "0" * 60)) == {"N": "1"}
    assert stored(int, 12 * 10**120) == {"N": "12" + "0" * 120}


def test_numbers_with_more_than_17_digits_stay_exact() -> None:
    """Trap: numbers of more than 17 digits come back as floats."""
    digits = "12345678901234567890123456789012345678"
    assert read(int, {"N": digits}) == int(digits)
    assert read(Decimal, {"N": f"0.{digits}"}) == Decimal(f"0.{digits}")
    assert read(Any, {"N": digits}) == int(digits)


def test_a_float_reads_the_nearest_double_of_what_others_wrote() -> None:
    assert read(float, {"N": "0.1000000000000000055511151231257827021"}) == 0.1
    assert read(float, {"N": "3"}) == 3.0
    assert type(read(float, {"N": "3"})) is float


def test_a_bool_in_a_number_field_is_a_number() -> None:
    """`str(True)` is not a number."""
    assert stored(int, True) == {"N": "1"}
    assert stored(float, True) == {"N": "1"}
    assert stored(Decimal, False) == {"N": "0"}


def test_an_int_enum_in_an_int_field_is_its_number() -> None:
    """On Python 3.10 `str` of it is not a number."""
    assert stored(int, Level.HIGH) == {"N": "2"}
    assert stored(float, Level.HIGH) == {"N": "2"}


def test_an_int_in_a_float_or_decimal_field_is_stored_as_it_is() -> None:
    assert stored(float, 3) == {"N": "3"}
    assert stored(Decimal, 3) == {"N": "3"}


def test_a_float_in_an_int_or_decimal_field_is_refused() -> None:
    assert refused(int, 1.0) == "Holder.v: expected an int of up to 38 digits, found float 1.0"
    assert "write Decimal(str(value)) for a float" in refused(Decimal, 1.5)


def test_an_integral_number_in_any_spelling_reads_as_int() -> None:
    assert read(int, {"N": "1E+3"}) == 1000
    assert read(int, {"N": "5.0"}) == 5
    assert read(Any, {"N": "5.00"}) == 5
    assert type(read(Any, {"N": "5.00"})) is int
    assert read(Any, {"N": "5.5"}) == Decimal("5.5")


@pytest.mark.parametrize("type_", [int, float, Decimal, Any])
@pytest.mark.parametrize("text", ["NaN", "Infinity", "1E999", "1E999999999", "x", ""])
def test_numbers_that_dynamodb_cannot_hold_are_not_read(type_: Any, text: str) -> None:
    if type_ is Decimal and text.startswith("1E"):
        pytest.skip("a Decimal of any size is harmless")
    assert unreadable(type_, {"N": text}).startswith("Holder.v: expected")


def test_a_fraction_is_not_cut_to_an_int() -> None:
    assert unreadable(int, {"N": "3.5"}) == (
        "Holder.v: expected an integral number (N), found N 3.5"
    )
    for payload in (3.5, Decimal("3.5")):
        assert "Holder.v: expected an int" in unreadable(int, {"N": payload})


def test_the_callers_decimal_context_rounds_nothing() -> None:
    with decimal.localcontext() as context:
        context.prec = 3
        assert stored(dt.timedelta, dt.timedelta(seconds=12345, microseconds=6)) == {
            "N": "12345.000006"
        }
        assert read(dt.timedelta, {"N": "12345.000006"}) == dt.timedelta(0, 12345, 6)
        assert stored(Decimal, Decimal("1.23456")) == {"N": "1.23456"}


# --- Dates and times ----------------------------------------------------------------------------


def test_a_naive_datetime_is_refused() -> None:
    """Trap: a naive datetime is taken as UTC, a zone is lost."""
    assert refused(dt.datetime, dt.datetime(2020, 1, 1)) == (
        "Holder.v: expected a datetime with a time zone, found the naive 2020-01-01T00:00:00; "
        "say which zone it is in: datetime.now(timezone.utc), value.replace(tzinfo=...)"
    )
    assert "naive" in refused(Annotated[dt.datetime, Epoch], dt.datetime(2020, 1, 1))


def test_a_datetime_of_another_zone_is_the_same_instant_in_utc() -> None:
    east = dt.datetime(2020, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert stored(dt.datetime, east) == {"S": "2019-12-31T23:00:00.000000Z"}
    loaded = read(dt.datetime, stored(dt.datetime, east))
    assert loaded == east
    assert loaded.tzinfo is UTC


def test_a_datetime_out_of_the_calendar_in_utc_is_refused() -> None:
    east = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert "the years 1 to 9999" in refused(dt.datetime, east)


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-02T03:04:05Z",
        "2020-01-02T03:04:05.000000Z",
        "2020-01-02T03:04:05.000Z",
        "2020-01-02 03:04:05+00:00",
        "2020-01-02T03:04:05,0Z",
        "20200102T030405Z",
        "2020-01-02T05:04:05+02:00",
        "2020-01-02T05:04:05+0200",
        "2020-01-02T05:04:05+02",
        "2020-01-01T22:04:05-05:00",
        "2020-01-02T03:04:05.000000000Z",
        "2020-01-02T03:04:05z",
    ],
)
def test_common_iso_forms_are_read(text: str) -> None:
    assert read(dt.datetime, {"S": text}) == dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2020-01-02T03:04:05", "which has no zone"),
        ("2020-01-02T03:04:05.1234567Z", "at most six digits of a second"),
        ("20200102T03:04:05.12345678Z", "at most six digits of a second"),
        ("2020-01-02T03:04:05.123+01Z", "an ISO 8601 date and time with a zone (S)"),
        ("2020-13-02T03:04:05Z", "month must be in 1..12"),
        ("0001-01-01T00:00:00+01:00", "OverflowError"),
        ("yesterday", "an ISO 8601 date and time with a zone (S)"),
    ],
)
def test_other_forms_of_datetimes_are_refused(text: str, why: str) -> None:
    assert why in unreadable(dt.datetime, {"S": text})


def test_a_time_with_a_zone_is_refused() -> None:
    assert "expected a naive time" in refused(dt.time, dt.time(1, tzinfo=UTC))


def test_times_and_dates_read_other_iso_forms() -> None:
    assert read(dt.time, {"S": "01:02"}) == dt.time(1, 2)
    assert read(dt.time, {"S": "01:02:03.5"}) == dt.time(1, 2, 3, 500000)
    assert read(dt.date, {"S": "20200102"}) == dt.date(2020, 1, 2)
    assert "an ISO 8601 date" in unreadable(dt.date, {"S": "2020-01-02T00:00:00"})


def test_a_datetime_is_no_date() -> None:
    assert "expected a date" in refused(dt.date, dt.datetime(2020, 1, 1, tzinfo=UTC))
    assert "expected a datetime" in refused(dt.datetime, dt.date(2020, 1, 1))


@pytest.mark.parametrize("text", ["1E20", "0.0000001", "1." + "0" * 30 + "1", "NaN", "1E999999999"])
def test_durations_and_epochs_that_python_cannot_hold_are_not_read(text: str) -> None:
    for type_ in (dt.timedelta, Annotated[dt.datetime, Epoch]):
        assert "seconds" in unreadable(type_, {"N": text})


def test_epoch_on_something_else_is_refused() -> None:
    assert undeclared(Annotated[int, Epoch]) == (
        "Thing.v: expected Epoch on a datetime, found Epoch on int"
    )
    assert stored(Annotated[Optional[dt.datetime], Epoch], None) == {"NULL": True}


# --- Enums and literals -------------------------------------------------------------------------


def test_another_enums_member_is_refused() -> None:
    assert refused(Color, "red") == "Holder.v: expected a Color, found str 'red'"
    assert unreadable(Color, {"S": "green"}) == "Holder.v: expected a Color, found S 'green'"
    assert "expected a Color" in unreadable(Color, {"S": "Color.RED"})


def test_a_literal_takes_nothing_else() -> None:
    assert refused(Literal["a", "b"], "c") == "Holder.v: expected one of 'a', 'b', found str 'c'"
    assert "one of 1" in refused(Literal[1], True)
    assert "one of 'a'" in unreadable(Literal["a"], {"S": "b"})


def test_a_number_of_an_enum_is_read_in_any_spelling() -> None:
    assert read(Level, {"N": "2.0"}) is Level.HIGH


def test_members_that_are_stored_alike_are_refused() -> None:
    class Twins(enum.Enum):
        EXACT = Decimal("0.1")
        FLOAT = 0.1

    assert "which are both stored as N '0.1'" in undeclared(Twins)
    assert "which are both stored as S 'red'" in undeclared(Literal[Color.RED, "red"])


def test_an_enum_of_none_cannot_be_optional() -> None:
    assert undeclared(Optional[Void]) == (
        "Thing.v: expected a type whose only value stored as NULL is None, found a Void, and "
        "None; they could not be told apart when read: give that member another value"
    )


def test_an_enum_of_objects_needs_hooks() -> None:
    class Odd(enum.Enum):
        ONE = (1, 2)

    assert "register hooks for it on the mapper" in undeclared(Odd)


def test_flags_are_numbers() -> None:
    assert "expected a Access" in refused(Access, 1)
    assert read(Bits, {"N": "3"}) == Bits.ONE | Bits.TWO
    assert "expected a Access" in unreadable(Access, {"N": "64"})


# --- Sets, lists, maps --------------------------------------------------------------------------


def test_text_is_no_list() -> None:
    for value in ("abc", b"abc", {"a": 1}, {"a"}, {"a": 1}.keys(), 3):
        assert "expected a list or another sequence" in refused(list[str], value)


def test_an_iterator_is_no_list() -> None:
    """It is gone once it is read: a second try would store what the first one left."""
    values = iter(["a", "b", 3, "d"])
    for type_ in (list[str], abc.Iterable[str], tuple[str, ...]):
        assert "expected a list or another sequence" in refused(type_, values)
    assert list(values) == ["a", "b", 3, "d"]


def test_sequences_of_other_kinds_are_lists() -> None:
    assert stored(list[int], (1, 2)) == {"L": [{"N": "1"}, {"N": "2"}]}
    assert stored(list[int], range(2)) == {"L": [{"N": "0"}, {"N": "1"}]}
    assert stored(list[int], {1: 2}.values()) == {"L": [{"N": "2"}]}


def test_a_list_is_read_as_a_set_where_a_set_is_declared() -> None:
    assert read(set[int], {"L": [{"N": "1"}]}) == {1}
    assert "expected a number set (NS)" in unreadable(set[int], {"SS": ["a"]})


def test_a_tuple_of_another_length_is_refused() -> None:
    assert refused(tuple[int, str], (1,)) == (
        "Holder.v: expected a tuple of 2, found a sequence of 1"
    )
    assert unreadable(tuple[int, str], {"L": []}) == (
        "Holder.v: expected a tuple of 2, found L of 0"
    )


def test_an_empty_key_is_refused() -> None:
    """Trap: an empty set or string fails at the service."""
    for type_ in (dict[str, int], Any, Movie):
        assert "expected a key that is not empty, found ''" in refused(type_, {"": 1})


def test_keys_that_are_no_text_are_refused() -> None:
    assert "expected a str as the key of a map" in refused(Any, {1: 1})
    assert "expected a str, found int 1" in refused(dict[str, int], {1: 1})


def test_keys_that_collide_as_text_are_refused() -> None:
    summer = dt.datetime(2020, 10, 25, 1, 30, tzinfo=UTC)

    class Zone(dt.tzinfo):
        def utcoffset(self, when: Any) -> dt.timedelta:
            return dt.timedelta(hours=0 if when.fold else 1)

        def dst(self, when: Any) -> dt.timedelta:
            return dt.timedelta(0)

        def fromutc(self, when: dt.datetime) -> dt.datetime:
            return when

    folded = dt.datetime(2020, 10, 25, 1, 30, tzinfo=Zone(), fold=1)
    assert folded != summer, "Python's rule for instants in a fold"
    assert "2 keys with 1 text forms" in refused(dict[dt.datetime, int], {summer: 1, folded: 2})


def test_stored_keys_that_are_one_key_in_python_are_refused() -> None:
    assert unreadable(dict[int, str], {"M": {"1": {"S": "a"}, "01": {"S": "b"}}}) == (
        "Holder.v: expected keys that stay different as int, found 2 keys that are 1: '1', '01'"
    )


def test_keys_without_a_text_form_are_refused_at_declaration() -> None:
    for type_, name in ((bytes, "bytes"), (tuple[int, int], None), (bool, "bool"), (Any, "Any")):
        message = undeclared(dict[type_, int])  # type: ignore[valid-type]
        assert "expected a dict whose keys have a text form" in message
        assert name is None or f"keys of type {name}" in message


def test_defaultdicts_and_ordered_dicts_are_maps() -> None:
    assert stored(dict[str, int], collections.defaultdict(int, a=1)) == {"M": {"a": {"N": "1"}}}
    assert stored(Any, collections.OrderedDict(a=1)) == {"M": {"a": {"N": "1"}}}
    assert type(read(collections.OrderedDict[str, int], {"M": {}})) is collections.OrderedDict


def test_containers_without_arguments_hold_anything() -> None:
    assert stored(list, [1, "a"]) == {"L": [{"N": "1"}, {"S": "a"}]}
    assert stored(dict, {"a": [1]}) == {"M": {"a": {"L": [{"N": "1"}]}}}
    assert stored(set, {"a"}) == {"SS": ["a"]}
    assert stored(tuple, (1, "a")) == {"L": [{"N": "1"}, {"S": "a"}]}
    assert read(set, {"NS": ["1"]}) == {1}


# --- Any ------------------------------------------------------------------------------------------


def test_any_reads_wire_types() -> None:
    """The documented exceptions to the round trip."""
    cases: list[tuple[Any, Any]] = [
        ((1, 2), [1, 2]),
        (frozenset({"a"}), {"a"}),
        (Color.RED, "red"),
        (dt.date(2020, 1, 1), "2020-01-01"),
        (1.5, Decimal("1.5")),
        ({True, 2}, [True, 2]),
        (set(), []),
        (Point(1), {"x": 1, "y": 0}),
        (Part(1), {"size": 1}),
    ]
    for value, back in cases:
        loaded = read(Any, stored(Any, value))
        assert (
            sorted(loaded, key=str) == sorted(back, key=str)
            if isinstance(value, set)
            else loaded == back
        )


def test_any_refuses_what_has_no_form() -> None:
    message = refused(Any, {"a": [object()]})
    assert message.startswith("Holder.v['a'][0]: expected")
    assert "complex" in refused(Any, 1j)


# --- Unions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "type_",
    [
        Union[int, float],
        Union[str, dt.datetime],
        Union[str, Color],
        Union[list[int], set[bool]],
        Union[set[str], list[str]],
        Union[dict[str, int], Part],
        Union[int, Level],
        Union[int, Literal[3]],
        Union[str, Annotated[Part, Json]],
    ],
)
def test_unions_that_cannot_be_told_apart_are_refused(type_: Any) -> None:
    message = undeclared(type_)
    assert "expected a union whose members are stored differently" in message
    assert "so the type would be lost" in message


def test_a_tag_names_the_class_of_a_union() -> None:
    shapes = list[Union[Circle, Square]]
    value = [Circle(1), Square(2)]
    assert read(shapes, stored(shapes, value)) == value
    assert "expected a Circle or a Square, found a map without '_type'" in unreadable(
        shapes, {"L": [{"M": {"side": {"N": "1"}}}]}
    )
    assert "found _type 'Hexagon'" in unreadable(
        shapes, {"L": [{"M": {"_type": {"S": "Hexagon"}}}]}
    )


def test_two_classes_of_one_name_in_a_union_are_refused() -> None:
    first, second = holder(int), holder(str)
    assert "expected a union of classes with different names" in undeclared(Union[first, second])


def test_a_class_with_the_tag_as_a_field_is_refused_in_a_union() -> None:
    tagged = attrs.make_class("Tagged", {"_type": attrs.field(type=str)})
    assert "expected classes without an attribute '_type'" in undeclared(Union[Circle, tagged])


def test_a_class_outside_of_the_union_is_refused() -> None:
    assert refused(Union[Circle, Square], Part(1)) == (
        "Holder.v: expected a Circle or a Square, found Part Part(size=1)"
    )


@attrs.define
class Leaf:
    value: int


@attrs.define
class Node:
    left: Union[Leaf, Node]
    right: Optional[Union[Leaf, Node]] = None


def test_a_union_may_hold_itself() -> None:
    tree = Node(Node(Leaf(1)), Leaf(2))
    assert read(Node, stored(Node, tree)) == tree


def test_paths_go_through_unions_where_the_members_agree() -> None:
    @model("trees")
    class Tree:
        id: str = partition_key()
        root: Node | Leaf | None = None

    assert repr(Tree.root.value) == "Tree.root.value"  # type: ignore[union-attr]
    assert repr(Tree.root.left.left.value) == "Tree.root.left.left.value"  # type: ignore[union-attr]


# --- Json and Compressed ----------------------------------------------------------------------------


def test_compressed_is_gzip_of_what_it_says() -> None:
    assert gzip.decompress(stored(Annotated[str, Compressed], "héllo")["B"]) == "héllo".encode()
    assert gzip.decompress(stored(Annotated[bytes, Compressed], b"\x00")["B"]) == b"\x00"
    assert gzip.decompress(stored(Annotated[Part, Compressed], Part(1))["B"]) == b'{"size": 1}'
    for type_, value in (
        (Annotated[str, Compressed], "x"),
        (Annotated[bytes, Compressed], b"x"),
        (Annotated[Optional[str], Compressed], None),
        (Annotated[Optional[bytes], Compressed], b"x"),
        (Annotated[dict[str, set[int]], Compressed], {"a": {1}, "b": set()}),
        (Annotated[Union[Circle, Square], Compressed], Square(2)),
    ):
        assert read(type_, stored(type_, value)) == value


def test_equal_values_are_compressed_to_equal_bytes() -> None:
    type_ = Annotated[str, Compressed]
    assert stored(type_, "x" * 100) == stored(type_, "x" * 100)


def test_what_is_no_gzip_or_json_is_refused() -> None:
    assert "expected gzip data (B)" in unreadable(Annotated[str, Compressed], {"B": b"x"})
    assert "expected JSON, found str 'x'" in unreadable(Annotated[Part, Json], {"S": "x"})
    assert "Holder.v.size: expected a number (N)" in unreadable(
        Annotated[Part, Json], {"S": '{"size": "x"}'}
    )
    assert "found NaN" in unreadable(Annotated[float, Json], {"S": "NaN"})


def test_json_keeps_tuples_bytes_and_maps_by_their_types() -> None:
    type_ = Annotated[dict[int, tuple[bytes, Optional[bytes], Union[int, bytes]]], Json]
    value = {1: (b"a", None, b"c")}
    assert read(type_, stored(type_, value)) == value


# --- Bytes ------------------------------------------------------------------------------------------


def test_bytes_of_other_kinds_are_bytes() -> None:
    assert stored(bytes, bytearray(b"a")) == {"B": b"a"}
    assert stored(bytes, memoryview(b"a")) == {"B": b"a"}
    assert "expected bytes, found str 'a'" in refused(bytes, "a")


def test_bytes_are_read_from_base64_and_from_botos_binary() -> None:
    from boto3.dynamodb.types import Binary

    assert read(bytes, {"B": "YQ=="}) == b"a"
    assert read(bytes, {"B": Binary(b"a")}) == b"a"
    for junk in (5, [1, 2], "***", None):
        assert unreadable(bytes, {"B": junk}).startswith("Holder.v: expected bytes")


# --- Types that are not understood ------------------------------------------------------------------


def test_the_codec_of_a_type_without_a_form_is_refused() -> None:
    with pytest.raises(Refused):
        mapper.default.codec(complex)


@pytest.mark.skipif("sys.version_info < (3, 12)", reason="type statements are of 3.12")
def test_recursive_aliases_work() -> None:
    names: dict[str, Any] = {}
    exec("type Tree = int | dict[str, Tree] | list[Tree] | None", names)
    type_, value = names["Tree"], {"a": [1, {"b": None}]}
    assert read(type_, stored(type_, value)) == value


A, B = TypeVar("A"), TypeVar("B")
Swapped: Any = TypeAliasType("Swapped", dict[B, list[A]], type_params=(A, B))
Same: Any = TypeAliasType("Same", A, type_params=(A,))
Both: Any = TypeAliasType("Both", tuple[Swapped[A, str], Same[A]], type_params=(A,))


@pytest.mark.parametrize(
    ("type_", "same"),
    [
        (Swapped[dt.date, str], dict[str, list[dt.date]]),
        (Same[uuid.UUID], uuid.UUID),
        (Both[int], tuple[dict[str, list[int]], int]),
        (Same[int] | None, int | None),
        (TypeAliasType("Nothing", None), NONE),
        (list[Same[Swapped[int, str]]], list[dict[str, list[int]]]),
    ],
)
def test_a_type_by_a_name_of_its_own_takes_arguments(type_: Any, same: Any) -> None:
    values = {
        dict[str, list[dt.date]]: {"a": [dt.date(2026, 1, 2)]},
        uuid.UUID: uuid.UUID(int=7),
        tuple[dict[str, list[int]], int]: ({"a": [1]}, 2),
        int | None: 3,
        NONE: None,
        list[dict[str, list[int]]]: [{"a": [1]}],
    }
    item = stored(same, values[same])

    assert stored(type_, values[same]) == item
    assert read(type_, item) == values[same]


def test_a_field_of_a_generic_class_has_a_named_type_of_its_argument() -> None:
    @attrs.define
    class Box(Generic[A]):
        content: Swapped[A, str]

    box = Box({"a": [dt.date(2026, 1, 2)]})
    assert read(Box[dt.date], stored(Box[dt.date], box)) == box
