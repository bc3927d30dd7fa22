"""A subclass stores the fields that it inherits as the models of its table above it do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest

from dynattrs import Json, ModelError, Session, Table, field, model


def base() -> tuple[Table, Any]:
    table = Table("zoo", partition_key="pk", discriminator="type")

    @model(table, pk="A#{id}")
    class Animal:
        id: str
        name: str = "x"
        n: int = 0
        more: str | None = None

    return table, Animal


@pytest.mark.parametrize(
    ("name", "annotation", "default", "form"),
    [
        ("name", str, field(name="nm", default=""), "as 'nm' here and as 'name' by Animal"),
        ("n", str, "7", r"a string \(S\) here and a number \(N\) by Animal"),
        ("name", set[str], frozenset(), "by Animal"),
        ("more", Annotated[Any, Json], None, "JSON text here"),
    ],
)
def test_another_stored_form_is_refused(
    name: str, annotation: Any, default: Any, form: str
) -> None:
    """Conditions and updates of the base would pass the subclass's items by, or spoil them."""
    table, animal = base()
    body = {"__annotations__": {name: annotation}, name: default, "__module__": __name__}
    if annotation == set[str]:
        body[name] = field(factory=set)

    with pytest.raises(ModelError, match=rf"^Cat\.{name}: it is stored .*{form}"):
        model(table)(type(animal)("Cat", (animal,), body))


def test_narrower_types_and_other_tables_are_fine() -> None:
    _, animal = base()
    table = model_table(animal)

    @model(table)
    class Cat(animal):  # type: ignore[misc]
        name: Literal["cat"] = "cat"
        more: str = ""

    @model(Table("archive", partition_key="pk"), pk="A#{id}")
    class Archived(animal):  # type: ignore[misc]
        name: str = field(name="nm", default="")

    assert Cat("1").name == "cat"
    assert Archived("1").name == ""


def model_table(cls: Any) -> Table:
    from dynattrs.schema.model_info import model_info

    return model_info(cls).table


def test_what_is_not_defined_yet_is_asked_at_the_first_use() -> None:
    table, animal = base()

    @model(table)
    class Cat(animal):  # type: ignore[misc]
        n: "Later" = 7  # type: ignore[name-defined]  # noqa: F821, UP037

    globals()["Later"] = str
    try:
        with pytest.raises(ModelError, match="by Animal"):
            Session(client=object()).save(Cat("1"))
    finally:
        del globals()["Later"]
