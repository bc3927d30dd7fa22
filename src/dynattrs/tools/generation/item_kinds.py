"""Which sample items of a table are of one kind.

Facets say it; or an attribute such as `type` does; or the shapes of the keys: `USER#1` and `ORDER#7`
are two kinds, `USER#1` and `USER#2` are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from dynattrs.schema.table import AttributeMap, Facet, Table
from dynattrs.tools.generation.python_source import pascal, words_of

#: What designs call the attribute that tells kinds apart.
_DISCRIMINATORS: Final = frozenset(
    (
        "datatype", "entity", "entityname", "entitytype", "et", "itemtype", "kind", "modeltype",
        "objecttype", "recordtype", "type", "typename",
    )
)  # fmt: skip
_SEPARATORS: Final = "#|:/"
_LABEL: Final = re.compile(r"[\"']?[A-Za-z][A-Za-z_-]*[\"']?")


@attrs.frozen
class Kind:
    """The items of one kind.

    Attributes:
        name: A name for its class.
        items: Its sample items; there is at least one, unless the table has none.
        value: The value of the discriminator in all of them.
        facet: The facet that it is.
    """

    name: str
    items: Sequence[AttributeMap]
    value: str | None = None
    facet: Facet | None = None


@attrs.frozen
class Kinds:
    """All kinds of a table.

    Attributes:
        kinds: In the order in which the samples have them.
        discriminator: The attribute that tells them apart, if there is one.
    """

    kinds: Sequence[Kind]
    discriminator: str | None


def samples_of(table: Table) -> list[AttributeMap]:
    """All sample items of a table, those of its facets as well."""
    items = list(table.sample_items)
    items += [item for each in table.facets for item in each.sample_items if item not in items]
    return items


def kinds_of(table: Table) -> Kinds:
    """The kinds of items that a table's facets and samples show."""
    items = samples_of(table)
    shapes = Shapes(table, items)
    facets = [facet for facet in table.facets if facet.sample_items]
    if facets:
        kinds = [Kind(pascal(each.name), each.sample_items, facet=each) for each in facets]
        known = [item for facet in facets for item in facet.sample_items]
        kinds += shapes.kinds([item for item in items if item not in known])
        attribute = _discriminator(table, items, kinds)
    else:
        attribute = _discriminator(table, items, None)
        kinds = shapes.kinds(items) if attribute is None else _by_value(items, attribute)
    if attribute is not None:
        kinds = [attrs.evolve(kind, value=kind.items[0][attribute]["S"]) for kind in kinds]
    if not kinds:
        kinds = [Kind(pascal(table.name), ())]
    if len(kinds) == 1 and not facets and attribute is None:
        kinds = [attrs.evolve(kinds[0], name=pascal(table.name))]
    return Kinds(kinds, attribute)


def _discriminator(
    table: Table, items: Sequence[AttributeMap], kinds: Sequence[Kind] | None
) -> str | None:
    """The attribute that every item has and that tells the kinds apart."""
    if not items:
        return None
    for name in items[0]:
        if name in table.key_attributes or "".join(words_of(name)).lower() not in _DISCRIMINATORS:
            continue
        if not all(item.get(name, {}).get("S") for item in items):
            continue
        if kinds is None:
            if len({item[name]["S"] for item in items}) > 1:
                return name
            continue
        values = [{item[name]["S"] for item in kind.items} for kind in kinds]
        if all(len(each) == 1 for each in values) and len(set.union(*values)) == len(kinds) > 1:
            return name
    return None


def _by_value(items: Iterable[AttributeMap], attribute: str) -> list[Kind]:
    found: dict[str, list[AttributeMap]] = {}
    for item in items:
        found.setdefault(item[attribute]["S"], []).append(item)
    return [Kind(pascal(value), its) for value, its in found.items()]


class Shapes:
    """The shapes of a table's keys: which of their parts are labels, and which are values."""

    def __init__(self, table: Table, items: Sequence[AttributeMap]) -> None:
        self._table = table
        self._texts = {
            name: [item[name]["S"] for item in items if "S" in item.get(name, {})]
            for name in table.key
        }
        everything = [text for texts in self._texts.values() for text in texts]
        self.separator = _separator(everything)
        self._labels = {
            first
            for text in everything
            if self.separator in text and is_label(first := text.split(self.separator)[0])
        }

    def shape(self, attribute: str, text: str) -> tuple[str | None, ...]:
        """The parts of a key: its labels, and None for each value."""
        if self.separator not in text:
            return (text if self._is_constant(attribute, text) else None,)
        found: list[str | None] = []
        for part in text.split(self.separator):
            follows_value = bool(found) and found[-1] is None
            leads = all(each == "" for each in found)
            label = part == "" or (
                is_label(part) and (leads or follows_value or part in self._labels)
            )
            found.append(part if label else None)
        return tuple(found)

    def _is_constant(self, attribute: str, text: str) -> bool:
        """Whether a key without separators is a label: it stands among others that have some, or
        it is the same in several partitions.
        """
        if not is_label(text):
            return False
        texts = self._texts[attribute]
        overloaded = any(self.separator in each for each in texts)
        partitioned = any(self.separator in each for each in self._texts[self._table.partition_key])
        return overloaded or (partitioned and texts.count(text) > 1)

    def kinds(self, items: Iterable[AttributeMap]) -> list[Kind]:
        found: dict[Any, list[AttributeMap]] = {}
        for item in items:
            shapes = tuple(
                self.shape(name, item[name]["S"]) if "S" in item.get(name, {}) else ()
                for name in self._table.key
            )
            found.setdefault(shapes, []).append(item)
        return [Kind(self._named(shapes), its) for shapes, its in found.items()]

    def _named(self, shapes: Sequence[Sequence[str | None]]) -> str:
        labels: list[str] = []
        for shape in shapes:
            labels += [label for label in shape if label and label not in labels]
        return pascal(" ".join(labels) or self._table.name)


def is_label(text: str) -> bool:
    """Whether a part of a key looks like a name and not like a value."""
    return bool(_LABEL.fullmatch(text))


def _separator(texts: Iterable[str]) -> str:
    counts: Mapping[str, int] = {
        each: sum(1 for text in texts if re.match(rf"\W?[A-Za-z_]+{re.escape(each)}.", text))
        for each in _SEPARATORS
    }
    best = max(_SEPARATORS, key=lambda each: counts[each])
    return best if counts[best] else _SEPARATORS[0]
