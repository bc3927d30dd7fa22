"""The fields of a class that is being declared as a model: what they may be, and the table they make.

Every refusal names the class, the field and what to do.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import ModelError
from dynattrs.expressions.paths import did_you_mean
from dynattrs.late_classes import field, frozen
from dynattrs.mapper import Mapper
from dynattrs.mapper.class_kinds import Member, rules_of
from dynattrs.mapper.codec import ANY, Codec, Refused, as_model_error, under
from dynattrs.mapper.hints import Undefined, field_type_now
from dynattrs.schema.field_rules import refused_in_key
from dynattrs.schema.model_info import (
    IN_S3,
    METADATA_KEY,
    OPAQUE,
    FieldOptions,
    ModelInfo,
    info_of,
    never,
    options_of,
    why_not_compared,
)
from dynattrs.schema.option_values import kinds_said
from dynattrs.schema.table import (
    AnyIndex,
    GlobalIndex,
    KeyType,
    LocalIndex,
    Projection,
    Table,
    partition_of,
)

if TYPE_CHECKING:
    from dynattrs.keys import computed
    from dynattrs.keys.computed import ModelKeys
    from dynattrs.mapper import pydantic_classes
    from dynattrs.mapper.stored_forms import Forms
    from dynattrs.models import vector_fields
    from dynattrs.schema import vectors
else:
    pydantic_classes = deferred("dynattrs.mapper.pydantic_classes")
    computed = deferred("dynattrs.keys.computed")
    vector_fields = deferred("dynattrs.models.vector_fields")
    vectors = deferred("dynattrs.schema.vectors")

KeyRole: TypeAlias = Literal["partition", "sort"]

_KEY_TYPES: Final[dict[str | None, KeyType]] = {"S": "S", "N": "N", "B": "B"}


class DeclaredFields:
    """The fields of a class that is being declared."""

    def __init__(
        self,
        cls: type[object],
        mapper: Mapper,
        keys: Mapping[str, KeyRole],
        *,
        mapped: bool,
        said: Mapping[str, FieldOptions] | None = None,
    ) -> None:
        self.cls = cls
        #: Whether it is a class of another library, whose fields cannot say what they are.
        self._mapped = mapped
        self._mapper = mapper
        self._defaults: dict[str, Any] = {}
        self._options: dict[str, FieldOptions] = {}
        self.names: dict[str, str] = {}
        said = said or {}
        for each in attributes_of(cls):
            options = said.get(each.name) or options_of(each.metadata)
            if each.name in keys:
                options = attrs.evolve(options, key=keys[each.name])
            self._options[each.name] = options
            self._defaults[each.name] = each.default
            self._add_name(each.name, each.stored if options.name is None else options.name)
        for name in keys:
            self._known(name, "the key")
        for name in said:
            self._known(name, "fields")

    @property
    def options(self) -> Mapping[str, FieldOptions]:
        """What is said of each field."""
        return dict(self._options)

    def _add_name(self, name: str, stored: object) -> None:
        if not isinstance(stored, str) or not stored:
            raise self.error(f"name={stored!r}: an attribute's name is text and not empty", name)
        for other, taken in self.names.items():
            if taken == stored:
                raise self.error(
                    f"it is stored as {stored!r}, and so is {self.cls.__name__}.{other}; "
                    f"give one of the two another name with field(name=...)",
                    name,
                )
        self.names[name] = stored

    def error(self, problem: str, name: str | None = None) -> ModelError:
        return ModelError(self.cls.__name__, problem, name)

    def one(self, role: str) -> str | None:
        """The one field with a role, or None; two are refused."""
        found = [
            name
            for name, options in self._options.items()
            if getattr(options, role, None) is True or options.key == role
        ]
        if len(found) > 1:
            what = {"partition": "partition_key()", "sort": "sort_key()"}.get(role, f"{role}=True")
            raise self.error(
                f"a second {what}; {self.cls.__name__}.{found[0]} has it already, and there can "
                f"be only one",
                found[1],
            )
        if found and role == "version":
            self._must_be(found[0], int, "an int", "a version")
        if found and role in ("created", "updated"):
            self._must_be(found[0], dt.datetime, "a datetime", f"{role}=True")
        return found[0] if found else None

    def _must_be(self, name: str, type_: type[object], what: str, role: str) -> None:
        codec = self._known_codec(name)
        if codec is None:
            return
        given = field_type_now(self.cls, name)
        if codec.packed == IN_S3 or self._mapper.types_of(given) != {type_}:
            raise self.error(f"{role} is {what}; this is {codec.expected}", name)

    def _codec(self, name: str) -> Codec | None:
        """The codec of a field, or None while its annotation is not defined."""
        try:
            type_ = field_type_now(self.cls, name)
            return self._mapper.member_codec(
                Member(name, name, name, type_, self._defaults[name], options=self._options[name])
            )
        except Undefined:
            return None
        except Refused as refusal:
            raise as_model_error(self.cls, under(f".{name}", refusal, self.cls)) from None

    def _known_codec(self, name: str) -> Codec | None:
        """The codec of a field, or None where it is not known yet, or known to hooks only."""
        codec = self._codec(name)
        return None if codec is None or codec.tags == ANY else codec

    def key_type(self, name: str, role: str) -> KeyType:
        """`"S"`, `"N"` or `"B"`: how a key's field is stored."""
        codec = self._known_codec(name)
        if codec is None:
            # Text, unless a Table says more. What is dumped is compared with it every time.
            return "S"
        kind = _KEY_TYPES.get(codec.tag)
        if kind is None:
            raise self.error(
                f"{role} is stored as text, a number or bytes; this is {codec.expected}", name
            )
        if codec.packed in OPAQUE:
            why = why_not_compared(codec.packed)
            raise self.error(f"{role} is not {never(codec.packed)}: {why}", name)
        return kind

    def check_key_field(self, name: str, role: str) -> None:
        options = self._options[name]
        for option in ("version", "created", "updated"):
            if getattr(options, option):
                raise self.error(
                    f"{option}=True: saving sets it, and {role} never changes; mark another field",
                    name,
                )
        codec = self._known_codec(name)
        if codec is not None and codec.optional:
            raise self.error(f"{role} is never None; remove `| None`", name)
        if refusal := refused_in_key(rules_of(self.cls).get(name)):
            raise self.error(refusal, name)

    def check_index_field(self, name: str, role: str) -> None:
        codec = self._codec(name)
        if codec is not None and codec.optional and self._defaults[name] is not None:
            raise self.error(
                f"{role} may be None only with None as its default: such an item is left out of "
                f"the index; write `= None`, or remove `| None`",
                name,
            )

    def _known(self, name: str, where: str) -> str:
        if name not in self.names:
            raise self.error(
                f"{where} names {name!r}, which is not a field{did_you_mean(name, self.names)}"
            )
        return self.names[name]

    # --- The table ---

    def new_table(self, name: str, indexes: tuple[AnyIndex, ...]) -> Table:
        """The table of a model that names it: keys from the fields, names translated."""
        partition, sort = self.one("partition"), self.one("sort")
        if partition is None:
            raise self.error(
                "no field is the partition key; write `id: str = partition_key()` for one of them"
            )
        types: dict[str, KeyType] = {}
        for field_name, role in ((partition, "a partition key"), (sort, "a sort key")):
            if field_name is not None:
                types[self.names[field_name]] = self.key_type(field_name, role)
                self.check_key_field(field_name, role)
        if indexes:
            indexes = tuple(self._translate(name, index, types) for index in indexes)
        ttl = self.one("ttl")
        try:
            return Table(
                name,
                partition_key=self.names[partition],
                sort_key=self.names[sort] if sort else None,
                indexes=indexes,
                ttl=self.names[ttl] if ttl else None,
                types={attribute: kind for attribute, kind in types.items() if kind != "S"},
            )
        except ModelError as error:
            raise self.error(error.problem) from None

    def _translate(self, table: str, index: AnyIndex, types: dict[str, KeyType]) -> AnyIndex:
        if not isinstance(index, (GlobalIndex, LocalIndex)):
            if isinstance(index, vectors.VectorIndex):
                return vector_fields.translated(self, index, types)
            raise self.error(
                f"indexes holds {index!r}; write GlobalIndex(...), LocalIndex(...) or VectorIndex(...)"
            )
        where = f"index {index.name!r}"

        def attributes(names: Sequence[str], role: str) -> tuple[str, ...]:
            stored = []
            for name in names:
                attribute = self._known(name, where)
                types[attribute] = self.key_type(name, f"the {role} key of {where}")
                self.check_index_field(name, f"the {role} key of {where}")
                stored.append(attribute)
            return tuple(stored)

        if isinstance(index, GlobalIndex) and index.write_shards is not None:
            key = index.partition_key[0]
            raise self.error(
                f"{where} has write_shards, which spread a key that is made by a template; declare "
                f"a Table({table!r}, ...) whose index has a key of its own, such as '{key}_key', "
                f"and write @model(table, {key}_key='{{{key}}}')"
            )
        projection: Projection = index.projection
        if not isinstance(projection, str):
            projection = tuple(
                self._known(name, f"{where}, its projection,") for name in projection
            )
        sort = attributes(index.sort_key, "sort")
        if isinstance(index, LocalIndex):
            return attrs.evolve(index, sort_key=sort, projection=projection)
        return attrs.evolve(
            index,
            partition_key=attributes(index.partition_key, "partition"),
            sort_key=sort,
            projection=projection,
        )

    def on_table(self, table: Table, written: Mapping[str, object]) -> Table:
        """Check the fields against a table that is declared by itself."""
        by_attribute = {stored: name for name, stored in self.names.items()}
        if table.discriminator is not None and table.discriminator in written:
            raise self.error(
                f"{table.discriminator}={written[table.discriminator]!r}: it is the discriminator of "
                f"Table({table.name!r}), which every model writes as its kind=..."
            )
        computed = {*written, *((table.discriminator,) if table.discriminator else ())}
        for attribute in computed & by_attribute.keys():
            what = "discriminator" if attribute == table.discriminator else "template"
            raise self.error(
                f"it is stored as {attribute!r}, which is the {what} of Table({table.name!r}) as "
                f"well; give the field another name with field(name=...)",
                by_attribute[attribute],
            )
        for attribute, role in zip(table.key, ("partition", "sort"), strict=False):
            name = by_attribute.get(attribute)
            if attribute in written:
                continue
            if name is None:
                raise self.error(
                    f"the {role} key of Table({table.name!r}) is {attribute!r}, and no field is "
                    f"stored under that name{did_you_mean(attribute, self.names.values())}; "
                    f"add the field, or give one field(name={attribute!r}); a key that is made of "
                    f"fields is written @model(..., {attribute}='...{{field}}')"
                )
            self.check_key_field(name, f"a {role} key")
        for role in ("partition", "sort"):
            marked = self.one(role)
            expected = dict(zip(("partition", "sort"), table.key, strict=False)).get(role)
            if marked is not None and self.names[marked] != expected:
                raise self.error(
                    f"it is marked {role}_key(), and Table({table.name!r}) has {expected!r} there",
                    marked,
                )
        for attribute in table.key_attributes:
            name = by_attribute.get(attribute)
            if name is None:
                continue
            kind, declared = self.key_type(name, "a key"), table.type_of(attribute)
            if kind != declared and self._known_codec(name) is not None:
                raise self.error(
                    f"it is stored as {kind}, and Table({table.name!r}) has the key attribute "
                    f"{attribute!r} as {declared}; write Table(..., types={{{attribute!r}: {kind!r}}})",
                    name,
                )
            if attribute not in table.key:
                self.check_index_field(name, "the key of an index")
            for index in table.secondary_indexes:
                sharded = isinstance(index, GlobalIndex) and index.write_shards is not None
                if sharded and attribute in partition_of(table, index):
                    raise self.error(
                        f"it is the partition key of index {index.name!r}, which has write_shards; "
                        f"make that key by a template: @model(..., {attribute}='{{...}}')",
                        name,
                    )
        if table.vector_indexes:
            vector_fields.check_on_table(self, table, computed)
        ttl = self.one("ttl")
        if ttl is not None and self.names[ttl] != table.ttl:
            raise self.error(
                f"it is marked ttl=True, and Table({table.name!r}) has ttl={table.ttl!r}; write "
                f"Table(..., ttl={self.names[ttl]!r})",
                ttl,
            )
        if ttl is None and table.ttl_attribute is not None:
            self._check_ttl_unsaid(table, table.ttl_attribute, computed)
        return table

    def _check_ttl_unsaid(self, table: Table, attribute: str, computed: set[str]) -> None:
        """Refuse to store anything but a time to live where the table has that: the service deletes
        items by it.
        """
        name = {stored: name for name, stored in self.names.items()}.get(attribute)
        what = f"{attribute!r}, by which DynamoDB deletes the items of Table({table.name!r})"
        if attribute in computed:
            raise self.error(
                f"a template makes {what}; store the time to live in a field(name={attribute!r}, "
                f"ttl=True), and let the key have another attribute"
            )
        if name is None or (self._mapped and self._codec_is_number(name)):
            return
        raise self.error(
            f"it is stored as {what} when that time is over; write field(ttl=True), or give the field "
            f"another name with field(name=...)",
            name,
        )

    def _codec_is_number(self, name: str) -> bool:
        codec = self._known_codec(name)
        return codec is not None and codec.tag == "N"

    def computed_keys(
        self, table: Table, written: Mapping[str, object], kind: str | Sequence[str] | None
    ) -> ModelKeys | None:
        """How the keys are made of the fields; None where they are plain fields."""
        key_only = tuple(name for name, options in self._options.items() if options.key_only)
        if not written and table.discriminator is None:
            self.refuse_key_only()
            return None
        kinds: tuple[str, ...] = ()
        if table.discriminator is not None:
            kinds = kinds_said(self.cls.__name__, self.cls.__name__ if kind is None else kind)
        for name in key_only:
            options = self._options[name]
            if options.version or options.created or options.updated or options.ttl:
                raise self.error("it is stored in keys only, and every save changes it", name)
        return computed.ModelKeys(
            self.cls, table, self._mapper, written, self.names, key_only, kinds
        )

    def refuse_key_only(self) -> None:
        for name, options in self._options.items():
            if options.key_only:
                raise self.error(
                    "it is stored in keys only (key_only=True), and the model has no key templates",
                    name,
                )


