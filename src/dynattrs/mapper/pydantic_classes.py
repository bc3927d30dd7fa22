"""Classes of pydantic's: the names and types of their fields, and how they are made again.

What pydantic keeps on an instance is not always what its constructor takes. It takes a field by its
alias, the text of a `pydantic.Json` and not its value, the encoded form of `Base64Bytes`, and gives
the values of enums with `use_enum_values`. Where a class cannot be made again of what it holds, its
declaration is refused.

pydantic is never imported here before one of its classes is met.
"""

from __future__ import annotations

import enum
import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Final, get_args, get_origin

import attrs

from dynattrs.mapper.annotations import UNIONS, Json
from dynattrs.mapper.codec import Refused, show
from dynattrs.mapper.defaults import own_default
from dynattrs.mapper.hints import is_class, unaliased

# To checkers the arguments of these are types that they know.
_ANNOTATED: Final[Any] = Annotated
_UNION: Final[Any] = typing.Union
_TUPLE: Final[Any] = tuple
_FACTORY: Final[Any] = attrs.Factory


class ByValue:
    """Inside `Annotated[...]`: instances may hold the values of an enum instead of its members."""


@attrs.frozen(eq=False, repr=False)
class PydanticField:
    """A field of a class of pydantic's.

    Attributes:
        argument: What it is called where an instance is made.
        type: Its annotation, in dynattrs' words.
        default: The default, `attrs.NOTHING`, or an `attrs.Factory`.
    """

    argument: str
    type: Any
    default: Any


def is_model(cls: type[object]) -> bool:
    """Whether a class is a `pydantic.BaseModel`."""
    # A class of pydantic's exists only where pydantic is loaded.
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def is_dataclass(cls: type[object]) -> bool:
    """Whether a dataclass is one of pydantic's."""
    return hasattr(cls, "__pydantic_fields__") and hasattr(cls, "__pydantic_validator__")


def fields_of(
    cls: Any, types: Mapping[str, Any] | None = None
) -> tuple[dict[str, PydanticField], Callable[..., Any]]:
    """The fields of a class of pydantic's, and what makes an instance of their values by argument.

    Args:
        cls: A model, or a dataclass of pydantic's.
        types: The annotations of a dataclass.

    Raises:
        Refused: Instances could be written, and not be made again.
    """
    config = _config(cls)
    if config.get("extra") == "allow":
        raise Refused(
            "a pydantic model with known fields only",
            f"{cls.__name__} with extra='allow'",
            "its extra values would be lost; register hooks for it on the mapper",
        )
    declared: Mapping[str, Any] = cls.__pydantic_fields__ if types is not None else cls.model_fields
    if types is not None:
        # What has no annotation of pydantic's, such as a field without init, is set afterwards.
        declared = {name: field for name, field in declared.items() if name in types}
    arguments = {name: _argument(name, field, config) for name, field in declared.items()}
    by_name = None in arguments.values()
    if by_name and not _takes_names():
        name = next(name for name, argument in arguments.items() if argument is None)
        raise Refused(
            "a field that can be given by its name or by an alias that is text",
            f"{cls.__name__}.{name}, whose alias is a path",
            "set populate_by_name=True in its configuration, or use pydantic 2.11 or newer",
        )
    found: dict[str, PydanticField] = {}
    texts: dict[str, Any] = {}
    for name, field in declared.items():
        argument = name if by_name else str(arguments[name])
        original = _annotation(field) if types is None else types[name]
        type_ = _translated(original, bool(config.get("use_enum_values")))
        default = _default(cls, name, field, config)
        found[name] = PydanticField(argument, type_, default)
        if any(map(_encodes, _parts(original))):
            _check_encoded(cls, name, original)
            texts[argument] = original
    return found, _builder(cls, by_name=by_name, texts=texts, dataclass=types is not None)


def names_of(cls: Any) -> tuple[str, ...]:
    """The fields of a class of pydantic's."""
    return tuple(cls.model_fields if is_model(cls) else cls.__pydantic_fields__)


