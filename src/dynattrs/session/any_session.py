"""What sessions and batches are, whichever way they wait: their life, and what they are told.

How they wait, and where connections are opened, is in `session.session` and in `aio.session`.
"""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Hashable, Mapping, MutableSet, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, cast

from dynattrs import utf8
from dynattrs.clock import monotonic
from dynattrs.deferral import deferred
from dynattrs.errors import BatchClosed, ModelError, SessionClosed, Unsent
from dynattrs.late_classes import define
from dynattrs.models.hooks import Flushed, SessionHooks, functions
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Environment, Flow, verb
from dynattrs.session.any_handle import AnyHandle

if TYPE_CHECKING:
    from dynattrs.operations.writing import batch as gathered
    from dynattrs.operations.writing import buffer as buffers
    from dynattrs.operations.writing import reports
    from dynattrs.operations.writing.buffer import Buffer
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.session import shown
    from dynattrs.wire import costs
    from dynattrs.wire.costs import Usage
    from dynattrs.wire.local_engine import Lease
else:
    # Imported when a batch is made, or something is written.
    gathered = deferred("dynattrs.operations.writing.batch")
    buffers = deferred("dynattrs.operations.writing.buffer")
    reports = deferred("dynattrs.operations.writing.reports")
    # Imported when something is measured.
    costs = deferred("dynattrs.wire.costs")
    # Imported when one is looked at.
    shown = deferred("dynattrs.session.shown")

Self = TypeVar("Self", bound="AnySession")

Hook: TypeAlias = "Callable[[Any], Any] | Sequence[Callable[[Any], Any]]"
FlushHook: TypeAlias = "Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]]"


class AnyBatch(AnyHandle):
    """All verbs over a buffer of its own: puts and deletes are gathered in it."""

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

    def _report(self, failure: BaseException, error: BaseException | None) -> None:
        """*failure* leaves the batch, which *error* had ended: perhaps a second interruption, or one
        before its end had really begun.
        """
        assert self._buffer is not None
        began = self._core.environment.monotonic()
        reports.report_left(self._buffer, failure, error)
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
        """Send what is gathered, and wait until the service has acknowledged all of it.

        Raises:
            UnsentWrites: Some writes were not stored; it carries the very objects.
        """
        self._check_open()
        assert self._buffer is not None
        yield from gathered.flush(self._core, self._buffer)

    def discard(self) -> list[Unsent]:
        """Drop what is gathered and not sent yet.

        Returns:
            The writes that were dropped, in the order of the calls.
        """
        self._check_open()
        assert self._buffer is not None
        return self._buffer.discard()


def _forgotten(core: Core, buffer: Buffer, report: Callable[[Buffer], object]) -> None:
    core.gathering.pop(buffer, None)
    report(buffer)


