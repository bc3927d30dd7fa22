"""The verbs of sessions and batches: what they take, seen through `verb`, and what they return."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from songs import Prize, Song
from typing_extensions import assert_type

from dynattrs import (
    Batch,
    GlobalIndex,
    LocalIndex,
    Session,
    Stats,
    Table,
    Transaction,
    Unsent,
    add,
    on_insert,
    put,
    set_,
)

session = Session(region_name="eu-central-1", table_prefix="dev-", tables={"music": "songs"})
song = Song("Nina Simone", "Sinnerman", "jazz")
key = ("Nina Simone", "Sinnerman")

Session(region="eu-central-1")  # type: ignore[call-arg]
Session("eu-central-1")  # type: ignore[call-arg, arg-type]
Session(concurrency="many")  # type: ignore[arg-type]
assert_type(Session.local(table_prefix="test-"), Session)

# --- Writing ------------------------------------------------------------------------------------

assert_type(session.save(song), Song)
assert_type(session.save(song, when=Song.plays < 3), Song)
assert_type(session.save(Prize("Polar")), Prize)
assert_type(session.insert(song), Song)
assert_type(session.save(song, returning=True), Song | None)
assert_type(session.save(song, when=Song.plays < 3, returning=True), Song | None)
session.save(song, returning=True).plays  # type: ignore[union-attr]
session.save(song, returnign=True)  # type: ignore[call-overload]
session.save_all(Song("Nina Simone", title, "jazz") for title in ("Sinnerman", "Feeling Good"))

session.save("text")  # type: ignore[call-overload]
session.save(Song)  # type: ignore[call-overload]
session.save(None)  # type: ignore[call-overload]
session.save({"artist": "Nina Simone"})  # type: ignore[call-overload]
session.save()  # type: ignore[call-overload]
session.save(song, wehn=Song.plays < 3)  # type: ignore[call-overload]
session.save(song, when="plays < 3")  # type: ignore[call-overload]
session.save_all(["text"])  # type: ignore[list-item]
session.save_all(song)  # type: ignore[arg-type]
session.insert(7)  # type: ignore[type-var]
session.insert(song, when=Song.plays < 3)  # type: ignore[call-arg]

actions = (add(Song.plays, 1), on_insert(set_(Song.genre, "jazz"), put(Song.year).to(1965)))
assert_type(session.update(Song, key, *actions, upsert=True), Song)
assert_type(session.update(Song, key, *actions, returns="changed_old"), dict[str, Any])
assert_type(session.update(song, *actions, returns="changed_old"), dict[str, Any])
session.update(song, *actions, returns="changed_new")  # type: ignore[call-overload]
on_insert(Song.plays > 3)  # type: ignore[arg-type]
on_insert()  # type: ignore[call-arg]

session.delete(song)
session.delete(Song, key)
session.delete(song, when=Song.plays < 3)
assert_type(session.delete(song, returning=True), Song | None)
assert_type(session.delete(Song, key, returning=True), Song | None)
session.delete("text")  # type: ignore[call-overload]
session.delete(int, 7)  # type: ignore[type-var]
session.delete(song, returnign=True)  # type: ignore[call-overload]

assert_type(session.close(), None)

# --- Reading ------------------------------------------------------------------------------------

assert_type(session.get(Song, key), Song | None)
assert_type(session.get(Song, {"artist": "Nina Simone", "title": "Sinnerman"}), Song | None)
assert_type(session.get_one(Song, key, consistent=True), Song)
assert_type(session.exists(Song, key), bool)
assert_type(session.refresh(song), Song)
session.get(Song, key).title  # type: ignore[union-attr]

session.get(Song)  # type: ignore[call-overload]
session.get(song, key)  # type: ignore[call-overload]
session.get(int, 7)  # type: ignore[type-var]
session.get(Song, key, consistant=True)  # type: ignore[call-overload]
session.get(Song, key, consistent="yes")  # type: ignore[call-overload]
session.exists("music", key)  # type: ignore[arg-type]
session.refresh(Song)  # type: ignore[type-var]

for found in session.get_many(Song, [key]):
    assert_type(found, Song)
assert_type(session.transact_get((Song, key), (Prize, "Polar")), tuple[Song | None, Prize | None])

with session.edit(song) as edited:
    assert_type(edited, Song)
session.edit("text")  # type: ignore[type-var]

with session.transaction() as transaction:
    assert_type(transaction, Transaction)
    transaction.save(song)
    with transaction.edit(song, guard=True) as changed:
        assert_type(changed, Song)
    assert_type(transaction.move(song, Song("a", "b", "c")), Song)
    transaction.edit("text")  # type: ignore[type-var]
    transaction.edit(song, gaurd=True)  # type: ignore[call-arg]
    transaction.update(song, *actions, upsert=True)
    transaction.save("text")  # type: ignore[type-var]

# --- Batches ------------------------------------------------------------------------------------

with session.batch() as batch:
    assert_type(batch, Batch)
    assert_type(batch.save(song), Song)
    assert_type(batch.get(Song, key), Song | None)
    batch.save("text")  # type: ignore[call-overload]
    assert_type(batch.flush(), None)
    assert_type(batch.discard(), list[Unsent])
    batch.close()  # type: ignore[attr-defined]
    batch.batch()  # type: ignore[attr-defined]

session.batch(on_progress=print)
session.flush()  # type: ignore[attr-defined]
session.discard()  # type: ignore[attr-defined]

with Session() as one, one.batch() as two:
    assert_type(one, Session)
    assert_type(two, Batch)


def late(error: BaseException, traceback: TracebackType) -> None:
    session.__exit__(type(error), error, traceback)
    session.batch().__exit__(type(error), error, traceback)


assert_type(session.stats, Stats)
assert_type(session.stats.total, int)
session.client.list_tables(Limit=3)
session.client.list_tabels()  # type: ignore[attr-defined]

# --- Tables -------------------------------------------------------------------------------------

music = Table(
    "music",
    partition_key="artist",
    sort_key="title",
    indexes=[
        GlobalIndex("by-genre", partition_key="genre", sort_key=("year", "plays")),
        GlobalIndex("by-year", partition_key=["year", "genre"], projection="keys"),
        LocalIndex("by-plays", sort_key="plays", projection=["genre"]),
    ],
    ttl="expires",
    types={"plays": "N", "year": "N"},
)
assert_type(music.partition_key, str)
assert_type(music.sort_key, str | None)
Table("music")  # type: ignore[call-arg]
Table("music", "artist")  # type: ignore[call-arg]
Table("music", partition_key="artist", types={"plays": "int"})  # type: ignore[dict-item]
Table("music", partition_key="artist", indexes=["by-genre"])  # type: ignore[list-item]
GlobalIndex("by-genre")  # type: ignore[call-arg]
GlobalIndex("by-genre", partition_key=7)  # type: ignore[arg-type]
GlobalIndex("by-genre", partition_key="genre", projection=7)  # type: ignore[arg-type]
LocalIndex("by-plays", partition_key="genre", sort_key="plays")  # type: ignore[call-arg]

assert_type(session.tables.create(Song, music), None)
assert_type(session.tables.exists(Song), bool)
assert_type(session.tables.exists("music"), bool)
assert_type(session.tables.reflect("music"), Table)
assert_type(session.tables.reflect("music", samples=3), Table)
session.tables.reflect(Song)  # type: ignore[arg-type]
assert_type(Table.from_description({}, name="music", ttl="expires"), Table)
assert_type(session.tables.describe(music), dict[str, Any])
assert_type(session.tables.delete(Song, missing_ok=True), None)
session.tables.create("music")  # type: ignore[arg-type]
session.tables.delete(Song, missingok=True)  # type: ignore[call-arg]
