"""Exports: what a table holds, written into files.

A step writes one file, or one for each model where the format is of models. Its name says which attempt has
written it, so that it is never another's. At the end a manifest names the files that count, and the others
of the same job are removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import attrs

from dynattrs.errors import ModelError
from dynattrs.jobs.failed_items import failure_of
from dynattrs.jobs.files.columns import Columns
from dynattrs.jobs.files.errors import FilesError
from dynattrs.jobs.files.formats import GZIP, ItemWriter, format_named, ready, writer
from dynattrs.jobs.files.manifests import SUFFIX, write_manifest
from dynattrs.jobs.files.named_places import place_of
from dynattrs.jobs.files.output import Compression, Output
from dynattrs.jobs.files.places import Place
from dynattrs.jobs.files.raw_items import raw_decoder
from dynattrs.jobs.files.s3_options import S3Options, options_of
from dynattrs.jobs.session_specs import SessionSpec
from dynattrs.jobs.stated import condition_of, stated
from dynattrs.jobs.table_scans import TableScan
from dynattrs.jobs.which_items import Kept, OfTable, check_where, items_of
from dynattrs.jobs.work import (
    JSON,
    At,
    Failure,
    FileEntry,
    JobRecord,
    Models,
    Outcome,
    SourcePage,
)
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.session.session import Session

_OWNER: Final = "export()"
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")


@attrs.frozen
class Exporting:
    """The work of `export`.

    Attributes:
        models: The job's, of one table.
        to: The folder.
        format: The format's name.
        compression: How files are compressed, for formats that do not compress by themselves.
        where: The condition, described; None for none.
        consistent: Whether reads are consistent.
        s3: How S3 is reached.
    """

    models: Models
    to: str
    format: str
    compression: Compression | None
    where: Mapping[str, Any] | None
    consistent: bool
    s3: S3Options
    verb = "export"

    @classmethod
    def of(
        cls,
        models: Models,
        session: SessionSpec,
        to: object,
        *,
        format: str,
        compression: Compression | None,
        where: object,
        consistent: bool,
        s3: object,
    ) -> Exporting:
        """The work of the verb's arguments.

        Raises:
            ModelError: The format or compression is unknown; or the models are of several tables.
            FilesError: *to* is no folder.
        """
        found = format_named(format)
        if compression not in ("gzip", None):
            raise ModelError(_OWNER, f"compression={compression!r}: 'gzip' or None is expected")
        if compression is not None and not found.compressed:
            raise ModelError(
                _OWNER,
                f"compression={compression!r}: parquet files are compressed inside; leave it out",
            )
        tables = items_of(models, _OWNER)
        if len(tables) > 1:
            names = ", ".join(each.table.name for each in tables)
            raise ModelError(
                _OWNER,
                f"the models are of {len(tables)} tables ({names}); make a job for each of them",
            )
        check_where(where, tables)
        place = place_of(to)  # a path, or an address
        options = options_of(s3, session)
        condition = stated(where, "export(where=...)")
        return cls(models, place.text, format, compression, condition, consistent, options)

    @classmethod
    def described(cls, description: Mapping[str, Any], models: Models) -> Exporting:
        said: dict[str, Any] = {**description, "s3": S3Options(**description["s3"])}
        return cls(models, **said)

    def describe(self) -> dict[str, JSON]:
        return {
            "to": self.to,
            "format": self.format,
            "compression": self.compression,
            "where": self.where,
            "consistent": self.consistent,
            "s3": self.s3.describe(),
        }

    @property
    def place(self) -> Place:
        return place_of(self.to, self.s3)

    @property
    def table(self) -> OfTable:
        """The items that it is for."""
        return items_of(self.models, _OWNER)[0]

    def source(self) -> TableScan:
        table = self.table
        # Items that become lines are not looked into.
        decode = None if format_named(self.format).by_model else raw_decoder(table.tells)
        return TableScan(
            [table], condition_of(self.where), self.consistent, decode=decode, alone=True
        )

    def check(self, session: Session) -> None:
        self.source()
        ready(self.format)
        self.place.check(writing=True)

    def begin(self, session: Session, at: At) -> ExportStep:
        return ExportStep(self, at)

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        place = self.place
        about: dict[str, JSON] = {
            "job": record.name,
            "run": record.run,
            "began": record.began,
            "format": self.format,
            "compression": self.compression,
            "tables": [session._core.table_name(self.table.table)],
            "models": list(record.models),
            # What a condition has left out are the guards as well.
            "guards": self.where is None,
        }
        beginning = _beginning(record.name, record.run)
        named: set[str] = set()

        def counted() -> Iterator[FileEntry]:
            for entry in files:
                named.add(entry.name)
                yield entry

        name = f"{beginning}{SUFFIX}"
        if not write_manifest(place, name, about, counted()):  # an earlier try has come so far
            named.update(each.name for each in files)
        # A step that was lost has left its file. So does one that goes on somewhere without its lease, until
        # its checkpoint is refused: then it removes its file by itself.
        for info in [*place.files(f"{beginning}-*")]:
            if info.name not in named:
                with suppress(FilesError):
                    place.delete(info.name)
        place.delete_partial(f"{beginning}-")
        place.delete_partial(name)  # of a process that was killed while it wrote the manifest


def _beginning(job: str, run: str) -> str:
    """How the names of a job's files begin."""
    return f"{_ODD.sub('_', job)[:80]}-{run}"


