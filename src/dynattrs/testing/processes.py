"""Engines in processes of their own, which end when the process that started them ends, however it ends.

Run as a file, this is the guard of one of them. It needs the standard library only.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Final

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 2.0  # a proxy would finish its slowest reply first
START_TRIES: Final = 3

#: Compiling for hours to come costs as much as a test run asks of it: 36 -> 20 s of CPU time for
#: 385 tests, its start 3.1 -> 1.7 s.
SHORT_LIVED: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

#: Where DynamoDB Local is.
HOME: Final = "DYNAMODB_LOCAL"
_JAR: Final = "DynamoDBLocal.jar"
_PAGE: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
    "DynamoDBLocal.DownloadingAndRunning.html"
)
_OTHERWISE: Final = (
    "or run it yourself, for example with `docker run -p 8000:8000 amazon/dynamodb-local`, and name "
    "its URL instead of dynamodb-local"
)


class MissingEngine(Exception):
    """An engine is not installed here, or does not run; the message says what to do."""


def dynamodb_local_command(
    folder: str | os.PathLike[str] | None = None,
) -> Callable[[int], list[str]]:
    """Return a function that makes, for a port, the command that starts DynamoDB Local: in memory, with the
    same tables for all credentials and regions.

    Args:
        folder: The folder of its jar; by default, the environment variable DYNAMODB_LOCAL names it.

    Raises:
        MissingEngine: Java or the jar is missing.
    """
    java = shutil.which("java")
    if java is None:
        raise MissingEngine(f"DynamoDB Local needs Java: install a JRE, 17 or newer, {_OTHERWISE}")
    stated = folder or os.environ.get(HOME)
    if not stated:
        raise MissingEngine(
            f"DynamoDB Local was not found: download it ({_PAGE}), set the environment "
            f"variable {HOME} to the folder with {_JAR}, {_OTHERWISE}"
        )
    home = Path(stated).absolute()
    home = home.parent if home.name == _JAR else home
    if not (home / _JAR).is_file():
        raise MissingEngine(
            f"{home} does not contain {_JAR}: download it ({_PAGE}), and set the environment variable "
            f"{HOME} to its folder, {_OTHERWISE}"
        )

    def command(port: int) -> list[str]:
        options = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
        library = f"-Djava.library.path={home / 'DynamoDBLocal_lib'}"
        return [java, *SHORT_LIVED, library, "-jar", str(home / _JAR), *options]

    return command


@contextlib.contextmanager
def served(
    command: Callable[[int], list[str]], folder: Path | None = None, health: str = "/"
) -> Generator[str, None, None]:
    """Run ``command(port)`` under a guard on a free port; yield its endpoint once it answers.

    Args:
        command: Returns the command for a port.
        folder: Its working directory.
        health: The path to request; any reply will do.

    Raises:
        RuntimeError: It did not start.
    """
    with tempfile.TemporaryFile() as output:
        for _ in range(START_TRIES):
            port = _free_port()
            process = subprocess.Popen(  # noqa: S603 - what the caller says
                [sys.executable, __file__, *command(port)],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for the test run, which then stops the guard.
                start_new_session=True,
            )
            try:
                if _answers(port, health, process):
                    yield f"http://127.0.0.1:{port}"
                    return
            finally:
                _stop(process)
            # Something else may have taken the port in the meantime: once more.
        output.seek(0)
        text = output.read().decode(errors="replace")[-4000:]
        raise RuntimeError(f"{command(0)[0]} did not start; it said:\n{text}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int, path: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait for any HTTP response; False if the process ended before there was one."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return process.poll() is None
        finally:
            connection.close()
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()  # which tells the guard
    try:
        process.wait(2 * STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def guard(command: Sequence[str]) -> int:
    """Run a command until it ends, or until standard input does.

    Standard input is a pipe that only the starting process holds the other end
    of. The kernel closes it however that process ends, so nothing is left
    running after a test run that was interrupted or killed.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - what the caller says

    def stop() -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def watch() -> None:
        # Unbuffered: the interpreter cannot end while a thread holds the lock
        # of a buffered sys.stdin.
        while os.read(0, 1024):
            pass
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        # Without waiting: the main thread, which runs this, is in process.wait.
        signal.signal(number, lambda *_: process.terminate())
    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
