"""Queries that take several requests, on each engine: their ends, their cursors, and when they ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from dynattrs import (
    CursorError,
    GlobalIndex,
    MultipleItems,
    Session,
    Table,
    any_of,
    between,
    in_,
    model,
    not_,
    partition_key,
    sort_key,
)


@model(
    "lines",
    indexes=[
        GlobalIndex("by-colour", partition_key="colour", sort_key="number", projection="keys"),
    ],
)
class Line:
    page: str = partition_key()
    number: int = sort_key()
    colour: str = "red"
    text: str = ""


APP = Table(
    "desk",
    partition_key="pk",
    sort_key="sk",
    indexes=[
        GlobalIndex("spread", partition_key="gpk", sort_key="sk", write_shards=3),
        GlobalIndex("by-number", partition_key="npk", sort_key="nsk", projection="keys"),
    ],
)


@model(APP, pk="U#{user}", sk="PROFILE")
class User:
    user: str
    name: str = ""


@model(
    APP, pk="U#{user}", sk="ORDER#{state}#{number:03d}", gpk="STATE#{state}", npk="N#{state}",
    nsk="{number:03d}",
)  # fmt: skip
class Order:
    user: str
    state: str
    number: int


@model("prices")
class Price:
    amount: Decimal = partition_key()
    name: str = ""


@attrs.frozen
class Text:
    text: str


LINES = [
    Line(page, number, ["red", "green", "blue"][number % 3], f"{page}{number}")
    for page in "abc"
    for number in range(9)
]
ORDERS = [
    Order(user, state, number)
    for user in ("x", "y", "z")
    for state in ("new", "old", "paid")
    for number in range(3)
]


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Line, APP, Price)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    opened = Session(client=client, table_prefix=table_prefix)
    opened.save_all([*LINES, *ORDERS, *(User(name, name.upper()) for name in "xyz")])
    yield opened
    opened.close()


@pytest.fixture
def sent(client: Any) -> list[tuple[str, dict[str, Any]]]:
    """The reads that are sent, in their order."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def note(model: Any, params: Any, **_: Any) -> None:
        if model.name in ("Query", "BatchGetItem"):
            calls.append((model.name, params))

    client.meta.events.register("before-call.dynamodb", note)
    return calls


def pages_and_numbers(lines: Any) -> list[tuple[str, int]]:
    return [(line.page, line.number) for line in lines]


def test_partitions_come_in_the_order_in_which_they_are_named(session: Session):
    found = session.query(Line).where(in_(Line.page, ["c", "a"]), Line.number >= 7)

    assert pages_and_numbers(found) == [("c", 7), ("c", 8), ("a", 7), ("a", 8)]
    assert pages_and_numbers(found.reverse()) == [("c", 8), ("c", 7), ("a", 8), ("a", 7)]
    assert pages_and_numbers(found.merged()) == [("c", 7), ("a", 7), ("c", 8), ("a", 8)]
    assert pages_and_numbers(found.merged().reverse()) == [("c", 8), ("a", 8), ("c", 7), ("a", 7)]


def test_every_end_sees_all_parts(session: Session):
    asked = session.query(Line).where(Line.page == "b", not_(in_(Line.number, [0, 4, 8])))
    numbers = [1, 2, 3, 5, 6, 7]

    assert [line.number for line in asked.all()] == numbers
    assert asked.count() == 6
    assert asked.limit(4).count() == 4
    first = asked.first()
    assert first is not None
    assert first.number == 1
    assert [each.text for each in asked.as_(Text)] == [f"b{n}" for n in numbers]
    assert asked.select(Line.number).limit(4).all() == [(n,) for n in numbers[:4]]
    keys = asked.keys()
    assert [key["number"] for key in keys] == numbers
    assert [int(item["number"]["N"]) for item in asked.raw()] == numbers
    with pytest.raises(MultipleItems):
        asked.one()
    assert asked.where(Line.number > 6).one().number == 7


def test_an_index_is_read_in_several_partitions_and_whole_items_are_fetched(session: Session):
    asked = (
        session.query(Line).where(in_(Line.colour, ["blue", "red"])).using("by-colour").hydrate()
    )

    assert [line.colour for line in asked] == ["blue"] * 9 + ["red"] * 9
    numbers = [n for n in range(9) if n % 3 != 1 for _ in "abc"]
    assert [line.number for line in asked.merged()] == numbers
    assert all(line.text for line in asked)


def test_templates_and_their_shards(session: Session):
    asked = session.query(Order).where(Order.user == "y", in_(Order.state, ["paid", "new"]))
    assert [(each.state, each.number) for each in asked] == [
        (state, number) for state in ("new", "paid") for number in range(3)
    ]

    spread = session.query(Order).where(in_(Order.state, ["paid", "new"])).using("spread")
    assert [each.state for each in spread] == ["paid"] * 9 + ["new"] * 9
    assert [each.state for each in spread.merged()] == ["new"] * 9 + ["paid"] * 9
    assert spread.count() == 18

    both = session.query(User, Order).where(any_of(User.user == "z", User.user == "x"))
    found = both.all()
    assert [each.user for each in found] == ["z"] * 10 + ["x"] * 10
    assert sum(isinstance(each, User) for each in found) == 2


