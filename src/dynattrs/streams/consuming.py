"""What a running consumer does, as flows: it looks round, it keeps its leases, it takes turns with shards.

- Rounds: every few seconds it reads what consumers share, takes leases that are free or whose holders are
  gone, asks others for some where it has too few, and frees those that were asked for.
- The heart: it renews leases, and says that the consumer is there, also while handlers take long.
- Turns: some threads or tasks read pages and call the handler.
"""

from __future__ import annotations

import contextlib
import logging
from asyncio import CancelledError
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeVar

from dynattrs.errors import DynattrsError, SessionClosed
from dynattrs.expressions.updates import remove, set_
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, Start, Task, Wait, WaitFor, begun
from dynattrs.operations.leases import PASSING, UNTAKEN, FlowVerbs, Leasing
from dynattrs.streams.balance import Standing, moves
from dynattrs.streams.consumed_tables import ConsumedTable
from dynattrs.streams.consumer_events import ShardLeft, ShardTaken
from dynattrs.streams.consumer_options import Options
from dynattrs.streams.held_shards import HeldShard, HeldShards
from dynattrs.streams.positions import Position
from dynattrs.streams.service import StreamService
from dynattrs.streams.shard_leases import Found, Member, ShardLease, expiry
from dynattrs.streams.shard_reader import ShardReader
from dynattrs.streams.turns import Turns

#: A lease's time is this many rounds, and this many renewals.
_ROUNDS: Final = 5
_RENEWALS: Final = 3
#: The longest wait without a look whether there is something to do.
_GLANCE: Final = 1.0
#: Leases that one flow renews, and at most so many flows.
_RENEWED_BY_ONE: Final = 8
_MOST_RENEWING: Final = 8

_log = logging.getLogger("dynattrs")

R = TypeVar("R")


