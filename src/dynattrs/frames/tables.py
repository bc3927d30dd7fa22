"""Frames of pandas, Polars and Arrow, as rows of cells."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from dynattrs.errors import QueryError
from dynattrs.frames.cells import Unplaced
from dynattrs.frames.libraries import need
from dynattrs.quoting import quoted

#: Seconds of a day, and what units count in one.
_DAY: Final = 86_400
_IN_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
#: How many rows are taken at a time.
_ROWS: Final = 1_000

_EXPECTED: Final = (
    "a DataFrame of pandas or Polars, or a table of Arrow is expected; save_all() takes objects"
)


class FrameRows:
    """The rows of a frame, read lazily.

    Args:
        frame: A pandas or Polars DataFrame, or an object with an Arrow stream.

    Raises:
        QueryError: It is none of these.
    """

    def __init__(self, frame: Any) -> None:
        self._chunks: Callable[[], Iterator[list[list[Any]]]]
        cls = type(frame)
        pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
        if pandas is not None and isinstance(frame, pandas.DataFrame):
            self.names: list[Any] = [*frame.columns]
            given: Any = frame
            self._chunks = lambda: _of_pandas(pandas, given)
        elif polars is not None and isinstance(frame, polars.DataFrame):
            self.names = [*frame.columns]
            self._chunks = lambda: _of_polars(polars, frame)
        elif polars is not None and isinstance(frame, polars.LazyFrame):
            raise QueryError("save_frame(): a LazyFrame has no rows yet; collect() it")
        elif not isinstance(frame, type) and hasattr(cls, "__arrow_c_stream__"):
            arrow = need("pyarrow", "arrow")
            try:
                batches = arrow.RecordBatchReader.from_stream(frame)
            except arrow.ArrowInvalid:  # a stream of something else than rows
                raise QueryError(f"save_frame({quoted(frame)}): {_EXPECTED}") from None
            self.names = batches.schema.names
            self._chunks = lambda: _of_arrow(arrow, batches)
        else:
            raise QueryError(f"save_frame({quoted(frame)}): {_EXPECTED}")

    def chunks(self) -> Iterator[list[list[Any]]]:
        """Some rows after the other, by columns, with None for what is missing."""
        return self._chunks()


# --- pandas -------------------------------------------------------------------------------------


def _of_pandas(pandas: Any, frame: Any) -> Iterator[list[list[Any]]]:
    for start in range(0, len(frame), _ROWS):
        part = frame.iloc[start : start + _ROWS]
        yield [
            [
                None if _is_missing(pandas, each) else each
                for each in _of_column(pandas, part.iloc[:, place])
            ]
            for place in range(part.shape[1])
        ]


def _of_column(pandas: Any, column: Any) -> list[Any]:
    if isinstance(column.dtype, pandas.ArrowDtype):
        arrow = need("pyarrow", "arrow")
        found = arrow.array(column.array)
        parts = found.chunks if isinstance(found, arrow.ChunkedArray) else [found]
        return [each for part in parts for each in _of_array(arrow, part)]
    return _cells(column.tolist, lambda place: column.iloc[place], len(column), column.dtype)


def _is_missing(pandas: Any, value: Any) -> bool:
    if value is None or value is pandas.NA or value is pandas.NaT:
        return True
    if isinstance(value, float):
        return value != value
    numpy = sys.modules["numpy"]
    if isinstance(value, (numpy.floating, numpy.datetime64, numpy.timedelta64)):
        return bool(value != value)
    return False


# --- Polars -------------------------------------------------------------------------------------


def _of_polars(polars: Any, frame: Any) -> Iterator[list[list[Any]]]:
    for part in frame.iter_slices(_ROWS):
        yield [_of_series(polars, each) for each in part.get_columns()]


def _of_series(polars: Any, series: Any) -> list[Any]:
    kind, count = series.dtype, len(series)
    if not _counts_in_polars(polars, kind):

        def cell(place: int) -> Any:
            return series.slice(place, 1).to_list()[0]

        return _cells(series.to_list, cell, count, kind)
    if isinstance(kind, polars.Struct):
        members = {
            each.name: _of_series(polars, series.struct.field(each.name)) for each in kind.fields
        }
        return _of_members(members, series.is_null().to_list())
    if hasattr(kind, "inner"):
        return [
            None if each is None else _of_series(polars, each)
            for each in (series[place] for place in range(count))
        ]
    return _without_finer(series.to_list(), series.cast(polars.Int64).to_list())


def _counts_in_polars(polars: Any, kind: Any) -> bool:
    """Whether a type counts nanoseconds, in whatever part."""
    if isinstance(kind, polars.Struct):
        return any(_counts_in_polars(polars, each.dtype) for each in kind.fields)
    inner = getattr(kind, "inner", None)
    if inner is not None:
        return _counts_in_polars(polars, inner)
    in_time = isinstance(kind, (polars.Datetime, polars.Duration)) and kind.time_unit == "ns"
    return bool(in_time or kind == polars.Time)


# --- Arrow --------------------------------------------------------------------------------------


def _of_arrow(arrow: Any, batches: Any) -> Iterator[list[list[Any]]]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            yield [_of_array(arrow, each) for each in part.columns]


def cells_of(array: Any) -> list[Any]:
    """The cells of an Arrow array. A cell that has no value in Python is `Unplaced`."""
    return _of_array(need("pyarrow", "arrow"), array)


def has_times(kind: Any) -> bool:
    """Whether a type of Arrow is a time of a day, in whatever part."""
    types = need("pyarrow", "arrow").types
    if hasattr(kind, "storage_type"):
        return has_times(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return has_times(kind.value_type)
    parts = (kind.field(place).type for place in range(kind.num_fields))
    return bool(types.is_time(kind)) or any(map(has_times, parts))


def _of_array(arrow: Any, array: Any) -> list[Any]:
    kind, types, count = array.type, arrow.types, len(array)
    if not is_judged(arrow, kind):
        return _cells(array.to_pylist, lambda place: array[place].as_py(), count, kind)
    if isinstance(kind, arrow.BaseExtensionType):
        return _of_array(arrow, array.storage)
    if types.is_dictionary(kind):
        return _of_array(arrow, array.dictionary_decode())
    if types.is_run_end_encoded(kind) or types.is_union(kind):
        values = (_of_scalar(arrow, array[place].value) for place in range(count))
        return [*values]
    if types.is_struct(kind):
        names = [kind.field(place).name for place in range(kind.num_fields)]
        parts = [_of_array(arrow, each) for each in array.flatten()]
        return _of_members(dict(zip(names, parts, strict=True)), array.is_null().to_pylist())
    if types.is_map(kind):
        pairs = (array[place].values for place in range(count))
        return [
            None
            if each is None
            else [*zip(*(_of_array(arrow, one) for one in each.flatten()), strict=True)]
            for each in pairs
        ]
    if kind.num_fields:
        members = (array[place].values for place in range(count))
        return [None if each is None else _of_array(arrow, each) for each in members]
    if types.is_time(kind):
        return _of_times(arrow, array)
    return _of_nanoseconds(arrow, array)


def _of_times(arrow: Any, array: Any) -> list[Any]:
    """Times of a day. Python counts others, which Arrow holds as well, from the next midnight on."""
    kind = array.type
    in_second, in_ints = (
        _IN_SECOND[kind.unit],
        arrow.int32() if kind.bit_width == 32 else arrow.int64(),
    )
    counts = array.cast(in_ints).to_pylist()
    values = _of_nanoseconds(arrow, array) if kind.unit == "ns" else array.to_pylist()
    return [
        value
        if count is None or 0 <= count < _DAY * in_second
        else Unplaced(
            "a time of a day, 00:00:00 to 23:59:59.999999", f"{Decimal(count) / in_second} seconds",
            "declare the field as timedelta, and cast the column to a duration",
        )
        for value, count in zip(values, counts, strict=True)
    ]  # fmt: skip


def _of_nanoseconds(arrow: Any, array: Any) -> list[Any]:
    kind = array.type
    counts = array.cast(arrow.int64()).to_pylist()
    floored = [None if each is None else each // 1_000 for each in counts]
    values = arrow.array(floored, arrow.int64()).cast(_in_microseconds(arrow, kind))
    cells = _cells(values.to_pylist, lambda place: values[place].as_py(), len(values), values.type)
    return _without_finer(cells, counts)


def _of_scalar(arrow: Any, scalar: Any) -> Any:
    return None if scalar is None else _of_array(arrow, arrow.repeat(scalar, 1))[0]


def is_judged(arrow: Any, kind: Any) -> bool:
    """Whether a type counts nanoseconds, or is a time of a day, in whatever part: Arrow gives Python some
    values of these as other ones.
    """
    if isinstance(kind, arrow.BaseExtensionType):
        return is_judged(arrow, kind.storage_type)
    if arrow.types.is_dictionary(kind) or arrow.types.is_run_end_encoded(kind):
        return is_judged(arrow, kind.value_type)
    if kind.num_fields:
        return any(is_judged(arrow, kind.field(place).type) for place in range(kind.num_fields))
    if arrow.types.is_time(kind):
        return True
    return (
        bool(arrow.types.is_timestamp(kind) or arrow.types.is_duration(kind)) and kind.unit == "ns"
    )


def _in_microseconds(arrow: Any, kind: Any) -> Any:
    if arrow.types.is_timestamp(kind):
        return arrow.timestamp("us", kind.tz)
    return arrow.duration("us") if arrow.types.is_duration(kind) else arrow.time64("us")


# --- Cells --------------------------------------------------------------------------------------


def _cells(
    all_of: Callable[[], list[Any]], cell: Callable[[int], Any], count: int, kind: Any
) -> list[Any]:
    """The cells of a column, all at once if possible. A cell that has no value in Python is `Unplaced`."""
    try:
        return all_of()
    except BaseException as error:
        _pass_on(error)
    found: list[Any] = []
    for place in range(count):
        try:
            found.append(cell(place))
        except BaseException as error:
            _pass_on(error)
            found.append(Unplaced("a value that Python has a place for", f"a {kind}: {error}"))
    return found


def _pass_on(error: BaseException) -> None:
    """Raise what does not say that a value has no place. A panic of Polars is no `Exception`."""
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error


def _without_finer(values: Sequence[Any], nanoseconds: Sequence[int | None]) -> list[Any]:
    return [
        value
        if count is None or not count % 1_000
        else Unplaced(
            "at most six digits of a second", f"{value} and {count % 1_000} ns",
            "Python counts microseconds: round it",
        )
        for value, count in zip(values, nanoseconds, strict=True)
    ]  # fmt: skip


def _of_members(members: dict[str, list[Any]], missing: Sequence[bool]) -> list[Any]:
    """What a struct is, of its members."""
    return [
        None if is_missing else {name: values[place] for name, values in members.items()}
        for place, is_missing in enumerate(missing)
    ]
