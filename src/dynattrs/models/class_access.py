"""The metaclass of models: `Song.year` is a path, `song.year` the plain slot.

Python asks a class's metaclass for a data descriptor before it looks into the class. So one
descriptor for each field *name* lies on the metaclass. It answers for models that have such a
field, and does the ordinary look-up for every other class. Instances never come here: reading
`song.year` costs what it costs in any slotted class.

The metaclass is one for all models, so that two models, or a model and an ABC or a protocol, can be
bases of one class. A class with yet another metaclass gets one made of both, once.
"""

from __future__ import annotations

import threading
import typing
from abc import ABCMeta
from collections.abc import Iterable, Iterator, Mapping
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from dynattrs.deferral import deferred
from dynattrs.errors import ModelError
from dynattrs.expressions.paths import Path, did_you_mean, not_assigned
from dynattrs.schema.model_info import INFO_ATTRIBUTE, UNKNOWN_ATTRIBUTE
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.models import pydantic_types
else:
    pydantic_types = deferred("dynattrs.models.pydantic_types")

#: Where a model class keeps its paths, by field name.
PATHS_ATTRIBUTE: Final = "__dynattrs_paths__"

_lock = threading.RLock()
_NOTHING: Final = object()

if TYPE_CHECKING:
    _Base = ABCMeta
else:
    # The metaclass of protocols is itself an ABCMeta. Deriving from it lets a class statement name
    # a model and a protocol as bases, which Python decides before any decorator runs.
    _Base = type(typing.Protocol)

__tracebackhide__ = hidden


class ModelMeta(_Base):
    """What makes class access to a field a path. See the module."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **options: object
    ) -> ModelMeta:
        if INFO_ATTRIBUTE in namespace:
            raise ModelError(
                name,
                "a decorator above @model, such as @attrs.define, makes the class anew; leave it out: @model "
                "applies attrs.define and takes its options",
            )
        # Where a field is overridden, attrs copies what it takes for the base's slot into the
        # child's namespace. Through the base's metaclass that is a path; without it the slot is
        # inherited as it should be.
        namespace = {key: value for key, value in namespace.items() if not isinstance(value, Path)}
        slots = namespace.get("__slots__")
        if slots is not None and not any(
            UNKNOWN_ATTRIBUTE in vars(klass) for base in bases for klass in base.__mro__
        ):
            named = (slots,) if isinstance(slots, str) else tuple(slots)
            namespace["__slots__"] = (*named, UNKNOWN_ATTRIBUTE)
        return super().__new__(mcls, name, bases, namespace, **options)

    def __getattr__(cls, name: str) -> Any:
        paths = cls.__dict__.get(PATHS_ATTRIBUTE)
        if paths is None or name.startswith("__"):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        raise AttributeError(f"{cls.__name__} has no field {name!r}{did_you_mean(name, paths)}")

    def __get_pydantic_core_schema__(cls, source: object, handler: Any) -> Any:
        # Here, and not on the class: it is pydantic alone that asks for it, and instances have no more
        # attributes than their class declares.
        return pydantic_types.schema_of(source, handler)

    # Models are never protocols themselves: the plain checks of ABCs, which are written in C.
    __instancecheck__ = ABCMeta.__instancecheck__
    __subclasscheck__ = ABCMeta.__subclasscheck__


class FieldAccess:
    """Class access to every attribute of one name, for all models."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, cls: object, meta: object = None) -> Any:
        if cls is None:
            return self
        paths = cls.__dict__.get(PATHS_ATTRIBUTE)
        if paths is not None and self._name in paths:
            return paths[self._name]
        return self._ordinary(cls)

    def _ordinary(self, cls: Any) -> Any:
        """What `type.__getattribute__` does when the metaclass has no say."""
        meta = next((each for each in self._others(type(cls))), _NOTHING)
        if hasattr(type(meta), "__set__"):
            return _bound(meta, cls, type(cls))
        for klass in cls.__mro__:
            if self._name in klass.__dict__:
                return _bound(klass.__dict__[self._name], None, cls)
        if meta is not _NOTHING:
            return _bound(meta, cls, type(cls))
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {self._name!r}")

    def _others(self, meta: Any) -> Iterator[Any]:
        """What else the metaclass has under that name."""
        for klass in meta.__mro__:
            found = klass.__dict__.get(self._name, self)
            if not isinstance(found, FieldAccess):
                yield found

    def _is_field(self, cls: object) -> TypeGuard[type[object]]:
        return self._name in cls.__dict__.get(PATHS_ATTRIBUTE, ())

    # `type.__setattr__` asks this descriptor too, and there is no way around it but to be, for that
    # moment, a class whose metaclass has no such descriptor.

    def __set__(self, cls: object, value: object) -> None:
        if self._is_field(cls):
            raise not_assigned(f"{cls.__name__}.{self._name}", value)
        with _without_paths(cls):
            setattr(cls, self._name, value)

    def __delete__(self, cls: object) -> None:
        if self._is_field(cls):
            raise not_assigned(f"{cls.__name__}.{self._name}")
        with _without_paths(cls):
            delattr(cls, self._name)


