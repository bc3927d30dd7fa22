"""Whatever several writers do at once, there is a guard for each value in the table, and no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynattrs import (
    AlreadyTaken,
    ConditionFailed,
    DynattrsError,
    NoSuchItem,
    Session,
    TransactionFailed,
    field,
    model,
    partition_key,
    set_,
)


@model("users", unique=[("tenant", "nick")])
class User:
    id: str = partition_key()
    email: str | None = field(unique=True, default=None)
    tenant: str = "acme"
    nick: str | None = None
    age: int = 0


#: Few of each, so that writers meet.
IDS, EMAILS, NICKS = "123", (None, "a@x", "b@x", "c@x"), (None, "ann", "bob")

users = st.builds(User, st.sampled_from(IDS), st.sampled_from(EMAILS), nick=st.sampled_from(NICKS))
steps = st.one_of(
    st.tuples(st.sampled_from(("save", "insert", "edit")), users),
    st.tuples(st.just("delete"), st.sampled_from(IDS)),
    st.tuples(st.just("update"), st.sampled_from(IDS), st.sampled_from(EMAILS)),
    st.tuples(st.just("move"), st.sampled_from(IDS), st.sampled_from(IDS)),
    st.tuples(st.just("swap"), users, users),
)
programs = st.lists(st.lists(steps, min_size=1, max_size=5), min_size=2, max_size=3)

#: What a write may end with that met another writer, or another item's value.
REFUSED = (AlreadyTaken, ConditionFailed, NoSuchItem, TransactionFailed)


def do(session: Session, verb: str, *arguments: Any) -> None:
    if verb in ("save", "insert"):
        getattr(session, verb)(*arguments)
    elif verb == "delete":
        session.delete(User, *arguments)
    elif verb == "update":
        session.update(User, arguments[0], set_(User.email, arguments[1]), returns=None)
    elif verb == "edit":
        [wanted] = arguments
        user = session.get(User, wanted.id)
        if user is not None:
            with session.edit(user):
                user.email, user.nick = wanted.email, wanted.nick
    elif verb == "move":
        key, other = arguments
        user = session.get(User, key)
        if user is not None and key != other:
            session.move(user, User(other, user.email, nick=user.nick))
    elif arguments[0].id != arguments[1].id:
        with session.transaction() as t:
            t.save(arguments[0])
            t.save(arguments[1])


@pytest.fixture(scope="module")
def session(dynamodb_local: Any) -> Iterator[Session]:
    session = Session(
        client=boto3.client(
            "dynamodb",
            endpoint_url=dynamodb_local,
            region_name="us-east-1",
            aws_access_key_id="unique",
            aws_secret_access_key="testing",
        )
    )
    session.tables.create(User)
    yield session
    session.tables.delete(User)
    session.close()


def expected(items: list[dict[str, Any]]) -> dict[str, str]:
    """Whose each value is. That a value would be there twice fails the test."""
    found: dict[str, str] = {}
    for item in items:
        values = []
        if "S" in item.get("email", {}):
            values.append(f'User.email [["S","{item["email"]["S"]}"]]')
        if "S" in item.get("nick", {}):
            values.append(f'User.tenant+nick [["S","acme"],["S","{item["nick"]["S"]}"]]')
        for value in values:
            assert value not in found, f"two items have {value}"
            found[value] = item["id"]["S"]
    return found


@given(programs)
@settings(
    max_examples=min(40, settings.default.max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_guards_are_those_of_the_values_in_the_table(session: Session, programs: Any):
    session.scan(User).delete()
    failures: list[Exception] = []

    def run(program: Any) -> None:
        for step in program:
            try:
                do(session, *step)
            except REFUSED:
                continue
            except DynattrsError as error:
                failures.append(error)

    threads = [threading.Thread(target=run, args=(program,)) for program in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    stored = session.client.scan(TableName="users", ConsistentRead=True)["Items"]
    guards = {
        item["id"]["S"].removeprefix("dynattrs.unique "): item["dynattrs.owner"]["M"]["id"]["S"]
        for item in stored
        if "dynattrs.unique" in item
    }
    assert guards == expected([item for item in stored if "dynattrs.unique" not in item])
