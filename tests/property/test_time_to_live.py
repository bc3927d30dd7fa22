"""Times to live: whole seconds where they are stored, exact where they are compared."""

from __future__ import annotations

import datetime as dt
import operator
import typing
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynattrs import (
    ConditionError,
    GlobalIndex,
    MappingError,
    Table,
    add,
    between,
    field,
    if_not_exists,
    in_,
    map_class,
    mapper,
    model,
    partition_key,
    path,
    set_,
)
from dynattrs.expressions.conditions import Value
from dynattrs.mapper import Epoch
from dynattrs.operations.item_keys import key_of
from dynattrs.schema.model_info import model_info, options_of

UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
LAST = dt.datetime.max.replace(tzinfo=UTC)
LAST_SECOND = 253402300799
ZONES = [UTC, ZoneInfo("Europe/Berlin"), dt.timezone(dt.timedelta(hours=-9, microseconds=5))]

instants = st.datetimes(
    dt.datetime(2, 1, 1),  # noqa: DTZ001
    dt.datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from(ZONES),
)
#: Values by the type of the field, whole ones and others.
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    dt.datetime: instants | instants.map(lambda value: value.replace(microsecond=0)),
    Annotated[dt.datetime, Epoch]: instants,
    int: st.integers(-(10**12), 10**12),
    float: st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-100)
    | st.integers(-(10**12), 10**12).map(float),
    Decimal: st.decimals(-(10**12), 10**12, places=7),
}
VALUES.update({type_ | None: each | st.none() for type_, each in list(VALUES.items())})


def declared(type_: Any, **options: Any) -> Any:
    annotations = {"id": str, "expires": type_, "other": type_}
    body = {
        "__annotations__": annotations, "id": partition_key(),
        "expires": field(ttl=True, default=None, **options), "other": field(default=None),
    }  # fmt: skip
    return model("things", indexes=[GlobalIndex("all", partition_key="id", sort_key="expires")])(
        type("Thing", (), body)
    )


MODELS = {type_: declared(type_) for type_ in VALUES}
cases = st.sampled_from(list(VALUES)).flatmap(
    lambda type_: st.tuples(st.just(MODELS[type_]), VALUES[type_])
)


