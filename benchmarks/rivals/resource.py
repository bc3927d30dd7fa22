"""boto3's resource: dicts with numbers as `Decimal`s. It is given dicts that are ready for it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

from benchmarks.canned import REGION
from benchmarks.rivals import composing
from benchmarks.shapes import ARTIST, CHANGED, Shape, title

LABEL = "boto3 resource (dicts)"
DISTRIBUTIONS = ("boto3", "botocore")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        resource = boto3.resource("dynamodb", endpoint_url=endpoint, region_name=REGION)
        self.table: Any = resource.Table(table)

    def make(self, number: int) -> Any:
        return with_decimals(self.shape.values(number))

    def composer(self) -> composing.Compose:
        return composing.dicts(self.shape, decimals=True)

    def read(self) -> list[Any]:
        condition = Key("artist").eq(ARTIST)
        reply = self.table.query(KeyConditionExpression=condition)
        found: list[Any] = reply["Items"]
        while "LastEvaluatedKey" in reply:
            reply = self.table.query(
                KeyConditionExpression=condition, ExclusiveStartKey=reply["LastEvaluatedKey"]
            )
            found += reply["Items"]
        return found

    def write(self, songs: Iterable[Any]) -> None:
        with self.table.batch_writer() as batch:
            for song in songs:
                batch.put_item(song)

    def get(self, number: int) -> Any:
        return self.table.get_item(Key={"artist": ARTIST, "title": title(number)})["Item"]

    def put(self, song: Any) -> None:
        self.table.put_item(Item=song)

    def update(self, song: Any) -> Any:
        return self.table.update_item(
            Key={"artist": song["artist"], "title": song["title"]},
            UpdateExpression="SET plays = :plays, genre = :genre",
            ExpressionAttributeValues={f":{name}": value for name, value in CHANGED.items()},
            ReturnValues="ALL_NEW",
        )["Attributes"]


def with_decimals(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, dict):
        return {name: with_decimals(each) for name, each in value.items()}
    if isinstance(value, list):
        return [with_decimals(each) for each in value]
    return value
