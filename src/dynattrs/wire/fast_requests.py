"""The fast way of a call: requests made after a pattern, without botocore's machinery for each.

botocore decides what a request looks like: where it goes, which headers it has, how it is signed.
That takes most of the time of a call, and comes out the same each time but for the body, the time
and the credentials. So the first call of an operation goes botocore's way, and the request it makes
becomes the pattern of those that follow; if, and only if, its `Signer` comes to the very signature that
botocore came to. A signature of another kind, none at all, or a header that is not known here is no
pattern, and that operation stays with botocore.

What comes back is taken where it is a 200 with the right CRC32. Anything else, be it an error, a
damaged reply or a lost connection, is given to botocore as the outcome of its own first attempt. So
errors, retries, quotas and what is known of lost writes are the same on both ways, and no attempt is
made that botocore would not have made.

Nothing here does I/O: who sends asks for a `Request`, sends it, and gives what came back to `read_well`.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from dynattrs import foreign_names as foreign
from dynattrs.late_classes import define
from dynattrs.operations.requests import ITEM_OPERATIONS
from dynattrs.schema.messages import Message
from dynattrs.wire.observers import Observers
from dynattrs.wire.sigv4 import (
    Credentials,
    canonical_path,
    hashes_of,
    host_of,
    scope_in,
    timestamp,
)

# Headers that stay the same, and those that are made for each request.
_KEPT: Final = frozenset({"amz-sdk-request", "content-type", "user-agent", "x-amz-target"})
_MADE: Final = frozenset(
    {
        "amz-sdk-invocation-id",
        "authorization",
        "content-length",
        "x-amz-date",
        "x-amz-security-token",
        "x-amzn-trace-id",
    }
)
# A first attempt says how many there may be, in newer versions of botocore; later ones have more.
_FIRST_ATTEMPT: Final = re.compile(r"attempt=1(; max=\d+)?")

_DATE: Final = "x-amz-date"
_TOKEN: Final = "x-amz-security-token"  # noqa: S105 - the header's name

#: No further headers.
_NO_MORE: Final[Mapping[str, str]] = {}

#: After so many requests that were no pattern an operation is left to botocore for good.
_TRIES: Final = 3
#: From so many bytes on a body is sent as it is.
_APART: Final = 65536
#: So many bytes of it are sent at a time: each has a time-out of its own, and waits until others are taken.
_PIECE: Final = 262144


@define(eq=False, repr=False)
class Request:
    """A request that is ready to be sent.

    Attributes:
        pattern: What it is made after.
        timestamp: The header `X-Amz-Date`.
        authorization: The header of that name.
        name: What botocore calls the request: the header `amz-sdk-invocation-id`.
        body: What is sent.
        more: Further headers that are its own.
    """

    pattern: Pattern
    timestamp: str
    authorization: str
    name: str
    body: bytes
    more: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.pattern.url

    @property
    def headers(self) -> dict[str, str]:
        """All headers but those that an HTTP client adds by itself (`Host`, `Accept-Encoding`)."""
        return {
            **self.pattern.headers,
            "X-Amz-Date": self.timestamp,
            "Authorization": self.authorization,
            "amz-sdk-invocation-id": self.name,
            "Content-Length": str(len(self.body)),
            **self.more,
        }

    def raw(self) -> tuple[bytes | memoryview, ...]:
        """The bytes of the whole request; a large body apart, as copying it takes longer, and in pieces."""
        own = (
            f"X-Amz-Date: {self.timestamp}\r\nAuthorization: {self.authorization}\r\n"
            f"amz-sdk-invocation-id: {self.name}\r\nContent-Length: {len(self.body)}\r\n"
        )
        if self.more:
            own += "".join([f"{name}: {value}\r\n" for name, value in self.more.items()])
        if len(self.body) < _APART:
            return (b"%b%b\r\n%b" % (self.pattern.head, own.encode("latin-1"), self.body),)
        return b"%b%b\r\n" % (self.pattern.head, own.encode("latin-1")), *in_pieces(self.body)


def in_pieces(body: bytes) -> list[memoryview]:
    """A large body as it is sent: over a slow line it takes longer than any part of it may."""
    whole = memoryview(body)
    return [whole[start : start + _PIECE] for start in range(0, len(body), _PIECE)]


# Measured (benchmarks/second_ways.py): 35.4 -> 1.4 us a signature.
# tests/property/test_sigv4.py holds it to botocore's.
class Signer:
    """Signs requests to one place, with one set of headers: only body, time and credentials differ.

    What stays the same is put together once, the key of a day is derived once, and what is the same for
    all requests of a second is hashed once. botocore signs any request of any service and starts anew
    each time.

    Args:
        url: Where they go. What is in a query string has to be quoted already.
        headers: The headers that are to be signed, besides `Host`, `X-Amz-Date` and
            `X-Amz-Security-Token`, which are signed always.
        region: The region of the scope.
        service: The service of the scope.
        method: The HTTP method.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], *, region: str, service: str, method: str
    ) -> None:
        parts = urlsplit(url)
        pairs = sorted(pair.partition("=")[::2] for pair in parts.query.split("&") if parts.query)
        query = "&".join("=".join(pair) for pair in pairs)
        self._head = f"{method}\n{canonical_path(parts.path)}\n{query}\n"
        lines = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        lines["host"] = host_of(url)
        if lines.keys() & {_DATE, _TOKEN}:
            raise ValueError(f"{_DATE} and {_TOKEN} differ from request to request")
        names = sorted(lines)
        before = [name for name in names if name < _DATE]
        between = [name for name in names if _DATE < name < _TOKEN]
        after = [name for name in names if name > _TOKEN]
        self._before, self._between, self._after = (
            "".join(f"{name}:{lines[name]}\n" for name in group)
            for group in (before, between, after)
        )
        self._names = ";".join([*before, _DATE, *between, *after])
        self._names_with_token = ";".join([*before, _DATE, *between, _TOKEN, *after])
        self._region = region
        self._service = service
        #: The scope and the hashes of the key of a day, after its secret and date.
        self._key: tuple[str, str, str, Any, Any] = ("", "", "", None, None)
        #: What `_begun` gives, after what it is given.
        self._last: tuple[Any, ...] = ("", "", "", None, None, None, None, "")

    def authorization(self, body: bytes, credentials: Credentials, timestamp: str) -> str:
        """The value of the header `Authorization`.

        Args:
            body: What is sent.
            credentials: Who sends it.
            timestamp: The value of `X-Amz-Date`, as of `timestamp`.
        """
        # Read and replaced in one step each, here and below: threads may make one twice, and none gets
        # another's.
        then, access_key, secret_key, token, request, inner, outer, head = self._last
        if (
            then != timestamp
            or access_key != credentials.access_key
            or secret_key != credentials.secret_key
            or token != credentials.token
        ):
            request, inner, outer, head = self._begun(credentials, timestamp)
        request, inner, outer = request.copy(), inner.copy(), outer.copy()
        request.update(sha256(body).hexdigest().encode())
        inner.update(request.hexdigest().encode())
        outer.update(inner.digest())
        signature: str = outer.hexdigest()
        return f"{head}{signature}"

    def _begun(self, credentials: Credentials, timestamp: str) -> tuple[Any, Any, Any, str]:
        """The hashes of a request and of the two steps of HMAC (RFC 2104), without what the body decides,
        and the header without the signature.
        """
        access_key, secret_key, token = (
            credentials.access_key, credentials.secret_key, credentials.token
        )  # fmt: skip
        names, line = self._names, ""
        if token:
            names, line = self._names_with_token, f"{_TOKEN}:{' '.join(token.split())}\n"
        request = sha256(
            f"{self._head}{self._before}{_DATE}:{timestamp}\n{self._between}{line}{self._after}\n"
            f"{names}\n".encode()
        )
        scope, inner, outer = self._of_day(secret_key, timestamp[:8])
        inner = inner.copy()
        inner.update(f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n".encode())
        head = (
            f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature="
        )
        self._last = timestamp, access_key, secret_key, token, request, inner, outer, head
        return request, inner, outer, head

    def _of_day(self, secret: str, date: str) -> tuple[str, Any, Any]:
        """The scope of a day, and the two hashes of HMAC that have its key in them already."""
        known_secret, known_date, scope, inner, outer = self._key
        if known_secret != secret or known_date != date:
            scope = f"{date}/{self._region}/{self._service}/aws4_request"
            inner, outer = hashes_of(secret, scope)
            self._key = (secret, date, scope, inner, outer)
        return scope, inner, outer


class Pattern:
    """A request of botocore's, without what differs from one to the next."""

    def __init__(
        self, url: str, headers: Mapping[str, str], signer: Signer, usual: Sequence[str] = ()
    ) -> None:
        parts = urlsplit(url)
        self.url = url
        self.headers = dict(headers)
        self.signer = signer
        #: Whether AWS Lambda runs this: asking the environment takes longer than most of a request.
        self.traced = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
        # As the standard library's client, which botocore sends with, begins a request.
        lines = [
            f"POST {parts.path or '/'} HTTP/1.1",
            f"Host: {host_of(url)}",
            "Accept-Encoding: identity",
            *usual,
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
        ]
        self.head = "\r\n".join(lines).encode("latin-1")


class RequestMaker:
    """Makes the requests of one client, once it has seen botocore make one of each kind.

    Args:
        client: botocore's client.
        usual: Lines that its HTTP client adds to each head.

    Raises:
        AttributeError: This botocore is built differently.
    """

    def __init__(self, client: object, usual: Sequence[str] = ()) -> None:
        self._usual = usual
        # An older botocore knows fewer.
        methods = tuple(each for each in ITEM_OPERATIONS if hasattr(client, each))
        self._observers = Observers(client, methods)
        self._class = type(client)
        self._signer = foreign.SIGNER.of(client)
        self._credentials_of = foreign.CREDENTIALS.of
        self._credentials_of(self._signer)
        self._look = self._observers.look
        #: What was seen when the patterns were taken, the client's methods, and whether nothing listened.
        self._seen: tuple[Any, ...] = ()
        self._methods = dict.fromkeys(methods)
        self._unheard = self._logged = False
        self._judge()
        self._patterns: dict[tuple[str, str | None], Pattern] = {}
        self._known: frozenset[str] = frozenset()
        #: Whether endpoints may differ from one set of credentials to the next.
        self._several_accounts = False
        self._failures: dict[str, int] = {}
        self._second: tuple[int, str] = (0, "")

    def credentials(self) -> Any:
        """Who signs now, as botocore would ask, which may renew them: a frozen set, or, where
        botocore is asynchronous, an awaitable of one. None if there are none.
        """
        found = self._credentials_of(self._signer)
        return None if found is None else found.get_frozen_credentials()

    def _judge(self) -> None:
        self._logged = self._observers.debugging(logging.DEBUG)
        self._seen = tuple(self._look())
        self._methods = {name: getattr(self._class, name) for name in self._methods}
        self._unheard = not self._logged and self._observers.are_botocores(
            [*self._seen, *self._methods.values()]
        )
        #: What botocore calls when a call has gone well, which its retry quota is told of.
        self.after_call = self._observers.after_call()

    def _current(self, method: str) -> bool:
        """Whether nothing listens to calls of a method; patterns that others had a hand in are forgotten."""
        seen = tuple(self._look())
        # Two caches may be equal, and not the same one.
        if (
            seen[0] is not self._seen[0]
            or seen != self._seen
            or getattr(self._class, method) is not self._methods[method]
            or self._observers.debugging(logging.DEBUG) is not self._logged
        ):
            self._judge()
            self._patterns = {}
            self._known = frozenset()
            self._failures = {}
        return self._unheard

    def has_pattern(self, method: str) -> bool:
        """Whether calls of *method* had a pattern when that was last looked at."""
        return method in self._known

    def knows(self, method: str) -> bool:
        """Whether calls of *method* have a pattern, and nothing listens to them."""
        return method in self._known and self._current(method)

    def request(
        self,
        method: str,
        parameters: Message,
        credentials: Credentials | None,
        seconds: float,
    ) -> Request | None:
        """The request of a call, or None if it has to go botocore's way.

        Args:
            method: The client's method.
            parameters: Its keyword arguments.
            credentials: The signer, if there is one.
            seconds: The time since the epoch.
        """
        if credentials is None:
            return None
        pattern = self._patterns.get((method, _account(credentials)))
        if pattern is None or not _plain_names(method, parameters):
            return None
        try:
            body = _encode(parameters)
        except (TypeError, ValueError):
            return None  # botocore says what is wrong with them
        token = credentials.token
        if token and not token.isprintable():
            return None
        second, stamp = self._second
        if second != int(seconds):
            stamp = timestamp(seconds)
            self._second = (int(seconds), stamp)
        more: Mapping[str, str] = _NO_MORE
        if token:
            more = {"X-Amz-Security-Token": token}
        if pattern.traced:
            more = {**more, **_trace()}
        authorization = pattern.signer.authorization(body, credentials, stamp)
        return Request(pattern, stamp, authorization, _names.next(), body, more)

    def wants(self, request: object) -> bool:
        """Whether a request of botocore's may become a pattern that there is not yet."""
        method = _method(request)
        return (
            method is not None
            and (method not in self._known or self._several_accounts)
            and self._failures.get(method, 0) < _TRIES
            and self._current(method)
        )

    def learn(self, request: object, credentials: Credentials | None) -> None:
        """Take a request that botocore has made, and the service has answered, for a pattern.

        Args:
            request: botocore's prepared request; one that is wanted.
            credentials: Who signs now.
        """
        method = _method(request)
        if method is None:
            return
        pattern = None if credentials is None else _pattern(request, credentials, self._usual)
        if pattern is not None:
            account = _account(credentials)
            # Replaced and never changed: other threads are reading them.
            self._patterns = {**self._patterns, (method, account): pattern}
            self._known |= {method}
            self._several_accounts |= account is not None
        elif _is_first(_values(request)):
            self._failures[method] = self._failures.get(method, 0) + 1


_METHODS: Final = {operation: method for method, operation in ITEM_OPERATIONS.items()}


def _pattern(request: Any, credentials: Credentials, usual: Sequence[str]) -> Pattern | None:
    """The pattern that a request of botocore's is, if all of it is understood."""
    values = _values(request)
    body = request.body
    if (
        request.method != "POST"
        or values.keys() - _KEPT - _MADE
        or not _is_first(values)
        or not isinstance(body, bytes)
        or urlsplit(request.url).query
        or not all(value.isprintable() and value.isascii() for value in values.values())
    ):
        return None
    kept = {name: values[name.lower()] for name in request.headers if name.lower() in _KEPT}
    try:
        region, service, names = scope_in(values.get("authorization", ""))
        signed = {name: values[name] for name in names if name in _KEPT}
        signer = Signer(request.url, signed, region=region, service=service, method="POST")
        own = signer.authorization(body, credentials, values.get("x-amz-date", ""))
    except ValueError:
        return None
    return Pattern(request.url, kept, signer, usual) if own == values["authorization"] else None


def _method(request: Any) -> str | None:
    """The client's method whose request this is."""
    target = _text(request.headers.get("X-Amz-Target", ""))
    return _METHODS.get(target.rpartition(".")[2])


def _is_first(values: Mapping[str, str]) -> bool:
    return _FIRST_ATTEMPT.fullmatch(values.get("amz-sdk-request", "")) is not None


def _values(request: Any) -> dict[str, str]:
    return {name.lower(): _text(value) for name, value in request.headers.items()}


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _account(credentials: Credentials | None) -> str | None:
    """The account of the credentials, which botocore may make the endpoint of."""
    found: str | None = getattr(credentials, "account_id", None)
    return found


def _plain_names(method: str, parameters: Message) -> bool:
    """Whether all tables are called by their names: an ARN may lead to another endpoint."""
    name = parameters.get("TableName")
    if name is not None:
        return isinstance(name, str) and ":" not in name
    tables = parameters.get("RequestItems")
    if tables is not None:
        return not any(":" in each for each in tables)
    parts = parameters.get("TransactItems")
    if parts is None:
        if method == "execute_transaction":
            return bool(parameters.get("ClientRequestToken"))
        return method in ("execute_statement", "batch_execute_statement")
    if method == "transact_write_items" and not parameters.get("ClientRequestToken"):
        return False  # botocore makes one, and must send the same again
    return all(":" not in each["TableName"] for part in parts for each in part.values())


def _encode(parameters: Message) -> bytes:
    import msgspec

    return msgspec.json.encode(parameters)


class _Names:
    """Names of requests: UUIDs of version 4, by chance as far as a process goes, and counted inside it.

    One by chance for each would take six times as long. The system's source lets go of the interpreter's
    lock, and the seed of `random` is the program's.
    """

    def __init__(self) -> None:
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        *first, last = str(uuid.uuid4()).split("-")
        self._first = "-".join(first)
        # It stays within twelve digits for as long as anything runs.
        self._following = itertools.count(int(last, 16) >> 1)

    def next(self) -> str:
        return f"{self._first}-{next(self._following):012x}"


_names: Final = _Names()


def _trace() -> Mapping[str, str]:
    """The header by which AWS Lambda knows loops: it differs from one invocation to the next."""
    from botocore.handlers import add_recursion_detection_header

    headers: dict[str, str] = {}
    add_recursion_detection_header({"headers": headers})
    return headers
