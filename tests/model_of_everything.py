"""A model with every kind of place in it, items of it, and conditions on them.

A condition is drawn twice at once, as what a user writes and as what `dynamodb_oracle` evaluates, over all
operators, functions, kinds of paths and operands. The items lack attributes, hold NULL and values
of other types than the model says.
"""

from __future__ import annotations

import datetime as dt
import enum
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import attrs
from hypothesis import strategies as st

import dynamodb_oracle as oracle
from dynattrs import (
    Compressed,
    Epoch,
    all_of,
    any_of,
    attribute_type,
    begins_with,
    between,
    contains,
    exists,
    field,
    in_,
    is_none,
    model,
    not_,
    not_exists,
    not_none,
    partition_key,
    size,
    sort_key,
)

TABLE = "conditions"


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


@attrs.define
class Inner:
    city: str = field(name="the city", default="")
    code: int | None = None
    marks: list[int] = attrs.field(factory=list)
    open: bool = False


@model(TABLE)
class Thing:
    part: int = partition_key()
    number: int = sort_key()
    text: str = ""
    other: str | None = None
    status: str = ""
    count: int = 0
    total: int | None = None
    price: Decimal = field(name="price.in €", default=Decimal(0))
    ratio: float = 0.0
    flag: bool = False
    done: bool | None = field(name="is:done", default=None)
    data: bytes = b""
    more: bytes = b""
    color: Color | None = None
    level: Level = Level.LOW
    day: dt.date | None = field(name="date", default=None)
    at: Annotated[dt.datetime, Epoch] | None = None
    packed: Annotated[list[int], Compressed] | None = None
    labels: set[str] = attrs.field(factory=set)
    tags: set[str] | None = None
    numbers: set[int] = attrs.field(factory=set)
    blobs: set[bytes] = attrs.field(factory=set)
    words: list[str] = attrs.field(factory=list)
    matrix: list[list[int]] = attrs.field(factory=list)
    inner: Inner | None = None
    inners: list[Inner] = attrs.field(factory=list)
    by_name: dict[str, int] = field(name="by#name", factory=dict)
    texts: dict[str, str] = attrs.field(factory=dict)
    anything: Any = None


# --- Values, as Python has them and as they are stored ---------------------------------------------

S = [(text, {"S": text}) for text in (
    "", "a", "ab", "aba", "b", "Z", "é", "e\u0301", "\uffff", "\ue000", "🎸", "a🎸b", "1", "\0",
)]  # fmt: skip
N = [(number, {"N": str(number)}) for number in (
    -(10**37), -10, -1, 0, 1, 2, 3, 10, 11, 10**30, 10**30 + 1, 10**37 + 1,
)]  # fmt: skip
DECIMALS = [(Decimal(text), {"N": text}) for text in (
    "-1E-130", "-1.5", "0", "1E-130", "0.1", "0.10000000000000000000000000000000000001", "1", "1.0",
    "10", "1E+1", "9.9999999999999999999999999999999999999E+125",
)]  # fmt: skip
FLOATS = [
    (number, {"N": str(Decimal(repr(number)))}) for number in (-1.5, 0.0, 0.1, 1.0, 10.0, 2.5)
]
B = [
    (data, {"B": data}) for data in (b"", b"a", b"ab", b"b", b"\0", b"\xff", b"\xff\xff", b"a\xff")
]
BOOLEANS = [(flag, {"BOOL": flag}) for flag in (True, False)]
COLORS = [(color, {"S": color.value}) for color in Color]
LEVELS = [(level, {"N": str(level.value)}) for level in Level]
DAYS = [(dt.date(year, 2, 28), {"S": f"{year:04}-02-28"}) for year in (1, 1999, 2026)]
EPOCHS = [
    (dt.datetime.fromtimestamp(second, dt.timezone.utc), {"N": str(second)})
    for second in (0, 1, 10, 1_700_000_000)
]


def _members(
    pairs: list[Any], tag: str, values: list[Any], kind: Callable[[Any], Any]
) -> list[Any]:
    """Collections of some of *pairs*, given by their positions."""
    return [
        (kind(pairs[i][0] for i in which), {tag: _payloads(tag, [pairs[i][1] for i in which])})
        for which in values
    ]


def _payloads(tag: str, stored: list[Any]) -> list[Any]:
    return stored if tag == "L" else [each[tag[0]] for each in stored]


