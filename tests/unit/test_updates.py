"""Update actions and the one request that they become."""

from __future__ import annotations

import enum
from collections import deque
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import attrs
import pytest
from typing_extensions import NotRequired, TypedDict

from dynattrs import (
    ConditionError,
    ConditionFailed,
    GlobalIndex,
    MappingError,
    ModelError,
    NoSuchItem,
    Partial,
    add,
    delete,
    field,
    if_not_exists,
    in_,
    list_append,
    model,
    partition_key,
    path,
    put,
    remove,
    set_,
    sort_key,
)
from dynattrs.expressions.paths import data_of
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.expressions.updates import render_update
from dynattrs.operations.flows import Call
from dynattrs.operations.refusals import ConditionFalse
from stepped_session import NOON, ByHand, result


@attrs.define
class Label:
    name: str
    zip_code: str | None = field(name="zip", default=None)
    since: int | None = attrs.field(default=attrs.Factory(lambda: 2000))


@model("songs", indexes=[GlobalIndex("by-genre", partition_key="genre")])
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str | None = None
    year: int | None = None
    rank: int | None = 5
    plays: int = field(name="play.count", default=0)
    tags: set[str] = attrs.field(factory=set)
    limits: set[int] | None = None
    notes: list[str] = attrs.field(factory=list)
    scores: dict[str, int] = attrs.field(factory=dict)
    label: Label | None = None
    labels: list[Label] = attrs.field(factory=list)


@model("documents")
class Document:
    id: str = partition_key()
    text: str = ""
    version: int | None = field(version=True, default=None)
    made: datetime | None = field(created=True, default=None)
    changed: datetime | None = field(updated=True, default=None)


@model("albums")
class Album:
    id: str = partition_key()
    plays: int = 0


_S: Any = Song


def shown(*actions: Any) -> str:
    """The update expression with names and values in their places."""
    placeholders = Placeholders()
    text = render_update(actions, placeholders)
    parameters: dict[str, Any] = {}
    placeholders.into(parameters)
    for placeholder, value in reversed(parameters.get("ExpressionAttributeValues", {}).items()):
        text = text.replace(placeholder, repr(value))
    for placeholder, name in reversed(parameters.get("ExpressionAttributeNames", {}).items()):
        text = text.replace(placeholder, name)
    return text


