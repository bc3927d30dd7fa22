"""Transactions with the guards of their actions (see `unique_items`).

The old values are those of the item that is stored, and it is demanded that they are still so. If another
writer has changed them meanwhile, the transaction is made again of what is stored now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from dynattrs.expressions.conditions import Condition
from dynattrs.keys.kinds import is_other, subclass_of
from dynattrs.mapper.upgrades import is_outdated
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow
from dynattrs.operations.refusals import Outdated
from dynattrs.operations.transaction_errors import TransactionFailed
from dynattrs.operations.writing.transaction_actions import TransactionAction, TransactionActions
from dynattrs.operations.writing.unique_items import (
    GuardedWrite,
    LeftGuard,
    NewOf,
    guard_actions,
    has_guards,
    is_unchanged,
    left_guard,
    stored_item,
    taken_of,
    unchanged,
    wholly,
)
from dynattrs.schema.table import AttributeMap


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
        yield from commit_known(core, actions, planned, known)
    except TransactionFailed as failed:
        if any(failed.reasons[:own]):
            raise TransactionFailed(failed.reasons[:own]) from failed.__cause__
        raise


def commit_known(
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
            still, stored = unchanged(info, old, asked.get(number)), old
            if aged and old:
                # What goes wholly need not be brought up to date, which may be impossible.
                old = own.mapper.current(own, old)
            each.action.request.clear()
            each.action.request.update(each.made_of(old)(still))
            afresh = each.afresh or aged or (old is not None and not has_guards(info, old))
            whole = each.whole or "Put" in each.action.request
            changes.append(GuardedWrite(info, key, stored, old, each.new_of(old), whole, afresh))
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
