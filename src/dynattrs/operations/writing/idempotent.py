"""What makes a transaction the same one when it is repeated with the caller's token.

DynamoDB compares what is sent. So nothing may be in it that differs between two tries, from whatever
process: no time of the clock, and no order of a set.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any, Final

import attrs

from dynattrs import limits
from dynattrs.operations.context import Core
from dynattrs.operations.item_keys import is_class_of
from dynattrs.operations.transaction_errors import TransactionError
from dynattrs.schema.model_info import model_info
from dynattrs.schema.table import AttributeMap

_SETS: Final = frozenset({"SS", "NS", "BS"})


class _NoTime(Exception):
    """The clock was asked for a time stamp."""


def _no_time() -> datetime:
    raise _NoTime


def check_token(token: object) -> None:
    """Refuse a token that DynamoDB would not take.

    Raises:
        TransactionError: It says what a token is.
    """
    longest = limits.TRANSACTION_TOKEN_LENGTH
    if token is not None and not (isinstance(token, str) and 1 <= len(token) <= longest):
        raise TransactionError(
            f"token={token!r}: a str of 1 to {longest} characters is expected; leave it out for a "
            f"new one"
        )


def check_now(now: object) -> None:
    """Refuse what is not a time stamp.

    Raises:
        TransactionError: It says what is.
    """
    if now is not None and (not isinstance(now, datetime) or now.utcoffset() is None):
        raise TransactionError(f"now={now!r}: a datetime with a time zone is expected")


def core_at(core: Core, token: str | None, now: datetime | None) -> Core:
    """The settings of a transaction, whose time stamps are *now*. Without one a transaction that may be
    repeated has no clock.
    """
    if now is None and token is None:
        return core
    clock = _no_time if now is None else lambda: now
    own = copy.copy(core)  # it shares all else
    own.environment = attrs.evolve(core.environment, now=clock)
    return own


@contextlib.contextmanager
def telling(token: str | None, subject: object) -> Generator[None]:
    """Refuse what would need the time of the clock, in words.

    Raises:
        TransactionError: It names the fields, and what to do.
    """
    try:
        yield
    except _NoTime:
        info = model_info(subject if is_class_of(subject) else type(subject))
        fields = [f"{info.name}.{name}" for name in (info.created, info.updated) if name]
        stamps = " and ".join(fields) + (" are time stamps" if fields[1:] else " is a time stamp")
        raise TransactionError(
            f"token={token!r}: {stamps}, which would say another time whenever this transaction is "
            f"repeated, so that it would be another one to DynamoDB; give the time that all of its "
            f"tries share, from what it is about: transaction(token=..., now=order.placed_at)"
        ) from None


def in_one_order(request: dict[str, Any]) -> dict[str, Any]:
    """A request with its sets in order: Python's differ from process to process."""
    ordered: dict[str, Any] = _in_order(request)
    return ordered


def _in_order(value: object) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            (kind, held), *_ = value.items()
            if kind in _SETS and isinstance(held, (list, tuple, set, frozenset)):
                return {kind: sorted(held)}
        return {name: _in_order(each) for name, each in value.items()}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def refusing_alone(
    again: Callable[[AttributeMap | None], object] | None,
) -> Callable[[AttributeMap | None], None] | None:
    """What says of what is stored that it goes with no such action, and gives no other form of it."""
    if again is None:
        return None

    def refuse(item: AttributeMap | None) -> None:
        again(item)

    return refuse
