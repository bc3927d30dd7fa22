"""`Job.apply`: a function of the program changes items, each by one conditional write.

What it makes of an object is written as an edit is: one UpdateItem with what differs, under the condition
that the version, or else every changed attribute, is as it was read. So other writers lose nothing: where
one was faster, the item is read again and the function called again.
"""

from __future__ import annotations

import contextlib
import inspect
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from dynattrs.errors import (
    AlreadyTaken,
    ConditionError,
    ConditionFailed,
    InvalidRequest,
    MappingError,
    ModelError,
    NoSuchItem,
    OutcomeUnknown,
)
from dynattrs.expressions.conditions import Condition
from dynattrs.jobs import stopping
from dynattrs.jobs.errors import FunctionFailed
from dynattrs.jobs.failed_items import failure_of
from dynattrs.jobs.importable import importable_name, imported
from dynattrs.jobs.stated import condition_of, stated
from dynattrs.jobs.table_scans import TableScan
from dynattrs.jobs.which_items import OfTable, check_where, items_of
from dynattrs.jobs.work import (
    MOST_FAILURES,
    At,
    Delete,
    Failure,
    FileEntry,
    JobRecord,
    Models,
    Outcome,
    SourcePage,
)
from dynattrs.keys.kinds import is_other
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.equality import same
from dynattrs.mapper.upgrades import is_outdated
from dynattrs.operations.conditions import joined, version_is
from dynattrs.operations.flows import Flow, Start, Task, Wait
from dynattrs.operations.item_keys import key_in, plain_key
from dynattrs.operations.refusals import Outdated
from dynattrs.operations.writing import edits, migration
from dynattrs.operations.writing.as_read import dumped
from dynattrs.operations.writing.unique_items import stored_item, unchanged, wholly
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.operations.context import Core
    from dynattrs.session.session import Measure, Session

#: So many objects of a step are compared with what they were, where the function has given None.
_LOOKED_AT: Final = 20
#: What says that an item is not as it was read.
_CONFLICTS: Final = (ConditionFailed, NoSuchItem, Outdated, OutcomeUnknown)
#: What says that an item can never be written so.
_REFUSALS: Final = (AlreadyTaken, InvalidRequest, MappingError)


@attrs.frozen
class Applying:
    """The work of `apply`.

    Attributes:
        models: The job's.
        function: The function's importable name.
        where: The condition, described; None for none.
        tries: How often an item is tried that others change meanwhile.
        on_error: What becomes of an item for which the function fails.
    """

    models: Models
    function: str
    where: Mapping[str, Any] | None
    tries: int
    on_error: str
    verb = "apply"

    @classmethod
    def of(
        cls,
        models: Models,
        function: Callable[[Any], object],
        where: object,
        tries: object,
        on_error: object,
    ) -> Applying:
        """The work of the verb's arguments.

        Raises:
            ModelError: One of them is none that can be.
        """
        if not callable(function):
            raise ModelError("apply(...)", f"{function!r}: a function is expected")
        name = importable_name(function, "apply(...)")
        if inspect.iscoroutinefunction(function):
            raise ModelError("apply(...)", f"{name} is async, and a plain function is expected")
        if type(tries) is not int or tries < 1:
            raise ModelError("apply(...)", f"tries={tries!r}: a positive int is expected")
        if on_error not in ("raise", "skip"):
            raise ModelError("apply(...)", f"on_error={on_error!r}: write 'raise' or 'skip'")
        check_where(where, items_of(models, "apply", where))
        return cls(models, name, stated(where, "apply(where=...)"), tries, str(on_error))

    @classmethod
    def described(cls, description: Mapping[str, Any], models: Models) -> Applying:
        return cls(models, **description)

    def describe(self) -> dict[str, Any]:
        return {
            "function": self.function,
            "where": self.where,
            "tries": self.tries,
            "on_error": self.on_error,
        }

    def source(self) -> TableScan:
        # Consistently: a condition that is false then is false because another program has changed the item.
        tables = items_of(self.models, "apply", self.where)
        return TableScan(tables, condition_of(self.where), consistent=True)

    def check(self, session: Session) -> None:
        for table in self.source().tables:
            for info in table.infos:
                info.mapper.model_codec(info.cls)  # what is wrong with a model is said at once

    def begin(self, session: Session, at: At) -> ApplyingStep:
        source = self.source()
        function = imported(self.function, "apply(...)")
        return ApplyingStep(
            self, function, source.where, source.table_of(at.segment, at.of), session
        )

    def finish(self, session: Session, record: JobRecord, files: Iterable[FileEntry]) -> None:
        """There is nothing left to do."""