ACTIONS: list[tuple[Any, str, str]] = [
    (
        set_(Song.plays, 3),
        "SET play.count = {'N': '3'}",
        "set_(Song.plays, 3)",
    ),
    (
        put(Song.plays).to(3),
        "SET play.count = {'N': '3'}",
        "put(Song.plays).to(3)",
    ),
    (
        put(Song.plays).to(if_not_exists(Song.plays, 0) + 1),
        "SET play.count = if_not_exists(play.count, {'N': '0'}) + {'N': '1'}",
        "put(Song.plays).to(if_not_exists(Song.plays, 0) + 1)",
    ),
    (
        put(path(Song.label).zip_code).to("10001"),
        "SET label.zip = {'S': '10001'}",
        "put(Song.label.zip_code).to('10001')",
    ),
    (
        put(Song.year).to(None),
        "REMOVE year",
        "put(Song.year).to(None)",
    ),
    (
        set_(Song.plays, Song.plays + 1),
        "SET play.count = play.count + {'N': '1'}",
        "set_(Song.plays, Song.plays + 1)",
    ),
    (
        set_(Song.plays, 10 - Song.plays),
        "SET play.count = {'N': '10'} - play.count",
        "set_(Song.plays, 10 - Song.plays)",
    ),
    (
        set_(Song.plays, Song.plays - Song.scores["a"]),
        "SET play.count = play.count - scores.a",
        "set_(Song.plays, Song.plays - Song.scores['a'])",
    ),
    (
        set_(Song.year, if_not_exists(Song.year, 1960)),
        "SET year = if_not_exists(year, {'N': '1960'})",
        "set_(Song.year, if_not_exists(Song.year, 1960))",
    ),
    (
        set_(Song.plays, if_not_exists(Song.plays, 0) + 1),
        "SET play.count = if_not_exists(play.count, {'N': '0'}) + {'N': '1'}",
        "set_(Song.plays, if_not_exists(Song.plays, 0) + 1)",
    ),
    (
        set_(Song.notes, list_append(Song.notes, ["x"])),
        "SET notes = list_append(notes, {'L': [{'S': 'x'}]})",
        "set_(Song.notes, list_append(Song.notes, ['x']))",
    ),
    (
        set_(Song.notes, list_append(["x"], Song.notes)),
        "SET notes = list_append({'L': [{'S': 'x'}]}, notes)",
        "set_(Song.notes, list_append(['x'], Song.notes))",
    ),
    (
        set_(Song.notes, list_append(if_not_exists(Song.notes, []), ["x"])),
        "SET notes = list_append(if_not_exists(notes, {'L': []}), {'L': [{'S': 'x'}]})",
        "set_(Song.notes, list_append(if_not_exists(Song.notes, []), ['x']))",
    ),
    (
        set_(Song.year, Song.plays),
        "SET year = play.count",
        "set_(Song.year, Song.plays)",
    ),
    (
        set_(path(Song.label).zip_code, "1"),
        "SET label.zip = {'S': '1'}",
        "set_(Song.label.zip_code, '1')",
    ),
    (
        set_(Song.labels[1].name, "x"),
        "SET labels[1].name = {'S': 'x'}",
        "set_(Song.labels[1].name, 'x')",
    ),
    (
        set_(Song.scores["a.b"], 1),
        "SET scores.a.b = {'N': '1'}",
        "set_(Song.scores['a.b'], 1)",
    ),
    (
        set_(Song.label, Label("x")),
        "SET label = {'M': {'name': {'S': 'x'}, 'since': {'N': '2000'}}}",
        "set_(Song.label, Label(name='x', zip_code=None, since=2000))",
    ),
    (remove(Song.year), "REMOVE year", "remove(Song.year)"),
    (remove(Song.notes[0]), "REMOVE notes[0]", "remove(Song.notes[0])"),
    (remove(path(Song.label).zip_code), "REMOVE label.zip", "remove(Song.label.zip_code)"),
    (
        remove(Song.year, Song.notes[0]),
        "REMOVE year, notes[0]",
        "remove(Song.year, Song.notes[0])",
    ),
    (add(Song.plays, 2), "ADD play.count {'N': '2'}", "add(Song.plays, 2)"),
    (add(Song.tags, {"x"}), "ADD tags {'SS': ['x']}", "add(Song.tags, {'x'})"),
    (add(Song.limits, {1}), "ADD limits {'NS': ['1']}", "add(Song.limits, {1})"),
    (delete(Song.tags, {"x"}), "DELETE tags {'SS': ['x']}", "delete(Song.tags, {'x'})"),
    # None and empty sets, by the rule that a save has too.
    (set_(Song.year, None), "REMOVE year", "set_(Song.year, None)"),
    (set_(Song.rank, None), "SET rank = {'NULL': True}", "set_(Song.rank, None)"),
    (set_(path(Song.label).zip_code, None), "REMOVE label.zip", "set_(Song.label.zip_code, None)"),
    (
        set_(path(Song.label).since, None),
        "SET label.since = {'NULL': True}",
        "set_(Song.label.since, None)",
    ),
    (set_(Song.tags, set()), "REMOVE tags", "set_(Song.tags, set())"),
    (set_(Song.limits, set()), "SET limits = {'L': []}", "set_(Song.limits, set())"),
    (set_(Song.limits, None), "REMOVE limits", "set_(Song.limits, None)"),
]


@pytest.mark.parametrize(
    ("action", "expression", "text"), ACTIONS, ids=[text for _, _, text in ACTIONS]
)
def test_an_action_is_sent_and_shown_as_it_was_meant(action: Any, expression: str, text: str):
    assert shown(action) == expression
    assert str(action) == text


def test_actions_are_grouped_by_clause_and_share_placeholders():
    placeholders = Placeholders()

    text = render_update(
        [
            set_(Song.plays, Song.plays + 1),
            remove(Song.year),
            set_(Song.scores["x"], 1),
            add(Song.tags, {"a"}),
            remove(Song.rank),
        ],
        placeholders,
    )

    assert text == "SET #0 = #0 + :0, #1.#2 = :0 REMOVE #3, #4 ADD #5 :1"


