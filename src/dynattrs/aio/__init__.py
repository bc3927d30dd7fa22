"""`AsyncSession`: a session for asyncio, over aiobotocore. It needs `dynattrs[aio]`.

This package and `dynattrs.session` are the only two that wait, sleep or open a connection. They differ
only in how they wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynattrs.aio.blocks import AsyncTables, AsyncTransaction
from dynattrs.aio.handles import AsyncEditing
from dynattrs.aio.results import (
    AsyncArrowBatches,
    AsyncItems,
    AsyncPages,
    AsyncQuery,
    AsyncRows,
)
from dynattrs.aio.session import AsyncBatch, AsyncMeasure, AsyncSession
from dynattrs.aio.transfers import AsyncBulkPut, AsyncTransfer

if TYPE_CHECKING:
    from dynattrs.aio.locks import AsyncLock
    from dynattrs.aio.searches import AsyncSearch

__all__ = [
    "AsyncArrowBatches",
    "AsyncBatch",
    "AsyncBulkPut",
    "AsyncEditing",
    "AsyncItems",
    "AsyncLock",
    "AsyncMeasure",
    "AsyncPages",
    "AsyncQuery",
    "AsyncRows",
    "AsyncSearch",
    "AsyncSession",
    "AsyncTables",
    "AsyncTransaction",
    "AsyncTransfer",
]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: most programs search for nothing, and lock nothing.
    if name == "AsyncLock":
        from dynattrs.aio.locks import AsyncLock

        return AsyncLock
    if name == "AsyncSearch":
        from dynattrs.aio.searches import AsyncSearch

        return AsyncSearch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
