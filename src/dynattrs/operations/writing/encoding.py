"""An object as it is sent: its item, with what a save changes, or the write that waits in a batch."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from dynattrs import limits, utf8
from dynattrs.errors import MappingError, ModelError
from dynattrs.expressions.conditions import Condition
from dynattrs.keys.discriminator import ask_again
from dynattrs.keys.kinds import check_own_key, kinds_of
from dynattrs.mapper.carried import carried_by, carry_on
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.codec import Refused, show
from dynattrs.mapper.key_rules import check_key
from dynattrs.mapper.named import name_object
from dynattrs.mapper.size import TooDeep, item_size
from dynattrs.operations.conditions import unversioned, version_is
from dynattrs.operations.context import Core, is_frozen
from dynattrs.operations.item_keys import key_map
from dynattrs.operations.requests import item_in, packed_item, some_of
from dynattrs.operations.writing.buffer import Write
from dynattrs.operations.writing.settling import NO_MOVES, moved, moves_of, settle, taken
from dynattrs.schema.model_info import DumpAsRequest, ModelInfo, info_of, model_info
from dynattrs.schema.table import AttributeMap


@attrs.define(eq=False, repr=False)
class Encoded:
    """An object as it is at the moment of a `save`.

    Attributes:
        size: The item's bytes; of one that is JSON, those of the request, which are more.
        moves: The fields that the save changes, with their new values.
        given: What was given to `save`, where a hook returned *obj* in its place.
        request: The request to put it as JSON (`Mapper.dump_as_request`), where it is that.
        identity: That of its key, where it is JSON.
    """

    info: ModelInfo
    obj: Any
    _item: AttributeMap | None
    size: int = 0
    moves: Mapping[str, Any] = NO_MOVES
    given: Any = None
    request: Any = None
    identity: tuple[Any, ...] = ()
    _key: AttributeMap | None = attrs.field(default=None, init=False)

    @property
    def item(self) -> AttributeMap:
        """The attribute map to be stored, with the new version and time stamps."""
        if self._item is None:
            self._item = item_in(self.request)
        return self._item

    @property
    def sent(self) -> Any:
        """The item for requests: JSON where it is that."""
        return self.item if self.request is None else packed_item(self.request)

    @property
    def key(self) -> AttributeMap:
        """The primary key. The mapper has made it: it is there, and has bytes where it is binary."""
        if self._key is None:
            found = self._item
            if found is None:
                # How a number is written which is not an int only the item tells.
                told = Decimal not in map(type, self.identity)
                found = key_map(self.identity) if told else self.item
            self._key = {name: found[name] for name in self.info.table.key}
        return self._key

    def attributes(self, names: Iterable[str]) -> AttributeMap:
        """Those of some of the item's attributes that it has."""
        if self._item is not None:
            return {name: self._item[name] for name in names if name in self._item}
        return some_of(self.request, names)

    def measured(self) -> int:
        """The bytes that the service counts for the item."""
        return self.size if self.request is None else item_size(self.item)

    @property
    def rekeyed(self) -> bool:
        """Whether the object carries a key of another item than the one that is stored."""
        carried = carried_by(self.obj).key
        return carried is not None and any(
            self.item.get(name) != value for name, value in carried.stored.items()
        )

    @property
    def source(self) -> Any:
        """The very object that was given to `save`."""
        return self.obj if self.given is None else self.given

    def stored(self) -> Any:
        """The object as it is stored. A frozen one is copied, others are returned as they are:
        they change when the service has said yes (`settle`).
        """
        if self.moves and is_frozen(self.info):
            made = moved(self.info, copy.copy(self.obj), self.moves)
            if self.rekeyed:
                carry_on(made, key=None)
            return made
        return self.obj

    def taken(self) -> None:
        """A batch has taken it: from now on the object is about the item of its key."""
        taken(self.obj, self.rekeyed)

    def settle(self) -> None:
        """The service has said yes: move version and time stamps of a mutable object."""
        settle(self.info, self.obj, self.moves, self.rekeyed)

    def settling(self) -> Callable[[], None]:
        """`settle`, for who keeps it and should not keep the item with it."""
        rekeyed = self.rekeyed
        self.taken()
        return functools.partial(settle, self.info, self.obj, self.moves, rekeyed)

    def unmoved(self) -> Condition | None:
        """The condition that the stored version is the one that the object was read with; under another
        key than it was read with there is none.
        """
        if self.info.version is not None and self.rekeyed:
            return unversioned(self.info)
        return version_is(self.info, self.obj)


