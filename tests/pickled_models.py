"""Models of every kind, with conditions and update actions on them, for processes that hand these on."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import attrs

from dynattrs import (
    Epoch,
    Json,
    Table,
    add,
    any_of,
    attribute_type,
    begins_with,
    between,
    contains,
    delete,
    exists,
    field,
    if_not_exists,
    in_,
    is_none,
    list_append,
    map_class,
    model,
    not_,
    not_exists,
    not_none,
    on_insert,
    partition_key,
    path,
    put,
    remove,
    set_,
    size,
    sort_key,
)
from foreign_model import Invoice

T = TypeVar("T")
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


class Mood(enum.Enum):
    CALM = "calm"
    WILD = "wild"


@attrs.define
class Label:
    name: str = field(name="n", default="")
    cities: list[str] = attrs.Factory(list)


@dataclass
class Place:
    city: str = ""
    opened: date = date(2020, 1, 1)


@attrs.define
class Shelf:
    row: int = 0
    label: Label = attrs.Factory(Label)


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = 0
    mood: Mood = Mood.CALM
    label: Label | None = None
    shelves: list[Shelf] = attrs.Factory(list)
    by_day: dict[date, Place] = field(name="days", factory=dict)
    tags: set[str] = attrs.Factory(set)
    price: Decimal = Decimal(0)
    at: Annotated[datetime, Epoch] = NOON
    bought: datetime | None = None
    id: UUID | None = None
    blob: bytes = b""
    more: Annotated[dict[str, int], Json] = attrs.Factory(dict)
    lower: str = attrs.field(default="", converter=str.lower)
    shouted: str = attrs.field(
        default="",
        converter=attrs.Converter(lambda value, self: value + "!", takes_self=True),  # type: ignore[misc]
    )
    mro: int = 0


@attrs.define
class Timed:
    seen: int = field(default=0, kw_only=True)


@model("films")
class Film(Timed):
    name: str = partition_key()


@model("films-cut")
class Cut(Film):
    minutes: int = 0


@model("boxes")
class Box(Generic[T]):
    id: str = partition_key()
    content: T = field()


APP = Table("app", partition_key="pk", sort_key="sk", discriminator="type")


@model(APP, pk="USER#{name}", sk="PROFILE")
class User:
    name: str
    city: str = ""


class Outer:
    @model("inner")
    class Inner:
        id: str = partition_key()


map_class(Invoice, "invoices", partition_key="number", unknown="drop")

_box: Any = path(Box[Label])
_song: Any = Song

PATHS: list[Any] = [
    Song.artist, _song.label.name, _song.label.cities[3], _song.shelves[0].label.cities[1],
    _song.by_day[date(2026, 1, 2)].opened, _song.by_day["2026-01-02"].city, path(Song).mro,
    Film.seen, Cut.name, Cut.seen, _box.content.name, path(Box[int]).content, User.city, Outer.Inner.id,
    path(Invoice).total, path(Invoice).lines[0].text,
]  # fmt: skip

CONDITIONS: list[Any] = [
    Song.artist == "Nina", Song.plays > 3, Song.plays != 3,
    Song.mood == Mood.WILD, Song.price <= Decimal("1.50"), Song.at >= NOON, _song.bought < NOON,
    _song.id == UUID(int=7), Song.blob == b"\x00\xff", _song.label.name == "Verve", Song.lower == "ABC",
    Song.title == Song.artist, between(Song.plays, 1, 5), between(Song.plays, 5, 1), in_(Song.plays, [1, 2]),
    in_(Song.plays, []), in_(Song.plays, range(150)), begins_with(Song.title, "A"), contains(Song.tags, "x"),
    exists(_song.label), not_exists(_song.shelves[2]), is_none(_song.bought), not_none(_song.bought),
    size(Song.tags) > 2, attribute_type(Song.plays, "N"), Song.tags == {"a", "b"},
    not_(Song.plays == 1), (Song.plays == 1) & (Song.title == "a"), any_of(Song.plays == 1, Song.plays == 4),
    Song.more == {"a": 1}, _song.by_day[date(2026, 1, 2)].opened == date(2026, 1, 3),
    Film.seen == 1, Cut.seen == 1, _box.content.name == "x", path(Box[int]).content == 1, User.city == "Oslo",
    path(Invoice).total == 3, path(Song).mro == 1,
]  # fmt: skip

ACTIONS: list[Any] = [
    set_(Song.plays, 1), set_(Song.plays, Song.plays + 1), set_(Song.plays, 5 - path(Song).mro),
    set_(Song.plays, if_not_exists(Song.plays, 0)),
    set_(_song.label.cities, list_append(["a"], _song.label.cities)),
    set_(_song.label, None), set_(_song.bought, NOON), set_(Song.mood, Mood.WILD),
    set_(_song.shelves[1].row, 2), set_(Song.lower, "ABC"), set_(Song.shouted, "hey"),
    put(Song.plays).to(3), add(Song.plays, 1),
    add(Song.tags, {"a"}), delete(Song.tags, {"a", "b"}), remove(_song.label),
    remove(_song.label, _song.bought),
    on_insert(set_(Song.plays, 1)), on_insert(set_(Song.plays, 1), remove(_song.bought)),
    set_(path(Invoice).total, 4), set_(_box.content.name, "x"),
]  # fmt: skip


def _written(expression: object) -> list[str]:
    """The letters of it: each process has an order of its own for sets."""
    return sorted(repr(expression))


def check(pickled: bytes) -> None:
    """Compare what another process has pickled with what this one has."""
    import pickle

    paths, conditions, actions, parts = pickle.loads(pickled)
    assert [*map(repr, paths)] == [*map(repr, PATHS)]
    for theirs, mine in zip(paths, PATHS, strict=True):
        assert theirs.__dynattrs_path__.steps == mine.__dynattrs_path__.steps
        assert theirs.__dynattrs_path__.form.expected == mine.__dynattrs_path__.form.expected
    assert conditions == CONDITIONS
    assert [*map(hash, conditions)] == [*map(hash, CONDITIONS)]
    assert [*map(_written, conditions)] == [*map(_written, CONDITIONS)]
    assert actions == ACTIONS
    assert [*map(hash, actions)] == [*map(hash, ACTIONS)]
    assert [*map(_written, actions)] == [*map(_written, ACTIONS)]
    assert [repr(part) for part in parts] == [
        "size(Song.tags)",
        "Song.plays + 1",
        "put(Song.plays)",
    ]