def test_whole_keys_are_got_in_batches(session: Session, sent: list[tuple[str, dict[str, Any]]]):
    asked = session.query(Line).where(in_(Line.page, ["c", "a"]), in_(Line.number, [*range(60)]))

    assert pages_and_numbers(asked) == [(page, n) for page in "ca" for n in range(9)]
    assert [name for name, _ in sent] == ["BatchGetItem", "BatchGetItem"]
    merged = [(page, n) for n in range(9) for page in "ca"]
    assert pages_and_numbers(asked.merged()) == merged
    assert pages_and_numbers(asked.merged().after(asked.merged().page(3).cursor)) == merged[3:]
    assert [line.number for line in asked.merged().reverse().limit(3)] == [8, 8, 7]
    assert asked.count() == 18
    assert pages_and_numbers(asked.reverse().limit(2)) == [("c", 8), ("c", 7)]
    assert asked.consistent().as_(Text).first() == Text("c0")
    with session.batch() as batch:  # what is gathered is seen
        batch.save(Line("a", 59, text="new"))
        last = batch.query(Line).where(in_(Line.page, ["c", "a"]), in_(Line.number, [59, 58])).all()
        assert pages_and_numbers(last) == [("a", 59)]


@pytest.mark.parametrize("merged", [False, True])
def test_pages_go_on_in_the_part_where_they_ended(session: Session, *, merged: bool):
    asked = session.query(Line).where(in_(Line.page, ["c", "a", "b"]), Line.number != 4)
    asked = asked.filter(Line.colour != "green")
    asked = asked.merged() if merged else asked
    whole = asked.all()
    assert len(whole) == 18

    for size in (1, 2, 5, 30):
        found, cursor = [], None
        while True:
            page = asked.after(cursor).page(size)
            found += page
            cursor = page.cursor
            if cursor is None:
                break
        assert found == whole


def test_a_cursor_is_bound_to_all_that_was_asked(session: Session):
    asked = session.query(Line).where(in_(Line.page, ["c", "a"]))
    cursor = asked.page(2).cursor

    assert pages_and_numbers(asked.after(cursor))[0] == ("c", 2)
    for other in (
        session.query(Line).where(in_(Line.page, ["a", "c"])),
        session.query(Line).where(in_(Line.page, ["c", "a", "b"])),
        session.query(Line).where(Line.page == "c"),
        asked.merged(),
        asked.reverse(),
    ):
        with pytest.raises(CursorError):
            other.after(cursor).all()


def test_the_next_part_is_asked_for_while_the_caller_works(
    session: Session, sent: list[tuple[str, dict[str, Any]]]
):
    asked = session.query(Line).where(in_(Line.page, ["c", "a", "b"]))

    pages = iter(asked.pages())
    next(pages)
    assert len(sent) <= 2
    assert sum(len(page) for page in pages) == 18
    assert len(sent) == 3

    sent.clear()
    assert asked.first() is not None
    assert len(asked.limit(9).all()) == 9
    assert len(asked.page(5)) == 5
    assert len(sent) == 3


def test_delete_takes_all_parts(session: Session):
    asked = session.query(Line).where(in_(Line.page, ["c", "a"]), Line.number != 3)

    assert asked.delete() == 16
    assert asked.count() == 0
    assert session.query(Line).where(in_(Line.page, ["c", "a"])).count() == 2
    whole = session.query(Line).where(in_(Line.page, ["c", "b"]), in_(Line.number, [2, 3]))
    assert whole.delete() == 3
    assert session.scan(Line).count() == 8


def test_whole_keys_may_be_numbers_in_any_spelling(session: Session):
    session.save_all([Price(Decimal(1), "one"), Price(Decimal("2.50"), "more"), Price(Decimal(-3))])

    asked = session.query(Price).where(in_(Price.amount, [Decimal("1.00"), Decimal("2.5"), 1, 7]))

    assert [price.name for price in asked] == ["one", "more"]
    assert asked.page(1).cursor is not None
    assert [price.name for price in asked.after(asked.page(1).cursor)] == ["more"]
    assert asked.delete() == 2
    assert session.scan(Price).count() == 1


def test_a_stale_index_key_is_no_answer_to_any_alternative(session: Session):
    asked = session.query(Order).using("by-number").hydrate()
    asked = asked.where(
        in_(Order.state, ["new", "old"]),
        any_of(Order.number < 2, Order.number == 1, Order.number > 1),
    )
    assert len(asked.all()) == 18
    # Another program has changed a field, and knows of no index.
    table = f"{session._core.table_prefix}desk"
    key = {"pk": {"S": "U#x"}, "sk": {"S": "ORDER#new#001"}}
    session.client.update_item(
        TableName=table, Key=key, UpdateExpression="SET #state = :gone",
        ExpressionAttributeNames={"#state": "state"}, ExpressionAttributeValues={":gone": {"S": "gone"}},
    )  # fmt: skip

    assert len(asked.all()) == 17
    asked.delete()
    assert asked.all() == []
    assert session.client.get_item(TableName=table, Key=key).get("Item") is not None


@pytest.mark.parametrize("reverse", [False, True])
def test_a_range_of_one_sort_key_goes_on_page_by_page(session: Session, reverse: bool):
    """DynamoDB Local refuses to go on after the end of a BETWEEN."""
    session.save_all(Line(page, number) for page in "abc" for number in (1, 2, 3))
    query = session.query(Line).where(in_(Line.page, ["a", "c", "b"]), between(Line.number, 2, 2))
    query = query.merged().reverse() if reverse else query.merged()

    found = []
    page = query.page(1)
    found += page.items
    while page.cursor is not None:
        page = query.after(page.cursor).page(1)
        found += page.items

    assert sorted(each.page for each in found) == ["a", "b", "c"]
    assert {each.number for each in found} == {2}
