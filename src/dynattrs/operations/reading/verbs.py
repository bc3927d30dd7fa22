"""The verbs that read single items, many keys, and the rows of PartiQL statements, each written once."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dynattrs.deferral import deferred
from dynattrs.errors import NoSuchItem, OtherKind, QueryError
from dynattrs.expressions.conditions import expressions
from dynattrs.keys.kinds import is_other, kinds_of
from dynattrs.mapper.carried import assign, carried_by, carry
from dynattrs.models.model import M
from dynattrs.operations.context import is_frozen
from dynattrs.operations.flows import Call, Flow, verb, written_as
from dynattrs.operations.item_keys import NO_KEY, key_of, pair_of, plain_key, target
from dynattrs.operations.owner import Owner
from dynattrs.operations.reading.expiry import is_expired, time_to_live
from dynattrs.operations.reading.objects import decoder, made_of, reading_own
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap, StoredItem

if TYPE_CHECKING:
    from dynattrs.expressions.operand_types import Key
    from dynattrs.mapper.in_s3 import Large
    from dynattrs.operations import large_values
    from dynattrs.operations.reading import (
        batch_get,
        partiql,
        parts,
        statement_batches,
        transact_get,
    )
else:
    batch_get = deferred("dynattrs.operations.reading.batch_get")
    large_values = deferred("dynattrs.operations.large_values")
    transact_get = deferred("dynattrs.operations.reading.transact_get")
    parts = deferred("dynattrs.operations.reading.parts")
    partiql = deferred("dynattrs.operations.reading.partiql")
    statement_batches = deferred("dynattrs.operations.reading.statement_batches")


T = TypeVar("T")


@written_as("session")
class ReadVerbs(Owner):
    """The reading methods of a session and a batch."""

    @verb
    def exists(self, model: type[M], key: Key, *, consistent: bool = False) -> Flow[bool]:
        """Return whether an item of the model with this key exists. It reads only the key and what tells
        models apart, but costs as much as reading the whole item.
        """
        self._check_open()
        info = model_info(model)
        kinds = kinds_of(info)
        wanted = [info.table.partition_key]
        if kinds is not None:
            wanted = [*info.table.key, *((kinds.attribute,) if kinds.attribute is not None else ())]
        extra = expressions((), projection=wanted)
        item = yield from self._get(info, key_of(info, key), consistent, extra=extra)
        return item is not None and not is_other(info, item)

    @verb
    def refresh(self, obj: M) -> Flow[M]:
        """Read an object's item again, consistently, and update the object in place.

        Returns:
            The object; for a frozen class, a new one.

        Raises:
            NoSuchItem: The item no longer exists. The object is unchanged.
            OtherKind: The item is now of another model, or of a subclass.
        """
        self._check_open()
        info, key, _ = target(obj, NO_KEY)
        item = yield from self._get(info, key, True, type(obj))
        if item is None:
            raise NoSuchItem(info.name, plain_key(info, key))
        fresh = self._made(info, type(obj), item)
        if type(fresh) is not type(obj) and not is_frozen(info):
            raise self._of_subclass(info, fresh, item)
        finish = self._core.after_load(info)
        if is_frozen(info):
            return fresh if finish is None else cast("M", finish(fresh))
        before = None if finish is None else copy.copy(obj)
        take_over(info, fresh, obj)
        if finish is not None:
            _finish_in_place(info, finish, obj, before)
        return obj

    @staticmethod
    def _of_subclass(info: ModelInfo, fresh: object, item: StoredItem) -> OtherKind:
        """The error where an item has become one of a subclass, whose fields an object has no place for."""
        from dynattrs.mapper.rows import attribute_map

        found = attribute_map(item)
        key = {name: found[name] for name in info.table.key}
        kind = found.get(info.table.discriminator or "", {}).get("S")
        return OtherKind(
            info.name, f"an item of {info.name} itself", f"one of {type(fresh).__name__}", key,
            "read it again with get(...)", found, kind=kind,
        )  # fmt: skip

    @verb
    def fetch(self, value: Large[T]) -> Flow[T]:
        """Fetch the value of a field with `InS3`, with one GetObject request to S3:
        `session.fetch(document.body)`.

        A value that is already in memory is returned without a request.

        The fetched value is not kept in the `Large`: another call reads it again.

        Raises:
            ObjectMissing: The object is no longer in S3.
            ObjectDamaged: The object in S3 does not have the size and SHA-256 that the item states.
            ObjectRefused: S3 refused the request.
            ObjectsUnavailable: S3 failed, even after botocore's retries.
            MappingError: The value has another type than the field.
        """
        self._check_open()
        return (yield from large_values.fetched(value))

    @verb
    def fetch_all(self, values: Iterable[Large[T]]) -> Flow[list[T]]:
        """Fetch the values of several fields, in order, with up to the session's `concurrency` requests at
        once.

        Raises:
            DynattrsError: The errors of `fetch`; the first one is raised.
        """
        self._check_open()
        each = map(large_values.fetched, values)
        return (yield from large_values.one_by_one(self._core, each))

    @verb
    def _transact_get(
        self, wanted: tuple[tuple[Any, Any], ...], as_: object = None, select: object = None
    ) -> Flow[tuple[Any, ...]]:
        self._check_open()
        asked = []
        for each in wanted:
            model, key = pair_of(each, "transact_get")
            info = model_info(model)
            part = self._part(info, as_, select)
            table = self._core.table_name(info.table)
            asked.append((model, info, part, table, key_of(info, key)))
        for *_, table, key in asked:
            yield from self._settle_pending(table, key)
        gets = [
            {"TableName": table, "Key": key, **({} if part is None else part.request)}
            for _, _, part, table, key in asked
        ]
        items = yield from transact_get.transact_get(self._core, gets)
        return tuple(
            self._result(info, model, part, item) if item else None
            for (model, info, part, _, _), item in zip(asked, items, strict=True)
        )

    def _batch_get(
        self,
        wanted: object,
        keys: Iterable[Key] | None,
        *,
        as_: object,
        select: object,
        consistent: bool,
        unexpired: bool,
        ordered: bool,
        missing: str,
    ) -> batch_get.BatchGet[Any]:
        if missing not in ("skip", "none"):
            raise QueryError(f"get_many(missing={missing!r}): write 'skip' or 'none'")
        self._check_open()
        subject = functools.partial(self._subject, as_=as_, select=select, unexpired=unexpired)
        if keys is not None:
            info = model_info(wanted)
            found, what = batch_get.of_one(info, keys, subject(info, wanted)), info.name
        else:
            found, what = batch_get.of_several(wanted, subject), "several models"
        return batch_get.BatchGet(
            self._core, found, consistent=consistent, ordered=ordered,
            none_for_missing=missing == "none", before=self._settle_keys, what=what,
        )  # fmt: skip

    def _subject(
        self, info: ModelInfo, model: object, *, as_: object, select: object, unexpired: bool
    ) -> batch_get.Subject:
        """What `get_many` asks of the items of a model."""
        table = self._core.table_name(info.table)
        skip = None
        if unexpired:
            time_to_live(info)
            skip = functools.partial(is_expired, self._core, info)
        part = self._part(info, as_, select, unexpired=unexpired)
        if part is not None:
            return batch_get.Subject(model, table, part.reads(), skip=skip, needs=part.attributes)
        return batch_get.Subject(
            model, table, self._loads(info, model), self._core.after_load(info), skip,
            decode=decoder(info, model, "Responses"),
        )  # fmt: skip

    @staticmethod
    def _loads(info: ModelInfo, model: Any, *, sure: bool = True) -> Callable[[Any], Any]:
        """What makes an object of each of many items.

        Args:
            info: The model.
            model: The class.
            sure: Whether the keys of the items are ones that the model makes.
        """
        # Not the function that makes objects now: rows may learn on the way.
        load: Callable[[Any], Any] = functools.partial(made_of, info, model)
        return load if sure and info.keys is not None else reading_own(info, model, load)

    def _statement(
        self, statement: str, parameters: tuple[object, ...], model: object, *, consistent: bool
    ) -> Flow[partiql.Statement[Any]]:
        """A statement that was run."""
        said = partiql.said(statement, parameters, consistent=consistent)
        reader = partiql.rows_of(self._core, model)
        reader.check(said)
        yield from self._settle_all(reads=said.reads)
        found: partiql.Statement[Any] = partiql.Statement(said, reader)
        yield from found.begin()
        return found

    @verb
    def _execute_many(
        self,
        statements: object,
        rows: Iterable[Sequence[object]] | None,
        model: object,
        *,
        consistent: bool,
    ) -> Flow[list[Any]]:
        self._check_open()
        given = statement_batches.statements(statements, rows, consistent=consistent)
        if not given:
            return []
        reader = partiql.rows_of(self._core, model)
        yield from self._settle_all(reads=given[0].reads)
        return (yield from statement_batches.executed(self._core, given, reader))

    def _settle_all(self, *, reads: bool) -> Flow[None]:
        """Store all that is pending: of what a statement reads or writes its text only tells."""
        if reads:
            self._check_open()
        else:
            self._check_writable()
        yield from self._settle_everything(others=not reads)

    def _object(
        self,
        model: Any,
        key: object,
        *,
        consistent: bool,
        unexpired: bool,
        as_: object = None,
        select: object = None,
        there: bool = False,
    ) -> Flow[Any]:
        """What a key has: an object, or the part of it that was asked for; None if nothing, unless it must
        be *there*.
        """
        self._check_open()
        info = model_info(model)
        stored_key = key_of(info, key)
        if unexpired:
            time_to_live(info)
        part = self._part(info, as_, select, unexpired=unexpired)
        if part is None:
            item = yield from self._get(info, stored_key, consistent, model)
        else:
            item = yield from self._get(info, stored_key, consistent, extra=part.request)
        if item is not None and not (unexpired and is_expired(self._core, info, item)):
            return self._result(info, model, part, item)
        if there:
            raise NoSuchItem(info.name, key)
        return None

    @staticmethod
    def _part(
        info: ModelInfo, as_: object, select: object, *, unexpired: bool = False
    ) -> parts.Part[Any] | None:
        # Most reads are of whole objects.
        if as_ is None and select is None:
            return None
        return parts.part_of(info, as_, select, unexpired=unexpired)

    def _result(self, info: ModelInfo, model: Any, part: parts.Part[Any] | None, item: Any) -> Any:
        """What comes of an item that was asked for by its key."""
        if part is not None:
            return part.reads()(item)
        return self._core.loaded(info, self._made(info, model, item))

    @staticmethod
    def _made(info: ModelInfo, model: type[M], item: StoredItem) -> M:
        """The object of an item that was asked for by its key."""
        if info.keys is not None:
            return made_of(info, model, item)
        make = functools.partial(made_of, info, model)
        return cast("M", reading_own(info, model, make)(item))

    def _get(
        self,
        info: ModelInfo,
        key: AttributeMap,
        consistent: bool,
        model: object = None,
        *,
        extra: Message | None = None,
    ) -> Flow[StoredItem | None]:
        table = self._core.table_name(info.table)
        yield from self._settle_pending(table, key)
        parameters: Message = {"TableName": table, "Key": key, **(extra or {})}
        if consistent:
            parameters["ConsistentRead"] = True
        decode = None if model is None else decoder(info, model, "Item")
        response = yield Call("get_item", parameters, decode=decode)
        return cast("StoredItem | None", response.get("Item"))


def take_over(info: ModelInfo, source: object, target: object) -> None:
    """Give *target* the fields of *source*, and what that carries."""
    for name in info.names:
        # Past validators and hooks: the values come from the class's own constructor.
        assign(target, name, getattr(source, name))
    if info.carries:
        carry(target, carried_by(source))


def _finish_in_place(
    info: ModelInfo, finish: Callable[[Any], object], obj: object, before: object
) -> None:
    """Let the hooks have an object that was read into itself; where one raises it is as before."""
    try:
        made = finish(obj)
    except BaseException:
        take_over(info, before, obj)
        raise
    if made is not obj:
        take_over(info, made, obj)
