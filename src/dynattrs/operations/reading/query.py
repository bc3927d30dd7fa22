"""Queries and scans: immutable descriptions of a read, and the methods that run them.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
"""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import attrs

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.errors import DynattrsError, MappingError, MultipleItems, NoSuchItem, QueryError
from dynattrs.expressions.conditions import Condition, condition, models_of
from dynattrs.keys.discriminator import Sieve, subclasses
from dynattrs.keys.kinds import are_told_apart, concerns, keys_tell_subclasses
from dynattrs.keys.known_plans import plan
from dynattrs.keys.plans import Plan, Wanted
from dynattrs.operations.flows import Flow, verb, written_as
from dynattrs.operations.owner import Owner
from dynattrs.operations.reading import resuming
from dynattrs.operations.reading.batch_get import whole_items
from dynattrs.operations.reading.belonging import belonging, satisfying
from dynattrs.operations.reading.expiry import alive, time_to_live
from dynattrs.operations.reading.groups import Groups, models_of_one_table, of_another
from dynattrs.operations.reading.objects import MixedObjects, Objects
from dynattrs.operations.reading.pages import (
    Page,
    Pages,
    Rate,
    RawPage,
    Reading,
    Source,
    failing_again,
    pages_of,
    parameters,
    projection,
)
from dynattrs.operations.reading.projections import Keys, OnError, Reader, check_on_error
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import StoredItem
from dynattrs.tracebacks import hidden, shown_of

if TYPE_CHECKING:
    from dynattrs.operations.reading import segments, several
else:
    # Most queries take one request.
    several = deferred("dynattrs.operations.reading.several")
    segments = deferred("dynattrs.operations.reading.segments")

__tracebackhide__ = hidden

M_co = TypeVar("M_co", covariant=True)
Self = TypeVar("Self", bound="QueryVerbs[Any]")
Q = TypeVar("Q", bound="QueryVerbs[Any]")


