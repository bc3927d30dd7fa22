"""The examples of jobs on Ray and on Spark run, and a worker that is killed changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
FATAL = """
import os
import signal
from pathlib import Path

import {name}


def fatal(person):
    if person.id == "450":
        try:
            Path(__file__).with_name("died").touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return {name}.initials(person)


if __name__ == "__main__":
    import program

    {name}.main(program.fatal)
"""

pytestmark = pytest.mark.full


@pytest.fixture(params=["ray", "pyspark"])
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param, reason="uv run --group clusters: too large for everybody")
    if request.param == "ray":
        return "ray_executor"
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    return "spark_executor"


def run(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(EXAMPLES), str(folder))),
        "SPARK_LOCAL_IP": "127.0.0.1",
        # The workers are those of the environment that runs this test.
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    environment.pop("RAY_ADDRESS", None)
    return subprocess.run(
        [sys.executable, str(program)],
        capture_output=True, text=True, timeout=300, check=False, cwd=folder, env=environment,
    )  # fmt: skip


def test_a_job_runs_there(name: str, tmp_path: Path):
    done = run(EXAMPLES / f"{name}.py", tmp_path)

    assert done.returncode == 0, done.stderr
    assert "8 of 8 segments (100%), 900 read, 900 changed" in done.stdout


def test_a_worker_that_is_killed_is_one_slice_done_again(name: str, tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(FATAL.format(name=name), encoding="utf-8")

    done = run(program, tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "died").exists()
    assert "is done again" in done.stderr
    assert "8 of 8 segments (100%)" in done.stdout
