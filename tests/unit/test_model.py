# ruff: noqa: UP007, UP045 - every spelling of a type is tested
"""`@model`: attrs classes that know their table, and declarations that mean nothing."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import typing
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import attrs
import pytest

from dynattrs import (
    asdict,
    evolve,
    field,
    fields,
    map_class,
    mapper,
    model,
    partition_key,
    path,
    sort_key,
)
from dynattrs.errors import MappingError, ModelError
from dynattrs.expressions.paths import Path
from dynattrs.mapper import Epoch
from dynattrs.schema.model_info import info_of, model_info
from dynattrs.schema.table import GlobalIndex, LocalIndex, Table

T = TypeVar("T")


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "unknown"


@model("people")
class Person:
    """Names a class that is declared further down."""

    id: str = partition_key()
    home: House | None = None


@model("houses")
class House:
    id: str = partition_key()
    owner: Person | None = None


@model("frozen", frozen=True)
class Frozen:
    id: str = partition_key()
    tags: frozenset[str] = frozenset()


@model("loose", slots=False)
class Loose:
    id: str = partition_key()


def unknown(item: Any) -> Any:
    return {**mapper.dump(item), "other": {"N": "1"}}


# --- attrs --------------------------------------------------------------------------------------


def test_converters_run_as_in_attrs() -> None:
    @model("things")
    class Thing:
        id: str = partition_key(converter=str.lower)
        size: int = field(default=0, converter=int)

    assert Thing("A", "3") == Thing("a", 3)  # type: ignore[arg-type]
    assert mapper.load({"id": {"S": "ABC"}}, Thing).id == "abc"


def test_validators_run_on_load_too() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        size: int = field(default=0, validator=attrs.validators.ge(0))

    with pytest.raises(ValueError, match="must be >= 0"):
        Thing("a", -1)
    with pytest.raises(MappingError, match="must be >= 0") as caught:
        mapper.load({"id": {"S": "a"}, "size": {"N": "-1"}}, Thing)
    assert caught.value.key == {"id": {"S": "a"}}


def test_frozen_models_are_frozen_and_hashable() -> None:
    frozen = Frozen("x", frozenset({"a"}))

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        frozen.id = "y"  # type: ignore[misc]
    assert hash(frozen) == hash(Frozen("x", frozenset({"a"})))
    assert mapper.load(mapper.dump(frozen), Frozen) == frozen


def test_models_without_slots_have_a_dict() -> None:
    assert vars(Loose("x")) == {"id": "x"}


def test_aliases_name_the_argument() -> None:
    @model("things")
    class Thing:
        id: str = partition_key(alias="identity")
        size: int = field(default=0, alias="how_big", name="s")

    thing = Thing(identity="x", how_big=3)  # type: ignore[call-arg]
    assert mapper.dump(thing) == {"id": {"S": "x"}, "s": {"N": "3"}}
    assert mapper.load(mapper.dump(thing), Thing) == thing


def test_keyword_only_models_load() -> None:
    @model("things", kw_only=True)
    class Thing:
        size: int = 0
        id: str = partition_key()

    assert mapper.load(mapper.dump(Thing(id="x")), Thing) == Thing(id="x")


def test_fields_without_init_are_stored_and_read() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        made: int = attrs.field(init=False, default=3)
        tags: set[str] = attrs.field(init=False, factory=set)

    thing = Thing("x")
    thing.made, thing.tags = 4, {"a"}
    assert mapper.load(mapper.dump(thing), Thing) == thing


def test_a_set_without_init_and_default_reads_as_empty() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        tags: set[str] = attrs.field(init=False)

    thing = Thing("x")
    thing.tags = set()
    loaded = mapper.load(mapper.dump(thing), Thing)
    assert loaded == thing
    assert mapper.load(unknown(thing), Thing).tags == set()


def test_defaults_may_depend_on_other_fields() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        slug: str = field(default=attrs.Factory(lambda self: self.id.lower(), takes_self=True))

    assert mapper.load({"id": {"S": "ABC"}}, Thing).slug == "abc"
    assert mapper.load({"id": {"S": "ABC"}, "slug": {"S": "x"}}, Thing).slug == "x"


def test_factories_make_a_new_default_for_each_object() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        parts: list[str] = field(factory=list)

    first, second = (mapper.load({"id": {"S": "x"}}, Thing) for _ in range(2))
    first.parts.append("a")
    assert second.parts == []


def test_post_init_runs_on_load() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        length: int = attrs.field(init=False, default=0)

        def __attrs_post_init__(self) -> None:
            self.length = len(self.id)

    assert mapper.load({"id": {"S": "abc"}}, Thing).length == 3


def test_the_decorator_may_stand_above_attrs() -> None:
    @model("things")
    @attrs.define(kw_only=True)
    class Thing:
        id: str = partition_key()
        size: int = 0

    assert isinstance(Thing.size, Path)
    assert mapper.load(unknown(Thing(id="x")), Thing) == Thing(id="x")
    assert mapper.dump(mapper.load(unknown(Thing(id="x")), Thing))["other"] == {"N": "1"}


@pytest.mark.parametrize("cls", [Song, Frozen, Loose])
def test_what_is_carried_stays_out_of_eq_hash_repr_and_asdict(cls: Any) -> None:
    plain = cls("x", "y") if cls is Song else cls("x")
    carrying = mapper.load(unknown(plain), cls)

    assert carrying == plain
    assert repr(carrying) == repr(plain)
    assert asdict(carrying) == asdict(plain)
    assert cls is not Frozen or hash(carrying) == hash(plain)


@pytest.mark.parametrize("cls", [Song, Frozen, Loose])
def test_what_is_carried_survives_copying_and_pickling(cls: Any) -> None:
    item = unknown(cls("x", "y") if cls is Song else cls("x"))
    carrying = mapper.load(item, cls)

    for each in (
        copy.copy(carrying),
        copy.deepcopy(carrying),
        pickle.loads(pickle.dumps(carrying)),
        evolve(carrying),
    ):
        assert each == carrying
        assert mapper.dump(each) == item


def test_evolve_changes_fields_and_keeps_what_is_carried() -> None:
    carrying = mapper.load(unknown(Song("a", "b")), Song)

    evolved = evolve(carrying, genre="jazz")

    assert evolved == Song("a", "b", "jazz")
    assert mapper.dump(evolved)["other"] == {"N": "1"}
    assert mapper.dump(attrs.evolve(carrying, genre="jazz")).keys() == {"artist", "title", "genre"}  # type: ignore[misc]


def test_a_carried_attribute_that_became_a_field_gives_way_to_it() -> None:
    """An old pickle may carry what the class has learnt since."""
    from dynattrs.mapper.carried import Carried, carry

    song = Song("a", "b", "jazz")
    carry(song, Carried({"genre": {"S": "old"}, "other": {"N": "1"}}))

    assert mapper.dump(song)["genre"] == {"S": "jazz"}
    assert mapper.dump(song)["other"] == {"N": "1"}


def test_a_class_of_its_own_pickling_keeps_it() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()

        def __getstate__(self) -> Any:
            return {"id": self.id + "!"}

        def __setstate__(self, state: Any) -> None:
            self.id = state["id"]

    assert copy.copy(Thing("x")).id == "x!"


def test_fields_and_asdict_are_those_of_attrs() -> None:
    assert [each.name for each in fields(Song)] == ["artist", "title", "genre"]
    assert asdict(Song("a", "b")) == {"artist": "a", "title": "b", "genre": "unknown"}


# --- Annotations ----------------------------------------------------------------------------------


def test_classes_of_a_module_may_name_each_other() -> None:
    person = Person("p", House("h", Person("q")))

    assert mapper.load(mapper.dump(person), Person) == person
    assert repr(Person.home.owner.id) == "Person.home.owner.id"  # type: ignore[union-attr]


def test_annotations_of_local_classes_are_resolved() -> None:
    """Under `from __future__ import annotations` they are text, and their names are locals."""

    @attrs.define
    class Part:
        size: int

    @attrs.define
    class Box:
        part: Part

    @model("things")
    class Thing:
        id: str = partition_key()
        box: Box | None = None
        parts: list[Part] = attrs.field(factory=list)
        next: Thing | None = None

    thing = Thing("x", Box(Part(1)), [Part(2)], Thing("y"))
    assert mapper.load(mapper.dump(thing), Thing) == thing


def test_a_local_name_means_nothing_to_classes_of_modules() -> None:
    """`House` is the module's in `Person`, whatever a function calls `House`."""

    @attrs.define
    class House:
        color: str

    @attrs.define
    class Street:
        first: House

    @model("towns")
    class Town:
        id: str = partition_key()
        mayor: Person | None = None
        street: Street | None = None

    town = Town("t", Person("p", globals()["House"]("h")), Street(House("red")))
    assert mapper.load(mapper.dump(town), Town) == town


