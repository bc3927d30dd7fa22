"""What one Python type and its stored form have to do with each other.

A `Codec` turns values of one type into attribute values (`{"S": "text"}`) and back. It has two
pairs of functions. `dump` and `load` are fast and say nothing useful when they fail. `dump_at` and
`load_at` do the same slowly and keep a `Trail`, so that the error can name the place inside the
item (`Order.lines[3].price`); they run only after a fast one has failed, and they are what decides:
a value that only the slow way can read is read.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from dynattrs.deferral import deferred
from dynattrs.errors import MappingError, ModelError
from dynattrs.late_classes import define, field, frozen
from dynattrs.quoting import quoted, shortened
from dynattrs.schema.definitions import have_one_name, two_names
from dynattrs.schema.field_rules import FieldRules
from dynattrs.schema.model_info import IN_S3, StoredForm, Unknown
from dynattrs.schema.table import AttributeMap, AttributeValue
from dynattrs.stored_bytes import with_bytes

#: It imports this module, and is imported when an update copies a field.
copies: Any = deferred("dynattrs.mapper.copies")

SCALARS: Final = frozenset({"S", "N", "B"})
SETS: Final[dict[str, str]] = {"S": "SS", "N": "NS", "B": "BS"}
NO_RULES: Final[Mapping[str, FieldRules]] = {}
ANY: Final = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})

_TYPE_NAMES: Final[dict[str, str]] = {
    "S": "a string (S)",
    "N": "a number (N)",
    "B": "bytes (B)",
    "BOOL": "a boolean (BOOL)",
    "NULL": "NULL",
    "L": "a list (L)",
    "M": "a map (M)",
    "SS": "a string set (SS)",
    "NS": "a number set (NS)",
    "BS": "a binary set (BS)",
}


class Refused(Exception):
    """A value was refused. The trail knows where; this knows what was expected there."""

    def __init__(self, expected: str, found: str, hint: str = "") -> None:
        found, hint = shortened(found), shortened(hint)
        super().__init__(expected, found, hint)
        self.expected = expected
        self.found = found
        self.hint = hint


class NeedsTrail(Exception):
    """The fast way met what only the slow way handles: attributes with no place to be kept."""


@define(eq=False, repr=False)
class Trail:
    """The way from a model to the value at hand."""

    model: str
    unknown: Unknown = "keep"
    parts: list[str] = field(factory=list)
    #: Places of nested attributes that the class there does not know and cannot keep.
    lost: list[str] = field(factory=list)

    def __str__(self) -> str:
        return self.model + "".join(self.parts)

    def error(self, cause: Exception) -> MappingError:
        if isinstance(cause, Refused):
            return MappingError(str(self), cause.expected, cause.found, None, cause.hint)
        if isinstance(cause, RecursionError):
            return MappingError(
                str(self), "a value that is not nested without end", "one that holds itself, or is too deep"
            )  # fmt: skip
        return MappingError(
            str(self),
            "a value the model accepts",
            f"{type(cause).__name__}: {shortened(str(cause))}",
        )


def show(value: object) -> str:
    """A Python value for an error message: its type and at most 60 characters of it."""
    return f"{type(value).__name__} {quoted(value)}"


def show_instead(value: object, *expected: type[object]) -> str:
    """As `show`, for a value of another class than those: it may have the name of one of them."""
    cls = type(value)
    for each in expected:
        if have_one_name(cls, each):
            found, wanted = two_names(cls, each)
            if wanted != each.__name__:
                return (
                    f"{show(value)}, where {wanted} is expected: define again what names that class"
                )
            return f"{show(value)}, which is of {found}: make it again"
    return show(value)


def show_stored(value: object) -> str:
    """An attribute value for an error message."""
    if isinstance(value, Mapping) and len(value) == 1:
        tag, payload = next(iter(value.items()))
        if tag == "NULL":
            return "NULL"
        if tag in ("L", "M"):
            return f"{tag} of {len(payload)}" if hasattr(payload, "__len__") else str(tag)
        if tag in ("B", "BS"):
            payload = with_bytes(value)[tag]
        return f"{tag} {quoted(payload)}"
    return f"{show(value)}, which is not an attribute value"


def is_value(value: object) -> bool:
    """Whether something is an attribute value: one type tag with its payload."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ANY


