"""Classes of attrs that attrs finishes when a program makes many objects of them, or looks at them.

attrs writes and compiles the methods of each class, which takes 0.2 ms, and more for many fields. Of the
hundred classes that an import meets a program uses a few dozen, half of them once or twice. `define`,
`frozen` and `field` take the arguments of those of attrs, and what comes of them is the same. Not for
classes whose methods use `super()`, and those with cached properties need `slots=False`.
"""

from __future__ import annotations

from functools import partial
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

# Measured (benchmarks/second_ways.py): 77 -> 59 ms of CPU for `import dynattrs`.
# tests/unit/test_late_classes.py holds the classes to those of attrs.
if TYPE_CHECKING:
    from attrs import define, field, frozen
else:  # checkers read those of attrs

    def define(cls=None, /, *, frozen=False, **options):
        made = partial(_late, frozen=frozen, **options)
        return made if cls is None else made(cls)

    def frozen(cls=None, /, **options):
        return define(cls, frozen=True, **options)

    def field(**options):
        return _Options(options)


__all__ = ["define", "field", "frozen"]

_OF_PYTHON: Final = ("__dict__", "__weakref__", "__slots__", "__doc__")

# What leads to an object, or to the fields; and what else is asked of the first objects.
_WAYS_IN: Final = ("__init__", "__attrs_attrs__", "__match_args__", "__getstate__", "__setstate__")
_STATE: Final = _WAYS_IN[3:]
_EQUALITY: Final = ("__eq__", "__ne__", "__hash__")
_REPR: Final = ("__repr__",)
_CHANGES: Final = ("__setattr__", "__delattr__")

#: So many objects of a class are made without attrs, where its fields are plain. Each takes 2 us longer.
_UNFINISHED: Final = 20
#: What a plain field may be declared with: validators need to know the field as attrs does.
_PLAIN: Final = frozenset(
    {"alias", "converter", "default", "eq", "factory", "hash", "init", "kw_only", "repr"}
)

_set: Final = object.__setattr__
_FACTORY: Final[Any] = attrs.Factory  # a function to checkers
_DECLARED_BY_ATTRS: Final = type(attrs.field())


class _Options(dict[str, Any]):
    """What a field was declared with."""


def _late(cls: Any, *, frozen: bool, **options: Any) -> Any:
    return _Class(cls, frozen, options).made


