"""Jobs that copy tables, and that compare them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

import copied_models
from copied_models import EARLY, Note, Order, Person, shop
from dynattrs import ConditionFailed, ModelError, NoSuchTable, Session, jobs
from dynattrs.jobs import conditional_writes, verifying
from dynattrs.jobs.copying import Copying
from dynattrs.jobs.work import At, Limits

pytestmark = pytest.mark.threads_only("a job's parent is no coroutine")

HERE, THERE = "here-", "there-"


@pytest.fixture
def spec_of(
    endpoint: Any, table_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], jobs.SessionSpec]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", endpoint.credentials["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", endpoint.credentials["aws_secret_access_key"])
    return lambda side: jobs.SessionSpec(
        region_name="us-east-1", endpoint_url=endpoint.url, table_prefix=table_prefix + side
    )


@pytest.fixture
def here(spec_of: Callable[[str], jobs.SessionSpec]) -> Iterator[Session]:
    with spec_of(HERE).session() as session:
        session.tables.create(shop)
        yield session


@pytest.fixture
def there(spec_of: Callable[[str], jobs.SessionSpec]) -> Iterator[Session]:
    with spec_of(THERE).session() as session:
        session.tables.create(shop)
        yield session


@pytest.fixture
def job(spec_of: Callable[[str], jobs.SessionSpec], tmp_path: Any) -> Callable[..., jobs.Job]:
    made: list[int] = []

    def make(*models: Any, name: str | None = None, **options: Any) -> jobs.Job:
        made.append(1)
        return jobs.Job(
            name or f"job {len(made)}", models=models or (shop,), session=spec_of(HERE),
            checkpoints=jobs.in_folder(tmp_path), segments=3, workers=2, **options,
        )  # fmt: skip

    return make


def put(session: Session, **item: Any) -> None:
    session.client.put_item(TableName=session._core.table_name(shop), Item=item)


def stored(session: Session) -> dict[Any, Any]:
    name, items, start = session._core.table_name(shop), {}, {}
    while True:
        found = session.client.scan(TableName=name, ConsistentRead=True, **start)
        items |= {(item["pk"]["S"], item["sk"]["S"]): item for item in found["Items"]}
        if "LastEvaluatedKey" not in found:
            return items
        start = {"ExclusiveStartKey": found["LastEvaluatedKey"]}


def fill(session: Session, *, stray: bool = True) -> None:
    session.save_all(Order(str(n % 7), n, changed=EARLY) for n in range(60))
    session.save_all(Note(str(n), f"note {n}") for n in range(20))
    for n in range(10):
        person = Person(str(n), f"{n}@example.com", {"a", "b"})
        session.save(person)
        if n % 2:
            session.save(person)  # version 2
    # Older schemas, unknown attributes, and what other programs write as no model would.
    put(
        session,
        pk={"S": "ORDER#old"}, sk={"S": "0000000001"}, type={"S": "Order"}, id={"S": "old"},
        number={"N": "1.0"}, odd={"NS": ["1", "2.50"]}, blob={"B": b"\x00\xff"},
    )  # fmt: skip
    put(
        session,
        pk={"S": "NOTE#odd"}, sk={"S": "NOTE"}, type={"S": "Note"}, id={"S": "odd"},
        more={"M": {"deep": {"L": [{"BS": [b"1", b"\xfe"]}, {"NULL": True}, {"N": "1E+2"}]}}},
    )  # fmt: skip
    if stray:
        put(session, pk={"S": "stray"}, sk={"S": "stray"}, what={"S": "of no model"})


@pytest.mark.smoke
@pytest.mark.parametrize("overwrite", ["always", "absent", "newer"])
def test_a_copy_is_exact(
    here: Session, there: Session, job: Any, spec_of: Any, overwrite: Any
) -> None:
    fill(here, stray=overwrite != "newer")
    models = (shop,) if overwrite != "newer" else (Order, Person)
    everything = {
        key: item
        for key, item in stored(here).items()
        if overwrite != "newer" or not key[0].startswith("NOTE")
    }

    done = job(*models).copy(spec_of(THERE), overwrite=overwrite, executor="threads")

    assert stored(there) == everything
    assert sum(done.counts.values()) == len(everything)
    assert done.counts["written"] == len(everything) - (10 if overwrite != "always" else 0)
    again = job(*models).copy(spec_of(THERE), overwrite=overwrite, executor="threads")
    assert stored(there) == everything
    if overwrite != "always":
        assert again.counts == {"unchanged": len(everything) - 10, "guards": 10}
    compared = job(*models).verify(spec_of(THERE), executor="threads")
    assert compared.equal
    assert compared.compared == len(everything)
    assert compared.differences == []


@pytest.mark.full
def test_processes_copy_as_threads_do(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    fill(here)

    done = job().copy(spec_of(THERE), transform=copied_models.shouting)
    verified = job().verify(spec_of(THERE), executor="threads")

    # Without order 3 and note 4, and what is of no model, which the function does not expect.
    assert done.counts == {"written": 60 + 20 + 10, "left out": 1, "guards": 10}
    assert (done.failures, verified.failures) == (2, 0)
    assert verified.different == 10 + 20
    assert (verified.only_here, verified.only_there) == (3 + 10, 10)


# --- What is there already ------------------------------------------------------------------------


def test_what_is_absent_is_written_and_all_else_stays(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    fill(here)
    there.save(Note("1", "another one"))
    there.save(Person("1", "other@example.com"))
    there.save(Person("500", "3@example.com"))

    made = job()
    done = made.copy(spec_of(THERE), overwrite="absent", executor="threads")

    assert done.counts["skipped"] == 2
    assert there.get_one(Note, "1").text == "another one"
    # It has its own guard, and none of the other one's values.
    assert there.get_one(Person, "1").email == "other@example.com"
    guards = [key[0] for key in stored(there) if key[0].startswith("dynattrs")]
    assert not any("1@example.com" in each for each in guards)
    # A unique value that another item has is no other one's.
    assert there.get(Person, "3") is None
    [failure] = made.failures()
    assert failure.model == "Person"
    assert failure.key == {"pk": {"S": "PERSON#3"}, "sk": {"S": "PERSON"}}
    assert failure.what.startswith("AlreadyTaken")


def test_what_is_newer_replaces_what_is_older(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    for n, (mine, theirs) in enumerate([(1, 2), (2, 1), (2, 2), (10, 9)]):
        for session, version, text in ((here, mine, "here"), (there, theirs, "there")):
            for _ in range(version):
                person = session.get(Person, str(n)) or Person(str(n), "")
                person.email = f"{text}{n}@example.com"
                session.save(person)
    put(there, **{**stored(there)[("PERSON#1", "PERSON")], "version": {"N": "1.0"}})

    job(Person).copy(spec_of(THERE), overwrite="newer", executor="threads")

    emails = [there.get_one(Person, str(n)).email for n in range(4)]
    assert [each.partition("@")[0] for each in emails] == ["there0", "here1", "there2", "here3"]
    guards = sorted(key[0] for key in stored(there) if key[0].startswith("dynattrs"))
    assert [each.partition("@")[0].rpartition('"')[2] for each in guards] == [
        "here1", "here3", "there0", "there2",
    ]  # fmt: skip


def test_times_that_others_spell_otherwise_compare_as_times(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    key = {"pk": {"S": "ORDER#1"}, "type": {"S": "Order"}, "id": {"S": "1"}, "state": {"S": "x"}}
    spelled = [
        ("2026-01-01T00:00:00.500000Z", "2026-01-01T00:00:00Z", True),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500000Z", False),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00.000000Z", False),
        ("2026-01-01T00:00:01.000000Z", "2026-01-01T02:00:00+02:00", True),
        (None, "2026-01-01T00:00:00Z", False),
        ("2026-01-01T00:00:00Z", None, True),
    ]
    for n, (mine, theirs, _) in enumerate(spelled):
        for session, at in ((here, mine), (there, theirs)):
            changed = {} if at is None else {"changed": {"S": at}}
            number = {"number": {"N": str(n)}, "sk": {"S": f"{n:010d}"}}
            put(session, **key, **number, **changed, from_={"S": str(session is here)})

    job(Order).copy(spec_of(THERE), overwrite="newer", executor="threads")

    found = [item["from_"]["S"] == "True" for _, item in sorted(stored(there).items())]
    assert found == [newer for *_, newer in spelled]


def test_a_time_that_cannot_be_read_is_reported(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    here.save(Order("1", 1, changed=EARLY))
    [item] = stored(here).values()
    put(there, **{**item, "changed": {"S": "yesterday"}})
    made = job(Order)

    done = made.copy(spec_of(THERE), overwrite="newer", executor="threads")

    assert done.failures == 1
    assert "Order.changed: expected" in next(made.failures()).what
    assert stored(there)[("ORDER#1", "0000000001")]["changed"] == {"S": "yesterday"}


# --- Changed on their way ---------------------------------------------------------------------------


def test_items_are_changed_on_their_way_with_their_guards(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    fill(here)
    there.save(Person("1", "1@example.com"))
    made = job(Person, Order, Note)

    done = made.copy(spec_of(THERE), transform=copied_models.shouting, executor="threads")

    assert done.counts["left out"] == 1
    assert there.get_one(Note, "1").text == "NOTE 1"
    assert there.get_one(Person, "1").email == "1@new.example.com"
    assert there.get_one(Person, "3").version == 2
    guards = [key[0] for key in stored(there) if key[0].startswith("dynattrs")]
    assert len(guards) == 10
    assert all("@new.example.com" in each for each in guards)
    whats = sorted(each.what for each in made.failures())
    assert whats[1] == "ValueError: this note is not to be shouted"
    assert whats[0].startswith("MappingError")  # of no model


def test_what_is_made_of_an_item_has_to_be_one(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    here.save_all(Note(str(n)) for n in range(6))
    made = job(Note)

    done = made.copy(spec_of(THERE), transform=copied_models.odd, executor="threads")

    assert done.failures == 6
    assert stored(there) == {}
    assert all(each.model == "Note" for each in made.failures())
    assert sorted(each.what.partition("found ")[2] for each in made.failures()) == [
        "int", "list", "none; table 'copied-shop' cannot hold it",
        "one of type N; table 'copied-shop' cannot hold it", "str", "str",
    ]  # fmt: skip


# --- What is refused --------------------------------------------------------------------------------


def test_a_table_is_not_copied_onto_itself(here: Session, job: Any, spec_of: Any) -> None:
    for verb in ("copy", "verify"):
        with pytest.raises(ModelError, match=r"itself: both sessions lead to"):
            getattr(job(), verb)(spec_of(HERE), executor="threads")


def test_other_keys_are_refused_before_anything_is_written(
    here: Session, job: Any, spec_of: Any, table_prefix: str
) -> None:
    here.save(Note("1"))
    name = f"{table_prefix}{THERE}copied-shop"
    here.client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )  # fmt: skip

    with pytest.raises(ModelError, match=r"has the key pk \(S\), sk \(S\), and .* has pk \(S\)"):
        job().copy(spec_of(THERE), executor="threads")

    assert here.client.scan(TableName=name)["Count"] == 0


def test_a_missing_table_is_named(here: Session, job: Any, spec_of: Any) -> None:
    with pytest.raises(NoSuchTable, match="there-copied-shop"):
        job().copy(spec_of(THERE), executor="threads")


def test_arguments_that_cannot_be_are_refused(here: Session, job: Any, spec_of: Any) -> None:
    to = spec_of(THERE)
    with pytest.raises(ModelError, match=r"to='new-': a SessionSpec\(...\) is expected"):
        job().copy("new-")
    with pytest.raises(ModelError, match="expected one of 'always', 'absent', 'newer'"):
        job().copy(to, overwrite="never")
    with pytest.raises(ModelError, match="'newer': Note has neither a version nor an update time"):
        job(Person, Note).copy(to, overwrite="newer")
    with pytest.raises(ModelError, match="is a lambda, and other processes cannot import it"):
        job().copy(to, transform=lambda item: item)
    with pytest.raises(ModelError, match=r"with_=None: a SessionSpec\(...\) is expected"):
        job().verify(None)


def test_what_the_target_refuses_is_reported_and_all_else_is_written(
    here: Session, job: Any, spec_of: Any, table_prefix: str
) -> None:
    """An index of the target may not take what the table has."""
    fill(here)
    name = f"{table_prefix}{THERE}copied-shop"
    strings = [{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", "number")]
    here.client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=strings,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-number", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [{"AttributeName": "number", "KeyType": "HASH"}],
            }
        ],
    )  # fmt: skip
    made = job()

    done = made.copy(spec_of(THERE), executor="threads")

    assert done.counts["written"] == 20 + 20 + 2
    assert done.failures == 61
    assert {each.model for each in made.failures()} == {"Order"}
    assert next(made.failures()).what.startswith("InvalidRequest")


# --- Comparing --------------------------------------------------------------------------------------


def test_what_differs_is_told_by_key(here: Session, there: Session, job: Any, spec_of: Any) -> None:
    fill(here)
    job().copy(spec_of(THERE), executor="threads")
    there.delete(Note, "3")
    there.save(Note("new"))
    there.save(Note("4", "changed"))
    name = there._core.table_name(shop)
    odd = {"pk": {"S": "NOTE#odd"}, "sk": {"S": "NOTE"}}
    there.client.update_item(
        TableName=name, Key=odd, UpdateExpression="SET #m.#d[2] = :n, extra = :n",
        ExpressionAttributeNames={"#m": "more", "#d": "deep"},
        ExpressionAttributeValues={":n": {"N": "99"}},
    )  # fmt: skip
    # Other spellings of the same values are no differences.
    old = {"pk": {"S": "ORDER#old"}, "sk": {"S": "0000000001"}}
    there.client.update_item(
        TableName=name, Key=old, UpdateExpression="SET #n = :n, odd = :o",
        ExpressionAttributeNames={"#n": "number"},
        ExpressionAttributeValues={":n": {"N": "1"}, ":o": {"NS": ["2.5", "1.0"]}},
    )  # fmt: skip
    made = job()

    found = made.verify(spec_of(THERE), executor="threads")

    assert not found.equal
    assert (found.different, found.only_here, found.only_there, found.failures) == (2, 1, 1, 0)
    told = {each.key["pk"]["S"]: (each.kind, each.places, each.model) for each in found.differences}
    assert told == {
        "NOTE#3": ("only here", (), "Note"),
        "NOTE#new": ("only there", (), "Note"),
        "NOTE#4": ("different", ("text",), "Note"),
        "NOTE#odd": ("different", ("extra", "more.deep[2]"), "Note"),
    }
    assert repr(found) == "<Verified: of 103 items 2 different, 1 only here, 1 only there>"
    assert made.verify(spec_of(THERE), executor="threads").differences == found.differences


def test_what_differs_for_a_moment_is_not_told(
    here: Session, there: Session, job: Any, spec_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both tables are written to: what seems to differ is looked at again."""
    here.save_all(Note(name, "new") for name in ("changed", "added", "odd"))
    there.save_all([Note("changed", "old"), Note("gone"), Note("odd", "other")])
    look = verifying.items_by_key

    def late(*arguments: Any, consistent: bool = False, what: str) -> Any:
        if consistent:
            there.save_all([Note("changed", "new"), Note("added", "new")])
            there.delete(Note, "gone")
        return look(*arguments, consistent=consistent, what=what)

    monkeypatch.setattr(verifying, "items_by_key", late)
    found = job(Note).verify(spec_of(THERE), executor="threads")

    assert [each.key["pk"]["S"] for each in found.differences] == ["NOTE#odd"]
    assert (found.different, found.only_here, found.only_there) == (1, 0, 0)


