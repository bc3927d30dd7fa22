"""What models say of their discriminator, where that is part of the key of an index: it is one of their
kinds, those of subclasses included.

One kind is an equality. Several can only be asked one after the other: a query of an index whose
partition key is the discriminator is one of each kind, merged in order, as those of shards are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dynattrs.expressions.conditions import Comparison, Value
from dynattrs.keys.bounds import Bound, attribute_operand
from dynattrs.keys.discriminator import subclasses
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import GlobalIndex, KeySchema


def with_kinds(infos: Sequence[ModelInfo], bounds: Mapping[str, Bound]) -> Mapping[str, Bound]:
    """What is said of key attributes, with what the models' kinds say."""
    info, attribute = infos[0], infos[0].table.discriminator
    if attribute is None or attribute not in info.table.key_attributes:
        return bounds
    kinds = kinds_of(infos)
    value = Value({"S": kinds[0]}, kinds[0])
    equal = Comparison("=", attribute_operand(info, attribute), value)
    return {**bounds, attribute: Bound((equal,), kinds=kinds if len(kinds) > 1 else ())}


def kinds_of(infos: Sequence[ModelInfo]) -> tuple[str, ...]:
    """The kinds that items of models and of their subclasses may have, sorted."""
    ours = dict.fromkeys(each for info in infos for each in (info, *subclasses(info)))
    kinds = {kind for each in ours if each.keys is not None for kind in each.keys.kinds}
    return tuple(sorted(kinds))


def can_ask_each(keys: KeySchema) -> bool:
    """Whether a query of an index can be one of each kind, merged in order."""
    index = keys.index
    one = isinstance(index, GlobalIndex) and len(keys.partition) == 1
    return one and len(keys.sort) <= 1
