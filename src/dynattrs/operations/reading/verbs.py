"""The verbs that read single items, many keys, and the rows of statements. Each is written once."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from dynattrs.deferral import deferred
from dynattrs.errors import NoSuchItem, OtherKind, QueryError
from dynattrs.expressions.conditions import expressions
from dynattrs.keys.discriminator import is_guard
from dynattrs.keys.kinds import is_other, kinds_of
from dynattrs.mapper.anything import load_any
from dynattrs.mapper.carried import assign, carried_by, carry
from dynattrs.models.model import M
from dynattrs.operations.context import is_frozen
from dynattrs.operations.flows import Call, Flow, verb
from dynattrs.operations.item_keys import NO_KEY, key_of, plain_key, target
from dynattrs.operations.owner import Owner
from dynattrs.operations.reading.expiry import is_expired, time_to_live
from dynattrs.operations.reading.objects import decoder, made_of, reading_own
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, guarded_tables, model_info
from dynattrs.schema.table import AttributeMap, StoredItem

if TYPE_CHECKING:
    from dynattrs.expressions.operand_types import Key
    from dynattrs.operations.reading import batch_get, partiql, transact_get
    from dynattrs.operations.writing import batch
else:
    batch = deferred("dynattrs.operations.writing.batch")
    batch_get = deferred("dynattrs.operations.reading.batch_get")
    transact_get = deferred("dynattrs.operations.reading.transact_get")
    partiql = deferred("dynattrs.operations.reading.partiql")


class ReadVerbs(Owner):
    """What a session, and a batch, reads."""

    @verb
    def get(
        self, model: type[M], key: Key, *, consistent: bool = False, unexpired: bool = False
    ) -> Flow[M | None]:
        """The item with a key, or None.

        Args:
            model: The model class.
            key: A scalar, a tuple `(partition, sort)`, or a dict of fields.
            consistent: Read what every earlier acknowledged write left, at twice the capacity.
            unexpired: None also for an item whose time to live is over and that is not removed yet.

        Raises:
            OtherKind: An item of another model of the table lies under the key.
            MappingError: The key does not fit the model, or the item cannot be read as one.
            QueryError: *unexpired* is said of a model without a time to live.
        """
        return (yield from self._object(model, key, consistent, unexpired))

    @verb
    def get_one(
        self, model: type[M], key: Key, *, consistent: bool = False, unexpired: bool = False
    ) -> Flow[M]:
        """The item with a key. The arguments are those of `get`.

        Raises:
            NoSuchItem: There is none.
            OtherKind: An item of another model of the table lies under the key.
            MappingError: The key does not fit the model, or the item cannot be read as one.
            QueryError: *unexpired* is said of a model without a time to live.
        """
        found = yield from self._object(model, key, consistent, unexpired)
        if found is None:
            raise NoSuchItem(model_info(model).name, key)
        return found

    @verb
    def exists(self, model: type[M], key: Key, *, consistent: bool = False) -> Flow[bool]:
        """Whether there is an item of the model with a key. It reads the key only, and what tells models
        apart (and costs as a whole read).
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
        """Read an object's item again, consistently, into the object itself.

        Returns:
            The object; for a frozen class a new one.

        Raises:
            NoSuchItem: The item is gone. The object is as before.
            OtherKind: It is an item of another model now, or of a subclass.
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
    def _transact_get(self, wanted: tuple[tuple[Any, Any], ...]) -> Flow[tuple[Any, ...]]:
        self._check_open()
        asked = []
        for model, key in wanted:
            info = model_info(model)
            asked.append((model, info, self._core.table_name(info.table), key_of(info, key)))
        for _, _, table, key in asked:
            yield from self._settle_pending(table, key)
        keys = [(table, key) for _, _, table, key in asked]
        items = yield from transact_get.transact_get(self._core, keys)
        return tuple(
            self._core.loaded(info, self._made(info, model, item)) if item else None
            for (model, info, _, _), item in zip(asked, items, strict=True)
        )

    def _batch_get(
        self,
        model: object,
        keys: Iterable[Key],
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
            model=info.name,
        )  # fmt: skip

    def _reads(self, info: ModelInfo, model: Any, *, sure: bool = True) -> Callable[[Any], Any]:
        """What makes an object of each of many items, with the hooks of its model.

        Args:
            info: The model.
            model: The class.
            sure: Whether the keys of the items are ones that the model makes.
        """
        # Not the function that makes objects now: rows may learn on the way.
        load: Callable[[Any], Any] = functools.partial(made_of, info, model)
        if not sure or info.keys is None:
            load = reading_own(info, model, load)
        finish = self._core.after_load(info)
        return load if finish is None else lambda item: finish(load(item))

    def _statement(
        self, statement: str, parameters: tuple[object, ...], model: object, *, consistent: bool
    ) -> Flow[tuple[partiql.Statement[Any], list[Any]]]:
        """A statement with its first page of rows: what writes is done when this returns."""
        if partiql.reads(statement):
            self._check_open()
        else:
            self._check_writable()
        if self._buffer is not None:
            yield from batch.flush(self._core, self._buffer)
        if not partiql.reads(statement):
            yield from self._settle_open()
        read: Callable[[Any], Any] = _plain_row
        decode = left_out = None
        if model is not None:
            info = model_info(model)
            partiql.check_whole(statement, info.name)
            self._core.table_name(
                info.table
            )  # the statement names it, and tests may have to make it
            read = self._reads(info, model, sure=False)
            decode = decoder(info, model, "Items")
            if info.table.name in guarded_tables:
                left_out = functools.partial(is_guard, info.table)
        found: partiql.Statement[Any] = partiql.Statement(
            statement, parameters, read, consistent=consistent, decode=decode, left_out=left_out
        )
        return found, (yield from found.next()) or []

    def _object(
        self, model: type[M], key: object, consistent: bool, unexpired: bool
    ) -> Flow[M | None]:
        self._check_open()
        info = model_info(model)
        stored_key = key_of(info, key)
        if unexpired:
            time_to_live(info)
        item = yield from self._get(info, stored_key, consistent, model)
        if item is None or (unexpired and is_expired(self._core, info, item)):
            return None
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


def _plain_row(item: AttributeMap) -> dict[str, Any]:
    return {name: load_any(value) for name, value in item.items()}


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
