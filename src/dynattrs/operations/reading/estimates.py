"""What a query will cost about, by what the service says of its table: its items, and their bytes.

A query itself knows neither. The service counts both every six hours; filters, and how many items one
partition has, nothing tells.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from dynattrs import limits
from dynattrs.errors import QueryError
from dynattrs.keys.plans import Plan
from dynattrs.operations.reading.several import known_keys
from dynattrs.quoting import quoted

if TYPE_CHECKING:
    from dynattrs.operations.reading.query import QueryVerbs

#: A unit reads so many bytes, and a request so many at most.
_UNIT: Final = 4096
_PAGE: Final = 1024 * 1024
_INDEXES: Final = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")


@attrs.frozen
class _Size:
    """How large a table or an index is."""

    items: int
    bytes: int

    @property
    def average(self) -> float:
        return self.bytes / self.items


def estimated(query: QueryVerbs[Any], found: Plan, described: object) -> str:
    """The estimate, in words.

    Args:
        query: The query.
        found: Its plan.
        described: What `session.tables.describe` gives of its table.

    Raises:
        QueryError: It is the description of another table, or none.
    """
    table = _checked(query, described)
    index = None if found.index is None else found.index.name
    read = _size(table, index)
    if read is None:
        subject = "the table" if index is None else f"the index {index}"
        return f"nothing can be said: the service counts no items of {subject} (it does so every six hours)"
    unit = 1.0 if query._consistent else 0.5
    if found.operation == "batch_get":
        return _of_keys(len(known_keys(found, reverse=False)), read, unit)
    text = "; ".join(_of_pages(query, found, read, unit))
    whole = _size(table, None)
    if found.partial and whole is not None:
        each = unit * math.ceil(whole.average / _UNIT)
        text += f"; and {_number(each)} for each item that is fetched whole"
    return text


def _checked(query: QueryVerbs[Any], described: object) -> Mapping[str, Any]:
    name = described.get("TableName") if isinstance(described, Mapping) else None
    if not isinstance(described, Mapping) or name is None:
        raise QueryError(
            f"explain({quoted(described)}): the description of the query's table is expected, as "
            f"session.tables.describe(...) gives it"
        )
    if name != query._table:
        raise QueryError(
            f"explain(): the description is of table {name!r}, not of {query._table!r}"
        )
    return described


def _size(table: Mapping[str, Any], index: str | None) -> _Size | None:
    """None where the service has counted no items."""
    said: Mapping[str, Any] = table
    if index is not None:
        every = [each for kind in _INDEXES for each in table.get(kind) or ()]
        said = next((each for each in every if each.get("IndexName") == index), {})
    kind = "TableSizeBytes" if index is None else "IndexSizeBytes"
    items, size = int(said.get("ItemCount") or 0), int(said.get(kind) or 0)
    return _Size(items, size) if items and size else None


def _of_keys(keys: int, size: _Size, unit: float) -> str:
    units = keys * unit * math.ceil(size.average / _UNIT)
    requests = math.ceil(keys / limits.BATCH_GET_ITEMS)
    return f"about {_number(units)} for {keys:,} items of {_bytes(size)}, in {_requests(requests)}"


def _of_pages(query: QueryVerbs[Any], found: Plan, size: _Size, unit: float) -> Iterator[str]:
    limit = None if found.filter is not None or query._told_apart else query._limit
    if query._segment is not None:  # about equal parts
        of = query._segment[1]
        size = _Size(math.ceil(size.items / of), math.ceil(size.bytes / of))
    most = size if limit is None else _Size(min(limit, size.items), size.bytes)
    if limit is not None:
        most = _Size(most.items, round(most.items * size.average))
    units = unit * math.ceil(most.bytes / _UNIT)
    requests = max(math.ceil(most.bytes / _PAGE), 1 if limit is not None else query._segments or 1)
    if query._page_size is not None:
        requests = max(requests, math.ceil(most.items / query._page_size))
    whole = f"{_number(units)} for {most.items:,} items of {_bytes(size)}, in {_requests(requests)}"
    if not found.key and not found.partitions:
        yield f"about {whole}"
        return
    yield f"about {_number(unit * size.average / _UNIT)} an item"
    yield f"at most {whole}" if limit is not None else f"{whole}, if all that there are match"


def _bytes(size: _Size) -> str:
    return f"{round(size.average):,} bytes"


def _requests(count: int) -> str:
    return "1 request" if count <= 1 else f"{count:,} requests"


def _number(units: float) -> str:
    shown = f"{units:,.0f}" if units >= 100 else f"{units:.2g}" if units < 10 else f"{units:.3g}"
    return f"{shown} unit{'' if shown == '1' else 's'}"
