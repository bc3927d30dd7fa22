"""Operands that are right. No line here may need an ignore: both checkers are silent on all of it.

tests/unit/test_typed_operands.py runs each statement: what is right to checkers is right when it runs.
"""

# As users of the strict mode have it: what is returned for a value of type Any is known.
# pyright: reportUnknownArgumentType=true, reportUnknownMemberType=true, reportUnknownVariableType=true

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Any, Literal, TypeVar
from uuid import UUID

from things import (
    Box,
    Circle,
    Company,
    Crate,
    Extra,
    Flags,
    Genre,
    Label,
    Level,
    Line,
    Mood,
    OtherStruct,
    Pair,
    Point,
    Points,
    Profile,
    Square,
    Struct,
    Thing,
    UserId,
)

from dynattrs import (
    Session,
    add,
    begins_with,
    between,
    contains,
    delete,
    if_not_exists,
    in_,
    list_append,
    path,
    put,
    set_,
    size,
)

now = dt.datetime.now(dt.timezone.utc)
today = now.date()
some_id = UUID(int=1)
circle_or_square: Circle | Square = Circle(1.0)
anything: Any = json.loads("3")

# --- set_ -------------------------------------------------------------------------------------------

set_(Thing.s, "a")
set_(Thing.i, 1)
set_(Thing.i, True)
set_(Thing.f, 1.5)
set_(Thing.f, 1)
set_(Thing.d, Decimal("1.5"))
set_(Thing.d, 1)
set_(Thing.b, b"a")
set_(Thing.t, True)
set_(Thing.at, now)
set_(Thing.day, today)
set_(Thing.clock, dt.time(12))
set_(Thing.span, dt.timedelta(seconds=3))
set_(Thing.u, some_id)
set_(Thing.address, IPv4Address("10.0.0.1"))
set_(Thing.file, PurePosixPath("a"))
set_(Thing.mood, Mood.CALM)
set_(Thing.genre, Genre.JAZZ)
set_(Thing.level, Level.LOW)
set_(Thing.flags, Flags.A | Flags.B)
set_(Thing.side, "A")
set_(Thing.speed, 33)
set_(Thing.user, UserId("u"))
set_(Thing.points, Points(3))
set_(Thing.label, Label("Philips"))
set_(Thing.point, Point(1, 2))
set_(Thing.pair, Pair(1, "a"))
set_(Thing.extra, {"colour": "red"})
set_(Thing.extra, Extra(colour="red"))
set_(Thing.more_extra, {"colour": "red", "weight": 3})
set_(Thing.struct, Struct("a"))
set_(Thing.profile, Profile(nick="a"))
set_(Thing.box, Box(3))
set_(Thing.shape, Circle(1.0))
set_(Thing.shape, Square(1.0))
set_(Thing.shape, circle_or_square)
set_(Thing.drawn, Point(1, 2))
set_(Thing.drawn, Line(1))
set_(Thing.made, Circle(1.0))
set_(Thing.made, Point(1, 2))
set_(Thing.built, OtherStruct(1))
set_(Thing.known, Company(name="a"))
set_(Thing.anything, 3)
set_(Thing.anything, "a")
set_(Thing.anything, None)
set_(Thing.anything, [1, "a"])
set_(Thing.epoch, now)
set_(Thing.packed, {"a": 1})

set_(Thing.i, anything)
set_(Thing.s, json.loads('{"a": "b"}')["a"])

