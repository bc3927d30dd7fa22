"""The kinds of items that a design has in a table, as NoSQL Workbench sees them: documentation.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/workbench.Modeler.Facets.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from dynattrs.late_classes import field, frozen
from dynattrs.schema.indexes import names_of
from dynattrs.schema.option_values import several
from dynattrs.schema.written import Written

AttributeValue: TypeAlias = "dict[str, Any]"
AttributeMap: TypeAlias = "dict[str, AttributeValue]"


def facets_of(value: Iterable[Facet]) -> tuple[Facet, ...]:
    return several(value)


def sample_items_of(value: Iterable[Mapping[str, object]]) -> tuple[AttributeMap, ...]:
    return tuple(dict(each) if isinstance(each, Mapping) else each for each in several(value))


@frozen(repr=False)
class Facet(Written):
    """One kind of item in a table of a design: an access pattern, as NoSQL Workbench sees it.

    Args:
        name: Its name.
        partition_key: What the partition key is in this facet: a name, or a pattern.
        sort_key: What the sort key is, where the table has one.
        attributes: The names of the attributes besides the table's key.
        sample_items: Examples, as attribute maps.
    """

    name: str
    partition_key: str = field(kw_only=True, default="")
    sort_key: str | None = field(kw_only=True, default=None)
    attributes: tuple[str, ...] = field(kw_only=True, default=(), converter=names_of)
    sample_items: tuple[AttributeMap, ...] = field(
        kw_only=True, default=(), converter=sample_items_of, hash=False
    )
