"""The driver of flows under asyncio: it awaits calls, sleeps, and runs tasks that it looks after."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from dynattrs.errors import DynattrsError, SessionClosed
from dynattrs.operations.flows import (
    Await,
    Call,
    Flow,
    ObjectCall,
    Pause,
    Start,
    Wait,
    WaitAny,
    WaitFor,
    forget_at_fork,
    frame_of,
)
from dynattrs.tracebacks import hidden, shown_of
from dynattrs.wire.async_client import AsyncWire

__tracebackhide__ = hidden

R = TypeVar("R")


class CallLine(Protocol):
    """What calls go over: a wire, or what stands before it."""

    def call(self, call: Call) -> Awaitable[Any]:
        """The response to a call."""
        ...


class Driver:
    """Does what flows ask for: awaits calls and pauses, and runs tasks.

    A task belongs to the driver whose flow has started it, and none outlives its `close`. Who waits
    for a task and is cancelled does not cancel the task, for which others may wait as well.
    """

    def __init__(self, wire: AsyncWire, line: CallLine | None = None) -> None:
        self.wire = wire
        #: What stands before the wire: who counts calls, or holds them up.
        self.line: CallLine = wire if line is None else line
        self._tasks: set[asyncio.Task[Any]] = set()
        self.closed = False
        forget_at_fork(self)

    def forked(self) -> None:
        """This is a child process: its parent's event loop is not ours, nor are its connections."""
        self._tasks = set()
        self.wire.renew()

    async def drive(self, flow: Flow[R]) -> R:
        """As `run`, for a verb: its errors leave without the frames below."""
        __tracebackhide__ = True
        try:
            return await self.run(flow)
        except DynattrsError as error:
            raise error.with_traceback(shown_of(error))  # noqa: B904 - all of it: DYNATTRS_TRACEBACKS=full

    async def run(self, flow: Flow[R]) -> R:
        """The result of *flow*, or its error.

        A cancellation reaches the flow where it waits, and an interruption wherever it strikes: the
        flow says what becomes of what it holds.
        """
        # Emptied when it is thrown: a frame that keeps an error is a cycle with its traceback.
        thrown: list[BaseException] = []
        while True:
            try:
                return await self._steps(flow, thrown)
            except BaseException as error:
                if frame_of(flow) is None:  # it has ended, with this error
                    raise
                thrown.append(error)

    async def _steps(self, flow: Flow[R], thrown: list[BaseException]) -> R:
        try:
            effect = flow.throw(thrown.pop()) if thrown else next(flow)
            while True:
                if isinstance(effect, Call):  # nearly all are
                    effect = flow.send(await self.line.call(effect))
                else:
                    effect = flow.send(await self._perform(effect))
        except StopIteration as stop:
            result: R = stop.value
            return result

    async def _perform(self, effect: object) -> Any:
        if isinstance(effect, Pause):
            instruments = self.wire.instruments
            skipped = instruments is not None and instruments.skip(effect.seconds)
            return await asyncio.sleep(0.0 if skipped else effect.seconds)
        if isinstance(effect, Start):
            effect.task = self._submit(effect.flow)
            return effect.task
        if isinstance(effect, WaitFor):
            return await _wait_for(effect)
        if isinstance(effect, WaitAny):
            tasks: Any = effect.tasks
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return done.pop()
        if isinstance(effect, Await):
            return await effect.awaitable
        if isinstance(effect, ObjectCall):
            return await self.wire.objects.call(effect)
        assert isinstance(effect, Wait)
        task: Any = effect.task
        if not task.done():
            await asyncio.wait((task,))
        if task.cancelled():
            raise SessionClosed
        return task.result()

    def _submit(self, flow: Flow[object]) -> asyncio.Task[Any]:
        if self.closed:
            raise SessionClosed
        task = asyncio.create_task(self.run(flow), name="dynattrs")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def beside(self, line: CallLine) -> Driver:
        """One with tasks of its own, over the same wire."""
        return Driver(self.wire, line)

    def cancel(self) -> None:
        """Begin no more tasks, and cancel those that run."""
        self.closed = True
        for task in self._tasks:
            # After the first step of one that has not begun: without that its flow would never hear of it,
            # and what it was to send would count as on its way for ever.
            task.get_loop().call_soon(task.cancel)

    async def close(self) -> None:
        """Cancel all tasks, and wait until they have ended, however often that is cancelled."""
        self.cancel()
        cancelled = None
        while self._tasks:
            try:
                await asyncio.wait(self._tasks)
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
        if cancelled is not None:
            raise cancelled


async def _wait_for(effect: WaitFor) -> None:
    loop = asyncio.get_running_loop()
    given: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        # It may be given in another thread, or when this loop is closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_done, given)

    effect.signal.wake = wake
    if not effect.signal.given:
        last = loop.call_later(effect.seconds, _done, given)
        try:
            await given
        finally:
            last.cancel()


def _done(given: asyncio.Future[None]) -> None:
    if not given.done():
        given.set_result(None)
