"""Edits as actions of a transaction: what has changed, with all the rest or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    ConditionError,
    KeyChanged,
    MappingError,
    Session,
    SessionClosed,
    Table,
    TransactionError,
    TransactionFailed,
    add,
    field,
    model,
    partition_key,
)

APP = Table("edited-app", partition_key="pk", sort_key="sk")


@attrs.define
class Line:
    product: str
    quantity: int = 1


@model("edited-carts")
class Cart:
    id: str = partition_key()
    lines: list[Line] = attrs.field(factory=list)
    tags: set[str] = attrs.field(factory=set)
    counts: dict[str, int] = attrs.field(factory=dict)
    by_user: dict[UUID, int] = attrs.field(factory=dict)
    text: str = ""
    ratio: float | None = None


@model("edited-papers")
class Paper:
    id: str = partition_key()
    text: str = ""
    version: int = field(version=True)
    updated: datetime | None = field(updated=True)


@model("edited-users")
class User:
    id: str = partition_key()
    mail: str | None = field(unique=True, default=None)
    visits: int = 0


@model(APP, pk="TEAM#{team}", sk="M#{name}")
class Member:
    team: str
    name: str
    role: str = ""


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Cart, Paper, User, APP)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def get(session: Session, cls: Any, key: Any) -> Any:
    return session.get_one(cls, key, consistent=True)


def raw_put(session: Session, cls: Any, **item: Any) -> None:
    session.client.put_item(TableName=session.tables.describe(cls)["TableName"], Item=item)


def test_what_has_changed_is_written_with_the_rest(session: Session):
    cart = session.save(Cart("a", [Line("book")], {"x"}, {"n": 1}))
    paper = session.save(Paper("p"))

    with session.transaction() as t:
        with t.edit(cart) as edited:
            assert edited is cart
            cart.lines[0].quantity = 3
            cart.tags.add("y")
        with t.edit(paper):
            paper.text = "two"
        t.insert(Cart("b"))
        assert get_outside(session, "a").tags == {"x"}

    assert get(session, Cart, "a") == Cart("a", [Line("book", 3)], {"x", "y"}, {"n": 1})
    assert paper.version == 2
    assert get(session, Paper, "p") == paper
    with session.edit(cart):
        cart.text = "later"
    assert get(session, Cart, "a") == cart


def get_outside(session: Session, key: str) -> Any:
    """What is stored so far: a read through the session is not one of the transaction."""
    return session.get(Cart, key, consistent=True)


def test_nothing_changed_is_no_action(session: Session):
    cart = session.save(Cart("a"))
    before = session.stats.total

    with session.transaction() as t, t.edit(cart):
        pass

    assert session.stats.total == before


def test_a_failed_transaction_writes_nothing_and_the_next_edit_does(session: Session):
    cart, paper = session.save(Cart("a")), session.save(Paper("p"))

    with pytest.raises(TransactionFailed), session.transaction() as t:
        with t.edit(cart):
            cart.text = "new"
        with t.edit(paper):
            paper.text = "new"
        t.check(Cart, "a2", Cart.text == "x")
    assert get(session, Cart, "a") == Cart("a")
    assert paper.version == 1

    with session.edit(cart):
        cart.tags.add("x")
    assert get(session, Cart, "a") == Cart("a", tags={"x"}, text="new")
    with session.transaction() as t, t.edit(paper):
        pass
    assert get(session, Paper, "p").text == "new"
    assert paper.version == 2


def test_an_error_in_the_block_of_an_edit_adds_nothing(session: Session):
    cart = session.save(Cart("a"))

    with session.transaction() as t:
        with pytest.raises(ValueError, match="stop"), t.edit(cart):
            cart.text = "new"
            raise ValueError("stop")
        t.insert(Cart("b"))

    assert get(session, Cart, "a") == Cart("a")
    assert session.exists(Cart, "b")
    with session.edit(cart):
        pass
    assert get(session, Cart, "a").text == "new"


def test_another_writers_version_fails_it(session: Session):
    paper = session.save(Paper("p"))
    session.save(get(session, Paper, "p"))

    with pytest.raises(TransactionFailed) as failed, session.transaction() as t:
        with t.edit(paper):
            paper.text = "mine"
        t.insert(Cart("b"))
    assert failed.value.reasons[0].code == "ConditionalCheckFailed"
    assert failed.value.reasons[0].item.version == 2
    assert "edit(Paper" in failed.value.reasons[0].action
    assert not session.exists(Cart, "b")


def test_an_item_that_is_gone_fails_it(session: Session):
    cart = session.save(Cart("a"))
    session.delete(Cart, "a")

    with pytest.raises(TransactionFailed) as failed, session.transaction() as t, t.edit(cart):
        cart.text = "x"
    assert failed.value.reasons[0].item is None
    assert session.get(Cart, "a", consistent=True) is None


def test_what_others_have_changed_elsewhere_stays(session: Session):
    cart = session.save(Cart("a", [Line("book")], {"x"}, {"n": 1}))
    session.update(Cart, "a", add(Cart.counts["n"], 1), add(Cart.tags, {"theirs"}))

    with session.transaction() as t, t.edit(cart):
        cart.tags.add("mine")
        cart.text = "x"
    assert get(session, Cart, "a") == Cart(
        "a", [Line("book")], {"x", "mine", "theirs"}, {"n": 2}, text="x"
    )

    with pytest.raises(TransactionFailed), session.transaction() as t, t.edit(cart, guard=True):
        cart.counts["n"] = 7
    assert get(session, Cart, "a").counts == {"n": 2}


def test_a_line_that_others_have_moved_is_not_another_line(session: Session):
    session.save(Cart("a", [Line("book"), Line("pen")]))
    mine, theirs = get(session, Cart, "a"), get(session, Cart, "a")
    with session.edit(theirs):
        del theirs.lines[0]

    with pytest.raises(TransactionFailed), session.transaction() as t, t.edit(mine):
        mine.lines[1].quantity = 50
    assert get(session, Cart, "a").lines == [Line("pen")]


def test_other_spellings_and_missing_maps_are_found(session: Session):
    user = UUID(int=0xABC)
    raw_put(
        session,
        Cart,
        id={"S": "a"},
        by_user={"M": {str(user).upper(): {"N": "1"}}},
        ratio={"N": "0.50"},
    )
    cart = get(session, Cart, "a")

    with session.transaction() as t, t.edit(cart, guard=True):
        cart.by_user[user] = 2
        cart.counts["n"] = 1
        cart.ratio = 0.75

    found = get(session, Cart, "a")
    assert found == Cart("a", counts={"n": 1}, by_user={user: 2}, ratio=0.75)
    table = session.tables.describe(Cart)["TableName"]
    item = session.client.get_item(TableName=table, Key={"id": {"S": "a"}}, ConsistentRead=True)[
        "Item"
    ]
    assert list(item["by_user"]["M"]) == [str(user).upper()]


def test_unique_values_move_with_it(session: Session):
    ann, bob = session.save(User("1", "a@x")), session.save(User("2", "b@x"))

    with session.transaction() as t:
        with t.edit(ann):
            ann.mail = "new@x"
        with t.edit(bob):
            bob.visits = 3
    assert get(session, User, "1").mail == "new@x"
    assert get(session, User, "2").visits == 3
    session.insert(User("3", "a@x"))  # it is free again
    with pytest.raises(AlreadyTaken), session.transaction() as t, t.edit(bob):
        bob.mail = "new@x"
    assert get(session, User, "2").mail == "b@x"


def test_what_an_edit_refuses_it_refuses_here(session: Session):
    cart, member = session.save(Cart("a")), session.save(Member("red", "ann"))

    with session.transaction() as t:
        # A session's verb is refused while the transaction is open.
        with pytest.raises(KeyChanged, match=r"or t\.move\(old, new\)"), t.edit(member):
            member.name = "eve"
        member.name = "ann"
        with pytest.raises(MappingError) as refused, t.edit(cart):
            cart.text = 7  # type: ignore[assignment]
        assert refused.value.obj is cart
        cart.text = "fine"
        with t.edit(cart):
            pass
        with pytest.raises(TransactionError, match="act on the same item"):
            t.delete(cart)
    assert get(session, Cart, "a").text == "fine"
    with pytest.raises(SessionClosed):
        t.edit(cart)
    with pytest.raises(ConditionError, match="is frozen"), session.transaction() as t:
        t.edit(Frozen("a"))
    with pytest.raises(TransactionError, match="has no open block"):
        session.transaction().edit(cart)


@model("edited-carts", frozen=True)
class Frozen:
    id: str = partition_key()


def test_with_a_token_the_same_edit_happens_once(session: Session):
    session.save(Cart("a"))
    cart, again = get(session, Cart, "a"), get(session, Cart, "a")
    paper = session.save(Paper("p"))
    token, now = secrets.token_hex(8), datetime(2026, 11, 27, tzinfo=timezone.utc)

    for each in (cart, again):
        with session.transaction(token=token) as t, t.edit(each):
            each.tags.add("x")
            each.counts["n"] = 1
    assert get(session, Cart, "a") == Cart("a", tags={"x"}, counts={"n": 1})
    with session.transaction(token=secrets.token_hex(8), now=now) as t, t.edit(paper):
        paper.text = "x"
    assert paper.updated == now
    with (
        pytest.raises(TransactionError, match="is a time stamp"),
        session.transaction(token=secrets.token_hex(8)) as t,
        t.edit(paper),
    ):
        paper.text = "y"


def test_edits_move_and_batches(session: Session):
    """Beside a move of another object, and through a batch that holds a write of its item."""
    member = session.save(Member("red", "ann"))
    cart = Cart("a", counts={"n": 1})
    with session.batch() as batch:
        batch.save(cart)
        with batch.transaction() as t:
            with t.edit(cart):
                cart.counts["n"] += 1
            t.move(member, Member("blue", "ann", "lead"))
    assert get(session, Cart, "a").counts == {"n": 2}
    assert not session.exists(Member, ("red", "ann"))
    assert get(session, Member, ("blue", "ann")).role == "lead"
