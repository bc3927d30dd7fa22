"""What a session writes itself comes after what its open batches of the same thread or task have for
the key: the program wrote that first.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dynattrs import Session, Table, UnsentWrites, field, model, partition_key, set_, sort_key
from dynattrs.aio import AsyncSession
from memory_client import MemoryClient, Waiting, begin, end, value_of


@model("notes")
class Note:
    shelf: str = partition_key()
    id: str = sort_key()
    value: int = 0


shared = Table("shared", partition_key="id", discriminator="kind")


@model(shared)
class Plain:
    id: str


@model(shared)
class Versioned:
    id: str
    version: int = field(version=True)


async def in_a_transaction(session: Any) -> None:
    transaction = session.transaction()
    if isinstance(session, Session):
        with transaction as t:
            t.save(Note("s", "a", 2))
    else:
        async with transaction as t:
            t.save(Note("s", "a", 2))


async def through_another_batch(session: Any) -> None:
    """What it does at once."""
    batch = session.batch()
    await value_of(begin(batch))
    await value_of(batch.update(Note, ("s", "a"), set_(Note.value, 2), returns=None))
    await value_of(end(batch))


VERBS: dict[str, Callable[[Any], Any]] = {
    "save": lambda session: session.save(Note("s", "a", 2)),
    "save, when": lambda session: session.save(Note("s", "a", 2), when=Note.value == 1),
    "insert": lambda session: session.insert(Note("s", "a", 2)),
    "save_all": lambda session: session.save_all([Note("s", "a", 2)]),
    "delete": lambda session: session.delete(Note, ("s", "a")),
    "delete of an object": lambda session: session.delete(Note("s", "a")),
    "update": lambda session: session.update(
        Note, ("s", "a"), set_(Note.value, 2), returns=None
    ),
    "query, delete": lambda session: session.query(Note).where(Note.shelf == "s").delete(),
    "execute": lambda session: session.execute("DELETE FROM notes WHERE shelf = 's'"),
    "transaction": in_a_transaction,
    "another batch": through_another_batch,
}  # fmt: skip


@pytest.mark.parametrize("awaited", [False, True], ids=["threads", "asyncio"])
@pytest.mark.parametrize("verb", VERBS)
def test_what_a_session_writes_comes_after_what_its_open_batch_has_for_the_key(
    verb: str, awaited: bool
):
    async def main() -> None:
        memory = MemoryClient(notes=("shelf", "id"))
        session: Any = (
            AsyncSession(client=memory) if awaited else Session(client=Waiting(memory), fast=False)  # type: ignore[arg-type]
        )
        batch = session.batch()
        await value_of(begin(batch))
        await value_of(batch.save(Note("s", "a", 1)))
        await value_of(VERBS[verb](session))
        first, *others = memory.requests

        await value_of(end(batch))

        assert first == "batch_write_item"
        assert others
        assert memory.requests == [first, *others]
        await value_of(session.close())

    asyncio.run(main())


class Scene:
    """A session in threads with an open batch that has gathered a write."""

    def __init__(self, **options: Any) -> None:
        self.memory = MemoryClient(notes=("shelf", "id"))
        self.session = Session(client=Waiting(self.memory), fast=False, **options)  # type: ignore[arg-type]

    @property
    def requests(self) -> list[str]:
        return self.memory.requests


def test_what_has_another_key_waits_on():
    scene = Scene()
    with scene.session.batch() as batch:
        batch.save(Note("s", "a", 1))
        scene.session.save(Note("s", "b", 1))
        assert scene.requests == ["put_item"]


def test_reads_of_a_session_do_not_wait_for_its_batches():
    scene = Scene()
    with scene.session.batch() as batch:
        batch.save(Note("s", "a", 1))
        assert scene.session.get(Note, ("s", "a")) is None


def test_what_failed_is_told_by_its_batch():
    scene = Scene()

    def broken(**_: Any) -> Any:
        raise RuntimeError("broken")

    with pytest.raises(UnsentWrites) as caught, scene.session.batch() as batch:
        batch.save(Note("s", "a", 1))
        scene.memory.batch_write_item = broken  # type: ignore[method-assign]
        scene.session.save(Note("s", "a", 2))
        assert scene.requests == ["put_item"]

    assert caught.value.objects == [Note("s", "a", 1)]


def test_a_batch_that_another_thread_has_opened_is_left_alone():
    scene = Scene()
    with scene.session.batch() as batch:
        batch.save(Note("s", "a", 1))
        thread = threading.Thread(target=scene.session.save, args=(Note("s", "a", 2),))
        thread.start()
        thread.join()
        assert scene.requests == ["put_item"]


def test_a_write_from_inside_the_sending_of_a_batch_does_not_wait_for_itself():
    scene = Scene()
    written: list[Note] = []

    def on_progress(progress: Any) -> None:
        if not written:
            written.append(scene.session.save(Note("s", "a", 2)))

    def run() -> None:
        with scene.session.batch(on_progress=on_progress) as batch:
            batch.save(Note("s", "a", 1))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)

    assert not thread.is_alive()
    assert scene.requests == ["batch_write_item", "put_item"]


def test_a_batch_that_another_task_has_opened_is_left_alone():
    async def main() -> None:
        memory = MemoryClient(notes=("shelf", "id"))
        session = AsyncSession(client=memory)
        async with session.batch() as batch:
            await batch.save(Note("s", "a", 1))
            await asyncio.create_task(session.save(Note("s", "a", 2)))  # type: ignore[arg-type]
            assert memory.requests == ["put_item"]
        await session.close()

    asyncio.run(main())


def test_batches_that_have_ended_or_are_forgotten_are_not_remembered():
    scene = Scene()
    with scene.session.batch():
        assert len(scene.session._core.gathering) == 1
    scene.session.batch().__enter__()

    assert not scene.session._core.gathering


# --- While `save_all` takes objects -------------------------------------------------------------


@pytest.mark.parametrize("verb", [name for name in VERBS if name != "another batch"])
def test_what_a_generator_writes_comes_after_what_it_has_yielded(verb: str):
    scene = Scene()

    def notes() -> Any:
        yield Note("s", "a", 1)
        asyncio.run(value_of(VERBS[verb](scene.session)))

    scene.session.save_all(notes())

    assert scene.requests[0] == "batch_write_item"
    assert len(scene.requests) > 1


def test_what_a_generator_writes_of_another_key_does_not_wait():
    scene = Scene()

    def notes() -> Any:
        yield Note("s", "a", 1)
        scene.session.save(Note("s", "b", 1))

    scene.session.save_all(notes())

    assert scene.requests == ["put_item", "batch_write_item"]


def test_what_a_generator_has_gathered_comes_before_what_it_yields():
    scene = Scene()
    batch = scene.session.batch()

    def notes() -> Any:
        with batch:
            batch.save(Note("s", "a", 1))
            yield Note("s", "a", 2)
            assert scene.requests == ["batch_write_item"]
            batch.save(Note("s", "a", 3))
            assert scene.requests == ["batch_write_item"] * 2

    scene.session.save_all(notes())

    assert len(scene.requests) == 3
    [item] = scene.memory.tables["notes"].values()
    assert item["value"] == {"N": "3"}


def test_another_thread_does_not_wait_for_what_is_being_taken():
    scene = Scene()

    def notes() -> Any:
        yield Note("s", "a", 1)
        thread = threading.Thread(target=scene.session.save, args=(Note("s", "a", 2),))
        thread.start()
        thread.join()

    scene.session.save_all(notes())

    assert scene.requests == ["put_item", "batch_write_item"]


@pytest.mark.parametrize("gathered", [False, True], ids=["session", "batch"])
@pytest.mark.parametrize("awaited", [False, True], ids=["threads", "asyncio"])
def test_objects_with_a_version_and_others_of_their_key_keep_their_order(
    awaited: bool, gathered: bool
):
    async def main() -> None:
        memory = MemoryClient(shared=("id",))
        session: Any = (
            AsyncSession(client=memory) if awaited else Session(client=Waiting(memory), fast=False)  # type: ignore[arg-type]
        )
        handle = session.batch() if gathered else session
        if gathered:
            await value_of(begin(handle))
        objects = [Versioned("a"), Plain("a"), *(Plain(str(n)) for n in range(30)), Versioned("a")]
        await value_of(handle.save_all(objects))
        assert memory.tables["shared"]["a",]["kind"] == {"S": "Versioned"}
        await value_of(handle.save_all([Versioned("b"), Plain("b"), Plain("c")]))
        if gathered:
            await value_of(end(handle))
        assert memory.tables["shared"]["b",]["kind"] == {"S": "Plain"}
        await value_of(session.close())

    asyncio.run(main())


@pytest.mark.parametrize("awaited", [False, True], ids=["threads", "asyncio"])
def test_a_save_all_that_has_ended_is_not_remembered(awaited: bool):
    async def main() -> None:
        memory = MemoryClient(notes=("shelf", "id"))
        session: Any = (
            AsyncSession(client=memory) if awaited else Session(client=Waiting(memory), fast=False)  # type: ignore[arg-type]
        )

        def notes() -> Any:
            yield Note("s", "a", 1)
            assert len(session._core.taking) == 1
            raise ValueError("the generator has failed")

        with pytest.raises(ValueError, match="has failed"):
            await value_of(session.save_all(notes()))

        assert not session._core.taking
        assert len(memory.tables["notes"]) == 1
        await value_of(session.close())

    asyncio.run(main())
