"""Texts of conditions: each is a condition or is refused, and what is made of one is what it says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import Condition, ConditionError, model, partition_key, path
from dynattrs.expressions.conditions import expressions
from dynattrs.schema.model_info import model_info
from dynattrs.tools.command.python_conditions import condition_of


@attrs.define
class Label:
    name: str
    ranks: list[int] = attrs.field(factory=list)


@model("texts")
class Song:
    title: str = partition_key()
    plays: int
    price: Decimal
    sold: bool
    tags: set[str] = attrs.field(factory=set)
    label: Label | None = None


INFOS = [model_info(Song)]

TOKENS = (
    "title", "plays", "price", "sold", "tags", "label", ".name", ".ranks", "[0]", "[-1]", "['x']",
    "Song.", "and", "or", "not", "in", "is", "None", "True", "==", "!=", "<", "<=", ">", "(", ")", ",",
    "1", "1.5", "'x'", "b'x'", "[1, 2]", "{'a'}", "begins_with(", "contains(", "exists(", "between(",
    "size(", "len(", "Decimal('1')", "date(2026, 1, 2)", "datetime(2026, 1, 2)", "lambda: 1", "__class__",
    ".startswith(", "not_(", "any_of(", "&", "|", "~", "-", "+", "*", ":", ":=", "if", "else", "await",
    "f'{title}'", "\n", "#", "\\", "\0", "é",
)  # fmt: skip


@given(st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join) | st.text(max_size=30))
def test_a_text_is_a_condition_or_is_refused(text: str):
    try:
        found: Any = condition_of(text, INFOS)
    except ConditionError:
        return
    assert isinstance(found, Condition)


def leaves() -> st.SearchStrategy[tuple[str, Any]]:
    """Conditions as texts, and as Python makes them."""
    song: Any = path(Song)
    texts = st.text(max_size=8)
    numbers = st.integers(-(10**38) + 1, 10**38 - 1)
    return st.one_of(
        texts.map(lambda v: (f"title == {v!r}", song.title == v)),
        texts.map(lambda v: (f"{v!r} < Song.title", song.title > v)),
        texts.map(lambda v: (f"label.name != {v!r}", song.label.name != v)),
        numbers.map(lambda v: (f"plays >= {v}", song.plays >= v)),
        numbers.map(lambda v: (f"label.ranks[3] <= {v}", song.label.ranks[3] <= v)),
        st.decimals(-1000, 1000, places=4).map(lambda v: (f"price == {v}", song.price == v)),
        st.just(("sold", song.sold == True)),  # noqa: E712
        st.just(("label is None", song.label == None)),  # noqa: E711
    )


def joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) and ({p[1][0]})", p[0][1] & p[1][1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) or ({p[1][0]})", p[0][1] | p[1][1])),
        inner.map(lambda one: (f"not ({one[0]})", ~one[1])),
    )


@given(st.recursive(leaves(), joined, max_leaves=6))
def test_a_text_is_the_condition_that_python_makes_of_it(case: tuple[str, Any]):
    text, expected = case

    found: Any = condition_of(text, INFOS)

    assert str(found) == str(expected)
    assert expressions((), found) == expressions((), expected)
