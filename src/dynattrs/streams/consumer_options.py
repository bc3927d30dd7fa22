"""What a consumer was told to do, and whom it tells of its work."""

from __future__ import annotations

import inspect
import logging
from asyncio import CancelledError
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from dynattrs.operations.flows import Await, Flow
from dynattrs.streams.consumer_events import ConsumerEvent, GapFound
from dynattrs.streams.errors import StreamGap
from dynattrs.streams.failed_changes import FailedChanges
from dynattrs.streams.kinds import Change, Unreadable
from dynattrs.streams.reading import Others

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

_log = logging.getLogger("dynattrs")


class NothingDone(TypeError):
    """A function of the program gives what was to be awaited, or iterated, and has done nothing."""


@attrs.frozen
class Failure:
    """A change that could not be handled, as `on_error=function` gets it.

    Attributes:
        change: The change; an `Unreadable` where its record could not be read.
        error: What the handler has raised at last, or why it could not be read.
        tries: How often the handler was called with it; 0 where it could not be read.
        table: The table's name at the service.
        shard: The shard's id.
    """

    change: Change[Any] | Unreadable
    error: Exception
    tries: int
    table: str
    shard: str


OnError: TypeAlias = 'Literal["stop", "skip"] | FailedChanges | Callable[[Failure], object]'
OnGap: TypeAlias = 'Literal["stop", "go on"] | Callable[[StreamGap], object]'


@attrs.frozen(eq=False)
class Options:
    """What a consumer was told to do.

    Attributes:
        name: The consumers' name.
        handler: Called with each change.
        tries: How often, before it is given up.
        on_error: What becomes of a change that is given up.
        on_gap: What is done where records are lost.
        others: What becomes of items of other models.
        workers: How many shards may be read at the same time.
        every: After how many records a position is written down.
        after: After how many seconds at the latest.
        poll: How many seconds to wait after a page without records.
        lease: How many seconds a lease holds.
        listener: Told of what happens.
        tracers: Where spans go; None for the program's own provider.
        awaits: Whether what functions of the program give may be awaited.
        cancelled: Whether it is the consumer, or its session, that cancels them.
    """

    name: str
    handler: Callable[[Any], object]
    tries: int
    on_error: OnError
    on_gap: OnGap
    others: Others
    workers: int
    every: int
    after: float
    poll: float
    lease: float
    listener: Callable[[ConsumerEvent], object] | None
    tracers: TracerProvider | None
    awaits: bool
    cancelled: Callable[[], bool]

    def tell(self, event: ConsumerEvent) -> None:
        """Tell the listener. What it raises is logged."""
        if self.listener is None:
            return
        try:
            self.listener(event)
        except Exception:
            _log.exception("a listener of %s failed", type(event).__name__)

    def passed(self, gap: StreamGap) -> Flow[None]:
        """Records are lost: do what `on_gap` says.

        Raises:
            StreamGap: It says to stop.
        """
        self.tell(GapFound(gap))
        if self.on_gap == "stop":
            raise gap
        _log.error("consumer %r: %s", self.name, gap)
        if callable(self.on_gap):
            yield from self.call(self.on_gap, gap)

    def call(self, function: Callable[[Any], object], argument: object) -> Flow[None]:
        """Call a function of the program, and await what it gives where that can be awaited.

        Raises:
            RuntimeError: It has raised a cancellation of its own, as that of a task that it awaits.
        """
        try:
            yield from self._called(function, argument)
        except CancelledError as error:
            if self.cancelled():
                raise
            raise RuntimeError(f"{function!r} has raised CancelledError") from error

    def _called(self, function: Callable[[Any], object], argument: object) -> Flow[None]:
        found: Any = function(argument)
        if inspect.isawaitable(found):
            if not self.awaits:
                if inspect.iscoroutine(found):
                    found.close()
                raise NothingDone(
                    f"{function!r} gives something to await, and a Session's consumer awaits nothing; "
                    f"use an AsyncSession, or a plain function"
                )
            yield Await(found)
        elif inspect.isgenerator(found) or inspect.isasyncgen(found):
            raise NothingDone(
                f"{function!r} is a generator, so nothing was done: leave out its `yield`"
            )
