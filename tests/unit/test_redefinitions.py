"""Classes that are defined again under their names, as by the cell of a notebook that is run twice."""

from __future__ import annotations

import copy
import enum
import gc
import importlib.util
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Literal

import attrs
import pytest

from dynattrs import (
    ConditionError,
    GlobalIndex,
    MappingError,
    QueryError,
    Session,
    Table,
    field,
    map_class,
    mapper,
    model,
    partition_key,
    path,
    set_,
)
from dynattrs.mapper import Mapper
from dynattrs.mapper.codec import Refused
from dynattrs.schema.definitions import Definitions, two_names
from dynattrs.schema.model_info import model_info, models_in


@attrs.frozen
class Cell:
    """What one run of a cell defines."""

    address: Any
    colour: Any
    person: Any


def run(table: Any = "people", **options: Any) -> Cell:
    class Colour(enum.Enum):
        RED = "red"

    @attrs.define
    class Address:
        city: str

    @model(table, **options)
    class Person:
        id: str = partition_key()
        address: Address | None = None
        former: list[Address] = attrs.field(factory=list)
        colour: Colour | None = None
        either: Address | Colour | None = None

    return Cell(Address, Colour, Person)


@pytest.fixture
def session() -> Iterator[Any]:
    with Session(client=object()) as session:
        yield session


# --- Messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        lambda session, old, new: session.query(new.person).where(old.person.id == "1"),
        lambda session, old, new: session.scan(new.person).where(old.person.id == "1"),
        lambda session, old, new: session.scan(new.person).filter(old.person.id == "1"),
        lambda session, old, new: session.scan(new.person).select(old.person.id),
        lambda session, old, new: session.query(new.person, old.person),
        lambda session, old, new: session.save(new.person("1"), when=old.person.id == "1"),
        lambda session, old, new: session.delete(new.person, "1", when=old.person.id == "1"),
        lambda session, old, new: session.update(new.person, "1", set_(old.person.address, None)),
        lambda session, old, new: old.person.id == new.person.id,
    ],
)
def test_a_path_of_an_older_definition_is_named_as_that(session: Any, act: Callable[..., Any]):
    old, new = run(), run()

    with pytest.raises((QueryError, ConditionError), match="an older definition of Person"):
        act(session, old, new)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("address", lambda old: old.address("Paris")),
        ("former", lambda old: [old.address("Paris")]),
        ("colour", lambda old: old.colour.RED),
        ("either", lambda old: old.address("Paris")),
        ("either", lambda old: old.colour.RED),
    ],
)
def test_a_value_of_an_older_definition_is_named_as_that(name: str, value: Callable[[Cell], Any]):
    old, new = run(), run()
    person = new.person("1", **{name: value(old)})

    with pytest.raises(MappingError, match=r"which is of an older definition of (Address|Colour)"):
        mapper.dump(person)


def test_a_choice_of_an_older_definition_is_named_as_that():
    # Python keeps the last literals, so it is not among what every run of the cell defines.
    old, new = run(), run()
    codec = mapper.default.codec(Literal[new.colour.RED])  # type: ignore[name-defined]

    with pytest.raises(Refused) as caught:
        codec.dump(old.colour.RED)

    assert "which is of an older definition of Colour" in caught.value.found


def test_a_value_of_a_newer_definition_says_that_the_field_has_the_older_one():
    old, new = run(), run()

    with pytest.raises(MappingError, match="where an older definition of Address is expected"):
        mapper.dump(old.person("1", new.address("Paris")))


def test_what_a_module_has_today_is_the_newer_definition():
    """Also where the older one was met later."""
    module: Any = types.ModuleType("notebook")
    sys.modules[module.__name__] = module
    try:
        exec("class Song: pass", vars(module))
        first = module.Song
        exec("class Song: pass", vars(module))

        assert two_names(first, module.Song) == ("an older definition of Song", "Song")
        assert two_names(module.Song, first) == ("Song", "an older definition of Song")
    finally:
        del sys.modules[module.__name__]


def test_where_nothing_tells_which_is_older_they_are_told_apart_all_the_same():
    one, other = run().address, run().address
    unknown = [type("Address", (), {"__qualname__": one.__qualname__}) for _ in range(2)]

    assert two_names(*unknown) == ("another definition of Address", "Address")
    assert two_names(one, int) == ("Address", "int")
    assert two_names(one, one) == ("Address", "Address")
    assert two_names(one, other) == ("an older definition of Address", "Address")


def test_both_definitions_work():
    old, new = run(), run()

    for cell in (old, new, old):
        person = cell.person("1", cell.address("Paris"), [cell.address("Rome")], cell.colour.RED)

        assert mapper.load(mapper.dump(person), cell.person) == person


# --- Memory -------------------------------------------------------------------------------------


RUNS = 20


def alive(references: list[weakref.ref[Any]]) -> int:
    gc.collect()
    return sum(each() is not None for each in references)


def use(session: Any, cell: Cell) -> None:
    """Everything that keeps something for a class."""
    person = cell.person("1", cell.address("Paris"), [], cell.colour.RED)
    item = mapper.dump(person)
    own = cell.person.address
    session.tables.create(cell.person)
    session.save(person)
    with session.batch() as batch:
        batch.save(person)
    session.save_all([person])
    assert session.get(cell.person, "1") == person
    assert session.query(cell.person).where(cell.person.id == "1").all() == [person]
    assert session.scan(cell.person).where(own.city == "Paris").all() == [person]
    assert session.scan(cell.person).select(own).all() == [(person.address,)]
    session.update(cell.person, "1", set_(own.city, "Rome"))
    with session.edit(person) as edited:
        edited.colour = None
    mapper.default.dump_with_size(person)
    mapper.from_json(mapper.to_json(person), cell.person)
    mapper.default.structure(mapper.default.unstructure(person), cell.person)
    assert pickle.dumps(item)
    assert copy.deepcopy(item)
    session.delete(person)
    session.tables.delete(cell.person)


