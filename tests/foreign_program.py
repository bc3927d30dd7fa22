"""A program that writes the same items through boto3, in spellings of its own; and what is stored.

It shares no code with the library. What is stored is kept as plain values by the very text of each key:
an item is never another item because its key can be read as the same value.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import attrs

from dynattrs import GlobalIndex, Table, field, model, partition_key, sort_key

APP = Table(
    "program_app",
    partition_key="pk",
    sort_key="sk",
    indexes=[GlobalIndex("by-state", partition_key="gpk", sort_key="gsk")],
    discriminator="type",
)
#: Both have one key, so that only the discriminator tells their items apart.
KEYS = {"pk": "{box}#{who}", "sk": "{at}", "gpk": "{box}#{state}", "gsk": "{state}#{since}"}


@model("program_visits")
class Visit:
    who: str = partition_key(converter=str.lower)
    at: datetime = sort_key()
    box: str = ""
    state: str = "new"
    since: datetime | None = None
    rate: float = 0.0
    seen: int = 3  # newer than some items
    version: int = field(version=True)


@model(APP, **KEYS)
class Note:
    who: str
    at: datetime
    box: str = ""
    state: str = "new"
    since: datetime | None = None
    rate: float = 0.0
    seen: int = 3


@model(APP, **KEYS)
class Task:
    who: str
    at: datetime
    box: str = ""
    state: str = "new"
    since: datetime | None = None
    rate: float = 0.0
    seen: int = 3
    version: int = field(version=True)


MODELS: tuple[Any, ...] = (Visit, Note, Task)
#: The fields that programs change, besides the key and the version.
FIELDS = ("state", "since", "rate", "seen")

START = datetime(2026, 11, 23, 12, 30, tzinfo=timezone.utc)
INSTANTS = (START, START + timedelta(seconds=1), START + timedelta(microseconds=1500))
#: How other programs write an instant; the first is how the library does.
FORMS = ("usual", "short", "offset", "elsewhere")


class Place(NamedTuple):
    """Where an item is: its table, and its key as it is stored."""

    table: str
    who: str
    at: str


@attrs.define
class State:
    """What is stored of an item.

    Attributes:
        model: The class that it is of.
        fields: The values of its fields.
        version: Its version; None if it has none.
        extra: An attribute that the class does not know.
    """

    model: Any
    fields: dict[str, Any]
    version: int | None = None
    extra: str | None = None


def spelled(at: datetime, form: str) -> str:
    text = at.strftime("%Y-%m-%dT%H:%M:%S.%f")
    if form == "usual":
        return text + "Z"
    if form == "short":
        return text.rstrip("0").rstrip(".") + "Z"
    if form == "offset":
        return text + "+0000"
    return (at + timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S.%f") + "+02:00"


def instant(text: str) -> datetime:
    """The instant that one of the forms means."""
    shift = timedelta()
    for end, hours in (("Z", 0), ("+0000", 0), ("+02:00", 2)):
        if text.endswith(end):
            text, shift = text.removesuffix(end), timedelta(hours=hours)
            break
    day, clock = text.replace(" ", "T").split("T")
    whole, _, fraction = clock.partition(".")
    found = datetime.strptime(f"{day}T{whole}", "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return found + timedelta(microseconds=int(fraction.ljust(6, "0") or 0)) - shift


NAMES = {Visit: ("who", "at"), Note: ("pk", "sk"), Task: ("pk", "sk")}


def usual_place(cls: Any, box: str, who: str, at: datetime) -> Place:
    """Where the library puts an item with these values."""
    return foreign_place(cls, box, who, at, "usual", False)


def foreign_place(cls: Any, box: str, who: str, at: datetime, form: str, capitals: bool) -> Place:
    text = f"{box}#{who}"
    text = text.upper() if capitals else text
    return Place("visits" if cls is Visit else "app", text, spelled(at, form))


def key_at(place: Place) -> dict[str, Any]:
    names = ("who", "at") if place.table == "visits" else ("pk", "sk")
    return dict(zip(names, ({"S": place.who}, {"S": place.at}), strict=True))


def stored_value(name: str, value: Any, form: str) -> dict[str, Any]:
    """A value of a field, in one of the forms."""
    odd = form != "usual"
    if name == "since":
        return {"NULL": True} if value is None else {"S": spelled(value, form)}
    if name == "rate":
        # More digits than a float has.
        return {"N": format(Decimal(value), "f")[:36] if odd else repr(value)}
    if name in ("seen", "version"):
        return {"N": f"{value}.0" if odd else f"{value}"}
    return {"S": value}


def foreign_item(
    place: Place, box: str, who: str, at: datetime, state: State, form: str, absent: set[str]
) -> dict[str, Any]:
    """An item as another program stores it, without some attributes: old ones lack them."""
    item = {**key_at(place), "box": {"S": box}}
    if place.table == "app":
        item["type"] = {"S": state.model.__name__}
        item["who"], item["at"] = {"S": who}, {"S": spelled(at, form)}
    for name, value in state.fields.items():
        if name not in absent:
            item[name] = stored_value(name, value, form)
    if state.version is not None:
        item["version"] = stored_value("version", state.version, form)
    if state.extra is not None:
        item["extra"] = {"S": state.extra}
    return item


def read(item: dict[str, Any]) -> State:
    """What an item says."""
    kinds = {"Note": Note, "Task": Task}
    cls = kinds[item["type"]["S"]] if "type" in item else Visit
    since = item.get("since", {"NULL": True})
    fields = {
        "state": item.get("state", {"S": "new"})["S"],
        "since": None if "NULL" in since else instant(since["S"]),
        "rate": float(item.get("rate", {"N": "0"})["N"]),
        "seen": int(Decimal(item.get("seen", {"N": "3"})["N"])),
    }
    version = int(Decimal(item["version"]["N"])) if "version" in item else None
    return State(cls, fields, version, item.get("extra", {}).get("S"))


def stored(client: Any, prefix: str, box: str) -> dict[Place, State]:
    """What is stored in a box."""
    found = {}
    for table, name in (("visits", "program_visits"), ("app", "program_app")):
        names = ("who", "at") if table == "visits" else ("pk", "sk")
        for page in client.get_paginator("scan").paginate(TableName=prefix + name):
            for item in page["Items"]:
                texts = [item[each]["S"] for each in names]
                if texts[0].lower().startswith(box):
                    found[Place(table, *texts)] = read(item)
    return found
