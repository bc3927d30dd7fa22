"""Writes of items with unique fields, each in one transaction with its guards (see `unique_items`).

A write knows the old values from the item that is stored, and demands that they are still so. If
somebody has changed them meanwhile, it begins again from what is stored now.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

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
from dynattrs.operations.writing.transaction_actions import TransactionAction, TransactionActions
from dynattrs.operations.writing.unique_items import (
    GuardedWrite,
    LeftGuard,
    NewOf,
    concerns,
    guard_actions,
    guards_of,
    has_guards,
    has_same_guards,
    is_unchanged,
    left_guard,
    stored_item,
    taken_of,
    unchanged,
    watched,
    wholly,
)
from dynattrs.operations.writing.updates import Prepared, Returns
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

    Raises:
        AlreadyTaken: Another item has a value that this one would have.
        OutcomeUnknown: A reply was lost, and no later one told what became of it.
    """
    actions = TransactionActions(core)
    planned = Planned(
        TransactionAction(written, {}, info, key), make, new_of, inserting, whole, renews, afresh,
        exact,
    )  # fmt: skip
    actions.add(planned.action)
    try:
        [before] = yield from _commit(core, actions, [planned], {0: old})
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
    beside: float | None = None,
) -> Flow[None]:
    """Put an item whose model has unique fields.

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
        call = Call("put_item", parameters, deadline=beside)
        try:
            if beside is not None:  # its sender sees to the conflicts
                yield call
            else:
                yield from past_conflicts(core, call)
        except ConditionFalse as error:
            if found is not None and outcomes.put_was_applied(encoded, key, error):
                return
            old = error.item or None
            if found is not None and old is not None and is_unchanged(info, old, item):
                raise condition_failed(error, info, key, found) from error
        except FAILURES as error:
            if found is None or not error.uncertain:
                raise
            raise outcomes.unknown(error, info, key) from error
        else:
            return

    def make(further: Condition) -> dict[str, Any]:
        return {"Put": with_condition({"TableName": table, "Item": sent}, joined(found, further))}

    refused = _refusal("TransactWriteItems", info, key, found, inserting=inserting, replacing=True)
    written = f"{'insert' if inserting else 'save'}({info.name} ...)"
    yield from act(
        core, info, key, written, make, lambda _: encoded.item, refused, old, inserting=inserting
    )


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
        ConditionError: The new value is not written out, or the old item is asked for.
        NoSuchItem: There is none.
    """
    info, key = prepared.info, prepared.key
    new_of = changes_of(prepared)
    if new_of is None or returns not in ("new", "old", "changed", None):
        return (yield from updates.update(core, prepared, returns, _make_new))
    if returns == "old":
        raise ConditionError(
            f"update of {info.name}: a unique field changes in a transaction, which does not return "
            f"the old item; write returns='new' or None"
        )
    changes, written = new_of, f"update({info.name} {plain_key(info, key)})"

    def change() -> Flow[AttributeMap | None]:
        old = yield from stored_item(core, info, key)
        if old is not None and is_other(info, old):
            raise _taken_or_missing(prepared, old)
        if old is None:
            raise NoSuchItem(info.name, plain_key(info, key))
        if (own := subclass_of(info, old)) is not None:
            raise _unlike("TransactWriteItems", info, key, of_itself(info, own), old)
        acting = _act_on(core, prepared, written, changes, old, exact=returns is not None)
        return (yield from acting)

    item = yield from updates.or_new(core, prepared, change, lambda: _make_new(core, prepared))
    if returns is None:
        return None
    if item is None:
        try:
            item = yield from stored_item(core, info, key)
        except FAILURES as error:
            raise outcomes.only_unread(error) from error.__cause__
    return updates.returned(core, prepared, returns, item) if item else None


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
) -> Flow[AttributeMap | None]:
    """Do an update with what it means for guards; where *exact*, the item afterwards if that is sure."""
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
        again = None if isinstance(error, Outdated) else prepared.as_stored(core, stored)
        return error if again is None else _StoredOtherwise(again, stored)

    try:
        before = yield from act(
            core, info, key, written, lambda further: {"Update": prepared.under(further)}, new_of,
            refused, old, whole=False, renews=prepared.renews, exact=exact,
        )  # fmt: skip
    except _StoredOtherwise as otherwise:
        again, stored = otherwise.again, otherwise.stored
        return (yield from _act_on(core, again, written, new_of, stored, exact=exact))
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
                f"{action}: a unique field, or the time to live of a model that has some, is "
                f"changed to a value that is written out: set_(..., value), or remove(...)"
            )
        value = action.value
        changes[str(action.steps[0])] = value.stored if isinstance(value, Value) else None

    def new_of(stored: AttributeMap | None) -> AttributeMap:
        if stored is None and made is not None:
            return made.encoded.item
        new: dict[str, Any] = {**(stored or key), **changes}
        return {name: value for name, value in new.items() if value is not None}

    return new_of


def edit(core: Core, prepared: Prepared, before: AttributeMap, after: AttributeMap) -> Flow[None]:
    """The end of an edit that has changed a unique field, or brings an item up to date.

    Raises:
        NoSuchItem: The item is gone.
    """
    info = prepared.info
    changes = {
        name: after.get(name) for name in watched(info) if before.get(name) != after.get(name)
    }

    def new_of(stored: AttributeMap | None) -> AttributeMap:
        new: dict[str, Any] = {**(stored or {}), **changes}
        return {name: value for name, value in new.items() if value is not None}

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


