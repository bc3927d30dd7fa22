"""A limit for a call in all, whatever of it takes long: connecting, waiting, retries, a reply that drips.

The time-outs of botocore begin anew with each byte that comes in. A call over a connection of our own
looks at the clock itself. One that goes botocore's way cannot, so it is made in a thread, or a task, that
is left alone when the time is over: no further attempt is made in it then.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent import futures
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from dynattrs.clock import monotonic
from dynattrs.wire.attempts import Attempts

R = TypeVar("R")

#: So long a reply may still be read that is there already when the time is over, in seconds.
GRACE: Final = 0.02


class OutOfTime(TimeoutError):
    """A call was not over in time."""


def is_ending(error: RuntimeError) -> bool:
    """Whether a thread was refused because the interpreter is about to end: in what `atexit` calls, and in
    threads that go on after the main one.
    """
    return "interpreter shutdown" in str(error)


def left_of(until: float) -> float:
    """How many seconds are left.

    Raises:
        OutOfTime: None.
    """
    left = until - monotonic()
    if left <= 0:
        raise OutOfTime
    return left


def within(attempts: Attempts, function: Callable[[], R]) -> R:
    """What *function* gives; it makes the attempts of a call.

    Raises:
        OutOfTime: It takes longer than the call may.
    """
    if attempts.until is None:
        return function()
    left = left_of(attempts.until)
    done: Future[R] = Future()
    context = contextvars.copy_context()

    def making() -> None:
        try:
            done.set_result(context.run(function))
        except BaseException as error:  # it belongs to who waits
            done.set_exception(error)

    try:
        # One that is left alone must not keep the program from ending.
        threading.Thread(target=making, name="dynattrs-call", daemon=True).start()
    except RuntimeError as error:
        if not is_ending(error):
            raise
        return function()  # an answer late is better than none
    try:
        futures.wait((done,), left)
    finally:  # also after KeyboardInterrupt
        attempts.over = not done.done()
    if attempts.over:
        raise OutOfTime
    return done.result()


async def within_awaited(attempts: Attempts, making: Coroutine[Any, Any, R]) -> R:
    """What *making* gives; it makes the attempts of a call.

    Raises:
        OutOfTime: It takes longer than the call may.
    """
    import asyncio  # which takes a while, and threads do without it

    assert attempts.until is not None
    # Not `asyncio.wait_for`, which before Python 3.12 may lose a cancellation.
    task = asyncio.create_task(making)
    cancelled = None
    try:
        await asyncio.wait((task,), timeout=max(0.0, attempts.until - monotonic()))
    except asyncio.CancelledError as error:
        cancelled = error
    while not task.done():
        attempts.over = True
        task.cancel()
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen
        raise cancelled
    if task.cancelled():
        raise OutOfTime
    return task.result()
