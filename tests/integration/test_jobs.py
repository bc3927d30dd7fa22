"""Jobs on whole tables: what they count and write down, in threads and processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

import job_models
from dynattrs import begins_with, jobs, not_, not_exists, set_
from dynattrs.errors import ConditionError, ModelError
from job_models import Order, Person, Thing


def fill(session, *, orders: int = 300, people: int = 20, things: int = 100) -> None:
    session.save_all(Order(str(n % 17), n) for n in range(orders))
    session.save_all(
        Person(str(n), f"{n}@example.com", "SE" if n % 2 else "NO") for n in range(people)
    )
    session.save_all(Thing(str(n), n) for n in range(things))


def test_items_are_counted_by_model_with_guards(job_spec, job_session, checkpoints):
    fill(job_session)
    job = jobs.Job(
        "count",
        models=[Person, Order, Thing],
        session=job_spec,
        checkpoints=checkpoints,
        segments=4,
    )

    done = job.count(executor="threads")

    assert done.counts == {"Order": 300, "Person": 20, "Thing": 100, "guards": 20}
    assert (done.state, done.segments, done.done, done.failed) == ("finished", 8, 8, 0)
    assert done.scanned == 440
    assert done.fraction == 1.0
    assert done.ended is not None
    assert "300 Order" in str(done)
    assert job.progress() == done


def test_a_finished_job_does_nothing_again(job_spec, job_session, checkpoints):
    fill(job_session, things=0)
    job = jobs.Job("count", models=[Person], session=job_spec, checkpoints=checkpoints, segments=2)
    done = job.count(executor="threads")
    job_session.insert(Person("new", "new@example.com"))

    assert job.count(executor="threads") == done
    assert job.resume(executor="threads") == done
    assert job.forget() == 3
    assert job.count(executor="threads").counts["Person"] == 21


def test_a_condition_is_asked_by_the_service(job_spec, job_session, checkpoints):
    fill(job_session)
    job = jobs.Job("count", models=[Person], session=job_spec, checkpoints=checkpoints, segments=3)

    done = job.count(
        where=(Person.country == "SE") & begins_with(Person.email, "1"), executor="threads"
    )

    assert done.counts == {"Person": 6}
    assert done.scanned == 340


@pytest.mark.parametrize("models", [[Person], [job_models.shop]], ids=["model", "table"])
def test_a_condition_is_about_items_and_never_finds_guards(
    job_spec, job_session, checkpoints, models
):
    """Guards have no fields, so they fulfil what is said of values that are not there."""
    fill(job_session, orders=0, things=0)
    job_session.update(Person, "1", set_(Person.country, "DK"))

    def counted(name, where):
        job = jobs.Job(name, models=models, session=job_spec, checkpoints=checkpoints, segments=3)
        return job.count(where=where, executor="threads").counts

    assert counted("other", Person.country != "DK") == {"Person": 19}
    assert counted("not", not_(Person.country == "DK")) == {"Person": 19}
    assert counted("none", not_exists(Person.country)) == {}


@pytest.mark.parametrize("verb", ["count", "export"])
def test_a_rate_does_not_make_a_job_dearer(verb, job_spec, job_session, checkpoints, tmp_path):
    """No page costs less than half a unit, so many small pages cost more than few large ones."""
    job_session.save_all(Thing(str(number), number) for number in range(400))
    job = jobs.Job(
        "slow", models=[Thing], session=job_spec, checkpoints=checkpoints, segments=1, workers=1,
        read_units=20,
    )  # fmt: skip
    if verb == "count":
        done = job.count(executor="threads")
    else:
        done = job.export(tmp_path / "things", executor="threads")

    assert done.scanned == 400
    assert done.read_units < 6


def test_a_table_stands_for_all_that_is_in_it(job_spec, job_session, checkpoints, client):
    fill(job_session, things=0)
    table = f"{job_spec.table_prefix}jobs-shop"
    client.put_item(TableName=table, Item={"pk": {"S": "stray"}, "sk": {"S": "stray"}})
    job = jobs.Job("count", models=[job_models.shop], session=job_spec, checkpoints=checkpoints)

    done = job.count(executor="threads")

    assert done.counts == {"Order": 300, "Person": 20, "guards": 20, "others": 1}


def test_what_no_model_knows_is_reported_and_ends_nothing(
    job_spec, job_session, checkpoints, client
):
    fill(job_session, things=0)
    table = f"{job_spec.table_prefix}jobs-shop"
    client.put_item(TableName=table, Item={"pk": {"S": "stray"}, "sk": {"S": "stray"}})
    job = jobs.Job("count", models=[Person], session=job_spec, checkpoints=checkpoints, segments=2)

    done = job.count(executor="threads")

    assert (done.counts, done.failures) == ({"Person": 20, "guards": 20}, 1)
    [failure] = job.failures()
    assert failure.key == {"pk": {"S": "stray"}, "sk": {"S": "stray"}}
    assert failure.model == "Person"
    assert failure.what.startswith("MappingError: ")


@pytest.mark.parametrize("verb", ["count", "copy", "export", "verify"])
def test_a_failure_advises_only_what_the_verb_can_do(
    verb, job_spec, job_session, checkpoints, client, tmp_path
):
    """A job cannot skip items by on_error('skip') as a query can, but it can be given the Table."""
    table = f"{job_spec.table_prefix}jobs-shop"
    other = attrs.evolve(job_spec, table_prefix=f"{job_spec.table_prefix}other-")
    with other.session() as session:
        session.tables.create(job_models.shop)
    client.put_item(TableName=table, Item={"pk": {"S": "stray"}, "sk": {"S": "stray"}})
    arguments = {
        "copy": {"to": other},
        "export": {"to": tmp_path / "f"},
        "verify": {"with_": other},
    }

    def run(name, models):
        job = jobs.Job(name, models=models, session=job_spec, checkpoints=checkpoints, segments=1)
        getattr(job, verb)(executor="threads", **arguments.get(verb, {}))
        return job.failures()

    [failure] = run("model", [Person])
    assert "declare a model for it on the same Table, or give the job the Table" in failure.what
    assert "on_error" not in failure.what
    arguments["export"] = {"to": tmp_path / "g"}
    assert not [each for each in run("table", [job_models.shop]) if "Error" in each.what]


def test_other_arguments_are_another_job(job_spec, job_session, checkpoints):
    fill(job_session, things=0)
    options = {"session": job_spec, "checkpoints": checkpoints, "segments": 2}
    jobs.Job("count", models=[Person], **options).count(executor="threads")

    with pytest.raises(jobs.OtherJob, match=r"where=Person.country == 'NO'; call job\.resume"):
        jobs.Job("count", models=[Person], **options).count(where=Person.country == "NO")
    with pytest.raises(jobs.OtherJob, match="was begun for job_models:Person, and not for"):
        jobs.Job("count", models=[Order], **options).count()
    assert jobs.Job("count", **options).resume().counts["Person"] == 20


def test_a_job_is_resumed_with_the_sessions_that_it_was_begun_with(job_spec, job_session, tmp_path):
    """Their names of tables above all: without them it would go on in other tables."""
    place = jobs.in_folder(tmp_path)
    job_session.tables.delete(Thing)
    with pytest.raises(jobs.JobFailed):
        jobs.Job("count", models=[Thing], session=job_spec, checkpoints=place, segments=2).count(
            executor="threads"
        )
    job_session.tables.create(job_models.things)
    job_session.save(Thing("a"))

    other = jobs.SessionSpec(table_prefix="other-", endpoint_url=job_spec.endpoint_url)
    with pytest.raises(
        jobs.OtherJob, match=f"table_prefix='{job_spec.table_prefix}', and not with 'oth"
    ):
        jobs.Job("count", session=other, checkpoints=place).resume(executor="threads")
    with pytest.raises(jobs.OtherJob, match="was begun with table_prefix="):
        jobs.Job("count", models=[Thing], session=other, checkpoints=place).count()

    assert jobs.Job("count", checkpoints=place).resume(executor="threads").counts == {"Thing": 1}


def test_a_job_that_was_not_begun_is_named(job_spec, job_session, checkpoints):
    job = jobs.Job("nothing", models=[Person], session=job_spec, checkpoints=checkpoints)
    for ask in (job.resume, job.progress, job.status, job.failures, job.files, job.errors):
        with pytest.raises(jobs.NoSuchJob, match=r"there is no job 'nothing' in (table|folder)"):
            ask()
    assert job.forget() == 0


ODD = ["a/b", "..", "Ä ö\n", "CON", "con", "x" * 200, "a#b%2F", " x"]


def test_names_may_be_odd(job_spec, job_session, checkpoints):
    job_session.save(Thing("a"))
    for name in ODD:
        job = jobs.Job(name, models=[Thing], session=job_spec, checkpoints=checkpoints, segments=1)
        assert job.count(executor="threads").counts == {"Thing": 1}

    assert jobs.list(checkpoints, session=job_spec) == sorted(ODD)


def test_processes_count_as_threads_do(job_spec, job_session, checkpoints):
    fill(job_session)
    job = jobs.Job(
        "count", models=[Person], session=job_spec, checkpoints=checkpoints, segments=3, workers=2
    )

    done = job.count(where=Person.country == "SE")

    assert done.counts == {"Person": 10}


def test_an_executor_of_the_program_is_used_and_left_open(job_spec, job_session, checkpoints):
    fill(job_session)
    job = jobs.Job("count", models=[Thing], session=job_spec, checkpoints=checkpoints, segments=3)
    with ThreadPoolExecutor(2) as executor:
        assert job.count(executor=executor).counts == {"Thing": 100}
        assert executor.submit(int, "1").result() == 1


def test_arguments_that_make_no_sense_are_refused(job_spec, checkpoints):
    job = jobs.Job("count", models=[Person], session=job_spec, checkpoints=checkpoints)
    with pytest.raises(ModelError, match="'processes', 'threads', an Executor"):
        job.count(executor="processors")
    with pytest.raises(ConditionError):
        job.count(where=True)
    with pytest.raises(ConditionError, match="is about Thing, but the job is for Person"):
        job.count(where=Thing.n > 3)
    with pytest.raises(ModelError, match="models="):
        jobs.Job("count", session=job_spec, checkpoints=checkpoints).count()