def names_of(tags: frozenset[str]) -> str:
    return " or ".join(_TYPE_NAMES[tag] for tag in sorted(tags))


@frozen(eq=False, repr=False)
class ListShape:
    """L, all members by one codec.

    Attributes:
        build: Makes the value of the list of its members.
        members: Takes the value apart again, or refuses it, where it is not a sequence that can be iterated.
    """

    element: Codec
    build: Callable[[Any], Any]
    members: Callable[[Any], list[Any]] | None = None


@frozen(eq=False, repr=False)
class SetShape:
    """SS, NS or BS, by *tag*, of members of *member_tag*; or L."""

    element: Codec
    tag: str
    member_tag: str
    build: Callable[[Any], Any]


@frozen(eq=False, repr=False)
class MapShape:
    """M whose names are text, all members by one codec."""

    element: Codec
    build: Callable[[Any], Any]


@frozen(eq=False, repr=False)
class KeyedMapShape:
    """M whose names are those that `name_of` makes of keys, all members by one codec.

    Attributes:
        key: The codec of the keys.
        build: Makes the value of a dict of keys and members.
    """

    name_of: Callable[[Any], str]
    element: Codec
    key: Codec
    build: Callable[[Any], Any]


@frozen(eq=False, repr=False)
class TupleShape:
    """L of a fixed length, each place by its own codec."""

    elements: tuple[Codec, ...]


@frozen(eq=False, repr=False)
class TypedDictShape:
    """M of named members; a name that is not among them has what *other* makes."""

    members: Mapping[str, Codec]
    required: frozenset[str]
    other: Codec


@frozen(eq=False, repr=False)
class AnyShape:
    """What the value's own type says."""


@frozen(eq=False, repr=False)
class UnionShape:
    """What one of several codecs makes, by the exact class of the value.

    Attributes:
        members: The codecs.
        tag: The name under which M says the class's name, if it does.
    """

    members: Mapping[Any, Codec]
    tag: str | None = None


@frozen(eq=False, repr=False)
class OptionalShape:
    """NULL, or what *inner* is."""

    inner: Codec


@frozen(eq=False, repr=False)
class ChoicesShape:
    """One of some values, by their types and themselves, each stored in its own way."""

    written: Mapping[tuple[type[Any], Any], AttributeValue]


@frozen(eq=False, repr=False)
class TextsShape(ChoicesShape):
    """S, one of some texts, each for one value."""

    values: Mapping[str, Any]


#: How a codec is made, as far as generated code can do the same without attribute values.
Shape: TypeAlias = (
    ListShape
    | SetShape
    | MapShape
    | KeyedMapShape
    | TupleShape
    | TypedDictShape
    | AnyShape
    | UnionShape
    | OptionalShape
    | ChoicesShape
)

Dump: TypeAlias = Callable[[Any], AttributeValue]
Load: TypeAlias = Callable[[AttributeValue], Any]
DumpAt: TypeAlias = Callable[[Any, Trail], AttributeValue]
LoadAt: TypeAlias = Callable[[AttributeValue, Trail], Any]
Plain: TypeAlias = Callable[[Any], AttributeValue]


