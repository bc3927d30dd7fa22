"""Replies that hold items, read from their bytes in one pass: the items as rows of their class.

What is made here goes with a `Call`. Whoever has the bytes of the reply, and has checked them, calls
it with them; whoever has a parsed reply ignores it. So flows get items that are rows or attribute
maps, and both can be asked for an attribute by name.

A reply that is not as expected is read again, item by item, and only an item that cannot be a row is
an attribute map then. Attributes that the class does not know get a place in its rows with the first
reply that holds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, Final, TypeAlias, cast

from dynattrs.keys.discriminator import Sieve
from dynattrs.operations.flows import Decode
from dynattrs.schema.model_info import ComputedKeys, ItemReader, ModelInfo
from dynattrs.schema.table import AttributeMap, Table

# Members of replies besides the items, as far as anything here reads them.
_OTHERS: Final = (
    "ConsumedCapacity",
    "Count",
    "LastEvaluatedKey",
    "NextToken",
    "ScannedCount",
    "UnprocessedKeys",
)

#: How many items of a page that could not be read at once are looked at before the others.
_SAMPLE: Final = 16

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list
_DICT: Final[Any] = dict

#: Where replies have their items, by the member's name.
_PLACES: Final[dict[str, Callable[[Any], Any]]] = {
    "Attributes": lambda item: item,
    "Item": lambda item: item,
    "Items": lambda item: _LIST[item],
    "Responses": lambda item: _DICT[str, _LIST[item]],
}


#: The model that rows of a type are of, and what makes its objects of them.
Made: TypeAlias = "dict[type[Any], tuple[ModelInfo, Callable[[Any], Any]]]"


def decoder(info: ModelInfo, model: Any, place: str) -> Decode | None:
    """What reads replies whose items are *model*s and stand at *place*; None for the ordinary way.

    Args:
        info: The model's.
        model: The class that the items become; with its arguments where it is generic.
        place: `Item` (of GetItem), `Items` (of Query, Scan, ExecuteStatement), `Attributes` (of
            UpdateItem, DeleteItem) or `Responses` (of BatchGetItem).

    Raises:
        ModelError: As `Mapper.load`.
    """
    return decoder_of(info.mapper.rows(model), place, info)


def decoder_of(rows: ItemReader | None, place: str, info: ModelInfo | None = None) -> Decode | None:
    """What reads replies whose items are these rows; None for the ordinary way.

    Args:
        rows: The rows.
        place: As for `decoder`.
        info: The model that they are of, where items of others may stand between them.
    """
    if rows is None:
        return None
    found: Decode | None = rows.decoders.get(place)
    if found is None:
        # Two threads may make two: the later one stays.
        found = rows.decoders[place] = _Decoder(rows, place, info)
    return found


def reader(info: ModelInfo, model: Any) -> Callable[[Any], Any]:
    """What makes objects of the items of replies.

    Raises:
        MappingError: (the function) As `Mapper.load`.
    """
    mapper = info.mapper
    rows = mapper.rows(model)
    return partial(mapper.load, model=model) if rows is None else rows.build


def made_of(info: ModelInfo, model: Any, item: Any) -> Any:
    """The object of one item of a reply.

    Raises:
        MappingError: As `Mapper.load`.
    """
    return reader(info, model)(item)


def collection_decoder(sieve: Sieve, place: str, made: Made) -> Decode | None:
    """What reads replies with items of several models; None for the ordinary way.

    Args:
        sieve: Says which model an item is of.
        place: As for `decoder`.
        made: Filled with what makes objects of the rows, by the rows' type.
    """
    look = _peek(sieve)
    return None if look is None else _Collection(place, made, look)


def _peek(sieve: Sieve) -> Callable[[Any], ModelInfo | None] | None:
    """What tells of an item's bytes which model it is of: None where the general way has to."""
    # Rows are there only where a library that makes them is.
    from dynattrs.mapper.rows import peek

    try:
        decode = peek((*sieve.table.key, *sieve.reads))
    except ValueError:  # an attribute's name cannot be that of a struct's member
        return None
    model_of = sieve.model_of

    def look(raw: Any) -> ModelInfo | None:
        try:
            return model_of(decode(raw))
        except Exception:  # the general way says what is wrong with it
            return None

    return look


