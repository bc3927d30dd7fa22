"""What is left of a batch that was sent: writes that the service has not done, or has refused.

Some of them wait for their partitions, in lanes; others are sent again, or apart from what they were
refused with.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import AccessDenied, InvalidRequest, NoSuchTable, Throttled
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, Signal, Start, WaitFor, begun
from dynattrs.operations.item_keys import identity, names_in
from dynattrs.operations.object_errors import ObjectsUnavailable
from dynattrs.operations.refusals import PASSING, in_doubt, is_conflict
from dynattrs.operations.writing.buffer import Buffer, Write
from dynattrs.operations.writing.partitions import Partition
from dynattrs.schema.messages import Message

if TYPE_CHECKING:
    from dynattrs.mapper import departures
else:
    departures = deferred("dynattrs.mapper.departures")

#: Sends a write by a request of its own: one that has a condition.
Put: TypeAlias = Callable[[float], Flow[None]]
#: Begins to send a batch, which has been tried since some time: `batch.begin`.
Begin: TypeAlias = Callable[[Core, Buffer, list[Write], Put | None, float | None], Flow[None]]

#: What the service says of a request that it will never do.
REFUSED: Final = (InvalidRequest, NoSuchTable, AccessDenied)
#: What it says where it has done nothing of a request because of partitions or a table.
_EXCEEDED: Final = "ProvisionedThroughputExceededException"


@attrs.define(eq=False, repr=False)
class Request:
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
class Answer:
    """What the service has left of a request, why, and what of that waits for its partitions."""

    uncertain: bool
    left: list[Write] = attrs.field(factory=list)
    hot: dict[Partition, list[Write]] = attrs.field(factory=dict)
    cause: BaseException | None = None

    def is_held(self) -> bool:
        """Whether all that is left waits for its partitions."""
        return sum(map(len, self.hot.values())) == len(self.left)


def without(writes: Iterable[Write], gone: Iterable[Write]) -> list[Write]:
    left_out = {id(write) for write in gone}
    return [write for write in writes if id(write) not in left_out]


# --- Refusals -----------------------------------------------------------------------------------


def passes(error: Exception, *, once: bool) -> bool:
    """Whether the same may be sent again. What is put under a condition must not be put again where it
    may have been applied: its condition would fail.
    """
    passing = isinstance(error, PASSING) or is_conflict(error)
    return passing and not (once and getattr(error, "uncertain", False))


def split(writes: list[Write], error: Exception) -> list[list[Write]]:
    """Smaller batches to find the culprit of a refusal: by table, then by halves. Where S3 has failed, those
    that need nothing of it, and those of each bucket.
    """
    if isinstance(error, ObjectsUnavailable):
        return _by_buckets(writes)
    if len(writes) == 1 or not isinstance(error, REFUSED):
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


def _by_buckets(writes: list[Write]) -> list[list[Write]]:
    parts: dict[tuple[str, ...], list[Write]] = {}
    for write in writes:
        leaving = departures.departures({"RequestItems": {write.table: [write.request]}})
        buckets = {each.place.bucket for each in leaving}
        parts.setdefault(tuple(sorted(buckets)), []).append(write)
    return [parts[buckets] for buckets in sorted(parts)]  # what needs none is first


# --- Answers ------------------------------------------------------------------------------------


def read(core: Core, request: Request, response: Message, answer: Answer) -> None:
    """Note what an answer has left, or that it is not sure to be the first one."""
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


def is_of_partitions(core: Core, request: Request, error: Throttled, answer: Answer) -> bool:
    """Whether an error means that all of a request waits for its partitions, which is noted then."""
    doubt = in_doubt(error, request.uncertain)
    if request.put is not None or error.code != _EXCEEDED or doubt:
        return False
    _sort_out(core, request, list(request.writes), answer)
    if answer.is_held():
        answer.cause = error
        return True
    return False


def _sort_out(core: Core, request: Request, left: list[Write], answer: Answer) -> None:
    """What of *left* waits for its partitions: nothing that may have been applied, because what waits
    counts as not sent.
    """
    answer.left = left
    if not answer.uncertain and left is not request.writes:
        environment = core.environment
        now, random = environment.monotonic(), environment.random()
        answer.hot = core.hot.hot(request.writes, left, now, random, again=request.again)


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


# --- Lanes --------------------------------------------------------------------------------------


def hold_back(
    core: Core, buffer: Buffer, answer: Answer, now: float, attempt: int, begin: Begin
) -> Flow[list[Write]]:
    """Let writes wait for their partitions, and see to it that they are sent; what is left besides."""
    assert answer.cause is not None
    for partition, writes in answer.hot.items():
        core.tell_hot(partition, len(writes), "BatchWriteItem", answer.cause, attempt)
    attending = Start(_attend(core, buffer, begin), apart=True)
    try:
        if buffer.hold_back(answer.hot, now, answer.cause):
            buffer.attendant = yield attending
    except BaseException as error:
        task = begun(attending, error)
        if task is None:
            buffer.fail(buffer.leave_lanes(), error)
        else:
            buffer.attendant = task
        raise
    return without(answer.left, [write for writes in answer.hot.values() for write in writes])


def _attend(core: Core, buffer: Buffer, begin: Begin) -> Flow[None]:
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
            yield from begin(core, buffer, batch, None, since)
    except BaseException as error:
        if not buffer.is_abandoned():  # then the end of the batch reports them
            buffer.fail(buffer.leave_lanes(), error)
        raise
