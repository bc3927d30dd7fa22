"""The verbs of a session on each engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

from dynattrs import (
    ConditionFailed,
    ConnectionFailed,
    GlobalIndex,
    InvalidRequest,
    ItemExists,
    MappingError,
    ModelError,
    MultipleItems,
    NoSuchItem,
    NoSuchTable,
    Progress,
    ServiceUnavailable,
    Session,
    Throttled,
    UnsentWrites,
    field,
    model,
    partition_key,
    path,
    sort_key,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


@model("music", indexes=[GlobalIndex("by-genre", partition_key="genre", sort_key="year")])
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "unknown"
    year: int = 0
    plays: int | None = None


@model("accounts")
class Account:
    id: str = partition_key()
    balance: int = 0
    version: int = field(version=True)


@model("accounts", frozen=True)
class FrozenAccount:
    id: str = partition_key()
    balance: int = 0
    version: int = field(version=True)


@model("logs")
class Log:
    id: str = partition_key()
    text: str = ""
    made: datetime | None = field(created=True)
    changed: datetime | None = field(updated=True)


@model("logs", frozen=True)
class FrozenLog:
    id: str = partition_key()
    text: str = ""
    made: datetime | None = field(created=True)
    changed: datetime | None = field(updated=True)


class Ticking:
    """A clock that a second goes by on with each look."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, Account, Log)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix, clock=Ticking())
    yield session
    session.close()


def songs(count: int, artist: str = "Nina") -> list[Song]:
    return [Song(artist, f"{n:04}", year=1950 + n) for n in range(count)]


# --- One item -------------------------------------------------------------------------------------


def test_what_is_saved_is_got(session: Session):
    song = Song("Nina", "Sinnerman", "jazz", 1965, 10)

    assert session.save(song) is song

    assert session.get(Song, ("Nina", "Sinnerman")) == song
    assert session.get_one(Song, {"artist": "Nina", "title": "Sinnerman"}, consistent=True) == song
    assert session.exists(Song, ("Nina", "Sinnerman")) is True


def test_what_is_not_there_is_none_or_an_error(session: Session):
    assert session.get(Song, ("Nina", "x")) is None
    assert session.exists(Song, ("Nina", "x")) is False
    with pytest.raises(NoSuchItem, match=r"there is no Song with the key \('Nina', 'x'\)"):
        session.get_one(Song, ("Nina", "x"))


def test_save_replaces_the_whole_item(session: Session):
    session.save(Song("Nina", "x", plays=3))
    session.save(Song("Nina", "x", year=1))

    assert session.get(Song, ("Nina", "x")) == Song("Nina", "x", year=1)


def test_save_under_a_condition(session: Session):
    session.save(Song("Nina", "x", year=1))

    session.save(Song("Nina", "x", year=2), when=Song.year == 1)
    with pytest.raises(ConditionFailed) as caught:
        session.save(Song("Nina", "x", year=3), when=Song.year == 1)

    assert caught.value.item == Song("Nina", "x", year=2)
    assert caught.value.key == {"artist": "Nina", "title": "x"}
    assert "Song.year == 1" in str(caught.value)


def test_save_under_a_condition_where_nothing_is_stored(session: Session):
    with pytest.raises(ConditionFailed, match="the item does not exist") as caught:
        session.save(Song("Nina", "x"), when=Song.year == 1)

    assert caught.value.item is None


def test_insert_stores_once(session: Session):
    assert session.insert(Song("Nina", "x", year=1)).year == 1

    with pytest.raises(ItemExists, match="there is an item of Song with the key") as caught:
        session.insert(Song("Nina", "x", year=2))

    assert caught.value.item == Song("Nina", "x", year=1)
    assert session.get(Song, ("Nina", "x")) == Song("Nina", "x", year=1)


def test_delete_by_object_and_by_key(session: Session):
    session.save_all(songs(3))

    session.delete(Song("Nina", "0000"))
    session.delete(Song, ("Nina", "0001"))
    session.delete(Song, ("Nina", "9999"))  # no error

    assert [song.title for song in session.scan(Song)] == ["0002"]


