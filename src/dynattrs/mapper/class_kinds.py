"""What the kinds of classes have in common: members with names, types, defaults and a constructor.

attrs classes, dataclasses, `NamedTuple`s, msgspec structs and pydantic models are described here as
a `Record`; `classes` generates the codecs from that.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, get_origin

import attrs

from dynattrs.mapper.codec import Refused, under
from dynattrs.mapper.defaults import own_default, refuse_shared
from dynattrs.mapper.hints import field_types
from dynattrs.schema.field_rules import FieldRules
from dynattrs.schema.model_info import NO_OPTIONS, FieldOptions, info_of, options_of

#: Stands for "no default".
MISSING: Final = attrs.NOTHING

# To checkers its arguments are types that they know.
_ANNOTATED: Final[Any] = Annotated


@attrs.frozen(eq=False, repr=False)
class Member:
    """One field of a class.

    Attributes:
        name: The attribute in Python.
        argument: The constructor's argument.
        stored: The attribute's name in DynamoDB.
        type: The annotation.
        default: The default, `MISSING`, or an `attrs.Factory`.
        init: Whether the constructor takes it.
        options: What `dynattrs.field` added.
    """

    name: str
    argument: str
    stored: str
    type: Any
    default: Any = MISSING
    init: bool = True
    options: FieldOptions = NO_OPTIONS

    @property
    def defaults_to_none(self) -> bool:
        return self.default is None


@attrs.frozen(eq=False, repr=False)
class Record:
    """A class as its members and the function that builds an instance from keyword arguments."""

    cls: type[Any]
    members: tuple[Member, ...]
    build: Callable[..., Any]
    #: Whether a default that is left out is filled in by `build` itself, whatever it is.
    lazy_defaults: bool = False


def record_of(type_: Any) -> Record | None:
    """*type_* as a record, or None if it is no class with fields.

    Raises:
        Undefined: An annotation is a forward reference that is not defined yet.
    """
    cls = get_origin(type_) or type_
    if not isinstance(cls, type):
        return None
    if attrs.has(cls):
        return _attrs_record(type_, cls)
    if dataclasses.is_dataclass(cls):
        return _dataclass_record(type_, cls)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _namedtuple_record(type_, cls)
    if _is_struct(cls):
        return _struct_record(type_, cls)
    if _is_pydantic(cls):
        return _pydantic_record(cls)
    return None


def check_defaults(cls: Any) -> None:
    """Refuse defaults of an attrs class or a dataclass that objects would share, whatever its
    annotations are.

    Raises:
        Refused: It names the field.
    """
    fields: Any = ()
    given = cls
    if isinstance(cls, type) and attrs.has(cls):
        fields = attrs.fields(cls)
    elif dataclasses.is_dataclass(cls):
        fields = dataclasses.fields(cls)
    for field in fields:
        try:
            refuse_shared(field.default)
        except Refused as refusal:
            raise under(f".{field.name}", refusal, given) from refusal


def rules_of(cls: Any) -> dict[str, FieldRules]:
    """What a class says of the values of its fields, where it says something."""
    found: dict[str, FieldRules] = {}
    if not isinstance(cls, type) or not attrs.has(cls):
        return found
    for field in attrs.fields(cls):
        if field.converter is None and field.validator is None:
            continue
        options = options_of(field.metadata)
        own = options.own_converter if options.ttl else field.converter
        found[field.name] = FieldRules(cls, field, own)
    return found


def _stored_name(name: str, options: FieldOptions) -> str:
    return name if options.name is None else options.name


def _attrs_record(type_: Any, cls: type[Any]) -> Record:
    types = field_types(type_)
    info = info_of(cls)
    members = []
    for field in attrs.fields(cls):
        options = options_of(field.metadata)
        stored = info.names[field.name] if info else _stored_name(field.name, options)
        members.append(
            Member(
                field.name,
                field.alias or field.name.lstrip("_"),
                stored,
                types.get(field.name, field.type if field.type is not None else Any),
                field.default,
                field.init,
                options,
            )
        )
    return Record(cls, tuple(members), cls)


def _dataclass_record(type_: Any, cls: type[Any]) -> Record:
    types = field_types(type_)
    members = []
    for field in dataclasses.fields(cls):
        default: Any = MISSING
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = attrs.Factory(field.default_factory)
        options = options_of(field.metadata)
        members.append(
            Member(
                field.name,
                field.name,
                _stored_name(field.name, options),
                types[field.name],
                default,
                field.init,
                options,
            )
        )
    return Record(cls, tuple(members), cls)


def _namedtuple_record(type_: Any, cls: Any) -> Record:
    types = field_types(type_)
    names: tuple[str, ...] = cls._fields
    defaults: Mapping[str, Any] = cls._field_defaults
    members = (
        Member(name, name, name, types.get(name, Any), defaults.get(name, MISSING))
        for name in names
    )
    return Record(cls, tuple(members), cls)


def _is_struct(cls: type[Any]) -> bool:
    return hasattr(cls, "__struct_fields__")


def _struct_record(type_: Any, cls: type[Any]) -> Record:
    import msgspec

    types = field_types(type_)
    members = []
    for field in msgspec.structs.fields(cls):
        default: Any = MISSING
        if field.default is not msgspec.NODEFAULT:
            default = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            default = attrs.Factory(field.default_factory)
        members.append(
            Member(field.name, field.name, field.encode_name, types[field.name], default)
        )
    return Record(cls, tuple(members), cls)


def _is_pydantic(cls: type[Any]) -> bool:
    # Never imported here: a class of pydantic's exists only where pydantic is loaded.
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def _pydantic_record(cls: Any) -> Record:
    if cls.model_config.get("extra") == "allow":
        raise Refused(
            "a pydantic model of which all fields are known",
            f"{cls.__name__} with extra='allow'",
            "its extra values would be lost; register hooks for it on the mapper",
        )
    members = []
    for name, field in cls.model_fields.items():
        default: Any = MISSING
        if field.default_factory is not None:
            default = attrs.Factory(field.default_factory)
        elif not field.is_required():
            default = own_default(field.default)
        # pydantic takes the outer `Annotated` apart.
        marked = (field.annotation, *field.metadata)
        type_ = _ANNOTATED[marked] if field.metadata else field.annotation
        alias = field.validation_alias or field.alias
        # AliasChoices: any of them will do.
        alias = next(iter(getattr(alias, "choices", (alias,))), None)
        members.append(
            Member(name, alias if isinstance(alias, str) else name, name, type_, default)
        )

    def build(**values: Any) -> Any:
        return cls.model_validate(values)

    return Record(cls, tuple(members), build, lazy_defaults=True)
