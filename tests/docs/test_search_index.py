"""The example of a full-text index: run as a reader runs it, and interrupted between two changes."""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dynattrs import Session

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "search_index.py"


def test_the_program_prints_what_its_index_finds():
    pytest.importorskip("ministack")

    run = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, check=False, text=True, timeout=120
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "three notes were saved: 3 changes",
        "  potatoes: Shopping, Soup",
        "  salt: Soup, Bread",
        "one was changed and one deleted: 2 changes",
        "  potatoes: nothing",
        "  salt: Shopping, Bread",
    ]


def test_an_index_that_failed_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ministack")
    spec = importlib.util.spec_from_file_location("search_index", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "search_index", example)
    spec.loader.exec_module(example)
    Note = example.Note  # noqa: N806 - a class
    with Session.local() as session:
        session.tables.create(example.app)
        session.save_all(Note("ann", number, f"note {number}", "words") for number in range(20))
        index = example.SearchIndex(tmp_path / "search.db")
        remember, left = index._remember, iter(range(7))

        def fail(token: str) -> None:
            if next(left, None) is None:
                raise sqlite3.OperationalError("disk full")
            remember(token)

        monkeypatch.setattr(index, "_remember", fail)
        with pytest.raises(sqlite3.OperationalError):
            index.follow(session)
        assert len(index.search("words")) == 7
        index.close()

        again = example.SearchIndex(tmp_path / "search.db")
        assert again.follow(session) == 13
        assert again.follow(session) == 0
        assert sorted(note.number for note in again.search("words")) == list(range(20))
        again.close()
