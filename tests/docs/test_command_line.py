"""The shell blocks of the page on the command line, run one after the other in a shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
BLOCKS = re.compile(r"^(<!--- skip: next -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of the blocks that are run, and what each prints."""
    found: list[tuple[str, str]] = []
    for skipped, language, body in BLOCKS.findall(text):
        if language == "console" and not skipped:
            for each in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = each.partition("\n")
                found.append((command, output))
    return found


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def matches(printed: str, expected: str) -> bool:
    """Whether a command has printed what the page says; `...` stands for anything."""
    pattern = re.escape("\n".join(lines(expected))).replace(r"\.\.\.", r"[\s\S]*")
    return re.fullmatch(pattern, "\n".join(lines(printed))) is not None


@pytest.mark.usefixtures("aws")
@pytest.mark.full  # each command is a process
def test_the_shell_blocks_of_the_page_run(tmp_path: Path):
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("there is no bash")
    pytest.importorskip("click", reason="pip install 'dynattrs[cli]'")
    text = PAGE.read_text(encoding="utf-8")
    [program] = [body for _, language, body in BLOCKS.findall(text) if language == "python"]
    (tmp_path / "music.py").write_text(program)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONIOENCODING": "utf-8",
    }
    wrong = []

    for command, expected in commands(text):
        done = subprocess.run(
            [shell, "-c", command], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", check=False, timeout=60,
        )  # fmt: skip
        if not matches(done.stdout, expected):
            wrong.append(f"$ {command}\n{done.stdout}\nexpected\n{expected}")

    assert not wrong, "\n\n".join(wrong)


def test_the_page_shows_every_part_of_the_command():
    pytest.importorskip("click", reason="pip install 'dynattrs[cli]'")
    from dynattrs.tools.command.app import app

    text = PAGE.read_text(encoding="utf-8")

    assert [name for name in app.commands if f"dynattrs {name}" not in text] == []
