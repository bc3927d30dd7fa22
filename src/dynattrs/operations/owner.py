"""What a verb asks of what has it: a session, or a batch.

A session writes each item at once; a batch gathers puts and deletes in its buffer. What is done at once
first sends and awaits what is pending for its key, so that nothing overtakes.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Literal, overload

from dynattrs.deferral import deferred
from dynattrs.errors import SessionClosed
from dynattrs.events import AfterSend, BeforeSend, Flush, Name, Retry
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, written_as
from dynattrs.operations.item_keys import identity
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.operations.writing import batch, beside
    from dynattrs.operations.writing.buffer import Buffer
else:
    batch = deferred("dynattrs.operations.writing.batch")
    beside = deferred("dynattrs.operations.writing.beside")


@written_as("session")
class Owner:
    """What has verbs."""

    _core: Core
    #: None where every write goes out at once.
    _buffer: Buffer | None
    _closed: str | None

    def _check_open(self) -> None:
        if self._closed is not None:
            raise SessionClosed(self._closed)

    def _check_writable(self) -> None:
        """Refuse a write inside a transaction's block: it would not be part of it."""
        self._check_open()
        caller = self._core.environment.caller()
        if self._core.transactions[caller] and self._is_in_transaction(caller):
            from dynattrs.operations.transaction_errors import TransactionError

            raise TransactionError(
                "a transaction is open here, and this write would not be part of it; "
                "use the transaction's own handle: `with session.transaction() as t: t.save(...)`"
            )

    def _is_in_transaction(self, caller: Hashable) -> bool:
        """Whether a transaction is open still, when those are gone that an interruption has left."""
        gc.collect()  # as the functions that a transaction keeps refer to it
        return bool(self._core.transactions[caller])

    @overload
    def on(
        self, name: Literal["before_send"], function: Callable[[BeforeSend], object], /
    ) -> Callable[[], None]: ...
    @overload
    def on(
        self, name: Literal["after_send"], function: Callable[[AfterSend], object], /
    ) -> Callable[[], None]: ...
    @overload
    def on(
        self, name: Literal["retry"], function: Callable[[Retry], object], /
    ) -> Callable[[], None]: ...
    @overload
    def on(
        self, name: Literal["flush"], function: Callable[[Flush], object], /
    ) -> Callable[[], None]: ...
    def on(self, name: Name, function: Callable[[Any], object], /) -> Callable[[], None]:
        """Call a function with what happens: each request before and after it is sent, what is sent
        again, what a flush has done.

        It is called in the thread or task that does the work, with an event of `dynattrs.events`,
        which holds nothing of what items hold. It holds for the session and all of its batches. What
        it raises is logged, and the work goes on. The same function may be registered twice.

        Args:
            name: `"before_send"`, `"after_send"`, `"retry"` or `"flush"`.
            function: A plain function of one argument, `BeforeSend`, `AfterSend`, `Retry` or
                `Flush`.

        Returns:
            A function that ends it. Calling that twice is fine.

        Raises:
            ModelError: The event is unknown, or *function* is not a plain function.
        """
        return self._core.events.on(name, function)

    def _settle_pending(self, table: str, key: AttributeMap) -> Flow[None]:
        """Send and await what is pending for a key, so that nothing overtakes."""
        if self._buffer is not None:
            yield from self._settle_keys((identity(table, key),))

    def _settle_keys(self, identities: Iterable[Hashable]) -> Flow[None]:
        """The same for the keys with some identities."""
        buffer = self._buffer
        if buffer is not None and any(buffer.holds(each) for each in identities):
            yield from batch.flush(self._core, buffer)

    def _settle_written(self, table: str, key: AttributeMap) -> Flow[bool]:
        """As `_settle_pending`, before a write: also what the caller's other open batches have for it,
        and each `save_all` that the caller is in; whether these had anything.
        """
        yield from self._settle_pending(table, key)
        if not self._core.gathering and not self._core.taking:
            return False
        return (yield from beside.settle_open(self._core, self._buffer, identity(table, key)))

    def _may_hold(self) -> bool:
        """Whether anything of the caller's may be pending for any key."""
        core = self._core
        return self._buffer is not None or bool(core.gathering or core.taking)

    def _settle_open(self) -> Flow[None]:
        """Store all that the caller's other open batches have, and each `save_all` that it is in."""
        if self._core.gathering or self._core.taking:
            yield from beside.settle_open(self._core, self._buffer)

    def _settle_taking(self) -> Flow[None]:
        """Store what each `save_all` that the caller is in has, of whatever key."""
        if self._is_in_save_all():
            yield from beside.settle_open(self._core, self._buffer, batches=False)

    def _is_in_save_all(self) -> bool:
        """Whether the caller writes while a `save_all` of its own is taking objects."""
        taking = self._core.taking
        return bool(taking) and self._core.environment.caller() in taking.values()

    def _settle_everything(self, *, others: bool) -> Flow[None]:
        """Store all that is pending here, and what the caller's *others* have: open batches, and each
        `save_all` that it is in.
        """
        if self._buffer is not None:
            yield from batch.flush(self._core, self._buffer)
        if others:
            yield from self._settle_open()

    def _settle_table(self, table: str) -> Flow[None]:
        if self._buffer is not None and self._buffer.holds_table(table):
            yield from batch.flush(self._core, self._buffer)
