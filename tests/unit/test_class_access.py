"""Class access gives paths; everything else about classes stays as it is in Python."""

from __future__ import annotations

import abc
import copy
import enum
import functools
import inspect
import pickle
import pydoc
import typing
from array import array
from typing import Annotated, Any, Generic, Protocol, TypeVar
from unittest import mock

import attrs
import pytest

from dynattrs import ConditionError, field, mapper, model, partition_key, path, sort_key
from dynattrs.expressions.paths import Path
from dynattrs.models.class_access import ModelMeta

T = TypeVar("T")


@model("music")
class Song:
    """A song."""

    artist: str = partition_key()
    title: str = sort_key()
    genre: str = "unknown"
    plays: int = 0

    def shout(self) -> str:
        """The title, loud."""
        return self.title.upper()


def song() -> Song:
    return Song("Nina Simone", "Sinnerman", "jazz", 3)


def is_path(value: object, label: str) -> bool:
    return type(value) is Path and repr(value) == label


# --- Fields -------------------------------------------------------------------------------------


def test_class_access_gives_a_path_and_instance_access_the_value() -> None:
    assert is_path(Song.genre, "Song.genre")
    assert song().genre == "jazz"


def test_instances_have_plain_slots() -> None:
    assert not hasattr(song(), "__dict__")
    assert type(inspect.getattr_static(Song, "genre")).__name__ == "member_descriptor"


def test_a_misspelt_attribute_assignment_is_refused() -> None:
    """Trap: a misspelt attribute assignment is ignored."""
    with pytest.raises(AttributeError):
        song().yaer = 1965  # type: ignore[attr-defined]


def test_an_unknown_class_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Song has no field 'titel'; did you mean 'title'"):
        Song.titel  # type: ignore[attr-defined]


def test_an_attribute_of_another_models_field_name_is_an_attribute_error() -> None:
    @model("other")
    class Other:
        id: str = partition_key()
        only_here: int = 0

    with pytest.raises(AttributeError, match="Song has no field 'only_here'"):
        Song.only_here  # type: ignore[attr-defined]
    assert not hasattr(Song, "only_here")


@pytest.mark.parametrize("name", ["mro", "register"])
def test_a_field_called_like_an_attribute_of_metaclasses_is_reached_by_path(name: str) -> None:
    cls = model("odd")(
        type("Odd", (), {"__annotations__": {"id": str, name: int}, "id": partition_key(), name: 1})
    )

    assert not isinstance(getattr(cls, name), Path)
    assert type.mro(cls)[0] is cls
    assert is_path(getattr(path(cls), name), f"Odd.{name}")
    assert getattr(cls("x"), name) == 1
    assert mapper.load(mapper.dump(cls("x", 5)), cls) == cls("x", 5)


def test_fields_called_name_and_keys_and_register_work() -> None:
    @model("odd")
    class Odd:
        name: str = partition_key()
        keys: int = 0
        items: int = 0
        values: int = 0
        data: int = 0
        find: int = 0
        form: int = 0
        steps: int = 0
        cls: int = 0
        value: int = 0
        item: int = 0
        instance: int = 0
        each: int = 0
        build: int = 0
        known: int = 0

    for each in attrs.fields(Odd):  # type: ignore[arg-type, misc]
        assert is_path(getattr(Odd, each.name), f"Odd.{each.name}")
    odd = Odd("x", *range(1, 15))
    assert mapper.load(mapper.dump(odd), Odd) == odd


# --- Inheritance --------------------------------------------------------------------------------


def test_super_works_in_methods() -> None:
    @model("songs")
    class Loud(Song):
        def shout(self) -> str:
            return super().shout() + "!"

        @property
        def quiet(self) -> str:
            return super().shout().lower()

        @classmethod
        def made(cls) -> tuple[type, type]:
            return cls, __class__  # type: ignore[name-defined]

        @staticmethod
        def own() -> type:
            return __class__  # type: ignore[name-defined, no-any-return]

    loud = Loud("a", "b")
    assert loud.shout() == "B!"
    assert loud.quiet == "b"
    assert Loud.made() == (Loud, Loud)
    assert Loud.own() is Loud


