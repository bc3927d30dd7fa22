"""Data models of NoSQL Workbench: `load` and `dump`; and their tables as Python source: `models`."""

from __future__ import annotations

from dynattrs.tools.generation import models
from dynattrs.tools.workbench import dump, load

__all__ = ["dump", "load", "models"]


def __dir__() -> list[str]:
    return __all__