class _Collection:
    """Reads replies whose items are of several models, each item as its model's row.

    A look at the attributes that tell models apart decides. An item of no model that was asked for,
    or of one without rows, or that is not as expected, is an attribute map: the general way reads
    it, or refuses it, or leaves it out.
    """

    def __init__(self, place: str, made: Made, look: Callable[[Any], ModelInfo | None]) -> None:
        import msgspec

        self._place = place
        self._made = made
        self._look = look
        self._invalid = msgspec.ValidationError
        self._decode = msgspec.json.decode

    def __call__(self, body: bytes) -> dict[str, Any]:
        try:
            reply = _as_dict(_of_raw_items(self._place).decode(body))
        except self._invalid:
            # It is no such reply at all. Whoever reads it on will say so.
            return cast("dict[str, Any]", self._decode(body))
        items = reply.get(self._place)
        if items is not None:
            kinds: dict[int, _Kind | None] = {}
            reply[self._place] = _each(partial(self._one, kinds), items)
            for kind in kinds.values():
                if kind is not None:
                    kind.learn()
        return reply

    def _one(self, kinds: dict[int, _Kind | None], raw: Any) -> Any:
        info = self._look(raw)
        if info is None:
            return self._decode(raw)
        try:
            kind = kinds[id(info)]
        except KeyError:
            kind = kinds[id(info)] = self._kind(info)
        return self._decode(raw) if kind is None else kind.read(raw)

    def _kind(self, info: ModelInfo) -> _Kind | None:
        try:
            rows = info.mapper.rows(info.cls)
        except Exception:  # the general way says what is wrong with the model
            return None
        if rows is None:
            return None
        row, build = rows.current
        self._made[row] = info, build
        return _Kind(rows, row)


class _Kind:
    """How the items of one model on one page are read, and what was seen of them.

    Args:
        rows: The model's.
        row: Their type.
        info: The model, where items of others may stand between its own.
    """

    def __init__(self, rows: ItemReader, row: Any, info: ModelInfo | None = None) -> None:
        import msgspec

        self._rows = rows
        self._row = row
        self._unknown: Counter[str] = Counter()
        self._as_row = msgspec.json.Decoder(row).decode
        self._invalid = msgspec.ValidationError
        self._decode = msgspec.json.decode
        self._failed = 0
        self._is_own = None if info is None or info.keys is None else _own(info.table, info.keys)
        #: Whether there were items of other models.
        self.strangers = False

    def read(self, raw: Any) -> Any:
        if self._failed >= _SAMPLE:
            # Each try has its price.
            return self._decode(raw)
        try:
            found = self._as_row(raw)
        except self._invalid:
            return self._as_map(raw)
        self._failed = 0
        return found

    def _as_map(self, raw: Any) -> Any:
        item = self._decode(raw)
        if isinstance(item, dict):
            if self._is_own is not None and not self._is_own(item):
                self.strangers = True
                return item
            self._unknown.update(item.keys() - self._row.places.keys())
        self._failed += 1
        return item

    def learn(self) -> bool:
        """Give what the model does not know a place in its rows; whether they have changed."""
        return bool(self._rows.learn(name for name, _ in self._unknown.most_common()))


def _own(table: Table, keys: ComputedKeys) -> Callable[[AttributeMap], bool]:
    """What says whether an item is the model's own, as far as learning its attributes goes."""
    discriminator = table.discriminator

    def own(item: AttributeMap) -> bool:
        with suppress(Exception):  # the general way says what is wrong with it
            if discriminator is not None and keys.kind is not None:
                return bool(item.get(discriminator) == {"S": keys.kind})
            return keys.matches(item)
        return False

    return own


