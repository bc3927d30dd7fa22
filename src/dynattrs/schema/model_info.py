"""What is known of a model class: its table and fields, and who maps it and computes its keys.

The mapper and the computed keys are made in the rooms above; here stands what all others ask of them.

Tables and indexes are `schema.table`'s.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    get_origin,
)

from dynattrs.errors import ImpossibleKey, ModelError
from dynattrs.late_classes import define, field, frozen
from dynattrs.schema.field_rules import FieldRules
from dynattrs.schema.table import AttributeMap, AttributeValue, KeyType, StoredItem, Table

if TYPE_CHECKING:
    from dynattrs.schema.slot_styles import Unfit
    from dynattrs.schema.templates import Template

T = TypeVar("T")

#: What becomes of attributes that a class does not know.
Unknown: TypeAlias = Literal["keep", "drop", "forbid"]

#: A put as JSON, in a `msgspec.Raw`, its length, and the identity of its key.
PutRequest: TypeAlias = tuple[object, int, tuple[object, ...]]
#: Makes the put of an object to a table that is really called so, by a function that is given the table,
#: the identity of the key, the JSON, its length and the object; None, or any error, where the general way
#: has to. Where a save changes the object, it takes the fields' new values as well, by their names.
DumpAsRequest: TypeAlias = Callable[..., Any]


# --- What is asked of a model's mapper and of its computed keys ---------------------------------


#: What the service sees of a compressed value. Equal values need not have equal bytes.
COMPRESSED: Final = "compressed bytes"
#: What it sees of bytes that PynamoDB 5 stores. Equal values have equal texts.
BASE64: Final = "base64 text"
#: What it sees of an encrypted one.
ENCRYPTED: Final = "encrypted bytes"
#: What it sees of one that may be in S3.
IN_S3: Final = "objects of S3"
#: Of these it can compare nothing.
OPAQUE: Final = frozenset({COMPRESSED, ENCRYPTED, IN_S3})
NO_IDENTITY: Final = "another version of Python may compress an equal value to other bytes"


def why_not_compared(packed: str) -> str:
    """Why equal values that are packed so need not be stored as equal bytes."""
    if packed == IN_S3:
        return "the item may have no more of it than where it is"
    return NO_IDENTITY if packed == COMPRESSED else "its bytes belong to one item alone"


def never(packed: str) -> str:
    """What a value is not that is packed so: `compressed`, `encrypted`, `kept in S3`."""
    return "kept in S3" if packed == IN_S3 else packed.split(maxsplit=1)[0]


class StoredForm(Protocol):
    """How values of one type are stored. The mapper's `Codec` is one."""

    @property
    def type(self) -> Any: ...
    @property
    def tags(self) -> frozenset[str]: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def expected(self) -> str: ...
    @property
    def optional(self) -> bool: ...
    @property
    def is_set(self) -> bool: ...
    @property
    def element(self) -> StoredForm | None: ...
    @property
    def key(self) -> StoredForm | None: ...
    @property
    def fields(self) -> Mapping[str, StoredForm] | None: ...
    @property
    def names(self) -> Mapping[str, str] | None: ...
    @property
    def sparse(self) -> frozenset[str]: ...
    @property
    def required(self) -> frozenset[str]: ...
    @property
    def rules(self) -> Mapping[str, FieldRules]: ...
    @property
    def compared(self) -> StoredForm: ...
    @property
    def packed(self) -> str: ...
    @property
    def form(self) -> str: ...
    @property
    def length(self) -> int | None: ...
    def inside(self, step: str | int) -> StoredForm | None: ...
    def reads(self, other: StoredForm) -> bool: ...
    @property
    def dump(self) -> Callable[[Any], AttributeValue]: ...
    @property
    def load(self) -> Callable[[AttributeValue], Any]: ...


class ItemReader(Protocol):
    """How items of one class are read straight from bytes. The mapper's `RowReader` is one."""

    #: What decodes whole replies, by the kind of reply; made and kept by who needs it.
    decoders: dict[str, Any]
    #: For a projection: what the items call the attributes of the class, by their stored names.
    attributes: Mapping[str, str] | None

    @property
    def current(self) -> tuple[Any, Callable[[Any], Any]]: ...
    @property
    def learns(self) -> bool: ...
    def learn(self, names: Iterable[str]) -> bool: ...