class AnySession(AnyHandle):
    """What makes batches, and knows which of them are open."""

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
        """A batch: `with session.batch() as batch:`. What is saved and deleted through it is
        gathered, 25 to a BatchWriteItem, and stored when the `with` statement has ended.

        A batch has all verbs. Each has a buffer of its own, and any thread or task may use it until
        it ends, so batches nest and run side by side.

        Args:
            on_progress: Called with a `Progress` after every answer to the batch's writes, from the
                thread or task that had it; instead of the session's.
            write_units: Write no faster than so many capacity units a second, whichever threads or tasks
                write through the batch; where the session has a rate as well, both hold.

        Raises:
            SessionClosed: The session is closed.
            ModelError: *write_units* is not a positive number.
        """
        raise NotImplementedError

    def measure(self) -> Any:
        """A handle that counts what is done through it: `with session.measure() as cost:`.

        It has all verbs, as a batch has, and `batch()`. Counted is what goes through the handle, its
        batches and the pages that its queries fetch ahead, in whichever thread or task; what is done
        through the session meanwhile is not. The service says what each index has consumed as well.

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
        """What happens to the items of some models, as it happens: an iterator over the streams of their
        tables, with all of their shards, in this process.

        The changes of one key come in their order. Nothing is asked before the first one is wanted. The
        iterator's `token()` stands behind the change that it gave last, and `start=token` goes on from
        there; on several machines, `dynattrs.streams.Consumer` does that.

        Args:
            models_or_tables: The models whose items are wanted. A `Table` stands for all of its models.
            start: Where to begin. `"latest"`: with what happens from now on, which is the time of this call;
                `"horizon"`: with the oldest changes that there are, of the last 24 hours; an aware
                datetime: with what has happened since; or what `token()` gave. The times of records are
                rounded, so `"latest"` and datetimes may give some changes from just before, and miss none.
            follow: Whether to wait for more at the end of what there is. False ends there: where each shard
                has had nothing more for a while.
            until: An aware datetime: ends when all from before has come, which may be in the future.
            others: What becomes of items of other models of the tables: `"skip"`, or `"error"`, which makes
                them `Unreadable`.

        Yields:
            An `Inserted`, `Modified` or `Removed` for each change, or an `Unreadable`.

        Raises:
            QueryError: The arguments make no sense, or *start* is not a token, or one of other tables.
            NoStream: While iterating: a table has no stream, or none any more.
            StreamGap: While iterating: changes may be missing. It goes on behind that when the next one
                is asked for.
            Throttled: While iterating: the service wants fewer requests, still after pauses for as long as
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

    @classmethod
    def local(
        cls: type[Self],
        *,
        table_prefix: str = "",
        tables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        cursor_secret: str | bytes | None = None,
        clock: Callable[[], datetime] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        before_save: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
        after_load: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
        after_flush: Callable[[Flushed], object] | Sequence[Callable[[Flushed], object]] = (),
        s3_client: object = None,
    ) -> Self:
        """A session on an engine embedded in this process, empty and gone with the session.

        It needs `dynattrs[local]`, no Java, no account and no network. It listens on a free port of
        the loopback interface. It is for trying out and for tests; it is more lenient than the
        service, which the tests of what matters should know.

        Raises:
            MissingExtra: The extra is not installed.
        """
        from dynattrs.wire.local_engine import start

        engine = start()
        try:
            return cls._on(
                engine, table_prefix=table_prefix, tables=tables, concurrency=concurrency,
                cursor_secret=cursor_secret, clock=clock, on_progress=on_progress,
                before_save=before_save, after_load=after_load, after_flush=after_flush,
                s3_client=s3_client,
            )  # fmt: skip
        except BaseException:
            engine.stop()
            raise

    @classmethod
    def _on(cls: type[Self], engine: Lease, **options: object) -> Self:
        """A session on a running engine, which it stops when it is closed or forgotten."""
        raise NotImplementedError

    def close(self) -> Any:
        """End the session: threads or tasks, connections, and after `local()` the engine.

        Leaving `with session:` does the same. A client that was handed in stays open. Closing twice
        is fine.

        Raises:
            SessionClosed: A batch of it is still open. Nothing is lost: the session stays open, and
                the batch can still be ended.
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
    """What is counted, whichever way it is waited for."""

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
        """A batch whose writes are counted; as `session.batch()`."""
        raise NotImplementedError

    def measure(self) -> Any:
        """A handle that counts a part of what this one counts."""
        raise NotImplementedError

    @property
    def usage(self) -> Usage:
        """All that was counted so far, in one."""
        return self._costs.total

    @property
    def requests(self) -> int:
        """Requests that were answered; refused ones too, because the service bills most of them."""
        return self._costs.total.requests

    @property
    def items(self) -> int:
        """Items that were read or written."""
        return self._costs.total.items

    @property
    def read_units(self) -> float:
        """Read capacity units, as far as the engine says."""
        return self._costs.total.read_units

    @property
    def write_units(self) -> float:
        """Write capacity units, as far as the engine says."""
        return self._costs.total.write_units

    @property
    def vector_bytes(self) -> float:
        """What vector indexes were searched or written for, in bytes, as far as the engine says."""
        return self._costs.total.vector_bytes

    @property
    def retries(self) -> int:
        """Attempts beyond the first of each call."""
        return self._costs.total.retries

    @property
    def seconds(self) -> float:
        """How long was waited for answers; of calls that were under way at once each counts in full."""
        return self._costs.total.seconds

    @property
    def by_operation(self) -> dict[str, Usage]:
        """What each of the service's operations has cost: `cost.by_operation["Query"].read_units`."""
        return self._costs.by_operation()

    @property
    def by_table(self) -> dict[str, Usage]:
        """What each table has cost, with its indexes, by its name at the service. A request that names
        several tables counts for each of them.
        """
        return self._costs.by_table()

    @property
    def by_index(self) -> dict[tuple[str, str | None], Usage]:
        """What each index has cost, by the table's name and its own; a table itself has None. Writes are
        requests to a table, and their units are those of all indexes that they change.
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


def check_client_options(owner: str, client: object, options: Mapping[str, object]) -> None:
    """Refuse what would be ignored beside a client, or beside a session to make one from.

    Args:
        owner: The session's class, for messages.
        client: The client that was handed in, or None.
        options: What is for making one, by name; the session to make it from comes first.
    """
    given = [name for name, value in options.items() if value is not None]
    if client is not None and given:
        raise ModelError(owner, f"client is given, so {', '.join(given)} would be ignored")
    maker = next(iter(options))
    if options[maker] is not None and options["profile_name"] is not None:
        raise ModelError(owner, f"{maker} is given, so profile_name would be ignored")


#: The clients besides DynamoDB's that a session may be given, with their services.
_OTHER_CLIENTS: Final = {"streams_client": "dynamodbstreams", "s3_client": "s3"}


def check_other_client(owner: str, name: str, client: Any, *, awaited: bool) -> None:
    """Refuse a client that cannot be used. One that is not botocore's is taken as it is.

    Args:
        owner: The session's class, for messages.
        name: The argument, `"streams_client"` or `"s3_client"`.
        client: The client that was handed in, or None.
        awaited: Whether it has to be aiobotocore's.
    """
    if client is None:
        return
    expected = _OTHER_CLIENTS[name]
    if awaited and not hasattr(client, "meta") and hasattr(client, "__aenter__"):
        raise ModelError(
            owner,
            f"{name} has not been entered; write `async with session.create_client({expected!r}) as client`",
        )
    from botocore.client import BaseClient

    if not isinstance(client, BaseClient):
        return
    service = client.meta.service_model.service_name
    if service != expected:
        raise ModelError(owner, f"{name} is one of {service!r}, and {expected!r} is expected")
    if is_awaited(client) is not awaited:
        ours = "boto3's, for dynattrs.Session"
        theirs = "aiobotocore's, for dynattrs.aio.AsyncSession"
        raise ModelError(owner, f"{name} is {ours if awaited else theirs}")


def is_awaited(client: object) -> bool:
    """Whether a client is aiobotocore's, whose methods are awaited."""
    return any(each.__module__.partition(".")[0] == "aiobotocore" for each in type(client).__mro__)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)
