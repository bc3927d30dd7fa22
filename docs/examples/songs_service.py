"""A web service on FastAPI: models as bodies and answers, pages by cursor, conflicts as 409.

    uvicorn songs_service:app

AWS's own environment variables and profiles say where the tables are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

import pydantic
from fastapi import Depends, FastAPI, Query, Request

from dynattrs import Partial, field, model, partition_key, set_, sort_key
from dynattrs.aio import AsyncSession
from dynattrs.fastapi import Body, errors

Name = Annotated[str, pydantic.Field(min_length=1, max_length=200)]
Count = Annotated[int, pydantic.Field(ge=0)]


@model("songs")
class Song:
    """A song, and how often it was played."""

    artist: Name = partition_key()
    title: Name = sort_key()
    plays: Count = 0
    version: int = field(version=True)


class Plays(pydantic.BaseModel):
    plays: Count
    #: The version that the client has read.
    version: int


class Songs(pydantic.BaseModel):
    """A page: models stand in pydantic's own classes as well."""

    songs: list[Song]
    next: str | None


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One session from the first request to the last. All requests share its connections."""
    async with AsyncSession() as app.state.session:
        yield


def session_of(request: Request) -> AsyncSession:
    session: AsyncSession = request.app.state.session
    return session


Db = Annotated[AsyncSession, Depends(session_of)]
app = FastAPI(lifespan=lifespan)
errors(app)  # NoSuchItem is 404, ItemExists and ConditionFailed 409, a damaged cursor 400, ...


@app.post("/songs", status_code=201)
async def add(new: Body[Song], session: Db) -> Song:
    return await session.insert(new)


@app.get("/songs/{artist}")
async def page(
    artist: str,
    session: Db,
    after: str | None = None,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Songs:
    songs = await session.query(Song).where(Song.artist == artist).after(after).page(size)
    return Songs(songs=list(songs), next=songs.cursor)


@app.get("/songs/{artist}/{title}")
async def one(artist: str, title: str, session: Db) -> Song:
    return await session.get_one(Song, (artist, title))


@app.patch("/songs/{artist}/{title}")
async def change(artist: str, title: str, changes: Body[Partial[Song]], session: Db) -> Song:
    """What the client states, and nothing else."""
    return await session.update(Song, (artist, title), *changes.actions())


@app.put("/songs/{artist}/{title}/plays")
async def count(artist: str, title: str, new: Plays, session: Db) -> Song:
    """Only if the song is still what the client has read."""
    unchanged = Song.version == new.version
    return await session.update(Song, (artist, title), set_(Song.plays, new.plays), when=unchanged)


@app.post("/songs/import", status_code=201)
async def import_many(songs: Body[list[Song]], session: Db) -> dict[str, int]:
    """Saves songs in batches; 409 tells of conflicts. If the client hangs up, this is cancelled,
    and songs that are not stored are logged.
    """
    async with session.batch() as batch:
        await batch.save_all(songs)
    return {"stored": len(songs)}


async def try_it() -> None:
    """The service and a client in one process, on the embedded engine."""
    import httpx

    session = app.state.session = AsyncSession.local()
    await session.tables.create(Song)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        await client.post("/songs", json={"artist": "Nina Simone", "title": "Sinnerman"})
        await client.patch("/songs/Nina Simone/Sinnerman", json={"plays": 3})
        print((await client.get("/songs/Nina Simone")).json())
    await session.close()


if __name__ == "__main__":
    asyncio.run(try_it())
