"""Laws of key templates: no two items meet in a key, keys sort as values do, keys are read back."""

from __future__ import annotations

import enum
import itertools
import re
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from dynattrs import MappingError, ModelError, Table, field, mapper, model
from dynattrs.keys.discriminator import declared_model_of
from dynattrs.schema.languages import Letters, can_meet
from dynattrs.schema.model_info import model_info


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green-ish"
    NONE = ""


TEXT = st.text(alphabet="ab#-:|_0\0\xff", max_size=4)
DATES = st.dates(date(1, 1, 1), date(9999, 12, 31))
INSTANTS = st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(timezone.utc)  # noqa: DTZ001
)  # fmt: skip

#: Types, the formats they may have, and values, few enough that two of them meet often.
FIELDS: dict[Any, tuple[list[str], st.SearchStrategy[Any]]] = {
    str: ([""], TEXT),
    int: (["", "02d", "04d", "02x"], st.integers(-12, 300)),
    Decimal: ([""], st.sampled_from([Decimal(t) for t in ("1", "1.0", "-1", "0.1", "10", "1E2")])),
    bool: ([""], st.booleans()),
    date: ([""], DATES),
    datetime: ([""], INSTANTS),
    UUID: ([""], st.uuids()),
    Colour: ([""], st.sampled_from(Colour)),
}
JOINTS = ["#", "-", "##", "#-", ":", "|", "_", "and", "a", "1", "#a#", "\xff"]


@attrs.frozen
class Design:
    """A model with random fields and templates, and how its fields are drawn."""

    cls: Any
    types: tuple[Any, ...]

    def things(self) -> st.SearchStrategy[Any]:
        return st.builds(self.cls, *[FIELDS[each][1] for each in self.types])


@st.composite
def designs(
    draw: st.DrawFn, *, key_only: bool = False, of: tuple[Any, ...] = tuple(FIELDS)
) -> Design:
    types = tuple(draw(st.lists(st.sampled_from(of), min_size=1, max_size=4)))
    names = [f"f{number}" for number in range(len(types))]
    order = draw(st.permutations(range(len(types))))
    split = draw(st.integers(0, len(types)))

    def template(which: list[int]) -> str:
        text = draw(st.sampled_from(["", "X", "X#", "#"]))
        for place, number in enumerate(which):
            spec = draw(st.sampled_from(FIELDS[types[number]][0]))
            text += f"{{{names[number]}:{spec}}}" if spec else f"{{{names[number]}}}"
            last = place == len(which) - 1
            if not last or draw(st.booleans()):
                text += draw(st.sampled_from(JOINTS))
        return text or "CONST"

    namespace: dict[str, Any] = {"__annotations__": dict(zip(names, types, strict=True))}
    if key_only:
        namespace |= {name: field(key_only=True) for name in names}
    app = Table("app", partition_key="pk", sort_key="sk")
    try:
        cls = model(app, pk=template(order[:split]), sk=template(order[split:]))(
            type("Thing", (), {**namespace, "__module__": __name__})
        )
    except ModelError as error:
        # An enum that holds a separator is refused already when the class is declared.
        assert "green-ish" in str(error)  # noqa: PT017
        assume(False)
    return Design(cls, types)


def dumped(thing: Any) -> dict[str, Any]:
    """The item; what is refused for what separates parts is not an example."""
    try:
        return mapper.dump(thing)
    except MappingError as error:
        assert (  # noqa: PT017
            "in the key" in str(error) or "not empty" in str(error)
        )
        event("refused")
        assume(False)
        raise


#: Values that run into separators, and into each other, wherever they are let.
CLOSE: dict[Any, list[Any]] = {
    str: ["", "#", "a", "a#", "#a", "##", "a#a", "-", "-1", "1"],
    int: [-1, 1, 11, 0],
    bool: [False, True],
    Colour: list(Colour),
}


@given(st.data())
def test_no_two_of_many_close_items_meet_in_a_key(data: st.DataObject) -> None:
    """Every combination of values that are made to be confused."""
    design = data.draw(designs(of=(str, str, str, int, bool, Colour)))
    keys: dict[Any, Any] = {}
    refused = 0
    for values in itertools.islice(itertools.product(*[CLOSE[t] for t in design.types]), 1000):
        thing = design.cls(*values)
        try:
            item = mapper.dump(thing)
        except MappingError:
            refused += 1
            continue
        key = item["pk"]["S"], item["sk"]["S"]
        assert keys.setdefault(key, thing) == thing
    event(f"stored: {bool(keys)}, refused: {bool(refused)}")


@given(st.data())
def test_items_with_other_fields_have_other_keys(data: st.DataObject) -> None:
    """The map from fields to the primary key is injective."""
    design = data.draw(designs())
    one, other = data.draw(design.things()), data.draw(design.things())
    first, second = dumped(one), dumped(other)

    # As the service compares: 1 and 1.0 are one number.
    same_fields = one == other
    same_key = (first["pk"], first["sk"]) == (second["pk"], second["sk"])

    event(f"equal: {same_fields}")
    assert same_key == same_fields


@given(st.data())
def test_fields_that_are_in_keys_only_are_read_back(data: st.DataObject) -> None:
    design = data.draw(designs(key_only=True))
    thing = data.draw(design.things())
    item = dumped(thing)

    assert item.keys() == {"pk", "sk"}
    assert mapper.load(item, design.cls) == thing


