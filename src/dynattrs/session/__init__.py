"""`Session`: the flows driven over boto3, in threads.

This is one of the two places that wait, sleep or open a connection.
"""

from __future__ import annotations

from dynattrs.session.blocks import Block
from dynattrs.session.handles import Editing, Tables, Transaction
from dynattrs.session.results import Items, Query, Rows
from dynattrs.session.session import Session

__all__ = ["Block", "Editing", "Items", "Query", "Rows", "Session", "Tables", "Transaction"]
