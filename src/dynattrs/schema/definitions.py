"""Classes that are defined again under their names, as by the cell of a notebook that is run twice.

The former class is another one, whose objects and fields do not go with the new one, and both have
one name: messages say which is older, and caches let go of it.
"""

from __future__ import annotations

import itertools
import sys
import weakref
from typing import Any, TypeVar

T = TypeVar("T")

#: The order in which classes were met.
_met: weakref.WeakKeyDictionary[type[object], int] = weakref.WeakKeyDictionary()
_numbers = itertools.count()


class Definitions:
    """The classes that something has met, by their names. It keeps none of them alive."""

    def __init__(self) -> None:
        self._seen: weakref.WeakSet[type[object]] = weakref.WeakSet()
        self._by_name: dict[tuple[str, str], weakref.WeakSet[type[object]]] = {}

    def meet(self, cls: type[object]) -> set[type[object]]:
        """Take note of a class.

        Returns:
            The others of its name, the first time that it is met; later nothing. So classes of one
            name that are all in use, such as those that a function makes, let go of each other once.
        """
        if cls in self._seen:
            return set()
        if cls not in _met:
            _met[cls] = next(_numbers)
        self._seen.add(cls)
        same = self._by_name.setdefault((cls.__module__, cls.__qualname__), weakref.WeakSet())
        others = set(same)
        same.add(cls)
        return others


class KnownByClass(dict[type[object], T]):
    """What is known of each class. A class that is defined again takes the place of the former one."""

    def __init__(self) -> None:
        super().__init__()
        self._definitions = Definitions()

    def learn(self, cls: type[object], known: T) -> T:
        """Remember what is known of a class."""
        for former in self._definitions.meet(cls):
            self.pop(former, None)
        self[cls] = known
        return known


def have_one_name(one: type[object], other: type[object]) -> bool:
    """Whether two classes are one, defined twice."""
    return (
        one is not other
        and one.__module__ == other.__module__
        and one.__qualname__ == other.__qualname__
    )


def _older(one: type[object], other: type[object]) -> type[object] | None:
    """Which of two classes of one name was defined first; None where that is not known."""
    today: Any = sys.modules.get(one.__module__)
    for part in one.__qualname__.split("."):
        today = getattr(today, part, None)
    if today is one or today is other:
        return other if today is one else one
    if one in _met and other in _met:
        return one if _met[one] < _met[other] else other
    return None


def two_names(one: type[object], other: type[object]) -> tuple[str, str]:
    """What to call two classes in one message, so that they are told apart."""
    if not have_one_name(one, other):
        return one.__name__, other.__name__
    older, name = _older(one, other), one.__name__
    if older is None:
        return f"another definition of {name}", name
    old = f"an older definition of {name}"
    return (old, name) if older is one else (name, old)
