"""How the two halves of a statement `with session as s:` find each other."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

from dynattrs.errors import SessionClosed
from dynattrs.operations.writing import batch
from dynattrs.operations.writing.buffer import Buffer
from dynattrs.session.any_handle import AnyHandle


class AnyBlock(AnyHandle):
    """The handle of a block, whose writes are gathered."""

    _end: Callable[[BaseException | None], Any]

    def __init__(self, session: AnySession) -> None:
        self._session = session
        self._core = session._core
        self._driver = session._driver
        self._buffer = Buffer(self._core.on_progress)
        self._closed = None
        # Where nobody ends it, not even an exception: `__enter__` by hand, an exiting interpreter.
        weakref.finalize(self, batch.report_left, self._buffer)


class AnySession(AnyHandle):
    """What opens blocks, and knows which of them are open."""

    _block: ClassVar[type[AnyBlock]]
    _blocks: list[AnyBlock]

    def _begin_block(self, pairing: Pairing) -> Any:
        self._check_open()
        pairing.block = block = self._block(self)
        self._blocks.append(block)
        return block

    def _block_of(self, pairing: Pairing) -> Any:
        # Without a pair somebody calls `__exit__` by hand: the block that was opened last.
        block = pairing.block or next(reversed(self._blocks), None)
        if block is None or block not in self._blocks:
            raise SessionClosed("block")
        return block

    def _check_no_blocks(self) -> None:
        if self._blocks:
            raise SessionClosed("session with open blocks")

    _enter: Callable[[Pairing], Any]
    _leave: Callable[..., Any]

    @classmethod
    def local(cls, *args: Any, **options: Any) -> Any:
        """A session on an engine embedded in this process, empty and gone with the session.

        It needs `dynattrs[local]`, no Java, no account and no network. It listens on a free port of
        the loopback interface. It is for trying out and for tests; it is more lenient than the
        service, which the tests of what matters should know.

        Raises:
            MissingExtra: The extra is not installed.
        """
        raise NotImplementedError

    def close(self) -> Any:
        """End the session: threads or tasks, connections, and after `local()` the engine.

        A client that was handed in stays open. Closing twice is fine.

        Raises:
            SessionClosed: A block of it is still open.
        """
        raise NotImplementedError


class Pairing:
    """Ties the two halves of one `with` statement together.

    Python looks up `__enter__` and `__exit__` of a `with` statement (`__aenter__` and `__aexit__` of
    an `async with`) one right after the other, in this order or, since 3.14, in the other, before it
    calls the first; the exit stacks do the same. So what two look-ups in a row from one frame find
    belongs to one statement, whatever other threads, tasks, generators and suspended frames do with
    the same session.
    """

    __slots__ = ("block", "frame", "half")

    def __init__(self, half: str, frame: int) -> None:
        self.half = half
        self.frame = frame
        self.block: AnyBlock | None = None


_looked_up = threading.local()


def paired(half: str) -> Pairing:
    frame = id(sys._getframe(2))
    other: Pairing | None = getattr(_looked_up, "pairing", None)
    if other is not None and other.half != half and other.frame == frame:
        _looked_up.pairing = None
        return other
    _looked_up.pairing = made = Pairing(half, frame)
    return made


class Enter:
    """`__enter__`, or `__aenter__`, of a session."""

    def __get__(self, session: AnySession | None, owner: Any = None) -> Callable[..., Any]:
        pairing = paired("enter")

        def enter(session: AnySession) -> Any:
            """Begin a block: what is written through its handle is gathered, and stored when the
            block has ended.
            """
            return session._enter(pairing)

        return enter if session is None else lambda: enter(session)


class Exit:
    """`__exit__`, or `__aexit__`, of a session."""

    def __get__(self, session: AnySession | None, owner: Any = None) -> Callable[..., Any]:
        pairing = paired("exit")

        def leave(
            session: AnySession,
            kind: object = None,
            error: BaseException | None = None,
            traceback: object = None,
        ) -> Any:
            return session._leave(pairing, error)

        if session is None:
            return leave
        return lambda *error: leave(session, *error)
