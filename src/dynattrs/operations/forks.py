"""Forked processes: fresh connections, and nothing of what the parent has gathered."""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol


class Forkable(Protocol):
    """What has to begin anew in a child process."""

    def forked(self) -> None: ...


_alive: weakref.WeakSet[Any] = weakref.WeakSet()


def forget_at_fork(each: Forkable) -> None:
    """Call `each.forked()` in every process that is forked from this one."""
    _alive.add(each)


def _forked() -> None:
    for each in list(_alive):
        each.forked()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forked)
