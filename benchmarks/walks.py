"""How far a call walks through the library: the modules that it enters, and how often it goes back.

    uv run python -m benchmarks.walks                      # this tree
    uv run python -m benchmarks.walks --list "first item"  # step by step, for the walks called so
    uv run python -m benchmarks.walks --check              # fail where a walk is longer than its bound
    PYTHONPATH=/other/src uv run python -m benchmarks.walks

What counts is each start of a function, or of a generator's next stretch, whose code stands in a file
of `dynattrs`, in the order of each thread. A *module* is one in which at least one was started. A
*return* is a start in a module that was entered before, right after one in another module. What a
generated function does is not in a file, so it is counted apart: the second pair of columns adds it, to
the module that generates it.

Each walk was done a few dozen times before it is traced, so lazy imports and generated code are there, and of
a few traced ones the shortest is shown. It goes to the server of `canned.py`, whose answers come after
ten milliseconds, so that none is there early. Nothing is timed, and two runs print the same.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import dynattrs
from benchmarks import canned
from benchmarks.rivals import dynattrs_sync
from benchmarks.shapes import ARTIST, shape

TABLE = "flat-11.10.40.10"
#: As often each is walked before, because attrs finishes some classes after twenty objects (`late_classes`).
WARM = 24
#: So often each walk is traced then. The shortest counts: a thread that wakes up by its clock meanwhile, as
#: it may on a machine that is busy, only adds steps.
TRACED = 4

PACKAGE = f"{Path(dynattrs.__file__).parent}{os.sep}"


class Step(NamedTuple):
    """The start of a function."""

    thread: int
    module: str
    function: str
    generated: bool


class Tracer:
    """Notes the steps of all threads that are started while it is installed."""

    def __init__(self) -> None:
        self.walks: dict[str, list[Step]] = {}
        self._steps: list[Step] | None = None
        self._until_sent = False
        self._generators: dict[str, str] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        sys.addaudithook(self._hear)
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def begin(self, name: str, *, until_sent: bool = False) -> None:
        """Begin a walk; one of the same name is forgotten.

        Args:
            name: What it is called.
            until_sent: End it when the first bytes go to a socket.
        """
        self._until_sent = until_sent
        self.walks[name] = self._steps = []

    def end(self) -> None:
        self._steps = None

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        steps = self._steps
        if steps is None:
            return
        if event == "call":
            module, generated = self._module_of(frame)
            if module:
                function = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
                steps.append(Step(threading.get_ident(), module, function, generated))
        elif event == "c_call" and self._until_sent and _is_sent_by(argument):
            self._steps = None

    def _module_of(self, frame: FrameType) -> tuple[str, bool]:
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE):
            return _module_in(file), False
        if not file.startswith("<"):
            return "", False
        # attrs runs what it generates in the module of the class.
        name = str(frame.f_globals.get("__name__", ""))
        ours = name.removeprefix("dynattrs.") if name.startswith("dynattrs.") else ""
        return self._generators.get(file, ours), True

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note which module generates the code that is compiled."""
        if event != "compile" or not str(arguments[1]).startswith("<dynattrs"):
            return
        frame: FrameType | None = sys._getframe(1)
        # It is `Source` that compiles, for those who have put the lines together.
        while frame is not None and type(frame.f_locals.get("self")).__name__ == "Source":
            frame = frame.f_back
        if frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
            self._generators[arguments[1]] = _module_in(frame.f_code.co_filename)


def _module_in(file: str) -> str:
    path = file.removeprefix(PACKAGE).removesuffix(".py")
    return path.removesuffix(f"{os.sep}__init__").replace(os.sep, ".")


def _is_sent_by(function: Any) -> bool:
    return function.__name__ in ("send", "sendall") and isinstance(
        getattr(function, "__self__", None), socket.socket
    )


# --- The walks --------------------------------------------------------------------------------------


def write(session: Any, songs: list[Any], trace: Tracer) -> None:
    """Save 25 objects in a batch."""
    # Before there were batches, a `with` block of the session gathered.
    with session.batch() if hasattr(session, "batch") else session as batch:
        trace.begin("24 saves in a batch")
        for song in songs[:24]:
            batch.save(song)
        trace.end()
        trace.begin("the 25th save")
        batch.save(songs[24])
        trace.end()
        trace.begin("the end of the batch")
    trace.end()