def test_elements_of_lists_are_removed_from_the_end_and_set_from_the_beginning():
    """To an engine that takes one after the other, positions then mean what they do to the service."""
    actions = [
        remove(Song.notes[0], Song.year), remove(Song.notes[12]), remove(_S.labels[1].name),
        set_(Song.notes[9], "i"), set_(Song.plays, 1), set_(Song.notes[7], "g"),
    ]  # fmt: skip

    assert shown(*actions) == (
        "SET play.count = {'N': '1'}, notes[7] = {'S': 'g'}, notes[9] = {'S': 'i'} "
        "REMOVE year, notes[12], labels[1].name, notes[0]"
    )


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1", "1"), ("1.0", "1"), ("-1.50", "-1.5"), ("1E+2", "100"), ("0E-7", "0"), ("-0", "0"),
        ("007", "7"), ("1e-3", "0.001"), ("9" * 38, "9" * 38), ("1E+125", "1" + "0" * 125),
    ],
)  # fmt: skip
def test_a_number_in_an_expression_has_one_form(text: str, plain: str):
    placeholders, parameters = Placeholders(), dict[str, Any]()

    assert placeholders.value({"N": text}) == placeholders.value({"N": plain})
    assert placeholders.value({"NS": [text]}) == placeholders.value({"NS": [plain]})

    placeholders.into(parameters)
    assert [*parameters["ExpressionAttributeValues"].values()] == [{"N": plain}, {"NS": [plain]}]


def test_removals_do_not_count_as_operators():
    """The service takes 301 removals (tried)."""
    assert shown(*(remove(Song.scores[f"{n}"]) for n in range(301))).count(",") == 300

    with pytest.raises(ConditionError, match=r"the update is 4,\d\d\d bytes long"):
        shown(*(set_(Song.plays, Song.plays + 1) for _ in range(300)))


REFUSED: list[tuple[str, str]] = [
    ("set_(S.plays, 'x')", "Song.plays goes with an int of up to 38 digits; found str 'x'"),
    ("set_(S.plays, S.artist)", "Song.plays is an int of up to 38 digits; Song.artist is a str"),
    ("set_(S.plays, None)", "Song.plays is an int of up to 38 digits and never None"),
    ("set_(S.tags, None)", "and never None"),
    ("put(S.plays).to(None)", "Song.plays is an int of up to 38 digits and never None"),
    ("put(S.plays).to('many')", "Song.plays goes with an int of up to 38 digits; found str 'many'"),
    ("put(3)", "put expects a field, as in put(Song.title, ...), found int 3"),
    ("set_('plays', 1)", "set_ expects a field, as in set_(Song.title, ...)"),
    ("set_(S.plays, S.plays + 1 + 1)", "Song.plays + 1 + 1: DynamoDB takes one + or - in a value"),
    ("set_(S.plays, 1 - (S.plays - 1))", "DynamoDB takes one + or - in a value"),
    ("set_(S.artist, S.artist + 'x')", "only numbers are computed with + and -"),
    ("set_(S.notes, S.notes + ['x'])", "lists with list_append"),
    ("set_(S.genre, S.plays + 1)", "only numbers are computed with + and -"),
    ("set_(S.plays, S.plays + 'x')", "Song.plays goes with an int"),
    ("set_(S.plays, list_append(S.notes, ['x']))", "list_append makes lists"),
    ("set_(S.notes, list_append(S.notes, [1]))", "Song.notes goes with a str; found int 1"),
    ("set_(S.notes, list_append(S.plays, ['x']))", "not a list"),
    ("set_(S.year, if_not_exists(S.year, 'x'))", "Song.year goes with"),
    ("set_(S.year, if_not_exists(S.artist, 1))", "Song.artist is a str"),
    ("if_not_exists(S.year, S.year)", "is Song.year itself, and DynamoDB refuses it"),
    ("if_not_exists('year', 1)", "if_not_exists expects a field"),
    ("remove('year')", "remove expects a field"),
    ("remove(S.year, 'genre')", "remove expects a field"),
    ("add(S.artist, 'x')", "add works on numbers and on sets of text, numbers or bytes"),
    ("add(S.notes, ['x'])", "add works on numbers and on sets"),
    ("add(S.plays, 'x')", "Song.plays goes with an int"),
    ("add(S.plays, None)", "add(Song.plays, None): a plain value is expected here"),
    ("add(S.plays, S.plays)", "a plain value is expected here"),
    ("add(S.plays, S.plays + 1)", "a plain value is expected here"),
    ("add(S.tags, set())", "add(Song.tags, set()): the set is empty; leave this action out"),
    ("add(S.tags, 'x')", "Song.tags goes with a set"),
    ("add(S.tags, {1})", "Song.tags goes with a str; found int 1"),
    ("delete(S.plays, 1)", "to remove the attribute use remove(...)"),
    ("delete(S.notes, ['x'])", "delete works on sets of text, numbers or bytes"),
    ("delete(S.tags, set())", "the set is empty"),
]


