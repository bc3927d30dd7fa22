# ruff: noqa: TRY301 - handlers of other errors are what this is about
"""What leaves a batch that was interrupted says, by its causes, what was not stored.

Python replaces the context of an error that is raised again where another one is being handled. So
programs here fail by themselves, and stand in handlers of other errors, and are interrupted at each
of their steps, once and twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from dynattrs import UnsentWrites, model, partition_key
from dynattrs.aio import AsyncSession
from dynattrs.models.hooks import Flushed, SessionHooks
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Environment, Flow, Start, Wait
from dynattrs.operations.writing import batch, reports
from dynattrs.operations.writing.buffer import Buffer, write_by_key
from memory_client import MemoryClient


@model("notes")
class Note:
    id: str = partition_key()
    value: int = 0


# --- Reports, put by hand -----------------------------------------------------------------------


def buffer_with(*ids: str) -> Buffer:
    buffer = Buffer()
    for id_ in ids:
        key: Any = {"id": {"S": id_}}
        buffer.add(write_by_key("notes", key, {"PutRequest": {"Item": key}}, 10, Note(id_), "save"))
    return buffer


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def contexts(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__


def named(chain: Iterator[BaseException]) -> set[str]:
    return {note.id for each in chain if isinstance(each, UnsentWrites) for note in each.objects}


def test_a_report_is_the_cause_of_what_leaves_a_batch_and_the_end_of_its_contexts():
    error, handled = KeyboardInterrupt(), LookupError()
    error.__context__ = handled

    reports.report_left(buffer_with("a"), error)

    assert isinstance(error.__cause__, UnsentWrites)
    assert handled.__context__ is error.__cause__


def test_a_cause_that_is_there_keeps_its_place():
    error, why = KeyboardInterrupt(), LookupError()
    error.__cause__ = why

    reports.report_left(buffer_with("a"), error)

    assert error.__cause__ is why
    assert isinstance(why.__cause__, UnsentWrites)


def test_two_batches_that_one_error_leaves_report_both():
    error = KeyboardInterrupt()

    reports.report_left(buffer_with("a"), error)
    reports.report_left(buffer_with("b"), error)

    assert named(causes(error)) == {"a", "b"}
    assert named(contexts(error)) == {"a", "b"}


def test_what_leaves_the_batch_later_has_the_report_as_well_and_so_has_the_body():
    buffer, body, first, second = buffer_with("a"), ValueError(), KeyboardInterrupt(), SystemExit()

    reports.report_left(buffer, first, body)
    reports.report_left(buffer, second, body)

    assert isinstance(first.__cause__, UnsentWrites)
    assert first.__cause__ is second.__cause__ is body.__cause__


def test_a_report_that_comes_from_an_error_closes_no_circle():
    buffer, body, error = buffer_with("a"), ValueError(), KeyboardInterrupt()
    report = reports.remember(buffer, UnsentWrites(buffer.drain(body)))
    report.__cause__ = report.__context__ = body

    reports.report_left(buffer, error, body)

    assert list(causes(error)) == [error, report, body]
    assert body.__context__ is None


def test_circles_that_are_there_are_left_alone():
    error, other = KeyboardInterrupt(), LookupError()
    error.__context__, other.__context__ = other, error

    reports.report_left(buffer_with("a"), error)

    assert isinstance(error.__cause__, UnsentWrites)
    assert error.__context__ is other


def test_frozen_errors_have_it_too():
    class Frozen(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    error = Frozen()

    reports.report_left(buffer_with("a"), error)

    assert isinstance(error.__cause__, UnsentWrites)


# --- In threads, stepped by hand ----------------------------------------------------------------


class Running:
    """A task that does not end."""

    def cancel(self) -> bool:
        return False

    def done(self) -> bool:
        return False


@pytest.mark.parametrize("body", [None, ValueError("the body has failed")], ids=["ends", "fails"])
@pytest.mark.parametrize("by_save_all", [False, True], ids=["batch", "save_all"])
def test_a_second_interruption_of_a_thread_has_the_report_as_its_cause(
    body: ValueError | None, by_save_all: bool
):
    """The first one waits for what is in flight, and the second one does not."""
    told: list[Flushed] = []
    environment = Environment(lambda: 0.0, lambda: 0.5, lambda: datetime.now(timezone.utc))
    core = Core(
        environment, timedelta(seconds=60), 4, hooks=SessionHooks(after_flush=(told.append,))
    )
    ids = [str(number) for number in range(26)]  # more than one batch
    buffer, first, second = buffer_with(*ids), KeyboardInterrupt(), KeyboardInterrupt()
    buffer.began(Running())

    def failing() -> Flow[None]:
        yield from ()
        if body is not None:
            raise body

    flow = batch.gathered(core, buffer, failing()) if by_save_all else batch.end(core, buffer, body)
    assert isinstance(next(flow), Start)
    try:
        raise LookupError("another error is being handled")
    except LookupError:
        assert isinstance(flow.throw(first), Wait)
        with pytest.raises(KeyboardInterrupt) as caught:
            flow.throw(second)
    reports.report_left(buffer, caught.value, body)  # as what leaves a batch is

    assert caught.value is second
    for error in filter(None, (first, second, body)):
        assert named(causes(error)) == set(ids)
    assert [len(each.failed) for each in told] == [26]


# --- Under asyncio ------------------------------------------------------------------------------


class Program:
    """What a program has to do with: a session, and what it has saved."""

    def __init__(self) -> None:
        self.client = MemoryClient(notes=("id",))
        #: What `after_flush` was told.
        self.told: set[str] = set()
        self.session = AsyncSession(client=self.client, concurrency=2, after_flush=self._flushed)
        core = self.session._core
        # No waiting: pauses are steps too.
        core.environment = attrs.evolve(core.environment, random=lambda: 0.0)
        self.saved: dict[str, int] = {}
        #: What was not stored when something left a batch, and that did not name it by its causes.
        self.unnamed: set[str] = set()

    def _flushed(self, flushed: Flushed) -> None:
        self.told |= {each.object.id for each in flushed.failed}

    def note(self, number: int, value: int) -> Note:
        note = Note(f"{number:02}", value)
        # When it is taken, and before that may be cancelled: a note is made when the one before is.
        self.saved[note.id] = value
        return note

    def lost(self, names: set[str]) -> set[str]:
        stored = {
            item["id"]["S"]: int(item["value"]["N"])
            for item in self.client.tables["notes"].values()
        }
        return {id_ for id_, value in self.saved.items() if stored.get(id_) != value} - names

    @contextlib.contextmanager
    def leaving(self) -> Iterator[None]:
        """Look at what leaves a batch."""
        try:
            yield
        except BaseException as error:
            self.unnamed |= self.lost(named(causes(error)))
            raise


async def in_a_batch(p: Program) -> None:
    """A batch whose writes wait for each other, and that ends by itself."""
    with p.leaving():
        async with p.session.batch() as batch:
            for number in range(25):
                await batch.save(p.note(number, 1))
            await batch.save(p.note(7, 2))  # waits for the one that is in flight
            await asyncio.sleep(0)


async def in_a_batch_that_fails(p: Program) -> None:
    with p.leaving():
        async with p.session.batch() as batch:
            for number in range(30):
                await batch.save(p.note(number, 1))
            await batch.save(p.note(7, 2))
            raise ValueError("the body has failed")


async def in_a_batch_that_waits(p: Program) -> None:
    with p.leaving():
        async with p.session.batch() as batch:
            for number in range(3):
                await batch.save(p.note(number, 1))
            await p.client._step()


async def in_two_batches(p: Program) -> None:
    async with p.session.batch() as outer:
        await outer.save(p.note(98, 1))
        async with p.session.batch() as inner:
            await inner.save(p.note(99, 1))
            await p.client._step()
            raise ValueError("the body has failed")


def notes(p: Program) -> Iterator[Note]:
    for number in range(60):
        yield Note(f"{number:02}", 1)
        p.note(number, 1)  # the next one is asked for: this one was taken


async def by_save_all(p: Program) -> None:
    with p.leaving():
        await p.session.save_all(notes(p))


async def by_save_all_that_fails(p: Program) -> None:
    def failing() -> Iterator[Note]:
        yield from notes(p)
        raise ValueError("the objects have failed")

    with p.leaving():
        await p.session.save_all(failing())


Writing = Callable[[Program], Awaitable[None]]


async def plainly(p: Program, write: Writing) -> None:
    await write(p)


async def in_a_handler(p: Program, write: Writing) -> None:
    try:
        raise LookupError("the cache is down")
    except LookupError:
        await write(p)


async def in_finally(p: Program, write: Writing) -> None:
    try:
        raise LookupError("the cache is down")
    finally:
        await write(p)


async def in_a_task_of_a_handler(p: Program, write: Writing) -> None:
    """The task's error is raised again here."""
    try:
        raise LookupError("the cache is down")
    except LookupError:
        await asyncio.ensure_future(write(p))


