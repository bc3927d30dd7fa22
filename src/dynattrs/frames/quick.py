"""The quick way from a page to columns: from the rows of its items, without making objects.

It may refuse a page, which then goes through objects; its values are always those that objects would hold.
Arrow reads texts and numbers, which rows hold as text, and the result is checked as a whole. Other fields
are read one after the other, by the code that reads them for objects.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import attrgetter
from types import CodeType
from typing import Any, Final, TypeAlias

import attrs
import pyarrow as pa
import pyarrow.compute
from msgspec import UNSET

from dynattrs.frames.columns import DECIMAL, INSTANT, Column
from dynattrs.mapper import scalars, time_to_live
from dynattrs.mapper.classes import ClassCodec, FieldCodec, held
from dynattrs.mapper.codec import Codec, TextsShape
from dynattrs.mapper.read_code import is_required
from dynattrs.mapper.rows import Row
from dynattrs.mapper.source import Source

#: Gives the column of one field of many rows.
ColumnOf: TypeAlias = Callable[[Sequence[Any]], Any]


class Unfit(Exception):
    """A page needs the way through objects."""


#: Its functions are made when it is imported, where no checker sees them.
pc: Final[Any] = pyarrow.compute

# `attrs.Factory` is a class that its stubs declare as a function.
_FACTORY: Final[Any] = attrs.Factory

#: Generated functions of one class share their names.
_generating: Final = threading.RLock()


def quick_reader(kind: type[Row], columns: Sequence[Column]) -> Callable[[Any], list[Any]] | None:
    """What makes arrays of rows of one kind, one for each field; None where only objects will do.

    It raises anything where a page is for objects.

    Args:
        kind: The type of the rows.
        columns: The columns of the fields of its class, in their order.
    """
    codec: ClassCodec = kind.codec
    if not kind.whole or not _keeps_values(codec):
        return None
    with _generating:
        readers = [_reader(kind, place, column) for place, column in enumerate(columns)]
    always = kind.ordinary is Row.ordinary

    def read(rows: Sequence[Any]) -> list[Any]:
        if not always and not all(map(kind.ordinary, rows)):
            raise Unfit
        return [reader(rows) for reader in readers]

    return read


def _keeps_values(codec: ClassCodec) -> bool:
    """Whether objects of a class have the very values that they are made of: nothing converts them, looks
    at them or does anything else with them.
    """
    cls, record = codec.record.cls, codec.record
    code = getattr(cls.__init__, "__code__", None)
    return (
        attrs.has(cls)
        and record.build is cls
        and isinstance(code, CodeType)
        and code.co_filename.startswith("<attrs generated")
        and not any(hasattr(cls, f"__attrs_{when}_init__") for when in ("pre", "post"))
        and all(member.init for member in record.members)
        and all(
            field.validator is None and field.converter in (None, time_to_live.whole_seconds)
            for field in attrs.fields(cls)
        )
        and cls.__new__ is object.__new__
        and cls.__getattribute__ is object.__getattribute__
        and type(cls).__call__ is type.__call__
    )


def _reader(kind: type[Row], place: int, column: Column) -> ColumnOf:
    field: FieldCodec = kind.codec.members[place]
    inner = held(field.codec)
    by_text = _by_text(inner, column)
    values: list[Callable[[Any], list[Any]]] = []

    absent = _absent(field, column)
    there = attrgetter(f"f{place}")

    def slowly(rows: Sequence[Any]) -> Any:
        if absent is not None and all(there(row) is UNSET for row in rows):
            return absent.take(pa.array([0] * len(rows), pa.int64()))
        if not values:  # generated when it is needed
            with _generating:
                values.append(kind.code.column(kind.codec, place))
        return column.array(values[0](rows))

    if by_text is None:
        return slowly
    tag, read = by_text
    parts = kind.code.tags[field]
    if not parts or any(each.tag not in (tag, "NULL") for each in parts):
        return slowly
    payloads = _payloads(field, place, tag, nullable=len(parts) > 1)

    def quickly(rows: Sequence[Any]) -> Any:
        try:
            made = read(payloads(rows))
        except Exception:
            return slowly(rows)
        return column.finished(made)

    return quickly


def _absent(field: FieldCodec, column: Column) -> Any:
    """An array of the one value that stands for an absent attribute; None where objects say which."""
    default = field.member.default
    value: Any = default
    if field.always_set:
        value = ()
    elif isinstance(default, _FACTORY):
        if default.takes_self or default.factory not in (list, dict, set):
            return None
        value = default.factory()
    elif is_required(field):
        return None
    try:
        return column.array([value])
    except Exception:  # which the objects of a page say
        return None


def _payloads(field: FieldCodec, place: int, tag: str, *, nullable: bool) -> ColumnOf:
    """What takes the payloads of a field out of rows; None where its value is None."""
    names: dict[str, Any] = {"UNSET": UNSET}
    there = f"row.f{place}" if is_required(field) else "v"
    value = f"{there}.{tag}"
    if nullable:
        names["null"] = _null
        value = (
            f"(p if (p := {value}) is not UNSET and {there}.NULL is UNSET else null({there}, p))"
        )
    if not is_required(field):
        absent, names["default"] = _default(field, tag)
        value = f"{absent} if (v := row.f{place}) is UNSET else {value}"
    source = Source("payloads", "rows", names)
    source.add(f"return [{value} for row in rows]")
    made: ColumnOf = source.function(field.name)
    return made


def _default(field: FieldCodec, tag: str) -> tuple[str, Any]:
    """The code of what stands for an absent attribute, and what it calls `default`."""
    default = field.member.default
    if default is None:
        return "None", None
    try:
        return "default", field.codec.dump(default)[tag]
    except Exception:  # a factory, which only objects call
        return "default()", _refuse


def _refuse() -> Any:
    raise Unfit


def _null(value: Any, payload: Any) -> None:
    """None, for NULL alone."""
    if payload is not UNSET or value.NULL is UNSET:
        raise Unfit


# --- What Arrow reads ---------------------------------------------------------------------------


def _by_text(codec: Codec, column: Column) -> tuple[str, Callable[[list[Any]], Any]] | None:
    """The type tag of a codec's values, and what makes an array of their payloads: exactly that of the
    values, or it raises. None where values are read one by one.
    """
    if isinstance(codec.shape, TextsShape):
        known = {*codec.shape.values, None}
        return "S", lambda texts: _known_texts(texts, known)
    of_type = _READERS.get(codec)
    if of_type is None:
        return None
    tag, read, type_ = of_type
    # Another type was asked for, or a wider one is needed, which values have as well.
    return (tag, read) if column.type == type_ else None


def _known_texts(texts: list[Any], known: set[str | None]) -> Any:
    if not known.issuperset(texts):
        raise Unfit
    return pa.array(texts, pa.string())


def _strings(texts: list[Any]) -> Any:
    return pa.array(texts, pa.string())


def _truths(payloads: list[Any]) -> Any:
    return pa.array(payloads, pa.bool_())


def _ints(texts: list[Any]) -> Any:
    found = _strings(texts)
    # Arrow reads 0x1F as well.
    if b"x" in _letters(found):
        raise Unfit
    return found.cast(pa.int64())


def _floats(texts: list[Any]) -> Any:
    found = _strings(texts).cast(pa.float64())
    if pc.all(pc.is_finite(found)).as_py() is False:
        raise Unfit
    return found


def _decimals(texts: list[Any]) -> Any:
    found = _strings(texts)
    # Arrow reads -8.76E+27 as another number, and does not say that it has no place for it.
    longest = pc.max(pc.binary_length(found)).as_py() or 0
    short = longest <= _SHORT and b"e" not in _letters(found)
    if not short and pc.all(pc.match_substring_regex(found, _FITTING)).as_py() is False:
        raise Unfit
    return found.cast(DECIMAL)


def _letters(texts: Any) -> bytes:
    """All that texts have, in small letters."""
    buffer = texts.buffers()[2]
    return b"" if buffer is None else buffer.to_pybytes().lower()


def _instants(texts: list[Any]) -> Any:
    return _from_year_one(_of_length(texts, 27).cast(INSTANT), _FIRST_INSTANT)


def _dates(texts: list[Any]) -> Any:
    return _from_year_one(_of_length(texts, 10).cast(pa.date32()), _FIRST_DATE)


def _of_length(texts: list[Any], length: int) -> Any:
    """Text of one length: the forms that are written. What is longer or shorter is others'."""
    found = _strings(texts)
    lengths = pc.min_max(pc.binary_length(found)).as_py()
    if any(each not in (None, length) for each in lengths.values()):
        raise Unfit
    return found


