"""Operands that are wrong. Each ignore is a mistake that both checkers find."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from things import (
    Company,
    Crate,
    Genre,
    Label,
    Mood,
    OtherStruct,
    Point,
    Thing,
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

# --- set_ -------------------------------------------------------------------------------------------

set_(Thing.s, 1)  # type: ignore[arg-type]
set_(Thing.s, b"a")  # type: ignore[arg-type]
set_(Thing.i, "many")  # type: ignore[arg-type]
set_(Thing.i, 1.5)  # type: ignore[arg-type]
set_(Thing.i, Decimal(1))  # type: ignore[arg-type]
set_(Thing.f, "1.5")  # type: ignore[arg-type]
set_(Thing.f, Decimal(1))  # type: ignore[arg-type]
set_(Thing.d, 1.5)  # type: ignore[arg-type]
set_(Thing.d, "1.5")  # type: ignore[arg-type]
set_(Thing.b, "a")  # type: ignore[arg-type]
set_(Thing.t, "yes")  # type: ignore[arg-type]
set_(Thing.t, 1)  # type: ignore[arg-type]
set_(Thing.at, "2026-11-27")  # type: ignore[arg-type]
set_(Thing.at, today)  # type: ignore[arg-type]
set_(Thing.day, 20261127)  # type: ignore[arg-type]
set_(Thing.clock, now)  # type: ignore[arg-type]
set_(Thing.span, 3)  # type: ignore[arg-type]
set_(Thing.u, "0000")  # type: ignore[arg-type]
set_(Thing.address, "10.0.0.1")  # type: ignore[arg-type]
set_(Thing.file, "a")  # type: ignore[arg-type]
set_(Thing.mood, "c")  # type: ignore[arg-type]
set_(Thing.mood, Genre.JAZZ)  # type: ignore[arg-type]
set_(Thing.genre, Mood.CALM)  # type: ignore[arg-type]
set_(Thing.level, 1)  # type: ignore[arg-type]
set_(Thing.label, "Philips")  # type: ignore[arg-type]
set_(Thing.label, {"name": "Philips"})  # type: ignore[arg-type]
set_(Thing.point, (1, 2))  # type: ignore[arg-type]
set_(Thing.pair, (1, "a"))  # type: ignore[arg-type]
set_(Thing.extra, {"color": "red"})  # type: ignore[arg-type]
set_(Thing.extra, {"colour": 3})  # type: ignore[arg-type]
set_(Thing.struct, "a")  # type: ignore[arg-type]
set_(Thing.profile, "a")  # type: ignore[arg-type]
set_(Thing.box, 3)  # type: ignore[arg-type]
set_(Thing.shape, "circle")  # type: ignore[misc]
set_(Thing.shape, 3)  # type: ignore[misc]
set_(Thing.texts, "a")  # type: ignore[arg-type]
set_(Thing.texts, [1])  # type: ignore[list-item]
set_(Thing.texts, [None])  # type: ignore[list-item]
set_(Thing.texts, {"a"})  # type: ignore[arg-type]
set_(Thing.floats, ["a"])  # type: ignore[list-item]
set_(Thing.moods, [Genre.JAZZ])  # type: ignore[list-item]
set_(Thing.labels, [Point(1, 2)])  # type: ignore[list-item]
set_(Thing.shapes, [Label("a")])  # type: ignore[list-item]
set_(Thing.sides, ["C"])  # type: ignore[list-item]
set_(Thing.nested, [["a"]])  # type: ignore[list-item]
set_(Thing.extras, [{"colour": 3}])  # type: ignore[typeddict-item]
set_(Thing.tags, {1})  # type: ignore[arg-type]
set_(Thing.tags, ["a"])  # type: ignore[arg-type]
set_(Thing.uuids, {"a"})  # type: ignore[arg-type]
set_(Thing.frozen, frozenset({1}))  # type: ignore[arg-type]
set_(Thing.fixed, (1, 2))  # type: ignore[arg-type]
set_(Thing.fixed, (1, "a", "b"))  # type: ignore[arg-type]
set_(Thing.many, ("a",))  # type: ignore[arg-type]
set_(Thing.sequence, [1])  # type: ignore[arg-type]
set_(Thing.scores, {"a": "b"})  # type: ignore[dict-item]
set_(Thing.scores, {1: 1})  # type: ignore[dict-item]
set_(Thing.scores, [("a", 1)])  # type: ignore[arg-type]
set_(Thing.by_day, {"2026-11-27": 1})  # type: ignore[dict-item]
set_(Thing.by_label, {"a": "Philips"})  # type: ignore[dict-item]
set_(Thing.maybe_i, "many")  # type: ignore[arg-type]
set_(Thing.maybe_at, "2026-11-27")  # type: ignore[arg-type]
set_(Thing.maybe_mood, "c")  # type: ignore[arg-type]
set_(Thing.maybe_label, "Philips")  # type: ignore[arg-type]
set_(Thing.maybe_list, [1])  # type: ignore[list-item]
set_(Thing.maybe_shape, "circle")  # type: ignore[misc]
set_(Thing.label.name, 3)  # type: ignore[arg-type]
set_(path(Thing.maybe_label).city, 3)  # type: ignore[arg-type]
set_(Thing.texts[0], 3)  # type: ignore[arg-type]
set_(Thing.scores["a"], "b")  # type: ignore[arg-type]
set_(Thing.by_label["a"], "Philips")  # type: ignore[arg-type]
set_(path(Crate[Mood]).v, "c")  # type: ignore[arg-type]
set_(Thing.i, Thing.s)  # type: ignore[arg-type]
set_(Thing.i, Thing.i + 1.5)  # type: ignore[arg-type]
set_(Thing.label, Thing.label.name)  # type: ignore[arg-type]
set_(Thing.i, if_not_exists(Thing.s, "a"))  # type: ignore[arg-type]
set_(Thing.i, if_not_exists(Thing.i, "a"))  # type: ignore[arg-type]
set_(Thing.texts, list_append(Thing.numbers, [1]))  # type: ignore[arg-type, list-item]
set_(Thing.s, if_not_exists(Thing.i, 0) + 1)  # type: ignore[arg-type]


def from_variables(maybe_text: str | None, some: Sequence[str], label: Label | None) -> None:
    set_(Thing.i, maybe_text)  # type: ignore[arg-type]
    set_(Thing.texts, some)  # type: ignore[arg-type]
    set_(Thing.i, label)  # type: ignore[arg-type]
    in_(Thing.i, some)  # type: ignore[arg-type]
    between(Thing.s, maybe_text, "z")  # type: ignore[misc]


# --- put: the type comes from the field alone ---------------------------------------------------------

put(Thing.i).to("many")  # type: ignore[arg-type]
put(Thing.i).to(1.5)  # type: ignore[arg-type]
put(Thing.i).to(None)  # type: ignore[arg-type]
put(Thing.i).to(Thing.s)  # type: ignore[arg-type]
put(Thing.mood).to(Genre.JAZZ)  # type: ignore[arg-type]
put(Thing.calm).to("c")  # type: ignore[arg-type]
put(Thing.label).to(None)  # type: ignore[arg-type]
put(Thing.label).to(Point(1, 2))  # type: ignore[arg-type]
put(Thing.struct).to(OtherStruct(1))  # type: ignore[arg-type]
put(Thing.profile).to(Company(name="a"))  # type: ignore[arg-type]
put(Thing.shape).to(Label("a"))  # type: ignore[arg-type]
put(Thing.extra).to({"colour": 3})  # type: ignore[typeddict-item]
put(Thing.texts).to([1])  # type: ignore[list-item]
put(Thing.tags).to(["a"])  # type: ignore[arg-type]
put(Thing.scores).to({"a": "b"})  # type: ignore[dict-item]
put(Thing.maybe_i).to("many")  # type: ignore[arg-type]
put(Thing.either).to(3)  # type: ignore[arg-type]
put(Thing.either).to([1])  # type: ignore[list-item]
put(Thing.texts[0]).to(None)  # type: ignore[arg-type]

# --- if_not_exists, list_append ---------------------------------------------------------------------

if_not_exists(Thing.i, "a")  # type: ignore[arg-type]
if_not_exists(Thing.i, 1.5)  # type: ignore[arg-type]
if_not_exists(Thing.mood, Genre.JAZZ)  # type: ignore[arg-type]
if_not_exists(Thing.at, today)  # type: ignore[arg-type]
if_not_exists(Thing.label, "Philips")  # type: ignore[arg-type]
if_not_exists(Thing.texts, [1])  # type: ignore[list-item]
if_not_exists(Thing.tags, ["a"])  # type: ignore[arg-type]
if_not_exists(Thing.maybe_i, "a")  # type: ignore[arg-type]
list_append(Thing.texts, [1])  # type: ignore[list-item]
list_append([1], Thing.texts)  # type: ignore[arg-type]
list_append(Thing.labels, [Point(1, 2)])  # type: ignore[list-item]
list_append(Thing.tags, ["a"])  # type: ignore[call-overload]
list_append(Thing.maybe_list, [1])  # type: ignore[list-item]
list_append(Thing.many, ["a"])  # type: ignore[arg-type]

# --- add, delete ------------------------------------------------------------------------------------

add(Thing.s, 1)  # type: ignore[arg-type, type-var]
add(Thing.maybe_s, "a")  # type: ignore[type-var]
add(Thing.i, "1")  # type: ignore[misc]
add(Thing.i, 1.5)  # type: ignore[arg-type]
add(Thing.i, {1})  # type: ignore[misc]
add(Thing.f, Decimal(1))  # type: ignore[arg-type]
add(Thing.d, 1.5)  # type: ignore[arg-type]
add(Thing.t, 1)  # type: ignore[arg-type]
add(Thing.i, None)  # type: ignore[call-overload]
add(Thing.span, 3)  # type: ignore[arg-type]
add(Thing.at, 3)  # type: ignore[arg-type, type-var]
add(Thing.mood, 1)  # type: ignore[arg-type, type-var]
add(Thing.label, 1)  # type: ignore[arg-type, type-var]
add(Thing.texts, ["a"])  # type: ignore[type-var]
add(Thing.scores, {"a": 1})  # type: ignore[type-var]
add(Thing.tags, "a")  # type: ignore[misc]
add(Thing.tags, ["a"])  # type: ignore[misc]
add(Thing.tags, {1})  # type: ignore[misc]
add(Thing.ids, 1)  # type: ignore[arg-type, type-var]
add(Thing.uuids, {"a"})  # type: ignore[misc]
add(Thing.frozen, {1})  # type: ignore[misc]
add(Thing.maybe_i, "a")  # type: ignore[misc]
delete(Thing.s, {"a"})  # type: ignore[arg-type]
delete(Thing.i, 1)  # type: ignore[call-overload]
delete(Thing.tags, "a")  # type: ignore[call-overload]
delete(Thing.tags, ["a"])  # type: ignore[call-overload]
delete(Thing.tags, {1})  # type: ignore[arg-type]
delete(Thing.uuids, {"a"})  # type: ignore[arg-type]
delete(Thing.frozen, {1})  # type: ignore[misc]
delete(Thing.texts, ["a"])  # type: ignore[call-overload]
delete(Thing.maybe_set, {1})  # type: ignore[arg-type]

# --- between ----------------------------------------------------------------------------------------

between(Thing.i, "a", "z")  # type: ignore[arg-type]
between(Thing.i, 1, "z")  # type: ignore[arg-type]
between(Thing.i, 1.5, 2)  # type: ignore[arg-type]
between(Thing.i, None, 3)  # type: ignore[misc]
between(Thing.s, 1, 9)  # type: ignore[arg-type]
between(Thing.f, "a", 9)  # type: ignore[arg-type]
between(Thing.d, 1.5, 2)  # type: ignore[arg-type]
between(Thing.b, "a", "b")  # type: ignore[arg-type]
between(Thing.at, "2026-01-01", "2026-12-31")  # type: ignore[arg-type]
between(Thing.at, today, today)  # type: ignore[arg-type]
between(Thing.day, 1, 2)  # type: ignore[arg-type]
between(Thing.u, "a", "b")  # type: ignore[arg-type]
between(Thing.mood, "c", "d")  # type: ignore[arg-type]
between(Thing.mood, Genre.JAZZ, Genre.SOUL)  # type: ignore[arg-type]
between(Thing.maybe_i, "a", "z")  # type: ignore[arg-type]
between(Thing.maybe_at, 1, 2)  # type: ignore[arg-type]
between(Thing.i, Thing.s, 9)  # type: ignore[arg-type]
between(Thing.scores["a"], "a", "z")  # type: ignore[arg-type]
between(size(Thing.tags), "a", "z")  # type: ignore[arg-type]

# --- in_ --------------------------------------------------------------------------------------------

in_(Thing.s, [1])  # type: ignore[list-item]
in_(Thing.s, ["a", 1])  # type: ignore[list-item]
in_(Thing.i, ["a"])  # type: ignore[list-item]
in_(Thing.i, [1.5])  # type: ignore[list-item]
in_(Thing.i, "123")  # type: ignore[arg-type]
in_(Thing.i, 3)  # type: ignore[call-overload]
in_(Thing.f, ["a"])  # type: ignore[list-item]
in_(Thing.d, [1.5])  # type: ignore[list-item]
in_(Thing.b, ["a"])  # type: ignore[list-item]
in_(Thing.t, ["yes"])  # type: ignore[list-item]
in_(Thing.at, ["2026"])  # type: ignore[list-item]
in_(Thing.at, [today])  # type: ignore[list-item]
in_(Thing.u, ["a"])  # type: ignore[list-item]
in_(Thing.mood, ["c"])  # type: ignore[list-item]
in_(Thing.mood, [Genre.JAZZ])  # type: ignore[list-item]
in_(Thing.label, ["Philips"])  # type: ignore[list-item]
in_(Thing.extra, ["a"])  # type: ignore[arg-type, list-item]
in_(Thing.shape, ["circle"])  # type: ignore[misc]
in_(Thing.maybe_i, ["a", None])  # type: ignore[list-item]
in_(Thing.maybe_mood, ["c"])  # type: ignore[list-item]
in_(Thing.tags, ["a"])  # type: ignore[list-item]
in_(Thing.texts, ["a"])  # type: ignore[list-item]
in_(Thing.scores["a"], ["a"])  # type: ignore[list-item]
in_(Thing.i, [Thing.s])  # type: ignore[list-item]
in_(size(Thing.tags), ["a"])  # type: ignore[list-item]

# --- begins_with, contains, size --------------------------------------------------------------------

begins_with(Thing.s, 3)  # type: ignore[call-overload]
begins_with(Thing.s, b"a")  # type: ignore[call-overload]
begins_with(Thing.s, None)  # type: ignore[call-overload]
begins_with(Thing.b, "a")  # type: ignore[call-overload]
begins_with(Thing.i, "3")  # type: ignore[call-overload]
begins_with(Thing.t, "t")  # type: ignore[call-overload]
begins_with(Thing.d, "1")  # type: ignore[call-overload]
begins_with(Thing.texts, "a")  # type: ignore[call-overload]
begins_with(Thing.label, "a")  # type: ignore[call-overload]
begins_with(Thing.span, "1")  # type: ignore[call-overload]
begins_with(Thing.maybe_i, "3")  # type: ignore[arg-type]
begins_with(Thing.at, today)  # type: ignore[call-overload]

contains(Thing.s, 3)  # type: ignore[arg-type]
contains(Thing.b, "a")  # type: ignore[arg-type]
contains(Thing.i, 3)  # type: ignore[arg-type]
contains(Thing.label, "a")  # type: ignore[arg-type]
contains(Thing.scores, "a")  # type: ignore[arg-type]
contains(Thing.at, "2026")  # type: ignore[arg-type]
contains(Thing.texts, 3)  # type: ignore[arg-type]
contains(Thing.texts, ["a"])  # type: ignore[arg-type]
contains(Thing.texts, None)  # type: ignore[misc]
contains(Thing.numbers, "a")  # type: ignore[arg-type]
contains(Thing.numbers, 1.5)  # type: ignore[arg-type]
contains(Thing.moods, "c")  # type: ignore[arg-type]
contains(Thing.moods, Genre.JAZZ)  # type: ignore[arg-type]
contains(Thing.labels, "a")  # type: ignore[arg-type]
contains(Thing.tags, 3)  # type: ignore[arg-type]
contains(Thing.tags, {"a"})  # type: ignore[arg-type]
contains(Thing.ids, "a")  # type: ignore[arg-type]
contains(Thing.uuids, "a")  # type: ignore[arg-type]
contains(Thing.frozen, 3)  # type: ignore[arg-type]
contains(Thing.many, "a")  # type: ignore[arg-type]
contains(Thing.sequence, 3)  # type: ignore[arg-type]
contains(Thing.abstract, 3)  # type: ignore[arg-type]
contains(Thing.maybe_list, 3)  # type: ignore[arg-type]
contains(Thing.lists["a"], 3)  # type: ignore[arg-type]

size(Thing.i)  # type: ignore[arg-type]
size(Thing.f)  # type: ignore[arg-type]
size(Thing.d)  # type: ignore[arg-type]
size(Thing.t)  # type: ignore[arg-type]
size(Thing.span)  # type: ignore[arg-type]
size(Thing.maybe_i)  # type: ignore[arg-type]
size(Thing.scores["a"])  # type: ignore[arg-type]

# --- In their places --------------------------------------------------------------------------------


def used(session: Session) -> None:
    things = session.query(Thing)
    things.where(between(Thing.i, "a", "z"))  # type: ignore[arg-type]
    things.filter(in_(Thing.i, ["a"]) | contains(Thing.tags, 3))  # type: ignore[arg-type, list-item]
    session.update(Thing, ("a", 1), set_(Thing.i, "many"))  # type: ignore[arg-type]
    session.update(Thing, ("a", 1), add(Thing.s, 1), set_(Thing.i, 3))  # type: ignore[arg-type, type-var]
    session.update(Thing, ("a", 1), put(Thing.i))  # type: ignore[call-overload]
    session.update(Thing, ("a", 1), set_(Thing.i, 3), when=between(Thing.i, "a", "z"))  # type: ignore[arg-type]


def at_run_time_too_late() -> None:
    """What dynattrs takes, as the stored form is the same. To checkers it is not a value of the field."""
    set_(Thing.user, "a")  # type: ignore[arg-type]
    set_(Thing.points, 3)  # type: ignore[arg-type]
    set_(Thing.texts, ("a",))  # type: ignore[arg-type]
    set_(Thing.tags, frozenset({"a"}))  # type: ignore[arg-type]
    set_(Thing.i, Thing.f)  # type: ignore[arg-type]
    set_(Thing.i, Thing.f + 1)  # type: ignore[arg-type]
    set_(Thing.s, Thing.at)  # type: ignore[arg-type]
    between(Thing.user, "a", "b")  # type: ignore[arg-type]
    between(Thing.i, Thing.maybe_i, 9)  # type: ignore[misc]
    in_(Thing.user, ["a"])  # type: ignore[list-item]
    list_append(Thing.numbers, Thing.texts)  # type: ignore[arg-type]
    put(Thing.i).to(Thing.maybe_i)  # type: ignore[arg-type]
