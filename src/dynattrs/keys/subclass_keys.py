"""Subclasses whose key templates are not their base's, so that their items lie elsewhere in an index.

A query of an index for the base asks for them as well: together with the base's where one key condition
takes in both, otherwise for each by itself. Of the table's own keys, a query is for those of the class
that it names.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from dynattrs.keys.discriminator import subclasses, template_of
from dynattrs.keys.plans import Wanted
from dynattrs.quoting import named
from dynattrs.schema.indexes import KeySchema
from dynattrs.schema.model_info import ModelInfo


def keyed_apart(infos: Sequence[ModelInfo]) -> list[ModelInfo]:
    """The subclasses of some models that have a key template of their own, and are not named themselves."""
    if len(infos) == 1:
        return [*_keyed_apart(infos[0])]
    found = dict.fromkeys(each for info in infos for each in _keyed_apart(info))
    return [each for each in found if each not in infos]


def has_others(info: ModelInfo) -> bool:
    """Whether a model has subclasses that have a key template of their own."""
    return bool(_keyed_apart(info))


def _keyed_apart(info: ModelInfo) -> tuple[ModelInfo, ...]:
    declared = info.table.members.declared
    if info.keyed_apart[0] != declared:
        names = info.table.key_attributes
        some = [each for each in subclasses(info) if _made(each, names) != _made(info, names)]
        info.keyed_apart = declared, tuple(some)
    return info.keyed_apart[1]


def bases_of(infos: Sequence[ModelInfo]) -> list[ModelInfo]:
    """Those of some models that are not subclasses of another one of them."""
    return [
        each
        for each in infos
        if not any(each is not other and issubclass(each.cls, other.cls) for other in infos)
    ]


def others_in(wanted: Wanted, keys: KeySchema) -> list[list[ModelInfo]]:
    """The subclasses that have other keys than the wanted models in the table or an index, those with the
    same keys together.

    An index's own attributes count, not the table's keys that it may have as well.
    """
    own = [*keys.partition, *keys.sort]
    if keys.index is not None:
        own = [name for name in own if name not in wanted.info.table.key]
    ours = [_made(info, own) for info in wanted.infos]
    found: dict[tuple[str | None, ...], list[ModelInfo]] = {}
    for each in keyed_apart(wanted.infos):
        made = _made(each, own)
        if made not in ours:
            found.setdefault(made, []).append(each)
    return [*found.values()]


def for_models(wanted: Wanted, infos: Sequence[ModelInfo]) -> Wanted:
    """The same question about other models."""
    return attrs.evolve(wanted, info=infos[0], others=tuple(infos[1:]))


def shown(infos: Sequence[ModelInfo], keys: KeySchema) -> str:
    """Some models with the templates of their keys, for messages."""
    texts = []
    for info in infos:
        made = {name: template_of(info, name) for name in (*keys.partition, *keys.sort)}
        written = [f"{name}={each.written!r}" for name, each in made.items() if each is not None]
        texts.append(f"{info.name} ({', '.join(written)})")
    return named(texts)


def _made(info: ModelInfo, names: Sequence[str]) -> tuple[str | None, ...]:
    """What makes some key attributes of a model's items."""
    templates = [template_of(info, name) for name in names]
    return tuple([None if each is None else each.written for each in templates])
