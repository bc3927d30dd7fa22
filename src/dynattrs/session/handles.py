"""What a session and the handle of a block have in common.

The verbs are written once, in `operations`. Those with overloads of their own are declared here, and
once more for asyncio.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

from dynattrs.errors import QueryError
from dynattrs.expressions.updates import Action
from dynattrs.model import Instance, M
from dynattrs.operations import edits
from dynattrs.operations.edits import Edit
from dynattrs.operations.flows import Flow, Sync
from dynattrs.operations.query import begin
from dynattrs.operations.tables import TableVerbs
from dynattrs.operations.transactions import TransactionVerbs
from dynattrs.operations.updates import Returns
from dynattrs.operations.verbs import NO_KEY, Verbs
from dynattrs.session.driver import Driver
from dynattrs.session.results import Items, Query, Rows
from dynattrs.wire import Stats

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")


class Editing(Generic[A]):
    """The block of `session.edit(obj)`."""

    def __init__(self, handle: Handle, obj: A, edit: Edit) -> None:
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

    _handle: Handle

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

    def __init__(self, handle: Handle) -> None:
        self._core = handle._core
        self._handle = handle

    def _drive(self, flow: Flow[R]) -> R:
        self._handle._check_open()
        return self._handle._drive(flow)


class Handle(Verbs, Sync):
    """What a session and the handle of a block have in common."""

    _driver: Driver

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

    @overload
    def query(self, one: type[M], /) -> Query[M]: ...
    @overload
    def query(self, one: type[A], two: type[B], /) -> Query[A | B]: ...
    @overload
    def query(self, one: type[A], two: type[B], three: type[C], /) -> Query[A | B | C]: ...
    @overload
    def query(
        self, one: type[A], two: type[B], three: type[C], four: type[D], /
    ) -> Query[A | B | C | D]: ...
    @overload
    def query(
        self, one: type[A], two: type[B], three: type[C], four: type[D], five: type[E], /
    ) -> Query[A | B | C | D | E]: ...
    @overload
    def query(
        self,
        one: type[Any],
        two: type[Any],
        three: type[Any],
        four: type[Any],
        five: type[Any],
        six: type[Any],
        /,
        *more: type[Any],
    ) -> Query[Any]: ...
    def query(self, *models: type[Any]) -> Query[Any]:
        """A lazy query for the items of a model: `query(Song).where(Song.artist == "...")`; or of
        several models of one `Table`, in stored order: `query(User, Order)`.

        Raises:
            QueryError: The models are not of one table, or nothing tells their items apart.
        """
        return self._lazy(models, "query")

    @overload
    def scan(self, one: type[M], /) -> Query[M]: ...
    @overload
    def scan(self, one: type[A], two: type[B], /) -> Query[A | B]: ...
    @overload
    def scan(self, one: type[A], two: type[B], three: type[C], /) -> Query[A | B | C]: ...
    @overload
    def scan(
        self, one: type[A], two: type[B], three: type[C], four: type[D], /
    ) -> Query[A | B | C | D]: ...
    @overload
    def scan(
        self, one: type[A], two: type[B], three: type[C], four: type[D], five: type[E], /
    ) -> Query[A | B | C | D | E]: ...
    @overload
    def scan(
        self,
        one: type[Any],
        two: type[Any],
        three: type[Any],
        four: type[Any],
        five: type[Any],
        six: type[Any],
        /,
        *more: type[Any],
    ) -> Query[Any]: ...
    def scan(self, *models: type[Any]) -> Query[Any]:
        """A lazy scan of the whole table of a model, or of several. It reads, and costs, everything in
        the table.
        """
        return self._lazy(models, "scan")

    def _lazy(self, models: Sequence[type[Any]], operation: Literal["query", "scan"]) -> Query[Any]:
        return begin(Query[Any], self, models, operation)

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
        unexpired: bool = False,
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
        unexpired: bool = False,
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
        unexpired: bool = False,
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
            unexpired: Items whose time to live is over, and that are not removed yet, are missing.
        """
        if missing not in ("skip", "none"):
            raise QueryError(f"get_many(missing={missing!r}): write 'skip' or 'none'")
        found = self._batch_get(
            model, keys, consistent=consistent, unexpired=unexpired, ordered=ordered,
            none_for_missing=missing == "none",
        )  # fmt: skip
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
            model: The class of the rows; without it they are dicts of plain values. A SELECT of
                only some attributes is refused with it: a half-read object must never be saved.
            consistent: Read what every earlier acknowledged write left.

        Raises:
            QueryError: The statement selects parts of items as objects.
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
