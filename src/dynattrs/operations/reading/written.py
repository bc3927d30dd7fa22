"""A query as a program would write it, for messages and for people who look at one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import attrs

from dynattrs import limits
from dynattrs.expressions.conditions import Condition, Value
from dynattrs.operations.reading.objects import Objects
from dynattrs.operations.reading.projections import Keys, Projected, Raw, Selected
from dynattrs.quoting import shortened, written

if TYPE_CHECKING:
    from dynattrs.operations.reading.query import QueryVerbs
    from dynattrs.operations.reading.search import SearchVerbs

#: The most characters of a condition; values are cut before it is.
_MOST: Final = 400
_MOST_VALUE: Final = 60
#: The most of a cursor, which says nothing to a reader.
_MOST_CURSOR: Final = 12


def written_query(query: QueryVerbs[Any]) -> str:
    """`query(Song).where(Song.artist == 'Nina Simone').reverse().limit(20)`: all that was said."""
    said = [
        _where(query),
        _call("filter", *map(_condition, query._filters)) * bool(query._filters),
        _said("using", query._using),
        ".reverse()" * query._reverse,
        ".merged()" * query._merged,
        _said("limit", query._limit),
        _said("page_size", query._page_size),
        ".consistent()" * query._consistent,
        "" if query._after is None else f".after({shortened(repr(query._after), _MOST_CURSOR)})",
        _said("parallel", query._segments),
        "" if query._segment is None else ".segment({}, of={})".format(*query._segment),
        _said("rate_limit", query._rate),
        ".unexpired()" * query._unexpired,
        ".hydrate()" * query._hydrate,
        _on_error(query._on_error),
        _results(query._reader),
    ]
    return _call(query._operation, *_models(query))[1:] + "".join(said)


def written_search(search: SearchVerbs[Any]) -> str:
    """`search(Doc, <3 numbers>).where(Doc.tenant == 'a').hydrate()`: all that was said."""
    said = [
        _call("where", *map(_condition, search._where)) * bool(search._where),
        _said("using", search._using),
        ".hydrate()" * search._hydrate,
        _on_error(search._on_error),
        _results(search._reader),
    ]
    what = [search._info.name, f"<{len(search._vector):,} numbers>", f"top_k={search._top_k}"]
    return _call("search", *what)[1:] + "".join(said)


def _where(query: QueryVerbs[Any]) -> str:
    said = [_condition(each) for each in query._where]
    if query._fan_out != limits.FAN_OUT:
        said.append(f"fan_out={query._fan_out}")
    return _call("where", *said) * bool(said)


def _call(name: str, *arguments: str) -> str:
    return f".{name}({', '.join(arguments)})"


def _said(name: str, value: object) -> str:
    return "" if value is None else _call(name, repr(value))


def _on_error(what: str | Callable[..., object]) -> str:
    if isinstance(what, str):
        return "" if what == "raise" else _call("on_error", repr(what))
    return _call("on_error", getattr(what, "__qualname__", None) or type(what).__name__)


def _models(query: QueryVerbs[Any]) -> list[str]:
    reader = query._reader
    if isinstance(reader, Objects) and not isinstance(reader.model, type):  # Box[int]
        return [_class(reader.model)]
    return [info.name for info in query._infos]


def _class(cls: Any) -> str:
    arguments = get_args(cls)
    if not arguments:
        return getattr(cls, "__name__", None) or str(cls)
    return f"{_class(get_origin(cls))}[{', '.join(map(_class, arguments))}]"


def _results(reader: object) -> str:
    """What is to be given, where that is not the models' objects."""
    if isinstance(reader, Projected):
        return _call("as_", _class(reader.cls))
    if isinstance(reader, Selected):
        return _call("select", *map(repr, reader.paths))
    if isinstance(reader, Keys):
        return ".keys()"
    return ".raw()" if isinstance(reader, Raw) else ""


def _condition(condition: Condition) -> str:
    text = str(condition)
    return text if len(text) <= _MOST else shortened(str(_with_short_values(condition)), _MOST)


class _Short:
    """Stands in a condition for a long value."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _with_short_values(part: Any) -> Any:
    if isinstance(part, Value):
        return Value(part.stored, _Short(written(part.written, _MOST_VALUE)))
    if isinstance(part, tuple):
        return tuple(map(_with_short_values, part))
    if isinstance(part, Condition):
        given: Any = part
        names = [each.name for each in attrs.fields(type(given))]
        return attrs.evolve(
            given, **{name: _with_short_values(getattr(given, name)) for name in names}
        )
    return part
