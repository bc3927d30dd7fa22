"""An `AsyncSession`'s own behaviour: arguments, batches, iterators, tasks, event loops, its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from dynattrs import (
    BatchClosed,
    ConfigurationError,
    MissingExtra,
    ModelError,
    NoSuchItem,
    Progress,
    Session,
    SessionClosed,
    TransactionError,
    UnsentWrites,
    model,
    partition_key,
    sort_key,
)
from dynattrs.aio import AsyncBatch, AsyncSession
from memory_client import MemoryClient


@model("notes")
class Note:
    shelf: str = partition_key()
    id: str = sort_key()


def note(number: int) -> Note:
    return Note("s", f"{number:04}")


@pytest.fixture
def client() -> MemoryClient:
    return MemoryClient(notes=("shelf", "id"))


@pytest.fixture
def session(client: MemoryClient) -> AsyncSession:
    return AsyncSession(client=client)


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


def stored(client: MemoryClient) -> set[str]:
    return {key[1] for key in client.tables["notes"]}


# --- Batches --------------------------------------------------------------------------------------


def test_a_batch_gathers_and_its_session_does_not(session: AsyncSession, client: MemoryClient):
    async def main() -> None:
        async with session.batch() as batch:
            assert isinstance(batch, AsyncBatch)
            await batch.save(note(1))
            await batch.save(note(2))
            assert client.requests == []
            await session.save(note(3))
            assert client.requests == ["put_item"]
        assert client.requests == ["put_item", "batch_write_item"]
        with pytest.raises(SessionClosed):
            await batch.save(note(4))

    asyncio.run(main())


def test_batches_of_one_session_in_many_tasks_end_each_for_itself(
    session: AsyncSession, client: MemoryClient
):
    async def task(number: int) -> None:
        async with session.batch() as batch:
            await batch.save(note(number))
            await asyncio.sleep(0)
            if number % 3 == 0:
                raise KeyError(number)
            async with session.batch() as inner:
                await inner.save(note(100 + number))

    async def main() -> None:
        results = await asyncio.gather(*map(task, range(20)), return_exceptions=True)
        assert sum(isinstance(each, KeyError) for each in results) == 7

    asyncio.run(main())

    assert len(stored(client)) == 20 + 13
    assert not session._batches


def test_an_exit_stack_ends_the_batches_that_it_has_entered(
    session: AsyncSession, client: MemoryClient
):
    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            one = await stack.enter_async_context(session.batch())
            other = await stack.enter_async_context(session.batch())
            await one.save(note(1))
            await other.save(note(2))
            assert client.requests == []

    asyncio.run(main())

    assert stored(client) == {"0001", "0002"}


class Wrapper:
    """What a framework puts around a context manager: it hands both ends on."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __aenter__(self) -> Any:
        return await self.inner.__aenter__()

    async def __aexit__(self, *error: object) -> Any:
        return await self.inner.__aexit__(*error)


def test_a_wrapper_that_hands_on_both_ends_ends_its_own_batch(
    session: AsyncSession, client: MemoryClient
):
    async def main() -> None:
        async with Wrapper(session.batch()) as outer:
            await outer.save(note(1))
            async with Wrapper(session.batch()) as inner, session.batch() as plain:
                await inner.save(note(2))
                await plain.save(note(3))
            assert stored(client) == {"0002", "0003"}
        assert stored(client) == {"0001", "0002", "0003"}

    asyncio.run(main())


def test_an_asynchronous_generator_that_is_closed_early_reports_what_it_held(
    session: AsyncSession, client: MemoryClient, caplog: pytest.LogCaptureFixture
):
    async def writer() -> AsyncIterator[None]:
        async with session.batch() as batch:
            await batch.save(note(1))
            yield

    async def main() -> None:
        writing = writer()
        await writing.__anext__()
        await writing.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())

    assert stored(client) == set()
    assert "1 write was not stored" in caplog.text
    assert not session._batches


def test_a_batch_is_entered_once_and_used_inside(session: AsyncSession, client: MemoryClient):
    async def main() -> None:
        batch = session.batch()
        with pytest.raises(BatchClosed, match="has not begun"):
            await batch.save(note(1))
        async with batch:
            await batch.save(note(2))
            with pytest.raises(BatchClosed, match="was entered before"):
                await batch.__aenter__()
        for use in (batch.__aenter__(), batch.save(note(3)), batch.flush()):
            with pytest.raises(BatchClosed, match="has ended"):
                await use
        with pytest.raises(BatchClosed, match="has ended"):
            batch.discard()

    asyncio.run(main())

    assert stored(client) == {"0002"}


