"""Three models, and what is stored of them in plain Python: dicts of values, by key.

It shares no code with the library. All items of one test have one partition key, its box.
"""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import attrs

from dynattrs import field, model, partition_key, sort_key

Key = tuple[str, str]
State = dict[str, Any] | None
World = dict[Key, State]


@model("letters")
class Letter:
    """Its names are one in capital letters and in small ones."""

    box: str = partition_key()
    name: str = sort_key(converter=str.lower)
    text: str = ""


@model("papers")
class Paper:
    box: str = partition_key()
    name: str = sort_key()
    text: str = ""
    version: int = field(version=True)


@model("meters")
class Meter:
    box: str = partition_key()
    name: str = sort_key()
    count: int = 0
    tags: set[str] = attrs.field(factory=set)
    log: list[str] = attrs.field(factory=list)


MODELS = (Letter, Paper, Meter)


def plain(item: dict[str, Any]) -> State:
    """An attribute map as plain values."""
    return {name: _plain(value) for name, value in item.items() if name not in ("box", "name")}


def _plain(value: dict[str, Any]) -> Any:
    ((tag, payload),) = value.items()
    if tag == "N":
        return int(Decimal(payload))
    if tag == "SS":
        return frozenset(payload)
    return [_plain(each) for each in payload] if tag == "L" else payload


def stored(client: Any, prefix: str, box: str) -> World:
    """All that a box holds, by the kind of thing and its name."""
    world: World = {}
    for cls in MODELS:
        kind = cls.__name__.lower() + "s"
        pages = client.get_paginator("query").paginate(
            TableName=prefix + kind,
            ConsistentRead=True,
            KeyConditionExpression="box = :box",
            ExpressionAttributeValues={":box": {"S": box}},
        )
        for item in itertools.chain.from_iterable(page["Items"] for page in pages):
            world[kind, item["name"]["S"]] = plain(item)
    return world


def of(obj: Any) -> State:
    """An object as plain values. An empty set is not stored."""
    if isinstance(obj, Letter):
        return {"text": obj.text}
    if isinstance(obj, Paper):
        return {"text": obj.text, "version": obj.version}
    assert isinstance(obj, Meter)
    state: dict[str, Any] = {"count": obj.count, "log": list(obj.log)}
    return state | ({"tags": frozenset(obj.tags)} if obj.tags else {})


def key_of(obj: Any) -> Key:
    return type(obj).__name__.lower() + "s", obj.name
