"""One DynamoDB Local for all processes that share a test run out.

It takes each of them twenty seconds of processor time to get going. So the process that hands the
tests out starts it, when the first of the others asks, and stops it at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading

import engines

ADDRESS = "DYNATTRS_TESTS_ENGINE"  # in the environment of the others: where to ask


class Host:
    """Answers the other processes where DynamoDB Local is, or why it is not."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._answer: dict[str, str] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        os.environ[ADDRESS] = str(self._listener.getsockname()[1])

    def _serve(self) -> None:
        while True:
            try:
                asking, _ = self._listener.accept()
            except OSError:  # closed
                return
            with asking:
                self._answer = self._answer or self._started()
                asking.sendall(json.dumps(self._answer).encode())

    def _started(self) -> dict[str, str]:
        try:
            return {"endpoint": self._stack.enter_context(engines.dynamodb_local())}
        except engines.MissingEngine as error:
            return {"missing": str(error)}
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {error}"}

    def close(self) -> None:
        del os.environ[ADDRESS]
        with contextlib.suppress(OSError):  # only Linux wakes what waits in `accept`
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(1)
        self._stack.close()


def endpoint(address: str) -> str:
    """The endpoint of the engine that all share.

    Raises:
        engines.MissingEngine: It is not installed here.
    """
    parts = []
    with socket.create_connection(("127.0.0.1", int(address)), timeout=5) as connection:
        connection.settimeout(engines.START_TRIES * engines.START_SECONDS)
        while part := connection.recv(4096):
            parts.append(part)
    answer = json.loads(b"".join(parts))
    if "missing" in answer:
        raise engines.MissingEngine(answer["missing"])
    if "failed" in answer:
        raise RuntimeError(answer["failed"])
    found: str = answer["endpoint"]
    return found
