"""A first program: 3,376 airports into DynamoDB, and three questions.

    uv run docs/examples/airports.py

It needs no AWS account: `Session.local()` starts an embedded engine inside this process. With
`Session()` in its place the same program runs on the service.
"""

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from rich.console import Console
from rich.progress import track
from rich.table import Table
from vega_datasets import local_data

from dynattrs import GlobalIndex, Session, between, model, partition_key, sort_key


# The items of one country lie together, ordered by code. The index orders them by state, and within
# a state from south to north. An airport without a state is in the table and not in the index.
@model(
    "airports",
    indexes=[GlobalIndex("by-state", partition_key="state", sort_key="latitude")],
)
class Airport:
    country: str = partition_key()
    code: str = sort_key()
    name: str
    latitude: float
    longitude: float
    city: str | None = None
    state: str | None = None


def read_airports() -> Iterator[Airport]:
    """The airports of the file that vega_datasets ships."""
    with Path(local_data.airports.filepath).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Airport(
                country=row["country"],
                code=row["iata"],
                name=row["name"],
                latitude=float(row["latitude"]),
                longitude=float(row["longitude"]),
                city=None if row["city"] == "NA" else row["city"],
                state=None if row["state"] == "NA" else row["state"],
            )


@attrs.define
class Row:
    """A line of the report."""

    what: str
    answer: str = ""
    items: int = 0
    requests: int = 0
    seconds: float = 0.0


@contextmanager
def measured(session: Session, rows: list[Row], what: str) -> Iterator[Row]:
    """Time a `with` statement, and count the requests that the session sends in it."""
    row = Row(what)
    requests, began = session.stats.total, time.perf_counter()
    yield row
    row.seconds = time.perf_counter() - began
    row.requests = session.stats.total - requests
    rows.append(row)


def main() -> None:
    console = Console()
    rows: list[Row] = []
    airports = list(read_airports())

    with Session.local() as session:
        session.tables.create(Airport)

        # What is saved through the batch is gathered: 25 to a request, several requests at a time.
        # When the batch has ended, all of it is stored.
        with measured(session, rows, "save all airports") as row, session.batch() as batch:
            for airport in track(airports, "saving", console=console):
                batch.save(airport)
            row.items = len(airports)

        with measured(session, rows, "all of California, south to north") as row:
            found = session.query(Airport).where(Airport.state == "CA").all()
            row.answer = f"{found[0].name} … {found[-1].name}"
            row.items = len(found)

        with measured(session, rows, "USA, codes from SEA to SFO") as row:
            found = (
                session.query(Airport)
                .where(Airport.country == "USA", between(Airport.code, "SEA", "SFO"))
                .all()
            )
            row.answer = " ".join(airport.code for airport in found)
            row.items = len(found)

        with measured(session, rows, "the airport SFO") as row:
            sfo = session.get_one(Airport, ("USA", "SFO"))
            row.answer = f"{sfo.name}, {sfo.city}"
            row.items = 1

    report = Table(title="What was asked, and what it took")
    for heading in ("", "answer"):
        report.add_column(heading)
    for heading in ("items", "requests", "seconds"):
        report.add_column(heading, justify="right")
    for row in rows:
        report.add_row(
            row.what, row.answer, f"{row.items:,}", f"{row.requests:,}", f"{row.seconds:.2f}"
        )
    console.print(report)


if __name__ == "__main__":
    main()
