# ruff: noqa: UP007 - every spelling of a type is tested
"""cattrs' customisation works on the mapper: hooks, overrides, strategies."""

from __future__ import annotations

from typing import Any, Union

import attrs
import cattrs.strategies
import pytest
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from dynattrs import mapper as default_mapper
from dynattrs import model, partition_key
from dynattrs.errors import MappingError, ModelError
from dynattrs.mapper import Mapper


class Money:
    """Somebody's class, with no fields that anybody knows of."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)


def with_money() -> Mapper:
    mapper = Mapper()
    mapper.register_unstructure_hook(Money, lambda money: f"{money.cents} ct")
    mapper.register_structure_hook(Money, lambda text, _: Money(int(text.removesuffix(" ct"))))
    return mapper


@attrs.define
class Price:
    net: Money
    more: list[Money] = attrs.field(factory=list)
    some: set[Money] = attrs.field(factory=set)
    perhaps: Money | None = None


def test_hooks_of_a_class_are_used_wherever_it_is() -> None:
    mapper = with_money()
    price = Price(Money(1), [Money(2)], {Money(3)}, Money(4))

    assert mapper.dump(price) == {
        "net": {"S": "1 ct"},
        "more": {"L": [{"S": "2 ct"}]},
        "some": {"SS": ["3 ct"]},
        "perhaps": {"S": "4 ct"},
    }
    assert mapper.load(mapper.dump(price), Price) == price
    assert mapper.load(mapper.dump(Price(Money(1))), Price) == Price(Money(1))
    assert mapper.from_json(mapper.to_json(price), Price) == price


def test_a_hook_that_fails_names_the_place() -> None:
    mapper = with_money()
    with pytest.raises(MappingError, match=r"Price.more\[0\]: expected a Money, found S 'x'"):
        mapper.load({"net": {"S": "1 ct"}, "more": {"L": [{"S": "x"}]}}, Price)
    with pytest.raises(MappingError, match=r"Price.net: expected a Money, found int 3"):
        mapper.dump(Price(3))  # type: ignore[arg-type]


def test_a_model_is_declared_with_the_mapper_that_knows_its_types() -> None:
    mapper = with_money()

    @model("things", mapper=mapper)
    class Thing:
        id: str = partition_key()
        price: Money | None = None

    assert mapper.load(mapper.dump(Thing("x", Money(1))), Thing) == Thing("x", Money(1))
    with pytest.raises(ModelError, match="register an unstructure and a structure hook"):

        @model("things")
        class Other:
            id: str = partition_key()
            price: Money | None = None


def test_hooks_registered_later_change_what_was_made_before() -> None:
    mapper = Mapper()

    @attrs.define
    class Thing:
        name: str

    assert mapper.dump(Thing("a")) == {"name": {"S": "a"}}
    mapper.register_unstructure_hook(str, str.upper)
    mapper.register_structure_hook(str, lambda text, _: text.lower())
    assert mapper.dump(Thing("a")) == {"name": {"S": "A"}}
    assert mapper.load({"name": {"S": "A"}}, Thing) == Thing("a")


def test_hooks_for_plain_types_apply_to_containers() -> None:
    mapper = Mapper()
    mapper.register_unstructure_hook(bool, lambda flag: "yes" if flag else "no")
    mapper.register_structure_hook(bool, lambda text, _: text == "yes")

    @attrs.define
    class Thing:
        flags: list[bool]

    assert mapper.dump(Thing([True])) == {"flags": {"L": [{"S": "yes"}]}}
    assert mapper.load(mapper.dump(Thing([True, False])), Thing) == Thing([True, False])


def test_predicates_and_factories_work() -> None:
    mapper = Mapper()

    @mapper.register_unstructure_hook_factory(lambda type_: type_ is Money)
    def unstructure(type_: Any) -> Any:
        return lambda money: money.cents

    mapper.register_structure_hook_func(lambda type_: type_ is Money, lambda n, _: Money(n))
    assert mapper.load(mapper.dump(Price(Money(5))), Price) == Price(Money(5))
    assert mapper.dump(Price(Money(5)))["net"] == {"N": "5"}


@attrs.define
class Inner:
    snake_case: int
    tags: set[str] = attrs.field(factory=set)
    data: bytes = b""


def test_renaming_overrides_work() -> None:
    mapper = Mapper()
    names = {"snake_case": override(rename="camelCase")}
    mapper.register_unstructure_hook(Inner, make_dict_unstructure_fn(Inner, mapper, **names))
    mapper.register_structure_hook(Inner, make_dict_structure_fn(Inner, mapper, **names))

    @model("outer", mapper=mapper)
    class Outer:
        id: str = partition_key()
        inner: Inner | None = None

    outer = Outer("x", Inner(3, {"a"}, b"b"))
    assert mapper.dump(outer)["inner"]["M"]["camelCase"] == {"N": "3"}
    assert mapper.load(mapper.dump(outer), Outer) == outer
    assert mapper.from_json(mapper.to_json(outer), Outer) == outer
    assert repr(Outer.inner.snake_case) == "Outer.inner.snake_case"  # type: ignore[union-attr]
    from dynattrs.expressions.paths import data_of

    path: Any = Outer.inner.snake_case  # type: ignore[union-attr]
    assert data_of(path).steps == ("inner", "camelCase")


def test_a_whole_model_may_have_hooks_and_carries_what_is_unknown() -> None:
    mapper = Mapper()

    @model("outer", mapper=mapper)
    class Outer:
        id: str = partition_key()
        snake_case: int = 0

    names = {"snake_case": override(rename="camelCase")}
    mapper.register_unstructure_hook(Outer, make_dict_unstructure_fn(Outer, mapper, **names))
    mapper.register_structure_hook(Outer, make_dict_structure_fn(Outer, mapper, **names))

    item = {"id": {"S": "x"}, "camelCase": {"N": "3"}, "extra": {"BOOL": True}}
    loaded = mapper.load(item, Outer)
    assert loaded == Outer("x", 3)
    assert mapper.dump(loaded) == item
    with pytest.raises(MappingError, match=r"Outer\.id: expected a value that is not empty"):
        mapper.dump(Outer("", 3))


@attrs.define
class Circle:
    radius: int


@attrs.define
class Square:
    side: int


def test_configured_tagged_unions_work() -> None:
    mapper = Mapper()
    cattrs.strategies.configure_tagged_union(
        Union[Circle, Square], mapper, tag_name="kind", tag_generator=lambda cls: cls.__name__[0]
    )

    @attrs.define
    class Drawing:
        shapes: list[Circle | Square]

    drawing = Drawing([Circle(1), Square(2)])
    assert mapper.dump(drawing)["shapes"]["L"][1] == {"M": {"side": {"N": "2"}, "kind": {"S": "S"}}}
    assert mapper.load(mapper.dump(drawing), Drawing) == drawing


@attrs.define
class Animal:
    name: str


@attrs.define
class Dog(Animal):
    tricks: int


def test_subclasses_can_be_included() -> None:
    mapper = Mapper()
    cattrs.strategies.include_subclasses(
        Animal, mapper, union_strategy=cattrs.strategies.configure_tagged_union
    )

    @attrs.define
    class Zoo:
        animals: list[Animal]

    zoo = Zoo([Animal("a"), Dog("d", 3)])
    assert mapper.load(mapper.dump(zoo), Zoo) == zoo


class Version:
    def __init__(self, *parts: int) -> None:
        self.parts = parts

    def to_plain(self) -> str:
        return ".".join(map(str, self.parts))

    @classmethod
    def from_plain(cls, text: str) -> Version:
        return cls(*map(int, text.split(".")))


@attrs.define
class Release:
    version: Version


def test_class_methods_can_be_the_hooks() -> None:
    mapper = Mapper()
    cattrs.strategies.use_class_methods(mapper, "from_plain", "to_plain")

    release = mapper.load({"version": {"S": "1.2"}}, Release)
    assert release.version.parts == (1, 2)
    assert mapper.dump(release) == {"version": {"S": "1.2"}}


def test_a_copy_has_the_hooks_and_its_own() -> None:
    original = with_money()
    original.register_unstructure_hook(str, str.upper)
    copied = original.copy()
    copied.register_unstructure_hook(Money, lambda money: money.cents)
    copied.register_structure_hook(Money, lambda cents, _: Money(cents))

    price = Price(Money(1))
    assert isinstance(copied, Mapper)
    assert original.dump(price) == {"net": {"S": "1 ct"}, "more": {"L": []}}
    assert copied.dump(price) == {"net": {"N": "1"}, "more": {"L": []}}
    assert copied.load(copied.dump(price), Price) == price
    assert original.load(original.dump(price), Price) == price
    assert copied.dump(Animal("x")) == {"name": {"S": "X"}}
    assert default_mapper.dump(Animal("x")) == {"name": {"S": "x"}}


def test_unstructure_and_structure_work_on_plain_values() -> None:
    mapper = Mapper()
    inner = Inner(3, {"a"}, b"b")

    plain = mapper.unstructure(inner)
    assert plain == {"snake_case": 3, "tags": {"a"}, "data": b"b"}
    assert mapper.structure(plain, Inner) == inner
    assert mapper.structure([1, 2], tuple[int, ...]) == (1, 2)
    with pytest.raises(MappingError, match=r"Inner.snake_case: expected a number \(N\)"):
        mapper.structure({"snake_case": "x"}, Inner)
