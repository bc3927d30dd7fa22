"""Files as a job's source: a file, or a part of a large one, is a segment.

A position is the number of records that are done, and in files that can be read from any place on also the
bytes. A file that cannot is read on by the process that has read it so far, as long as that is the one that
is asked; another process reads it from its beginning and passes over what is done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from dynattrs.errors import ModelError
from dynattrs.jobs.files.columns import Columns, as_new, without_made
from dynattrs.jobs.files.dynamodb_json import BadRow, Row, read_lines
from dynattrs.jobs.files.errors import BadLine, FilesError
from dynattrs.jobs.files.formats import GZIP, Opened, ready
from dynattrs.jobs.files.inputs import Input, Inputs, same_inputs
from dynattrs.jobs.files.places import LocalFolder
from dynattrs.jobs.files.s3_options import S3Options
from dynattrs.jobs.which_items import items_of
from dynattrs.jobs.work import Failure, Limits, Models, SourcePage
from dynattrs.keys.discriminator import subclasses
from dynattrs.mapper.size import item_size
from dynattrs.schema.item_models import declared_model_of
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, Table
from dynattrs.session.session import Session

_OWNER: Final = "import_()"
#: The most items of a page, four requests of a BatchWriteItem.
_MOST_ITEMS: Final = 100
#: A page holds no more bytes of items than that, unless one item has them.
_MOST_BYTES: Final = 1024 * 1024


@attrs.frozen
class FilePage(SourcePage):
    """A page of a file.

    Attributes:
        deletes: The primary keys of items that are to be deleted.
        places: Where each item was, and each key of one that is to be deleted, for failures.
        lacks_guards: Whether the items come without the guards of unique values.
    """

    deletes: Sequence[AttributeMap] = ()
    places: Sequence[str] = ()
    lacks_guards: bool = False


@attrs.frozen
class Files:
    """The files of an import.

    Attributes:
        what: What the caller has named.
        format: The format's name, where names do not say it.
        s3: How S3 is reached.
        digest: Says which files they were when the job began.
        models: The models or tables.
    """

    what: tuple[str, ...]
    format: str | None
    s3: S3Options
    digest: str
    models: Models

    @property
    def inputs(self) -> Inputs:
        return same_inputs(self.what, self.format, self.s3, self.digest)

    def segments(self, session: Session, wanted: int) -> int:
        return max(1, len(self.inputs.parts))

    def check(self) -> None:
        """Find out whether all files can be read by the models.

        Raises:
            ModelError: Nothing says which model a file is of.
            MissingExtra: pyarrow is not installed.
        """
        for name in sorted({each.format.name for each in self.inputs.parts}):
            ready(name)
        for each in self.inputs.parts:
            _Kinds(self.models, each).columns()

    def pages(
        self, session: Session, segment: int, of: int, position: str | None, limits: Limits
    ) -> Iterator[SourcePage]:
        inputs = self.inputs
        if not inputs.parts:
            yield FilePage((), None, 0.0, 0)
            return
        file = inputs.parts[segment]
        reader = _take(self, segment, file, position)
        left = limits.items
        while True:
            page_items = limits.page_size(left) or _MOST_ITEMS
            page = reader.page(max(1, min(page_items, _MOST_ITEMS)))
            left -= page.scanned
            if page.position is None:
                reader.close()
                yield page
                return
            try:
                yield page
            except GeneratorExit:
                # The slice is full; the next one may come to this process.
                _keep(self, segment, page.position, reader)
                raise
            if left <= 0:
                _keep(self, segment, page.position, reader)
                return


# --- One file ------------------------------------------------------------------------------------


class _Reader:
    """Reads a file, or a part, page by page."""

    def __init__(self, models: Models, file: Input, position: str | None) -> None:
        self.file = file
        said: dict[str, Any] = {} if position is None else json.loads(position)
        self.done: int = said.get("records", 0)
        self._line: int | None = said.get("line", 0 if file.start == 0 else None)
        self.at: int = said.get("at", file.start)
        self._kinds = _Kinds(models, file)
        self._closing = contextlib.ExitStack()
        self._ahead: Row | BadRow | None = None
        self._rows = self._begin()

    @property
    def _by_bytes(self) -> bool:
        return self.file.format.name == "jsonl" and not self.file.name.endswith(GZIP)

    def _begin(self) -> Iterator[Row | BadRow]:
        file = self.file
        problem = None if self.done else _damage(file)
        if problem is not None:
            return iter([BadRow(1, problem)])
        if not self._by_bytes:
            source = self._closing.enter_context(file.place.open(file.name))
            opened = Opened(file.name, file.format, self._kinds.columns(), self._kinds.plain)
            rows = self._closing.enter_context(contextlib.closing(opened.rows(source)))
            for _ in range(self.done):
                if next(rows, None) is None:
                    raise FilesError(
                        file.text, "it is shorter than it was", "put back what was there"
                    )
            return rows
        # A part begins behind the line that begins before it.
        start = self.at
        skips = start == file.start and start > 0
        source = self._closing.enter_context(
            file.place.open(file.name, start - 1 if skips else start)
        )
        if skips:
            start += len(source.readline()) - 1
        return read_lines(
            source, self._kinds.plain, first=(self._line or 0) + 1, start=start, until=file.until
        )

    def close(self) -> None:
        self._closing.close()

    def page(self, most: int) -> FilePage:
        """The next records, at most so many. Those that cannot be read count."""
        items: list[AttributeMap] = []
        deletes: list[AttributeMap] = []
        places: list[str] = []
        of_deletes: list[str] = []
        failures: list[Failure] = []
        count = size = 0
        lacks = not self.file.guards
        row: Row | BadRow | None = None
        while count < most and size < _MOST_BYTES:
            row, self._ahead = self._ahead or next(self._rows, None), None
            if row is None:
                break
            count += 1
            where = self._where(row)
            if row.end is not None:
                self.at = row.end
            if isinstance(row, BadRow):
                model = row.problem.model
                failures.append(Failure(row.problem.what, None, model, where))
                continue
            if row.item is None:
                assert row.key is not None
                deletes.append(row.key)
                of_deletes.append(where)
                continue
            items.append(row.item)
            places.append(where)
            lacks = lacks or row.model is not None
            with contextlib.suppress(Exception):  # the service judges its size, too
                size += item_size(row.item)
        self.done += count
        if self._line is not None and row is not None:
            self._line = row.number
        if row is not None:
            self._ahead = next(self._rows, None)
        over = self._ahead is None
        if over:
            self.close()
        said = {"records": self.done}
        if self._by_bytes:
            said["at"] = self.at
            if self._line is not None:
                said["line"] = self._line
        return FilePage(
            items,
            None if over else json.dumps(said),
            0.0,
            count,
            failures,
            deletes,
            [*places, *of_deletes],
            lacks,
        )

    def _where(self, row: Row | BadRow) -> str:
        if self._by_bytes and self._line is None:
            return f"{self.file.text}:byte {self.at}"
        return f"{self.file.text}:{row.number}"


def _damage(file: Input) -> BadLine | None:
    """What is wrong with a file of this machine that a manifest names. S3 sees to its objects itself."""
    kind, _, digest = (file.checksum or "").partition(":")
    whole = file.start == 0 and file.until is None
    if kind not in ("md5", "sha256") or not whole or not isinstance(file.place, LocalFolder):
        return None
    found = hashlib.new(kind, usedforsecurity=False)
    with file.place.open(file.name) as content:
        while chunk := content.read(1 << 20):
            found.update(chunk)
    if found.hexdigest() == digest:
        return None
    return BadLine(
        f"expected a file with the checksum that its manifest says, {file.checksum}, found "
        f"{kind}:{found.hexdigest()}; fetch the file again. Nothing of it was imported"
    )


# --- Which models ---------------------------------------------------------------------------------


class _Kinds:
    """The models of a file's items."""

    def __init__(self, models: Models, file: Input) -> None:
        [items] = items_of(models, _OWNER)
        self._table: Table = items.table
        self._infos = items.infos
        self._file = file

    def columns(self) -> Columns | None:
        """The columns of a file that holds items of one model.

        Raises:
            ModelError: Nothing says which model they are of.
        """
        if not self._file.format.by_model:
            return None
        return Columns(self._one().cls)

    def _one(self) -> ModelInfo:
        file, infos = self._file, self._infos
        # A model stands for its subclasses as well, which have files of their own.
        every = [*dict.fromkeys([*infos, *(sub for each in infos for sub in subclasses(each))])]
        name = file.model
        if name is None and len(every) > 1:
            # As our own names are: "…-Person.csv", or just "Person.csv".
            stem = file.name.rpartition("/")[2].partition(".")[0]
            stem = stem.rpartition("-")[2]
            name = next((each.name for each in every if each.name == stem), None)
        found = [each for each in (infos if name is None else every) if name in (None, each.name)]
        if len(found) != 1:
            known = ", ".join(each.name for each in every)
            problem = "its name does not say which model its rows are"
            if name is not None:
                problem = (
                    f"it says that its rows are of {name!r}, which is not one model of this job"
                )
            raise ModelError(
                _OWNER,
                f"{file.text}: {problem} (the job's models: {known}); name the file after the model of its "
                f"rows, as in {every[0].name}{file.format.suffix}, or import it with a job of that model "
                f"alone",
            )
        return found[0]

    def plain(self, text: str | bytes) -> tuple[AttributeMap, ModelInfo]:
        """An item in plain JSON."""
        info = self._infos[0] if len(self._infos) == 1 else self._told(text)
        obj = info.mapper.from_json(text, info.cls)
        as_new(obj, info)
        item = info.mapper.dump(obj)
        return (without_made(info, item, json.loads(text)) if info.moves else item), info

    def _told(self, text: str | bytes) -> ModelInfo:
        """The model that the key in plain JSON tells, or the kind."""
        said = json.loads(text)
        table = self._table
        names = (*table.key, *((table.discriminator,) if table.discriminator else ()))
        key: AttributeMap = {
            name: {table.type_of(name) if name in table.key else "S": str(said[name])}
            for name in names
            if name in said
        }
        found = None
        if key:
            found = declared_model_of(table, key, self._infos)
        if found is None or not any(issubclass(found.cls, each.cls) for each in self._infos):
            known = " or ".join(each.name for each in self._infos)
            raise BadLine(
                f"expected an item of {known}, and neither its key nor its kind tells which; import the "
                f"items of each model by a job of their own, or write DynamoDB JSON"
            )
        return found


# --- Files that are read on -----------------------------------------------------------------------

_open: Final[OrderedDict[Any, _Reader]] = OrderedDict()
_lock: Final = threading.Lock()
#: So many files stay open in a process for slices that may come.
_MOST_OPEN: Final = 16


def _take(source: Files, segment: int, file: Input, position: str | None) -> _Reader:
    if position is not None:
        with _lock:
            found = _open.pop((source.digest, segment, position), None)
        if found is not None:
            return found
    return _Reader(source.models, file, position)


def _keep(source: Files, segment: int, position: str, reader: _Reader) -> None:
    with _lock:
        _open[source.digest, segment, position] = reader
        gone = _too_many()
    for each in gone:
        each.close()


def _too_many() -> list[_Reader]:
    """Those that were opened first, taken out."""
    gone: list[_Reader] = []
    while len(_open) > _MOST_OPEN:
        gone.append(_open.popitem(last=False)[1])
    return gone
