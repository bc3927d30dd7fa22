"""Transactions of PartiQL statements: up to 100 that are done all or not at all.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteTransaction.html
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import attrs

from dynattrs import limits
from dynattrs.mapper.anything import native_map
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow
from dynattrs.operations.reading.partiql import RowReader, Said
from dynattrs.operations.refusals import PASSING_REASONS, TransactionCanceled
from dynattrs.operations.transaction_errors import Reason, TransactionError, TransactionFailed
from dynattrs.operations.writing import idempotent
from dynattrs.operations.writing.transaction_sending import sent
from dynattrs.schema.messages import Message

R_co = TypeVar("R_co", covariant=True)


@attrs.define(eq=False, repr=False)
class TransactionRow(Generic[R_co]):
    """What a statement of a transaction gives, once that has happened."""

    _said: Said
    _reader: RowReader
    _item: Any = None
    _happened: bool = False

    @property
    def row(self) -> R_co | None:
        """The row of a SELECT; None where the item is missing, and of statements that write.

        Raises:
            TransactionError: The transaction has not happened, or not yet.
            MappingError: The item cannot be read as one of the model.
        """
        if not self._happened:
            raise TransactionError(
                f"{self._said}: its row is known only when the block of the transaction has ended without "
                f"an error; read it after that"
            )
        found: R_co | None = self._reader.row(self._said, self._item)
        return found

    def _give(self, item: Any) -> None:
        self._item, self._happened = item, True

    def __repr__(self) -> str:
        return f"<TransactionRow of {self._said}{'' * self._happened or ', not yet'}>"


@attrs.define(eq=False, repr=False)
class TransactionStatements:
    """The statements of one transaction, in the caller's order."""

    core: Core
    token: str | None
    rows: list[TransactionRow[Any]] = attrs.field(factory=list)

    def add(self, said: Said, reader: RowReader) -> TransactionRow[Any]:
        """Take a statement in.

        Raises:
            TransactionError: It is the 101st; it reads and others write, or the other way round; it reads
                in a transaction with a token of the caller's.
            QueryError: It gives parts of items as objects.
        """
        reader.check(said)
        if len(self.rows) == limits.TRANSACTION_ACTIONS:
            raise TransactionError(
                f"{said} would be statement {len(self.rows) + 1}; a transaction has at most "
                f"{limits.TRANSACTION_ACTIONS}, and is never split, which would not be atomic"
            )
        if self.rows and self.rows[0]._said.reads != said.reads:
            raise TransactionError(
                f"{said} and {self.rows[0]._said}: one reads and the other writes; DynamoDB takes one or "
                f"the other in a transaction. To demand something of an item that is not written, write "
                f"EXISTS(SELECT ...)"
            )
        if said.reads and self.token is not None:
            raise TransactionError(
                f"token={self.token!r}: a transaction that only reads may be repeated as it is; leave the "
                f"token out"
            )
        row: TransactionRow[Any] = TransactionRow(said, reader)
        self.rows.append(row)
        return row

    @property
    def reads(self) -> bool:
        return self.rows[0]._said.reads

    def commit(self) -> Flow[None]:
        """Send the transaction.

        Raises:
            TransactionFailed: It did not happen; it has a reason for each statement at fault.
            OutcomeUnknown: A reply was lost, and no later one told what became of it.
        """
        parameters: Message = {
            "TransactStatements": [self._request(row._said) for row in self.rows]
        }
        if not self.reads:
            parameters["ClientRequestToken"] = self.token or self.core.environment.token()
        response = yield from sent(
            self.core, "execute_transaction", parameters, (), len(self.rows), self._canceled
        )
        answers = response.get("Responses") or []
        for n, row in enumerate(self.rows):
            row._give(answers[n].get("Item") if n < len(answers) else None)

    def _request(self, said: Said) -> Message:
        return said.request if self.token is None else idempotent.in_one_order(said.request)

    def _canceled(
        self, error: TransactionCanceled, in_time: bool
    ) -> Flow[BaseException | str | None]:
        yield from ()
        if len(error.reasons) != len(self.rows):
            raise error
        reasons = [
            self._reason(row, reason) for row, reason in zip(self.rows, error.reasons, strict=True)
        ]
        at_fault = {reason.code for reason in reasons if reason is not None}
        if not at_fault <= PASSING_REASONS or not in_time:
            raise TransactionFailed(reasons) from error
        return ", ".join(sorted(at_fault)) or error

    def _reason(self, row: TransactionRow[Any], reason: Message) -> Reason | None:
        # The embedded engine calls them by the names of errors.
        code = str(reason.get("Code") or "None").removesuffix("Exception")
        if code == "None":
            return None
        item = reason.get("Item")
        found = None if not item else row._reader.found(native_map(item))
        return Reason(str(row._said), code, reason.get("Message") or "", found)
