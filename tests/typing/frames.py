"""Frames of queries, and what is saved of them."""

from __future__ import annotations

from songs import Song
from typing_extensions import assert_type

from dynattrs import ArrowBatches, Session
from dynattrs.aio import AsyncArrowBatches, AsyncSession


def frames(session: Session) -> None:
    songs = session.query(Song)
    assert_type(songs.arrow(), ArrowBatches)
    assert_type(songs.arrow(types={"plays": object()}), ArrowBatches)
    assert_type(songs.select(Song.artist).arrow(), ArrowBatches)
    assert_type(session.save_frame(Song, songs.pandas()), int)
    assert_type(session.save_frame(Song, songs.polars(), on_error="skip", unknown="drop"), int)
    session.save_frame(Song, songs.polars(), unknown="keep")  # type: ignore[arg-type]
    with session.batch() as batch:
        assert_type(batch.save_frame(Song, songs.arrow()), int)


async def awaited(session: AsyncSession) -> None:
    songs = session.query(Song)
    assert_type(songs.arrow(), AsyncArrowBatches)
    async for batch in songs.arrow():
        assert_type(await session.save_frame(Song, batch), int)
    await songs.arrow().table()
    await songs.pandas()
    await songs.polars()
