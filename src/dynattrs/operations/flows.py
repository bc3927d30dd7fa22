"""Flows: what to do, as generators that leave the doing to a driver.

A flow yields what it wants done and is sent the outcome; an error is thrown into it. So each
operation is written once, serves `Session` and `AsyncSession` alike, and a test can step it by
hand. Nothing here or in the flows does I/O, sleeps, or reads a clock.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import types
import uuid
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable
from datetime import datetime
from operator import attrgetter
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    overload,
)

import attrs

from dynattrs.late_classes import define, field, frozen
from dynattrs.schema.messages import Message

if sys.version_info >= (3, 11):
    from typing import get_overloads
else:  # nothing keeps overloads

    def get_overloads(function: object) -> list[Any]:
        return []


P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


#: Reads the bytes of a reply whose status and checksum are right (see `decoding`).
#: It raises `msgspec.DecodeError` where they are not JSON.
Decode: TypeAlias = Callable[[bytes], Message]


@frozen
class MeteredCall:
    """A call that has ended, as those see it who count what calls cost.

    Attributes:
        operation: The service's name of the operation (`PutItem`).
        parameters: What was asked.
        response: What was answered; of a refused one what the refusal brought, else empty.
        reads: Whether it changes nothing.
        answers: How many answers there were: none where no attempt had one.
        retries: Attempts beyond the first, and those of earlier answers.
        seconds: How long it took.
        error: The service's code, or the class of the error, where it has failed.
    """

    operation: str
    parameters: Message
    response: Message
    reads: bool
    answers: int
    retries: int
    seconds: float
    error: str | None


class Meter(Protocol):
    """Who counts calls."""

    def ended(self, call: MeteredCall) -> None:
        """A call has ended. It is called once for each, in the thread or task that has made it."""
        ...


@define(unsafe_hash=True)
class Call:
    """Send a request; the outcome is the response, or an error of `dynattrs.errors`.

    Attributes:
        operation: The client's method (`put_item`).
        parameters: Its keyword arguments.
        repeat: Whether it may be sent again after an attempt that may have been applied. What may
            not is sent once more only after attempts that surely were not.
        deadline: When no further attempt of it begins any more, as `Environment.monotonic` counts.
        decode: Makes the response of the reply's bytes, for a wire that has these. A wire that has
            a parsed reply does not ask it: then items are attribute maps, where they might be rows.
        outlasts: Whether the answer is waited for also after an interruption of who waits for it, which
            is raised then. A second one is raised at once. Under asyncio a task does that.
        meters: Who counts what it costs.
    """

    operation: str
    parameters: Message
    repeat: bool = True
    deadline: float | None = field(default=None, eq=False, repr=False, kw_only=True)
    decode: Decode | None = field(default=None, eq=False, repr=False, kw_only=True)
    outlasts: bool = field(default=False, eq=False, repr=False, kw_only=True)
    meters: tuple[Meter, ...] = field(default=(), eq=False, repr=False, kw_only=True)

    def metered(self, meter: Meter) -> Call:
        """The same with one who counts more."""
        return attrs.evolve(self, meters=(*self.meters, meter))

    def later(self, seconds: float) -> Call:
        """The same when it has waited for so long: its time begins after that."""
        deadline = None if self.deadline is None else self.deadline + seconds
        return attrs.evolve(self, deadline=deadline)


@frozen
class Pause:
    """Wait."""

    seconds: float


class Task(Protocol):
    """A flow that runs beside its starter."""

    def cancel(self) -> bool:
        """Do not begin it, if it has not begun; under asyncio also end one that has. Whether it is done
        without having begun, or will be ended.
        """
        ...

    def done(self) -> bool: ...

    def result(self) -> Any:
        """What it has given, or its error."""
        ...


@define(unsafe_hash=True)
class Start:
    """Run a flow beside this one; the outcome is a `Task`.

    Attributes:
        flow: What runs.
        apart: Whether it must not wait for others: those may be waiting for it.
        light: Whether its starter may take its steps as well: they are short, and call nothing
            that is not the library's own.
        task: The task, from before its first step on: an interruption may come before the outcome does.
            Then `Task.cancel` says whether anything of it was done, or is.
        error: Why it was cancelled, where an error came instead of the outcome.
    """

    flow: Generator[Any, Any, Any]
    light: bool = False
    apart: bool = False
    task: Task | None = field(default=None, init=False, eq=False, repr=False)
    error: BaseException | None = field(default=None, init=False, eq=False, repr=False)


def begun(start: Start, error: BaseException) -> Task | None:
    """The task of a start that *error* has ended, if it runs. Otherwise it will not begin."""
    task, start.error = start.task, error
    return None if task is None or task.cancel() or task.done() else task


@define(unsafe_hash=True)
class Wait:
    """Wait for a task; the outcome is its result, or its error."""

    task: Task


@frozen
class WaitAny:
    """Wait until one of some tasks is done; the outcome is that task."""

    tasks: tuple[Task, ...]


class Signal:
    """Something that one flow waits for, and another gives, in whatever thread.

    Attributes:
        given: Whether it was; once and for all.
        wake: Called when it is given: the driver's of the flow that waits.
    """

    given: bool = False
    wake: Callable[[], object] | None = None

    def give(self) -> None:
        self.given = True
        if self.wake is not None:
            self.wake()


@frozen(eq=False, repr=False)
class WaitFor:
    """Wait for a signal, but not for ever: an interruption may have struck who was to give it.

    Attributes:
        signal: What is waited for. The flow looks whether it was given.
        seconds: How long at the most.
    """

    signal: Signal
    seconds: float = 0.25


@frozen(eq=False, repr=False)
class Await:
    """Await what a function of the program has given; the outcome is its result. Only under asyncio."""

    awaitable: Awaitable[Any]


@frozen
class ObjectCall:
    """Send a request to S3; the outcome is the response, with the body that it has as bytes.

    Attributes:
        operation: The client's method (`get_object`).
        parameters: Its keyword arguments.
    """

    operation: str
    parameters: Message = field(repr=False)


Effect: TypeAlias = "Call | ObjectCall | Pause | Start | Wait | WaitAny | WaitFor | Await"
Flow: TypeAlias = Generator[Effect, Any, R]

#: The frame of a flow; None when it is over.
frame_of: Final = attrgetter("gi_frame")


@frozen(eq=False, repr=False)
class Environment:
    """What flows need and do not fetch themselves.

    Attributes:
        monotonic: Seconds that never go back.
        random: A float in [0, 1).
        now: The time for time stamps, aware.
        token: A new idempotency token.
        caller: Who is calling: a thread, or a task.
        cancellable: Whether a flow may be cancelled while it waits, and tasks as well: under
            asyncio. What others rely on then runs in a task of its own.
    """

    monotonic: Callable[[], float]
    random: Callable[[], float]
    now: Callable[[], datetime]
    token: Callable[[], str] = lambda: str(uuid.uuid4())
    caller: Callable[[], Hashable] = threading.get_ident
    cancellable: bool = False


class Sync:
    """An owner of verbs whose flows are driven while the caller waits."""

    def _drive(self, flow: Flow[R]) -> R:
        raise NotImplementedError


class Async:
    """An owner of verbs whose flows are driven by awaiting them."""

    async def _drive(self, flow: Flow[R]) -> R:
        raise NotImplementedError


class Stepped:
    """An owner of verbs whose flows are parts of other flows: its verbs give flows."""

    def _drive(self, flow: Flow[R]) -> Flow[R]:
        return flow


class verb(Generic[P, R]):  # noqa: N801 - it decorates methods
    """A method written once as a flow: a plain method on a `Sync` owner, a coroutine on `Async`."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[R]]) -> None:
        @functools.wraps(flow)
        def method(owner: Any, /, *args: P.args, **options: P.kwargs) -> Any:
            __tracebackhide__ = True
            return owner._drive(flow(owner, *args, **options))

        # What callers get is the flow's result, and so documentation should say. A copy of the
        # function carries it for `inspect`: making signatures of all verbs takes a while at import.
        shown = types.FunctionType(
            flow.__code__, flow.__globals__, flow.__name__, flow.__defaults__
        )
        shown.__kwdefaults__ = flow.__kwdefaults__
        result = str(flow.__annotations__.get("return", ""))
        result = result.removeprefix("Flow[").removesuffix("]")
        shown.__annotations__ = {**flow.__annotations__, "return": result}
        vars(method)["__wrapped__"] = shown
        self._method = method
        self.functions = flow, method
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, owner: None, cls: object = None) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, owner: Sync, cls: object = None) -> Callable[P, R]: ...
    @overload
    def __get__(self, owner: Async, cls: object = None) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def __get__(self, owner: Stepped, cls: object = None) -> Callable[P, Flow[R]]: ...
    def __get__(self, owner: object, cls: object = None) -> Any:
        return self._method if owner is None else types.MethodType(self._method, owner)


