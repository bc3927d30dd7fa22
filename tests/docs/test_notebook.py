"""docs/notebooks.md as a Jupyter notebook: it runs, and shows what the page says it shows."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="uv sync --group notebooks")
nbclient = pytest.importorskip("nbclient", reason="uv sync --group notebooks")
pytest.importorskip("ipykernel", reason="uv sync --group notebooks")
pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")

PAGE = Path(__file__).parents[2] / "docs" / "notebooks.md"
FENCE = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: Further cells: what a reader of the page would try.
MORE = {
    "query": "takes",
    "impossible": "session.query(Song).where(Song.year > 1960)",
    "page": "takes.page(2)",
    "table": """\
@model(app, pk="USER#{user_id}", sk="<b>")
class User:
    user_id: str


app""",
    "requests": "before = session.stats.total; repr(takes); takes._repr_html_()\n"
    "session.stats.total - before",
    "error": "session.get_one(Song, ('Nina Simone', 'Nothing'))",
    "awaited error": "await awaited.get_one(Song, ('Nina Simone', 'Nothing'))",
}


def blocks() -> list[tuple[str, str | None]]:
    """The page's code, each with the text that is shown below it, if any."""
    found: list[tuple[str, str | None]] = []
    for language, content in FENCE.findall(PAGE.read_text(encoding="utf-8")):
        if language == "python":
            found.append((content, None))
        else:
            found[-1] = found[-1][0], content
    return found


@pytest.fixture(scope="module")
def cells() -> dict[str, Any]:
    """The page's cells after they were run, by their code, with those of `MORE` by their names."""
    written = [code for code, _ in blocks()]
    # Before the sessions are closed.
    ends = next(number for number, code in enumerate(written) if "awaited.close" in code)
    codes = [*written[:ends], *MORE.values(), *written[ends:]]
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(code) for code in codes]
    for cell in made.cells:
        if "get_one" in cell.source:
            cell.metadata["tags"] = ["raises-exception"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of jupyter's own parts
        nbclient.NotebookClient(made, timeout=120, kernel_name="python3").execute()
    by_code = {cell.source: cell for cell in made.cells}
    return by_code | {name: by_code[code] for name, code in MORE.items()}


def shown(cell: Any, kind: str) -> str:
    """What a cell shows: what it printed, or its last value in one of its forms."""
    (output,) = cell.outputs
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        # Without colours.
        return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))
    return str(output["data"][kind])


SHOWN = [(code, text) for code, text in blocks() if text is not None]


@pytest.mark.full
@pytest.mark.parametrize(("code", "text"), SHOWN, ids=[text.splitlines()[0] for _, text in SHOWN])
def test_a_cell_shows_what_the_page_says(cells: dict[str, Any], code: str, text: str):
    assert shown(cells[code], "text/plain").rstrip("\n") == text.rstrip("\n")


def test_a_preview_is_html(cells: dict[str, Any]):
    code = next(code for code, _ in blocks() if ".preview(3)" in code)

    html = shown(cells[code], "text/html")

    assert html.count("<tr>") == 4
    assert "<td>Nina Simone</td><td>Take 0</td><td>jazz</td><td>1960</td>" in html


def test_a_query_shows_what_it_would_do_and_sends_nothing(cells: dict[str, Any]):
    html = shown(cells["query"], "text/html")

    assert "<pre>operation: query\n" in html
    assert "because the table&#x27;s partition key is bound" in html
    assert shown(cells["requests"], "text/plain") == "0"
    assert "NoIndex: " in shown(cells["impossible"], "text/html")


def test_pages_and_tables_are_html(cells: dict[str, Any]):
    assert shown(cells["page"], "text/html").count("<tr>") == 3
    table = shown(cells["table"], "text/html")
    assert "<td>User</td><td>USER#{user_id}</td><td>&lt;b&gt;</td>" in table


@pytest.mark.parametrize("name", ["error", "awaited error"])
def test_an_error_is_short(cells: dict[str, Any], name: str):
    text = shown(cells[name], "")

    assert "NoSuchItem: there is no Song with the key ('Nina Simone', 'Nothing')" in text
    assert "get_one(Song, ('Nina Simone', 'Nothing'))" in text
    # IPython shows the frame that raises, hidden or not, and of the library no other.
    assert text.count("File ") <= 1
    assert [part for part in ("flows.py", "/wire/", "_steps", "Driver.run") if part in text] == []
    assert len(text.splitlines()) < 30


def test_no_kernel_is_left_with_an_open_session(cells: dict[str, Any]):
    last = blocks()[-1][0]

    assert shown(cells[last], "text/plain").endswith(" closed>")
