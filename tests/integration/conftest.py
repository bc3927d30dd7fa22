"""Fixtures that give integration tests an endpoint.

A test that takes `endpoint` (or what builds on it: `client_arguments`, `client`)
runs once on each engine: DynamoDB Local, the embedded one, and the service or
emulator in ``DYNAMODB_ENDPOINT`` where that is set. An engine that is not
installed skips its tests and says how to get it; in CI (``CI=true``) it fails
them. ``--engine`` narrows the choice. The engines themselves are fixtures of
`tests/conftest.py`.
"""

from __future__ import annotations

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
    from collections.abc import Callable, Iterator

    from dynattrs.wire.local_engine import Lease

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
    """

    engine: str
    url: str
    credentials: dict[str, str]


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
        return Endpoint(request.param, lease.endpoint_url, fake | own)
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
def clients() -> Iterator[dict[str, Any]]:
    """By endpoint, a client that all tests until now have left as it was."""
    kept: dict[str, Any] = {}
    yield kept
    for client in kept.values():
        client.close()


@pytest.fixture
def client(
    endpoint: Endpoint, client_arguments: dict[str, Any], clients: dict[str, Any]
) -> Iterator[Any]:
    """A botocore client, for arranging and looking behind the library's back.

    To make one and to connect takes as long as many a test: it is used again, unless a test
    has changed it.
    """
    client = clients.pop(endpoint.url, None) or boto3.client("dynamodb", **client_arguments)
    before = traits(client)
    yield client
    if traits(client) == before:
        clients[endpoint.url] = client
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
    test's name. Such tables are deleted: at the end, or where the engine ends with the run, with
    those of some tests more.
    """
    stem = re.sub(r"[^A-Za-z0-9]+", "_", request.node.originalname or request.node.name)[:60]
    prefix = f"{stem}-{secrets.token_hex(4)}-"
    yield prefix
    ended = ended_prefixes[endpoint.url]
    ended.append(prefix)
    if endpoint.engine != "environment" and len(ended) < 20:
        return
    for page in client.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            if name.startswith(tuple(ended)):
                client.delete_table(TableName=name)
    ended.clear()


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
