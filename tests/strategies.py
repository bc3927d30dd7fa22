# ruff: noqa: DTZ001, PYI061, UP007, UP045 - spellings of types are what is tested
"""Hypothesis strategies: models of random field types, their instances, and attribute maps.

`models()` draws an instance of a class that is declared on the spot, its fields drawn from every
row of the mapping table, nested. `check_item` says whether the service would take an item.

The service's rules:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import ipaddress
import itertools
import pathlib
import typing
import uuid
from array import array
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType

import attrs
import msgspec
from hypothesis import assume
from hypothesis import strategies as st
from typing_extensions import NotRequired, TypedDict

from dynattrs import GlobalIndex, ModelError, Table, field, model, partition_key
from dynattrs.mapper import Compressed, Epoch, Json

# --- Values of one type -----------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    TEXT = "1"
    NUMBER = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Code(str):
    """A subclass of a plain type."""

    __slots__ = ()


UserId = NewType("UserId", str)

texts = st.text(max_size=12)
ints = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.builds(lambda digits, zeros: digits * 10**zeros, st.integers(-99, 99), st.integers(0, 123)),
)
floats = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda value: value == 0 or 1e-130 <= abs(value) < 1e126
)


@st.composite
def decimals(draw: st.DrawFn) -> Decimal:
    """Every kind of Decimal that DynamoDB holds: 38 digits anywhere between 1E-130 and 1E126."""
    digits = draw(st.lists(st.integers(0, 9), min_size=1, max_size=38))
    digits[0] = digits[0] or 1
    leading = draw(st.integers(-130, 125))
    return Decimal((draw(st.integers(0, 1)), tuple(digits), leading - len(digits) + 1))


zones = st.builds(
    lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)), st.integers(-14 * 60, 14 * 60)
)
# A day from the ends of the calendar, so that the same instant exists in UTC.
instants = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=zones)


@attrs.frozen
class Sample:
    """A type and how to draw its values.

    Attributes:
        hashable: Whether the values can be members of sets.
        key: Whether they can be keys of maps.
        wire: The type tag, where it is always the same.
    """

    type: Any
    values: st.SearchStrategy[Any] = attrs.field(repr=False)
    hashable: bool = True
    key: bool = False
    wire: str | None = None


def _sample(type_: Any, values: st.SearchStrategy[Any], wire: str | None = None) -> Sample:
    return Sample(type_, values, True, wire in ("S", "N"), wire)


SCALARS = (
    _sample(str, texts, "S"),
    _sample(bool, st.booleans(), "BOOL"),
    _sample(bytes, st.binary(max_size=12), "B"),
    _sample(int, ints, "N"),
    _sample(float, floats, "N"),
    _sample(Decimal, decimals(), "N"),
    _sample(dt.datetime, instants, "S"),
    _sample(dt.date, st.dates(), "S"),
    _sample(dt.time, st.times(), "S"),
    _sample(dt.timedelta, st.timedeltas(), "N"),
    _sample(uuid.UUID, st.uuids(), "S"),
    _sample(Color, st.sampled_from(Color), "S"),
    _sample(Level, st.sampled_from(Level), "N"),
    _sample(Mixed, st.sampled_from(Mixed)),
    _sample(Access, st.builds(Access, st.integers(0, 7)), "N"),
    _sample(Literal["a", 1, True, None], st.sampled_from(["a", 1, True, None])),
    _sample(
        pathlib.PurePosixPath, st.builds(pathlib.PurePosixPath, st.just("/a"), st.just("b")), "S"
    ),
    _sample(ipaddress.IPv4Address, st.ip_addresses(v=4), "S"),
    _sample(ipaddress.IPv6Address, st.ip_addresses(v=6), "S"),
    _sample(UserId, texts, "S"),
    _sample(Code, texts.map(Code), "S"),
    _sample(Annotated[dt.datetime, Epoch], instants, "N"),
    _sample(Annotated[str, Compressed], texts, "B"),
    _sample(Annotated[bytes, Compressed], st.binary(max_size=12), "B"),
    Sample(
        Annotated[array, "d"],
        st.lists(floats, max_size=10).map(lambda each: array("d", each)),
        False,
    ),
    Sample(
        Annotated[array, "f"],
        st.lists(st.floats(-1e9, 1e9, width=32), max_size=10).map(lambda each: array("f", each)),
        False,
    ),
    Sample(
        Annotated[array, "h"],
        st.lists(st.integers(-(2**15), 2**15 - 1), max_size=10).map(lambda each: array("h", each)),
        False,
    ),
)

# --- Values of types made of types --------------------------------------------------------------


def _made(inner: st.SearchStrategy[Sample]) -> st.SearchStrategy[Sample]:
    scalars = st.sampled_from(SCALARS)
    hashable = inner.filter(lambda sample: sample.hashable)
    return st.one_of(
        inner.map(lambda each: Sample(list[each.type], st.lists(each.values, max_size=3), False)),
        inner.map(lambda each: Sample(
            tuple[each.type, ...],
            st.lists(each.values, max_size=3).map(tuple), each.hashable,
        )),
        st.lists(inner, max_size=3).map(_fixed_tuple),
        hashable.map(lambda each: Sample(set[each.type], st.sets(each.values, max_size=3), False)),
        hashable.map(lambda each: Sample(frozenset[each.type], st.frozensets(each.values, max_size=3))),
        st.builds(_map, scalars.filter(lambda sample: sample.key), inner),
        inner.map(_optional),
        st.builds(_union, scalars.filter(lambda sample: sample.wire == "S"), inner),
        inner.map(_json),
        inner.map(lambda each: attrs.evolve(each, type=Annotated[each.type, Compressed], key=False, wire="B")
                  if _is_json(each) else each),
        st.lists(inner, max_size=3).flatmap(_class),
    )  # fmt: skip


def _fixed_tuple(samples: list[Sample]) -> Sample:
    type_ = tuple[tuple(each.type for each in samples)] if samples else tuple[()]  # type: ignore[misc]
    return Sample(
        type_,
        st.tuples(*(each.values for each in samples)),
        all(each.hashable for each in samples),
    )


def _map(key: Sample, inner: Sample) -> Sample:
    def has_name(value: Any) -> bool:
        return value != ""

    return Sample(
        dict[key.type, inner.type],  # type: ignore[name-defined]
        st.dictionaries(key.values.filter(has_name), inner.values, max_size=3),
        False,
    )


def _optional(inner: Sample) -> Sample:
    return Sample(typing.Optional[inner.type], st.none() | inner.values, inner.hashable)


def _union(text: Sample, inner: Sample) -> Sample:
    """Text and something else; what could be text too, or bytes in JSON, stays alone."""
    told_apart = {"N", "BOOL"}
    if inner.wire not in told_apart or text.type is Code:
        return inner
    return Sample(typing.Union[text.type, inner.type], text.values | inner.values, inner.hashable)


def _is_json(sample: Sample) -> bool:
    return sample.wire is None


def _json(inner: Sample) -> Sample:
    return attrs.evolve(inner, type=Annotated[inner.type, Json], key=False, wire="S")


def _class(samples: list[Sample]) -> st.SearchStrategy[Sample]:
    types = {f"f{number}": each.type for number, each in enumerate(samples)}
    values = {f"f{number}": each.values for number, each in enumerate(samples)}
    hashable = all(each.hashable for each in samples)

    def attrs_class() -> Sample:
        cls = _declared("Part", types)
        made = attrs.define(cls, frozen=True, hash=hashable) if hashable else attrs.define(cls)
        return Sample(made, st.builds(made, **values), hashable)

    def model_class() -> Sample:
        made = model("parts")(_declared("Item", {"id": str, **types}, id=partition_key()))
        return Sample(made, st.builds(made, id=st.just("x"), **values), False)

    def dataclass() -> Sample:
        made = dataclasses.make_dataclass("Data", types.items())
        return Sample(made, st.builds(made, **values), False)

    def namedtuple() -> Sample:
        made: Any = NamedTuple("Pair", types.items())  # type: ignore[misc]
        return Sample(made, st.builds(made, **values), hashable)

    def typeddict() -> Sample:
        made: Any = TypedDict("Dict", {**types, "extra": NotRequired[int]})  # type: ignore[misc]
        return Sample(made, st.fixed_dictionaries(values, optional={"extra": ints}), False)

    def struct() -> Sample:
        made = msgspec.defstruct("Struct", list(types.items()))
        return Sample(made, st.builds(made, **values), False)

    kinds: list[Callable[[], Sample]] = [
        attrs_class, model_class, dataclass, namedtuple, typeddict, struct
    ]  # fmt: skip
    return st.sampled_from(kinds).map(lambda make: make())


def _declared(name: str, types: dict[str, Any], **fields: Any) -> type[Any]:
    body = {"__annotations__": types, "__module__": __name__, **fields}
    return type(name, (), body)


def nested(leaves: st.SearchStrategy[Any], names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """*leaves*, and lists and dicts of them, to any depth."""
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=6,
    )


samples = st.recursive(st.sampled_from(SCALARS), _made, max_leaves=6)

# --- Models ---------------------------------------------------------------------------------------


@st.composite
def models(draw: st.DrawFn) -> Any:
    """An instance of a model that was declared on the spot."""
    drawn = draw(st.lists(samples, min_size=1, max_size=5))
    types = {"id": str, **{f"f{number}": each.type for number, each in enumerate(drawn)}}
    fields: dict[str, Any] = {"id": partition_key()}
    for number, each in enumerate(drawn):
        is_optional = typing.get_origin(each.type) is typing.Union and type(
            None
        ) in typing.get_args(each.type)
        if is_optional and draw(st.booleans()):
            fields[f"f{number}"] = attrs.field(default=None, kw_only=True)
    cls = model("things", frozen=draw(st.booleans()), slots=draw(st.booleans()))(
        _declared("Thing", types, **fields)
    )
    values = {f"f{number}": draw(each.values) for number, each in enumerate(drawn)}
    return cls(id=draw(texts.filter(bool)), **values)


#: What tells tables apart that were declared for one example each.
_numbers_of_tables = itertools.count()


@st.composite
def keyed_models(draw: st.DrawFn) -> Any:
    """An instance of a model whose keys are made of its fields, declared on the spot."""
    in_keys = [each for each in SCALARS if each.wire in ("S", "N", "BOOL")]
    parts = draw(st.lists(st.sampled_from(in_keys), min_size=5, max_size=5))
    others = draw(st.lists(samples, max_size=2))
    optional = [number > 2 and draw(st.booleans()) for number in range(5)]
    types = {
        f"k{number}": typing.Optional[each.type] if optional[number] else each.type
        for number, each in enumerate(parts)
    }
    fields: dict[str, Any] = {f"k{n}": field(default=None) for n in range(5) if optional[n]}
    fields = {**fields, **({"k0": field(key_only=True)} if draw(st.booleans()) else {})}
    types.update({f"f{number}": each.type for number, each in enumerate(others)})
    between = draw(st.sampled_from(["#", "::", "A", "-"]))
    app = Table(
        f"app{next(_numbers_of_tables)}", partition_key="pk", sort_key="sk",
        discriminator=draw(st.sampled_from([None, "type"])),
        indexes=[GlobalIndex("by-g", partition_key="g1", sort_key="g2",
                             write_shards=draw(st.sampled_from([None, 2])))],
    )  # fmt: skip
    body = _declared("Thing", types, **fields)
    try:
        cls = model(
            app, pk="P#{k0}", sk=f"{{k1}}{between}{{k2}}", g1="G#{k3}", g2=f"{{k4}}{between}{{k1}}",
            kw_only=True, upgrades=[lambda item: item] if draw(st.booleans()) else None,
        )(body)  # fmt: skip
    except ModelError:  # a type that has no place there
        assume(False)
    values = {
        f"k{number}": draw(st.none() | each.values if optional[number] else each.values)
        for number, each in enumerate(parts)
    }
    values.update({f"f{number}": draw(each.values) for number, each in enumerate(others)})
    return cls(**values)


# --- Attribute maps ---------------------------------------------------------------------------------

_numbers = st.one_of(ints.map(str), decimals().map(str), st.sampled_from(["", "x", "1E999", "NaN"]))
_payloads: dict[str, st.SearchStrategy[Any]] = {
    "S": texts | st.datetimes().map(str) | st.sampled_from(["red", "2020-01-01T00:00:00Z"]),
    "N": _numbers | st.sampled_from(["0", "1", "2", "7"]),
    "B": st.binary(max_size=8) | texts,
    "BOOL": st.booleans() | st.none(),
    "NULL": st.just(value=True),
    "SS": st.lists(texts, max_size=3),
    "NS": st.lists(_numbers, max_size=3),
    "BS": st.lists(st.binary(max_size=4), max_size=3),
}
_junk = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.lists(st.integers())


def _values(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"M": st.dictionaries(texts, inner, max_size=3)}),
    )


_scalar_values = st.one_of(
    *(st.fixed_dictionaries({tag: payloads}) for tag, payloads in _payloads.items())
)

#: Attribute values as somebody else may have written them, and some that nobody could write.
attribute_values = st.recursive(
    _scalar_values
    | st.dictionaries(st.sampled_from([*_payloads, "L", "M"]), _junk, max_size=2)
    | _junk,
    _values,
    max_leaves=8,
)


def check_item(item: Any) -> None:
    """Fail where the service would refuse *item*."""
    assert type(item) is dict
    for name, value in item.items():
        assert isinstance(name, str)
        assert name
        check_value(value, 1)


def check_value(value: Any, depth: int) -> None:
    assert type(value) is dict
    ((tag, payload),) = value.items()
    if tag == "S":
        assert type(payload) is str
        payload.encode()
    elif tag == "N":
        check_number(payload)
    elif tag == "B":
        assert type(payload) is bytes
    elif tag == "BOOL":
        assert type(payload) is bool
    elif tag == "NULL":
        assert payload is True
    elif tag == "L":
        assert depth <= 32
        assert type(payload) is list
        for member in payload:
            check_value(member, depth + 1)
    elif tag == "M":
        assert depth <= 32
        for name, member in payload.items():
            assert type(name) is str
            assert name
            check_value(member, depth + 1)
    else:
        assert payload, "the service has no empty sets"
        for member in payload:
            check_value({{"SS": "S", "NS": "N", "BS": "B"}[tag]: member}, depth)
        distinct = {Decimal(member) for member in payload} if tag == "NS" else set(payload)
        assert len(distinct) == len(payload)


def check_number(text: Any) -> None:
    assert type(text) is str
    number = Decimal(text)
    assert number.is_finite()
    if number:
        assert -130 <= number.adjusted() <= 125
        digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
        assert len(digits) <= 38
