"""`Job.copy`: items into the tables of another session, exactly as they are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs

from dynattrs.errors import ModelError
from dynattrs.importable import importable_name, imported
from dynattrs.jobs.conditional_writes import Overwrite
from dynattrs.jobs.failed_items import RepeatedKey, failure_of, plain_key
from dynattrs.jobs.raw_writes import RawWrites, check_overwrite
from dynattrs.jobs.session_specs import SessionSpec, anew, session_of
from dynattrs.jobs.table_scans import TableScan
from dynattrs.jobs.two_tables import check_pairs
from dynattrs.jobs.which_items import OfTable, items_of
from dynattrs.jobs.work import At, Failure, FileEntry, JobRecord, Models, Outcome, SourcePage
from dynattrs.mapper.anything import native_map
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.session.session import Session

#: Makes another attribute map of an item's, or None for no item.
Transform: TypeAlias = "Callable[[AttributeMap], Mapping[str, Any] | None]"


@attrs.frozen
class Copying:
    """The work of `copy`.

    Attributes:
        models: The job's.
        to: Where the copies are written.
        overwrite: What becomes of an item that is there.
        transform: The name of the function that changes items on their way; None for none.
    """

    models: Models
    to: SessionSpec
    overwrite: Overwrite
    transform: str | None
    verb = "copy"

    @classmethod
    def of(cls, models: Models, to: object, overwrite: object, transform: object) -> Copying:
        """The work of the verb's arguments.

        Raises:
            ModelError: One is none that can be.
        """
        if not isinstance(to, SessionSpec):
            raise ModelError("copy()", f"to={to!r}: a SessionSpec(...) is expected")
        infos = [info for table in items_of(models, "copy") for info in table.infos]
        check_overwrite(overwrite, infos, "copy()")
        anew(to)
        name = None if transform is None else importable_name(transform, "copy(transform=...)")
        return cls(models, to, cast("Overwrite", overwrite), name)

    @classmethod
    def described(cls, description: Mapping[str, Any], models: Models) -> Copying:
        to = SessionSpec.described(description["to"])
        return cls(models, to, description["overwrite"], description["transform"])

    def describe(self) -> dict[str, Any]:
        return {
            "to": self.to.describe(),
            "overwrite": self.overwrite,
            "transform": self.transform,
        }

    def source(self) -> TableScan:
        # Reading costs little beside writing, and what was just written is to be copied as well.
        return TableScan(items_of(self.models, "copy"), consistent=True)

    def check(self, session: Session) -> None:
        tables = [each.table for each in self.source().tables]
        check_pairs(tables, session, session_of(self.to), "copy(to=...)", "copied onto")
        if self.transform is not None:
            imported(self.transform, "copy(transform=...)")

    def begin(self, session: Session, at: At) -> CopyStep:
        transform = self.transform
        function = None if transform is None else imported(transform, "copy(transform=...)")
        return CopyStep(
            self.source().table_of(at.segment, at.of), session_of(self.to), self.overwrite, function
        )

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        """There is nothing left to do."""


class CopyStep:
    """A step of it. What a page has is stored when the page is done, and may be stored twice."""

    def __init__(
        self, table: OfTable, target: Session, overwrite: Overwrite, transform: Transform | None
    ) -> None:
        self._table = table
        self._transform = transform
        self._writes = RawWrites(
            target, table.table, overwrite, guarded=transform is not None, owner="copy()"
        )
        self._counts: Counter[str] = Counter()
        self._failures: list[Failure] = []
        self._read_units = 0.0

    def page(self, page: SourcePage) -> float:
        items = [*page.items]
        given = items
        if self._transform is not None:
            given, items = self._transformed(items)
        done = self._writes.write(items)
        self._counts.update(done.counts)
        self._failures += [
            self._failure(error, given[place]) for place, error in sorted(done.failures.items())
        ]
        for place, later in sorted(done.replaced.items()):
            key = plain_key({name: items[later][name] for name in self._table.table.key})
            error = RepeatedKey(
                f"transform has made another item with the key {key}, which is stored"
            )
            self._failures.append(self._failure(error, given[place]))
        self._read_units += done.read_units
        return done.units

    def _transformed(
        self, items: list[AttributeMap]
    ) -> tuple[list[AttributeMap], list[AttributeMap]]:
        """Items as they are stored, and what becomes of them. Guards are made of what comes out."""
        assert self._transform is not None
        given, made = [], []
        for item in items:
            found: Any = item
            if GUARD_ATTRIBUTE not in item:
                try:
                    found = self._transform(native_map(item))
                except Exception as error:
                    self._failures.append(self._failure(error, item))
                    continue
                if found is None:
                    self._counts["left out"] += 1
                    continue
            given.append(item)
            made.append(found)
        return given, made

    def _failure(self, error: BaseException, item: AttributeMap) -> Failure:
        kind = self._table.kind_of(item)
        info = kind if isinstance(kind, ModelInfo) else None
        return failure_of(error, self._table.table, item, info)

    def end(self) -> Outcome:
        return Outcome(dict(self._counts), failures=self._failures, read_units=self._read_units)

    def abandon(self) -> None:
        """What was written is the copy of an item, and stays."""
