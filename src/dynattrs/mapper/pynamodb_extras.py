"""The stored forms of the package pynamodb-attributes, as marks.

https://github.com/lyft/pynamodb-attributes
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, get_args, get_origin

from dynattrs.errors import ModelError
from dynattrs.mapper import containers, scalars, temporal
from dynattrs.mapper.annotations import CodecsOf, FormMark, show_type
from dynattrs.mapper.codec import Codec, Refused, show
from dynattrs.mapper.hints import field_types
from dynattrs.mapper.pynamodb_marks import ScalarMark, without_none
from dynattrs.quoting import quoted
from dynattrs.schema.table import AttributeValue

_UTC: Final = dt.timezone.utc
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=_UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_N: Final = frozenset({"N"})


_SECOND, _MILLI, _MICRO = 1_000_000, 1_000, 1
_UNITS: Final = {_SECOND: "whole seconds", _MILLI: "milliseconds", _MICRO: "microseconds"}


# --- Counted time -------------------------------------------------------------------------------


def _truncated(span: dt.timedelta, unit: int) -> AttributeValue:
    """A span in units of so many microseconds; what is less than one is cut off."""
    whole = abs(span // _MICROSECOND) // unit
    return {"N": str(-whole if span < dt.timedelta() else whole)}


def _exact(span: dt.timedelta, unit: int) -> AttributeValue:
    """The same with what is less, as it is compared."""
    return {"N": f"{Decimal(span // _MICROSECOND) / unit:f}"}


def _span(value: AttributeValue, unit: int) -> dt.timedelta:
    number = Decimal(value["N"])
    if not number.is_finite() or number.adjusted() > 25:
        raise Refused("a time within Python's range (N)", f"N {value['N']}")
    try:
        return dt.timedelta(microseconds=int((number * unit).to_integral_value(ROUND_HALF_EVEN)))
    except OverflowError:
        raise Refused("a time within Python's range (N)", f"N {value['N']}") from None


def _counted(
    type_: type[Any],
    unit: int,
    expected: str,
    span_of: Callable[[object], dt.timedelta],
    made: Callable[[dt.timedelta], Any],
    form: str,
) -> Codec:
    def load(value: AttributeValue) -> Any:
        return made(_span(value, unit))

    compared = Codec(
        type_, _N, lambda value: _exact(span_of(value), unit), load, expected=expected, form=form
    )
    return Codec(
        type_, _N, lambda value: _truncated(span_of(value), unit), load,
        expected=expected, compared=compared, form=form,
    )  # fmt: skip


def _instant(span: dt.timedelta) -> dt.datetime:
    try:
        return _EPOCH + span
    except OverflowError:
        raise Refused("a time of the years 1 to 9999 (N)", f"{span}") from None


def _timestamp(unit: int) -> Codec:
    return _counted(
        dt.datetime, unit, temporal.AWARE, lambda value: temporal.exact(value) - _EPOCH, _instant,
        f"{_UNITS[unit]} since 1970",
    )  # fmt: skip


def _timedelta(unit: int) -> Codec:
    def span_of(value: object) -> dt.timedelta:
        scalars.PLAIN[dt.timedelta].dump(value)  # refuses what is none
        assert isinstance(value, dt.timedelta)
        return value

    return _counted(dt.timedelta, unit, "a timedelta", span_of, lambda span: span, _UNITS[unit])


Timestamp: Final = ScalarMark(
    "Timestamp", "`TimestampAttribute`: N, whole seconds since 1970, cut off.", _timestamp(_SECOND)
)
TimestampMs: Final = ScalarMark(
    "TimestampMs",
    "`TimestampMsAttribute`: N, milliseconds since 1970, cut off.",
    _timestamp(_MILLI),
)
TimestampUs: Final = ScalarMark(
    "TimestampUs", "`TimestampUsAttribute`: N, microseconds since 1970.", _timestamp(_MICRO)
)
Timedelta: Final = ScalarMark(
    "Timedelta", "`TimedeltaAttribute`: N, whole seconds, cut off.", _timedelta(_SECOND)
)
TimedeltaMs: Final = ScalarMark(
    "TimedeltaMs", "`TimedeltaMsAttribute`: N, milliseconds, cut off.", _timedelta(_MILLI)
)
TimedeltaUs: Final = ScalarMark(
    "TimedeltaUs", "`TimedeltaUsAttribute`: N, microseconds.", _timedelta(_MICRO)
)


def _dump_date(value: object) -> AttributeValue:
    scalars.PLAIN[dt.date].dump(value)  # refuses what is none
    assert isinstance(value, dt.date)
    return {"N": str(value.year * 10_000 + value.month * 100 + value.day)}


def _load_date(value: AttributeValue) -> dt.date:
    number = int(value["N"])
    return dt.date(number // 10_000, number // 100 % 100, number % 100)


IntegerDate: Final = ScalarMark(
    "IntegerDate", "`IntegerDateAttribute`: N, 20261123 for 23 November 2026.",
    Codec(dt.date, _N, _dump_date, _load_date, expected="a date", form="the digits of a date"),
)  # fmt: skip


# --- Text ---------------------------------------------------------------------------------------


class UnicodeDatetime(FormMark):
    """`UnicodeDatetimeAttribute`: S, `datetime.isoformat()`, or what *fmt* makes of it.

    The offset of a value is kept. Texts with different offsets, and with and without a fraction of a
    second, do not sort as time does.

    Args:
        force_tz: Whether values have a zone. If so, text without one is read as UTC.
        force_utc: Whether values are written in UTC.
        fmt: A format of `strftime`. What it does not show is cut off.
    """

    def __init__(
        self, *, force_tz: bool = True, force_utc: bool = False, fmt: str | None = None
    ) -> None:
        super().__init__("UnicodeDatetime(...)", type(self).__doc__ or "")
        self._zoned = force_tz
        self._in_utc = force_utc
        self._format = fmt
        # Without its zone a text tells the instant in UTC only.
        self._says_zone = fmt is None or "%z" in fmt or "%s" in fmt

    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        plain, optional = without_none(inner)
        if plain is not dt.datetime:
            raise Refused("UnicodeDatetime on a datetime", show_type(inner))
        made = Codec(
            dt.datetime, frozenset({"S"}), self._dump, self._load,
            expected=temporal.AWARE if self._zoned else "a datetime",
            form="isoformat()" if self._format is None else f"text like {self._format!r}",
        )  # fmt: skip
        return containers.optional_codec(type_, made) if optional else made

    def _dump(self, value: object) -> AttributeValue:
        naive = isinstance(value, dt.datetime) and value.tzinfo is None
        if self._zoned or not naive:
            instant = temporal.exact(value)
            assert isinstance(value, dt.datetime)
            if self._in_utc or not self._says_zone:
                value = instant
        assert isinstance(value, dt.datetime)
        text = value.isoformat() if self._format is None else value.strftime(self._format)
        self._load({"S": text})
        return {"S": text}

    def _load(self, value: AttributeValue) -> dt.datetime:
        text: str = value["S"]
        try:
            if self._format is not None:
                found = dt.datetime.strptime(text, self._format)  # noqa: DTZ007
            else:
                found = dt.datetime.fromisoformat(text)
        except ValueError as error:
            if self._format is None:  # Python 3.10 reads few of the ISO forms
                return temporal.load_datetime(value)
            raise Refused(f"a time written as {self._format!r} (S)", str(error)) from None
        return found.replace(tzinfo=_UTC) if self._zoned and found.tzinfo is None else found


class UUID(FormMark):
    """`UUIDAttribute`: S, `UUID(remove_dashes=True)` without the dashes."""

    def __init__(self, *, remove_dashes: bool = False) -> None:
        super().__init__(f"UUID(remove_dashes={remove_dashes})", type(self).__doc__ or "")
        self._plain = remove_dashes

    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        plain, optional = without_none(inner)
        if plain is not uuid.UUID:
            raise Refused("UUID on a UUID", show_type(inner))
        usual = scalars.PLAIN[uuid.UUID]

        def dump(value: object) -> AttributeValue:
            text = usual.dump(value)["S"]
            return {"S": text.replace("-", "") if self._plain else text}

        made = Codec(
            uuid.UUID, usual.tags, dump, usual.load, expected=usual.expected,
            form="a UUID without dashes" if self._plain else "",
        )  # fmt: skip
        return containers.optional_codec(type_, made) if optional else made


class UnknownValue(FormMark):
    """`UnicodeEnumAttribute` and `IntegerEnumAttribute` with `unknown_value=`: another value than the
    enum's is read as *member*, which is an enum's member or None.
    """

    def __init__(self, member: Any) -> None:
        super().__init__(f"UnknownValue({member!r})", type(self).__doc__ or "")
        self._member = member

    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        made = codecs.codec(inner)
        if self._member is not None or not made.optional:
            made.dump(self._member)

        def load(value: AttributeValue) -> Any:
            try:
                return made.load(value)
            except Refused:
                return self._member

        return Codec(
            type_, made.tags, made.dump, load, expected=made.expected, optional=made.optional
        )


_TEXTS: Final = (str, int, float, Decimal, uuid.UUID)


class DelimitedTuple(FormMark):
    """`UnicodeDelimitedTupleAttribute`: S, the members of a tuple as text, with *delimiter* between them.

    For a `NamedTuple` of `str`, `int`, `float`, `Decimal` and `UUID`, whose last members may be None and
    are left out then, and for `tuple[str, ...]`. No member holds the delimiter.
    """

    def __init__(self, delimiter: str = "::") -> None:
        super().__init__(f"DelimitedTuple({delimiter!r})", type(self).__doc__ or "")
        if not delimiter:
            raise ModelError("DelimitedTuple", "delimiter: text that is not empty is expected")
        self._delimiter = delimiter

    def codec(self, codecs: CodecsOf, type_: object, inner: Any) -> Codec:
        cls, optional = without_none(inner)
        types = [*field_types(cls).values()] if hasattr(cls, "_fields") else None
        if types is None and (get_origin(cls) is not tuple or get_args(cls) != (str, ...)):
            raise Refused("DelimitedTuple on a NamedTuple or tuple[str, ...]", show_type(inner))
        plain = [without_none(each)[0] for each in types or (str,)]
        if strange := [show_type(each) for each in plain if each not in _TEXTS]:
            raise Refused(
                "members that are text, numbers or UUIDs", " and ".join(strange),
                "their text is made by str() and read by calling the class, as PynamoDB does it",
            )  # fmt: skip

        def dump(value: Any) -> AttributeValue:
            self._check(value, cls if types else tuple, plain if types else None)
            members = [*value]
            while members and members[-1] is None:
                members.pop()
            texts = [str(each) for each in members]
            if not texts or None in members or any(self._delimiter in each for each in texts):
                raise Refused(
                    f"members without {self._delimiter!r}, and None at the end only", show(value)
                )
            text = self._delimiter.join(texts)
            if text.split(self._delimiter) != texts:  # `a:` before `:b`, with `::` between them
                raise Refused(f"members that {self._delimiter!r} keeps apart", show(value))
            return {"S": text}

        def load(value: AttributeValue) -> Any:
            texts = value["S"].split(self._delimiter)
            if types is None:
                return tuple(texts)
            if len(texts) > len(plain):
                raise Refused(f"{len(plain)} members in text (S)", quoted(value["S"]))
            return cls(*(own(each) for own, each in zip(plain, texts, strict=False)))

        made = Codec(
            cls, frozenset({"S"}), dump, load, expected=f"a {show_type(cls)}",
            form=f"text with {self._delimiter!r}",
        )  # fmt: skip
        return containers.optional_codec(type_, made) if optional else made

    @staticmethod
    def _check(value: Any, cls: type[Any], types: list[Any] | None) -> None:
        if not isinstance(value, cls):
            raise Refused(f"a {show_type(cls)}", show(value))
        for position, each in enumerate(value):
            wanted = str if types is None else types[position]
            # PynamoDB hands back whatever the class makes of the text: True would be an int.
            if each is not None and type(each) is not wanted:
                raise Refused(f"a {show_type(wanted)} in each place", show(each))
