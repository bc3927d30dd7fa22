"""`Consumer`: passes the changes of tables to a handler, on any number of machines."""

from __future__ import annotations

import contextlib
import inspect
import signal
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, overload

from dynattrs.errors import ModelError
from dynattrs.operations.flows import Flow
from dynattrs.operations.leases import LEASES, FlowVerbs, Leasing, owner_name, seconds_of
from dynattrs.schema.table import Table
from dynattrs.streams.consumed_tables import ConsumedTable
from dynattrs.streams.consumer_events import ConsumerEvent
from dynattrs.streams.consumer_options import OnError, OnGap, Options
from dynattrs.streams.consuming import Consuming
from dynattrs.streams.failed_changes import FailedChanges
from dynattrs.streams.held_shards import HeldShards
from dynattrs.streams.kinds import AnyChange
from dynattrs.streams.positions import HORIZON, Position
from dynattrs.streams.reading import Others, Source, models_of
from dynattrs.streams.service import StreamService
from dynattrs.streams.shard_leases import scope_of
from dynattrs.streams.turns import lag_of

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from dynattrs.aio.session import AsyncSession
    from dynattrs.session.session import Session

M = TypeVar("M")
T = TypeVar("T", "Session", "AsyncSession")

Start: TypeAlias = 'Literal["latest", "horizon"] | datetime'

#: A partition key has room for more; an item of a lease is read and written often.
_LONGEST_NAME: Final = 200


