"""Real records: what a stream says of real writes, read back into objects, on each engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import boto3
import pytest

from dynattrs import Session, Table, field, model, set_
from dynattrs.streams import Inserted, Modified, Removed, changes, handle
from stream_records import as_lambda, of_kinesis, of_lambda

app = Table("app", partition_key="pk", sort_key="sk", stream="new and old")


@model(app, pk="USER#{mail}", sk="PROFILE")
class User:
    mail: str
    nick: str = field(unique=True)
    photo: bytes = b""


@model(app, pk="USER#{mail}", sk="ORDER#{number:04d}")
class Order:
    mail: str
    number: int
    status: str = "new"
    total: Decimal = Decimal(0)
    tags: set[str] = attrs.field(factory=set)
    version: int | None = field(version=True, default=None)
    changed: datetime | None = field(updated=True, default=None)


@pytest.fixture
def session(client: Any) -> Iterator[Session]:
    prefix = "changes-"
    with Session(client=client, table_prefix=prefix) as session:
        session.tables.create(app)
        yield session
        session.tables.delete(app)


@pytest.fixture
def streams(client_arguments: dict[str, Any]) -> Iterator[Any]:
    client = boto3.client("dynamodbstreams", **client_arguments)
    yield client
    client.close()


def records_of(client: Any, streams: Any, table: str, count: int) -> list[dict[str, Any]]:
    """The records of a table's stream, as its one shard has them."""
    arn = client.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    where = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found: list[dict[str, Any]] = []
    for _ in range(50):
        reply = streams.get_records(ShardIterator=where)
        found += reply["Records"]
        where = reply.get("NextShardIterator")
        if len(found) >= count or where is None:
            break
    return found


@pytest.mark.threads_only("the stream is read by botocore's client")
def test_what_was_written_comes_back_as_changes(session: Session, client: Any, streams: Any):
    before = datetime.now(timezone.utc)
    ann = User("ann@x", "ann", b"\xff\x00")
    session.insert(ann)
    order = Order("ann@x", 1, total=Decimal("9.50"), tags={"gift"})
    session.save(order)
    first = attrs.evolve(order)
    session.update(Order, ("ann@x", 1), set_(Order.status, "paid"))
    second = session.get(Order, ("ann@x", 1), consistent=True)
    session.delete(Order, ("ann@x", 1))
    session.delete(ann)

    name = "changes-app"
    raw = records_of(client, streams, name, 7)
    arn = f"arn:aws:dynamodb:ddblocal:000000000000:table/{name}/stream/2026"
    shapes = [
        ({"Records": raw}, {}),
        (of_lambda(as_lambda(raw, arn)), {"table_prefix": "changes-"}),
        (of_kinesis(as_lambda(raw, arn)), {"table_prefix": "changes-"}),
    ]
    for event, names in shapes:
        inserted, new, paid, gone, removed = changes(event, app, **names)

        assert isinstance(inserted, Inserted)
        assert inserted.new == ann
        assert isinstance(new, Inserted)
        assert new.new == first
        assert isinstance(paid, Modified)
        assert (paid.old, paid.new) == (first, second)
        assert paid.changed(Order.status)
        assert paid.changed(Order.version)
        assert not paid.changed(Order.total)
        assert isinstance(gone, Removed)
        assert gone.old == second
        assert not gone.expired
        assert isinstance(removed, Removed)
        assert removed.key == {"mail": "ann@x"}
        numbers = [int(each.sequence_number) for each in (inserted, new, paid, gone, removed)]
        assert numbers == sorted(set(numbers))
        # DynamoDB Local rounds down to the minute; that Kinesis has the time, its own test says.
        for each in (inserted, removed) if "kinesis" not in str(event) else ():
            assert abs(each.at - before) < timedelta(minutes=2)


@pytest.mark.threads_only("the stream is read by botocore's client")
def test_a_function_that_fails_gets_the_rest_again(session: Session, client: Any, streams: Any):
    session.save_all(Order("ann@x", number) for number in range(10))
    raw = records_of(client, streams, "changes-app", 10)
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/changes-app/stream/2026"
    left = as_lambda(raw, arn)
    done: list[int] = []
    failing = {3, 7}

    def index(change: Any) -> None:
        number = change.new.number
        if number in failing:
            failing.remove(number)
            raise RuntimeError("down")
        done.append(number)

    deliveries = 0
    while left:  # as Lambda does
        deliveries += 1
        answer = handle(of_lambda(left), app, index, table_prefix="changes-")
        failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        if not failed:
            break
        at = [each["dynamodb"]["SequenceNumber"] for each in left].index(failed[0])
        left = left[at:]

    assert sorted(done) == list(range(10))
    assert deliveries == 3


@pytest.mark.threads_only("the stream is read by botocore's client")
@pytest.mark.parametrize("rounds", [40, pytest.param(1_000, marks=pytest.mark.full)])
def test_a_copy_keeps_in_step_whatever_fails(
    session: Session, client: Any, streams: Any, rounds: int
):
    """Batches of real records, a function that fails now and then: what Lambda would deliver again."""
    chance = random.Random(rounds)
    for _ in range(rounds):
        order = Order(
            f"{chance.choice('abc')}@x", chance.randrange(6), total=Decimal(chance.randrange(99))
        )
        kind = chance.random()
        if kind < 0.5:
            session.save(attrs.evolve(order, version=session_version(session, order)))
        elif kind < 0.8:
            session.update(
                Order, (order.mail, order.number), set_(Order.status, f"{kind}"), upsert=True
            )
        else:
            session.delete(Order, (order.mail, order.number))

    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/changes-app/stream/2026"
    left = as_lambda(records_of(client, streams, "changes-app", rounds), arn)
    copy: dict[Any, Order] = {}
    acknowledged: list[str] = []

    def follow(change: Any) -> None:
        key = change.key["mail"], change.key["number"]
        assert copy.get(key) == change.old
        if chance.random() < 0.1:
            raise RuntimeError("down")
        if change.new is None:
            del copy[key]
        else:
            copy[key] = change.new
        acknowledged.append(change.sequence_number)

    numbers = [each["dynamodb"]["SequenceNumber"] for each in left]
    while left:
        batch = left[: chance.randrange(1, 30)]
        answer = handle(of_lambda(batch), app, follow, table_prefix="changes-")
        failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        done = [each["dynamodb"]["SequenceNumber"] for each in batch]
        left = left[done.index(failed[0]) if failed else len(batch) :]

    assert acknowledged == numbers
    stored = {(each.mail, each.number): each for each in session.scan(Order).consistent()}
    assert copy == stored


def session_version(session: Session, order: Order) -> int | None:
    there = session.get(Order, (order.mail, order.number), consistent=True)
    return there.version if there else None
