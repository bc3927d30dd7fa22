"""Parts of items, and keys of several models: what `get`, `get_many` and `transact_get` give."""

from __future__ import annotations

from typing import Any

import attrs
from songs import Prize, Song
from typing_extensions import assert_type

from dynattrs import Items, Session, TransactionRow, model, partition_key, path
from dynattrs.aio import AsyncItems, AsyncSession

session = Session(region_name="eu-central-1")
awaited = AsyncSession(region_name="eu-central-1")
key = ("Nina Simone", "Sinnerman")


@attrs.frozen
class Title:
    title: str


@model("boxes")
class Box:
    id: int = partition_key()
    label: str | None = None


# --- One item -----------------------------------------------------------------------------------

assert_type(session.get(Song, key, as_=Title), Title | None)
assert_type(session.get_one(Song, key, as_=Title, consistent=True), Title)
assert_type(session.get(Song, key, select=(Song.title, Song.plays)), tuple[str, int] | None)
assert_type(session.get_one(Song, key, select=(Song.year,)), tuple[int | None])
assert_type(
    session.get_one(Song, key, select=(Song.tags, path(Song.studio).city)), tuple[set[str], str]
)
found = session.get(Song, key, select=(Song.title, Song.plays))
if found is not None:
    title, plays = found
    assert_type(title, str)
    assert_type(plays, int)
with session.batch() as batch:
    assert_type(batch.get_one(Song, key, select=(Song.title,)), tuple[str])

session.get(Song, key, select=Song.title)  # type: ignore[call-overload]
session.get(Song, key, select=[Song.title])  # type: ignore[call-overload]
session.get(Song, key, select=(Song.titel,))  # type: ignore[attr-defined]
session.get(Song, key, as_=Title("x"))  # type: ignore[call-overload]
session.get(Song, key, as_=Title, select=(Song.title,))  # type: ignore[call-overload]
session.get(int, 7, as_=Title)  # type: ignore[arg-type]

# --- Many ---------------------------------------------------------------------------------------

assert_type(session.get_many(Song, [key]), Items[Song])
assert_type(session.get_many(Song, [key]).all(), list[Song])
assert_type(session.get_many(Song, [key], missing="none").all(), list[Song | None])
assert_type(session.get_many(Song, [key]).on_error("skip"), Items[Song])
assert_type(session.get_many(Song, [key], as_=Title), Items[Title])
assert_type(session.get_many(Song, [key], select=(Song.plays,)), Items[tuple[int]])
assert_type(
    session.get_many(Song, [key], select=(Song.plays,), missing="none"), Items[tuple[int] | None]
)
session.get_many(Song, [key]).on_error("ignore")  # type: ignore[arg-type]
session.get_many(Song, [key]).on_error(7)  # type: ignore[arg-type]

boxes = [(Box, 1), (Box, 2)]
assert_type(session.get_many(boxes), Items[Box])
mixed: list[tuple[type[Song | Box], tuple[str, str] | int]] = [(Song, key), (Box, 1)]
assert_type(session.get_many(mixed), Items[Song | Box])
assert_type(session.get_many(mixed, missing="none", ordered=True), Items[Song | Box | None])
assert_type(session.get_many(mixed, as_=Title), Items[Title])
for each in session.get_many(mixed):
    if isinstance(each, Song):
        assert_type(each, Song)
    else:
        assert_type(each, Box)
# mypy finds no common type of these models; basedpyright finds Song | Box.
session.get_many([(Song, key), (Box, 1)], missing="none", ordered=True).all()
assert_type(session.get_many([(Song, key), (Box, 1)], as_=Title), Items[Title])
session.get_many([Song])  # type: ignore[arg-type]
session.get_many([(Song,)])  # type: ignore[arg-type]
session.get_many(Song)  # type: ignore[call-overload]

# --- At one moment ------------------------------------------------------------------------------

assert_type(
    session.transact_get((Song, key), (Prize, "Polar"), as_=Title), tuple[Title | None, ...]
)
assert_type(
    session.transact_get((Box, 1), (Box, 2), select=(Box.label,)),
    tuple[tuple[str | None] | None, ...],
)


# --- PartiQL ------------------------------------------------------------------------------------

text = "SELECT * FROM music WHERE artist = ? AND title = ?"
assert_type(session.execute(text, *key, model=Song).all(), list[Song])
assert_type(session.execute_many([(text, *key)], model=Song), list[Song | None])
assert_type(session.execute_many([(text, *key), text]), list[dict[str, Any] | None])
assert_type(session.execute_many(text, [key, ["Nina Simone", "x"]], model=Song), list[Song | None])
assert_type(session.execute_many(text, (each for each in [key])), list[dict[str, Any] | None])
session.execute_many([7])  # type: ignore[list-item]
session.execute_many(text, [7])  # type: ignore[list-item]
with session.transaction() as t:
    typed = t.execute(text, *key, model=Song)
    plain = t.execute(text, *key)
    t.execute(7)  # type: ignore[call-overload]
assert_type(typed, TransactionRow[Song])
assert_type(typed.row, Song | None)
assert_type(plain.row, dict[str, Any] | None)


async def reads() -> None:
    assert_type(await awaited.execute_many([(text, *key)], model=Song), list[Song | None])
    assert_type(await (await awaited.execute(text, *key, model=Song)).all(), list[Song])
    async with awaited.transaction() as transaction:
        row = transaction.execute(text, *key, model=Song)
    assert_type(row.row, Song | None)
    assert_type(await awaited.get(Song, key, as_=Title), Title | None)
    assert_type(await awaited.get_one(Song, key, select=(Song.title, Song.plays)), tuple[str, int])
    assert_type(awaited.get_many(mixed), AsyncItems[Song | Box])
    assert_type(await awaited.get_many(Song, [key], select=(Song.plays,)).all(), list[tuple[int]])
    assert_type(await awaited.transact_get((Song, key), as_=Title), tuple[Title | None, ...])
    async for each in awaited.get_many(boxes).on_error("skip"):
        assert_type(each, Box)
