"""Where queries go on: the cursors of their pages, and what these are bound to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynattrs.deferral import deferred
from dynattrs.errors import CursorError
from dynattrs.keys.plans import Plan
from dynattrs.operations.reading import cursors
from dynattrs.operations.reading.pages import RawPage, cursor_names
from dynattrs.schema.table import AttributeMap, StoredItem

if TYPE_CHECKING:
    from dynattrs.operations.reading import raw_keys
    from dynattrs.operations.reading.query import QueryVerbs
else:
    # Most queries go on from cursors.
    raw_keys = deferred("dynattrs.operations.reading.raw_keys")


def _context(query: QueryVerbs[Any], found: Plan) -> Any:
    segments: tuple[object, ...] = ()
    if query._segment is not None:
        segments = ("segment", *query._segment)
    elif query._segments is not None:
        segments = ("parallel", query._segments)
    return [*cursors.context_of(query._table, found, reverse=query._reverse), *segments]


def start(query: QueryVerbs[Any], found: Plan) -> tuple[int, AttributeMap]:
    """Where a cursor says to go on: the number of a part, where there are several, and a key.

    Raises:
        CursorError: It is another query's, or none.
    """
    secret, asked = query._handle._core.cursor_secret, (query._after, cursor_names(query, found))
    if isinstance(query._after, Mapping):
        return 0, raw_keys.raw_key(query._info, query._after, asked[1], found.parts, secret)
    if found.parts is None:
        return 0, cursors.decode(*asked, _context(query, found), secret)
    return cursors.decode_part(*asked, _context(query, found), secret, found.parts)


def check(query: QueryVerbs[Any], found: Plan) -> None:
    """Refuse a cursor that is not the query's.

    Raises:
        CursorError: It is another query's, or none.
    """
    if query._segments is None:
        start(query, found)
    else:
        segments_left(query, found)


def segments_left(query: QueryVerbs[Any], found: Plan) -> Mapping[int, AttributeMap | None]:
    """The segments of a parallel scan that are not at their end, each with the key to go on after, or None.

    Raises:
        CursorError: The cursor is another query's, or none.
    """
    total = query._segments or 0
    if query._after is None:
        return dict.fromkeys(range(total))
    if isinstance(query._after, Mapping):
        raise CursorError("this scan reads several segments, and a raw key does not say which one")
    secret, asked = query._handle._core.cursor_secret, (query._after, cursor_names(query, found))
    return cursors.decode_segments(*asked, _context(query, found), secret, total)


def cursor(query: QueryVerbs[Any], found: Plan, raw: RawPage) -> str | None:
    """Where to go on after a page; None at the end."""
    secret, keys = query._handle._core.cursor_secret, cursor_names(query, found)

    def key_of(item: StoredItem) -> AttributeMap:
        return {name: item[name] for name in keys}

    if raw.segments is not None:
        if not raw.segments:
            return None
        places = {
            segment: None if item is None else key_of(item)
            for segment, item in raw.segments.items()
        }
        context = _context(query, found)
        return cursors.encode_segments(places, query._segments or 0, context, secret)
    item = raw.places[-1] if raw.cut else raw.last_key
    if item is None:
        return None
    part = None if found.parts is None else raw.part
    key = key_of(item) if raw.cut or raw.last_key else {}
    return cursors.encode(key, _context(query, found), secret, part)
