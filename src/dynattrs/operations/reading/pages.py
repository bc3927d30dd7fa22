"""Reading the pages of a query: its requests, one after the other, one page ahead."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, overload

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import QueryError
from dynattrs.expressions.conditions import expressions
from dynattrs.keys.plans import Plan, held_by
from dynattrs.mapper.anything import native, native_map
from dynattrs.mapper.size import item_size
from dynattrs.operations.conditions import asked_again, joined
from dynattrs.operations.flows import (
    Call,
    Decode,
    Environment,
    Flow,
    Pause,
    Start,
    Task,
    Wait,
)
from dynattrs.schema.messages import Message
from dynattrs.schema.table import AttributeMap, StoredItem, key_attributes_of

if TYPE_CHECKING:
    from dynattrs.operations.reading import tabular
    from dynattrs.operations.reading.query import QueryVerbs
else:
    # Imported when a page is looked at.
    tabular = deferred("dynattrs.operations.reading.tabular")

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)


@attrs.frozen(repr=False)
class Page(Sequence[M_co]):
    """One page of a query: a sequence of its items.

    Attributes:
        items: The items, in stored order.
        cursor: Where to continue, for `after(...)`, in this process or another; None at the end.
        consumed: Consumed read capacity units; 0 if the service does not report them.
        scanned: The number of items that the service read, before the filter.
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

    def __repr__(self) -> str:
        return tabular.page_as_text(self.items, self.cursor, self.consumed, self.scanned)

    def _repr_html_(self) -> str:
        return tabular.page_as_html(self.items, self.cursor)


@attrs.frozen
class RawPage:
    """One response.

    Attributes:
        items: The items, as attribute maps or rows.
        count: How many items match.
        scanned: How many were read.
        consumed: Read capacity units, 0 where the service does not say.
        last_key: Where to go on, or None at the end. It is empty where that is the beginning of the next
            of several requests.
        places: For each of the items the one that was read in its place, which cursors are made of:
            the index's, where whole items were fetched after it.
        cut: Whether matching items were left out at the end, for a limit.
        part: Of a plan of several requests, the number of the one to go on with.
        requests: How many requests it took.
        segments: Where several segments are read at once: those that are not at their end after the page,
            each with what to go on after, or None.
    """

    items: list[StoredItem]
    count: int
    scanned: int
    consumed: float
    last_key: AttributeMap | None
    places: list[StoredItem]
    cut: bool = False
    part: int = 0
    requests: int = 1
    segments: Mapping[int, StoredItem | None] | None = None

    def followed_by(self, page: RawPage) -> RawPage:
        """Both as one page."""
        return RawPage(
            [*self.items, *page.items],
            self.count + page.count,
            self.scanned + page.scanned,
            self.consumed + page.consumed,
            page.last_key,
            [*self.places, *page.places],
            page.cut,
            page.part,
            self.requests + page.requests,
            page.segments,
        )


#: Whole items with what an index has of each, and what fetching them has cost.
Whole: TypeAlias = "tuple[list[tuple[StoredItem, StoredItem]], float]"


@attrs.define(eq=False)
class Rate:
    """How many read capacity units a second the requests of one query stay below, all together."""

    units: float
    free_at: float = float("-inf")


@attrs.frozen
class Reading:
    """How the pages of one query are to be read.

    Attributes:
        plan: What is asked.
        parameters: The request without where to start and how much to read.
        limit: The most items, counted after the filter.
        page_size: The most items that one request reads.
        start: Where to begin.
        eager: Whether the next page may be fetched beside the caller.
        rate: What the requests stay below.
        hydrate: Fetches the whole items behind an index's page; those that are gone since are left
            out.
        accepts: Whether an item is returned and counts for the limit; None is all of them.
        decode: What makes rows of the replies' items (see `objects`).
        belongs: Whether an item is of the models that were asked for; None is all of them.
    """

    plan: Plan
    parameters: Message
    environment: Environment
    limit: int | None = None
    page_size: int | None = None
    start: AttributeMap | None = None
    eager: bool = True
    rate: Rate | None = None
    hydrate: Callable[[list[StoredItem]], Flow[Whole]] | None = None
    accepts: Callable[[StoredItem], object] | None = None
    decode: Decode | None = None
    belongs: Callable[[StoredItem], bool] | None = None

    def request_size(self, left: int | None) -> int | None:
        """The most items that a request reads where *left* are still to be returned."""
        if left is None or self.plan.filter is not None:
            return self.page_size
        # Reading more than is returned would be paid for. One more where the key condition
        # takes in an item that is left out.
        wanted = left + (self.plan.excluded is not None)
        return wanted if self.page_size is None else min(self.page_size, wanted)


