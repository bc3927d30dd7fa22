"""How gathered writes come along: how far they are, and how many batches are sent at once.

Fewer after throttling, slowly more again. The rule is TCP's: halved by throttling, at most once for
what was under way together, and raised by about one for every round that went well.
"""

from __future__ import annotations

import threading

import attrs

from dynattrs.operations.flows import forget_at_fork


@attrs.define(eq=False, repr=False)
class Pace:
    """How many batches of a session may be under way. Safe between threads.

    Attributes:
        most: The most there ever are: the session's `concurrency`.
    """

    most: int
    _allowed: float = attrs.field(init=False)
    #: The places that are taken: one for each request. Whoever took one discards it, which no
    #: interruption can come between.
    under_way: set[object] = attrs.field(factory=set, init=False)
    _slowed_at: float = attrs.field(default=float("-inf"), init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._allowed = float(self.most)
        forget_at_fork(self)

    def forked(self) -> None:
        """This is a child process: nothing is under way in it."""
        self._lock = threading.Lock()
        self.under_way = set()

    @property
    def allowed(self) -> int:
        """How many may be under way now, from 1 to `most`."""
        return int(self._allowed)

    def begin(self, place: object) -> bool:
        """Whether another request may be made now, which then has this place in `under_way`."""
        with self._lock:
            if len(self.under_way) >= int(self._allowed):
                return False
            self.under_way.add(place)
            return True

    def slow_down(self, began: float, now: float) -> None:
        """A request that began at *began* was throttled, or left something unprocessed."""
        with self._lock:
            # What was sent before the last slowing says nothing of the new pace.
            if began >= self._slowed_at:
                self._allowed = max(1.0, self._allowed / 2)
                self._slowed_at = now

    def go_on(self) -> None:
        """A request was done wholly."""
        with self._lock:
            self._allowed = min(float(self.most), self._allowed + 1 / self._allowed)


@attrs.frozen
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
        """Writes of which nothing more will be heard."""
        return self.stored + self.replaced + self.failed