class Codec:
    """How values of `type` are stored.

    Attributes:
        type: The annotation it was made for.
        tags: The type tags a stored value can have. None of an optional is not counted.
        expected: What a value should be, for messages.
        element: The codec of the members of a list, set or map.
        key: The codec of the keys of a map, where these are more than text.
        fields: The codecs of a class's fields, by attribute name in Python.
        names: The stored names of a class's fields, by attribute name in Python.
        optional: Whether None is among the values.
        is_set: Whether the values are sets, which are never stored empty.
        sparse: The fields of a class that are left out where they are None.
        required: The fields of a class, or names of a typed dict, without which nothing can be read.
        rules: What a class says of the values of its fields, by attribute name in Python.
        plain: How plain JSON is read, where the type itself says more than `element` and `fields`.
        shape: How it is made, where that is one of a few simple ways.
        compared: How values are stored that are compared with such ones: itself, unless storing
            rounds them.
        packed: What the service sees of a value that is packed into one attribute: `JSON text`,
            `compressed bytes`, `encrypted bytes` or `objects of S3`.
        mark: Of encrypted values, what `Encrypted` was told; of those in S3, what `InS3` was.
        form: How values are stored where that is not the usual way of the type, in words.
    """

    mark: Any = None
    #: Type tags that are read, too, and never written.
    besides: frozenset[str] = frozenset()
    #: What a value is stored as that stands in a class of its own, or of a type that was not made yet.
    wrapped: Codec | None = None
    #: The encrypted attributes of a class, with what `Encrypted` was told of each.
    sealed: Mapping[str, Any] = {}
    #: The same of those whose values may be in S3, and `InS3`.
    large: Mapping[str, Any] = {}

    def __init__(
        self,
        type: object,
        tags: frozenset[str],
        dump: Dump,
        load: Load,
        *,
        expected: str,
        dump_at: DumpAt | None = None,
        load_at: LoadAt | None = None,
        element: Codec | None = None,
        key: Codec | None = None,
        fields: Mapping[str, Codec] | None = None,
        names: Mapping[str, str] | None = None,
        optional: bool = False,
        is_set: bool = False,
        plain: Plain | None = None,
        sparse: frozenset[str] = frozenset(),
        required: frozenset[str] = frozenset(),
        rules: Mapping[str, FieldRules] = NO_RULES,
        shape: Shape | None = None,
        compared: Codec | None = None,
        packed: str = "",
        form: str = "",
    ) -> None:
        self.type = type
        self.tags = tags
        self.dump = dump
        self.load = load
        self.expected = expected
        self._dump_at = dump_at
        self._load_at = load_at
        self.element = element
        self.key = key
        self.fields = fields
        self.names = names
        self.optional = optional
        self.is_set = is_set
        self.plain = plain
        self.sparse = sparse
        self.required = required
        self.rules = rules
        self.shape = shape
        self.compared = self if compared is None else compared
        self.packed = packed
        self.form = form

    @property
    def tag(self) -> str | None:
        """The one type tag that stored values have, or None if there may be several."""
        return next(iter(self.tags)) if len(self.tags) == 1 else None

    @property
    def length(self) -> int | None:
        """The number of members that a list has always; None where it may have any."""
        container = self._container("L")
        shape = None if container is None else container.shape
        return len(shape.elements) if isinstance(shape, TupleShape) else None

    def reads(self, other: StoredForm) -> bool:
        """Whether what is stored as *other*, None apart, can be read as this. True where that is unknown."""
        return not isinstance(other, Codec) or bool(copies.can_read(self, other))

    def inside(self, step: str | int) -> Codec | None:
        """How the member of a list or map is stored, or the field of a class; None where there is none of
        that name or position. What nothing is known of is as it is itself.
        """
        container = self._container("L" if isinstance(step, int) else "M")
        if container is None:
            return None
        if isinstance(container.shape, TupleShape):
            elements = container.shape.elements
            return elements[step] if isinstance(step, int) and step < len(elements) else None
        if container.fields is None and container.element is None:
            return container
        return (container.fields or {}).get(str(step), container.element)

    def _container(self, tag: str) -> Codec | None:
        """What is stored as a list or map, of a type that may be other things too; None if nothing is."""
        if self.wrapped is not None:
            return self.wrapped._container(tag)
        if self.packed == IN_S3:
            return None
        shape = self.shape
        if isinstance(shape, OptionalShape):
            return shape.inner._container(tag)
        if isinstance(shape, UnionShape) and shape.tag is None:
            parts = [each for each in shape.members.values() if tag in each.tags]
            return parts[0]._container(tag) if parts else None
        return self

    def dump_at(self, value: object, trail: Trail) -> AttributeValue:
        if self._dump_at is not None:
            return self._dump_at(value, trail)
        try:
            return self.dump(value)
        except (Refused, MappingError):
            raise
        except Exception as error:
            raise Refused(self.expected, show(value), _reason(error)) from error

    def load_at(self, value: Any, trail: Trail) -> Any:
        if not is_value(value) or not self._accepts(value):
            raise Refused(names_of(self.tags), show_stored(value))
        if self._load_at is not None:
            return self._load_at(value, trail)
        try:
            return self.load(value)
        except (Refused, MappingError):
            raise
        except Exception as error:
            raise Refused(self.expected, show_stored(value), _reason(error)) from error

    def _accepts(self, value: Mapping[str, object]) -> bool:
        tag = next(iter(value))
        return (
            tag in self.tags
            or (self.optional and tag == "NULL")
            or (self.is_set and tag == "L")
            or tag in self.besides
        )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else ""


