"""One batch of gathered writes on its way, until each is stored, has failed, or waits for its partition.

Retrying a call that failed outright is botocore's job first; what still fails then is retried here
only because puts and deletes without a condition are safe to repeat.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from dynattrs.errors import AccessDenied, InvalidRequest, NoSuchTable, Throttled
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, Signal, Start, WaitFor
from dynattrs.operations.item_keys import identity, names_in
from dynattrs.operations.refusals import PASSING, in_doubt, is_conflict
from dynattrs.operations.writing.buffer import Buffer, Write
from dynattrs.operations.writing.pace import inside
from dynattrs.operations.writing.partitions import Partition
from dynattrs.schema.messages import Message

#: Sends a write by a request of its own: one that has a condition.
Put: TypeAlias = Callable[[float], Flow[None]]

#: What the service says of a request that it will never do.
_REFUSED: Final = (InvalidRequest, NoSuchTable, AccessDenied)
#: What it says where it has done nothing of a request because of partitions or a table.
_EXCEEDED: Final = "ProvisionedThroughputExceededException"


def send(
    core: Core,
    buffer: Buffer,
    batch: list[Write],
    put: Put | None = None,
    *,
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

    def until() -> float:
        return max(began, buffer.last_success()) + patience

    while remaining:
        if buffer.abandoned is not None:
            buffer.fail(remaining, buffer.abandoned)
            return
        request = _Request(
            remaining, put, until(), uncertain, since is not None, remaining is not batch
        )
        try:
            answer = yield from _at_pace(core, request)
            uncertain, left, cause = answer.uncertain, answer.left, answer.cause
        except Exception as error:
            uncertain = in_doubt(error, uncertain)
            parts = _split(remaining, error)
            if len(parts) > 1:
                for part in parts:
                    yield from _send(core, buffer, part, put, uncertain, since)
                return
            if not _passes(error, once=operation == "PutItem"):
                own = put is not None or isinstance(error, _REFUSED)
                buffer.fail(remaining, error if own else buffer.reason(error))
                return
            answer, left, cause = _Answer(), remaining, error
        now = core.environment.monotonic()
        gone = {id(write) for write in left}
        done = [write for write in remaining if id(write) not in gone] if left else remaining
        buffer.acknowledge(done, now, wanted=wanted)
        if not left:
            return
        assert cause is not None
        if now >= until() or buffer.is_abandoned():
            buffer.fail(left, cause)
            return
        attempt = 0 if done else attempt + 1
        if answer.hot:
            yield from _hold_back(core, buffer, answer.hot, now, cause, attempt)
            held = {id(write) for writes in answer.hot.values() for write in writes}
            left = [write for write in left if id(write) not in held]
        remaining = left
        if left:
            tables = (write.table for write in left)
            yield core.pause_before(attempt, operation, tables, len(left), cause, until())


def _passes(error: Exception, *, once: bool) -> bool:
    """Whether the same may be sent again. What is put under a condition must not be put again where it
    may have been applied: its condition would fail.
    """
    passing = isinstance(error, PASSING) or is_conflict(error)
    return passing and not (once and getattr(error, "uncertain", False))


# --- Lanes --------------------------------------------------------------------------------------


def _hold_back(
    core: Core,
    buffer: Buffer,
    hot: dict[Partition, list[Write]],
    now: float,
    cause: BaseException,
    attempt: int,
) -> Flow[None]:
    """Let writes wait for their partitions, and see to it that they are sent."""
    for partition, writes in hot.items():
        core.tell_hot(partition, len(writes), "BatchWriteItem", cause, attempt)
    try:
        if buffer.hold_back(hot, now, cause):
            buffer.attendant = yield Start(attend_lanes(core, buffer), apart=True)
    except BaseException as error:
        buffer.fail(buffer.leave_lanes(), error)
        raise


def attend_lanes(core: Core, buffer: Buffer) -> Flow[None]:
    """Send what waits in the lanes of a buffer, each lane at its pace, until they are empty."""
    environment, patience = core.environment, core.deadline.total_seconds()
    try:
        while True:
            news = buffer.stirred = Signal()
            now = environment.monotonic()
            for writes, cause in buffer.take_lanes(now - patience):
                buffer.fail(writes, cause)
            found = buffer.next_of_lanes(core.hot, now, environment.random())
            if found is None:
                return
            if not isinstance(found, tuple):
                yield WaitFor(news, min(found, max(0.0, buffer.lanes_until(patience) - now)))
                continue
            batch, since = found
            try:
                task = yield Start(send(core, buffer, batch, since=since), apart=True)
                buffer.began(task)
            except BaseException as error:
                buffer.fail(batch, error)
                raise
    except BaseException as error:
        if not buffer.is_abandoned():  # then the end of the batch reports them
            buffer.fail(buffer.leave_lanes(), error)
        raise


# --- One request --------------------------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class _Request:
    """What is to be sent, and what is known of it.

    Attributes:
        writes: What it holds.
        put: Sends the only one of them in its own way.
        until: When no attempt begins any more.
        uncertain: Whether something of it may have been applied.
        lane: Whether it comes from lanes.
        again: Whether they were left before.
    """

    writes: list[Write]
    put: Put | None
    until: float
    uncertain: bool
    lane: bool
    again: bool


@attrs.define(eq=False, repr=False)
class _Answer:
    """What the service has left of a request, why, and what of that waits for its partitions."""

    left: list[Write] = attrs.field(factory=list)
    hot: dict[Partition, list[Write]] = attrs.field(factory=dict)
    cause: BaseException | None = None
    uncertain: bool = False


def _at_pace(core: Core, request: _Request) -> Flow[_Answer]:
    """What is left of one request, which is made when the pace allows it; nothing of a put.

    Where the rest goes on in lanes, the others need not go slower.
    """
    environment, pace = core.environment, core.pace
    writes, put = request.writes, request.put
    place, outer = Signal(), inside.get()
    throttled = False
    began = float("-inf")
    parameters = {"RequestItems": _request_items(writes)}
    asked = Call("batch_write_item", parameters, deadline=request.until, outlasts=True)
    answer = _Answer(uncertain=request.uncertain)
    try:
        while not pace.begin(place):
            yield WaitFor(place)
        began = environment.monotonic()
        inside.set(place)
        if put is not None:
            yield from put(request.until)
        else:
            _read(core, request, (yield asked), answer)
        throttled = not _is_held(answer)
        if not answer.left:
            pace.go_on()
    except Throttled as error:
        throttled = True
        if put is not None or error.code != _EXCEEDED or in_doubt(error, request.uncertain):
            raise
        _sort_out(core, request, list(writes), answer)
        if not _is_held(answer):
            raise
        throttled, answer.cause = False, error
    finally:
        pace.queue.pop(place, None)
        inside.set(outer)
        if throttled:
            pace.slow_down(began, environment.monotonic())
        pace.admit()
    return answer


def _read(core: Core, request: _Request, response: Message, answer: _Answer) -> None:
    if "Uncertain" in response.get("ResponseMetadata", ()):
        answer.uncertain = True
    if response.get("UnprocessedItems"):
        _sort_out(core, request, _unprocessed(response, request.writes), answer)
        text = f"{len(answer.left)} writes were left unprocessed"
        answer.cause = Throttled(
            "BatchWriteItem", "UnprocessedItems", text, uncertain=answer.uncertain
        )
    elif request.lane:
        environment = core.environment
        core.hot.took(request.writes, environment.monotonic(), environment.random())


def _sort_out(core: Core, request: _Request, left: list[Write], answer: _Answer) -> None:
    """What of *left* waits for its partitions: nothing that may have been applied, because what waits
    counts as not sent.
    """
    answer.left = left
    if not answer.uncertain and left is not request.writes:
        environment = core.environment
        now, random = environment.monotonic(), environment.random()
        answer.hot = core.hot.hot(request.writes, left, now, random, again=request.again)


def _is_held(answer: _Answer) -> bool:
    return sum(map(len, answer.hot.values())) == len(answer.left)


def _request_items(writes: list[Write]) -> dict[str, list[Any]]:
    items: dict[str, list[Any]] = {}
    for write in writes:
        items.setdefault(write.table, []).append(write.request)
    return items


def _split(writes: list[Write], error: Exception) -> list[list[Write]]:
    """Smaller batches to find the culprit of a refusal: by table, then by halves."""
    if len(writes) == 1 or not isinstance(error, _REFUSED):
        return [writes]
    by_table: dict[str, list[Write]] = {}
    for write in writes:
        by_table.setdefault(write.table, []).append(write)
    if len(by_table) > 1:
        return list(by_table.values())
    if not isinstance(error, InvalidRequest):
        return [writes]
    middle = len(writes) // 2
    return [writes[:middle], writes[middle:]]


def _unprocessed(response: Message, writes: list[Write]) -> list[Write]:
    """The writes that the service has not done."""
    by_identity = {write.identity: write for write in writes}
    found = {}
    for table, requests in response["UnprocessedItems"].items():
        # A table may be named by its ARN in a reply; the key decides then as well.
        names = next((names_in(write.identity) for write in writes if write.table == table), set())
        for request in requests:
            item = request["PutRequest"]["Item"] if "PutRequest" in request else None
            key = item if item is not None else request["DeleteRequest"]["Key"]
            which = identity(table, {name: key[name] for name in names & key.keys()})
            if which not in by_identity:
                # What cannot be told is sent again, all: puts and deletes are safe to repeat.
                return writes
            found[which] = by_identity[which]
    return list(found.values())
