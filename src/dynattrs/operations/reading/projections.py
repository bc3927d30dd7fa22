"""What a query makes of each stored item where it is not an object of a model: objects of other classes,
tuples, keys, or the attribute map as it is.

Objects of models are `objects`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, get_origin

import attrs

from dynattrs.errors import MappingError, QueryError
from dynattrs.expressions.paths import Path, PathData, data_of, did_you_mean, is_path
from dynattrs.keys.discriminator import Sieve
from dynattrs.mapper.annotations import DATETIME, arms, show_type
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.class_kinds import MISSING, NO_VALUE
from dynattrs.mapper.classes import ClassCodec, FieldCodec, held
from dynattrs.mapper.codec import Refused, as_model_error, load_value, names_of
from dynattrs.mapper.upgrades import schema_version
from dynattrs.operations.flows import Decode
from dynattrs.operations.item_keys import (
    fields_of_key,
    is_class_of,
    key_in,
    key_parts,
    stored_parts,
)
from dynattrs.operations.reading.objects import rows_decoder
from dynattrs.quoting import quoted
from dynattrs.schema.definitions import two_names
from dynattrs.schema.model_info import (
    BASE64,
    ENCRYPTED,
    IN_S3,
    ItemReader,
    ModelInfo,
    StoredForm,
    info_of,
)
from dynattrs.schema.table import AttributeMap, AttributeValue
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

R_co = TypeVar("R_co", covariant=True)

#: What to do with an item that cannot be read.
OnError: TypeAlias = Literal["raise", "skip"] | Callable[[MappingError], object]


def check_on_error(what: OnError) -> OnError:
    """What was said, if it can be.

    Raises:
        QueryError: It is something else.
    """
    if what not in ("raise", "skip") and not callable(what):
        raise QueryError(f"on_error({what!r}): write 'raise', 'skip' or a function")
    return what


class Reader(Protocol[R_co]):
    """Turns attribute maps into results."""

    @property
    def needs(self) -> frozenset[str] | None:
        """The attributes it reads; None is the whole item."""
        ...

    def reads(self) -> Callable[[Any], R_co]:
        """The function that makes a result of an item.

        Raises:
            MappingError: (the function) The item cannot be read as wanted.
        """
        ...

    def decoder(self, place: str) -> Decode | None:
        """What reads replies so that `reads` has the least to do (see `objects.decoder`)."""
        ...


class _ReadsMaps:
    """What readers share that read attribute maps."""

    __slots__ = ()

    def decoder(self, place: str) -> Decode | None:
        return None


@attrs.frozen(eq=False)
class Raw(_ReadsMaps):
    """Attribute maps, as they are stored."""

    needs: None = None

    def reads(self) -> Callable[[Any], AttributeMap]:
        return self.read

    def read(self, item: AttributeMap) -> AttributeMap:
        return native_map(item)


@attrs.frozen(eq=False)
class Keys(_ReadsMaps):
    """Keys, as dicts of fields: what `session.get` and `session.delete` take."""

    info: ModelInfo
    #: Where items of several models are read.
    sieve: Sieve | None = None
    #: The models whose items say beside their keys which schema they are of: newer ones are refused.
    evolving: Sequence[ModelInfo] = ()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset([*self.info.table.key, *self._schemas])

    @property
    def _schemas(self) -> list[str]:
        return [each.schema_attribute for each in self.evolving if each.versioned]

    def check(self, item: AttributeMap) -> Literal[True]:
        """True, unless an item is of a newer schema.

        Raises:
            MappingError: It is one.
        """
        info = (self.sieve and self.sieve.model_of(item)) or self.info
        if self.evolving and info.versioned:
            schema_version(info, item)
        return True

    def reads(self) -> Callable[[Any], dict[str, Any]]:
        return self.read

    def read(self, item: AttributeMap) -> dict[str, Any]:
        if self.evolving:
            self.check(item)
        info = self.info
        if self.sieve is not None:
            info = self.sieve.model_of(item) or info
        if info.keys is None:
            whole = info.mapper.model_codec(info.cls)
            fields = whole.fields or {}
            found = {name: _load(whole, fields[name], item, info, name) for name in info.key_fields}
        else:
            values = stored_parts(info, item)
            found = {
                part.name: load_value(
                    f"{info.name}.{part.name}", part.codec, values[part.steps],
                    key_in(info, item), item,
                )
                for part in key_parts(info)
            }  # fmt: skip
        return fields_of_key(info, item, found)


@attrs.frozen(eq=False)
class Projected(Generic[R_co]):
    """Objects of another class, which has some of the model's fields."""

    info: ModelInfo
    cls: type[R_co]
    #: Its stored names by the model's.
    names: Mapping[str, str]

    @property
    def needs(self) -> frozenset[str] | None:
        return _stored_somewhere(self.info, self.names)

    def reads(self) -> Callable[[Any], R_co]:
        rows = self._rows()
        return self.read if rows is None else rows.current[1]

    def decoder(self, place: str) -> Decode | None:
        # Whole items, fetched after an index, hold more than is wanted: these stay maps, so that
        # errors can show them.
        rows = self._rows() if place == "Items" else None
        return None if rows is None else rows_decoder(rows, place, self.info)

    def _rows(self) -> ItemReader | None:
        attributes = {own: name for name, own in self.names.items()}
        mapper = self.info.mapper
        return mapper.projected_rows(self.info.cls, self.cls, attributes, self.read)

    def read(self, item: AttributeMap) -> R_co:
        try:
            found = _restored(self.info, item)
            part = {self.names[name]: value for name, value in found.items() if name in self.names}
            model: Any = self.info.mapper.model_codec(self.info.cls)
            if isinstance(model, ClassCodec) and model.sealed:
                part = self._opened(part)
            self._fill(part, found, model)
            return self.info.mapper.load(part, self.cls)
        except MappingError as error:
            error.key, error.item = key_in(self.info, item), item
            raise

    def _fill(self, part: AttributeMap, item: AttributeMap, model: Any) -> None:
        """Give a part the model's defaults for what is absent and has none in the class."""
        codec: Any = self.info.mapper.codec(self.cls)
        if not isinstance(model, ClassCodec):
            return
        for member in codec.members:
            stored = self.info.names[member.name]
            needed = member.name in codec.required or member.member.default is NO_VALUE
            if not needed or member.always_set or codec.has(member, part):
                continue
            field = next(each for each in model.members if each.stored == stored)
            if field.member.default is MISSING:
                continue
            label = f"{self.info.name}.{field.name}"
            value = model.converted(field.name, model.load_member(field.name, item), label)
            if value is None and member.codec.optional:
                part[member.stored] = {"NULL": True}
            elif value is not None and field.stored not in model.sealed:
                part[member.stored] = field.codec.dump(value)

    def _opened(self, part: AttributeMap) -> AttributeMap:
        """The part with what was encrypted as it is inside, where the class does not say that it was."""
        from dynattrs.mapper.encrypted import opened

        codec: Any = self.info.mapper.codec(self.cls)
        return {
            name: value if name in codec.sealed else opened(value) for name, value in part.items()
        }


