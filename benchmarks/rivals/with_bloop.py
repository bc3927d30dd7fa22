"""bloop: typed objects. It reads one object with BatchGetItem, writes each with an UpdateItem, and has no
batches of writes.
"""

from __future__ import annotations

from typing import Any

import boto3
from bloop import BaseModel, Boolean, Column, Engine, Integer, List, Map, Number, Set, String

from benchmarks.canned import REGION
from benchmarks.shapes import ARTIST, CHANGED, Field, Shape, title

LABEL = "bloop"
DISTRIBUTIONS = ("bloop", "boto3", "botocore")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        namespace: dict[str, Any] = {each.name: Column(_column(each)) for each in shape.fields}
        meta = type("Meta", (), {"table_name": table})
        namespace |= {
            "artist": Column(String, hash_key=True), "title": Column(String, range_key=True),
            "Meta": meta, "__module__": __name__,
        }  # fmt: skip
        self.cls: Any = type("Song", (BaseModel,), namespace)
        options: Any = {"endpoint_url": endpoint, "region_name": REGION}
        self.engine = Engine(
            dynamodb=boto3.client("dynamodb", **options),
            dynamodbstreams=boto3.client("dynamodbstreams", **options),
        )
        self.engine.bind(self.cls, skip_table_setup=True)
        self._condition = self.cls.artist == ARTIST

    def make(self, number: int) -> Any:
        return self.cls(**self.shape.values(number))

    def make_for_update(self, number: int) -> Any:
        return self.get(number)

    def read(self) -> list[Any]:
        return list(self.engine.query(self.cls, key=self._condition))

    def get(self, number: int) -> Any:
        song = self.cls(artist=ARTIST, title=title(number))
        self.engine.load(song)
        return song

    def put(self, song: Any) -> None:
        self.engine.save(song)

    def update(self, song: Any) -> Any:
        for name, value in CHANGED.items():
            setattr(song, name, value)
        self.engine.save(song)
        return song


_KINDS: dict[str, Any] = {
    "str": String, "optional": String, "int": Integer, "float": Number, "bool": Boolean,
}  # fmt: skip


def _column(field: Field) -> Any:
    if field.kind == "set":
        return Set(String)
    if field.kind in ("ints", "floats"):
        return List(Integer if field.kind == "ints" else Number)
    if field.kind in ("map", "list"):
        part = Map(**{each.name: _column(each) for each in field.parts})
        return part if field.kind == "map" else List(part)
    return _KINDS[field.kind]
