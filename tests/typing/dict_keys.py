"""Maps by keys that are not text: in conditions, updates, edits and projections."""

from __future__ import annotations

from datetime import date
from enum import Enum
from uuid import UUID

import attrs
from typing_extensions import assert_type

from dynattrs import (
    Action,
    Session,
    add,
    between,
    exists,
    if_not_exists,
    model,
    on_insert,
    partition_key,
    path,
    put,
    remove,
    set_,
)


class Kind(Enum):
    RED = "red"


@attrs.define
class Box:
    width: int = 1


@model("keyed-maps")
class Keyed:
    id: str = partition_key()
    ints: dict[int, int] = attrs.field(factory=dict)
    kinds: dict[Kind, str] = attrs.field(factory=dict)
    days: dict[date, dict[UUID, int]] = attrs.field(factory=dict)
    boxes: dict[UUID, Box] = attrs.field(factory=dict)
    maybe: dict[int, int] | None = None


session = Session()
day, user = date(2026, 11, 27), UUID(int=1)

assert_type(set_(Keyed.ints[1], 3), Action)
assert_type(set_(Keyed.ints[1], if_not_exists(Keyed.ints[1], 0) + 1), Action)
assert_type(add(Keyed.days[day][user], 1), Action)
assert_type(set_(Keyed.kinds[Kind.RED], "x"), Action)
assert_type(put(Keyed.boxes[user].width).to(3), Action)
assert_type(set_(Keyed.boxes[user], Box(3)), Action)
assert_type(set_(path(Keyed.maybe)[1], 3), Action)
assert_type(on_insert(remove(Keyed.ints[1])), Action)
session.query(Keyed).where(Keyed.days[day][user] > 3, exists(Keyed.kinds[Kind.RED]))
session.query(Keyed).where(between(Keyed.ints[1], 1, 3))
for width in session.scan(Keyed).select(Keyed.boxes[user].width):
    assert_type(width, tuple[int])
with session.edit(Keyed("a")) as keyed, session.transaction() as t, t.edit(keyed):
    keyed.days[day] = {user: 1}

set_(Keyed.ints[1], "x")  # type: ignore[arg-type]
set_(Keyed.ints["1"], 3)  # type: ignore[index]
set_(Keyed.kinds["red"], "x")  # type: ignore[index]
set_(Keyed.kinds[Kind.RED], 3)  # type: ignore[arg-type]
remove(Keyed.days[user])  # type: ignore[index]
add(Keyed.days[day][day], 1)  # type: ignore[index]
set_(Keyed.boxes[user].heigth, 1)  # type: ignore[attr-defined]
set_(Keyed.maybe[1], 3)  # type: ignore[index]
session.query(Keyed).where(Keyed.ints["1"] > 3)  # type: ignore[index]
