"""Annotations of classes, resolved: forward references, locals, and the arguments of generics."""

from __future__ import annotations

import contextlib
import inspect
import re
import threading
import typing
import weakref
from collections.abc import Generator, Mapping
from typing import Any, Final, TypeVar, get_args, get_origin

from dynattrs.errors import ModelError

# Names that local classes' annotations need from the function they were declared in.
_scopes: weakref.WeakKeyDictionary[type[object], Mapping[str, Any]] = weakref.WeakKeyDictionary()

_active = threading.local()

#: Where a class keeps them; what takes no attributes has them in `_scopes`.
_SCOPE_ATTRIBUTE: Final = "__dynattrs_scope__"

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


class Undefined(ModelError):
    """An annotation names what is not defined: not yet, or for type checkers only.

    A declaration waits for the first use then, where this is an error as any other of a model.
    """


@contextlib.contextmanager
def resolving_in(scope: Mapping[str, object] | None) -> Generator[None]:
    """Resolve annotations of local classes met in the meantime in *scope* too.

    A local class's field may name another local class, which is not known here.
    """
    before = getattr(_active, "scope", None)
    _active.scope = scope
    try:
        yield
    finally:
        _active.scope = before


def remember_scope(cls: type[object], scope: Mapping[str, object]) -> None:
    """Keep what the annotations of *cls* name in *scope*, the locals it was declared in."""
    wanted = {
        name
        for annotation in _annotations(cls).values()
        for name in _IDENTIFIER.findall(
            annotation if isinstance(annotation, str) else repr(annotation)
        )
    }
    # On the class itself: what it holds may hold the class again, and neither lives longer for that.
    found = {name: scope[name] for name in wanted if name in scope}
    try:
        type.__setattr__(cls, _SCOPE_ATTRIBUTE, found)
    except TypeError:
        _scopes[cls] = found


def _own_scope(cls: type[object]) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = vars(cls).get(_SCOPE_ATTRIBUTE)
    return _scopes.get(cls) if found is None else found


def _annotations(cls: type[object]) -> Mapping[str, Any]:
    """The annotations that the body of *cls* itself has."""
    return inspect.get_annotations(cls)


def is_class(type_: object) -> bool:
    """Whether *type_* is a class, and no `list[int]`, which says it is one on Python 3.10."""
    return isinstance(type_, type) and get_origin(type_) is None


def field_types(type_: Any) -> dict[str, Any]:
    """The annotations of a class by field, with a generic's arguments filled in.

    Raises:
        Undefined: A forward reference is not defined yet.
    """
    cls = get_origin(type_) or type_
    bindings = _bindings(type_)
    resolved: dict[str, Any] = {}
    for klass in reversed(cls.__mro__):
        bound = bindings.get(klass, {})
        for name, hint in _resolved(klass, _annotations(klass)).items():
            resolved[name] = substitute(hint, bound) if bindings else hint
    return resolved


def field_type_now(cls: type[object], field: str) -> Any:
    """The annotation of one field, whatever forward references the others hold.

    Raises:
        Undefined: This one is not defined yet.
    """
    for klass in cls.__mro__:
        annotations = _annotations(klass)
        if field in annotations:
            return _resolved(klass, {field: annotations[field]})[field]
    return Any


def _resolved(klass: type[object], annotations: Mapping[str, object]) -> dict[str, Any]:
    """*annotations*, which stand in the body of *klass*."""
    if not annotations:
        return {}
    # Each class's by themselves: a name means something else where another class was declared.
    scope = _scope_of(klass)
    try:
        return _evaluated(klass, annotations, scope)
    except (NameError, AttributeError):
        pass
    # Once more, one by one, to say which it is.
    found: dict[str, Any] = {}
    for name, annotation in annotations.items():
        try:
            found |= _evaluated(klass, {name: annotation}, scope)
        # A module that is being imported, in a circle of imports, has not all of its names yet.
        except (NameError, AttributeError) as error:
            text = annotation if isinstance(annotation, str) else repr(annotation)
            raise Undefined(
                klass.__name__,
                f"its annotation {text!r} cannot be resolved: {error}; define or import the name in "
                f"the module of the class before the first use (what is imported under "
                f"`if TYPE_CHECKING:` is there for type checkers only)",
                name,
            ) from error
    return found


def _evaluated(
    klass: type[object], annotations: Mapping[str, object], scope: Mapping[str, object]
) -> dict[str, Any]:
    body = {"__annotations__": dict(annotations), "__module__": klass.__module__}
    # A copy: Python adds to it.
    names = dict(scope)
    return typing.get_type_hints(type(klass.__name__, (), body), localns=names, include_extras=True)


def _scope_of(klass: type[object]) -> dict[str, Any]:
    active = getattr(_active, "scope", None)
    if active is not None and _own_scope(klass) is None and "<locals>" in klass.__qualname__:
        remember_scope(klass, active)
    # What the body of the class itself declares: types, but no methods and no fields' defaults.
    fields = _annotations(klass)
    scope = {
        name: value for name, value in vars(klass).items() if name not in fields and _is_type(value)
    }
    scope.update({each.__name__: each for each in getattr(klass, "__type_params__", ())})
    scope.update(_own_scope(klass) or {})
    # The class itself, whose name is not bound yet while it is being decorated.
    scope[klass.__name__] = klass
    return scope


def _is_type(value: object) -> bool:
    return (
        isinstance(value, (type, TypeVar))
        or get_origin(value) is not None
        or hasattr(value, "__supertype__")
        or hasattr(value, "__value__")
    )


def _bindings(type_: Any) -> dict[type[object], dict[Any, Any]]:
    """For each generic class that *type_* is made of, what its type variables stand for."""
    found: dict[type[object], dict[Any, Any]] = {}

    def visit(alias: Any, outer: Mapping[Any, Any]) -> None:
        origin = get_origin(alias) or alias
        parameters = getattr(origin, "__parameters__", ())
        arguments = [substitute(argument, outer) for argument in get_args(alias)]
        if parameters and origin not in found:
            found[origin] = dict(zip(parameters, arguments, strict=False)) if arguments else {}
        for base in getattr(origin, "__orig_bases__", ()):
            if get_origin(base) not in (None, typing.Generic, typing.Protocol):
                visit(base, found.get(origin, {}))

    visit(type_, {})
    return found


def substitute(hint: Any, bound: Mapping[Any, Any]) -> Any:
    """*hint* with type variables replaced; one that stands for nothing by its bound, or `Any`."""
    if isinstance(hint, TypeVar):
        if hint in bound:
            return bound[hint]
        return hint.__bound__ if hint.__bound__ is not None else Any
    parameters = getattr(hint, "__parameters__", ())
    if parameters and not is_class(hint):
        return hint[tuple(substitute(parameter, bound) for parameter in parameters)]
    return hint


def unaliased(type_: Any) -> Any:
    """What a type by a name of its own stands for, `type Tags = …` or `Pairs[int]`; None of any other."""
    if type(type_).__name__ == "TypeAliasType":
        return type(None) if type_.__value__ is None else type_.__value__
    origin = get_origin(type_)
    if type(origin).__name__ != "TypeAliasType":
        return None
    # In the order of the name's own parameters, which may be another one inside.
    return substitute(
        origin.__value__, dict(zip(origin.__type_params__, get_args(type_), strict=False))
    )
