"""Locks: leases with a name, for one holder at a time, renewed while they are held.

A lock is not mutual exclusion by itself: a holder that stands still for longer than the lease (a garbage
collection, a suspended machine, a request on its way) believes that it has it when another one does. What
the lock protects has to check the fencing number: `t.check_lock(lock)` in a transaction, or a condition that
refuses smaller numbers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from dynattrs.errors import DynattrsError, ModelError
from dynattrs.expressions.conditions import Condition
from dynattrs.expressions.updates import Action, remove, set_
from dynattrs.models.model import model
from dynattrs.operations.conditions import as_condition, joined, with_condition
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, Pause, Signal, Start, Task, Wait, WaitFor, begun
from dynattrs.operations.item_keys import target
from dynattrs.operations.leases import (
    LEASES,
    PASSING,
    UNTAKEN,
    FlowVerbs,
    Holding,
    Lease,
    Leasing,
    Watch,
    owner_name,
    seconds_of,
)
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap

#: How often a lock that another one has is looked at, in parts of its time, and at most in seconds.
_LOOKS: Final = 20
_MOST_BETWEEN: Final = 1.0
_LEAST_BETWEEN: Final = 0.02
#: How often a lock is renewed within its time.
_RENEWALS: Final = 3
#: The longest wait without a look whether the session is closed.
_GLANCE: Final = 1.0
_LONGEST_NAME: Final = 500

_log = logging.getLogger("dynattrs")


@model(LEASES, pk="LOCK#{name:*}", sk="LOCK")
class LockItem(Lease):
    """A lock, as it is stored. It stays when it is free: its next fencing number has to be greater.

    Attributes:
        name: The lock's name.
        since: When its holder, or its last one, has got it.
    """

    name: str
    since: datetime | None = None


@attrs.define(eq=False, slots=False, repr=False)
class LockHeld(DynattrsError, TimeoutError):
    """Another one has a lock, and had it for as long as was to be waited.

    Attributes:
        name: The lock's name.
        owner: Who has it: the machine's name, the process's number, and what tells its locks apart.
        since: When it has got it.
    """

    name: str
    owner: str | None
    since: datetime | None

    def __str__(self) -> str:
        since = "" if self.since is None else f" since {self.since:%Y-%m-%d %H:%M:%S} UTC"
        return (
            f"the lock {self.name!r} is held by {self.owner or 'others in turns'}{since}; wait longer, "
            f"session.lock(..., wait=timedelta(...)), or do without what it is for"
        )


@attrs.define(eq=False, slots=False, repr=False)
class LockLost(DynattrsError, RuntimeError):
    """A lock is not held, or not any more: its time was over before it was renewed, and another one may
    have it.

    Attributes:
        name: The lock's name.
        fence: The fencing number that it was held with; None where it was not held.
        given_back: Whether it was not lost but given back, at the end of its block.
    """

    name: str
    fence: int | None
    given_back: bool = False

    def __str__(self) -> str:
        if self.fence is None:
            return f"the lock {self.name!r} is not held: write `with session.lock(...) as lock:`"
        if self.given_back:
            return (
                f"the lock {self.name!r} is not held any more: its `with` has ended, and gave it back; do "
                f"what needs the lock inside of that `with`, or take it again with another session.lock(...)"
            )
        return (
            f"the lock {self.name!r} was lost: it was not renewed in time, and another one may have it; what "
            f"was done meanwhile may have been done beside that one, unless it checked the fencing number "
            f"{self.fence}, as t.check_lock(lock) does"
        )


class AnyLock:
    """A lock: `with session.lock("nightly", for_=timedelta(minutes=5)) as lock:`. It is for one `with`."""

    def __init__(self, handle: Any, name: object, for_: object, wait: object, table: str) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            problem = f"name={name!r}: 1 to {_LONGEST_NAME} characters are expected"
            raise ModelError("session.lock", problem)
        self.name: str = name
        self._handle = handle
        core: Core = handle._core
        seconds = seconds_of("session.lock", "for_", for_, least=0.5)
        self._wait = None if wait is None else seconds_of("session.lock", "wait", wait, least=0.0)
        self._verbs = FlowVerbs(core, LEASES, table)
        self._leasing = Leasing(self._verbs, owner_name(core.environment), seconds)
        self._environment = core.environment
        self._held: Holding[LockItem] | None = None
        self._heart: Task | None = None
        self._over: Signal | None = None
        self._ended = False
        self._given_back = False
        self._process = 0
        #: What takes it, from the last try on, and the task that does.
        self._asked: Start | None = None
        self._taking: Task | None = None

    def __repr__(self) -> str:
        if self._held is None:
            return f"<lock {self.name!r}, not begun>"
        state = "held" if self.is_held else "ended" if self._ended else "lost"
        return f"<lock {self.name!r} {state}, fence={self._held.fence}>"

    @property
    def fence(self) -> int:
        """The fencing number: each holder's is greater than that of the one before. Where what is protected
        is not in DynamoDB, send it along, and refuse what comes with a smaller one than was seen.

        Raises:
            LockLost: The `with` block has not begun.
        """
        if self._held is None:
            raise LockLost(self.name, None)
        return self._held.fence

    @property
    def is_held(self) -> bool:
        """Whether it is held, by this process's clock. No request is made."""
        held = self._held
        if held is None or self._ended or self._process != os.getpid():
            return False
        return held.holds(self._environment.monotonic())

    @property
    def remaining(self) -> timedelta:
        """How long it holds if it is not renewed any more; nothing where it is not held."""
        if self._held is None or not self.is_held:
            return timedelta()
        return timedelta(seconds=self._held.until - self._environment.monotonic())

    def check(self) -> None:
        """Raise where it is not held any more, by this process's clock. No request is made. Call it between
        the steps of what takes long.

        Raises:
            LockLost: It is not.
        """
        if not self.is_held:
            raise self._lost()

    def _lost(self) -> LockLost:
        fence = None if self._held is None else self._held.fence
        return LockLost(self.name, fence, self._given_back)

    def _guard(
        self,
    ) -> tuple[ModelInfo, AttributeMap, Callable[[Condition | None], dict[str, Any]]]:
        """The item, and what makes a check that it is held, under a further condition."""
        info, key, _ = target(LockItem, {"name": self.name})
        held = (LockItem.owner == self._leasing.owner) & (LockItem.fence == self.fence)
        asked = as_condition(held, info)
        check = {"TableName": self._verbs._core.table_name(LEASES), "Key": key}
        return (
            info,
            key,
            lambda further: {"ConditionCheck": with_condition(check, joined(asked, further))},
        )

    # --- Its life -----------------------------------------------------------------------------

    def _begin(self) -> Flow[None]:
        """Wait for it, take it, and keep it."""
        if self._held is not None or self._over is not None:
            raise ModelError("session.lock", "a lock is for one `with`; make another one")
        self._over = Signal()
        self._process = os.getpid()
        try:
            self._held = yield from self._verbs.with_table(self._taken)
            self._heart = yield Start(_beat(weakref.ref(self), self._held, self._over), apart=True)
        except (Exception, GeneratorExit):
            raise
        except BaseException as error:
            self._ended = True
            self._over.give()
            if self._asked is not None:  # and perhaps it has got it
                taking = self._taking or begun(self._asked, error)
                # Under asyncio a further cancellation does not cancel this.
                yield Wait((yield Start(self._withdraw(taking), apart=True)))
            raise

    def _taken(self) -> Flow[Holding[LockItem]]:
        environment = self._environment
        watch = Watch(environment.monotonic)
        until = None if self._wait is None else environment.monotonic() + self._wait
        missed = 0
        while True:
            found = yield from self._found()
            # It may be ours by a request whose reply was lost, and that came late.
            mine = found.owner == self._leasing.owner
            if found.owner is None or mine or watch.is_still(self.name, found):
                since = set_(LockItem.since, environment.now())
                held = yield from self._take(found, since)
                if held is not None:
                    return held
                missed += 1
                if missed == 1:  # another one was faster; who that is, the item says
                    continue
            else:
                missed = 0
            now = environment.monotonic()
            if until is not None and now >= until:
                raise LockHeld(self.name, found.owner, found.since)
            between = max(_LEAST_BETWEEN, min(_MOST_BETWEEN, found.seconds / _LOOKS))
            pause = between * (0.5 + environment.random() / 2)
            yield Pause(pause if until is None else min(pause, until - now))

    def _take(self, found: LockItem, since: Action) -> Flow[Holding[LockItem] | None]:
        # A request that is interrupted may be done later, after the lock was given back.
        self._taking, self._asked = None, Start(self._leasing.take(found, since), apart=True)
        self._taking = yield self._asked
        assert self._taking is not None
        held: Holding[LockItem] | None = yield Wait(self._taking)
        return held

    def _withdraw(self, taking: Task | None = None) -> Flow[None]:
        """Give it back, if it was taken for one who does not wait for it any more."""
        try:
            if taking is not None:
                with contextlib.suppress(DynattrsError):  # it may have been done all the same
                    yield Wait(taking)
            item = LockItem(name=self.name, **UNTAKEN)
            mine = LockItem.owner == self._leasing.owner
            yield from self._verbs.changed(item, remove(LockItem.owner), when=mine)
        except DynattrsError as error:
            _log.warning("the lock %r may be free only when its time is over: %s", self.name, error)

    def _found(self) -> Flow[LockItem]:
        found: LockItem | None = yield from (
            self._verbs.query(LockItem).where(LockItem.name == self.name).consistent().first()
        )
        if found is not None:
            return found
        made = LockItem(name=self.name, **UNTAKEN)
        if (yield from self._verbs.inserted(made)):
            return made
        return (yield from self._found())

    def _renewed(self, held: Holding[LockItem]) -> Flow[float]:
        """Renew it, if it is time; how long to wait before the next look."""
        environment, period = self._environment, self._leasing.seconds / _RENEWALS
        left = held.until - 2 * period - environment.monotonic()
        if left <= 0:
            try:
                yield from self._leasing.write(held)
            except PASSING as error:
                _log.warning("the lock %r could not be renewed: %s", self.name, error)
                return min(_GLANCE, period / 4)
            left = held.until - 2 * period - environment.monotonic()
        return min(max(left, 0.0), _GLANCE)

    def _end(self, *, failed: bool) -> Flow[None]:
        """Give it back.

        Raises:
            LockLost: It was lost before; not where the block *failed*.
        """
        held, over, heart = self._held, self._over, self._heart
        assert held is not None
        assert over is not None
        assert heart is not None
        if self._process != os.getpid():
            # A forked child has left its parent's block. The thread that renews is not here.
            self._ended = True
            if failed:
                return
            raise self._lost()
        in_time = held.holds(self._environment.monotonic())
        over.give()
        try:
            yield from self._give_back(held, heart, in_time, failed=failed)
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            if not self._given_back:
                yield Wait((yield Start(self._withdraw(), apart=True)))
            raise
        finally:
            self._ended = True

    def _give_back(
        self, held: Holding[LockItem], heart: Task, in_time: bool, *, failed: bool
    ) -> Flow[None]:
        yield Wait(heart)
        self._ended = True
        kept = False
        if not held.lost:
            try:
                # Where its time was over, and no other one has taken it meanwhile, it is kept as well.
                kept = yield from self._leasing.write(held, free=True)
            except PASSING as error:
                _log.warning("the lock %r is free when its time is over: %s", self.name, error)
                kept = in_time
        self._given_back = kept
        if not kept and not failed:
            raise self._lost()


def _beat(lock: weakref.ref[AnyLock], held: Holding[LockItem], over: Signal) -> Flow[None]:
    """Renew it until it is given back, or lost, or forgotten: an interruption may come before its end."""
    while not (over.given or held.lost):
        each = lock()
        if each is None or each._handle._closed:
            return
        pause = yield from each._renewed(held)
        del each
        yield WaitFor(over, pause)
    each = lock()
    if held.lost and not over.given and each is not None:
        _log.error("%s", each._lost())
