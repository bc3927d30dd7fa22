"""Iterators that have failed fail again: the end is said only where everything was given.

Every way to read bit by bit, of both sessions, over a client that keeps items in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dynattrs import (
    ConnectionFailed,
    DynattrsError,
    MappingError,
    QueryError,
    Session,
    model,
    partition_key,
    sort_key,
)
from dynattrs.aio import AsyncSession
from memory_client import MemoryClient


@model("notes")
class Note:
    shelf: str = partition_key()
    id: str = sort_key()
    number: int = 0


class Trouble(Exception):
    """Something that no layer knows."""


class Memory(MemoryClient):
    """Fails at the n-th request."""

    def __init__(self) -> None:
        super().__init__(notes=("shelf", "id"))
        self.failing: dict[int, BaseException] = {}
        for number in range(250):
            key = f"{number:03}"
            self.tables["notes"]["s", key] = {
                "shelf": {"S": "s"}, "id": {"S": key}, "number": {"N": str(number)}
            }  # fmt: skip

    async def _asked(self, operation: str) -> None:
        number = len(self.requests) + 1
        await super()._asked(operation)
        if (error := self.failing.get(number)) is not None:
            raise error


class Waiting:
    """The same client for threads."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or not hasattr(Memory, name):
            raise AttributeError(name)

        def call(**request: Any) -> Any:
            coroutine = getattr(self._memory, name)(**request)
            try:
                while True:
                    coroutine.send(None)
            except StopIteration as stop:
                return stop.value

        return call


def shelf(handle: Any) -> Any:
    return handle.query(Note).where(Note.shelf == "s").page_size(20)


KEYS = [("s", f"{number:03}") for number in range(250)]

WAYS: dict[str, Callable[[Any], Any]] = {
    "query": shelf,
    "scan": lambda handle: handle.scan(Note).page_size(20),
    "parallel scan": lambda handle: handle.scan(Note).parallel(3).page_size(20),
    "pages": lambda handle: shelf(handle).pages(),
    "raw": lambda handle: shelf(handle).raw(),
    "select": lambda handle: shelf(handle).select(Note.number),
    "get_many": lambda handle: handle.get_many(Note, KEYS),
    "get_many in order": lambda handle: handle.get_many(Note, KEYS, ordered=True),
    "get_many with None": lambda handle: handle.get_many(Note, KEYS, missing="none"),
    "execute": lambda handle: handle.execute("SELECT * FROM notes", model=Note),
}


class Taking:
    """Takes one member after the other, whichever way it waits, and notes how each try ended."""

    def __init__(self, way: str, memory: Memory, *, awaited: bool) -> None:
        self.memory = memory
        self.taken: list[Any] = []
        self.ends: list[object] = []
        self.loop = asyncio.new_event_loop() if awaited else None
        if self.loop is not None:
            handle: Any = AsyncSession(client=memory)
        else:
            handle = Session(client=Waiting(memory), fast=False)  # type: ignore[arg-type]
        found = WAYS[way](handle)
        if self.loop is not None and asyncio.iscoroutine(found):
            found = self.loop.run_until_complete(found)
        self.source: Any = found
        self.iterator: Any = found.__aiter__() if awaited else iter(found)

    def take(self) -> bool:
        """Whether there was one more."""
        try:
            if self.loop is None:
                self.taken.append(next(self.iterator))
            else:
                self.taken.append(self.loop.run_until_complete(self.iterator.__anext__()))
        except (StopIteration, StopAsyncIteration):
            self.ends.append("end")
        except (Exception, KeyboardInterrupt) as error:
            self.ends.append(error)
        else:
            return True
        return False

    def close(self) -> None:
        if self.loop is not None:
            self.iterator = self.source = None
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()


@contextlib.contextmanager
def taking(way: str, memory: Memory, *, awaited: bool) -> Iterator[Taking]:
    taking = Taking(way, memory, awaited=awaited)
    try:
        yield taking
    finally:
        taking.close()


AWAITED = pytest.mark.parametrize("awaited", [False, True], ids=["threads", "asyncio"])


@AWAITED
@pytest.mark.parametrize("way", WAYS)
def test_everything_is_given_and_then_the_end_is_said(way: str, awaited: bool):
    with taking(way, Memory(), awaited=awaited) as each:
        while each.take():
            pass
        each.take()

    assert each.ends == ["end", "end"]
    numbers = [len(page) for page in each.taken] if way == "pages" else [1] * len(each.taken)
    assert sum(numbers) == 250


@AWAITED
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("way", WAYS)
def test_a_request_that_failed_fails_again_whenever_it_is_asked_again(
    way: str, at: int, awaited: bool
):
    """Also where the reason is gone: what would have come is missing."""
    if way == "execute" and at == 1:
        pytest.skip("the first page is read at once")
    memory = Memory()
    memory.failing[at] = Trouble("credentials have expired")

    with taking(way, memory, awaited=awaited) as each:
        while each.take():
            pass
        memory.failing.clear()
        for _ in range(3):
            assert not each.take()

    assert len(each.ends) == 4
    assert all(isinstance(end, Trouble) for end in each.ends), each.ends


