"""pydynox's batch writer, given dicts that are ready: no model takes part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydynox import DynamoDBClient, SyncBatchWriter

from benchmarks.canned import ACCESS_KEY, REGION, SECRET_KEY
from benchmarks.rivals import composing
from benchmarks.shapes import Shape

LABEL = "pydynox (Rust), from dicts"
DISTRIBUTIONS = ("pydynox",)


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        self.name = table
        self.client = DynamoDBClient(
            region=REGION, access_key=ACCESS_KEY, secret_key=SECRET_KEY, endpoint_url=endpoint
        )

    def make(self, number: int) -> Any:
        return self.shape.values(number)

    def composer(self) -> composing.Compose:
        return composing.dicts(self.shape)

    def write(self, songs: Iterable[Any]) -> None:
        with SyncBatchWriter(self.client, self.name) as batch:
            for song in songs:
                batch.put(song)
