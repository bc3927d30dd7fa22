"""An `AsyncSession` behind the surface of a `Session`, so that one test serves both.

Every call runs in an event loop in a thread of its own, and waits for it. A calling thread is one
task there, because a transaction knows its caller. What this hides is `await` and nothing else: a
test of cancellation, of tasks, or of what a task sees is written for asyncio.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from dynattrs.aio import (
    AsyncArrowBatches,
    AsyncBatch,
    AsyncBulkPut,
    AsyncEditing,
    AsyncItems,
    AsyncMeasure,
    AsyncPages,
    AsyncQuery,
    AsyncRows,
    AsyncSearch,
    AsyncSession,
    AsyncTables,
    AsyncTransaction,
    AsyncTransfer,
)
from dynattrs.streams.iterators import AsyncChanges

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_SHOWN = (
    AsyncArrowBatches, AsyncBatch, AsyncBulkPut, AsyncChanges, AsyncEditing, AsyncItems, AsyncMeasure,
    AsyncPages, AsyncQuery, AsyncRows, AsyncSearch, AsyncTables, AsyncTransaction, AsyncTransfer,
)  # fmt: skip


class Loop:
    """An event loop in a thread. What one thread asks for runs in one task, one after the other."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="awaited", daemon=True)
        self._local = threading.local()
        #: Those of threads that have ended as well: their tasks are cancelled at the end.
        self._actors: list[Any] = []
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def run(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What *function* returns, awaited if it is to be."""
        assert threading.current_thread() is not self._thread, (
            "a function that runs in the event loop (a generator, a hook) waits for the event loop"
        )
        if not hasattr(self._local, "jobs"):
            self._local.jobs = asyncio.run_coroutine_threadsafe(self._actor(), self.loop).result()
            self._actors.append(self._local.jobs)
        done: Future[Any] = Future()
        # In the caller's context, as `await` would be.
        job = (contextvars.copy_context(), function, args, options, done)
        self.loop.call_soon_threadsafe(self._local.jobs.put_nowait, job)
        return done.result()

    async def _actor(self) -> asyncio.Queue[Any]:
        jobs: asyncio.Queue[Any] = asyncio.Queue()

        async def act() -> None:
            while True:
                await answer(*await jobs.get())

        async def answer(
            context: contextvars.Context,
            function: Any,
            args: Any,
            options: Any,
            done: Future[Any],
        ) -> None:
            tokens = [(variable, variable.set(value)) for variable, value in context.items()]
            try:
                result = function(*args, **options)
                if inspect.isawaitable(result):
                    result = await result
            except BaseException as error:
                done.set_exception(error)
                # A traceback that holds this frame would hold what the test wants collected.
                del error
            else:
                done.set_result(result)
            finally:
                for variable, token in tokens:
                    variable.reset(token)

        jobs.task = asyncio.create_task(act())  # type: ignore[attr-defined]  # the loop holds it weakly
        return jobs

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


@functools.cache
def loop() -> Loop:
    """The one of this test run."""
    return Loop()


def run(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return loop().run(function, *args, **options)


# --- Clients --------------------------------------------------------------------------------------

_twins: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_open: list[Any] = []


def twin_of(client: Any) -> Any:
    """An aiobotocore client for what a boto3 client is for, which shares its event handlers."""
    if client not in _twins:
        _open.append(run(_opened, client))
        _twins[client] = _open[-1]
        _twins[client].meta.events.register("before-call.dynamodb", _forward(client))
        _twins[client].meta.events.register("after-call.dynamodb", _forward(client))
    return _twins[client]


def close_twins() -> None:
    _twins.clear()
    while _open:
        run(_open.pop().__aexit__, None, None, None)


@functools.cache
def _session() -> Any:
    return get_session()  # it keeps the models of services, which take long to read


async def _opened(client: Any) -> Any:
    credentials = client._request_signer._credentials.get_frozen_credentials()
    opening = _session().create_client(
        client.meta.service_model.service_name,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        region_name=client.meta.region_name,
        endpoint_url=client.meta.endpoint_url,
        config=AioConfig(**client.meta.config._user_provided_options),
    )
    return await opening.__aenter__()


def _forward(client: Any) -> Callable[..., Any]:
    emitter = client.meta.events
    handles = weakref.ref(client)

    def forward(event_name: str, **details: Any) -> Any:
        assert handles() is not None
        responses = emitter.emit(event_name, **details)
        return next((response for _, response in responses if response is not None), None)

    return forward


# --- What tests see -------------------------------------------------------------------------------


class Awaited:
    """What is awaited, without awaiting it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if inspect.iscoroutine(value):
            return run(_itself, value)
        return self._waiting(value) if inspect.ismethod(value) else shown(value)

    def _waiting(self, method: Any) -> Callable[..., Any]:
        def waiting(*args: Any, **options: Any) -> Any:
            found = run(method, *map(hidden, args), **options)
            # "Returns itself" is part of what `with ... as` promises.
            return self if found is self._inner else shown(found)

        return waiting

    def __iter__(self) -> Iterator[Any]:
        each = run(self._inner.__aiter__)
        try:
            while True:
                try:
                    item = run(each.__anext__)
                except StopAsyncIteration:
                    return
                yield item
        finally:
            run(each.aclose)

    def __next__(self) -> Any:
        try:
            return run(self._inner.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def __bool__(self) -> bool:
        return bool(self._inner)

    def __repr__(self) -> str:
        return repr(self._inner)

    def __str__(self) -> str:
        return str(self._inner)

    def __reduce__(self) -> Any:
        return self._inner.__reduce__()

    def __enter__(self) -> Any:
        found = run(self._inner.__aenter__)
        return self if found is self._inner else found

    def __exit__(self, *error: object) -> None:
        run(self._inner.__aexit__, *error)


async def _itself(value: Awaitable[Any]) -> Any:
    return await value


def shown(value: Any) -> Any:
    return Awaited(value) if isinstance(value, _SHOWN) else value


def hidden(value: Any) -> Any:
    return value._inner if isinstance(value, Awaited) else value


class AwaitedSession(Awaited):
    """An `AsyncSession` that takes the arguments of a `Session`."""

    def __init__(self, *, client: Any = None, s3_client: Any = None, **options: Any) -> None:
        self.client = client
        if s3_client is not None:
            options["s3_client"] = twin_of(s3_client)
        super().__init__(
            AsyncSession(client=None if client is None else twin_of(client), **options)
        )
