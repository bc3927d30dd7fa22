"""Whether the slices of a process are to end early: a parent that was interrupted waits for them.

A parent in this process gives its threads a signal; one in another process has shared a byte with it, which
takes no lock that a worker which is killed might hold.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

R = TypeVar("R")


class Stopped(Exception):
    """The step ends here, and is done again when the job goes on."""


class Signal:
    """Says that slices are to end. *shared* is a byte that other processes see; None for threads."""

    def __init__(self, shared: Any = None) -> None:
        self._shared = shared
        self._given = threading.Event()

    def give(self) -> None:
        self._given.set()
        if self._shared is not None:
            self._shared.value = 1

    def is_given(self) -> bool:
        return self._given.is_set() or (self._shared is not None and bool(self._shared.value))

    def wait(self, seconds: float) -> None:
        """Wait so long, or until it is given."""
        if self._shared is None:
            self._given.wait(seconds)
            return
        while seconds > 0 and not self.is_given():
            self._given.wait(min(seconds, _GLANCE))
            seconds -= _GLANCE


#: How often a worker process looks whether it is to end while it waits.
_GLANCE: Final = 0.2
#: That of the thread, and of the process.
_of_thread: Final[contextvars.ContextVar[Signal | None]] = contextvars.ContextVar(
    "stop", default=None
)
_of_process: list[Signal] = []


def in_process(shared: Any) -> None:
    """All slices of this process end when its parent says so."""
    _of_process[:] = [Signal(shared)]


def until(signal: Signal, function: Callable[[Any], R], argument: object) -> R:
    """Call a function whose slices end when a signal is given."""
    token = _of_thread.set(signal)
    try:
        return function(argument)
    finally:
        _of_thread.reset(token)


def signal() -> Signal | None:
    """What says that the slice of this thread is to end."""
    return _of_thread.get() or (_of_process[0] if _of_process else None)


def is_asked() -> bool:
    """Whether the slice of this thread is to end."""
    found = signal()
    return found is not None and found.is_given()


def check() -> None:
    """Called where a page takes long.

    Raises:
        Stopped: The slice of this thread is to end.
    """
    if is_asked():
        raise Stopped
