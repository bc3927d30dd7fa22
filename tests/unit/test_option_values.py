"""Wrong values of a declaration's options are refused when it is made, in words that name the option."""

from __future__ import annotations

from typing import Any

import pytest

from dynattrs import GlobalIndex, LocalIndex, ModelError, Table, field, model, partition_key


def declare_table(**options: Any) -> Any:
    return Table("things", **{"partition_key": "pk", **options})


def declare_index(**options: Any) -> Any:
    return GlobalIndex("by-a", **{"partition_key": "a", **options})


def declare_local_index(**options: Any) -> Any:
    return LocalIndex("by-a", **{"sort_key": "a", **options})


def declare_model(**options: Any) -> Any:
    @model(Table("things", partition_key="pk", discriminator="type"), **options)
    class Thing:
        pk: str = partition_key()
        n: int = 0

    return Thing


def declare_field(**options: Any) -> Any:
    @model("things")
    class Thing:
        pk: str = partition_key()
        n: int = field(**{"default": 0, **options})

    return Thing


NO_FLAG = ("yes", 5, None)

WRONG: dict[Any, dict[str, tuple[Any, ...]]] = {
    declare_table: {
        "partition_key": (5, None, "", ["a"]),
        "sort_key": (5, "", ["a"]),
        "indexes": (5, "x", ["x"], [Table]),
        "types": (5, {"pk": 5}, {"pk": "S", "other": "S"}),
        "discriminator": (5, "", ["type"], True, "pk"),
        "facets": (5, [5]),
        "attributes": (5, [1]),
        "sample_items": (5, [5]),
        "ttl": (5, True, ""),
    },
    declare_index: {
        "partition_key": (5, "", [5], [""], None, []),
        "sort_key": (5, "", [5]),
        "projection": (5, "some", [5], [""], None),
        "write_shards": (True, "4"),
    },
    declare_local_index: {"sort_key": (5, "", None, [5]), "projection": (5, [None])},
    declare_model: {
        "indexes": (5, ["x"]),
        "unknown": (5, "x"),
        "mapper": (5, "x"),
        "before_save": (5, [5]),
        "after_load": (5,),
        "keys": (5, {5: "x"}, {"other": "x"}),
        "kind": (5, "", (), [], ["a", "a"], ("a", 5), ("a", ""), b"x", True, {"a": 1}),
        "unique": (5, [5], [("n", 5)], [()]),
        "upgrades": (5, [5]),
        "schema_attribute": (5, ""),
        "type": ("X#{n}",),
    },
    declare_field: {
        "name": (5, ""),
        "ttl": NO_FLAG,
        "version": NO_FLAG,
        "created": NO_FLAG,
        "updated": NO_FLAG,
        "unique": NO_FLAG,
        "key_only": NO_FLAG,
        "formerly": (5, [5], [""]),
    },
}


@pytest.mark.parametrize(
    ("declare", "option", "value"),
    [
        pytest.param(declare, option, value, id=f"{declare.__name__}-{option}-{value!r}")
        for declare, options in WRONG.items()
        for option, values in options.items()
        for value in values
    ],
)
def test_wrong_values_are_refused(declare: Any, option: str, value: Any):
    with pytest.raises(ModelError) as refused:
        declare(**{option: value})

    words = {"before_save", "after_load", "upgrades", "schema_attribute", "unknown", "mapper"}
    if option in words | {"kind", "discriminator", "types", "formerly", "indexes"}:
        assert option in str(refused.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ttl": "type"}, "time to live"),
        ({"types": {"type": "N"}}, "text"),
        ({"indexes": [GlobalIndex("i-x", partition_key="type", write_shards=2)]}, "write_shards"),
    ],
)
def test_what_a_discriminator_cannot_be_besides(options: Any, problem: str):
    options = {"indexes": [GlobalIndex("i-x", partition_key="type")], **options}
    with pytest.raises(ModelError, match=problem):
        Table("things", partition_key="pk", discriminator="type", **options)


def test_a_kind_needs_a_discriminator():
    for kind in ("a", ("a", "b")):
        with pytest.raises(ModelError, match="discriminator"):

            @model(Table("things", partition_key="pk"), kind=kind)
            class Thing:
                pk: str = partition_key()


def test_two_models_have_no_kind_in_common():
    table = Table("things", partition_key="pk", discriminator="type")

    @model(table, kind=("blind", "cred"))
    class Blind:
        pk: str = partition_key()

    for kind in ("cred", ("other", "blind")):
        with pytest.raises(ModelError, match="Blind's already"):

            @model(table, kind=kind)
            class Other:
                pk: str = partition_key()
