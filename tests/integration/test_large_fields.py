"""Fields with values in S3 in all verbs: beside other programs, faults, and processes that are killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import attrs
import boto3
import pytest
from botocore.config import Config

from dynattrs import (
    Compressed,
    GlobalIndex,
    ItemExists,
    MappingError,
    ModelError,
    QueryError,
    Session,
    UnsentWrites,
    exists,
    field,
    is_none,
    model,
    partition_key,
    remove,
    set_,
    sort_key,
)
from dynattrs.s3 import (
    InS3,
    Large,
    NotFetched,
    ObjectDamaged,
    ObjectMissing,
    ObjectRefused,
    ObjectsUnavailable,
)
from dynattrs.streams import Modified, changes
from stream_records import record

#: The bucket of the test that runs: their names are all accounts' together.
BUCKET = [""]


def bucket() -> str:
    return BUCKET[0]


@model("documents", indexes=[GlobalIndex("by-owner", partition_key="owner")])
class Document:
    id: str = partition_key()
    body: Annotated[Large[bytes], InS3(bucket, above=100)]
    text: Annotated[Large[str] | None, InS3(bucket, above=100, prefix="texts/")] = None
    facts: Annotated[Large[dict[str, Any]] | None, InS3(bucket, above=100)] = None
    packed: Annotated[Large[str] | None, Compressed, InS3(bucket, above=100)] = None
    owner: str = "me"
    title: str = ""


@model("papers")
class Paper:
    id: str = partition_key()
    number: int = sort_key()
    body: Annotated[Large[bytes], InS3(bucket, above=100)]
    version: int = field(version=True, default=0)


@model("lost")
class Lost:
    id: str = partition_key()
    body: Annotated[Large[bytes], InS3("no-such-bucket", above=100)]


@model("documents")
class Earlier:
    """The documents of a program that knows nothing of S3."""

    id: str = partition_key()
    body: bytes
    owner: str = "me"


def data(seed: int, size: int = 1000) -> bytes:
    return bytes([seed % 256]) * size


@pytest.fixture
def s3(aws_arguments: dict[str, str]) -> Iterator[Any]:
    client = boto3.client("s3", **aws_arguments)
    BUCKET[0] = f"values-{secrets.token_hex(8)}"
    client.create_bucket(Bucket=bucket())
    yield client
    client.close()


@pytest.fixture
def table_prefix(kept_tables: Any) -> str:
    prefix: str = kept_tables(Document, Paper, Lost)
    return prefix


@pytest.fixture
def session(client: Any, s3: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, s3_client=s3, table_prefix=table_prefix) as session:
        yield session


def names(s3: Any) -> set[str]:
    return {each["Key"] for each in s3.list_objects_v2(Bucket=bucket()).get("Contents", ())}


def stored(client: Any, table_prefix: str, id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get_item(
        TableName=f"{table_prefix}documents", Key={"id": {"S": id}}, ConsistentRead=True
    )["Item"]
    return found


# --- Verbs --------------------------------------------------------------------------------------


def test_all_verbs(session: Session, client: Any, s3: Any, table_prefix: str) -> None:
    facts = {"numbers": [1, 2], "set": {"a", "b"}, "bytes": b"x" * 200}
    document = Document("a", Large(data(1)), Large("é" * 100), Large(facts), Large("p" * 9000))
    session.save(document)

    item = stored(client, table_prefix, "a")
    assert set(item["body"]["M"]) == {"dynattrs", "bucket", "key", "size", "sha256", "kind"}
    assert "B" in item["packed"], "nine kilobytes compress to less than a hundred"
    assert names(s3) == {item[name]["M"]["key"]["S"] for name in ("body", "text", "facts")}
    assert item["text"]["M"]["key"]["S"].startswith(f"texts/{table_prefix}documents/")

    found = session.get_one(Document, "a", consistent=True)
    assert found == document
    with pytest.raises(NotFetched, match=r"session\.fetch"):
        found.body.value
    assert session.fetch(found.body) == data(1)
    assert session.fetch_all([found.text, document.text]) == ["é" * 100] * 2
    assert session.fetch(found.facts) == facts
    assert session.fetch(found.packed) == "p" * 9000

    session.insert(Document("b", Large(data(2))))
    with pytest.raises(ItemExists) as refused:
        session.insert(Document("b", Large(data(3))))
    assert session.fetch(refused.value.item.body) == data(2)
    new = session.update(
        Document, "a", set_(Document.body, Large(data(4))), remove(Document.text),
        set_(Document.facts, Large({})),
    )  # fmt: skip
    assert (session.fetch(new.body), new.text, new.facts) == (data(4), None, Large({}))
    old = session.update(new, set_(Document.body, Large(b"small")), returns="old")
    assert session.fetch(old.body) == data(4)
    changed = session.update(new, set_(Document.body, Large(data(5))), returns="changed")
    assert session.fetch(changed["Document.body"]) == data(5)
    made = session.update(Document, "c", set_(Document.body, Large(data(6))), upsert=True)
    assert session.fetch(made.body) == data(6)

    session.refresh(new)
    with session.edit(new):
        new.title = "a title"
        new.body = Large(data(7))
    with session.edit(new):
        new.body = found.body
    assert session.fetch(session.get_one(Document, "a", consistent=True).body) == data(1)
    with session.transaction() as t:
        t.save(Document("d", Large(data(8))))
        t.update(Document, "a", set_(Document.body, Large(data(9))))
    with session.transaction() as t, t.edit(new):
        new.text = Large("t" * 500)
    assert session.save(Document("d", Large(data(10))), returning=True).body == Large(data(8))

    everything = session.scan(Document).consistent().all()
    assert {each.id: session.fetch(each.body) for each in everything} == {
        "a": data(9), "b": data(2), "c": data(6), "d": data(10),
    }  # fmt: skip
    some = session.scan(Document).where(exists(Document.text), ~is_none(Document.text))
    assert [each.id for each in some] == ["a"]
    by_owner = session.query(Document).where(Document.owner == "me").select(Document.body).all()
    assert sorted(session.fetch(body) for (body,) in by_owner) == sorted(
        [data(9), data(2), data(6), data(10)]
    )
    [one, two] = session.transact_get((Document, "a"), (Document, "b"))
    assert session.fetch_all([one.body, two.body]) == [data(9), data(2)]
    assert session.delete(two, returning=True).body == Large(data(2))


def test_batches_put_objects_before_items(session: Session, s3: Any) -> None:
    with session.batch() as batch:
        for number in range(60):
            batch.save(Document(f"b{number}", Large(data(number)), title="batch"))
        batch.save(Document("small", Large(b"small")))
    session.save_all(Document(f"s{n}", Large(data(n)), Large("x" * n)) for n in range(60))
    session.save_all([Paper("p", n, Large(data(n))) for n in range(30)])

    found = {each.id: each for each in session.scan(Document).consistent()}
    assert len(found) == 121
    large = [each for each in found.values() if each.id != "small"]
    bodies = session.fetch_all(each.body for each in large)
    assert bodies == [data(int(each.id[1:])) for each in large]
    papers = session.scan(Paper).consistent().all()
    assert all(session.fetch(each.body) == data(each.number) for each in papers)
    assert len(papers) == 30
    assert len(names(s3)) < 200, "equal contents are one object"


def test_the_limit_may_change_and_values_stay_where_they_are(
    session: Session, client: Any, s3: Any, table_prefix: str
) -> None:
    """An item from before the field was kept in S3 is not moved by a save that changes something else."""
    session.save(Earlier("old", data(1)))
    document = session.get_one(Document, "old", consistent=True)
    assert document.body == Large(data(1))
    assert document.body.value == data(1)
    document.title = "new"
    session.save(document)
    with session.edit(document):
        document.title = "newer"
    assert stored(client, table_prefix, "old")["body"] == {"B": data(1)}
    assert names(s3) == set()

    document.body = Large(data(1))
    session.save(document)
    assert "M" in stored(client, table_prefix, "old")["body"]
    assert session.fetch(session.get_one(Document, "old", consistent=True).body) == data(1)
    with pytest.raises(MappingError, match="M of 6"):
        session.get(Earlier, "old", consistent=True)


def test_a_value_that_was_changed_in_place_is_stored(session: Session) -> None:
    session.save(Document("a", Large(b""), facts=Large({"n": 1})))
    document = session.get_one(Document, "a", consistent=True)
    with session.edit(document):
        document.facts.value["more"] = "x" * 200
    assert session.fetch(session.get_one(Document, "a", consistent=True).facts) == {
        "n": 1, "more": "x" * 200,
    }  # fmt: skip


def test_a_value_can_be_given_to_other_items_and_tables(
    session: Session, client: Any, s3: Any, table_prefix: str
) -> None:
    """Within a table the item names the same object; for another table the content is copied in S3."""
    session.save(Document("a", Large(data(1))))
    body = session.get_one(Document, "a", consistent=True).body
    session.save(Document("b", body))
    assert len(names(s3)) == 1
    session.save(Paper("p", 1, body))
    assert len(names(s3)) == 2
    s3.delete_object(Bucket=bucket(), Key=body.place.key)
    assert session.fetch(session.get_one(Paper, ("p", 1), consistent=True).body) == data(1)

    with pytest.raises(ObjectMissing):
        session.save(Paper("p", 2, body))
    assert session.get(Paper, ("p", 2), consistent=True) is None
    # Nor is anything copied under the name of what it is not: that is another item's object.
    for other in (data(2), data(2)[1:]):
        s3.put_object(Bucket=bucket(), Key=body.place.key, Body=other, ChecksumAlgorithm="SHA256")
        with pytest.raises(ObjectDamaged):
            session.save(Paper("p", 2, body))
    assert session.fetch(session.get_one(Paper, ("p", 1), consistent=True).body) == data(1)


def test_a_session_with_another_prefix_has_objects_of_its_own(
    session: Session, client: Any, s3: Any, table_prefix: str
) -> None:
    session.save(Document("a", Large(data(1))))
    document = session.get_one(Document, "a", consistent=True)
    with Session(client=client, s3_client=s3, table_prefix=f"{table_prefix}x-") as other:
        other.tables.create(Document)
        action = set_(Document.body, Large(data(2)))
        other.save(document)
        other.update(Document, "a", action)
        session.update(Document, "a", action)
        assert len(names(s3)) == 4
        place = other.get_one(Document, "a", consistent=True).body.place
        assert place.key.startswith(f"{table_prefix}x-documents/")
    assert session.fetch(session.get_one(Document, "a", consistent=True).body) == data(2)


def test_changes_show_values_by_what_they_are(session: Session, client: Any) -> None:
    session.save(Document("a", Large(data(1)), Large("small")))
    prefix = str(session._core.table_prefix)
    before = stored(client, prefix, "a")
    session.update(Document, "a", set_(Document.body, Large(data(2))), set_(Document.title, "t"))
    after = stored(client, prefix, "a")
    [change] = changes([record(before, after, key=("id",), table="documents")], Document)
    assert isinstance(change, Modified)
    assert change.changed(Document.body)
    assert not change.changed(Document.text)
    assert session.fetch(change.new.body) == data(2)
    assert session.fetch(change.old.body) == data(1)


# --- Other programs -----------------------------------------------------------------------------


def test_items_of_other_programs(session: Session, client: Any, s3: Any, table_prefix: str) -> None:
    """A map with more members is kept as it is, one that lacks some is named; numbers may be spelled."""
    session.save(Document("a", Large(data(1))))
    item = stored(client, table_prefix, "a")
    item["body"]["M"] |= {"note": {"S": "theirs"}, "size": {"N": "1E+3"}}
    put = {"TableName": f"{table_prefix}documents"}
    client.put_item(Item=item, **put)
    document = session.get_one(Document, "a", consistent=True)
    assert session.fetch(document.body) == data(1)
    document.title = "mine"
    session.save(document)
    assert stored(client, table_prefix, "a")["body"]["M"]["note"] == {"S": "theirs"}

    for broken in ({"key": {"N": "1"}}, {"size": {"S": "no"}}, {"kind": {"S": "?"}}):
        body = {"M": {**item["body"]["M"], **broken}}
        client.put_item(Item={**item, "body": body}, **put)
        with pytest.raises(MappingError, match=r"Document\.body.*where in S3"):
            session.get(Document, "a", consistent=True)
    client.put_item(Item={**item, "body": {"M": {"key": {"S": "x"}}}}, **put)
    with pytest.raises(MappingError, match=r"Document\.body"):
        session.get(Document, "a", consistent=True)


def test_an_object_that_was_changed_or_removed_is_named(session: Session, s3: Any) -> None:
    session.save(Document("a", Large(data(1))))
    document = session.get_one(Document, "a", consistent=True)
    place = document.body.place
    s3.put_object(Bucket=bucket(), Key=place.key, Body=data(2))
    with pytest.raises(ObjectDamaged, match="another program has changed it") as damaged:
        session.fetch(document.body)
    assert damaged.value.place == f"s3://{bucket()}/{place.key}"
    s3.delete_object(Bucket=bucket(), Key=place.key)
    with pytest.raises(ObjectMissing, match=r"session\.refresh"):
        session.fetch(document.body)
    with pytest.raises(ObjectMissing):
        session.fetch_all([Large(b""), document.body, document.body])
    with pytest.raises(QueryError, match="a Large is expected"):
        session.fetch(b"no")


# --- Failures -----------------------------------------------------------------------------------


def test_without_its_bucket_an_item_is_not_written_and_the_others_are(session: Session) -> None:
    with pytest.raises(ObjectRefused, match="NoSuchBucket") as refused:
        session.save(Lost("a", Large(data(1))))
    assert refused.value.place.startswith("s3://no-such-bucket/")
    assert session.get(Lost, "a", consistent=True) is None
    for attempt in (session.insert, lambda obj: session.save(obj, returning=True)):
        with pytest.raises(ObjectRefused):
            attempt(Lost("a", Large(data(1))))
    with pytest.raises(ObjectRefused):
        with session.transaction() as t:
            t.save(Lost("a", Large(data(1))))
            t.save(Document("t", Large(b"")))

    lost = Lost("b", Large(data(2)))
    with pytest.raises(UnsentWrites) as unsent:
        with session.batch() as batch:
            for number in range(30):
                batch.save(Document(f"d{number}", Large(data(number))))
            batch.save(lost)
            batch.save(Lost("small", Large(b"x")))
    assert unsent.value.objects == [lost]
    assert isinstance(unsent.value.unsent[0].cause, ObjectRefused)
    assert session.scan(Document).consistent().count() == 30
    assert session.get(Lost, "small", consistent=True) == Lost("small", Large(b"x"))


@pytest.mark.threads_only(reason="the twin's handlers are of DynamoDB")
def test_a_batch_waits_for_s3_to_come_back(session: Session, s3: Any, monkeypatch: Any) -> None:
    from botocore.exceptions import ConnectTimeoutError

    put, left = s3.put_object, [3]

    def unreachable(**parameters: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise ConnectTimeoutError(endpoint_url="https://s3")
        return put(**parameters)

    monkeypatch.setattr(s3, "put_object", unreachable)
    with session.batch() as batch:
        batch.save(Document("a", Large(data(1))))
    assert session.fetch(session.get_one(Document, "a", consistent=True).body) == data(1)
    left[0] = 1
    with pytest.raises(ObjectsUnavailable, match="s3://values-") as failed:
        session.save(Document("b", Large(data(1))))
    assert failed.value.uncertain is False
    assert session.get(Document, "b", consistent=True) is None


@pytest.mark.threads_only(reason="the twin's handlers are of DynamoDB")
def test_while_s3_is_out_of_reach_the_other_items_are_stored(
    client: Any, s3: Any, table_prefix: str, monkeypatch: Any
) -> None:
    from botocore.exceptions import ConnectTimeoutError

    put = s3.put_object

    def unreachable(**parameters: Any) -> Any:
        if parameters["Bucket"] == bucket():
            raise ConnectTimeoutError(endpoint_url="https://s3")
        return put(**parameters)

    monkeypatch.setattr(s3, "put_object", unreachable)
    large = Document("large", Large(data(1)))
    with Session(
        client=client, s3_client=s3, table_prefix=table_prefix, deadline=timedelta(seconds=1)
    ) as session:
        with pytest.raises(UnsentWrites) as unsent:
            session.save_all([Document("a", Large(b"")), large, Document("b", Large(b""))])
        assert unsent.value.objects == [large]
        assert isinstance(unsent.value.unsent[0].cause, ObjectsUnavailable)
        assert sorted(each.id for each in session.scan(Document).consistent()) == ["a", "b"]


def test_a_value_of_another_kind_is_refused_before_it_is_stored(session: Session) -> None:
    session.save(
        Document("a", Large(data(1)), text=Large("x" * 1000), facts=Large({"n": "y" * 200}))
    )
    read = session.get_one(Document, "a", consistent=True)
    text: Any = read.text
    facts: Any = read.facts
    with pytest.raises(MappingError, match=r"Document\.body: .*which has text"):
        session.save(Document("b", text))
    with pytest.raises(MappingError, match=r"Document\.text: .*which has neither text nor bytes"):
        session.save(Document("b", Large(b""), text=facts))
    session.save(read)
    assert session.get(Document, "b", consistent=True) is None


def test_large_values_of_frames_are_kept_in_s3(session: Session, s3: Any) -> None:
    pa = pytest.importorskip("pyarrow")
    frame = pa.table({"id": ["a"], "body": ['""'], "text": ['"' + "x" * 1000 + '"']})
    session.save_frame(Document, frame)
    read = session.get_one(Document, "a", consistent=True)
    assert read.text is not None
    assert read.text.place is not None
    assert session.fetch(read.text) == "x" * 1000


@pytest.mark.full
def test_a_lost_reply_is_recognised_by_what_the_item_says(
    faults: Any, client_arguments: dict[str, Any], s3: Any, table_prefix: str
) -> None:
    """The item that is found after it has the map, and what was written had the value."""
    retried = {"endpoint_url": faults.endpoint, "config": Config(retries={"mode": "standard"})}
    client = boto3.client("dynamodb", **{**client_arguments, **retried})

    def lose(operation: str) -> None:
        """Lose the next reply to an operation, when it is done; the one before was lost."""
        assert all(faults.counts)
        faults.set({"operation": operation, "times": 1, "response": {"abort_bytes": 0}})

    with Session(client=client, s3_client=s3, table_prefix=table_prefix) as session:
        session.save(Document("warm", Large(b"")))
        lose("PutItem")
        session.insert(Document("a", Large(data(1)), Large("t" * 300)))
        lose("PutItem")
        paper = session.save(Paper("p", 1, Large(data(2))))
        assert paper.version == 1
        lose("UpdateItem")
        session.update(paper, set_(Paper.body, Large(data(3))))
        lose("TransactWriteItems")
        with session.transaction() as t:
            t.insert(Document("b", Large(data(4))))
        lose("BatchWriteItem")
        with session.batch() as batch:
            batch.save(Document("c", Large(data(5))))
            batch.save(Document("d", Large(data(6))))
        lose("PutItem")
        session.update(Document, "e", set_(Document.body, Large(data(7))), upsert=True)
        assert all(faults.counts)
        faults.clear()
        bodies = {each.id: session.fetch(each.body) for each in session.scan(Document)}
        assert {name: body[0] for name, body in bodies.items() if body} == {
            "a": 1, "b": 4, "c": 5, "d": 6, "e": 7,
        }  # fmt: skip
        assert session.fetch(session.get_one(Paper, ("p", 1)).body) == data(3)
    client.close()


# --- What is left over --------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(timezone.utc)

    def __call__(self) -> datetime:
        return self.now


def test_orphans_are_deleted_when_no_item_has_named_them_for_long_enough(
    client: Any, s3: Any, table_prefix: str
) -> None:
    clock = Clock()
    with Session(client=client, s3_client=s3, table_prefix=table_prefix, clock=clock) as session:
        session.save(Document("a", Large(data(1)), Large("t" * 300)))
        session.save(Document("same", Large(data(1))))
        session.save(Document("b", Large(data(2))))
        stale = session.get_one(Document, "b", consistent=True)
        assert session.tables.orphans(Document) == []

        session.save(Document("a", Large(data(3))))
        session.delete(Document, "b")
        first = session.tables.orphans(Document)
        keys = {each.key for each in first}
        assert len(keys) == 2, "the text and the value of b; another item has that of a"
        assert stale.body.place.key in keys
        assert {(each.since, each.deleted) for each in first} == {(None, False)}

        clock.now = max(each.put for each in first) + timedelta(seconds=1)
        noted = session.tables.orphans(Document, delete=True)
        assert {(each.since, each.deleted) for each in noted} == {(clock.now, False)}
        # A program that still has it saves it again: it is named when the time is over.
        session.save(stale)
        clock.now += timedelta(days=2)
        gone = session.tables.orphans(Document, delete=True)
        assert [(each.key[:6], each.deleted) for each in gone] == [("texts/", True)]
        assert session.fetch(session.get_one(Document, "b", consistent=True).body) == data(2)
        assert session.tables.orphans(Document) == []

        session.delete(Document, "b")
        clock.now += timedelta(days=2)
        [again] = session.tables.orphans(Document, delete=True)
        assert not again.deleted, "the former note is forgotten"
        [now] = session.tables.orphans(Document, delete=True, unnamed_for=timedelta())
        assert now.deleted
        assert {each.rpartition("/")[2] for each in names(s3)} >= {"orphans.json"}

        with pytest.raises(ModelError, match="no field with InS3"):
            session.tables.orphans(Earlier)
        with pytest.raises(ModelError, match="timedelta"):
            session.tables.orphans(Document, unnamed_for=3)


def test_an_object_that_is_put_again_while_orphans_are_deleted_stays(
    session: Session, s3: Any
) -> None:
    session.save(Document("a", Large(data(1))))
    session.delete(Document, "a")
    [listed] = session.tables.orphans(Document)
    from dynattrs.operations import orphans

    session.save(Document("b", Large(data(1))))
    later = attrs.evolve(listed, put=listed.put - timedelta(seconds=5))
    flow = orphans._deleted(later)
    call = next(flow)
    with pytest.raises(StopIteration) as ended:
        flow.send(s3.head_object(**call.parameters))
    assert ended.value.value is None


def test_items_are_read_consistently_for_what_they_name() -> None:
    from dynattrs.operations import orphans

    flow = orphans._named("documents")
    first = next(flow)
    item = {"body": {"S": "small"}}
    page = flow.send({"Items": [item], "LastEvaluatedKey": {"id": {"S": "a"}}})
    assert all(call.parameters["ConsistentRead"] for call in (first, page))


def test_what_other_items_of_the_table_name_is_no_orphan(
    session: Session, client: Any, s3: Any, table_prefix: str
) -> None:
    """Of whatever model or program, in whatever attribute, at whatever depth."""
    session.save(Document("a", Large(data(1))))
    item = stored(client, table_prefix, "a")
    other = {"id": {"S": "theirs"}, "x": {"L": [{"M": {"y": item["body"]}}]}}
    client.put_item(TableName=f"{table_prefix}documents", Item=other)
    session.delete(Document, "a")
    digest = item["body"]["M"]["sha256"]["S"]
    for name in ("readme.txt", f"{digest}.bak", f"{digest}/x", f"x-{digest}"):
        s3.put_object(Bucket=bucket(), Key=f"{table_prefix}documents/{name}", Body=b"not ours")
    assert session.tables.orphans(Document) == []
    client.delete_item(TableName=f"{table_prefix}documents", Key={"id": {"S": "theirs"}})
    assert len(session.tables.orphans(Document)) == 1


PROGRAM = """
import json, os, signal, sys
import boto3
from typing import Annotated
from dynattrs import Session, model, partition_key
from dynattrs.s3 import InS3, Large

