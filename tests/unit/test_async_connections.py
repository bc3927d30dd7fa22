"""aiohttp's connections, spoken to by a protocol of our own: each as clean as before, or closed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import random
import ssl
import sys
import threading
import time
import types
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

import pytest

import odd_http
from certificates import loopback_pem, old_server_side, server_side
from dynattrs import (
    ConnectionFailed,
    OutcomeUnknown,
    SessionClosed,
    UnsentWrites,
    add,
    model,
    partition_key,
    set_,
)
from odd_http import ITEM
from scripted_server import HANG_UP, SILENCE, ScriptedServer, failure, reply, serving

pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import get_session

from dynattrs.aio import AsyncSession
from dynattrs.wire.async_connections import Places
from dynattrs.wire.fast_requests import in_pieces

#: For tests of what TLS does in another way.
tls_too = pytest.mark.parametrize("server", [False, True], indirect=True, ids=["plain", "tls"])
#: The same where each takes about a second.
tls_too_in_full = pytest.mark.parametrize(
    "server",
    [False, pytest.param(True, marks=pytest.mark.full)],
    indirect=True,
    ids=["plain", "tls"],
)


@model("things")
class Thing:
    id: str = partition_key()
    data: bytes = b""
    count: int = 0


FOUND = Thing("a", b"\x00\x01\x02", 7)

Main = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    with serving(server_side() if getattr(request, "param", False) else None) as server:
        yield server


def on_asyncio(main: Main) -> None:
    asyncio.run(main())


def on_uvloop(main: Main) -> None:
    loop = pytest.importorskip("uvloop").new_event_loop()
    try:
        loop.run_until_complete(main())
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()


@pytest.fixture(
    params=[on_asyncio, pytest.param(on_uvloop, marks=pytest.mark.full)], ids=["asyncio", "uvloop"]
)
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Main], None]]:
    """Runs a coroutine on an event loop; what it leaves open is an error, once it is collected."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield request.param


@contextlib.asynccontextmanager
async def learned(
    server: ScriptedServer, attempts: int = 1, verify: Any = None, **options: Any
) -> AsyncIterator[tuple[AsyncSession, Any]]:
    """A session that has seen the requests that the tests make, and has forgotten them; its client."""
    made = get_session()
    made.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG")
    limit = options.pop("call_timeout", None)
    given = {"retries": {"mode": "standard", "total_max_attempts": attempts}, **options}
    async with made.create_client(
        "dynamodb", region_name="us-east-1", endpoint_url=server.url,
        verify=loopback_pem() if verify is None and server.is_secured else verify,
        config=AioConfig(**given),
    ) as client:  # fmt: skip
        session = AsyncSession(client=client, call_timeout=limit)
        await session.get(Thing, "a")
        await session.save(Thing("a"))
        await session.update(Thing, "a", set_(Thing.count, 1), upsert=True, returns=None)
        await session.save_all([Thing("a"), Thing("b")])
        server.received.clear()
        yield session, client


def connector_of(client: Any) -> Any:
    (http,) = client._endpoint.http_session._sessions.values()
    return http.connector


async def all_given_back(client: Any) -> None:
    """Wait until aiohttp has all connections again: they are kept for a moment, and no longer."""
    await _until(lambda: not connector_of(client)._acquired)


# --- Replies --------------------------------------------------------------------------------------


@tls_too
def test_replies_are_read_in_whatever_pieces_they_come(server: ScriptedServer, run: Any):
    async def main() -> None:
        async with learned(server) as (session, _):
            for case in odd_http.WHOLE:
                for size in odd_http.SIZES:
                    server.script = [odd_http.in_pieces(case.values[0], size)]
                    assert await session.get(Thing, "a") == FOUND, (case.id, size)
            assert session.stats.direct == len(server.received)
            assert len({each.connection for each in server.received}) == 1

    run(main)


