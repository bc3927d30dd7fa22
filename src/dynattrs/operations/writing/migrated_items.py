"""Which items of a table a migration is for: those of its model, and no other's.

A discriminator says it, or the key. Where neither does, the caller has to: a migration of one model
would rewrite the items of another one as its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from dynattrs.errors import MappingError, QueryError
from dynattrs.expressions.conditions import (
    Comparison,
    Condition,
    Constant,
    Function,
    Value,
    any_conditions,
    condition,
    paths_in,
    render,
)
from dynattrs.expressions.paths import data_of
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.keys.discriminator import Sieve, subclasses
from dynattrs.keys.kinds import are_told_apart
from dynattrs.mapper.upgrades import is_outdated
from dynattrs.operations.conditions import attribute_path, check_models, check_stored, joined
from dynattrs.operations.writing import index_keys
from dynattrs.schema.item_models import has_plain_keys, told_by_nothing
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo, models_in
from dynattrs.schema.table import AttributeMap


@attrs.frozen(eq=False)
class MigratedItems:
    """The items that a migration is for.

    Attributes:
        info: The model.
        where: What the caller says of its items, as they are stored; None if nothing.
    """

    info: ModelInfo
    where: Condition | None
    _sieve: Sieve | None

    @property
    def nothing(self) -> bool:
        """Whether there are none, without asking."""
        return isinstance(self.where, Constant) and not self.where.value

    def model_of(self, item: AttributeMap) -> ModelInfo | None:
        """The model that an item is of; None if it is of none that is migrated.

        Raises:
            MappingError: Nothing tells whether it is of the model or of another one.
        """
        if GUARD_ATTRIBUTE in item:
            return None
        if self._sieve is None:
            return self.info
        own = self._sieve.model_of(item)
        if (
            own is not None
            and self.where is None
            and (own.guarding or is_outdated(own, item) or index_keys.rewritten(own, item))
        ):
            self._check_told(own, item)
        return own

    def missing_kind(self, own: ModelInfo, item: AttributeMap) -> AttributeMap:
        """The discriminator of an item that has none, where it is known to be of its *own* model: the
        caller says so, or its key is no other one's.
        """
        name = own.table.discriminator
        if name is None or name in item or own.keys is None:
            return {}
        if self.where is None and next(_others(own, item, (own,)), None) is not None:
            return {}
        return {name: {"S": own.keys.kinds[0]}}

    def _check_told(self, own: ModelInfo, item: AttributeMap) -> None:
        table = own.table
        if table.discriminator is None or table.discriminator in item:
            return
        for other in _others(own, item, (self.info, *subclasses(self.info))):
            raise MappingError(
                f"{own.name}[{table.discriminator!r}]",
                "a kind",
                f"none, and its key may be one of {other.name} as well",
                {name: item[name] for name in table.key},
                f"say which items are those of {self.info.name}: migrate(..., where=...)",
                item,
            )

    def filter(self, parameters: Message) -> None:
        """Let the service leave out what is not meant, and what is up to date."""
        found = self.asked()
        if found is None:
            return
        placeholders = Placeholders()
        parameters["FilterExpression"] = render(found, placeholders, "filter")
        placeholders.into(parameters)

    def asked(self) -> Condition | None:
        """What the service can see of what is meant and not up to date; None for nothing. Whether an item
        has its guards, and its index keys as they are declared, it cannot see.
        """
        where = None if isinstance(self.where, Constant) else self.where
        unseen = self.info.guarding or any(
            each.index_keys for each in (self.info, *subclasses(self.info))
        )
        outdated = None if unseen else self._outdated()
        return joined(where, outdated)

    def _outdated(self) -> Condition:
        conditions: list[Condition] = []
        for each in (self.info, *subclasses(self.info)):
            if each.upgrades:
                operand = attribute_path(each, (each.schema_attribute,), each.schema_attribute)
                current = Value({"N": str(each.schema_version)}, each.schema_version)
                conditions.append(Function("attribute_not_exists", "not_exists", operand))
                conditions.append(Comparison("<", operand, current))
            conditions += [
                Function("attribute_exists", "exists", attribute_path(each, (name,), name))
                for name in each.formerly
            ]
            if (kind := each.table.discriminator) is not None:
                operand = attribute_path(each, (kind,), kind)
                conditions.append(Function("attribute_not_exists", "not_exists", operand))
        unlike = {str(each): each for each in conditions}
        return any_conditions(unlike.values())


def _others(own: ModelInfo, item: AttributeMap, ours: Sequence[ModelInfo]) -> Iterator[ModelInfo]:
    """The models besides *ours* that an item without a kind may be of as well."""
    for other in models_in(own.table):
        keys = other.keys
        if other in ours or keys is None:
            continue
        if has_plain_keys(other) if has_plain_keys(own) else keys.matches(item):
            yield other


def migrated_items(info: ModelInfo, where: object) -> MigratedItems:
    """The items of a model, where something tells them from others, or the caller does.

    Raises:
        QueryError: Nothing tells them; or *where* speaks of an attribute that had another name.
        ConditionError: *where* is not a condition on fields of the model that are stored.
    """
    stated = None if where is None else _stated(info, where)
    ours = (info, *subclasses(info))
    others = [each for each in models_in(info.table) if each not in ours]
    if stated is None and told_by_nothing(info):
        for other in filter(told_by_nothing, others):
            raise QueryError(
                f"migrate({info.name}): nothing tells its items from those of {other.name}, which are "
                f"in table {info.table.name!r} as well; say which are meant, such as "
                f"where=begins_with({info.name}.{info.key_fields[0]}, ...)"
            )
    sieve = Sieve((info,), "skip such items with migrate(..., on_error='skip')")
    return MigratedItems(info, stated, sieve if are_told_apart((info,)) else None)


def _stated(info: ModelInfo, where: object) -> Condition:
    found = condition(where)
    check_models(found, info, found)
    check_stored(found, info)
    for path in paths_in(found):
        attribute = data_of(path).steps[0]
        former = [old for old, name in info.formerly.items() if name == attribute]
        if former:
            raise QueryError(
                f"migrate({info.name}, where={found}): older items have {data_of(path).label} as "
                f"{' or '.join(map(repr, former))}, so the service would not find them; state another "
                f"field, such as one of the key"
            )
    return found