set_(Thing.maybe_s, "a")
set_(Thing.maybe_s, None)
set_(Thing.maybe_i, 1)
set_(Thing.maybe_i, None)
set_(Thing.maybe_f, 1)
set_(Thing.maybe_f, 1.5)
set_(Thing.maybe_f, None)
set_(Thing.maybe_d, Decimal(1))
set_(Thing.maybe_d, 1)
set_(Thing.maybe_d, None)
set_(Thing.maybe_b, b"")
set_(Thing.maybe_t, False)
set_(Thing.maybe_t, None)
set_(Thing.maybe_at, now)
set_(Thing.maybe_at, None)
set_(Thing.maybe_day, today)
set_(Thing.maybe_u, some_id)
set_(Thing.maybe_mood, Mood.WILD)
set_(Thing.maybe_mood, None)
set_(Thing.maybe_genre, Genre.SOUL)
set_(Thing.maybe_side, "B")
set_(Thing.maybe_side, None)
set_(Thing.maybe_user, UserId("u"))
set_(Thing.maybe_user, None)
set_(Thing.maybe_label, None)
set_(Thing.maybe_point, Point(1, 2))
set_(Thing.maybe_shape, Square(1.0))
set_(Thing.maybe_shape, None)
set_(Thing.maybe_extra, {"colour": "red"})
set_(Thing.maybe_extra, None)
set_(Thing.maybe_list, [])
set_(Thing.maybe_list, ["a"])
set_(Thing.maybe_list, None)
set_(Thing.maybe_set, {"a"})
set_(Thing.maybe_set, set())

set_(Thing.texts, [])
set_(Thing.texts, ["a"])
set_(Thing.texts, [text * 2 for text in ("a", "b")])
set_(Thing.texts, list("ab"))
set_(Thing.numbers, [1, 2])
set_(Thing.floats, [1, 2.5])
set_(Thing.floats, [1, 2])
set_(Thing.moods, [Mood.CALM])
set_(Thing.labels, [Label("a"), Label("b")])
set_(Thing.shapes, [Circle(1.0), Square(1.0)])
set_(Thing.shapes, [Circle(1.0)])
set_(Thing.sparse, [1, None])
set_(Thing.sparse, [1])
set_(Thing.sides, ["A", "B"])
set_(Thing.mixed, [1, "a", None])
set_(Thing.nested, [[1], []])
set_(Thing.rows, [{"a": 1}, {}])
set_(Thing.extras, [{"colour": "red"}])
set_(Thing.tags, {"a"})
set_(Thing.tags, set())
set_(Thing.tags, {text * 2 for text in ("a", "b")})
set_(Thing.ids, {1, 2})
set_(Thing.uuids, {some_id})
set_(Thing.amounts, {Decimal(1)})
set_(Thing.measures, {1.5, 2})
set_(Thing.feelings, {Mood.CALM})
set_(Thing.frozen, frozenset({"a"}))
set_(Thing.frozen, frozenset())
set_(Thing.frozen_ids, frozenset({1}))
set_(Thing.fixed, (1, "a"))
set_(Thing.many, (1, 2, 3))
set_(Thing.many, ())
set_(Thing.sequence, ["a"])
set_(Thing.sequence, ("a", "b"))
set_(Thing.abstract, {"a"})
set_(Thing.abstract, frozenset({"a"}))
set_(Thing.scores, {})
set_(Thing.scores, {"a": 1})
set_(Thing.scores, {key: len(key) for key in ("a", "b")})
set_(Thing.by_day, {today: 1})
set_(Thing.by_label, {"a": Label("a")})
set_(Thing.lists, {"a": [], "b": ["c"]})
set_(Thing.loose, {"a": 1, "b": "c"})
set_(Thing.mapping, {"a": 1})

# Places inside.
set_(Thing.label.name, "a")
set_(Thing.label.city, "a")
set_(Thing.label.city, None)
set_(path(Thing.maybe_label).city, "a")
set_(Thing.point.x, 1)
set_(Thing.pair.right, "a")
set_(Thing.extra["colour"], "red")
set_(Thing.struct.name, "a")
set_(Thing.profile.nick, "a")
set_(Thing.box.v, 3)
set_(path(Crate[Mood]).v, Mood.CALM)
set_(Thing.texts[0], "a")
set_(path(Thing.maybe_list)[0], "a")
set_(Thing.labels[0].name, "a")
set_(Thing.shapes[0], Square(1.0))
set_(Thing.sparse[0], None)
set_(Thing.mixed[0], 3)
set_(Thing.nested[0][1], 3)
set_(Thing.rows[0]["a"], 3)
set_(Thing.many[0], 3)
set_(Thing.scores["a"], 3)
set_(Thing.by_day[today], 3)
set_(Thing.by_label["a"].city, None)
set_(Thing.lists["a"], ["b"])
set_(Thing.loose["a"], 3)
set_(Thing.loose["a"]["b"], "c")

