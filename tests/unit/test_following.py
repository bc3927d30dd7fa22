"""`session.changes` over the shards of a service in the test's time."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynattrs import Table, model
from dynattrs.errors import QueryError, Throttled
from dynattrs.streams import NoStream, StreamGap
from dynattrs.streams.iterators import Changes
from stream_flows import DrivenSession
from streams_service import HOURS, Clock, Stream, StreamsService

shop = Table("shop", partition_key="pk", stream="new and old")
mall = Table("mall", partition_key="pk", stream="new and old")


@model(shop)
class Note:
    pk: str
    n: int = 0


@model(mall)
class Visit:
    pk: str
    n: int = 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake(clock: Clock) -> StreamsService:
    return StreamsService(clock)


def changes(fake: StreamsService, *models: Any, seed: int = 0, **options: Any) -> Any:
    given = {"start": "horizon", "follow": False, "until": None, "others": "skip", **options}
    session = DrivenSession(fake, seed)
    return Changes(session, session._core, models or (Note,), **given)


def read(iterator: Any) -> list[int]:
    return [change.new.n for change in iterator]


class Writer:
    """Writes items whose numbers go up for each key."""

    def __init__(self, stream: Stream, keys: int = 12) -> None:
        self.stream, self.keys, self.written = stream, keys, 0

    def write(self, count: int) -> None:
        for _ in range(count):
            self.written += 1
            self.stream.put(pk=f"key-{self.written % self.keys}", n=self.written)


def check_order(found: list[Any]) -> None:
    by_key: defaultdict[str, list[int]] = defaultdict(list)
    for change in found:
        by_key[change.new.pk].append(change.new.n)
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


# --- Shards ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_missing_and_each_key_is_in_order_over_three_generations(seed: int) -> None:
    """Shards split while they are read, pages are empty by chance, descriptions are late, and the program
    goes on from tokens in between.
    """
    chance = random.Random(seed)
    clock = Clock()
    fake = StreamsService(
        clock, holes=chance.choice([0, 0.5]), stale=chance.choice([0, 3.0]), page=chance.choice([1, 3, 50]),
        shards_a_page=chance.choice([2, 100]), at_timestamp=chance.choice([True, False]), seed=seed,
    )  # fmt: skip
    stream = fake.stream("shop", shards=2)
    writer = Writer(stream)
    writer.write(20)
    start: Any = "horizon"
    iterator = changes(fake, seed=seed, start=start, follow=True)
    found: list[Any] = []
    for generation in range(4):
        for _ in range(20):
            found.append(next(iterator))
            if chance.random() < 0.2:
                iterator = changes(fake, seed=seed, start=iterator.token(), follow=True)
        if generation < 3:
            stream.split(chance.choice(stream.open))
            stream.roll(chance.choice(stream.open))
            clock.advance(chance.choice([0, 1, 20 * 60]))
            writer.write(20)

    assert sorted(change.new.n for change in found) == list(range(1, 81))
    check_order(found)


def test_what_is_there_is_read_to_its_end_over_splits(fake: StreamsService) -> None:
    fake.stale, fake.holes = 1.0, 0.6
    stream = fake.stream("shop", shards=3)
    writer = Writer(stream)
    for _ in range(4):
        writer.write(15)
        for shard in stream.open[:2]:
            stream.split(shard)
    writer.write(15)

    found = list(changes(fake))

    assert sorted(change.new.n for change in found) == list(range(1, 76))
    check_order(found)


def test_a_shard_s_children_wait_until_its_changes_were_given(fake: StreamsService) -> None:
    stream = fake.stream("shop")
    writer = Writer(stream)
    writer.write(3)
    [parent] = stream.shards
    stream.split()
    writer.write(3)
    iterator = changes(fake)

    assert [next(iterator).new.n for _ in range(3)] == [1, 2, 3]
    assert {each.shard for each in fake.asked if each.operation == "get_records"} == {parent.id}
    assert sorted(read(iterator)) == [4, 5, 6]


def test_several_tables_are_read_together(fake: StreamsService) -> None:
    first, second = Writer(fake.stream("shop")), Writer(fake.stream("mall", shards=3))
    first.write(5)
    second.write(7)

    iterator = changes(fake, Note, Visit)
    found = list(iterator)

    assert [c.new.n for c in found if c.model is Note] == [1, 2, 3, 4, 5]
    assert sorted(c.new.n for c in found if c.model is Visit) == [1, 2, 3, 4, 5, 6, 7]
    assert {c.table for c in found} == {"shop", "mall"}
    first.write(1)
    second.write(1)
    assert sorted(read(changes(fake, Note, Visit, start=iterator.token()))) == [6, 8]


# --- Where it begins and ends ---------------------------------------------------------------------


@pytest.mark.parametrize("at_timestamp", [True, False])
@pytest.mark.parametrize("coarse", [1.0, 60.0])
def test_latest_misses_nothing_that_happens_after_the_call(
    fake: StreamsService, clock: Clock, at_timestamp: bool, coarse: float
) -> None:
    fake.at_timestamp, fake.coarse = at_timestamp, coarse
    stream = fake.stream("shop", shards=2)
    writer = Writer(stream)
    writer.write(10)
    stream.split()
    writer.write(10)
    clock.advance(HOURS)

    iterator = changes(fake, start="latest", follow=True)
    writer.write(5)
    clock.advance(100)
    stream.split()
    stream.roll()
    writer.write(5)

    assert sorted(next(iterator).new.n for _ in range(10)) == list(range(21, 31))


def test_latest_is_the_same_instant_in_a_token_and_while_shards_are_quiet(
    fake: StreamsService, clock: Clock
) -> None:
    fake.at_timestamp = False
    writer = Writer(fake.stream("shop"))
    writer.write(5)
    clock.advance(HOURS)
    before = changes(fake, start="latest", follow=True)
    token = before.token()
    writer.write(1)
    clock.advance(2 * HOURS)
    writer.write(1)

    assert read(changes(fake, start=token)) == [6, 7]
    assert [next(before).new.n for _ in range(2)] == [6, 7]


def test_an_instant_is_where_it_begins(fake: StreamsService, clock: Clock) -> None:
    stream = fake.stream("shop")
    writer = Writer(stream)
    writer.write(3)
    stream.split()
    writer.write(3)
    clock.advance(HOURS)
    instant = fake.time
    writer.write(3)

    assert sorted(read(changes(fake, start=instant))) == [7, 8, 9]


def test_many_pages_from_before_an_instant_are_not_the_end(
    fake: StreamsService, clock: Clock
) -> None:
    """A service that does not begin at an instant gives all that is older first."""
    fake.at_timestamp, fake.page = False, 1
    writer = Writer(fake.stream("shop"))
    writer.write(40)
    clock.advance(600)
    instant, latest = fake.time, changes(fake, start="latest", follow=True).token()
    clock.advance(5)
    writer.write(3)

    assert read(changes(fake, start=instant)) == [41, 42, 43]
    assert read(changes(fake, start=latest)) == [41, 42, 43]


def test_shards_from_before_an_instant_are_not_read(fake: StreamsService, clock: Clock) -> None:
    """Where the service cannot begin at an instant, a day of records would be read to be thrown away."""
    fake.at_timestamp = False
    stream = fake.stream("shop", shards=2)
    writer = Writer(stream)
    old: list[str] = []
    for _ in range(4):
        writer.write(50)
        clock.advance(HOURS)
        old += [each.id for each in stream.open]
        for shard in stream.open:
            stream.roll(shard)
    writer.write(20)
    clock.advance(HOURS)
    iterator = changes(fake, start="latest", follow=True)
    writer.write(4)
    stream.roll()
    writer.write(4)

    assert sorted(next(iterator).new.n for _ in range(8)) == list(range(221, 229))
    assert not {each.shard for each in fake.asked if each.operation == "get_records"} & {*old}


def test_until_is_where_it_ends(fake: StreamsService, clock: Clock) -> None:
    stream = fake.stream("shop", shards=2)
    writer = Writer(stream)
    writer.write(10)
    clock.advance(10)
    instant = fake.time
    writer.write(10)

    iterator = changes(fake, follow=True, until=instant)

    assert sorted(read(iterator)) == list(range(1, 11))
    assert sorted(read(changes(fake, start=iterator.token()))) == list(range(11, 21))


@pytest.mark.parametrize("seed", range(12))
def test_what_was_read_ahead_behind_until_is_left_for_the_token(
    fake: StreamsService, clock: Clock, seed: int
) -> None:
    """Also where a shard says only with a page of its own, without records, that it ends."""
    fake.holes, fake.random = 0.4, random.Random(seed)
    stream = fake.stream("shop", shards=3)
    writer = Writer(stream)
    writer.write(12)
    clock.advance(60)
    instant = fake.time
    writer.write(12)
    for shard in stream.open:
        stream.roll(shard)

    first = changes(fake, seed=seed, follow=True, until=instant)

    assert sorted(read(first)) == list(range(1, 13))
    rest = changes(fake, seed=seed, start=first.token())
    assert sorted(read(rest)) == list(range(13, 25))


def test_until_an_instant_that_is_to_come(fake: StreamsService, clock: Clock) -> None:
    writer = Writer(fake.stream("shop"))
    writer.write(2)
    fake.at(30, lambda: writer.write(2))
    fake.at(120, lambda: writer.write(2))
    began = clock()

    found = read(changes(fake, follow=True, until=fake.time + timedelta(seconds=60)))

    assert found == [1, 2, 3, 4]
    assert 60 <= clock() - began < 90


def test_a_token_stands_behind_what_was_given_whatever_was_read_ahead(fake: StreamsService) -> None:
    fake.page = 4
    writer = Writer(fake.stream("shop"))
    writer.write(12)
    iterator = changes(fake)

    for given in range(1, 13):
        next(iterator)
        assert read(changes(fake, start=iterator.token())) == list(range(given + 1, 13))


def test_a_quiet_stream_is_asked_less_and_less(fake: StreamsService, clock: Clock) -> None:
    writer = Writer(fake.stream("shop"))
    writer.write(1)
    iterator = changes(fake, follow=True)
    next(iterator)
    fake.at(120, lambda: writer.write(1))
    began = clock()

    next(iterator)

    assert clock() - began < 122
    assert 100 < fake.counted["get_records"] < 140
    assert fake.counted["describe_stream"] < 12


# --- Gaps -----------------------------------------------------------------------------------------


def test_trimmed_records_are_a_gap_and_the_iterator_goes_on_behind_it(
    fake: StreamsService, clock: Clock
) -> None:
    writer = Writer(fake.stream("shop"))
    writer.write(2)
    iterator = changes(fake)
    assert read(iterator) == [1, 2]
    token = iterator.token()
    writer.write(2)
    clock.advance(25 * HOURS)
    writer.write(2)

    again = changes(fake, start=token)
    with pytest.raises(StreamGap) as caught:
        next(again)
    assert caught.value.table == "shop"
    # Until it goes on, a token stands before the gap.
    with pytest.raises(StreamGap):
        next(changes(fake, start=again.token()))
    assert read(again) == [5, 6]
    assert read(changes(fake, start=again.token())) == []


def test_shards_that_came_and_went_between_two_processes_are_a_gap(
    fake: StreamsService, clock: Clock
) -> None:
    stream = fake.stream("shop")
    writer = Writer(stream)
    writer.write(1)
    stream.roll()
    iterator = changes(fake)
    assert read(iterator) == [1]
    token = iterator.token()
    clock.advance(HOURS)
    writer.write(1)
    stream.roll()
    clock.advance(1)
    stream.roll()
    clock.advance(25 * HOURS)
    writer.write(1)

    again = changes(fake, start=token)
    gaps = 0
    found: list[int] = []
    while True:
        try:
            while True:
                found.append(next(again).new.n)
        except StopIteration:
            break
        except StreamGap:
            gaps += 1

    assert found == [3]
    assert 1 <= gaps <= 3


def test_a_child_that_was_not_begun_for_a_day_is_a_gap(fake: StreamsService, clock: Clock) -> None:
    stream = fake.stream("shop")
    writer = Writer(stream)
    writer.write(1)
    iterator = changes(fake)
    stream.roll()
    next(iterator)
    iterator._page, iterator._given = iter(()), None
    iterator._follower._settle()
    token = iterator.token()  # the parent is finished, its child not begun
    writer.write(1)
    clock.advance(25 * HOURS)
    writer.write(1)

    again = changes(fake, start=token)
    with pytest.raises(StreamGap):
        next(again)
    assert read(again) == [3]


def test_a_stream_that_was_switched_off_and_on_is_a_gap_between_the_two(
    fake: StreamsService, clock: Clock
) -> None:
    old = fake.stream("shop", shards=2)
    writer = Writer(old)
    writer.write(4)
    iterator = changes(fake, follow=True)
    next(iterator)
    token = iterator.token()
    old.disable()
    clock.advance(60)
    new = fake.stream("shop")
    Writer(new).write(2)

    rest = sorted([next(iterator).new.n for _ in range(3)])
    with pytest.raises(StreamGap) as caught:
        next(iterator)

    assert len(rest) == 3
    assert (caught.value.arn, caught.value.new_arn) == (old.arn, new.arn)
    assert [next(iterator).new.n for _ in range(2)] == [1, 2]

    # From a token, too; and a day later, when the old one is gone.
    again = changes(fake, start=token)
    assert len([next(again) for _ in range(3)]) == 3
    with pytest.raises(StreamGap):
        next(again)
    assert read(again) == [1, 2]
    clock.advance(25 * HOURS)
    late = changes(fake, start=token)
    with pytest.raises(StreamGap, match=r"has another stream now") as caught:
        next(late)
    assert caught.value.new_arn == new.arn
    assert read(late) == []


def test_a_stream_that_is_switched_off_is_an_error_after_its_last_change(
    fake: StreamsService,
) -> None:
    stream = fake.stream("shop")
    Writer(stream).write(2)
    iterator = changes(fake, follow=True)
    next(iterator)
    stream.disable()

    assert next(iterator).new.n == 2
    for _ in range(2):
        with pytest.raises(NoStream, match='stream="new and old"'):
            next(iterator)
    with pytest.raises(NoStream):
        next(changes(fake))


def test_a_table_without_a_stream_says_what_to_declare(fake: StreamsService) -> None:
    with pytest.raises(NoStream, match=r"session\.tables\.update") as caught:
        next(changes(fake))

    assert caught.value.table == "shop"


# --- What can go wrong ----------------------------------------------------------------------------


def test_after_an_error_it_goes_on_where_it_was(fake: StreamsService) -> None:
    writer = Writer(fake.stream("shop"))
    writer.write(3)
    fake.page = 1
    iterator = changes(fake)
    assert next(iterator).new.n == 1
    fake.fail("get_records", *["LimitExceededException"] * 100)

    found: list[int] = []
    for _ in range(20):
        try:
            found.append(next(iterator).new.n)
        except Throttled:
            continue
        if len(found) == 2:
            break

    assert found == [2, 3]


def test_a_forked_process_reads_anew_what_its_parent_was_reading_ahead(
    fake: StreamsService,
) -> None:
    fake.page = 2
    Writer(fake.stream("shop")).write(6)
    iterator = changes(fake)
    given = [next(iterator).new.n for _ in range(3)]
    [reading] = iterator._follower._readings()
    assert reading.task is not None

    for each in (iterator._follower, iterator._follower):
        each.forked()

    assert given + read(iterator) == [1, 2, 3, 4, 5, 6]


def test_an_item_that_cannot_be_read_hides_no_other(fake: StreamsService) -> None:
    stream = fake.stream("shop")
    stream.put(pk="a", n=1)
    stream.put(pk="b", n="many")
    stream.put(pk="c", n=3)

    first, broken, last = changes(fake)

    assert (first.new.n, last.new.n) == (1, 3)
    assert "Note.n" in str(broken.cause)
    assert broken.table == "shop"


def test_a_closed_iterator_gives_nothing_more_and_keeps_its_token(fake: StreamsService) -> None:
    Writer(fake.stream("shop")).write(5)
    with changes(fake) as iterator:
        next(iterator)
    assert list(iterator) == []
    assert read(changes(fake, start=iterator.token())) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "earliest"}, r'"latest", "horizon", an aware datetime, or what token\(\) gave'),
        ({"start": ""}, "as a token it is none"),
        ({"start": 7}, "an aware datetime"),
        ({"start": datetime(2026, 11, 27)}, "has no time zone"),  # noqa: DTZ001
        ({"start": "latest"}, "would end before anything"),
        ({"until": datetime(2026, 11, 27)}, "an aware datetime is expected"),  # noqa: DTZ001
        ({"until": 5}, "an aware datetime is expected"),
        ({"follow": "yes"}, "True or False"),
        ({"others": "keep"}, "others='keep'"),
        (
            {
                "start": datetime(2026, 11, 27, tzinfo=timezone.utc),
                "until": datetime(2026, 11, 26, tzinfo=timezone.utc),
            },
            "ends before it begins",
        ),
    ],
    ids=str,
)
def test_wrong_arguments_say_what_would_be_right(
    fake: StreamsService, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        changes(fake, **options)


def test_a_token_of_other_tables_is_refused(fake: StreamsService) -> None:
    fake.stream("shop")
    iterator = changes(fake)
    list(iterator)

    with pytest.raises(QueryError, match="this token is of 'shop', and the models are in 'mall'"):
        changes(fake, Visit, start=iterator.token())


def test_models_have_to_be_given(fake: StreamsService) -> None:
    session = DrivenSession(fake)
    with pytest.raises(QueryError, match="at least one model"):
        Changes(session, session._core, (), "horizon", False, None, "skip")
