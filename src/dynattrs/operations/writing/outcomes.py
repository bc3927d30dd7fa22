"""What is known of a write whose reply was lost.

An attempt that was cut off may have been applied. Puts and deletes without a condition are simply
sent again. A conditional write is sent again too, but then its condition may be false *because* it
was applied: the item that the service returns with the refusal is compared with what was written. An
update that computes (`add` on a number, `Song.plays + 1`, `list_append`) is not sent again, unless a
version guards it. Where nothing can tell, the caller is told so: `OutcomeUnknown`.

What sends calls sets `uncertain` on errors: whether an attempt may have been applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from dynattrs.errors import ConnectionFailed, MappingError, OutcomeUnknown, ServiceError
from dynattrs.expressions.computed import IfNotExists
from dynattrs.expressions.conditions import Comparison, Condition, Value
from dynattrs.expressions.paths import data_of, stored_at
from dynattrs.expressions.updates import Action
from dynattrs.mapper.equality import comparable, same
from dynattrs.operations.item_keys import plain_key
from dynattrs.operations.refusals import ConditionFalse
from dynattrs.operations.writing.encoding import Encoded
from dynattrs.operations.writing.spellings import Steps
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue


def unknown(
    error: ServiceError | ConnectionFailed,
    info: ModelInfo,
    key: AttributeMap,
    item: AttributeMap | None = None,
) -> OutcomeUnknown:
    """The error for a write to one item that may or may not have been applied."""
    found: Any = item
    if item:
        try:
            found = info.mapper.load(item, info.cls)
        except MappingError:
            found = item
    return OutcomeUnknown(error.operation, info.name, plain_key(info, key), found or None)


def only_unread(error: ServiceError | ConnectionFailed) -> ServiceError | ConnectionFailed:
    """The error of a read of what a write has made: it says that the write was done."""
    why = "; the write was done, and this was to read what it made"
    if isinstance(error, ConnectionFailed):
        error.problem += why
    else:
        error.message += why
    error.uncertain = True
    return error


def repeatable(actions: Sequence[Action], done: Sequence[Action] = ()) -> bool:
    """Whether doing *actions* twice is the same as doing them once.

    Not what computes from what is stored, and nothing at a position of a list: removing one shifts
    the others, and setting one past the end appends. A default that stands for what is stored at another
    place is the same twice where the update leaves that place alone.

    Args:
        actions: As the caller stated them.
        done: All that the update does, where that is more.
    """
    every = (*actions, *done)
    return all(_repeatable(each, every) for each in actions)


def _repeatable(action: Action, every: Sequence[Action]) -> bool:
    value = action.value
    if action.clause in ("SET", "REMOVE") and isinstance(action.steps[-1], int):
        return False
    if action.clause == "ADD":
        return isinstance(value, Value) and "N" not in value.stored
    if isinstance(value, IfNotExists):
        source = data_of(value.path).steps
        kept = source == action.steps or not any(_overlap(source, each.steps) for each in every)
        return kept and isinstance(value.default, Value)
    return value is None or isinstance(value, Value)


def _overlap(one: Steps, other: Steps) -> bool:
    """Whether one of two places is the other, or inside it."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def is_done(actions: Sequence[Action], item: AttributeMap) -> bool:
    """Whether *item* shows all that *actions* do."""
    return all(_traces(actions, item))


def version_in(condition: Condition | None) -> int | None:
    """The version that a condition of `version_is` asks for: 0 if it asks that there is none."""
    if condition is None:
        return None
    if isinstance(condition, Comparison):
        return int(cast("Value", condition.right).written)
    return 0


# Each of these is asked after a condition was false. It answers whether an earlier attempt of the
# same write was applied, and raises where nothing can tell.


