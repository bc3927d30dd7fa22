"""Writes of items with unique fields, each in one transaction with its guards (see `unique_items`).

A write knows the old values from the item that is stored, and demands that they are still so. If
another writer has changed them meanwhile, it begins again from what is stored now.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dynattrs.errors import ConditionError, NoSuchItem, OutcomeUnknown
from dynattrs.expressions.conditions import Condition, Value
from dynattrs.keys.kinds import is_other, subclass_of
from dynattrs.mapper.equality import same
from dynattrs.mapper.upgrades import is_outdated
from dynattrs.operations.conditions import holds_of_nothing, joined, of_kind, with_condition
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.item_keys import plain_key
from dynattrs.operations.refusals import (
    FAILURES,
    ConditionFalse,
    Outdated,
    condition_failed,
    item_exists,
    of_itself,
    past_conflicts,
)
from dynattrs.operations.transaction_errors import TransactionFailed
from dynattrs.operations.writing import outcomes, updates
from dynattrs.operations.writing.applied import NotComputed, applied
from dynattrs.operations.writing.encoding import Encoded
from dynattrs.operations.writing.index_keys import lacks
from dynattrs.operations.writing.prepared import InTransaction, Prepared, Unfit
from dynattrs.operations.writing.transaction_actions import TransactionAction, TransactionActions
from dynattrs.operations.writing.unique_items import (
    NewOf,
    concerns,
    guards_of,
    has_same_guards,
    is_unchanged,
    stored_item,
    watched,
    wholly,
)
from dynattrs.operations.writing.unique_transactions import Planned, commit_known
from dynattrs.operations.writing.updates import Returns
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

# --- One action with its guards -----------------------------------------------------------------


def act(
    core: Core,
    info: ModelInfo,
    key: AttributeMap,
    written: str,
    make: Callable[[Condition], dict[str, Any]],
    new_of: NewOf,
    refused: Callable[[AttributeMap | None, TransactionFailed], Exception],
    old: AttributeMap | None,
    *,
    whole: bool = True,
    inserting: bool = False,
    renews: bool = False,
    afresh: bool = False,
    exact: bool = False,
    unfit: Callable[[Exception], Flow[None]] | None = None,
) -> Flow[AttributeMap | None]:
    """Do one action and what it means for guards, in a transaction; what was stored before it.

    Args:
        core: Settings.
        info: The model.
        key: The item's primary key.
        written: The action as Python.
        make: The action's request under a further condition.
        new_of: What will be stored, of what is.
        refused: The error for a condition of the caller's that is false, of what is stored.
        old: What is stored, as far as is known; it is found out where that is wrong.
        whole: Whether the new item is known wholly.
        inserting: Whether nothing may be stored.
        renews: Whether it writes an item of an older schema as one of today's.
        afresh: Whether guards are made of values that do not change as well.
        exact: Whether what is given is the whole item as it was when the action was done. Of one of
            very many attributes, the unique values are.
        unfit: As of a `TransactionAction`.

    Raises:
        AlreadyTaken: Another item has a value that this one would have.
        OutcomeUnknown: A reply was lost, and no later one told what became of it.
    """
    actions = TransactionActions(core)
    action = TransactionAction(written, {}, info, key, unfit=unfit)
    planned = Planned(action, make, new_of, inserting, whole, renews, afresh, exact)
    actions.add(planned.action)
    try:
        [before] = yield from commit_known(core, actions, [planned], {0: old})
    except TransactionFailed as failed:
        raw: Sequence[Mapping[str, Any]] = getattr(failed.__cause__, "reasons", ())
        if raw and raw[0].get("Code") == "ConditionalCheckFailed":
            raise refused(raw[0].get("Item") or None, failed) from failed
        raise
    except OutcomeUnknown as error:
        raise OutcomeUnknown("TransactWriteItems", info.name, plain_key(info, key)) from error
    return before


def _refusal(
    operation: str,
    info: ModelInfo,
    key: AttributeMap,
    asked: Condition | None,
    *,
    inserting: bool = False,
    replacing: bool = False,
) -> Callable[[AttributeMap | None, TransactionFailed], Exception]:
    def refused(stored: AttributeMap | None, failed: TransactionFailed) -> Exception:
        other = stored is not None and is_other(info, stored)
        if other and not replacing:
            stored = None
        if stored is not None and not other:
            own = subclass_of(info, stored, stored=True)
            if own is not None and asked is not None and not inserting:
                return _unlike(operation, info, key, of_itself(info, own), stored)
            if own is None and info.has_schema and is_outdated(info, stored):
                return Outdated(info, stored)
        if asked is None:
            return failed
        return _unlike(operation, info, key, asked, stored, inserting=inserting)

    return refused


def _unlike(
    operation: str,
    info: ModelInfo,
    key: AttributeMap,
    asked: Condition | str,
    stored: AttributeMap | None,
    *,
    inserting: bool = False,
) -> Exception:
    error = ConditionFalse(operation, "ConditionalCheckFailed", "", None)
    error.item = stored
    explain = item_exists if inserting else condition_failed
    return explain(error, info, key, asked)


def put(
    core: Core,
    encoded: Encoded,
    key: AttributeMap,
    found: Condition | None,
    *,
    inserting: bool = False,
    returning: bool = False,
    beside: float | None = None,
) -> Flow[AttributeMap | None]:
    """Put an item whose model has unique fields; what was stored, with *returning*.

    Where the stored item is of the model and has the same unique values, it is one PutItem. Where not,
    the refusal of that brings the stored item, and so the old values, and a transaction follows.
    """
    info, sent = encoded.info, encoded.sent
    item = encoded.attributes(watched(info))
    table = core.table_name(info.table)
    old: AttributeMap | None = None
    guarded = None if inserting else has_same_guards(info, item, key)
    if guarded is None and not inserting:
        old = yield from stored_item(core, info, key, beside)
    elif guarded is not None:
        asked = joined(found, guarded)
        parameters = with_condition({"TableName": table, "Item": sent}, asked)
        if returning:
            parameters["ReturnValues"] = "ALL_OLD"
        version = info.version is not None
        call = Call("put_item", parameters, deadline=beside, repeat=not returning or version)
        try:
            response: Any
            if beside is not None:  # its sender sees to the conflicts
                response = yield call
            else:
                response = yield from past_conflicts(core, call)
        except ConditionFalse as error:
            if found is not None and outcomes.put_was_applied(encoded, key, error):
                if returning:  # what it was went with the lost reply
                    raise outcomes.unknown(error, info, key, error.item) from error
                return None
            old = error.item or None
            if found is not None and old is not None and is_unchanged(info, old, item):
                raise condition_failed(error, info, key, found) from error
        except FAILURES as error:
            if (found is None and not returning) or not error.uncertain:
                raise
            raise outcomes.unknown(error, info, key) from error
        else:
            return response.get("Attributes") if returning else None

    def make(further: Condition) -> dict[str, Any]:
        return {"Put": with_condition({"TableName": table, "Item": sent}, joined(found, further))}

    refused = _refusal("TransactWriteItems", info, key, found, inserting=inserting, replacing=True)
    written = f"{'insert' if inserting else 'save'}({info.name} ...)"
    return (
        yield from act(
            core, info, key, written, make, lambda _: encoded.item, refused, old,
            inserting=inserting, exact=returning,
        )
    )  # fmt: skip


def delete(
    core: Core, info: ModelInfo, key: AttributeMap, found: Condition | None, *, exact: bool = False
) -> Flow[AttributeMap | None]:
    """Delete an item with its guards; what it was, None if there was none: its unique values, or, where
    it is asked for *exact*, all of it.
    """
    old = yield from stored_item(core, info, key)
    if old is None and found is None:
        return None
    table, of_model = core.table_name(info.table), of_kind(info, key=key)
    refusal = _refusal("TransactWriteItems", info, key, found)

    def make(further: Condition) -> dict[str, Any]:
        parameters = {"TableName": table, "Key": key}
        return {"Delete": with_condition(parameters, joined(found, of_model, further))}

    def refused(stored: AttributeMap | None, failed: TransactionFailed) -> Exception:
        return _Disowned() if stored and is_other(info, stored) else refusal(stored, failed)

    written = f"delete({info.name})"
    if old is None or not is_other(info, old):
        with contextlib.suppress(_Disowned):
            deleting = act(
                core, info, key, written, make, lambda _: None, refused, old, exact=exact
            )
            return (yield from deleting)
    if found is not None and not holds_of_nothing(found):
        raise _unlike("TransactWriteItems", info, key, found, None)
    return None


class _Disowned(Exception):
    """What is stored is of another model: there is nothing to delete."""


def update(core: Core, prepared: Prepared, returns: Returns) -> Flow[Any]:
    """An update of an item that has guards.

    Raises:
        ConditionError: The new value is not written out.
        NoSuchItem: There is none.
    """
    info, key = prepared.info, prepared.key
    new_of = changes_of(prepared)
    updates.check_returns(returns)
    if new_of is None:
        return (yield from updates.update(core, prepared, returns, _make_new))
    prepared = prepared.asking_parents()
    # A transaction returns nothing: the old item is known where it is asked to be still so.
    old_one = returns in ("old", "changed_old")
    changes, written = new_of, f"update({info.name} {plain_key(info, key)})"

    def change() -> Flow[AttributeMap | None]:
        old = yield from stored_item(core, info, key)
        if old is not None and is_other(info, old):
            raise _taken_or_missing(prepared, old)
        if old is None:
            raise NoSuchItem(info.name, plain_key(info, key))
        if (own := subclass_of(info, old)) is not None:
            raise _unlike("TransactWriteItems", info, key, of_itself(info, own), old)
        exact = returns is not None
        acting = _act_on(core, prepared, written, changes, old, exact=exact, old_one=old_one)
        return (yield from acting)

    def new() -> Flow[AttributeMap | None]:
        made = yield from _make_new(core, prepared)
        return made if made is None or not old_one else {}

    item = yield from updates.or_new(core, prepared, change, new)
    if returns is not None and item is None:
        try:
            item = yield from stored_item(core, info, key)
        except FAILURES as error:
            raise outcomes.only_unread(error) from error.__cause__
    return updates.returned(core, prepared, returns, item)


def _make_new(core: Core, prepared: Prepared) -> Flow[AttributeMap | None]:
    """Make the item of an upsert with its guards; None where there is one."""
    info, key = prepared.info, prepared.key
    assert prepared.new is not None
    item = prepared.new.encoded.item
    if not guards_of((info,), key, item):
        return (yield from updates.make_new(core, prepared))

    def make(further: Condition) -> dict[str, Any]:
        return {"Put": prepared.making(further)}

    def refused(stored: AttributeMap | None, failed: TransactionFailed) -> Exception:
        return NoSuchItem(info.name, plain_key(info, key)) if stored is None else _IsThere()

    written = f"update({info.name} {plain_key(info, key)}, upsert=True)"
    try:
        yield from act(
            core, info, key, written, make, lambda _: item, refused, None, inserting=True
        )
    except _IsThere:
        return None
    return item


class _IsThere(Exception):
    """There is an item where one was to be made."""


def _act_on(
    core: Core,
    prepared: Prepared,
    written: str,
    new_of: NewOf,
    old: AttributeMap | None,
    *,
    exact: bool = False,
    old_one: bool = False,
) -> Flow[AttributeMap | None]:
    """Do an update with what it means for guards; where *exact*, the item afterwards if that is sure, or
    the *old one*.
    """
    info, key = prepared.info, prepared.key

    def refused(stored: AttributeMap | None, failed: TransactionFailed) -> Exception:
        if stored is not None and is_other(info, stored):
            return _taken_or_missing(prepared, stored)
        if stored is None:
            return NoSuchItem(info.name, plain_key(info, key))
        if prepared.renews and prepared.asked is not None:
            return _unlike("TransactWriteItems", info, key, prepared.asked, stored)
        if (own := subclass_of(info, stored)) is not None:
            return _unlike("TransactWriteItems", info, key, of_itself(info, own), stored)
        if lacks(info, prepared.asked, stored):
            return Outdated(info, stored)
        error = _refusal("TransactWriteItems", info, key, prepared.asked)(stored, failed)
        try:
            again = None if isinstance(error, Outdated) else prepared.as_stored(core, stored)
        except ConditionError as unfit:
            return Unfit(unfit, prepared, stored)
        return error if again is None else _StoredOtherwise(again, stored)

    try:
        before = yield from act(
            core, info, key, written, prepared.action, new_of,
            refused, old, whole=False, renews=prepared.renews, exact=exact,
            unfit=InTransaction(core, prepared).unfit,
        )  # fmt: skip
    except _StoredOtherwise as otherwise:
        again, stored = otherwise.again, otherwise.stored
        acting = _act_on(core, again, written, new_of, stored, exact=exact, old_one=old_one)
        return (yield from acting)
    except Unfit as unfit:
        yield from updates.check_asked(core, prepared, unfit.item)
        raise unfit.error from None
    if old_one:
        return before
    if not exact or before is None or not before.keys() - info.table.key <= wholly(info, before):
        return None
    with contextlib.suppress(NotComputed):
        return applied(prepared.acts, before)
    return None


class _StoredOtherwise(Exception):
    """What was read is stored in another form than was asked for."""

    def __init__(self, again: Prepared, stored: AttributeMap | None) -> None:
        super().__init__()
        self.again = again
        self.stored = stored


def _taken_or_missing(prepared: Prepared, stored: AttributeMap) -> Exception:
    """The error of an update where an item of another model is."""
    error = ConditionFalse("TransactWriteItems", "ConditionalCheckFailed", "", None)
    error.item = stored
    taken = updates.taken_by_another(prepared, error) if prepared.upsert else None
    return taken or NoSuchItem(prepared.info.name, plain_key(prepared.info, prepared.key))


def changes_of(prepared: Prepared, *, any_item: bool = False) -> NewOf | None:
    """What an update makes of the attributes of guards; None if it leaves them alone.

    Args:
        prepared: The update.
        any_item: Whether the new item of an upsert counts as well.

    Raises:
        ConditionError: A new value is not written out.
    """
    info, key, made = prepared.info, prepared.key, prepared.new
    names = watched(info)
    touched = concerns(info, (each.steps[0] for each in prepared.stated))
    if not touched and (made is None or not any_item):
        return None
    changes: dict[str, AttributeValue | None] = {}
    for action in prepared.stated:
        if action.steps[0] not in names:
            continue
        plain = len(action.steps) == 1 and (
            action.clause == "REMOVE"
            or (action.clause == "SET" and isinstance(action.value, Value))
        )
        if not plain:
            raise ConditionError(
                f"{action}: unique fields, and the time to live of a model that has some, can only be set "
                f"to a given value or removed; write set_(..., value) or remove(...)"
            )
        value = action.value
        changes[str(action.steps[0])] = value.stored if isinstance(value, Value) else None

    def new_of(stored: AttributeMap | None) -> AttributeMap:
        if stored is None and made is not None:
            return made.encoded.item
        new: dict[str, Any] = {**(stored or key), **changes}
        return {name: value for name, value in new.items() if value is not None}

    return new_of


def edited(info: ModelInfo, before: AttributeMap, after: AttributeMap) -> NewOf:
    """What an edit makes of the attributes of guards."""
    changes = {
        name: after.get(name) for name in watched(info) if before.get(name) != after.get(name)
    }

    def new_of(stored: AttributeMap | None) -> AttributeMap:
        new: dict[str, Any] = {**(stored or {}), **changes}
        return {name: value for name, value in new.items() if value is not None}

    return new_of


def edit(core: Core, prepared: Prepared, before: AttributeMap, after: AttributeMap) -> Flow[None]:
    """The end of an edit that has changed a unique field, or brings an item up to date.

    Raises:
        NoSuchItem: The item is gone.
    """
    info = prepared.info
    new_of = edited(info, before, after)
    written = f"edit({info.name} {plain_key(info, prepared.key)})"
    yield from _act_on(core, prepared, written, new_of, before)


def guard(core: Core, info: ModelInfo, key: AttributeMap) -> Flow[bool]:
    """Make the guards of an item that was there before its fields were unique; whether any lacked.

    Raises:
        AlreadyTaken: Another item has one of its values.
    """
    stored = yield from stored_item(core, info, key)
    if stored is not None and is_other(info, stored):
        return False
    table = core.table_name(info.table)
    lacking = False
    for each in guards_of(info.guarding, key, stored).values():
        reading = {"TableName": table, "Key": each.key, "ConsistentRead": True}
        found = (yield Call("get_item", reading)).get("Item")
        lacking = lacking or found is None or not same(found, each.item)
    if not lacking:
        return False

    def make(further: Condition) -> dict[str, Any]:
        return {"ConditionCheck": with_condition({"TableName": table, "Key": key}, further)}

    refused = _refusal("TransactWriteItems", info, key, None)
    written = f"guard({info.name} {plain_key(info, key)})"
    yield from act(
        core, info, key, written, make, lambda item: item, refused, stored, whole=False, afresh=True
    )
    return True
