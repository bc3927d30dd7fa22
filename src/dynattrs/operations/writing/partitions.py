"""Partitions that take less than they are given: what each takes, as far as answers tell.

The service throttles a partition on its own, 1,000 writes a second or what a table has for it, and an
answer leaves its items unprocessed beside those of others that were done. Such a partition is *hot*: what
goes there is paced by itself. What is left all over the keys says that the whole table is throttled.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable, Iterable
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

import attrs

from dynattrs.operations.flows import forget_at_fork
from dynattrs.schema.hot_keys import HotKeys
from dynattrs.schema.model_info import info_of
from dynattrs.schema.table import AttributeMap

#: The real name of a table, the name of its partition key, and the tag and the value of one.
Partition: TypeAlias = tuple[Any, ...]

#: What more partitions have in one answer, is the table's.
_FEW: Final = 4
#: So many partitions are paced by themselves at a time.
MOST: Final = 16
#: The pause before the first request to a partition of which nothing is known.
_FIRST: Final = 0.05
#: How many it is to be able to take at the second one.
_FIRST_ITEMS: Final = 25
#: After so many answers that left nothing, more is tried at a time.
_STREAK: Final = 2
#: More than any request has.
_MANY: Final = 1000
#: What is taken in less time says nothing of a rate.
_SHORTEST: Final = 0.04
#: The longest pause between two requests to a partition that takes anything. It saves up what it does
#: not take meanwhile, but how much is not known.
_INTERVAL: Final = 1.0
#: The longest one otherwise.
LONGEST: Final = 5.0
#: After so long without an answer a partition counts as any other.
_FORGOTTEN: Final = 2 * LONGEST


class Placed(Protocol):
    """A write, as far as it matters here."""

    key: AttributeMap | None
    identity: Hashable
    obj: Any


W = TypeVar("W", bound=Placed)


def partition_of(write: Placed) -> Partition:
    """The partition that a write goes to."""
    names = cast("tuple[Any, ...]", write.identity)
    if len(names) <= 4:  # there is no sort key
        return names
    if write.key is not None:
        name = next(iter(write.key))
    else:
        info = info_of(type(write.obj))
        assert info is not None
        name = info.table.partition_key
    at = 1 if names[1] == name else 4
    return (names[0], *names[at : at + 3])


def by_partition(writes: Iterable[W]) -> dict[Partition, list[W]]:
    found: dict[Partition, list[W]] = {}
    for write in writes:
        found.setdefault(partition_of(write), []).append(write)
    return found


@attrs.define(eq=False, repr=False)
class Rate:
    """What a partition takes, measured from one answer that left something to the next.

    At both its capacity is used up, so what it took in between is what it was given in that time.

    Attributes:
        next_at: When the next request to it may be made.
    """

    since: float
    next_at: float
    #: When it has answered last.
    heard: float
    taken: int = 0
    #: None until it was measured; what was measured last, while answers leave nothing more.
    per_second: float | None = None
    measured: float = 0.0
    #: How many items a request has at the most, because it does not save up more; whether that is a guess.
    most: int = _MANY
    doubted: bool = False
    #: Answers in a row that left nothing; that took nothing, of those that count for the pause, and all.
    clean: int = 0
    attempt: int = 0
    failed: int = 0

    def room(self, most: int) -> int:
        """How many items the next request is to have, at most so many."""
        if self.per_second is None:
            return most
        return max(1, min(most, self.most, int(self.per_second * _INTERVAL)))

    def sent(self, count: int, now: float, random: float) -> None:
        """So many items of it are in a request that is made now."""
        if self.per_second is None:
            self.next_at = now + LONGEST  # its answer tells
            return
        # A little sooner than it can take them: a few are left, and more of its capacity is noticed.
        pause = count / self.per_second * (0.86 + 0.12 * random)
        self.next_at = max(self.next_at, now - 0.1) + min(pause, LONGEST)

    def answered(self, taken: int, left: int, now: float, random: float) -> None:
        """It took so many writes, and left so many."""
        self.taken += taken
        self.failed = 0 if taken else self.failed + 1
        self.heard = now
        elapsed = now - self.since
        if not left:
            self.attempt = 0
            self.clean += 1
            if self.clean > _STREAK:
                self.most = min(_MANY, 2 * self.most)
            if self.per_second is not None:
                self.per_second *= 1 + min(1.0, 0.05 * 2.0 ** min(self.clean, 10))
            elif elapsed >= _SHORTEST:
                self._know(2 * self.taken / elapsed, now)
            return
        self.clean = 0
        if self.taken:
            self.attempt = 0
            if elapsed >= _SHORTEST:
                self._measure(self.taken / elapsed, taken, now)
                self.taken, self.since = 0, now
        elif elapsed >= _SHORTEST:
            # Nothing at all: as all retries, with a pause that grows and that chance spreads.
            self.attempt += 1
            if self.per_second is not None:
                self.per_second /= 2
            pause = random * min(LONGEST, 0.05 * 2.0 ** min(self.attempt, 16))
            self.next_at = now + pause

    def _measure(self, per_second: float, taken: int, now: float) -> None:
        # Much less than last time: it takes less, or it does not save up so much. The latter is tried
        # first, with less at a time as often as before.
        if self.per_second is not None and per_second < 0.75 * self.measured and not self.doubted:
            self.doubted, self.most = True, max(1, taken, int(0.1 * self.measured))
            self.per_second = self.measured
            self.next_at = min(self.next_at, now + 0.9 * self.most / self.measured)
            return
        self.doubted = False
        if self.measured:  # what one answer says is off by how long it took
            per_second = (self.measured + per_second) / 2
        self._know(per_second, now)
        self.measured = per_second

    def _know(self, per_second: float, now: float) -> None:
        first = self.per_second is None
        self.per_second = per_second
        if first:
            self.next_at = now + min(_INTERVAL, _FIRST_ITEMS / per_second)


@attrs.define(eq=False, repr=False)
class HotPartitions:
    """The partitions that have throttled a session. Safe between threads.

    Attributes:
        keys: Which were throttled most.
    """

    keys: HotKeys = attrs.field(factory=HotKeys)
    _rates: dict[Partition, Rate] = attrs.field(factory=dict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        forget_at_fork(self)

    def forked(self) -> None:
        """This is a child process: it finds out for itself."""
        self._lock = threading.Lock()
        self._rates = {}
        self.keys.forked()

    def hot(
        self, sent: Collection[W], left: list[W], now: float, random: float, *, again: bool
    ) -> dict[Partition, list[W]]:
        """Those of what an answer has left that are to wait for their partition alone.

        Args:
            sent: All that the request held.
            left: What of it was not done.
            now: When the answer came.
            random: By chance, from 0 to 1.
            again: Whether they were left before, and so say nothing new of their partitions.
        """
        groups = by_partition(left)
        whole = by_partition(sent)
        with self._lock:
            return self._hot(groups, whole, now, random, again)

    def _hot(
        self,
        groups: dict[Partition, list[W]],
        whole: dict[Partition, list[W]],
        now: float,
        random: float,
        again: bool,
    ) -> dict[Partition, list[W]]:
        hot = {}
        for partition, writes in groups.items():
            rate = self._known(partition, now)
            # One write that was left alone may be any; more of one partition, or the next one, are not.
            known = not again and self.keys.throttled_before(partition)
            self.keys.count(partition, len(writes))
            if rate is None:
                if len(groups) > _FEW or (len(whole[partition]) < 2 and not known):
                    continue
                rate = self._begin(partition, now)
                if rate is None:
                    continue
            rate.answered(len(whole[partition]) - len(writes), len(writes), now, random)
            hot[partition] = writes
        return hot

    def _known(self, partition: Partition, now: float) -> Rate | None:
        rate = self._rates.get(partition)
        if rate is not None and now - rate.heard > _FORGOTTEN:
            del self._rates[partition]
            return None
        return rate

    def _begin(self, partition: Partition, now: float) -> Rate | None:
        if len(self._rates) >= MOST:
            for each in list(self._rates):
                self._known(each, now)
            if len(self._rates) >= MOST:
                return None
        rate = self._rates[partition] = Rate(now, now + _FIRST, now)
        return rate

    def rate(self, partition: Partition, now: float) -> Rate:
        """The rate of a partition for which writes wait."""
        rate = self._rates.get(partition)
        if rate is None:
            rate = self._rates.setdefault(partition, Rate(now, now, now))
        return rate

    def took(self, writes: Collection[Placed], now: float, random: float) -> None:
        """An answer has left nothing of *writes*, of partitions that are hot."""
        for partition, group in by_partition(writes).items():
            rate = self._rates.get(partition)
            if rate is not None:
                rate.answered(len(group), 0, now, random)