def test_a_class_in_the_body_of_the_class_is_found() -> None:
    @model("things")
    class Thing:
        @attrs.define
        class Part:
            size: int

        id: str = partition_key()
        part: Part | None = None

    assert mapper.load(mapper.dump(Thing("x", Thing.Part(1))), Thing) == Thing("x", Thing.Part(1))


def test_a_field_may_be_called_like_its_type() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        set: set[str] = attrs.field(factory=set)
        Decimal: Decimal | None = None

    thing = Thing("x", {"a"}, Decimal(1))
    assert mapper.load(mapper.dump(thing), Thing) == thing


def test_a_name_that_is_never_defined_is_named_at_the_first_use() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        part: Nowhere | None = None  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ModelError) as caught:
        mapper.dump(Thing("x"))
    assert str(caught.value) == (
        "Thing.part: its annotation 'Nowhere | None' cannot be resolved: name 'Nowhere' is not "
        "defined; define or import the name in the module of the class before the first use "
        "(what is imported under `if TYPE_CHECKING:` is there for type checkers only)"
    )


# --- Names, indexes, tables -----------------------------------------------------------------------


def test_stored_names_are_used_in_the_table_and_its_indexes() -> None:
    @model(
        "songs",
        indexes=[
            GlobalIndex("by-genre", partition_key="genre", sort_key="year", projection=["plays"]),
            LocalIndex("by-plays", sort_key="plays"),
        ],
    )
    class Renamed:
        artist: str = partition_key(name="a")
        title: str = sort_key(name="t")
        genre: str = field(name="g", default="")
        year: int = field(name="y", default=0)
        plays: int = field(name="p", default=0)

    assert model_info(Renamed).table == Table(
        "songs",
        partition_key="a",
        sort_key="t",
        indexes=[
            GlobalIndex("by-genre", partition_key="g", sort_key="y", projection=["p"]),
            LocalIndex("by-plays", sort_key="p"),
        ],
        types={"y": "N", "p": "N"},
    )


