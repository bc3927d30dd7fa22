"""Items as 0.1 wrote them. Every later version reads each of them as the same object, and writes the object
as the same attributes: docs/versions.md promises it. What stands here is never changed, only added to.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import ipaddress
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import pytest

from dynattrs import (
    Compressed,
    Epoch,
    GlobalIndex,
    Json,
    Table,
    field,
    mapper,
    model,
    partition_key,
    sort_key,
)

UTC = dt.timezone.utc


class Genre(enum.Enum):
    JAZZ = "jazz"
    FOLK = 7


class Point(NamedTuple):
    x: int
    y: float


class Options(TypedDict, total=False):
    loud: bool
    name: str


@attrs.define
class Label:
    name: str
    since: int | None = None


@attrs.define
class Studio:
    town: str


@model("everything")
class Everything:
    id: str = partition_key()
    at: dt.datetime = sort_key()
    whole: int
    real: float
    exact: Decimal
    yes: bool
    raw: bytes
    day: dt.date
    hour: dt.time
    length: dt.timedelta
    seconds: Annotated[dt.datetime, Epoch]
    uid: UUID
    genre: Genre
    other: Genre
    mode: Literal["a", 1]
    file: PurePosixPath
    host: ipaddress.IPv4Address
    names: set[str]
    numbers: frozenset[int]
    blobs: set[bytes]
    none_yet: set[str]
    flags: set[bool]
    some: list[int | None]
    pair: tuple[int, str]
    point: Point
    by_name: dict[str, float]
    by_day: dict[dt.date, int]
    options: Options
    label: Label
    place: Label | Studio
    text: Annotated[dict[str, list[int]], Json]
    small: Annotated[str, Compressed]
    anything: Any
    nothing: int | None
    absent: int | None = None
    renamed: str = field(name="r", default="x")


EVERYTHING = Everything(
    id="1",
    at=dt.datetime(2026, 11, 28, 1, 2, 3, 40, UTC),
    whole=10**37,
    real=0.1,
    exact=Decimal("1.50"),
    yes=True,
    raw=b"\x00\xff",
    day=dt.date(2026, 1, 2),
    hour=dt.time(3, 4, 5),
    length=dt.timedelta(days=1, microseconds=1),
    seconds=dt.datetime(2026, 1, 1, tzinfo=UTC),
    uid=UUID("12345678-1234-5678-1234-567812345678"),
    genre=Genre.JAZZ,
    other=Genre.FOLK,
    mode="a",
    file=PurePosixPath("a/b"),
    host=ipaddress.IPv4Address("10.0.0.1"),
    names={"b", "a"},
    numbers=frozenset({2, 1}),
    blobs={b"\x01"},
    none_yet=set(),
    flags={True},
    some=[1, None],
    pair=(1, "x"),
    point=Point(1, 0.5),
    by_name={"a": 1.0},
    by_day={dt.date(2026, 1, 2): 3},
    options={"loud": True},
    label=Label("Verve"),
    place=Studio("Oslo"),
    text={"a": [1]},
    small="aaaa",
    anything={"k": [1, Decimal("0.5"), None, True]},
    nothing=None,
)

EVERYTHING_STORED: dict[str, Any] = {
    "id": {"S": "1"},
    "at": {"S": "2026-11-28T01:02:03.000040Z"},
    "whole": {"N": "10000000000000000000000000000000000000"},
    "real": {"N": "0.1"},
    "exact": {"N": "1.50"},
    "yes": {"BOOL": True},
    "raw": {"B": b"\x00\xff"},
    "day": {"S": "2026-01-02"},
    "hour": {"S": "03:04:05.000000"},
    "length": {"N": "86400.000001"},
    "seconds": {"N": "1767225600"},
    "uid": {"S": "12345678-1234-5678-1234-567812345678"},
    "genre": {"S": "jazz"},
    "other": {"N": "7"},
    "mode": {"S": "a"},
    "file": {"S": "a/b"},
    "host": {"S": "10.0.0.1"},
    "names": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "blobs": {"BS": [b"\x01"]},
    "flags": {"L": [{"BOOL": True}]},
    "some": {"L": [{"N": "1"}, {"NULL": True}]},
    "pair": {"L": [{"N": "1"}, {"S": "x"}]},
    "point": {"M": {"x": {"N": "1"}, "y": {"N": "0.5"}}},
    "by_name": {"M": {"a": {"N": "1.0"}}},
    "by_day": {"M": {"2026-01-02": {"N": "3"}}},
    "options": {"M": {"loud": {"BOOL": True}}},
    "label": {"M": {"name": {"S": "Verve"}}},
    "place": {"M": {"_type": {"S": "Studio"}, "town": {"S": "Oslo"}}},
    "text": {"S": '{"a": [1]}'},
    "small": {
        "B": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xffKLLL\x04\x00E\xe5\x98\xad\x04\x00\x00\x00"
    },
    "anything": {"M": {"k": {"L": [{"N": "1"}, {"N": "0.5"}, {"NULL": True}, {"BOOL": True}]}}},
    "nothing": {"NULL": True},
    "r": {"S": "x"},
}


app = Table(
    "app",
    partition_key="pk",
    sort_key="sk",
    indexes=[GlobalIndex("gsi1", partition_key="gsi1pk", sort_key="gsi1sk")],
    discriminator="kind",
)


@model(
    app,
    pk="USER#{user}",
    sk="ORDER#{number:06d}#{placed}",
    gsi1pk="STATE#{state}",
    gsi1sk="{placed}",
)
class Order:
    user: str
    number: int
    placed: dt.date
    state: str
    version: int = field(version=True, default=0)
    created: dt.datetime | None = field(created=True, default=None)


ORDER = Order("ab", 42, dt.date(2026, 1, 2), "new", 3, dt.datetime(2026, 1, 2, tzinfo=UTC))
ORDER_STORED: dict[str, Any] = {
    "user": {"S": "ab"},
    "number": {"N": "42"},
    "placed": {"S": "2026-01-02"},
    "state": {"S": "new"},
    "version": {"N": "3"},
    "created": {"S": "2026-01-02T00:00:00.000000Z"},
    "pk": {"S": "USER#ab"},
    "sk": {"S": "ORDER#000042#2026-01-02"},
    "gsi1pk": {"S": "STATE#new"},
    "gsi1sk": {"S": "2026-01-02"},
    "kind": {"S": "Order"},
}

STORED: list[tuple[Any, dict[str, Any]]] = [
    (EVERYTHING, EVERYTHING_STORED),
    (ORDER, ORDER_STORED),
]
IDS = ["everything", "computed keys"]

#: "a cold", under the data key 0, 1, …, 31.
SEALED = "AQAEMjAyNkq7YZ2xRXH4ZejFZmTV0agdr+CIBYCn+wLy2lUosQ=="


def comparable(item: dict[str, Any]) -> dict[str, Any]:
    """Without the order of sets, and without what a compressor makes of a text, which zlib may improve."""
    made = {}
    for name, value in item.items():
        [(tag, payload)] = value.items()
        if name == "small":
            payload = "compressed"
        made[name] = {tag: sorted(payload) if tag in {"SS", "NS", "BS"} else payload}
    return made


@pytest.mark.parametrize(("obj", "stored"), STORED, ids=IDS)
def test_an_item_of_0_1_is_read_as_the_same_object(obj: Any, stored: dict[str, Any]):
    assert mapper.load(stored, type(obj)) == obj


@pytest.mark.parametrize(("obj", "stored"), STORED, ids=IDS)
def test_an_object_is_written_as_0_1_wrote_it(obj: Any, stored: dict[str, Any]):
    assert comparable(mapper.dump(obj)) == comparable(stored)


def test_an_encrypted_value_of_0_1_is_read_and_written_as_ever():
    pytest.importorskip("cryptography")
    from dynattrs.encryption import Encrypted, StaticKeys

    keys = StaticKeys({"2026": bytes(range(32))})

    @model("patients")
    class Patient:
        id: str = partition_key()
        diagnosis: Annotated[str, Encrypted(keys)]

    sealed = base64.b64decode(SEALED)
    item = {"id": {"S": "p1"}, "diagnosis": {"B": sealed}}

    assert mapper.load(item, Patient) == Patient("p1", "a cold")
    assert mapper.dump(Patient("p1", "a cold")) == item
