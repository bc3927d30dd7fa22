"""What calls cost: `session.measure()`, rates of writes, and warnings of what is slow or costly."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    GlobalIndex,
    ItemExists,
    MeasureClosed,
    ModelError,
    Session,
    SessionClosed,
    Usage,
    field,
    item_size,
    model,
    partition_key,
    set_,
    sort_key,
)
from dynattrs.testing import clock


@model("songs", indexes=[GlobalIndex("by-genre", partition_key="genre", sort_key="year")])
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "jazz"
    year: int = 0
    text: str = ""


@model("people")
class Person:
    id: str = partition_key()
    email: str = field(unique=True, default="")


@pytest.fixture
def table_prefix(kept_tables: Any) -> Any:
    return kept_tables(Song, Person)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def inner(session: Any) -> Any:
    """The session itself, where tests see one that is awaited."""
    return getattr(session, "_inner", session)


def songs(count: int, artist: str = "a", **values: Any) -> list[Song]:
    return [Song(artist, f"title {n:04}", year=n, **values) for n in range(count)]


def assert_alike(one: Usage, another: Usage) -> None:
    assert attrs.astuple(one) == pytest.approx(attrs.astuple(another))


def test_what_goes_through_a_handle_is_counted(session: Session, table_prefix: str) -> None:
    name = f"{table_prefix}songs"
    session.save(Song("before", "and not counted"))
    with session.measure() as cost:
        cost.save(Song("a", "title 9999"))
        session.save(Song("besides", "and not counted"))
        cost.save_all(songs(60))
        assert cost.get(Song, ("a", "title 0001")) == songs(2)[1]
        assert len(cost.query(Song).where(Song.genre == "jazz", Song.year < 10).all()) == 13
        cost.update(Song, ("a", "title 0001"), set_(Song.text, "new"))
        with pytest.raises(ItemExists):
            cost.insert(songs(1)[0])
    assert cost.requests == 1 + 3 + 1 + 1 + 1 + 1
    assert cost.items == 1 + 60 + 1 + 13 + 1
    assert {name: each.requests for name, each in cost.by_operation.items()} == {
        "PutItem": 2, "BatchWriteItem": 3, "GetItem": 1, "Query": 1, "UpdateItem": 1,
    }  # fmt: skip
    assert list(cost.by_table) == [name]
    assert_alike(cost.by_table[name], cost.usage)
    index = cost.by_index[name, "by-genre"]
    assert (index.requests, index.items) == (1, 13)
    assert index.read_units == 0.5
    # Each of 61 new items is written to the table and to its index; one is written once more.
    assert 61 <= index.write_units <= 63
    assert cost.by_index[name, None].read_units == 0.5
    parts = sum((each for each in cost.by_index.values()), Usage())
    assert_alike(parts, cost.usage)
    assert cost.write_units >= 123
    assert cost.seconds > 0
    assert cost.retries == 0


@pytest.mark.full
def test_disjoint_measures_of_many_threads_make_the_sessions_statistics(session: Session) -> None:
    everything = songs(300)
    before = Counter(session.stats.requests), Counter(session.stats.items), session.stats.retries
    capacity = Counter(session.stats.capacity)

    def work(n: int) -> Any:
        with session.measure() as cost:
            with cost.batch() as batch:
                for song in everything[n::32]:
                    batch.save(Song(f"artist {n}", song.title, year=song.year))
            cost.save(Person(f"p{n}", email=f"p{n % 30}@example.org")) if n < 30 else None
            if n >= 30:
                with pytest.raises(AlreadyTaken):
                    cost.save(Person(f"p{n}", email=f"p{n - 30}@example.org"))
            titles = [(f"artist {n}", song.title) for song in everything[n::32]]
            assert len(list(cost.get_many(Song, titles))) == len(titles)
            assert len(cost.query(Song).where(Song.artist == f"artist {n}").all()) == len(titles)
            with cost.transaction() as t:
                t.save(Song(f"artist {n}", "in a transaction"))
                t.delete(Song, (f"artist {n}", "never there"))
        return cost

    with ThreadPoolExecutor(32) as pool:
        # Those whose address is taken come after those that take it.
        costs = [*pool.map(work, range(30)), *pool.map(work, range(30, 32))]
    stats = session.stats
    counted = Counter[str](), Counter[str](), Counter[str]()
    for cost in costs:
        for name, usage in cost.by_operation.items():
            counted[0][name] += usage.requests
            counted[1][name] += usage.items
            counted[2][name] += usage.read_units + usage.write_units
    assert counted[0] == stats.requests - before[0]
    assert +counted[1] == +(stats.items - before[1])
    assert dict(+counted[2]) == pytest.approx(dict(+(stats.capacity - capacity)))
    assert sum(cost.retries for cost in costs) == stats.retries - before[2]


def test_a_part_is_measured_within_the_whole(session: Session) -> None:
    with session.measure() as whole:
        whole.save(Song("a", "b"))
        with whole.measure() as part:
            part.save(Song("a", "c"))
            with part.batch() as batch:
                batch.save(Song("a", "d"))
        whole.save(Song("a", "e"))
    assert (part.requests, whole.requests) == (2, 4)


def test_a_refused_request_counts_and_has_read_nothing(session: Session, table_prefix: str) -> None:
    with session.measure() as cost, pytest.raises(ItemExists):
        session.save(Song("a", "b"))
        cost.insert(Song("a", "b"))
    assert (cost.requests, cost.items) == (1, 0)
    assert cost.by_table[f"{table_prefix}songs"].requests == 1


def test_a_statement_of_partiql_counts_for_its_table(session: Session, table_prefix: str) -> None:
    session.save(Song("a", "b"))
    with session.measure() as cost:
        rows = list(cost.execute(f'SELECT * FROM "{table_prefix}songs" WHERE artist = ?', "a"))
    assert len(rows) == 1
    assert (cost.requests, cost.items) == (1, 1)
    if cost.read_units:  # the embedded engine does not say it
        assert cost.by_table[f"{table_prefix}songs"].items == 1


def test_outside_of_its_block_a_measure_is_refused(session: Session) -> None:
    cost = session.measure()
    with pytest.raises(MeasureClosed, match="has not begun"):
        cost.save(Song("a", "b"))
    with cost:
        cost.save(Song("a", "b"))
        with pytest.raises(MeasureClosed, match="entered before"):
            cost.__enter__()
    assert cost.requests == 1
    with pytest.raises(MeasureClosed, match="has ended"):
        cost.save(Song("a", "c"))
    with pytest.raises(MeasureClosed, match="has ended"):
        cost.__enter__()


def test_a_measure_does_not_end_before_its_batches(session: Session) -> None:
    cost = session.measure().__enter__()
    batch = cost.batch().__enter__()
    batch.save(Song("a", "b"))
    with pytest.raises(SessionClosed, match="still open"):
        cost.__exit__(None, None, None)
    batch.__exit__(None, None, None)
    cost.__exit__(None, None, None)
    assert session.exists(Song, ("a", "b"))
    assert cost.items == 1


def test_what_a_measure_has_begun_ends_with_it(session: Session) -> None:
    session.save_all(songs(30))
    with session.measure() as cost:
        found = iter(cost.query(Song).where(Song.artist == "a").page_size(5))
        next(found)
    with pytest.raises(SessionClosed):
        list(found)


def test_writes_keep_to_their_rate(client: Any, table_prefix: str) -> None:
    with Session(client=client, table_prefix=table_prefix, write_units=100) as session:
        with clock(inner(session)) as time:
            session.save_all(songs(250, text="x" * 900))
            session.save(Song("b", "one more"))
        units = session.stats.capacity
    written = units["BatchWriteItem"] + units["PutItem"]
    assert written >= 500  # the index costs as well
    # A second's units are there at the beginning, and what is under way at the end is not waited for.
    spent = sum(time.pauses)
    assert spent <= written / 100
    assert spent >= (written - 100 - 5 * 50) / 100


def test_a_batch_has_a_rate_of_its_own(session: Session) -> None:
    with clock(inner(session)) as time:
        with session.batch(write_units=50) as batch:
            for song in songs(200):
                batch.save(song)
        slow = sum(time.pauses)
        session.save_all(songs(200, "b"))
        assert sum(time.pauses) == slow
    assert slow >= (400 - 50 - 5 * 50) / 50


def test_threads_share_one_rate(client: Any, table_prefix: str) -> None:
    with Session(client=client, table_prefix=table_prefix, write_units=20) as session:
        with clock(inner(session)) as time:
            threads = [
                threading.Thread(target=session.save, args=(Song(f"a{n}", "b"),)) for n in range(60)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        written = session.stats.capacity["PutItem"]
    # Turns are taken one after the other; the last one waits for all before it.
    assert max(time.pauses) <= written / 20
    assert session.stats.requests["PutItem"] == 60


def test_slow_and_costly_calls_are_warned_of(
    client: Any, table_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "dynattrs")
    slow = timedelta(microseconds=1)
    with Session(client=client, table_prefix=table_prefix, slow=slow) as session:
        session.save(Song("secret artist", "secret title"))
    assert f"slow call PutItem: table={table_prefix}songs seconds=" in caplog.text
    caplog.clear()
    with Session(client=client, table_prefix=table_prefix, costly=20) as session:
        session.save(Song("a", "b"))
        assert not caplog.text
        session.save_all(songs(25))
        assert "costly call BatchWriteItem" in caplog.text
        assert "secret" not in caplog.text
        caplog.clear()
        list(session.query(Song).where(Song.genre == "jazz"))
    assert not caplog.text


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"write_units": 0}, "write_units=0: a positive number"),
        ({"write_units": True}, "write_units=True"),
        ({"costly": float("nan")}, "costly=nan"),
        ({"slow": 3}, "slow=3: a timedelta"),
        ({"slow": timedelta()}, "longer than nothing"),
    ],
)
def test_options_that_make_no_sense(client: Any, options: Any, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        Session(client=client, **options)


def test_the_size_of_an_item_is_what_the_service_counts(session: Session) -> None:
    song = Song("artist", "title", text="x" * 1500)
    size = item_size(song)
    # Text and names; the number of the year, of no digits, takes a byte or two.
    stated = "artistartist titletitle genrejazz yeartext".replace(" ", "")
    assert abs(size - len(stated) - 1500) <= 2
    assert item_size({"id": {"S": "ab"}, "n": {"NULL": True}}) == 6
    with session.measure() as cost:
        cost.save(song)
    if cost.write_units:
        assert cost.write_units == 2 * -(-size // 1024)
    with pytest.raises(ModelError):
        item_size(object())


@pytest.mark.threads_only("it is written for asyncio")
@pytest.mark.parametrize("saves", [1, 100])
def test_what_is_cancelled_gives_its_turn_back(
    client_arguments: dict[str, Any], endpoint: Any, table_prefix: str, saves: int
) -> None:
    pytest.importorskip("aiobotocore")
    aio = pytest.importorskip("dynattrs.aio")
    names = {name: value for name, value in client_arguments.items() if name == "endpoint_url"}

    async def main() -> float:
        import aiobotocore.session

        made = aiobotocore.session.get_session()
        credentials = endpoint.credentials
        made.set_credentials(credentials["aws_access_key_id"], credentials["aws_secret_access_key"])
        async with aio.AsyncSession(
            aiobotocore_session=made, region_name="us-east-1", table_prefix=table_prefix,
            write_units=20, **names,
        ) as session:  # fmt: skip
            await session.save_all(songs(25))  # more than a second has saved up
            tasks = [asyncio.ensure_future(session.save(Song("a", str(n)))) for n in range(saves)]
            await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            began = time.monotonic()
            await session.save(Song("b", "c"))
            return time.monotonic() - began

    # What is left is the turn of the batch: 50 units, less those of the first second.
    assert asyncio.run(main()) < 4
