"""From a `Call` to the botocore client and back.

The client is used as it is given and never changed; see `client_copy` for what is called in its place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs

from dynattrs import foreign_names
from dynattrs.events import Events
from dynattrs.operations.flows import Call
from dynattrs.wire.attempts import under_way
from dynattrs.wire.client_copy import copied, renew_connections
from dynattrs.wire.exchange import Exchange
from dynattrs.wire.fast_calls import FastCalls, SentRequest
from dynattrs.wire.stats import Stats


@attrs.frozen(eq=False, repr=False)
class PendingReply:
    """A call whose request was sent.

    Attributes:
        ready: Whether the reply begins to come in, or is late; it waits so many seconds to find out.
            An interruption meanwhile changes nothing.
        finish: Gives the response, or raises, as `Wire.call` does. It is called once.
    """

    ready: Callable[[float], bool]
    finish: Callable[[], dict[str, Any]]


class Wire:
    """Sends calls over one botocore client. Safe between threads, as the client is."""

    def __init__(self, client: Any, *, fast: bool = True, events: Events | None = None) -> None:
        self.client = client
        self._events = events or Events()
        self._sender = copied(client, raw=fast)
        self._fast: FastCalls | None = None
        if fast and self._sender is not client:
            self._fast = foreign_names.FAST.made(lambda: FastCalls(client, self._sender))
        self._renewed: Any = None
        self.stats = Stats()

    def renew(self) -> None:
        """Use connections of our own from now on: those there are belong to another process."""
        if self._sender is not self.client:
            self._renewed = renew_connections(self._sender)
        if self._fast is not None:
            self._fast.renew()
        self.stats = Stats()

    def close(self) -> None:
        """Close the connections that are not the client's."""
        if self._renewed is not None:
            self._renewed.close()

    def call(self, call: Call) -> dict[str, Any]:
        """The response to *call*.

        Raises:
            DynattrsError: The translated error, botocore's as its cause.
        """
        send = getattr(self._sender, call.operation)
        exchange = Exchange(self.stats, call, self._events)
        sent = None
        if self._fast is not None:
            try:
                sent = self._fast.begin(call.operation, exchange.packed, exchange.attempts)
            except BaseException:
                exchange.closed()
                raise
        return self._finish(send, exchange, sent)

    def begin(self, call: Call) -> PendingReply | None:
        """Send the request of *call*, and read the reply later; None if that cannot be."""
        if self._fast is None or self._events.of_requests:
            return None
        send = getattr(self._sender, call.operation)
        exchange = Exchange(self.stats, call, self._events)
        sent = self._fast.begin(call.operation, exchange.packed, exchange.attempts)
        if sent is None:
            return None
        return PendingReply(sent.ready, functools.partial(self._finish, send, exchange, sent))

    def _finish(
        self, send: Callable[..., Any], exchange: Exchange, sent: SentRequest | None
    ) -> dict[str, Any]:
        before = under_way.set(exchange.attempts)
        try:
            if sent is not None:
                found = sent.response()
                if found is not None:
                    return exchange.answered(found, direct=True)
            while True:
                try:
                    response: dict[str, Any] = send(**exchange.parameters)
                except Exception as error:
                    exchange.failed(error)
                else:
                    return exchange.answered(response)
        finally:
            under_way.reset(before)
            exchange.closed()