SOME = [[1], [1, 2], [2, 1, 3], [4]]
LABELS = _members(S, "SS", [*SOME, [6, 7]], set)
NUMBERS = _members(N, "NS", [*SOME, [3], [0, 11]], set)
BLOBS = _members(B, "BS", SOME, set)
WORDS = _members(S, "L", [[], [0], *SOME, [1, 1], [10, 8]], list)
MARKS = _members(N, "L", [[], [3], *SOME, [1, 1]], list)
MATRIX = _members(MARKS, "L", [[], [0], [1, 0], [2, 3, 4], [3, 3]], list)
KEYS = ("a.b", "c d", "ü", "SIZE", "e", ":x", "#y", "[0]")
BY_NAME = [
    ({}, {"M": {}}),
    *[({key: 1}, {"M": {key: {"N": "1"}}}) for key in KEYS],
    (dict.fromkeys(KEYS, 10), {"M": {key: {"N": "10.0"} for key in KEYS}}),
]
TEXTS = [({}, {"M": {}}), ({"a.b": "a", "ü": "🎸"}, {"M": {"a.b": {"S": "a"}, "ü": {"S": "🎸"}}})]


def _inner(city: Any, code: Any, marks: Any, open: Any) -> Any:
    stored = {"the city": city[1], "marks": marks[1], "open": open[1]}
    if code is not None:
        stored["code"] = code[1]
    return Inner(city[0], code and code[0], marks[0], open[0]), {"M": stored}


INNER = [
    _inner(S[1], None, MARKS[0], BOOLEANS[0]),
    _inner(S[1], N[4], MARKS[2], BOOLEANS[1]),
    _inner(S[10], N[5], MARKS[3], BOOLEANS[0]),
    _inner(S[0], N[0], MARKS[5], BOOLEANS[1]),
]
INNERS = _members(INNER, "L", [[], [0], [1, 2], [3, 2, 1]], list)
ANYTHING = [
    S[1], N[4], BOOLEANS[0], B[1], LABELS[1], WORDS[3], BY_NAME[2], (Decimal("1.5"), {"N": "1.5"}),
]  # fmt: skip


# --- Places -----------------------------------------------------------------------------------------


@attrs.frozen
class Place:
    """A path, as a user writes it and as it is stored, and values that fit there."""

    path: Any = attrs.field(repr=False)
    steps: tuple[str | int, ...]
    values: list[Any] = attrs.field(repr=False)
    #: The type tag of the values, where it is always the same.
    tag: str | None
    #: Values of the members, for `contains`.
    members: list[Any] | None = attrs.field(default=None, repr=False)
    optional: bool = False


T: Any = Thing
PLACES = [
    Place(T.text, ("text",), S, "S", S),
    Place(T.other, ("other",), S, "S", S, True),
    Place(T.status, ("status",), S, "S", S),
    Place(T.count, ("count",), N, "N"),
    Place(T.total, ("total",), N, "N", None, True),
    Place(T.price, ("price.in €",), DECIMALS, "N"),
    Place(T.ratio, ("ratio",), FLOATS, "N"),
    Place(T.flag, ("flag",), BOOLEANS, "BOOL"),
    Place(T.done, ("is:done",), BOOLEANS, "BOOL", None, True),
    Place(T.data, ("data",), B, "B", B),
    Place(T.more, ("more",), B, "B", B),
    Place(T.color, ("color",), COLORS, "S", None, True),
    Place(T.level, ("level",), LEVELS, "N"),
    Place(T.day, ("date",), DAYS, "S", None, True),
    Place(T.at, ("at",), EPOCHS, "N", None, True),
    Place(T.labels, ("labels",), LABELS, "SS", S[1:]),
    Place(T.tags, ("tags",), LABELS, "SS", S[1:], True),
    Place(T.numbers, ("numbers",), NUMBERS, "NS", N),
    Place(T.blobs, ("blobs",), BLOBS, "BS", B[1:]),
    Place(T.words, ("words",), WORDS, "L", S),
    Place(T.words[0], ("words", 0), S, "S", S),
    Place(T.words[1], ("words", 1), S, "S", S),
    Place(T.matrix, ("matrix",), MATRIX, "L", MARKS),
    Place(T.matrix[1], ("matrix", 1), MARKS, "L", N),
    Place(T.matrix[0][1], ("matrix", 0, 1), N, "N"),
    Place(T.inner, ("inner",), INNER, "M", None, True),
    Place(T.inner.city, ("inner", "the city"), S, "S", S),
    Place(T.inner.code, ("inner", "code"), N, "N", None, True),
    Place(T.inner.marks, ("inner", "marks"), MARKS, "L", N),
    Place(T.inner.marks[0], ("inner", "marks", 0), N, "N"),
    Place(T.inner.open, ("inner", "open"), BOOLEANS, "BOOL"),
    Place(T.inners, ("inners",), INNERS, "L", INNER),
    Place(T.inners[0], ("inners", 0), INNER, "M"),
    Place(T.inners[1].city, ("inners", 1, "the city"), S, "S", S),
    Place(T.inners[0].marks[1], ("inners", 0, "marks", 1), N, "N"),
    Place(T.by_name, ("by#name",), BY_NAME, "M"),
    *[Place(T.by_name[key], ("by#name", key), N, "N") for key in KEYS],
    Place(T.texts, ("texts",), TEXTS, "M"),
    Place(T.texts["a.b"], ("texts", "a.b"), S, "S", S),
    Place(T.anything, ("anything",), ANYTHING, None),
]  # fmt: skip
ORDERED = [place for place in PLACES if place.tag in oracle.ORDERED]
SIZED = [place for place in PLACES if place.tag not in ("N", "BOOL", None)]
# Compressed data have no values to compare with that would not depend on zlib.
EXISTING = [*PLACES, Place(T.packed, ("packed",), [], "B", None, True)]


