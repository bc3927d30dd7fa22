"""The driver of flows in threads: it calls over the wire, sleeps, and runs tasks beside the caller.

Most tasks take a thread of a pool. A batch needs none: handing work to a thread and waiting for it costs
more than sending a batch does, a queue, some locks, and above all the interpreter's own lock, which two
threads take in turns. So the thread that has gathered a batch sends it itself and goes on. The reply
waits in the socket until something waits for the task, be it because enough batches are in flight or
because a batch ends; then the task takes its further steps in that thread. A thread of the driver
sees to those that nothing waits for, so that an answer is known soon also where a program computes for
long between two writes.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

from dynattrs.clock import monotonic
from dynattrs.errors import DynattrsError, SessionClosed
from dynattrs.operations.flows import (
    Call,
    Flow,
    ObjectCall,
    Pause,
    Start,
    Task,
    Wait,
    WaitAny,
    WaitFor,
    forget_at_fork,
    frame_of,
)
from dynattrs.tracebacks import hidden, shown_of
from dynattrs.wire.client import PendingReply, Wire
from dynattrs.wire.time_limits import is_ending

__tracebackhide__ = hidden

R = TypeVar("R")

#: More threads than there ever are: those of a pool are made when none of them is idle.
_UNBOUNDED: Final = 1_000_000
#: After so many seconds a reply that nothing waits for is read by the driver.
PATIENCE: Final = 0.02
#: The same, where a request waits for the place of that reply.
_HURRY: Final = 0.005
#: How long the driver's thread stays when there is nothing left to do.
_LINGERING: Final = 0.1

#: How long to wait at a time, because another one may have finished the task.
_GLANCE: Final = 0.25

#: Stands for the task whose steps are being taken, in its context.
_acting: contextvars.ContextVar[object | None] = contextvars.ContextVar("acting", default=None)


def caller(_acting: Callable[[], Any] = _acting.get, _thread: Any = threading.get_ident) -> Any:
    """Who is calling: a task that takes its steps in another's thread, or else the thread."""
    return _acting() or _thread()


class LightTask:
    """A flow whose request was sent. It is done when its further steps were taken.

    Args:
        flow: What takes them.
        context: Where they are taken.
        steps: Takes the further ones, beginning with the reply.
        over: Called when it is done.
    """

    __slots__ = (
        "_begun", "_context", "_done", "_error", "_flow", "_lock", "_over", "_steps", "since"
    )  # fmt: skip

    def __init__(
        self,
        flow: Flow[object],
        context: contextvars.Context,
        steps: Callable[[Flow[Any], PendingReply], object],
        over: Callable[[LightTask], None],
    ) -> None:
        self._flow = flow
        self._context = context
        self._steps = steps
        self._over = over
        self._begun: PendingReply | None = None
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

    def sent(self, begun: PendingReply) -> None:
        """Its request is on its way."""
        self._begun = begun
        self.since = monotonic()

    def dropped(self, error: BaseException) -> None:
        """It goes no further: the flow says what becomes of what it holds."""
        if frame_of(self._flow) is not None:
            with contextlib.suppress(BaseException):
                self._context.run(self._flow.throw, error)
        self._done = True

    def cancelled(self, start: Start, left: Future[Any]) -> None:
        """A thread that was to take the further steps is done, perhaps without having begun."""
        if left.cancelled():
            self.dropped(start.error or SessionClosed())

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
            assert begun is not None
            self._context.run(self._steps, self._flow, begun)
        except BaseException as error:  # it belongs to who waits for the task
            self._error = error
            self.dropped(error)
        finally:
            self._done = True
            self._over(self)


class Attendant:
    """Sees to tasks that nothing waits for.

    Args:
        submit: Runs a function in a thread; may raise.
    """

    def __init__(self, submit: Callable[[Callable[[], Any]], object]) -> None:
        self._submit = submit
        self._lock = threading.Lock()
        #: The tasks that are not done, the oldest first.
        self._tasks: dict[LightTask, None] = {}
        self._attending = False
        self._closing = False
        #: Set when it is closing, and when a request waits.
        self._woken = threading.Event()

    def add(self, task: LightTask) -> None:
        with self._lock:
            self._tasks[task] = None
            if self._attending or self._closing:
                return
            self._attending = True
        try:
            self._submit(self._attend)
        except BaseException as error:
            self._attending = False
            if not isinstance(error, Exception):
                raise
            # There are no threads any more: the one that waits for the task sees to it.

    def hurry(self) -> None:
        """See to the tasks sooner, because a request waits."""
        if self._attending:
            self._woken.set()
            return
        # There are no threads any more.
        for task in list(self._tasks):
            _see_to(task)

    def over(self, task: LightTask) -> None:
        self._tasks.pop(task, None)

    def close(self) -> None:
        """Wait until all tasks are done."""
        self._closing = True
        self._woken.set()
        for task in list(self._tasks):
            _see_to(task)

    def _attend(self) -> None:
        last = monotonic()
        while True:
            hurried = self._woken.wait(PATIENCE)
            if self._closing:
                return
            if hurried:
                self._woken.clear()
            now = monotonic()
            for task in list(self._tasks):
                if now - task.since >= (_HURRY if hurried else PATIENCE):
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
    # The one that waits for the task is told what it raises.
    with contextlib.suppress(BaseException):
        task.result()


