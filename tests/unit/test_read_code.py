"""RowReader: which fields have a fast way, which constructors are called, and what a class learns."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import json
import threading
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
import msgspec
import pytest

from dynattrs import (
    Compressed,
    GlobalIndex,
    Json,
    Mapper,
    MappingError,
    Table,
    field,
    map_class,
    mapper,
    model,
    partition_key,
)
from dynattrs.mapper.carried import carried_by
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.read_code import _only_assigns
from dynattrs.mapper.rows import MOST_LEARNED, MOST_STEPS, Row, RowReader, attribute_map
from dynattrs.operations.reading.objects import decoder, made_of
from dynattrs.schema.model_info import model_info
from dynattrs.schema.table import AttributeMap


def wire(value: Any) -> Any:
    """An attribute map as its JSON has it."""
    if isinstance(value, dict):
        return {name: wire(each) for name, each in value.items()}
    if isinstance(value, list):
        return [wire(each) for each in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def read(cls: Any, *items: Any) -> list[Any]:
    """What the replies' decoder makes of items: rows, or attribute maps."""
    decode = decoder(model_info(cls), cls, "Items")
    assert decode is not None
    found: list[Any] = decode(json.dumps({"Items": items}).encode())["Items"]
    return found


def made(cls: Any, *items: Any) -> list[Any]:
    return [made_of(model_info(cls), cls, each) for each in read(cls, *items)]


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


@attrs.define
class City:
    name: str
    people: int | None = None


# --- Which way is taken -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (str, "text"),
        (bool, True),
        (int, 10**30),
        (float, -0.25),
        (Decimal, Decimal("1.10")),
        (bytes, b"\x00\xff"),
        (dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5, 6, dt.timezone.utc)),
        (dt.timedelta, dt.timedelta(seconds=1.5)),
        (uuid.UUID, uuid.UUID(int=7)),
        (Color, Color.GREEN),
        (Literal["a", "b"], "b"),
        (str | None, None),
        (int | None, 3),
        (set[str], {"a", "b"}),
        (frozenset[int], frozenset({1, 2})),
        (set[bytes], {b"a"}),
        (set[str] | None, set()),
        (set[Color], {Color.RED}),
        (list[float], [1.5, 2.0]),
        (list[int | None], [1, None]),
        (list[list[str]], [["a"], []]),
        (tuple[str, ...], ("a", "b")),
        (tuple[int, str], (1, "a")),
        (dict[str, int], {"a": 1}),
        (dict[dt.date, int], {dt.date(2026, 1, 1): 1}),
        (City, City("Paris", 2)),
        (City | None, None),
        (list[City], [City("Paris"), City("Rome", 3)]),
        (dict[str, City], {"x": City("Paris")}),
        (int | str, "a"),
        (Annotated[dict[str, int], Json], {"a": 1}),
        (Annotated[str, Compressed], "a" * 99),
        (Any, {"a": [1, None, {"b"}]}),
    ],
)
def test_every_type_is_read_as_a_row(type_: Any, value: Any) -> None:
    body = {"__annotations__": {"id": str, "value": type_}, "id": partition_key()}
    cls: Any = model("things")(type("Thing", (), body))
    thing = cls(id="a", value=value)
    item = wire(mapper.dump(thing))

    (row,) = read(cls, item)

    assert isinstance(row, Row)
    assert attribute_map(row) == item
    assert row["id"] == {"S": "a"}
    assert made_of(model_info(cls), cls, row) == thing
    assert type(made_of(model_info(cls), cls, row).value) is type(value)


def test_only_the_item_that_is_no_row_is_an_attribute_map() -> None:
    good, bad = {"id": {"S": "a"}}, {"id": {"N": "1"}}

    rows = read(Plain, good, bad, good)

    assert [isinstance(each, Row) for each in rows] == [True, False, True]
    assert rows[1] == bad
    with pytest.raises(MappingError) as failed:
        made_of(model_info(Plain), Plain, rows[1])
    assert failed.value.path == "Plain.id"
    assert failed.value.item == bad


def test_a_row_that_cannot_be_read_is_explained_as_its_attribute_map_is() -> None:
    item = {"id": {"S": "a"}, "count": {"N": "1.5"}}

    with pytest.raises(MappingError, match="integral") as failed:
        made(Plain, item)

    assert failed.value.path == "Plain.count"
    assert failed.value.key == {"id": {"S": "a"}}
    assert failed.value.item == item


