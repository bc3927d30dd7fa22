"""What tests put on the line of a session: faults, records, and time that passes when they say so.

A session has none of this unless `dynattrs.testing` puts it there. Faults stand where a request would
be sent, so that botocore's retries, what is known of lost writes, and the fast way meet them as they
meet those of a network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol
from zlib import crc32

import attrs

from dynattrs import clock
from dynattrs.errors import ConfigurationError
from dynattrs.schema.messages import Message


@attrs.frozen
class Outcome:
    """What becomes of one attempt instead of what would.

    Attributes:
        seconds: How long it takes longer.
        sent: Whether the request is sent all the same, and its reply thrown away.
        error: Makes the error that comes instead of a reply, from the URL; or None.
        status: The status of the reply that comes; 0 if none does.
        body: Its body.
    """

    seconds: float = 0.0
    sent: bool = False
    error: Callable[[str], Exception] | None = None
    status: int = 0
    body: bytes = b""

    @property
    def is_late_only(self) -> bool:
        """Whether the reply is the service's."""
        return self.error is None and not self.status

    @property
    def headers(self) -> dict[str, str]:
        return {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-crc32": str(crc32(self.body)),
            "x-amzn-requestid": "injected",
        }


class Spoiler(Protocol):
    """A fault, as a session's line asks for it."""

    def outcome(self, operation: str, tables: tuple[str, ...]) -> Outcome | None:
        """What becomes of the next attempt; None if nothing is done to it."""
        ...

    def hold_back(
        self, operation: str, tables: tuple[str, ...], requests: Message
    ) -> tuple[Message, Message] | None:
        """The `RequestItems` that are sent of a batch, and those that are left unprocessed; None if
        nothing is done to it.
        """
        ...


@attrs.frozen
class Ended:
    """A call that has ended.

    Attributes:
        operation: The service's name of the operation.
        parameters: What was asked, as the client's method takes it.
        response: What was answered, or what an error of the service has brought; else empty.
        error: The service's code, or the class of the error, where it failed.
        seconds: How long it took.
        attempts: How many attempts there were.
    """

    operation: str
    parameters: Message
    response: Message
    error: str | None
    seconds: float
    attempts: int


@attrs.define(eq=False)
class Instruments:
    """What is on one session's line.

    Attributes:
        before: Called before each call with the operation and its parameters.
        over: Called after each that *before* has let pass, however it has ended.
        spoilers: Who may spoil attempts.
        recorders: Who is told of calls that have ended.
        waits: Whether pauses take their time; otherwise it only counts as gone by.
        skew: How many seconds have gone by without taking them.
    """

    before: Callable[[str, Message], object] | None = None
    over: Callable[[], object] | None = None
    spoilers: tuple[Spoiler, ...] = ()
    recorders: tuple[Callable[[Ended], object], ...] = ()
    waits: bool = True
    skew: float = 0.0
    #: Called with what has gone by.
    passed: Callable[[float], object] | None = None

    def monotonic(self) -> float:
        """Seconds that never go back, those that were skipped among them."""
        return clock.monotonic() + self.skew

    def skip(self, seconds: float) -> bool:
        """Let time go by without taking it; False if it is to be taken."""
        if self.waits:
            return False
        self.skew += seconds
        if self.passed is not None:
            self.passed(seconds)
        return True

    def line(self, operation: str, tables: tuple[str, ...]) -> Line:
        """The line for a call."""
        return Line(self, operation, tables)

    def record(self, *ended: Any) -> None:
        """Tell recorders of a call that has ended, by what `Ended` has."""
        told = Ended(*ended)
        for recorder in self.recorders:
            recorder(told)


class Line:
    """The line as one call finds it."""

    __slots__ = ("_instruments", "_nothing_left", "_operation", "_tables", "asked")

    def __init__(self, instruments: Instruments, operation: str, tables: tuple[str, ...]) -> None:
        self._instruments = instruments
        self._operation = operation
        self._tables = tables
        self._nothing_left = False
        #: Whether an attempt has come this way.
        self.asked = False

    def hold_back(self, parameters: Message) -> tuple[Message, Message | None]:
        """What is sent of a call, and the `RequestItems` that its answer is to leave unprocessed."""
        requests = parameters.get("RequestItems")
        if requests is None:
            return parameters, None
        for each in self._instruments.spoilers:
            found = each.hold_back(self._operation, self._tables, requests)
            if found is not None:
                sent, left = found
                self._nothing_left = not sent
                return {**parameters, "RequestItems": sent or requests}, left
        return parameters, None

    def outcome(self) -> Outcome | None:
        """What becomes of an attempt that is about to be made."""
        self.asked = True
        for each in self._instruments.spoilers:
            found = each.outcome(self._operation, self._tables)
            if found is not None:
                return found
        if self._nothing_left:
            return Outcome(status=200, body=b'{"Responses":{},"UnprocessedItems":{}}')
        return None

    def wait(self, seconds: float) -> None:
        if seconds and not self._instruments.skip(seconds):
            time.sleep(seconds)

    async def wait_awaited(self, seconds: float) -> None:
        if seconds and not self._instruments.skip(seconds):
            from asyncio import sleep  # which takes a while, and threads do without it

            await sleep(seconds)

    def ends_at(self, seconds: float) -> float:
        """When so many seconds are over, as `clock.monotonic` counts."""
        skipped = not seconds or self._instruments.skip(seconds)
        return clock.monotonic() + (0.0 if skipped else seconds)

    def send(self, url: str, send: Callable[[], Any], made: Callable[[Outcome], Any]) -> Any:
        """What botocore gets for an attempt.

        Args:
            url: Where it goes.
            send: Sends it.
            made: A response of botocore's.
        """
        found = self.outcome()
        if found is None:
            return send()
        self.wait(found.seconds)
        if found.is_late_only:
            return send()
        if found.sent:
            send()
        if found.error is not None:
            raise found.error(url)
        return made(found)

    async def send_awaited(
        self, url: str, send: Callable[[], Any], made: Callable[[Outcome], Any]
    ) -> Any:
        """The same for aiobotocore."""
        found = self.outcome()
        if found is None:
            return await send()
        await self.wait_awaited(found.seconds)
        if found.is_late_only:
            return await send()
        if found.sent:
            await (await send()).content
        if found.error is not None:
            raise found.error(url)
        return made(found)

    def check_asked(self) -> None:
        """Refuse faults on a line that no attempt has come along.

        Raises:
            ConfigurationError: Something has answered in its place.
        """
        if not self.asked:
            raise ConfigurationError(
                "faults reach what a session sends, and this call was answered before: by a function that "
                "replaces the client's, by a Stubber, by moto, or by a client that is not "
                "botocore's",
                "let the mock fail itself, or use an engine: the embedded one, or moto's server",
            )