def ask(session: Any, model: Any, trace: Tracer) -> None:
    """From `where` to the request."""
    trace.begin("where(...) to the request", until_sent=True)
    session.query(model).where(model.artist == ARTIST).first()
    trace.end()


def read(session: Any, model: Any, trace: Tracer) -> None:
    """Two items of a query that has four pages."""
    trace.begin("the first item of a query loop")
    for number, _ in enumerate(session.query(model).where(model.artist == ARTIST)):
        trace.end()
        if number:
            break
        trace.begin("the second item")


def traced() -> dict[str, list[Step]]:
    """The steps of each walk, warm."""
    trace = Tracer()
    items = shape(TABLE.partition(".")[0])
    with canned.running() as address, trace.installed():
        songs = dynattrs_sync.Songs(address, TABLE, items)
        prepared = [songs.make(number) for number in range(25)]
        shortest: dict[str, list[Step]] = {}
        for number in range(WARM + TRACED):
            write(songs.session, prepared, trace)
            ask(songs.session, songs.cls, trace)
            read(songs.session, songs.cls, trace)
            if number >= WARM:
                for name, steps in trace.walks.items():
                    shortest[name] = min(steps, shortest.get(name, steps), key=len)
        seen = canned.report(address)
        songs.session.close()
    if seen["errors"] or seen["items"] != (WARM + TRACED) * 25:
        raise RuntimeError(f"the server has seen {seen}")
    return shortest


# --- What is said -----------------------------------------------------------------------------------

#: Modules and returns at the most, where there is a bound.
BOUNDS = {
    "the 25th save": (9, 20),
    "the end of the batch": (9, 15),
    "the first item of a query loop": (16, 40),
}


def stretches(steps: list[Step]) -> list[tuple[str, list[Step]]]:
    """Steps in one module that follow one another in a thread; thread after thread."""
    threads = dict.fromkeys(step.thread for step in steps)
    found = []
    for thread in threads:
        mine = [step for step in steps if step.thread == thread]
        found += [(module, list(each)) for module, each in groupby(mine, lambda step: step.module)]
    return found


def counted(steps: list[Step]) -> tuple[int, int]:
    """Modules and returns."""
    entered = stretches(steps)
    modules = len({module for module, _ in entered})
    return modules, len(entered) - modules


def show_table(walks: dict[str, list[Step]], say: Callable[[str], None]) -> None:
    say(f"{PACKAGE}\n{'':32} modules  returns   bound   with what is generated")
    for name, steps in walks.items():
        modules, returns = counted([step for step in steps if not step.generated])
        bound = " / ".join(map(str, BOUNDS.get(name, ())))
        every, back = counted(steps)
        say(f"{name:32} {modules:7}  {returns:7}  {bound:>6}   {every:7}  {back:7}")


def show_list(name: str, steps: list[Step], say: Callable[[str], None]) -> None:
    """A line for each stretch, with an arrow where it goes back."""
    say(f"\n{name}")
    seen: set[str] = set()
    for module, part in stretches(steps):
        mark = "<-" if module in seen else "  "
        seen.add(module)
        names = [f"({each.function})" if each.generated else each.function for each in part]
        say(f"  {mark} {module:36} {', '.join(name for name, _ in groupby(names))}")


def longer_than_bound(walks: dict[str, list[Step]]) -> list[str]:
    """The walks that enter more modules, or go back more often, than they are to."""
    found = []
    for name, (most, back) in BOUNDS.items():
        modules, returns = counted([step for step in walks[name] if not step.generated])
        if modules > most or returns > back:
            found.append(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.walks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--list", nargs="?", const="", metavar="PART",
        help="print each walk whose name has PART in it; what is generated stands in parentheses",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="fail where one is beyond its bound")
    options = parser.parse_args()
    walks = traced()
    show_table(walks, print)
    if options.list is not None:
        for name, steps in walks.items():
            if options.list in name:
                show_list(name, steps, print)
    if options.check and (longer := longer_than_bound(walks)):
        sys.exit(f"beyond their bounds: {', '.join(longer)}")


if __name__ == "__main__":
    os.environ.update(
        {
            "AWS_ACCESS_KEY_ID": canned.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": canned.SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
    )
    main()