Ending = Callable[[Program, Callable[[], Awaitable[None]], int], Awaitable[None]]


async def cancelled(p: Program, run: Callable[[], Awaitable[None]], step: int) -> None:
    task = asyncio.ensure_future(run())
    p.client.at_step = lambda number: number == step and task.cancel()
    try:
        raise OSError("this is being handled by who awaits it")
    except OSError:
        await task


def cancelled_twice(turns: int) -> Ending:
    """For a second time some turns of the loop later: while it ends."""

    async def ending(p: Program, run: Callable[[], Awaitable[None]], step: int) -> None:
        task = asyncio.ensure_future(run())

        async def twice() -> None:
            task.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()

        begun: list[Any] = []
        p.client.at_step = lambda number: (
            number == step and begun.append(asyncio.ensure_future(twice()))
        )
        try:
            await task
        finally:
            await asyncio.gather(*begun)

    ending.__name__ = f"cancelled_twice_{turns}"
    return ending


async def waited_for(p: Program, run: Callable[[], Awaitable[None]], step: int) -> None:
    loop = asyncio.get_running_loop()
    time, passed = loop.time, [0.0]
    loop.time = lambda: time() + passed[0]  # type: ignore[method-assign]
    p.client.at_step = lambda number: number == step and passed.append(passed.pop() + 100)
    try:
        raise OSError("this is being handled by who awaits it")
    except OSError:
        await asyncio.wait_for(run(), 60)


