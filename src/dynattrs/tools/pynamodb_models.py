"""PynamoDB's models as Python source of dynattrs' ones, which store their items alike.

What is asked of PynamoDB's classes is their public names, and the package itself is not imported: a module
with models has done that.
"""

from __future__ import annotations

import ast
import datetime as dt
import enum
import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Final

import attrs

from dynattrs.errors import DynattrsError
from dynattrs.tools.generation.python_source import WIDTH, Bracketed, Code, lines_of, literal

_MORE: Final = {
    "FloatAttribute": "float",
    "IntegerAttribute": "int",
    "IntegerSetAttribute": "set[int]",
    "TimestampAttribute": "Annotated[datetime, pynamodb.Timestamp]",
    "TimestampMsAttribute": "Annotated[datetime, pynamodb.TimestampMs]",
    "TimestampUsAttribute": "Annotated[datetime, pynamodb.TimestampUs]",
    "TimedeltaAttribute": "Annotated[timedelta, pynamodb.Timedelta]",
    "TimedeltaMsAttribute": "Annotated[timedelta, pynamodb.TimedeltaMs]",
    "TimedeltaUsAttribute": "Annotated[timedelta, pynamodb.TimedeltaUs]",
    "IntegerDateAttribute": "Annotated[date, pynamodb.IntegerDate]",
}
_OWN: Final = {
    "UnicodeAttribute": "str",
    "NumberAttribute": "float",
    "BooleanAttribute": "bool",
    "UTCDateTimeAttribute": "datetime",
    "TTLAttribute": "datetime",
    "VersionAttribute": "int",
    "JSONAttribute": "Annotated[Any, Json]",
    "NullAttribute": "None",
    "UnicodeSetAttribute": "set[str]",
    "NumberSetAttribute": "set[float]",
}
#: What a class that nothing is known of may be, by the type tag of what it stores.
_BY_TAG: Final = {
    "S": "str", "N": "float", "B": "bytes", "BOOL": "bool", "L": "list[Any]", "M": "dict[str, Any]",
}  # fmt: skip
#: Where the names come from that a source speaks of.
_HOMES: Final = {
    "date": "datetime", "datetime": "datetime", "timedelta": "datetime", "timezone": "datetime",
    "Annotated": "typing", "Any": "typing", "UUID": "uuid",
}  # fmt: skip
_NAMES: Final = frozenset(
    (
        "GlobalIndex", "Json", "LocalIndex", "Table", "field", "model", "partition_key", "pynamodb",
        "sort_key",
    )
)  # fmt: skip
#: Names that stand alone: `pynamodb.UUID` is none of uuid's.
_WORDS: Final = re.compile(r"(?<![\w.\"])[A-Za-z_]\w*(?![\w\"=]|: )")
#: The names in a function that gives the time at hand.
_NOW: Final = frozenset(("UTC", "datetime", "dt", "now", "timezone", "utc", "utcnow"))
_NUMBERS: Final = "Numbers are float: write int, or Decimal, where all that are stored are so."


def translated(module: ModuleType) -> str:
    """The source of dynattrs models for the PynamoDB models of a module.

    Raises:
        DynattrsError: The module has none.
    """
    models = [each for each in _classes(module) if _is_a(each, "Model")]
    if not models:
        raise DynattrsError(f"{module.__name__} defines no models of PynamoDB")
    return _Translation(module, models).source()


def _classes(module: ModuleType) -> Iterator[Any]:
    for each in vars(module).values():
        if inspect.isclass(each) and each.__module__ == module.__name__:
            yield each


def _is_a(cls: type[object], name: str) -> bool:
    """Whether a class is one of PynamoDB's of that name, or derives from it, and is not it itself."""
    return any(
        base.__name__ == name and base.__module__.partition(".")[0].startswith("pynamodb")
        for base in cls.__mro__
    ) and not cls.__module__.startswith(("pynamodb.", "pynamodb_attributes"))


def _known(attribute: object) -> str:
    """The name of PynamoDB's class that an attribute is of, or derives from without a form of its own."""
    for base in type(attribute).__mro__:
        if base.__module__.startswith(("pynamodb.", "pynamodb_attributes")):
            return "" if base.__name__ == "Attribute" else base.__name__
        if {"serialize", "deserialize"} & vars(base).keys():
            return ""
    return ""


