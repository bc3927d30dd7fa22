"""Upgrades and renamed attributes, as they are declared and as items are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest

from dynattrs import (
    GlobalIndex,
    MappingError,
    ModelError,
    PartialIndex,
    Table,
    field,
    map_class,
    model,
    partition_key,
)
from dynattrs.mapper import default as mapper
from stepped_session import ByHand

hand = ByHand()


def double(item: dict[str, Any]) -> None:
    item["count"] *= 2


def tagged(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "tags": {"new"}}


@model("things", upgrades=[double, tagged], unknown="forbid")
class Thing:
    id: str = partition_key()
    count: int = 0
    tags: set[str] = attrs.field(factory=set)
    label: str = field(name="l", formerly=["title", "name"], default="")


ITEM: dict[str, Any] = {"id": {"S": "1"}, "count": {"N": "3"}}


def test_an_item_goes_through_the_upgrades_after_its_version():
    assert mapper.load(ITEM, Thing) == Thing("1", 6, {"new"})
    assert mapper.load({**ITEM, "schema_version": {"N": "2"}}, Thing) == Thing("1", 3, {"new"})
    assert mapper.load({**ITEM, "schema_version": {"N": "3"}}, Thing) == Thing("1", 3)


def test_the_stored_item_is_left_alone_and_what_is_saved_says_its_version():
    before = {name: dict(value) for name, value in ITEM.items()}

    thing = mapper.load(ITEM, Thing)

    assert ITEM == before
    assert mapper.dump(thing)["schema_version"] == {"N": "3"}
    assert mapper.load(mapper.dump(thing), Thing) == thing


def test_what_an_upgrade_leaves_alone_stays_exactly_as_it_is_stored():
    number = "1234567890123456789012345678901234567.5"

    @model("exact", upgrades=[tagged])
    class Exact:
        id: str = partition_key()
        tags: set[str] = attrs.field(factory=set)

    item = {"id": {"S": "1"}, "n": {"N": number}, "z": {"N": "1.00"}, "l": {"L": [{"N": "0"}]}}
    found = mapper.dump(mapper.load(item, Exact))

    assert found == {**item, "tags": {"SS": ["new"]}, "schema_version": {"N": "2"}}


def test_a_renamed_attribute_is_read_by_its_former_names_and_written_by_its_own():
    for name in ("l", "title", "name"):
        thing = mapper.load({**ITEM, "schema_version": {"N": "3"}, name: {"S": "x"}}, Thing)
        assert thing.label == "x"
        assert mapper.dump(thing)["l"] == {"S": "x"}
        assert name == "l" or name not in mapper.dump(thing)


def test_the_attributes_own_name_comes_before_former_ones():
    item = {**ITEM, "schema_version": {"N": "3"}, "l": {"S": "now"}, "name": {"S": "then"}}

    assert mapper.load(item, Thing).label == "now"


def test_the_version_may_be_stored_elsewhere():
    @model("things", upgrades=[double], schema_attribute="v")
    class Other:
        id: str = partition_key()
        count: int = 0

    assert mapper.dump(Other("1"))["v"] == {"N": "2"}
    assert mapper.load({**ITEM, "v": {"N": "2"}}, Other).count == 3


def test_a_mapped_class_is_read_through_upgrades_too():
    @attrs.define
    class Plain:
        id: str
        count: int

    map_class(Plain, "plain", partition_key="id", unknown="drop", upgrades=[double])

    assert mapper.load(ITEM, Plain) == Plain("1", 6)


@pytest.mark.parametrize("version", [{"N": "4"}, {"N": "0"}, {"N": "1.5"}, {"S": "2"}])
def test_a_version_that_the_model_does_not_know_is_refused(version: Any):
    with pytest.raises(MappingError, match="a schema version from 1 to 3") as caught:
        mapper.load({**ITEM, "schema_version": version}, Thing)

    assert caught.value.key == {"id": {"S": "1"}}
    assert caught.value.item is not None


def failing(upgrade: Callable[[dict[str, Any]], Any]) -> type[Any]:
    @model("things", upgrades=[upgrade])
    class Failing:
        id: str = partition_key()

    return Failing


@pytest.mark.parametrize(
    ("upgrade", "message"),
    [
        (lambda item: item["missing"], "an item that the upgrade <lambda> from 1 to 2 takes"),
        (lambda item: 5, "the upgrade <lambda> from 1 to 2 to return a dict or None, found int 5"),
        (lambda item: {**item, "x": object()}, r"Failing\['x'\], after its upgrades"),
    ],
)
def test_an_upgrade_that_fails_is_named(upgrade: Any, message: str):
    with pytest.raises(MappingError, match=message):
        mapper.load(ITEM, failing(upgrade))


def declared() -> list[tuple[Callable[[], Any], str]]:
    def no_function() -> Any:
        @model("things", upgrades=["double"])  # type: ignore[list-item]
        class Thing:
            id: str = partition_key()

    def version_taken() -> Any:
        @model("things", upgrades=[double])
        class Thing:
            id: str = partition_key()
            schema_version: int = 0

    def name_taken() -> Any:
        @model("things")
        class Thing:
            id: str = partition_key()
            one: str = field(formerly=["two"], default="")
            two: str = ""

    def key() -> Any:
        @model("things")
        class Thing:
            id: str = partition_key(metadata=None)
            other: str = field(formerly="id", default="")

    def version_of_none() -> Any:
        @model("things", schema_attribute="v")
        class Thing:
            id: str = partition_key()

    return [
        (version_of_none, r"for a first release that refuses newer ones, write upgrades=\[\]"),
        (no_function, "upgrades holds 'double'; a function is expected"),
        (
            version_taken,
            "Thing.schema_version: its items have their schema version in 'schema_version'",
        ),
        (name_taken, "Thing.one: formerly names 'two', which is the attribute of two"),
        (key, "Thing.other: formerly names 'id', which is the attribute of id"),
    ]


@pytest.mark.parametrize(("declare", "message"), declared())
def test_what_means_nothing_is_refused_when_it_is_declared(
    declare: Callable[[], Any], message: str
):
    with pytest.raises(ModelError, match=message):
        declare()


def test_items_that_are_up_to_date_are_read_straight_from_bytes():
    rows = mapper.rows(Thing)
    assert rows is not None
    general: list[Any] = []

    def load(item: Any) -> Any:
        general.append(item)
        return mapper.load(item, Thing)

    rows._load = load
    row, build = rows.current
    current = mapper.dump(Thing("1", 3, {"new"}, "x"))
    items = [
        current,
        {**ITEM, "tags": {"SS": ["old"]}},
        {**current, "schema_version": {"N": "2"}},
        {**{name: value for name, value in current.items() if name != "l"}, "name": {"S": "x"}},
    ]

    found = [build(msgspec.json.decode(msgspec.json.encode(item), type=row)) for item in items]

    assert found == [mapper.load(item, Thing) for item in items]
    assert general == items[1:]


@model("things", upgrades=[])
class First:
    id: str = partition_key()
    count: int = 0


@model("things")
class Unaware:
    id: str = partition_key()
    count: int = 0


@model("things")
class OwnVersion:
    id: str = partition_key()
    schema_version: int = 0


def test_a_first_release_stores_no_version_and_reads_the_first_one():
    assert "schema_version" not in mapper.dump(First("1", 2))
    item = {**ITEM, "schema_version": {"N": "1"}}
    for cls in (First, Unaware):
        assert mapper.load(item, cls) == cls("1", 3)
        assert mapper.from_json(mapper.to_json(cls("1", 3)), cls) == cls("1", 3)


@pytest.mark.parametrize("cls", [First, Unaware])
def test_a_first_release_refuses_what_a_later_one_has_stored(cls: Any):
    newer = mapper.dump(Thing("1", 3))

    with pytest.raises(MappingError, match="a newer program has written it; update this one first"):
        mapper.load(newer, cls)
    with pytest.raises(MappingError, match="a schema version from 1 to 1"):
        mapper.from_json(mapper.to_json(Thing("1", 3)) if cls is Unaware else PLAIN, cls)
    rows = mapper.rows(cls)
    assert rows is not None
    rows.learn(["schema_version"])
    row, build = rows.current
    items = [{**ITEM, "schema_version": {"N": number}} for number in "12"]
    first, second = (msgspec.json.decode(msgspec.json.encode(each), type=row) for each in items)
    assert build(first) == cls("1", 3)
    with pytest.raises(MappingError, match="a newer program has written it"):
        build(second)


PLAIN = '{"id": "1", "count": 3, "schema_version": 2}'


def test_an_attribute_of_that_name_may_be_a_field_or_another_programs_text():
    item = {**ITEM, "schema_version": {"N": "7"}}
    assert mapper.load(item, OwnVersion).schema_version == 7
    item = {**ITEM, "schema_version": {"S": "v7"}}
    assert mapper.dump(mapper.load(item, Unaware)) == item


def test_only_the_item_itself_has_former_names():
    @attrs.define
    class Inner:
        street: str = field(formerly=["road"], default="")

    with pytest.raises(ModelError, match=r"Inner.street has formerly=, and is inside an item"):

        @model("things")
        class Outer:
            id: str = partition_key()
            inner: list[Inner] = attrs.field(factory=list)


def test_a_subclass_goes_on_with_the_upgrades_of_its_base():
    @model("things")
    class Special(Thing):
        more: int = 1

    @model("elsewhere")
    class Elsewhere(Thing):
        pass

    assert mapper.load(ITEM, Special) == Special("1", 6, {"new"}, more=1)
    assert "schema_version" not in mapper.dump(Elsewhere("1"))


def test_an_index_that_holds_a_part_of_old_items_answers_nothing_in_silence():
    by_label = GlobalIndex("by-label", partition_key="label", projection=["label", "count"])

    @model("parts", indexes=[by_label], upgrades=[double], unknown="drop")
    class Upgraded:
        id: str = partition_key()
        label: str
        count: int = 0

    @model("parts", indexes=[by_label], unknown="drop")
    class Renamed:
        id: str = partition_key()
        label: str
        count: int = field(name="count", formerly=["number"], default=0)

    with pytest.raises(PartialIndex, match="does not hold all that upgrades may read"):
        hand.query(Upgraded).where(Upgraded.label == "x").explain()
    with pytest.raises(PartialIndex, match="does not hold"):
        hand.query(Renamed).where(Renamed.label == "x").explain()
    with pytest.raises(PartialIndex, match="does not hold"):
        hand.query(Renamed).where(Renamed.label == "x").select(Renamed.count).explain()
    with pytest.raises(PartialIndex):
        hand.query(Upgraded).where(Upgraded.label == "x").select(Upgraded.count).explain()
    assert "BatchGetItem" in hand.query(Renamed).where(Renamed.label == "x").hydrate().explain()


def test_no_advice_about_an_index_names_what_upgrades_make_impossible():
    """Parts of an item do not say what it will be."""
    by_count = GlobalIndex("by-count", partition_key="count", projection="keys")

    @model("things", upgrades=[tagged], indexes=[by_count])
    class Counted:
        id: str = partition_key()
        count: int = 0
        note: str = ""

    query = hand.query(Counted).where(Counted.count == 1)
    for each in (query, query.select(Counted.id)):
        with pytest.raises(PartialIndex, match=r"ask for keys with keys\(\), for the whole items"):
            each.explain()


MALFORMED = (
    '{"id": "1"}', '{"id": {"X": "1"}}', '{"id": {}}', '{"id": {"S": 1}}', "[]", "null",
    '{"id": {"S": "1"}, "x": {"B": "%%%"}}', '{"id": {"S": "1"}, "x": {"BOOL": "true"}}',
    '{"id": {"S": "1"}, "x": {"N": "abc"}}', '{"id": {"S": "1"}, "x": {"N": 1}}',
    '{"id": {"S": "1"}, "x": {"L": ["x"]}}', '{"id": {"S": "1"}, "x": {"M": []}}',
    '{"id": {"S": "1"}, "x": {"N": "1", "S": "x"}}', '{"id": {"S": "1"}, "x": "1"}',
    '{"id": {"S": "1"}, "schema_version": "2"}', '{"id": {"S": "1"}, "schema_version": {"N": 2}}',
    '{"id": {"S": "1"}, "schema_version": {"N": "2", "S": "x"}}',
    '{"id": {"S": "1"}, "schema_version": []}', '{"NewImage": {"id": {"S": "1"}}}',
)  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_item_is_refused_before_any_upgrade(text: str):
    @model("things", upgrades=[tagged])
    class Loose:
        id: str = partition_key()
        x: bytes | None = None
        b: str = field(name="b", formerly=["a"], default="")

    with pytest.raises(MappingError, match=r"^Loose"):
        mapper.from_dynamodb_json(text, Loose)


@pytest.mark.parametrize("upgrades", [None, [tagged]])
@pytest.mark.parametrize("stored", [{"N": "abc"}, {"NS": ["x"]}, {"N": "1"}])
def test_a_computed_key_of_another_type_is_refused(stored: Any, upgrades: Any):
    table = Table("rooms", partition_key="pk", sort_key="sk", discriminator="kind")

    @model(table, pk="R#{id}", sk="R", upgrades=upgrades)
    class Room:
        id: str

    item = {"pk": stored, "sk": {"S": "R"}, "id": {"S": "1"}, "kind": {"S": "Room"}}
    with pytest.raises(MappingError, match=r"^Room"):
        mapper.load(item, Room)


@pytest.mark.parametrize(("name", "expected"), [(3, "a str"), ("", "that is not empty")])
def test_upgrades_name_attributes_with_text(name: Any, expected: str):
    @model("things", upgrades=[lambda item: {**item, name: 1}])
    class Named:
        id: str = partition_key()

    with pytest.raises(MappingError, match=f"after its upgrades: expected .*{expected}"):
        mapper.load({"id": {"S": "1"}}, Named)
