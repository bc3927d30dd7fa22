"""An HTTP server on the loopback interface that answers as it is told and keeps what it was sent."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock
from zlib import crc32

import attrs
import botocore.auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials


@attrs.frozen
class Received:
    """A request: the header names are in lower case, as are those of `order`."""

    url: str
    headers: dict[str, str]
    order: tuple[str, ...]
    body: bytes
    connection: int

    @property
    def operation(self) -> str:
        return self.headers["x-amz-target"].rpartition(".")[2]

    @property
    def parameters(self) -> Any:
        return json.loads(self.body)

    def signature(self, access: str, secret: str, region: str = "us-east-1") -> str:
        """What botocore would have written as `Authorization`."""
        signed = self.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
        names = set(signed.split(";")) - {"host", "x-amz-date", "x-amz-security-token"}
        own = {name: self.headers[name] for name in names}
        request = AWSRequest("POST", self.url, own, self.body)
        token = self.headers.get("x-amz-security-token")
        auth = SigV4Auth(ReadOnlyCredentials(access, secret, token), "dynamodb", region)
        stamp = mock.Mock()
        stamp.strftime.return_value = self.headers["x-amz-date"]
        with contextlib.ExitStack() as stack:
            if hasattr(botocore.auth, "get_current_datetime"):
                clock = stack.enter_context(mock.patch("botocore.auth.get_current_datetime"))
                clock.return_value = stamp
            else:
                clock = stack.enter_context(mock.patch("botocore.auth.datetime"))
                clock.datetime.utcnow.return_value = stamp
            auth.add_auth(request)
        return str(request.headers["Authorization"])


def reply(
    body: dict[str, Any] | bytes | None = None, status: int = 200, **headers: str | None
) -> bytes:
    """A reply as the service writes it; `name=None` leaves a header out."""
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    lines = {
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": str(len(data)),
        "x-amzn-RequestId": "REQUEST",
        "x-amz-crc32": str(crc32(data)),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"HTTP/1.1 {status} Reason\r\n{head}\r\n".encode() + data


def failure(code: str, status: int = 400, **more: Any) -> bytes:
    return reply({"__type": f"com.amazonaws.dynamodb#{code}", "message": "why", **more}, status)


#: Read the request and close the connection.
HANG_UP = object()
#: Read the request and never answer.
SILENCE = object()

Answer = Callable[[Received], Any]


class ScriptedServer:
    """Answers with what is in `script`, one after the other, then with what `answer` gives.

    An entry is the bytes to send, several of such (sent one by one, with `HANG_UP` in their midst or at
    their end), `HANG_UP`, `SILENCE`, or a function of the request that gives one of these.

    Args:
        tls: What secures its connections; nothing by itself.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        #: Instead of a handshake, it hangs up or is silent.
        self.handshake: object = None
        self.is_secured = tls is not None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.received: list[Received] = []
        self.script: list[Any] = []
        self.answer: Answer = lambda _: reply()
        self.connections = 0
        #: How many seconds 64 KB of a request's body take.
        self.pace = 0.0
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                accepted, _ = self._listener.accept()
            except TimeoutError:
                continue
            accepted.settimeout(None)
            self.connections += 1
            self._open.append(accepted)
            thread = threading.Thread(
                target=self._serve, args=(accepted, self.connections), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), connection:
            if self.handshake is SILENCE:
                self._closing.wait()
            if self.handshake is not None:
                return
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self._answer_all(connection, number)

    def _answer_all(self, connection: socket.socket, number: int) -> None:
        with connection, connection.makefile("rb") as stream:
            while (received := self._read(stream, number)) is not None:
                with self._lock:
                    self.received.append(received)
                    entry = self.script.pop(0) if self.script else self.answer
                if callable(entry):
                    entry = entry(received)
                if entry is SILENCE:
                    self._closing.wait()
                    return
                single = entry is HANG_UP or isinstance(entry, bytes)
                for part in [entry] if single else entry:
                    if part is HANG_UP:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    connection.sendall(part)

    def _read(self, stream: Any, number: int) -> Received | None:
        first = stream.readline()
        if not first:
            return None
        lines = []
        while (line := stream.readline()) not in (b"\r\n", b""):
            lines.append(line.decode("latin-1").rstrip("\r\n").partition(": "))
        headers = {name.lower(): value for name, _, value in lines}
        path = first.split()[1].decode()
        url = path if path.startswith("http") else f"http://{headers.get('host', '')}{path}"
        body = b"".join(self._body(stream, int(headers.get("content-length", 0))))
        return Received(url, headers, tuple(name.lower() for name, *_ in lines), body, number)

    def _body(self, stream: Any, length: int) -> Iterator[bytes]:
        while length and (part := stream.read(min(length, 65536) if self.pace else length)):
            yield part
            length -= len(part)
            time.sleep(self.pace)

    def slow_down(self, seconds: float, *connections: socket.socket) -> None:
        """Take so many seconds for 64 KB of a request.

        Args:
            seconds: How many.
            connections: Those there are. From now on neither side of them holds more than that.
        """
        self.pace = seconds
        # What TLS has wrapped is open under another object.
        for each in [each for each in (*connections, *self._open) if each.fileno() >= 0]:
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                each.setsockopt(socket.SOL_SOCKET, option, 65536)

    def hang_up(self) -> None:
        """Close all connections, as a server does with those that were idle for long."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._closing.set()
        self.hang_up()
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    server = ScriptedServer(tls)
    try:
        yield server
    finally:
        server.close()
