"""Writes to an item that somebody else is just writing: a transaction, or another region.

The service refuses such a write at once, and has done nothing of it. It is sent again until the
deadline, as a transaction is.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
"""

from __future__ import annotations

from typing import Any, Final

from dynattrs.errors import ConnectionFailed, ServiceError
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow

#: The service's codes for it.
CONFLICTS: Final = frozenset(
    (
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
        "TransactionInProgressException",
    )
)


def is_conflict(error: BaseException) -> bool:
    """Whether somebody else was at an item, so that the same request may succeed later."""
    return getattr(error, "code", None) in CONFLICTS


def past_conflicts(core: Core, call: Call) -> Flow[dict[str, Any]]:
    """The response to a write of one item, which is sent again while somebody else is at the item.

    Whether an attempt may have been applied is remembered over all of them, in the last error or
    response: a condition may be false because of our own first attempt.

    Raises:
        DynattrsError: What the call ended with; a conflict only after the session's deadline.
    """
    environment = core.environment
    until = environment.monotonic() + core.deadline.total_seconds()
    uncertain = False
    attempt = 0
    while True:
        try:
            response: dict[str, Any] = yield call
        except (ServiceError, ConnectionFailed) as error:
            error.uncertain = uncertain = uncertain or error.uncertain
            again = call.repeat or not uncertain
            if not is_conflict(error) or not again or environment.monotonic() >= until:
                raise
            cause = error
        else:
            if uncertain:
                response.setdefault("ResponseMetadata", {})["Uncertain"] = True
            return response
        attempt += 1
        table = call.parameters["TableName"]
        yield core.pause_before(attempt, cause.operation, (table,), 1, cause)