# What the service computes, and other fields.
set_(Thing.i, Thing.i + 1)
set_(Thing.i, 1 + Thing.i)
set_(Thing.i, Thing.i - Thing.other_i)
set_(Thing.f, Thing.f + 1)
set_(Thing.f, Thing.f - 1.5)
set_(Thing.f, Thing.i)
set_(Thing.d, Thing.d + 1)
set_(Thing.d, Thing.d + Decimal(1))
set_(Thing.span, Thing.span + dt.timedelta(seconds=1))
set_(Thing.maybe_i, path(Thing.maybe_i) + 1)
set_(Thing.maybe_i, Thing.i)
set_(Thing.maybe_i, Thing.maybe_i)
set_(Thing.s, Thing.other_s)
set_(Thing.s, Thing.label.name)
set_(Thing.at, Thing.other_at)
set_(Thing.mood, Thing.other_mood)
set_(Thing.label, Thing.other_label)
set_(Thing.shape, Thing.other_shape)
set_(Thing.scores["a"], Thing.scores["b"] + 1)
set_(Thing.i, if_not_exists(Thing.i, 0))
set_(Thing.i, if_not_exists(Thing.i, 0) + 1)
set_(Thing.maybe_i, if_not_exists(Thing.maybe_i, 0) + 1)
set_(Thing.maybe_i, if_not_exists(Thing.maybe_i, Thing.i))
set_(Thing.f, if_not_exists(Thing.f, 0))
set_(Thing.f, if_not_exists(Thing.f, 0.5) + 1)
set_(Thing.d, if_not_exists(Thing.d, 0) + 1)
set_(Thing.d, if_not_exists(Thing.d, Decimal(0)))
set_(Thing.s, if_not_exists(Thing.s, Thing.other_s))
set_(Thing.mood, if_not_exists(Thing.mood, Mood.CALM))
set_(Thing.maybe_mood, if_not_exists(Thing.maybe_mood, Mood.CALM))
set_(Thing.at, if_not_exists(Thing.at, now))
set_(Thing.user, if_not_exists(Thing.user, UserId("a")))
set_(Thing.label, if_not_exists(Thing.label, Label("a")))
set_(Thing.point, if_not_exists(Thing.point, Point(1, 2)))
set_(Thing.extra, if_not_exists(Thing.extra, Extra(colour="red")))
set_(Thing.extras, list_append(Thing.extras, [Extra(colour="red")]))
set_(Thing.labels, list_append(Thing.labels, [Label("a")]))
set_(Thing.labels, list_append([Label("a")], Thing.labels))
set_(Thing.label, if_not_exists(Thing.label, Label("a")))
set_(Thing.shape, if_not_exists(Thing.shape, Circle(1.0)))
set_(Thing.texts, if_not_exists(Thing.texts, []))
set_(Thing.tags, if_not_exists(Thing.tags, {"a"}))
set_(Thing.scores, if_not_exists(Thing.scores, {}))
set_(Thing.i, if_not_exists(Thing.i, anything))
set_(Thing.texts, list_append(Thing.texts, ["a"]))
set_(Thing.texts, list_append(["a"], Thing.texts))
set_(Thing.texts, list_append(Thing.texts, Thing.texts))
set_(Thing.texts, list_append(if_not_exists(Thing.texts, []), ["a"]))
set_(Thing.maybe_list, list_append(Thing.maybe_list, ["a"]))
set_(Thing.maybe_list, list_append(if_not_exists(Thing.maybe_list, []), ["a"]))
set_(Thing.numbers, list_append(Thing.numbers, [1]))
set_(Thing.floats, list_append(Thing.floats, [1]))
set_(Thing.floats, list_append([1], Thing.floats))
set_(Thing.moods, list_append(Thing.moods, [Mood.CALM]))
set_(Thing.shapes, list_append(Thing.shapes, [Circle(1.0)]))
set_(Thing.shapes, list_append([Circle(1.0)], Thing.shapes))
set_(Thing.sides, list_append(Thing.sides, ["A"]))
set_(Thing.sparse, list_append(Thing.sparse, [None]))
set_(Thing.mixed, list_append(Thing.mixed, [1, "a"]))
set_(Thing.nested, list_append(Thing.nested, [[1]]))
set_(Thing.rows, list_append(Thing.rows, [{"a": 1}]))
set_(Thing.many, list_append(Thing.many, (1, 2)))
set_(Thing.many, list_append((1, 2), Thing.many))
set_(Thing.sequence, list_append(Thing.sequence, ["a"]))
set_(Thing.lists["a"], list_append(Thing.lists["a"], ["b"]))


