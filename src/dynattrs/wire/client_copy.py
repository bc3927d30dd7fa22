"""The client that calls go to: a copy of the user's, whose attempts are watched and replies checked.

It shares the event emitter, the connections and the credentials with the one that it is a copy of, and
registers nothing. A client is never changed; it is used itself where anything about it is not as
expected.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import botocore.exceptions as botocore_errors

from dynattrs import foreign_names as foreign
from dynattrs.errors import CorruptReply
from dynattrs.late_classes import frozen
from dynattrs.operations.requests import ITEM_OPERATIONS
from dynattrs.schema.messages import Message
from dynattrs.wire.attempts import (
    PunctualEvents,
    begin_attempt,
    line_under_way,
    under_way,
    watched,
)
from dynattrs.wire.bodies import faster_serializer
from dynattrs.wire.exchange import check, read
from dynattrs.wire.http_replies import Reply
from dynattrs.wire.patches import hiding
from dynattrs.wire.replies import FAILED, MEMBERS, judge, keep_unknown, no_reply, refusal

if TYPE_CHECKING:
    from dynattrs.wire.instruments import Outcome

#: Output shapes that hold items, and no time stamps or other values that JSON lacks.
_ITEM_BEARING: Final = frozenset(f"{name}Output" for name in ITEM_OPERATIONS.values())

#: aiobotocore's, for its two backends. It is an extra, and not imported for its class.
_AWAITED_ENDPOINTS: Final = frozenset(
    {
        ("aiobotocore.endpoint", "AioEndpoint"),
        ("aiobotocore.endpoint", "AnyioEndpoint"),
    }
)

_SERVICES: Final = ("dynamodb", "dynamodbstreams")

_LARGE_BODY: Final = 512 * 1024
_OK: Final = 200


def copied(client: Any, *, raw: bool = True) -> Any:
    """A client like *client* whose attempts are watched and whose replies are checked and, with
    *raw*, left raw; with *raw* it also writes the bodies of requests faster (see `bodies`).

    What is neither botocore's own client of DynamoDB, or of its streams, over JSON nor aiobotocore's is
    returned as it is.
    """
    from botocore.client import BaseClient

    if not isinstance(client, BaseClient):
        return client
    if client.meta.service_model.service_name not in _SERVICES:
        return client
    made = foreign.COPY.made(lambda: _copy(client, raw=raw))
    if made is None:
        return client
    if raw:
        serializer = foreign.BODIES.made(lambda: faster_serializer(foreign.SERIALIZER.of(made)))
        if serializer is not None:
            foreign.SERIALIZER.replace(made, serializer)
    return made


def _copy(client: Any, *, raw: bool) -> Any:
    endpoint = foreign.ENDPOINT.of(client)
    kind = (type(endpoint).__module__, type(endpoint).__name__)
    awaited = kind in _AWAITED_ENDPOINTS
    if not awaited and kind != ("botocore.endpoint", "Endpoint"):
        raise TypeError(f"its endpoint is a {kind[1]} of {kind[0]}")
    made, own = _alike(client), _alike(endpoint)
    foreign.ENDPOINT.replace(made, own)
    foreign.NEEDS_RETRY.replace(own, watched(foreign.NEEDS_RETRY.of(own), awaited=awaited))
    foreign.DEADLINE.made(
        lambda: foreign.EVENTS.replace(own, PunctualEvents(foreign.EVENTS.of(own)))
    )
    send = foreign.SEND.of(own)
    foreign.SEND.replace(own, _in_pieces(send) if awaited else _with_final_status(send, own))
    factory = _ParserFactory(foreign.PARSER_FACTORY.of(own), raw=raw, awaited=awaited)
    foreign.PARSER_FACTORY.replace(own, factory)
    return made


def with_connections_of(made: Any, lender: Any) -> Any:
    """A client like *made* that uses the connections of another one, with its TLS and proxies.

    Closing either client leaves the other's alone.
    """
    endpoint = foreign.LENT_ENDPOINT.of(lender)
    alike, own = _alike(made), _alike(foreign.LENT_ENDPOINT.of(made))
    own.http_session = endpoint.http_session
    foreign.LENT_ENDPOINT.replace(alike, own)
    return alike


def renew_connections(sender: Any) -> Any:
    """Give a copied client connections of its own, made as those it shares; the new HTTP session.

    In a forked process the two would read each other's replies over one connection.
    """
    endpoint = foreign.ENDPOINT.of(sender)
    session = getattr(endpoint, "http_session", None)
    if session is None:
        return None
    made = foreign.FORK.made(lambda: _with_new_pools(session))
    if made is None:
        session.close()
        return None
    endpoint.http_session = made
    return made


def _with_new_pools(session: Any) -> Any:
    made = _alike(session)
    pools = type(foreign.FORKED_POOLS.of(session))(**foreign.POOL_OPTIONS.of(session)())
    pools.pool_classes_by_scheme = foreign.POOL_CLASSES.of(session)
    foreign.FORKED_POOLS.replace(made, pools)
    foreign.PROXY_POOLS.replace(made, {})
    return made


def _alike(original: Any) -> Any:
    # Not `copy.copy`: botocore's `__getattr__` sends it into an endless recursion.
    made = object.__new__(type(original))
    own = vars(original)
    # What was put on the original stays there: see `patches`.
    hidden = hiding(type(original), own)
    vars(made).update((name, value) for name, value in own.items() if name not in hidden)
    return made


def _in_pieces(send: Callable[..., Any]) -> Callable[..., Any]:
    """Aiohttp warns of large bodies that are bytes, which it writes in one go."""

    @functools.wraps(send)
    def sending(request: Any) -> Any:
        begin_attempt()
        if isinstance(request.body, (bytes, bytearray)) and len(request.body) >= _LARGE_BODY:
            request.body = io.BytesIO(request.body)
        line = line_under_way()
        if line is None:
            return send(request)
        made = functools.partial(_spoilt, request.url, as_aiobotocores)
        return line.send_awaited(request.url, functools.partial(send, request), made)

    return sending


def _spoilt(url: str, made: Callable[[str, Reply], Any], outcome: Outcome) -> Any:
    return made(url, Reply(outcome.status, outcome.headers, outcome.body, reusable=True))


def as_botocores(url: str, reply: Reply) -> Any:
    """A reply as botocore has it."""
    from botocore.awsrequest import AWSResponse

    made: Any = AWSResponse(url, reply.status, cast("Any", reply.headers), None)
    foreign.CONTENT.replace(made, reply.body)
    return made


@frozen(eq=False, repr=False)
class _Raw:
    """A reply, as far as aiobotocore reads aiohttp's; its older versions take the headers from it."""

    reply: Reply

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        return [(name.encode(), value.encode()) for name, value in self.reply.headers.items()]

    async def read(self) -> bytes:
        return self.reply.body


