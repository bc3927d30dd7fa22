"""`Job.count`: how many items there are of each model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from dynattrs.jobs.stated import condition_of, stated
from dynattrs.jobs.table_scans import TableScan
from dynattrs.jobs.which_items import Kept, OfTable, check_where, counted, items_of
from dynattrs.jobs.work import At, FileEntry, JobRecord, Models, Outcome, SourcePage
from dynattrs.schema.model_info import ModelInfo

if TYPE_CHECKING:
    from dynattrs.session.session import Session


@attrs.frozen
class Counting:
    """The work of `count`.

    Attributes:
        models: The job's.
        where: The condition, described; None for none.
    """

    models: Models
    where: Mapping[str, Any] | None
    verb = "count"

    @classmethod
    def of(cls, models: Models, where: object) -> Counting:
        """The work of the verb's arguments."""
        check_where(where, items_of(models, "count", where))
        return cls(models, stated(where, "count(where=...)"))

    @classmethod
    def described(cls, description: Mapping[str, Any], models: Models) -> Counting:
        return cls(models, description["where"])

    def describe(self) -> dict[str, Any]:
        return {"where": self.where}

    def source(self) -> TableScan:
        tables = items_of(self.models, "count", self.where)
        return TableScan(tables, condition_of(self.where), keys_only=True, alone=True)

    def check(self, session: Session) -> None:
        self.source()

    def begin(self, session: Session, at: At) -> CountingStep:
        return CountingStep(self.source().table_of(at.segment, at.of))

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        """There is nothing left to do."""


class CountingStep:
    """A step of it."""

    def __init__(self, table: OfTable) -> None:
        self._table = table
        self._found: Counter[ModelInfo | Kept] = Counter()

    def page(self, page: SourcePage) -> float:
        for item in page.items:
            kind = self._table.kind_of(item)
            if kind is not None:
                self._found[kind] += 1
        return 0.0

    def end(self) -> Outcome:
        return Outcome(counted(self._found))

    def abandon(self) -> None:
        """Nothing was written."""
