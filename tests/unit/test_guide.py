"""The page of recipes that is part of the package. Its blocks run in tests/docs/test_examples.py."""

from __future__ import annotations

import re

import pytest

from dynattrs.tools import guide

#: What a reader looks for.
TOPICS = [
    "Declare", "Session", "Save, get, delete", "Query", "Vectors", "Conditions", "Update and edit",
    "Versions and conditions on writes", "Transaction", "Single table", "Pages", "asyncio", "Tests",
    "Errors",
]  # fmt: skip


def sections() -> dict[str, str]:
    _, *parts = re.split(r"^## (.+)$", guide.text(), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_guide_has_its_topics_and_is_short():
    assert [*sections()] == TOPICS
    assert len(guide.text().splitlines()) < 350


@pytest.mark.parametrize("topic", TOPICS)
def test_each_topic_has_code_that_runs_and_says_what_to_know(topic: str):
    section = sections()[topic]

    assert section.count("\n```python\n") == section.count("\n```\n") >= 1
    assert "\n- " in section


def test_the_guide_reads_well_in_a_shell():
    """It is printed as it is: with no links, and no lines that are too long for a window."""
    assert "](" not in guide.text()
    assert max(map(len, guide.text().splitlines())) <= 140
