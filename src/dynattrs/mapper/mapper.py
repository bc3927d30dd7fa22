"""The mapper: a cattrs `Converter` whose unstructured form is DynamoDB's.

`dump` and `load` work on attribute maps. `unstructure` and `structure`, which cattrs users know,
work on the plain form of the same (`str`, `int`, `Decimal`, `bytes`, `list`, `dict`, `set`, …), and
so do the hooks that people register: a type with hooks of its own goes through them, everything
else through generated codecs.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast, get_origin, overload

from dynattrs.deferral import deferred
from dynattrs.errors import MappingError, ModelError
from dynattrs.mapper import anything
from dynattrs.mapper.annotations import (
    ENCRYPTION,
    LARGE_FIELDS,
    Compressed,
    Epoch,
    Json,
    show_type,
)
from dynattrs.mapper.class_kinds import NO_VALUE
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.codec import (
    Codec,
    Refused,
    Trail,
    as_model_error,
    cause_of,
    explain_dump,
    explain_load,
    show,
)
from dynattrs.mapper.codecs import Codecs
from dynattrs.mapper.hooked_classes import dump_hooked, load_hooked
from dynattrs.mapper.key_rules import check_keys, key_of_item, restore_key
from dynattrs.mapper.named import name_object
from dynattrs.mapper.size import item_size
from dynattrs.schema.item_models import class_of
from dynattrs.schema.model_info import (
    DumpAsRequest,
    ModelInfo,
    PutRequest,
    info_of,
    model_info,
)
from dynattrs.schema.table import AttributeMap, AttributeValue

if TYPE_CHECKING:
    from dynattrs.mapper import (
        encrypted,
        in_s3,
        noticed,
        plain_items,
        request_code,
        stored_forms,
        stored_json,
        unions_of_models,
        write_code,
    )
    from dynattrs.mapper.rows import RowReader
    from dynattrs.mapper.write_code import DumpWithSize
else:
    encrypted = deferred("dynattrs.mapper.encrypted")
    in_s3 = deferred("dynattrs.mapper.in_s3")
    noticed = deferred("dynattrs.mapper.noticed")
    plain_items = deferred("dynattrs.mapper.plain_items")
    request_code = deferred("dynattrs.mapper.request_code")
    stored_json = deferred("dynattrs.mapper.stored_json")
    stored_forms = deferred("dynattrs.mapper.stored_forms")
    unions_of_models = deferred("dynattrs.mapper.unions_of_models")
    write_code = deferred("dynattrs.mapper.write_code")

T = TypeVar("T")

#: Whether an instance may have to carry something of the attribute map that it was made of.
Odd: TypeAlias = Callable[[Any, Mapping[str, AttributeValue]], bool]

_NOT_ASKED: Final[Any] = object()
_REFUSED: Final[Any] = object()

__all__ = ["Compressed", "Epoch", "Json", "Mapper"]


class Mapper(Codecs):
    """Turns models into attribute maps and back.

    It is a cattrs `Converter`, so hooks, `override(rename=...)` and strategies work on it. Register
    hooks before the models that need them are declared: a declaration is checked at once.

    Example:
        >>> from dynattrs import Mapper, model, partition_key
        >>> @model("songs")
        ... class Song:
        ...     title: str = partition_key()
        ...     plays: int = 0
        >>> mapper = Mapper()
        >>> mapper.dump(Song("Sinnerman", plays=3))
        {'title': {'S': 'Sinnerman'}, 'plays': {'N': '3'}}
        >>> mapper.load({"title": {"S": "Sinnerman"}}, Song)
        Song(title='Sinnerman', plays=0)
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._begin_anew()
        super().__init__(*args, **options)

    def _begin_anew(self) -> None:
        """Begin anew with what is generated besides the codecs, by class."""
        self._with_size: dict[type[Any], DumpWithSize] = {}
        #: The functions that make requests, by class; `dump_as_request` makes those that are missing.
        self.request_dumps: dict[type[Any], DumpAsRequest] = {}
        self._odd: dict[type[Any], Odd] = {}
        #: What is read in rows, by class, as far as it was asked for: see `rows`.
        self.readers: dict[Any, RowReader | None] = {}

    def _kept(self) -> tuple[dict[Any, Any], ...]:
        return (*super()._kept(), self._with_size, self.request_dumps, self._odd, self.readers)

    # --- Objects and attribute maps ---

    def dump(self, obj: Any) -> AttributeMap:
        """Return *obj*, of a model or any other class with fields, as an attribute map.

        Raises:
            MappingError: DynamoDB cannot store a value. The error names the path inside the item, the object
                and its key.
            ModelError: *obj* has no fields, or its class is an undecorated subclass of a model.
        """
        cls = type(obj)
        info = info_of(cls)
        codec = self.model_codec(cls)
        try:
            return self._dump(codec, info, obj)
        except MappingError as error:
            name_object(error, info, obj)
            raise

    def _dump(self, codec: Codec, info: ModelInfo | None, obj: Any) -> AttributeMap:
        item = self._dump_map(codec, obj)
        if info is not None:
            if info.keys is not None:
                info.keys.complete(item)
            if info.upgrades:
                item[info.schema_attribute] = {"N": str(info.schema_version)}
            check_keys(info, item)
            if info.keys is not None:
                restore_key(obj, item)
            if codec.sealed:
                encrypted.seal(info, item)
        return item

    def _dump_map(self, codec: Codec, obj: Any) -> AttributeMap:
        try:
            return codec.dump_map(obj) if isinstance(codec, ClassCodec) else dump_hooked(codec, obj)
        except MappingError:
            raise
        except Exception as error:
            failed = error
        # After it was handled: hooks that fail again would raise in its context.
        try:
            return self._explain_dump(codec, obj, failed)
        finally:
            del failed  # it would be a cycle with its traceback

    def dump_with_size(self, obj: Any) -> tuple[AttributeMap, int]:
        """As `dump`, with the bytes that the service counts for the item.

        Raises:
            MappingError: As `dump`.
            ModelError: As `dump`.
            TooDeep: A list or map is nested more than 32 levels deep.
            UnicodeEncodeError: A text has no UTF-8 form.
        """
        cls = type(obj)
        dump = self._with_size.get(cls) or self._new_dump_with_size(cls)
        info = info_of(cls)
        try:
            item, size = dump(obj)
            if info is not None and info.keys is not None:
                size += info.keys.complete_with_size(item)
        except Exception:  # noqa: S110 - the general way decides, and explains
            pass
        else:
            if info is not None:
                if info.upgrades:
                    own = {info.schema_attribute: {"N": str(info.schema_version)}}
                    item.update(own)
                    size += item_size(own)
                check_keys(info, item)
                if info.keys is not None:
                    size += restore_key(obj, item)
            return item, size
        item = self.dump(obj)
        return item, item_size(item)

    def _new_dump_with_size(self, cls: type[Any]) -> DumpWithSize:
        with self._lock:
            # If hooks are registered meanwhile, this goes with what they make stale.
            known = self._with_size
            codec = self.model_codec(cls)
            if isinstance(codec, ClassCodec) and not codec.sealed:
                made = write_code.generate_dump_with_size(codec)
            else:
                made = stored_json.leave_to_dump
            known[cls] = made
            return made

    def dump_as_request(
        self,
        obj: Any,
        table: str,
        make: Callable[..., Any] | None = None,
        *moves: Mapping[str, Any],
    ) -> Any:
        """The request to put *obj* as JSON, in a `msgspec.Raw`, its length, and the identity of the
        key in *table*; with *make*, what that makes of the table, the identity, the request, its length
        and the object.

        None where `dump` has to decide: it is the general way, and says what is wrong.
        """
        cls = type(obj)
        try:
            dump = self.request_dumps.get(cls) or self._new_dump_as_request(cls)
            return dump(obj, table, make or _put_request, *moves)
        except Exception:
            return None

    def _new_dump_as_request(self, cls: type[Any]) -> DumpAsRequest:
        with self._lock:
            known = self.request_dumps
            codec = self.model_codec(cls)
            if isinstance(codec, ClassCodec) and not (codec.sealed or codec.large):
                made = request_code.generate_dump_as_request(codec, info_of(cls))
                if codec.validates:
                    made = _validating(codec, made)
            else:
                made = stored_json.leave_to_dump
            known[cls] = made
            return made

    @overload
    def load(self, item: Mapping[str, AttributeValue], model: type[T]) -> T: ...
    @overload
    def load(self, item: Mapping[str, AttributeValue], model: UnionType) -> Any: ...
    def load(self, item: Mapping[str, AttributeValue], model: Any) -> Any:
        """Return the object of class *model* that is stored as *item*.

        Args:
            item: An attribute map.
            model: A model, any other class with fields, or a union of models of one table, `User | Order`;
                for a union, the object has the class of the item's model.

        Raises:
            OtherKind: The item is of another model of the table, by its discriminator or its key.
            MappingError: An attribute is missing, or has another type than the field. The error has the
                item's key, the path, the expected values and the value found.
            ModelError: *model* has no fields, or is an undecorated subclass of a model; or it is a union of
                models whose items cannot be told apart.
        """
        if not isinstance(model, type) and unions_of_models.is_union(model):
            model = unions_of_models.one_of_union(model, item)
        codec = self.model_codec(model)
        cls = get_origin(model) or model
        info = codec.model if isinstance(codec, ClassCodec) else info_of(cls)
        if info is None:
            return self._load(codec, item, model)
        found = class_of(info, item, model)
        if found is not model:
            return model_info(found).mapper.load(item, found)
        # What is not a mapping gets its error below.
        there: object = item
        try:
            if (
                info.has_schema
                or codec.sealed
                or (isinstance(there, (dict, Mapping)) and info.schema_attribute in there)
            ):
                return self._load_evolving(codec, info, item, model)
            if info.keys is not None:
                item = info.keys.restore(item)
            return self._load(codec, item, model)
        except MappingError as error:
            if isinstance(there, Mapping):  # before upgrades, and without what only its key has
                error.item = there
            raise

    def _load(self, codec: Codec, item: Mapping[str, AttributeValue], model: type[T]) -> T:
        found: T
        try:
            found = (
                codec.load_map(item) if isinstance(codec, ClassCodec) else load_hooked(codec, item)
            )
        except Exception:
            found = _REFUSED
        # After it was handled: validators that refuse a value again would raise in its context.
        if found is _REFUSED:
            found = self._explain_load(codec, item, model)
        if isinstance(codec, ClassCodec) and codec.model is not None:
            cls = codec.record.cls
            odd = self._odd.get(cls) or self._new_odd(cls, codec)
            try:
                carries = odd(found, item)
            except Exception:  # a value that its key cannot hold
                carries = True
            if carries:
                noticed.keep(codec, codec.model, found, item)
        elif (info := info_of(type(found))) is not None:
            noticed.keep_custom_key(codec, info, found, item)
        return found

    def _new_odd(self, cls: type[Any], codec: ClassCodec) -> Odd:
        known = self._odd
        made = known[cls] = noticed.generate_check(codec)
        return made

    def _load_evolving(
        self, codec: Codec, info: ModelInfo, item: Mapping[str, AttributeValue], model: type[T]
    ) -> T:
        found = self.current(info, item)
        if info.keys is None:
            return self._load(codec, found, model)
        found = info.keys.restore(found)
        obj = self._load(codec, found, model)
        if info.upgrades:
            # Imported when the first item may be an old one.
            from dynattrs.mapper.upgrades import check_key_kept, is_outdated

            if is_outdated(info, item):
                check_key_kept(info, item, found)
        return obj

    def current(self, info: ModelInfo, item: Mapping[str, AttributeValue]) -> AttributeMap:
        """An item of a model as the model reads it: after its upgrades, by today's names.

        Raises:
            MappingError: An upgrade fails, or a newer program has written the item.
        """
        if not info.versioned and info.schema_attribute in item:
            check_first(info, item)
        if sealed := self.model_codec(info.cls).sealed:
            item = encrypted.unsealed(info, item, sealed)
        if not info.has_schema:
            return cast("AttributeMap", item)
        # Imported when the first item may be an old one.
        from dynattrs.mapper.upgrades import upgraded

        return upgraded(info, item, self._any)

    def rows(self, model: Any) -> RowReader | None:
        """How items of class *model* are read straight from bytes; None if only `load` reads them.

        Raises:
            ModelError: As `load`.
        """
        found: RowReader | None = self.readers.get(model, _NOT_ASKED)
        if found is not _NOT_ASKED:
            return found
        info = info_of(get_origin(model) or model)
        also = () if info is None else info.table.own_attributes
        return self._new_rows(model, model, partial(self.load, model=model), also, info)

    def projected_rows(
        self,
        model: type[Any],
        cls: type[Any],
        attributes: Mapping[str, str],
        load: Callable[..., Any],
    ) -> RowReader | None:
        """As `rows`, for items of a model, with a *cls* that has some of its fields.

        Args:
            model: The model.
            cls: The class to be made.
            attributes: The model's stored names, by those of *cls*.
            load: The general way from an attribute map of the model to *cls*.
        """
        key = model, cls, frozenset(attributes.items())
        found: RowReader | None = self.readers.get(key, _NOT_ASKED)
        if found is not _NOT_ASKED:
            return found
        info = model_info(model)
        if info.has_schema or self.model_codec(model).sealed:
            return None
        members = getattr(self.model_codec(cls), "members", ())
        if any(each.member.default is NO_VALUE for each in members):
            return None  # the model may have a default
        # What tells models apart is asked for beside the fields.
        tells = () if info.table.discriminator is None else (info.table.discriminator,)
        also = (*info.table.own_attributes, *tells)
        return self._new_rows(key, cls, load, also, info, attributes)

    def _new_rows(
        self,
        key: Any,
        cls: Any,
        load: Callable[..., Any],
        also: tuple[str, ...],
        info: ModelInfo | None,
        attributes: Mapping[str, str] | None = None,
    ) -> RowReader | None:
        with self._lock:
            # If hooks are registered meanwhile, this goes with what they make stale.
            rows = self.readers
            if key in rows:
                return rows[key]  # another thread was faster
            codec = self.model_codec(cls)
            made = None
            if isinstance(codec, ClassCodec) and not codec.sealed:
                # Generated, and msgspec imported, when a model is read and not before.
                from dynattrs.mapper.rows import RowReader

                with contextlib.suppress(ValueError):
                    keys = None if info is None else info.keys
                    made = RowReader(codec, load, also, _types(info), attributes, keys)
            rows[key] = made
            return made

    def _explain_dump(self, codec: Codec, obj: Any, error: Exception) -> AttributeMap:
        trail = Trail(type(obj).__name__)
        try:
            value = explain_dump(codec, obj, trail)
            return value["M"] if isinstance(codec, ClassCodec) else dump_hooked(codec, obj)
        except Exception as again:
            explained = again if isinstance(again, MappingError) else trail.error(again)
            raise explained from (cause_of(again) or cause_of(error))

    def _explain_load(self, codec: Codec, item: Mapping[str, AttributeValue], model: Any) -> Any:
        info = info_of(get_origin(model) or model)
        name = getattr(get_origin(model) or model, "__name__", str(model))
        trail = Trail(name, unknown=info.unknown if info else "keep")
        try:
            if isinstance(codec, ClassCodec):
                return codec.load_map_at(item, trail)
            return explain_load(codec, {"M": item}, trail)
        except Exception as error:
            explained = error if isinstance(error, MappingError) else trail.error(error)
            if info is not None and isinstance(item, Mapping):
                explained.key = key_of_item(info, item)
                explained.item = item
            raise explained from cause_of(error)

    # --- JSON ---

    def to_json(self, obj: Any) -> str:
        """Return *obj* as plain JSON: exact numbers, bytes as base64, sets as sorted lists.

        It has the fields, by their stored names, and no computed keys, also for objects inside other
        objects.

        Raises:
            MappingError: The same as in `dump`. Or `from_json` would read a different object, because no
                type says that a list is a set, or text is bytes: in attributes that the class does not know,
                and in `Any`.
        """
        item = self.dump(obj)
        info, codec = info_of(type(obj)), self.model_codec(type(obj))
        trail = Trail(type(obj).__name__)
        try:
            if info is not None and info.keys is not None:
                names = (codec.names or info.names).values()
                item = plain_items.fields_alone(obj, item, info.keys, names)
            return plain_items.plain_text(item, codec, trail)
        except Refused as refusal:
            raise trail.error(refusal) from None

    def from_json(self, text: str | bytes, model: type[T]) -> T:
        """Return the object of class *model* from plain JSON, as `to_json` makes it.

        Raises:
            MappingError: The text is not JSON, or not the JSON of a *model*.
            ModelError: *model* is a union; plain JSON does not tell its models apart.
        """
        if unions_of_models.is_union(model):
            raise ModelError(
                show_type(model),
                "plain JSON does not say which model of a union it is; name one",
            )
        codec, trail = self.model_codec(model), Trail(show_type(model))
        try:
            value = anything.from_plain(_object(anything.parse_json(text)), codec)
        except (Refused, ValueError, RecursionError) as error:
            raise trail.error(_refusal(error)) from error
        item: AttributeMap = value["M"]
        info = info_of(get_origin(model) or model)
        if info is None or info.keys is None or item.keys() >= {*info.table.key}:
            return self.load(item, model)
        found: type[T] = class_of(info, item, model)
        if found is not model:
            return cast("Mapper", model_info(found).mapper).from_json(text, found)
        try:
            current = self.current(info, item)
            return self._load(codec, plain_items.item_of_fields(current, info, info.keys), model)
        except Refused as refusal:
            raise trail.error(refusal) from None

    def to_dynamodb_json(self, obj: Any) -> str:
        """Return *obj* as DynamoDB JSON, `{"title": {"S": "..."}}`, as in the service's exports."""
        try:
            return anything.dynamodb_json(self.dump(obj))
        except Refused as refusal:
            raise Trail(type(obj).__name__).error(refusal) from None

    @overload
    def from_dynamodb_json(self, text: str | bytes, model: type[T]) -> T: ...
    @overload
    def from_dynamodb_json(self, text: str | bytes, model: UnionType) -> Any: ...
    def from_dynamodb_json(self, text: str | bytes, model: Any) -> Any:
        """Return the object of class *model*, or of one of a union of models, from DynamoDB JSON. An outer
        `{"Item": …}` is removed.

        Raises:
            OtherKind, MappingError, ModelError: The same as in `load`.
        """
        classes = (
            unions_of_models.members_of(model) if unions_of_models.is_union(model) else (model,)
        )
        names = {name for each in classes for name in (self.model_codec(each).names or {}).values()}
        try:
            item = _object(anything.parse_json(text))
            if item.keys() == {"Item"} and "Item" not in names:
                item = _object(item["Item"])
        except (Refused, ValueError, RecursionError) as error:
            raise Trail(show_type(model)).error(_refusal(error)) from error
        return self.load(item, model)

    def check(self, info: ModelInfo) -> None:
        """Find out now whether every field of a model can be stored.

        Raises:
            ModelError: A field cannot; it names the field and what to do.
            Undefined: An annotation is not defined yet.
        """
        if info.cls in self._codecs:
            # It was used before it was mapped: what was made then knows nothing of it.
            self._forget()
        try:
            codec = self.codec(info.cls)
        except Refused as refusal:
            raise as_model_error(info.cls, refusal) from None
        if ENCRYPTION in sys.modules:
            encrypted.check_places(info, codec)
        if "dynattrs.mapper.pynamodb_marks" in sys.modules:
            stored_forms.check_forms(info, codec)
        if LARGE_FIELDS in sys.modules:
            in_s3.check_places(info, codec)


