"""An object mapper for Amazon DynamoDB on boto3, attrs and cattrs.

The resource's comfort with the client's coverage, static types, and more speed than either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynattrs import deferral, events, mapper
from dynattrs.errors import (
    AccessDenied,
    AlreadyTaken,
    AmbiguousIndex,
    ChangeRefused,
    ConditionError,
    ConditionFailed,
    ConfigurationError,
    ConnectionFailed,
    CorruptReply,
    CursorError,
    DynattrsError,
    InvalidRequest,
    ItemExists,
    MappingError,
    MissingExtra,
    ModelError,
    MultipleItems,
    NoIndex,
    NoSuchItem,
    NoSuchTable,
    OutcomeUnknown,
    PartialIndex,
    QueryError,
    Reason,
    ServiceError,
    ServiceUnavailable,
    SessionClosed,
    SparseIndex,
    StaleKey,
    TableDiffers,
    TableNotReady,
    Throttled,
    TransactionError,
    TransactionFailed,
    Unsent,
    UnsentWrites,
)
from dynattrs.expressions import (
    Condition,
    all_of,
    any_of,
    attribute_type,
    begins_with,
    between,
    contains,
    exists,
    in_,
    is_none,
    not_,
    not_exists,
    not_none,
    size,
)
from dynattrs.mapper import Compressed, Epoch, Json, Mapper
from dynattrs.models.hooks import Flushed
from dynattrs.models.model import (
    asdict,
    evolve,
    field,
    fields,
    map_class,
    model,
    partition_key,
    path,
    sort_key,
)
from dynattrs.operations.reading.groups import Groups
from dynattrs.operations.writing.pace import Progress
from dynattrs.schema.table import GlobalIndex, LocalIndex, Table
from dynattrs.session import Block, Editing, Session, Tables, Transaction
from dynattrs.wire.client import Stats

if TYPE_CHECKING:
    from dynattrs.expressions.updates import (
        Action,
        add,
        delete,
        if_not_exists,
        list_append,
        remove,
        set_,
    )
    from dynattrs.operations.reading.query import Page
    from dynattrs.operations.tables.diff import TableChange
    from dynattrs.operations.writing.migration import Migrated
    from dynattrs.schema.capacity import OnDemand, Provisioned
    from dynattrs.schema.facets import Facet
    from dynattrs.session import Items, Query, Rows
else:
    # What many programs never use is imported when it is asked for.
    __getattr__ = deferral.attributes(
        __name__,
        {
            "dynattrs.expressions.updates": (
                "Action", "add", "delete", "if_not_exists", "list_append", "remove", "set_",
            ),
            "dynattrs.schema.capacity": ("OnDemand", "Provisioned"),
            "dynattrs.schema.facets": ("Facet",),
            "dynattrs.operations.writing.migration": ("Migrated",),
            "dynattrs.operations.reading.query": ("Page",),
            "dynattrs.operations.tables.diff": ("TableChange",),
            "dynattrs.session.results": ("Items", "Query", "Rows"),
        },
    )  # fmt: skip

__all__ = [
    "AccessDenied",
    "Action",
    "AlreadyTaken",
    "AmbiguousIndex",
    "Block",
    "ChangeRefused",
    "Compressed",
    "Condition",
    "ConditionError",
    "ConditionFailed",
    "ConfigurationError",
    "ConnectionFailed",
    "CorruptReply",
    "CursorError",
    "DynattrsError",
    "Editing",
    "Epoch",
    "Facet",
    "Flushed",
    "GlobalIndex",
    "Groups",
    "InvalidRequest",
    "ItemExists",
    "Items",
    "Json",
    "LocalIndex",
    "Mapper",
    "MappingError",
    "Migrated",
    "MissingExtra",
    "ModelError",
    "MultipleItems",
    "NoIndex",
    "NoSuchItem",
    "NoSuchTable",
    "OnDemand",
    "OutcomeUnknown",
    "Page",
    "PartialIndex",
    "Progress",
    "Provisioned",
    "Query",
    "QueryError",
    "Reason",
    "Rows",
    "ServiceError",
    "ServiceUnavailable",
    "Session",
    "SessionClosed",
    "SparseIndex",
    "StaleKey",
    "Stats",
    "Table",
    "TableChange",
    "TableDiffers",
    "TableNotReady",
    "Tables",
    "Throttled",
    "Transaction",
    "TransactionError",
    "TransactionFailed",
    "Unsent",
    "UnsentWrites",
    "add",
    "all_of",
    "any_of",
    "asdict",
    "attribute_type",
    "begins_with",
    "between",
    "contains",
    "delete",
    "events",
    "evolve",
    "exists",
    "field",
    "fields",
    "if_not_exists",
    "in_",
    "is_none",
    "list_append",
    "map_class",
    "mapper",
    "model",
    "not_",
    "not_exists",
    "not_none",
    "partition_key",
    "path",
    "remove",
    "set_",
    "size",
    "sort_key",
]

__version__ = "0.1.0"
