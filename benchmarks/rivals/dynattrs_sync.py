"""dynattrs: `Session`, typed objects."""

from __future__ import annotations

from typing import Any

from benchmarks.canned import REGION
from benchmarks.rivals.plain_attrs import body, made
from benchmarks.shapes import ARTIST, CHANGED, Shape, title
from dynattrs import Session, model, partition_key, set_, sort_key

LABEL = "dynattrs"
DISTRIBUTIONS = ("dynattrs", "attrs", "cattrs", "msgspec", "boto3", "botocore", "urllib3")


class Songs:
    def __init__(self, endpoint: str, table: str, shape: Shape, **options: Any) -> None:
        self.shape = shape
        self.session = Session(endpoint_url=endpoint, region_name=REGION, **options)
        self.cls = declared(table, shape)
        cls = self.cls
        self._changes = [set_(getattr(cls, name), value) for name, value in CHANGED.items()]
        self._query = self.session.query(cls).where(cls.artist == ARTIST)

    def make(self, number: int) -> Any:
        return made(self.cls, self.shape.fields, self.shape.values(number))

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


def declared(table: str, shape: Shape) -> Any:
    """A model, as a `class` statement would make it."""
    namespace = body(shape.fields) | {"artist": partition_key(), "title": sort_key()}
    return model(table)(type("Song", (), namespace))