def _declared(cls: Any) -> dict[str, Any]:
    """The attributes of a model or a map, in the order in which they are written."""
    found = cls.get_attributes()
    names = [name for base in reversed(cls.__mro__) for name in vars(base) if name in found]
    return {name: found[name] for name in dict.fromkeys([*names, *found])}


@attrs.define
class _Field:
    name: str
    annotation: str
    specifier: str = ""
    options: list[Code] = attrs.Factory(list)
    notes: list[str] = attrs.Factory(list)

    @property
    def has_default(self) -> bool:
        return any(str(each).startswith(("default", "factory")) for each in self.options)

    def lines(self) -> list[str]:
        notes = [f"    # {each}" for each in self.notes]
        head = f"{self.name}: {self.annotation}"
        if self.specifier or len(self.options) > 1 or not self.has_default:
            if not self.specifier and not self.options:
                return [*notes, f"    {head}"]
            call = Bracketed(f"{head} = {self.specifier or 'field'}", self.options)
            return [*notes, *lines_of(call, 4)]
        [only] = self.options
        text = str(only)
        if text.startswith("default="):
            return [*notes, f"    {head} = {text.removeprefix('default=')}"]
        return [*notes, *lines_of(Bracketed(f"{head} = field", self.options), 4)]


class _Translation:
    def __init__(self, module: ModuleType, models: list[Any]) -> None:
        self._module = module
        self._models = models
        #: The sources of classes inside, by their names, and the classes.
        self._blocks: dict[str, list[str]] = {}
        self._maps: dict[str, Any] = {}
        #: Names that come from elsewhere, such as enums.
        self._from: dict[str, str] = {}

    def source(self) -> str:
        blocks = [lines for model in self._models for lines in self._model(model)]
        body = [line for block in (*self._blocks.values(), *blocks) for line in ("", "", *block)]
        words = set(_WORDS.findall("\n".join(each.partition("#")[0] for each in body)))
        notes = [_NUMBERS] if "float" in words else []
        lines = [
            f'"""The models of {self._module.__name__}, with the forms in which PynamoDB stores them.',
            *(["", *notes] if notes else []),
            '"""',
            "",
            *_imports({name: home for name, home in _HOMES.items() if name in words}),
            *(["import attrs", ""] if "attrs" in words else []),
            *_imports(dict.fromkeys(sorted(_NAMES & words), "dynattrs")),
            *_imports(self._from),
        ]
        while lines[-1] == "":
            lines.pop()
        return "\n".join([*lines, *body, ""])

    # --- Models ---

    def _model(self, cls: Any) -> Iterator[list[str]]:
        attributes = _declared(cls)
        tells = cls._get_discriminator_attribute()
        kinds = [] if tells is None else _values(tells, cls)
        fields = [
            self._field(name, each, attributes)
            for name, each in attributes.items()
            if _known(each) != "DiscriminatorAttribute"
        ]
        meta = getattr(cls, "Meta", None)
        table = getattr(meta, "table_name", None) or cls.__name__.lower()
        if tells is not None:
            yield from self._polymorphic(cls, table, tells, kinds, attributes)
            return
        indexes = self._indexes(cls, attributes)
        arguments: list[Code] = [literal(table), f"forms={self._forms(attributes)}"]
        if indexes:
            arguments.append(Bracketed("indexes=", indexes, "[]"))
        yield self._class(cls.__name__, Bracketed("@model", arguments), fields)

    def _polymorphic(
        self, cls: Any, table: str, tells: Any, kinds: list[str], attributes: dict[str, Any]
    ) -> Iterator[list[str]]:
        """A model of a table with several, told apart by an attribute."""
        variable = _variable(table)
        keys = {
            role: next((a.attr_name for a in attributes.values() if getattr(a, flag)), None)
            for role, flag in (("partition_key", "is_hash_key"), ("sort_key", "is_range_key"))
        }
        if variable not in self._blocks:
            arguments: list[Code] = [literal(table)]
            arguments += [f"{role}={literal(name)}" for role, name in keys.items() if name]
            arguments.append(f"discriminator={literal(tells.attr_name)}")
            indexes = self._indexes(cls, attributes, stored=True)
            for other in self._models:
                if issubclass(other, cls) and other is not cls:
                    more = self._indexes(other, _declared(other), stored=True)
                    indexes += [each for each in more if str(each) not in map(str, indexes)]
            if indexes:
                arguments.append(Bracketed("indexes=", indexes, "[]"))
            self._blocks[variable] = lines_of(Bracketed(f"{variable} = Table", arguments))
        fields = [
            self._field(name, each, attributes, plain=True)
            for name, each in attributes.items()
            if _known(each) != "DiscriminatorAttribute" and name in self._own_names(cls)
        ]
        bases = ", ".join(each.__name__ for each in cls.__bases__ if each in self._models)
        if not kinds:
            head = "@attrs.define(kw_only=True)"
            yield self._class(f"{cls.__name__}{f'({bases})' if bases else ''}", head, fields)
            return
        kind = literal(kinds[0]) if len(kinds) == 1 else f"({', '.join(map(literal, kinds))})"
        decorator = Bracketed(
            "@model",
            [variable, f"forms={self._forms(attributes)}", f"kind={kind}", "kw_only=True"],
        )
        yield self._class(f"{cls.__name__}{f'({bases})' if bases else ''}", decorator, fields)

    def _own_names(self, cls: Any) -> set[str]:
        """The attributes that no model above has."""
        above = {name for base in cls.__bases__ if base in self._models for name in _declared(base)}
        return set(_declared(cls)) - above

    def _forms(self, attributes: dict[str, Any]) -> str:
        inside = any(map(_holds_bytes, attributes.values()))
        return "pynamodb.forms(version=6)" if inside else "pynamodb.forms"

    def _class(self, name: str, decorator: Code, fields: list[_Field]) -> list[str]:
        ordered = fields
        if "kw_only=True" not in str(decorator):
            ordered = sorted(
                fields,
                key=lambda each: (
                    ("partition_key", "sort_key").index(each.specifier)
                    if each.specifier in ("partition_key", "sort_key")
                    else 3 if each.has_default else 2
                ),
            )  # fmt: skip
        body = [line for each in ordered for line in each.lines()] or ["    pass"]
        return [*lines_of(decorator), f"class {name}:", *body]

    def _indexes(self, cls: Any, attributes: dict[str, Any], *, stored: bool = False) -> list[Code]:
        names = {
            each.attr_name: each.attr_name if stored else name for name, each in attributes.items()
        }
        found: list[Code] = []
        for index in cls._indexes.values():
            keys = [*index.Meta.attributes.values()]
            roles = [
                (role, next((a.attr_name for a in keys if getattr(a, flag)), None))
                for role, flag in (("partition_key", "is_hash_key"), ("sort_key", "is_range_key"))
            ]
            local = type(index).__mro__[1].__name__ == "LocalSecondaryIndex"
            arguments: list[Code] = [literal(index.Meta.index_name)]
            arguments += [
                f"{role}={literal(names.get(name, name))}"
                for role, name in roles
                if name is not None and not (local and role == "partition_key")
            ]
            projection = index.Meta.projection
            if projection.projection_type == "KEYS_ONLY":
                arguments.append('projection="keys"')
            elif projection.non_key_attributes:
                listed = ", ".join(
                    literal(names.get(each, each)) for each in projection.non_key_attributes
                )
                arguments.append(f"projection=[{listed}]")
            found.append(Bracketed("LocalIndex" if local else "GlobalIndex", arguments))
        return found

    # --- Fields ---

    def _field(
        self, name: str, attribute: Any, siblings: dict[str, Any], *, plain: bool = False
    ) -> _Field:
        known = _known(attribute)
        found = _Field(name, self._annotation(attribute, f"{name}"))
        if not known:
            found.notes.append(
                f"TODO: {type(attribute).__name__} stores {attribute.attr_type} in a form of its own"
            )
        if any(map(_holds_bytes, siblings.values())) and found.annotation in (
            "bytes",
            "set[bytes]",
        ):
            found.annotation = f"Annotated[{found.annotation}, pynamodb.LegacyBinary]"
        if attribute.attr_name != name:
            found.options.append(f"name={literal(attribute.attr_name)}")
        if known in ("TTLAttribute", "VersionAttribute"):
            found.options.append("ttl=True" if known == "TTLAttribute" else "version=True")
        if attribute.is_hash_key and not plain:
            found.specifier = "partition_key"
        elif attribute.is_range_key and not plain:
            found.specifier = "sort_key"
        self._default(found, attribute, known)
        return found

    def _default(self, found: _Field, attribute: Any, known: str) -> None:
        default = attribute.default
        is_set = found.annotation.removeprefix("Annotated[").startswith("set[")
        if attribute.default_for_new is not None:
            found.notes.append("TODO: it had a default for new items, and None in old ones")
        if is_set:
            if default is None:
                found.options.append("factory=set")
        elif known == "VersionAttribute":
            return
        elif (
            attribute.null or attribute.default_for_new is not None
        ) and "None" not in found.annotation:
            found.annotation += " | None"
        if default is None:
            if found.annotation.endswith("None"):
                found.options.append("default=None")
            return
        if not callable(default):
            written = self._literal(default)
            if written is None:
                found.notes.append(f"TODO: its default was {default!r}")
            else:
                found.options.append(f"default={written}")
            return
        found.options.append(f"factory={self._factory(found, default)}")

    def _factory(self, found: _Field, default: Any) -> str:
        if default in (dict, list, set):
            return str(default.__name__)
        name, module = getattr(default, "__qualname__", "<lambda>"), default.__module__
        if "<" not in name and "." not in name:
            self._from[name] = module
            return str(name)
        value, code = default(), getattr(default, "__code__", None)
        asks = code is None or bool(code.co_names or code.co_freevars)
        if isinstance(value, dt.datetime) and code is not None and _NOW.issuperset(code.co_names):
            now = dt.datetime.now(value.tzinfo)
            if abs(now - value) < dt.timedelta(seconds=1):
                return "lambda: datetime.now(timezone.utc)"
        # What asks for something may be another value each time.
        written = None if asks else self._literal(value)
        if written is None:
            found.notes.append("TODO: its default was made by a function")
            return "lambda: None"
        return f"lambda: {written}"

    def _literal(self, value: Any) -> str | None:
        if isinstance(value, str):
            return literal(value)
        if isinstance(value, enum.Enum):
            return f"{self._imported(type(value))}.{value.name}"
        if isinstance(value, (dict, list, tuple, set)):
            return repr(value) if value == _read_again(value) else None
        return repr(value) if isinstance(value, (bool, int, float, bytes, type(None))) else None

    def _imported(self, cls: type[object]) -> str:
        self._from[cls.__name__] = cls.__module__
        return cls.__name__

    def _annotation(self, attribute: Any, place: str) -> str:
        known = _known(attribute)
        if known in _OWN or known in _MORE:
            return {**_OWN, **_MORE}[known]
        if known in ("BinaryAttribute", "BinarySetAttribute"):
            plain = "bytes" if known == "BinaryAttribute" else "set[bytes]"
            legacy = getattr(attribute, "legacy_encoding", True)
            return plain if legacy else f"Annotated[{plain}, pynamodb.Binary]"
        if known == "ListAttribute":
            of = attribute.element_type
            return "list[Any]" if of is None else f"list[{self._element(of, place)}]"
        if known in ("MapAttribute", "DynamicMapAttribute"):
            return self._map(type(attribute))
        made = self._more(attribute, known)
        return made or _BY_TAG.get(attribute.attr_type, "Any")

    def _element(self, cls: Any, place: str) -> str:
        try:
            made = cls() if "Binary" not in cls.__name__ else cls(legacy_encoding=False)
        except TypeError:  # PynamoDB 5 has no such argument
            made = cls()
        if _known(made) == "BinaryAttribute":
            return "bytes"
        if _known(made) == "BinarySetAttribute":
            return "set[bytes]"
        return self._annotation(made, place)

    def _more(self, attribute: Any, known: str) -> str:
        """The annotation of an attribute of pynamodb-attributes that has arguments."""
        if known in ("UnicodeEnumAttribute", "IntegerEnumAttribute"):
            cls = self._imported(attribute.enum_type)
            unknown = attribute.unknown_value
            if unknown is None or isinstance(unknown, attribute.enum_type):
                value = "None" if unknown is None else f"{cls}.{unknown.name}"
                none = " | None" if unknown is None else ""
                return f"Annotated[{cls}{none}, pynamodb.UnknownValue({value})]"
            return cls
        if known == "UnicodeDatetimeAttribute":
            said = {
                "force_tz": (attribute._force_tz, True),
                "force_utc": (attribute._force_utc, False),
                "fmt": (attribute._fmt, None),
            }
            options = ", ".join(
                f"{name}={literal(value) if isinstance(value, str) else value}"
                for name, (value, usual) in said.items()
                if value != usual
            )
            return f"Annotated[datetime, pynamodb.UnicodeDatetime({options})]"
        if known == "UUIDAttribute":
            return (
                "Annotated[UUID, pynamodb.UUID(remove_dashes=True)]"
                if attribute._remove_dashes
                else "UUID"
            )
        if known == "UnicodeDelimitedTupleAttribute":
            cls = attribute.tuple_type
            named = typing.get_type_hints(cls) if inspect.isclass(cls) else {}
            inner = self._imported(cls) if named else "tuple[str, ...]"
            delimiter = attribute.delimiter
            said_ = "" if delimiter == "::" else literal(delimiter)
            return f"Annotated[{inner}, pynamodb.DelimitedTuple({said_})]"
        return ""

    # --- Maps ---

    def _map(self, cls: Any) -> str:
        attributes = _declared(cls)
        if not _is_a(cls, "MapAttribute") or _is_a(cls, "DynamicMapAttribute"):
            return "dict[str, Any]"
        tells = cls._get_discriminator_attribute()
        if tells is None:
            self._map_class(cls, attributes)
            return str(cls.__name__)
        classes = {
            value: each
            for each in tells.get_registered_subclasses(cls)
            for value in _values(tells, each)
        }
        for each in dict.fromkeys(classes.values()):
            self._map_class(each, _declared(each))
        union = " | ".join(dict.fromkeys(each.__name__ for each in classes.values()))
        told = ", ".join(f"{literal(value)}: {each.__name__}" for value, each in classes.items())
        alias = f"Any{cls.__name__}" if cls in classes.values() else str(cls.__name__)
        if alias not in self._blocks:
            mark = Bracketed("pynamodb.Discriminator", [literal(tells.attr_name), f"{{{told}}}"])
            self._blocks[alias] = lines_of(Bracketed(f"{alias} = Annotated", [union, mark], "[]"))
        return alias

    def _map_class(self, cls: Any, attributes: dict[str, Any]) -> None:
        name = str(cls.__name__)
        if name in self._maps:
            return
        self._maps[name] = cls
        fields = [
            self._field(each, attribute, {})
            for each, attribute in attributes.items()
            if _known(attribute) != "DiscriminatorAttribute"
        ]
        self._blocks[name] = self._class(name, "@attrs.define", fields)