@AWAITED
@pytest.mark.parametrize("way", [way for way in WAYS if way != "raw"])
def test_an_item_that_cannot_be_read_fails_again(way: str, awaited: bool):
    memory = Memory()
    memory.tables["notes"]["s", "125"]["number"] = {"S": "many"}

    with taking(way, memory, awaited=awaited) as each:
        while each.take():
            pass
        for _ in range(3):
            each.take()

    assert all(isinstance(end, MappingError) for end in each.ends), each.ends
    assert len(each.ends) == 4


@AWAITED
def test_keys_that_fail_fail_again(awaited: bool):
    def keys() -> Iterator[tuple[str, str]]:
        yield from KEYS[:150]
        raise Trouble

    patched = {**WAYS, "keys": lambda handle: handle.get_many(Note, keys())}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WAYS, "keys", patched["keys"])
        with taking("keys", Memory(), awaited=awaited) as each:
            while each.take():
                pass
            each.take()
            # Another iterator over the same stream, which can be iterated once.
            each.iterator = each.source.__aiter__() if awaited else iter(each.source)
            each.take()

    assert all(isinstance(end, Trouble) for end in each.ends), each.ends


@pytest.mark.parametrize("way", WAYS)
def test_an_iterator_that_was_interrupted_does_not_say_the_end(way: str):
    memory = Memory()
    memory.failing[2] = KeyboardInterrupt()

    with taking(way, memory, awaited=False) as each:
        while each.take():
            pass
        for _ in range(2):
            each.take()

    first, *others = each.ends
    assert isinstance(first, (KeyboardInterrupt, DynattrsError))
    assert len(others) == 2
    assert all(isinstance(each, DynattrsError) for each in others), others


def test_an_interrupted_iterator_says_what_to_do():
    memory = Memory()
    iterator = iter(shelf(Session(client=Waiting(memory), fast=False)))  # type: ignore[arg-type]
    next(iterator)
    memory.failing[2] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        list(iterator)

    with pytest.raises(QueryError, match=r"interrupted by KeyboardInterrupt.*start the read again"):
        next(iterator)


@AWAITED
@pytest.mark.parametrize("by", ["loop", "all"])
@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith(("get_many", "execute"))])
def test_what_a_loop_leaves_is_still_to_come(way: str, by: str, awaited: bool):
    """What is given once is lost by nothing but being given."""
    memory = Memory()
    del memory.tables["notes"]["s", "249"]
    with taking(way, memory, awaited=awaited) as each:
        for _ in range(3):
            each.take()
        each.iterator = None
        if by == "all":
            rest = each.source.all()
            each.taken += rest if each.loop is None else each.loop.run_until_complete(rest)
        each.iterator = each.source.__aiter__() if awaited else iter(each.source)
        while each.take():
            pass

        assert each.ends == ["end"]
        if way == "get_many with None":
            assert each.taken.pop() is None
        assert len(each.taken) == len({note.id for note in each.taken}) == 249
        if way != "execute":
            assert each.source.missing == [("s", "249")]
            assert "1 missing" in repr(each.source)


@pytest.mark.parametrize("way", ["get_many", "execute"])
def test_all_does_not_say_the_end_after_an_interrupted_loop(way: str):
    memory = Memory()
    memory.failing[2] = KeyboardInterrupt()
    with taking(way, memory, awaited=False) as each:
        while each.take():
            pass
        with pytest.raises(DynattrsError):
            each.source.all()


@AWAITED
def test_what_is_fetched_is_forgotten_when_its_last_holder_goes(awaited: bool):
    """Without a collection of garbage."""
    gc.disable()
    try:
        with taking("get_many", Memory(), awaited=awaited) as each:
            each.take()
            gone = weakref.ref(each.source._found)
            each.source = None
            each.take()
            assert len(each.taken) == 2
            each.iterator = None
            if each.loop is not None:
                each.loop.run_until_complete(asyncio.sleep(0))
            assert gone() is None
    finally:
        gc.enable()


def test_an_iterator_that_was_closed_is_at_its_end():
    memory = Memory()
    session = Session(client=Waiting(memory), fast=False)  # type: ignore[arg-type]
    for iterator in (iter(shelf(session)), shelf(session).pages()):
        with contextlib.closing(iterator):  # type: ignore[type-var]
            next(iterator)
        assert len(list(iterator)) < 21


@AWAITED
def test_no_answer_fails_again_as_well(awaited: bool):
    memory = Memory()
    memory.failing[3] = ConnectionFailed("Query", "the line is dead")

    with taking("query", memory, awaited=awaited) as each:
        while each.take():
            pass
        each.take()

    assert all(isinstance(end, ConnectionFailed) for end in each.ends)
