"""The map from unique values to guards is injective: two values never meet in one guard."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynattrs import model, partition_key
from dynattrs.operations.writing.unique_items import guards_of
from dynattrs.schema.model_info import model_info


@model("users", unique=[("one", "two")])
class Pair:
    id: str = partition_key()
    one: Any = None
    two: Any = None


#: Values that look alike when they are written next to each other.
texts = st.text(alphabet='a",[]\\1', max_size=4) | st.text(max_size=2000)
values = st.one_of(
    texts.map(lambda text: {"S": text}),
    st.integers(-9, 9).map(lambda number: {"N": str(number)}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
)
pairs = st.tuples(values, values)


def guard(pair: tuple[dict[str, object], dict[str, object]]) -> set[str]:
    item = {"one": pair[0], "two": pair[1]}
    return set(guards_of([model_info(Pair)], {"id": {"S": "1"}}, item))


@given(pairs, pairs)
def test_two_pairs_of_values_have_one_guard_only_if_they_are_equal(one, other):
    assert (guard(one) == guard(other)) == (one == other)
