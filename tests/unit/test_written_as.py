"""Python's own errors about arguments name a method as a program calls it."""

import asyncio
import inspect
from typing import Any

import pytest

from dynattrs import Session, model, partition_key
from dynattrs.aio import AsyncSession


@model("songs")
class Song:
    title: str = partition_key()


async def _outcome(call: Any) -> None:
    found = call()
    if inspect.isawaitable(found):
        await found


@pytest.mark.parametrize("made", [Session, AsyncSession])
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.get(Song), "session.get() missing 1 required positional argument: 'key'"),
        (lambda s: s.save(), "session.save() missing 1 required positional argument: 'obj'"),
        (lambda s: s.insert(Song("a"), x=1), "session.insert() got an unexpected keyword argument 'x'"),
        (lambda s: s.refresh(), "session.refresh() missing 1 required positional argument: 'obj'"),
        (lambda s: s.query(Song, limit=3), "session.query() got an unexpected keyword argument 'limit'"),
        (lambda s: s.query(Song).where(title="a"), "query.where() got an unexpected keyword argument"),
        (lambda s: s.tables.create(Song, x=1), "session.tables.create() got an unexpected keyword"),
        (lambda s: s.transaction().save(), "transaction.save() missing 1 required positional"),
        (lambda s: type(s).local(3), "Session.local() takes 1 positional argument but 2 were given"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_told_of_the_method_as_it_is_called(made: Any, call: Any, message: str):
    if made is AsyncSession:
        pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
    session = made(region_name="eu-west-1")

    with pytest.raises(TypeError) as caught:
        asyncio.run(_outcome(lambda: call(session)))

    assert str(caught.value).startswith(message)


def test_a_coroutine_is_named_as_it_is_called():
    pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
    session = AsyncSession(region_name="eu-west-1")
    coroutine = session.get(Song, "a")

    assert coroutine.__qualname__ == "session.get"  # Python warns of it so where it is not awaited
    coroutine.close()
