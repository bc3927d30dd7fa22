"""What errors and `discard` name is done again as it was asked for: saves as saves, deletes as deletes."""

from __future__ import annotations

import asyncio
import copy
import pickle
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from dynattrs import (
    DynattrsError,
    KeyChanged,
    Session,
    Table,
    Unsent,
    UnsentWrites,
    evolve,
    mapper,
    model,
    partition_key,
    sort_key,
)
from dynattrs.aio import AsyncSession
from memory_client import MemoryClient, Waiting, begin, end, value_of

templated = Table("notes", partition_key="shelf", sort_key="id")
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
    with pytest.raises(DynattrsError, match="on the query again"):
        write.repeat(session)


# --- The object has changed since ---------------------------------------------------------------


@model("notes")
class Page:
    shelf: str = partition_key()
    id: str = sort_key()
    text: str = ""


def lower(address: Address) -> Address:
    return evolve(address, mail=address.mail.lower())


@model("hooked", frozen=True, before_save=lower)
class Address:
    """A hook makes another object of it, under another key."""

    mail: str = partition_key()
    text: str = ""


@model("visits")
class Visit:
    page: str = partition_key()
    at: datetime = sort_key()


@model("notes")
class Measure:
    shelf: Decimal = partition_key()
    id: bytes = sort_key()


@model(templated, shelf="S#{owner}", id="N#{number}")
class Made:
    owner: str
    number: int


async def unsent_of(session: Any, *calls: tuple[Any, ...], discard: bool) -> list[Unsent]:
    """What a batch could not write, or was told to drop; a callable is called in between."""
    batch = session.batch()
    await value_of(begin(batch))
    for verb, *given in calls:
        if callable(verb):
            verb(*given)
        else:
            await value_of(getattr(batch, verb)(*given))
    if discard:
        dropped = batch.discard()
        await value_of(end(batch))
        return list(dropped)
    with pytest.raises(UnsentWrites) as caught:
        await value_of(end(batch))
    return list(caught.value.unsent)


def run_with(memory: Failing, awaited: bool, main: Any) -> None:
    async def run() -> None:
        session = await opened(memory, awaited)
        await main(session)
        await value_of(session.close())

    asyncio.run(run())


ways = pytest.mark.parametrize(
    ("awaited", "discard"), [(False, False), (True, False), (False, True), (True, True)]
)


@ways
def test_a_delete_of_an_object_that_has_another_key_now_deletes_no_other_item(
    awaited: bool, discard: bool
):
    memory = Failing(notes=("shelf", "id"))
    memory.tables["notes"] = {("s", "a"): {}, ("s", "c"): {}}
    page = Page("s", "a")

    async def main(session: Any) -> None:
        [write] = await unsent_of(session, ("delete", page), discard=discard)
        page.id = "c"
        memory.failing = False
        assert write.key == {"shelf": "s", "id": "a"}
        with pytest.raises(
            KeyChanged, match=r"(?s)delete of Page.*'id': 'a'.*'id': 'c'.*write\.key"
        ):
            await value_of(write.repeat(session))
        assert keys(memory) == {"a", "c"}
        await value_of(session.delete(Page, write.key))
        assert keys(memory) == {"c"}

    run_with(memory, awaited, main)


@ways
def test_saves_of_one_object_that_is_used_again_name_each_key(awaited: bool, discard: bool):
    memory = Failing(notes=("shelf", "id"))
    page = Page("s", "")

    async def main(session: Any) -> None:
        calls = [
            call for n in range(3) for call in ((setattr, page, "id", f"k{n}"), ("save", page))
        ]
        writes = await unsent_of(session, *calls, discard=discard)
        assert [write.key for write in writes] == [{"shelf": "s", "id": f"k{n}"} for n in range(3)]
        memory.failing = False
        for write in writes[:2]:
            with pytest.raises(KeyChanged, match="give it that key again"):
                await value_of(write.repeat(session))
        assert keys(memory) == set()
        await value_of(writes[2].repeat(session))
        assert keys(memory) == {"k2"}
        page.id = "k0"
        await value_of(writes[0].repeat(session))
        assert keys(memory) == {"k0", "k2"}

    run_with(memory, awaited, main)


