"""Commands in shell blocks name files, extras, options and subcommands that there are. Those of
docs/command-line.md are run (`test_command_line`), and so are the examples that others name.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [page for page in PAGES if page.name != "command-line.md"]


def commands() -> list[tuple[str, list[str]]]:
    found = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            prompted = block.lstrip().startswith("$ ")
            for line in block.splitlines():
                if prompted and not line.startswith("$ "):
                    continue  # what it prints
                for command in line.removeprefix("$ ").split("&&"):
                    try:
                        words = shlex.split(command, comments=True)
                    except ValueError:
                        continue  # a program in quotes, over several lines
                    if words and words[0] in PROGRAMS:
                        found.append((page.name, words))
    return found


PROGRAMS = {"pip", "python", "uv", "dynattrs", ".ci/run"}
COMMANDS = commands()


def test_there_are_commands():
    assert len(COMMANDS) > 20
    assert {words[0] for _, words in COMMANDS} == PROGRAMS


@pytest.mark.parametrize(
    "words", [words for _, words in COMMANDS], ids=[f"{p}: {' '.join(w)}" for p, w in COMMANDS]
)
def test_a_command_names_what_there_is(words: list[str]):
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    options = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    for word in words:
        if match := re.fullmatch(r"dynattrs\[([\w,]+)\]", word):
            for extra in match[1].split(","):
                assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra
        elif re.match(r"(docs|tests|src|benchmarks|\.ci)/", word):
            assert (ROOT / word).exists(), word
        elif word.startswith("--") and "pytest" in words:
            assert f'"{word}"' in options, word
    if "-m" in words and (module := words[words.index("-m") + 1]).startswith("benchmarks"):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    if words[0] == "dynattrs":
        command = pytest.importorskip("dynattrs.tools.command.app")
        known = command.app.commands
        assert words[1] in known
        taken = {name for option in known[words[1]].params for name in option.opts}
        assert {word for word in words if word.startswith("--")} <= taken
