"""In what the embedded engine differs from the service, and what of it the library's requests avoid.

Each row of the table in docs/sessions.md is held true here, for DynamoDB Local, which stands for the
service, and for the embedded engine: also an engine that was mended is a row that is wrong.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ConditionFailed,
    InvalidRequest,
    MappingError,
    Session,
    add,
    begins_with,
    contains,
    delete,
    in_,
    list_append,
    model,
    not_,
    partition_key,
    remove,
    set_,
    size,
)

DOCS = Path(__file__).parents[2] / "docs" / "sessions.md"


@attrs.define
class Label:
    name: str
    plays: int = 0
    counts: dict[str, int] = attrs.field(factory=dict)


@model("things")
class Thing:
    id: str = partition_key()
    a: Any = None
    b: Any = None
    words: list[Any] | None = None
    scores: set[float] = attrs.field(factory=set)
    prices: set[Decimal] = attrs.field(factory=set)
    map: dict[str, Any] | None = None
    counts: dict[str, int] = attrs.field(factory=lambda: {"y": 1})
    label: Label = attrs.field(factory=lambda: Label("x"))


MANY_DIGITS = 10**37 + 1


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Thing)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


# --- What differs -------------------------------------------------------------------------------


def truth(condition: Any, **fields: Any) -> Callable[[Session], str]:
    """What a filter and the condition of a write say of an item; they never disagree."""

    def ask(session: Session) -> str:
        session.save(Thing("x", **fields))
        found = session.scan(Thing).where(condition).consistent().count() == 1
        try:
            session.update(Thing, "x", remove(Thing.map), when=condition)
            written = True
        except ConditionFailed:
            written = False
        assert found == written
        return str(found).lower()

    return ask


def result(attribute: str, *actions: Any, **fields: Any) -> Callable[[Session], str]:
    """What an update makes of an attribute."""

    def ask(session: Session) -> str:
        session.save(Thing("x", **fields))
        session.update(Thing, "x", *actions)
        found = getattr(session.get_one(Thing, "x", consistent=True), attribute)
        if isinstance(found, int) and found > 10**36:
            return f"10^37 + {found - 10**37}"
        return str(sorted(found) if isinstance(found, set) else found)

    return ask


def without_counts(session: Session) -> str:
    session.save(Thing("x"))
    session.update(Thing, "x", remove(Thing.counts))
    session.update(Thing, "x", add(Thing.counts["x"], 1))
    return str(
        dict(sorted(session.get_one(Thing, "x", consistent=True).counts.items(), reverse=True))
    )


def without_label(session: Session) -> str:
    session.save(Thing("x"))
    session.update(Thing, "x", remove(Thing.label))
    try:
        session.update(Thing, "x", add(Thing.label.counts["x"], 1), add(Thing.label.plays, 1))
    except MappingError:
        return "cannot be read"
    return str(session.get_one(Thing, "x", consistent=True).label)


#: What the docs say, a program, what the service answers, and what the embedded engine does.
ROWS: list[tuple[str, Callable[[Session], str], str, str]] = [
    (
        "`Thing.a == Thing.b`, where the item has neither",
        truth(Thing.a == Thing.b), "false", "true",
    ),
    (
        "`Thing.a != Thing.b`, where the item has neither",
        truth(Thing.a != Thing.b), "true", "false",
    ),
    (
        "`in_(Thing.a, [Thing.b])`, where the item has neither",
        truth(in_(Thing.a, [Thing.b])), "false", "true",
    ),
    (
        '`begins_with(Thing.a, "x")`, where `a` is 5',
        truth(begins_with(Thing.a, "x"), a=5), "false", "refused",
    ),
    (
        '`contains(Thing.a, b"ell")`, where `a` is `b"hello"`',
        truth(contains(Thing.a, b"ell"), a=b"hello"), "true", "false",
    ),
    ("`size(Thing.a) >= 0`, where `a` is 5", truth(size(Thing.a) >= 0, a=5), "false", "true"),
    ("`size(Thing.a) >= 0`, where `a` is True", truth(size(Thing.a) >= 0, a=True), "false", "true"),
    (
        "`set_(Thing.a, Thing.a + 1)`, where `a` is 10^37 + 1",
        result("a", set_(Thing.a, Thing.a + 1), a=MANY_DIGITS), "10^37 + 2", "10^37 + 0",
    ),
    (
        "`set_(Thing.b, Thing.a + 1)`, where `a` is `\"x\"`",
        result("b", set_(Thing.b, Thing.a + 1), a="x"), "refused", "x",
    ),
    (
        "`set_(Thing.a, list_append(Thing.a, [1]))`, where `a` is `\"x\"`",
        result("a", set_(Thing.a, list_append(Thing.a, [1])), a="x"), "refused", "[1]",
    ),
    (
        '`add(Thing.counts["x"], 1)`, where the item lacks `counts`, whose default is `{"y": 1}`',
        without_counts, "{'y': 1, 'x': 1}", "{'x': 1}",
    ),
    (
        '`add(Thing.label.counts["x"], 1), add(Thing.label.plays, 1)`, where the item lacks `label`, whose '
        "default is `Label(\"x\")`",
        without_label, "Label(name='x', plays=1, counts={'x': 1})", "cannot be read",
    ),
    (
        "`set_(Thing.a[0], 1)`, where `a` is a map",
        result("a", set_(Thing.a[0], 1), a={"x": 1}), "refused", "{'x': 1}",
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row[0].replace("`", "") for row in ROWS])
def test_what_differs_is_as_documented(
    session: Session, endpoint: Any, row: tuple[str, Callable[[Session], str], str, str]
):
    _, ask, service, embedded = row
    try:
        found = ask(session)
    except (ConditionError, InvalidRequest):
        found = "refused"

    assert found == (embedded if endpoint.engine == "embedded" else service)


@pytest.mark.threads_only
def test_the_documentation_has_these_rows_and_no_others(endpoint: Any):
    section = DOCS.read_text().partition("## The embedded engine")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*) \| (.*) \| (.*) \|$", section, re.MULTILINE)[1:]

    assert rows == [(what, service, embedded) for what, _, service, embedded in ROWS]


# --- What the library's requests avoid ----------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_elements_of_lists_are_removed_and_set_alike(session: Session, seed: int):
    """Positions are those before the update, whatever the order of the actions."""
    chosen = random.Random(seed)
    words = [f"w{n}" for n in range(8)]
    gone = chosen.sample(range(8), 3)
    kept = [n for n in range(8) if n not in gone]
    changed, beyond = chosen.choice(kept), chosen.sample(range(8, 20), 2)
    actions = [
        *(remove(Thing.words[n]) for n in gone),  # type: ignore[index]
        set_(Thing.words[changed], "new"),  # type: ignore[index]
        *(set_(Thing.words[n], f"w{n}") for n in beyond),  # type: ignore[index]
    ]
    chosen.shuffle(actions)
    session.save(Thing("x", words=words))

    session.update(Thing, "x", *actions)

    words[changed] = "new"
    expected = [words[n] for n in kept] + [f"w{n}" for n in sorted(beyond)]
    assert session.get_one(Thing, "x", consistent=True).words == expected


def test_several_elements_are_removed_by_one_action_and_in_transactions(session: Session):
    session.save(Thing("x", words=[0, 1, [0, 1, 2], 3]))

    session.update(Thing, "x", remove(Thing.words[0], Thing.words[2][0], Thing.words[2][2]))  # type: ignore[index]
    assert session.get_one(Thing, "x", consistent=True).words == [1, [1], 3]
    with session.transaction() as t:
        t.update(Thing, "x", remove(Thing.words[0]), remove(Thing.words[2]))  # type: ignore[index]
    assert session.get_one(Thing, "x", consistent=True).words == [[1]]


def test_equal_values_are_stored_apart(session: Session):
    """It was one list for both attributes."""
    session.save(Thing("x"))
    session.update(
        Thing, "x", set_(Thing.a, [1, 2]), set_(Thing.words, [1, 2]), set_(Thing.map, {"x": [1, 2]})
    )

    session.update(Thing, "x", set_(Thing.words[0], 9))  # type: ignore[index]

    found = session.get_one(Thing, "x", consistent=True)
    assert found == Thing("x", a=[1, 2], words=[9, 2], map={"x": [1, 2]})


def test_members_of_number_sets_are_found_by_value(session: Session):
    one = Decimal("1.00")
    session.save(Thing("x", scores={1.0, 2.0, 1e22}, prices={Decimal(1), Decimal("1E-130")}))

    assert session.scan(Thing).where(contains(Thing.scores, 1.0)).consistent().count() == 1
    assert session.scan(Thing).where(contains(Thing.scores, 1e22)).consistent().count() == 1
    assert session.scan(Thing).where(contains(Thing.prices, one)).consistent().count() == 1
    assert session.scan(Thing).where(not_(contains(Thing.prices, one))).consistent().count() == 0
    session.update(Thing, "x", add(Thing.scores, {1.0, 3.0}), delete(Thing.prices, {one}))
    found = session.get_one(Thing, "x", consistent=True)
    assert found == Thing("x", scores={1.0, 2.0, 1e22, 3.0}, prices={Decimal("1E-130")})

    with session.edit(found):
        found.scores -= {1.0, 1e22}
        found.scores |= {4.0}
        found.prices.clear()
    assert session.get_one(Thing, "x", consistent=True) == Thing("x", scores={2.0, 3.0, 4.0})
