"""What errors and `discard` name is done again as it was asked for: saves as saves, deletes as deletes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dynattrs import (
    DynattrsError,
    Session,
    Table,
    Unsent,
    UnsentWrites,
    model,
    partition_key,
    sort_key,
)
from dynattrs.aio import AsyncSession
from memory_client import MemoryClient, Waiting, begin, end, value_of

refused = Table("refused", partition_key="id", discriminator="kind")


@model("notes")
class Note:
    shelf: str = partition_key()
    id: str = sort_key()


@model(refused)
class One:
    id: str


@model(refused)
class Other:
    id: str


class Failing(MemoryClient):
    """Refuses all writes while it is told to."""

    failing = True

    async def batch_write_item(self, **request: Any) -> dict[str, Any]:
        self.refuse()
        return await super().batch_write_item(**request)

    async def delete_item(self, **request: Any) -> dict[str, Any]:
        self.refuse()
        return await super().delete_item(**request)

    def refuse(self) -> None:
        if self.failing:
            raise RuntimeError("broken")

    async def query(self, **request: Any) -> dict[str, Any]:
        return {"Items": [*self.tables[request["TableName"]].values()], "ScannedCount": 1}

    scan = query


def keys(memory: MemoryClient) -> set[str]:
    return {key[-1] for table in memory.tables.values() for key in table}


async def opened(memory: MemoryClient, awaited: bool) -> Any:
    if awaited:
        return AsyncSession(client=memory)
    return Session(client=Waiting(memory), fast=False)  # type: ignore[arg-type]


async def failing(session: Any) -> tuple[Unsent, ...]:
    """What a batch could not do."""
    batch = session.batch()
    await value_of(begin(batch))
    await value_of(batch.save(Note("s", "saved")))
    await value_of(batch.delete(Note("s", "deleted")))
    await value_of(batch.delete(Note, ("s", "deleted by key")))
    await value_of(batch.delete(Note, {"shelf": "s", "id": "deleted by fields"}))
    with pytest.raises(UnsentWrites) as caught:
        await value_of(end(batch))
    assert caught.value.objects == [Note("s", "saved")]
    return tuple(caught.value.unsent)


async def dropped(session: Any) -> tuple[Unsent, ...]:
    """What a batch did not do because it was told to drop it."""
    batch = session.batch()
    await value_of(begin(batch))
    await value_of(batch.save(Note("s", "saved")))
    await value_of(batch.delete(Note("s", "deleted")))
    await value_of(batch.delete(Note, ("s", "deleted by key")))
    await value_of(batch.delete(Note, {"shelf": "s", "id": "deleted by fields"}))
    writes = batch.discard()
    await value_of(end(batch))
    return tuple(writes)


@pytest.mark.parametrize("awaited", [False, True], ids=["threads", "asyncio"])
@pytest.mark.parametrize("gathered", [False, True], ids=["session", "batch"])
@pytest.mark.parametrize("unsent", [failing, dropped])
def test_each_write_is_repeated_as_it_was_asked_for(unsent: Any, gathered: bool, awaited: bool):
    async def main() -> None:
        memory = Failing(notes=("shelf", "id"))
        names = ["deleted", "deleted by key", "deleted by fields", "other"]
        memory.tables["notes"] = {("s", name): {} for name in names}
        session = await opened(memory, awaited)
        writes = await unsent(session)
        assert keys(memory) == set(names)
        assert [write.action for write in writes] == ["save", "delete", "delete", "delete"]
        memory.failing = False
        handle = session.batch() if gathered else session
        if gathered:
            await value_of(begin(handle))
        for write in writes:
            await value_of(write.repeat(handle))
        if gathered:
            await value_of(end(handle))
        assert keys(memory) == {"saved", "other"}
        await value_of(session.close())

    asyncio.run(main())


@pytest.mark.parametrize("awaited", [False, True], ids=["threads", "asyncio"])
def test_deletes_of_what_a_query_has_found_are_repeated(awaited: bool):
    async def main() -> None:
        memory = Failing(notes=("shelf", "id"), refused=("id",))
        memory.tables["notes"] = {
            ("s", one): {"shelf": {"S": "s"}, "id": {"S": one}} for one in ("a", "b")
        }
        session = await opened(memory, awaited)
        with pytest.raises(UnsentWrites, match="delete of a Note") as caught:
            await value_of(session.query(Note).where(Note.shelf == "s").delete())
        assert caught.value.objects == []
        named = [write.object for write in caught.value.unsent]
        assert named == [(Note, {"shelf": "s", "id": one}) for one in ("a", "b")]
        memory.failing = False
        for write in caught.value.unsent:
            await value_of(write.repeat(session))
        assert keys(memory) == set()
        await value_of(session.close())

    asyncio.run(main())


def test_deletes_of_what_a_query_of_several_models_has_found_are_not_guessed():
    memory = Failing(refused=("id",))
    memory.tables["refused"] = {("a",): {"id": {"S": "a"}}}
    session = Session(client=Waiting(memory), fast=False)  # type: ignore[arg-type]
    with pytest.raises(UnsentWrites) as caught:
        session.scan(One, Other).delete()
    [write] = caught.value.unsent
    assert write.object == {"id": {"S": "a"}}
    with pytest.raises(DynattrsError, match="of the query again"):
        write.repeat(session)
