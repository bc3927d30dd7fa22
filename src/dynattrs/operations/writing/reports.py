"""What became of gathered writes, told to the `after_flush` hooks and the listeners of `flush`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Any, Final, Protocol

import attrs

from dynattrs.errors import Unsent
from dynattrs.events import Flush, tell
from dynattrs.models.hooks import Flushed
from dynattrs.operations.context import Core

#: How many objects are kept for `after_flush` before it is called: memory stays bounded also while a
#: generator of millions is saved.
PORTION_OBJECTS: Final = 1000
#: The same in bytes of what is stored.
PORTION_BYTES: Final = 16 * 1024 * 1024

_log = logging.getLogger("dynattrs")


class Written(Protocol):
    """What a ledger asks of a write."""

    @property
    def obj(self) -> Any: ...
    @property
    def action(self) -> str: ...
    @property
    def size(self) -> int: ...


@attrs.define(eq=False, repr=False)
class Ledger:
    """What became of the writes of a buffer, as far as nobody was told yet. Safe between threads."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    # Counts since the last event, objects since the last call of the hooks.
    _saved: int = attrs.field(default=0, init=False)
    _deleted: int = attrs.field(default=0, init=False)
    _failed: int = attrs.field(default=0, init=False)
    _objects: dict[str, list[Any]] = attrs.field(factory=dict, init=False)
    _unsent: list[Unsent] = attrs.field(factory=list, init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _held: int = attrs.field(default=0, init=False)

    def stored(self, core: Core, writes: Iterable[Written]) -> None:
        """Remember what the service has acknowledged; the objects only where a hook wants them."""
        wanted = bool(core.hooks.after_flush)
        with self._lock:
            self._count(writes, wanted)

    def _count(self, writes: Iterable[Written], wanted: bool) -> None:
        for write in writes:
            if write.action == "save":
                self._saved += 1
            else:
                self._deleted += 1
            if wanted:
                self._objects.setdefault(write.action, []).append(write.obj)
                self._bytes += write.size
                self._held += 1

    def gave_up(self, unsent: Iterable[Unsent]) -> None:
        """Remember what was given up. Its objects are in an error anyway."""
        with self._lock:
            for each in unsent:
                self._failed += 1
                self._unsent.append(each)

    def is_full(self) -> bool:
        """Whether so many objects are held that the hooks are to have them now."""
        return self._held >= PORTION_OBJECTS or self._bytes >= PORTION_BYTES

    def take_objects(self) -> Flushed | None:
        """What the hooks are to be told, once; None if nothing has happened."""
        with self._lock:
            objects, self._objects = self._objects, {}
            unsent, self._unsent = self._unsent, []
            self._bytes = self._held = 0
        if not objects and not unsent:
            return None
        saved, deleted = objects.get("save", ()), objects.get("delete", ())
        return Flushed(tuple(saved), tuple(deleted), tuple(unsent))

    def take_counts(self, seconds: float) -> Flush | None:
        """What listeners are to be told, once; None if nothing has happened."""
        with self._lock:
            saved, deleted, failed = self._saved, self._deleted, self._failed
            self._saved = self._deleted = self._failed = 0
        return Flush(saved, deleted, failed, seconds) if saved or deleted or failed else None


def report(core: Core, ledger: Ledger, began: float, *, raising: bool) -> None:
    """Tell listeners and hooks what a flush has done.

    What a hook raises is raised only where nothing else is: everything is stored by then, and an
    `UnsentWrites`, or what ended the batch, tells more. Otherwise it is logged.
    """
    event = ledger.take_counts(core.environment.monotonic() - began)
    if event is not None and core.events.flush:
        tell(core.events.flush, event)
    hand_over(core, ledger, raising=raising)


def hand_over(core: Core, ledger: Ledger, *, raising: bool) -> None:
    """Give the hooks what is held for them: all of them, also where one raises."""
    flushed = ledger.take_objects()
    if flushed is None:
        return
    first: Exception | None = None
    for hook in core.hooks.after_flush:
        try:
            hook(flushed)
        except Exception as error:
            if not raising or first is not None:
                _log.exception("an after_flush hook failed")
            else:
                first = error
    if first is not None:
        raise first