def test_an_index_key_has_up_to_four_attributes() -> None:
    @model("t01", indexes=[GlobalIndex("all", partition_key=list("abcd"), sort_key=list("efgh"))])
    class Wide:
        id: str = partition_key()
        a: str = ""
        b: str = ""
        c: int = 0
        d: bytes = b""
        e: str = ""
        f: str = ""
        g: Decimal = Decimal(0)
        h: str | None = None

    (index,) = model_info(Wide).table.indexes
    assert index.sort_key == ("e", "f", "g", "h")
    assert model_info(Wide).table.types == {"c": "N", "d": "B", "g": "N"}


def test_a_model_finds_its_key_in_a_table_object() -> None:
    table = Table("songs", partition_key="pk", sort_key="sk", types={"sk": "N"})

    @model(table)
    class Item:
        pk: str
        order: int = field(name="sk")

    assert model_info(Item).table is table
    assert model_info(Item).key_fields == ("pk", "order")


def test_versions_and_timestamps_have_defaults() -> None:
    @model("things")
    class Thing:
        id: str = partition_key()
        version: int = field(version=True)
        created: dt.datetime | None = field(created=True)
        updated: Annotated[dt.datetime, Epoch] | None = field(updated=True)

    assert Thing("x") == Thing("x", 0, None, None)
    info = model_info(Thing)
    assert (info.version, info.created, info.updated) == ("version", "created", "updated")
    assert info.moves


