"""Conditions that are written as texts in Python's syntax: what they mean, and what is refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
import pytest

from dynattrs import (
    Condition,
    ConditionError,
    Table,
    attribute_type,
    begins_with,
    between,
    contains,
    exists,
    field,
    in_,
    is_none,
    model,
    not_,
    not_exists,
    not_none,
    partition_key,
    path,
    size,
    sort_key,
)
from dynattrs.expressions.conditions import expressions
from dynattrs.expressions.paths import data_of
from dynattrs.schema.model_info import model_info
from dynattrs.tools.command.python_conditions import condition_of, key_in, path_in, value_of


class Genre(Enum):
    JAZZ = "jazz"
    SOUL = "soul"


@attrs.define
class Label:
    name: str
    city: str | None = None


@attrs.define
class Line:
    price: Decimal


@model("music")
class Song:
    artist: str = partition_key()
    number: int = sort_key()
    title: str = field(name="Title")
    genre: Genre = Genre.JAZZ
    plays: int = 0
    rating: float = 0.0
    price: Decimal = Decimal(0)
    out: date | None = None
    at: datetime | None = None
    length: timedelta | None = None
    id: UUID | None = None
    sold: bool = False
    data: bytes | None = None
    tags: set[str] = attrs.field(factory=set)
    genres: set[Genre] = attrs.field(factory=set)
    lines: list[Line] = attrs.field(factory=list)
    sales: dict[str, int] = attrs.field(factory=dict)
    label: Label | None = None


SONG = [model_info(Song)]
app = Table("app", partition_key="pk", sort_key="sk")


@model(app, pk="USER#{user_id}", sk="PROFILE")
class User:
    user_id: str = field(key_only=True)
    name: str


@model(app, pk="USER#{user_id}", sk="ORDER#{number:06d}")
class Order:
    user_id: str = field(key_only=True)
    number: int


BOTH = [model_info(User), model_info(Order)]
day = date(2026, 1, 2)
moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
ident = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")
song = path(Song)

MEANINGS: dict[str, Any] = {
    'artist == "Nina Simone"': lambda: song.artist == "Nina Simone",
    "artist == 'Nina Simone'": lambda: song.artist == "Nina Simone",
    'Song.artist != "x"': lambda: song.artist != "x",
    '"x" == artist': lambda: song.artist == "x",
    "3 < plays": lambda: song.plays > 3,
    "plays >= -3": lambda: song.plays >= -3,
    "1 <= plays < 5": lambda: (song.plays >= 1) & (song.plays < 5),
    "1 <= plays < 5 != number": lambda: (song.plays >= 1) & (song.plays < 5) & (song.number != 5),
    "plays == number": lambda: song.plays == song.number,
    'artist == "x" and plays > 3 and sold': lambda: (
        (song.artist == "x") & (song.plays > 3) & (song.sold == True)  # noqa: E712
    ),
    'artist == "x" or not plays > 3': lambda: (song.artist == "x") | not_(song.plays > 3),
    '(artist == "x") & (plays > 3) | ~sold': lambda: (
        (song.artist == "x") & (song.plays > 3) | not_(song.sold == True)  # noqa: E712
    ),
    "sold == False": lambda: song.sold == False,  # noqa: E712
    'genre == "soul"': lambda: song.genre == Genre.SOUL,
    'genre in ["soul", "jazz"]': lambda: in_(song.genre, [Genre.SOUL, Genre.JAZZ]),
    'genre not in ("soul",)': lambda: not_(in_(song.genre, [Genre.SOUL])),
    "plays in (1, 2)": lambda: in_(song.plays, [1, 2]),
    "plays in {1}": lambda: in_(song.plays, [1]),
    "in_(plays, [1])": lambda: in_(song.plays, [1]),
    '"live" in tags': lambda: contains(song.tags, "live"),
    '"soul" in genres': lambda: contains(song.genres, Genre.SOUL),
    '"live" not in tags': lambda: not_(contains(song.tags, "live")),
    'contains(title, "love")': lambda: contains(song.title, "love"),
    'begins_with(title, "S")': lambda: begins_with(song.title, "S"),
    'title.startswith("S")': lambda: begins_with(song.title, "S"),
    'label.city.startswith("N")': lambda: begins_with(song.label.city, "N"),
    "between(plays, 1, 5)": lambda: between(song.plays, 1, 5),
    "exists(title)": lambda: exists(song.title),
    "not_exists(label)": lambda: not_exists(song.label),
    "is_none(out)": lambda: is_none(song.out),
    "not_none(out)": lambda: not_none(song.out),
    "out is None": lambda: is_none(song.out),
    "out is not None": lambda: not_none(song.out),
    "out == None": lambda: is_none(song.out),
    "all_of(plays > 1, not_(sold))": lambda: (
        (song.plays > 1) & not_(song.sold == True)  # noqa: E712
    ),
    "any_of(plays > 1, number > 2)": lambda: (song.plays > 1) | (song.number > 2),
    "size(tags) > 3": lambda: size(song.tags) > 3,
    "3 >= len(lines)": lambda: size(song.lines) <= 3,
    'label.name == "RCA"': lambda: song.label.name == "RCA",
    "lines[0].price > 9.99": lambda: song.lines[0].price > Decimal("9.99"),
    'sales["DE"] == 3': lambda: song.sales["DE"] == 3,
    "price == 1.10": lambda: song.price == Decimal("1.10"),
    "price == 0.1000000000000000055511151231257827": lambda: (
        song.price == Decimal("0.1000000000000000055511151231257827")
    ),
    "price >= -1.5": lambda: song.price >= Decimal("-1.5"),
    "rating > 1": lambda: song.rating > 1,
    "rating > 1.5": lambda: song.rating > 1.5,
    'price == Decimal("1.10")': lambda: song.price == Decimal("1.10"),
    "out == date(2026, 1, 2)": lambda: song.out == day,
    'out == date("2026-01-02")': lambda: song.out == day,
    'out >= "2026-01-02"': lambda: song.out >= day,
    "at < datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)": lambda: song.at < moment,
    "at < datetime(2026, 1, 2, 3, 4, 5, 0, timezone.utc)": lambda: song.at < moment,
    'at < datetime("2026-01-02T03:04:05Z")': lambda: song.at < moment,
    'at < "2026-01-02T03:04:05.000000Z"': lambda: song.at < moment,
    "length > timedelta(minutes=3)": lambda: song.length > timedelta(minutes=3),
    "length > 180": lambda: song.length > timedelta(minutes=3),
    f'id == UUID("{ident}")': lambda: song.id == ident,
    f'id == "{ident}"': lambda: song.id == ident,
    'data == b"x"': lambda: song.data == b"x",
    'tags == {"a"}': lambda: song.tags == {"a"},
    'sales == {"DE": 3}': lambda: song.sales == {"DE": 3},
    'attribute_type(title, "S")': lambda: attribute_type(song.title, "S"),
    "  plays > 3\n": lambda: song.plays > 3,
}


@pytest.mark.parametrize("text", MEANINGS)
def test_a_text_is_the_condition_that_python_would_make(text: str):
    found: Any = condition_of(text, SONG)
    expected = MEANINGS[text]()

    assert isinstance(found, Condition)
    assert str(found) == str(expected)
    assert expressions((), found) == expressions((), expected)


REFUSED = {
    "1 == 1": "both constants",
    '"a" == "b"': "both constants",
    "date(2026, 1, 2) == 3": "both constants",
    "1 < 2 < plays": "both constants",
    "3": "a condition compares a field",
    "True": "a condition compares a field",
    "plays": "it is not a condition: compare it with something",
    "plays + 1 == 3": "it is neither a field nor a value",
    "plays > 3 + 1": "it is neither a field nor a value",
    "artis == 3": "did you mean 'artist'",
    "label.nam == 'x'": "did you mean 'name'",
    "Song.artis == 'x'": "did you mean 'artist'",
    "artist == 5": "Song.artist goes with a str",
    "plays == '5'": "Song.plays goes with",
    "genre == 'rock'": "Song.genre goes with",
    "out == 'soon'": "Song.out goes with",
    "date(2026, 13, 1) == out": "ValueError: month must be in",
    "price == Decimal('x')": "Decimal('x'): ",
    "exists()": "exists takes 1 arguments, found 0",
    "exists(3)": "a field is expected",
    "begins_with(title)": "begins_with takes 2 arguments",
    "begins_with(title, prefix='S')": "no named",
    "begins_with(*title)": "no starred",
    "beginswith(title, 'S')": "did you mean 'begins_with'",
    "title.lower() == 'x'": "it is neither a field nor a value",
    "title.endswith('x')": "it is not a function of conditions",
    "__import__('os').system('true')": "it is not a function of conditions",
    "artist.__class__ == 3": "there is no field of that name",
    "artist.__dynattrs_path__ == 3": "there is no field of that name",
    "().__class__.__bases__ == 3": "a field is expected",
    "(lambda: 1)() == artist": "it is neither a field nor a value",
    "[x for x in artist] == 3": "it is neither a field nor a value",
    "f'{artist}' == title": "it is neither a field nor a value",
    "(artist := 'x')": "a condition compares a field",
    "artist if plays else title": "a condition compares a field",
    "artist is title": "`is` is for None",
    "3 in 4": "a field is expected",
    "3 in [4]": "it is not a field",
    "plays in numbers": "there is no field of that name",
    "artist[1:2] == 'x'": "it is neither a field nor a value",
    "lines[-1].price == 1": "list positions count from 0",
    "artist = 'x'": "not a Python expression",
    "artist ==": "not a Python expression",
    "": "not a Python expression",
    "artist == 'x'; plays": "not a Python expression",
    "artist == 'x\0'": "not a Python",
    "3j == plays": "it is neither a field nor a value",
    "... == plays": "it is neither a field nor a value",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_condition_is_refused_and_nothing_of_it_is_run(text: str):
    with pytest.raises(ConditionError) as caught:
        condition_of(text, SONG)

    assert REFUSED[text] in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["(" * 5000 + "plays" + ")" * 5000, "not " * 100_000 + "sold", "sold" + ".x" * 5000],
    ids=["brackets", "operators", "attributes"],
)
def test_what_python_cannot_parse_is_refused(text: str):
    with pytest.raises(ConditionError):
        condition_of(text, SONG)


def test_names_are_of_the_first_model_that_has_them():
    assert str(condition_of('user_id == "42"', BOTH)) == "User.user_id == '42'"
    assert str(condition_of("number > 3", BOTH)) == "Order.number > 3"
    assert str(condition_of('Order.user_id == "42"', BOTH)) == "Order.user_id == '42'"


def test_a_path_is_written_as_in_python():
    assert data_of(path_in("lines[0].price", SONG)).label == "Song.lines[0].price"
    with pytest.raises(ConditionError):
        path_in("3", SONG)


def test_a_key_is_one_equality_for_each_of_its_fields():
    assert key_in('artist == "x" and number == 3', SONG[0]) == {"artist": "x", "number": 3}
    assert key_in('Song.number == 3 and (artist == "x")', SONG[0]) == {"artist": "x", "number": 3}
    assert key_in('user_id == "42"', BOTH[0]) == {"user_id": "42"}


@pytest.mark.parametrize(
    "text",
    [
        'artist == "x"', 'artist > "x" and number == 3', 'artist == "x" or number == 3', "plays == 3",
        'artist == "x" and artist == "y" and number == 3', 'artist == "x" and number == plays',
        "number == 3 == 3", "exists(artist)",
    ],
)  # fmt: skip
def test_what_says_no_key_is_refused(text: str):
    with pytest.raises(ConditionError):
        key_in(text, SONG[0])


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("artist", "42", "42"), ("number", "42", 42), ("price", "1.10", Decimal("1.10")),
        ("out", "2026-01-02", day), ("genre", "soul", Genre.SOUL), ("id", str(ident), ident),
        ("number", "x", "x"),
    ],
)  # fmt: skip
def test_a_text_of_the_command_line_is_a_value_by_its_field(name: str, text: str, value: object):
    assert value_of(text, data_of(path_in(name, SONG)).form) == value
