"""Chains of upgrades on random items: reading is applying the functions by hand, migrating is reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import MappingError, Table, field, model, partition_key
from dynattrs.mapper import default as mapper
from dynattrs.mapper.anything import load_any

import strategies

Upgrade = Callable[[dict[str, Any]], "dict[str, Any] | None"]


def renames(old: str, new: str) -> Upgrade:
    def upgrade(item: dict[str, Any]) -> None:
        if old in item:
            item[new] = item.pop(old)

    return upgrade


def wraps(name: str) -> Upgrade:
    def upgrade(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, name: [item.get(name)]}

    return upgrade


def drops(name: str) -> Upgrade:
    def upgrade(item: dict[str, Any]) -> None:
        item.pop(name, None)

    return upgrade


NAMES = st.sampled_from("abcd")
UPGRADES = st.one_of(
    st.builds(renames, NAMES, NAMES), st.builds(wraps, NAMES), st.builds(drops, NAMES)
)


@attrs.define
class Case:
    model: type[Any]
    upgrades: list[Upgrade]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    upgrades = draw(st.lists(UPGRADES, min_size=1, max_size=4))

    @model("things", upgrades=upgrades)
    class Thing:
        id: str = partition_key()
        a: Any = None
        b: Any = field(name="b", formerly=["e", "f"], default=None)

    return Case(Thing, upgrades)


def by_hand(case: Case, item: dict[str, Any]) -> dict[str, Any]:
    """The plain values of an item, upgraded without the library."""
    version = int(item.get("schema_version", {"N": "1"})["N"])
    plain = {name: load_any(value) for name, value in item.items()}
    for upgrade in case.upgrades[version - 1 :]:
        made = upgrade(plain)
        plain = plain if made is None else made
    plain.pop("schema_version", None)
    for former in ("e", "f"):
        if former in plain:
            value = plain.pop(former)
            plain.setdefault("b", value)
    return plain


VALUES = strategies.nested(
    st.text(max_size=3) | st.integers(-9, 9) | st.booleans() | st.none() | st.binary(max_size=2),
    st.text(min_size=1, max_size=2),
).map(mapper.codec(Any).dump)
ITEMS = st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=5)


@given(cases(), ITEMS, st.data())
def test_a_read_is_the_upgrades_applied_by_hand(
    case: Case, item: dict[str, Any], data: st.DataObject
) -> None:
    item = {"id": {"S": "1"}, **item}
    version = data.draw(st.integers(0, len(case.upgrades) + 1))
    if version:
        item["schema_version"] = {"N": str(version)}

    stored = mapper.dump(mapper.load(item, case.model))

    # A field that is None is not stored.
    wanted = by_hand(case, item)
    wanted = {name: each for name, each in wanted.items() if name not in "ab" or each is not None}
    assert stored.pop("schema_version") == {"N": str(len(case.upgrades) + 1)}
    assert stored == {name: mapper.codec(Any).dump(value) for name, value in wanted.items()}


@given(cases(), ITEMS)
def test_what_was_read_and_stored_is_read_as_the_same(case: Case, item: dict[str, Any]) -> None:
    first = mapper.load({"id": {"S": "1"}, **item}, case.model)
    stored = mapper.dump(first)

    assert mapper.load(stored, case.model) == first
    assert mapper.dump(mapper.load(stored, case.model)) == stored


# --- Keys of templates --------------------------------------------------------------------------

KEPT = Table("kept", partition_key="pk", sort_key="sk", discriminator="kind")


def touches(item: dict[str, Any]) -> None:
    item["note"] = "touched"


def respells(item: dict[str, Any]) -> None:
    item["key"] = item["key"].lower().replace("t", "T").replace("z", "Z")


def changes(item: dict[str, Any]) -> None:
    item["key"] = next(each for each in OTHERS if ("T" in each) == ("T" in item["key"]))


OTHERS = "9999-12-31T23:59:59.999999Z", "00000000-0000-0000-0000-0000000000ff"


def keyed(type_: Any, *upgrades: Upgrade) -> type[Any]:
    class Kept:
        key: Any
        note: str = ""

    Kept.__annotations__["key"] = type_
    return model(KEPT, pk="K#{key}", sk="K", kind="kept", upgrades=upgrades or None)(Kept)


def same_values() -> st.SearchStrategy[tuple[Any, list[str]]]:
    """A type of keys, and some texts that it reads as one value."""
    ids = st.uuids().map(lambda u: (UUID, [str(u), str(u).upper(), u.hex]))
    instants = st.datetimes().map(lambda at: at.replace(microsecond=0)).map(
        lambda at: (datetime, [at.isoformat() + end for end in ("Z", ".000000Z", "+00:00")])
    )  # fmt: skip
    return ids | instants


@given(case=same_values(), data=st.data(), former=st.booleans())
def test_upgrades_leave_a_key_however_it_is_spelled(
    case: tuple[Any, list[str]], data: st.DataObject, former: bool
) -> None:
    """An old item is read as one of a model without upgrades, and saved under the key that it has."""
    type_, texts = case
    beside, in_key = (data.draw(st.sampled_from(texts)) for _ in "12")
    plain = keyed(type_)
    key = {"pk": {"S": f"K#{in_key}"}, "sk": {"S": "K"}}
    item = {**key, "kind": {"S": "kept"}, "key": {"S": beside}}
    upgrades = [data.draw(st.sampled_from([touches, respells]))]
    if former:
        upgrades = [renames("was", "key"), *upgrades]
    cls = keyed(type_, *upgrades)
    old = {("was" if former and name == "key" else name): value for name, value in item.items()}

    obj = mapper.load(old, cls)

    assert obj.key == mapper.load(item, plain).key
    assert {name: mapper.dump(obj)[name] for name in key} == key


@given(case=same_values(), data=st.data())
def test_upgrades_that_change_a_key_are_refused(
    case: tuple[Any, list[str]], data: st.DataObject
) -> None:
    type_, texts = case
    beside, in_key = (data.draw(st.sampled_from(texts)) for _ in "12")
    item = {"pk": {"S": f"K#{in_key}"}, "sk": {"S": "K"}, "kind": {"S": "kept"}}

    with pytest.raises(MappingError, match=r"Kept\.key: expected upgrades that leave the fields"):
        mapper.load({**item, "key": {"S": beside}}, keyed(type_, changes))
