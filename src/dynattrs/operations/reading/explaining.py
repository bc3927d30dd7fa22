"""What a query would ask, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynattrs.keys.kinds import evolving
from dynattrs.keys.plans import Plan
from dynattrs.operations.conditions import asked_again
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

if TYPE_CHECKING:
    from dynattrs.operations.reading.query import QueryVerbs


def explained(query: QueryVerbs[Any]) -> str:
    """What `query.explain()` says.

    Raises:
        QueryError: The query cannot be sent as it is written; a subclass says why.
    """
    found = query._plan()
    lines = [f"operation: {found.operation}"]
    if found.operation != "nothing":
        reading = query._reading(found)
        parameters = dict(reading.parameters)
        del parameters["TableName"]
        if (size := reading.request_size(query._limit)) is not None:
            parameters["Limit"] = size
        lines += [
            f"table: {query._table}",
            f"index: {found.index.name if found.index else 'none, the table itself'}",
            f"key condition: {' & '.join(f'({each})' for each in found.key) or 'none'}",
            f"filter: {'none' if found.filter is None else found.filter}",
            f"projection: {', '.join(query._projection(found)) or 'all attributes'}",
            f"request: {parameters}",
            f"cost: {_cost(query, found)}",
        ]
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
        if found.filter is not None and old:
            migrated = ", ".join(f"session.migrate({info.name})" for info in old)
            lines.append(
                f"the filter is asked of items as they are stored: those of older schemas have "
                f"other attributes until {migrated} has rewritten them"
            )
        if found.again:
            again = " & ".join(f"({each})" for each in found.again)
            lines.append(
                f"asked again, of the fields: {again}"
                if asked_again(query._infos, found)[1]
                else f"the index does not hold the fields of {again}: its key answers, and what hydrate() "
                f"fetches or delete() would delete is asked besides"
            )
        if found.partial:
            lines.append("then: BatchGetItem for the whole items, 100 at a time")
    lines += [f"because {reason}" for reason in found.why]
    return "\n".join(lines)


def _cost(query: QueryVerbs[Any], found: Plan) -> str:
    """What the service will read, in words: how much that is, only the table knows."""
    units, most = ("a unit", 256) if query._consistent else ("half a unit", 128)
    what = "what the key condition matches" if found.key else "everything there"
    stop = f", until {query._limit} items are found" if query._limit is not None else ""
    text = f"reads {what}{stop}; {units} for each 4 KB, a request for each 1 MB ({most} units)"
    if query._page_size is not None:
        text += f" or {query._page_size} items"
    if found.filter is not None:
        text += "; the filter does not lower that"
    return text
