"""Models of PynamoDB 6 with what is seldom, for its translation."""

from __future__ import annotations

import enum
from datetime import datetime, timezone
from typing import Any, NamedTuple

import pynamodb_attributes as more
from pynamodb.attributes import (
    Attribute,
    BinaryAttribute,
    BinarySetAttribute,
    DiscriminatorAttribute,
    DynamicMapAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import (
    GlobalSecondaryIndex,
    IncludeProjection,
    KeysOnlyProjection,
    LocalSecondaryIndex,
)
from pynamodb.models import Model


class Mood(enum.Enum):
    GOOD = "good"
    OTHER = "other"


class Point(NamedTuple):
    x: int
    y: int


class Upper(UnicodeAttribute):
    """Stored in a form of its own."""

    def serialize(self, value: Any) -> Any:
        return value.upper()


class Renamed(UnicodeAttribute):
    """Stored as its base is."""


class Money(Attribute[int]):
    attr_type = "N"


def now() -> datetime:
    return datetime.now(timezone.utc)


class Loose(DynamicMapAttribute):
    at = UTCDateTimeAttribute(null=True)


class Base(MapAttribute):
    kind = DiscriminatorAttribute(attr_name="k")


class Leaf(Base, discriminator="leaf"):
    name = UnicodeAttribute()


class Tree(Base, discriminator="tree"):
    leaves = ListAttribute(of=Leaf)


Leaf.kind.register_class(Leaf, "blade")


class Holder(MapAttribute):
    data = BinaryAttribute(legacy_encoding=False)


class ByOwner(LocalSecondaryIndex):
    class Meta:
        index_name = "by-made"
        projection = KeysOnlyProjection()

    owner = UnicodeAttribute(hash_key=True)
    made = UTCDateTimeAttribute(range_key=True)


class BySize(GlobalSecondaryIndex):
    class Meta:
        projection = IncludeProjection(["n"])

    size = NumberAttribute(hash_key=True)


class Odd(Model):
    class Meta:
        table_name = "odd-things"

    owner = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True, attr_name="n")
    by_owner = ByOwner()
    by_size = BySize()
    size = NumberAttribute(default=5)
    made = UTCDateTimeAttribute(default=now)
    seen = UTCDateTimeAttribute(default=lambda: datetime.now(timezone.utc))
    fresh = UnicodeAttribute(default_for_new="new")
    shout = Upper()
    renamed = Renamed(null=True)
    money = Money(null=True)
    loose = Loose(null=True)
    base = Base(null=True)
    tags = UnicodeSetAttribute()
    old = BinaryAttribute(legacy_encoding=True, null=True)
    olds = BinarySetAttribute(legacy_encoding=True)
    raw = BinaryAttribute(legacy_encoding=False, null=True)
    holder = Holder(null=True)
    blobs = ListAttribute(of=BinaryAttribute, null=True)
    plain = MapAttribute(default=dict)
    map = MapAttribute(default=lambda: {"a": 1})
    mood = more.UnicodeEnumAttribute(Mood, unknown_value=Mood.OTHER, null=True)
    point = more.UnicodeDelimitedTupleAttribute(Point, delimiter="/", null=True)
    iso = more.UnicodeDatetimeAttribute(force_utc=True, fmt="%Y-%m-%dT%H:%M:%S", null=True)
    expires = TTLAttribute(default=lambda: datetime(2030, 1, 1, tzinfo=timezone.utc))


class Vehicle(Model):
    class Meta:
        table_name = "vehicles"

    id = UnicodeAttribute(hash_key=True)
    type = DiscriminatorAttribute(attr_name="t")
    wheels = NumberAttribute(default=4)


class Car(Vehicle, discriminator="car"):
    doors = NumberAttribute(default=4)


class Van(Car, discriminator="van"):
    load = NumberAttribute(null=True)


Car.type.register_class(Car, "auto")
