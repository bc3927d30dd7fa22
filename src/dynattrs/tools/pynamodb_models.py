"""PynamoDB's models as Python source of dynattrs' ones, which store their items alike.

What is asked of PynamoDB's classes is their public names, and the package itself is not imported: a module
with models has done that.
"""

from __future__ import annotations

import ast
import datetime as dt
import enum
import inspect
import math
import re
import sys
import textwrap
import typing
from collections.abc import Collection, Iterator, Mapping
from types import ModuleType
from typing import Any, Final

import attrs

from dynattrs.errors import DynattrsError
from dynattrs.tools.generation.python_source import WIDTH, Bracketed, Code, lines_of, literal
from dynattrs.tools.pynamodb_names import HOMES, OURS, WORDS, Names, imports, unhidden, variable_of

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
_TEXTS: Final = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
#: The names in a function that gives the time at hand.
_NOW: Final = frozenset(("UTC", "datetime", "dt", "now", "timezone", "utc", "utcnow"))
_NUMBERS: Final = (
    "Numbers are float, and whole ones beyond 2**53 lose digits: write int, or Decimal, where all that",
    "are stored are so. Those of keys are int.",
)
#: What a class has that stores values in a form of its own, or gives others than it stores.
_FORM: Final = frozenset(("__get__", "__set__", "deserialize", "get_value", "serialize"))


def translated(module: ModuleType) -> str:
    """The source of dynattrs models for the PynamoDB models of a module.

    Raises:
        DynattrsError: The module has none.
    """
    models = [each for each in _classes(module) if _is_a(each, "Model") and _table(each)]
    if not models:
        raise DynattrsError(f"{module.__name__} defines no models of PynamoDB")
    source = _Translation(module, models).source()
    try:
        # What is wrong with it is better said here than found out.
        exec(compile(source, "<draft>", "exec", dont_inherit=True), {"__name__": "draft"})  # noqa: S102
    except Exception as error:
        said = f"TODO: this draft cannot be imported yet: {type(error).__name__}: {error}"
        lines = textwrap.wrap(said, WIDTH, initial_indent="# ", subsequent_indent="# ")
        source += "\n".join(["", "", *lines, ""])
    return source


