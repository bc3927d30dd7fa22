"""Leases: items that say who may do something, for how long, and how often that has changed hands.

A lease holds for some seconds from the moment when its holder began to write it, by the holder's own
clock. It may be taken over when its counter has stood still for as long, by the clock of who looks:
clocks of two machines are never compared. Each holder has a greater fencing number than the one before.
All writes are conditional, so a holder that was stalled for too long finds out when it writes.

As Amazon's lock client for Java does it: https://github.com/awslabs/amazon-dynamodb-lock-client
"""

from __future__ import annotations

import copy
import os
import socket
from collections.abc import Callable, Collection, Hashable
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

import attrs

from dynattrs.errors import (
    ConditionFailed,
    ConnectionFailed,
    ItemExists,
    ModelError,
    NoSuchItem,
    NoSuchTable,
    OutcomeUnknown,
    ServiceUnavailable,
    Throttled,
)
from dynattrs.expressions.updates import Action, remove, set_
from dynattrs.models.hooks import NO_HOOKS
from dynattrs.operations.context import Core, TableNames
from dynattrs.operations.flows import Environment, Flow, Stepped
from dynattrs.operations.item_keys import NO_KEY, target
from dynattrs.operations.reading import query
from dynattrs.operations.reading.query import QueryVerbs
from dynattrs.operations.reading.verbs import ReadVerbs
from dynattrs.operations.tables.verbs import TableVerbs
from dynattrs.operations.writing.verbs import WriteVerbs
from dynattrs.schema.definitions import KnownByClass
from dynattrs.schema.table import Table

M_co = TypeVar("M_co", covariant=True)
R = TypeVar("R")

#: Where leases are, unless the program gives another table's name.
LEASES = Table("dynattrs-leases", partition_key="pk", sort_key="sk", ttl="expires")

#: What may be over in a moment.
PASSING = (ConnectionFailed, OutcomeUnknown, ServiceUnavailable, Throttled)


# Without slots: checkers then know `Lease.counter` as a field's path.
@attrs.define(kw_only=True, slots=False)
class Lease:
    """What every lease says. None of its numbers has a default: where one is missing from an item, a
    program that is none of ours has changed it, and a fencing number may not begin anew.

    Attributes:
        owner: Who has it; None if it is free.
        counter: It moves with every write of the holder.
        fence: How often the lease was taken: each holder's number is greater than the one before.
        seconds: For how long it holds after each write.
    """

    owner: str | None = None
    counter: int
    fence: int
    seconds: float


#: What a new lease says. Checkers do not see the base's fields in constructors of models.
UNTAKEN: Final[dict[str, Any]] = {"counter": 0, "fence": 0, "seconds": 0.0}

L = TypeVar("L", bound=Lease)


class Holding(Generic[L]):
    """A lease that this process has, as far as it knows.

    Attributes:
        item: The lease as this process has written it last.
        until: Until when it holds, as `Environment.monotonic` counts.
        lost: Whether another one has it by now.
    """

    def __init__(self, item: L, began: float) -> None:
        self.item = item
        self.fence = item.fence
        self.counter = item.counter
        self.until = began + item.seconds
        self.lost = False

    def holds(self, now: float) -> bool:
        return not self.lost and now < self.until

    def written(self, item: L, began: float) -> None:
        # The lease may be written in two threads at once.
        self.item = item
        self.counter = max(self.counter, item.counter)
        self.until = max(self.until, began + item.seconds)


class FlowVerbs(WriteVerbs, ReadVerbs, Stepped):
    """The verbs of a session as flows, for items of the library's own: hooks of the session, and what it
    has gathered, have nothing to do with them.

    Args:
        core: The session's.
        table: A table of the library's own.
        name: How it is called, as tables are: the session's `table_prefix` and `tables` hold.
    """

    def __init__(self, core: Core, table: Table, name: str) -> None:
        own = copy.copy(core)
        own.hooks = NO_HOOKS
        own.tables = {**core.tables, table.name: core.table_names[name]}
        own.table_names = TableNames(core.table_prefix, own.tables)
        own.subjects, own.packing = KnownByClass(), KnownByClass()
        own.gathering, own.taking = {}, {}
        self._core = own
        self._buffer = None
        self._closed = None
        self._of = table

    @property
    def environment(self) -> Environment:
        return self._core.environment

    def query(self, *models: type[Any]) -> FlowQuery[Any]:
        return query.begin(FlowQuery, self, models, "query")

    def changed(self, obj: R, *actions: Action, when: bool) -> Flow[tuple[R | None, bool]]:
        """The item of an object after a change, and whether it is known that this call has changed it. Where
        the condition was false, or replies were lost, it is the item as it is, and None where there is none.
        """
        try:
            found: R = yield from self._update(
                obj, NO_KEY, actions, when=when, upsert=False, returns="new"
            )
        except (ConditionFailed, NoSuchItem, OutcomeUnknown) as error:
            item: object = getattr(error, "item", None)
            if item is None and isinstance(error, OutcomeUnknown):
                item = yield from self._as_stored(obj)
            return (item if isinstance(item, type(obj)) else None), False
        return found, True

    def _as_stored(self, obj: R) -> Flow[R | None]:
        """The item of an object, as every acknowledged write has left it."""
        info, key, _ = target(obj, NO_KEY)
        item = yield from self._get(info, key, True, info.cls)
        model: Any = type(obj)
        return None if item is None else self._made(info, model, item)

    def inserted(self, obj: Any) -> Flow[bool]:
        """Write an item where there is none yet; whether it is known that this has written it."""
        try:
            yield from self.insert(obj)
        except (ItemExists, OutcomeUnknown):
            return False
        return True

    def with_table(self, act: Callable[[], Flow[R]]) -> Flow[R]:
        """What *act* does, after the table was made where there is none."""
        try:
            return (yield from act())
        except NoSuchTable:
            yield from FlowTables(self._core).create(self._of)
        return (yield from act())


