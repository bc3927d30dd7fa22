"""What is printed: a table for people, JSON, DynamoDB JSON, or CSV.

In a pipe a table has no colours, and no cell is cut.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

import attrs
import click

from dynattrs.mapper.anything import dynamodb_json, plain_json
from dynattrs.schema.table import AttributeMap, AttributeValue

F = TypeVar("F", bound=Callable[..., Any])

Format: TypeAlias = Literal["table", "json", "dynamodb-json", "csv"]

#: Wider than any line, which is not to be broken where no person reads it.
_NO_WIDTH: Final = 1_000_000


def formatted(*formats: Format) -> Callable[[F], F]:
    """Give a part of the command the option `--format`, as its argument `output`."""
    return click.option(
        "-f",
        "--format",
        "output",
        type=click.Choice(formats or get_args(Format)),
        default="table",
        show_default=True,
        help="How to print it.",
    )


@attrs.frozen
class Row:
    """One line of what is printed.

    Attributes:
        values: What is shown, by column, as attribute values.
    """

    values: AttributeMap


def plain(**values: object) -> Row:
    """A row of plain values. None is nothing."""
    return Row({name: _attribute(value) for name, value in values.items()})


def _attribute(value: object) -> AttributeValue:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    return {"S": str(value)}


class Printer:
    """Prints rows as they come, which JSON and CSV need not wait for.

    Args:
        output: The format.
        columns: The columns, in their order; what a row lacks is left empty.
    """

    def __init__(self, output: Format, columns: Sequence[str]) -> None:
        self._output = output
        self._columns = columns
        self._rows: list[Row] = []
        self._count = 0
        self._csv = csv.writer(sys.stdout, lineterminator="\n")

    def __enter__(self) -> Printer:
        if self._output == "csv":
            self._csv.writerow(self._columns)
        return self

    def add(self, rows: Iterable[Row]) -> None:
        """Print rows, or keep them for a table."""
        for row in rows:
            if self._output == "table":
                self._rows.append(row)
            elif self._output == "csv":
                self._csv.writerow([cell(row.values.get(name)) for name in self._columns])
            else:
                sys.stdout.write(",\n " if self._count else "[")
                sys.stdout.write(_json(row, typed=self._output == "dynamodb-json"))
            self._count += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._output == "table":
            if self._rows:
                print_table(self._columns, self._rows)
        elif self._output != "csv" and (self._count or kind is None):
            # Also after an error: what was printed is JSON to its end.
            sys.stdout.write("]\n" if self._count else "[]\n")


def print_rows(output: Format, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print some rows."""
    with Printer(output, columns) as printer:
        printer.add(rows)


def print_json(document: object) -> None:
    """Print a document that is not rows."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print a table, as wide as it is where no person reads it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _NO_WIDTH, highlight=False)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        header_style="bold" if terminal else "",
    )
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        # As text, because brackets in what is stored are not markup.
        table.add_row(*(Text(printable(cell(row.values.get(name)))) for name in columns))
    # Not printed by the console itself, which would end the program where a pipe has ended.
    with console.capture() as printed:
        console.print(table)
    sys.stdout.writelines(printed.get().splitlines(keepends=True))


def printable(text: str) -> str:
    """Text without what would move the cursor of a terminal, or break a line."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def cell(value: AttributeValue | None) -> str:
    """A value in one cell: text as it is, nothing for NULL, JSON for what is composed."""
    if value is None or "NULL" in value:
        return ""
    ((tag, payload),) = value.items()
    return str(payload) if tag in ("S", "N") else plain_json(value).strip('"')


def _json(row: Row, *, typed: bool) -> str:
    if typed:
        return dynamodb_json(row.values)
    return plain_json({"M": row.values})
