"""What all tests share: an AWS environment that reaches nothing, Hypothesis profiles, engines."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

import engines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynattrs.wire.local_engine import Lease

# Nobody's real profile, role or credentials take part in a test. What a test
# against a real endpoint needs, it takes from AWS_ACCESS_KEY_ID and its kin.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.devnull
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
for _name in (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
):
    os.environ.pop(_name, None)

CI = os.environ.get("CI", "").lower() in {"1", "true"}
ENGINES = ("dynamodb-local", "embedded")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        action="append",
        choices=ENGINES,
        help="run integration tests on this engine only (may be repeated; default: all)",
    )
    parser.addoption(
        "--no-fast",
        action="store_true",
        help="make sessions with fast=False wherever a test does not say otherwise",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--no-fast"):
        from dynattrs import Session

        # The default of the argument, so that `Session(fast=True)` still is what it says.
        Session.__init__.__kwdefaults__["fast"] = False
    try:
        from hypothesis import HealthCheck, settings
    except ImportError:  # tests/unit needs pytest only
        return
    # In CI the same examples every time, on machines that are sometimes slow.
    slow = [HealthCheck.too_slow]
    settings.register_profile(
        "ci", max_examples=100, derandomize=True, deadline=None, suppress_health_check=slow
    )
    settings.register_profile("dev", max_examples=50, deadline=None, database=None)
    # Searching for a counterexample on purpose: HYPOTHESIS_PROFILE=search.
    settings.register_profile(
        "search", max_examples=5000, deadline=None, suppress_health_check=slow
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if CI else "dev"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what ``--engine`` does not choose, without a line for each skipped test."""
    chosen = config.getoption("--engine")
    if not chosen:
        return

    def wanted(item: pytest.Item) -> bool:
        needs = {
            name.replace("_", "-")
            for name in getattr(item, "fixturenames", ())
            if name in {"dynamodb_local", "embedded"}
        }
        callspec = getattr(item, "callspec", None)
        if callspec is not None and "endpoint" in callspec.params:
            needs.add(callspec.params["endpoint"])
        return needs <= set(chosen)

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[str]:
    """The endpoint of DynamoDB Local, shared by the whole test run."""
    with ExitStack() as stack:
        yield engines.entered(lambda: stack.enter_context(engines.dynamodb_local()))


@pytest.fixture(scope="session")
def embedded() -> Iterator[Lease]:
    """A lease on the embedded engine, shared by the whole test run."""
    with ExitStack() as stack:
        yield engines.entered(lambda: stack.enter_context(engines.embedded()))