def test_an_attribute_that_a_row_lacks_is_a_key_error() -> None:
    (row,) = read(Plain, {"id": {"S": "a"}})

    for name in ("count", "nothing"):
        with pytest.raises(KeyError):
            row[name]


def test_a_class_with_a_name_that_structs_cannot_have_is_read_the_general_way() -> None:
    @model("things")
    class Quoted:
        id: str = partition_key(name='the "id"')

    assert mapper.default.rows(Quoted) is None
    assert decoder(model_info(Quoted), Quoted, "Items") is None
    assert made_of(model_info(Quoted), Quoted, {'the "id"': {"S": "a"}}) == Quoted("a")


def test_a_class_with_hooks_of_its_own_is_read_the_general_way() -> None:
    special = Mapper()
    special.register_structure_hook_func(
        lambda type_: getattr(type_, "__name__", "") == "Hooked",
        lambda value, _: Hooked(value["id"]),
    )
    special.register_unstructure_hook_func(
        lambda type_: getattr(type_, "__name__", "") == "Hooked", lambda value: {"id": value.id}
    )

    @model("things", mapper=special)
    class Hooked:
        id: str = partition_key()

    assert special.rows(Hooked) is None


def test_hooks_that_are_registered_later_count() -> None:
    special = Mapper()

    @model("things", mapper=special)
    class Thing:
        id: str = partition_key()
        at: dt.date

    item = {"id": {"S": "a"}, "at": {"S": "2026-01-02"}}
    assert made(Thing, item) == [Thing("a", dt.date(2026, 1, 2))]
    special.register_structure_hook(dt.date, lambda value, _: dt.date(1, 1, 1))
    special.register_unstructure_hook(dt.date, str)

    assert made(Thing, item) == [Thing("a", dt.date(1, 1, 1))]


@attrs.define
class Tree:
    name: str
    branches: list[Tree] = attrs.field(factory=list)


@model("trees")
class Forest:
    id: str = partition_key()
    tree: Tree


def test_a_class_that_holds_itself_is_read() -> None:
    forest = Forest("a", Tree("oak", [Tree("x", [Tree("y")]), Tree("z")]))

    (row,) = read(Forest, mapper.dump(forest))

    assert isinstance(row, Row)
    assert made_of(model_info(Forest), Forest, row) == forest


# --- Constructors -----------------------------------------------------------------------------


@model("things")
class Plain:
    id: str = partition_key()
    count: int = 0
    tags: set[str] = attrs.field(factory=set)


class Base:
    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, f"set {value}" if name == "id" else value)


def test_a_constructor_that_only_assigns_is_left_out_and_no_other_is() -> None:
    @model("things")
    class Validated:
        id: str = partition_key()
        count: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    @model("things")
    class Converted:
        id: str = partition_key()
        count: int = attrs.field(default=0, converter=int)

    @model("things")
    class Finished:
        id: str = partition_key()

        def __attrs_post_init__(self) -> None:
            self.id += "!"

    @model("things")
    class Prepared:
        id: str = partition_key()

        def __attrs_pre_init__(self) -> None:
            pass

    @model("things", frozen=True)
    class Frozen:
        id: str = partition_key()

    @model("things", unsafe_hash=True, cache_hash=True)
    class Hashed:
        id: str = partition_key()

    @model("things")
    class Own:
        id: str = partition_key()

        def __init__(self, id: str) -> None:
            self.id = id

    @model("things")
    class Made:
        id: str = partition_key()

        def __new__(cls, id: str) -> Any:
            assert id
            return super().__new__(cls)

    @model("things")
    class Setting(Base):
        id: str = partition_key()

    @model("things", slots=False)
    class Open:
        id: str = partition_key()
        tags: list[str] = attrs.field(factory=list)

    def assigns(cls: Any) -> bool:
        codec = mapper.default.codec(cls)
        assert isinstance(codec, ClassCodec)
        return _only_assigns(codec)

    item: AttributeMap = {"id": {"S": "a"}}
    for cls in (Plain, Open):
        assert assigns(cls)
    for cls in (
        Validated, Converted, Finished, Prepared, Frozen, Hashed, Own, Made, Setting
    ):  # fmt: skip
        assert not assigns(cls)
    for cls in (
        Plain, Open, Validated, Converted, Finished, Prepared, Frozen, Hashed, Own, Made, Setting
    ):  # fmt: skip
        (row,) = read(cls, item)
        assert isinstance(row, Row)
        assert made_of(model_info(cls), cls, row) == mapper.load(item, cls)
    assert made(Finished, item)[0].id == "a!"
    with pytest.raises(MappingError, match=">= 0"):
        made(Validated, {**item, "count": {"N": "-1"}})
    with pytest.raises(MappingError):
        mapper.load({**item, "count": {"N": "-1"}}, Validated)


