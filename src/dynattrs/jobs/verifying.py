"""`Job.verify`: two tables compared, item by item.

Two passes: each item of the one is looked for in the other by its key, and then each of the other in the one,
for what the one has not. Both may be written to meanwhile, so what seems to differ is read again on both
sides, consistently, before it is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from dynattrs.errors import MappingError, ModelError
from dynattrs.jobs.differences import Kind, places_that_differ
from dynattrs.jobs.failed_items import plain_key
from dynattrs.jobs.items_by_key import items_by_key
from dynattrs.jobs.session_specs import SessionSpec, anew, session_of
from dynattrs.jobs.table_scans import TableScan
from dynattrs.jobs.two_tables import check_pairs
from dynattrs.jobs.which_items import OfTable, items_of
from dynattrs.jobs.work import (
    At,
    Failure,
    FileEntry,
    JobRecord,
    Limits,
    Models,
    Outcome,
    SourcePage,
)
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.equality import same
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.session.session import Session


@attrs.frozen
class Verifying:
    """The work of `verify`.

    Attributes:
        models: The job's.
        with_: Where the other table is.
    """

    models: Models
    with_: SessionSpec
    verb = "verify"

    @classmethod
    def of(cls, models: Models, with_: object) -> Verifying:
        """The work of the verb's arguments.

        Raises:
            ModelError: One is none that can be.
        """
        if not isinstance(with_, SessionSpec):
            raise ModelError("verify()", f"with_={with_!r}: a SessionSpec(...) is expected")
        items_of(models, "verify")
        anew(with_)
        return cls(models, with_)

    @classmethod
    def described(cls, description: Mapping[str, Any], models: Models) -> Verifying:
        return cls(models, SessionSpec.described(description["with"]))

    def describe(self) -> dict[str, Any]:
        return {"with": self.with_.describe()}

    def source(self) -> BothTables:
        return BothTables(TableScan(items_of(self.models, "verify")), self.with_)

    def check(self, session: Session) -> None:
        tables = [each.table for each in self.source().scan.tables]
        check_pairs(tables, session, session_of(self.with_), "verify(with_=...)", "compared with")

    def begin(self, session: Session, at: At) -> VerifyStep:
        return VerifyStep()

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        """There is nothing left to do."""


@attrs.frozen(kw_only=True)
class ComparedPage(SourcePage):
    """A page of one table, compared.

    Attributes:
        compared: How many of its items were.
        differences: What differs.
    """

    compared: int
    differences: Sequence[Failure]


class VerifyStep:
    """A step of it. Its pages come compared: what that costs is part of what they cost."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._differences: list[Failure] = []

    def page(self, page: SourcePage) -> float:
        assert isinstance(page, ComparedPage)
        self._counts["compared"] += page.compared
        self._counts.update(each.what for each in page.differences)
        self._differences += page.differences
        return 0.0

    def end(self) -> Outcome:
        return Outcome(dict(self._counts), failures=self._differences)

    def abandon(self) -> None:
        """Nothing was written."""


@attrs.frozen
class BothTables:
    """The pages of the one table, and then those of the other, as a source.

    Attributes:
        scan: What is read of each.
        other: The session of the other.
    """

    scan: TableScan
    other: SessionSpec

    def segments(self, session: Session, wanted: int) -> int:
        return 2 * self.scan.segments(session, wanted)

    def pages(
        self, session: Session, segment: int, of: int, position: str | None, limits: Limits
    ) -> Iterator[SourcePage]:
        half, there = of // 2, session_of(self.other)
        if segment < half:
            compare, read = _Comparing(session, there, here=True), session
        else:
            compare, read = _Comparing(there, session, here=False), there
            segment -= half
        table = self.scan.table_of(segment, half)
        for page in self.scan.pages(read, segment, half, position, limits):
            differences, units = compare.differences(table, page.items)
            yield ComparedPage(
                items=(),
                position=page.position,
                units=page.units + units,
                scanned=page.scanned,
                failures=page.failures,
                compared=len(page.items) if compare.here else 0,
                differences=differences,
            )


class _Comparing:
    """Compares items of one table with those that another one has under their keys.

    Args:
        own: The session of the table that they are from.
        other: The other one's.
        here: Whether they are from the job's table. Those of the other are only looked for.
    """

    def __init__(self, own: Session, other: Session, *, here: bool) -> None:
        self._own, self._other, self.here = own, other, here

    def differences(
        self, table: OfTable, items: Sequence[AttributeMap]
    ) -> tuple[list[Failure], float]:
        """What differs of some items, and the read units that finding it has cost."""
        keys = [_key(table, item) for item in items]
        wanted = None if self.here else frozenset(table.table.key)
        found, units = items_by_key(self._other, table, keys, wanted, what="verify()")
        unlike = [
            key
            for key, item, theirs in zip(keys, items, found, strict=True)
            if theirs is None or (self.here and not same(item, theirs))
        ]
        if not unlike:
            return [], units
        mine, more = items_by_key(self._own, table, unlike, consistent=True, what="verify()")
        theirs, further = items_by_key(self._other, table, unlike, consistent=True, what="verify()")
        told = [
            difference
            for pair in zip(unlike, mine, theirs, strict=True)
            if (difference := self._told(table, *pair)) is not None
        ]
        return told, units + more + further

    def _told(
        self,
        table: OfTable,
        key: AttributeMap,
        mine: AttributeMap | None,
        theirs: AttributeMap | None,
    ) -> Failure | None:
        """What is told of a key, after another look at both sides."""
        if mine is None or _is_not_meant(table, mine):
            return None  # it is the other pass's to tell of what is there only
        model = table.kind_of(mine)
        name = model.name if isinstance(model, ModelInfo) else None
        if theirs is None:
            kind: Kind = "only here" if self.here else "only there"
            return Failure(kind, plain_key(key), name)
        if not self.here or same(mine, theirs):
            return None
        return Failure("different", plain_key(key), name, places=places_that_differ(mine, theirs))


def _is_not_meant(table: OfTable, item: AttributeMap) -> bool:
    """Whether an item has become one that the job is not for."""
    try:
        return table.kind_of(item) is None
    except MappingError:
        return True


def _key(table: OfTable, item: AttributeMap) -> AttributeMap:
    return native_map({name: item[name] for name in table.table.key})