# --- What is asked ----------------------------------------------------------------------------


def cursor_names(query: QueryVerbs[Any], found: Plan) -> tuple[str, ...]:
    """The attributes that cursors are made of: the keys of the table and of the index."""
    table = query._info.table
    return tuple(dict.fromkeys((*table.key, *key_attributes_of(table, found.index))))


def projection(query: QueryVerbs[Any], found: Plan) -> tuple[str, ...]:
    """The attributes to be returned; none of them means all. Keys are always among them: they
    make cursors.
    """
    needs = frozenset[str]() if found.partial else query._reader.needs
    if needs is None:
        return ()
    kind = query._info.table.discriminator
    held = held_by(query._info.table, found.index)
    # Where an index does not hold it, keys alone tell, or whole items are fetched.
    told = kind is not None and query._told_apart and (held is None or kind in held)
    tells = (kind,) if kind is not None and told else ()
    return tuple(dict.fromkeys((*cursor_names(query, found), *tells, *sorted(needs))))


def parameters(query: QueryVerbs[Any], found: Plan, *, counting: bool = False) -> Message:
    """The parameters of a plan's request; only what *counting* takes, where nothing is read."""
    asked: Message = {"TableName": query._table}
    if found.index is not None:
        asked["IndexName"] = found.index.name
    projected: Sequence[str] = ()
    if counting and found.excluded is None and not found.partial and not query._told_apart:
        asked["Select"] = "COUNT"
    else:
        projected = projection(query, found)
    condition = found.filter
    if found.again and (again := asked_again(query._infos, found))[1]:
        condition = joined(condition, again[0])
    asked |= expressions(found.key, condition, projected)
    if query._reverse:
        asked["ScanIndexForward"] = False
    if query._consistent:
        asked["ConsistentRead"] = True
    if query._segment is not None:
        asked["Segment"], asked["TotalSegments"] = query._segment
    return asked


class Pages(Protocol):
    """A source of pages."""

    def next(self) -> Flow[RawPage | None]:
        """The next page, which may be empty under a filter, or None at the end."""
        ...

    def close(self) -> None:
        """Forget what is being fetched, without waiting for it."""
        ...


class Requests(Protocol):
    """What sends the requests of one query."""

    def page(self, start: AttributeMap | None, left: int | None) -> Flow[RawPage]:
        """The page that begins at *start*; at most *left* of its items are still to be returned."""
        ...


def pages_of(reading: Reading) -> Pages:
    return Following(reading, OrdinaryRequests(reading))


class Following:
    """Pages one after the other. Memory holds about two.

    The first two are fetched when they are asked for. From the second on the next one is fetched
    beside the caller, one ahead and never more.
    """

    def __init__(self, reading: Reading, requests: Requests) -> None:
        self._eager = reading.eager
        self._requests = requests
        self._limit = Limit(reading)
        self._start = reading.start
        self._ahead: Task | None = None
        self._pages = 0
        #: Where conditions contradict each other nothing is asked at all.
        self._done = reading.plan.operation == "nothing"

    def next(self) -> Flow[RawPage | None]:
        if self._done:
            return None
        if self._ahead is not None:
            try:
                page = yield Wait(self._ahead)
            except BaseException:
                # Nothing runs on after an interruption. Asked again, it is fetched again.
                self._ahead.cancel()
                raise
            finally:
                self._ahead = None
        else:
            page = yield from self._fetch()
        self._pages += 1
        page = self._limit.take(page)
        self._start = page.last_key
        self._done = self._start is None or self._limit.left == 0
        if not self._done and self._eager and self._pages >= 2:
            self._ahead = yield Start(self._fetch())
        return page

    def close(self) -> None:
        self._done = True
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead = None

    def _fetch(self) -> Flow[RawPage]:
        return self._requests.page(self._start, self._limit.left)


class Limit:
    """Counts what is returned, up to the limit of a query."""

    def __init__(self, reading: Reading) -> None:
        #: How many more are returned; None for all.
        self.left = reading.limit
        self._accepts = reading.accepts

    def take(self, page: RawPage) -> RawPage:
        """A page within the limit, for which only items count that are accepted."""
        if self.left is None:
            return page
        if self._accepts is not None or page.count > self.left:
            page = self._cut(page, self.left)
        self.left -= page.count
        return page

    def _cut(self, page: RawPage, left: int) -> RawPage:
        if self._accepts is None:
            items, places = page.items[:left], page.places[:left]
            return attrs.evolve(page, items=items, places=places, count=left, cut=True)
        items, places = [], []
        for item, place in zip(page.items, page.places, strict=True):
            if len(items) == left:
                return attrs.evolve(page, items=items, places=places, count=left, cut=True)
            if self._accepts(item):
                items.append(item)
                places.append(place)
        return attrs.evolve(page, items=items, places=places, count=len(items))


