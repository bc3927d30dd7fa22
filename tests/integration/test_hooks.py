"""Hooks and listeners on each engine, through every verb that saves or reads whole objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import boto3
import pytest

from dynattrs import (
    ConditionFailed,
    Flushed,
    ItemExists,
    Session,
    TransactionFailed,
    UnsentWrites,
    field,
    model,
    partition_key,
    set_,
    sort_key,
)
from dynattrs.events import AfterSend, BeforeSend, Flush
from dynattrs.operations.writing import ledger


def normalise(song: Song) -> None:
    song.artist_key = song.artist.casefold()


def label(song: Song) -> None:
    # What a half-built object would not have.
    assert (song.artist_key, song.title, song.plays) != (None, None, None)
    song.seen += 1


@model("hooked", before_save=normalise, after_load=label)
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    artist_key: str = ""
    plays: int = 0
    #: How often the object went through `label`.
    seen: int = 0


@model("hooked-plays")
class Play:
    id: int = partition_key()


@attrs.define
class Title:
    artist: str
    title: str
    seen: int = 0


def upper(tag: Tag) -> Tag | None:
    return attrs.evolve(tag, name=tag.name.upper())


@model("tags", frozen=True, before_save=upper)
class Tag:
    id: str = partition_key()
    name: str = ""
    version: int = field(version=True)


KEY = ("Nina Simone", "Sinnerman")


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, Tag, Play)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


@pytest.fixture
def stored(session: Session) -> Session:
    session.save(Song(*KEY))
    return session


def raw(session: Session, song: Song) -> dict[str, Any]:
    [item] = session.query(Song).where(Song.artist == song.artist, Song.title == song.title).raw()
    return item


# --- Before a save --------------------------------------------------------------------------------


def test_every_way_to_save_a_whole_object_goes_through_the_hook(session: Session):
    session.save(Song("Save", "x"))
    session.insert(Song("Insert", "x"))
    session.save_all([Song("Save_All", "x")])
    with session.batch() as batch:
        batch.save(Song("Batch", "x"))
    with session.transaction() as t:
        t.save(Song("Transaction", "x"))
        t.insert(Song("Transaction_Insert", "x"))

    found = {song.artist: song.artist_key for song in session.scan(Song)}

    assert len(found) == 6
    assert all(key == artist.casefold() for artist, key in found.items())


def test_an_edit_that_changes_something_goes_through_the_hook(stored: Session):
    song = stored.get_one(Song, KEY)
    song.artist_key = ""

    with stored.edit(song):
        song.plays = 3

    assert song.artist_key == "nina simone"
    assert raw(stored, song)["artist_key"] == {"S": "nina simone"}
    assert raw(stored, song)["plays"] == {"N": "3"}


def test_an_edit_that_changes_nothing_calls_no_hook_and_sends_nothing(stored: Session):
    calls: list[Any] = []
    session = Session(
        client=stored.client, table_prefix=stored._core.table_prefix, before_save=calls.append
    )
    song = session.get_one(Song, KEY)
    before = session.stats.total

    with session.edit(song):
        pass

    assert calls == []
    assert session.stats.total == before


def test_an_edit_whose_hook_fails_sends_nothing_and_the_next_one_still_writes_it(stored: Session):
    def fails(song: Any) -> None:
        if song.plays == 3:
            raise ValueError("not three")

    session = Session(
        client=stored.client, table_prefix=stored._core.table_prefix, before_save=fails
    )
    song = session.get_one(Song, KEY)

    with pytest.raises(ValueError, match="not three"), session.edit(song):
        song.plays = 3
    assert raw(stored, song)["plays"] == {"N": "0"}
    song.plays = 4
    with session.edit(song):
        pass

    assert raw(stored, song)["plays"] == {"N": "4"}


def test_an_update_goes_through_no_hook_since_there_is_no_object(stored: Session):
    stored.update(Song, KEY, set_(Song.artist_key, "mine"), returns=None)

    assert raw(stored, Song(*KEY))["artist_key"] == {"S": "mine"}


def test_a_frozen_object_with_a_version_is_replaced_and_can_be_saved_again(session: Session):
    first = session.save(Tag("a", "jazz"))
    second = session.save(attrs.evolve(first, name="blues"))

    assert (first.name, first.version) == ("JAZZ", 1)
    assert (second.name, second.version) == ("BLUES", 2)
    assert session.get(Tag, "a") == second


def test_a_save_all_whose_hook_fails_stores_what_was_taken_before(session: Session):
    def fails(song: Any) -> None:
        if song.title == "bad":
            raise ValueError("bad song")

    failing = Session(
        client=session.client, table_prefix=session._core.table_prefix, before_save=fails
    )

    with pytest.raises(ValueError, match="bad song"):
        failing.save_all(Song("x", title) for title in ("good", "bad", "never"))

    assert [song.title for song in session.scan(Song)] == ["good"]


# --- After a read ---------------------------------------------------------------------------------


def test_every_read_of_objects_goes_through_the_hook_once(stored: Session):
    table = stored._core.table_name(Song.__dynattrs__.table)  # type: ignore[attr-defined]
    query = stored.query(Song).where(Song.artist == "Nina Simone")
    read = {
        "get": stored.get(Song, KEY),
        "get_one": stored.get_one(Song, KEY),
        "get_many": next(iter(stored.get_many(Song, [KEY]))),
        "ordered": next(iter(stored.get_many(Song, [KEY], ordered=True))),
        "iteration": next(iter(query)),
        "all": query.all()[0],
        "first": query.first(),
        "one": query.one(),
        "page": query.page(1)[0],
        "pages": next(query.pages())[0],
        "skipping": query.on_error("skip").limit(1).all()[0],
        "scan": stored.scan(Song).all()[0],
        "parallel": stored.scan(Song).parallel(2).all()[0],
        "transact_get": stored.transact_get((Song, KEY))[0],
        "execute": next(iter(stored.execute(f'SELECT * FROM "{table}"', model=Song))),
        "update": stored.update(Song, KEY, set_(Song.plays, 1)),
        "old": stored.update(Song, KEY, set_(Song.plays, 1), returns="old"),
        "refresh": stored.refresh(Song(*KEY)),
        "delete": stored.delete(Song, KEY, returning=True),
    }

    assert {name: song.seen for name, song in read.items()} == dict.fromkeys(read, 1)


def test_projections_keys_and_raw_items_go_through_no_hook(stored: Session):
    query = stored.query(Song).where(Song.artist == "Nina Simone")

    assert query.as_(Title).one().seen == 0
    assert query.select(Song.seen).one() == (0,)
    assert query.keys().one() == {"artist": KEY[0], "title": KEY[1]}
    assert query.raw().one()["seen"] == {"N": "0"}


def test_the_items_of_errors_went_through_the_hook(stored: Session):
    with pytest.raises(ItemExists) as exists:
        stored.insert(Song(*KEY))
    with pytest.raises(ConditionFailed) as put:
        stored.save(Song(*KEY), when=Song.plays > 7)
    with pytest.raises(ConditionFailed) as update:
        stored.update(Song, KEY, set_(Song.plays, 1), when=Song.plays > 7)
    with pytest.raises(ConditionFailed) as delete:
        stored.delete(Song, KEY, when=Song.plays > 7)
    with pytest.raises(TransactionFailed) as transaction, stored.transaction() as t:
        t.insert(Song(*KEY))

    [reason] = transaction.value.reasons
    assert reason is not None
    found = [error.value.item for error in (exists, put, update, delete)] + [reason.item]
    assert [song.seen for song in found] == [1] * 5


def test_a_hook_that_fails_on_the_item_of_an_error_does_not_hide_the_error(
    stored: Session, caplog: pytest.LogCaptureFixture
):
    def fails(song: Any) -> None:
        raise ValueError("no")

    session = Session(
        client=stored.client, table_prefix=stored._core.table_prefix, after_load=fails
    )

    with pytest.raises(ItemExists) as exists:
        session.insert(Song(*KEY))

    assert exists.value.item == Song(*KEY, "nina simone", seen=1)
    assert "an after_load hook failed" in caplog.text


def test_an_error_of_a_hook_is_no_item_that_cannot_be_read(stored: Session):
    """`on_error("skip")` is for items; an error of the program is not to be skipped in silence."""

    def fails(song: Any) -> None:
        raise ValueError("no")

    session = Session(
        client=stored.client, table_prefix=stored._core.table_prefix, after_load=fails
    )

    with pytest.raises(ValueError, match="no"):
        session.scan(Song).on_error("skip").all()


# --- After a flush --------------------------------------------------------------------------------


def test_a_batch_tells_what_it_has_stored_and_what_it_could_not(session: Session):
    flushed: list[Flushed] = []
    hooked = Session(
        client=session.client, table_prefix=session._core.table_prefix, after_flush=flushed.append
    )
    songs = [Song("x", str(number)) for number in range(60)]
    lost = Lost("a")

    with pytest.raises(UnsentWrites) as unsent, hooked.batch() as batch:
        for song in songs:
            batch.save(song)
        batch.delete(Song, ("x", "gone"))
        batch.save(lost)

    saved = [song for each in flushed for song in each.saved]
    assert sorted(map(id, saved)) == sorted(map(id, songs))
    assert [each for one in flushed for each in one.deleted] == [(Song, ("x", "gone"))]
    assert tuple(each for one in flushed for each in one.failed) == tuple(unsent.value.unsent)
    assert unsent.value.objects == [lost]


@model("no-such-table")
class Lost:
    id: str = partition_key()


def test_a_long_save_all_tells_of_portions_while_it_goes_on(
    session: Session, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ledger, "PORTION_OBJECTS", 50)
    yielded, told = 0, list[int]()
    hooked = Session(
        client=session.client,
        table_prefix=session._core.table_prefix,
        after_flush=lambda flushed: told.append(yielded),
    )

    def plays() -> Iterator[Play]:
        nonlocal yielded
        while yielded < 400:
            yielded += 1
            yield Play(yielded)

    hooked.save_all(plays())

    assert len(told) > 3
    assert told[0] < 300


def test_objects_with_a_version_are_told_as_well(session: Session):
    flushed: list[Flushed] = []
    hooked = Session(
        client=session.client, table_prefix=session._core.table_prefix, after_flush=flushed.append
    )
    tags = [Tag(str(number)) for number in range(5)]

    hooked.save_all(tags)

    assert sorted(map(id, (tag for each in flushed for tag in each.saved))) == sorted(map(id, tags))


# --- Listeners ------------------------------------------------------------------------------------


def test_a_session_hears_of_all_its_batches_in_all_their_threads(session: Session):
    before: list[BeforeSend] = []
    after: list[AfterSend] = []
    flushes: list[Flush] = []
    session.on("before_send", before.append)
    session.on("after_send", after.append)
    end = session.on("flush", flushes.append)

    with session.batch() as batch:
        for number in range(60):
            batch.save(Song("secret", str(number)))
    songs = session.query(Song).where(Song.artist == "secret").all()
    end()
    session.save_all([Song("secret", "x")])

    assert len(songs) == 60
    assert sorted(each.request for each in before) == sorted(each.request for each in after)
    writes = [each for each in after if each.operation == "BatchWriteItem"]
    assert sorted(each.count for each in writes) == [1, 10, 25, 25]
    [query] = [each for each in after if each.operation == "Query"]
    assert (query.returned, query.matched, query.scanned) == (60, 60, 60)
    assert query.tables == (session._core.table_prefix + "hooked",)
    assert query.capacity > 0
    assert [(each.saved, each.failed) for each in flushes] == [(60, 0)]
    assert "secret" not in repr((before, after, flushes))
    assert session.stats.items["BatchWriteItem"] == 61
    assert session.stats.items["Query"] == 60


def test_what_fails_and_is_sent_again_is_told_and_a_bad_listener_loses_nothing(
    faults: Any, client_arguments: dict[str, Any], session: Session
):
    client = boto3.client("dynamodb", **{**client_arguments, "endpoint_url": faults.endpoint})
    shaky = Session(client=client, table_prefix=session._core.table_prefix)
    heard: list[Any] = []
    shaky.on("retry", heard.append)
    for name in ("before_send", "after_send", "retry", "flush"):
        shaky.on(name, lambda event: 1 / 0)  # type: ignore[call-overload]
    faults.throttle("BatchWriteItem", times=3)

    shaky.save_all(Song("x", str(number)) for number in range(25))

    assert session.scan(Song).count() == 25
    assert [each.attempt for each in heard] == [1, 2, 3]
    assert {(each.operation, each.count, each.by) for each in heard} == {
        ("BatchWriteItem", 25, "dynattrs")
    }
    shaky.close()
    client.close()
