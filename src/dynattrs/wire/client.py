"""From a `Call` to the botocore client and back.

The client is used as it is given and never changed; see `client_copy` for what is called in its place.

Calls go over connections that are idle, with requests that are made after a pattern, where they can:
`fast_requests` makes these, `http_connections` has the connections. Those for which there is no pattern,
no connection or a listener go botocore's way.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import HTTPClientError, ReadTimeoutError

from dynattrs import foreign_names as foreign
from dynattrs.clock import monotonic
from dynattrs.deferral import deferred
from dynattrs.events import Events
from dynattrs.late_classes import define
from dynattrs.mapper.annotations import LARGE_FIELDS
from dynattrs.operations.flows import Call
from dynattrs.operations.requests import STREAM_OPERATIONS
from dynattrs.schema.messages import Message
from dynattrs.wire.attempts import Attempts, take_first, under_way
from dynattrs.wire.client_copy import as_botocores, copied, renew_connections
from dynattrs.wire.exchange import Exchange, Stats, read_well
from dynattrs.wire.fast_requests import Request, RequestMaker
from dynattrs.wire.http_connections import Connection, Connections
from dynattrs.wire.http_replies import Reply
from dynattrs.wire.patches import Patches
from dynattrs.wire.service_errors import configured, lacks
from dynattrs.wire.time_limits import OutOfTime, within

if TYPE_CHECKING:
    from dynattrs.wire import objects as s3_objects
    from dynattrs.wire import streams_client
    from dynattrs.wire.instruments import Instruments, Outcome
else:
    # Imported when the first stream is read.
    streams_client = deferred("dynattrs.wire.streams_client")
    # Imported when something goes to S3, or comes from there.
    s3_objects = deferred("dynattrs.wire.objects")


# Measured (benchmarks/second_ways.py): 603 -> 45 us of CPU a get.
# tests/unit/test_fast_requests.py holds what is sent, and what comes of it, to botocore's way.
class FastCalls:
    """Calls over connections that are idle, after patterns that botocore has given.

    Args:
        client: The client as it was given.
        sender: Its copy, which tells what it sends from now on.

    Raises:
        AttributeError: botocore or urllib3 is built differently.
    """

    def __init__(self, client: object, sender: object) -> None:
        self._maker = RequestMaker(client)
        self._endpoint = foreign.ENDPOINT.of(sender)
        self._connections: Connections | None = None
        self.renew()
        foreign.CONTENT.of(as_botocores("", Reply(200, {}, b"", reusable=True)))
        self._send = foreign.SEND.of(self._endpoint)
        foreign.SEND.replace(self._endpoint, self._botocore_sends)

    def renew(self) -> None:
        """Use the connections that the copy has now."""
        self._connections = None
        if type(self._endpoint.http_session).__module__ == "botocore.httpsession":
            self._connections = Connections(self._endpoint)

    def _botocore_sends(self, request: object) -> Any:
        """Stands where the endpoint's `_send` stood."""
        first = take_first()
        if first is not None:
            return first
        received = self._send(request)
        if (
            self._connections is not None
            and received.status_code == 200
            and self._maker.wants(request)
        ):
            self._maker.learn(request, self._maker.credentials())
        return received

    def begin(
        self, method: str, parameters: Message, attempts: Attempts, *, opens: bool = False
    ) -> SentRequest | UnsentRequest | None:
        """The request of a call, to be sent and its reply to be read later; None if it is to go botocore's
        way.

        Args:
            method: The client's method.
            parameters: Its keyword arguments.
            attempts: Where it is noted if the attempt gives no response.
            opens: Whether botocore may be left to send the request, over a new connection, when its
                response is asked for.
        """
        if self._connections is None or not self._maker.knows(method):
            return None
        try:
            credentials = self._maker.credentials()
        except Exception:
            return None  # botocore meets the same, and it is translated there
        request = self._maker.request(method, parameters, credentials, time.time())
        if request is None:
            return None
        connection = self._connections.idle(request.pattern.url)
        if connection is None:
            # Only the sending is botocore's then: it would write a large body once more, ten times slower,
            # and until that is done another connection is idle, so that none is opened, the next time too.
            alone = opens and attempts.line is None and attempts.until is None
            alone = alone and not self._connections.has_proxy(request.url)
            return UnsentRequest(self._send, request, attempts, self._maker) if alone else None
        spoilt = None if attempts.line is None else attempts.line.outcome()
        if spoilt is not None:
            return SpoiltRequest(spoilt, connection, request, attempts, self._maker)
        return SentRequest(connection, request, attempts, self._maker)


