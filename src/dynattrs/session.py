"""`Session`: the flows driven over boto3, in threads.

This is one of the two places that wait, sleep or open a connection.
"""

from __future__ import annotations

import random
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

from dynattrs.errors import ModelError, QueryError, SessionClosed
from dynattrs.expressions.updates import Action
from dynattrs.model import Instance, M
from dynattrs.operations import batch, edits
from dynattrs.operations.batch import Buffer
from dynattrs.operations.batch_get import BatchGet
from dynattrs.operations.core import Core
from dynattrs.operations.edits import Edit
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Start, Sync, Wait, WaitAny
from dynattrs.operations.partiql import Statement
from dynattrs.operations.query import Page, QueryVerbs, Stream
from dynattrs.operations.readers import Keys, Objects, Raw, projected, selected
from dynattrs.operations.tables import TableVerbs
from dynattrs.operations.transactions import TransactionVerbs
from dynattrs.operations.updates import Returns
from dynattrs.operations.verbs import NO_KEY, Verbs
from dynattrs.schema import AttributeMap, model_info
from dynattrs.wire import Stats, Wire, configured

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

__all__ = ["Block", "Editing", "Items", "Query", "Rows", "Session", "Tables", "Transaction"]


class _Driver:
    """Does what flows ask for: calls over the wire, pauses by sleeping, tasks in a thread pool."""

    def __init__(self, wire: Wire, workers: int) -> None:
        self.wire = wire
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self.closed = False

    def run(self, flow: Flow[R]) -> R:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self._perform(effect)
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            return cast("R", stop.value)

    def _perform(self, effect: object) -> Any:
        if isinstance(effect, Call):
            return self.wire.call(effect)
        if isinstance(effect, Pause):
            return time.sleep(effect.seconds)
        if isinstance(effect, Start):
            return self._submit(effect.flow)
        if isinstance(effect, WaitAny):
            done, _ = futures.wait(cast("Any", effect.tasks), return_when=futures.FIRST_COMPLETED)
            return done.pop()
        assert isinstance(effect, Wait)
        try:
            return cast("Future[Any]", effect.task).result()
        except CancelledError:
            raise SessionClosed from None

    def _submit(self, flow: Flow[Any]) -> Future[Any]:
        with self._lock:
            if self.closed:
                raise SessionClosed
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="dynattrs")
            return self._pool.submit(self.run, flow)

    def close(self) -> None:
        with self._lock:
            self.closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            # Batches of a save_all in another thread are still sent.
            pool.shutdown(wait=True)


class Query(QueryVerbs[M_co], Sync):
    """A lazy query or scan: iterate over it, or call one of its ends. No request before that."""

    _handle: _Handle

    def _drive(self, flow: Flow[R]) -> R:
        return self._handle._drive(flow)

    def __iter__(self) -> Iterator[M_co]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page[M_co]]:
        """The pages as the service returns them. Under a filter a page may be empty."""
        stream = Stream(self)
        try:
            while (page := self._drive(stream.next())) is not None:
                yield page
        finally:
            stream.close()

    # What changes the type of the results is declared here, and once more for asyncio.

    def as_(self, cls: type[A], /) -> Query[A]:
        """Objects of another class, which has some of the model's fields; only these are read.

        Raises:
            QueryError: It has a field that the model has not.
        """
        return cast("Query[A]", self._with(_reader=projected(self._info, cls)))

    @overload
    def select(self, one: A, /) -> Query[tuple[A]]: ...
    @overload
    def select(self, one: A, two: B, /) -> Query[tuple[A, B]]: ...
    @overload
    def select(self, one: A, two: B, three: C, /) -> Query[tuple[A, B, C]]: ...
    @overload
    def select(self, one: A, two: B, three: C, four: D, /) -> Query[tuple[A, B, C, D]]: ...
    @overload
    def select(self, *paths: object) -> Query[tuple[Any, ...]]: ...
    def select(self, *paths: object) -> Query[Any]:
        """Tuples of some fields, or of places inside them; only these are read.

        Raises:
            QueryError: One is no field of the model.
        """
        return cast("Query[Any]", self._with(_reader=selected(self._info, paths)))

    def keys(self) -> Query[dict[str, Any]]:
        """The keys only, as dicts of fields: what `get` and `delete` take."""
        return cast("Query[dict[str, Any]]", self._with(_reader=Keys(self._info)))

    def raw(self) -> Query[AttributeMap]:
        """Attribute maps, as they are stored."""
        return cast("Query[AttributeMap]", self._with(_reader=Raw()))


