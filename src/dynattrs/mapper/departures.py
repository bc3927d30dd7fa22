"""Values on their way into S3: what stands for them, and where in a request they are.

Nothing here asks S3. A value is put there by what sends the request, which has a small map in its place then.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs

from dynattrs.mapper.codec import Refused
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message
from dynattrs.schema.table import AttributeValue
from dynattrs.stored_bytes import KeptElsewhere

#: The member that says what the map is, with what stands in it.
_MARK: Final = "dynattrs"
_SAYS: Final = {"S": "s3"}
#: What is in an object: the text of an S, the bytes of a B, or any other value as DynamoDB's JSON.
KINDS: Final = ("S", "B", "JSON")
_CONTENT_TYPES: Final = {
    "S": "text/plain; charset=utf-8", "B": "application/octet-stream", "JSON": "application/json",
}  # fmt: skip
_DIGEST: Final = 64
#: The names and the smaller members of the map.
_MAP_BYTES: Final = 80
_TABLE_NAME: Final = 255


class Keeper(Protocol):
    """What says where the values of a field are kept: `InS3`."""

    @property
    def bucket(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    def folder(self, table: str) -> str: ...


@attrs.frozen
class Place:
    """Where in S3 a value is.

    Attributes:
        bucket: The bucket.
        key: The object's name.
        size: Its bytes.
        sha256: Its SHA-256, in hexadecimal digits.
        kind: What is in it: `"S"` is text, `"B"` bytes, `"JSON"` any other value as DynamoDB's JSON.
    """

    bucket: str
    key: str
    size: int
    sha256: str
    kind: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


# --- The map in an item -------------------------------------------------------------------------


def is_map(value: Mapping[str, Any]) -> bool:
    """Whether an attribute value is a map that says where in S3 a value is."""
    members = value.get("M")
    return isinstance(members, Mapping) and members.get(_MARK) == _SAYS


def place_of(members: Mapping[str, Any]) -> Place:
    """What such a map says.

    Raises:
        Refused: It lacks something, or has something else there.
    """
    try:
        texts = [members[name]["S"] for name in ("bucket", "key", "sha256", "kind")]
        size = int(Decimal(members["size"]["N"]))
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise Refused(
            "a map that says where in S3 the value is", f"one with {sorted(members)}"
        ) from error
    bucket, key, sha256, kind = texts
    if kind not in KINDS or not all(isinstance(each, str) and each for each in texts):
        raise Refused("a map that says where in S3 the value is", f"one of kind {quoted(kind)}")
    return Place(bucket, key, size, sha256, kind)


def map_of(place: Place) -> dict[str, AttributeValue]:
    """The map that says where in S3 a value is."""
    return {
        _MARK: dict(_SAYS),
        "bucket": {"S": place.bucket},
        "key": {"S": place.key},
        "size": {"N": str(place.size)},
        "sha256": {"S": place.sha256},
        "kind": {"S": place.kind},
    }


# --- Values -------------------------------------------------------------------------------------


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Waiting(KeptElsewhere):
    """A value on its way into S3. It is no bytes, so nothing can send it as such."""

    __slots__ = ("_mark", "_places", "data", "instead", "kind")

    def __init__(self, mark: Keeper, kind: str, data: bytes) -> None:
        self._mark = mark
        self.kind = kind
        self.data = data
        self._places: dict[str, Place] = {}
        #: The map that was sent last in its place.
        self.instead: AttributeValue | None = None

    def place(self, table: str) -> Place:
        """Where it is kept for the items of a table."""
        found = self._places.get(table)
        if found is None:
            digest, mark = digest_of(self.data), self._mark
            key = mark.folder(table) + digest
            found = Place(mark.bucket, key, len(self.data), digest, self.kind)
            self._places[table] = found
        return found

    def request(self, place: Place) -> tuple[str, Message]:
        """The request that puts it there."""
        kind = _CONTENT_TYPES[place.kind]
        return "put_object", {
            "Bucket": place.bucket, "Key": place.key, "Body": self.data, "ContentType": kind,
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(place.sha256)).decode(),
        }  # fmt: skip

    @property
    def size(self) -> int:
        """The bytes that go to S3."""
        return len(self.data)

    def __len__(self) -> int:
        """How many bytes of the item the map takes, or some more: the table's name is not known."""
        mark = self._mark
        texts = (mark.bucket, mark.prefix)
        return sum(len(each.encode()) for each in texts) + _TABLE_NAME + 2 * _DIGEST + _MAP_BYTES

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Waiting) and (self.kind, self.data) == (other.kind, other.data)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<a value of {len(self.data):,} bytes that is not in S3 yet>"


class Kept(dict[str, Any]):
    """The map of a value that is in S3, on its way into an item: perhaps of another table."""

    __slots__ = ("mark",)

    def __init__(self, members: Message, mark: Keeper) -> None:
        super().__init__(members)
        self.mark = mark

    def place(self, table: str) -> Place | None:
        """Where the value is to be for the items of a table; None if it is there already."""
        found, folder = place_of(self), self.mark.folder(table)
        bucket = self.mark.bucket
        if found.bucket == bucket and found.key.startswith(folder):
            return None
        return attrs.evolve(found, bucket=bucket, key=folder + found.sha256)

    def request(self, place: Place) -> tuple[str, Message]:
        """The request that copies it there."""
        found = place_of(self)
        source = {"Bucket": found.bucket, "Key": found.key}
        return "copy_object", {"Bucket": place.bucket, "Key": place.key, "CopySource": source}


# --- Requests -----------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Departure:
    """A value of a request that goes to S3 before the request is sent.

    Attributes:
        values: The attribute values that it is among.
        name: Its name there.
        value: What stands for it.
        place: Where it will be.
    """

    values: dict[str, Any]
    name: str
    value: Waiting | Kept
    place: Place

    def leave(self) -> None:
        """It is in S3: the request has the map in its place."""
        stored = {"M": map_of(self.place)}
        if type(self.value) is Waiting:
            self.value.instead = stored
        self.values[self.name] = stored


def departures(parameters: Message) -> list[Departure]:
    """What of the parameters of a write goes to S3 first."""
    found: list[Departure] = []
    for table, values in _values_in(parameters):
        for name, value in values.items():
            if type(value) is not dict:
                continue
            there: Any = value.get("B", value.get("M"))
            if type(there) is Waiting or type(there) is Kept:
                place = there.place(table)
                if place is not None:
                    found.append(Departure(values, name, there, place))
    return found


def _values_in(parameters: Message) -> Iterator[tuple[str, dict[str, Any]]]:
    """The attribute values of a write, with the real names of their tables."""
    for table, writes in parameters.get("RequestItems", {}).items():
        for each in writes:
            # What is JSON already has none that is large.
            if isinstance(each, Mapping) and "PutRequest" in each:
                yield table, each["PutRequest"]["Item"]
    for each in parameters.get("TransactItems", ()):
        for action in each.values():
            yield from _values_in(action)
    table = parameters.get("TableName", "")
    for name in ("Item", "ExpressionAttributeValues"):
        values = parameters.get(name)
        if isinstance(values, dict):
            yield table, values