def from_variables(
    text: str,
    number: int,
    ratio: float,
    flag: bool,
    user: UserId,
    moment: dt.datetime,
    mood: Mood,
    label: Label,
    shape: Circle | Square,
    maybe: int | None,
    maybe_label: Label | None,
    texts: list[str],
    some: Sequence[str],
    numbers: Iterable[int],
    tags: set[str],
    more: AbstractSet[str],
    scores: dict[str, int],
    side: Literal["A", "B"],
    extra: Extra,
    payload: dict[str, Any],
) -> None:
    set_(Thing.s, text)
    set_(Thing.s, user)
    set_(Thing.i, number)
    set_(Thing.f, number)
    set_(Thing.f, ratio)
    set_(Thing.t, flag)
    set_(Thing.user, user)
    set_(Thing.at, moment)
    set_(Thing.mood, mood)
    set_(Thing.label, label)
    set_(Thing.shape, shape)
    set_(Thing.maybe_shape, shape)
    set_(Thing.maybe_i, maybe)
    set_(Thing.maybe_label, maybe_label)
    if maybe is not None:
        set_(Thing.i, maybe)
        add(Thing.i, maybe)
        between(Thing.i, 0, maybe)
    set_(Thing.i, maybe or 0)
    if maybe_label:
        set_(Thing.label, maybe_label)
    set_(Thing.texts, texts)
    set_(Thing.texts, list(some))
    set_(Thing.sequence, some)
    set_(Thing.texts, list_append(Thing.texts, texts))
    set_(Thing.texts, list_append(Thing.texts, some))
    set_(Thing.tags, tags)
    set_(Thing.tags, set(more))
    set_(Thing.abstract, more)
    set_(Thing.scores, scores)
    set_(Thing.side, side)
    set_(Thing.maybe_side, side)
    set_(Thing.extra, extra)
    set_(Thing.s, payload["s"])
    set_(Thing.i, payload.get("i"))
    in_(Thing.s, texts)
    in_(Thing.s, some)
    in_(Thing.i, numbers)
    in_(Thing.s, tags)
    in_(Thing.s, scores)
    in_(Thing.s, scores.keys())
    in_(Thing.i, scores.values())
    in_(Thing.s, (each.name for each in (label,)))
    in_(Thing.side, [side])
    in_(Thing.i, payload["numbers"])
    between(Thing.i, number, number + 3)
    between(Thing.f, number, ratio)
    between(Thing.at, moment, moment + dt.timedelta(days=1))
    contains(Thing.tags, text)
    contains(Thing.s, user)
    contains(Thing.tags, payload["tag"])
    begins_with(Thing.s, user)
    add(Thing.f, number)
    add(Thing.tags, tags)
    add(Thing.tags, more)
    add(Thing.tags, frozenset(tags))
    delete(Thing.tags, tags)
    delete(Thing.tags, more)


