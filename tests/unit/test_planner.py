"""The planner: which request answers a query, and why."""

from __future__ import annotations

import decimal
import operator
import textwrap
from datetime import date
from decimal import Decimal
from typing import Any, cast

import attrs
import pytest

from dynattrs import (
    AmbiguousIndex,
    GlobalIndex,
    ImpossibleKey,
    LocalIndex,
    ModelError,
    NoIndex,
    PartialIndex,
    QueryError,
    SparseIndex,
    Table,
    all_of,
    any_of,
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
    sort_key,
)
from stepped_session import ByHand, result


@model(
    "music",
    indexes=[
        LocalIndex("by-year", sort_key="year"),
        GlobalIndex("by-genre", partition_key="genre", sort_key="plays"),
        GlobalIndex("by-label", partition_key="label", sort_key="year"),
        GlobalIndex("keys-of-mood", partition_key="mood", projection="keys"),
        GlobalIndex("some-of-key", partition_key="tone", projection=["year"]),
    ],
)
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = ""
    plays: int = field(name="play.count", default=0)
    year: int | None = None
    label: str | None = None
    mood: str = ""
    tone: str = ""
    released: date | None = None
    expires: int | None = field(ttl=True, default=None)


@model(
    "events",
    indexes=[
        GlobalIndex("wide", partition_key=["a", "b"], sort_key=["c", "d", "e"]),
        GlobalIndex("one", partition_key="a", sort_key="e"),
        GlobalIndex("two", partition_key="a", sort_key="d"),
    ],
)
class Event:
    id: bytes = partition_key()
    at: int = sort_key()
    a: str = ""
    b: str = ""
    c: str = ""
    d: int = 0
    e: int = 0


@attrs.define
class Title:
    title: str
    genre: str


hand = ByHand()


def query(*conditions: Any) -> Any:
    return hand.query(Song).where(*conditions)


def events(*conditions: Any) -> Any:
    return hand.query(Event).where(*conditions)


def explained(asked: Any) -> dict[str, Any]:
    """What `explain` says, by the word before the colon; the reasons in a list."""
    found: dict[str, Any] = {"because": []}
    for line in asked.explain().splitlines():
        if line.startswith("because "):
            found["because"].append(line.removeprefix("because "))
        else:
            name, _, text = line.partition(": ")
            found[name] = text
    return found


# --- 1. The table first ---------------------------------------------------------------------------


def test_explain_of_a_query_by_key_and_filter():
    asked = query(Song.artist == "Nina", begins_with(Song.title, "S"), Song.plays > 3)

    assert asked.explain() == textwrap.dedent("""\
        operation: query
        table: music
        index: none, the table itself
        key condition: (Song.artist == 'Nina') & (begins_with(Song.title, 'S'))
        filter: Song.plays > 3
        projection: all attributes
        request: {'KeyConditionExpression': '#0 = :0 AND begins_with(#1, :1)', \
'FilterExpression': '#2 > :2', \
'ExpressionAttributeNames': {'#0': 'artist', '#1': 'title', '#2': 'play.count'}, \
'ExpressionAttributeValues': {':0': {'S': 'Nina'}, ':1': {'S': 'S'}, ':2': {'N': '3'}}}
        cost: reads what the key condition matches; half a unit for each 4 KB, a request for each 1 MB \
(128 units); \
the filter does not lower that
        because the table's partition key is bound""")


def test_the_table_is_used_where_its_partition_key_is_bound_and_a_better_index_named():
    found = explained(query(Song.artist == "Nina", path(Song.year) > 1960))

    assert found["index"] == "none, the table itself"
    assert found["filter"] == "Song.year > 1960"
    assert found["because"] == [
        "the table's partition key is bound",
        "index 'by-year' binds Song.year as well and would read less; pin it with using('by-year')",
    ]


def test_a_whole_key_could_be_a_get():
    assert explained(query(Song.artist == "Nina", Song.title == "x"))["because"] == [
        "the table's partition key is bound",
        "the whole key is bound: get(Song, key) reads the same item with one GetItem",
    ]
    filtered = explained(query(Song.artist == "Nina", Song.title == "x", Song.plays > 1))
    assert filtered["because"][1] == (
        "the whole key is bound: at most one item is read; a GetItem would not filter, so this "
        "stays a query"
    )


