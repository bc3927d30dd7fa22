"""Bars that show a person how far something is. In a pipe there are none."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol


class Shown(Protocol):
    """What moves a bar."""

    def __call__(self, done: float, total: float | None, told: str) -> object:
        """So much is done, of so much; None where that is not known.

        Args:
            done: How much is done.
            total: How much there is to do.
            told: What stands behind the bar.
        """
        ...


def _nothing(done: float, total: float | None, told: str) -> None:
    """What moves no bar."""


@contextmanager
def progress_bar(what: str, total: float | None = None) -> Generator[Shown, None, None]:
    """Show a bar on standard error, where that is a terminal.

    Args:
        what: What goes on: "Migrating".
        total: How much there is to do, as far as it is known at the beginning.
    """
    if not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(escape(what), total=total, told="")

        def show(done: float, total: float | None, told: str) -> None:
            progress.update(task, completed=done, total=total, told=escape(told))

        yield show
