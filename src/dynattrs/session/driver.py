"""The driver of flows in threads: it calls over the wire, sleeps, and runs tasks in a pool."""

from __future__ import annotations

import contextvars
import threading
import time
from concurrent import futures
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, TypeVar, cast

from dynattrs.errors import SessionClosed
from dynattrs.operations.flows import Call, Flow, Pause, Start, Wait, WaitAny
from dynattrs.operations.forks import forget_at_fork
from dynattrs.wire import Wire

R = TypeVar("R")


class Driver:
    """Does what flows ask for: calls over the wire, pauses by sleeping, tasks in a thread pool."""

    def __init__(self, wire: Wire, workers: int) -> None:
        self.wire = wire
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self.closed = False
        forget_at_fork(self)

    def forked(self) -> None:
        """This is a child process: its parent's threads are not here, its connections not ours."""
        self._lock = threading.Lock()
        self._pool = None
        self.wire.renew()

    def run(self, flow: Flow[R]) -> R:
        """The result of *flow*, or its error.

        An interruption reaches the flow wherever it strikes, between two steps too: the flow says
        what becomes of what it holds.
        """
        # Emptied when it is thrown: a frame that keeps an error is a cycle with its traceback.
        thrown: list[BaseException] = []
        while True:
            try:
                return self._steps(flow, thrown)
            except BaseException as error:
                if cast("Any", flow).gi_frame is None:  # it has ended, with this error
                    raise
                thrown.append(error)

    def _steps(self, flow: Flow[R], thrown: list[BaseException]) -> R:
        try:
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
            return self._submit(effect.flow)
        if isinstance(effect, WaitAny):
            done, _ = futures.wait(cast("Any", effect.tasks), return_when=futures.FIRST_COMPLETED)
            return done.pop()
        assert isinstance(effect, Wait)
        try:
            return cast("Future[Any]", effect.task).result()
        except CancelledError:
            raise SessionClosed from None

    def _submit(self, flow: Flow[Any]) -> Future[Any]:
        with self._lock:
            if self.closed:
                raise SessionClosed
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="dynattrs")
            # In the starter's context, so that spans and log fields are those of who asked.
            return self._pool.submit(contextvars.copy_context().run, self.run, flow)

    def close(self) -> None:
        with self._lock:
            self.closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            # Batches of a save_all in another thread are still sent.
            pool.shutdown(wait=True)
        self.wire.close()
