"""Models for jobs on a part of a table: a subclass inherits unique fields of its base."""

from __future__ import annotations

from dynattrs import Table, field, model

#: A discriminator tells the items apart.
staff = Table("jobs-staff", partition_key="pk", discriminator="kind", ttl="until")


@model(staff, pk="MEMBER#{id}")
class Member:
    id: str
    email: str = field(unique=True)
    nick: str | None = field(unique=True, default=None)


@model(staff)
class Officer(Member):
    badge: str = field(unique=True, default="")


#: Keys tell the items apart.
crew = Table("jobs-crew", partition_key="pk", sort_key="sk")


@model(crew, pk="SAILOR#{id}", sk="SAILOR")
class Sailor:
    id: str
    email: str = field(unique=True)


@model(crew, pk="CAPTAIN#{id}", sk="CAPTAIN")
class Captain(Sailor):
    ship: str = ""
