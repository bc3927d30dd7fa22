"""Items of one model as comma-separated values, with a line of column names at the top (RFC 4180, UTF-8).

Text stands as it is, numbers as DynamoDB writes them, bytes as base64, booleans as `true` and `false`, all
else as JSON text. An empty cell is nothing at all; where the last column, `dynattrs.rest`, is missing,
the file is another program's, and an empty cell of a required text is an empty text.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, BinaryIO, Final

from dynattrs import utf8
from dynattrs.errors import MappingError
from dynattrs.jobs.files.columns import (
    REST,
    Column,
    Columns,
    from_json_text,
    json_text,
    rest_of,
    rest_text,
)
from dynattrs.jobs.files.dynamodb_json import BadRow, Row, shown
from dynattrs.jobs.files.errors import BadLine
from dynattrs.mapper.scalars import binary
from dynattrs.schema.table import AttributeMap, AttributeValue

#: A cell may be a whole item. The module's own limit, 128 KiB, holds for a process.
_MOST_CELL: Final = 16 * 1024 * 1024

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TRUTH: Final = {"true": True, "false": False}


# --- Writing ------------------------------------------------------------------------------------


class Cells:
    """Writes items of a model, one a row."""

    def __init__(self, write: Callable[[bytes], object], columns: Columns) -> None:
        self._write = write
        self._columns = columns
        self._buffer = io.StringIO(newline="")
        self._csv = csv.writer(self._buffer, lineterminator="\r\n")
        names = [each.name for each in columns.columns if not each.hidden]
        self._csv.writerow([*names, REST])

    def items(self, items: Iterable[AttributeMap]) -> list[Exception | None]:
        """Write items; for each what is wrong with it, or None."""
        problems: list[Exception | None] = []
        for item in items:
            try:
                self._csv.writerow(self._row(item))
            except (MappingError, BadLine) as error:
                problems.append(error)
            else:
                problems.append(None)
        self._flush()
        return problems

    def _row(self, item: AttributeMap) -> list[str]:
        values, rest = self._columns.row(item)
        cells: list[str] = []
        for column, value in zip(self._columns.columns, values, strict=True):
            if column.hidden:
                continue
            cell = "" if value is None else _cell(value, column)
            if cell is None or (not cell and value is not None):
                assert value is not None
                rest[column.attribute] = value
                cell = ""
            cells.append(cell)
        return [*cells, rest_text(rest)]

    def _flush(self) -> None:
        self._write(self._buffer.getvalue().encode())
        self._buffer.seek(0)
        self._buffer.truncate()

    def end(self) -> None:
        self._flush()


def _cell(value: AttributeValue, column: Column) -> str | None:
    """A value as text; None where it has no place in a cell."""
    ((tag, payload),) = value.items()
    if column.tag is None:
        text = json_text(value, column.codec)
    elif tag != column.tag:
        return None
    elif tag == "B":
        text = base64.b64encode(binary(payload)).decode()
    elif tag == "BOOL":
        text = "true" if payload else "false"
    else:
        text = payload
    return text if "\0" not in text and utf8.encodable(text) else None


# --- Reading ------------------------------------------------------------------------------------


def read_cells(file: BinaryIO, columns: Columns) -> Generator[Row | BadRow]:
    """The rows of a file. Their numbers are those of the lines that they begin on."""
    if csv.field_size_limit() < _MOST_CELL:
        csv.field_size_limit(_MOST_CELL)
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _rows(csv.reader(text, strict=True), columns)
    finally:
        text.detach()  # the file is closed where it was opened


def _rows(reader: Any, columns: Columns) -> Iterator[Row | BadRow]:
    header: _Header | None = None
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            if header is None:
                yield BadRow(1, BadLine("expected a line of column names, found an empty file"))
            return
        except csv.Error as error:
            problem = f"expected comma-separated values, found what is none ({error})"
            yield BadRow(line, BadLine(problem, columns.info.name))
            line = reader.line_num + 1
            continue
        try:
            if header is None:
                header = _Header(cells, columns)
            elif cells:
                yield Row(line, header.item(cells), None, columns.info)
        except BadLine as problem:
            yield BadRow(line, problem)
            if header is None:  # nothing can be read without it
                return
        except MappingError as error:
            yield BadRow(line, BadLine(str(error), columns.info.name))
        line = reader.line_num + 1


class _Header:
    """The names of a file's columns."""

    def __init__(self, names: list[str], columns: Columns) -> None:
        self._model = columns.info.name
        self._columns = columns
        self._rest = names.index(REST) if REST in names else None
        by_name = columns.found(names)
        self._found = [(names.index(name), column) for name, column in by_name.items()]
        self._count = len(names)

    def item(self, cells: list[str]) -> AttributeMap:
        if len(cells) != self._count:
            raise self._columns.wrong(
                f"{self._count} cells, found {len(cells)}",
                "quote cells that hold commas or line ends",
            )
        for cell in cells:
            if not utf8.encodable(cell):
                raise self._columns.wrong(
                    f"UTF-8 text, found {shown(cell)}", "write the file in UTF-8"
                )
        try:
            rest = {} if self._rest is None else rest_of(cells[self._rest])
        except BadLine as problem:
            raise BadLine(f"{self._model}: {problem.what}", self._model) from problem
        fields: AttributeMap = {}
        for place, column in self._found:
            value = self._value(cells[place], column)
            if value is not None:
                fields[column.attribute] = value
        return self._columns.item(fields, rest)

    def _value(self, cell: str, column: Column) -> AttributeValue | None:
        if not cell:
            return {"S": ""} if column.empty and self._rest is None else None
        try:
            return _from_cell(cell, column)
        except BadLine as problem:
            raise BadLine(f"{self._model}.{column.name}: {problem.what}", self._model) from problem


def _from_cell(cell: str, column: Column) -> AttributeValue:
    tag = column.tag
    if tag == "S":
        return {"S": cell}
    if tag is None:
        return from_json_text(cell, column.codec)
    plain = cell.strip()
    if tag == "N" and _NUMBER.fullmatch(plain):
        return {"N": plain}
    if tag == "BOOL" and plain.lower() in _TRUTH:
        return {"BOOL": _TRUTH[plain.lower()]}
    found: Any = None
    if tag == "B":
        try:
            return {"B": base64.b64decode(plain, validate=True)}
        except (binascii.Error, ValueError) as error:
            found = error
    expected = {"N": "a number", "BOOL": "true or false", "B": "bytes as base64 text"}[tag]
    raise BadLine(f"expected {expected}, found {shown(cell)}") from found