def encode(core: Core, obj: object) -> Encoded:
    """An object as the item to store, after the hooks, with what a save changes.

    Raises:
        MappingError: A value has no place in DynamoDB, or the item is over 400 KB. It names the object.
        ImpossibleKey: Its key is another model's.
        ModelError: *obj* is not a model.
    """
    info = info_of(type(obj)) or _refuse(obj)
    try:
        return _encode(core, info, obj)
    except MappingError as error:
        found = error.key
        name_object(error, info, obj)
        error.key = found or error.key  # that of what a hook has made of the object
        raise


def _encode(core: Core, info: ModelInfo, obj: object) -> Encoded:
    if not info.carries and info.unknown == "keep":
        raise MappingError(
            info.name,
            "a class that can keep attributes it does not know",
            "a class mapped with map_class, which cannot",
            hint="saving could erase attributes of the stored item; "
            "say unknown='drop' in map_class",
        )
    ask_again(info)
    given, obj = obj, core.before_save(info, obj)
    encoded = _packed(core, info, obj) or by_codecs(core, info, obj)
    if info.keys is None and kinds_of(info) is not None:
        check_own_key(info, encoded.key)
    if obj is not given:
        encoded.given = given
    return encoded


# Measured (benchmarks/second_ways.py): 7.1 -> 3.2 us an object of 12 attributes.
# tests/property/test_single_writes.py holds it to `by_codecs`.
def _packed(core: Core, info: ModelInfo, obj: object) -> Encoded | None:
    """An object that becomes JSON at once; None where it does not."""
    mapper, table = info.mapper, core.table_name(info.table)
    dump: DumpAsRequest = mapper.request_dumps.get(info.cls, mapper.dump_as_request)
    moves: Mapping[str, Any] = NO_MOVES
    try:
        if info.moves:
            moves = moves_of(core, info, obj)
            found = dump(obj, table, Write, moves)
        else:
            found = dump(obj, table, Write)
    except Exception:  # the general way decides, and explains
        return None
    if found is None:
        return None
    return Encoded(info, obj, None, found.size, moves, None, found.request, found.identity)


def by_codecs(core: Core, info: ModelInfo, obj: object) -> Encoded:
    """An object by way of its attribute map.

    Raises:
        MappingError: As `encode`; it does not name the object.
    """
    mapper = info.mapper
    validate(info, obj)
    if info.moves:
        encoded = Encoded(info, obj, mapper.dump(obj))
        stamp(core, encoded)
        encoded.size = check_size(info, encoded.item)
        return encoded
    try:
        item, size = mapper.dump_with_size(obj)
    except (TooDeep, UnicodeEncodeError):
        item, size = mapper.dump(obj), limits.ITEM_BYTES + 1
    # It measures once more, to say what is wrong.
    size = size if size <= limits.ITEM_BYTES else check_size(info, item)
    return Encoded(info, obj, item, size)


def validate(info: ModelInfo, obj: object, changed: Collection[str] | None = None) -> None:
    """Let validators see what an object has now, where they may not know of it: see `ClassCodec.validate`.

    Raises:
        MappingError: One refuses it.
    """
    codec = info.mapper.model_codec(info.cls)
    if isinstance(codec, ClassCodec) and codec.validates:
        with contextlib.suppress(RecursionError):  # it holds itself, which the mapper says
            codec.validate(obj, changed)


