"""What sessions and batches share, in threads and under asyncio: beginning, end and settings.

`session.session` and `aio.session` open the connections and do the waiting.
"""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Hashable, Mapping, MutableSet, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from dynattrs import utf8
from dynattrs.clock import monotonic
from dynattrs.deferral import deferred
from dynattrs.errors import BatchClosed, ModelError, SessionClosed, Unsent
from dynattrs.late_classes import define
from dynattrs.models.hooks import Flushed, SessionHooks, functions
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Environment, Flow, verb
from dynattrs.session.any_handle import AnyHandle
from dynattrs.session.on_an_engine import OnAnEngine

if TYPE_CHECKING:
    from dynattrs.operations.writing import batch as gathered
    from dynattrs.operations.writing import buffer as buffers
    from dynattrs.operations.writing import reports
    from dynattrs.operations.writing.buffer import Buffer
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.session import shown
    from dynattrs.wire import costs
    from dynattrs.wire.costs import Usage
else:
    # Imported when a batch is made, or something is written.
    gathered = deferred("dynattrs.operations.writing.batch")
    buffers = deferred("dynattrs.operations.writing.buffer")
    reports = deferred("dynattrs.operations.writing.reports")
    # Imported when something is measured.
    costs = deferred("dynattrs.wire.costs")
    # Imported when one is looked at.
    shown = deferred("dynattrs.session.shown")


Hook: TypeAlias = "Callable[[Any], Any] | Sequence[Callable[[Any], Any]]"
FlushHook: TypeAlias = "Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]]"


class AnyBatch(AnyHandle):
    """All of a session's methods, over a buffer that gathers saves and deletes."""

    def __init__(
        self,
        session: AnySession | AnyMeasure,
        on_progress: Callable[[Progress], object] | None,
        write_units: float | None = None,
    ) -> None:
        self._session = session
        self._core = session._core
        self._driver = session._driver
        #: A driver of its own, where its writes have a rate of theirs.
        self._apart: Any = None
        if write_units is not None:
            line = rated(self._driver, type(self).__name__, write_units)
            self._driver = self._apart = self._driver.beside(line)
        self._buffer = buffers.Buffer(on_progress or self._core.on_progress)
        self._closed = "not begun"
        # A batch that is forgotten: `__enter__` called by hand, a generator when Python exits.
        # What reports it is imported now: then it may be too late.
        report = reports.report_left
        self._forgotten = weakref.finalize(self, _forgotten, self._core, self._buffer, report)

    def __repr__(self) -> str:
        return shown.batch(self)

    def _check_open(self) -> None:
        if self._closed is not None:
            raise BatchClosed(self._closed)
        self._session._check_open()

    def _begin(self) -> None:
        if self._closed != "not begun":
            raise BatchClosed(self._closed or "open")
        self._session._check_open()
        self._closed = None
        self._session._batches.add(self)
        assert self._buffer is not None
        self._core.gathering[self._buffer] = self._core.environment.caller()

    def _check_begun(self) -> None:
        if self._closed is not None:
            raise BatchClosed(self._closed)

    def _end(self, error: BaseException | None) -> Flow[None]:
        assert self._buffer is not None
        self._closed = "ended"
        if self._session._closed is not None and (error is None or isinstance(error, Exception)):
            return gathered.give_up(self._core, self._buffer, SessionClosed(self._session._closed))
        return gathered.end(self._core, self._buffer, error)

    def _left(self, failure: BaseException, error: BaseException | None) -> Flow[None]:
        """*failure* leaves the batch, which *error* had ended."""
        assert self._buffer is not None
        began = self._core.environment.monotonic()
        yield from gathered.left(self._core, self._buffer, began, failure, error)
        reports.tell_so_far(self._core, self._buffer, began)

    def _over(self) -> None:
        """It has ended: nothing holds it, nor what led to its end, any longer."""
        assert self._buffer is not None
        self._session._batches.discard(self)
        self._core.gathering.pop(self._buffer, None)
        if not self._buffer.is_settled():  # an interruption came in between
            reports.report_left(self._buffer)
        self._forgotten.detach()
        self._buffer.forget()

    @verb
    def flush(self) -> Flow[None]:
        """Send the gathered writes, and wait until the service has acknowledged all of them.

        Raises:
            UnsentWrites: Some writes were not stored; the error holds the objects themselves.
        """
        self._check_open()
        assert self._buffer is not None
        yield from gathered.flush(self._core, self._buffer)

    def discard(self) -> list[Unsent]:
        """Drop the gathered writes that have not been sent yet.

        Returns:
            The dropped writes, in the order of the calls.
        """
        self._check_open()
        assert self._buffer is not None
        return self._buffer.discard()