class SentRequest:
    """A request that `send` sends. If that fails, it counts as an attempt too."""

    __slots__ = ("_attempts", "_connection", "_error", "_maker", "_receive", "_request", "_url")

    def __init__(
        self, connection: Connection, request: Request, attempts: Attempts, maker: RequestMaker
    ) -> None:
        self._connection = connection
        self._receive = connection.receive
        self._request: Request | None = request
        self._url = request.pattern.url
        self._attempts = attempts
        self._maker = maker
        self._error: Exception | None = None

    def send(self) -> None:
        """Send it, once. An interruption may leave it in doubt whether it was sent: then no further
        attempt is made.
        """
        request, attempts = self._request, self._attempts
        assert request is not None
        # Its body may be large, and would wait for the reply here.
        self._request = None
        attempts.in_flight = True
        try:
            self._connection.send(request, attempts.until)
        except HTTPClientError as error:
            self._error = error
        except BaseException:
            attempts.deadline = attempts.monotonic()
            raise

    def is_begun(self) -> bool:
        """Whether anything of it may be on its way."""
        return self._connection.is_begun

    def drop(self) -> None:
        """Its reply is not read."""
        self._connection.release(reusable=False)

    def ready(self, seconds: float) -> bool:
        """Whether `response` would wait for nothing any more; it may wait so long to find out. An
        interruption meanwhile changes nothing.
        """
        return self._error is not None or self._connection.ready(seconds)

    def response(self) -> Message | None:
        """The response, or None if the attempt has not given one, which is noted then."""
        if self._error is not None:
            self._attempts.first = self._error
            return None
        try:
            reply = self._receive()
        except HTTPClientError as error:
            self._attempts.first = error
            return None
        found = read_well(
            reply.status, reply.headers, reply.body, self._attempts.decode, self._maker.after_call
        )
        if found is None:
            self._attempts.first = as_botocores(self._url, reply)
            return None
        return found


# Measured (benchmarks, suite models: 1,024 floats written in batches): 240 -> 120 us of CPU an item, where
# batches had met too few idle connections. tests/unit/test_fast_requests.py holds it to botocore's way.
class UnsentRequest:
    """A request that botocore sends when its response is asked for, over a connection that it opens."""

    __slots__ = ("_attempts", "_maker", "_request", "_send")

    def __init__(
        self,
        send: Callable[[object], Any],
        request: Request,
        attempts: Attempts,
        maker: RequestMaker,
    ) -> None:
        self._send = send
        self._request = request
        self._attempts = attempts
        self._maker = maker

    def response(self) -> Message | None:
        """As that of `SentRequest`."""
        from botocore.awsrequest import AWSPreparedRequest, HeadersDict

        request, attempts = self._request, self._attempts
        headers: Any = HeadersDict(request.headers)
        prepared = AWSPreparedRequest("POST", request.url, headers, request.body, False)
        before = under_way.set(attempts)
        try:
            received = self._send(prepared)
        except Exception as error:  # botocore takes it for that of its own first attempt
            attempts.first = error
            return None
        finally:
            under_way.reset(before)
        lowered = {name.lower(): value for name, value in received.headers.items()}
        found = read_well(
            received.status_code, lowered, received.content, attempts.decode, self._maker.after_call
        )
        if found is None:
            attempts.first = received
        return found


