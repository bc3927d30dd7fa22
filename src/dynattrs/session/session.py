"""`Session`, which opens the connections and keeps the settings."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from dynattrs.deferral import deferred
from dynattrs.errors import ModelError
from dynattrs.models.hooks import Flushed
from dynattrs.models.model import M
from dynattrs.session.any_session import (
    AnyBatch,
    AnyMeasure,
    AnySession,
    core_of,
    limit_of,
    put_before,
)
from dynattrs.session.clients import check_client_options, check_other_client, is_awaited
from dynattrs.session.driver import Driver, caller
from dynattrs.session.handles import Handle
from dynattrs.tracebacks import hidden
from dynattrs.wire.boto_client import keep_all_connections, make_client, with_room
from dynattrs.wire.client import Wire
from dynattrs.wire.service_errors import configured

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynattrs.operations.writing import batch as gathered
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.schema.table import Table
    from dynattrs.streams import iterators
    from dynattrs.streams.iterators import Changes
    from dynattrs.streams.reading import Others
    from dynattrs.wire.local_engine import Lease
else:
    gathered = deferred("dynattrs.operations.writing.batch")
    # Imported when changes are asked for.
    iterators = deferred("dynattrs.streams.iterators")

__tracebackhide__ = hidden

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
Self = TypeVar("Self", bound="Session")

#: Requests in flight besides batches: queries fetch one page ahead.
_BESIDES: Final = 4


class Batch(Handle, AnyBatch):
    """A batch, which gathers the writes you make through it: `with session.batch() as batch:`.

    Any number of threads may use it. It begins and ends with its `with` statement, and cannot be used
    again.
    """

    if not TYPE_CHECKING:  # checkers read the handle

        def save(self, obj: M, *, when: bool | None = None, returning: bool = False) -> M | None:
            # Measured (benchmarks/second_ways.py): 4.0 -> 2.7 us a save. All but one of 25 send nothing, and
            # take no flow then. tests/property/test_sessions.py holds it to the verb.
            core = self._core
            slow = self._closed or self._session._closed or core.transactions or core.taking
            if when is None and not returning and not slow:
                assert self._buffer is not None
                whole = gathered.hold_packed(self._core, self._buffer, obj)
                if whole:
                    self._driver.drive(gathered.send_whole(self._core, self._buffer))
                if whole is not None:
                    return obj
            return super().save(obj, when=when, returning=returning)

    def __enter__(self) -> Batch:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # An interruption that strikes before the `try` leaves the batch open: nothing is called here.
        if self._closed is not None:
            self._check_begun()
        try:
            self._driver.drive(self._end(error))
        except BaseException as failure:
            self._driver.run(self._left(failure, error))
            raise
        finally:
            if self._apart is not None:
                self._apart.close()
            self._over()


class Session(Handle, AnySession):
    """A connection to DynamoDB: saves and reads objects, runs queries, creates tables.

    One session serves a whole program, in all threads. It writes each item at once;
    `with session.batch() as batch:` gathers writes. `with Session() as session:` closes it at the end; a
    session that lasts as long as the program needs no `with`.

    Args:
        client: A botocore client to use as it is. Without it, the session makes one from *boto3_session*,
            *region_name*, *profile_name*, *endpoint_url* and *config*.
        streams_client: A botocore client for `dynamodbstreams`. Without it, one is made when the first
            stream is read, with the region, credentials and config of the main client, and with its
            endpoint unless that is one of AWS's. You need it if streams have their own VPC endpoint.
        s3_client: A botocore client for `s3`, for fields with `InS3`. Without it, one is made in the same
            way when the first value is written to or fetched from S3.
        boto3_session: The boto3 session that makes the client.
        region_name: The AWS region, as in boto3.
        profile_name: A profile of the AWS configuration.
        endpoint_url: The URL of another endpoint, such as DynamoDB Local.
        config: A `botocore.config.Config`.
        table_prefix: A prefix for the declared name of every table: `"dev-"`.
        tables: Real table names by declared name. They get no prefix.
        concurrency: The most BatchWriteItem calls at once. A client made by the session keeps enough
            connections for the calls that run at once, unless *config* sets the number.
        deadline: How long batches, `get_many` and transactions are retried without any success, including
            botocore's retries. Calls still running then are waited for.
        call_timeout: The most time for one call, including its retries, its pauses and a reply that
            arrives slowly. After it the call raises `ConnectionFailed` or `OutcomeUnknown`. Without it
            only the client's own time-outs apply, which start again with each byte received.
        cursor_secret: A secret that signs cursors; without it, anyone can read or forge them. Use the
            same secret in every process that resumes them.
        clock: A function that returns the aware datetime for `created=True` and `updated=True` fields.
        on_progress: Called with a `Progress` after every response to the writes of a batch or a
            `save_all`, in the thread that received it. Each batch is counted separately.
        before_save: Called with each object of any model before it is saved, after the model's own hooks.
            One function or several.
        after_load: Called with each object that is read, after the model's own hooks. One function or
            several.
        after_flush: Called with a `Flushed` after gathered writes were sent.
        fast: Build requests and parse replies without botocore, unless a botocore event handler needs to
            see them. False leaves this to botocore, which is several times slower.
        slow: Log a warning for each call that takes this long or longer, retries included.
        costly: Log a warning for each call that consumes this many capacity units or more.
        write_units: The most write capacity units a second, over all threads and batches of the session.
            Writes wait for their turn. Writes by other programs do not count.

    Raises:
        ConfigurationError: No region is configured, or the profile does not exist.
    """

    def __init__(
        self,
        *,
        client: DynamoDBClient | None = None,
        streams_client: object = None,
        s3_client: object = None,
        boto3_session: object = None,
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
            "boto3_session": boto3_session, "region_name": region_name,
            "profile_name": profile_name, "endpoint_url": endpoint_url, "config": config,
        }  # fmt: skip
        check_client_options("Session", client, options)
        if is_awaited(client):
            raise ModelError("Session", "client is aiobotocore's, for dynattrs.aio.AsyncSession")
        check_other_client("Session", "streams_client", streams_client, awaited=False)
        check_other_client("Session", "s3_client", s3_client, awaited=False)
        self._core = core_of(
            "Session", caller=caller, cancellable=False, table_prefix=table_prefix,
            tables=tables, concurrency=concurrency, deadline=deadline,
            cursor_secret=cursor_secret, clock=clock, on_progress=on_progress, before_save=before_save,
            after_load=after_load, after_flush=after_flush,
        )  # fmt: skip
        limit = limit_of("Session", call_timeout)
        # A client that was handed in is its owner's to close.
        self._closing: list[Callable[[], object]] = []
        if client is None:
            needed = concurrency + _BESIDES
            with configured():
                client = make_client(
                    boto3_session, profile_name, region_name=region_name,
                    endpoint_url=endpoint_url, config=with_room(config, needed),
                )  # fmt: skip
            keep_all_connections(client, config, needed)
            self._closing.append(cast("Any", client).close)
        wire = Wire(
            client, fast=fast, events=self._core.events, limit=limit, streams=streams_client,
            s3=s3_client,
        )  # fmt: skip
        self._driver = Driver(wire, workers=concurrency + _BESIDES)
        put_before(self._driver, "Session", slow, costly, write_units)
        self._buffer = None
        self._closed = None
        self._batches = weakref.WeakSet()

    def batch(
        self,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        write_units: float | None = None,
    ) -> Batch:
        self._check_open()
        return Batch(self, on_progress, write_units)

    def measure(self) -> Measure:
        self._check_open()
        return Measure(self)

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
    ) -> Changes[A]: ...
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
    ) -> Changes[A | B]: ...
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
    ) -> Changes[A | B | C]: ...
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
    ) -> Changes[A | B | C | D]: ...
    @overload
    def changes(
        self,
        *models_or_tables: type[Any] | Table,
        start: datetime | str = ...,
        follow: bool = ...,
        until: datetime | None = ...,
        others: Others = ...,
    ) -> Changes[Any]: ...
    def changes(
        self,
        *models_or_tables: Any,
        start: datetime | str = "latest",
        follow: bool = True,
        until: datetime | None = None,
        others: Others = "skip",
    ) -> Any:
        self._check_open()
        return iterators.Changes(
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
        import boto3

        client = boto3.client("dynamodb", **cast("Any", engine.client_arguments))
        keep_all_connections(client, None)
        session = cls(client=client, **options)
        # The engine also goes when the session is forgotten without being closed.
        session._closing += (client.close, weakref.finalize(session._driver, engine.stop))
        return session

    def __enter__(self: Self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._check_no_batches()
        self._end()

    def close(self) -> None:
        self._check_no_batches()
        self._end()

    def _end(self) -> None:
        self._closed = "session"
        self._driver.close()
        closing, self._closing = self._closing, []
        for close in closing:
            close()


class Measure(Handle, AnyMeasure):
    """Counts the cost of the requests you make through it: `with session.measure() as cost:`.

    Any number of threads may use it. It begins and ends with its `with` statement; you can read the
    counts afterwards.
    """

    _session: Session | Measure

    def batch(
        self,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        write_units: float | None = None,
    ) -> Batch:
        self._check_open()
        return Batch(self, on_progress, write_units)

    def measure(self) -> Measure:
        self._check_open()
        return Measure(self)

    def __enter__(self) -> Measure:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._check_begun(error)
        self._closed = "ended"
        self._driver.close()
