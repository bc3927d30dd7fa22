"""Copies and contents of objects: `evolve`, `asdict` and `fields`, as in attrs."""

from __future__ import annotations

from typing import Any

import attrs

from dynattrs.errors import ModelError
from dynattrs.mapper.carried import NOTHING_CARRIED, assign, carried_by, carry
from dynattrs.mapper.class_kinds import record_of
from dynattrs.models.model import Instance, M


def evolve(obj: M, /, **changes: object) -> M:
    """Return a copy of *obj* with *changes*, like `attrs.evolve`. It also keeps the stored attributes that
    the class does not know.
    """
    given: Any = obj
    cls: Any = type(obj)
    if attrs.has(cls):
        made: M = attrs.evolve(given, **changes)
    else:
        made = _made_again(given, changes)
    carried = carried_by(obj)
    if carried is not NOTHING_CARRIED:
        carry(made, carried)
    return made


def _made_again(obj: Any, changes: dict[str, object]) -> Any:
    """A copy of an object of another library's class, with *changes*."""
    cls = type(obj)
    record = record_of(cls)
    if record is None:
        raise ModelError(cls.__name__, "evolve takes an object of a class with fields")
    names = {each.name: each for each in record.members}
    for name in changes:
        if name not in names or not names[name].init:
            raise TypeError(f"{cls.__name__} has no field {name!r} that it is made of")
    values = {name: changes.get(name, getattr(obj, name)) for name in names}
    made = record.build(**{m.argument: values[m.name] for m in record.members if m.init})
    for member in record.members:
        if not member.init:
            assign(made, member.name, values[member.name])
    return made


def asdict(obj: Instance, /, **options: Any) -> dict[str, Any]:
    """Return the fields of *obj* as a dict, like `attrs.asdict`."""
    given: Any = obj
    return attrs.asdict(given, **options)


def fields(model: type[M], /) -> tuple[attrs.Attribute[Any], ...]:
    """Return the fields of a model class, like `attrs.fields`."""
    given: Any = model
    found: tuple[attrs.Attribute[Any], ...] = attrs.fields(given)
    return found