# --- In transactions ----------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Planned:
    """An action of a transaction on an item whose model has unique fields.

    Attributes:
        action: The action, whose request is written anew when what is stored is known.
        make: Its request under a further condition.
        new_of: What will be stored, of what is.
        inserting: Whether nothing may be stored.
        whole: Whether the new item is known wholly.
        renews: Whether it writes an item of an older schema as one of today's.
        afresh: Whether guards are made of values that do not change as well.
        exact: Whether all that is stored must be as it is known.
        make_new: Its request where nothing is stored, which then is the whole new item.
    """

    action: TransactionAction
    make: Callable[[Condition], dict[str, Any]]
    new_of: NewOf
    inserting: bool = False
    whole: bool = True
    renews: bool = False
    afresh: bool = False
    exact: bool = False
    make_new: Callable[[Condition], dict[str, Any]] | None = None

    def made_of(self, old: AttributeMap | None) -> Callable[[Condition], dict[str, Any]]:
        """What makes the request, of what is stored."""
        return self.make if old is not None or self.make_new is None else self.make_new


def commit(core: Core, actions: TransactionActions, planned: Sequence[Planned]) -> Flow[None]:
    """Send a transaction with the guards of its actions.

    Raises:
        AlreadyTaken: Another item has a value that one of the items would have.
        TransactionFailed: It did not happen; it has a reason for each of the caller's actions.
        TransactionError: With the guards it is larger than a transaction can be.
        OutcomeUnknown: A reply was lost, and no later one told what became of it.
    """
    known: dict[int, AttributeMap | None] = {}
    for number, each in enumerate(planned):
        known[number] = None
        if not each.inserting:
            known[number] = yield from stored_item(core, each.action.info, each.action.key)
    own = len(actions)
    try:
        yield from _commit(core, actions, planned, known)
    except TransactionFailed as failed:
        if any(failed.reasons[:own]):
            raise TransactionFailed(failed.reasons[:own]) from failed.__cause__
        raise


def _commit(
    core: Core,
    actions: TransactionActions,
    planned: Sequence[Planned],
    known: dict[int, AttributeMap | None],
) -> Flow[list[AttributeMap | None]]:
    """Send a transaction with its guards, again where what is stored is not what was *known*; what
    was stored before it.
    """
    environment = core.environment
    until = environment.monotonic() + core.deadline.total_seconds()
    places = {id(action): place for place, action in enumerate(actions)}
    foreign: frozenset[str] = frozenset()
    left: dict[str, LeftGuard] = {}
    attempt = 0
    while True:
        changes = []
        asked: dict[int, frozenset[str]] = {}
        for number, each in enumerate(planned):
            info, key, old = each.action.info, each.action.key, known[number]
            own, aged = info, False
            if old and not is_other(info, old):
                own = subclass_of(info, old, stored=True) or info
                aged = own.has_schema and not each.renews and is_outdated(own, old)
                if aged and not each.whole:
                    # Guards are made of values as they are stored today.
                    raise Outdated(own, old)
                if aged or each.exact:
                    asked[number] = wholly(own, old)
            still = unchanged(info, old, asked.get(number))
            if aged and old:
                # What goes wholly need not be brought up to date, which may be impossible.
                old = own.mapper.current(own, old)
            each.action.request.clear()
            each.action.request.update(each.made_of(old)(still))
            afresh = each.afresh or aged or (old is not None and not has_guards(info, old))
            whole = each.whole or "Put" in each.action.request
            changes.append(GuardedWrite(info, key, old, each.new_of(old), whole, afresh))
        guards = guard_actions(core, changes, foreign, left)
        sent = actions.copy()
        for _, _, action in guards:
            sent.add(action)
        for each_left in left.values():
            if not sent.acts_on(each_left.check):  # what acts on it asks what it is
                sent.add(each_left.check)
        try:
            yield from sent.commit(environment.token())
        except TransactionFailed as failed:
            raw: Sequence[Mapping[str, Any]] = getattr(failed.__cause__, "reasons", ())
            false = [each.get("Code") == "ConditionalCheckFailed" for each in raw]
            if not any(false) or environment.monotonic() >= until:
                raise
            count, others = len(actions), range(len(actions), len(false))
            stale = {}
            for number, each in enumerate(planned):
                place = places[id(each.action)]
                there: AttributeMap | None = raw[place].get("Item") or None
                moved = not is_unchanged(each.action.info, known[number], there, asked.get(number))
                if false[place] and moved and not each.inserting:
                    stale[place], known[number] = number, there
            if any(false[place] and place not in stale for place in range(count)):
                raise
            if not stale:
                found: dict[str, LeftGuard] = {}
                for place in others:
                    if not false[place] or place - len(actions) >= len(guards):
                        continue  # a check: it is found out again
                    text, guard, action = guards[place - len(actions)]
                    if "Put" not in action.request:
                        foreign |= {text}
                        continue
                    leftover = yield from left_guard(core, text, guard, raw[place])
                    if leftover is None:
                        raise taken_of(guard, raw[place]) from failed
                    found[text] = leftover
                left = found
            attempt += 1
            tables = [table for table, _ in sent.items()]
            yield core.pause_before(attempt, "TransactWriteItems", tables, len(sent), failed, until)
        else:
            return [known[number] for number in range(len(planned))]
