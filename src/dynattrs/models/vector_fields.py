"""The fields of a class that a vector index is about: what they may be, and what they are stored as.

Every refusal names the class, the field and what to do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import attrs

from dynattrs.errors import ModelError
from dynattrs.mapper.codec import Codec
from dynattrs.schema.table import KeyType, Projection, Table
from dynattrs.schema.vectors import VectorIndex


class Fields(Protocol):
    """The fields of a class that is being declared."""

    names: dict[str, str]

    def error(self, problem: str, name: str | None = None) -> ModelError: ...
    def key_type(self, name: str, role: str) -> KeyType: ...
    def check_index_field(self, name: str, role: str) -> None: ...
    def _known(self, name: str, where: str) -> str: ...
    def _known_codec(self, name: str) -> Codec | None: ...


def translated(fields: Fields, index: VectorIndex, types: dict[str, KeyType]) -> VectorIndex:
    """An index by field names as one by attribute names.

    Args:
        fields: The class's.
        index: As it was declared.
        types: The types of key attributes, which are added to.

    Raises:
        ModelError: A name is not a field, or the field is not what is expected there.
    """
    where = f"index {index.name!r}"

    def attributes(names: Sequence[str], role: str) -> tuple[str, ...]:
        stored = []
        for name in names:
            attribute = fields._known(name, where)
            types[attribute] = fields.key_type(name, f"{role} of {where}")
            fields.check_index_field(name, f"{role} of {where}")
            stored.append(attribute)
        return tuple(stored)

    vector = fields._known(index.vector, where)
    _check_vector(fields, index.vector, index)
    partition = () if index.partition_key is None else (index.partition_key,)
    projection: Projection = index.projection
    if not isinstance(projection, str):
        projection = tuple(fields._known(name, f"{where}, its projection,") for name in projection)
    return attrs.evolve(
        index,
        vector=vector,
        partition_key=next(iter(attributes(partition, "the partition key")), None),
        filters=attributes(index.filters, "a filter"),
        projection=projection,
    )


def check_on_table(fields: Fields, table: Table, computed: Collection[str]) -> None:
    """Check the fields against the vector indexes of a table that is declared by itself.

    Args:
        fields: The class's.
        table: The table.
        computed: The attributes that the model writes besides its fields.

    Raises:
        ModelError: A vector is none, or its items would not be in the index.
    """
    by_attribute = {stored: name for name, stored in fields.names.items()}
    for index in table.vector_indexes:
        name = by_attribute.get(index.vector)
        if name is None:
            continue
        _check_vector(fields, name, index)
        key = index.partition_key
        if key is not None and key not in by_attribute and key not in computed:
            raise fields.error(
                f"it is the vector of index {index.name!r} of Table({table.name!r}), whose partition key "
                f"is {key!r}, and no field is stored under that name: the items would not be in the "
                f"index; add the field, or write @model(..., {key}='...{{field}}')",
                name,
            )


def _check_vector(fields: Fields, name: str, index: VectorIndex) -> None:
    role = f"the vector of index {index.name!r}"
    codec = fields._known_codec(name)
    if codec is not None:
        element = codec.element
        numbers = codec.tags - {"NULL"} == {"L"} and element is not None and element.tag == "N"
        if not numbers or (element is not None and element.optional):
            raise fields.error(
                f"{role} is a list or an array of numbers, such as list[float]; this is "
                f"{codec.expected}",
                name,
            )
    fields.check_index_field(name, role)