@frozen(eq=False, repr=False)
class DeclaredField:
    """A field of a class of any kind: what is known of it without its annotation.

    Attributes:
        name: The field.
        stored: What it is stored as, where nothing else is said.
        default: Its default.
        metadata: What it says of itself.
    """

    name: str
    stored: str
    default: Any = attrs.NOTHING
    metadata: Mapping[Any, object] = field(factory=dict)


def has_fields(cls: object) -> bool:
    """Whether a class is one that can be mapped: of attrs, a dataclass, a struct, or a pydantic model."""
    if not isinstance(cls, type):
        return False
    return (
        attrs.has(cls)
        or dataclasses.is_dataclass(cls)
        or hasattr(cls, "__struct_fields__")
        or _is_pydantic_model(cls)
    )


def _is_pydantic_model(cls: type[object]) -> bool:
    return "pydantic" in sys.modules and pydantic_classes.is_model(cls)


def attributes_of(cls: Any) -> list[DeclaredField]:
    """The fields of a class."""
    if hasattr(cls, "__struct_fields__"):
        names = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
        # The defaults are those of the last fields.
        given = cls.__struct_defaults__
        defaults = dict(zip(cls.__struct_fields__[len(names) - len(given) :], given, strict=True))
        return [
            DeclaredField(name, stored, defaults.get(name, attrs.NOTHING))
            for name, stored in names.items()
        ]
    if _is_pydantic_model(cls):
        return [DeclaredField(name, name, each.default) for name, each in cls.model_fields.items()]
    found: Iterable[Any] = attrs.fields(cls) if attrs.has(cls) else dataclasses.fields(cls)
    return [DeclaredField(each.name, each.name, each.default, each.metadata) for each in found]