def test_delete_under_a_condition_and_returning_the_item(session: Session):
    session.save(Song("Nina", "x", year=1))

    with pytest.raises(ConditionFailed) as caught:
        session.delete(Song, ("Nina", "x"), when=Song.year == 2)
    assert caught.value.item == Song("Nina", "x", year=1)
    assert session.delete(Song, ("Nina", "x"), when=Song.year == 1, returning=True) == Song(
        "Nina", "x", year=1
    )
    assert session.delete(Song, ("Nina", "x"), returning=True) is None


def test_refresh_reads_into_the_object_itself(session: Session):
    song = session.save(Song("Nina", "x", year=1))
    session.save(Song("Nina", "x", year=2, plays=5))

    assert session.refresh(song) is song
    assert song == Song("Nina", "x", year=2, plays=5)


def test_refresh_of_an_item_that_is_gone_leaves_the_object(session: Session):
    song = Song("Nina", "x", year=1)

    with pytest.raises(NoSuchItem):
        session.refresh(song)
    assert song.year == 1


def test_an_object_has_its_key_and_a_class_needs_one(session: Session):
    with pytest.raises(ModelError, match="an object has its key already"):
        session.delete(Song("Nina", "x"), "x")  # type: ignore[call-overload]
    with pytest.raises(ModelError, match="a model class needs a key"):
        session.delete(Song)


def test_what_is_no_model_is_refused(session: Session):
    with pytest.raises(ModelError, match="str: an object of a model is expected, found str"):
        session.save("text")  # type: ignore[type-var]


def test_attributes_that_the_class_does_not_know_survive(
    session: Session, client: Any, table_prefix: str
):
    """pynamodb/PynamoDB#284, #331, #442"""
    item = {"artist": {"S": "Nina"}, "title": {"S": "x"}, "mood": {"S": "dark"}}
    client.put_item(TableName=f"{table_prefix}music", Item=item)

    song = session.get_one(Song, ("Nina", "x"))
    song.year = 1965
    session.save(song)

    stored = client.get_item(
        TableName=f"{table_prefix}music", Key={"artist": {"S": "Nina"}, "title": {"S": "x"}}
    )["Item"]
    assert stored["mood"] == {"S": "dark"}
    assert stored["year"] == {"N": "1965"}


def test_a_missing_table_says_what_to_do(session: Session, table_prefix: str):
    @model("elsewhere")
    class Elsewhere:
        id: str = partition_key()

    for use in (
        lambda: session.save(Elsewhere("a")),
        lambda: session.get(Elsewhere, "a"),
        lambda: session.scan(Elsewhere).all(),
    ):
        with pytest.raises(NoSuchTable) as caught:
            use()
        assert f"table '{table_prefix}elsewhere' does not exist" in str(caught.value)
        assert "session.tables.create" in str(caught.value)


# --- Versions and time stamps ---------------------------------------------------------------------


def test_a_version_goes_up_with_each_save(session: Session):
    account = Account("a")

    session.save(account)
    assert account.version == 1
    session.save(account)
    assert account.version == 2
    assert session.get(Account, "a") == account


def test_a_retry_after_a_conflict_fails_again(session: Session):
    """pydynox: the version moved before the write, so a plain retry overwrote the other writer."""
    session.save(Account("a", 100))
    mine, theirs = session.get_one(Account, "a"), session.get_one(Account, "a")
    theirs.balance = 50
    session.save(theirs)
    mine.balance = 70

    for _ in range(2):
        with pytest.raises(ConditionFailed) as caught:
            session.save(mine)
        assert caught.value.item == theirs
        assert mine.version == 1

    assert session.get_one(Account, "a").balance == 50


def test_an_object_that_was_never_stored_does_not_overwrite_one_that_was(session: Session):
    session.save(Account("a", 100))

    with pytest.raises(ConditionFailed):
        session.save(Account("a", 0))


