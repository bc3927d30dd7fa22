"""Blocks: `with session as s:`, and how the two halves of such a statement find each other."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from dynattrs.errors import SessionClosed
from dynattrs.operations import batch
from dynattrs.operations.buffer import Buffer
from dynattrs.session.handles import Handle

if TYPE_CHECKING:
    from dynattrs.session.session import Session

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class Block(Handle):
    """The handle of a `with session as s:` block: what is written through it is gathered.

    It may be used by many threads. It ends with the block.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._core = session._core
        self._driver = session._driver
        self._buffer = Buffer(self._core.on_progress)
        self._closed = None
        # Where nobody ends it, not even an exception: `__enter__` by hand, an exiting interpreter.
        weakref.finalize(self, batch.report_left, self._buffer)

    def _end(self, error: BaseException | None) -> None:
        assert self._buffer is not None
        self._closed = "block"
        self._drive(batch.end(self._core, self._buffer, error))


class Pairing:
    """Ties the two halves of one `with` statement together.

    Python looks up `__enter__` and `__exit__` of a `with` statement one right after the other, in
    this order or, since 3.14, in the other, before it calls the first; `ExitStack` does the same.
    So what two look-ups in a row from one frame find belongs to one statement, whatever other
    threads, generators and suspended frames do with the same session.
    """

    __slots__ = ("block", "frame", "half")

    def __init__(self, half: str, frame: int) -> None:
        self.half = half
        self.frame = frame
        self.block: Block | None = None


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
    def __get__(self, session: Session | None, owner: Any = None) -> Callable[..., Block]:
        pairing = paired("enter")

        def enter(session: Session) -> Block:
            """Begin a block: what is written through its handle is gathered, and stored when the
            block has ended.
            """
            session._check_open()
            pairing.block = block = Block(session)
            session._blocks.append(block)
            return block

        return enter if session is None else lambda: enter(session)


class Exit:
    def __get__(self, session: Session | None, owner: Any = None) -> Callable[..., None]:
        pairing = paired("exit")

        def leave(
            session: Session,
            kind: type[BaseException] | None = None,
            error: BaseException | None = None,
            traceback: TracebackType | None = None,
        ) -> None:
            # Without a pair somebody calls `__exit__` by hand: the block that was opened last.
            block = pairing.block or next(reversed(session._blocks), None)
            if block is None or block not in session._blocks:
                raise SessionClosed("block")
            try:
                session._blocks.remove(block)
                block._end(error)
            except BaseException as failure:
                # A second interruption, while the end was waiting, or had not quite begun.
                assert block._buffer is not None
                batch.report_left(block._buffer, failure)
                raise

        if session is None:
            return leave
        return lambda *error: leave(session, *error)
