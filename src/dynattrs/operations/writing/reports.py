"""What is said of gathered writes: in errors, in the log, to listeners and to hooks.

An `UnsentWrites` is raised where nothing else is. Where something else leaves a batch, such as an
interruption, the report goes with it: it is put among the causes, and the contexts, of what leaves.
"""

from __future__ import annotations

import logging
from typing import Literal

from dynattrs.errors import BatchClosed, Unsent, UnsentWrites
from dynattrs.events import Flush, tell
from dynattrs.models.hooks import Flushed
from dynattrs.operations.context import Core
from dynattrs.operations.writing.buffer import Buffer, Write
from dynattrs.operations.writing.failures import (
    Failure,
    Raised,
    is_own,
    not_stored,
    superseded_of,
    unsent_of,
)

_log = logging.getLogger("dynattrs")


# --- In errors ----------------------------------------------------------------------------------


def raise_failures(buffer: Buffer, write: Write) -> None:
    """Raise what has failed for good, with a write that was not taken for that reason."""
    taken = buffer.take_failures()
    failed = unsent_of(taken)
    if failed:
        # Not that of a write that went wrong by itself.
        cause = next((each.cause for each in failed if not is_own(each.cause)), failed[0].cause)
        buffer.pass_over(write)
        refused = Failure(not_stored(write, cause), write.identity, write.place)
        error = unsent_writes(buffer, [*failed, refused.unsent])
        buffer.raised = Raised(error, [*taken, refused], buffer.held(write.identity))
        buffer.told()
        raise error from cause


def look_back(core: Core, buffer: Buffer, write: Write, *, going_on: bool = False) -> None:
    """Tell of what has become of earlier writes, before another one is taken.

    Raises:
        UnsentWrites: Earlier writes have failed for good. This one is among its objects: it is not taken.
    """
    if buffer.has_failures and (not going_on or buffer.is_hopeless()):
        raise_failures(buffer, write)
    if core.hooks.after_flush and (portion := buffer.ledger.take_portion()) is not None:
        hand_over(core, portion, raising=False)


def unsent_writes(buffer: Buffer, unsent: list[Unsent]) -> UnsentWrites:
    """An error that tells what was not stored, and what of the rest a newer write has replaced."""
    return UnsentWrites(tuple(unsent), tuple(buffer.superseded()))


def with_earlier(
    buffer: Buffer, error: BaseException, found: UnsentWrites | None
) -> UnsentWrites | None:
    """What the end of a batch has found, with what *error* tells of earlier writes, if a `save` raised
    it, as it is now; None if that is what *error* says itself.
    """
    raised = buffer.raised
    if raised is None or raised.error is not error:
        return found
    earlier, replaced = raised.unsent(), superseded_of(raised.failures)
    if found is not None:
        unsent = raised.unsent_with(found.unsent)
        return UnsentWrites(tuple(unsent), (*replaced, *found.superseded))
    if len(earlier) == len(raised.error.unsent):
        return None
    return UnsentWrites(tuple(earlier), tuple(replaced))


def remember(buffer: Buffer, report: UnsentWrites) -> UnsentWrites:
    """A report that is about to be raised. Where something else leaves the batch all the same, that
    takes it along.
    """
    buffer.reports.append(report)
    buffer.told()
    return report


def report_left(
    buffer: Buffer, error: BaseException | None = None, body: BaseException | None = None
) -> None:
    """Log what a buffer still holds, and put what was said of it so far among the causes of an error.

    Args:
        buffer: The batch's.
        error: What leaves the batch. Without one the batch was forgotten, and never ended.
        body: The error that had ended the batch, where *error* came later. It is told as well, and
            what it has to tell of unsent writes goes with *error*.
    """
    unsent = buffer.left(error or BatchClosed())
    if unsent:
        report = UnsentWrites(unsent)
        buffer.reports.append(report)
        buffer.failures()  # they are in a report now: not before, because of interruptions here
        buffer.told()
        report.superseded = tuple(buffer.superseded())
        if error is None:
            _log.error("a batch was never ended, and what it had gathered is lost: %s", report)
        else:
            _log.error("a batch was interrupted: %s", report)
    if error is None:
        return
    if isinstance(body, UnsentWrites):
        _attach(body, error)
    for report in buffer.reports:
        _attach(report, error)
        if body is not None:
            _attach(report, body)


def _attach(report: UnsentWrites, error: BaseException) -> None:
    """Put a report at the end of the causes of an error, and at the end of its contexts.

    Python replaces the context of an error that is raised again where another one is being handled,
    as `asyncio.wait_for` and all that awaits a task does. It leaves the cause alone.
    """
    for link in _LINKS:
        chain = _chain(error, link)
        # Not where it would close a circle: the report is there already, or comes from the error.
        apart = {*map(id, chain)}.isdisjoint(map(id, _chain(report, link)))
        if apart and getattr(chain[-1], link) is None:
            # Frozen classes of errors refuse this of themselves.
            BaseException.__setattr__(chain[-1], link, report)


_Link = Literal["__cause__", "__context__"]
_LINKS: tuple[_Link, ...] = ("__cause__", "__context__")


def _chain(error: BaseException, link: _Link) -> list[BaseException]:
    """An error, its cause, the cause of that, and so on; or its contexts."""
    chain, seen = [error], {id(error)}
    following: BaseException | None = getattr(error, link)
    while following is not None and id(following) not in seen:
        chain.append(following)
        seen.add(id(following))
        following = getattr(following, link)
    return chain


# --- To listeners and hooks ---------------------------------------------------------------------


def tell_so_far(core: Core, buffer: Buffer, began: float) -> None:
    """Tell listeners and hooks what was done before an error; what a hook raises is logged."""
    counts, flushed = buffer.take_counts(), buffer.ledger.take_objects()
    tell_of(core, counts, flushed, began, raising=False)


def tell_of(
    core: Core,
    counts: tuple[int, int, int],
    flushed: Flushed | None,
    began: float,
    *,
    raising: bool,
) -> None:
    """Tell listeners and hooks what a flush has done.

    What a hook raises is raised only where nothing else is: everything is stored by then, and an
    `UnsentWrites`, or what ended the batch, tells more. Otherwise it is logged.
    """
    if core.events.flush and any(counts):
        tell(core.events.flush, Flush(*counts, core.environment.monotonic() - began))
    if flushed is not None:
        hand_over(core, flushed, raising=raising)


def hand_over(core: Core, flushed: Flushed, *, raising: bool) -> None:
    """Give the hooks what was held for them: all of them, also where one raises."""
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
