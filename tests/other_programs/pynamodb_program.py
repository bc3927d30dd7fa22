"""A program with PynamoDB, 5 or 6, whose models are those of `tests/beside_pynamodb.py`.

It runs in an environment of its own: see `other_programs`.
"""

from __future__ import annotations

import enum
import importlib.util
from typing import Any, NamedTuple

import lines
import pynamodb
import pynamodb_attributes as more
from pynamodb.attributes import (
    BinaryAttribute,
    BinarySetAttribute,
    BooleanAttribute,
    DiscriminatorAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    NumberSetAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

LEGACY: dict[str, Any] = {} if pynamodb.__version__ < "6" else {"legacy_encoding": True}


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Pair(NamedTuple):
    number: int
    name: str


class Spot(MapAttribute):
    name = UnicodeAttribute(attr_name="n")
    at = UTCDateTimeAttribute(null=True)
    words = UnicodeSetAttribute()
    weight = NumberAttribute(default=3)


class Shape(MapAttribute):
    cls = DiscriminatorAttribute()
    size = NumberAttribute()


class Circle(Shape, discriminator="circle"):
    at = UTCDateTimeAttribute(null=True)


class Square(Shape, discriminator="square"):
    colors = UnicodeSetAttribute()


class ByText(GlobalSecondaryIndex):
    class Meta:
        index_name = "by-text"
        projection = AllProjection()

    text = UnicodeAttribute(hash_key=True)
    when = UTCDateTimeAttribute(range_key=True)


class ByData(GlobalSecondaryIndex):
    class Meta:
        index_name = "by-data"
        projection = AllProjection()

    data = BinaryAttribute(hash_key=True, **LEGACY)


class Everything(Model):
    class Meta:
        table_name = "everything"

    owner = UnicodeAttribute(hash_key=True)
    at = UTCDateTimeAttribute(range_key=True)
    by_text = ByText()
    by_data = ByData()
    text = UnicodeAttribute(null=True)
    when = UTCDateTimeAttribute(null=True)
    number = NumberAttribute(null=True)
    count = NumberAttribute(default=7)
    flag = BooleanAttribute(null=True)
    data = BinaryAttribute(null=True, **LEGACY)
    datas = BinarySetAttribute(**LEGACY)
    words = UnicodeSetAttribute()
    numbers = NumberSetAttribute()
    doc = JSONAttribute(null=True)
    raw = MapAttribute(null=True)
    raws = ListAttribute(null=True)
    spot = Spot(null=True)
    spots = ListAttribute(of=Spot, null=True)
    shape = Shape(null=True)
    shapes = ListAttribute(of=Shape, null=True)
    sets = ListAttribute(of=UnicodeSetAttribute, null=True)
    expires = TTLAttribute(null=True)
    iso = more.UnicodeDatetimeAttribute(null=True)
    seconds = more.TimestampAttribute(null=True)
    millis = more.TimestampMsAttribute(null=True)
    micros = more.TimestampUsAttribute(null=True)
    span = more.TimedeltaAttribute(null=True)
    span_ms = more.TimedeltaMsAttribute(null=True)
    span_us = more.TimedeltaUsAttribute(null=True)
    day = more.IntegerDateAttribute(null=True)
    color = more.UnicodeEnumAttribute(Color, null=True)
    level = more.IntegerEnumAttribute(Level, null=True)
    pair = more.UnicodeDelimitedTupleAttribute(Pair, null=True)
    uid = more.UUIDAttribute(null=True)
    plain = more.UUIDAttribute(remove_dashes=True, null=True)


class Counted(Model):
    class Meta:
        table_name = "counted"

    id = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(default=0)
    version = VersionAttribute()


class Animal(Model):
    class Meta:
        table_name = "animals"

    id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute(null=True)
    cls = DiscriminatorAttribute()


class Dog(Animal, discriminator="dog"):
    born = UTCDateTimeAttribute(null=True)


class Cat(Animal, discriminator="cat"):
    lives = NumberAttribute(default=9)


MODELS = {each.__name__: each for each in (Everything, Counted, Animal, Dog, Cat)}
MAPS = {each.__name__: each for each in (Spot, Circle, Square)}


def python(value: Any) -> Any:
    """A value as the test sees it."""
    if isinstance(value, MapAttribute):
        name = type(value).__name__
        inside = {each: python(value.attribute_values[each]) for each in value.attribute_values}
        inside.pop("cls", None)
        return {name: inside} if name in MAPS else inside
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list):
        return [python(each) for each in value]
    if isinstance(value, dict):
        return {name: python(each) for name, each in value.items()}
    return value


