"""What a session and a batch have in common, whichever way they wait.

The verbs are written once, in `operations`. Methods whose results differ in type between `Session`
and `AsyncSession`, or that have overloads of their own, are declared in both, and documented here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from dynattrs.deferral import deferred
from dynattrs.operations.flows import Flow, verb
from dynattrs.operations.reading.verbs import ReadVerbs
from dynattrs.operations.writing.verbs import WriteVerbs
from dynattrs.wire.exchange import Stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynattrs.frames import saving
    from dynattrs.operations.reading.projections import OnError
    from dynattrs.operations.writing.edits import Edit
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.session import shown
else:
    saving = deferred("dynattrs.frames.saving")
    shown = deferred("dynattrs.session.shown")

A = TypeVar("A")
H = TypeVar("H", bound="AnyHandle")


class AnyEditing(Generic[H, A]):
    """The block of `session.edit(obj)`."""

    def __init__(self, handle: H, obj: A, edit: Edit) -> None:
        self._handle = handle
        self._obj = obj
        self._edit = edit

    def __repr__(self) -> str:
        return shown.editing(self, self._obj)


class AnyHandle(WriteVerbs, ReadVerbs):
    """What a session and a batch have in common."""

    _driver: Any

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} holds connections and threads and cannot be pickled; make a "
            f"Session in each process"
        )

    def save(self, *args: Any, **options: Any) -> Any:
        """Put an object: store it whole, over what is stored under its key.

        Through a batch it is gathered, 25 to a BatchWriteItem, and stored when the batch has ended;
        its state now is what is stored. With *when* or *returning*, or where the model has a version or
        unique fields, and through a session, it is written now: by one PutItem, or where a unique value
        changes by a transaction.

        Args:
            obj: The object.
            when: A condition that must be true.
            returning: Give what was stored under the key before.

        Returns:
            The object; for a frozen class with a version or time stamps, the one that is stored. With
            *returning* the item that was replaced, or None where there was none of the model.

        Raises:
            MappingError: A value has no place in DynamoDB. Nothing is sent. Or, with *returning*, the
                item that was replaced cannot be read; the object is stored then.
            ConditionFailed: *when* is false, or another writer has changed the stored version.
            AlreadyTaken: Another item has the value of a unique field.
            OutcomeUnknown: A reply was lost, and nothing tells whether the object is stored, or with
                *returning* what it has replaced.
            UnsentWrites: Through a batch: earlier writes have failed for good.
        """
        raise NotImplementedError

    @verb
    def save_frame(
        self,
        model: type[object],
        frame: object,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        on_error: OnError = "raise",
        unknown: Literal["forbid", "drop"] = "forbid",
    ) -> Flow[int]:
        """Save the rows of a frame as objects of a model, as `save_all` saves objects.

        Columns are fields, by their names in Python. A missing value, which is a null, and in pandas NaN,
        NaT and NA as well, is None where the field is optional, else its default. The page *Frames* of the
        guide says what cells become.

        Args:
            model: The model.
            frame: A DataFrame of pandas or Polars; a table, record batch or reader of pyarrow, or what else
                gives a stream of Arrow (`__arrow_c_stream__`).
            on_progress: As `save_all` takes it.
            on_error: What to do with a row that is not an object of the model: `"raise"` a `BadRow`, when
                the rows before it are stored (through a batch they are gathered); `"skip"` it; or a function
                that gets the `BadRow`, after which the next row is taken.
            unknown: What to do with columns that are not fields: `"forbid"` or `"drop"` them.

        Returns:
            How many rows were saved.

        Raises:
            BadRow: A value does not fit its field, and *on_error* is `"raise"`. It names the row and the
                column.
            QueryError: Before anything is written: a column is not a field, or a field without a default has
                no column; or *frame* is none.
            UnsentWrites: As `save_all`.
        """
        return (yield from saving.save_frame(self, model, frame, on_progress, on_error, unknown))

    def delete(self, *args: Any, **options: Any) -> Any:
        """Delete an object's item, or the one with a key: `delete(song)`, `delete(Song, key)`.

        Deleting an item that does not exist is not an error. Through a batch it is gathered; with
        *when* or *returning*, or where the object has a version, and through a session, it is one
        DeleteItem now. An item of another model of the table stays: it is as if there were none.

        Returns:
            With *returning* the item that was there, or None.

        Raises:
            ConditionFailed: *when* is false, or another writer has changed the stored version.
        """
        raise NotImplementedError

    def update(self, *args: Any, **options: Any) -> Any:
        """Change an item where it is, with one UpdateItem now: `update(Song, key, *actions)` or
        `update(song, *actions)`, which checks the object's version and leaves the object as it is.

        Args:
            subject: A model class, with the key after it, or an object.
            key: A scalar, a tuple `(partition, sort)`, or a dict of fields.
            actions: `set_`, `remove`, `add`, `delete`.
            when: A condition that must be true.
            upsert: Make the item if there is none: whole, of the key and the defaults, or of the
                object, with the actions done to them.
            returns: The new item, the old one, `"changed"` or `"changed_old"` for a dict of the new or
                the old values by path, or None.

        Raises:
            NoSuchItem: There is no such item of the model, and *upsert* was not said, or *when* is
                not true of that.
            ItemExists: With *upsert*: an item of another model of the table lies under the key.
            ConditionFailed: *when* is false, or the version is another; `.item` is what is stored.
            ConditionError: Actions that DynamoDB would refuse: none, overlapping, on the key. With
                *upsert*: a new item would lack a field, or an action cannot be done to it.
            MappingError: A validator refuses what would be stored.
        """
        raise NotImplementedError

    def query(self, *args: Any, **options: Any) -> Any:
        """A lazy query for the items of a model: `query(Song).where(Song.artist == "...")`; or of
        several models of one `Table`, in stored order: `query(User, Order)`.

        Raises:
            QueryError: The models are not of one table, or nothing tells their items apart.
        """
        raise NotImplementedError

    def scan(self, *args: Any, **options: Any) -> Any:
        """A lazy scan of the whole table of a model, or of several. It reads, and costs, everything in
        the table.
        """
        raise NotImplementedError

    def get(self, *args: Any, **options: Any) -> Any:
        """The item with a key, or None: `get(Song, key)`. Of parts of it only these are sent.

        Args:
            model: The model class.
            key: A scalar, a tuple `(partition, sort)`, or a dict of fields.
            as_: Another class, which has some of the model's fields: what comes is an object of that.
            select: Fields, or places inside them, in a tuple, `select=(Song.title, Song.plays)`: what
                comes is a tuple of their values. None stands where a place is absent.
            consistent: Read what every earlier acknowledged write left, at twice the capacity.
            unexpired: None also for an item whose time to live is over and that is not removed yet.

        Raises:
            OtherKind: An item of another model of the table lies under the key.
            MappingError: The key does not fit the model, or the item cannot be read as one.
            QueryError: *as_* or *select* name what the model does not have, or *as_* is a model of the same
                table; or *unexpired* is said of a model without a time to live.
        """
        raise NotImplementedError

    def get_one(self, *args: Any, **options: Any) -> Any:
        """The item with a key. The arguments are those of `get`.

        Raises:
            NoSuchItem: There is none.
            OtherKind: An item of another model of the table lies under the key.
            MappingError: The key does not fit the model, or the item cannot be read as one.
            QueryError: As `get`.
        """
        raise NotImplementedError

    def search(self, *args: Any, **options: Any) -> Any:
        """A lazy search for the items whose vectors are nearest to one, the nearest first:
        `search(Doc.embedding, vector, top_k=5).where(Doc.tenant == "a").hydrate()`.

        It needs a `VectorIndex` over the field. Each `Hit` has the item, its score and what that means.
        One request finds them, and there are no further pages; on the service the answer is
        approximate, and a moment behind what was written.

        Args:
            subject: A field of a model, or a model that has one vector only. To checkers a field says
                nothing of its model: `search(Doc, vector)` and *model* do.
            vector: The numbers: a list, an `array.array`, a numpy array of one dimension. They are
                rounded to 32-bit floats.
            top_k: How many hits there are at most, 1 to 100.
            model: The model, for checkers, or where it has inherited the field.

        Raises:
            NoIndex: The model declares no vector index over the field.
            QueryError: The vector has another length than the index has dimensions, or a member that is
                no number that a 32-bit float holds.
        """
        raise NotImplementedError

    def get_many(self, *args: Any, **options: Any) -> Any:
        """A lazy stream of the items with some keys: 100 to a BatchGetItem, several in flight. The keys
        are those of one model, `get_many(Song, keys)`, or of several, whose tables may differ:
        `get_many([(User, key), (Order, key)])`.

        Each key is read once, however often it is given, and has one result at most, also with *ordered*
        and *missing*.

        Args:
            model: The model class; or pairs of a model and a key, and no keys.
            keys: Keys as `get` takes them; may be a generator, as may the pairs.
            as_: As in `get`. All models that are asked for must have the fields.
            select: As in `get`.
            ordered: Keep the order of the keys.
            missing: `"skip"` keys without an item, or give None in their place, in the order of
                the keys. Either way they are in `.missing` afterwards.
            consistent: Read what every earlier acknowledged write left, at twice the capacity.
            unexpired: Items whose time to live is over, and that are not removed yet, are missing.

        Raises:
            QueryError: As `get`; or one item is asked for as two models.
        """
        raise NotImplementedError

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run a PartiQL statement now; further pages of rows are read as they are iterated.

        Args:
            statement: The statement, with the table's real name, and `?` for parameters.
            parameters: Values for the `?`, any that a field of type `Any` can have.
            model: The class of the rows; without it they are dicts of plain values. A SELECT of
                only some attributes, and RETURNING MODIFIED, is refused with it: a half-read object
                must never be saved.
            consistent: Read what every earlier acknowledged write left.

        Raises:
            QueryError: The statement gives parts of items as objects.
        """
        raise NotImplementedError

    def execute_many(self, *args: Any, **options: Any) -> Any:
        """Run many PartiQL statements now, 25 to a BatchExecuteStatement: `execute_many([(statement,
        *parameters), …])`, or one with many parameters, `execute_many(statement, rows)`.

        Each statement is of one item, which its WHERE names by the whole key, and is done or not by
        itself. What is throttled is sent again until the deadline. Requests that read run several at
        once. Of those that write DynamoDB refuses one with two statements on the same item, and all that
        are in it: what is to be done twice to an item goes in two calls.

        Args:
            statements: Statements; one with parameters is a tuple.
            rows: Tuples of parameters, where there is one statement.
            model: The class of the rows, as `execute` takes it.
            consistent: Read what every earlier acknowledged write left.

        Returns:
            The row of each statement, in their order: of a SELECT, or of RETURNING; None where there is
            none.

        Raises:
            StatementsFailed: Some were not done, or may not be; it names each with its cause, and has the
                rows of the others.
            QueryError: Some read and others write, or one gives a part of an item as an object. Nothing
                was sent.
        """
        raise NotImplementedError

    def edit(self, *args: Any, **options: Any) -> Any:
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
        raise NotImplementedError

    def transaction(self, *args: Any, **options: Any) -> Any:
        """A block of writes that happen all or not at all: one TransactWriteItems on leaving.

        Args:
            token: An idempotency key of yours: within ten minutes the same transaction with the
                same token happens once. 1 to 36 characters. Without it each transaction has a
                new one.
            now: The time for `created=True` and `updated=True`, aware; without it the session's
                clock says it. A transaction with your token has no clock, because it would differ
                whenever it is repeated.

        Raises:
            TransactionFailed: On leaving: nothing was written; `.reasons` says why.
            TransactionError: It cannot be sent: over 100 actions or 4 MB, two on one item, a time
                stamp with a token and without *now*. Or its token was used for one that does
                something else.
        """
        raise NotImplementedError

    def lock(
        self,
        name: str,
        /,
        *,
        for_: timedelta,
        wait: timedelta | None = None,
        table: str = "dynattrs-leases",
    ) -> Any:
        """A block that one holder at a time is in, of all that use the name: `with session.lock("nightly",
        for_=timedelta(minutes=5)) as lock:`.

        The lock is an item of a table that is made on first use. It is renewed in the background, by one
        small write each third of its time, and is taken over when its holder has not renewed it for all
        of that time, by the clock of who waits. It is not mutual exclusion without its fencing number: a
        holder that stood still may go on when another one has the lock. `t.check_lock(lock)` in a
        transaction refuses that.

        Args:
            name: What holders share.
            for_: How long the lock holds after it was renewed: how long others wait when its holder dies.
            wait: How long to wait for it; None for as long as it takes, `timedelta()` not at all.
            table: The table's name, before the session's `table_prefix` and `tables`.

        Raises:
            LockHeld: On entering: another one had it for all the time that was to be waited.
            LockLost: On leaving: it was lost in the meantime, and the block raised nothing itself.
            ModelError: An argument is none that can be.
        """
        raise NotImplementedError

    def transact_get(self, *args: Any, **options: Any) -> Any:
        """Items of any models as they were at one moment: `transact_get((Song, key), (User, key))`.

        Args:
            wanted: Pairs of a model and a key.
            as_: As in `get`. All models that are asked for must have the fields.
            select: As in `get`.

        Returns:
            The items in the order asked for, None for each that is not there. At most 100.

        Raises:
            TransactionError: More than 100 are asked for.
            TransactionFailed: Writes got in the way until the deadline.
            QueryError: As `get`.
        """
        raise NotImplementedError

    @property
    def tables(self) -> Any:
        """Create, compare, describe and delete tables."""
        raise NotImplementedError

    @property
    def client(self) -> Any:
        """The botocore client, for everything that has no verb here. Under asyncio it is awaited:
        `client = await session.client` opens it if need be.
        """
        raise NotImplementedError

    @property
    def stats(self) -> Stats:
        """What has been asked of the service so far."""
        stats: Stats = self._driver.wire.stats
        stats.hot_keys = self._core.hot_keys
        return stats