V = TypeVar("V")


# --- put: the type comes from the field alone ---------------------------------------------------------

put(Thing.i).to(3)
put(Thing.i).to(Thing.i + 1)
put(Thing.i).to(if_not_exists(Thing.i, 0) + 1)
put(Thing.f).to(1)
put(Thing.d).to(Thing.d + 1)
put(Thing.at).to(now)
put(Thing.mood).to(Mood.CALM)
put(Thing.user).to(UserId("a"))
put(Thing.side).to("A")
put(Thing.calm).to(Mood.CALM)
put(Thing.maybe_i).to(None)
put(Thing.maybe_i).to(3)
put(Thing.maybe_side).to(None)
put(Thing.label).to(Label("a"))
put(Thing.shape).to(Circle(1.0))
put(Thing.maybe_shape).to(Square(1.0))
put(Thing.known).to(Company(name="a"))
put(Thing.extra).to({"colour": "red"})
put(Thing.extras).to([{"colour": "red"}])
put(Thing.floats).to([1, 2])
put(Thing.floats).to(list_append(Thing.floats, [1]))
put(Thing.sides).to(["A"])
put(Thing.nested).to([[1], []])
put(Thing.shapes).to([Circle(1.0)])
put(Thing.tags).to(set())
put(Thing.frozen).to(frozenset({"a"}))
put(Thing.fixed).to((1, "a"))
put(Thing.lists).to({"a": [], "b": ["c"]})
put(Thing.anything).to("a")
put(Thing.texts[0]).to("a")
put(path(Thing.maybe_label).city).to(None)
put(Thing.either).to("a")
put(Thing.either).to(["a", "b"])
put(Thing.answer).to(True)

# --- between ----------------------------------------------------------------------------------------

between(Thing.s, "a", "z")
between(Thing.i, 1, 9)
between(Thing.f, 1, 9.5)
between(Thing.d, Decimal(1), Decimal(9))
between(Thing.d, 1, 9)
between(Thing.b, b"a", b"z")
between(Thing.at, now, now)
between(Thing.day, today, today)
between(Thing.clock, dt.time(1), dt.time(2))
between(Thing.span, dt.timedelta(1), dt.timedelta(2))
between(Thing.u, some_id, some_id)
between(Thing.mood, Mood.CALM, Mood.WILD)
between(Thing.level, Level.LOW, Level.HIGH)
between(Thing.side, "A", "B")
between(Thing.speed, 33, 45)
between(Thing.user, UserId("a"), UserId("b"))
between(Thing.epoch, now, now)
between(Thing.anything, 1, 9)
between(Thing.i, anything, anything)
between(Thing.maybe_s, "a", "z")
between(Thing.maybe_i, 1960, 1970)
between(Thing.maybe_f, 1, 2.5)
between(Thing.maybe_d, 1, Decimal(2))
between(Thing.maybe_at, now, now)
between(Thing.maybe_side, "A", "B")
between(path(Thing.maybe_i), 1, 2)
between(Thing.i, Thing.other_i, 9)
between(Thing.f, Thing.i, Thing.other_f)
between(Thing.at, Thing.other_at, now)
between(Thing.scores["a"], 1, 2)
between(Thing.numbers[0], 1, 2)
between(path(Thing.maybe_label).name, "a", "b")
between(size(Thing.tags), 1, 3)
between(size(Thing.tags), size(Thing.texts), Thing.i)

# --- in_ --------------------------------------------------------------------------------------------

