"""Many items at one moment: TransactGetItems.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynattrs import limits
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.refusals import PASSING_REASONS, TransactionCanceled
from dynattrs.operations.transaction_errors import Reason, TransactionError, TransactionFailed
from dynattrs.schema.messages import Message


def transact_get(core: Core, wanted: Sequence[Message]) -> Flow[list[Any]]:
    """Up to 100 items at one moment, as they are stored; None for each that is not there.

    Args:
        core: The session's.
        wanted: What each `Get` says: a table, a key, perhaps the attributes.

    Raises:
        TransactionError: More than 100 are asked for.
        TransactionFailed: Writes got in the way until the deadline.
    """
    if len(wanted) > limits.TRANSACTION_ACTIONS:
        raise TransactionError(
            f"{len(wanted)} items are asked for; one consistent read has at most "
            f"{limits.TRANSACTION_ACTIONS}"
        )
    if not wanted:
        return []
    environment = core.environment
    until = environment.monotonic() + core.deadline.total_seconds()
    items = [{"Get": each} for each in wanted]
    attempt = 0
    while True:
        try:
            response = yield Call("transact_get_items", {"TransactItems": items}, deadline=until)
        except TransactionCanceled as error:
            codes = {reason.get("Code") or "None" for reason in error.reasons} - {"None"}
            if codes <= PASSING_REASONS and environment.monotonic() < until:
                attempt += 1
                reason, tables = ", ".join(sorted(codes)), (each["TableName"] for each in wanted)
                yield core.pause_before(
                    attempt, "TransactGetItems", tables, len(wanted), reason or error, until
                )
                continue
            reasons = [
                None if code == "None" else Reason("get", code, reason.get("Message") or "", None)
                for reason in error.reasons
                for code in [reason.get("Code") or "None"]
            ]
            raise TransactionFailed(reasons) from error
        return [each.get("Item") for each in response["Responses"]]
