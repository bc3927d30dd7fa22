"""The numbers of docs/performance.md are those of docs/performance.json."""

from __future__ import annotations

import pytest

from benchmarks import results

PARTS = results.page_parts()


@pytest.mark.parametrize("name", PARTS)
def test_a_table_is_the_one_that_the_figures_make(name: str):
    page = results.PAGE.read_text()

    assert results.replaced(page, name, PARTS[name]) == page, (
        "run: uv run python -m benchmarks report --docs"
    )


def test_figures_say_where_and_how_they_were_made():
    for suite, content in results.load().items():
        about = content["about"]
        assert about["command"].startswith("python -m benchmarks"), suite
        assert "--smoke" not in about["command"], "a tiny budget makes no numbers"
        for fact in ("machine", "python", "date", "versions", "commit"):
            assert about[fact], (suite, fact)
