"""What key values may hold, on the engines: pieces of separators, and values that no key can have."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dynattrs import (
    ImpossibleKey,
    MappingError,
    Session,
    Table,
    begins_with,
    between,
    field,
    in_,
    model,
    set_,
)

PARTS = Table("parts", partition_key="pk", sort_key="sk")
LINES = Table("lines", partition_key="pk", sort_key="sk")


@model(PARTS, pk="{p}:::P", sk="{a}:::{b}")
class Part:
    p: str
    a: str
    b: str
    note: str = ""


@model(LINES, pk="C#{c}", sk="ORDER#{n:06d}")
class Order:
    c: str
    n: int


@model(LINES, pk="C#{c}", sk="ORDER#{n:06d}#LINE#{line:03d}")
class Line:
    c: str = field(key_only=True)
    n: int = field(key_only=True)
    line: int = field(key_only=True)


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(PARTS, LINES)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def test_queries_of_parts_that_hold_a_piece_of_the_separator(
    session: Session, table_prefix: str
) -> None:
    """A program that writes such keys through boto3 has its items found, and each question answered
    as Python answers it.
    """
    texts = ["", "x", ":", "::", ":x", "x:", "x::", "x:x", "x::x", "::x"]
    parts = []
    for a, b in itertools.product(texts, repeat=2):
        if (a + ":::").find(":::") == len(a):
            parts.append(Part("user:7", a, b))
            session.client.put_item(
                TableName=f"{table_prefix}parts",
                Item={
                    "pk": {"S": "user:7:::P"}, "sk": {"S": f"{a}:::{b}"},
                    "p": {"S": "user:7"}, "a": {"S": a}, "b": {"S": b},
                },
            )  # fmt: skip
    query = session.query(Part).where(Part.p == "user:7")
    questions: list[tuple[Any, Callable[[str], bool]]] = []
    for value in ("x", "x:", "x::", "x:x", ":x"):
        questions += [
            (Part.a < value, lambda t, v=value: t < v),
            (Part.a <= value, lambda t, v=value: t <= v),
            (Part.a > value, lambda t, v=value: t > v),
            (begins_with(Part.a, value), lambda t, v=value: t.startswith(v)),
            (between(Part.a, value, "x::x"), lambda t, v=value: v <= t <= "x::x"),
        ]
    for condition, holds in questions:
        expected = [each for each in parts if holds(each.a)]
        assert sorted(map(repr, query.where(condition))) == sorted(map(repr, expected)), condition
    for each in parts:
        assert session.get(Part, ("user:7", each.a, each.b)) == each
        assert query.where(Part.a == each.a, Part.b == each.b).all() == [each]


@pytest.mark.parametrize("wrong", ["a:::b", "a:"])
@pytest.mark.parametrize(
    "verb",
    [
        lambda s, key: s.get(Part, key),
        lambda s, key: s.get_one(Part, key),
        lambda s, key: list(s.get_many(Part, [("p", "a", "b"), key])),
        lambda s, key: s.exists(Part, key),
        lambda s, key: s.delete(Part, key),
        lambda s, key: s.update(Part, key, set_(Part.note, "x")),
        lambda s, key: s.update(Part, key, set_(Part.note, "x"), upsert=True),
        lambda s, key: s.save(Part(*key)),
        lambda s, key: s.insert(Part(*key)),
        lambda s, key: s.save_all([Part(*key)]),
        lambda s, key: s.refresh(Part(*key)),
        lambda s, key: s.move(Part("p", "a", "b"), Part(*key)),
        lambda s, key: s.query(Part).where(Part.p == key[0]).all(),
        lambda s, key: s.query(Part).where(Part.p == key[0]).count(),
        lambda s, key: s.query(Part).where(Part.p == key[0]).delete(),
        lambda s, key: s.query(Part).where(Part.p == key[0]).explain(),
        lambda s, key: s.query(Part).where(Part.p == "p", in_(Part.a, ["a", key[0]])).all(),
    ],
    ids=[
        "get", "get_one", "get_many", "exists", "delete", "update", "upsert", "save", "insert",
        "save_all", "refresh", "move", "query", "count", "query.delete", "explain", "in_",
    ],
)  # fmt: skip
def test_a_value_that_no_key_can_have_is_one_error_from_all_verbs(
    session: Session, verb: Callable[[Any, Any], Any], wrong: str
) -> None:
    session.save(Part("p", "a", "b"))

    with pytest.raises(ImpossibleKey) as caught:
        verb(session, (wrong, "a", "b"))

    assert isinstance(caught.value, MappingError)
    assert caught.value.path.startswith("Part.")
    assert session.get(Part, ("p", "a", "b")) == Part("p", "a", "b")


@pytest.mark.parametrize(
    "models",
    [(Order, Line), (Line, Order), (Line,), (Order,)],
    ids=["order-line", "line-order", "line", "order"],
)
def test_a_range_over_a_collection_finds_what_is_stored_in_keys_only(
    session: Session, models: tuple[Any, ...]
) -> None:
    things = [Order("1", n) for n in range(9)] + [Line("1", n, k) for n in range(9) for k in (0, 7)]
    session.save_all(things)
    first = models[0]
    for condition, numbers in (
        ([first.n >= 4], range(4, 9)),
        ([first.n > 4], range(5, 9)),
        ([first.n < 4], range(4)),
        ([first.n <= 4], range(5)),
        ([between(first.n, 4, 7)], range(4, 8)),
        ([first.n >= 4, first.n < 8], range(4, 8)),
        ([first.n > 4, first.n <= 7], range(5, 8)),
        ([first.n == 4], range(4, 5)),
    ):
        query = session.query(*models).where(first.c == "1", *condition)
        expected = [each for each in things if type(each) in models and each.n in numbers]

        assert sorted(map(repr, query)) == sorted(map(repr, expected)), query.explain()
        assert query.count() == len(expected)
