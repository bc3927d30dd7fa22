"""What the fixtures of the pytest plugin give: sessions of a world, each for one test."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dynattrs.errors import ConfigurationError
from dynattrs.session.any_session import AnySession
from dynattrs.session.session import Session
from dynattrs.testing.lines import instruments_of
from dynattrs.testing.worlds import Embedded, Remote, World

if TYPE_CHECKING:
    from dynattrs.aio.session import AsyncSession

S = TypeVar("S", bound=AnySession)

#: What the plugin itself says of clients.
_OWN: Final = frozenset(
    (
        "aiobotocore_session",
        "boto3_session",
        "client",
        "endpoint_url",
        "profile_name",
        "region_name",
    )
)


def make_world(engine: str, worker: str) -> World:
    """The place for the tables of one process.

    Args:
        engine: `"embedded"`, or a URL.
        worker: Names the process among those of a test run.

    Raises:
        MissingExtra: The embedded engine is not installed.
        ConfigurationError: The URL is not one of a private network.
        MissingEngine: No engine answers there.
    """
    return World(Embedded() if engine == "embedded" else Remote(engine, worker))


@contextlib.contextmanager
def session_of(world: World, options: Mapping[str, Any]) -> Generator[Session, None, None]:
    """A session for one test.

    Args:
        world: Where its tables are.
        options: What `Session` takes, besides a client or what one is made from.
    """
    settings = _settings(world, options)
    session = Session(boto3_session=world.clients, **settings)
    _put_on(session, world)
    try:
        yield session
    finally:
        _end_batches(session)
        session.close()


@contextlib.contextmanager
def async_session_of(
    world: World, options: Mapping[str, Any]
) -> Generator[AsyncSession, None, None]:
    """The same for asyncio. It connects in the event loop that first awaits it, and waits for nothing
    when it ends, so that any plugin's event loop will do.
    """
    from dynattrs.aio import session as aio  # asyncio is imported where it is used

    settings = _settings(world, options)
    session = aio.AsyncSession(aiobotocore_session=world.async_clients, **settings)
    _put_on(session, world)
    try:
        yield session
    finally:
        _end_batches(session)
        session._drop()


def _settings(world: World, options: Mapping[str, Any]) -> dict[str, Any]:
    refused = sorted(_OWN & options.keys())
    if refused:
        raise ConfigurationError(
            f"dynattrs_session_options gives {', '.join(refused)}, which the plugin gives itself",
            "choose the engine with --dynattrs-engine, or make a Session of your own",
        )
    prefix = world.engine.prefix
    if not prefix:
        return dict(options)
    tables = {name: prefix + real for name, real in (options.get("tables") or {}).items()}
    return {**options, "tables": tables, "table_prefix": prefix + options.get("table_prefix", "")}


def _put_on(session: AnySession, world: World) -> None:
    declared = session._core.declared = {}
    instruments_of(session, "dynattrs_session").before = world.before(declared)


def _end_batches(session: AnySession) -> None:
    """Drop what a test has gathered and not sent."""
    for batch in list(session._batches):
        left = 0
        if batch._closed is None:
            left = len(batch.discard())
            batch._closed = "ended"
        batch._over()
        warnings.warn(
            f"a test has left a batch open; {left} writes of it were not sent. Write "
            f"`with session.batch() as batch:`",
            stacklevel=2,
        )