@written_as("query")
@attrs.frozen(eq=False, repr=False)
class QueryVerbs(Generic[M_co]):
    """A query or scan. Every method returns a new query and leaves this one unchanged."""

    _handle: Owner
    _info: ModelInfo
    _operation: Literal["query", "scan"]
    _reader: Reader[M_co]
    _where: tuple[Condition, ...] = ()
    _filters: tuple[Condition, ...] = ()
    _using: str | None = None
    _reverse: bool = False
    _limit: int | None = None
    _page_size: int | None = None
    _consistent: bool = False
    _after: str | Mapping[str, Any] | None = None
    #: How many segments of a scan are read at once.
    _segments: int | None = None
    #: Which segment is read alone, and of how many.
    _segment: tuple[int, int] | None = None
    _rate: float | None = None
    _unexpired: bool = False
    _hydrate: bool = False
    _on_error: OnError = "raise"
    #: Further models, whose items are wanted as well.
    _others: tuple[ModelInfo, ...] = ()
    _fan_out: int = limits.FAN_OUT
    _merged: bool = False

    # --- Saying what is wanted ---

    def where(self: Self, *conditions: bool, fan_out: int | None = None) -> Self:
        """Keep only items for which all *conditions* are true. The planner uses them as key conditions if it
        can. `in_`, `|` and `!=` may become several, sent one after the other: at most *fan_out* (default
        25), not counting further pages.



        Raises:
            ConditionError: One is not a condition (`is None`, `in` and `not` are decided by Python),
            QueryError: One is about another model, or (when the query runs) *fan_out* is exceeded.
        """
        most = self._fan_out if fan_out is None else _positive("fan_out", fan_out)
        return self._with(_where=(*self._where, *self._checked(conditions)), _fan_out=most)

    def filter(self: Self, *conditions: bool) -> Self:
        """Keep only items for which all *conditions* are true, never as key conditions: the service reads
        the other items and leaves them out.
        """
        return self._with(_filters=(*self._filters, *self._checked(conditions)))

    def using(self: Self, index: str) -> Self:
        """Read this index and no other."""
        if not isinstance(index, str):
            raise QueryError(f"using({index!r}): the name of an index is expected")
        return self._with(_using=index)

    def reverse(self: Self) -> Self:
        """Return items in descending order of the sort key. A second call restores ascending order."""
        if self._operation == "scan":
            raise QueryError("a scan has no order to reverse; query a partition")
        return self._with(_reverse=not self._reverse)

    def merged(self: Self) -> Self:
        """Return items of several partitions in sort key order. Memory holds one page of each."""
        if self._operation == "scan":
            raise QueryError("a scan has no order to merge by; query partitions")
        return self._with(_merged=True)

    def limit(self: Self, count: int) -> Self:
        """Return at most *count* items, counted after the filter."""
        return self._with(_limit=_positive("limit", count))

    def page_size(self: Self, count: int) -> Self:
        """Read at most *count* items in one request, before the filter, and never more than 1 MB."""
        return self._with(_page_size=_positive("page_size", count))

    def consistent(self: Self) -> Self:
        """Read consistently: see every acknowledged write, at twice the cost. Not for global indexes."""
        return self._with(_consistent=True)

    def after(self: Self, cursor: str | Mapping[str, Any] | None) -> Self:
        """Continue where a page ended, in this process or another one. None starts at the beginning.

        A mapping is a raw key (another program's `last_evaluated_key`): an attribute map, or a dict of
        fields.
        """
        return self._with(_after=cursor)

    def parallel(self: Self, segments: int) -> Self:
        """Scan with several requests at once. Items come in the order in which they arrive.

        The cursors of its pages hold the positions of all segments; resume them with `parallel` of the same
        number. A cursor holds the keys of one item for every segment that has begun and has not ended.
        """
        self._check_scan("parallel", self._segment)
        return self._with(_segments=_segments("parallel({!r})", segments))

    def segment(self: Self, number: int, *, of: int) -> Self:
        """Scan only one of *of* segments of a table or index, numbered from 0 to *of* - 1.

        Each item is in exactly one segment, so several processes can share a scan. Resume a cursor with the
        same segment and the same *of*.
        """
        self._check_scan("segment", self._segments)
        _segments(f"segment({number!r}, of={{!r}})", of)
        if type(number) is not int or not 0 <= number < of:
            raise QueryError(f"segment({number!r}, of={of}): segments count from 0 to {of - 1}")
        return self._with(_segment=(number, of))

    def rate_limit(self: Self, units_per_second: float) -> Self:
        """Read at most this many capacity units a second, to leave the rest for other traffic."""
        number = isinstance(units_per_second, (int, float))
        if not (number and units_per_second > 0):
            raise QueryError(f"rate_limit({units_per_second!r}): a positive number is expected")
        return self._with(_rate=float(units_per_second))

    def unexpired(self: Self) -> Self:
        """Leave out expired items that the service has not removed yet."""
        time_to_live(self._info)
        return self._with(_unexpired=True)

    def hydrate(self: Self) -> Self:
        """Fetch whole items if the index does not hold all attributes: one BatchGetItem for 100 items."""
        return self._with(_hydrate=True)

    def on_error(self: Self, what: OnError, /) -> Self:
        """Say what to do with an item that cannot be read: `"raise"` its `MappingError`, `"skip"` it, or
        call a function with the error (which has `.key` and `.item`) and skip it.
        """
        return self._with(_on_error=check_on_error(what))

    def _with(self: Self, **changes: Any) -> Self:
        return self._made(type(self), changes)

    def _giving(self, kind: Callable[..., Q], reader: Reader[Any]) -> Q:
        """The same query of another *kind*, whose results the *reader* makes."""
        return self._made(kind, {"_reader": reader})

    def _made(self, kind: Callable[..., Q], changes: dict[str, Any]) -> Q:
        own: Any = type(self)
        places, values_of = _fields_of(own)
        values = [*values_of(self)]
        for name, value in changes.items():
            values[places[name]] = value
        return kind(*values)

    def _checked(self, conditions: tuple[object, ...]) -> tuple[Condition, ...]:
        checked = tuple(map(condition, conditions))
        for each in checked:
            for model in models_of(each):
                if not any(model is info.cls or concerns(info, model) for info in self._infos):
                    raise of_another(each, model, self._infos)
        return checked

    def _check_scan(self, method: str, other: object) -> None:
        if self._operation != "scan":
            raise QueryError(f"{method}() is for scans: a query reads one partition, in order")
        if other is not None:
            raise QueryError(
                "segment() reads one segment by itself; remove parallel() or segment()"
            )

    @property
    def _infos(self) -> tuple[ModelInfo, ...]:
        return (self._info, *self._others)

    @property
    def _names(self) -> str:
        return ", ".join(info.name for info in self._infos)

    def _only_model(self, method: str) -> ModelInfo:
        """The model of the query.

        Raises:
            QueryError: There are several.
        """
        if self._others:
            raise QueryError(f"{method} is for queries of one model; this one is of {self._names}")
        return self._info

    # --- What will be asked ---

    @property
    def _table(self) -> str:
        core, table = self._handle._core, self._info.table
        # Mostly no listener is told.
        return core.table_names[table.name] if core.declared is None else core.table_name(table)

    def _plan(self) -> Plan:
        filters = self._filters
        if self._unexpired:
            filters = (*filters, alive(self._handle._core, self._info))
        return plan(
            Wanted(
                self._info, self._where, filters, self._using, self._consistent,
                self._operation == "scan", self._reader.needs, self._hydrate, self._others,
                self._fan_out, self._merged,
            )
        )  # fmt: skip

    def explain(self, described: Mapping[str, Any] | None = None) -> str:
        """Explain the request without sending it: operation, index, key condition, filter, projection,
        parameters, cost, and the reasons.

        Args:
            described: The result of `session.tables.describe`. With it, the cost is estimated from the
                number of items and their average size, which the service updates every six hours.

        Raises:
            QueryError: The query cannot be sent as written; the subclass says why.
        """
        from dynattrs.operations.reading.explaining import explained

        return explained(self, described)

    def __str__(self) -> str:
        from dynattrs.operations.reading.written import written_query

        return written_query(self)

    def __repr__(self) -> str:
        return f"<{self}>"

    # --- The request ---

    @property
    def _told_apart(self) -> bool:
        """Whether there may be items of other models, which are left out."""
        info = self._info
        # Mostly a table has one model, and that no templates.
        alone = info.keys is None and info.table.members.declared < 2
        return not alone and are_told_apart(self._infos)

    def _reading(
        self, found: Plan, *, counting: bool = False, eager: bool = True, limit: int | None = None
    ) -> Reading:
        core, hydrate = self._handle._core, None
        nothing = found.operation == "nothing" or found.partitions
        known = found.operation == "batch_get"
        if found.partial or known:
            decode = None if counting else self._reader.decoder("Responses")
            needs = frozenset(projection(self, found)) or None if known else None
            model, consistent = self._info, self._consistent
            hydrate = functools.partial(whole_items, core, model, decode, consistent, needs=needs)
        skips = self._on_error != "raise" and not counting
        belongs = None
        if self._told_apart:
            belongs = belonging(self._reader, self._infos, self._on_error)
        if found.partial and found.again:
            belongs = satisfying(self._infos, found, belongs)
        return Reading(
            found,
            {} if nothing else parameters(self, found, counting=counting),
            core.environment,
            limit=self._limit if limit is None else limit,
            page_size=self._page_size,
            eager=eager,
            rate=None if self._rate is None else Rate(self._rate),
            hydrate=hydrate,
            accepts=self._tried if skips else None,
            decode=None if counting or found.partial else self._reader.decoder("Items"),
            belongs=belongs,
        )

    def _pages(
        self,
        found: Plan,
        *,
        counting: bool = False,
        eager: bool = True,
        limit: int | None = None,
        requests: int | None = None,
    ) -> Pages:
        """The pages of a plan; those of several requests, where it takes these, as one sequence.

        Args:
            found: The plan.
            counting: Whether only numbers are wanted.
            eager: Whether the next page may be fetched beside the caller.
            limit: The most items.
            requests: The most requests, where these are sent at once.
        """
        whole = self._reading(found, counting=counting, eager=eager, limit=limit)
        asks = found.operation != "nothing"
        if self._segments is not None and asks:
            left = resuming.segments_left(self, found)
            return segments.Segments(whole, self._segments, left, requests)
        start = resuming.start(self, found) if self._after is not None and asks else None
        if found.shards is None and not found.partitions:
            return pages_of(whole if start is None else attrs.evolve(whole, start=start[1]))
        return several.pages_of_several(self, found, whole, start, counting=counting)

    @property
    def _keys(self) -> Keys:
        several = self._others or keys_tell_subclasses(self._info)
        return Keys(self._info, Sieve(self._infos) if several else None)

    # --- Reading ---

    def _begin(self) -> Flow[None]:
        handle = self._handle
        # An open session, which gathers nothing, has nothing to say.
        if handle._closed is not None or handle._buffer is not None:
            handle._check_open()
            yield from handle._settle_table(self._table)

    def _read(self, items: Iterable[StoredItem]) -> tuple[M_co, ...]:
        """The results of some items, after the hooks."""
        if self._on_error == "raise":
            results = tuple(map(self._reader.reads(), items))
        else:
            results = tuple(result for item in items for result in self._tried(item))
        finish = self._finish()
        # What a hook raises does not make an item unreadable: `on_error` does not get it.
        return results if finish is None else tuple(map(finish, results))

    def _finish(self) -> Callable[[Any], Any] | None:
        """What the hooks make of an object; None where there are none."""
        if not isinstance(self._reader, (Objects, MixedObjects)):
            return None
        models = self._infos
        if self._told_apart:  # what was read may be of a subclass
            models = tuple(each for info in models for each in (info, *subclasses(info)))
        core = self._handle._core
        if not core.hooks.after_load and not any(info.after_load for info in models):
            return None
        return core.after_load_of(models) if self._others else core.after_load(self._info)

    def _tried(self, item: StoredItem) -> tuple[M_co, ...]:
        """What is read, or nothing if that cannot be read, which is then reported."""
        try:
            return (self._reader.reads()(item),)
        except MappingError as error:
            if callable(self._on_error):
                self._on_error(error)
            return ()

    # --- Ends ---

    @verb
    def all(self) -> Flow[list[M_co]]:
        """Return all items, in a list."""
        return (yield from self._all())

    @verb
    def group_by_type(self) -> Flow[Groups]:
        """Return all items by class: `groups[Order]` is a list, `groups.one(User)` the only user."""
        items = yield from self._all()
        return Groups([info.cls for info in self._infos], items)

    def _stream(self) -> Stream[M_co]:
        try:
            return Stream(self)
        except DynattrsError as error:
            raise error.with_traceback(shown_of(error))  # noqa: B904

    def _all(self, *, eager: bool = True) -> Flow[list[M_co]]:
        found: list[M_co] = []
        with contextlib.closing(Stream(self, eager=eager)) as stream:
            while (items := (yield from stream.items())) is not None:
                found += items
        return found

    @verb
    def first(self) -> Flow[M_co | None]:
        """Return the first item, or None. It reads no more than it must."""
        with contextlib.closing(Stream(self.limit(1), eager=False)) as stream:
            while (items := (yield from stream.items())) is not None:
                if items:
                    return items[0]
        return None

    @verb
    def one(self) -> Flow[M_co]:
        """Return the only item.

        Raises:
            NoSuchItem: There is none.
            MultipleItems: There is more than one.
        """
        two = self.limit(2 if self._limit is None else min(self._limit, 2))
        found = yield from two._all(eager=False)
        if not found:
            raise NoSuchItem(self._info.name, str(self))
        if len(found) > 1:
            raise MultipleItems(self._info.name, str(self))
        return found[0]

    @verb
    def count(self) -> Flow[int]:
        """Count the items: the service sends only their number. Newer schema versions count too."""
        # Of what is counted nothing is read, so any index will do that tells models apart.
        keys = self._with(_reader=self._keys)
        pages = keys._pages(keys._plan(), counting=True)
        yield from self._begin()
        count = 0
        with contextlib.closing(pages):
            while (raw := (yield from pages.next())) is not None:
                count += raw.count
        return count

    @verb
    def page(self, size: int, *, max_requests: int | None = None) -> Flow[Page[M_co]]:
        """Return a page of exactly *size* items, fewer if the data end or *max_requests* are used up.

        Its cursor is None at the end of the data. Reading stops with the request that filled the page, so
        the last page may be empty.

        Raises:
            CursorError: The cursor given to `after(...)` belongs to another query.
        """
        _positive("page", size)
        if max_requests is not None:
            _positive("max_requests", max_requests)
        if self._limit is not None:
            raise QueryError("page(n) says how many; remove limit(...)")
        found = self._plan()
        pages = self._pages(found, eager=False, limit=size, requests=max_requests)
        yield from self._begin()
        whole = RawPage([], 0, 0, 0.0, None, [], requests=0)
        with contextlib.closing(pages):
            while max_requests is None or whole.requests < max_requests:
                raw = yield from pages.next()
                if raw is None:
                    break
                whole = whole.followed_by(raw)
        return Page(
            self._read(whole.items),
            resuming.cursor(self, found, whole),
            whole.consumed,
            whole.scanned,
        )

    @verb
    def delete(self) -> Flow[int]:
        """Delete the items that the query finds, in batches. Only keys are read.

        Versions are not checked, and an item that is written in the meantime is deleted anyway.

        Returns:
            The number of items that were found and deleted.

        Raises:
            QueryError: The filter uses fields that items of older schema versions may not have yet.
            PartialIndex: The index does not hold the schema version of an item.
            MappingError: A newer program has written an item.
            UnsentWrites: Some items were not deleted.
        """
        # Loaded for those who delete: it brings all that it takes to write.
        from dynattrs.operations.writing.found_deletes import delete_all

        return (yield from delete_all(self))


