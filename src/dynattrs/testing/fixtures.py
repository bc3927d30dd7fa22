"""Sessions for the fixtures of the pytest plugin, each for one test."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dynattrs.errors import ConfigurationError, SessionClosed
from dynattrs.schema.messages import Message
from dynattrs.session.any_session import AnySession
from dynattrs.session.session import Session
from dynattrs.testing.lines import instruments_of
from dynattrs.testing.worlds import Embedded, Remote, World

if TYPE_CHECKING:
    from dynattrs.aio.session import AsyncSession

S = TypeVar("S", bound=AnySession)

#: So many seconds a call of a thread that a test has left may take to its end.
_PATIENCE: Final = 5.0

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
    """Make the place for the tables of one process.

    Args:
        engine: `"embedded"`, or a URL.
        worker: The name of this process in the test run.

    Raises:
        MissingExtra: The embedded engine is not installed.
        ConfigurationError: The URL is not on this machine or in a private network.
        MissingEngine: No engine answers there.
    """
    return World(Embedded() if engine == "embedded" else Remote(engine, worker))


@contextlib.contextmanager
def session_of(world: World, options: Mapping[str, Any]) -> Generator[Session, None, None]:
    """A session for one test.

    Args:
        world: Where its tables are.
        options: Options of `Session`, except those for its client.
    """
    settings = settings_of(world, options)
    session = Session(boto3_session=world.clients, **settings)
    calls = _put_on(session, world)
    try:
        yield session
    finally:
        left = _end_batches(session)
        session.close()
        # Of threads that the test has left.
        calls.end(_PATIENCE)
        _tell_of(left)


@contextlib.contextmanager
def async_session_of(
    world: World, options: Mapping[str, Any]
) -> Generator[AsyncSession, None, None]:
    """The same for asyncio. It connects in the event loop that first awaits it, and waits for nothing
    when it ends, so that any plugin's event loop will do.
    """
    from dynattrs.aio import session as aio  # asyncio is imported where it is used

    settings = settings_of(world, options)
    session = aio.AsyncSession(aiobotocore_session=world.async_clients, **settings)
    calls = _put_on(session, world)
    try:
        yield session
    finally:
        left = _end_batches(session)
        session._drop()
        calls.end(0.0)  # nothing is waited for without an event loop
        _tell_of(left)


def settings_of(world: World, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a session of a test is made with.

    Raises:
        ConfigurationError: The options contain one that the plugin sets itself.
    """
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


def _put_on(session: AnySession, world: World) -> Calls:
    declared = session._core.declared = {}
    # Strong: which batches a test has left must not depend on the garbage collector.
    session._batches = set()
    calls, prepare = Calls(), world.before(declared)

    def before(operation: str, parameters: Message) -> None:
        calls.begin()
        try:
            prepare(operation, parameters)
        except BaseException:
            calls.over()
            raise

    line = instruments_of(session, "dynattrs_session")
    line.before, line.over = before, calls.over
    return calls


class Calls:
    """The calls of a session of one test, which must not reach into the next one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way = 0
        self._ended = False

    def begin(self) -> None:
        """A call begins.

        Raises:
            SessionClosed: The test is over.
        """
        with self._changed:
            if self._ended:
                raise SessionClosed
            self._under_way += 1

    def over(self) -> None:
        """A call has ended."""
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def end(self, seconds: float) -> None:
        """No call begins any more, and those under way have so many seconds to end."""
        with self._changed:
            self._ended = True
            self._changed.wait_for(lambda: not self._under_way, seconds)


def _end_batches(session: AnySession) -> list[int]:
    """Drop what a test has gathered and not sent: of each batch, how many writes."""
    found = []
    for batch in list(session._batches):
        left = 0
        if batch._closed is None:
            left = len(batch.discard())
            batch._closed = "ended"
        batch._over()
        found.append(left)
    return found


def _tell_of(batches: list[int]) -> None:
    # Last of all: a warning may be an error.
    for left in batches:
        warnings.warn(
            f"a test has left a batch open; {left} writes of it were not sent. Write "
            f"`with session.batch() as batch:`",
            stacklevel=2,
        )