def test_conditions_joined_with_and_are_taken_apart():
    joined = query(all_of(Song.artist == "Nina", Song.title > "S", Song.plays > 1))

    assert explained(joined)["key condition"] == "(Song.artist == 'Nina') & (Song.title > 'S')"


@pytest.mark.parametrize(
    "condition",
    [
        any_of(Song.artist == "Nina", Song.plays > 3),
        any_of(Song.artist == "Nina", Song.genre == "jazz"),
        not_(in_(Song.artist, ["Nina", "Ella"])),
        Song.artist != "Nina",
    ],
    ids=str,
)
def test_alternatives_that_do_not_all_name_a_partition_are_refused(condition: Any):
    with pytest.raises(NoIndex):
        query(condition).explain()


def test_a_path_on_the_other_side_is_no_key_condition():
    found = explained(query(Song.artist == "Nina", Song.genre == Song.label))

    assert found["filter"] == "Song.genre == Song.label"
    with pytest.raises(NoIndex):
        query(Song.artist == Song.title).explain()


# --- 2. The index that binds most -----------------------------------------------------------------


def test_explain_of_a_query_that_an_index_answers():
    asked = query(Song.genre == "jazz", Song.plays >= 3).reverse().limit(5)

    assert asked.explain() == textwrap.dedent("""\
        operation: query
        table: music
        index: by-genre
        key condition: (Song.genre == 'jazz') & (Song.plays >= 3)
        filter: none
        projection: all attributes
        request: {'IndexName': 'by-genre', 'KeyConditionExpression': '#0 = :0 AND #1 >= :1', \
'ExpressionAttributeNames': {'#0': 'genre', '#1': 'play.count'}, \
'ExpressionAttributeValues': {':0': {'S': 'jazz'}, ':1': {'N': '3'}}, \
'ScanIndexForward': False, 'Limit': 5}
        cost: reads what the key condition matches, until 5 items are found; half a unit for each 4 KB, \
a request for each 1 MB (128 units)
        because index 'by-genre' binds most key attributes: Song.genre and Song.plays""")


def test_the_index_that_binds_most_key_attributes_is_used():
    found = explained(query(Song.genre == "jazz", Song.plays > 1, Song.mood == "calm"))

    assert found["index"] == "by-genre"
    assert found["filter"] == "Song.mood == 'calm'"
    assert found["because"] == [
        "index 'by-genre' binds most key attributes: Song.genre and Song.plays",
        "index 'keys-of-mood' binds fewer",
    ]


def test_a_tie_is_refused_and_named():
    with pytest.raises(AmbiguousIndex) as caught:
        query(Song.genre == "jazz", Song.mood == "calm").explain()

    assert str(caught.value) == (
        "the indexes 'by-genre' and 'keys-of-mood' of Song would serve equally well; "
        "name one with using(...)"
    )


def test_using_pins_an_index_against_the_rules():
    found = explained(query(Song.artist == "x", Song.genre == "jazz").using("by-genre"))

    assert found["index"] == "by-genre"
    assert found["filter"] == "Song.artist == 'x'"
    assert found["because"] == ["index 'by-genre' is pinned by using()"]


def test_using_an_index_whose_partition_key_is_not_bound_is_refused():
    with pytest.raises(NoIndex) as caught:
        query(Song.artist == "x").using("by-genre").explain()

    assert str(caught.value) == (
        "a query on index 'by-genre' needs an equality on its partition key: state "
        "Song.genre == ..., or scan(Song).using('by-genre')"
    )


def test_using_an_unknown_index_is_refused_with_the_one_that_was_meant():
    with pytest.raises(
        QueryError, match=r"Song has no index 'by-gener'; did you mean 'by-genre'\?"
    ):
        query(Song.genre == "x").using("by-gener").explain()
    with pytest.raises(QueryError, match=r"using\(5\): the name of an index is expected"):
        query().using(5)


def test_a_consistent_read_of_a_global_index_is_refused_a_local_one_is_not():
    with pytest.raises(QueryError) as found:
        query(Song.genre == "jazz").consistent().explain()
    with pytest.raises(QueryError) as pinned:
        query(Song.genre == "jazz").using("by-genre").consistent().explain()

    assert str(found.value) == (
        "only index 'by-genre' would serve, and a global index cannot be read consistently; remove "
        "consistent(), or state Song.artist == ..."
    )
    assert "a global index, such as 'by-genre', cannot be read consistently" in str(pinned.value)
    local = query(Song.artist == "x").using("by-year").consistent()
    assert "'ConsistentRead': True" in explained(local)["request"]


