"""The photo service with PynamoDB, as it runs today."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import (
    BinaryAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.models import Model


class Size(MapAttribute):
    width = NumberAttribute()
    height = NumberAttribute()


class Photo(Model):
    class Meta:
        table_name = "photos"
        region = "us-east-1"

    owner = UnicodeAttribute(hash_key=True)
    taken = UTCDateTimeAttribute(range_key=True)
    title = UnicodeAttribute(null=True)
    thumbnail = BinaryAttribute(legacy_encoding=True)
    tags = UnicodeSetAttribute()
    size = Size(null=True)
    seen = UTCDateTimeAttribute(null=True)


def upload(owner: str, taken: datetime, thumbnail: bytes) -> None:
    size = Size(width=4000, height=3000)
    Photo(owner=owner, taken=taken, thumbnail=thumbnail, size=size).save()


def rename(owner: str, taken: datetime, title: str) -> None:
    photo = Photo.get(owner, taken)
    photo.title = title
    photo.save()


def tag(owner: str, taken: datetime, tag: str) -> None:
    Photo(owner, taken).update([Photo.tags.add({tag})])


def look(owner: str, taken: datetime, at: datetime) -> None:
    Photo(owner, taken).update([Photo.seen.set(at)])


def album(owner: str, since: datetime) -> list[tuple[object, ...]]:
    photos = Photo.query(owner, Photo.taken >= since)
    return [(p.taken, p.title, p.thumbnail, p.tags or set()) for p in photos]
