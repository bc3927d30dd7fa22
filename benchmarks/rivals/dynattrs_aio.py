"""dynattrs with asyncio: `AsyncSession` over aiobotocore, typed objects."""

from __future__ import annotations

from typing import Any

from benchmarks.canned import REGION
from benchmarks.rivals.composing import Compose
from benchmarks.rivals.dynattrs_sync import changes, declared
from benchmarks.rivals.plain_attrs import composer, made
from benchmarks.shapes import ARTIST, Shape, title
from dynattrs.aio import AsyncSession

LABEL = "dynattrs, asyncio"
DISTRIBUTIONS = ("aiobotocore", "botocore")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape, **options: Any) -> None:
        self.shape = shape
        self.cls = declared(table, shape)
        self._changes = changes(self.cls, shape)
        self._options = {"endpoint_url": endpoint, "region_name": REGION, **options}

    async def start(self) -> None:
        """A session is made where its loop runs."""
        self.session = AsyncSession(**self._options)
        self._query = self.session.query(self.cls).where(self.cls.artist == ARTIST)

    async def stop(self) -> None:
        await self.session.close()

    def make(self, number: int) -> Any:
        return made(self.cls, self.shape.fields, self.shape.values(number))

    def composer(self) -> Compose:
        return composer(self.cls, self.shape)

    async def read(self) -> list[Any]:
        found: list[Any] = await self._query.all()
        return found

    async def write(self, songs: list[Any]) -> None:
        await self.session.save_all(songs)

    async def get(self, number: int) -> Any:
        return await self.session.get(self.cls, (ARTIST, title(number)))

    async def put(self, song: Any) -> None:
        await self.session.save(song)

    async def update(self, song: Any) -> Any:
        return await self.session.update(self.cls, (song.artist, song.title), *self._changes)

    async def scan(self, segments: int) -> tuple[int, int]:
        """As dynattrs_sync's."""
        found = self.session.scan(self.cls)
        found = found.parallel(segments) if segments > 1 else found
        count = plays = 0
        async for song in found:
            count += 1
            plays += song.plays
        return count, plays
