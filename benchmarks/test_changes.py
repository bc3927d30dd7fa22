"""Changes of an event: records with both images to objects.

Timed: an event of AWS Lambda with 100 records, each with two images of eleven attributes, from JSON that
is parsed already to 200 objects. Left out: parsing the event, Lambda, the function. Compared with reading
a page of 100 items of the same model: a change should cost at most twice as much as two items; with the
general way through attribute maps; with boto3's TypeDeserializer and with the DynamoDBStreamEvent of
Powertools for AWS Lambda, which make dicts and no objects: Decimals, texts of dates and maps are left to the
program, and with boto3 base64 as well.

    uv run --group bench --group rivals-lambda pytest benchmarks/test_changes.py
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from boto3.dynamodb.types import TypeDeserializer
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import model, partition_key, sort_key
from dynattrs.operations.reading.objects import Objects
from dynattrs.schema.model_info import model_info
from dynattrs.streams import Modified, changes
from dynattrs.streams.reading import _ItemsOfTable

RECORDS = 100


@attrs.define
class Place:
    city: str
    number: int


@model("watched-songs")
class Song:
    artist: str = partition_key()
    number: int = sort_key()
    title: str
    rating: float
    live: bool
    tags: set[str]
    plays: list[int]
    place: Place
    recorded: dt.datetime
    cover: bytes
    note: str | None = None


INFO = model_info(Song)


def song(number: int) -> Song:
    recorded = dt.datetime(2026, 11, 27, 12, number % 60, tzinfo=dt.timezone.utc)
    return Song(
        "Nina Simone", number, "Sinnerman", 4.5, True, {"live", "jazz"}, [1, 2, 3],
        Place("Montreux", 7), recorded, b"\xff\xd8", "first take",
    )  # fmt: skip


def stored(obj: Song) -> Any:
    import msgspec

    return json.loads(msgspec.json.encode(INFO.mapper.dump(obj)))


def record(number: int) -> Any:
    old, new = stored(song(number)), stored(attrs.evolve(song(number), title="Sinner Man"))
    return {
        "eventID": str(number),
        "eventName": "MODIFY",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:1:table/watched-songs/stream/2026",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795780000.0,
            "Keys": {name: new[name] for name in ("artist", "number")},
            "OldImage": old,
            "NewImage": new,
            "SequenceNumber": str(number),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


EVENT = {"Records": [record(number) for number in range(RECORDS)]}


def as_changes() -> list[Any]:
    return list(changes(EVENT, Song))


def page() -> Callable[[], list[Song]]:
    objects = Objects(INFO, Song)
    decode = objects.decoder("Items")
    assert decode is not None
    items = [each["dynamodb"]["NewImage"] for each in EVENT["Records"]]
    body = json.dumps({"Items": items, "Count": RECORDS}).encode()

    def read() -> list[Song]:
        make = objects.reads()
        return [make(item) for item in decode(body)["Items"]]

    return read


def with_boto3() -> list[Any]:
    deserialize = TypeDeserializer().deserialize
    images = ("OldImage", "NewImage")
    return [
        [
            {
                name: deserialize(value)
                for name, value in each["dynamodb"][image].items()
                if name != "cover"  # bytes are base64 text in an event, which it does not take
            }
            for image in images
        ]
        for each in EVENT["Records"]
    ]


def with_powertools() -> list[Any]:
    from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent

    found = []
    for record in DynamoDBStreamEvent(EVENT).records:
        assert record.dynamodb is not None
        found.append([record.dynamodb.old_image, record.dynamodb.new_image])
    return found


WAYS = {
    "page of items": page,
    "TypeDeserializer": lambda: with_boto3,
    "Powertools": lambda: with_powertools,
}


@pytest.mark.parametrize("way", ["changes", "general way", *WAYS])
def test_changes(way: str, benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch):
    if way == "general way":
        monkeypatch.setattr(_ItemsOfTable, "_rows", lambda self, images: images)
    if way == "Powertools":
        pytest.importorskip("aws_lambda_powertools", reason="uv run --group rivals-lambda")
    work = WAYS[way]() if way in WAYS else as_changes

    found = benchmark(work)

    assert len(found) == RECORDS
    if work is as_changes:
        assert all(isinstance(each, Modified) for each in found)
        assert found[7].old == song(7)
        assert found[7].new.title == "Sinner Man"
    elif way != "page of items":
        before, after = found[7]
        assert (before["title"], after["title"]) == ("Sinnerman", "Sinner Man")
        assert after["place"] == {"city": "Montreux", "number": 7}
