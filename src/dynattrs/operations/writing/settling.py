"""What a save changes about an object: its version and time stamps, and what it carries of its key.

It changes when the service has said yes, and not before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from dynattrs.mapper.carried import NOTHING_CARRIED, assign, carried_by, carry_on
from dynattrs.operations.context import Core, is_frozen
from dynattrs.operations.item_keys import written_key
from dynattrs.operations.requests import item_in
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeValue

NO_MOVES: Final[Mapping[str, Any]] = {}


def moves_of(core: Core, info: ModelInfo, obj: object) -> dict[str, Any]:
    """The fields that a save of an object changes, with their new values."""
    moves: dict[str, Any] = {}
    if info.version is not None:
        moves[info.version] = (getattr(obj, info.version) or 0) + 1
    created = info.created if info.created and getattr(obj, info.created) is None else None
    if created or info.updated:
        now = core.environment.now()
        moves.update((name, now) for name in (created, info.updated) if name)
    return moves


def settling_packed(
    info: ModelInfo, obj: object, moves: Mapping[str, object], request: object
) -> Callable[[], None]:
    """What is to be called when the service has stored an object whose *request* is JSON."""
    key, rekeyed = carried_by(obj).key, False
    if key is not None:
        item = item_in(request)
        rekeyed = any(item.get(name) != value for name, value in key.stored.items())
        taken(obj, rekeyed)
    return functools.partial(settle, info, obj, moves, rekeyed)


def taken(obj: object, rekeyed: bool) -> None:
    carried = carried_by(obj).key
    if carried is not None and rekeyed:
        carry_on(obj, key=attrs.evolve(carried, left=True))


def settle(info: ModelInfo, obj: object, moves: Mapping[str, object], rekeyed: bool) -> None:
    if carried_by(obj) is not NOTHING_CARRIED:
        settle_edit(obj)
        carried = carried_by(obj).key
        # It may have got its former key again meanwhile.
        if rekeyed and carried is not None and carried.of(written_key(info, obj)) is None:
            carry_on(obj, key=None)
    if moves and not is_frozen(info):
        moved(info, obj, moves)


def moved(info: ModelInfo, obj: object, moves: Mapping[str, object]) -> Any:
    for name, value in moves.items():
        # Neither validators nor hooks: these are the library's fields.
        assign(obj, name, value)
        if value == 0 and name == info.version and info.carries:
            # Another program counts from below 0. A new object has a version of 0 as well.
            known = carried_by(obj).as_stored
            carry_on(obj, as_stored={**known, info.names[name]: {"N": "0"}})
    return obj


def settle_edit(obj: object, left_alone: Mapping[str, AttributeValue | None] | None = None) -> None:
    """What *obj* holds is stored: edits of it begin at what it is now. What was left alone is stored as
    before.
    """
    carried = carried_by(obj)
    if carried.base is not None or carried.as_stored:
        carry_on(obj, base=None, as_stored=left_alone or {})
