"""What a session does with single items and with gathered writes, each verb written once.

A handle is a session, which writes each item at once, or the handle of a block, which gathers puts
and deletes in its buffer. What is done at once first sends and awaits what is pending for its key,
so that nothing overtakes.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from dynattrs.deferral import deferred
from dynattrs.errors import (
    NoSuchItem,
    OutcomeUnknown,
    QueryError,
    SessionClosed,
    TransactionError,
)
from dynattrs.expressions.conditions import Condition
from dynattrs.mapper.anything import load_any
from dynattrs.models.model import Instance, M
from dynattrs.operations.conflicts import past_conflicts
from dynattrs.operations.context import Core, Encoded, encode, is_frozen, take_over, with_found
from dynattrs.operations.expiry import is_expired, time_to_live
from dynattrs.operations.flows import Call, Flow, verb
from dynattrs.operations.item_keys import identity, key_in, key_of, plain_key
from dynattrs.operations.listening import Listening
from dynattrs.operations.reading.reply_decoders import decoder, made_of, transact_decoder
from dynattrs.operations.requests import (
    ConditionFalse,
    as_condition,
    check_constant,
    check_current,
    condition_failed,
    item_exists,
    joined,
    no_item,
    packed,
    version_is,
    with_condition,
)
from dynattrs.operations.targets import NO_KEY, is_class_of, target
from dynattrs.operations.writing import batch
from dynattrs.operations.writing.buffer import Buffer, Write
from dynattrs.operations.writing.pace import Progress
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap, StoredItem

if TYPE_CHECKING:
    from dynattrs.operations.reading import batch_get, partiql, transact_get
    from dynattrs.operations.writing import (
        edits,
        following_keys,
        migration,
        outcomes,
        unique_writes,
        updates,
    )
else:
    batch_get = deferred("dynattrs.operations.reading.batch_get")
    transact_get = deferred("dynattrs.operations.reading.transact_get")
    edits = deferred("dynattrs.operations.writing.edits")
    migration = deferred("dynattrs.operations.writing.migration")
    following_keys = deferred("dynattrs.operations.writing.following_keys")
    outcomes = deferred("dynattrs.operations.writing.outcomes")
    partiql = deferred("dynattrs.operations.reading.partiql")
    unique_writes = deferred("dynattrs.operations.writing.unique_writes")
    updates = deferred("dynattrs.operations.writing.updates")


class Verbs(Listening):
    """The verbs of a session and of the handle of a block."""

    _core: Core
    #: None where every write goes out at once.
    _buffer: Buffer | None
    _closed: str | None

    def _check_open(self) -> None:
        if self._closed is not None:
            raise SessionClosed(self._closed)

    def _check_writable(self) -> None:
        """Refuse a write inside a transaction's block: it would not be part of it."""
        self._check_open()
        if self._core.transactions[self._core.environment.caller()]:
            raise TransactionError(
                "a transaction is open here, and this write would not be part of it; "
                "use the transaction's own handle: `with session.transaction() as t: t.save(...)`"
            )

    # --- Writing ---

    @verb
    def save(self, obj: M, *, when: bool | None = None) -> Flow[M]:
        """Put an object: store it whole, in place of what is stored under its key.

        Inside a block it is gathered, 25 to a BatchWriteItem, and stored when the block has ended;
        its state now is what is stored. With *when*, or where the model has a version or unique
        fields, and outside a block, it is written now: by one PutItem, or where a unique value
        changes by a transaction.

        Returns:
            The object; for a frozen class with a version or time stamps, the one that is stored.

        Raises:
            MappingError: A value has no place in DynamoDB. Nothing is sent.
            ConditionFailed: *when* is false, or another writer has changed the stored version.
            AlreadyTaken: Another item has the value of a unique field.
            UnsentWrites: Inside a block: earlier writes have failed for good.
        """
        self._check_writable()
        if self._buffer is not None and when is None:
            write = batch.packed_write(self._core, obj)
            if write is not None:
                if batch.hold(self._core, self._buffer, write):
                    yield from batch.send_whole(self._core, self._buffer)
                return obj
        encoded = encode(self._core, obj)
        found = joined(as_condition(when, encoded.info), version_is(encoded.info, encoded.obj))
        if self._buffer is not None and found is None and not encoded.info.guarding:
            write = batch.put_write(self._core, encoded, packed(encoded.item))
            if batch.hold(self._core, self._buffer, write):
                yield from batch.send_whole(self._core, self._buffer)
        elif encoded.info.evolves and (when is not None or encoded.info.guarding):
            putting = functools.partial(self._put_now, encoded, found)
            yield from migration.as_today(self._core, encoded.info, putting)
        else:
            yield from self._put_now(encoded, found)
        return cast("M", encoded.stored())

    @verb
    def save_all(
        self,
        objects: Iterable[Instance],
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Flow[None]:
        """Put many objects, in batches, and lazily: *objects* may be a generator of millions.

        Outside a block all of them are stored on return. Objects with a version or unique
        fields are sent each by itself, under its condition, several at once; they are stored on
        return in a block too.

        Args:
            objects: Objects of any models.
            on_progress: Called with a `Progress` after every answer, from whatever thread had it,
                never twice at once. Inside a block it hears of objects with a version or unique fields
                only: the others are the block's. What it raises is raised when all is stored.

        One that fails by itself does not stop the others: a conflict of versions, an item that the
        service refuses. Where there is no hope for the others either (no table, no permission, no
        answer until the deadline, a thousand failures) it stops taking from *objects*.

        Raises:
            UnsentWrites: Some were not stored; it carries the very objects, each with its cause,
                which is `ConditionFailed` where another writer changed a stored version, and
                `AlreadyTaken` where another item has a unique value. What was not taken from
                *objects* any more is not in it.
        """
        self._check_writable()
        own = Buffer(on_progress or self._core.on_progress)
        buffer = self._buffer if self._buffer is not None else own
        try:
            yield from self._gather_all(objects, buffer, own)
        except BaseException as error:
            # Nothing is left, unless this flow is dropped, or was interrupted while it ended.
            batch.report_left(own, error)
            raise

    def _gather_all(self, objects: Iterable[Instance], buffer: Buffer, own: Buffer) -> Flow[None]:
        try:
            yield from self._gather_each(objects, buffer, own)
        except GeneratorExit:
            raise  # this flow itself is dropped, and cannot wait
        except BaseException as error:
            # What was taken is stored, also where *objects* raised, as at the end of a block.
            yield from batch.end(self._core, own, error)
            raise
        yield from batch.end(self._core, own, None)

    def _gather_each(self, objects: Iterable[Instance], buffer: Buffer, own: Buffer) -> Flow[None]:
        for obj in objects:
            write = batch.packed_write(self._core, obj)
            if write is None:
                encoded = encode(self._core, obj)
                if encoded.info.version is not None or encoded.info.guarding:
                    yield from self._put_beside(own, encoded)
                    continue
                write = batch.put_write(self._core, encoded, packed(encoded.item))
            if batch.hold(self._core, buffer, write, going_on=True):
                yield from batch.send_whole(self._core, buffer)

    def _put_beside(self, buffer: Buffer, encoded: Encoded) -> Flow[None]:
        """Put an object with a version or unique fields while the caller goes on."""
        write = batch.put_write(self._core, encoded, None)  # it has a request of its own
        key = key_in(encoded.info, encoded.item)
        yield from self._settle_pending(write.table, key)
        if buffer.holds(write.identity):
            # The same object again, perhaps: its version moves when the first one is stored.
            yield from batch.await_key(self._core, buffer, write.identity)
            encoded = encode(self._core, encoded.source)
            write = batch.put_write(self._core, encoded, None)  # it has a request of its own
        found = version_is(encoded.info, encoded.obj)

        def put() -> Flow[None]:
            putting = self._put(encoded, key, found, beside=True)
            return with_found(self._core, encoded.info, putting)

        def put_as_today() -> Flow[None]:
            return migration.as_today(self._core, encoded.info, put)

        both = encoded.info.evolves and encoded.info.guarding
        yield from batch.gather_alone(self._core, buffer, write, put_as_today if both else put)

    @verb
    def insert(self, obj: M) -> Flow[M]:
        """Put an object only if there is no item with its key: one PutItem now.

        Returns:
            The object; for a frozen class with a version or time stamps, the one that is stored.

        Raises:
            ItemExists: There is one; it carries it as `.item`.
            AlreadyTaken: Another item has the value of a unique field.
        """
        self._check_writable()
        encoded = encode(self._core, obj)
        info = encoded.info
        yield from self._put_now(encoded, no_item(info), inserting=True)
        return cast("M", encoded.stored())

    def _put_now(
        self, encoded: Encoded, found: Condition | None, *, inserting: bool = False
    ) -> Flow[None]:
        info = encoded.info
        table, key = self._core.table_name(info.table), key_in(info, encoded.item)
        yield from self._settle_pending(table, key)
        putting = self._put(encoded, key, found, inserting=inserting)
        yield from with_found(self._core, info, putting)
        encoded.settle()

    def _put(
        self,
        encoded: Encoded,
        key: AttributeMap,
        found: Condition | None,
        *,
        inserting: bool = False,
        beside: bool = False,
    ) -> Flow[None]:
        info = encoded.info
        if info.guarding:
            check_constant("PutItem", info, key, found)
            yield from unique_writes.put(
                self._core, encoded, key, found, inserting=inserting, beside=beside
            )
            return
        parameters = {"TableName": self._core.table_name(info.table), "Item": encoded.item}
        with_condition(parameters, found)
        check_constant("PutItem", info, key, found)
        call = Call("put_item", parameters)
        try:
            if beside:  # whoever sends it sees to the conflicts, and to interruptions meanwhile
                yield call
            else:
                yield from past_conflicts(self._core, call)
        except ConditionFalse as error:
            assert found is not None
            if not outcomes.put_was_applied(encoded, key, error):
                if not inserting:
                    check_current(info, error)
                explain = item_exists if inserting else condition_failed
                raise explain(error, info, key, found) from error
        except outcomes.FAILURES as error:
            if found is None or not error.uncertain:
                raise
            raise outcomes.unknown(error, info, key) from error

    def _delete(self, subject: Any, key: Any, *, when: object, returning: bool) -> Flow[Any]:
        self._check_writable()
        info, item_key, version = target(subject, key)
        found = joined(as_condition(when, info), version)
        if self._buffer is not None and found is None and not returning and not info.guarding:
            table = self._core.table_name(info.table)
            what = subject if key is NO_KEY else (subject, key)
            write = Write(
                table, item_key, {"DeleteRequest": {"Key": item_key}}, 100, what, "delete"
            )
            yield from batch.gather(self._core, self._buffer, write)
            return None

        def deleting() -> Flow[Any]:
            act = self._delete_one(info, item_key, version, found, returning=returning)
            return with_found(self._core, info, act)

        if info.evolves:
            return (yield from migration.as_today(self._core, info, deleting))
        return (yield from deleting())

    def _delete_one(
        self,
        info: ModelInfo,
        item_key: AttributeMap,
        version: Condition | None,
        found: Condition | None,
        *,
        returning: bool,
    ) -> Flow[Any]:
        table = self._core.table_name(info.table)
        yield from self._settle_pending(table, item_key)
        parameters = with_condition({"TableName": table, "Key": item_key}, found)
        if returning:
            parameters["ReturnValues"] = "ALL_OLD"
        check_constant("DeleteItem", info, item_key, found)
        if info.guarding:
            gone = yield from unique_writes.delete(self._core, info, item_key, found)
            if not returning or gone is None:
                return None
            return self._core.loaded(info, made_of(info, info.cls, gone))
        try:
            decode = decoder(info, info.cls, "Attributes") if returning else None
            call = Call("delete_item", parameters, decode=decode)
            response = yield from past_conflicts(self._core, call)
        except ConditionFalse as error:
            assert found is not None
            if not outcomes.delete_was_applied(info, item_key, version, error):
                check_current(info, error)
                raise condition_failed(error, info, item_key, found) from error
            if returning:  # it is gone, and what it was went with the lost reply
                raise outcomes.unknown(error, info, item_key) from error
            return None
        except outcomes.FAILURES as error:
            if (found is None and not returning) or not error.uncertain:
                raise
            raise outcomes.unknown(error, info, item_key) from error
        old = response.get("Attributes")
        if returning and not old and response.get("ResponseMetadata", {}).get("Uncertain"):
            raise OutcomeUnknown("DeleteItem", info.name, plain_key(info, item_key))
        if not returning or not old:
            return None
        return self._core.loaded(info, made_of(info, info.cls, old))

    def _update(
        self,
        subject: Any,
        key: Any,
        actions: tuple[object, ...],
        *,
        when: object,
        upsert: bool,
        returns: updates.Returns,
    ) -> Flow[Any]:
        self._check_writable()
        if not is_class_of(subject) and key is not NO_KEY:
            # update(obj, *actions): what stands in the key's place is the first action.
            actions, key = (key, *actions), NO_KEY
        info, item_key, version = target(subject, key)
        yield from self._settle_pending(self._core.table_name(info.table), item_key)

        def updating() -> Flow[Any]:
            act = (unique_writes if info.guarding else updates).update(
                self._core, info, item_key, actions,
                version=version, when=when, upsert=upsert, returns=returns,
                obj=None if is_class_of(subject) else subject,
            )  # fmt: skip
            return with_found(self._core, info, act)

        if info.evolves:
            return (yield from migration.as_today(self._core, info, updating))
        return (yield from updating())

    @verb
    def move(self, old: Instance, new: M, /) -> Flow[M]:
        """Save *new* under its key and delete the item of *old*: one transaction, both or neither.

        For changes of the primary key, which no update can make. *new* may be of another model.

        Returns:
            The new object; for a frozen class with a version or time stamps, the one that is stored.

        Raises:
            NoSuchItem: There is no item of *old*.
            ItemExists: There is an item with the key of *new* already.
            ConditionFailed: Another writer has changed the version of *old*.
            ConditionError: Both have the same key.
        """
        self._check_writable()
        return (yield from following_keys.move(self, old, new))

    # --- Reading ---

    @verb
    def get(
        self, model: type[M], key: object, *, consistent: bool = False, unexpired: bool = False
    ) -> Flow[M | None]:
        """The item with a key, or None.

        Args:
            model: The model class.
            key: A scalar, a tuple `(partition, sort)`, or a dict of fields.
            consistent: Read what every earlier acknowledged write left, at twice the capacity.
            unexpired: None also for an item whose time to live is over and that is not removed yet.

        Raises:
            MappingError: The key does not fit the model, or the item cannot be read as one.
            QueryError: *unexpired* is said of a model without a time to live.
        """
        self._check_open()
        info = model_info(model)
        item = yield from self._read(info, key_of(info, key), consistent, unexpired, model)
        if item is None:
            return None
        return cast("M", self._core.loaded(info, made_of(info, model, item)))

    @verb
    def get_one(
        self, model: type[M], key: object, *, consistent: bool = False, unexpired: bool = False
    ) -> Flow[M]:
        """The item with a key. The arguments are those of `get`.

        Raises:
            NoSuchItem: There is none.
            MappingError: The key does not fit the model, or the item cannot be read as one.
            QueryError: *unexpired* is said of a model without a time to live.
        """
        self._check_open()
        info = model_info(model)
        item = yield from self._read(info, key_of(info, key), consistent, unexpired, model)
        if item is None:
            raise NoSuchItem(info.name, key)
        return cast("M", self._core.loaded(info, made_of(info, model, item)))

    @verb
    def exists(self, model: type[M], key: object, *, consistent: bool = False) -> Flow[bool]:
        """Whether there is an item with a key. It reads the key only (and costs as a whole read)."""
        self._check_open()
        info = model_info(model)
        names = {"#0": info.table.partition_key}
        extra = {"ProjectionExpression": "#0", "ExpressionAttributeNames": names}
        item = yield from self._get(info, key_of(info, key), consistent, extra=extra)
        return item is not None

    @verb
    def refresh(self, obj: M) -> Flow[M]:
        """Read an object's item again, consistently, into the object itself.

        Returns:
            The object; for a frozen class a new one.

        Raises:
            NoSuchItem: The item is gone. The object is as before.
        """
        self._check_open()
        info, key, _ = target(obj, NO_KEY)
        item = yield from self._get(info, key, True, type(obj))
        if item is None:
            raise NoSuchItem(info.name, plain_key(info, key))
        fresh = cast("M", made_of(info, type(obj), item))
        finish = self._core.after_load(info)
        if is_frozen(info):
            return fresh if finish is None else cast("M", finish(fresh))
        before = None if finish is None else copy.copy(obj)
        take_over(info, fresh, obj)
        if finish is not None:
            _finish_in_place(info, finish, obj, before)
        return obj

    @verb
    def _finish_edit(self, edit: edits.Edit) -> Flow[None]:
        table = self._core.table_name(edit.info.table)
        try:
            self._check_writable()
            yield from self._settle_pending(table, key_in(edit.info, edit.before))
            yield from with_found(self._core, edit.info, self._finished(edit))
        except BaseException:
            edits.failed(edit)
            raise

    def _finished(self, edit: edits.Edit) -> Flow[None]:
        if not edit.info.evolves:
            return edits.finish(self._core, edit)
        finishing = functools.partial(edits.finish, self._core, edit)
        return migration.as_today(self._core, edit.info, finishing)

    @verb
    def migrate(
        self,
        model: type[Any],
        *,
        after: str | None = None,
        max_pages: int | None = None,
        page_size: int | None = None,
        on_page: Callable[[migration.Migrated], object] | None = None,
        on_error: migration.OnError = "raise",
    ) -> Flow[migration.Migrated]:
        """Bring all items of a model to its schema: upgrades, renamed attributes, unique fields.

        It scans the table, and writes the items that are stored otherwise than the model would
        today, each under the condition that it is still as it was read. Others may read and write
        meanwhile. With unique fields it makes the guards of items that have none.

        Args:
            model: The model class. Its subclasses in the same table are migrated with it.
            after: The cursor of an earlier call, to go on there.
            max_pages: How many pages to do; None for all. The result has the cursor for the rest.
            page_size: How many items to read at once; None for what makes 1 MB.
            on_page: Called with what is done so far after each page, whose cursor can be kept.
            on_error: What to do with an item that cannot be read, whose unique value another one has,
                or that others change all the time: `"raise"`, `"skip"`, or a function that gets the error.

        Raises:
            QueryError: The model has nothing to migrate.
            MappingError: An item cannot be read, or an upgrade fails.
            AlreadyTaken: Two items have the same value of a unique field.
            ConditionFailed: Others change an item all the time.
            CursorError: *after* is no cursor of a migration of this model.
        """
        self._check_writable()
        info = model_info(model)
        yield from self._settle_table(self._core.table_name(info.table))
        return (
            yield from migration.migrate(
                self._core, info, after=after, max_pages=max_pages, page_size=page_size,
                on_page=on_page, on_error=on_error,
            )
        )  # fmt: skip

    @verb
    def _transact_get(self, wanted: tuple[tuple[Any, Any], ...]) -> Flow[tuple[Any, ...]]:
        self._check_open()
        asked = []
        for model, key in wanted:
            info = model_info(model)
            asked.append((model, info, self._core.table_name(info.table), key_of(info, key)))
        for _, _, table, key in asked:
            yield from self._settle_pending(table, key)
        items = yield from transact_get.transact_get(
            self._core,
            [(table, key) for _, _, table, key in asked],
            transact_decoder([(info, model) for model, info, _, _ in asked]),
        )
        return tuple(
            self._core.loaded(info, made_of(info, model, item)) if item else None
            for (model, info, _, _), item in zip(asked, items, strict=True)
        )

    def _batch_get(
        self,
        model: Any,
        keys: Iterable[object],
        *,
        consistent: bool,
        unexpired: bool,
        ordered: bool,
        missing: str,
    ) -> batch_get.BatchGet[Any]:
        if missing not in ("skip", "none"):
            raise QueryError(f"get_many(missing={missing!r}): write 'skip' or 'none'")
        self._check_open()
        info = model_info(model)
        table = self._core.table_name(info.table)
        skip = None
        if unexpired:
            time_to_live(info)
            skip = functools.partial(is_expired, self._core, info)
        return batch_get.BatchGet(
            self._core, table, (batch_get.WantedKey(key, key_of(info, key)) for key in keys),
            self._reads(info, model), skip=skip, consistent=consistent,
            ordered=ordered, none_for_missing=missing == "none",
            before=lambda: self._settle_table(table), decode=decoder(info, model, "Responses"),
        )  # fmt: skip

    def _reads(self, info: ModelInfo, model: Any) -> Callable[[Any], Any]:
        """What makes an object of each of many items, with the hooks of its model."""
        # Not the function that makes objects now: rows may learn on the way.
        load = functools.partial(made_of, info, model)
        finish = self._core.after_load(info)
        return load if finish is None else lambda item: finish(load(item))

    def _statement(
        self, statement: str, parameters: tuple[object, ...], model: Any, *, consistent: bool
    ) -> Flow[tuple[partiql.Statement[Any], list[Any]]]:
        """A statement with its first page of rows: what writes is done when this returns."""
        if partiql.reads(statement):
            self._check_open()
        else:
            self._check_writable()
        if self._buffer is not None:
            yield from batch.flush(self._core, self._buffer)
        read: Callable[[Any], Any] = _plain_row
        decode = None
        if model is not None:
            info = model_info(model)
            partiql.check_whole(statement, info.name)
            read = self._reads(info, model)
            decode = decoder(info, model, "Items")
        found: partiql.Statement[Any] = partiql.Statement(
            statement, parameters, read, consistent=consistent, decode=decode
        )
        return found, (yield from found.next()) or []

    def _read(
        self, info: ModelInfo, key: AttributeMap, consistent: bool, unexpired: bool, model: Any
    ) -> Flow[StoredItem | None]:
        if unexpired:
            time_to_live(info)
        item = yield from self._get(info, key, consistent, model)
        return None if unexpired and item and is_expired(self._core, info, item) else item

    def _get(
        self,
        info: ModelInfo,
        key: AttributeMap,
        consistent: bool,
        model: Any = None,
        *,
        extra: dict[str, Any] | None = None,
    ) -> Flow[StoredItem | None]:
        table = self._core.table_name(info.table)
        yield from self._settle_pending(table, key)
        parameters: dict[str, Any] = {"TableName": table, "Key": key, **(extra or {})}
        if consistent:
            parameters["ConsistentRead"] = True
        decode = None if model is None else decoder(info, model, "Item")
        response = yield Call("get_item", parameters, decode=decode)
        return cast("StoredItem | None", response.get("Item"))

    # --- The buffer ---

    @verb
    def flush(self) -> Flow[None]:
        """Send what is gathered, and wait until the service has acknowledged all of it.

        Raises:
            UnsentWrites: Some writes were not stored; it carries the very objects.
        """
        self._check_open()
        if self._buffer is not None:
            yield from batch.flush(self._core, self._buffer)

    def discard(self) -> list[Any]:
        """Drop what is gathered and not sent yet.

        Returns:
            The objects that were dropped.
        """
        return self._buffer.discard() if self._buffer is not None else []

    def _settle_pending(self, table: str, key: AttributeMap) -> Flow[None]:
        """Send and await what is pending for a key, so that nothing overtakes."""
        if self._buffer is not None and self._buffer.holds(identity(table, key)):
            yield from batch.flush(self._core, self._buffer)

    def _settle_table(self, table: str) -> Flow[None]:
        if self._buffer is not None and self._buffer.holds_table(table):
            yield from batch.flush(self._core, self._buffer)


def _plain_row(item: AttributeMap) -> dict[str, Any]:
    return {name: load_any(value) for name, value in item.items()}


def _finish_in_place(info: ModelInfo, finish: Callable[[Any], Any], obj: Any, before: Any) -> None:
    """Let the hooks have an object that was read into itself; where one raises it is as before."""
    try:
        made = finish(obj)
    except BaseException:
        take_over(info, before, obj)
        raise
    if made is not obj:
        take_over(info, made, obj)