def _forgotten(core: Core, buffer: Buffer, report: Callable[[Buffer], object]) -> None:
    core.gathering.pop(buffer, None)
    report(buffer)


class AnySession(OnAnEngine, AnyHandle):
    """A session without its way of waiting: it makes batches, and knows which are open."""

    # Weak, so that a batch that is forgotten is reported, and does not keep its session open; but for
    # a session of the pytest plugin, which reports them itself.
    _batches: MutableSet[AnyBatch]
    #: The region and the endpoint that were asked for, where there may be no client yet.
    _place: tuple[str | None, str | None] = (None, None)

    def __repr__(self) -> str:
        return shown.session(self)

    def batch(
        self,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        write_units: float | None = None,
    ) -> Any:
        """Return a batch, which gathers writes: `with session.batch() as batch:`.

        Its saves and deletes go out up to 25 to a BatchWriteItem, and all are stored when the `with`
        statement has ended.

        A batch has all the methods of a session. Each has its own buffer, and any thread or task may use it
        until it ends, so batches can be nested and can run side by side.

        Args:
            on_progress: Called with a `Progress` after every response to the batch's writes, in the
                thread or task that received it; replaces the session's *on_progress*.
            write_units: The most write capacity units a second that the batch may use, over all threads
                and tasks. If the session has a limit too, both apply.

        Raises:
            SessionClosed: The session is closed.
            ModelError: *write_units* is not a positive number.
        """
        raise NotImplementedError

    def measure(self) -> Any:
        """Count the cost of the requests you make through the result: `with session.measure() as cost:`.

        The result has all the methods of a session, including `batch()`. It counts its own requests, those
        of its batches, and the pages that its queries fetch ahead, in any thread or task, but no requests
        you make through the session itself. The service also reports the capacity that each index consumed.

        Raises:
            SessionClosed: The session is closed.
        """
        raise NotImplementedError

    def changes(
        self,
        *models_or_tables: Any,
        start: datetime | str = "latest",
        follow: bool = True,
        until: datetime | None = None,
        others: Literal["skip", "error"] = "skip",
    ) -> Any:
        """Iterate over the changes to the items of some models, as they happen: it reads all shards of
        their tables' streams, in this process.

        Changes of the same key come in order. No request is sent before you ask for the first change. The
        iterator's `token()` marks the position after the last change, and `start=token` continues from
        there. To share the work between machines, use `dynattrs.streams.Consumer`.

        Args:
            models_or_tables: The models to follow. A `Table` stands for all of its models.
            start: Where to begin. `"latest"`: after this call; `"horizon"`: with the oldest changes in the
                stream, up to 24 hours old; an aware datetime: with changes since then; a token: after its
                position. The times of records are rounded, so `"latest"` and datetimes may include some
                changes from just before, and miss none.
            follow: Whether to wait for new changes. If False, the iterator ends when no shard has had a
                new change for a while.
            until: An aware datetime, which may be in the future. The iterator ends after all changes from
                before it.
            others: What to do with items of other models of the tables: `"skip"` them, or `"error"` to
                receive them as `Unreadable`.

        Yields:
            An `Inserted`, `Modified` or `Removed` for each change, or an `Unreadable`.

        Raises:
            QueryError: The arguments are invalid, or *start* is not a token of these tables.
            NoStream: While iterating: a table has no stream, or its stream was switched off.
            StreamGap: While iterating: changes may be missing. Ask for the next change to continue after
                the gap.
            Throttled: While iterating: the service still throttles the requests after pauses as long as
                the session's deadline.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
        """
        raise NotImplementedError

    def _check_no_batches(self) -> None:
        if self._closed is None and self._batches:
            raise SessionClosed("session with open batches")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ("flush", "discard"):
                raise AttributeError(
                    f"a session has no {name}(), because it gathers nothing: write through "
                    f"`with session.batch() as batch:` and call batch.{name}()"
                )
            return self.__getattribute__(name)  # which says what is missing

    def close(self) -> Any:
        """Close the session: its threads or tasks, its connections and, after `local()`, the database.

        Leaving `with session:` does the same. A client that you passed in stays open. Closing twice is
        not an error.

        Raises:
            SessionClosed: One of its batches is still open. No write is lost: the session stays open, and
                you can still end the batch.
        """
        raise NotImplementedError