def test_delete_checks_the_version_of_its_object_and_not_of_a_key(session: Session):
    stale = session.save(Account("a"))
    session.save(session.get_one(Account, "a"))

    with pytest.raises(ConditionFailed):
        session.delete(stale)
    session.delete(Account, "a")

    assert session.get(Account, "a") is None


def test_insert_begins_the_version(session: Session):
    account = session.insert(Account("a"))

    assert account.version == 1
    with pytest.raises(ItemExists):
        session.insert(account)
    assert account.version == 1


def test_a_versioned_object_in_a_batch_is_checked_at_once(session: Session):
    stale = session.save(Account("a"))
    session.save(session.get_one(Account, "a"))

    with session.batch() as batch, pytest.raises(ConditionFailed):
        batch.save(stale)


def test_save_all_of_versioned_objects(session: Session):
    accounts = [Account(f"{n}") for n in range(30)]

    session.save_all(accounts)

    assert {account.version for account in accounts} == {1}
    assert session.scan(Account).count() == 30


def test_save_all_reports_every_conflict_and_stores_the_others(session: Session):
    stale = [session.save(Account(f"{n}")) for n in range(3)]
    for account in stale:
        session.save(session.get_one(Account, account.id))
    fresh = [Account(f"new-{n}") for n in range(30)]

    with pytest.raises(UnsentWrites) as failed:
        session.save_all([stale[0], *fresh[:20], stale[1], *fresh[20:], stale[2]])

    assert failed.value.objects == stale
    assert all(isinstance(unsent.cause, ConditionFailed) for unsent in failed.value.unsent)
    assert {account.version for account in stale} == {1}
    assert {account.version for account in fresh} == {1}
    assert session.scan(Account).consistent().count() == 33


def test_save_all_goes_on_past_a_conflict_with_objects_that_have_no_version(session: Session):
    """More of them than are gathered before the conflict is known."""
    stale = session.save(Account("a"))
    session.save(session.get_one(Account, "a"))

    with pytest.raises(UnsentWrites) as failed:
        session.save_all([stale, *songs(500), Account("b")])

    assert failed.value.objects == [stale]
    assert session.scan(Song).consistent().count() == 500
    assert session.exists(Account, "b", consistent=True)


def test_save_all_of_one_versioned_object_several_times_keeps_their_order(session: Session):
    account = Account("a")

    def states() -> Iterator[Account]:
        for balance in range(20):
            account.balance = balance
            yield account

    session.save_all(states())

    assert account.version == 20
    assert session.get_one(Account, "a", consistent=True) == account
    assert account.balance == 19


def test_save_all_of_versioned_objects_inside_a_batch_follows_what_is_pending(session: Session):
    session.save(Account("a", 5))

    with session.batch() as batch:
        batch.delete(Account, "a")
        batch.save_all([Account("a", 7), Account("b", 8)])
        assert session.get_one(Account, "a", consistent=True).balance == 7

    assert session.get_one(Account, "a", consistent=True).balance == 7


def test_progress_hears_of_every_write_of_a_save_all_and_of_batches(client: Any, session: Session):
    heard: list[Progress] = []
    session.save_all(songs(60), on_progress=heard.append)
    assert heard[-1] == Progress(taken=60, stored=60, replaced=0, failed=0)
    assert [each.done for each in heard] == sorted(each.done for each in heard)

    heard.clear()
    telling = Session(
        client=client, table_prefix=session._core.table_prefix, on_progress=heard.append
    )
    with telling.batch() as batch:
        batch.save_all(songs(30))
        batch.save(next(iter(songs(1))))
    assert (heard[-1].taken, heard[-1].waiting, heard[-1].failed) == (31, 0, 0)


def test_a_frozen_object_comes_back_as_it_is_stored(session: Session):
    account = FrozenAccount("a")

    stored = session.save(account)

    assert (account.version, stored.version) == (0, 1)
    assert session.get(FrozenAccount, "a") == stored
    again = session.save(stored)
    assert again.version == 2
    fresh = session.refresh(stored)
    assert fresh == again
    assert stored.version == 1


