"""The search of the page on vectors, run as a reader runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "semantic_search.py"


@pytest.mark.full
def test_misspelt_airports_are_found():
    for needed in ("ministack", "rich", "vega_datasets"):
        pytest.importorskip(needed)
    run = subprocess.run(
        [sys.executable, str(EXAMPLE), "san fransisco intl", "kenedy new york"],
        capture_output=True, check=False, encoding="utf-8", timeout=120,
        # A wide table has each answer on one line.
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr

    lines = [line.split("│")[1:3] for line in run.stdout.splitlines() if line.startswith("│")]
    nearest = {cells[0].strip(): cells[1].strip() for cells in lines if cells[0].strip()}
    assert nearest == {
        "san fransisco intl": "San Francisco International",
        "kenedy new york": "John F Kennedy Intl",
        "springfield, in IL": "Capital",
        "springfield, in MO": "Springfield-Branson Regional",
        "springfield, in VT": "Springfield State/Hartness",
    }
    assert "5 searches, one request each" in run.stdout
