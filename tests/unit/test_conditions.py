"""Conditions: what is sent, what `str` shows, and what is refused where it is written."""

from __future__ import annotations

import enum
import re
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import attrs
import pytest

from dynattrs import (
    Compressed,
    Condition,
    ConditionError,
    Epoch,
    Json,
    Table,
    add,
    all_of,
    any_of,
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
    put,
    remove,
    set_,
    size,
    sort_key,
)
from dynattrs.expressions.conditions import render
from dynattrs.expressions.paths import data_of
from dynattrs.expressions.placeholders import Placeholders


class Mood(enum.Enum):
    CALM = "calm"
    LOUD = "loud"


@attrs.define
class Place:
    city: str
    zip_code: str = field(name="zip", default="")
    floors: list[int] = attrs.field(factory=list)


@model("songs")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    year: int | None = None
    plays: int = 0
    price: Decimal = Decimal(0)
    live: bool = False
    cover: bytes = b""
    mood: Mood = Mood.CALM
    released: date = field(name="rel.eased", default=date(1970, 1, 1))
    seen: Annotated[datetime, Epoch] | None = None
    tags: set[str] = attrs.field(factory=set)
    notes: list[str] = attrs.field(factory=list)
    scores: dict[str, int] = attrs.field(factory=dict)
    place: Place | None = None
    places: list[Place] = attrs.field(factory=list)
    code: UUID | None = None
    other: Any = None
    limits: set[int] | None = None


@model("albums")
class Album:
    id: str = partition_key()
    plays: int = 0


def sent(condition: Any) -> tuple[str, dict[str, str], dict[str, Any]]:
    """The expression of a condition, its names and its values."""
    assert isinstance(condition, Condition)
    placeholders = Placeholders()
    expression = render(condition, placeholders, "condition")
    parameters: dict[str, Any] = {}
    placeholders.into(parameters)
    return (
        expression,
        parameters.get("ExpressionAttributeNames", {}),
        parameters.get("ExpressionAttributeValues", {}),
    )


