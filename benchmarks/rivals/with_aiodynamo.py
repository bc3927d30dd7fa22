"""aiodynamo over aiohttp: dicts, every number a float. Batches are cut, and sent, by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiodynamo.client import Client
from aiodynamo.credentials import Key, StaticCredentials
from aiodynamo.expressions import F, HashKey, UpdateExpression
from aiodynamo.http.aiohttp import AIOHTTP
from aiodynamo.models import BatchWriteRequest, ReturnValues
from aiohttp import ClientSession
from yarl import URL

from benchmarks.canned import ACCESS_KEY, REGION, SECRET_KEY
from benchmarks.rivals import composing
from benchmarks.shapes import ARTIST, CHANGED, Shape, title

LABEL = "aiodynamo (dicts), asyncio"
DISTRIBUTIONS = ("aiodynamo", "aiohttp")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        self.name = table
        self._endpoint = endpoint
        self._updates = UpdateExpression(
            [action for name, value in CHANGED.items() for action in F(name).set(value).set_updates]
        )

    async def start(self) -> None:
        """An aiohttp session is made where its loop runs."""
        self._http = ClientSession()
        self.client = Client(
            AIOHTTP(self._http), StaticCredentials(Key(ACCESS_KEY, SECRET_KEY)), REGION,
            endpoint=URL(self._endpoint),
        )  # fmt: skip

    async def stop(self) -> None:
        await self._http.close()

    def make(self, number: int) -> Any:
        return self.shape.values(number)

    def composer(self) -> composing.Compose:
        return composing.dicts(self.shape)

    async def read(self) -> list[Any]:
        return [song async for song in self.client.query(self.name, HashKey("artist", ARTIST))]

    async def write(self, songs: Iterable[Any]) -> None:
        songs = list(songs)
        for start in range(0, len(songs), 25):
            left: Any = songs[start : start + 25]
            while left:
                request = {self.name: BatchWriteRequest(items_to_put=left)}
                results = await self.client.batch_write(request)
                left = [item for result in results.values() for item in result.unput_items]

    async def get(self, number: int) -> Any:
        return await self.client.get_item(self.name, {"artist": ARTIST, "title": title(number)})

    async def put(self, song: Any) -> None:
        await self.client.put_item(self.name, song)

    async def update(self, song: Any) -> Any:
        return await self.client.update_item(
            self.name,
            {"artist": song["artist"], "title": song["title"]},
            self._updates,
            return_values=ReturnValues.all_new,
        )
