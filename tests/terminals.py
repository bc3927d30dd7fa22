"""The command `dynattrs` in a terminal, for tests of what a person sees."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "dynattrs"]


INTERRUPTION = b"\x03"


def in_terminal(command: list[str], answers: bytes = b"", **environment: str) -> tuple[int, str]:
    """Run a command in a pseudo-terminal: its exit code, and what was seen."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals are not for Windows")
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "60", "LINES": "24", **environment}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    ) as process:
        os.close(theirs)
        seen = b""
        interrupted, silent = False, 0
        while True:
            if not select.select([ours], [], [], 10)[0]:
                silent += 1
                if silent > 6:
                    process.kill()
                    pytest.fail(f"the command waits, and has shown {seen!r}")
                if interrupted:
                    # The first signal came before `read`, which then waits all the same: as for any
                    # Python program, a user presses the keys once more.
                    process.send_signal(signal.SIGINT)
                continue
            try:
                some = os.read(ours, 65536)
            except OSError as error:  # Linux says so when the other side is closed
                if error.errno != errno.EIO:
                    raise
                break
            if not some:
                break
            seen += some
            if answers and b"[y/N]" in seen:
                if answers == INTERRUPTION:
                    # It has no terminal that controls it and makes a signal of the keys.
                    process.send_signal(signal.SIGINT)
                    interrupted = True
                else:
                    os.write(ours, answers)
                answers = b""
        os.close(ours)
        return process.wait(), seen.decode().replace("\r\n", "\n")