def test_a_with_statement_is_the_life_of_a_session(session: AsyncSession, client: MemoryClient):
    async def main() -> None:
        async with session as same:
            assert same is session
            await session.save(note(1))
            assert stored(client) == {"0001"}
        with pytest.raises(SessionClosed, match=r"session\.batch\(\)"):
            await session.save(note(2))
        with pytest.raises(AttributeError, match=r"batch\.flush\(\)"):
            session.flush()  # type: ignore[attr-defined]

    asyncio.run(main())


def test_a_session_is_not_left_before_its_batches_unless_by_an_exception(client: MemoryClient):
    async def main() -> None:
        stack = contextlib.AsyncExitStack()
        with pytest.raises(SessionClosed, match="still open"):
            async with AsyncSession(client=client) as session:
                await (await stack.enter_async_context(session.batch())).save(note(1))
        await stack.aclose()
        assert stored(client) == {"0001"}

        batch: Any = None
        with pytest.raises(ZeroDivisionError):
            async with AsyncSession(client=client) as session:
                batch = await stack.enter_async_context(session.batch())
                await batch.save(note(2))
                raise ZeroDivisionError
        with pytest.raises(SessionClosed, match="this session is closed"):
            await batch.save(note(3))
        asked = list(client.requests)
        with pytest.raises(UnsentWrites) as caught:
            await stack.aclose()
        assert caught.value.objects == [note(2)]
        assert type(caught.value.__cause__) is SessionClosed
        assert client.requests == asked

    asyncio.run(main())


def test_a_coroutine_that_is_closed_closes_its_session_without_waiting(client: MemoryClient):
    session = AsyncSession(client=client)

    async def program() -> None:
        async with session:
            await session.save(note(1))
            await asyncio.Event().wait()

    async def main() -> None:
        coroutine = program()
        for _ in range(3):
            coroutine.send(None)
        coroutine.close()
        with pytest.raises(SessionClosed):
            await session.save(note(2))

    asyncio.run(main())


def test_a_batch_waits_where_too_much_is_in_flight(client: MemoryClient):
    session = AsyncSession(client=client, concurrency=2)
    most = 0

    async def main() -> None:
        nonlocal most
        async with session.batch() as batch:
            for number in range(500):
                await batch.save(note(number))
                most = max(most, len(batch._buffer or ()))

    asyncio.run(main())

    assert len(stored(client)) == 500
    assert most <= 3 * 25


def test_progress_is_told(client: MemoryClient):
    told: list[Progress] = []
    session = AsyncSession(client=client, on_progress=told.append)

    async def main() -> None:
        async with session.batch() as batch:
            await batch.save_all(map(note, range(60)))

    asyncio.run(main())

    assert told[-1].stored == 60


def test_no_task_outlives_its_batch(session: AsyncSession, client: MemoryClient):
    async def main() -> None:
        await session.save_all(map(note, range(50)))
        async with session.batch() as batch:
            pages = batch.query(Note).where(Note.shelf == "s").page_size(10).pages()
            await anext_(pages)
            await anext_(pages)
            assert len(others()) == 1  # the third is being read
        assert others() == set()

    asyncio.run(main())


def test_a_write_inside_a_transaction_is_refused_in_its_task_and_not_in_others(
    session: AsyncSession, client: MemoryClient
):
    async def main() -> None:
        async with session.transaction() as t:
            with pytest.raises(TransactionError):
                await session.save(note(1))
            async with session.batch() as batch:
                with pytest.raises(TransactionError):
                    await batch.save(note(1))
            await asyncio.create_task(session.save(note(2)))
            t.save(note(3))
        await session.save(note(4))

    asyncio.run(main())

    assert stored(client) == {"0002", "0003", "0004"}
    assert not session._core.transactions


def test_writes_that_fail_for_good_are_raised_when_the_batch_ends(client: MemoryClient):
    async def refuse(**_: Any) -> Any:
        raise RuntimeError("no")

    client.batch_write_item = refuse  # type: ignore[method-assign]
    session = AsyncSession(client=client)

    async def main() -> None:
        one = note(1)
        with pytest.raises(UnsentWrites) as caught:
            async with session.batch() as batch:
                await batch.save(one)
        assert caught.value.objects[0] is one

    asyncio.run(main())


