"""Gathered writes on their way: batches, and what is left over.

The flows send 25 writes of a `Buffer` to a BatchWriteItem, several batches at once, and send again
what the service left unprocessed.

Retrying a call that failed outright is botocore's job first; what still fails then is retried here
only because puts and deletes without a condition are safe to repeat.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

import types
from typing import Any, Final, TypeVar

from dynattrs import limits
from dynattrs.errors import DynattrsError, SessionClosed, Throttled, UnsentWrites
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, Signal, Start, Wait, WaitFor, begun
from dynattrs.operations.refusals import in_doubt
from dynattrs.operations.writing.buffer import Buffer, Write, size_of, write_by_key
from dynattrs.operations.writing.encoding import Encoded
from dynattrs.operations.writing.leftovers import (
    REFUSED,
    Answer,
    Put,
    Request,
    hold_back,
    is_of_partitions,
    passes,
    read,
    split,
    without,
)
from dynattrs.operations.writing.pace import inside
from dynattrs.operations.writing.packed import packed_write
from dynattrs.operations.writing.reports import (
    look_back,
    remember,
    report_left,
    tell_of,
    tell_so_far,
    unsent_writes,
    with_earlier,
)
from dynattrs.stored_bytes import size_elsewhere

R = TypeVar("R")

#: What the system takes to send without waiting for the other side.
_LIGHT_BYTES: Final = 65536


def put_write(core: Core, encoded: Encoded) -> Write:
    """The put of an encoded object."""
    table = core.table_name(encoded.info.table)
    source, size, settling = encoded.source, encoded.size, encoded.settling()
    if encoded.request is None:
        # Memory is bounded by what requests hold. A write that is alone in one may hold any number.
        size = min(size + sum(map(size_elsewhere, encoded.item.values())), limits.BATCH_WRITE_BYTES)
    if encoded.request is not None:
        return Write(table, encoded.identity, encoded.request, size, source, "save", settling)
    request = {"PutRequest": {"Item": encoded.item}}
    return write_by_key(table, encoded.key, request, size, source, "save", settling)


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
    if buffer.has_failures or core.hooks.after_flush:
        waits = may_wait(core, buffer, write, going_on)
        return buffer.add(write) and waits
    return buffer.add(write) and not is_sending(core, buffer)


def hold_packed(core: Core, buffer: Buffer, obj: object) -> bool | None:
    """As `hold`, for an object that becomes JSON at once; None for any other."""
    write = packed_write(core, obj)
    return None if write is None else hold(core, buffer, write)


def may_wait(core: Core, buffer: Buffer, write: Write, going_on: bool) -> bool:
    """Whether who writes may wait for what the buffer sends; raises what has failed before."""
    if is_sending(core, buffer):
        return False
    look_back(core, buffer, write, going_on=going_on)
    return True


def is_sending(core: Core, buffer: Buffer) -> bool:
    """Whether `on_progress` or a listener is writing: a sender cannot wait for itself."""
    return bool(buffer.senders) and core.environment.caller() in buffer.senders


def share_of(core: Core) -> int:
    """How many batches of one buffer may be under way: one, while all places are taken.

    Another one would only queue.
    """
    allowed = core.pace.allowed
    return allowed if len(core.pace.queue) < allowed else 1


def send_whole(core: Core, buffer: Buffer) -> Flow[None]:
    """Begin to send the whole batches there are.

    Waits while `concurrency` batches are in flight, so memory stays bounded.
    """
    while (found := buffer.next_whole(share_of(core))) is not None:
        if isinstance(found, list):
            yield from begin(core, buffer, found)
        else:
            yield WaitFor(found) if isinstance(found, Signal) else Wait(found)


def begin(
    core: Core,
    buffer: Buffer,
    batch: list[Write],
    put: Put | None = None,
    since: float | None = None,
) -> Flow[None]:
    """Send a batch beside the caller, as `send`. Where an interruption strikes when that has begun, the end
    waits for it as for any other; where nothing has begun, nothing of the batch stays in flight.
    """
    light = since is None and _is_light(buffer, batch)
    start = Start(send(core, buffer, batch, put, since), light, apart=since is not None)
    try:
        buffer.began((yield start))
    except BaseException as error:
        task = begun(start, error)
        if task is None:
            buffer.fail(batch, error)
        else:
            buffer.began(task)
        raise


def _is_light(buffer: Buffer, batch: list[Write]) -> bool:
    """Whether it takes little to send a batch."""
    # What `on_progress` does may take long. A write alone has a condition, or is a rest.
    return (
        len(batch) > 1 and buffer.on_progress is None and sum(map(size_of, batch)) <= _LIGHT_BYTES
    )


# --- One batch ----------------------------------------------------------------------------------


def send(
    core: Core,
    buffer: Buffer,
    batch: list[Write],
    put: Put | None = None,
    since: float | None = None,
) -> Flow[None]:
    """Send one batch, or a write alone by *put*, until each is acknowledged, has failed, or waits in a
    lane. Those that come from lanes have been tried *since* then.

    It raises interruptions and nothing else: failures are in the buffer. However it ends, nothing of
    the batch is in flight then.
    """
    caller = core.environment.caller()
    outer = caller in buffer.senders
    try:
        buffer.senders.add(caller)
        yield from _send(core, buffer, batch, put, since=since)
    except BaseException as error:
        # Only what is in flight still: of a batch that was split, parts may be stored.
        buffer.fail(batch, error)
        raise
    finally:
        if since is not None:
            buffer.lanes_answered(batch)
        if not outer:
            buffer.senders.discard(caller)


def _send(
    core: Core,
    buffer: Buffer,
    batch: list[Write],
    put: Put | None,
    uncertain: bool = False,
    since: float | None = None,
) -> Flow[None]:
    began = core.environment.monotonic() if since is None else since
    patience = core.deadline.total_seconds()
    operation = "BatchWriteItem"
    if put is not None:
        operation = "PutItem" if batch[0].action == "save" else "DeleteItem"
    wanted = bool(core.hooks.after_flush)
    remaining = batch
    attempt = 0
    while remaining:
        if buffer.abandoned is not None:
            buffer.fail(remaining, buffer.abandoned)
            return
        until = max(began, buffer.last_success) + patience
        request = Request(
            remaining, put, until, uncertain, since is not None, remaining is not batch
        )
        try:
            answer = yield from _at_pace(core, request)
        except Exception as error:
            uncertain = in_doubt(error, uncertain)
            parts = split(remaining, error)
            if len(parts) > 1:
                for part in parts:
                    yield from _send(core, buffer, part, put, uncertain, since)
                return
            if not passes(error, once=operation == "PutItem"):
                own = put is not None and not isinstance(error, SessionClosed)
                own = own or isinstance(error, REFUSED)
                buffer.fail(remaining, error if own else buffer.reason(error))
                return
            answer = Answer(uncertain, remaining, cause=error)
        now = core.environment.monotonic()
        uncertain, left = answer.uncertain, answer.left
        done = without(remaining, left) if left else remaining
        buffer.acknowledge(done, now, wanted=wanted)
        if not left:
            return
        assert answer.cause is not None
        until = max(began, buffer.last_success) + patience
        if now >= until or buffer.is_abandoned():
            buffer.fail(left, answer.cause)
            return
        attempt = 0 if done else attempt + 1
        if answer.hot:
            left = yield from hold_back(core, buffer, answer, now, attempt, begin)
        remaining = left
        if left:
            tables = (write.table for write in left)
            until = max(began, buffer.last_success) + patience
            yield core.pause_before(attempt, operation, tables, len(left), answer.cause, until)


def _at_pace(core: Core, request: Request) -> Flow[Answer]:
    """What is left of one request, which is made when the pace allows it; nothing of a put.

    Where the rest goes on in lanes, the others need not go slower.
    """
    environment, pace = core.environment, core.pace
    place, outer = Signal(), inside.get()
    throttled = False
    began = float("-inf")
    answer = Answer(request.uncertain)
    try:
        if outer is None:  # mostly there is a place
            pace.queue[place] = None
        if outer is not None or len(pace.queue) > pace.allowed:
            while not pace.begin(place):
                yield WaitFor(place)
        began = environment.monotonic()
        inside.set(place)
        if request.put is not None:
            yield from request.put(request.until)
        else:
            asked = {"RequestItems": _request_items(request.writes)}
            response = yield Call("batch_write_item", asked, deadline=request.until, outlasts=True)
            doubted = "Uncertain" in response.get("ResponseMetadata", ())
            if request.lane or doubted or response.get("UnprocessedItems"):
                read(core, request, response, answer)
                throttled = not answer.is_held()
        if not answer.left and pace.allowed < pace.most:
            pace.go_on()
    except Throttled as error:
        throttled = True
        if not is_of_partitions(core, request, error, answer):
            raise
        throttled = False
    finally:
        pace.queue.pop(place, None)
        inside.set(outer)
        if throttled:
            pace.slow_down(began, environment.monotonic())
        if pace.waiting:
            pace.waiting.pop(place, None)
            pace.admit()
    return answer


def _request_items(writes: list[Write]) -> dict[str, list[Any]]:
    tables = {write.table for write in writes}
    if len(tables) == 1:
        return {tables.pop(): [write.request for write in writes]}
    return {
        table: [write.request for write in writes if write.table == table]
        for table in dict.fromkeys(write.table for write in writes)
    }


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
    share = share_of(core)
    if is_sending(core, buffer):
        raise DynattrsError(
            "a flush inside on_progress or a listener would wait for the batch that is being sent, and so "
            "for itself; read and flush after the batch, or use the session"
        )
    began = core.environment.monotonic()
    while buffer.outstanding(last) or (buffer.has_failures and buffer.is_undecided()):
        found = buffer.next_of_all(share)
        if not isinstance(found, list):
            yield WaitFor(found) if isinstance(found, Signal) else Wait(found)
        elif len(buffer) == len(found) and not core.environment.cancellable:
            # The only one: no thread. A task is needed where the task that flushes may be cancelled, which
            # must not cancel what others have saved.
            yield from send(core, buffer, found)
        else:
            yield from begin(core, buffer, found)
        share = share_of(core)
    failed, counts = buffer.failures(), buffer.take_counts()
    flushed = buffer.ledger.take_objects() if buffer.ledger.holds else None
    try:
        if core.events.flush or flushed is not None:
            tell_of(core, counts, flushed, began, raising=not failed and ended_by is None)
    except BaseException:
        if failed:  # an interruption: they go with it
            remember(buffer, unsent_writes(buffer, failed))
        raise
    replaced = buffer.superseded()
    if not (failed and ending):  # the end remembers them
        buffer.told()
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
    began = core.environment.monotonic()
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
        yield from left(core, buffer, began, error, body)
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
        if not is_sending(core, buffer):
            yield from _await_tasks(buffer)
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


def left(
    core: Core,
    buffer: Buffer,
    began: float,
    error: BaseException,
    body: BaseException | None = None,
) -> Flow[None]:
    """An error leaves a batch, which *body* had ended: perhaps a second interruption, or one that has
    struck just before its end had begun, or just after. That one waits as any other.
    """
    struck = not isinstance(error, (Exception, GeneratorExit))
    if struck and isinstance(buffer.abandoned, (Exception, types.NoneType)):
        yield from _interrupt(core, buffer, began, error, body)
    else:
        report_left(buffer, error, body)


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
    """Wait for all of them, also where one was interrupted itself, which is raised then."""
    struck: BaseException | None = None
    while (task := buffer.last_running()) is not None:
        try:
            yield Wait(task)
        except BaseException as error:
            if not task.done():  # it is this flow that was interrupted
                raise
            if not isinstance(error, Exception):  # as `SessionClosed`, where it was cancelled
                struck = error
    if struck is not None:
        raise struck
