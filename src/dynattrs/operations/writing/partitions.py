"""Partitions that take less than they are given: what each takes, as far as answers tell.

The service throttles a partition on its own, 1,000 writes a second or what a table has for it, and an
answer leaves its items unprocessed beside those of others that were done. Such a partition is *hot*: what
goes there is paced by itself. What is left all over the keys says that the whole table is throttled.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Collection, Hashable, Iterable, Mapping, Sized
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

from dynattrs.late_classes import define, field
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
#: The pause before the first request to a partition when nothing is known of it.
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
#: What is taken in more time at first, with pauses that grow, may be little because it was asked seldom.
_LONG: Final = 0.1
#: About the pause where others take a part of it: what is left costs no capacity.
_OFTEN: Final = 0.005
#: So many answers of this kind are believed at first, and at most, before less is tried again.
_ANSWERS: Final = 4
_MOST_ANSWERS: Final = 64
#: Where so much is taken, of so many items that a partition is given often, or slower, nothing but its own
#: limit holds them up.
_MOST_OF: Final = 0.85
_ENOUGH: Final = 100
_SURE: Final = 8
#: What is tried then, as a share of what was taken.
_LITTLE_LESS: Final = 0.75
#: A partition takes nothing where so many were expected to be taken, or after so many answers.
_EXPECTED: Final = 2.0
_FAILED: Final = 8
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


class Trial(enum.Enum):
    """What is tried where a partition takes much less than it took."""

    NOTHING = enum.auto()
    #: As many a second, fewer at a time.
    LESS = enum.auto()
    #: As many a second as it took.
    SLOWER = enum.auto()
    #: All that a request may have, after a short pause.
    OFTEN = enum.auto()


@define(eq=False, repr=False)
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
    #: Since then it took so many, of so many that it was given.
    taken: int = 0
    given: int = 0
    #: None until it was measured; what was measured last, while answers leave nothing more.
    per_second: float | None = None
    measured: float = 0.0
    #: What it has taken as long as it was known to be its limit.
    known: float = 0.0
    #: How many items a request has at the most, because it does not save up more.
    most: int = _MANY
    #: What is tried because it takes much less than that; so many more answers before that is doubted.
    trial: Trial = Trial.NOTHING
    answers: int = 0
    patience: int = _ANSWERS
    #: The share of what it is given that it takes; how many it was given since it has taken one.
    share: float = 1.0
    missed: int = 0
    #: Answers in a row that left nothing; that took nothing, of those that count for the pause, and all.
    clean: int = 0
    attempt: int = 0
    failed: int = 0

    def room(self, most: int) -> int:
        """How many items the next request is to have, at most so many."""
        if self.per_second is None or self.trial is Trial.OFTEN:
            return most
        interval = _OFTEN if self.trial is Trial.SLOWER else _INTERVAL
        return max(1, min(most, self.most, int(self.per_second * interval)))

    def sent(self, count: int, now: float, random: float) -> None:
        """So many items of it are in a request that is made now."""
        if self.per_second is None:
            self.next_at = now + LONGEST  # its answer tells
            return
        if self.trial is Trial.OFTEN:
            self.next_at = now + _OFTEN * (0.5 + random)
            return
        # A little sooner than it can take them: a few are left, and more of its capacity is noticed.
        pause = count / self.per_second * (0.86 + 0.12 * random)
        self.next_at = max(self.next_at, now - 0.1) + min(pause, LONGEST)

    def answered(self, taken: int, left: int, now: float, random: float) -> None:
        """It took so many writes, and left so many."""
        self.taken += taken
        self.given += taken + left
        self.failed = 0 if taken else self.failed + 1
        self.heard = now
        elapsed = now - self.since
        if taken:
            self.attempt = self.missed = 0
        if not left:
            self._took_all(elapsed, now)
            return
        self.clean = 0
        if elapsed < _SHORTEST:
            return
        if self.taken or self.per_second is not None:
            self._measure(elapsed, now)
        if not taken:
            self.missed += left
            # Of what takes a small share, none of a few says nothing.
            share = self.share
            if self.trial is Trial.OFTEN:
                share = min(share, (self.taken + 1) / max(1, self.given))
            if self.missed * share >= _EXPECTED or self.failed % _FAILED == 0:
                # Nothing at all: as all retries, with a pause that grows and that chance spreads.
                self.missed = 0
                self.attempt += 1
            if self.attempt:
                pause = random * min(LONGEST, 0.05 * 2.0 ** min(self.attempt, 16))
                self.next_at = now + pause

    def _took_all(self, elapsed: float, now: float) -> None:
        self.clean += 1
        if self.trial is Trial.OFTEN:
            sure = elapsed >= _SHORTEST and self.given >= _ENOUGH
            if sure and self.taken >= _MOST_OF * self.given:
                self._accept(self.taken / elapsed, now)
            return
        if self.trial is Trial.SLOWER:
            self._judge(now)
            return
        if self.clean > _STREAK:
            self.most = min(_MANY, 2 * self.most)
        if self.per_second is not None:
            self.per_second *= 1 + min(1.0, 0.05 * 2.0 ** min(self.clean, 10))
        elif elapsed >= _SHORTEST:
            self._know(2 * self.taken / elapsed, now)

    def _measure(self, elapsed: float, now: float) -> None:
        """Learn from what it took since the last time.

        Much less than before may mean that it does not save up so much, that others use it too, or that its
        limit is lower. The first is tried at once, with less at a time. Else it is asked often: what is left
        costs no capacity, and others get the less. Then a little less than it took then is tried. Where it
        leaves some of that too, its limit is not the cause, and going slower only takes less.
        """
        taken = self.taken
        per_second = taken / elapsed
        if self.trial is Trial.SLOWER:
            self._judge(now)
            return
        if self.trial is Trial.OFTEN:
            self.answers -= 1
            if self.answers > 0 or not taken:
                return
            self._try_slower(per_second, now)
        elif not self.measured:
            self._accept(per_second, now)
            if elapsed > _LONG:
                self._ask_often(now)
        else:
            # What one answer says is off by how long it took.
            mean = (self.measured + per_second) / 2
            if per_second >= 0.75 * self.measured and (
                mean >= 0.75 * self.known or self.trial is Trial.LESS
            ):
                self.per_second = self.measured = mean
                self.known = mean if self.trial is Trial.LESS else max(self.known, mean)
                self.trial = Trial.NOTHING
                if taken >= 0.95 * self.given:  # it saves up as much at least
                    self.most = min(_MANY, self.most + max(1, self.most // 8))
            elif self.trial is Trial.LESS:
                self._ask_often(now)
            else:
                self.trial, self.most = Trial.LESS, max(1, taken, int(0.1 * self.measured))
                self.per_second = self.measured
                self.next_at = min(self.next_at, now + 0.9 * self.most / self.measured)
        self._begin(now)

    def _begin(self, now: float) -> None:
        if self.taken:
            self.share = self.taken / self.given
        self.taken, self.given, self.since = 0, 0, now

    def _ask_often(self, now: float) -> None:
        self.trial, self.answers = Trial.OFTEN, self.patience
        self.patience = min(2 * self.patience, _MOST_ANSWERS)
        self.next_at = now + _OFTEN

    def _try_slower(self, per_second: float, now: float) -> None:
        """Give it a little less than it took, as often."""
        self.trial, self.per_second = Trial.SLOWER, _LITTLE_LESS * per_second
        self.next_at = now + max(1.0, self.per_second * _OFTEN) / self.per_second

    def _judge(self, now: float) -> None:
        """Whether it takes nearly all of less."""
        if self.given - self.taken > max(1.0, (1 - _MOST_OF) * self.given):
            self._begin(now)
            self._ask_often(now)
        elif self.given >= _SURE:
            assert self.per_second is not None
            self._accept(self.per_second / _LITTLE_LESS, now)

    def _accept(self, per_second: float, now: float) -> None:
        """So much is its limit."""
        self.trial, self.patience = Trial.NOTHING, _ANSWERS
        self._know(per_second, now)
        self.known = self.measured = per_second
        self._begin(now)

    def _know(self, per_second: float, now: float) -> None:
        first = self.per_second is None
        self.per_second = per_second
        if first:
            self.next_at = now + min(_INTERVAL, _FIRST_ITEMS / per_second)


@define(eq=False, repr=False)
class HotPartitions:
    """The partitions that have throttled a session. Safe between threads.

    Attributes:
        keys: Which were throttled most.
    """

    keys: HotKeys = field(factory=HotKeys)
    _rates: dict[Partition, Rate] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

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
        groups = by_partition(writes)
        with self._lock:
            self._took(groups, now, random)

    def _took(self, groups: Mapping[Partition, Sized], now: float, random: float) -> None:
        for partition, group in groups.items():
            rate = self._rates.get(partition)
            if rate is not None:
                rate.answered(len(group), 0, now, random)
