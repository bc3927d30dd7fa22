"""Models of PynamoDB 5 and 6 whose names meet, in one module or with what a translation calls its own."""

from __future__ import annotations

import enum
from typing import Any

import clashing_parts
from pynamodb.attributes import (
    DynamicMapAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    NumberSetAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb_attributes import UnicodeEnumAttribute


class Kind(enum.Enum):
    OWN = "own"


def made() -> str:
    return "here"


class Json(MapAttribute):
    number = NumberAttribute()


class Cents(UnicodeAttribute):
    def serialize(self, value: Any) -> str:
        return str(value * 100)


class Shown(UnicodeAttribute):
    def __get__(self, instance: Any, owner: Any) -> Any:
        found = super().__get__(instance, owner)
        return found.upper() if isinstance(found, str) else found


class Open(DynamicMapAttribute):
    at = UTCDateTimeAttribute(null=True)


class ByDay(GlobalSecondaryIndex):
    class Meta:
        index_name = "by-day"
        projection = AllProjection()

    day = UnicodeAttribute(hash_key=True)
    hour = NumberAttribute(range_key=True)


class ByState(GlobalSecondaryIndex):
    class Meta:
        index_name = "by-state"
        projection = AllProjection()

    state = UnicodeAttribute(hash_key=True)


class Common(Model):
    """A base without a table."""

    changed = UTCDateTimeAttribute(null=True)


class First(Common):
    class Meta:
        table_name = "firsts"

    class Inner(MapAttribute):
        a = UnicodeAttribute()

    class Mood(enum.Enum):
        GOOD = "good"

    id = UnicodeAttribute(hash_key=True)
    inner = Inner(null=True)
    theirs = clashing_parts.Inner(null=True)
    json = Json(null=True)
    kind = UnicodeEnumAttribute(Kind, null=True)
    other = UnicodeEnumAttribute(clashing_parts.Kind, null=True)
    mood = UnicodeEnumAttribute(Mood, null=True)
    here = UnicodeAttribute(default=made)
    there = UnicodeAttribute(default=clashing_parts.made)


class Second(Common):
    class Meta:
        table_name = "seconds"

    class Inner(MapAttribute):
        b = NumberAttribute()

    number = NumberAttribute(hash_key=True)
    inner = Inner(null=True)
    by_day = ByDay()
    by_state = ByState()
    day = UnicodeAttribute(null=True)
    state = UnicodeAttribute(null=True, default="new")
    datetime = UTCDateTimeAttribute(null=True)
    seen = UTCDateTimeAttribute(null=True)
    str = UnicodeAttribute(default="a str")
    field = UnicodeAttribute(null=True)
    self = UnicodeAttribute(null=True)
    _rev = NumberAttribute(default=0)
    rev = NumberAttribute(default=float("inf"))
    words = UnicodeSetAttribute(default=lambda: {"a"})
    numbers = NumberSetAttribute(default=lambda: {1, clashing_parts.ONE})
    prices = ListAttribute(of=Cents, null=True)
    shown = Shown(null=True)
    open = Open(null=True)
    title = UnicodeAttribute()
