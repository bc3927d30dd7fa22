"""What the documentation says in tables, checked against the code."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sybil import Document
from sybil.parsers.myst import PythonCodeBlockParser

import dynattrs
from dynattrs.expressions.conditions import condition, render
from dynattrs.expressions.placeholders import Placeholders

DOCS = Path(__file__).parents[2] / "docs"
CONDITIONS = DOCS / "conditions.md"
ROW = re.compile(r"^\| (.+?) \| (.+?) \|$", re.MULTILINE)


def code_in(cell: str) -> list[str]:
    return [code.replace("\\|", "|") for code in re.findall(r"`([^`]+)`", cell)]


def rows() -> list[tuple[str, str]]:
    """The first code of each cell in the table of conditions, where both are whole."""
    text = CONDITIONS.read_text(encoding="utf-8").replace("\\|", "\0")
    found = []
    for left, right in ROW.findall(text):
        if not (left.startswith("`Song.") or re.match(r"`\w+\(", left)):
            continue
        found.append((code_in(left)[0].replace("\0", "|"), code_in(right)[0]))
    return [(written, sent) for written, sent in found if "…" not in written]


def shown(value: dict[str, Any]) -> str:
    ((tag, payload),) = value.items()
    return str(payload) if tag == "N" else json.dumps(payload)


@pytest.fixture
def namespace(aws: object, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the first example of the page defines."""
    module = ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    document = Document.parse(str(CONDITIONS), PythonCodeBlockParser())
    document.namespace = vars(module)
    next(iter(document.examples())).evaluate()
    return vars(module)


@pytest.mark.parametrize(("written", "sent"), rows(), ids=lambda text: text)
def test_a_condition_is_sent_as_the_table_says(written: str, sent: str, namespace: dict[str, Any]):
    placeholders = Placeholders()
    expression = render(condition(eval(written, namespace)), placeholders, "filter")
    parameters: dict[str, Any] = {}
    placeholders.into(parameters)

    for placeholder, value in parameters.get("ExpressionAttributeValues", {}).items():
        expression = re.sub(rf"{placeholder}(?!\d)", shown(value), expression)
    if "#" not in sent:
        for placeholder, name in parameters["ExpressionAttributeNames"].items():
            expression = re.sub(rf"{placeholder}(?!\d)", name, expression)

    assert expression == sent


def test_every_kind_of_condition_is_in_the_table():
    assert len(rows()) >= 18


def test_every_public_name_is_in_the_reference():
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"dynattrs\.(\w+)", text))

    assert set(dynattrs.__all__) - documented == set()


def test_every_error_is_in_the_table_of_errors():
    text = (DOCS / "sessions.md").read_text(encoding="utf-8")
    public = {name: getattr(dynattrs, name) for name in dynattrs.__all__}
    errors = {n for n, v in public.items() if isinstance(v, type) and issubclass(v, Exception)}

    assert {name for name in errors if f"`{name}`" not in text} <= LATER


#: Errors of verbs that have a page of their own.
LATER = {"CursorError", "TransactionError", "TransactionFailed"}


def test_every_page_is_in_a_table_of_contents():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}

    assert {page for page in pages if not re.search(rf"^{page}$", index, re.MULTILINE)} == set()


def test_every_message_of_the_troubleshooting_page_is_raised_somewhere():
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(dynattrs.__path__[0]).rglob("*.py")
    )
    source = re.sub(r'"\s*\n\s*f?"', "", source)  # a message that stands on several lines
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `(.+?)` \|", text, re.MULTILINE)

    assert len(messages) > 20
    assert [message for message in messages if message not in source] == []


def anchors_of(text: str) -> set[str]:
    """What GitHub and Sphinx make of the headings of a page."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", ["README.md", ".github/SECURITY.md"])
def test_links_into_the_repository_lead_somewhere(page: str):
    root = DOCS.parent
    if not (root / page).exists():
        pytest.skip("the sdist does not have it")
    text = (root / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", text)

    for path, anchor in links:
        target = root / path
        assert target.exists(), path
        if anchor:
            assert anchor in anchors_of(target.read_text(encoding="utf-8")), f"{path}#{anchor}"


def test_the_search_leads_to_pages_that_have_the_word():
    stem = pytest.importorskip("snowballstemmer").stemmer("english").stemWord
    pages = dict(
        re.findall(r'^  "(.+)": "(.+)",$', (DOCS / "search.js").read_text("utf-8"), re.MULTILINE)
    )

    assert {"testing", "cost", "iam", "pandas", "lambda"} <= pages.keys()
    for word, page in pages.items():
        text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
        assert stem(word) in map(stem, re.findall(r"\w+", text.lower())), (word, page)


def test_code_fits_into_its_column():
    """Python code has 104 characters of room at 1280 pixels. Commands and messages are wrapped."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^```\{literalinclude\} (\S+)", text, re.MULTILINE):
            blocks.append((DOCS / name).read_text(encoding="utf-8"))
        long = [line for block in blocks for line in block.splitlines() if len(line) > 104]
        assert long == [], page.name
