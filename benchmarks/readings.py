"""What an item costs from the bytes of a reply to its object, for models of many shapes.

    uv run python -m benchmarks.readings                                # this checkout
    uv run python -m benchmarks.readings --against /other/checkout      # beside another one
    uv run python -m benchmarks.readings --rounds 9 --only nested       # those whose name has that text

Left out: requests, signatures and sockets. What is timed is a query's flow, stepped by hand: the decoding
of a page of 300 items, the question which model each is of, and the making of objects. The CPU of a fresh
process counts, the least of a few tries in each round; two checkouts take turns. What is read is compared
with what was stored.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import attrs
from typing_extensions import NotRequired, TypedDict

from benchmarks.rivals.dynattrs_sync import declared
from benchmarks.rivals.plain_attrs import made
from benchmarks.shapes import ARTIST, shape
from dynattrs import Session, Table, field, mapper, model, partition_key, sort_key
from dynattrs.mapper import Json

PAGE = 300
TRIES = 12
UTC = dt.timezone.utc


# --- Models ---------------------------------------------------------------------------------------

EVENTS = Table("events", partition_key="pk", sort_key="sk")


@model(EVENTS, pk="C#{customer}", sk="E#{at}#{number:08d}")
class Event:
    """The fields of its keys are stored nowhere else."""

    customer: str = field(key_only=True)
    at: dt.datetime = field(key_only=True)
    number: int = field(key_only=True)
    product: str
    amount: int
    price: float
    paid: bool
    note: str | None = None


@attrs.define
class Sold:
    number: int
    product: str
    price: float


SHOP = Table("shop", partition_key="pk", sort_key="sk")
NAMED = Table("named_shop", partition_key="pk", sort_key="sk", discriminator="type")


def _shop(table: Table) -> tuple[Any, Any, Any]:
    @model(table, pk="CUSTOMER#{customer}", sk="PROFILE")
    class Customer:
        customer: str
        name: str
        street: str
        city: str
        credit: int
        ratio: float

    @model(table, pk="CUSTOMER#{customer}", sk="ORDER#{number:08d}")
    class Order:
        customer: str
        number: int
        product: str
        amount: int
        price: float
        paid: bool
        note: str | None = None

    @model(table, pk="CUSTOMER#{customer}", sk="VISIT#{place}#{number:08d}")
    class Visit:
        customer: str
        place: str
        number: int
        seconds: float
        pages: int
        referrer: str
        agent: str

    return Customer, Order, Visit


VEHICLES = Table("vehicles", partition_key="pk", sort_key="sk", discriminator="kind")


@model(VEHICLES, pk="V#{owner}", sk="{number:06d}")
class Vehicle:
    owner: str
    number: int
    maker: str
    year: int


@model(VEHICLES, pk="V#{owner}", sk="{number:06d}")
class Car(Vehicle):
    doors: int = 4
    colour: str = ""


@model(VEHICLES, pk="V#{owner}", sk="{number:06d}")
class Truck(Vehicle):
    tons: float = 1.0
    axles: int = 2


@attrs.define
class Card:
    number: str
    month: int


@attrs.define
class Transfer:
    iban: str
    bank: str | None = None


@model("payments")
class Payment:
    id: uuid.UUID = partition_key()
    at: dt.datetime = sort_key()
    amount: Decimal
    day: dt.date
    counts: dict[str, int]
    place: tuple[float, float]
    way: Card | Transfer
    anything: Any
    payload: Annotated[dict[str, int], Json]
    sizes: list[int]
    note: str | int | None = None


class Measures(TypedDict):
    size: int
    weight: float
    unit: str
    note: NotRequired[str]


@model("shelves")
class Shelf:
    id: str = partition_key()
    first: Measures
    second: Measures
    third: Measures


@model("calendars")
class Calendar:
    id: str = partition_key()
    visits: dict[int, int]
    days: dict[dt.date, str]


@attrs.define
class Branch:
    name: str
    parts: list[Branch] = attrs.field(factory=list)


@model("trees")
class Tree:
    id: str = partition_key()
    root: Branch


@attrs.define
class Some:
    title: str
    plays: int
    year: int
    label: str


# --- Cases ----------------------------------------------------------------------------------------


@attrs.frozen
class Case:
    """What is read, and what should come of it."""

    name: str
    query: Callable[[Session], Any]
    stored: list[Any]
    expected: list[Any]


def cases() -> Iterator[Case]:
    for name in ("flat-11", "nested-11", "nested-40"):
        form = shape(name)
        cls = declared(f"songs-{name}", form)
        songs = [made(cls, form.fields, form.values(number)) for number in range(PAGE)]
        yield _whole(name, cls, songs)
        if name == "flat-11":
            yield Case(
                "four of eleven fields",
                lambda session, cls=cls: session.query(cls).where(cls.artist == ARTIST).as_(Some),
                [
                    {each: value for each, value in mapper.dump(song).items()
                     if each in ("title", "plays", "year", "label", "artist")}
                    for song in songs
                ],
                [Some(song.title, song.plays, song.year, song.label) for song in songs],
            )  # fmt: skip
    yield from _in_keys()
    for name, table in (("keys", SHOP), ("a discriminator", NAMED)):
        models = _shop(table)
        customer, order, visit = models
        orders = [order("ann", number, "shoes", 2, 19.5, number % 2 == 0) for number in range(PAGE)]
        yield Case(
            f"a template, told by {name}",
            lambda session, order=order: session.query(order).where(order.customer == "ann"),
            [mapper.dump(each) for each in orders], orders,
        )  # fmt: skip
        mixed = [
            customer("ann", "Ann", "Long Street 1", "York", 100, 0.5),
            *orders[: PAGE // 2],
            *(visit("ann", "home", number, 1.5, number, "example.org", "browser")
              for number in range(PAGE // 2 - 1)),
        ]  # fmt: skip
        yield Case(
            f"three models, told by {name}",
            lambda session, models=models: (
                session.query(*models).where(models[0].customer == "ann")
            ),
            [mapper.dump(each) for each in mixed], mixed,
        )  # fmt: skip
    vehicles = [
        (Vehicle, Car, Truck)[number % 3]("ann", number, "maker", 2000 + number % 20)
        for number in range(PAGE)
    ]
    yield _whole("a base with two subclasses", Vehicle, vehicles, Vehicle.owner == "ann")
    now = dt.datetime(2026, 11, 27, 12, 30, 15, 123456, UTC)
    payments = [
        Payment(
            uuid.UUID(int=number * 7919 << 64 | number), now + dt.timedelta(seconds=number),
            Decimal(number) / 4, dt.date(2026, 1, 1) + dt.timedelta(days=number),
            {"eur": number, "usd": 2 * number}, (52.5 + number, 13.25),
            Card("4111", number % 12) if number % 2 else Transfer("DE00", "bank"),
            {"a": [number, "text", None, True]}, {"x": number}, [number, 2, 3],
            (None, "text", number)[number % 3],
        )
        for number in range(PAGE)
    ]  # fmt: skip
    yield _whole("many types", Payment, payments, Payment.id == payments[0].id)

    yield from _nested()


def _nested() -> Iterator[Case]:
    """Maps that are no class, and a class that holds itself."""

    def measures(number: int) -> Measures:
        return {"size": number, "weight": number / 2, "unit": "cm"}

    shelves = [Shelf(str(n), measures(n), measures(n + 1), measures(n + 2)) for n in range(PAGE)]
    yield _whole("typed dicts", Shelf, shelves, Shelf.id == "1")
    first = dt.date(2026, 1, 1)
    calendars = [
        Calendar(
            str(number),
            dict.fromkeys(range(15), number),
            {first + dt.timedelta(days=each): "open" for each in range(15)},
        )
        for number in range(PAGE)
    ]
    yield _whole("dicts whose keys are no text", Calendar, calendars, Calendar.id == "1")
    trees = [
        Tree(
            str(number), Branch("root", [Branch(str(each), [Branch("leaf")]) for each in range(7)])
        )
        for number in range(PAGE)
    ]
    yield _whole("a class that holds itself", Tree, trees, Tree.id == "1")


def _whole(name: str, cls: Any, objects: list[Any], condition: Any = None) -> Case:
    def query(session: Session) -> Any:
        return session.query(cls).where(cls.artist == ARTIST if condition is None else condition)

    return Case(name, query, [mapper.dump(each) for each in objects], objects)


def _in_keys() -> Iterator[Case]:
    at = dt.datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
    events = [Event("ann", at, number, "shoes", 2, 19.5, paid=True) for number in range(PAGE)]
    yield _whole("fields in keys only", Event, events, Event.customer == "ann")
    yield Case(
        "three of them, one in a key",
        lambda session: session.query(Event).where(Event.customer == "ann").as_(Sold),
        [
            {
                name: value
                for name, value in mapper.dump(event).items()
                if name not in ("amount", "paid", "note")
            }
            for event in events
        ],
        [Sold(event.number, event.product, event.price) for event in events],
    )


# --- Measuring ------------------------------------------------------------------------------------


def _read(query: Any, body: bytes) -> list[Any]:
    """All that a query finds, where the reply to its one request is *body*."""
    flow = query._all()
    call = next(flow)
    reply = json.loads(body) if call.decode is None else call.decode(body)
    try:
        flow.send(reply)
    except StopIteration as end:
        found: list[Any] = end.value
        return found
    raise AssertionError("one page was expected")


def measured(only: str) -> dict[str, float]:
    """Microseconds of CPU an item, by case."""
    session: Any = Session(client=object())
    found = {}
    for case in cases():
        if only not in case.name:
            continue
        query = case.query(session)
        # Without white space, as the service writes it.
        reply = {"Items": case.stored, "Count": PAGE}
        body = json.dumps(reply, separators=(",", ":")).encode()
        assert _read(query, body) == case.expected, case.name
        assert _read(query, body) == case.expected, case.name
        best = float("inf")
        for _ in range(TRIES):
            began = time.process_time()
            for _ in range(4):
                _read(query, body)
            best = min(best, time.process_time() - began)
        found[case.name] = best / 4 / PAGE * 1e6
    return found


def _in_fresh_process(root: Path | None, only: str) -> dict[str, float]:
    here = Path(__file__).parents[1]
    paths = [str((root or here) / "src"), str(here)]
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.readings", "--measure", "--only", only],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, cwd=here,
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name has this text")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--measure", action="store_true", help="once, in this process, as JSON")
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measured(given.only)))
        return
    roots = [given.against, None] if given.against else [None]
    rounds = [[_in_fresh_process(root, given.only) for root in roots] for _ in range(given.rounds)]
    for name in rounds[0][0]:
        figures = [median(each[at][name] for each in rounds) for at in range(len(roots))]
        ratio = f"  x{figures[0] / figures[1]:.2f}" if len(figures) > 1 else ""
        print(f"{name:34}", *(f"{figure:8.2f}" for figure in figures), "µs an item", ratio)


if __name__ == "__main__":
    main()
