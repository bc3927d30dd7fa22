"""Locks: one holder at a time, fencing numbers that grow, and holders that stand still or vanish."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import attrs
import pytest

import dynattrs
from dynattrs import Lock, LockHeld, LockLost, TransactionFailed, model, partition_key, set_
from dynattrs.errors import MappingError, ModelError
from dynattrs.operations.locks import LockItem
from dynattrs.testing import faults, lost_reply, unreachable
from interruptions import InterruptAt, dropped

NO_TIME = timedelta()
SHORT = timedelta(seconds=1.5)
LONG = timedelta(minutes=5)


@model("locked-things")
class Thing:
    id: str = partition_key()
    n: int = 0


@pytest.fixture
def session(client: Any) -> Iterator[dynattrs.Session]:
    with dynattrs.Session(client=client, table_prefix="locks-") as session:
        session.tables.create(Thing)
        yield session
        for name in client.list_tables()["TableNames"]:
            if name.startswith("locks-"):
                client.delete_table(TableName=name)


def vanish(lock: Lock) -> None:
    """What is left of a lock whose process was killed."""
    assert lock._over is not None
    lock._over.give()
    assert lock._heart is not None
    lock._heart.result()


def test_a_lock_is_held_by_one_and_free_afterwards(session: Any):
    with session.lock("nightly", for_=LONG) as lock:
        assert lock.is_held
        assert lock.fence == 1
        assert timedelta(minutes=4) < lock.remaining <= LONG
        lock.check()
        with pytest.raises(LockHeld, match="the lock 'nightly' is held by") as held:
            with session.lock("nightly", for_=LONG, wait=NO_TIME):
                pass
        assert held.value.owner == session.scan(LockItem).one().owner
        assert isinstance(held.value, TimeoutError)
        with session.lock("weekly # of 'x'", for_=LONG, wait=NO_TIME) as other:
            assert other.fence == 1
    assert not lock.is_held
    assert lock.remaining == NO_TIME
    assert "ended, fence=1" in repr(lock)
    with session.lock("nightly", for_=LONG, wait=NO_TIME) as again:
        assert again.fence == 2
        assert repr(again) == "<lock 'nightly' held, fence=2>"


def test_who_waits_has_it_as_soon_as_it_is_free(session: Any):
    order: list[str] = []
    holding = threading.Event()

    def hold() -> None:
        with session.lock("turns", for_=LONG):
            holding.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    with session.lock("turns", for_=LONG) as lock:
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert lock.fence == 2


def test_only_one_of_many_is_inside_at_a_time(session: Any):
    inside: list[int] = []
    fences: list[int] = []

    def work(number: int) -> None:
        with session.lock("crowd", for_=timedelta(seconds=2)) as lock:
            inside.append(number)
            assert inside == [number]
            fences.append(lock.fence)
            inside.clear()

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert fences == [1, 2, 3, 4, 5, 6]


def test_a_holder_that_works_longer_than_the_time_keeps_it(session: Any):
    with session.lock("long", for_=timedelta(seconds=1.2)) as lock:
        time.sleep(2.0)
        assert lock.is_held
        with pytest.raises(LockHeld):
            with session.lock("long", for_=LONG, wait=timedelta(seconds=0.3)):
                pass
    assert session.scan(LockItem).one().owner is None


def test_a_holder_that_vanished_is_replaced_after_its_time(session: Any):
    lost = session.lock("gone", for_=SHORT)
    lost.__enter__()
    vanish(lost)
    began = time.monotonic()
    with session.lock("gone", for_=LONG) as lock:
        assert time.monotonic() - began >= 1.4
        assert lock.fence == 2
        assert not lost.is_held
        with pytest.raises(LockLost, match="fencing number 1"):
            lost.check()
        with pytest.raises(LockLost):
            lost.__exit__(None, None, None)
        assert lock.is_held
    assert "lost, fence=1" not in repr(lock)


class Stalled:
    """Time stands still for one lock, as for a process that was suspended."""

    def __init__(self, lock: Lock) -> None:
        vanish(lock)
        environment = lock._environment
        before = environment.monotonic()
        lock._environment = attrs.evolve(environment, monotonic=lambda: before)


def test_what_a_stalled_holder_does_in_a_transaction_is_refused(session: Any):
    stalled = session.lock("fenced", for_=SHORT)
    stalled.__enter__()
    with session.transaction() as t:
        t.check_lock(stalled)
        t.save(Thing("a", 1))
    Stalled(stalled)
    with session.lock("fenced", for_=LONG) as lock:
        assert stalled.is_held, "it does not know"
        with pytest.raises(TransactionFailed) as failed:
            with session.transaction() as t:
                t.check_lock(stalled)
                t.save(Thing("a", 2))
        assert "check_lock('fenced')" in str(failed.value)
        with session.transaction() as t:
            t.check_lock(lock)
            t.save(Thing("a", 3))
    assert session.get(Thing, "a", consistent=True).n == 3
    with pytest.raises(LockLost):
        stalled.__exit__(None, None, None)


def test_check_lock_refuses_what_is_not_held(session: Any):
    lock = session.lock("unused", for_=LONG)
    with session.transaction() as t:
        with pytest.raises(LockLost, match="is not held: write"):
            t.check_lock(lock)
        t.save(Thing("b"))
    with pytest.raises(LockLost):
        lock.fence


def test_a_lock_that_was_given_back_is_not_called_lost(session: Any):
    """It had been renewed in time, and nothing was done beside another holder."""
    with session.lock("over", for_=LONG) as lock:
        pass
    with session.transaction() as t:
        with pytest.raises(LockLost, match="has ended, and gave it back") as caught:
            t.check_lock(lock)
        t.save(Thing("d"))
    assert caught.value.given_back
    assert pickle.loads(pickle.dumps(caught.value)).given_back
    with pytest.raises(LockLost, match="gave it back"):
        lock.check()

    stalled = session.lock("stalled", for_=SHORT)
    stalled.__enter__()
    Stalled(stalled)
    with session.lock("stalled", for_=LONG), pytest.raises(LockLost) as caught:
        stalled.__exit__(None, None, None)
    assert not caught.value.given_back
    with pytest.raises(LockLost, match="it was not renewed in time"):
        stalled.check()


def test_a_lock_in_a_table_of_another_name_is_checked_there(session: Any):
    with session.lock("here", for_=LONG, table="my-locks") as lock:
        with session.transaction() as t:
            t.check_lock(lock)
            t.save(Thing("c"))
    assert "locks-my-locks" in session.client.list_tables()["TableNames"]
    assert not session.tables.exists(LockItem)


def test_an_error_of_the_block_is_raised_and_the_lock_is_free(session: Any):
    with pytest.raises(KeyError):
        with session.lock("raises", for_=LONG):
            raise KeyError("mine")
    with session.lock("raises", for_=LONG, wait=NO_TIME):
        pass
    lost = session.lock("raises", for_=SHORT)
    with pytest.raises(KeyError):
        with lost:
            vanish(lost)
            lost._held.lost = True
            raise KeyError("mine")


def test_a_lock_whose_time_was_over_is_kept_if_no_other_one_took_it(session: Any):
    late = session.lock("late", for_=timedelta(seconds=0.5))
    with late:
        vanish(late)
        time.sleep(0.6)
        assert not late.is_held
    with session.lock("late", for_=LONG, wait=NO_TIME) as lock:
        assert lock.fence == 2


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
def test_a_reply_that_is_lost_takes_the_lock_once(session: Any, operation: str):
    with session.lock("table", for_=LONG):
        pass  # its table is made
    with faults(session, lost_reply(operation, probability=0.5), seed=3) as injected:
        for number in range(1, 15):
            with session.lock("shaky", for_=LONG, wait=timedelta(seconds=5)) as lock:
                assert lock.fence == number
    assert injected.count
    assert session.get(LockItem, "shaky", consistent=True).owner is None


@pytest.mark.full
def test_a_network_that_is_gone_for_a_while_loses_no_lock(session: Any):
    with session.lock("offline", for_=timedelta(seconds=1)) as lock:
        with faults(session, unreachable("UpdateItem")):
            time.sleep(1.3)
            assert not lock.is_held
        time.sleep(1.5)
        assert lock.is_held, "it was taken meanwhile"
    assert session.get(LockItem, "offline", consistent=True).fence == 1


@pytest.mark.parametrize("missing", ["counter", "fence", "seconds"])
def test_an_item_that_lacks_a_number_is_refused(session: Any, missing: str):
    with session.lock("broken", for_=LONG):
        pass
    session.client.update_item(
        TableName="locks-dynattrs-leases",
        Key={"pk": {"S": "LOCK#broken"}, "sk": {"S": "LOCK"}},
        UpdateExpression="REMOVE #a",
        ExpressionAttributeNames={"#a": missing},
    )
    with pytest.raises(MappingError, match=missing):
        with session.lock("broken", for_=LONG, wait=timedelta(seconds=1)):
            pass


def test_who_is_never_fast_enough_waits_no_longer_than_it_says(session: Any):
    lock = session.lock("contested", for_=LONG, wait=timedelta(seconds=0.3))
    take, takes = lock._leasing.take, []

    def slow(found: Any, *actions: Any) -> Any:
        takes.append(found)
        session.update(found, set_(LockItem.counter, found.counter + 1))
        return (yield from take(found, *actions))

    lock._leasing.take = slow
    with pytest.raises(LockHeld, match="held by others in turns"):
        lock.__enter__()
    assert 2 < len(takes) < 40


def test_closing_a_session_does_not_wait_for_a_lock_that_was_not_left(client: Any, session: Any):
    other = dynattrs.Session(client=client, table_prefix="locks-")
    lock = other.lock("left", for_=LONG)
    lock.__enter__()
    began = time.monotonic()
    other.close()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("", {}, "name=''"),
        (3, {}, "name=3"),
        ("x" * 501, {}, "500 characters"),
        ("x", {"for_": 3}, "for_=3: a timedelta"),
        ("x", {"for_": NO_TIME}, "at least 0.5 seconds"),
        ("x", {"wait": -SHORT}, "wait="),
    ],
)
def test_arguments_that_cannot_be_are_refused(session: Any, name: Any, options: Any, said: str):
    with pytest.raises(ModelError) as error:
        session.lock(name, **{"for_": LONG, **options})
    assert said in str(error.value)


def test_a_lock_is_for_one_with(session: Any):
    lock = session.lock("once", for_=LONG)
    with lock:
        pass
    with pytest.raises(ModelError, match="one `with`"):
        with lock:
            pass


def test_a_batch_and_hooks_of_the_session_have_nothing_to_do_with_it(client: Any, session: Any):
    seen: list[Any] = []
    with dynattrs.Session(
        client=client, table_prefix="locks-", before_save=seen.append, after_load=seen.append
    ) as other:
        with other.batch() as batch, batch.lock("in-batch", for_=LONG) as lock:
            batch.save(Thing("d"))
            assert lock.is_held
            assert session.scan(LockItem).one().owner is not None
    assert seen == [Thing("d")]


def async_session(aio: Any, client_arguments: Any) -> Any:
    pytest.importorskip("aiobotocore")
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    made = get_session()
    made.set_credentials(
        client_arguments["aws_access_key_id"], client_arguments["aws_secret_access_key"]
    )
    return aio.AsyncSession(
        aiobotocore_session=made, table_prefix="locks-", region_name="us-east-1",
        endpoint_url=client_arguments["endpoint_url"],
        config=AioConfig(retries={"mode": "standard", "total_max_attempts": 1}),
    )  # fmt: skip


FORKS = """
import os, sys
from datetime import timedelta
import boto3
from dynattrs import LockLost, Session

