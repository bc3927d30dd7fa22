"""Transactions, stepped by hand: answers that local engines do not give."""

from __future__ import annotations

from typing import Any

import pytest

from dynattrs import ServiceError, TransactionError, model, partition_key
from dynattrs.operations.refusals import TransactionCanceled
from stepped_session import ByHand


@model("accounts")
class Account:
    owner: str = partition_key()


def committed(session: ByHand, token: str | None = None) -> Any:
    transaction = session.transaction(token=token)
    transaction._begin()
    transaction.save(Account("ann"))
    transaction._end()
    return transaction._commit()


def test_a_token_that_was_used_for_something_else_says_what_counts() -> None:
    flow = committed(ByHand(), "order-1")
    assert next(flow).parameters["ClientRequestToken"] == "order-1"

    with pytest.raises(TransactionError, match=r"'order-1' was used .* time stamps count"):
        flow.throw(
            ServiceError("TransactWriteItems", "IdempotentParameterMismatchException", "other")
        )


def test_an_engine_that_gives_no_reasons_has_its_own_message_raised() -> None:
    flow = committed(ByHand())
    next(flow)

    with pytest.raises(ServiceError, match="it was cancelled, and that is all"):
        flow.throw(
            TransactionCanceled(
                "TransactWriteItems", "TransactionCanceledException",
                "it was cancelled, and that is all",
            )
        )  # fmt: skip


def test_callers_that_come_and_go_leave_nothing_behind() -> None:
    session = ByHand()

    committed(session)

    assert not session._core.transactions
