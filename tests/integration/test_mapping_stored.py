"""Every row of the mapping table: what a plain boto3 client finds in DynamoDB Local."""

from __future__ import annotations

import dataclasses
import gzip
from array import array
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import boto3
import msgspec
import pytest

from dynattrs import Compressed, Epoch, Json, Session, mapper, model, partition_key

UTC = timezone.utc
NOON = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
ID = UUID("0ab37cf1-fc60-4d93-b72b-89335f759581")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@attrs.define
class Point:
    x: int
    y: int | None = None
    z: int = attrs.field(default=0, init=False)


@dataclasses.dataclass
class Place:
    name: str
    at: Point


class Pair(NamedTuple):
    left: int
    right: str


class Movie(TypedDict):
    title: str
    year: int


class Struct(msgspec.Struct):
    a: int
    b: str = "b"


@attrs.define
class Cat:
    lives: int


@attrs.define
class Dog:
    name: str


def S(value: str) -> dict[str, Any]:  # noqa: N802
    return {"S": value}


def N(value: str) -> dict[str, Any]:  # noqa: N802
    return {"N": value}


NULL = {"NULL": True}
EAST = timezone(timedelta(hours=2))

ROWS: list[Any] = [
    # str, bool, bytes
    ("str", str, "Öl", S("Öl")),
    ("empty str", str, "", S("")),
    ("bool", bool, True, {"BOOL": True}),
    ("bytes", bytes, b"\x00\xff", {"B": b"\x00\xff"}),
    ("empty bytes", bytes, b"", {"B": b""}),
    # Numbers
    ("int", int, -7, N("-7")),
    ("int of 38 digits", int, 10**38 - 1, N("9" * 38)),
    ("float", float, 0.1, N("0.1")),
    ("float of 17 digits", float, 0.1 + 0.2, N("0.30000000000000004")),
    ("large float", float, 1e100, N("1" + "0" * 100)),
    ("Decimal", Decimal, Decimal("12.340"), N("12.34")),
    ("smallest Decimal", Decimal, Decimal("1E-130"), N("0." + "0" * 129 + "1")),
    # Time
    ("datetime", datetime, NOON, S("2026-11-23T12:00:00.000005Z")),
    ("datetime elsewhere", datetime, NOON.astimezone(EAST), S("2026-11-23T12:00:00.000005Z")),
    ("whole second", datetime, NOON.replace(microsecond=0), S("2026-11-23T12:00:00.000000Z")),
    ("epoch", Annotated[datetime, Epoch], NOON.replace(microsecond=0), N("1795435200")),
    ("date", date, date(2026, 11, 23), S("2026-11-23")),
    ("time", time, time(9, 5), S("09:05:00.000000")),
    ("timedelta", timedelta, timedelta(minutes=-1, microseconds=5), N("-59.999995")),
    # Strings of other types
    ("UUID", UUID, ID, S(str(ID))),
    ("Enum", Colour, Colour.RED, S("red")),
    ("IntEnum", Level, Level.HIGH, N("3")),
    ("Literal", Literal["a", 1], 1, N("1")),
    ("Path", PurePosixPath, PurePosixPath("a/b"), S("a/b")),
    ("IPv4Address", IPv4Address, IPv4Address("10.0.0.1"), S("10.0.0.1")),
    ("IPv6Address", IPv6Address, IPv6Address("::1"), S("::1")),
    # Sets
    ("set of str", set[str], {"b", "a"}, {"SS": ["a", "b"]}),
    ("set of int", set[int], {2, 10}, {"NS": ["10", "2"]}),
    ("frozenset of bytes", frozenset[bytes], frozenset([b"a"]), {"BS": [b"a"]}),
    ("set of Enum", set[Colour], {Colour.RED}, {"SS": ["red"]}),
    ("set of UUID", set[UUID], {ID}, {"SS": [str(ID)]}),
    ("set of bool", set[bool], {True}, {"L": [{"BOOL": True}]}),
    ("set of tuple", set[tuple[int, str]], {(1, "a")}, {"L": [{"L": [N("1"), S("a")]}]}),
    ("set of optional", set[int | None], {None}, {"L": [NULL]}),
    # Containers
    ("list", list[int], [1, 2], {"L": [N("1"), N("2")]}),
    ("empty list", list[int], [], {"L": []}),
    ("tuple", tuple[int, str], (1, "a"), {"L": [N("1"), S("a")]}),
    ("endless tuple", tuple[int, ...], (1, 2), {"L": [N("1"), N("2")]}),
    (
        "list of float",
        list[float],
        [0.0, 1e-05, 2.5] * 9,
        {"L": [N("0"), N("1e-05"), N("2.5")] * 9},
    ),
    ("array", Annotated[array, "f"], array("f", [0.1, -3.5]), {"L": [N("0.1"), N("-3.5")]}),
    ("Sequence", Sequence[str], ["a"], {"L": [S("a")]}),
    ("dict", dict[str, int], {"a": 1}, {"M": {"a": N("1")}}),
    ("dict by int", dict[int, str], {7: "x"}, {"M": {"7": S("x")}}),
    ("dict by Enum", dict[Colour, int], {Colour.RED: 1}, {"M": {"red": N("1")}}),
    ("dict by UUID", dict[UUID, int], {ID: 1}, {"M": {str(ID): N("1")}}),
    ("TypedDict", Movie, {"title": "x", "year": 1}, {"M": {"title": S("x"), "year": N("1")}}),
    ("optionals in a list", list[int | None], [1, None], {"L": [N("1"), NULL]}),
    ("optionals in a dict", dict[str, int | None], {"a": None}, {"M": {"a": NULL}}),
    ("empty set in a list", list[set[int]], [set()], {"L": [{"L": []}]}),
    # Classes
    ("attrs", Point, Point(1), {"M": {"x": N("1"), "z": N("0")}}),
    (
        "dataclass",
        Place,
        Place("x", Point(1, 2)),
        {"M": {"name": S("x"), "at": {"M": {"x": N("1"), "y": N("2"), "z": N("0")}}}},
    ),
    ("NamedTuple", Pair, Pair(1, "r"), {"M": {"left": N("1"), "right": S("r")}}),
    ("msgspec", Struct, Struct(1), {"M": {"a": N("1"), "b": S("b")}}),
    # Unions of classes
    ("union", Cat | Dog, Dog("Rex"), {"M": {"_type": S("Dog"), "name": S("Rex")}}),
    # Annotated
    ("Json", Annotated[dict[str, Any], Json], {"a": [1, None]}, S('{"a": [1, null]}')),
    # Any
    ("Any int", Any, 5, N("5")),
    ("Any Decimal", Any, Decimal("1.5"), N("1.5")),
    ("Any map", Any, {"a": [None, True, "x"]}, {"M": {"a": {"L": [NULL, {"BOOL": True}, S("x")]}}}),
]


