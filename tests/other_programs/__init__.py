"""Programs of other libraries, which write and read the same items as dynattrs in the tests.

Each library lives in an environment of its own, and its program is another process that speaks lines of
JSON with the test:

    uv run python tests/other_programs install
    uv run pytest tests/integration/test_beside_pynamodb.py

dynattrs needs none of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from other_programs import lines

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

#: What each environment has.
NEEDS = {
    # What dynattrs itself needs, so that its source can be imported beside PynamoDB.
    "pynamodb-5": ["pynamodb==5.5.1", "pynamodb-attributes==0.5.0", "-r", "pyproject.toml"],
    "pynamodb-6": ["pynamodb==6.1.0", "pynamodb-attributes==0.5.0", "-r", "pyproject.toml"],
    "dyntastic": ["dyntastic==0.18.0"],
    "aiodynamo": ["aiodynamo[aiohttp]==26.4"],
}
#: The program of each.
SCRIPTS = {
    "pynamodb-5": "pynamodb_program.py",
    "pynamodb-6": "pynamodb_program.py",
    "dyntastic": "dyntastic_program.py",
    "aiodynamo": "aiodynamo_program.py",
}


class OtherError(Exception):
    """What a program says that it raised."""

    def __init__(self, name: str, message: str, trace: str) -> None:
        super().__init__(f"{name}: {message}\n{trace}")
        self.name = name
        self.message = message


def interpreter(name: str) -> Path:
    """The Python of an environment, whether it is there or not."""
    cache = os.environ.get("XDG_CACHE_HOME")
    root = Path(cache) if cache else Path.home() / ".cache"
    version = ".".join(map(str, sys.version_info[:2]))
    return root / "dynattrs" / f"others-{version}" / name / "bin" / "python"


def install() -> None:
    """Make the environments that are missing."""
    # Rivals of benchmarks are installed in the same way.
    from benchmarks.environments import uv

    for name, needs in NEEDS.items():
        python = interpreter(name)
        if not python.exists():
            uv(
                "venv",
                "--clear",
                "--no-project",
                "--python",
                sys.executable,
                str(python.parents[1]),
            )
        uv("pip", "install", "--python", str(python), *needs, cwd=ROOT)


class Program:
    """A running program: `program.save(...)` is what its verb of that name answers.

    Raises:
        OtherError: The program raised something.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __getattr__(self, verb: str) -> Any:
        def call(**arguments: Any) -> Any:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(lines.encode([verb, arguments]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError(f"the program has ended, with {self._process.wait()}")
            answer = lines.decode(line)
            if "error" in answer:
                raise OtherError(answer["error"], answer["message"], answer["trace"])
            return answer["result"]

        return call


@contextmanager
def running(name: str) -> Iterator[Program]:
    """A program while it runs. It ends with its input. Without its environment the test is skipped, or
    fails in CI.
    """
    if not interpreter(name).exists():
        import pytest

        advice = f"{name}: uv run python tests/other_programs install"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(advice, pytrace=False)
        pytest.skip(advice)
    command = [str(interpreter(name)), str(FOLDER / SCRIPTS[name])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield Program(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.wait(10)
