"""Classes of pydantic's and msgspec's that `map_class` maps, as checkers see them in a session."""

from __future__ import annotations

import msgspec
import pydantic
from typing_extensions import assert_type

from dynattrs import Session, evolve, field, map_class, path

session = Session.local()


class Reading(pydantic.BaseModel):
    sensor: str
    celsius: float = 0.0
    revision: int = 0


class Point(msgspec.Struct):
    sensor: str
    value: int = 0


map_class(Reading, "readings", partition_key="sensor", fields={"revision": field(version=True)})
map_class(Point, "points", partition_key="sensor", unknown="drop")

assert_type(session.save(Reading(sensor="roof")), Reading)
assert_type(session.get(Point, "roof"), Point | None)
assert_type(session.query(Reading).where(path(Reading).celsius > 20.0).first(), Reading | None)
assert_type(evolve(Point("roof"), value=3), Point)
session.query(Point).where(path(Point).valeu > 3)  # type: ignore[attr-defined]
