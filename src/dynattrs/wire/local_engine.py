"""An embedded DynamoDB for `Session.local()`: ministack's engine behind a loopback port.

One server serves the whole process. Each user holds a `Lease` with an account
of its own, so that two sessions never see each other's tables. Needs the extra
``dynattrs[local]``.

HTTP is left to hypercorn, which serves a small application around the modules
of ministack that implement DynamoDB and its streams. ``ministack.app`` is left
out on purpose: importing it configures the root logger and patches ``h11`` for
everyone in the process, and its start-up removes Docker containers, opens an
MQTT port and runs scripts from ``/docker-entrypoint-initaws.d``.

Data lives in memory and ends with its lease. ministack can only write its
state to a file when it is shut down in an orderly way, so a crash would lose
everything since the start: there is no option to keep data.

The engine approximates the service (https://github.com/ministackorg/ministack);
what must be exact is worth a test against DynamoDB Local or the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import re
import secrets
import socket
import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from dynattrs.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
    from typing_extensions import Self

__all__ = ["Lease", "start"]

logger = logging.getLogger(__name__)
# The engine warns about requests it refuses. A program that wants to read that
# configures logging; without, Python would print it to stderr.
logger.addHandler(logging.NullHandler())

_CREDENTIAL = re.compile(r"Credential=(\d{12})/\d{8}/([a-z0-9-]+)/")
# A request takes milliseconds. Who waits longer waits for a client that has
# stopped in the middle of one; the server's thread then ends when that client does.
_STOP_SECONDS = 5.0
_REGION = "us-east-1"
_DAY = 86400.0


#: By the place among the engine's stores, the region and the key in it.
Entries: TypeAlias = dict[tuple[int, str, Any], Any]


@attrs.frozen(eq=False)
class Lease:
    """The right to use the embedded engine, with an account of its own.

    The access key is the account's number: the engine keeps the data of
    different accounts apart and refuses keys that hold no lease. Signatures are
    not checked, so the secret key is of no importance.

    A lease is also a context manager that stops at its end.

    Attributes:
        endpoint_url: Where the engine listens, on the loopback interface.
        access_key: The account, twelve digits.
        secret_key: A string, because clients ask for one.
        region_name: A region to sign for. Any region works, and each has its
            own tables, as on the service.
    """

    endpoint_url: str
    access_key: str
    secret_key: str = attrs.field(default="unchecked", repr=False)
    region_name: str = attrs.field(default=_REGION, repr=False)

    @property
    def client_arguments(self) -> dict[str, str]:
        """Keyword arguments for `boto3.client`, `boto3.resource` and their asyncio twins."""
        return {
            "endpoint_url": self.endpoint_url,
            "region_name": self.region_name,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
        }

    def stop(self) -> None:
        """Drop this lease's data, and with the last lease the server. Idempotent.

        From then on this lease's key is refused. Once no lease is left, requests
        that are being answered are finished, the port is closed and the
        server's thread has ended when this returns.
        """
        _engine.release(self.access_key)

    def clear(self) -> None:
        """Drop this lease's data, and keep the lease."""
        _engine.clear(self.access_key)

    def entries(self) -> Entries:
        """What the engine has for this lease: tables with their items, and what belongs to them.

        The values are the engine's own, which a request may be changing.
        """
        return _engine.entries(self.access_key)

    def put(self, entries: Entries) -> None:
        """Give the engine what it had once. It keeps the values, so they must be copies."""
        _engine.put(self.access_key, entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(*, port: int = 0, everyone: bool = False) -> Lease:
    """Start the embedded engine, or join the one that runs in this process.

    Takes about a third of a second the first time in a process, when ministack
    is imported, and a millisecond later. Safe to call from any thread.

    The server runs in a daemon thread: a lease that is never stopped does not
    keep the interpreter from exiting. It belongs to the process that started
    it. After a fork the parent's leases still work in the child, as a client's,
    and the child can start an engine of its own.

    Args:
        port: The port, for an engine that does not run yet; 0 for a free one.
        everyone: Whether requests with any other key, and of any region, are answered as this lease's.

    Raises:
        MissingExtra: ministack is not installed.
        OSError: The port is taken.
        ConfigurationError: A port is named, and the engine runs already.

    Example:
        >>> import boto3
        >>> with start() as engine:
        ...     client = boto3.client("dynamodb", **engine.client_arguments)
        ...     client.list_tables()["TableNames"]
        []
    """
    return _engine.lease(port, everyone=everyone)


class _Engine:
    """Counts leases; starts the server with the first, stops it with the last."""

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_parent)

    def _reset(self) -> None:
        # The lease of a forgotten session is stopped by the garbage collector, in
        # any thread and in the middle of anything. So the lock is reentrant, and
        # no thread waits for another one while holding it.
        self._lock = threading.RLock()
        self._app: _App | None = None
        self._server: _Server | None = None

    def lease(self, port: int, *, everyone: bool) -> Lease:
        with self._lock:
            if self._app is None:
                self._app = _App()
            if self._server is None:
                self._server = _Server(self._app, port)
            elif port:
                raise ConfigurationError(
                    f"the embedded engine of this process is at {self._server.url} already",
                    "stop all of its leases first, or leave port out",
                )
            account = self._app.admit()
            if everyone:
                self._app.everyone = account
            return Lease(self._server.url, account)

    def release(self, account: str) -> None:
        unused = None
        with self._lock:
            if self._app is None or account not in self._app.accounts:
                return
            self._app.forget(account)
            if not self._app.accounts:
                unused, self._server = self._server, None
        if unused is not None:
            unused.end()

    def clear(self, account: str) -> None:
        with self._lock:
            self._app_of(account).clear(account)

    def entries(self, account: str) -> Entries:
        with self._lock:
            return self._app_of(account).entries(account)

    def put(self, account: str, entries: Entries) -> None:
        with self._lock:
            self._app_of(account).put(account, entries)

    def _app_of(self, account: str) -> _App:
        if self._app is None or account not in self._app.accounts:
            raise ConfigurationError(
                "this lease of the embedded engine has been stopped", "start()"
            )
        return self._app

    def _leave_parent(self) -> None:
        """Begin anew in a forked child, which has the parent's data and locks but not its threads.

        ministack keeps all of these in its modules: the next start imports them again.
        """
        if self._server is not None:
            # The child's copy of the port would be open after the parent's is closed.
            self._server.listener.close()
        for name in [name for name in sys.modules if name.partition(".")[0] == "ministack"]:
            del sys.modules[name]
        self._reset()


