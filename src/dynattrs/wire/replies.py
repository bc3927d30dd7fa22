"""Replies on their way in: their integrity, and attribute maps that stay as they came.

botocore's parser walks every attribute value through the service model, which costs several times
what reading the JSON does. Here replies that hold items are read in one go and left raw; all others,
and all errors, are botocore's to parse. Raw means: as the JSON has it, so that B is base64 text.

The CRC32 that the service sends is checked on every reply, in every retry mode. botocore does so in
its `legacy` mode only: in `standard` mode a truncated GetItem reads as "no such item".

A client is never changed. `twin` makes another one around the same parts, and returns the client
itself where anything about it is not as expected.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, cast
from zlib import crc32

import attrs

from dynattrs.errors import CorruptReply
from dynattrs.operations.flows import Decode
from dynattrs.wire.bodies import quicker

#: Output shapes that hold items, and no time stamps or other values that JSON lacks.
_ITEM_BEARING: Final = frozenset(
    {
        "BatchGetItemOutput",
        "BatchWriteItemOutput",
        "DeleteItemOutput",
        "ExecuteStatementOutput",
        "GetItemOutput",
        "PutItemOutput",
        "QueryOutput",
        "ScanOutput",
        "TransactGetItemsOutput",
        "TransactWriteItemsOutput",
        "UpdateItemOutput",
    }
)


#: aiobotocore's, for its two backends. It is an extra, and not imported for its class.
_AWAITED_ENDPOINTS: Final = frozenset(
    {
        ("aiobotocore.endpoint", "AioEndpoint"),
        ("aiobotocore.endpoint", "AnyioEndpoint"),
    }
)


_LARGE_BODY: Final = 512 * 1024


@attrs.define(eq=False, repr=False)
class Attempts:
    """What is known of the attempts of one call, botocore's own included.

    Attributes:
        repeat: Whether it may be sent again after an attempt that may have been applied.
        uncertain: Whether there was such an attempt.
        watched: Whether anybody looks; without a twin nobody does.
        again: Called when botocore repeats one, with how many there were and why.
        decode: What reads the reply's bytes, in place of plain JSON.
        first: How the first attempt ended, if it was not botocore that made it: its response, or the
            error in its place.
    """

    repeat: bool = True
    decode: Decode | None = None
    uncertain: bool = False
    watched: bool = False
    again: Callable[[int, str], object] | None = None
    first: Any = None


#: The attempts of the call that this thread or task is making.
under_way: ContextVar[Attempts | None] = ContextVar("under_way", default=None)


def watch(needs_retry: Callable[..., Any]) -> Callable[..., Any]:
    """Let an `Endpoint._needs_retry` tell of attempts that may have been applied, and not repeat
    what must not be.
    """

    @functools.wraps(needs_retry)
    def watching(
        attempts: int,
        operation_model: Any,
        request_dict: Any,
        response: Any = None,
        caught_exception: Exception | None = None,
    ) -> Any:
        if not _may_go_on(response, caught_exception):
            return False
        repeats = needs_retry(attempts, operation_model, request_dict, response, caught_exception)
        _tell_of(repeats, attempts, response, caught_exception)
        return repeats

    return watching


def watch_awaited(needs_retry: Callable[..., Any]) -> Callable[..., Any]:
    """The same for aiobotocore's, which is awaited."""

    @functools.wraps(needs_retry)
    async def watching(
        attempts: int,
        operation_model: Any,
        request_dict: Any,
        response: Any = None,
        caught_exception: Exception | None = None,
    ) -> Any:
        if not _may_go_on(response, caught_exception):
            return False
        repeats = await needs_retry(
            attempts, operation_model, request_dict, response, caught_exception
        )
        _tell_of(repeats, attempts, response, caught_exception)
        return repeats

    return watching


def _may_go_on(response: Any, error: Exception | None) -> bool:
    """Note how an attempt ended, and say whether there may be another one."""
    known = under_way.get()
    if known is not None:
        known.watched = True
        if may_be_applied(response, error):
            known.uncertain = True
            return known.repeat
    return True


