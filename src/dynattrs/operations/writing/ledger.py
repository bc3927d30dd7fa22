"""What became of gathered writes and was not told yet, and how far they are."""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from dynattrs.errors import Unsent
from dynattrs.late_classes import define, field, frozen
from dynattrs.models.hooks import Flushed
from dynattrs.operations.writing.failures import given
from dynattrs.operations.writing.landing import Landing

#: How many objects are kept for `after_flush` before it is called: memory stays bounded also while a
#: generator of millions is saved.
PORTION_OBJECTS: Final = 1000
#: The same in bytes of what is stored.
PORTION_BYTES: Final = 16 * 1024 * 1024


_size_of: Final = operator.attrgetter("size")


class Told(Protocol):
    """A write, as far as it matters here."""

    obj: Any
    action: str
    size: int


@frozen
class Progress:
    """How far the writes of a batch, or of a `save_all`, are.

    Attributes:
        taken: Writes that were given so far.
        stored: Writes that the service has acknowledged.
        replaced: Writes whose place a later one to the same key took before they were sent.
        failed: Writes that were given up.

    Example:
        >>> Progress(taken=50, stored=25, replaced=1, failed=0).waiting
        24
    """

    taken: int
    stored: int
    replaced: int
    failed: int

    @property
    def waiting(self) -> int:
        """Writes that are pending or in flight."""
        return self.taken - self.done

    @property
    def done(self) -> int:
        """Writes that nothing more will be heard about."""
        return self.stored + self.replaced + self.failed


def _added(objects: Mapping[str, list[Any]], writes: Iterable[Told]) -> dict[str, list[Any]]:
    found = {action: [*known] for action, known in objects.items()}
    for write in writes:
        found.setdefault(write.action, []).append(given(write.obj))
    return found


@define(eq=False, repr=False)
class Ledger:
    """What became of the writes of a buffer, and hooks were not told of yet. Safe between threads."""

    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    #: Whether there is anything to tell.
    holds: bool = field(default=False, init=False)
    _objects: dict[str, list[Any]] = field(factory=dict, init=False)
    _unsent: list[Unsent] = field(factory=list, init=False)
    _superseded: list[Unsent] = field(factory=list, init=False)
    _bytes: int = field(default=0, init=False)
    _held: int = field(default=0, init=False)

    def stored(self, landing: Landing) -> None:
        """Remember what the service has acknowledged, once: a hook wants it."""
        with self._lock:
            if landing.wanted:
                objects = _added(self._objects, landing.writes)
                size = self._bytes + sum(map(_size_of, landing.writes))
                held = self._held + len(landing.writes)
                # All or nothing: an interruption strikes at calls, and at the ends of loops.
                self._objects, self._bytes, self._held = objects, size, held
                self.holds, landing.wanted = True, False

    def gave_up(self, unsent: list[Unsent], superseded: list[Unsent]) -> None:
        """Remember what was given up, and what of that does not matter any more."""
        with self._lock:
            self.holds = True
            self._unsent += unsent
            self._superseded += superseded

    def take_portion(self) -> Flushed | None:
        """What the hooks are to be told now already, because so many objects are held for them."""
        full = self._held >= PORTION_OBJECTS or self._bytes >= PORTION_BYTES
        return self.take_objects() if full else None

    def take_objects(self) -> Flushed | None:
        """What the hooks are to be told, once; None if nothing has happened."""
        with self._lock:
            objects, self._objects = self._objects, {}
            unsent, self._unsent = self._unsent, []
            superseded, self._superseded = self._superseded, []
            self._bytes = self._held = 0
            self.holds = False
        if not objects and not unsent and not superseded:
            return None
        saved, deleted = objects.get("save", ()), objects.get("delete", ())
        return Flushed(tuple(saved), tuple(deleted), tuple(unsent), tuple(superseded))
