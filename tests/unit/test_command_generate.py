"""`dynattrs generate FILE`: models for a data model of NoSQL Workbench."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dynattrs import Table
from dynattrs.tools import workbench

pytest.importorskip("click", reason="pip install 'dynattrs[cli]'")
pytest.importorskip("rich", reason="pip install 'dynattrs[cli]'")

from dynattrs.tools.command import main

EMPTY = Table("empty", partition_key="id", attributes={"Total": "N"})


def test_the_command_prints_a_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    workbench.dump([EMPTY], tmp_path / "design.json")

    assert main(["generate", str(tmp_path / "design.json")]) == 0

    printed = capsys.readouterr().out
    assert printed.startswith('"""Models of design.json."""\n')
    assert "class Empty:" in printed


def test_the_command_writes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    workbench.dump([EMPTY], tmp_path / "design.json")
    file = tmp_path / "models.py"

    assert main(["generate", str(tmp_path / "design.json"), "-o", str(file)]) == 0

    assert "class Empty:" in file.read_text(encoding="utf-8")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "message"), [(None, "does not exist"), ("[]", "it has no list 'DataModel'")]
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
):
    file = tmp_path / "design.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    assert main(["generate", str(file)]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("dynattrs")
    assert message in captured.err


def test_the_command_is_run_as_a_module(tmp_path: Path):
    workbench.dump([EMPTY], tmp_path / "design.json")

    done = subprocess.run(
        [sys.executable, "-m", "dynattrs", "generate", str(tmp_path / "design.json")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "class Empty:" in done.stdout