@attrs.define(eq=False)
class _Item:
    """An item, while it is worked on.

    Attributes:
        info: Its model.
        stored: The item as it was read.
        tries: How often it was tried.
        done: What was done with it; None where it was not as it was read. (Light tasks have no result.)
        refused: Why it cannot be written so, a unique value that is taken; None where it can.
    """

    info: ModelInfo
    stored: AttributeMap
    tries: int = 0
    done: str | None = None
    refused: Exception | None = None


class ApplyingStep:
    """A step of it."""

    def __init__(
        self,
        work: Applying,
        function: Callable[[Any], object],
        where: Condition | None,
        table: OfTable,
        session: Session,
    ) -> None:
        self._work, self._function, self._where, self._table = work, function, where, table
        self._session = session
        self._core = session._core
        self._counts: Counter[str] = Counter()
        self._failures: list[Failure] = []
        self._looked_at = 0
        self._read_units = 0.0

    def page(self, page: SourcePage) -> float:
        with self._session.measure() as cost:
            self._core = cost._core
            cost._drive(self._each(cost, page.items))
        self._read_units += cost.read_units
        return cost.write_units

    def end(self) -> Outcome:
        counts = {name: count for name, count in sorted(self._counts.items()) if count}
        return Outcome(counts, failures=self._failures, read_units=self._read_units)

    def abandon(self) -> None:
        """What was changed stays: the function does nothing with it the second time."""

    def _each(self, cost: Measure, items: Iterable[AttributeMap]) -> Flow[None]:
        """Change some items, some writes at once; the function is called by one thread."""
        under_way: deque[tuple[Task, _Item]] = deque()
        try:
            for stored in items:
                stopping.check()  # the function may take long
                info = self._table.kind_of(stored)
                if not isinstance(info, ModelInfo):
                    continue  # a guard, or an item that no model knows
                item = _Item(info, native_map(stored))
                write = yield from self._considered(cost, item)
                if write is None:
                    continue
                while len(under_way) >= self._core.concurrency:
                    yield from self._one_ends(cost, under_way)
                task = yield Start(write, light=True)
                under_way.append((task, item))
            while under_way:
                yield from self._one_ends(cost, under_way)
        finally:
            for task, _ in under_way:
                task.cancel()

    def _one_ends(self, cost: Measure, under_way: deque[tuple[Task, _Item]]) -> Flow[None]:
        task, item = under_way.popleft()
        yield Wait(task)
        while item.done is None:
            if item.refused is not None:
                self._refuse(item, item.refused)
                return
            again = yield from self._read_again(item)
            write = None if again is None else (yield from self._considered(cost, again))
            if again is None or write is None:
                return
            item = again
            yield from write
        self._counts[item.done] += 1

    def _considered(self, cost: Measure, item: _Item) -> Flow[Flow[None] | None]:
        """What writes what the function makes of an item; None where there is nothing to write."""
        info = item.info
        try:
            read = info.mapper.load(item.stored, info.cls)
            own = item.info = model_info(type(read))
            if is_outdated(own, item.stored):
                # What a newer program writes must not get into an older item.
                yield from migration.renew(self._core, own, item.stored)
                again = yield from stored_item(self._core, own, key_in(own, item.stored))
                if again is None or is_other(own, again):
                    self._counts["gone"] += 1
                    return None
                item.stored = native_map(again)
                read = own.mapper.load(item.stored, own.cls)
        except (AlreadyTaken, ConditionFailed, MappingError) as error:
            self._fail(item, error)
            return None
        try:
            return self._made(cost, item, self._core.loaded(own, read))
        except Exception as error:
            self._refuse(item, error)
            return None

    def _refuse(self, item: _Item, error: Exception) -> None:
        """Report an item for which the function fails, or makes what cannot be stored.

        Raises:
            FunctionFailed: It is not to be skipped.
        """
        if self._work.on_error == "skip":
            self._fail(item, error)
            return
        own = item.info
        key = plain_key(own, key_in(own, item.stored))
        raise FunctionFailed(
            f"{self._work.function} for {own.name} {key}: {type(error).__name__}: {error}"
        ) from error

    def _made(self, cost: Measure, item: _Item, obj: Any) -> Flow[None] | None:
        own = item.info
        held = edits.holders(own, obj)
        result = _result(own, self._function, obj)
        if result is None:
            self._check_unchanged(item, obj)
            self._counts["unchanged"] += 1
            return None
        if result is Delete:
            return self._deleted(cost, item, obj)
        old = self._core.loaded(own, own.mapper.load(item.stored, own.cls))
        edited = edits.ended(self._core, edits.between(old, result, held=held, also=self._where))
        if edited is None:
            self._counts["unchanged"] += 1
            return None
        return self._written(item, edited)

    def _check_unchanged(self, item: _Item, obj: Any) -> None:
        """Refuse a function that changes an object and says nothing: now and then, since it takes a while."""
        if self._looked_at >= _LOOKED_AT:
            return
        self._looked_at += 1
        own = item.info
        old = self._core.loaded(own, own.mapper.load(item.stored, own.cls))
        _check_same(own, old, obj)

    def _written(self, item: _Item, edited: edits.Edited) -> Flow[None]:
        try:
            yield from edits.send(self._core, edited)
            item.done = "changed"
        except _REFUSALS as error:
            item.refused = error
        except _CONFLICTS:
            pass

    def _deleted(self, cost: Measure, item: _Item, obj: Any) -> Flow[None]:
        own = item.info
        version = version_is(own, obj)
        as_read = unchanged(own, item.stored, wholly(own, item.stored))
        asked = joined(as_read if version is None else version, self._where)
        key = key_in(own, item.stored)
        with contextlib.suppress(*_CONFLICTS):
            yield from cost._delete_one(own, own.cls, key, version, asked, returning=False)
            item.done = "deleted"

    def _read_again(self, item: _Item) -> Flow[_Item | None]:
        """The item as it is after a conflict; None where there is nothing more to do with it."""
        own = item.info
        stored = yield from stored_item(self._core, own, key_in(own, item.stored))
        if stored is None or is_other(own, stored):
            self._counts["gone"] += 1
            return None
        if self._where is not None and same(native_map(stored), item.stored):
            self._counts["unchanged"] += 1  # it does not satisfy the condition any more
            return None
        again = _Item(own, native_map(stored), item.tries + 1)
        if again.tries >= self._work.tries:
            error = ConditionError(
                f"other programs changed it during each of {again.tries} tries; give apply() more tries=, or "
                f"begin another job when they write less"
            )
            self._fail(again, error)
            return None
        return again

    def _fail(self, item: _Item, error: BaseException) -> None:
        self._counts["failed"] += 1
        if len(self._failures) < MOST_FAILURES:
            self._failures.append(failure_of(error, self._table.table, item.stored, item.info))


