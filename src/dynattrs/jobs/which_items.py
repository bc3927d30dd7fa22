"""Which items of a table a job is for: those of its models with their guards, or all of a table.

A model in a job stands for its items and those of its subclasses; a `Table` for everything that is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import attrs

from dynattrs.errors import ConditionError, ModelError
from dynattrs.expressions.conditions import Condition, condition
from dynattrs.expressions.conditions import models_of as models_of_condition
from dynattrs.jobs.importable import importable_name, imported, table_name
from dynattrs.jobs.work import Models
from dynattrs.keys.discriminator import Sieve, subclasses
from dynattrs.keys.kinds import are_told_apart, concerns
from dynattrs.operations.conditions import check_stored
from dynattrs.operations.writing.unique_items import OWNER_ATTRIBUTE, names_of_guards
from dynattrs.schema.item_models import declared_model_of, has_plain_keys, told_by_nothing
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ModelInfo, info_of, model_info, models_in
from dynattrs.schema.table import AttributeMap, Table


class Kept:
    """What an item is that is of no model, and is kept all the same."""

    def __init__(self, name: str) -> None:
        self.name = name


#: The guard of a unique value of an item that the job is for.
GUARD = Kept("guards")
#: An item of a whole table that no model of it knows.
UNKNOWN = Kept("others")

_EVERY_ITEM: Final = "give the job the Table itself if it is meant for every item: models=[table]"


@attrs.frozen(eq=False)
class OfTable:
    """The items of one table that a job is for.

    Attributes:
        table: The table, as it is declared.
        infos: The models; of a whole table all that it has.
        whole: Whether all of its items are meant.
    """

    table: Table
    infos: Sequence[ModelInfo]
    whole: bool
    _sieve: Sieve | None
    _guards: frozenset[str]
    # Those that items of other models of the table have as well: of a field that a subclass inherits.
    _shared: frozenset[str]

    @property
    def tells(self) -> tuple[str, ...]:
        """The attributes that say what an item is."""
        own = () if self.table.discriminator is None else (self.table.discriminator,)
        owner = (OWNER_ATTRIBUTE,) if self._shared else ()
        return (*self.table.key, *own, GUARD_ATTRIBUTE, *owner)

    @property
    def shares_guards(self) -> bool:
        """Whether guards of a kind that the job is for may also be those of items that it is not for."""
        return bool(self._shared)

    def shares(self, item: AttributeMap) -> bool:
        """Whether an item is such a guard."""
        return bool(self._shared) and item.get(GUARD_ATTRIBUTE, {}).get("S") in self._shared

    def kind_of(self, item: AttributeMap) -> ModelInfo | Kept | None:
        """The model that an item is of, or what else it is; None where the job is not for it.

        Raises:
            MappingError: It is of no model that is declared.
        """
        guard = item.get(GUARD_ATTRIBUTE)
        if guard is not None:
            return GUARD if self.whole or guard.get("S") in self._guards else None
        if self.whole:
            found = declared_model_of(self.table, item)
            if found is None and self.table.discriminator not in item:
                # A key that no template makes may be one of a model without templates.
                plain = [each for each in self.infos if has_plain_keys(each)]
                found = plain[0] if len(plain) == 1 else None
            return UNKNOWN if found is None else found
        return self.infos[0] if self._sieve is None else self._sieve.model_of(item)


def items_of(models: Models, owner: str, where: object = None) -> list[OfTable]:
    """The items that a job on some models is for, by their tables, in the order of the models.

    Args:
        models: The models and tables.
        owner: Who asks, for messages.
        where: What is stated of the items, in whatever form: then it says which are one model's, where
            nothing else does.

    Raises:
        ModelError: There are none, one is no model, or nothing tells the items of one from another's.
    """
    by_table: dict[int, tuple[Table, list[ModelInfo], bool]] = {}
    for each in models:
        table = each if isinstance(each, Table) else model_info(each).table
        _, infos, whole = by_table.get(id(table), (table, [], False))
        if not isinstance(each, Table) and model_info(each) not in infos:
            infos.append(model_info(each))
        by_table[id(table)] = table, infos, whole or isinstance(each, Table)
    if not by_table:
        raise ModelError(owner, "models=[]: at least one model, or a Table, is expected")
    told = where is not None and len(by_table) == 1 and len(models) == 1
    return [_of_table(*each, owner, told=told) for each in by_table.values()]


def check_where(where: object, tables: Sequence[OfTable]) -> Condition | None:
    """A condition that is asked of all items of some tables; None for nothing.

    Raises:
        ConditionError: It is not a condition, or names fields that no model of one of the tables has.
    """
    if where is None:
        return None
    found = condition(where)
    for table in tables:
        for model in models_of_condition(found):
            if not any(concerns(info, model) for info in table.infos):
                known = ", ".join(info.name for info in table.infos)
                raise ConditionError(
                    f"where={found} is about {model.__name__}, but the job is for {known}"
                )
        for info in table.infos:
            check_stored(found, info)
    return found


def _of_table(
    table: Table, infos: list[ModelInfo], whole: bool, owner: str, *, told: bool
) -> OfTable:
    if whole:
        every = [*infos, *(each for each in models_in(table) if each not in infos)]
        return OfTable(table, every, True, None, frozenset(), frozenset())
    ours = [*infos, *(sub for each in infos for sub in subclasses(each))]
    for one in () if told else filter(told_by_nothing, ours):
        for other in filter(told_by_nothing, models_in(table)):
            if other not in ours or (other is not one and len(infos) > 1):
                raise ModelError(
                    owner,
                    f"nothing tells items of {one.name} from those of {other.name}, which are in table "
                    f"{table.name!r} as well; give the Table itself, Table(..., discriminator=...), or "
                    f"key templates",
                )
    names = frozenset(name for each in ours for name in names_of_guards(each))
    sieve = Sieve(infos, _EVERY_ITEM) if are_told_apart(infos) else None
    others = (
        name for each in models_in(table) if each not in ours for name in names_of_guards(each)
    )
    return OfTable(table, infos, False, sieve, names, names.intersection(others))


# --- Names --------------------------------------------------------------------------------------


def names_of(models: Models, owner: str) -> tuple[str, ...]:
    """The importable names of models and tables; `app.invoices:Invoice@app.tables` of a class that another
    module has mapped, which worker processes import as well.

    Raises:
        ModelError: One has none, or is neither.
    """
    found: list[str] = []
    for each in models:
        if isinstance(each, Table):
            found.append(table_name(each, owner))
        else:
            home = model_info(each).mapped_in
            name = importable_name(each, owner)
            found.append(f"{name}@{home}" if home else name)
    return tuple(found)


def models_of(names: Sequence[str], owner: str) -> list[type[Any] | Table]:
    """The models and tables of that name.

    Raises:
        ModelError: One cannot be imported, or is something else.
    """
    found: list[type[Any] | Table] = []
    for name in names:
        path, _, home = name.partition("@")
        each = imported(path, owner)
        if home and info_of(each) is None:
            with suppress(ImportError):
                import_module(home)
        if not isinstance(each, Table) and info_of(each) is None:
            raise ModelError(owner, f"{name!r} is {each!r}, and a model or a Table is expected")
        found.append(each)
    return found


def counted(kinds: Mapping[ModelInfo | Kept, int]) -> dict[str, int]:
    """Numbers by names of models, in the order of the names."""
    found: dict[str, int] = {}
    for each in sorted(kinds, key=lambda each: each.name):
        found[each.name] = found.get(each.name, 0) + kinds[each]
    return found
