"""Item collections: the results of a query for several models, by class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, get_origin

from dynattrs.errors import MultipleItems, NoSuchItem, QueryError
from dynattrs.expressions.conditions import Condition
from dynattrs.keys.discriminator import ask_again
from dynattrs.schema.definitions import have_one_name, two_names
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

A = TypeVar("A")


class Groups:
    """The result of `query(User, Order).group_by_type()`: lists of objects by class, in stored order.

    `groups[Order]` is a `list[Order]`, which is empty if there are none. A base class includes the objects
    of its subclasses. Iterating yields the classes that have objects.

    Example:
        >>> groups = Groups((int, str), [1, "a", 2])
        >>> groups[int], groups.one(str)
        ([1, 2], 'a')
    """

    def __init__(self, models: Iterable[type[object]], objects: Iterable[object]) -> None:
        self._models = tuple(models)
        self._objects = list(objects)

    def __getitem__(self, model: type[A], /) -> list[A]:
        model = get_origin(model) or model
        if not any(issubclass(model, each) for each in self._models):
            called, names = model.__name__, ", ".join(each.__name__ for each in self._models)
            for each in self._models:
                if have_one_name(model, each):
                    called, names = two_names(model, each)
            raise QueryError(f"{called} was not asked for; the query was of {names}")
        return [each for each in self._objects if isinstance(each, model)]

    def one(self, model: type[A], /) -> A:
        """Return the only object of a class, such as the parent of the others.

        Raises:
            NoSuchItem: There is none.
            MultipleItems: There is more than one.
        """
        found = self[model]
        if not found:
            raise NoSuchItem((get_origin(model) or model).__name__, "group_by_type()")
        if len(found) > 1:
            raise MultipleItems((get_origin(model) or model).__name__, "group_by_type()")
        return found[0]

    def __iter__(self) -> Iterator[type[object]]:
        return iter({type(each): None for each in self._objects})

    def __len__(self) -> int:
        return len(self._objects)

    def __repr__(self) -> str:
        counts = ", ".join(f"{model.__name__}: {len(self[model])}" for model in self)
        return f"<Groups {counts or 'of nothing'}>"

    def _repr_html_(self) -> str:
        # Imported when a notebook shows one.
        from dynattrs.operations.reading.tabular import as_html

        return as_html(self._objects)


def models_of_one_table(models: Sequence[type[object]], operation: str) -> tuple[ModelInfo, ...]:
    """The models of one query, which are of one table.

    Raises:
        QueryError: They are not, or nothing would tell their items apart.
        ModelError: The same, of a model that had a forward reference when it was declared.
    """
    if not models:
        raise QueryError(f"{operation}() needs a model: {operation}(Order)")
    infos = {info.cls: info for info in map(model_info, models)}
    first, *rest = infos.values()
    for info in rest:
        if info.table is not first.table:
            names = ", ".join(two_names(first.cls, info.cls))
            raise QueryError(
                f"{operation}({names}): they are not of one table; declare them on the same Table "
                f"object"
            )
        if info.keys is None or first.keys is None:
            plain = info if info.keys is None else first
            raise QueryError(
                f"{operation}({first.name}, {info.name}): nothing tells items of {plain.name} from "
                f"others; give it key templates, or Table(..., discriminator='type')"
            )
    for info in infos.values():
        ask_again(info)
    return (first, *rest)


def of_another(said: Condition, model: type[object], infos: Iterable[ModelInfo]) -> QueryError:
    """The error for a condition on a model whose items a query does not ask for."""
    spoken, asked = model.__name__, ", ".join(info.name for info in infos)
    for info in infos:
        if have_one_name(model, info.cls):
            spoken, asked = two_names(model, info.cls)
    return QueryError(f"the condition {said} is about {spoken}, but the query is of {asked}")
