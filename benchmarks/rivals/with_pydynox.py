"""pydynox, whose core is written in Rust: typed objects. Its batch writer takes dicts, which its models
make. Its updates return nothing, and its models store sets as lists. Keys are made by its templates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from pydynox import DynamoDBClient, Model, ModelConfig, SyncBatchWriter
from pydynox.attributes import (
    BooleanAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    StringAttribute,
    StringSetAttribute,
)
from pydynox.indexes import GlobalSecondaryIndex

from benchmarks.canned import ACCESS_KEY, REGION, SECRET_KEY
from benchmarks.rivals import composing
from benchmarks.shapes import ARTIST, CHANGED, Field, Shape, title

# It writes a line for each call that takes more than a tenth of a second.
logging.getLogger("pydynox").setLevel(logging.ERROR)

LABEL = "pydynox (Rust)"
DISTRIBUTIONS = ("pydynox",)
LENIENT = {"sets_as_lists": True}


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        self.shape = shape
        self.name = table
        self.client = DynamoDBClient(
            region=REGION, access_key=ACCESS_KEY, secret_key=SECRET_KEY, endpoint_url=endpoint
        )
        namespace = {each.name: _column(each) for each in shape.fields}
        partition, sort = shape.key_names
        computed = shape.computed
        namespace |= {
            partition: StringAttribute(partition_key=True, template=computed.get(partition)),
            sort: StringAttribute(sort_key=True, template=computed.get(sort)),
            "model_config": ModelConfig(table=table, client=self.client), "__module__": __name__,
        }  # fmt: skip
        if computed:
            index = ("gsi1pk", "gsi1sk")
            namespace |= {name: StringAttribute(template=computed[name]) for name in index}
            namespace["gsi1"] = GlobalSecondaryIndex(
                index_name="gsi1", partition_key=index[0], sort_key=index[1]
            )
        self.cls: Any = type("Song", (Model,), namespace)

    def make(self, number: int) -> Any:
        return self.cls(**self.shape.values(number))

    def composer(self) -> composing.Compose:
        return composing.objects(self.shape, self.cls, {})

    def read(self) -> list[Any]:
        return list(self.cls.sync_query(partition_key=ARTIST))

    def write(self, songs: Iterable[Any]) -> None:
        with SyncBatchWriter(self.client, self.name) as batch:
            for song in songs:
                batch.put(song.to_dict())

    def get(self, number: int) -> Any:
        return self.cls.sync_get(artist=ARTIST, title=title(number))

    def put(self, song: Any) -> None:
        song.sync_save()

    def update(self, song: Any) -> None:
        self.cls.sync_update_by_key(artist=song.artist, title=song.title, **CHANGED)


_KINDS: dict[str, Any] = {
    "str": StringAttribute, "optional": StringAttribute, "int": NumberAttribute,
    "float": NumberAttribute, "bool": BooleanAttribute, "set": StringSetAttribute,
    "map": MapAttribute, "list": ListAttribute, "ints": ListAttribute, "floats": ListAttribute,
}  # fmt: skip


def _column(field: Field) -> Any:
    return _KINDS[field.kind]()
