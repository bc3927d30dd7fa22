"""What all verbs of a session share: names of tables, settings, and how writes are prepared."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import timedelta
from typing import Any, cast

import attrs

from dynattrs import limits
from dynattrs.errors import MappingError, ModelError
from dynattrs.mapper import Mapper
from dynattrs.mapper.classes import carried_by, carry
from dynattrs.mapper.codec import show
from dynattrs.mapper.size import TooDeep, item_size
from dynattrs.operations.flows import Environment
from dynattrs.operations.pace import Pace, Progress
from dynattrs.schema import AttributeMap, ModelInfo, Table, info_of, model_info


@attrs.define
class Core:
    """Settings that the handles of one session share.

    Attributes:
        environment: Clock and randomness.
        deadline: How long to go on without any acknowledgement.
        concurrency: How many batches may be in flight.
        table_prefix: Put before the declared name of every table.
        tables: Names to use in place of declared ones, before any prefix.
        cursor_secret: What cursors are signed with.
        on_progress: Told how far a block or a `save_all` is.
        pace: How many batches may be under way at the moment.
    """

    environment: Environment
    deadline: timedelta
    concurrency: int
    table_prefix: str = ""
    tables: Mapping[str, str] = attrs.field(factory=dict)
    cursor_secret: bytes | None = attrs.field(default=None, repr=False)
    on_progress: Callable[[Progress], object] | None = None
    pace: Pace = attrs.field(
        init=False, default=attrs.Factory(lambda self: Pace(self.concurrency), takes_self=True)
    )
    #: How many transactions each caller has open.
    transactions: Counter[Hashable] = attrs.field(factory=Counter)

    def table_name(self, table: Table) -> str:
        """The real name of a declared table. A name in `tables` is taken as it is."""
        renamed = self.tables.get(table.name)
        return renamed if renamed is not None else self.table_prefix + table.name


@attrs.define
class Encoded:
    """An object as it is at the moment of a `save`.

    Attributes:
        item: The attribute map to be stored, with the new version and time stamps.
        size: The item's bytes.
        moves: The fields that the save changes, with their new values.
    """

    info: ModelInfo
    obj: Any
    item: AttributeMap
    size: int = 0
    moves: dict[str, Any] = attrs.field(factory=dict)

    def stored(self) -> Any:
        """The object as it is stored. A frozen one is copied, others are returned as they are:
        they change when the service has said yes (`settle`).
        """
        return self._moved(copy.copy(self.obj)) if self.moves and is_frozen(self.info) else self.obj

    def settle(self) -> None:
        """The service has said yes: move version and time stamps of a mutable object."""
        settle_edit(self.obj)
        if self.moves and not is_frozen(self.info):
            self._moved(self.obj)

    def _moved(self, obj: Any) -> Any:
        for name, value in self.moves.items():
            # Neither validators nor hooks: these are the library's fields.
            object.__setattr__(obj, name, value)
        return obj


def settle_edit(obj: Any) -> None:
    """What *obj* holds is stored: edits of it begin at what it is now."""
    carried = carried_by(obj)
    if carried.base is not None:
        carry(obj, attrs.evolve(carried, base=None))


def is_frozen(info: ModelInfo) -> bool:
    parameters = getattr(info.cls, "__dataclass_params__", None)
    if parameters is not None:
        return bool(parameters.frozen)
    # How attrs marks a frozen class, one that inherits it included.
    return getattr(info.cls.__setattr__, "__name__", "") == "_frozen_setattrs"


def encode(core: Core, obj: Any) -> Encoded:
    """An object as the item to store, with what a save changes.

    Raises:
        MappingError: A value has no place in DynamoDB, or the item is over 400 KB.
        ModelError: *obj* is no model.
    """
    if isinstance(obj, type):
        raise ModelError(
            obj.__name__, f"an object is saved, not its class; write {obj.__name__}(...)"
        )
    if info_of(type(obj)) is None and not _has_model_base(type(obj)):
        raise ModelError(type(obj).__name__, f"an object of a model is expected, found {show(obj)}")
    info = model_info(type(obj))
    if not info.carries and info.unknown == "keep":
        raise MappingError(
            info.name,
            "a class that can keep attributes it does not know",
            "a class mapped with map_class, which cannot",
            hint="saving could erase attributes of the stored item; "
            "say unknown='drop' in map_class",
        )
    mapper = cast("Mapper", info.mapper)
    item = mapper.dump(obj)
    encoded = Encoded(info, obj, item)
    if info.moves:
        stamp(core, encoded)
    encoded.size = check_size(info, item)
    return encoded


def _has_model_base(cls: type[Any]) -> bool:
    return any(info_of(base) is not None for base in cls.__mro__)


def stamp(core: Core, encoded: Encoded) -> None:
    """Put the next version and the time stamps into the item, and remember them for the object."""
    info, obj = encoded.info, encoded.obj
    now = core.environment.now()
    if info.version is not None:
        encoded.moves[info.version] = (getattr(obj, info.version) or 0) + 1
    if info.created is not None and getattr(obj, info.created) is None:
        encoded.moves[info.created] = now
    if info.updated is not None:
        encoded.moves[info.updated] = now
    codec = cast("Mapper", info.mapper).codec(info.cls)
    for name, value in encoded.moves.items():
        encoded.item[info.names[name]] = (codec.fields or {})[name].dump(value)


def check_size(info: ModelInfo, item: AttributeMap) -> int:
    """The item's size in bytes.

    Raises:
        MappingError: It is over 400 KB, or nested more than 32 levels deep.
    """
    try:
        size = item_size(item)
    except TooDeep:
        raise MappingError(
            _culprit(info, item, TooDeep),
            f"at most {limits.NESTING_DEPTH} levels of lists and maps",
            "more",
            hint="store the inner part as Annotated[..., Json]",
        ) from None
    except UnicodeEncodeError as error:
        raise MappingError(
            _culprit(info, item, UnicodeEncodeError),
            "text that has a UTF-8 form",
            f"a lone surrogate, {error.object[error.start]!r}",
            hint="it is half of a character: decode the text with errors='replace'",
        ) from None
    if size > limits.ITEM_BYTES:
        raise MappingError(
            info.name,
            f"an item of at most {limits.ITEM_BYTES:,} bytes",
            f"one of {size:,}",
            hint="split it, or store a large field as Annotated[..., Compressed]",
        )
    return size


def _culprit(info: ModelInfo, item: AttributeMap, kind: type[Exception]) -> str:
    """The field whose value cannot be measured."""
    by_attribute = {stored: name for name, stored in info.names.items()}
    for attribute, value in item.items():
        try:
            item_size({attribute: value})
        except kind:
            return f"{info.name}.{by_attribute.get(attribute, attribute)}"
    return info.name