_Response = tuple[int, dict[str, str], bytes]


class _App:
    """ministack's DynamoDB as an ASGI application that answers a set of accounts."""

    def __init__(self) -> None:
        tables = _import_ministack("ministack.services.dynamodb")
        streams = _import_ministack("ministack.services.dynamodb_streams")
        responses = _import_ministack("ministack.core.responses")
        tables.logger = logger  # its own is called "dynamodb", which is not ours to configure
        self._handlers: dict[str, Callable[..., Awaitable[_Response]]] = {
            "DynamoDB_20120810": tables.handle_request,
            "DynamoDBStreams_20120810": streams.handle_request,
        }
        self._error: Callable[[str, str, int], _Response] = responses.error_response_json
        self._scope = responses.request_scope
        scoped = responses.AccountRegionScopedDict
        self._stores = [store for store in vars(tables).values() if isinstance(store, scoped)]
        self.accounts: set[str] = set()
        #: The account of whatever request has a key of none.
        self.everyone: str | None = None

    def admit(self) -> str:
        """An account that has no data and is answered from now on."""
        while (account := f"{secrets.randbelow(10**12):012d}") in self.accounts:
            pass
        self.accounts.add(account)
        return account

    def forget(self, account: str) -> None:
        self.accounts.discard(account)
        self.everyone = None if self.everyone == account else self.everyone
        self.clear(account)

    def clear(self, account: str) -> None:
        for place, region, key in self.entries(account):
            self._stores[place].pop_scoped(account, region, key, None)

    def entries(self, account: str) -> Entries:
        return {
            (place, region, key): value
            for place, store in enumerate(self._stores)
            for (owner, region, key), value in store.all_items()  # a copy
            if owner == account
        }

    def put(self, account: str, entries: Entries) -> None:
        for (place, region, key), value in entries.items():
            self._stores[place].set_scoped(account, region, key, value)

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] != "http":  # hypercorn announces its own start and end
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the client has left
                return
            body += message["body"]
            more = message["more_body"]
        request = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        status, fields, content = await self._answer(request, bytes(body))
        fields |= {"Content-Length": str(len(content)), "x-amzn-RequestId": str(uuid.uuid4())}
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        await send(
            {"type": "http.response.start", "status": status, "headers": headers, "trailers": False}
        )
        await send({"type": "http.response.body", "body": content, "more_body": False})

    async def _answer(self, request: dict[str, str], body: bytes) -> _Response:
        credential = _CREDENTIAL.search(request.get("authorization", ""))
        account, region = credential.groups() if credential else ("", "")
        target = request.get("x-amz-target", "")
        handler = self._handlers.get(target.partition(".")[0])
        if handler is None:
            return self._error("UnknownOperationException", f"not an operation: {target!r}", 400)
        if self.everyone is not None and account not in self.accounts:
            account, region = self.everyone, _REGION
        if account not in self.accounts:
            message = "The security token included in the request is invalid."
            return self._error("UnrecognizedClientException", message, 400)
        try:
            with self._scope(account, region):
                return await handler("POST", "/", {"x-amz-target": target}, body, {})
        except Exception as bug:  # one of ministack's
            logger.exception("the embedded engine failed on %s", target)
            return self._error("InternalServerError", f"{type(bug).__name__}: {bug}", 500)


