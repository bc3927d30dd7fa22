"""Classes that `@model` cannot make a model of, and defaults that were meant otherwise."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import attrs
import msgspec
import pydantic
import pytest

from dynattrs import ModelError, field, model, partition_key


def test_a_class_of_pydantic_or_msgspec_is_told_of_map_class() -> None:
    class Thing(pydantic.BaseModel):
        id: str = partition_key()

    class Struct(msgspec.Struct):
        id: str = partition_key()

    for cls, what in ((Thing, "a pydantic model"), (Struct, "a msgspec struct")):
        with pytest.raises(ModelError) as caught:
            model("things")(cls)
        assert str(caught.value) == (
            f"{cls.__name__}: it is {what}, which @model cannot make a model of; leave @model, "
            f"partition_key() and sort_key() out, and write map_class({cls.__name__}, ...) below the class"
        )


@pytest.mark.parametrize("decorator", [attrs.define, attrs.frozen])
def test_a_decorator_above_model_that_makes_the_class_anew_is_refused(decorator: Any) -> None:
    with pytest.raises(
        ModelError, match=r"Thing: a decorator above @model, such as @attrs\.define, .* out"
    ):

        @decorator
        @model("things")
        class Thing:
            id: str = partition_key()
            name: str = ""


@pytest.mark.parametrize("inherited", [False, True])
def test_a_field_without_a_default_behind_one_with_a_default_is_named(inherited: bool) -> None:
    @model("things")
    class Base:
        id: str = partition_key()
        name: str = ""

    with pytest.raises(ModelError, match=r"Thing\.size: a field without a default .*kw_only=True"):
        if inherited:

            @model("things")
            class Thing(Base):
                size: int
        else:

            @model("things")
            class Thing:
                id: str = partition_key()
                name: str = ""
                size: int

    @model("things", kw_only=True)
    class Sized(Base):
        size: int

    assert Sized(id="a", size=3).size == 3


@pytest.mark.parametrize("declare", [lambda default: default, lambda each: field(default=each)])
@pytest.mark.parametrize(
    ("type_", "default", "hint"),
    [
        (list, list, "expected a list as the default, found type <class 'list'>; the class or function "
         "itself would be the value; write field(factory=list)"),
        (list[str], list, "field(factory=list)"),
        (set[str], set, "field(factory=set)"),
        (dict[str, int], dict, "field(factory=dict)"),
        (Any, list, "field(factory=list)"),
        (UUID, uuid4, "field(factory=uuid4)"),
        (str, lambda: str(uuid4()), "field(factory=...)"),
        (datetime, datetime.now, "write field(factory=lambda: datetime.now(timezone.utc)), or "
         "field(created=True)"),
    ],
    ids=["list", "list-of", "set", "dict", "any", "uuid", "lambda", "datetime"],
)  # fmt: skip
def test_a_function_or_a_class_as_a_default_is_refused(
    type_: Any, default: Any, hint: str, declare: Any
) -> None:
    """The object would hold the function, and a save of it would fail later, far from the mistake."""
    with pytest.raises(ModelError, match=re.escape(hint)):

        @model("things")
        class Thing:
            id: str = partition_key()
            value: type_ = declare(default)


def test_a_converter_may_call_the_default() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        tags: list[str] = attrs.field(
            default=list, converter=lambda given: given() if given is list else given
        )

    assert Thing("a").tags == []
