"""Faults of the service and of the network, where a session sends its requests.

botocore, the retries of dynattrs and your program meet them as they meet real ones: a throttled request
is repeated after a pause, a lost reply leaves a write in doubt. Pauses take their time unless a `clock`
is on the session.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import threading
from collections import Counter
from collections.abc import Collection, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from dynattrs.errors import ModelError
from dynattrs.expressions.paths import did_you_mean
from dynattrs.operations.requests import (
    ITEM_OPERATIONS,
    STREAM_OPERATIONS,
    TABLE_OPERATIONS,
    operation_name,
)
from dynattrs.schema.messages import Message
from dynattrs.testing.lines import instruments_of
from dynattrs.wire.instruments import Outcome

if TYPE_CHECKING:
    from dynattrs.aio.session import AsyncSession
    from dynattrs.session.session import Session

#: All that a session asks for.
_OPERATIONS: Final = TABLE_OPERATIONS.union(ITEM_OPERATIONS.values(), STREAM_OPERATIONS.values())
_BATCHES: Final = frozenset(("BatchGetItem", "BatchWriteItem"))


@attrs.frozen(kw_only=True)
class Fault:
    """Something that goes wrong with a session's requests. The functions of this module make faults.

    Attributes:
        name: A name for messages.
        outcome: What happens to an attempt; None for a fault that only leaves requests unprocessed.
        fraction: The part of a batch that stays unprocessed.
        operations: The operations, as the service calls them; empty for all.
        table: The real name of the table; None for all.
        times: How often it happens; None for always.
        skip: How many requests pass before the first.
        probability: How likely it is each time.
    """

    name: str
    outcome: Outcome | None = attrs.field(default=None, repr=False)
    fraction: float = 0.0
    operations: frozenset[str] = frozenset()
    table: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0

    def __attrs_post_init__(self) -> None:
        counts = {"times": self.times, "skip": self.skip}
        for name, count in counts.items():
            if count is not None and (type(count) is not int or count < 0):
                raise ModelError(self.name, f"{name}={count!r}: a count is expected")
        if not _is_number(self.probability, 0, 1):
            problem = f"probability={self.probability!r}: a number from 0 to 1 is expected"
            raise ModelError(self.name, problem)
        if self.table is not None and not isinstance(self.table, str):
            problem = f"table={self.table!r}: the real name of a table is expected"
            raise ModelError(self.name, problem)


def throttled(
    operation: str | Collection[str] | None = None, *,
    times: int | None = None, skip: int = 0, probability: float = 1.0, table: str | None = None,
    code: str = "ProvisionedThroughputExceededException",
) -> Fault:  # fmt: skip
    """Let the service refuse requests because there are too many.

    Args:
        operation: The operation, `"PutItem"` or `"put_item"`, or several; by default all.
        times: How many attempts are refused, including botocore's own retries; None for all.
        skip: How many attempts pass before the first.
        probability: How likely it is for each of them, from 0 to 1.
        table: The real name of a table; requests to other tables pass. A misspelt name is not noticed:
            the fault then never happens.
        code: The error code of the refusal.

    Raises:
        ModelError: DynamoDB has no operation of that name, or a number is out of its range. All
            functions here raise it.
    """
    _check_code("throttled", code)
    message = "The level of configured provisioned throughput for the table was exceeded."
    return _fault(
        "throttled", _refused(400, code, message), operation, times, skip, probability, table
    )


def unavailable(
    operation: str | Collection[str] | None = None, *,
    times: int | None = None, skip: int = 0, probability: float = 1.0, table: str | None = None,
    status: int = 500,
) -> Fault:  # fmt: skip
    """Let the service fail by itself (HTTP 5xx). Nothing is applied, but the caller cannot know that.

    Args:
        operation: As for `throttled`, as are the four that follow.
        times: How many attempts fail.
        skip: How many attempts pass before the first.
        probability: How likely it is for each of them.
        table: The real name of a table.
        status: The HTTP status, 500 to 599.
    """
    _check_status("unavailable", status, 500)
    code = "InternalServerError" if status == 500 else "ServiceUnavailable"
    refused = _refused(status, code, "The request could not be processed. Try it again.")
    return _fault("unavailable", refused, operation, times, skip, probability, table)


def error(
    code: str, operation: str | Collection[str] | None = None, *,
    times: int | None = None, skip: int = 0, probability: float = 1.0, table: str | None = None,
    message: str = "injected", status: int = 400,
) -> Fault:  # fmt: skip
    """Let the service refuse requests with any code: `error("AccessDeniedException")`.

    Args:
        code: The service's code.
        operation: As for `throttled`, as are the four that follow.
        times: How many attempts fail.
        skip: How many attempts pass before the first.
        probability: How likely it is for each of them.
        table: The real name of a table.
        message: The service's message.
        status: The HTTP status, 400 to 599.
    """
    _check_code("error", code)
    _check_status("error", status, 400)
    refused = _refused(status, code, message)
    return _fault(code, refused, operation, times, skip, probability, table)


def unreachable(
    operation: str | Collection[str] | None = None, *,
    times: int | None = None, skip: int = 0, probability: float = 1.0, table: str | None = None,
) -> Fault:  # fmt: skip
    """Refuse connections, so that requests certainly do not reach the service.

    Args:
        operation: As for `throttled`, as are the four that follow.
        times: How many attempts fail.
        skip: How many attempts pass before the first.
        probability: How likely it is for each of them.
        table: The real name of a table.
    """
    outcome = Outcome(error=_no_connection)
    return _fault("unreachable", outcome, operation, times, skip, probability, table)


def reset(
    operation: str | Collection[str] | None = None, *,
    times: int | None = None, skip: int = 0, probability: float = 1.0, table: str | None = None,
) -> Fault:  # fmt: skip
    """Break the connection before the service has the request; the caller cannot know that.

    Args:
        operation: As for `throttled`, as are the four that follow.
        times: How many attempts fail.
        skip: How many attempts pass before the first.
        probability: How likely it is for each of them.
        table: The real name of a table.
    """
    outcome = Outcome(error=_lost_connection)
    return _fault("reset", outcome, operation, times, skip, probability, table)


def lost_reply(
    operation: str | Collection[str] | None = None, *,
    times: int | None = None, skip: int = 0, probability: float = 1.0, table: str | None = None,
) -> Fault:  # fmt: skip
    """Let the service carry out requests, and lose its replies with the connection.

    Args:
        operation: As for `throttled`, as are the four that follow.
        times: How many replies are lost.
        skip: How many attempts pass before the first.
        probability: How likely it is for each of them.
        table: The real name of a table.
    """
    outcome = Outcome(sent=True, error=_lost_connection)
    return _fault("lost_reply", outcome, operation, times, skip, probability, table)


def latency(
    seconds: float, operation: str | Collection[str] | None = None, *,
    times: int | None = None, skip: int = 0, probability: float = 1.0, table: str | None = None,
) -> Fault:  # fmt: skip
    """Let requests take longer. With a `clock` on the session, only that clock moves.

    Args:
        seconds: How much longer.
        operation: As for `throttled`, as are the four that follow.
        times: How many attempts are late.
        skip: How many attempts pass before the first.
        probability: How likely it is for each of them.
        table: The real name of a table.
    """
    if not _is_number(seconds, 0, threading.TIMEOUT_MAX):
        problem = f"seconds={seconds!r}: a number of seconds from 0 on is expected"
        raise ModelError("latency", problem)
    outcome = Outcome(seconds=seconds)
    return _fault("latency", outcome, operation, times, skip, probability, table)


def unprocessed(
    operation: str | Collection[str] | None = None, *,
    times: int | None = None, skip: int = 0, probability: float = 1.0, table: str | None = None,
    fraction: float = 1.0,
) -> Fault:  # fmt: skip
    """Let the service leave part of a batch unprocessed: `UnprocessedItems` of BatchWriteItem and
    `UnprocessedKeys` of BatchGetItem. The rest is carried out.

    Args:
        operation: One of the two; by default both.
        times: How many replies leave something unprocessed.
        skip: How many batches pass before the first.
        probability: How likely it is for each of them.
        table: The real name of a table; batches without it pass.
        fraction: How much of a batch stays unprocessed, over 0 to 1: its last items, and at least one.
    """
    if not _is_number(fraction, 0, 1) or not fraction:
        problem = f"fraction={fraction!r}: a number over 0, up to 1, is expected"
        raise ModelError("unprocessed", problem)
    chosen = _operations("unprocessed", operation) or _BATCHES
    if not chosen <= _BATCHES:
        problem = f"{min(chosen - _BATCHES)} leaves nothing: name one of {sorted(_BATCHES)}"
        raise ModelError("unprocessed", problem)
    return Fault(
        name="unprocessed", fraction=fraction, operations=chosen, table=table, times=times,
        skip=skip, probability=probability,
    )  # fmt: skip


def _fault(
    name: str, outcome: Outcome, operation: str | Collection[str] | None, times: int | None,
    skip: int, probability: float, table: str | None,
) -> Fault:  # fmt: skip
    return Fault(
        name=name, outcome=outcome, operations=_operations(name, operation), table=table,
        times=times, skip=skip, probability=probability,
    )  # fmt: skip


def _operations(owner: str, given: object) -> frozenset[str]:
    if given is None:
        return frozenset()
    several = isinstance(given, Collection) and not isinstance(given, str)
    names: list[object] = [*cast("Collection[object]", given)] if several else [given]
    texts = [each for each in names if isinstance(each, str)]
    if not texts or len(texts) < len(names):
        meant = ""
        if _is_number(given, 0, math.inf):
            meant = f"; write {'fraction' if owner == 'unprocessed' else 'times'}={given!r}"
        raise ModelError(
            owner,
            f"operation={given!r}: the name of an operation is expected, such as "
            f"{'BatchWriteItem' if owner == 'unprocessed' else 'PutItem'!r}, or several{meant}",
        )
    found = {operation_name(each) if "_" in each or each.islower() else each for each in texts}
    for each in found - _OPERATIONS:
        hint = did_you_mean(each, _OPERATIONS)
        raise ModelError(owner, f"a session has no operation {each!r}{hint}")
    return frozenset(found)


def _is_number(value: object, least: float, most: float) -> bool:
    return type(value) in (int, float) and least <= cast("float", value) <= most


def _check_status(owner: str, status: object, least: int) -> None:
    if type(status) is not int or not least <= status <= 599:
        raise ModelError(owner, f"status={status!r}: {least} to 599 is expected")


def _check_code(owner: str, code: object) -> None:
    if not isinstance(code, str) or not code:
        problem = f"code={code!r}: a code of the service is expected, such as 'ThrottlingException'"
        raise ModelError(owner, problem)


def _refused(status: int, code: str, message: str) -> Outcome:
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    body = json.dumps({"__type": kind, "message": message}).encode()
    return Outcome(status=status, body=body)


def _lost_connection(url: str) -> Exception:
    return ConnectionClosedError(endpoint_url=url, error="injected")


def _no_connection(url: str) -> Exception:
    return EndpointConnectionError(endpoint_url=url, error="injected")


class Injected:
    """What has been injected so far.

    Attributes:
        counts: How often each fault has happened, in the order in which they were given.
        by_operation: How often any fault has happened, by operation.
    """

    def __init__(self, given: tuple[Fault, ...], seed: int) -> None:
        self._faults = given
        self._passed = [0] * len(given)
        self._random = random.Random(seed)  # noqa: S311 - the same each time is what is wanted
        self._lock = threading.Lock()
        self.counts = [0] * len(given)
        self.by_operation: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How often any of them has happened."""
        return sum(self.counts)

    def __repr__(self) -> str:
        parts = zip(self._faults, self.counts, strict=True)
        return f"<injected: {', '.join(f'{each.name} {count}x' for each, count in parts)}>"

    def outcome(self, operation: str, tables: tuple[str, ...]) -> Outcome | None:
        found = self._next(operation, tables, parts=False)
        return None if found is None else found.outcome

    def hold_back(
        self, operation: str, tables: tuple[str, ...], requests: Message
    ) -> tuple[Message, Message] | None:
        found = self._next(operation, tables, parts=True)
        return None if found is None else _divided(requests, found.fraction)

    def _next(self, operation: str, tables: tuple[str, ...], *, parts: bool) -> Fault | None:
        """The first fault that happens now."""
        with self._lock:
            return self._found(operation, tables, parts)

    def _found(self, operation: str, tables: tuple[str, ...], parts: bool) -> Fault | None:
        for place, each in enumerate(self._faults):
            if (each.outcome is None) is not parts or not _concerns(each, operation, tables):
                continue
            if each.times is not None and self.counts[place] >= each.times:
                continue
            self._passed[place] += 1
            if self._passed[place] <= each.skip:
                continue
            if each.probability < 1.0 and self._random.random() >= each.probability:
                continue
            self.counts[place] += 1
            self.by_operation[operation] += 1
            return each
        return None


