"""Gathered writes: the buffer, batches, and what is left over.

`Buffer` is plain data behind a lock. The flows around it send 25 writes to a BatchWriteItem,
several batches at once, and send again what the service left unprocessed. A write leaves the buffer
when the service has acknowledged it and not before.

Retrying a call that failed outright is botocore's job first; what still fails then is retried here
only because puts and deletes without a condition are safe to repeat.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

import attrs

from dynattrs import limits
from dynattrs.errors import (
    AccessDenied,
    ConnectionFailed,
    DynattrsError,
    InvalidRequest,
    NoSuchTable,
    ServiceUnavailable,
    SessionClosed,
    Throttled,
    Unsent,
    UnsentWrites,
)
from dynattrs.operations.core import Core
from dynattrs.operations.flows import Call, Flow, Pause, Start, Task, Wait, pause_before
from dynattrs.operations.keys import identity
from dynattrs.schema import AttributeMap

#: Failures that pass: the same request may succeed later.
PASSING: Final = (Throttled, ServiceUnavailable, ConnectionFailed)
#: The same, without a class: somebody else, a transaction or another region, was at an item.
CONFLICTS: Final = frozenset(
    (
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
        "TransactionInProgressException",
    )
)
#: How often to look whether another thread is done.
_BETWEEN_LOOKS: Final = 0.005

_log = logging.getLogger("dynattrs")


def _nothing() -> None:
    return None


@attrs.define(eq=False)
class Write:
    """One put or delete that waits to be sent.

    Attributes:
        table: The table's real name.
        key: The primary key.
        request: What BatchWriteItem takes: `{"PutRequest": …}` or `{"DeleteRequest": …}`.
        size: The bytes of it.
        obj: The very object that was given to `save` or `delete`.
        action: `"save"` or `"delete"`.
        acknowledged: Called when the service has said yes.
        place: Its place among the writes of a buffer, which gives it.
    """

    table: str
    key: AttributeMap
    request: dict[str, Any]
    size: int
    obj: Any
    action: str
    acknowledged: Callable[[], None] = _nothing
    place: int = attrs.field(default=0, init=False)
    identity: Hashable = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.identity = identity(self.table, self.key)


@attrs.define(eq=False)
class Buffer:
    """The writes of one block that are not stored yet. Safe between threads."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    #: Not sent yet, by key: a later write to a key takes the place of an earlier one.
    _pending: dict[Hashable, Write] = attrs.field(factory=dict, init=False)
    #: Sent and not acknowledged. A key is in flight at most once, which keeps its order.
    _in_flight: dict[Hashable, Write] = attrs.field(factory=dict, init=False)
    _tasks: list[Task] = attrs.field(factory=list, init=False)
    _failed: list[tuple[int, Unsent]] = attrs.field(factory=list, init=False)
    _places: int = attrs.field(default=0, init=False)
    #: When the service last acknowledged a write.
    _last_success: float = attrs.field(default=float("-inf"), init=False)
    _sealed: bool = attrs.field(default=False, init=False)
    #: Why nothing new may be sent any more: an interruption.
    abandoned: BaseException | None = attrs.field(default=None, init=False)
    #: The error that `gather` raised last.
    raised: UnsentWrites | None = attrs.field(default=None, init=False)

    def __len__(self) -> int:
        with self._lock:
            return len(self._pending.keys() | self._in_flight.keys())

    def add(self, write: Write) -> None:
        """Take a write.

        Raises:
            SessionClosed: The block is ending. What is taken now would not be sent.
        """
        key = write.identity
        with self._lock:
            if self._sealed:
                raise SessionClosed("block")
            self._places += 1
            earlier = self._pending.get(key)
            # It takes the place of what it replaces, so that a key that is written all the time is
            # sent at some time.
            write.place = self._places if earlier is None else earlier.place
            self._pending[key] = write

    def seal(self) -> None:
        """Take no more writes."""
        with self._lock:
            self._sealed = True

    def holds(self, key: Hashable) -> bool:
        """Whether a write to this key is not acknowledged yet."""
        with self._lock:
            return key in self._pending or key in self._in_flight

    def holds_table(self, table: str) -> bool:
        with self._lock:
            return any(
                write.table == table
                for writes in (self._pending, self._in_flight)
                for write in writes.values()
            )

    def last_place(self) -> int:
        """The place of the latest write."""
        with self._lock:
            return self._places

    def outstanding(self, place: int) -> bool:
        """Whether a write up to this place is neither acknowledged nor given up."""
        with self._lock:
            return any(
                write.place <= place
                for writes in (self._in_flight, self._pending)
                for write in writes.values()
            )

    def has_whole(self) -> bool:
        """Whether a whole batch could be taken."""
        with self._lock:
            return bool(self._next(whole=True))

    def take(self, *, whole: bool) -> list[Write]:
        """The next batch, moved into flight; empty if there is none.

        With *whole* only a full one: 25 writes, or as many as reach 16 MB.
        """
        with self._lock:
            batch = self._next(whole=whole)
            for write in batch:
                # In this order: an interruption between the two loses nothing.
                self._in_flight[write.identity] = write
                del self._pending[write.identity]
            return batch

    def _next(self, *, whole: bool) -> list[Write]:
        if self.abandoned is not None or (whole and len(self._pending) < limits.BATCH_WRITE_ITEMS):
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
            if len(batch) == limits.BATCH_WRITE_ITEMS:
                return batch
        return [] if whole else batch

    def acknowledge(self, writes: Iterable[Write], now: float) -> None:
        done = list(writes)
        with self._lock:
            for write in done:
                self._land(write)
            if done:
                self._last_success = max(self._last_success, now)
        for write in done:
            write.acknowledged()

    def fail(self, writes: Iterable[Write], cause: BaseException) -> None:
        """Give up on *writes*, and remember why. A newer write to the same key stands."""
        with self._lock:
            for write in writes:
                if self._land(write):
                    self._failed.append((write.place, Unsent(write.obj, write.action, cause)))

    def _land(self, write: Write) -> bool:
        if self._in_flight.get(write.identity) is not write:
            return False
        del self._in_flight[write.identity]
        return True

    def is_abandoned(self) -> bool:
        return self.abandoned is not None

    def last_success(self) -> float:
        with self._lock:
            return self._last_success

    def discard(self) -> list[Any]:
        """Drop what is not sent yet; the objects."""
        with self._lock:
            dropped = [write.obj for write in self._pending.values()]
            self._pending.clear()
            return dropped

    def drain(self, cause: BaseException) -> list[Unsent]:
        """Take everything that is not stored, pending, in flight and failed, to report it."""
        with self._lock:
            left = {id(each): each for each in (*self._in_flight.values(), *self._pending.values())}
            self._failed += [
                (each.place, Unsent(each.obj, each.action, cause)) for each in left.values()
            ]
            self._pending.clear()
            self._in_flight.clear()
        return self.failures()

    def failures(self) -> list[Unsent]:
        """Take what has failed for good, in the order of the calls."""
        with self._lock:
            failed, self._failed = self._failed, []
        return [unsent for _, unsent in sorted(failed, key=lambda each: each[0])]

    # Tasks: batches that are being sent beside the caller.

    def began(self, task: Task) -> None:
        with self._lock:
            self._tasks.append(task)

    def running(self, fewer_than: int) -> Task | None:
        """The oldest running task, unless fewer than that many run."""
        with self._lock:
            self._tasks = [task for task in self._tasks if not task.done()]
            return self._tasks[0] if len(self._tasks) >= fewer_than else None