def cause_of(error: BaseException) -> BaseException | None:
    """What an error that explains *error* is raised from: the program's own, or what that of the library
    was raised from.
    """
    return error.__cause__ if isinstance(error, (Refused, MappingError)) else error


def parts_inside(codec: Codec, seen: set[int]) -> Iterator[Codec]:
    """What values of a codec hold, and what those hold. *seen* is empty at the outermost."""
    if id(codec) in seen:
        return
    seen.add(id(codec))
    shape: Any = codec.shape
    members = getattr(shape, "members", None)
    parts = [codec.element, codec.key, getattr(shape, "inner", None)]
    parts += [*(codec.fields or {}).values(), *getattr(shape, "elements", ())]
    parts += [*members.values()] if isinstance(members, Mapping) else []
    for part in parts:
        if part is not None:
            yield part
            yield from parts_inside(part, seen)


def explain_dump(codec: Codec, value: object, trail: Trail) -> AttributeValue:
    """Dump slowly, turning what goes wrong into a `MappingError` that names the place."""
    try:
        return codec.dump_at(value, trail)
    except MappingError:
        raise
    except Exception as error:
        raise trail.error(error) from cause_of(error)


def explain_load(codec: Codec, value: AttributeValue, trail: Trail) -> Any:
    """Load slowly, turning what goes wrong into a `MappingError` that names the place."""
    try:
        return codec.load_at(value, trail)
    except MappingError:
        raise
    except Exception as error:
        raise trail.error(error) from cause_of(error)


def load_value(
    label: str, form: StoredForm, value: AttributeValue, key: AttributeMap, item: AttributeMap
) -> Any:
    """One value of an item, whose place is called *label*.

    Raises:
        MappingError: It cannot be read. It names the place and the item.
    """
    try:
        return form.load(value)
    except Exception as error:
        expected, hint = getattr(error, "expected", form.expected), getattr(error, "hint", "")
        raise MappingError(label, expected, show_stored(value), key, hint, item) from error


def under(part: str, refusal: Refused, cls: type[object]) -> Refused:
    """The refusal of something inside a class, with the way to it."""
    refused = Refused(refusal.expected, refusal.found, refusal.hint)
    inner: list[tuple[str, str]] = getattr(refusal, "trail", [])
    refused.trail = [(cls.__name__, part), *inner]  # type: ignore[attr-defined]
    return refused


def as_model_error(cls: type[object], refusal: Refused) -> ModelError:
    """A refused field of a declaration as the error that names it."""
    trail: list[tuple[str, str]] = getattr(refusal, "trail", [])
    field = "".join(part for _, part in trail).lstrip(".") or None
    hint = f"; {refusal.hint}" if refusal.hint else ""
    return ModelError(
        cls.__name__, f"expected {refusal.expected}, found {refusal.found}{hint}", field
    )
