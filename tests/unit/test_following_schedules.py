"""`session.changes` by chance: shards split and are trimmed, streams are switched off and on, programs begin
anew from their last token. What was not given must have been told of as a gap.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest

from dynattrs import Table, model
from dynattrs.errors import ServiceUnavailable, Throttled
from dynattrs.streams import NoStream, StreamGap
from dynattrs.streams.iterators import Changes
from stream_flows import DrivenSession
from streams_service import HOURS, Clock, Stream, StreamsService

shop = Table("shop", partition_key="pk", stream="new and old")

CODES = ("LimitExceededException", "ThrottlingException", "InternalServerError")


@model(shop)
class Note:
    pk: str
    n: int = 0


class World:
    """A table, its streams, and a program that follows them and dies now and then."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        self.seed, self.clock = seed, Clock()
        self.fake = StreamsService(
            self.clock, holes=chance.choice([0, 0.5]), stale=chance.choice([0, 5.0]),
            page=chance.choice([1, 3, 50]), shards_a_page=chance.choice([1, 3, 100]),
            at_timestamp=chance.choice([True, False]), coarse=chance.choice([1.0, 60.0]), seed=seed,
        )  # fmt: skip
        self.stream = self.new_stream()
        self.written: dict[int, float] = {}
        self.given: list[int] = []
        self.order: defaultdict[str, list[int]] = defaultdict(list)
        #: Numbers that may be missing, for a gap that was told.
        self.excused: set[int] = set()
        self.write(10)
        self.clock.advance(100)
        self.latest = chance.random() < 0.5
        self.before = len(self.written) if self.latest else 0
        self.iterator = self.open("latest" if self.latest else "horizon")
        if not self.latest:
            self.take()  # "horizon" is that of the stream that it finds
        self.token = self.iterator.token()

    def new_stream(self) -> Stream:
        self.clock.advance(1)
        return self.fake.stream("shop", shards=self.chance.choice([1, 3]))

    def open(self, start: str) -> Any:
        session = DrivenSession(self.fake, self.seed)
        return Changes[Any](session, session._core, (Note,), start, True, None, "skip")

    def write(self, count: int) -> None:
        for _ in range(count):
            n = len(self.written) + 1
            self.written[n] = self.clock()
            if self.stream.status == "ENABLED":
                self.stream.put(pk=f"key-{n % 7}", n=n)

    # --- What happens ---------------------------------------------------------------------------

    def act(self) -> None:
        chance = self.chance
        acts = [self.more, self.more, self.split, self.die, self.sleep, self.fail]
        if chance.random() < 0.05:
            acts = [self.off_and_on, self.long_sleep]
        chance.choice(acts)()
        for _ in range(chance.randrange(6)):
            self.take()

    def more(self) -> None:
        self.write(self.chance.randrange(8))

    def split(self) -> None:
        shard = self.chance.choice(self.stream.open)
        (self.stream.split if self.chance.random() < 0.5 else self.stream.roll)(shard)
        self.write(2)

    def die(self) -> None:
        if self.chance.random() < 0.5:
            self.token = self.iterator.token()
        else:
            self.back_to_token()
        self.iterator = self.open(self.token)

    def back_to_token(self) -> None:
        """What came after the last token will come again."""
        self.order.clear()

    def sleep(self) -> None:
        self.clock.advance(self.chance.choice([1, 60, 20 * 60, 3 * HOURS]))

    def long_sleep(self) -> None:
        self.clock.advance(self.chance.choice([13, 30]) * HOURS)

    def fail(self) -> None:
        operation = self.chance.choice(["get_records", "get_shard_iterator", "describe_stream"])
        self.fake.fail(operation, *self.chance.choices(CODES, k=self.chance.randrange(30)))

    def off_and_on(self) -> None:
        self.stream.disable()
        self.write(3)
        self.stream = self.new_stream()
        self.write(3)

    def take(self) -> bool:
        """Take one change, if there is one."""
        missing = self.written.keys() - set(self.given) - self.excused
        missing = {n for n in missing if n > self.before}
        if not missing:
            return False
        try:
            change = next(self.iterator)
        except StreamGap as gap:
            self.told(gap)
        except (Throttled, ServiceUnavailable, NoStream):
            pass
        else:
            number = change.new.n
            self.order[change.new.pk].append(number)
            self.given.append(number)
        return True

    def told(self, gap: StreamGap) -> None:
        """What may be missing for that: what is older than a day; of another stream all until now, because
        the table is read anew.
        """
        kept = self.clock() - 24 * HOURS if gap.shard is not None else self.clock()
        self.excused |= {n for n, at in self.written.items() if at <= kept}

    def finish(self) -> None:
        self.write(3)
        for _ in range(10_000):
            if not self.take():
                return
        raise AssertionError("something never came")

    def check(self) -> None:
        for numbers in self.order.values():
            assert numbers == sorted(numbers)
        if self.latest:
            assert not {n for n in self.given if self.written[n] + 62 < self.written[self.before]}


@pytest.mark.parametrize("seed", range(25))
def test_what_was_not_given_was_told_of_as_a_gap(seed: int) -> None:
    world = World(seed)
    for _ in range(60):
        world.act()
        world.check()
    world.finish()
    world.check()
