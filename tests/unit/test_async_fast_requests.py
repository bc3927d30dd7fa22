"""The short way under asyncio: what it sends and what comes of it is as on aiobotocore's own way."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import warnings
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynattrs import (
    AccessDenied,
    ConditionFailed,
    CorruptReply,
    OutcomeUnknown,
    Throttled,
    add,
    model,
    partition_key,
    set_,
)
from dynattrs.operations.flows import Call
from odd_http import ITEM
from scripted_server import HANG_UP, SILENCE, Received, ScriptedServer, failure, reply, serving

pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")

import aiobotocore.client
import aiobotocore.endpoint
import aiobotocore.httpsession
import aiobotocore.signers
import botocore.auth
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import get_session
from botocore import UNSIGNED

from dynattrs.aio import AsyncSession
from dynattrs.wire.async_client import AsyncWire

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG"


@model("things")
class Thing:
    id: str = partition_key()
    data: bytes = b""
    count: int = 0


FOUND = Thing("a", b"\x00\x01\x02", 7)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving() as server:
        yield server


@contextlib.asynccontextmanager
async def client_of(
    server: ScriptedServer, attempts: int = 1, session: Any = None, **options: Any
) -> AsyncIterator[Any]:
    if session is None:
        session = get_session()
        session.set_credentials(ACCESS, SECRET)
    given = {"retries": {"mode": "standard", "total_max_attempts": attempts}, **options}
    async with session.create_client(
        "dynamodb", region_name="us-east-1", endpoint_url=server.url, config=AioConfig(**given)
    ) as client:
        yield client


async def learned(client: Any, server: ScriptedServer) -> AsyncSession:
    """A session that has seen the requests that the tests make, and has forgotten to count them."""
    session = AsyncSession(client=client)
    await session.get(Thing, "a")
    await session.save(Thing("a"))
    await session.update(Thing, "a", set_(Thing.count, 1), upsert=True, returns=None)
    server.received.clear()
    assert session.stats.direct == 0
    return session


# --- What is sent, and what comes back ------------------------------------------------------------


def test_after_the_first_call_of_an_operation_the_machinery_is_left_out(server: ScriptedServer):
    server.answer = lambda _: reply(ITEM)

    async def main() -> None:
        async with client_of(server) as client:
            session = AsyncSession(client=client)
            assert [await session.get(Thing, "a") for _ in range(3)] == [FOUND] * 3
            assert session.stats.requests == {"GetItem": 3}
            assert session.stats.direct == 2
            assert server.connections == 1

    asyncio.run(main())


def test_what_is_sent_is_what_aiobotocore_sends(server: ScriptedServer):
    async def main() -> None:
        async with client_of(server) as client:
            session = AsyncSession(client=client)
            for _ in range(2):
                await session.save(Thing("é\U0001f600", b"\xff"))
                change = set_(Thing.data, b"\x01"), add(Thing.count, 2)
                await session.update(Thing, "a", *change, returns=None, upsert=True)
                await session.save_all([Thing("a"), Thing("b")])
                await session.delete(Thing, "a")
                await session.scan(Thing).all()
                assert [each async for each in session.get_many(Thing, ["a", "b"])] == []
            assert session.stats.direct == 6

    asyncio.run(main())

    by_operation: dict[tuple[str, bytes], list[Received]] = {}
    for each in server.received:
        key = each.operation, json.dumps(each.parameters, sort_keys=True).encode()
        by_operation.setdefault(key, []).append(each)
    assert len(by_operation) == 6
    for ordinary, direct in by_operation.values():
        assert sorted(direct.order) == sorted(ordinary.order)
        differing = {"authorization", "amz-sdk-invocation-id", "x-amz-date", "content-length"}
        for name in set(direct.order) - differing:
            assert direct.headers[name] == ordinary.headers[name]
    for each in server.received:
        assert each.headers["authorization"] == each.signature(ACCESS, SECRET)
    assert len({each.headers["amz-sdk-invocation-id"] for each in server.received}) == 12


def test_the_response_has_the_metadata_that_aiobotocore_gives(server: ScriptedServer):
    server.answer = lambda _: reply(ITEM)

    async def main() -> None:
        async with client_of(server, attempts=3) as client:
            wire = AsyncWire(client, None)
            call = Call("get_item", {"TableName": "things", "Key": {"id": {"S": "a"}}})
            ordinary, direct = await wire.call(call), await wire.call(call)
            assert wire.stats.direct == 1
            # Older versions keep the names of headers as the server writes them.
            for response in (ordinary, direct):
                headers = response["ResponseMetadata"]["HTTPHeaders"]
                response["ResponseMetadata"]["HTTPHeaders"] = {
                    name.lower(): value for name, value in headers.items()
                }
            assert direct == ordinary

    asyncio.run(main())


def test_tasks_get_their_own_replies_and_no_more_connections_than_are_allowed(
    server: ScriptedServer,
):
    async def main() -> None:
        async with client_of(server, max_pool_connections=5) as client:
            session = await learned(client, server)
            server.answer = lambda request: reply({"Item": request.parameters["Key"]})
            found = await asyncio.gather(*(session.get(Thing, f"t{n}") for n in range(200)))
            assert found == [Thing(f"t{n}") for n in range(200)]
            assert session.stats.direct == 200
            assert server.connections <= 5

    asyncio.run(main())


def test_the_client_is_not_changed(server: ScriptedServer):
    async def main() -> None:
        async with client_of(server) as client:
            parts = client, client._endpoint, client._endpoint.http_session
            before = [dict(vars(each)) for each in parts]
            handlers = client.meta.events._emitter._lookup_cache
            session = await learned(client, server)
            await session.get(Thing, "a")
            assert session.stats.direct == 1
            assert [vars(each) for each in parts] == before
            assert client.meta.events._emitter._lookup_cache is handlers

    asyncio.run(main())


def test_a_session_with_a_client_of_its_own_goes_the_short_way_too(server: ScriptedServer):
    made = get_session()
    made.set_credentials(ACCESS, SECRET)
    session = AsyncSession(
        aiobotocore_session=made, region_name="us-east-1", endpoint_url=server.url
    )

    async def main() -> None:
        await session.get(Thing, "a")
        await session.get(Thing, "a")
        await session.close()

    asyncio.run(main())

    assert session.stats.direct == 1


def test_a_large_body_is_sent_without_a_warning(server: ScriptedServer):
    things = [Thing(f"t{n}", b"x" * 100_000) for n in range(8)]

    async def main() -> None:
        async with client_of(server) as client:
            session = AsyncSession(client=client)
            await session.save_all([Thing("a"), Thing("b")])
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                await session.save_all(things)
            assert session.stats.direct == 1
            assert len(server.received[-1].body) > 512 * 1024

    asyncio.run(main())


def test_a_large_body_tells_how_the_next_requests_are_made(server: ScriptedServer):
    things = [Thing(f"t{n}", b"x" * 100_000) for n in range(8)]

    async def main() -> None:
        async with client_of(server) as client:
            session = AsyncSession(client=client)
            await session.save_all(things)
            await session.save_all(things)
            assert session.stats.direct == 1
            assert server.received[-1].body == server.received[-2].body

    asyncio.run(main())


# --- Not taken ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    ["provide-client-params", "before-call", "request-created", "before-send", "needs-retry",
     "response-received", "after-call"],
)  # fmt: skip
def test_a_handler_of_somebodys_gets_every_call_while_it_is_there(
    server: ScriptedServer, event: str
):
    heard: list[str] = []

    def handler(event_name: str, **_: Any) -> None:
        heard.append(event_name)

    async def main() -> None:
        async with client_of(server) as client:
            session = await learned(client, server)
            client.meta.events.register(f"{event}.dynamodb.GetItem", handler)
            await session.get(Thing, "a")
            await session.get(Thing, "a")
            assert len(heard) == 2
            assert session.stats.direct == 0
            client.meta.events.unregister(f"{event}.dynamodb.GetItem", handler)
            await session.get(Thing, "a")
            await session.get(Thing, "a")
            assert len(heard) == 2
            assert session.stats.direct == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (aiobotocore.client.AioBaseClient, "_make_api_call"),
        (aiobotocore.endpoint.AioEndpoint, "_send_request"),
        (aiobotocore.endpoint.AioEndpoint, "_send"),
        (aiobotocore.httpsession.AIOHTTPSession, "send"),
        (aiobotocore.signers.AioRequestSigner, "sign"),
        (botocore.auth.SigV4Auth, "add_auth"),
    ],
)
def test_functions_that_were_replaced_get_every_call(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
):
    original = getattr(owner, name)
    calls: list[str] = []

    def replaced(self: Any, *args: Any, **options: Any) -> Any:
        calls.append(name)
        return original(self, *args, **options)

    async def main() -> None:
        async with client_of(server) as client:
            session = await learned(client, server)
            await session.get(Thing, "a")
            assert session.stats.direct == 1
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, replaced)
                await session.get(Thing, "a")
            assert session.stats.direct == 1
            assert calls or name == "_send"  # a twin has kept the one that was there

    asyncio.run(main())


@pytest.mark.parametrize(
    "options", [{"retries": {"mode": "adaptive"}}, {"signature_version": UNSIGNED}]
)
def test_clients_that_are_set_up_otherwise_stay_with_aiobotocore(
    server: ScriptedServer, options: dict[str, Any]
):
    async def main() -> None:
        async with client_of(server, **options) as client:
            session = AsyncSession(client=client)
            for _ in range(3):
                await session.get(Thing, "a")
            assert session.stats.direct == 0
            assert session.stats.total == 3

    asyncio.run(main())


def test_an_http_session_of_somebodys_gets_every_request(server: ScriptedServer):
    sent: list[str] = []

    class Recording(aiobotocore.httpsession.AIOHTTPSession):
        async def send(self, request: Any) -> Any:
            sent.append(request.url)
            return await super().send(request)

    async def main() -> None:
        async with client_of(server, http_session_cls=Recording) as client:
            session = AsyncSession(client=client)
            for _ in range(3):
                await session.get(Thing, "a")
            assert session.stats.direct == 0
            assert len(sent) == 3

    asyncio.run(main())


def test_without_fast_every_call_is_aiobotocores(server: ScriptedServer):
    async def main() -> None:
        async with client_of(server) as client:
            session = AsyncSession(client=client, fast=False)
            await session.get(Thing, "a")
            await session.get(Thing, "a")
            assert session.stats.direct == 0

    asyncio.run(main())


def test_an_aiobotocore_that_is_built_differently_gets_one_warning(server: ScriptedServer):
    async def main() -> None:
        async with client_of(server) as client:
            signer, client._request_signer = client._request_signer, object()
            with pytest.warns(RuntimeWarning, match="built differently"):
                session = AsyncSession(client=client)
            session._driver.wire._ways._sender._request_signer = signer
            await session.get(Thing, "a")
            await session.get(Thing, "a")
            assert session.stats.direct == 0

    asyncio.run(main())


# --- Credentials ----------------------------------------------------------------------------------


def test_renewed_credentials_sign_from_then_on(server: ScriptedServer):
    made: list[str] = []

    async def refresh() -> dict[str, str]:
        made.append(f"AKID{len(made)}")
        until = datetime.now(timezone.utc) + timedelta(hours=1)
        return {
            "access_key": made[-1], "secret_key": f"secret{made[-1]}", "token": f"token{made[-1]}",
            "expiry_time": until.isoformat(),
        }  # fmt: skip

    async def main() -> None:
        credentials = AioRefreshableCredentials.create_from_metadata(
            await refresh(), refresh_using=refresh, method="test"
        )
        session = get_session()
        session._credentials = credentials
        async with client_of(server, session=session) as client:
            mapped = await learned(client, server)
            await mapped.get(Thing, "a")
            credentials._expiry_time = datetime.now(timezone.utc)
            await mapped.get(Thing, "a")
            assert mapped.stats.direct == 2

    asyncio.run(main())

    assert made == ["AKID0", "AKID1"]
    for each, key in zip(server.received, made, strict=True):
        assert each.headers["x-amz-security-token"] == f"token{key}"
        assert each.headers["authorization"] == each.signature(key, f"secret{key}")


# --- Failures -------------------------------------------------------------------------------------

FALSE = failure("ConditionalCheckFailedException", Item={"id": {"S": "a"}})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (FALSE, ConditionFailed),
        (failure("ProvisionedThroughputExceededException"), Throttled),
        (failure("UnrecognizedClientException"), AccessDenied),
        (HANG_UP, OutcomeUnknown),
        (SILENCE, OutcomeUnknown),
    ],
)
def test_errors_are_aiobotocores_and_no_attempt_is_added(
    server: ScriptedServer, answer: Any, error: type[Exception]
):
    async def main() -> None:
        async with client_of(server, read_timeout=0.3) as client:
            session = await learned(client, server)
            server.answer = lambda _: answer
            with pytest.raises(error):
                await session.save(Thing("a"), when=Thing.count == 1)
            assert len(server.received) == 1
            server.answer = lambda _: reply(ITEM)
            assert await session.get(Thing, "a") == FOUND
            assert session.stats.direct == 1

    asyncio.run(main())


@pytest.mark.parametrize("first", [HANG_UP, failure("InternalServerError", 500)])
def test_aiobotocore_repeats_what_passes(server: ScriptedServer, first: Any):
    async def main() -> None:
        async with client_of(server, attempts=2) as client:
            session = await learned(client, server)
            answers = [first, reply(ITEM)]
            server.answer = lambda _: answers.pop(0)
            assert await session.get(Thing, "a") == FOUND
            attempts = [each.headers["amz-sdk-request"] for each in server.received]
            assert [each[:9] for each in attempts] == ["attempt=1", "attempt=2"]
            assert session.stats.retries == 1
            assert session.stats.direct == 0

    asyncio.run(main())


def test_an_update_that_must_not_be_repeated_is_not(server: ScriptedServer):
    async def main() -> None:
        async with client_of(server, attempts=3) as client:
            session = await learned(client, server)
            server.answer = lambda _: HANG_UP
            with pytest.raises(OutcomeUnknown):
                await session.update(Thing, "a", add(Thing.count, 1), upsert=True, returns=None)
            assert len(server.received) == 1

    asyncio.run(main())


def test_a_damaged_reply_is_asked_for_again_and_in_the_end_an_error(server: ScriptedServer):
    damaged = reply(ITEM, x_amz_crc32="1")

    async def main() -> None:
        async with client_of(server) as client:
            session = await learned(client, server)
            answers: list[Any] = [damaged, reply(ITEM)]
            server.answer = lambda _: answers.pop(0)
            assert await session.get(Thing, "a") == FOUND
            assert len(server.received) == 2
            server.answer = lambda _: damaged
            with pytest.raises(CorruptReply):
                await session.get(Thing, "a")

    asyncio.run(main())


@pytest.mark.parametrize("theirs", [False, True])
def test_a_write_that_is_cancelled_without_an_answer_is_in_doubt(
    server: ScriptedServer, theirs: bool
):
    """Over a connection of ours, and where aiohttp sends it."""

    async def main() -> None:
        async with client_of(server) as client:
            session = await learned(client, server)
            if theirs:
                fast: Any = session._driver.wire._ways._fast  # type: ignore[union-attr]
                fast._connections = None
            asked, loop = asyncio.Event(), asyncio.get_running_loop()

            def silent(_: Received) -> Any:
                loop.call_soon_threadsafe(asked.set)
                return SILENCE

            server.answer = silent
            saving = asyncio.create_task(session.save(Thing("a")))
            await asked.wait()
            saving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await saving
            assert session.stats.uncertain == 1

    asyncio.run(main())


def test_a_call_that_is_cancelled_leaves_no_half_read_connection(server: ScriptedServer):
    async def main() -> None:
        async with client_of(server) as client:
            session = await learned(client, server)
            server.answer = lambda _: SILENCE
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(session.get(Thing, "a"), 0.1)
            server.answer = lambda _: reply(ITEM)
            assert await session.get(Thing, "a") == FOUND
            assert len({each.connection for each in server.received}) == 2
            connector = next(iter(client._endpoint.http_session._sessions.values())).connector
            assert len(connector._acquired) == 1  # the one that is kept for the next call

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        gc.collect()


@pytest.mark.filterwarnings("ignore:aiobotocore's httpx backend:DeprecationWarning")
def test_httpx_is_sent_over_as_well(server: ScriptedServer):
    pytest.importorskip("httpx")
    module = pytest.importorskip("aiobotocore.httpxsession", reason="an older aiobotocore")
    server.answer = lambda _: reply(ITEM)

    async def main() -> None:
        async with client_of(server, http_session_cls=module.HttpxSession) as client:
            session = AsyncSession(client=client)
            for _ in range(3):
                assert await session.get(Thing, "a") == FOUND
            assert session.stats.direct == 2

    asyncio.run(main())
