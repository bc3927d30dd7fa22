"""Blocks: `with session as s:`."""

from __future__ import annotations

from dynattrs.operations.writing import batch
from dynattrs.session.any_session import AnyBlock
from dynattrs.session.handles import Handle


class Block(Handle, AnyBlock):
    """The handle of a `with session as s:` block: what is written through it is gathered.

    It may be used by many threads. It ends with the block.
    """

    def _end(self, error: BaseException | None) -> None:
        assert self._buffer is not None
        self._closed = "block"
        self._drive(batch.end(self._core, self._buffer, error))
