"""Models whose items go through files, in a table of their own each."""

from __future__ import annotations

from dynattrs import field, model, partition_key


@model("files-things")
class Thing:
    id: str = partition_key()
    number: int = 0
    version: int = field(version=True, default=0)
