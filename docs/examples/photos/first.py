"""The photo service with dynattrs, beside the old one: it stores only what the old one knows."""

from __future__ import annotations

from datetime import datetime

import attrs

from dynattrs import Session, add, model, partition_key, pynamodb, set_, sort_key


@attrs.define
class Size:
    width: int
    height: int


# `upgrades=[]` lets this release refuse what a later one stores in new forms.
@model("photos", forms=pynamodb.forms, upgrades=[])
class Photo:
    owner: str = partition_key()
    taken: datetime = sort_key()
    thumbnail: bytes
    title: str | None = None
    tags: set[str] = attrs.field(factory=set)
    size: Size | None = None
    seen: datetime | None = None


@attrs.frozen
class Service:
    session: Session

    def upload(self, owner: str, taken: datetime, thumbnail: bytes) -> None:
        self.session.save(Photo(owner, taken, thumbnail, size=Size(4000, 3000)))

    def rename(self, owner: str, taken: datetime, title: str) -> None:
        self.session.update(Photo, (owner, taken), set_(Photo.title, title))

    def tag(self, owner: str, taken: datetime, tag: str) -> None:
        self.session.update(Photo, (owner, taken), add(Photo.tags, {tag}))

    def look(self, owner: str, taken: datetime, at: datetime) -> None:
        self.session.update(Photo, (owner, taken), set_(Photo.seen, at))

    def album(
        self, owner: str, since: datetime
    ) -> list[tuple[datetime, str | None, bytes, set[str]]]:
        photos = self.session.query(Photo).where(Photo.owner == owner, Photo.taken >= since)
        return [(each.taken, each.title, each.thumbnail, each.tags) for each in photos]