def _bound(value: object, instance: object, owner: object) -> Any:
    get = getattr(type(value), "__get__", None)
    return value if get is None else get(value, instance, owner)


class _without_paths:  # noqa: N801 - used as a function
    def __init__(self, cls: object) -> None:
        self._cls = cls
        self._meta = type(cls)

    def __enter__(self) -> None:
        _lock.acquire()
        self._cls.__class__ = ABCMeta

    def __exit__(self, *error: object) -> None:
        self._cls.__class__ = self._meta
        _lock.release()


def give_paths(cls: type[object], paths: Mapping[str, Path]) -> None:
    """Make class access to the fields of *cls* give *paths*."""
    type.__setattr__(cls, PATHS_ATTRIBUTE, dict(paths))
    with _lock:
        _give_access(paths)


def _give_access(names: Iterable[str]) -> None:
    for name in names:
        # Dunders and what metaclasses have themselves (`mro`, `register`) keep their meaning; such a
        # field is reached by `path(Model).mro`.
        if not (name.startswith("__") or hasattr(ModelMeta, name)):
            setattr(ModelMeta, name, FieldAccess(name))


def meta_for(cls: type[object]) -> type[ModelMeta]:
    """The metaclass to rebuild *cls* with."""
    own = type(cls)
    if issubclass(ModelMeta, own):
        return ModelMeta
    bases = ModelMeta, own
    with _lock:
        # Made once for each. The metaclass knows it, and lets go of it.
        known: list[Any] = type.__subclasses__(own)
        found = next((each for each in known if each.__bases__ == bases), None)
        return found or type(f"Model{own.__name__}", bases, _own_checks(own))


def _own_checks(meta: type[object]) -> dict[str, object]:
    """The checks of ModelMeta are those of plain ABCs; another metaclass may have its own."""
    return {
        name: check
        for name in ("__instancecheck__", "__subclasscheck__")
        if (check := getattr(meta, name)) is not getattr(type, name)
    }


def with_paths_meta(cls: type[Any]) -> type[Any]:
    """*cls* made again through the metaclass of models; itself if it has that already."""
    if isinstance(cls, ModelMeta):
        return cls
    namespace = dict(cls.__dict__)
    slots = namespace.get("__slots__", ())
    for name in (*((slots,) if isinstance(slots, str) else slots), "__dict__", "__weakref__"):
        namespace.pop(name, None)
    namespace["__qualname__"] = cls.__qualname__
    made = meta_for(cls)(cls.__name__, cls.__bases__, namespace)
    point_cells_to(made, (cls,))
    return made


def point_cells_to(cls: type[object], former: tuple[type[object], ...]) -> None:
    """Let `super()` and `__class__` in the methods of *cls* mean *cls*, where they meant one of the
    classes that it was made from. attrs does so only for the class that it was handed.
    """
    seen: set[int] = set()
    for value in list(cls.__dict__.values()):
        for function in _functions(value, seen):
            for cell in function.__closure__ or ():
                if any(_content(cell) is each for each in former):
                    cell.cell_contents = cls


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell
        return None


_HOLDERS: Final = (classmethod, staticmethod, property)
_INSIDE: Final = ("__func__", "__wrapped__", "fget", "fset", "fdel", "func")


def _functions(value: object, seen: set[int]) -> Iterator[FunctionType]:
    """The functions inside a class attribute: bare, in a property, a classmethod, a decorator."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, FunctionType):
        yield value
        # What a decorator wraps is in its closure; the functions of attrs' cached properties are
        # in a default.
        inside: list[Any] = [_content(cell) for cell in value.__closure__ or ()]
        for default in value.__defaults__ or ():
            inside += default.values() if type(default) is dict else (default,)
        inside = [each for each in inside if isinstance(each, (FunctionType, *_HOLDERS))]
    elif isinstance(value, type):
        return
    else:
        inside = []
    for attribute in _INSIDE:
        try:
            inside.append(getattr(value, attribute, None))
        except Exception:  # noqa: S112 - a descriptor of the program's
            continue
    for each in inside:
        if each is not None:
            yield from _functions(each, seen)