@tls_too
def test_a_connection_that_is_not_to_be_used_again_is_not(server: ScriptedServer, run: Any):
    async def main() -> None:
        async with learned(server) as (session, _):
            for case in odd_http.LAST_ONES:
                server.script = [case.values[0]]
                assert await session.get(Thing, "a") == FOUND
                assert await session.get(Thing, "a") is None
                last, new = [each.connection for each in server.received[-2:]]
                assert last != new, case.id
            assert session.stats.direct == len(server.received)

    run(main)


def test_what_is_no_http_is_a_lost_connection(server: ScriptedServer, run: Any):
    async def main() -> None:
        async with learned(server) as (session, _):
            for whole in odd_http.NO_HTTP:
                server.script = [whole]
                with pytest.raises(ConnectionFailed) as caught:
                    await session.save(Thing("a"))
                assert caught.value.uncertain
                server.script = [whole]
                with pytest.raises(ConnectionFailed) as caught:
                    await session.get(Thing, "a")
                assert not caught.value.uncertain  # a read changes nothing
                assert await session.get(Thing, "a") is None  # over a new connection
            assert len(server.received) == 3 * len(odd_http.NO_HTTP)

    run(main)


@tls_too
def test_a_reply_that_only_the_end_of_its_connection_ends_is_read(server: ScriptedServer, run: Any):
    whole = reply(ITEM, Content_Length=None)

    async def main() -> None:
        async with learned(server) as (session, _):
            server.script = [[whole[:150], whole[150:], HANG_UP]]
            assert await session.get(Thing, "a") == FOUND
            assert await session.get(Thing, "a") is None
            assert session.stats.direct == 2

    run(main)


@tls_too
def test_what_comes_between_two_requests_is_not_taken_for_a_reply(server: ScriptedServer, run: Any):
    """A reply too many, such as one that a proxy made up, would be that of the next request."""
    after = threading.Event()

    def too_many() -> Iterator[bytes]:
        yield reply(ITEM)
        after.wait()
        yield reply({"Item": {"id": {"S": "wrong"}}})
        yield reply({"Item": {"id": {"S": "wrong"}}})

    async def main() -> None:
        async with learned(server) as (session, _):
            server.script = [too_many()]
            assert await session.get(Thing, "a") == FOUND
            after.set()
            await asyncio.sleep(0.05)
            assert await session.get(Thing, "a") is None
            assert len({each.connection for each in server.received}) == 2

    run(main)


@pytest.mark.parametrize("entry", [HANG_UP, failure("InternalServerError", 500)])
def test_what_must_not_be_sent_again_is_sent_once(server: ScriptedServer, run: Any, entry: Any):
    async def main() -> None:
        async with learned(server, attempts=3) as (session, _):
            server.script = [entry]
            with pytest.raises(OutcomeUnknown):
                await session.update(Thing, "a", add(Thing.count, 1), upsert=True, returns=None)
            assert len(server.received) == 1

    run(main)


@tls_too
def test_a_connection_that_was_closed_while_idle_is_opened_again(server: ScriptedServer, run: Any):
    async def main() -> None:
        async with learned(server) as (session, _):
            await session.get(Thing, "a")
            server.hang_up()
            await asyncio.sleep(0.05)
            await session.save(Thing("a"))
            assert session.stats.direct == 2
            assert len({each.connection for each in server.received}) == 2

    run(main)


def test_where_there_is_no_server_any_more_nothing_was_sent(server: ScriptedServer, run: Any):
    async def main() -> None:
        async with learned(server) as (session, _):
            server.close()
            await asyncio.sleep(0.05)
            with pytest.raises(ConnectionFailed) as caught:
                await session.save(Thing("a"))
            assert not caught.value.uncertain

    run(main)


# --- Connections that are kept --------------------------------------------------------------------


async def their_get(client: Any) -> None:
    """Use the same client without the session."""
    found = await client.get_item(TableName="things", Key={"id": {"S": "a"}})
    assert found["Item"]["count"] == {"N": "7"}


