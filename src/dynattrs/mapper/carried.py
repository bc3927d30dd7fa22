"""What an instance carries of its stored item besides its fields: in a slot that is no field."""

from __future__ import annotations

from typing import Any, Final

import attrs

from dynattrs.schema.model_info import UNKNOWN_ATTRIBUTE
from dynattrs.schema.table import AttributeMap

set_attribute: Final = object.__setattr__


@attrs.frozen
class Carried:
    """What an instance carries of its stored item besides its fields.

    Attributes:
        attributes: Attributes that the class does not know.
        lost: Places of attributes that a nested class did not know and could not keep.
        base: What is stored, after an edit whose changes were not: the next edit begins there.
    """

    attributes: AttributeMap = attrs.field(factory=dict)
    lost: tuple[str, ...] = ()
    base: AttributeMap | None = None


NOTHING_CARRIED: Final = Carried()


def carried_by(instance: Any) -> Carried:
    """What *instance* carries; an unset slot is nothing."""
    carried: Carried = getattr(instance, UNKNOWN_ATTRIBUTE, NOTHING_CARRIED)
    return carried


def carry(instance: Any, carried: Carried) -> None:
    """Give *instance*, frozen or not, what it carries."""
    set_attribute(instance, UNKNOWN_ATTRIBUTE, carried)
