"""Transactions: up to 100 writes that happen all or not at all.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import functools
import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, overload

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import ConditionError, ConditionFailed, ItemExists, NoSuchItem, SessionClosed
from dynattrs.expressions.conditions import (
    Condition,
    Constant,
    Function,
    IsNone,
    Joined,
    Not,
    any_conditions,
)
from dynattrs.keys.kinds import otherwise, subclass_of
from dynattrs.models.model import M
from dynattrs.operations.conditions import (
    Silently,
    as_condition,
    exists,
    holds_of_nothing,
    joined,
    no_item,
    of_kind,
    with_condition,
)
from dynattrs.operations.flows import Flow, written_as
from dynattrs.operations.item_keys import (
    NO_KEY,
    is_class_of,
    key_parts,
    own_key,
    plain_key,
    put_key,
    target,
)
from dynattrs.operations.owner import Owner
from dynattrs.operations.refusals import check_constant
from dynattrs.operations.transaction_errors import TransactionError, TransactionFailed
from dynattrs.operations.writing import idempotent
from dynattrs.operations.writing.encoding import Encoded, encode
from dynattrs.operations.writing.transaction_actions import (
    TransactionAction,
    TransactionActions,
    nothing,
)
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.expressions.operand_types import Key
    from dynattrs.expressions.updates import Action
    from dynattrs.operations.locks import AnyLock
    from dynattrs.operations.reading import partiql
    from dynattrs.operations.writing import (
        edits,
        migration,
        spellings,
        stated_values,
        statement_transactions,
        transaction_edits,
        unique_items,
        unique_transactions,
        unique_writes,
        updates,
    )
    from dynattrs.operations.writing import (
        prepared as prepared_updates,
    )
    from dynattrs.operations.writing.statement_transactions import TransactionRow
else:
    edits = deferred("dynattrs.operations.writing.edits")
    transaction_edits = deferred("dynattrs.operations.writing.transaction_edits")
    partiql = deferred("dynattrs.operations.reading.partiql")
    statement_transactions = deferred("dynattrs.operations.writing.statement_transactions")
    migration = deferred("dynattrs.operations.writing.migration")
    prepared_updates = deferred("dynattrs.operations.writing.prepared")
    spellings = deferred("dynattrs.operations.writing.spellings")
    stated_values = deferred("dynattrs.operations.writing.stated_values")
    unique_transactions = deferred("dynattrs.operations.writing.unique_transactions")
    unique_writes = deferred("dynattrs.operations.writing.unique_writes")
    updates = deferred("dynattrs.operations.writing.updates")


R = TypeVar("R")

#: Makes the request of an action, under a further condition.
Make: TypeAlias = "Callable[[Condition | None], dict[str, Any]]"


@written_as("transaction")
class TransactionVerbs:
    """The actions of a transaction. Nothing is sent before its block ends; then all, or nothing.

    What is given here is encoded at once, and mapping errors are raised at once.
    """

    def __init__(self, handle: Owner, token: str | None, now: datetime | None = None) -> None:
        idempotent.check_token(token)
        idempotent.check_now(now)
        self._handle = handle
        self._token = token
        self._core = idempotent.core_at(handle._core, token, now)
        self._actions = TransactionActions(self._core, migration.renew)
        #: The actions on items with unique fields, whose guards are known when it is sent.
        self._planned: list[unique_transactions.Planned] = []
        #: Those of PartiQL: there are no others then.
        self._statements: statement_transactions.TransactionStatements | None = None
        self._ended = False
        self._closing: Callable[[], None] | None = None
        #: Who has begun the block; None before that.
        self._caller: Hashable = None

    def save(self, obj: M, *, when: bool | None = None) -> M:
        """Put an object, over what is stored under its key.

        Returns:
            The object; for a frozen class with a version or time stamps, the one to be stored.
        """
        encoded = self._encoded(obj)
        found = joined(as_condition(when, encoded.info), encoded.unmoved())
        self._add_put(encoded, found, f"save({_of(encoded)})")
        return cast("M", encoded.stored())

    def insert(self, obj: M) -> M:
        """Put an object if there is no item with its key; else the transaction fails."""
        encoded = self._encoded(obj)
        found = no_item(encoded.info)
        self._add_put(encoded, found, f"insert({_of(encoded)})", inserting=True)
        return cast("M", encoded.stored())

    def _encoded(self, obj: object) -> Encoded:
        if self._token is None:
            return encode(self._core, obj)
        with idempotent.telling(self._token, obj):
            return encode(self._core, obj)

    def _add_put(
        self, encoded: Encoded, found: Condition | None, written: str, *, inserting: bool = False
    ) -> None:
        info, key = encoded.info, encoded.key
        # With a token the sets of the item have an order.
        item = encoded.sent if self._token is None else encoded.item
        make = self._made("Put", {"Item": item}, info, key, found)
        new_of: unique_items.NewOf | None = (lambda _: encoded.item) if info.guarding else None
        self._take(
            written, info, key, make, new_of, inserting=inserting,
            size=encoded.size, settle=encoded.settle, measure=encoded.measured, said=found,
        )  # fmt: skip

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

        def of_class(own: ModelInfo) -> prepared_updates.Prepared:
            made = updates.prepare(
                self._core, own, item_key, actions, version=version, when=when,
                upsert=upsert, seen=own is not info, obj=None if is_class_of(subject) else subject,
            )  # fmt: skip
            # With a token it is sent in one form only.
            return made if self._token is not None else made.asking_parents()

        with idempotent.telling(self._token, subject):
            prepared = of_class(info)
        written = (
            f"update({info.name} {plain_key(info, item_key)}, {prepared_updates.listed(actions)})"
        )
        if prepared.upsert and self._token is not None:
            raise TransactionError(
                f"token={self._token!r}: what {written} sends with upsert=True depends on whether "
                f"there is an item, so a repeated transaction would differ; let an item remember "
                f"it: insert a receipt in the same transaction, without a token"
            )
        guessed = spellings.guesses(info, prepared.stated) if is_class_of(subject) else None
        if guessed is not None and self._token is not None:
            raise TransactionError(
                f"token={self._token!r}: in which form {guessed} is stored is not known, so a repeated "
                f"transaction could differ; give the object that was read, t.update(obj, ...)"
            )
        new_of = unique_writes.changes_of(prepared, any_item=True) if info.guarding else None
        if is_class_of(subject):
            self._check_subclasses(written, info, otherwise(info), guarded=new_of is not None)
        made = 0 if prepared.new is None else prepared.new.size
        size = max(made, stated_values.least_size(info, item_key, prepared.stated))
        request = prepared_updates.InTransaction(
            self._core, prepared, turns=new_of is None,
            of_subclass=of_class if is_class_of(subject) else None,
        )  # fmt: skip
        self._take(
            written, info, item_key, request.under, new_of, whole=False, size=size,
            again=request.again, make_new=None if prepared.new is None else request.making,
            asked=prepared.asked, unfit=request.unfit,
        )  # fmt: skip

    def edit(self, obj: M, /, *, guard: bool = False) -> transaction_edits.TransactionEditing[M]:
        """A block that changes an object, `with t.edit(song):`. What has changed at its end is one action:
        an update as `session.edit` makes it, or none where nothing has changed.

        The object is as it is stored when the transaction has happened. Where it fails, the object keeps
        the changes, and its next edit writes them.

        Args:
            obj: The object, as it was read.
            guard: Demand that the places that change are still as they were read.

        Raises:
            KeyChanged: At the end of the block: the key was changed; see `move`.
            MappingError: At the end of the block: a value has no place in DynamoDB.
        """
        self._check_taking("edit(...)")
        return transaction_edits.TransactionEditing(self, obj, edits.begin(obj, guard=guard))

    def _take_edit(self, edit: edits.Edit) -> None:
        info = edit.info
        with idempotent.telling(self._token, edit.obj):
            edited = transaction_edits.ended(self._core, edit)
        if edited is None:
            return
        prepared = edited.prepared(self._core)
        action = transaction_edits.EditAction(self._core, edited, prepared)
        new_of = None
        if edited.is_unique:
            new_of = unique_writes.edited(info, edit.before, edited.after)
        self._take(
            f"edit({info.name} {plain_key(info, prepared.key)})", info, prepared.key, action.under, new_of,
            whole=False, size=edited.size, settle=edited.settle, again=action.again, asked=prepared.asked,
        )  # fmt: skip

    def delete(self, subject: object, key: object = NO_KEY, /, *, when: bool | None = None) -> None:
        """Delete an object's item, or the one with a key."""
        self._on_key("Delete", "delete", subject, key, lambda info: as_condition(when, info))

    def move(self, old: object, new: M, /) -> M:
        """Insert *new* under its key and delete the item of *old*, which must be there: two actions.

        Returns:
            The object; for a frozen class with a version or time stamps, the one to be stored.

        Raises:
            ConditionError: Both have the same key.
        """
        info, target = model_info(type(old)), model_info(type(new))
        key, other = own_key(info, old), put_key(target, new)
        core = self._handle._core
        same_table = core.table_name(info.table) == core.table_name(target.table)
        if same_table and key == other:
            raise ConditionError(
                f"move: both objects have the key {plain_key(info, key)}, so nothing moves; use "
                f"save(...) or edit(...)"
            )
        actions, planned = len(self._actions), len(self._planned)
        try:
            self._on_key("Delete", "delete", old, NO_KEY, exists)
            return self.insert(new)
        except BaseException:
            # Both or neither, also where the caller goes on after the error.
            self._actions.keep(actions)
            del self._planned[planned:]
            raise

    @overload
    def check(self, subject: type[object], key: Key, condition: bool, /) -> None: ...
    @overload
    def check(self, subject: object, condition: bool, /) -> None: ...
    def check(self, subject: object, *rest: object) -> None:
        """Demand a condition of an item that the transaction does not write: `check(Song, key,
        Song.plays > 3)` or `check(song, ...)`, which also checks the object's version.

        There must be such an item, of the class, also where the condition is true of what is absent
        (`Song.plays != 3`). That there is none is said by `not_exists` of a field of the key.
        """
        key, given = rest if len(rest) == 2 else (NO_KEY, rest[0])
        self._on_key(
            "ConditionCheck", "check", subject, key, lambda info: as_condition(given, info)
        )

    def check_lock(self, lock: AnyLock, /) -> None:
        """Demand that a lock is held still, with the fencing number that it was taken with: what a holder
        does that has lost it without knowing is not done. It counts as an action of the transaction.

        Raises:
            LockLost: It is not held, by this process's clock.
        """
        lock.check()
        self._take(f"check_lock({lock.name!r})", *lock._guard(), None)

    @overload
    def execute(
        self, statement: str, /, *parameters: object, model: type[M]
    ) -> TransactionRow[M]: ...
    @overload
    def execute(
        self, statement: str, /, *parameters: object, model: None = None
    ) -> TransactionRow[dict[str, Any]]: ...
    def execute(
        self, statement: str, /, *parameters: object, model: object = None
    ) -> TransactionRow[Any]:
        """Run a PartiQL statement with the others of the transaction: all of them write, or all read, and
        none of them is `save`, `update` or another verb. Each is of one item, which its WHERE names by the
        whole key.

        Args:
            statement: The statement, with the table's real name, and `?` for parameters.
            parameters: Values for the `?`, any that a field of type `Any` can have.
            model: The class of the row; without it that is a dict of plain values.

        Returns:
            What has the row, `.row`, when the block has ended.

        Raises:
            TransactionError: It cannot be part of this transaction.
            QueryError: It gives a part of an item as an object.
        """
        said = partiql.said(statement, parameters)
        self._check_taking(f"execute({said})")
        if len(self._actions):
            raise TransactionError(
                f"execute({said}): the transaction has {next(iter(self._actions)).written} already, and "
                f"DynamoDB takes statements or other actions, not both"
            )
        statements = self._statements
        if statements is None:
            statements = statement_transactions.TransactionStatements(self._core, self._token)
        row = statements.add(said, partiql.rows_of(self._core, model))
        self._statements = statements
        return row

    def _on_key(
        self,
        kind: str,
        verb: str,
        subject: object,
        key: object,
        condition: Callable[[ModelInfo], Condition | None],
    ) -> None:
        """Add an action that sends a key, and asks *condition* and the object's version."""
        info, item_key, version = target(subject, key)
        written = f"{verb}({info.name} {plain_key(info, item_key)})"
        checks, guarded = kind == "ConditionCheck", bool(info.guarding) and kind == "Delete"
        stated = condition(info)
        asked = joined(stated, version)
        check_constant("TransactWriteItems", info, item_key, asked)
        if checks and (asked is None or isinstance(asked, Constant)):
            raise TransactionError(f"{written}: its condition is always true; leave it out")

        def of_class(own: ModelInfo) -> Make:
            wanted = asked if own is info else joined(condition(own), version)
            wanted = _guarded(own, item_key, wanted, checks=checks)
            return self._made(kind, {"Key": item_key}, own, item_key, wanted)

        again = None
        if isinstance(stated, Silently) and is_class_of(subject):
            self._check_subclasses(written, info, otherwise(info, stored=True), guarded=guarded)
            again = _OfSubclass(info, of_class)
        new_of: unique_items.NewOf | None = (lambda _: None) if guarded else None
        self._take(written, info, item_key, of_class(info), new_of, again=again, said=stated)

    def _check_subclasses(
        self, written: str, info: ModelInfo, others: Mapping[str, ModelInfo], *, guarded: bool
    ) -> None:
        """Refuse an action that would be another one for items of some subclasses, where the transaction
        has to be known before.
        """
        own = next(iter(others.values()), None)
        if own is None or (self._token is None and not guarded):
            return
        why = f"token={self._token!r}" if self._token is not None else "unique fields"
        raise TransactionError(
            f"{written}: items of {own.name} are written differently from those of {info.name}, and the "
            f"transaction must know which one this is ({why}); give {own.name}, or the object that was read"
        )

    def _made(
        self,
        kind: str,
        what: Mapping[str, object],
        info: ModelInfo,
        key: AttributeMap,
        found: Condition | None,
    ) -> Make:
        """What makes the request of an action under a further condition."""
        check_constant("TransactWriteItems", info, key, found)
        table = self._core.table_name(info.table)
        return lambda further: {
            kind: with_condition({"TableName": table, **what}, joined(found, further))
        }

    def _take(
        self,
        written: str,
        info: ModelInfo,
        key: AttributeMap,
        make: Make,
        new_of: unique_items.NewOf | None,
        *,
        inserting: bool = False,
        whole: bool = True,
        size: int = 0,
        settle: Callable[[], None] = nothing,
        again: Callable[[AttributeMap | None], dict[str, Any] | None] | None = None,
        make_new: Make | None = None,
        asked: Condition | None = None,
        said: Condition | None = None,
        measure: Callable[[], int] | None = None,
        unfit: Callable[[Exception], Flow[None]] | None = None,
    ) -> None:
        """Take an action in. One that has guards (*new_of*) is made anew when these are known."""
        self._check_taking(written)
        if self._statements is not None:
            raise TransactionError(
                f"{written}: the transaction has statements of PartiQL already, and DynamoDB takes "
                f"these or other actions, not both"
            )
        if new_of is not None and self._token is not None:
            raise TransactionError(
                f"token={self._token!r}: a transaction that writes {info.name}, which has unique "
                f"fields, depends on what is stored, so a repeated one would differ; let an item "
                f"remember it: insert a receipt in the same transaction, without a token"
            )
        # What the caller's token stands for must not depend on what is stored.
        again = again if self._token is None else idempotent.refusing_alone(again)
        request = make(None) if self._token is None else idempotent.in_one_order(make(None))
        said = asked if said is None else said
        made = (written, request, info, key, size, settle, again, asked, said, measure, unfit)
        action = TransactionAction(*made)
        self._actions.add(action)
        if new_of is not None:
            self._planned.append(
                unique_transactions.Planned(
                    action, make, new_of, inserting, whole, make_new=make_new
                )
            )

    def _check_taking(self, written: str) -> None:
        """Refuse an action where none is taken any more, or yet."""
        if self._ended:
            raise SessionClosed("transaction")
        if self._caller is None:
            raise TransactionError(
                f"{written}: this transaction has no open block, so nothing would be sent; write `with "
                f"session.transaction() as t:`"
            )

    def _begin(self) -> None:
        if self._ended:
            raise SessionClosed("transaction")
        if self._caller is not None:
            raise TransactionError("the block of this transaction is open already")
        # The one who began it: a block may be left by another thread or task than entered it.
        self._caller = self._core.environment.caller()
        # An interruption may come before its end is called: then it is open until it is gone.
        opened, counted = self._core.transactions, [False]
        self._closing = functools.partial(_close, opened, self._caller, counted)
        weakref.finalize(self, self._closing).atexit = False
        opened[self._caller] += 1
        counted[0] = True

    def _end(self) -> None:
        self._ended = True
        if self._closing is not None:
            self._closing()

    def _commit(self) -> Flow[None]:
        handle = self._handle
        if self._statements is not None:
            yield from handle._settle_everything(others=not self._statements.reads)
            yield from self._statements.commit()
            return
        if handle._may_hold():
            for table, key in self._actions.items():
                yield from handle._settle_written(table, key)
        if self._planned:
            committing = functools.partial(
                unique_transactions.commit, self._core, self._actions, self._planned
            )
            yield from migration.as_today(self._core, committing)
            return
        yield from self._actions.commit(self._token or self._core.environment.token())


