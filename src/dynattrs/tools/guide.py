"""The recipes of `guide.md`: short and true, for editors, agents and people at a shell."""

from __future__ import annotations

from importlib.resources import files


def text() -> str:
    """The page, as Markdown."""
    return files("dynattrs.tools").joinpath("guide.md").read_text(encoding="utf-8")