def _concerns(fault: Fault, operation: str, tables: tuple[str, ...]) -> bool:
    if fault.operations and operation not in fault.operations:
        return False
    return fault.table is None or fault.table in tables


def _divided(requests: Message, fraction: float) -> tuple[Message, Message]:
    """The part of a batch that is sent, and the one that is left: its last requests."""
    places = [
        (table, one)
        for table, each in requests.items()
        for one in (each["Keys"] if isinstance(each, Mapping) else each)
    ]
    first = len(places) - max(1, math.ceil(len(places) * fraction))
    sent, left = places[:first], places[first:]
    return _grouped(requests, sent), _grouped(requests, left)


def _grouped(requests: Message, places: list[tuple[str, Any]]) -> Message:
    found: dict[str, Any] = {}
    for table, one in places:
        found.setdefault(table, []).append(one)
    for table, each in requests.items():
        if table in found and isinstance(each, Mapping):
            found[table] = {**each, "Keys": found[table]}
    return found


@contextlib.contextmanager
def faults(
    session: Session | AsyncSession, *given: Fault, seed: int = 0
) -> Generator[Injected, None, None]:
    """Let requests of a session go wrong inside a `with` statement.

    Each attempt meets the first fault that applies to it and is not used up. `with` statements nest; faults
    of the outer one come first.

        with faults(session, throttled("PutItem", times=2)) as injected:

    Args:
        session: A `Session` or an `AsyncSession`. Other sessions are not affected.
        given: What goes wrong.
        seed: Seeds the probabilities: with the same seed, the same sequence of requests meets the same
            faults.

    Yields:
        What has been injected: `.count`, `.counts`, `.by_operation`.

    Raises:
        ModelError: *session* is not a session, something is not a fault, or *seed* is not an int.
        ConfigurationError: At a call: something other than an endpoint answers the client, such as moto's
            decorator, a Stubber or a patched method, so that no fault could reach it.
    """
    for each in given:
        if not isinstance(each, Fault):
            raise ModelError("faults", f"a fault is expected, such as throttled(), found {each!r}")
    if type(seed) is not int:
        raise ModelError("faults", f"seed={seed!r}: an int is expected")
    line = instruments_of(session, "faults")
    injected = Injected(given, seed)
    line.spoilers = (*line.spoilers, injected)
    try:
        yield injected
    finally:
        line.spoilers = tuple(each for each in line.spoilers if each is not injected)