def test_created_is_set_once_and_updated_each_time(session: Session):
    log = Log("a")

    session.save(log)
    made, first = log.made, log.changed
    session.save(log)

    assert made is not None
    assert first is not None
    assert log.made == made
    assert log.changed is not None
    assert log.changed > first
    assert session.get(Log, "a") == log


def test_time_stamps_in_a_batch_move_when_the_batch_has_ended(session: Session):
    log = Log("a")
    with session.batch() as batch:
        batch.save(log)
        assert log.made is None

    assert log.made is not None
    assert session.get(Log, "a") == log


def test_a_frozen_object_with_time_stamps_in_a_batch_comes_back_as_it_will_be_stored(
    session: Session,
):
    with session.batch() as batch:
        stored = batch.save(FrozenLog("a"))

    assert stored.made is not None
    assert session.get(FrozenLog, "a") == stored


# --- Batches ---------------------------------------------------------------------------------------


def test_a_batch_stores_everything_25_to_a_request(session: Session):
    with session.batch() as batch:
        for song in songs(130):
            batch.save(song)
        for number in range(20):
            batch.save(Log(f"{number}"))

    assert session.query(Song).where(Song.artist == "Nina").all() == songs(130)
    assert session.scan(Log).count() == 20
    assert session.stats.requests["BatchWriteItem"] == 6
    assert session.stats.requests["PutItem"] == 0


def test_save_all_takes_a_generator_and_batches_it(session: Session):
    session.save_all(song for song in songs(60))

    assert session.query(Song).where(Song.artist == "Nina").count() == 60
    assert session.stats.requests["BatchWriteItem"] == 3


class Cursor:
    """What gives objects, and cannot be looped over itself."""

    def __init__(self) -> None:
        self.left = songs(60)

    def __next__(self) -> Song:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)


class Rows:
    def __iter__(self) -> Cursor:
        return Cursor()


class Again(Cursor):
    """An iterator that begins anew at each `iter`, as tutorials write them."""

    begun = 0

    def __iter__(self) -> Cursor:
        self.begun += 1
        self.left = songs(60)
        assert self.begun == 1
        return self


@pytest.mark.parametrize("objects", [Rows, Again])
def test_save_all_begins_to_iterate_once(session: Session, objects: type[Any]):
    session.save_all(objects())
    assert session.scan(Song).count() == 60


def test_save_all_stores_what_came_before_an_error(session: Session):
    def failing() -> Iterator[Song]:
        yield from songs(3)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        session.save_all(failing())

    assert session.scan(Song).count() == 3


def test_save_all_takes_no_more_objects_when_none_can_be_stored(session: Session):
    @model("missing-table")
    class Lost:
        id: int = partition_key()

    taken: list[Lost] = []

    def endless() -> Iterator[Lost]:
        while len(taken) < 20_000:
            taken.append(Lost(len(taken)))
            yield taken[-1]

    with pytest.raises(UnsentWrites) as failed:
        session.save_all(endless())

    assert isinstance(failed.value.unsent[0].cause, NoSuchTable)
    assert sorted(map(id, failed.value.objects)) == sorted(map(id, taken))
    assert len(taken) < 2000


@model("missing-table")
class Missing:
    id: str = partition_key()


class Stop(BaseException):
    """An interruption."""


@pytest.mark.parametrize("gathered", [False, True])
def test_what_was_not_stored_goes_with_an_interruption_of_a_listener(
    session: Session, gathered: bool
):
    def interrupted(event: object) -> None:
        raise Stop

    session.on("flush", interrupted)
    lost = Missing("x")

    with pytest.raises(Stop) as caught:
        if gathered:
            with session.batch() as batch:
                batch.save(lost)
        else:
            session.save_all([lost])

    assert isinstance(caught.value.__cause__, UnsentWrites)
    assert caught.value.__cause__.objects == [lost]


