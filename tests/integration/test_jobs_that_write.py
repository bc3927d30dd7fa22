"""Jobs that change, delete and migrate items."""

from __future__ import annotations

import contextlib
import threading

import pytest

import job_models
from dynattrs import jobs, set_
from dynattrs.errors import ConditionFailed, ModelError, QueryError
from job_models import Bill, Order, Person, Thing, Visit


@pytest.fixture
def make(job_spec, job_session, tmp_path):
    """Makes jobs with checkpoints in a folder."""

    def job(name, *models, **options):
        place = jobs.in_folder(tmp_path / "jobs")
        options = {"segments": 3, "workers": 3} | options
        return jobs.Job(name, models=models, session=job_spec, checkpoints=place, **options)

    return job


def put(client, job_spec, table, **attributes):
    client.put_item(TableName=f"{job_spec.table_prefix}{table}", Item=attributes)


def get(client, job_spec, table, **key):
    found = client.get_item(TableName=f"{job_spec.table_prefix}{table}", Key=key)
    return found.get("Item")


# --- apply --------------------------------------------------------------------------------------


def test_a_function_changes_items_and_keeps_what_no_class_knows(
    make, job_session, job_spec, client
):
    job_session.save_all(Thing(str(n), n) for n in range(50))
    put(
        client,
        job_spec,
        "jobs-things",
        id={"S": "x"},
        n={"N": "7.0"},
        note={"S": ""},
        old={"BOOL": True},
    )

    done = make("double", Thing).apply(job_models.doubled, executor="threads")

    assert done.counts == {"changed": 51}
    assert done.write_units >= 51
    assert {each.id: each.n for each in job_session.scan(Thing)} == {
        **{str(n): 2 * n for n in range(50)}, "x": 14,
    }  # fmt: skip
    assert get(client, job_spec, "jobs-things", id={"S": "x"})["old"] == {"BOOL": True}
    assert make("again", Thing).apply(job_models.doubled, executor="threads").counts == {
        "unchanged": 51
    }


def test_versions_are_raised_and_items_deleted(make, job_session):
    job_session.save_all(Order(str(n % 7), n) for n in range(60))

    done = make("prices", Order).apply(job_models.priced, executor="threads")

    assert done.counts == {"changed": 29, "deleted": 30, "unchanged": 1}
    left = {each.number: each for each in job_session.scan(Order)}
    assert sorted(left) == list(range(0, 60, 2))
    assert {each.total for each in left.values()} == {n * 10 for n in left}
    assert {each.version for each in left.values()} == {1, 2}  # 0 * 10 is no change


def test_guards_of_unique_values_follow(make, job_session):
    job_session.save_all(Person(str(n), f"{n}@example.com") for n in range(9))

    done = make("move", Person).apply(job_models.moved, executor="threads")

    assert done.counts == {"changed": 9}
    job_session.insert(Person("a", "1@example.com"))
    with pytest.raises(ValueError, match="is unique"):
        job_session.insert(Person("b", "new-1@example.com"))


def test_values_that_others_have_are_skipped_or_named(make, job_session):
    job_session.save_all(Person(str(n), f"{n}@example.com") for n in range(9))

    with pytest.raises(jobs.JobFailed, match=r"gathered for Person .*: AlreadyTaken: "):
        make("gather", Person).apply(job_models.gathered, executor="threads")

    job = make("skip", Person)
    done = job.apply(job_models.gathered, on_error="skip", executor="threads")
    assert done.counts == {"failed": 8, "unchanged": 1}
    found = [*job.failures()]
    assert len(found) == done.failures == 8
    assert all(each.what.startswith("AlreadyTaken") and each.key for each in found)


def test_only_items_that_satisfy_a_condition_are_given_to_the_function(make, job_session):
    job_session.save_all(Thing(str(n), n) for n in range(20))

    done = make("some", Thing).apply(job_models.doubled, where=Thing.n >= 15, executor="threads")

    assert done.counts == {"changed": 5}
    assert sum(each.n for each in job_session.scan(Thing)) == sum(range(20)) + sum(range(15, 20))


def test_an_item_stays_that_does_not_satisfy_the_condition_any_more(make, job_session, monkeypatch):
    """A writer changes what the condition asks for, and not what the function changes."""
    job_session.save_all(Thing(str(n), n) for n in range(6))

    def write(thing):
        if thing.id in "34":
            job_session.update(Thing, thing.id, set_(Thing.n, 0))

    monkeypatch.setattr(job_models, "meanwhile", [write])
    done = make("mark", Thing).apply(job_models.marked, where=Thing.n >= 3, executor="threads")

    assert done.counts == {"changed": 1, "unchanged": 2}
    assert [each.id for each in job_session.scan(Thing) if each.note] == ["5"]