def exact(value: Any) -> Fraction:
    """A value in seconds since 1970."""
    if isinstance(value, dt.datetime):
        return Fraction((value - EPOCH) // dt.timedelta(microseconds=1), 1_000_000)
    # A float is the shortest digits that read back as it.
    return Fraction(repr(value) if isinstance(value, float) else value)


def stored(value: Any) -> Fraction:
    return Fraction(value["N"])


def is_rounded_up(found: Fraction, value: Any) -> bool:
    return found.denominator == 1 and 0 <= found - exact(value) < 1


def all_dumps(obj: Any) -> list[Any]:
    """The attribute as every code that writes has it."""
    whole, _ = mapper.default.dump_with_size(obj)
    made: Any = mapper.default.dump_as_request(obj, "things")
    items = [mapper.default.dump(obj), whole]
    if made is not None:
        items.append(msgspec.json.decode(made[0])["PutRequest"]["Item"])
    return [item.get("expires") for item in items]


@given(cases)
@example((MODELS[dt.datetime], dt.datetime(2024, 10, 27, 2, 59, 59, 5, ZONES[1])))
@example((MODELS[dt.datetime], dt.datetime(2024, 3, 31, 1, 59, 59, 5, ZONES[1])))
def test_what_is_stored_is_what_the_object_has(case: tuple[Any, Any]):
    """Rounded up, once; reading gives it back."""
    cls, value = case
    obj, assigned = cls("x", value), cls("x")
    assigned.expires = value

    assert obj == assigned
    loaded = mapper.load(mapper.dump(obj), cls)
    if isinstance(value, dt.datetime):
        # An hour that a clock shows twice is equal to none in another zone, says Python.
        assert exact(loaded.expires) == exact(obj.expires)
        assert loaded == obj or value.tzinfo is not UTC
    else:
        assert loaded == obj
    for found in all_dumps(obj):
        if value is None:
            assert found is None
        else:
            assert is_rounded_up(stored(found), value)
            assert stored(found) == exact(obj.expires)
    if isinstance(value, dt.datetime):
        assert obj.expires.tzinfo is value.tzinfo
    assert cls("x", obj.expires).expires == obj.expires
    assert attrs.evolve(obj, id="y").expires == obj.expires


@given(cases)
def test_an_object_that_was_changed_past_its_converter_is_rounded_where_it_is_stored(
    case: tuple[Any, Any],
):
    cls, value = case
    obj = cls("x", value)
    object.__setattr__(obj, "expires", value)

    for found in all_dumps(obj):
        assert found is None if value is None else is_rounded_up(stored(found), value)


OPERATORS: list[Callable[[Any, Any], Any]] = [
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip


@given(cases, st.sampled_from(OPERATORS))
def test_what_is_compared_is_not_rounded(case: tuple[Any, Any], compare: Callable[[Any, Any], Any]):
    cls, value = case
    if value is None:
        return

    found = [compare(cls.expires, value).right, between(cls.expires, value, value).low]  # type: ignore[attr-defined]
    found += in_(cls.expires, [value]).values  # type: ignore[attr-defined]
    for operand in found:
        assert stored(operand.stored) == exact(value)


@given(cases)
def test_what_an_update_sets_is_rounded_up(case: tuple[Any, Any]):
    cls, value = case
    if value is None:
        return

    plain: Any = set_(cls.expires, value).value
    absent: Any = set_(cls.expires, if_not_exists(cls.expires, value)).value
    for operand in (plain, absent.default):
        assert isinstance(operand, Value)
        assert is_rounded_up(stored(operand.stored), value)


@pytest.mark.parametrize("type_", [int, float, Decimal])
def test_a_time_to_live_is_computed_with_whole_seconds_only(type_: Any):
    cls, half = MODELS[type_], Decimal("0.5") if type_ is Decimal else 0.5

    assert stored(typing.cast("Any", set_(cls.expires, cls.expires + 60).value).right.stored) == 60
    assert stored(typing.cast("Any", add(cls.expires, 60).value).stored) == 60
    for change in (
        lambda: set_(cls.expires, cls.expires + half),
        lambda: set_(cls.expires, cls.expires - half),
        lambda: add(cls.expires, half),
    ):
        with pytest.raises(ConditionError, match="whole seconds; it cannot be computed with"):
            change()


@given(st.integers(-(10**9), 10**9), st.integers(0, 9_999_999))
def test_fractions_that_other_programs_stored_are_read(seconds: int, fraction: int):
    """`time.time() + 3600` has seven digits, and a datetime six."""
    text = str(seconds + Decimal(fraction).scaleb(-7))

    for type_ in (dt.datetime, int, float, Decimal):
        obj = mapper.load({"id": {"S": "x"}, "expires": {"N": text}}, MODELS[type_])
        assert is_rounded_up(exact(obj.expires), Fraction(text))


# --- Edges --------------------------------------------------------------------------------------


def test_the_last_second_is_rounded_down():
    cls = MODELS[dt.datetime]
    obj = cls("x", LAST)

    assert obj.expires == LAST.replace(microsecond=0)
    assert all_dumps(obj) == [{"N": str(LAST_SECOND)}] * 3
    object.__setattr__(obj, "expires", LAST)
    assert all_dumps(obj) == [{"N": str(LAST_SECOND)}] * 3
    assert (cls.expires > LAST).right.stored == {"N": f"{LAST_SECOND}.999999"}


def test_the_next_second_may_be_another_hour_on_the_clock():
    berlin = ZONES[1]
    before = dt.datetime(2024, 10, 27, 2, 59, 59, 500_000, berlin)  # summer time, its last second

    found = MODELS[dt.datetime]("x", before).expires

    assert exact(found) - exact(before) == Fraction(1, 2)
    assert (found.hour, found.fold, found.tzinfo) == (2, 1, berlin)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (dt.datetime, dt.datetime(2026, 1, 1, microsecond=5)),  # noqa: DTZ001
        (dt.datetime, 1.5),
        (int, float("nan")),
        (float, float("inf")),
        (Decimal, Decimal("sNaN")),
        (Decimal, Decimal("1E+999999")),
        (int, "1700000000"),
    ],
)
def test_what_is_no_time_is_refused_as_ever(type_: Any, value: Any):
    obj = MODELS[type_]("x", value)

    with pytest.raises(MappingError, match=r"Thing\.expires"):
        mapper.dump(obj)


