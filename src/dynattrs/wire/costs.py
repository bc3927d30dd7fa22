"""What calls cost, counted for those who ask: a handle of `session.measure()`, a session that warns.

A call carries its meters (`Call.meters`). `MeteredLine` stands before a wire and puts one on each call,
so that what goes through a handle is counted, in whichever thread or task it is done.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from dynattrs.operations.flows import Call, MeteredCall
from dynattrs.schema.messages import Message
from dynattrs.wire.exchange import WRITES, count_in, returned_in

_log = logging.getLogger("dynattrs")

#: The table, and the index; None where it is the table itself.
Place: TypeAlias = tuple[str, str | None]

#: Where replies say what indexes have consumed.
_INDEXES: Final = ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")


@attrs.frozen
class Usage:
    """What some calls have cost.

    Attributes:
        requests: Requests that were answered; those that the service refused count as well, because it
            bills most of them.
        items: Items that were read or written.
        read_units: Read capacity units, as far as the engine says.
        write_units: Write capacity units, likewise.
        vector_bytes: What vector indexes were searched or written for, in bytes; likewise.
        retries: Attempts beyond the first of each call.
        seconds: How long was waited for answers, pauses of botocore's included; of calls that were under
            way at once each counts in full.
    """

    requests: int = 0
    items: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    vector_bytes: float = 0.0
    retries: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        mine, others = attrs.astuple(self), attrs.astuple(other)
        return Usage(*(one + another for one, another in zip(mine, others, strict=True)))


NOTHING: Final = Usage()


class Costs:
    """Counts calls. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = NOTHING
        self._by_operation: defaultdict[str, Usage] = defaultdict(Usage)
        self._by_table: defaultdict[str, Usage] = defaultdict(Usage)
        self._by_index: defaultdict[Place, Usage] = defaultdict(Usage)

    def ended(self, call: MeteredCall) -> None:
        """Count a call."""
        tables = items_of(call)
        asked = Usage(
            call.answers, sum(tables.values()), retries=call.retries, seconds=call.seconds
        )
        places = list(consumed_by(call))
        units = sum((usage for _, usage in places), NOTHING)
        # What names several tables is a request of each, and takes its time of each.
        places += [
            ((table, index_of(call)), attrs.evolve(asked, items=items))
            for table, items in tables.items()
            if table
        ]
        with self._lock:
            self._total += asked + units
            self._by_operation[call.operation] += asked + units
            for (table, index), usage in places:
                self._by_table[table] += usage
                self._by_index[table, index] += usage

    @property
    def total(self) -> Usage:
        return self._total

    def by_operation(self) -> dict[str, Usage]:
        with self._lock:
            return dict(self._by_operation)

    def by_table(self) -> dict[str, Usage]:
        with self._lock:
            return dict(self._by_table)

    def by_index(self) -> dict[Place, Usage]:
        with self._lock:
            return dict(self._by_index)


class CostAlarm:
    """Warns of calls that took long, or cost much.

    Args:
        seconds: From how many seconds on; None for never.
        units: From how many capacity units on; None for never.
    """

    def __init__(self, seconds: float | None, units: float | None) -> None:
        self._seconds = seconds
        self._units = units

    def ended(self, call: MeteredCall) -> None:
        slow = self._seconds is not None and call.seconds >= self._seconds
        usage = sum((each for _, each in consumed_by(call)), NOTHING)
        units = usage.read_units + usage.write_units
        if not slow and (self._units is None or units < self._units):
            return
        tables = items_of(call)
        index = "" if index_of(call) is None else f" index={index_of(call)}"
        _log.warning(
            "%s %s: table=%s%s seconds=%.3f units=%g items=%s retries=%s%s",
            "slow call" if slow else "costly call",
            call.operation, ",".join(tables) or "-", index, call.seconds, units, sum(tables.values()),
            call.retries, "" if call.error is None else f" error={call.error}",
        )  # fmt: skip


def index_of(call: MeteredCall) -> str | None:
    """The index that a call reads; None for the table itself."""
    name = call.parameters.get("IndexName")
    return None if name is None else str(name)


