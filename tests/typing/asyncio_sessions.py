"""The verbs, queries and batches of `AsyncSession`: as strict as those of `Session`, and awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
from songs import Prize, Song
from typing_extensions import assert_type

from dynattrs import (
    Backup,
    ExportReport,
    ImportReport,
    Page,
    Preview,
    Stats,
    Table,
    Unsent,
    path,
    set_,
)
from dynattrs.aio import (
    AsyncBatch,
    AsyncBulkPut,
    AsyncQuery,
    AsyncSession,
    AsyncTransaction,
    AsyncTransfer,
)

session = AsyncSession(region_name="eu-central-1", table_prefix="dev-", tables={"music": "songs"})
song = Song("Nina Simone", "Sinnerman", "jazz")
key = ("Nina Simone", "Sinnerman")

AsyncSession(region="eu-central-1")  # type: ignore[call-arg]
AsyncSession("eu-central-1")  # type: ignore[call-arg]
AsyncSession(concurrency="many")  # type: ignore[arg-type]
assert_type(AsyncSession.local(table_prefix="test-"), AsyncSession)


async def writes() -> None:
    assert_type(await session.save(song), Song)
    assert_type(await session.save(song, when=Song.plays < 3), Song)
    assert_type(await session.save(Prize("Polar")), Prize)
    assert_type(await session.insert(song), Song)
    await session.save_all(Song("Nina Simone", title, "jazz") for title in ("Sinnerman", "I"))
    assert_type(await session.save(song, returning=True), Song | None)
    assert_type(
        await session.update(Song, key, set_(Song.plays, 1), returns="changed_old"), dict[str, Any]
    )
    await session.save("text")  # type: ignore[call-overload]
    await session.save(Song)  # type: ignore[call-overload]
    await session.save(song, wehn=Song.plays < 3)  # type: ignore[call-overload]
    await session.save_all(song)  # type: ignore[arg-type]

    await session.delete(song)
    await session.delete(Song, key, when=Song.plays < 3)
    assert_type(await session.delete(song, returning=True), Song | None)
    assert_type(await session.delete(Song, key, returning=True), Song | None)
    await session.delete("text")  # type: ignore[call-overload]

    assert_type(await session.update(Song, key, set_(Song.plays, 1)), Song)
    assert_type(await session.update(song, set_(Song.plays, 1), returns="old"), Song | None)
    assert_type(
        await session.update(Song, key, set_(Song.plays, 1), returns="changed"), dict[str, Any]
    )
    assert_type(await session.update(song, set_(Song.plays, 1), returns=None), None)
    await session.update(song, Song.plays > 3)  # type: ignore[call-overload]
    assert_type(await session.close(), None)


async def reads() -> None:
    assert_type(await session.get(Song, key), Song | None)
    assert_type(await session.get_one(Song, key, consistent=True), Song)
    assert_type(await session.exists(Song, key), bool)
    assert_type(await session.refresh(song), Song)
    (await session.get(Song, key)).title  # type: ignore[union-attr]
    session.get(Song, key).title  # type: ignore[attr-defined]
    await session.get(Song)  # type: ignore[call-overload]
    await session.get(int, 7)  # type: ignore[type-var]

    async for found in session.get_many(Song, [key]):
        assert_type(found, Song)
    async for maybe in session.get_many(Song, [key], missing="none"):
        assert_type(maybe, Song | None)
    for wrong in session.get_many(Song, [key]):  # type: ignore[attr-defined]
        print(wrong)
    got = await session.transact_get((Song, key), (Prize, "Polar"))
    assert_type(got, tuple[Song | None, Prize | None])
    async for row in await session.execute("SELECT * FROM music", model=Song):
        assert_type(row, Song)
    async for plain in await session.execute("SELECT title FROM music"):
        assert_type(plain, dict[str, Any])


@attrs.frozen
class Title:
    title: str


async def queries() -> None:
    songs = session.query(Song).where(Song.artist == "Nina Simone", path(Song.year) > 1960)
    assert_type(songs.reverse().limit(20).after(None), AsyncQuery[Song])
    assert_type(songs.where(fan_out=40).merged(), AsyncQuery[Song])
    async for found in songs:
        assert_type(found, Song)
    async for page in songs.pages():
        assert_type(page, Page[Song])
    assert_type(await songs.first(), Song | None)
    assert_type(await songs.preview(), Preview[Song])
    assert_type(await songs.one(), Song)
    assert_type(await songs.all(), list[Song])
    assert_type(await songs.count(), int)
    assert_type(await songs.page(20), Page[Song])
    assert_type(await songs.delete(), int)
    assert_type(await songs.as_(Title).all(), list[Title])
    assert_type(await songs.select(Song.title, Song.plays).all(), list[tuple[str, int]])
    assert_type(await songs.keys().first(), dict[str, Any] | None)
    assert_type(aiter(songs.pages()), AsyncIterator[Page[Song]])
    (await songs.first()).title  # type: ignore[union-attr]
    for wrong in songs:  # type: ignore[attr-defined]
        print(wrong)


async def batches() -> None:
    async with session.batch() as batch:
        assert_type(batch, AsyncBatch)
        assert_type(await batch.save(song), Song)
        await batch.save("text")  # type: ignore[call-overload]
        assert_type(await batch.flush(), None)
        assert_type(batch.discard(), list[Unsent])
        await batch.close()  # type: ignore[attr-defined]
    await session.flush()  # type: ignore[attr-defined]
    async with AsyncSession() as one, one.batch(on_progress=print) as two:
        assert_type(one, AsyncSession)
        assert_type(two, AsyncBatch)
    async with session.edit(song) as edited:
        assert_type(edited, Song)
    session.edit("text")  # type: ignore[type-var]
    async with session.transaction() as transaction:
        assert_type(transaction, AsyncTransaction)
        assert_type(transaction.save(song), Song)
        transaction.save("text")  # type: ignore[type-var]
    with session.batch() as wrong:  # type: ignore[attr-defined]
        print(wrong)


async def rest() -> None:
    assert_type(session.stats, Stats)
    assert_type(await session.tables.create(Song), None)
    assert_type(await session.tables.exists(Song), bool)
    assert_type(await session.tables.describe(Song), dict[str, Any])
    assert_type(await session.tables.reflect("music", samples=3), Table)
    assert_type(await session.tables.list(), list[str])
    assert_type(await session.tables.backup("music"), Backup)
    export = await session.tables.export_to_s3("music", "s3://bucket")
    assert_type(export, AsyncTransfer[ExportReport])
    assert_type(await export, ExportReport)
    assert_type(await export.wait(progress=print), ExportReport)
    assert_type(await session.tables.bulk_put("music", "s3://a", reports_to="s3://b"), AsyncBulkPut)
    assert_type(await session.tables.imports(), tuple[ImportReport, ...])
    await session.tables.create("music")  # type: ignore[arg-type]
    (await session.client).list_tables(Limit=3)