# --- Multi-attribute keys -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "key", "filtered"),
    [
        (["A", "B"], "(Event.a == 'x') & (Event.b == 'y')", "none"),
        (["A", "B", "C"], "(Event.a == 'x') & (Event.b == 'y') & (Event.c == 'z')", "none"),
        (
            ["A", "B", "C", "D", "E"],
            "(Event.a == 'x') & (Event.b == 'y') & (Event.c == 'z') & (Event.d == 1) & (Event.e > 2)",
            "none",
        ),
    ],
)
def test_keys_of_several_attributes_are_bound_from_the_left(
    conditions: list[str], key: str, filtered: str
):
    stated = {
        "A": Event.a == "x",
        "B": Event.b == "y",
        "C": Event.c == "z",
        "D": Event.d == 1,
        "E": Event.e > 2,
    }
    found = explained(events(*(stated[each] for each in conditions)))

    assert found["index"] == "wide"
    assert found["key condition"] == key
    assert found["filter"] == filtered


def test_what_comes_after_a_gap_or_a_range_in_a_sort_key_cannot_be_sent():
    """The service takes no filter on attributes of the key that it queries."""
    for conditions in (
        (Event.a == "x", Event.b == "y", Event.d == 1),
        (Event.a == "x", Event.b == "y", Event.c > "z", Event.d == 1),
    ):
        with pytest.raises(QueryError, match=r"Event.d == 1 cannot be sent: .* \(Event.d of index"):
            events(*conditions).using("wide").explain()


def test_every_attribute_of_a_partition_key_must_be_bound():
    with pytest.raises(NoIndex, match=r"state Event.b == \.\.\."):
        events(Event.a == "x").using("wide").explain()
    with pytest.raises(AmbiguousIndex, match=r"'one' and 'two' of Event"):
        events(Event.a == "x").explain()


# --- 3. Sparse indexes ----------------------------------------------------------------------------


def test_an_index_that_may_lack_matching_items_is_not_chosen_by_itself():
    with pytest.raises(SparseIndex) as caught:
        query(Song.label == "Verve").explain()

    assert str(caught.value) == (
        "index 'by-label' would serve, but it holds only items that have all its key attributes, "
        "and Song.year may be absent: the answer could lack items that match; state a condition "
        "that implies it, such as exists(Song.year), or pin the index with using('by-label')"
    )


@pytest.mark.parametrize(
    "implied",
    [
        exists(Song.year),
        not_none(Song.year),
        path(Song.year) > 1900,
        Song.year == 1960,
        between(Song.year, 1900, 2000),
    ],
    ids=str,
)
def test_a_condition_that_implies_the_attributes_makes_the_index_safe(implied: Any):
    """What the message of SparseIndex advises must work."""
    found = explained(query(Song.label == "Verve", implied))

    assert found["index"] == "by-label"
    assert found["filter"] == "none"


def test_bounds_that_are_the_wrong_way_round_ask_for_nothing():
    """The service refuses them, in key conditions and in filters."""
    asked = query(Song.artist == "x", between(Song.title, "z", "a"))

    assert explained(asked) == {
        "operation": "nothing",
        "because": ["between(Song.title, 'z', 'a') matches nothing"],
    }


@pytest.mark.parametrize("absent", [not_exists(Song.year), is_none(Song.year)], ids=str)
def test_what_an_index_never_holds_is_not_asked_for(absent: Any):
    found = explained(query(Song.label == "Verve", absent).using("by-label"))

    assert found["operation"] == "nothing"
    assert found["because"] == [
        f"no item of the index 'by-label' lacks it, so {absent} matches nothing"
    ]


def test_using_accepts_a_sparse_index():
    assert explained(query(Song.label == "Verve").using("by-label"))["index"] == "by-label"


# --- 4. Partial indexes ---------------------------------------------------------------------------


def test_an_index_that_lacks_attributes_is_refused_for_whole_objects():
    """Items read from an index of keys load with defaults, and a save destroys the rest."""
    with pytest.raises(PartialIndex) as caught:
        query(Song.mood == "calm").explain()

    assert str(caught.value) == (
        "index 'keys-of-mood' does not hold Song.genre, Song.plays, Song.year, Song.label, "
        "Song.tone, Song.released and Song.expires, and a Song that lacks them must not be "
        "saved back; ask for the fields it holds with as_(...) or select(...), for the whole items "
        "with hydrate(), or give the index projection='all'"
    )


