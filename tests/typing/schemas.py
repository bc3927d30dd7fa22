"""Upgrades, former names and migrations, as checkers see them."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from dynattrs import Migrated, Session, field, model, partition_key


def older(item: dict[str, Any]) -> None: ...
def replacing(item: dict[str, Any]) -> dict[str, Any]:
    return item


@model("people", upgrades=[older, replacing])
class Person:
    id: str = partition_key()
    email: str = field(also=["mail"])
    nick: str | None = field(also="name", default=None)


def migrates(session: Session) -> None:
    Person("1", "a@x")
    Person("1")  # type: ignore[call-arg]
    done = session.migrate(Person, on_page=lambda page: print(page.cursor), on_error="skip")
    assert_type(done, Migrated)
    assert_type(done.cursor, str | None)
    session.migrate(Person, on_error="ignore")  # type: ignore[arg-type]
