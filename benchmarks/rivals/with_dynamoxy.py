"""dynamoxy, whose core is written in Rust, asyncio only: typed objects. Keys are made by its templates.
Single writes carry one more attribute, `_wid`, by which a retried one is known.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

import dynamoxy
from dynamoxy import Attr, field, partition_key, sort_key

from benchmarks.canned import ACCESS_KEY, REGION, SECRET_KEY
from benchmarks.rivals import composing
from benchmarks.shapes import ARTIST, CHANGED, Field, Shape, title

LABEL = "dynamoxy (Rust), asyncio"
DISTRIBUTIONS = ("dynamoxy",)
LENIENT = {"ignored": ["_wid"]}


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        self._endpoint = endpoint
        self._parts: dict[str, Any] = {
            each.name: _declared(each.name.title(), dynamoxy.Document, each.parts, {})
            for each in shape.fields
            if each.kind in ("map", "list")
        }
        self.cls: Any = self._model(table)
        self._changes = [
            getattr(self.cls, each.name).set(CHANGED[each.name])
            for each in shape.fields
            if each.name in CHANGED
        ]

    def _model(self, table: str) -> Any:
        partition, sort = self.shape.key_names
        templates = self.shape.computed
        special = {name: field(template=text) for name, text in templates.items()}
        special[partition] = partition_key(**_template(templates.get(partition)))
        special[sort] = sort_key(**_template(templates.get(sort)))
        special |= {
            each.name: field(default=None) for each in self.shape.fields if each.kind == "optional"
        }
        if templates:
            special["gsi1"] = dynamoxy.GlobalIndex(
                "gsi1", partition_key=special["gsi1pk"], sort_key=special["gsi1sk"]
            )
        computed = tuple(Field(name, "str") for name in templates)
        return _declared(
            "Song",
            dynamoxy.Model,
            (*computed, *self.shape.fields),
            special,
            self._parts,
            table=table,
        )

    async def start(self) -> None:
        self.client = dynamoxy.Client(
            region=REGION, endpoint_url=self._endpoint,
            credentials=dynamoxy.Credentials(ACCESS_KEY, SECRET_KEY),
        )  # fmt: skip
        self.songs = self.client.repository(self.cls)

    async def stop(self) -> None:
        await self.client.close()

    def make(self, number: int) -> Any:
        return self.composer()(self.shape.values(number))

    def composer(self) -> composing.Compose:
        return composing.objects(self.shape, self.cls, self._parts)

    async def read(self) -> list[Any]:
        found: list[Any] = await self.songs.query(artist=ARTIST).all()
        return found

    async def write(self, songs: Iterable[Any]) -> None:
        await self.songs.batch_put(songs)

    async def get(self, number: int) -> Any:
        return await self.songs.get(ARTIST, title(number))

    async def put(self, song: Any) -> None:
        await self.songs.put(song)

    async def update(self, song: Any) -> Any:
        return await self.songs.update(self.cls.key(song.artist, song.title), *self._changes)


_TYPES: dict[str, Any] = {
    "str": str, "int": int, "float": float, "bool": bool, "set": set[str], "optional": str | None,
    "ints": list[int], "floats": list[float],
}  # fmt: skip


def _template(text: str | None) -> dict[str, str]:
    return {} if text is None else {"template": text}


def _declared(
    name: str,
    base: Any,
    fields: tuple[Field, ...],
    special: dict[str, Any],
    parts: dict[str, Any] | None = None,
    **keywords: Any,
) -> Any:
    """A class, as a `class` statement would make it."""
    annotations = {}
    for each in fields:
        kind = _TYPES.get(each.kind)
        if kind is None:
            part = (parts or {})[each.name]
            kind = part if each.kind == "map" else list[part]
        annotations[each.name] = Attr[kind]
    namespace = {"__annotations__": annotations, "__module__": __name__, **special}
    return types.new_class(name, (base,), keywords, lambda body: body.update(namespace))