def decorated(function: Any) -> Any:
    """A decorator that leaves no `__wrapped__`."""
    return lambda *args: (function(*args),)[0]


@pytest.mark.parametrize("slots", [True, False])
def test_super_works_inside_decorators(slots: bool) -> None:
    """attrs, too, makes the class again, and rewrites only the cells of bare functions."""

    class Base:
        def name(self) -> str:
            return "base"

    @model("songs", slots=slots)
    class Child(Base):
        id: str = partition_key()

        @decorated
        def name(self) -> str:
            return super().name() + "+"

    assert Child("x").name() == "base+"


def test_super_works_where_the_decorator_stands_above_attrs() -> None:
    class Base:
        def name(self) -> str:
            return "base"

    @model("songs")
    @attrs.define
    class Child(Base):
        id: str = partition_key()

        @functools.cached_property
        def cached(self) -> str:
            return super().name() + "~"

        def name(self) -> str:
            return super().name() + "+"

    assert Child("x").name() == "base+"
    assert Child("x").cached == "base~"


@pytest.mark.parametrize("slots", [True, False])
def test_cached_properties_work(slots: bool) -> None:
    calls = []

    @model("songs", slots=slots)
    class Cached:
        id: str = partition_key()

        @functools.cached_property
        def long(self) -> str:
            calls.append(self.id)
            return self.id * 3 + __class__.__name__  # type: ignore[name-defined]

    cached = Cached("x")
    assert cached.long == "xxxCached"
    assert cached.long == "xxxCached"
    assert calls == ["x"]


def test_an_inherited_field_is_a_path_of_the_child() -> None:
    @model("live")
    class Live(Song):
        year: int = 0

    assert is_path(Live.genre, "Live.genre")
    assert is_path(Live.year, "Live.year")
    assert is_path(Song.genre, "Song.genre")
    assert Live("a", "b", year=3).genre == "unknown"


def test_an_overridden_field_works_on_both_classes() -> None:
    @model("live")
    class Live(Song):
        genre: str = "live"

    assert Live("a", "b").genre == "live"
    assert Song("a", "b").genre == "unknown"
    assert is_path(Live.genre, "Live.genre")
    assert mapper.load(mapper.dump(Live("a", "b")), Live) == Live("a", "b")


def test_two_models_can_be_bases_of_one_class() -> None:
    @model("left", slots=False)
    class Left:
        id: str = partition_key()
        left: int = attrs.field(default=0, kw_only=True)

    @model("right", slots=False)
    class Right:
        id: str = partition_key()
        right: int = attrs.field(default=0, kw_only=True)

    @model("both", slots=False)
    class Both(Left, Right):
        own: int = 0

    both = Both("x", left=1, right=2, own=3)
    assert is_path(Both.left, "Both.left")
    assert is_path(Both.right, "Both.right")
    assert mapper.load(mapper.dump(both), Both) == both


def test_a_diamond_of_models_works() -> None:
    @model("top", slots=False)
    class Top:
        id: str = partition_key()

    @model("left", slots=False)
    class Left(Top):
        left: int = 0

    @model("right", slots=False)
    class Right(Top):
        right: int = 0

    @model("bottom", slots=False)
    class Bottom(Left, Right):
        pass

    bottom = Bottom("x", left=1, right=2)
    assert mapper.load(mapper.dump(bottom), Bottom) == bottom
    assert isinstance(bottom, Top)


def test_a_plain_slotted_mixin_works() -> None:
    class Mixin:
        __slots__ = ()

        def hello(self) -> str:
            return "hello"

    @model("mixed")
    class Mixed(Mixin, Song):
        pass

    assert Mixed("a", "b").hello() == "hello"