class _Class:
    """A class that waits for attrs.

    Attributes:
        made: The class.
    """

    __slots__ = ("_body", "_declared", "_frozen", "_left", "_options", "_plain", "_waiting", "made")

    def __init__(self, cls: Any, frozen: bool, options: dict[str, Any]) -> None:
        self._declared = cls
        self._frozen = frozen
        self._options = options
        self._left = _UNFINISHED
        #: The fields, once they were looked for.
        self._plain: _Plain | Literal[False] | None = None
        self._body = body = dict(vars(cls))
        fields = self._fields()
        slotted = options.get("slots", True)
        waiting = (*_WAYS_IN, *_CHANGES * frozen)
        if options.get("eq", not issubclass(cls, BaseException)):
            waiting += _EQUALITY
        if options.get("repr", True):
            waiting += _REPR
        late: dict[str, Any] = {}
        for name in waiting:
            if name not in body and (slotted or name not in _STATE):
                late[name] = _LateInit(self) if name == "__init__" else _Late(self, name)
        self._waiting = tuple(late)
        if "__hash__" in late and not frozen:
            late["__hash__"] = None
        if slotted:
            namespace = {name: value for name, value in body.items() if name not in fields}
            for name in _OF_PYTHON[:2]:
                namespace.pop(name, None)
            namespace["__qualname__"] = cls.__qualname__
            namespace["__slots__"] = _slots(cls, fields)
            metaclass: Any = type(cls)
            self.made: Any = metaclass(cls.__name__, cls.__bases__, namespace | late)
            return
        for name in fields:
            if name in body:
                delattr(cls, name)
        for name, value in late.items():
            setattr(cls, name, value)
        self.made = cls

    def _fields(self) -> list[str]:
        hints = self._body.get("__annotations__", {})
        return [name for name, hint in hints.items() if "ClassVar" not in str(hint)]

    def finish(self) -> dict[str, Any]:
        """Give the class all that attrs makes for it, which is returned."""
        # By way of a class apart: several threads may do this at once, and each may be interrupted.
        body = {
            name: attrs.field(**value) if type(value) is _Options else value
            for name, value in self._body.items()
            if name not in _OF_PYTHON[:2]
        }
        cls, metaclass = self._declared, type(self._declared)
        apart = metaclass(cls.__name__, cls.__bases__, body | {"__qualname__": cls.__qualname__})
        apart = attrs.define(apart, frozen=self._frozen, **self._options)
        found = {
            name: value
            for name, value in vars(apart).items()
            if not (name in body or name in _OF_PYTHON or isinstance(value, MemberDescriptorType))
        }
        # What leads here goes last: until then any of them does all of it again.
        for name in sorted(found, key=_WAYS_IN.__contains__):
            setattr(self.made, name, found[name])
        return found

    def fill(self, instance: Any, /, *values: Any, **named: Any) -> None:
        """What `__init__` does, for the first objects of a class of plain fields."""
        plain = self._plain
        if plain is None:
            plain = self._plain = self._plain_fields()
        self._left -= 1
        if plain and self._left > 0:
            given = dict(zip(plain.positional, values, strict=False))
            if len(given) == len(values) and given.keys().isdisjoint(named):
                given |= named
                # Where these are not right, attrs says what is wrong.
                if plain.needed <= given.keys() <= plain.taken:
                    self._set(instance, given, plain)
                    return
        self.finish()["__init__"](instance, *values, **named)

    def _set(self, instance: Any, given: dict[str, Any], plain: _Plain) -> None:
        for name, alias, default, converter in plain.fields:
            if alias in given:
                value = given[alias]
            elif isinstance(default, _FACTORY):
                value = default.factory(instance) if default.takes_self else default.factory()
            elif default is attrs.NOTHING:
                continue
            else:
                value = default
            _set(instance, name, value if converter is None else converter(value))
        if hasattr(instance, "__attrs_post_init__"):
            instance.__attrs_post_init__()

    def _plain_fields(self) -> _Plain | Literal[False]:
        """The fields, where an object is nothing but them."""
        body, cls = self._body, self._declared
        inherits = any("__attrs_attrs__" in vars(base) for base in cls.__mro__[1:])
        if (
            inherits
            or issubclass(cls, BaseException)
            or self._options.keys() - {"eq", "repr", "slots"}
        ):
            return False
        made = _Plain()
        # Where an object can be changed, so can what was converted.
        plain = _PLAIN if self._frozen else _PLAIN - {"converter"}
        for name in self._fields():
            declared = body.get(name, attrs.NOTHING)
            options = declared if type(declared) is _Options else {"default": declared}
            if options.keys() - plain or type(declared) is _DECLARED_BY_ATTRS:
                return False
            made.add(name, options)
        return made


class _Plain:
    """Fields that attrs knows no more about than this.

    Attributes:
        fields: Each one's name, name as an argument, default and converter.
        positional: The names of arguments that may stand without them.
        taken: The names of all arguments.
        needed: Those without a default.
    """

    def __init__(self) -> None:
        self.fields: list[tuple[str, str, Any, Any]] = []
        self.positional: list[str] = []
        self.taken: set[str] = set()
        self.needed: set[str] = set()

    def add(self, name: str, options: dict[str, Any]) -> None:
        default = options.get("default", attrs.NOTHING)
        if "factory" in options:
            default = _FACTORY(options["factory"])
        alias = options.get("alias") or name.lstrip("_")
        if options.get("init", True):
            self.taken.add(alias)
            if default is attrs.NOTHING:
                self.needed.add(alias)
            if not options.get("kw_only", False):
                self.positional.append(alias)
        self.fields.append((name, alias, default, options.get("converter")))


def _slots(cls: type[object], fields: list[str]) -> tuple[str, ...]:
    if cls.__bases__ == (object,):
        return (*fields, "__weakref__")
    bases = cls.__mro__[1:-1]
    taken = {name for base in bases for name in getattr(base, "__slots__", ())}
    own = tuple(name for name in fields if name not in taken)
    return own if any("__weakref__" in vars(base) for base in bases) else (*own, "__weakref__")


class _Late:
    """Stands in a class for what attrs will make under that name."""

    __slots__ = ("_class", "_name")

    def __init__(self, of: _Class, name: str) -> None:
        self._class = of
        self._name = name

    def __get__(self, instance: object, owner: object = None) -> Any:
        found = self._class.finish()[self._name]
        get = getattr(type(found), "__get__", None)
        return found if get is None else get(found, instance, self._class.made)


class _LateInit(_Late):
    """Stands for `__init__`."""

    __slots__ = ()

    def __init__(self, of: _Class) -> None:
        super().__init__(of, "__init__")

    def __get__(self, instance: object, owner: object = None) -> Any:
        # `inspect.signature` asks with the class as the instance, from Python 3.13 on.
        if instance is None or isinstance(instance, type):
            return super().__get__(instance, owner)
        return partial(self._class.fill, instance)
