"""Codecs of classes that hold one value of another type: subclasses of plain types, numpy's scalars,
and pydantic's root models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_origin

from dynattrs import foreign_values
from dynattrs.mapper import scalars
from dynattrs.mapper.annotations import LARGE_FIELDS, show_type
from dynattrs.mapper.anything import from_plain
from dynattrs.mapper.codec import Codec, Refused, Trail, show, show_instead
from dynattrs.schema.table import AttributeValue


def subclass_codec(cls: type[Any], base: Codec) -> Codec:
    """A subclass of a plain type: stored as that, read by calling the class."""

    def load(value: AttributeValue) -> Any:
        return cls(base.load(value))

    return Codec(cls, base.tags, base.dump, load, expected=f"a {cls.__name__}")


def scalar_codec(cls: object) -> Codec | None:
    """The codec of a scalar of numpy's, or of a class of bytes; None of anything else."""
    if getattr(get_origin(cls) or cls, "__module__", "") == LARGE_FIELDS:
        wanted = "Annotated[Large[...], InS3(bucket)]"
        raise Refused(wanted, show_type(cls), "say where large values are kept")
    if not isinstance(cls, type):
        return None
    if foreign_values.is_bytes(cls):
        return subclass_codec(cls, scalars.PLAIN[bytes])
    if not foreign_values.is_numpy(cls):
        return None
    base = scalars.PLAIN[type(foreign_values.plain(cls(0)))]

    def dump(value: object) -> AttributeValue:
        # What another class has may have no exact place in this one.
        if not isinstance(value, cls):
            raise Refused(f"a {cls.__name__}", show(value))
        return base.dump(value)

    def load(value: AttributeValue) -> Any:
        return cls(base.load(value))

    return Codec(cls, base.tags, dump, load, expected=f"a {cls.__name__}")


def root_codec(cls: type[Any], inner: Codec, build: Callable[[Any], Any]) -> Codec:
    """A class around one value, `root`: stored as that, read by *build*."""

    def root(value: Any) -> Any:
        if type(value) is not cls:
            raise Refused(f"a {cls.__name__}", show_instead(value, cls))
        return value.root

    def dump_at(value: object, trail: Trail) -> AttributeValue:
        return inner.dump_at(root(value), trail)

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        return build(inner.load_at(value, trail))

    # Not a set to others, who leave empty sets out: it is not a set in Python.
    tags = inner.tags | {"L"} if inner.is_set else inner.tags
    made = Codec(
        cls, tags, lambda value: inner.dump(root(value)), lambda value: build(inner.load(value)),
        expected=f"a {cls.__name__}", dump_at=dump_at, load_at=load_at, element=inner.element,
        key=inner.key, fields=inner.fields, names=inner.names, rules=inner.rules, sparse=inner.sparse,
        required=inner.required,
        optional=inner.optional, plain=lambda value: from_plain(value, inner), packed=inner.packed,
    )  # fmt: skip
    made.wrapped = inner
    made.besides = inner.besides
    return made


def by_value_codec(inner: Codec, members: dict[tuple[type[Any], Any], Any]) -> Codec:
    """An enum or a literal whose values stand for its members, too, in Python."""

    def member(value: object) -> Any:
        try:
            return members.get((type(value), value), value)
        except TypeError:  # not hashable
            return value

    return Codec(
        inner.type, inner.tags, lambda value: inner.dump(member(value)), inner.load,
        expected=inner.expected, optional=inner.optional, shape=inner.shape,
    )  # fmt: skip