CONDITIONS: list[tuple[Any, str, str]] = [
    (Song.plays == 1, "plays = {'N': '1'}", "Song.plays == 1"),
    (Song.plays != 1, "plays <> {'N': '1'}", "Song.plays != 1"),
    (Song.plays < 1, "plays < {'N': '1'}", "Song.plays < 1"),
    (Song.plays <= 1, "plays <= {'N': '1'}", "Song.plays <= 1"),
    (Song.plays > 1, "plays > {'N': '1'}", "Song.plays > 1"),
    (Song.plays >= 1, "plays >= {'N': '1'}", "Song.plays >= 1"),
    (1 < Song.plays, "plays > {'N': '1'}", "Song.plays > 1"),
    (path(Song.year) > 1960, "year > {'N': '1960'}", "Song.year > 1960"),
    (Song.plays > Song.year, "plays > year", "Song.plays > Song.year"),
    (
        between(Song.plays, 1, 5),
        "plays BETWEEN {'N': '1'} AND {'N': '5'}",
        "between(Song.plays, 1, 5)",
    ),
    (in_(Song.plays, [1, 5]), "plays IN ({'N': '1'}, {'N': '5'})", "in_(Song.plays, [1, 5])"),
    (
        in_(Song.year, [1960, None]),
        "year IN ({'N': '1960'}) OR "
        "(attribute_not_exists(year) OR attribute_type(year, {'S': 'NULL'}))",
        "(in_(Song.year, [1960])) | (is_none(Song.year))",
    ),
    (
        begins_with(Song.title, "S"),
        "begins_with(title, {'S': 'S'})",
        "begins_with(Song.title, 'S')",
    ),
    (
        begins_with(Song.title, Song.artist),
        "begins_with(title, artist)",
        "begins_with(Song.title, Song.artist)",
    ),
    (
        begins_with(Song.cover, b"\x89P"),
        "begins_with(cover, {'B': b'\\x89P'})",
        "begins_with(Song.cover, b'\\x89P')",
    ),
    (
        begins_with(Song.released, "2026-11"),  # type: ignore[arg-type]
        "begins_with(rel.eased, {'S': '2026-11'})",
        "begins_with(Song.released, '2026-11')",
    ),
    (contains(Song.tags, "live"), "contains(tags, {'S': 'live'})", "contains(Song.tags, 'live')"),
    (contains(Song.notes, "x"), "contains(notes, {'S': 'x'})", "contains(Song.notes, 'x')"),
    (contains(Song.title, "and"), "contains(title, {'S': 'and'})", "contains(Song.title, 'and')"),
    (exists(Song.year), "attribute_exists(year)", "exists(Song.year)"),
    (not_exists(Song.year), "attribute_not_exists(year)", "not_exists(Song.year)"),
    (size(Song.tags) > 2, "size(tags) > {'N': '2'}", "size(Song.tags) > 2"),
    (2 < size(Song.tags), "size(tags) > {'N': '2'}", "size(Song.tags) > 2"),
    (size(Song.tags) == Song.plays, "size(tags) = plays", "size(Song.tags) == Song.plays"),
    (Song.plays > size(Song.tags), "size(tags) < plays", "size(Song.tags) < Song.plays"),
    (
        size(Song.tags) != size(Song.notes),
        "size(tags) <> size(notes)",
        "size(Song.tags) != size(Song.notes)",
    ),
    (
        between(size(Song.title), 1, 9),
        "size(title) BETWEEN {'N': '1'} AND {'N': '9'}",
        "between(size(Song.title), 1, 9)",
    ),
    (
        attribute_type(Song.year, "NULL"),
        "attribute_type(year, {'S': 'NULL'})",
        "attribute_type(Song.year, 'NULL')",
    ),
    (
        is_none(Song.year),
        "(attribute_not_exists(year) OR attribute_type(year, {'S': 'NULL'}))",
        "is_none(Song.year)",
    ),
    (
        Song.year == None,  # noqa: E711 - the point of it
        "(attribute_not_exists(year) OR attribute_type(year, {'S': 'NULL'}))",
        "is_none(Song.year)",
    ),
    (
        not_none(Song.year),
        "(attribute_exists(year) AND NOT attribute_type(year, {'S': 'NULL'}))",
        "not_none(Song.year)",
    ),
    (
        Song.year != None,  # noqa: E711
        "(attribute_exists(year) AND NOT attribute_type(year, {'S': 'NULL'}))",
        "not_none(Song.year)",
    ),
    (
        not_(is_none(Song.year)),
        "(attribute_exists(year) AND NOT attribute_type(year, {'S': 'NULL'}))",
        "not_none(Song.year)",
    ),
    (
        (Song.plays > 1) & (Song.title == "x"),
        "plays > {'N': '1'} AND title = {'S': 'x'}",
        "(Song.plays > 1) & (Song.title == 'x')",
    ),
    (
        (Song.plays > 1) | (Song.title == "x"),
        "plays > {'N': '1'} OR title = {'S': 'x'}",
        "(Song.plays > 1) | (Song.title == 'x')",
    ),
    (
        ((Song.plays > 1) | (Song.title == "x")) & (Song.plays < 9),
        "(plays > {'N': '1'} OR title = {'S': 'x'}) AND plays < {'N': '9'}",
        "((Song.plays > 1) | (Song.title == 'x')) & (Song.plays < 9)",
    ),
    (~(Song.plays > 1), "NOT (plays > {'N': '1'})", "not_(Song.plays > 1)"),
    (not_(Song.plays > 1), "NOT (plays > {'N': '1'})", "not_(Song.plays > 1)"),
    (not_(not_(Song.plays > 1)), "plays > {'N': '1'}", "Song.plays > 1"),
    (
        all_of(Song.plays > 1, Song.live),
        "plays > {'N': '1'} AND live = {'BOOL': True}",
        "(Song.plays > 1) & (Song.live == True)",
    ),
    (
        any_of(Song.plays > 1, not_(Song.live)),
        "plays > {'N': '1'} OR NOT (live = {'BOOL': True})",
        "(Song.plays > 1) | (not_(Song.live == True))",
    ),
    (
        Song.live & (Song.plays > 1),
        "live = {'BOOL': True} AND plays > {'N': '1'}",
        "(Song.live == True) & (Song.plays > 1)",
    ),
    (~Song.live, "NOT (live = {'BOOL': True})", "not_(Song.live == True)"),
    # As they are stored: enums, dates, numbers without loss, renamed and nested fields.
    (Song.mood == Mood.LOUD, "mood = {'S': 'loud'}", "Song.mood == Mood.LOUD"),
    (
        Song.released < date(2026, 1, 2),
        "rel.eased < {'S': '2026-01-02'}",
        "Song.released < datetime.date(2026, 1, 2)",
    ),
    (
        path(Song.seen) > datetime(2026, 1, 1, tzinfo=timezone.utc),
        "seen > {'N': '1767225600'}",
        "Song.seen > datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)",
    ),
    (Song.price == Decimal("0.10"), "price = {'N': '0.1'}", "Song.price == Decimal('0.10')"),
    (path(Song.place).zip_code == "1", "place.zip = {'S': '1'}", "Song.place.zip_code == '1'"),
    (Song.places[2].city == "x", "places[2].city = {'S': 'x'}", "Song.places[2].city == 'x'"),
    (
        path(Song.place).floors[0] == 3,
        "place.floors[0] = {'N': '3'}",
        "Song.place.floors[0] == 3",
    ),
    (Song.scores["a.b c"] > 1, "scores.a.b c > {'N': '1'}", "Song.scores['a.b c'] > 1"),
    (Song.scores["größe"] > 1, "scores.größe > {'N': '1'}", "Song.scores['größe'] > 1"),
    (Song.tags == {"a"}, "tags = {'SS': ['a']}", "Song.tags == {'a'}"),
    # An empty set is never stored: such a field is absent.
    (Song.tags == set(), "attribute_not_exists(tags)", "not_exists(Song.tags)"),
    (Song.tags != set(), "attribute_exists(tags)", "exists(Song.tags)"),
    (Song.limits == set(), "limits = {'L': []}", "Song.limits == set()"),
    (Song.notes == [], "notes = {'L': []}", "Song.notes == []"),
    (Song.other == [1, "x"], "other = {'L': [{'N': '1'}, {'S': 'x'}]}", "Song.other == [1, 'x']"),
]


