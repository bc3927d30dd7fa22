"""Where the CPU of one operation goes, by what is called: a profile of `cProfile`'s, summed by library.

A profiler makes small functions look dear. The shares are its own; the microseconds are those shares of
what the same calls take without it.
"""

from __future__ import annotations

import cProfile
import functools
import pstats
import re
import sysconfig
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.contest import Contest
from benchmarks.environments import Environments

TABLE = "flat-11.1000.2000"
_COUNTS = {"read": 2000, "write": 1000}


def show(environments: Environments, operations: Iterable[str]) -> None:
    """Profile dynattrs and print where its CPU goes."""
    with Contest(environments, print, strict=True) as contest:
        process = contest.fresh("dynattrs_sync")
        for operation in operations:
            count = _COUNTS.get(operation, 300)
            answer = process.do("profile", operation=operation, table=TABLE, count=count)
            print(f"\n{operation}: {answer['microseconds']:.1f} µs")
            for part, share in answer["parts"]:
                micro = share * answer["microseconds"]
                print(f"  {part:28} {share:6.1%} {micro:9.1f} µs")
            print("  the dearest functions, by themselves:")
            for name, share in answer["functions"]:
                print(f"    {share:6.1%}  {name}")


def measured(work: Any, count: int) -> dict[str, Any]:
    """Shares of *work*'s CPU by library and by function; called in the rival's process."""
    began = time.process_time()
    work()
    seconds = time.process_time() - began
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    work()
    profile.disable()
    stats: Any = pstats.Stats(profile)
    parts: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, callers) in stats.stats.items():
        if file != "~":
            parts[_library(file)] += own
            functions[f"{_short(file)} {name}"] += own
            continue
        if "socket" in name or "ssl" in name:
            parts["sockets"] += own
            functions[name] += own
            continue
        # What is built in is paid by whoever called it.
        for (caller, _, by), (_, _, spent, _) in callers.items():
            parts[_library(caller)] += spent
            functions[f"{name} from {_short(caller)} {by}"] += spent
    total = sum(parts.values())
    return {
        "microseconds": seconds / count * 1e6,
        "parts": [(part, own / total) for part, own in parts.most_common()],
        "functions": [(name, own / total) for name, own in functions.most_common(25)],
    }


@functools.cache
def _library(file: str) -> str:
    if "<" in file and "dynattrs" in file:
        return "dynattrs (generated)"
    # Our own by module, so that it shows what they do.
    found = re.search(r"site-packages/(dynattrs(?:/\w+)+|\w+)", file)
    if found:
        return found[1]
    if file.startswith(sysconfig.get_paths()["stdlib"]):
        name = Path(file).relative_to(sysconfig.get_paths()["stdlib"]).parts[0].removesuffix(".py")
        return f"Python's {name}"
    return "generated" if file.startswith("<") else "the benchmark"


def _short(file: str) -> str:
    return "/".join(Path(file).parts[-2:])