class ModelMapper(Protocol):
    """What the library asks of the mapper that a model was declared with."""

    def codec(self, type_: object) -> StoredForm: ...
    def model_codec(self, model: object) -> StoredForm: ...
    def check(self, info: ModelInfo) -> None: ...
    def dump(self, obj: object) -> AttributeMap: ...
    def dump_with_size(self, obj: object) -> tuple[AttributeMap, int]: ...
    def dump_as_request(self, obj: object, table: str, make: Callable[..., Any]) -> Any: ...
    def load(self, item: Mapping[str, AttributeValue], model: type[T]) -> T: ...
    def from_json(self, text: str | bytes, model: type[T]) -> T: ...
    def current(self, info: ModelInfo, item: Mapping[str, AttributeValue]) -> AttributeMap: ...
    @property
    def request_dumps(self) -> Mapping[type[object], DumpAsRequest]: ...
    @property
    def readers(self) -> Mapping[Any, ItemReader | None]: ...
    def rows(self, model: object) -> ItemReader | None: ...
    def projected_rows(
        self,
        model: type[object],
        cls: type[object],
        attributes: Mapping[str, str],
        load: Callable[..., object],
    ) -> ItemReader | None: ...


#: A part of a primary key that is one field: the attribute, its type, how long or large a value may be.
SimplePart: TypeAlias = tuple[str, KeyType, int]


@frozen(eq=False, repr=False)
class KeyField:
    """A field that is part of the primary key.

    Attributes:
        name: The field, with dots where it is nested.
        steps: Where its stored value is in the item.
        codec: How it is stored.
        rules: What its class says of its values; None where that is nothing.
    """

    name: str
    steps: tuple[str, ...]
    codec: StoredForm
    rules: FieldRules | None = None


def rules_at(form: StoredForm, name: str) -> FieldRules | None:
    """What is said of the values of a field, *name* with dots where it is nested."""
    *outer, last = name.split(".")
    for each in outer:
        form = (form.fields or {})[each]
    return form.rules.get(last)


class ComputedKeys(Protocol):
    """What the library asks of a model's key templates."""

    #: Whether all of its keys were found to differ from those of the table's other models.
    apart: bool

    @property
    def table(self) -> Table: ...
    @property
    def written(self) -> Mapping[str, Any]: ...
    @property
    def names(self) -> Mapping[str, str]: ...
    @property
    def key_only(self) -> tuple[str, ...]: ...
    @property
    def kinds(self) -> tuple[str, ...]: ...
    @property
    def attributes(self) -> tuple[str, ...]: ...
    @property
    def templates(self) -> Mapping[str, Template]: ...
    @property
    def primary_fields(self) -> tuple[KeyField, ...]: ...
    @property
    def patterns(self) -> tuple[tuple[str, re.Pattern[str] | AttributeValue | None], ...]: ...
    def most(self, attribute: str) -> int: ...
    def shards(self, attribute: str) -> int | None: ...
    def shard(self, key: AttributeMap, shards: int) -> int: ...
    def complete(self, item: AttributeMap) -> None: ...
    def complete_with_size(self, item: AttributeMap) -> int: ...
    def refresh(self, item: AttributeMap, changed: set[str]) -> None: ...
    def value(self, template: Template, item: AttributeMap) -> AttributeValue | None: ...
    def primary_of(self, item: AttributeMap) -> AttributeMap: ...
    def restore(self, item: Mapping[str, AttributeValue]) -> AttributeMap: ...
    def read_key(
        self, item: Mapping[str, AttributeValue]
    ) -> dict[tuple[str, ...], AttributeValue]: ...
    def matches(self, item: StoredItem) -> bool: ...
    def following(self, steps: tuple[str | int, ...]) -> list[tuple[Template, str]]: ...
    def impossible(self, template: Template, unfit: Unfit) -> ImpossibleKey: ...


# --- What a declaration says --------------------------------------------------------------------


@frozen
class FieldOptions:
    """What `field(...)`, `partition_key(...)` and `sort_key(...)` add to an attrs field."""

    name: str | None = None
    key: Literal["partition", "sort"] | None = None
    ttl: bool = False
    version: bool = False
    created: bool = False
    updated: bool = False
    key_only: bool = False
    unique: bool = False
    formerly: tuple[str, ...] = ()
    #: The converter of a time to live as the caller gave it, without the rounding.
    own_converter: Any = None


#: Where `FieldOptions` live in the metadata of an attrs field.
METADATA_KEY: Final = "dynattrs"