@given(st.data())
def test_a_model_recognises_the_keys_that_it_makes(data: st.DataObject) -> None:
    """The language of a template holds each of its keys."""
    design = data.draw(designs())
    item = dumped(data.draw(design.things()))

    assert model_info(design.cls).keys.matches(item)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Table, list[Design]]:
    """Two models of one table whose items nobody can confuse: by their keys, or a discriminator."""
    app = Table(
        "app", partition_key="pk", sort_key="sk",
        discriminator=draw(st.sampled_from([None, None, "type"])),
    )  # fmt: skip
    found = []
    for name in ("One", "Other"):
        types = tuple(draw(st.lists(st.sampled_from([str, int, date, Colour]), max_size=2)))
        names = [f"f{number}" for number in range(len(types))]
        text = draw(st.sampled_from(["", "X#", "Y#", "X#Y#"]))
        text += draw(st.sampled_from(JOINTS)).join(f"{{{each}}}" for each in names)
        text += draw(st.sampled_from(["", "#", "#Z"]))
        namespace = {
            "__annotations__": dict(zip(names, types, strict=True)),
            "__module__": __name__,
        }
        try:
            cls = model(app, pk="P", sk=text or "CONST")(type(name, (), namespace))
        except ModelError as error:
            event(
                "refused when declared: "
                + ("the same keys" if "could be" in str(error) else "else")
            )
            assume(False)
        found.append(Design(cls, types))
    return app, found


@given(pairs(), st.data())
def test_no_item_is_taken_for_another_models(
    drawn: tuple[Table, list[Design]], data: st.DataObject
) -> None:
    app, both = drawn
    for design in both:
        for values in itertools.islice(
            itertools.product(*[CLOSE.get(t, [date(2026, 1, 1)]) for t in design.types]), 100
        ):
            try:
                item = mapper.dump(design.cls(*values))
            except MappingError:
                continue
            assert declared_model_of(app, item) is model_info(design.cls)


# --- Order ----------------------------------------------------------------------------------------------

ORDERED = [
    (int, "{x:04d}", st.integers(0, 9999)),
    (int, "{x:03x}", st.integers(0, 0xFFF)),
    (date, "{x}", DATES),
    (datetime, "{x}", INSTANTS),
    (UUID, "{x}", st.uuids()),
    (str, "{x}", st.text(min_size=1, max_size=5)),
]


@pytest.mark.parametrize(("type_", "template", "values"), ORDERED, ids=str)
@pytest.mark.parametrize("around", [("", ""), ("A#", ""), ("A#", "#")])
def test_keys_sort_as_values_do(
    type_: Any, template: str, values: st.SearchStrategy[Any], around: tuple[str, str]
) -> None:
    before, after = around
    # Text of any length sorts as itself only at the end.
    after = "" if type_ is str else after
    app = Table("app", partition_key="pk", sort_key="sk")
    namespace = {"__annotations__": {"x": type_}, "__module__": __name__}
    cls: Any = model(app, pk="P", sk=f"{before}{template}{after}")(type("Thing", (), namespace))
    style = model_info(cls).keys.templates["sk"].slots[0].style
    assert style.ordered

    @given(values, values)
    def check(one: Any, other: Any) -> None:
        if "#" in str(one) + str(other) and before:
            return
        keys = [mapper.dump(cls(each))["sk"]["S"].encode() for each in (one, other)]
        order = [each.encode() if isinstance(each, str) else each for each in (one, other)]
        if type_ is UUID:
            order = [str(each).encode() for each in (one, other)]
        assert (keys[0] < keys[1]) == (order[0] < order[1])
        assert (keys[0] == keys[1]) == (order[0] == order[1])

    check()


@given(
    INSTANTS,
    INSTANTS,
    st.sampled_from(["%Y", "%Y-%m", "%Y%m%d", "%Y-%m-%dT%H", "%Y/%m/%d %H:%M:%S"]),
)
def test_periods_never_go_back(one: datetime, other: datetime, format_: str) -> None:
    app = Table("app", partition_key="pk", sort_key="sk")
    namespace = {"__annotations__": {"at": datetime}, "__module__": __name__}
    cls: Any = model(app, pk=f"{{at:{format_}}}", sk="{at}")(type("Thing", (), namespace))
    first, second = (mapper.dump(cls(at))["pk"]["S"] for at in sorted((one, other)))

    assert first <= second


# --- Languages ------------------------------------------------------------------------------------------

LETTERS = st.builds(
    Letters, st.frozensets(st.sampled_from("ab#"), max_size=2), st.booleans(), st.booleans()
)


def expression(letters: list[Letters]) -> re.Pattern[str]:
    text = ""
    for each in letters:
        alphabet = "ab#c"
        chars = [c for c in alphabet if (c in each.chars) != each.others]
        text += (f"[{''.join(chars)}]" if chars else "(?!)") + ("*" if each.many else "")
    return re.compile(text)


@given(st.lists(LETTERS, max_size=4), st.lists(LETTERS, max_size=4))
@example([Letters(frozenset("a"), many=True)], [Letters(frozenset("b"), many=True)])
def test_two_languages_meet_exactly_where_a_text_is_in_both(
    one: list[Letters], other: list[Letters]
) -> None:
    """Compared with all short texts. Longer ones are never needed for languages that short."""
    first, second = expression(one), expression(other)
    texts = ("".join(each) for n in range(6) for each in itertools.product("ab#c", repeat=n))
    meet = any(first.fullmatch(text) and second.fullmatch(text) for text in texts)

    assert can_meet(one, other) == meet
