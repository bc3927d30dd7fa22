"""Laws of `session.changes`, over random streams in virtual time.

Shards split over generations and close, iterators expire, requests are throttled, pages are empty and
descriptions old. A program stops at any change, keeps the token, and goes on later. Then:

- each record that was not trimmed is given once, and those of a key in their order;
- what is trimmed, or lies between two streams of a table, is a `StreamGap`, and all else is given;
- with `start="latest"`, nothing that was written afterwards is missing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from dynattrs import Table, model
from dynattrs.streams import StreamGap
from streamed_worlds import World
from streams_service import HOURS

MOST_GAPS = 100

things = Table("things", partition_key="pk", stream="new and old")


@model(things)
class Thing:
    pk: str
    n: int


class Reader:
    """A program that reads the changes of a table, and what has happened to that table."""

    def __init__(self, seed: int, lease: Any, client: Any) -> None:
        chance = self.chance = random.Random(seed)
        self.world = World(
            lease, "things", shards=chance.choice([1, 1, 2, 3]), seed=seed,
            coarse=chance.choice([1.0, 60.0]), at_timestamp=chance.random() < 0.5,
            holes=chance.choice([0.0, 0.2]), stale=chance.choice([0.0, 4.0]),
            page=chance.choice([1, 3, 20, 1000]), shards_a_page=chance.choice([1, 100]),
        )  # fmt: skip
        self.world.service.iterators_live = chance.choice([3.0, 900.0])
        self.session = self.world.session(client)
        #: By sequence number: the key, and when it was written.
        self.written: dict[int, tuple[str, float]] = {}
        self.seen: list[int] = []
        self.gaps: list[StreamGap] = []

    @property
    def now(self) -> float:
        return self.world.time.seconds

    def write(self, most: int = 30) -> None:
        for _ in range(self.chance.choice([1, 5, most])):
            key = f"k{self.chance.randrange(12)}"
            number = self.world.stream.put(pk=key, n=len(self.written))
            self.written[number] = key, self.now

    def left(self) -> set[int]:
        """The numbers of the records that are not trimmed."""
        self.world.stream.trim()
        return {number for shard in self.world.stream.shards for number, _, _ in shard.records}

    def change_shards(self) -> None:
        stream = self.world.stream
        if len(stream.shards) < 20:
            self.chance.choice([stream.split, stream.roll])(self.chance.choice(stream.open))

    def refuse(self) -> None:
        operation = self.chance.choice(["get_records", "get_shard_iterator", "describe_stream"])
        code = self.chance.choice(
            ["ThrottlingException", "LimitExceededException", "InternalServerError"]
        )
        self.world.service.fail(operation, *[code] * self.chance.randrange(1, 4))

    def disorder(self, seconds: float) -> None:
        """Let things happen from now on."""
        for _ in range(self.chance.randrange(20, 60)):
            act = self.chance.choices([self.write, self.change_shards, self.refuse], [6, 2, 1])[0]
            self.world.time.after(self.chance.uniform(0, seconds), act)

    def follow(self, start: Any, **options: Any) -> Iterator[Any]:
        """The changes from there on; gaps are kept, and reading goes on behind them."""
        changes = self.session.changes(things, start=start, **options)
        self.changes = changes
        while True:
            try:
                change = next(changes)
            except StopIteration:
                return
            except StreamGap as gap:
                self.gaps.append(gap)
                if len(self.gaps) > MOST_GAPS:
                    raise AssertionError("it does not come behind a gap") from gap
                continue
            self.seen.append(int(change.sequence_number))
            yield change

    def check_order(self) -> None:
        last: dict[str, int] = {}
        for number in self.seen:
            key, _ = self.written[number]
            assert number > last.get(key, 0), "a change before an earlier one, or twice"
            last[key] = number


@pytest.fixture
def client(embedded: Any) -> Iterator[Any]:
    client = boto3.client("dynamodb", **embedded.client_arguments)
    yield client
    client.close()


def each_change_once_by_tokens(reader: Reader) -> None:
    """A program stops anywhere, and another one goes on with its token."""
    chance, time = reader.chance, reader.world.time
    reader.disorder(60)
    token: Any = "horizon"
    until = reader.now + 60
    while reader.now < until or len(reader.seen) < len(reader.written):
        wanted, options = chance.choice([1, 7, 100]), {}
        if chance.random() < 0.5:
            options["until"] = reader.world.date() + timedelta(seconds=chance.choice([2, 20]))
        else:
            options["follow"] = False
        for count, _ in enumerate(reader.follow(token, **options), 1):
            token = reader.changes.token()
            if count >= wanted:
                break
        token = reader.changes.token()
        reader.changes.close()
        time.run_until(reader.now + chance.choice([0.0, 1.0, 20.0]))
        assert reader.now < until + 600, "it does not come to an end"

    assert set(reader.seen) == set(reader.written)
    assert reader.gaps == []
    reader.check_order()


def nothing_is_missing_from_latest_on(reader: Reader) -> None:
    """The position is taken; whenever it is read, all that was written since comes."""
    reader.write()
    reader.world.time.run_until(reader.now + reader.chance.choice([0.4, 200.0, 5_000.0]))
    long_before = {number for number, (_, at) in reader.written.items() if at < reader.now - 130}
    changes = reader.session.changes(things, start="latest")
    began = reader.now
    token = changes.token()
    if reader.chance.random() < 0.5:  # the shards are opened at once, or later
        reader.world.time.after(1.0, reader.write)
        first = next(changes)
        reader.seen.append(int(first.sequence_number))
        token = changes.token()
    changes.close()
    reader.world.time.run_until(reader.now + reader.chance.choice([0.0, 1_000.0, 20_000.0]))
    reader.disorder(30)
    reader.world.time.run_until(reader.now + 60)
    for _ in reader.follow(token, follow=False):
        pass

    after = {number for number, (_, at) in reader.written.items() if at > began}
    assert after <= set(reader.seen)
    assert not long_before & set(reader.seen), "far too many"
    assert reader.gaps == []
    reader.check_order()


def what_is_trimmed_is_a_gap(reader: Reader) -> None:
    chance, time = reader.chance, reader.world.time
    reader.world.service.stale = 0.0
    token: Any = "horizon"
    #: What no program could read, for it was gone when the first one began at the horizon.
    before: set[int] = set()
    days = chance.randrange(1, 3)
    for _ in range(chance.randrange(2, 12)):
        reader.write(5)
        reader.change_shards()
        time.run_until(reader.now + chance.uniform(0, days * 6) * HOURS)
        if chance.random() < 0.3:
            if token == "horizon":
                before = set(reader.written) - reader.left()
            for _ in reader.follow(token, follow=False):
                if chance.random() < 0.05:
                    break
            token = reader.changes.token()
    if token == "horizon":
        before = set(reader.written) - reader.left()
    for _ in reader.follow(token, follow=False):
        pass

    missing = set(reader.written) - set(reader.seen)
    assert not missing & reader.left()
    if missing - before:
        assert reader.gaps
    reader.check_order()


def off_and_on_is_a_gap(reader: Reader) -> None:
    reader.write()
    token: Any = "horizon"
    for _ in reader.follow(token, follow=False):
        if reader.chance.random() < 0.2:
            break
    token = reader.changes.token()
    old = reader.world.stream.arn
    reader.write()
    reader.world.time.run_until(reader.now + 5)
    new = reader.world.again().arn
    reader.write()
    reader.world.time.run_until(reader.now + 5)
    for _ in reader.follow(token, follow=False):
        pass

    assert set(reader.seen) == set(reader.written)
    [gap] = reader.gaps
    assert (gap.arn, gap.new_arn) == (old, new)


LAWS = [
    each_change_once_by_tokens,
    nothing_is_missing_from_latest_on,
    what_is_trimmed_is_a_gap,
    off_and_on_is_a_gap,
]


def hold(law: Any, seeds: range, lease: Any, client: Any) -> None:
    for seed in seeds:
        reader = Reader(seed, lease, client)
        with reader.session:
            try:
                law(reader)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_laws_hold_over_random_streams(law: Any, embedded: Any, client: Any):
    hold(law, range(3), embedded, client)


@pytest.mark.full
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_laws_hold_over_many_random_streams(law: Any, embedded: Any, client: Any):
    hold(law, range(3, 50), embedded, client)
