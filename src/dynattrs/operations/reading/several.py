"""Queries that take several requests: the parts of partitions one after the other, the next one begun ahead;
partitions merged by the sort key; and whole keys, which are got in batches.

The parts have no item in common, so where to go on is the number of a part and a key in it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from dynattrs import limits
from dynattrs.keys.fan_out import operands_of, right_of
from dynattrs.keys.plans import Plan
from dynattrs.keys.ranges import operand_of, stored_in
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.key_rules import plain_numbers
from dynattrs.operations.flows import Flow, Pause, Start, Task, Wait
from dynattrs.operations.item_keys import identity
from dynattrs.operations.reading.merging import Reads, merged_pages, shards_of
from dynattrs.operations.reading.pages import (
    Following,
    Pages,
    RawPage,
    Reading,
    cursor_names,
    pages_of,
    paid,
)
from dynattrs.schema.indexes import KeySchema
from dynattrs.schema.ordering import order_of
from dynattrs.schema.table import AttributeMap
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.operations.reading.query import QueryVerbs

__tracebackhide__ = hidden


def pages_of_several(
    query: QueryVerbs[Any],
    found: Plan,
    whole: Reading,
    start: tuple[int, AttributeMap] | None,
    *,
    counting: bool,
) -> Pages:
    """The pages of a plan of several requests as one sequence.

    Args:
        query: What is wanted.
        found: Its plan.
        whole: How the whole is to be read.
        start: Where to begin: the number of a part, and the key to go on after in it, or none.
        counting: Whether only numbers are wanted, so that no order is kept.
    """
    part, key = start or (0, {})
    # An order says where to go on.
    counting = counting and start is None

    def reads(plan: Plan, begin: AttributeMap | None) -> Reading:
        reading = query._reading(plan, counting=counting, eager=whole.eager)
        return attrs.evolve(reading, start=begin or None, rate=whole.rate)

    if found.operation == "batch_get":
        known = attrs.evolve(whole, start=key or None)
        return Following(known, _Known(query, found, known))
    keys = key_schema(query, found)
    names = cursor_names(query, found)
    merging = functools.partial(
        _merging, query, reads=reads, keys=keys, names=names, reverse=query._reverse
    )
    if not found.partitions or found.merged:
        sources = partitions_of(found, reverse=query._reverse)
        if not counting:
            return merging(sources, whole=attrs.evolve(whole, start=key or None))
        parts = [*itertools.chain.from_iterable(sources)]
    else:
        parts = parts_of(found, reverse=query._reverse)
        if counting:
            parts = [each for part in parts for each in shards_of(part)]

    def begin(number: int, left: int | None) -> Pages:
        plan, own = parts[number], key if number == part else {}
        if plan.shards is not None:
            sources = [[each] for each in shards_of(plan)]
            return merging(sources, whole=attrs.evolve(whole, start=own or None, limit=left))
        return pages_of(attrs.evolve(reads(plan, own), limit=left))

    apart = all(each.shards is None for each in parts)
    return _OneAfterTheOther(whole, len(parts), begin, first=part, apart=apart)


def parts_of(found: Plan, *, reverse: bool) -> list[Plan]:
    """The plans of the requests that begin a query, in the order of reading."""
    return [each for parts in found.partitions for each in (reversed(parts) if reverse else parts)]


def partitions_of(found: Plan, *, reverse: bool) -> list[list[Plan]]:
    """Of each partition, and of each shard by itself, the plans of what is asked, in the order of reading."""
    found_in: list[list[Plan]] = []
    for parts in found.partitions or ((found,),):
        in_order = [shards_of(each) for each in (reversed(parts) if reverse else parts)]
        found_in += map(list, zip(*in_order, strict=True))
    return found_in


def key_schema(query: QueryVerbs[Any], found: Plan) -> KeySchema:
    """The key of the index that a plan reads."""
    schemas = query._info.table.key_schemas
    return next(each for each in schemas if each.index is found.index)


def _merging(
    query: QueryVerbs[Any],
    sources: Sequence[Sequence[Plan]],
    *,
    whole: Reading,
    reads: Reads,
    keys: KeySchema,
    names: Sequence[str],
    reverse: bool,
) -> Pages:
    operands = operands_of(query._info, keys)
    return merged_pages(sources, whole, reads, operands, keys, names, reverse=reverse)


class _OneAfterTheOther:
    """The pages of several parts, one part after the other. Memory holds about three pages.

    While the caller works with the last page of a part, and while a further part is begun, the one after it
    is begun as well; where a limit is given only the former, because it may do without.
    """

    def __init__(
        self,
        reading: Reading,
        count: int,
        begin: Callable[[int, int | None], Pages],
        *,
        first: int,
        apart: bool,
    ) -> None:
        #: How many more are returned; None for all.
        self._left = reading.limit
        self._count = count
        self._begin = begin
        self._number = first
        #: Whether parts may be begun in tasks of their own: these start none.
        self._ahead = reading.eager and apart
        self._pages: dict[int, Pages] = {}
        self._tasks: dict[int, Task] = {}

    def next(self) -> Flow[RawPage | None]:
        while self._number < self._count:
            page = yield from self._next(self._number)
            ended = page is None or page.last_key is None
            here = self._number
            if ended:
                del self._pages[here]
                self._number += 1
            if page is None:
                continue
            more = self._number < self._count
            if ended and more:
                page = attrs.evolve(page, last_key={})
            page = attrs.evolve(page, part=here if page.cut else self._number)
            if self._left is not None:
                self._left -= page.count
            if self._left == 0:
                self.close()
            elif ended:
                yield from self._start(self._number)
            return page
        return None

    def _next(self, number: int) -> Flow[RawPage | None]:
        begun, page = number in self._pages, None
        task = self._tasks.pop(number, None)
        try:
            if task is not None and self._left is None:
                yield from self._start(number + 1)
            if not begun:
                self._pages[number] = self._begin(number, self._left)
            if task is None:
                page = yield from self._pages[number].next()
            else:
                page = yield Wait(task)
        except BaseException:
            # Nothing runs on after an interruption. Asked again, all is begun again that was ahead.
            if task is not None:
                task.cancel()
                del self._pages[number]
            self._forget()
            raise
        return page

    def _start(self, number: int) -> Flow[None]:
        """Begin a part beside the caller."""
        if self._ahead and number < self._count and number not in self._pages:
            pages = self._begin(number, self._left)
            self._tasks[number] = yield Start(pages.next())
            self._pages[number] = pages

    def _forget(self) -> None:
        for number, task in self._tasks.items():
            task.cancel()
            del self._pages[number]
        self._tasks = {}

    def close(self) -> None:
        """Forget what is being fetched, without waiting for it."""
        for task in self._tasks.values():
            task.cancel()
        for pages in self._pages.values():
            pages.close()
        self._tasks, self._pages = {}, {}
        self._number = self._count


# --- Whole keys -------------------------------------------------------------------------------------


class _Known:
    """Requests for items whose whole keys are known. A place is the last key that was asked for."""

    def __init__(self, query: QueryVerbs[Any], found: Plan, reading: Reading) -> None:
        self._reading = reading
        self._keys = known_keys(found, reverse=query._reverse)
        self._places: Mapping[Any, int] = {}

    def page(self, start: AttributeMap | None, left: int | None) -> Flow[RawPage]:
        reading = self._reading
        now = reading.environment.monotonic
        if reading.rate is not None and (ahead := reading.rate.free_at - now()) > 0:
            yield Pause(ahead)
        begin = 0 if start is None else self._place(start)
        sizes = (limits.BATCH_GET_ITEMS, reading.page_size, left)
        asked = self._keys[begin : begin + min([size for size in sizes if size is not None])]
        assert reading.hydrate is not None
        pairs, consumed = yield from reading.hydrate([*asked])
        scanned = len(pairs)
        if reading.belongs is not None:
            pairs = [pair for pair in pairs if reading.belongs(pair[0])]
        items, places = [item for item, _ in pairs], [place for _, place in pairs]
        last = asked[-1] if begin + len(asked) < len(self._keys) else None
        page = RawPage(items, len(items), scanned, consumed, last, places)
        if reading.rate is not None:
            paid(reading.rate, page, now())
        return page

    def _place(self, key: AttributeMap) -> int:
        """The number of the key after this one."""
        if not self._places:
            self._places = {identity("", each): n for n, each in enumerate(self._keys)}
        return self._places.get(identity("", native_map(key)), len(self._keys) - 1) + 1


def known_keys(found: Plan, *, reverse: bool) -> list[AttributeMap]:
    """The keys of a plan that knows them, in the order of reading."""
    plans = parts_of(found, reverse=reverse)
    if found.merged:
        # Of equal ones the earlier partition's comes first, in either direction.
        plans.sort(key=lambda plan: order_of(stored_in(right_of(plan.key[-1]))), reverse=reverse)
    return [_key_of(each) for each in plans]


def _key_of(plan: Plan) -> AttributeMap:
    key: AttributeMap = {}
    for part in plan.key:
        key[str(operand_of(part).steps[0])] = stored_in(right_of(part))
    # A key condition compares numbers, and a key is looked up as it is written.
    plain_numbers(key, list(key))
    return key