def projected(info: ModelInfo, cls: type[R_co]) -> Projected[R_co]:
    """A reader of *cls*, whose fields are some of the model's, by name.

    Raises:
        ModelError: A field of it cannot be read.
        QueryError: It is not a class with fields, or has one that the model has not or stores in another
            form; or it is a model of the same table: an object that was read in part could be saved in
            place of the whole item.
    """
    if not is_class_of(cls):
        raise QueryError(f"as_({quoted(cls)}): a class with fields is expected")
    own = info_of(get_origin(cls) or cls)
    if own is not None and own.table.name == info.table.name:
        raise QueryError(
            f"as_({own.name}): {own.name} is a model of table {info.table.name!r}, and saving what was "
            f"read in part would erase the rest of the item; give a class that is not a model, "
            f"@attrs.define class …, or read whole objects"
        )
    try:
        codec = info.mapper.codec(cls)
    except Refused as refusal:
        raise as_model_error(cls, refusal) from None
    if not isinstance(codec, ClassCodec):
        raise QueryError(f"as_({cls!r}): a class with fields is expected")
    names: dict[str, str] = {}
    for member in codec.members:
        if member.name not in info.names:
            raise QueryError(
                f"as_({cls.__name__}): {cls.__name__}.{member.name} is not a field of "
                f"{info.name}{did_you_mean(member.name, info.names)}"
            )
        _check_form(info, cls, member)
        names[info.names[member.name]] = member.stored
    return Projected(info, cls, names)


def _check_form(info: ModelInfo, cls: type[object], member: FieldCodec) -> None:
    """Refuse a field that reads another form than the model stores.

    Raises:
        QueryError: It says which annotation reads it.
    """
    whole = info.mapper.model_codec(info.cls)
    if not isinstance(whole, ClassCodec):
        return
    stored = next(each for each in whole.members if each.name == member.name)
    form, own, type_ = stored.codec, member.codec, stored.member.type
    if form.packed == ENCRYPTED:  # and is given as it was inside, where the class does not say so
        return
    other = bool(form.tags and own.tags) and form.tags.isdisjoint(own.tags)
    # Raw JSON may be wanted as the text that it is, and not as the text that it has.
    same = form.packed != own.packed and _types(type_) == _types(member.member.type)
    whole_alone = (form.packed == IN_S3) is not (own.packed == IN_S3)
    if not other and not whole_alone and not (form.packed and same):
        return
    written = show_type(type_)
    if stored.member.options.ttl and DATETIME in arms(type_):
        written = f"Annotated[{written}, Epoch]"
    if form.packed == BASE64 and "LegacyBinary" not in written:
        written = f"Annotated[{written}, pynamodb.LegacyBinary]"
    raise QueryError(
        f"as_({cls.__name__}): {info.name}.{member.name} is stored as {form.packed or names_of(form.tags)}, "
        f"and {cls.__name__}.{member.name} reads {own.packed or names_of(own.tags)}; declare "
        f"{member.name}: {written}"
    )


def _types(type_: object) -> set[object]:
    """The types of an annotation, without marks."""
    return {each for arm in arms(type_) for each in arms(arm)} - {type(None)}


