"""The words that options of models in pydantic take. It loads no pydantic."""

from __future__ import annotations

from typing import Literal, TypeAlias

ReadOnly: TypeAlias = Literal["refuse", "ignore", "take"]
UnknownKeys: TypeAlias = Literal["ignore", "forbid"]
