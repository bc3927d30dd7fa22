"""The planner over templates: a query finds what a Python filter over all items finds, in key order."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st

from dynattrs import (
    GlobalIndex,
    ImpossibleKey,
    LocalIndex,
    MappingError,
    ModelError,
    QueryError,
    Session,
    Table,
    any_of,
    begins_with,
    between,
    in_,
    mapper,
    model,
    path,
)
from dynattrs.expressions.conditions import In, Joined
from key_schemas import connect

# --- Models with random templates -------------------------------------------------------------------

DAY = datetime(2026, 11, 1, tzinfo=timezone.utc)


class Status(enum.Enum):
    OPEN = "open"
    OPENED = "opened"
    SHUT = "shut"


@attrs.frozen
class Place:
    country: str
    zone: int


VALUES: dict[str, list[Any]] = {
    "user": ["a", "ab", "a!", "a b", "abc", "b", "", "~"],
    "placed": [DAY + timedelta(hours=h) for h in (-1, 0, 5, 24 * 31, 24 * 400)],
    "day": [date(2026, 11, 1), date(2026, 11, 2), date(2027, 1, 1)],
    "n": [-3, 0, 7, 8, 42, 100],
    "uid": [UUID(int=n << 64) for n in (1, 2, 255)],
    "flag": [False, True],
    "status": [None, *Status],
    "score": [None, 1, 12, 5],
    "place": [Place("de", 1), Place("de", 12), Place("dk", 2)],
}
TYPES: dict[str, Any] = {
    "user": str, "placed": datetime, "day": date, "n": int, "uid": UUID, "flag": bool,
    "status": Status | None, "score": int | None, "place": Place,
}  # fmt: skip
PRIMARY = ["user", "placed", "day", "n", "uid", "flag", "place.country", "place.zone"]
INDEXED = [*PRIMARY, "status", "score"]
FORMATS = {
    "n": ["", "", "03d", "02x"], "score": ["", "02d"], "place.zone": ["", "02d"],
    "placed": ["", "", "%Y-%m", "%Y"], "day": ["", "%Y", "%Y%m"],
}  # fmt: skip
JOINTS = ["#", "#", "#", "-", "!", "~", "::", "#X#"]


@st.composite
def templates(draw: st.DrawFn, names: list[str], *, exact: bool, least: int = 0) -> str:
    chosen = draw(st.lists(st.sampled_from(names), min_size=least, max_size=3))
    text = draw(st.sampled_from(["", "P#", "T", "K~"]))
    for place, name in enumerate(chosen):
        formats = FORMATS.get(name, [""])
        spec = draw(st.sampled_from([each for each in formats if not (exact and "%" in each)]))
        text += f"{{{name}:{spec}}}" if spec else f"{{{name}}}"
        if place < len(chosen) - 1 or draw(st.integers(0, 3)) == 0:
            text += draw(st.sampled_from(JOINTS))
    return text or "CONST"


@st.composite
def designs(draw: st.DrawFn) -> Any:
    """A model of a table with a global and a local index, whose keys are random templates."""
    app = Table(
        "planned-templates",
        partition_key="pk",
        sort_key="sk",
        indexes=[
            GlobalIndex("gsi", partition_key="gpk", sort_key="gsk"),
            GlobalIndex("flat", partition_key="fpk"),
            LocalIndex("lsi", sort_key="lsk"),
        ],
        discriminator=draw(st.sampled_from([None, "type"])),
    )
    written = {
        "pk": draw(templates(PRIMARY, exact=True)),
        "sk": draw(templates(PRIMARY, exact=True, least=1)),
        "lsk": draw(templates(INDEXED, exact=False)),
    }
    if draw(st.integers(0, 3)):
        written["gpk"] = draw(templates(INDEXED, exact=False))
        written["gsk"] = draw(templates(INDEXED, exact=False))
    if draw(st.booleans()):
        written["fpk"] = draw(templates(INDEXED, exact=False))
    namespace = {
        "__annotations__": TYPES, "__module__": __name__, "status": None, "score": None
    }  # fmt: skip
    cls = model(app, kw_only=True, **written)(type("Thing", (), dict(namespace)))
    # Another model in the same partitions, where nothing lets them be confused.
    other = None
    try:
        other = model(app, pk=written["pk"], sk="\x01OTHER#{n:08d}", kw_only=True)(
            type("Other", (), dict(namespace))
        )
    except ModelError:
        event("alone in its table")
    return cls, other


def stored_form(value: Any) -> Any:
    """What the service compares of a value."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, datetime):
        value = value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    elif isinstance(value, (date, UUID)):
        value = str(value)
    return value.encode() if isinstance(value, str) else value


