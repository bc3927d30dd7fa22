"""Airports that are written somewhat like a question: vectors, and a search for the nearest of them.

    uv run docs/examples/semantic_search.py
    uv run docs/examples/semantic_search.py "saint luis lambert"

It needs no AWS account and downloads no model: `embed` makes vectors of the groups of three letters
that a text has, so that a misspelt name is near to the right one. An embedding model, in its place,
makes texts near that mean the same. With `Session()` the same program runs on the service.
"""

import csv
import math
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
from rich.console import Console
from rich.progress import track
from rich.table import Table
from vega_datasets import local_data

from dynattrs import Session, VectorIndex, model, partition_key

DIMENSIONS = 128

#: Of these states the airports are searched: the engine of this program looks at every vector.
STATES = frozenset({"CA", "IL", "MO", "NY", "VT"})

QUESTIONS = ["chicago o'hair", "san fransisco intl", "kenedy new york"]


# The index holds what the report shows, so that a search is one request. It may be asked for the
# airports of one state.
@model(
    "airports",
    indexes=[
        VectorIndex(
            "by-text",
            vector="embedding",
            dimensions=DIMENSIONS,
            filters=["state"],
            projection=["name", "city"],
        )
    ],
)
class Airport:
    code: str = partition_key()
    name: str
    city: str
    state: str
    embedding: list[float] = attrs.field(repr=False)


@attrs.frozen
class Found:
    """What is read of an airport that was found."""

    code: str
    name: str
    city: str
    state: str


def embed(text: str) -> list[float]:
    """A vector of length 1: how often each group of three letters is in a text, hashed."""
    numbers = [0.0] * DIMENSIONS
    words = [f" {word} " for word in text.lower().replace("-", " ").split()]
    groups = Counter(word[at : at + 3] for word in words for at in range(len(word) - 2))
    for group, count in groups.items():
        place, minus = divmod(zlib.crc32(group.encode()), 2)
        numbers[place % DIMENSIONS] += -count if minus else count
    length = math.hypot(*numbers) or 1.0
    return [number / length for number in numbers]


def read_airports() -> Iterator[Airport]:
    """Some airports of the file that vega_datasets ships."""
    with Path(local_data.airports.filepath).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            code, name, city, state = (row[part] for part in ("iata", "name", "city", "state"))
            if state in STATES:
                yield Airport(code, name, city, state, embedding=embed(f"{name} {city} {state}"))


def main(questions: list[str]) -> None:
    console = Console()
    report = Table(title="Which airport is meant?")
    for heading in ("question", "airport", "city"):
        report.add_column(heading)
    report.add_column("distance", justify="right")

    with Session.local() as session:
        session.tables.create(Airport)
        airports = track(list(read_airports()), "saving", console=console)
        session.save_all(airports)

        for question in questions:
            search = session.search(Airport.embedding, embed(question), top_k=3)
            for number, hit in enumerate(search.as_(Found)):
                place = f"{hit.item.city}, {hit.item.state}"
                asked = "" if number else question
                report.add_row(asked, hit.item.name, place, f"{hit.distance:.2f}")

        # "Springfield" is in many states: the nearest of one are found among those of that state.
        springfield = session.search(Airport.embedding, embed("springfield"), top_k=1)
        for state in ("IL", "MO", "VT"):
            for hit in springfield.where(Airport.state == state).as_(Found):
                place = f"{hit.item.city}, {hit.item.state}"
                asked = f"springfield, in {state}"
                report.add_row(asked, hit.item.name, place, f"{hit.distance:.2f}")

        requests = session.stats.requests["SearchVectors"]
    console.print(report)
    console.print(f"{requests} searches, one request each")


if __name__ == "__main__":
    main(sys.argv[1:] or QUESTIONS)
