"""What of a buffer waits for hot partitions: each in a lane of its own, beside all that goes on.

Plain data that the buffer's lock guards. Nothing here is called while no partition is hot. A write in a
lane was left unprocessed, so that it is surely not stored, or came after such a one.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from itertools import chain
from typing import Any, Final, Generic, Protocol, TypeVar

from dynattrs import limits
from dynattrs.late_classes import define, field
from dynattrs.operations.flows import Signal, Task
from dynattrs.operations.writing.partitions import (
    LONGEST,
    HotPartitions,
    Partition,
    Placed,
    partition_of,
)

#: As many writes may wait in the lanes of a buffer, and as many bytes, before `save` waits for them.
WRITES: Final = 10_000
BYTES: Final = 32 * 1024 * 1024


class Waiting(Placed, Protocol):
    """A write, as far as it matters here."""

    size: int


class Taken(Waiting, Protocol):
    """A write that a buffer has taken."""

    place: int


W = TypeVar("W", bound=Waiting)
T = TypeVar("T", bound=Taken)


@define(eq=False, repr=False)
class Lane(Generic[W]):
    """The writes of one buffer to one partition.

    Attributes:
        partition: Which.
        since: When it began.
        cause: Why its writes wait.
        writes: By the identity of their keys.
        under_way: How many requests hold some of them.
    """

    partition: Partition
    since: float
    cause: BaseException
    writes: dict[Hashable, W] = field(factory=dict)
    under_way: int = 0


@define(eq=False, repr=False)
class Lanes(Generic[W]):
    """The lanes of one buffer.

    Attributes:
        most: How many items a request takes.
    """

    most: int = limits.BATCH_WRITE_ITEMS
    by_partition: dict[Partition, Lane[W]] = field(factory=dict)
    #: Whether a flow sees to them.
    attended: bool = False
    #: How many writes wait in them, and how many bytes.
    held: tuple[int, int] = (0, 0)

    def __bool__(self) -> bool:
        return bool(self.by_partition)

    def is_full(self) -> bool:
        return self.held[0] >= WRITES or self.held[1] >= BYTES

    def older(self, before: float) -> list[Lane[W]]:
        """Those that began before."""
        return [lane for lane in self.by_partition.values() if lane.since <= before]

    def all(self) -> list[dict[Hashable, W]]:
        return [lane.writes for lane in self.by_partition.values()]

    def holding(self, key: Hashable) -> Lane[W] | None:
        """The lane in which a write to this key waits."""
        return next((lane for lane in self.by_partition.values() if key in lane.writes), None)

    def lane_of(self, write: W) -> Lane[W] | None:
        """The lane that a new write belongs to."""
        return self.holding(write.identity) or self.by_partition.get(partition_of(write))

    def put(self, lane: Lane[W], write: W) -> W | None:
        """Let a write wait; the earlier one whose place it takes."""
        earlier = lane.writes.get(write.identity)
        held = self.held_with(write, earlier)
        lane.writes[write.identity], self.held = write, held
        return earlier

    def held_with(self, write: W, earlier: W | None) -> tuple[int, int]:
        """What is held when a write has the place of an earlier one, or is one more."""
        count, size = self.held
        if earlier is None:
            return count + 1, size + write.size
        return count, size + write.size - earlier.size

    def put_back(self, lane: Lane[W], writes: list[W]) -> None:
        """Let writes wait before those that wait already, of other keys."""
        later, lane.writes = lane.writes, {}
        for write in writes:
            self.put(lane, write)
        lane.writes.update(later)

    def open(self, partition: Partition, now: float, cause: BaseException) -> Lane[W]:
        """The lane of a partition."""
        lane = self.by_partition.setdefault(partition, Lane(partition, now, cause))
        lane.cause = cause
        return lane

    def hasten(self, key: Hashable) -> None:
        """Let the write to a key be the next one of its lane: it is waited for."""
        lane = self.holding(key)
        if lane is not None:
            lane.writes = {key: lane.writes[key], **lane.writes}

    def next(
        self, hot: HotPartitions, now: float, random: float, in_flight: dict[Hashable, Any]
    ) -> list[W] | float:
        """The writes of a request that may be made now, which stay until `take`, or how long to wait."""
        batch: list[W] = []
        wait, size = LONGEST, 0
        for lane in self.by_partition.values():
            if not lane.writes:
                continue
            rate = hot.rate(lane.partition, now)
            if len(batch) == self.most:
                break
            if rate.next_at > now:
                wait = min(wait, rate.next_at - now)
                continue
            room = rate.room(self.most - len(batch))
            some = _some(lane, room, limits.BATCH_WRITE_BYTES - size, in_flight)
            if some:
                rate.sent(len(some), now, random)
                batch += some
                size += sum(write.size for write in some)
        return batch or wait

    def take(self, batch: list[W]) -> None:
        """These are in flight now."""
        for write in batch:
            lane = self.holding(write.identity)
            if lane is not None and lane.writes[write.identity] is write:
                self.remove(lane, write)

    def remove(self, lane: Lane[W], write: W) -> None:
        del lane.writes[write.identity]
        self.held = self.held[0] - 1, self.held[1] - write.size

    def began(self, batch: list[W]) -> float:
        """A request with these, which are still here, is to be made; since when they wait."""
        for partition in set(map(partition_of, batch)):
            lane = self.by_partition.get(partition)
            if lane is not None:
                lane.under_way += 1
        holding = [self.holding(write.identity) for write in batch]
        return min(lane.since for lane in holding if lane is not None)

    def since(self) -> float:
        """When the first of those began that hold anything."""
        lanes = self.by_partition.values()
        return min((lane.since for lane in lanes if lane.writes), default=float("inf"))

    def ended(self, batch: list[W]) -> None:
        for partition in set(map(partition_of, batch)):
            lane = self.by_partition.get(partition)
            if lane is not None:
                lane.under_way -= 1

    def close_empty(self) -> None:
        """Forget the lanes in which nothing waits, and that have nothing under way."""
        for partition, lane in list(self.by_partition.items()):
            if not lane.writes and lane.under_way <= 0:
                del self.by_partition[partition]

    def clear(self) -> list[W]:
        """Empty them all; what was there."""
        left = [write for lane in self.by_partition.values() for write in lane.writes.values()]
        self.by_partition, self.held = {}, (0, 0)
        return left


@define(eq=False, repr=False)
class Laned(Generic[T]):
    """Writes that are pending, in flight, or in lanes, as far as lanes go; `Buffer` has the rest."""

    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    #: Not sent yet, by key: a later write to a key takes the place of an earlier one.
    _waiting: dict[Hashable, T] = field(factory=dict, init=False)
    #: What has come since. Without the lock, which takes a while: only one thread puts them here.
    coming: list[T] = field(factory=list, init=False)
    #: Sent and not acknowledged. A key is in flight at most once, which keeps its order.
    _in_flight: dict[Hashable, T] = field(factory=dict, init=False)
    #: Left unprocessed, and what came after it, of partitions that take no more for now.
    lanes: Lanes[T] = field(factory=Lanes[T], init=False)
    #: What sends these, and wakes up when this is given.
    attendant: Task | None = field(default=None, init=False)
    stirred: Signal = field(factory=Signal, init=False)
    #: When the service last acknowledged a write.
    last_success: float = field(default=float("-inf"), init=False)
    #: Why nothing new may be sent any more: an interruption.
    abandoned: BaseException | None = field(default=None, init=False)

    @property
    def _pending(self) -> dict[Hashable, T]:
        raise NotImplementedError

    def _take_place(self, write: T, earlier: T) -> None:
        """A write takes the place of an earlier one to its key."""
        raise NotImplementedError

    def _flies(self, write: T) -> bool:
        raise NotImplementedError

    def _tell(self) -> None:
        raise NotImplementedError

    def hold_back(self, hot: dict[Partition, list[T]], now: float, cause: BaseException) -> bool:
        """Let writes in flight, which were left, and the pending ones of their partitions wait in lanes.
        True if nothing attends to these so far: that is the caller's to begin.
        """
        with self._lock:
            for partition, writes in hot.items():
                self._hold_back(partition, writes, now, cause)
            self._tell()
            begin = self.abandoned is None and not self.lanes.attended
            self.lanes.attended = self.lanes.attended or begin
        self.stirred.give()
        return begin

    def _hold_back(
        self, partition: Partition, writes: list[T], now: float, cause: BaseException
    ) -> None:
        lane = self.lanes.open(partition, now, cause)
        back: list[T] = []
        flying = [*filter(self._flies, writes)]
        for write in flying:
            newer = self._newer(write.identity)
            if newer is None:
                back.append(write)
            else:
                self._take_place(newer, write)
        self.lanes.put_back(lane, back)
        for write in flying:
            del self._in_flight[write.identity]
        for key, write in list(self._pending.items()):
            if partition_of(write) == partition:
                self.lanes.put(lane, write)
                del self._waiting[key]

    def _newer(self, key: Hashable) -> T | None:
        pending = self._pending  # first: what has come may go on to a lane
        lane = self.lanes.holding(key)
        return pending.get(key) if lane is None else lane.writes[key]

    def next_of_lanes(
        self, hot: HotPartitions, now: float, random: float
    ) -> tuple[list[T], float] | float | None:
        """The next writes of lanes, in flight now, and since when they wait; or how long to wait for them.
        None if the lanes are empty. Nothing attends to them then.
        """
        with self._lock:
            self.lanes.close_empty()
            if not self.lanes or self.abandoned is not None:
                self.lanes.attended = False
                return None
            found = self.lanes.next(hot, now, random, self._in_flight)
            if not isinstance(found, list):
                return found
            since = self.lanes.began(found)
            self._in_flight.update((write.identity, write) for write in found)
            self.lanes.take(found)
            return found, since

    def lanes_answered(self, batch: list[T]) -> None:
        """A request with these, of lanes, is done."""
        with self._lock:
            self.lanes.ended(batch)
            self._tell()
        self.stirred.give()

    def lanes_until(self, patience: float) -> float:
        """When nothing was acknowledged for too long, for the first of the lanes."""
        with self._lock:
            return max(self.lanes.since(), self.last_success) + patience

    def take_lanes(self, before: float) -> list[tuple[list[T], BaseException]]:
        """Take into flight, with its cause, what waits in lanes since *before*, and may go into flight."""
        with self._lock:
            if not self.lanes or self.last_success > before:
                return []
            return [(self._lift(lane), lane.cause) for lane in self.lanes.older(before)]

    def leave_lanes(self) -> list[T]:
        """Take all that waits in lanes into flight: nothing sends it any more. A write whose key is in
        flight is pending again.
        """
        with self._lock:
            self.lanes.attended = False
            lifted = [*chain.from_iterable(map(self._lift, [*self.lanes.by_partition.values()]))]
            self._pending.update((write.identity, write) for write in self.lanes.clear())
            return lifted

    def _lift(self, lane: Lane[T]) -> list[T]:
        writes = [write for key, write in lane.writes.items() if key not in self._in_flight]
        self._in_flight.update((write.identity, write) for write in writes)
        self.lanes.take(writes)
        return writes

    def hasten(self, key: Hashable) -> None:
        """If the write to a key waits in a lane, let it be the next one there."""
        with self._lock:
            self.lanes.hasten(key)


def _some(lane: Lane[W], most: int, room: int, in_flight: dict[Hashable, Any]) -> list[W]:
    """The next writes of a lane: at most so many, and so many bytes."""
    found: list[W] = []
    for key, write in lane.writes.items():
        if len(found) == most or write.size > room:
            break
        if key not in in_flight:
            found.append(write)
            room -= write.size
    return found