@pytest.mark.parametrize(
    ("condition", "expression", "text"), CONDITIONS, ids=[text for _, _, text in CONDITIONS]
)
def test_a_condition_is_sent_and_shown_as_it_was_meant(condition: Any, expression: str, text: str):
    rendered, names, values = sent(condition)
    for placeholder, value in reversed(values.items()):
        rendered = rendered.replace(placeholder, repr(value))
    for placeholder, name in reversed(names.items()):
        rendered = rendered.replace(placeholder, name)

    assert rendered == expression
    assert str(condition) == text
    assert repr(condition) == text


@pytest.mark.parametrize("text", [text for _, _, text in CONDITIONS if "<Mood" not in text])
def test_the_shown_python_makes_the_same_condition(text: str):
    import datetime as dt
    import types

    scope = {
        **globals(),
        "datetime": types.SimpleNamespace(date=dt.date, datetime=dt.datetime, timezone=dt.timezone),
    }

    again = eval(text, scope)

    assert str(again) == text
    original = next(condition for condition, _, shown in CONDITIONS if shown == text)
    assert sent(again) == sent(original)


def test_names_and_values_are_placeholders_each_once():
    condition = ((Song.plays > 1) & (Song.plays < 9)) | ((Song.plays == 1) & (Song.year == 9))

    assert sent(condition) == (
        "(#0 > :0 AND #0 < :1) OR (#0 = :0 AND #1 = :1)",
        {"#0": "plays", "#1": "year"},
        {":0": {"N": "1"}, ":1": {"N": "9"}},
    )


def test_names_with_dots_spaces_and_unicode_stay_one_name():
    assert sent(Song.scores["a.b c"] == 1)[:2] == ("#0.#1 = :0", {"#0": "scores", "#1": "a.b c"})
    assert sent(Song.released > date(2026, 1, 1))[:2] == ("#0 > :0", {"#0": "rel.eased"})