client = boto3.client("dynamodb", endpoint_url={url!r}, **{credentials!r})
with Session(client=client, table_prefix="locks-") as session:
    try:
        with session.lock("forked", for_=timedelta(minutes=5)) as lock:
            child = os.fork()
            if not child:
                print(lock.is_held, flush=True)
                if {exits}:
                    sys.exit(0)
            else:
                _, status = os.waitpid(child, 0)
                print(status, lock.is_held, flush=True)
    except LockLost:
        print("lost", flush=True)
    if not child:
        os._exit(0)
"""


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.parametrize("exits", [True, False])
def test_a_forked_child_does_not_hold_the_lock_of_its_parent(
    session: Any, endpoint: Any, exits: bool
):
    text = FORKS.format(url=endpoint.url, credentials=endpoint.credentials, exits=exits)
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert said.stdout == "False\n" + ("" if exits else "lost\n") + "0 True\n"
    item = session.get(LockItem, "forked", consistent=True)
    assert (item.owner, item.fence) == (None, 1)


class CancelsAfter:
    """A line that cancels a task when the first update was done, and before its answer is known."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self.task: asyncio.Task[None] | None = None

    async def call(self, call: Any) -> Any:
        found = await self._line.call(call)
        if call.operation == "update_item" and self.task is not None:
            task, self.task = self.task, None
            task.cancel()
            await asyncio.sleep(0)
        return found