# --- Items ------------------------------------------------------------------------------------------


def item_of(partition: int, number: int, chance: random.Random) -> dict[str, Any]:
    item = {"part": {"N": str(partition)}, "number": {"N": str(number)}}
    for place in PLACES:
        if len(place.steps) > 1:
            continue
        kind = chance.random()
        name = str(place.steps[0])
        if kind < 0.2:
            continue
        if kind < 0.3:
            item[name] = {"NULL": True}
        elif kind < 0.45:
            item[name] = chance.choice(chance.choice(PLACES).values)[1]
        else:
            item[name] = chance.choice(place.values)[1]
    return item


# --- Conditions -------------------------------------------------------------------------------------


@attrs.frozen
class Drawn:
    """A condition as a user writes it, and as the oracle knows it."""

    written: Any
    known: tuple[Any, ...]


def value(pair: tuple[Any, Any]) -> tuple[Any, ...]:
    return ("value", pair[1])


def path(place: Place) -> tuple[Any, ...]:
    return ("path", *place.steps)


NUMERIC = [place for place in PLACES if place.tag == "N"]
LENGTHS = [(number, {"N": str(number)}) for number in (-1, 0, 1, 2, 3, 4, 8)]
APPLY: dict[str, Callable[[Any, Any], Any]] = oracle.OPERATORS


@st.composite
def operands(draw: st.DrawFn, place: Place, values: list[Any] | None = None) -> tuple[Any, Any]:
    """What *place* is compared with: a value, or another path of the same kind."""
    values = place.values if values is None else values
    kind = draw(st.sampled_from(["value", "value", "value", "path", "size"]))
    others = [
        other for other in PLACES
        if place.tag is not None and other.steps != place.steps
        and other.tag == place.tag and other.values is values
    ]  # fmt: skip
    if kind == "path" and others:
        other = draw(st.sampled_from(others))
        return other.path, path(other)
    if kind == "size" and place.tag == "N":
        other = draw(st.sampled_from(SIZED))
        return size(other.path), ("size", *other.steps)
    pair = draw(st.sampled_from(values))
    return pair[0], value(pair)


@st.composite
def lengths(draw: st.DrawFn) -> tuple[Any, Any]:
    """What a size is compared with."""
    kind = draw(st.sampled_from(["value", "value", "path", "size"]))
    if kind == "path":
        other = draw(st.sampled_from(NUMERIC))
        return other.path, path(other)
    if kind == "size":
        other = draw(st.sampled_from(SIZED))
        return size(other.path), ("size", *other.steps)
    pair = draw(st.sampled_from(LENGTHS))
    return pair[0], value(pair)


@st.composite
def comparisons(draw: st.DrawFn) -> Drawn:
    word = draw(st.sampled_from(sorted(APPLY)))
    place = draw(st.sampled_from(PLACES if word in ("=", "<>") else ORDERED))
    written, known = draw(operands(place))
    if known[0] == "value" and draw(st.booleans()):
        # `1 < Thing.count`, which Python turns around.
        turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(word, word)
        return Drawn(APPLY[turned](written, place.path), (word, path(place), known))
    return Drawn(APPLY[word](place.path, written), (word, path(place), known))


@st.composite
def sizes(draw: st.DrawFn) -> Drawn:
    place = draw(st.sampled_from(SIZED))
    subject, own = size(place.path), ("size", *place.steps)
    kind = draw(st.sampled_from(["compare", "compare", "between", "in"]))
    if kind == "compare":
        word = draw(st.sampled_from(sorted(APPLY)))
        written, known = draw(lengths())
        return Drawn(APPLY[word](subject, written), (word, own, known))
    if kind == "between":
        low, high = draw(lengths()), draw(lengths())
        return Drawn(between(subject, low[0], high[0]), ("between", own, low[1], high[1]))
    some = draw(st.lists(lengths(), max_size=4))
    return Drawn(in_(subject, [each[0] for each in some]), ("in", own, *[each[1] for each in some]))


@st.composite
def betweens(draw: st.DrawFn) -> Drawn:
    place = draw(st.sampled_from(ORDERED))
    low, high = draw(operands(place)), draw(operands(place))
    return Drawn(between(place.path, low[0], high[0]), ("between", path(place), low[1], high[1]))


