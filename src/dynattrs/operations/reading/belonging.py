"""Which of the items that a query finds are of the models that it asks for."""

from __future__ import annotations

from collections.abc import Callable

from dynattrs.errors import MappingError
from dynattrs.keys.discriminator import Sieve
from dynattrs.keys.kinds import evolving
from dynattrs.keys.plans import Plan
from dynattrs.keys.ranges import satisfies
from dynattrs.operations.conditions import asked_again
from dynattrs.operations.reading.objects import MixedObjects, is_own
from dynattrs.operations.reading.projections import OnError
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import StoredItem


def belonging(
    reader: object, infos: tuple[ModelInfo, ...], on_error: OnError
) -> Callable[[StoredItem], bool]:
    """What says whether an item is of the models that were asked for, whose results a reader makes."""
    several = isinstance(reader, MixedObjects)
    tells = reader if isinstance(reader, MixedObjects) else Sieve(infos)

    def belongs(item: StoredItem) -> bool:
        try:
            return (not several and is_own(item)) or tells.model_of(item) is not None
        except MappingError as error:
            if on_error == "raise":
                raise
            if callable(on_error):
                on_error(error)
            return False

    return belongs


def satisfying(
    infos: tuple[ModelInfo, ...], found: Plan, belongs: Callable[[StoredItem], bool] | None
) -> Callable[[StoredItem], bool] | None:
    """As *belongs*, of whole items behind an index that cannot be asked of their fields."""
    if asked_again(infos, found)[1] or evolving(infos):
        return belongs
    return lambda item: (
        (belongs is None or belongs(item)) and all(satisfies(part, item) for part in found.again)
    )
