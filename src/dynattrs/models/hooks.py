"""Hooks: functions that a model or a session calls with whole objects, before a save, after a read.

A hook never sees a half-built object: `before_save` gets what the program gives to `save`, before it
is encoded; `after_load` gets what was read when all fields and all that is carried are in place.
What is called when nothing is declared is nothing: a save or a read asks once for a class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from dynattrs.errors import ModelError, Unsent
from dynattrs.events import check_plain
from dynattrs.late_classes import frozen
from dynattrs.mapper.carried import NOTHING_CARRIED, carried_by, carry

Hook: TypeAlias = Callable[[Any], Any]


@frozen
class Flushed:
    """The argument of `after_flush`: the outcome of gathered writes.

    Attributes:
        saved: The objects that were given to `save` and are now stored, in no particular order. They are in
            their present state: changes made after `save` are not stored.
        deleted: The deleted items, as they were given to `delete`: an object, or a pair `(Model, key)`.
        failed: The writes that were given up, each with its cause, as in `UnsentWrites.unsent`.
        superseded: Other writes that were given up, which do not matter: a newer write of the same key is
            stored.
    """

    saved: tuple[Any, ...]
    deleted: tuple[Any, ...]
    failed: tuple[Unsent, ...]
    superseded: tuple[Unsent, ...] = ()


@frozen(eq=False, repr=False)
class SessionHooks:
    """The hooks of one session, for all models."""

    before_save: tuple[Hook, ...] = ()
    after_load: tuple[Hook, ...] = ()
    after_flush: tuple[Hook, ...] = ()


NO_HOOKS: Final = SessionHooks()


def functions(subject: str, name: str, given: Any) -> tuple[Hook, ...]:
    """The functions that were given as a hook: one, or several, which run in that order.

    Raises:
        ModelError: One is not a plain function.
    """
    found: tuple[Hook, ...] = (given,)
    if isinstance(given, Sequence) and not isinstance(given, str):
        found = tuple(given)
    for each in found:
        check_plain(subject, name, each)
    return found


def through(
    hooks: tuple[Hook, ...], name: str, obj: object, *, carries: bool, replaceable: bool = True
) -> Any:
    """What the hooks make of *obj*: itself, or what one returns in its place.

    A replacement that carries nothing takes over the stored attributes that the class does not know
    (`attrs.evolve` forgets them), so that a save does not erase them.

    Raises:
        ModelError: A hook returned something else than None or an object of the same class; or
            another object where the class is mutable and has to be changed in place.
    """
    for hook in hooks:
        made = hook(obj)
        if made is None or made is obj:
            continue
        label = getattr(hook, "__qualname__", repr(hook))
        model = type(obj).__name__
        if type(made) is not type(obj):
            raise ModelError(
                model,
                f"its {name} hook {label} returned a {type(made).__name__}; return None, or the "
                f"{model} to take instead of the one it was given",
            )
        if not replaceable:
            raise ModelError(
                model,
                f"its {name} hook {label} returned another {model}; change the one it is given, "
                f"and return None: only frozen classes are replaced",
            )
        if carries and carried_by(made) is NOTHING_CARRIED:
            carried = carried_by(obj)
            if carried is not NOTHING_CARRIED:
                carry(made, carried)
        obj = made
    return obj
