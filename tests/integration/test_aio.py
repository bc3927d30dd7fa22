"""An `AsyncSession` over aiobotocore: its connections, its event loop, its wire."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import dynattrs
from dynattrs import (
    ConfigurationError,
    ConnectionFailed,
    UnsentWrites,
    model,
    partition_key,
    sort_key,
)

import engines

pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from dynattrs.aio import AsyncSession


@model("notes")
class Note:
    shelf: str = partition_key()
    id: int = sort_key()
    text: str = ""


@pytest.fixture
def made(client: Any, client_arguments: dict[str, Any], table_prefix: str) -> Callable[..., Any]:
    """A function that makes sessions for the engine; the table is there."""
    with_boto3 = dynattrs.Session(client=client, table_prefix=table_prefix)
    with_boto3.tables.create(Note)
    with_boto3.close()
    client.close()  # its connections are not to be counted

    def make(**options: Any) -> AsyncSession:
        arguments = dict(client_arguments)
        session = get_session()
        session.set_credentials(
            arguments.pop("aws_access_key_id"), arguments.pop("aws_secret_access_key")
        )
        config = AioConfig(**arguments.pop("config")._user_provided_options)
        if "config" in options:
            config = config.merge(options.pop("config"))
        arguments |= {"config": config, "table_prefix": table_prefix, **options}
        return AsyncSession(aiobotocore_session=session, **arguments)

    return make


def notes(count: int, text: str = "") -> list[Note]:
    return [Note("s", number, text) for number in range(count)]


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


_others: set[str] = set()


@pytest.fixture(autouse=True)
def _sockets_of_others() -> None:
    """Sessions of other tests may be open, and send to the same embedded engine."""
    _others.clear()
    _others.update(sockets())


def sockets() -> set[str]:
    """The sockets that this process has open."""
    found = set()
    if Path("/proc/self/fd").exists():
        for each in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(each.readlink()))
    return found


def connections(session: Any) -> int:
    """How many connections a test has made, and not closed, to where a session sends."""
    opened = session._driver.wire.opened
    assert opened is not None
    port = urlsplit(opened.client.meta.endpoint_url).port
    if not Path("/proc/net/tcp").exists():
        pytest.skip("open connections are counted where there is /proc")
    mine = sockets() - _others
    found = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        remote, state, inode = fields[2], fields[3], fields[9]
        established = state == "01" and int(remote.partition(":")[2], 16) == port
        found += established and f"socket:[{inode}]" in mine
    return found


# --- Connections ----------------------------------------------------------------------------------


def test_a_closed_session_leaves_no_connection_open(made: Callable[..., AsyncSession]):
    async def main() -> None:
        session = made()
        async with session.batch() as batch:
            await batch.save_all(notes(200))
        assert len(await session.query(Note).where(Note.shelf == "s").all()) == 200
        opened = session._driver.wire.opened
        assert connections(session) > 0
        await session.close()
        session._driver.wire.opened = opened
        assert connections(session) == 0
        assert others() == set()

    asyncio.run(main())


def test_a_session_that_nobody_closes_goes_with_its_connections_and_without_a_warning(
    made: Callable[..., AsyncSession], recwarn: pytest.WarningsRecorder
):
    """A program that forgets to close it is warned of nothing."""

    async def main() -> None:
        async def program() -> None:
            session = made()
            async with session.batch() as batch:
                await batch.save(Note("s", 1))
            assert connections(session) == 1

        await program()
        gc.collect()
        await asyncio.sleep(0.01)
        session = made()
        await session.client
        assert connections(session) == 0
        await session.close()

        async def again() -> None:
            await made().save(Note("s", 2))

        await again()

    asyncio.run(main())
    gc.collect()

    assert [each for each in recwarn if issubclass(each.category, ResourceWarning)] == []


@pytest.mark.full
def test_a_cancelled_request_gives_its_connection_back(
    made: Callable[..., AsyncSession], faults: engines.Faults
):
    async def main() -> None:
        session = made(endpoint_url=faults.endpoint)
        await session.save(Note("s", 1))
        faults.set({"operation": "GetItem", "latency": 400})
        task = asyncio.create_task(session.get(Note, ("s", 1)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        assert connections(session) == 0
        faults.clear()
        assert await session.get(Note, ("s", 1)) == Note("s", 1)
        await session.close()
        assert others() == set()

    asyncio.run(main())


@pytest.mark.full
@pytest.mark.parametrize("limit", [None, 7])
def test_as_many_connections_are_opened_as_callers_need_and_the_configuration_allows(
    made: Callable[..., AsyncSession], faults: engines.Faults, limit: int | None
):
    """aiobotocore's own limit is 10, which would make a hundred readers wait for each other."""
    config = {} if limit is None else {"config": AioConfig(max_pool_connections=limit)}

    async def main() -> int:
        session = made(endpoint_url=faults.endpoint, **config)
        await session.save(Note("s", 1))
        faults.set({"operation": "GetItem", "latency": 400})
        reading = asyncio.gather(*(session.get(Note, ("s", 1)) for _ in range(60)))
        opened = 0
        while not reading.done():
            opened = max(opened, connections(session))
            await asyncio.sleep(0.02)
        assert await reading == [Note("s", 1)] * 60
        await session.close()
        return opened

    opened = asyncio.run(main())

    assert opened == limit if limit else opened > 30


