"""Updates and conditional writes on each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionFailed,
    GlobalIndex,
    ImpossibleCondition,
    ItemExists,
    NoSuchItem,
    Session,
    add,
    between,
    contains,
    delete,
    exists,
    field,
    if_not_exists,
    in_,
    list_append,
    model,
    not_exists,
    partition_key,
    path,
    put,
    remove,
    set_,
    sort_key,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


@attrs.define
class Label:
    name: str = field(name="n", default="")
    zip_code: str | None = field(name="zip", default=None)


@model("music", indexes=[GlobalIndex("by-genre", partition_key="genre")])
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str | None = None
    plays: int = field(name="play.count", default=0)
    year: int | None = None
    rank: int | None = 5
    tags: set[str] = attrs.field(factory=set)
    notes: list[str] = attrs.field(factory=list)
    scores: dict[str, int] = attrs.field(factory=dict)
    label: Label | None = None
    labels: list[Label] = attrs.field(factory=list)


@model("documents")
class Document:
    id: str = partition_key()
    text: str = ""
    version: int = field(version=True)
    made: datetime | None = field(created=True)
    changed: datetime | None = field(updated=True)


KEY = ("Nina", "Sinnerman")


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, Document)


@pytest.fixture
def session(client: Any, table_prefix: str, clock: Clock) -> Iterator[Session]:
    with_prefix = Session(client=client, table_prefix=table_prefix, clock=clock)
    yield with_prefix
    with_prefix.close()


@pytest.fixture
def song(session: Session) -> Song:
    return session.save(
        Song(
            *KEY, genre="jazz", plays=3, year=1965, tags={"live", "demo"}, notes=["a", "b"],
            scores={"x.y": 1}, label=Label("Philips", "1"), labels=[Label("P"), Label("V")],
        )
    )  # fmt: skip


def stored(session: Session) -> dict[str, Any]:
    """The item behind the library's back."""
    response = session.client.get_item(
        TableName=f"{session._core.table_prefix}music",
        Key={"artist": {"S": KEY[0]}, "title": {"S": KEY[1]}},
    )
    return dict(response.get("Item") or {})


def test_several_attributes_are_removed_at_once(session: Session, song: Song):
    changed = session.update(
        Song, KEY, remove(Song.year, Song.scores["x.y"], Song.notes[0]), returns="changed"
    )

    assert changed == {"Song.year": None, "Song.scores['x.y']": None, "Song.notes[0]": "b"}
    with session.transaction() as t:
        t.update(Song, KEY, remove(Song.genre, Song.label))
    assert session.get(Song, KEY) == attrs.evolve(
        song, year=None, scores={}, notes=["b"], genre=None, label=None
    )
    assert session.update(Song, ("Nina", "new"), remove(Song.year, Song.rank), upsert=True) == Song(
        "Nina", "new"
    )


