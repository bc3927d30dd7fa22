"""Item collections: the items of a query of several models, by class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from dynattrs.errors import MultipleItems, NoSuchItem, QueryError
from dynattrs.schema.definitions import have_one_name, two_names

A = TypeVar("A")


class Groups:
    """What `query(User, Order).group_by_type()` gives: lists of objects by class, in stored order.

    `groups[Order]` is a `list[Order]`, also where there is none. A base class has the objects of its
    subclasses. Iterating gives the classes that have objects.

    Example:
        >>> groups = Groups((int, str), [1, "a", 2])
        >>> groups[int], groups.one(str)
        ([1, 2], 'a')
    """

    def __init__(self, models: Iterable[type[object]], objects: Iterable[object]) -> None:
        self._models = tuple(models)
        self._objects = list(objects)

    def __getitem__(self, model: type[A], /) -> list[A]:
        if not any(issubclass(model, each) for each in self._models):
            called, names = model.__name__, ", ".join(each.__name__ for each in self._models)
            for each in self._models:
                if have_one_name(model, each):
                    called, names = two_names(model, each)
            raise QueryError(f"{called} was not asked for; the query was of {names}")
        return [each for each in self._objects if isinstance(each, model)]

    def one(self, model: type[A], /) -> A:
        """The only object of a class: the parent of the others.

        Raises:
            NoSuchItem: There is none.
            MultipleItems: There are more.
        """
        found = self[model]
        if not found:
            raise NoSuchItem(model.__name__, "group_by_type()")
        if len(found) > 1:
            raise MultipleItems(model.__name__, "group_by_type()")
        return found[0]

    def __iter__(self) -> Iterator[type[object]]:
        return iter({type(each): None for each in self._objects})

    def __len__(self) -> int:
        return len(self._objects)

    def __repr__(self) -> str:
        counts = ", ".join(f"{model.__name__}: {len(self[model])}" for model in self)
        return f"<Groups {counts or 'of nothing'}>"