def test_abstract_models_cannot_be_made_and_their_children_can() -> None:
    @model("shapes")
    class Shape(abc.ABC):
        id: str = partition_key()

        @abc.abstractmethod
        def area(self) -> int: ...

    @model("shapes")
    class Square(Shape):
        side: int = 0

        def area(self) -> int:
            return self.side**2

    with pytest.raises(TypeError, match="abstract"):
        Shape("x")  # type: ignore[abstract]
    assert Square("x", 3).area() == 9
    assert is_path(Square.id, "Square.id")


def test_virtual_subclasses_of_a_model_can_be_registered() -> None:
    @model("shapes")
    class Shape(abc.ABC):
        id: str = partition_key()

    class Other:
        pass

    Shape.register(Other)
    assert isinstance(Other(), Shape)


@typing.runtime_checkable
class Named(Protocol):
    @property
    def title(self) -> str: ...


def test_a_protocol_can_be_a_base_of_a_model() -> None:
    class Loud(Protocol):
        def loud(self) -> str:
            return "loud"

    @model("songs")
    class Shout(Loud):
        id: str = partition_key()

    assert Shout("x").loud() == "loud"
    assert is_path(Shout.id, "Shout.id")


def test_a_model_and_a_protocol_can_be_bases_of_one_class() -> None:
    @model("songs")
    class Child(Song, Named):
        extra: int = 0

    assert is_path(Child.extra, "Child.extra")
    assert isinstance(Child("a", "b"), Named)
    assert isinstance(song(), Named)


def test_a_model_and_an_abc_can_be_bases_of_one_class() -> None:
    class Speaker(abc.ABC):
        @abc.abstractmethod
        def speak(self) -> str: ...

    @model("songs")
    class Child(Song, Speaker):
        def speak(self) -> str:
            return self.title

    assert Child("a", "b").speak() == "b"


class Registry(type):
    """Somebody else's metaclass, with an attribute, a property and a check of its own."""

    known: typing.ClassVar[list[str]] = []
    shelf = "top"

    def __init__(cls, *args: Any) -> None:
        super().__init__(*args)
        cls.known.append(cls.__name__)

    @property
    def label(cls) -> str:
        return f"<{cls.__name__}>"

    def __instancecheck__(cls, instance: Any) -> bool:
        return instance == "one of us" or super().__instancecheck__(instance)


def test_a_foreign_metaclass_keeps_working() -> None:
    @model("things")
    class Thing(metaclass=Registry):
        id: str = partition_key()

    @model("labels")
    class Label:
        label: str = partition_key()
        shelf: str = ""

    assert "Thing" in Registry.known
    assert isinstance(Thing, Registry)
    assert isinstance("one of us", Thing)
    assert Thing.label == "<Thing>"
    assert Thing.shelf == "top"
    assert is_path(Thing.id, "Thing.id")
    assert is_path(Label.label, "Label.label")


def test_generic_models_keep_their_parameters() -> None:
    @model("boxes")
    class Box(Generic[T]):
        id: str = partition_key()
        value: T | None = None

    assert Box[int]("x", 3).value == 3
    assert is_path(Box.value, "Box.value")
    assert Box.__parameters__ == (T,)  # type: ignore[attr-defined]


def test_init_subclass_sees_the_finished_class_last() -> None:
    """attrs makes slotted classes twice, so hooks that register by name are right in the end."""
    seen = {}

    class Base:
        def __init_subclass__(cls, **options: Any) -> None:
            seen[cls.__name__] = cls

    @model("songs")
    class Child(Base):
        id: str = partition_key()

    assert seen["Child"] is Child


# --- Python's own tools -----------------------------------------------------------------------


def test_isinstance_and_issubclass_are_the_plain_ones() -> None:
    assert isinstance(song(), Song)
    assert not isinstance("x", Song)
    assert issubclass(Song, object)
    assert isinstance(Song, ModelMeta)


def test_singledispatch_chooses_by_model() -> None:
    @functools.singledispatch
    def kind(value: object) -> str:
        return "other"

    @kind.register(Song)
    def _(value: Song) -> str:
        return "song"

    @model("live")
    class Live(Song):
        pass

    assert kind(song()) == "song"
    assert kind(Live("a", "b")) == "song"
    assert kind(3) == "other"


