"""Seconds that pass, also where a test has stopped the clock.

freezegun and its like replace `time.monotonic` in all modules. Then a deadline would never pass, and
what waits for one would wait for good. They leave the system's clock alone.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Final

__all__ = ["monotonic"]


def _monotonic(clock: Callable[[], float] = time.monotonic) -> float:
    return clock()  # a default is out of reach of who replaces attributes of modules


#: Seconds that never go back.
monotonic: Final[Callable[[], float]] = (
    functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    if hasattr(time, "clock_gettime")  # not on Windows
    else _monotonic
)