@attrs.frozen(eq=False)
class Selected(_ReadsMaps):
    """Tuples of the values at some paths, as objects would have them; None where there is nothing."""

    info: ModelInfo
    paths: tuple[Path, ...]

    @property
    def needs(self) -> frozenset[str] | None:
        return _stored_somewhere(self.info, (str(data_of(path).steps[0]) for path in self.paths))

    def reads(self) -> Callable[[Any], tuple[Any, ...]]:
        return self.read

    def read(self, item: AttributeMap) -> tuple[Any, ...]:
        try:
            found = _restored(self.info, item)
            return tuple(self._value(data_of(path), found) for path in self.paths)
        except MappingError as error:
            error.item = item  # before upgrades, and without what only its key has
            if error.key is None:
                error.key = key_in(self.info, item)
            raise

    def _value(self, data: PathData, item: AttributeMap) -> Any:
        info = self.info
        whole: Any = info.mapper.model_codec(info.cls)
        first = data.steps[0]
        if len(data.steps) > 1:
            return self._inside(data, whole, item)
        if data.model is info.cls:  # a generic one with its arguments, if the path has them
            whole, _ = data.find()
        name = next(name for name, stored in info.names.items() if stored == first)
        value = _load(whole, data.form, item, info, name)
        return whole.converted(name, value, data.label) if isinstance(whole, ClassCodec) else value

    def _inside(self, data: PathData, whole: Any, item: AttributeMap) -> Any:
        """The value at a place inside a field, with the defaults that objects on the way to it have."""
        value: AttributeValue = {"M": item}
        form: Any = whole
        owner: ClassCodec | None = None
        name = ""
        for number, step in enumerate(data.steps, 1):
            inside: Any = value.get("L" if isinstance(step, int) else "M")
            if inside is None:
                return None
            form = None if form is None else held(form)
            owner = form if isinstance(form, ClassCodec) else None
            members = () if owner is None else owner.members
            member = next((each for each in members if each.stored == step), None)
            there = step < len(inside) if isinstance(step, int) else step in inside
            if owner is not None and member is not None:
                form, name = member.codec, member.name
                if not there:
                    default = owner.load_member(name, inside, data.label)
                    default = owner.converted(name, default, data.label)
                    if default is None or number == len(data.steps):
                        return default
                    value = form.dump(default)
                    continue
            else:
                if not there:
                    if form is not None and step in form.required:
                        raise MappingError(data.label, data.form.expected, "nothing")
                    return None
                owner, fields = None, None if form is None else form.fields
                form = (fields or {}).get(str(step), None if form is None else form.element)
            value = inside[step]
        if data.form.optional and "NULL" in value:
            return None
        found = load_value(data.label, data.form, value, key_in(self.info, item), item)
        return found if owner is None else owner.converted(name, found, data.label)


def selected(info: ModelInfo, paths: Sequence[object]) -> Selected:
    """A reader of tuples.

    Raises:
        QueryError: Nothing is named, or something that is not a path of the model.
    """
    if not paths:
        raise QueryError("select() needs at least one field")
    given: list[Path] = []
    for path in paths:
        if not is_path(path):
            raise QueryError(f"select({path!r}): a field such as {info.name}.… is expected")
        _ = data_of(path).form  # what an item cannot be asked for is said before any request
        if not issubclass(info.cls, data_of(path).model):
            model, asked = two_names(data_of(path).model, info.cls)
            raise QueryError(
                f"select({path!r}): it is a field of {model}, and the query of {asked}"
            )
        given.append(path)
    return Selected(info, tuple(given))


def _stored_somewhere(info: ModelInfo, attributes: Iterable[str]) -> frozenset[str] | None:
    """The attributes to read for some fields: for those that are in keys only, the keys. Upgrades need
    the whole item.
    """
    if info.upgrades:
        return None
    attributes = list(attributes)
    if info.versioned:
        attributes.append(info.schema_attribute)
    attributes += [old for old, name in info.formerly.items() if name in attributes]
    wanted = frozenset(attributes)
    codec = info.mapper.model_codec(info.cls)
    if isinstance(codec, ClassCodec) and not wanted.isdisjoint(codec.sealed):
        wanted |= frozenset(info.table.key)  # with which they are encrypted
    if info.keys is None:
        return wanted
    hidden = {info.names[name] for name in info.keys.key_only}
    return (wanted - hidden) | (frozenset(info.table.key) if wanted & hidden else frozenset())


def _restored(info: ModelInfo, item: AttributeMap) -> AttributeMap:
    item = info.mapper.current(info, item)
    return item if info.keys is None else info.keys.restore(item)


def _load(
    whole: StoredForm, codec: StoredForm, item: AttributeMap, info: ModelInfo, name: str
) -> Any:
    """One field as the model would read it: its default where it is absent."""
    if isinstance(whole, ClassCodec):
        try:
            return whole.load_member(name, item)
        except MappingError as error:
            error.key, error.item = key_in(info, item), item
            raise
    stored = info.names[name]
    return codec.load(item[stored]) if stored in item else None
