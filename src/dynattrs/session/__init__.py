"""`Session`: the flows driven over boto3, in threads.

This is one of the two places that wait, sleep or open a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynattrs.deferral import attributes
from dynattrs.session.handles import Editing, Tables, Transaction
from dynattrs.session.session import Batch, Session

if TYPE_CHECKING:
    from dynattrs.session.results import Items, Query, Rows
else:
    __getattr__ = attributes(__name__, {"dynattrs.session.results": ("Items", "Query", "Rows")})

__all__ = ["Batch", "Editing", "Items", "Query", "Rows", "Session", "Tables", "Transaction"]