def test_hydrate_reads_the_keys_and_then_the_whole_items():
    found = explained(query(Song.mood == "calm").hydrate())

    assert found["projection"] == "artist, title, mood"
    assert found["then"] == "BatchGetItem for the whole items, 100 at a time"


def test_hydrate_of_an_index_that_holds_everything_fetches_nothing_more():
    found = explained(query(Song.genre == "jazz").hydrate())

    assert found["projection"] == "all attributes"
    assert "then" not in found


def test_what_an_index_holds_may_be_selected():
    assert explained(query(Song.mood == "calm").keys())["projection"] == "artist, title, mood"
    assert explained(query(Song.mood == "calm").select(Song.title))["index"] == "keys-of-mood"
    with pytest.raises(PartialIndex, match=r"does not hold Song\.genre, and"):
        query(Song.mood == "calm").as_(Title).explain()
    with pytest.raises(PartialIndex):
        query(Song.mood == "calm").raw().explain()


@pytest.mark.parametrize("asked", ["where", "filter"])
def test_a_filter_on_what_the_index_does_not_hold_is_refused(asked: str):
    """To the index it is absent everywhere: the answer would be silently wrong."""
    refused = getattr(query(Song.mood == "calm").hydrate(), asked)(not_(Song.plays > 3))

    with pytest.raises(PartialIndex) as caught:
        refused.explain()

    assert "needs Song.plays, which index 'keys-of-mood' does not hold" in str(caught.value)
    held = query(Song.tone == "c", path(Song.year) > 1).hydrate()
    assert explained(held)["filter"] == "Song.year > 1"


# --- 5. Nothing bound -------------------------------------------------------------------------------


def test_a_query_without_a_partition_key_is_no_silent_scan():
    with pytest.raises(NoIndex) as caught:
        query(Song.plays > 3).explain()

    assert str(caught.value) == (
        "a query for Song needs an equality on a partition key: Song.artist (the table) or "
        "Song.genre (index 'by-genre') or Song.label (index 'by-label') or Song.mood (index "
        "'keys-of-mood') or Song.tone (index 'some-of-key'); got conditions on Song.plays only. "
        "To read everything and filter, use scan(Song)"
    )
    with pytest.raises(NoIndex, match="none is stated"):
        query().explain()


def test_a_query_that_no_key_answers_names_the_fields_that_it_stated():
    app = Table("app", partition_key="pk", sort_key="sk")

    @model(app, pk="USER#{user}", sk="ORDER#{placed}#{number}")
    class Order:
        user: str
        placed: str
        number: str

    with pytest.raises(NoIndex) as caught:
        ByHand().query(Order).where(Order.placed == "today").explain()

    assert "Order.user (the table); got conditions on Order.placed only. " in str(caught.value)


def test_an_unresolved_query_sends_nothing_from_any_end():
    for end in ("all", "first", "one", "count", "delete"):
        with pytest.raises(NoIndex):
            next(getattr(query(Song.plays > 3), end)())
    with pytest.raises(NoIndex):
        next(query(Song.plays > 3).page(5))


def test_a_scan_filters_on_anything():
    found = explained(hand.scan(Song).where(Song.artist == "x", Song.plays > 1))

    assert found["operation"] == "scan"
    assert found["key condition"] == "none"
    assert found["filter"] == "(Song.artist == 'x') & (Song.plays > 1)"
    assert found["because"] == ["a scan was asked for: it reads the whole table"]


def test_a_scan_of_a_sparse_index_says_so():
    found = explained(hand.scan(Song).using("by-label"))

    assert found["because"] == [
        "a scan was asked for: it reads the whole index 'by-label'",
        "items without Song.label and Song.year are not in the index",
    ]


# --- 6. Contradictions and folding ----------------------------------------------------------------