def test_an_item_without_a_version_is_deleted_as_it_was_read_only(make, job_session, monkeypatch):
    job_session.save_all(Thing(str(n), n) for n in range(6))

    def write(thing):
        if thing.id in "34":
            job_session.update(Thing, thing.id, set_(Thing.note, "to be kept"))

    monkeypatch.setattr(job_models, "meanwhile", [write])
    done = make("remove", Thing).apply(job_models.removed, executor="threads")

    assert done.counts == {"deleted": 4, "unchanged": 2}
    assert sorted(each.id for each in job_session.scan(Thing)) == ["3", "4"]


def test_what_is_changed_is_read_consistently_which_costs_twice_as_much(make, job_session):
    job_session.save_all(Thing(str(n), n, "x" * 3000) for n in range(20))

    counted = make("count", Thing).count(executor="threads")
    applied = make("keep", Thing).apply(job_models.removed, executor="threads")

    assert (counted.counts, applied.counts) == ({"Thing": 20}, {"unchanged": 20})
    assert applied.read_units == 2 * counted.read_units


def test_no_update_of_a_writer_beside_is_lost(make, job_session):
    """A writer counts, in the same field and in others, while the job doubles."""
    job_session.save_all(Thing(str(n), 1) for n in range(40))
    stop = threading.Event()
    added: list[str] = []

    def write():
        turn = 0
        while not stop.is_set():
            turn += 1
            key = str(turn % 40)
            for thing in job_session.get_many(Thing, [key]):
                with job_session.edit(thing, guard=True):
                    thing.n += 1000
                added.append(key)

    def writing():
        while not stop.is_set():
            with contextlib.suppress(ConditionFailed):  # it was not written
                write()

    writer = threading.Thread(target=writing)
    writer.start()
    try:
        result = make("double", Thing).apply(job_models.doubled, tries=500, executor="threads")
    finally:
        stop.set()
        writer.join()

    assert result.counts.get("changed", 0) + result.counts.get("unchanged", 0) == 40
    found = list(job_session.scan(Thing))
    assert {each.note for each in found} == {"doubled"}
    # Each addition is there once, or twice where it came before the doubling: none is missing.
    total = sum(each.n for each in found)
    assert (total - 80) % 1000 == 0
    assert len(added) * 1000 <= total - 80 <= len(added) * 2000


def test_a_function_that_returns_nothing_for_what_it_has_changed_is_told(make, job_session):
    job_session.save_all(Thing(str(n), n) for n in range(3))

    with pytest.raises(jobs.JobFailed, match="but it has changed the Thing; return the object"):
        make("silent", Thing, segments=1).apply(job_models.silent, executor="threads")


def test_a_function_that_fails_ends_its_segment_or_is_reported(make, job_session):
    job_session.save_all(Thing(str(n), n) for n in range(40))

    job = make("failing", Thing)
    with pytest.raises(jobs.JobFailed, match="ValueError: three") as failed:
        job.apply(job_models.failing, executor="threads")
    assert failed.value.job == "failing"
    assert job.progress().state == "failed"
    assert job.errors() == failed.value.errors
    assert "job_models:failing for Thing {'id': " in str(failed.value)

    done = make("skipping", Thing).apply(job_models.failing, on_error="skip", executor="threads")
    assert done.counts["failed"] == done.failures == 4
    assert done.counts["changed"] + done.counts["unchanged"] == 36
    found = make("skipping").failures()
    assert sorted(each.key["id"]["S"] for each in found) == ["13", "23", "3", "33"]


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (job_models.strange, "it returned dict"),
        (job_models.renamed, "KeyChanged"),
        (job_models.too_large, "MappingError"),
    ],
)
def test_what_a_function_may_not_make_is_named(make, job_session, function, problem):
    job_session.save(Thing("a", 1))

    with pytest.raises(jobs.JobFailed, match=problem):
        make("wrong", Thing, segments=1).apply(function, executor="threads")

    assert job_session.get_one(Thing, "a") == Thing("a", 1)


def test_functions_that_other_processes_cannot_import_are_refused_at_once(make):
    job = make("lambda", Thing)

    def nested(thing):
        return thing

    for function in (lambda thing: thing, nested):
        with pytest.raises(ModelError, match=r"^apply\(\.\.\.\): "):
            job.apply(function)
    with pytest.raises(ModelError, match="a function is expected"):
        job.apply("job_models:doubled")
    with pytest.raises(jobs.NoSuchJob):
        job.progress()


def test_an_unreadable_item_is_reported_and_ends_nothing(make, job_session, job_spec, client):
    job_session.save_all(Thing(str(n), n) for n in range(10))
    put(client, job_spec, "jobs-things", id={"S": "odd"}, n={"S": "seven"})

    job = make("double", Thing)
    done = job.apply(job_models.doubled, executor="threads")

    assert done.counts == {"changed": 10, "failed": 1}
    [failure] = job.failures()
    assert failure.key == {"id": {"S": "odd"}}
    assert failure.model == "Thing"
    assert "Thing.n" in failure.what


