"""What a design says of a table besides its keys: facets and sample items.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/workbench.Visualizer.Facets.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import attrs

__all__ = ["Facet"]

AttributeMap: TypeAlias = "dict[str, dict[str, Any]]"


def items_of(value: Iterable[Mapping[str, Any]]) -> tuple[AttributeMap, ...]:
    return tuple(dict(item) for item in value)


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@attrs.frozen
class Facet:
    """One kind of item in a table of a design: an access pattern, as NoSQL Workbench sees it.

    Args:
        name: Its name.
        partition_key: What the partition key is in this facet: a name, or a pattern.
        sort_key: What the sort key is, where the table has one.
        attributes: The names of the attributes besides the table's key.
        sample_items: Examples, as attribute maps.
    """

    name: str
    partition_key: str = attrs.field(kw_only=True, default="")
    sort_key: str | None = attrs.field(kw_only=True, default=None)
    attributes: tuple[str, ...] = attrs.field(kw_only=True, default=(), converter=_texts)
    sample_items: tuple[AttributeMap, ...] = attrs.field(
        kw_only=True, default=(), converter=items_of, hash=False
    )


def facets_of(value: Iterable[Facet]) -> tuple[Facet, ...]:
    return tuple(value)
