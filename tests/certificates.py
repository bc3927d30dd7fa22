"""A certificate of the loopback interface, made for a run of the tests."""

from __future__ import annotations

import atexit
import ssl
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import trustme


@cache
def loopback_pem(*names: str) -> str:
    """The path of a file with a key, its certificate for `localhost` and `127.0.0.1`, or for other names, and
    the authority that has signed it: a server's, a client's, and what either is checked with.
    """
    authority = trustme.CA()
    own = authority.issue_cert(*(names or ("localhost", "127.0.0.1", "::1")))
    folder = tempfile.TemporaryDirectory(prefix="dynattrs-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "loopback.pem"
    path.write_bytes(own.private_key_and_cert_chain_pem.bytes() + authority.cert_pem.bytes())
    return str(path)


def server_side(**options: Any) -> ssl.SSLContext:
    """What secures a server's connections; with options, also by the certificates of clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(loopback_pem())
    for name, value in options.items():
        setattr(context, name, value)
    if options:
        context.load_verify_locations(loopback_pem())
    return context


def old_server_side() -> ssl.SSLContext:
    """What only clients of long ago can speak to."""
    context = server_side()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context
