"""Time to read one query page of 1,000 items of eleven attributes, from reply bytes to objects.

Timed: the whole call, with botocore's request, signing and events. Left out: network and server; the
reply is canned, put in before sending. Compared with boto3's resource, whose items are dicts of
`Decimal`s, and with boto3's client, whose items are still attribute maps. Each checks its result.

    uv run --group bench pytest benchmarks/test_read_page.py
"""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

import attrs
import boto3
import pytest
from boto3.dynamodb.conditions import Key
from botocore.awsrequest import AWSResponse
from pytest_benchmark.fixture import BenchmarkFixture

from dynattrs import Session, model, partition_key, sort_key

COUNT = 1000


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


def item(number: int) -> dict[str, Any]:
    return {
        "artist": {"S": "Nina Simone"},
        "title": {"S": f"Title {number:05}"},
        "genre": {"S": "jazz"},
        "album": {"S": "Pastel Blues"},
        "label": {"S": "Philips"},
        "year": {"N": str(1960 + number % 10)},
        "plays": {"N": str(number)},
        "seconds": {"N": "193.25"},
        "live": {"BOOL": number % 2 == 0},
        "note": {"S": "long"},
        "tags": {"SS": ["a", "b"]},
    }


BODY = json.dumps(
    {"Items": [item(n) for n in range(COUNT)], "Count": COUNT, "ScannedCount": COUNT}
).encode()
HEADERS = {"x-amz-crc32": str(crc32(BODY)), "x-amzn-RequestId": "r"}
CREDENTIALS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
}


def answer(request: Any, **_: Any) -> AWSResponse:
    response = AWSResponse(request.url, 200, HEADERS, None)
    response._content = BODY
    return response


@pytest.fixture
def client() -> Any:
    client: Any = boto3.client("dynamodb", **CREDENTIALS)
    client.meta.events.register("before-send.dynamodb", answer)
    return client


def test_read_with_dynattrs(benchmark: BenchmarkFixture, client: Any) -> None:
    query = Session(client=client).query(Song).where(Song.artist == "Nina Simone")

    songs = benchmark(query.all)

    assert len(songs) == COUNT
    assert songs[7] == Song(
        "Nina Simone", "Title 00007", "jazz", "Pastel Blues", "Philips", 1967, 7, 193.25, False,
        "long", {"a", "b"},
    )  # fmt: skip


def test_read_with_dynattrs_without_the_fast_way(benchmark: BenchmarkFixture, client: Any) -> None:
    session = Session(client=client, fast=False)
    query = session.query(Song).where(Song.artist == "Nina Simone")

    assert len(benchmark(query.all)) == COUNT


def test_read_with_the_resource(benchmark: BenchmarkFixture) -> None:
    table = boto3.resource("dynamodb", **CREDENTIALS).Table("music")
    table.meta.client.meta.events.register("before-send.dynamodb", answer)

    reply = benchmark(lambda: table.query(KeyConditionExpression=Key("artist").eq("Nina Simone")))

    assert reply["Items"][7]["title"] == "Title 00007"
    assert len(reply["Items"]) == COUNT


def test_read_with_the_client(benchmark: BenchmarkFixture, client: Any) -> None:
    reply = benchmark(
        lambda: client.query(
            TableName="music",
            KeyConditionExpression="artist = :a",
            ExpressionAttributeValues={":a": {"S": "Nina Simone"}},
        )
    )

    assert reply["Items"][7]["title"] == {"S": "Title 00007"}