class ExportStep:
    """One step: the file that it writes, or one for each model."""

    def __init__(self, work: Exporting, at: At) -> None:
        self._compression: Compression | None = work.compression
        self._format = format_named(work.format)
        self._place = work.place
        place = f"{at.segment:05}-{at.step:06}-{at.fence}-{at.attempt}"
        self._name = f"{_beginning(at.job, at.run)}-{place}"
        self._files: dict[ModelInfo | None, _File] = {}
        self._failures: list[Failure] = []
        self._table = work.table
        self._left_out: dict[str, int] = {}

    def page(self, page: SourcePage) -> float:
        if not self._format.by_model:
            if page.items:
                self._file(None).items(page.items, self._fail)
            return 0.0
        by_model: dict[ModelInfo, list[AttributeMap]] = {}
        for item in page.items:
            kind = self._table.kind_of(item)
            if isinstance(kind, ModelInfo):
                by_model.setdefault(kind, []).append(item)
            elif isinstance(kind, Kept):
                self._left_out[kind.name] = self._left_out.get(kind.name, 0) + 1
        for info, items in by_model.items():
            self._file(info).items(items, self._fail)
        return 0.0

    def _fail(self, error: Exception, item: AttributeMap, info: ModelInfo | None) -> None:
        self._failures.append(failure_of(error, self._table.table, item, info))

    def _file(self, info: ModelInfo | None) -> _File:
        found = self._files.get(info)
        if found is None:
            own = "" if info is None else f"-{_ODD.sub('_', info.name)}"
            end = GZIP if self._compression == "gzip" else ""
            name = f"{self._name}{own}{self._format.suffix}{end}"
            output = Output(self._place, name, self._compression)
            columns = None if info is None else Columns(info.cls)
            try:
                made = writer(self._format, output.write, columns)
            except BaseException:
                output.abandon()
                raise
            found = self._files[info] = _File(output, made, info)
        return found

    def end(self) -> Outcome:
        found = [each.end() for each in self._files.values()]
        entries = [each for each in found if each is not None]
        counts = {"written": sum(each.items for each in entries)}
        for name, count in self._left_out.items():
            counts[f"{name} left out"] = count
        return Outcome(counts, entries, self._failures)

    def abandon(self) -> None:
        for each in self._files.values():
            with suppress(Exception):
                each.output.abandon()


@attrs.define
class _File:
    output: Output
    writer: ItemWriter
    info: ModelInfo | None
    count: int = 0

    def items(self, items: Sequence[AttributeMap], fail: Any) -> None:
        problems = self.writer.items(items)
        self.count += len(items)
        for item, problem in zip(items, problems or (), strict=False):
            if problem is not None:
                self.count -= 1
                fail(problem, item, self.info)

    def end(self) -> FileEntry | None:
        self.writer.end()
        if not self.count:
            self.output.abandon()
            return None
        checksum = self.output.end()
        model = None if self.info is None else self.info.name
        return FileEntry(self.output.name, self.count, self.output.bytes, checksum, model)
