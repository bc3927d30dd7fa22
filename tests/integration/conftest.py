"""Fixtures that give integration tests an endpoint.

A test that takes `endpoint` (or what builds on it: `client_arguments`, `client`)
runs once on each engine: DynamoDB Local, the embedded one, and the service or
emulator in ``DYNAMODB_ENDPOINT`` where that is set. An engine that is not
installed skips its tests and says how to get it; in CI (``CI=true``) it fails
them. ``--engine`` narrows the choice. The engines themselves are fixtures of
`tests/conftest.py`.
"""

from __future__ import annotations

import copy
import os
import re
import secrets
from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs
import boto3
import pytest
from botocore.config import Config

from dynattrs import Session

import engines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from dynattrs.wire.local_engine import Entries, Lease

ENGINES = ("dynamodb-local", "embedded")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of a module that speaks of `Session` runs twice: see `session_kind`."""
    if getattr(metafunc.module, "Session", None) is not Session:
        return
    if metafunc.definition.get_closest_marker("threads_only") is None:
        metafunc.parametrize("session_kind", ["threads", "asyncio"], indirect=True)


@pytest.fixture(autouse=True)
def session_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """How sessions wait. Under "asyncio" the name `Session` of the test's module is an
    `AsyncSession` behind the same surface (`awaited_session`), so that one test holds both to one promise.
    """
    chosen: str = getattr(request, "param", "threads")
    if chosen == "threads":
        yield chosen
        return
    awaited = pytest.importorskip("awaited_session", reason="pip install 'dynattrs[aio]'")
    monkeypatch.setattr(request.module, "Session", awaited.AwaitedSession)
    yield chosen
    awaited.close_twins()


@attrs.frozen
class Endpoint:
    """An engine that answers, and what a client needs to reach it.

    Attributes:
        engine: ``dynamodb-local``, ``embedded`` or ``environment``.
        credentials: Keyword arguments for `boto3.client`.
        lease: That of the embedded engine.
    """

    engine: str
    url: str
    credentials: dict[str, str]
    lease: Lease | None = None


@pytest.fixture(params=[*ENGINES, *(["environment"] if "DYNAMODB_ENDPOINT" in os.environ else [])])
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    """Each engine in turn."""
    fake = {
        "region_name": "us-east-1",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
    }
    if request.param == "dynamodb-local":
        return Endpoint(request.param, request.getfixturevalue("dynamodb_local"), fake)
    if request.param == "embedded":
        lease: Lease = request.getfixturevalue("embedded")
        own = {"aws_access_key_id": lease.access_key, "aws_secret_access_key": lease.secret_key}
        return Endpoint(request.param, lease.endpoint_url, fake | own, lease)
    if "AWS_ACCESS_KEY_ID" in os.environ:  # botocore finds these by itself
        fake = {"region_name": os.environ.get("AWS_DEFAULT_REGION", "us-east-1")}
    return Endpoint(request.param, os.environ["DYNAMODB_ENDPOINT"], fake)


@pytest.fixture
def client_arguments(endpoint: Endpoint) -> dict[str, Any]:
    """Keyword arguments for `boto3.client`: no retry hides what an engine answers."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=30
    )
    return {"endpoint_url": endpoint.url, "config": config, **endpoint.credentials}


@pytest.fixture(scope="session")
def clients() -> Iterator[dict[str, tuple[Any, list[Any]]]]:
    """By endpoint, a client that all tests until now have left as it was, and its `traits`."""
    kept: dict[str, tuple[Any, list[Any]]] = {}
    yield kept
    for client, _ in kept.values():
        client.close()


