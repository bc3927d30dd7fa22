"""The methods that a session and a batch share.

The verbs are written once, in `operations`, and documented once, in `session.any_handle`. This module
declares those whose types differ between the two sessions in ways that checkers cannot derive: another
generic class (`Query`, `AsyncQuery`), or overloads. `session.handles` is its twin, line for line.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from dynattrs.aio.reads import AsyncReadingHandle
from dynattrs.deferral import deferred
from dynattrs.models.model import Instance, M
from dynattrs.operations.flows import written_as
from dynattrs.operations.item_keys import NO_KEY
from dynattrs.session.any_handle import AnyEditing
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.aio import blocks, locks
    from dynattrs.aio.blocks import AsyncTables, AsyncTransaction
    from dynattrs.aio.locks import AsyncLock
    from dynattrs.expressions.operand_types import Key
    from dynattrs.expressions.updates import Action
    from dynattrs.operations.writing import edits
    from dynattrs.operations.writing.updates import Returns
else:
    blocks = deferred("dynattrs.aio.blocks")
    locks = deferred("dynattrs.aio.locks")
    edits = deferred("dynattrs.operations.writing.edits")

__tracebackhide__ = hidden

R = TypeVar("R")
A = TypeVar("A")


class AsyncEditing(AnyEditing["AsyncHandle", A]):
    """The context manager that `session.edit(obj)` returns, for `async with`."""

    _block = "async with session.edit(obj)"

    async def __aenter__(self) -> A:
        self._entered = True
        return self._obj

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self._handle._finish_edit(self._edit)
        else:
            edits.failed(self._edit)


@written_as("session")
class AsyncHandle(AsyncReadingHandle):
    """The methods that a session and a batch share."""

    @overload
    async def save(self, obj: M, *, when: bool | None = None) -> M: ...
    @overload
    async def save(
        self, obj: M, *, when: bool | None = None, returning: Literal[True]
    ) -> M | None: ...
    async def save(self, obj: object, *, when: bool | None = None, returning: bool = False) -> Any:
        __tracebackhide__ = True
        return await self._drive(self._save(obj, when=when, returning=returning))

    @overload
    async def delete(self, subject: type[M], key: Key, /, *, when: bool | None = None) -> None: ...
    @overload
    async def delete(
        self,
        subject: type[M],
        key: Key,
        /,
        *,
        when: bool | None = None,
        returning: Literal[True],
    ) -> M | None: ...
    @overload
    async def delete(self, subject: Instance, /, *, when: bool | None = None) -> None: ...
    @overload
    async def delete(
        self, subject: M, /, *, when: bool | None = None, returning: Literal[True]
    ) -> M | None: ...
    async def delete(
        self,
        subject: object,
        key: object = NO_KEY,
        /,
        *,
        when: bool | None = None,
        returning: bool = False,
    ) -> Any:
        __tracebackhide__ = True
        return await self._drive(self._delete(subject, key, when=when, returning=returning))

    @overload
    async def update(
        self,
        subject: type[M],
        key: Key,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["new"] = "new",
    ) -> M: ...
    @overload
    async def update(
        self,
        subject: type[M],
        key: Key,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["old"],
    ) -> M | None: ...
    @overload
    async def update(
        self,
        subject: type[M],
        key: Key,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["changed", "changed_old"],
    ) -> dict[str, Any]: ...
    @overload
    async def update(
        self,
        subject: type[M],
        key: Key,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: None,
    ) -> None: ...
    @overload
    async def update(
        self,
        subject: M,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["new"] = "new",
    ) -> M: ...
    @overload
    async def update(
        self,
        subject: M,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["old"],
    ) -> M | None: ...
    @overload
    async def update(
        self,
        subject: Instance,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["changed", "changed_old"],
    ) -> dict[str, Any]: ...
    @overload
    async def update(
        self,
        subject: Instance,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: None,
    ) -> None: ...
    async def update(
        self,
        subject: object,
        key: object = NO_KEY,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Returns = "new",
    ) -> Any:
        __tracebackhide__ = True
        return await self._drive(
            self._update(subject, key, actions, when=when, upsert=upsert, returns=returns)
        )

    def edit(self, obj: M, /, *, guard: bool = False) -> AsyncEditing[M]:
        self._check_writable()
        return AsyncEditing(self, obj, edits.begin(obj, guard=guard))

    def transaction(
        self, *, token: str | None = None, now: datetime | None = None
    ) -> AsyncTransaction:
        self._check_writable()
        return blocks.AsyncTransaction(self, token, now)

    def lock(
        self,
        name: str,
        /,
        *,
        for_: timedelta,
        wait: timedelta | None = None,
        table: str = "dynattrs-leases",
    ) -> AsyncLock:
        self._check_open()
        return locks.AsyncLock(self, name, for_, wait, table)

    @property
    def tables(self) -> AsyncTables:
        return blocks.AsyncTables(self)

    @property
    def client(self) -> Coroutine[Any, Any, Any]:
        return self._driver.wire.connected()