def test_singledispatch_methods_work_on_models() -> None:
    @model("songs")
    class Singer:
        id: str = partition_key()

        @functools.singledispatchmethod
        def sing(self, value: object) -> str:
            return "la"

        @sing.register
        def _(self, value: int) -> str:
            return __class__.__name__ * value  # type: ignore[name-defined, no-any-return]

    assert Singer("x").sing("a") == "la"
    assert Singer("x").sing(2) == "SingerSinger"


def test_autospec_of_a_model_has_its_methods() -> None:
    double = mock.create_autospec(Song, instance=True)
    double.shout.return_value = "!"

    assert double.shout() == "!"
    with pytest.raises(AttributeError):
        double.whisper()


def test_match_statements_see_positional_fields() -> None:
    assert Song.__match_args__ == ("artist", "title", "genre", "plays")  # type: ignore[attr-defined]


def test_inspect_and_pydoc_describe_models() -> None:
    assert list(inspect.signature(Song).parameters) == ["artist", "title", "genre", "plays"]
    assert dict(inspect.getmembers(Song))["shout"] is Song.shout
    assert inspect.getdoc(Song) == "A song."
    text = pydoc.plain(pydoc.render_doc(Song))
    assert "The title, loud." in text
    assert "genre" in text


def test_the_repr_is_attrs_own() -> None:
    assert repr(song()) == "Song(artist='Nina Simone', title='Sinnerman', genre='jazz', plays=3)"
    assert repr(Song.genre) == "Song.genre"
    assert Song.__qualname__ == "Song"
    assert Song.__module__ == __name__


def test_models_pickle_and_copy() -> None:
    for each in (pickle.loads(pickle.dumps(song())), copy.copy(song()), copy.deepcopy(song())):
        assert each == song()
        assert type(each) is Song
    assert pickle.loads(pickle.dumps(Song)) is Song


def test_old_classes_are_not_left_behind() -> None:
    """The classes that the final one was made from are garbage."""
    import gc

    class Base:
        pass

    @model("songs")
    class Child(Base):
        id: str = partition_key()

        def own(self) -> type:
            return __class__  # type: ignore[name-defined, no-any-return]

    gc.collect()
    assert Base.__subclasses__() == [Child]


# --- Class attributes -------------------------------------------------------------------------------


class Plain(enum.Enum):
    genre = 1


def test_enums_and_plain_classes_do_not_notice() -> None:
    assert Plain.genre.value == 1


def other() -> Any:
    @model("other")
    class Other:
        id: str = partition_key()
        genre_of_all: typing.ClassVar[str] = "none"

        plays = "a class attribute called like Song's field"

        @classmethod
        def title(cls) -> str:
            return cls.__name__

    return Other


def test_a_class_attribute_called_like_another_models_field_is_ordinary() -> None:
    cls = other()

    assert cls.plays == "a class attribute called like Song's field"
    assert cls.title() == "Other"
    assert cls("x").title() == "Other"


def test_such_an_attribute_can_be_set_and_deleted() -> None:
    cls = other()

    cls.plays = "another"
    assert cls.plays == "another"
    cls.artist = "new"
    assert cls.artist == "new"
    del cls.artist
    with pytest.raises(AttributeError):
        cls.artist
    with pytest.raises(AttributeError):
        del cls.artist
    assert type(cls) is type(Song)


def test_such_an_attribute_can_be_patched() -> None:
    cls = other()

    with mock.patch.object(cls, "title", return_value="patched"):
        assert cls.title() == "patched"
    assert cls.title() == "Other"


def test_a_subclass_that_is_not_decorated_has_the_plain_slots() -> None:
    class Cover(Song):
        pass

    assert Cover("a", "b").genre == "unknown"
    assert not isinstance(Cover.genre, Path)


def test_slots_of_a_subclass_that_is_not_decorated_work() -> None:
    class Cover(Song):
        __slots__ = ("by",)

    cover = Cover("a", "b")
    cover.by = "x"
    assert cover.by == "x"


