"""Data models of NoSQL Workbench: `dynattrs.workbench.load(...)`, `dynattrs.workbench.dump(...)`."""

from __future__ import annotations

from dynattrs.tools.workbench import dump, load

__all__ = ["dump", "load"]