@define(eq=False, slots=False, repr=False)
class MeasureClosed(SessionClosed):
    """A handle of `session.measure()` was used outside of its `with` statement, or was entered twice."""

    what: str = "ended"

    def __str__(self) -> str:
        if self.what == "open":
            return "this measure was entered before; session.measure() makes another one"
        when = "has not begun" if self.what == "not begun" else "has ended"
        return (
            f"this measure {when}, and counts what is done inside of `with session.measure() as cost:` "
            f"(`async with` for an AsyncSession); outside of it use the session itself"
        )


class AnyMeasure(AnyHandle):
    """The counts of `session.measure()`, in threads and under asyncio."""

    _batches: MutableSet[AnyBatch]

    def __init__(self, session: AnySession | AnyMeasure) -> None:
        self._session = session
        self._core = session._core
        self._costs = costs.Costs()
        self._driver = session._driver.beside(costs.MeteredLine(session._driver.line, self._costs))
        self._buffer = None
        self._closed = "not begun"
        self._batches = weakref.WeakSet()

    def __repr__(self) -> str:
        return shown.measure(self)

    def _check_open(self) -> None:
        if self._closed is not None:
            raise MeasureClosed(self._closed)
        self._session._check_open()

    def _begin(self) -> None:
        if self._closed != "not begun":
            raise MeasureClosed(self._closed or "open")
        self._session._check_open()
        self._closed = None

    def _check_begun(self, error: BaseException | None) -> None:
        if self._closed is not None:
            raise MeasureClosed(self._closed)
        if error is None and self._batches:
            raise SessionClosed("session with open batches")

    def batch(
        self,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        write_units: float | None = None,
    ) -> Any:
        """Return a batch whose writes are counted; otherwise the same as `session.batch()`."""
        raise NotImplementedError

    def measure(self) -> Any:
        """Count a part of these requests separately, as `session.measure()` does."""
        raise NotImplementedError

    @property
    def usage(self) -> Usage:
        """All counts so far, as one `Usage`."""
        return self._costs.total

    @property
    def requests(self) -> int:
        """The number of answered requests, refused ones included: the service bills most of them."""
        return self._costs.total.requests

    @property
    def items(self) -> int:
        """The number of items that were read or written."""
        return self._costs.total.items

    @property
    def read_units(self) -> float:
        """Consumed read capacity units, as far as the service reports them."""
        return self._costs.total.read_units

    @property
    def write_units(self) -> float:
        """Consumed write capacity units, as far as the service reports them."""
        return self._costs.total.write_units

    @property
    def vector_bytes(self) -> float:
        """Bytes billed for vector indexes, searched or written, as far as the service reports them."""
        return self._costs.total.vector_bytes

    @property
    def retries(self) -> int:
        """The number of attempts beyond the first of each call."""
        return self._costs.total.retries

    @property
    def seconds(self) -> float:
        """Seconds spent waiting for responses. Calls that ran at the same time each count in full."""
        return self._costs.total.seconds

    @property
    def by_operation(self) -> dict[str, Usage]:
        """The cost of each API operation: `cost.by_operation["Query"].read_units`."""
        return self._costs.by_operation()

    @property
    def by_table(self) -> dict[str, Usage]:
        """The cost of each table with its indexes, by the table's real name. A request that names several
        tables counts for each of them.
        """
        return self._costs.by_table()

    @property
    def by_index(self) -> dict[tuple[str, str | None], Usage]:
        """The cost of each index, by table name and index name; the index name of a table itself is None.
        A write is a request to the table, and its units include those of every index that it changes.
        """
        return self._costs.by_index()


