"""What jobs of tests work on: models and functions that worker processes import by their names."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from dynattrs import Table, field, jobs, model, partition_key

shop = Table("jobs-shop", partition_key="pk", sort_key="sk")


@model(shop, pk="PERSON#{id}", sk="PERSON")
class Person:
    id: str
    email: str = field(unique=True)
    country: str = "NO"
    visits: int = 0


@model(shop, pk="PERSON#{person}", sk="ORDER#{number:06d}")
class Order:
    person: str
    number: int
    total: int = 0
    version: int = field(version=True, default=0)


def as_number(item: dict[str, Any]) -> None:
    item["minutes"] = int(item["minutes"])


@model(shop, pk="PERSON#{person}", sk="VISIT#{number:08d}", upgrades=[as_number])
class Visit:
    person: str
    number: int
    minutes: int


things = Table("jobs-things", partition_key="id")


@model(things)
class Thing:
    id: str = partition_key()
    n: int = 0
    note: str = ""


@attrs.define
class Line:
    what: str
    count: int = 0


@model("jobs-bills")
class Bill:
    id: str = partition_key()
    lines: list[Line] = attrs.field(factory=list)
    first: Line | None = None
    state: str = ""


# --- Functions of `apply` -------------------------------------------------------------------------


def doubled(thing: Thing) -> Thing | None:
    """Twice `n`, once."""
    if thing.note == "doubled":
        return None
    thing.n *= 2
    thing.note = "doubled"
    return thing


def priced(order: Order) -> object:
    """A price for orders with even numbers; the others are deleted."""
    if order.number % 2:
        return jobs.Delete
    return attrs.evolve(order, total=order.number * 10)


def moved(person: Person) -> Person:
    """Another address, which is a unique value."""
    person.email = f"new-{person.id}@example.com"
    return person


def gathered(person: Person) -> Person:
    """One address for all, which only one of them can have."""
    person.email = "all@example.com"
    return person


def one_more(bill: Bill) -> Bill | None:
    """One more of each line, in place; some bills also lose one, or get it anew."""
    if bill.state:
        return None
    bill.state = "counted"
    for line in bill.lines:
        line.count += 1
    if bill.first is not None:
        bill.first.count += 1
    if bill.id == "shorter":
        del bill.lines[0]
    if bill.id == "replaced":
        bill.first = Line("a", 2)
    return attrs.evolve(bill) if bill.id == "evolved" else bill


def silent(thing: Thing) -> None:
    """What many write at first: it changes the object, and forgets to return it."""
    thing.n += 1


def failing(thing: Thing) -> Thing | None:
    """It cannot do with some."""
    if thing.n % 10 == 3:
        raise ValueError("three")
    return doubled(thing)


#: What other writers do with an item while a function has it.
meanwhile: list[Callable[[Thing], object]] = []


def marked(thing: Thing) -> Thing:
    """A note, while others write."""
    for each in meanwhile:
        each(thing)
    thing.note = "marked"
    return thing


def removed(thing: Thing) -> object:
    """Things without a note are deleted, while others write."""
    if thing.note:
        return None
    for each in meanwhile:
        each(thing)
    return jobs.Delete


def strange(thing: Thing) -> object:
    return {"n": thing.n}


def renamed(thing: Thing) -> Thing:
    return Thing(f"other-{thing.id}")


def too_large(thing: Thing) -> Thing:
    thing.note = "x" * 500_000
    return thing


def counted(item: Thing | Order) -> Thing | Order | None:
    """One more, once; slowly, so that there is time to be killed."""
    time.sleep(0.002)
    if isinstance(item, Order):
        if item.total:
            return None
        item.total += 1
        return item
    if item.note:
        return None
    item.n += 1
    item.note = "counted"
    return item


def deadly(thing: Thing) -> Thing | None:
    """It kills the process that it is called in, for one item."""
    if thing.id == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return None if thing.note else doubled(thing)


def slowly(thing: Thing) -> Thing | None:
    """It takes a while."""
    time.sleep(0.05)
    return doubled(thing)


#: What `current_session` gives, as a program's session that tests replace.
current: Any = None


def current_session() -> Any:
    return current


def visited(person: Person) -> Person:
    person.visits = 1
    return person


def raising(thing: Thing) -> Thing:
    raise KeyError("nothing of it")


#: As `current`, of other tables.
second: Any = None


def second_session() -> Any:
    return second


def renewed(person: Person) -> object:
    """A new address for two, one visit for one, and one is deleted."""
    if person.id == "3":
        return jobs.Delete
    if person.id == "2":
        return visited(person)
    return moved(person)


def interrupting(thing: Thing) -> Thing:
    """Takes its time, notes each call in a file, and sends Ctrl-C to the job with the first."""
    calls = Path(os.environ["CALLS"])
    with calls.open("a") as file:
        file.write(f"{thing.id}\n")
    if calls.stat().st_size == len(thing.id) + 1:
        os.kill(int(os.environ["PARENT"]), signal.SIGINT)
    time.sleep(0.02)
    thing.n += 1_000 * (thing.n < 1_000)
    return thing