@attrs.frozen
class Asked:
    """A condition as it is written, and as it is decided of an object."""

    condition: Any
    holds: Callable[[Any], bool]


COMPARE: dict[str, Any] = {
    "==": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def value_of(thing: Any, name: str) -> Any:
    return operator.attrgetter(name)(thing)


@st.composite
def conditions(draw: st.DrawFn, cls: Any, name: str, word: str, like: Any = None) -> Asked:
    where: Any = operator.attrgetter(name)(path(cls))
    top, _, inner = name.partition(".")
    values = [getattr(v, inner) if inner else v for v in VALUES[top] if v is not None]
    value = draw(st.sampled_from(values)) if like is None else like

    def of(thing: Any) -> Any:
        return stored_form(value_of(thing, name))

    if word == "between":
        high = draw(st.sampled_from(values))
        return Asked(
            between(where, value, high),
            lambda t: of(t) is not None and stored_form(value) <= of(t) <= stored_form(high),
        )
    if word == "begins_with":
        text = stored_form(value).decode()
        beginning = text[: draw(st.integers(0, len(text)))] + draw(
            st.sampled_from(["", "", "#", " "])
        )
        return Asked(
            begins_with(where, beginning),
            lambda t: of(t) is not None and of(t).startswith(beginning.encode()),
        )
    if word == "or":
        other = draw(st.sampled_from(values))
        low = draw(st.sampled_from(values))
        return Asked(
            any_of(where == value, (where > low) & (where <= other)),
            lambda t: (
                of(t) == stored_form(value)
                or (of(t) is not None and stored_form(low) < of(t) <= stored_form(other))
            ),
        )
    if word == "!=":
        return Asked(where != value, lambda t: of(t) != stored_form(value))
    if word == "in":
        some = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
        some = some if like is None else [*some, like]
        return Asked(in_(where, some), lambda t: of(t) in [stored_form(each) for each in some])
    compare = COMPARE[word]
    return Asked(
        compare(where, value), lambda t: of(t) is not None and compare(of(t), stored_form(value))
    )


def words_for(name: str) -> list[str]:
    words = ["==", "<", "<=", ">", ">=", "between", "in", "in", "or", "!="]
    if name == "flag":
        return ["==", "in", "!="]
    return words if name in ("n", "score", "place.zone") else [*words, "begins_with"]


@st.composite
def questions(draw: st.DrawFn, cls: Any, things: list[Any]) -> list[Asked]:
    """Conditions, many of which fill the templates of some key from the left."""
    found: list[Asked] = []
    keys = cls.__dynattrs__.keys.templates
    pairs = [("pk", "sk"), ("pk", "lsk"), ("gpk", "gsk"), ("fpk", None)]
    partition, sort = draw(st.sampled_from([pair for pair in pairs if set(pair) <= {*keys, None}]))
    thing = draw(st.sampled_from(things))
    names = [slot.name for slot in keys[partition].slots]
    if sort is not None:
        own = [slot.name for slot in keys[sort].slots]
        bound = draw(st.integers(0, len(own)))
        names += own[:bound]
        if bound < len(own):
            for _ in range(draw(st.sampled_from([0, 1, 1, 2]))):
                word = draw(st.sampled_from(words_for(own[bound])))
                found.append(draw(conditions(cls, own[bound], word)))
    for name in names:
        like = value_of(thing, name)
        if like is not None:
            word = draw(st.sampled_from(["==", "==", "==", "in" if name != "flag" else "=="]))
            found.append(draw(conditions(cls, name, word, like)))
    for _ in range(draw(st.sampled_from([0, 0, 1]))):
        name = draw(st.sampled_from(INDEXED))
        found.append(draw(conditions(cls, name, draw(st.sampled_from(words_for(name))))))
    return draw(st.permutations(found))


# --- The table ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session(dynamodb_local: str) -> Iterator[Session]:
    client = connect(dynamodb_local)
    session = Session(client=client)
    app = Table(
        "planned-templates",
        partition_key="pk",
        sort_key="sk",
        indexes=[
            GlobalIndex("gsi", partition_key="gpk", sort_key="gsk"),
            GlobalIndex("flat", partition_key="fpk"),
            LocalIndex("lsi", sort_key="lsk"),
        ],
    )
    session.tables.create(app)
    yield session
    session.tables.delete(app)
    session.close()
    client.close()


def fill(session: Session, things: list[Any]) -> list[Any]:
    """Store what can be stored in an empty table: one for each key, the last one wins."""
    kept: dict[Any, Any] = {}
    for thing in things:
        try:
            item = mapper.dump(thing)
        except MappingError:
            continue
        kept[item["pk"]["S"], item["sk"]["S"]] = thing
    client: Any = session.client
    name = "planned-templates"
    for item in client.scan(TableName=name, ProjectionExpression="pk, sk")["Items"]:
        client.delete_item(TableName=name, Key=item)
    session.save_all(kept.values())
    return list(kept.values())


def things_of(draw: st.DrawFn, cls: Any, count: int) -> list[Any]:
    rows = draw(
        st.lists(
            st.fixed_dictionaries({name: st.sampled_from(VALUES[name]) for name in VALUES}),
            min_size=1,
            max_size=count,
        )
    )
    return [cls(**row) for row in rows]


INDEX_KEYS = {"gsi": ("gpk", "gsk"), "flat": ("fpk",), "lsi": ("lsk",), None: ()}
PARTITIONS = {"gsi": "gpk", "flat": "fpk", "lsi": "pk", None: "pk"}
SORTS = {"gsi": "gsk", "flat": None, "lsi": "lsk", None: "sk"}
# Shrinking would take minutes; the plan in the message says enough.
SETTINGS = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
)