def test_an_async_lock_that_is_cancelled_while_it_is_taken_is_free(
    session: Any, client_arguments: Any
):
    aio = pytest.importorskip("dynattrs.aio", reason="pip install 'dynattrs[aio]'")
    inside: list[str] = []

    async def main() -> None:
        async with async_session(aio, client_arguments) as awaited:

            async def work() -> None:
                async with awaited.lock("cancelled", for_=LONG):
                    inside.append("in")

            line = awaited._driver.line = CancelsAfter(awaited._driver.line)
            line.task = asyncio.ensure_future(work())
            with pytest.raises(asyncio.CancelledError):
                await line.task

    asyncio.run(main())
    assert inside == []
    item = session.get(LockItem, "cancelled", consistent=True)
    assert (item.owner, item.fence) == (None, 1)


def test_async_locks(session: Any, client_arguments: Any):
    aio = pytest.importorskip("dynattrs.aio", reason="pip install 'dynattrs[aio]'")
    order: list[str] = []

    async def work(awaited: Any, name: str) -> None:
        async with awaited.lock("tasks", for_=timedelta(seconds=1.5)) as lock:
            order.append(name)
            await asyncio.sleep(1.7 if name == "a" else 0)
            order.append(name)
            async with awaited.transaction() as t:
                t.check_lock(lock)
                t.save(Thing(name))

    async def main() -> None:
        async with async_session(aio, client_arguments) as awaited:
            await asyncio.gather(*(work(awaited, name) for name in "abc"))
            task = asyncio.ensure_future(work(awaited, "a"))
            while len(order) < 7:  # noqa: ASYNC110 - it is told by a list
                await asyncio.sleep(0.01)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            async with awaited.lock("tasks", for_=LONG, wait=NO_TIME) as lock:
                assert lock.fence == 5
            with pytest.raises(LockLost, match="gave it back"):
                lock.check()

    asyncio.run(main())
    assert order[:6] == [each for name in order[:6:2] for each in (name, name)]


