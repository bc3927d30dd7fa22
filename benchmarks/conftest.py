"""What benchmarks share: an AWS environment that reaches nothing, and a place for other figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import version

import pytest

# As in the tests, nobody's real profile, role or credentials take part.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.devnull
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

_LIBRARIES = ("dynattrs", "attrs", "cattrs", "msgspec", "boto3", "botocore")
_figures: list[str] = []


@pytest.fixture
def figure() -> Callable[[str], None]:
    """Takes a line for the end of the report: bytes and ratios, which no timer shows."""
    return _figures.append


def pytest_report_header() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"measured on {platform.machine()}, {os.cpu_count()} CPUs: {libraries}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _figures:
        terminalreporter.section("figures")
        for line in _figures:
            terminalreporter.line(line)
