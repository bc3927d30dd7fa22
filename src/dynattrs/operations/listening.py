"""`session.on(...)`: who wants to know what a session does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

from dynattrs.events import AfterSend, BeforeSend, Flush, Name, Retry
from dynattrs.operations.context import Core


class Listening:
    """What has listeners: a session, for all of its blocks."""

    _core: Core

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
        which holds nothing of what items hold. It holds for the session and all of its blocks. What
        it raises is logged, and the work goes on. The same function may be registered twice.

        Args:
            name: `"before_send"`, `"after_send"`, `"retry"` or `"flush"`.
            function: A plain function of one argument, `BeforeSend`, `AfterSend`, `Retry` or
                `Flush`.

        Returns:
            A function that ends it. Calling that twice is fine.

        Raises:
            ModelError: There is no such event, or *function* is no plain function.
        """
        return self._core.events.on(name, function)