# --- Iterating ------------------------------------------------------------------------------------


async def anext_(iterator: Any) -> Any:
    return await iterator.__anext__()


async def iter_(iterable: Any) -> list[Any]:
    return [each async for each in iterable]


@pytest.mark.parametrize("how", ["items", "pages", "many", "parallel"])
def test_leaving_a_loop_early_leaves_no_task(session: AsyncSession, client: MemoryClient, how: str):
    iterables = {
        "items": lambda: session.query(Note).where(Note.shelf == "s").page_size(10),
        "pages": lambda: session.query(Note).where(Note.shelf == "s").page_size(10).pages(),
        "many": lambda: session.get_many(Note, [("s", f"{n:04}") for n in range(500)]),
        "parallel": lambda: session.scan(Note).parallel(4).page_size(5),
    }

    async def main() -> None:
        await session.save_all(map(note, range(200)))
        left = {"pages": 3, "many": 101}.get(how, 25)
        async for _ in iterables[how]():
            left -= 1
            if left == 0:
                assert others()
                break
        for _ in range(3):
            await asyncio.sleep(0)
        assert others() == set()

    asyncio.run(main())


def test_an_iterator_goes_on_after_a_timeout(session: AsyncSession, client: MemoryClient):
    """Neither an item twice nor one left out, wherever it was cancelled."""

    async def main(step: int) -> int:
        await session.save_all(map(note, range(50)))
        client.steps = 0
        found = []
        each = session.query(Note).where(Note.shelf == "s").page_size(10).__aiter__()
        while True:
            task = asyncio.ensure_future(anext_(each))
            client.at_step = lambda number: number == step and task.cancel()  # noqa: B023
            try:
                found.append(await task)
            except asyncio.CancelledError:
                continue
            except StopAsyncIteration:
                break
        assert found == [note(number) for number in range(50)]
        return client.steps

    steps = asyncio.run(main(0))
    for step in range(1, steps):
        asyncio.run(main(step))


@pytest.mark.parametrize("how", ["many", "parallel"])
def test_streams_of_several_requests_go_on_after_a_timeout(
    session: AsyncSession, client: MemoryClient, how: str
):
    async def main(step: int) -> int:
        await session.save_all(map(note, range(120)))
        client.steps = 0
        stream: Any = session.scan(Note).parallel(3).page_size(25)
        if how == "many":
            stream = session.get_many(Note, [("s", f"{n:04}") for n in range(250)])
        found = []
        each = stream.__aiter__()
        while True:
            task = asyncio.ensure_future(anext_(each))
            client.at_step = lambda number: number == step and task.cancel()  # noqa: B023
            try:
                found.append(await task)
            except asyncio.CancelledError:
                continue
            except StopAsyncIteration:
                break
        assert sorted(each.id for each in found) == [f"{n:04}" for n in range(120)]
        if how == "many":
            assert len(stream.missing) == 130
        return client.steps

    steps = asyncio.run(main(0))
    for step in range(1, steps, 2):
        asyncio.run(main(step))


def test_two_tasks_do_not_share_an_iterator(session: AsyncSession):
    async def main() -> None:
        await session.save_all(map(note, range(3)))
        each = session.scan(Note).__aiter__()
        task = asyncio.create_task(anext_(each))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task waits for this iterator"):
            await anext_(each)
        assert await task == note(0)

    asyncio.run(main())


def test_an_iterator_can_be_closed(session: AsyncSession):
    async def main() -> None:
        await session.save_all(map(note, range(50)))
        async with contextlib.aclosing(session.scan(Note).page_size(10).pages()) as pages:
            await anext_(pages)
            await anext_(pages)
            assert others()
        for _ in range(3):
            await asyncio.sleep(0)
        assert others() == set()
        assert await iter_(pages) == []

    asyncio.run(main())


def test_an_error_of_a_page_that_nobody_wants_is_not_logged(
    session: AsyncSession, client: MemoryClient, caplog: pytest.LogCaptureFixture
):
    async def main() -> None:
        await session.save_all(map(note, range(50)))
        count = 0
        async for _ in session.scan(Note).page_size(10):
            count += 1
            if count == 15:
                client.at_step = lambda step: 1 // 0
            if count == 19:
                for _ in range(5):
                    await asyncio.sleep(0)
                break
        gc.collect()

    asyncio.run(main())

    assert caplog.records == []


