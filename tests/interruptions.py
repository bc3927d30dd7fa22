"""An interruption at a step that a test chooses, and what errors report afterwards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import dynattrs
from dynattrs import UnsentWrites

OURS = str(Path(dynattrs.__file__).parent)


class InterruptAt:
    """Raises KeyboardInterrupt once, at the n-th step of ours in this thread."""

    def __init__(self, step: int) -> None:
        self.left = step

    def __enter__(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: Any, event: str, argument: object) -> None:
        # Up to 3.10 what is raised where a generator goes on passes its handlers by, as no signal does.
        goes_on = frame.f_lasti >= 0 and sys.version_info < (3, 11)
        if frame.f_code.co_filename.startswith(OURS) and not goes_on:
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt


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
