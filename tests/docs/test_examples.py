"""Every Python block of the README and the documentation, and every docstring example, runs.

The blocks of one document share a namespace and run in order, against an empty
embedded engine. ``<!--- skip: next -->`` before a block leaves it out.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Document
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

import dynattrs

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = [path for path in DOCUMENTS if "_build" not in path.parts]
DOCUMENTS.append(ROOT / "src" / "dynattrs" / "tools" / "guide.md")  # part of the wheel
MODULES = ["dynattrs", *(m.name for m in pkgutil.walk_packages(dynattrs.__path__, "dynattrs."))]


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_a_document_run(
    path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    if path.name == "large-fields.md":
        request.getfixturevalue("s3")
    parsers = [PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS), SkipParser()]
    document = Document.parse(str(path), *parsers)
    # A real module, because annotations of classes are looked up in one.
    module = ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    document.namespace = vars(module)

    for example in document.examples():
        example.evaluate()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_python_block_escapes_by_another_name(path: Path):
    """Only blocks that say ``python`` are run; doctests inside them are recognised."""
    text = path.read_text(encoding="utf-8")

    assert re.findall(r"^ *```+ *(pycon|py|python3|Python)\b", text, re.MULTILINE) == []


@pytest.mark.full
def test_a_checker_finds_nothing_in_the_recipes(tmp_path: Path):
    pytest.importorskip("mypy")
    blocks = re.findall(
        r"^```python\n(.*?)^```", DOCUMENTS[-1].read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "recipes.py").write_text("\n".join(blocks), encoding="utf-8")

    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "recipes.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"an optional dependency is missing: {error}")

    outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS)

    assert outcome.failed == 0
