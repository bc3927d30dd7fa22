"""Which model of a table an item is of.

A discriminator attribute says it, where the `Table` has one. Without it the keys do: each model's
templates are a small language, and two models whose languages have a key in common are refused when
the second of them is declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from dynattrs.deferral import deferred
from dynattrs.errors import MappingError, ModelError
from dynattrs.mapper.codec import names_of
from dynattrs.mapper.hints import Undefined
from dynattrs.schema.item_models import declared_model_of, has_plain_keys
from dynattrs.schema.model_info import GUARD_ATTRIBUTE, ComputedKeys, ModelInfo, info_of, models_in
from dynattrs.schema.table import StoredItem, Table

if TYPE_CHECKING:
    from dynattrs.schema import languages
    from dynattrs.schema.templates import Template
else:
    languages = deferred("dynattrs.schema.languages")


def check_apart(info: ModelInfo) -> None:
    """Refuse a model whose items could be taken for another model's of the same table, or would be read
    otherwise by one that it inherits from.

    Where an annotation is not defined yet, that cannot be seen: the first use asks again.

    Raises:
        ModelError: It names the other model, the keys, and what to do.
    """
    known, own = True, info.keys
    try:
        _check_inherited(info)
    except Undefined:
        known = False
    if own is None:
        return
    for other in models_in(info.table):
        theirs = other.keys
        if _same_name(other, info) or theirs is None:
            continue
        if info.table.discriminator is not None:
            for kind in own.kinds:
                if kind in theirs.kinds:
                    raise ModelError(
                        info.name,
                        f"kind={kind!r} is {other.name}'s already; give one of them another kind",
                    )
            continue
        if not own.written or not theirs.written:
            continue
        try:
            meet = all(_can_meet(own, theirs, attribute) for attribute in info.table.key)
        except Undefined:  # a forward reference
            known = theirs.apart = False
            continue
        if meet:
            raise ModelError(
                info.name,
                f"an item with one of its keys ({_shown(own)}) could be one of {other.name} "
                f"({_shown(theirs)}), and they could not be told apart; begin the keys differently, or "
                f'declare Table(..., discriminator="type")',
            )
    own.apart = known


def _check_inherited(info: ModelInfo) -> None:
    """Refuse inherited fields that are stored otherwise than by the models of the same table that have
    them from above: what is asked of those, and told to them, would pass the items of this one by.

    Raises:
        ModelError: It names the field, both forms and what to do.
        Undefined: An annotation is not defined yet.
    """
    known = (info_of(cls) for cls in info.cls.__mro__[1:])
    above = [base for base in known if base is not None and base.table is info.table]
    for base in above:
        for name, stored in base.names.items():
            own = info.names.get(name, stored)
            if own != stored:
                raise _stored_otherwise(info, base, name, f"as {own!r}", f"as {stored!r}")
    for base in above:
        own_fields = info.mapper.model_codec(info.cls).fields or {}
        for name, codec in (base.mapper.model_codec(base.cls).fields or {}).items():
            found = own_fields.get(name, codec)
            own, theirs = (each.packed or each.form for each in (found, codec))
            if found.tags.isdisjoint(codec.tags) or own != theirs:
                forms = (each.packed or each.form or names_of(each.tags) for each in (found, codec))
                raise _stored_otherwise(info, base, name, *forms)


def _stored_otherwise(
    info: ModelInfo, base: ModelInfo, name: str, own: str, theirs: str
) -> ModelError:
    return ModelError(
        info.name,
        f"it is stored {own} here and {theirs} by {base.name}, whose queries and writes reach these "
        f"items as well; store it alike, or give the field another name",
        name,
    )


def ask_again(info: ModelInfo) -> None:
    """Refuse, at the first use, what could not be seen at the declaration: see `check_apart`.

    Raises:
        ModelError: As `check_apart`.
    """
    if info.keys is not None and not info.keys.apart:
        check_apart(info)


def may_share_keys(one: ModelInfo, other: ModelInfo) -> bool:
    """Whether an item of one model may have a key that the other one's could have.

    Raises:
        NameError: An annotation is not defined yet.
    """
    if _same_name(one, other):
        return False
    own, theirs = one.keys, other.keys
    if own is None or theirs is None:
        return True
    return all(_can_meet(own, theirs, attribute) for attribute in one.table.key)


def _same_name(one: ModelInfo, other: ModelInfo) -> bool:
    """Whether one of two classes is the other, declared again, as in a notebook."""
    names = [(each.cls.__module__, each.cls.__qualname__) for each in (one, other)]
    return names[0] == names[1]


def _can_meet(one: ComputedKeys, other: ComputedKeys, attribute: str) -> bool:
    first, second = (keys.templates.get(attribute) for keys in (one, other))
    if first is None or second is None:
        return True
    if first.tag == "S":
        return languages.can_meet(first.language, second.language)
    return first.constant is None or second.constant is None or first.constant == second.constant


def _shown(keys: ComputedKeys) -> str:
    return ", ".join(f"{name}={keys.written.get(name)!r}" for name in keys.table.key)


def is_guard(table: Table, item: StoredItem) -> bool:
    """Whether an item is the guard of a unique value, as its key tells in any projection."""
    key = item.get(table.partition_key, {})
    text = key.get("S") or key.get("B") or ""
    begin: Any = GUARD_ATTRIBUTE if isinstance(text, str) else GUARD_ATTRIBUTE.encode()
    return cast("str", text).startswith(begin)


def subclasses(info: ModelInfo) -> list[ModelInfo]:
    """The models of the same table that derive from a model."""
    members = models_in(info.table)
    return [each for each in members if each is not info and issubclass(each.cls, info.cls)]


class Sieve:
    """Keeps the items of some models, and leaves out those of others.

    Args:
        asked: The models; subclasses of theirs count as well.
        way_out: What else helps with items of models that are not declared, for messages. Not every verb
            can skip them.
    """

    def __init__(
        self,
        asked: Sequence[ModelInfo],
        way_out: str = "skip such items with on_error('skip')",
    ) -> None:
        self.asked = tuple(asked)
        self.way_out = way_out
        self.table = asked[0].table
        self._members = models_in(self.table)
        #: Those of the models that were declared again since, as in a notebook.
        self._former = [each for each in self.asked if each not in self._members]
        #: The models that were asked for, by the discriminator's values that were met; None for others'.
        self.kinds: dict[str, ModelInfo | None] = {}

    @property
    def reads(self) -> tuple[str, ...]:
        """The attributes that tell models apart, besides the primary key."""
        return () if self.table.discriminator is None else (self.table.discriminator,)

    def model_of(self, item: StoredItem) -> ModelInfo | None:
        """The model that reads an item; None if it is of one that was not asked for.

        Raises:
            MappingError: No model of the table is known for it.
        """
        discriminator = self.table.discriminator
        said = {} if discriminator is None else item.get(discriminator, {})
        kind = said.get("S")
        if type(kind) is str and kind in self.kinds:
            return self.kinds[kind]
        if said:
            found = declared_model_of(self.table, item, self.asked, self._members)
        else:
            found = next((each for each, keys in self.by_key if keys.matches(item)), None)
        if found is None:
            if is_guard(self.table, item):
                return None
            # A key that no template makes may be one of a model without templates.
            if said or not any(map(has_plain_keys, self._members)):
                raise self._unknown(item)
            return next(filter(has_plain_keys, self.asked), None)
        wanted = found if found in self.wanted else None
        if wanted is None and self._former:
            wanted = self._formerly(found, item)
        if type(kind) is str:
            self.kinds[kind] = wanted
        return wanted

    @cached_property
    def by_key(self) -> list[tuple[ModelInfo, ComputedKeys]]:
        """The models that a key can tell, in the order in which they are tried (see `declared_model_of`)."""
        ours = [info for info in self._members if issubclass(info.cls, self._bases)]
        every = dict.fromkeys((*self.asked, *ours, *self._members))
        return [(info, info.keys) for info in every if info.keys is not None and info.keys.written]

    @cached_property
    def wanted(self) -> frozenset[ModelInfo]:
        """The models that were asked for, and their subclasses."""
        every = (*self.asked, *self._members)
        return frozenset(info for info in every if issubclass(info.cls, self._bases))

    @property
    def _bases(self) -> tuple[type[object], ...]:
        return tuple(info.cls for info in self.asked)

    @property
    def definite(self) -> bool:
        """Whether no model was asked for by a definition that is older than the table's."""
        return not self._former

    def _formerly(self, found: ModelInfo, item: StoredItem) -> ModelInfo | None:
        """The older definition, which was asked for, of the model that an item is of.

        Raises:
            MappingError: It is of a subclass of the newer definition.
        """
        for each in self._former:
            if _same_name(found, each):
                return each
            name = (each.cls.__module__, each.cls.__qualname__)
            if name in ((base.__module__, base.__qualname__) for base in found.cls.__mro__):
                stored, key = self._stored(item)
                raise MappingError(
                    each.name, f"an item of {each.name}, and an older definition was asked for",
                    f"one of {found.name}, a subclass of the newer one", key,
                    f"define again what names {each.name}", stored,
                )  # fmt: skip
        return None

    def _stored(self, item: StoredItem) -> tuple[Any, Any]:
        """An item as an attribute map, and its key."""
        # Rows are there only where a library that makes them is.
        from dynattrs.mapper.rows import attribute_map

        stored = attribute_map(item)
        return stored, {name: stored[name] for name in self.table.key if name in stored}

    def _unknown(self, stored: StoredItem) -> MappingError:
        item, key = self._stored(stored)
        known = ", ".join(info.name for info in models_in(self.table))
        names = " or ".join(info.name for info in self.asked)
        discriminator = self.table.discriminator
        if discriminator is not None and discriminator in item:
            found: Any = f"{discriminator}={next(iter(item[discriminator].values()))!r}"
        else:
            found = "another key"
        return MappingError(
            names, f"an item of a model of table {self.table.name!r} ({known})", found, key,
            f"declare a model for it on the same Table, or {self.way_out}", item,
        )  # fmt: skip


def template_of(info: ModelInfo, attribute: str) -> Template | None:
    """The template that makes a key attribute of a model's items."""
    keys = info.keys
    return None if keys is None else keys.templates.get(attribute)
