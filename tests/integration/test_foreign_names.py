"""Each private name of another library is taken away in turn: the ordinary way, and one warning.

With the newest releases this says which names are gone, too: the first test then meets a warning.
"""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import pytest
from botocore.config import Config

import dynattrs
from dynattrs import foreign_names, mapper, model, partition_key, sort_key
from dynattrs.foreign_names import (
    ASYNC_CONNECTIONS,
    BODIES,
    COPY,
    FAST,
    FORK,
    HOOKS,
    RELEASE,
    ROOM,
    START,
    STREAMS,
    ForeignName,
    Way,
)
from dynattrs.operations.flows import Call

Arguments = dict[str, Any]


@model("songs")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = 0
    cover: bytes = b""


@model(dynattrs.Table("watched", partition_key="id", stream="keys"))
class Watched:
    id: str


SONGS = [Song("Nina Simone", title, 7, b"\x00\xff") for title in ("Feeling Good", "Sinnerman")]


def use(session: Any) -> None:
    """Each way of a call twice: botocore's first, and then the fast one where there is one."""
    session.tables.create(Song)
    for song in SONGS:
        session.save(song)
    for _ in range(2):
        assert session.get(Song, ("Nina Simone", "Sinnerman")) == SONGS[1]
        assert session.query(Song).where(Song.artist == "Nina Simone").all() == SONGS


@pytest.fixture(autouse=True)
def nobody_was_warned() -> Iterator[None]:
    foreign_names._warn.cache_clear()
    yield
    foreign_names._warn.cache_clear()


@pytest.fixture
def environment(client_arguments: Arguments, monkeypatch: pytest.MonkeyPatch) -> Arguments:
    """What a session needs to make a client of its own."""
    given = dict(client_arguments)
    for name in ("aws_access_key_id", "aws_secret_access_key"):
        if name in given:
            monkeypatch.setenv(name.upper(), given.pop(name))
    return given


def with_a_client(client: Any, prefix: str, _: Arguments) -> None:
    use(dynattrs.Session(client=client, table_prefix=prefix))


def with_a_listener(client: Any, prefix: str, arguments: Arguments) -> None:
    """Somebody listens, so that calls are botocore's."""
    client.meta.events.register("before-call.dynamodb", lambda **_: None)
    with_a_client(client, prefix, arguments)


def with_a_client_of_its_own(_: Any, prefix: str, arguments: Arguments) -> None:
    with dynattrs_session(table_prefix=prefix, **arguments) as session:
        use(session)


def with_many_connections(_: Any, prefix: str, arguments: Arguments) -> None:
    given = {**arguments, "config": Config(read_timeout=30), "concurrency": 20}
    with dynattrs_session(table_prefix=prefix, **given) as session:
        use(session)


def after_a_fork(client: Any, prefix: str, _: Arguments) -> None:
    session = dynattrs.Session(client=client, table_prefix=prefix)
    use(session)
    session._driver.forked()
    assert session.get(Song, ("Nina Simone", "Sinnerman")) == SONGS[1]
    session.close()


def with_a_stream(client: Any, prefix: str, _: Arguments) -> None:
    session = dynattrs.Session(client=client, table_prefix=prefix)
    session.tables.create(Watched)
    arn = session.tables.describe(Watched)["LatestStreamArn"]
    response = session._driver.wire.call(Call("describe_stream", {"StreamArn": arn}))
    assert response["StreamDescription"]["StreamArn"] == arn
    session.close()


def with_a_new_mapper(client: Any, prefix: str, arguments: Arguments) -> None:
    own = mapper.Mapper()
    assert own.load(own.dump(SONGS[0]), Song) == SONGS[0]
    with_a_client(client, prefix, arguments)


def under_asyncio(_: Any, prefix: str, arguments: Arguments) -> None:
    pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
    from dynattrs.aio import AsyncSession

    async def main() -> None:
        session = AsyncSession(table_prefix=prefix, **arguments)
        await session.tables.create(Song)
        for song in SONGS:
            await session.save(song)
        for _ in range(2):
            assert await session.get(Song, ("Nina Simone", "Sinnerman")) == SONGS[1]
            found = session.query(Song).where(Song.artist == "Nina Simone")
            assert await found.all() == SONGS
        if "RELEASE" in prefix:  # forgotten
            del session, found
            gc.collect()
        else:
            await session.close()

    asyncio.run(main())
    gc.collect()  # connections that were not released live as long as their loop: say so now


class dynattrs_session:  # noqa: N801 - reads as a function
    """A session that is closed at the end."""

    def __init__(self, **arguments: Any) -> None:
        self._session = dynattrs.Session(**arguments)

    def __enter__(self) -> dynattrs.Session:
        return self._session

    def __exit__(self, *_: object) -> None:
        self._session.close()


_USED: dict[Way, Callable[[Any, str, Arguments], None]] = {
    BODIES: with_a_listener,
    START: with_a_client_of_its_own,
    ROOM: with_many_connections,
    STREAMS: with_a_stream,
    FORK: after_a_fork,
    RELEASE: under_asyncio,
    ASYNC_CONNECTIONS: under_asyncio,
    HOOKS: with_a_new_mapper,
}


def names_of(*ways: Way) -> list[Any]:
    return [
        pytest.param(way, name, id=f"{name.owner.rpartition('.')[2]}.{name.name}")
        for way in ways
        for name in way.names
    ]


def warned_while(function: Callable[..., None], *arguments: Any) -> list[str]:
    """What is said of private names while *function* runs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*arguments)
        said = [str(each.message) for each in caught]
        # What could not be released is told of when it is collected, and a warning of it keeps it.
        warnings.simplefilter("ignore", ResourceWarning)
        caught.clear()
        gc.collect()
    return [each for each in said if "built differently" in each]


def take_away(name: ForeignName, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = f"{name.name}_that_is_gone"
    monkeypatch.setattr(name, "name", gone)
    monkeypatch.setattr(name, "of", attrgetter(gone))


@pytest.mark.parametrize("used", dict.fromkeys([with_a_client, under_asyncio, *_USED.values()]))
def test_all_names_are_there(
    client: Any, table_prefix: str, environment: Arguments, used: Callable[..., None]
):
    """Where this fails, a release has dropped a name: what the warning says is lost with it."""
    assert warned_while(used, client, table_prefix, environment) == []


@pytest.mark.parametrize(("way", "name"), names_of(*foreign_names.WAYS))
def test_without_a_name_the_ordinary_way_is_taken_with_one_warning(
    client: Any,
    table_prefix: str,
    environment: Arguments,
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
    way: Way,
    name: ForeignName,
):
    prefix = f"{table_prefix}RELEASE-" if way is RELEASE else table_prefix
    take_away(name, monkeypatch)

    warned = warned_while(_USED.get(way, with_a_client), client, prefix, environment)

    if pytestconfig.getoption("--no-fast") and way in (BODIES, FAST):
        assert warned == []  # with fast=False these ways are never taken, so nothing is lost
        return
    (warning,) = warned
    assert way.lost in warning
    assert name.name in warning


@pytest.mark.parametrize("way", [COPY, FAST], ids=["COPY", "FAST"])
def test_under_asyncio_too(
    client: Any,
    table_prefix: str,
    environment: Arguments,
    monkeypatch: pytest.MonkeyPatch,
    way: Way,
):
    take_away(way.names[-1 if way is COPY else 0], monkeypatch)

    (warning,) = warned_while(under_asyncio, client, table_prefix, environment)

    assert way.lost in warning