async def timed_out(p: Program, run: Callable[[], Awaitable[None]], step: int) -> None:
    """By anyio, which cancels until all has ended, and drops the cancellation."""
    anyio = pytest.importorskip("anyio")
    with anyio.fail_after(60) as scope:
        p.client.at_step = lambda number: number == step and setattr(scope, "deadline", 0.0)
        await run()


async def timed_out_in_a_handler(p: Program, run: Callable[[], Awaitable[None]], step: int) -> None:
    """Where anyio drops the cancellation, and Python the context of its TimeoutError."""
    try:
        raise OSError("this is being handled by who awaits it")
    except OSError:
        await timed_out(p, run, step)


ENDINGS: list[Ending] = [
    cancelled,
    cancelled_twice(1),
    cancelled_twice(2),
    cancelled_twice(4),
    waited_for,
    timed_out,
    timed_out_in_a_handler,
]


def reported(error: BaseException | None) -> set[str]:
    """The notes of all reports that an error leads to."""
    found: dict[int, BaseException] = {}
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in found:
            found[id(each)] = each
            waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    return named(iter(found.values()))


def drops_contexts(ending: Ending, place: Any) -> bool:
    """Whether the error that arrives leads no more to the one that left the batch."""
    if ending is timed_out:  # which drops the cancellation
        return place in (in_a_handler, in_finally)
    if sys.version_info < (3, 11) and (ending is cancelled or place is in_a_task_of_a_handler):
        return True  # asyncio makes the cancellation of a task anew, in the awaiting handler
    return ending is timed_out_in_a_handler


def run(write: Writing, place: Any, ending: Ending, step: int) -> tuple[int, bool]:
    """How many steps there were, and whether it ended by more than its own error."""

    async def main() -> tuple[int, bool]:
        p = Program()
        error: BaseException | None = None
        try:
            await ending(p, lambda: place(p, write), step)
        except BaseException as caught:
            error = caught
        if isinstance(error, pytest.skip.Exception):
            raise error
        if not drops_contexts(ending, place):
            assert not p.lost(reported(error)), f"lost after {step} steps"
        assert not p.unnamed, f"what left the batch after {step} steps does not name them"
        assert not p.lost(p.told), f"after_flush was not told after {step} steps"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await p.session.close()
        own = error is None or isinstance(error, (ValueError, LookupError))
        return p.client.steps, not own

    return asyncio.run(main())


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda each: each.__name__)
@pytest.mark.parametrize(
    "place", [plainly, in_a_handler, in_finally, in_a_task_of_a_handler],
    ids=lambda each: each.__name__,
)  # fmt: skip
@pytest.mark.parametrize(
    "write",
    [
        in_a_batch, in_a_batch_that_fails, in_a_batch_that_waits, in_two_batches,
        by_save_all, by_save_all_that_fails,
    ],
    ids=lambda each: each.__name__,
)  # fmt: skip
def test_wherever_it_is_cancelled_what_leaves_a_batch_names_what_is_not_stored(
    write: Writing, place: Any, ending: Ending, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL", "dynattrs")  # it is logged as well
    steps = run(write, place, ending, 0)[0]
    ended = [run(write, place, ending, step)[1] for step in range(1, steps + 1)]
    assert any(ended)


def test_an_interruption_while_failures_are_taken_loses_none(monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    buffer = buffer_with("a", "b")
    buffer.fail(buffer.take(whole=False), ValueError("refused"))
    with monkeypatch.context() as patch:
        patch.setattr(type(buffer.ledger), "gave_up", interrupted)
        with pytest.raises(KeyboardInterrupt):
            buffer.failures()
    error = KeyboardInterrupt()
    reports.report_left(buffer, error)
    assert named(causes(error)) == {"a", "b"}
    again = KeyboardInterrupt()
    reports.report_left(buffer, again)
    assert [each.id for each in buffer.reports[0].objects] == ["a", "b"]
    assert len(buffer.reports) == 1  # told of once
