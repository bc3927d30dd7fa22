"""The pytest plugin of dynattrs: fixtures with sessions on an engine that is as new for each test.

It is a module beside the package, so that pytest loads nothing of dynattrs, nor of boto3, in projects
that do not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynattrs import Session
    from dynattrs.aio import AsyncSession
    from dynattrs.jobs import SessionSpec
    from dynattrs.testing.worlds import World

_STARTED = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("dynattrs").addoption(
        "--dynattrs-engine",
        default="embedded",
        metavar="ENGINE",
        help="where the fixtures dynattrs_session and dynattrs_async_session have their tables: "
        "embedded, in this process (needs dynattrs[local]); dynamodb-local, which is started from the "
        "folder in the environment variable DYNAMODB_LOCAL; or the URL of an engine that runs, such as "
        "http://localhost:8000 (default: embedded)",
    )


def pytest_configure(config: pytest.Config) -> None:
    engine = str(config.getoption("--dynattrs-engine", "embedded"))
    if engine == "embedded" or hasattr(config, "workerinput"):
        return
    from dynattrs.errors import ConfigurationError
    from dynattrs.testing.processes import MissingEngine, dynamodb_local_command
    from dynattrs.testing.worlds import check_local

    try:
        if engine == "dynamodb-local":
            dynamodb_local_command()
        else:
            check_local(engine)
    except (ConfigurationError, MissingEngine) as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All processes of xdist share one DynamoDB Local."""
    node.workerinput["dynattrs_engine"] = _engine(node.config)


def _engine(config: pytest.Config) -> str:
    """What the fixtures run on; DynamoDB Local is started with the first process that needs it."""
    given: dict[str, str] = getattr(config, "workerinput", {})
    engine = given.get("dynattrs_engine") or str(config.getoption("--dynattrs-engine"))
    if engine != "dynamodb-local":
        return engine
    started = config.stash.get(_STARTED, None)
    if started is None:
        from contextlib import ExitStack

        from dynattrs.testing.processes import dynamodb_local_command, served

        stack = ExitStack()
        url = stack.enter_context(served(dynamodb_local_command()))
        started = config.stash[_STARTED] = (url, stack)
    url, _ = started
    return str(url)


def pytest_unconfigure(config: pytest.Config) -> None:
    _, stack = config.stash.get(_STARTED, (None, None))
    if stack is not None:
        stack.close()


@pytest.fixture(scope="session")
def _dynattrs_world(request: pytest.FixtureRequest) -> Iterator[World]:
    from dynattrs.testing.fixtures import make_world
    from dynattrs.testing.processes import MissingEngine

    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    world, problem = None, ""
    try:
        world = make_world(_engine(request.config), worker)
    except MissingEngine as error:
        problem = str(error)
    if world is None:  # out here pytest shows nothing of what led to it
        # Not `pytest.exit`: pytest-xdist passes on neither its message nor its status.
        request.session.shouldfail = "the engine of --dynattrs-engine does not answer"
        pytest.fail(problem, pytrace=False)
    yield world
    world.close()


@pytest.fixture
def dynattrs_session_options() -> dict[str, Any]:
    """What both sessions are made with: override it for a `clock`, `table_prefix`, `before_save`, …"""
    return {}


@pytest.fixture
def dynattrs_makes_tables() -> bool:
    """Whether the tables of models are made when a test first reads or writes them."""
    return True


@pytest.fixture
def _dynattrs_place(_dynattrs_world: World, dynattrs_makes_tables: bool) -> Iterator[World]:
    _dynattrs_world.begin(makes=dynattrs_makes_tables)
    yield _dynattrs_world
    _dynattrs_world.end()


@pytest.fixture
def dynattrs_session(
    _dynattrs_place: World, dynattrs_session_options: dict[str, Any]
) -> Iterator[Session]:
    """A `Session` that no other test has written anything through. Tables of models are made when the
    test first reads or writes them.
    """
    from dynattrs.testing.fixtures import session_of

    with session_of(_dynattrs_place, dynattrs_session_options) as session:
        yield session


@pytest.fixture
def dynattrs_session_spec(
    _dynattrs_place: World,
    dynattrs_session: Session,
    dynattrs_session_options: dict[str, Any],
) -> Iterator[SessionSpec]:
    """A `SessionSpec` for jobs: threads get `dynattrs_session` itself, and worker processes sessions on the
    same tables.
    """
    from dynattrs.testing.fixtures import settings_of
    from dynattrs.testing.job_sessions import spec_of

    settings = settings_of(_dynattrs_place, dynattrs_session_options)
    with spec_of(dynattrs_session, _dynattrs_place.engine.access, settings) as spec:
        yield spec


@pytest.fixture
def dynattrs_async_session(
    request: pytest.FixtureRequest,
    _dynattrs_place: World,
    dynattrs_session_options: dict[str, Any],
) -> Iterator[AsyncSession]:
    """An `AsyncSession` with the tables that `dynattrs_session` has. It is for pytest-asyncio, anyio's
    plugin and any other that runs a test in an event loop of asyncio.
    """
    from dynattrs.testing.fixtures import async_session_of

    callspec = getattr(request.node, "callspec", None)
    backend = None if callspec is None else callspec.params.get("anyio_backend")
    if (backend[0] if isinstance(backend, tuple) else backend) == "trio":
        pytest.fail(
            "dynattrs_async_session is for asyncio, and this test runs with trio: override the fixture "
            'anyio_backend to return "asyncio"',
            pytrace=False,
        )
    with async_session_of(_dynattrs_place, dynattrs_session_options) as session:
        yield session
