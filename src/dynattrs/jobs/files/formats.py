"""The formats of files by name, and by how the names of files end."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterable
from importlib import import_module
from typing import Any, BinaryIO, Final, Protocol, cast

import attrs

from dynattrs.errors import MissingExtra, ModelError
from dynattrs.jobs.files.columns import Columns
from dynattrs.jobs.files.csv_files import Cells, read_cells
from dynattrs.jobs.files.dynamodb_json import (
    Array,
    BadRow,
    Lines,
    ReadPlain,
    Row,
    read_array,
    read_lines,
)
from dynattrs.jobs.files.errors import BadLine, FilesError
from dynattrs.schema.table import AttributeMap

Write = Callable[[bytes], object]


class ItemWriter(Protocol):
    """Writes items in a format."""

    def items(self, items: Iterable[AttributeMap], /) -> list[Exception | None] | None:
        """Write items; for each what is wrong with it, or None; None where any item has its place."""
        ...

    def end(self) -> None: ...


@attrs.frozen
class Format:
    """A format.

    Attributes:
        name: Its name.
        suffix: How its files end, compression apart.
        by_model: Whether a file holds items of one model only, as the model reads them. Others hold any
            items as they are stored.
        compressed: Whether gzip around it is understood; parquet compresses inside.
    """

    name: str
    suffix: str
    by_model: bool = False
    compressed: bool = True


FORMATS: Final = {
    each.name: each
    for each in (
        Format("jsonl", ".jsonl"),
        Format("json", ".json"),
        Format("csv", ".csv", by_model=True),
        Format("parquet", ".parquet", by_model=True, compressed=False),
    )
}
_ENDS: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
GZIP: Final = ".gz"


def format_named(name: object) -> Format:
    """A format by its name.

    Raises:
        ModelError: There is none of that name.
    """
    found = FORMATS.get(name) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(map(repr, FORMATS))
        raise ModelError("Job", f"format={name!r}: expected one of {known}")
    return found


def format_of(name: str) -> Format | None:
    """The format of a file by its name; None where that says nothing."""
    plain = name.removesuffix(GZIP)
    return next((FORMATS[each] for end, each in _ENDS.items() if plain.endswith(end)), None)


def ready(name: str) -> None:
    """Find out whether a format can be written and read.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    if name == "parquet":
        _parquet()


def writer(format: Format, write: Write, columns: Columns | None) -> ItemWriter:
    """What writes items.

    Args:
        format: How.
        write: Takes the bytes.
        columns: The columns of the items' model, for formats of models.
    """
    if format.by_model:
        assert columns is not None
        if format.name == "parquet":
            made: ItemWriter = _parquet().RowGroups(write, columns)
            return made
        return Cells(write, columns)
    return Lines(write) if format.name == "jsonl" else Array(write)


@attrs.frozen
class Opened:
    """A file that is to be read.

    Attributes:
        name: Its name.
        format: Its format.
        columns: The columns of the items' model, for formats of models.
        plain: Reads plain JSON.
    """

    name: str
    format: Format
    columns: Columns | None
    plain: ReadPlain

    def rows(self, file: BinaryIO) -> Generator[Row | BadRow]:
        """Its rows. What goes wrong below the rows, such as a damaged compression, is a last bad one."""
        number = 0
        try:
            with contextlib.ExitStack() as closing:
                unpacked = closing.enter_context(self._unpacked(file))
                for row in closing.enter_context(contextlib.closing(self._rows(unpacked))):
                    yield row
                    number = row.number
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            problem = f"expected a whole file, compressed by gzip ({error}); fetch it again"
            yield BadRow(number + 1, BadLine(problem))

    @contextlib.contextmanager
    def _unpacked(self, file: BinaryIO) -> Generator[BinaryIO]:
        if self.format.name == "parquet":
            # Its table of contents is at its end, so it is read here and there.
            if file.seekable():
                yield file
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
                copy.seek(0)
                yield cast("BinaryIO", copy)
        elif self.name.endswith(GZIP):
            with gzip.open(file, "rb") as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield file

    def _rows(self, file: BinaryIO) -> Generator[Row | BadRow]:
        if self.format.by_model:
            assert self.columns is not None
            if self.format.name == "parquet":
                found: Generator[Row | BadRow] = _parquet().read_row_groups(file, self.columns)
                return found
            return read_cells(file, self.columns)
        if self.format.name == "jsonl":
            return read_lines(file, self.plain)
        return (
            read_array(file, self.plain) if not _has_lines(file) else read_lines(file, self.plain)
        )


def _parquet() -> Any:
    """The module of parquet files.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        return import_module("dynattrs.jobs.files.parquet_files")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pyarrow":
            raise
        raise MissingExtra("arrow", "pyarrow") from None


def _has_lines(file: BinaryIO) -> bool:
    """Whether a file that is called .json has an item a line, as the service's exports."""
    peek = getattr(file, "peek", None)
    if peek is None:
        return False
    first, _, second = bytes(peek(1 << 16)).lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    return (
        first.startswith(b"{")
        and first.rstrip().endswith(b"}")
        and second.lstrip().startswith(b"{")
    )


def check_file(format: Format, name: str) -> None:
    """Refuse a file that no format reads.

    Raises:
        FilesError: The file is compressed in a way that its format does not know.
    """
    if name.endswith(GZIP) and not format.compressed:
        raise FilesError(name, "parquet files are compressed inside", "unpack it")
