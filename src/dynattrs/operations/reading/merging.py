"""Queries over several partition keys of an index, merged in the order of the sort key. The partitions are
the shards over which a key is spread, the kinds of a model and its subclasses, or what a query names.

Of items with equal sort keys those of the earlier partition come first. So a cursor, which is the key
of one item, says of every partition where to go on: the item's own after the item, earlier ones after
all items of that sort key, later ones with them.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from dynattrs.errors import CursorError
from dynattrs.expressions.conditions import Comparison, Value
from dynattrs.keys.computed import sharded
from dynattrs.keys.fan_out import right_of
from dynattrs.keys.intervals import Operands, behind
from dynattrs.keys.plans import Plan
from dynattrs.keys.ranges import stored_in
from dynattrs.mapper.anything import native
from dynattrs.operations.flows import Flow, Start, Task, Wait
from dynattrs.operations.reading.pages import Limit, Pages, RawPage, Reading, pages_of
from dynattrs.schema.indexes import KeySchema
from dynattrs.schema.ordering import order_of
from dynattrs.schema.table import AttributeMap, StoredItem

#: How a plan is read, from a place on.
Reads: TypeAlias = "Callable[[Plan, AttributeMap | None], Reading]"


def shards_of(plan: Plan) -> list[Plan]:
    """The plans of the shards over which a plan's partition is spread, or of its kinds; itself where it is
    one partition.
    """
    if plan.shards is None:
        return [plan]
    partition, *sort = plan.key
    assert isinstance(partition, Comparison)
    assert isinstance(partition.right, Value)
    key = partition.right
    values = [
        Value({"S": plan.kinds[shard]}, plan.kinds[shard])
        if plan.kinds
        else Value(sharded(key.stored, shard), f"{key.written}#{shard}")
        for shard in range(plan.shards)
    ]
    return [
        attrs.evolve(plan, key=(attrs.evolve(partition, right=value), *sort), shards=None, kinds=())
        for value in values
    ]


def merged_pages(
    partitions: Sequence[Sequence[Plan]],
    whole: Reading,
    reads: Reads,
    operands: Operands,
    keys: KeySchema,
    names: Sequence[str],
    *,
    reverse: bool,
) -> Pages:
    """The pages of several partitions as one sequence.

    Args:
        partitions: Of each the plans of what is asked, in the order of reading.
        whole: How the whole is to be read.
        reads: Says how a plan is read.
        operands: The sort key of the index.
        keys: The index's key.
        names: The attributes of the keys of the table and of the index.
        reverse: Whether items come in descending order.
    """
    last, own = whole.start, None
    places = {_partition_of(keys, each[0]): place for place, each in enumerate(partitions)}
    at: list[Any] = []
    if last is not None:
        own = places.get(tuple([order_of(native(last[name])) for name in keys.partition]))
        if own is None:
            raise CursorError("this is not a cursor of this query; start from the beginning")
        at = [native(last[name]) for name in keys.sort]
    sources: list[Pages] = []
    for place, plans in enumerate(partitions):
        start, asked = None, [*plans]
        if own is not None:
            also = place >= own
            # The item's own partition from the item on: DynamoDB Local refuses to go on at the far end of a
            # range, though items with the same sort key may follow.
            rest = [behind(each, at, operands, reverse=reverse, also=also) for each in plans]
            start, asked = last if place == own else None, [*itertools.chain.from_iterable(rest)]
        sources.append(_Ranges(whole, asked, start, reads))
    return _Merged(whole, sources, keys, names, reverse=reverse)


def _partition_of(keys: KeySchema, plan: Plan) -> tuple[Any, ...]:
    return tuple([order_of(stored_in(right_of(part))) for part in plan.key[: len(keys.partition)]])


class _Ranges:
    """What is asked of one partition, one range after the other."""

    def __init__(
        self, whole: Reading, plans: Sequence[Plan], start: AttributeMap | None, reads: Reads
    ) -> None:
        sizes = [each for each in (whole.limit, whole.page_size) if each is not None]
        # Of each partition no more is read at once than is returned of all.
        self._size = min(sizes, default=None)
        self._left = deque(plans)
        self._start = start
        self._reads = reads
        self._pages: Pages | None = None

    def next(self) -> Flow[RawPage | None]:
        """The next page, or None at the end."""
        while self._pages is not None or self._left:
            if self._pages is None:
                reading = self._reads(self._left[0], self._start)
                self._pages = pages_of(
                    attrs.evolve(reading, limit=None, page_size=self._size, eager=False)
                )
            page = yield from self._pages.next()
            if page is not None and page.last_key is not None:
                return page
            self._left.popleft()
            self._pages = self._start = None
            if page is not None:
                return attrs.evolve(page, last_key={}) if self._left else page
        return None

    def close(self) -> None:
        """Forget what is being fetched, without waiting for it."""
        self._left.clear()
        if self._pages is not None:
            self._pages.close()
            self._pages = None


class _Merged:
    """The pages of all partitions as one sequence of pages in order.

    Of each partition one page is waiting, so memory holds as many pages as there are partitions.
    """

    def __init__(
        self,
        reading: Reading,
        partitions: Sequence[Pages],
        keys: KeySchema,
        names: Sequence[str],
        *,
        reverse: bool,
    ) -> None:
        self._sort = keys.sort
        self._names = names
        self._partitions = list(partitions)
        self._waiting: list[deque[tuple[StoredItem, StoredItem]]] = [deque() for _ in partitions]
        self._open = [True] * len(self._partitions)
        self._limit = Limit(reading)
        self._reverse = reverse
        self._tasks: dict[int, Task] = {}

    def next(self) -> Flow[RawPage | None]:
        """The next items that are surely the next ones of all partitions, or None at the end."""
        scanned, consumed, requests = 0, 0.0, 0
        found: list[tuple[StoredItem, StoredItem]] = []
        while not found:
            wanted = [n for n, open_ in enumerate(self._open) if open_ and not self._waiting[n]]
            if not wanted and not any(self._waiting):
                break
            for place, page in (yield from self._fetch(wanted)):
                if page is None:
                    self._open[place] = False
                    continue
                scanned += page.scanned
                consumed += page.consumed
                requests += page.requests
                self._waiting[place].extend(zip(page.items, page.places, strict=True))
                if page.last_key is None:
                    self._open[place] = False
            found = self._ready()
        if not found and not scanned and not consumed:
            return None
        items, places = [item for item, _ in found], [place for _, place in found]
        more = any(self._waiting) or any(self._open)
        last = {name: places[-1][name] for name in self._names} if more and places else None
        page = RawPage(items, len(items), scanned, consumed, last, places, requests=requests)
        page = self._limit.take(page)
        if self._limit.left == 0:
            self.close()
        return page

    def _fetch(self, wanted: Sequence[int]) -> Flow[list[tuple[int, RawPage | None]]]:
        if len(wanted) == 1 and not self._tasks:
            return [(wanted[0], (yield from self._partitions[wanted[0]].next()))]
        for place in wanted:
            if place not in self._tasks:
                self._tasks[place] = yield Start(self._partitions[place].next())
        found = []
        for place in wanted:
            try:
                found.append((place, (yield Wait(self._tasks[place]))))
            except BaseException:
                # What could not be cancelled goes on, and is waited for when it is asked for again.
                self._tasks = {n: task for n, task in self._tasks.items() if not task.cancel()}
                raise
        self._tasks = {}
        return found

    def _ready(self) -> list[tuple[StoredItem, StoredItem]]:
        """What is next for sure: while no open partition is without an item."""
        found = []
        while any(self._waiting):
            if any(open_ and not self._waiting[n] for n, open_ in enumerate(self._open)):
                break
            heads = [n for n, waiting in enumerate(self._waiting) if waiting]
            place = self._first(heads)
            found.append(self._waiting[place].popleft())
        return found

    def _first(self, some: Sequence[int]) -> int:
        heads = {n: self._waiting[n][0][1] for n in some}
        orders = {
            n: [order_of(native(item[name])) for name in self._sort] for n, item in heads.items()
        }
        # Both take the first of equal ones.
        return (max if self._reverse else min)(some, key=orders.__getitem__)

    def close(self) -> None:
        """Forget what is being fetched, without waiting for it."""
        for task in self._tasks.values():
            task.cancel()
        for each in self._partitions:
            each.close()
        self._open = [False] * len(self._partitions)
        for waiting in self._waiting:
            waiting.clear()
