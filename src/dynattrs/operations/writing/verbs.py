"""The verbs that write single items at once, and many gathered in batches, each written once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from dynattrs.deferral import deferred
from dynattrs.errors import (
    ConditionFailed,
    MappingError,
    ModelError,
    NoSuchItem,
    OutcomeUnknown,
    QueryError,
)
from dynattrs.expressions.conditions import Condition, Constant
from dynattrs.keys.kinds import is_other, otherwise
from dynattrs.mapper.named import answering, name_object
from dynattrs.models.model import Instance, M
from dynattrs.operations.conditions import (
    as_condition,
    holds_of_nothing,
    joined,
    no_item,
    of_kind,
    with_condition,
)
from dynattrs.operations.flows import Call, Flow, verb, written_as
from dynattrs.operations.item_keys import NO_KEY, identity, is_class_of, key_in, plain_key, target
from dynattrs.operations.owner import Owner
from dynattrs.operations.reading.objects import decoder, made_of
from dynattrs.operations.refusals import (
    FAILURES,
    ConditionFalse,
    check_constant,
    check_current,
    condition_failed,
    disowned,
    item_exists,
    past_conflicts,
    subclass_met,
    with_found,
)
from dynattrs.operations.requests import packed_item
from dynattrs.schema.generic_classes import with_arguments
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.operations.reading.projections import OnError
    from dynattrs.operations.writing import (
        batch,
        beside,
        deletes,
        edits,
        encoding,
        migration,
        outcomes,
        reports,
        transactions,
        unique_writes,
        updates,
    )
    from dynattrs.operations.writing import buffer as buffers
    from dynattrs.operations.writing import packed as packing
    from dynattrs.operations.writing.buffer import Buffer, Write
    from dynattrs.operations.writing.encoding import Encoded
    from dynattrs.operations.writing.ledger import Progress
else:
    batch = deferred("dynattrs.operations.writing.batch")
    buffers = deferred("dynattrs.operations.writing.buffer")
    beside = deferred("dynattrs.operations.writing.beside")
    deletes = deferred("dynattrs.operations.writing.deletes")
    encoding = deferred("dynattrs.operations.writing.encoding")
    packing = deferred("dynattrs.operations.writing.packed")
    reports = deferred("dynattrs.operations.writing.reports")
    edits = deferred("dynattrs.operations.writing.edits")
    migration = deferred("dynattrs.operations.writing.migration")
    transactions = deferred("dynattrs.operations.writing.transactions")
    outcomes = deferred("dynattrs.operations.writing.outcomes")
    unique_writes = deferred("dynattrs.operations.writing.unique_writes")
    updates = deferred("dynattrs.operations.writing.updates")


R = TypeVar("R")

#: How often a write is begun anew because the item is of another class than it seemed.
_MOST_TURNS: Final = 10


@written_as("session")
class WriteVerbs(Owner):
    """The writing methods of a session and a batch."""

    def _save(self, obj: object, *, when: object = None, returning: bool = False) -> Flow[Any]:
        self._check_writable()
        aside, plain = self._is_in_save_all(), when is None and not returning
        if self._buffer is not None and plain and not aside:
            whole = batch.hold_packed(self._core, self._buffer, obj)
            if whole:
                yield from batch.send_whole(self._core, self._buffer)
            if whole is not None:
                return obj
        if self._buffer is None and plain and not aside:
            packed = packing.packed_put(self._core, obj)
            if packed is not None:
                yield from self._put_packed(packed)
                return obj
        encoded = encoding.encode(self._core, obj)
        if aside:
            encoded = yield from self._encoded_again(encoded)
        found = joined(as_condition(when, encoded.info), encoded.unmoved())
        at_once = returning or found is not None or encoded.info.guarding
        if self._buffer is not None and not at_once:
            write = batch.put_write(self._core, encoded)
            if batch.hold(self._core, self._buffer, write):
                yield from batch.send_whole(self._core, self._buffer)
        else:
            old = yield from self._put_now(encoded, found, returning=returning)
            if returning:
                return self._replaced(encoded.info, old)
        return encoded.stored()

    @verb
    def save_all(
        self,
        objects: Iterable[Instance],
        *,
        on_progress: Callable[[Progress], object] | None = None,
        on_error: OnError = "raise",
    ) -> Flow[None]:
        """Save many objects, lazily and in batches: *objects* may be a generator of millions.

        Through a session, all of them are stored on return. Objects with a version or unique fields are each
        sent in a request of their own, with a condition, several at once; these are stored on return through
        a batch too.

        Args:
            objects: Objects of any models.
            on_progress: Called with a `Progress` after every response, in the thread that received it, never
                twice at once. Through a batch, it covers only objects with a version or unique fields; the
                batch's own *on_progress* covers the others. An error it raises is raised again when all
                objects are stored.
            on_error: What to do with an object that DynamoDB cannot store, or that is not of a model.
                `"raise"` stores the objects before it, then raises a `MappingError` with the object as
                `.obj`, or a `ModelError`; `"skip"` leaves it out; a function is called with its
                `MappingError`, and the next object follows.

        An object that fails on its own (a version conflict, an item that the service refuses) does not stop
        the others. If the others cannot succeed either (no table, no permission, no answer until the
        deadline, a thousand failures), no more objects are taken from *objects*.

        Raises:
            MappingError: DynamoDB cannot store a value, and *on_error* is `"raise"`.
            UnsentWrites: Some objects were not stored. The error holds them, each with its cause:
                `ConditionFailed` if another writer changed the stored version, `AlreadyTaken` if another
                item has a unique value. Objects that were not taken from *objects* are not in it.
        """
        yield from self._save_each(objects, on_progress, on_error)

    def _save_each(
        self,
        objects: Iterable[Instance],
        on_progress: Callable[[Progress], object] | None,
        on_error: OnError,
    ) -> Flow[None]:
        """As `save_all`."""
        self._check_writable()
        if on_error not in ("raise", "skip") and not callable(on_error):
            raise QueryError(f"on_error={on_error!r}: write 'raise', 'skip' or a function")
        encoding.check_several(objects)
        own = buffers.Buffer(on_progress or self._core.on_progress)
        buffer = self._buffer if self._buffer is not None else own
        yield from self._settle_open()
        gathering = self._gather_each(objects, buffer, own, on_error)
        yield from batch.gathered(self._core, own, gathering)

    def _encoded_again(self, encoded: Encoded) -> Flow[Encoded]:
        """An object as it is when each `save_all` that the caller is in has stored what it has for its
        key: its version moves when that is stored.
        """
        info, core = encoded.info, self._core
        key = identity(core.table_name(info.table), encoded.key)
        had = yield from beside.settle_open(core, self._buffer, key, batches=False)
        return encoding.encode(core, encoded.source) if had else encoded

    def _target(
        self, subject: object, key: object
    ) -> Flow[tuple[ModelInfo, AttributeMap, Condition | None]]:
        """`target`; of an object with the version that it has when that is stored."""
        info, item_key, version = target(subject, key)
        if self._is_in_save_all():
            settled = identity(self._core.table_name(info.table), item_key)
            yield from beside.settle_open(self._core, self._buffer, settled, batches=False)
            version = target(subject, key)[2]
        return info, item_key, version

    def _gather_each(
        self, objects: Iterable[Instance], buffer: Buffer, own: Buffer, on_error: OnError
    ) -> Flow[None]:
        core, alone, apart = self._core, buffer is own, False
        # Asked once: the caller goes on only when all of it is done.
        waits = not batch.is_sending(core, buffer)
        tells = waits and bool(core.hooks.after_flush)
        at_once = alone and not tells
        # Each loop goes on with a chain. With an iterator of the caller's it might begin anew.
        coming, end = chain(objects), packing.END
        while (obj := packing.take_packed(core, buffer, coming, at_once)) is not end:
            if obj is packing.WHOLE:
                yield from batch.send_whole(core, buffer)
                continue
            write = packing.packed_write(core, obj)
            if write is None:
                try:
                    encoded = encoding.encode(core, obj)
                    if encoded.info.version is not None or encoded.info.guarding:
                        yield from self._put_beside(own, encoded)
                        apart = True
                        continue
                except (MappingError, ModelError) as error:
                    refused = encoding.refusal(obj, error)
                    if on_error == "raise" or refused is None:
                        raise
                    if callable(on_error):
                        on_error(refused)
                    continue
                write = batch.put_write(core, encoded)
            # What the caller has written meanwhile, through others, comes first.
            if apart or len(core.taking) > 1 or (alone and core.gathering):
                yield from beside.settle_open(core, buffer, write.identity, batches=alone)
            if tells or (waits and buffer.has_failures):
                reports.look_back(core, buffer, write, going_on=True)
            if buffer.add(write) and waits:
                yield from batch.send_whole(core, buffer)

    def _put_beside(self, own: Buffer, encoded: Encoded) -> Flow[None]:
        """Put an object with a version or unique fields while the caller goes on."""
        write = batch.put_write(self._core, encoded)
        key = encoded.key
        if (yield from self._settle_written(write.table, key)):
            # The same object again, perhaps: its version moves when the first one is stored.
            encoded = encoding.encode(self._core, encoded.source)
            write = batch.put_write(self._core, encoded)
        found = encoded.unmoved()

        def put(until: float) -> Flow[None]:
            act = functools.partial(self._put, encoded, found, beside=until)
            yield from self._as_today(encoded.info, act)

        yield from beside.gather_alone(self._core, own, write, put)

    def _as_today(
        self, info: ModelInfo, act: Callable[[], Flow[R]], *, keys: bool = False
    ) -> Flow[R]:
        """What *act* does to an item, with errors that carry what the hooks make of it. An item of an
        older schema is brought up to date before; so is one whose index keys are, where *act* writes
        them (*keys*).
        """
        core = self._core
        if not (info.has_schema or otherwise(info) or (keys and info.index_keys)):
            return with_found(core, info, act())
        return migration.as_today(core, lambda: with_found(core, info, act()))

    def _as_its_model(
        self,
        subject: object,
        given: ModelInfo,
        act: Callable[[ModelInfo], Flow[R]],
        *,
        keys: bool = False,
    ) -> Flow[R]:
        """What *act* does to an item of a model; to one of a subclass that is written otherwise, as that
        subclass, which the refusal tells where a class and a key were given.
        """
        if not otherwise(given) or not is_class_of(subject):
            return (yield from self._as_today(given, functools.partial(act, given), keys=keys))
        info = given
        for left in reversed(range(_MOST_TURNS)):
            try:
                return (yield from self._as_today(info, functools.partial(act, info), keys=keys))
            except (ConditionFailed, NoSuchItem) as error:
                own = subclass_met(info, error) if isinstance(error, ConditionFailed) else None
                if own is None and info is not given and getattr(error, "item", None) is None:
                    own = given  # it is another item by now, or gone
                if own is None or not left:
                    raise
                info = own
        raise AssertionError("the last try returns or raises")

    @verb
    def insert(self, obj: M) -> Flow[M]:
        """Save an object only if no item has its key, with one PutItem at once.

        Returns:
            The object itself; for a frozen class with a version or time stamps, a new one with the stored
            values.

        Raises:
            ItemExists: An item with the key exists, of any model; the error has it as `.item`.
            AlreadyTaken: Another item has the value of a unique field.
        """
        self._check_writable()
        encoded = encoding.encode(self._core, obj)
        if self._is_in_save_all():
            encoded = yield from self._encoded_again(encoded)
        info = encoded.info
        yield from self._put_now(encoded, no_item(info), inserting=True)
        return cast("M", encoded.stored())

    def _put_packed(self, write: Write) -> Flow[None]:
        """Put an object that became JSON at once, whatever is stored."""
        core = self._core
        if core.gathering or core.taking:
            yield from beside.settle_open(core, None, write.identity)
        parameters = {"TableName": write.table, "Item": packed_item(write.request)}
        yield from past_conflicts(core, Call("put_item", parameters))
        if write.acknowledged is not None:
            write.acknowledged()

    def _put_now(
        self,
        encoded: Encoded,
        found: Condition | None,
        *,
        inserting: bool = False,
        returning: bool = False,
    ) -> Flow[AttributeMap | None]:
        """Put an object; what was stored under its key, with *returning*."""
        info = encoded.info
        table = self._core.table_name(info.table)
        if self._may_hold():
            yield from self._settle_written(table, encoded.key)
        old: AttributeMap | None = None
        if found is None and not info.guarding and not returning:
            # Nothing can be false of what is stored, so nothing of that matters.
            yield from past_conflicts(self._core, _plain_put(table, encoded))
        else:
            putting = functools.partial(
                self._put, encoded, found, inserting=inserting, returning=returning
            )
            old = yield from self._as_today(info, putting)
        encoded.settle()
        return old

    def _put(
        self,
        encoded: Encoded,
        found: Condition | None,
        *,
        inserting: bool = False,
        returning: bool = False,
        beside: float | None = None,
    ) -> Flow[AttributeMap | None]:
        info = encoded.info
        if isinstance(found, Constant):
            check_constant("PutItem", info, encoded.key, found)
        if info.guarding:
            key = encoded.key
            try:
                return (
                    yield from unique_writes.put(
                        self._core, encoded, key, found,
                        inserting=inserting, returning=returning, beside=beside,
                    )
                )  # fmt: skip
            except MappingError as error:
                name_object(error, info, encoded.source, key)
                raise
        table = self._core.table_name(info.table)
        call = _plain_put(table, encoded, beside, returning=returning)
        with_condition(call.parameters, found)
        response: Any
        try:
            if beside is not None:  # its sender sees to conflicts, and to interruptions meanwhile
                response = yield call
            else:
                response = yield from past_conflicts(self._core, call)
        except ConditionFalse as error:
            assert found is not None
            key = encoded.key
            if not outcomes.put_was_applied(encoded, key, error):
                if not inserting:
                    check_current(info, key, error)
                explain = item_exists if inserting else condition_failed
                raise explain(error, info, key, found) from error
            if returning:  # what it was went with the lost reply
                raise outcomes.unknown(error, info, key, error.item) from error
            return None
        except FAILURES as error:
            if (found is None and not returning) or not error.uncertain:
                raise
            raise outcomes.unknown(error, info, encoded.key) from error
        return response.get("Attributes") if returning else None

    def _replaced(self, info: ModelInfo, item: AttributeMap | None) -> Any:
        """The object that a save has replaced. An item of another model is none of this one's."""
        if not item or is_other(info, item):
            return None
        return self._deleted(info, info.cls, item)

    def _delete(self, subject: object, key: object, *, when: object, returning: bool) -> Flow[Any]:
        self._check_writable()
        info, item_key, version = yield from self._target(subject, key)
        found = joined(as_condition(when, info), version)
        if self._buffer is not None and found is None and not returning and not info.guarding:
            table = self._core.table_name(info.table)
            what = subject if key is NO_KEY else (subject, key)
            yield from deletes.gather(
                self._core, self._buffer, table, item_key, what, of_kind(info, key=item_key)
            )
            return None

        def deleting(own: ModelInfo) -> Flow[Any]:
            asked = found if own is info else as_condition(when, own)
            model = with_arguments(own.cls, subject)
            return self._delete_one(own, model, item_key, version, asked, returning=returning)

        return (yield from self._as_its_model(subject, info, deleting))

    def _delete_one(
        self,
        info: ModelInfo,
        model: Any,
        item_key: AttributeMap,
        version: Condition | None,
        found: Condition | None,
        *,
        returning: bool,
    ) -> Flow[Any]:
        table = self._core.table_name(info.table)
        yield from self._settle_written(table, item_key)
        guard = of_kind(info, key=item_key)
        parameters = with_condition({"TableName": table, "Key": item_key}, joined(found, guard))
        if returning:
            parameters["ReturnValues"] = "ALL_OLD"
        check_constant("DeleteItem", info, item_key, found)
        if info.guarding:
            gone = yield from unique_writes.delete(
                self._core, info, item_key, found, exact=returning
            )
            if not returning or gone is None:
                return None
            return self._deleted(info, model, gone)
        try:
            decode = decoder(info, model, "Attributes") if returning else None
            call = Call("delete_item", parameters, decode=decode)
            response = yield from past_conflicts(self._core, call)
        except ConditionFalse as error:
            if disowned(info, error) is not None and (found is None or holds_of_nothing(found)):
                if returning and error.uncertain:
                    raise outcomes.unknown(error, info, item_key) from error
                return None  # it is not ours: nothing to delete
            assert found is not None
            if not outcomes.delete_was_applied(info, item_key, version, error):
                check_current(info, item_key, error)
                raise condition_failed(error, info, item_key, found, model=model) from error
            if returning:  # it is gone, and what it was went with the lost reply
                raise outcomes.unknown(error, info, item_key) from error
            return None
        except FAILURES as error:
            if (found is None and not returning) or not error.uncertain:
                raise
            raise outcomes.unknown(error, info, item_key) from error
        old = response.get("Attributes")
        if returning and not old and response.get("ResponseMetadata", {}).get("Uncertain"):
            raise OutcomeUnknown("DeleteItem", info.name, plain_key(info, item_key))
        if not returning or not old:
            return None
        return self._deleted(info, model, old)

    def _deleted(self, info: ModelInfo, model: Any, item: Any) -> Any:
        with answering():
            return self._core.loaded(info, made_of(info, model, item))

    def _update(
        self,
        subject: object,
        key: object,
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
        info, item_key, version = yield from self._target(subject, key)
        yield from self._settle_written(self._core.table_name(info.table), item_key)

        def updating(own: ModelInfo) -> Flow[Any]:
            prepared = updates.prepare(
                self._core, own, item_key, actions, version=version, when=when,
                upsert=upsert, seen=own is not info, obj=None if is_class_of(subject) else subject,
                model=with_arguments(own.cls, subject) if is_class_of(subject) else None,
            )  # fmt: skip
            done: Flow[Any] = (unique_writes if own.guarding else updates).update(
                self._core, prepared, returns
            )
            return done

        return (yield from self._as_its_model(subject, info, updating, keys=True))

    @verb
    def move(self, old: Instance, new: M, /) -> Flow[M]:
        """Save *new* under its key and delete the item of *old*, in one transaction: both or neither.

        Use it to change the primary key, which an update cannot do. *new* may be of another model.

        Returns:
            The new object; for a frozen class with a version or time stamps, one with the stored values.

        Raises:
            NoSuchItem: The item of *old* does not exist.
            ItemExists: An item with the key of *new* already exists.
            ConditionFailed: Another writer has changed the version of *old*.
            ConditionError: Both have the same key.
        """
        self._check_writable()
        return (yield from transactions.move(self, old, new))

    @verb
    def _finish_edit(self, edit: edits.Edit) -> Flow[None]:
        table = self._core.table_name(edit.info.table)
        try:
            self._check_writable()
            yield from self._settle_written(table, key_in(edit.info, edit.before))
            yield from self._as_today(edit.info, functools.partial(edits.finish, self._core, edit))
        except BaseException as error:
            edits.failed(edit)
            if isinstance(error, MappingError):
                name_object(error, edit.info, edit.obj, key_in(edit.info, edit.before))
            raise

    @verb
    def migrate(
        self,
        model: type[object],
        *,
        where: bool | None = None,
        after: str | None = None,
        max_pages: int | None = None,
        page_size: int | None = None,
        on_page: Callable[[migration.Migrated], object] | None = None,
        on_error: migration.OnError = "raise",
    ) -> Flow[migration.Migrated]:
        """Migrate all items of a model to its current schema: upgrades, renamed attributes, unique fields,
        kinds.

        It scans the table, and rewrites the items whose stored form differs from what the model would write
        today, each on the condition that it has not changed since it was read. Other programs may read and
        write in the meantime. With unique fields, it creates the guard items that are missing. Items of
        other models of the table are left alone.

        Args:
            model: The model class. Its subclasses in the same table are migrated with it.
            where: A condition, in terms of stored values, that only items of this model fulfil. Give it if
                nothing else tells them apart from items of other models of the table.
            after: The cursor of an earlier call, to continue there.
            max_pages: The most pages to migrate; None for all. The result has the cursor for the rest.
            page_size: The most items to read at once; None for as many as 1 MB holds.
            on_page: Called after each page with the result so far. You can store its cursor.
            on_error: What to do with an item that cannot be read, whose unique value is taken, or that other
                writers keep changing: `"raise"`, `"skip"`, or a function that is called with the error.

        Raises:
            QueryError: The model has nothing to migrate; or its items cannot be told apart from those of
                another model of the table, and *where* does not help.
            MappingError: An item cannot be read, an upgrade fails, or it is unclear whether an item is of
                the model or of another one.
            AlreadyTaken: Two items have the same value of a unique field.
            ConditionFailed: Other writers keep changing an item.
            CursorError: *after* is not a cursor of a migration of this model.
        """
        self._check_writable()
        info = model_info(model)
        yield from self._settle_table(self._core.table_name(info.table))
        yield from self._settle_open()
        return (
            yield from migration.migrate(
                self._core, info, where=where, after=after, max_pages=max_pages, page_size=page_size,
                on_page=on_page, on_error=on_error,
            )
        )  # fmt: skip


def _plain_put(
    table: str, encoded: Encoded, deadline: float | None = None, *, returning: bool = False
) -> Call:
    """The put of an object, whatever is stored."""
    parameters: Message = {"TableName": table, "Item": encoded.sent}
    if returning:
        parameters["ReturnValues"] = "ALL_OLD"
    # A second time the old item would be the new one, unless a version says so.
    repeat = not returning or encoded.info.version is not None
    return Call("put_item", parameters, repeat=repeat, deadline=deadline)