def test_a_connection_is_kept_from_one_request_to_the_next(
    server: ScriptedServer, run: Any, monkeypatch: pytest.MonkeyPatch
):
    asked: list[object] = []

    async def main() -> None:
        async with learned(server) as (session, client):
            connector = connector_of(client)
            connect = connector.connect
            monkeypatch.setattr(
                connector,
                "connect",
                lambda *given, **named: asked.append(given) or connect(*given, **named),
            )
            until = time.monotonic() + 0.5  # longer than an idle one is kept
            while time.monotonic() < until:
                await session.get(Thing, "a")
            assert len(asked) == 1
            await session.close()  # the client stays open, and has all of them
            assert not connector._acquired
            await their_get(client)
            assert len({each.connection for each in server.received}) == 1

    server.answer = lambda _: reply(ITEM)
    run(main)


def test_the_only_connection_is_there_for_others_too(server: ScriptedServer, run: Any):
    async def main() -> None:
        async with learned(server, max_pool_connections=1) as (session, client):
            await session.get(Thing, "a")
            await asyncio.wait_for(their_get(client), 5)
            over = asyncio.Event()

            async def busy() -> None:
                while not over.is_set():
                    assert await session.get(Thing, "a") == FOUND

            task = asyncio.ensure_future(busy())
            await asyncio.sleep(0.01)
            for _ in range(5):
                await asyncio.wait_for(their_get(client), 5)
            over.set()
            await task
            assert len({each.connection for each in server.received}) == 1
            await all_given_back(client)

    server.answer = lambda _: reply(ITEM)
    run(main)


def test_another_event_loop_gives_back_what_is_kept_and_does_not_close_it(
    server: ScriptedServer, run: Any
):
    """As in a forked process, where closing it would take it from the parent's event loop."""

    async def main() -> None:
        async with learned(server) as (session, client):
            await session.get(Thing, "a")
            fast = session._driver.wire._ways._fast  # type: ignore[union-attr]
            assert fast is not None
            assert fast._connections is not None
            other = asyncio.new_event_loop()
            try:
                assert fast._connections._idle(f"{server.url}/", other) is None
            finally:
                other.close()
            assert not connector_of(client)._acquired
            await session.get(Thing, "a")
            assert len({each.connection for each in server.received}) == 1

    run(main)


@tls_too
def test_what_has_come_in_unasked_for_ends_a_connection_that_is_kept(
    server: ScriptedServer, run: Any
):
    after = threading.Event()

    def too_many() -> Iterator[bytes]:
        yield reply(ITEM)
        after.wait()
        yield reply(ITEM)[:40]

    async def main() -> None:
        async with learned(server) as (session, client):
            server.script = [too_many()]
            assert await session.get(Thing, "a") == FOUND
            after.set()
            await asyncio.sleep(0.05)
            await all_given_back(client)
            await their_get(client)
            assert len({each.connection for each in server.received}) == 2

    server.answer = lambda _: reply(ITEM)
    run(main)


def test_a_client_that_is_closed_closes_what_is_kept(server: ScriptedServer, run: Any):
    """And nothing is said of it: its owner need not know of the session."""

    async def main() -> None:
        async with learned(server) as (session, client):
            await asyncio.gather(*(session.get(Thing, "a") for _ in range(5)))
            connector = connector_of(client)
            assert connector._acquired
        await asyncio.sleep(0.05)
        del session, client, connector
        gc.collect()
        for thread in server._threads:
            thread.join(5)
            assert not thread.is_alive()

    run(main)
    gc.collect()


# --- Time -----------------------------------------------------------------------------------------


@tls_too_in_full
def test_the_read_timeout_begins_anew_with_each_piece(server: ScriptedServer, run: Any):
    whole = reply(ITEM)

    def dripping() -> Iterator[bytes]:
        for start in range(0, len(whole), 60):
            time.sleep(0.1)
            yield whole[start : start + 60]

    async def main() -> None:
        async with learned(server, read_timeout=0.25) as (session, client):
            server.script = [dripping()]
            assert await session.get(Thing, "a") == FOUND
            server.script = [[whole[:60], SILENCE], SILENCE]
            server.script[0] = lambda _: stuck(whole[:60])
            for _ in range(2):
                began = time.monotonic()
                with pytest.raises(ConnectionFailed):
                    await session.get(Thing, "a")
                assert 0.2 < time.monotonic() - began < 2
            await all_given_back(client)
            assert session.stats.direct == 1

    def stuck(piece: bytes) -> Iterator[bytes]:
        yield piece
        time.sleep(0.6)

    run(main)


