"""Many items by their keys: 100 to a BatchGetItem, several requests in flight.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final, Generic, TypeVar, cast

import attrs

from dynattrs import limits
from dynattrs.errors import DynattrsError, Throttled
from dynattrs.mapper.anything import native_map
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Decode, Flow, Pause, Start, Task, Wait, WaitAny
from dynattrs.operations.item_keys import identity, key_in
from dynattrs.operations.reading.pages import Source, failing_again
from dynattrs.operations.refusals import PASSING
from dynattrs.operations.writing.lanes import Lanes
from dynattrs.operations.writing.partitions import Partition
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, StoredItem

R = TypeVar("R")

#: So many keys may be put into lanes before it is looked whether these are full.
_HELD: Final = 1000


@attrs.frozen
class WantedKey:
    """A key as the caller gave it, and as it is stored."""

    given: Any
    stored: AttributeMap


@attrs.define(eq=False)
class Late:
    """A key that waits for its partition."""

    wanted: WantedKey
    key: AttributeMap | None
    identity: Hashable
    obj: Any = None
    size: int = 0


@attrs.frozen
class Found:
    """What was found of some keys, and the capacity units that it cost.

    Attributes:
        items: The items, by identity.
        consumed: 0 where the engine does not say.
        late: The keys that were left, and are to wait for their partitions.
        cause: Why.
    """

    items: dict[Hashable, StoredItem] = attrs.field(factory=dict)
    consumed: float = 0.0
    late: dict[Partition, list[Late]] = attrs.field(factory=dict)
    cause: DynattrsError | None = None


class BatchGet(Source, Generic[R]):
    """The items of many keys, in chunks, each key once."""

    def __init__(
        self,
        core: Core,
        table: str,
        keys: Iterable[WantedKey],
        read: Callable[[Any], R],
        *,
        skip: Callable[[StoredItem], bool] | None = None,
        consistent: bool,
        ordered: bool,
        none_for_missing: bool,
        before: Callable[[], Flow[None]],
        decode: Decode | None = None,
        model: str = "",
    ) -> None:
        self._core = core
        #: Its name, for those who look at it.
        self.model = model
        self._table = table
        self._chunks = _chunks(table, keys, self._holds)
        self._read = read
        self._skip = skip
        self._consistent = consistent
        self._ordered = ordered
        self._none_for_missing = none_for_missing
        self._before = before
        self._decode = decode
        self._begun = False
        self._under_way: deque[_Fetching] = deque()
        #: Keys of partitions that take no more for now. Where results keep the order of the keys, the
        #: others wait for them anyway.
        self._lanes: Lanes[Late] = Lanes(limits.BATCH_GET_ITEMS)
        self._in_order = ordered or none_for_missing
        self._heard = float("-inf")
        #: The keys without an item, as they were given; complete at the end.
        self.missing: list[Any] = []

    @failing_again
    def next(self) -> Flow[list[R | None] | None]:
        """The items of the next chunk, or None at the end."""
        if not self._begun:
            yield from self._before()
            self._begun = True
        while True:
            wait = 0.0
            while len(self._under_way) < self._core.concurrency:
                chunk, since, wait = self._late()
                if chunk is None and not self._lanes.is_full():
                    chunk = next(self._chunks, None)
                if not chunk:
                    break
                if not self._under_way and len(chunk) < limits.BATCH_GET_ITEMS:
                    # The last and only one: no thread, no task.
                    try:
                        found = yield from self._fetch(chunk, since)
                    except BaseException:
                        self._again([chunk])
                        raise
                    return self._results(chunk, found, since)
                task = yield Start(self._fetch(chunk, since))
                self._under_way.append(_Fetching(chunk, since, task))
            if self._under_way:
                break
            if not self._lanes:
                return None
            yield Pause(wait)
        fetching = self._under_way[0]
        try:
            if self._lanes:  # those of the lanes may take long
                task = yield WaitAny(tuple(each.task for each in self._under_way))
                fetching = next(each for each in self._under_way if each.task is task)
            found = yield Wait(fetching.task)
        except BaseException:
            # Nothing runs on after an interruption. Asked again, all are fetched again.
            self._again([each.chunk for each in self._under_way])
            self._forget()
            raise
        self._under_way.remove(fetching)
        return self._results(fetching.chunk, found, fetching.since)

    def _late(self) -> tuple[list[WantedKey] | None, float | None, float]:
        """The keys of partitions that may be asked now, and since when they wait; or how long there are
        none.

        Raises:
            Throttled: Nothing has come for as long as the deadline is.
        """
        self._lanes.close_empty()
        if not self._lanes:
            return None, None, 0.0
        environment, patience = self._core.environment, self._core.deadline.total_seconds()
        now = environment.monotonic()
        for lane in self._lanes.by_partition.values():
            if lane.writes and max(lane.since, self._heard) + patience <= now:
                raise lane.cause
        found = self._lanes.next(self._core.hot_reads, now, environment.random(), {})
        if not isinstance(found, list):
            return None, None, found
        since = self._lanes.began(found)
        self._lanes.take(found)
        return [each.wanted for each in found], max(since, self._heard), 0.0

    def _holds(self, key: WantedKey, which: Hashable) -> bool:
        """Let a key wait if its partition takes no more for now; whether it does."""
        if not self._lanes:
            return False
        late = Late(key, key.stored, which)
        lane = self._lanes.lane_of(late)
        if lane is None:
            return False
        self._lanes.put(lane, late)
        return True

    def _fetch(self, chunk: list[WantedKey], since: float | None) -> Flow[Found]:
        return fetch(
            self._core, self._table, chunk, self._consistent, self._decode, since=since,
            late=not self._in_order,
        )  # fmt: skip

    def close(self) -> None:
        """Forget what is being fetched, without waiting for it."""
        self._forget()
        self._lanes.clear()
        self._chunks = iter(())

    def _again(self, chunks: list[list[WantedKey]]) -> None:
        self._chunks = itertools.chain(chunks, self._chunks)

    def _forget(self) -> None:
        for each in self._under_way:
            each.task.cancel()
        self._under_way.clear()

    def _results(
        self, chunk: list[WantedKey], answer: Found, since: float | None
    ) -> list[R | None]:
        found = answer.items
        wanted = {identity(self._table, key.stored): key for key in chunk}
        now = self._core.environment.monotonic()
        if since is not None:
            self._lanes.ended([_late(self._table, key) for key in chunk])
        if found:
            self._heard = now
        for partition, group in answer.late.items():
            assert answer.cause is not None
            lane = self._lanes.open(partition, now, answer.cause)
            for late in group:
                self._lanes.put(lane, late)
                del wanted[late.identity]
        if self._skip is not None:
            found = {which: item for which, item in found.items() if not self._skip(item)}
        absent = [key.given for which, key in wanted.items() if which not in found]
        self.missing += absent
        results: list[R | None] = []
        if self._ordered or self._none_for_missing:
            for which in wanted:
                item = found.get(which)
                if item is not None:
                    results.append(self._read(item))
                elif self._none_for_missing:
                    results.append(None)
            return results
        results.extend(self._read(item) for item in found.values())
        return results


@attrs.frozen(eq=False)
class _Fetching:
    """Keys that are being fetched, and since when they wait for their partitions, if they do."""

    chunk: list[WantedKey]
    since: float | None
    task: Task


def _late(table: str, key: WantedKey) -> Late:
    return Late(key, key.stored, identity(table, key.stored))


def _chunks(
    table: str, keys: Iterable[WantedKey], holds: Callable[[WantedKey, Hashable], bool]
) -> Iterator[list[WantedKey]]:
    """Lists of 100 keys, without those that are held. There is one after a thousand of these at the
    latest, which then is shorter.
    """
    seen: set[Hashable] = set()
    chunk: list[WantedKey] = []
    held = 0
    for key in keys:
        which = identity(table, key.stored)
        if which in seen:
            continue
        seen.add(which)
        if holds(key, which):
            held += 1
        else:
            chunk.append(key)
        if len(chunk) == limits.BATCH_GET_ITEMS or held == _HELD:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def fetch(
    core: Core,
    table: str,
    chunk: list[WantedKey],
    consistent: bool,
    decode: Decode | None = None,
    *,
    since: float | None = None,
    late: bool = False,
) -> Flow[Found]:
    """The items of at most 100 keys; keys that were left unprocessed are asked again.

    Args:
        core: The session's.
        table: The real name of the table.
        chunk: The keys.
        consistent: Whether what was written before is seen for sure.
        decode: Reads the reply.
        since: When something came last, if the keys have waited for their partitions.
        late: Leave keys of hot partitions for later.

    Raises:
        Throttled: Nothing has come for as long as the deadline is.
    """
    environment = core.environment
    patience = core.deadline.total_seconds()
    until = (environment.monotonic() if since is None else since) + patience
    names = list(chunk[0].stored)
    wanted = chunk
    found: dict[Hashable, StoredItem] = {}
    waiting: dict[Partition, list[Late]] = {}
    consumed = 0.0
    attempt = 0
    cause: DynattrsError | None = None
    while wanted:
        request: Message = {"Keys": [key.stored for key in wanted]}
        if consistent:
            request["ConsistentRead"] = True
        items: list[StoredItem] = []
        left = wanted
        try:
            parameters = {"RequestItems": {table: request}}
            response = yield Call("batch_get_item", parameters, deadline=until, decode=decode)
        except PASSING as error:
            cause = error
        else:
            items = [item for each in response.get("Responses", {}).values() for item in each]
            costs = response.get("ConsumedCapacity") or ()
            consumed += sum(each.get("CapacityUnits", 0.0) for each in costs)
            left = _left(table, wanted, response.get("UnprocessedKeys") or {})
            cause = Throttled(
                "BatchGetItem", "UnprocessedKeys", f"{len(left)} keys were left unprocessed", table
            )
        for item in items:
            found[identity(table, {name: item[name] for name in names})] = item
        now = environment.monotonic()
        if not left:
            if since is not None:
                asked = [_late(table, key) for key in wanted]
                core.hot_reads.took(asked, now, environment.random())
            break
        if items:
            until, attempt = now + patience, 0
        else:
            attempt += 1
        if now >= until:
            raise cause
        if late and isinstance(cause, Throttled):
            hot = _hot(core, table, wanted, left, now, again=wanted is not chunk)
            for partition, group in hot.items():
                core.tell_hot(partition, len(group), "BatchGetItem", cause)
                waiting.setdefault(partition, []).extend(group)
            held = {each.identity for group in hot.values() for each in group}
            left = [key for key in left if identity(table, key.stored) not in held]
        wanted = left
        if wanted:
            yield core.pause_before(attempt, "BatchGetItem", (table,), len(left), cause, until)
    return Found(found, consumed, waiting, cause)


def _left(table: str, wanted: list[WantedKey], left: Message) -> list[WantedKey]:
    """The keys that an answer has left."""
    keys = {
        identity(table, native_map(key)): native_map(key)
        for each in left.values()
        for key in each["Keys"]
    }
    if not keys:
        return []
    known = [key for key in wanted if keys.pop(identity(table, key.stored), None) is not None]
    return known + [WantedKey(None, key) for key in keys.values()]


def _hot(
    core: Core,
    table: str,
    wanted: list[WantedKey],
    left: list[WantedKey],
    now: float,
    *,
    again: bool,
) -> dict[Partition, list[Late]]:
    """Those of the keys that an answer has left that are to wait for their partitions."""
    asked, missed = ([_late(table, key) for key in keys] for keys in (wanted, left))
    return core.hot_reads.hot(asked, missed, now, core.environment.random(), again=again)


def whole_items(
    core: Core,
    info: ModelInfo,
    decode: Decode | None,
    consistent: bool,
    places: list[StoredItem],
) -> Flow[tuple[list[tuple[StoredItem, StoredItem]], float]]:
    """The whole items behind what an index has of them, each with that, in its order, and the capacity
    units that they cost. What was deleted since is left out.
    """
    table = core.table_name(info.table)
    pairs: list[tuple[StoredItem, StoredItem]] = []
    consumed = 0.0
    for start in range(0, len(places), limits.BATCH_GET_ITEMS):
        some = places[start : start + limits.BATCH_GET_ITEMS]
        # No rows are made of what an index lacks attributes of.
        keys = [key_in(info, cast("AttributeMap", place)) for place in some]
        chunk = [WantedKey(None, key) for key in keys]
        found = yield from fetch(core, table, chunk, consistent, decode)
        consumed += found.consumed
        for key, place in zip(keys, some, strict=True):
            item = found.items.get(identity(table, key))
            if item is not None:
                pairs.append((item, place))
    return pairs, consumed
