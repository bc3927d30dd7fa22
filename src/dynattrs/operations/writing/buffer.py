"""Gathered writes as data: what is pending, what is in flight, and what has become of it.

Plain data behind locks, without I/O; the flows in `batch` send what a buffer holds. A write leaves it
when the service has acknowledged it, and not before.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

import msgspec

from dynattrs import limits
from dynattrs.errors import BatchClosed, DynattrsError, Unsent, UnsentWrites
from dynattrs.late_classes import define, field
from dynattrs.operations.flows import Signal, Task, forget_at_fork
from dynattrs.operations.item_keys import identity
from dynattrs.operations.writing.failures import (
    Failure,
    Failures,
    Raised,
    not_stored,
    superseded_of,
    unsent_of,
)
from dynattrs.operations.writing.landing import Landing, not_counted, of_key, that_hold, without
from dynattrs.operations.writing.lanes import Lane, Laned, Lanes
from dynattrs.operations.writing.ledger import Ledger, Progress
from dynattrs.schema.table import AttributeMap

size_of: Final = operator.attrgetter("size")
_identity_of: Final = operator.attrgetter("identity")
_acknowledged_of: Final = operator.attrgetter("acknowledged")
_action_of: Final = operator.attrgetter("action")


# Of msgspec, because one is made for each object: that takes 0.1 us, with attrs 0.35.
class Write(msgspec.Struct, eq=False):
    """One put or delete that waits to be sent.

    Attributes:
        table: The table's real name.
        identity: What makes its key the same as others to the service.
        request: What BatchWriteItem takes: `{"PutRequest": …}` or `{"DeleteRequest": …}`, or, of a
            put, its JSON (`Mapper.dump_as_request`).
        size: The bytes of it.
        obj: The very object that was given to `save` or `delete`.
        action: `"save"` or `"delete"`.
        acknowledged: Called when the service has said yes.
        key: The primary key; None where the identity tells it.
        place: Its place among the writes of a buffer, which gives it.
    """

    table: str
    identity: Hashable
    request: Any
    size: int
    obj: Any
    action: str = "save"
    acknowledged: Callable[[], None] | None = None
    key: AttributeMap | None = None
    place: int = 0


def write_by_key(
    table: str,
    key: AttributeMap,
    request: Mapping[str, Any],
    size: int,
    obj: object,
    action: str,
    acknowledged: Callable[[], None] | None = None,
) -> Write:
    """A write of an item by its primary key."""
    return Write(table, identity(table, key), request, size, obj, action, acknowledged, key)


# --- The buffer ---------------------------------------------------------------------------------

# Loops that choose have functions of their own, here and wherever a lock is held: from 3.12 on
# CPython runs no `with` or `finally` of the same function when an interruption strikes at the end of
# such a loop (python/cpython#108214), and the lock would stay held.


def _remove(in_flight: dict[Hashable, Write], writes: Iterable[Write]) -> None:
    for write in writes:
        found = in_flight.pop(write.identity, None)
        if found is not write and found is not None:  # a later one of its key
            in_flight[write.identity] = found


def _not_done(tasks: list[Task]) -> list[Task]:
    return [task for task in tasks if not task.done()]


@define(eq=False, repr=False)
class Buffer(Laned[Write]):
    """The writes of one batch that are not stored yet. Safe between threads."""

    #: Those who wait until something of this changes.
    _listening: list[Signal] = field(factory=list, init=False)
    _tasks: list[Task] = field(factory=list, init=False)
    _failures: Failures = field(factory=Failures, init=False)
    #: Those of them that the next error tells of besides.
    _superseded: list[Unsent] = field(factory=list, init=False)
    #: What a `save` has raised last for writes before it.
    raised: Raised | None = field(default=None, init=False)
    #: Told of each answer.
    on_progress: Callable[[Progress], object] | None = None
    _reporting: threading.Lock = field(factory=threading.Lock, init=False)
    _places: int = field(default=0, init=False)
    #: Places of writes that were dropped before they were sent: they count as never taken.
    _dropped: int = field(default=0, init=False)
    _stored: int = field(default=0, init=False)
    #: How many writes others have taken the place of.
    _replaced: int = field(default=0, init=False)
    _given_up: int = field(default=0, init=False)
    #: Writes that were saved, deleted and given up since listeners were told.
    _counts: tuple[int, int, int] = field(default=(0, 0, 0), init=False)
    #: Writes that are counted as stored and have not left it.
    _landing: list[Landing] = field(factory=list, init=False)
    #: Whether there is anything for `failures` or `is_hopeless` to tell.
    has_failures: bool = field(default=False, init=False)
    #: Whether failures were taken that are in no report yet.
    _untold: bool = field(default=False, init=False)
    _sealed: bool = field(default=False, init=False)
    #: What `on_progress` raised. It is not called again, and writes go on.
    complaint: Exception | None = field(default=None, init=False)
    #: What was said at its end of writes that were not stored.
    reports: list[UnsentWrites] = field(factory=list, init=False)
    #: Who is sending a batch of it just now: what that calls cannot wait for the batch.
    senders: set[Hashable] = field(factory=set, init=False)
    #: What became of its writes, until hooks are told.
    ledger: Ledger = field(factory=Ledger, init=False)

    def __attrs_post_init__(self) -> None:
        forget_at_fork(self)

    def forked(self) -> None:
        """This is a child process: what is here is its parent's to send."""
        self._lock, self._reporting = threading.Lock(), threading.Lock()
        self._waiting, self._in_flight, self._tasks = {}, {}, []
        self.coming.clear()
        self.lanes, self.attendant, self._listening = Lanes(), None, []
        self._failures, self._superseded, self.raised = Failures(), [], None
        self._dropped, self.has_failures = self._places, False
        self._stored = self._replaced = self._given_up = 0
        self._counts, self._landing = (0, 0, 0), []
        self.senders, self.ledger = set(), Ledger()

    def __len__(self) -> int:
        with self._lock:
            return len(self._keys())

    def _every(self) -> Iterator[Write]:
        return chain.from_iterable(writes.values() for writes in self._places_of_writes())

    def _places_of_writes(self) -> list[dict[Hashable, Write]]:
        if not self.lanes.by_partition:
            return [self._in_flight, self._pending]
        return [self._in_flight, self._pending, *self.lanes.all()]

    def add(self, write: Write) -> bool:
        """Take a write.

        Returns:
            If enough wait for a batch to be whole; see `has_whole`.

        Raises:
            BatchClosed: The batch is ending. What is taken now would not be sent.
        """
        with self._lock:
            if self._sealed:
                raise BatchClosed
            pending = self._pending
            if self._put(write):
                return self.lanes.is_full()
            return len(pending) >= limits.BATCH_WRITE_ITEMS

    def _put(self, write: Write, came: int = 0) -> bool:
        """Whether it waits in a lane. With it so many of what has come are taken in."""
        lane = self._lane_of(write) if self.lanes.by_partition else None
        writes = self._waiting if lane is None else lane.writes
        key, place = write.identity, self._places + 1
        first, replaced = place, self._replaced
        earlier = writes.get(key)
        if earlier is not None and earlier is not write:
            # So that a key that is written all the time is sent at some time.
            first = min(place, earlier.place)
            replaced += 1
            if self.raised is not None:
                self.raised.took_place(write, first)
        held = None if lane is None else self.lanes.held_with(write, earlier)
        # All or nothing: CPython looks for signals at calls and at the ends of loops, and has none here.
        write.place, writes[key] = first, write
        self._places, self._replaced = place, replaced
        if held is not None:
            self.lanes.held = held
        if came:
            del self.coming[:came]
        return lane is not None

    @property
    def _pending(self) -> dict[Hashable, Write]:
        """All that is not sent yet, by key. (The lock is held, as wherever it is looked at.)"""
        if self.coming:
            self._arrive(len(self.coming))
        return self._waiting

    def _arrive(self, count: int) -> None:
        """Take in so many of what has come."""
        coming, waiting = self.coming, self._waiting
        while count > 0:
            if not self.lanes.by_partition:
                place = self._places
                for write in coming[:count]:
                    if waiting.setdefault(write.identity, write) is not write:
                        break
                    place += 1
                    write.place = place
                count -= (taken := place - self._places)
                # All or nothing, as in `_put`: after an interruption before this the same is done again.
                self._places = place
                del coming[:taken]
            if count > 0:
                self._put(coming[0], 1)
                count -= 1

    def room(self) -> int:
        """How many writes are missing from a whole batch."""
        with self._lock:
            return limits.BATCH_WRITE_ITEMS - len(self._pending)

    def _lane_of(self, write: Write) -> Lane[Write] | None:
        return None if write.identity in self._waiting else self.lanes.lane_of(write)

    def _take_place(self, write: Write, earlier: Write) -> None:
        self._replaced += 1
        write.place = min(write.place, earlier.place)
        if self.raised is not None:
            self.raised.took_place(write, write.place)

    def pass_over(self, write: Write) -> None:
        """Give a place to a write that is not taken."""
        with self._lock:
            write.place = self._places = self._last_place() + 1
            self._dropped += 1

    def seal(self) -> int:
        """Take no more writes; the place of the latest one."""
        with self._lock:
            self._sealed = True
            return self._last_place()

    def holds(self, key: Hashable) -> bool:
        """Whether a write to this key is not acknowledged yet."""
        return bool(self.held(key))

    def held(self, key: Hashable) -> list[Write]:
        """The writes to this key that are not acknowledged yet."""
        with self._lock:
            return of_key(key, self._places_of_writes())

    def holds_table(self, table: str) -> bool:
        with self._lock:
            return any(write.table == table for write in self._every())

    def last_place(self) -> int:
        with self._lock:
            return self._last_place()

    def _last_place(self) -> int:
        if self.coming:
            self._arrive(len(self.coming))
        return self._places

    def outstanding(self, place: int) -> bool:
        """Whether a write up to this place is neither acknowledged nor given up."""
        with self._lock:
            if not (self._in_flight or self._pending or self.lanes.by_partition):
                return False
            return any(write.place <= place for write in self._every())

    def next_whole(self, allowed: int) -> list[Write] | Task | Signal | None:
        """The next whole batch, moved into flight; where as many as allowed are in flight, the task to
        wait for before there is one; where the lanes are full, a signal; None if there is no batch.
        """
        with self._lock:
            if len(self._pending) >= limits.BATCH_WRITE_ITEMS:
                # (Also where what is pending waits for its keys, a place is waited for.)
                found = self._running(allowed) or self._take(whole=True)
                if found:
                    return found
            full = self.lanes.by_partition and self.lanes.is_full() and self.abandoned is None
            return self._hear() if full else None

    def next_of_all(self, allowed: int) -> list[Write] | Task | Signal:
        """As `next_whole`, for all that is pending. A task also where that waits for its key; a signal
        where the rest waits for its partitions, or is another thread's to send.
        """
        with self._lock:
            found = self._running(allowed) or self._take(whole=False) or self._running(1)
            return found or self._hear()

    def _hear(self) -> Signal:
        """A signal that is given when something becomes of a write."""
        signal = Signal()
        self._listening.append(signal)
        return signal

    def _tell(self) -> None:
        if self._listening:
            listening, self._listening = self._listening, []
            for signal in listening:
                signal.give()

    def take(self, *, whole: bool) -> list[Write]:
        """The next batch, moved into flight; empty if there is none.

        With *whole* only a full one: 25 writes, or as many as reach 16 MB.
        """
        with self._lock:
            return self._take(whole=whole)

    def _take(self, *, whole: bool) -> list[Write]:
        pending = self._pending
        if self._is_one_batch(pending):
            batch = [*pending.values()]
            # In this order, here and below: an interruption between the two loses nothing.
            self._in_flight.update(pending)
            self._waiting = {}
            return batch
        batch = self._next(whole=whole)
        keys = [*map(_identity_of, batch)]
        self._in_flight.update(zip(keys, batch, strict=True))
        for key in keys:
            del self._waiting[key]
        return batch

    def _is_one_batch(self, pending: dict[Hashable, Write]) -> bool:
        """Whether all that is pending is one batch whose keys are not in flight, and small enough, as it
        nearly always is.
        """
        return (
            len(pending) == limits.BATCH_WRITE_ITEMS
            and self.abandoned is None
            and self._in_flight.keys().isdisjoint(pending)
            and sum(map(size_of, pending.values())) <= limits.BATCH_WRITE_BYTES
        )

    def _next(self, *, whole: bool) -> list[Write]:
        most = limits.BATCH_WRITE_ITEMS
        if self.abandoned is not None or (whole and len(self._pending) < most):
            return []
        batch: list[Write] = []
        size = 0
        for key, write in self._pending.items():
            if key in self._in_flight:
                continue
            size += write.size
            if size > limits.BATCH_WRITE_BYTES:
                return batch
            batch.append(write)
            if len(batch) == most:
                return batch
        return [] if whole else batch

    def take_alone(self, write: Write) -> None:
        """Take a write straight into flight; its key is not in flight already."""
        with self._lock:
            write.place = self._places = self._last_place() + 1
            self._in_flight[write.identity] = write

    def acknowledge(self, done: list[Write], now: float, *, wanted: bool = False) -> None:
        """The service has stored *done*. Hooks that are *wanted* for it are to have the objects."""
        if not done:
            return
        landing = Landing(done, now, wanted)
        saved = [*map(_action_of, done)].count("save")
        deleted = len(done) - saved
        with self._lock:
            # Before they leave the buffer: a flush that has waited for them tells of them.
            stored, before, counts = self._stored, self._landing, self._counts
            if self.on_progress is not None:
                stored += sum(map(self._flies, done))
            # All or nothing, as in `_put`: what is counted as stored is not given up.
            self._counts = counts[0] + saved, counts[1] + deleted, counts[2]
            self._stored, self._landing = stored, [*before, landing]
            self._settle(landing)
            if self.on_progress is None and not any(map(_acknowledged_of, done)):
                _remove(self._in_flight, done)
                self._landing = before
                self._tell()
                return
        # They land last: who waits for them finds versions moved and progress told.
        try:
            landing.tell()
            self._report()
        except Exception:
            self._land(landing)
            raise
        self._land(landing)

    def _settle(self, landing: Landing) -> None:
        if landing.wanted:
            self.ledger.stored(landing)
        self.last_success = max(self.last_success, landing.now)
        if self.has_failures:
            self._failures.stored(landing.writes)
        if self.raised is not None:
            self.raised.stored(landing.writes)

    def _let_land(self, landing: Landing) -> None:
        """Do what an interruption has kept from being done."""
        with self._lock:
            self._settle(landing)
        try:
            landing.tell()
        finally:
            self._land(landing)

    def _land(self, landing: Landing) -> None:
        with self._lock:
            _remove(self._in_flight, landing.writes)
            self._landing = without(self._landing, landing)
            self._tell()

    def take_counts(self) -> tuple[int, int, int]:
        """How many were saved, deleted and given up, for listeners, once."""
        with self._lock:
            counts, self._counts = self._counts, (0, 0, 0)
            return counts

    def fail(self, writes: Collection[Write], cause: BaseException) -> None:
        """Give up on *writes*, and remember why. A newer write to the same key stands, and what is stored."""
        for landing in that_hold(self._landing, writes):
            self._let_land(landing)
        with self._lock:
            given_up = list(filter(self._flies, writes))
            for write in given_up:
                self._given_up += 1
                self._failures.add(write, cause)
                self.has_failures = True
        try:
            self._report()
        finally:
            with self._lock:
                _remove(self._in_flight, given_up)
                self._tell()

    def _report(self) -> None:
        if self.on_progress is None:
            return
        # One report after the other, so that numbers never go back.
        with self._reporting:
            with self._lock:
                taken = self._last_place() - self._dropped
                progress = Progress(taken, self._stored, self._replaced, self._given_up)
            if self.complaint is None:
                try:
                    self.on_progress(progress)
                except Exception as error:
                    self.complaint = error

    def _flies(self, write: Write) -> bool:
        return self._in_flight.get(write.identity) is write

    def is_abandoned(self) -> bool:
        return self.abandoned is not None

    def reason(self, error: BaseException) -> BaseException:
        """Why a write was not sent: the interruption, or *error* where there was none."""
        return error if self.abandoned is None else self.abandoned

    def discard(self) -> list[Unsent]:
        """Drop what is not sent yet."""
        with self._lock:
            cause = DynattrsError("dropped by discard()")
            unsent = [*self._pending.values(), *self.lanes.clear()]
            dropped = [not_stored(write, cause) for write in unsent]
            self._waiting.clear()
            self._dropped += len(dropped)
            return dropped

    def left(self, cause: BaseException) -> list[Unsent]:
        """Give up on all that is pending and in flight; what has failed for good so far, which
        `failures` takes.
        """
        with self._lock:
            waiting = self._in_flight.values(), self._pending.values(), self.lanes.clear()
            left = not_counted(waiting, self._landing)
            for write in left.values():
                self._failures.left(write, cause)
            self._waiting.clear()
            self._in_flight.clear()
            self._given_up += len(left)
            self.has_failures = bool(self._failures)
            return unsent_of(self._failures.look())

    def drain(self, cause: BaseException) -> list[Unsent]:
        """Take everything that is not stored, pending, in flight and failed, to report it."""
        unsent = self.left(cause)
        self.failures()
        return unsent

    def is_settled(self) -> bool:
        """Whether every write that was taken is stored, or was told of."""
        with self._lock:
            return not (self._keys() or self.has_failures)

    def forget(self) -> None:
        """The batch has ended. Let go of errors: they hold frames, with all that is in these."""
        with self._lock:
            self._failures, self._superseded, self.raised = Failures(), [], None
            self._tasks, self.reports, self.complaint = [], [], None
            self.attendant, self.has_failures = None, False
            # What still runs in a thread finds that it is over.
            self.abandoned = BatchClosed("ended")

    # What was given up.

    def is_hopeless(self) -> bool:
        """Whether what has failed lets no other write succeed: no table, no answer, too many."""
        return self._failures.is_hopeless()

    def is_undecided(self) -> bool:
        """Whether a newer write of a key, which is on its way, decides if a failure matters."""
        with self._lock:
            return self._failures.waits_for(self._keys())

    def _keys(self) -> set[Hashable]:
        keys = self._pending.keys() | self._in_flight.keys()
        return keys.union(*self.lanes.all()) if self.lanes.by_partition else keys

    def take_failures(self) -> list[Failure]:
        """Take what has failed for good, in the order of the calls, as far as it is decided."""
        if not self.has_failures:
            return []
        with self._lock:
            self._untold = True
            taken = self._failures.take(self._keys())
            self.has_failures = bool(self._failures)
            unsent, superseded = unsent_of(taken), superseded_of(taken)
            saved, deleted, failed = self._counts
            self._counts = saved, deleted, failed + len(unsent)
        self._superseded += superseded
        self.ledger.gave_up(unsent, superseded)
        return taken

    def failures(self) -> list[Unsent]:
        """As `take_failures`, without those that a newer write has replaced."""
        return unsent_of(self.take_failures()) if self.has_failures else []

    def told(self) -> None:
        """What was taken of failures is in a report."""
        if self._untold:
            with self._lock:
                self._failures.told()
                self._untold = False

    def superseded(self) -> list[Unsent]:
        """Take those that a newer write has replaced."""
        superseded, self._superseded = self._superseded, []
        return superseded

    # Tasks: batches that are being sent beside the caller.

    def began(self, task: Task) -> None:
        with self._lock:
            self._tasks.append(task)

    def cancel_tasks(self) -> None:
        """Begin none of them that has not begun; under asyncio end those that have."""
        with self._lock:
            tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self.stirred.give()

    def last_running(self) -> Task | None:
        """The oldest running task; at last what attends to the lanes."""
        with self._lock:
            last = [self.attendant] if self.attendant is not None else []
            return self._running(1) or next(iter(_not_done(last)), None)

    def running(self, fewer_than: int) -> Task | None:
        """The oldest running task, unless fewer than that many run."""
        with self._lock:
            return self._running(fewer_than)

    def _running(self, fewer_than: int) -> Task | None:
        if len(self._tasks) < fewer_than:
            return None
        self._tasks = _not_done(self._tasks)
        return self._tasks[0] if len(self._tasks) >= fewer_than else None
