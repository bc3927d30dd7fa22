"""Objects as a table, for people: in a shell as text, in a notebook as HTML."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import attrs

from dynattrs.mapper.class_kinds import record_of
from dynattrs.quoting import quoted, shortened, written
from dynattrs.schema.model_info import info_of

if TYPE_CHECKING:
    from dynattrs.operations.reading.query import QueryVerbs

M_co = TypeVar("M_co", covariant=True)

#: The most characters of a value in a cell; the most of a line of text.
_CELL: Final = 40
_HTML_CELL: Final = 120
_LINE: Final = 160
#: The most objects that the representation of a page writes out.
_SHOWN: Final = 3
#: What objects that have no fields are.
_VALUE: Final = "value"
_CLASS: Final = "class"


@attrs.frozen(repr=False)
class Preview(Sequence[M_co]):
    """The first items of a query, which a shell and a notebook show as a table; a sequence of them.

    Attributes:
        items: The items, in stored order.
        more: Whether there are more of them.
        query: What was asked, as it was written.
    """

    items: tuple[M_co, ...]
    more: bool
    query: str
    _labels: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> M_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[M_co]: ...
    def __getitem__(self, index: int | slice) -> M_co | Sequence[M_co]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[M_co]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"{as_text(self.items, self._labels)}({self._count()})"

    def _repr_html_(self) -> str:
        table = as_html(self.items, self._labels)
        return f"{table}<p>{self._count()} of <code>{escape(self.query)}</code></p>"

    def _count(self) -> str:
        count = len(self.items)
        many = f"{count} item{'s' * (count != 1)}" if count else "no items"
        return f"the first {many}; there are more" if self.more else many


def preview_of(query: QueryVerbs[M_co], count: int, items: Sequence[M_co]) -> Preview[M_co]:
    """The first *count* of some items of a query."""
    labels = tuple(map(str, getattr(query._reader, "paths", ())))
    return Preview(tuple(items[:count]), len(items) > count, str(query), labels)


def query_as_html(query: QueryVerbs[Any]) -> str:
    """What a query would do. Nothing is asked of the service."""
    hint = "<p>Nothing was sent; <code>.preview()</code> shows the first items.</p>"
    try:
        does = query.explain()
    except Exception as error:
        does, hint = f"{type(error).__name__}: {error}", ""
    return f"<p><code>{escape(str(query))}</code></p><pre>{escape(does)}</pre>{hint}"


def page_as_text(items: Sequence[object], cursor: str | None, consumed: float, scanned: int) -> str:
    """A page of a query, without most of its items."""
    shown = [quoted(each, 200) for each in items[:_SHOWN]]
    if len(items) > _SHOWN:
        shown.append(f"… {len(items) - _SHOWN} more")
    at = None if cursor is None else shortened(cursor, 12)
    return (
        f"<Page of {len(items)}: [{', '.join(shown)}], cursor={at!r}, consumed={consumed!r}, "
        f"scanned={scanned!r}>"
    )


def page_as_html(items: Sequence[object], cursor: str | None) -> str:
    """A page of a query: its items."""
    end = "the data end here" if cursor is None else f"cursor <code>{escape(cursor)}</code>"
    return f"{as_html(items)}<p>{len(items)} item{'s' * (len(items) != 1)}; {end}</p>"


# --- Tables -------------------------------------------------------------------------------------


def as_html(items: Sequence[object], labels: Sequence[str] = ()) -> str:
    columns, rows = _table(items, labels)

    def row(tag: str, cells: Iterable[str]) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(each)}</{tag}>' for each in cells)}</tr>"

    body = "".join(row("td", [_cell(each, _HTML_CELL) for each in cells]) for cells in rows)
    return f"<table><thead>{row('th', columns)}</thead><tbody>{body}</tbody></table>"


def as_text(items: Sequence[object], labels: Sequence[str] = ()) -> str:
    """Lines, each with its end."""
    columns, rows = _table(items, labels)
    if not columns:
        return ""
    cells = [list(columns), *([_cell(each, _CELL) for each in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    shown = _fitting(widths)
    lines = [_line(row, widths, shown) for row in cells]
    lines.insert(1, _line(["-" * width for width in widths], widths, shown))
    return "".join(lines)


def _fitting(widths: Sequence[int]) -> int:
    """How many columns a line has room for: one at least."""
    line = 0
    for position, width in enumerate(widths):
        line += width + 2
        if position and line > _LINE:
            return position
    return len(widths)


def _line(cells: Sequence[str], widths: Sequence[int], shown: int) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)][:shown]
    return "  ".join([*padded, *["…"] * (shown < len(cells))]).rstrip() + "\n"


class _Absent(enum.Enum):
    """What an object has not, and others in its table have."""

    ABSENT = ""


def _table(
    items: Sequence[object], labels: Sequence[str]
) -> tuple[list[str], Iterator[Sequence[object]]]:
    """The columns and the rows of a table: fields as their classes have them."""
    rows = [_members(each, labels) for each in items]
    columns = [*dict.fromkeys(name for row in rows for name in row)]
    found = ([row.get(name, _Absent.ABSENT) for name in columns] for row in rows)
    classes = [type(each) for each in items if each is not None]
    if len({*classes}) < 2:
        return columns, iter(found)
    named = ("" if each is None else type(each).__name__ for each in items)
    return [_CLASS, *columns], ([name, *row] for name, row in zip(named, found, strict=True))


def _members(obj: Any, labels: Sequence[str]) -> Mapping[str, object]:
    """What an object has, by name. What was missing has nothing."""
    if obj is None:
        return {}
    if isinstance(obj, Mapping):
        return {str(name): value for name, value in obj.items()}
    info = info_of(type(obj))
    if info is not None:
        return {name: getattr(obj, name, _Absent.ABSENT) for name in info.names}
    if type(obj) is tuple:
        names = labels if len(labels) == len(obj) else [*map(str, range(len(obj)))]
        return dict(zip(names, obj, strict=True))
    try:
        record = record_of(type(obj))
    except Exception:  # an annotation that cannot be resolved
        record = None
    if record is None:
        return {_VALUE: obj}
    return {each.name: getattr(obj, each.name, _Absent.ABSENT) for each in record.members}


def _cell(value: object, most: int) -> str:
    """A value, as short as a cell. Text stands there as it is, if it can be seen."""
    if isinstance(value, _Absent):
        return ""
    if isinstance(value, enum.Enum):
        return shortened(written(value), most)
    if isinstance(value, str):
        short = str.__str__(value[: most + 1])
        return shortened(short if short.isprintable() else repr(short), most)
    if isinstance(value, (bytes, bytearray)):
        short = repr(bytes(value[: most // 4]))
        return short if len(value) <= most // 4 else f"{short[:-1]}…' ({len(value)} bytes)"
    if isinstance(value, (set, frozenset)) and value:
        members = sorted(written(each, most) for each in value)
        return shortened(f"{{{', '.join(members)}}}", most)
    if type(value).__repr__ is object.__repr__ or _reads_better_as_text(value):
        return shortened(str(value), most)
    return written(value, most)


def _reads_better_as_text(value: object) -> bool:
    """Whether `str` says all of it: dates, decimals, ids."""
    return type(value).__module__ in ("datetime", "decimal", "uuid", "pathlib", "ipaddress")
