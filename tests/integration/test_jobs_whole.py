"""A whole table, exported, imported elsewhere and compared: three models, guards, versions, old schemas, and
attributes that no class knows.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

import job_models
from dynattrs import jobs
from job_models import Order, Person, Visit

#: How many items: a table of the size that jobs are for takes minutes, which CI does not have.
LARGE = 10_000 if os.environ.get("CI") else 200_000


def old_visit(number: int) -> dict[str, dict[str, str]]:
    """As a program of an older schema has written it, with an attribute of its own."""
    return {
        "pk": {"S": f"PERSON#{number % 97}"},
        "sk": {"S": f"VISIT#{number:08d}"},
        "person": {"S": str(number % 97)},
        "number": {"N": str(number)},
        "minutes": {"S": str(number % 60)},
        "page": {"S": "x" * (number % 50)},
    }


def fill(session, client, table: str, count: int) -> None:
    people, orders = count // 20, count // 2
    session.save_all(Person(str(n), f"{n}@example.com") for n in range(people))
    session.save_all(Order(str(n % 97), n, n) for n in range(orders))
    session.save_all(Visit(str(n % 97), n, n % 60) for n in range(count - people - orders))
    requests = [
        {"PutRequest": {"Item": old_visit(n)}} for n in range(10_000_000, 10_000_000 + count // 10)
    ]
    batches = [requests[start : start + 25] for start in range(0, len(requests), 25)]

    def put(batch):
        left = {table: batch}
        while left:
            left = client.batch_write_item(RequestItems=left)["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, batches))


def counted(client, table: str) -> int:
    pages = client.get_paginator("scan").paginate(TableName=table, Select="COUNT")
    return sum(each["Count"] for each in pages)


@pytest.mark.parametrize("count", [300, pytest.param(LARGE, marks=pytest.mark.full, id="large")])
def test_what_was_exported_and_imported_is_equal(job_spec, job_session, client, tmp_path, count):
    here = f"{job_spec.table_prefix}{job_models.shop.name}"
    fill(job_session, client, here, count)
    other = attrs.evolve(job_spec, table_prefix=f"{job_spec.table_prefix}b-")
    with other.session() as session:
        session.tables.create(job_models.shop)
    executor = "processes" if count > 1000 else "threads"

    def job(name, spec):
        return jobs.Job(
            name, models=[job_models.shop], session=spec, segments=6, workers=2,
            checkpoints=jobs.in_folder(tmp_path / "jobs"),
        )  # fmt: skip

    exported = job("export", job_spec).export(
        tmp_path / "files", compression="gzip", executor=executor
    )
    imported = job("import", other).import_(tmp_path / "files", executor=executor)

    assert exported.counts["written"] == counted(client, here)
    assert imported.counts["written"] == exported.counts["written"]
    assert imported.failures == exported.failures == 0
    verified = job("verify", job_spec).verify(with_=other, executor=executor)
    assert verified.equal
    assert counted(client, here) == counted(client, f"{other.table_prefix}{job_models.shop.name}")
