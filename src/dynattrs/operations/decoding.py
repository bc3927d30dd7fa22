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
from typing import TYPE_CHECKING, Any, Final, cast

from dynattrs.mapper import Mapper
from dynattrs.operations.flows import Decode
from dynattrs.schema import ModelInfo

if TYPE_CHECKING:
    from dynattrs.mapper.rows import Rows

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
    return decoder_of(cast("Mapper", info.mapper).rows(model), place)


def decoder_of(rows: Rows | None, place: str) -> Decode | None:
    """What reads replies whose items are these rows; None for the ordinary way."""
    if rows is None:
        return None
    found: Decode | None = rows.decoders.get(place)
    if found is None:
        # Two threads may make two: the later one stays.
        found = rows.decoders[place] = _Decoder(rows, place)
    return found


def reader(info: ModelInfo, model: Any) -> Callable[[Any], Any]:
    """What makes objects of the items of replies.

    Raises:
        MappingError: (the function) As `Mapper.load`.
    """
    mapper = cast("Mapper", info.mapper)
    rows = mapper.rows(model)
    return partial(mapper.load, model=model) if rows is None else rows.build


def made_of(info: ModelInfo, model: Any, item: Any) -> Any:
    """The object of one item of a reply.

    Raises:
        MappingError: As `Mapper.load`.
    """
    return reader(info, model)(item)


class _Decoder:
    """Reads the replies of one kind, with items of one class."""

    def __init__(self, rows: Any, place: str) -> None:
        import msgspec

        self._rows = rows
        self._place = place
        self._invalid = msgspec.ValidationError
        self._decode = msgspec.json.decode
        #: The current type of row with the decoder made for it, changed in one step.
        self._current: tuple[Any, Any] = (None, None)

    def __call__(self, body: bytes) -> dict[str, Any]:
        try:
            return _as_dict(self._whole(body))
        except self._invalid:
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
    rows = [cast("Mapper", info.mapper).rows(model) for info, model in wanted]
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