def test_what_is_of_no_model_is_not_equal(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    put(here, pk={"S": "stray"}, sk={"S": "stray"})

    found = job(Note).verify(spec_of(THERE), executor="threads")

    assert (found.equal, found.failures, found.compared) == (False, 1, 0)
    assert found.differences == []


@pytest.mark.smoke
def test_rates_count_what_is_read_on_both_sides(
    endpoint: Any, here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    if endpoint.engine == "embedded":
        pytest.skip("this engine does not say what reading many keys costs")
    here.save_all(Note(str(n), "x" * 1000) for n in range(60))
    job(Note).copy(spec_of(THERE), executor="threads")

    done = job(Note, name="compared")
    done.verify(spec_of(THERE), executor="threads")

    # Two scans, and each item by its key in the other table.
    assert done.progress().read_units == pytest.approx(60 + 2 * 60 / 8, rel=0.3)


@pytest.mark.full
def test_a_copy_keeps_to_its_rate(here: Session, there: Session, job: Any, spec_of: Any) -> None:
    here.save_all(Note(str(n)) for n in range(120))
    made = job(Note, write_units=60)

    began = time.monotonic()
    done = made.copy(spec_of(THERE), executor="threads")

    assert done.write_units == 120
    assert time.monotonic() - began > 0.8


# --- What goes wrong --------------------------------------------------------------------------------

LOST = {"response": {"abort_bytes": 0}}


def test_lost_replies_lose_nothing_and_copy_nothing_twice(
    here: Session, there: Session, job: Any, spec_of: Any, faults: Any
) -> None:
    fill(here)
    to = attrs.evolve(spec_of(THERE), endpoint_url=faults.endpoint)
    for overwrite in ("absent", "always"):
        faults.set(
            {"operation": "BatchWriteItem", "times": 1, **LOST},
            {"operation": "PutItem", "times": 2, "probability": 0.3, **LOST},
            {"operation": "TransactWriteItems", "times": 1, **LOST},
        )

        done = job().copy(to, overwrite=overwrite, executor="threads")

        assert sum(done.counts.values()) == 103
        assert done.failures == 0
        assert faults.fired
        assert stored(there) == stored(here)
        faults.set({"operation": "BatchGetItem", "times": 1, **LOST})
        assert job().verify(to, executor="threads").equal


def test_a_step_that_is_done_twice_and_half_is_done_once(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    fill(here)
    for overwrite in ("always", "absent"):
        work = Copying.of((shop,), spec_of(THERE), overwrite, None)
        at = At("a", "run", 0, 1, 0, 1, "attempt")
        pages = [*work.source().pages(here, 0, 1, None, Limits(items=50, page_items=20))]
        half = work.begin(here, at)
        half.page(pages[0])
        half.abandon()
        for _ in range(2):
            step = work.begin(here, at)
            for page in pages:
                step.page(page)
            counts = step.end().counts
        assert len(pages) == 3
        if overwrite == "absent":
            assert counts.keys() <= {"unchanged", "guards"}

        done = job().copy(spec_of(THERE), overwrite=overwrite, executor="threads")

        assert stored(there) == stored(here)
        assert sum(done.counts.values()) == 103


def test_a_writer_beside_a_copy_of_what_is_newer_loses_nothing(
    here: Session, there: Session, job: Any, spec_of: Any
) -> None:
    for session in (here, there):
        session.save_all(Person(str(n), f"{n}@example.com") for n in range(30))
    for n in range(30):
        here.save(here.get_one(Person, str(n)))  # version 2
    added, stop = [0] * 30, threading.Event()

    def write() -> None:
        with spec_of(THERE).session() as session:
            while not stop.is_set():
                for n in range(30):
                    person = session.get_one(Person, str(n))
                    person.tags.add(f"t{len(person.tags)}")
                    with contextlib.suppress(ConditionFailed):
                        session.save(person)
                        added[n] = person.version or 0

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = job(Person).copy(spec_of(THERE), overwrite="newer", executor="threads")
    finally:
        stop.set()
        writer.join()

    assert done.failures == 0
    for n in range(30):
        # What the writer was told is stored is stored, or a newer version of it.
        assert (there.get_one(Person, str(n)).version or 0) >= max(2, added[n])


def test_what_is_newer_with_guards_replaces_what_the_job_has_seen_only(
    here: Session, there: Session, job: Any, spec_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer is faster, after the job has read what is there."""
    for session in (here, there):
        session.save(Person("1", "1@example.com"))
    here.save(here.get_one(Person, "1"))  # version 2
    read, written = conditional_writes.stored_item, threading.Event()

    def late(*arguments: Any) -> Any:
        found = yield from read(*arguments)
        if not written.is_set():
            written.set()
            for tag in ("a", "b"):
                person = there.get_one(Person, "1", consistent=True)
                person.tags.add(tag)
                there.save(person)
        return found

    monkeypatch.setattr(conditional_writes, "stored_item", late)
    done = job(Person).copy(spec_of(THERE), overwrite="newer", executor="threads")

    assert written.is_set()
    assert done.counts == {"skipped": 1, "guards": 1}
    person = there.get_one(Person, "1", consistent=True)
    assert (person.version, person.tags) == (3, {"a", "b"})


PROGRAM = """
import json, sys
from dynattrs import jobs
import copied_models

if __name__ == "__main__":
    here, there, folder, overwrite = json.loads(sys.argv[1])
    job = jobs.Job(
        "copy", models=[copied_models.shop], session=jobs.SessionSpec(**here),
        checkpoints=jobs.in_folder(folder), segments=4, workers=2, write_units=600,
    )
    print("begun", flush=True)
    print(job.copy(jobs.SessionSpec(**there), overwrite=overwrite, executor="threads"), flush=True)
"""


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "kill"), reason="this system kills otherwise")
@pytest.mark.parametrize("overwrite", ["always", "absent"])
def test_a_copy_that_is_killed_again_and_again_is_equal_in_the_end(
    here: Session, there: Session, spec_of: Any, tmp_path: Any, job: Any, overwrite: str
) -> None:
    here.save_all(Order(str(n % 50), n, changed=EARLY) for n in range(2000))
    for n in range(40):
        here.save(Person(str(n), f"{n}@example.com"))
    sides = [spec_of(HERE).describe(), spec_of(THERE).describe()]
    arguments = json.dumps([*sides, str(tmp_path / "checkpoints"), overwrite])
    command = [sys.executable, "-c", PROGRAM, arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(copied_models.__file__).parent)}
    instants = Random(7)

    for killed in range(11):
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            try:
                said, _ = process.communicate(
                    timeout=instants.uniform(0.1, 1) + 60 * (killed == 10)
                )
            except subprocess.TimeoutExpired:
                process.kill()
                continue
        break

    assert killed > 1
    assert "finished, 4 of 4 segments" in said
    assert stored(there) == stored(here)
    assert job().verify(spec_of(THERE), executor="threads").equal
