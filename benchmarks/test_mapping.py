"""Objects to attribute maps and back, beside what boto3's resource does it with.

Left out in all of them: network, signing, JSON. Compared with boto3's `TypeSerializer` and
`TypeDeserializer`, which make dicts only: no class, no defaults, every number a `Decimal`, no
datetime, no enum. What they are given here is made for them beforehand.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import Mapper, mapper, model, partition_key, sort_key

PAGE = 100


class Kind(enum.Enum):
    STUDIO = "studio"
    LIVE = "live"


@attrs.frozen
class Label:
    name: str
    city: str


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str
    year: int | None
    plays: int
    rating: float
    added: datetime
    kind: Kind
    tags: set[str]
    label: Label


def song(number: int) -> Song:
    return Song(
        "Nina Simone",
        f"Song {number:05}",
        "jazz",
        1960 + number % 30,
        number * 7,
        number / 8,
        datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=number),
        Kind.LIVE if number % 3 else Kind.STUDIO,
        {"live", f"tag {number % 5}"},
        Label("Philips", "New York"),
    )


SONGS = [song(number) for number in range(PAGE)]
MAPS = [mapper.dump(each) for each in SONGS]
#: What a user of the resource hands to `put_item`, made from objects beforehand.
DICTS = [
    {
        **attrs.asdict(each),
        "rating": Decimal(each.rating),
        "added": mapped["added"]["S"],
        "kind": each.kind.value,
    }
    for each, mapped in zip(SONGS, MAPS, strict=True)
]


def by_hand(mapped: dict[str, Any], deserialize: Callable[[Any], Any]) -> Song:
    """The object that a user of the resource would make of a page's item."""
    plain = {name: deserialize(value) for name, value in mapped.items()}
    return Song(
        plain["artist"],
        plain["title"],
        plain["genre"],
        int(plain["year"]),
        int(plain["plays"]),
        float(plain["rating"]),
        datetime.strptime(plain["added"], "%Y-%m-%dT%H:%M:%S.%f%z"),
        Kind(plain["kind"]),
        plain["tags"],
        Label(**plain["label"]),
    )


# --- Objects to attribute maps ----------------------------------------------------------------------


@pytest.mark.benchmark(group="100 objects of ten fields to attribute maps")
def test_dump_page(benchmark: BenchmarkFixture) -> None:
    """Time to make attribute maps of 100 objects."""
    maps = benchmark(lambda: [mapper.dump(each) for each in SONGS])

    assert [mapper.load(each, Song) for each in maps] == SONGS
    assert maps[8]["plays"] == {"N": "56"}


@pytest.mark.benchmark(group="100 objects of ten fields to attribute maps")
def test_dump_page_with_type_serializer(benchmark: BenchmarkFixture) -> None:
    """Time to make attribute maps of 100 dicts that are ready for boto3's `TypeSerializer`."""
    serialize = TypeSerializer().serialize

    maps = benchmark(
        lambda: [{name: serialize(value) for name, value in each.items()} for each in DICTS]
    )

    assert [mapper.load(each, Song) for each in maps] == SONGS


# --- Attribute maps to objects ----------------------------------------------------------------------


@pytest.mark.benchmark(group="100 attribute maps of ten attributes to objects")
def test_load_page(benchmark: BenchmarkFixture) -> None:
    """Time to make objects of a page of 100 attribute maps."""
    songs = benchmark(lambda: [mapper.load(each, Song) for each in MAPS])

    assert songs == SONGS


@pytest.mark.benchmark(group="100 attribute maps of ten attributes to objects")
def test_load_page_with_type_deserializer(benchmark: BenchmarkFixture) -> None:
    """Time to make dicts of the same page with boto3's `TypeDeserializer`, the least anyone can do
    with it.
    """
    deserialize = TypeDeserializer().deserialize

    dicts = benchmark(
        lambda: [{name: deserialize(value) for name, value in each.items()} for each in MAPS]
    )

    assert dicts == DICTS


@pytest.mark.benchmark(group="100 attribute maps of ten attributes to objects")
def test_load_page_with_type_deserializer_into_objects(benchmark: BenchmarkFixture) -> None:
    """Time to make the same objects of the same page with `TypeDeserializer` and a function written
    for this class by hand.
    """
    deserialize = TypeDeserializer().deserialize

    songs = benchmark(lambda: [by_hand(each, deserialize) for each in MAPS])

    assert songs == SONGS


# --- The first use --------------------------------------------------------------------------------


@pytest.mark.benchmark(group="first use of a model")
def test_first_dump_and_load(benchmark: BenchmarkFixture) -> None:
    """Time of a new mapper's first dump and load of a class of ten fields: its code is generated
    then. Making the mapper is left out.
    """

    def dump_and_load(fresh: Mapper) -> Song:
        return fresh.load(fresh.dump(SONGS[1]), Song)

    # A class has one mapper, so the mapper is what is new.
    found = benchmark.pedantic(dump_and_load, setup=lambda: ((Mapper(),), {}), rounds=50)

    assert found == SONGS[1]
