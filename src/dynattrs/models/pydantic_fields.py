"""The fields of a class as pydantic has them: their names in JSON, and what a class says of the values.

Only pydantic imports this module, when it asks a model for its schema.
"""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any, Final, Protocol, get_args, get_origin

import attrs
import pydantic
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo
from pydantic_core import (
    InitErrorDetails,
    PydanticSerializationUnexpectedValue,
    ValidationError,
    core_schema,
)

from dynattrs import limits
from dynattrs.errors import MappingError, ModelError
from dynattrs.mapper.class_kinds import MISSING, Member, Record, record_of, rules_of
from dynattrs.mapper.hints import Undefined
from dynattrs.mapper.size import value_size
from dynattrs.models.pydantic_refusals import at, explained, refused, said, too_large
from dynattrs.models.pydantic_words import ReadOnly
from dynattrs.schema.field_rules import FieldRules, ReadsObject
from dynattrs.schema.model_info import ModelInfo, StoredForm, info_of

#: To checkers the arguments of this are types that they know.
_ANNOTATED: Final[Any] = Annotated

#: By these converters and validators say that a value is wrong.
_REFUSALS: Final = (TypeError, ValueError, AssertionError)
_FACTORY: Final[Any] = attrs.Factory


class Options(Protocol):
    """What is to become of fields that a client does not set."""

    @property
    def read_only(self) -> ReadOnly: ...


@attrs.frozen(eq=False, repr=False)
class ShownField:
    """A field of a class, as JSON has it.

    Attributes:
        member: The field.
        key: Its name in JSON.
        annotation: Its type, with what JSON schemas say of it.
        taken_type: What its converter takes, where that says so.
        required: Whether an object cannot be made without it.
        read_only: Whether the library sets it, or the class itself.
        in_key: Whether it is part of the primary key.
        excluded: Whether it is never shown.
    """

    member: Member
    key: str
    annotation: Any
    taken_type: Any
    required: bool
    read_only: bool
    in_key: bool
    excluded: bool

    def refused(self, options: Options) -> bool:
        return self.read_only and options.read_only == "refuse"

    def left_out(self, options: Options) -> bool:
        """Whether what is said of it does not count."""
        return self.read_only and (options.read_only != "take" or not self.member.init)