def own(name: str, value: Any) -> Any:
    """A value of the test as PynamoDB has it."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in MAPS:
        [(cls, inside)] = value.items()
        return MAPS[cls](**{each: own(each, part) for each, part in inside.items()})
    if isinstance(value, list):
        return [own(name, each) for each in value]
    kinds: dict[str, Any] = {"color": Color, "level": Level, "pair": lambda pair: Pair(*pair)}
    return kinds[name](value) if name in kinds and value is not None else value


class Verbs:
    def connect(self, endpoint: str, prefix: str, access: str, secret: str) -> None:
        for each in MODELS.values():
            name = next(c for c in each.__mro__ if "Meta" in vars(c)).__name__
            own_name = {"Everything": "everything", "Counted": "counted", "Animal": "animals"}[name]
            each.Meta.table_name = prefix + own_name
            each.Meta.host, each.Meta.region = endpoint, "us-east-1"
            each.Meta.aws_access_key_id, each.Meta.aws_secret_access_key = access, secret
            each.Meta.aws_session_token = None
            each._connection = None

    def create(self, model: str) -> None:
        MODELS[model].create_table(read_capacity_units=1, write_capacity_units=1, wait=True)

    def save(self, model: str, fields: dict[str, Any]) -> None:
        MODELS[model](**{name: own(name, value) for name, value in fields.items()}).save()

    def get(self, model: str, key: list[Any]) -> Any:
        cls = MODELS[model]
        try:
            return self._shown(cls.get(*key, consistent_read=True))
        except cls.DoesNotExist:
            return None

    def _shown(self, found: Any) -> Any:
        shown = {name: python(value) for name, value in found.attribute_values.items()}
        cls = shown.pop("cls", None)
        return {**shown, "cls": cls.__name__} if cls is not None else shown

    def change(self, model: str, key: list[Any], fields: dict[str, Any]) -> None:
        """Read, assign and save."""
        found = MODELS[model].get(*key, consistent_read=True)
        for name, value in fields.items():
            setattr(found, name, own(name, value))
        found.save()

    def update(self, model: str, key: list[Any], field: str, value: Any, when: Any = None) -> None:
        cls = MODELS[model]
        attribute = getattr(cls, field)
        action = attribute.remove() if value is None else attribute.set(own(field, value))
        condition = None if when is None else getattr(cls, when[0]) == own(*when)
        cls.get(*key, consistent_read=True).update([action], condition=condition)

    def add(self, model: str, key: list[Any], field: str, value: Any) -> None:
        cls = MODELS[model]
        cls.get(*key, consistent_read=True).update([getattr(cls, field).add(value)])

    def remove(self, model: str, key: list[Any], field: str, value: Any) -> None:
        cls = MODELS[model]
        cls.get(*key, consistent_read=True).update([getattr(cls, field).delete(value)])

    def delete(self, model: str, key: list[Any]) -> None:
        MODELS[model].get(*key, consistent_read=True).delete()

    def query(
        self, model: str, hash: Any, since: Any = None, where: Any = None, index: Any = None
    ) -> Any:
        cls = MODELS[model]
        target = cls if index is None else getattr(cls, index)
        ranges = {None: "at", "by_text": "when"}
        options: dict[str, Any] = {}
        if since is not None:
            options["range_key_condition"] = getattr(cls, ranges[index]) >= since
        if where is not None:
            options["filter_condition"] = getattr(cls, where[0]) == own(*where)
        return [self._shown(each) for each in target.query(hash, **options)]

    def scan(self, model: str) -> Any:
        return [self._shown(each) for each in MODELS[model].scan()]

    def page(self, model: str, hash: Any, size: int) -> Any:
        """The first items, and where PynamoDB says that they end."""
        found = MODELS[model].query(hash, limit=size)
        items = [self._shown(each) for each in found]
        return items, found.last_evaluated_key

    def serve_photos(self, path: str, table: str, endpoint: str, access: str, secret: str) -> None:
        """Be the service of the guide, whose source is at *path*."""
        spec = importlib.util.spec_from_file_location("photos_old", path)
        self._photos = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._photos)
        meta = self._photos.Photo.Meta
        meta.table_name, meta.host = table, endpoint
        meta.aws_access_key_id, meta.aws_secret_access_key = access, secret

    def call(self, function: str, arguments: list[Any]) -> Any:
        return getattr(self._photos, function)(*arguments)

    def translate(self, module: str | None = None) -> str:
        from dynattrs.pynamodb import translate

        return translate(importlib.import_module(module or __name__))


if __name__ == "__main__":
    lines.serve(Verbs())