@pytest.mark.full
def test_processes_apply_as_threads_do(make, job_session):
    job_session.save_all(Thing(str(n), n) for n in range(50))

    done = make("double", Thing, workers=2).apply(job_models.doubled)

    assert done.counts == {"changed": 50}


# --- delete -------------------------------------------------------------------------------------


def test_items_are_deleted_by_a_condition_with_their_guards(make, job_session):
    job_session.save_all(
        Person(str(n), f"{n}@example.com", "SE" if n % 3 else "NO") for n in range(9)
    )
    job_session.save_all(Order("1", n) for n in range(5))

    done = make("delete", Person).delete(where=Person.country == "SE", executor="threads")

    assert done.counts == {"deleted": 6}
    assert sorted(each.id for each in job_session.scan(Person)) == ["0", "3", "6"]
    assert job_session.scan(Order).count() == 5
    job_session.insert(Person("new", "1@example.com"))


def test_all_items_of_a_model_or_of_a_table_are_deleted(make, job_session, job_spec, client):
    job_session.save_all(Person(str(n), f"{n}@example.com") for n in range(9))
    job_session.save_all(Order("1", n) for n in range(5))
    put(client, job_spec, "jobs-shop", pk={"S": "stray"}, sk={"S": "stray"})

    done = make("orders", Order).delete(everything=True, executor="threads")

    assert done.counts == {"deleted": 5}
    assert job_session.scan(Person).on_error("skip").count() == 9
    done = make("all", job_models.shop).delete(everything=True, executor="threads")
    assert done.counts == {"deleted": 19}
    assert client.scan(TableName=f"{job_spec.table_prefix}jobs-shop")["Count"] == 0


def test_what_is_to_be_deleted_must_be_said(make):
    for options in ({}, {"where": Thing.n > 3, "everything": True}, {"everything": "yes"}):
        with pytest.raises(ModelError, match="one of the two"):
            make("delete", Thing).delete(**options)


def test_a_condition_that_older_items_may_answer_otherwise_deletes_nothing(make, job_session):
    job_session.save(Visit("1", 1, 30))

    with pytest.raises(
        QueryError, match=r"items of older schemas of Visit may have other attributes"
    ):
        make("delete", Visit).delete(where=Visit.minutes > 3)

    assert job_session.scan(Visit).count() == 1


# --- migrate ------------------------------------------------------------------------------------


def test_items_without_guards_get_them(make, job_session, job_spec, client):
    for n in range(12):
        put(
            client, job_spec, "jobs-shop", pk={"S": f"PERSON#{n}"}, sk={"S": "PERSON"},
            id={"S": str(n)}, email={"S": f"{n % 11}@example.com"}, country={"S": "NO"},
            visits={"N": "0"},
        )  # fmt: skip
    job_session.save_all(Order("1", n) for n in range(5))

    job = make("guards", Person)
    done = job.migrate(executor="threads")

    assert done.counts == {"failed": 1, "rewritten": 11, "unchanged": done.counts["unchanged"]}
    [failure] = job.failures()
    assert failure.what.startswith("AlreadyTaken: ")
    with pytest.raises(ValueError, match="is unique"):
        job_session.insert(Person("new", "5@example.com"))


def test_models_with_nothing_to_migrate_are_refused(make):
    with pytest.raises(ValueError, match="have no upgrades"):
        make("nothing", Thing).migrate()


def test_fields_inside_change_beside_what_their_class_does_not_know(
    job_spec, job_session, checkpoints, client
):
    """As in an edit: what would be erased with a whole value is refused, and a field alone is written."""
    job_session.tables.create(Bill)
    table = f"{job_spec.table_prefix}jobs-bills"

    def line(count, what="a"):
        return {"M": {"what": {"S": what}, "count": {"N": count}, "tax": {"SS": ["NO", "SE"]}}}

    for name in ("plain", "evolved", "shorter", "replaced"):
        lines = {"L": [line("1"), line("1", "b")]}
        client.put_item(
            TableName=table, Item={"id": {"S": name}, "lines": lines, "first": line("1")}
        )

    job = jobs.Job("bills", models=[Bill], session=job_spec, checkpoints=checkpoints, segments=2)
    done = job.apply(job_models.one_more, on_error="skip", executor="threads")

    assert done.counts == {"changed": 2, "failed": 2}
    wrong = {each.key["id"]["S"]: each.what for each in job.failures()}
    assert wrong.keys() == {"shorter", "replaced"}
    assert all("replacing or moving it would erase that" in what for what in wrong.values())
    for name in ("plain", "evolved"):
        stored = client.get_item(TableName=table, Key={"id": {"S": name}}, ConsistentRead=True)[
            "Item"
        ]
        assert stored["lines"] == {"L": [line("2"), line("2", "b")]}
        assert stored["first"] == line("2")
        assert stored["state"] == {"S": "counted"}
