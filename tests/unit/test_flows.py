"""Flows stepped by hand, and verbs on a `Sync` and on an `Async` owner."""

from __future__ import annotations

import asyncio
import inspect
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from dynattrs import SessionClosed, model, partition_key
from dynattrs.aio.handles import AsyncHandle
from dynattrs.operations.context import Core
from dynattrs.operations.flows import (
    Async,
    Call,
    Environment,
    Flow,
    Pause,
    Start,
    Sync,
    Wait,
    WaitFor,
    pause_before,
    verb,
)
from dynattrs.operations.requests import unpacked
from dynattrs.operations.writing import batch
from dynattrs.operations.writing.buffer import Buffer

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


@model("notes")
class Note:
    id: str = partition_key()
    text: str = ""


class Greeter:
    @verb
    def greet(self, name: str, *, loud: bool = False) -> Flow[str]:
        """Say hello."""
        answer = yield Call("greet", {"name": name})
        return answer.upper() if loud else answer


class Answers:
    """Drives flows with prepared answers."""

    def reply(self, effect: Any) -> Any:
        assert isinstance(effect, Call)
        return f"hello {effect.parameters['name']}"


class SyncGreeter(Greeter, Answers, Sync):
    def _drive(self, flow: Flow[Any]) -> Any:
        outcome = None
        while True:
            try:
                outcome = self.reply(flow.send(outcome))
            except StopIteration as stop:
                return stop.value


class AsyncGreeter(Greeter, Answers, Async):
    async def _drive(self, flow: Flow[Any]) -> Any:
        outcome = None
        while True:
            try:
                effect = flow.send(outcome)
            except StopIteration as stop:
                return stop.value
            await asyncio.sleep(0)
            outcome = self.reply(effect)


def test_a_verb_is_a_plain_method_of_a_sync_owner():
    assert SyncGreeter().greet("Ada", loud=True) == "HELLO ADA"


def test_a_verb_is_a_coroutine_function_of_an_async_owner():
    coroutine = AsyncGreeter().greet("Ada")

    assert inspect.iscoroutine(coroutine)
    assert asyncio.run(coroutine) == "hello Ada"


def test_a_verb_keeps_name_docstring_and_signature():
    assert SyncGreeter().greet.__name__ == "greet"
    assert SyncGreeter().greet.__doc__ == "Say hello."
    assert "loud" in inspect.signature(SyncGreeter().greet).parameters
    assert Greeter.greet.__doc__ == "Say hello."


def test_an_error_in_the_driver_is_thrown_into_the_flow():
    def careful() -> Flow[str]:
        try:
            yield Call("fail", {})
        except KeyError as error:
            return f"handled {error}"
        return "not reached"

    flow = careful()
    next(flow)

    with pytest.raises(StopIteration) as stop:
        flow.throw(KeyError("x"))
    assert stop.value.value == "handled 'x'"


class Loop(AsyncHandle):
    """The smallest asyncio driver: what `AsyncSession` will be, over a table in memory.

    It keeps items by their `id`, and loses the second half of every first batch.
    """

    def __init__(self, *, buffer: Buffer | None) -> None:
        environment = Environment(
            lambda: 0.0, lambda: 0.5, lambda: NOON, caller=lambda: id(asyncio.current_task())
        )
        self._core = Core(environment, timedelta(seconds=60), concurrency=2)
        self._buffer = buffer
        self._closed = None
        self.items: dict[str, Any] = {}
        self.calls: list[Call] = []
        self.in_flight = self.most_in_flight = 0
        self.seen: set[str] = set()

    async def _drive(self, flow: Flow[Any]) -> Any:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = await self._perform(effect)
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            return stop.value

    async def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Call):
            return await self._call(effect)
        if isinstance(effect, (Pause, WaitFor)):
            return await asyncio.sleep(0)
        if isinstance(effect, Start):
            return asyncio.ensure_future(self._drive(effect.flow))
        assert isinstance(effect, Wait)
        return await effect.task  # type: ignore[misc]

    async def _call(self, call: Call) -> Any:
        self.calls.append(call)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.001)
        self.in_flight -= 1
        if call.operation == "batch_write_item":
            requests = unpacked(call.parameters)["RequestItems"]["notes"]
            ids = {each["PutRequest"]["Item"]["id"]["S"] for each in requests}
            half = requests[len(requests) // 2 :] if not ids & self.seen else []
            self.seen |= ids
            for request in requests:
                if request not in half:
                    item = request["PutRequest"]["Item"]
                    self.items[item["id"]["S"]] = item
            return {"UnprocessedItems": {"notes": half} if half else {}}
        if call.operation == "put_item":
            item = unpacked(call.parameters)["Item"]
            self.items[item["id"]["S"]] = item
            return {}
        assert call.operation == "get_item"
        found = self.items.get(call.parameters["Key"]["id"]["S"])
        return {"Item": found} if found else {}


def test_the_same_verbs_run_under_asyncio():
    async def main() -> None:
        loop = Loop(buffer=None)

        await loop.save(Note("a", "first"))

        assert await loop.get(Note, "a") == Note("a", "first")
        assert await loop.get(Note, "b") is None
        assert [call.operation for call in loop.calls] == ["put_item", "get_item", "get_item"]

    asyncio.run(main())


def test_a_batch_under_asyncio_gathers_retries_and_bounds_what_is_in_flight():
    async def main() -> Loop:
        loop = Loop(buffer=Buffer())
        for number in range(210):
            await loop.save(Note(f"{number}"))
        assert await loop.get(Note, "209") == Note("209")  # pending, so flushed first
        await loop.save(Note("last"))
        await loop._drive(batch.end(loop._core, loop._buffer, None))
        with pytest.raises(SessionClosed):
            await loop.save(Note("too late"))
        return loop

    loop = asyncio.run(main())

    assert loop.items.keys() == {*map(str, range(210)), "last"}
    assert loop.most_in_flight == 2


def test_many_tasks_write_through_one_batch_under_asyncio():
    async def main() -> Loop:
        loop = Loop(buffer=Buffer())

        async def write(worker: int) -> None:
            for number in range(30):
                await loop.save(Note(f"{worker}-{number}"))

        await asyncio.gather(*map(write, range(10)))
        await loop._drive(batch.flush(loop._core, loop._buffer))
        return loop

    assert len(asyncio.run(main()).items) == 300


@pytest.mark.parametrize(
    ("attempt", "most"), [(0, 0.05), (1, 0.1), (2, 0.2), (6, 3.2), (7, 5.0), (1000, 5.0)]
)
def test_backoff_doubles_up_to_five_seconds(attempt: int, most: float):
    def jitter(random: float) -> float:
        environment = Environment(lambda: 0.0, lambda: random, lambda: NOON)
        return pause_before(attempt, environment).seconds

    assert jitter(1.0) == pytest.approx(most)
    assert jitter(0.25) == pytest.approx(most / 4)
    assert jitter(0.0) == 0.0


def test_effects_compare_by_value():
    """So that a test can say what a flow should ask for."""
    assert Call("x", {"a": 1}) == Call("x", {"a": 1})
    assert attrs.has(Call)
    assert Pause(1.0) != Pause(2.0)
