"""Who runs where. While a program's CPU is measured, it and the server take turns on the last processor.

Where the scheduler is left to choose, it puts the two onto one processor or onto two, as it comes, and keeps
to that for a while. On two, each call puts a processor to sleep and wakes it, which counts as the program's
CPU and depends on the machine: here a call takes 15 to 50 µs more. So one library would be compared in the
one case and another in the other. Latency is measured with all processors. (Systems that have no such
setting, and machines with one processor, are left as they are.)
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection
from pathlib import Path

#: Those that this process may use, as it begins; none where a system does not say.
_ALL = frozenset(os.sched_getaffinity(0)) if sys.platform == "linux" else frozenset()


def use_last() -> None:
    """Keep all threads of this process, and those that they begin, to the last processor."""
    _keep_to({max(_ALL, default=0)})


def use_all() -> None:
    """Let all threads of this process run on any processor."""
    _keep_to(_ALL)


def _keep_to(processors: Collection[int]) -> None:
    if sys.platform != "linux" or len(_ALL) < 2:
        return
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.sched_setaffinity(int(thread.name), processors)