_FOLDED: list[tuple[tuple[Any, ...], str]] = [
    ((Song.title >= "a", Song.title <= "c"), "between(Song.title, 'a', 'c')"),
    ((Song.title > "a", Song.title <= "c"), "between(Song.title, 'a\\x00', 'c')"),
    ((Song.title > "a", Song.title > "b"), "Song.title > 'b'"),
    ((Song.title >= "b", Song.title > "b"), "Song.title > 'b'"),
    ((Song.title < "a", Song.title < "b"), "Song.title < 'a'"),
    ((begins_with(Song.title, "ab"), begins_with(Song.title, "a")), "left out 'ac'"),
    ((begins_with(Song.title, "ab"), Song.title == "abc"), "Song.title == 'abc'"),
    ((begins_with(Song.title, "ab"), Song.title >= "abc"), "left out 'ac'"),
    ((between(Song.title, "a", "m"), Song.title >= "c"), "between(Song.title, 'c', 'm')"),
    ((Song.title == "a", Song.title == "a"), "Song.title == 'a'"),
    ((Song.title == "a", Song.title >= "a"), "Song.title == 'a'"),
    # Keys are never empty, and the service refuses a condition that names the empty value.
    ((Song.title > "",), ""),
    ((Song.title >= "",), ""),
    ((begins_with(Song.title, ""),), ""),
    ((begins_with(Song.title, ""), Song.title < "c"), "Song.title < 'c'"),
    ((between(Song.title, "", "c"),), "Song.title <= 'c'"),
    # Contradictions.
    ((Song.title < "",), "nothing"),
    ((Song.title <= "",), "nothing"),
    ((Song.title == "a", Song.title == "b"), "nothing"),
    ((Song.title == "a", Song.title > "a"), "nothing"),
    ((Song.title == "b", begins_with(Song.title, "a")), "nothing"),
    ((Song.title > "c", Song.title < "a"), "nothing"),
    ((Song.title > "a", Song.title < "a"), "nothing"),
    ((begins_with(Song.title, "a"), begins_with(Song.title, "b")), "nothing"),
]


@pytest.mark.parametrize(("conditions", "expected"), _FOLDED, ids=str)
def test_all_that_is_said_of_a_key_attribute_becomes_one_range(
    conditions: tuple[Any, ...], expected: str
):
    asked = query(Song.artist == "x", *conditions)
    found = explained(asked)

    if expected == "nothing":
        assert found == {
            "operation": "nothing",
            "because": ["the conditions on Song.title contradict each other"],
        }
    elif expected.startswith("left out"):
        assert found["because"][-1] == (
            "BETWEEN includes its upper end: items equal to it are left out on receipt"
        )
        assert asked._plan().excluded == ("title", {"S": "ac"})
    else:
        key = "(Song.artist == 'x')" + (f" & ({expected})" if expected else "")
        assert found["key condition"] == key
        assert asked._plan().excluded is None


@pytest.mark.parametrize(
    ("conditions", "key"),
    [
        ((Song.plays > 1, Song.plays < 3), "between(Song.plays, Decimal('1.0"),
        ((Song.plays > 1, Song.plays <= 3), "between(Song.plays, Decimal('1.0"),
    ],
)
def test_numbers_have_a_next_one_so_nothing_is_left_out(conditions: tuple[Any, ...], key: str):
    asked = query(Song.genre == "jazz", *conditions)

    assert key in explained(asked)["key condition"]
    assert asked._plan().excluded is None


def test_a_sort_key_of_several_attributes_is_stated_from_the_left():
    """A range of the last attribute was stated; what lacks are equalities of those before it."""
    asked = events(Event.a == "x", Event.b == "y", Event.e < 3).using("wide")

    with pytest.raises(QueryError, match=r"state an equality of Event\.c and Event\.d too, filter"):
        asked.explain()

    some = events(Event.a == "x", Event.b == "y", Event.c == "z", Event.e < 3).using("wide")
    with pytest.raises(QueryError, match=r"state an equality of Event\.d too, filter"):
        some.explain()


def test_numbers_that_a_range_was_made_of_are_shown_as_numbers():
    text = query(Song.genre == "jazz", (Song.plays < 7) | (Song.label == "x")).explain()

    assert "(Song.plays < 7)" in text
    assert "(Song.plays >= 7)" in text


@pytest.mark.parametrize(
    ("below", "previous"),
    [
        (1, Decimal("0.99999999999999999999999999999999999999")),
        (10**37 + 1, Decimal(10000000000000000000000000000000000000)),
    ],
)
def test_neighbours_of_numbers_do_not_depend_on_the_callers_precision(
    below: int, previous: Decimal
):
    with decimal.localcontext() as context:
        context.prec = 3
        [_, bounds] = query(Song.genre == "jazz", Song.plays > -5, Song.plays < below)._plan().key

    assert Decimal(cast("Any", bounds).high.stored["N"]) == previous


