"""Generic classes: what the arguments of a base are for a class that derives from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin


def with_arguments(cls: Any, base: Any) -> Any:
    """A subclass with the arguments that make it one of *base*, as far as that says them.

    `class Sub(Base[list[V]])` is `Sub[int]` where it is read as a `Base[list[int]]`.

    Args:
        cls: The class itself.
        base: A class that it derives from, with arguments if it is generic.
    """
    if cls is base or not hasattr(base, "__origin__"):
        return cls
    arguments, parameters = get_args(base), getattr(cls, "__parameters__", ())
    if cls is get_origin(base):
        return base
    if not arguments or not parameters or not all(isinstance(p, TypeVar) for p in parameters):
        return cls
    made = _arguments_of(cls, get_origin(base), {each: each for each in parameters})
    found: dict[Any, Any] = {}
    for pattern, argument in zip(made, arguments, strict=False):
        _match(pattern, argument, parameters, found)
    # One that nothing is said of stays as open as it is without arguments.
    return cls[tuple([found.get(each, _of_nothing(each)) for each in parameters])] if found else cls


def _arguments_of(cls: Any, base: Any, bound: Mapping[Any, Any]) -> Sequence[Any]:
    """What a class makes the parameters of a base of, with its own parameters *bound*."""
    if cls is base:
        return [*bound.values()]
    for each in vars(cls).get("__orig_bases__", cls.__bases__):
        origin = get_origin(each) or each
        parameters = getattr(origin, "__parameters__", ())
        if isinstance(origin, type) and issubclass(origin, base):
            stated = [_filled(argument, bound) for argument in get_args(each)]
            return _arguments_of(origin, base, dict(zip(parameters, stated, strict=False)))
    return ()


def _filled(hint: Any, bound: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return bound.get(hint, Any)
    parameters = getattr(hint, "__parameters__", ())
    if parameters and get_origin(hint) is not None:
        return hint[tuple([bound.get(each, Any) for each in parameters])]
    return hint


def _match(pattern: Any, argument: Any, parameters: Sequence[Any], found: dict[Any, Any]) -> None:
    """Find what type variables in *pattern* stand for where it is *argument*."""
    if pattern in parameters:
        found.setdefault(pattern, argument)
    elif get_origin(pattern) == get_origin(argument):
        for one, other in zip(get_args(pattern), get_args(argument), strict=False):
            _match(one, other, parameters, found)


def _of_nothing(parameter: Any) -> Any:
    return Any if parameter.__bound__ is None else parameter.__bound__