@st.composite
def choices(draw: st.DrawFn) -> Drawn:
    place = draw(st.sampled_from(PLACES))
    some = draw(st.lists(operands(place), max_size=5))
    written, known = [each[0] for each in some], ("in", path(place), *[each[1] for each in some])
    if place.tag == "N" and place.values is N and draw(st.integers(0, 9)) == 0:
        many = [(number, {"N": str(number)}) for number in range(5, 5 + draw(st.integers(90, 220)))]
        written += [number for number, _ in many]
        known = (*known, *map(value, many))
    if place.optional and draw(st.booleans()):
        return Drawn(in_(place.path, [*written, None]), ("or", known, none(place)))
    # Any iterable will do.
    return Drawn(in_(place.path, iter(written)), known)


@st.composite
def beginnings(draw: st.DrawFn) -> Drawn:
    place = draw(st.sampled_from([place for place in PLACES if place.tag in ("S", "B")]))
    if place.values in (COLORS, DAYS):
        pair = draw(st.sampled_from([*S, *[("20", {"S": "20"}), ("r", {"S": "r"})]]))
        return Drawn(begins_with(place.path, pair[0]), ("begins_with", path(place), value(pair)))
    written, known = draw(operands(place))
    return Drawn(begins_with(place.path, written), ("begins_with", path(place), known))


@st.composite
def contents(draw: st.DrawFn) -> Drawn:
    place = draw(st.sampled_from([place for place in PLACES if place.members is not None]))
    # A path of the members' kind as well.
    others = [
        other for other in PLACES
        if other.values is place.members and other.steps != place.steps
    ]  # fmt: skip
    if others and draw(st.integers(0, 3)) == 0:
        other = draw(st.sampled_from(others))
        return Drawn(contains(place.path, other.path), ("contains", path(place), path(other)))
    pair = draw(st.sampled_from(place.members))
    return Drawn(contains(place.path, pair[0]), ("contains", path(place), value(pair)))


def none(place: Place) -> tuple[Any, ...]:
    """Absent or NULL."""
    return ("or", ("not", ("exists", path(place))), ("type", path(place), "NULL"))


@st.composite
def presences(draw: st.DrawFn) -> Drawn:
    place = draw(st.sampled_from(EXISTING))
    there = ("exists", path(place))
    tag = draw(st.sampled_from(["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"]))
    return draw(
        st.sampled_from([
            Drawn(exists(place.path), there),
            Drawn(not_exists(place.path), ("not", there)),
            Drawn(is_none(place.path), none(place)),
            Drawn(not_none(place.path), ("not", none(place))),
            Drawn(place.path == None, none(place)),  # noqa: E711 - it is what is tested
            Drawn(place.path != None, ("not", none(place))),  # noqa: E711
            Drawn(attribute_type(place.path, tag), ("type", path(place), tag)),
        ])
    )  # fmt: skip


@st.composite
def booleans(draw: st.DrawFn) -> Drawn:
    """A bare field."""
    place = draw(st.sampled_from([place for place in PLACES if place.tag == "BOOL"]))
    return Drawn(place.path, ("=", path(place), ("value", {"BOOL": True})))


@st.composite
def empty_sets(draw: st.DrawFn) -> Drawn:
    """An empty set is never stored: a field that equals one is absent."""
    place = draw(st.sampled_from([p for p in PLACES if p.tag in oracle.SETS and not p.optional]))
    there = ("exists", path(place))
    return draw(
        st.sampled_from(
            [Drawn(place.path == set(), ("not", there)), Drawn(place.path != set(), there)]
        )
    )


def joined(conditions: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    pairs = st.tuples(conditions, conditions)
    several = st.lists(conditions, min_size=1, max_size=4)
    return st.one_of(
        pairs.map(lambda two: Drawn(two[0].written & two[1].written, ("and", *_known(two)))),
        pairs.map(lambda two: Drawn(two[0].written | two[1].written, ("or", *_known(two)))),
        conditions.map(lambda one: Drawn(~one.written, ("not", one.known))),
        conditions.map(lambda one: Drawn(not_(one.written), ("not", one.known))),
        several.map(lambda some: Drawn(all_of(*_written(some)), ("and", *_known(some)))),
        several.map(lambda some: Drawn(any_of(*_written(some)), ("or", *_known(some)))),
    )


def _written(drawn: Any) -> list[Any]:
    return [each.written for each in drawn]


def _known(drawn: Any) -> list[tuple[Any, ...]]:
    return [each.known for each in drawn]


single = st.one_of(
    comparisons(), comparisons(), sizes(), betweens(), choices(), beginnings(), contents(),
    presences(), booleans(), empty_sets(),
)  # fmt: skip
conditions = st.recursive(single, joined, max_leaves=6)
