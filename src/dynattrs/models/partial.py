"""`Partial[Song]`: some fields of a model, as a client sends them in the body of a PATCH."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from dynattrs.deferral import deferred
from dynattrs.errors import ModelError
from dynattrs.expressions.updates import Action, set_
from dynattrs.models.model import path
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import model_info

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    from dynattrs.models import pydantic_types
else:
    pydantic_types = deferred("dynattrs.models.pydantic_types")

T = TypeVar("T")


class Partial(Generic[T]):
    """Only the fields of a model that a client sent: a pydantic type for the body of a PATCH.

    pydantic makes it from a mapping. Each field is checked as in a whole object: its type, its converter,
    its validator. Fields of the primary key, versions and time stamps are refused. A field sent as None is
    included; an absent field is not.

    `session.update(Song, key, *changes.actions())` writes them.
    """

    __slots__ = ("_model", "_values")

    def __init__(self, model: type[T], values: Mapping[str, Any]) -> None:
        """Take values by field name, without checking them."""
        known = model_info(model).names
        for name in values:
            if name not in known:
                raise ModelError(model_info(model).name, f"it has no field {name!r}")
        self._model = model
        self._values = dict(values)

    @property
    def values(self) -> Mapping[str, Any]:
        """The sent values by field, before the fields' converters."""
        return MappingProxyType(self._values)

    def actions(self) -> tuple[Action, ...]:
        """Return a `set_` for each sent field, for `session.update`; empty if no field was sent.

        Raises:
            ConditionError: A field is None and may not be.
        """
        fields: Any = path(self._model)
        return tuple(set_(getattr(fields, name), value) for name, value in self._values.items())

    def apply(self, obj: T) -> T:
        """Assign the sent fields to an object, for `session.edit`, and return *obj* for convenience.

        Raises:
            Exception: Any error that the class raises when it refuses a value or an assignment.
        """
        for name, value in self._values.items():
            setattr(obj, name, value)
        return obj

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Partial):
            return NotImplemented
        return (self._model, self._values) == (other._model, other._values)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={quoted(value)}" for name, value in self._values.items())
        return f"Partial[{model_info(self._model).name}]({shown})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        arguments = get_args(source)
        if not arguments:
            raise ModelError("Partial", "name its model: Partial[Song]")
        model = arguments[0]
        model_info(model)
        return pydantic_types.partial_schema(model, handler, cls)