def test_values_that_python_calls_equal_are_kept_apart():
    """True == 1 in Python; BOOL and N are two things."""
    _, _, values = sent((Song.other == True) & (Song.other == 1))  # noqa: E712

    assert values == {":0": {"BOOL": True}, ":1": {"N": "1"}}


# --- In -----------------------------------------------------------------------------------------


def test_in_of_more_than_a_hundred_is_split_in_one_group():
    expression, names, values = sent(not_(in_(Song.plays, range(201))))

    assert expression.count(" IN (") == 3
    assert expression.startswith("NOT (#0 IN (:0, :1,")
    assert expression.count(" OR ") == 2
    assert len(values) == 201
    assert names == {"#0": "plays"}


def test_bounds_that_are_the_wrong_way_round_match_nothing_and_are_not_sent():
    """The service refuses them, where what they mean is clear."""
    for reversed_ in (
        between(Song.plays, 2, 1),
        between(Song.title, "\U0001f3b8", "\uffff"),
        between(Song.cover, b"\xff", b"a"),
        between(size(Song.title), 2, 1),
    ):
        assert all_of(reversed_, Song.plays == 1) is reversed_
        assert sent(any_of(reversed_, Song.plays == 1))[0] == "#0 = :0"


def test_in_of_a_hundred_is_one():
    assert sent(in_(Song.plays, range(100)))[0].count("IN") == 1


def test_in_of_nothing_is_known_to_be_false():
    nothing = in_(Song.plays, [])

    assert str(nothing) == "in_(Song.plays, [])"
    assert str(any_of(nothing, Song.plays == 1)) == "Song.plays == 1"
    assert str(all_of(Song.plays == 1, nothing)) == "in_(Song.plays, [])"
    assert str(all_of(Song.plays == 1, not_(nothing))) == "Song.plays == 1"
    assert str(any_of(Song.plays == 1, not_(nothing))) == "not_(in_(Song.plays, []))"


def test_in_takes_any_iterable_once():
    assert str(in_(Song.plays, (n for n in (1, 2)))) == "in_(Song.plays, [1, 2])"


def test_in_of_only_none_is_is_none():
    assert str(in_(Song.year, [None])) == "is_none(Song.year)"


# --- Refusals -----------------------------------------------------------------------------------

_S: Any = Song

