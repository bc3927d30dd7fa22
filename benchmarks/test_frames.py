"""A page of 1,000 items of eleven attributes as a frame.

Timed: the whole call, with botocore's request, signing and events, until the frame is there. Left out:
network and server; the reply is canned, put in before sending. Compared with objects, with Arrow by way of
objects, with what one writes by hand with boto3 (its client, `TypeDeserializer`, `pandas.DataFrame`, whose
numbers are `Decimal`s then), and with awswrangler's `read_items`, which gives the same, where that is
installed. awswrangler's client is made for each call, which is part of it. Each checks its result.

    uv run --group bench --with awswrangler==3.17.1 pytest benchmarks/test_frames.py
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zlib import crc32

import attrs
import boto3
import pandas as pd
import pytest
from boto3.dynamodb.conditions import Key
from boto3.dynamodb.types import TypeDeserializer
from botocore.awsrequest import AWSResponse
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import Session, model, partition_key, sort_key
from dynattrs.frames import batches

COUNT = 1000
NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc)


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str
    album: str
    at: dt.datetime
    year: int
    plays: int
    price: Decimal
    seconds: float
    live: bool
    note: str | None = None
    tags: set[str] = attrs.field(factory=set)


def item(number: int) -> dict[str, Any]:
    at = NOON + dt.timedelta(seconds=number)
    return {
        "artist": {"S": "Nina Simone"},
        "title": {"S": f"Title {number:05}"},
        "genre": {"S": "jazz"},
        "album": {"S": "Pastel Blues"},
        "at": {"S": at.isoformat(timespec="microseconds")[:-6] + "Z"},
        "year": {"N": str(1960 + number % 10)},
        "plays": {"N": str(number)},
        "price": {"N": f"{number}.25"},
        "seconds": {"N": "193.25"},
        "live": {"BOOL": number % 2 == 0},
        "note": {"S": "long"},
    }


BODY = json.dumps(
    {"Items": [item(n) for n in range(COUNT)], "Count": COUNT, "ScannedCount": COUNT}
).encode()
HEADERS = {"x-amz-crc32": str(crc32(BODY)), "content-type": "application/x-amz-json-1.0"}
SUM = sum(range(COUNT))


class _Body:
    def stream(self, **_: object) -> Any:
        return iter([BODY])

    def read(self, **_: object) -> bytes:
        return BODY


def answer(request: Any, **_: object) -> AWSResponse:
    return AWSResponse(request.url, 200, HEADERS, _Body())


@pytest.fixture
def boto() -> Any:
    session = boto3.Session("AKID", "secret", region_name="us-east-1")
    session._session.register("before-send.dynamodb", answer)
    return session


@pytest.fixture
def songs(boto: Any) -> Any:
    return Session(client=boto.client("dynamodb")).query(Song).where(Song.artist == "Nina Simone")


GROUP = pytest.mark.benchmark(group="1,000 items as a frame")


@GROUP
def test_objects(benchmark: BenchmarkFixture, songs: Any) -> None:
    found = benchmark(songs.all)

    assert sum(each.plays for each in found) == SUM


@GROUP
def test_arrow(benchmark: BenchmarkFixture, songs: Any) -> None:
    found = benchmark(lambda: songs.arrow().table())

    assert sum(found.column("plays").to_pylist()) == SUM


@GROUP
def test_arrow_through_objects(
    benchmark: BenchmarkFixture, songs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "quick_reader", lambda kind, columns: None)
    found = benchmark(lambda: songs.arrow().table())

    assert sum(found.column("plays").to_pylist()) == SUM


@GROUP
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(benchmark: BenchmarkFixture, songs: Any, library: str) -> None:
    read: Callable[[], Any] = getattr(songs, library)

    assert benchmark(read)["plays"].sum() == SUM


@GROUP
def test_boto3_by_hand(benchmark: BenchmarkFixture, boto: Any) -> None:
    client, deserialize = boto.client("dynamodb"), TypeDeserializer().deserialize

    def read() -> Any:
        found, more = [], {}
        while True:
            page = client.query(
                TableName="music", KeyConditionExpression="artist = :artist",
                ExpressionAttributeValues={":artist": {"S": "Nina Simone"}}, **more,
            )  # fmt: skip
            found += [
                {name: deserialize(value) for name, value in each.items()} for each in page["Items"]
            ]
            if "LastEvaluatedKey" not in page:
                return pd.DataFrame(found)
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    assert benchmark(read)["plays"].sum() == SUM


@GROUP
def test_awswrangler(benchmark: BenchmarkFixture, boto: Any) -> None:
    wrangler = pytest.importorskip("awswrangler")

    def read() -> Any:
        return wrangler.dynamodb.read_items(
            "music", key_condition_expression=Key("artist").eq("Nina Simone"), use_threads=False,
            key_schema=[{"AttributeName": "artist", "KeyType": "HASH"},
                        {"AttributeName": "title", "KeyType": "RANGE"}], boto3_session=boto,
        )  # fmt: skip

    assert benchmark(read)["plays"].sum() == SUM