def test_a_timeout_inside_a_batch_reports_what_may_not_be_stored(
    made: Callable[..., AsyncSession], faults: engines.Faults, client: Any, table_prefix: str
):
    async def main() -> tuple[BaseException, AsyncSession]:
        session = made(endpoint_url=faults.endpoint, concurrency=2)
        faults.set({"operation": "BatchWriteItem", "latency": 2000})
        written = notes(60)
        with pytest.raises(asyncio.TimeoutError) as caught:

            async def batch() -> None:
                async with session.batch() as batch:
                    for each in written:
                        await batch.save(each)

            await asyncio.wait_for(batch(), 0.3)
        assert others() == set()
        faults.clear()
        await session.close()
        return caught.value, session

    error, _ = asyncio.run(main())

    chain = []
    each: BaseException | None = error
    while each is not None:
        chain.append(each)
        each = each.__cause__ or each.__context__
    unsent = {note.id for each in chain if isinstance(each, UnsentWrites) for note in each.objects}
    found = client.scan(TableName=f"{table_prefix}notes", ConsistentRead=True)["Items"]
    # Whatever save() took; the rest was never given to it.
    assert unsent | {int(item["id"]["N"]) for item in found} >= set(range(25))


# --- Event loops ----------------------------------------------------------------------------------


async def program(session: AsyncSession) -> None:
    async with session.batch() as batch:
        await asyncio.gather(*(batch.save(each) for each in notes(80)))
    found = [note async for note in session.query(Note).where(Note.shelf == "s").page_size(9)]
    assert found == notes(80)
    async with session.transaction() as t:
        t.save(Note("t", 1))
    await session.close()


def test_it_runs_on_uvloop(made: Callable[..., AsyncSession]):
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(program(made()))
    finally:
        loop.close()


def test_it_runs_under_anyio_whose_cancellation_goes_on_until_the_scope_has_ended(
    made: Callable[..., AsyncSession], faults: engines.Faults
):
    anyio = pytest.importorskip("anyio")

    async def main() -> None:
        session = made(endpoint_url=faults.endpoint)
        faults.set({"operation": "BatchWriteItem", "latency": 1000})
        unsent: list[UnsentWrites] = []
        with anyio.move_on_after(0.2):
            try:
                async with session.batch() as batch:
                    for each in notes(60):
                        await batch.save(each)
            except BaseException as error:
                context = error.__context__
                while context is not None and not isinstance(context, UnsentWrites):
                    context = context.__context__
                assert context is not None
                unsent.append(context)
                raise
        faults.clear()
        # What has not been acknowledged is named: the batches in flight, and what waited for them.
        assert 25 <= len(unsent[0].objects) <= 60
        assert others() == set()

        async with anyio.create_task_group() as group:
            group.start_soon(program, session)

    anyio.run(main, backend="asyncio")


def test_a_session_belongs_to_one_event_loop_while_that_is_open(made: Callable[..., AsyncSession]):
    session = made()
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        first.run_until_complete(session.save(Note("s", 1)))
        with pytest.raises(ConfigurationError, match="another event loop, which is still open"):
            second.run_until_complete(session.get(Note, ("s", 1)))
        first.run_until_complete(session.close())
    finally:
        first.close()
        second.close()


@pytest.mark.filterwarnings("ignore:aiobotocore.s httpx backend")
def test_it_runs_on_httpx(made: Callable[..., AsyncSession]):
    pytest.importorskip("httpx")
    httpx_session = pytest.importorskip("aiobotocore.httpxsession").HttpxSession

    asyncio.run(program(made(config=AioConfig(http_session_cls=httpx_session))))


# --- The wire -------------------------------------------------------------------------------------


def test_replies_take_the_fast_way_and_the_client_is_unchanged(made: Callable[..., AsyncSession]):
    async def main() -> None:
        session = made()
        client = await session.client
        opened = session._driver.wire.opened
        assert opened is not None
        assert opened.ways is not None
        sender, _ = opened.ways.of("get_item")
        assert sender is not client
        assert type(sender._endpoint._response_parser_factory).__name__ == "_ParserFactory"
        await session.save(Note("s", 1, "x"))
        reply = await client.get_item(
            TableName=f"{session._core.table_prefix}notes",
            Key={"shelf": {"S": "s"}, "id": {"N": "1"}},
        )
        assert reply["Item"]["text"] == {"S": "x"}
        slow = made(fast=False)
        assert await slow.get(Note, ("s", 1)) == Note("s", 1, "x")
        await slow.close()
        await session.close()

    asyncio.run(main())