def as_aiobotocores(url: str, reply: Reply) -> Any:
    """A reply as aiobotocore has it."""
    from aiobotocore.awsrequest import AioAWSResponse

    return AioAWSResponse(url, reply.status, cast("Any", reply.headers), cast("Any", _Raw(reply)))


def _with_final_status(send: Callable[..., Any], endpoint: Any) -> Callable[..., Any]:
    """The standard library's client takes a status such as `103 Early Hints` for a reply, and then the
    reply for that to the next request. A connection on which that has happened is closed.
    """
    from urllib3.exceptions import ProtocolError, ReadTimeoutError

    @functools.wraps(send)
    def sending(request: Any) -> Any:
        begin_attempt()
        line = line_under_way()
        if line is None:
            return sent(request)
        made = functools.partial(_spoilt, request.url, as_botocores)
        return line.send(request.url, functools.partial(sent, request), made)

    def sent(request: Any) -> Any:
        if type(endpoint.http_session).__module__ != "botocore.httpsession":
            return send(request)
        # What is streamed keeps its connection until it was read.
        request.stream_output = True
        received = send(request)
        if received.status_code < _OK:
            received.raw.close()
            return received
        try:
            received.content  # noqa: B018 - it reads
        except ReadTimeoutError as error:
            raise botocore_errors.ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except ProtocolError as error:
            raise botocore_errors.ConnectionClosedError(
                endpoint_url=request.url, request=request, error=error
            ) from error
        except Exception as error:
            raise botocore_errors.HTTPClientError(error=error) from error
        return received

    return sending


class _ParserFactory:
    """Stands where botocore's factory stood."""

    def __init__(self, ordinary: Any, *, raw: bool, awaited: bool) -> None:
        self._ordinary = ordinary
        self._raw = raw
        self._kind = _AwaitedParser if awaited else _Parser
        self._parser: _Parser | _AwaitedParser | None = None

    def create_parser(self, protocol: str) -> Any:
        if protocol != "json":
            return self._ordinary.create_parser(protocol)
        if self._parser is None:
            self._parser = self._kind(self._ordinary.create_parser(protocol), raw=self._raw)
        return self._parser


class _Parser:
    """Checks replies, reads those that hold items, and hands the others on to botocore's parser."""

    def __init__(self, ordinary: Any, *, raw: bool) -> None:
        self._ordinary = ordinary
        self._raw = _ITEM_BEARING if raw else frozenset[str]()

    def parse(self, response: Message, shape: Any) -> Any:
        reply = self._read(response, shape)
        if reply is not None:
            return reply
        try:
            return _whole(self._ordinary.parse(response, shape), response, shape)
        except Exception as error:  # whatever its code meets in a reply that makes no sense
            raise _senseless(response, shape, error) from error

    def _read(self, response: Message, shape: Any) -> Message | None:
        operation, name = _operation(shape), getattr(shape, "name", None)
        status, headers, body = response["status_code"], response["headers"], response["body"]
        check(operation, headers, body)
        known = under_way.get()
        if status == _OK and name in self._raw:
            decode = None if known is None else known.decode
            lowered = {key.lower(): value for key, value in headers.items()}
            return read(operation, lowered, body, decode)
        if status >= FAILED:
            return refusal(operation, status, headers, body)
        members = None if shape is None else shape.members.keys()
        if name in _ITEM_BEARING:
            members = MEMBERS
        must_say = known is None or known.must_say
        judge(operation, status, headers, body, members, must_say=must_say)
        return None


class _AwaitedParser(_Parser):
    """The same beside aiobotocore's parser."""

    async def parse(self, response: Message, shape: Any) -> Any:
        reply = self._read(response, shape)
        if reply is not None:
            return reply
        try:
            return _whole(await self._ordinary.parse(response, shape), response, shape)
        except Exception as error:
            raise _senseless(response, shape, error) from error


def _whole(parsed: Any, response: Message, shape: Any) -> Any:
    """A description or a list, with what botocore's parser has dropped."""
    if response["status_code"] == _OK and _operation(shape).startswith(("Describe", "List")):
        keep_unknown(parsed, response["body"])
    return parsed


def _senseless(response: Message, shape: Any, error: Exception) -> CorruptReply:
    # Its words may hold something of an item.
    why = f"a {type(error).__name__}"
    return no_reply(_operation(shape), response["headers"], response["body"], why)


def _operation(shape: Any) -> str:
    return str(getattr(shape, "name", "")).removesuffix("Output")