in_(Thing.s, ["a", "b"])
in_(Thing.s, ("a", "b"))
in_(Thing.s, {"a", "b"})
in_(Thing.s, [])
in_(Thing.i, range(3))
in_(Thing.f, [1, 2.5])
in_(Thing.f, [1, 2])
in_(Thing.d, [Decimal(1), 2])
in_(Thing.b, [b"a"])
in_(Thing.t, [True, False])
in_(Thing.at, [now])
in_(Thing.day, [today])
in_(Thing.u, {some_id})
in_(Thing.mood, [Mood.CALM, Mood.WILD])
in_(Thing.mood, list(Mood))
in_(Thing.mood, Mood)
in_(Thing.genre, [Genre.JAZZ])
in_(Thing.level, [Level.LOW])
in_(Thing.side, ["A", "B"])
in_(Thing.speed, [33])
in_(Thing.user, [UserId("a")])
in_(Thing.label, [Label("a"), Label("b")])
in_(Thing.point, [Point(1, 2)])
in_(Thing.pair, [Pair(1, "a")])
in_(Thing.extra, [{"colour": "red"}])
in_(Thing.shape, [Circle(1.0), Square(1.0)])
in_(Thing.shape, [Circle(1.0)])
in_(Thing.maybe_shape, [Circle(1.0), None])
in_(Thing.built, [Struct("a")])
in_(Thing.known, [Profile(nick="a")])
in_(Thing.anything, [1, "a", None])
in_(Thing.maybe_s, ["a", None])
in_(Thing.maybe_i, (1960, None))
in_(Thing.maybe_mood, [None, Mood.CALM])
in_(Thing.maybe_side, ["A", None])
in_(Thing.i, [Thing.other_i, 3])
in_(Thing.s, [Thing.other_s, Thing.label.name])
in_(Thing.tags, [{"a"}, {"b"}])
in_(Thing.texts, [["a"], []])
in_(Thing.fixed, [(1, "a")])
in_(Thing.scores["a"], [1, 2])
in_(size(Thing.tags), [1, 2])

# --- begins_with, contains, size --------------------------------------------------------------------

begins_with(Thing.s, "a")
begins_with(Thing.s, Thing.other_s)
begins_with(Thing.maybe_s, "a")
begins_with(Thing.b, b"a")
begins_with(Thing.maybe_b, b"a")
begins_with(Thing.at, "2026-11-")
begins_with(Thing.maybe_at, "2026-11-")
begins_with(Thing.day, "2026-")
begins_with(Thing.clock, "12:")
begins_with(Thing.u, "0000")
begins_with(Thing.address, "10.")
begins_with(Thing.file, "/tmp")
begins_with(Thing.mood, "c")
begins_with(Thing.genre, "j")
begins_with(Thing.side, "A")
begins_with(Thing.user, "a")
begins_with(Thing.anything, "a")
begins_with(Thing.texts[0], "a")

contains(Thing.s, "a")
contains(Thing.s, Thing.other_s)
contains(Thing.maybe_s, "a")
contains(Thing.user, "a")
contains(Thing.b, b"a")
contains(Thing.texts, "a")
contains(Thing.texts, Thing.s)
contains(Thing.maybe_list, "a")
contains(Thing.numbers, 1)
contains(Thing.floats, 1)
contains(Thing.moods, Mood.CALM)
contains(Thing.shapes, Circle(1.0))
contains(Thing.sparse, None)
contains(Thing.sides, "A")
contains(Thing.mixed, 3)
contains(Thing.nested, [1])
contains(Thing.rows, {"a": 1})
contains(Thing.extras, {"colour": "red"})
contains(Thing.tags, "a")
contains(Thing.maybe_set, "a")
contains(Thing.ids, 1)
contains(Thing.uuids, some_id)
contains(Thing.amounts, Decimal(1))
contains(Thing.measures, 1)
contains(Thing.feelings, Mood.CALM)
contains(Thing.frozen, "a")
contains(Thing.frozen_ids, 1)
contains(Thing.many, 1)
contains(Thing.sequence, "a")
contains(Thing.abstract, "a")
contains(Thing.lists["a"], "b")
contains(Thing.anything, "a")

