"""Rivals for the benchmarks that are quick because they do something else than they should."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.rivals import client

LABEL = "wrong answers"
DISTRIBUTIONS = ("boto3",)


class Songs(client.Songs):
    """It makes up what it gets, forgets what it reads, and stores something else."""

    def get(self, number: int) -> Any:
        found = super().get(0)
        found["title"] = self.shape.item(number)["title"]
        return found

    def read(self) -> list[Any]:
        reply = self.client.query(
            TableName=self.name,
            KeyConditionExpression="artist = :artist",
            ExpressionAttributeValues={":artist": {"S": "Nina Simone"}},
        )
        found: list[Any] = reply["Items"]
        return found

    def put(self, song: Any) -> None:
        super().put({**song, "plays": {"N": "0"}})

    def write(self, songs: Iterable[Any]) -> None:
        super().write(list(songs)[:-1])

    def update(self, song: Any) -> Any:
        return self.shape.item(0) | {"plays": {"N": "123"}, "genre": {"S": "soul"}}
