"""The fields of one kind of item: names, types, and what is not in every sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import attrs

from dynattrs.mapper import default
from dynattrs.schema.table import AttributeValue, Table
from dynattrs.tools.generation.item_kinds import Kind
from dynattrs.tools.generation.key_patterns import KeyPatterns
from dynattrs.tools.generation.python_source import Bracketed, Code, Names, literal, snake

#: What is stored as text. They read other texts, too, which they would write otherwise.
_TEXTS: Final = {"datetime": datetime, "date": date, "UUID": UUID}
_INTEGRAL: Final = re.compile(r"-?\d+")


@attrs.frozen
class Field:
    """A field of a generated class.

    Attributes:
        name: Its name.
        attribute: The attribute's name.
        type: Its annotation, without None.
        optional: Whether some samples lack it.
        nullable: Whether all samples have it, and it is NULL in some.
        key_only: Whether it is stored in keys alone.
        ttl: Whether it is the time to live.
    """

    name: str
    attribute: str
    type: str
    optional: bool = False
    nullable: bool = False
    key_only: bool = False
    ttl: bool = False

    @property
    def is_set(self) -> bool:
        """Whether it is empty where it is absent."""
        return self.type.startswith("set[") and not self.nullable

    @property
    def has_default(self) -> bool:
        return self.optional or self.is_set

    def source(self) -> Code:
        """The line of the class."""
        may_be_none = self.optional and not self.is_set
        none = may_be_none or (self.nullable and self.type != "Any")
        head = f"{self.name}: {self.type}{' | None' if none else ''}"
        options = [] if self.name == self.attribute else [f"name={literal(self.attribute)}"]
        if self.key_only:
            options = ["key_only=True"]
        if self.ttl:
            options.append("ttl=True")
        if self.is_set:
            options.append("factory=set")
        elif may_be_none and options:
            options.append("default=None")
        elif may_be_none:
            return f"{head} = None"
        return Bracketed(f"{head} = field", options) if options else head


def fields_of(
    table: Table, kind: Kind, patterns: KeyPatterns, discriminator: str | None, *, plain: bool
) -> list[Field]:
    """The fields of a class, those that every item has first.

    Attributes that are made of others, and the discriminator, are not fields. The type of a key's is
    as it is stored: text, a number or bytes.

    An attribute that is NULL in some samples and missing in others is not a field either: a field has one
    stored form of None. It is kept as it is, as whatever a class does not know.

    Args:
        plain: Whether to take whatever is stored for attributes that are not keys.
    """
    names = Names()
    found = [
        Field(names.take(value.name), value.name, "str", key_only=True)
        for value in patterns.key_only
    ]
    skip = {discriminator, *patterns.by_attribute}
    made_of = {part.attribute for each in patterns.by_attribute.values() for part in each.values}
    in_keys = {*table.key_attributes, *made_of}
    vectors = {index.vector for index in table.vector_indexes}
    for attribute in dict.fromkeys(name for item in kind.items for name in item):
        if attribute in skip:
            continue
        values = [item[attribute] for item in kind.items if attribute in item]
        present = [value for value in values if "NULL" not in value]
        optional = len(values) < len(kind.items) and attribute not in table.key
        nullable = len(present) < len(values)
        if optional and nullable:
            continue
        ttl = attribute == table.ttl_attribute
        inferred = "Any" if plain else type_of(present)
        if attribute in vectors:
            inferred = _VECTOR
        type_ = _plain_type(present) if attribute in in_keys or ttl else inferred
        name = names.take(snake(attribute))
        found.append(Field(name, attribute, type_, optional=optional, nullable=nullable, ttl=ttl))
    declared: dict[str, str] = {}
    if not kind.items:
        declared = {name: table.type_of(name) for name in table.key} | dict(table.attributes)
        declared |= dict.fromkeys(vectors, _VECTOR)
    # A class with a vector has what divides the index, be it that no sample is in that.
    there = {*declared, *(each.attribute for each in found)}
    for index in table.vector_indexes:
        key = index.partition_key
        if key is not None and index.vector in there and key not in there:
            declared[key] = table.type_of(key)
    for attribute, tag in declared.items():
        if attribute not in skip:
            type_ = _BY_TAG.get(tag, "Any")
            optional = attribute not in table.key
            name = names.take(snake(attribute))
            ttl = attribute == table.ttl_attribute
            found.append(Field(name, attribute, type_, optional=optional, ttl=ttl))
    # What keys are made of comes first, in their order; items have their attributes in any order.
    ranks = {name: rank for rank, name in enumerate(_key_order(table, patterns))}
    return sorted(found, key=lambda each: (each.has_default, ranks.get(each.attribute, len(ranks))))


def _key_order(table: Table, patterns: KeyPatterns) -> list[str]:
    """The attributes that keys are made of, those of the primary key first."""
    order: dict[str, None] = {}
    for attribute in table.key_attributes:
        pattern = patterns.by_attribute.get(attribute)
        values = [attribute] if pattern is None else [v.attribute or v.name for v in pattern.values]
        order.update(dict.fromkeys(values))
    return list(order)


#: What a vector is, whatever the samples have.
_VECTOR: Final = "list[float]"

_BY_TAG: Final = {
    _VECTOR: _VECTOR,
    "S": "str",
    "N": "int",
    "B": "bytes",
    "BOOL": "bool",
    "SS": "set[str]",
    "NS": "set[int]",
    "BS": "set[bytes]",
    "L": "list[Any]",
    "M": "dict[str, Any]",
}


def type_of(values: Sequence[AttributeValue]) -> str:
    """The annotation that reads all of some values, and writes them as they are."""
    if values and all("S" in value for value in values):
        for name, type_ in _TEXTS.items():
            if all(_is_written_so(type_, value) for value in values):
                return name
    return _plain_type(values)


def _is_written_so(type_: type[object], value: AttributeValue) -> bool:
    codec = default.codec(type_)
    try:
        return codec.dump(codec.load(value)) == value
    except Exception:  # a text that is something else
        return False


def _plain_type(values: Sequence[AttributeValue]) -> str:
    tags = {tag for value in values for tag in value}
    if len(tags) != 1:
        return "Any"
    [tag] = tags
    payloads = [value[tag] for value in values]
    if tag == "N":
        return _number(payloads)
    if tag == "NS":
        return f"set[{_number([each for payload in payloads for each in payload])}]"
    if tag == "L":
        return f"list[{_inner([each for payload in payloads for each in payload])}]"
    if tag == "M":
        return f"dict[str, {_inner([each for payload in payloads for each in payload.values()])}]"
    return _BY_TAG.get(tag, "Any")


def _inner(values: Sequence[AttributeValue]) -> str:
    present = [value for value in values if "NULL" not in value]
    if not present:
        return "Any"
    found = type_of(present)
    return f"{found} | None" if len(present) < len(values) and found != "Any" else found


def _number(texts: Sequence[object]) -> str:
    return "int" if all(_INTEGRAL.fullmatch(str(text)) for text in texts) else "Decimal"
