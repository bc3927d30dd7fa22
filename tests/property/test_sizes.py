"""Items that are measured while they are made: the same items, sizes and errors as one after another."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import MappingError, mapper, model, partition_key, sort_key
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.size import TooDeep, item_size
from things import Thing as Wide

import strategies


def both(obj: Any) -> list[Any]:
    def apart() -> Any:
        item = mapper.dump(obj)
        return item, item_size(item)

    found = []
    for make in (lambda: mapper.default.dump_sized(obj), apart):
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
    item, _ = codec.dump_sized(obj)
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