class ValidationError(ValueError):
    """What pydantic says of the value of one field."""


def check_field(build: Callable[..., object], name: str, argument: str, value: object) -> None:
    """Let a class of pydantic's see a value of one of its fields.

    Raises:
        ValidationError: It refuses the value.
    """
    pydantic: Any = sys.modules["pydantic"]
    try:
        build(**{argument: value})
    except pydantic.ValidationError as error:
        # The others are missing, and what looks at several fields sees no object.
        own = [each for each in error.errors() if each["loc"][:1] in ((name,), (argument,))]
        if own:
            raise ValidationError("; ".join(each["msg"] for each in own)) from None
    except Exception:
        return


def root_of(cls: Any) -> tuple[Any, Callable[[Any], Any]] | None:
    """The type of what a root model holds, and what makes an instance of it; None of anything else."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not is_class(cls) or not issubclass(cls, pydantic.RootModel):
        return None
    field = cls.model_fields["root"]
    original, config = _annotation(field), _config(cls)
    texts = {"root": original} if any(map(_encodes, _parts(original))) else {}
    prepare = _encoder(cls, texts)

    def build(value: Any) -> Any:
        return cls.model_validate(prepare({"root": value})["root"])

    return _translated(original, bool(config.get("use_enum_values"))), build


def by_value(type_: Any) -> dict[tuple[type[object], Any], Any]:
    """The members of an enum, or of a literal, by what stands for them."""
    members = type_ if is_class(type_) else get_args(type_)
    return {(type(each.value), each.value): each for each in members if isinstance(each, enum.Enum)}


# --- What a class says of itself ----------------------------------------------------------------


def _config(cls: object) -> Mapping[str, Any]:
    found = getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", None)
    return found or {}


def _annotation(field: Any) -> Any:
    # pydantic takes the outer `Annotated` apart.
    marked = (field.annotation, *field.metadata)
    return _ANNOTATED[marked] if field.metadata else field.annotation


def _argument(name: str, field: Any, config: Mapping[str, Any]) -> str | None:
    """What a field is given as; None where that is neither its name nor a text."""
    alias = field.validation_alias or field.alias
    if alias is None:
        return name
    by_alias = config.get("validate_by_alias", True)
    if by_alias:
        # AliasChoices: any of them will do.
        texts = (each for each in getattr(alias, "choices", (alias,)) if isinstance(each, str))
        found = next(texts, None)
        if found is not None:
            return found
    by_name = config.get("validate_by_name") or config.get("populate_by_name")
    return name if by_name or not by_alias else None


def _takes_names() -> bool:
    """Whether pydantic can be told to take fields by their names (2.11)."""
    pydantic: Any = sys.modules["pydantic"]
    return "by_name" in inspect.signature(pydantic.BaseModel.model_validate).parameters


def _default(cls: Any, name: str, field: Any, config: Mapping[str, Any]) -> Any:
    if field.default_factory is not None:
        # Some are made of the other fields.
        takes_self = bool(getattr(field, "default_factory_takes_validated_data", False))
        return _FACTORY(field.default_factory, takes_self=takes_self)
    if field.is_required():
        return attrs.NOTHING
    validated = config.get("validate_default") or field.validate_default
    if config.get("use_enum_values") and not validated:
        odd = next((each for each in _inside(field.default) if _is_member_only(each)), None)
        if odd is not None:
            raise Refused(
                "a default that is the value of an enum, as use_enum_values gives",
                f"{cls.__name__}.{name} = {show(field.default)}",
                "it would be read as another value than new objects have: set "
                "validate_default=True in the configuration of the class",
            )
    return own_default(field.default)


def _is_member_only(value: object) -> bool:
    return isinstance(value, enum.Enum) and value != value.value


def _inside(value: object) -> Iterator[Any]:
    yield value
    if isinstance(value, Mapping):
        value = (*value, *value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from _inside(each)


# --- Types --------------------------------------------------------------------------------------


def _translated(type_: Any, values: bool) -> Any:
    """An annotation in dynattrs' words: `pydantic.Json` is JSON, and *values* of enums are taken."""
    pydantic: Any = sys.modules["pydantic"]
    if type_ is pydantic.Json:
        return _ANNOTATED[Any, Json]
    if is_class(type_) and issubclass(type_, enum.Enum):
        return _ANNOTATED[type_, ByValue] if values else type_
    if (named := unaliased(type_)) is not None:
        inner = _translated(named, values)
        return type_ if inner == named else inner
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is typing.Literal:
        members = any(isinstance(each, enum.Enum) for each in arguments)
        return _ANNOTATED[type_, ByValue] if values and members else type_
    if origin is Annotated:
        marks = (Json if _is_json(mark) else mark for mark in arguments[1:])
        marked = (_translated(arguments[0], values), *marks)
        return _ANNOTATED[marked]
    if origin is None or not arguments:
        return type_
    inner_types = tuple(_translated(each, values) for each in arguments)
    if inner_types == arguments:
        return type_
    if origin in UNIONS:
        return _UNION[inner_types]
    return origin[inner_types]


