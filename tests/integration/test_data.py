"""Real sample data: loaded into models, saved, read back equal, and dumped as it was.

The files are not part of the repository; `shared_data` knows where they are looked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from dynattrs import Session, Table, begins_with, field, mapper, model, partition_key, sort_key
from shared_data import guide_items, read

# --- The developer guide's tables -----------------------------------------------------------------


@model("ProductCatalog")
class Product:
    id: int = partition_key(name="Id")
    title: str = field(name="Title")
    price: int = field(name="Price")
    category: str = field(name="ProductCategory")
    # Books.
    isbn: str | None = field(name="ISBN", default=None)
    authors: list[str] | None = field(name="Authors", default=None)
    dimensions: str | None = field(name="Dimensions", default=None)
    pages: int | None = field(name="PageCount", default=None)
    in_publication: bool | None = field(name="InPublication", default=None)
    # Bicycles.
    description: str | None = field(name="Description", default=None)
    bicycle_type: str | None = field(name="BicycleType", default=None)
    brand: str | None = field(name="Brand", default=None)
    colours: list[str] | None = field(name="Color", default=None)


@model("Forum")
class Forum:
    name: str = partition_key(name="Name")
    category: str = field(name="Category")
    threads: int | None = field(name="Threads", default=None)
    messages: int | None = field(name="Messages", default=None)
    views: int | None = field(name="Views", default=None)


@model("Thread")
class Thread:
    forum: str = partition_key(name="ForumName")
    subject: str = sort_key(name="Subject")
    message: str = field(name="Message")
    last_by: str = field(name="LastPostedBy")
    last_at: str = field(name="LastPostedDateTime")
    views: int = field(name="Views")
    replies: int = field(name="Replies")
    answered: int = field(name="Answered")
    tags: list[str] = field(name="Tags")


@model("Reply")
class Reply:
    thread: str = partition_key(name="Id")
    at: str = sort_key(name="ReplyDateTime")
    message: str = field(name="Message")
    by: str = field(name="PostedBy")


@model("Reply")
class TimedReply:
    thread: str = partition_key(name="Id")
    at: datetime = sort_key(name="ReplyDateTime")
    message: str = field(name="Message")
    by: str = field(name="PostedBy")


@model("persons")
class Person:
    id: UUID = partition_key()
    first_name: str
    last_name: str
    email: str
    age: int
    # Optional without a default: None is stored as NULL, as it is in the file.
    phone: str | None
    city: str | None
    country: str | None
    occupation: str | None
    hobby: str | None


GUIDE = [(Product, "ProductCatalog"), (Forum, "Forum"), (Thread, "Thread"), (Reply, "Reply")]


def persons() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(read("persons.ddb.json"))
    return items


FILES: list[tuple[type[Any], Callable[[], list[dict[str, Any]]], int]] = [
    (Product, lambda: guide_items("ProductCatalog"), 8),
    (Forum, lambda: guide_items("Forum"), 2),
    (Thread, lambda: guide_items("Thread"), 3),
    (Reply, lambda: guide_items("Reply"), 4),
    (Person, persons, 500),
]


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def in_order(items: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)


@pytest.mark.parametrize(
    ("cls", "items", "count"), FILES, ids=lambda x: getattr(x, "__name__", None)
)
def test_a_file_loads_is_stored_and_comes_back(
    session: Session, client: Any, table_prefix: str, cls: Any, items: Any, count: int
):
    session.tables.create(cls)
    originals = items()
    objects = [mapper.load(item, cls) for item in originals]

    assert len(objects) == count
    assert [mapper.dump(each) for each in objects] == originals

    session.save_all(objects)

    assert len(session.scan(cls).all()) == count
    for each in objects:
        key = [getattr(each, name) for name in cls.__dynattrs__.key_fields]
        assert session.get(cls, tuple(key)) == each
    table = f"{table_prefix}{cls.__dynattrs__.table.name}"
    stored = [
        item
        for page in client.get_paginator("scan").paginate(TableName=table)
        for item in page["Items"]
    ]
    assert in_order(stored) == in_order(originals)


@pytest.mark.parametrize(
    ("cls", "items", "count"), FILES, ids=lambda x: getattr(x, "__name__", None)
)
def test_dynamodb_json_and_plain_json_keep_everything(cls: Any, items: Any, count: int):
    for item in items():
        made = mapper.load(item, cls)

        assert mapper.from_dynamodb_json(json.dumps(item), cls) == made
        assert mapper.from_dynamodb_json(mapper.to_dynamodb_json(made), cls) == made
        assert mapper.from_json(mapper.to_json(made), cls) == made


def test_times_that_others_wrote_are_read(session: Session):
    """They have milliseconds, which a key keeps until its field is changed."""
    first, *_ = [mapper.load(item, TimedReply) for item in guide_items("Reply")]

    assert first.at == datetime(2015, 9, 15, 19, 58, 22, 947000, tzinfo=timezone.utc)
    assert mapper.dump(first)["ReplyDateTime"] == {"S": "2015-09-15T19:58:22.947Z"}
    first.at += timedelta(seconds=1)
    assert mapper.dump(first)["ReplyDateTime"] == {"S": "2015-09-15T19:58:23.947000Z"}


def test_the_guides_questions(session: Session):
    session.tables.create(Thread, Reply)
    session.save_all(mapper.load(item, Thread) for item in guide_items("Thread"))
    session.save_all(mapper.load(item, Reply) for item in guide_items("Reply"))

    dynamodb = session.query(Thread).where(Thread.forum == "Amazon DynamoDB")
    assert [thread.subject for thread in dynamodb] == ["DynamoDB Thread 1", "DynamoDB Thread 2"]
    replies = session.query(Reply).where(
        Reply.thread == "Amazon DynamoDB#DynamoDB Thread 1", Reply.at > "2015-09-20"
    )
    assert replies.one().message == "DynamoDB Thread 1 Reply 2 text"


# --- A game: several classes in one table, plain JSON ---------------------------------------------

BATTLE = Table("battle-royale", partition_key="PK", sort_key="SK")


@model(BATTLE)
class Player:
    pk: str = field(name="PK")
    sk: str = field(name="SK")
    username: str
    name: str
    email: str
    address: str
    birthdate: date


@model(BATTLE)
class Game:
    pk: str = field(name="PK")
    sk: str = field(name="SK")
    game_id: UUID
    map: str
    create_time: str
    people: int
    creator: str
    open_timestamp: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    gold: str | None = None
    silver: str | None = None
    bronze: str | None = None


@model(BATTLE)
class Seat:
    pk: str = field(name="PK")
    sk: str = field(name="SK")
    game_id: UUID
    username: str
    place: str | None = None


def game_class(row: dict[str, Any]) -> type[Any]:
    if row["SK"].startswith("USER#"):
        return Seat
    return Player if row["PK"].startswith("USER#") else Game


def game_rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in read("game_player_items.json").splitlines()]


def test_the_games_items_load_are_stored_and_come_back(
    session: Session, client: Any, table_prefix: str
):
    session.tables.create(BATTLE)
    rows = game_rows()
    objects = [mapper.from_json(json.dumps(row), game_class(row)) for row in rows]

    assert len(objects) == 835
    assert [json.loads(mapper.to_json(each)) for each in objects] == rows

    with session.batch() as batch:
        for each in objects:
            batch.save(each)

    for each in objects[::20]:
        assert session.get(type(each), (each.pk, each.sk)) == each
    stored = [
        {name: next(iter(value.values())) for name, value in item.items()}
        for page in client.get_paginator("scan").paginate(TableName=f"{table_prefix}battle-royale")
        for item in page["Items"]
    ]
    for row in rows:
        if "people" in row:
            row["people"] = str(row["people"])
    assert in_order(stored) == in_order(rows)


def test_the_players_of_a_game(session: Session):
    session.tables.create(BATTLE)
    session.save_all(mapper.from_json(json.dumps(row), game_class(row)) for row in game_rows())
    game = "GAME#25cec5bf-e498-483e-9a00-a5f93b9ea7c7"

    seats = session.query(Seat).where(Seat.pk == game, begins_with(Seat.sk, "USER#")).all()

    assert {seat.username: seat.place for seat in seats if seat.place} == {
        "pboyd": "gold", "carrpatrick": "silver", "reidspencer": "bronze"
    }  # fmt: skip
