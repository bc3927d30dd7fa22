"""Queries over several partition keys of an index: one query each, merged in order. They are the shards
over which a key is spread, or the kinds of a model and its subclasses.

Items come in the order of the sort key; of equal ones those of the lower shard first. So a cursor, which
is the key of one item, says of every shard where to go on: the item's own after the item, lower ones
after all items of that sort key, higher ones with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import attrs

from dynattrs.expressions.conditions import Comparison, Condition, Operator, Value
from dynattrs.keys.bounds import attribute_operand
from dynattrs.keys.computed import sharded
from dynattrs.keys.plans import Plan
from dynattrs.keys.ranges import fold, operand_of
from dynattrs.mapper.anything import native
from dynattrs.operations.flows import Flow, Start, Task, Wait
from dynattrs.operations.reading.pages import Limit, Pages, RawPage, Reading, pages_of
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.ordering import order_of
from dynattrs.schema.table import AttributeMap, GlobalIndex, StoredItem


def _index_of(plan: Plan) -> GlobalIndex:
    assert isinstance(plan.index, GlobalIndex)  # the only ones that are spread
    return plan.index


def _shard_of(plan: Plan, item: AttributeMap) -> int:
    """The shard that an item of the index is in."""
    [attribute] = _index_of(plan).partition_key
    text = item[attribute]["S"]
    return plan.kinds.index(text) if plan.kinds else int(text.rpartition("#")[2])


def shard_plan(
    info: ModelInfo, plan: Plan, shard: int, last: AttributeMap | None, *, reverse: bool
) -> Plan:
    """The plan for one shard, beginning after *last*, an item's key that may be another shard's."""
    partition, *sort = plan.key
    assert isinstance(partition, Comparison)
    assert isinstance(partition.right, Value)
    key = partition.right
    value = Value(sharded(key.stored, shard), f"{key.written}#{shard}")
    if plan.kinds:
        value = Value({"S": plan.kinds[shard]}, plan.kinds[shard])
    partition = attrs.evolve(partition, right=value)
    plan = attrs.evolve(plan, key=(partition, *sort))
    if last is None or shard == (other := _shard_of(plan, last)):
        return plan
    index = _index_of(plan)
    if not index.sort_key:
        return plan if shard > other else attrs.evolve(plan, operation="nothing")
    sign: Operator = ("<=" if shard > other else "<") if reverse else ">=" if shard > other else ">"
    [attribute] = index.sort_key
    place = operand_of(sort[0]) if sort else attribute_operand(info, attribute)
    stored = native(last[attribute])
    bound = Comparison(sign, place, Value(stored, stored))
    equal = [each for each in sort if isinstance(each, Comparison) and each.operator == "="]
    ranges: list[Condition] = [each for each in sort if each not in equal]
    folded = fold(equal, [*ranges, bound])
    if folded is None:
        return attrs.evolve(plan, operation="nothing")
    condition, left_out = folded
    excluded = plan.excluded if left_out is None else (attribute, left_out)
    kept = () if condition is None else (condition,)
    return attrs.evolve(plan, key=(partition, *kept), excluded=excluded)


def merged_pages(
    info: ModelInfo,
    reading: Reading,
    parameters: Callable[[Plan], Message],
    names: Sequence[str],
    *,
    reverse: bool,
) -> Pages:
    """The pages of all shards that a plan asks, as one sequence.

    Args:
        info: The model.
        reading: How the whole is to be read.
        parameters: Makes the request of one shard's plan.
        names: The attributes of the keys of the table and of the index.
        reverse: Whether items come in descending order.
    """
    last = reading.start
    sizes = [each for each in (reading.limit, reading.page_size) if each is not None]
    shards: list[Pages] = []
    for shard in range(reading.plan.shards or 0):
        plan = shard_plan(info, reading.plan, shard, last, reverse=reverse)
        here = last is not None and shard == _shard_of(reading.plan, last)
        own = attrs.evolve(
            reading,
            plan=plan,
            parameters={} if plan.operation == "nothing" else parameters(plan),
            start=last if here else None,
            # Of each shard no more is read at once than is returned of all.
            limit=None,
            page_size=min(sizes, default=None),
            eager=False,
        )
        shards.append(pages_of(own))
    return _Merged(reading, shards, names, reverse=reverse)


class _Merged:
    """The pages of all shards as one sequence of pages in order.

    Of each shard one page is waiting, so memory holds as many pages as there are shards.
    """

    def __init__(
        self,
        reading: Reading,
        shards: Sequence[Pages],
        names: Sequence[str],
        *,
        reverse: bool,
    ) -> None:
        self._plan = reading.plan
        self._names = names
        self._shards = list(shards)
        self._waiting: list[deque[tuple[StoredItem, StoredItem]]] = [deque() for _ in shards]
        self._open = [True] * len(self._shards)
        self._limit = Limit(reading)
        self._reverse = reverse
        self._tasks: list[Task] = []

    def next(self) -> Flow[RawPage | None]:
        """The next items that are surely the next ones of all shards, or None at the end."""
        scanned, consumed = 0, 0.0
        found: list[tuple[StoredItem, StoredItem]] = []
        while not found:
            wanted = [n for n, open_ in enumerate(self._open) if open_ and not self._waiting[n]]
            if not wanted and not any(self._waiting):
                break
            for shard, page in (yield from self._fetch(wanted)):
                if page is None:
                    self._open[shard] = False
                    continue
                scanned += page.scanned
                consumed += page.consumed
                self._waiting[shard].extend(zip(page.items, page.places, strict=True))
                if page.last_key is None:
                    self._open[shard] = False
            found = self._ready()
        if not found and not scanned and not consumed:
            return None
        items, places = [item for item, _ in found], [place for _, place in found]
        more = any(self._waiting) or any(self._open)
        last = {name: places[-1][name] for name in self._names} if more and places else None
        page = self._limit.take(RawPage(items, len(items), scanned, consumed, last, places))
        if self._limit.left == 0:
            self.close()
        return page

    def _fetch(self, wanted: Sequence[int]) -> Flow[list[tuple[int, RawPage | None]]]:
        if len(wanted) == 1:
            return [(wanted[0], (yield from self._shards[wanted[0]].next()))]
        self._tasks = []
        for shard in wanted:
            self._tasks.append((yield Start(self._shards[shard].next())))
        found = []
        for shard, task in zip(wanted, self._tasks, strict=True):
            found.append((shard, (yield Wait(task))))
        self._tasks = []
        return found

    def _ready(self) -> list[tuple[StoredItem, StoredItem]]:
        """What is next for sure: while no open shard is without an item."""
        found = []
        while any(self._waiting):
            if any(open_ and not self._waiting[n] for n, open_ in enumerate(self._open)):
                break
            heads = [n for n, waiting in enumerate(self._waiting) if waiting]
            shard = self._first(heads)
            found.append(self._waiting[shard].popleft())
        return found

    def _first(self, shards: Sequence[int]) -> int:
        sort = _index_of(self._plan).sort_key
        if not sort:
            return shards[0]
        orders = {n: order_of(native(self._waiting[n][0][1][sort[0]])) for n in shards}
        # Both take the lowest shard of equal ones.
        return (max if self._reverse else min)(shards, key=orders.__getitem__)

    def close(self) -> None:
        """Forget what is being fetched, without waiting for it."""
        for task in self._tasks:
            task.cancel()
        for shard in self._shards:
            shard.close()
        self._open = [False] * len(self._shards)
        for waiting in self._waiting:
            waiting.clear()
