"""Blocks: `async with session as s:`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynattrs.aio.driver import Driver
from dynattrs.aio.handles import AsyncHandle
from dynattrs.operations.writing import batch
from dynattrs.session.any_session import AnyBlock

if TYPE_CHECKING:
    from dynattrs.aio.session import AsyncSession


class AsyncBlock(AsyncHandle, AnyBlock):
    """The handle of an `async with session as s:` block: what is written through it is gathered.

    It may be used by many tasks. It ends with the block, and so do all tasks that it has begun.
    """

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session)
        self._driver = Driver(session._driver.wire)

    async def _end(self, error: BaseException | None) -> None:
        assert self._buffer is not None
        self._closed = "block"
        try:
            await self._drive(batch.end(self._core, self._buffer, error))
        finally:
            self._driver.cancel()
            if not isinstance(error, GeneratorExit):  # a coroutine that is closed cannot wait
                await self._driver.close()
