"""awswrangler (AWS SDK for pandas): `read_items` and `put_items`, dicts with numbers as `Decimal`s.

It makes a client of boto3's for each call, which takes some tens of milliseconds, and asks for a table's
keys before it writes. It is asked for dicts, not for a data frame, and for no threads. What it has for one
item is the same two functions, a hundred times as slow as anything else here, so that is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import awswrangler
from boto3.dynamodb.conditions import Key

from benchmarks.rivals import composing, resource
from benchmarks.shapes import ARTIST, Shape

LABEL = "awswrangler (dicts)"
DISTRIBUTIONS = ("awswrangler", "boto3", "botocore", "pandas", "pyarrow")

#: So that it need not ask before each read.
_KEYS = [
    {"AttributeName": "artist", "KeyType": "HASH"}, {"AttributeName": "title", "KeyType": "RANGE"}
]  # fmt: skip


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        self.name = table
        awswrangler.config.dynamodb_endpoint_url = endpoint

    def make(self, number: int) -> Any:
        return resource.with_decimals(self.shape.values(number))

    def composer(self) -> composing.Compose:
        return composing.dicts(self.shape, decimals=True)

    def read(self) -> list[Any]:
        found: list[Any] = awswrangler.dynamodb.read_items(
            self.name, key_condition_expression=Key("artist").eq(ARTIST),
            key_schema=_KEYS, as_dataframe=False, use_threads=False,
        )  # fmt: skip
        return found

    def write(self, songs: Iterable[Any]) -> None:
        awswrangler.dynamodb.put_items(list(songs), self.name, use_threads=False)
