"""An interruption at a step that a test chooses, and what errors report afterwards."""

from __future__ import annotations

import concurrent.futures._base
import concurrent.futures.thread
import ctypes
import signal
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

import dynattrs
from dynattrs import UnsentWrites

OURS = str(Path(dynattrs.__file__).parent)
#: Inside of these an interruption can leave a lock of theirs held: between the moment when it is
#: theirs and the end of `Condition.__enter__`, which is a function of Python.
SPARED = {
    each.__file__ for each in (threading, concurrent.futures._base, concurrent.futures.thread)
}


#: Takes what it does not look at, as a weak reference gives itself to its callback.
_interrupt = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("PyErr_SetInterrupt", ctypes.pythonapi))


class _Moment:
    """What can be referred to weakly."""


class InterruptAt:
    """SIGINT, once, where the n-th function of ours begins, or generator goes on, in this thread.

    KeyboardInterrupt strikes where Python looks for signals next: there, or a little later. A trace
    function that raised it would strike where no signal does, which CPython does not always survive.
    """

    def __init__(self, step: int) -> None:
        self.left = step

    @property
    def struck(self) -> bool:
        """Whether there were so many steps."""
        return self.left <= 0

    def __enter__(self) -> None:
        self._handler = signal.signal(signal.SIGINT, self._strike)
        self._before = sys.gettrace()
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)
        signal.signal(signal.SIGINT, self._handler)

    def _trace(self, frame: Any, event: str, argument: object) -> None:
        if frame.f_code.co_filename.startswith(OURS):
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                # When this function has returned, by the end of a variable of it, in C: any further
                # line of Python would look for signals itself.
                moment = _Moment()
                self._reference = weakref.ref(moment, _interrupt)

    def _strike(self, signal: int, frame: Any) -> None:
        if frame.f_code.co_filename not in SPARED:
            raise KeyboardInterrupt
        moment = _Moment()  # where Python looks next
        self._reference = weakref.ref(moment, _interrupt)


def dropped(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """What Python drops from now on, for example what is raised in a generator that goes, or in the
    callback of a weak reference. An interruption that strikes there goes with it, and the program
    goes on.
    """
    found: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: found.append(unraisable.exc_type))
    return found


def reported(error: BaseException | None) -> set[int]:
    """The notes of all `UnsentWrites` in a chain of errors."""
    found: set[int] = set()
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, UnsentWrites):
            found |= {note.id for note in each.objects}
        waiting += [each.__cause__, each.__context__]
    return found
