"""What the kinds of classes have in common: members with names, types, defaults and a constructor.

attrs classes, dataclasses, `NamedTuple`s, msgspec structs and pydantic models are described here as
a `Record`; `classes` generates the codecs from that.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin
from uuid import UUID

import attrs

from dynattrs.deferral import deferred
from dynattrs.late_classes import frozen
from dynattrs.mapper.annotations import arms
from dynattrs.mapper.codec import Refused, under
from dynattrs.mapper.defaults import refuse_shared
from dynattrs.mapper.hints import field_types
from dynattrs.schema.field_rules import FieldRules
from dynattrs.schema.model_info import NO_OPTIONS, FieldOptions, info_of, options_of

if TYPE_CHECKING:
    from dynattrs.mapper import pydantic_classes
else:
    pydantic_classes = deferred("dynattrs.mapper.pydantic_classes")

_STAYING: Final = (
    str, bytes, int, float, Decimal, dt.date, dt.time, dt.timedelta, UUID, enum.Enum, type(None)
)  # fmt: skip

#: Stands for "no default".
MISSING: Final = attrs.NOTHING
#: The default of what is read as None where it is absent, and is not left out when it is None.
NO_VALUE: Final[Any] = attrs.Factory(lambda: None)


@frozen(eq=False, repr=False)
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
        converted: Whether the class converts the default before it assigns it.
    """

    name: str
    argument: str
    stored: str
    type: Any
    default: Any = MISSING
    init: bool = True
    options: FieldOptions = NO_OPTIONS
    converted: bool = False

    @property
    def defaults_to_none(self) -> bool:
        return self.default is None

    @property
    def reads_as_none(self) -> bool:
        """Whether it is None where nothing is stored."""
        return self.default is None or self.default is NO_VALUE


@frozen(eq=False, repr=False)
class Record:
    """A class as its members and the function that builds an instance from keyword arguments."""

    cls: type[Any]
    members: tuple[Member, ...]
    build: Callable[..., Any]
    #: Whether a default that is left out is filled in by `build` itself, whatever it is.
    lazy_defaults: bool = False


def record_of(type_: object) -> Record | None:
    """*type_* as a record, or None if it is not a class with fields.

    Raises:
        Undefined: An annotation is a forward reference that is not defined yet.
    """
    cls = get_origin(type_) or type_
    if not isinstance(cls, type):
        return None
    record, info = _record(type_, cls), info_of(cls)
    if record is None or info is None:
        return record
    if all(
        each.stored == info.names[each.name] and each.options is info.options[each.name]
        for each in record.members
    ):
        return record
    # What is said where a class is mapped, and not by its fields.
    members = tuple(
        attrs.evolve(each, stored=info.names[each.name], options=info.options[each.name])
        for each in record.members
    )
    return attrs.evolve(record, members=members)


def _record(type_: object, cls: type[object]) -> Record | None:
    if attrs.has(cls):
        return _attrs_record(type_, cls)
    if dataclasses.is_dataclass(cls):
        return _dataclass_record(type_, cls)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _namedtuple_record(type_, cls)
    if _is_struct(cls):
        return _struct_record(type_, cls)
    if "pydantic" in sys.modules and pydantic_classes.is_model(cls):
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


def rules_of(cls: object) -> dict[str, FieldRules]:
    """What a class says of the values of its fields, where it says something."""
    found: dict[str, FieldRules] = {}
    if not isinstance(cls, type):
        return found
    if not attrs.has(cls):
        return _pydantic_rules(cls)
    for field in attrs.fields(cls):
        if field.converter is None and field.validator is None:
            continue
        options = options_of(field.metadata)
        own = options.own_converter if options.ttl else field.converter
        found[field.name] = FieldRules(cls, field, own)
    return found


def _pydantic_rules(cls: type[object]) -> dict[str, FieldRules]:
    """What a class of pydantic's says of the values of its fields."""
    if "pydantic" not in sys.modules or not (
        pydantic_classes.is_model(cls) or pydantic_classes.is_dataclass(cls)
    ):
        return {}

    def check(instance: object, field: Any, value: object) -> None:
        record = record_of(cls)
        assert record is not None
        member = next(each for each in record.members if each.name == field.name)
        pydantic_classes.check_field(record.build, member.name, member.argument, value)

    made = attrs.make_class(
        "Rules", {name: attrs.field(validator=check) for name in pydantic_classes.names_of(cls)}
    )
    return {each.name: FieldRules(cls, each) for each in attrs.fields(made)}