class Shown:
    """A class with fields, as JSON has it; with *defaults*, JSON schemas say what the fields are without
    being stated.
    """

    def __init__(self, source: Any, *, defaults: bool = True) -> None:
        self.source = source
        self._defaults = defaults
        self.cls: Any = get_origin(source) or source
        self.info = info_of(self.cls)
        try:
            record = record_of(source)
        except Undefined as error:
            raise PydanticUndefinedAnnotation(error.field or "", str(error)) from error
        assert record is not None
        self.record: Record = record
        self.rules = rules_of(self.cls)
        self.fields = [self._shown(member) for member in record.members]
        keys: dict[str, str] = {}
        for each in self.fields:
            if each.key in keys:
                raise ModelError(
                    self.cls.__name__,
                    f"it is {each.key!r} in JSON, and so is {keys[each.key]!r}; give one of the two "
                    f"another alias",
                    each.member.name,
                )
            keys[each.key] = each.member.name

    def _shown(self, member: Member) -> ShownField:
        marks = get_args(member.type)[1:] if get_origin(member.type) is Annotated else ()
        infos = [mark for mark in marks if isinstance(mark, FieldInfo)]
        aliases = (each.alias for each in infos if isinstance(each.alias, str))
        # msgspec's fields are renamed for JSON, and other classes' where they are made.
        own = member.stored if hasattr(self.cls, "__struct_fields__") else member.argument
        info = self.info
        read_only = not member.init or (
            info is not None and member.name in (info.version, info.created, info.updated)
        )
        described = self._described(member, infos, read_only=read_only)
        return ShownField(
            member,
            next(aliases, own),
            described,
            self._taken_type(member, described),
            required=member.init and member.default is MISSING,
            read_only=read_only,
            in_key=info is not None and self._is_key(info, member.name),
            excluded=any(each.exclude for each in infos),
        )

    @staticmethod
    def _is_key(info: ModelInfo, name: str) -> bool:
        return name in {each.partition(".")[0] for each in info.key_fields}

    def _described(self, member: Member, infos: list[FieldInfo], *, read_only: bool) -> Any:
        """The type of a field with what JSON schemas say of it."""
        said: dict[str, Any] = {"readOnly": True} if read_only else {}
        shown = _plain_default(member.default)
        if self._defaults and member.init and shown is not MISSING and not read_only:
            said["default"] = shown
        field = attrs.fields_dict(self.cls).get(member.name) if attrs.has(self.cls) else None
        description = field.metadata.get("description") if field is not None else None
        options: dict[str, Any] = {"json_schema_extra": said} if said else {}
        if isinstance(description, str) and not any(each.description for each in infos):
            options["description"] = description
        type_ = _without_names(member.type)
        return _ANNOTATED[type_, pydantic.Field(**options)] if options else type_

    def _taken_type(self, member: Member, described: Any) -> Any:
        """What a converter takes, where its annotation says so, and that is not the field's type."""
        rules = self.rules.get(member.name)
        converter = rules.own if rules is not None else None
        converter = getattr(converter, "converter", converter)
        if not inspect.isfunction(converter):
            return None
        try:
            names = [*inspect.signature(converter).parameters]
            found = typing.get_type_hints(converter, include_extras=True).get(names[0])
        except Exception:
            # Annotations that mean nothing at run time say nothing.
            return None
        plain, *marks = get_args(described) if get_origin(described) is Annotated else (described,)
        if found in (None, Any, object, plain, member.type):
            return None
        marked = (
            found,
            *(mark for mark in marks if isinstance(mark, FieldInfo) and not mark.metadata),
        )
        return _ANNOTATED[marked] if marked[1:] else found

    def builder(self, options: Options) -> Callable[[Any, Callable[[Any], Any]], Any]:
        """What makes an instance of a mapping that pydantic has validated."""
        cls, build = self.cls, self.record.build
        arguments = {
            each.key: each.member.argument for each in self.fields if not each.left_out(options)
        }

        def made(value: Any, validate: Callable[[Any], Any]) -> Any:
            if isinstance(value, cls):
                return value
            stated = validate(value)
            given = {arguments[name]: each for name, each in stated.items() if name in arguments}
            try:
                instance = build(**given)
            except ValidationError:
                raise
            except Exception as error:
                # A converter that does not take the value may raise anything.
                self.check(stated, value)
                if isinstance(error, _REFUSALS):
                    self._refuse([refused(said(error), (), value)], error)
                raise
            self._check_stored(instance, stated, value)
            return instance

        made.__name__ = made.__qualname__ = cls.__name__  # for messages
        return made

    def check(self, stated: Mapping[str, Any], body: object) -> None:
        """Refuse values that converters and validators of single fields refuse; *body* is what they were
        made of.

        Raises:
            ValidationError: It names the places.
        """
        found: list[InitErrorDetails] = []
        for each in self.fields:
            rules = self.rules.get(each.member.name)
            if rules is None or each.key not in stated:
                continue
            value = stated[each.key]
            problem = _problem(rules, value)
            if problem is not None:
                found.append(refused(problem, (each.key,), body))
        self._refuse(found)

    def check_partial(self, stated: Mapping[str, Any], body: object) -> None:
        """Refuse values that no update would take.

        Raises:
            ValidationError: It names the places.
        """
        self.check(stated, body)
        stored: dict[str, Any] = {}
        for each in self.fields:
            if each.key in stated:
                rules = self.rules.get(each.member.name)
                value = stated[each.key]
                with suppress(ReadsObject):
                    stored[each.key] = value if rules is None else rules.stored(value)
        self._check_values(stored, body)

    def _check_stored(self, instance: object, stated: Mapping[str, Any], body: object) -> None:
        """Refuse what has no place in an item, such as a number of more than 38 digits: it came with the
        values, and no save can mend it.
        """
        if self.info is None:
            return
        values = {
            each.key: getattr(instance, each.member.name, None)
            for each in self.fields
            if each.key in stated
        }
        self._check_values(values, body)

    def _check_values(self, values: Mapping[str, Any], body: object) -> None:
        """Refuse values, by their names in JSON, that cannot be stored.

        Raises:
            ValidationError: It names the places.
        """
        forms = self._forms
        names = {} if self.info is None else self.info.names
        found: list[InitErrorDetails] = []
        size = 0
        for each in self.fields:
            form = forms.get(each.member.name)
            if each.key not in values or form is None:
                continue
            value = values[each.key]
            try:
                size += len(names[each.member.name]) + value_size(form.dump(value), 1)
            except Exception as error:
                place, problem = explained(form, value, at(body, (each.key,)), error)
                found.append(refused(problem, (each.key, *place), body))
        if not found and size > limits.ITEM_BYTES:
            found.append(too_large(body))
        self._refuse(found)

    @cached_property
    def _forms(self) -> Mapping[str, StoredForm]:
        info = self.info
        return {} if info is None else info.mapper.model_codec(self.source).fields or {}

    def _refuse(self, found: list[InitErrorDetails], cause: Exception | None = None) -> None:
        if found:
            raise ValidationError.from_exception_data(self.cls.__name__, found) from cause

    def check_free(self, key: str) -> None:
        """Refuse a field that JSON has under a key which says what the object is.

        Raises:
            ModelError: It names the field.
        """
        for each in self.fields:
            if each.key == key:
                raise ModelError(
                    self.cls.__name__,
                    f"it is {key!r} in JSON, and so is what tells the classes of a union apart; give "
                    f"it another alias",
                    each.member.name,
                )

    def dumper(
        self, tag: tuple[str, str] | None
    ) -> Callable[[Any, core_schema.SerializationInfo], dict[str, Any]]:
        """What makes a mapping of an instance, and of no field that the class does not show."""
        cls = self.cls
        shown = [each for each in self.fields if not each.excluded]
        names = [(each.key, each.member.name) for each in shown]
        defaults = {each.key: each.member.default for each in shown}

        def dumped(value: Any, info: core_schema.SerializationInfo) -> dict[str, Any]:
            if not isinstance(value, cls) or (tag is not None and type(value) is not cls):
                raise PydanticSerializationUnexpectedValue(
                    f"Expected `{cls.__name__}`, got `{type(value).__name__}`"
                )
            made: dict[str, Any] = {} if tag is None else {tag[0]: tag[1]}
            made.update({key: getattr(value, name) for key, name in names if hasattr(value, name)})
            if info.include is not None or info.exclude is not None:
                made = {key: each for key, each in made.items() if _is_asked(key, info)}
            if info.exclude_defaults:
                made = {
                    key: each
                    for key, each in made.items()
                    if not _is(each, defaults.get(key, MISSING))
                }
            return made

        return dumped


