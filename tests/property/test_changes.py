"""Changes of random models: their objects are those that the mapper reads, by rows and without them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dynattrs import MappingError, path
from dynattrs.mapper.equality import alike, same
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.streams import Modified, Unreadable, changes
from dynattrs.streams.reading import _ItemsOfTable
from stream_records import SHAPES, plain, record

import strategies


def read(event: Any, cls: type[Any]) -> Any:
    """The change of an event; None where the item is of another model."""
    return next(changes(event, cls), None)


def without_rows(event: Any, cls: type[Any]) -> Any:
    """The general way: each image by `Mapper.load`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ItemsOfTable, "_rows", lambda self, images: images)
        return read(event, cls)


def stored(info: ModelInfo, obj: Any) -> Any:
    return plain(info.mapper.dump(obj))


def is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def described(change: Any, info: ModelInfo) -> Any:
    if change is None:
        return None
    if isinstance(change, Unreadable):
        error = change.cause
        if isinstance(error, MappingError):
            return error.path, error.expected, error.found, error.hint
        return type(error), str(error)
    return type(change), [outcome(info, each) for each in (change.old, change.new)]


def outcome(info: ModelInfo, obj: Any) -> Any:
    """An object as it would be stored; or why it cannot be, which what is read may hold."""
    try:
        return stored(info, obj)
    except MappingError as error:
        return str(error)


@given(st.data(), strategies.models() | strategies.keyed_models(), st.sampled_from(sorted(SHAPES)))
def test_images_are_what_the_mapper_reads(data: st.DataObject, obj: Any, shape: str):
    cls = type(obj)
    info = model_info(cls)
    try:
        old = new = stored(info, obj)
    except MappingError:  # values that its key cannot hold
        assume(False)
        raise
    if new.keys() - set(info.table.key) and data.draw(st.booleans(), label="damaged"):
        name = data.draw(st.sampled_from(sorted(new.keys() - set(info.table.key))))
        new = {**new, name: data.draw(strategies.attribute_values.map(plain).filter(is_json))}
    given = record(old, new, key=info.table.key, table=info.table.name)
    event = SHAPES[shape]([json.loads(json.dumps(given))])

    found = read(event, cls)

    assert described(found, info) == described(without_rows(event, cls), info)
    if new is old:
        assert isinstance(found, Modified)
        for image in (found.old, found.new):
            assert same(stored(info, image), stored(info, obj))


@given(st.data(), strategies.models())
def test_a_field_has_changed_where_its_stored_value_has(data: st.DataObject, obj: Any):
    cls: type[Any] = type(obj)
    info = model_info(cls)
    old, new = stored(info, obj), stored(info, obj)
    names = [name for name in info.names if name != "id"]
    name = data.draw(st.sampled_from(names))
    with_out = data.draw(st.booleans())
    if with_out:
        new.pop(info.names[name], None)
    found = read([record(old, new, key=["id"], table=info.table.name)], cls)
    if isinstance(found, Unreadable):  # the field has to be there
        assert with_out
        return

    form = info.mapper.model_codec(cls).fields or {}
    changed: Callable[..., bool] = found.changed

    for each in names:
        before, after = (getattr(image, each) for image in (found.old, found.new))
        dumped = [None if one is None else form[each].dump(one) for one in (before, after)]
        assert changed(getattr(path(cls), each)) is not alike(*dumped, form[each])
        if each != name:
            assert not changed(getattr(path(cls), each))