def _parts(type_: object) -> Iterator[Any]:
    """An annotation, and all that it is made of."""
    yield type_
    for each in get_args(type_):
        yield from _parts(each)


def _is_json(mark: object) -> bool:
    pydantic: Any = sys.modules["pydantic"]
    return mark is pydantic.Json or isinstance(mark, pydantic.Json)


def _encodes(part: object) -> bool:
    """Whether a part of an annotation lets the constructor take another form than the value."""
    pydantic: Any = sys.modules["pydantic"]
    return _is_json(part) or isinstance(part, (pydantic.EncodedBytes, pydantic.EncodedStr))


def _check_encoded(cls: Any, name: str, type_: Any) -> None:
    """Refuse classes in JSON that pydantic writes by other names than it reads."""
    for part in _parts(type_):
        fields: Any = getattr(part, "__pydantic_fields__", {}) if isinstance(part, type) else {}
        for inner, field in fields.items():
            written = field.serialization_alias or inner
            if _argument(inner, field, _config(part)) != written:
                raise Refused(
                    "a class that pydantic reads from JSON by the names that it writes",
                    f"{part.__name__}.{inner}, which {cls.__name__}.{name} holds as JSON",
                    "give the field one alias for both",
                )


# --- Making instances ---------------------------------------------------------------------------


def _builder(
    cls: Any, *, by_name: bool, texts: Mapping[str, Any], dataclass: bool
) -> Callable[..., Any]:
    prepare = _encoder(cls, texts)
    names: dict[str, Any] = {"by_alias": False, "by_name": True} if by_name else {}
    if not dataclass:
        validate: Callable[..., Any] = partial(cls.model_validate, **names)

        def build(**values: object) -> Any:
            return validate(prepare(values))

        return build

    def build_dataclass(**values: Any) -> Any:
        if not names:
            return cls(**prepare(values))
        # As its constructor does, which takes no fields by their names.
        arguments = sys.modules["pydantic_core"].ArgsKwargs((), prepare(values))
        instance = cls.__new__(cls)
        cls.__pydantic_validator__.validate_python(arguments, self_instance=instance, **names)
        return instance

    return build_dataclass


def _encoder(
    cls: object, types: Mapping[str, object]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What makes the arguments of values: of some the form that pydantic decodes again."""
    if not types:
        return lambda values: values
    adapters: dict[str, Any] = {}

    def encode(values: dict[str, Any]) -> dict[str, Any]:
        if not adapters:
            pydantic: Any = sys.modules["pydantic"]
            config = _config(cls)
            for name, type_ in types.items():
                # In a tuple, because classes with a configuration of their own take no other.
                adapters[name] = pydantic.TypeAdapter(_TUPLE[type_], config=config)
        for name in adapters.keys() & values.keys():
            found = adapters[name].dump_python((values[name],), round_trip=True, by_alias=True)
            values[name] = found[0]
        return values

    return encode
