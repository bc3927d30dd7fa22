"""Items that are measured while they are made: the same items, sizes and errors as one after another."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import GlobalIndex, MappingError, Table, field, mapper, model, partition_key, sort_key
from dynattrs.mapper.carried import Carried, carry
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.size import TooDeep, item_size
from dynattrs.mapper.write_code import generate_dump_with_size
from dynattrs.schema.model_info import model_info
from model_of_everything import Thing as Wide

import strategies


def both(obj: Any) -> list[Any]:
    def apart() -> Any:
        item = mapper.dump(obj)
        return item, item_size(item)

    found = []
    for make in (lambda: mapper.default.dump_with_size(obj), apart):
        try:
            found.append(make())
        except MappingError as error:
            found.append((error.path, error.expected, error.found, error.hint))
        except (TooDeep, UnicodeEncodeError) as error:
            found.append((type(error), str(error)))
    return found


def has_fast_way(obj: Any) -> bool:
    codec = mapper.default.codec(type(obj))
    assert isinstance(codec, ClassCodec)
    item, _ = generate_dump_with_size(codec)(obj)
    return item == mapper.dump(obj)


@given(strategies.models())
def test_an_item_is_measured_as_it_is_made(thing: Any) -> None:
    together, apart = both(thing)

    assert together == apart
    assert has_fast_way(thing)


@attrs.define
class Inner:
    name: Any
    count: int | None


@attrs.define
class Label:
    name: str


@model("sized")
class Sized:
    id: str = partition_key()
    number: int = sort_key()
    text: str | None = None
    flag: bool = False
    ratio: float = 0.0
    price: Decimal = Decimal(0)
    data: bytes = b""
    tags: set[str] = attrs.field(factory=set)
    maybe: frozenset[str] | None = frozenset()
    words: list[str] = attrs.field(factory=list)
    inner: Inner | None = None
    unset: int | None = 5


values = st.one_of(
    st.none(), st.booleans(), st.text(max_size=4), st.integers(), st.integers(-(10**39), 10**39),
    st.floats(), st.decimals(), st.binary(max_size=4), st.sets(st.text(max_size=2) | st.integers()),
    st.frozensets(st.text(max_size=2)), st.lists(st.text(max_size=2) | st.none(), max_size=3),
    st.tuples(st.text(max_size=2)), st.sampled_from(["a" * 700, "é" * 600, "\ud800", "x" * 3000]),
    st.sampled_from(strategies.Level), st.just(strategies.Code("c")),
    st.builds(Inner, st.text(max_size=2) | st.binary(max_size=2), st.none() | st.integers()),
    st.just([[[[]]]]), st.builds(bytearray, st.binary(max_size=2)),
)  # fmt: skip
FIELDS = [each.name for each in attrs.fields(Sized)]  # type: ignore[arg-type]


@given(st.dictionaries(st.sampled_from(FIELDS), values, max_size=4))
def test_values_of_wrong_types_are_refused_alike(changed: dict[str, Any]) -> None:
    obj = Sized("a", 1)
    for name, value in changed.items():
        setattr(obj, name, value)

    together, apart = both(obj)

    assert together == apart


@given(
    strategies.models(),
    st.dictionaries(st.text(min_size=1, max_size=4).map("x".__add__), st.just({"B": "AAEC"})),
)
def test_carried_attributes_count(thing: Any, unknown: Any) -> None:
    loaded = mapper.load({**mapper.dump(thing), **unknown}, type(thing))

    together, apart = both(loaded)

    assert together == apart


def test_nesting_is_counted_wherever_it_begins() -> None:
    deep: Any = "end"
    for _ in range(31):
        deep = [deep]
    for extra in range(3):
        obj = Sized("a", 1, inner=Inner(deep, None))
        deep = [deep]

        together, apart = both(obj)

        assert together == apart
        assert (together[0] is TooDeep) == (extra > 0)
    assert has_fast_way(Wide(1, 2))


SHELF = Table(
    "sized_shelf", partition_key="pk", sort_key="sk", discriminator="type",
    indexes=[GlobalIndex("by_day", partition_key="g1", sort_key="g2", write_shards=3)],
)  # fmt: skip


@model(SHELF, pk="B#{owner}", sk="{number:08d}#{inner.name}", g1="D", g2="{day}#{flag}", kind="bü")
class Boxed:
    """Its keys are made of fields of several types; one field is stored nowhere else."""

    owner: str = field(key_only=True)
    number: int
    inner: Label
    day: str | None = None
    flag: bool = False
    price: Decimal = Decimal(1)
    tags: set[str] = attrs.field(factory=set)


shelved = st.builds(
    Boxed, st.text(max_size=4) | st.sampled_from(["a" * 2100, "é" * 600, "\ud800", "a#"]),
    st.integers(-1, 10**9), st.builds(Label, st.text(max_size=3)),
    st.none() | st.text(max_size=3) | st.just("d" * 1100), st.booleans(),
    st.decimals(-10, 10), st.sets(st.text(max_size=2), max_size=2),
)  # fmt: skip


@given(shelved, st.dictionaries(st.sampled_from(["x", "pk", "g1", "g2", "owner", "type"]),
                                st.just({"S": "carried"})))  # fmt: skip
def test_items_with_computed_keys_are_measured_as_they_are_made(
    box: Boxed, unknown: dict[str, Any]
) -> None:
    # What is carried may be called as what is computed, if it was so when it was carried.
    carry(box, Carried(unknown))

    together, apart = both(box)

    assert together == apart


def test_items_with_computed_keys_have_the_fast_way() -> None:
    box = Boxed("ann", 7, Label("l"), day="2026-01-01", tags={"t"})
    codec = mapper.default.codec(Boxed)
    assert isinstance(codec, ClassCodec)
    item, size = generate_dump_with_size(codec)(box)

    size += model_info(Boxed).keys.complete_with_size(item)

    assert item == mapper.dump(box)
    assert "owner" not in item
    assert item["type"] == {"S": "bü"}
    assert size == item_size(item)


@given(st.dictionaries(st.sampled_from(["owner", "number", "inner", "day", "flag"]), values))
def test_keys_of_wrong_values_are_refused_alike(changed: dict[str, Any]) -> None:
    box = Boxed("ann", 7, Label("l"))
    for name, value in changed.items():
        setattr(box, name, value)

    together, apart = both(box)

    assert together == apart
