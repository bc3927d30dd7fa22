"""Fields whose large values are kept in S3: `Annotated[Large[T], InS3(bucket)]`.

A value is an object of S3 from so many bytes on, named after its content; the item has a small map that
says which. Below that it is stored in the item, as T is.

Nothing here asks S3. A codec makes a `Waiting` of a large value, which nothing can send: what sends a write
puts the object first, and the map in the place of the value. Reading makes a `Large` of the map, and who
wants the value fetches it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Generic,
    TypeVar,
    get_args,
    get_origin,
)

import attrs

from dynattrs import limits, utf8
from dynattrs.deferral import deferred
from dynattrs.errors import DynattrsError, ModelError
from dynattrs.mapper.annotations import CodecsOf, arms, show_type
from dynattrs.mapper.codec import Codec, OptionalShape, Refused, Trail, names_of, parts_inside, show
from dynattrs.mapper.containers import optional_codec
from dynattrs.mapper.departures import Kept, Place, Waiting, digest_of, is_map, place_of
from dynattrs.mapper.equality import comparable
from dynattrs.mapper.hints import is_class
from dynattrs.mapper.size import TooDeep, value_size
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ENCRYPTED, IN_S3, ModelInfo
from dynattrs.schema.table import AttributeValue
from dynattrs.stored_bytes import with_bytes

if TYPE_CHECKING:
    import msgspec

else:
    msgspec = deferred("msgspec")

T = TypeVar("T")

_ANNOTATED: Final[Any] = Annotated


class InS3:
    """`Annotated[Large[T], InS3(bucket)]` keeps large values in S3, for fields of models.

    The object is put before the item is written, and is named `{prefix}{table}/{SHA-256 of the content}`;
    nothing else is ever stored under that name. `session.fetch(obj.field)` reads it.

    Args:
        bucket: The bucket's name, or a function that gives it, for programs that know it later.
        above: A value is kept in S3 whose stored form has more bytes than this. It may change: every value
            is read from where it is.
        prefix: What the names of objects begin with: `"documents/"`.

    Raises:
        ModelError: An argument makes no sense.
    """

    def __init__(
        self, bucket: str | Callable[[], str], *, above: int = 100_000, prefix: str = ""
    ) -> None:
        if not callable(bucket):
            _check_bucket(bucket)
        if type(above) is not int or not 0 <= above <= limits.ITEM_BYTES:
            raise ModelError(
                "InS3", f"above={above!r}: an int of 0 to {limits.ITEM_BYTES:,} is expected"
            )
        if not _is_text(prefix) or prefix.startswith("/"):
            raise ModelError("InS3", f"prefix={prefix!r}: text like 'documents/' is expected")
        self._bucket = bucket
        self.above = above
        self.prefix = prefix

    @property
    def bucket(self) -> str:
        """The bucket's name.

        Raises:
            ModelError: The function gives something else.
        """
        return _check_bucket(self._bucket() if callable(self._bucket) else self._bucket)

    def folder(self, table: str) -> str:
        """What the names of all objects of a table begin with."""
        return f"{self.prefix}{table}/"

    def __repr__(self) -> str:
        return "InS3(...)" if callable(self._bucket) else f"InS3({self._bucket!r})"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and utf8.encodable(value)


def _check_bucket(bucket: object) -> str:
    if not isinstance(bucket, str) or not bucket:
        raise ModelError(
            "InS3", f"bucket: the name of a bucket is expected, found {quoted(bucket)}"
        )
    return bucket


# --- Values -------------------------------------------------------------------------------------


@attrs.define(eq=False, slots=False, repr=False)
class NotFetched(DynattrsError):
    """The value of a `Large` was used that is in S3."""

    place: Place

    def __str__(self) -> str:
        return (
            f"this value is in S3, as {self.place}: session.fetch(...) reads it "
            f"(await session.fetch(...) of an AsyncSession)"
        )


class Large(Generic[T]):
    """A value that may be kept in S3: `Document("d1", Large(text))`.

    One that was read from S3's map has no value of its own: `session.fetch(document.body)` gives it. It can
    be given to other objects, of other models as well: the content is copied inside of S3 where it has to
    be.

    Two are equal that have equal values, wherever these are.
    """

    __slots__ = ("__weakref__", "_codec", "_inner", "_map", "_stored", "_value", "place")

    #: Where in S3 it is; None where the value is here.
    place: Place | None

    def __init__(self, value: T) -> None:
        self._value = value
        self.place = None
        self._map: Message | None = None
        #: A value that was read from an item and is larger than today's limit.
        self._stored: AttributeValue | None = None
        self._codec: Codec | None = None
        self._inner: object = None

    @property
    def value(self) -> T:
        """The value.

        Raises:
            NotFetched: It is in S3.
        """
        if self.place is not None:
            raise NotFetched(self.place)
        return self._value

    def decoded(self, data: bytes) -> T:
        """The value whose stored form is the content of its object in S3.

        Raises:
            Refused: It is none of that type.
        """
        assert self.place is not None
        codec = self._known_codec()
        found: T = codec.load_at(_value_of(self.place.kind, data), Trail(""))
        return found

    def _as_new(self) -> None:
        """Let today's limit hold: it was not read from an item, as what it was read with would tell."""
        self._stored = None

    def _known_codec(self) -> Codec:
        if self._codec is None:  # it comes from another process
            from dynattrs.mapper import default

            self._codec = default.codec(self._inner)
        return self._codec

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Large):
            return NotImplemented
        if self.place is None and other.place is None:
            return bool(self._value == other._value)
        if self.place is None:
            return other._equals(self._value)
        if other.place is None:
            return self._equals(other._value)
        return (self.place.sha256, self.place.kind) == (other.place.sha256, other.place.kind)

    __hash__ = None  # type: ignore[assignment]

    def _equals(self, value: object) -> bool:
        """Whether a value is stored as this one, which is in S3."""
        try:
            kind, data = _content_of(self._known_codec().dump(value))
        except Exception:  # it is of another type
            return False
        place = self.place
        assert place is not None
        return (kind, len(data), digest_of(data)) == (place.kind, place.size, place.sha256)

    def __repr__(self) -> str:
        if self.place is None:
            return f"Large({quoted(self._value)})"
        return f"Large(<{self.place.size:,} bytes in {self.place}>)"

    def __copy__(self) -> Large[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Large[T]:
        if self.place is not None:
            return self
        made = Large(copy.deepcopy(self._value, memo))
        made._stored, made._codec, made._inner = self._stored, self._codec, self._inner
        return made

    def __reduce__(self) -> Any:
        if self.place is not None:
            return _unpickled, (dict(self._map or {}), self._inner)
        return Large, (self._value,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        raise ModelError(
            "Large", "a value that may be in S3 has no place in a request's or an answer's body: declare a "
            "class of what the body has, and fetch the value"
        )  # fmt: skip


def _unpickled(found: Message, content: object) -> Large[Any]:
    return _in_s3(found, None, content)


def _in_s3(found: Message, codec: Codec | None, content: object) -> Large[Any]:
    made: Large[Any] = Large(None)
    made.place, made._map = place_of(found), found
    made._codec, made._inner = codec, content
    return made


# --- The stored form ----------------------------------------------------------------------------


def _content_of(stored: AttributeValue) -> tuple[str, bytes]:
    """What an object of S3 has for an attribute value."""
    ((tag, payload),) = with_bytes(stored).items()
    if tag == "B":
        return "B", bytes(payload)
    if tag == "S":
        if not utf8.encodable(payload):
            raise Refused(utf8.EXPECTED, utf8.found(payload), utf8.HINT)
        return "S", payload.encode()
    return "JSON", msgspec.json.encode(_in_one_order({tag: payload}), order="deterministic")


def _in_one_order(value: AttributeValue) -> AttributeValue:
    """An attribute value whose sets are sorted: equal values are to have one name."""
    ((tag, payload),) = value.items()
    if tag in ("SS", "NS", "BS"):
        return {tag: sorted(payload)}
    if tag == "L":
        return {"L": [_in_one_order(each) for each in payload]}
    if tag == "M":
        return {"M": {name: _in_one_order(each) for name, each in payload.items()}}
    return value


_KINDS: Final = {"S": "text", "B": "bytes", "JSON": "neither text nor bytes"}


def _holds(codec: Codec, kind: str) -> bool:
    """Whether values of a codec may be in S3 as content of a kind."""
    return bool(codec.tags - {"S", "B"}) if kind == "JSON" else kind in codec.tags


def _value_of(kind: str, data: bytes) -> AttributeValue:
    if kind == "JSON":
        found: AttributeValue = with_bytes(msgspec.json.decode(data))
        return found
    return {"S": data.decode()} if kind == "S" else {"B": data}


# --- The codec ----------------------------------------------------------------------------------


def large_codec(codecs: CodecsOf, type_: object) -> Codec:
    """`Annotated[Large[T], InS3(bucket)]`, by the codec of T; the marks before `InS3` are T's.

    Raises:
        Refused: It is said of another type, or together with `Encrypted`.
    """
    inner_type, *marks = get_args(type_)
    mark: InS3 = marks.pop()
    some = [each for each in arms(inner_type) if each is not type(None)]
    if len(some) != 1 or get_origin(some[0]) is not Large:
        shown = show_type(inner_type)
        bare = len(some) == 1 and is_class(some[0]) and issubclass(some[0], Large)
        wanted = "Large[bytes]" if bare else f"Large[{shown}]"
        raise Refused(
            f"Annotated[{wanted}, InS3(...)]", f"Annotated[{shown}, InS3(...)]",
            "a value that may be in S3 is read when session.fetch(...) asks for it",
        )  # fmt: skip
    (content,) = get_args(some[0])
    if marks:
        marked = (content, *marks)
        content = _ANNOTATED[marked]
    inner = codecs.codec(content)
    if inner.packed == ENCRYPTED:
        raise Refused(
            "InS3 without Encrypted", show_type(type_),
            "let the bucket encrypt its objects with a KMS key, or encrypt the bytes before they are saved",
        )  # fmt: skip
    if isinstance(inner.shape, OptionalShape):
        raise Refused(
            "Large[T] | None",
            f"{show_type(some[0])}",
            "a field that may be None has no value in S3",
        )
    made = _codec(type_, inner, mark, content)
    return optional_codec(type_, made) if type(None) in arms(inner_type) else made


def _codec(type_: object, inner: Codec, mark: InS3, content: object) -> Codec:
    def dump(value: Any) -> AttributeValue:
        return dumped(value, inner.dump)

    def dump_at(value: object, trail: Trail) -> AttributeValue:
        return dumped(value, lambda each: inner.dump_at(each, trail))

    def dumped(value: object, dump_inner: Callable[[Any], AttributeValue]) -> AttributeValue:
        if type(value) is not Large:
            raise Refused("a Large", show(value), "write Large(...) around the value")
        if value.place is not None:
            kind = value.place.kind
            # What this field has read it gives back, whatever it is.
            if value._codec is not inner and not _holds(inner, kind):
                raise Refused(
                    f"{inner.expected} in a Large", f"{value!r}, which has {_KINDS[kind]}"
                )
            return {"M": Kept(value._map or {}, mark)}
        stored = dump_inner(value._value)
        if "NULL" in stored:
            raise Refused("a value in the Large", "None", "a field without one is None itself")
        if not is_map(stored):
            if _size(stored) <= mark.above:
                return stored
            before = value._stored
            if before is not None and comparable(before) == comparable(stored):
                return stored
        return {"B": Waiting(mark, *_content_of(stored))}

    def load(value: AttributeValue) -> Any:
        return loaded(value, inner.load)

    def load_at(value: AttributeValue, trail: Trail) -> Any:
        return loaded(value, lambda each: inner.load_at(each, trail))

    def loaded(value: AttributeValue, load_inner: Callable[[AttributeValue], Any]) -> Large[Any]:
        if is_map(value):
            return _in_s3(value["M"], inner, content)
        waiting = value.get("B")
        if type(waiting) is Waiting:  # of an item that is only being made
            return Large(load_inner(_value_of(waiting.kind, waiting.data)))
        if "NULL" in value or not inner._accepts(value):
            raise Refused(
                f"{names_of(inner.tags)}, or a map that says where in S3 it is", "another map"
            )
        made = Large(load_inner(value))
        if _size(value) > mark.above:
            made._stored = value
        return made

    made = Codec(
        type_, inner.tags | {"M"} | ({"L"} if inner.is_set else frozenset()), dump, load,
        expected=f"{inner.expected} in a Large", dump_at=dump_at, load_at=load_at, packed=IN_S3,
    )  # fmt: skip
    made.mark = mark
    return made


def _size(stored: AttributeValue) -> int:
    try:
        return value_size(stored, 1)
    except (TooDeep, UnicodeEncodeError):  # an item does not hold it
        return limits.ITEM_BYTES + 1


def check_places(info: ModelInfo, codec: Codec) -> None:
    """Refuse values that may be in S3 anywhere but in fields of a model itself.

    Raises:
        ModelError: There is one.
    """
    for name, each in (codec.fields or {}).items():
        if each.packed == IN_S3 and each.mark is None:
            problem = "a Large is no member of a union: Annotated[Large[A | B], InS3(...)] is one"
        elif each.packed != IN_S3 and any(
            part.packed == IN_S3 for part in parts_inside(each, set())
        ):
            problem = (
                "a Large inside of this field would not be kept in S3: put InS3 on the field itself, "
                "Annotated[Large[...], InS3(...)], or declare it as a field of the model"
            )
        else:
            continue
        raise ModelError(info.name, problem, name)