def test_arguments_of_every_kind_find_their_fields() -> None:
    @model("things")
    class Arguments:
        id: str = partition_key()
        _private: int = 1
        other: int = attrs.field(alias="another", default=2)
        only: int = attrs.field(kw_only=True)
        listed: list[int] = attrs.field(factory=list)
        from_self: str = attrs.field(
            default=attrs.Factory(lambda self: self.id * 2, takes_self=True)
        )
        later: int = attrs.field(init=False, default=5)
        unset: int = attrs.field(init=False)

    full = {
        "id": {"S": "a"}, "_private": {"N": "10"}, "other": {"N": "20"}, "only": {"N": "30"},
        "listed": {"L": [{"N": "1"}]}, "from_self": {"S": "b"}, "later": {"N": "50"},
        "unset": {"N": "60"},
    }  # fmt: skip
    least = {"id": {"S": "a"}, "only": {"N": "30"}, "unset": {"N": "1"}}

    for item in (full, least):
        (row,) = read(Arguments, item)
        assert isinstance(row, Row)
        assert made_of(model_info(Arguments), Arguments, row) == mapper.load(item, Arguments)
    assert made(Arguments, least)[0].from_self == "aa"
    assert made(Arguments, least)[0].listed is not made(Arguments, least)[0].listed


# --- Attributes that the class does not know ----------------------------------------------------


def test_unknown_attributes_get_a_place_with_the_first_reply_that_has_them() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()

    item = {"id": {"S": "a"}, "data": {"B": "AAEC"}, "more": {"L": [{"N": "1"}]}}
    kept = {"data": {"B": b"\x00\x01\x02"}, "more": {"L": [{"N": "1"}]}}

    for _ in range(2):
        rows = read(Thing, item, {"id": {"S": "b"}}, item)
        things = [made_of(model_info(Thing), Thing, each) for each in rows]

        assert all(isinstance(each, Row) for each in rows)
        assert attribute_map(rows[0]) == item
        assert [carried_by(each).attributes for each in things] == [kept, {}, kept]


def test_rows_from_before_something_was_learned_are_still_read() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()

    (before,) = read(Thing, {"id": {"S": "a"}})
    (after,) = read(Thing, {"id": {"S": "b"}, "x": {"S": "c"}})
    rows = mapper.default.rows(Thing)
    assert rows is not None

    assert type(before) is not type(after)
    assert rows.current[1](before) == Thing("a")
    assert carried_by(rows.current[1](after)).attributes == {"x": {"S": "c"}}


def test_learning_has_an_end_and_what_is_beyond_is_read_the_general_way() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()

    rows = mapper.default.rows(Thing)
    assert rows is not None
    for number in range(MOST_STEPS + 3):
        (thing,) = made(Thing, {"id": {"S": "a"}, f"x{number}": {"S": "b"}})
        assert carried_by(thing).attributes == {f"x{number}": {"S": "b"}}
    assert len(rows.current[0].places) == 1 + MOST_STEPS

    @model("things")
    class Wide:
        id: str = partition_key()

    many = {f"x{number}": {"S": "b"} for number in range(MOST_LEARNED + 1)}
    (row,) = read(Wide, {"id": {"S": "a"}, **many})

    assert not isinstance(row, Row)
    assert carried_by(made_of(model_info(Wide), Wide, row)).attributes == many


def test_an_unknown_name_that_structs_cannot_have_is_read_the_general_way() -> None:
    item = {"id": {"S": "a"}, 'a "name"\n': {"S": "b"}}

    (thing,) = made(Plain, item)

    assert carried_by(thing).attributes == {'a "name"\n': {"S": "b"}}