@model("documents")
class Document:
    id: str = partition_key()
    body: Annotated[Large[bytes], InS3(lambda: given["bucket"], above=100)]

given = json.loads(sys.argv[1])
client = boto3.client("dynamodb", **given["dynamodb"])
session = Session(client=client, s3_client=boto3.client("s3", **given["s3"]), table_prefix=given["prefix"])
session.save(Document("whole", Large(b"w" * 1000)))
session.on(given["at"], lambda event: os.kill(os.getpid(), signal.SIGKILL))
session.save(Document("killed", Large(b"k" * 1000)))
"""


@pytest.mark.full
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills otherwise")
@pytest.mark.threads_only(reason="the program that is killed has a session of its own")
@pytest.mark.parametrize("at", ["before_send", "after_send"])
def test_what_a_killed_process_leaves_is_found(
    at: str,
    session: Session,
    endpoint: Any,
    aws_arguments: dict[str, str],
    s3: Any,
    table_prefix: str,
) -> None:
    given = {
        "dynamodb": {"endpoint_url": endpoint.url, **endpoint.credentials},
        "s3": aws_arguments, "bucket": bucket(), "prefix": table_prefix, "at": at,
    }  # fmt: skip
    command = [sys.executable, "-c", PROGRAM, json.dumps(given)]
    killed = subprocess.run(
        command, check=False, env={**os.environ}, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    whole = session.get_one(Document, "whole", consistent=True)
    assert session.fetch(whole.body) == b"w" * 1000
    found = session.get(Document, "killed", consistent=True)
    orphans = session.tables.orphans(Document, delete=True, unnamed_for=timedelta())
    if at == "before_send":
        assert found is None
        assert [(each.size, each.deleted) for each in orphans] == [(1000, True)]
    else:
        assert orphans == []
        assert session.fetch(found.body) == b"k" * 1000
    assert session.fetch(whole.body) == b"w" * 1000


# --- Clients ------------------------------------------------------------------------------------


@pytest.mark.threads_only(reason="boto3's session is given")
def test_the_client_of_s3_is_made_like_the_sessions_own(
    aws: str, aws_arguments: dict[str, str], s3: Any
) -> None:
    keys = {
        "aws_access_key_id": aws_arguments["aws_access_key_id"], "aws_secret_access_key": "testing"
    }  # fmt: skip
    made = boto3.Session(region_name="us-east-1", **keys)
    with Session(boto3_session=made, endpoint_url=aws) as session:
        session.tables.create(Document)
        session.save(Document("a", Large(data(1))))
        assert session.fetch(session.get_one(Document, "a", consistent=True).body) == data(1)
        assert len(names(s3)) == 1
    with pytest.raises(ModelError, match="s3_client is one of 'dynamodb', and 's3' is expected"):
        Session(client=session.client, s3_client=session.client)


def test_a_projection_reads_the_value_as_it_is_kept(session: Session) -> None:
    @attrs.define
    class Short:
        id: str
        body: Annotated[Large[bytes], InS3(bucket)]

    @attrs.define
    class Wrong:
        body: bytes

    session.save(Document("a", Large(data(1))))
    [short] = session.scan(Document).as_(Short).consistent().all()
    assert session.fetch(short.body) == data(1)
    with pytest.raises(QueryError, match=r"declare body: Annotated\[.*InS3\(\.\.\.\)\]"):
        session.scan(Document).as_(Wrong).all()


# --- More kinds of models -----------------------------------------------------------------------


def test_models_with_unique_fields_older_schemas_and_kinds(session: Session, s3: Any) -> None:
    def first_to_second(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "title": item["title"].upper()}

    @model("books")
    class Old:
        id: str = partition_key()
        title: str
        body: Annotated[Large[bytes], InS3(bucket, above=100)]

    @model("books", upgrades=[first_to_second])
    class Book:
        id: str = partition_key()
        title: str = field(unique=True)
        text: Annotated[Large[bytes], InS3(bucket, above=100)] = field(
            name="body", factory=lambda: Large(b"")
        )

    session.tables.create(Book)
    session.save(Old("a", "one", Large(data(1))))
    book = session.get_one(Book, "a", consistent=True)
    assert (book.title, session.fetch(book.text)) == ("ONE", data(1))
    with session.edit(book):
        book.title = "two"
    session.insert(Book("b", "three", Large(data(2))))
    with session.batch() as batch:
        batch.save(Book("c", "four", Large(data(3))))
    assert session.migrate(Book).failed == 0
    found = {each.id: session.fetch(each.text) for each in session.scan(Book).consistent()}
    assert found == {"a": data(1), "b": data(2), "c": data(3)}
    assert len(names(s3)) == 3
    assert session.tables.orphans(Book) == []


# --- The command --------------------------------------------------------------------------------

SHOP = """
from typing import Annotated
from dynattrs import model, partition_key
from dynattrs.s3 import InS3, Large

