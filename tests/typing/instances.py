"""Models as classes: construction, fields, assignment, inheritance, generics."""

from __future__ import annotations

import datetime as dt
from typing import Any, Generic, TypeVar

import attrs
from songs import Address, Prize, Song
from typing_extensions import assert_type

from dynattrs import (
    Table,
    asdict,
    evolve,
    field,
    fields,
    map_class,
    mapper,
    model,
    partition_key,
    path,
    sort_key,
)

T = TypeVar("T")

# --- Construction -----------------------------------------------------------------------------

song = Song("Nina Simone", "Sinnerman", "jazz")
assert_type(song, Song)
assert_type(Song(artist="Nina Simone", title="Sinnerman", genre="jazz", year=1965), Song)
Song("Nina Simone", "Sinnerman", "jazz", None, 3, True, {"live"}, ["first"], {"a": 1})

Song("Nina Simone", "Sinnerman")  # type: ignore[call-arg]
Song("Nina Simone", "Sinnerman", 7)  # type: ignore[arg-type]
Song("Nina Simone", "Sinnerman", "jazz", yaer=1965)  # type: ignore[call-arg]
Song("Nina Simone", "Sinnerman", "jazz", plays="many")  # type: ignore[arg-type]
Song("Nina Simone", "Sinnerman", "jazz", tags=["live"])  # type: ignore[arg-type]

# --- Fields of an instance ----------------------------------------------------------------------

assert_type(song.artist, str)
assert_type(song.year, int | None)
assert_type(song.plays, int)
assert_type(song.tags, set[str])
assert_type(song.scores, dict[str, int])
assert_type(song.studio, Address | None)
assert_type(song.plays > 3, bool)

song.plays += 1
song.year = None
song.plays = "many"  # type: ignore[assignment]
song.palys = 3  # type: ignore[attr-defined]
print(song.yaer)  # type: ignore[attr-defined]

# --- Frozen, keyword-only and other options of attrs.define ---------------------------------------


@model("rooms", kw_only=True)
class Room:
    number: int = partition_key()
    beds: int = 1
    cleaned: dt.datetime | None = field(updated=True)


Room(number=7, beds=2)
Room(7)  # type: ignore[call-arg]
Room(beds=2)  # type: ignore[call-arg]

prize = Prize("Polar", 1.0)
prize.worth = 2.0  # type: ignore[misc]
assert_type(evolve(prize, worth=2.0), Prize)
assert_type({prize: 1}, dict[Prize, int])
print(prize < Prize("Nobel"))  # type: ignore[operator]

# The library counts versions, so they are not parameters unless the default is written out.
assert_type(prize.version, int)
Prize("Polar", 1.0, version=3)  # type: ignore[call-arg]


@model("jobs")
class Job:
    id: str = partition_key()
    version: int = field(version=True, default=0)
    begun: dt.datetime | None = field(created=True)
    ended: dt.datetime | None = field(updated=True, default=None)


Job("a")
Job("a", 3, dt.datetime.now(dt.timezone.utc))
Job("a", begun=None)  # type: ignore[call-arg]
Job("a", version="3")  # type: ignore[arg-type]


@model("counters")
class Counter:
    id: str = partition_key(default="main")
    shard: int = sort_key(factory=int)
    count: int = field(default=0)
    expires: int | None = field(default=None, ttl=True)
    label: str = field(alias="text", default="")
    total: int = attrs.field(init=False, default=0)
    note: str = attrs.field(kw_only=True, default="")


Counter()
Counter("other", 1, 2, None, "label", note="n")
Counter(text="label")
Counter(label="label")  # type: ignore[call-arg]
Counter(total=3)  # type: ignore[call-arg]


@model("rolls")
class Roll:
    id: str = partition_key(validator=attrs.validators.min_len(1))
    sides: int = attrs.field(validator=attrs.validators.gt(1), converter=int)
    seen: int = field(converter=int, default=0)


Roll("a", 6)
assert_type(Roll("a", 6).sides, int)
# basedpyright asks the converter what it takes, so it accepts "6" too; mypy asks the field.
Roll("a", [])  # type: ignore[arg-type]

# --- Instances as attrs has them ------------------------------------------------------------------

assert_type(evolve(song, plays=3), Song)
assert_type(asdict(song), dict[str, Any])
assert_type(fields(Song)[0].name, str)
evolve("text", plays=3)  # type: ignore[type-var]
asdict({"artist": "Nina Simone"})  # type: ignore[arg-type]
fields(int)  # type: ignore[type-var]

# --- Inheritance --------------------------------------------------------------------------------


@model("music")
class Single(Song):
    side: str = "A"

    def flipped(self) -> Single:
        return evolve(self, side="B" if self.side == "A" else "A")


single = Single("Nina Simone", "Sinnerman", "jazz", side="B")
assert_type(single.flipped().artist, str)
Single("Nina Simone", "Sinnerman", "jazz", sied="B")  # type: ignore[call-arg]

# --- Generics -----------------------------------------------------------------------------------


@model("boxes")
class Box(Generic[T]):
    id: str = partition_key()
    v: T


box = Box("a", 1)
assert_type(box, Box[int])
assert_type(box.v, int)
Box[int]("a", "text")  # type: ignore[arg-type]

assert_type(path(Box[int]).v, int)
assert_type(path(Box[int]).v > 3, bool)
print(path(Box[int]).v > "a")  # type: ignore[operator]
path(Box[int]).w  # type: ignore[attr-defined]

# --- A Table in place of a name; classes of somebody else's ------------------------------------------

app = Table("app", partition_key="pk", sort_key="sk", types={"sk": "N"})


@model(app)
class Entry:
    owner: str = field(name="pk")
    number: int = field(name="sk")


assert_type(Entry("a", 1).number, int)
Entry(pk="a", number=1)  # type: ignore[call-arg]

map_class(Address, "addresses", partition_key="street", unknown="drop")
assert_type(path(Address).city, str)
path(Address).town  # type: ignore[attr-defined]
map_class(Address, "addresses", partition_key="street", unknown="ignore")  # type: ignore[arg-type]


@model(7)  # type: ignore[arg-type]
class Wrong:
    id: str = partition_key()


# --- The mapper -----------------------------------------------------------------------------------

item = mapper.dump(song)
assert_type(item, dict[str, dict[str, Any]])
assert_type(mapper.load(item, Song), Song)
assert_type(mapper.to_json(song), str)
assert_type(mapper.from_json("{}", Song), Song)
assert_type(mapper.from_dynamodb_json(b"{}", Song), Song)
mapper.load("text", Song)  # type: ignore[call-overload]
mapper.load(item)  # type: ignore[call-overload]
mapper.load(item, Song | int)
mapper.from_dynamodb_json("{}", Song | int)
