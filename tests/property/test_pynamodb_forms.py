"""Models with PynamoDB's forms: the fast ways write and read what the general ones do."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from beside_pynamodb import Everything, fields, own
from dynattrs import mapper
from dynattrs.mapper.size import item_size
from pynamodb_values import NOON, VALUES
from two_readings import assert_same, damaged, wire
from two_writings import check


@st.composite
def objects(draw: Any) -> Any:
    names = draw(st.lists(st.sampled_from(list(VALUES)), unique=True))
    return Everything("ann", NOON, **{name: own(name, draw(VALUES[name])) for name in names})


@given(objects())
def test_an_object_is_stored_and_read_again(obj: Any) -> None:
    item = mapper.dump(obj)
    # Numbers without a declared type are read as int or Decimal.
    assert fields(mapper.load(item, Everything)) == fields(obj)
    assert mapper.default.dump_with_size(obj)[1] == item_size(item)
    assert_same(Everything, [wire(item)] * 2)


@given(objects())
def test_an_object_becomes_a_request_at_once(obj: Any) -> None:
    check(obj, always=True)


@given(objects(), st.data())
def test_what_is_damaged_is_read_or_refused_alike(obj: Any, data: Any) -> None:
    item = wire(mapper.dump(obj))
    assert_same(Everything, [data.draw(damaged(item)) for _ in range(2)])
