"""The requests of a block, what they asked for and what they cost."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

import attrs

from dynattrs.schema.messages import Message
from dynattrs.testing.lines import instruments_of
from dynattrs.wire.exchange import capacity_in, returned_in, tables_in
from dynattrs.wire.instruments import Ended

if TYPE_CHECKING:
    from dynattrs.aio.session import AsyncSession
    from dynattrs.session.session import Session


@attrs.frozen
class RecordedCall:
    """A call that a session has made.

    Attributes:
        operation: The service's name of the operation: `PutItem`.
        tables: The real names of the tables it names, each once; none for PartiQL.
        index: The index that is read, or None.
        parameters: What was asked, as botocore's client takes it: items and keys are attribute maps.
        consumed: Capacity units, as far as the engine says.
        returned: How many items the answer holds.
        seconds: How long it took, with all attempts and the pauses between them.
        attempts: How many attempts there were, botocore's among them.
        error: The service's code, or the class of the error, where it failed; else None.
    """

    operation: str
    tables: tuple[str, ...]
    index: str | None
    parameters: Message
    consumed: float
    returned: int
    seconds: float
    attempts: int
    error: str | None = None

    @property
    def table(self) -> str | None:
        """The real name of the table; None if it names none or several."""
        return self.tables[0] if len(self.tables) == 1 else None


class RecordedCalls(list[RecordedCall]):
    """The calls of a block, in the order in which they ended."""

    @property
    def operations(self) -> list[str]:
        """The operations of the calls, in their order: `["GetItem", "PutItem"]`."""
        return [each.operation for each in self]

    @property
    def consumed(self) -> float:
        """The capacity units of all calls together."""
        return sum(each.consumed for each in self)

    def __repr__(self) -> str:
        lines = [
            f"{each.operation} {each.index or each.table or '-'} "
            f"{each.consumed:g} units, {each.attempts}x{f', {each.error}' if each.error else ''}"
            for each in self
        ]
        return f"[{'; '.join(lines)}]"


@contextlib.contextmanager
def recorded(session: Session | AsyncSession) -> Generator[RecordedCalls, None, None]:
    """Record the calls of a session inside of a `with` statement.

    One call is one request to the service, however often it had to be sent. What a test's fixture does
    to make tables is not among them.

    Args:
        session: A `Session` or an `AsyncSession`.

    Yields:
        A list of `RecordedCall`, which grows as calls end: `assert len(calls) == 1`.

    Raises:
        ModelError: *session* is not a session.
    """
    line = instruments_of(session, "recorded")
    calls = RecordedCalls()

    def record(ended: Ended) -> None:
        asked = ended.parameters
        calls.append(
            RecordedCall(
                ended.operation, tables_in(asked), asked.get("IndexName"), asked,
                float(sum(capacity_in(ended.response).values())), returned_in(ended.response),
                ended.seconds, ended.attempts, ended.error,
            )
        )  # fmt: skip

    line.recorders = (*line.recorders, record)
    try:
        yield calls
    finally:
        line.recorders = tuple(each for each in line.recorders if each is not record)
