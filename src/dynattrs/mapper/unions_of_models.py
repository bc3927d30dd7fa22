"""Unions of models, `User | Order`: which of them an item is of.

Unions in the place of a field are `mapper.unions`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeGuard, Union, get_args, get_origin

from dynattrs.errors import ModelError
from dynattrs.mapper.annotations import show_type
from dynattrs.schema.item_models import class_in_union, told_by_nothing
from dynattrs.schema.model_info import ModelInfo, info_of, model_info
from dynattrs.schema.table import AttributeValue


def is_union(model: object) -> TypeGuard[UnionType]:
    return isinstance(model, UnionType) or get_origin(model) is Union


def members_of(union: object) -> tuple[Any, ...]:
    """The models of a union.

    Raises:
        ModelError: One of its members is not a model, they are not of one table, or nothing tells their
            items apart.
    """
    models = get_args(union)
    infos = [_info(union, each) for each in models]
    for info in infos:
        if info.table is not infos[0].table:
            raise ModelError(
                show_type(union),
                f"{infos[0].name} and {info.name} are not of one table; declare them on the same Table "
                f"object",
            )
        if told_by_nothing(info):
            raise ModelError(
                show_type(union),
                f"nothing tells items of {info.name} from others; give it key templates, or "
                f"Table(..., discriminator='type')",
            )
    return models


def one_of_union(union: object, item: Mapping[str, AttributeValue]) -> Any:
    """The class that reads an item of one of the models of a union.

    Raises:
        OtherKind: The item is of none of them.
        ModelError: As `members_of`.
    """
    models = members_of(union)
    return class_in_union([model_info(each) for each in models], item, models)


def _info(union: object, member: object) -> ModelInfo:
    if info_of(get_origin(member) or member) is None and not isinstance(member, type):
        raise ModelError(show_type(union), f"{show_type(member)} is not a model")
    if member is type(None):
        raise ModelError(show_type(union), "None is not a model; an item is always one")
    return model_info(member)
