"""Sending a transaction until it has happened, has failed, or the deadline is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from dynattrs import limits
from dynattrs.errors import OutcomeUnknown
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.refusals import FAILURES, PASSING, TransactionCanceled, is_conflict
from dynattrs.operations.requests import ITEM_OPERATIONS
from dynattrs.operations.transaction_errors import TransactionError
from dynattrs.schema.messages import Message

#: Says why a transaction did not happen that may happen later; None where it is to be sent again at once.
#: It raises what is to be raised; whether there is time left it is told.
Canceled: TypeAlias = "Callable[[TransactionCanceled, bool], Flow[BaseException | str | None]]"


def sent(
    core: Core,
    method: str,
    parameters: Message,
    tables: Iterable[str],
    count: int,
    canceled: Canceled,
) -> Flow[Message]:
    """The response to a transaction. Conflicts with others, and failures that pass, are retried until the
    deadline: the token makes that safe, also where a reply was lost. One without a token only reads.

    Args:
        core: The session's.
        method: The client's method.
        parameters: The request, which *canceled* may change.
        tables: The tables, for listeners.
        count: How many actions it has.
        canceled: What to do when it did not happen.

    Raises:
        TransactionError: The token was used for another transaction.
        OutcomeUnknown: A reply was lost, and no later one told what became of it.
    """
    environment, operation = core.environment, ITEM_OPERATIONS[method]
    patience = min(core.deadline.total_seconds(), limits.TRANSACTION_TOKEN_SECONDS)
    until = environment.monotonic() + patience
    uncertain = False
    attempt = 0
    why: BaseException | str
    while True:
        try:
            response: Message = yield Call(method, parameters, deadline=until)
        except TransactionCanceled as error:
            reason = yield from canceled(error, environment.monotonic() < until)
            if reason is None:
                continue
            why = reason
        except FAILURES as error:
            uncertain = uncertain or error.uncertain
            if getattr(error, "code", "") == "IdempotentParameterMismatchException":
                raise TransactionError(
                    f"the token {parameters.get('ClientRequestToken')!r} was used within the last ten "
                    f"minutes for a transaction that does something else, and this one did not happen. "
                    f"If it is meant to repeat that one, that one has happened, or may have: read what is "
                    f"stored, and do not send it under a new token. Versions, defaults and hooks count "
                    f"too: an object that it saved has the next version since"
                ) from error
            passing = isinstance(error, PASSING) or is_conflict(error)
            if not passing or environment.monotonic() >= until:
                if not uncertain:
                    raise
                raise OutcomeUnknown(operation, "the transaction") from error
            why = error
        else:
            return response
        attempt += 1
        yield core.pause_before(attempt, operation, tables, count, why, until)
