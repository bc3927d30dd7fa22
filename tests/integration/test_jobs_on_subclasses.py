"""Jobs on a subclass: the guards of its unique values, and not those of its base's items."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from dynattrs import AlreadyTaken, Session, jobs
from staff_models import Captain, Member, Officer, Sailor, crew, staff

pytestmark = pytest.mark.threads_only("a job's parent is no coroutine")

#: The guards of the two officers: three values each. Of the captains: one.
OFFICERS, CAPTAINS = 6, 2


@pytest.fixture
def there(job_spec: Any) -> jobs.SessionSpec:
    spec: jobs.SessionSpec = attrs.evolve(job_spec, table_prefix=f"{job_spec.table_prefix}b-")
    return spec


@pytest.fixture
def here(job_spec: Any) -> Iterator[Session]:
    with job_spec.session() as session:
        session.tables.create(staff, crew)
        session.save_all(Member(str(n), f"{n}@x", f"nick{n}") for n in range(5))
        session.save_all(Officer(str(n), f"{n}@x", f"nick{n}", f"badge{n}") for n in (5, 6))
        session.save_all(Sailor(str(n), f"{n}@x") for n in range(5))
        session.save_all(Captain(str(n), f"{n}@x") for n in (5, 6))
        yield session


@pytest.fixture
def target(there: jobs.SessionSpec) -> Iterator[Session]:
    with there.session() as session:
        session.tables.create(staff, crew)
        yield session


@pytest.fixture
def job(job_spec: Any, tmp_path: Path) -> Any:
    def make(name: str, model: Any, spec: Any = job_spec) -> jobs.Job:
        place = jobs.in_folder(tmp_path / "jobs")
        return jobs.Job(name, models=[model], session=spec, checkpoints=place, segments=3)

    return make


def guards(session: Session, model: Any) -> set[str]:
    """Which items have guards, by their partition keys, as often as they have some."""
    table = session._core.table_name(staff if model is Officer else crew)
    items = session.client.scan(TableName=table, ConsistentRead=True)["Items"]
    owners = [item["dynattrs.owner"]["M"]["pk"]["S"] for item in items if "dynattrs.owner" in item]
    return {f"{owner} {owners.count(owner)}" for owner in owners}


OWN = {Officer: {"MEMBER#5 3", "MEMBER#6 3"}, Captain: {"CAPTAIN#5 1", "CAPTAIN#6 1"}}


@pytest.mark.parametrize(("model", "count"), [(Officer, OFFICERS), (Captain, CAPTAINS)])
def test_the_guards_of_its_own_items_are_counted(here: Session, job: Any, model: Any, count: int):
    done = job("count", model).count(executor="threads")

    assert done.counts == {model.__name__: 2, "guards": count}


@pytest.mark.parametrize("overwrite", ["always", "absent"])
@pytest.mark.parametrize("model", OWN)
def test_a_copy_has_its_items_and_their_guards(
    here: Session, target: Session, there: Any, job: Any, model: Any, overwrite: Any
):
    base = model.__mro__[1]
    target.save(base("other", "3@x"))  # which a member has here, who is not copied

    done = job("copy", model).copy(there, overwrite=overwrite, executor="threads")

    assert done.failures == 0
    assert OWN[model] <= guards(target, model)
    assert len(guards(target, model)) == 3
    with pytest.raises(AlreadyTaken):
        target.insert(base("second", "3@x"))
    target.delete(base, "other")
    assert job("verify", model).verify(there, executor="threads").equal


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("overwrite", ["always", "absent"])
@pytest.mark.parametrize("model", OWN)
def test_an_export_and_an_import_have_its_items_and_their_guards(
    here: Session, target: Session, there: Any, job: Any, tmp_path: Path, model: Any, overwrite: Any,
    whole: bool,
):  # fmt: skip
    base = model.__mro__[1]
    target.save(base("other", "3@x"))
    exported = base if whole else model

    job("export", exported).export(tmp_path / "files", executor="threads")
    done = job("import", model, there).import_(
        tmp_path / "files", overwrite=overwrite, executor="threads"
    )

    assert (done.counts["written"], done.failures) == (2, 0)
    assert done.counts.get("left out", 0) == (5 if whole else 0)
    assert OWN[model] <= guards(target, model)
    assert len(guards(target, model)) == 3
