"""Marks change how values are stored, and not their types."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import ModuleType
from typing import Annotated

import attrs
from typing_extensions import assert_type

from dynattrs import Query, Session, model, partition_key, path, pynamodb, sort_key


@attrs.define
class Circle:
    radius: int


@attrs.define
class Square:
    side: int


@model("photos", forms=pynamodb.forms(version=6, lenient=True))
class Photo:
    owner: str = partition_key()
    taken: Annotated[datetime, pynamodb.UTCDateTime] = sort_key()
    cover: Annotated[bytes, pynamodb.LegacyBinary] | None = None
    seen: Annotated[timedelta | None, pynamodb.TimedeltaMs] = None
    shape: Annotated[
        Circle | Square | None, pynamodb.Discriminator("cls", {"circle": Circle, "square": Square})
    ] = None


def reads(session: Session, photo: Photo, module: ModuleType) -> None:
    assert_type(photo.taken, datetime)
    assert_type(photo.cover, bytes | None)
    assert_type(photo.shape, Circle | Square | None)
    query = session.query(Photo).where(Photo.owner == "ann", Photo.taken > photo.taken)
    assert_type(query.after({"owner": {"S": "ann"}}), Query[Photo])
    assert_type(query.after({"owner": "ann", "taken": photo.taken}), Query[Photo])
    query.filter(path(Photo.seen) > timedelta(1))
    query.filter(Photo.taken > 5)  # type: ignore[operator]
    assert_type(pynamodb.translate(module), str)


@model("wrong", forms="pynamodb")  # type: ignore[arg-type]
class Wrong:
    id: str = partition_key()
