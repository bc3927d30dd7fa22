"""Fields whose large values live in S3: `Annotated[Large[bytes], InS3("bucket")]`."""

from __future__ import annotations

from dynattrs.mapper.departures import Place
from dynattrs.mapper.in_s3 import InS3, Large, NotFetched
from dynattrs.operations.object_errors import (
    ObjectDamaged,
    ObjectMissing,
    ObjectRefused,
    ObjectsUnavailable,
)
from dynattrs.operations.orphans import Orphan

__all__ = [
    "InS3",
    "Large",
    "NotFetched",
    "ObjectDamaged",
    "ObjectMissing",
    "ObjectRefused",
    "ObjectsUnavailable",
    "Orphan",
    "Place",
]


def __dir__() -> list[str]:
    return __all__
