"""An object mapper for Amazon DynamoDB on boto3, attrs and cattrs.

The resource's comfort with the client's coverage, static types, and more speed than either.

A public name is one that is imported here as itself, which says so to checkers; `__all__` is made of
them.
"""

# ruff: noqa: I001 - `A as A` stands beside others in one statement

from typing import TYPE_CHECKING

from dynattrs import deferral, events as events, mapper as mapper
from dynattrs.errors import (
    AccessDenied as AccessDenied,
    AlreadyTaken as AlreadyTaken,
    AmbiguousIndex as AmbiguousIndex,
    BatchClosed as BatchClosed,
    ConditionError as ConditionError,
    ConditionFailed as ConditionFailed,
    ConfigurationError as ConfigurationError,
    ConnectionFailed as ConnectionFailed,
    CorruptReply as CorruptReply,
    CursorError as CursorError,
    DynattrsError as DynattrsError,
    ImpossibleCondition as ImpossibleCondition,
    ImpossibleKey as ImpossibleKey,
    InvalidRequest as InvalidRequest,
    ItemExists as ItemExists,
    MappingError as MappingError,
    MissingExtra as MissingExtra,
    ModelError as ModelError,
    MultipleItems as MultipleItems,
    NoIndex as NoIndex,
    NoSuchItem as NoSuchItem,
    NoSuchTable as NoSuchTable,
    OtherKind as OtherKind,
    OutcomeUnknown as OutcomeUnknown,
    PartialIndex as PartialIndex,
    QueryError as QueryError,
    ServiceError as ServiceError,
    ServiceUnavailable as ServiceUnavailable,
    SessionClosed as SessionClosed,
    SparseIndex as SparseIndex,
    KeyChanged as KeyChanged,
    StaleKey as StaleKey,
    Throttled as Throttled,
    Unsent as Unsent,
    UnsentWrites as UnsentWrites,
)
from dynattrs.expressions.conditions import Condition as Condition
from dynattrs.mapper import Compressed as Compressed, Epoch as Epoch, Json as Json, Mapper as Mapper
from dynattrs.models.hooks import Flushed as Flushed
from dynattrs.models.instances import (
    asdict as asdict,
    evolve as evolve,
    fields as fields,
)
from dynattrs.models.model import (
    map_class as map_class,
    model as model,
    path as path,
)
from dynattrs.models.specifiers import (
    field as field,
    partition_key as partition_key,
    sort_key as sort_key,
)
from dynattrs.schema.table import (
    Facet as Facet,
    GlobalIndex as GlobalIndex,
    LocalIndex as LocalIndex,
    Table as Table,
)
from dynattrs.session.handles import Editing as Editing
from dynattrs.session.any_session import MeasureClosed as MeasureClosed
from dynattrs.session.session import Batch as Batch, Measure as Measure, Session as Session
from dynattrs.wire.exchange import Stats as Stats

if TYPE_CHECKING:
    from dynattrs.frames.errors import BadRow as BadRow
    from dynattrs.expressions.functions import (
        all_of as all_of,
        any_of as any_of,
        attribute_type as attribute_type,
        begins_with as begins_with,
        between as between,
        contains as contains,
        exists as exists,
        in_ as in_,
        is_none as is_none,
        not_ as not_,
        not_exists as not_exists,
        not_none as not_none,
        size as size,
    )
    from dynattrs.expressions.operand_types import Key as Key
    from dynattrs.expressions.updates import (
        Action as Action,
        add as add,
        delete as delete,
        if_not_exists as if_not_exists,
        list_append as list_append,
        on_insert as on_insert,
        Put as Put,
        put as put,
        remove as remove,
        set_ as set_,
    )
    from dynattrs.models.partial import Partial as Partial
    from dynattrs.models.pydantic_options import Accepts as Accepts, ByKind as ByKind
    from dynattrs.models.sizes import item_size as item_size
    from dynattrs.operations.locks import LockHeld as LockHeld, LockLost as LockLost
    from dynattrs.operations.reading.groups import Groups as Groups
    from dynattrs.operations.reading.hits import Hit as Hit, IndexNotReady as IndexNotReady
    from dynattrs.operations.reading.pages import Page as Page
    from dynattrs.operations.reading.search_vectors import Vector as Vector
    from dynattrs.operations.reading.tabular import Preview as Preview
    from dynattrs.operations.tables.backups import Backup as Backup, Limits as Limits
    from dynattrs.operations.tables.changes import TableChange as TableChange
    from dynattrs.operations.tables.errors import (
        ChangeRefused as ChangeRefused,
        TableDiffers as TableDiffers,
        TableNotReady as TableNotReady,
        TransferFailed as TransferFailed,
        TransferUnfinished as TransferUnfinished,
    )
    from dynattrs.operations.tables.transfer_reports import (
        BulkPutReport as BulkPutReport,
        ExportReport as ExportReport,
        ImportReport as ImportReport,
    )
    from dynattrs.operations.statement_errors import (
        FailedStatement as FailedStatement,
        StatementsFailed as StatementsFailed,
    )
    from dynattrs.operations.transaction_errors import (
        Reason as Reason,
        TransactionError as TransactionError,
        TransactionFailed as TransactionFailed,
    )
    from dynattrs.operations.writing.ledger import Progress as Progress
    from dynattrs.operations.writing.migration import Migrated as Migrated
    from dynattrs.schema.capacity import (
        OnDemand as OnDemand,
        Provisioned as Provisioned,
        WarmThroughput as WarmThroughput,
    )
    from dynattrs.schema.features import (
        KinesisStream as KinesisStream,
        Replica as Replica,
        Replicas as Replicas,
    )
    from dynattrs.operations.writing.statement_transactions import TransactionRow as TransactionRow
    from dynattrs.session.blocks import Tables as Tables, Transaction as Transaction
    from dynattrs.session.locks import Lock as Lock
    from dynattrs.session.transfers import BulkPut as BulkPut, Transfer as Transfer
    from dynattrs.schema.vectors import VectorIndex as VectorIndex
    from dynattrs.session.results import (
        ArrowBatches as ArrowBatches,
        Items as Items,
        Query as Query,
        Rows as Rows,
    )
    from dynattrs.session.searches import Search as Search
    from dynattrs.wire.costs import Usage as Usage
