"""The shards that a consumer reads, and whose turn it is.

A few threads, or tasks, take turns: each takes the shard that waits longest, reads and handles a page
of it, and gives it back. So a shard is read by one at a time, and a hundred shards need no hundred threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, TypeAlias

import attrs

from dynattrs.operations.flows import Signal
from dynattrs.operations.leases import Holding
from dynattrs.streams.consumed_tables import ConsumedTable
from dynattrs.streams.positions import Position
from dynattrs.streams.shard_leases import ShardLease
from dynattrs.streams.shard_reader import ShardReader

Key: TypeAlias = "tuple[str, str]"


@attrs.define(eq=False)
class HeldShard:
    """A shard that this consumer reads.

    Attributes:
        held: Its lease.
        table: The table that it is of.
        reader: Reads its records.
        position: After what was handled.
        waiting: Changes that were read and are not handled yet.
        behind: Where the position is when none is waiting any more.
        read: How many records lie between the two.
        due: When it is its turn again, as `Environment.monotonic` counts.
        read_at: When it was read last.
        saved_at: When the position was written down last.
        unsaved: How many records were handled since then.
        handled: How many were handled in all.
        at: When the last change that was handled had happened.
        empties: How many pages in a row were empty.
        caught_up: Whether there was nothing to read the last time.
        at_tip: Whether it was, and no page since then was old.
        closed: Whether all of it is read.
        tries: How often the handler has failed with the first change that waits.
        failures: How often reading has failed in a row.
        why: Why it is to be left; None if it is not.
        left: Why its lease was freed; None if it was not.
        busy: Whether a thread or task has its turn with it.
    """

    held: Holding[ShardLease]
    table: ConsumedTable
    reader: ShardReader
    position: Position
    saved_at: float
    waiting: deque[Any] = attrs.field(factory=deque)
    behind: Position | None = None
    read: int = 0
    due: float = 0.0
    read_at: float = float("-inf")
    unsaved: int = 0
    handled: int = 0
    at: datetime | None = None
    empties: int = 0
    caught_up: bool = False
    at_tip: bool = False
    closed: bool = False
    tries: int = 0
    failures: int = 0
    why: Literal["given", "stopped"] | None = None
    left: Literal["ended", "given", "stopped"] | None = None
    busy: bool = False

    @property
    def key(self) -> Key:
        return self.held.item.stream, self.held.item.shard

    @property
    def name(self) -> str:
        """The table's name at the service."""
        return self.table.table

    @property
    def shard(self) -> str:
        return self.held.item.shard


class HeldShards:
    """All of them. Threads share it.

    Attributes:
        stopping: Whether all are to be left.
        cancelling: Whether the consumer cancels its tasks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shards: dict[Key, HeldShard] = {}
        self._sleepers: set[Signal] = set()
        self.stopping = False
        self.cancelling = False

    def __iter__(self) -> Iterator[HeldShard]:
        with self._lock:
            return iter(list(self._shards.values()))

    def __len__(self) -> int:
        return len(self._shards)

    def __contains__(self, key: object) -> bool:
        return key in self._shards

    def get(self, key: Key) -> HeldShard | None:
        return self._shards.get(key)

    def add(self, shard: HeldShard) -> None:
        with self._lock:
            if self.stopping:
                shard.why = "stopped"
            self._shards[shard.key] = shard
        self.wake()

    def next(self, now: float) -> HeldShard | float | None:
        """The shard whose turn it is; or in how many seconds it will be one's; None for none at all."""
        with self._lock:
            return self._chosen(now)

    def _chosen(self, now: float) -> HeldShard | float | None:
        idle = [each for each in self._shards.values() if not each.busy]
        if not idle:
            return None
        first = min(idle, key=lambda each: each.due)
        if first.due > now and first.why is None:
            return first.due - now
        first.busy = True
        return first

    def back(self, shard: HeldShard, due: float) -> None:
        """The turn is over."""
        with self._lock:
            shard.due, shard.busy = due, False
            if shard.why is not None:
                shard.due = float("-inf")

    def remove(self, shard: HeldShard) -> None:
        with self._lock:
            if self._shards.get(shard.key) is shard:
                del self._shards[shard.key]
        self.wake()

    def leave(self, shard: HeldShard, why: Literal["given", "stopped"]) -> None:
        """Leave a shard as soon as the change that is being handled is."""
        with self._lock:
            shard.why = shard.why or why
            if not shard.busy:
                shard.due = float("-inf")
        self.wake()

    def leave_all(self) -> None:
        with self._lock:
            self._stop_all()
        self.wake()

    def _stop_all(self) -> None:
        self.stopping = True
        for each in self._shards.values():
            each.why = each.why or "stopped"
            if not each.busy:
                each.due = float("-inf")

    # --- Those who wait ---

    def sleeper(self) -> Signal:
        """A signal for a thread or task that waits for a turn."""
        signal = Signal()
        with self._lock:
            self._sleepers.add(signal)
        return signal

    def awake(self, signal: Signal) -> None:
        with self._lock:
            self._sleepers.discard(signal)

    def wake(self) -> None:
        """Something has happened: everybody looks again."""
        with self._lock:
            sleepers, self._sleepers = self._sleepers, set()
        for each in sleepers:
            each.give()
