"""Transactions: up to 100 writes that happen all or not at all.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, cast, overload

import attrs

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.errors import (
    MappingError,
    OutcomeUnknown,
    Reason,
    SessionClosed,
    TransactionError,
    TransactionFailed,
)
from dynattrs.expressions.conditions import Condition, Value
from dynattrs.mapper import Mapper
from dynattrs.mapper.size import item_size
from dynattrs.model import M
from dynattrs.operations.batch import PASSING
from dynattrs.operations.conflicts import is_conflict
from dynattrs.operations.core import Core, Encoded, encode, quietly
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.keys import identity, key_in, plain_key
from dynattrs.operations.requests import (
    TransactionCanceled,
    as_condition,
    check_constant,
    exists,
    joined,
    no_item,
    version_is,
    with_condition,
)
from dynattrs.operations.verbs import NO_KEY, Verbs, is_class_of, target
from dynattrs.schema import AttributeMap, ModelInfo

if TYPE_CHECKING:
    from dynattrs.expressions.updates import Action
    from dynattrs.operations import consistent_reads, outcomes, updates
else:
    consistent_reads = deferred("dynattrs.operations.consistent_reads")
    outcomes = deferred("dynattrs.operations.outcomes")
    updates = deferred("dynattrs.operations.updates")


def _nothing() -> None:
    return None


@attrs.frozen(eq=False, repr=False)
class Part:
    """One action of a transaction.

    Attributes:
        written: The action as Python, for messages: `save(Song {...})`.
        request: What TransactWriteItems takes: `{"Put": {...}}`.
        info: The model.
        key: The item's primary key.
        size: The bytes of it.
        settle: Called when the service has said yes.
    """

    written: str
    request: dict[str, Any]
    info: ModelInfo
    key: AttributeMap
    size: int = 0
    settle: Callable[[], None] = _nothing


@attrs.define(eq=False, repr=False)
class Parts:
    """The actions of one transaction, in the caller's order."""

    core: Core
    _parts: list[Part] = attrs.field(factory=list, init=False)
    _by_item: dict[Hashable, Part] = attrs.field(factory=dict, init=False)
    _size: int = attrs.field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, part: Part) -> None:
        """Take an action in.

        Raises:
            TransactionError: It is the 101st, makes the transaction larger than 4 MB, or acts on
                an item that another action acts on already.
        """
        table = self.core.table_name(part.info.table)
        which = identity(table, part.key)
        other = self._by_item.get(which)
        if other is not None:
            raise TransactionError(
                f"{part.written} and {other.written} act on the same item; DynamoDB takes one "
                f"action for each item of a transaction"
            )
        if len(self._parts) == limits.TRANSACTION_ACTIONS:
            raise TransactionError(
                f"{part.written} would be action {len(self._parts) + 1}; a transaction has at most "
                f"{limits.TRANSACTION_ACTIONS}, and is never split, which would not be atomic"
            )
        if self._size + part.size > limits.TRANSACTION_BYTES:
            raise TransactionError(
                f"{part.written} would make the transaction {self._size + part.size:,} bytes "
                f"large; at most {limits.TRANSACTION_BYTES:,} are possible"
            )
        self._by_item[which] = part
        self._parts.append(part)
        self._size += part.size

    def items(self) -> list[tuple[str, AttributeMap]]:
        """The table and key of each item that is acted on."""
        return [(self.core.table_name(part.info.table), part.key) for part in self._parts]

    def commit(self, token: str) -> Flow[None]:
        """Send the transaction. Conflicts with others, and failures that pass, are retried until the
        deadline: the token makes that safe, also where a reply was lost.

        Raises:
            TransactionFailed: It did not happen; it has a reason for each action at fault.
            OutcomeUnknown: A reply was lost, and no later one told what became of it.
        """
        if not self._parts:
            return
        environment = self.core.environment
        patience = min(self.core.deadline.total_seconds(), limits.TRANSACTION_TOKEN_SECONDS)
        until = environment.monotonic() + patience
        uncertain = False
        parameters = {
            "TransactItems": [part.request for part in self._parts],
            "ClientRequestToken": token,
        }
        attempt = 0
        while True:
            try:
                yield Call("transact_write_items", parameters)
            except TransactionCanceled as error:
                if len(error.reasons) != len(self._parts):
                    raise  # an engine that gives none: what it says instead is all there is
                reasons = [
                    self._reason(part, reason)
                    for part, reason in zip(self._parts, error.reasons, strict=True)
                ]
                at_fault = {reason.code for reason in reasons if reason is not None}
                if (
                    not at_fault <= consistent_reads.PASSING_REASONS
                    or environment.monotonic() >= until
                ):
                    raise TransactionFailed(reasons) from error
                why: BaseException | str = ", ".join(sorted(at_fault)) or error
            except outcomes.FAILURES as error:
                uncertain = uncertain or error.uncertain
                if getattr(error, "code", "") == "IdempotentParameterMismatchException":
                    raise TransactionError(
                        f"the token {token!r} was used within the last ten minutes for a transaction "
                        f"that does something else, and this one did not happen; versions and time "
                        f"stamps count too. Use another token"
                    ) from error
                passing = isinstance(error, PASSING) or is_conflict(error)
                if not passing or environment.monotonic() >= until:
                    if not uncertain:
                        raise
                    raise OutcomeUnknown("TransactWriteItems", "the transaction") from error
                why = error
            else:
                break
            attempt += 1
            tables = (table for table, _ in self.items())
            yield self.core.pause_before(
                attempt, "TransactWriteItems", tables, len(self._parts), why
            )
        for part in self._parts:
            part.settle()

    def _reason(self, part: Part, reason: dict[str, Any]) -> Reason | None:
        code = reason.get("Code") or "None"
        if code == "None":
            return None
        item: Any = reason.get("Item")
        if item:
            # What cannot be read as an object is given as it is stored.
            with contextlib.suppress(MappingError):
                item = cast("Mapper", part.info.mapper).load(item, part.info.cls)
                finish = self.core.after_load(part.info)
                item = item if finish is None else quietly(finish, item)
        return Reason(part.written, code, reason.get("Message") or "", item or None)


