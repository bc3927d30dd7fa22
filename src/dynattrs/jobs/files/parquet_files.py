"""Items of one model as parquet: a column a field, with the Arrow type that frames give it, and the rest.

What the type of a column does not hold, an int of thirty digits, stands in `dynattrs.rest`. So does what it
holds in another spelling than the item's, `2026-01-01T00:00:00Z` as an instant; the column has that one as
well. So all files of a model have one schema, and an item is the same object under the same key when it is
read back.

https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from dynattrs.errors import MappingError
from dynattrs.frames.cells import Unplaced
from dynattrs.frames.columns import Column as ArrowColumn
from dynattrs.frames.columns import column_of
from dynattrs.frames.tables import cells_of, has_times
from dynattrs.jobs.files.columns import (
    REST,
    Column,
    Columns,
    alike,
    rest_of,
    rest_text,
)
from dynattrs.jobs.files.dynamodb_json import BadRow, Row, shown
from dynattrs.jobs.files.errors import BadLine
from dynattrs.jobs.files.values import Values
from dynattrs.mapper.codec import Refused
from dynattrs.mapper.equality import as_written, comparable
from dynattrs.schema.table import AttributeMap, AttributeValue

#: So many rows are made at once when a file is read.
_ROWS: Final = 500
#: So many rows of items, and so many bytes, wait at most for the row group that they are written in.
_GROUP: Final = 4096
_GROUP_BYTES: Final = 4 * 1024 * 1024

_ERRORS: Final = (
    pa.ArrowException,
    ValueError,
    TypeError,
    OverflowError,
    AttributeError,
    LookupError,
)


# --- Writing ------------------------------------------------------------------------------------


class _Sink:
    """A file, as far as Arrow writes it."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._place = 0
        self.closed = False

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._write(content)
        self._place += len(content)
        return len(content)

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        self.closed = True


class RowGroups:
    """Writes items of a model, one a row."""

    def __init__(self, write: Callable[[bytes], object], columns: Columns) -> None:
        self._columns = columns
        mapper: Any = columns.info.mapper
        self._seen = [each for each in columns.columns if not each.hidden]
        self._arrow = [column_of(mapper, each.codec) for each in self._seen]
        self._read = Values(mapper).stored
        fields = [
            pa.field(each.name, column.final)
            for each, column in zip(self._seen, self._arrow, strict=True)
        ]
        self._schema = pa.schema([*fields, pa.field(REST, pa.string())])
        self._writer = pq.ParquetWriter(_Sink(write), self._schema)
        self._waiting: list[Any] = []

    def items(self, items: Iterable[AttributeMap]) -> list[Exception | None]:
        """Write items; for each what is wrong with it, or None."""
        problems: list[Exception | None] = []
        rows: list[list[AttributeValue | None]] = []
        rests: list[AttributeMap] = []
        for item in items:
            try:
                values, rest = self._columns.row(item)
            except (MappingError, BadLine) as error:
                problems.append(error)
                continue
            problems.append(None)
            both = zip(self._columns.columns, values, strict=True)
            rows.append([value for column, value in both if not column.hidden])
            rests.append(rest)
        arrays = [
            self._array(column, self._arrow[place], [row[place] for row in rows], rests)
            for place, column in enumerate(self._seen)
        ]
        arrays.append(pa.array([rest_text(rest) or None for rest in rests], pa.string()))
        self._waiting.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        waiting = sum(each.num_rows for each in self._waiting)
        if waiting >= _GROUP or sum(each.nbytes for each in self._waiting) >= _GROUP_BYTES:
            self._flush()
        return problems

    def _array(
        self,
        column: Column,
        arrow: ArrowColumn,
        values: Sequence[AttributeValue | None],
        rests: Sequence[AttributeMap],
    ) -> Any:
        given: list[Any] = []
        load = column.codec.load
        for place, value in enumerate(values):
            made: Any = None
            if value is not None:
                try:
                    obj = load(value)
                    made = obj if arrow.of is None or obj is None else arrow.of(obj)
                    if made is not None and not _is_exact(column, made, value):
                        read = self._again(column, arrow, made)
                        if not alike(read, value, column.codec):
                            made = None
                        elif comparable(as_written(read, column.codec)) != comparable(value):
                            rests[place][column.attribute] = value  # a foreign spelling
                except Exception:  # it stands in the rest as it is stored
                    made = None
                if made is None:
                    rests[place][column.attribute] = value
            given.append(made)
        try:
            return arrow.finished(pa.array(given, type=arrow.type))
        except _ERRORS:
            pass
        # One does not fit, such as a number of too many digits.
        for place, made in enumerate(given):
            try:
                arrow.finished(pa.array([made], type=arrow.type))
            except _ERRORS:
                value = values[place]
                assert value is not None
                given[place], rests[place][column.attribute] = None, value
        return arrow.finished(pa.array(given, type=arrow.type))

    def _again(self, column: Column, arrow: ArrowColumn, made: Any) -> AttributeValue:
        """What a value is when it is read back."""
        [read] = arrow.finished(pa.array([made], type=arrow.type)).to_pylist()
        return self._read(read, column.codec)

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting.clear()

    def end(self) -> None:
        self._flush()
        self._writer.close()


