"""What all tests share: an AWS environment that reaches nothing, Hypothesis profiles."""

from __future__ import annotations

import os

import pytest

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


def pytest_configure(config: pytest.Config) -> None:
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