def test_every_action_at_once(session: Session, song: Song):
    new = session.update(
        Song, KEY,
        set_(Song.plays, Song.plays + 4),
        set_(Song.notes, list_append(Song.notes, ["c"])),
        set_(path(Song.label).name, "Verve"),
        set_(Song.labels[1].zip_code, "9"),
        set_(Song.scores["größe"], 7),
        remove(Song.year),
        remove(Song.scores["x.y"]),
        delete(Song.tags, {"demo", "unknown"}),
        set_(Song.rank, None),
    )  # fmt: skip

    assert new == attrs.evolve(
        song, plays=7, notes=["a", "b", "c"], label=Label("Verve", "1"),
        labels=[Label("P"), Label("V", "9")], scores={"größe": 7}, year=None, tags={"live"},
        rank=None,
    )  # fmt: skip
    assert session.get(Song, KEY) == new
    item = stored(session)
    assert item["label"] == {"M": {"n": {"S": "Verve"}, "zip": {"S": "1"}}}
    assert item["rank"] == {"NULL": True}
    assert "year" not in item


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        (set_(Song.plays, 10 - Song.plays), {"plays": 7}),
        (set_(Song.plays, Song.plays - 5), {"plays": -2}),
        (set_(Song.plays, if_not_exists(Song.plays, 0) + 1), {"plays": 4}),
        (set_(Song.plays, Song.plays + Song.scores["x.y"]), {"plays": 4}),
        (set_(Song.rank, if_not_exists(Song.rank, 9)), {}),
        (set_(Song.year, Song.plays), {"year": 3}),
        (set_(Song.notes, list_append(["0"], Song.notes)), {"notes": ["0", "a", "b"]}),
        (set_(Song.notes[1], "x"), {"notes": ["a", "x"]}),
        (set_(Song.notes[9], "x"), {"notes": ["a", "b", "x"]}),
        (remove(Song.notes[0]), {"notes": ["b"]}),
        (remove(Song.labels[0]), {"labels": [Label("V")]}),
        (set_(Song.label, Label("X")), {"label": Label("X")}),
        (set_(Song.label, None), {"label": None}),
        (set_(path(Song.label).zip_code, None), {"label": Label("Philips")}),
        (set_(Song.tags, {"x"}), {"tags": {"x"}}),
        (set_(Song.tags, set()), {"tags": set()}),
        (set_(Song.genre, None), {"genre": None}),
        (add(Song.plays, -1), {"plays": 2}),
        pytest.param(
            add(Song.tags, {"new", "live"}), {"tags": {"live", "demo", "new"}}, id="add two tags"
        ),
        (add(Song.scores["x.y"], 2), {"scores": {"x.y": 3}}),
        pytest.param(delete(Song.tags, {"live", "demo"}), {"tags": set()}, id="delete all tags"),
        (remove(Song.rank), {"rank": 5}),
    ],
    ids=str,
)
def test_each_action(session: Session, song: Song, action: Any, changes: dict[str, Any]):
    new = session.update(Song, KEY, action)

    assert new == attrs.evolve(song, **changes)
    assert session.get(Song, KEY) == new


def test_an_emptied_set_can_be_added_to_again(session: Session, song: Song):
    session.update(Song, KEY, set_(Song.tags, set()))

    assert session.update(Song, KEY, add(Song.tags, {"x"})).tags == {"x"}


def test_what_is_returned(session: Session, song: Song):
    old = session.update(Song, KEY, set_(Song.plays, 9), returns="old")
    changed = session.update(
        Song, KEY, set_(Song.plays, Song.plays + 1), set_(path(Song.label).zip_code, "2"),
        remove(Song.year), delete(Song.tags, {"live", "demo"}), returns="changed",
    )  # fmt: skip

    assert old == song
    assert changed == {
        "Song.plays": 10, "Song.label.zip_code": "2", "Song.year": None, "Song.tags": set()
    }  # fmt: skip
    assert session.update(Song, KEY, remove(Song.rank), returns=None) is None


def test_an_update_of_a_missing_item_makes_no_fragment(session: Session):
    """An update of an item that is gone creates one that cannot be read, elsewhere."""
    for when in (None, Song.plays > 1):
        with pytest.raises(NoSuchItem) as caught:
            session.update(Song, KEY, set_(Song.plays, 1), when=when)
        assert caught.value.key == {"artist": "Nina", "title": "Sinnerman"}
    assert stored(session) == {}


def test_an_upsert_makes_it(session: Session):
    made = session.update(Song, KEY, add(Song.plays, 1), upsert=True)
    again = session.update(Song, KEY, add(Song.plays, 1), upsert=True, returns="old")

    assert made == Song(*KEY, plays=1)
    assert again == made
    assert session.get_one(Song, KEY).plays == 2


def test_the_old_item_of_an_upsert_that_made_one_is_none(session: Session):
    assert session.update(Song, KEY, add(Song.plays, 1), upsert=True, returns="old") is None


