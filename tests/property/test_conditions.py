"""Conditions: DynamoDB Local finds the items that the oracle finds, whatever is asked of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

import dynamodb_oracle as oracle
from dynattrs import Session
from model_of_everything import TABLE, Drawn, Thing, conditions, item_of

ITEMS = 40
PARTITIONS = 16


def items_of(partition: int) -> list[dict[str, Any]]:
    """The items of a partition, always the same ones."""
    chance = random.Random(partition)
    return [item_of(partition, number, chance) for number in range(ITEMS)]


class Things:
    """Partitions of items, stored when they are first asked for."""

    def __init__(self, client: Any) -> None:
        self.session = Session(client=client)
        self._client = client
        self._stored: dict[int, list[dict[str, Any]]] = {}

    def partition(self, number: int) -> list[dict[str, Any]]:
        if number not in self._stored:
            items = items_of(number)
            for start in range(0, len(items), 25):
                requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
                answer = self._client.batch_write_item(RequestItems={TABLE: requests})
                assert not answer["UnprocessedItems"]
            self._stored[number] = items
        return self._stored[number]


@pytest.fixture(scope="module")
def things(dynamodb_local: str) -> Iterator[Things]:
    client = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb_local,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )
    things = Things(client)
    things.session.tables.create(Thing)
    yield things
    things.session.tables.delete(Thing)
    things.session.close()
    client.close()


@given(st.integers(0, PARTITIONS - 1), conditions, st.booleans())
def test_the_service_finds_what_the_oracle_finds(
    things: Things, partition: int, drawn: Drawn, scan: bool
) -> None:
    items = things.partition(partition)
    wanted = {int(item["number"]["N"]) for item in items if oracle.holds(drawn.known, item)}

    query = things.session.scan(Thing) if scan else things.session.query(Thing)
    found = query.where(Thing.part == partition).filter(drawn.written).raw()

    assert {int(item["number"]["N"]) for item in found} == wanted, str(drawn.written)