def test_a_query_has_no_truth_value_and_no_synchronous_loop(session: AsyncSession):
    query = session.query(Note)

    with pytest.raises(TypeError, match="no truth value"):
        bool(query)
    with pytest.raises(TypeError):
        list(query)  # type: ignore[call-overload]


def test_a_cursor_made_by_one_kind_of_session_is_the_others(session: AsyncSession):
    """Cursors are made of keys and of the query, not of who asked."""

    async def main() -> str:
        await session.save_all(map(note, range(20)))
        page = await session.query(Note).where(Note.shelf == "s").page(7)
        assert page.cursor
        return page.cursor

    cursor = asyncio.run(main())
    credentials = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    sync = Session(client=boto3.client("dynamodb", region_name="us-east-1", **credentials))
    explained = sync.query(Note).where(Note.shelf == "s").after(cursor).explain()
    sync.close()

    assert "'ExclusiveStartKey'" not in explained
    query = session.query(Note).where(Note.shelf == "s").after(cursor)
    assert asyncio.run(query.first()) == note(7)  # type: ignore[arg-type]


# --- The session ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"concurrency": 0}, "AsyncSession: concurrency=0: a positive int"),
        ({"deadline": 5}, "AsyncSession: deadline=5: a timedelta"),
        ({"cursor_secret": ""}, "AsyncSession: cursor_secret is empty"),
        ({"client": object(), "region_name": "x"}, "client is given, so region_name would"),
        ({"aiobotocore_session": object(), "profile_name": "x"}, "profile_name would be ignored"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str):
    with pytest.raises(ModelError, match=message):
        AsyncSession(**arguments)


def test_a_client_of_the_other_kind_is_refused():
    credentials = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    client = boto3.client("dynamodb", region_name="us-east-1", **credentials)

    with pytest.raises(ModelError, match=r"client is boto3's, for dynattrs\.Session"):
        AsyncSession(client=client)
    client.close()


def test_a_client_that_was_not_entered_is_refused():
    @contextlib.asynccontextmanager
    async def creating() -> Any:
        yield

    with pytest.raises(ModelError, match="write `async with"):
        AsyncSession(client=creating())


def test_a_closed_session_says_so(session: AsyncSession):
    async def main() -> None:
        async with session.batch() as batch:
            with pytest.raises(SessionClosed, match="still open"):
                await session.close()
            await batch.save(note(1))
        await session.close()
        await session.close()
        with pytest.raises(SessionClosed):
            await session.save(note(2))
        with pytest.raises(SessionClosed):
            async with session:
                raise AssertionError
        with pytest.raises(SessionClosed):
            await iter_(session.scan(Note))

    asyncio.run(main())


def test_a_session_cannot_be_pickled(session: AsyncSession):
    with pytest.raises(TypeError, match="AsyncSession holds connections"):
        pickle.dumps(session)


def test_what_is_not_awaited_does_nothing(session: AsyncSession, client: MemoryClient):
    async def main() -> None:
        with pytest.warns(RuntimeWarning, match="never awaited"):
            session.save(note(1))  # type: ignore[unused-coroutine]

    asyncio.run(main())

    assert client.requests == []


def test_a_missing_item_is_the_same_error(session: AsyncSession):
    async def main() -> None:
        with pytest.raises(NoSuchItem):
            await session.get_one(Note, ("s", "x"))
        assert await session.get(Note, ("s", "x")) is None

    asyncio.run(main())


def test_the_deadline_is_a_timedelta(client: MemoryClient):
    assert AsyncSession(client=client, deadline=timedelta(seconds=1))._core.deadline.seconds == 1


def test_eager_tasks_change_nothing(client: MemoryClient):
    """Python 3.12 can run a task at once, up to where it first waits."""
    if not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("asyncio.eager_task_factory is of Python 3.12")
    session = AsyncSession(client=client, concurrency=2)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        async with session.batch() as batch:
            await asyncio.gather(*(batch.save(note(number)) for number in range(200)))
        assert len(await session.query(Note).where(Note.shelf == "s").page_size(7).all()) == 200
        assert others() == set()

    asyncio.run(main())


def test_dynattrs_imports_neither_aiobotocore_nor_asyncio_sessions():
    code = "import sys, dynattrs; print([m for m in sys.modules if 'aio' in m])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "aiobotocore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiobotocore", None)

    with pytest.raises(MissingExtra, match=r"pip install 'dynattrs\[aio\]'"):
        AsyncSession(region_name="us-east-1")
    assert ConfigurationError  # what is missing in the configuration is told with the first request