@pytest.mark.parametrize(("code", "message"), REFUSED, ids=[code for code, _ in REFUSED])
def test_an_action_that_cannot_be_meant_is_refused_where_it_is_written(code: str, message: str):
    with pytest.raises(ConditionError) as caught:
        eval(code, {**globals(), "S": _S})

    assert message in str(caught.value)


@model("paired")
class Paired:
    id: str = partition_key()
    pair: tuple[int, str] = (1, "a")
    maybe: tuple[int, str] | None = None
    pairs: list[tuple[int, str]] = attrs.field(factory=list)
    either: tuple[int, str] | str = ""
    one: Label | list[int] | None = None
    tree: Tree | None = None
    texts: set[str] | str = ""


@attrs.define
class Tree:
    at: tuple[int, int]
    inner: Tree | None = None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("set_(P.pair[0], (7, 'q'))", "Paired.pair[0] goes with an int"),
        ("set_(P.pair[1], 7)", "Paired.pair[1] goes with a str"),
        ("set_(P.pair[2], 7)", "there is nothing at 2: Paired.pair is a tuple of 2"),
        ("set_(P.maybe[2], 7)", "there is nothing at 2: Paired.maybe is a tuple of 2 or None"),
        ("set_(P.either[2], 7)", "there is nothing at 2"),
        ("set_(P.pairs[5][2], 7)", "there is nothing at 2"),
        ("set_(P.tree.inner.at[2], 7)", "there is nothing at 2"),
        ("set_(P.one[0], 'x')", "Paired.one[0] goes with an int"),
        ("P.texts[0]", "there is nothing at 0"),
        ("remove(P.pair[0])", "a member of a tuple, which could not be read with one less"),
        ("remove(P.id, P.maybe[0])", "a member of a tuple"),
        ("remove(P.pairs[0][1])", "a member of a tuple"),
        ("remove(P.tree.inner.at[0])", "a member of a tuple"),
        ("set_(P.pair, list_append(P.pair, (3, 'x')))", "could not be read with more"),
        ("set_(P.maybe, list_append((3, 'x'), P.maybe))", "could not be read with more"),
        ("set_(P.either, list_append(P.either, (3, 'x')))", "could not be read with more"),
    ],
)
def test_a_tuple_keeps_its_types_and_its_length(code: str, message: str):
    with pytest.raises(ConditionError) as caught:
        eval(code, {**globals(), "P": Paired})

    assert message in str(caught.value)


class Number(int):
    """A number of a class of its own."""


class Mood(enum.Enum):
    CALM = "calm"
    LOUD = "loud"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@model("copied")
class Copied:
    id: str = partition_key()
    i: int = 0
    number: Number = Number(0)
    maybe_i: int | None = None
    f: float = 0.0
    d: Decimal = Decimal(0)
    span: timedelta = timedelta(0)
    s: str = ""
    mood: Mood = Mood.CALM
    other_mood: Mood | None = None
    calm: Literal[Mood.CALM] = Mood.CALM
    level: Level = Level.LOW
    speed: Literal[33, 45] = 33
    any: Any = None
    pair: tuple[int, str] = (0, "")
    ints_pair: tuple[int, int] = (0, 0)
    floats_pair: tuple[float, float] = (0.0, 0.0)
    ints: list[int] = attrs.field(factory=list)
    more: deque[int] = attrs.field(factory=deque)
    floats: list[float] = attrs.field(factory=list)
    maybe_floats: list[float | None] | None = None
    scores: dict[str, int] = attrs.field(factory=dict)
    rates: dict[str, float] = attrs.field(factory=dict)
    ids: set[int] = attrs.field(factory=set)
    weights: set[float] = attrs.field(factory=set)
    ints_or_text: list[int] | str = ""
    number_or_text: float | str = ""
    label: Label | None = None
    tree: Tree | None = None
    ends: datetime | None = field(ttl=True, default=None)


