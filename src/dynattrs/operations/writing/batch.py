"""Gathered writes on their way: batches, and what is left over.

The flows send 25 writes of a `Buffer` to a BatchWriteItem, several batches at once, and send again
what the service left unprocessed.

Retrying a call that failed outright is botocore's job first; what still fails then is retried here
only because puts and deletes without a condition are safe to repeat.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from typing import Final, TypeVar

from dynattrs.errors import (
    DynattrsError,
    SessionClosed,
    UnsentWrites,
)
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, Signal, Start, Task, Wait, WaitFor
from dynattrs.operations.writing.buffer import Buffer, Write, size_of
from dynattrs.operations.writing.encoding import Encoded
from dynattrs.operations.writing.packed import packed_write
from dynattrs.operations.writing.reports import (
    hand_over,
    look_back,
    raise_failures,
    remember,
    report_left,
    tell_of,
    tell_so_far,
    unsent_writes,
    with_earlier,
)
from dynattrs.operations.writing.sending import Put, send

R = TypeVar("R")

#: What the system takes to send without waiting for the other side.
_LIGHT_BYTES: Final = 65536


def put_write(core: Core, encoded: Encoded) -> Write:
    """The put of an encoded object."""
    table = core.table_name(encoded.info.table)
    source, size, settling = encoded.source, encoded.size, encoded.settling()
    if encoded.request is not None:
        return Write(table, None, encoded.request, size, source, "save", settling, encoded.identity)
    request = {"PutRequest": {"Item": encoded.item}}
    return Write(table, encoded.key, request, size, source, "save", settling)


def gather(core: Core, buffer: Buffer, write: Write, *, going_on: bool = False) -> Flow[None]:
    """Put a write into the buffer; send a batch when 25 are there, beside the caller: `hold`, then
    `send_whole`.

    Raises:
        UnsentWrites: As `hold`.
        BatchClosed: As `hold`.
    """
    if hold(core, buffer, write, going_on=going_on):
        yield from send_whole(core, buffer)


def hold(core: Core, buffer: Buffer, write: Write, *, going_on: bool = False) -> bool:
    """Put a write into the buffer; whether `send_whole` is to follow.

    A function and no flow, because there are 24 writes after which nothing is to be done.

    Args:
        core: The session's.
        buffer: Takes the write.
        write: A put or delete.
        going_on: Leave failures that say nothing of other writes for the end.

    Raises:
        UnsentWrites: Earlier writes have failed for good. This one is among its objects: it was
            not taken.
        BatchClosed: The batch has ended, or is ending.
    """
    waits = _may_wait(core, buffer, write, going_on)
    return buffer.add(write) and waits


def hold_packed(core: Core, buffer: Buffer, obj: object) -> bool | None:
    """As `hold`, for an object that becomes JSON at once; None for any other."""
    write = packed_write(core, obj)
    if write is None:
        return None
    waits = _may_wait(core, buffer, write, False)
    return buffer.add(write) and waits


def _may_wait(core: Core, buffer: Buffer, write: Write, going_on: bool) -> bool:
    """Whether who writes may wait for what the buffer sends; raises what has failed before."""
    if is_sending(core, buffer):
        return False
    look_back(core, buffer, write, going_on=going_on)
    return True


def is_sending(core: Core, buffer: Buffer) -> bool:
    """Whether `on_progress` or a listener is writing: a sender cannot wait for itself."""
    return bool(buffer.senders) and core.environment.caller() in buffer.senders


def send_whole(core: Core, buffer: Buffer) -> Flow[None]:
    """Begin to send the whole batches there are.

    Waits while `concurrency` batches are in flight, so memory stays bounded.
    """
    while (found := buffer.next_whole(core.pace.share)) is not None:
        if isinstance(found, list):
            yield from _begin(core, buffer, found)
        else:
            yield _waiting(found)


def _waiting(found: Task | Signal) -> Wait | WaitFor:
    return WaitFor(found) if isinstance(found, Signal) else Wait(found)


def _begin(core: Core, buffer: Buffer, batch: list[Write], put: Put | None = None) -> Flow[None]:
    """Send a batch beside the caller. If that fails, nothing of it stays in flight all the same."""
    try:
        task = yield Start(send(core, buffer, batch, put), _is_light(buffer, batch))
        buffer.began(task)
    except BaseException as error:
        buffer.fail(batch, error)
        raise


def _is_light(buffer: Buffer, batch: list[Write]) -> bool:
    """Whether it takes little to send a batch."""
    # What `on_progress` does may take long. A write alone has a condition, or is a rest.
    return (
        len(batch) > 1 and buffer.on_progress is None and sum(map(size_of, batch)) <= _LIGHT_BYTES
    )


def gather_alone(core: Core, buffer: Buffer, write: Write, put: Put) -> Flow[None]:
    """Send a write by a request of its own, beside the caller.

    Waits while `concurrency` requests are in flight. What fails is in the buffer. No write to its
    key is in flight: `await_key` saw to that.

    Raises:
        UnsentWrites: Earlier writes have failed in a way that leaves no hope for this one, which
            is among its objects.
    """
    if buffer.is_hopeless():
        raise_failures(buffer, write)
    if (portion := buffer.ledger.take_portion()) is not None:
        hand_over(core, portion, raising=False)
    while (task := buffer.running(core.pace.share)) is not None:
        yield Wait(task)
    buffer.take_alone(write)
    yield from _begin(core, buffer, [write], put)


def gather_beside(core: Core, buffer: Buffer, write: Write, put: Put) -> Flow[None]:
    """As `gather`, for a write that takes a request of its own.

    Raises:
        UnsentWrites: As `hold`.
        BatchClosed: As `hold`.
        DynattrsError: It comes from inside the sending of the batch, which holds its key still.
    """
    if _may_wait(core, buffer, write, False):
        yield from await_key(core, buffer, write.identity)
        yield from gather_alone(core, buffer, write, put)
    elif buffer.holds(write.identity):
        raise DynattrsError(
            "a delete from inside on_progress, or from a listener, of what the batch is still writing "
            "would wait for the batch and so for itself: delete it after the batch"
        )
    else:
        buffer.take_alone(write)
        yield from _begin(core, buffer, [write], put)


def await_key(core: Core, buffer: Buffer, key: Hashable) -> Flow[None]:
    """Wait until no write to a key is pending or in flight."""
    while buffer.holds(key):
        buffer.hasten(key)
        found = buffer.next_of_all(1)
        if isinstance(found, list):
            yield from send(core, buffer, found)
        else:
            yield _waiting(found)


def settle_open(
    core: Core, own: Buffer | None, key: Hashable = None, *, batches: bool = True
) -> Flow[bool]:
    """Store what the caller's open batches and each `save_all` that it is in, others than its own, have
    for a key, or, without one, all that they have so far. What fails there is told by them.

    Returns:
        Whether they had anything.

    Args:
        core: The session's.
        own: The buffer of who writes.
        key: Which key.
        batches: Also what batches have, which do not wait for each other.
    """
    had = False
    caller = core.environment.caller()
    openers = {**core.taking, **core.gathering} if batches else {**core.taking}
    for buffer, opener in openers.items():
        # From inside the sending of a batch that would wait for itself.
        if opener == caller and buffer is not own and caller not in buffer.senders:
            last = buffer.last_place()
            while buffer.holds(key) if key is not None else buffer.outstanding(last):
                had = True
                found = buffer.next_of_all(core.pace.share)
                if isinstance(found, list):
                    yield from _begin(core, buffer, found)
                else:
                    yield _waiting(found)
    return had


# --- All of it ----------------------------------------------------------------------------------


def flush(
    core: Core, buffer: Buffer, *, ending: bool = False, ended_by: BaseException | None = None
) -> Flow[None]:
    """Send all that is pending and wait until the service has acknowledged it.

    What other threads write in the meantime is not waited for, except where it replaces what has failed.
    Where an error has ended the batch, what an `after_flush` hook raises does not take its place.

    Raises:
        UnsentWrites: Some were not stored.
        DynattrsError: It is called by what is called while a batch is being sent.
    """
    last = buffer.seal() if ending else buffer.last_place()
    if buffer.senders and core.environment.caller() in buffer.senders:
        raise DynattrsError(
            "a flush from inside on_progress, or from a listener, would wait for the batch that is "
            "just being sent and so for itself: read and flush after the batch, or go through the "
            "session"
        )
    began = core.environment.monotonic()
    while buffer.outstanding(last) or (buffer.has_failures and buffer.is_undecided()):
        found = buffer.next_of_all(core.pace.share)
        if not isinstance(found, list):
            yield _waiting(found)
        elif len(buffer) == len(found) and not core.environment.cancellable:
            # The only one: no thread. A task is needed where whoever flushes may be cancelled, which
            # must not cancel what others have saved.
            yield from send(core, buffer, found)
        else:
            yield from _begin(core, buffer, found)
    failed, counts = buffer.failures(), buffer.ledger.take_counts()
    flushed = buffer.ledger.take_objects()
    if core.events.flush or flushed is not None:
        tell_of(core, counts, flushed, began, raising=not failed and ended_by is None)
    replaced = buffer.superseded()
    if failed:
        raise UnsentWrites(failed, replaced) from failed[0].cause
    complaint, buffer.complaint = buffer.complaint, None
    if complaint is not None:
        raise complaint


def gathered(core: Core, buffer: Buffer, gathering: Flow[R]) -> Flow[R]:
    """What *gathering* gives, when all that it puts into the buffer is stored.

    Raises:
        UnsentWrites: As `end`.
    """
    body: BaseException | None = None
    try:
        try:
            core.taking[buffer] = core.environment.caller()
            result = yield from gathering
        except GeneratorExit:
            raise  # this flow itself is dropped, and cannot wait
        except BaseException as error:
            body = error
            # What was taken is stored, as at the end of a batch.
            yield from end(core, buffer, error)
            raise
        yield from end(core, buffer, None)
    except BaseException as error:
        # Nothing is left, unless this flow is dropped, or was interrupted while it ended.
        report_left(buffer, error, body)
        raise
    finally:
        core.taking.pop(buffer, None)
    return result


def end(core: Core, buffer: Buffer, error: BaseException | None) -> Flow[None]:
    """The end of a batch that *error* ends, or nothing: send and await all that was taken.

    What was saved before an error is stored, as boto3's batch_writer does. After KeyboardInterrupt,
    SystemExit and GeneratorExit, also one that comes while all is being sent, nothing new is sent:
    what is not stored is logged, and an `UnsentWrites` is put among the causes of *error*, and of
    what comes while all is being sent.

    Raises:
        UnsentWrites: Some were not stored. If *error* tells so of others, all are in this one.
    """
    began = core.environment.monotonic()
    if error is not None and not isinstance(error, Exception):
        yield from _interrupt(core, buffer, began, error)
        return
    try:
        yield from flush(core, buffer, ending=True, ended_by=error)
    except UnsentWrites as unsent:
        if error is None:
            remember(buffer, unsent)
            raise
        raise remember(buffer, with_earlier(buffer, error, unsent) or unsent) from error
    except Exception as failure:
        # Such as a driver that has been closed: the writes are still the caller's.
        unsent_now = buffer.drain(failure)
        tell_so_far(core, buffer, began)
        if unsent_now:
            raise remember(buffer, unsent_writes(buffer, unsent_now)) from failure
        raise
    except GeneratorExit:
        raise  # this flow itself is dropped, and cannot wait
    except BaseException as interruption:
        yield from _interrupt(core, buffer, began, interruption, error)
        raise
    else:
        corrected = with_earlier(buffer, error, None) if error is not None else None
        if corrected is not None:
            raise remember(buffer, corrected) from error
    finally:
        buffer.raised = None


def give_up(core: Core, buffer: Buffer, cause: SessionClosed) -> Flow[None]:
    """The end of a batch whose session was closed before: nothing new is sent.

    Raises:
        UnsentWrites: Some writes were not stored, because of *cause*.
    """
    began = core.environment.monotonic()
    buffer.abandoned = cause
    buffer.seal()
    buffer.cancel_tasks()
    yield from _await_tasks(buffer)
    unsent = buffer.drain(cause)
    tell_so_far(core, buffer, began)
    if unsent:
        raise remember(buffer, unsent_writes(buffer, unsent)) from cause


def _interrupt(
    core: Core,
    buffer: Buffer,
    began: float,
    error: BaseException,
    body: BaseException | None = None,
) -> Flow[None]:
    buffer.abandoned = error
    buffer.seal()
    buffer.cancel_tasks()
    try:
        # A coroutine that is being closed cannot wait; a generator in a thread can.
        if not (core.environment.cancellable and isinstance(error, GeneratorExit)):
            yield from _await_tasks(buffer)
    finally:
        # Also where the waiting is interrupted once more.
        report_left(buffer, error, body)
        tell_so_far(core, buffer, began)


def _await_tasks(buffer: Buffer) -> Flow[None]:
    while (task := buffer.last_running()) is not None:
        with contextlib.suppress(SessionClosed):  # it was cancelled
            yield Wait(task)