def _is(value: object, default: Any) -> bool:
    """Whether a value is what its field is without one."""
    if isinstance(default, _FACTORY):
        return not default.takes_self and bool(value == default.factory())
    return default is not MISSING and bool(value == default)


def _is_asked(key: str, info: core_schema.SerializationInfo) -> bool:
    """Whether a field is shown, as the caller of pydantic said with `include=` and `exclude=`."""
    include: Any = info.include
    exclude: Any = info.exclude
    if include is not None and key not in include:
        return False
    if exclude is None or key not in exclude:
        return True
    return isinstance(exclude, Mapping) and exclude[key] not in (True, ...)


def _without_names(type_: Any) -> Any:
    """An annotation without what `pydantic.Field` says of the field and not of its type: what it is
    called, and whether it is shown.
    """
    if get_origin(type_) is not Annotated:
        return type_
    marked: list[Any] = []
    for mark in get_args(type_):
        if isinstance(mark, FieldInfo) and (mark.alias is not None or mark.exclude):
            said = {name: getattr(mark, name) for name in _OF_TYPES}
            marked += mark.metadata
            mark = pydantic.Field(**{name: each for name, each in said.items() if each is not None})  # noqa: PLW2901
        marked.append(mark)
    return _ANNOTATED[tuple(marked)]


#: What `pydantic.Field` says of a type.
_OF_TYPES: Final = ("title", "description", "examples", "json_schema_extra", "discriminator")


def _problem(rules: FieldRules, value: Any) -> str | None:
    """What a converter or a validator has against a value; None where that is nothing."""
    try:
        rules.check("", rules.stored(value))
    except ReadsObject:
        return None
    except Exception as error:
        cause = error.__cause__ if isinstance(error, MappingError) else error
        if isinstance(cause, _REFUSALS):
            return said(cause)
        return "expected a value that its converter and its validator take"
    return None


def _plain_default(default: Any) -> Any:
    """A default as JSON has it, where that is plain."""
    if default is MISSING:
        return MISSING
    value = default.value if isinstance(default, enum.Enum) else default
    return value if value is None or type(value) in (str, int, float, bool) else MISSING