@pytest.mark.threads_only  # a generator awaits nothing
def test_a_save_all_inside_another_one_comes_after_what_that_has_taken(session: Session):
    def rising() -> Iterator[Song]:
        for year in range(1, 60):
            yield Song("Nina", "x", year=year)
            session.save_all([Song("Nina", "x", year=-year), Song("Nina", f"y{year}")])

    session.save_all(rising())

    assert session.get_one(Song, ("Nina", "x")).year == -59
    assert session.scan(Song).count() == 60


def test_the_last_write_to_a_key_wins_in_a_batch(session: Session):
    """pynamodb/PynamoDB#1243: the same key twice in one batch is an error of the service's."""
    with session.batch() as batch:
        for year in range(40):
            batch.save(Song("Nina", "x", year=year))
        batch.save(Song("Nina", "gone"))
        batch.delete(Song, ("Nina", "gone"))
        batch.delete(Song, ("Nina", "back"))
        batch.save(Song("Nina", "back"))

    assert session.query(Song).where(Song.artist == "Nina").all() == [
        Song("Nina", "back"),
        Song("Nina", "x", year=39),
    ]


def test_order_per_key_holds_over_many_batches(session: Session):
    with session.batch() as batch:
        for year in range(20):
            for number in range(30):
                batch.save(Song("Nina", f"{number:02}", year=year))

    assert {song.year for song in session.scan(Song)} == {19}


@pytest.mark.parametrize(
    "read",
    [
        lambda s: s.get(Song, ("Nina", "0001"), consistent=True).title,
        lambda s: s.get_one(Song, ("Nina", "0001"), consistent=True).title,
        lambda s: s.refresh(Song("Nina", "0001", "old")).title,
        lambda s: "0001" if s.exists(Song, ("Nina", "0001"), consistent=True) else None,
        lambda s: s.query(Song).where(Song.artist == "Nina").consistent().all()[1].title,
        lambda s: {song.title for song in s.scan(Song).consistent()} & {"0001"} and "0001",
        lambda s: s.delete(Song, ("Nina", "0001"), returning=True).title,
        lambda s: s.save(Song("Nina", "0001"), when=Song.year == 1951).title,
    ],
    ids=["get", "get_one", "refresh", "exists", "query", "scan", "delete", "save when"],
)
def test_a_batch_reads_what_it_has_written(session: Session, read: Any):
    with session.batch() as batch:
        batch.save_all(songs(3))

        assert read(batch) == "0001"


def test_reading_another_key_sends_nothing(session: Session):
    with session.batch() as batch:
        batch.save_all(songs(3))
        batch.get(Song, ("Nina", "other"))
        batch.scan(Log).all()

        assert session.stats.requests["BatchWriteItem"] == 0


def test_insert_in_a_batch_sees_what_is_pending_for_its_key(session: Session):
    with session.batch() as batch:
        batch.save(Song("Nina", "x", year=1))
        with pytest.raises(ItemExists):
            batch.insert(Song("Nina", "x", year=2))


def test_one_item_that_the_service_refuses_does_not_take_the_others_along(
    session: Session, client: Any, table_prefix: str
):
    """A model whose key is not the table's: the service refuses the whole batch."""
    client.create_table(
        TableName=f"{table_prefix}strange",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )

    @model("strange")
    class Strange:
        id: str = partition_key()

    strange = Strange("text where the table has a number")
    with pytest.raises(UnsentWrites) as caught:
        save_in_a_batch(session, [*songs(20), strange])

    assert caught.value.objects[0] is strange
    assert len(caught.value.unsent) == 1
    assert isinstance(caught.value.unsent[0].cause, InvalidRequest)
    assert session.scan(Song).count() == 20


def save_in_a_batch(session: Session, objects: list[Any]) -> None:
    with session.batch() as batch:
        for each in objects:
            batch.save(each)


