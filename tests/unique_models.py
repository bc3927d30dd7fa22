"""Models that share a table in which nothing tells their items apart, two of them with a unique field."""

from __future__ import annotations

from dynattrs import Table, field, model, partition_key

ALIKE = Table("unique-alike", partition_key="id")


@model(ALIKE)
class One:
    id: str = partition_key()
    email: str | None = field(unique=True, default=None)


@model(ALIKE)
class Two:
    id: str = partition_key()
    email: str | None = field(unique=True, default=None)


@model(ALIKE)
class Loose:
    id: str = partition_key()
    email: str | None = None