def test_an_epoch_of_floats_goes_into_a_field_of_ints():
    """`expires=time.time() + 3600`, as people write it."""
    cls = MODELS[int]
    obj = cls("x", 1700000000.25)

    assert all_dumps(obj)[:2] == [{"N": "1700000001"}] * 2
    assert mapper.load(mapper.dump(obj), cls) == obj
    assert (cls.expires > 10.5).right.stored == {"N": "10.5"}


# --- Converters ---------------------------------------------------------------------------------


def hour_later(value: Any) -> Any:
    return value + dt.timedelta(hours=1) if isinstance(value, dt.datetime) else value


def hour_later_of(value: Any, obj: Any) -> Any:
    return hour_later(value)


WITH_FIELD: Any = attrs.Converter(hour_later_of, takes_self=True)


@pytest.mark.parametrize("converter", [hour_later, [hour_later], WITH_FIELD])
def test_the_fields_own_converter_comes_first(converter: Any):
    cls = declared(dt.datetime, converter=converter)
    at = dt.datetime(2026, 1, 1, 0, 0, 0, 1, UTC)

    assert cls("x", at).expires == dt.datetime(2026, 1, 1, 1, 0, 1, tzinfo=UTC)
    assert options_of(attrs.fields(cls).expires.metadata).own_converter is converter


def test_a_validator_sees_what_is_stored():
    seen = []
    cls = declared(float, validator=lambda obj, attribute, value: seen.append(value))

    cls("x", 1.5).expires = 2.25

    assert seen == [2.0, 3.0]


def test_a_class_that_does_not_convert_what_is_assigned_is_rounded_where_it_is_stored():
    cls = declared(float, on_setattr=attrs.setters.NO_OP)
    obj = cls("x", 1.0)
    obj.expires = 1.5

    assert obj.expires == 1.5
    assert all_dumps(obj)[0] == {"N": "2"}


def test_a_mapped_class_is_rounded_where_it_is_stored():
    options = attrs.evolve(options_of({}), ttl=True)

    @attrs.frozen
    class Mapped:
        id: str
        expires: dt.datetime = attrs.field(metadata={"dynattrs": options})

    map_class(Mapped, "mapped", partition_key="id", unknown="drop")
    at = dt.datetime(2026, 1, 1, 0, 0, 0, 1, UTC)

    assert all_dumps(Mapped("x", at)) == [{"N": "1767225601"}] * 3
    assert (path(Mapped).expires > at).right.stored == {"N": "1767225600.000001"}  # type: ignore[attr-defined]
    assert model_info(Mapped).table.ttl == "expires"


def test_frozen_models_and_subclasses_round_as_well():
    @model("frozen", frozen=True)
    class Base:
        id: str = partition_key()
        expires: float = field(ttl=True)

    @model("frozen", frozen=True)
    class Child(Base):
        more: int = 0

    assert Base("x", 1.5).expires == Child("x", 1.5).expires == 2.0


# --- Keys ---------------------------------------------------------------------------------------


def test_a_key_of_times_to_live_is_that_of_what_is_stored():
    table = Table(
        "app", partition_key="pk", sort_key="sk", ttl="expires",
        indexes=[GlobalIndex("by-end", partition_key="end")],
    )  # fmt: skip

    @model(table, pk="T#{id}", sk="{expires:012d}", end="END#{expires:012d}")
    class Ticket:
        id: str
        expires: int = field(ttl=True)

    obj = Ticket("a", 10.5)  # type: ignore[arg-type]
    item = mapper.dump(obj)

    assert (item["sk"], item["end"]) == ({"S": "000000000011"}, {"S": "END#000000000011"})
    assert mapper.load(item, Ticket) == obj
    assert key_of(model_info(Ticket), ("a", 10.5)) == {"pk": {"S": "T#a"}, "sk": item["sk"]}
