"""Frames of pandas, of Polars and of Arrow, as the cells of their rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from dynattrs.errors import QueryError
from dynattrs.frames.cells import Finer
from dynattrs.frames.libraries import need
from dynattrs.quoting import quoted

#: How many rows are taken at a time.
_ROWS: Final = 1_000

_EXPECTED: Final = (
    "a DataFrame of pandas or Polars, or a table of Arrow is expected; save_all() takes objects"
)


class FrameRows:
    """The rows of a frame, as far as they are asked for.

    Args:
        frame: A DataFrame of pandas or Polars, or what gives a stream of Arrow.

    Raises:
        QueryError: It is something else.
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
            [None if _is_missing(pandas, each) else each for each in part.iloc[:, place].tolist()]
            for place in range(part.shape[1])
        ]


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
    values: list[Any] = series.to_list()
    kind = series.dtype
    in_time = isinstance(kind, (polars.Datetime, polars.Duration)) and kind.time_unit == "ns"
    if in_time or kind == polars.Time:
        return _without_finer(values, series.cast(polars.Int64).to_list())
    return values


def _without_finer(values: Sequence[Any], nanoseconds: Sequence[int | None]) -> list[Any]:
    return [
        Finer(f"{value} and {count % 1_000} ns") if count is not None and count % 1_000 else value
        for value, count in zip(values, nanoseconds, strict=True)
    ]


# --- Arrow --------------------------------------------------------------------------------------


def _of_arrow(arrow: Any, batches: Any) -> Iterator[list[list[Any]]]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            yield [_of_array(arrow, each) for each in part.columns]


def _of_array(arrow: Any, array: Any) -> list[Any]:
    kind = array.type
    in_time = arrow.types.is_timestamp(kind) or arrow.types.is_duration(kind)
    if (in_time or arrow.types.is_time64(kind)) and kind.unit == "ns":
        counts = array.cast(arrow.int64())
        floored = [None if each is None else each // 1_000 for each in counts.to_pylist()]
        values = arrow.array(floored, arrow.int64()).cast(_in_microseconds(arrow, kind)).to_pylist()
        return _without_finer(values, counts.to_pylist())
    found: list[Any] = array.to_pylist()
    return found


def _in_microseconds(arrow: Any, kind: Any) -> Any:
    if arrow.types.is_timestamp(kind):
        return arrow.timestamp("us", kind.tz)
    return arrow.duration("us") if arrow.types.is_duration(kind) else arrow.time64("us")
