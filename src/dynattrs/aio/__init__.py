"""`AsyncSession`: the flows driven over aiobotocore, in tasks. It needs `dynattrs[aio]`.

This is the other one of the two places that wait, sleep or open a connection. What differs from
`dynattrs.session` is how they wait, and nothing else.
"""

from __future__ import annotations

from dynattrs.aio.blocks import AsyncTables, AsyncTransaction
from dynattrs.aio.handles import AsyncEditing
from dynattrs.aio.results import AsyncItems, AsyncPages, AsyncQuery, AsyncRows
from dynattrs.aio.session import AsyncBatch, AsyncMeasure, AsyncSession

__all__ = [
    "AsyncBatch",
    "AsyncEditing",
    "AsyncItems",
    "AsyncMeasure",
    "AsyncPages",
    "AsyncQuery",
    "AsyncRows",
    "AsyncSession",
    "AsyncTables",
    "AsyncTransaction",
]


def __dir__() -> list[str]:
    return __all__
