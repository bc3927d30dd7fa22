"""pydynox with asyncio."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydynox import BatchWriter

from benchmarks.rivals import with_pydynox
from benchmarks.shapes import ARTIST, CHANGED, title

LABEL = "pydynox (Rust), asyncio"
DISTRIBUTIONS = ("pydynox",)
LENIENT = {"sets_as_lists": True}


class Songs(with_pydynox.Songs):
    async def read(self) -> list[Any]:
        return [song async for song in self.cls.query(partition_key=ARTIST)]

    async def write(self, songs: Iterable[Any]) -> None:
        async with BatchWriter(self.client, self.name) as batch:
            for song in songs:
                batch.put(song.to_dict())

    async def get(self, number: int) -> Any:
        return await self.cls.get(artist=ARTIST, title=title(number))

    async def put(self, song: Any) -> None:
        await song.save()

    async def update(self, song: Any) -> None:
        await self.cls.update_by_key(artist=song.artist, title=song.title, **CHANGED)
