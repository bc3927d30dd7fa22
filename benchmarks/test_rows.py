"""A reply's bytes to objects, and objects to items that are measured, without any call.

Left out: botocore, network, signing. Read: a page of 100 items of eleven attributes, or of items with
a nested class, or with attributes that the class does not know, by the decoder that goes with a call.
Compared with the general way, which `Session(fast=False)` and other clients take, and with what a
user of boto3 does at the least: `json.loads` and `TypeDeserializer`, which makes dicts.

    uv run --group bench pytest benchmarks/test_rows.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest
from boto3.dynamodb.types import TypeDeserializer
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import Mapper, Session, mapper, model, partition_key, sort_key
from dynattrs.mapper.size import item_size
from dynattrs.operations.item_keys import identity
from dynattrs.operations.reading.objects import Objects, decoder
from dynattrs.operations.writing.encoding import encode
from dynattrs.schema.model_info import model_info

PAGE = 100


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str
    album: str
    label: str
    year: int
    plays: int
    seconds: float
    live: bool
    note: str | None = None
    tags: set[str] = attrs.field(factory=set)


@attrs.define
class Label:
    name: str
    city: str | None = None


@model("music")
class Record:
    artist: str = partition_key()
    title: str = sort_key()
    labels: list[Label]
    prices: dict[str, int]


@model("music")
class Part:
    """`Song` without three of its attributes."""

    artist: str = partition_key()
    title: str = sort_key()
    genre: str
    album: str
    year: int
    plays: int
    seconds: float
    live: bool


SONGS = [
    Song("Nina Simone", f"Title {number:05}", "jazz", "Pastel Blues", "Philips", 1960 + number % 10,
         number, 193.25, number % 2 == 0, "long", {"a", "b"})
    for number in range(PAGE)
]  # fmt: skip
RECORDS = [
    Record("Nina Simone", f"Title {number:05}", [Label("Philips", "Paris"), Label("RCA")],
           {"eur": number, "usd": 2 * number})
    for number in range(PAGE)
]  # fmt: skip


def page(objects: list[Any]) -> bytes:
    return json.dumps({"Items": [mapper.dump(each) for each in objects], "Count": PAGE}).encode()


def fast(cls: type[Any], body: bytes) -> Callable[[], list[Any]]:
    info = model_info(cls)
    decode = decoder(info, cls, "Items")
    assert decode is not None
    decode(body)
    return lambda: [*map(Objects(info, cls).reads(), decode(body)["Items"])]


def item_by_item(cls: type[Any], body: bytes) -> Callable[[], list[Any]]:
    """As pages are read whose items are not all of one class."""
    info = model_info(cls)
    decode: Any = decoder(info, cls, "Items")
    return lambda: [*map(Objects(info, cls).reads(), decode.item_by_item(body)["Items"])]


def general(cls: type[Any], body: bytes) -> Callable[[], list[Any]]:
    return lambda: [mapper.load(each, cls) for each in json.loads(body)["Items"]]


@pytest.mark.benchmark(group="bytes to 100 objects of eleven fields")
@pytest.mark.parametrize("way", [fast, item_by_item, general])
def test_load_page(benchmark: BenchmarkFixture, way: Any) -> None:
    assert benchmark(way(Song, page(SONGS))) == SONGS


@pytest.mark.benchmark(group="bytes to 100 objects of eleven fields")
def test_load_page_with_type_deserializer(benchmark: BenchmarkFixture) -> None:
    deserialize, body = TypeDeserializer().deserialize, page(SONGS)

    found = benchmark(
        lambda: [
            {name: deserialize(value) for name, value in each.items()}
            for each in json.loads(body)["Items"]
        ]
    )

    assert found[7]["title"] == SONGS[7].title


@pytest.mark.benchmark(group="bytes to 100 objects with nested classes and maps")
@pytest.mark.parametrize("way", [fast, general])
def test_load_nested_page(benchmark: BenchmarkFixture, way: Any) -> None:
    assert benchmark(way(Record, page(RECORDS))) == RECORDS


@pytest.mark.benchmark(group="bytes to 100 objects, three of eleven attributes unknown")
@pytest.mark.parametrize("way", [fast, general])
def test_load_page_with_unknown_attributes(benchmark: BenchmarkFixture, way: Any) -> None:
    body = page(SONGS)

    found = benchmark(way(Part, body))

    assert [mapper.dump(each) for each in found] == json.loads(body)["Items"]


@pytest.mark.benchmark(group="100 objects of eleven fields to measured items")
def test_prepare_writes(benchmark: BenchmarkFixture) -> None:
    """All that a save does before it is sent or gathered."""
    core = Session(client=object())._core

    found = benchmark(lambda: [encode(core, each) for each in SONGS])

    assert [each.size for each in found] == [item_size(mapper.dump(each)) for each in SONGS]


@pytest.mark.benchmark(group="100 objects of eleven fields to measured items")
def test_prepare_writes_one_after_another(benchmark: BenchmarkFixture) -> None:
    def prepare() -> list[int]:
        return [item_size(mapper.dump(each)) for each in SONGS]

    assert benchmark(prepare)[7] == item_size(mapper.dump(SONGS[7]))


@pytest.mark.benchmark(group="100 objects of eleven fields to the JSON of their requests")
def test_prepare_gathered_writes(benchmark: BenchmarkFixture) -> None:
    """Objects to JSON at once, with the identity of their keys."""
    dump = mapper.default.dump_as_request

    found = benchmark(lambda: [dump(each, "music") for each in SONGS])

    assert json.loads(bytes(found[7][0])) == {"PutRequest": {"Item": mapper.dump(SONGS[7])}}


@pytest.mark.benchmark(group="100 objects of eleven fields to the JSON of their requests")
def test_prepare_gathered_writes_by_way_of_attribute_maps(benchmark: BenchmarkFixture) -> None:
    def prepare(obj: Song) -> tuple[Any, Any]:
        item, _ = mapper.default.dump_with_size(obj)
        request = msgspec.json.encode({"PutRequest": {"Item": item}})
        return request, identity("music", {name: item[name] for name in ("artist", "title")})

    found = benchmark(lambda: [prepare(each) for each in SONGS])

    assert found[7][1] == mapper.default.dump_as_request(SONGS[7], "music")[2]


@pytest.mark.benchmark(group="first use of a model")
def test_first_read(benchmark: BenchmarkFixture) -> None:
    """Time of a new mapper's first row of a class of eleven fields: its code is generated then."""
    item = mapper.dump(SONGS[1])

    def read(fresh: Mapper) -> Any:
        rows = fresh.rows(Song)
        assert rows is not None
        return rows.current[1](item)

    assert benchmark.pedantic(read, setup=lambda: ((Mapper(),), {}), rounds=50) == SONGS[1]
