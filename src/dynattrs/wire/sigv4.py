"""AWS Signature Version 4: its keys, and the spellings of hosts, paths, scopes and times that it signs.

`fast_requests` signs with them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

_PORTS: Final = {"http": 80, "https": 443}


class Credentials(Protocol):
    """What botocore calls frozen credentials."""

    @property
    def access_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def token(self) -> str | None: ...


#: What HMAC makes of each byte of a key, before the text and before its hash.
_PADS: Final = tuple(bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def hashes_of(secret: str, scope: str) -> tuple[Any, Any]:
    """The two hashes of HMAC that have the key of a scope in them already (RFC 2104).

    Args:
        secret: The secret access key.
        scope: Date, region, service and `aws4_request`, with slashes between them.
    """
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    inner, outer = (sha256(key.ljust(64, b"\0").translate(each)) for each in _PADS)
    return inner, outer


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