def rated(driver: Any, owner: str, write_units: object) -> Any:
    """The line of a driver, with turns for writes before it.

    Args:
        driver: A session's driver, of either kind.
        owner: Who has the rate, for messages.
        write_units: As a session's.
    """
    from dynattrs.wire import rates

    rate = rates.WriteRate(_units(owner, "write_units", write_units))
    waiting = rates.RatedLine if hasattr(driver.wire, "begin") else rates.AsyncRatedLine
    wire = driver.wire
    return waiting(driver.line, lambda: wire.instruments, rate)


def put_before(driver: Any, owner: str, slow: object, costly: object, write_units: object) -> None:
    """Put before the wire of a session's driver what its options ask for.

    Args:
        driver: The driver, of either kind.
        owner: The session's class, for messages.
        slow: As the session's, as are the two that follow.
    """
    if slow is not None or costly is not None:
        from dynattrs.wire.costs import CostAlarm, MeteredLine

        seconds = _seconds(owner, "slow", slow)
        units = None if costly is None else _units(owner, "costly", costly)
        driver.line = MeteredLine(driver.line, CostAlarm(seconds, units))
    if write_units is not None:
        driver.line = rated(driver, owner, write_units)


def _units(owner: str, name: str, value: object) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < (units := float(cast("float", value))) < float("inf"):
        raise ModelError(
            owner, f"{name}={value!r}: a positive number of capacity units is expected"
        )
    return units


def core_of(
    owner: str,
    *,
    caller: Callable[[], Hashable],
    cancellable: bool,
    table_prefix: str,
    tables: Mapping[str, str] | None,
    concurrency: int,
    deadline: timedelta,
    cursor_secret: str | bytes | None,
    clock: Callable[[], datetime] | None,
    on_progress: Callable[[Progress], object] | None,
    before_save: Hook,
    after_load: Hook,
    after_flush: FlushHook,
) -> Core:
    """The settings of a session.

    Args:
        owner: The session's class, for messages.
        caller: Who is calling: a thread, or a task.
        cancellable: Whether who is calling may be cancelled while waiting.
        table_prefix: As the session's, as are all that follow.
    """
    if type(concurrency) is not int or concurrency < 1:
        raise ModelError(owner, f"concurrency={concurrency!r}: a positive int is expected")
    if not isinstance(deadline, timedelta):
        raise ModelError(owner, f"deadline={deadline!r}: a timedelta is expected")
    if not isinstance(table_prefix, str):
        raise ModelError(owner, f"table_prefix={table_prefix!r}: a text is expected")
    if tables is not None and not isinstance(tables, Mapping):
        raise ModelError(
            owner,
            f"tables={tables!r}: a dict is expected, of real names by declared names; a session works with "
            f"any model without naming its table here",
        )
    hooks = SessionHooks(
        functions(owner, "before_save", before_save),
        functions(owner, "after_load", after_load),
        functions(owner, "after_flush", after_flush),
    )
    if isinstance(cursor_secret, str) and not utf8.encodable(cursor_secret):
        raise ModelError(owner, f"cursor_secret: {utf8.EXPECTED} is expected")
    secret = cursor_secret.encode() if isinstance(cursor_secret, str) else cursor_secret
    if secret is not None and not secret:
        raise ModelError(owner, "cursor_secret is empty; leave it out, or give a secret")
    environment = Environment(
        monotonic, random.random, clock or _utc_now, caller=caller, cancellable=cancellable
    )
    return Core(
        environment, deadline, concurrency, table_prefix, dict(tables or {}), secret,
        on_progress, hooks,
    )  # fmt: skip


def limit_of(owner: str, call_timeout: object) -> float | None:
    """How many seconds a call may take in all; None for any time.

    Args:
        owner: The session's class, for messages.
        call_timeout: As the session's.
    """
    return _seconds(owner, "call_timeout", call_timeout)


def _seconds(owner: str, name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, timedelta) or value <= timedelta():
        raise ModelError(owner, f"{name}={value!r}: a timedelta longer than nothing is expected")
    return value.total_seconds()


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)
