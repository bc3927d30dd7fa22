"""Conditions that take several requests: the rows of a Python filter over all, each once, in the promised
order, and from every cursor on.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from dynattrs import (
    GlobalIndex,
    LocalIndex,
    QueryError,
    Session,
    Table,
    begins_with,
    between,
    in_,
    model,
    not_,
    partition_key,
    path,
    sort_key,
)
from key_schemas import connect

if TYPE_CHECKING:
    from dynattrs.wire.local_engine import Lease

# --- Models -----------------------------------------------------------------------------------------


@model("several-flat")
class Flat:
    id: int = partition_key()
    n: int = 0


@model(
    "several-pairs",
    indexes=[
        GlobalIndex("by-n", partition_key="n", sort_key="sort"),
        GlobalIndex("by-s", partition_key="s", projection="keys"),
        LocalIndex("local-n", sort_key="n"),
    ],
)
class Pair:
    part: str = partition_key()
    sort: str = sort_key()
    n: int = 0
    s: str = "s"


@model(
    "several-many",
    indexes=[
        GlobalIndex("many", partition_key=["a", "b"], sort_key=["c", "d", "e"]),
    ],
)
class Many:
    id: int = partition_key()
    a: int = 0
    b: str = "a"
    c: int = 0
    d: str = "a"
    e: int = 0


APP = Table(
    "several-app",
    partition_key="pk",
    sort_key="sk",
    indexes=[
        GlobalIndex("spread", partition_key="gpk", sort_key="gsk", write_shards=3),
        GlobalIndex("kinds", partition_key="type", sort_key="sk"),
    ],
    discriminator="type",
)


@model(APP, pk="U#{user}", sk="O#{state}#{n:02d}#{part}", gpk="S#{state}", gsk="{n:02d}#{user}")
class Order:
    user: str
    state: str
    n: int
    part: str = ""


@model(APP, pk="U#{user}", sk="A#{state}#{n:02d}")
class Address:
    user: str
    state: str
    n: int
    part: str = ""


TEXTS = ["a", "ab", "abc", "b", "c\U0010ffff", "d"]
VALUES: dict[Any, list[Any]] = {str: TEXTS, int: [-1, 0, 1, 2, 3]}


def fields_of(cls: Any) -> dict[str, list[Any]]:
    return {
        each.name: [*range(4)]
        if each.name == "n" and cls in (Order, Address)
        else VALUES[each.type]
        for each in attrs.fields(attrs.resolve_types(cls))
        if not (each.name == "part" and cls in (Order, Address))
    }


# --- The table --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local(dynamodb_local: str) -> Iterator[Session]:
    yield from opened(connect(dynamodb_local), [Flat, Pair, APP])


@pytest.fixture(scope="module")
def exact(embedded: Lease) -> Iterator[Session]:
    keys = {"aws_access_key_id": embedded.access_key, "aws_secret_access_key": embedded.secret_key}
    yield from opened(connect(embedded.endpoint_url, **keys), [Flat, Pair, Many, APP])


@pytest.fixture(scope="module")
def awaited(exact: Session) -> Iterator[Any]:
    """An `AsyncSession` of the same tables."""
    awaited_session = pytest.importorskip("awaited_session", reason="pip install 'dynattrs[aio]'")
    session = awaited_session.AwaitedSession(client=exact.client)
    yield session
    session.close()
    awaited_session.close_twins()


def opened(client: Any, tables: list[Any]) -> Iterator[Session]:
    session = Session(client=client)
    session.tables.create(*tables)
    yield session
    session.tables.delete(*tables)
    session.close()
    client.close()


# --- What is asked ----------------------------------------------------------------------------------

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip


def order(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


@attrs.frozen
class Asked:
    """A condition as it is written, and as it is decided of an object."""

    condition: Any
    holds: Callable[[Any], bool]


@st.composite
def atoms(draw: st.DrawFn, cls: Any, name: str) -> Asked:
    at, values = getattr(path(cls), name), fields_of(cls)[name]
    value = draw(st.sampled_from(values))
    words = [*COMPARE, "in", "in", "in", "between", "==", "=="]
    word = draw(st.sampled_from([*words, "begins"] if isinstance(value, str) else words))

    def of(obj: Any) -> Any:
        return order(getattr(obj, name))

    if word == "in":
        some = draw(st.lists(st.sampled_from(values), min_size=1, max_size=4))
        return Asked(in_(at, some), lambda obj: of(obj) in [*map(order, some)])
    if word == "between":
        high = draw(st.sampled_from(values))
        return Asked(between(at, value, high), lambda obj: order(value) <= of(obj) <= order(high))
    if word == "begins":
        return Asked(begins_with(at, value), lambda obj: of(obj).startswith(order(value)))
    compare = COMPARE[word]
    return Asked(compare(at, value), lambda obj: compare(of(obj), order(value)))


def both(one: Asked, other: Asked) -> Asked:
    return Asked(one.condition & other.condition, lambda obj: one.holds(obj) and other.holds(obj))


def either(one: Asked, other: Asked) -> Asked:
    return Asked(one.condition | other.condition, lambda obj: one.holds(obj) or other.holds(obj))


def neither(one: Asked) -> Asked:
    return Asked(not_(one.condition), lambda obj: not one.holds(obj))


@st.composite
def named(draw: st.DrawFn, cls: Any, name: str) -> Asked:
    """What one field is: one value, or one of several."""
    at, values = getattr(path(cls), name), fields_of(cls)[name]
    some = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    one = Asked(in_(at, some), lambda obj: getattr(obj, name) in some)
    if len(some) == 1 and draw(st.booleans()):
        return Asked(at == some[0], one.holds)
    return one


@st.composite
def trees(draw: st.DrawFn, cls: Any, names: list[str]) -> Asked:
    leaf = st.sampled_from(names).flatmap(lambda name: atoms(cls, name))
    return draw(
        st.recursive(
            leaf,
            lambda inner: st.one_of(
                st.tuples(inner, inner).map(lambda pair: both(*pair)),
                st.tuples(inner, inner).map(lambda pair: either(*pair)),
                inner.map(neither),
            ),
            max_leaves=4,
        )
    )


@st.composite
def questions(draw: st.DrawFn, cls: Any, partition: list[str], others: list[str]) -> list[Asked]:
    """Conditions that name partitions, in one of several ways, and more of the items in them."""
    asked = [draw(named(cls, name)) for name in partition]
    if draw(st.integers(0, 2)) == 0:  # alternatives that each name one
        first, last = ([draw(named(cls, name)) for name in partition] for _ in "ab")
        more = [draw(trees(cls, others)) for _ in "ab"]
        sides = [
            both(side[0], extra) if len(side) == 1 else both(both(side[0], side[1]), extra)
            for side, extra in zip((first, last), more, strict=True)
        ]
        asked = [either(*sides)]
    for _ in range(draw(st.integers(0, 2))):
        asked.append(draw(trees(cls, others)))
    return draw(st.permutations(asked))


#: Models, the index that is read, what its partition and its sort key are made of.
WAYS: list[tuple[Any, str | None, list[str], list[str]]] = [
    (Flat, None, ["id"], []),
    (Pair, None, ["part"], ["sort"]),
    (Pair, "by-n", ["n"], ["sort"]),
    (Pair, "by-s", ["s"], []),
    (Pair, "local-n", ["part"], ["n"]),
    (Order, None, ["user"], ["state", "n"]),
    (Order, "spread", ["state"], ["n", "user"]),
    (Address, None, ["user"], ["state", "n"]),
]
SEVERAL = (Many, "many", ["a", "b"], ["c", "d", "e"])
SETTINGS = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
)


def fill(session: Session, data: st.DataObject, cls: Any, *, distinct: bool) -> list[Any]:
    """Items in an empty table; if *distinct*, no two of one partition of an index with equal sort keys."""
    names = fields_of(cls)
    keys = [cls.__dynattrs__.key_fields]
    if distinct and cls is Pair:
        keys += [("n", "sort"), ("part", "n")]
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries(
                {name: st.sampled_from(values) for name, values in names.items()}
            ),
            max_size=40,
            unique_by=tuple(functools.partial(values_of, key) for key in keys),
        )
    )
    session.scan(cls).delete()
    objects = [cls(**row) for row in rows]
    session.save_all(objects)
    return objects


def values_of(names: Any, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names if name in row)


@attrs.frozen
class Wanted:
    query: Any
    expected: list[Any]
    reverse: bool
    merged: bool


def wanted(data: st.DataObject, session: Any, objects: list[Any], way: Any) -> Wanted | None:
    cls, index, partition, sort = way
    asked = data.draw(questions(cls, partition, [*fields_of(cls)]))
    query = session.query(cls).where(*[each.condition for each in asked], fan_out=500)
    if index is not None:
        query = query.using(index)
    if index == "by-s":
        query = query.hydrate()
    reverse, merged = data.draw(st.booleans()), bool(sort) and data.draw(st.booleans())
    query = query.reverse() if reverse else query
    query = query.merged() if merged else query
    if data.draw(st.integers(0, 3)) == 0:
        query = query.page_size(data.draw(st.integers(1, 5)))
    try:
        plan = query.explain()
    except QueryError as error:
        event(f"refused: {type(error).__name__} {str(error)[:40]}")
        return None
    first, _, rest = plan.partition("\n")
    event(first + (" several" if "\nrequests: " in rest else ""))
    expected = [each for each in objects if all(one.holds(each) for one in asked)]
    return Wanted(query, expected, reverse, merged)


def place_of(way: Any, obj: Any) -> tuple[Any, Any]:
    """The partition of an object, and its place in that."""
    cls, index, partition, sort = way
    if cls is Order and index is None:
        return obj.user, f"O#{obj.state}#{obj.n:02d}#".encode()
    if cls is Address:
        return obj.user, f"A#{obj.state}#{obj.n:02d}".encode()
    if index == "spread":
        return obj.state, f"{obj.n:02d}#{obj.user}".encode()
    values = [order(getattr(obj, name)) for name in sort]
    return tuple(getattr(obj, name) for name in partition), values


def check(found: list[Any], wanted: Wanted, way: Any) -> None:
    shown = wanted.query.explain()
    assert sorted(map(repr, found)) == sorted(map(repr, wanted.expected)), shown
    if f"index: {way[1] or 'none'}" not in shown:  # another one serves better
        return
    places = [place_of(way, each) for each in found]
    if wanted.merged:
        sorts = [sort for _, sort in places]
        assert sorts == sorted(sorts, reverse=wanted.reverse), shown
        return
    partitions = [*dict.fromkeys(partition for partition, _ in places)]
    for each in partitions:
        sorts = [sort for partition, sort in places if partition == each]
        assert sorts == sorted(sorts, reverse=wanted.reverse), shown
    assert [p for p, _ in places] == sorted((p for p, _ in places), key=partitions.index), shown


def walked(data: st.DataObject, query: Any) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page = query.after(cursor).page(data.draw(st.integers(1, 4)))
        found += page
        cursor = page.cursor
        if cursor is None:
            return found


def check_law(
    session: Session,
    data: st.DataObject,
    way: Any,
    *,
    distinct: bool = False,
    asking: Any = None,
) -> None:
    objects = fill(session, data, way[0], distinct=distinct)
    for _ in range(3):
        case = wanted(data, asking or session, objects, way)
        if case is None:
            continue
        found = case.query.all()
        check(found, case, way)
        assert walked(data, case.query) == found, case.query.explain()
        assert case.query.count() == len(found)
        assert len(case.query.keys().all()) == len(found)
        count = data.draw(st.integers(1, 8))
        assert case.query.limit(count).all() == found[:count]
        assert [each for page in case.query.pages() for each in page] == found
        assert case.query.first() == (found[0] if found else None)


@SETTINGS
@given(st.data(), st.sampled_from(WAYS))
def test_several_requests_find_what_a_python_filter_finds(
    local: Session, data: st.DataObject, way: Any
) -> None:
    # DynamoDB Local says that a limited page is the last one where it ends at the far end of an inclusive
    # range, though items with the same sort key follow.
    check_law(local, data, way, distinct=True)


@SETTINGS
@given(st.data(), st.sampled_from([*WAYS, SEVERAL, SEVERAL]))
def test_several_requests_find_it_on_the_embedded_engine(
    exact: Session, data: st.DataObject, way: Any
) -> None:
    check_law(exact, data, way)


@SETTINGS
@given(st.data(), st.sampled_from([*WAYS, SEVERAL]))
def test_several_requests_of_an_async_session_find_it(
    exact: Session, awaited: Any, data: st.DataObject, way: Any
) -> None:
    check_law(exact, data, way, asking=awaited)
