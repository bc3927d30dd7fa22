"""Gathered writes that go by requests of their own, and what has to be stored before another write."""

from __future__ import annotations

from collections.abc import Hashable

from dynattrs.errors import DynattrsError
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, Signal, Task, Wait, WaitFor
from dynattrs.operations.writing.batch import begin, may_wait, send, share_of
from dynattrs.operations.writing.buffer import Buffer, Write
from dynattrs.operations.writing.leftovers import Put
from dynattrs.operations.writing.reports import hand_over, raise_failures


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
    while (task := buffer.running(share_of(core))) is not None:
        yield Wait(task)
    buffer.take_alone(write)
    yield from begin(core, buffer, [write], put)


def gather_beside(core: Core, buffer: Buffer, write: Write, put: Put) -> Flow[None]:
    """As `gather`, for a write that takes a request of its own.

    Raises:
        UnsentWrites: As `hold`.
        BatchClosed: As `hold`.
        DynattrsError: It comes from inside the sending of the batch, which holds its key still.
    """
    if may_wait(core, buffer, write, False):
        yield from await_key(core, buffer, write.identity)
        yield from gather_alone(core, buffer, write, put)
    elif buffer.holds(write.identity):
        raise DynattrsError(
            "a delete inside on_progress or a listener, of an item that the batch is still writing, would "
            "wait for the batch and so for itself; delete it after the batch"
        )
    else:
        buffer.take_alone(write)
        yield from begin(core, buffer, [write], put)


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
                found = buffer.next_of_all(share_of(core))
                if isinstance(found, list):
                    yield from begin(core, buffer, found)
                else:
                    yield _waiting(found)
    return had


def _waiting(found: Task | Signal) -> Wait | WaitFor:
    """What a flow asks for that waits for what a buffer has named."""
    return WaitFor(found) if isinstance(found, Signal) else Wait(found)
