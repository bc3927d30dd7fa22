"""`session.lock(...)`. `session.locks` is its twin for threads."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from dynattrs.operations.locks import AnyLock
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.aio.handles import AsyncHandle

__tracebackhide__ = hidden


class AsyncLock(AnyLock):
    """The context manager that `session.lock(...)` returns, for `async with`: one holder at a time has
    the lock.
    """

    _handle: AsyncHandle

    async def __aenter__(self) -> AsyncLock:
        self._handle._check_open()
        await self._handle._drive(self._begin())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._handle._drive(self._end(failed=error is not None))
        except BaseException:
            if not self._ended:  # an interruption has struck before that began
                await self._handle._driver.run(self._end(failed=True))
            raise
