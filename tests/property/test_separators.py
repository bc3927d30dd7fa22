"""Laws of separators: by brute force over all short texts of a separator's letters and another one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import MappingError, Table, field, mapper, model
from dynattrs.schema.languages import Before, Letters, Without, can_meet, pattern_of
from dynattrs.schema.slot_styles import Rest, Style, Unfit, Words
from dynattrs.schema.templates import Template, parse, pieces_of

SEPARATORS = ["#", "::", ":::", "||", "ab", "aba", "a#", "#a", "#-"]
#: `L` stands for the separator.
SHAPES = [
    "{a}L{b}", "{a}L{b}L", "L{a}L{b}", "PL{a}L{b}", "{a}L{b}L{c}", "{a}LQL{b}", "{a}LL{b}",
    "{a}L{b}LQ", "QL{a}L", "{a}L{b:*}",
]  # fmt: skip


def letters_of(separator: str) -> str:
    return "".join(sorted({*separator, "x"}))


def texts(letters: str, most: int) -> list[str]:
    return ["".join(each) for n in range(most + 1) for each in itertools.product(letters, repeat=n)]


def template(written: str) -> Template:
    def resolve(name: str, spec: str, words: Words) -> tuple[tuple[str, ...], Style]:
        return (name,), Rest() if spec == "*" else words

    return parse("k", "S", written, resolve)


def key(made: Template, values: Iterable[str]) -> str | None:
    """The key of some values, in the order of the slots; None if one of them is refused."""
    item = {name: {"S": value} for name, value in zip("abc", values, strict=False)}
    try:
        value = made.of(item)
    except Unfit:
        return None
    assert value is not None
    found: str = value["S"]
    return found


def values_for(made: Template, separator: str) -> Iterable[tuple[str, ...]]:
    slots = len(made.slots)
    most = {1: 5, 2: 3, 3: 2}[slots] + (len(letters_of(separator)) == 2)
    return itertools.product(texts(letters_of(separator), most), repeat=slots)


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_keys_differ_and_are_read_back_whatever_the_values_hold(shape: str, separator: str) -> None:
    made = template(shape.replace("L", separator))
    pattern = made.pattern
    found: dict[str, tuple[str, ...]] = {}
    for values in values_for(made, separator):
        text = key(made, values)
        if text is None:
            continue
        assert text not in found, f"{found[text]} and {values} meet"
        found[text] = values
        read = made.read({"S": text})
        assert tuple(read[name,]["S"] for name in "abc"[: len(values)]) == values
        assert pattern.fullmatch(text)
    assert found


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_template_reads_the_keys_that_it_makes_and_no_others(shape: str, separator: str) -> None:
    """What no values make is not a key of the template: not read, and not in its language."""
    made = template(shape.replace("L", separator))
    pattern = made.pattern
    letters = "".join(sorted({*letters_of(separator), *("Q" * ("Q" in shape))}))
    label = "P" * shape.startswith("P")
    for text in (label + each for each in texts(letters, 6 if len(letters) < 4 else 5)):
        try:
            read = made.read({"S": text})
        except Unfit:
            assert not pattern.fullmatch(text), text
            continue
        assert pattern.fullmatch(text), text
        assert key(made, [read[slot.steps]["S"] for slot in made.slots]) == text


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_part_is_refused_exactly_where_its_key_would_be_read_otherwise(separator: str) -> None:
    """A part before a separator may hold a piece of it, and not end with one that it completes."""
    made = template(f"{{a}}{separator}{{b}}")
    end = separator[0] if separator == "#a" else separator
    for first, last in itertools.product(texts(letters_of(separator), 4), repeat=2):
        fits = (first + end).find(end) == len(first)
        run = "".join(itertools.takewhile(lambda c: not c.isalnum(), separator))
        back = "".join(itertools.takewhile(lambda c: not c.isalnum(), separator[::-1]))[::-1]
        held = any(each and each in last for each in (run, back))

        assert (key(made, (first, last)) is not None) == (fits and not held), (first, last)


# --- What was accepted before is accepted still -------------------------------------------------------


def formerly_accepts(written: str, values: dict[str, str]) -> bool:
    """The rule before: each character of a separator, anywhere in a template, was refused."""
    pieces = list(pieces_of(written))
    found: set[str] = set()
    for place, (text, name, _) in enumerate(pieces):
        if text and name is not None:
            found.add(text[-1])
        if text and place:
            found.add(text[0])
    characters = {each for each in found if not each.isalnum()}
    for place, (_, name, spec) in enumerate(pieces):
        if name is None or spec == "*":
            continue
        after = pieces[place + 1][0] if place + 1 < len(pieces) else ""
        value = values[name]
        if any(each in value for each in characters):
            return False
        if after and (value + after).find(after) != len(value):
            return False
    return True


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_that_were_accepted_make_the_key_that_they_made(shape: str, separator: str) -> None:
    written = shape.replace("L", separator)
    made = template(written)
    for values in values_for(made, separator):
        named = dict(zip("abc", values, strict=False))
        if formerly_accepts(written, named):
            assert key(made, values) == written.replace(":*", "").format(**named)


def former_language(written: str) -> list[Letters]:
    """The language that a template had by the rule before."""
    pieces = list(pieces_of(written))
    ends = {text[-1] for text, name, _ in pieces if text and name is not None}
    ends |= {text[0] for text, _, _ in pieces[1:] if text}
    characters = frozenset(each for each in ends if not each.isalnum())
    found: list[Letters] = []
    for text, name, _ in pieces:
        found += [Letters(frozenset(each)) for each in text]
        if name is not None:
            found.append(Letters(characters, others=True, many=True))
    return found


@st.composite
def usual_templates(draw: st.DrawFn, separator: str) -> str:
    """Labels and fields in any order between separators, as declarations have them."""
    parts = draw(st.lists(st.sampled_from(["A", "B", "ORDER", "{a}"]), min_size=1, max_size=5))
    return separator.join(parts) + draw(st.sampled_from(["", separator]))


@given(st.sampled_from(["#", "|", "_"]), st.data())
def test_declarations_that_were_accepted_are_accepted(separator: str, data: st.DataObject) -> None:
    """With one separator of one character nothing has changed: neither values, nor what may meet."""
    one, other = (data.draw(usual_templates(separator)) for _ in range(2))

    were_apart = not can_meet(former_language(one), former_language(other))

    assert were_apart == (not can_meet(template(one).language, template(other).language))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("USER#{a}", "USER#{a}#ORDER"),
        ("USER#{a}#ORDER", "USER#{a}#ORDER#{b}"),
        ("USER#{a}#ORDER#{b}#META", "USER#{a}#CART#{b}#META"),
        ("A#{a}#B", "A#{a}#{b}#B"),
        ("USER::{a}", "USER::{a}::ORDER"),
        ("USER::{a}::ORDER", "USER::{a}::ORDER::{b}"),
        ("{a}||{b}", "{a}||X||{b}"),
        ("{a}ab{b}ab", "P{a}"),
    ],
)
def test_usual_models_stand_side_by_side(one: str, other: str) -> None:
    if other == "P{a}":
        assert can_meet(template(one).language, template(other).language)
    else:
        assert not can_meet(template(one).language, template(other).language)


# --- Two models ---------------------------------------------------------------------------------------

PAIRED = [
    "{a}L",
    "L{a}",
    "{a}L{b}",
    "{a}L{b}L",
    "L{a}L{b}",
    "xL{a}",
    "{a}Lx",
    "{a}Lx{b}",
    "x",
    "{a}LL",
]


@pytest.mark.parametrize("separators", [*((each, each) for each in SEPARATORS[:6]), ("#", "##")])
def test_two_models_meet_exactly_where_a_text_is_a_key_of_both(separators: tuple[str, str]) -> None:
    """Compared with all short keys. Longer ones are never needed for templates that short."""
    letters = letters_of("".join(separators))
    short = texts(letters, 12 if len(letters) == 2 else 10)

    def keys(made: Template) -> set[str]:
        pattern = made.pattern
        return {text for text in short if pattern.fullmatch(text)}

    made = [
        [template(shape.replace("L", each)) for shape in PAIRED]
        for each in dict.fromkeys(separators)
    ]
    found = {id(each): keys(each) for side in made for each in side}
    for one, other in itertools.product(made[0], made[-1]):
        meet = bool(found[id(one)] & found[id(other)])
        assert can_meet(one.language, other.language) == meet, (one.written, other.written)


STEPS: Any = st.one_of(
    st.builds(
        Letters, st.frozensets(st.sampled_from("ab#"), max_size=2), st.booleans(), st.booleans()
    ),
    st.builds(Before, st.sampled_from(["#", "ab", "aab", "aba", "##"])),
)
#: What holds no separators is the last of its language, as of a template.
LAST: Any = st.builds(Without, st.frozensets(st.sampled_from(["#", "ab", "aba", "bb"]), max_size=2))


def languages(most: int) -> Any:
    ends = st.lists(LAST, max_size=1)
    return st.builds(list.__add__, st.lists(STEPS, max_size=most), ends)


@given(languages(2), languages(2))
def test_languages_meet_exactly_where_a_text_is_in_both(one: list[Any], other: list[Any]) -> None:
    first, second = pattern_of(one), pattern_of(other)

    meet = any(first.fullmatch(text) and second.fullmatch(text) for text in texts("ab#c", 6))

    found = can_meet(one, other)
    assert found or not meet
    # What they share may be longer than what was tried where each waits for several letters.
    if sum(len(each.end) if isinstance(each, Before) else 1 for each in (*one, *other)) <= 6:
        assert found == meet


@given(languages(3), st.text(alphabet="ab#c", max_size=6))
def test_a_language_is_the_texts_of_its_expression(language: list[Any], text: str) -> None:
    exactly = [Letters(frozenset(char)) for char in text]

    assert can_meet(language, exactly) == bool(pattern_of(language).fullmatch(text))


# --- Through models -----------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", SEPARATORS)
def test_an_object_is_read_back_from_its_keys_alone(separator: str) -> None:
    app = Table("separated", partition_key="k", sort_key="s")

    @model(app, k=f"{{a}}{separator}{{b}}", s=f"T{separator}{{c}}")
    class Part:
        a: str = field(key_only=True)
        b: str = field(key_only=True)
        c: str = field(key_only=True)

    found: dict[Any, Part] = {}
    for values in itertools.product(texts(letters_of(separator), 2), repeat=3):
        part = Part(*values)
        try:
            item = mapper.dump(part)
        except MappingError:
            continue
        assert found.setdefault((item["k"]["S"], item["s"]["S"]), part) == part
        assert mapper.load(item, Part) == part
    assert found