class TransactionVerbs:
    """The actions of a transaction. Nothing is sent before its block ends; then all, or nothing.

    What is given here is encoded at once, and mapping errors are raised at once.
    """

    def __init__(self, handle: Verbs, token: str | None) -> None:
        _check_token(token)
        self._handle = handle
        self._token = token
        self._parts = Parts(handle._core)
        self._ended = False
        #: Who has begun the block; None before that.
        self._caller: Hashable = None

    def save(self, obj: M, *, when: bool | None = None) -> M:
        """Put an object, in place of what is stored under its key.

        Returns:
            The object; for a frozen class with a version or time stamps, the one to be stored.
        """
        encoded = encode(self._handle._core, obj)
        found = joined(as_condition(when, encoded.info), version_is(encoded.info, encoded.obj))
        self._add_put(encoded, found, f"save({encoded.info.name} ...)")
        return cast("M", encoded.stored())

    def insert(self, obj: M) -> M:
        """Put an object if there is no item with its key; else the transaction fails."""
        encoded = encode(self._handle._core, obj)
        found = no_item(encoded.info)
        self._add_put(encoded, found, f"insert({encoded.info.name} ...)")
        return cast("M", encoded.stored())

    def _add_put(self, encoded: Encoded, found: Condition | None, written: str) -> None:
        info, key = encoded.info, key_in(encoded.info, encoded.item)
        parameters = {"TableName": self._table(info), "Item": encoded.item}
        self._add("Put", written, info, key, parameters, found, encoded.size, encoded.settle)

    def update(
        self,
        subject: Any,
        key: Any = NO_KEY,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
    ) -> None:
        """Change an item where it is: `update(Song, key, *actions)` or `update(song, *actions)`."""
        if not is_class_of(subject) and key is not NO_KEY:
            actions, key = (key, *actions), NO_KEY
        info, item_key, version = target(subject, key)
        prepared = updates.prepare(
            self._handle._core, info, item_key, actions, version=version, when=when, upsert=upsert,
            obj=None if is_class_of(subject) else subject,
        )  # fmt: skip
        written = f"update({info.name} {plain_key(info, item_key)}, {_listed(actions)})"
        size = _least_size(item_key, prepared.stated)
        self._open_part(Part(written, {"Update": prepared.parameters}, info, item_key, size))

    def delete(self, subject: Any, key: Any = NO_KEY, /, *, when: bool | None = None) -> None:
        """Delete an object's item, or the one with a key."""
        self._on_key("Delete", "delete", subject, key, lambda info: as_condition(when, info))

    def _delete_existing(self, obj: Any) -> None:
        """Delete an object's item, which must be there."""
        self._on_key("Delete", "delete", obj, NO_KEY, exists)

    @overload
    def check(self, subject: type[Any], key: object, condition: bool, /) -> None: ...
    @overload
    def check(self, subject: object, condition: bool, /) -> None: ...
    def check(self, subject: Any, *rest: Any) -> None:
        """Demand a condition of an item that the transaction does not write: `check(Song, key,
        Song.plays > 3)` or `check(song, ...)`, which also checks the object's version.
        """
        key, given = rest if len(rest) == 2 else (NO_KEY, rest[0])
        self._on_key(
            "ConditionCheck", "check", subject, key, lambda info: as_condition(given, info)
        )

    def _on_key(
        self,
        kind: str,
        verb: str,
        subject: Any,
        key: Any,
        condition: Callable[[ModelInfo], Condition | None],
    ) -> None:
        """Add an action that sends a key, and asks *condition* and the object's version."""
        info, item_key, version = target(subject, key)
        written = f"{verb}({info.name} {plain_key(info, item_key)})"
        parameters = {"TableName": self._table(info), "Key": item_key}
        asked = joined(condition(info), version)
        self._add(kind, written, info, item_key, parameters, asked)

    def _table(self, info: ModelInfo) -> str:
        return self._handle._core.table_name(info.table)

    def _add(
        self,
        kind: str,
        written: str,
        info: ModelInfo,
        key: AttributeMap,
        parameters: dict[str, Any],
        found: Condition | None,
        size: int = 0,
        settle: Callable[[], None] = _nothing,
    ) -> None:
        check_constant("TransactWriteItems", info, key, found)
        with_condition(parameters, found)
        if "ReturnValuesOnConditionCheckFailure" not in parameters and kind == "ConditionCheck":
            raise TransactionError(f"{written}: its condition is always true; leave it out")
        self._open_part(Part(written, {kind: parameters}, info, key, size, settle))

    def _open_part(self, part: Part) -> None:
        if self._ended:
            raise SessionClosed("transaction")
        if self._caller is None:
            raise TransactionError(
                f"{part.written}: the block of this transaction has not begun, and without one "
                f"nothing is ever sent; write `with session.transaction() as t:`"
            )
        self._parts.add(part)

    def _begin(self) -> None:
        if self._ended:
            raise SessionClosed("transaction")
        if self._caller is not None:
            raise TransactionError("the block of this transaction is open already")
        core = self._handle._core
        self._caller = core.environment.caller()
        core.transactions[self._caller] += 1

    def _end(self) -> None:
        self._ended = True
        # The one who began it: a block may be left by another thread or task than entered it.
        opened = self._handle._core.transactions
        opened[self._caller] -= 1
        if not opened[self._caller]:
            del opened[self._caller]  # callers come and go

    def _commit(self) -> Flow[None]:
        handle = self._handle
        for table, key in self._parts.items():
            yield from handle._settle_pending(table, key)
        yield from self._parts.commit(self._token or handle._core.environment.token())


def _check_token(token: object) -> None:
    longest = limits.TRANSACTION_TOKEN_LENGTH
    if token is not None and not (isinstance(token, str) and 1 <= len(token) <= longest):
        raise TransactionError(
            f"token={token!r}: a str of 1 to {longest} characters is expected; leave it out for a "
            f"new one"
        )


def _least_size(key: AttributeMap, actions: Sequence[Action]) -> int:
    """The bytes that an item has at least after an update: what else is stored nobody knows."""
    whole = {
        str(each.steps[0]): each.value.stored
        for each in actions
        if each.clause == "SET" and len(each.steps) == 1 and isinstance(each.value, Value)
    }
    return item_size({**whole, **key})


def _listed(actions: Sequence[object]) -> str:
    return ", ".join(map(str, actions))