def test_a_truncated_reply_is_asked_for_again(
    made: Callable[..., AsyncSession], faults: engines.Faults, request: pytest.FixtureRequest
):
    async def main() -> None:
        session = made(endpoint_url=faults.endpoint)
        await session.save(Note("s", 1, "x"))
        faults.truncate("GetItem", 1, fraction=0.6)
        found = await session.get(Note, ("s", 1))
        assert found == Note("s", 1, "x")
        assert faults.fired
        await session.close()

    if "embedded" in request.node.name:
        pytest.skip("the embedded engine sends no CRC32")
    asyncio.run(main())


def test_a_connection_that_breaks_after_sending_is_not_taken_for_one_that_was_refused(
    made: Callable[..., AsyncSession], faults: engines.Faults
):
    """aiobotocore has one error for both; only of the second it is sure that nothing was done."""

    async def main() -> None:
        session = made(endpoint_url=faults.endpoint)
        faults.reset("PutItem", 1)
        with pytest.raises(ConnectionFailed) as caught:
            await session.save(Note("s", 1))
        assert caught.value.uncertain
        await session.close()
        nobody = made(endpoint_url="http://127.0.0.1:9")
        with pytest.raises(ConnectionFailed) as caught:
            await nobody.save(Note("s", 1))
        assert not caught.value.uncertain
        await nobody.close()

    asyncio.run(main())


def test_a_batch_of_many_megabytes_is_sent_without_a_warning(made: Callable[..., AsyncSession]):
    async def main() -> None:
        session = made()
        await session.save_all(notes(25, "x" * 100_000))
        assert await session.query(Note).where(Note.shelf == "s").count() == 25
        await session.close()

    asyncio.run(main())


def test_what_is_missing_in_the_configuration_is_told_with_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)

    async def main() -> None:
        session = AsyncSession()
        with pytest.raises(ConfigurationError, match="no AWS region"):
            await session.get(Note, ("s", 1))
        await session.close()
        with pytest.raises(ConfigurationError, match="nobody"):
            await AsyncSession(profile_name="nobody", region_name="us-east-1").get(Note, ("s", 1))

    asyncio.run(main())


# --- Both kinds of session ------------------------------------------------------------------------


def test_cursors_are_for_both_kinds_of_session(
    made: Callable[..., AsyncSession], client: Any, table_prefix: str
):
    with_threads = dynattrs.Session(client=client, table_prefix=table_prefix, cursor_secret="s")
    with_threads.save_all(notes(30))
    page = with_threads.query(Note).where(Note.shelf == "s").page(11)

    async def rest(cursor: str | None) -> str | None:
        session = made(cursor_secret="s")
        second = await session.query(Note).where(Note.shelf == "s").after(cursor).page(11)
        assert list(second) == notes(30)[11:22]
        await session.close()
        return second.cursor

    cursor = asyncio.run(rest(page.cursor))
    last = with_threads.query(Note).where(Note.shelf == "s").after(cursor).page(11)
    with_threads.close()

    assert list(last) == notes(30)[22:]


def test_requests_run_beside_each_other(made: Callable[..., AsyncSession], faults: engines.Faults):
    """With 200 ms for each, one after the other would take ten seconds."""

    async def main() -> float:
        session = made(endpoint_url=faults.endpoint)
        await session.save(Note("s", 1))
        faults.set({"operation": "GetItem", "latency": 200})
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(session.get(Note, ("s", 1)) for _ in range(50)))
        took = loop.time() - began
        await session.close()
        return took

    assert asyncio.run(main()) < 5


@pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup is of Python 3.11")
def test_a_task_group_that_fails_leaves_nothing_running(
    made: Callable[..., AsyncSession], faults: engines.Faults
):
    async def main() -> None:
        session = made(endpoint_url=faults.endpoint)
        faults.set({"latency": 100})

        async def write(number: int) -> None:
            async with session.batch() as batch:
                for each in notes(30):
                    await batch.save(each)
                if number == 3:
                    raise ZeroDivisionError

        with pytest.raises(ExceptionGroup) as caught:  # noqa: F821 - Python 3.11
            async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
                for number in range(6):
                    group.create_task(write(number))
        assert caught.value.split(ZeroDivisionError)[0] is not None
        assert others() == set()
        assert not session._batches
        faults.clear()
        await session.close()

    asyncio.run(main())