class FlowQuery(QueryVerbs[M_co], Stepped):
    """A query as flows."""


class FlowTables(TableVerbs, Stepped):
    """What can be done with tables, as flows."""

    def __init__(self, core: Core) -> None:
        self._core = core


class Leasing:
    """Takes, renews and frees leases for one owner.

    Args:
        verbs: Those of the table of the leases.
        owner: Its name, which no other one has.
        seconds: How long its leases hold.
    """

    def __init__(self, verbs: FlowVerbs, owner: str, seconds: float) -> None:
        self._verbs = verbs
        self.owner = owner
        self.seconds = seconds

    def _now(self) -> float:
        return self._verbs.environment.monotonic()

    def take(self, found: L, *actions: Action) -> Flow[Holding[L] | None]:
        """Take a lease that is free, or whose holder is gone, unless anything has happened to it since
        *found* was read; None where another one was faster.
        """
        began, lease = self._now(), type(found)
        fence = found.fence + 1
        item, _ = yield from self._verbs.changed(
            found,
            set_(lease.owner, self.owner),
            set_(lease.fence, fence),
            set_(lease.counter, found.counter + 1),
            set_(lease.seconds, self.seconds),
            *actions,
            when=(lease.counter == found.counter) & (lease.fence == found.fence),
        )
        # A reply may have been lost, and the request repeated: then the condition was false of our own.
        if item is None or item.owner != self.owner or item.fence != fence:
            return None
        return Holding(item, began)

    def write(self, held: Holding[L], *actions: Action, free: bool = False) -> Flow[bool]:
        """Write a lease that is held, which renews it, or frees it; whether it was still held.

        Whatever else its actions write is written only then.
        """
        lease = type(held.item)
        if free:
            actions = (remove(lease.owner), *actions)
        while not held.lost:
            began, counter = self._now(), held.counter
            item, done = yield from self._verbs.changed(
                held.item,
                set_(lease.counter, counter + 1),
                *actions,
                when=(lease.owner == self.owner)
                & (lease.fence == held.fence)
                & (lease.counter == counter),
            )
            if item is None or item.fence != held.fence or item.owner not in (self.owner, None):
                held.lost = True
            elif item.owner is None:  # perhaps by an attempt whose reply was lost
                held.lost = True
                return free
            elif done:
                held.written(item, began)
                return True
            else:  # another write of ours was faster, or the lost one: a second time does no harm
                held.counter = item.counter
        return False


class Watch:
    """Since when the counters of leases stand still, by the clock of who looks."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[Hashable, tuple[tuple[int, int], float]] = {}

    def is_still(self, key: Hashable, lease: Lease) -> bool:
        """Whether a lease, as it was read just now, was the same for as long as it holds."""
        now, state = self._monotonic(), (lease.fence, lease.counter)
        seen = self._seen.get(key)
        if seen is None or seen[0] != state:
            self._seen[key] = state, now
            return False
        return now - seen[1] >= lease.seconds

    def forget_others(self, keys: Collection[Hashable]) -> None:
        """Forget what was not read any more."""
        for key in self._seen.keys() - set(keys):
            del self._seen[key]


def owner_name(environment: Environment) -> str:
    """A name for a holder of leases that no other one has, and that people can read."""
    return f"{socket.gethostname()}-{os.getpid()}-{environment.token()[:8]}"


def seconds_of(owner: str, name: str, value: object, *, least: float) -> float:
    """How many seconds an option is.

    Raises:
        ModelError: It is not a `timedelta`, or a shorter one than can be.
    """
    if not isinstance(value, timedelta) or value.total_seconds() < least:
        raise ModelError(
            owner, f"{name}={value!r}: a timedelta of at least {least:g} seconds is expected"
        )
    return value.total_seconds()