class OrdinaryRequests:
    """The requests of a query. They keep below a rate by pausing before the next one."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._now = reading.environment.monotonic

    def page(self, start: AttributeMap | None, left: int | None, **segment: int) -> Flow[RawPage]:
        """Send one request, and take its response apart.

        Args:
            start: Where to go on; None for the beginning.
            left: How many items are still to be returned.
            segment: Which one of a scan.
        """
        reading = self._reading
        if reading.rate is not None and (ahead := reading.rate.free_at - self._now()) > 0:
            yield Pause(ahead)
        parameters = {**reading.parameters, **segment}
        if start is not None:
            parameters["ExclusiveStartKey"] = native_map(start)
        size = reading.request_size(left)
        if size is not None:
            parameters["Limit"] = size
        response = yield Call(reading.plan.operation, parameters, decode=reading.decode)
        page = yield from _page_of(reading, response)
        if reading.rate is not None:
            paid(reading.rate, page, self._now())
        return page


def paid(rate: Rate, page: RawPage, now: float) -> None:
    """Let the next request wait until what a page has cost is paid for."""
    rate.free_at = max(rate.free_at, now) + _units(page) / rate.units


def _units(page: RawPage) -> float:
    """What the page cost. Where an engine does not say: a unit for each 8 KB that came."""
    if page.consumed:
        return page.consumed
    # Rows are there only where a library that makes them is.
    from dynattrs.mapper.rows import attribute_map

    return max(0.5, sum(item_size(attribute_map(item)) for item in page.items) / 8192)


def _page_of(reading: Reading, response: Message) -> Flow[RawPage]:
    items: list[StoredItem] = response.get("Items", [])
    count: int = response.get("Count", len(items))
    scanned: int = response.get("ScannedCount", len(items))
    consumed = float((response.get("ConsumedCapacity") or {}).get("CapacityUnits", 0.0))
    last_key = response.get("LastEvaluatedKey") or None
    if reading.plan.excluded is not None:
        # Before whole items are fetched, which may have changed since.
        name, value = reading.plan.excluded
        items = [item for item in items if native(item[name]) != value]
        count = len(items)
    if reading.hydrate is None:
        if reading.belongs is not None:
            items = [*filter(reading.belongs, items)]
            count = len(items)
        return RawPage(items, count, scanned, consumed, last_key, items)
    pairs, fetched = yield from reading.hydrate(items)
    consumed += fetched
    if reading.belongs is not None:
        pairs = [pair for pair in pairs if reading.belongs(pair[0])]
    items, places = [item for item, _ in pairs], [place for _, place in pairs]
    return RawPage(items, len(items), scanned, consumed, last_key, places)


# --- What has failed -----------------------------------------------------------------------------


class Source:
    """What gives one bit after the other."""

    #: What it has failed with.
    failure: Exception | None = None


S = TypeVar("S", bound=Source)


class Bits(Protocol[R]):
    """What `all_of` takes."""

    failure: Exception | None

    def next(self) -> Flow[list[R] | None]:
        """The next ones, or None at the end."""
        ...

    def close(self) -> None:
        """Forget what is being fetched."""
        ...


def all_of(source: Bits[R]) -> Flow[list[R]]:
    """All that is still to come. An interruption loses what had come, and the next one who asks is told."""
    found: list[R] = []
    try:
        while (some := (yield from source.next())) is not None:
            found += some
    except BaseException as error:
        source.close()
        if not isinstance(error, Exception):
            source.failure = QueryError(
                f"all() was interrupted by {type(error).__name__}, and the items read so far are lost; "
                f"start the read again"
            )
        raise
    return found


def failing_again(following: Callable[[S], Flow[R]]) -> Callable[[S], Flow[R]]:
    """A source that has failed fails again, with the same error: what would have come is missing, so
    it neither goes on behind that nor says that it is at its end.

    A cancellation is not a failure: asked again, it gives what would have come.
    """

    @functools.wraps(following)
    def next_of(source: S) -> Flow[R]:
        if source.failure is not None:
            raise source.failure
        try:
            return (yield from following(source))
        except Exception as error:
            source.failure = error
            raise

    return next_of
