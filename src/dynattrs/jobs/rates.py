"""What a job may consume in a second, shared among the slices that are under way.

A parent has the job's rate, divided by the parents that are alive. Each slice gets a part of it, its pace:
so many units over its seconds, evenly. When it has ended, its pace is free again, but not before what it
has really consumed is paid for: the last page of a slice may cost more than was left. So in any time all
slices together consume what the rate gives, and a page each at the most.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from dynattrs.jobs.work import Limits

#: How long a slice goes on.
SECONDS: Final = 10.0
#: The most items of a slice.
_MOST_ITEMS: Final = 100_000
#: Of a parent's first slices, which tell how large items are and how long they take.
_FIRST_ITEMS: Final = 500
#: A page is to cost no more than a slice may consume in so many seconds.
_PAGE_SECONDS: Final = 0.5
#: The same where all items of a page are written, though few were until now.
_BURST_SECONDS: Final = 5.0
#: A page takes no longer than this part of a slice's seconds.
_PAGE_PART: Final = 0.25
#: How much what was seen before counts beside what is seen now.
_DECAY: Final = 0.7


class Pace:
    """One kind of units.

    Args:
        rate: Units a second of all parents together; None for any.
    """

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self._parents = 1
        #: By ticket, the paces that are given.
        self._given: dict[str, float] = {}
        #: Paces of slices that have ended, and until when they pay for what they have consumed.
        self._paying: list[tuple[float, float]] = []

    def share(self, parents: int) -> None:
        self._parents = parents

    def free(self, now: float, slots: int, width: int) -> float | None:
        """The pace for each of some slices that begin now; None for any. 0.0 says to wait.

        Args:
            now: The time.
            slots: How many are to begin.
            width: How many there may be at once.
        """
        if self.rate is None:
            return None
        self._paying = [each for each in self._paying if each[0] > now]
        # Of those that pay each has had its page, and is a worker's.
        slots = min(slots, width - len(self._given) - len(self._paying))
        if slots <= 0:
            return 0.0
        own = self.rate / self._parents
        left = own - sum(self._given.values()) - sum(pace for _, pace in self._paying)
        pace = left / slots
        # No slivers: what is given back soon is waited for.
        return pace if pace >= own / width / 2 else 0.0

    def next(self) -> float:
        """When more is free, unless a slice ends before."""
        return min((until for until, _ in self._paying), default=math.inf)

    def give(self, ticket: str, pace: float | None) -> None:
        if pace is not None:
            self._given[ticket] = pace

    def end(self, ticket: str, began: float, consumed: float, now: float) -> None:
        """A slice that began then has ended, or is lost, and has consumed so many units."""
        pace = self._given.pop(ticket, None)
        if pace is not None and (until := began + consumed / pace) > now:
            self._paying.append((until, pace))


class Average:
    """What an item takes, of the latest ones more than of older ones."""

    def __init__(self) -> None:
        self._items = self._sum = 0.0

    @property
    def is_known(self) -> bool:
        return self._items > 0

    def add(self, items: int, amount: float) -> None:
        if items:
            self._items = self._items * _DECAY + items
            self._sum = self._sum * _DECAY + amount

    def of(self, unknown: float) -> float:
        """What it is; *unknown* where nothing was seen."""
        return self._sum / self._items if self._items else unknown


@attrs.define
class Given:
    """What a slice may consume, until it has ended.

    Attributes:
        ticket: The slice's.
        began: When it was given.
        limits: Where the slice ends.
    """

    ticket: str
    began: float
    limits: Limits


class Rates:
    """The rates of a job, as one parent has them.

    Args:
        read_units: Read units a second of all workers of all parents; None for any.
        write_units: The same of write units.
        width: How many slices this parent has under way at once.
        writes: Whether the job writes to tables.
    """

    def __init__(
        self, read_units: float | None, write_units: float | None, width: int, *, writes: bool
    ) -> None:
        self._read, self._write = Pace(read_units), Pace(write_units if writes else None)
        self._width = width
        self._reading, self._writing, self._taking = Average(), Average(), Average()

    @property
    def are_any(self) -> bool:
        """Whether there are any to keep to."""
        return self._read.rate is not None or self._write.rate is not None

    def share(self, parents: int) -> None:
        """So many parents are alive."""
        self._read.share(parents)
        self._write.share(parents)

    def give(self, ticket: str, now: float, slots: int) -> Given | None:
        """What a slice may consume that begins now, one of so many; None while nothing is free."""
        read = self._read.free(now, slots, self._width)
        write = self._write.free(now, slots, self._width)
        if read == 0.0 or write == 0.0:
            return None
        self._read.give(ticket, read)
        self._write.give(ticket, write)
        return Given(ticket, now, self._limits(read, write))

    def next(self) -> float:
        """When more is free, unless a slice ends before."""
        return min(self._read.next(), self._write.next())

    def settle(
        self, given: Given, now: float, scanned: int, read: float, write: float, seconds: float
    ) -> None:
        """A slice has ended, and says what it has consumed, and how long it was busy with that."""
        self._read.end(given.ticket, given.began, read, now)
        self._write.end(given.ticket, given.began, write, now)
        self._reading.add(scanned, read)
        self._writing.add(scanned, write)
        self._taking.add(scanned, seconds)

    def lose(self, given: Given, now: float) -> None:
        """Nothing is known of what a slice has consumed: all that it might."""
        limits = given.limits
        self._read.end(given.ticket, given.began, limits.read_units or 0.0, now)
        self._write.end(given.ticket, given.began, limits.write_units or 0.0, now)

    def _limits(self, read: float | None, write: float | None) -> Limits:
        sizes: list[float] = []
        if read is not None and (average := self._reading.of(0.0)):
            sizes.append(read * _PAGE_SECONDS / average)
        if write is not None:
            sizes.append(write * _BURST_SECONDS)
            if average := self._writing.of(1.0):
                sizes.append(write * _PAGE_SECONDS / average)
        if average := self._taking.of(0.0):
            sizes.append(SECONDS * _PAGE_PART / average)
        return Limits(
            items=_MOST_ITEMS if self._reading.is_known else _FIRST_ITEMS,
            page_items=max(1, int(min(sizes))) if sizes else None,
            # Measured (20,000 items of 130 bytes, 60 units a second, 8 workers): with one size for all pages
            # of a first slice a count consumed 825 units, since no page costs less than half a unit; now 384.
            page_units=None if read is None or self._reading.is_known else read * _PAGE_SECONDS,
            read_units=None if read is None else read * SECONDS,
            write_units=None if write is None else write * SECONDS,
            seconds=SECONDS,
        )