def _types(info: ModelInfo | None) -> dict[str, str]:
    """The type tags of what a model's items have besides their fields."""
    if info is None:
        return {}
    types: dict[str, str] = {name: info.table.type_of(name) for name in info.table.key_attributes}
    if info.table.discriminator is not None:
        types[info.table.discriminator] = "S"
    return types


def _validating(codec: ClassCodec, dump: DumpAsRequest) -> DumpAsRequest:
    def validate_and_dump(obj: Any, *further: Any) -> Any:
        codec.validate(obj)
        return dump(obj, *further)

    return validate_and_dump


def _put_request(
    table: str, identity: tuple[object, ...], request: object, length: int, obj: object
) -> PutRequest:
    return request, length, identity


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("a JSON object", show(value))
    return value


def _refusal(error: Exception) -> Refused:
    return error if isinstance(error, Refused) else Refused("JSON", str(error))


def check_first(info: ModelInfo, item: Mapping[str, AttributeValue]) -> None:
    """Refuse an item that says a newer schema version to a model that knows of none.

    Raises:
        MappingError: It does.
    """
    stored: object = item[info.schema_attribute]
    text = stored.get("N") if isinstance(stored, Mapping) else None
    if info.schema_attribute in info.names.values() or text in (None, "1"):
        return
    # Imported when there is such an item.
    from dynattrs.mapper.upgrades import schema_version

    if isinstance(text, str) and text.isdecimal() and int(text) > 1:
        schema_version(info, item)


def mapper_of(model: Any) -> Mapper:
    """The mapper that a model was declared with."""
    return cast("Mapper", model_info(model).mapper)
