"""Models of one table whose items jobs copy and compare, and functions that change items on their way."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from dynattrs import Table, field, model

EARLY = datetime(2026, 1, 1, tzinfo=timezone.utc)

shop = Table("copied-shop", partition_key="pk", sort_key="sk", discriminator="type")


@model(shop, pk="PERSON#{id}", sk="PERSON")
class Person:
    """With a version, and a unique field."""

    id: str
    email: str = field(unique=True)
    tags: set[str] = field(factory=set)
    version: int | None = field(default=None, version=True)


def _with_state(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "state": item.get("state", {"S": "open"})}


@model(shop, pk="ORDER#{id}", sk="{number:010d}", upgrades=[_with_state])
class Order:
    """With the time of its last change, and older schemas."""

    id: str
    number: int
    state: str = "open"
    changed: datetime | None = field(default=None, updated=True)


@model(shop, pk="NOTE#{id}", sk="NOTE")
class Note:
    """With nothing that tells how new it is."""

    id: str
    text: str = ""


def shouting(item: dict[str, Any]) -> dict[str, Any] | None:
    """Notes louder, no order of number 3, persons of another address, and an error for note 4."""
    if item["type"]["S"] == "Note":
        if item["id"]["S"] == "4":
            raise ValueError("this note is not to be shouted")
        return {**item, "text": {"S": item.get("text", {"S": ""})["S"].upper()}}
    if item["type"]["S"] == "Order":
        return None if item["number"]["N"] == "3" else item
    return {**item, "email": {"S": item["email"]["S"].replace("@", "@new.")}}


def odd(item: dict[str, Any]) -> Any:
    """What is no item."""
    number = int(item["id"]["S"])
    return [7, {}, {**item, "pk": {"N": "1"}}, {**item, "text": "x"}, "item", [item]][number % 6]


def lower_keys(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "id": {"S": item["id"]["S"].lower()}}