@pytest.fixture
def client(
    endpoint: Endpoint,
    client_arguments: dict[str, Any],
    clients: dict[str, tuple[Any, list[Any]]],
) -> Iterator[Any]:
    """A botocore client, for arranging and looking behind the library's back.

    To make one and to connect takes as long as many a test: it is used again, unless a test
    has changed it.
    """
    if endpoint.url in clients:
        client, before = clients.pop(endpoint.url)
    else:
        client = boto3.client("dynamodb", **client_arguments)
        before = traits(client)
    yield client
    if traits(client) == before:
        clients[endpoint.url] = client, before
    else:
        client.close()


def traits(client: Any) -> list[Any]:
    """What a test may change of a client: its attributes, and the handlers of its events."""
    found: list[Any] = [dict(vars(each)) for each in (client, client._endpoint, client.meta)]
    nodes = [client.meta.events._emitter._handlers._root]
    while nodes:
        node = nodes.pop()
        if node["values"] is not None:
            found.append([list(section) for section in node["values"]])
        nodes.extend(node["children"].values())
    return found


@pytest.fixture(scope="session")
def ended_prefixes() -> defaultdict[str, list[str]]:
    """By endpoint, the prefixes of tables that no test needs any more."""
    return defaultdict(list)


@pytest.fixture
def table_prefix(
    request: pytest.FixtureRequest,
    endpoint: Endpoint,
    client: Any,
    ended_prefixes: defaultdict[str, list[str]],
) -> Iterator[str]:
    """A prefix that no other test's table names have, for example ``test_query-3f9a1c0b-``, from the
    test's name. Such tables are deleted: at the end, or where the engine is a process that ends with
    the run, with those of some tests more.
    """
    prefix = unused_prefix(request.node.originalname or request.node.name)
    yield prefix
    if endpoint.lease is not None:
        reset(endpoint.lease, prefix, {})
        return
    ended = ended_prefixes[endpoint.url]
    ended.append(prefix)
    if endpoint.engine == "environment" or len(ended) >= 20:
        delete_tables(client, *ended)
        ended.clear()


@attrs.frozen
class KeptTables:
    """Tables of a module.

    Attributes:
        prefix: That of their names.
        keys: Their names, with the attributes of their keys.
        entries: What the embedded engine has of them while they are empty.
    """

    prefix: str
    keys: dict[str, list[str]]
    entries: Entries


@pytest.fixture(scope="session")
def all_kept_tables() -> dict[tuple[str, str], KeptTables]:
    """By endpoint and module."""
    return {}


@pytest.fixture
def kept_tables(
    request: pytest.FixtureRequest,
    endpoint: Endpoint,
    client: Any,
    all_kept_tables: dict[tuple[str, str], KeptTables],
) -> Iterator[Callable[..., str]]:
    """Tables for all tests of a module, empty at the beginning of each: gives their prefix.

    To make and to delete a table takes longer than many a test. It is for a fixture that takes
    the place of `table_prefix`. Tests may add tables, and delete some, but not change them.
    """
    place = endpoint.url, request.module.__name__

    def prefix_of(*tables: Any) -> str:
        kept = all_kept_tables.get(place)
        if kept is not None and emptied(endpoint, client, kept):
            return kept.prefix
        prefix = unused_prefix(place[1].rpartition(".")[2])
        with Session(client=client, table_prefix=prefix) as session:
            session.tables.create(*tables)
        entries = {} if endpoint.lease is None else entries_of(endpoint.lease, prefix)
        keys = keys_of_tables(client, prefix)
        all_kept_tables[place] = KeptTables(prefix, keys, copy.deepcopy(entries))
        return prefix

    yield prefix_of
    if endpoint.engine == "environment" and place in all_kept_tables:
        delete_tables(client, all_kept_tables.pop(place).prefix)


def emptied(endpoint: Endpoint, client: Any, kept: KeptTables) -> bool:
    """Make the tables of a module as they were; False if a test has deleted some of them."""
    if endpoint.lease is not None:
        reset(endpoint.lease, kept.prefix, copy.deepcopy(kept.entries))
        return True
    if delete_tables(client, kept.prefix, but=kept.keys) != set(kept.keys):
        delete_tables(client, kept.prefix)
        return False
    for name, key in kept.keys.items():
        empty_table(client, name, key)
    return True


