"""Old items as they are stored once a verb has brought them up to date: what the upgrades make of what was
stored, what the verb changes, and nothing else. Or the verb refuses, and nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynattrs import (
    GlobalIndex,
    QueryError,
    Session,
    field,
    model,
    partition_key,
    set_,
)
from dynattrs.mapper.anything import load_any

Item = dict[str, Any]
Upgrade = Callable[[Item], "Item | None"]


@attrs.define
class Inner:
    x: int = 0
    score: float = 0.0


@attrs.define
class Case:
    """A model, its upgrades, and how its attributes were called before."""

    model: Any
    upgrades: list[Upgrade]
    formerly: dict[str, str]


# --- Upgrades -----------------------------------------------------------------------------------


def moves(old: str, new: str) -> Upgrade:
    def upgrade(item: Item) -> None:
        if old in item:
            item[new] = item.pop(old)

    return upgrade


def raises_x(item: Item) -> None:
    if "addr" in item:
        item["addr"]["x"] = item["addr"].get("x", 0) + 1


def one_more(item: Item) -> Item:
    return {**item, "homes": [{"x": 9, "theirs": "new"}, *item.get("homes", ())]}


def one_less(item: Item) -> None:
    item["homes"] = item.get("homes", [])[1:]


def notes(item: Item) -> None:
    item["note"] = "of an upgrade"


def stamped(number: int, upgrades: list[Upgrade], *, former: bool) -> Case:
    """A model all of whose roles have stored names of their own, and perhaps former ones."""
    names = {"rev": "v", "made": "cr", "was": "up", "words": "text", "place": "addr"}
    formerly = names if former else {}

    def called(name: str, **options: Any) -> Any:
        old = [each for each, new in formerly.items() if new == name]
        return field(name=name, formerly=old, **options)

    @model(f"renewed-{number}", upgrades=upgrades or None)
    class Renewed:
        id: str = partition_key()
        addr: Inner | None = called("addr", default=None)
        homes: list[Inner] = attrs.field(factory=list)
        by: dict[str, Inner] = attrs.field(factory=dict)
        score: float = 0.0
        at: datetime | None = None
        ids: set[str] = attrs.field(factory=set)
        blob: bytes | None = None
        text: str = called("text", default="")
        n: int = 0
        version: int = called("v", version=True)
        created: datetime | None = called("cr", created=True)
        updated: datetime | None = called("up", updated=True)

    return Case(Renewed, upgrades, formerly)


ROLES = [moves("rev", "v"), moves("made", "cr"), moves("was", "up")]
CASES = [
    stamped(0, [], former=True),
    stamped(1, ROLES, former=False),
    stamped(2, [raises_x, one_more], former=True),
    stamped(3, [*ROLES, moves("place", "addr"), raises_x, notes], former=False),
    stamped(4, [one_less, moves("words", "text")], former=True),
]

#: What an item that lacks them gets: a model writes its defaults, unless they are nothing.
DEFAULTS: Item = {"homes": [], "by": {}, "score": 0, "text": "", "n": 0}

# --- Items --------------------------------------------------------------------------------------

THEIRS = st.sampled_from([{}, {"zip": {"S": "0150"}}, {"zip": {"NULL": True}, "more": {"L": []}}])
SCORES = st.sampled_from(["0.1000000000000000055511151231257827", "2.50", "-7", "1E+2"])
INNER = st.builds(
    lambda x, score, theirs: {"M": {"x": {"N": str(x)}, **score, **theirs}},
    st.integers(0, 9),
    st.one_of(st.just({}), SCORES.map(lambda text: {"score": {"N": text}})),
    THEIRS,
)
TIMES = st.sampled_from(["2020-11-27T12:38:13Z", "2020-11-27T12:38:13.101781Z"])
TEXT = st.sampled_from(["a", "b c", ""]).map(lambda text: {"S": text})
HOMES = st.lists(INNER, max_size=3).map(lambda each: {"L": each})
ATTRIBUTES: dict[str, st.SearchStrategy[Any]] = {
    "addr": INNER,
    "place": INNER,
    "homes": HOMES,
    "by": st.dictionaries(st.sampled_from("kl"), INNER, max_size=2).map(lambda each: {"M": each}),
    "score": SCORES.map(lambda text: {"N": text}),
    "at": TIMES.map(lambda text: {"S": text}) | st.just({"NULL": True}),
    "ids": st.sampled_from([{"SS": ["p", "q"]}, {"L": [{"S": "p"}]}]),
    "blob": st.just({"B": b"\x00\xff"}),
    "text": TEXT,
    "n": st.integers(0, 3).map(lambda n: {"N": str(n)}),
    "theirs": INNER | st.just({"NS": ["1", "2.0"]}) | st.just({"B": b"x"}),
    "rev": st.integers(1, 5).map(lambda n: {"N": str(n)}),
    "made": TIMES.map(lambda text: {"S": text}),
    "was": TIMES.map(lambda text: {"S": text}),
}
#: At least one attribute, or a version, says that an item is old.
ITEMS = st.fixed_dictionaries({"words": TEXT}, optional=ATTRIBUTES)
#: So many that no condition has room for all.
WIDE: Item = {f"w{n}": {"N": str(n)} for n in range(130)}


def by_hand(case: Case, item: Item) -> Item:
    """The plain values of an item, brought up to date without the library."""
    plain = {name: load_any(value) for name, value in item.items()}
    for upgrade in case.upgrades:
        made = upgrade(plain)
        plain = plain if made is None else made
    if case.upgrades:
        plain["schema_version"] = len(case.upgrades) + 1
    for old, new in case.formerly.items():
        if old in plain:
            value = plain.pop(old)
            plain.setdefault(new, value)
    return {**DEFAULTS, **plain}


# --- Verbs --------------------------------------------------------------------------------------


def updates(session: Any, case: Case) -> None:
    session.update(case.model, "1", set_(case.model.n, 7))


def updates_object(session: Any, case: Case) -> None:
    session.update(session.get_one(case.model, "1"), set_(case.model.n, 7))


def edits(session: Any, case: Case) -> None:
    obj = session.get_one(case.model, "1")
    with session.edit(obj):
        obj.n = 7


def transacts(session: Any, case: Case) -> None:
    with session.transaction() as t:
        t.update(case.model, "1", set_(case.model.n, 7))


def migrates(session: Any, case: Case) -> None:
    assert session.migrate(case.model).rewritten == 1


def checks(session: Any, case: Case) -> None:
    with session.transaction() as t:
        t.check(case.model, "1", case.model.n < 7)


VERBS = [updates, updates_object, edits, transacts, migrates, checks]


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Any]:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(*(case.model for case in CASES))
    yield session
    session.close()


def table_of(session: Any, cls: Any) -> str:
    name: str = session.tables.describe(cls)["TableName"]
    return name


def stored(session: Any, cls: Any) -> Item:
    name = table_of(session, cls)
    item: Item = session.client.get_item(TableName=name, Key={"id": {"S": "1"}})["Item"]
    return item


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=st.sampled_from(CASES), item=ITEMS, wide=st.booleans(), verb=st.sampled_from(VERBS))
def test_bringing_an_item_up_to_date_changes_nothing_else(
    session: Any, case: Case, item: Item, wide: bool, verb: Callable[[Any, Case], None]
) -> None:
    item = {"id": {"S": "1"}, **item, **(WIDE if wide else {})}
    session.client.put_item(TableName=table_of(session, case.model), Item=item)

    verb(session, case)

    right = by_hand(case, item)
    found = {name: load_any(value) for name, value in stored(session, case.model).items()}
    if verb not in (migrates, checks):
        right |= {"n": 7, "v": right.get("v", 0) + 1, "up": found.get("up")}
        right.setdefault("cr", found.get("cr"))
    assert found == right
    assert all(type(found[name]) is type(value) for name, value in right.items())


@pytest.mark.parametrize("case", CASES[:2], ids=["former names", "upgrades"])
def test_objects_of_old_items_keep_their_version_and_their_stamps(session: Any, case: Case) -> None:
    made = "2020-11-27T12:38:13.101781Z"
    old = {"rev": {"N": "3"}, "made": {"S": made}, "was": {"S": made}, "words": {"S": "a"}}

    def saves(obj: Any) -> None:
        obj.n = 7
        session.save(obj)

    def edits_it(obj: Any) -> None:
        with session.edit(obj):
            obj.n = 7

    def updates_it(obj: Any) -> None:
        session.update(obj, set_(case.model.n, 7))

    for act in (saves, edits_it, updates_it):
        item = {"id": {"S": "1"}, **old}
        session.client.put_item(TableName=table_of(session, case.model), Item=item)
        obj = session.get_one(case.model, "1")
        assert obj.version == 3
        act(obj)
        found = stored(session, case.model)
        assert (found["v"], found["cr"], found["n"]) == ({"N": "4"}, {"S": made}, {"N": "7"})
        assert not found.keys() & {"rev", "made", "was"}
    session.client.put_item(TableName=table_of(session, case.model), Item=item)
    session.delete(session.get_one(case.model, "1"))
    assert session.get(case.model, "1") is None


def test_what_upgrades_leave_out_is_no_key_of_an_index(client: Any, table_prefix: str) -> None:
    """DynamoDB refuses NULL there, and a set field's absence is the empty set."""

    def leaves_out(item: Item) -> None:
        item["ids"] = set()

    @model("renewed-keys", upgrades=[leaves_out], indexes=[GlobalIndex("by-k", partition_key="k")])
    class Keyed:
        id: str = partition_key()
        k: str | None = field(name="k", formerly=["old"], default=None)
        ids: set[str] = attrs.field(factory=set)

    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Keyed)
    item = {"id": {"S": "1"}, "old": {"NULL": True}, "ids": {"SS": ["a"]}}
    client.put_item(TableName=table_of(session, Keyed), Item=item)

    assert session.migrate(Keyed).rewritten == 1

    assert stored(session, Keyed) == {"id": {"S": "1"}, "schema_version": {"N": "2"}}
    session.close()


