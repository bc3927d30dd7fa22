"""The photo service with forms of its own. The key keeps its form: keys never change."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any

import attrs

from dynattrs import Session, add, field, model, partition_key, pynamodb, set_, sort_key


def own_forms(item: dict[str, Any]) -> None:
    """Version 2 has bytes as they are, and datetimes with Z."""
    item["thumbnail"] = base64.b64decode(item["thumbnail"])
    for name in ("seen", "changed"):
        if name in item:
            item[name] = item[name].replace("+0000", "Z")


@attrs.define
class Size:
    width: int
    height: int


@model("photos", upgrades=[own_forms])
class Photo:
    owner: str = partition_key()
    taken: Annotated[datetime, pynamodb.UTCDateTime] = sort_key()
    thumbnail: bytes
    title: str | None = None
    tags: set[str] = attrs.field(factory=set)
    size: Size | None = None
    seen: datetime | None = None
    likes: int = 0
    changed: datetime | None = field(updated=True, default=None)
    version: int = field(version=True)


@attrs.frozen
class Service:
    session: Session

    def upload(self, owner: str, taken: datetime, thumbnail: bytes) -> None:
        self.session.save(Photo(owner, taken, thumbnail, size=Size(4000, 3000)))

    def rename(self, owner: str, taken: datetime, title: str) -> None:
        with self.session.edit(self.session.get_one(Photo, (owner, taken))) as photo:
            photo.title = title

    def tag(self, owner: str, taken: datetime, tag: str) -> None:
        self.session.update(Photo, (owner, taken), add(Photo.tags, {tag}))

    def look(self, owner: str, taken: datetime, at: datetime) -> None:
        self.session.update(Photo, (owner, taken), set_(Photo.seen, at))

    def like(self, owner: str, taken: datetime) -> None:
        self.session.update(Photo, (owner, taken), add(Photo.likes, 1))

    def album(
        self, owner: str, since: datetime
    ) -> list[tuple[datetime, str | None, bytes, set[str]]]:
        photos = self.session.query(Photo).where(Photo.owner == owner, Photo.taken >= since)
        return [(each.taken, each.title, each.thumbnail, each.tags) for each in photos]
