"""Shards, positions and the reading of one shard, against a service in the test's time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynattrs.errors import Throttled
from dynattrs.streams import StreamGap
from dynattrs.streams.lineage import Lineage
from dynattrs.streams.positions import END, HORIZON, Position
from dynattrs.streams.shard_reader import ShardReader
from stream_flows import asked, driven
from streams_service import HOURS, NOON, Clock, StreamsService

MINUTE = 60.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake(clock: Clock) -> StreamsService:
    return StreamsService(clock)


def numbers(page: Any) -> list[int]:
    return [int(each["dynamodb"]["SequenceNumber"]) for each in page.records]


def whole(reader: ShardReader, fake: StreamsService, pages: int = 20) -> list[int]:
    """What so many pages of a shard hold."""
    found: list[int] = []
    for _ in range(pages):
        page = driven(reader.read(), fake)
        found += numbers(page)
        if page.closed:
            break
    return found


# --- Positions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "position",
    [HORIZON, END, Position.after("000000017958185813030000000001"), Position.at(NOON)],
    ids=str,
)
def test_a_position_is_the_same_after_it_was_text(position: Position) -> None:
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "latest", "after:", "after:x1", "at:", "at:2026-11-27T12:00:00", "end:1"]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a position|Invalid isoformat"):
        Position.parse(text)


def test_sequence_numbers_are_compared_as_integers() -> None:
    assert Position.after("100").is_past("99")
    assert Position.after("0099").is_past("99")
    assert not Position.after("99").is_past("100")
    assert not Position.after("99").is_past(None)
    assert not HORIZON.is_past("1")
    assert END.is_past(None)


# --- Lineage --------------------------------------------------------------------------------------


def test_shards_come_with_all_pages_of_a_description(fake: StreamsService) -> None:
    fake.shards_a_page = 3
    stream = fake.stream("shop", shards=8)
    lineage = Lineage(asked(fake), stream.arn)

    driven(lineage.refreshed(), fake)

    assert set(lineage.shards) == {each.id for each in stream.shards}
    assert lineage.table == "shop"
    assert fake.counted["describe_stream"] == 3


def test_a_child_is_ready_when_its_parent_was_read(fake: StreamsService) -> None:
    stream = fake.stream("shop")
    [parent] = stream.shards
    first, second = stream.split()
    grandchild = stream.roll(first)
    lineage = Lineage(asked(fake), stream.arn)
    driven(lineage.refreshed(), fake)

    assert [each.id for each in lineage.ready([])] == [parent.id]
    assert {each.id for each in lineage.ready([parent.id])} == {first.id, second.id}
    assert {each.id for each in lineage.ready([parent.id, first.id])} == {second.id, grandchild.id}
    assert {each.id for each in lineage.children(parent.id)} == {first.id, second.id}


def test_a_shard_whose_parent_is_trimmed_is_ready(fake: StreamsService, clock: Clock) -> None:
    stream = fake.stream("shop")
    child = stream.roll()
    clock.advance(25 * HOURS)
    lineage = Lineage(asked(fake), stream.arn)
    driven(lineage.refreshed(), fake)

    assert [each.id for each in lineage.ready([])] == [child.id]


def test_a_shard_that_names_itself_has_no_parent(fake: StreamsService) -> None:
    stream = fake.stream("shop")
    stream.shards[0].parent = stream.shards[0].id
    lineage = Lineage(asked(fake), stream.arn)
    driven(lineage.refreshed(), fake)

    [shard] = lineage.ready([])
    assert shard.parent is None


def test_a_stream_has_ended_when_it_is_off_and_its_shards_are_closed(fake: StreamsService) -> None:
    stream = fake.stream("shop")
    lineage = Lineage(asked(fake), stream.arn)
    driven(lineage.refreshed(), fake)
    assert not lineage.ended

    stream.disable()
    driven(lineage.refreshed(), fake)
    assert lineage.ended


def test_a_stream_that_is_gone_is_a_gap(fake: StreamsService, clock: Clock) -> None:
    stream = fake.stream("shop")
    lineage = Lineage(asked(fake), stream.arn)
    stream.disable()
    clock.advance(25 * HOURS)

    with pytest.raises(StreamGap, match=r"its stream .* is gone") as caught:
        driven(lineage.refreshed(), fake)

    assert (caught.value.table, caught.value.arn) == ("shop", stream.arn)


def test_streams_are_described_at_most_ten_times_a_second(
    fake: StreamsService, clock: Clock
) -> None:
    stream = fake.stream("shop")
    service = asked(fake)
    lineages = [Lineage(service, stream.arn) for _ in range(3)]
    began = clock()

    for _ in range(8):
        for lineage in lineages:
            driven(lineage.refreshed(), fake)

    assert clock() - began == pytest.approx(23 * 0.11, rel=1e-3)
    assert not any(each.refused for each in fake.asked)


@pytest.mark.parametrize(
    "code",
    ["LimitExceededException", "ThrottlingException", "ProvisionedThroughputExceededException"],
)
def test_what_is_throttled_is_asked_again_after_pauses_that_grow(
    fake: StreamsService, clock: Clock, code: str
) -> None:
    stream = fake.stream("shop")
    stream.put(pk="a")
    fake.fail("get_records", *[code] * 5)
    reader = ShardReader(asked(fake), stream.arn, stream.shards[0].id, HORIZON)
    began = clock()

    assert len(driven(reader.read(), fake).records) == 1
    # Half of 50 ms, doubled each time.
    assert clock() - began == pytest.approx(0.05 * sum(2.0**n for n in range(1, 6)) / 2)


def test_throttling_that_goes_on_is_an_error_and_the_page_can_be_asked_for_again(
    fake: StreamsService,
) -> None:
    stream = fake.stream("shop")
    number = stream.put(pk="a")
    fake.fail("get_records", *["LimitExceededException"] * 60)
    reader = ShardReader(asked(fake, deadline=10), stream.arn, stream.shards[0].id, HORIZON)

    with pytest.raises(Throttled):
        driven(reader.read(), fake)

    fake._failures.clear()
    assert numbers(driven(reader.read(), fake)) == [number]


# --- One shard ------------------------------------------------------------------------------------


def test_a_shard_is_read_to_its_end(fake: StreamsService) -> None:
    fake.page, fake.holes = 2, 0.5
    stream = fake.stream("shop")
    written = [stream.put(pk=str(n)) for n in range(7)]
    [shard] = stream.shards
    reader = ShardReader(asked(fake), stream.arn, shard.id, HORIZON)
    stream.roll()

    assert whole(reader, fake, 100) == written
    assert reader.position == END
    assert driven(reader.read(), fake).closed


def test_an_iterator_that_has_expired_is_made_anew_behind_what_was_given(
    fake: StreamsService, clock: Clock
) -> None:
    stream = fake.stream("shop")
    fake.page = 1
    written = [stream.put(pk=str(n)) for n in range(3)]
    reader = ShardReader(asked(fake), stream.arn, stream.shards[0].id, HORIZON)

    given = []
    for _ in range(3):
        given += numbers(driven(reader.read(), fake))
        clock.advance(16 * MINUTE)

    assert given == written
    assert fake.counted["get_shard_iterator"] == 3
    assert reader.position == Position.after(str(written[-1]))


@pytest.mark.parametrize("at_timestamp", [True, False], ids=["at_timestamp", "trim_horizon"])
@pytest.mark.parametrize("coarse", [1.0, 60.0], ids=["seconds", "minutes"])
def test_an_instant_loses_nothing_however_coarse_times_are(
    fake: StreamsService, clock: Clock, coarse: float, at_timestamp: bool
) -> None:
    fake.coarse, fake.at_timestamp, fake.page = coarse, at_timestamp, 1
    stream = fake.stream("shop")
    old = stream.put(pk="old")
    clock.advance(5 * MINUTE + 7.5)
    instant = fake.time
    clock.advance(0.25)
    new = [stream.put(pk="new")]
    clock.advance(3 * MINUTE)
    new.append(stream.put(pk="newer"))
    reader = ShardReader(asked(fake), stream.arn, stream.shards[0].id, Position.at(instant))

    given = whole(reader, fake)

    assert given == new
    assert old not in given


def test_a_quiet_shard_keeps_its_instant_while_iterators_expire(
    fake: StreamsService, clock: Clock
) -> None:
    fake.at_timestamp = False
    stream = fake.stream("shop")
    stream.put(pk="old")
    clock.advance(HOURS)
    reader = ShardReader(asked(fake), stream.arn, stream.shards[0].id, Position.at(fake.time))
    for _ in range(3):
        assert not driven(reader.read(), fake).records
        clock.advance(HOURS)
    number = stream.put(pk="new")

    assert whole(reader, fake, 3) == [number]
    # What the service does not know is asked for once.
    refused = [each for each in fake.asked if each.refused == "ValidationException"]
    assert len(refused) == 1


def test_records_that_are_trimmed_are_a_gap_from_where_to_where(
    fake: StreamsService, clock: Clock
) -> None:
    stream = fake.stream("shop")
    first = stream.put(pk="a")
    reader = ShardReader(asked(fake), stream.arn, stream.shards[0].id, HORIZON)
    driven(reader.read(), fake)
    stream.put(pk="lost")
    clock.advance(25 * HOURS)
    left = stream.put(pk="left")

    with pytest.raises(StreamGap) as caught:
        driven(reader.read(), fake)

    gap = caught.value
    assert (gap.shard, gap.after, gap.until) == (stream.shards[0].id, str(first), str(left))
    assert f"between the record {first} and the record {left} in the shard" in str(gap)
    # It is told again until the reader goes on.
    with pytest.raises(StreamGap):
        driven(reader.read(), fake)
    reader.position = HORIZON
    assert numbers(driven(reader.read(), fake)) == [left]


def test_what_is_trimmed_before_anything_was_given_from_the_horizon_is_no_gap(
    fake: StreamsService, clock: Clock
) -> None:
    stream = fake.stream("shop")
    stream.put(pk="a")
    clock.advance(23.9 * HOURS)
    left = stream.put(pk="left")
    reader = ShardReader(asked(fake), stream.arn, stream.shards[0].id, HORIZON)
    reader._iterator = driven(reader._opened(), fake)
    clock.advance(0.2 * HOURS)

    assert numbers(driven(reader.read(), fake)) == [left]


@pytest.mark.parametrize("known", [True, False])
def test_what_is_trimmed_before_anything_was_given_from_an_instant_is_older_than_it(
    fake: StreamsService, clock: Clock, known: bool
) -> None:
    fake.at_timestamp = known
    stream = fake.stream("shop")
    stream.put(pk="a")
    clock.advance(23.9 * HOURS)
    left = stream.put(pk="left")
    instant = Position.at(fake.time - timedelta(hours=1))
    reader = ShardReader(asked(fake), stream.arn, stream.shards[0].id, instant)
    reader._iterator = driven(reader._iterator_of({"ShardIteratorType": "TRIM_HORIZON"}), fake)
    clock.advance(0.2 * HOURS)

    assert numbers(driven(reader.read(), fake)) == [left]


def test_a_shard_that_is_gone_is_a_gap(fake: StreamsService, clock: Clock) -> None:
    stream = fake.stream("shop")
    number = stream.put(pk="a")
    [shard] = stream.shards
    stream.roll()
    clock.advance(25 * HOURS)
    position = Position.after(str(number))

    with pytest.raises(StreamGap) as caught:
        driven(ShardReader(asked(fake), stream.arn, shard.id, position).read(), fake)

    assert (caught.value.after, caught.value.until) == (str(number), None)


def test_an_instant_before_what_is_kept_is_a_gap_unless_the_stream_is_younger(
    fake: StreamsService, clock: Clock
) -> None:
    made = fake.time
    stream = fake.stream("shop")
    clock.advance(30 * HOURS)
    service, shard = asked(fake), stream.shards[0].id

    with pytest.raises(StreamGap, match="between its beginning and"):
        instant = made + timedelta(hours=1)
        driven(ShardReader(service, stream.arn, shard, Position.at(instant)).read(), fake)

    before = datetime(2026, 11, 20, tzinfo=timezone.utc)
    assert not driven(
        ShardReader(service, stream.arn, shard, Position.at(before)).read(), fake
    ).records