else:
    # Measured (benchmarks/second_ways.py): 113 -> 85 ms of CPU for `import dynattrs`, because what many
    # programs never use is imported when it is asked for.
    __getattr__, __all__ = deferral.public(
        __name__,
        {
            "dynattrs.expressions.operand_types": ("Key",),
            "dynattrs.expressions.functions": (
                "all_of",
                "any_of",
                "attribute_type",
                "begins_with",
                "between",
                "contains",
                "exists",
                "in_",
                "is_none",
                "not_",
                "not_exists",
                "not_none",
                "size",
            ),
            "dynattrs.expressions.updates": (
                "Action", "Put", "add", "delete", "if_not_exists", "list_append", "on_insert",
                "put", "remove", "set_",
            ),
            "dynattrs.frames.errors": ("BadRow",),
            "dynattrs.models.partial": ("Partial",),
            "dynattrs.models.pydantic_options": ("Accepts", "ByKind"),
            "dynattrs.models.sizes": ("item_size",),
            "dynattrs.schema.capacity": ("OnDemand", "Provisioned", "WarmThroughput"),
            "dynattrs.schema.features": ("KinesisStream", "Replica", "Replicas"),
            "dynattrs.operations.writing.ledger": ("Progress",),
            "dynattrs.operations.writing.migration": ("Migrated",),
            "dynattrs.operations.locks": ("LockHeld", "LockLost"),
            "dynattrs.operations.reading.groups": ("Groups",),
            "dynattrs.operations.reading.hits": ("Hit", "IndexNotReady"),
            "dynattrs.operations.reading.pages": ("Page",),
            "dynattrs.operations.reading.search_vectors": ("Vector",),
            "dynattrs.operations.reading.tabular": ("Preview",),
            "dynattrs.operations.tables.backups": ("Backup", "Limits"),
            "dynattrs.operations.tables.changes": ("TableChange",),
            "dynattrs.operations.tables.errors": (
                "ChangeRefused", "TableDiffers", "TableNotReady", "TransferFailed", "TransferUnfinished",
            ),
            "dynattrs.operations.tables.transfer_reports": (
                "BulkPutReport", "ExportReport", "ImportReport",
            ),
            "dynattrs.operations.statement_errors": ("FailedStatement", "StatementsFailed"),
            "dynattrs.operations.writing.statement_transactions": ("TransactionRow",),
            "dynattrs.operations.transaction_errors": (
                "Reason", "TransactionError", "TransactionFailed",
            ),
            "dynattrs.session.blocks": ("Tables", "Transaction"),
            "dynattrs.session.locks": ("Lock",),
            "dynattrs.session.transfers": ("BulkPut", "Transfer"),
            "dynattrs.schema.vectors": ("VectorIndex",),
            "dynattrs.session.results": ("ArrowBatches", "Items", "Query", "Rows"),
            "dynattrs.session.searches": ("Search",),
            "dynattrs.wire.costs": ("Usage",),
        },
        modules=("events", "mapper"),
    )  # fmt: skip

    def __dir__() -> list[str]:
        return __all__


__version__ = "0.1.0"
