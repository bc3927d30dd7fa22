"""`AsyncSession`, which opens the connections and keeps the settings."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dynattrs.aio.driver import Driver
from dynattrs.aio.handles import AsyncHandle
from dynattrs.deferral import deferred
from dynattrs.errors import MissingExtra, ModelError
from dynattrs.models.hooks import Flushed
from dynattrs.models.model import M
from dynattrs.operations.writing import batch as gathered
from dynattrs.session.any_session import (
    AnyBatch,
    AnyMeasure,
    AnySession,
    core_of,
    limit_of,
    put_before,
)
from dynattrs.session.clients import check_client_options, check_other_client, is_awaited
from dynattrs.tracebacks import hidden
from dynattrs.wire.async_client import AsyncWire, release
from dynattrs.wire.boto_client import with_room

if TYPE_CHECKING:
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.schema.table import Table
    from dynattrs.streams import iterators
    from dynattrs.streams.iterators import AsyncChanges
    from dynattrs.streams.reading import Others
    from dynattrs.wire.local_engine import Lease
else:
    # Imported when changes are asked for.
    iterators = deferred("dynattrs.streams.iterators")

__tracebackhide__ = hidden

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
Self = TypeVar("Self", bound="AsyncSession")

#: Connections that a session keeps for callers besides its own batches.
_CONNECTIONS = 128


class AsyncBatch(AsyncHandle, AnyBatch):
    """A batch, which gathers the writes you make through it: `async with session.batch() as batch:`.

    Any number of tasks may use it. It begins and ends with its `async with` statement, and so do the
    tasks that it starts. It cannot be used again.
    """

    def __init__(
        self,
        session: AsyncSession | AsyncMeasure,
        on_progress: Callable[[Progress], object] | None,
        write_units: float | None = None,
    ) -> None:
        super().__init__(session, on_progress, write_units)
        if write_units is None:
            self._driver = session._driver.beside(session._driver.line)

    if not TYPE_CHECKING:  # checkers read the handle

        async def save(
            self, obj: M, *, when: bool | None = None, returning: bool = False
        ) -> M | None:
            # As `Batch.save`.
            refused = self._closed or self._session._closed or self._core.transactions
            if when is None and not returning and not refused:
                assert self._buffer is not None
                whole = gathered.hold_packed(self._core, self._buffer, obj)
                if whole:
                    await self._drive(gathered.send_whole(self._core, self._buffer))
                if whole is not None:
                    return obj
            return await super().save(obj, when=when, returning=returning)

    async def __aenter__(self) -> AsyncBatch:
        self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._check_begun()
        try:
            try:
                await self._drive(self._end(error))
            finally:
                self._driver.cancel()
                if not isinstance(error, GeneratorExit):  # a coroutine that is closed cannot wait
                    await self._driver.close()
        except BaseException as failure:
            await self._driver.run(self._left(failure, error))
            raise
        finally:
            self._over()


class AsyncSession(AsyncHandle, AnySession):
    """A connection to DynamoDB for asyncio: saves and reads objects, runs queries, creates tables.

    One session serves a whole program, in all tasks of one event loop. It writes each item at once;
    `async with session.batch() as batch:` gathers writes. It connects with the first request, and
    `async with AsyncSession() as session:` or `await session.close()` closes it.

    Args:
        client: An aiobotocore client to use as it is. Without it, the session makes one from
            *aiobotocore_session*, *region_name*, *profile_name*, *endpoint_url* and *config*.
        streams_client: An aiobotocore client for `dynamodbstreams`; see `Session`.
        s3_client: An aiobotocore client for `s3`, for fields with `InS3`; see `Session`.
        aiobotocore_session: The aiobotocore session that makes the client.
        region_name: The AWS region, as in boto3.
        profile_name: A profile of the AWS configuration.
        endpoint_url: The URL of another endpoint, such as DynamoDB Local.
        config: An `aiobotocore.config.AioConfig` or a `botocore.config.Config`. If it does not set the
            number of connections, the limit is 128 plus *concurrency*.
        table_prefix: A prefix for the declared name of every table. This and the following arguments are
            described in full in `Session`.
        tables: Real table names by declared name.
        concurrency: The most BatchWriteItem calls at once.
        deadline: How long batches, `get_many` and transactions are retried without any success, including
            botocore's retries. Calls still running then are waited for.
        call_timeout: The most time for one call, including its retries.
        cursor_secret: A secret that signs cursors. `Session` and `AsyncSession` can resume each other's
            cursors.
        clock: A function that returns the aware datetime for `created=True` and `updated=True` fields.
        on_progress: Called with a `Progress` after every response to the writes of a batch or a
            `save_all`, in the task that received it.
        fast: Parse replies without botocore's parser.
        before_save: Called with each object before it is saved. Hooks are ordinary functions and are not
            awaited.
        after_load: Called with each object that is read.
        after_flush: Called with a `Flushed` after gathered writes were sent.
        slow: Log a warning for each call that takes this long or longer, retries included.
        costly: Log a warning for each call that consumes this many capacity units or more.
        write_units: The most write capacity units a second.

    Raises:
        MissingExtra: The extra `dynattrs[aio]` is not installed.
    """

    def __init__(
        self,
        *,
        client: object = None,
        streams_client: object = None,
        s3_client: object = None,
        aiobotocore_session: object = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        config: object = None,
        table_prefix: str = "",
        tables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        deadline: timedelta = timedelta(seconds=60),
        call_timeout: timedelta | None = None,
        cursor_secret: str | bytes | None = None,
        clock: Callable[[], datetime] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        fast: bool = True,
        before_save: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
        after_load: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
        after_flush: Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]] = (),
        slow: timedelta | None = None,
        costly: float | None = None,
        write_units: float | None = None,
    ) -> None:
        options = {
            "aiobotocore_session": aiobotocore_session, "region_name": region_name,
            "profile_name": profile_name, "endpoint_url": endpoint_url, "config": config,
        }  # fmt: skip
        check_client_options("AsyncSession", client, options)
        if client is not None:
            _check_client(client)
        check_other_client("AsyncSession", "streams_client", streams_client, awaited=True)
        check_other_client("AsyncSession", "s3_client", s3_client, awaited=True)
        self._core = core_of(
            "AsyncSession", caller=_caller, cancellable=True, table_prefix=table_prefix,
            tables=tables, concurrency=concurrency, deadline=deadline,
            cursor_secret=cursor_secret, clock=clock, on_progress=on_progress,
            before_save=before_save, after_load=after_load, after_flush=after_flush,
        )  # fmt: skip
        limit = limit_of("AsyncSession", call_timeout)
        # Called when connections are closed.
        self._closing: list[Callable[[], object]] = []

        def opening() -> contextlib.AbstractAsyncContextManager[Any]:
            return _make_client(
                aiobotocore_session, profile_name, region_name, endpoint_url,
                _with_connections(config, _CONNECTIONS + concurrency),
            )  # fmt: skip

        if client is None:
            _import_aiobotocore()
        self._place = region_name, endpoint_url
        wire = AsyncWire(
            client, opening if client is None else None, fast=fast, events=self._core.events,
            limit=limit, streams=streams_client, s3=s3_client,
        )  # fmt: skip
        weakref.finalize(self, release, wire).atexit = False
        self._driver = Driver(wire)
        put_before(self._driver, "AsyncSession", slow, costly, write_units)
        self._buffer = None
        self._closed = None
        self._batches = weakref.WeakSet()

    def batch(
        self,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        write_units: float | None = None,
    ) -> AsyncBatch:
        self._check_open()
        return AsyncBatch(self, on_progress, write_units)

    def measure(self) -> AsyncMeasure:
        self._check_open()
        return AsyncMeasure(self)

    @overload
    def changes(
        self,
        a: type[A],
        /,
        *,
        start: datetime | str = ...,
        follow: bool = ...,
        until: datetime | None = ...,
        others: Others = ...,
    ) -> AsyncChanges[A]: ...
    @overload
    def changes(
        self,
        a: type[A],
        b: type[B],
        /,
        *,
        start: datetime | str = ...,
        follow: bool = ...,
        until: datetime | None = ...,
        others: Others = ...,
    ) -> AsyncChanges[A | B]: ...
    @overload
    def changes(
        self,
        a: type[A],
        b: type[B],
        c: type[C],
        /,
        *,
        start: datetime | str = ...,
        follow: bool = ...,
        until: datetime | None = ...,
        others: Others = ...,
    ) -> AsyncChanges[A | B | C]: ...
    @overload
    def changes(
        self,
        a: type[A],
        b: type[B],
        c: type[C],
        d: type[D],
        /,
        *,
        start: datetime | str = ...,
        follow: bool = ...,
        until: datetime | None = ...,
        others: Others = ...,
    ) -> AsyncChanges[A | B | C | D]: ...
    @overload
    def changes(
        self,
        *models_or_tables: type[Any] | Table,
        start: datetime | str = ...,
        follow: bool = ...,
        until: datetime | None = ...,
        others: Others = ...,
    ) -> AsyncChanges[Any]: ...
    def changes(
        self,
        *models_or_tables: Any,
        start: datetime | str = "latest",
        follow: bool = True,
        until: datetime | None = None,
        others: Others = "skip",
    ) -> Any:
        self._check_open()
        return iterators.AsyncChanges(
            self,
            self._core,
            models_or_tables,
            start=start,
            follow=follow,
            until=until,
            others=others,
        )

    @classmethod
    def _on(cls: type[Self], engine: Lease, **options: Any) -> Self:
        _import_aiobotocore()
        session = cls(
            aiobotocore_session=_session_with(engine.access_key, engine.secret_key),
            endpoint_url=engine.endpoint_url,
            region_name=engine.region_name,
            **options,
        )
        # The engine also goes when the session is forgotten without being closed. Stopping it waits
        # for its thread, which the event loop must not.
        forgotten = weakref.finalize(session._driver, _in_a_thread, engine.stop)
        forgotten.atexit = False

        def stop() -> None:
            if forgotten.detach() is not None:
                engine.stop()

        session._closing.append(stop)
        return session

    async def __aenter__(self: Self) -> Self:
        self._check_open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._check_no_batches()
        if isinstance(error, GeneratorExit):  # a coroutine that is closed cannot wait
            self._drop()
        else:
            await self._end()

    async def close(self) -> None:
        self._check_no_batches()
        await self._end()

    async def _end(self) -> None:
        self._closed = "session"
        try:
            await self._driver.close()
        finally:
            await self._driver.wire.close()
            for close in self._taken_closing():
                await asyncio.to_thread(close)

    def _drop(self) -> None:
        self._closed = "session"
        self._driver.cancel()
        self._driver.wire.closed = True
        release(self._driver.wire)
        for close in self._taken_closing():
            _in_a_thread(close)

    def _taken_closing(self) -> list[Callable[[], object]]:
        closing, self._closing = self._closing, []
        return closing

    async def aclose(self) -> None:
        """The same as `close`, by the name that `contextlib.aclosing` calls."""
        await self.close()


class AsyncMeasure(AsyncHandle, AnyMeasure):
    """Counts the cost of the requests you make through it: `async with session.measure() as cost:`.

    Any number of tasks may use it. It begins and ends with its `async with` statement; you can read the
    counts afterwards.
    """

    _session: AsyncSession | AsyncMeasure

    def batch(
        self,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        write_units: float | None = None,
    ) -> AsyncBatch:
        self._check_open()
        return AsyncBatch(self, on_progress, write_units)

    def measure(self) -> AsyncMeasure:
        self._check_open()
        return AsyncMeasure(self)

    async def __aenter__(self) -> AsyncMeasure:
        self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._check_begun(error)
        self._closed = "ended"
        self._driver.cancel()
        if not isinstance(error, GeneratorExit):  # a coroutine that is closed cannot wait
            await self._driver.close()


def _caller() -> Hashable:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs: a batch is only being prepared
        return None


def _check_client(client: object) -> None:
    if not hasattr(client, "meta") and hasattr(client, "__aenter__"):
        raise ModelError(
            "AsyncSession",
            "client has not been entered; write `async with session.create_client('dynamodb') as "
            "client`",
        )
    from botocore.client import BaseClient

    if isinstance(client, BaseClient) and not is_awaited(client):
        raise ModelError("AsyncSession", "client is boto3's, for dynattrs.Session")


def _import_aiobotocore() -> None:
    try:
        importlib.import_module("aiobotocore.session")
    except ModuleNotFoundError as error:
        # Another name means that aiobotocore itself is broken, which must show.
        if error.name is None or error.name.partition(".")[0] != "aiobotocore":
            raise
        raise MissingExtra("aio", "aiobotocore") from error


def _session_with(access_key: str, secret_key: str) -> Any:
    """An aiobotocore session with these credentials."""
    from aiobotocore.session import get_session

    session = get_session()
    session.set_credentials(access_key, secret_key)
    return session


def _make_client(
    session: Any, profile_name: str | None, region_name: str | None,
    endpoint_url: str | None, config: Any,
) -> contextlib.AbstractAsyncContextManager[Any]:  # fmt: skip
    if session is None:
        from aiobotocore.session import AioSession

        session = AioSession(profile=profile_name)
    made: contextlib.AbstractAsyncContextManager[Any] = session.create_client(
        "dynamodb", region_name=region_name, endpoint_url=endpoint_url, config=config
    )
    return made


def _with_connections(config: object, count: int) -> Any:
    """*config* with that many connections, unless it says how many."""
    from aiobotocore.config import AioConfig

    return with_room(config, count, AioConfig)


def _in_a_thread(function: Callable[[], object]) -> None:
    threading.Thread(target=function, name="dynattrs-stop", daemon=True).start()
