"""Where the CPU of one call goes: what the process is doing at each tick of its CPU clock.

    uv run python -m benchmarks profile get made
    uv run python -m benchmarks profile get made --against ../other     # the library of another checkout
    uv run python -m benchmarks profile get made --save docs/performance.json --against ../other

Nothing is added to the functions, so small ones do not look dear. A tick counts for the part that the
innermost function belongs to; one that belongs to none counts for its caller. What is built in, system
calls included, is paid by the function that calls it. Ticks come a few milliseconds apart, so a share has
an error of a percentage point or two.
"""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.contest import BASELINE, Contest, Figure
from benchmarks.environments import Environments

#: What can be profiled: the table, how many at once, and what one is called.
_CASES = {
    "read": ("mixed-11.1000.2000", 2000, "an item"), "made": ("mixed-11.1000.2000", 1000, "an item"),
    "write": ("mixed-11.1000.2000", 1000, "an item"), "get": ("flat-11.1000.2000", 500, "a call"),
    "put": ("flat-11.1000.2000", 500, "a call"), "update": ("flat-11.1000.2000", 500, "a call"),
}  # fmt: skip
SECONDS = 6.0

_OBJECT = "making the object"
_ENCODING = "between object and JSON"
_GATHERING = "gathering: order, sizes, kept until it is stored"
_FLOW = "the verb: key, request, outcome"
_SENDING = "the connection: taking it, sending, waiting"
_REPLY = "the reply: head, body, checksum"
_SIGNATURE = "signature and time"
_AROUND = "attempts, hooks, counting, events"
_REST = "the rest"
#: In the order of the table.
PARTS = (
    _OBJECT, _ENCODING, _GATHERING, _FLOW, _SIGNATURE, _SENDING, _REPLY, _AROUND, _REST,
)  # fmt: skip
#: What is paid once for a request, however many items are in it.
OF_A_REQUEST = (_SIGNATURE, _SENDING, _REPLY, _AROUND)
#: The first that is found in the file and the name of a function says what it is part of.
_PLACES = (
    ("attrs generated methods benchmarks", _OBJECT),
    ("/benchmarks/rivals/", _FLOW),  # the call itself
    ("attrs generated methods dynattrs.operations.writing", _GATHERING),
    ("attrs generated methods dynattrs.wire", _AROUND),
    ("attrs generated methods dynattrs", _FLOW),
    ("/operations/writing/", _GATHERING),
    ("/mapper/", _ENCODING),
    ("/wire/sigv4", _SIGNATURE),
    ("/wire/fast_requests.py Signer.", _SIGNATURE),
    ("/wire/http_repl", _REPLY),
    ("/wire/repl", _REPLY),
    ("email/", _REPLY),
    ("/wire/http_", _SENDING),
    ("/wire/pool", _SENDING),
    ("/wire/connections", _SENDING),
    ("/urllib3/", _SENDING),
    ("/http/client", _SENDING),
    ("/wire/", _AROUND),
    ("/operations/", _FLOW),
    ("/session/", _FLOW),
    ("/schema/", _FLOW),
    ("/models/", _FLOW),
    ("/keys/", _FLOW),
)


def show(
    environments: Environments, operations: Iterable[str], other: Path | None = None
) -> tuple[list[Figure], dict[str, str]]:
    """Profile dynattrs and print where its CPU goes.

    Args:
        environments: Where it is installed.
        operations: The calls.
        other: A checkout whose library is profiled before this one's.

    Returns:
        The figures, and the versions of what took part.
    """
    figures = []
    versions: dict[str, str] = {}
    with Contest(environments, print, strict=True) as contest:
        libraries = {"before": other / "src"} if other is not None else {}
        for when, library in {**libraries, "now": None}.items():
            process = contest.fresh(BASELINE, library)
            versions = process.about["versions"]
            for operation in operations:
                table, count, unit = _CASES[operation]
                contest.forget(on_last=True)
                answer = process.do("profile", operation=operation, table=table, count=count)
                contest.forget()
                print(
                    f"\n{operation}, {when}: {answer['microseconds']:.1f} µs, {answer['ticks']} ticks"
                )
                for part in PARTS:
                    micro = answer["parts"].get(part, 0.0) * answer["microseconds"]
                    figures.append(_figure(operation, part, f"µs {unit}, {when}", micro))
                    print(f"  {part:50} {answer['parts'].get(part, 0.0):6.1%} {micro:9.2f} µs")
                print("  the dearest functions, by themselves:")
                for name, share in answer["functions"]:
                    print(f"    {share:6.1%}  {name}")
    return figures, versions


def _figure(operation: str, part: str, unit: str, micro: float) -> Figure:
    return Figure(operation, part, part, unit, micro, micro, micro)


def measured(work: Callable[[], Any], count: int, seconds: float = SECONDS) -> dict[str, Any]:
    """Shares of *work*'s CPU by part and by function; called in the rival's process."""
    parts: Counter[str] = Counter()
    functions: Counter[str] = Counter()

    def tick(_: int, frame: FrameType | None) -> None:
        found = [_part(each) for each in _outwards(frame)]
        parts[next(filter(None, found), _REST)] += 1
        if frame is not None:
            functions[f"{_short(frame.f_code.co_filename)} {frame.f_code.co_name}"] += 1

    before = signal.signal(signal.SIGPROF, tick)
    began = time.process_time()
    done = 0
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    try:
        while time.process_time() - began < seconds:
            work()
            done += count
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    took = time.process_time() - began
    ticks = sum(parts.values()) or 1
    return {
        "microseconds": took / done * 1e6,
        "ticks": ticks,
        "parts": {part: found / ticks for part, found in parts.items()},
        "functions": [(name, found / ticks) for name, found in functions.most_common(25)],
    }


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _part(frame: FrameType) -> str | None:
    """What a function belongs to; None if its caller says more."""
    file = frame.f_code.co_filename
    if file.startswith("<dynattrs"):
        return _ENCODING  # what was generated for a class
    if file.endswith("worker.py"):
        return _REST
    if file.startswith("<string>"):
        return _OBJECT  # the line of `composing.py`
    named = f"{file} {getattr(frame.f_code, 'co_qualname', '')}"  # from 3.11 on
    return next((part for place, part in _PLACES if place in named), None)


def _short(file: str) -> str:
    found = re.search(r"(?:site-packages|src)/(dynattrs/.*)", file)
    return found[1] if found else "/".join(Path(file).parts[-2:])
