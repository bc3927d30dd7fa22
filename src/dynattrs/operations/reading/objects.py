"""Objects of models, from the bytes of replies: items become rows of their class, and rows objects.

What decodes a reply goes with its `Call`. A wire that has the bytes of the reply, and has checked them,
calls it with them; a wire that has a parsed reply ignores it. So flows get items that are rows or
attribute maps. Both can be asked for an attribute by name, and both become objects.

A reply is read item by item: as a row of the model that it is of, and what cannot be a row as an
attribute map. Attributes that a class does not know get a place in its rows with the first reply that
holds them. Where all items should be of one class, the whole reply is tried in one step before that.

What rows are is `mapper.rows`'s. What a query makes of items besides objects is `projections`'s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

from dynattrs.keys.discriminator import Sieve, subclasses
from dynattrs.keys.kinds import has_stray_key
from dynattrs.late_classes import field, frozen
from dynattrs.operations.flows import Decode
from dynattrs.schema.generic_classes import with_arguments
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ComputedKeys, ItemReader, ModelInfo
from dynattrs.schema.table import StoredItem

M = TypeVar("M")
R_co = TypeVar("R_co", covariant=True)

# Members of replies besides the items, as far as anything here reads them.
_OTHERS: Final = (
    "ConsumedCapacity",
    "Count",
    "LastEvaluatedKey",
    "NextToken",
    "ScannedCount",
    "UnprocessedKeys",
)

#: After how many items in a row that are not rows the others of a page are not tried.
_SAMPLE: Final = 16

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list
_DICT: Final[Any] = dict

#: Where replies have their items, by the member's name: `Item` is GetItem's, `Items` those of Query,
#: Scan and ExecuteStatement, `Attributes` those of UpdateItem and DeleteItem, `Responses`
#: BatchGetItem's.
_PLACES: Final[dict[str, Callable[[Any], Any]]] = {
    "Attributes": lambda item: item,
    "Item": lambda item: item,
    "Items": lambda item: _LIST[item],
    "Responses": lambda item: _DICT[str, _LIST[item]],
}


# --- Objects of one model -----------------------------------------------------------------------


def decoder(info: ModelInfo, model: object, place: str) -> Decode | None:
    """What reads replies whose items are *model*s and stand at *place*; None for the ordinary way.

    Args:
        info: The model's.
        model: The class that the items become; with its arguments where it is generic.
        place: A member of the reply.

    Raises:
        ModelError: As `Mapper.load`.
    """
    rows = _rows(info, model)
    return None if rows is None else rows_decoder(rows, place, info, model)


def _rows(info: ModelInfo, model: object) -> ItemReader | None:
    readers = info.mapper.readers
    return readers[model] if model in readers else info.mapper.rows(model)


def rows_decoder(rows: ItemReader, place: str, info: ModelInfo, model: object = None) -> Decode:
    """What reads replies whose items are these rows, made of items of a *model*.

    Those of other models stay attribute maps, and their attributes are not learned.
    """
    declared = info.table.members.declared
    known, found = rows.decoders.get(place, (0, None))
    if known != declared:
        found = _of_subclasses(info, model, rows, place)
        if found is None:
            belongs = None if info.keys is None else partial(_own, info, info.keys)
            found = _OfOneModel(place, rows, belongs)
        # Two threads may make two: the later one stays.
        rows.decoders[place] = declared, found
    decode: Decode = found
    return decode


def _of_subclasses(info: ModelInfo, model: object, rows: ItemReader, place: str) -> Decode | None:
    """What reads replies whose items may be of subclasses, which have rows of their own; None where there
    are no subclasses.
    """
    if info.keys is None or rows.attributes is not None or not subclasses(info):
        return None
    look = _look(Sieve((info,)))
    if look is None:
        return None

    def rows_of(found: ModelInfo) -> ItemReader | None:
        try:
            return rows if found is info else _rows(found, with_arguments(found.cls, model))
        except Exception:  # the general way says what is wrong with the model
            return None

    return _OfSeveralModels(place, look, rows_of)


def _own(info: ModelInfo, keys: ComputedKeys, item: StoredItem) -> bool:
    """Whether an item is the model's own, as far as learning its attributes goes."""
    discriminator = info.table.discriminator
    with suppress(Exception):  # the general way says what is wrong with it
        if discriminator is not None and keys.kinds:
            return item.get(discriminator, {}).get("S") in keys.kinds
        return keys.matches(item)
    return False