def test_twenty_threads_write_through_one_batch(session: Session):
    def write(s: Any, worker: int) -> None:
        for song in songs(60, artist=f"artist {worker}"):
            s.save(song)

    with session.batch() as batch:
        threads = [threading.Thread(target=write, args=(batch, worker)) for worker in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    stored = session.scan(Song).all()
    assert len(stored) == 1200
    assert {song.artist for song in stored} == {f"artist {worker}" for worker in range(20)}


# --- Queries and scans ----------------------------------------------------------------------------


@pytest.fixture
def stored(session: Session) -> list[Song]:
    made = songs(30)
    session.save_all([*made, *songs(5, artist="Miles")])
    return made


def test_a_query_finds_a_partition_in_order(session: Session, stored: list[Song]):
    nina = session.query(Song).where(Song.artist == "Nina")

    assert nina.all() == stored
    assert list(nina) == stored
    assert nina.reverse().all() == stored[::-1]
    assert nina.reverse().reverse().all() == stored
    assert nina.count() == 30


def test_a_query_narrows_by_the_sort_key(session: Session, stored: list[Song]):
    nina = session.query(Song).where(Song.artist == "Nina")

    assert nina.where(Song.title < "0003").all() == stored[:3]
    assert nina.where(Song.title == "0003").one() == stored[3]


def test_first_and_one(session: Session, stored: list[Song]):
    nina = session.query(Song).where(Song.artist == "Nina")

    assert nina.first() == stored[0]
    assert nina.reverse().first() == stored[-1]
    assert nina.where(Song.title == "none").first() is None
    with pytest.raises(NoSuchItem):
        nina.where(Song.title == "none").one()
    with pytest.raises(MultipleItems, match=r"use first\(\)"):
        nina.one()


def test_limit_counts_what_is_returned(session: Session, stored: list[Song]):
    """Elsewhere limit means page size, or is ignored by count (PynamoDB#137, #681, #1056)."""
    later = session.query(Song).where(Song.artist == "Nina").filter(Song.year >= 1960)

    assert later.limit(3).all() == stored[10:13]
    assert later.limit(3).page_size(2).all() == stored[10:13]
    assert later.limit(3).count() == 3
    assert later.limit(100).count() == 20
    assert later.page_size(7).count() == 20


def test_pages_are_as_the_service_returns_them(session: Session, stored: list[Song]):
    pages = list(session.query(Song).where(Song.artist == "Nina").page_size(12).pages())

    assert [len(page) for page in pages if page.scanned] == [12, 12, 6]
    assert [song for page in pages for song in page] == stored


def test_a_loop_that_is_left_early_stops_asking(session: Session, stored: list[Song]):
    for song in session.query(Song).where(Song.artist == "Nina").page_size(2):
        if song == stored[1]:
            break

    assert session.stats.requests["Query"] == 1


def test_a_query_asks_nothing_before_the_first_item(session: Session, stored: list[Song]):
    iter(session.query(Song).where(Song.artist == "Nina"))

    assert session.stats.requests["Query"] == 0


def test_a_query_may_be_read_twice_and_by_two_loops(session: Session, stored: list[Song]):
    nina = session.query(Song).where(Song.artist == "Nina").page_size(4)

    assert [a == b for a, b in zip(nina, nina, strict=True)] == [True] * 30


def test_a_scan_reads_the_table(session: Session, stored: list[Song]):
    scan = session.scan(Song)

    assert scan.count() == 35
    assert len(scan.page_size(4).all()) == 35
    assert scan.filter(Song.artist == "Miles").count() == 5
    assert len(scan.limit(7).all()) == 7


def test_a_query_of_an_index(session: Session):
    session.save_all(Song("x", f"{n}", "jazz" if n % 2 else "pop", 1950 + n) for n in range(10))

    jazz = session.query(Song).where(Song.genre == "jazz", path(Song.year) > 1953)

    assert [song.year for song in jazz] == [1955, 1957, 1959]
    assert [song.year for song in jazz.reverse().limit(1)] == [1959]


def test_a_consistent_read_sees_the_write(session: Session):
    for number in range(10):
        session.save(Song("Nina", f"{number}"))
        found = session.query(Song).where(Song.artist == "Nina").consistent().count()
        assert found == number + 1


# --- Names of tables ------------------------------------------------------------------------------


def test_tables_have_other_names_by_prefix_and_by_name(client: Any, table_prefix: str):
    """pynamodb/PynamoDB#177, #198, #327, #487"""
    real = f"{table_prefix}renamed"
    session = Session(client=client, table_prefix=f"{table_prefix}dev-", tables={"music": real})
    session.tables.create(Song, Log)

    session.save(Song("Nina", "x"))
    session.save(Log("a"))

    assert client.scan(TableName=real)["Count"] == 1
    assert client.scan(TableName=f"{table_prefix}dev-logs")["Count"] == 1
    session.close()


# --- Faults ---------------------------------------------------------------------------------------


@pytest.fixture
def shaky(
    session: Session, faults: Any, client_arguments: dict[str, Any], table_prefix: str
) -> Iterator[Session]:
    """A session whose requests pass a proxy that injects faults. botocore does not retry."""
    client = boto3.client("dynamodb", **{**client_arguments, "endpoint_url": faults.endpoint})
    shaky = Session(client=client, table_prefix=table_prefix, deadline=timedelta(seconds=20))
    yield shaky
    shaky.close()
    client.close()


def fault(faults: Any, kind: str, operation: str, times: int) -> None:
    if kind == "throttled":
        faults.throttle(operation, times=times)
    elif kind == "500":
        faults.fail(operation, "InternalServerError", times=times, status=500)
    else:
        faults.reset(operation, times=times)


@pytest.mark.parametrize("kind", ["throttled", "500", "reset"])
def test_passing_faults_of_batches_lose_nothing(
    session: Session, shaky: Session, faults: Any, kind: str
):
    """boto/boto3#2088, #1424: the batch's call raises and its items are gone."""
    fault(faults, kind, "BatchWriteItem", times=5)

    save_in_a_batch(shaky, songs(100))

    assert len(faults.fired) == 5
    assert session.query(Song).where(Song.artist == "Nina").all() == songs(100)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("throttled", Throttled), ("500", ServiceUnavailable), ("reset", ConnectionFailed)],
)
def test_a_single_call_raises_what_is_wrong(
    shaky: Session, faults: Any, kind: str, error: type[Exception]
):
    fault(faults, kind, "PutItem", times=1)

    with pytest.raises(error, match="PutItem"):
        shaky.save(Song("Nina", "x"))


