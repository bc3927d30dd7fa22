"""Pages in three tables, and a process that consumes their changes: it writes down what it has handled.

    python tests/consumed_pages.py '{"url": …, "credentials": …, "prefix": …, "file": …}'

It says "ready" when it begins, and ends in order on SIGTERM.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

import boto3

from dynattrs import Session, Table, model
from dynattrs.streams import Consumer

TABLES = [
    Table(f"shelf-{name}", partition_key="pk", sort_key="sk", stream="new and old")
    for name in "abc"
]


def declared(table: Table) -> Any:
    @model(table, pk="SHELF#{shelf}", sk="PAGE#{number:06d}")
    class Page:
        shelf: str
        number: int
        writing: int = 0

    return Page


MODELS = [declared(table) for table in TABLES]


def main(arguments: dict[str, Any]) -> None:
    client = boto3.client("dynamodb", endpoint_url=arguments["url"], **arguments["credentials"])
    out = os.open(arguments["file"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    process = os.getpid()

    def handle(change: Any) -> None:
        page = change.new
        os.write(out, f"{process} {page.shelf} {page.number} {page.writing}\n".encode())

    with Session(client=client, table_prefix=arguments["prefix"]) as session:
        consumer = Consumer(
            session, TABLES, name="pages", handler=handle, start="horizon",
            lease=timedelta(seconds=arguments["lease"]),
        )  # fmt: skip
        print("ready", flush=True)
        consumer.run()
    print("stopped", flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