class Items(Generic[M_co]):
    """A lazy stream of the items of many keys. It can be iterated once."""

    def __init__(self, handle: _Handle, found: BatchGet[M_co]) -> None:
        self._handle = handle
        self._found = found

    def __iter__(self) -> Iterator[M_co]:
        try:
            while (items := self._handle._drive(self._found.next())) is not None:
                yield from cast("list[M_co]", items)
        finally:
            self._found.close()

    @property
    def missing(self) -> list[Any]:
        """The keys, as they were given, of which there was no item so far; all of them at the
        end.
        """
        return self._found.missing


class Rows(Generic[M_co]):
    """The rows of a PartiQL statement, read lazily from the second page on. It can be iterated
    once.
    """

    def __init__(self, handle: _Handle, statement: Statement[M_co], first: list[M_co]) -> None:
        self._handle = handle
        self._statement = statement
        self._first = first

    def __iter__(self) -> Iterator[M_co]:
        rows: list[M_co] | None = self._first
        self._first = []
        while rows is not None:
            yield from rows
            rows = self._handle._drive(self._statement.next())


class Editing(Generic[A]):
    """The block of `session.edit(obj)`."""

    def __init__(self, handle: _Handle, obj: A, edit: Edit) -> None:
        self._handle = handle
        self._obj = obj
        self._edit = edit

    def __enter__(self) -> A:
        return self._obj

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._handle._finish_edit(self._edit)
        else:
            edits.failed(self._edit)


class Transaction(TransactionVerbs):
    """The block of `session.transaction()`: what is done through it happens all or not at all."""

    _handle: _Handle

    def __enter__(self) -> Transaction:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        if error is None:
            self._handle._drive(self._commit())


class Tables(TableVerbs, Sync):
    """`session.tables`: tables from the declarations."""

    def __init__(self, handle: _Handle) -> None:
        self._core = handle._core
        self._handle = handle

    def _drive(self, flow: Flow[R]) -> R:
        self._handle._check_open()
        return self._handle._drive(flow)


