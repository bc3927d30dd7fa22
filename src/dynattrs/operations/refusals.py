"""What the service refuses: sent again where that passes, and told to callers where it does not.

It refuses a write whose condition is false, or to whose item another writer is just at, a
transaction or another region. Of the latter it has done nothing, so that is sent again until the
deadline, as a transaction is.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from dynattrs.errors import (
    ConditionFailed,
    ConnectionFailed,
    ImpossibleCondition,
    ItemExists,
    MappingError,
    OutcomeUnknown,
    ServiceError,
    ServiceUnavailable,
    Throttled,
)
from dynattrs.expressions.conditions import Condition, Constant
from dynattrs.keys.kinds import is_other, kinds_of, otherwise, subclass_of
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.item_keys import plain_key
from dynattrs.schema.item_models import declared_model_of
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, info_of
from dynattrs.schema.table import AttributeMap

R = TypeVar("R")

#: Failures that pass: the same request may succeed later.
PASSING: Final = (Throttled, ServiceUnavailable, ConnectionFailed)
#: How a call ends that has no answer of its own; each has `uncertain`.
FAILURES: Final = (ServiceError, ConnectionFailed)
#: Reasons of a cancelled transaction that pass: the same one may succeed later.
PASSING_REASONS: Final = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
#: The service's codes where another writer is at an item.
_CONFLICTS: Final = frozenset(
    (
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
        "TransactionInProgressException",
    )
)

_log = logging.getLogger("dynattrs")


class ConditionFalse(ServiceError):
    """The service found a condition false. Flows turn it into `ConditionFailed`."""

    #: What is raised from it says all that it says, so botocore's error becomes the cause of that.
    retold = True
    item: AttributeMap | None = None


class TransactionCanceled(ServiceError):
    """The service did not do a transaction. Flows turn it into `TransactionFailed`."""

    retold = True
    reasons: Sequence[Message] = ()


class Outdated(Exception):
    """A write met an item of an older schema. `migration.as_today` brings it up to date and asks again.

    Attributes:
        info: The model.
        item: What is stored.
    """

    def __init__(self, info: ModelInfo, item: AttributeMap) -> None:
        super().__init__(info, item)
        self.info = info
        self.item = item


# --- Conflicts ----------------------------------------------------------------------------------


def is_conflict(error: BaseException) -> bool:
    """Whether another writer was at an item, so that the same request may succeed later."""
    return getattr(error, "code", None) in _CONFLICTS


def in_doubt(error: Exception, earlier: bool) -> bool:
    """Whether an attempt may have been applied, the one that *error* ended or an *earlier* one, which
    the error of the last one then says.
    """
    if isinstance(error, FAILURES):
        error.uncertain = earlier = earlier or error.uncertain
    return earlier


def past_conflicts(core: Core, call: Call) -> Flow[Message]:
    """The response to a write of one item, which is sent again while another writer is at the item.

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
            response: Message = yield call
        except FAILURES as error:
            uncertain = in_doubt(error, uncertain)
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
        yield core.pause_before(attempt, cause.operation, (table,), 1, cause, until)


# --- What callers are told ----------------------------------------------------------------------


def check_constant(
    operation: str, info: ModelInfo, key: AttributeMap, found: Condition | None
) -> None:
    """A condition that is false without asking, such as `in_` of nothing, needs no request."""
    if isinstance(found, Constant) and not found.value:
        raise ImpossibleCondition(operation, info.name, plain_key(info, key), str(found))


def disowned(info: ModelInfo, error: ConditionFalse) -> str | None:
    """What the item is that a condition was asked of, where it is of another model. To verbs that are
    given a class that is as if there were no item, and *error* has none then.
    """
    kinds = kinds_of(info)
    kind = None if kinds is None or not error.item else kinds.other(error.item)
    if kind is not None:
        error.item = None
    return kind