size(Thing.s)
size(Thing.b)
size(Thing.maybe_s)
size(Thing.at)
size(Thing.u)
size(Thing.mood)
size(Thing.label)
size(Thing.maybe_label)
size(Thing.point)
size(Thing.pair)
size(Thing.extra)
size(Thing.struct)
size(Thing.profile)
size(Thing.shape)
size(Thing.built)
size(Thing.known)
size(Thing.anything)
size(Thing.texts)
size(Thing.tags)
size(Thing.frozen)
size(Thing.fixed)
size(Thing.many)
size(Thing.sequence)
size(Thing.scores)
size(Thing.mapping)
size(Thing.maybe_list)
size(Thing.loose["a"])

# --- add, delete ------------------------------------------------------------------------------------

add(Thing.i, 1)
add(Thing.f, 1)
add(Thing.f, 1.5)
add(Thing.d, Decimal(1))
add(Thing.d, 1)
add(Thing.span, dt.timedelta(1))
add(Thing.points, Points(1))
add(Thing.maybe_i, 1)
add(Thing.maybe_f, 1.5)
add(Thing.maybe_d, 1)
add(Thing.i, anything)
add(Thing.scores["a"], 1)
add(path(Thing.maybe_i), 1)
add(Thing.tags, {"a"})
add(Thing.tags, frozenset({"a"}))
add(Thing.maybe_set, {"a"})
add(Thing.ids, {1})
add(Thing.measures, {1, 2})
add(Thing.uuids, {some_id})
add(Thing.feelings, {Mood.CALM})
add(Thing.frozen, {"a"})
add(Thing.frozen, frozenset({"a"}))
add(Thing.abstract, {"a"})
delete(Thing.tags, {"a"})
delete(Thing.maybe_set, {"a"})
delete(Thing.ids, {1})
delete(Thing.uuids, {some_id})
delete(Thing.frozen, {"a"})
delete(Thing.frozen, frozenset({"a"}))
delete(Thing.abstract, {"a"})

# --- In their places --------------------------------------------------------------------------------


def used(session: Session) -> None:
    things = session.query(Thing).where(Thing.id == "a", between(Thing.number, 1, 9))
    things = things.filter(in_(Thing.mood, [Mood.CALM]) | contains(Thing.tags, "a"))
    things.filter(size(Thing.tags) > 3, begins_with(Thing.at, "2026-") & (Thing.i > 3))
    session.update(
        Thing,
        ("a", 1),
        set_(Thing.i, Thing.i + 1),
        set_(Thing.label, Label("a")),
        add(Thing.tags, {"a"}),
        delete(Thing.frozen, {"a"}),
        when=between(Thing.i, 1, 9),
    )


def unchecked(value: Any) -> None:
    """Of a value or a field of type Any, checkers know nothing."""
    set_(Thing.i, value)
    set_(Thing.label, value)
    set_(Thing.tags, value)
    set_(Thing.shape, value)
    set_(Thing.extra, value)
    set_(Thing.side, value)
    set_(Thing.maybe_label, value)
    between(Thing.i, value, value)
    in_(Thing.i, value)
    in_(Thing.i, [value])
    begins_with(Thing.s, value)
    contains(Thing.tags, value)
    add(Thing.i, value)
    add(Thing.tags, value)
    delete(Thing.tags, value)
    add(Thing.anything, 1)
    add(Thing.anything, {"a"})
    delete(Thing.anything, {"a"})
    put(Thing.i).to(value)
    print(if_not_exists(Thing.i, value))
    print(if_not_exists(Thing.d, value))
    print(if_not_exists(Thing.s, value))
    print(if_not_exists(Thing.label, value))
    print(if_not_exists(Thing.maybe_label, value))
    print(if_not_exists(Thing.maybe_i, value) + 1)
    print(list_append(Thing.texts, value))
    print(list_append(value, Thing.texts))
    set_(Thing.texts, list_append(if_not_exists(Thing.texts, []), value))
    set_(Thing.i, if_not_exists(Thing.i, value) + value)
    size(value)


def generic(boxes: type[Crate[V]], value: V) -> None:
    """Code that is generic over what is stored."""
    set_(path(boxes).v, value)
