"""Cancelled wherever a flow can wait: what was saved is stored or reported, and no task is left.

Each program is run once for each of its steps, and cancelled there. The requests go to a client
that keeps items in memory and waits before and after applying them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from dynattrs import UnsentWrites, field, model, partition_key, sort_key
from dynattrs.aio import AsyncSession
from memory_client import MemoryClient

pytestmark = pytest.mark.filterwarnings("error")


@model("notes")
class Note:
    shelf: str = partition_key()
    id: str = sort_key()


def note(number: int) -> Note:
    return Note("s", f"{number:04}")


class Program:
    """What a program has to do with: a session, and what it has saved so far."""

    def __init__(self) -> None:
        self.client = MemoryClient(notes=("shelf", "id"))
        self.session = AsyncSession(client=self.client, concurrency=2)
        # No waiting: pauses are steps too.
        core = self.session._core
        core.environment = attrs.evolve(core.environment, random=lambda: 0.0)
        self.saved: set[str] = set()
        self.deleted: set[str] = set()

    async def save(self, handle: Any, *numbers: int) -> None:
        for number in numbers:
            # Before: a save that is cancelled may have been taken, and must then be accounted for
            # like all others; `taken` tells of the last one.
            await handle.save(note(number))
            self.saved.add(note(number).id)

    def stored(self) -> set[str]:
        return {key[1] for key in self.client.tables["notes"]}


async def saves_in_a_batch(p: Program) -> None:
    p.client.unprocessed = 2
    async with p.session.batch() as batch:
        await p.save(batch, *range(60))


async def saves_many(p: Program) -> None:
    p.client.unprocessed = 1

    def notes() -> Any:
        for number in range(60):
            yield note(number)
            # The generator goes on when the flow has taken the one before.
            p.saved.add(note(number).id)

    await p.session.save_all(notes())


async def saves_many_in_a_batch(p: Program) -> None:
    async with p.session.batch() as batch:
        await batch.save_all(map(note, range(30)))
        p.saved |= {note(number).id for number in range(30)}
        await p.save(batch, 40)


async def saves_reads_and_flushes(p: Program) -> None:
    async with p.session.batch() as batch:
        await p.save(batch, *range(30))
        assert await batch.get(Note, ("s", "0029")) == note(29)
        await p.save(batch, *range(30, 35))
        await batch.flush()
        assert await batch.query(Note).where(Note.shelf == "s").page_size(10).count() == 35
        await p.save(batch, 35)


async def saves_from_several_tasks(p: Program) -> None:
    async with p.session.batch() as batch:
        writers = [asyncio.create_task(p.save(batch, *range(n, 60, 3))) for n in range(3)]
        try:
            await asyncio.gather(*writers)
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.wait(writers)


async def iterates_and_leaves_early(p: Program) -> None:
    await p.session.save_all(map(note, range(50)))
    async with p.session.batch() as batch:
        await p.save(batch, 50)
        count = 0
        async for _ in batch.query(Note).where(Note.shelf == "s").page_size(10):
            count += 1
            if count == 35:
                break
        await p.save(batch, 51)


async def reads_in_every_way(p: Program) -> None:
    await p.session.save_all(map(note, range(40)))
    session, shelf = p.session, p.session.query(Note).where(Note.shelf == "s").page_size(10)
    assert len(await shelf.all()) == 40
    assert await shelf.first() == note(0)
    assert len(await shelf.page(25)) == 25
    assert [len(page) async for page in shelf.pages()] == [10, 10, 10, 10]
    assert len([each async for each in session.scan(Note).parallel(3).page_size(5)]) == 40
    keys = [("s", f"{number:04}") for number in range(250)]
    assert len([each async for each in session.get_many(Note, keys)]) == 40
    assert len([row async for row in await session.execute("SELECT * FROM notes")]) == 40


async def deletes_what_a_query_finds(p: Program) -> None:
    await p.session.save_all(map(note, range(60)))
    await p.session.query(Note).where(Note.shelf == "s").page_size(20).delete()
    assert not p.stored()


async def opens_batches_side_by_side(p: Program) -> None:
    async with p.session.batch() as outer:
        await p.save(outer, 1)
        async with p.session.batch() as inner, outer.transaction() as t:
            t.save(note(2))
            await p.save(outer, *range(3, 30))
            with contextlib.suppress(Exception):  # refused: it would not be part of it
                await inner.save(note(99))
        p.saved.add("0002")


PROGRAMS = [
    saves_in_a_batch,
    saves_many,
    saves_many_in_a_batch,
    saves_reads_and_flushes,
    saves_from_several_tasks,
    iterates_and_leaves_early,
    reads_in_every_way,
    deletes_what_a_query_finds,
]


def reported(error: BaseException | None) -> set[str]:
    """The notes of all `UnsentWrites` in a chain of errors."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, UnsentWrites):
            objects = [write.object for write in each.unsent]
            found |= {getattr(obj, "id", None) or str(obj) for obj in objects}
        waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    return found