def test_each_of_many_requests_has_a_read_timeout_of_its_own(server: ScriptedServer, run: Any):
    async def main() -> None:
        async with learned(server, read_timeout=0.3) as (session, _):
            server.answer = lambda _: SILENCE
            began = time.monotonic()
            ended: list[float] = []

            async def get(after: float) -> None:
                await asyncio.sleep(after)
                with pytest.raises(ConnectionFailed):
                    await session.get(Thing, "a")
                ended.append(time.monotonic() - began - after)

            await asyncio.gather(*(get(number * 0.1) for number in range(6)))
            assert all(0.25 < each < 1.5 for each in ended)

    run(main)


@tls_too_in_full
def test_a_call_timeout_ends_what_drips(server: ScriptedServer, run: Any):
    def dripping() -> Iterator[bytes]:
        for byte in reply(ITEM):
            time.sleep(0.02)
            yield bytes([byte])

    async def main() -> None:
        limit = timedelta(seconds=1)
        async with learned(server, call_timeout=limit) as (session, client):
            server.script = [dripping()]
            with pytest.raises(ConnectionFailed, match="call_timeout"):
                await session.get(Thing, "a")
            assert await session.get(Thing, "a") is None
            await all_given_back(client)

    run(main)


@tls_too
def test_a_large_request_may_take_longer_than_each_part_of_it(server: ScriptedServer, run: Any):
    async def main() -> None:
        async with learned(server, read_timeout=0.3) as (session, client):
            # Before much has gone over the connection, for which it would have made more room.
            await all_given_back(client)
            server.slow_down(0.012, *socks_of(client))
            for count in (1, 1, 6):
                async with session.transaction() as t:
                    for number in range(count):
                        t.save(Thing(f"t{number}", bytes(290_000)))
            assert len(server.received) == 3
            assert session.stats.direct == 2

    def socks_of(client: Any) -> list[Any]:
        idle = [each for kept in connector_of(client)._conns.values() for each, _ in kept]
        return [each.transport.get_extra_info("socket") for each in idle]

    run(main)


@tls_too
def test_a_server_that_answers_before_it_has_read_all_is_not_used_again(
    server: ScriptedServer, run: Any
):
    """What of the request is still on its way would be the beginning of the next one."""
    over = threading.Event()

    def early() -> Iterator[bytes]:
        yield reply()
        over.wait()
        raise OSError

    async def main() -> None:
        async with learned(server) as (session, client):
            connections = session._driver.wire._ways._fast._connections  # type: ignore[union-attr]
            request = session._driver.wire._ways._fast._maker.request(  # type: ignore[union-attr]
                "get_item",
                {"TableName": "things", "Key": {}},
                await credentials(client),
                time.time(),
            )
            assert request is not None
            assert connections is not None
            assert connections.can_reach(request.url)
            # The server reads of it what its length says, and no more.
            server.script = [early()]
            pieces = in_pieces(b" " * 30_000_000)
            raw = (*request.raw(), *pieces)
            long: Any = types.SimpleNamespace(pattern=request.pattern, raw=lambda: raw)
            received = await connections.send(long, Attempts())
            assert received.status == 200
            over.set()
            await session.save(Thing("a"))
            assert len({each.connection for each in server.received}) == 2

    async def credentials(client: Any) -> Any:
        return await client._request_signer._credentials.get_frozen_credentials()

    from dynattrs.wire.attempts import Attempts

    run(main)
    gc.collect()


# --- How many, and in which order -----------------------------------------------------------------