def what_it_makes(
    core: Core, function: Callable[[Any], object], obj: Any
) -> AttributeMap | type[Delete] | None:
    """The item that `apply` would write for an object, `Delete`, or None for nothing; it writes nothing.

    Raises:
        Exception: The function fails, or makes what cannot be written, as in a job.
    """
    own = model_info(type(obj))
    old = core.loaded(own, own.mapper.load(dumped(own, obj), own.cls))
    held = edits.holders(own, obj)
    result = _result(own, function, obj)
    if result is None:
        _check_same(own, old, obj)
        return None
    if result is Delete:
        return Delete
    edited = edits.ended(core, edits.between(old, result, held=held))
    # Without the version and time stamps that the write sets itself.
    return None if edited is None else dumped(own, edited.edit.obj)


def _result(own: ModelInfo, function: Callable[[Any], object], obj: Any) -> Any:
    """What a function gives: a changed object, `Delete` or None.

    Raises:
        ConditionError: It gives anything else.
    """
    result = function(obj)
    if result is Delete or isinstance(result, Delete):
        return Delete
    if result is not None and type(result) is not type(obj):
        raise ConditionError(
            f"it returned {type(result).__name__} {result!r:.80}, and the changed {own.name}, None "
            f"or jobs.Delete is expected"
        )
    return result


def _check_same(own: ModelInfo, old: object, obj: object) -> None:
    """Refuse that a function has given None, but changed the object."""
    if dumped(own, old) != dumped(own, obj):
        raise ConditionError(
            f"it returned None, which means that nothing is to be done, but it has changed the "
            f"{own.name}; return the object"
        )
