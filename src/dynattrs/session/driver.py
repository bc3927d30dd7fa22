"""The driver of flows in threads: it calls over the wire, sleeps, and runs tasks in a pool."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar, cast

from dynattrs.errors import SessionClosed
from dynattrs.operations.flows import Call, Flow, Pause, Start, Task, Wait, WaitAny, forget_at_fork
from dynattrs.session.unthreaded_tasks import Attendant, LightTask
from dynattrs.wire.client import PendingReply, Wire

R = TypeVar("R")

#: More threads than there ever are: those of a pool are made when none of them is idle.
_UNBOUNDED: Final = 1_000_000


class Driver:
    """Does what flows ask for: calls over the wire, pauses by sleeping, tasks in a thread pool."""

    def __init__(self, wire: Wire, workers: int) -> None:
        self.wire = wire
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        #: For tasks that hold a place of the pace. All threads of the other one may be waiting for
        #: such a place; so these tasks never wait for a thread.
        self._holders: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._attendant = Attendant(self._at_once)
        self.closed = False
        forget_at_fork(self)

    def forked(self) -> None:
        """This is a child process: its parent's threads are not here, its connections not ours."""
        self._lock = threading.Lock()
        self._pool = None
        self._holders = None
        self._attendant = Attendant(self._at_once)
        self.wire.renew()

    def run(self, flow: Flow[R], effect: object = None) -> R:
        """The result of *flow*, or its error. If it has begun, *effect* is what it asks for.

        An interruption reaches the flow wherever it strikes, between two steps too: the flow says
        what becomes of what it holds.
        """
        # Emptied when it is thrown: a frame that keeps an error is a cycle with its traceback.
        thrown: list[BaseException] = []
        while True:
            try:
                return self._steps(flow, thrown, effect)
            except BaseException as error:
                effect = None
                if cast("Any", flow).gi_frame is None:  # it has ended, with this error
                    raise
                thrown.append(error)

    def _steps(self, flow: Flow[R], thrown: list[BaseException], effect: Any) -> R:
        try:
            if effect is None:
                effect = flow.throw(thrown.pop()) if thrown else next(flow)
            while True:
                effect = flow.send(self._perform(effect))
        except StopIteration as stop:
            return cast("R", stop.value)

    def _perform(self, effect: object) -> Any:
        if isinstance(effect, Call):
            return self.wire.call(effect)
        if isinstance(effect, Pause):
            return time.sleep(effect.seconds)
        if isinstance(effect, Start):
            if effect.light is not None and self.wire.is_prompt(effect.light):
                return self._send_light(effect.flow)
            return self._submit(effect.flow)
        if isinstance(effect, PendingReply):
            return effect.finish()
        if isinstance(effect, WaitAny):
            done, _ = futures.wait(cast("Any", effect.tasks), return_when=futures.FIRST_COMPLETED)
            return done.pop()
        assert isinstance(effect, Wait)
        try:
            return cast("Future[Any]", effect.task).result()
        except CancelledError:
            raise SessionClosed from None

    def _submit(self, flow: Flow[Any]) -> Future[Any]:
        # In the starter's context, so that spans and log fields are those of who asked.
        return self._in_thread(contextvars.copy_context().run, self.run, flow)

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with self._lock:
            if self.closed:
                raise SessionClosed
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="dynattrs")
            return self._pool.submit(function, *arguments)

    def _at_once(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """In a thread that is there, or else in a new one."""
        with self._lock:
            if self.closed:
                raise SessionClosed
            if self._holders is None:
                self._holders = ThreadPoolExecutor(_UNBOUNDED, thread_name_prefix="dynattrs-reply")
            return self._holders.submit(function, *arguments)

    def _send_light(self, flow: Flow[Any]) -> Task:
        """Take the first step of *flow* here. If it was a request that could be sent at once, the
        others are taken by who waits for the task; else by a thread, beginning with what it asks for.
        """
        if self.closed:
            raise SessionClosed
        context = contextvars.copy_context()
        task = LightTask(flow, context, self._attendant.over)
        effect = task.first()
        if task.done():
            return task
        try:
            begun = context.run(self.wire.begin, effect) if isinstance(effect, Call) else None
            if begun is None:
                # A request that is about to be made has its place already.
                submit = self._at_once if isinstance(effect, Call) else self._in_thread
                left = submit(context.run, self.run, flow, effect)
                left.add_done_callback(task.cancelled)
                return left
            task.sent(begun, self.run)
            self._attendant.add(task)
        except BaseException as error:
            task.dropped(error)
            raise
        return task

    def close(self) -> None:
        with self._lock:
            self.closed = True
            made = (self._pool, self._holders)
            self._pool = self._holders = None
        # Batches of a save_all in another thread are still sent.
        self._attendant.close()
        for pool in made:
            if pool is not None:
                pool.shutdown(wait=True)
        self.wire.close()