class _Server:
    """hypercorn in a thread with an event loop of its own."""

    def __init__(self, app: _App, port: int) -> None:
        from hypercorn.asyncio import serve
        from hypercorn.config import Config, Sockets

        # Port 0: the kernel chooses a free port as part of binding. Clients can
        # connect from here on, and wait until the thread has got going.
        listener = self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        # Inherited by connections. Without it a response's head and body, which
        # hypercorn sends one after the other, arrive 40 ms apart.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        log = logger.getChild("server")
        log.setLevel(logging.WARNING)  # below: where it runs, and to press CTRL + C to quit

        class Settings(Config):
            errorlog = log
            include_server_header = False
            # Clients keep connections in a pool and use them after any pause.
            keep_alive_timeout = _DAY
            keep_alive_max_requests = sys.maxsize
            graceful_timeout = _DAY  # `end` has a limit of its own, and cancels nothing

            def create_sockets(self) -> Sockets:
                return Sockets([], [listener], [])

        # Not the policy's choice, which may lack remove_reader.
        self._loop = asyncio.SelectorEventLoop()
        self._ending = asyncio.Event()

        # Closing a server, asyncio and hypercorn forget connections that are just
        # being accepted, whose clients would wait in vain. So it accepts no more
        # in good time, and whatever has begun is seen to its end.

        async def ended() -> None:
            await self._ending.wait()
            self._loop.remove_reader(listener)
            await asyncio.sleep(0)
            # A child that was forked just now has the port as well, until it runs.
            with contextlib.suppress(OSError):  # only Linux shuts down what listens
                listener.shutdown(socket.SHUT_RDWR)

        async def run() -> None:
            await serve(app, Settings(), shutdown_trigger=ended, mode="asgi")
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)

        def run_loop() -> None:
            with contextlib.closing(self._loop):
                self._loop.run_until_complete(run())

        self._thread = threading.Thread(target=run_loop, name="dynattrs-local", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_SECONDS)


def _import_ministack(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # Another name means that ministack itself is broken, which must show.
        if error.name is None or error.name.partition(".")[0] != "ministack":
            raise
        raise MissingExtra("local", "ministack") from error


_engine = _Engine()
