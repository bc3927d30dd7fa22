"""Batches and transactions of PartiQL statements: what they leave, and what they say, is what a dict says."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dynattrs import (
    ConditionFailed,
    ItemExists,
    StatementsFailed,
    TransactionFailed,
    model,
    partition_key,
)
from engine_store import Store, stores_of


@model("statements")
class Thing:
    id: str = partition_key()
    n: int = 0


store, embedded_store = stores_of(Thing)

TEXTS = {
    "insert": "INSERT INTO statements VALUE {'id': ?, 'n': ?}",
    "set": "UPDATE statements SET n = ? WHERE id = ? RETURNING ALL NEW *",
    "add": "UPDATE statements SET n = n + ? WHERE id = ? AND n < 2",
    "delete": "DELETE FROM statements WHERE id = ?",
    "select": "SELECT * FROM statements WHERE id = ?",
}
#: Each example has keys of its own.
examples = itertools.count()

keys = st.integers(0, 40)
numbers = st.integers(0, 3)
writes = st.lists(
    st.tuples(st.sampled_from(["insert", "set", "add", "delete"]), keys, numbers),
    max_size=30,
    unique_by=lambda write: write[1],
)


def statement(name: str, key: str, number: int) -> tuple[Any, ...]:
    if name in ("select", "delete"):
        return (TEXTS[name], key)
    return (TEXTS[name], *((number, key) if name in ("set", "add") else (key, number)))


def done(world: dict[str, int], name: str, key: str, number: int) -> type[Exception] | None:
    """Do a write in plain Python; what it fails with."""
    there = key in world
    if name == "insert":
        if there:
            return ItemExists
        world[key] = number
    elif not there and name in ("set", "add"):
        return ConditionFailed
    elif name == "set":
        world[key] = number
    elif name == "add":
        if world[key] >= 2:
            return ConditionFailed
        world[key] += number
    else:
        world.pop(key, None)
    return None


def check(store: Store, before: dict[int, int], given: list[tuple[str, int, int]]) -> None:
    example = next(examples)
    world = {f"{example}-{key}": n for key, n in before.items()}
    session = store.session
    session.save_all(itertools.starmap(Thing, world.items()))
    program = [(name, f"{example}-{key}", number) for name, key, number in given]

    # All or nothing first: RETURNING is not for transactions.
    after = dict(world)
    fails = [done(after, *each) for each in program]
    if not any(fails):
        event("a transaction that happens")
    inside = [
        (text.replace(" RETURNING ALL NEW *", ""), *rest)
        for text, *rest in itertools.starmap(statement, program)
    ]
    try:
        with session.transaction() as t:
            for each in inside:
                t.execute(*each)
    except TransactionFailed as failure:
        # Some engines stop at the first one at fault.
        at_fault = [reason is not None for reason in failure.reasons]
        assert any(at_fault)
        assert all(kind is not None for kind, told in zip(fails, at_fault, strict=True) if told)
        after = world
    else:
        assert not any(fails)
    everything = [f"{example}-{key}" for key in range(41)]
    check_read(store, after, everything)

    # And each by itself, on what that has left.
    fails = [done(after, *each) for each in program]
    try:
        rows = session.execute_many(itertools.starmap(statement, program), model=Thing)
        told: dict[int, type[Exception]] = {}
    except StatementsFailed as failure:
        rows = list(failure.results)
        told = {each.position: type(each.cause) for each in failure.failed}
    assert told == {n: kind for n, kind in enumerate(fails) if kind is not None}
    assert rows == [
        Thing(key, number) if name == "set" and kind is None else None
        for (name, key, number), kind in zip(program, fails, strict=True)
    ]
    check_read(store, after, everything)


def check_read(store: Store, world: dict[str, int], every: list[str]) -> None:
    session = store.session
    expected = [Thing(key, world[key]) if key in world else None for key in every]
    selects = [statement("select", key, 0) for key in every]
    assert session.execute_many(selects, model=Thing, consistent=True) == expected
    with session.transaction() as t:
        rows = [t.execute(*each, model=Thing) for each in selects]
    assert [row.row for row in rows] == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.dictionaries(keys, numbers, max_size=20), program=writes)
def test_statements_do_what_they_say_on_dynamodb_local(
    store: Store, before: dict[int, int], program: list[tuple[str, int, int]]
):
    check(store, before, program)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.dictionaries(keys, numbers, max_size=20), program=writes)
def test_statements_do_what_they_say(
    embedded_store: Store, before: dict[int, int], program: list[tuple[str, int, int]]
):
    check(embedded_store, before, program)