@ways
def test_a_save_of_an_object_whose_other_fields_have_changed_stores_it_as_it_is_now(
    awaited: bool, discard: bool
):
    memory = Failing(notes=("shelf", "id"))
    page = Page("s", "a", "first")

    async def main(session: Any) -> None:
        [write] = await unsent_of(session, ("save", page), discard=discard)
        page.text = "second"
        memory.failing = False
        await value_of(write.repeat(session))
        [item] = memory.tables["notes"].values()
        assert item["text"] == {"S": "second"}

    run_with(memory, awaited, main)


def test_a_delete_by_a_key_that_was_changed_since_deletes_what_was_asked_for():
    memory = Failing(notes=("shelf", "id"))
    memory.tables["notes"] = {("s", "a"): {}, ("s", "c"): {}}
    key = {"shelf": "s", "id": "a"}

    async def main(session: Any) -> None:
        [write] = await unsent_of(session, ("delete", Page, key), discard=False)
        key["id"] = "c"
        memory.failing = False
        write.repeat(session)
        assert keys(memory) == {"c"}

    run_with(memory, False, main)


def test_what_a_hook_has_saved_under_another_key_is_repeated():
    memory = Failing(hooked=("mail",))

    async def main(session: Any) -> None:
        [write] = await unsent_of(session, ("save", Address("ANN")), discard=False)
        assert (write.object, write.key) == (Address("ANN"), {"mail": "ann"})
        memory.failing = False
        write.repeat(session)
        assert keys(memory) == {"ann"}

    run_with(memory, False, main)


def test_the_key_of_a_write_is_the_one_that_the_item_has():
    memory = Failing(visits=("page", "at"))
    stored = {"page": {"S": "/"}, "at": {"S": "2026-11-23T12:30:00Z"}}
    memory.tables["visits"] = {("/", "2026-11-23T12:30:00Z"): stored}
    visit = mapper.load(stored, Visit)

    async def main(session: Any) -> None:
        [write] = await unsent_of(session, ("delete", visit), discard=False)
        assert write.key == {"page": "/", "at": visit.at}
        memory.failing = False
        copied = pickle.loads(pickle.dumps(write))
        visit.page = "/other"
        with pytest.raises(KeyChanged):
            write.repeat(session)
        session.delete(Visit, write.key)
        assert keys(memory) == set()
        memory.tables["visits"] = {("/", "2026-11-23T12:30:00Z"): stored}
        copied.repeat(session)
        assert keys(memory) == set()

    run_with(memory, False, main)


@pytest.mark.parametrize(
    ("obj", "key"),
    [
        (Measure(Decimal("1E+2"), b"\xff"), {"shelf": Decimal(100), "id": b"\xff"}),
        (Made("ann", 7), {"owner": "ann", "number": 7}),
    ],
)
@pytest.mark.parametrize("verb", ["save", "delete"])
def test_a_key_of_numbers_bytes_or_templates_is_told_in_fields(verb: str, obj: Any, key: Any):
    memory = Failing(notes=("shelf", "id"))

    async def main(session: Any) -> None:
        [write] = await unsent_of(session, (verb, obj), discard=False)
        assert write.key == key
        assert type(write.key) is dict
        assert pickle.loads(pickle.dumps(write)).key == key
        memory.failing = False
        write.repeat(session)
        assert len(keys(memory)) == (verb == "save")
        session.delete(type(obj), write.key)
        assert keys(memory) == set()

    run_with(memory, False, main)


def test_an_object_whose_key_cannot_be_written_any_more_has_another_one():
    memory = Failing(notes=("shelf", "id"))
    page = Page("s", "a")

    async def main(session: Any) -> None:
        [write] = await unsent_of(session, ("save", page), discard=True)
        page.id = ""
        with pytest.raises(KeyChanged, match="'id': ''"):
            write.repeat(session)

    run_with(memory, False, main)


def test_errors_with_the_keys_of_writes_are_copied_and_pickled():
    memory = Failing(notes=("shelf", "id"))

    async def main(session: Any) -> None:
        batch = session.batch()
        batch.__enter__()
        batch.save(Page("s", "a"))
        with pytest.raises(UnsentWrites) as caught:
            batch.__exit__(None, None, None)
        error = caught.value
        for made in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert str(made) == str(error)
            assert [write.key for write in made.unsent] == [{"shelf": "s", "id": "a"}]
        memory.failing = False
        pickle.loads(pickle.dumps(error)).unsent[0].repeat(session)
        assert keys(memory) == {"a"}

    run_with(memory, False, main)


def test_a_write_of_unknown_key_has_none():
    assert Unsent(Page("s", "a"), "save", ValueError()).key is None
