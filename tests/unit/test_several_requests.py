"""Plans of several requests: which are made, in which order, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from dynattrs import (
    GlobalIndex,
    NoIndex,
    QueryError,
    SparseIndex,
    Table,
    any_of,
    begins_with,
    between,
    in_,
    model,
    not_,
    partition_key,
    sort_key,
)
from stepped_session import ByHand

hand = ByHand()


@model(
    "music",
    indexes=[
        GlobalIndex("by-genre", partition_key="genre", sort_key="plays"),
        GlobalIndex("by-label", partition_key="label"),
    ],
)
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "jazz"
    plays: int = 0
    label: str = ""


@model("users")
class User:
    id: int = partition_key()
    name: str = ""


@model("sparse", indexes=[GlobalIndex("by-rank", partition_key="colour", sort_key="rank")])
class Sparse:
    id: int = partition_key()
    colour: str
    rank: int | None = None


APP = Table(
    "app",
    partition_key="pk",
    sort_key="sk",
    indexes=[GlobalIndex("spread", partition_key="gpk", sort_key="sk", write_shards=4)],
)


@model(APP, pk="U#{user}", sk="O#{state}#{n:03d}", gpk="S#{state}")
class Order:
    user: str
    state: str
    n: int
    note: str = ""


def asked(*conditions: Any, of: Any = Song, **options: Any) -> list[str]:
    """The key condition and the filter of each request."""
    plan = hand.query(of).where(*conditions, **options)._plan()
    return [
        " & ".join(map(str, each.key)) + ("" if each.filter is None else f" | {each.filter}")
        for each in plan.requests
    ]


NINA = Song.artist == "N"


def test_partitions_are_asked_in_the_order_of_the_operands():
    assert asked(in_(Song.artist, ["b", "a", "b"]), Song.title > "x") == [
        "Song.artist == 'b' & Song.title > 'x'",
        "Song.artist == 'a' & Song.title > 'x'",
    ]


def test_ranges_of_one_partition_are_disjoint_and_ascending():
    assert asked(NINA, Song.title != "m") == [
        "Song.artist == 'N' & Song.title < 'm'",
        "Song.artist == 'N' & Song.title > 'm'",
    ]
    assert asked(
        NINA, any_of(Song.title > "x", Song.title <= "c", between(Song.title, "a", "d"))
    ) == [
        "Song.artist == 'N' & Song.title <= 'd'",
        "Song.artist == 'N' & Song.title > 'x'",
    ]
    assert asked(NINA, not_(begins_with(Song.title, "ab"))) == [
        "Song.artist == 'N' & Song.title < 'ab'",
        "Song.artist == 'N' & Song.title >= 'ac'",
    ]


def test_all_that_is_left_out_leaves_one_more_range_than_values():
    assert len(asked(NINA, not_(in_(Song.title, [f"{n:02}" for n in range(20)])))) == 21


def test_each_range_has_the_filters_of_the_alternatives_that_it_is_in():
    assert asked(NINA, any_of(Song.title == "a", (Song.title < "c") & (Song.plays > 3))) == [
        "Song.artist == 'N' & Song.title < 'a' | Song.plays > 3",
        "Song.artist == 'N' & Song.title == 'a'",
        "Song.artist == 'N' & between(Song.title, 'a\\x00', 'c') | Song.plays > 3",
    ]


def test_alternatives_that_say_the_same_are_one_request():
    [only] = asked(any_of(NINA, NINA))
    assert only == "Song.artist == 'N'"
    [only] = asked(NINA, any_of(Song.title < "m", Song.title >= "m"))
    assert "m" not in only


def test_what_one_request_answers_is_one_request():
    assert asked(NINA, in_(Song.genre, ["a", "b"])) == [
        "Song.artist == 'N' | in_(Song.genre, ['a', 'b'])"
    ]


def test_a_template_is_narrowed_by_alternatives_of_its_fields():
    assert asked(Order.user == "u", in_(Order.state, ["b", "a"]), of=Order) == [
        "pk == 'U#u' & begins_with(sk, 'O#a#')",
        "pk == 'U#u' & begins_with(sk, 'O#b#')",
    ]
    # What is no longer narrower stays a filter, and so does what would take too many requests.
    assert asked(Order.user == "u", in_(Order.n, [1, 2]), of=Order) == [
        "pk == 'U#u' & begins_with(sk, 'O#') | in_(Order.n, [1, 2])"
    ]
    assert len(asked(Order.user == "u", in_(Order.state, [*map(str, range(30))]), of=Order)) == 1


def test_a_filter_makes_no_further_requests():
    query = hand.query(Order).where(Order.user == "u").filter(in_(Order.state, ["b", "a"]))

    [only] = query._plan().requests
    assert str(only.filter) == "in_(Order.state, ['b', 'a'])"


def test_one_of_several_values_implies_that_there_is_one():
    plan = hand.query(Song).where(Song.genre == "jazz", in_(Song.plays, [1, 2]))._plan()
    assert [str(each.key[1]) for each in plan.requests] == ["Song.plays == 1", "Song.plays == 2"]
    plan = hand.query(Sparse).where(Sparse.colour == "red", in_(Sparse.rank, [1, None]))
    with pytest.raises(SparseIndex):
        plan.explain()
    assert len(asked(Sparse.colour == "red", in_(Sparse.rank, [1, 2]), of=Sparse)) == 2


def test_whole_keys_are_got():
    query = hand.query(User).where(in_(User.id, range(250)))

    assert query._plan().operation == "batch_get"
    assert "requests: 3, for 250 keys" in query.explain()
    assert query.filter(User.name == "x")._fan_out == 25
    with pytest.raises(QueryError, match="take 250 requests"):
        query.filter(User.name == "x").explain()


def test_an_index_that_binds_less_than_the_table_is_not_read_instead():
    plan = hand.query(Song).where(in_(Song.genre, ["a", "b"]), Song.plays > 3)._plan()
    assert plan.index is not None
    assert plan.index.name == "by-genre"
    assert len(plan.requests) == 2
    plan = hand.query(Song).where(in_(Song.genre, ["a", "b"]), in_(Song.artist, ["x", "y"]))._plan()
    assert plan.index is None


@pytest.mark.parametrize(
    "condition",
    [
        any_of(NINA, Song.plays > 3),
        any_of(NINA, Song.genre == "jazz"),
        Song.artist != "N",
        not_(in_(Song.artist, ["N"])),
    ],
    ids=str,
)
def test_an_alternative_without_a_partition_is_refused(condition: Any):
    with pytest.raises(NoIndex):
        asked(condition)


def test_too_many_requests_are_refused_before_anything_is_sent():
    many = in_(Song.artist, [*map(str, range(26))])

    with pytest.raises(QueryError, match=r"take 26 requests.*fan_out=25.*where\(..., fan_out=26\)"):
        asked(many)
    assert len(asked(many, fan_out=26)) == 26
    with pytest.raises(QueryError, match="positive int"):
        asked(many, fan_out=0)
    with pytest.raises(QueryError, match="more alternatives than 2,500"):
        asked(many, in_(Song.title, [*map(str, range(100))]))


def test_each_shard_is_a_request():
    query = hand.query(Order).where(in_(Order.state, [*map(str, range(7))])).using("spread")

    with pytest.raises(QueryError, match="take 28 requests"):
        query.explain()
    assert "requests: 28, " in query.where(fan_out=28).explain()


def test_merging_needs_a_sort_key():
    query = hand.query(Song).where(in_(Song.label, ["a", "b"])).merged()

    with pytest.raises(QueryError, match="index 'by-label' has none"):
        query.explain()
    with pytest.raises(QueryError, match="no order to merge by"):
        hand.scan(Song).merged()  # type: ignore[attr-defined, unused-ignore]


def test_explain_shows_each_request():
    query = hand.query(Song).where(in_(Song.artist, ["b", "a"]), Song.plays > 3)

    shown = query.explain().splitlines()

    assert shown[3] == "requests: 2, one after the other; fan_out=25 allows 25"
    assert shown[4:6] == ["1. key condition: (Song.artist == 'b')", "filter: Song.plays > 3"]
    assert shown[6].startswith("request: {'KeyConditionExpression': '#0 = :0', 'FilterExpression'")
    assert shown[7] == "2. key condition: (Song.artist == 'a')"
    assert "merged in the order of the sort key" in query.merged().explain()


def test_a_query_shows_that_it_is_merged_and_how_far_it_fans_out():
    query = hand.query(Song).where(NINA, fan_out=30).merged()

    assert str(query) == "query(Song).where(Song.artist == 'N', fan_out=30).merged()"