class Consumer(Generic[T]):
    """Reads the changes of tables and calls a handler with each. It shares the work with other consumers of
    the same name, in other processes and on other machines.

    Each shard of a stream is read by one consumer at a time, which holds the shard's lease: an item in a
    table that is created on first use. Leases are shared evenly as consumers come and go. The changes of one
    item come in order. Each comes at least once, and may come again after a consumer was killed, stalled or
    disconnected, so the handler should be idempotent.

        Consumer(session, app, name="search", handler=index).run()

    Args:
        session: With an `AsyncSession` the handler may be `async def`, and `run` is awaited.
        app: The model to follow, a `Table` for all of its models, or a sequence of either.
        name: The name of a group of consumers. Consumers with the same name divide the shards among them;
            each name receives all changes. AWS advises at most two readers of a shard, including Lambda.
        handler: Called with an `Inserted`, `Modified` or `Removed`. Several threads call it at once, each
            with changes of its own shard. Under asyncio, one thread calls it, and a handler that is not
            `async def` blocks the event loop.
        leases: The name of the table with the leases, before the session's `table_prefix` and `tables`.
        start: Where the first consumer of the name begins: `"latest"`, with changes from now on;
            `"horizon"`, with everything still in the streams, up to 24 hours old; or an aware `datetime`. It
            is recorded once; later consumers continue at the last checkpoint and ignore *start*.
        tries: How often the handler is called with a change that fails, with growing pauses. Until then, no
            later change of its shard is handled.
        on_error: What to do with a change that failed *tries* times, or cannot be read. `"stop"`: `run`
            raises `ConsumerStopped`; `"skip"`: log an error and continue; `FailedChanges()`: store it in a
            table; or a function that is called with a `Failure`, and stops the consumer if it raises.
        on_gap: What to do if records expired, after 24 hours, before they were read, or the stream was
            switched off and on. `"stop"`: `run` raises `StreamGap`; `"go on"`: log an error and continue
            after the gap; or a function that is called with the `StreamGap`, and stops the consumer if it
            raises.
        others: What to do with items of other models of the table: `"skip"` or `"error"`.
        workers: The most shards to read at the same time, in threads or tasks.
        checkpoint_every: The number of handled records after which a shard's position is stored.
        checkpoint_after: The most time until a shard's position is stored, if any record was handled. Each
            checkpoint costs a write unit; with fewer checkpoints, more records may be handled twice.
        poll: How long to wait before a shard without new records is read again.
        lease: How long a lease is valid after each renewal. A killed consumer is replaced after that time, a
            consumer that stops normally within a fifth of it.
        on_event: A plain function, called with a `ConsumerEvent`, for metrics: see
            `dynattrs.streams.consumer_events`.
        tracer_provider: The OpenTelemetry provider for spans of handled pages; by default the program's own.

    Raises:
        ModelError: An option is invalid.
        QueryError: No model is given.
    """

    @overload
    def __init__(
        self,
        session: T,
        app: type[M],
        /,
        *,
        name: str,
        handler: Callable[[AnyChange[M]], object],
        leases: str = ...,
        start: Start = ...,
        tries: int = ...,
        on_error: OnError = ...,
        on_gap: OnGap = ...,
        others: Others = ...,
        workers: int = ...,
        checkpoint_every: int = ...,
        checkpoint_after: timedelta = ...,
        poll: timedelta = ...,
        lease: timedelta = ...,
        on_event: Callable[[ConsumerEvent], object] | None = ...,
        tracer_provider: TracerProvider | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        session: T,
        app: Table | Sequence[type[Any] | Table],
        /,
        *,
        name: str,
        handler: Callable[[AnyChange[Any]], object],
        leases: str = ...,
        start: Start = ...,
        tries: int = ...,
        on_error: OnError = ...,
        on_gap: OnGap = ...,
        others: Others = ...,
        workers: int = ...,
        checkpoint_every: int = ...,
        checkpoint_after: timedelta = ...,
        poll: timedelta = ...,
        lease: timedelta = ...,
        on_event: Callable[[ConsumerEvent], object] | None = ...,
        tracer_provider: TracerProvider | None = ...,
    ) -> None: ...
    def __init__(
        self,
        session: T,
        app: Any,
        /,
        *,
        name: str,
        handler: Callable[[Any], object],
        leases: str = LEASES.name,
        start: Start = "latest",
        tries: int = 5,
        on_error: OnError = "stop",
        on_gap: OnGap = "stop",
        others: Others = "skip",
        workers: int = 8,
        checkpoint_every: int = 100,
        checkpoint_after: timedelta = timedelta(seconds=5),
        poll: timedelta = timedelta(seconds=1),
        lease: timedelta = timedelta(seconds=15),
        on_event: Callable[[ConsumerEvent], object] | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        core = session._core
        self._session: T = session
        self._awaits = core.environment.cancellable
        self.name = name
        #: What this consumer calls itself, as owner of leases.
        self.id = owner_name(core.environment)
        self._leases = leases
        self._start = start
        self._check(name, handler, start, leases)
        if on_event is not None and not callable(on_event):
            raise ModelError("Consumer", f"on_event={on_event!r}: a function is expected")
        self._infos = models_of(app if isinstance(app, Sequence) else (app,))
        shards = self._shards = HeldShards()
        self._options = Options(
            name=name, handler=handler, tries=_count("tries", tries), on_error=_on_error(on_error),
            on_gap=_on_gap(on_gap), others=_others(others), workers=_count("workers", workers),
            every=_count("checkpoint_every", checkpoint_every),
            after=seconds_of("Consumer", "checkpoint_after", checkpoint_after, least=0.0),
            poll=seconds_of("Consumer", "poll", poll, least=0.0),
            lease=seconds_of("Consumer", "lease", lease, least=0.5),
            listener=on_event, tracers=tracer_provider, awaits=self._awaits,
            cancelled=lambda: shards.cancelling or session._closed is not None,
        )  # fmt: skip
        self._begun = False

    def _check(self, name: object, handler: object, start: object, leases: object) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            problem = f"name={name!r}: 1 to {_LONGEST_NAME} characters are expected"
            raise ModelError("Consumer", problem)
        if not isinstance(leases, str):
            raise ModelError("Consumer", f"leases={leases!r}: the name of a table is expected")
        if not callable(handler):
            raise ModelError("Consumer", f"handler={handler!r}: a function is expected")
        called = getattr(type(handler), "__call__", None)  # noqa: B004 - an object's own, if async
        if not self._awaits and any(map(inspect.iscoroutinefunction, (handler, called))):
            raise ModelError(
                "Consumer", f"handler={handler!r} is async: give the consumer an AsyncSession"
            )
        if start in ("latest", "horizon"):
            return
        if not isinstance(start, datetime) or start.utcoffset() is None:
            problem = f'start={start!r}: "latest", "horizon" or an aware datetime is expected'
            raise ModelError("Consumer", problem)

    def __repr__(self) -> str:
        return f"<Consumer {self.name!r} with {len(self._shards)} shards>"

    # --- Its life -----------------------------------------------------------------------------

    @overload
    def run(self: Consumer[Session], *, signals: bool | None = None) -> None: ...
    @overload
    def run(
        self: Consumer[AsyncSession], *, signals: bool | None = None
    ) -> Coroutine[Any, Any, None]: ...
    def run(self, *, signals: bool | None = None) -> Any:
        """Read and handle changes until `stop` is called. With an `AsyncSession`, await it.

        To stop, it finishes the changes that are being handled, stores its positions, and frees its leases.
        An interruption (Ctrl-C) does the same and is raised afterwards; a second one is raised at once.
        Under asyncio, a cancellation also cancels the running handlers.

        Args:
            signals: Whether SIGTERM stops it, like `stop`. By default it does if `run` is called in the main
                thread and the program has no handler of its own.

        Raises:
            ConsumerStopped: A change could not be handled.
            StreamGap: Records were lost.
            NoStream: A table has no stream, or its stream was switched off and has been read to its end.
            ModelError: It has run before; or *signals* is True outside the main thread.
            DynattrsError: The service refused a request permanently.
        """
        if self._begun:
            raise ModelError("Consumer", "a consumer runs once; make another one")
        stopped = _stopped_by(self, signals)
        if self._awaits:
            return self._run_async(stopped)
        self._begun = True
        with stopped:
            session: Any = self._session
            session._check_open()
            return session._drive(self._flow())

    async def _run_async(self, stopped: contextlib.AbstractContextManager[None]) -> None:
        self._begun = True
        with stopped:
            session: Any = self._session
            session._check_open()
            await session._drive(self._flow())

    def stop(self) -> None:
        """Ask the consumer to stop, from any thread or from its handler. It returns at once, and `run`
        returns later. If you call it before `run`, nothing is read.
        """
        self._shards.leave_all()

    def lag(self) -> timedelta:
        """How far this consumer is behind: the time since the last handled change happened (its `at`), in
        the shard with the largest lag. If no change of a shard was handled yet, the time since its first
        waiting change. It is zero for a shard that had no more records at the last read. Times of changes
        are whole seconds.

        Each consumer has its own shards, so the lag of the whole group is the largest lag of its consumers.
        """
        environment = self._session._core.environment
        return max((lag_of(each, environment) for each in self._shards), default=timedelta())

    @property
    def shards(self) -> tuple[str, ...]:
        """The ids of the shards that this consumer reads now."""
        return tuple(each.shard for each in self._shards)

    def _flow(self) -> Flow[None]:
        session, options = self._session, self._options
        core = session._core
        verbs = FlowVerbs(core, LEASES, self._leases)
        service = StreamService(core)
        tables: list[ConsumedTable] = []
        by_table: dict[str, dict[Any, Any]] = {}
        for info, cls in self._infos.items():
            by_table.setdefault(core.table_name(info.table), {})[info] = cls
        for name, infos in by_table.items():
            source = Source(infos, next(iter(infos)).table, core.table_names.__getitem__)
            scope = scope_of(self.name, name)
            # What changes from now on: before anything else takes its time.
            start = HORIZON
            if isinstance(self._start, datetime):
                start = Position.at(self._start)
            elif self._start == "latest":
                yield from service.stream_of(name)
                start = Position.at(service.now())
            tables.append(ConsumedTable(verbs, service, name, scope, source, options, start))
        leasing = Leasing(verbs, self.id, options.lease)
        running = Consuming(
            core, options, verbs, leasing, self._shards, service, tables, lambda: session._closed
        )
        yield from running.run()


# --- Options ------------------------------------------------------------------------------------


def _count(name: str, value: object) -> int:
    if type(value) is not int or value < 1:
        raise ModelError("Consumer", f"{name}={value!r}: a positive int is expected")
    return value


def _on_error(value: Any) -> OnError:
    if (
        value not in ("stop", "skip")
        and not callable(value)
        and not isinstance(value, FailedChanges)
    ):
        raise ModelError(
            "Consumer",
            f'on_error={value!r}: write "stop", "skip", FailedChanges() or a function',
        )
    if value is FailedChanges:
        raise ModelError("Consumer", "on_error=FailedChanges: write FailedChanges()")
    chosen: OnError = value
    return chosen


def _on_gap(value: Any) -> OnGap:
    if value not in ("stop", "go on") and not callable(value):
        raise ModelError("Consumer", f'on_gap={value!r}: write "stop", "go on" or a function')
    chosen: OnGap = value
    return chosen


def _others(value: Any) -> Others:
    if value not in ("skip", "error"):
        raise ModelError("Consumer", f'others={value!r}: write "skip" or "error"')
    chosen: Others = value
    return chosen


# --- Signals ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _nothing() -> Generator[None]:
    yield


def _stopped_by(
    consumer: Consumer[Any], signals: bool | None
) -> contextlib.AbstractContextManager[None]:
    """A block in which SIGTERM stops a consumer, if that is wanted and can be."""
    if signals is False:
        return _nothing()
    if threading.current_thread() is not threading.main_thread():
        if signals:
            raise ModelError(
                "Consumer",
                "run(signals=True) is for the main thread; elsewhere let the program's own handler call "
                "consumer.stop()",
            )
        return _nothing()
    if signals is None and signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return _nothing()
    return _by_sigterm(consumer)


@contextlib.contextmanager
def _by_sigterm(consumer: Consumer[Any]) -> Generator[None]:
    def stop(*_: object) -> None:
        # A handler runs between any two steps of the main thread, which may have the lock that is needed.
        threading.Thread(target=consumer.stop, name="dynattrs-stop", daemon=True).start()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