@pytest.mark.parametrize("upsert", [False, True])
def test_a_missing_item_and_a_false_condition_are_told_apart(session: Session, upsert: bool):
    """The same way whether or not the item would be made."""
    for when in (exists(Song.year), Song.plays > 1):
        with pytest.raises(NoSuchItem) as caught:
            session.update(Song, KEY, set_(Song.plays, 1), upsert=upsert, when=when)
        assert caught.value.key == {"artist": "Nina", "title": "Sinnerman"}
    assert stored(session) == {}

    song = session.save(Song(*KEY))
    with pytest.raises(ConditionFailed) as found:
        session.update(Song, KEY, set_(Song.plays, 1), upsert=upsert, when=exists(Song.year))
    assert found.value.item == song


def test_an_upsert_under_a_condition_that_is_true_of_nothing(session: Session):
    when = not_exists(Song.year)

    assert session.update(Song, KEY, add(Song.plays, 1), upsert=True, when=when).plays == 1
    assert session.update(Song, KEY, add(Song.plays, 1), upsert=True, when=when).plays == 2


def test_a_false_condition_has_the_item_that_was_found(session: Session, song: Song):
    with pytest.raises(ConditionFailed) as caught:
        session.update(Song, KEY, set_(Song.plays, 1), when=Song.plays > 5)

    assert caught.value.item == song
    assert caught.value.condition == "Song.plays > 5"
    assert stored(session)["play.count"] == {"N": "3"}


def test_a_true_condition_writes(session: Session, song: Song):
    when = contains(Song.tags, "live") & (path(Song.label).zip_code == "1")

    assert session.update(Song, KEY, set_(Song.plays, 1), when=when).plays == 1


def test_unknown_attributes_survive_an_update(session: Session, song: Song):
    session.client.update_item(
        TableName=f"{session._core.table_prefix}music",
        Key={"artist": {"S": KEY[0]}, "title": {"S": KEY[1]}},
        UpdateExpression="SET extra = :x",
        ExpressionAttributeValues={":x": {"S": "kept"}},
    )

    session.save(session.update(Song, KEY, set_(Song.plays, 1)))

    assert stored(session)["extra"] == {"S": "kept"}


def test_an_update_in_a_batch_comes_after_what_was_saved(session: Session):
    with session.batch() as batch:
        batch.save(Song(*KEY, plays=1))
        assert batch.update(Song, KEY, set_(Song.plays, Song.plays + 1)).plays == 2


# --- Versions and time stamps -------------------------------------------------------------------


def test_an_update_by_key_raises_the_version_from_what_is_stored(session: Session, clock: Clock):
    """Updating an unread object resets the version to 1, elsewhere."""
    document = session.save(Document("a", "one"))
    session.save(document)
    clock.now += timedelta(hours=1)

    new = session.update(Document, "a", set_(Document.text, "two"))

    assert new == Document("a", "two", 3, NOON, NOON + timedelta(hours=1))
    with pytest.raises(ConditionFailed):
        session.save(document)


def test_an_update_of_an_object_checks_its_version(session: Session):
    mine = session.save(Document("a", "one"))
    other = session.get_one(Document, "a")
    assert session.update(other, set_(Document.text, "other")).version == 2

    for _ in range(2):
        with pytest.raises(ConditionFailed) as caught:
            session.update(mine, set_(Document.text, "mine"))
        assert caught.value.item.text == "other"

    assert (mine.version, mine.text) == (1, "one")
    session.update(caught.value.item, set_(Document.text, "mine"))
    assert session.get_one(Document, "a").text == "mine"


def test_an_upsert_of_a_versioned_model_begins_at_one(session: Session):
    new = session.update(Document, "a", set_(Document.text, "x"), upsert=True)

    assert new == Document("a", "x", 1, NOON, NOON)
    session.save(new)


# --- Other conditional writes ---------------------------------------------------------------------


