"""What waits in memory is bounded: a producer that is faster than the service waits for it."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from dynattrs import Session, model, partition_key

COUNT = 20_000
CONCURRENCY = 2


@model("readings")
class Reading:
    number: int = partition_key()


@pytest.fixture
def client() -> Iterator[Any]:
    """Acknowledges every batch, a little later."""
    client: Any = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )

    def answer(request: Any, **_: Any) -> AWSResponse:
        time.sleep(0.001)
        body = json.dumps({"UnprocessedItems": {}}).encode()
        response = AWSResponse(request.url, 200, {"x-amz-crc32": str(crc32(body))}, None)
        response._content = body  # type: ignore[attr-defined]
        return response

    client.meta.events.register("before-send.dynamodb", answer)
    yield client
    client.close()


def in_a_batch(session: Session, readings: Iterator[Reading]) -> None:
    with session.batch() as batch:
        for reading in readings:
            batch.save(reading)


def at_once(session: Session, readings: Iterator[Reading]) -> None:
    session.save_all(readings)


@pytest.mark.parametrize("save", [in_a_batch, at_once])
def test_no_more_objects_are_held_than_are_in_flight_and_in_the_next_batch(
    client: Any, save: Callable[[Session, Iterator[Reading]], None]
) -> None:
    session = Session(client=client, concurrency=CONCURRENCY)
    alive: weakref.WeakValueDictionary[int, Reading] = weakref.WeakValueDictionary()
    most = 0

    def readings() -> Iterator[Reading]:
        nonlocal most
        for number in range(COUNT):
            reading = Reading(number)
            alive[number] = reading
            most = max(most, len(alive))
            yield reading

    save(session, readings())

    # Each in flight, the batch that fills, and one object on its way.
    assert 25 <= most <= 25 * (CONCURRENCY + 1) + 25
    assert session.stats.requests["BatchWriteItem"] == COUNT / 25
    session.close()
