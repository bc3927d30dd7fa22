"""Upserts: what is made where there is no item is what a save of the same object stores, for every type."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import mapper, set_
from dynattrs.mapper.equality import same
from dynattrs.operations.item_keys import key_in
from dynattrs.operations.writing.updates import prepare
from dynattrs.schema.model_info import model_info
from stepped_session import ByHand

import strategies

CORE = ByHand()._core


def made(obj: Any, values: Any, *, by_object: bool) -> Any:
    """The item that an upsert makes of some values of *obj*, and of the object or of its key."""
    info = model_info(type(obj))
    actions = [set_(getattr(type(obj), name), value) for name, value in values.items()]
    prepared = prepare(
        CORE, info, key_in(info, mapper.dump(obj)), actions, version=None, when=None, upsert=True,
        obj=obj if by_object else None,
    )  # fmt: skip
    assert prepared.new is not None
    return prepared.new.encoded.item


def fields_of(obj: Any) -> dict[str, Any]:
    names = [each.name for each in attrs.fields(type(obj)) if each.name != "id"]
    return {name: getattr(obj, name) for name in names}


def check(item: Any, obj: Any) -> None:
    """An item is that of an object, but for the order of sets that are stored as lists."""
    stored = mapper.dump(obj)
    assert item.keys() == stored.keys()
    assert same(item, stored) or mapper.load(item, type(obj)) == obj


@given(strategies.models())
def test_an_upsert_that_says_everything_makes_what_a_save_stores(obj: Any) -> None:
    check(made(obj, fields_of(obj), by_object=False), obj)


@given(strategies.models(), st.data())
def test_an_upsert_of_an_object_makes_what_a_save_of_it_stores(
    obj: Any, data: st.DataObject
) -> None:
    fields = fields_of(obj)
    name = data.draw(st.sampled_from(sorted(fields)))

    check(made(obj, {name: fields[name]}, by_object=True), obj)