@pytest.mark.parametrize("unknown", ["keep", "drop"])
def test_updates_leave_unknown_attributes_of_old_items(
    client: Any, table_prefix: str, unknown: Any
) -> None:
    @model("renewed-unknown", upgrades=[notes], unknown=unknown)
    class Kept:
        id: str = partition_key()
        n: int = 0

    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Kept)
    item = {"id": {"S": "1"}, "theirs": {"S": "x"}}
    client.put_item(TableName=table_of(session, Kept), Item=item)

    session.update(Kept, "1", set_(Kept.n, 1))

    assert stored(session, Kept)["theirs"] == {"S": "x"}
    session.close()


def test_a_time_to_live_is_over_under_its_former_name_too(client: Any, table_prefix: str) -> None:
    @model("renewed-ttl")
    class Token:
        id: str = partition_key()
        ends: datetime | None = field(name="ends", formerly=["e", "f"], ttl=True, default=None)

    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Token)
    past, future = {"N": "1000000000"}, {"N": "32000000000"}
    items: dict[str, Item] = {
        "a": {"e": past}, "b": {"f": past}, "c": {"ends": past, "e": future},
        "d": {"e": future, "f": past}, "g": {"ends": future, "e": past}, "h": {},
    }  # fmt: skip
    for key, item in items.items():
        client.put_item(TableName=table_of(session, Token), Item={"id": {"S": key}, **item})

    found = session.scan(Token).unexpired().all()
    assert sorted(each.id for each in found) == ["d", "g", "h"]
    found = list(session.get_many(Token, items, unexpired=True))
    assert sorted(each.id for each in found) == ["d", "g", "h"]
    assert [key for key in items if session.get(Token, key, unexpired=True)] == ["d", "g", "h"]
    session.close()


