"""Tasks without a thread: batches that are sent at once, and whose replies are read by who has time.

Handing work to a thread and waiting for it costs more than sending a batch does: a queue, some locks,
and above all the interpreter's own lock, which two threads take in turns. So the thread that has
gathered a batch sends it itself and goes on. The reply waits in the socket until somebody waits for
the task, be it because enough batches are in flight or because a block ends; then the task takes its
further steps in that thread. A thread of the driver sees to those for which nobody comes, so
that an answer is known soon also where a program computes for long between two writes.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from dynattrs.errors import SessionClosed
from dynattrs.operations.flows import Flow
from dynattrs.wire.client import PendingReply

#: After so many seconds a reply that nobody waits for is read by the driver.
PATIENCE: Final = 0.02
#: How long the driver's thread stays when there is nothing left to do.
_LINGERING: Final = 0.1

#: How long to wait at a time, because another one may have finished the task.
_GLANCE: Final = 0.25

#: Stands for the task whose steps are being taken, in its context.
_acting: contextvars.ContextVar[object | None] = contextvars.ContextVar("acting", default=None)


def caller(_acting: Callable[[], Any] = _acting.get, _thread: Any = threading.get_ident) -> Any:
    """Who is calling: a task that takes its steps in somebody's thread, or else the thread."""
    return _acting() or _thread()


class LightTask:
    """A flow whose request was sent. It is done when somebody has taken its further steps.

    Args:
        flow: What takes them.
        context: Where they are taken.
        over: Called when it is done.
    """

    __slots__ = (
        "_begun", "_context", "_done", "_error", "_flow", "_lock", "_over", "_steps", "since"
    )  # fmt: skip

    def __init__(
        self, flow: Flow[Any], context: contextvars.Context, over: Callable[[LightTask], None]
    ) -> None:
        self._flow: Any = flow
        self._context = context
        self._over = over
        self._begun: PendingReply | None = None
        self._steps: Callable[[Flow[Any], PendingReply], Any] | None = None
        # A signal's handler may wait for what the thread it interrupts is waiting for.
        self._lock = threading.RLock()
        self._done = False
        self._error: BaseException | None = None
        self.since = 0.0
        context.run(_acting.set, object())

    def first(self) -> Any:
        """Take the first step: what the flow asks for; nothing if it has ended with that."""
        effect = self._context.run(next, self._flow, None)
        self._done = effect is None
        return effect

    def sent(self, begun: PendingReply, steps: Callable[[Flow[Any], PendingReply], Any]) -> None:
        """Its request is on its way. *steps* takes the further ones, beginning with the reply."""
        self._begun, self._steps = begun, steps
        self.since = time.monotonic()

    def dropped(self, error: BaseException) -> None:
        """It goes no further: the flow says what becomes of what it holds."""
        if self._flow.gi_frame is not None:
            with contextlib.suppress(BaseException):
                self._context.run(self._flow.throw, error)

    def cancelled(self, left: Future[Any]) -> None:
        """A thread that was to take the further steps is done, perhaps without having begun."""
        if left.cancelled():
            self.dropped(SessionClosed())

    def done(self) -> bool:
        return self._done

    def cancel(self) -> bool:
        """It has begun."""
        return False

    def result(self) -> None:
        """Wait for the reply, take the further steps, and raise what they raise.

        An interruption while it waits leaves the task as it is.
        """
        if not self._done:
            with self._lock:
                self._wait()
        if self._error is not None:
            raise self._error

    def _wait(self) -> None:
        while not self._done:
            assert self._begun is not None
            if self._begun.ready(_GLANCE):
                self._finish()

    def _finish(self) -> None:
        try:
            begun, self._begun = self._begun, None
            assert self._steps is not None
            assert begun is not None
            self._context.run(self._steps, self._flow, begun)
        except BaseException as error:  # it belongs to who waits for the task
            self._error = error
            self.dropped(error)
        finally:
            self._done = True
            self._over(self)


class Attendant:
    """Sees to tasks for which nobody comes.

    Args:
        submit: Runs a function in a thread; may raise.
    """

    def __init__(self, submit: Callable[[Callable[[], Any]], Any]) -> None:
        self._submit = submit
        self._lock = threading.Lock()
        #: The tasks that are not done, the oldest first.
        self._tasks: dict[LightTask, None] = {}
        self._attending = False
        self._closing = threading.Event()

    def add(self, task: LightTask) -> None:
        with self._lock:
            self._tasks[task] = None
            if self._attending or self._closing.is_set():
                return
            self._attending = True
        try:
            self._submit(self._attend)
        except BaseException as error:
            self._attending = False
            if not isinstance(error, Exception):
                raise
            # There are no threads any more: whoever waits for the task sees to it.

    def over(self, task: LightTask) -> None:
        self._tasks.pop(task, None)

    def close(self) -> None:
        """Wait until all tasks are done."""
        self._closing.set()
        for task in list(self._tasks):
            _see_to(task)

    def _attend(self) -> None:
        last = time.monotonic()
        while not self._closing.wait(PATIENCE):
            now = time.monotonic()
            for task in list(self._tasks):
                if now - task.since >= PATIENCE:
                    self._tasks.pop(task, None)
                    try:
                        # Its further steps may take long, and others wait.
                        self._submit(functools.partial(_see_to, task))
                    except Exception:  # the session is being closed
                        _see_to(task)
            with self._lock:
                if self._tasks:
                    last = now
                elif now - last >= _LINGERING:
                    self._attending = False
                    return


def _see_to(task: LightTask) -> None:
    # Whoever waits for the task is told what it raises.
    with contextlib.suppress(BaseException):
        task.result()
