"""Three processes consume the changes of three tables, and one of them is killed in the middle: every
change is handled, those of each item in their order, and the others end in order.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import consumed_pages
from consumed_pages import MODELS, TABLES
from dynattrs import Session

WRITINGS = 4  # of each page
LEASE = 3.0
#: How many changes: CI has less time.
LARGE = 6_000 if os.environ.get("CI") else 20_000
PATIENCE = 120.0

Line = tuple[int, str, int, int]


class Shelves:
    """What the processes have handled, in the file that all of them write."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def lines(self) -> list[Line]:
        text = self._file.read_text("ascii") if self._file.exists() else ""
        found = []
        for line in text.splitlines():
            process, shelf, number, writing = line.split()
            found.append((int(process), shelf, int(number), int(writing)))
        return found

    def until(self, enough: Callable[[list[Line]], bool], what: str) -> list[Line]:
        deadline = time.monotonic() + PATIENCE
        while not enough(lines := self.lines()):
            assert time.monotonic() < deadline, f"{what}: {len(lines)} lines"
            time.sleep(0.05)
        return lines


def pages(count: int) -> Iterator[Any]:
    for writing in range(WRITINGS):
        for number in range(count // WRITINGS):
            which = number % len(MODELS)
            yield MODELS[which](TABLES[which].name, number, writing)


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "kill"), reason="this system kills otherwise")
@pytest.mark.threads_only("the consumers are processes")
@pytest.mark.parametrize("count", [1_200, LARGE], ids=["few", "many"])
def test_nothing_is_missing_when_one_of_three_consumers_is_killed(
    endpoint: Any, client: Any, table_prefix: str, tmp_path: Path, count: int
) -> None:
    file = tmp_path / "handled"
    arguments = {
        "url": endpoint.url, "credentials": endpoint.credentials, "prefix": table_prefix,
        "file": str(file), "lease": LEASE,
    }  # fmt: skip
    command = [
        sys.executable, "-W", "ignore::DeprecationWarning", consumed_pages.__file__, json.dumps(arguments)
    ]  # fmt: skip
    shelves = Shelves(file)
    with ExitStack() as stack:
        session = stack.enter_context(Session(client=client, table_prefix=table_prefix))
        session.tables.create(*TABLES)
        consumers = []
        for _ in range(3):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            consumers.append(stack.enter_context(process))
            stack.callback(process.kill)
        for process in consumers:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

        writer = threading.Thread(target=session.save_all, args=[pages(count)])
        writer.start()
        lines = shelves.until(lambda lines: len(lines) >= count // 4, "the first quarter")
        [(busiest, _)] = Counter(line[0] for line in lines[-100:]).most_common(1)
        [killed] = [each for each in consumers if each.pid == busiest]
        killed.kill()
        writer.join()

        expected = {(page.shelf, page.number, page.writing) for page in pages(count)}
        lines = shelves.until(lambda lines: {line[1:] for line in lines} == expected, "all changes")
        left = [each for each in consumers if each is not killed]
        for each in left:
            each.send_signal(signal.SIGTERM)
        for each in left:
            said, _ = each.communicate(timeout=30)
            assert (each.returncode, said) == (0, "stopped\n")
        killed.wait()

    assert killed.returncode == -signal.SIGKILL
    seen: dict[tuple[str, int], int] = {}
    for _, shelf, number, writing in lines:
        before = seen.get((shelf, number), -1)
        assert writing <= before + 1, "a later writing of a page came before an earlier one"
        seen[shelf, number] = max(writing, before)
    assert len(lines) < 2 * count
