"""Dyntastic: pydantic models over boto3's resource. Floats cannot be saved, so they are declared as
`Decimal`. Its updates return nothing unless they read the item again, which they are asked not to.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pydantic
from dyntastic import A, Dyntastic

from benchmarks.canned import REGION
from benchmarks.rivals import composing
from benchmarks.shapes import ARTIST, CHANGED, Field, Shape, title

LABEL = "Dyntastic"
DISTRIBUTIONS = ("dyntastic", "pydantic", "boto3")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        namespace: dict[str, Any] = {
            "__table_name__": table, "__table_host__": endpoint, "__table_region__": REGION,
            "__hash_key__": shape.key_names[0], "__range_key__": shape.key_names[1],
            "__module__": __name__,
            "__annotations__": {each.name: _annotation(each) for each in shape.fields}
            | dict.fromkeys(shape.computed, str),
        }  # fmt: skip
        namespace.update({each.name: None for each in shape.fields if each.kind == "optional"})
        self.cls: Any = type("Song", (Dyntastic,), namespace)

    def make(self, number: int) -> Any:
        return self.cls(**self.shape.values(number))

    def composer(self) -> composing.Compose:
        """It has no templates for keys: the program makes them."""
        types = {name: each.annotation for name, each in self.cls.model_fields.items()}
        parts = {
            each.name: types[each.name] if each.kind == "map" else types[each.name].__args__[0]
            for each in self.shape.fields
            if each.kind in ("map", "list")
        }
        return composing.objects(self.shape, self.cls, parts, computed=True)

    def read(self) -> list[Any]:
        return list(self.cls.query(ARTIST))

    def write(self, songs: Iterable[Any]) -> None:
        with self.cls.batch_writer():
            for song in songs:
                song.save()

    def get(self, number: int) -> Any:
        return self.cls.get(ARTIST, title(number))

    def put(self, song: Any) -> None:
        song.save()

    def update(self, song: Any) -> None:
        changes = [getattr(A, name).set(value) for name, value in CHANGED.items()]
        song.update(*changes, refresh=False)


_TYPES: dict[str, Any] = {
    "str": str, "int": int, "float": Decimal, "bool": bool, "set": set[str], "optional": str | None,
    "ints": list[int], "floats": list[Decimal],
}  # fmt: skip


def _annotation(field: Field) -> Any:
    if field.kind not in ("map", "list"):
        return _TYPES[field.kind]
    types: Any = {each.name: (_annotation(each), ...) for each in field.parts}
    part: Any = pydantic.create_model(field.name.title(), **types)
    return part if field.kind == "map" else list[part]
