"""Models as pydantic types: what pydantic asks a class for when it meets one, in a body or in an annotation.

The schema of a class is a mapping of its fields inside one validator that calls the class. So places in
errors stay those of the fields, what is absent is left to the class, and its converters and validators
run as they always do; what they raise is a validation error. Classes inside of it are made in the same
way wherever they stand, once each, and refer to each other by definitions.

pydantic's own dataclass schema is not used: it goes past converters and validators.

https://docs.pydantic.dev/latest/concepts/types/#customizing-validation-with-__get_pydantic_core_schema__
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final, Protocol, get_args, get_origin

from dynattrs.errors import MissingExtra, ModelError
from dynattrs.models.pydantic_words import ReadOnly, UnknownKeys

try:
    import pydantic
    from pydantic.errors import PydanticSchemaGenerationError
    from pydantic_core import CoreSchema, PydanticCustomError, core_schema
except ImportError as _error:
    raise MissingExtra("fastapi", "pydantic") from _error

from dynattrs.mapper.annotations import arms, show_type
from dynattrs.mapper.hints import field_types
from dynattrs.mapper.unions import TAG
from dynattrs.models.pydantic_fields import Options, Shown, ShownField
from dynattrs.models.pydantic_forms import Alike, Form, rewritten
from dynattrs.models.pydantic_refusals import wrong
from dynattrs.schema.model_info import ModelInfo, model_info

#: To checkers the arguments of this are types that they know.
_ANNOTATED: Final[Any] = Annotated


class SchemaOptions(Options, Protocol):
    """What `Accepts` says."""

    @property
    def unknown(self) -> UnknownKeys | None: ...

    @property
    def suffix(self) -> str: ...


class _Usual:
    """What holds where a type says nothing."""

    read_only: ReadOnly = "refuse"
    unknown: UnknownKeys | None = None
    suffix = ""


_USUAL: Final = _Usual()
_READ_ONLY: Final = pydantic.Field(json_schema_extra={"readOnly": True})


def accepted_schema(
    source: Any, handler: pydantic.GetCoreSchemaHandler, options: SchemaOptions
) -> CoreSchema:
    """The schema of a type with a model inside, by *options*."""
    classes = ClassSchemas(handler, options)
    return classes.within(handler.generate_schema(rewritten(source, classes)))


def by_kind_schema(source: Any, handler: pydantic.GetCoreSchemaHandler) -> CoreSchema:
    """The schema of a union of models of one table, told apart by its discriminator.

    Raises:
        ModelError: The models are not of one table that has such.
    """
    names: dict[Shown, str] = {}
    attribute = None
    for each in arms(source):
        info = model_info(each)
        kinds = () if info.keys is None else info.keys.kinds
        if not kinds or attribute not in (None, info.table.discriminator):
            raise ModelError(
                info.name,
                f"ByKind() is for models of a Table with a discriminator, and Table"
                f"({info.table.name!r}) has {info.table.discriminator!r}; give the models a field "
                f"of a Literal, and write pydantic.Field(discriminator=...)",
            )
        attribute = info.table.discriminator
        names[Shown(each)] = kinds[0]
    classes = ClassSchemas(handler, _USUAL)
    return classes.within(classes.told_apart(names, str(attribute)))


def schema_of(source: Any, handler: pydantic.GetCoreSchemaHandler) -> CoreSchema:
    """The schema of a model, which pydantic asks for.

    Raises:
        ModelError: It is a subclass of a model that is not decorated itself.
    """
    cls = get_origin(source) or source
    if "__attrs_attrs__" not in vars(cls):
        model_info(cls)
    classes = ClassSchemas(handler, _USUAL)
    made = classes.of(source)
    # In errors a choice of a union is named by its class.
    ready: Any = lambda _: made  # noqa: E731
    return classes.complete(pydantic.Tag(cls.__name__).__get_pydantic_core_schema__(source, ready))


def partial_schema(model: Any, handler: pydantic.GetCoreSchemaHandler, cls: Any) -> CoreSchema:
    """The schema of some fields of a model, by their names; *cls* makes an object of them."""
    classes = ClassSchemas(handler, _USUAL)
    shown = Shown(model, defaults=False)
    names = {each.key: each.member.name for each in shown.fields}
    keys = {name: key for key, name in names.items()}

    def made(value: Any, validate: Callable[[Any], Any]) -> Any:
        if isinstance(value, cls):
            return value
        stated = validate(value)
        if not stated:
            problem = "State at least one field that can be changed"
            raise wrong(PydanticCustomError("no_fields", problem), value)
        shown.check_partial(stated, value)
        return cls(model, {names[key]: each for key, each in stated.items()})

    def dumped(value: Any) -> dict[str, Any]:
        return {keys[name]: each for name, each in value.values.items()}

    return classes.complete(classes.partial(shown, made, dumped))


class ClassSchemas:
    """The schemas of the classes that one type is made of."""

    def __init__(self, handler: pydantic.GetCoreSchemaHandler, options: SchemaOptions) -> None:
        self._handler = handler
        self._options = options
        self._made: dict[str, CoreSchema | None] = {}

    def complete(self, schema: CoreSchema) -> CoreSchema:
        """A schema with the definitions that it refers to."""
        definitions = [each for each in self._made.values() if each is not None]
        return core_schema.definitions_schema(schema, definitions)

    def within(self, schema: CoreSchema) -> CoreSchema:
        """The same, inside of an `Annotated`: pydantic gathers definitions from classes alone."""

        class Whole:
            @classmethod
            def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
                return self.complete(schema)

        return self._handler.generate_schema(Whole)

    def _once(self, ref: str, make: Callable[[], CoreSchema]) -> CoreSchema:
        if ref not in self._made:
            self._made[ref] = None
            made: Any = dict(make())
            made["ref"] = ref
            self._made[ref] = made
        return core_schema.definition_reference_schema(ref)

    def of(self, source: Any) -> CoreSchema:
        """A class with fields, which may be a generic one with its arguments."""
        return self._once(
            _ref(source, after=self._options.suffix), lambda: self._class(Shown(source), None)
        )

    def tagged(self, sources: tuple[Any, ...]) -> CoreSchema:
        """Several classes, told apart by the tag that their items have, too."""
        return self.told_apart({Shown(source): source.__name__ for source in sources}, TAG)

    def told_apart(self, names: Mapping[Shown, str], key: str) -> CoreSchema:
        """Several classes, told apart by what is under a key that is not a field."""
        by_class = {each.cls: name for each, name in names.items()}

        def tag(value: Any) -> Any:
            return value.get(key) if isinstance(value, Mapping) else by_class.get(type(value))

        tag.__name__ = tag.__qualname__ = key
        choices: dict[Any, Any] = {}
        for each, name in names.items():
            each.check_free(key)
            choices[name] = self._once(
                _ref(each.source, "Tagged", self._options.suffix) + f"/{key}",
                partial(self._class, each, (key, name)),
            )
        return core_schema.tagged_union_schema(choices, tag)

    def alias(self, source: Any) -> CoreSchema:
        """A type by a name of its own, which may stand inside of it."""
        ref = _ref(source, after=self._options.suffix)
        return self._once(ref, lambda: self._schema(source.__value__))

    def typed_dict(self, source: Any) -> CoreSchema:
        cls: Any = get_origin(source) or source
        required = cls.__required_keys__
        fields = {
            name: core_schema.typed_dict_field(self._schema(type_), required=name in required)
            for name, type_ in field_types(source).items()
        }

        def make() -> CoreSchema:
            return self._mapping(cls, fields)

        return self._once(_ref(source, after=self._options.suffix), make)

    def _schema(self, type_: Any) -> CoreSchema:
        return self._handler.generate_schema(rewritten(type_, self))

    def _class(self, shown: Shown, tag: tuple[str, str] | None) -> CoreSchema:
        fields: dict[str, Any] = {}
        if tag is not None:
            one = core_schema.literal_schema([tag[1]])
            fields[tag[0]] = core_schema.typed_dict_field(one, required=True)
        fields.update({each.key: self._field(each, shown) for each in shown.fields})
        name = shown.cls.__name__ if tag is None else f"Tagged{shown.cls.__name__}"
        mapping = self._mapping(shown.cls, fields, shown.info, name)
        return core_schema.no_info_wrap_validator_function(
            shown.builder(self._options),
            mapping,
            serialization=core_schema.plain_serializer_function_ser_schema(
                shown.dumper(tag), info_arg=True, return_schema=mapping
            ),
        )

    def partial(
        self,
        shown: Shown,
        made: Callable[[Any, Callable[[Any], Any]], Any],
        dumped: Callable[[Any], dict[str, Any]],
    ) -> CoreSchema:
        """A mapping of those fields of a model that an update may set, none of them required."""

        def make() -> CoreSchema:
            fields = {
                each.key: {**self._field(each, shown, updated=True), "required": False}
                for each in shown.fields
            }
            mapping = self._mapping(shown.cls, fields, shown.info, f"Partial{shown.cls.__name__}")
            return core_schema.no_info_wrap_validator_function(
                made, mapping,
                serialization=core_schema.plain_serializer_function_ser_schema(
                    dumped, return_schema=mapping
                ),
            )  # fmt: skip

        return self._once(_ref(shown.source, "Partial"), make)

    def _field(self, field: ShownField, shown: Shown, *, updated: bool = False) -> Any:
        annotation = field.annotation
        if updated and field.in_key:
            annotation = _ANNOTATED[annotation, _READ_ONLY]
        try:
            schema = self._schema(annotation)
            if field.taken_type is not None:
                taken: Any = dict(self._schema(field.taken_type))
                taken = core_schema.no_info_after_validator_function(_itself, taken)
                taken["serialization"] = core_schema.plain_serializer_function_ser_schema(
                    _itself, return_schema=schema
                )
                schema = taken
        except Alike as error:
            raise ModelError(shown.cls.__name__, str(error), field.member.name) from None
        except PydanticSchemaGenerationError as error:
            problem = f"pydantic has no form for {show_type(field.member.type)}: {error.message}"
            raise ModelError(shown.cls.__name__, problem, field.member.name) from error
        if field.refused(self._options):
            schema = core_schema.no_info_wrap_validator_function(_refuse, schema)
        elif updated and field.in_key:
            schema = core_schema.no_info_wrap_validator_function(_refuse_key, schema)
        required = field.required and not field.read_only
        return core_schema.typed_dict_field(
            schema, required=required, serialization_exclude=field.excluded or None
        )

    def _mapping(
        self, cls: Any, fields: Mapping[str, Any], info: ModelInfo | None = None, name: str = ""
    ) -> CoreSchema:
        extra: Any = self._options.unknown
        if extra is None:
            extra = "forbid" if info is not None and info.unknown == "forbid" else "ignore"
        schema = core_schema.typed_dict_schema(dict(fields), extra_behavior=extra)
        return self._handler.generate_schema(
            _ANNOTATED[Any, _Mapping(schema, cls, name or cls.__name__, forbids=extra == "forbid")]
        )


class _Mapping(Form):
    """The mapping of a class's fields, described in JSON schemas as the class is."""

    def __init__(self, schema: CoreSchema, cls: type[object], name: str, *, forbids: bool) -> None:
        super().__init__(lambda handler: schema)
        self._cls = cls
        self._name = name
        self._forbids = forbids

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = handler(schema)
        described["title"] = self._name
        description = _documentation(self._cls)
        if description:
            described["description"] = description
        if self._forbids:
            described["additionalProperties"] = False
        return described


