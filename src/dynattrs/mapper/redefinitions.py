"""Letting go of classes that were defined again, and of what was made for them.

What a mapper keeps for a class holds the class, so it would live as long as the mapper does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from dynattrs.mapper.codec import Codec
from dynattrs.mapper.hints import is_class


def let_go(
    stale: set[type[object]], codecs: Mapping[Any, Codec], caches: Iterable[dict[Any, Any]]
) -> None:
    """Drop what is kept for some classes, and for those that hold them.

    Args:
        stale: The classes; the holders are added to them.
        codecs: The codecs of types, which tell what holds what.
        caches: What is kept by types, or by tuples of types and other things.
    """
    if not any(each in codecs for each in stale):
        return
    holders = [
        (type_, [each.type for each in codec.fields.values()])
        for type_, codec in codecs.items()
        if codec.fields is not None and is_class(type_)
    ]
    known = -1
    while known < len(stale):
        known = len(stale)
        stale.update(
            type_
            for type_, inside in holders
            if type_ not in stale and any(mentions(each, stale) for each in inside)
        )
    for cache in caches:
        for key in mentioning(cache, stale):
            cache.pop(key, None)


def mentioning(types: Iterable[Any], classes: set[type[object]]) -> set[Any]:
    """Those types that are some classes, or are made of one."""
    return {each for each in types if mentions(each, classes)}


def mentions(type_: Any, classes: set[type[object]]) -> bool:
    """Whether a type is one of some classes or is made of one: `list[Song]`, a tuple of types."""
    if is_class(type_):
        return type_ in classes
    seen: set[int] = set()
    waiting = [type_]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if is_class(each):
            if each in classes:
                return True
        elif type(each) in classes:  # a member of an enum, in a literal
            return True
        elif isinstance(each, tuple):
            waiting += each
        else:
            waiting += (get_origin(each), *get_args(each))
            waiting += (getattr(each, "__supertype__", None), getattr(each, "__value__", None))
    return False