@pytest.mark.parametrize(
    "code",
    [
        "set_(C.i, C.maybe_i)", "set_(C.maybe_i, C.i + C.level)", "set_(C.f, C.i)",
        "set_(C.d, C.f + 1)", "set_(C.f, C.d)", "set_(C.number, C.i)", "set_(C.i, C.number)",
        "set_(C.i, C.level)", "set_(C.i, C.speed)", "set_(C.s, C.mood)", "set_(C.mood, C.other_mood)",
        "set_(C.other_mood, C.mood)", "set_(C.mood, C.calm)", "set_(C.f, C.number_or_text)",
        "set_(C.number_or_text, C.s)", "set_(C.any, C.pair)", "set_(C.pair, C.any)",
        "set_(C.pair, if_not_exists(C.pair, (1, 'x')))", "set_(C.pair[0], C.i)", "set_(C.i, C.pair[0])",
        "set_(C.ints, C.more)", "set_(C.more, C.ints)", "set_(C.floats, C.ints)", "set_(C.ints, C.ints_pair)",
        "set_(C.ints, list_append(C.ints, C.ints_pair))", "set_(C.floats_pair, C.ints_pair)",
        "set_(C.maybe_floats, C.ints)", "set_(C.floats, C.maybe_floats)", "set_(C.rates, C.scores)",
        "set_(C.weights, C.ids)", "set_(C.ints_or_text, C.ints)", "set_(C.ints, C.ints_or_text)",
        "set_(C.label, C.label)", "set_(C.tree, C.tree.inner)", "set_(C.tree.inner, C.tree)",
        "set_(C.ends, C.ends + C.i)", "set_(C.span, C.span + timedelta(1))", "set_(C.i, 1 - C.i)",
        "set_(C.f, if_not_exists(C.f, C.i) + 1.5)", "set_(C.ints[0], C.scores['x'])",
    ],
)  # fmt: skip
def test_what_can_be_read_there_is_copied(code: str):
    assert shown(eval(code, {**globals(), "C": _C})).startswith("SET ")


@pytest.mark.parametrize(
    "code",
    [
        "set_(C.i, C.f)", "set_(C.i, C.f + 1)", "set_(C.i, C.i + C.d)", "set_(C.maybe_i, C.d)",
        "set_(C.number, C.f)", "set_(C.i, C.span)", "set_(C.i, if_not_exists(C.f, 1))",
        "set_(C.i, if_not_exists(C.i, C.f))", "set_(C.level, C.i)", "set_(C.speed, C.level)",
        "set_(C.calm, C.mood)", "set_(C.mood, C.s)", "set_(C.pair, C.more)", "set_(C.more, C.pair)",
        "set_(C.more, if_not_exists(C.pair, [1]))", "set_(C.pair, if_not_exists(C.more, (1, 'x')))",
        "set_(C.pair, C.ints_pair)", "set_(C.ints_pair, C.ints)", "set_(C.ints, C.floats)",
        "set_(C.ints, C.maybe_floats)", "set_(C.ints, list_append(C.ints, C.floats_pair))",
        "set_(C.scores, C.rates)", "set_(C.ids, C.weights)", "set_(C.ints_or_text, C.floats)",
        "set_(C.ints[0], C.rates['x'])", "set_(C.pair[0], C.floats[0])",
    ],
)  # fmt: skip
def test_what_might_not_be_read_there_is_not_copied(code: str):
    """Its tag is the right one, and its value need not be."""
    with pytest.raises(ConditionError, match=r"with a copy of it the item might not be read"):
        eval(code, {**globals(), "C": _C})


_C: Any = Copied


def test_the_beginning_of_an_action_is_shown_and_has_no_truth_value():
    assert repr(put(path(Song.label).zip_code)) == "put(Song.label.zip_code)"
    with pytest.raises(TypeError, match=r"put\(Song\.plays\) has no truth value"):
        bool(put(Song.plays))


def test_a_computed_value_has_no_truth_value():
    with pytest.raises(TypeError, match=r"the update value Song\.plays \+ 1 has no truth value"):
        bool(Song.plays + 1)


# --- The request ------------------------------------------------------------------------------

KEY = {"artist": {"S": "Nina"}, "title": {"S": "Sinnerman"}}


def update(subject: Any, *actions: Any, **options: Any) -> Any:
    return ByHand().update(subject, *actions, **options)