def gather(core: Core, buffer: Buffer, write: Write) -> Flow[None]:
    """Put a write into the buffer; send a batch when 25 are there, beside the caller.

    Waits while `concurrency` batches are in flight, so memory stays bounded.

    Raises:
        UnsentWrites: Earlier writes have failed for good. This one is among its objects: it was
            not taken.
        SessionClosed: The block has ended, or is ending.
    """
    failed = buffer.failures()
    if failed:
        cause = failed[0].cause
        buffer.raised = UnsentWrites((*failed, Unsent(write.obj, write.action, cause)))
        raise buffer.raised from cause
    buffer.add(write)
    while buffer.has_whole():
        task = buffer.running(core.concurrency)
        if task is not None:
            yield Wait(task)
            continue
        yield from _begin(core, buffer, buffer.take(whole=True))


def _begin(core: Core, buffer: Buffer, batch: list[Write]) -> Flow[None]:
    if not batch:
        return  # another thread was faster
    try:
        task = yield Start(send(core, buffer, batch))
    except BaseException as error:
        buffer.fail(batch, error)
        raise
    buffer.began(task)


def flush(core: Core, buffer: Buffer) -> Flow[None]:
    """Send all that is pending and wait until the service has acknowledged it.

    What other threads write in the meantime is not waited for.

    Raises:
        UnsentWrites: Some were not stored.
    """
    last = buffer.last_place()
    while buffer.outstanding(last):
        task = buffer.running(core.concurrency)
        if task is not None:
            yield Wait(task)
            continue
        batch = buffer.take(whole=False)
        if batch and len(buffer) == len(batch):
            # The only one: no thread, no task.
            yield from send(core, buffer, batch)
        elif batch:
            yield from _begin(core, buffer, batch)
        elif (task := buffer.running(1)) is not None:
            yield Wait(task)
        else:
            # Another thread is sending the rest, or is about to.
            yield Pause(_BETWEEN_LOOKS)
    failed = buffer.failures()
    if failed:
        raise UnsentWrites(failed) from failed[0].cause


