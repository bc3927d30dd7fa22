"""What the keys of one kind of item are made of.

A part of a key is text that is the same in all samples, or the value of an attribute, or a value that
is stored in the key alone. What is inferred makes the keys of all samples again, or is not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from dynattrs.schema.table import AttributeMap, Table
from dynattrs.tools.generation.item_kinds import Kind, Shapes, is_label
from dynattrs.tools.generation.python_source import snake, words_of

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


@attrs.frozen
class ValuePart:
    """A part of a key that is a value.

    Attributes:
        attribute: The attribute that it is the value of; None where it is in the key alone.
        name: A name for its field, where it is in the key alone.
        spec: Its format: `06d` for a number with zeros before it, `*` for all that follows.
        texts: What stands there in each sample.
        label: The text before it.
    """

    attribute: str | None
    name: str
    spec: str
    texts: tuple[str, ...]
    label: str | None


PatternPart: TypeAlias = "str | ValuePart"


@attrs.frozen
class KeyPattern:
    """A key attribute of one kind: its parts, between separators."""

    parts: tuple[PatternPart, ...]
    separator: str

    def written(self, field_of: Mapping[str, str]) -> str:
        """The pattern as a declaration has it; *field_of* gives fields by attribute."""
        return self.separator.join(
            part
            if isinstance(part, str)
            else f"{{{field_of[part.attribute or part.name]}{':' * bool(part.spec)}{part.spec}}}"
            for part in self.parts
        )

    @property
    def values(self) -> tuple[ValuePart, ...]:
        return tuple(part for part in self.parts if isinstance(part, ValuePart))

    def is_apart_from(self, other: KeyPattern) -> bool:
        """Whether no text can be made by both."""
        if self.separator != other.separator:
            return False
        for mine, theirs in zip(self.parts, other.parts, strict=False):
            if isinstance(mine, str) and isinstance(theirs, str) and mine != theirs:
                return True
            if any(isinstance(part, ValuePart) and part.spec == "*" for part in (mine, theirs)):
                return False
        return len(self.parts) != len(other.parts)

    def lacks_a_value_of(self, other: KeyPattern) -> bool:
        """Whether there is nothing where another pattern has a value."""
        return any(
            mine == "" and isinstance(theirs, ValuePart)
            for mine, theirs in zip(self.parts, other.parts, strict=False)
        )


@attrs.define
class KeyPatterns:
    """The patterns of one kind by key attribute. What is missing is a plain field."""

    by_attribute: dict[str, KeyPattern] = attrs.field(factory=dict)

    @property
    def key_only(self) -> list[ValuePart]:
        """The values that are stored in keys alone, each once."""
        found: dict[str, ValuePart] = {}
        for pattern in self.by_attribute.values():
            for value in pattern.values:
                if value.attribute is None:
                    found.setdefault(value.name, value)
        return list(found.values())

    def lacks_a_value_of(self, other: KeyPatterns, key: Sequence[str]) -> bool:
        """Whether there is nothing in these keys where others have a value."""
        return any(
            name in self.by_attribute
            and name in other.by_attribute
            and self.by_attribute[name].lacks_a_value_of(other.by_attribute[name])
            for name in key
        )

    def is_apart_from(self, other: KeyPatterns, key: Sequence[str]) -> bool:
        return any(
            name in self.by_attribute
            and name in other.by_attribute
            and self.by_attribute[name].is_apart_from(other.by_attribute[name])
            for name in key
        )


def patterns_of(table: Table, kind: Kind, shapes: Shapes) -> KeyPatterns:
    """The key patterns that the samples of a kind show."""
    finder = _Finder(table, kind, shapes)
    found = KeyPatterns()
    if not kind.items:
        return found
    for attribute in table.key_attributes:
        if table.type_of(attribute) != "S":
            continue
        pattern = finder.pattern(attribute)
        if pattern is not None:
            found.by_attribute[attribute] = pattern
    for pattern in [*found.by_attribute.values()]:
        for value in pattern.values:
            # What another key is made of is a field, and not made of fields itself.
            found.by_attribute.pop(value.attribute or "", None)
    return found


class _Finder:
    def __init__(self, table: Table, kind: Kind, shapes: Shapes) -> None:
        self._table = table
        self._kind = kind
        self._shapes = shapes
        self._separator = shapes.separator
        #: Values that are in the primary key alone.
        self._own: list[ValuePart] = []
        #: The attributes that have patterns.
        self._made: set[str] = set()

    def pattern(self, attribute: str) -> KeyPattern | None:
        items = self._kind.items
        primary = attribute in self._table.key
        if not all("S" in item.get(attribute, {"S": ""}) for item in items):
            return None
        having = [item for item in items if attribute in item]
        if not having or (primary and len(having) < len(items)):
            return None
        texts = [item[attribute]["S"] for item in having]
        parts = self._parts(attribute, texts, having)
        if parts is None:
            return None
        made = KeyPattern(tuple(parts), self._separator)
        if len(having) < len(items) and not self._is_sparse(made, attribute):
            return None
        self._made.add(attribute)
        return made

    def _is_sparse(self, pattern: KeyPattern, attribute: str) -> bool:
        """Whether the items that lack the key lack one of its values too."""
        needed = [value.attribute for value in pattern.values if value.attribute is not None]
        return all(
            any(name not in item for name in needed)
            for item in self._kind.items
            if attribute not in item
        )

    def _parts(
        self, attribute: str, texts: Sequence[str], items: Sequence[AttributeMap]
    ) -> list[PatternPart] | None:
        primary = attribute in self._table.key
        rows = [text.split(self._separator) for text in texts]
        if len({len(row) for row in rows}) > 1:
            # All that follows the first label is one value.
            rows = [text.split(self._separator, 1) for text in texts]
            if {len(row) for row in rows} != {2} or len({row[0] for row in rows}) > 1:
                return None
            spec = "*"
        else:
            spec = ""
        shape = self._shapes.shape(attribute, texts[0]) if primary else ()
        parts: list[PatternPart] = []
        for place, column in enumerate(zip(*rows, strict=True)):
            label = place < len(shape) and shape[place] is not None
            single = len(rows[0]) == 1
            if len(set(column)) == 1 and self._is_text(column[0], place, single, label=label):
                parts.append(column[0])
                continue
            is_last = place == len(rows[0]) - 1
            value = self._value_part(attribute, column, items, parts, spec if is_last else "")
            if value is None:
                return None
            known = value.attribute is not None or value in self._own
            if single and not known and self._alias(attribute, 0) is None:
                # It is what it is: a plain field says as much.
                return None
            parts.append(value)
            if value.attribute is None and value not in self._own:
                self._own.append(value)
        return parts

    def _is_text(self, text: str, place: int, single: bool, *, label: bool) -> bool:
        if label or text == "":
            return True
        # Keys of indexes: a label begins them, or stands alone in several samples.
        return is_label(text) and place == 0 and (not single or len(self._kind.items) > 1)

    def _value_part(
        self,
        attribute: str,
        column: tuple[str, ...],
        items: Sequence[AttributeMap],
        before: Sequence[PatternPart],
        spec: str,
    ) -> ValuePart | None:
        label = next((part for part in reversed(before) if isinstance(part, str) and part), None)
        several = len(set(column)) > 1
        for name in self._sources(attribute, items[0]):
            found = _format_of([item.get(name, {}) for item in items], column)
            # One value that happens to stand in a key says nothing, if its name does not.
            if found is not None and (several or self._is_named(name, attribute, label, before)):
                return ValuePart(name, "", found or spec, column, label)
        if len(items) == len(self._kind.items):
            for value in self._own:
                # One sample may have one number for two things; the same label means the same.
                same = value.label == label or self._alias(attribute, len(before)) == value.name
                if value.texts == column and (several or same):
                    return value if value.spec == spec else attrs.evolve(value, spec=spec)
        if attribute not in self._table.key:
            return None
        return ValuePart(
            None, self._name(attribute, column, label, len(before)), spec, column, label
        )

    def _is_named(
        self, name: str, attribute: str, label: str | None, before: Sequence[PatternPart]
    ) -> bool:
        """Whether an attribute is called what stands at a place of a key."""
        called = {self._alias(attribute, len(before))}
        if label is not None:
            called |= {snake(label), _id_of(label)}
        return snake(name) in called

    def _sources(self, attribute: str, item: AttributeMap) -> list[str]:
        """The attributes that a key may be made of."""
        others = self._table.key_attributes
        found = [name for name in item if name not in others]
        if attribute not in self._table.key:
            return found
        # Such as a sort key that repeats a plain partition key, or the plain key of an index.
        return found + [n for n in item if n in others and n != attribute and n not in self._made]

    def _name(self, attribute: str, column: tuple[str, ...], label: str | None, place: int) -> str:
        """A name for a value that no attribute has: the facet's, or the label's before it."""
        taken = {value.name for value in self._own}
        attributes = {*self._table.key_attributes, *(n for item in self._kind.items for n in item)}
        taken |= attributes | set(map(snake, attributes))
        wanted = self._alias(attribute, place) or _named_for(column, label)
        if wanted is None:
            wanted = f"{snake(self._kind.name)}_id"
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}{number}", number + 1
        return name

    def _alias(self, attribute: str, place: int) -> str | None:
        facet = self._kind.facet
        if facet is None:
            return None
        alias = facet.partition_key if attribute == self._table.partition_key else facet.sort_key
        parts = re.sub(r"[<>{}\[\]$]", "", alias or "").split(self._separator)
        if alias == attribute or place >= len(parts) or not words_of(parts[place]):
            return None
        return snake(parts[place])


def _named_for(column: Sequence[str], label: str | None) -> str | None:
    if all(_TIME.match(text) for text in column):
        return "time"
    if all(_DATE.fullmatch(text) for text in column):
        return snake("date")
    return None if label is None else _id_of(label)


def _id_of(label: str) -> str:
    made = snake(label).rstrip("_")
    return snake(made if made.endswith("id") else f"{made}_id")


def _format_of(values: Sequence[Mapping[str, Any]], column: Sequence[str]) -> str | None:
    """The format in which values stand in a key; None if they do not."""
    if all(value.get("S") == text for value, text in zip(values, column, strict=True)):
        return ""
    if not all("N" in value for value in values):
        return None
    if all(value["N"] == text for value, text in zip(values, column, strict=True)):
        return ""
    widths = {len(text) for text in column}
    if len(widths) == 1 and all(
        text.isdecimal() and value["N"].isdecimal() and int(text) == int(value["N"])
        for value, text in zip(values, column, strict=True)
    ):
        return f"0{widths.pop()}d"
    return None