C = TypeVar("C", bound=type)


def written_as(name: str) -> Callable[[C], C]:
    """A class decorator: Python's own errors call the methods what a program calls them.

    `session.get(Song)` says "session.get() missing 1 required positional argument", and not the name of a
    class that no program has seen; so does "coroutine 'session.get' was never awaited".
    """

    def decorate(cls: C) -> C:
        for each, value in list(vars(cls).items()):
            if each.startswith("_"):
                continue
            alone = (getattr(value, "__func__", value),)
            for function in value.functions if isinstance(value, verb) else alone:
                if isinstance(function, types.FunctionType):
                    _rename(function, f"{name}.{each}")
                    # `help` looks for an inherited one by the name that is replaced here.
                    if function.__doc__ is None:
                        function.__doc__ = getattr(
                            getattr(super(cls, cls), each, None), "__doc__", None
                        )
        return cls

    return decorate


def _rename(function: types.FunctionType, name: str) -> None:
    # typing keeps overloads under the name that the function had when it was defined.
    overloads = get_overloads(function)
    for each in (*overloads, function):
        each.__qualname__ = name
    for each in overloads:
        overload(each)


def pause_before(attempt: int, environment: Environment, *, cap: float = 5.0) -> Pause:
    """How long to wait before another attempt: full jitter, so that many clients spread.

    Between nothing and 50 ms doubled with each attempt, at most *cap* seconds.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return Pause(environment.random() * min(cap, 0.05 * 2.0 ** min(attempt, 16)))


# --- Forked processes ---------------------------------------------------------------------------


class Forkable(Protocol):
    """What has to begin anew in a child process."""

    def forked(self) -> None: ...


_alive: weakref.WeakSet[Any] = weakref.WeakSet()


def forget_at_fork(each: Forkable) -> None:
    """Call `each.forked()` in every process that is forked from this one."""
    _alive.add(each)


def _forked() -> None:
    for each in list(_alive):
        each.forked()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forked)
