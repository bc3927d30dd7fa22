"""Many items by their keys: 100 to a BatchGetItem, several requests in flight.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar, cast

import attrs

from dynattrs import limits
from dynattrs.errors import DynattrsError, Throttled
from dynattrs.mapper.anything import native_map
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Decode, Flow, Start, Task, Wait
from dynattrs.operations.item_keys import identity, key_in
from dynattrs.operations.reading.pages import Source, failing_again
from dynattrs.operations.refusals import PASSING
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, StoredItem

R = TypeVar("R")


@attrs.frozen
class WantedKey:
    """A key as the caller gave it, and as it is stored."""

    given: Any
    stored: AttributeMap


@attrs.frozen
class Found:
    """What was found of some keys, and the capacity units that it cost.

    Attributes:
        items: The items, by identity.
        consumed: 0 where the engine does not say.
    """

    items: dict[Hashable, StoredItem] = attrs.field(factory=dict)
    consumed: float = 0.0


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
    ) -> None:
        self._core = core
        self._table = table
        self._chunks = _chunks(table, keys)
        self._read = read
        self._skip = skip
        self._consistent = consistent
        self._ordered = ordered
        self._none_for_missing = none_for_missing
        self._before = before
        self._decode = decode
        self._begun = False
        self._under_way: deque[tuple[list[WantedKey], Task]] = deque()
        #: The keys without an item, as they were given; complete at the end.
        self.missing: list[Any] = []

    @failing_again
    def next(self) -> Flow[list[R | None] | None]:
        """The items of the next chunk, or None at the end."""
        if not self._begun:
            yield from self._before()
            self._begun = True
        while len(self._under_way) < self._core.concurrency:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            if not self._under_way and len(chunk) < limits.BATCH_GET_ITEMS:
                # The last and only one: no thread, no task.
                try:
                    found = yield from self._fetch(chunk)
                except BaseException:
                    self._again([chunk])
                    raise
                return self._results(chunk, found.items)
            self._under_way.append((chunk, (yield Start(self._fetch(chunk)))))
        if not self._under_way:
            return None
        chunk, task = self._under_way[0]
        try:
            found = yield Wait(task)
        except BaseException:
            # Nothing runs on after an interruption. Asked again, all are fetched again.
            self._again([each for each, _ in self._under_way])
            self._forget()
            raise
        self._under_way.popleft()
        return self._results(chunk, found.items)

    def _fetch(self, chunk: list[WantedKey]) -> Flow[Found]:
        return fetch(self._core, self._table, chunk, self._consistent, self._decode)

    def close(self) -> None:
        """Forget what is being fetched, without waiting for it."""
        self._forget()
        self._chunks = iter(())

    def _again(self, chunks: list[list[WantedKey]]) -> None:
        self._chunks = itertools.chain(chunks, self._chunks)

    def _forget(self) -> None:
        for _, task in self._under_way:
            task.cancel()
        self._under_way.clear()

    def _results(self, chunk: list[WantedKey], found: dict[Hashable, StoredItem]) -> list[R | None]:
        wanted = {identity(self._table, key.stored): key for key in chunk}
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


def _chunks(table: str, keys: Iterable[WantedKey]) -> Iterator[list[WantedKey]]:
    seen: set[Hashable] = set()
    chunk: list[WantedKey] = []
    for key in keys:
        which = identity(table, key.stored)
        if which in seen:
            continue
        seen.add(which)
        chunk.append(key)
        if len(chunk) == limits.BATCH_GET_ITEMS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def fetch(
    core: Core,
    table: str,
    chunk: list[WantedKey],
    consistent: bool,
    decode: Decode | None = None,
) -> Flow[Found]:
    """The items of at most 100 keys; keys that were left unprocessed are asked again.

    Raises:
        Throttled: Nothing has come for as long as the deadline is.
    """
    environment = core.environment
    patience = core.deadline.total_seconds()
    until = environment.monotonic() + patience
    names = list(chunk[0].stored)
    keys = [key.stored for key in chunk]
    found: dict[Hashable, StoredItem] = {}
    consumed = 0.0
    attempt = 0
    while keys:
        request: Message = {"Keys": keys}
        if consistent:
            request["ConsistentRead"] = True
        cause: DynattrsError
        items: list[StoredItem] = []
        try:
            parameters = {"RequestItems": {table: request}}
            response = yield Call("batch_get_item", parameters, deadline=until, decode=decode)
        except PASSING as error:
            cause = error
        else:
            items = [item for each in response.get("Responses", {}).values() for item in each]
            costs = response.get("ConsumedCapacity") or ()
            consumed += sum(each.get("CapacityUnits", 0.0) for each in costs)
            left = response.get("UnprocessedKeys") or {}
            keys = [native_map(key) for each in left.values() for key in each["Keys"]]
            cause = Throttled(
                "BatchGetItem", "UnprocessedKeys", f"{len(keys)} keys were left unprocessed", table
            )
        for item in items:
            found[identity(table, {name: item[name] for name in names})] = item
        if not keys:
            break
        now = environment.monotonic()
        if items:
            until, attempt = now + patience, 0
        else:
            attempt += 1
        if now >= until:
            raise cause
        yield core.pause_before(attempt, "BatchGetItem", (table,), len(keys), cause, until)
    return Found(found, consumed)


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