def test_who_came_first_is_served_first_where_connections_are_scarce(
    server: ScriptedServer, run: Any
):
    progress = dict.fromkeys(range(8), 0)

    async def main() -> None:
        async with learned(server, max_pool_connections=1) as (session, _):
            server.answer = lambda request: reply({"Item": request.parameters["Key"]})

            async def work(number: int) -> None:
                for step in range(12):
                    key = f"{number}-{step}"
                    assert await session.get(Thing, key) == Thing(key)
                    progress[number] += 1
                    # aiohttp gives a connection to who has just given it back.
                    assert max(progress.values()) - min(progress.values()) <= 1

            await asyncio.gather(*map(work, progress))
            assert session.stats.direct == 96

    run(main)

    assert server.connections == 1


def test_requests_that_go_aiobotocores_way_have_their_turn_too(server: ScriptedServer, run: Any):
    """Others that begin anew all the time must not keep an operation's first request from being sent."""

    async def main() -> None:
        async with learned(server, max_pool_connections=2) as (session, _):
            over = False

            async def hog() -> None:
                while not over:
                    await session.get(Thing, "a")

            hogs = [asyncio.ensure_future(hog()) for _ in range(6)]
            await asyncio.sleep(0.05)
            await asyncio.wait_for(session.delete(Thing, "a"), 2)
            over = True
            await asyncio.gather(*hogs)
            assert server.connections == 2

    run(main)