class _Handle(Verbs, Sync):
    """What a session and the handle of a block have in common."""

    _driver: _Driver

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} holds connections and threads and cannot be pickled; make a "
            f"Session in each process"
        )

    def _drive(self, flow: Flow[R]) -> R:
        return self._driver.run(flow)

    @overload
    def delete(self, subject: type[M], key: object, /, *, when: bool | None = None) -> None: ...
    @overload
    def delete(
        self,
        subject: type[M],
        key: object,
        /,
        *,
        when: bool | None = None,
        returning: Literal[True],
    ) -> M | None: ...
    @overload
    def delete(self, subject: Instance, /, *, when: bool | None = None) -> None: ...
    @overload
    def delete(
        self, subject: M, /, *, when: bool | None = None, returning: Literal[True]
    ) -> M | None: ...
    def delete(
        self,
        subject: Any,
        key: Any = NO_KEY,
        /,
        *,
        when: bool | None = None,
        returning: bool = False,
    ) -> Any:
        """Delete an object's item, or the one with a key: `delete(song)`, `delete(Song, key)`.

        It is no error if there is none. Inside a block it is gathered; with *when* or *returning*,
        or where the object has a version, and outside a block, it is one DeleteItem now.

        Returns:
            With *returning* the item that was there, or None.

        Raises:
            ConditionFailed: *when* is false, or another writer has changed the stored version.
        """
        return self._drive(self._delete(subject, key, when=when, returning=returning))

    @overload
    def update(
        self,
        subject: type[M],
        key: object,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["new"] = "new",
    ) -> M: ...
    @overload
    def update(
        self,
        subject: type[M],
        key: object,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["old"],
    ) -> M | None: ...
    @overload
    def update(
        self,
        subject: type[M],
        key: object,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["changed"],
    ) -> dict[str, Any]: ...
    @overload
    def update(
        self,
        subject: type[M],
        key: object,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: None,
    ) -> None: ...
    @overload
    def update(
        self,
        subject: M,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["new"] = "new",
    ) -> M: ...
    @overload
    def update(
        self,
        subject: M,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["old"],
    ) -> M | None: ...
    @overload
    def update(
        self,
        subject: Instance,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["changed"],
    ) -> dict[str, Any]: ...
    @overload
    def update(
        self,
        subject: Instance,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: None,
    ) -> None: ...
    def update(
        self,
        subject: Any,
        key: Any = NO_KEY,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Returns = "new",
    ) -> Any:
        """Change an item where it is, with one UpdateItem now: `update(Song, key, *actions)` or
        `update(song, *actions)`, which checks the object's version and leaves the object as it is.

        Args:
            subject: A model class, with the key after it, or an object.
            key: A scalar, a tuple `(partition, sort)`, or a dict of fields.
            actions: `set_`, `remove`, `add`, `delete`.
            when: A condition that must be true.
            upsert: Make the item if there is none, of the key and what the actions set.
            returns: The new item, the old one, `"changed"` for a dict of the new values by path,
                or None.

        Raises:
            NoSuchItem: There is no such item, and *upsert* was not said.
            ConditionFailed: *when* is false, or the version is another; `.item` is what is stored.
            ConditionError: Actions that DynamoDB would refuse: none, overlapping, on the key.
        """
        return self._drive(
            self._update(subject, key, actions, when=when, upsert=upsert, returns=returns)
        )

    def query(self, model: type[M], /) -> Query[M]:
        """A lazy query for the items of a model: `query(Song).where(Song.artist == "...")`."""
        return self._lazy(model, "query")

    def scan(self, model: type[M], /) -> Query[M]:
        """A lazy scan of a model's whole table. It reads, and costs, everything in it."""
        return self._lazy(model, "scan")

    def _lazy(self, model: type[M], operation: Literal["query", "scan"]) -> Query[M]:
        info = model_info(getattr(model, "__origin__", model))
        return Query(self, info, operation, Objects(info, model))

    @overload
    def get_many(
        self,
        model: type[M],
        keys: Iterable[object],
        /,
        *,
        ordered: bool = False,
        missing: Literal["skip"] = "skip",
        consistent: bool = False,
    ) -> Items[M]: ...
    @overload
    def get_many(
        self,
        model: type[M],
        keys: Iterable[object],
        /,
        *,
        ordered: bool = False,
        missing: Literal["none"],
        consistent: bool = False,
    ) -> Items[M | None]: ...
    def get_many(
        self,
        model: type[M],
        keys: Iterable[object],
        /,
        *,
        ordered: bool = False,
        missing: Literal["skip", "none"] = "skip",
        consistent: bool = False,
    ) -> Items[Any]:
        """A lazy stream of the items with some keys: 100 to a BatchGetItem, several in flight.

        Each key is read once, however often it is given.

        Args:
            model: The model class.
            keys: Keys as `get` takes them; may be a generator.
            ordered: Keep the order of the keys.
            missing: `"skip"` keys without an item, or give None in their place, in the order of
                the keys. Either way they are in `.missing` afterwards.
            consistent: Read what every earlier acknowledged write left, at twice the capacity.
        """
        if missing not in ("skip", "none"):
            raise QueryError(f"get_many(missing={missing!r}): write 'skip' or 'none'")
        found = self._batch_get(
            model, keys, consistent=consistent, ordered=ordered, none_for_missing=missing == "none"
        )
        return Items(self, found)

    @overload
    def execute(
        self, statement: str, /, *parameters: object, model: type[M], consistent: bool = False
    ) -> Rows[M]: ...
    @overload
    def execute(
        self, statement: str, /, *parameters: object, model: None = None, consistent: bool = False
    ) -> Rows[dict[str, Any]]: ...
    def execute(
        self, statement: str, /, *parameters: object, model: Any = None, consistent: bool = False
    ) -> Rows[Any]:
        """Run a PartiQL statement now; further pages of rows are read as they are iterated.

        Args:
            statement: The statement, with the table's real name, and `?` for parameters.
            parameters: Values for the `?`, any that a field of type `Any` can have.
            model: The class of the rows; without it they are dicts of plain values.
            consistent: Read what every earlier acknowledged write left.
        """
        made, first = self._drive(
            self._statement(statement, parameters, model, consistent=consistent)
        )
        return Rows(self, made, first)

    def edit(self, obj: M, /, *, guard: bool = False) -> Editing[M]:
        """A block that changes an object, and on leaving writes only what has changed.

        In-place changes count (`song.tags.add`, a nested field). It is one UpdateItem, or no request
        where nothing has changed; an exception inside sends nothing. Attributes that the class does
        not know stay as they are.

        Args:
            obj: The object, as it was read.
            guard: Demand that the places that change are still as they were read.

        Raises:
            NoSuchItem: On leaving: the item is gone.
            ConditionFailed: On leaving: the version is another one, or *guard* found a change.
            ConditionError: On leaving: the key was changed.
        """
        self._check_writable()
        return Editing(self, obj, edits.begin(obj, guard=guard))

    def transaction(self, *, token: str | None = None) -> Transaction:
        """A block of writes that happen all or not at all: one TransactWriteItems on leaving.

        Args:
            token: An idempotency key of yours: within ten minutes the same transaction with the
                same token happens once. Without it each transaction has a new one.

        Raises:
            TransactionFailed: On leaving: nothing was written; `.reasons` says why.
            TransactionError: It cannot be sent: over 100 actions or 4 MB, two on one item.
        """
        self._check_writable()
        return Transaction(self, token)

    @overload
    def transact_get(self, one: tuple[type[A], object], /) -> tuple[A | None]: ...
    @overload
    def transact_get(
        self, one: tuple[type[A], object], two: tuple[type[B], object], /
    ) -> tuple[A | None, B | None]: ...
    @overload
    def transact_get(
        self,
        one: tuple[type[A], object],
        two: tuple[type[B], object],
        three: tuple[type[C], object],
        /,
    ) -> tuple[A | None, B | None, C | None]: ...
    @overload
    def transact_get(self, *wanted: tuple[type[Any], object]) -> tuple[Any, ...]: ...
    def transact_get(self, *wanted: tuple[type[Any], object]) -> tuple[Any, ...]:
        """Items of any models as they were at one moment: `transact_get((Song, key), (User, key))`.

        Returns:
            The items in the order asked for, None for each that is not there. At most 100.
        """
        return self._transact_get(wanted)

    @property
    def tables(self) -> Tables:
        """Create, compare, describe and delete tables."""
        return Tables(self)

    @property
    def client(self) -> DynamoDBClient:
        """The botocore client, for everything that has no verb here."""
        return cast("DynamoDBClient", self._driver.wire.client)

    @property
    def stats(self) -> Stats:
        """What has been asked of the service so far."""
        return self._driver.wire.stats


