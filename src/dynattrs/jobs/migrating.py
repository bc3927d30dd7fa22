"""`Job.migrate`: all items of some models brought to what the models would write today."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from dynattrs.errors import AlreadyTaken, ConditionFailed, MappingError, QueryError
from dynattrs.expressions.conditions import Condition
from dynattrs.jobs.failed_items import failure_of
from dynattrs.jobs.stated import condition_of, stated
from dynattrs.jobs.table_scans import TableScan
from dynattrs.jobs.which_items import OfTable, items_of
from dynattrs.jobs.work import At, Failure, FileEntry, JobRecord, Models, Outcome, SourcePage
from dynattrs.mapper.anything import native_map
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, Start, Task, Wait
from dynattrs.operations.writing import migration
from dynattrs.operations.writing.migrated_items import MigratedItems, migrated_items
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.session.session import Session


@attrs.frozen
class Migrating:
    """The work of `migrate`.

    Attributes:
        models: The job's.
        where: What only items of the model fulfil, described; None for nothing.
    """

    models: Models
    where: Mapping[str, Any] | None
    verb = "migrate"

    @classmethod
    def of(cls, models: Models, where: object) -> Migrating:
        """The work of the verb's arguments.

        Raises:
            QueryError: No model has anything to migrate; or *where* is given with several models; or nothing
                tells items of one from others, and *where* does not either.
        """
        tables = items_of(models, "migrate", where)
        infos = [info for table in tables for info in _outdated(table)]
        if not infos:
            names = ", ".join(info.name for table in tables for info in table.infos)
            raise QueryError(
                f"migrate: {names} have no upgrades, no renamed attributes, no unique fields and no index "
                f"keys made of fields, so all items are stored in their current form already"
            )
        if where is not None and len(infos) > 1:
            raise QueryError(
                "migrate(where=...) says which items are those of one model; make a job for each"
            )
        for info in infos:
            migrated_items(info, where)
        return cls(models, stated(where, "migrate(where=...)"))

    @classmethod
    def described(cls, description: Mapping[str, Any], models: Models) -> Migrating:
        return cls(models, description["where"])

    def describe(self) -> dict[str, Any]:
        return {"where": self.where}

    def source(self) -> TableScan:
        every = items_of(self.models, "migrate", self.where)
        tables = [each for each in every if _outdated(each)]
        asked: Condition | None = None
        if len(tables) == 1 and len(infos := _outdated(tables[0])) == 1:
            asked = self.items(infos[0]).asked()
        return TableScan(tables, asked, consistent=True, raw=True)

    def items(self, info: ModelInfo) -> MigratedItems:
        """The items of a model that are migrated."""
        return migrated_items(info, condition_of(self.where))

    def check(self, session: Session) -> None:
        for table in self.source().tables:
            for info in table.infos:
                info.mapper.model_codec(info.cls)  # what is wrong with a model is said at once

    def begin(self, session: Session, at: At) -> MigratingStep:
        table = self.source().table_of(at.segment, at.of)
        return MigratingStep(session, table, [self.items(info) for info in _outdated(table)])

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        """There is nothing left to do."""


def _outdated(table: OfTable) -> list[ModelInfo]:
    """The models of a table whose items may be stored otherwise than today."""
    found = [info for info in table.infos if migration.may_be_outdated(info)]
    # Those of subclasses are migrated with them.
    return [
        info
        for info in found
        if not any(info is not each and issubclass(info.cls, each.cls) for each in found)
    ]


class MigratingStep:
    """A step of it."""

    def __init__(self, session: Session, table: OfTable, items: Sequence[MigratedItems]) -> None:
        self._session, self._table, self._items = session, table, items
        self._counts: Counter[str] = Counter()
        self._failures: list[Failure] = []
        self._read_units = 0.0

    def page(self, page: SourcePage) -> float:
        with self._session.measure() as cost:
            cost._drive(self._each(cost._core, page.items))
        self._read_units += cost.read_units
        return cost.write_units

    def end(self) -> Outcome:
        return Outcome(
            dict(sorted(self._counts.items())),
            failures=self._failures,
            read_units=self._read_units,
        )

    def abandon(self) -> None:
        """What is up to date stays so."""

    def _each(self, core: Core, items: Iterable[AttributeMap]) -> Flow[None]:
        """Bring some items up to date, several at once."""
        under_way: deque[Task] = deque()
        try:
            for item in items:
                if len(under_way) >= core.concurrency:
                    yield from self._one_ends(under_way)
                under_way.append((yield Start(self._one(core, native_map(item)))))
            while under_way:
                yield from self._one_ends(under_way)
        finally:
            for task in under_way:
                task.cancel()

    def _one_ends(self, under_way: deque[Task]) -> Flow[None]:
        done: str | Failure = yield Wait(under_way.popleft())
        self._counts["failed" if isinstance(done, Failure) else done] += 1
        if isinstance(done, Failure):
            self._failures.append(done)

    def _one(self, core: Core, item: AttributeMap) -> Flow[str | Failure]:
        for items in self._items:
            try:
                changed = yield from migration.migrated(core, items, item)
            except (AlreadyTaken, ConditionFailed, MappingError) as error:
                return failure_of(error, self._table.table, item, items.info)
            if changed:
                return "rewritten"
        return "unchanged"
