"""How many requests of gathered writes a session has under way, and who is next.

Those that find all places taken queue for them. Nothing here waits: a flow yields `WaitFor` its place,
and a flow that gives one up wakes the next.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from itertools import islice
from typing import Final

from dynattrs.late_classes import define, field
from dynattrs.operations.flows import Signal, forget_at_fork

#: The request inside which something runs: what a listener writes cannot wait for what it listens to.
inside: Final[ContextVar[Signal | None]] = ContextVar("inside", default=None)


@define(eq=False, repr=False)
class Pace:
    """How many batches of a session may be under way. Safe between threads.

    Fewer after throttling, slowly more again. The rule is TCP's: halved by throttling, at most once for
    what was under way together, and raised by about one for every round that went well.

    Attributes:
        most: The most there ever are: the session's `concurrency`.
    """

    most: int
    #: How many may be under way now, from 1 to `most`.
    allowed: int = field(init=False)
    #: The same, with what it has come back by so far.
    _exactly: float = field(init=False)
    #: Requests in the order in which they came; the first ones, as many as are allowed, have the places:
    #: one that finds itself among them when it has come goes on, and others ask `begin`. One that leaves
    #: takes its own out, which no interruption can come between, and calls `admit` where others wait.
    #: Where one has come between these two, the next one finds out by itself, a little later.
    queue: dict[Signal, None] = field(factory=dict, init=False)
    #: Those that have found no place, until they have one.
    waiting: dict[Signal, None] = field(factory=dict, init=False)
    _slowed_at: float = field(default=float("-inf"), init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.allowed, self._exactly = self.most, float(self.most)
        forget_at_fork(self)

    def forked(self) -> None:
        """This is a child process: nothing is under way in it."""
        self._lock = threading.Lock()
        self.queue, self.waiting = {}, {}

    # Places.

    def begin(self, place: Signal) -> bool:
        """Whether a request may be made now. If not, it queues, and the signal is given when it may."""
        if not place.given:
            outer = inside.get()
            if outer is not None and outer in self.queue:
                return True
            # Before the look: one that leaves after it finds who waits.
            self.waiting[place] = None
            self.queue[place] = None
            self.admit()
        if place.given:
            self.waiting.pop(place, None)
        return place.given

    def admit(self) -> None:
        """Wake those whose turn it is, after one has left the queue."""
        # Without a lock: who was among the first ones stays there until it leaves. The list is made in
        # one step.
        for place in list(islice(self.queue, self.allowed)):
            if not place.given:  # as `give`, which is called too often here
                place.given = True
                if place.wake is not None:
                    place.wake()

    # Pace.

    def slow_down(self, began: float, now: float) -> None:
        """A request that began at *began* was throttled, or left something unprocessed."""
        with self._lock:
            # What was sent before the last slowing says nothing of the new pace.
            if began >= self._slowed_at:
                self._exactly = max(1.0, self._exactly / 2)
                self.allowed = int(self._exactly)
                self._slowed_at = now

    def go_on(self) -> None:
        """A request was done wholly."""
        with self._lock:
            self._exactly = min(float(self.most), self._exactly + 1 / self._exactly)
            self.allowed = int(self._exactly)
