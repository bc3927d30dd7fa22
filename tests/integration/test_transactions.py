"""Transactions: all or nothing."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ConditionFailed,
    MappingError,
    Session,
    SessionClosed,
    TransactionError,
    TransactionFailed,
    add,
    field,
    in_,
    model,
    partition_key,
    set_,
    sort_key,
)

pytestmark = pytest.mark.smoke


@model("accounts")
class Account:
    owner: str = partition_key()
    balance: int = 0
    labels: set[str] = attrs.field(factory=set)


@model("lines")
class Line:
    owner: str = partition_key()
    number: int = sort_key()
    version: int = field(version=True)


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Account, Line)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    session.save(Account("ann", 10))
    yield session
    session.close()


def balance(session: Session, owner: str) -> int | None:
    found = session.get(Account, owner, consistent=True)
    return None if found is None else found.balance


def test_all_actions_happen_with_one_request(session: Session) -> None:
    session.save(Account("old"))
    session.save(Account("watched", 7))
    before = session.stats.requests["TransactWriteItems"]

    with session.transaction() as t:
        t.save(Account("bob", 1))
        t.insert(Account("cid", 2))
        t.update(Account, "ann", add(Account.balance, -3), when=Account.balance >= 3)
        t.update(Account, "dan", set_(Account.balance, 4), upsert=True)
        t.delete(Account, "old")
        t.check(Account, "watched", Account.balance == 7)

    # The first one was refused: there is no dan yet.
    assert session.stats.requests["TransactWriteItems"] == before + 2
    found = [balance(session, owner) for owner in ("ann", "bob", "cid", "dan", "old")]
    assert found == [7, 1, 2, 4, None]


def test_nothing_happens_where_one_condition_is_false_and_reasons_are_in_order(
    session: Session,
) -> None:
    with pytest.raises(TransactionFailed) as failed, session.transaction() as t:
        t.save(Account("bob"))
        t.update(Account, "ann", add(Account.balance, 1), when=Account.balance > 100)
        t.delete(Account, "cid")

    first, second, third = failed.value.reasons
    assert first is None
    assert third is None
    assert second is not None
    assert second.code == "ConditionalCheckFailed"
    assert second.item == Account("ann", 10)
    assert "update(Account {'owner': 'ann'}" in second.action
    assert balance(session, "bob") is None
    assert balance(session, "ann") == 10


def test_an_update_of_a_missing_item_fails_the_transaction(session: Session) -> None:
    with pytest.raises(TransactionFailed), session.transaction() as t:
        t.update(Account, "nobody", add(Account.balance, 1))

    assert balance(session, "nobody") is None


def test_an_exception_in_the_block_sends_nothing(session: Session) -> None:
    with pytest.raises(ZeroDivisionError), session.transaction() as t:
        t.save(Account("bob"))
        raise ZeroDivisionError

    assert balance(session, "bob") is None
    assert session.stats.requests["TransactWriteItems"] == 0


def test_an_empty_transaction_sends_nothing(session: Session) -> None:
    with session.transaction():
        pass

    assert session.stats.requests["TransactWriteItems"] == 0


def test_versions_are_checked_and_move_only_when_the_transaction_happened(session: Session) -> None:
    line = session.save(Line("ann", 1))
    stale = session.get_one(Line, ("ann", 1), consistent=True)
    with session.transaction() as t:
        t.save(line)
        assert line.version == 1
    assert line.version == 2

    with pytest.raises(TransactionFailed), session.transaction() as t:
        t.save(stale)
    with pytest.raises(TransactionFailed), session.transaction() as t:
        t.delete(stale)
    assert stale.version == 1
    with session.transaction() as t:
        t.check(line, Line.version == 2)
        t.update(Account, "ann", set_(Account.balance, 0))
    assert balance(session, "ann") == 0


def test_each_put_of_several_is_named_by_its_key(session: Session) -> None:
    with pytest.raises(
        TransactionFailed, match=r"insert\(Account {'owner': 'ann'}\): Cond"
    ) as failed:
        with session.transaction() as t:
            t.insert(Account("eve"))
            t.insert(Account("ann"))
            t.save(Account("bob"), when=Account.balance > 100)

    assert [reason and reason.action for reason in failed.value.reasons] == [
        None, "insert(Account {'owner': 'ann'})", "save(Account {'owner': 'bob'})",
    ]  # fmt: skip


def test_two_actions_on_one_item_are_refused_naming_both(session: Session) -> None:
    with pytest.raises(TransactionError, match=r"delete\(Account .*save\(Account"):
        with session.transaction() as t:
            t.save(Account("bob"))
            t.delete(Account, "bob")


def test_more_than_a_hundred_actions_are_refused_and_never_split(session: Session) -> None:
    with pytest.raises(TransactionError, match="action 101"), session.transaction() as t:
        for number in range(101):
            t.save(Account(f"a{number}"))

    assert session.stats.requests["TransactWriteItems"] == 0


def test_more_than_four_megabytes_are_refused(session: Session) -> None:
    with pytest.raises(TransactionError, match="4,194,304"), session.transaction() as t:
        for number in range(12):
            t.save(Account(f"a{number}", labels={"x" * 390_000}))


def test_writing_through_the_session_inside_is_refused(session: Session) -> None:
    with session.transaction() as t:
        t.save(Account("bob"))
        with pytest.raises(TransactionError, match="would not be part of it"):
            session.save(Account("cid"))
        assert session.get(Account, "ann") is not None

    assert balance(session, "bob") == 0
    assert balance(session, "cid") is None
    session.save(Account("cid"))


def test_an_action_after_the_end_is_refused(session: Session) -> None:
    with session.transaction() as t:
        pass

    with pytest.raises(SessionClosed):
        t.save(Account("bob"))


def test_a_condition_that_is_false_without_asking_is_refused_at_once(session: Session) -> None:
    with pytest.raises(ConditionFailed), session.transaction() as t:
        t.delete(Account, "ann", when=in_(Account.balance, []))


def test_the_same_token_happens_once(session: Session) -> None:
    token = f"order-{secrets.token_hex(8)}"  # an engine remembers it for ten minutes
    for _ in range(2):
        with session.transaction(token=token) as t:
            t.update(Account, "ann", add(Account.balance, 5))

    assert balance(session, "ann") == 15


def test_pending_writes_of_the_same_keys_are_stored_first(session: Session) -> None:
    with session.batch() as batch:
        batch.save(Account("ann", 1))
        with batch.transaction() as t:
            t.update(Account, "ann", add(Account.balance, 1))

    assert balance(session, "ann") == 2


def test_many_items_are_read_at_one_moment(session: Session) -> None:
    session.save(Line("ann", 3))

    ann, line, nobody = session.transact_get((Account, "ann"), (Line, ("ann", 3)), (Account, "x"))

    assert ann == Account("ann", 10)
    assert line == Line("ann", 3, version=1)
    assert nobody is None
    assert session.transact_get() == ()
    with pytest.raises(TransactionError, match="101 items"):
        session.transact_get(*((Account, f"a{number}") for number in range(101)))


def test_a_transaction_happens_once_and_its_block_is_entered_once(session: Session) -> None:
    transaction = session.transaction()
    with transaction:
        transaction.update(Account, "ann", add(Account.balance, 1))

    with pytest.raises(SessionClosed, match="open another one"), transaction:
        pass

    assert balance(session, "ann") == 11
    session.save(Account("bob"))  # the refusal has left nothing open


def test_a_transaction_whose_block_is_open_is_not_entered_again(session: Session) -> None:
    with session.transaction() as t:
        with pytest.raises(TransactionError, match="open already"), t:
            pass
        t.update(Account, "ann", add(Account.balance, 1))

    assert balance(session, "ann") == 11


def test_an_action_without_a_block_would_never_be_sent_and_is_refused(session: Session) -> None:
    transaction = session.transaction()

    with pytest.raises(TransactionError, match="has no open block"):
        transaction.save(Account("bob"))


def test_a_transaction_may_be_left_in_another_thread_than_it_was_entered(session: Session) -> None:
    def transfer() -> Iterator[None]:
        with session.transaction() as t:
            t.save(Account("bob", 5))
            yield

    generator = transfer()
    next(generator)
    refused: list[Exception] = []

    def elsewhere() -> None:
        try:
            list(generator)
            session.save(Account("cid"))
        except TransactionError as error:
            refused.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    session.save(Account("dan"))

    assert refused == []
    assert [balance(session, owner) for owner in ("bob", "cid", "dan")] == [5, 0, 0]


def test_a_token_that_was_used_for_something_else_is_refused(session: Session) -> None:
    token = f"order-{secrets.token_hex(4)}"
    with session.transaction(token=token) as t:
        t.save(Account("bob", 1))

    with (
        pytest.raises(TransactionError, match=f"{token!r} was used"),
        session.transaction(token=token) as t,
    ):
        t.save(Account("cid", 1))

    assert balance(session, "cid") is None


@pytest.mark.parametrize("token", ["", "x" * 37, 7])
def test_a_token_has_one_to_thirty_six_characters(session: Session, token: Any) -> None:
    with pytest.raises(TransactionError, match="1 to 36 characters"):
        session.transaction(token=token)


def test_the_size_of_a_transaction_counts_what_updates_set(session: Session) -> None:
    with pytest.raises(TransactionError, match="bytes"), session.transaction() as t:
        for number in range(11):
            label = {f"{number}" + "x" * 399_000}
            t.update(Account, f"a{number}", set_(Account.labels, label), upsert=True)


def test_transactions_of_many_threads_happen_all_and_each_once(session: Session) -> None:
    def move(_: int) -> None:
        with session.transaction() as t:
            t.update(Account, "ann", add(Account.balance, -1))
            t.update(Account, "pot", add(Account.balance, 1), upsert=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(move, range(40)))

    assert [balance(session, owner) for owner in ("ann", "pot")] == [-30, 40]


def test_a_move_in_a_transaction_is_two_actions_or_none(session: Session) -> None:
    session.save_all([Account("ann", 1), Account("bob", 2)])
    ann, bob = session.get_one(Account, "ann"), session.get_one(Account, "bob")

    with session.transaction() as t:
        assert t.move(ann, Account("eve", 1)) == Account("eve", 1)
        t.check(bob, Account.balance == 2)
    assert sorted(each.owner for each in session.scan(Account)) == ["bob", "eve"]
    with pytest.raises(TransactionFailed) as failed, session.transaction() as t:
        t.move(ann, Account("joe"))
    assert [reason is None for reason in failed.value.reasons] == [False, True]
    with session.transaction() as t:
        with pytest.raises(ConditionError, match="nothing moves"):
            t.move(bob, Account("bob", 5))
        t.save(Account("eve", 3))
        with pytest.raises(TransactionError, match="same item"):
            t.move(bob, Account("eve"))
        with pytest.raises(MappingError):
            t.move(bob, Account(""))
    # What was refused has left nothing behind.
    assert session.scan(Account).count() == 2
    assert session.get_one(Account, "bob").balance == 2
    assert session.get_one(Account, "eve").balance == 3
