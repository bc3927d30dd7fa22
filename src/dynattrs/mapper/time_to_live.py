"""Times to live: whole seconds since 1970, which is all that the service reads.

    expires: datetime = field(ttl=True)        # Token(..., expires=now + timedelta(hours=1))

A value is rounded up to the whole second where it is stored, and already where the object is made or
the field assigned, so that the object is what the table has. What is compared is not rounded: an item
that expires at 11 is found by `> 10.5`.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

import attrs

from dynattrs import foreign_values
from dynattrs.mapper import numbers, temporal
from dynattrs.mapper.codec import Codec, Load, Refused
from dynattrs.mapper.scalars import EPOCH
from dynattrs.schema.table import AttributeValue

_UTC: Final = dt.timezone.utc
_SECOND: Final = dt.timedelta(seconds=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=_UTC)
_LAST_SECOND: Final = (dt.datetime.max.replace(tzinfo=_UTC) - _EPOCH) // _SECOND
# Larger floats are whole, and have more digits than N when they are written out.
_WRITTEN_OUT: Final = 2.0**63


# --- Where objects are made ---------------------------------------------------------------------


def with_whole_seconds(converter: object) -> Any:
    """The converter of a field that is a time to live: after its own, if it has any, the rounding."""
    if converter is None:
        return whole_seconds
    own = converter if isinstance(converter, Iterable) else (converter,)
    pipe: Callable[..., Any] = attrs.converters.pipe
    return pipe(*own, whole_seconds)


def whole_seconds(value: object) -> Any:
    """A time to live, rounded up to the whole second; what is whole, or no time, as it is.

    The last second that a datetime has is not followed by another one, so `datetime.max` is rounded
    down.
    """
    if isinstance(value, dt.datetime):
        if value.tzinfo is _UTC and not value.microsecond and type(value) is dt.datetime:
            return value
        return _whole_instant(value)
    if isinstance(value, float):
        # (NaN and infinities are refused where they are stored.)
        return value if value.is_integer() or not math.isfinite(value) else float(math.ceil(value))
    if isinstance(value, Decimal) and value.is_finite():
        return value.to_integral_value(ROUND_CEILING)
    return value


def _whole_instant(value: dt.datetime) -> dt.datetime:
    if value.utcoffset() is None:
        return value  # refused where it is stored
    beyond = (value - _EPOCH) % _SECOND
    if not beyond:
        return value
    # In UTC: to other zones the next second may be an hour away.
    try:
        instant = value.astimezone(_UTC)
        try:
            rounded = instant + (_SECOND - beyond)
        except OverflowError:
            rounded = instant - beyond
        return rounded.astimezone(value.tzinfo)
    except OverflowError:
        return value  # refused where it is stored


# --- As it is stored ----------------------------------------------------------------------------


def _dump_instant(value: object) -> AttributeValue:
    seconds, beyond = divmod(temporal.in_utc(value) - _EPOCH, _SECOND)
    return {"N": str(min(seconds + bool(beyond), _LAST_SECOND))}


def _load_instant(value: AttributeValue) -> dt.datetime:
    seconds = _load_int(value)
    try:
        return _EPOCH + dt.timedelta(seconds=seconds)
    except OverflowError:
        raise Refused(temporal.EPOCH_SECONDS, f"N {value['N']}") from None


def _dump_number(value: object) -> AttributeValue:
    value = whole_seconds(foreign_values.number(value))
    if isinstance(value, float) and abs(value) < _WRITTEN_OUT:
        value = int(value)
    return dump_exactly(value)


def dump_exactly(value: object) -> AttributeValue:
    """A number as it is, as which it is compared."""
    value = foreign_values.number(value)
    if isinstance(value, float):
        return numbers.dump_float(value)
    if isinstance(value, Decimal):
        return numbers.dump_decimal(value)
    return numbers.dump_int(value)


def _load_int(value: AttributeValue) -> int:
    try:
        return int(value["N"], 10)
    except ValueError:
        # Other programs store `time.time() + 3600`, which has more digits than a datetime.
        return int(_load_decimal(value))


def _load_float(value: AttributeValue) -> float:
    return float(_load_decimal(value))


def _load_decimal(value: AttributeValue) -> Decimal:
    return numbers.decimal_of(value["N"]).to_integral_value(ROUND_CEILING)


def _number(type_: object, expected: str, load: Load) -> Codec:
    tags = frozenset({"N"})
    compared = Codec(type_, tags, dump_exactly, load, expected=expected)
    return Codec(type_, tags, _dump_number, load, expected=expected, compared=compared)


#: The codecs of times to live, by the type of the field.
CODECS: Final[dict[Any, Codec]] = {
    dt.datetime: Codec(
        dt.datetime, EPOCH.tags, _dump_instant, _load_instant, expected=temporal.AWARE,
        compared=EPOCH,
    ),
    int: _number(int, numbers.INT, _load_int),
    float: _number(float, numbers.FLOAT, _load_float),
    Decimal: _number(Decimal, numbers.DECIMAL, _load_decimal),
}  # fmt: skip
