"""The planner: a query finds what a full scan with the same conditions finds, or says why not."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from dynattrs import ImpossibleKey, QueryError, begins_with, between, exists, mapper
from dynattrs.schema.table import key_attributes_of
from key_schemas import (
    BYTES,
    COMPARE,
    NUMBERS,
    SCHEMAS,
    SEVERAL,
    TEXTS,
    Bytes,
    Number,
    Place,
    Stored,
    Text,
    asked_of,
    connect,
    questions,
)

if TYPE_CHECKING:
    from dynattrs.wire.local_engine import Lease


@pytest.fixture(scope="module")
def stored(dynamodb_local: str) -> Iterator[Stored]:
    client = connect(dynamodb_local)
    stored = Stored(client, SCHEMAS)
    yield stored
    stored.session.tables.delete(*[schema.cls for schema in SCHEMAS])
    stored.session.close()
    client.close()


@pytest.fixture(scope="module")
def stored_embedded(embedded: Lease) -> Iterator[Stored]:
    client = connect(
        embedded.endpoint_url,
        aws_access_key_id=embedded.access_key,
        aws_secret_access_key=embedded.secret_key,
    )
    stored = Stored(client, SEVERAL)
    yield stored
    stored.session.tables.delete(Place)
    stored.session.close()
    client.close()


def key_fields(cls: Any, using: str) -> list[str]:
    info = cls.__dynattrs__
    fields = {stored: name for name, stored in info.names.items()}
    [index] = [index for index in info.table.indexes if index.name == using]
    return [fields[stored] for stored in key_attributes_of(info.table, index)]


# --- The laws ---------------------------------------------------------------------------------------


@given(st.data())
def test_a_query_finds_what_a_scan_with_the_same_conditions_finds(
    stored: Stored, data: st.DataObject
) -> None:
    schema = data.draw(st.sampled_from(SCHEMAS))
    check(stored, schema.cls, data)


@given(st.data())
def test_a_query_on_keys_of_several_attributes_finds_what_a_scan_finds(
    stored_embedded: Stored, data: st.DataObject
) -> None:
    check(stored_embedded, Place, data)


BORDERS = {Text: TEXTS, Number: NUMBERS, Bytes: BYTES}
#: What a condition may name, though no sort key is that long.
LONGER: dict[Any, list[Any]] = {
    Text: [
        "a" * 1025,
        "~" * 3000,
        "\U0010ffff" * 257,
        "a" * 1023 + "\xe9",
        "a" * 1022 + "\U0010ffff",
    ],
    Number: [],
    Bytes: [b"a" * 1025, b"\xff" * 1025, b"\xff" * 1024 + b"\0"],
}


@st.composite
def bounds(
    draw: st.DrawFn, values: list[Any]
) -> tuple[Callable[[Any], Any], Callable[[Any], bool]]:
    """A bound as it is written of a path, and as it is decided of a value."""
    value = draw(st.sampled_from(values))
    word = draw(st.sampled_from(["<", "<=", ">", ">=", "between", "begins_with"]))
    if word == "begins_with" and not isinstance(value, Decimal):
        value = value[: draw(st.sampled_from([1, 2, 1024, 4096]))]
        return lambda path: begins_with(path, value), lambda sort: bool(sort.startswith(value))
    if word == "between":
        other = draw(st.sampled_from(values))
        return (
            lambda path: between(path, value, other),
            lambda sort: ordered(value) <= ordered(sort) <= ordered(other),
        )
    compare = COMPARE.get(word, COMPARE["<"])
    return (
        lambda path: compare(path, value),
        lambda sort: bool(compare(ordered(sort), ordered(value))),
    )


def ordered(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


@given(st.data())
def test_any_bounds_on_one_sort_key_become_one_range(stored: Stored, data: st.DataObject) -> None:
    """Open and closed ones, prefixes, contradictions; at the ends of what a key can be."""
    cls: Any = data.draw(st.sampled_from([Text, Number, Bytes]))
    values = BORDERS[cls]
    named = [*values, *LONGER[cls]]
    asked = data.draw(st.lists(bounds(named), min_size=1, max_size=4))

    query = stored.session.query(cls).where(cls.part == values[2], *[w(cls.sort) for w, _ in asked])
    backwards = data.draw(st.booleans())
    if backwards:
        query = query.reverse()

    found = [item.sort for item in query.hydrate()]
    expected = [sort for sort in values if all(decide(sort) for _, decide in asked)]
    assert found == sorted(expected, key=ordered, reverse=backwards), query.explain()


def check(stored: Stored, cls: Any, data: st.DataObject) -> None:
    asked = data.draw(questions(cls, stored.values[cls]))
    query = asked_of(stored.session, asked)
    scan = stored.session.scan(cls).where(*asked.where).filter(*asked.filters)
    if asked.using is not None:
        # An index that is pinned holds only the items that have all its key attributes.
        scan = scan.where(*[exists(getattr(cls, name)) for name in key_fields(cls, asked.using)])
    try:
        plan = query.explain()
    except (QueryError, ImpossibleKey) as error:
        event(f"refused: {type(error).__name__}")
        return
    event(plan.splitlines()[0])
    event("left out on receipt" if "left out" in plan else "exact")

    # Bounds are computed; the caller's precision must not matter.
    with decimal.localcontext() as context:
        context.prec = 3
        items = query.all() if asked.what == "keys" else keys_of(cls, query.all())

    assert frozen(items) == frozen(scan.keys().all()), plan


def keys_of(cls: Any, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = cls.__dynattrs__.key_fields
    return [{name: getattr(mapper.load(item, cls), name) for name in names} for item in items]


def frozen(items: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    found = {tuple(sorted(item.items())) for item in items}
    assert len(found) == len(items)
    return found
