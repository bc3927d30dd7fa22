"""Unique fields, upgrades, former names and migrations, as checkers see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import assert_type

from dynattrs import AlreadyTaken, Migrated, Session, field, model, partition_key


def older(item: dict[str, Any]) -> None: ...
def replacing(item: dict[str, Any]) -> dict[str, Any]:
    return item


@model("people", unique=["nick", ("tenant", "email")], upgrades=[older, replacing])
class Person:
    id: str = partition_key()
    email: str = field(unique=True, formerly=["mail"])
    nick: str | None = field(formerly="name", default=None)
    tenant: str = "acme"


@model("misspelt")
class Misspelt:
    id: str = partition_key(nmae="i")  # type: ignore[call-overload]
    email: str = field(uniqe=True)  # type: ignore[call-overload]
    nick: str = field(also=["name"], default="")  # type: ignore[call-overload]


def migrates(session: Session) -> None:
    Person("1", "a@x")
    Person("1")  # type: ignore[call-arg]
    done = session.migrate(Person, on_page=lambda page: print(page.cursor), on_error="skip")
    assert_type(done, Migrated)
    assert_type(done.cursor, str | None)
    session.migrate(Person, on_error="ignore")  # type: ignore[arg-type]


def takes(session: Session) -> Person | None:
    try:
        return session.insert(Person("1", "a@x"))
    except AlreadyTaken as error:
        assert_type(error.model, str)
        assert_type(error.fields, Sequence[str])
        return session.get(Person, error.key)