def may_be_found(thing: Any, asked: list[Asked]) -> bool:
    """Whether what is asked for holds, where a value of it is one that no key can have.

    One such value is enough for `in_` and `|` to be refused, whatever their other values find.
    """
    several = (In, Joined)
    return all(one.holds(thing) and not isinstance(one.condition, several) for one in asked)


@SETTINGS
@given(st.data())
def test_a_query_over_templates_finds_what_a_python_filter_finds(
    session: Session, data: st.DataObject
) -> None:
    cls, other = data.draw(designs())
    drawn = data.draw(st.composite(things_of)(cls, 25))
    foreign = data.draw(st.composite(things_of)(other, 8)) if other is not None else []
    things = [each for each in fill(session, [*drawn, *foreign]) if type(each) is cls]
    assume(things)

    for _ in range(6):
        asked = data.draw(questions(cls, things))
        using = data.draw(st.sampled_from([None, None, "gsi", "lsi", "flat"]))
        backwards = data.draw(st.booleans())
        query = session.query(cls).where(*[each.condition for each in asked])
        if using is not None:
            query = query.using(using)
        if backwards:
            query = query.reverse()
        try:
            plan = query.explain()
        except QueryError as error:
            event(f"refused: {type(error).__name__}")
            continue
        except ImpossibleKey:
            event("refused: no key has such a value")
            assert not any(may_be_found(each, asked) for each in things)
            continue
        event(plan.splitlines()[0] + (" with a filter" if "filter: Thing" in plan else ""))
        event("left out on receipt" if "are left out on receipt" in plan else "exact")

        found = query.all()

        index = next((name for name in ("gsi", "lsi", "flat") if f"index: {name}\n" in plan), using)
        held = [each for each in things if set(INDEX_KEYS[index]) <= mapper.dump(each).keys()]
        expected = [each for each in held if all(one.holds(each) for one in asked)]
        if using is None and "operation: nothing" not in plan:
            # Chosen by the planner: no item may be lacking that a scan would find.
            expected = [each for each in things if all(one.holds(each) for one in asked)]
        assert sorted(map(repr, found)) == sorted(map(repr, expected)), plan
        sort = SORTS[index]
        if sort is not None and "operation: nothing" not in plan:
            by_partition: dict[str, list[bytes]] = {}
            for each in found:
                item = mapper.dump(each)
                own = item[PARTITIONS[index]]["S"]
                by_partition.setdefault(own, []).append(item[sort]["S"].encode())
            for order in by_partition.values():
                assert order == sorted(order, reverse=backwards), plan
        assert query.count() == len(found)
        assert len(query.keys().all()) == len(found)


