"""Unique fields as they are declared, and the guards that are made of them."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from typing import Any

import pytest

from dynattrs import (
    GlobalIndex,
    MappingError,
    ModelError,
    Table,
    field,
    map_class,
    model,
    partition_key,
    sort_key,
)
from dynattrs.keys.planner import without_guards
from dynattrs.keys.plans import Plan
from dynattrs.operations.writing.unique_items import guards_of
from dynattrs.schema.model_info import model_info


@model("users", unique=["nick", ("tenant", "email")])
class User:
    id: str = partition_key()
    code: int | None = field(unique=True, default=None)
    nick: str | None = None
    tenant: str | None = None
    email: str | None = None


def test_constraints_come_from_fields_and_from_the_model():
    assert tuple(model_info(User).unique) == (("code",), ("nick",), ("tenant", "email"))


def test_constraints_are_inherited():
    @model("users")
    class Admin(User):
        level: int = field(unique=True, default=0)

    assert set(model_info(Admin).unique) == {("code",), ("nick",), ("tenant", "email"), ("level",)}


def test_a_mapped_class_has_them_too():
    import attrs

    @attrs.define
    class Plain:
        id: str
        name: str

    map_class(Plain, "plain", partition_key="id", unknown="drop", unique=["name"])

    assert tuple(model_info(Plain).unique) == (("name",),)


def texts(**values: Any) -> set[str]:
    return set(guards_of([model_info(User)], {"id": {"S": "1"}}, values))


def test_one_number_has_one_guard():
    assert texts(code={"N": "1"}) == texts(code={"N": "1.0"}) == texts(code={"N": "1E0"})
    assert texts(code={"N": "1"}) != texts(code={"N": "10"})


def test_the_callers_decimal_context_changes_no_guard():
    several = ["123456", str(10**37 + 1), str(10**37 + 2), "0", "1.23", "1.24", "-45.6"]
    expected = [texts(code={"N": number}) for number in several]
    assert len(set(map(frozenset, expected))) == len(several)

    with decimal.localcontext() as context:
        context.prec = 2
        context.traps = dict.fromkeys(context.traps, True)
        assert [texts(code={"N": number}) for number in several] == expected


def test_long_values_are_hashed_to_fit_into_a_key():
    [text] = texts(nick={"S": "é" * 5000})

    assert len(text.encode()) < 200
    assert {text} != texts(nick={"S": "é" * 5001})


def declared() -> list[tuple[Callable[[], Any], str]]:
    def number() -> Any:
        @model("things")
        class Thing:
            id: int = partition_key()
            name: str = field(unique=True)

    def unknown() -> Any:
        @model("things", unique=["nmae"])
        class Thing:
            id: str = partition_key()
            name: str = ""

    def empty() -> Any:
        @model("things", unique=[()])
        class Thing:
            id: str = partition_key()

    def version() -> Any:
        @model("things")
        class Thing:
            id: str = partition_key()
            version: int = field(version=True, unique=True, default=0)

    def listed() -> Any:
        @model("things")
        class Thing:
            id: str = partition_key()
            number: int = sort_key()
            tags: list[str] = field(unique=True)

    return [
        (number, "the partition key 'id' is a number; keep such values in a table"),
        (unknown, r"unique names 'nmae', which is not a field.*name"),
        (empty, "a group names at least one field"),
        (version, "Thing.version: every save changes it, so it is not unique"),
        (listed, "Thing.tags: a unique field is text, a number, bytes or a bool"),
    ]


@pytest.mark.parametrize(("declare", "message"), declared())
def test_what_cannot_be_unique_is_refused_when_it_is_declared(
    declare: Callable[[], Any], message: str
):
    with pytest.raises(ModelError, match=message):
        declare()


def test_a_field_that_is_stored_in_keys_only_is_not_unique():
    shop = Table("shop", partition_key="pk", sort_key="sk")
    with pytest.raises(ModelError, match=r"Thing\.name: it is stored in keys only"):

        @model(shop, pk="THING#{name}", sk="#")
        class Thing:
            name: str = field(key_only=True, unique=True)


def test_a_subclass_in_the_same_table_has_the_guards_of_its_base():
    app = Table("app", partition_key="pk", discriminator="type")

    @model(app, pk="{id}")
    class Base:
        id: str
        email: str = field(unique=True)

    @model(app, pk="{id}")
    class Sub(Base):
        badge: str = field(unique=True)

    base, sub = model_info(Base), model_info(Sub)
    assert base.guarding == [base, sub]
    assert sub.unique == {("email",): "Base", ("badge",): "Sub"}
    item = {"email": {"S": "a"}, "badge": {"S": "b"}}
    assert set(guards_of([base], {"pk": {"S": "1"}}, item)) < set(
        guards_of([sub], {"pk": {"S": "1"}}, item)
    )


def test_guards_speak_of_attributes_so_that_fields_can_be_renamed():
    @model("users", unique=["mail"])
    class Person:
        id: str = partition_key()
        mail: str = field(name="e", default="")

    [text] = guards_of([model_info(Person)], {"id": {"S": "1"}}, {"e": {"S": "a"}})

    assert text == 'dynattrs.unique Person.e [["S","a"]]'


def test_a_value_that_no_key_can_hold_is_refused_when_it_is_written():
    @model("things", unique=["what"])
    class Thing:
        id: str = partition_key()
        what: Any = None

    with pytest.raises(MappingError, match=r"Thing\.what.*guard's key"):
        guards_of([model_info(Thing)], {"id": {"S": "1"}}, {"what": {"L": []}})


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (None, None),
        (GlobalIndex("by-email", partition_key="email"), None),
        (GlobalIndex("by-time", partition_key="expires"), "begins_with"),
        (GlobalIndex("by-time", partition_key="expires", sort_key="id"), "not_exists"),
    ],
)
def test_queries_leave_guards_out_only_where_they_can_meet_them(
    index: GlobalIndex | None, expected: str | None
):
    @model("users")
    class User:
        id: str = partition_key()
        email: str = field(unique=True)
        expires: int = field(ttl=True)

    found = without_guards(Plan("query", index), model_info(User)).filter

    assert (expected is None) == (found is None)
    assert expected is None or expected in str(found)
