"""`Job.delete`: items deleted, with the guards of their unique values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from dynattrs.errors import MappingError, ModelError
from dynattrs.expressions.conditions import Condition
from dynattrs.jobs.failed_items import failure_of
from dynattrs.jobs.stated import condition_of, stated
from dynattrs.jobs.table_scans import TableScan
from dynattrs.jobs.which_items import OfTable, check_where, items_of
from dynattrs.jobs.work import At, Failure, FileEntry, JobRecord, Models, Outcome, SourcePage
from dynattrs.keys.kinds import evolving
from dynattrs.mapper.upgrades import is_outdated
from dynattrs.operations.flows import Flow
from dynattrs.operations.reading.pages import RawPage
from dynattrs.operations.writing import batch, deletes
from dynattrs.operations.writing.buffer import Buffer
from dynattrs.operations.writing.found_deletes import check_deletes, gather_found
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.session.session import Measure, Session


@attrs.frozen
class Deleting:
    """The work of `delete`.

    Attributes:
        models: The job's.
        where: The condition, described; None where everything is deleted.
    """

    models: Models
    where: Mapping[str, Any] | None
    verb = "delete"

    @classmethod
    def of(cls, models: Models, where: object, everything: object) -> Deleting:
        """The work of the verb's arguments.

        Raises:
            ModelError: Neither of the two is given, or both are.
            QueryError: The condition would be answered otherwise for items of older schemas.
        """
        if everything not in (True, False) or (where is None) is not bool(everything):
            raise ModelError(
                "delete(...)",
                "state which items, where=..., or that all are meant, everything=True: one of the two",
            )
        tables = items_of(models, "delete", where)
        asked = check_where(where, tables)
        for table in tables:
            if old := evolving(table.infos):
                check_deletes([asked] if asked is not None else [], old)
        return cls(models, stated(where, "delete(where=...)"))

    @classmethod
    def described(cls, description: Mapping[str, Any], models: Models) -> Deleting:
        return cls(models, description["where"])

    def describe(self) -> dict[str, Any]:
        return {"where": self.where}

    def source(self) -> TableScan:
        tables = items_of(self.models, "delete", self.where)
        keys_only = not any(evolving(table.infos) for table in tables)
        return TableScan(tables, condition_of(self.where), consistent=True, keys_only=keys_only)

    def check(self, session: Session) -> None:
        self.source()

    def begin(self, session: Session, at: At) -> DeletingStep:
        source = self.source()
        return DeletingStep(session, source.table_of(at.segment, at.of), source.where)

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        """There is nothing left to do."""


class DeletingStep:
    """A step of it."""

    def __init__(self, session: Session, table: OfTable, where: Condition | None) -> None:
        self._session, self._table, self._where = session, table, where
        self._deleted = 0
        self._failures: list[Failure] = []
        self._read_units = 0.0

    def page(self, page: SourcePage) -> float:
        with self._session.measure() as cost:
            buffer = Buffer()
            gathering = self._gather(cost, buffer, page.items)
            self._deleted += cost._drive(batch.gathered(cost._core, buffer, gathering))
        self._read_units += cost.read_units
        return cost.write_units

    def end(self) -> Outcome:
        counts = {"deleted": self._deleted} if self._deleted else {}
        return Outcome(counts, failures=self._failures, read_units=self._read_units)

    def abandon(self) -> None:
        """What is deleted is deleted."""

    def _gather(self, cost: Measure, buffer: Buffer, items: Sequence[AttributeMap]) -> Flow[int]:
        table = self._table
        if table.whole and self._where is None:
            return (yield from self._gather_all(cost, buffer, items))
        by_model: dict[ModelInfo, list[AttributeMap]] = {}
        for item in items:
            # Guards go with their items; what no model knows, no condition on fields can mean.
            kind = table.kind_of(item)
            if isinstance(kind, ModelInfo) and self._is_known(kind, item):
                by_model.setdefault(kind, []).append(item)
        count = 0
        for info, own in by_model.items():
            pages = _OnePage(own)
            count += yield from gather_found(cost, (info,), pages, buffer, self._where)
        return count

    def _gather_all(
        self, cost: Measure, buffer: Buffer, items: Sequence[AttributeMap]
    ) -> Flow[int]:
        """Delete all that is in a table: guards are there as well, and need no transactions."""
        table = self._table.table
        name = cost._core.table_name(table)
        for item in items:
            key = {each: item[each] for each in table.key}
            yield from deletes.gather(cost._core, buffer, name, key, key, None)
        return len(items)

    def _is_known(self, info: ModelInfo, item: AttributeMap) -> bool:
        """Whether an item is not of a newer schema than its model, which cannot be told what it says."""
        try:
            is_outdated(info, item)
        except MappingError as error:
            self._failures.append(failure_of(error, self._table.table, item, info))
            return False
        return True


class _OnePage:
    """A page as the source of a query's."""

    def __init__(self, items: list[AttributeMap]) -> None:
        self._items: list[AttributeMap] | None = items

    def next(self) -> Flow[RawPage | None]:
        items, self._items = self._items, None
        if items is None:
            return None
        yield from ()
        return RawPage([*items], len(items), len(items), 0.0, None, [*items])

    def close(self) -> None:
        """Nothing is being fetched."""
