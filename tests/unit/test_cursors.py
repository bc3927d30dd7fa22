"""Cursors: where a page ended, as text, and what they are bound to."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import attrs
import pytest

from dynattrs import (
    CursorError,
    GlobalIndex,
    begins_with,
    model,
    partition_key,
    sort_key,
)
from dynattrs.operations.reading import cursors, pages
from stepped_session import ByHand, result

CONTEXT: Any = ["music", None, "query", ["#0 = :0", {"#0": "artist"}, {":0": ["S", "x"]}], False]
KEY = {"artist": {"S": "Ünïcode"}, "n": {"N": "12.5"}, "b": {"B": b"\x00\xff"}}


@model("music", indexes=[GlobalIndex("by-genre", partition_key="genre", sort_key="plays")])
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = ""
    plays: int = 0


def item(title: str, plays: int = 0) -> dict[str, Any]:
    return {
        "artist": {"S": "Nina"}, "title": {"S": title}, "genre": {"S": "jazz"},
        "plays": {"N": str(plays)},
    }  # fmt: skip


def page_of(query: Any, size: int, response: dict[str, Any]) -> Any:
    flow = query.page(size)
    next(flow)
    return result(flow, response)


def cursor_of(query: Any) -> str:
    """A cursor of a query that stands after the song 'a'."""
    last = {name: item("a")[name] for name in pages.cursor_names(query, query._plan())}
    cursor = page_of(query, 1, {"Items": [item("a")], "Count": 1, "LastEvaluatedKey": last}).cursor
    assert cursor is not None
    return cursor


def by_artist(session: Any = None) -> Any:
    return (session or ByHand()).query(Song).where(Song.artist == "Nina")


@pytest.mark.parametrize("secret", [None, b"secret"])
def test_a_cursor_gives_back_the_key_it_was_made_of(secret: bytes | None):
    cursor = cursors.encode(KEY, CONTEXT, secret)

    assert cursors.decode(cursor, KEY, CONTEXT, secret) == KEY


def test_a_cursor_is_safe_in_a_url():
    keys = ({"id": {"B": bytes([number] * 3)}} for number in range(256))

    assert all(re.fullmatch(r"[\w-]+", cursors.encode(key, CONTEXT, None)) for key in keys)


def test_bytes_that_came_as_base64_text_make_the_same_cursor():
    """The wire hands out binary values as the base64 text that came."""
    text = {"id": {"B": base64.b64encode(b"\x00\xff").decode()}}

    assert cursors.encode(text, CONTEXT, None) == cursors.encode(
        {"id": {"B": b"\x00\xff"}}, CONTEXT, None
    )


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "not a cursor!",
        "AAAA",
        "A" * 200,
        "é" * 30,
        "=" * 8,
        "\0",
        cursors.encode(KEY, [], None)[:-4],
    ],
)
def test_garbage_is_refused(garbage: str):
    with pytest.raises(CursorError):
        cursors.decode(garbage, KEY, CONTEXT, None)


@pytest.mark.parametrize("given", [5, b"abc", ["x"], {"artist": "x"}])
def test_what_is_no_text_is_refused(given: Any):
    with pytest.raises(CursorError, match=f"a cursor is a str, .* not {type(given).__name__}"):
        cursors.decode(given, KEY, CONTEXT, None)


def test_every_changed_character_is_noticed():
    cursor = cursors.encode(KEY, CONTEXT, None)
    for position in range(len(cursor)):
        other = "A" if cursor[position] != "A" else "B"
        with pytest.raises(CursorError):
            cursors.decode(cursor[:position] + other + cursor[position + 1 :], KEY, CONTEXT, None)


def test_another_version_is_told_from_damage():
    raw = bytearray(
        base64.urlsafe_b64decode(cursors.encode({"n": {"N": "1"}}, CONTEXT, None) + "==")
    )
    raw[0] = 2

    with pytest.raises(CursorError, match="another version of dynattrs"):
        cursors.decode(base64.urlsafe_b64encode(raw).decode(), ["n"], CONTEXT, None)


@pytest.mark.parametrize(
    "payload",
    [
        "[]",
        "5",
        "null",
        "{",
        '{"n": 5}',
        '{"n": "ab"}',
        '{"n": ["L", []]}',
        '{"n": ["N", 5]}',
        '{"n": ["B", "?"]}',
        '{"n": ["N"]}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_a_forged_cursor_without_a_secret_is_an_error_of_the_caller(payload: str):
    """Without a secret anybody can compute the checksum; a web application must not answer 500."""
    content = payload.encode()
    forged = cursors._VERSION + cursors._digest(content, CONTEXT, None) + content

    with pytest.raises(CursorError):
        cursors.decode(base64.urlsafe_b64encode(forged).decode(), ["n"], CONTEXT, None)


def test_a_cursor_without_a_secret_can_be_read_by_anybody():
    """Documented: the payload is plain JSON."""
    cursor = cursors.encode({"id": {"S": "x"}}, CONTEXT, None)

    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert json.loads(raw[17:]) == {"id": ["S", "x"]}


def test_a_secret_signs_and_other_secrets_are_refused():
    signed = cursors.encode(KEY, CONTEXT, b"secret")

    for other in (None, b"other"):
        with pytest.raises(CursorError):
            cursors.decode(signed, KEY, CONTEXT, other)
    with pytest.raises(CursorError, match="or has a wrong signature"):
        cursors.decode(cursors.encode(KEY, CONTEXT, None), KEY, CONTEXT, b"secret")


def test_keys_that_have_changed_since_are_refused():
    with pytest.raises(CursorError, match="a table whose keys have changed since"):
        cursors.decode(cursors.encode(KEY, CONTEXT, None), ["artist"], CONTEXT, None)


# --- Bound to the query ---------------------------------------------------------------------------


def test_a_cursor_resumes_the_same_query_of_another_session():
    cursor = cursor_of(by_artist())

    call = next(by_artist().after(cursor).page(1))

    start = {"artist": {"S": "Nina"}, "title": {"S": "a"}}
    assert call.parameters["ExclusiveStartKey"] == start


@pytest.mark.parametrize(
    "same",
    [
        lambda query: query.filter(Song.plays > 3),
        lambda query: query.where(Song.plays > 9),
        lambda query: query.page_size(7),
        lambda query: query.keys(),
        lambda query: query.select(Song.plays),
        lambda query: query.consistent(),
        lambda query: query.reverse().reverse(),
    ],
)
def test_filters_and_what_is_read_do_not_bind_a_cursor(same: Any):
    """Filter values may hold the clock."""
    cursor = cursor_of(by_artist())

    assert "ExclusiveStartKey" in next(same(by_artist()).after(cursor).page(1)).parameters


@pytest.mark.parametrize(
    "other",
    [
        ByHand().query(Song).where(Song.artist == "Ella"),
        by_artist().where(begins_with(Song.title, "S")),
        by_artist().reverse(),
        ByHand().query(Song).where(Song.genre == "jazz"),
        ByHand().scan(Song),
        by_artist(ByHand(cursor_secret=b"secret")),
    ],
    ids=str,
)
def test_a_cursor_of_another_query_is_refused(other: Any):
    with pytest.raises(CursorError, match="belongs to a query with another table, index"):
        next(other.after(cursor_of(by_artist())).page(1))


def test_a_cursor_of_another_table_is_refused():
    dev = ByHand()
    dev._core = attrs.evolve(dev._core, table_prefix="dev-")

    with pytest.raises(CursorError):
        next(by_artist(dev).after(cursor_of(by_artist())).page(1))


def test_a_cursor_of_an_index_holds_its_key_and_the_tables():
    query = ByHand().query(Song).where(Song.genre == "jazz")
    cursor = page_of(query, 1, {"Items": [item("a", 3), item("b", 3)], "Count": 2}).cursor

    call = next(query.after(cursor).page(1))

    assert call.parameters["ExclusiveStartKey"] == item("a", 3)


def test_none_is_the_beginning():
    assert "ExclusiveStartKey" not in next(by_artist().after(None).page(1)).parameters


def test_a_bad_cursor_is_refused_by_every_end_before_anything_is_sent():
    query = by_artist().after("garbage")
    for end in ("all", "first", "one", "count", "delete"):
        with pytest.raises(CursorError):
            next(getattr(query, end)())
    with pytest.raises(CursorError):
        query.explain()