def made_of(info: ModelInfo, model: type[M], item: Any) -> M:
    """The object of one item of a reply.

    Raises:
        MappingError: As `Mapper.load`.
    """
    rows = _rows(info, model)
    return info.mapper.load(item, model) if rows is None else rows.current[1](item)


def reading_own(info: ModelInfo, model: Any, make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What *make* does, for items that may be any of the table: those whose key is not the model's go
    the general way, which knows what they are.
    """
    stray = has_stray_key(info)
    if stray is None:
        return make

    def read(item: Any) -> Any:
        if not stray(item):
            return make(item)
        # Rows are there only where a library that makes them is.
        from dynattrs.mapper.rows import attribute_map

        return info.mapper.load(attribute_map(item), model)

    return read


@frozen(eq=False, repr=False)
class Objects(Generic[R_co]):
    """Objects of one model, as what a query gives."""

    info: ModelInfo
    model: type[R_co]
    needs: None = None

    def decoder(self, place: str) -> Decode | None:
        return decoder(self.info, self.model, place)

    def reads(self) -> Callable[[Any], R_co]:
        """What makes objects of the items of one page.

        Raises:
            MappingError: (the function) As `Mapper.load`.
        """
        rows = _rows(self.info, self.model)
        return partial(self.info.mapper.load, model=self.model) if rows is None else rows.current[1]


# --- Objects of several models ------------------------------------------------------------------


@frozen(eq=False, repr=False)
class MixedObjects(Generic[R_co]):
    """Objects of several models, each of its own, as what a query gives."""

    sieve: Sieve
    needs: None = None
    #: The classes that were asked for by their models, with arguments where they are generic.
    classes: Mapping[ModelInfo, Any] = field(factory=dict)
    #: The models of rows, which were told apart when they were read, and what makes their objects.
    _told: dict[type[object], tuple[ModelInfo, Callable[[Any], Any]]] = field(
        factory=dict, init=False
    )

    # Measured (benchmarks/test_collections.py): 780 -> 490 us for a page of 100 items of three models
    # that keys tell apart. tests/property/test_reading_groups.py holds it to the general way.
    def decoder(self, place: str) -> Decode | None:
        look = _look(self.sieve)
        return None if look is None else _OfSeveralModels(place, look, self._rows_of)

    def _rows_of(self, info: ModelInfo) -> ItemReader | None:
        try:
            rows = _rows(info, self._class_of(info))
        except Exception:  # the general way says what is wrong with the model
            return None
        if rows is not None:
            row, build = rows.current
            self._told[row] = info, build
        return rows

    def model_of(self, item: StoredItem) -> ModelInfo | None:
        """As `Sieve.model_of`."""
        told = self._told.get(type(item))
        return self.sieve.model_of(item) if told is None else told[0]

    def reads(self) -> Callable[[Any], R_co]:
        return self.read

    def read(self, item: Any) -> R_co:
        told = self._told.get(type(item))
        if told is not None:
            return cast("R_co", told[1](item))
        info = self.sieve.model_of(item)
        assert info is not None, "items of other models are left out before"
        return cast("R_co", made_of(info, self._class_of(info), item))

    def _class_of(self, info: ModelInfo) -> Any:
        """The class of a model's objects, with the arguments of the one that was asked for."""
        if info in self.classes:
            return self.classes[info]
        asked = (cls for each, cls in self.classes.items() if issubclass(info.cls, each.cls))
        return with_arguments(info.cls, next(asked, None))


def is_own(item: Any) -> bool:
    """Whether it is sure, without a further look, that an item is of the model that it was read as."""
    return type(item) is not dict and item.own() is True


def _look(sieve: Sieve) -> Callable[[Any], ModelInfo | None] | None:
    """What tells of an item's bytes which model it is of: None where the general way has to."""
    # Programs that read nothing do without it.
    from dynattrs.mapper.rows import peek

    try:
        decode = peek((*sieve.table.key, *sieve.reads))
        at_once = _at_once(sieve)
    except ValueError:  # an attribute's name cannot be that of a struct's member
        return None

    def look(raw: object) -> ModelInfo | None:
        try:
            return at_once(raw)
        except Exception:
            try:
                return sieve.model_of(decode(raw))
            except Exception:  # the general way says what is wrong with it
                return None

    return look


# Measured (benchmarks/readings.py): 7.9 -> 2.9 us an item of a collection that keys tell apart, 3.9 -> 2.4
# with a discriminator. tests/property/test_reading_groups.py holds it to the general way.
def _at_once(sieve: Sieve) -> Callable[[Any], ModelInfo | None]:
    """The same for what most items are; it raises for all others."""
    from dynattrs.mapper.rows import peek, teller

    table = sieve.table
    if table.discriminator is not None:
        said, kinds = cast("Any", peek((table.discriminator,), ("S",))), sieve.kinds
        return lambda raw: kinds[said(raw).k0.S]
    known = [(info if info in sieve.wanted else None, keys.patterns) for info, keys in sieve.by_key]
    plain = all(isinstance(look, re.Pattern) for _, looks in known for _, look in looks)
    patterns: Any = [(info, dict(looks)) for info, looks in known]
    types = tuple(map(table.type_of, table.key))
    return teller(table.key, types, patterns if plain and sieve.definite else ())


# --- Replies ------------------------------------------------------------------------------------


class _ReplyDecoder:
    """Reads the bytes of replies, with rows in the place of items: item by item."""

    def __init__(self, place: str) -> None:
        import msgspec

        self._place = place
        self._invalid = msgspec.ValidationError
        self._decode: Callable[[Any], Message] = msgspec.json.decode
        self._raw = msgspec.json.Decoder(_reply_type(place, msgspec.Raw))

    def __call__(self, body: bytes) -> Message:
        return self.item_by_item(body)

    def item_by_item(self, body: bytes) -> Message:
        try:
            reply = _members_of(self._raw.decode(body))
        except self._invalid:
            # It is another reply altogether. What reads it on will say so.
            return self._decode(body)
        items = reply.get(self._place)
        while items is not None:  # not without end: see `learn`
            readers: dict[ModelInfo | None, _ItemsOfModel | None] = {}
            reply[self._place] = _each(self._read_by(readers), items)
            learned = [each.learn() for each in readers.values() if each is not None]
            if not any(learned):
                break
        return reply

    def _read_by(self, readers: dict[ModelInfo | None, _ItemsOfModel | None]) -> Callable[..., Any]:
        """What reads one item, by what it puts into *readers*."""
        raise NotImplementedError


class _OfOneModel(_ReplyDecoder):
    """Reads replies whose items are of one class.

    Args:
        place: The member of the reply that holds items.
        rows: Those of the class.
        belongs: Says of an attribute map whether it is of the model; None where all are.
    """

    def __init__(
        self, place: str, rows: ItemReader, belongs: Callable[[StoredItem], bool] | None
    ) -> None:
        super().__init__(place)
        self._rows = rows
        self._belongs = belongs
        #: Whether the last page had items of other models: then it is not tried as a whole.
        self._mixed = False
        #: The current type of row with the decoder made for it, changed in one step.
        self._current: tuple[Any, Any] = (None, None)

    # Measured (benchmarks/test_rows.py): 490 -> 270 us for a page of 100 items.
    # tests/property/test_read_code.py holds both to the general way.
    def __call__(self, body: bytes) -> Message:
        if not self._mixed:
            try:
                return _members_of(self._whole(body))
            except self._invalid:
                pass
        return self.item_by_item(body)

    def _whole(self, body: bytes) -> Any:
        import msgspec

        row, whole = self._current
        current, _ = self._rows.current
        if row is not current:
            whole = msgspec.json.Decoder(_reply_type(self._place, current))
            self._current = current, whole
        return whole.decode(body)

    def item_by_item(self, body: bytes) -> Message:
        self._mixed = False
        return super().item_by_item(body)

    def _read_by(self, readers: dict[ModelInfo | None, _ItemsOfModel | None]) -> Callable[..., Any]:
        reader = readers[None] = _ItemsOfModel(self._rows, self._belongs_here)
        return reader.read

    def _belongs_here(self, item: StoredItem) -> bool:
        if self._belongs is None or self._belongs(item):
            return True
        self._mixed = True
        return False


class _OfSeveralModels(_ReplyDecoder):
    """Reads replies whose items are of several models.

    Args:
        place: The member of the reply that holds items.
        look: Says of the bytes of an item which model it is of.
        rows_of: Gives the rows of a model.
    """

    def __init__(
        self,
        place: str,
        look: Callable[[Any], ModelInfo | None],
        rows_of: Callable[[ModelInfo], ItemReader | None],
    ) -> None:
        super().__init__(place)
        self._look = look
        self._rows_of = rows_of

    def _read_by(self, readers: dict[ModelInfo | None, _ItemsOfModel | None]) -> Callable[..., Any]:
        return partial(self._one, readers)

    def _one(self, readers: dict[ModelInfo | None, _ItemsOfModel | None], raw: object) -> Any:
        info = self._look(raw)
        try:
            reader = readers[info]
        except KeyError:
            rows = None if info is None else self._rows_of(info)
            reader = readers[info] = None if rows is None else _ItemsOfModel(rows)
        return self._decode(raw) if reader is None else reader.read(raw)


class _ItemsOfModel:
    """Reads the items of one model on one page, and notes what attributes it does not know.

    Args:
        rows: The model's.
        belongs: Says whether what is not a row is of the model at all.
    """

    def __init__(
        self, rows: ItemReader, belongs: Callable[[StoredItem], bool] | None = None
    ) -> None:
        import msgspec

        self._rows = rows
        self._type, _ = rows.current
        self._as_row = self._type.decode
        self._invalid = msgspec.ValidationError
        self._decode: Callable[[Any], Message] = msgspec.json.decode
        self._belongs = belongs
        self._unknown: Counter[str] = Counter()
        self._failed = 0

    def read(self, raw: Any) -> Any:
        if self._failed >= _SAMPLE:  # each try has its price
            return self._decode(raw)
        try:
            found = self._as_row(raw)
        except self._invalid:
            return self._as_map(raw)
        self._failed = 0
        return found

    def _as_map(self, raw: object) -> Any:
        item = self._decode(raw)
        if isinstance(item, dict):
            if self._belongs is not None and not self._belongs(item):
                return item
            self._unknown.update(item.keys() - self._type.places.keys())
        self._failed += 1
        return item

    def learn(self) -> bool:
        """Give what the model does not know a place in its rows; whether they have changed."""
        return self._rows.learn(name for name, _ in self._unknown.most_common())


def _each(one: Callable[[Any], object], items: object) -> Any:
    """Items at the depth at which a reply has them, each turned by *one*."""
    if isinstance(items, list):
        return [one(each) for each in items]
    if isinstance(items, dict):
        return {table: [one(each) for each in those] for table, those in items.items()}
    return one(items)


def _reply_type(place: str, item: object) -> Any:
    import msgspec

    members = [(place, _PLACES[place](item) | msgspec.UnsetType, msgspec.UNSET)]
    others = [(name, Any, msgspec.UNSET) for name in _OTHERS]
    return msgspec.defstruct("Reply", [*members, *others], gc=False, eq=False)


def _members_of(reply: Any) -> Message:
    import msgspec

    found = {}
    for name in reply.__struct_fields__:
        value = getattr(reply, name)
        if value is not msgspec.UNSET:
            found[name] = value
    return found
