"""Many items by their keys: 100 to a BatchGetItem, several requests in flight.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import attrs

from dynattrs import limits
from dynattrs.errors import CorruptReply, DynattrsError, MappingError, QueryError, Throttled
from dynattrs.mapper.anything import native_map
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Decode, Flow, Pause, Start, Task, Wait, WaitAny
from dynattrs.operations.item_keys import identity, is_class_of, key_in, key_of, pair_of
from dynattrs.operations.reading.pages import Source, failing_again
from dynattrs.operations.refusals import PASSING
from dynattrs.operations.requests import asking_for
from dynattrs.operations.writing.lanes import Lanes
from dynattrs.operations.writing.partitions import Partition
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap, StoredItem

if TYPE_CHECKING:
    from dynattrs.operations.reading.projections import OnError

R = TypeVar("R")

#: So many keys may be put into lanes before it is looked whether these are full.
_HELD: Final = 1000


@attrs.frozen(eq=False)
class Subject:
    """What is asked of the items of one model.

    Attributes:
        model: The model.
        table: The real name of its table.
        read: Makes a result of an item.
        finish: What the result goes through then: hooks.
        skip: Whether an item counts as missing.
        needs: The attributes that are asked for; None is whole items.
        decode: Reads a reply that has items of this model only.
    """

    model: object
    table: str
    read: Callable[[Any], Any] = lambda item: item
    finish: Callable[[Any], Any] | None = None
    skip: Callable[[StoredItem], bool] | None = None
    needs: frozenset[str] | None = None
    decode: Decode | None = None

    @property
    def shown(self) -> str:
        """The model, for messages."""
        return self.model.__name__ if isinstance(self.model, type) else str(self.model)


@attrs.define(eq=False)
class WantedKey:
    """A key as the caller gave it, and as it is stored; and what it is the key of."""

    given: Any
    stored: AttributeMap
    subject: Subject
    identity: Hashable = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.identity = identity(self.subject.table, self.stored)


def of_one(info: ModelInfo, keys: Any, subject: Subject) -> Iterator[WantedKey]:
    """The keys of one model. A dict may have them as its own keys, and is one itself with the fields'.

    Raises:
        QueryError: One key was given, and not several.
    """
    is_one = isinstance(keys, (str, bytes, bytearray)) or not isinstance(keys, Iterable)
    if is_one or (isinstance(keys, Mapping) and keys and keys.keys() <= {*info.key_fields}):
        raise QueryError(
            f"get_many({info.name}, {quoted(keys)}): several keys are expected, as [key, ...]; for one "
            f"key use get(...)"
        )
    return (WantedKey(key, key_of(info, key), subject) for key in keys)


def of_several(
    wanted: Any, subject_of: Callable[[ModelInfo, object], Subject]
) -> Iterator[WantedKey]:
    """The keys of `[(User, key), (Order, key)]`.

    Raises:
        QueryError: Something else was given.
        ModelError: (the iterator) Something that is not a model stands before a key.
    """
    if is_class_of(wanted) or not isinstance(wanted, Iterable):
        raise QueryError(
            f"get_many({quoted(wanted)}): keys are missing; write get_many(Song, keys), or "
            f"get_many([(Song, key), (Album, key)])"
        )
    return _of_several(wanted, subject_of)


def _of_several(
    wanted: Iterable[Any], subject_of: Callable[[ModelInfo, object], Subject]
) -> Iterator[WantedKey]:
    known: dict[object, tuple[ModelInfo, Subject]] = {}
    for each in wanted:
        model, key = pair_of(each, "get_many")
        found = model_info(model)
        if model not in known:
            known[model] = found, subject_of(found, model)
        info, subject = known[model]
        yield WantedKey(each, key_of(info, key), subject)


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
        keys: Iterable[WantedKey],
        *,
        consistent: bool,
        ordered: bool,
        none_for_missing: bool,
        before: Callable[[Iterable[Hashable]], Flow[None]],
        what: str = "",
    ) -> None:
        self._core = core
        #: What was asked for, for those who look at it.
        self.what = what
        self._chunks = _chunks(keys, self._holds)
        #: What to do with an item that cannot be read.
        self.on_error: OnError = "raise"
        self._consistent = consistent
        self._ordered = ordered
        self._none_for_missing = none_for_missing
        #: Stores what is pending for some keys.
        self._before = before
        self.begun = False
        self._under_way: deque[_Fetching] = deque()
        #: Keys of partitions that take no more for now. Where results keep the order of the keys, the
        #: others wait for them anyway.
        self._lanes: Lanes[Late] = Lanes(limits.BATCH_GET_ITEMS)
        self._in_order = ordered or none_for_missing
        self._heard = float("-inf")
        #: The keys without an item, as they were given; complete at the end.
        self.missing: list[Any] = []

    @failing_again
    def next(self) -> Flow[list[R] | None]:
        """The items of the next chunk, or None at the end."""
        self.begun = True
        while True:
            wait = 0.0
            while len(self._under_way) < self._core.concurrency:
                chunk, since, wait = self._late()
                if chunk is None and not self._lanes.is_full():
                    chunk = next(self._chunks, None)
                if not chunk:
                    break
                yield from self._settle(chunk)
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

    def _settle(self, chunk: list[WantedKey]) -> Flow[None]:
        """Store what is pending for the keys of a chunk, so that it is read."""
        try:
            yield from self._before(key.identity for key in chunk)
        except BaseException:
            self._again([chunk])
            raise

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
        return fetch(self._core, chunk, self._consistent, since=since, late=not self._in_order)

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

    def _results(self, chunk: list[WantedKey], answer: Found, since: float | None) -> list[R]:
        found = answer.items
        wanted = {key.identity: key for key in chunk}
        now = self._core.environment.monotonic()
        if since is not None:
            self._lanes.ended([_late(key) for key in chunk])
        if found:
            self._heard = now
        for partition, group in answer.late.items():
            assert answer.cause is not None
            lane = self._lanes.open(partition, now, answer.cause)
            for late in group:
                self._lanes.put(lane, late)
                del wanted[late.identity]
        if any(key.subject.skip is not None for key in chunk):
            found = {
                which: item
                for which, item in found.items()
                if (skip := wanted[which].subject.skip) is None or not skip(item)
                if which in wanted
            }
        self.missing += [key.given for which, key in wanted.items() if which not in found]
        results: list[Any] = []
        raises = self.on_error == "raise"
        for which in wanted if self._in_order else found:
            item, key = found.get(which), wanted.get(which)
            if item is None or key is None:
                if self._none_for_missing:
                    results.append(None)
            elif raises and key.subject.finish is None:
                results.append(key.subject.read(item))
            else:
                results += self._read(key.subject, item)
        return results

    def _read(self, subject: Subject, item: StoredItem) -> tuple[Any, ...]:
        """What is read of an item; nothing, or None in its place, if that cannot be read."""
        try:
            result = subject.read(item)
        except MappingError as error:
            if self.on_error == "raise":
                raise
            if callable(self.on_error):
                self.on_error(error)
            return (None,) if self._none_for_missing else ()
        # What a hook raises does not make an item unreadable.
        return (result if subject.finish is None else subject.finish(result),)


@attrs.frozen(eq=False)
class _Fetching:
    """Keys that are being fetched, and since when they wait for their partitions, if they do."""

    chunk: list[WantedKey]
    since: float | None
    task: Task


def _late(key: WantedKey) -> Late:
    return Late(key, key.stored, key.identity)


def _chunks(
    keys: Iterable[WantedKey], holds: Callable[[WantedKey, Hashable], bool]
) -> Iterator[list[WantedKey]]:
    """Lists of 100 keys, without those that are held. There is one after a thousand of these at the
    latest, which then is shorter.

    Raises:
        QueryError: One item is asked for as two models.
    """
    seen: dict[Hashable, Subject] = {}
    chunk: list[WantedKey] = []
    held = 0
    for key in keys:
        which = key.identity
        earlier = seen.get(which)
        if earlier is not None:
            if earlier is not key.subject:
                raise QueryError(
                    f"get_many: the item with the key {quoted(key.given[1])} is asked for as "
                    f"{earlier.shown} and as {key.subject.shown}; ask for it once, as the model that "
                    f"it is of"
                )
            continue
        seen[which] = key.subject
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
    chunk: list[WantedKey],
    consistent: bool,
    *,
    since: float | None = None,
    late: bool = False,
) -> Flow[Found]:
    """The items of at most 100 keys; keys that were left unprocessed are asked again.

    Args:
        core: The session's.
        chunk: The keys, of one table or of several.
        consistent: Whether what was written before is seen for sure.
        since: When something came last, if the keys have waited for their partitions.
        late: Leave keys of hot partitions for later.

    Raises:
        Throttled: Nothing has come for as long as the deadline is.
    """
    environment = core.environment
    patience = core.deadline.total_seconds()
    until = (environment.monotonic() if since is None else since) + patience
    wanted = chunk
    found: dict[Hashable, StoredItem] = {}
    waiting: dict[Partition, list[Late]] = {}
    consumed = 0.0
    attempt = 0
    cause: DynattrsError | None = None
    decode = chunk[0].subject.decode
    if any(key.subject.decode is not decode for key in chunk):
        decode = None
    while wanted:
        by_table = _by_table(wanted)
        tables = tuple(by_table)
        only = tables[0] if len(tables) == 1 else None
        items = 0
        left = wanted
        try:
            parameters = {"RequestItems": _request_items(by_table, consistent)}
            response = yield Call("batch_get_item", parameters, deadline=until, decode=decode)
        except PASSING as error:
            cause = error
        else:
            for said, some in response.get("Responses", {}).items():
                table = _table_of(said, tables)
                names = list(by_table[table][0].stored)
                for item in some:
                    found[identity(table, {name: item[name] for name in names})] = item
                items += len(some)
            costs = response.get("ConsumedCapacity") or ()
            consumed += sum(each.get("CapacityUnits", 0.0) for each in costs)
            left = _left(by_table, wanted, response.get("UnprocessedKeys") or {})
            problem = f"{len(left)} keys were left unprocessed"
            cause = Throttled("BatchGetItem", "UnprocessedKeys", problem, only)
        now = environment.monotonic()
        if not left:
            if since is not None:
                asked = [_late(key) for key in wanted]
                core.hot_reads.took(asked, now, environment.random())
            break
        if items:
            until, attempt = now + patience, 0
        else:
            attempt += 1
        if now >= until:
            raise cause
        if late and isinstance(cause, Throttled):
            hot = _hot(core, wanted, left, now, again=wanted is not chunk)
            for partition, group in hot.items():
                core.tell_hot(partition, len(group), "BatchGetItem", cause)
                waiting.setdefault(partition, []).extend(group)
            held = {each.identity for group in hot.values() for each in group}
            left = [key for key in left if key.identity not in held]
        wanted = left
        if wanted:
            yield core.pause_before(
                attempt, "BatchGetItem", _by_table(left), len(left), cause, until
            )
    return Found(found, consumed, waiting, cause)


def _by_table(keys: list[WantedKey]) -> dict[str, list[WantedKey]]:
    found: dict[str, list[WantedKey]] = {}
    for key in keys:
        found.setdefault(key.subject.table, []).append(key)
    return found


def _request_items(by_table: dict[str, list[WantedKey]], consistent: bool) -> Message:
    """What is asked of each table: of all models that share one the same attributes."""
    made: Message = {}
    for table, keys in by_table.items():
        needs = [subject.needs for subject in {key.subject: None for key in keys}]
        known = [each for each in needs if each is not None]
        attributes = frozenset().union(*known) if len(known) == len(needs) else None
        made[table] = {"Keys": [key.stored for key in keys], **asking_for(attributes)}
        if consistent:
            made[table]["ConsistentRead"] = True
    return made


def _table_of(said: str, tables: Sequence[str]) -> str:
    """The table that a reply means, which may call one by its name that was asked by its ARN."""
    if said in tables or len(tables) == 1:
        return said if said in tables else tables[0]
    name = said.rpartition("/")[2]
    found = next((each for each in tables if each.rpartition("/")[2] == name), None)
    if found is None:
        raise CorruptReply("BatchGetItem", f"it names the table {said!r}, which was not asked for")
    return found


def _left(
    by_table: dict[str, list[WantedKey]], wanted: list[WantedKey], left: Message
) -> list[WantedKey]:
    """The keys that an answer has left."""
    keys = {}
    for said, each in left.items():
        table = _table_of(said, tuple(by_table))
        for key in each["Keys"]:
            stored = native_map(key)
            keys[identity(table, stored)] = WantedKey(None, stored, by_table[table][0].subject)
    if not keys:
        return []
    known = [key for key in wanted if keys.pop(key.identity, None) is not None]
    return known + list(keys.values())


def _hot(
    core: Core, wanted: list[WantedKey], left: list[WantedKey], now: float, *, again: bool
) -> dict[Partition, list[Late]]:
    """Those of the keys that an answer has left that are to wait for their partitions."""
    asked, missed = ([_late(key) for key in keys] for keys in (wanted, left))
    return core.hot_reads.hot(asked, missed, now, core.environment.random(), again=again)


def whole_items(
    core: Core,
    info: ModelInfo,
    decode: Decode | None,
    consistent: bool,
    places: list[StoredItem],
    needs: frozenset[str] | None = None,
) -> Flow[tuple[list[tuple[StoredItem, StoredItem]], float]]:
    """The whole items, or the attributes of them that are needed, behind what an index has of them, each
    with that, in its order, and the capacity units that they cost. What was deleted since is left out.
    """
    subject = Subject(info.cls, core.table_name(info.table), needs=needs, decode=decode)
    pairs: list[tuple[StoredItem, StoredItem]] = []
    consumed = 0.0
    for start in range(0, len(places), limits.BATCH_GET_ITEMS):
        some = places[start : start + limits.BATCH_GET_ITEMS]
        # No rows are made of what an index lacks attributes of.
        keys = [key_in(info, cast("AttributeMap", place)) for place in some]
        chunk = [WantedKey(None, key, subject) for key in keys]
        found = yield from fetch(core, chunk, consistent)
        consumed += found.consumed
        for key, place in zip(chunk, some, strict=True):
            item = found.items.get(key.identity)
            if item is not None:
                pairs.append((item, place))
    return pairs, consumed
