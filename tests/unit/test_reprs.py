"""What people see of declarations and sessions, without an engine."""

from __future__ import annotations

import enum
import threading
from typing import Any

import attrs
import pytest

from dynattrs import (
    Facet,
    GlobalIndex,
    LocalIndex,
    OnDemand,
    Provisioned,
    Session,
    Table,
    add,
    if_not_exists,
    in_,
    model,
    partition_key,
    put,
    remove,
    set_,
    size,
    sort_key,
)
from dynattrs.quoting import written
from stepped_session import ByHand


class Mood(enum.Enum):
    LOUD = "loud"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@model("songs")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = 0
    mood: Mood | None = None
    tags: set[str] = attrs.field(factory=set)
    year: int | None = None


# --- Declarations -----------------------------------------------------------------------------------

DECLARATIONS = [
    (Table("app", partition_key="pk"), "Table('app', partition_key='pk')"),
    (Table("app", partition_key="pk", indexes=[]), "Table('app', partition_key='pk', indexes=[])"),
    (
        Table("app", partition_key="pk", sort_key="sk", types={"sk": "N"}, ttl="expires"),
        "Table('app', partition_key='pk', sort_key='sk', ttl='expires', types={'sk': 'N'})",
    ),
    (
        Table("app", partition_key="pk", ttl=False, billing=OnDemand(max_read=3), stream="new"),
        "Table('app', partition_key='pk', ttl=False, billing=OnDemand(max_read=3), stream='new')",
    ),
    (
        GlobalIndex("by-genre", partition_key="genre", sort_key=["year", "title"]),
        "GlobalIndex('by-genre', partition_key='genre', sort_key=['year', 'title'])",
    ),
    (
        GlobalIndex("by-genre", partition_key="genre", projection=["title"]),
        "GlobalIndex('by-genre', partition_key='genre', projection=['title'])",
    ),
    (LocalIndex("by-year", sort_key="year"), "LocalIndex('by-year', sort_key='year')"),
    (Provisioned(read=3, write=4), "Provisioned(read=3, write=4)"),
    (Facet("Users", partition_key="USER#"), "Facet('Users', partition_key='USER#')"),
]


@pytest.mark.parametrize(
    ("declared", "shown"), DECLARATIONS, ids=[text for _, text in DECLARATIONS]
)
def test_a_declaration_is_shown_as_it_is_written(declared: Any, shown: str):
    assert repr(declared) == shown
    assert eval(shown) == declared


def test_a_notebook_shows_the_keys_indexes_and_models_of_a_table():
    index = GlobalIndex("gsi1", partition_key="gsi1pk", sort_key="gsi1sk", projection="keys")
    app = Table("app", partition_key="pk", sort_key="sk", indexes=[index], ttl="<ttl>")

    @model(app, pk="USER#{user_id}", sk="ORDER#{number}", gsi1pk="<b>{status}", gsi1sk="{number}")
    class Order:
        user_id: str
        number: int
        status: str

    html = app._repr_html_()

    assert "<td>the table</td><td>pk (S)</td><td>sk (S)</td>" in html
    assert "<td>index gsi1</td><td>gsi1pk (S)</td><td>gsi1sk (S)</td><td>keys</td>" in html
    assert "<th>model</th><th>pk</th><th>sk</th><th>gsi1pk</th><th>gsi1sk</th>" in html
    assert "<td>Order</td><td>USER#{user_id}</td><td>ORDER#{number}</td>" in html
    assert "<td>&lt;b&gt;{status}</td>" in html
    assert "ttl: &lt;ttl&gt;" in html


def test_a_table_of_plain_fields_shows_their_names():
    from dynattrs.schema.model_info import model_info

    html = model_info(Song).table._repr_html_()

    assert "<td>Song</td><td>artist</td><td>title</td>" in html


