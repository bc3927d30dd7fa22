"""What a query would ask, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.keys.kinds import evolving
from dynattrs.keys.plans import Plan
from dynattrs.operations.conditions import asked_again
from dynattrs.operations.reading import resuming
from dynattrs.operations.reading.merging import shards_of
from dynattrs.operations.reading.pages import projection
from dynattrs.operations.reading.several import known_keys, parts_of
from dynattrs.schema.messages import Message
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

#: So many keys of a request are shown.
_MOST_KEYS: Final = 3

if TYPE_CHECKING:
    from dynattrs.operations.reading import estimates
    from dynattrs.operations.reading.query import QueryVerbs
else:
    estimates = deferred("dynattrs.operations.reading.estimates")


def explained(query: QueryVerbs[Any], described: object = None) -> str:
    """What `query.explain()` says, with an estimate where the table is *described*.

    Raises:
        QueryError: The query cannot be sent as it is written; a subclass says why.
    """
    found = query._plan()
    lines = [f"operation: {found.operation}"]
    if found.operation != "nothing":
        if query._after is not None:
            resuming.check(query, found)
        lines += [
            f"table: {query._table}",
            f"index: {found.index.name if found.index else 'none, the table itself'}",
            *(_several(query, found) if found.partitions else _asked(found)),
            f"projection: {', '.join(projection(query, found)) or 'all attributes'}",
        ]
        if not found.partitions:
            lines.append(f"request: {_request(query, found)}")
        if query._segments is not None:
            lines.append(
                f"segments: {query._segments}, each with its Segment in its requests, all at once"
            )
        lines.append(f"cost: {_cost(query, found)}")
        if described is not None:
            lines.append(f"estimate: {estimates.estimated(query, found, described)}")
        if found.kinds:
            lines.append(
                f"kinds: {', '.join(map(repr, found.kinds))}; each is asked, and their items are merged in "
                f"order"
            )
        elif found.shards is not None:
            lines.append(
                f"shards: {found.shards}, '#0' to '#{found.shards - 1}' at the end of the partition "
                f"key; each is asked, and their items are merged in order"
            )
        if query._told_apart:
            lines.append(f"on receipt: items of other models than {query._names} are left out")
        old = [each for each in evolving(query._infos) if each.evolves]
        if old and any(each.filter is not None for each in found.requests):
            migrated = ", ".join(f"session.migrate({info.name})" for info in old)
            lines.append(
                f"the filter is asked of items as they are stored: those of older schemas have "
                f"other attributes until {migrated} has rewritten them"
            )
        if found.again:
            again = " & ".join(f"({each})" for each in found.again)
            lines.append(
                f"also filtered, in case a key of the index is out of date: {again}"
                if asked_again(query._infos, found)[1]
                else f"the index does not hold the fields of {again}: its key answers, and what hydrate() "
                f"fetches or delete() would delete is asked besides"
            )
        if found.partial:
            lines.append("then: BatchGetItem for the whole items, 100 at a time")
    lines += [f"because {reason}" for reason in found.why]
    return "\n".join(lines)


def _asked(found: Plan) -> list[str]:
    return [
        f"key condition: {' & '.join(f'({each})' for each in found.key) or 'none'}",
        f"filter: {'none' if found.filter is None else found.filter}",
    ]


def _request(query: QueryVerbs[Any], found: Plan) -> Message:
    reading = query._reading(found)
    parameters = dict(reading.parameters)
    del parameters["TableName"]
    if (size := reading.request_size(query._limit)) is not None:
        parameters["Limit"] = size
    return parameters


def _several(query: QueryVerbs[Any], found: Plan) -> list[str]:
    """Each of the requests that begin a query, in the order of reading."""
    lines = []
    if found.operation == "batch_get":
        keys, size = known_keys(found, reverse=query._reverse), limits.BATCH_GET_ITEMS
        if query._page_size is not None:
            size = min(size, query._page_size)
        for number, start in enumerate(range(0, len(keys), size), 1):
            some = keys[start : start + size]
            shown = ", ".join(map(str, some[:_MOST_KEYS]))
            more = f" and {len(some) - _MOST_KEYS} more" if len(some) > _MOST_KEYS else ""
            lines.append(f"request {number}: Keys {shown}{more}")
        order = ", in the order of the sort key" if found.merged else ""
        return [f"requests: {len(lines)}, for {len(keys)} keys{order}", *lines]
    parts = [each for part in parts_of(found, reverse=query._reverse) for each in shards_of(part)]
    for number, each in enumerate(parts, 1):
        asked = [f"{number}. {_asked(each)[0]}", *_asked(each)[1:]]
        lines += [*asked, f"request: {_request(query, each)}"]
    order = "merged in the order of the sort key" if found.merged else "one after the other"
    return [
        f"requests: {len(parts)}, {order}; fan_out={query._fan_out} allows {query._fan_out}",
        *lines,
    ]


def _cost(query: QueryVerbs[Any], found: Plan) -> str:
    """What the service will read, in words: how much that is, only the table knows."""
    units, most = ("a unit", 256) if query._consistent else ("half a unit", 128)
    what = "what the key condition matches" if found.key else "everything there"
    if query._segment is not None:
        what = f"about 1/{query._segment[1]} of everything there"
    if found.partitions:
        what = "what the key conditions match"
    if found.operation == "batch_get":
        return f"reads the items; {units} for each 4 KB of each, a request for each 100"
    stop = f", until {query._limit} items are found" if query._limit is not None else ""
    text = f"reads {what}{stop}; {units} for each 4 KB, a request for each 1 MB ({most} units)"
    if query._page_size is not None:
        text += f" or {query._page_size} items"
    if found.filter is not None:
        text += "; the filter does not lower that"
    return text
