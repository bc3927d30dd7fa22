"""The models of `other_programs/pynamodb_program.py` as dynattrs has them, and a program that speaks as that
one does.
"""

from __future__ import annotations

import enum
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import attrs

from dynattrs import (
    GlobalIndex,
    Json,
    Session,
    Table,
    add,
    delete,
    field,
    model,
    partition_key,
    path,
    pynamodb,
    remove,
    set_,
    sort_key,
)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Pair(NamedTuple):
    number: int
    name: str


@attrs.define
class Spot:
    name: str = field(name="n")
    at: datetime | None = None
    words: set[str] = attrs.field(factory=set)
    weight: float = 3


@attrs.define
class Circle:
    size: float
    at: datetime | None = None


@attrs.define
class Square:
    size: float
    colors: set[str] = attrs.field(factory=set)


Shape = Annotated[
    Circle | Square, pynamodb.Discriminator("cls", {"circle": Circle, "square": Square})
]


@model(
    "everything",
    forms=pynamodb.forms,
    indexes=[
        GlobalIndex("by-text", partition_key="text", sort_key="when"),
        GlobalIndex("by-data", partition_key="data"),
    ],
)
class Everything:
    owner: str = partition_key()
    at: datetime = sort_key()
    text: str | None = None
    when: datetime | None = None
    number: Decimal | None = None
    count: int = 7
    flag: bool | None = None
    data: bytes | None = None
    datas: set[bytes] = attrs.field(factory=set)
    words: set[str] = attrs.field(factory=set)
    numbers: set[float] = attrs.field(factory=set)
    doc: Annotated[Any, Json] = None
    raw: dict[str, Any] | None = None
    raws: list[Any] | None = None
    spot: Spot | None = None
    spots: list[Spot | None] | None = None
    shape: Shape | None = None
    shapes: list[Shape] | None = None
    sets: list[set[str]] | None = None
    expires: datetime | None = field(ttl=True, default=None)
    iso: Annotated[datetime | None, pynamodb.UnicodeDatetime()] = None
    seconds: Annotated[datetime | None, pynamodb.Timestamp] = None
    millis: Annotated[datetime | None, pynamodb.TimestampMs] = None
    micros: Annotated[datetime | None, pynamodb.TimestampUs] = None
    span: Annotated[timedelta | None, pynamodb.Timedelta] = None
    span_ms: Annotated[timedelta | None, pynamodb.TimedeltaMs] = None
    span_us: Annotated[timedelta | None, pynamodb.TimedeltaUs] = None
    day: Annotated[date | None, pynamodb.IntegerDate] = None
    color: Color | None = None
    level: Level | None = None
    pair: Annotated[Pair | None, pynamodb.DelimitedTuple()] = None
    uid: UUID | None = None
    plain: Annotated[UUID | None, pynamodb.UUID(remove_dashes=True)] = None


@model("counted", forms=pynamodb.forms)
class Counted:
    id: str = partition_key()
    number: int = 0
    version: int = field(version=True)


ZOO = Table("animals", partition_key="id", discriminator="cls")


@attrs.define
class Animal:
    id: str
    name: str | None = attrs.field(default=None, kw_only=True)


@model(ZOO, forms=pynamodb.forms, kind="dog")
class Dog(Animal):
    born: datetime | None = None


@model(ZOO, forms=pynamodb.forms, kind="cat")
class Cat(Animal):
    lives: int = 9


MODELS: dict[str, Any] = {each.__name__: each for each in (Everything, Counted, Dog, Cat)}
MAPS: dict[str, Any] = {each.__name__: each for each in (Spot, Circle, Square)}


def python(value: Any) -> Any:
    """A value as the test sees it."""
    if type(value).__name__ in MAPS:
        return {type(value).__name__: fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list):
        return [python(each) for each in value]
    if isinstance(value, dict):
        return {name: python(each) for name, each in value.items()}
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return tuple(value) if isinstance(value, Pair) else value


def fields(obj: Any) -> dict[str, Any]:
    """The fields of an object, without what PynamoDB does not have: None, and sets that are empty."""
    found = {each.name: python(getattr(obj, each.name)) for each in attrs.fields(type(obj))}
    return {name: value for name, value in found.items() if value is not None and value != set()}


def own(name: str, value: Any) -> Any:
    """A value of the test as dynattrs has it."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in MAPS:
        [(cls, inside)] = value.items()
        return MAPS[cls](**{each: own(each, part) for each, part in inside.items()})
    if isinstance(value, list):
        return [own(name, each) for each in value]
    if name == "number" and value is not None:
        return Decimal(repr(value))
    kinds: dict[str, Any] = {"color": Color, "level": Level, "pair": lambda pair: Pair(*pair)}
    return kinds[name](value) if name in kinds and value is not None else value


class Program:
    """The verbs of `pynamodb_program.Verbs`, by dynattrs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, model: str, fields: dict[str, Any]) -> None:
        cls = MODELS[model]
        self._session.save(cls(**{name: own(name, value) for name, value in fields.items()}))

    def get(self, model: str, key: list[Any]) -> Any:
        found = self._read(model, key)
        return None if found is None else self._shown(found)

    def _read(self, model: str, key: list[Any]) -> Any:
        return self._session.get(MODELS[model], tuple(key) if len(key) > 1 else key[0])

    def _shown(self, found: Any) -> Any:
        shown = fields(found)
        return {**shown, "cls": type(found).__name__} if isinstance(found, Animal) else shown

    def change(self, model: str, key: list[Any], fields: dict[str, Any]) -> None:
        found = self._read(model, key)
        for name, value in fields.items():
            setattr(found, name, own(name, value))
        self._session.save(found)

    def edit(self, model: str, key: list[Any], fields: dict[str, Any]) -> None:
        """Write only what changes."""
        with self._session.edit(self._read(model, key)) as found:
            for name, value in fields.items():
                setattr(found, name, own(name, value))

    def update(self, model: str, key: list[Any], field: str, value: Any, when: Any = None) -> None:
        cls = MODELS[model]
        action = (
            remove(getattr(cls, field))
            if value is None
            else set_(getattr(cls, field), own(field, value))
        )
        condition = None if when is None else path(getattr(cls, when[0])) == own(*when)
        self._session.update(self._read(model, key), action, when=condition)

    def add(self, model: str, key: list[Any], field: str, value: Any) -> None:
        self._session.update(self._read(model, key), add(getattr(MODELS[model], field), value))

    def remove(self, model: str, key: list[Any], field: str, value: Any) -> None:
        self._session.update(self._read(model, key), delete(getattr(MODELS[model], field), value))

    def delete(self, model: str, key: list[Any]) -> None:
        self._session.delete(self._read(model, key))

    def query(
        self, model: str, hash: Any, since: Any = None, where: Any = None, index: Any = None
    ) -> Any:
        cls = MODELS[model]
        hashes = {None: "owner", "by_text": "text", "by_data": "data"}
        ranges = {None: "at", "by_text": "when"}
        query = self._session.query(cls).where(path(getattr(cls, hashes[index])) == hash)
        if index is not None:
            query = query.using(index.replace("_", "-"))
        if since is not None:
            query = query.where(path(getattr(cls, ranges[index])) >= since)
        if where is not None:
            query = query.filter(path(getattr(cls, where[0])) == own(*where))
        return [self._shown(each) for each in query]

    def scan(self, model: str) -> Any:
        return [self._shown(each) for each in self._session.scan(MODELS[model])]
