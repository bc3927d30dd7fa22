"""Scans of tables as the source of a job: parallel segments, read from a position on.

A scan is no snapshot: it finds no key twice, and each item as it was at some time while it went on.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from dynattrs.errors import MappingError
from dynattrs.expressions.conditions import Condition, expressions
from dynattrs.jobs.errors import CheckpointsFailed
from dynattrs.jobs.failed_items import failure_of, plain_key
from dynattrs.jobs.items_by_key import without_guards_of_others
from dynattrs.jobs.which_items import GUARD, OfTable
from dynattrs.jobs.work import Failure, Limits, SourcePage
from dynattrs.mapper.anything import native_map
from dynattrs.operations.flows import Call, Decode, Flow
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.session.session import Session


@attrs.frozen
class TableScan:
    """All items of some tables that a job is for. Segment 0 is the first one of the first table.

    Attributes:
        tables: The tables, and which of their items.
        where: What the service leaves out where it is false; None for nothing.
        consistent: Whether reads are consistent, which costs twice.
        keys_only: Whether nothing of an item is needed but what it is.
        raw: Whether all is given that is there, and not only what the job is for.
        decode: Reads replies of a wire that has their bytes, where that is done otherwise.
        alone: Whether the job reads nothing besides, so that a page tells what the next items cost.
    """

    tables: Sequence[OfTable]
    where: Condition | None = None
    consistent: bool = False
    keys_only: bool = False
    raw: bool = False
    decode: Decode | None = None
    alone: bool = False

    def segments(self, session: Session, wanted: int) -> int:
        return wanted * len(self.tables)

    def table_of(self, segment: int, of: int) -> OfTable:
        """The table that a segment is of."""
        return self.tables[segment // (of // len(self.tables))]

    def pages(
        self, session: Session, segment: int, of: int, position: str | None, limits: Limits
    ) -> Iterator[SourcePage]:
        of //= len(self.tables)
        table = self.tables[segment // of]
        parameters: dict[str, Any] = {
            "TableName": session._core.table_name(table.table),
            "Segment": segment % of,
            "TotalSegments": of,
            **expressions((), self.where, projection=table.tells if self.keys_only else ()),
        }
        if self.consistent:
            parameters["ConsistentRead"] = True
        start = None if position is None else _key_of(position)
        left, item_units = limits.items, 1.0
        while left > 0:
            asked = dict(parameters)
            if start is not None:
                asked["ExclusiveStartKey"] = native_map(start)
            size = limits.page_size(left, item_units)
            if size is not None:
                asked["Limit"] = size
            response: dict[str, Any] = session._drive(_asked(asked, self.decode))
            start = response.get("LastEvaluatedKey") or None
            found = response.get("Items", [])
            # A condition on fields is about items; guards can fulfil one as well: `not_exists(Person.nick)`.
            items, failures = (
                (found, []) if self.raw else _meant(table, found, guards=self.where is None)
            )
            scanned = response.get("ScannedCount", len(items))
            units = float((response.get("ConsumedCapacity") or {}).get("CapacityUnits", 0.0))
            if table.shares_guards and not self.raw:
                items, more = without_guards_of_others(
                    session, table, items, consistent=self.consistent
                )
                units += more
            left -= scanned
            if self.alone and scanned:
                item_units = units / scanned
            yield SourcePage(
                items, None if start is None else _position(start), units, scanned, failures
            )
            if start is None:
                return


def _asked(parameters: dict[str, Any], decode: Decode | None) -> Flow[Any]:
    return (yield Call("scan", parameters, decode=decode))


def _meant(
    table: OfTable, found: Sequence[AttributeMap], *, guards: bool
) -> tuple[list[AttributeMap], list[Failure]]:
    items: list[AttributeMap] = []
    failures: list[Failure] = []
    for item in found:
        try:
            kind = table.kind_of(item)
            if kind is not None and (guards or kind is not GUARD):
                items.append(item)
        except MappingError as error:
            failures.append(failure_of(error, table.table, item))
    return items, failures


def _position(key: AttributeMap) -> str:
    return json.dumps(plain_key(key), separators=(",", ":"), ensure_ascii=False)


def _key_of(position: str) -> AttributeMap:
    try:
        key = json.loads(position)
        assert isinstance(key, dict)
        return native_map(key)
    except (ValueError, AssertionError, AttributeError) as error:
        raise CheckpointsFailed(
            "a segment", f"{position!r} is not a position in a table; it was changed by hand"
        ) from error
