"""How large an object's item is, for programs that plan what writes cost."""

from __future__ import annotations

from collections.abc import Mapping

from dynattrs.mapper import size as sizes
from dynattrs.schema.model_info import model_info


def item_size(obj: object, /) -> int:
    """The bytes that the service counts for an object's item: its attributes' names and values.

    A write consumes a unit for each 1,024 of them, a strongly consistent read one for each 4,096; an item
    has at most 409,600. Computed keys and the discriminator are counted; a version and time stamps as the
    object has them now. The service's own count of a number differs by a byte or two.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html

    Args:
        obj: An object of a model, or an attribute map (`{"title": {"S": "..."}}`).

    Raises:
        MappingError: The object cannot be stored as it is.
        ModelError: Its class is not a model.
    """
    if isinstance(obj, Mapping):
        return sizes.item_size({**obj})
    info = model_info(type(obj))
    return info.mapper.dump_with_size(obj)[1]
