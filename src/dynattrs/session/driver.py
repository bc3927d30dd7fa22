"""The driver of flows in threads: it calls over the wire, sleeps, and runs tasks in a pool."""

from __future__ import annotations

import threading
import time
from concurrent import futures
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, TypeVar, cast

from dynattrs.errors import SessionClosed
from dynattrs.operations.flows import Call, Flow, Pause, Start, Wait, WaitAny
from dynattrs.wire import Wire

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class Driver:
    """Does what flows ask for: calls over the wire, pauses by sleeping, tasks in a thread pool."""

    def __init__(self, wire: Wire, workers: int) -> None:
        self.wire = wire
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self.closed = False

    def run(self, flow: Flow[R]) -> R:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self._perform(effect)
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
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
            return self._pool.submit(self.run, flow)

    def close(self) -> None:
        with self._lock:
            self.closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            # Batches of a save_all in another thread are still sent.
            pool.shutdown(wait=True)