# --- Interruptions ------------------------------------------------------------------------------


def test_wherever_an_interruption_strikes_the_next_one_has_it_at_once(
    session: dynattrs.Session, monkeypatch: pytest.MonkeyPatch
):
    lost = dropped(monkeypatch)

    def hold() -> Lock:
        lock = session.lock("struck", for_=LONG, wait=NO_TIME)
        with lock:
            pass
        return lock

    for _ in range(3):
        hold()
    counter = InterruptAt(-1)
    with counter:
        hold()
    steps = -1 - counter.left
    interrupted = not_ended = 0
    for step in {*range(1, steps, max(1, steps // 150)), *range(steps - 200, steps)}:
        lock = session.lock("struck", for_=LONG, wait=NO_TIME)
        try:
            with InterruptAt(step), lock:
                pass
        except KeyboardInterrupt:
            interrupted += 1
        except TypeError as error:
            # CPython makes it of some interruptions where a `with` statement is being left.
            if "'traceback' object is not callable" not in str(error):
                raise
        if lock.is_held:
            not_ended += 1
            lock.__exit__(None, None, None)
        if KeyboardInterrupt not in lost:
            hold()
        lost.clear()
    gc.collect()  # connections that were struck between the pool and their use close here
    assert interrupted > 50
    assert not_ended <= 1  # where the first step of `__exit__` was struck


def test_a_lock_whose_end_was_not_called_is_renewed_no_longer_than_it_lives(session: Any):
    lock = session.lock("forgotten", for_=SHORT)
    lock.__enter__()
    assert lock.is_held
    heart = lock._heart

    del lock
    gc.collect()

    heart.result(timeout=SHORT.total_seconds())
    with session.lock("forgotten", for_=SHORT, wait=2 * SHORT) as lock:
        assert lock.fence == 2
