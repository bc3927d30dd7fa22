"""What the service demands of vectors, checked where the field's name is still known.

It takes lists of 32-bit floats of the length that the index has, and refuses the whole item else. An item
that lacks the index's partition key it takes, and leaves out of the index without a word.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearchWorkingWith.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynattrs import limits
from dynattrs.errors import MappingError
from dynattrs.mapper.codec import show_stored
from dynattrs.schema.table import AttributeMap, AttributeValue

if TYPE_CHECKING:
    from dynattrs.schema.model_info import ModelInfo
    from dynattrs.schema.vectors import VectorIndex


def check_vectors(info: ModelInfo, item: AttributeMap) -> None:
    """Refuse an item with a vector that the service would refuse.

    Raises:
        MappingError: It names the field, and what its index has.
    """
    for index in info.table.vector_indexes:
        value = item.get(index.vector)
        if value is not None:
            found = unfit(index, value)
            if found is not None:
                field = next((n for n, s in info.names.items() if s == index.vector), index.vector)
                raise MappingError(f"{info.name}.{field}", expected(index), found)


def _has_more(index: VectorIndex, change: Any) -> bool:
    """Whether a vector would surely have more members than its index: something is appended to it, or set
    behind its end.
    """
    if len(change.steps) > 1:
        place = change.steps[1]
        return change.clause == "SET" and isinstance(place, int) and place >= index.dimensions
    sides = [getattr(change.value, name, None) for name in ("first", "second")]
    return any(getattr(side, "steps", None) == change.steps for side in sides) and any(
        getattr(side, "stored", {}).get("L") for side in sides
    )


def refused(info: ModelInfo, change: Any) -> str | None:
    """Why an update must not make a change: the vector would be none, or the item would leave the index
    though the field is never None. None where it may.
    """
    attribute, whole = change.steps[0], len(change.steps) == 1
    for index in info.table.vector_indexes:
        if attribute == index.vector:
            stored = getattr(change.value, "stored", None)
            found = None if not whole or stored is None else unfit(index, stored)
            if found is not None:
                return f"is {expected(index)}; found {found}"
            if _has_more(index, change):
                return f"has {expected(index)}, and would have more; set the vector as a whole"
            if not whole and change.clause == "REMOVE":
                return f"has {expected(index)}; set the vector as a whole"
        elif attribute == index.partition_key and change.clause == "REMOVE":
            form = info.mapper.model_codec(info.cls).fields or {}
            name = next(name for name, stored in info.names.items() if stored == attribute)
            if not form[name].optional:
                return (
                    f"is the partition key of index {index.name!r}: without it the item would no longer be "
                    f"found; set_ another value, or declare the field `| None = None`"
                )
    return None


def expected(index: VectorIndex) -> str:
    return f"{index.dimensions:,} numbers, as index {index.name!r} has them"


def unfit(index: VectorIndex, value: AttributeValue) -> str | None:
    """What a stored value is that is not a vector; None where it is one."""
    numbers = value.get("L")
    if numbers is None:
        return show_stored(value)
    if len(numbers) != index.dimensions:
        return f"{len(numbers):,}"
    for at, each in enumerate(numbers):
        if "N" not in each:
            return f"{show_stored(each)} at [{at}]"
        if not -limits.FLOAT32_BEYOND < float(each["N"]) < limits.FLOAT32_BEYOND:
            return f"{each['N']} at [{at}], which no 32-bit float holds"
    return None