class SpoiltRequest(SentRequest):
    """A request that a test does something to. What is late is late for who reads it."""

    __slots__ = ("_ends_at", "_on_its_way", "_outcome")

    def __init__(
        self,
        outcome: Outcome,
        connection: Connection,
        request: Request,
        attempts: Attempts,
        maker: RequestMaker,
    ) -> None:
        assert attempts.line is not None
        self._outcome = outcome
        self._ends_at = attempts.line.ends_at(outcome.seconds)
        self._on_its_way = outcome.sent or outcome.is_late_only
        super().__init__(connection, request, attempts, maker)

    def send(self) -> None:
        if self._on_its_way:
            super().send()
            return
        self._connection.is_begun = True
        self._connection.release(reusable=True)
        self._attempts.in_flight = True

    def ready(self, seconds: float) -> bool:
        late = self._ends_at - monotonic()
        if late > seconds:
            time.sleep(seconds)
            return False
        time.sleep(max(0.0, late))
        return not self._on_its_way or super().ready(max(0.0, seconds - max(0.0, late)))

    def response(self) -> Message | None:
        outcome, until = self._outcome, self._attempts.until
        ends_at = self._ends_at if until is None else min(self._ends_at, until)
        time.sleep(max(0.0, ends_at - monotonic()))
        if ends_at < self._ends_at:
            if self._on_its_way:
                self._connection.release(reusable=False)
            self._attempts.first = ReadTimeoutError(endpoint_url=self._url)
            return None
        found = super().response() if self._on_its_way else None
        if outcome.is_late_only:
            return found
        if outcome.error is not None:
            self._attempts.first = outcome.error(self._url)
            return None
        self._attempts.first = self._error = None
        reply = Reply(outcome.status, outcome.headers, outcome.body, reusable=True)
        self._receive = lambda: reply
        return super().response()


#: Runs a function, perhaps in another thread, and gives its result.
Beside: TypeAlias = Callable[[Callable[[], Message]], Message]


@define(eq=False, repr=False)
class PendingReply:
    """A call whose request was sent, or is just being sent.

    Attributes:
        ready: Whether the reply begins to come in, or is late; it waits so many seconds to find out.
            An interruption meanwhile changes nothing.
        finish: Gives the response, or raises, as `Wire.call` does. It is called once. If there must be
            further attempts, it is given what makes them, or makes them itself.
        is_begun: Whether anything of the request may be on its way.
    """

    ready: Callable[[float], bool]
    finish: Callable[[Beside | None], Message]
    is_begun: Callable[[], bool]


