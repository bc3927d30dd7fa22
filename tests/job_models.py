"""What jobs of tests work on: models and functions that worker processes import by their names."""

from __future__ import annotations

from dynattrs import Table, field, model, partition_key

shop = Table("jobs-shop", partition_key="pk", sort_key="sk")


@model(shop, pk="PERSON#{id}", sk="PERSON")
class Person:
    id: str
    email: str = field(unique=True)
    country: str = "NO"
    visits: int = 0


@model(shop, pk="PERSON#{person}", sk="ORDER#{number:06d}")
class Order:
    person: str
    number: int
    total: int = 0
    version: int = field(version=True, default=0)


things = Table("jobs-things", partition_key="id")


@model(things)
class Thing:
    id: str = partition_key()
    n: int = 0
    note: str = ""
