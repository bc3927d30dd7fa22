"""What an instance carries of its stored item besides its fields: in a slot that is not a field."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from dynattrs.late_classes import field, frozen
from dynattrs.schema.model_info import UNKNOWN_ATTRIBUTE
from dynattrs.schema.table import AttributeMap, AttributeValue

if TYPE_CHECKING:
    import msgspec

set_attribute: Final = object.__setattr__


def assign(instance: object, name: str, value: object) -> None:
    """Set a field past validators, hooks, and what makes a class frozen."""
    try:
        set_attribute(instance, name, value)
    except TypeError:
        # Structs have no way around but msgspec's own.
        import msgspec

        msgspec.structs.force_setattr(cast("msgspec.Struct", instance), name, value)


@frozen
class StoredKey:
    """A primary key that is stored otherwise than its fields would be written.

    Attributes:
        stored: As it is stored.
        written: As the fields are written.
        left: Whether a batch has taken the object under another key, and has not stored it yet.
    """

    stored: AttributeMap
    written: AttributeMap
    left: bool = False

    def of(self, written: AttributeMap) -> AttributeMap | None:
        """The key as it is stored; None where *written*, a key or an item, has another one."""
        for name, value in self.written.items():
            if written.get(name) != value:
                return None
        return {name: dict(value) for name, value in self.stored.items()}


@frozen
class Carried:
    """What an instance carries of its stored item besides its fields.

    Attributes:
        attributes: Attributes that the class does not know.
        lost: Places of attributes that a nested class did not know and could not keep.
        base: What is stored, after an edit whose changes were not: the next edit begins there.
        key: The primary key, where it is stored otherwise than the fields would be written.
        as_stored: Attributes whose stored form nothing tells afterwards: a version of 0, which is that of
            a new object as well, and None for one that is absent and whose default is never the same.
    """

    attributes: AttributeMap = field(factory=dict)
    lost: tuple[str, ...] = ()
    base: AttributeMap | None = None
    key: StoredKey | None = None
    as_stored: Mapping[str, AttributeValue | None] = field(factory=dict)


NOTHING_CARRIED: Final = Carried()


#: The classes, by their ids, of whose instances none has ever carried anything.
# Measured (benchmarks/second_ways.py): 250 -> 80 ns an instance with Python 3.12, which raises an
# AttributeError inside for a slot that is unset. tests/unit/test_carried.py holds it to the slot.
quiet: Final[dict[int, weakref.ref[type[object]]]] = {}


def only_by_carry(cls: type[object]) -> None:
    """Nothing but `carry` sets the slot of the instances of a class, unpickling and copying included."""
    at = id(cls)
    quiet[at] = weakref.ref(cls, lambda _: quiet.pop(at, None))


def carried_by(instance: object) -> Carried:
    """What *instance* carries; an unset slot is nothing."""
    if id(type(instance)) in quiet:
        return NOTHING_CARRIED
    carried: Carried = getattr(instance, UNKNOWN_ATTRIBUTE, NOTHING_CARRIED)
    return carried


def carry(instance: object, carried: Carried) -> None:
    """Give *instance*, frozen or not, what it carries."""
    at = id(type(instance))
    if at in quiet:
        if carried is NOTHING_CARRIED:
            return
        # Before it does: another thread may look.
        quiet.pop(at, None)
    set_attribute(instance, UNKNOWN_ATTRIBUTE, carried)


def carry_on(instance: Any, **changes: Any) -> None:
    """Change some of what *instance* carries."""
    carried = attrs.evolve(carried_by(instance), **changes)
    carry(instance, NOTHING_CARRIED if carried == NOTHING_CARRIED else carried)
