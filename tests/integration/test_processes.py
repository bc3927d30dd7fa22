"""Forks, interpreters that exit, and processes that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from dynattrs import Session, model, partition_key


@model("counts")
class Count:
    id: str = partition_key()
    by: int = 0


PRELUDE = """
import json, logging, os, sys
import boto3
from dynattrs import Session, model, partition_key

@model("counts")
class Count:
    id: str = partition_key()
    by: int = 0

arguments = json.loads(sys.argv[1])
prefix = arguments.pop("prefix")
def session(**options):
    return Session(boto3_session=boto3.session.Session(**arguments["credentials"]),
                   endpoint_url=arguments["url"], table_prefix=prefix, **options)
"""


@pytest.fixture
def session(client: Any, table_prefix: str) -> Session:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Count)
    return session


@pytest.fixture
def run(endpoint: Any, table_prefix: str) -> Any:
    """Run a program in a process of its own, after the prelude; its output."""

    def run(
        program: str, *options: str, expect: int = 0, environment: Any = os.environ
    ) -> tuple[str, str]:
        arguments = {
            "url": endpoint.url, "prefix": table_prefix, "credentials": endpoint.credentials
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", *options, "-c",
             PRELUDE + program, json.dumps(arguments)],
            capture_output=True, text=True, timeout=120, check=False, env={**environment},
        )  # fmt: skip
        assert done.returncode == expect, done.stderr
        return done.stdout, done.stderr

    return run


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_sends_nothing_of_its_parent_and_has_its_own_connections(
    session: Session, run: Any
) -> None:
    out, _ = run("""
s = session()
s.save(Count("warm"))
with s.batch() as batch:
    for n in range(30):
        batch.save(Count(f"parent-{n}", by=os.getpid()))
    batch.flush()
    for n in range(3):
        batch.save(Count(f"late-{n}", by=os.getpid()))
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        assert batch.discard() == []
        assert s.stats.total == 0
        for n in range(200):
            s.save(Count("child", by=n))
            assert s.get(Count, "child", consistent=True).by == n
        with s.batch() as own:
            for n in range(60):
                own.save(Count(f"child-{n}", by=os.getpid()))
        print(json.dumps({"child": os.getpid()}), flush=True)
        os._exit(0)
    for n in range(200):
        batch.save(Count("parent", by=n), when=~(Count.id == "nobody"))
        assert s.get(Count, "parent", consistent=True).by == n
    _, status = os.waitpid(child, 0)
    assert status == 0, status
print(json.dumps({"parent": parent}))
""")
    child, parent = (json.loads(line) for line in out.splitlines())
    stored = {count.id: count.by for count in session.scan(Count).consistent()}

    assert {stored[f"late-{n}"] for n in range(3)} == {parent["parent"]}
    assert {stored[f"child-{n}"] for n in range(60)} == {child["child"]}
    assert stored["child"] == stored["parent"] == 199


def test_a_batch_that_is_never_ended_is_reported_when_the_interpreter_exits(
    session: Session, run: Any
) -> None:
    _, errors = run("""
batch = session().batch().__enter__()
batch.save(Count("lost"))
""")

    assert "a batch was never ended, and what it had gathered is lost" in errors
    assert "1 write was not stored: save of a Count" in errors
    assert session.get(Count, "lost", consistent=True) is None


def test_a_batch_in_a_suspended_generator_is_reported_when_the_interpreter_exits(
    session: Session, run: Any
) -> None:
    _, errors = run("""
def numbers():
    with session().batch() as batch:
        batch.save(Count("lost"))
        yield 1
suspended = numbers()
next(suspended)
""")

    assert "1 write was not stored: save of a Count" in errors
    assert session.get(Count, "lost", consistent=True) is None


def test_sys_exit_inside_a_batch_reports_what_is_unsent(session: Session, run: Any) -> None:
    _, errors = run(
        """
with session().batch() as batch:
    batch.save(Count("lost"))
    sys.exit(3)
""",
        expect=3,
    )

    assert "a batch was interrupted: 1 write was not stored: save of a Count" in errors
    assert session.get(Count, "lost", consistent=True) is None


#: A session at the top of a module, which lives as long as the process.
FORGOTTEN = """
count = session()
count.save(Count("a"))
with count.batch() as batch:
    batch.save_all(Count(f"{n}") for n in range(100))
assert count.scan(Count).page_size(20).count() == 101
"""
FORGOTTEN_ASYNC = """
import asyncio
from aiobotocore.session import get_session
from dynattrs.aio import AsyncSession