REFUSED: list[tuple[str, str]] = [
    ("S.plays == 'x'", "Song.plays goes with an int of up to 38 digits; found str 'x'"),
    ("S.plays > 'x'", "Song.plays goes with an int of up to 38 digits; found str 'x'"),
    ("S.plays == float('nan')", "Song.plays goes with an int of up to 38 digits; found float nan"),
    ("S.title == 5", "Song.title goes with a str; found int 5"),
    ("S.live == 1", "Song.live goes with a bool; found int 1"),
    ("S.mood == 'loud'", "Song.mood goes with a Mood; found str 'loud'"),
    ("S.released < datetime(2026, 1, 1)", "Song.released goes with a date"),
    ("path(S.seen) > datetime(2026, 1, 1)", "naive"),
    ("S.tags == ['a']", "Song.tags goes with a set"),
    ("between(S.plays, 1, 'x')", "Song.plays goes with an int of up to 38 digits; found str 'x'"),
    (
        "between(S.year, None, 5)",
        "between(Song.year, None, 5): None has no order; write >= or <= for one bound",
    ),
    ("between(S.tags, {'a'}, {'b'})", "only text, numbers and bytes have an order"),
    ("between('title', 'a', 'b')", "between expects a field, as in between(Song.title, ...)"),
    ("in_(S.plays, [1, 'x'])", "Song.plays goes with an int of up to 38 digits; found str 'x'"),
    ("in_(S.title, 'abc')", "in_(Song.title, 'abc'): a list of values is expected"),
    ("in_('title', [])", "in_ expects a field"),
    ("in_(size(S.title), [1, None])", "None"),
    (
        "path(S.year) > None",
        "Song.year > None: None has no order; use is_none(...)",
    ),
    (
        "path(S.year) <= None",
        "Song.year <= None: None has no order; use is_none(...)",
    ),
    ("S.live > False", "Song.live is a bool; only text, numbers and bytes have an order"),
    ("S.notes < ['a']", "only text, numbers and bytes have an order"),
    ("size(S.plays)", "size(Song.plays): Song.plays is an int of up to 38 digits, without a size"),
    ("size(S.live)", "size(Song.live): Song.live is a bool, without a size"),
    ("size(S.tags) > 'x'", "size(Song.tags) is compared with an int, not 'x'"),
    ("size(S.tags) > True", "size(Song.tags) is compared with an int, not True"),
    ("size(S.tags) > S.title", "size(Song.tags) is a number, Song.title is a str"),
    ("size('tags')", "size expects a field"),
    ("begins_with(S.plays, '1')", "only text and bytes have a beginning"),
    ("begins_with(S.title, b'1')", "begins_with(Song.title, b'1'): the prefix has another type"),
    ("begins_with(S.title, None)", "the prefix has another type"),
    ("begins_with(S.title, S.plays)", "they are never equal and have no order"),
    ("contains(S.plays, 1)", "only text, bytes, lists and sets contain something"),
    ("contains(S.live, True)", "only text, bytes, lists and sets contain something"),
    ("contains(S.scores, 'a')", "only text, bytes, lists and sets contain something"),
    ("contains(S.tags, 1)", "Song.tags goes with a str; found int 1"),
    ("contains(S.title, 1)", "Song.title goes with a str; found int 1"),
    ("attribute_type(S.title, 'STRING')", "a type tag such as 'S' is expected"),
    ("exists('title')", "exists expects a field, as in exists(Song.title, ...)"),
    ("is_none(None)", "is_none expects a field"),
    ("S.plays == Album.plays", "Song.plays and Album.plays are of different models"),
    ("S.plays > S.title", "they are never equal and have no order"),
    (
        "S.title == S.title",
        "Song.title is compared with itself, which DynamoDB refuses; use exists(",
    ),
    ("between(S.plays, 1, S.plays)", "Song.plays is compared with itself"),
    ("in_(S.title, ['a', S.title])", "Song.title is compared with itself"),
    ("contains(S.title, S.title)", "Song.title is compared with itself"),
    ("begins_with(S.title, S.title)", "Song.title is compared with itself"),
    ("path(S.other) < True", "Song.other is compared with True; only text, numbers and bytes have"),
    (
        "between(S.other, [], [1])",
        "Song.other is compared with []; only text, numbers and bytes have",
    ),
    (
        "between(S.other, 1, 'a')",
        "between(Song.other, 1, 'a'): the bounds are stored as values of diff",
    ),
    ("S.title == (S.artist == 'x')", "put parentheses around comparisons"),
    ("all_of()", "all_of() needs at least one condition"),
    ("any_of()", "any_of() needs at least one condition"),
    ("all_of(True)", "a condition is expected, found the plain True"),
    ("(S.plays > 1) & True", "a condition is expected, found the plain True"),
    ("False | (S.plays > 1)", "a condition is expected, found the plain False"),
    ("not_(None)", "a condition is expected, found NoneType None"),
    ("not_('x')", "a condition is expected, found str 'x'"),
    (
        "S.title == 'x' & S.artist == 'y'",
        "found str 'x'; compare a field, with parentheses around each comparison",
    ),
    ("not_(S.title)", "Song.title stands alone where a condition is expected"),
    ("~S.plays", "and is not a boolean field"),
    ("S.notes[-1]", "Song.notes[-1]: list positions count from 0; DynamoDB has no others"),
    ("S.notes['x']", "Song.notes['x']: Song.notes is a list"),
    ("S.notes[True]", "a path goes on with a list position or a map key, not bool"),
    ("S.notes[1:2]", "a path goes on with a list position or a map key, not slice"),
    ("S.scores[0]", "not a list"),
    ("S.scores['']", "a map key is not empty"),
    ("S.title[0]", "Song.title[0]: Song.title is a str, not a list"),
]