@pytest.fixture
def local() -> Iterator[Any]:
    if importlib.util.find_spec("ministack") is None:
        pytest.skip("pip install 'dynattrs[local]'")
    with Session.local() as session:
        yield session


def test_old_definitions_are_let_go_of(local: Any):
    """A notebook's cell that is run again and again, with all that keeps something for a class."""

    def define() -> list[type[Any]]:
        cell = run()
        use(local, cell)
        return [cell.address, cell.colour, cell.person]

    assert left_of(define) <= 1


@pytest.mark.parametrize("shared", [False, True])
def test_a_table_lets_go_of_old_models(shared: bool):
    table = Table("app", partition_key="pk", indexes=[GlobalIndex("by-city", partition_key="city")])

    def define() -> list[type[Any]]:
        @model(table if shared else attrs.evolve(table), pk="PERSON#{id}")
        class Person:
            id: str
            city: str | None = None

        mapper.load(mapper.dump(Person("1")), Person)
        return [Person]

    assert left_of(define) <= 1
    assert len(models_in(table)) <= 1


def left_of(define: Callable[[], list[type[Any]]]) -> int:
    """How many of the classes of some runs are alive, beside what the last one has made."""
    former: list[weakref.ref[Any]] = []
    for _ in range(RUNS):
        former += map(weakref.ref, define())
    return alive(former) - len(former) // RUNS + 1


def test_mapped_classes_are_let_go_of():
    def define() -> list[type[Any]]:
        @attrs.define
        class Foreign:
            id: str
            other: Foreign | None = None

        map_class(Foreign, "foreign", partition_key="id", unknown="drop")
        mapper.load(mapper.dump(Foreign("1", Foreign("2"))), Foreign)
        assert repr(path(Foreign).id) == "Foreign.id"
        return [Foreign]

    assert left_of(define) <= 1


def test_classes_that_name_each_other_in_a_function_are_let_go_of():
    def define() -> list[type[Any]]:
        @attrs.define
        class Parent:
            child: Child | None = None

        @attrs.define
        class Child:
            parent: Parent | None = None

        @model("families")
        class Family:
            id: str = partition_key()
            parent: Parent | None = None

        mapper.load(mapper.dump(Family("1", Parent(Child(Parent())))), Family)
        return [Parent, Child, Family]

    assert left_of(define) <= 1


def test_a_model_that_stays_lets_go_of_subclasses_with_unique_fields():
    table = Table("app", partition_key="pk", discriminator="type")

    @model(table, pk="{id}")
    class Base:
        id: str

    def define() -> list[type[Any]]:
        @model(table)
        class Sub(Base):
            email: str = field(default="", unique=True)

        mapper.dump(Sub("1"))
        return [Sub]

    assert left_of(define) <= 1
    assert len(model_info(Base).guarding) <= 1


def test_metaclasses_that_are_defined_again_are_let_go_of():
    def define() -> list[type[Any]]:
        class Meta(type):
            pass

        @model("things")
        class Thing(metaclass=Meta):
            id: str = partition_key()

        mapper.dump(Thing("1"))
        return [Meta, Thing]

    assert left_of(define) <= 1


def test_a_mapper_of_ones_own_lets_go_of_hooked_classes():
    def is_money(cls: Any) -> bool:
        return getattr(cls, "__name__", "") == "Money"

    own = Mapper()
    own.register_unstructure_hook_func(is_money, lambda money: money.cents)
    own.register_structure_hook_func(is_money, lambda cents, cls: cls(cents))

    def define() -> list[type[Any]]:
        class Money:
            def __init__(self, cents: int) -> None:
                self.cents = cents

        @model("purchases", mapper=own)
        class Purchase:
            id: str = partition_key()
            price: Money | None = None

        read = own.load(own.dump(Purchase("1", Money(5))), Purchase)
        assert read.price is not None
        assert read.price.cents == 5
        return [Purchase, Money]

    assert left_of(define) <= 1


def test_classes_of_one_name_that_are_all_in_use_keep_what_was_made_for_them():
    """A function that makes a model for each tenant: only declarations let go of anything."""
    cells = [run() for _ in range(3)]
    own: Any = mapper.default
    for cell in cells:
        mapper.dump(cell.person("1"))
    made = [own.codec(cell.person) for cell in cells]

    for cell in cells * 2:
        mapper.dump(cell.person("1"))

    assert [own.codec(cell.person) for cell in cells] == made


def test_an_unhurt_class_keeps_what_was_made_for_it():
    @model("others")
    class Other:
        id: str = partition_key()
        price: Decimal = Decimal(0)

    mapper.dump(Other("1"))
    own: Any = mapper.default
    before = own.codec(Other)
    for _ in range(3):
        mapper.dump(run().person("1"))

    assert own.codec(Other) is before


def test_definitions_keep_nothing_alive():
    definitions = Definitions()
    one, other = run().address, run().address

    assert definitions.meet(one) == set()
    assert definitions.meet(other) == {one}
    assert definitions.meet(one) == set()
    former = [weakref.ref(one), weakref.ref(other)]
    del one, other
    run()
    assert alive(former) <= 1