def test_after_the_deadline_the_very_objects_are_reported(
    client_arguments: dict[str, Any], session: Session, faults: Any, table_prefix: str
):
    """PynamoDB#1257: given up in silence. aws-sdk-net#665: nobody can tell which ones."""
    client = boto3.client("dynamodb", **{**client_arguments, "endpoint_url": faults.endpoint})
    hasty = Session(client=client, table_prefix=table_prefix, deadline=timedelta(seconds=0.3))
    faults.throttle("BatchWriteItem", times=1000)
    made = songs(60)

    with pytest.raises(UnsentWrites) as caught:
        save_in_a_batch(hasty, made)

    assert {id(each) for each in caught.value.objects} == {id(song) for song in made}
    assert all(isinstance(each.cause, Throttled) for each in caught.value.unsent)
    hasty.close()
    client.close()


def test_an_item_that_cannot_be_read_says_where(session: Session, client: Any, table_prefix: str):
    item = {"artist": {"S": "Nina"}, "title": {"S": "x"}, "plays": {"S": "many"}}
    client.put_item(TableName=f"{table_prefix}music", Item=item)

    with pytest.raises(MappingError, match=r"Song\.plays: expected a number \(N\), found S 'many'"):
        session.get(Song, ("Nina", "x"))


def test_progress_is_told_before_save_all_returns(session: Session):
    told: list[int] = []

    def slowly(progress: Progress) -> None:
        time.sleep(0.05)
        told.append(progress.stored)

    session.save_all(songs(60), on_progress=slowly)

    assert told[-1] == 60
