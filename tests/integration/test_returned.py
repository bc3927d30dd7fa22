"""What writes give back of what was stored before: saves, updates, models with unique fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionError,
    ConditionFailed,
    MappingError,
    NoSuchItem,
    Session,
    Table,
    add,
    delete,
    field,
    if_not_exists,
    model,
    on_insert,
    partition_key,
    path,
    put,
    remove,
    set_,
)

APP = Table("returned-app", partition_key="pk", discriminator="kind")


@attrs.define
class Label:
    name: str = ""
    city: str | None = None


@model("returned-songs")
class Song:
    id: str = partition_key()
    plays: int = 0
    year: int | None = None
    genre: str = "none"
    tags: set[str] = attrs.field(factory=set)
    label: Label | None = None


@model("returned-papers")
class Paper:
    id: str = partition_key()
    text: str = ""
    version: int = field(version=True)


@model("returned-users")
class User:
    id: str = partition_key()
    mail: str | None = field(unique=True, default=None)
    visits: int = 0


@model(APP, pk="{name}")
class Cat:
    name: str
    lives: int = 9


@model(APP, pk="{name}")
class Dog:
    name: str
    tricks: int = 0


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, Paper, User, APP)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


# --- Saves ----------------------------------------------------------------------------------------


def test_a_save_gives_what_it_replaces(session: Session):
    assert session.save(Song("a", 1), returning=True) is None
    assert session.save(Song("a", 2), returning=True) == Song("a", 1)
    assert session.save(Song("a", 3), when=Song.plays == 2, returning=True) == Song("a", 2)
    with pytest.raises(ConditionFailed) as caught:
        session.save(Song("a", 4), when=Song.plays == 2, returning=True)
    assert caught.value.item == Song("a", 3)
    assert session.get(Song, "a", consistent=True) == Song("a", 3)


def test_a_save_through_a_batch_that_gives_something_is_done_at_once(session: Session):
    with session.batch() as batch:
        batch.save(Song("a", 1))
        assert batch.save(Song("a", 2), returning=True) == Song("a", 1)
        assert session.get(Song, "a", consistent=True) == Song("a", 2)


def test_a_save_of_a_version_gives_the_one_before(session: Session):
    paper = Paper("a", "one")
    assert session.save(paper, returning=True) is None
    paper.text = "two"
    assert session.save(paper, returning=True) == Paper("a", "one", 1)
    assert paper.version == 2
    with pytest.raises(ConditionFailed):
        session.save(Paper("a", "three", 1), returning=True)


def test_a_save_with_unique_fields_gives_what_it_replaces(session: Session):
    assert session.save(User("1", "a@x"), returning=True) is None
    assert session.save(User("1", "a@x", 1), returning=True) == User("1", "a@x")  # one PutItem
    assert session.save(User("1", "b@x", 2), returning=True) == User("1", "a@x", 1)
    session.save(User("2", "a@x"))
    with pytest.raises(AlreadyTaken):
        session.save(User("1", "a@x"), returning=True)
    assert session.get(User, "1", consistent=True) == User("1", "b@x", 2)


def test_a_save_over_an_item_of_another_model_gives_none(session: Session):
    session.save(Dog("rex", 3))

    assert session.save(Cat("rex"), returning=True) is None
    assert session.save(Cat("rex", 8), returning=True) == Cat("rex")


def test_a_replaced_item_that_cannot_be_read_is_told_after_the_save(session: Session):
    table = session.tables.describe(Song)["TableName"]
    session.client.put_item(TableName=table, Item={"id": {"S": "a"}, "plays": {"S": "many"}})

    with pytest.raises(MappingError, match="plays"):
        session.save(Song("a", 1), returning=True)
    assert session.get(Song, "a", consistent=True) == Song("a", 1)


# --- Updates --------------------------------------------------------------------------------------


def test_an_update_gives_the_old_values_of_what_it_changed(session: Session):
    session.save(Song("a", 3, tags={"demo"}, label=Label("x", "Ulm")))

    old = session.update(
        Song, "a", add(Song.plays, 1), set_(Song.year, 1965), add(Song.tags, {"live"}),
        remove(path(Song.label).city), returns="changed_old",
    )  # fmt: skip

    assert old == {
        "Song.plays": 3, "Song.year": None, "Song.tags": {"demo"}, "Song.label.city": "Ulm",
    }  # fmt: skip
    gone = session.update(Song, "a", delete(Song.tags, {"demo", "live"}), returns="changed_old")
    assert gone == {"Song.tags": {"demo", "live"}}
    assert session.update(Song, "a", add(Song.tags, {"x"}), returns="changed_old") == {
        "Song.tags": set()
    }


def test_the_old_values_of_an_item_that_was_made_are_none(session: Session):
    made = session.update(
        Song, "new", add(Song.plays, 1), add(Song.tags, {"x"}), upsert=True, returns="changed_old"
    )

    assert made == {"Song.plays": None, "Song.tags": set()}
    with pytest.raises(NoSuchItem):
        session.update(Song, "none", add(Song.plays, 1), returns="changed_old")


def test_an_update_of_a_unique_field_gives_the_old_item(session: Session):
    session.save(User("1", "a@x", 3))

    assert session.update(User, "1", set_(User.mail, "b@x"), returns="old") == User("1", "a@x", 3)
    changed = session.update(
        User, "1", set_(User.mail, "c@x"), add(User.visits, 1), returns="changed_old"
    )
    assert changed == {"User.mail": "b@x", "User.visits": 3}
    made = session.update(User, "2", set_(User.mail, "z@x"), upsert=True, returns="old")
    assert made is None
    changed = session.update(User, "3", set_(User.mail, "y@x"), upsert=True, returns="changed_old")
    assert changed == {"User.mail": None}
    assert session.get(User, "1", consistent=True) == User("1", "c@x", 4)


def test_the_old_item_is_the_one_that_was_replaced(session: Session, client: Any):
    """Another writer changes it between the read of the guards and the transaction."""
    session.save(User("1", "a@x", 1))
    table = session.tables.describe(User)["TableName"]
    done: list[object] = []

    def meddle(**_: Any) -> None:
        if not done:
            done.append(1)
            session.client.update_item(
                TableName=table, Key={"id": {"S": "1"}}, UpdateExpression="SET visits = :v",
                ExpressionAttributeValues={":v": {"N": "7"}},
            )  # fmt: skip

    events = client.meta.events
    events.register("before-call.dynamodb.TransactWriteItems", meddle)
    try:
        assert session.save(User("1", "b@x"), returning=True) == User("1", "a@x", 7)
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", meddle)


def test_an_unknown_word_is_refused_before_anything_is_sent(session: Session):
    for cls, action in ((Song, add(Song.plays, 1)), (User, set_(User.mail, "x"))):
        with pytest.raises(ConditionError, match="'changed_old' or None"):
            session.update(cls, "a", action, returns="changed_new")
    assert session.stats.requests["UpdateItem"] == 0


# --- On insert ------------------------------------------------------------------------------------


def test_what_is_for_a_new_item_is_left_alone_on_one_that_is_there(session: Session):
    actions = (add(Song.plays, 1), on_insert(set_(Song.genre, "jazz"), put(Song.year).to(1965)))

    assert session.update(Song, "a", *actions, upsert=True) == Song("a", 1, 1965, "jazz")
    session.update(Song, "a", set_(Song.genre, "soul"), remove(Song.year))
    assert session.update(Song, "a", *actions, upsert=True) == Song("a", 2, None, "soul")
    with session.batch() as batch:
        assert batch.update(Song, "b", *actions, upsert=True) == Song("b", 1, 1965, "jazz")
    with session.transaction() as t:
        t.update(Song, "a", *actions, upsert=True)
        t.update(Song, "c", *actions, upsert=True)
    assert session.get(Song, "a", consistent=True) == Song("a", 3, None, "soul")
    assert session.get(Song, "c", consistent=True) == Song("c", 1, 1965, "jazz")


def test_a_new_item_may_have_its_required_fields_from_on_insert(session: Session):
    assert session.update(
        User, "1", add(User.visits, 1), on_insert(set_(User.mail, "a@x")), upsert=True
    ) == User("1", "a@x", 1)
    again = add(User.visits, 1), on_insert(set_(User.mail, "a@x"))
    assert session.update(User, "1", *again, upsert=True) == User("1", "a@x", 2)
    with pytest.raises(AlreadyTaken):
        session.update(User, "2", *again, upsert=True)
    made = session.update(
        Song("d", 5), add(Song.plays, 1), on_insert(set_(Song.genre, "x")), upsert=True
    )
    assert made == Song("d", 6, None, "x")


def test_what_on_insert_cannot_be(session: Session):
    for actions, options, expected in (
        ([add(Song.plays, 1), on_insert(set_(Song.genre, "x"))], {}, "write upsert=True"),
        ([on_insert(set_(Song.genre, "x"))], {"upsert": True}, "alone changes nothing"),
        (
            [add(Song.plays, 1), on_insert(set_(Song.plays, 3))],
            {"upsert": True},
            "leave one of them out",
        ),
        ([add(Song.plays, 1), on_insert(set_(path(Song.id), "b"))], {"upsert": True}, "the key"),
    ):
        with pytest.raises(ConditionError, match=expected):
            session.update(Song, "a", *actions, **options)
    with pytest.raises(ConditionError, match="on_insert takes actions"):
        on_insert(put(Song.plays))  # type: ignore[arg-type]
    assert str(
        on_insert(set_(Song.plays, if_not_exists(Song.plays, 0) + 1), remove(Song.year))
    ) == ("on_insert(set_(Song.plays, if_not_exists(Song.plays, 0) + 1), remove(Song.year))")
    assert session.stats.total == 0
