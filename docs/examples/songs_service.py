"""A web service on FastAPI: one session for the program, pages by cursor, conflicts as 409.

    uvicorn songs_service:app

AWS's own environment variables and profiles say where the tables are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pydantic
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse

from dynattrs import (
    ConditionFailed,
    CursorError,
    MappingError,
    NoSuchItem,
    Throttled,
    asdict,
    field,
    model,
    partition_key,
    set_,
    sort_key,
)
from dynattrs.aio import AsyncSession


@model("songs")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = 0
    version: int = field(version=True)


class NewSong(pydantic.BaseModel):
    """What a client may say of a song: checked before anything else happens."""

    artist: Annotated[str, pydantic.Field(min_length=1, max_length=200)]
    title: Annotated[str, pydantic.Field(min_length=1, max_length=200)]


class Plays(pydantic.BaseModel):
    plays: Annotated[int, pydantic.Field(ge=0)]
    #: The version that the client has read.
    version: int


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


@app.post("/songs", status_code=201)
async def add(new: NewSong, session: Db) -> dict[str, Any]:
    return asdict(await session.insert(Song(new.artist, new.title)))


@app.get("/songs/{artist}")
async def page(
    artist: str,
    session: Db,
    after: str | None = None,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    songs = await session.query(Song).where(Song.artist == artist).after(after).page(size)
    return {"songs": [asdict(song) for song in songs], "next": songs.cursor}


@app.get("/songs/{artist}/{title}")
async def one(artist: str, title: str, session: Db) -> dict[str, Any]:
    return asdict(await session.get_one(Song, (artist, title)))


@app.put("/songs/{artist}/{title}/plays")
async def count(artist: str, title: str, new: Plays, session: Db) -> dict[str, Any]:
    """Only if nobody has changed the song since the client has read it."""
    unchanged = Song.version == new.version
    song = await session.update(Song, (artist, title), set_(Song.plays, new.plays), when=unchanged)
    return asdict(song)


@app.post("/songs/import", status_code=201)
async def import_many(songs: list[NewSong], session: Db) -> dict[str, int]:
    """All of them in batches. A client that hangs up cancels this: what is not stored is logged."""
    async with session.batch() as batch:
        await batch.save_all(Song(new.artist, new.title) for new in songs)
    return {"stored": len(songs)}


# An error of the library says what the caller can do, so each is one answer.


def answers(status: int) -> Any:
    async def answer(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status)

    return answer


app.add_exception_handler(NoSuchItem, answers(404))
app.add_exception_handler(ConditionFailed, answers(409))  # ItemExists is one
app.add_exception_handler(CursorError, answers(400))
app.add_exception_handler(MappingError, answers(422))
app.add_exception_handler(Throttled, answers(503))


async def try_it() -> None:
    """The service and a client in one process, on the embedded engine."""
    import httpx

    session = app.state.session = AsyncSession.local()
    await session.tables.create(Song)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        await client.post("/songs", json={"artist": "Nina Simone", "title": "Sinnerman"})
        print((await client.get("/songs/Nina Simone")).json())
    await session.close()


if __name__ == "__main__":
    asyncio.run(try_it())
