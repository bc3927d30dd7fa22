"""AWS Signature Version 4 for requests that are alike: only body, time and credentials differ.

What stays the same is put together once, and the key of a day is derived once. botocore signs any
request of any service and starts anew each time; the result is the same, which a property test holds
it to.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

_DATE: Final = "x-amz-date"
_TOKEN: Final = "x-amz-security-token"  # noqa: S105 - the header's name
_PORTS: Final = {"http": 80, "https": 443}


class Credentials(Protocol):
    """What botocore calls frozen credentials."""

    @property
    def access_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def token(self) -> str | None: ...


# Measured (benchmarks/second_ways.py): 35.3 -> 2.9 us a signature.
# tests/property/test_sigv4.py holds it to botocore's.
class Signer:
    """Signs requests to one place, with one set of headers.

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

    def authorization(self, body: bytes, credentials: Credentials, timestamp: str) -> str:
        """The value of the header `Authorization`.

        Args:
            body: What is sent.
            credentials: Who sends it.
            timestamp: The value of `X-Amz-Date`, as of `timestamp`.
        """
        date, token = timestamp[:8], credentials.token
        names, line = self._names, ""
        if token:
            names, line = self._names_with_token, f"{_TOKEN}:{' '.join(token.split())}\n"
        request = (
            f"{self._head}{self._before}{_DATE}:{timestamp}\n{self._between}{line}{self._after}\n"
            f"{names}\n{sha256(body).hexdigest()}"
        )
        scope, inner, outer = self._of_day(credentials.secret_key, date)
        text = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        inner, outer = inner.copy(), outer.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        return (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={outer.hexdigest()}"
        )

    def _of_day(self, secret: str, date: str) -> tuple[str, Any, Any]:
        """The scope of a day, and the two hashes of HMAC that have its key in them already (RFC 2104)."""
        # Read and replaced in one step each: threads may derive one twice, and none gets another's.
        known_secret, known_date, scope, inner, outer = self._key
        if known_secret != secret or known_date != date:
            scope = f"{date}/{self._region}/{self._service}/aws4_request"
            key = f"AWS4{secret}".encode()
            for part in scope.split("/"):
                key = _hmac(key, part)
            inner, outer = (sha256(key.ljust(64, b"\0").translate(each)) for each in _PADS)
            self._key = (secret, date, scope, inner, outer)
        return scope, inner, outer


#: What HMAC makes of each byte of a key, before the text and before its hash.
_PADS: Final = tuple(bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def timestamp(seconds: float) -> str:
    """`20261125T093000Z`, for seconds since the epoch."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def host_of(url: str) -> str:
    """The header `Host` of requests to *url*: lower case, and a port only if it is not the usual."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = parts.port
    return host if port is None or port == _PORTS.get(parts.scheme) else f"{host}:{port}"


def canonical_path(path: str) -> str:
    """A path without dot segments and doubled slashes, its characters quoted (once more)."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    text = "/" * path.startswith("/") + "/".join(kept) + "/" * (path.endswith("/") and bool(kept))
    return quote(text if path else "/", safe="/~")


def scope_in(authorization: str) -> tuple[str, str, tuple[str, ...]]:
    """Region, service and names of signed headers in an `Authorization` of Signature Version 4.

    Raises:
        ValueError: It is something else.
    """
    algorithm, _, rest = authorization.partition(" ")
    fields: dict[str, str] = {}
    for field in rest.split(","):
        name, _, value = field.strip().partition("=")
        fields[name] = value
    scope = fields.get("Credential", "").rsplit("/", 4)
    if algorithm != "AWS4-HMAC-SHA256" or len(scope) != 5 or scope[4] != "aws4_request":
        raise ValueError("not signed with Signature Version 4")
    return scope[2], scope[3], tuple(fields.get("SignedHeaders", "").split(";"))