@model("documents")
class Document:
    id: str = partition_key()
    body: Annotated[Large[bytes], InS3(BUCKET, above=100)]

@model("plain")
class Plain:
    id: str = partition_key()
"""


@pytest.mark.threads_only(reason="the command has a session of its own")
def test_the_command_lists_and_deletes_orphans(
    client: Any,
    endpoint: Any,
    aws: str,
    table_prefix: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    from dynattrs.tools.command.app import run

    BUCKET[0] = f"values-{secrets.token_hex(8)}"
    s3 = boto3.client("s3", endpoint_url=aws, **endpoint.credentials)
    s3.create_bucket(Bucket=bucket())
    with Session(client=client, s3_client=s3, table_prefix=table_prefix) as session:
        session.save(Document("a", Large(data(1))))
        session.save(Document("b", Large(data(2))))
        session.delete(Document, "b")
    s3.close()
    name = f"shop_{secrets.token_hex(4)}"
    (tmp_path / f"{name}.py").write_text(SHOP.replace("BUCKET", repr(bucket())))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    for key, value in endpoint.credentials.items():
        monkeypatch.setenv("AWS_DEFAULT_REGION" if "region" in key else key.upper(), value)

    def said(*arguments: str) -> tuple[int, Any, str]:
        given = ("--endpoint-url", endpoint.url, "--table-prefix", table_prefix, "-f", "json")
        code = run(["orphans", *arguments, *given])
        out, err = capsys.readouterr()
        return code, json.loads(out or "[]"), err

    code, [found], words = said(f"{name}:Document")
    assert code == 0
    assert (found["bytes"], found["deleted"], found["unnamed since"]) == (1000, False, None)
    assert "Objects that no item names: 1, of 1,000 bytes. Deleted: 0." in words
    assert said(name, "--delete")[1][0]["unnamed since"]
    assert said(name, "--delete", "--dry-run", "--unnamed-for", "0")[0] == 1
    assert said(name, "--delete", "--unnamed-for", "0s")[1][0]["deleted"]
    assert said(name)[1] == []
    assert said(f"{name}:Plain")[0] == 2
    assert said(name, "--unnamed-for", "soon")[0] == 2

    assert run(["iam", f"{name}:Document", "--table-prefix", "x-", "--scan"]) == 0
    [_, objects, listed] = json.loads(capsys.readouterr()[0])["Statement"]
    assert objects["Action"] == ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    assert objects["Resource"] == [f"arn:aws:s3:::{bucket()}/x-documents/*"]
    assert listed["Resource"] == [f"arn:aws:s3:::{bucket()}"]