NO_OPTIONS: Final = FieldOptions()


def options_of(metadata: Mapping[Any, object]) -> FieldOptions:
    return cast("FieldOptions", metadata.get(METADATA_KEY, NO_OPTIONS))


#: An attribute, its type, a length that is surely allowed, and whether it may be absent.
KeyRule: TypeAlias = "tuple[str, KeyType, int, bool]"


@frozen(eq=False, repr=False)
class Kinds:
    """What tells the items of a model, and of its subclasses, from others in a table.

    Attributes:
        attribute: The discriminator; None where the table has none.
        own: Its values in such items.
        theirs: Of a model whose keys are plain fields, the names and templates of the other models: a
            key that one of these makes is that model's.
        guarded: Whether another model of the table may have an item under one of the model's keys.
        declared: How many declarations the table had when this was found out.
        otherwise: By their kinds, the subclasses whose items are stored or written otherwise.
    """

    attribute: str | None
    own: tuple[str, ...]
    theirs: tuple[tuple[str, ComputedKeys], ...]
    guarded: bool
    declared: int
    otherwise: Mapping[str, ModelInfo] = field(factory=dict)

    def other(self, item: StoredItem) -> str | None:
        """What an item is that is of another model; None for the model's own, and for old items that
        say nothing and have a key of the model.
        """
        value = {} if self.attribute is None else item.get(self.attribute, {})
        if not value:
            return self.owner_of(item)
        kind = value.get("S")
        if kind is None:
            return repr(next(iter(value.values())))
        return None if kind in self.own else str(kind)

    def owner_of(self, key: StoredItem) -> str | None:
        """The other model whose templates make a key; None where none does."""
        for name, keys in self.theirs:
            with suppress(NameError):  # a forward reference
                if keys.matches(key):
                    return name
        return None


@define(eq=False, repr=False)
class ModelInfo:
    """What dynattrs knows of one model class. One for each decorated or mapped class."""

    cls: type[object]
    table: Table
    unknown: Unknown
    mapper: ModelMapper
    #: Attribute names by field name.
    names: dict[str, str]
    #: Whether instances have a place for attributes that the class does not know.
    carries: bool
    #: What is said of its fields, by the fields themselves or where the class is mapped.
    options: Mapping[str, FieldOptions] = field(factory=dict)
    version: str | None = None
    created: str | None = None
    updated: str | None = None
    #: Functions that get each object before it is saved, and after it was read.
    before_save: tuple[Callable[[Any], Any], ...] = ()
    after_load: tuple[Callable[[Any], Any], ...] = ()
    #: Those of them that its own declaration names; the others are its bases'.
    own_before_save: tuple[Callable[[Any], Any], ...] = ()
    own_after_load: tuple[Callable[[Any], Any], ...] = ()
    #: Groups of fields that no two items have alike, and the model that declared each.
    unique: Mapping[tuple[str, ...], str] = field(factory=dict)
    #: Models with such fields whose items are this model's too: itself, and subclasses in its table.
    guarding: list[ModelInfo] = field(factory=list)
    #: From each schema version of its items to the next.
    upgrades: tuple[Callable[[dict[str, Any]], Any], ...] = ()
    #: The stored forms of another library that its fields have (see `dynattrs.mapper.stored_forms`).
    forms: object | None = None
    #: Whether its upgrades were declared, be it that there are none yet.
    versioned: bool = False
    #: The attribute that holds an item's schema version, from the second on.
    schema_attribute: str = "schema_version"
    #: Today's names of attributes by those that they had before.
    formerly: dict[str, str] = field(factory=dict)
    #: The module that called `map_class`, which other processes import; "" where the class was decorated.
    mapped_in: str = field(default="", init=False)
    #: How key attributes are checked quickly (see `dynattrs.mapper.key_rules`), made at first use.
    key_rules: tuple[KeyRule, ...] | None = field(default=None, init=False, repr=False)
    #: The stored form of the model, and how its primary key is made quickly (see `operations.item_keys`).
    simple_key: tuple[StoredForm, tuple[SimplePart, ...]] | None = field(
        default=None, init=False, repr=False
    )
    #: What the library asks of its items by itself, conditions and what they are made of, each made once
    #: (see `operations.conditions` and `operations.writing.unique_items`).
    asked: dict[str, Any] = field(factory=dict, init=False, repr=False)
    #: Whether its objects refuse assignments (see `operations.context`), found out at first use.
    frozen: bool | None = field(default=None, init=False, repr=False)
    #: How its keys are made of its fields, where it has key templates.
    keys: ComputedKeys | None = None
    #: What tells its items from others (see `dynattrs.keys.kinds`), made at first use.
    kinds: Kinds | None = field(default=None, init=False, repr=False)
    #: Subclasses whose keys are made otherwise (see `dynattrs.keys.subclass_keys`), with how many models
    #: were declared on the table when they were found.
    keyed_apart: tuple[int, tuple[ModelInfo, ...]] = field(default=(0, ()), init=False, repr=False)
    #: Plans of queries that were made before (see `dynattrs.keys.known_plans`).
    plans: dict[Hashable, Any] = field(factory=dict, init=False, repr=False)

    @property
    def name(self) -> str:
        return self.cls.__name__

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The fields of the primary key, partition first; nested ones with dots."""
        if self.keys is not None:
            return tuple(part.name for part in self.keys.primary_fields)
        by_attribute = {stored: name for name, stored in self.names.items()}
        return tuple(by_attribute[attribute] for attribute in self.table.key)

    @property
    def index_keys(self) -> tuple[str, ...]:
        """The key attributes of indexes that are made of its fields."""
        if self.keys is None:
            return ()
        return tuple(name for name in self.keys.written if name not in self.table.key)

    @property
    def schema_version(self) -> int:
        """The schema version that the model writes."""
        return len(self.upgrades) + 1

    @property
    def evolves(self) -> bool:
        """Whether there may be items that are stored otherwise than the model would today."""
        return bool(self.upgrades or self.formerly)

    @property
    def has_schema(self) -> bool:
        """Whether an item is asked for its schema: it may be older than the model, or newer."""
        return bool(self.versioned or self.formerly)

    @property
    def history(self) -> tuple[object, ...]:
        """What makes its old items today's: models with an equal one have equal rules for that."""
        return self.upgrades, self.versioned and self.schema_attribute, self.formerly

    @property
    def moves(self) -> bool:
        """Whether a save changes the object: a version or a timestamp."""
        return bool(self.version or self.created or self.updated)


