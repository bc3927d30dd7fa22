"""The first program of the README, run as a reader runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "airports.py"


@pytest.fixture(scope="module")
def printed() -> str:
    for needed in ("ministack", "rich", "vega_datasets"):
        pytest.importorskip(needed)
    run = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        capture_output=True, check=False, encoding="utf-8", timeout=120,
        # A wide table has each answer on one line.
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


def row(printed: str, what: str) -> list[str]:
    """The cells of one line of the table, without the seconds."""
    line = next(line for line in printed.splitlines() if line.startswith(f"│ {what}"))
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert re.fullmatch(r"\d+\.\d\d", cells[-1])
    return cells[1:-1]


def test_all_airports_are_saved_in_full_batches(printed: str):
    assert row(printed, "save all airports") == ["", "3,376", "136"]


def test_an_index_answers_for_a_state_with_one_request(printed: str):
    assert row(printed, "all of California") == [
        "Brown  Municipal … Tulelake Municipal", "205", "1"
    ]  # fmt: skip


def test_a_range_of_codes_is_answered_with_one_request(printed: str):
    assert row(printed, "USA, codes from SEA to SFO") == [
        "SEA SEE SEF SEG SEM SEP SER SET SEZ SFB SFD SFF SFM SFO", "14", "1"
    ]  # fmt: skip


def test_one_airport_is_found_by_its_key(printed: str):
    assert row(printed, "the airport SFO") == [
        "San Francisco International, San Francisco",
        "1",
        "1",
    ]