def test_an_update_is_one_request_for_an_item_that_exists():
    flow = update(Song, ("Nina", "Sinnerman"), set_(Song.plays, Song.plays + 1))

    assert next(flow) == Call(
        "update_item",
        {
            "TableName": "songs",
            "Key": KEY,
            "UpdateExpression": "SET #0 = #0 + :0",
            "ConditionExpression": "attribute_exists(#1)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            "ReturnValues": "ALL_NEW",
            "ExpressionAttributeNames": {"#0": "play.count", "#1": "artist"},
            "ExpressionAttributeValues": {":0": {"N": "1"}},
        },
        repeat=False,  # it would count twice
    )
    new = {**KEY, "play.count": {"N": "7"}}
    assert result(flow, {"Attributes": new}) == Song("Nina", "Sinnerman", plays=7)


def test_an_upsert_changes_an_item_first_and_then_makes_one():
    """No defaults are written into an item that is there, and no fragment is made where there is none."""
    flow = update(Song, ("Nina", "Sinnerman"), set_(Song.plays, Song.plays + 1), upsert=True)

    changing = next(flow)
    assert changing.parameters["ConditionExpression"] == "attribute_exists(#1)"
    assert changing.parameters["UpdateExpression"] == "SET #0 = #0 + :0"
    making = flow.throw(ConditionFalse("UpdateItem", "ConditionalCheckFailedException", "", None))
    assert making.operation == "put_item"
    assert making.parameters["ConditionExpression"] == "attribute_not_exists(#0)"
    assert making.parameters["Item"]["play.count"] == {"N": "1"}
    assert result(flow, {}) == Song("Nina", "Sinnerman", plays=1)


@pytest.mark.parametrize(
    ("returns", "asked"),
    [("new", "ALL_NEW"), ("old", "ALL_OLD"), ("changed", "ALL_NEW"), (None, "NONE")],
)
def test_what_is_returned_is_asked_for(returns: Any, asked: str):
    call = next(update(Song, ("a", "b"), remove(Song.year), returns=returns))

    assert call.parameters["ReturnValues"] == asked


def test_changed_are_the_new_values_by_path():
    flow = update(
        Song, ("Nina", "Sinnerman"), set_(Song.plays, 7), remove(Song.year),
        delete(Song.tags, {"x"}), set_(path(Song.label).zip_code, "1"), remove(Song.scores["a"]),
        returns="changed",
    )  # fmt: skip
    next(flow)
    new = {
        **KEY,
        "play.count": {"N": "7"},
        "label": {"M": {"name": {"S": "x"}, "zip": {"S": "1"}}},
        "scores": {"M": {}},
    }

    assert result(flow, {"Attributes": new}) == {
        "Song.plays": 7,
        "Song.year": None,
        "Song.tags": set(),
        "Song.label.zip_code": "1",
        "Song.scores['a']": None,
    }


def test_a_missing_item_is_told_from_a_false_condition_by_what_the_service_returns():
    """Update of an item that is gone creates a fragment that cannot be read, elsewhere."""
    false = ConditionFalse("UpdateItem", "ConditionalCheckFailedException", "no", "songs")
    missing = update(Song, ("Nina", "Sinnerman"), remove(Song.year), when=Song.plays > 1)
    next(missing)
    with pytest.raises(NoSuchItem) as nothing:
        missing.throw(false)

    assert nothing.value.key == {"artist": "Nina", "title": "Sinnerman"}

    false.item = {**KEY, "play.count": {"N": "1"}}
    other = update(Song, ("Nina", "Sinnerman"), remove(Song.year), when=Song.plays > 1)
    next(other)
    with pytest.raises(ConditionFailed) as failed:
        other.throw(false)

    assert failed.value.item == Song("Nina", "Sinnerman", plays=1)
    assert str(failed.value) == (
        "UpdateItem: the condition Song.plays > 1 was false for Song "
        "{'artist': 'Nina', 'title': 'Sinnerman'}, nothing was written; see .item for what is stored"
    )


@pytest.mark.parametrize("left", [None, {**KEY, "play.count": {"N": "1"}}])
def test_an_upsert_that_others_overtake_to_the_end_says_so(left: Any):
    """They delete the item before it is changed, and make it before it is put."""
    handle = ByHand()
    flow = handle.update(Song, ("Nina", "Sinnerman"), set_(Song.year, 1), upsert=True)
    effect, asked = next(flow), 0
    while effect.operation != "get_item":
        if effect.operation == "update_item":
            effect = flow.throw(ConditionFalse("UpdateItem", "Conditional…", "no", "songs"))
            continue
        asked += 1
        there = ConditionFalse("PutItem", "Conditional…", "no", "songs")
        there.item = dict(KEY)
        handle.clock.seconds += 25
        effect = flow.throw(there)
        while not isinstance(effect, Call):
            effect = flow.send(None)

    with pytest.raises(
        ConditionFailed, match=rf"others do not make and .* in {asked} tries"
    ) as lost:
        flow.send({} if left is None else {"Item": left})

    assert lost.value.item == (None if left is None else Song("Nina", "Sinnerman", plays=1))
    assert asked > 1


