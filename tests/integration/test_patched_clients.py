"""What a test puts in the place of a client's methods is called, on each of the ways of a session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, Mock, patch

import botocore.client
import pytest

import dynattrs
from dynattrs import ConfigurationError, ServiceError, model, partition_key
from dynattrs.testing.worlds import Access, AsyncClients, Clients

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from integration.conftest import Endpoint


@model("things")
class Thing:
    id: str = partition_key()


MOCKED = {"Item": {"id": {"S": "mocked"}}}
STEP = "botocore.client.BaseClient._make_api_call"


@pytest.fixture
def access(endpoint: Endpoint) -> Access:
    names = ("access_key_id", "secret_access_key")
    return Access(endpoint.url, *(endpoint.credentials[f"aws_{name}"] for name in names))


@pytest.fixture(params=[True, False], ids=["fast", "ordinary"])
def session(
    request: pytest.FixtureRequest, access: Access, table_prefix: str
) -> Iterator[dynattrs.Session]:
    """A session that has sent one request of each kind, so that it could send others the fast way."""
    with dynattrs.Session(
        boto3_session=Clients(access), table_prefix=table_prefix, fast=request.param
    ) as made:
        made.tables.create(Thing)
        made.save(Thing("1"))
        made.save_all([Thing("1")])
        made.get(Thing, "1")
        yield made


def stored(session: dynattrs.Session) -> int:
    return session.scan(Thing).consistent().count()


def test_methods_of_the_client_itself(session: dynattrs.Session):
    with patch.object(session.client, "put_item") as put:
        with patch.object(session.client, "batch_write_item") as batch:
            session.save(Thing("2"))
            session.save_all([Thing("3"), Thing("4")])
    with patch.object(session.client, "get_item", return_value=MOCKED):
        assert session.get(Thing, "1") == Thing("mocked")

    # Right after another one, on the same client.
    with patch.object(session.client, "delete_item") as delete:
        session.delete(Thing, "1")

    counts = put.call_count, batch.call_count, delete.call_count
    assert (counts, stored(session)) == ((1, 1, 1), 1)
    assert put.call_args.kwargs["Item"] == {"id": {"S": "2"}}


def test_methods_of_the_clients_class(session: dynattrs.Session):
    with patch.object(type(session.client), "get_item", return_value=MOCKED):
        assert session.get(Thing, "1") == Thing("mocked")
    with patch.object(type(session.client), "put_item") as put:
        session.save(Thing("2"))

    assert (put.call_count, stored(session)) == (1, 1)


@pytest.mark.parametrize("of", ["class", "client"])
def test_the_step_that_all_calls_take(session: dynattrs.Session, of: str):
    seen = []

    def answer(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        seen.append((name, sorted(parameters)))
        return MOCKED if name == "GetItem" else {}

    replaced = Mock(side_effect=answer)
    patched = (
        patch(STEP, replaced)
        if of == "class"
        else patch.object(session.client, "_make_api_call", replaced)
    )
    with patched:
        assert session.get(Thing, "1") == Thing("mocked")
        session.save(Thing("2"))
        session.save_all([Thing("3")])

    assert [name for name, _ in seen] == ["GetItem", "PutItem", "BatchWriteItem"]
    assert stored(session) == 1


def test_a_function_that_looks_and_calls_the_real_one(session: dynattrs.Session):
    """As moto's documentation shows it, for operations that it does not know."""
    real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    seen = []

    def look(self: Any, name: str, parameters: dict[str, Any]) -> Any:
        seen.append(name)
        return real(self, name, parameters)

    with patch(STEP, new=look):
        session.save(Thing("2"))
        with session.batch() as batch:
            batch.save(Thing("3"))

    assert seen == ["PutItem", "BatchWriteItem"]
    assert stored(session) == 3


def test_a_mock_that_gives_no_response_is_told(session: dynattrs.Session):
    with patch.object(session.client, "get_item"):
        with pytest.raises(ServiceError, match=r"a mock takes it as return_value=\{\.\.\.\}"):
            session.get(Thing, "1")


# --- asyncio --------------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["fast", "ordinary"])
def run(
    request: pytest.FixtureRequest, access: Access, table_prefix: str
) -> Callable[[Callable[[Any, Any], Awaitable[None]]], None]:
    """Runs a coroutine function with such an `AsyncSession` and its client."""
    pytest.importorskip("aiobotocore")
    from dynattrs.aio import AsyncSession

    maker = AsyncClients(access)

    async def running(function: Callable[[Any, Any], Awaitable[None]]) -> None:
        async with AsyncSession(
            aiobotocore_session=maker, table_prefix=table_prefix, fast=request.param
        ) as made:
            await made.tables.create(Thing)
            await made.save(Thing("1"))
            await made.get(Thing, "1")
            await function(made, await made.client)

    return lambda function: asyncio.run(running(function))


@pytest.mark.parametrize("kind", [Mock, AsyncMock])
@pytest.mark.parametrize("of", ["class", "client"])
def test_methods_of_an_awaited_client(run: Any, kind: Any, of: str):
    """A mock of such a method is not a coroutine function, unless the test makes it one."""

    async def test(session: Any, client: Any) -> None:
        owner = type(client) if of == "class" else client
        with patch.object(owner, "get_item", kind(return_value=MOCKED)):
            assert await session.get(Thing, "1") == Thing("mocked")
        with patch.object(owner, "put_item", kind(return_value={})) as put:
            await session.save(Thing("2"))
        assert (put.call_count, await session.scan(Thing).count()) == (1, 1)

    run(test)


def test_the_step_that_all_awaited_calls_take(run: Any):
    async def test(session: Any, client: Any) -> None:
        with patch(
            "aiobotocore.client.AioBaseClient._make_api_call", AsyncMock(return_value=MOCKED)
        ):
            assert await session.get(Thing, "1") == Thing("mocked")
        assert await session.get(Thing, "1") == Thing("1")

    run(test)


@pytest.mark.parametrize("new", [Mock(return_value={}), lambda self, name, parameters: {}])
def test_the_step_that_awaited_calls_do_not_take_is_refused(run: Any, new: Any):
    async def test(session: Any, client: Any) -> None:
        with patch(STEP, new):
            with pytest.raises(
                ConfigurationError, match=r"patch aiobotocore\.client\.AioBaseClient"
            ):
                await session.save(Thing("2"))
        assert await session.scan(Thing).count() == 1

    run(test)
