"""A client of S3 that keeps one bucket in memory, with a clock of its own."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError


class MemoryBucket:
    """A bucket in memory, which lists two objects at a time, and the clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=timezone.utc)
        self.objects: dict[str, tuple[bytes, datetime]] = {}

    def clear(self) -> None:
        self.objects.clear()

    def clock(self) -> datetime:
        return self.now

    def _found(self, name: str, key: str) -> tuple[bytes, datetime]:
        if key not in self.objects:
            response: Any = {
                "Error": {"Code": "NoSuchKey"}, "ResponseMetadata": {"HTTPStatusCode": 404}
            }  # fmt: skip
            raise ClientError(response, name)
        return self.objects[key]

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        self.objects[Key] = Body, self.now
        return {}

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._found("GetObject", Key)[0])}

    def head_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        return {"LastModified": self._found("HeadObject", Key)[1]}

    def delete_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        self.objects.pop(Key, None)
        return {}

    def list_objects_v2(
        self, *, Prefix: str, ContinuationToken: str = "", **_: Any
    ) -> dict[str, Any]:
        keys = sorted(
            each for each in self.objects if each.startswith(Prefix) and each > ContinuationToken
        )
        contents = [
            {"Key": key, "Size": len(self.objects[key][0]), "LastModified": self.objects[key][1]}
            for key in keys[:2]
        ]
        more = {"IsTruncated": True, "NextContinuationToken": keys[1]} if keys[2:] else {}
        return {"Contents": contents, **more}
