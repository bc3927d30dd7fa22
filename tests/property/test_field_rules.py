"""What is stated of a field means what an object has there: by its converter, and to its validator."""

from __future__ import annotations

import operator
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import (
    ConditionError,
    MappingError,
    ModelError,
    Table,
    add,
    begins_with,
    between,
    contains,
    delete,
    field,
    if_not_exists,
    in_,
    list_append,
    mapper,
    model,
    partition_key,
    path,
    set_,
    sort_key,
)
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.operations.item_keys import key_in, key_of
from dynattrs.operations.writing.updates import checked
from dynattrs.schema.model_info import model_info


def small(text: str) -> str:
    return text.strip().lower()


def limited(number: Any) -> int:
    return max(-50, min(50, int(number)))


def some(number: int) -> int | None:
    return number or None


def is_even(obj: Any, attribute: Any, value: int) -> None:
    if value % 2:
        raise ValueError("odd")


def above_other(obj: Any, attribute: Any, value: int) -> None:
    if value < obj.other:
        raise ValueError("below other")


@attrs.define
class Inner:
    text: str = attrs.field(default="", converter=small)
    even: int = attrs.field(default=0, validator=is_even)


@model("things")
class Thing:
    """Fields with rules, and below each the same without."""

    id: str = partition_key(converter=small)
    number: int = sort_key(converter=limited)
    text: str = field(default="", converter=small)
    text_as_is: str = ""
    count: int = field(default=0, converter=[abs, limited])
    count_as_is: int = 0
    maybe: int | None = field(default=None, converter=attrs.converters.optional(some))
    maybe_as_is: int | None = None
    words: list[str] = field(factory=list, converter=lambda words: [small(each) for each in words])
    words_as_is: list[str] = field(factory=list)
    labels: set[str] = field(factory=set, converter=lambda labels: {small(each) for each in labels})
    labels_as_is: set[str] = field(factory=set)
    even: int = field(default=0, validator=is_even)
    other: int = 0
    above: int = field(default=100, validator=[above_other, is_even])
    inner: Inner = field(factory=Inner)


INFO = model_info(Thing)
CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "text": small,
    "count": lambda number: limited(abs(number)),
    "maybe": attrs.converters.optional(some),
}
texts = st.text(max_size=4) | st.sampled_from([" A", "a", "ÄB ", "é"])
ints = st.integers(-100, 100)
VALUES: dict[str, st.SearchStrategy[Any]] = {"text": texts, "count": ints, "maybe": ints}
stated = st.sampled_from(list(VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), VALUES[name], VALUES[name])
)


def rendered(expression: Any, name: str) -> Any:
    """What is sent, where the field with the rules and the one without are one."""
    placeholders = Placeholders()
    text = expression.render(placeholders)
    parameters: dict[str, Any] = {}
    placeholders.into(parameters)
    return text, repr(parameters).replace(f"{name}_as_is", name)