def options_said(cls: type[object], fields: Mapping[str, Any]) -> dict[str, FieldOptions]:
    """What `map_class(..., fields={"name": field(...)})` says of fields.

    Raises:
        ModelError: It says what only the class itself can say.
    """
    found: dict[str, FieldOptions] = {}
    for name, given in fields.items():
        try:
            (said,) = attrs.fields(attrs.make_class("Said", {"said": given}))
        except (TypeError, ValueError, AttributeError):
            said = None
        if said is None or METADATA_KEY not in said.metadata:
            raise ModelError(cls.__name__, f"fields has {given!r} for it; write field(...)", name)
        options = options_of(said.metadata)
        own = options.own_converter if options.ttl else said.converter
        usual = (
            0 if options.version else None if options.created or options.updated else attrs.NOTHING
        )
        if own is not None or said.validator is not None or said.default != usual or not said.init:
            raise ModelError(
                cls.__name__,
                "a default, a converter and a validator are its class's own; fields={...} says what "
                "DynamoDB has: name, ttl, version, created, updated, unique, key_only, formerly",
                name,
            )
        found[name] = attrs.evolve(options, own_converter=None)
    return found


def forms_of(cls: type[object], table: str | Table, said: object) -> Forms | None:
    """The stored forms of a model's fields: those that are *said*, or those of the nearest model of the
    same table that it inherits from.

    Raises:
        ModelError: They are none.
    """
    above = [each.forms for each in models_above(cls) if each.table is table]
    found = above[0] if above and said is None else said
    # Where there are none, what has them is not loaded.
    if found is not None and (isinstance(found, type) or not hasattr(found, "top_level")):
        raise ModelError(
            cls.__name__, f"forms={found!r}: the forms of another library, dynattrs.pynamodb.forms"
        )
    return cast("Forms | None", found)


def models_above(cls: type[object]) -> list[ModelInfo]:
    """What is known of the models that *cls* inherits from, the nearest first."""
    return [info for base in cls.__mro__[1:] if (info := info_of(base)) is not None]