def _documentation(cls: type[object]) -> str:
    text = inspect.cleandoc(vars(cls).get("__doc__") or "")
    # What dataclasses and named tuples write themselves.
    return "" if text.startswith(f"{cls.__name__}(") else text


def _ref(source: Any, before: str = "", after: str = "") -> str:
    """The name of a definition, from which pydantic takes that in a JSON schema."""
    cls = get_origin(source) or source
    outer, dot, own = getattr(cls, "__qualname__", cls.__name__).rpartition(".")
    name = f"{cls.__module__}.{outer}{dot}{before}{own}{after}:{id(cls)}"
    arguments = get_args(source)
    if not arguments:
        return name
    return f"{name}[{','.join(map(_argument, arguments))}]"


def _argument(type_: Any) -> str:
    return _ref(type_) if isinstance(type_, type) else repr(type_)


def _itself(value: Any) -> Any:
    return value


def _refuse(value: Any, validate: Callable[[Any], Any]) -> Any:
    problem = "Field is read-only: it is set where the item is stored"
    raise wrong(PydanticCustomError("read_only", problem), value)


def _refuse_key(value: Any, validate: Callable[[Any], Any]) -> Any:
    problem = "Field is part of the item's key, which never changes"
    raise wrong(PydanticCustomError("read_only", problem), value)
