"""The models that were declared on one table."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any


class DeclaredModels:
    """The models of one table. They belong to the `Table` object, not to what it is equal to."""

    __slots__ = ("_models", "declared")

    def __init__(self) -> None:
        self._models: list[weakref.ref[type[object]]] = []
        #: How many declarations there have been: what was found out of the models holds until the next.
        self.declared = 0

    def add(self, cls: type[object]) -> None:
        """Remember a model. One that is declared again, in a notebook, takes the former's place."""
        name = (cls.__module__, cls.__qualname__)
        others = (each for each in self if (each.__module__, each.__qualname__) != name)
        self._models = [*map(weakref.ref, others), weakref.ref(cls)]
        self.declared += 1

    def __iter__(self) -> Iterator[type[object]]:
        """The classes, in the order of their declarations."""
        return (cls for each in self._models if (cls := each()) is not None)

    def __reduce__(self) -> Any:
        # A copy of a table is another table.
        return DeclaredModels, ()

    def __deepcopy__(self, memo: object) -> DeclaredModels:
        return DeclaredModels()
