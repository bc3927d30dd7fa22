"""PynamoDB's stored forms: what is written, what is read, and what is refused where it is declared.

`tests/integration/test_pynamodb.py` holds the same to PynamoDB itself.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import attrs
import pytest

from dynattrs import (
    Compressed,
    ConditionError,
    Json,
    Mapper,
    MappingError,
    ModelError,
    QueryError,
    Session,
    Table,
    begins_with,
    field,
    mapper,
    model,
    partition_key,
    path,
    pynamodb,
    set_,
    sort_key,
)

NOON = datetime(2026, 11, 23, 12, 30, tzinfo=timezone.utc)
EARLY = datetime(999, 1, 2, 3, 4, 5, 6, timezone.utc)
SOME = UUID("abcdef00-0000-0000-0000-00000000000b")


class Color(Enum):
    RED = "red"
    OTHER = "other"


class Level(Enum):
    LOW = 1


class Place(NamedTuple):
    lat: int
    name: str | None = None


@attrs.define
class Circle:
    radius: int
    at: datetime | None


@attrs.define
class Square:
    side: int
    tags: set[str] = attrs.field(factory=set)


SHAPES: Any = Annotated[
    Circle | Square | None,
    pynamodb.Discriminator("cls", {"circle": Circle, "ring": Circle, "square": Square}),
]

# A type, a value, and how it is stored.
MARKED: list[tuple[Any, Any, Any]] = [
    (Annotated[datetime, pynamodb.UTCDateTime], NOON, {"S": "2026-11-23T12:30:00.000000+0000"}),
    (Annotated[datetime, pynamodb.UTCDateTime], EARLY, {"S": "0999-01-02T03:04:05.000006+0000"}),
    (Annotated[datetime | None, pynamodb.UTCDateTime], None, {"NULL": True}),
    (Annotated[bytes, pynamodb.LegacyBinary], b"\xca\xfe", {"B": b"yv4="}),
    (Annotated[bytes, pynamodb.LegacyBinary], b"", {"B": b""}),
    (Annotated[set[bytes], pynamodb.LegacyBinary], {b"a"}, {"BS": [b"YQ=="]}),
    (Annotated[frozenset[bytes], pynamodb.LegacyBinary], frozenset({b"a"}), {"BS": [b"YQ=="]}),
    (Annotated[bytes, pynamodb.Binary], b"\xca\xfe", {"B": b"\xca\xfe"}),
    (Annotated[set[bytes], pynamodb.Binary], {b"a"}, {"BS": [b"a"]}),
    (Annotated[bool, pynamodb.LegacyBoolean], True, {"BOOL": True}),
    (Annotated[Any, pynamodb.Json], {"é": [1, 2.5]}, {"S": '{"\\u00e9": [1, 2.5]}'}),
    (Annotated[Any, pynamodb.Json], "\U0001f600\x7f", {"S": '"\\ud83d\\ude00\x7f"'}),
    (Annotated[Any, pynamodb.Json], [math.inf, -math.inf], {"S": "[Infinity, -Infinity]"}),
    (Annotated[dict[str, float], pynamodb.Json], {"": math.inf}, {"S": '{"": Infinity}'}),
    (Annotated[Any, pynamodb.Json], 10**60, {"S": f"{10**60}"}),
    (Annotated[datetime, pynamodb.UnicodeDatetime()], NOON, {"S": "2026-11-23T12:30:00+00:00"}),
    (
        Annotated[datetime, pynamodb.UnicodeDatetime(fmt="%d.%m.%Y %H:%M")],
        NOON,
        {"S": "23.11.2026 12:30"},
    ),
    (
        Annotated[datetime, pynamodb.UnicodeDatetime(force_tz=False)],
        datetime(2026, 1, 1),  # noqa: DTZ001
        {"S": "2026-01-01T00:00:00"},
    ),
    (Annotated[datetime, pynamodb.Timestamp], NOON, {"N": "1795437000"}),
    (Annotated[datetime, pynamodb.TimestampMs], NOON, {"N": "1795437000000"}),
    (Annotated[datetime, pynamodb.TimestampUs], NOON, {"N": "1795437000000000"}),
    (Annotated[timedelta, pynamodb.Timedelta], timedelta(minutes=-1), {"N": "-60"}),
    (Annotated[timedelta, pynamodb.TimedeltaMs], timedelta(seconds=1.5), {"N": "1500"}),
    (Annotated[timedelta, pynamodb.TimedeltaUs], timedelta(microseconds=7), {"N": "7"}),
    (Annotated[date, pynamodb.IntegerDate], date(2026, 11, 23), {"N": "20261123"}),
    (Annotated[UUID, pynamodb.UUID(remove_dashes=True)], SOME, {"S": SOME.hex}),
    (Annotated[UUID, pynamodb.UUID()], SOME, {"S": str(SOME)}),
    (Annotated[Color, pynamodb.UnknownValue(Color.OTHER)], Color.RED, {"S": "red"}),
    (Annotated[Level | None, pynamodb.UnknownValue(None)], Level.LOW, {"N": "1"}),
    (Annotated[Place, pynamodb.DelimitedTuple()], Place(5, "x"), {"S": "5::x"}),
    (Annotated[Place, pynamodb.DelimitedTuple("/")], Place(5), {"S": "5"}),
    (Annotated[tuple[str, ...], pynamodb.DelimitedTuple()], ("a", ""), {"S": "a::"}),
    (
        SHAPES,
        Circle(1, None),
        {"M": {"cls": {"S": "circle"}, "radius": {"N": "1"}, "at": {"NULL": True}}},
    ),
    (SHAPES, Square(2), {"M": {"cls": {"S": "square"}, "side": {"N": "2"}}}),
]


@pytest.mark.parametrize(("type_", "value", "stored"), MARKED, ids=lambda each: str(each)[:60])
def test_a_marked_value_is_stored_as_pynamodb_stores_it_and_read_again(
    type_: Any, value: Any, stored: Any
) -> None:
    codec = Mapper().codec(type_)
    assert codec.dump(value) == stored
    assert codec.load(stored) == value


# What other versions and programs have stored.
READ: list[tuple[Any, Any, Any]] = [
    (Annotated[datetime, pynamodb.UTCDateTime], {"S": "999-01-02T03:04:05.000006+0000"}, EARLY),
    (Annotated[datetime, pynamodb.UTCDateTime], {"S": "2026-11-23T12:30:00Z"}, NOON),
    (Annotated[bool, pynamodb.LegacyBoolean], {"N": "1"}, True),
    (Annotated[bool, pynamodb.LegacyBoolean], {"N": "0"}, False),
    (Annotated[bytes, pynamodb.LegacyBinary], {"B": "eXY0PQ=="}, b"\xca\xfe"),  # as JSON has it
    (Annotated[Any, pynamodb.Json], {"S": '"a\tb"'}, "a\tb"),
    (Annotated[str, pynamodb.Json], {"S": '"a\tb"'}, "a\tb"),
    (Annotated[datetime, pynamodb.UnicodeDatetime()], {"S": "2026-11-23T12:30:00"}, NOON),
    (Annotated[datetime, pynamodb.UnicodeDatetime()], {"S": "2026-11-23T12:30:00Z"}, NOON),
    (Annotated[timedelta, pynamodb.Timedelta], {"N": "1.5"}, timedelta(seconds=1.5)),
    # Of a float, which has more digits than it means.
    (Annotated[timedelta, pynamodb.Timedelta], {"N": "0.00000199999"}, timedelta(microseconds=2)),
    (Annotated[Color, pynamodb.UnknownValue(Color.OTHER)], {"S": "blue"}, Color.OTHER),
    (Annotated[Color | None, pynamodb.UnknownValue(None)], {"S": "blue"}, None),
    (SHAPES, {"M": {"cls": {"S": "ring"}, "radius": {"N": "1"}, "at": {"NULL": True}}}, Circle(1, None)),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "stored", "value"), READ, ids=lambda each: str(each)[:60])
def test_what_older_programs_stored_is_read(type_: Any, stored: Any, value: Any) -> None:
    assert Mapper().codec(type_).load(stored) == value


def test_json_reads_and_writes_what_is_not_a_number() -> None:
    codec = Mapper().codec(Annotated[Any, pynamodb.Json])
    assert codec.dump([math.nan]) == {"S": "[NaN]"}
    assert math.isnan(codec.load({"S": "[NaN]"})[0])


@pytest.mark.parametrize(
    ("mark", "type_", "stored", "compared"),
    [
        (pynamodb.Timestamp, datetime, "1795437000", "1795437000.75"),
        (pynamodb.TimestampMs, datetime, "1795437000750", "1795437000750"),
    ],
)
def test_counted_time_is_cut_off_where_it_is_stored_and_compared_as_it_is(
    mark: Any, type_: Any, stored: str, compared: str
) -> None:
    value = NOON + timedelta(seconds=0.75)
    codec = Mapper().codec(Annotated[type_, mark])
    assert codec.dump(value) == {"N": stored}
    assert Decimal(codec.compared.dump(value)["N"]) == Decimal(compared)


def test_counted_time_before_the_epoch_is_cut_off_towards_it() -> None:
    codec = Mapper().codec(Annotated[datetime, pynamodb.Timestamp])
    assert codec.dump(datetime(1969, 12, 31, 23, 59, 58, 500_000, timezone.utc)) == {"N": "-1"}


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (Annotated[datetime, pynamodb.UTCDateTime], datetime(2026, 1, 1)),  # noqa: DTZ001
        (Annotated[datetime, pynamodb.UnicodeDatetime()], datetime(2026, 1, 1)),  # noqa: DTZ001
        (Annotated[Place, pynamodb.DelimitedTuple()], Place(1, "a::b")),
        (Annotated[Place, pynamodb.DelimitedTuple()], Place(True, "a")),
        (Annotated[Place, pynamodb.DelimitedTuple()], (1, "a")),
        (Annotated[tuple[str, ...], pynamodb.DelimitedTuple()], ()),
        (Annotated[tuple[str, ...], pynamodb.DelimitedTuple()], ("a:", ":b")),
        (SHAPES, "circle"),
    ],
    ids=str,
)
def test_values_that_would_be_read_as_others_are_refused(type_: Any, value: Any) -> None:
    with pytest.raises(MappingError):
        mapper.dump(made(type_)("a", value))


def made(type_: Any) -> Any:
    """A class with one field of a type, which no model is."""
    return attrs.make_class("Made", {"id": attrs.field(type=str), "value": attrs.field(type=type_)})


@pytest.mark.parametrize(
    "stored", [{"B": b"\xca\xfe"}, {"B": b"yv4"}, {"S": "yv4="}], ids=["raw", "cut", "text"]
)
def test_bytes_that_are_no_base64_text_are_refused(stored: Any) -> None:
    """Read as they are they would be wrong without an error, and written back as something else."""
    with pytest.raises(MappingError):
        mapper.load(
            {"id": {"S": "a"}, "value": stored}, made(Annotated[bytes, pynamodb.LegacyBinary])
        )


BASED: Any = Annotated[Circle | Square, pynamodb.Discriminator("cls", {None: Circle, "s": Square})]
RADIUS: Any = {"radius": {"N": "1"}, "at": {"NULL": True}}


@pytest.mark.parametrize(
    ("type_", "stored", "found"),
    [
        (SHAPES, {"M": {"cls": {"S": "cube"}, **RADIUS}}, "found cls 'cube'"),
        (SHAPES, {"M": RADIUS}, "found a map without 'cls'"),
        (BASED, {"M": {"cls": {"S": "circle"}, **RADIUS}}, "found cls 'circle'"),
        (BASED, {"M": {"cls": {"N": "1"}, **RADIUS}}, "found cls None"),
        (Annotated[Place, pynamodb.DelimitedTuple()], {"S": "1::a::b"}, "2 members in text .* '1::a::b'"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_newer_program_may_have_stored_is_refused(
    type_: Any, stored: Any, found: str
) -> None:
    """Another class, or one member more: written back, it would be less than it was."""
    with pytest.raises(MappingError, match=found):
        mapper.load({"id": {"S": "a"}, "value": stored}, made(type_))


# --- A whole model ------------------------------------------------------------------------------


@model("songs", forms=pynamodb.forms)
class Song:
    id: str = partition_key()
    at: datetime = sort_key()
    note: str | None
    ok: bool = True
    plays: int = 3
    cover: bytes | None = None
    covers: set[bytes] = attrs.field(factory=set)
    words: set[str] = attrs.field(factory=set)
    shape: SHAPES = None
    lists: list[set[str]] = attrs.field(factory=list)
    data: Annotated[dict[str, Any], Json] = attrs.field(factory=dict)
    raw: dict[str, Any] = attrs.field(factory=dict)
    packed: Annotated[bytes, Compressed] | None = None


SONG = Song(
    "a", NOON, None, cover=b"\xca\xfe", covers={b"a"}, shape=Circle(1, NOON), lists=[{"x"}, set()],
    data={"é": 1}, raw={"n": 1, "l": [None, "x", True]}, packed=b"x",
)  # fmt: skip
STORED: dict[str, Any] = {
    "id": {"S": "a"},
    "at": {"S": "2026-11-23T12:30:00.000000+0000"},
    "ok": {"BOOL": True},
    "plays": {"N": "3"},
    "cover": {"B": b"yv4="},
    "covers": {"BS": [b"YQ=="]},
    "shape": {
        "M": {
            "cls": {"S": "circle"},
            "radius": {"N": "1"},
            "at": {"S": "2026-11-23T12:30:00.000000+0000"},
        }
    },
    "lists": {"L": [{"SS": ["x"]}, {"NULL": True}]},
    "data": {"S": '{"\\u00e9": 1}'},
    "raw": {"M": {"n": {"N": "1"}, "l": {"L": [{"NULL": True}, {"S": "x"}, {"BOOL": True}]}}},
}


def test_a_model_has_the_forms_in_all_its_fields_and_in_the_classes_inside() -> None:
    found = mapper.dump(SONG)
    assert {name: found[name] for name in STORED} == STORED
    assert mapper.load(found, Song) == SONG
    assert mapper.mapper_of(Song).dump(SONG) == found


def test_null_is_no_value_where_a_field_is_never_none() -> None:
    stored = {
        "id": {"S": "a"}, "at": STORED["at"], "ok": {"N": "0"}, "plays": {"NULL": True},
        "words": {"NULL": True}, "raw": {"NULL": True}, "note": {"NULL": True},
    }  # fmt: skip
    assert mapper.load(stored, Song) == Song("a", NOON, None, ok=False)


def test_a_class_that_is_used_with_forms_and_without_has_both() -> None:
    @model("plain")
    class Plain:
        id: str = partition_key()
        shape: Circle | None = None

    assert mapper.dump(Plain("a", Circle(1, NOON)))["shape"]["M"]["at"] == {
        "S": "2026-11-23T12:30:00.000000Z"
    }
    assert mapper.dump(SONG)["shape"]["M"]["at"]["S"].endswith("+0000")


def test_hooks_that_are_registered_later_hold_for_models_with_forms() -> None:
    own = Mapper()

    class Money:
        def __init__(self, cents: int) -> None:
            self.cents = cents

    own.register_unstructure_hook(Money, lambda money: money.cents)
    own.register_structure_hook(Money, lambda cents, _: Money(cents))

    @model("bills", forms=pynamodb.forms, mapper=own)
    class Bill:
        id: str = partition_key()
        at: datetime
        total: Money

    assert own.dump(Bill("a", NOON, Money(5)))["total"] == {"N": "5"}
    own.register_unstructure_hook(Money, lambda money: str(money.cents))
    assert own.dump(Bill("a", NOON, Money(5)))["total"] == {"S": "5"}
    assert own.dump(Bill("a", NOON, Money(5)))["at"] == STORED["at"]


def test_a_model_of_the_same_table_inherits_the_forms() -> None:
    table = Table("zoo", partition_key="id", discriminator="cls")

    @model(table, forms=pynamodb.forms, kind="animal")
    class Animal:
        id: str
        born: datetime | None

    @model(table, kind=("dog", "hound"))
    class Dog(Animal):
        tail: bytes = b""

    stored = {"id": {"S": "a"}, "born": STORED["at"], "tail": {"B": b"YQ=="}, "cls": {"S": "dog"}}
    assert mapper.dump(Dog("a", NOON, b"a")) == stored
    assert mapper.load({**stored, "cls": {"S": "hound"}}, Animal) == Dog("a", NOON, b"a")


def test_lenient_models_read_what_is_absent_as_none_and_do_not_save_it() -> None:
    @model("lenient", forms=pynamodb.forms(lenient=True))
    class Lenient:
        id: str = partition_key()
        name: str
        words: set[str]

    found = mapper.load({"id": {"S": "a"}, "name": {"NULL": True}}, Lenient)
    assert found == mapper.load({"id": {"S": "a"}}, Lenient)
    assert (found.name, found.words) == (None, set())
    with pytest.raises(MappingError, match=r"Lenient\.name: expected a str"):
        mapper.dump(found)


def test_legacy_bytes_have_no_order_and_no_beginning() -> None:
    assert repr(Song.cover == b"\xca\xfe") == "Song.cover == b'\\xca\\xfe'"
    with pytest.raises(ConditionError, match="base64 text"):
        begins_with(Song.cover, b"\xca")
    with pytest.raises(ConditionError, match="base64 text"):
        assert Song.cover > b"\xca"  # type: ignore[operator]


def refused(**annotations: Any) -> Callable[[Any], Any]:
    """Declares a model with some fields."""

    def declare(forms: Any) -> Any:
        cls = type(
            "Refused",
            (),
            {"__annotations__": {"id": str, **annotations}, "id": partition_key()},
        )
        return model("refused", forms=forms)(cls)

    return declare


INSIDE = "bytes inside of a list, a map or another class"


@attrs.define
class WithBytes:
    data: bytes


@attrs.define
class WithRaw:
    data: Annotated[bytes, pynamodb.Binary]


@pytest.mark.parametrize(
    ("forms", "type_", "message"),
    [
        (pynamodb.forms, list[bytes], INSIDE),
        (pynamodb.forms, dict[str, bytes], INSIDE),
        (pynamodb.forms, WithBytes, INSIDE),
        (pynamodb.forms, WithRaw, INSIDE),
        (pynamodb.forms, list[set[bytes]], INSIDE),
        (None, list[Annotated[bytes, pynamodb.LegacyBinary]], INSIDE),
        (pynamodb.forms(version=6), list[Annotated[bytes, pynamodb.LegacyBinary]], INSIDE),
        (pynamodb.forms(version=6), bytes, "legacy_encoding"),
        (pynamodb.forms, set[str] | None, "as it stores None"),
        (pynamodb.forms, list[set[str] | None], "as it stores None"),
        (None, Annotated[set[bytes] | None, pynamodb.LegacyBinary], "read as None"),
        (None, Annotated[int, pynamodb.UTCDateTime], "UTCDateTime on a datetime"),
        (None, Annotated[datetime, pynamodb.UTCDateTime, pynamodb.Timestamp], "one stored form"),
        (None, Annotated[Place, pynamodb.Json, pynamodb.DelimitedTuple()], "one stored form"),
        (None, Annotated[int | str, pynamodb.DelimitedTuple()], "NamedTuple"),
        (None, Annotated[tuple[bool, ...], pynamodb.DelimitedTuple()], "NamedTuple"),
        (None, Annotated[Color, pynamodb.UnknownValue("other")], "Color"),
        (None, Annotated[Circle | Square, pynamodb.Discriminator("cls", {"c": Circle})], "none for"),
        (None, Annotated[Circle, pynamodb.Discriminator("radius", {"c": Circle})], "tag"),
        ("pynamodb", str, "forms='pynamodb'"),
        (pynamodb.Forms, str, "the forms of another library"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_common_is_refused_with_the_reason(
    forms: Any, type_: Any, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        refused(value=type_)(forms)


def test_version_6_stores_bytes_inside_as_they_are() -> None:
    cls = refused(inside=list[bytes], own=Annotated[bytes, pynamodb.LegacyBinary])(
        pynamodb.forms(version=6)
    )
    assert mapper.dump(cls("a", [b"x"], b"a"))["inside"] == {"L": [{"B": b"x"}]}


@pytest.mark.parametrize("value", [b"x", {"a"}, [b"x"]], ids=repr)
def test_values_that_pynamodb_5_changes_are_refused_where_no_annotation_speaks_of_them(
    value: Any,
) -> None:
    with pytest.raises(MappingError, match="PynamoDB 5"):
        mapper.dump(Song("a", NOON, None, raw={"value": value}))
    cls = refused(raw=dict[str, Any])(pynamodb.forms(version=6))
    assert mapper.load(mapper.dump(cls("a", {"value": value})), cls).raw == {"value": value}


@pytest.mark.parametrize("options", [{"version": 4}, {"version": True}, {"lenient": 1}])
def test_forms_say_which_options_there_are(options: Any) -> None:
    with pytest.raises(ModelError, match="forms"):
        pynamodb.forms(**options)


def test_forms_show_how_they_are_written() -> None:
    assert repr(pynamodb.forms) == "pynamodb.forms"
    assert (
        repr(pynamodb.forms(version=6, lenient=True)) == "pynamodb.forms(version=6, lenient=True)"
    )


def test_keys_that_templates_make_have_pynamodbs_text_in_them() -> None:
    table = Table("events", partition_key="pk", sort_key="sk")

    @model(table, forms=pynamodb.forms, pk="E#{id}", sk="{at}")
    class Event:
        id: str
        at: datetime

    assert mapper.dump(Event("a", NOON))["sk"] == STORED["at"]
    assert mapper.load(mapper.dump(Event("a", NOON)), Event) == Event("a", NOON)


def test_a_time_to_live_and_time_stamps_are_what_they_are() -> None:
    @model("tokens", forms=pynamodb.forms)
    class Token:
        id: str = partition_key()
        expires: datetime = field(ttl=True)
        made: datetime | None = field(created=True, default=None)

    assert mapper.dump(Token("a", NOON, NOON)) == {
        "id": {"S": "a"}, "expires": {"N": "1795437000"}, "made": STORED["at"],
    }  # fmt: skip


def test_programs_without_pynamodbs_forms_do_not_load_them() -> None:
    code = "import sys, dynattrs; print([m for m in sys.modules if 'pynamodb' in m])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@model("times")
class Times:
    id: str = partition_key()
    usual: datetime | None = None
    old: Annotated[datetime | None, pynamodb.UTCDateTime] = None
    seconds: Annotated[datetime | None, pynamodb.Timestamp] = None
    millis: Annotated[datetime | None, pynamodb.TimestampMs] = None
    more: Annotated[datetime, pynamodb.TimestampMs] | None = None


@pytest.mark.parametrize(
    ("one", "other"),
    [("old", "usual"), ("usual", "old"), ("seconds", "millis")],
)
def test_what_is_stored_otherwise_is_neither_compared_nor_copied(one: str, other: str) -> None:
    first, second = getattr(path(Times), one), getattr(path(Times), other)
    with pytest.raises(ConditionError, match="stored differently"):
        first > second  # noqa: B015
    with pytest.raises(ConditionError, match="read the value, and set it"):
        set_(first, second)


def test_what_is_stored_alike_is_compared_and_copied() -> None:
    assert repr(Times.millis == Times.more) == "Times.millis == Times.more"
    assert repr(set_(Times.millis, Times.more)) == "set_(Times.millis, Times.more)"


def test_a_field_of_a_subclass_is_stored_as_its_base_stores_it() -> None:
    table = Table("logs", partition_key="id", discriminator="kind")

    @model(table)
    class Log:
        id: str
        at: datetime | None = None

    with pytest.raises(ModelError, match="PynamoDB's datetime here"):

        @model(table)
        class OldLog(Log):
            at: Annotated[datetime | None, pynamodb.UTCDateTime] = None


def test_a_lenient_part_has_the_models_default() -> None:
    from dynattrs.operations.reading.projections import projected
    from dynattrs.schema.model_info import model_info

    @model("loose", forms=pynamodb.forms(lenient=True))
    class Loose:
        id: str = partition_key()
        name: str
        count: int = 5

    @attrs.define
    class Part:
        name: str
        count: int

    read = projected(model_info(Loose), Part).read
    assert read({"id": {"S": "a"}}) == Part(None, 5)  # type: ignore[arg-type]
    assert read({"id": {"S": "a"}, "count": {"NULL": True}}) == Part(None, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments", [("", {}), (5, {}), ("cls", 5), ("cls", {5: Circle}), ("cls", {"a": "Circle"})]
)
def test_a_discriminator_takes_a_name_and_classes(arguments: Any) -> None:
    with pytest.raises(ModelError, match="Discriminator"):
        pynamodb.Discriminator(*arguments)


@attrs.define
class Flag:
    on: bool | None = None


@model("flags", forms=pynamodb.forms)
class Flags:
    id: str = partition_key()
    title: str = ""
    flag: bool | None = None
    inner: Flag | None = None
    named: dict[str, bool | None] = attrs.field(factory=dict)
    many: list[bool | None] = attrs.field(factory=list)
    either: bool | str | None = None


@pytest.mark.parametrize("title", [{}, {"title": {"NULL": True}}])
@pytest.mark.parametrize(
    ("stored", "field", "value"),
    [
        ({"flag": {"N": "1"}}, "flag", True),
        ({"inner": {"M": {"on": {"N": "0"}}}}, "inner", Flag(False)),
        ({"named": {"M": {"a": {"N": "1"}}}}, "named", {"a": True}),
        ({"many": {"L": [{"N": "1"}, {"NULL": True}]}}, "many", [True, None]),
        ({"either": {"N": "1"}}, "either", True),
        ({"either": {"S": "1"}}, "either", "1"),
    ],
)
def test_booleans_that_were_numbers_are_read_in_every_place(
    stored: Any, field: str, value: Any, title: Any
) -> None:
    """Also where an item is read field by field, because one of them is not as it is usually."""
    found = mapper.load({"id": {"S": "1"}, **stored, **title}, Flags)
    assert getattr(found, field) == value


@attrs.define
class Covers:
    cover: Annotated[bytes | None, pynamodb.LegacyBinary]


@attrs.define
class PlainCovers:
    cover: bytes | None


@attrs.define
class RawCovers:
    cover: Annotated[bytes | None, pynamodb.Binary]


def test_a_class_that_reads_a_part_says_how_bytes_are_stored() -> None:
    """It is no model, and errors say which mark it needs."""
    made: Any = Session
    found = made(client=object()).scan(Song)
    assert found.as_(Covers) is not None
    with pytest.raises(ModelError, match=r"in a class for as_ write Annotated\[bytes, pynamodb"):
        found.as_(PlainCovers)
    with pytest.raises(QueryError, match=r"declare cover: Annotated\[bytes.*LegacyBinary\]"):
        found.as_(RawCovers)


def test_what_a_model_without_forms_reads_and_writes_of_old_items() -> None:
    """As the guide says of the step to forms of one's own."""

    @model("own")
    class Own:
        id: str = partition_key()
        ok: bool = True
        data: Annotated[Any, Json] = None

    with pytest.raises(MappingError, match="expected a boolean"):
        mapper.load({"id": {"S": "1"}, "ok": {"N": "1"}}, Own)
    with pytest.raises(MappingError, match="JSON has no NaN"):
        mapper.dump(Own("1", data=math.nan))
    assert mapper.dump(Own("1", data="é"))["data"] == {"S": '"é"'}

    @model("own")
    class Marked:
        id: str = partition_key()
        ok: Annotated[bool, pynamodb.LegacyBoolean] = True
        data: Annotated[Any, pynamodb.Json] = None

    found = mapper.load({"id": {"S": "1"}, "ok": {"N": "0"}, "data": {"S": '"\\u00e9"'}}, Marked)
    assert (found.ok, found.data) == (False, "é")
    assert mapper.dump(found)["data"] == {"S": '"\\u00e9"'}
