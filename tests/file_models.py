"""Models whose items go through files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any

from dynattrs import Table, field, model, partition_key
from dynattrs.s3 import InS3, Large
from dynattrs.schema.model_info import model_info


@model("files-things")
class Thing:
    id: str = partition_key()
    number: int = 0
    version: int = field(version=True, default=0)


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


@model("files-stamped")
class Stamped:
    id: str = partition_key()
    number: int = 0
    version: int = field(version=True, default=0)
    created: dt.datetime = field(created=True, factory=now)
    updated: dt.datetime = field(updated=True, factory=now)


# --- Three models of one table ----------------------------------------------------------------------

app = Table("files-app", partition_key="pk", sort_key="sk", discriminator="kind")


@model(app, pk="USER#{id}", sk="USER")
class User:
    id: str
    email: str | None = field(unique=True, default=None)


@model(app, pk="USER#{user}", sk="ORDER#{number:08d}")
class Order:
    user: str
    number: int
    tags: set[str] = field(factory=set)
    version: int = field(version=True, default=0)


def with_text(item: dict[str, Any]) -> None:
    item["text"] = item.pop("body", "")


@model(app, pk="NOTE#{id}", sk="NOTE", upgrades=[with_text])
class Note:
    id: str
    text: str = ""
    seen: bool = False


def items(count: int) -> Iterator[dict[str, Any]]:
    """So many items of these models, in DynamoDB JSON: guards, versions, old schemas, unknown attributes."""
    user, order, note = (model_info(each).mapper.dump for each in (User, Order, Note))
    for number in range(count):
        kind = number % 4
        if kind == 0:
            yield user(User(f"u{number}", f"{number}@example.com"))
        elif kind == 1:
            # The guard of the one before.
            key = {"pk": {"S": f"USER#u{number - 1}"}, "sk": {"S": "USER"}}
            text = f'dynattrs.unique User.email [["S","{number - 1}@example.com"]]'
            yield {
                "pk": {"S": text},
                "sk": {"S": "dynattrs.unique"},
                "dynattrs.unique": {"S": "User.email"},
                "dynattrs.owner": {"M": key},
            }
        elif kind == 2:
            item = order(Order(f"u{number % 97}", number, {"a", f"b{number % 5}"}, number % 9))
            yield {**item, "unknown": {"L": [{"B": b"\xff"}, {"NULL": True}]}}
        else:
            item = note(Note(f"n{number}", f"text {number}", number % 8 == 3))
            if number % 3 == 0:  # of the first schema
                item.pop("schema_version")
                item["body"] = item.pop("text")
            yield item


@model("files-timed")
class Timed:
    id: str = partition_key()
    at: dt.time | None = None
    some: list[dt.time] | None = None


@model("files-documents")
class Document:
    id: str = partition_key()
    body: Annotated[Large[str] | None, InS3("bucket", above=20)] = None
    data: Annotated[Large[bytes] | None, InS3("bucket", above=20)] = None


@model("files-owned")
class Owned:
    """Its items go with guards, by requests of their own."""

    id: str = partition_key()
    owner: str = field(unique=True)
    body: Annotated[Large[str] | None, InS3("bucket", above=20)] = None
