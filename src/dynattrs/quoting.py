"""Values in messages: a short piece of each, whatever its size.

A message is logged and kept, so it never holds what may fill a page or the memory: values are cut
before they are written out, where their type allows it.
"""

from __future__ import annotations

import enum
import reprlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 60
#: The most of a text that was composed of other things.
MOST_TEXT: Final = 400
#: The most of a whole message about what cannot be sent.
MOST_PROBLEM: Final = 2000

_CONTAINERS: Final = (list, tuple, set, frozenset, dict)
_TEXTS: Final = (str, bytes, bytearray)
#: What is written as it is, and mostly stated.
_PLAIN: Final = frozenset((str, int, float, bool, bytes, type(None)))

_short = reprlib.Repr()
_short.maxlevel = 4
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdict = 12
_short.maxstring = _short.maxlong = _short.maxother = MOST


def quoted(value: Any, most: int = MOST) -> str:
    """A value as Python writes it, cut after *most* characters."""
    try:
        if type(value) in _TEXTS:
            text = repr(value[: most + 1])
        elif type(value) in _CONTAINERS:
            # Whole where it is short, and never written out to be cut then.
            text = repr(value) if _is_small(value) else _short.repr(value)
        else:
            text = repr(value)
    except Exception:
        return "…"
    return shortened(text, most)


def written(value: Any, most: int | None = None) -> str:
    """A value as a program would write it: as `repr`, with members of enums by their names.

    Args:
        value: Any.
        most: Cut it after so many characters; None leaves it whole.
    """
    if type(value) in _PLAIN:
        return repr(value) if most is None else quoted(value, most)
    try:
        if isinstance(value, enum.Enum):
            text = _with_enums(value)
        elif type(value) not in _CONTAINERS:
            return repr(value) if most is None else quoted(value, most)
        elif most is not None and not _is_small(value):
            text = _short.repr(value)
        else:
            text = _with_enums(value) if _has_enums(value) else repr(value)
    except Exception:
        return "…"
    return text if most is None else shortened(text, most)


def _has_enums(value: Any) -> bool:
    members = (*value, *value.values()) if type(value) is dict else value
    return any(
        isinstance(each, enum.Enum) or (type(each) in _CONTAINERS and _has_enums(each))
        for each in members
    )


def _with_enums(value: Any) -> str:
    if isinstance(value, enum.Enum):
        # A flag of several members has no name, or one that is not a name in Python.
        name: Any = value.name
        named = name is not None and name.isidentifier()
        return f"{type(value).__name__}.{name}" if named else repr(value)
    if type(value) not in _CONTAINERS or not value:
        return repr(value)
    if type(value) is dict:
        pairs = (f"{_with_enums(key)}: {_with_enums(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    inside = ", ".join(map(_with_enums, value))
    if type(value) is tuple:
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if type(value) is list:
        return f"[{inside}]"
    return f"{{{inside}}}" if type(value) is set else f"frozenset({{{inside}}})"


def shortened(text: str, most: int = MOST_TEXT) -> str:
    """A text, cut after *most* characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _is_small(value: Any) -> bool:
    if len(value) > MOST:
        return False
    members = (*value, *value.values()) if isinstance(value, dict) else value
    return all(
        not isinstance(each, (*_TEXTS, *_CONTAINERS)) or len(each) <= MOST for each in members
    )


class _Hidden:
    """Stands for a value that is not shown, because its field is encrypted."""

    def __repr__(self) -> str:
        return "..."


HIDDEN: Final = _Hidden()


def named(names: Iterable[str]) -> str:
    """Names as one says them.

    Example:
        >>> named(["Doc.a"]), named(["Doc.a", "Doc.b"]), named(["Doc.a", "Doc.b", "Doc.c"])
        ('Doc.a', 'Doc.a and Doc.b', 'Doc.a, Doc.b and Doc.c')
    """
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last