@pytest.mark.parametrize(("code", "message"), REFUSED, ids=[code for code, _ in REFUSED])
def test_what_cannot_be_meant_is_refused_where_it_is_written(code: str, message: str):
    with pytest.raises(ConditionError) as caught:
        eval(code, {**globals(), "S": _S})

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "use",
    [
        lambda: (Song.plays > 1) and (Song.plays < 9),
        lambda: (Song.plays > 1) or (Song.plays < 9),
        lambda: not (Song.plays > 1),
        lambda: 1 if Song.plays == 1 else 2,
        lambda: 1 < Song.plays < 9,
        lambda: bool(Song.live),
        lambda: not Song.live,
        lambda: Song.live and Song.plays > 1,
        lambda: bool(size(Song.tags)),
        lambda: size(Song.tags) > 1 and Song.live,
        lambda: Song.title in ["a", "b"],
    ],
)
def test_a_condition_has_no_truth_value(use: Any):
    """`a and b` on conditions silently keeps one of them (pydynox): here a TypeError names `&`."""
    with pytest.raises(TypeError, match="use `&`, `\\|` and `not_"):
        use()


@pytest.mark.parametrize(
    "use", [lambda: list(Song.tags), lambda: "x" in Song.tags, lambda: len(Song.tags)]
)
def test_a_path_is_no_container(use: Any):
    with pytest.raises(TypeError):
        use()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: _S.yaer, "yaer"),
        (lambda: _S.place.ctiy, "Song.place has no field 'ctiy'; did you mean 'city'?"),
        (lambda: _S.places[0].ctiy, "Song.places[0] has no field 'ctiy'; did you mean 'city'?"),
        (lambda: _S.title.begins_with("x"), "begins_with(Song.title, ...)"),
        (lambda: _S.places.city, "Song.places is a list"),
    ],
)
def test_an_unknown_field_is_an_attribute_error_with_the_name_that_was_meant(
    use: Any, message: str
):
    with pytest.raises(AttributeError) as caught:
        use()

    assert message in str(caught.value)


# --- Limits of one expression -------------------------------------------------------------------


def test_more_than_four_kilobytes_are_refused_before_sending():
    condition = any_of(*(Song.scores[f"{number}"] == number for number in range(280)))

    with pytest.raises(
        ConditionError, match=r"the condition is 4,\d\d\d bytes long; .* takes 4,096"
    ):
        sent(condition)


def test_more_than_three_hundred_operators_are_refused_before_sending():
    condition = any_of(*(Song.plays > 1 for _ in range(151)))

    with pytest.raises(ConditionError, match="the condition has 301 operators; DynamoDB takes 300"):
        sent(condition)


def test_three_hundred_operators_are_taken():
    # 150 comparisons with 149 OR between them, and a NOT.
    condition = not_(any_of(*(Song.plays > 1 for _ in range(150))))

    assert sent(condition)[0].count(">") == 150


def test_the_limit_is_each_expressions_own():
    placeholders = Placeholders()
    many = any_of(*(Song.plays > 1 for _ in range(150)))

    for what in ("condition", "filter"):
        render(many, placeholders, what)


def test_every_reserved_word_and_prefix_like_name_is_a_placeholder():
    @model(Table("odd", partition_key="size", sort_key="begins_with"))
    class Odd:
        size: str = partition_key()
        begins_with: str = sort_key()
        NULL: int = 0
        ACTION: int = 0

    assert sent((Odd.NULL == 1) & (Odd.ACTION == 2) & (Odd.size == "x")) == (
        "#0 = :0 AND #1 = :1 AND #2 = :2",
        {"#0": "NULL", "#1": "ACTION", "#2": "size"},
        {":0": {"N": "1"}, ":1": {"N": "2"}, ":2": {"S": "x"}},
    )


# --- Maps whose keys are more than text -----------------------------------------------------------


class Spice(enum.Enum):
    HOT = "hot"


class Herb(str, enum.Enum):
    SAGE = "sage"


@model("maps")
class Maps:
    id: str = partition_key()
    ints: dict[int, int] = attrs.field(factory=dict)
    spices: dict[Spice, int] = attrs.field(factory=dict)
    herbs: dict[Herb, int] | None = None
    days: dict[date, dict[UUID, int]] = attrs.field(factory=dict)
    texts: dict[str, int] = attrs.field(factory=dict)