def test_a_condition_that_is_false_without_asking_sends_nothing():
    flow = update(Song, ("a", "b"), remove(Song.year), when=in_(Song.plays, []))

    with pytest.raises(ConditionFailed, match=r"in_\(Song.plays, \[\]\)"):
        next(flow)


class Title(TypedDict):
    main: str
    sub: NotRequired[str]


@model("needed")
class Needed:
    id: str = partition_key()
    name: str
    maybe: int | None
    made: dict[str, int]
    tags: set[str]
    some: set[str] | None
    title: Title
    label: Label
    plain: str = ""
    last: Label | None = None
    labels: list[Label] = attrs.field(factory=list)
    by_name: dict[str, Label] = attrs.field(factory=dict)


_N: Any = Needed


@pytest.mark.parametrize(
    "place",
    [
        _N.name, _N.maybe, _N.made, _N.some, _N.title, _N.title["main"], _N.label, _N.label.name,
        path(_N.last).name, _N.labels[0].name, _N.by_name["a"].name,
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("upsert", [False, True])
def test_what_reads_need_is_not_removed(place: Any, upsert: bool):
    """The item could not be read any more, by the reply to the update first of all."""
    say = r"set_\(.*, None\) stores None" if data_of(place).form.optional else "set_ it"
    with pytest.raises(ConditionError, match=rf"has no default, so the item .*; {say}, or give"):
        next(update(Needed, "1", remove(_N.plain, place), upsert=upsert))


@pytest.mark.parametrize(
    "place",
    [
        _N.tags, _N.title["sub"], _N.label.zip_code, _N.label.since, _N.last, _N.labels,
        _N.labels[0], _N.by_name["a"], _N.made["a"],
    ],
    ids=repr,
)  # fmt: skip
def test_what_reads_do_not_need_is_removed(place: Any):
    call = next(update(Needed, "1", remove(place)))
    assert call.parameters["UpdateExpression"].startswith("REMOVE ")


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ((), "update of Song: no action is given; pass set_(...)"),
        ((), "to write fields that you assigned, enter session.edit(obj) before you assign them"),
        ((Song.plays == 1,), "is not an action; write set_(Song.…, value)"),
        (({"plays": 1},), "is not an action; write set_(Song.plays, value)"),
        (({"playz": 1},), "is not an action; write set_(Song.…, value)"),
        (([set_(Song.plays, 1)],), "write each action as an argument, *actions for a list"),
        ((Partial(Song, {"plays": 1}),), "write *changes.actions() for a Partial `changes`"),
        ((put(Song.plays),), "put(Song.plays) is not an action; write put(Song.plays).to(value)"),
        ((set_(Album.plays, 1),), "set_(Album.plays, 1) is about Album, not Song"),
        ((set_(Song.plays, Album.plays),), "Album"),
        ((set_(Song.plays, Album.plays + 1),), "Album"),
        ((set_(Song.plays, if_not_exists(Album.plays, 1)),), "Album"),
        ((set_(Song.artist, "x"),), "Song.artist is part of the key, which never changes"),
        ((remove(Song.title),), "Song.title is part of the key, which never changes"),
        (
            (remove(Song.year, Song.title),),
            "remove(Song.title): Song.title is part of the key, which never changes",
        ),
        ((remove(Song.year, Album.plays),), "remove(Album.plays) is about Album, not Song"),
        (
            (remove(Song.year, Song.year),),
            "remove(Song.year) and remove(Song.year) change the same place",
        ),
        (
            (remove(Song.rank, Song.labels), set_(Song.labels[0].name, "x")),
            "remove(Song.labels) and set_(Song.labels[0].name, 'x') change the same place",
        ),
        (
            (set_(Song.plays, 1), remove(Song.plays)),
            "set_(Song.plays, 1) and remove(Song.plays) change the same place",
        ),
        (
            (set_(Song.label, Label("x")), set_(path(Song.label).name, "y")),
            "change the same place; DynamoDB takes one action for it",
        ),
        (
            (set_(Song.labels[0].name, "x"), remove(Song.labels)),
            "change the same place",
        ),
        ((set_(Song.genre, ""),), "Song.genre is the key of an index and goes with a S"),
    ],
)
def test_what_the_service_would_refuse_is_refused_before_sending(actions: Any, message: str):
    flow = update(Song, ("a", "b"), *actions)

    with pytest.raises(ConditionError) as caught:
        next(flow)

    assert message in str(caught.value)