@pytest.mark.parametrize(
    ("above", "least"),
    [
        ("z" * 1023, "z" * 1023 + "\0"),
        ("z" * 1024, "z" * 1023 + "{"),
        # One character more takes two bytes, which would be too many.
        ("a" + "\x7f" * 1023, "a" + "\x7f" * 1021 + "\x80"),
        ("abcd" + "\U0010ffff" * 255, "abce"),
    ],
    ids=["room", "none", "longer", "last"],
)
def test_a_bound_is_never_longer_than_a_sort_key_can_be(above: str, least: str):
    [_, bounds] = query(Song.artist == "x", Song.title > above, Song.title <= "~")._plan().key

    assert cast("Any", bounds).low.stored == {"S": least}


@model(Table("notes", partition_key="pk", sort_key="sk"), pk="N#{id}", sk="T#{title}")
class Note:
    id: str
    title: str


@pytest.mark.parametrize("size", [1022, 1023, 1024, 5000])
def test_a_template_drops_no_condition_because_its_value_is_longer_than_a_key(size: int):
    """With the condition left out, a query that deletes would have deleted the whole partition."""
    long = "y" * size
    notes = hand.query(Note).where(Note.id == "x")

    found = explained(notes.where(begins_with(Note.title, long)))
    assert (found["operation"] == "nothing") is (size > 1022)
    if size > 1022:
        with pytest.raises(ImpossibleKey, match=r"Note\['sk'\]: expected 1 to 1,024 bytes"):
            explained(notes.where(Note.title == long))
    else:
        assert explained(notes.where(Note.title == long))["operation"] == "query"
    for condition, kept in (
        (Note.title > long, {"T#x": False, "T#z": True}),
        (Note.title >= long, {"T#x": False, "T#z": True}),
        (Note.title < long, {"T#x": True, "T#z": False}),
        (between(Note.title, "x", long), {"T#x": True, "T#z": False}),
        (between(Note.title, long, "zz"), {"T#x": False, "T#z": True}),
    ):
        [_, bounds] = notes.where(condition)._plan().key
        stored = [each.stored["S"] for each in _values(bounds)]
        assert all(len(each.encode()) <= 1024 for each in stored)
        for key, expected in kept.items():
            assert _taken_in(bounds)(key) is expected, (condition.__class__, key)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            lambda: query(Song.artist == "x", Song.title == ""),
            "Song.title: expected 1 to 1,024 bytes",
        ),
        (
            lambda: hand.query(Song).where(Song.artist == ""),
            "Song.artist: expected 1 to 2,048 bytes",
        ),
        (lambda: hand.query(Song).where(Song.artist == "x" * 2049), "found 2,049 bytes"),
        (lambda: hand.query(Note).where(Note.id == "a#b"), "Note.id: expected text without '#'"),
        (
            lambda: hand.query(Note).where(Note.id == "N#a"),
            "found 'N#a'; keys are given by their fields: leave 'N#' out",
        ),
        (
            lambda: hand.query(Note).where(Note.id == "a", in_(Note.title, ["b", "a#b"])),
            "Note.title: expected text without '#'",
        ),
    ],
    ids=["sort", "partition", "long", "template", "as stored", "in"],
)
def test_a_value_that_no_key_can_have_is_refused_as_by_get(asked: Any, said: str):
    """Answered with "nothing" it looked like an item that does not exist."""
    with pytest.raises(ImpossibleKey, match=said):
        asked().explain()


def test_a_value_that_no_key_can_have_is_a_bound_all_the_same():
    notes = hand.query(Note).where(Note.id == "x")

    assert explained(notes.where(Note.title < "a#b"))["operation"] == "query"
    assert explained(notes.where(between(Note.title, "a#", "b#")))["operation"] == "query"


def test_models_that_nobody_can_tell_apart_are_refused_when_a_forward_reference_shows_it():
    """Else each would read the other's items as its own, and saving them back would change them."""
    app = Table("later", partition_key="pk", sort_key="sk")

    @model(app, pk="A#{id}", sk="{name}")
    class Early:
        id: str
        name: NotYet  # noqa: F821

    @model(app, pk="A#{id}", sk="{name}")
    class Late:
        id: str
        name: str

    globals()["NotYet"] = str
    try:
        for models in ((Early,), (Late,), (Early, Late)):
            with pytest.raises(ModelError, match=r"they could not be told apart.*discriminator="):
                hand.query(*models)
    finally:
        del globals()["NotYet"]


