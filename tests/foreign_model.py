"""A class that knows nothing of dynattrs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Line:
    text: str = ""


@dataclass
class Invoice:
    number: str
    total: int = 0
    lines: list[Line] = field(default_factory=list)