@pytest.mark.parametrize(
    ("path_", "label", "steps"),
    [
        (lambda: Maps.ints[1], "Maps.ints[1]", ("ints", "1")),
        (lambda: Maps.ints["1"], "Maps.ints['1']", ("ints", "1")),
        (lambda: Maps.ints[-1], "Maps.ints[-1]", ("ints", "-1")),
        (lambda: Maps.spices[Spice.HOT], "Maps.spices[<Spice.HOT: 'hot'>]", ("spices", "hot")),
        (lambda: Maps.herbs[Herb.SAGE], "Maps.herbs[<Herb.SAGE: 'sage'>]", ("herbs", "sage")),
        (lambda: Maps.texts[Herb.SAGE], "Maps.texts[<Herb.SAGE: 'sage'>]", ("texts", "sage")),
        (
            lambda: Maps.days[date(2026, 1, 2)][UUID(int=1)],
            "Maps.days[datetime.date(2026, 1, 2)][UUID('00000000-0000-0000-0000-000000000001')]",
            ("days", "2026-01-02", str(UUID(int=1))),
        ),
    ],
)
def test_a_path_goes_on_with_a_key_of_the_maps_own_type(path_: Any, label: str, steps: Any) -> None:
    found = path_()

    assert repr(found) == label
    assert data_of(found).steps == steps
    assert all(type(step) is str for step in data_of(found).steps)
    assert sent(found == 3)[2] == {":0": {"N": "3"}}


