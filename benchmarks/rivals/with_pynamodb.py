"""PynamoDB: typed objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pynamodb.attributes import (
    BooleanAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.models import Model

from benchmarks.canned import ACCESS_KEY, REGION, SECRET_KEY
from benchmarks.rivals import composing
from benchmarks.shapes import ARTIST, CHANGED, Field, Shape, title

LABEL = "PynamoDB"
DISTRIBUTIONS = ("pynamodb", "botocore")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        meta = type(
            "Meta", (), {
                "table_name": table, "host": endpoint, "region": REGION,
                "aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY,
            },
        )  # fmt: skip
        namespace = {each.name: _column(each) for each in shape.fields}
        partition, sort = shape.key_names
        namespace |= {name: UnicodeAttribute() for name in shape.computed} | {
            partition: UnicodeAttribute(hash_key=True), sort: UnicodeAttribute(range_key=True),
            "Meta": meta, "__module__": __name__,
        }  # fmt: skip
        self.cls: Any = type("Song", (Model,), namespace)

    def make(self, number: int) -> Any:
        return self.cls(**self.shape.values(number))

    def composer(self) -> composing.Compose:
        """It has no templates for keys: the program makes them."""
        columns = self.cls.get_attributes()
        parts = {
            each.name: type(columns[each.name])
            if each.kind == "map"
            else columns[each.name].element_type
            for each in self.shape.fields
            if each.kind in ("map", "list")
        }
        return composing.objects(self.shape, self.cls, parts, computed=True)

    def read(self) -> list[Any]:
        return list(self.cls.query(ARTIST))

    def write(self, songs: Iterable[Any]) -> None:
        with self.cls.batch_write() as batch:
            for song in songs:
                batch.save(song)

    def get(self, number: int) -> Any:
        return self.cls.get(ARTIST, title(number))

    def put(self, song: Any) -> None:
        song.save()

    def update(self, song: Any) -> Any:
        song.update([getattr(self.cls, name).set(value) for name, value in CHANGED.items()])
        return song


_KINDS: dict[str, Any] = {
    "str": UnicodeAttribute, "int": NumberAttribute, "float": NumberAttribute,
    "bool": BooleanAttribute, "set": UnicodeSetAttribute,
}  # fmt: skip


def _column(field: Field) -> Any:
    if field.kind == "optional":
        return UnicodeAttribute(null=True)
    if field.kind in ("ints", "floats"):
        return ListAttribute(of=NumberAttribute)
    if field.kind not in ("map", "list"):
        return _KINDS[field.kind]()
    part = type(
        field.name.title(), (MapAttribute,), {each.name: _column(each) for each in field.parts}
    )
    return part() if field.kind == "map" else ListAttribute(of=part)