class _Decoder:
    """Reads the replies of one kind, with items of one class."""

    def __init__(self, rows: ItemReader, place: str, info: ModelInfo | None) -> None:
        import msgspec

        self._rows = rows
        self._place = place
        self._info = info if info is not None and info.keys is not None else None
        #: Whether the last page had items of other models: then it is not tried as a whole.
        self._mixed = False
        self._invalid = msgspec.ValidationError
        self._decode = msgspec.json.decode
        #: The current type of row with the decoder made for it, changed in one step.
        self._current: tuple[Any, Any] = (None, None)

    def __call__(self, body: bytes) -> dict[str, Any]:
        if not self._mixed:
            with suppress(self._invalid):
                return _as_dict(self._whole(body))
        return self._item_by_item(body)

    def _whole(self, body: bytes) -> Any:
        import msgspec

        row, whole = self._current
        if row is not self._rows.type:
            row = self._rows.type
            whole = msgspec.json.Decoder(_reply(self._place, _PLACES[self._place](row)))
            self._current = row, whole
        return whole.decode(body)

    def _item_by_item(self, body: bytes) -> dict[str, Any]:
        """Read what can be a row as a row, and learn what attributes the others have."""
        from dynattrs.mapper.rows import Row

        try:
            reply = _as_dict(_of_raw_items(self._place).decode(body))
        except self._invalid:
            # It is no such reply at all. Whoever reads it on will say so.
            return cast("dict[str, Any]", self._decode(body))
        items = reply.get(self._place)
        if self._info is not None and items is not None and self._place in ("Items", "Responses"):
            return self._sifted(self._info, reply, items)
        if isinstance(items, list):
            # A few tell what the others are like.
            unknown: Counter[str] = Counter()
            first = [_either(self._rows.type, unknown)(each) for each in items[:_SAMPLE]]
            if self._rows.learn(name for name, _ in unknown.most_common()):
                with suppress(self._invalid):
                    return _as_dict(self._whole(body))
            elif not self._rows.learns and not any(isinstance(each, Row) for each in first):
                # Each try has its price.
                return cast("dict[str, Any]", self._decode(body))
        unknown = Counter()
        found = _each(_either(self._rows.type, unknown), items) if items is not None else None
        if self._rows.learn(name for name, _ in unknown.most_common()):
            with suppress(self._invalid):
                return _as_dict(self._whole(body))
        if items is not None:
            reply[self._place] = found
        return reply

    def _sifted(self, info: ModelInfo, reply: dict[str, Any], items: Any) -> dict[str, Any]:
        """Read the model's own items as rows, and leave those of other models attribute maps.

        It learns nothing of what the others have.
        """
        kind = _Kind(self._rows, self._rows.type, info)
        found = _each(kind.read, items)
        if kind.learn():
            kind = _Kind(self._rows, self._rows.type, info)
            found = _each(kind.read, items)
        self._mixed = kind.strangers
        reply[self._place] = found
        return reply


def _either(row: Any, unknown: Counter[str]) -> Callable[[Any], Any]:
    """What reads one item: as a row, else as an attribute map, noting what the class does not know."""
    import msgspec

    as_row = msgspec.json.Decoder(row)

    def one(raw: Any) -> Any:
        try:
            return as_row.decode(raw)
        except msgspec.ValidationError:
            item = msgspec.json.decode(raw)
            if isinstance(item, dict):
                unknown.update(item.keys() - row.places.keys())
            return item

    return one


def _each(one: Callable[[Any], Any], items: Any) -> Any:
    """Items at the depth at which a reply has them, each turned by *one*."""
    if isinstance(items, list):
        return [one(each) for each in items]
    if isinstance(items, dict):
        return {table: [one(each) for each in those] for table, those in items.items()}
    return one(items)


@cache
def _of_raw_items(place: str) -> Any:
    """What decodes replies up to their items, which stay bytes."""
    import msgspec

    if place == "Transaction":
        return msgspec.json.Decoder(_reply("Responses", _LIST[_DICT[str, msgspec.Raw]]))
    return msgspec.json.Decoder(_reply(place, _PLACES[place](msgspec.Raw)))


def _reply(place: str, annotation: Any) -> Any:
    import msgspec

    members = [(place, annotation | msgspec.UnsetType, msgspec.UNSET)]
    others = [(name, Any, msgspec.UNSET) for name in _OTHERS]
    return msgspec.defstruct("Reply", [*members, *others], gc=False, eq=False)


def _as_dict(reply: Any) -> dict[str, Any]:
    import msgspec

    found = {}
    for name in reply.__struct_fields__:
        value = getattr(reply, name)
        if value is not msgspec.UNSET:
            found[name] = value
    return found


def transact_decoder(wanted: Sequence[tuple[ModelInfo, Any]]) -> Decode | None:
    """What reads a reply of TransactGetItems; *wanted* are the models at its places."""
    rows = [info.mapper.rows(model) for info, model in wanted]
    if not any(rows):
        return None

    def decode(body: bytes) -> dict[str, Any]:
        import msgspec

        try:
            reply = _of_raw_items("Transaction").decode(body)
        except msgspec.ValidationError:
            return cast("dict[str, Any]", msgspec.json.decode(body))
        found = _as_dict(reply)
        if len(found.get("Responses", ())) == len(rows):
            ones = [_either(each.type, Counter()) if each else msgspec.json.decode for each in rows]
            found["Responses"] = [
                {name: one(raw) for name, raw in each.items()}
                for one, each in zip(ones, found["Responses"], strict=True)
            ]
            return found
        return cast("dict[str, Any]", msgspec.json.decode(body))

    return decode