def _guarded(
    info: ModelInfo, item_key: AttributeMap, asked: Condition | None, *, checks: bool
) -> Condition | None:
    """What is asked of an item, and that it is of the model."""
    guard = of_kind(info, key=item_key)
    if not checks or asked is None or not holds_of_nothing(asked):
        return joined(asked, guard)
    if not _speaks_of_none(asked, info):
        return joined(asked, exists(info), guard)
    # Another model's item is as good as none.
    return asked if guard is None else any_conditions((asked, Not(guard)))


@attrs.define(eq=False)
class _OfSubclass:
    """An action on the item of a class and a key, in the form that is right for the item's own class."""

    info: ModelInfo
    make: Callable[[ModelInfo], Make]

    def __call__(self, item: AttributeMap | None) -> dict[str, Any] | None:
        own = None if item is None else subclass_of(self.info, item, stored=True)
        if own is None:
            return None
        self.info = own
        return self.make(own)(None)


def _speaks_of_none(found: Condition, info: ModelInfo, *, negated: bool = False) -> bool:
    """Whether a condition says by itself that there may be no item: by `not_exists`, or `is_none`, of a
    field of the key, which every item has.
    """
    if isinstance(found, Silently):
        return _speaks_of_none(found.stated, info, negated=negated)
    if isinstance(found, Joined):
        return any(_speaks_of_none(each, info, negated=negated) for each in found.parts)
    if isinstance(found, Not):
        return _speaks_of_none(found.part, info, negated=not negated)
    if isinstance(found, IsNone):
        absent, operand = not found.negated, found.operand
    elif isinstance(found, Function) and found.argument is None:
        absent, operand = found.service_name == "attribute_not_exists", found.operand
    else:
        return False
    steps = [*((name,) for name in info.table.key), *(part.steps for part in key_parts(info))]
    return absent is not negated and operand.steps in steps