@pytest.mark.parametrize(
    ("type_", "value", "stored"),
    [
        (int, 1700000000, "1700000000"),
        (dt.datetime, dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.timezone.utc), "1700000000"),
        (
            Annotated[dt.datetime, Epoch],
            dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.timezone.utc),
            "1700000000",
        ),
        (
            typing.Optional[Annotated[dt.datetime, Epoch]],
            dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.timezone.utc),
            "1700000000",
        ),
    ],
)
def test_a_time_to_live_is_stored_as_whole_seconds(type_: Any, value: Any, stored: str) -> None:
    annotations = {"id": str, "expires": type_}
    body = {"__annotations__": annotations, "id": partition_key(), "expires": field(ttl=True)}
    cls = model("things")(type("Thing", (), body))

    item = mapper.dump(cls("x", value))
    assert item["expires"] == {"N": stored}
    assert mapper.load(item, cls).expires == value
    assert model_info(cls).table.ttl == "expires"


# --- Generics and paths ---------------------------------------------------------------------------


@model("boxes")
class Box(Generic[T]):
    id: str = partition_key()
    value: T | None = None
    many: list[T] = attrs.field(factory=list)


def test_generic_models_load_by_their_arguments() -> None:
    box = Box("x", dt.date(2020, 1, 1), [dt.date(2020, 1, 2)])

    assert mapper.load(mapper.dump(box), Box[dt.date]) == box
    assert mapper.load(mapper.dump(box), Box).value == "2020-01-01"


def test_a_subclass_of_a_generic_fills_in_the_arguments() -> None:
    @model("boxes")
    class DateBox(Box[dt.date]):
        pass

    box = DateBox("x", dt.date(2020, 1, 1))
    assert mapper.load(mapper.dump(box), DateBox) == box
    assert str(DateBox.value == dt.date(2020, 1, 1)) == (
        "DateBox.value == datetime.date(2020, 1, 1)"
    )


def test_paths_of_generics_know_their_arguments() -> None:
    assert repr(path(Box[int]).value) == "Box.value"
    assert str(path(Box[int]).value > 3) == "Box.value > 3"  # type: ignore[operator]
    with pytest.raises(TypeError, match="an int of up to 38 digits"):
        _ = path(Box[int]).value > "x"  # type: ignore[operator]


def test_path_of_a_path_is_that_path() -> None:
    assert path(Song.genre) is Song.genre  # type: ignore[comparison-overlap]


def test_path_of_a_model_suggests_fields() -> None:
    with pytest.raises(AttributeError, match="no field 'gener'; did you mean 'genre'"):
        path(Song).gener  # type: ignore[attr-defined]


# --- map_class --------------------------------------------------------------------------------------


@attrs.define
class Foreign:
    id: str
    rank: int = 0


map_class(Foreign, "foreign", partition_key="id", sort_key="rank")


def test_a_class_that_cannot_be_decorated_is_mapped_from_outside() -> None:
    assert repr(path(Foreign).rank) == "Foreign.rank"
    assert model_info(Foreign).table.types == {"rank": "N"}
    assert not model_info(Foreign).carries
    assert mapper.load(mapper.dump(Foreign("x", 1)), Foreign) == Foreign("x", 1)


def test_a_class_that_was_used_before_it_is_mapped_follows_the_mapping() -> None:
    @attrs.define
    class Late:
        id: str

    mapper.load({"id": {"S": "x"}, "other": {"S": "y"}}, Late)
    map_class(Late, "late", partition_key="id", unknown="forbid")

    with pytest.raises(MappingError, match="unknown='forbid'"):
        mapper.load({"id": {"S": "x"}, "other": {"S": "y"}}, Late)


def test_map_class_refuses_what_has_no_fields() -> None:
    with pytest.raises(ModelError) as caught:
        map_class(int, "ints")
    assert str(caught.value) == (
        "<class 'int'>: map_class takes an attrs class, a dataclass, a pydantic model or a struct"
    )


def test_map_class_refuses_a_class_that_is_mapped() -> None:
    with pytest.raises(ModelError) as caught:
        map_class(Foreign, "foreign", partition_key="id")
    assert str(caught.value) == "Foreign: it is mapped already"


