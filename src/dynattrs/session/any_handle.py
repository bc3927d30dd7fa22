"""The methods that a session and a batch share, both in threads and under asyncio.

The verbs themselves are in `operations`. Methods whose result types differ between `Session` and
`AsyncSession`, and methods with overloads, are declared in both classes and documented here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from dynattrs.deferral import deferred
from dynattrs.operations.flows import Flow, verb
from dynattrs.operations.reading.verbs import ReadVerbs
from dynattrs.operations.writing.entering import Entered
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


class AnyEditing(Entered, Generic[H, A]):
    """The context manager that `session.edit(obj)` returns."""

    def __init__(self, handle: H, obj: A, edit: Edit) -> None:
        self._handle = handle
        self._obj = obj
        self._edit = edit

    def __repr__(self) -> str:
        return shown.editing(self, self._obj)


class AnyHandle(WriteVerbs, ReadVerbs):
    """The methods that a session and a batch share."""

    _driver: Any

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} holds connections and threads and cannot be pickled; make a "
            f"Session in each process"
        )

    def save(self, *args: Any, **options: Any) -> Any:
        """Save an object: store it whole, replacing the item with its key if there is one.

        A session writes it at once, with one PutItem, or with a transaction if a unique value changes. A
        batch gathers it and writes up to 25 objects in one BatchWriteItem; everything is stored when the
        batch has ended. The object is stored as it was when you called `save`. Even a batch writes at
        once if you give *when* or *returning*, or if the model has a version or unique fields.

        Args:
            obj: The object.
            when: A condition that must be true.
            returning: Return the item that the object replaces.

        Returns:
            The object itself; for a frozen class with a version or time stamps, a new object with the
            stored values. With *returning*, the item that was replaced, or None if there was no item of
            the model.

        Raises:
            MappingError: DynamoDB cannot store a value; nothing was sent. Or, with *returning*, the
                replaced item cannot be read; the object is stored in that case.
            ConditionFailed: *when* is false, or another writer has changed the stored version.
            AlreadyTaken: Another item has the value of a unique field.
            OutcomeUnknown: A reply was lost, and dynattrs cannot tell whether the object is stored or,
                with *returning*, which item it replaced.
            UnsentWrites: Through a batch: earlier writes failed and will not be tried again.
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

        Columns are matched to fields by their Python names. A missing value (a null; in pandas also NaN,
        NaT and NA) becomes None if the field is optional, otherwise the field's default. The guide's page
        *Frames* lists how cells are converted.

        Args:
            model: The model.
            frame: A pandas or Polars DataFrame; a pyarrow table, record batch or reader; or any other
                object that exports an Arrow stream (`__arrow_c_stream__`).
            on_progress: The same as in `save_all`.
            on_error: What to do with a row that does not make an object of the model. `"raise"` stores
                the rows before it (a batch gathers them), then raises `BadRow`; `"skip"` leaves the row
                out; a function is called with the `BadRow`, and the next row follows.
            unknown: What to do with columns that are not fields: `"forbid"` raises an error, `"drop"`
                ignores them.

        Returns:
            The number of rows that were saved.

        Raises:
            BadRow: A value does not fit its field, and *on_error* is `"raise"`. It names the row and the
                column.
            QueryError: A column is not a field, a field without a default has no column, or *frame* is
                not a frame. Nothing was written.
            UnsentWrites: The same as in `save_all`.
        """
        return (yield from saving.save_frame(self, model, frame, on_progress, on_error, unknown))

    def delete(self, *args: Any, **options: Any) -> Any:
        """Delete an item, by its object or by its key: `delete(song)`, `delete(Song, key)`.

        Deleting an item that does not exist is not an error. A session sends one DeleteItem at once; a
        batch gathers the delete, unless you give *when* or *returning*, or the object has a version. An
        item of another model of the table is not deleted; it counts as not existing.

        Returns:
            With *returning*, the item that was deleted, or None if there was none.

        Raises:
            ConditionFailed: *when* is false, or another writer has changed the stored version.
        """
        raise NotImplementedError

    def update(self, *args: Any, **options: Any) -> Any:
        """Change a stored item with one UpdateItem, at once: `update(Song, key, *actions)` or
        `update(song, *actions)`.

        The second form checks the object's version. It does not change the object.

        Args:
            subject: A model class, followed by the key; or an object.
            key: A scalar, a tuple `(partition, sort)`, or a dict of fields.
            actions: `set_`, `remove`, `add`, `delete`.
            when: A condition that must be true.
            upsert: Create the item if it does not exist: a whole item, built from the key and the fields'
                defaults, or from the object, with the actions applied to it.
            returns: What to return: `"new"` or `"old"` for the item after or before the update,
                `"changed"` or `"changed_old"` for a dict of the new or old values by path, or None.

        Raises:
            NoSuchItem: The model has no item with the key, and *upsert* is not set, or *when* is false
                for an absent item.
            ItemExists: With *upsert*: the key belongs to an item of another model of the table.
            ConditionFailed: *when* is false, or the stored version is a different one; `.item` is the
                stored item.
            ConditionError: DynamoDB would refuse the actions: there are none, two overlap, or one changes
                the key. With *upsert*: a new item would lack a field, or an action cannot be applied to
                it.
            MappingError: A validator refuses the value to be stored.
        """
        raise NotImplementedError

    def query(self, *args: Any, **options: Any) -> Any:
        """Return a lazy query for the items of a model: `query(Song).where(Song.artist == "...")`.

        With several models of one `Table`, it returns their items in stored order: `query(User, Order)`.

        Raises:
            QueryError: The models are not in one table, or their items cannot be told apart.
        """
        raise NotImplementedError

    def scan(self, *args: Any, **options: Any) -> Any:
        """Return a lazy scan of the table of one or several models. It reads the whole table, and you pay
        for all of it.
        """
        raise NotImplementedError

    def get(self, *args: Any, **options: Any) -> Any:
        """Return the item with a key, or None: `get(Song, key)`. With *as_* or *select* the service sends
        only the parts you ask for.

        Args:
            model: The model class.
            key: A scalar, a tuple `(partition, sort)`, or a dict of fields.
            as_: Another class with some of the model's fields; the result is an object of that class.
            select: A tuple of fields, or of places inside them: `select=(Song.title, Song.plays)`. The
                result is a tuple of their values, with None for a place that is absent.
            consistent: Read consistently: see every write acknowledged before the call. Costs twice the
                capacity.
            unexpired: Return None for an expired item too, which DynamoDB has not removed yet.

        Raises:
            OtherKind: The key belongs to an item of another model of the table.
            MappingError: The key does not fit the model, or the item cannot be read as an object of it.
            QueryError: *as_* or *select* names a field that the model does not have, *as_* is a model of
                the same table, or *unexpired* is given and the model has no time to live.
        """
        raise NotImplementedError

    def get_one(self, *args: Any, **options: Any) -> Any:
        """Return the item with a key, or raise an error if there is none. The arguments are those of
        `get`.

        Raises:
            NoSuchItem: The item does not exist.
            OtherKind: The key belongs to an item of another model of the table.
            MappingError: The key does not fit the model, or the item cannot be read as an object of it.
            QueryError: The same as in `get`.
        """
        raise NotImplementedError

    def search(self, *args: Any, **options: Any) -> Any:
        """Return a lazy search for the items whose vectors are nearest to *vector*, the nearest first:
        `search(Doc.embedding, vector, top_k=5).where(Doc.tenant == "a").hydrate()`.

        The model needs a `VectorIndex` over the field. Each `Hit` has the item, its score and the metric
        of the score. A search is one request and has no further pages. On the service the result is
        approximate, and it lags a moment behind the writes.

        Args:
            subject: A field of a model, or a model with exactly one vector. Type checkers cannot see the
                model of a field; use `search(Doc, vector)` or *model* to tell them.
            vector: A list of numbers, an `array.array`, or a one-dimensional numpy array. The numbers are
                rounded to 32-bit floats.
            top_k: The most hits to return, 1 to 100.
            model: The model, for type checkers, or if it inherited the field.

        Raises:
            NoIndex: The model declares no vector index over the field.
            QueryError: The vector's length is not the number of dimensions of the index, or a member is
                not a number that fits a 32-bit float.
        """
        raise NotImplementedError

    def get_many(self, *args: Any, **options: Any) -> Any:
        """Return a lazy stream of the items with these keys: `get_many(Song, keys)`.

        Each BatchGetItem asks for up to 100 keys, and several run at once. The keys may be of several
        models, also in different tables: `get_many([(User, key), (Order, key)])`.

        A key that you give several times is read once and has at most one result, also with *ordered* and
        *missing*.

        Args:
            model: The model class; or pairs of a model and a key, without *keys*.
            keys: Keys as `get` takes them. Keys and pairs may come from a generator.
            as_: The same as in `get`. Every requested model must have the fields.
            select: The same as in `get`.
            ordered: Return the items in the order of the keys.
            missing: `"skip"` leaves out keys without an item; `"none"` returns None for each of them, in
                the order of the keys. Either way `.missing` lists them afterwards.
            consistent: Read consistently: see every write acknowledged before the call. Costs twice the
                capacity.
            unexpired: Treat expired items that DynamoDB has not removed yet as missing.

        Raises:
            QueryError: The same as in `get`; or the same item is requested as two models.
        """
        raise NotImplementedError

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run a PartiQL statement now. Further pages of rows are read while you iterate.

        Args:
            statement: The statement, with the table's real name, and `?` for parameters.
            parameters: The values for the `?`. Every value that a field of type `Any` accepts is allowed.
            model: The class of the rows; without it, rows are dicts of plain values. With a model, a
                SELECT of only some attributes and RETURNING MODIFIED are refused, because a half-read
                object must never be saved.
            consistent: Read consistently: see every write acknowledged before the call.

        Raises:
            QueryError: The statement would return parts of items as objects.
        """
        raise NotImplementedError

    def execute_many(self, *args: Any, **options: Any) -> Any:
        """Run many PartiQL statements now, 25 to a BatchExecuteStatement: `execute_many([(statement,
        *parameters), …])`, or one with many parameters, `execute_many(statement, rows)`.

        Each statement is about one item, with its whole key in the WHERE clause, and succeeds or fails on
        its own. Throttled statements are sent again until the deadline. Reading requests run several at
        once. DynamoDB refuses a writing request with two statements on the same item, and with it every
        statement in that request: to write to an item twice, make two calls.

        Args:
            statements: The statements; a statement with parameters is a tuple.
            rows: Tuples of parameters, if there is one statement.
            model: The class of the rows, as in `execute`.
            consistent: Read consistently: see every write acknowledged before the call.

        Returns:
            One row for each statement, in order: the row of a SELECT or of RETURNING, or None if there is
            none.

        Raises:
            StatementsFailed: Some statements failed, or may have failed. The error names each with its
                cause, and holds the rows of the others.
            QueryError: Some statements read and others write, or one would return part of an item as an
                object. Nothing was sent.
        """
        raise NotImplementedError

    def edit(self, *args: Any, **options: Any) -> Any:
        """Edit an object in a `with` statement, and write only what has changed when it ends.

        In-place changes count too (`song.tags.add`, a nested field). The end sends one UpdateItem, or no
        request if nothing has changed. If the code inside raises, nothing is sent. Attributes that the
        class does not know stay as they are.

        Args:
            obj: The object, unchanged since it was read.
            guard: Write only if the stored values that you change are still the ones that were read.

        Raises:
            NoSuchItem: At the end: the item no longer exists.
            ConditionFailed: At the end: the stored version is a different one, or *guard* found a changed
                value.
            ConditionError: At the end: the key was changed.
        """
        raise NotImplementedError

    def transaction(self, *args: Any, **options: Any) -> Any:
        """Write several items together, all or none: one TransactWriteItems when the `with` statement
        ends.

        Args:
            token: Your own idempotency token, 1 to 36 characters: within ten minutes, the same
                transaction with the same token is applied once. Without it, each transaction gets a new
                token.
            now: The time for `created=True` and `updated=True` fields, an aware datetime; by default, the
                session's clock. With *token* you must give it, because the clock would make each
                repetition a different transaction.

        Raises:
            TransactionFailed: At the end: nothing was written; `.reasons` says why.
            TransactionError: The transaction cannot be sent: it has over 100 actions or 4 MB, two actions
                on one item, or a time stamp with *token* but without *now*. Or the token was already used
                for a different transaction.
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
        """Hold a named lock that one program at a time can have: `with session.lock("nightly",
        for_=timedelta(minutes=5)) as lock:`.

        The lock is an item in a table that is created on first use. It is renewed in the background, with
        one small write every third of *for_*. If the holder has not renewed it for all of *for_*, by the
        clock of a waiting program, that program takes it over. The lock alone does not guarantee mutual
        exclusion: a holder that was suspended may continue after another one has taken the lock. Use
        `t.check_lock(lock)` in a transaction to refuse its writes.

        Args:
            name: The name of the lock, the same in all programs that share it.
            for_: How long the lock is valid after each renewal, which is how long others wait if its
                holder dies.
            wait: How long to wait for the lock; None waits without limit, `timedelta()` does not wait.
            table: The table's name, before the session's `table_prefix` and `tables`.

        Raises:
            LockHeld: At the start: another holder kept the lock for the whole waiting time.
            LockLost: At the end: the lock was lost in the meantime, and the code inside raised no error
                itself.
            ModelError: An argument is invalid.
        """
        raise NotImplementedError

    def transact_get(self, *args: Any, **options: Any) -> Any:
        """Read items of any models as they are at one moment: `transact_get((Song, key), (User, key))`.

        Args:
            wanted: Pairs of a model and a key, at most 100.
            as_: The same as in `get`. Every requested model must have the fields.
            select: The same as in `get`.

        Returns:
            The items in the order of *wanted*, with None for each that does not exist.

        Raises:
            TransactionError: More than 100 items are requested.
            TransactionFailed: Other writes conflicted with the read until the deadline.
            QueryError: The same as in `get`.
        """
        raise NotImplementedError

    @property
    def tables(self) -> Any:
        """Create, compare, describe and delete tables."""
        raise NotImplementedError

    @property
    def client(self) -> Any:
        """The botocore client, for operations that have no method here. Under asyncio, await it:
        `client = await session.client`, which opens the client if necessary.
        """
        raise NotImplementedError

    @property
    def stats(self) -> Stats:
        """Counts of the session's requests to the service so far."""
        stats: Stats = self._driver.wire.stats
        stats.hot_keys = self._core.hot_keys
        return stats
