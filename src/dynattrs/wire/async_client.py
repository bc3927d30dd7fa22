"""From a `Call` to the aiobotocore client and back; the client is opened with the first of them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import attrs

from dynattrs.errors import ConfigurationError, SessionClosed
from dynattrs.events import Events
from dynattrs.operations.flows import Call
from dynattrs.wire.async_fast_requests import Shortcut, shortcut
from dynattrs.wire.client import Exchange, Stats, configured_later
from dynattrs.wire.replies import twin, under_way

#: Gives an asynchronous context manager whose value is a client.
Opening = Callable[[], contextlib.AbstractAsyncContextManager[Any]]

_of_parents: list[Opened | None] = []


@attrs.define
class Opened:
    """A client of one event loop.

    Attributes:
        loop: The loop that its connections belong to.
        client: The client; None while it is being made.
        sender: Its twin, which calls go through.
        shortcut: The short way of calls, if there is one.
        stack: Closes the connections.
    """

    loop: asyncio.AbstractEventLoop
    client: Any = None
    sender: Any = None
    shortcut: Shortcut | None = None
    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    stack: contextlib.AsyncExitStack = attrs.field(factory=contextlib.AsyncExitStack)


class Wire:
    """Sends calls over one aiobotocore client, for any number of tasks of one event loop."""

    def __init__(
        self,
        client: Any,
        opening: Opening | None,
        *,
        fast: bool = True,
        events: Events | None = None,
    ) -> None:
        self._given = client
        self._events = events or Events()
        self._opening = opening
        self._fast = fast
        self._sender: Any = None
        self._shortcut: Shortcut | None = None
        if client is not None:
            self._sender = twin(client, raw=fast)
            self._shortcut = shortcut(client, self._sender) if fast else None
        self.opened: Opened | None = None
        self.closed = False
        self.stats = Stats()

    async def call(self, call: Call) -> dict[str, Any]:
        """The response to *call*.

        Raises:
            DynattrsError: The translated error, botocore's as its cause.
        """
        sender, short = self._sender, self._shortcut
        if sender is None:
            opened = await self._open()
            sender, short = opened.sender, opened.shortcut
        send = getattr(sender, call.operation)
        exchange = Exchange(self.stats, call, self._events)
        before = under_way.set(exchange.attempts)
        try:
            if short is not None:
                found = await short.reply(call.operation, exchange.packed, exchange.attempts)
                if found is not None:
                    return exchange.answered(found, direct=True)
            while True:
                try:
                    response: dict[str, Any] = await send(**exchange.parameters)
                except Exception as error:
                    exchange.failed(error)
                else:
                    return exchange.answered(response)
        finally:
            under_way.reset(before)
            exchange.closed()

    async def connected(self) -> Any:
        """The client, which is made if there is none yet."""
        return self._given if self._given is not None else (await self._open()).client

    async def _open(self) -> Opened:
        loop = asyncio.get_running_loop()
        opened = self.opened
        if opened is None or opened.loop is not loop:
            if opened is not None and not opened.loop.is_closed():
                raise ConfigurationError(
                    "this AsyncSession belongs to another event loop, which is still open",
                    "make one session for each event loop",
                )
            # The loop is over, and its connections with it.
            opened = self.opened = Opened(loop)
        if opened.client is None:
            async with opened.lock:
                if self.closed:
                    raise SessionClosed
                if opened.client is None:
                    await self._make(opened)
        return opened

    async def _make(self, opened: Opened) -> None:
        assert self._opening is not None
        with configured_later():
            client = await opened.stack.enter_async_context(self._opening())
        opened.sender = twin(client, raw=self._fast)
        opened.shortcut = shortcut(client, opened.sender) if self._fast else None
        opened.client = client

    def renew(self) -> None:
        """Connect anew: what is open belongs to another process."""
        # Kept for good: closing it here would disturb the parent's event loop.
        _of_parents.append(self.opened)
        self.opened = None
        self.stats = Stats()

    async def close(self) -> None:
        """Close the connections. A client that was handed in stays open."""
        self.closed = True
        opened, self.opened = self.opened, None
        if opened is not None and opened.loop is asyncio.get_running_loop():
            await opened.stack.aclose()


def release(wire: Wire) -> None:
    """Close the connections of a session that nobody holds any more and nobody has closed.

    It runs when the session is collected, and cannot wait. aiohttp closes without waiting, in a
    method that is not public, and would warn of what is left open; httpx leaves it to the sockets.
    """
    opened, wire.opened = wire.opened, None
    if opened is None or opened.client is None or opened.loop.is_closed():
        return
    sessions = getattr(opened.client._endpoint.http_session, "_sessions", None) or {}
    for session in list(sessions.values()):
        connector = getattr(session, "connector", None)
        close: Any = getattr(connector, "_close", None)
        if inspect.ismethod(close) and not inspect.iscoroutinefunction(close):
            session.detach()
            opened.loop.call_soon_threadsafe(close)