Ending = Callable[[Program, Callable[[Program], Awaitable[None]], int], Awaitable[Any]]


async def cancelled(p: Program, program: Callable[[Program], Awaitable[None]], step: int) -> Any:
    """`Task.cancel`, once."""
    task = asyncio.ensure_future(program(p))
    p.client.at_step = lambda number: number == step and task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        return error
    return None


async def cancelled_again_and_again(
    p: Program, program: Callable[[Program], Awaitable[None]], step: int
) -> Any:
    """As anyio does: until the task has ended."""
    task = asyncio.ensure_future(program(p))

    def again() -> None:
        if not task.done():
            task.cancel()
            asyncio.get_running_loop().call_soon(again)

    p.client.at_step = lambda number: number == step and again()
    try:
        await task
    except asyncio.CancelledError as error:
        return error
    return None


async def timed_out(p: Program, program: Callable[[Program], Awaitable[None]], step: int) -> Any:
    """`asyncio.timeout`, whose error has the cancellation as its cause."""
    try:
        async with asyncio.timeout(None) as timeout:  # type: ignore[attr-defined]
            now = asyncio.get_running_loop().time
            p.client.at_step = lambda number: number == step and timeout.reschedule(now() - 1)
            await program(p)
    except TimeoutError as error:
        return error
    return None


async def failed_beside(
    p: Program, program: Callable[[Program], Awaitable[None]], step: int
) -> Any:
    """A `TaskGroup` in which another task fails."""

    async def fails(at: asyncio.Event) -> None:
        await at.wait()
        raise ZeroDivisionError

    event = asyncio.Event()
    p.client.at_step = lambda number: number == step and event.set()
    task: Any = None
    try:
        async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
            task = group.create_task(program(p))
            failing = group.create_task(fails(event))
            await asyncio.wait([task])
            if not task.cancelled():
                failing.cancel()
    except BaseException as error:
        if not isinstance(error, BaseExceptionGroup):  # noqa: F821 - Python 3.11
            raise
    try:
        task.result()
    except asyncio.CancelledError as error:
        return error
    return None


ENDINGS: list[Any] = [cancelled, cancelled_again_and_again]
if sys.version_info >= (3, 11):
    ENDINGS += [
        pytest.param(each, marks=pytest.mark.full, id=each.__name__)
        for each in (timed_out, failed_beside)
    ]


