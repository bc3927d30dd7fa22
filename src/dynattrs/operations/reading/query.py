"""Queries and scans: immutable descriptions of what is wanted, and their ends.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

import attrs

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.errors import MappingError, MultipleItems, NoSuchItem, QueryError
from dynattrs.expressions.conditions import (
    Condition,
    Placeholders,
    condition,
    models_of,
    render,
)
from dynattrs.keys.discriminator import Sieve, subclasses
from dynattrs.keys.planner import Plan, Wanted, check_deletes, plan
from dynattrs.operations.flows import Flow, verb
from dynattrs.operations.item_keys import identity, key_in
from dynattrs.operations.owner import Owner
from dynattrs.operations.reading import cursors
from dynattrs.operations.reading.batch_get import WantedKey
from dynattrs.operations.reading.batch_get import fetch as fetch_by_keys
from dynattrs.operations.reading.expiry import alive, time_to_live
from dynattrs.operations.reading.groups import Groups, concerns, lazy_models
from dynattrs.operations.reading.pages import Pages, RawPage, Reading, Whole, pages_of
from dynattrs.operations.reading.projections import Keys, Objects, OnError, Reader, Several
from dynattrs.operations.reading.shards import Merged, shard_of_item, shard_plan
from dynattrs.operations.writing import batch
from dynattrs.operations.writing.buffer import Buffer, Write
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, StoredItem, key_attributes_of

if TYPE_CHECKING:
    from dynattrs.operations.writing import migration, unique_items, unique_writes
else:
    migration = deferred("dynattrs.operations.writing.migration")
    unique_items = deferred("dynattrs.operations.writing.unique_items")
    unique_writes = deferred("dynattrs.operations.writing.unique_writes")

M_co = TypeVar("M_co", covariant=True)
Self = TypeVar("Self", bound="QueryVerbs[Any]")


@attrs.frozen
class Page(Sequence[M_co]):
    """The items of one page of a query; a sequence of them.

    Attributes:
        items: The items, in stored order.
        cursor: Where to go on, for `after(...)`, in this process or another; None at the end.
        consumed: Read capacity units; 0 where the engine does not say.
        scanned: How many items the service read, before the filter.
    """

    items: tuple[M_co, ...]
    cursor: str | None
    consumed: float
    scanned: int

    @overload
    def __getitem__(self, index: int) -> M_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[M_co]: ...
    def __getitem__(self, index: int | slice) -> M_co | Sequence[M_co]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[M_co]:
        return iter(self.items)


@attrs.frozen(eq=False, repr=False)
class QueryVerbs(Generic[M_co]):
    """What is wanted of a table. Every method returns a new query and changes nothing."""

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
    _after: str | None = None
    _segments: int | None = None
    _rate: float | None = None
    _unexpired: bool = False
    _hydrate: bool = False
    _on_error: OnError = "raise"
    #: Further models, whose items are wanted as well.
    _others: tuple[ModelInfo, ...] = ()

    # --- Saying what is wanted ---

    def where(self: Self, *conditions: bool) -> Self:
        """Only items for which all *conditions* are true. The planner makes keys of them if it can.

        Raises:
            ConditionError: One is no condition (`is None`, `in` and `not` are decided by Python),
            QueryError: One speaks of another model.
        """
        return self._with(_where=(*self._where, *self._checked(conditions)))

    def filter(self: Self, *conditions: bool) -> Self:
        """Only items for which all *conditions* are true, never used as a key: the service reads
        the rest and leaves it out.
        """
        return self._with(_filters=(*self._filters, *self._checked(conditions)))

    def using(self: Self, index: str) -> Self:
        """Read this index and no other."""
        if not isinstance(cast("object", index), str):
            raise QueryError(f"using({index!r}): the name of an index is expected")
        return self._with(_using=index)

    def reverse(self: Self) -> Self:
        """In descending order of the sort key. Twice is the ascending order again."""
        if self._operation == "scan":
            raise QueryError("a scan has no order to reverse; query a partition")
        return self._with(_reverse=not self._reverse)

    def limit(self: Self, count: int) -> Self:
        """At most *count* items, counted as they are returned, after the filter."""
        return self._with(_limit=_positive("limit", count))

    def page_size(self: Self, count: int) -> Self:
        """At most *count* items read by one request, before the filter. The service reads at most
        1 MB anyway.
        """
        return self._with(_page_size=_positive("page_size", count))

    def consistent(self: Self) -> Self:
        """Read what every earlier acknowledged write left, at twice the capacity. Not on global
        indexes.
        """
        return self._with(_consistent=True)

    def after(self: Self, cursor: str | None) -> Self:
        """Go on where a page ended, in this process or another. None is the beginning."""
        return self._with(_after=cursor)

    def parallel(self: Self, segments: int) -> Self:
        """Scan with that many requests at once. Items come in the order in which they arrive."""
        if self._operation != "scan":
            raise QueryError("parallel() is for scans: a query reads one partition, in order")
        return self._with(_segments=_positive("parallel", segments))

    def rate_limit(self: Self, units_per_second: float) -> Self:
        """Read at most that many capacity units a second, beside live traffic."""
        number = isinstance(cast("object", units_per_second), (int, float))
        if not (number and units_per_second > 0):
            raise QueryError(f"rate_limit({units_per_second!r}): a positive number is expected")
        return self._with(_rate=float(units_per_second))

    def unexpired(self: Self) -> Self:
        """Without items whose time to live is over and that the service has not removed yet."""
        time_to_live(self._info)
        return self._with(_unexpired=True)

    def hydrate(self: Self) -> Self:
        """Fetch the whole items by their keys, where the index does not hold all attributes: one
        BatchGetItem for each 100 of them.
        """
        return self._with(_hydrate=True)

    def on_error(self: Self, what: OnError, /) -> Self:
        """What to do with an item that cannot be read as wanted: `"raise"` its `MappingError`,
        `"skip"` it, or call a function with the error (which has `.key` and `.item`) and skip it.
        """
        if what not in ("raise", "skip") and not callable(what):
            raise QueryError(f"on_error({what!r}): write 'raise', 'skip' or a function")
        return self._with(_on_error=what)

    def _with(self: Self, **changes: Any) -> Self:
        # attrs takes the underscore off in __init__ and `evolve`.
        return attrs.evolve(self, **{name.lstrip("_"): value for name, value in changes.items()})

    def _checked(self, conditions: tuple[object, ...]) -> tuple[Condition, ...]:
        checked = tuple(condition(each) for each in conditions)
        for each in checked:
            for model in models_of(each):
                if not any(concerns(info, model) for info in self._infos):
                    raise QueryError(
                        f"the condition {each} speaks of {model.__name__}, the query of "
                        f"{self._names}"
                    )
        return checked

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
        return self._handle._core.table_name(self._info.table)

    def _plan(self) -> Plan:
        filters = (
            (*self._filters, alive(self._handle._core, self._info))
            if self._unexpired
            else self._filters
        )
        return plan(
            Wanted(
                self._info,
                self._where,
                filters,
                self._using,
                self._consistent,
                self._operation == "scan",
                self._reader.needs,
                self._hydrate,
                self._others,
            )
        )

    def explain(self) -> str:
        """What would be asked, and why: operation, index, key condition, filter, projection, the
        request. Sends nothing.

        Raises:
            QueryError: The query cannot be sent as it is written; a subclass says why.
        """
        found = self._plan()
        lines = [f"operation: {found.operation}"]
        if found.operation != "nothing":
            reading = self._reading(found)
            parameters = dict(reading.parameters)
            del parameters["TableName"]
            if (size := reading.request_size(self._limit)) is not None:
                parameters["Limit"] = size
            lines += [
                f"table: {self._table}",
                f"index: {found.index.name if found.index else 'none, the table itself'}",
                f"key condition: {' & '.join(f'({each})' for each in found.key) or 'none'}",
                f"filter: {'none' if found.filter is None else found.filter}",
                f"projection: {', '.join(self._projection(found)) or 'all attributes'}",
                f"request: {parameters}",
                f"cost: {self._cost(found)}",
            ]
            if found.shards is not None:
                lines.append(
                    f"shards: {found.shards}, '#0' to '#{found.shards - 1}' at the end of the partition "
                    f"key; each is asked, and their items are merged in order"
                )
            if self._sieve is not None:
                lines.append(f"on receipt: items of other models than {self._names} are left out")
            if self._info.evolves and found.filter is not None:
                lines.append(
                    f"the filter is asked of items as they are stored: those of older schemas have "
                    f"other attributes until session.migrate({self._info.name}) has rewritten them"
                )
            if found.partial:
                lines.append("then: BatchGetItem for the whole items, 100 at a time")
        lines += [f"because {reason}" for reason in found.why]
        return "\n".join(lines)

    def _cost(self, found: Plan) -> str:
        """What the service will read, in words: how much that is, only the table knows."""
        units = "a unit" if self._consistent else "half a unit"
        what = "what the key condition matches" if found.key else "everything there"
        stop = f", until {self._limit} items are found" if self._limit is not None else ""
        text = f"reads {what}{stop}; {units} for each 4 KB, a request for each 1 MB"
        if self._page_size is not None:
            text += f" or {self._page_size} items"
        if found.filter is not None:
            text += "; the filter does not lower that"
        return text

    def __str__(self) -> str:
        text = f"{self._operation}({self._names})"
        for name, conditions in (("where", self._where), ("filter", self._filters)):
            if conditions:
                text += f".{name}({', '.join(map(str, conditions))})"
        return text

    def __repr__(self) -> str:
        return f"<{self}>"

    def _projection(self, found: Plan) -> tuple[str, ...]:
        """The attributes to be returned; none of them means all. Keys are always among them: they
        make cursors.
        """
        needs = frozenset[str]() if found.partial else self._reader.needs
        if needs is None:
            return ()
        tells = () if self._sieve is None else self._sieve.reads
        return tuple(dict.fromkeys((*self._cursor_names(found), *tells, *sorted(needs))))

    def _parameters(self, found: Plan, *, counting: bool = False) -> dict[str, Any]:
        placeholders = Placeholders()
        parameters: dict[str, Any] = {"TableName": self._table}
        if found.index is not None:
            parameters["IndexName"] = found.index.name
        if found.key:
            parameters["KeyConditionExpression"] = _key_expression(found, placeholders)
        if found.filter is not None:
            parameters["FilterExpression"] = render(found.filter, placeholders, "filter")
        if counting and found.excluded is None and not found.partial and self._sieve is None:
            parameters["Select"] = "COUNT"
        elif projection := self._projection(found):
            parameters["ProjectionExpression"] = ", ".join(map(placeholders.name, projection))
        placeholders.into(parameters)
        if self._reverse:
            parameters["ScanIndexForward"] = False
        if self._consistent:
            parameters["ConsistentRead"] = True
        return parameters

    def _reading(
        self, found: Plan, *, counting: bool = False, eager: bool = True, limit: int | None = None
    ) -> Reading:
        if self._segments is not None and self._after is not None:
            raise QueryError("a parallel scan has no one place to go on from; remove after(...)")
        nothing, sieve = found.operation == "nothing", self._sieve
        return Reading(
            found,
            {} if nothing else self._parameters(found, counting=counting),
            self._handle._core.environment,
            limit=self._limit if limit is None else limit,
            page_size=self._page_size,
            start=None if nothing else self._start(found),
            eager=eager,
            rate=self._rate,
            segments=self._segments,
            hydrate=self._whole_items if found.partial else None,
            accepts=None if counting or self._on_error == "raise" else self._accepts,
            decode=None if counting or found.partial else self._reader.decoder("Items"),
            belongs=None if sieve is None else functools.partial(self._belongs, sieve),
        )

    def _pages(
        self, found: Plan, *, counting: bool = False, eager: bool = True, limit: int | None = None
    ) -> Pages:
        """The pages of a plan; those of its shards, where its index has any, as one sequence."""
        if found.shards is None or found.operation != "query":
            return pages_of(self._reading(found, counting=counting, eager=eager, limit=limit))
        last = self._start(found)
        limit = self._limit if limit is None else limit
        sizes = [each for each in (limit, self._page_size) if each is not None]
        # Of each shard no more is read at once than is returned of all.
        each = self._with(_limit=None, _after=None, _page_size=min(sizes) if sizes else None)
        shards: list[Pages] = []
        for shard in range(found.shards):
            plan = shard_plan(self._info, found, shard, last, reverse=self._reverse)
            reading = each._reading(plan, counting=counting, eager=False)
            if last is not None and shard == shard_of_item(found, last):
                reading = attrs.evolve(reading, start=last)
            shards.append(pages_of(reading))
        accepts = None if counting or self._on_error == "raise" else self._accepts
        names = self._cursor_names(found)
        return Merged(found, shards, names, limit=limit, accepts=accepts, reverse=self._reverse)

    def _whole_items(self, items: list[StoredItem]) -> Flow[Whole]:
        """The whole items behind an index's page, in its order. What was deleted since is left
        out.
        """
        core, table = self._handle._core, self._table
        whole = Whole([], [], 0.0)
        for start in range(0, len(items), limits.BATCH_GET_ITEMS):
            places = items[start : start + limits.BATCH_GET_ITEMS]
            chunk = [WantedKey(None, key_in(self._info, _as_map(place))) for place in places]
            decode = self._reader.decoder("Responses")
            found = yield from fetch_by_keys(core, table, chunk, self._consistent, decode)
            for key, place in zip(chunk, places, strict=True):
                item = found.items.get(identity(table, key.stored))
                if item is not None:
                    whole.items.append(item)
                    whole.places.append(place)
            whole = attrs.evolve(whole, consumed=whole.consumed + found.consumed)
        return whole

    @property
    def _keys(self) -> Keys:
        return Keys(self._info, self._sieve if self._others else None)

    def _accepts(self, item: StoredItem) -> bool:
        return bool(self._tried(item))

    @property
    def _sieve(self) -> Sieve | None:
        """What leaves out items of other models, where there may be any."""
        sieve = Sieve(self._infos)
        return sieve if sieve.needed else None

    def _belongs(self, sieve: Sieve, item: StoredItem) -> bool:
        try:
            tells = self._reader if isinstance(self._reader, Several) else sieve
            return tells.model_of(item) is not None
        except MappingError as error:
            if self._on_error == "raise":
                raise
            if callable(self._on_error):
                self._on_error(error)
            return False

    # --- Cursors ---

    def _cursor_names(self, found: Plan) -> tuple[str, ...]:
        own = (*self._info.table.key, *key_attributes_of(self._info.table, found.index))
        return tuple(dict.fromkeys(own))

    def _cursor_context(self, found: Plan) -> Any:
        placeholders = Placeholders()
        expressions: dict[str, Any] = {}
        if found.key:
            expressions["KeyConditionExpression"] = _key_expression(found, placeholders)
        placeholders.into(expressions)
        return [
            self._table,
            found.index.name if found.index else None,
            found.operation,
            cursors.plain_condition(expressions),
            self._reverse,
        ]

    def _start(self, found: Plan) -> AttributeMap | None:
        if self._after is None:
            return None
        secret = self._handle._core.cursor_secret
        names, context = self._cursor_names(found), self._cursor_context(found)
        return cursors.decode(self._after, names, context, secret)

    def _cursor(self, found: Plan, item: StoredItem) -> str:
        key = {name: item[name] for name in self._cursor_names(found)}
        return cursors.encode(key, self._cursor_context(found), self._handle._core.cursor_secret)

    # --- Reading ---

    def _begin(self) -> Flow[None]:
        self._handle._check_open()
        yield from self._handle._settle_table(self._table)

    def _read(self, items: Iterable[StoredItem]) -> tuple[M_co, ...]:
        if self._on_error == "raise":
            results = tuple(map(self._reader.reads(), items))
        else:
            results = tuple(result for item in items for result in self._tried(item))
        if isinstance(self._reader, Several):
            members = [each for info in self._infos for each in (info, *subclasses(info))]
            finish = self._handle._core.after_load_of(members)
        elif isinstance(self._reader, Objects):
            finish = self._handle._core.after_load(self._info)
        else:
            return results
        # What a hook raises is no item that cannot be read: `on_error` does not get it.
        return results if finish is None else tuple(map(finish, results))

    def _tried(self, item: StoredItem) -> tuple[M_co, ...]:
        """What is read, or nothing if that cannot be read, which is then reported."""
        try:
            return (self._reader.reads()(item),)
        except MappingError as error:
            if callable(self._on_error):
                self._on_error(error)
            return ()

    def _to_page(self, found: Plan, raw: RawPage) -> Page[M_co]:
        cursor = None
        if raw.cut:
            cursor = self._cursor(found, raw.places[-1])
        elif raw.last_key is not None:
            cursor = self._cursor(found, raw.last_key)
        return Page(self._read(raw.items), cursor, raw.consumed, raw.scanned)

    # --- Ends ---

    @verb
    def all(self) -> Flow[list[M_co]]:
        """All items, in a list."""
        items: list[M_co] = []
        with contextlib.closing(Stream(self)) as stream:
            while (page := (yield from stream.next())) is not None:
                items += page
        return items

    @verb
    def group_by_type(self) -> Flow[Groups]:
        """All items, by class: `groups[Order]` is a `list[Order]`, `groups.one(User)` the only one."""
        items: list[M_co] = []
        with contextlib.closing(Stream(self)) as stream:
            while (page := (yield from stream.next())) is not None:
                items += page
        return Groups([info.cls for info in self._infos], items)

    @verb
    def first(self) -> Flow[M_co | None]:
        """The first item, or None. It reads no more than it must."""
        with contextlib.closing(Stream(self.limit(1), eager=False)) as stream:
            while (page := (yield from stream.next())) is not None:
                if page.items:
                    return page.items[0]
        return None

    @verb
    def one(self) -> Flow[M_co]:
        """The only item.

        Raises:
            NoSuchItem: There is none.
            MultipleItems: There are more.
        """
        two = self.limit(2 if self._limit is None else min(self._limit, 2))
        found: list[M_co] = []
        with contextlib.closing(Stream(two, eager=False)) as stream:
            while (page := (yield from stream.next())) is not None:
                found += page
        if not found:
            raise NoSuchItem(self._info.name, str(self))
        if len(found) > 1:
            raise MultipleItems(self._info.name, str(self))
        return found[0]

    @verb
    def count(self) -> Flow[int]:
        """How many items there are. The service reads them all, and sends only their number."""
        # Of what is counted nothing is read, so any index will do, and no whole items are fetched.
        keys = self._with(_reader=self._keys, _hydrate=False)
        pages = keys._pages(keys._plan(), counting=True)
        yield from self._begin()
        count = 0
        with contextlib.closing(pages):
            while (raw := (yield from pages.next())) is not None:
                count += raw.count
        return count

    @verb
    def page(self, size: int, *, max_requests: int | None = None) -> Flow[Page[M_co]]:
        """Exactly *size* items, unless the data end or *max_requests* are spent, and a cursor.

        The cursor is None where the data have ended. Look-ahead stops with the request that filled
        the page, so the last page may be empty.

        Raises:
            CursorError: The cursor given to `after(...)` is not this query's.
        """
        _positive("page", size)
        if max_requests is not None:
            _positive("max_requests", max_requests)
        if self._segments is not None:
            raise QueryError("page() needs an order to go on in; remove parallel(...)")
        if self._limit is not None:
            raise QueryError("page(n) says how many; remove limit(...)")
        found = self._plan()
        pages = self._pages(found, eager=False, limit=size)
        yield from self._begin()
        items: list[StoredItem] = []
        places: list[StoredItem] = []
        whole = RawPage([], 0, 0, 0.0, None, [])
        requests = 0
        while max_requests is None or requests < max_requests:
            raw = yield from pages.next()
            if raw is None:
                break
            requests += 1
            items += raw.items
            places += raw.places
            whole = RawPage(
                items,
                len(items),
                whole.scanned + raw.scanned,
                whole.consumed + raw.consumed,
                raw.last_key,
                places,
                raw.cut,
            )
        return self._to_page(found, whole)

    @verb
    def delete(self) -> Flow[int]:
        """Delete what the query finds, in batches. Only keys are read.

        Versions are not checked, and an item that is written meanwhile is deleted all the same.

        Returns:
            How many items were found and deleted.

        Raises:
            QueryError: The filter speaks of fields that items of older schemas may not have yet.
            UnsentWrites: Some deletes were not done.
        """
        handle, info = self._handle, self._info
        handle._check_writable()
        if handle._buffer is not None:
            yield from batch.flush(handle._core, handle._buffer)
        keys = self._with(_reader=self._keys, _hydrate=False)
        found = keys._plan()
        if any(info.evolves for info in self._infos):
            check_deletes(found, info)
        pages, buffer = keys._pages(found), Buffer()
        return (
            yield from batch.gathered(handle._core, buffer, self._gather_deletes(pages, buffer))
        )

    def _gather_deletes(self, pages: Pages, buffer: Buffer) -> Flow[int]:
        core, info, count = self._handle._core, self._info, 0
        with contextlib.closing(pages):
            while (raw := (yield from pages.next())) is not None:
                for item in raw.items:
                    key = key_in(info, _as_map(item))
                    if info.guarding:  # with its guards, which takes a transaction
                        deleting = functools.partial(unique_writes.delete, core, info, key, None)
                        yield from migration.as_today(core, deleting)
                    else:
                        request = {"DeleteRequest": {"Key": key}}
                        write = Write(self._table, key, request, 100, key, "delete")
                        yield from batch.gather(core, buffer, write)
                    count += 1
            return count


def begin(
    kind: Callable[..., Self],
    handle: Owner,
    models: Sequence[type[Any]],
    operation: Literal["query", "scan"],
) -> Self:
    """A query of that *kind*, for the items of some models.

    Raises:
        QueryError: The models are not of one table, or nothing tells their items apart.
    """
    first, *others = lazy_models(models, operation)
    if not others:
        return kind(handle, first, operation, Objects(first, models[0]))
    reader: Several[Any] = Several(Sieve((first, *others)))
    return kind(handle, first, operation, reader)._with(_others=tuple(others))


class Stream(Generic[M_co]):
    """The pages of a query as results."""

    def __init__(self, query: QueryVerbs[M_co], *, eager: bool = True) -> None:
        self._query = query
        self._plan = query._plan()
        self._pages: Pages = query._pages(self._plan, eager=eager)
        self._begun = False

    def next(self) -> Flow[Page[M_co] | None]:
        """The next page, which may be empty under a filter, or None at the end."""
        if not self._begun:
            self._begun = True
            yield from self._query._begin()
        raw = yield from self._pages.next()
        return None if raw is None else self._query._to_page(self._plan, raw)

    def close(self) -> None:
        """Forget a page that is being fetched; nobody waits for it."""
        self._pages.close()


def _as_map(item: StoredItem) -> AttributeMap:
    """An item of a reply that was not decoded into rows."""
    return cast("AttributeMap", item)


def _key_expression(found: Plan, placeholders: Placeholders) -> str:
    return " AND ".join(render(each, placeholders, "key condition") for each in found.key)


def _positive(name: str, count: int) -> int:
    if type(count) is not int or count < 1:
        raise QueryError(f"{name}({count!r}): a positive int is expected")
    return count
