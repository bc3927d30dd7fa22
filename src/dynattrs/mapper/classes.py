"""Codecs of classes, and of typed dicts.

A codec is handed what generates its fast functions, one for each direction, which handle what is
right. When one fails, the same item goes through the interpreted functions here, which know the
place of every value, and which also handle what has no fast path: attributes that a nested class does
not know and has no place for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from typing import Any, Final, TypeAlias

import attrs

from dynattrs.errors import MappingError
from dynattrs.late_classes import frozen
from dynattrs.mapper.annotations import is_encrypted
from dynattrs.mapper.anything import check_name, native_map
from dynattrs.mapper.carried import Carried, carried_by, carry, set_attribute
from dynattrs.mapper.class_kinds import (
    MISSING,
    Member,
    Record,
    rules_of,
    unseen_rules,
)
from dynattrs.mapper.codec import (
    Codec,
    OptionalShape,
    Refused,
    Trail,
    TypedDictShape,
    explain_load,
    names_of,
    show,
    show_instead,
    show_stored,
)
from dynattrs.mapper.key_rules import restore_key
from dynattrs.quoting import quoted
from dynattrs.schema.field_rules import FieldRules, ReadsObject, raised
from dynattrs.schema.model_info import ENCRYPTED, IN_S3, ComputedKeys, ModelInfo, Unknown
from dynattrs.schema.table import AttributeMap, AttributeValue

DumpMap: TypeAlias = Callable[[Any], AttributeMap]
LoadMap: TypeAlias = Callable[[Mapping[str, AttributeValue]], Any]

# `attrs.Factory` is a class that its stubs declare as a function.
_FACTORY: Final[Any] = attrs.Factory
#: What an attribute is that `del` has taken from its object.
_DELETED: Final = object()


@frozen(eq=False, repr=False)
class Generators:
    """What makes the fast functions of a class, at their first use."""

    dump: Callable[[ClassCodec], DumpMap]
    load: Callable[[ClassCodec], LoadMap]


@frozen(eq=False, repr=False)
class FieldCodec:
    """A member with its codec and the rule for what is left out."""

    member: Member
    codec: Codec

    @property
    def name(self) -> str:
        return self.member.name

    @property
    def stored(self) -> str:
        return self.member.stored

    @property
    def always_set(self) -> bool:
        """A set that is never None: never stored empty, absent reads as empty."""
        return self.codec.is_set and not self.codec.optional

    def absent(self) -> Refused:
        """The refusal of an item that lacks it, where it has no default."""
        tags = names_of(self.codec.tags)
        return Refused(
            f"{tags if len(self.codec.tags) < 4 else 'a value'} in the attribute {self.stored!r}",
            "no such attribute",
            "give the field a default if items may lack it",
        )

    def left_out(self, value: object) -> bool:
        """The one rule for None and empty sets (see the mapping guide)."""
        if value is None:
            return self.member.defaults_to_none
        return self.always_set and not value and isinstance(value, (set, frozenset))


class ClassCodec(Codec):
    """The codec of a class. `dump_map` and `load_map` work on attribute maps without the M.

    It is made without its members and completed with `fill`, so that the codec of a class that
    holds itself can be named by those of its own fields.
    """

    def __init__(
        self,
        type: object,
        record: Record,
        generators: Generators,
        *,
        unknown: Unknown | None,
        carries: bool,
        keys: ComputedKeys | None = None,
        evolves: ModelInfo | None = None,
        model: ModelInfo | None = None,
        null_is_absent: bool = False,
    ) -> None:
        self.record = record
        #: Whether NULL counts as no attribute, in a field that is never None.
        self.null_is_absent = null_is_absent
        self.members: tuple[FieldCodec, ...] = ()
        self.unknown: Unknown | None = unknown
        self.carries = carries
        #: What is known of the class, where it is a model.
        self.model = model
        #: How key attributes are computed, where the class is a model with key templates.
        self.keys = keys
        # Computed attributes are known, so they are neither refused nor carried on the instance.
        computed = () if keys is None else keys.attributes
        #: The model, where its items may be of an older schema: their former names are known.
        self.evolves = evolves
        formerly = () if evolves is None else tuple(evolves.formerly)
        if evolves is not None and evolves.versioned:
            formerly += (evolves.schema_attribute,)
        self.known = frozenset(
            (*(member.stored for member in record.members), *computed, *formerly)
        )
        self._fields: dict[str, Codec] = {}
        # Generated at first use: a program declares many classes and may use few.
        self._generators = generators
        self.dump_map: DumpMap = self._first_dump
        self.load_map: LoadMap = self._first_load
        super().__init__(
            type,
            frozenset({"M"}),
            lambda value: {"M": self.dump_map(value)},
            lambda value: self.load_map(value["M"]),
            expected=f"a {record.cls.__name__}",
            dump_at=lambda value, trail: {"M": self.dump_map_at(value, trail)},
            load_at=lambda value, trail: self.load_map_at(value["M"], trail),
            fields=self._fields,
            names={member.name: member.stored for member in record.members},
            sparse=frozenset(each.name for each in record.members if each.defaults_to_none),
            required=frozenset(
                each.name for each in record.members if each.init and each.default is MISSING
            ),
            rules=_rules_of(record),
        )
        #: Of values that may have become others without their validators.
        self._unseen = unseen_rules(record, self.rules)

    @cached_property
    def validates(self) -> bool:
        """Whether values in its objects may become others without their validators."""
        return bool(self._unseen or self._validating)

    @cached_property
    def _validating(self) -> tuple[FieldCodec, ...]:
        """The fields inside whose objects that is so."""
        return tuple(each for each in self.members if _validates(each.codec, set()))

    def validate(
        self, obj: object, changed: Collection[str] | None = None, label: str | None = None
    ) -> None:
        """Let the validators see what an object has now and they may not know: in all its fields,
        or in the attributes that have *changed*. The object is called *label* in what is raised.

        Raises:
            MappingError: One refuses it.
        """
        label = label or self.record.cls.__name__
        for rules in self._unseen:
            name: str = rules.field.name
            if changed is None or (self.names or {})[name] in changed:
                value = getattr(obj, name, _DELETED)
                if value is not _DELETED:  # the mapper says that it is missing
                    rules.check(f"{label}.{name}", value, obj)
        for field in self._validating:
            if changed is None or field.stored in changed:
                value = getattr(obj, field.name, _DELETED)
                _validate(field.codec, value, f"{label}.{field.name}")

    def fill(self, members: tuple[FieldCodec, ...]) -> None:
        self.members = members
        self._fields.update({member.name: member.codec for member in members})
        self.sealed = {
            each.stored: each.codec.mark for each in members if each.codec.packed == ENCRYPTED
        }
        self.large = {
            each.stored: each.codec.mark for each in members if each.codec.packed == IN_S3
        }

    def _first_dump(self, value: object) -> AttributeMap:
        self.dump_map = self._generators.dump(self)
        return self.dump_map(value)

    def _first_load(self, item: Mapping[str, AttributeValue]) -> Any:
        self.load_map = self._generators.load(self)
        return self.load_map(item)

    # --- The slow way ---

    def check_class(self, value: object) -> None:
        if type(value) is not self.record.cls:
            hint = ""
            if isinstance(value, self.record.cls):
                hint = (
                    "a subclass would lose its own fields; declare a union of the classes, or "
                    "apply cattrs' include_subclasses to the mapper"
                )
            found = show_instead(value, self.record.cls)
            raise Refused(f"a {self.record.cls.__name__}", found, hint)

    def dump_map_at(self, value: object, trail: Trail) -> AttributeMap:
        self.check_class(value)
        item: AttributeMap = {}
        for field in self.members:
            trail.parts.append(f".{field.name}")
            each = getattr(value, field.name)
            if not field.left_out(each):
                item[field.stored] = field.codec.dump_at(each, trail)
            trail.parts.pop()
        if self.carries:
            item.update(self.kept_by(value))
            if self.plain_key:
                restore_key(value, item)
        return item

    @property
    def plain_key(self) -> bool:
        """Whether it is a model whose items have their key when their fields are written."""
        return self.model is not None and self.keys is None

    def kept_by(self, value: object) -> AttributeMap:
        """The unknown attributes to write back.

        Raises:
            Refused: Some were in nested classes, which could not keep them.
        """
        carried = carried_by(value)
        if carried.lost:
            raise Refused(
                "an item whose attributes are all known where they are nested",
                f"unknown attributes at {', '.join(carried.lost)}",
                "saving the whole item would erase them: declare the model with "
                "unknown='drop' if that is meant, or add the fields to the nested class",
            )
        # What an old pickle carries may have become a field since.
        return {name: value for name, value in carried.attributes.items() if name not in self.known}

    def load_member(
        self, name: str, item: Mapping[str, AttributeValue], label: str | None = None
    ) -> Any:
        """One field of an item, with its default where it is absent; None where that is made of the whole
        object. Neither its converter nor its validator sees it.

        Raises:
            MappingError: It is stored as something else, or absent without a default. It names the place
                *label*.
        """
        field = next(each for each in self.members if each.name == name)
        trail = Trail(label or f"{self.record.cls.__name__}.{name}")
        if self.has(field, item):
            return explain_load(field.codec, item[field.stored], trail)
        if field.always_set:
            return field.codec.load({"L": []})
        default = field.member.default
        if isinstance(default, _FACTORY):
            return None if default.takes_self else default.factory()
        if default is MISSING and field.member.init:
            raise trail.error(field.absent())
        return None if default is MISSING else default

    def converted(self, name: str, value: Any, label: str) -> Any:
        """The value of a field as objects have it: after its converter, where that needs no object.

        Raises:
            MappingError: The converter refuses it.
        """
        rules = self.rules.get(name)
        if rules is None:
            return value
        try:
            return _converted(rules, value, label)
        except ReadsObject:
            return value

    def load_map_at(self, item: Mapping[str, AttributeValue], trail: Trail) -> Any:
        if not isinstance(item, Mapping):
            raise Refused("an attribute map", show(item))
        mode = self.unknown or trail.unknown
        outer = trail.unknown
        trail.unknown = mode
        lost_before = len(trail.lost)
        arguments: dict[str, Any] = {}
        later: dict[str, Any] = {}
        for field in self.members:
            trail.parts.append(f".{field.name}")
            target = arguments if field.member.init else later
            name = field.member.argument if field.member.init else field.name
            if self.has(field, item):
                target[name] = field.codec.load_at(item[field.stored], trail)
            elif field.always_set:
                target[name] = field.codec.load({"L": []})
            elif self.null_is_absent and field.member.reads_as_none:
                target[name] = None  # the constructor may have no such default
            elif field.member.default is MISSING and field.member.init:
                raise field.absent()
            trail.parts.pop()
        instance = self._built(arguments, str(trail))
        for name, value in later.items():
            set_attribute(instance, name, value)
        extra = {name: value for name, value in item.items() if name not in self.known}
        if extra and mode == "forbid":
            raise Refused(
                f"only attributes that {self.record.cls.__name__} knows",
                f"also {', '.join(map(quoted, extra))}",
                "the model is declared with unknown='forbid'",
            )
        if mode == "keep":
            if self.carries:
                lost = tuple(trail.lost[lost_before:])
                del trail.lost[lost_before:]
                if extra or lost:
                    carry(instance, Carried(native_map(extra), lost))
            elif extra:
                trail.lost.extend(f"{trail}.{name}" for name in extra)
        trail.unknown = outer
        return instance

    def has(self, field: FieldCodec, item: Mapping[str, AttributeValue]) -> bool:
        """Whether an item has a value for a field."""
        value = item.get(field.stored)
        if value is None or not self.null_is_absent or field.codec.optional:
            return value is not None
        return "NULL" not in value

    def _built(self, arguments: Mapping[str, Any], label: str) -> Any:
        try:
            return self.record.build(**arguments)
        except Exception as error:
            refused = error
        # After it was handled: validators that refuse a value again would raise in its context.
        try:
            self._name_refused(arguments, label)
            raise refused
        finally:
            del refused  # it would be a cycle with its traceback

    def _name_refused(self, arguments: Mapping[str, Any], label: str) -> None:
        """Say which field's converter or validator refused to let an object be made of *arguments*.

        Raises:
            MappingError: It was one, and it names the field.
        """
        for field in self.members:
            rules, argument = self.rules.get(field.name), field.member.argument
            if rules is not None and argument in arguments:
                where, value = f"{label}.{field.name}", arguments[argument]
                try:
                    value = _converted(rules, value, where)
                except ReadsObject:
                    continue
                rules.check(where, value)


def _converted(rules: FieldRules, value: Any, label: str) -> Any:
    try:
        return rules.stored(value)
    except ReadsObject:
        raise
    except Exception as error:
        expected, hint = "a value that its converter takes", f"it raised {raised(error)}"
        raise MappingError(label, expected, show(value), hint=hint) from error


def held(codec: Codec) -> Codec:
    """The codec of what an optional one holds; of another itself."""
    return codec.shape.inner if isinstance(codec.shape, OptionalShape) else codec


def _validates(codec: Codec, seen: set[int]) -> bool:
    """Whether values of a codec are, or hold, objects whose validators have to see them again."""
    codec = held(codec)
    if isinstance(codec, ClassCodec):
        if codec._unseen or id(codec) in seen:
            return bool(codec._unseen)
        seen.add(id(codec))
        return any(_validates(each.codec, seen) for each in codec.members)
    return codec.element is not None and _validates(codec.element, seen)


def _validate(codec: Codec, value: Any, label: str) -> None:
    codec = held(codec)
    if isinstance(codec, ClassCodec):
        if type(value) is codec.record.cls:
            codec.validate(value, label=label)
    elif codec.element is not None and isinstance(value, Collection):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for place, each in pairs:
            _validate(codec.element, each, f"{label}[{quoted(place)}]")


# --- Typed dicts ------------------------------------------------------------------------------


def typed_dict_codec(
    type_: object,
    names: Iterable[str],
    members: Mapping[str, Codec],
    required: frozenset[str],
    other: Codec,
    check_name: Callable[[Any], str] = check_name,
) -> Codec:
    """M of named members. A key that the type does not name is kept as `Any`: a dict has room.

    *members* may be filled later, so that a typed dict can hold itself.
    """

    def dump_at(value: object, trail: Trail) -> AttributeValue:
        if not isinstance(value, Mapping):
            raise Refused("a dict", show(value))
        missing = required - value.keys()
        if missing:
            raise Refused(f"the keys {_listed(required)}", f"no {_listed(missing)}")
        out = {}
        for name, each in value.items():
            trail.parts.append(f"[{quoted(name)}]")
            out[check_name(name)] = members.get(name, other).dump_at(each, trail)
            trail.parts.pop()
        return {"M": out}

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        missing = required - value["M"].keys()
        if missing:
            raise Refused(f"the keys {_listed(required)}", f"no {_listed(missing)}")
        out = {}
        for name, each in value["M"].items():
            trail.parts.append(f"[{quoted(name)}]")
            out[name] = members.get(name, other).load_at(each, trail)
            trail.parts.pop()
        return out

    def dump(value: object) -> AttributeValue:
        if not isinstance(value, Mapping) or not required <= value.keys():
            raise Refused("a dict", show(value))
        return {
            "M": {
                check_name(name): members.get(name, other).dump(each)
                for name, each in value.items()
            }
        }

    def load(value: AttributeValue) -> Any:
        if not required <= value["M"].keys():
            raise Refused("a map", show_stored(value))
        return {name: members.get(name, other).load(each) for name, each in value["M"].items()}

    return Codec(
        type_, frozenset({"M"}), dump, load, expected="a dict",
        dump_at=dump_at, load_at=load_at, fields=members, names={name: name for name in names},
        required=required, shape=TypedDictShape(members, required, other),
    )  # fmt: skip


def _listed(names: frozenset[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _rules_of(record: Record) -> Mapping[str, FieldRules]:
    """The rules of a class's fields; those of encrypted ones show no values."""
    rules = rules_of(record.cls)
    secret = {each.name for each in record.members if is_encrypted(each.type)} & rules.keys()
    return {**rules, **{name: attrs.evolve(rules[name], secret=True) for name in secret}}
