"""Imports: what files hold, written into a table.

Items in DynamoDB JSON are written as they are, guards of unique values included; what the models have read
comes without guards, and gets them. Files of an incremental export say what has become of items: these are
put, or deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from dynattrs.errors import MappingError, ModelError
from dynattrs.jobs.conditional_writes import Overwrite
from dynattrs.jobs.failed_items import RepeatedKey, failure_of
from dynattrs.jobs.files.inputs import find_inputs, texts_of
from dynattrs.jobs.files.reading import FilePage, Files
from dynattrs.jobs.files.s3_options import S3Options, options_of
from dynattrs.jobs.raw_writes import RawWrites, check_overwrite
from dynattrs.jobs.session_specs import SessionSpec
from dynattrs.jobs.which_items import OfTable, items_of
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
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.session.session import Session

_OWNER: Final = "import_()"
#: Items of models that the job is not for.
_OTHERS: Final = "left out"


@attrs.frozen
class Importing:
    """The work of `import_`.

    Attributes:
        models: The job's, of one table.
        files: What is read.
        overwrite: What becomes of items that are there.
    """

    models: Models
    files: Files
    overwrite: Overwrite
    verb = "import_"

    @classmethod
    def of(
        cls,
        models: Models,
        session: SessionSpec,
        what: object,
        *,
        format: str | None,
        overwrite: Overwrite,
        s3: object,
    ) -> Importing:
        """The work of the verb's arguments.

        Raises:
            FilesError: There is nothing to read, or not what a manifest says.
            ModelError: The format is unknown; or the models are of several tables.
        """
        tables = items_of(models, _OWNER)
        if len(tables) > 1:
            names = ", ".join(each.table.name for each in tables)
            raise ModelError(
                _OWNER,
                f"the models are of {len(tables)} tables ({names}); make a job for each of them",
            )
        check_overwrite(overwrite, tables[0].infos, _OWNER)
        texts, options = texts_of(what), options_of(s3, session)
        found = find_inputs(texts, format, options)
        return cls(models, Files(texts, format, options, found.digest, models), overwrite)

    @classmethod
    def described(cls, description: Mapping[str, Any], models: Models) -> Importing:
        files = Files(
            tuple(description["what"]),
            description["format"],
            S3Options(**description["s3"]),
            description["files"],
            models,
        )
        return cls(models, files, description["overwrite"])

    def describe(self) -> dict[str, JSON]:
        files = self.files
        return {
            "what": list(files.what),
            "format": files.format,
            "overwrite": self.overwrite,
            "s3": files.s3.describe(),
            "files": files.digest,
        }

    @property
    def table(self) -> OfTable:
        """The table, and the models."""
        return items_of(self.models, _OWNER)[0]

    def source(self) -> Files:
        return self.files

    def check(self, session: Session) -> None:
        inputs = self.files.inputs
        if inputs.kind == "incremental" and self.overwrite != "always":
            raise ModelError(
                _OWNER,
                f"overwrite={self.overwrite!r}: an incremental export holds changes, so stored items are "
                f"always replaced or deleted; leave overwrite out",
            )
        self.files.check()
        table = self.table.table
        if not session.tables.exists(table):
            name = session._core.table_name(table)
            raise ModelError(
                _OWNER,
                f"table {name!r} does not exist yet; create it with session.tables.create(...)",
            )

    def begin(self, session: Session, at: At) -> ImportStep:
        return ImportStep(self, session)

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        """There is nothing left to do."""


class ImportStep:
    """One step: pages of files that are written when they come."""

    def __init__(self, work: Importing, session: Session) -> None:
        self._items = work.table
        self._table = self._items.table
        self._writes = {
            guarded: RawWrites(session, self._table, work.overwrite, guarded=guarded, owner=_OWNER)
            for guarded in (False, True)
        }
        self._counts: dict[str, int] = {}
        self._read_units = 0.0
        self._failures: list[Failure] = []

    def page(self, page: SourcePage) -> float:
        found = cast("FilePage", page)
        places = iter(found.places)
        items = [*self._meant(found.items, places)]
        deletes = [*self._meant(found.deletes, places)]
        # Guards that may be of items that are left out are not written: those of the items are made.
        done = self._writes[found.lacks_guards or self._items.shares_guards].write(
            [item for item, _ in items], [key for key, _ in deletes]
        )
        for what, count in done.counts.items():
            self._counts[what] = self._counts.get(what, 0) + count
        given = [*items, *deletes]
        for place, error in done.failures.items():
            item, where = given[place]
            self._failures.append(failure_of(error, self._table, item, where=where))
        for place, later in done.replaced.items():
            item, where = given[place]
            error = RepeatedKey(f"{given[later][1]} has the same key, comes later, and is stored")
            self._failures.append(failure_of(error, self._table, item, where=where))
        self._read_units += done.read_units
        return done.units

    def _meant(
        self, items: Iterable[AttributeMap], places: Iterator[str]
    ) -> Iterator[tuple[AttributeMap, str]]:
        """Those that the job is for, with their places in files."""
        for item in items:
            where = next(places)
            try:
                kind = self._items.kind_of(item)
            except MappingError as error:
                self._failures.append(failure_of(error, self._table, item, where=where))
                continue
            if kind is None:
                self._counts[_OTHERS] = self._counts.get(_OTHERS, 0) + 1
            else:
                yield item, where

    def end(self) -> Outcome:
        return Outcome(self._counts, (), self._failures, self._read_units)

    def abandon(self) -> None:
        """What was written stays: written again it is the same."""
