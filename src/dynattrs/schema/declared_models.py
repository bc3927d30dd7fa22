"""The models that were declared on one table."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any


class DeclaredModels:
    """The models of one table. They belong to the `Table` object, not to what it is equal to."""

    __slots__ = ("_keys", "_models", "declared")

    def __init__(self) -> None:
        self._models: list[weakref.ref[type[object]]] = []
        #: What each makes the key attributes of, for people: fields, or templates.
        self._keys: weakref.WeakKeyDictionary[type[object], Mapping[str, object]]
        self._keys = weakref.WeakKeyDictionary()
        #: How many declarations there have been: what was found out of the models holds until the next.
        self.declared = 0

    def add(self, cls: type[object], keys: Mapping[str, object]) -> None:
        """Remember a model. One that is declared again, in a notebook, takes the former's place."""
        name = (cls.__module__, cls.__qualname__)
        others = (each for each in self if (each.__module__, each.__qualname__) != name)
        self._models = [*map(weakref.ref, others), weakref.ref(cls)]
        self._keys[cls] = keys
        self.declared += 1

    def __iter__(self) -> Iterator[type[object]]:
        """The classes, in the order of their declarations."""
        return (cls for each in self._models if (cls := each()) is not None)

    def with_keys(self) -> Iterator[tuple[type[object], dict[str, str]]]:
        """The classes, each with what it makes the table's key attributes of."""
        for cls in self:
            yield cls, {name: str(made_of) for name, made_of in self._keys.get(cls, {}).items()}

    def __reduce__(self) -> Any:
        # A copy of a table is another table.
        return DeclaredModels, ()

    def __deepcopy__(self, memo: object) -> DeclaredModels:
        return DeclaredModels()
