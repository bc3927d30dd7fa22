"""What a query's requests say, but for where to begin and how much to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dynattrs.expressions.conditions import expressions
from dynattrs.keys.plans import Plan, held_by
from dynattrs.operations.conditions import asked_again, joined
from dynattrs.operations.reading import resuming
from dynattrs.schema.messages import Message

if TYPE_CHECKING:
    from dynattrs.operations.reading.query import QueryVerbs


def projection(query: QueryVerbs[Any], found: Plan) -> tuple[str, ...]:
    """The attributes to be returned; none of them means all. Keys are always among them: they
    make cursors.
    """
    needs = frozenset[str]() if found.partial else query._reader.needs
    if needs is None:
        return ()
    kind = query._info.table.discriminator
    held = held_by(query._info.table, found.index)
    # Where an index does not hold it, keys alone tell, or whole items are fetched.
    told = kind is not None and query._told_apart and (held is None or kind in held)
    tells = (kind,) if kind is not None and told else ()
    return tuple(dict.fromkeys((*resuming.names(query, found), *tells, *sorted(needs))))


def parameters(query: QueryVerbs[Any], found: Plan, *, counting: bool = False) -> Message:
    """The parameters of a plan's request; only what *counting* takes, where nothing is read."""
    asked: Message = {"TableName": query._table}
    if found.index is not None:
        asked["IndexName"] = found.index.name
    projected: Sequence[str] = ()
    if counting and found.excluded is None and not found.partial and not query._told_apart:
        asked["Select"] = "COUNT"
    else:
        projected = projection(query, found)
    condition = found.filter
    if found.again and (again := asked_again(query._infos, found))[1]:
        condition = joined(condition, again[0])
    asked |= expressions(found.key, condition, projected)
    if query._reverse:
        asked["ScanIndexForward"] = False
    if query._consistent:
        asked["ConsistentRead"] = True
    if query._segment is not None:
        asked["Segment"], asked["TotalSegments"] = query._segment
    return asked
