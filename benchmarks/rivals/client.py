"""boto3's client: attribute maps, left as they come. It is given attribute maps that are ready."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config

from benchmarks.canned import REGION
from benchmarks.rivals import composing
from benchmarks.shapes import ARTIST, CHANGED, Shape

LABEL = "boto3 client (attribute maps)"
DISTRIBUTIONS = ("boto3", "botocore")
#: It takes `connections`: how many there are in its pool.
POOLED = True


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape, connections: int = 10) -> None:
        self.shape = shape
        self.name = table
        config = Config(max_pool_connections=connections)
        self.client: Any = boto3.client(
            "dynamodb", endpoint_url=endpoint, region_name=REGION, config=config
        )

    def make(self, number: int) -> Any:
        return self.shape.item(number)

    def composer(self) -> composing.Compose:
        return composing.attribute_maps(self.shape)

    def plain(self, found: Any) -> Any:
        deserialize = TypeDeserializer().deserialize
        return {name: deserialize(value) for name, value in found.items()}

    def read(self) -> list[Any]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="artist = :artist",
            ExpressionAttributeValues={":artist": {"S": ARTIST}},
        )
        return [item for page in pages for item in page["Items"]]

    def write(self, songs: Iterable[Any]) -> None:
        songs = list(songs)
        for start in range(0, len(songs), 25):
            puts = [{"PutRequest": {"Item": song}} for song in songs[start : start + 25]]
            left = {self.name: puts}
            while left:
                left = self.client.batch_write_item(RequestItems=left)["UnprocessedItems"]

    def get(self, number: int) -> Any:
        return self.client.get_item(TableName=self.name, Key=self.shape.key(number))["Item"]

    def put(self, song: Any) -> None:
        self.client.put_item(TableName=self.name, Item=song)

    def update(self, song: Any) -> Any:
        return self.client.update_item(
            TableName=self.name,
            Key={"artist": song["artist"], "title": song["title"]},
            UpdateExpression="SET plays = :plays, genre = :genre",
            ExpressionAttributeValues={
                ":plays": {"N": str(CHANGED["plays"])}, ":genre": {"S": CHANGED["genre"]}
            },
            ReturnValues="ALL_NEW",
        )["Attributes"]  # fmt: skip
