"""Parts of items that are read by their keys: objects of another class, or tuples.

What makes them of items is `projections`'s, as for queries. Only the attributes that are needed come over
the wire; the service reads, and bills, whole items.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from dynattrs.errors import QueryError
from dynattrs.expressions.paths import is_path
from dynattrs.operations.reading.expiry import time_to_live
from dynattrs.operations.reading.projections import Reader, projected, selected
from dynattrs.operations.requests import asking_for
from dynattrs.schema.item_models import class_of
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo, guarded_tables
from dynattrs.schema.table import AttributeMap

R_co = TypeVar("R_co", covariant=True)


@attrs.frozen(eq=False)
class Part(Generic[R_co]):
    """What is wanted of the items of one model.

    Attributes:
        info: The model.
        reader: Makes the results.
        attributes: What is asked for: what the reader needs, the key, and what tells which model an
            item is. None is the whole item.
    """

    info: ModelInfo
    reader: Reader[R_co]
    attributes: frozenset[str] | None

    @property
    def request(self) -> Message:
        """What a request for one item says of it."""
        return asking_for(self.attributes)

    def reads(self) -> Callable[[AttributeMap], R_co]:
        """The function that makes a result of an item.

        Raises:
            OtherKind: (the function) The item is of another model.
            MappingError: (the function) It cannot be read as wanted.
        """
        info, read = self.info, self.reader.reads()

        def read_own(item: AttributeMap) -> R_co:
            class_of(info, item, info.cls)
            return read(item)

        return read_own


def part_of(info: ModelInfo, as_: Any, select: Any, *, unexpired: bool = False) -> Part[Any] | None:
    """What `as_=` and `select=` ask for; None where neither does, and whole objects are wanted.

    Raises:
        QueryError: Both do, or one is nothing that the model can give.
        ModelError: A field of the class cannot be read.
    """
    if as_ is None and select is None:
        return None
    if as_ is not None and select is not None:
        raise QueryError(
            "as_= and select= both choose what to read of each item; give one of them only"
        )
    reader: Reader[Any]
    if as_ is not None:
        reader = projected(info, as_)
    elif is_path(select) or not isinstance(select, tuple):
        raise QueryError(
            f"select={select!r}: a tuple of fields is expected; write select=({info.name}.…,)"
        )
    else:
        reader = selected(info, select)
    needs = reader.needs
    if needs is None:
        return Part(info, reader, None)
    table = info.table
    tells = [*table.key, *((table.discriminator,) if table.discriminator is not None else ())]
    if unexpired:
        live = time_to_live(info)
        tells += [live, *(old for old, name in info.formerly.items() if name == live)]
    if table.name in guarded_tables:
        tells.append(GUARD_ATTRIBUTE)
    return Part(info, reader, needs.union(tells))