def _tell_of(repeats: Any, attempts: int, response: Any, error: Exception | None) -> None:
    known = under_way.get()
    if repeats and known is not None and known.again is not None:
        known.again(attempts, reason(response, error))


def reason(response: Any, error: Exception | None) -> str:
    """Why an attempt is repeated, in one word: the service's code, or the class of an error."""
    if error is not None:
        return type(error).__name__
    code = response[1].get("Error", {}).get("Code") if response else None
    return str(code) if code else "Unknown"


def may_be_applied(response: Any, error: Exception | None) -> bool:
    """Whether an attempt that ended so may have been applied without our knowing.

    Args:
        response: botocore's pair of the HTTP response and the parsed one; None if there was none.
        error: What was raised in its place.
    """
    if error is not None:
        return not was_never_sent(error)
    return bool(response) and response[0].status_code >= 500


def was_never_sent(error: Exception) -> bool:
    """Whether a request that ended with *error* surely did not reach the service."""
    if not isinstance(error, never_sent()):
        return False
    # aiobotocore says "could not connect" of connections that broke later as well.
    reason = getattr(error, "kwargs", {}).get("error")
    if type(reason).__module__.partition(".")[0] != "aiohttp":
        return True
    from aiohttp import ClientConnectorError

    return isinstance(reason, ClientConnectorError)


@functools.cache
def never_sent() -> tuple[type[Exception], ...]:
    """The errors of botocore for requests that did not reach the service."""
    import botocore.exceptions as errors

    return (
        errors.EndpointConnectionError,
        errors.ConnectTimeoutError,
        errors.ProxyConnectionError,
    )


def twin(client: Any, *, raw: bool = True) -> Any:
    """A client like *client* whose attempts are watched and whose replies are checked and, with
    *raw*, left raw; with *raw* it also writes the bodies of requests quicker (see `bodies`).

    It shares the event emitter, the connections and the credentials, and registers nothing. What is
    neither botocore's own DynamoDB client over JSON nor aiobotocore's is returned as it is.
    """
    from botocore.client import BaseClient

    if not isinstance(client, BaseClient) or client.meta.service_model.service_name != "dynamodb":
        return client
    endpoint = getattr(client, "_endpoint", None)
    expected = ("_response_parser_factory", "_needs_retry")
    kind = type(endpoint)
    awaited = (kind.__module__, kind.__name__) in _AWAITED_ENDPOINTS
    known = awaited or (kind.__module__, kind.__name__) == ("botocore.endpoint", "Endpoint")
    if not known or not all(hasattr(endpoint, name) for name in expected):
        warnings.warn(
            "this version of botocore or aiobotocore is built differently than dynattrs expects: "
            "replies go the slower way, their CRC32 is checked as botocore does it, and botocore "
            "repeats writes that may have been applied",
            RuntimeWarning,
            stacklevel=2,
        )
        return client
    # Not `copy.copy`: botocore's `__getattr__` sends it into an endless recursion.
    made = _again(client)
    made._endpoint = _again(endpoint)
    watching = watch_awaited if awaited else watch
    made._endpoint._needs_retry = watching(made._endpoint._needs_retry)
    if awaited:
        made._endpoint._send = _sending(made._endpoint._send)
    ordinary = cast("Any", endpoint)._response_parser_factory
    made._endpoint._response_parser_factory = _ParserFactory(ordinary, raw=raw, awaited=awaited)
    if raw:
        _write_quicker(made)
    return made


def _write_quicker(made: Any) -> None:
    try:
        made._serializer = quicker(made.__dict__["_serializer"])
    except (AttributeError, KeyError, ImportError):
        warnings.warn(
            "this version of botocore is built differently than dynattrs expects: the bodies of "
            "requests are written the slower way",
            RuntimeWarning,
            stacklevel=3,
        )