@SETTINGS
@given(st.data())
def test_a_collection_has_what_a_python_filter_finds_of_all_its_models(
    session: Session, data: st.DataObject
) -> None:
    """Three models in the same partitions; two are asked for."""
    app = Table("planned-templates", partition_key="pk", sort_key="sk")
    pk = data.draw(templates(["user", "n", "day"], exact=True))
    inner = data.draw(templates(["placed", "n", "user", "uid"], exact=True))
    more = data.draw(templates(["day", "place.zone"], exact=True, least=1))
    namespace = {
        "__annotations__": TYPES, "__module__": __name__, "status": None, "score": None
    }  # fmt: skip
    first, last = data.draw(st.sampled_from([("A", "B"), ("B", "A"), ("A", "A!"), ("", "~")]))
    try:
        parent, child, stranger = (
            model(app, pk=pk, sk=sk, kw_only=True)(type(name, (), dict(namespace)))
            for name, sk in (
                ("Parent", f"{first}#{inner}"),
                ("Child", f"{first}#{inner}#+{more}"),
                ("Stranger", f"{last}#S#{more}"),
            )
        )
    except ModelError:
        event("could be confused")
        assume(False)
    drawn = [
        each
        for cls in (parent, child, stranger)
        for each in data.draw(st.composite(things_of)(cls, 10))
    ]
    things = fill(session, drawn)
    assume(things)

    for _ in range(4):
        asked_for = data.draw(
            st.sampled_from(
                [(parent, child), (child, parent), (parent, stranger), (child, stranger)]
            )
        )
        asked = data.draw(questions(data.draw(st.sampled_from(asked_for)), things))
        query = session.query(*asked_for).where(*[each.condition for each in asked])
        try:
            plan = query.explain()
        except QueryError as error:
            event(f"refused: {type(error).__name__}")
            continue
        except ImpossibleKey:
            event("refused: no key has such a value")
            assert not any(type(each) in asked_for and may_be_found(each, asked) for each in things)
            continue
        event(plan.splitlines()[0])
        event("no filter" if "filter: none" in plan else "filter")

        found = query.all()

        expected = [
            each
            for each in things
            if type(each) in asked_for and all(one.holds(each) for one in asked)
        ]
        assert sorted(map(repr, found)) == sorted(map(repr, expected)), plan
        items = [mapper.dump(each) for each in found]
        for pk in {item["pk"]["S"] for item in items}:
            order = [item["sk"]["S"].encode() for item in items if item["pk"]["S"] == pk]
            assert order == sorted(order), plan
