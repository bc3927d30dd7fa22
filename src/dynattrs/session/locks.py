"""`session.lock(...)`. `aio.locks` is its twin for asyncio."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from dynattrs.operations.locks import AnyLock
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.session.handles import Handle

__tracebackhide__ = hidden


class Lock(AnyLock):
    """The context manager that `session.lock(...)` returns: one holder at a time has the lock."""

    _handle: Handle

    def __enter__(self) -> Lock:
        self._handle._check_open()
        self._handle._drive(self._begin())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._handle._drive(self._end(failed=error is not None))
        except BaseException:
            if not self._ended:  # an interruption has struck before that began
                self._handle._driver.run(self._end(failed=True))
            raise