@pytest.mark.parametrize(
    ("path_", "message"),
    [
        (lambda: Maps.ints[True], "a key of this map is an int"),
        (lambda: Maps.ints[1.5], "a key of this map is an int"),
        (lambda: Maps.spices[1], "a key of this map is a Spice"),
        (
            lambda: Maps.days[datetime(2026, 1, 1, tzinfo=timezone.utc)],
            "a key of this map is a date",
        ),
        (lambda: Maps.texts[1], "Maps.texts is a dict, not a list"),
        (lambda: Maps.ints[""], "a map key is not empty"),
        (lambda: Song.notes[10**7], "no list is that long"),
    ],
)
def test_a_key_of_another_type_is_refused(path_: Any, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        path_()


def test_a_text_that_no_key_is_stored_as_is_asked_for_and_removed_and_not_set() -> None:
    """Another program may have put it there; with it no item can be read."""
    for write in (
        lambda: set_(Maps.ints["x"], 1),
        lambda: put(Maps.ints["x"]).to(1),
        lambda: add(Maps.spices["mild"], 1),
        lambda: set_(Maps.days["soon"][UUID(int=1)], 1),
    ):
        with pytest.raises(
            ConditionError, match=r"\]: a key of this map is .* no item can be read"
        ):
            write()
    assert str(remove(Maps.ints["x"])) == "remove(Maps.ints['x'])"
    assert sent(Maps.ints["x"] == 3)[2] == {":0": {"N": "3"}}
    assert data_of(set_(Maps.ints["07"], 1).path).steps == ("ints", "07")
    assert data_of(set_(Maps.texts["x"], 1).path).steps == ("texts", "x")


# --- None that is stored as text ------------------------------------------------------------------


@model("jsons")
class WithJson:
    id: str = partition_key()
    data: Annotated[dict[str, int] | None, Json] = None
    any: Annotated[Any, Json] = None
    text: Annotated[str, Json] = ""


@pytest.mark.parametrize("field", [WithJson.data, WithJson.any], ids=str)
def test_none_as_json_is_found_as_none(field: Any):
    """It is text as any other value there, beside absent and NULL."""
    for none in (field == None, is_none(field), in_(field, [None])):  # noqa: E711
        assert sent(none)[0] == ("(attribute_not_exists(#0) OR attribute_type(#0, :0)) OR #0 = :1")
        assert sent(none)[2] == {":0": {"S": "NULL"}, ":1": {"S": "null"}}
    for some in (field != None, not_none(field)):  # noqa: E711
        assert sent(some)[0] == (
            "(attribute_exists(#0) AND NOT attribute_type(#0, :0)) AND #0 <> :1"
        )


def test_none_is_set_as_json_and_refused_where_it_is_no_value():
    class_: Any = WithJson
    assert set_(class_.data, None).clause == "REMOVE"

    @model("jsons")
    class Stored:
        id: str = partition_key()
        data: Annotated[dict[str, int] | None, Json]

    action: Any = set_(Stored.data, None)
    assert action.value.stored == {"S": "null"}
    with pytest.raises(ConditionError, match=r"WithJson.text is .* and never None"):
        set_(class_.text, None)


# --- Values that are packed into text or bytes ----------------------------------------------------


@model("packed")
class Packed:
    id: str = partition_key()
    text: Annotated[str, Json] = ""
    count: Annotated[int, Json] = 0
    some: Annotated[list[int] | None, Json] = None
    more: Annotated[list[int], Json] | None = None
    html: Annotated[str, Compressed] = ""
    raw: Annotated[bytes, Compressed] | None = None
    both: Annotated[dict[str, int], Json, Compressed] = attrs.field(factory=dict)
    either: Annotated[str, Compressed] | int = 0
    texts: list[Annotated[str, Json]] = attrs.field(factory=list)
    pages: list[Annotated[str, Compressed]] = attrs.field(factory=list)
    plain: str = ""


ASKED: dict[str, Any] = {
    "<": lambda place, value: place < value,
    ">=": lambda place, value: place >= value,
    "between": lambda place, value: between(place, value, value),
    "begins_with": lambda place, value: begins_with(place, "a"),
    "contains": contains,
    "size": lambda place, value: size(place),
    "a plain field <": lambda place, value: Packed.plain < place,
    "a plain field begins with it": lambda place, value: begins_with(Packed.plain, place),
    "a plain field ==": lambda place, value: Packed.plain == place,
    "set_ of a plain field": lambda place, value: set_(Packed.plain, place),
}
EQUAL: dict[str, Any] = {
    "==": lambda place, value: place == value,
    "!=": lambda place, value: place != value,
    "in_": lambda place, value: in_(place, [value]),
}
TEXTS: Any = [
    (Packed.text, "a"), (Packed.count, 1), (Packed.some, [1]), (Packed.more, [1]),
    (Packed.texts[0], "a"),
]  # fmt: skip
BYTES: Any = [
    (Packed.html, "a"), (Packed.raw, b"a"), (Packed.both, {"a": 1}), (Packed.either, "a"),
    (Packed.pages[0], "a"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value"), [*TEXTS, *BYTES], ids=repr)
@pytest.mark.parametrize("asked", ASKED)
def test_what_is_packed_is_not_asked_for_what_is_inside(asked: str, place: Any, value: Any) -> None:
    """DynamoDB would compare the text, or the bytes, and answer something else."""
    with pytest.raises(ConditionError, match=rf"{re.escape(repr(place))} is |Packed.plain is "):
        ASKED[asked](place, value)


def test_no_path_leads_into_what_is_packed() -> None:
    with pytest.raises(AttributeError) as caught:
        Packed.both.total
    assert str(caught.value) == (
        "Packed.both is stored as compressed bytes, which DynamoDB cannot look into: read the whole value, "
        "and set the whole value"
    )


@pytest.mark.parametrize(("place", "value"), BYTES, ids=repr)
@pytest.mark.parametrize("asked", EQUAL)
def test_compressed_bytes_are_not_compared(asked: str, place: Any, value: Any) -> None:
    """Each version of Python, and of zlib, may compress a value to other bytes."""
    with pytest.raises(
        ConditionError, match=r"compressed bytes: .* equality .* a field of its own"
    ):
        EQUAL[asked](place, value)
    assert not_none(place) is not None
    with pytest.raises(ConditionError, match="compressed bytes"):
        contains(Packed.pages, "a")


@pytest.mark.parametrize(("place", "value"), TEXTS, ids=repr)
@pytest.mark.parametrize("asked", EQUAL)
def test_json_text_is_compared_as_it_is_written(asked: str, place: Any, value: Any) -> None:
    assert sent(EQUAL[asked](place, value))[2] == {":0": data_of(place).form.dump(value)}
    assert sent(contains(Packed.texts, "a"))[2] == {":0": {"S": '"a"'}}