class Wire:
    """Sends calls over one botocore client. Safe between threads, as the client is."""

    def __init__(
        self,
        client: object,
        *,
        fast: bool = True,
        events: Events | None = None,
        limit: float | None = None,
        streams: object = None,
        s3: object = None,
    ) -> None:
        self.client = client
        self._events = events or Events()
        self._limit = limit
        self._sender = copied(client, raw=fast)
        self._patches = None if self._sender is client else Patches(client)
        self._fast: FastCalls | None = None
        if fast and self._sender is not client:
            self._fast = foreign.FAST.made(lambda: FastCalls(client, self._sender))
        self._renewed: Any = None
        #: What tests have put on its line.
        self.instruments: Instruments | None = None
        self.stats = Stats()
        self._streams = None if streams is None else self._of_streams(streams)
        self._s3 = s3
        self._objects: s3_objects.Objects | None = None
        self._lock = threading.Lock()
        #: Closes the client of streams, if it was made here.
        self._close_streams: Callable[[], object] | None = None

    def _of_streams(self, client: object) -> Wire:
        return Wire(client, fast=False, events=self._events, limit=self._limit)

    def streams(self) -> Wire:
        """What sends requests about streams; with the first of them its client is made.

        Raises:
            ConfigurationError: The client was handed in and is not botocore's.
        """
        with self._lock:
            if self._streams is None:
                with configured():
                    client = streams_client.make_streams_client(self._sender)
                self._streams = self._of_streams(client)
                self._close_streams = client.close
            self._streams.stats, self._streams.instruments = self.stats, self.instruments
            return self._streams

    @property
    def objects(self) -> s3_objects.Objects:
        """What sends requests to S3, whose client is made with the first of them."""
        with self._lock:
            if self._objects is None:
                self._objects = s3_objects.Objects(self._sender, self._s3)
            return self._objects

    def renew(self) -> None:
        """Use connections of our own from now on: those there are belong to another process."""
        self._lock = threading.Lock()
        if self._objects is not None:
            self._objects.renew()
        if self._close_streams is not None:
            self._streams = self._close_streams = None  # made anew, over our own connections
        elif self._streams is not None:
            self._streams.renew()
        if self._sender is not self.client:
            self._renewed = renew_connections(self._sender)
        if self._fast is not None:
            self._fast.renew()
        self.stats = Stats()

    def close(self) -> None:
        """Close the connections that are not the client's."""
        if self._objects is not None:
            self._objects.close()
        if self._close_streams is not None:
            self._close_streams()
        elif self._streams is not None:
            self._streams.close()
        if self._renewed is not None:
            self._renewed.close()

    def call(self, call: Call) -> Message:
        """The response to *call*.

        Raises:
            DynattrsError: The translated error, botocore's as its cause.
        """
        if call.operation in STREAM_OPERATIONS:
            return self.streams()._perform(call)
        if LARGE_FIELDS in sys.modules and (leaving := s3_objects.leaving(call)):
            self.objects.keep(leaving)
        return self._perform(call)

    def _perform(self, call: Call) -> Message:
        sender, patched = self._sender, self._patched()
        if patched and self._patches is not None:
            sender = self._patches.sender(call.operation, sender)
        send = getattr(sender, call.operation, None)
        if send is None:
            raise lacks(call.operation)
        exchange = Exchange(self.stats, call, self._events, self._limit, self.instruments)
        exchange.attempts.in_flight = sender is self.client
        sent = None
        if self._fast is not None and not patched:
            try:
                sent = self._fast.begin(
                    call.operation, exchange.packed, exchange.attempts, opens=True
                )
                if isinstance(sent, SentRequest):
                    sent.send()
            except BaseException:
                if isinstance(sent, SentRequest):
                    sent.drop()
                exchange.closed()
                raise
        return self._finish(send, exchange, sent)

    def _patched(self) -> bool:
        """Whether a call may have to go to the client itself; judged where anything has changed."""
        patches = self._patches
        if patches is None:
            return False
        return patches.found if [*patches.look()] == patches.seen else bool(patches)

    def begin(
        self, call: Call, announce: Callable[[PendingReply], object] | None = None
    ) -> PendingReply | None:
        """Send the request of *call*, and read the reply later; None if that cannot be.

        Args:
            call: The call.
            announce: Told of it just before anything is sent, because an interruption may come before this
                returns.
        """
        if self._fast is None or self._events.of_requests or self._patched():
            return None
        if LARGE_FIELDS in sys.modules and s3_objects.leaving(call):
            return None
        send = getattr(self._sender, call.operation, None)
        if send is None:
            raise lacks(call.operation)
        exchange = Exchange(self.stats, call, self._events, self._limit, self.instruments)
        sent = None
        try:
            sent = self._fast.begin(call.operation, exchange.packed, exchange.attempts)
        finally:
            if sent is None:
                exchange.withdrawn()
        if sent is None:
            return None
        assert isinstance(sent, SentRequest)  # as nothing is opened here
        finish = functools.partial(self._finish, send, exchange, sent)
        begun = PendingReply(sent.ready, finish, sent.is_begun)
        if announce is not None:
            announce(begun)
        sent.send()
        return begun

    def _finish(
        self,
        send: Callable[..., Any],
        exchange: Exchange,
        sent: SentRequest | UnsentRequest | None,
        beside: Beside | None = None,
    ) -> Message:
        try:
            if sent is not None:
                found = sent.response()
                if found is not None:
                    return exchange.answered(found, direct=True)
            if beside is not None:
                return beside(functools.partial(_made_by_botocore, send, exchange))
            return _made_by_botocore(send, exchange)
        finally:
            exchange.closed()


def _made_by_botocore(send: Callable[..., Any], exchange: Exchange) -> Message:
    before = under_way.set(exchange.attempts)
    try:
        while True:
            try:
                response: Message = within(
                    exchange.attempts, functools.partial(send, **exchange.parameters)
                )
            except OutOfTime as error:
                raise exchange.late() from error
            except Exception as error:
                exchange.failed(error)
            else:
                return exchange.answered(response)
    finally:
        under_way.reset(before)