def _table(cls: Any) -> str | None:
    """The table of a model; None for a base of others, which has none."""
    name = getattr(getattr(cls, "Meta", None), "table_name", None)
    return None if name is None else str(name)


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
        if _FORM & vars(base).keys():
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
    stored: str = ""

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
        self._names = Names()
        for each in models:
            self._names.of_class(each)
        #: The sources of classes inside, and of tables, by their names.
        self._blocks: dict[str, list[str]] = {}
        self._maps: set[Any] = set()

    def source(self) -> str:
        blocks = [lines for model in self._models for lines in self._model(model)]
        body = [line for block in (*self._blocks.values(), *blocks) for line in ("", "", *block)]
        words = set(WORDS.findall("\n".join(each.partition("#")[0] for each in body)))
        notes = _NUMBERS if "float" in words else []
        lines = [
            f'"""The models of {self._module.__name__}, with the forms in which PynamoDB stores them.',
            *(["", *notes] if notes else []),
            '"""',
            "",
            *imports({name: home for name, home in HOMES.items() if name in words}),
            *(["import attrs", ""] if "attrs" in words else []),
            *imports(dict.fromkeys(sorted(OURS & words), "dynattrs")),
            *imports(
                {
                    name if name == own else f"{name} as {own}": home
                    for own, (home, name) in self._names.imported.items()
                }
            ),
        ]
        while lines[-1] == "":
            lines.pop()
        return "\n".join([*lines, *body, ""])

    # --- Models ---

    def _model(self, cls: Any) -> Iterator[list[str]]:
        attributes = _declared(cls)
        tells = cls._get_discriminator_attribute()
        table = _table(cls) or ""
        if tells is not None:
            yield from self._polymorphic(cls, table, tells, _values(tells, cls), attributes)
            return
        keys = _index_keys(cls)
        fields = [
            *(self._field(name, each, attributes, keys) for name, each in attributes.items()),
            *self._of_indexes(cls, attributes),
        ]
        _without_hiding(fields)
        indexes = self._indexes(cls, {each.stored: each.name for each in fields})
        arguments: list[Code] = [literal(table), f"forms={self._forms(attributes)}"]
        if indexes:
            arguments.append(Bracketed("indexes=", indexes, "[]"))
        yield self._class(self._names.of_class(cls), Bracketed("@model", arguments), fields)

    def _polymorphic(
        self, cls: Any, table: str, tells: Any, kinds: list[str], attributes: dict[str, Any]
    ) -> Iterator[list[str]]:
        """A model of a table with several, told apart by an attribute."""
        variable = self._names.of(("table", table), variable_of(table))
        keys = {
            role: next((a.attr_name for a in attributes.values() if getattr(a, flag)), None)
            for role, flag in (("partition_key", "is_hash_key"), ("sort_key", "is_range_key"))
        }
        if variable not in self._blocks:
            arguments: list[Code] = [literal(table)]
            arguments += [f"{role}={literal(name)}" for role, name in keys.items() if name]
            arguments.append(f"discriminator={literal(tells.attr_name)}")
            indexes = self._indexes(cls, {})
            for other in self._models:
                if issubclass(other, cls) and other is not cls:
                    more = self._indexes(other, {})
                    indexes += [each for each in more if str(each) not in map(str, indexes)]
            if indexes:
                arguments.append(Bracketed("indexes=", indexes, "[]"))
            self._blocks[variable] = lines_of(Bracketed(f"{variable} = Table", arguments))
        fields = [
            self._field(name, each, attributes, _index_keys(cls), plain=True)
            for name, each in attributes.items()
            if _known(each) != "DiscriminatorAttribute" and name in self._own_names(cls)
        ]
        if not any(each in self._models for each in cls.__bases__):
            fields += self._of_indexes(cls, attributes)
        _without_hiding(fields)
        bases = ", ".join(
            self._names.of_class(each) for each in cls.__bases__ if each in self._models
        )
        name = f"{self._names.of_class(cls)}{f'({bases})' if bases else ''}"
        if not kinds:
            yield self._class(name, "@attrs.define(kw_only=True)", fields)
            return
        kind = literal(kinds[0]) if len(kinds) == 1 else f"({', '.join(map(literal, kinds))})"
        decorator = Bracketed(
            "@model",
            [variable, f"forms={self._forms(attributes)}", f"kind={kind}", "kw_only=True"],
        )
        yield self._class(name, decorator, fields)

    def _own_names(self, cls: Any) -> set[str]:
        """The attributes that no model above has."""
        above = {name for base in cls.__bases__ if base in self._models for name in _declared(base)}
        return set(_declared(cls)) - above

    def _forms(self, attributes: dict[str, Any]) -> str:
        # Those of version 5 refuse bytes inside, with the reason.
        inside = _is_version_6() and any(map(_holds_bytes, attributes.values()))
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

    def _of_indexes(self, cls: Any, attributes: dict[str, Any]) -> Iterator[_Field]:
        """The fields for keys of indexes that the model itself does not declare."""
        declared = {each.attr_name for each in attributes.values()}
        for index in cls._indexes.values():
            for name, each in index.Meta.attributes.items():
                if each.attr_name in declared:
                    continue
                declared.add(each.attr_name)
                found = self._field(name, each, {}, plain=True)
                if "None" not in found.annotation:
                    found.annotation += " | None"
                    found.options.append("default=None")
                found.notes.append("TODO: it was declared in the index alone")
                yield found

    def _indexes(self, cls: Any, names: Mapping[str, str]) -> list[Code]:
        """The indexes of a model, whose fields have *names* by their stored ones."""
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
        self,
        name: str,
        attribute: Any,
        siblings: dict[str, Any],
        keys: Collection[str] = (),
        *,
        plain: bool = False,
    ) -> _Field:
        known = _known(attribute)
        found = _Field(name, "", stored=attribute.attr_name)
        found.annotation = self._annotation(attribute, found.notes)
        if _is_key(attribute) and known == "NumberAttribute":
            found.annotation = "int"
        if (
            _is_version_6()
            and any(map(_holds_bytes, siblings.values()))
            and found.annotation
            in (
                "bytes",
                "set[bytes]",
            )
        ):
            found.annotation = f"Annotated[{found.annotation}, pynamodb.LegacyBinary]"
        if known in ("TTLAttribute", "VersionAttribute"):
            found.options.append("ttl=True" if known == "TTLAttribute" else "version=True")
        if attribute.is_hash_key and not plain:
            found.specifier = "partition_key"
        elif attribute.is_range_key and not plain:
            found.specifier = "sort_key"
        self._default(found, attribute, known, keys)
        return found

    def _default(self, found: _Field, attribute: Any, known: str, keys: Collection[str]) -> None:
        default = attribute.default
        is_set = found.annotation.removeprefix("Annotated[").startswith("set[")
        if attribute.default_for_new is not None:
            found.notes.append("TODO: it had a default for new items, and None in old ones")
        if is_set:
            found.options.append("factory=set")
            value = default() if callable(default) else default
            if value:
                found.notes.append(
                    f"TODO: its default was {value!r}: fill it where objects are made"
                )
            return
        if known == "VersionAttribute":
            return
        if default is not None and attribute.attr_name in keys and attribute.null:
            found.notes.append("TODO: it could be None, which a key of an index cannot be")
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
                # A container of each object's own.
                shared = isinstance(default, (dict, list, set))
                found.options.append(
                    f"factory=lambda: {written}" if shared else f"default={written}"
                )
            return
        made = self._factory(found, default)
        if made is not None:
            found.options.append(f"factory={made}")
        elif found.annotation.endswith("None"):
            found.options.append("default=None")

    def _factory(self, found: _Field, default: Any) -> str | None:
        if default in (dict, list, set):
            return str(default.__name__)
        name = getattr(default, "__qualname__", "<lambda>")
        if "<" not in name and "." not in name and getattr(default, "__module__", None):
            return self._names.from_elsewhere(default)
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
            return None
        return f"lambda: {written}"

    def _literal(self, value: Any) -> str | None:
        if isinstance(value, str):
            return literal(value)
        if isinstance(value, enum.Enum):
            return f"{self._names.from_elsewhere(type(value))}.{value.name}"
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        if isinstance(value, (dict, list, tuple, set)):
            return repr(value) if value == _read_again(value) else None
        return repr(value) if isinstance(value, (bool, int, float, bytes, type(None))) else None

    def _annotation(self, attribute: Any, notes: list[str]) -> str:
        known = _known(attribute)
        if known in _OWN or known in _MORE:
            return {**_OWN, **_MORE}[known]
        if known in ("BinaryAttribute", "BinarySetAttribute"):
            plain = "bytes" if known == "BinaryAttribute" else "set[bytes]"
            legacy = getattr(attribute, "legacy_encoding", True)
            return plain if legacy else f"Annotated[{plain}, pynamodb.Binary]"
        if known == "ListAttribute":
            of = attribute.element_type
            return "list[Any]" if of is None else f"list[{self._element(of, notes)}]"
        if known in ("MapAttribute", "DynamicMapAttribute"):
            return self._map(type(attribute), notes)
        made = self._more(attribute, known)
        if not made:
            notes.append(
                f"TODO: {type(attribute).__name__} stores {attribute.attr_type} in a form of its own"
            )
        return made or _BY_TAG.get(attribute.attr_type, "Any")

    def _element(self, cls: Any, notes: list[str]) -> str:
        try:
            made = cls() if "Binary" not in cls.__name__ else cls(legacy_encoding=False)
        except TypeError:  # PynamoDB 5 has no such argument
            made = cls()
        if _known(made) == "BinaryAttribute":
            return "bytes"
        if _known(made) == "BinarySetAttribute":
            return "set[bytes]"
        return self._annotation(made, notes)

    def _more(self, attribute: Any, known: str) -> str:
        """The annotation of an attribute of pynamodb-attributes that has arguments."""
        if known in ("UnicodeEnumAttribute", "IntegerEnumAttribute"):
            cls = self._names.from_elsewhere(attribute.enum_type)
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
            inner = self._names.from_elsewhere(cls) if named else "tuple[str, ...]"
            delimiter = attribute.delimiter
            said_ = "" if delimiter == "::" else literal(delimiter)
            return f"Annotated[{inner}, pynamodb.DelimitedTuple({said_})]"
        return ""

    # --- Maps ---

    def _map(self, cls: Any, notes: list[str]) -> str:
        attributes = _declared(cls)
        if not _is_a(cls, "MapAttribute") or _is_a(cls, "DynamicMapAttribute"):
            if attributes:
                notes.append(
                    f"TODO: {cls.__name__} declares {', '.join(attributes)}, and takes other keys: a "
                    f"TypedDict does so, too"
                )
            return "dict[str, Any]"
        tells = cls._get_discriminator_attribute()
        if tells is None:
            return self._map_class(cls, attributes)
        classes = {
            value: each
            for each in tells.get_registered_subclasses(cls)
            for value in _values(tells, each)
        }
        names = {each: self._map_class(each, _declared(each)) for each in classes.values()}
        union = " | ".join(names.values())
        told = ", ".join(f"{literal(value)}: {names[each]}" for value, each in classes.items())
        own = [f"Any{cls.__name__}"] if cls in names else [cls.__name__, f"Any{cls.__name__}"]
        alias = self._names.of(("union", cls), *own)
        if alias not in self._blocks:
            mark = Bracketed("pynamodb.Discriminator", [literal(tells.attr_name), f"{{{told}}}"])
            self._blocks[alias] = lines_of(Bracketed(f"{alias} = Annotated", [union, mark], "[]"))
        return alias

    def _map_class(self, cls: Any, attributes: dict[str, Any]) -> str:
        name = self._names.of_class(cls)
        if cls not in self._maps:
            self._maps.add(cls)
            fields = [
                self._field(each, attribute, {})
                for each, attribute in attributes.items()
                if _known(attribute) != "DiscriminatorAttribute"
            ]
            _without_hiding(fields)
            self._blocks[name] = self._class(name, "@attrs.define", fields)
        return name


def _without_hiding(fields: list[_Field]) -> None:
    """Give fields other names that would hide what their class uses."""
    words = {
        word
        for each in fields
        for text in (each.annotation, *map(str, each.options))
        for word in WORDS.findall(_TEXTS.sub("", text))
    }
    names = unhidden([each.name for each in fields], words)
    for each in fields:
        each.name = names[each.name]
        if each.name != each.stored:
            each.options.insert(0, f"name={literal(each.stored)}")


def _index_keys(cls: Any) -> set[str]:
    """The stored names of the keys of a model's indexes."""
    found = (each for index in cls._indexes.values() for each in index.Meta.attributes.values())
    return {each.attr_name for each in found if _is_key(each)}


def _is_key(attribute: Any) -> bool:
    return bool(attribute.is_hash_key or attribute.is_range_key)


def _is_version_6() -> bool:
    """Whether the models are of PynamoDB 6. Each has loaded it."""
    return not str(getattr(sys.modules.get("pynamodb"), "__version__", "6")).startswith("5.")


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


def _read_again(value: object) -> object:
    try:
        found: object = ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return None
    return found
