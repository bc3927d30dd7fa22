"""What a program that starts does not wait for: modules it may never use, errors it may never raise.

Checkers read the ordinary import, or `attrs.define`, under `TYPE_CHECKING`, so types are what they
would be without any of this:

    if TYPE_CHECKING:
        from dynattrs.operations import edits
    else:
        edits = deferred("dynattrs.operations.writing.edits")
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import attrs

E = TypeVar("E", bound=BaseException)

# Reentrant: defining a class defines its bases first.
_lock = threading.RLock()


class _Deferred(ModuleType):
    def __getattr__(self, name: str) -> Any:
        module = sys.modules.get(self.__name__)
        if module is None or getattr(module.__spec__, "_initializing", False):
            # It waits where another thread is importing it.
            module = import_module(self.__name__)
        return getattr(module, name)


def deferred(name: str) -> ModuleType:
    """The module *name*, which is imported when one of its attributes is first asked for."""
    return _Deferred(name)


def attributes(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A package's `__getattr__`, for names that are imported when they are asked for.

    Args:
        package: The package's name.
        homes: The names by the modules that define them.
    """
    where = {name: module for module, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(where[name]), name)
        # It is asked for once.
        setattr(sys.modules[package], name, found)
        return found

    return find


def public(
    package: str, homes: Mapping[str, Sequence[str]], *, modules: Iterable[str]
) -> tuple[Callable[[str], Any], list[str]]:
    """A package's `__getattr__` and `__all__`: what it has imported by now, and what it will.

    Args:
        package: The package's name. It imports nothing but what is public, and `TYPE_CHECKING`.
        homes: The names that are imported when they are asked for, by the modules that define them.
        modules: The modules among its public names; others are there only because they are imported.
    """
    imported = {
        name
        for name, value in vars(sys.modules[package]).items()
        if not (name.startswith("_") or name == "TYPE_CHECKING" or isinstance(value, ModuleType))
    }
    names = imported.union(modules, *homes.values())
    return attributes(package, homes), sorted(names)


def define(**options: Any) -> Callable[[type[E]], type[E]]:
    """`attrs.define(**options)` for an exception class, done when it is first raised.

    attrs compiles a class's methods when the class is decorated, and most programs never raise most
    of our errors. Only exceptions can wait: they have no slots, which have to be there from the
    start, and they pickle by calling their class.

    Until then its defaults are class attributes. Asking for its attrs fields defines it as well.

    Args:
        options: As `attrs.define` takes them. `slots=False` must be one of them: a class with slots
            is another class, and this one is in use already.
    """
    if options.get("slots") is not False:
        raise TypeError("define() puts off exception classes without slots: pass slots=False")

    def put_off(cls: type[E]) -> type[E]:
        def first(self: Any, *values: Any, **named: Any) -> None:
            _settle(cls)
            # A subclass that adds no fields comes here too, and goes on as it is.
            cls.__init__(self, *values, **named)

        def settle() -> None:
            if cls.__dict__.get("__init__") is first:
                type.__delattr__(cls, "__attrs_attrs__")
                # In its place, and never without: another thread may be making an instance.
                attrs.define(**options, init=True)(cls)

        vars(first)["_settle"] = settle
        type.__setattr__(cls, "__init__", first)
        # For `attrs.fields` and `attrs.has`, which ask the class.
        type.__setattr__(cls, "__attrs_attrs__", _Fields())
        return cls

    return put_off


class _Fields:
    def __get__(self, instance: object, owner: type[Any]) -> Any:
        _settle(owner)
        return owner.__attrs_attrs__


def _settle(cls: type[BaseException]) -> None:
    with _lock:
        _settle_all(cls)


def _settle_all(cls: type[BaseException]) -> None:
    # A base's fields come before its own.
    for base in reversed(cls.__mro__):
        waiting = getattr(base.__dict__.get("__init__"), "_settle", None)
        if waiting is not None:
            waiting()
