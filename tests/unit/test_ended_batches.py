"""Nothing of a batch that has ended stays in memory: not the batch, nor what its frames held."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import Awaitable, Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from dynattrs import Batch, Progress, Session, UnsentWrites, model, partition_key
from dynattrs.aio import AsyncSession
from dynattrs.session.any_session import AnyBatch
from memory_client import MemoryClient


@model("notes")
class Note:
    id: str = partition_key()


@model("missing")
class Lost:
    id: str = partition_key()


class Payload:
    """What the frame around a batch holds, such as the body of a request."""


@pytest.fixture(autouse=True, scope="module")
def no_old_objects():
    """Garbage collections look through what these tests make, and not through all that there is."""
    gc.collect()
    gc.freeze()


def alive(kind: type[Any]) -> int:
    gc.collect()
    return sum(isinstance(each, kind) for each in gc.get_objects())


# --- Under asyncio ------------------------------------------------------------------------------


class Refusing(MemoryClient):
    """Knows one table only."""

    async def batch_write_item(self, **request: Any) -> dict[str, Any]:
        if "missing" in request["RequestItems"]:
            raise self.error("ResourceNotFoundException", "BatchWriteItem")
        return await super().batch_write_item(**request)

    @staticmethod
    def error(code: str, operation: str) -> Exception:
        from botocore.exceptions import ClientError

        return ClientError({"Error": {"Code": code, "Message": code}}, operation)


async def ends(session: AsyncSession) -> None:
    payload = Payload()
    async with session.batch() as batch:
        await batch.save(Note("a"))


async def fails(session: AsyncSession) -> None:
    payload = Payload()
    async with session.batch() as batch:
        await batch.save(Note("a"))
        raise ValueError("the body has failed")


async def is_refused(session: AsyncSession) -> None:
    payload = Payload()
    async with session.batch() as batch:
        await batch.save(Lost("a"))


async def is_refused_in_the_middle(session: AsyncSession) -> None:
    payload = Payload()
    async with session.batch() as batch:
        for number in range(100):
            await batch.save(Lost(str(number)))
            await asyncio.sleep(0)


async def waits(session: AsyncSession) -> None:
    payload = Payload()
    async with session.batch() as batch:
        for number in range(30):
            await batch.save(Note(str(number)))
        await asyncio.sleep(10)


async def saves_many(session: AsyncSession) -> None:
    payload = Payload()
    await session.save_all(Note(str(number)) for number in range(60))


async def is_never_ended(session: AsyncSession) -> None:
    payload = Payload()
    batch = await session.batch().__aenter__()
    await batch.save(Note("a"))


@pytest.mark.parametrize("turns", [None, 1, 4], ids=lambda each: f"cancelled_{each}")
@pytest.mark.parametrize(
    "program",
    [ends, fails, is_refused, is_refused_in_the_middle, waits, saves_many, is_never_ended],
    ids=lambda each: each.__name__,
)
def test_a_task_that_had_a_batch_is_freed_however_it_has_ended(
    program: Callable[[AsyncSession], Awaitable[None]],
    turns: int | None,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(100, "dynattrs")  # which would keep what it logs

    batches, payloads = alive(AnyBatch), alive(Payload)

    async def main() -> None:
        session = AsyncSession(client=Refusing(notes=("id",)))
        for _ in range(3):
            task = asyncio.ensure_future(program(session))
            if turns is not None or program is waits:
                for _ in range(turns or 3):
                    await asyncio.sleep(0)
                task.cancel()
            await asyncio.wait([task])
            task.cancelled() or task.exception()
            del task
        await asyncio.sleep(0)

        assert alive(AnyBatch) == batches
        assert alive(Payload) == payloads
        await session.close()

    asyncio.run(main())


# --- In threads ---------------------------------------------------------------------------------


class Service:
    """Knows one table only, and answers where botocore would send."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
        )
        self.client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        known = "missing" not in json.loads(request.body)["RequestItems"]
        response = AWSResponse(request.url, 200 if known else 400, {}, None)
        response._content = b"{}" if known else b'{"__type": "x#ResourceNotFoundException"}'
        return response


def thread_ends(session: Session, kept: list[Batch]) -> None:
    payload = Payload()
    with session.batch() as batch:
        kept.append(batch)
        batch.save(Note("a"))


def thread_fails(session: Session, kept: list[Batch]) -> None:
    payload = Payload()
    with session.batch() as batch:
        kept.append(batch)
        batch.save(Note("a"))
        raise ValueError("the body has failed")


def thread_is_interrupted(session: Session, kept: list[Batch]) -> None:
    payload = Payload()
    with session.batch() as batch:
        kept.append(batch)
        for number in range(60):
            batch.save(Note(str(number)))
        raise KeyboardInterrupt


def thread_is_refused(session: Session, kept: list[Batch]) -> None:
    payload = Payload()
    with session.batch() as batch:
        kept.append(batch)
        for number in range(200):
            batch.save(Lost(str(number)))


def thread_complains(session: Session, kept: list[Batch]) -> None:
    payload = Payload()

    def complaining(progress: Progress) -> None:
        raise ValueError(progress)

    with session.batch(on_progress=complaining) as batch:
        kept.append(batch)
        batch.save(Note("a"))


@pytest.mark.parametrize("keeping", [False, True], ids=["forgotten", "kept"])
@pytest.mark.parametrize(
    "program",
    [thread_ends, thread_fails, thread_is_interrupted, thread_is_refused, thread_complains],
    ids=lambda each: each.__name__,
)
def test_what_the_frames_around_an_ended_batch_held_is_freed_also_where_the_batch_is_kept(
    program: Callable[[Session, list[Batch]], None],
    keeping: bool,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(100, "dynattrs")
    batches, payloads = alive(AnyBatch), alive(Payload)
    service = Service()
    session = Session(client=service.client)
    kept: list[Batch] = []
    for _ in range(3):
        with contextlib.suppress(ValueError, KeyboardInterrupt, UnsentWrites):
            program(session, kept)
    assert len(kept) == 3
    if not keeping:
        kept.clear()

    assert alive(AnyBatch) == batches + len(kept)
    assert alive(Payload) == payloads
    session.close()


def test_a_batch_of_a_session_that_was_closed_is_freed_as_well():
    batches = alive(AnyBatch)
    session = Session(client=Service().client)

    def program() -> None:
        with pytest.raises(UnsentWrites), session.batch() as batch:
            batch.save(Note("a"))
            session._closed = "session"

    program()

    assert alive(AnyBatch) == batches
