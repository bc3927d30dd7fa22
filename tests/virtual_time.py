"""Flows that run in a time of their own, as tasks beside each other, against a service that a test makes.

Nothing waits: when all flows wait, the clock moves to the next moment at which one of them goes on. So a
test of minutes takes milliseconds, and comes out the same each time.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from datetime import datetime, timedelta, timezone
from typing import Any

from dynattrs.operations.context import Core
from dynattrs.operations.flows import (
    Await,
    Call,
    Environment,
    Flow,
    Pause,
    Start,
    Wait,
    WaitAny,
    WaitFor,
)

NOON = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)

#: The task that takes steps.
who: ContextVar[object] = ContextVar("who", default=None)

#: The process that a task is in, where a test has given it one.
where: ContextVar[Process | None] = ContextVar("where", default=None)

#: Answers a call: with a reply, or with an error that it returns.
Service = Callable[[Call], Any]


class Process:
    """A process that may die, or stand still, at any moment: then its tasks take no steps.

    What it has sent by then arrives nevertheless.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen_until = 0.0


class Nap:
    """What a function of a program gives to await: it takes some time.

    Args:
        seconds: How long.
        over: Called at the end, unless its process has died.
    """

    def __init__(self, seconds: float, over: Callable[[], object]) -> None:
        self.seconds, self._over = seconds, over

    def __await__(self) -> Any:
        raise AssertionError("an event loop awaits what is made for virtual time")

    def end(self) -> tuple[object, Exception | None]:
        """What it gives, or the error that it ends with."""
        try:
            return self._over(), None
        except Exception as error:
            return None, error


class Running:
    """A flow as a task."""

    def __init__(self, time: VirtualTime, flow: Flow[Any], context: Context) -> None:
        self._time, self._flow, self._context = time, flow, context
        self.outcome: Any = None
        self.error: BaseException | None = None
        self.over = False
        self._waiting: list[Callable[[], None]] = []
        context.run(who.set, self)

    def done(self) -> bool:
        return self.over

    def cancel(self) -> bool:
        return False

    def result(self) -> Any:
        assert self.over
        if self.error is not None:
            raise self.error
        return self.outcome

    def when_over(self, function: Callable[[], None]) -> None:
        if self.over:
            self._time.after(0.0, function)
        else:
            self._waiting.append(function)

    def step(self, outcome: Any = None, error: BaseException | None = None) -> None:
        process = self._context.get(where)
        if process is not None:
            if process.dead:
                return
            if process.frozen_until > self._time.seconds:
                frozen = process.frozen_until - self._time.seconds
                self._time.after(frozen, lambda: self.step(outcome, error))
                return
        if isinstance(outcome, Nap):
            outcome, error = outcome.end()
        try:
            if error is None:
                effect = self._context.run(self._flow.send, outcome)
            else:
                effect = self._context.run(self._flow.throw, error)
        except StopIteration as stop:
            self._ends(stop.value, None)
        except BaseException as error:
            self._ends(None, error)
        else:
            self._time.perform(effect, self, self._context)

    def _ends(self, outcome: Any, error: BaseException | None) -> None:
        self.outcome, self.error, self.over = outcome, error, True
        for function in self._waiting:
            self._time.after(0.0, function)


class VirtualTime:
    """A clock, and what is to happen."""

    def __init__(self, service: Service, *, latency: float = 0.005) -> None:
        self.seconds = 1000.0
        self.service = service
        self.latency = latency
        self._numbers = itertools.count()
        self._heap: list[tuple[float, int, Callable[[], None], list[Any]]] = []

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def core(self, *, concurrency: int = 8, deadline: float = 60.0, seed: int = 0) -> Core:
        chance = random.Random(seed)
        environment = Environment(
            lambda: self.seconds, chance.random, self.now, lambda: f"{chance.getrandbits(64):016x}",
            caller=who.get, cancellable=True,
        )  # fmt: skip
        return Core(environment, timedelta(seconds=deadline), concurrency)

    def after(
        self, seconds: float, function: Callable[[], None], told: list[Any] | None = None
    ) -> None:
        """Call a function then, unless something was *told* before."""
        told = [] if told is None else told
        heapq.heappush(self._heap, (self.seconds + seconds, next(self._numbers), function, told))

    def start(self, flow: Flow[Any], process: Process | None = None) -> Running:
        context = copy_context()
        context.run(where.set, process)
        task = Running(self, flow, context)
        self.after(0.0, task.step)
        return task

    def run(self, flow: Flow[Any]) -> Any:
        """What a flow gives, when it and all that it has started is over."""
        task = self.start(flow)
        while self._heap:
            self._next()
        return task.result()

    def drive(self, flow: Flow[Any]) -> Any:
        """What a flow gives, as soon as it is over; what else goes on stays as it is."""
        task, until = self.start(flow), self.seconds + 3_600
        while not task.over:
            assert self._heap, "all flows wait for ever"
            assert self.seconds < until, "it does not come to an end"
            self._next()
        return task.result()

    def run_until(self, seconds: float) -> None:
        """Let time go by until then."""
        while self._heap and self._heap[0][0] <= seconds:
            self._next()
        self.seconds = seconds

    def _next(self) -> None:
        at, _, function, told = heapq.heappop(self._heap)
        if not told:  # else it goes on already
            self.seconds = at
            function()

    def perform(self, effect: Any, task: Running, context: Context) -> None:
        if isinstance(effect, Call):
            self.after(self.latency / 2, lambda: self._call(effect, task, context))
        elif isinstance(effect, Await):
            nap: Any = effect.awaitable
            assert isinstance(nap, Nap)
            self.after(nap.seconds, lambda: task.step(nap))
        elif isinstance(effect, Pause):
            self.after(effect.seconds, task.step)
        elif isinstance(effect, Start):
            effect.task = started = Running(self, effect.flow, context.copy())
            self.after(0.0, started.step)
            self.after(0.0, lambda: task.step(started))
        elif isinstance(effect, Wait):
            waited: Any = effect.task
            waited.when_over(lambda: task.step(waited.outcome, waited.error))
        elif isinstance(effect, WaitAny):
            self._once(effect.tasks, task)
        else:
            assert isinstance(effect, WaitFor)
            self._wait_for(effect, task)

    def _call(self, call: Call, task: Running, context: Context) -> None:
        outcome = context.run(self.service, call)
        error = outcome if isinstance(outcome, BaseException) else None
        self.after(self.latency / 2, lambda: task.step(outcome, error))

    def _once(self, tasks: tuple[Any, ...], task: Running) -> None:
        told: list[object] = []

        def over(each: object) -> None:
            if not told:
                told.append(each)
                task.step(each)

        for each in tasks:
            each.when_over(lambda each=each: over(each))

    def _wait_for(self, effect: WaitFor, task: Running) -> None:
        told: list[bool] = []

        def go_on() -> None:
            told.append(True)
            task.step()

        effect.signal.wake = lambda: self.after(0.0, go_on, told)
        self.after(0.0 if effect.signal.given else effect.seconds, go_on, told)
