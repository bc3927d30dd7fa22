"""Items written into a table exactly as they are: unknown attributes, versions and guards as they were.

Without a condition they go in batches. Where an item may be there already, each is a put of its own under a
condition, and one of a model with unique fields is a transaction with its guards. Everything may be done
twice: what is there already, equal, counts as unchanged.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, get_args

import attrs

from dynattrs.errors import (
    AlreadyTaken,
    InvalidRequest,
    MappingError,
    ModelError,
    UnsentWrites,
)
from dynattrs.jobs.conditional_writes import Overwrite, RawItem, age_of, put, put_with_guards
from dynattrs.keys.discriminator import Sieve
from dynattrs.mapper.anything import native, native_map
from dynattrs.mapper.codec import Refused
from dynattrs.mapper.departures import Kept, Waiting, map_of
from dynattrs.mapper.equality import comparable, same
from dynattrs.mapper.size import TooDeep, item_size
from dynattrs.models.hooks import NO_HOOKS
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow
from dynattrs.operations.writing import batch, beside
from dynattrs.operations.writing.buffer import Buffer, write_by_key
from dynattrs.operations.writing.unique_items import names_of_guards
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo, models_in
from dynattrs.schema.table import AttributeMap, Table
from dynattrs.session.session import Session

#: What says nothing of other items.
_OF_THE_ITEM: Final = (AlreadyTaken, InvalidRequest, MappingError)
#: How an attribute map that is none is met.
_MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError, Refused)
#: So many items are gathered at once. A batch ends when many of it fail.
_AT_ONCE: Final = 500

#: Items or keys with their places.
Placed: TypeAlias = "Sequence[tuple[int, AttributeMap]]"


@attrs.define
class Written:
    """What has become of some items.

    Attributes:
        counts: How many were `written` or `deleted`, were `unchanged`, were `skipped` because there is
            another item, were `replaced` by a later one of those that were given, or are `guards` that were
            written with their items.
        units: The write units that it has cost.
        read_units: The read units.
        replaced: Items that were not written because a later one, with other attributes, has their key:
            their places, and those of the later ones.
        failures: Items that the service refuses, that no table can hold, or that have a unique value of
            another one, by their places among those that were given.
    """

    counts: dict[str, int] = attrs.field(factory=dict)
    units: float = 0.0
    read_units: float = 0.0
    failures: dict[int, Exception] = attrs.field(factory=dict)
    replaced: dict[int, int] = attrs.field(factory=dict)
    # Several writes are under way at once.
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def fail(self, place: int, error: BaseException) -> None:
        """Note what an item has failed with.

        Raises:
            BaseException: It says something of the others as well.
        """
        if not isinstance(error, _OF_THE_ITEM):
            raise error
        with self._lock:
            self.failures[place] = error


def check_overwrite(overwrite: object, infos: Iterable[ModelInfo], owner: str) -> None:
    """Refuse what is no way to treat items that are there.

    Raises:
        ModelError: It is none; or nothing says which of two items is the newer one.
    """
    if overwrite not in get_args(Overwrite):
        known = ", ".join(map(repr, get_args(Overwrite)))
        raise ModelError(owner, f"overwrite={overwrite!r}: expected one of {known}")
    if overwrite == "newer":
        for info in infos:
            if age_of(info) is None:
                raise ModelError(
                    owner,
                    f"overwrite='newer': {info.name} has neither a version nor an update time, so nothing "
                    f"tells which of two items is newer; declare field(version=True), or say 'always' or "
                    f"'absent'",
                )


class RawWrites:
    """Writes raw items into a table. Hooks of the session are not called.

    Args:
        session: Writes.
        table: The declared table.
        overwrite: What becomes of items that are there.
        guarded: Whether items may come without their guards: then these are made.
        owner: Who writes, for messages: `copy()`.
    """

    def __init__(
        self, session: Session, table: Table, overwrite: Overwrite, *, guarded: bool, owner: str
    ) -> None:
        self._session = session
        self._table = table
        self._name = session._core.table_name(table)
        self._overwrite: Overwrite = overwrite
        self._owner = owner
        members = models_in(table)
        self._sieve = Sieve(members) if members else None
        self._by_guards = guarded or overwrite != "always"
        #: What guards have as their attribute that are made of items.
        self._made: set[str] = set()
        if self._by_guards:
            self._made = {name for info in members for name in names_of_guards(info)}

    def write(self, items: Sequence[AttributeMap], deletes: Sequence[AttributeMap] = ()) -> Written:
        """Put items, and delete those with some keys, and wait until all is stored.

        Args:
            items: Attribute maps. Of two with one key the last one counts where what is there is replaced
                always; else they are written one after the other.
            deletes: Primary keys.

        Raises:
            DynattrsError: The service cannot be reached, the table does not exist, or it throttles too long.
                Some may be written.
        """
        done = Written()
        placed = [*enumerate(items)]
        if self._overwrite == "always":
            placed = self._last_of_each_key(placed, done)
        with self._session.measure() as cost:
            core = copy.copy(cost._core)
            core.hooks = NO_HOOKS  # it is told of objects, and these are none
            for start in range(0, len(placed), _AT_ONCE):
                self._gathered(cost, core, placed[start : start + _AT_ONCE], (), done)
            if deletes:
                self._gathered(cost, core, (), [*enumerate(deletes, len(items))], done)
        done.units, done.read_units = cost.write_units, cost.read_units
        return done

    def _last_of_each_key(
        self, placed: list[tuple[int, AttributeMap]], done: Written
    ) -> list[tuple[int, AttributeMap]]:
        """The items whose keys no later ones have. A batch would leave the others out without a word."""
        last: dict[Hashable, int] = {}
        earlier: list[tuple[int, Hashable]] = []
        for place, item in placed:
            try:
                key: Hashable = tuple(comparable(item[name]) for name in self._table.key)
                if key in last:
                    earlier.append((last[key], key))
                last[key] = place
            except (*_MALFORMED, ArithmeticError):
                continue  # it is refused when it is written
        if not earlier:
            return placed
        items = dict(placed)
        for place, key in earlier:
            later = last[key]
            if _is_same(*(_as_stored(items[each], self._name) for each in (place, later))):
                done.count("unchanged")
            else:
                done.count("replaced")
                done.replaced[place] = later
        left_out = {place for place, _ in earlier}
        return [each for each in placed if each[0] not in left_out]

    def _gathered(
        self, handle: Any, core: Core, items: Placed, deletes: Placed, done: Written
    ) -> None:
        buffer = Buffer()
        gathering = self._gather(core, buffer, items, deletes, done)
        try:
            handle._drive(batch.gathered(core, buffer, gathering))
        except UnsentWrites as unsent:
            for each in unsent.unsent:
                done.fail(each.object, each.cause)

    def _gather(
        self,
        core: Core,
        buffer: Buffer,
        items: Placed,
        deletes: Placed,
        done: Written,
    ) -> Flow[None]:
        for place, item in items:
            try:
                yield from self._put(core, buffer, place, item, done)
            except MappingError as error:
                done.fail(place, error)
        for place, key in deletes:
            request = {"DeleteRequest": {"Key": key}}
            write = write_by_key(self._name, key, request, 100, place, "delete")
            write.acknowledged = lambda: done.count("deleted")
            yield from batch.gather(core, buffer, write, going_on=True)

    def _put(
        self, core: Core, buffer: Buffer, place: int, item: AttributeMap, done: Written
    ) -> Flow[None]:
        item, size = self._measured(item)
        guard = item.get(GUARD_ATTRIBUTE)
        if guard is not None and guard.get("S") in self._made:
            done.count("guards")  # written with its item
            return
        info = self._info(item) if self._by_guards and guard is None else None
        raw = RawItem(
            self._table, item, info, self._overwrite, self._owner, _as_stored(item, self._name)
        )
        request = {"PutRequest": {"Item": item}}
        write = write_by_key(self._name, raw.key, request, size, place, "save")
        guarding = info is not None and bool(info.guarding)
        if self._overwrite == "always" and not guarding:
            write.acknowledged = lambda: done.count("written")
            yield from batch.gather(core, buffer, write, going_on=True)
            return

        def send(until: float) -> Flow[None]:
            try:
                if info is not None and guarding:
                    done.count((yield from put_with_guards(core, info, raw)))
                else:
                    done.count((yield from put(core, raw, until)))
            except _OF_THE_ITEM as error:  # others go on
                done.fail(place, error)

        yield from beside.gather_beside(core, buffer, write, send)

    def _measured(self, item: AttributeMap) -> tuple[AttributeMap, int]:
        """An item as it is sent, with its size.

        Raises:
            MappingError: It is no attribute map, or the table cannot hold it.
        """
        try:
            item = _sendable(item)
            size = item_size(item)
        except _MALFORMED as error:
            place, found = _malformed(item)
            raise MappingError(
                f"{self._owner}{place}", "an attribute map, such as {'name': {'S': 'Nina'}}", found
            ) from error
        except TooDeep as error:
            key = {name: item[name] for name in self._table.key if name in item}
            raise MappingError(
                self._owner, "lists and maps of 32 levels at most", "more", key
            ) from error
        for name in self._table.key:
            kind, value = self._table.type_of(name), item.get(name)
            if value is None or kind not in value:
                raise MappingError(
                    self._owner, f"an item with the key attribute {name!r}, of type {kind}",
                    "none" if value is None else f"one of type {next(iter(value))}",
                    hint=f"table {self._table.name!r} cannot hold it",
                )  # fmt: skip
        return item, size

    def _info(self, item: AttributeMap) -> ModelInfo | None:
        try:
            return None if self._sieve is None else self._sieve.model_of(item)
        except MappingError:
            return None


def _as_stored(item: AttributeMap, table: str) -> AttributeMap:
    """An item with the maps that stand for values on their way into S3."""
    stored = {}
    for name, value in item.items():
        there = value.get("B", value.get("M"))
        place = there.place(table) if isinstance(there, (Waiting, Kept)) else None
        if place is not None:
            stored[name] = {"M": map_of(place)}
    return {**item, **stored}


def _sendable(item: AttributeMap) -> AttributeMap:
    """An item with bytes where the wire has base64 text. What is on its way into S3 stays: the session puts
    it there before the item.
    """
    leaving = {
        name: value
        for name, value in item.items()
        if type(value.get("B")) is Waiting or type(value.get("M")) is Kept
    }
    if not leaving:
        return native_map(item)
    return {name: leaving.get(name) or native(value) for name, value in item.items()}


def _is_same(one: AttributeMap, other: AttributeMap) -> bool:
    try:
        return same(one, other)
    except (*_MALFORMED, ArithmeticError):
        return False


def _malformed(item: Any) -> tuple[str, str]:
    """Which attribute is none, and of what types it is made: its values may be secret."""
    if not isinstance(item, Mapping):
        return "", type(item).__name__
    for name, value in item.items():
        try:
            item_size(_sendable({name: value}))
        except _MALFORMED:
            if not isinstance(value, Mapping):
                return f"[{name!r}]", type(value).__name__
            parts = ", ".join(f"{tag!r}: {type(inside).__name__}" for tag, inside in value.items())
            return f"[{name!r}]", f"{{{parts}}}"
    return "", "something else"