@pytest.fixture(scope="module")
def client(dynamodb_local: str) -> Iterator[Any]:
    client = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb_local,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_table(
        TableName="mapping-stored",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.delete_table(TableName="mapping-stored")
    client.close()


@pytest.fixture
def session(client: Any) -> Iterator[Session]:
    session = Session(client=client)
    yield session
    session.close()


def row_class(annotation: Any, *default: Any) -> Any:
    namespace: dict[str, Any] = {
        "__annotations__": {"id": str, "value": annotation},
        "id": partition_key(),
    }
    if default:
        namespace["value"] = default[0]
    return model("mapping-stored")(type("Row", (), namespace))


def stored_value(client: Any, name: str) -> Any:
    item = client.get_item(TableName="mapping-stored", Key={"id": {"S": name}})["Item"]
    found = item.get("value")
    for tag in ("SS", "NS", "BS"):
        if found is not None and tag in found:
            found[tag].sort()
    return found


@pytest.mark.parametrize(
    ("name", "annotation", "value", "expected"), ROWS, ids=[row[0] for row in ROWS]
)
def test_a_row_is_stored_as_the_table_says_and_comes_back(
    client: Any, session: Session, name: str, annotation: Any, value: Any, expected: Any
):
    cls = row_class(annotation)

    session.save(cls(id=name, value=value))

    assert stored_value(client, name) == expected
    found = session.get_one(cls, name, consistent=True)
    assert found.value == value
    assert type(found.value) is type(value)


def test_compressed_is_bytes_that_are_smaller(client: Any, session: Session):
    cls = row_class(Annotated[list[str], Compressed])
    value = ["the same text again"] * 200

    session.save(cls(id="compressed", value=value))

    stored = stored_value(client, "compressed")
    assert stored.keys() == {"B"}
    assert len(stored["B"]) < 400
    assert session.get_one(cls, "compressed").value == value


def test_pydantic_models_are_maps(client: Any, session: Session):
    pydantic = pytest.importorskip("pydantic", reason="pip install pydantic")
    made = pydantic.create_model("Made", a=(int, ...), b=(str, "b"))
    cls = row_class(made)

    session.save(cls(id="pydantic", value=made(a=1)))

    assert stored_value(client, "pydantic") == {"M": {"a": N("1"), "b": S("b")}}
    assert session.get_one(cls, "pydantic").value == made(a=1)


@pytest.mark.parametrize(
    ("name", "annotation", "default", "value", "expected"),
    [
        ("None, default None", int | None, (None,), None, None),
        ("None, no default", int | None, (), None, NULL),
        ("None, other default", int | None, (3,), None, NULL),
        ("empty set", set[int], (), set(), None),
        ("empty set, default factory", set[int], (attrs.Factory(set),), set(), None),
        ("optional set, None", set[int] | None, (None,), None, None),
        ("optional set, empty", set[int] | None, (None,), set(), {"L": []}),
        ("optional set, full", set[int] | None, (None,), {1}, {"NS": ["1"]}),
    ],
)
def test_none_and_empty_sets_follow_the_rule(
    client: Any,
    session: Session,
    name: str,
    annotation: Any,
    default: Any,
    value: Any,
    expected: Any,
):
    cls = row_class(annotation, *default)

    session.save(cls(id=name, value=value))

    assert stored_value(client, name) == expected
    assert session.get_one(cls, name, consistent=True).value == value


def test_stored_times_sort_as_time_does(client: Any, session: Session):
    """aws/aws-sdk-net#3351: "…00Z" sorts after "…00.5Z"."""
    cls = row_class(datetime)
    times = [NOON.replace(microsecond=n) for n in (0, 1, 500_000, 999_999)]

    stored = [mapper.dump(cls(id="x", value=each))["value"]["S"] for each in times]

    assert stored == sorted(stored)


def test_what_is_compressed_is_no_secret_format(client: Any, session: Session):
    """Another program can read it: gzip of the text."""
    cls = row_class(Annotated[str, Compressed])
    session.save(cls(id="gzip", value="text " * 100))

    payload = stored_value(client, "gzip")["B"]

    assert gzip.decompress(payload) == b"text " * 100