def items_of(call: MeteredCall) -> dict[str, int]:
    """The tables that a call was for, with how many items of each it has read or written."""
    tables = _items_by_table(call.operation, call.parameters, call.response)
    if call.error is not None or not call.answers:
        return dict.fromkeys(tables, 0)
    if tables:
        return tables
    # Of a statement of PartiQL only the answer says its table.
    items = returned_in(call.response)
    return {table: items for (table, _), _ in consumed_by(call)} or ({"": items} if items else {})


def _items_by_table(operation: str, parameters: Message, response: Message) -> dict[str, int]:
    """The tables that a request names, with how many items of each were read or written."""
    if "RequestItems" in parameters and operation in WRITES:
        left = response.get("UnprocessedItems") or {}
        return {
            table: len(writes) - len(left.get(table, ()))
            for table, writes in parameters["RequestItems"].items()
        }
    if "RequestItems" in parameters:
        found = response.get("Responses") or {}
        return {table: len(found.get(table, ())) for table in parameters["RequestItems"]}
    if "TransactItems" in parameters:
        writes, items = operation in WRITES, response.get("Responses") or ()
        actions = [
            str(each["TableName"]) for act in parameters["TransactItems"] for each in act.values()
        ]
        counted = Counter(
            table
            for n, table in enumerate(actions)
            if writes or (n < len(items) and items[n].get("Item"))
        )
        return {table: counted[table] for table in dict.fromkeys(actions)}
    table = parameters.get("TableName")
    if table is None:
        return {}
    count = count_in(parameters) if operation in WRITES else returned_in(response)
    return {str(table): count}


def consumed_by(call: MeteredCall) -> Iterator[tuple[Place, Usage]]:
    """The units that an answer says, by table and index; the same place may come more than once."""
    consumed = call.response.get("ConsumedCapacity") or ()
    for each in (consumed,) if isinstance(consumed, Mapping) else consumed:
        table = str(each.get("TableName") or call.parameters.get("TableName", ""))
        yield from _consumed(table, each, reads=call.reads, index=index_of(call))


def _consumed(
    table: str, consumed: Mapping[str, Any], *, reads: bool, index: str | None
) -> Iterator[tuple[Place, Usage]]:
    vectors: Mapping[str, Any] = consumed.get("VectorIndexes") or {}
    for name, said in vectors.items():
        yield (table, name), Usage(vector_bytes=_vector_bytes(said))
    if not vectors and (searched := _vector_bytes(consumed)):
        yield (table, index), Usage(vector_bytes=searched)
    whole = _units(consumed, reads=reads)
    of_indexes = NOTHING
    for kind in _INDEXES:
        for name, said in (consumed.get(kind) or {}).items():
            usage = _units(said, reads=reads)
            of_indexes += usage
            yield (table, name), usage
    # What is left is the table's own, whether its part is stated or not: parts then make the whole.
    left = Usage(
        read_units=max(0.0, whole.read_units - of_indexes.read_units),
        write_units=max(0.0, whole.write_units - of_indexes.write_units),
    )
    if left != NOTHING:
        yield (table, None if of_indexes != NOTHING or "Table" in consumed else index), left


def _units(said: Mapping[str, Any], *, reads: bool) -> Usage:
    read, write = (float(said.get(f"{kind}CapacityUnits") or 0.0) for kind in ("Read", "Write"))
    units = float(said.get("CapacityUnits") or 0.0) or read + write
    if read and write:  # of a transaction that checks items and writes others
        return Usage(read_units=read, write_units=units - read)
    return Usage(read_units=units) if reads else Usage(write_units=units)


def _vector_bytes(said: Mapping[str, Any]) -> float:
    names = ("VectorSearchRequestBytes", "VectorWriteRequestBytes")
    return sum(float(said.get(name) or 0.0) for name in names)


class MeteredLine:
    """A wire whose calls carry one more meter. Whether they are awaited is the wire's affair."""

    def __init__(self, line: Any, meter: Any) -> None:
        self._line = line
        self._meter = meter

    def call(self, call: Call) -> Any:
        """As the wire's."""
        return self._line.call(call.metered(self._meter))

    def begin(self, call: Call, announce: Any = None) -> Any:
        """As the wire's."""
        return self._line.begin(call.metered(self._meter), announce)