def check_several(objects: object) -> None:
    """Refuse one object where several are saved.

    Raises:
        ModelError: It is one, or nothing that can be iterated over.
    """
    if info_of(type(objects)) is not None or not isinstance(objects, Iterable):
        raise ModelError(
            type(objects).__name__,
            f"save_all() expects several objects, found {show(objects)}; save one with save(...)",
        )


def _refuse(obj: object) -> ModelInfo:
    if isinstance(obj, type):
        raise ModelError(
            obj.__name__, f"an object is saved, not its class; write {obj.__name__}(...)"
        )
    if not any(info_of(base) is not None for base in type(obj).__mro__):
        hint = ""
        if isinstance(obj, dict):
            hint = "; make one of it, such as Song(**values)"
        elif isinstance(obj, (list, tuple, set)):
            hint = "; give one object, or save several with save_all(...)"
        raise ModelError(
            type(obj).__name__, f"an object of a model is expected, found {show(obj)}{hint}"
        )
    return model_info(type(obj))  # which says what is missing


def refusal(obj: object, error: MappingError | ModelError) -> MappingError | None:
    """What an error says of one object; None where it says something of its whole class."""
    if isinstance(error, MappingError) or info_of(type(obj)) is not None:
        return error if isinstance(error, MappingError) else None
    refused = MappingError(type(obj).__name__, "an object of a model", show(obj), obj=obj)
    refused.__cause__ = error
    return refused


def stamp(core: Core, encoded: Encoded) -> None:
    """Put the next version and the time stamps into the item, and remember them for the object."""
    info = encoded.info
    encoded.moves = moves_of(core, info, encoded.obj)
    codec = info.mapper.model_codec(info.cls)
    for name, value in encoded.moves.items():
        try:
            encoded.item[info.names[name]] = (codec.fields or {})[name].dump(value)
        except Refused as refused:  # a version of 39 digits
            raise MappingError(
                f"{info.name}.{name}", refused.expected, refused.found, hint=refused.hint
            ) from refused
    if info.keys is not None:
        info.keys.refresh(encoded.item, {info.names[name] for name in encoded.moves})


def check_size(info: ModelInfo, item: AttributeMap) -> int:
    """The item's size in bytes.

    Raises:
        MappingError: It is over 400 KB, nested more than 32 levels deep, or has text without a UTF-8
            form.
    """
    try:
        size = item_size(item)
    except TooDeep as error:
        raise unmeasured(_culprit(info, item, TooDeep), error) from None
    except UnicodeEncodeError as error:
        check_key(info, item)
        raise unmeasured(_culprit(info, item, UnicodeEncodeError), error) from None
    if size > limits.ITEM_BYTES:
        raise MappingError(
            info.name,
            f"an item of at most {limits.ITEM_BYTES:,} bytes",
            f"one of {size:,}",
            hint="split it, or store a large field as Annotated[..., Compressed], or in S3 with InS3",
        )
    return size


def unmeasured(path: str, error: TooDeep | UnicodeEncodeError) -> MappingError:
    """The error for a place whose value could not be measured."""
    if isinstance(error, TooDeep):
        return MappingError(
            path,
            f"at most {limits.NESTING_DEPTH} levels of lists and maps",
            "more",
            hint="store the inner part as Annotated[..., Json]",
        )
    found = f"a lone surrogate, {error.object[error.start]!r}"
    return MappingError(path, utf8.EXPECTED, found, hint=utf8.HINT)


def _culprit(info: ModelInfo, item: AttributeMap, kind: type[Exception]) -> str:
    """The field whose value cannot be measured."""
    by_attribute = {stored: name for name, stored in info.names.items()}
    for attribute, value in item.items():
        try:
            item_size({attribute: value})
        except kind:
            return f"{info.name}.{by_attribute.get(attribute, attribute)}"
    return info.name