def begin(
    kind: Callable[..., Self],
    handle: Owner,
    models: Sequence[type[object]],
    operation: Literal["query", "scan"],
) -> Self:
    """A query of that *kind*, for the items of some models.

    Raises:
        QueryError: The models are not of one table, or nothing tells their items apart.
    """
    subjects = handle._core.subjects
    known = subjects.get(models[0]) if len(models) == 1 and isinstance(models[0], type) else None
    if known is not None and known.info.table.members.declared < 2:
        return kind(handle, known.info, operation, known)
    first, *others = models_of_one_table(models, operation)
    if not others and not (models[0] is first.cls and keys_tell_subclasses(first)):
        objects = Objects(first, models[0])
        # Other models of the table, subclasses among them, may be declared later.
        if first.keys is None and models[0] is first.cls:
            subjects.learn(first.cls, objects)
        return kind(handle, first, operation, objects)
    classes = {model_info(each): each for each in models}
    reader: MixedObjects[Any] = MixedObjects(Sieve((first, *others)), classes=classes)
    return kind(handle, first, operation, reader)._with(_others=tuple(others))


class Stream(Source, Generic[M_co]):
    """The pages of a query, one after the other."""

    def __init__(self, query: QueryVerbs[M_co], *, eager: bool = True) -> None:
        self._query = query
        self._plan = query._plan()
        self._pages: Pages = query._pages(self._plan, eager=eager)
        self._begun = False

    @failing_again
    def next(self) -> Flow[Page[M_co] | None]:
        """The next page, which may be empty under a filter, or None at the end."""
        raw = yield from self._next()
        if raw is None:
            return None
        query = self._query
        cursor = resuming.cursor(query, self._plan, raw)
        return Page(query._read(raw.items), cursor, raw.consumed, raw.scanned)

    @failing_again
    def items(self) -> Flow[tuple[M_co, ...] | None]:
        """The items of the next page, without a cursor, which costs something; None at the end."""
        raw = yield from self._next()
        return None if raw is None else self._query._read(raw.items)

    def _next(self) -> Flow[RawPage | None]:
        if not self._begun:
            yield from self._query._begin()
            self._begun = True
        return (yield from self._pages.next())

    def close(self) -> None:
        """Forget a page that is being fetched, without waiting for it."""
        self._pages.close()


@functools.cache
def _fields_of(cls: Any) -> tuple[dict[str, int], Callable[[Any], tuple[Any, ...]]]:
    """The place of each field of a query, and what gives them all."""
    names = [field.name for field in attrs.fields(cls)]
    return {name: place for place, name in enumerate(names)}, operator.attrgetter(*names)


def _segments(method: str, count: int) -> int:
    if type(count) is not int or not 0 < count <= limits.SCAN_SEGMENTS:
        raise QueryError(
            f"{method.format(count)}: a positive int is expected, up to {limits.SCAN_SEGMENTS:,}"
        )
    return count


def _positive(name: str, count: int) -> int:
    if type(count) is not int or count < 1:
        raise QueryError(f"{name}({count!r}): a positive int is expected")
    return count
