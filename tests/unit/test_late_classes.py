"""Classes that attrs makes late are the classes that attrs makes at once, only later."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import threading
from typing import Any, ClassVar, Generic, TypeVar

import attrs
import pytest

from dynattrs import errors, events, late_classes

W = TypeVar("W")


def check_even(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if value % 2:
        raise ValueError(f"{attribute.name} is odd")


class Base:
    def __init_subclass__(cls, **options: Any) -> None:
        assert not options


def both(body: type[Any], **options: Any) -> tuple[Any, Any]:
    """A class as attrs makes it, and the same made late."""
    again = type(body)(
        body.__name__,
        body.__bases__,
        {
            name: value
            for name, value in vars(body).items()
            if name not in {"__dict__", "__weakref__"}
        },
    )
    again.__qualname__ = body.__qualname__
    return attrs.define(**options)(body), late_classes.define(**options)(again)


def bodies() -> list[tuple[type[Any], dict[str, Any]]]:
    class Plain:
        """What it is."""

        KIND: ClassVar[str] = "plain"
        number: int
        text: str = "a"
        many: list[int] = attrs.field(factory=list)

        def __str__(self) -> str:
            return self.text

    class Judged(Base):
        number: int = attrs.field(converter=int, validator=check_even, kw_only=True)
        _hidden: int = attrs.field(default=0, alias="hidden")
        made: str = attrs.field(init=False)

        def __attrs_post_init__(self) -> None:
            object.__setattr__(self, "made", str(self.number))

    class Of(Generic[W]):
        member: W

    class Failed(Exception):
        problem: str
        where: str | None = None

    return [
        (Plain, {}), (Plain, {"frozen": True}), (Plain, {"eq": False, "repr": False}),
        (Plain, {"eq": False, "frozen": True}), (Plain, {"slots": False}),
        (Judged, {}), (Judged, {"frozen": True}), (Of, {"eq": False}), (Of, {"order": True}),
        (Failed, {"eq": False, "slots": False}),
    ]  # fmt: skip


CASES = range(len(bodies()))


@pytest.mark.parametrize("number", CASES)
def test_what_is_made_late_has_what_attrs_makes(number: int):
    body, options = bodies()[number]
    at_once, late = both(body, **options)

    assert inspect.signature(late) == inspect.signature(at_once)
    assert [a.name for a in attrs.fields(late)] == [a.name for a in attrs.fields(at_once)]
    assert late.__match_args__ == at_once.__match_args__
    assert late.__doc__ == at_once.__doc__
    ignored = {"__qualname__", "__slots__", "__firstlineno__", "__annotations_cache__"}
    assert set(vars(late)) - ignored == set(vars(at_once)) - ignored
    assert set(vars(late).get("__slots__", ())) == set(vars(at_once).get("__slots__", ()))


@pytest.mark.parametrize("number", CASES)
def test_its_objects_behave_alike(number: int):
    body, options = bodies()[number]
    at_once, late = both(body, **options)
    name = attrs.fields(at_once)[0].name
    one, other = (cls(**{name: 4}) for cls in (at_once, late))

    assert repr(other).partition("object at")[0] == repr(one).partition("object at")[0]
    assert (late(**{name: 4}) == other) is (at_once(**{name: 4}) == one)
    assert hasattr(other, "__dict__") is hasattr(one, "__dict__")
    assert (late.__hash__ is None) is (at_once.__hash__ is None)
    for each in (one, other):
        changed = attrs.evolve(each, **{name: 6}) if not isinstance(each, Exception) else None
        assert changed is None or getattr(changed, name) == 6
        copied = copy.copy(each)
        assert [getattr(copied, a.name) for a in attrs.fields(type(each))] == [
            getattr(each, a.name) for a in attrs.fields(type(each))
        ]
        if options.get("frozen"):
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                setattr(each, name, 8)
        with pytest.raises(TypeError, match="missing 1 required"):
            type(each)()


def test_validators_and_converters_run_at_assignments_too():
    body, _ = bodies()[5]
    _, late = both(body)
    made = late(number="4")

    made.number = "6"
    assert made.number == 6
    with pytest.raises(ValueError, match="number is odd"):
        made.number = 7
    with pytest.raises(ValueError, match="number is odd"):
        late(number=7)


def test_a_subclass_is_made_of_a_class_that_is_not_made_yet():
    @late_classes.frozen
    class First:
        one: int

    @late_classes.frozen
    class Second(First):
        two: int = 2

    class Third(Second):
        pass

    assert Third(1) == Third(1, 2)
    assert repr(Second(1)).endswith("Second(one=1, two=2)")
    assert [a.name for a in attrs.fields(First)] == ["one"]
    assert not hasattr(Second(1), "__dict__")


def test_a_pattern_is_what_a_class_is_first_used_for():
    made = pickle.loads(pickle.dumps(events.Flush(1, 2, 3, 0.5)))

    match made:
        case events.Flush(saved, deleted):
            assert (saved, deleted) == (1, 2)
        case _:
            pytest.fail("it matches")


#: In a process of its own, which has made no object of any of these classes.
FIRST_USES = {
    "unpickling": "pickle.loads(sys.stdin.buffer.read())",
    "fields": "assert [a.name for a in attrs.fields(events.Flush)][0] == 'saved'",
    "has": "assert attrs.has(errors.ModelError) and attrs.has(errors.NoSuchTable)",
    "signature": "assert list(inspect.signature(errors.BatchClosed).parameters) == ['what']",
    "subclass": "type('Own', (errors.QueryError,), {})('wrong')",
    "attrs subclass": "attrs.define(type('Own', (errors.ModelError,), {}))('A', 'wrong')",
}


@pytest.mark.parametrize("use", FIRST_USES)
def test_any_first_use_will_do(use: str):
    made = [events.Flush(1, 2, 3, 0.5), errors.ModelError("A", "wrong", "b")]
    code = f"import attrs, inspect, pickle, sys\nfrom dynattrs import errors, events\n{FIRST_USES[use]}"
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(made), capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr.decode()


def test_threads_may_make_the_first_object_at_once():
    for _ in range(30):
        _, late = both(bodies()[1][0], frozen=True)
        start = threading.Barrier(4)
        made: list[Any] = []

        def make(
            late: Any = late, start: threading.Barrier = start, made: list[Any] = made
        ) -> None:
            start.wait()
            made.append(late(4))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [late(4)] * 4
        assert len({hash((each.number, each.text)) for each in made}) == 1


def test_an_interruption_leaves_a_class_that_can_still_be_made(monkeypatch: pytest.MonkeyPatch):
    """Wherever it comes: at each line that runs in the module, once."""
    for line in range(1, 2000, 3):
        _, late = both(bodies()[1][0], frozen=True)
        seen = 0

        def interrupt(frame: Any, event: str, _: Any, line: int = line) -> Any:
            nonlocal seen
            if frame.f_code.co_filename != late_classes.__file__:
                return None
            seen += event == "line"
            if seen == line:
                sys.settrace(None)
                raise KeyboardInterrupt
            return interrupt

        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            late(4)
        except KeyboardInterrupt:
            interrupted = True
        else:
            interrupted = False
        finally:
            sys.settrace(before)
        assert late(4) == late(4)
        assert repr(late(4)).endswith("Plain(number=4, text='a', many=[])")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            late(4).number = 5
        if not interrupted:
            assert line > 10
            return
    pytest.fail("it never came through")


@pytest.mark.parametrize("number", CASES)
def test_objects_made_before_attrs_has_its_say_are_like_those_made_after(number: int):
    body, options = bodies()[number]
    _, late = both(body, **options)
    name = next(each for each in body.__annotations__ if each != "KIND")
    before = late(**{name: 4})
    for _ in range(60):
        late(**{name: 4})
    after = late(**{name: 4})

    assert type(vars(late)["__init__"]) is type(check_even)
    state = [getattr(before, a.name) for a in attrs.fields(late)]
    assert state == [getattr(after, a.name) for a in attrs.fields(late)]
    if options.get("eq", not issubclass(body, Exception)):
        assert before == after


#: What may be the first thing that is done with an object.
FIRST_DEEDS = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: (one != other) is False,
    "hash": lambda one, other: hash(one) == hash(other),
    "repr": lambda one, other: repr(one).endswith("StoredKey(stored=(1,), written=2, left=False)"),
    "pickle": lambda one, other: pickle.loads(pickle.dumps(one)) == other,
    "copy": lambda one, other: copy.copy(one) == other,
    "evolve": lambda one, other: attrs.evolve(one, left=True) != other,
    "asdict": lambda one, other: attrs.asdict(one)["written"] == 2,
}


class StoredKey:
    stored: Any
    written: Any
    left: bool = False


@pytest.mark.parametrize("deed", FIRST_DEEDS)
def test_whatever_is_done_first_with_an_object(deed: str, monkeypatch: pytest.MonkeyPatch):
    _, late = both(StoredKey, frozen=True)
    monkeypatch.setattr(sys.modules[__name__], "StoredKey", late)

    assert FIRST_DEEDS[deed](late((1,), 2), late((1,), written=2))


@pytest.mark.parametrize("change", [setattr, lambda obj, name, _: delattr(obj, name)])
def test_the_first_object_of_a_frozen_class_is_frozen(change: Any):
    late = late_classes.frozen(type("Late", (), {"__annotations__": {"one": "int"}}))

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        change(late(1), "one", 2)


def test_the_first_object_of_a_class_without_a_hash_has_none():
    late = late_classes.define(type("Late", (), {"__annotations__": {"one": "int"}}))

    with pytest.raises(TypeError, match="unhashable type: 'Late'"):
        hash(late(1))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        ((1, 2, 3, 4), {}),
        ((1,), {"stored": 2}),
        ((1, 2), {"right": True}),
        ((), {"left": 1}),
    ],
)
def test_wrong_arguments_are_refused_as_attrs_does(values: tuple[Any, ...], named: dict[str, Any]):
    at_once, late = both(StoredKey, frozen=True)
    with pytest.raises(TypeError) as expected:
        at_once(*values, **named)

    with pytest.raises(TypeError) as refused:
        late(*values, **named)
    assert str(refused.value) == str(expected.value)