def _is_exact(column: Column, made: Any, value: AttributeValue) -> bool:
    """Whether a scalar, which Arrow holds exactly or refuses, says all of a stored value."""
    if column.tag is None or column.codec.packed:
        return False
    kind = type(made)
    if kind is str:
        return bool(value.get("S") == made)
    if kind is int or kind is float:
        text = value.get("N")
        return text is not None and Decimal(text) == Decimal(str(made))
    return kind is bool or kind is bytes


# --- Reading ------------------------------------------------------------------------------------


def read_row_groups(file: BinaryIO, columns: Columns) -> Generator[Row | BadRow]:
    """The rows of a file, from 1 on."""
    try:
        found = pq.ParquetFile(file)
        header = _Header(found.schema_arrow, columns)
    except BadLine as problem:
        yield BadRow(1, problem)
        return
    except (pa.ArrowException, OSError) as error:
        yield BadRow(1, BadLine(f"expected a parquet file ({error})", columns.info.name))
        return
    number = 0
    batches = found.iter_batches(_ROWS)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            said = f"expected a whole parquet file ({error})"
            yield BadRow(number + 1, BadLine(said, columns.info.name))
            return
        for row in header.rows(batch):
            number += 1
            try:
                if isinstance(row, BadLine):
                    raise row
                yield Row(number, header.item(row), None, columns.info)
            except BadLine as problem:
                yield BadRow(number, problem)
            except MappingError as error:
                yield BadRow(number, BadLine(str(error), columns.info.name))


class _Header:
    """The columns of a file."""

    def __init__(self, schema: Any, columns: Columns) -> None:
        self._model = columns.info.name
        self._columns = columns
        self._found = columns.found(schema.names)
        self._read = Values(columns.info.mapper).stored

    def rows(self, batch: Any) -> Iterator[dict[str, Any] | BadLine]:
        # Arrow gives Python a time behind the day's end as one of the day.
        times = {
            name: cells_of(column)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
            if has_times(column.type)
        }
        for place, row in enumerate(self._plain_rows(batch)):
            if times and not isinstance(row, BadLine):
                row.update((name, cells[place]) for name, cells in times.items())
            yield row

    def _plain_rows(self, batch: Any) -> Iterator[dict[str, Any] | BadLine]:
        try:
            yield from batch.to_pylist()
        except _ERRORS:
            # Such as nanoseconds, which Python's instants have no place for.
            for place in range(batch.num_rows):
                try:
                    yield from batch.slice(place, 1).to_pylist()
                except _ERRORS as error:
                    yield BadLine(
                        f"{self._model}: expected values that Python holds ({error})", self._model
                    )

    def item(self, row: Mapping[str, Any]) -> AttributeMap:
        text = row.get(REST)
        try:
            rest = rest_of(text or "")
        except BadLine as problem:
            raise BadLine(f"{self._model}: {problem.what}", self._model) from problem
        fields: AttributeMap = {}
        for name, column in self._found.items():
            value = row[name]
            if value is None:
                continue
            if isinstance(value, Unplaced):
                said = f"expected {value.expected}, found {value!r}"
                said += f"; {value.hint}" if value.hint else ""
                raise BadLine(f"{self._model}.{column.name}: {said}", self._model)
            try:
                fields[column.attribute] = self._read(value, column.codec)
            except (BadLine, Refused, MappingError, *_ERRORS) as error:
                found = error.what if isinstance(error, BadLine) else ""
                said = found or f"expected {column.codec.expected}, found {shown(repr(value))}"
                raise BadLine(f"{self._model}.{column.name}: {said}", self._model) from error
        return self._columns.item(fields, rest)
