"""Which items are a model's own, where several models share a table.

Verbs that are given a class act on items of that class and of its subclasses. Where another model of
the table may have an item under one of the class's keys, writes are sent under a guard: the condition
that the item is of the class, or is not there, or says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from dynattrs.keys.discriminator import may_share_keys, subclasses
from dynattrs.schema.model_info import Kinds, ModelInfo, models_in
from dynattrs.schema.table import StoredItem


def kinds_of(info: ModelInfo) -> Kinds | None:
    """What tells a model's items from others; None where the table has no discriminator.

    It is found out once, and again when another model has been declared on the table.
    """
    keys = info.keys
    if keys is None or not keys.kinds:
        return None
    known = info.kinds
    if known is None or known.declared != info.table.members.declared:
        known = info.kinds = _found(info)
    return known


def is_other(info: ModelInfo, item: StoredItem) -> bool:
    """Whether an item under one of a model's keys is of another model."""
    kinds = kinds_of(info)
    return kinds is not None and kinds.other(item) is not None


def kinds_of_all(infos: Sequence[ModelInfo]) -> Kinds | None:
    """The same for the items of any of several models."""
    if len(infos) == 1:
        return kinds_of(infos[0])
    return None if any(kinds_of(info) is None for info in infos) else _found(*infos)


def _found(*infos: ModelInfo) -> Kinds:
    table = infos[0].table
    declared, attribute = table.members.declared, table.discriminator
    assert attribute is not None, "kinds go with a discriminator"
    ours = list(dict.fromkeys(each for info in infos for each in (info, *subclasses(info))))
    own = tuple(kind for each in ours if each.keys is not None for kind in each.keys.kinds)
    try:
        guarded = any(
            may_share_keys(each, other)
            for other in models_in(table)
            if other not in ours
            for each in ours
        )
    except NameError:  # a forward reference: it is asked again
        guarded, declared = True, -1
    return Kinds(attribute, own, guarded, declared)
