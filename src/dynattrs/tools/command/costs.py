"""`cost`: what a query costs, measured, and what tables are paid for; in money by prices that you state.

Prices differ by region, table class and contract, and change: none of them is known here.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import click

from dynattrs.errors import QueryError
from dynattrs.schema.capacity import Provisioned, described, described_mode
from dynattrs.schema.messages import Message
from dynattrs.session.session import Session
from dynattrs.tools.command.options import Connection, connected
from dynattrs.tools.command.outcomes import OK, note
from dynattrs.tools.command.output import Format, Row, formatted, plain, print_rows
from dynattrs.tools.command.reading import asked_of, with_option
from dynattrs.tools.command.subjects import Subjects, SubjectsType

#: As AWS counts a month.
_HOURS: Final = 730
_GIGABYTE: Final = 1024**3
_MILLION: Final = 1_000_000


@attrs.frozen
class Prices:
    """What the user says that things cost; None where nothing was said.

    Attributes:
        read: A million read units, on demand.
        write: A million write units, on demand.
        read_hour: A provisioned read unit for an hour.
        write_hour: A provisioned write unit for an hour.
        storage: A gigabyte for a month.
    """

    read: float | None
    write: float | None
    read_hour: float | None
    write_hour: float | None
    storage: float | None


class _Amount(click.FloatRange):
    """A number that can be multiplied: `nan` is below and above nothing."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value} is not an amount", param, ctx)
        return found


_PRICE: Final = _Amount(min=0)


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.argument("conditions", metavar="[CONDITION]...", nargs=-1)
@click.option("--index", help="Read this index and no other.")
@click.option("--scan", is_flag=True, help="Measure a scan of the whole table.")
@click.option("--consistent", is_flag=True, help="Read consistently, at twice the price.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many items; without it all.")
@click.option("--times", type=click.IntRange(min=1), help="How often a month such a query is made.")
@click.option("--reads", type=_PRICE, help="Read units that a table uses a month.")
@click.option("--writes", type=_PRICE, help="Write units that a table uses a month.")
@click.option("--read-price", type=_PRICE, help="What a million read units cost, on demand.")
@click.option("--write-price", type=_PRICE, help="What a million write units cost, on demand.")
@click.option("--read-hour-price", type=_PRICE, help="What a provisioned read unit costs an hour.")
@click.option(
    "--write-hour-price", type=_PRICE, help="What a provisioned write unit costs an hour."
)
@click.option("--storage-price", type=_PRICE, help="What a gigabyte costs a month.")
@connected
@formatted("table", "json", "csv")
def cost(
    subjects: Subjects,
    conditions: tuple[str, ...],
    index: str | None,
    scan: bool,
    consistent: bool,
    limit: int | None,
    times: int | None,
    reads: float | None,
    writes: float | None,
    read_price: float | None,
    write_price: float | None,
    read_hour_price: float | None,
    write_hour_price: float | None,
    storage_price: float | None,
    connection: Connection,
    output: Format,
) -> int:
    """Measure what a query costs; without a condition, show what the tables are paid for.

    A query is really made, and costs what it shows: the service counts the units. Money is shown by the
    prices that you state, a month of 730 hours.
    """
    prices = Prices(read_price, write_price, read_hour_price, write_hour_price, storage_price)
    with connection.session() as session:
        if conditions or scan:
            if reads is not None or writes is not None:
                raise click.UsageError(
                    "--reads and --writes are for tables, without a condition; for a query, give its number "
                    "of runs a month with --times"
                )
            rows = [
                _query(session, subjects, conditions, index, scan, consistent, limit, times, prices)
            ]
        else:
            rows = [
                _table(description, reads, writes, prices)
                for description in _descriptions(session, subjects)
            ]
    columns = list(dict.fromkeys(name for row in rows for name in row.values))
    print_rows(output, columns, rows)
    return OK


def _query(
    session: Session,
    subjects: Subjects,
    conditions: Iterable[str],
    index: str | None,
    scan: bool,
    consistent: bool,
    limit: int | None,
    times: int | None,
    prices: Prices,
) -> Row:
    asked = asked_of(session, subjects, conditions, scan=scan)
    asked = asked if index is None else asked.using(index)
    asked = asked.consistent() if consistent else asked
    asked = asked if limit is None else asked.limit(limit)
    try:
        for _ in asked.raw() if len(subjects.models) == 1 else asked:
            pass
    except QueryError as error:
        raise with_option(error) from error
    stats = session.stats
    units = sum(stats.capacity.values())
    if not units:
        note("This engine does not say how many units it counts.")
    found: dict[str, object] = {
        "requests": stats.total,
        "read": stats.scanned,
        "found": stats.returned,
        "read_units": round(units, 3),
    }
    if times is not None:
        found["read_units_a_month"] = round(units * times, 3)
        if prices.read is not None:
            found["a_month"] = _money(units * times / _MILLION * prices.read)
    return plain(**found)


def _descriptions(session: Session, subjects: Subjects) -> list[Message]:
    found: dict[str, Message] = {}
    for each in subjects.declarations:
        description = session.tables.describe(each)
        found[description["TableName"]] = description
    return list(found.values())


def _table(description: Message, reads: float | None, writes: float | None, prices: Prices) -> Row:
    mode = described_mode(description)
    parts: Sequence[Mapping[str, Any]] = (
        description, *description.get("GlobalSecondaryIndexes", ())
    )  # fmt: skip
    billings = [described(mode, dict(part)) for part in parts]
    provisioned = [each for each in billings if isinstance(each, Provisioned)]
    size = description.get("TableSizeBytes", 0) + sum(
        each.get("IndexSizeBytes", 0)
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for each in description.get(kind, ())
    )
    found: dict[str, object] = {
        "table": description["TableName"],
        "billing": billings[0],
        "items": description.get("ItemCount"),
        "bytes_with_indexes": size,
        "provisioned_read": sum(each.read for each in provisioned) if provisioned else None,
        "provisioned_write": sum(each.write for each in provisioned) if provisioned else None,
    }
    amounts = {
        "storage_a_month": _product(size / _GIGABYTE, prices.storage),
        "reads_a_month": _product(None if reads is None else reads / _MILLION, prices.read),
        "writes_a_month": _product(None if writes is None else writes / _MILLION, prices.write),
    }
    if provisioned:
        hours = {
            "reads_a_month": (sum(each.read for each in provisioned), prices.read_hour),
            "writes_a_month": (sum(each.write for each in provisioned), prices.write_hour),
        }
        amounts |= {name: _product(units * _HOURS, price) for name, (units, price) in hours.items()}
    stated = {name: amount for name, amount in amounts.items() if amount is not None}
    if stated:
        found |= {name: _money(amount) for name, amount in stated.items()}
        found["a_month"] = _money(sum(stated.values()))
    return plain(**found)


def _product(amount: float | None, price: float | None) -> float | None:
    return None if amount is None or price is None else amount * price


def _money(amount: float) -> float:
    return round(amount, 4)
