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


GOOD = [
    item
    for number in range(5)
    for item in (
        {"pk": {"S": f"USER#{number}"}, "sk": {"S": "PROFILE"}, "name": {"S": "x"}},
        {"pk": {"S": f"USER#{number}"}, "sk": {"S": f"ORDER#2026-01-0{number + 1}"}},
    )
]


@pytest.mark.parametrize(
    "odd", [("{x}/}{", "?"), ("USER#", "ORDER#"), ("USER#", "PROFILE")], ids=lambda each: each[0]
)
@pytest.mark.parametrize("first", [True, False])
def test_an_odd_item_does_not_spoil_the_models_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: tuple[str, str], first: bool
):
    item = {"pk": {"S": odd[0]}, "sk": {"S": odd[1]}}
    items = [item, *GOOD] if first else [*GOOD, item]
    design = Table("app", partition_key="pk", sort_key="sk", sample_items=items)
    workbench.dump([design], tmp_path / "design.json")

    assert main(["generate", str(tmp_path / "design.json")]) == 0

    captured = capsys.readouterr()
    assert captured.out.count("@model(") == captured.out.count(', pk="USER#{user_id}", sk="') == 2
    said = f"o class for an item that nothing tells from others: pk={odd[0]!r}, sk={odd[1]!r}\n"
    assert captured.out.endswith(f"# N{said}")
    assert captured.err == f"app: n{said}"