def put_was_applied(encoded: Encoded, key: AttributeMap, error: ConditionFalse) -> bool:
    """Whether the item that is stored is the one that was put.

    Raises:
        OutcomeUnknown: It is another one, and may have taken the place of ours.
    """
    if not error.uncertain:
        return False
    info, found = encoded.info, error.item
    if found and same(found, encoded.item):
        return True
    version = encoded.moves.get(info.version or "")
    if version is not None and found and _version(info, found) in (version - 1, version):
        # Ours would be equal, or of the version before ours it cannot be.
        return False
    raise unknown(error, info, key, found) from error


def delete_was_applied(
    info: ModelInfo, key: AttributeMap, version: Condition | None, error: ConditionFalse
) -> bool:
    """Whether the item is gone.

    Raises:
        OutcomeUnknown: There is one, and it may have been made after ours was deleted.
    """
    if not error.uncertain:
        return False
    if not error.item:
        return True
    asked, stored = version_in(version), _version(info, error.item)
    if asked and stored is not None and stored >= asked:
        # Versions of a new item begin again: this one was never deleted.
        return False
    raise unknown(error, info, key, error.item) from error


def update_was_applied(
    info: ModelInfo,
    key: AttributeMap,
    version: Condition | None,
    actions: Sequence[Action],
    error: ConditionFalse,
) -> bool:
    """Whether the item that is stored is what *actions* make.

    Raises:
        OutcomeUnknown: It could be, or could have been changed again since.
    """
    if not error.uncertain or not error.item or not actions:
        return False
    asked, stored = version_in(version), _version(info, error.item)
    own = (info.names.get(info.version or "", ""),)
    traces = _traces(actions, error.item, apart=own)
    if asked is not None:
        if stored == asked or (stored == asked + 1 and False in traces):
            return False
        if stored == asked + 1 and traces and None not in traces:
            return True
    elif info.updated is not None and traces and all(traces):
        # Its time stamp, to the microsecond, is ours.
        return True
    raise unknown(error, info, key, error.item) from error


def _version(info: ModelInfo, item: AttributeMap) -> int | None:
    value = item.get(info.names.get(info.version or "", ""), {}).get("N")
    return None if value is None else int(Decimal(value))


def _traces(actions: Sequence[Action], item: AttributeMap, apart: Steps = ()) -> list[bool | None]:
    """Whether *item* shows what each of *actions* does, but for one at the place *apart*; None if that cannot
    be seen. What would have changed nothing says nothing, and is left out.
    """
    traces: list[bool | None] = []
    for each in actions:
        if each.steps == apart:
            continue
        if not _repeatable(each, actions):
            traces.append(None)
        elif not _keeps(each, item):
            traces.append(_trace(each, item))
    return traces


def _keeps(action: Action, item: AttributeMap) -> bool:
    """Whether an action is a default for its own place, where something else is stored."""
    value = action.value
    if not isinstance(value, IfNotExists) or data_of(value.path).steps != action.steps:
        return False
    there = stored_at(item, action.steps)
    return there is not None and not _is(there, value.default)


def _is(there: AttributeValue | None, value: object) -> bool:
    wanted = value.stored if isinstance(value, Value) else None
    return there is not None and wanted is not None and comparable(there) == comparable(wanted)


def _trace(action: Action, item: AttributeMap) -> bool:
    there = stored_at(item, action.steps)
    value = action.value
    if value is None:
        return there is None
    if isinstance(value, IfNotExists):
        source = stored_at(item, data_of(value.path).steps)
        return _is(there, value.default if source is None else Value(source, source))
    wanted = comparable(cast("Value", value).stored)
    if action.clause == "SET":
        return there is not None and comparable(there) == wanted
    # Members of a set. Where something else is stored, the service would have refused it.
    found = comparable(there) if there else (wanted[0], frozenset[Any]())
    if found[0] != wanted[0]:
        return False
    members, present = cast("frozenset[Any]", wanted[1]), cast("frozenset[Any]", found[1])
    return members <= present if action.clause == "ADD" else not members & present