def test_what_is_dropped_is_dropped_and_what_is_forbidden_is_refused() -> None:
    @model("things", unknown="drop")
    class Dropping:
        id: str = partition_key()
        city: City | None = None

    @model("things", unknown="forbid")
    class Forbidding:
        id: str = partition_key()

    @attrs.define
    class Outside:
        id: str

    map_class(Outside, "things", partition_key="id")
    city = {"M": {"name": {"S": "Rome"}, "x": {"N": "1"}}}
    item: Any = {"id": {"S": "a"}, "x": {"S": "b"}, "city": city}

    assert isinstance(read(Dropping, {name: item[name] for name in ("id", "x")})[0], Row)
    assert attribute_map(read(Dropping, item)[0]) == item
    assert made(Dropping, item) == [Dropping("a", City("Rome"))]
    assert mapper.dump(made(Dropping, item)[0]) == {
        "id": {"S": "a"}, "city": {"M": {"name": {"S": "Rome"}}}
    }  # fmt: skip
    for _ in range(2):
        assert isinstance(read(Outside, item)[0], Row)
    assert made(Outside, item) == [Outside("a")]
    with pytest.raises(MappingError, match="only attributes that Forbidding knows, found also"):
        made(Forbidding, item)


def test_the_tables_own_attributes_are_there_although_the_class_drops_them() -> None:
    """Cursors are made of keys, and the time to live tells what has expired."""
    app = Table(
        "app", partition_key="pk", ttl="expires",
        indexes=[GlobalIndex("by-kind", partition_key="kind")],
    )  # fmt: skip

    @model(app, unknown="drop")
    class Dropping:
        pk: str = partition_key()

    item: Any = {"pk": {"S": "a"}, "kind": {"S": "b"}, "expires": {"N": "7"}, "more": {"S": "c"}}

    (row,) = read(Dropping, item)

    assert isinstance(row, Row)
    assert (row["pk"], row["kind"], row.get("expires", {})) == (
        {"S": "a"}, {"S": "b"}, {"N": "7"}
    )  # fmt: skip
    assert row.get("none", {}) == {}
    assert made(Dropping, item) == [Dropping("a")]


def test_unknown_attributes_of_nested_classes_are_remembered_as_lost() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        city: City

    item: Any = {"id": {"S": "a"}, "city": {"M": {"name": {"S": "Rome"}, "x": {"N": "1"}}}}

    (thing,) = made(Thing, item)

    assert thing.city == City("Rome")
    assert carried_by(thing).lost == ("Thing.city.x",)


# --- Threads, replies -------------------------------------------------------------------------


def test_the_first_use_may_be_in_many_threads_at_once() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        city: City | None = None

    items = [
        {
            "id": {"S": str(number)},
            f"x{number % 3}": {"N": "1"},
            "city": {"M": {"name": {"S": "R"}}},
        }
        for number in range(60)
    ]
    found: list[Any] = []
    ready = threading.Barrier(8)

    def run() -> None:
        ready.wait()
        found.extend(made(Thing, *items) for _ in range(5))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert len(found) == 40
    for things in found:
        assert things == [Thing(str(number), City("R")) for number in range(60)]
        assert [carried_by(each).attributes for each in things] == [
            {f"x{number % 3}": {"N": "1"}} for number in range(60)
        ]


@pytest.mark.parametrize("reply", ["[]", "1", '{"Items": 1}', '{"Items": [1]}', '{"Items": null}'])
def test_what_is_no_such_reply_comes_as_plain_json(reply: str) -> None:
    decode = decoder(model_info(Plain), Plain, "Items")
    assert decode is not None

    assert decode(reply.encode()) == json.loads(reply)


def test_all_that_flows_ask_of_replies_comes_with_the_items() -> None:
    reply = {
        "Items": [], "Count": 0, "ScannedCount": 7, "LastEvaluatedKey": {"id": {"S": "a"}},
        "ConsumedCapacity": {"TableName": "things", "CapacityUnits": 0.5}, "NextToken": "t",
        "UnprocessedKeys": {"things": {"Keys": [{"id": {"S": "b"}}]}},
    }  # fmt: skip
    decode = decoder(model_info(Plain), Plain, "Items")
    assert decode is not None

    assert decode(json.dumps(reply).encode()) == reply


# --- Fields that are stored in keys only ------------------------------------------------------


