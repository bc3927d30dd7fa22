"""Whatever a design holds, the models that are generated for it are imported, and keep its items."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from dynattrs import GlobalIndex, ModelError, Table
from dynattrs.schema.model_info import model_info
from dynattrs.tools import generation

import strategies

# --- Designs --------------------------------------------------------------------------------------


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_words = st.sampled_from(
    ["USER", "ORDER", "user", "a", "META", "PK", "date", "#", "", "7", "007", "42"]
)
#: Names that other programs have for attributes, and some that only a fuzzer has.
names = st.one_of(
    st.sampled_from(
        ["id", "Id", "ID", "userId", "user_id", "date", "Date", "datetime", "self", "class", "int",
         "field", "model", "set", "type", "kind", "entity", "mro", "register", "1st", "_a", "__b",
         "#", "a b", "a.b", "é", "ttl", "order_id", "UserItem", "any", "Any", "None", "keys", "pk_id"]
    ),
    st.text(min_size=1, max_size=4),
).filter(_is_utf8)  # fmt: skip


texts = st.one_of(
    st.sampled_from(
        ["USER", "42", "7", "true", "", "2020-01-01", "2020-02-30", "2020-1-1", "20200101",
         "2020-01-01T10:00:00Z", "2020-01-01T10:00:00.000000Z", "2020-01-01T10:00:00.5+02:00",
         "2020-01-01T24:00:00.000000Z", "0000-01-01", "9999-12-31T23:59:59.999999Z",
         "7d444840-9dc0-11d1-b245-5ffdce74fad2", "7D444840-9DC0-11D1-B245-5FFDCE74FAD2",
         "{7d444840-9dc0-11d1-b245-5ffdce74fad2}"]
    ),
    st.dates().map(str),
    st.datetimes().map(lambda each: f"{each.isoformat()}Z"),
    st.uuids().map(str),
    st.text(max_size=4).filter(_is_utf8),
)  # fmt: skip
numbers = st.one_of(
    st.integers(-3, 50).map(str),
    strategies.decimals().map(str),
    st.sampled_from(["-0", "1.0", "1E3", "007", "0.10", "1e-5"]),
)
_scalars = st.one_of(
    texts.map(lambda each: {"S": each}),
    numbers.map(lambda each: {"N": each}),
    st.binary(max_size=3).map(lambda each: {"B": each}),
    st.booleans().map(lambda each: {"BOOL": each}),
    st.just({"NULL": True}),
    st.lists(texts, min_size=1, max_size=2, unique=True).map(lambda each: {"SS": each}),
    st.lists(numbers, min_size=1, max_size=2, unique_by=Decimal).map(lambda each: {"NS": each}),
)
values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda each: {"L": each}),
        st.dictionaries(names, inner, max_size=2).map(lambda each: {"M": each}),
    ),
    max_leaves=4,
)  # fmt: skip

_separators = st.sampled_from(["#", "|", ":", "/", "##", ""])


@st.composite
def key_texts(draw: st.DrawFn) -> str:
    parts = draw(st.lists(_words | texts, min_size=1, max_size=3))
    return draw(_separators).join(parts) or "x"


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A table with items that the service would take."""
    key = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    primary, others = key[:2], key[2:]
    kinds = {name: draw(st.sampled_from(["S", "S", "S", "N", "B"])) for name in key}
    by_kind: dict[str, st.SearchStrategy[Any]] = {
        "S": key_texts(),
        "N": numbers,
        "B": st.binary(min_size=1, max_size=3),
    }
    # Some attributes are of one kind in most items, as those of programs are.
    common = draw(st.dictionaries(names, st.sampled_from([texts, numbers, None]), max_size=4))
    items: dict[Any, Any] = {}
    for _ in range(draw(st.integers(0, 4))):
        item = draw(st.dictionaries(names, values, max_size=3))
        for name, payloads in common.items():
            if draw(st.integers(0, 3)):
                tag = "S" if payloads is texts else "N"
                item[name] = draw(values) if payloads is None else {tag: draw(payloads)}
        if draw(st.booleans()):
            item[draw(st.sampled_from(["type", "kind", "Entity"]))] = {"S": draw(_words)}
        for name in others:
            item.pop(name, None)
        for name in (*primary, *(each for each in others if draw(st.booleans()))):
            item[name] = {kinds[name]: draw(by_kind[kinds[name]])}
        items[tuple(repr(item[name]) for name in primary)] = item
    indexes = [
        GlobalIndex(f"index-{number}", partition_key=name) for number, name in enumerate(others)
    ]
    return Table(
        draw(st.sampled_from(["app", "date", "class", "field", "model", "Table", "1-2", "a.b.c"])),
        partition_key=primary[0],
        sort_key=primary[1] if len(primary) > 1 else None,
        indexes=indexes,
        types={name: kind for name, kind in kinds.items() if kind != "S"},
        sample_items=list(items.values()),
    )  # fmt: skip


# --- The law ---------------------------------------------------------------------------------------


def assert_keeps_samples(designs: list[Table]) -> str:
    told: list[str] = []
    source = generation.models(designs, on_left_out=told.append)
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "generated", "exec", dont_inherit=True), namespace)
    declared: dict[str, list[Any]] = {}
    for each in namespace.values():
        if isinstance(each, type) and "__dynattrs__" in vars(each):
            declared.setdefault(model_info(each).table.name, []).append(each)
    for design in designs:
        for sample in design.sample_items:
            kept = any(keeps(each, sample) for each in declared[design.name])
            assert kept or said_of(design, sample) in told, (sample, source)
    return source


def said_of(design: Table, sample: dict[str, Any]) -> str:
    """What is said of an item that has no class."""
    keys = (f"{name}={''.join(map(ascii, sample[name].values()))}" for name in design.key)
    return f"{design.name}: no class for an item that nothing tells from others: {', '.join(keys)}"


def keeps(model: Any, sample: dict[str, Any]) -> bool:
    """Whether reading and saving an item changes nothing."""
    mapper = model_info(model).mapper
    try:
        return canonical(mapper.dump(mapper.load(sample, model))) == canonical(sample)
    except Exception:
        return False


def canonical(value: Any) -> Any:
    """An item as the service compares it."""
    if isinstance(value, dict):
        ((tag, payload),) = value.items() if len(value) == 1 else [(None, None)]
        if tag == "N" and isinstance(payload, str):
            return {"N": Decimal(payload)}
        if tag in ("SS", "NS", "BS") and not isinstance(payload, dict):
            return {tag: {Decimal(each) if tag == "NS" else each for each in payload}}
        return {name: canonical(each) for name, each in value.items()}
    return [canonical(each) for each in value] if isinstance(value, list) else value


@given(st.lists(tables(), min_size=1, max_size=2, unique_by=lambda each: each.name))
def test_generated_models_are_imported_and_keep_every_sample(designs: list[Table]):
    try:
        assert_keeps_samples(designs)
    except ModelError as error:
        # Two kinds of items in one table whose keys are alike: refused, not printed.
        if "lies under this key" not in str(error):
            raise
        event("refused")