def end(core: Core, buffer: Buffer, error: BaseException | None) -> Flow[None]:
    """The end of a block that *error* ends, or nothing: send and await all that was taken.

    What was saved before an error is stored, as boto3's batch_writer does. After KeyboardInterrupt,
    SystemExit and GeneratorExit, also one that comes while all is being sent, nothing new is sent:
    what is not stored is logged, and an `UnsentWrites` is put at the end of the context of *error*.

    Raises:
        UnsentWrites: Some were not stored. If *error* tells so of others, all are in this one.
    """
    buffer.seal()
    if error is not None and not isinstance(error, Exception):
        yield from _interrupt(buffer, error)
        return
    try:
        yield from flush(core, buffer)
    except UnsentWrites as unsent:
        if error is None:
            raise
        raised = buffer.raised
        earlier = raised.unsent if raised is not None and raised is error else ()
        raise UnsentWrites((*earlier, *unsent.unsent)) from error
    except Exception as failure:
        # Such as a driver that has been closed: the writes are still the caller's.
        unsent_now = buffer.drain(failure)
        if unsent_now:
            raise UnsentWrites(unsent_now) from failure
        raise
    except GeneratorExit:
        raise  # this flow itself is dropped, and cannot wait
    except BaseException as interruption:
        yield from _interrupt(buffer, interruption)
        raise
    finally:
        buffer.raised = None


def _interrupt(buffer: Buffer, error: BaseException) -> Flow[None]:
    buffer.abandoned = error
    while (task := buffer.running(1)) is not None:
        yield Wait(task)
    unsent = buffer.drain(error)
    if not unsent:
        return
    report = UnsentWrites(unsent)
    _log.error("a block was interrupted: %s", report)
    last, seen = error, {id(error)}
    while last.__context__ is not None and id(last.__context__) not in seen:
        last = last.__context__
        seen.add(id(last))
    if last.__context__ is None:
        last.__context__ = report


def send(core: Core, buffer: Buffer, batch: list[Write]) -> Flow[None]:
    """Send one batch until each of its writes is acknowledged or has failed.

    It raises interruptions and nothing else: failures are in the buffer.
    """
    environment = core.environment
    began = environment.monotonic()
    remaining = batch
    attempt = 0
    while remaining:
        cause: BaseException
        if buffer.abandoned is not None:
            buffer.fail(remaining, buffer.abandoned)
            return
        try:
            response = yield Call("batch_write_item", {"RequestItems": _request_items(remaining)})
            left = _unprocessed(response, remaining)
            cause = Throttled(
                "BatchWriteItem", "UnprocessedItems", f"{len(left)} writes were left unprocessed"
            )
        except PASSING as error:
            left, cause = remaining, error
        except (InvalidRequest, NoSuchTable, AccessDenied) as error:
            parts = _split(remaining, error)
            if len(parts) == 1:
                buffer.fail(remaining, error)
                return
            for part in parts:
                yield from send(core, buffer, part)
            return
        except Exception as error:
            if getattr(error, "code", None) not in CONFLICTS:
                buffer.fail(remaining, error)
                return
            left, cause = remaining, error
        except BaseException as error:
            buffer.fail(remaining, error)
            raise
        now = environment.monotonic()
        gone = {id(write) for write in left}
        done = [write for write in remaining if id(write) not in gone]
        buffer.acknowledge(done, now)
        remaining = left
        if not remaining:
            return
        attempt = 0 if done else attempt + 1
        silent_since = max(began, buffer.last_success())
        if buffer.is_abandoned() or now - silent_since >= core.deadline.total_seconds():
            buffer.fail(remaining, cause)
            return
        try:
            yield pause_before(attempt, environment)
        except BaseException as error:
            buffer.fail(remaining, error)
            raise


def _request_items(writes: list[Write]) -> dict[str, list[dict[str, Any]]]:
    items: dict[str, list[dict[str, Any]]] = {}
    for write in writes:
        items.setdefault(write.table, []).append(write.request)
    return items


def _split(writes: list[Write], error: DynattrsError) -> list[list[Write]]:
    """Smaller batches to find the culprit of a refusal: by table, then by halves."""
    by_table: dict[str, list[Write]] = {}
    for write in writes:
        by_table.setdefault(write.table, []).append(write)
    if len(by_table) > 1:
        return list(by_table.values())
    if not isinstance(error, InvalidRequest) or len(writes) == 1:
        return [writes]
    middle = len(writes) // 2
    return [writes[:middle], writes[middle:]]


def _unprocessed(response: dict[str, Any], writes: list[Write]) -> list[Write]:
    """The writes that the service has not done."""
    left = response.get("UnprocessedItems")
    if not left:
        return []
    by_identity = {write.identity: write for write in writes}
    found = {}
    for table, requests in left.items():
        # A table may be named by its ARN in a reply; the key decides then as well.
        names = next((set(write.key) for write in writes if write.table == table), set())
        for request in requests:
            item = request["PutRequest"]["Item"] if "PutRequest" in request else None
            key = item if item is not None else request["DeleteRequest"]["Key"]
            which = identity(table, {name: key[name] for name in names & key.keys()})
            if which not in by_identity:
                # What cannot be told is sent again: puts and deletes are safe to repeat.
                return writes
            found[which] = by_identity[which]
    return list(found.values())