def test_places_are_handed_on_in_the_order_of_those_who_wait():
    async def main() -> None:
        places = Places(2)
        assert [places.take() for _ in range(3)] == [True, True, False]
        order: list[int] = []

        async def wait(number: int) -> None:
            await places.wait()
            order.append(number)

        waiting = [asyncio.ensure_future(wait(number)) for number in range(5)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        places.leave()
        assert not places.take()  # it is that of the first one
        waiting[2].cancel()
        await asyncio.sleep(0)
        places.leave()
        waiting[3].cancel()  # it has just been given a place, and leaves it to the next one
        await asyncio.sleep(0.01)
        assert order == [0, 4]
        places.leave()
        places.leave()
        assert [places.take() for _ in range(3)] == [True, True, False]

    asyncio.run(main())


# --- Cancelled ------------------------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2))
def test_a_storm_of_cancellations_mixes_up_no_replies_and_loses_no_connection(
    server: ScriptedServer, run: Any, seed: int
):
    chance = random.Random(seed)

    def answer(request: Any) -> Any:
        whole = reply({"Item": request.parameters["Key"]})
        kind = chance.random()
        if kind < 0.05:
            return HANG_UP
        if kind < 0.1:
            return [whole[:40], HANG_UP]
        if kind < 0.3:
            return slowly(whole)
        return whole

    def slowly(whole: bytes) -> Iterator[bytes]:
        for start in range(0, len(whole), 80):
            time.sleep(0.002)
            yield whole[start : start + 80]

    async def main() -> None:
        async with learned(server, max_pool_connections=4) as (session, client):
            server.answer = answer
            right = 0

            async def get(number: int) -> None:
                nonlocal right
                with contextlib.suppress(ConnectionFailed):
                    found = await session.get(Thing, f"t{number}")
                    assert found == Thing(f"t{number}")
                    right += 1

            for number in range(0, 300, 10):
                tasks = [asyncio.ensure_future(get(number + each)) for each in range(10)]
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(chance.random() * 0.004 if chance.random() < 0.5 else 0)
                    chance.choice(tasks).cancel()
                for each in await asyncio.gather(*tasks, return_exceptions=True):
                    assert each is None or isinstance(each, asyncio.CancelledError), each
            assert right > 100
            server.answer = lambda request: reply({"Item": request.parameters["Key"]})
            await asyncio.gather(*map(get, range(30)))
            fast = session._driver.wire._ways._fast  # type: ignore[union-attr]
            assert fast is not None
            assert fast._places is not None
            assert fast._connections is not None
            assert fast._places._free == 4
            assert not fast._connections._unanswered
            await all_given_back(client)

    run(main)
    gc.collect()


def test_a_session_that_is_closed_ends_what_is_under_way(server: ScriptedServer, run: Any):
    made = get_session()
    made.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG")

    async def main() -> None:
        config = AioConfig(retries={"total_max_attempts": 1})
        session = AsyncSession(
            aiobotocore_session=made,
            region_name="us-east-1",
            endpoint_url=server.url,
            config=config,
        )
        await session.get(Thing, "a")
        server.script = [SILENCE]
        task = asyncio.ensure_future(session.get(Thing, "a"))
        await asyncio.sleep(0.05)
        assert len(server.received) == 2
        await asyncio.wait_for(session.close(), 5)
        with pytest.raises(ConnectionFailed):
            await asyncio.wait_for(task, 5)

    run(main)
    gc.collect()


def test_a_session_goes_on_in_the_next_event_loop(server: ScriptedServer, run: Any):
    made = get_session()
    made.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG")
    session = AsyncSession(
        aiobotocore_session=made, region_name="us-east-1", endpoint_url=server.url
    )

    async def main() -> None:
        await asyncio.gather(*(session.get(Thing, "a") for _ in range(5)))
        await session.get(Thing, "a")

    async def last() -> None:
        await main()
        await session.close()

    with warnings.catch_warnings():
        # Connections of a loop that has gone are aiohttp's to complain of.
        warnings.simplefilter("ignore")
        run(main)
        run(main)
        run(last)
        gc.collect()
    assert session.stats.total == 18
    assert session.stats.direct >= 3


# --- The end of a session, and of its event loop ---------------------------------------------------


def unlearned(server: ScriptedServer, **options: Any) -> AsyncSession:
    """A session that makes its client itself."""
    made = get_session()
    made.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG")
    return AsyncSession(
        aiobotocore_session=made, region_name="us-east-1", endpoint_url=server.url, **options
    )


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(5000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("not in time")


@pytest.mark.parametrize("fast", [True, False])
def test_closing_waits_for_the_requests_under_way(server: ScriptedServer, run: Any, fast: bool):
    answering = threading.Event()

    def late(_: object) -> bytes:
        answering.wait(10)
        return reply({"Attributes": {"id": {"S": "a"}}})

    async def main() -> None:
        session = unlearned(server, fast=fast)
        await session.save(Thing("a"))
        server.answer = late
        calls = asyncio.gather(
            session.save(Thing("b")),
            session.get(Thing, "b"),
            session.update(Thing, "b", add(Thing.count, 1)),
        )
        await _until(lambda: len(server.received) == 4)
        closing = asyncio.create_task(session.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        with pytest.raises(SessionClosed):
            await session.save(Thing("c"))
        answering.set()
        await closing
        assert calls.done() or await calls
        assert calls.exception() is None
        assert len(server.received) == 4

    run(main)
    gc.collect()


def test_closing_that_is_cancelled_waits_no_longer(server: ScriptedServer, run: Any):
    async def main() -> None:
        session = unlearned(server)
        await session.get(Thing, "a")
        server.answer = lambda _: SILENCE
        call = asyncio.create_task(session.get(Thing, "a"))
        await _until(lambda: len(server.received) == 2)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.close(), 0.05)
        with pytest.raises(ConnectionFailed, match="closed"):
            await asyncio.wait_for(call, 5)

    run(main)
    gc.collect()


def test_closing_waits_for_the_first_calls_too(server: ScriptedServer, run: Any):
    async def main() -> None:
        session = unlearned(server)
        calls = [asyncio.create_task(session.save(Thing(each))) for each in "ab"]
        await asyncio.sleep(0)
        await session.close()
        assert await asyncio.gather(*calls) == [Thing("a"), Thing("b")]

    run(main)
    gc.collect()


@pytest.mark.parametrize("tls", [False, True])
def test_an_event_loop_that_is_over_leaves_no_connection(run: Any, tls: bool):
    with serving(server_side() if tls else None) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CA_BUNDLE", loopback_pem())
        session = unlearned(server)

        async def saves() -> None:
            for _ in range(3):
                await session.save(Thing("a"))

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for number in range(3):
                run(saves)
                for thread in server._threads[:number]:
                    thread.join(5)
                    assert not thread.is_alive()
            run(session.close)
            gc.collect()
        # uvloop says so itself when a loop is closed.
        said = [str(each.message) for each in caught]
        assert [each for each in said if not each.startswith("unclosed resource <TCP")] == []
        for thread in server._threads:
            thread.join(5)
            assert not thread.is_alive()


# --- How a client is set up -----------------------------------------------------------------------


def test_tls_is_the_clients(run: Any):
    large = {"Item": {"id": {"S": "a"}, "data": {"B": "AAEC"}, "padding": {"S": "x" * 300_000}}}

    async def main() -> None:
        with serving(server_side()) as server:
            async with learned(server) as (session, _):
                server.answer = lambda _: reply(large)
                for _ in range(3):
                    assert await session.get(Thing, "a") == Thing("a", b"\x00\x01\x02")
                await session.save_all(Thing(f"t{n}", b"x" * 300_000) for n in range(25))
                assert session.stats.direct == 4
                server.script = [HANG_UP]
                with pytest.raises(ConnectionFailed):
                    await session.get(Thing, "a")
            with pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED"):
                async with learned(server, verify=True):
                    pass

    run(main)


def test_a_refused_certificate_leaves_no_doubt_about_a_write(run: Any):
    async def main() -> None:
        with serving(server_side()) as server:
            made = get_session()
            made.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG")
            async with made.create_client(
                "dynamodb", region_name="us-east-1", endpoint_url=server.url,
                config=AioConfig(retries={"total_max_attempts": 1}),
            ) as client:  # fmt: skip
                session = AsyncSession(client=client)
                for writing in (
                    session.save(Thing("a")),
                    session.insert(Thing("a")),
                    session.update(Thing, "a", add(Thing.count, 1)),
                ):
                    with pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY") as caught:
                        await writing
                    assert not caught.value.uncertain
                assert session.stats.uncertain == 0

    run(main)


@pytest.mark.parametrize(
    "case", ["another host", "silence", "hanging up", "old", "no file", "no file of ours", "proxy"]
)
def test_what_fails_before_there_is_a_connection_leaves_no_doubt(run: Any, case: str):
    if case == "another host" and not hasattr(AIOHTTPSession, "_build_verify_context"):
        pytest.skip("this aiobotocore does not compare the names of hosts")
    another = loopback_pem("example.com")
    tls = {"old": old_server_side, "proxy": lambda: None}.get(case, server_side)()
    if case == "another host" and tls is not None:
        tls.load_cert_chain(another)
    own: Any = {"client_cert": "/none/such.pem"} if case == "no file of ours" else {}
    verify = {"no file": "/none/such.pem", "another host": another}.get(case, loopback_pem())

    async def main() -> None:
        with serving(tls) as server:
            server.handshake = {"silence": SILENCE, "hanging up": HANG_UP}.get(case)
            url = server.url.replace("http:", "https:")
            given = dict(own)
            if case == "proxy":  # it refuses to connect to the service
                server.answer = lambda _: reply(b"", 403)
                given = {"proxies": {"https": server.url}}
            config = AioConfig(retries={"total_max_attempts": 1}, connect_timeout=0.2, **given)
            made = get_session()
            made.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG")
            async with made.create_client(
                "dynamodb",
                region_name="us-east-1",
                endpoint_url=url,
                verify=verify,
                config=config,
            ) as client:
                session = AsyncSession(client=client)
                with pytest.raises(ConnectionFailed, match="nothing was sent"):
                    await session.update(Thing, "a", add(Thing.count, 1))
                assert session.stats.uncertain == 0

    run(main)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_that_ended_while_the_loop_was_busy_is_not_used(
    run: Any, tls: bool, fast: bool
):
    if tls and not fast and sys.version_info < (3, 11):
        pytest.skip("asyncio warns of TLS connections that aiohttp has dropped")

    async def main() -> None:
        with serving(server_side() if tls else None) as server:
            async with learned(server) as (own, client):
                session = own if fast else AsyncSession(client=client, fast=False)
                server.answer = lambda _: reply({"Attributes": {"id": {"S": "a"}}})
                for _ in range(3):
                    await session.update(Thing, "a", add(Thing.count, 1))
                    server.hang_up()
                    time.sleep(0.05)  # noqa: ASYNC251 - its end has come in, and the loop has not seen it
                assert len(server.received) == 3
                assert session.stats.uncertain == 0
                assert session.stats.direct == (3 if fast else 0)

    run(main)


def test_a_certificate_of_the_clients_is_shown(run: Any):
    async def main() -> None:
        with serving(server_side(verify_mode=ssl.CERT_REQUIRED)) as server:
            async with learned(server, verify=loopback_pem(), client_cert=loopback_pem()) as (
                session,
                _,
            ):
                await session.get(Thing, "a")
                assert session.stats.direct == 1

    run(main)


def test_a_proxy_is_spoken_to_by_aiohttp(server: ScriptedServer, run: Any):
    async def main() -> None:
        proxied, server.url = server.url, "http://service.invalid"
        async with learned(server, proxies={"http": proxied}) as (session, _):
            server.answer = lambda _: reply(ITEM)
            assert await session.get(Thing, "a") == FOUND
            assert session.stats.direct == 1
            assert [each.url for each in server.received] == ["http://service.invalid/"]
            assert "accept" in server.received[0].headers

    run(main)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "NO_PROXY"])
