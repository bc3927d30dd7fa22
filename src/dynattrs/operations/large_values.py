"""Values that are kept in S3, fetched: one, or several at once.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Any, TypeVar

from dynattrs.errors import MappingError, QueryError
from dynattrs.mapper.departures import Place
from dynattrs.mapper.in_s3 import Large
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Flow, ObjectCall, Start, Task, Wait
from dynattrs.operations.object_errors import ObjectDamaged
from dynattrs.quoting import quoted

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
            f"fields are there already"
        )
    return value


def _check(place: Place, data: bytes) -> None:
    """Refuse what is not what the item says.

    Raises:
        ObjectDamaged: It is not.
    """
    digest = hashlib.sha256(data).hexdigest()
    if (len(data), digest) != (place.size, place.sha256):
        raise ObjectDamaged(
            str(place),
            f"{place.size:,} bytes with the SHA-256 {place.sha256}",
            f"{len(data):,} with {digest}",
        )