def test_a_conditional_save(session: Session, song: Song):
    changed = attrs.evolve(song, plays=4)
    session.save(changed, when=Song.plays == 3)

    with pytest.raises(ConditionFailed) as caught:
        session.save(attrs.evolve(song, plays=9), when=Song.plays == 3)

    assert caught.value.item == changed
    assert session.get(Song, KEY) == changed


def test_a_conditional_save_where_there_is_nothing(session: Session):
    with pytest.raises(ConditionFailed, match="the item does not exist") as caught:
        session.save(Song(*KEY), when=exists(Song.plays))

    assert caught.value.item is None


def test_a_conditional_delete(session: Session, song: Song):
    with pytest.raises(ConditionFailed) as caught:
        session.delete(Song, KEY, when=Song.plays > 3)
    assert caught.value.item == song

    assert session.delete(Song, KEY, when=Song.plays == 3, returning=True) == song
    assert session.delete(Song, KEY, returning=True) is None


def test_an_insert_finds_what_is_there(session: Session, song: Song):
    with pytest.raises(ItemExists) as caught:
        session.insert(Song(*KEY))

    assert caught.value.item == song
    assert session.insert(Song("Nina", "other")) == session.get(Song, ("Nina", "other"))


def test_an_item_found_that_cannot_be_read_comes_as_it_is_stored(session: Session, song: Song):
    session.client.update_item(
        TableName=f"{session._core.table_prefix}music",
        Key={"artist": {"S": KEY[0]}, "title": {"S": KEY[1]}},
        UpdateExpression="SET #p = :x",
        ExpressionAttributeNames={"#p": "play.count"},
        ExpressionAttributeValues={":x": {"S": "many"}},
    )

    with pytest.raises(ConditionFailed) as caught:
        session.update(Song, KEY, remove(Song.rank), when=Song.year == 1)

    assert caught.value.item["play.count"] == {"S": "many"}


def test_a_condition_that_is_false_without_asking_sends_nothing(session: Session, song: Song):
    """And says nothing of the item, of which nothing is known."""
    before = session.stats.total

    def check() -> None:
        with session.transaction() as t:
            t.check(Song, KEY, between(Song.plays, 3, 1))

    def upsert_in_transaction() -> None:
        with session.transaction() as t:
            t.update(Song, KEY, remove(Song.rank), when=in_(Song.plays, []), upsert=True)

    for write in (
        lambda: session.update(Song, KEY, remove(Song.rank), when=in_(Song.plays, [])),
        lambda: session.update(
            Song, KEY, remove(Song.rank), when=between(Song.plays, 3, 1), upsert=True
        ),
        lambda: session.save(song, when=in_(Song.plays, [])),
        lambda: session.delete(song, when=between(Song.plays, 3, 1)),
        check,
        upsert_in_transaction,
    ):
        with pytest.raises(ImpossibleCondition, match="is false of every item") as caught:
            write()
        assert caught.value.item is None
        assert "does not exist" not in str(caught.value)

    assert session.stats.total == before


def test_put_to_is_set_in_every_place(session: Session, song: Song):
    """It differs in nothing but what checkers know."""
    key = ("Nina", "New")
    actions = (put(Song.plays).to(if_not_exists(Song.plays, 0) + 1), put(Song.year).to(None))

    changed = session.update(Song, KEY, *actions, put(path(Song.label).zip_code).to("2"))
    with session.transaction() as t:
        t.update(song, put(Song.notes).to(list_append(Song.notes, ["c"])))
        t.update(Song, key, *actions, put(Song.tags).to({"live"}), upsert=True)

    assert (changed.plays, changed.year, changed.label) == (4, None, Label("Philips", "2"))
    assert session.get_one(Song, KEY).notes == ["a", "b", "c"]
    assert session.get_one(Song, key) == Song(*key, plays=1, tags={"live"})
    with pytest.raises(ImpossibleCondition):
        session.update(Song, KEY, put(Song.plays).to(1), when=in_(Song.plays, []))
