"""The backfill among the examples runs with one command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "backfill.py"


@pytest.mark.full
def test_the_backfill_runs_with_one_command():
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "900 changed, for 900 write units" in done.stdout
    assert "It is finished" in done.stdout