def test_proxies_are_those_of_the_environment(
    server: ScriptedServer, run: Any, monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    if variable == "NO_PROXY":
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def main() -> None:
        if variable == "HTTP_PROXY":
            with pytest.raises(ConnectionFailed):
                async with learned(server):
                    pass
            return
        async with learned(server) as (session, _):
            await session.get(Thing, "a")
            assert session.stats.direct == 1

    run(main)


def test_whoever_records_or_traces_aiohttps_requests_gets_each(
    server: ScriptedServer, run: Any, monkeypatch: pytest.MonkeyPatch
):
    seen: list[str] = []
    original = aiohttp.ClientSession._request

    @functools.wraps(original)
    async def recorded(self: Any, method: str, url: Any, **options: Any) -> Any:
        seen.append(method)
        return await original(self, method, url, **options)

    async def main() -> None:
        async with learned(server) as (session, _):
            with monkeypatch.context() as patch:
                patch.setattr(aiohttp.ClientSession, "_request", recorded)
                await session.get(Thing, "a")
                assert seen == ["POST"]
            await session.get(Thing, "a")
            assert seen == ["POST"]
            assert session.stats.direct == 2

    run(main)


def test_a_traced_http_session_sends_by_itself(server: ScriptedServer, run: Any):
    begun: list[str] = []
    traces = aiohttp.TraceConfig()

    async def begins(_: Any, __: Any, params: Any) -> None:
        begun.append(params.method)

    traces.on_request_start.append(begins)
    traces.freeze()

    async def main() -> None:
        async with learned(server) as (session, client):
            (http,) = client._endpoint.http_session._sessions.values()
            http._trace_configs.append(traces)
            fast = session._driver.wire._ways._fast  # type: ignore[union-attr]
            assert fast is not None
            assert fast._connections is not None
            fast._connections._patterns.clear()
            await session.get(Thing, "a")
            assert begun == ["POST"]
            assert session.stats.direct == 1

    run(main)


def test_connections_that_are_closed_after_each_request_are(server: ScriptedServer, run: Any):
    async def main() -> None:
        args = {"force_close": True, "keepalive_timeout": None}
        async with learned(server, connector_args=args) as (session, _):
            for _ in range(3):
                await session.get(Thing, "a")
            assert session.stats.direct == 3
            assert len({each.connection for each in server.received}) == 3

    run(main)


def test_batches_that_fail_midway_say_what_is_unsent(server: ScriptedServer, run: Any):
    things = [Thing(f"t{n}") for n in range(60)]

    async def main() -> None:
        async with learned(server) as (session, _):
            server.answer = lambda _: failure("AccessDeniedException")
            with pytest.raises(UnsentWrites) as caught:
                await session.save_all(things)
            assert len(caught.value.objects) == 60

    run(main)