def test_get_asks_upgrades_whether_a_time_to_live_is_over(client: Any, table_prefix: str) -> None:
    @model("renewed-ends", upgrades=[moves("e", "ends")])
    class Ending:
        id: str = partition_key()
        ends: datetime | None = field(ttl=True, default=None)

    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Ending)
    item = {"id": {"S": "1"}, "e": {"N": "1000000000"}}
    client.put_item(TableName=table_of(session, Ending), Item=item)

    assert session.get(Ending, "1") is not None
    assert session.get(Ending, "1", unexpired=True) is None
    assert list(session.get_many(Ending, ["1"], unexpired=True)) == []
    session.close()


def test_a_statement_that_returns_parts_is_refused_before_it_writes(
    client: Any, table_prefix: str
) -> None:
    @model("renewed-parts", upgrades=[moves("words", "text")])
    class Part:
        id: str = partition_key()
        text: str = ""

    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Part)
    name = table_of(session, Part)
    client.put_item(TableName=name, Item={"id": {"S": "1"}, "words": {"S": "a"}})
    statement = f"UPDATE \"{name}\" SET n = 1 WHERE id = '1' RETURNING modified new *"

    with pytest.raises(QueryError, match=r"write RETURNING ALL NEW \*"):
        list(session.execute(statement, model=Part))

    assert "n" not in stored(session, Part)
    assert list(session.execute(statement)) == [{"n": 1}]
    session.close()
