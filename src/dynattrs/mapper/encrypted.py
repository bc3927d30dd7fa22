"""Fields that are encrypted where they are stored: `Annotated[T, Encrypted(keys)]`.

What the service sees is B: a version, the name of the data key, and the value's attribute value as JSON,
encrypted with AES-256 in SIV mode (RFC 5297). The item's primary key and the attribute's name are
authenticated with it, so a value that was moved to another item or attribute cannot be read. The mode needs
no random numbers: a value that is stored again in the same place, under the same data key, has the same
bytes. So `edit` finds what has changed, and a transaction keeps its token.

A codec knows values and no items. It makes an `Unsealed` of a value, which nothing can send, and the mapper
seals it when it has the whole item; reading goes the other way, with `Opened`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from dynattrs.deferral import deferred
from dynattrs.errors import DynattrsError, MappingError, MissingExtra, ModelError
from dynattrs.late_classes import define
from dynattrs.mapper import scalars
from dynattrs.mapper.annotations import is_encrypted
from dynattrs.mapper.codec import Codec, Refused, names_of, parts_inside
from dynattrs.mapper.containers import optional_codec
from dynattrs.mapper.key_rules import key_of_item
from dynattrs.schema.model_info import ENCRYPTED, ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue
from dynattrs.stored_bytes import with_bytes

if TYPE_CHECKING:
    import msgspec
else:
    msgspec = deferred("msgspec")

#: The first byte, and how many bytes say how long the name of the data key is.
_VERSION: Final = b"\x01"
_LENGTH: Final = 2
_DOMAIN: Final = b"dynattrs encrypted attribute 1"
#: With all digits of a number, whatever the program's own context is.
_EXACT: Final = Context(prec=60)
#: How many bytes more than the text SIV mode has.
_MORE: Final = 16
#: Bytes of a data key: AES-256 in SIV mode has two keys.
KEY_BYTES: Final = 64


@runtime_checkable
class Keys(Protocol):
    """Where data keys come from. `StaticKeys` and `KmsKeys` are two; a class of your own may be another.

    Its methods are called from any thread, and under asyncio in the event loop.
    """

    def current(self) -> tuple[bytes, bytes]:
        """The data key to encrypt with: its name, at most 65,535 bytes, which is stored with each value,
        and the key itself, 64 bytes.

        Raises:
            KeyUnavailable: There is none at the moment.
        """
        ...

    def key(self, name: bytes) -> bytes:
        """The data key of a name.

        Raises:
            KeyUnavailable: It cannot be had.
        """
        ...


@define(eq=False, slots=False, repr=False)
class KeyUnavailable(DynattrsError):
    """A data key cannot be had: it is not among those that were given, or KMS has refused it.

    An item is not unreadable because of that, so `on_error("skip")` does not skip it.
    """

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


class Encrypted:
    """`Annotated[T, Encrypted(keys)]` is stored as B, encrypted, for fields of models.

    None is stored as in any field, and so is absence: that a value is there can be seen, and `exists` and
    `is_none` ask it. Any other condition on the field is refused, and it is in no key.

    Args:
        keys: Where data keys come from: `StaticKeys`, `KmsKeys`, or a function that gives such, for programs
            that know it later.
        accept_plain: Read values as well that are stored without encryption, from before the field had it.

    Raises:
        ModelError: *keys* is something else.
    """

    def __init__(self, keys: Keys | Callable[[], Keys], *, accept_plain: bool = False) -> None:
        if not isinstance(keys, Keys) and not callable(keys):
            raise ModelError(
                "Encrypted", f"keys: StaticKeys, KmsKeys or a function that gives such is expected, found "
                f"{type(keys).__name__}"
            )  # fmt: skip
        self._keys = keys
        self.accept_plain = accept_plain

    @property
    def keys(self) -> Keys:
        """Where data keys come from.

        Raises:
            ModelError: The function gives something else.
        """
        if isinstance(self._keys, Keys):
            return self._keys
        found = self._keys()
        if not isinstance(found, Keys):
            raise ModelError(
                "Encrypted", f"keys gave {type(found).__name__}, which gives no data keys"
            )
        return found

    def __repr__(self) -> str:
        return "Encrypted(...)"


class Unsealed:
    """A value on its way into an item that it belongs to. It is not bytes, so nothing can send it as such."""

    # (Not `value`, which is what botocore's binary values have.)
    __slots__ = ("mark", "plain")

    def __init__(self, plain: AttributeValue, mark: Encrypted) -> None:
        self.plain = plain
        self.mark = mark

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unsealed) and self.plain == other.plain

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        """How many bytes it will have at the least: the name of the data key is not known."""
        return len(msgspec.json.encode(self.plain)) + len(_VERSION) + _LENGTH + _MORE

    def __repr__(self) -> str:
        return "<a value that is not encrypted yet>"


class Opened(bytes):
    """What was in a sealed value, on its way into an object."""

    plain: AttributeValue

    @classmethod
    def of(cls, plain: AttributeValue) -> Opened:
        made = cls()
        made.plain = plain
        return made


def opened(value: AttributeValue) -> AttributeValue:
    """What is inside of a value that was opened; another as it is."""
    there: object = value  # an item may hold anything
    payload = there.get("B") if isinstance(there, Mapping) else None
    return payload.plain if type(payload) is Opened else value


def opened_again(value: AttributeValue) -> AttributeValue:
    """A value as it would be inside of an item whose encrypted attributes were opened."""
    return value if "NULL" in value else {"B": Opened.of(value)}


def encrypted_codec(type_: object, inner: Codec, mark: Encrypted) -> Codec:
    """`Annotated[T, Encrypted(keys)]`, by the codec of T."""
    bare = getattr(inner.shape, "inner", None)
    if inner.optional and bare is not None:
        return optional_codec(type_, encrypted_codec(type_, bare, mark))

    def dump(value: object) -> AttributeValue:
        try:
            return {"B": Unsealed(inner.dump(value), mark)}
        except Exception as error:
            raise _secretly(inner.expected, type(value).__name__, error) from None

    def load(value: AttributeValue) -> Any:
        payload = value.get("B")
        if type(payload) is not Opened:
            raise Refused(
                "a value that was decrypted with its item", "one alone",
                "read whole objects, or select() the field in a query",
            )  # fmt: skip
        try:
            return inner.load(payload.plain)
        except Exception as error:
            raise _secretly(inner.expected, names_of(frozenset(payload.plain)), error) from None

    made = Codec(
        type_, frozenset({"B"}), dump, load,
        expected=f"{inner.expected}, encrypted", packed=ENCRYPTED,
    )  # fmt: skip
    made.mark = mark
    return made


def _secretly(expected: str, found: str, error: Exception) -> Refused:
    """What is wrong with a value, without the value."""
    return Refused(
        getattr(error, "expected", expected), found, "its value is not shown: it is encrypted"
    )


# --- Items ----------------------------------------------------------------------------------------


def check_places(info: ModelInfo, codec: Codec) -> None:
    """Refuse encrypted values anywhere but in fields of a model itself.

    Raises:
        ModelError: There is one.
    """
    record: Any = getattr(codec, "record", None)
    members = () if record is None else record.members
    secret = {each.name for each in members if is_encrypted(each.type)}
    for name, each in (codec.fields or {}).items():
        options = [
            role for role in ("version", "created", "updated") if getattr(info, role) == name
        ]
        if info.names[name] == info.table.ttl_attribute:
            options.append("ttl")
        if options and name in secret:
            raise ModelError(
                info.name,
                f"{options[0]}=True: the service, or a save, reads and writes it, so it is not encrypted",
                name,
            )
        if each.packed == ENCRYPTED and each.mark is None:
            raise ModelError(
                info.name,
                "an encrypted value is not a member of a union: encrypt the union, "
                "Annotated[A | B, Encrypted(keys)]",
                name,
            )
        if each.packed == ENCRYPTED:
            continue
        if any(inside.packed == ENCRYPTED for inside in parts_inside(each, set())):
            raise ModelError(
                info.name,
                "an encrypted value inside of this field would belong to no item: put Encrypted on the field "
                "itself, Annotated[..., Encrypted(keys)], which encrypts all that is in it",
                name,
            )


def seal(info: ModelInfo, item: AttributeMap) -> None:
    """Encrypt what is to be encrypted in an item that is whole.

    Raises:
        KeyUnavailable: There is no data key.
    """
    key: bytes | None = None
    for name, value in item.items():
        payload = value.get("B")
        if type(payload) is Unsealed:
            key = _identity(info, item) if key is None else key
            item[name] = _sealed(payload, name, key)


def sealed_value(info: ModelInfo, key: AttributeMap, attribute: str, value: AttributeValue) -> Any:
    """A value that is put into an item alone, as an update does it.

    Args:
        info: The model.
        key: The item's primary key.
        attribute: Where the value is put.
        value: It may be any: others stay as they are.
    """
    payload = value.get("B")
    if type(payload) is not Unsealed:
        return value
    return _sealed(payload, attribute, _identity(info, key))


def unsealed(
    info: ModelInfo, item: Mapping[str, AttributeValue], marks: Mapping[str, Encrypted]
) -> AttributeMap:
    """An item whose encrypted attributes can be read. *item* itself is left alone.

    Args:
        info: The model.
        item: The item; it has its primary key.
        marks: The encrypted attributes.

    Raises:
        MappingError: A value is not encrypted, was changed, or belongs to another item or attribute.
        KeyUnavailable: Its data key cannot be had.
    """
    found = dict(item)
    names: dict[str, tuple[str, ...]] = {name: (name,) for name in marks}
    for old, name in info.formerly.items():
        if name in names and old in item:
            names[old] = (old, name)
    for stored, among in names.items():
        value: Any = item.get(stored)
        if value is None or (isinstance(value, Mapping) and "NULL" in value):
            continue
        mark = marks[among[-1]]
        opened = _opened(info, item, stored, value, mark)
        found[stored] = {"B": Opened.of(opened)}
    return found


def _opened(
    info: ModelInfo, item: Mapping[str, AttributeValue], name: str, value: Any, mark: Encrypted
) -> AttributeValue:
    field = next((each for each, stored in info.names.items() if stored == name), name)

    def refused(found: str, hint: str) -> MappingError:
        return MappingError(
            f"{info.name}.{field}", "a value that was encrypted for this item", found,
            key_of_item(info, item), hint, dict(item),
        )  # fmt: skip

    if type(value.get("B") if isinstance(value, Mapping) else None) is Unsealed:
        making: Unsealed = value["B"]  # of an item that is only being made
        return making.plain
    parts = _parts(value)
    if parts is None:
        if mark.accept_plain:
            plain: AttributeValue = with_bytes(value)
            return plain
        tags = names_of(frozenset(value)) if isinstance(value, Mapping) else "no attribute value"
        raise refused(
            f"{tags} that is not encrypted",
            "where items from before are meant, declare Encrypted(keys, accept_plain=True)",
        )
    key_name, ciphertext = parts
    cipher = _cipher(mark.keys.key(key_name))
    try:
        text = cipher.decrypt(ciphertext, [_DOMAIN, name.encode(), _identity(info, item)])
    except Exception:
        raise refused(
            "one that is not", "it was changed, or copied from another item or attribute"
        ) from None
    opened: AttributeValue = with_bytes(msgspec.json.decode(text))
    return opened


def _sealed(payload: Unsealed, attribute: str, identity: bytes) -> AttributeValue:
    name, key = payload.mark.keys.current()
    if len(name) >= 1 << 8 * _LENGTH:
        raise ModelError("Encrypted", f"keys: the name of a data key has {len(name):,} bytes")
    text = msgspec.json.encode(payload.plain)
    made = _cipher(key).encrypt(text, [_DOMAIN, attribute.encode(), identity])
    return {"B": _VERSION + len(name).to_bytes(_LENGTH, "big") + name + made}


def _parts(value: Any) -> tuple[bytes, bytes] | None:
    """The name of the data key and the ciphertext; None of what was not encrypted here."""
    if not isinstance(value, Mapping) or "B" not in value:
        return None
    try:
        data = scalars.binary(value["B"])
    except Exception:
        return None
    start = len(_VERSION) + _LENGTH
    if not data.startswith(_VERSION) or len(data) < start:
        return None
    end = start + int.from_bytes(data[len(_VERSION) : start], "big")
    return None if len(data) <= end + _MORE else (data[start:end], data[end:])


def _identity(info: ModelInfo, item: Mapping[str, AttributeValue]) -> bytes:
    """The primary key, as bytes that are the same however another program writes the number."""
    parts: list[tuple[str, str, Any]] = []
    for name in info.table.key:
        value: Any = item.get(name)
        if value is None:
            raise MappingError(
                info.name, f"an item with its primary key, {', '.join(info.table.key)}",
                f"one without {name}", None, "its encrypted fields belong to that key", dict(item),
            )  # fmt: skip
        ((tag, payload),) = value.items()
        if tag == "N":
            payload = str(Decimal(payload).normalize(_EXACT))
        elif tag == "B":
            payload = scalars.binary(payload)
        parts.append((name, tag, payload))
    return msgspec.json.encode(parts)


def _cipher(key: bytes) -> Any:
    if type(key) is not bytes or len(key) != KEY_BYTES:
        raise ModelError("Encrypted", f"keys: a data key has {KEY_BYTES} bytes")
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
    except ImportError as error:
        raise MissingExtra("encryption", "cryptography") from error
    return AESSIV(key)
