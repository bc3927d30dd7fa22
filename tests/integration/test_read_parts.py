"""Parts of items by their keys, and keys of several models and tables, on each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from dynattrs import (
    MappingError,
    NoSuchItem,
    OtherKind,
    QueryError,
    Session,
    Table,
    TransactionError,
    field,
    model,
    partition_key,
    sort_key,
)


@attrs.define
class Address:
    city: str
    zip: str = ""


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = field(name="played", default=0)
    year: int | None = None
    tags: set[str] = attrs.field(factory=set)
    label: Address | None = None
    notes: str = ""


@model("albums")
class Album:
    id: bytes = partition_key()
    title: str
    plays: int = 0


@attrs.define
class Heard:
    title: str
    plays: int


app = Table("app", partition_key="pk", sort_key="sk", discriminator="type", ttl="expires")


@model(app, pk="USER#{name}", sk="USER")
class User:
    name: str
    plays: int = 0
    title: str = "no title"


@model(app, pk="USER#{user}", sk="ORDER#{number:04d}")
class Order:
    user: str
    number: int
    title: str = ""
    plays: int = 0
    expires: datetime | None = field(ttl=True, default=None)


def counted(item: dict[str, Any]) -> None:
    item["count"] = int(item.pop("many"))


@model("counted", upgrades=[counted])
class Counted:
    id: str = partition_key()
    count: int
    title: str = ""


MODELS = (Song, Album, User, Order, Counted)
SINNERMAN = Song("Nina", "Sinnerman", 3, 1965, {"live"}, Address("New York"), "long")
KEY = ("Nina", "Sinnerman")


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(*MODELS)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with_prefix = Session(client=client, table_prefix=table_prefix)
    yield with_prefix
    with_prefix.close()


# --- One item -------------------------------------------------------------------------------------


def test_a_tuple_of_some_fields(session: Session):
    session.save(SINNERMAN)

    assert session.get(Song, KEY, select=(Song.title, Song.plays)) == ("Sinnerman", 3)
    assert session.get_one(Song, KEY, select=(Song.tags,), consistent=True) == ({"live"},)
    assert session.get(Song, KEY, select=(Song.label, Song.label.city)) == (
        Address("New York"), "New York",
    )  # fmt: skip
    assert session.get(Song, ("Nina", "none"), select=(Song.title,)) is None


def test_what_is_absent_is_the_default_of_the_field(session: Session):
    session.save(Song("Nina", "Sinnerman"))

    fields = (Song.year, Song.tags, Song.label, Song.label.city)
    assert session.get(Song, KEY, select=fields) == (None, set(), None, None)


def test_an_object_of_another_class(session: Session):
    session.save(SINNERMAN)

    assert session.get(Song, KEY, as_=Heard) == Heard("Sinnerman", 3)
    assert session.get(Song, ("Nina", "none"), as_=Heard) is None
    with pytest.raises(NoSuchItem, match="Song"):
        session.get_one(Song, ("Nina", "none"), as_=Heard)


@pytest.mark.threads_only
def test_only_what_is_needed_is_sent(session: Session, client: Any):
    session.save(SINNERMAN)
    sent: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda params, **_: sent.append(params)
    )

    session.get(Song, KEY, as_=Heard)

    names = sent[0]["ExpressionAttributeNames"]
    asked = {
        names.get(each.strip(), each.strip()) for each in sent[0]["ProjectionExpression"].split(",")
    }
    assert asked == {"artist", "title", "played"}


def test_the_fields_of_a_key_template(session: Session):
    session.save(Order("ann", 7, "books"))

    assert session.get(Order, ("ann", 7), select=(Order.number, Order.title)) == (7, "books")
    assert session.get(Order, ("ann", 7), select=(Order.user,)) == ("ann",)


@pytest.mark.parametrize("part", [{"as_": Heard}, {"select": (User.title,)}], ids=["as_", "select"])
def test_an_item_of_another_kind_is_none_of_the_models(
    session: Session, table_prefix: str, part: dict[str, Any]
):
    item = {
        "pk": {"S": "USER#ann"},
        "sk": {"S": "USER"},
        "type": {"S": "Robot"},
        "title": {"S": "x"},
    }
    session.client.put_item(TableName=f"{table_prefix}app", Item=item)

    with pytest.raises(OtherKind):
        session.get(User, "ann", **part)
    with pytest.raises(OtherKind):
        session.transact_get((User, "ann"), **part)
    with pytest.raises(OtherKind):
        session.get_many(User, ["ann"], **part).all()


def test_an_item_of_an_older_schema_is_brought_up_to_date(session: Session, table_prefix: str):
    old = {"id": {"S": "a"}, "many": {"S": "12"}}
    session.client.put_item(TableName=f"{table_prefix}counted", Item=old)

    assert session.get(Counted, "a", select=(Counted.count,)) == (12,)


def test_an_expired_item_is_none(session: Session):
    past = datetime.now(timezone.utc) - timedelta(days=1)
    session.save(Order("ann", 1, "old", expires=past))
    session.save(Order("ann", 2, "new"))
    keys = [("ann", 1), ("ann", 2)]

    title = (Order.title,)
    assert session.get(Order, keys[0], select=title) == ("old",)
    assert session.get(Order, keys[0], select=title, unexpired=True) is None
    found = session.get_many(Order, keys, select=title, unexpired=True)
    assert found.all() == [("new",)]
    assert found.missing == keys[:1]


def test_what_cannot_be_read_names_the_field_and_the_key(session: Session, table_prefix: str):
    item = {"artist": {"S": "Nina"}, "title": {"S": "Sinnerman"}, "played": {"S": "many"}}
    session.client.put_item(TableName=f"{table_prefix}music", Item=item)

    with pytest.raises(MappingError, match="plays") as caught:
        session.get(Song, KEY, select=(Song.plays,))
    assert caught.value.key == {"artist": {"S": "Nina"}, "title": {"S": "Sinnerman"}}
    with pytest.raises(MappingError, match="plays"):
        session.get(Song, KEY, as_=Heard)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"select": Song.title}, r"write select=\(Song"),
    ({"select": [Song.title]}, "a tuple of fields is expected"),
    ({"select": ()}, "at least one field"),
    ({"select": ("title",)}, "a field such as Song"),
    ({"select": (Album.title,)}, "it is a field of Album"),
    ({"select": (Song.title,), "as_": Heard}, "give one of them"),
    ({"as_": int}, "a class with fields is expected"),
    ({"as_": "Heard"}, "a class with fields is expected"),
    ({"as_": Address}, "Address.city is not a field of Song"),
    ({"as_": Song}, "would erase the rest of the item"),
]


@pytest.mark.parametrize(("part", "problem"), WRONG)
def test_what_no_part_can_be_is_refused_before_sending(
    session: Session, part: dict[str, Any], problem: str
):
    for read in (
        lambda: session.get(Song, KEY, **part),
        lambda: session.get_one(Song, KEY, **part),
        lambda: session.get_many(Song, [KEY], **part),
        lambda: session.transact_get((Song, KEY), **part),
    ):
        with pytest.raises(QueryError, match=problem):
            read()
    assert not session.stats.total


def test_a_model_of_the_same_table_is_no_projection(session: Session):
    """A half-read object must never be saved back."""

    @model("music")
    class Name:
        artist: str = partition_key()
        title: str = sort_key()

    for read in (
        lambda: session.get(Song, KEY, as_=Name),
        lambda: session.query(Song).where(Song.artist == "Nina").as_(Name),
    ):
        with pytest.raises(QueryError, match="saving what was read in part would erase"):
            read()


def test_a_batch_stores_first_what_it_has_for_the_key(session: Session):
    with session.batch() as batch:
        batch.save(SINNERMAN)

        assert batch.get(Song, KEY, select=(Song.plays,), consistent=True) == (3,)
        batch.save(attrs.evolve(SINNERMAN, plays=4))
        assert batch.transact_get((Song, KEY), as_=Heard) == (Heard("Sinnerman", 4),)
        batch.save(attrs.evolve(SINNERMAN, plays=5))
        album = Album(b"\x00\xff", "Pastel Blues", 9)
        batch.save(album)
        found = batch.get_many(
            [(Album, album.id), (Song, KEY)], as_=Heard, consistent=True, ordered=True
        )
        assert found.all() == [Heard("Pastel Blues", 9), Heard("Sinnerman", 5)]


# --- At one moment --------------------------------------------------------------------------------


def test_parts_of_several_models_at_one_moment(session: Session):
    session.save(SINNERMAN)
    session.save(User("ann", 8, "Dr"))

    wanted = [(User, "ann"), (Song, KEY), (User, "bob")]
    assert session.transact_get(*wanted, as_=Heard) == (Heard("Dr", 8), Heard("Sinnerman", 3), None)
    assert session.transact_get((User, "ann"), (User, "bob"), select=(User.plays,)) == ((8,), None)
    with pytest.raises(TransactionError, match="101 items"):
        session.transact_get(*[(User, str(n)) for n in range(101)], select=(User.plays,))


# --- Many ------------------------------------------------------------------------------------------


def test_parts_of_many_items(session: Session):
    songs = [Song("Nina", f"{n:03}", n) for n in range(130)]
    session.save_all(songs)
    keys = [("Nina", song.title) for song in songs]

    found = session.get_many(Song, keys, select=(Song.plays, Song.title), ordered=True)
    assert found.all() == [(song.plays, song.title) for song in songs]
    rows = session.get_many(Song, [*keys[:2], ("Nina", "x")], as_=Heard, missing="none")
    assert list(rows) == [Heard("000", 0), Heard("001", 1), None]
    assert session.stats.requests["BatchGetItem"] == 3


def test_keys_of_several_models_and_tables(session: Session):
    songs = [Song("Nina", f"{n:03}", n) for n in range(70)]
    orders = [Order("ann", n) for n in range(70)]
    user = User("ann", 3)
    albums = [Album(bytes([n]), f"{n}") for n in range(20)]
    session.save_all([*songs, *orders, user, *albums])
    wanted = [
        *((Order, (each.user, each.number)) for each in orders),
        (User, "ann"),
        (User, "bob"),
        *((Song, (each.artist, each.title)) for each in songs),
        (Song, ("Nina", "none")),
        *((Album, each.id) for each in albums),
        (Song, ("Nina", "000")),
    ]
    everything = [*orders, user, None, *songs, None, *albums]

    found = session.get_many(iter(wanted), missing="none")
    assert list(found) == everything
    assert found.missing == [(User, "bob"), (Song, ("Nina", "none"))]
    assert session.stats.requests["BatchGetItem"] == 2
    found = session.get_many(wanted, ordered=True, consistent=True)
    assert found.all() == [each for each in everything if each is not None]
    unordered = session.get_many(wanted).all()
    assert sorted(map(repr, unordered)) == sorted(repr(e) for e in everything if e is not None)


def test_models_of_one_table_need_different_attributes(session: Session):
    session.save_all([User("ann", 3, "Dr"), Order("ann", 1, "books", 5)])

    found = session.get_many([(User, "ann"), (Order, ("ann", 1))], as_=Heard, ordered=True)
    assert found.all() == [Heard("Dr", 3), Heard("books", 5)]


def test_one_item_is_not_asked_for_as_two_models(session: Session):
    @model(app, pk="USER#{name}", sk="USER", kind="User2")
    class Other:
        name: str

    with pytest.raises(QueryError, match="asked for as User and as Other"):
        session.get_many([(User, "ann"), (User, "ann"), (Other, "ann")]).all()


@pytest.mark.parametrize(
    "wanted", [Song, [Song], [(Song,)], [(Song, KEY, 1)], ["ab"], 7, None, [[Song, KEY]]], ids=str
)
def test_what_is_no_pair_of_a_model_and_a_key(session: Session, wanted: Any):
    with pytest.raises(QueryError, match="get_many"):
        session.get_many(wanted).all()


# --- What cannot be read ---------------------------------------------------------------------------


def test_what_cannot_be_read_is_raised_left_out_or_told(session: Session, table_prefix: str):
    session.save_all([Song("Nina", "a", 1), Song("Nina", "c", 3)])
    broken = {"artist": {"S": "Nina"}, "title": {"S": "b"}, "played": {"S": "many"}}
    session.client.put_item(TableName=f"{table_prefix}music", Item=broken)
    keys = [("Nina", title) for title in "abcd"]

    with pytest.raises(MappingError, match="plays"):
        session.get_many(Song, keys).all()
    found = session.get_many(Song, keys, ordered=True).on_error("skip")
    assert [song.title for song in found] == ["a", "c"]
    assert found.missing == keys[3:]
    told: list[MappingError] = []
    rows = session.get_many(Song, keys, as_=Heard, missing="none").on_error(told.append)
    assert rows.all() == [Heard("a", 1), None, Heard("c", 3), None]
    assert rows.missing == keys[3:]
    assert [error.item for error in told] == [broken]


def test_on_error_is_said_first(session: Session):
    found = session.get_many(Song, [KEY])
    assert found.all() == []

    with pytest.raises(QueryError, match="before you read the first item"):
        found.on_error("skip")
    with pytest.raises(QueryError, match="write 'raise', 'skip' or a function"):
        session.get_many(Song, [KEY]).on_error("ignore")  # type: ignore[arg-type]


def test_all_gives_what_is_still_to_come(session: Session):
    songs = [Song("Nina", f"{n:03}", n) for n in range(5)]
    session.save_all(songs)
    found = session.get_many(Song, [("Nina", song.title) for song in songs], ordered=True)

    assert found.all() == songs
    assert found.all() == []
