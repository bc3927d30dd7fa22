"""Values that are kept in S3, fetched: one, or several at once.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Any, TypeVar

import attrs

from dynattrs.errors import MappingError, QueryError
from dynattrs.mapper.departures import Departure, Place
from dynattrs.mapper.in_s3 import Large
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, ObjectCall, Start, Task, Wait
from dynattrs.operations.object_errors import ObjectDamaged
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message

T = TypeVar("T")


def fetched(value: Large[T]) -> Flow[T]:
    """The value of a `Large`: the one that it has, or, checked, that of its object in S3."""
    place = _large(value).place
    if place is None:
        return value.value
    response = yield ObjectCall("get_object", {"Bucket": place.bucket, "Key": place.key})
    data: bytes = response["Body"]
    _check(place, data)
    try:
        return value.decoded(data)
    except Exception as error:
        expected = getattr(error, "expected", "a value of the field's type")
        found = getattr(error, "found", f"{type(error).__name__}: {error}")
        raise MappingError(str(place), expected, found) from error


def put(leaving: Departure) -> Flow[None]:
    """Put a value into S3, or let S3 copy it there from where it is, if that is what its item says.

    Raises:
        ObjectDamaged: What is to be copied is something else.
    """
    method, parameters = leaving.value.request(leaving.place)
    if method == "copy_object":
        source: Message = parameters["CopySource"]
        there: Message = yield ObjectCall("head_object", {**source, "ChecksumMode": "ENABLED"})
        place = attrs.evolve(leaving.place, bucket=source["Bucket"], key=source["Key"])
        # Of an object that another program has put there, S3 may not know it.
        known = there.get("ChecksumSHA256")
        digest = place.sha256 if known is None else base64.b64decode(known).hex()
        _refuse_another(place, there["ContentLength"], digest)
    yield ObjectCall(method, parameters)


def one_by_one(core: Core, flows: Iterable[Flow[T]]) -> Flow[list[T]]:
    """What some flows give, in their order, with as many under way at once as there may be batches."""
    found: list[T] = []
    tasks: deque[Task] = deque()
    try:
        for flow in flows:
            if len(tasks) == core.concurrency:
                found.append((yield Wait(tasks.popleft())))
            tasks.append((yield Start(flow)))
        while tasks:
            found.append((yield Wait(tasks.popleft())))
    finally:
        for task in tasks:
            task.cancel()
    return found


def _large(value: Any) -> Large[Any]:
    if not isinstance(value, Large):
        raise QueryError(
            f"fetch({quoted(value)}): a Large is expected, the value of a field with InS3; values of other "
            f"fields are loaded already"
        )
    return value


def _check(place: Place, data: bytes) -> None:
    """Refuse what is not what the item says.

    Raises:
        ObjectDamaged: It is not.
    """
    _refuse_another(place, len(data), hashlib.sha256(data).hexdigest())


def _refuse_another(place: Place, size: int, digest: str) -> None:
    if (size, digest) != (place.size, place.sha256):
        raise ObjectDamaged(
            str(place),
            f"{place.size:,} bytes with the SHA-256 {place.sha256}",
            f"{size:,} with {digest}",
        )