def _from_year_one(found: Any, first: Any) -> Any:
    """An array without years that Python does not have."""
    if pc.any(pc.less(found, first)).as_py():
        raise Unfit
    return found


def _epochs(texts: list[Any]) -> Any:
    seconds = _ints(texts)
    within = pc.and_(pc.greater_equal(seconds, _FIRST_SECOND), pc.less_equal(seconds, _LAST_SECOND))
    if pc.all(within).as_py() is False:
        raise Unfit
    return pc.multiply(seconds, _SECOND).cast(pa.timestamp("us")).cast(INSTANT)


def _durations(texts: list[Any]) -> Any:
    return pc.multiply_checked(_ints(texts), _SECOND).cast(pa.duration("us"))


def _uuids(texts: list[Any]) -> Any:
    found = _strings(texts)
    if pc.all(pc.match_substring_regex(found, _UUID)).as_py() is False:
        raise Unfit
    return found


_SECOND: Final = pa.scalar(1_000_000, pa.int64())
_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
#: How long a number may be that certainly has not too many digits; and what it looks like if it is longer.
_SHORT: Final = 20
_FITTING: Final = r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"
_FIRST_DATE: Final = pa.scalar(dt.date.min, pa.date32())
_FIRST_INSTANT: Final = pa.scalar(dt.datetime.min.replace(tzinfo=dt.timezone.utc), INSTANT)
_FIRST_SECOND: Final = pa.scalar(-62_135_596_800, pa.int64())
_LAST_SECOND: Final = pa.scalar(253_402_300_799, pa.int64())

_PLAIN: Final = scalars.PLAIN
_TTL: Final = time_to_live.CODECS
# Measured (benchmarks/test_frames.py): less than half of what objects and their columns take.
# tests/property/test_frames.py holds all of it to the way through objects.
_READERS: Final[dict[Codec, tuple[str, Callable[[list[Any]], Any], Any]]] = {
    _PLAIN[str]: ("S", _strings, pa.string()),
    _PLAIN[bool]: ("BOOL", _truths, pa.bool_()),
    _PLAIN[int]: ("N", _ints, pa.int64()),
    _PLAIN[float]: ("N", _floats, pa.float64()),
    _PLAIN[Decimal]: ("N", _decimals, DECIMAL),
    _PLAIN[uuid.UUID]: ("S", _uuids, pa.string()),
    _PLAIN[dt.datetime]: ("S", _instants, INSTANT),
    _PLAIN[dt.date]: ("S", _dates, pa.date32()),
    _PLAIN[dt.timedelta]: ("N", _durations, pa.duration("us")),
    scalars.EPOCH: ("N", _epochs, INSTANT),
    _TTL[int]: ("N", _ints, pa.int64()),
    _TTL[dt.datetime]: ("N", _epochs, INSTANT),
}
