"""Fields of every type, for the files that speak of operands."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import pydantic

from dynattrs import Epoch, Json, field, model, partition_key, sort_key

V = TypeVar("V")
UserId = NewType("UserId", str)
Points = NewType("Points", int)


class Mood(enum.Enum):
    CALM = "c"
    WILD = "w"


class Genre(str, enum.Enum):
    JAZZ = "jazz"
    SOUL = "soul"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Flags(enum.Flag):
    A = 1
    B = 2


@attrs.define
class Label:
    name: str
    city: str | None = None


@attrs.define
class MajorLabel(Label):
    owner: str = ""


@attrs.frozen
class Circle:
    radius: float


@attrs.frozen
class Square:
    side: float


@dataclasses.dataclass
class Point:
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class Line:
    length: int


class Pair(NamedTuple):
    left: int
    right: str


class Extra(TypedDict):
    colour: str


class MoreExtra(Extra, total=False):
    weight: int


class Struct(msgspec.Struct):
    name: str


class OtherStruct(msgspec.Struct, frozen=True):
    size: int


class Profile(pydantic.BaseModel):
    nick: str


class Company(pydantic.BaseModel):
    name: str


@attrs.define
class Box(Generic[V]):
    v: V


@model("crates")
class Crate(Generic[V]):
    id: str = partition_key()
    v: V


@model("everything")
class Thing:
    id: str = partition_key()
    number: int = sort_key()
    s: str
    i: int
    f: float
    d: Decimal
    b: bytes
    t: bool
    at: dt.datetime
    day: dt.date
    clock: dt.time
    span: dt.timedelta
    u: UUID
    address: IPv4Address
    file: PurePosixPath
    mood: Mood
    genre: Genre
    level: Level
    flags: Flags
    side: Literal["A", "B"]
    speed: Literal[33, 45]
    calm: Literal[Mood.CALM]
    user: UserId
    points: Points
    label: Label
    point: Point
    pair: Pair
    extra: Extra
    more_extra: MoreExtra
    struct: Struct
    profile: Profile
    box: Box[int]
    shape: Circle | Square
    drawn: Point | Line
    made: Circle | Point
    built: Struct | OtherStruct
    known: Profile | Company
    either: str | list[str]
    answer: str | bool
    owner: str | Label | None
    anything: Any
    epoch: Annotated[dt.datetime, Epoch]
    packed: Annotated[dict[str, int], Json]

    other_s: str
    other_i: int
    other_f: float
    other_d: Decimal
    other_at: dt.datetime
    other_mood: Mood
    other_label: Label
    other_shape: Circle | Square

    maybe_s: str | None = None
    maybe_i: int | None = None
    maybe_f: float | None = None
    maybe_d: Decimal | None = None
    maybe_b: bytes | None = None
    maybe_t: bool | None = None
    maybe_at: dt.datetime | None = None
    maybe_day: dt.date | None = None
    maybe_u: UUID | None = None
    maybe_mood: Mood | None = None
    maybe_genre: Genre | None = None
    maybe_side: Literal["A", "B"] | None = None
    maybe_user: UserId | None = None
    maybe_label: Label | None = None
    maybe_point: Point | None = None
    maybe_shape: Circle | Square | None = None
    maybe_extra: Extra | None = None
    maybe_list: list[str] | None = None
    maybe_set: set[str] | None = None

    texts: list[str] = field(factory=list)
    numbers: list[int] = field(factory=list)
    floats: list[float] = field(factory=list)
    moods: list[Mood] = field(factory=list)
    labels: list[Label] = field(factory=list)
    shapes: list[Circle | Square] = field(factory=list)
    sparse: list[int | None] = field(factory=list)
    sides: list[Literal["A", "B"]] = field(factory=list)
    mixed: list[Any] = field(factory=list)
    nested: list[list[int]] = field(factory=list)
    rows: list[dict[str, int]] = field(factory=list)
    extras: list[Extra] = field(factory=list)
    tags: set[str] = field(factory=set)
    ids: set[int] = field(factory=set)
    uuids: set[UUID] = field(factory=set)
    amounts: set[Decimal] = field(factory=set)
    measures: set[float] = field(factory=set)
    feelings: set[Mood] = field(factory=set)
    frozen: frozenset[str] = frozenset()
    frozen_ids: frozenset[int] = frozenset()
    fixed: tuple[int, str] = (0, "")
    many: tuple[int, ...] = ()
    sequence: Sequence[str] = ()
    abstract: AbstractSet[str] = frozenset()
    scores: dict[str, int] = field(factory=dict)
    by_day: dict[dt.date, int] = field(factory=dict)
    by_label: dict[str, Label] = field(factory=dict)
    lists: dict[str, list[str]] = field(factory=dict)
    loose: dict[str, Any] = field(factory=dict)
    mapping: Mapping[str, int] = field(factory=dict)