class Consuming:
    """One consumer while it runs.

    Args:
        core: The session's settings.
        options: What it was told to do.
        verbs: Those of the table of the leases.
        leasing: Whose leases.
        shards: The shards that it reads.
        service: Whom it asks for records.
        tables: The tables that it follows.
        closed: Says what has closed the session; None if nothing has.
    """

    def __init__(
        self,
        core: Core,
        options: Options,
        verbs: FlowVerbs,
        leasing: Leasing,
        shards: HeldShards,
        service: StreamService,
        tables: Sequence[ConsumedTable],
        closed: Callable[[], str | None],
    ) -> None:
        self._options = options
        self._verbs = verbs
        self._leasing = leasing
        self._me = leasing.owner
        self._shards = shards
        self._environment = core.environment
        self._service = service
        self._tables = tables
        self._closed = closed
        self._turns = Turns(options, core, leasing)
        self._slots: list[Start] = []
        self._looking: dict[ConsumedTable, Start] = {}
        #: What is asked beside who waits for it, and the heart.
        self._asked: Start | None = None
        self._beating: Start | None = None
        self._looked: list[ConsumedTable] = []
        self._beats = 0
        self._hurry = False
        self._over = False
        self._failures: list[BaseException] = []

    def run(self) -> Flow[None]:
        """All of it, until it is told to stop.

        Raises:
            ConsumerStopped: A change could not be handled.
            StreamGap: Records are lost.
            NoStream: A table has no stream.
            DynattrsError: As the service refused something.
        """
        try:
            yield from self._beside(self._verbs.with_table(self._beat))
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            yield from self._farewell_after(self._asked)
            raise
        self._beating = Start(self._heart(), apart=True)
        try:
            yield from _begun(self._beating)
            yield from self._rounds()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._failures.insert(0, error)
            self._shards.cancelling = True
            for each in (*self._slots, *self._looking.values()):
                if each.task is not None:
                    each.task.cancel()  # under asyncio: the handlers that are awaited
        self._shards.leave_all()
        try:
            # A lease that is being taken is one of ours before anything is left.
            yield from _over(self._asked)
            for start in (*self._slots, *self._looking.values()):
                yield from _over(start)
            try:
                yield from self._take_turns()  # what no other one has left
            except Exception as error:  # a fault of ours
                self._failed(error)
            self._shards.cancelling = True
            if self._beating.task is not None:
                self._beating.task.cancel()
            yield from _over(self._beating)
            yield from self._farewell()
            if self._failures:
                raise self._failures[0]
        finally:
            self._over = True  # also where a second interruption has left shards to their time
            self._failures = []  # an error in what its frames hold is a cycle

    def _beside(self, flow: Flow[R]) -> Flow[R]:
        """What *flow* gives, which goes on where an interruption strikes who waits for it: a request that it
        has sent may be done later, and what it has taken is known then.
        """
        self._asked = Start(flow, apart=True)
        task = yield from _begun(self._asked)
        try:
            result: R = yield Wait(task)
            return result
        finally:
            if task.done():
                self._asked = None

    def _farewell_after(self, asked: Start | None) -> Flow[None]:
        """Nothing was begun but that."""
        yield from _over(asked)
        with contextlib.suppress(DynattrsError):  # there may be no table yet
            yield from self._farewell()

    # --- Rounds -------------------------------------------------------------------------------

    def _rounds(self) -> Flow[None]:
        while not self._shards.stopping:
            if (closed := self._closed()) is not None:
                raise SessionClosed(closed)
            now, self._hurry = self._environment.monotonic(), False
            while self._looked:
                del self._looking[self._looked.pop()]
            try:
                for table in self._tables:
                    yield from self._beside(self._round(table))
            except PASSING as error:
                _log.warning("consumer %r looks again in a moment: %s", self._options.name, error)
            yield from self._wait(now + self._options.lease / _ROUNDS)

    def _wait(self, until: float) -> Flow[None]:
        """Wait until a time, or until there is something to do."""
        while (left := until - self._environment.monotonic()) > 0:
            signal = self._shards.sleeper()
            called = self._hurry or self._shards.stopping or self._closed() is not None
            if not called:
                yield WaitFor(signal, min(left, _GLANCE))
            self._shards.awake(signal)
            if called:
                return

    def _round(self, table: ConsumedTable) -> Flow[None]:
        found = yield from table.read()
        leases = table.standing(found)
        gone = self._gone(table, found, leases)
        shards = [
            Standing((each.stream, each.shard), self._owner(each, gone), each.wanted)
            for each in leases
        ]
        # In another order than others, so that not all are after the same one.
        shards.sort(key=lambda _: self._environment.random())
        consumers = {each for each in found.members if each not in gone}
        todo = moves(self._me, shards, consumers)
        if table not in self._looking and table.is_due(found, len(consumers | {self._me})):
            self._looking[table] = looking = Start(self._look(table, found), apart=True)
            yield from _begun(looking)
        for key in todo.take:
            yield from self._take(table, found.leases[key])
        for key in todo.give:
            held = self._shards.get(key)
            if held is not None:
                self._shards.leave(held, "given")
        for key in todo.ask:
            yield from self._ask(found.leases[key], self._me)
        for key in todo.keep:
            yield from self._ask(found.leases[key], None)
        yield from self._more_slots()

    def _look(self, table: ConsumedTable, found: Found) -> Flow[None]:
        """Look for new shards, beside the rounds, which must not wait for that."""
        try:
            if (yield from table.look(found)):
                self._hurry = True
        except PASSING as error:
            _log.warning("consumer %r looks again in a moment: %s", self._options.name, error)
        except BaseException as error:
            self._ended_by(error)
        finally:
            self._looked.append(table)
            self._shards.wake()

    def _gone(self, table: ConsumedTable, found: Found, leases: Sequence[ShardLease]) -> set[Any]:
        """The leases, and the consumers, whose counters have stood still for too long."""
        seen: dict[Any, Any] = {(each.stream, each.shard): each for each in leases}
        seen.update(found.members)
        table.watch.forget_others(seen.keys())
        return {key for key, item in seen.items() if table.watch.is_still(key, item)}

    def _owner(self, lease: ShardLease, gone: Collection[Any]) -> str | None:
        key = lease.stream, lease.shard
        if lease.owner == self._me:
            # One that was lost, and that no other one has taken, is as good as free.
            return self._me if key in self._shards else None
        return None if key in gone else lease.owner

    def _take(self, table: ConsumedTable, lease: ShardLease) -> Flow[None]:
        if (lease.stream, lease.shard) in self._shards or self._shards.stopping:
            return
        held = yield from self._leasing.take(lease, remove(ShardLease.wanted))
        if held is None:
            return
        item = held.item
        position = Position.parse(item.checkpoint)
        reader = ShardReader(self._service, item.stream, item.shard, position)
        now = self._environment.monotonic()
        shard = HeldShard(
            held, table, reader, position, now, handled=item.handled, at=item.at
        )  # fmt: skip
        _log.info("consumer %r reads shard %s", self._options.name, item.shard)
        try:
            self._options.tell(ShardTaken(table.table, item.shard, item.fence, lease.owner))
        finally:  # `sys.exit` in a listener too leaves it in order
            self._shards.add(shard)

    def _ask(self, lease: ShardLease, wanted: str | None) -> Flow[None]:
        """Ask the holder for a lease, or say that it stays."""
        yield from self._verbs.changed(
            lease,
            set_(ShardLease.wanted, wanted),
            when=(ShardLease.owner == lease.owner) & (ShardLease.fence == lease.fence),
        )

    # --- Turns --------------------------------------------------------------------------------

    def _more_slots(self) -> Flow[None]:
        while len(self._slots) < min(self._options.workers, len(self._shards)):
            self._slots.append(slot := Start(self._slot(), apart=True))
            yield from _begun(slot)

    def _slot(self) -> Flow[None]:
        """Take turns, beside the rounds: whatever ends it, `sys.exit` in a handler too, ends the consumer."""
        try:
            yield from self._take_turns()
        except BaseException as error:
            self._ended_by(error)

    def _take_turns(self) -> Flow[None]:
        """Take turns until all shards are left."""
        while True:
            signal = self._shards.sleeper()
            found = self._shards.next(self._environment.monotonic())
            if isinstance(found, HeldShard):
                self._shards.awake(signal)
                yield from self._turn(found)
                continue
            if self._shards.stopping and not len(self._shards):
                self._shards.awake(signal)
                return
            wait = _GLANCE if found is None else min(found, _GLANCE)
            yield WaitFor(signal, wait)
            self._shards.awake(signal)

    def _turn(self, shard: HeldShard) -> Flow[None]:
        leaving = shard.why is not None
        due: float | None = None
        try:
            due = yield from self._turns.take(shard)
        except Exception as error:
            self._failed(error)
            # It is left as far as it was handled; unless it was just that which has failed.
            due = None if leaving else 0.0
        except BaseException:
            self._shards.back(shard, 0.0)
            raise
        self._shards.back(shard, due or 0.0)
        if due is not None:
            return
        self._shards.remove(shard)
        why = shard.left or "lost"
        if why == "lost":
            _log.warning("consumer %r has lost shard %s", self._options.name, shard.shard)
        self._options.tell(ShardLeft(shard.table.table, shard.shard, why))
        if why == "ended":
            shard.table.shard_ended()
            self._hurry = True
            self._shards.wake()

    def _ended_by(self, error: BaseException) -> None:
        """Something has ended a task of this consumer.

        Raises:
            BaseException: It was the consumer itself, or its session, which cancels its tasks.
        """
        if isinstance(error, GeneratorExit):
            raise error
        if isinstance(error, CancelledError) and self._options.cancelled():
            raise error
        self._failed(error)

    def _failed(self, error: BaseException) -> None:
        """The consumer has to stop."""
        self._failures.append(error)
        self._shards.leave_all()

    # --- The heart ----------------------------------------------------------------------------

    def _heart(self) -> Flow[None]:
        period = self._options.lease / _RENEWALS
        try:
            while not self._is_over():
                began = self._environment.monotonic()
                try:
                    yield from self._renew(began)
                    yield from self._beat()
                    rest = period
                except PASSING as error:
                    _log.warning("consumer %r: %s", self._options.name, error)
                    rest = min(period, _GLANCE)
                until = began + rest
                while (left := until - self._environment.monotonic()) > 0:
                    signal = self._shards.sleeper()
                    if not self._is_over():
                        yield WaitFor(signal, min(left, _GLANCE))
                    self._shards.awake(signal)
                    if self._is_over():
                        return
        except BaseException as error:
            self._ended_by(error)

    def _is_over(self) -> bool:
        """Whether no lease has to be renewed any more."""
        return self._over or (self._shards.stopping and not len(self._shards))

    def _renew(self, now: float) -> Flow[None]:
        period = self._options.lease / _RENEWALS
        due = [
            each
            for each in self._shards
            if each.held.holds(now) and each.held.until - now <= 2 * period
        ]
        lanes = min(_MOST_RENEWING, -(-len(due) // _RENEWED_BY_ONE))
        if lanes <= 1:
            yield from self._renew_each(due)
            return
        tasks: list[Task] = []
        for lane in range(lanes):
            task = yield Start(self._renew_each(due[lane::lanes]), apart=True)
            tasks.append(task)
        for task in tasks:
            yield Wait(task)

    def _renew_each(self, shards: Sequence[HeldShard]) -> Flow[None]:
        for each in shards:
            yield from self._leasing.write(each.held)

    def _beat(self) -> Flow[None]:
        """Say that this consumer is there."""
        self._beats += 1
        for table in self._tables:
            expires = expiry(self._environment.now())
            member = Member(scope=table.scope, consumer=self._me, expires=expires, **UNTAKEN)
            member.owner, member.counter = self._me, self._beats
            member.seconds = self._options.lease
            yield from self._verbs._save(member)

    def _farewell(self) -> Flow[None]:
        """This consumer is not there any more. Without this, others would see that soon as well."""
        for table in self._tables:
            with contextlib.suppress(*PASSING):
                key = {"scope": table.scope, "consumer": self._me}
                yield from self._verbs._delete(Member, key, when=None, returning=False)


def _begun(start: Start) -> Flow[Task]:
    """Start something; where an error comes instead and it has not begun, it will not."""
    try:
        task: Task = yield start
    except BaseException as error:
        start.task = begun(start, error)
        raise
    return task


def _over(start: Start | None) -> Flow[None]:
    """Wait until what was started is over, whatever came of it."""
    if start is None or start.task is None:
        return
    try:
        yield Wait(start.task)
    except GeneratorExit:
        raise
    except Exception:
        _log.debug("a task of a consumer has ended", exc_info=True)