def _values(bounds: Any) -> list[Any]:
    if hasattr(bounds, "low"):
        return [bounds.low, bounds.high]
    return [bounds.argument if hasattr(bounds, "argument") else bounds.right]


def _taken_in(bounds: Any) -> Any:
    """Whether a key is within what is sent."""
    texts = [each.stored["S"] for each in _values(bounds)]
    if hasattr(bounds, "low"):
        return lambda key: texts[0] <= key <= texts[1]
    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
    return lambda key: compare[bounds.operator](key, texts[0])


def test_bytes_fold_by_their_order():
    found = explained(events(Event.id == b"\x01", Event.at == 1, Event.at < 2))

    assert found["key condition"] == "(Event.id == b'\\x01') & (Event.at == 1)"


def test_nothing_matches_so_nothing_is_sent():
    for asked in (
        query(Song.artist == "x", in_(Song.plays, [])),
        query(Song.artist == "x").filter(in_(Song.plays, [])),
        query(Song.artist == "x", Song.artist == "y"),
        query(in_(Song.plays, [])),
        hand.scan(Song).where(in_(Song.plays, [])),
        hand.scan(Song).where(in_(Song.plays, [])).parallel(4),
    ):
        assert explained(asked)["operation"] == "nothing"
        assert result(asked.all()) == []
        assert result(asked.first()) is None
        assert result(asked.count()) == 0
        assert result(asked.delete()) == 0


def test_a_page_of_nothing_is_empty_and_the_last():
    page = result(query(Song.artist == "x", Song.artist == "y").page(5))

    assert (page.items, page.cursor, page.scanned) == ((), None, 0)


def test_a_condition_that_is_always_true_is_not_sent():
    found = explained(query(Song.artist == "x", not_(in_(Song.plays, []))))

    assert found["filter"] == "none"


# --- Filters on the key that is queried -----------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "method"),
    [
        *[
            (condition, "filter")
            for condition in (
                Song.title != "x",
                in_(Song.title, ["a", "b"]),
                any_of(Song.title == "a", Song.plays > 1),
                not_(Song.title == "a"),
            )
        ],
        *[
            (condition, method)
            for condition in (contains(Song.title, "a"), Song.title == Song.genre)
            for method in ("where", "filter")
        ],
    ],
    ids=str,
)
def test_a_filter_on_the_queried_keys_attributes_is_refused(condition: Any, method: str):
    asked = getattr(query(Song.artist == "Nina"), method)(condition)

    with pytest.raises(QueryError) as caught:
        asked.explain()

    assert str(caught.value) == (
        f"the condition {condition} cannot be sent: DynamoDB takes no filter on the attributes of "
        f"the key that it queries (Song.title of table); state an equality or a range there, filter "
        f"in Python, or use scan(Song)"
    )


def test_filter_is_never_planned_as_a_key():
    with pytest.raises(NoIndex):
        hand.query(Song).filter(Song.artist == "Nina").explain()
    found = explained(query(Song.genre == "jazz").filter(Song.artist == "Nina"))
    assert found["filter"] == "Song.artist == 'Nina'"


def test_the_tables_key_may_be_filtered_on_an_index():
    found = explained(query(Song.genre == "jazz", begins_with(Song.title, "S")))

    assert found["filter"] == "begins_with(Song.title, 'S')"


def test_a_condition_on_another_model_is_refused():
    with pytest.raises(
        QueryError, match=r"Event.a == 'x' is about Event, but the query is of Song"
    ):
        query(Event.a == "x")


# --- What is read ---------------------------------------------------------------------------------


def test_unexpired_is_a_filter_with_the_clock():
    """What has no time to live, or none that is a number, never expires."""
    found = explained(query(Song.artist == "x").unexpired())

    assert found["filter"] == "not_(Song.expires <= 1795435200)"
    with pytest.raises(QueryError, match=r"unexpired: Event has no time to live"):
        events().unexpired()


def test_a_projection_always_has_the_keys_that_cursors_are_made_of():
    selected = query(Song.genre == "jazz").select(Song.released, Song.plays)

    assert explained(selected)["projection"] == "artist, title, genre, play.count, released"