def test_map_class_refuses_a_key_that_is_no_field() -> None:
    @attrs.define
    class Thing:
        name: str

    with pytest.raises(ModelError) as caught:
        map_class(Thing, "things", partition_key="nam")
    assert (
        str(caught.value)
        == "Thing: the key names 'nam', which is not a field; did you mean 'name'?"
    )
    assert info_of(Thing) is None


# --- Subclasses -----------------------------------------------------------------------------------


class Undecorated(Song):
    year: int = 0


def test_an_undecorated_subclass_is_refused_when_it_is_dumped_or_loaded() -> None:
    message = (
        "Undecorated: it is a subclass of the model Song and not decorated itself, so its own "
        "fields would be lost; decorate it with @model(...)"
    )
    for use in (
        lambda: mapper.dump(Undecorated("a", "b")),
        lambda: mapper.load({}, Undecorated),
        lambda: model_info(Undecorated),
    ):
        with pytest.raises(ModelError) as caught:
            use()
        assert str(caught.value) == message


def test_a_subclass_with_attrs_fields_may_be_nested_without_a_table() -> None:
    @attrs.define
    class Cover(Song):
        by: str = ""

    @model("albums")
    class Album:
        id: str = partition_key()
        cover: Cover | None = None

    album = Album("x", Cover("a", "b", by="c"))
    assert mapper.load(mapper.dump(album), Album) == album


# --- Refusals ---------------------------------------------------------------------------------------


def declare(
    annotations: dict[str, Any], table: Any = "things", /, body: Any = (), **options: Any
) -> Any:
    namespace = {"__annotations__": annotations, **dict(body)}
    return model(table, **options)(type("Thing", (), namespace))


