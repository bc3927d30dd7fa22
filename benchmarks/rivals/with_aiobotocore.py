"""aiobotocore's client: attribute maps, left as they come. It is given attribute maps that are ready."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from benchmarks.canned import REGION
from benchmarks.rivals import client, composing
from benchmarks.shapes import ARTIST, CHANGED, Shape

LABEL = "aiobotocore (attribute maps)"
DISTRIBUTIONS = ("aiobotocore", "aiohttp", "botocore")
#: It takes `connections`: how many there are in its pool.
POOLED = True


class Songs:
    plain = client.Songs.plain

    def __init__(self, endpoint: str, table: str, shape: Shape, connections: int = 10) -> None:
        self.shape = shape
        self.name = table
        self._options: Any = {
            "endpoint_url": endpoint, "region_name": REGION,
            "config": AioConfig(max_pool_connections=connections),
        }  # fmt: skip
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """A client is made where its loop runs."""
        made = get_session().create_client("dynamodb", **self._options)
        self.client: Any = await self._stack.enter_async_context(made)

    async def stop(self) -> None:
        await self._stack.aclose()

    def make(self, number: int) -> Any:
        return self.shape.item(number)

    def composer(self) -> composing.Compose:
        return composing.attribute_maps(self.shape)

    async def read(self) -> list[Any]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="artist = :artist",
            ExpressionAttributeValues={":artist": {"S": ARTIST}},
        )
        return [item async for page in pages for item in page["Items"]]

    async def write(self, songs: Iterable[Any]) -> None:
        songs = list(songs)
        for start in range(0, len(songs), 25):
            puts = [{"PutRequest": {"Item": song}} for song in songs[start : start + 25]]
            left = {self.name: puts}
            while left:
                reply = await self.client.batch_write_item(RequestItems=left)
                left = reply["UnprocessedItems"]

    async def get(self, number: int) -> Any:
        reply = await self.client.get_item(TableName=self.name, Key=self.shape.key(number))
        return reply["Item"]

    async def put(self, song: Any) -> None:
        await self.client.put_item(TableName=self.name, Item=song)

    async def update(self, song: Any) -> Any:
        reply = await self.client.update_item(
            TableName=self.name,
            Key={"artist": song["artist"], "title": song["title"]},
            UpdateExpression="SET plays = :plays, genre = :genre",
            ExpressionAttributeValues={
                ":plays": {"N": str(CHANGED["plays"])}, ":genre": {"S": CHANGED["genre"]}
            },
            ReturnValues="ALL_NEW",
        )  # fmt: skip
        return reply["Attributes"]
