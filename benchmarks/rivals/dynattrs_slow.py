"""dynattrs with `fast=False`: requests and replies go through botocore's own code."""

from __future__ import annotations

from benchmarks.rivals import dynattrs_sync
from benchmarks.shapes import Shape

LABEL = "dynattrs, fast=False"
DISTRIBUTIONS = ()


class Songs(dynattrs_sync.Songs):
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        super().__init__(endpoint, table, shape, fast=False)