async def run(program: Any, ending: Ending, step: int) -> tuple[int, BaseException | None]:
    p = Program()
    error = await ending(p, program, step)
    for _ in range(2):  # cancelled read-ahead that nobody waits for ends by itself
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"{len(left)} tasks are left after {step} steps"
    if program is not deletes_what_a_query_finds:
        missing = p.saved - p.stored() - reported(error)
        assert not missing, f"lost after {step} steps: {sorted(missing)}"
    assert not p.session._batches
    await p.session.close()
    return p.client.steps, error


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_that_is_cancelled_at_any_step_loses_nothing(
    program: Any, ending: Ending, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL", "dynattrs")  # what is unsent is logged as well
    steps = asyncio.run(run(program, ending, 0))[0]
    assert steps > 10

    hit = 0
    for step in range(1, steps + 1):
        _, error = asyncio.run(run(program, ending, step))
        hit += error is not None

    # A cancellation that comes with the last answers may find the program done.
    assert hit >= steps - 4
    gc.collect()


def test_what_a_cancelled_batch_had_gathered_is_reported_and_not_sent():
    async def main() -> None:
        p = Program()

        async def program() -> None:
            async with p.session.batch() as batch:
                await p.save(batch, 1, 2)
                await asyncio.Event().wait()

        task = asyncio.ensure_future(program())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task

        assert reported(caught.value) == {"0001", "0002"}
        assert p.client.requests == []

    asyncio.run(main())


def test_a_cancelled_batch_does_not_wait_for_the_replies_to_its_batches():
    async def main() -> None:
        p = Program()
        replies = asyncio.Event()

        async def silent(**_: Any) -> Any:
            p.client.requests.append("batch_write_item")
            await replies.wait()

        p.client.batch_write_item = silent  # type: ignore[method-assign]
        task = asyncio.ensure_future(saves_in_a_batch(p))
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(p.client.requests) == 2
        task.cancel()
        await asyncio.wait([task], timeout=1)

        assert task.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@model("drafts")
class Draft:
    shelf: str = partition_key()
    id: str = sort_key()
    version: int = field(version=True)


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("cls", [Note, Draft], ids=["gathered", "one by one"])
def test_a_save_all_whose_session_is_closed_ends_and_says_what_is_not_stored(
    cls: type[Any], steps: int
) -> None:
    """Also where it has just begun tasks that have not taken their first step."""
    client = MemoryClient(notes=("shelf", "id"), drafts=("shelf", "id"))
    table = "notes" if cls is Note else "drafts"
    objects = [cls("s", f"{number:04}") for number in range(100)]

    async def main() -> list[Any]:
        session = AsyncSession(client=client, concurrency=4)
        saving = asyncio.create_task(session.save_all(objects))

        async def close() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)
            await session.close()

        closing = asyncio.create_task(close())
        done, late = await asyncio.wait([saving], timeout=5)
        assert not late, "it waits for ever"
        await closing
        error = done.pop().exception()
        if error is None:
            return []
        assert isinstance(error, UnsentWrites)
        return error.objects

    unsent = asyncio.run(main())
    told = {each.id for each in unsent} | {key[1] for key in client.tables[table]}
    # What was taken is stored or told of: the first ones, in their order.
    assert told == {each.id for each in objects[: len(told)]}
    assert len(told) >= 4


def test_who_is_cancelled_while_reading_does_not_cancel_what_others_have_saved():
    async def main() -> None:
        p = Program()
        async with p.session.batch() as batch:
            await p.save(batch, 1)
            reader = asyncio.ensure_future(batch.get(Note, ("s", "0001")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert p.client.requests == ["batch_write_item"]
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader

        assert p.stored() == {"0001"}
        assert p.client.requests == ["batch_write_item"]

    asyncio.run(main())


def test_a_cancelled_edit_is_tried_again_by_the_next_one():
    """The object keeps its changes, and so does what is to be written of them."""

    @model("drafts")
    class Draft:
        id: str = partition_key()
        text: str = ""

    async def main() -> None:
        client = MemoryClient(drafts=("id",))
        session = AsyncSession(client=client)
        draft = await session.save(Draft("1"))

        async def edit() -> None:
            async with session.edit(draft):
                draft.text = "new"

        task = asyncio.ensure_future(edit())
        client.at_step = lambda step: task.cancel() and None
        with pytest.raises(asyncio.CancelledError):
            await task
        client.at_step = lambda step: None
        async with session.edit(draft):
            pass

        assert client.requests == ["put_item", "update_item", "update_item"]

    asyncio.run(main())


def test_a_transaction_whose_block_is_cancelled_sends_nothing():
    async def main() -> None:
        p = Program()

        async def program() -> None:
            async with p.session.transaction() as t:
                t.save(note(1))
                await asyncio.Event().wait()

        task = asyncio.ensure_future(program())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await p.session.save(note(2))  # no transaction is open any more

        assert p.stored() == {"0002"}
        assert not p.session._core.transactions

    asyncio.run(main())


def test_a_coroutine_that_is_dropped_inside_a_batch_says_what_is_lost(
    caplog: pytest.LogCaptureFixture,
):
    """Nobody drives it any more, so it cannot wait: nothing is sent, and the log names it."""
    p = Program()

    async def program() -> None:
        async with p.session.batch() as batch:
            await p.save(batch, *range(30))  # of which a batch is on its way
            await asyncio.Event().wait()

    coroutine = program()
    loop = asyncio.new_event_loop()
    loop.call_soon(lambda: (coroutine.send(None), loop.stop()))
    loop.run_forever()
    coroutine.close()
    loop.run_until_complete(asyncio.sleep(0.01))
    assert asyncio.all_tasks(loop) == set()
    loop.close()

    assert "30 writes were not stored" in caplog.text
