"""An edit that is not entered stores nothing, and Python warns of it."""

import asyncio
import gc
import warnings

import pytest

import dynattrs
from dynattrs import model, partition_key
from dynattrs.aio import AsyncSession

pytest.importorskip("ministack", reason="pip install 'dynattrs[local]'")


@model("songs")
class Song:
    title: str = partition_key()
    plays: int = 0


def test_an_edit_that_is_not_entered_warns():
    with dynattrs.Session.local() as session:
        session.tables.create(Song)
        song = session.save(Song("Sinnerman"))

        edit = session.edit(song)
        song.plays = 1
        with pytest.warns(RuntimeWarning, match=r"never entered, .* `with session\.edit\(obj\):`"):
            del edit

        with session.transaction() as t:
            edit_of_t = t.edit(song)
            t.save(Song("Feeling Good"))
            with pytest.warns(RuntimeWarning, match=r"`with transaction\.edit\(obj\):`"):
                del edit_of_t
        assert session.get_one(Song, "Sinnerman").plays == 0


def test_an_edit_over_asyncio_that_is_not_entered_warns():
    pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")

    async def main() -> None:
        async with AsyncSession.local() as session:
            edit = session.edit(Song("Sinnerman"))
            with pytest.warns(RuntimeWarning, match=r"`async with session\.edit\(obj\):`"):
                del edit

    asyncio.run(main())


def test_edits_that_were_entered_do_not_warn():
    pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")

    async def main(song: Song) -> None:
        async with AsyncSession.local() as session:
            await session.tables.create(Song)
            await session.save(song)
            async with session.edit(song):
                song.plays = 4

    with dynattrs.Session.local() as session, warnings.catch_warnings():
        warnings.simplefilter("error")
        session.tables.create(Song)
        song = session.save(Song("Sinnerman"))
        with session.edit(song):
            song.plays = 2
        with session.transaction() as t, t.edit(song):
            song.plays = 3
        with pytest.raises(ZeroDivisionError), session.edit(song):
            raise ZeroDivisionError
        asyncio.run(main(Song("Feeling Good")))
        gc.collect()
        assert session.get_one(Song, "Sinnerman").plays == 3