COMPARISONS = [
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip


@given(stated, st.sampled_from(COMPARISONS))
def test_a_comparison_is_with_the_converted_value(
    case: tuple[str, Any, Any], compare: Callable[[Any, Any], Any]
):
    name, value, _ = case
    convert = CONVERTERS[name]
    mine, other = getattr(Thing, name), getattr(Thing, f"{name}_as_is")
    if convert(value) is None and compare not in (operator.eq, operator.ne):
        return

    found, expected = compare(mine, value), compare(other, convert(value))

    assert rendered(found, name) == rendered(expected, name)


@given(stated)
def test_bounds_and_choices_are_converted(case: tuple[str, Any, Any]):
    name, one, two = case
    convert = CONVERTERS[name]
    mine, other = getattr(Thing, name), getattr(Thing, f"{name}_as_is")

    found, expected = in_(mine, [one, two]), in_(other, [convert(one), convert(two)])
    assert rendered(found, name) == rendered(expected, name)
    if None in (convert(one), convert(two)):
        return
    low, high = sorted([one, two], key=convert)
    found, expected = between(mine, low, high), between(other, convert(low), convert(high))
    assert rendered(found, name) == rendered(expected, name)


@given(texts, ints, st.sampled_from(["tuple", "dict"]))
def test_a_key_is_that_of_an_object_with_these_values(id: str, number: int, form: str):
    if not small(id):
        return
    key = (id, number) if form == "tuple" else {"number": number, "id": id}

    assert key_of(INFO, key) == key_in(INFO, mapper.dump(Thing(id, number)))


@given(stated)
def test_what_is_set_is_what_an_object_would_store(case: tuple[str, Any, Any]):
    name, value, _ = case
    item = mapper.dump(Thing("x", 1, **{name: value}))
    action: Any = set_(getattr(Thing, name), value)
    kept: Any = set_(getattr(Thing, name), if_not_exists(getattr(Thing, name), value))

    if name in item:
        assert action.value.stored == kept.value.default.stored == item[name]
    else:
        assert action.clause == "REMOVE"


@given(st.lists(texts, min_size=1, max_size=3))
def test_collections_are_converted_whole_and_never_in_parts(words: list[str]):
    obj = Thing("x", 1, words=words, labels=set(words))
    item = mapper.dump(obj)

    for name, value in (("words", words), ("labels", set(words))):
        mine, other = getattr(Thing, name), getattr(Thing, f"{name}_as_is")
        stored: Any = set_(mine, value).value
        ((tag, members),) = stored.stored.items()
        assert (tag, sorted(members, key=repr)) == (
            *item[name],
            sorted(*item[name].values(), key=repr),
        )
        assert rendered(contains(mine, words[0]), name) == rendered(contains(other, words[0]), name)
    for change in (add, delete):
        assert rendered(change(Thing.labels, set(words)), "labels") == rendered(
            change(Thing.labels_as_is, set(words)), "labels"
        )
    appended = [set_(each, list_append(each, words)) for each in (Thing.words, Thing.words_as_is)]
    assert rendered(appended[0], "words") == rendered(appended[1], "words")


@given(ints, texts)
def test_fragments_and_differences_are_never_converted(number: int, text: str):
    mine, other = Thing.count, Thing.count_as_is
    pairs: list[tuple[Any, Any, str]] = [
        (add(mine, number), add(other, number), "count"),
        (set_(mine, mine + number), set_(other, other + number), "count"),
        (set_(mine, number - mine), set_(other, number - other), "count"),
        (begins_with(Thing.text, text), begins_with(Thing.text_as_is, text), "text"),
        (contains(Thing.text, text), contains(Thing.text_as_is, text), "text"),
    ]  # fmt: skip

    for found, expected, name in pairs:
        assert rendered(found, name) == rendered(expected, name)


@given(ints, ints, st.booleans())
def test_an_update_of_an_object_is_refused_where_the_object_would_be(
    above: int, other: int, both: bool
):
    obj = Thing("x", 1, other=-100)
    changes = {"above": above, **({"other": other} if both else {})}
    actions = [set_(getattr(Thing, name), value) for name, value in changes.items()]
    try:
        expected = attrs.evolve(obj, **changes)
    except ValueError:
        with pytest.raises(MappingError, match=r"Thing.above: .* its validator accepts, found int"):
            checked(INFO, actions, obj, upsert=False)
    else:
        checked(INFO, actions, obj, upsert=False)
        assert expected.above == above
    assert (obj.above, obj.other) == (100, -100)
    # By key, the one of the two that looks at nothing else is asked.
    if above % 2:
        with pytest.raises(MappingError, match="odd"):
            checked(INFO, actions, None, upsert=False)
    else:
        checked(INFO, actions, None, upsert=False)


@given(ints)
def test_validators_see_what_is_set_and_nothing_else(number: int):
    place = path(Thing.inner).even
    sets = [
        set_(Thing.even, number),
        set_(Thing.even, if_not_exists(Thing.even, number)),
        set_(place, number),
    ]
    for action in sets:
        if number % 2:
            with pytest.raises(MappingError, match=r"even: expected .*odd") as caught:
                checked(INFO, [action], None, upsert=False)
            assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        else:
            checked(INFO, [action], None, upsert=False)
    others = [add(Thing.even, number), set_(Thing.even, Thing.other + number)]
    for action in others:
        checked(INFO, [action], None, upsert=False)
    assert (Thing.even == number) is not None


# --- What a validator may look at -----------------------------------------------------------------


def looks_at_class(obj: Any, attribute: Any, value: int) -> None:
    if value > obj.MOST or not isinstance(obj, Looking) or not obj.allowed(value):
        raise ValueError(f"{obj.__class__.__name__} allows {obj.most_text}")


def looks_at_field(obj: Any, attribute: Any, value: int) -> None:
    obj.compare(value)


def hides(obj: Any, attribute: Any, value: int) -> None:
    try:
        ok = value <= obj.limit
    except Exception:
        ok = False
    if not ok:
        raise ValueError("hidden")


@model("looking")
class Looking:
    MOST = 10
    id: str = partition_key()
    limit: int = 5
    by_class: int = field(default=0, validator=looks_at_class)
    by_field: int = field(default=0, validator=looks_at_field)
    hidden: int = field(default=0, validator=hides)
    either: int = field(
        default=0, validator=attrs.validators.or_(looks_at_field, attrs.validators.ge(0))
    )
    optional: int | None = field(
        default=None, validator=attrs.validators.optional([looks_at_field, attrs.validators.ge(0)])
    )

    def compare(self, value: int) -> None:
        if value > self.limit:
            raise ValueError("over the limit")

    @staticmethod
    def allowed(value: int) -> bool:
        return value != 7

    @property
    def most_text(self) -> str:
        return f"at most {self.MOST}"


def refused(action: Any, obj: Any = None) -> bool:
    try:
        checked(model_info(Looking), [action], obj, upsert=False)
    except MappingError:
        return True
    return False


def test_what_belongs_to_the_class_is_no_reading_of_the_object():
    assert [refused(set_(Looking.by_class, each)) for each in (3, 7, 11)] == [False, True, True]
    with pytest.raises(MappingError, match="Looking allows at most 10"):
        checked(model_info(Looking), [set_(Looking.by_class, 7)], None, upsert=False)


def test_a_validator_that_reads_a_field_is_skipped_however_it_does_that():
    obj = Looking("x")
    for name in ("by_field", "hidden", "either", "optional"):
        action: Any = set_(getattr(Looking, name), 6)
        assert not refused(action), name
        assert refused(action, obj) is (name != "either")
    assert refused(set_(Looking.optional, -1))
    assert not refused(set_(Looking.optional, None))


def test_validators_that_are_switched_off_are_not_asked():
    with attrs.validators.disabled():
        assert not refused(set_(Looking.by_class, 99))


# --- Converters that look at the object -----------------------------------------------------------

TAKES_SELF: Any = attrs.Converter(lambda value, obj: value, takes_self=True)


def test_a_key_field_has_no_converter_that_takes_the_object():
    for make in (partition_key, sort_key):
        body: dict[str, Any] = {"__annotations__": {"id": str, "at": str}, "id": partition_key()}
        body["at" if make is sort_key else "id"] = make(converter=TAKES_SELF)
        with pytest.raises(ModelError, match=r"takes_self=True.*keys are stated without one"):
            model("texts")(type("T", (), body))
    table = Table("app", partition_key="pk")
    body = {"__annotations__": {"id": str}, "id": field(converter=TAKES_SELF)}
    with pytest.raises(ModelError, match=r"T\.id: .*takes_self=True"):
        model(table, pk="T#{id}")(type("T", (), body))


def test_what_a_converter_raises_says_where():
    for state in (
        lambda: Thing.text == 5,  # type: ignore[comparison-overlap]
        lambda: set_(Thing.text, 5),  # type: ignore[misc]
        lambda: between(Thing.text, "a", 5),
    ):
        with pytest.raises(ConditionError, match=r"Thing\.text goes with .*found int 5; its conv"):
            state()


def test_an_expression_is_no_value_of_a_converter_that_takes_everything():
    @model("texts")
    class Text:
        id: str = partition_key()
        text: str = field(default="", converter=str)
        other: str = ""

    assert str(Text.text == Text.other) == "Text.text == Text.other"
    for wrong in (
        lambda: Text.text == (Text.other == "a"),
        lambda: set_(Text.text, set_(Text.other, "")),
    ):  # type: ignore[comparison-overlap,type-var]
        with pytest.raises(ConditionError):
            wrong()
