"""What a field cannot be besides what it is: the key, or the time to live, of its table."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from dynattrs import (
    GlobalIndex,
    ModelError,
    Table,
    field,
    map_class,
    model,
    partition_key,
    sort_key,
)
from table_service import Service

OPTIONS = {
    "ttl": (True, "a key never changes"),
    "version": (True, "a key never changes"),
    "created": (True, "a key never changes"),
    "updated": (True, "a key never changes"),
    "key_only": (True, "it is the attribute of the key itself"),
    "unique": (True, "unique as a whole"),
    "formerly": ("was", "never had another name"),
}


@pytest.mark.parametrize("specifier", [partition_key, sort_key])
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_keys_cannot_have_is_refused_with_the_reason(specifier: Any, option: str):
    value, why = OPTIONS[option]

    with pytest.raises(ModelError) as caught:
        specifier(**{option: value})

    assert str(caught.value).startswith(f"{specifier.__name__}({option}={value!r}): ")
    assert why in str(caught.value)
    specifier(**{option: False})


@pytest.mark.parametrize("option", ["version", "created", "updated"])
@pytest.mark.parametrize("name", ["pk", "sk"])
def test_a_key_that_every_save_would_set_is_refused(option: str, name: str):
    type_ = int if option == "version" else datetime
    types = {name: "N"} if option == "version" else {}
    table: Any = Table("tickets", partition_key="pk", sort_key="sk", types=types)
    of_key: Any = {"pk": attrs.field(type=str), "sk": attrs.field(type=str)}
    of_key[name] = field(**{option: True})
    of_key[name].type = type_

    with pytest.raises(ModelError) as caught:
        model(table)(attrs.make_class("Ticket", of_key, kw_only=True))
    assert f"Ticket.{name}: {option}=True: saving sets it" in str(caught.value)
    with pytest.raises(ModelError) as caught:
        map_class(
            attrs.make_class("Ticket", of_key, kw_only=True),
            "tickets",
            partition_key="pk",
            sort_key="sk",
        )
    assert f"Ticket.{name}: {option}=True: saving sets it" in str(caught.value)


EXPIRING = Table("sessions", partition_key="id", ttl="expires")


@pytest.mark.parametrize("type_", [int, float, Decimal, "int | None", datetime, str, bool, bytes])
def test_a_field_that_lies_where_the_time_to_live_is_has_to_say_so(type_: Any):
    class Visit:
        id: str
        expires: Any

    Visit.__annotations__["expires"] = type_

    with pytest.raises(ModelError) as caught:
        model(EXPIRING)(Visit)

    assert str(caught.value) == (
        "Visit.expires: it is stored as 'expires', by which DynamoDB deletes the items of "
        "Table('sessions') when that time is over; write field(ttl=True), or give the field another "
        "name with field(name=...)"
    )


@pytest.mark.parametrize("option", ["version", "created", "updated"])
def test_nor_is_it_a_version_or_a_time_stamp(option: str):
    options: dict[str, Any] = {option: True}

    with pytest.raises(ModelError, match="write field\\(ttl=True\\)"):

        @model(EXPIRING)
        class Visit:
            id: str
            when: Any = field(name="expires", **options)


def test_a_template_does_not_make_the_time_to_live():
    table = Table(
        "visits",
        partition_key="id",
        indexes=[GlobalIndex("by-second", partition_key="id", sort_key="expires")],
        types={"expires": "N"},
        ttl="expires",
    )

    with pytest.raises(ModelError, match=r"a template makes 'expires', by which DynamoDB deletes"):

        @model(table, expires="{second}")
        class Visit:
            id: str
            second: int

    @model(table)
    class Marked:
        id: str
        expires: int = field(ttl=True)


def test_a_mapped_class_cannot_say_it_and_its_number_is_taken():
    @attrs.define
    class Foreign:
        id: str
        expires: int

    map_class(Foreign, EXPIRING, unknown="drop")

    @attrs.define
    class Text:
        id: str
        expires: datetime

    with pytest.raises(ModelError, match="write field\\(ttl=True\\)"):
        map_class(Text, EXPIRING, unknown="drop")


def test_a_table_that_says_nothing_of_it_takes_any_field():
    for ttl in (None, False):
        table: Any = Table("visits", partition_key="id", ttl=ttl)

        @model(table)
        class Visit:
            id: str
            expires: int


def test_where_two_models_of_one_name_meet_the_time_to_live_is_one_of_both():
    @model("visits")
    class Expiring:
        id: str = partition_key()
        until: int | None = field(ttl=True, default=None)

    @model("visits")
    class Other:
        id: str = partition_key()
        until: int = 0

    for subjects in ((Expiring, Other), (Other, Expiring)):
        with pytest.raises(ModelError) as caught:
            Service().create(*subjects)
        assert str(caught.value) == (
            "Other.until: it is stored as 'until', by which DynamoDB deletes the items of table "
            "'visits', as another model says; write field(ttl=True), or field(name=...)"
        )
    Service().create(Other)
