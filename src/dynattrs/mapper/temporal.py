"""Dates and times: stored so that strings sort as time does, and read in all common ISO forms.

A `datetime` is stored in UTC with six digits of microseconds, always: offsets and optional
fractions do not sort (`…00Z` comes after `…00.5Z`). A naive one is refused, because taking it for
UTC, or for local time, is a guess that data do not survive.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Context, Decimal, Inexact
from typing import Final

from dynattrs.deferral import pattern
from dynattrs.mapper.codec import Refused, show
from dynattrs.quoting import quoted
from dynattrs.schema.table import AttributeValue

AWARE: Final = "a datetime with a time zone"
EPOCH_SECONDS: Final = "epoch seconds of the years 1 to 9999 (N)"
INSTANT: Final = "an ISO 8601 date and time with a zone (S)"

_MICROSECONDS: Final = "at most six digits of a second"
_FINER: Final = "Python counts microseconds: round it, or declare the field as str to keep more"

_INSTANT = pattern(
    r"(\d{4})-?(\d{2})-?(\d{2})[T ]"
    r"(\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d+))?)?"
    r" ?(?:(Z|z)|([+-])(\d{2}):?(\d{2})?(?::?(\d{2}))?)?",
    re.ASCII,
)
_TIME = pattern(r"(\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d+))?)?", re.ASCII)
_DATE = pattern(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_MICROSECOND = dt.timedelta(microseconds=1)

_UTC = dt.timezone.utc

# The exponent of timedelta.max in seconds.
_MOST_SECONDS: Final = 13
# Decimal's arithmetic rounds as the caller's context says. This one rounds nothing that N can hold.
_EXACT: Final = Context(prec=100, traps=[Inexact])


def dump_datetime(value: object) -> AttributeValue:
    if type(value) is dt.datetime and value.tzinfo is _UTC:
        return {"S": value.isoformat(timespec="microseconds")[:-6] + "Z"}
    instant = exact(value)
    return {"S": instant.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"}


def exact(value: object) -> dt.datetime:
    """An instant in UTC that is not finer than it is stored.

    Raises:
        Refused: As `in_utc`, and of a class that counts nanoseconds.
    """
    instant = in_utc(value)
    if type(value) is not dt.datetime and getattr(value, "nanosecond", False):
        raise Refused(_MICROSECONDS, show(value), _FINER)
    return instant


def in_utc(value: object) -> dt.datetime:
    """An instant in UTC.

    Raises:
        Refused: It is not a datetime, is naive, or has no date in UTC.
    """
    if not isinstance(value, dt.datetime):
        raise Refused(AWARE, show(value))
    if type(value) is not dt.datetime and not dt.MINYEAR <= value.year <= dt.MAXYEAR:
        # Other classes have other years, and values that are not times (pandas' NaT).
        raise Refused("a datetime of the years 1 to 9999", show(value))
    if value.utcoffset() is None:
        raise Refused(
            AWARE,
            f"the naive {value.isoformat()}",
            "say which zone it is in: datetime.now(timezone.utc), value.replace(tzinfo=...)",
        )
    if value.tzinfo is _UTC:
        return value
    try:
        return value.astimezone(_UTC)
    except OverflowError:
        raise Refused("a datetime of the years 1 to 9999 in UTC", show(value)) from None


def load_datetime(value: AttributeValue) -> dt.datetime:
    text: str = value["S"]
    if len(text) == 27 and text[26] == "Z" and text[19] == "." and text[4] == "-":
        # The form that dynattrs writes. 3.10 knows no "Z".
        try:
            instant = dt.datetime.fromisoformat(text[:26])
            if instant.tzinfo is None:
                return instant.replace(tzinfo=_UTC)
        except ValueError:
            pass
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise Refused(INSTANT, f"S {quoted(text)}")
    year, month, day, hour, minute, second, fraction, zulu, sign, *offset = match.groups()
    if zulu is None and sign is None:
        raise Refused(
            INSTANT,
            f"S {quoted(text)}, which has no zone",
            "register a structure hook on the mapper that says which zone is meant",
        )
    instant = dt.datetime(
        int(year), int(month), int(day), int(hour), int(minute), int(second or 0),
        _microseconds(fraction, text), _UTC,
    )  # fmt: skip
    if sign is None:
        return instant
    hours, minutes, seconds = (int(part or 0) for part in offset)
    shift = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return instant - shift if sign == "+" else instant + shift


def _microseconds(fraction: str | None, text: str) -> int:
    if not fraction:
        return 0
    if fraction[6:].strip("0"):
        raise Refused(
            _MICROSECONDS,
            f"S {quoted(text)}",
            "Python counts microseconds; declare the field as str to keep more",
        )
    return int(fraction[:6].ljust(6, "0"))


def dump_date(value: object) -> AttributeValue:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise Refused("a date", show(value))
    return {"S": value.isoformat()}


def load_date(value: AttributeValue) -> dt.date:
    match = _DATE.fullmatch(value["S"])
    if match is None:
        raise Refused("an ISO 8601 date (S)", f"S {quoted(value['S'])}")
    return dt.date(*map(int, match.groups()))


def dump_time(value: object) -> AttributeValue:
    if not isinstance(value, dt.time):
        raise Refused("a naive time", show(value))
    if value.tzinfo is not None:
        raise Refused(
            "a naive time", show(value), "a time of day has no instant; store a datetime, or strip"
        )
    return {"S": value.isoformat(timespec="microseconds")}


def load_time(value: AttributeValue) -> dt.time:
    match = _TIME.fullmatch(value["S"])
    if match is None:
        raise Refused("an ISO 8601 time without zone (S)", f"S {quoted(value['S'])}")
    hour, minute, second, fraction = match.groups()
    return dt.time(int(hour), int(minute), int(second or 0), _microseconds(fraction, value["S"]))


def dump_timedelta(value: object) -> AttributeValue:
    if not isinstance(value, dt.timedelta):
        raise Refused("a timedelta", show(value))
    if type(value) is not dt.timedelta:
        if getattr(value, "nanoseconds", False):
            raise Refused(_MICROSECONDS, show(value), _FINER)
        if not dt.timedelta.min <= value <= dt.timedelta.max:
            raise Refused("a timedelta of less than 1,000,000,000 days", show(value))
    return {"N": _seconds(value)}


def load_timedelta(value: AttributeValue) -> dt.timedelta:
    return _from_seconds(value["N"])


def dump_epoch(value: object) -> AttributeValue:
    """A datetime as N: the seconds since 1970, exact to the microsecond."""
    return {"N": _seconds(exact(value) - _EPOCH)}


def load_epoch(value: AttributeValue) -> dt.datetime:
    try:
        return _EPOCH + _from_seconds(value["N"])
    except OverflowError:
        raise Refused(EPOCH_SECONDS, f"N {value['N']}") from None


def _seconds(value: dt.timedelta) -> str:
    microseconds = value // _MICROSECOND
    whole, micro = divmod(abs(microseconds), 1_000_000)
    sign = "-" if microseconds < 0 else ""
    return f"{sign}{whole}.{micro:06}".rstrip("0").rstrip(".") if micro else f"{sign}{whole}"


def _from_seconds(text: str) -> dt.timedelta:
    seconds = Decimal(text)
    if not seconds.is_finite() or seconds.adjusted() > _MOST_SECONDS:
        raise Refused("seconds within a timedelta's range (N)", f"N {text}")
    microseconds = seconds.scaleb(6, _EXACT)
    if microseconds != microseconds.to_integral_value():
        raise Refused("seconds, exact to the microsecond (N)", f"N {text}")
    try:
        return dt.timedelta(microseconds=int(microseconds))
    except OverflowError:
        raise Refused("seconds within a timedelta's range (N)", f"N {text}") from None
