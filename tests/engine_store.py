"""A table on an engine for a law: the session under test, and the client of another program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import boto3
import pytest

from dynattrs import Session


@attrs.frozen
class Store:
    """An empty table with its two writers.

    Attributes:
        client: Another program's.
        session: The library's.
        table: The table's name.
    """

    client: Any
    session: Session
    table: str

    def put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.table, Item=item)


def stores_of(declared: Any, *, prefix: str = "") -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Two fixtures of a module, on DynamoDB Local and on the embedded engine, with the table of a model
    or of a `Table`.
    """

    def stored_at(**arguments: Any) -> Iterator[Store]:
        client = boto3.client("dynamodb", region_name="us-east-1", **arguments)
        with Session(client=client, table_prefix=prefix) as session:
            session.tables.create(declared)
            yield Store(client, session, session.tables.describe(declared)["TableName"])
            session.tables.delete(declared)
        client.close()

    @pytest.fixture(scope="module")
    def store(dynamodb_local: str) -> Iterator[Store]:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        yield from stored_at(endpoint_url=dynamodb_local, **keys)

    @pytest.fixture(scope="module")
    def embedded_store(embedded: Any) -> Iterator[Store]:
        yield from stored_at(
            endpoint_url=embedded.endpoint_url,
            aws_access_key_id=embedded.access_key,
            aws_secret_access_key=embedded.secret_key,
        )

    return store, embedded_store