def test_private_names_have_paths() -> None:
    @model("secrets")
    class Secret:
        id: str = partition_key()
        _hidden: int = field(name="hidden", default=0)

    assert is_path(Secret._hidden, "Secret._hidden")
    assert mapper.dump(Secret("x", hidden=3)) == {"id": {"S": "x"}, "hidden": {"N": "3"}}


@attrs.define
class Studio:
    name: str = ""
    city: str | None = None


@model("recordings")
class Recording:
    id: str = partition_key()
    plays: int = 0
    year: int | None = None
    studio: Studio | None = None
    studios: list[Studio] = attrs.field(factory=list)
    tags: set[str] = attrs.field(factory=set)
    scores: dict[str, int] = attrs.field(factory=dict)
    vector: Annotated[array, "d"] | None = None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("R.plays += 1", "set_(Recording.plays, Recording.plays + 1)), add(...) for counting"),
        ("R.plays -= 1", "set_(Recording.plays, Recording.plays - 1))"),
        ("R.plays = 3", "Recording.plays cannot be assigned: on the class it is a path, and no item"),
        ("R.year = None", "set_(Recording.year, None))"),
        ("del R.year", "cannot be deleted: on the class it is a path, and no item changes; write "
         "session.update(..., remove(Recording.year))"),
        ("R.studio.city = 'Rome'", "set_(Recording.studio.city, 'Rome'))"),
        ("R.studios[0].city = 'Rome'", "set_(Recording.studios[0].city, 'Rome'))"),
        ("R.scores['a'] += 1", "set_(Recording.scores['a'], Recording.scores['a'] + 1))"),
        ("R.scores['a'] = 1", "set_(Recording.scores['a'], 1))"),
        ("del R.studio.city", "remove(Recording.studio.city)"),
        ("del R.scores['a']", "remove(Recording.scores['a'])"),
    ],
)  # fmt: skip
def test_assigning_to_a_field_of_the_class_is_refused_where_it_happens(code: str, message: str):
    """`Song.plays += 1` would replace the path, and every later condition with it."""
    with pytest.raises(ConditionError) as caught:
        exec(code, {"R": Recording})

    assert message in str(caught.value)
    assert repr(Recording.plays + 1) == "Recording.plays + 1"
    assert Recording("a", plays=3).plays == 3


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("R.tags.add('a')", "write session.update(..., add(Recording.tags, {...}))"),
        ("R.tags.discard('a')", "write session.update(..., delete(Recording.tags, {...}))"),
        ("R.studios.append(1)", "set_(Recording.studios, list_append(Recording.studios, [...])))"),
        (
            "R.vector.append(1)",
            "set_(Recording.vector, list_append(Recording.vector, array(...))))",
        ),
        ("R.id.startswith('a')", "write begins_with(Recording.id, ...)"),
        ("R.id.upper()", "functions such as begins_with(Recording.id, ...)"),
    ],
)
def test_what_is_meant_by_the_method_of_a_value_is_said(code: str, message: str):
    """To a checker `Song.tags` is a set, which has these methods."""
    with pytest.raises(AttributeError) as caught:
        exec(code, {"R": Recording})

    assert message in str(caught.value)


def test_other_attributes_of_a_class_are_assigned_whatever_other_models_have():
    """The descriptor of a name answers for all models."""
    Recording.genre = "jazz"

    assert Recording.genre == "jazz"  # type: ignore[attr-defined]
    del Recording.genre  # type: ignore[attr-defined]
    assert repr(Song.genre) == "Song.genre"


def test_a_path_lists_the_fields_of_its_class():
    """What an editor or a notebook completes after a dot."""

    def listed(path: object) -> list[str]:
        return [name for name in dir(path) if not name.startswith("__")]

    assert listed(Recording.studio) == ["city", "name"]
    assert listed(path(Recording.studios[0])) == ["city", "name"]
    assert listed(Recording.plays) == listed(Recording.scores) == []


def test_a_path_can_be_copied():
    assert repr(copy.copy(path(Recording.studio).city)) == "Recording.studio.city"
