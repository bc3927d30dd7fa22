"""Keys: a value, a tuple, or a dict of fields. Which of them the model has, no checker sees."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple, NewType, TypedDict
from uuid import UUID

from songs import Prize, Song
from typing_extensions import assert_type

from dynattrs import Key, Session, remove
from dynattrs.aio import AsyncSession

session = Session()
UserId = NewType("UserId", str)


class Colour(enum.Enum):
    RED = "red"


class SongKey(NamedTuple):
    artist: str
    title: str


class SongFields(TypedDict):
    artist: str
    title: str


def right(
    text: str,
    user: UserId,
    number: int,
    key: tuple[str, str],
    fields: dict[str, str],
    mapping: Mapping[str, Any],
    typed: SongFields,
    anything: Any,
    maybe: str | None,
    stored: Key,
) -> None:
    session.get(Prize, text)
    session.get(Prize, user)
    session.get(Prize, number)
    session.get(Prize, 1.5)
    session.get(Prize, Decimal(1))
    session.get(Prize, b"a")
    session.get(Prize, UUID(int=1))
    session.get(Prize, dt.date(2026, 11, 27))
    session.get(Prize, dt.datetime(2026, 11, 27, tzinfo=dt.timezone.utc))
    session.get(Prize, Colour.RED)
    session.get(Song, key)
    session.get(Song, (text, number))
    session.get(Song, (user, dt.date(2026, 11, 27)))
    session.get(Song, (text, anything))
    session.get(Song, SongKey("a", "b"))
    session.get(Song, {"artist": "a", "title": "b"})
    session.get(Song, {"artist": text, "number": number})
    session.get(Song, fields)
    session.get(Song, mapping)
    session.get(Song, typed)
    session.get(Song, anything)
    session.get(Song, stored)
    if maybe is not None:
        session.get(Prize, maybe)
    session.get_many(Song, [key, {"artist": text, "title": text}])
    session.get_many(Prize, (str(each) for each in range(3)))
    session.get_many(Prize, {"a", "b"})
    session.get_many(Prize, fields.values())
    session.update(Song, key, remove(Song.year))
    session.delete(Song, key)
    session.delete(Song, {"artist": text, "title": text}, returning=True)
    assert_type(session.transact_get((Song, key), (Prize, text)), tuple[Song | None, Prize | None])
    with session.transaction() as transaction:
        transaction.check(Song, key, Song.plays > 3)
        transaction.update(Song, key, remove(Song.year))
        transaction.delete(Song, key)
    with session.batch() as batch:
        batch.get(Song, key)


def wrong(maybe: str | None, song: Song, when: dt.datetime | None, key: list[str]) -> None:
    session.get(Prize, None)  # type: ignore[call-overload]
    session.get(Prize, maybe)  # type: ignore[arg-type]
    session.get(Song, ("Nina Simone", None))  # type: ignore[arg-type]
    session.get(Song, ("Nina Simone", maybe))  # type: ignore[arg-type]
    session.get(Song, ["Nina Simone", "Sinnerman"])  # type: ignore[call-overload]
    session.get(Song, key)  # type: ignore[call-overload]
    session.get(Song, {"Nina Simone", "Sinnerman"})  # type: ignore[call-overload]
    session.get(Song, {1: "Nina Simone"})  # type: ignore[dict-item]
    session.get(Song, song)  # type: ignore[call-overload]
    session.get(Song, Song)  # type: ignore[call-overload]
    session.get(Song, (("Nina Simone", "Sinnerman"), 3))  # type: ignore[arg-type]
    session.get_one(Prize, maybe)  # type: ignore[arg-type]
    session.exists(Prize, maybe)  # type: ignore[arg-type]
    session.get_many(Prize, [None])  # type: ignore[list-item]
    session.get_many(Song, [["Nina Simone", "Sinnerman"]])  # type: ignore[list-item]
    session.get_many(Prize, [maybe])  # type: ignore[list-item]
    session.get_many(Prize, 3)  # type: ignore[call-overload]
    session.update(Prize, None, remove(Prize.worth))  # type: ignore[call-overload]
    session.update(Prize, maybe, remove(Prize.worth))  # type: ignore[arg-type]
    session.update(Song, ["Nina Simone", "Sinnerman"], remove(Song.year))  # type: ignore[call-overload]
    session.update(Song, remove(Song.year))  # type: ignore[call-overload]
    session.delete(Prize, maybe)  # type: ignore[arg-type]
    session.delete(Song, ["Nina Simone", "Sinnerman"])  # type: ignore[call-overload]
    session.delete(Song, song)  # type: ignore[call-overload]
    session.transact_get((Prize, None))  # type: ignore[arg-type]
    session.transact_get((Song, ["Nina Simone", "Sinnerman"]), (Prize, "Polar"))  # type: ignore[arg-type]
    with session.transaction() as transaction:
        transaction.check(Prize, maybe, Prize.worth > 3)  # type: ignore[arg-type]
    with session.batch() as batch:
        batch.get(Prize, maybe)  # type: ignore[arg-type]


async def awaited(session: AsyncSession, maybe: str | None) -> None:
    await session.get(Prize, "Polar")
    await session.get(Song, ("Nina Simone", "Sinnerman"))
    await session.get(Prize, maybe)  # type: ignore[arg-type]
    await session.update(Prize, maybe, remove(Prize.worth))  # type: ignore[arg-type]
    await session.delete(Song, ["Nina Simone", "Sinnerman"])  # type: ignore[call-overload]
