"""The requests that were sent inside a `with` statement, and what they cost."""

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
    """A request that a session has sent.

    Attributes:
        operation: The operation, as the service calls it: `PutItem`.
        tables: The real names of its tables, each once; empty for PartiQL.
        index: The index that it reads, or None.
        parameters: The request, as botocore's client takes it: items and keys are attribute maps.
        consumed: Consumed capacity units, if the engine reports them.
        returned: How many items the reply holds.
        seconds: How long it took, including all attempts and the pauses between them.
        attempts: How many attempts there were, including botocore's retries.
        error: If it failed, the service's error code, or the class of the error; else None.
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
    """The recorded calls, in the order in which they ended."""

    @property
    def operations(self) -> list[str]:
        """The operations of the calls, in order: `["GetItem", "PutItem"]`."""
        return [each.operation for each in self]

    @property
    def consumed(self) -> float:
        """The capacity units that all calls consumed."""
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
    """Record the requests of a session inside a `with` statement.

    Each entry is one request to the service, however often it was sent. Requests with which a fixture makes
    tables are not recorded.

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