def entries_of(lease: Lease, prefix: str) -> Entries:
    """What the embedded engine has of the tables with a prefix: by their names, and by ARNs."""
    return {place: each for place, each in lease.entries().items() if prefix in str(place[2])}


def reset(lease: Lease, prefix: str, entries: Entries) -> None:
    """Give the embedded engine *entries* in place of what it has of the tables with a prefix: a request
    to it takes longer than many a test.
    """
    gone = entries_of(lease, prefix).keys()
    others = {place: each for place, each in lease.entries().items() if place not in gone}
    lease.clear()
    lease.put(others | entries)


def unused_prefix(stem: str) -> str:
    return f"{re.sub('[^A-Za-z0-9]+', '_', stem)[:60]}-{secrets.token_hex(4)}-"


def tables_of(client: Any, *prefixes: str) -> list[str]:
    pages = client.get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith(prefixes)]


def keys_of_tables(client: Any, prefix: str) -> dict[str, list[str]]:
    """The names of tables with the attributes of their keys."""
    return {
        name: [
            part["AttributeName"]
            for part in client.describe_table(TableName=name)["Table"]["KeySchema"]
        ]
        for name in tables_of(client, prefix)
    }


def delete_tables(client: Any, *prefixes: str, but: Collection[str] = ()) -> set[str]:
    """Delete tables by their prefixes; gives those that are not deleted."""
    found = set(tables_of(client, *prefixes))
    for name in found.difference(but):
        client.delete_table(TableName=name)
    return found.intersection(but)


def empty_table(client: Any, name: str, key: list[str]) -> None:
    for page in client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
        requests = [
            {"DeleteRequest": {"Key": {part: item[part] for part in key}}} for item in page["Items"]
        ]
        for start in range(0, len(requests), 25):
            client.batch_write_item(RequestItems={name: requests[start : start + 25]})


@pytest.fixture(scope="session")
def fault_proxies() -> Iterator[Callable[[str], engines.Faults]]:
    """One proxy for each upstream, started when the first test asks for it."""
    running: dict[str, engines.Faults] = {}
    with ExitStack() as stack:

        def proxy(upstream: str) -> engines.Faults:
            if upstream not in running:
                running[upstream] = stack.enter_context(engines.faults(upstream))
            return running[upstream]

        yield proxy


@pytest.fixture
def faults(
    endpoint: Endpoint, fault_proxies: Callable[[str], engines.Faults]
) -> Iterator[engines.Faults]:
    """A proxy before the endpoint that injects faults; use its `endpoint` as the URL."""
    proxy = engines.entered(lambda: fault_proxies(endpoint.url))
    proxy.clear()
    yield proxy
    proxy.clear()


# --- Jobs ---------------------------------------------------------------------------------------


@pytest.fixture
def job_spec(endpoint: Endpoint, table_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """How the processes of a job make their sessions; they find credentials in the environment."""
    from dynattrs.jobs import SessionSpec

    for name in ("aws_access_key_id", "aws_secret_access_key"):
        monkeypatch.setenv(name.upper(), endpoint.credentials.get(name) or os.environ[name.upper()])
    return SessionSpec(
        region_name=endpoint.credentials["region_name"],
        endpoint_url=endpoint.url,
        table_prefix=table_prefix,
    )


@pytest.fixture
def job_session(job_spec: Any) -> Iterator[Session]:
    """A session on new tables of `job_models`."""
    import job_models

    with job_spec.session() as session:
        session.tables.create(job_models.shop, job_models.things)
        yield session


@pytest.fixture(params=["table", pytest.param("folder", marks=pytest.mark.full)])
def checkpoints(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where jobs write down how far they are."""
    from dynattrs import jobs

    return jobs.in_table() if request.param == "table" else jobs.in_folder(tmp_path / "jobs")
