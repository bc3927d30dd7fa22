"""dynattrs: `Session`, typed objects."""

from __future__ import annotations

from typing import Any

from benchmarks.canned import REGION
from benchmarks.rivals.composing import Compose
from benchmarks.rivals.plain_attrs import body, composer, made
from benchmarks.shapes import ARTIST, CHANGED, Shape, title
from dynattrs import GlobalIndex, Session, Table, model, partition_key, set_, sort_key

LABEL = "dynattrs"
DISTRIBUTIONS = ("dynattrs", "attrs", "cattrs", "msgspec", "boto3", "botocore", "urllib3")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape, **options: Any) -> None:
        self.shape = shape
        self.session = Session(endpoint_url=endpoint, region_name=REGION, **options)
        self.cls = declared(table, shape)
        cls = self.cls
        self._changes = changes(cls, shape)
        self._query = self.session.query(cls).where(cls.artist == ARTIST)

    def make(self, number: int) -> Any:
        return made(self.cls, self.shape.fields, self.shape.values(number))

    def composer(self) -> Compose:
        return composer(self.cls, self.shape)

    def read(self) -> list[Any]:
        return self._query.all()

    def write(self, songs: list[Any]) -> None:
        self.session.save_all(songs)

    def get(self, number: int) -> Any:
        return self.session.get(self.cls, (ARTIST, title(number)))

    def put(self, song: Any) -> None:
        self.session.save(song)

    def update(self, song: Any) -> Any:
        return self.session.update(self.cls, (song.artist, song.title), *self._changes)

    def scan(self, segments: int) -> tuple[int, int]:
        """Read to the end, keep nothing; how many there were, and how often they were played."""
        found = self.session.scan(self.cls)
        found = found.parallel(segments) if segments > 1 else found
        count = plays = 0
        for song in found:
            count += 1
            plays += song.plays
        return count, plays


def changes(cls: Any, shape: Shape) -> list[Any]:
    """What an update does, where the shape has such fields."""
    names = {each.name for each in shape.fields}
    return [set_(getattr(cls, name), value) for name, value in CHANGED.items() if name in names]


def declared(table: str, shape: Shape) -> Any:
    """A model, as a `class` statement would make it; with key templates where the shape has some."""
    if shape.computed:
        index = GlobalIndex("gsi1", partition_key="gsi1pk", sort_key="gsi1sk")
        app = Table(table, partition_key="pk", sort_key="sk", indexes=[index])
        return model(app, **shape.computed)(type("Song", (), body(shape.fields)))
    namespace = body(shape.fields) | {"artist": partition_key(), "title": sort_key()}
    return model(table)(type("Song", (), namespace))
