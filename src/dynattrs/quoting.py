"""Values in messages: a short piece of each, whatever its size.

A message is logged and kept, so it never holds what may fill a page or the memory: values are cut
before they are written out, where their type allows it.
"""

from __future__ import annotations

import reprlib
from typing import Any, Final

MOST: Final = 60
#: The most of a text that was composed of other things.
MOST_TEXT: Final = 400
#: The most of a whole message about what cannot be sent.
MOST_PROBLEM: Final = 2000

_CONTAINERS: Final = (list, tuple, set, frozenset, dict)
_TEXTS: Final = (str, bytes, bytearray)

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