# --- Conditions and actions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (Song.mood == Mood.LOUD, "Song.mood == Mood.LOUD"),
        (in_(Song.mood, [Mood.LOUD, None]), "(in_(Song.mood, [Mood.LOUD])) | (is_none(Song.mood))"),
        (size(Song.tags), "size(Song.tags)"),
        (Song.plays + 1, "Song.plays + 1"),
        (if_not_exists(Song.plays, 0), "if_not_exists(Song.plays, 0)"),
        (set_(Song.plays, Song.plays + 1), "set_(Song.plays, Song.plays + 1)"),
        (set_(Song.mood, Mood.LOUD), "set_(Song.mood, Mood.LOUD)"),
        (put(Song.plays).to(Song.plays + 1), "put(Song.plays).to(Song.plays + 1)"),
        (remove(Song.year, Song.mood), "remove(Song.year, Song.mood)"),
        (add(Song.tags, {"live"}), "add(Song.tags, {'live'})"),
    ],
    ids=str,
)
def test_conditions_and_actions_are_shown_as_they_are_written(made: Any, shown: str):
    assert repr(made) == shown
    assert repr([made]) == f"[{shown}]"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Mood.LOUD, "Mood.LOUD"),
        ([Mood.LOUD, 1], "[Mood.LOUD, 1]"),
        ((Mood.LOUD,), "(Mood.LOUD,)"),
        ((Mood.LOUD, ()), "(Mood.LOUD, ())"),
        ({Mood.LOUD}, "{Mood.LOUD}"),
        (frozenset({Mood.LOUD}), "frozenset({Mood.LOUD})"),
        ({"a": [{Mood.LOUD: "b"}]}, "{'a': [{Mood.LOUD: 'b'}]}"),
        (Access.READ, "Access.READ"),
        (Access(0), repr(Access(0))),
        ({"a"}, "{'a'}"),
        ([], "[]"),
    ],
    ids=str,
)
def test_members_of_enums_are_written_by_their_names(value: Any, shown: str):
    assert written(value) == written(value, 200) == shown


def test_a_long_value_is_cut_before_it_is_written_out():
    assert len(written([Mood.LOUD] * 10_000, 200)) <= 200
    assert len(written(["x" * 10_000] * 3, 200)) <= 200


# --- Queries ----------------------------------------------------------------------------------------


def test_the_values_of_a_long_condition_are_cut_one_by_one():
    query = ByHand().scan(Song).where((Song.title == "t" * 1000) & (Song.plays > 3))

    assert repr(query).endswith("...) & (Song.plays > 3))>")
    assert len(repr(query)) < 200


def test_a_cursor_is_hardly_shown():
    assert len(repr(ByHand().scan(Song).after("c" * 100))) < 40


# --- Sessions ---------------------------------------------------------------------------------------


@pytest.fixture
def client_arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    return {"region_name": "eu-west-1", "endpoint_url": "http://user:very-secret@localhost:1/x?a=b"}


def test_a_session_shows_no_credentials(client_arguments: dict[str, str]):
    with Session(**client_arguments, table_prefix="dev-") as session:
        shown = "region='eu-west-1' endpoint='http://localhost:1/x' table_prefix='dev-'"
        assert repr(session) == f"<Session {shown} open>"
    assert repr(session) == f"<Session {shown} closed>"


def test_an_async_session_that_is_not_connected_shows_what_was_asked_for(
    client_arguments: dict[str, str],
):
    pytest.importorskip("aiobotocore")
    from dynattrs.aio import AsyncSession

    shown = repr(AsyncSession(**client_arguments))

    assert shown == "<AsyncSession region='eu-west-1' endpoint='http://localhost:1/x' open>"
    assert repr(AsyncSession()) == "<AsyncSession open>"


def test_looking_at_a_batch_waits_for_no_lock(client_arguments: dict[str, str]):
    """A debugger looks at it in whatever place the program is."""
    shown: list[str] = []
    session = Session(**client_arguments)
    batch = session.batch()
    assert batch._buffer is not None

    with batch._buffer._lock:
        looking = threading.Thread(target=lambda: shown.append(repr(batch)), daemon=True)
        looking.start()
        looking.join(10)

    assert shown == ["<Batch not begun>"]
    session.close()
