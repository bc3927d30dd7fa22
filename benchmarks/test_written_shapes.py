"""Objects of many shapes to the writes that a batch gathers, without any call.

Left out: making the objects, the buffer, botocore, network. Written: a hundred objects of each shape, in
the way that a batch takes, and by way of attribute maps, which it takes where something is wrong with an
object. Each way ends with the JSON of the request, its size, and the identity of the key.

    uv run --group bench pytest benchmarks/test_written_shapes.py
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import GlobalIndex, Json, Session, Table, field, mapper, model, partition_key
from dynattrs.operations.writing.batch import put_write
from dynattrs.operations.writing.encoding import by_codecs
from dynattrs.operations.writing.packed import packed_write
from dynattrs.schema.model_info import model_info

COUNT = 100
NOW = dt.datetime(2026, 11, 27, 12, 30, 15, 123456, tzinfo=dt.timezone.utc)
ID = uuid.UUID("6f1d9a52-1c1f-4b0e-9d3c-5f3f2a9b7c11")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.define
class Label:
    name: str
    city: str
    founded: int
    note: str | None = None


@attrs.define
class Track:
    title: str
    seconds: int


@model("shapes")
class Flat:
    id: str = partition_key()
    genre: str
    album: str
    label: str
    year: int
    plays: int
    seconds: float
    live: bool
    note: str | None = None
    tags: set[str] = attrs.field(factory=set)


@model("shapes")
class Nested:
    id: str = partition_key()
    genre: str
    album: str
    year: int
    plays: int
    seconds: float
    live: bool
    label: Label
    scores: list[int]
    tracks: list[Track] = attrs.field(factory=list)
    tags: set[str] = attrs.field(factory=set)


@model("shapes")
class Scalars:
    id: uuid.UUID = partition_key()
    at: dt.datetime
    day: dt.date
    price: Decimal
    lasts: dt.timedelta
    color: Color
    state: Literal["new", "old"]
    data: bytes


@model("shapes")
class Containers:
    id: str = partition_key()
    counts: dict[str, int]
    places: dict[str, Label]
    pair: tuple[int, str]
    ids: set[uuid.UUID]
    numbers: set[int]
    several: list[str | int]
    optional: list[str | None]
    anything: Any


@model("shapes")
class Texts:
    id: str = partition_key()
    plain: Annotated[dict[str, Any], Json]


app = Table(
    "app", partition_key="pk", sort_key="sk",
    indexes=[GlobalIndex("by-status", partition_key="gsi1pk", sort_key="gsi1sk")],
)  # fmt: skip


@model(
    app,
    pk="USER#{user}",
    sk="ORDER#{placed}#{number:06d}",
    gsi1pk="STATUS#{status}",
    gsi1sk="{placed}",
)
class Keyed:
    user: str
    number: int
    placed: dt.datetime
    status: str
    genre: str = "jazz"
    album: str = "Pastel Blues"
    plays: int = 7
    live: bool = True


@model("shapes", upgrades=[lambda item: item])
class Stamped:
    id: str = partition_key()
    text: str
    created: dt.datetime | None = field(created=True, default=None)
    updated: dt.datetime | None = field(updated=True, default=None)


def carrying(number: int) -> Any:
    """An object whose item has attributes that its class does not know."""
    item = mapper.dump(Known(f"id {number}", "title"))
    more = {"genre": {"S": "jazz"}, "plays": {"N": "7"}, "tags": {"SS": ["a", "b"]}}
    return mapper.load({**item, **more}, Known)


@model("shapes")
class Known:
    id: str = partition_key()
    title: str


MAKERS: dict[str, Callable[[int], Any]] = {
    "flat": lambda n: Flat(
        f"id {n}", "jazz", "Pastel Blues", "Philips", 1965, n, n + 0.25, True, "x", {"a", "b"}
    ),
    "nested": lambda n: Nested(
        f"id {n}", "jazz", "Pastel Blues", 1965, n, n + 0.25, True, Label("Philips", "Paris", 1950),
        [1, 2, n], [Track("Sinnerman", 622), Track("Be My Husband", 203)], {"a", "b"},
    ),
    "scalars": lambda n: Scalars(
        uuid.UUID(int=n), NOW, NOW.date(), Decimal("12.50"), dt.timedelta(hours=n), Color.BLUE, "old",
        b"x" * 20,
    ),
    "containers": lambda n: Containers(
        f"id {n}", {"a": n, "b": 2}, {"home": Label("x", "Paris", 1)}, (n, "b"), {ID}, {1, 2, 3},
        ["a", n], ["a", None], {"a": [1, "b", None], "c": True},
    ),
    "texts": lambda n: Texts(f"id {n}", {"a": [1, 2.5, "x"], "b": {"c": None}, "d": "text" * 10}),
    "keyed": lambda n: Keyed("ann", n, NOW, "open"),
    "stamped": lambda n: Stamped(f"id {n}", "text"),
    "carrying": carrying,
}  # fmt: skip


def at_once(core: Any, obj: Any) -> Any:
    write = packed_write(core, obj)
    return write if write is None else (bytes(write.request), write.identity)


def by_attribute_map(core: Any, obj: Any) -> Any:
    write = put_write(core, by_codecs(core, model_info(type(obj)), obj))
    return msgspec.json.encode(write.request), write.identity


@pytest.mark.parametrize("way", [at_once, by_attribute_map])
@pytest.mark.parametrize("shape", MAKERS)
def test_shape_to_json(benchmark: BenchmarkFixture, shape: str, way: Any) -> None:
    benchmark.group = f"100 objects to their writes: {shape}"
    core = Session(client=object())._core
    objects = [MAKERS[shape](number) for number in range(COUNT)]

    found = benchmark(lambda: [way(core, each) for each in objects])

    request, identity = found[7]
    other, its_identity = by_attribute_map(core, objects[7])
    item, its_item = (msgspec.json.decode(each)["PutRequest"]["Item"] for each in (request, other))
    assert item.keys() == its_item.keys()
    assert identity == its_identity
