"""Many PartiQL statements, each of one item: 25 to a BatchExecuteStatement.

Each statement is done, or not, by itself. What is throttled, or meets another writer, is sent again until
the deadline, reads also after a failure of the service's. A request to read that is refused as a whole,
because of one statement in it or of two on one item, is sent in halves until it is known which one it was.
One to write is not: DynamoDB Local has done what it refuses because two are on one item (tried).

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from dynattrs import limits
from dynattrs.errors import (
    AccessDenied,
    ConditionFailed,
    ConnectionFailed,
    CorruptReply,
    DynattrsError,
    InvalidRequest,
    ItemExists,
    MappingError,
    NoSuchTable,
    OutcomeUnknown,
    QueryError,
    ServiceError,
    ServiceUnavailable,
    Throttled,
)
from dynattrs.mapper.anything import native_map
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, Start, Task, Wait
from dynattrs.operations.reading.partiql import RowReader, Said, said
from dynattrs.operations.refusals import FAILURES, PASSING
from dynattrs.operations.statement_errors import FailedStatement, StatementsFailed
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message

_OPERATION: Final = "BatchExecuteStatement"

#: What is stored is the reason.
_REFUSALS: Final[dict[str, type[ConditionFailed]]] = {
    "ConditionalCheckFailed": ConditionFailed,
    "DuplicateItem": ItemExists,
}
_KINDS: Final[dict[str, type[ServiceError]]] = {
    "AccessDenied": AccessDenied,
    "InternalServerError": ServiceUnavailable,
    "ItemCollectionSizeLimitExceeded": InvalidRequest,
    "ProvisionedThroughputExceeded": Throttled,
    "RequestLimitExceeded": Throttled,
    "ResourceNotFound": NoSuchTable,
    "ThrottlingError": Throttled,
    "ValidationError": InvalidRequest,
}
#: The statement was not done, and may be later.
_PASSING: Final = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)


def statements(
    wanted: object, rows: Iterable[Sequence[object]] | None, *, consistent: bool
) -> list[Said]:
    """What `execute_many` is given, as statements.

    Raises:
        QueryError: Something is not a statement, or some read and others write.
        ConditionError: A parameter has no form in DynamoDB.
    """
    found = [
        said(statement, parameters, consistent=consistent)
        for statement, parameters in _pairs(wanted, rows)
    ]
    for position, each in enumerate(found):
        if each.reads != found[0].reads:
            one, other = ("reads", "writes") if found[0].reads else ("writes", "reads")
            raise QueryError(
                f"execute_many: statement 0 {one} and statement {position} {other}; DynamoDB takes one "
                f"or the other in a batch, so call it twice"
            )
    return found


def _pairs(wanted: Any, rows: Any) -> Iterable[tuple[object, Sequence[object]]]:
    if isinstance(wanted, str):
        if rows is None:
            raise QueryError(
                "execute_many: statements are expected, as [(statement, *parameters), …], or one "
                "statement and rows of parameters"
            )
        if not isinstance(rows, Iterable):
            raise QueryError(f"execute_many(statement, {quoted(rows)}): rows are expected")
        for row in rows:
            if not isinstance(row, (tuple, list)):
                raise QueryError(
                    f"execute_many(statement, [{quoted(row)}, …]): a tuple of parameters is expected"
                )
            yield wanted, row
        return
    if rows is not None:
        raise QueryError("execute_many: rows of parameters are for one statement, which is a str")
    if not isinstance(wanted, Iterable):
        raise QueryError(f"execute_many({quoted(wanted)}): statements are expected")
    for each in wanted:
        if isinstance(each, tuple) and each:
            yield each[0], each[1:]
        else:
            yield each, ()


def executed(core: Core, given: list[Said], reader: RowReader) -> Flow[list[Any]]:
    """The row of each statement, in their order; None where it has none.

    Raises:
        StatementsFailed: Some were not done, or may not be, or their rows cannot be read.
    """
    for each in given:
        reader.check(each)
    batches = _Batches(core, given, reader)
    chunks = [
        list(range(start, min(start + limits.BATCH_STATEMENTS, len(given))))
        for start in range(0, len(given), limits.BATCH_STATEMENTS)
    ]
    if len(chunks) > 1 and given[0].reads:
        yield from _beside(core, batches, chunks)
    else:
        # Requests that write take effect in the order in which they are given.
        for chunk in chunks:
            yield from batches.send(chunk)
    results: list[Any] = [None] * len(given)
    for position, each in enumerate(given):
        try:
            results[position] = reader.row(each, batches.items.get(position))
        except MappingError as error:
            batches.failed[position] = error
    if batches.failed:
        failed = [
            FailedStatement(n, given[n].statement, given[n].parameters, cause)
            for n, cause in sorted(batches.failed.items())
        ]
        raise StatementsFailed(failed, results) from failed[0].cause
    return results


def _beside(core: Core, batches: _Batches, chunks: list[list[int]]) -> Flow[None]:
    """Send several requests at once."""
    under_way: deque[Task] = deque()
    try:
        for chunk in chunks:
            if len(under_way) == core.concurrency:
                yield Wait(under_way.popleft())
            under_way.append((yield Start(batches.send(chunk))))
        while under_way:
            yield Wait(under_way.popleft())
    except BaseException:
        for task in under_way:
            task.cancel()
        raise


@attrs.define(eq=False)
class _Batches:
    """The requests of one `execute_many`.

    Attributes:
        items: What statements gave, by their positions.
        failed: Why statements were not done, by their positions.
        stopped: With what a request failed as a whole: nothing is sent after that.
    """

    core: Core
    given: list[Said]
    reader: RowReader
    items: dict[int, Any] = attrs.field(factory=dict)
    failed: dict[int, DynattrsError] = attrs.field(factory=dict)
    stopped: ServiceError | ConnectionFailed | None = None

    def send(self, chunk: list[int]) -> Flow[None]:
        """Send the statements at some positions, until each is done or has failed."""
        if self.stopped is not None:
            self._unsent(chunk, self.stopped)
            return
        environment = self.core.environment
        patience = self.core.deadline.total_seconds()
        until = environment.monotonic() + patience
        attempt = 0
        while chunk:
            request = {"Statements": [self.given[n].request for n in chunk]}
            reads = self.given[chunk[0]].reads
            cause: DynattrsError
            try:
                response = yield Call(
                    "batch_execute_statement", request, repeat=reads, deadline=until
                )
                answers = self._answers(chunk, response)
            except InvalidRequest as error:
                if len(chunk) > 1 and reads:
                    half = len(chunk) // 2
                    yield from self.send(chunk[:half])
                    yield from self.send(chunk[half:])
                else:
                    refused = attrs.evolve(error, uncertain=len(chunk) > 1)
                    refused.__cause__ = error
                    self.failed.update(dict.fromkeys(chunk, refused))
                return
            except FAILURES as error:
                passing = isinstance(error, PASSING) and (reads or not error.uncertain)
                if not passing or environment.monotonic() >= until:
                    self._stop(chunk, error)
                    return
                cause, left, attempt = error, chunk, attempt + 1
            else:
                again = {n: self._answered(n, answer) for n, answer in answers.items()}
                left = [n for n in chunk if again[n] is not None]
                if not left:
                    return
                cause = again[left[0]] or Throttled(_OPERATION, "", "")
                if len(left) < len(chunk):
                    until, attempt = environment.monotonic() + patience, 0
                attempt += 1
                if environment.monotonic() >= until:
                    self.failed.update(
                        (n, error) for n, error in again.items() if error is not None
                    )
                    return
            chunk = left
            yield self.core.pause_before(attempt, _OPERATION, (), len(left), cause, until)

    def _answers(self, chunk: list[int], response: Message) -> dict[int, Message]:
        """The answer to each statement."""
        answers = response.get("Responses") or []
        if len(answers) != len(chunk):
            raise CorruptReply(
                _OPERATION,
                f"it has {len(answers)} answers to {len(chunk)} statements",
                uncertain=not self.given[chunk[0]].reads,
            )
        return dict(zip(chunk, answers, strict=True))

    def _answered(self, position: int, answer: Message) -> ServiceError | None:
        """Note what came of a statement; its error where it is to be sent again."""
        error = answer.get("Error")
        if not error:
            self.items[position] = answer.get("Item")
            return None
        code = str(error.get("Code", "")).removesuffix("Exception")
        given, item = self.given[position], error.get("Item")
        if (refusal := _REFUSALS.get(code)) is not None:
            item = native_map(item) if item else None
            self.failed[position] = self.reader.refused(_OPERATION, refusal, given, item)
            return None
        kind = _KINDS.get(code, ServiceError)
        found = kind(_OPERATION, code, str(error.get("Message", "")), answer.get("TableName"))
        failed = isinstance(found, ServiceUnavailable)
        if code in _PASSING or (failed and given.reads):
            return found
        self.failed[position] = self._unknown(found) if failed else found
        return None

    @staticmethod
    def _unknown(error: DynattrsError) -> DynattrsError:
        unknown = OutcomeUnknown(_OPERATION, "what the statement says")
        unknown.__cause__ = error
        return unknown

    def _stop(self, chunk: list[int], error: ServiceError | ConnectionFailed) -> None:
        self.stopped = error
        if error.uncertain and not self.given[chunk[0]].reads:
            for position in chunk:
                self.failed[position] = self._unknown(error)
        else:
            self._unsent(chunk, error)

    def _unsent(self, chunk: list[int], error: ServiceError | ConnectionFailed) -> None:
        for position in chunk:
            unsent = attrs.evolve(error, uncertain=False)
            unsent.__cause__ = error
            self.failed[position] = unsent