given = get_session()
keys = arguments["credentials"]
given.set_credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
count = AsyncSession(aiobotocore_session=given, endpoint_url=arguments["url"],
                     region_name=keys["region_name"], table_prefix=prefix)

async def main():
    await count.save(Count("a"))
    async with count.batch() as batch:
        await batch.save_all(Count(f"{n}") for n in range(100))
    assert await count.scan(Count).page_size(20).count() == 101

asyncio.run(main())
"""


@pytest.mark.parametrize("program", [FORGOTTEN, FORGOTTEN_ASYNC], ids=["threads", "asyncio"])
def test_a_session_at_the_top_of_a_module_may_be_forgotten(
    session: Session, run: Any, program: str
) -> None:
    if program is FORGOTTEN_ASYNC:
        pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")

    _, errors = run(program, "-W", "error::ResourceWarning")

    assert errors == ""


LATE = """
def late():
    s.save(Count("late"))
    s.save_all(Count(f"late-{n}") for n in range(60))
    with s.batch() as batch:
        for n in range(60):
            batch.save(Count(f"batch-{n}"))
    assert s.query(Count).where(Count.id == "late").count() == 1
    assert len(list(s.get_many(Count, [f"late-{n}" for n in range(250)], consistent=True))) == 60
    found = {count.id for count in s.scan(Count).consistent().page_size(20)}
    assert found == {count.id for count in s.scan(Count).consistent().page_size(20).parallel(3)}
    print(len(found))

s.save(Count("warm"))
"""
AT_EXIT = LATE + "import atexit; atexit.register(late)"
AFTER_MAIN = (
    LATE
    + """
import threading
def wait():
    # When the interpreter gives no more threads, and not before.
    from concurrent.futures import ThreadPoolExecutor
    while True:
        try:
            ThreadPoolExecutor(1).submit(int)
        except RuntimeError:
            return late()
threading.Thread(target=wait).start()
"""
)


@pytest.mark.full
@pytest.mark.parametrize("ending", [AT_EXIT, AFTER_MAIN], ids=["atexit", "after the main thread"])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param("", id="as usual"),
        pytest.param("fast=False", id="slow", marks=pytest.mark.full),
        pytest.param("concurrency=1", id="one at once", marks=pytest.mark.full),
        pytest.param("call_timeout=timedelta(seconds=20)", id="limited", marks=pytest.mark.full),
    ],
)
def test_gathered_writes_and_reads_take_no_threads_when_the_interpreter_is_ending(
    session: Session, run: Any, options: str, ending: str
) -> None:
    out, errors = run(f"from datetime import timedelta\ns = session({options})\n{ending}")

    assert out == "122\n", errors
    assert len(list(session.scan(Count).consistent())) == 122


REPEATED = """
from typing import Annotated
import attrs
from dynattrs import Json, in_, set_

@model("counts")
class Held:
    id: str = partition_key()
    tags: set[str] = attrs.field(factory=set)
    maybe: set[str | None] = attrs.field(factory=set)
    pairs: set[tuple[str, frozenset[str]]] = attrs.field(factory=set)
    text: Annotated[set[tuple[str, int]], Json] = attrs.field(factory=set)

letters = set("qwertyuiop")
held = Held("a", letters, {None, *letters}, {(each, frozenset(letters)) for each in letters},
            {(each, 1) for each in letters})
session().save(Held("b", maybe={None, "x"}))
with session().transaction(token="order-1") as t:
    t.save(held)
    t.update(Held, "b", set_(Held.maybe, held.maybe), set_(Held.text, held.text),
             when=(Held.maybe != held.maybe) & ~in_(Held.id, letters))
assert session().get(Held, "a", consistent=True) == held
print(session().scan(Held).where(Held.maybe == held.maybe, Held.pairs == held.pairs,
                                 Held.text == held.text).count(), list(letters))
"""


@pytest.mark.full
@pytest.mark.threads_only
def test_a_transaction_with_sets_is_the_same_one_in_processes_that_order_them_otherwise(
    session: Session, run: Any
) -> None:
    """The second one is refused unless it is to the letter what the first one sent."""
    outputs = [
        run(REPEATED, environment={**os.environ, "PYTHONHASHSEED": seed})[0].split(maxsplit=1)
        for seed in ("1", "2")
    ]

    assert [count for count, _ in outputs] == ["1"] * 2
    assert len({order for _, order in outputs}) == 2