def _values(tells: Any, cls: Any) -> list[str]:
    """The discriminator's values of a class: the one that is written comes first."""
    every = [value for value, each in tells._discriminator_map.items() if each is cls]
    first = tells.get_discriminator(cls)
    return [] if first is None else [first, *(each for each in every if each != first)]


def _holds_bytes(attribute: Any) -> bool:
    """Whether there are bytes inside of a list or a map."""
    known = _known(attribute)
    if known == "ListAttribute" and attribute.element_type is not None:
        of = attribute.element_type
        return "Binary" in of.__name__ or (
            hasattr(of, "get_attributes") and _any_bytes(of.get_attributes())
        )
    return known == "MapAttribute" and _any_bytes(attribute.get_attributes())


def _any_bytes(attributes: dict[str, Any]) -> bool:
    return any(
        _known(each) in ("BinaryAttribute", "BinarySetAttribute") or _holds_bytes(each)
        for each in attributes.values()
    )


def _imports(homes: Mapping[str, str]) -> list[str]:
    """The lines that import names from their modules, and an empty one after each group."""
    found = []
    for home in sorted(set(homes.values())):
        names = sorted(name for name, own in homes.items() if own == home)
        flat = f"from {home} import {', '.join(names)}"
        found += (
            [flat] if len(flat) <= WIDTH else lines_of(Bracketed(f"from {home} import ", names))
        )
    return [*found, ""] if found else []


def _read_again(value: object) -> object:
    try:
        found: object = ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return None
    return found


def _variable(table: str) -> str:
    made = "".join(letter if letter.isalnum() else "_" for letter in table).strip("_").upper()
    return made if made[:1].isalpha() else f"TABLE_{made}"
