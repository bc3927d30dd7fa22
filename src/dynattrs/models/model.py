"""`@model`: declares an attrs class with its table.

An invalid declaration is refused here, when the class is decorated; the error names the model, the field and
what to do.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

import attrs

from dynattrs.errors import DynattrsError, ModelError
from dynattrs.expressions.paths import Path, PathData, did_you_mean
from dynattrs.keys.discriminator import check_apart
from dynattrs.late_classes import frozen
from dynattrs.mapper import Mapper, default
from dynattrs.mapper.carried import NOTHING_CARRIED, carried_by, carry, only_by_carry
from dynattrs.mapper.class_kinds import check_defaults
from dynattrs.mapper.codec import Refused, as_model_error
from dynattrs.mapper.hints import Undefined, remember_scope, resolving_in
from dynattrs.models.class_access import (
    PATHS_ATTRIBUTE,
    give_paths,
    point_cells_to,
    with_paths_meta,
)
from dynattrs.models.class_checks import check_plain, order_refused, refuse_fields_as_options
from dynattrs.models.fields import (
    DeclaredFields,
    KeyRole,
    forms_of,
    has_fields,
    models_above,
    options_said,
)
from dynattrs.models.hooks import functions
from dynattrs.models.schema_changes import check_former_names, declare_changes
from dynattrs.models.specifiers import field, partition_key, sort_key
from dynattrs.models.unique import declare_unique
from dynattrs.schema.model_info import (
    INFO_ATTRIBUTE,
    UNKNOWN_ATTRIBUTE,
    ComputedKeys,
    FieldOptions,
    ModelInfo,
    StoredForm,
    Unknown,
    info_of,
    model_info,
    register,
)
from dynattrs.schema.option_values import check_mapping
from dynattrs.schema.table import UNSAID, AnyIndex, Table, declared_indexes
from dynattrs.tracebacks import hidden, shown_of

if TYPE_CHECKING:
    from decimal import Decimal

    from dynattrs.expressions.operand_types import Instance as _Instance
    from dynattrs.keys.computed import ModelKeys
    from dynattrs.mapper.stored_forms import Forms

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:  # attrs and cattrs bring it
    from typing_extensions import dataclass_transform

__tracebackhide__ = hidden

T = TypeVar("T")
C = TypeVar("C", bound=type)


#: A model's instance, to checkers: `session.save("text")` is an error to them.
M = TypeVar("M", bound="_Instance")
#: The same, for signatures that speak of it once.
Instance: TypeAlias = "_Instance"


# --- Declarations -------------------------------------------------------------------------------


@dataclass_transform(field_specifiers=(attrs.field, field, partition_key, sort_key))
def model(
    table: str | Table,
    /,
    *,
    indexes: Iterable[AnyIndex] = UNSAID,
    unknown: Unknown = "keep",
    mapper: Mapper | None = None,
    before_save: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
    after_load: Callable[[Any], object] | Sequence[Callable[[Any], object]] = (),
    keys: Mapping[str, KeyTemplate] | None = None,
    kind: str | Sequence[str] | None = None,
    unique: Iterable[str | tuple[str, ...]] = (),
    upgrades: Upgrades | None = None,
    schema_attribute: str | None = None,
    forms: Forms | None = None,
    **options: object,
) -> Callable[[C], C]:
    """Make an attrs class whose instances are items of a table.

    Use it instead of `@attrs.define`, or above it.

    Args:
        table: The table's name, or a `Table`. With a name, `partition_key()` and `sort_key()` mark
            the key's fields; with a `Table`, they are the fields stored under its key's names.
        indexes: All indexes of the table, by field names; `[]` for none. With a `Table`, declare them there.
        unknown: What to do with stored attributes that the class does not know: `"keep"` carries them on the
            instance and writes them back, `"drop"` ignores them, `"forbid"` raises an error.
        mapper: A mapper to use instead of the default one.
        before_save: Called with each object before it is encoded and saved: by `save`, `insert`, `save_all`,
            in transactions, and by an `edit` that has changed something. It changes the object in place; for
            a frozen class it returns the object to save. One function or several; those of a parent model
            run first.
        after_load: Called with each object that is read, when it is complete. It may change the object, or
            return another one of the same class.
        unique: Fields, or groups of fields, whose values are unique in the table:
            `unique=[("tenant", "email")]`. For a single field, use `field(unique=True)`.
        keys: Key templates by key attribute, for attributes whose names are not Python names.
        kind: The value of the `Table`'s discriminator; by default, the class's name. With several,
            `("blind", "cred")`, all are read and the first is written.
        upgrades: Functions from each schema version of the items to the next. Each gets an item as a dict of
            plain values by stored name, and changes it or returns a new one. The first function makes
            version 2 out of items stored without upgrades. The default is the upgrades of the parent model
            in the same table. `[]` is for a first release: it refuses items that a later release has stored.
        schema_attribute: The attribute for the schema version, for a model with `upgrades=`; by default
            `"schema_version"`.
        forms: The stored forms of another library for all fields: `dynattrs.pynamodb.forms`. The default is
            the forms of the parent model in the same table.
        options: Key templates by key attribute of the `Table`, `pk="USER#{user_id}"`; all others
            are `attrs.define`'s: `frozen`, `kw_only`, `slots`, …

    Raises:
        ModelError: The declaration is invalid.

    Example:
        >>> from dynattrs import GlobalIndex
        >>> @model("music", indexes=[GlobalIndex("by-genre", partition_key="genre")])
        ... class Song:
        ...     artist: str = partition_key()
        ...     title: str = sort_key()
        ...     genre: str = "unknown"
        >>> Song.genre == "jazz"
        Song.genre == 'jazz'
        >>> Song("Nina Simone", "Sinnerman").genre
        'unknown'
    """
    if not isinstance(table, (str, Table)):
        raise ModelError(
            "@model",
            f"its first argument is a table's name or a Table, not {table!r}; "
            f'write @model("table-name")',
        )
    scope = _callers_locals()

    def decorate(cls: C) -> C:
        declaration = _Declaration(
            table, declared_indexes(indexes), unknown, mapper or default, _key_templates(keys), kind,
            before_save, after_load, unique, upgrades, schema_attribute, forms,
        )  # fmt: skip
        try:
            made: C = _declare(cls, declaration, dict(options), scope)
        except DynattrsError as error:
            raise error.with_traceback(shown_of(error))  # noqa: B904
        return made

    return decorate


#: From each schema version of a model's items to the next.
Upgrades: TypeAlias = "Sequence[Callable[[dict[str, Any]], dict[str, Any] | None]]"

#: A key template: text with slots, or the constant of a key attribute of numbers or bytes.
KeyTemplate: TypeAlias = "str | int | Decimal | bytes"


def _key_templates(given: Any) -> dict[str, KeyTemplate]:
    if given is None:
        return {}
    check_mapping("@model", "keys", given)
    return dict(given)


def _callers_locals() -> dict[str, Any] | None:
    """The local names where `model` or `map_class` is called, which annotations may use."""
    frame = sys._getframe(2)
    return dict(frame.f_locals) if frame.f_locals is not frame.f_globals else None


@frozen(eq=False, repr=False)
class _Declaration:
    """What `model` or `map_class` says besides the class."""

    table: str | Table
    indexes: tuple[AnyIndex, ...]
    unknown: Unknown
    mapper: Mapper
    keys: dict[str, KeyTemplate]
    kind: str | Sequence[str] | None
    before_save: object
    after_load: object
    unique: Iterable[Any]
    upgrades: object
    schema_attribute: str | None
    forms: Forms | None
    #: Whether the class is another library's, and what is said of its fields then.
    mapped: bool = False
    fields: Mapping[str, FieldOptions] = attrs.Factory(dict)


def _declare(
    cls: type[object],
    declaration: _Declaration,
    attrs_options: dict[str, Any],
    scope: Mapping[str, object] | None,
) -> Any:
    if not isinstance(cls, type):
        raise ModelError(repr(cls), "@model decorates a class")
    table = declaration.table
    if isinstance(table, Table):
        for name in table.key_attributes:
            if name in attrs_options:
                declaration.keys[name] = attrs_options.pop(name)
    _check_options(cls, declaration, attrs_options)
    if INFO_ATTRIBUTE in cls.__dict__:
        raise ModelError(cls.__name__, "it is decorated with @model twice")
    check_plain(cls)
    if "__attrs_attrs__" in cls.__dict__:
        if attrs_options:
            raise ModelError(
                cls.__name__,
                f"it is decorated with attrs already, so {', '.join(attrs_options)} cannot be "
                f"applied; give that to @attrs.define",
            )
        made = with_paths_meta(cls)
    else:
        rebuilt = with_paths_meta(cls)
        made = _defined(rebuilt, attrs_options)
        point_cells_to(made, (cls, rebuilt))
    _keep_state(made, cls)

    def mark(info: ModelInfo) -> None:
        type.__setattr__(made, INFO_ATTRIBUTE, info)

    info = _make_known(made, declaration, scope, mark, carries=_has_room(made))
    give_paths(made, _paths(info))
    return made


def _make_known(
    cls: type[object],
    declaration: _Declaration,
    scope: Mapping[str, object] | None,
    mark: Callable[[ModelInfo], None],
    *,
    carries: bool,
    roles: Mapping[str, KeyRole] | None = None,
) -> ModelInfo:
    """Find out what a declaration says, refuse what it cannot say, and note it for the class."""
    if scope is not None:
        remember_scope(cls, scope)
    with resolving_in(scope):
        info = _inform(cls, declaration, roles or {}, carries=carries)
        for name, own in (
            ("before_save", functions(info.name, "before_save", declaration.before_save)),
            ("after_load", functions(info.name, "after_load", declaration.after_load)),
        ):
            # Behind those of the models that this one inherits from, each of these once.
            inherited = [getattr(base, f"own_{name}") for base in reversed(models_above(cls))]
            setattr(info, f"own_{name}", own)
            setattr(info, name, (*itertools.chain(*inherited), *own))
        declare_unique(info, declaration.unique)
        declare_changes(info, declaration.upgrades, declaration.schema_attribute)
        mark(info)
        _check_fields(info)
    return info


def _check_options(cls: type[object], own: _Declaration, options: Mapping[str, object]) -> None:
    """Refuse key templates that belong to no key, before attrs wonders about them."""
    if not isinstance(own.table, Table):
        templates = [*own.keys, *(name for name in options if isinstance(options[name], str))]
        if templates or own.kind is not None:
            what = ", ".join(templates) or "kind"
            refuse_fields_as_options(cls, options)
            raise ModelError(
                cls.__name__,
                f"{what}: key templates and kinds go with a Table, where several models may be; "
                f"write @model(Table({own.table!r}, partition_key=..., ...), ...)",
            )
        return
    for name in own.keys:
        if name not in own.table.key_attributes:
            raise ModelError(
                cls.__name__,
                f"keys names {name!r}, which is not a key attribute of Table({own.table.name!r})"
                f"{did_you_mean(name, own.table.key_attributes)}",
            )
    for name, value in options.items():
        if isinstance(value, str):
            raise ModelError(
                cls.__name__,
                f"{name}={value!r} is not an option of attrs.define and no key attribute of "
                f"Table({own.table.name!r}){did_you_mean(name, own.table.key_attributes)}",
            )
    if own.kind is not None and own.table.discriminator is None:
        raise ModelError(
            cls.__name__,
            f"kind={own.kind!r}: Table({own.table.name!r}) has no discriminator; write "
            f'Table(..., discriminator="type")',
        )


def _defined(cls: type[object], options: dict[str, Any]) -> type[object]:
    try:
        define = attrs.define(**options)
    except TypeError as error:
        raise ModelError(
            cls.__name__, f"@model hands its other arguments to attrs.define, which says: {error}"
        ) from error
    try:
        made: type[object] = define(cls)
    except ValueError as error:
        refused = order_refused(cls, error)
        if refused is None:
            raise
        raise refused from error
    return made


def map_class(
    cls: type[T],
    table: str | Table,
    /,
    *,
    partition_key: str | None = None,
    sort_key: str | None = None,
    indexes: Iterable[AnyIndex] = UNSAID,
    unknown: Unknown = "keep",
    mapper: Mapper | None = None,
    before_save: Callable[[T], T | None] | Sequence[Callable[[T], T | None]] = (),
    after_load: Callable[[T], T | None] | Sequence[Callable[[T], T | None]] = (),
    keys: Mapping[str, KeyTemplate] | None = None,
    kind: str | Sequence[str] | None = None,
    unique: Iterable[str | tuple[str, ...]] = (),
    upgrades: Upgrades | None = None,
    schema_attribute: str | None = None,
    forms: Forms | None = None,
    fields: Mapping[str, Any] | None = None,
) -> None:
    """Map a class that cannot be decorated: an attrs class, a dataclass, a pydantic model, or a struct of
    msgspec's.

    Declare what the class's own fields cannot with *fields*: `fields={"revision": field(version=True)}`,
    with the options `name`, `ttl`, `version`, `created`, `updated`, `unique`, `key_only` and `formerly`.
    Defaults, converters, validators and checks at creation are the class's own.

    Its instances cannot carry attributes that the class does not know. So with `unknown="keep"` (the
    default) you can read, update and delete them, but `save` refuses them, because it would erase those
    attributes. Use `unknown="drop"` or `"forbid"` to save. Conditions start with `path(cls)`. The other
    arguments are those of `model`.

    Raises:
        ModelError: The class has no fields, or the declaration is invalid.
    """
    if not has_fields(cls):
        raise ModelError(
            repr(cls), "map_class takes an attrs class, a dataclass, a pydantic model or a struct"
        )
    if info_of(cls) is not None:
        raise ModelError(cls.__name__, "it is mapped already")
    declaration = _Declaration(
        table, declared_indexes(indexes), unknown, mapper or default, _key_templates(keys), kind,
        before_save, after_load, unique, upgrades, schema_attribute, forms, mapped=True,
        fields=options_said(cls, fields or {}),
    )  # fmt: skip
    _check_options(cls, declaration, {})
    given_roles: dict[str | None, KeyRole] = {partition_key: "partition", sort_key: "sort"}
    roles: dict[str, KeyRole] = {
        name: role for name, role in given_roles.items() if name is not None
    }
    scope, home = _callers_locals(), sys._getframe(1).f_globals.get("__name__", "")

    def mark(info: ModelInfo) -> None:
        info.mapped_in = home
        register(info)

    _make_known(cls, declaration, scope, mark, carries=False, roles=roles)


def _keep_state(made: type[object], cls: type[object]) -> None:
    """Let pickling and copying keep what an instance carries, which attrs does not know of."""
    get, put = made.__dict__.get("__getstate__"), made.__dict__.get("__setstate__")
    own = cls.__dict__ if "__attrs_attrs__" not in cls.__dict__ else {}
    if get is None or put is None or "__getstate__" in own or "__setstate__" in own:
        return
    if getattr(get, "__module__", "").partition(".")[0] not in ("attr", "attrs"):
        return

    def __getstate__(self: object) -> dict[str, Any]:  # noqa: N807
        state: dict[str, Any] = get(self)
        carried = carried_by(self)
        return state if carried is NOTHING_CARRIED else {**state, UNKNOWN_ATTRIBUTE: carried}

    def __setstate__(self: object, state: object) -> None:  # noqa: N807
        put(self, state)
        if isinstance(state, dict) and UNKNOWN_ATTRIBUTE in state:
            carry(self, state[UNKNOWN_ATTRIBUTE])

    for name, method in (("__getstate__", __getstate__), ("__setstate__", __setstate__)):
        type.__setattr__(made, name, method)
    only_by_carry(made)


def _has_room(cls: type[object]) -> bool:
    return any(
        UNKNOWN_ATTRIBUTE in vars(klass) or "__dict__" in vars(klass) for klass in cls.__mro__
    )


def _inform(
    cls: type[object], own: _Declaration, roles: Mapping[str, KeyRole], *, carries: bool
) -> ModelInfo:
    table, unknown, mapper = own.table, own.unknown, own.mapper
    if unknown not in ("keep", "drop", "forbid"):
        raise ModelError(cls.__name__, f"unknown={unknown!r}: write 'keep', 'drop' or 'forbid'")
    if not isinstance(mapper, Mapper):
        raise ModelError(cls.__name__, f"mapper={mapper!r}: a dynattrs.Mapper is expected")
    forms = forms_of(cls, table, own.forms)
    mapper = mapper.formed(forms)
    found = DeclaredFields(cls, mapper, roles, mapped=own.mapped, said=own.fields)
    keys: ModelKeys | None = None
    if isinstance(table, Table):
        if own.indexes:
            raise ModelError(
                cls.__name__, f"declare its indexes on the Table {table.name!r}, not on the model"
            )
        # Key templates are inherited from the nearest model of the same table.
        above = (each.keys for each in models_above(cls) if each.table is table and each.keys)
        inherited = next(above, None)
        written = {**(inherited.written if inherited else {}), **own.keys}
        made = found.on_table(table, written)
        keys = found.computed_keys(table, written, own.kind)
    else:
        made = found.new_table(table, own.indexes)
        found.refuse_key_only()
    return ModelInfo(
        cls, made, unknown, mapper, dict(found.names), carries, found.options,
        version=found.one("version"), created=found.one("created"), updated=found.one("updated"),
        keys=keys, forms=forms,
    )  # fmt: skip


def _check_fields(info: ModelInfo) -> None:
    try:
        info.mapper.check(info)
        check_former_names(info)
        if info.keys is not None:
            _check_templates(info, info.keys)
    except Undefined:
        # A forward reference. It is resolved, and the field checked, at the first use.
        _check_defaults(info.cls)
    check_apart(info)
    written: Mapping[str, object] = {} if info.keys is None else info.keys.written
    of_fields = {stored: name for name, stored in info.names.items()}
    info.table.members.add(info.cls, {**of_fields, **written})


def _check_defaults(cls: type[object]) -> None:
    try:
        check_defaults(cls)
    except Refused as refusal:
        raise as_model_error(cls, refusal) from None


def _check_templates(info: ModelInfo, keys: ComputedKeys) -> None:
    for attribute, template in keys.templates.items():
        if info.version is not None and template.uses(info.names[info.version]):
            raise ModelError(
                info.name,
                f"it is the version, which the service counts up, and part of the key "
                f"{attribute}={template.written!r}; take it out of the template",
                info.version,
            )
        if attribute in info.table.key:
            for name in (info.created, info.updated):
                if name is not None and template.uses(info.names[name]):
                    raise ModelError(
                        info.name,
                        f"saving sets it, and it is part of the key {attribute}="
                        f"{template.written!r}, which never changes; take it out of the template",
                        name,
                    )


# --- Paths --------------------------------------------------------------------------------------


def _paths(info: ModelInfo) -> dict[str, Path]:
    return {name: _root_path(info, info.cls, name, stored) for name, stored in info.names.items()}


def _root_path(info: ModelInfo, type_: object, name: str, stored: str) -> Path:
    def find() -> tuple[StoredForm, str]:
        codec = info.mapper.model_codec(type_)
        if name not in (codec.fields or {}):
            raise ModelError(info.name, "its hooks do not say how it is stored", name)
        return codec, name

    again = (_field_again, type_, name, info.mapped_in)
    return Path(PathData(info.cls, (stored,), f"{info.name}.{name}", find, again=again))


def _field_again(subject: object, name: str, mapped_in: str) -> Any:
    """A pickled field of a model.

    Raises:
        ModelError: The class is not mapped in this process.
    """
    cls = getattr(subject, "__origin__", subject)
    if mapped_in and info_of(cls) is None:
        with suppress(ImportError):
            import_module(mapped_in)
        if info_of(cls) is None:
            raise ModelError(
                getattr(cls, "__name__", repr(cls)),
                f"its field {name!r} was pickled where map_class(...) had mapped it, and here it is not "
                f"mapped; call map_class at the top of a module, and import that module here first",
            )
    return getattr(path(subject), name)


class _Root:
    """`path(Model)`: the fields of a model as attributes, whatever they are called."""

    __slots__ = ("_fields", "_info")

    def __init__(self, info: ModelInfo, fields: Mapping[str, Path]) -> None:
        self._info = info
        self._fields = fields

    def __getattribute__(self, name: str) -> Any:
        fields: Mapping[str, Path] = object.__getattribute__(self, "_fields")
        if name in fields:
            return fields[name]
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        info: ModelInfo = object.__getattribute__(self, "_info")
        raise AttributeError(f"{info.name} has no field {name!r}{did_you_mean(name, fields)}")

    def __repr__(self) -> str:
        info: ModelInfo = object.__getattribute__(self, "_info")
        return f"path({info.name})"


@overload
def path(subject: type[T], /) -> T: ...
@overload
def path(subject: T | None, /) -> T: ...
def path(subject: object, /) -> Any:
    """Return a path, for type checkers and for classes whose own attributes are not paths.

    `path(Song.year)` is `Song.year` itself, but its type has no None for checkers: `path(Song.year) > 1960`.
    `path(Song)` and `path(Box[int])` have all fields of the model as attributes: use them for mapped
    classes, generics, and fields named like attributes of classes (`mro`).
    """
    if isinstance(subject, Path):
        return subject
    cls = getattr(subject, "__origin__", subject)
    info = info_of(cls)
    if info is None:
        # A model class that is not a model gives the error that says so.
        info = model_info(cls)
    paths = {name: _root_path(info, subject, name, stored) for name, stored in info.names.items()}
    if subject is info.cls and PATHS_ATTRIBUTE in info.cls.__dict__:
        paths = info.cls.__dict__[PATHS_ATTRIBUTE]
    return _Root(info, paths)
