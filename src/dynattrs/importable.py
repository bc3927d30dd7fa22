"""Names by which another process finds a function or a class: `package.module:name`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, get_origin

from dynattrs.errors import ModelError


def importable_name(thing: Any, owner: str) -> str:
    """The name of a function or a class, by which `imported` finds it.

    Args:
        thing: The function or the class.
        owner: Who asks for it, for messages: `apply(...)`.

    Raises:
        ModelError: Nothing finds it by a name; it says what to do.
    """
    if (generic := get_origin(thing)) is not None:
        raise ModelError(
            owner,
            f"{thing!r} has arguments, and other processes import a class by its name alone; give "
            f"{generic.__name__} itself: its objects then have values in their stored types where the "
            f"arguments would say another",
        )
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise ModelError(
            owner,
            f"{thing!r} has no name that other processes could import; give what a module defines with "
            f"def or class",
        )
    if "<lambda>" in name or "<locals>" in name:
        kind = "a lambda" if "<lambda>" in name else "defined inside of a function"
        how, around = "def", ", and let it read there what it would have taken from around it"
        if isinstance(thing, type):
            how, around = "class", ""
        raise ModelError(
            owner,
            f"{module}.{name} is {kind}, and other processes cannot import it; define it with {how} at the "
            f"top of a module" + around,
        )
    if _found(sys.modules.get(module), name) is not thing:
        raise ModelError(
            owner,
            f"{module}.{name} is another object than the one that was given, so other processes would "
            f"import that; give the one that has the name",
        )
    return f"{module}:{name}"


def imported(name: str, owner: str) -> Any:
    """What a name means in this process.

    Raises:
        ModelError: There is nothing of that name, or its module cannot be imported.
    """
    module, _, path = name.partition(":")
    if not module or not path:
        raise ModelError(owner, f"{name!r}: a name such as 'package.module:function' is expected")
    try:
        found = _found(import_module(module), path)
    except ImportError as error:
        raise ModelError(owner, f"{name!r} cannot be imported: {error}") from error
    if found is None:
        raise ModelError(owner, f"{name!r}: module {module!r} has no {path!r}")
    return found


def _found(module: object, path: str) -> Any:
    found: Any = module
    for step in path.split("."):
        found = getattr(found, step, None)
    return found
