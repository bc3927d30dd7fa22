"""Which items are a model's own, where several models share a table.

Verbs that are given a class act on items of that class and of its subclasses. Where another model of
the table may have an item under one of the class's keys, writes are sent under a guard: the condition
that the item is of the class, or is not there, or says nothing.

Without a discriminator the keys tell: those that the templates of a model make are that model's, and a
model whose keys are plain fields has all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dynattrs.errors import ImpossibleKey
from dynattrs.keys.discriminator import may_share_keys, subclasses
from dynattrs.quoting import quoted
from dynattrs.schema.item_models import has_plain_keys
from dynattrs.schema.model_info import Kinds, ModelInfo, models_in
from dynattrs.schema.table import AttributeMap, StoredItem


def kinds_of(info: ModelInfo) -> Kinds | None:
    """What tells a model's items from others; None where its keys alone do, or nothing does.

    It is found out once, and again when another model has been declared on the table.
    """
    keys, members = info.keys, info.table.members
    if members.declared < 2 if keys is None else not keys.kinds:
        return None
    known = info.kinds
    if known is None or known.declared != members.declared:
        known = info.kinds = _found(info)
    return known if known.theirs or known.attribute is not None else None


def is_other(info: ModelInfo, item: StoredItem) -> bool:
    """Whether an item under one of a model's keys is of another model."""
    kinds = kinds_of(info)
    return kinds is not None and kinds.other(item) is not None


def subclass_of(info: ModelInfo, item: StoredItem, *, stored: bool = False) -> ModelInfo | None:
    """The subclass that an item is of, where that has upgrades, a version or time stamps of its own; None
    where what is known of the model holds of the item.

    Args:
        info: The model.
        item: The item.
        stored: Only where items of the subclass are stored otherwise.
    """
    found = otherwise(info, stored=stored)
    if not found:
        return None
    return found.get(item.get(info.table.discriminator or "", {}).get("S", ""))


def otherwise(info: ModelInfo, *, stored: bool = False) -> Mapping[str, ModelInfo]:
    """The subclasses of a model that have upgrades, a version or time stamps of their own, by their kinds;
    those whose items are *stored* otherwise only.
    """
    kinds = kinds_of(info)
    if kinds is None or not kinds.otherwise:
        return {}
    found = kinds.otherwise
    if not stored:
        return found
    return {kind: each for kind, each in found.items() if each.history != info.history}


def evolving(infos: Sequence[ModelInfo]) -> list[ModelInfo]:
    """Those of some models, and of their subclasses, whose items may be of other schemas."""
    every = (each for info in infos for each in (info, *subclasses(info)))
    return [each for each in every if each.has_schema]


def kinds_of_all(infos: Sequence[ModelInfo]) -> Kinds | None:
    """The same for the items of any of several models."""
    if len(infos) == 1:
        return kinds_of(infos[0])
    return None if any(kinds_of(info) is None for info in infos) else _found(*infos)


def has_stray_key(info: ModelInfo) -> Callable[[StoredItem], bool] | None:
    """What says of an item, which may be any of the table, whether it has a key that is not the model's;
    None where keys say nothing.
    """
    keys = info.keys
    if keys is not None and keys.written:
        return lambda item: not keys.matches(item)
    kinds = kinds_of(info)
    if kinds is None or not kinds.theirs:
        return None
    return lambda item: kinds.owner_of(item) is not None


def check_own_key(info: ModelInfo, key: AttributeMap) -> None:
    """Refuse to make an item under a key that says that it is of another model.

    Raises:
        ImpossibleKey: It names the other model.
    """
    kinds = kinds_of(info) if info.keys is None else None
    owner = None if kinds is None else kinds.owner_of(key)
    if owner is not None:
        shown = ", ".join(
            f"{name}={quoted(next(iter(key[name].values())))}"
            for name in info.table.key
            if name in key
        )
        raise ImpossibleKey(
            info.name, "a key that no template of the table's other models makes", shown,
            hint=f"it is the key of one of {owner}, and the item would be read as one",
        )  # fmt: skip


def keys_tell_subclasses(info: ModelInfo) -> bool:
    """Whether items of subclasses may be told by their keys, and not by a discriminator, which is looked
    at wherever an item is read: old ones have none.
    """
    own = {} if info.keys is None else info.keys.written
    return any(each.keys is not None and each.keys.written != own for each in subclasses(info))


def concerns(info: ModelInfo, model: type[object]) -> bool:
    """Whether a condition on *model* can be asked of the items of *info*: its own fields, those of
    its bases, and those of subclasses that it yields as well.
    """
    return issubclass(info.cls, model) or (info.keys is not None and issubclass(model, info.cls))


def are_told_apart(infos: Sequence[ModelInfo]) -> bool:
    """Whether their table may hold items that are not of these models, and that can be told from theirs:
    by a discriminator, or by a key that a template makes.
    """
    if any(info.keys is not None for info in infos):
        return True
    members = models_in(infos[0].table)
    return len(members) > 1 and any(info.keys is not None for info in members)


def _found(*infos: ModelInfo) -> Kinds:
    table = infos[0].table
    declared, attribute = table.members.declared, table.discriminator
    ours = list(dict.fromkeys(each for info in infos for each in (info, *subclasses(info))))
    others = [other for other in models_in(table) if other not in ours]
    own = tuple(kind for each in ours if each.keys is not None for kind in each.keys.kinds)
    plain = len(infos) == 1 and has_plain_keys(infos[0])
    theirs = tuple(
        (other.name, other.keys)
        for other in others
        if plain and other.keys is not None and other.keys.written
    )
    try:
        # Keys that are plain fields may be those of models that other programs have declared.
        guarded = attribute is not None and any(map(has_plain_keys, ours))
        guarded = guarded or any(may_share_keys(each, other) for other in others for each in ours)
    except NameError:  # a forward reference: it is asked again
        guarded, declared = True, -1
    otherwise = {
        kind: each
        for each in ours[1:]
        if attribute is not None and len(infos) == 1 and each.keys is not None
        if _written_by(each) != _written_by(infos[0])
        for kind in each.keys.kinds
    }
    return Kinds(attribute, own, theirs, guarded, declared, otherwise)


def _written_by(info: ModelInfo) -> tuple[object, ...]:
    """What a write of an item does besides what it is told to."""
    stamps = (info.names.get(name or "") for name in (info.version, info.created, info.updated))
    return (info.history, *stamps)