def test_a_prefix_puts_the_real_table_into_explain():
    own = ByHand()
    own._core = attrs.evolve(own._core, table_prefix="dev-")

    asked = own.query(Song).where(Song.artist == "x")

    assert explained(asked)["table"] == "dev-music"


def test_a_table_of_one_key_attribute():
    @model(Table("flat", partition_key="id"))
    class Flat:
        id: str = partition_key()

    found = explained(hand.query(Flat).where(Flat.id == "x"))

    assert found["because"][-1].startswith("the whole key is bound: get(Flat, key)")


def test_explain_says_what_the_service_will_read():
    def cost(asked: Any) -> str:
        (line,) = (line for line in asked.explain().splitlines() if line.startswith("cost: "))
        return line.removeprefix("cost: ")

    assert cost(hand.scan(Song).page_size(7)) == (
        "reads everything there; half a unit for each 4 KB, a request for each 1 MB (128 units) or 7 items"
    )
    assert cost(query(Song.artist == "x").consistent()) == (
        "reads what the key condition matches; a unit for each 4 KB, a request for each 1 MB (256 units)"
    )


def test_explain_estimates_the_cost_by_the_description_of_the_table():
    described = {
        "TableName": "music", "ItemCount": 10_000, "TableSizeBytes": 5_000_000,
        "GlobalSecondaryIndexes": [
            {"IndexName": "by-genre", "ItemCount": 4_000, "IndexSizeBytes": 400_000},
        ],
    }  # fmt: skip

    def estimate(asked: Any, table: Any = described) -> str:
        found = asked.explain(table)
        return "".join(
            line.removeprefix("estimate: ")
            for line in found.splitlines()
            if line.startswith("estimate: ")
        )

    assert (
        estimate(hand.scan(Song)) == "about 610 units for 10,000 items of 500 bytes, in 5 requests"
    )
    assert estimate(hand.scan(Song).consistent().page_size(100)) == (
        "about 1,221 units for 10,000 items of 500 bytes, in 100 requests"
    )
    assert estimate(hand.scan(Song).segment(1, of=4)) == (
        "about 153 units for 2,500 items of 500 bytes, in 2 requests"
    )
    assert "reads about 1/4 of everything there" in hand.scan(Song).segment(1, of=4).explain()
    assert estimate(hand.scan(Song).parallel(8)).endswith("in 8 requests")
    assert estimate(hand.scan(Song).limit(10)) == (
        "about 1 unit for 10 items of 500 bytes, in 1 request"
    )
    assert estimate(hand.scan(Song).where(Song.plays > 1).limit(10)).startswith("about 610 units")
    assert estimate(query(Song.artist == "x")) == (
        "about 0.061 units an item; 610 units for 10,000 items of 500 bytes, in 5 requests, if all that "
        "there are match"
    )
    assert estimate(query(Song.artist == "x").limit(40)) == (
        "about 0.061 units an item; at most 2.5 units for 40 items of 500 bytes, in 1 request"
    )
    assert estimate(query(Song.genre == "jazz").limit(40)).endswith(
        "at most 0.5 units for 40 items of 100 bytes, in 1 request"
    )
    keys = query(in_(Song.artist, ["a", "b"]), Song.title == "x")
    assert estimate(keys) == "about 1 unit for 2 items of 500 bytes, in 1 request"
    empty = {"TableName": "music", "ItemCount": 0, "TableSizeBytes": 0}
    assert "counts no items of the table" in estimate(hand.scan(Song), empty)
    assert "of the index by-genre" in estimate(query(Song.genre == "jazz"), empty)
    for wrong in ({"TableName": "other"}, {}, "music", 3):
        with pytest.raises(QueryError, match=r"explain\("):
            hand.scan(Song).explain(wrong)
    assert "estimate" not in hand.scan(Song).explain()


def test_models_whose_keys_have_different_fields_are_told_why_one_condition_is_not_enough():
    app = Table("unlike", partition_key="pk", sort_key="sk")

    @model(app, pk="M#{id}", sk="PROFILE")
    class Member:
        id: str

    @model(app, pk="M#{member}", sk="VISIT#{number}")
    class Visit:
        member: str
        number: str

    with pytest.raises(NoIndex, match=r"Member: pk='M#\{id\}', Visit: pk='M#\{member\}'.*one name"):
        hand.query(Member, Visit).where(Member.id == "7").explain()
