"""Requests over the HTTP session of an aiobotocore client, made after patterns of its own.

Only the making of requests and the reading of replies is left out of aiobotocore's way. Connections,
their limit, TLS, proxies and time-outs stay its HTTP session's, which sends these requests too; so a
call that is cancelled closes its connection, and errors are the same.
"""

from __future__ import annotations

import time
from typing import Any

import attrs

from dynattrs.wire.fast_requests import OPERATIONS, Lean, response
from dynattrs.wire.http_pool import made_by
from dynattrs.wire.replies import Attempts, under_way


def shortcut(client: Any, sender: Any) -> Shortcut | None:
    """The short way for calls over *sender*, a twin of *client*; None where there is none.

    An aiobotocore that is built differently gets one warning.
    """
    return made_by(Shortcut, client, sender)


@attrs.define
class Sent:
    """A request, as far as an HTTP session of aiobotocore reads it."""

    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    stream_output: bool = False
    context: dict[str, Any] | None = None


class Shortcut:
    """Calls over the client's connections, after patterns that aiobotocore has given.

    Args:
        client: The client as it was given.
        sender: Its twin, which tells what it sends from now on.

    Raises:
        AttributeError: aiobotocore is built differently.
    """

    def __init__(self, client: Any, sender: Any) -> None:
        self._lean = Lean(client)
        # The twin's own, which also takes care of large bodies.
        self._send = sender._endpoint._send
        sender._endpoint._send = self._aiobotocore_sends

    async def _aiobotocore_sends(self, request: Any) -> Any:
        """Stands where the endpoint's `_send` stood."""
        known = under_way.get()
        if known is not None and known.first is not None:
            first, known.first = known.first, None
            if isinstance(first, Exception):
                raise first
            return first
        received = await self._send(request)
        # A large body is no bytes any more: the next request will do.
        ordinary = received.status_code == 200 and isinstance(request.body, bytes)
        if ordinary and self._lean.wants(request):
            credentials = self._lean.credentials()
            if credentials is not None:
                credentials = await credentials
            if self._lean.wants(request):  # others may have registered a handler meanwhile
                self._lean.learn(request, credentials)
        return received

    async def reply(
        self, method: str, parameters: dict[str, Any], attempts: Attempts
    ) -> dict[str, Any] | None:
        """The response to a call, or None if it is to go aiobotocore's way.

        If an attempt was made and has not given a response, it is noted in *attempts*; aiobotocore
        then takes its outcome for that of its own first one.
        """
        if method not in OPERATIONS or not self._lean.knows(method):
            return None
        try:
            # Awaited, because they may have to be renewed.
            credentials = self._lean.credentials()
            credentials = None if credentials is None else await credentials
        except Exception:
            return None  # aiobotocore meets the same, and it is translated there
        if credentials is None or not self._lean.knows(method):
            return None
        request = self._lean.request(method, parameters, credentials, time.time())
        if request is None:
            return None
        try:
            received = await self._send(Sent(request.url, request.headers, request.body))
            body = await received.content
        except Exception as error:
            attempts.first = error
            return None
        found = response(received.status_code, received.headers, body, attempts.decode)
        if found is None:
            attempts.first = received
            return None
        self._lean.done()
        return found