def renew_connections(client: Any) -> Any:
    """Give a twin connections of its own, made as those it shares with its client; the HTTP session.

    In a forked process the two would read each other's replies over one connection.
    """
    endpoint = getattr(client, "_endpoint", None)
    session = getattr(endpoint, "http_session", None)
    if "_needs_retry" not in getattr(endpoint, "__dict__", ()) or session is None:
        return None  # no twin, or no HTTP
    made = _again(session)
    manager = type(session._manager)(**session._get_pool_manager_kwargs())
    manager.pool_classes_by_scheme = session._pool_classes_by_scheme
    made._manager = manager
    made._proxy_managers = {}
    cast("Any", endpoint).http_session = made
    return made


def _again(original: Any) -> Any:
    made = object.__new__(type(original))
    made.__dict__.update(original.__dict__)
    return made


def _sending(send: Callable[..., Any]) -> Callable[..., Any]:
    """Aiohttp warns of large bodies that are bytes, which it writes in one go."""

    @functools.wraps(send)
    def sending(request: Any) -> Any:
        if isinstance(request.body, (bytes, bytearray)) and len(request.body) >= _LARGE_BODY:
            request.body = io.BytesIO(request.body)
        return send(request)

    return sending


class _ParserFactory:
    """Stands where botocore's factory stood."""

    def __init__(self, ordinary: Any, *, raw: bool, awaited: bool) -> None:
        self._ordinary = ordinary
        self._raw = raw
        self._kind = _AwaitedParser if awaited else _Parser
        self._parser: _Reading | None = None

    def create_parser(self, protocol: str) -> Any:
        if protocol != "json":
            return self._ordinary.create_parser(protocol)
        if self._parser is None:
            self._parser = self._kind(self._ordinary.create_parser(protocol), raw=self._raw)
        return self._parser


class _Reading:
    """Checks replies, and reads those that hold items."""

    def __init__(self, ordinary: Any, *, raw: bool) -> None:
        # Imported with the first reply: a program may import this library and ask nothing.
        import msgspec

        self._ordinary = ordinary
        self._raw = _ITEM_BEARING if raw else frozenset[str]()
        self._decode = msgspec.json.decode
        # Both readers raise the second for bytes that are no UTF-8.
        self._damaged = (msgspec.DecodeError, UnicodeDecodeError)

    def read(self, response: dict[str, Any], shape: Any) -> dict[str, Any] | None:
        """The reply, or None if botocore is to parse it."""
        name = getattr(shape, "name", "")
        check(response, name.removesuffix("Output"))
        if response["status_code"] != 200 or name not in self._raw:
            return None
        known = under_way.get()
        decode = (known.decode if known is not None else None) or self._decode
        try:
            reply = decode(response["body"] or b"{}")
        except self._damaged as error:
            raise damaged(shape, error) from error
        headers = {key.lower(): value for key, value in response["headers"].items()}
        reply["ResponseMetadata"] = {
            "RequestId": headers.get("x-amzn-requestid", ""),
            "HTTPStatusCode": 200,
            "HTTPHeaders": headers,
        }
        found: dict[str, Any] = reply
        return found


class _Parser(_Reading):
    """Hands what it does not read on to botocore's parser."""

    def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        reply = self.read(response, shape)
        if reply is not None:
            return reply
        try:
            parsed: dict[str, Any] = self._ordinary.parse(response, shape)
        except self._damaged as error:
            raise damaged(shape, error) from error
        return parsed


class _AwaitedParser(_Reading):
    """Hands what it does not read on to aiobotocore's parser."""

    async def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        reply = self.read(response, shape)
        if reply is not None:
            return reply
        try:
            parsed: dict[str, Any] = await self._ordinary.parse(response, shape)
        except self._damaged as error:
            raise damaged(shape, error) from error
        return parsed


def damaged(shape: Any, error: Exception) -> CorruptReply:
    operation = getattr(shape, "name", "").removesuffix("Output")
    return CorruptReply(operation, f"the reply is no JSON: {error}")


def check(response: dict[str, Any], operation: str) -> None:
    """Compare a reply with the CRC32 that the service sent with it.

    Raises:
        CorruptReply: They differ. What was asked for may have been done.
    """
    expected = response["headers"].get("x-amz-crc32")
    if expected is not None and crc32(response["body"]) != int(expected):
        raise CorruptReply(
            operation, f"the reply of {len(response['body'])} bytes does not match its CRC32"
        )