def _of(encoded: Encoded) -> str:
    return f"{encoded.info.name} {plain_key(encoded.info, encoded.key)}"


# --- Another primary key ------------------------------------------------------------------------


def _close(opened: Counter[Hashable], caller: Hashable, counted: list[bool]) -> None:
    if counted[0]:
        counted[0] = False
        opened[caller] -= 1
        if not opened[caller]:
            del opened[caller]  # callers come and go


def move(handle: Owner, old: object, new: R) -> Flow[R]:
    """Save *new* under its key and delete the item of *old*, both or neither."""
    info, target = model_info(type(old)), model_info(type(new))
    key, other = own_key(info, old), put_key(target, new)
    transaction = TransactionVerbs(handle, None)
    transaction._begin()
    try:
        stored = transaction.move(old, cast("Any", new))
    finally:
        transaction._end()
    try:
        yield from transaction._commit()
    except TransactionFailed as error:
        gone, there = error.reasons
        if gone is not None and gone.code == "ConditionalCheckFailed":
            if gone.item is None:
                raise NoSuchItem(info.name, plain_key(info, key)) from error
            raise ConditionFailed(
                "TransactWriteItems", info.name, plain_key(info, key), gone.action, gone.item
            ) from error
        if there is not None and there.code == "ConditionalCheckFailed":
            raise ItemExists(
                "TransactWriteItems",
                target.name,
                plain_key(target, other),
                there.action,
                there.item,
                there.kind,
            ) from error
        raise
    return cast("R", stored)