#: The attribute that marks the guard of a unique value, an item that is of no model. The guard's
#: partition key begins with it, too, and a space.
GUARD_ATTRIBUTE: Final = "dynattrs.unique"
#: The declared names of tables in which there may be guards.
guarded_tables: set[str] = set()

INFO_ATTRIBUTE: Final = "__dynattrs__"
UNKNOWN_ATTRIBUTE: Final = "__dynattrs_unknown__"

_mapped: weakref.WeakKeyDictionary[type[object], ModelInfo] = weakref.WeakKeyDictionary()


def register(info: ModelInfo) -> None:
    """Remember what is known of a class that was not decorated (`map_class`)."""
    # On the class itself, so that it is not kept alive for being known; unless it takes no attributes.
    try:
        type.__setattr__(info.cls, INFO_ATTRIBUTE, info)
    except TypeError:
        _mapped[info.cls] = info


def info_of(cls: object) -> ModelInfo | None:
    """What is known of exactly this class; None if it was neither decorated nor mapped."""
    if not isinstance(cls, type):
        return None
    found = cls.__dict__.get(INFO_ATTRIBUTE)
    return found if found is not None else _mapped.get(cls)


def model_info(cls: object) -> ModelInfo:
    """What is known of a model class.

    Raises:
        ModelError: *cls* is not a model. A subclass of a model is not one unless it is decorated.
    """
    info = info_of(cls)
    if info is not None:
        return info
    cls = get_origin(cls) or cls
    info = info_of(cls)
    if info is not None:
        return info
    if not isinstance(cls, type):
        raise ModelError(repr(cls), "this is not a model class; pass a class with @model")
    for base in cls.__mro__[1:]:
        if info_of(base) is not None:
            raise ModelError(
                cls.__name__,
                f"it is a subclass of the model {base.__name__} and not decorated itself, so its "
                f"own fields would be lost; decorate it with @model(...)",
            )
    raise ModelError(
        cls.__name__, "it is not a model; decorate it with @model(...) or use map_class"
    )


def models_in(table: Table) -> list[ModelInfo]:
    """What is known of a table's models, in the order of their declarations."""
    return [info for cls in table.members if (info := info_of(cls)) is not None]