def refused(*args: Any, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        declare(*args, **options)
    return str(caught.value)


KEY = {"id": partition_key()}


def test_no_partition_key_is_refused() -> None:
    assert refused({"id": str}) == (
        "Thing: no field is the partition key; write `id: str = partition_key()` for one of them"
    )


def test_a_second_partition_key_is_refused() -> None:
    body = {"a": partition_key(), "b": partition_key()}
    assert refused({"a": str, "b": str}, body=body) == (
        "Thing.b: a second partition_key(); Thing.a has it already, and there can be only one"
    )


def test_a_second_version_is_refused() -> None:
    body = {**KEY, "a": field(version=True), "b": field(version=True)}
    assert refused({"id": str, "a": int, "b": int}, body=body) == (
        "Thing.b: a second version=True; Thing.a has it already, and there can be only one"
    )


@pytest.mark.parametrize(
    ("type_", "found"),
    [
        (list[str], "a list"),
        (bool, "a bool"),
        (set[str], "a set"),
        (dict[str, int], "a dict"),
        (Song, "a Song"),
    ],
)
def test_a_key_that_is_no_scalar_is_refused(type_: Any, found: str) -> None:
    assert refused({"id": type_}, body={"id": partition_key()}) == (
        f"Thing.id: a partition key is stored as text, a number or bytes; this is {found}"
    )


def test_a_key_that_may_be_none_is_refused() -> None:
    assert refused({"id": typing.Optional[str]}, body={"id": partition_key()}) == (
        "Thing.id: a partition key is never None; remove `| None`"
    )


def test_an_index_on_an_unknown_field_is_refused() -> None:
    indexes = [GlobalIndex("by-genre", partition_key="gener")]
    assert refused({"id": str, "genre": str}, body=KEY, indexes=indexes) == (
        "Thing: index 'by-genre' names 'gener', which is not a field; did you mean 'genre'?"
    )


def test_a_projection_of_an_unknown_field_is_refused() -> None:
    indexes = [GlobalIndex("by-id", partition_key="id", projection=["nam"])]
    assert refused({"id": str, "name": str}, body=KEY, indexes=indexes) == (
        "Thing: index 'by-id', its projection, names 'nam', which is not a field; did you mean 'name'?"
    )


def test_an_index_key_that_may_be_none_needs_none_as_its_default() -> None:
    indexes = [GlobalIndex("by-genre", partition_key="genre")]
    assert refused({"id": str, "genre": typing.Optional[str]}, body=KEY, indexes=indexes) == (
        "Thing.genre: the partition key of index 'by-genre' may be None only with None as its "
        "default: such an item is left out of the index; write `= None`, or remove `| None`"
    )


def test_an_index_key_that_is_no_scalar_is_refused() -> None:
    indexes = [GlobalIndex("by-flag", partition_key="flag")]
    assert refused({"id": str, "flag": bool}, body=KEY, indexes=indexes) == (
        "Thing.flag: the partition key of index 'by-flag' is stored as text, a number or bytes; "
        "this is a bool"
    )


def test_five_attributes_in_an_index_key_are_refused() -> None:
    with pytest.raises(ModelError) as caught:
        GlobalIndex("wide", partition_key=list("abcde"))
    assert str(caught.value) == (
        "GlobalIndex('wide'): a partition key has at most 4 attributes, found 5"
    )


def test_what_is_no_index_is_refused() -> None:
    assert refused({"id": str}, body=KEY, indexes=["genre"]) == (
        "Thing: indexes holds 'genre'; write GlobalIndex(...), LocalIndex(...) or VectorIndex(...)"
    )


def test_two_indexes_of_one_name_are_refused() -> None:
    indexes = [GlobalIndex("one", partition_key="id"), GlobalIndex("one", partition_key="id")]
    assert refused({"id": str}, body=KEY, indexes=indexes) == "Thing: two indexes are named 'one'"


def test_a_local_index_without_a_sort_key_is_refused() -> None:
    indexes = [LocalIndex("one", sort_key="rank")]
    assert refused({"id": str, "rank": int}, body=KEY, indexes=indexes) == (
        "Thing: a local index needs a table with a sort key; make it a GlobalIndex"
    )


def test_a_stored_name_used_twice_is_refused() -> None:
    body = {**KEY, "other": field(name="id")}
    assert refused({"id": str, "other": str}, body=body) == (
        "Thing.other: it is stored as 'id', and so is Thing.id; "
        "give one of the two another name with field(name=...)"
    )


def test_an_empty_stored_name_is_refused() -> None:
    assert refused({"id": str}, body={"id": partition_key(name="")}) == (
        "Thing.id: name='': an attribute's name is text and not empty"
    )


def test_a_type_without_a_stored_form_is_refused() -> None:
    assert refused({"id": str, "what": complex}, body=KEY) == (
        "Thing.what: expected a type that can be stored, found complex; register an unstructure "
        "and a structure hook for it on the mapper before the class is declared"
    )


def test_a_type_without_a_stored_form_deep_inside_is_named() -> None:
    @attrs.define
    class Part:
        what: complex

    assert refused({"id": str, "parts": list[Part]}, body=KEY).startswith(
        "Thing.parts.what: expected a type that can be stored, found complex"
    )


def test_a_version_that_is_no_int_is_refused() -> None:
    for type_, found in ((str, "a str"), (float, "a finite float between 1E-130 and 1E126")):
        body = {**KEY, "v": field(version=True)}
        assert refused({"id": str, "v": type_}, body=body) == (
            f"Thing.v: a version is an int; this is {found}"
        )


def test_a_timestamp_that_is_no_datetime_is_refused() -> None:
    body = {**KEY, "at": field(created=True)}
    assert refused({"id": str, "at": str}, body=body) == (
        "Thing.at: created=True is a datetime; this is a str"
    )


def test_a_time_to_live_that_is_no_time_is_refused() -> None:
    for type_, found in ((str, "str"), (dt.timedelta, "timedelta")):
        body = {**KEY, "ttl": field(ttl=True)}
        assert refused({"id": str, "ttl": type_}, body=body) == (
            f"Thing.ttl: expected a datetime or a number as the time to live, found {found}; "
            f"the service reads whole epoch seconds"
        )


def test_a_set_with_a_default_that_is_not_empty_is_refused() -> None:
    body = {**KEY, "tags": attrs.field(factory=lambda: {"a"})}
    assert refused({"id": str, "tags": set[str]}, body=body) == (
        "Thing.tags: expected no default, or an empty one, for a set, found set {'a'}; an empty "
        "set is not stored and reads back as empty; declare the field as `set[...] | None`, or "
        "fill it where the object is made"
    )


def test_a_union_that_cannot_be_told_apart_is_refused() -> None:
    assert refused({"id": str, "n": typing.Union[int, float]}, body=KEY) == (
        "Thing.n: expected a union whose members are stored differently, found int | float: both are "
        "stored as N, so the type would be lost; use one of them, or register hooks for the union on "
        "the mapper"
    )


def test_a_table_name_that_the_service_refuses_is_refused() -> None:
    assert refused({"id": str}, "a b", body=KEY) == (
        "Thing: the name of a table has 3 to 255 characters of a-z, A-Z, 0-9, '_', '-' and '.', and is "
        "not 'a b'"
    )


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        model(Song)  # type: ignore[arg-type, misc]
    assert str(caught.value).startswith("@model: its first argument is a table's name or a Table")


def test_the_key_of_a_table_object_must_be_a_field() -> None:
    table = Table("things", partition_key="pk", sort_key="order")
    assert refused({"pk": str, "ordre": str}, table) == (
        "Thing: the sort key of Table('things') is 'order', and no field is stored under that "
        "name; did you mean 'ordre'?; add the field, or give one field(name='order'); a key that "
        "is made of fields is written @model(..., order='...{field}')"
    )


def test_the_key_of_a_table_object_must_have_its_type() -> None:
    table = Table("things", partition_key="pk")
    assert refused({"pk": int}, table) == (
        "Thing.pk: it is stored as N, and Table('things') has the key attribute 'pk' as S; "
        "write Table(..., types={'pk': 'N'})"
    )


def test_a_marked_key_must_be_that_of_the_table_object() -> None:
    table = Table("things", partition_key="pk")
    assert refused({"pk": str, "id": str}, table, body=KEY) == (
        "Thing.id: it is marked partition_key(), and Table('things') has 'pk' there"
    )


def test_indexes_beside_a_table_object_are_refused() -> None:
    table = Table("things", partition_key="pk")
    indexes = [GlobalIndex("one", partition_key="pk")]
    assert refused({"pk": str}, table, indexes=indexes) == (
        "Thing: declare its indexes on the Table 'things', not on the model"
    )


def test_a_time_to_live_that_the_table_object_has_not_is_refused() -> None:
    table = Table("things", partition_key="pk")
    assert refused({"pk": str, "ttl": int}, table, body={"ttl": field(ttl=True)}) == (
        "Thing.ttl: it is marked ttl=True, and Table('things') has ttl=None; "
        "write Table(..., ttl='ttl')"
    )


def test_a_wrong_unknown_is_refused() -> None:
    assert refused({"id": str}, body=KEY, unknown="ignore") == (
        "Thing: unknown='ignore': write 'keep', 'drop' or 'forbid'"
    )


def test_decorating_twice_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        model("songs")(Song)
    assert str(caught.value) == "Song: it is decorated with @model twice"


def test_attrs_options_on_an_attrs_class_are_refused() -> None:
    @attrs.define
    class Thing:
        id: str = partition_key()

    with pytest.raises(ModelError) as caught:
        model("things", frozen=True)(Thing)
    assert str(caught.value) == (
        "Thing: it is decorated with attrs already, so frozen cannot be applied; "
        "give that to @attrs.define"
    )


def test_a_dataclass_is_refused() -> None:
    import dataclasses

    @dataclasses.dataclass
    class Thing:
        id: str

    with pytest.raises(ModelError) as caught:
        model("things")(Thing)
    assert str(caught.value) == (
        "Thing: it is a dataclass; remove @dataclass, or leave @model out and write map_class(Thing, ...) "
        "below the class"
    )


def test_errors_of_declarations_name_model_and_field() -> None:
    with pytest.raises(ModelError) as caught:
        declare({"id": list[str]}, body={"id": partition_key()})
    assert (caught.value.model, caught.value.field) == ("Thing", "id")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