def test_neighbours_in_a_list_or_map_do_not_overlap():
    flow = update(
        Song, ("a", "b"), set_(Song.labels[0].name, "x"), set_(Song.labels[1].name, "y"),
        remove(Song.scores["a"]), set_(Song.scores["b"], 1),
    )  # fmt: skip

    assert next(flow).operation == "update_item"


def test_a_condition_on_another_model_is_refused():
    for flow in (
        update(Song, ("a", "b"), remove(Song.year), when=Album.plays > 1),
        ByHand().save(Song("a", "b"), when=Album.plays > 1),
        ByHand().delete(Song, ("a", "b"), when=Album.plays > 1),
    ):
        with pytest.raises(ConditionError, match=r"Album.plays > 1 is about Album, not Song"):
            next(flow)


@pytest.mark.parametrize("when", [True, False, 1, "x", Song.year])
def test_a_plain_value_is_no_condition(when: Any):
    with pytest.raises(ConditionError, match=r"a condition is expected"):
        next(update(Song, ("a", "b"), remove(Song.plays), when=when))


def test_returns_is_checked_before_anything_is_sent():
    with pytest.raises(
        ConditionError, match=r"returns='all': write 'new', 'old', 'changed', 'changed_old' or None"
    ):
        next(update(Song, ("a", "b"), remove(Song.year), returns="all"))


def test_a_class_needs_a_key_and_an_object_has_its_own():
    with pytest.raises(ModelError, match=r"a model class needs a key here"):
        next(update(Song))
    with pytest.raises(MappingError, match=r"the key of Song: a tuple \(artist, title\)"):
        next(update(Song, "a", remove(Song.year)))

    flow = update(Song("Nina", "Sinnerman"), remove(Song.year))

    assert next(flow).parameters["Key"] == KEY


def test_an_action_in_the_place_of_a_key_is_no_key():
    with pytest.raises(MappingError, match=r"the key of Song"):
        next(update(Song, remove(Song.year)))


# --- Versions and time stamps -------------------------------------------------------------------


def test_an_update_by_key_raises_the_version_unchecked_and_stamps():
    """Updating an unread object resets the version to 1, elsewhere: here the service adds."""
    call = next(update(Document, "a", set_(Document.text, "x")))
    parameters = call.parameters

    assert parameters["UpdateExpression"] == (
        "SET #0 = :0, #1 = if_not_exists(#1, :1) + :2, #2 = :3, #3 = if_not_exists(#3, :3)"
    )
    assert parameters["ConditionExpression"] == "attribute_exists(#4)"
    names = {"#0": "text", "#1": "version", "#2": "changed", "#3": "made", "#4": "id"}
    assert parameters["ExpressionAttributeNames"] == names
    assert parameters["ExpressionAttributeValues"] == {
        ":0": {"S": "x"},
        ":1": {"N": "0"},
        ":2": {"N": "1"},
        ":3": {"S": NOON.strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
    }


def test_an_update_of_an_object_checks_its_version_and_leaves_it_alone():
    document = Document("a", version=3)
    flow = update(document, set_(Document.text, "x"))
    parameters = next(flow).parameters

    assert parameters["ConditionExpression"].startswith("attribute_exists(")
    assert "AND #1 = :" in parameters["ConditionExpression"]
    assert {"N": "3"} in parameters["ExpressionAttributeValues"].values()
    new = {"id": {"S": "a"}, "text": {"S": "x"}, "version": {"N": "4"}}
    assert result(flow, {"Attributes": new}).version == 4
    assert document == Document("a", version=3)


def test_the_version_is_not_the_callers_to_set():
    with pytest.raises(
        ConditionError,
        match=r"Document.version is the version, which every update raises by itself",
    ):
        next(update(Document, "a", set_(Document.version, 5)))


@pytest.mark.parametrize("stamp", [Document.made, Document.changed])
def test_a_time_stamp_is_not_the_callers_to_set(stamp: Any):
    with pytest.raises(ConditionError, match="timestamp"):
        next(update(Document, "a", set_(stamp, NOON)))
