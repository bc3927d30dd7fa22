"""What people see in a shell and in a notebook: sessions and what they give, the first rows of a query."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from dynattrs import QueryError, Session, SessionClosed, Table, model, set_, sort_key
from dynattrs import partition_key as partition


class Mood(enum.Enum):
    LOUD = "loud"


@attrs.define
class Label:
    name: str


@model("songs")
class Song:
    artist: str = partition()
    title: str = sort_key()
    plays: int = 0
    tags: set[str] = attrs.field(factory=set)
    cover: bytes = b""
    mood: Mood | None = None
    label: Label | None = None
    price: Decimal | None = None
    day: dt.date | None = None


app = Table("app", partition_key="pk", sort_key="sk")


@model(app, pk="USER#{user_id}", sk="A")
class User:
    user_id: str
    name: str


@model(app, pk="USER#{user_id}", sk="ORDER#{number}")
class Order:
    user_id: str
    number: int
    total: Decimal


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, User)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.fixture
def songs(session: Session) -> Any:
    session.save_all(Song("Nina Simone", f"T{number}", number) for number in range(5))
    return session.query(Song).where(Song.artist == "Nina Simone")


# --- Looking at a query -----------------------------------------------------------------------------


def test_looking_at_a_query_asks_nothing(session: Session, songs: Any):
    before = session.stats.total

    assert repr(songs.limit(3)) == "<query(Song).where(Song.artist == 'Nina Simone').limit(3)>"
    html = songs._repr_html_()

    assert session.stats.total == before
    assert "query(Song).where(Song.artist == &#x27;Nina Simone&#x27;)" in html
    assert "operation: query" in html
    assert ".preview()" in html


def test_a_query_that_cannot_be_sent_says_why_in_a_notebook(session: Session):
    html = session.query(Song).where(Song.plays > 3)._repr_html_()

    assert "NoIndex: a query for Song needs an equality on a partition key" in html
    assert ".preview()" not in html


# --- Previews ---------------------------------------------------------------------------------------


def test_a_preview_is_the_first_items_as_a_table(session: Session, songs: Any):
    found = songs.select(Song.title, Song.plays).preview(3)

    assert repr(found) == (
        "Song.title  Song.plays\n"
        "----------  ----------\n"
        "T0          0\n"
        "T1          1\n"
        "T2          2\n"
        "(the first 3 items; there are more)"
    )
    assert list(found) == [("T0", 0), ("T1", 1), ("T2", 2)]
    assert found.more


@pytest.mark.parametrize(
    ("count", "limit", "shown", "more"),
    [
        (5, None, 5, False),
        (9, None, 5, False),
        (4, None, 4, True),
        (4, 4, 4, False),
        (9, 2, 2, False),
    ],
)
def test_a_preview_says_whether_there_are_more(
    songs: Any, count: int, limit: int | None, shown: int, more: bool
):
    found = (songs if limit is None else songs.limit(limit)).preview(count)

    assert (len(found), found.more) == (shown, more)
    assert ("there are more" in repr(found)) is more


def test_a_preview_reads_no_more_than_it_shows_and_one(session: Session, songs: Any):
    before = session.stats.scanned

    songs.preview(2)

    assert session.stats.scanned - before == 3


def test_a_preview_of_nothing(session: Session, songs: Any):
    found = session.query(Song).where(Song.artist == "Unknown").preview()

    assert repr(found) == "(no items)"
    assert found._repr_html_().startswith("<table><thead><tr></tr></thead><tbody></tbody></table>")


@pytest.mark.parametrize("count", [0, -1, True, 2.0])
def test_a_preview_of_no_number_is_refused(songs: Any, count: Any):
    with pytest.raises(QueryError, match=r"preview\(.*a positive int is expected"):
        songs.preview(count)


def test_html_escapes_values_and_shows_each_type_readably(session: Session):
    session.save(
        Song(
            "a", "<script>alert('x')</script>", 3, {"b", "a"}, b"\x00" * 500, Mood.LOUD,
            Label("<i>"), Decimal("1.5"), dt.date(2026, 1, 2),
        )
    )  # fmt: skip

    html = session.query(Song).where(Song.artist == "a").preview()._repr_html_()

    head = ["artist", "title", "plays", "tags", "cover", "mood", "label", "price", "day"]
    assert html.startswith(
        f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead>"
    )
    cells = html.partition("<tbody>")[2].partition("</tbody>")[0]
    assert "<script>" not in html
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in cells
    assert "<td>{&#x27;a&#x27;, &#x27;b&#x27;}</td>" in cells
    assert "(500 bytes)</td>" in cells
    assert "<td>Mood.LOUD</td><td>Label(name=&#x27;&lt;i&gt;&#x27;)</td>" in cells
    assert "<td>1.5</td><td>2026-01-02</td>" in cells


def test_long_values_are_cut(session: Session):
    session.save(Song("a", "t" * 1000, tags={f"tag {number}" for number in range(100)}))
    query = session.query(Song).where(Song.artist == "a")

    assert len(repr(query.preview())) < 500
    assert len(query.preview()._repr_html_()) < 1000


def test_text_that_cannot_be_seen_does_not_tear_the_table(session: Session):
    session.save(Song("a", "one\ntwo"))

    found = repr(session.query(Song).where(Song.artist == "a").preview())

    assert len(found.splitlines()) == 4
    assert "'one\\ntwo'" in found


def test_several_models_have_a_column_of_their_classes(session: Session):
    session.save(User("1", "Ann"))
    session.save(Order("1", 7, Decimal("9.5")))

    found = session.query(User, Order).where(User.user_id == "1").preview()

    assert [line.split() for line in repr(found).splitlines()] == [
        ["class", "user_id", "name", "number", "total"],
        ["-----", "-------", "----", "------", "-----"],
        ["User", "1", "Ann"],
        ["Order", "1", "7", "9.5"],
        ["(2", "items)"],
    ]


def test_groups_are_shown_as_a_table(session: Session):
    session.save(User("1", "Ann"))
    session.save(Order("1", 7, Decimal("9.5")))

    groups = session.query(User, Order).where(User.user_id == "1").group_by_type()

    assert repr(groups) == "<Groups User: 1, Order: 1>"
    assert "<td>Order</td><td>1</td><td></td><td>7</td><td>9.5</td>" in groups._repr_html_()


def test_keys_and_attribute_maps_have_tables_too(session: Session, songs: Any):
    assert repr(songs.keys().preview(1)).startswith("artist       title\n")
    assert "{'S': 'T0'}" in repr(songs.raw().preview(1))


# --- Pages ------------------------------------------------------------------------------------------


def test_a_page_is_shown_without_most_of_its_items(songs: Any):
    page, last = songs.page(4), songs.page(9)

    assert repr(page).startswith("<Page of 4: [Song(artist='Nina Simone', title='T0'")
    assert "… 1 more], cursor='" in repr(page)
    assert page.cursor not in repr(page)
    assert f"<p>4 items; cursor <code>{page.cursor}</code></p>" in page._repr_html_()
    assert page._repr_html_().count("<tr>") == 5
    assert "cursor=None" in repr(last)
    assert "the data end here" in last._repr_html_()


# --- Sessions and what they give ----------------------------------------------------------------------


def test_a_session_shows_where_it_is_and_never_who(
    session: Session, client: Any, table_prefix: str, client_arguments: dict[str, Any]
):
    shown = repr(session)

    assert f"region='{client.meta.region_name}' endpoint='{client.meta.endpoint_url}'" in shown
    assert f"table_prefix='{table_prefix}' open>" in shown
    assert client_arguments.get("aws_secret_access_key", "no secret") not in shown
    assert repr(session.tables) == f"<tables of {shown}>"

    other = Session(client=client, tables={"songs": "elsewhere"})
    other.close()
    assert repr(other).endswith("tables={'songs': 'elsewhere'} closed>")
    with pytest.raises(SessionClosed):
        other.get(Song, ("a", "b"))


def test_a_batch_shows_what_it_holds(session: Session):
    made = session.batch()
    assert repr(made).endswith("Batch not begun>")

    with made as batch:
        batch.save(Song("a", "1"))
        batch.save(Song("a", "2"))

        assert repr(batch).endswith("Batch 2 pending, open>")
        assert " batches=1 open>" in repr(session)
        batch.flush()
        assert repr(batch).endswith(", open>") or repr(batch).endswith("Batch open>")
    assert "pending" not in repr(made)
    assert repr(made).endswith("ended>")


def test_a_transaction_shows_its_actions(session: Session):
    session.save(Song("a", "1"))
    session.save(Song("a", "2"))
    made = session.transaction()
    assert repr(made).endswith("Transaction of 0 actions; not begun>")

    with made as transaction:
        transaction.insert(Song("b", "1"))
        transaction.update(Song, ("a", "1"), set_(Song.plays, Song.plays + 1))
        shown = repr(transaction)

        assert "Transaction of 2 actions: insert(Song {'artist': 'b', 'title': '1'})" in shown
        assert "set_(Song.plays, Song.plays + 1)); open>" in shown
        transaction.delete(Song, ("a", "2"))
    assert "of 3 actions: " in repr(made)
    assert repr(made).endswith("; ended>")


def test_streams_statements_and_edits_show_what_was_asked(session: Session, table_prefix: str):
    song = session.save(Song("a", "1"))

    stream = session.get_many(Song, [("a", "1"), ("a", "2")], missing="none", consistent=True)
    assert repr(stream) == "<get_many(Song, missing='none', consistent=True), not begun>"
    assert list(stream) == [song, None]
    assert repr(stream).endswith(", begun, 1 missing so far>")

    statement = f'SELECT * FROM "{table_prefix}songs" WHERE artist = ?'
    rows = session.execute(statement, "a", model=Song)
    assert repr(rows) == f"<execute({statement!r}), 1 parameter>"

    editing = session.edit(song)
    assert "Editing of Song(artist='a', title='1'" in repr(editing)
    with editing:
        pass