def _beside(
    done: Future[Any],
    submit: Callable[..., object],
    function: Callable[..., object],
    *arguments: object,
) -> Future[Any]:
    """In a thread; where the interpreter is about to end, and gives none any more, here and now.

    An interruption may come before this returns: *done*, which is returned, is the caller's before. It can
    be cancelled while the function has not begun.
    """
    try:
        submit(_into, done, function, *arguments)
    except RuntimeError as error:
        if not is_ending(error):
            raise
        _into(done, function, *arguments)
    return done


def _into(done: Future[Any], function: Callable[..., object], *arguments: object) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        result = function(*arguments)
    except BaseException as error:  # it belongs to who waits
        done.set_exception(error)
    else:
        done.set_result(result)


class CallLine(Protocol):
    """What calls go over: a wire, or what stands before it."""

    def call(self, call: Call) -> Any:
        """The response to a call."""
        ...

    def begin(
        self, call: Call, announce: Callable[[PendingReply], object] | None = None
    ) -> PendingReply | None:
        """Send the request of a call, and read the reply later; None if that cannot be. *announce* is
        told of it just before anything is sent.
        """
        ...


class Driver:
    """Does what flows ask for: calls over the wire, pauses by sleeping, tasks in a thread pool."""

    def __init__(self, wire: Wire, workers: int, line: CallLine | None = None) -> None:
        self.wire = wire
        #: What stands before the wire: who counts calls, or holds them up.
        self.line: CallLine = wire if line is None else line
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        #: For tasks that have a place of the pace, or queue for one. All threads of the other one may
        #: wait for such a place; so these tasks never wait for a thread.
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

    def drive(self, flow: Flow[R]) -> R:
        """As `run`, for a verb: its errors leave without the frames below."""
        __tracebackhide__ = True
        try:
            return self.run(flow)
        except DynattrsError as error:
            raise error.with_traceback(shown_of(error))  # noqa: B904 - all of it: DYNATTRS_TRACEBACKS=full

    def run(self, flow: Flow[R], effect: object = None) -> R:
        """The result of *flow*, or its error. If it has begun, *effect* is what it asks for.

        An interruption reaches the flow wherever it strikes, between two steps too: the flow says
        what becomes of what it holds.
        """
        # Emptied when it is thrown: a frame that keeps an error is a cycle with its traceback.
        thrown: list[BaseException] = []
        held: list[BaseException] = []
        while True:
            try:
                result = self._steps(flow, thrown, held, effect)
            except BaseException as error:
                effect = None
                if frame_of(flow) is None:  # it has ended, with this error
                    if held:
                        raise held.pop() from error
                    raise
                # Of an error that was about to be thrown, this is what is left.
                thrown[:] = (error,)
            else:
                if held:
                    raise held.pop()
                return result

    def _steps(
        self, flow: Flow[R], thrown: list[BaseException], held: list[BaseException], effect: object
    ) -> R:
        try:
            if effect is None:
                effect = flow.throw(thrown.pop()) if thrown else next(flow)
            while True:
                if held:
                    effect = flow.throw(held.pop())
                    continue
                outcome = None
                try:
                    outcome = self._perform(effect, held)
                except BaseException as error:
                    thrown.append(error)
                # Thrown here, and not by the caller: between two rounds of its loop an interruption would
                # pass the flow by.
                effect = flow.throw(thrown.pop()) if thrown else flow.send(outcome)
        except StopIteration as stop:
            result: R = stop.value
            return result

    def _perform(self, effect: object, held: list[BaseException]) -> Any:
        if isinstance(effect, Call):
            if effect.outlasts and threading.current_thread() is threading.main_thread():
                return self._outlast(effect, held)
            return self.line.call(effect)
        if isinstance(effect, Pause):
            instruments = self.wire.instruments
            if instruments is None or not instruments.skip(effect.seconds):
                time.sleep(effect.seconds)
            return None
        if isinstance(effect, Start):
            if effect.light:
                return self._send_light(effect)
            return self._submit(effect, self._at_once if effect.apart else self._in_thread)
        if isinstance(effect, WaitFor):
            return self._wait_for(effect)
        if isinstance(effect, PendingReply):
            return effect.finish(functools.partial(self._outlasting, held))
        if isinstance(effect, ObjectCall):
            return self.wire.objects.call(effect)
        if isinstance(effect, WaitAny):
            tasks: Any = effect.tasks
            done, _ = futures.wait(tasks, return_when=futures.FIRST_COMPLETED)
            return done.pop()
        assert isinstance(effect, Wait)
        try:
            return effect.task.result()
        except CancelledError:
            raise SessionClosed from None

    def _wait_for(self, effect: WaitFor) -> None:
        given = threading.Event()
        effect.signal.wake = given.set
        if not (effect.signal.given or given.wait(min(_HURRY, effect.seconds))):
            self._attendant.hurry()
            given.wait(max(0.0, effect.seconds - _HURRY))

    def _outlast(self, call: Call, held: list[BaseException]) -> Any:
        """The response to a call, also where the main thread, which waits for it, is interrupted: then
        the interruption is *held*. It does not wait any longer after a second one.
        """
        announced: list[PendingReply] = []
        try:
            begun = self.line.begin(call, announced.append)
        except BaseException as interruption:
            if isinstance(interruption, Exception) or not (announced and announced[0].is_begun()):
                raise
            held.append(interruption)
            begun = announced.pop()
        if begun is None:
            return self._outlasting(held, functools.partial(self.line.call, call))
        while True:
            try:
                while not begun.ready(_GLANCE):
                    pass
                break
            except BaseException as interruption:
                if isinstance(interruption, Exception) or held:
                    with contextlib.suppress(Exception):
                        self._at_once(begun.finish, None)  # so that its connection comes back
                    raise
                held.append(interruption)
        return begun.finish(functools.partial(self._outlasting, held))

    def _outlasting(self, held: list[BaseException], function: Callable[[], Any]) -> Any:
        """What *function* gives, also where the main thread, which waits for it, is interrupted."""
        if threading.current_thread() is not threading.main_thread():
            return function()
        context = contextvars.copy_context()
        context.run(_acting.set, caller())  # who is calling all the same
        done: Future[Any] = Future()
        try:
            _beside(done, self._at_once, context.run, function)
        except BaseException as interruption:
            if isinstance(interruption, Exception) or held or done.cancel():
                raise
            held.append(interruption)
        while True:
            try:
                futures.wait((done,))
                return done.result()
            except BaseException as interruption:
                if isinstance(interruption, Exception) or held or done.done():
                    raise
                held.append(interruption)

    def _submit(self, start: Start, submit: Callable[..., Future[Any]]) -> Future[Any]:
        start.task = done = Future[Any]()
        # In the starter's context, so that spans and log fields are those of who asked.
        return _beside(done, submit, contextvars.copy_context().run, self.run, start.flow)

    def _in_thread(self, function: Callable[..., object], *arguments: object) -> Future[Any]:
        with self._lock:
            if self.closed:
                raise SessionClosed
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="dynattrs")
            return self._pool.submit(function, *arguments)

    def _at_once(self, function: Callable[..., object], *arguments: object) -> Future[Any]:
        """In a thread that is there, or else in a new one."""
        with self._lock:
            if self.closed:
                raise SessionClosed
            if self._holders is None:
                self._holders = ThreadPoolExecutor(_UNBOUNDED, thread_name_prefix="dynattrs-reply")
            return self._holders.submit(function, *arguments)

    def _send_light(self, start: Start) -> Task:
        """Take the first step of a flow here. If it was a request that could be sent at once, the
        others are taken by who waits for the task; else by a thread, beginning with what it asks for.
        """
        if self.closed:
            raise SessionClosed
        context = contextvars.copy_context()
        task = LightTask(start.flow, context, self.run, self._attendant.over)
        start.task = task
        announced: list[PendingReply] = []
        try:
            effect = task.first()
            if task.done():
                return task
            begun = None
            if isinstance(effect, Call):
                begun = context.run(self.line.begin, effect, announced.append)
            if begun is None:
                return self._go_on(start, task, context, effect)
            task.sent(begun)
            self._attendant.add(task)
        except BaseException as error:
            if task is start.task:  # and no thread's
                if isinstance(error, Exception) or not (announced and announced[0].is_begun()):
                    task.dropped(error)
                else:  # its request may be on its way, and is waited for
                    task.sent(announced[0])
            raise
        return task

    def _go_on(
        self, start: Start, task: LightTask, context: contextvars.Context, effect: object
    ) -> Task:
        # It has a place, or queues for one: all threads of the pool may be behind it.
        done: Future[Any] = Future()
        done.add_done_callback(functools.partial(task.cancelled, start))
        start.task = done
        try:
            return _beside(done, self._at_once, context.run, self.run, start.flow, effect)
        except BaseException as error:
            start.error = error
            done.cancel()
            raise

    def beside(self, line: CallLine) -> Driver:
        """One with threads of its own, over the same wire, which it leaves open."""
        return _Beside(self.wire, self._workers, line)

    def close(self) -> None:
        self._end()
        self.wire.close()

    def _end(self) -> None:
        with self._lock:
            self.closed = True
            made = (self._pool, self._holders)
            self._pool = self._holders = None
        # Batches of a save_all in another thread are still sent.
        self._attendant.close()
        for pool in made:
            if pool is not None:
                pool.shutdown(wait=True)


class _Beside(Driver):
    def close(self) -> None:
        self._end()