def check_current(
    info: ModelInfo, key: AttributeMap, error: ConditionFalse, *, stored: bool = True
) -> None:
    """Say so where a condition was asked of an item of an older schema, or of a subclass that is written
    otherwise.

    Args:
        info: The model.
        key: The item's.
        error: What the service said.
        stored: Only of a subclass whose items are stored otherwise.

    Raises:
        Outdated: It is of an older schema.
        ConditionFailed: It is of such a subclass.
        MappingError: The item is of a newer schema than the model.
    """
    if not error.item:
        return
    own = subclass_of(info, error.item, stored=stored)
    if own is not None:
        raise condition_failed(error, info, key, of_itself(info, own)) from error
    if not info.has_schema or is_other(info, error.item):
        return
    from dynattrs.mapper.upgrades import is_outdated

    if is_outdated(info, error.item):
        raise Outdated(info, error.item) from error


def of_itself(info: ModelInfo, own: ModelInfo) -> str:
    """The condition, in words, that an item is of a model, and not *own*."""
    return f"that the item is written as {info.name} writes it, and not as its subclass {own.name} does"


def subclass_met(info: ModelInfo, error: ConditionFailed) -> ModelInfo | None:
    """The subclass of the item that a write met, where that is written otherwise."""
    if isinstance(error.item, dict):  # it could not be read
        return subclass_of(info, error.item)
    own = info_of(type(error.item))
    return own if own in otherwise(info).values() else None


def condition_failed(
    error: ConditionFalse,
    info: ModelInfo,
    key: AttributeMap,
    found: Condition | str,
    kind: type[ConditionFailed] = ConditionFailed,
    model: Any = None,
) -> ConditionFailed:
    """The error for callers: with the item found as an object, where it can be read.

    Args:
        error: What the service said.
        info: The model.
        key: The item's key.
        found: What is false.
        kind: The error's class.
        model: The class that was given, with arguments where it is generic; None for the model's own.
    """
    item = found_object(info, error.item, model) if error.item else None
    kinds = kinds_of(info)
    other = None if kinds is None or not error.item else kinds.other(error.item)
    hint = ""
    if error.item and other is None and isinstance(found, Condition):
        # Imported where a condition was false, and not before.
        from dynattrs.operations.writing.spellings import not_looked_for

        hint = not_looked_for(info, found, error.item)
    return kind(error.operation, info.name, plain_key(info, key), str(found), item, other, hint)


def item_exists(
    error: ConditionFalse, info: ModelInfo, key: AttributeMap, found: Condition | str
) -> ConditionFailed:
    return condition_failed(error, info, key, found, ItemExists)


def found_object(info: ModelInfo, item: AttributeMap, model: Any = None) -> Any:
    """An item that a write has met, as an object of the model that it is of; as it is stored where that
    cannot be read, which tells more than nothing.
    """
    with contextlib.suppress(MappingError):
        if is_other(info, item):
            info, model = declared_model_of(info.table, item) or info, None
        return info.mapper.load(item, info.cls if model is None else model)
    return item


def with_found(core: Core, info: ModelInfo, flow: Flow[R]) -> Flow[R]:
    """A flow whose errors carry the item found, if any, as it is after the hooks.

    A hook that raises then is logged: it must not hide why the write was refused.
    """
    finish = core.after_load(info)
    return flow if finish is None else _with_found(info, finish, flow)


def _with_found(info: ModelInfo, finish: Callable[[Any], object], flow: Flow[R]) -> Flow[R]:
    try:
        return (yield from flow)
    except (ConditionFailed, OutcomeUnknown) as error:
        if type(error.item) is info.cls:
            error.item = quietly(finish, error.item)
        raise


def quietly(finish: Callable[[Any], object], obj: object) -> Any:
    """An object of an error after the hooks, or as it was read where one of them raises."""
    try:
        return finish(obj)
    except Exception:
        _log.exception("an after_load hook failed on the item of an error")
        return obj
