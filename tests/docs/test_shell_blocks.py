"""Commands in shell blocks of pages name files, extras, options and subcommands that there are, and each
is run by a test, or says below why not. Those of docs/command-line.md are in `test_command_line`.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Document
from sybil.parsers.myst import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [page for page in PAGES if page.name != "command-line.md"]


def commands() -> list[tuple[str, list[str]]]:
    found = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            lines = block.splitlines()
            if block.startswith("$ "):  # the others are what it prints
                lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
            if any(line.count('"') % 2 for line in lines):
                lines = [block]  # a program in quotes, over several lines
            parts = (
                shlex.split(part, comments=True) for line in lines for part in line.split("&&")
            )
            found.extend((page.name, words) for words in parts if words)
    return found


#: What runs a command, or why nothing does: the first pattern that fits it.
RUN_BY = {
    "dynattrs generate library.json": "test_generate_prints_what_the_page_of_workbench_shows",
    "dynattrs orphans *": "test_orphans_takes_the_model_of_the_page",
    "uv run docs/examples/airports.py": "tests/docs/test_airports.py",
    "uv run docs/examples/semantic_search.py": "tests/docs/test_semantic_search.py",
    "uv run python -m benchmarks.walks *": "tests/unit/test_benchmark_walks.py",
    # PynamoDB has an environment of its own.
    "python -c import my_service.models *": "tests/integration/test_beside_pynamodb.py",
}
NOT_RUN = {
    "python -m pip install uv": "it changes the environment; .ci/run begins with it",
    "pip install *": "they need a release on a registry; .ci/run installs extras from the wheel",
    "uv run python tests/engines.py install": "it downloads an engine; .ci/run begins with it",
    "uv run pytest*": "they run this test",
    ".ci/run": "it runs this test",
    "uv run python -m benchmarks": "it takes long; .ci/run benchmarks has a tiny budget",
    "uv run python -m benchmarks goals": "it takes minutes",
}
COMMANDS = commands()


def test_each_command_is_run_or_says_why_not():
    patterns = [*RUN_BY, *NOT_RUN]
    met = set()
    for page, words in COMMANDS:
        command = " ".join(words)
        [first, *_] = [each for each in patterns if fnmatch(command, each)] or [None]
        assert first is not None, f"{page}: {command}"
        met.add(first)

    assert met == set(patterns), "a pattern without a command"
    for test in RUN_BY.values():
        assert test in globals() or (ROOT / test).exists(), test


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


def blocks_run(page: str, monkeypatch: pytest.MonkeyPatch, name: str, before: str) -> ModuleType:
    """A module of that name, of the Python blocks that stand before a text of the page."""
    path = ROOT / "docs" / page
    line = path.read_text(encoding="utf-8").partition(before)[0].count("\n")
    document = Document.parse(str(path), PythonCodeBlockParser())
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    document.namespace = vars(module)
    for example in document.examples():
        if example.line < line:
            example.evaluate()
    return module


def printed(*arguments: str) -> str:
    command = pytest.importorskip("dynattrs.tools.command.app", reason="needs dynattrs[cli]").app
    result = importlib.import_module("click.testing").CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("aws")
def test_generate_prints_what_the_page_of_workbench_shows(monkeypatch: pytest.MonkeyPatch):
    block = "$ dynattrs generate library.json\n"
    page = blocks_run("workbench.md", monkeypatch, "example", block)
    text = (ROOT / "docs" / "workbench.md").read_text(encoding="utf-8")
    shown = text.partition(block)[2].partition("...\n```")[0]
    monkeypatch.chdir(page.path.parent)

    assert printed("generate", "library.json").startswith(shown)


@pytest.mark.usefixtures("aws", "s3")
def test_orphans_takes_the_model_of_the_page(monkeypatch: pytest.MonkeyPatch):
    blocks_run("large-fields.md", monkeypatch, "app", "$ dynattrs orphans")

    listed = printed("orphans", "app:Document")
    noted = printed("orphans", "app:Document", "--delete", "--yes")

    assert "Objects that no item names: 1, of 1,000,000 bytes. Deleted: 0." in listed
    assert "Deleted: 0." in noted, "the first run deletes nothing, as the page says"
