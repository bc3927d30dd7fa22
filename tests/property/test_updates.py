"""Updates: DynamoDB Local makes of an item what the oracle makes of it, or refuses it as well."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import attrs
import boto3
import pytest
from botocore.config import Config
from hypothesis import event, given
from hypothesis import strategies as st

import dynamodb_oracle as oracle
from drawn_actions import DrawnAction, actions
from dynattrs import (
    ConditionError,
    ConditionFailed,
    InvalidRequest,
    MappingError,
    NoSuchItem,
    Session,
    mapper,
)
from dynattrs.expressions.conditions import Constant
from dynattrs.operations.writing.applied import NotComputed, applied
from model_of_everything import TABLE, Drawn, Thing, conditions, item_of

UPDATED = f"updated-{TABLE}"

# --- The law ----------------------------------------------------------------------------------------


@attrs.frozen
class Store:
    client: Any
    session: Session

    def put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=UPDATED, Item=item)

    def get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        return self.client.get_item(TableName=UPDATED, Key=key, ConsistentRead=True).get("Item")  # type: ignore[no-any-return]

    def delete(self, key: dict[str, Any]) -> None:
        self.client.delete_item(TableName=UPDATED, Key=key)


@pytest.fixture(scope="module")
def store(dynamodb_local: str) -> Iterator[Store]:
    client = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb_local,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )
    session = Session(client=client, tables={TABLE: UPDATED})
    session.tables.create(Thing)
    yield Store(client, session)
    session.tables.delete(Thing)
    session.close()
    client.close()


@given(
    st.integers(0, 10_000),
    st.booleans(),
    st.none() | st.none() | conditions,
    st.booleans(),
    actions,
)
def test_the_service_makes_of_an_item_what_the_oracle_makes_of_it(
    store: Store, seed: int, there: bool, when: Drawn | None, upsert: bool, drawn: list[DrawnAction]
) -> None:
    key = {"part": {"N": "1"}, "number": {"N": "1"}}
    item = item_of(1, 1, random.Random(seed))
    if there:
        store.put(item)
    else:
        store.delete(key)

    outcome = attempt(store, drawn, when, upsert)
    event(outcome)

    expected = expectation(item if there else None, key, drawn, when, upsert)
    described = " ".join(str(each.written) for each in drawn)
    assert outcome == expected[0], described
    found = store.get(key)
    assert canonical(found) == canonical(expected[1]), f"{described}: {found} != {expected[1]}"


def attempt(store: Store, drawn: list[DrawnAction], when: Drawn | None, upsert: bool) -> str:
    written = [action.written for action in drawn]
    asked = None if when is None else when.written
    before = store.session.stats.total
    try:
        store.session.update(Thing, (1, 1), *written, when=asked, upsert=upsert, returns=None)
    except NoSuchItem:
        return "no such item"
    except (ConditionError, MappingError):
        # What the service refused is explained, where it can be.
        return "refused" if store.session.stats.total > before else "not sent"
    except ConditionFailed:
        return "condition failed"
    except InvalidRequest:
        return "refused"
    return "done"


def expectation(
    old: dict[str, Any] | None,
    key: dict[str, Any],
    drawn: list[DrawnAction],
    when: Drawn | None,
    upsert: bool,
) -> tuple[str, dict[str, Any] | None]:
    if when is not None and isinstance(when.written, Constant) and not when.written.value:
        return "condition failed", old  # nothing is asked, so nobody knows of the item
    known = [action.known for action in drawn]
    if upsert:
        # What could not be made is not sent, whether there is an item or not.
        try:
            new = oracle.with_parents(known, {**mapper.dump(Thing(1, 1)), **key}, whole)
            mapper.load(new, Thing)
        except (oracle.Refused, MappingError):
            return "not sent", old
        if old is None and (when is None or oracle.holds(when.known, {})):
            return "done", new
    if old is None:
        return "no such item", None
    if when is not None and not oracle.holds(when.known, old):
        return "condition failed", old
    try:
        return "done", oracle.update(known, old)
    except oracle.Refused:
        pass
    try:
        return "done", oracle.with_parents(known, old, whole)
    except (oracle.Refused, MappingError):
        return "refused", old


def whole(place: tuple[Any, ...], value: Any) -> Any:
    """What a save would store: of a class, with its defaults."""
    if place not in (("inner",), ("inners", 0), ("inners", 1)):
        return value
    key = {"part": {"N": "1"}, "number": {"N": "1"}}
    return mapper.dump(mapper.load({**key, "inner": value}, Thing))["inner"]


@given(st.integers(0, 10_000), actions)
def test_what_is_computed_here_is_what_the_oracle_computes(
    seed: int, drawn: list[DrawnAction]
) -> None:
    item = item_of(1, 1, random.Random(seed))
    before = oracle.fresh({"M": item})["M"]
    try:
        expected = oracle.update([action.known for action in drawn], item)
    except oracle.Refused:
        with pytest.raises(NotComputed):
            applied([action.written for action in drawn], item)
    else:
        found = applied([action.written for action in drawn], item)
        assert canonical(found) == canonical(expected)
    assert item == before


def canonical(item: dict[str, Any] | None) -> Any:
    return None if item is None else oracle.canonical({"M": item})