@model(
    Table("visits", partition_key="pk", sort_key="sk"),
    pk="V#{place}#",
    sk="{day}{number:04d}{code:02x}|{paid}|{price}|{day:%Y}|{note:*}",
)
class Visit:
    place: str = field(key_only=True)
    day: dt.date = field(key_only=True)
    number: int = field(key_only=True)
    code: int
    paid: bool = field(key_only=True)
    price: Decimal = field(key_only=True)
    note: str = field(key_only=True)
    seat: int | None = None


@model(
    Table("readings", partition_key="pk", sort_key="sk", types={"pk": "B", "sk": "N"}),
    pk="{device}",
    sk="{number}",
)
class Reading:
    device: bytes = field(key_only=True)
    number: int = field(key_only=True)
    text: str = ""


VISIT = Visit("York", dt.date(2026, 11, 25), 12, 255, True, Decimal("9.5"), "a|b", seat=3)
READING = Reading(b"ab", 7, "warm")


@pytest.mark.parametrize("thing", [VISIT, READING])
def test_fields_that_are_stored_in_keys_only_are_read_without_the_general_way(thing: Any) -> None:
    cls = type(thing)
    codec = mapper.default.codec(cls)
    assert isinstance(codec, ClassCodec)

    def general(item: AttributeMap) -> Any:
        raise AssertionError(item)

    rows = RowReader(codec, general, model_info(cls).table.own_attributes)
    item = wire(mapper.dump(thing))

    assert item.keys().isdisjoint(model_info(cls).keys.key_only)
    assert rows.current[1](msgspec.json.decode(json.dumps(item), type=rows.current[0])) == thing


@pytest.mark.parametrize(
    "changed",
    [
        {"pk": {"S": "X#York#"}},
        {"pk": {"S": "V#York"}},
        {"pk": {"S": "V#York#more"}},
        {"pk": {"N": "1"}},
        {"sk": {"S": "2026/11/250012ff|true|9.5|2026|"}},
        {"sk": {"S": "2026-11-25+012ff|true|9.5|2026|"}},
        {"sk": {"S": "2026-11-25 012ff|true|9.5|2026|"}},
        {"sk": {"S": "2026-11-251_12ff|true|9.5|2026|"}},
        {"sk": {"S": "2026-11-25001٣ff|true|9.5|2026|"}},
        {"sk": {"S": "2026-11-250012fg|true|9.5|2026|"}},
        {"sk": {"S": "2026-11-250012FF|true|9.5|2026|"}},
        {"sk": {"S": "2026-11-250012ff|yes|9.5|2026|"}},
        {"sk": {"S": "2026-11-250012ff|true|1e2|2026|"}},
        {"sk": {"S": "2026-11-250012ff|true|9.5|26|"}},
        {"sk": {"S": "2026-11-250012ff|true"}},
        {"sk": {"S": "2026-11-25"}},
        {"sk": {"S": "2026-13-250012ff|true|9.5|2026|"}},
    ],
)
def test_keys_that_the_model_does_not_make_are_refused_as_the_general_way_does(
    changed: dict[str, Any],
) -> None:
    item = {**mapper.dump(VISIT), **changed}
    with pytest.raises(MappingError) as general:
        mapper.load(item, Visit)

    with pytest.raises(MappingError) as fast:
        made(Visit, item)

    assert str(fast.value) == str(general.value)
    assert fast.value.item == general.value.item


def test_numbers_and_bytes_of_keys_are_refused_as_the_general_way_does() -> None:
    item = wire(mapper.dump(READING))
    for changed in (
        {"sk": {"S": "7"}},
        {"sk": {"N": "7.5"}},
        {"pk": {"B": "no base64"}},
    ):
        with pytest.raises(MappingError) as general:
            mapper.load({**item, **changed}, Reading)
        with pytest.raises(MappingError) as fast:
            made(Reading, {**item, **changed})
        assert str(fast.value) == str(general.value)


def test_what_an_item_has_beside_a_key_that_says_it_counts_for_nothing() -> None:
    item = {
        **mapper.dump(VISIT),
        "place": {"S": "Leeds"},
        "number": {"BOOL": True},
        "x": {"N": "1"},
    }

    (found,) = made(Visit, item)

    assert found == mapper.load(item, Visit) == VISIT
    assert carried_by(found) == carried_by(mapper.load(item, Visit))
    assert mapper.dump(found) == {**mapper.dump(VISIT), "x": {"N": "1"}}
