"""What fields default to never makes two objects have a part in common that can be changed."""

from __future__ import annotations

import array
import collections
import copy
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import ModelError, mapper, model, partition_key
from dynattrs.operations.reading.objects import decoder, made_of
from dynattrs.operations.reading.projections import projected, selected
from dynattrs.schema.model_info import model_info

import strategies

FIELDS = ("__attrs_attrs__", "__dataclass_fields__", "__struct_fields__")
#: In place of an identity: an instance of a class without fields, in which nothing can be seen.
EMPTY = -1


def changeable(value: Any) -> Iterator[int]:
    """The identities of what can be changed in a value: itself, or something inside it."""
    if isinstance(value, (list, dict, set, bytearray, array.array, collections.deque)):
        yield id(value)
    if isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        inside = list(value)
    elif isinstance(value, dict):
        inside = list(value.values())
    else:
        names = [
            getattr(each, "name", each)
            for kind in FIELDS
            for each in getattr(type(value), kind, ())
        ]
        inside = [getattr(value, name) for name in names]
        if not names and any(hasattr(type(value), each) for each in FIELDS):
            yield EMPTY
        if names:
            try:
                setattr(value, names[0], inside[0])
            except AttributeError:
                pass
            else:
                yield id(value)
    for each in inside:
        yield from changeable(each)


@attrs.define
class Opened:
    tags: list[str] = attrs.field(factory=list)


@dataclasses.dataclass
class Data:
    inner: Opened = dataclasses.field(default_factory=Opened)


class Struct(msgspec.Struct):
    names: list[str] = []
    data: dict[str, int] = {}


def assert_nothing_shared(objects: list[Any]) -> None:
    found = [set(changeable(each)) - {EMPTY} for each in objects]
    for position, each in enumerate(found):
        for other in found[:position]:
            assert not each & other


def everything_that_reads(cls: Any, item: dict[str, Any]) -> list[Any]:
    """Objects, and parts of them, that are made of one item by every way there is, twice."""
    info = model_info(cls)
    part = attrs.make_class(
        "Part",
        {
            each.name: attrs.field(default=each.default)
            for each in attrs.fields(cls)
            if each.name != "id"
        },
    )
    part.__annotations__ = {
        name: hint for name, hint in cls.__annotations__.items() if name != "id"
    }
    paths = [getattr(cls, name) for name in info.names]
    body = json.dumps({"Items": [item, item]}).encode()
    found = []
    for _ in range(2):
        decode = decoder(info, cls, "Items")
        assert decode is not None
        found += [
            cls(id="new"),
            mapper.load(item, cls),
            mapper.from_json('{"id": "1"}', cls),
            mapper.from_dynamodb_json(json.dumps(item), cls),
            *(made_of(info, cls, row) for row in decode(body)["Items"]),
            projected(info, part).reads()(item),
            selected(info, paths).reads()(item),
        ]
    return found


@given(st.data())
def test_a_default_is_refused_or_nobody_can_change_it(data: st.DataObject):
    sample = data.draw(strategies.samples)
    default = data.draw(sample.values)

    def declared(**options: Any) -> Any:
        types = {"id": str, "value": sample.type}
        fields = {"id": partition_key(), "value": attrs.field(**options)}
        return model("things")(strategies._declared("Thing", types, **fields))

    refusal = ""
    try:
        cls = declared(default=default)
    except ModelError as error:
        refusal = error.problem
    if "an empty one, for a set" in refusal:
        return  # sets have a rule of their own: see the mapping guide
    found = set(changeable(default))
    if EMPTY not in found:
        assert bool(refusal) == bool(found)
    if refusal:
        assert "factory=" in refusal
        cls = declared(factory=lambda: copy.deepcopy(default))
    assert_nothing_shared(everything_that_reads(cls, {"id": {"S": "1"}}))


@given(st.sampled_from([list, dict, set, Opened, Data, Struct]), st.booleans())
def test_what_factories_make_belongs_to_one_object(factory: Any, optional: bool):
    types = {"id": str, "value": factory | None if optional else factory}
    fields = {"id": partition_key(), "value": attrs.field(factory=factory)}
    cls = model("things")(strategies._declared("Thing", types, **fields))

    assert_nothing_shared(everything_that_reads(cls, {"id": {"S": "1"}}))
