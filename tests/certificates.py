"""A certificate of the loopback interface, made for a run of the tests."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path

import trustme


@cache
def loopback_pem() -> str:
    """The path of a file with a key, its certificate for `localhost` and `127.0.0.1`, and the authority
    that has signed it: a server's, a client's, and what either is checked with.
    """
    authority = trustme.CA()
    own = authority.issue_cert("localhost", "127.0.0.1", "::1")
    folder = tempfile.TemporaryDirectory(prefix="dynattrs-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "loopback.pem"
    path.write_bytes(own.private_key_and_cert_chain_pem.bytes() + authority.cert_pem.bytes())
    return str(path)
