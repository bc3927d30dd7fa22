"""Blocks that do nothing unless a program enters them."""

from __future__ import annotations

import warnings
from typing import ClassVar


class Entered:
    """A context manager that warns if it goes away without having been entered, as Python warns of a
    coroutine that was never awaited.
    """

    #: What a program writes, for the warning.
    _block: ClassVar[str]
    _entered = False

    def __del__(self) -> None:
        if not self._entered:
            warnings.warn(
                f"an edit was never entered, so nothing is stored; assign inside `{self._block}:`",
                RuntimeWarning,
                stacklevel=2,
            )
