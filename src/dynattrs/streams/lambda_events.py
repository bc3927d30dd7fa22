"""A whole Lambda function: each change of an event to a function, and what is left to be delivered again.

Lambda delivers again what is in `batchItemFailures`, and everything behind it:
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from dynattrs.errors import QueryError
from dynattrs.schema.table import Table
from dynattrs.streams.kinds import AnyChange, Unreadable
from dynattrs.streams.reading import Others, read_record, source_of
from dynattrs.streams.records import Record, records_in
from dynattrs.streams.tracing import Batch, batch_span

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

M = TypeVar("M")
R = TypeVar("R")

#: What a function answers to Lambda: the records that it shall deliver again.
Answer: TypeAlias = dict[str, list[dict[str, str]]]
#: What becomes of a record that cannot be read.
OnUnreadable: TypeAlias = Literal["fail", "skip"] | Callable[[Unreadable], object]

_log = logging.getLogger("dynattrs")


@overload
def handle(
    event: Any,
    app: type[M],
    function: Callable[[AnyChange[M]], object],
    /,
    *,
    on_error: OnUnreadable = ...,
    report: bool = ...,
    table: str | Table | None = ...,
    table_prefix: str = ...,
    tables: Mapping[str, str] | None = ...,
    others: Others = ...,
    tracer_provider: TracerProvider | None = ...,
) -> Answer: ...
@overload
def handle(
    event: Any,
    app: Table | Sequence[type[Any] | Table],
    function: Callable[[AnyChange[Any]], object],
    /,
    *,
    on_error: OnUnreadable = ...,
    report: bool = ...,
    table: str | Table | None = ...,
    table_prefix: str = ...,
    tables: Mapping[str, str] | None = ...,
    others: Others = ...,
    tracer_provider: TracerProvider | None = ...,
) -> Answer: ...
def handle(
    event: Any,
    app: Any,
    function: Callable[[Any], Any],
    /,
    *,
    on_error: OnUnreadable = "fail",
    report: bool = True,
    table: str | Table | None = None,
    table_prefix: str = "",
    tables: Mapping[str, str] | None = None,
    others: Others = "skip",
    tracer_provider: TracerProvider | None = None,
) -> Answer:
    """Call a function with each change of an event, in order, and return the response that Lambda expects.

    It stops at the first record that fails and reports it: Lambda then delivers it again, with all records
    after it. The function mapping needs `FunctionResponseTypes: [ReportBatchItemFailures]`. Without that,
    Lambda treats any response as success; use `report=False`.

    A change may come more than once, so the function should be idempotent.

    Args:
        event: The event of the Lambda function, from DynamoDB Streams or Kinesis, or a list from EventBridge
            Pipes.
        app: The model to follow, a `Table` for all of its models, or a sequence of either.
        function: Called with an `Inserted`, `Modified` or `Removed`. An `async def` function runs in an
            event loop that the thread keeps for all events, so an `AsyncSession` at the top of the module
            keeps its connections.
        on_error: What to do with a record that cannot be read: `"fail"`, as if the function had raised;
            `"skip"`, with a warning in the log; or a function, async or not, that is called with the
            `Unreadable` and may raise to fail.
        report: If False, an error is raised, so that Lambda delivers the whole batch again.
        table: As for `changes`.
        table_prefix: As for `changes`.
        tables: As for `changes`.
        others: As for `changes`.
        tracer_provider: Where the span of the batch goes, if the program traces with OpenTelemetry;
            without it the program's own provider. The span is a CONSUMER and says nothing of the items.

    Returns:
        The response for Lambda, which reports the failed record, if there is one.

    Raises:
        QueryError: As `changes`.
        TypeError: The function is a generator, or async where an event loop is running: nothing was done.
        Exception: With `report=False`, what the function raised or what is wrong with a record; and always
            where a record that has failed has no number to be called by.
    """
    batch = _Batch(
        event, app, on_error, report, table, table_prefix, tables, others, tracer_provider
    )
    if inspect.iscoroutinefunction(function):
        return _in_loop(batch.run_async(function))
    return batch.run(function)


async def handle_async(
    event: Any,
    app: Any,
    function: Callable[[Any], object],
    /,
    *,
    on_error: OnUnreadable = "fail",
    report: bool = True,
    table: str | Table | None = None,
    table_prefix: str = "",
    tables: Mapping[str, str] | None = None,
    others: Others = "skip",
    tracer_provider: TracerProvider | None = None,
) -> Answer:
    """Do the same as `handle`, inside a running event loop. The function may be async or not."""
    batch = _Batch(
        event, app, on_error, report, table, table_prefix, tables, others, tracer_provider
    )
    return await batch.run_async(function)


class _Batch:
    """The records of one event."""

    def __init__(
        self,
        event: Any,
        app: Any,
        on_error: OnUnreadable,
        report: bool,
        table: str | Table | None,
        prefix: str,
        tables: Mapping[str, str] | None,
        others: Others,
        tracers: TracerProvider | None,
    ) -> None:
        if on_error not in ("fail", "skip") and not callable(on_error):
            raise QueryError(f'handle(on_error={on_error!r}): write "fail", "skip" or a function')
        if others not in ("skip", "error"):
            raise QueryError(f'handle(others={others!r}): write "skip" or "error"')
        self._on_error = on_error
        self._report = report
        given = tuple(app) if isinstance(app, Sequence) else (app,)
        records, bare = records_in(event)
        read = [read_record(each, bare=bare) for each in records]
        self._changes = source_of(given, table, prefix, tables or {}).changes(read, others)
        self._about = Batch(read)
        self._tracers = tracers

    def run(self, function: Callable[[Any], object]) -> Answer:
        with batch_span(self._about, self._tracers) as span:
            for change in self._changes:
                try:
                    found = self._begun(function, change)
                    if inspect.isawaitable(found):
                        _in_loop(_awaited(found))
                except _NothingDone:
                    raise
                except Exception as error:
                    span.failed(error)
                    return self._failed(change, error)
        return {"batchItemFailures": []}

    async def run_async(self, function: Callable[[Any], object]) -> Answer:
        with batch_span(self._about, self._tracers) as span:
            for change in self._changes:
                try:
                    found = self._begun(function, change)
                    if inspect.isawaitable(found):
                        await found
                except _NothingDone:
                    raise
                except Exception as error:
                    span.failed(error)
                    return self._failed(change, error)
        return {"batchItemFailures": []}

    def _begun(self, function: Callable[[Any], object], change: Any) -> object:
        """What the function returns, or the one that gets what cannot be read: perhaps an awaitable.

        Raises:
            _NothingDone: It returns a generator, so nothing has run.
            Exception: The record is a failure.
        """
        if not isinstance(change, Unreadable):
            found = function(change)
        elif callable(self._on_error):
            found = self._on_error(change)
        elif self._on_error == "skip":
            _log.warning("a record of a stream is skipped, because it cannot be read: %s", change)
            return None
        else:
            raise change.cause
        if inspect.isgenerator(found) or inspect.isasyncgen(found):
            raise _NothingDone(
                "the function is a generator, so nothing has been done: leave out its `yield`"
            )
        return found

    def _failed(self, change: Any, error: Exception) -> Answer:
        record: Record = change._record
        if not self._report or not record.identifier:
            raise error
        _log.error(
            "the record %s failed; it and all behind it will be delivered again",
            record.identifier, exc_info=error,
        )  # fmt: skip
        return {"batchItemFailures": [{"itemIdentifier": record.identifier}]}


class _NothingDone(TypeError):
    """A function of the program cannot be what it shall be: no record has failed because of it."""


async def _awaited(found: Awaitable[R]) -> R:
    return await found


_loops = threading.local()


def _in_loop(run: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine in the event loop of this thread, which stays for the next event."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        run.close()
        raise _NothingDone(
            "an event loop is running here: await dynattrs.streams.handle_async(...)"
        )
    loop: asyncio.AbstractEventLoop | None = getattr(_loops, "loop", None)
    if loop is None or loop.is_closed():
        loop = _loops.loop = asyncio.new_event_loop()
        atexit.register(loop.close)
    return loop.run_until_complete(run)
