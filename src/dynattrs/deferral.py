"""What a program that starts does not wait for: modules that it may never use.

Checkers read the ordinary import under `TYPE_CHECKING`, so types are what they would be without any of
this:

    if TYPE_CHECKING:
        from dynattrs.operations import edits
    else:
        edits = deferred("dynattrs.operations.writing.edits")
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, AnyStr, cast


class _Deferred(ModuleType):
    def __getattr__(self, name: str) -> Any:
        # It waits where another thread is importing the module.
        found = getattr(import_module(self.__name__), name)
        # It is asked for once.
        setattr(self, name, found)
        return found


def deferred(name: str) -> ModuleType:
    """The module *name*, which is imported when one of its attributes is first asked for."""
    return _Deferred(name)


class _Pattern:
    def __init__(self, text: str | bytes, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._text, self._flags), name)
        # It is asked for once.
        setattr(self, name, found)
        return found


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """A regular expression, which is compiled when it is first used."""
    return cast("re.Pattern[AnyStr]", _Pattern(text, flags))


def public(
    package: str, homes: Mapping[str, Sequence[str]], *, modules: Iterable[str]
) -> tuple[Callable[[str], Any], list[str]]:
    """A package's `__getattr__` and `__all__`: what it has imported by now, and what it will.

    Args:
        package: The package's name. It imports nothing but what is public, and `TYPE_CHECKING`.
        homes: The names that are imported when they are asked for, by the modules that define them.
        modules: The modules among its public names; others are there only because they are imported.
    """
    home = {name: module for module, names in homes.items() for name in names}
    imported = {
        name
        for name, value in vars(sys.modules[package]).items()
        if not (name.startswith("_") or name == "TYPE_CHECKING" or isinstance(value, ModuleType))
    }

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(home[name]), name)
        # It is asked for once.
        setattr(sys.modules[package], name, found)
        return found

    return find, sorted(imported.union(modules, home))