class Block(_Handle):
    """The handle of a `with session as s:` block: what is written through it is gathered.

    It may be used by many threads. It ends with the block.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._core = session._core
        self._driver = session._driver
        self._buffer = Buffer()
        self._closed = None

    def _end(self, error: BaseException | None) -> None:
        assert self._buffer is not None
        self._closed = "block"
        self._drive(batch.end(self._core, self._buffer, error))


class _Pairing:
    """Ties the two halves of one `with` statement together.

    Python looks up `__enter__` and `__exit__` of a `with` statement one right after the other, in
    this order or, since 3.14, in the other, before it calls the first; `ExitStack` does the same.
    So what two look-ups in a row from one frame find belongs to one statement, whatever other
    threads, generators and suspended frames do with the same session.
    """

    __slots__ = ("block", "frame", "half")

    def __init__(self, half: str, frame: int) -> None:
        self.half = half
        self.frame = frame
        self.block: Block | None = None


_looked_up = threading.local()


def _paired(half: str) -> _Pairing:
    frame = id(sys._getframe(2))
    other: _Pairing | None = getattr(_looked_up, "pairing", None)
    if other is not None and other.half != half and other.frame == frame:
        _looked_up.pairing = None
        return other
    _looked_up.pairing = made = _Pairing(half, frame)
    return made


class _Enter:
    def __get__(self, session: Session | None, owner: Any = None) -> Callable[..., Block]:
        pairing = _paired("enter")

        def enter(session: Session) -> Block:
            """Begin a block: what is written through its handle is gathered, and stored when the
            block has ended.
            """
            session._check_open()
            pairing.block = block = Block(session)
            session._blocks.append(block)
            return block

        return enter if session is None else lambda: enter(session)


class _Exit:
    def __get__(self, session: Session | None, owner: Any = None) -> Callable[..., None]:
        pairing = _paired("exit")

        def leave(
            session: Session,
            kind: type[BaseException] | None = None,
            error: BaseException | None = None,
            traceback: TracebackType | None = None,
        ) -> None:
            # Without a pair somebody calls `__exit__` by hand: the block that was opened last.
            block = pairing.block or next(reversed(session._blocks), None)
            if block is None or block not in session._blocks:
                raise SessionClosed("block")
            session._blocks.remove(block)
            block._end(error)

        if session is None:
            return leave
        return lambda *error: leave(session, *error)


class Session(_Handle):
    """The way to the service: saves, reads, queries, tables.

    One session serves a whole program, in all threads. Outside a block it writes each item at once;
    `with session as s:` opens a block whose handle `s` gathers writes.

    Args:
        client: A botocore client to use as it is. The five that follow are for making one.
        boto3_session: A boto3 session to make the client from.
        region_name: As boto3's, as are the next three.
        profile_name: A profile of the AWS configuration.
        endpoint_url: Another endpoint, such as DynamoDB Local's.
        config: A `botocore.config.Config`.
        table_prefix: Put before the declared name of every table: `"dev-"`.
        tables: Real names of tables by declared name; they take no prefix.
        concurrency: How many batches may be in flight at once.
        deadline: How long batches are retried without any acknowledgement.
        cursor_secret: Signs cursors; without it anybody can read and make one. The same secret in
            every process that resumes them.
        clock: Gives the aware time for `created=True` and `updated=True`.
        fast: Read replies past botocore's parser, and check their CRC32 in every retry mode. False
            takes botocore's own ways throughout.

    Raises:
        ConfigurationError: There is no region, or no such profile.
    """

    def __init__(
        self,
        *,
        client: DynamoDBClient | None = None,
        boto3_session: Any = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        config: Any = None,
        table_prefix: str = "",
        tables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        deadline: timedelta = timedelta(seconds=60),
        cursor_secret: str | bytes | None = None,
        clock: Callable[[], datetime] | None = None,
        fast: bool = True,
    ) -> None:
        options = {
            "boto3_session": boto3_session, "region_name": region_name,
            "profile_name": profile_name, "endpoint_url": endpoint_url, "config": config,
        }  # fmt: skip
        given = [name for name, value in options.items() if value is not None]
        if client is not None and given:
            raise ModelError("Session", f"client is given, so {', '.join(given)} would be ignored")
        if boto3_session is not None and profile_name is not None:
            raise ModelError("Session", "boto3_session is given, so profile_name would be ignored")
        if type(concurrency) is not int or concurrency < 1:
            raise ModelError("Session", f"concurrency={concurrency!r}: a positive int is expected")
        if not isinstance(cast("object", deadline), timedelta):
            raise ModelError("Session", f"deadline={deadline!r}: a timedelta is expected")
        # A client that was handed in is its owner's to close.
        self._closing: list[Callable[[], object]] = []
        if client is None:
            client = configured(
                lambda: _make_client(boto3_session, profile_name, region_name, endpoint_url, config)
            )
            self._closing.append(cast("Any", client).close)
        environment = Environment(time.monotonic, random.random, clock or _utc_now)
        secret = cursor_secret.encode() if isinstance(cursor_secret, str) else cursor_secret
        if secret is not None and not secret:
            raise ModelError("Session", "cursor_secret is empty; leave it out, or give a secret")
        self._core = Core(
            environment, deadline, concurrency, table_prefix, dict(tables or {}), secret
        )
        # Besides the batches in flight, queries fetch one page ahead.
        self._driver = _Driver(Wire(client, fast=fast), workers=concurrency + 4)
        self._buffer = None
        self._closed = None
        self._blocks: list[Block] = []

    @classmethod
    def local(
        cls,
        *,
        table_prefix: str = "",
        tables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        cursor_secret: str | bytes | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> Session:
        """A session on an engine embedded in this process, empty and gone with the session.

        It needs `dynattrs[local]`, no Java, no account and no network. It listens on a free port of
        the loopback interface. It is for trying out and for tests; it is more lenient than the
        service, which the tests of what matters should know.

        Raises:
            MissingExtra: The extra is not installed.
        """
        import boto3

        from dynattrs.local import start

        lease = start()
        try:
            session = cls(
                client=boto3.client("dynamodb", **cast("Any", lease.client_arguments)),
                table_prefix=table_prefix,
                tables=tables,
                concurrency=concurrency,
                cursor_secret=cursor_secret,
                clock=clock,
            )
        except BaseException:
            lease.stop()
            raise
        # The engine also goes when everybody has forgotten the session without closing it.
        session._closing += (
            session.client.close,
            weakref.finalize(session._driver, lease.stop),
        )
        return session

    def close(self) -> None:
        """End the session: threads, connections, and after `Session.local()` the engine.

        A client that was handed in stays open. Closing twice is fine.

        Raises:
            SessionClosed: A block of it is still open.
        """
        if self._blocks:
            raise SessionClosed("session with open blocks")
        self._closed = "session"
        self._driver.close()
        closing, self._closing = self._closing, []
        for close in closing:
            close()

    if TYPE_CHECKING:

        def __enter__(self) -> Block:
            """Begin a block: what is written through its handle is gathered, and stored when the
            block has ended.
            """
            raise NotImplementedError

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> None: ...

    else:
        __enter__ = _Enter()
        __exit__ = _Exit()


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


def _make_client(
    boto3_session: Any, profile_name: str | None, region_name: str | None,
    endpoint_url: str | None, config: Any,
) -> Any:  # fmt: skip
    import boto3

    if boto3_session is None:
        boto3_session = boto3.session.Session(profile_name=profile_name)
    return boto3_session.client(
        "dynamodb", region_name=region_name, endpoint_url=endpoint_url, config=config
    )