def unseen_rules(record: Record, rules: Mapping[str, FieldRules]) -> tuple[FieldRules, ...]:
    """The rules of the fields whose values may become others without their validators: what changes in
    place, such as a list, and what is assigned where no assignment is validated.
    """
    if not attrs.has(record.cls):
        # Of pydantic's classes, which say themselves whether they validate assignments.
        return ()
    # (As attrs says it: a class that it gives no `__setattr__` validates none.)
    assigns: Any = record.cls.__setattr__
    never = assigns is object.__setattr__
    return tuple(
        rules[each.name]
        for each in record.members
        if each.name in rules
        and rules[each.name].validates
        and (
            never
            or rules[each.name].field.on_setattr is attrs.setters.NO_OP
            or not all(map(_stays, arms(each.type)))
        )
    )


def _stays(type_: Any) -> bool:
    """Whether the values of a type never change."""
    type_ = getattr(type_, "__supertype__", type_)
    if get_origin(type_) is Annotated:
        return _stays(get_args(type_)[0])
    return get_origin(type_) is Literal or (isinstance(type_, type) and issubclass(type_, _STAYING))


def _stored_name(name: str, options: FieldOptions) -> str:
    return name if options.name is None else options.name


def _attrs_record(type_: Any, cls: type[Any]) -> Record:
    types = field_types(type_)
    members = []
    for field in attrs.fields(cls):
        options = options_of(field.metadata)
        members.append(
            Member(
                field.name,
                field.alias or field.name.lstrip("_"),
                _stored_name(field.name, options),
                types.get(field.name, field.type if field.type is not None else Any),
                field.default,
                field.init,
                options,
                field.converter is not None,
            )
        )
    code = getattr(cls.__init__, "__code__", None)
    if not getattr(code, "co_filename", "").startswith("<attrs generated"):
        _check_constructor(cls, members)
    return Record(cls, tuple(members), cls)


def _dataclass_record(type_: Any, cls: type[Any]) -> Record:
    types = field_types(type_)
    _check_arguments(cls)
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
    if "pydantic" in sys.modules and pydantic_classes.is_dataclass(cls):
        own, build = pydantic_classes.fields_of(cls, types)
        members = [_as_pydantic(member, own.get(member.name)) for member in members]
        return Record(cls, tuple(members), build, lazy_defaults=True)
    _check_constructor(cls, members)
    return Record(cls, tuple(members), cls)


def _as_pydantic(member: Member, own: pydantic_classes.PydanticField | None) -> Member:
    if own is None:
        return member
    return attrs.evolve(member, argument=own.argument, type=own.type, default=own.default)


def _check_constructor(cls: type[Any], members: Iterable[Member]) -> None:
    """Refuse a class whose own constructor does not take its fields: it could be written alone.

    Raises:
        Refused: It says what the constructor misses.
    """
    try:
        signature = inspect.signature(cls)
    except (TypeError, ValueError):  # nothing is known of it
        return
    try:
        signature.bind(**{member.argument: None for member in members if member.init})
    except TypeError as error:
        raise Refused(
            "a class that can be made of its fields",
            f"{cls.__name__}, of whose constructor {error}",
            "let it take the fields, or register hooks for the class on the mapper",
        ) from None


def _check_arguments(cls: type[Any]) -> None:
    """Refuse a dataclass that cannot be made again: it is made of more than its fields.

    Raises:
        Refused: It names what is lost (`InitVar`).
    """
    names = {field.name for field in dataclasses.fields(cls)}
    declared: Mapping[str, Any] = vars(cls).get("__dataclass_fields__", {})
    for name, parameter in inspect.signature(cls).parameters.items():
        if name in declared and name not in names and parameter.default is parameter.empty:
            raise Refused(
                "a dataclass that is made of its fields alone",
                f"{cls.__name__} with {name!r} besides (InitVar), which would not be stored",
                "give it a default, or register hooks for the class on the mapper",
            )


def _namedtuple_record(type_: Any, cls: Any) -> Record:
    types = field_types(type_)
    names: tuple[str, ...] = cls._fields
    defaults: Mapping[str, Any] = cls._field_defaults
    members = (
        Member(name, name, name, types.get(name, Any), defaults.get(name, MISSING))
        for name in names
    )
    return Record(cls, tuple(members), cls)


def _is_struct(cls: type[object]) -> bool:
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


def _pydantic_record(cls: Any) -> Record:
    fields, build = pydantic_classes.fields_of(cls)
    members = (
        Member(name, field.argument, name, field.type, field.default)
        for name, field in fields.items()
    )
    return Record(cls, tuple(members), build, lazy_defaults=True)
