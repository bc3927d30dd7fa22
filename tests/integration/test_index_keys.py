"""Index keys are whole, as they are declared, or absent: also of items that are older than an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from dynattrs import (
    ConditionFailed,
    GlobalIndex,
    NoSuchItem,
    QueryError,
    Session,
    StaleKey,
    Table,
    field,
    model,
    set_,
)


def declare(name: str = "app", **keys: str) -> tuple[Table, type[Any]]:
    indexes = [
        GlobalIndex("by-status", partition_key="g1pk", sort_key="g1sk"),
        GlobalIndex("by-owner", partition_key="g2pk"),
    ]
    table = Table(
        name, partition_key="pk", sort_key="sk",
        indexes=[each for each in indexes if each.partition_key[0] in keys],
    )  # fmt: skip

    @model(table, pk="O#{id}", sk="O", **keys)
    class Order:
        id: str
        day: str | None = None
        status: str = "new"
        owner: str | None = None
        version: int = field(version=True)
        changed: datetime | None = field(updated=True)

    return table, Order


OLD_KEYS = {"g1pk": "S={status}", "g1sk": "{day}#{owner}"}
KEYS = {"g1pk": "STATUS#{status}", "g1sk": "DAY#{day}", "g2pk": "OWNER#{owner}#{status}"}
BEFORE = {"no index": {}, "another template": OLD_KEYS}
_, WITHOUT = declare()
_, OTHERWISE = declare(**OLD_KEYS)
TABLE, Order = declare(**KEYS)


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(TABLE)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.fixture(params=[WITHOUT, OTHERWISE], ids=["no index", "another template"])
def older(request: pytest.FixtureRequest) -> Any:
    """The class before its indexes were declared as they are."""
    return request.param


def stored(session: Session) -> list[dict[str, Any]]:
    table = session._core.table_name(TABLE)
    items = session.client.scan(TableName=table, ConsistentRead=True)["Items"]
    return sorted(items, key=lambda item: str(item["pk"]))


def check_whole(session: Session) -> None:
    """All keys are as they would be written anew, and indexes answer as scans do."""
    for item in stored(session):
        order = session.get_one(Order, item["pk"]["S"][2:], consistent=True)
        keys = {
            "g1pk": f"STATUS#{order.status}",
            "g1sk": None if order.day is None else f"DAY#{order.day}",
            "g2pk": None if order.owner is None else f"OWNER#{order.owner}#{order.status}",
        }
        found = {name: item.get(name, {}).get("S") for name in keys}
        assert found == keys, item
    for status in ("new", "open"):
        for where in (
            (Order.status == status, Order.day >= ""),
            (Order.status == status, Order.owner == "ann"),
        ):
            query = session.query(Order).where(*where).all()
            scan = session.scan(Order).where(*where).consistent().all()
            assert sorted(query, key=str) == sorted(scan, key=str)


def edit(session: Session, order: Any) -> None:
    with session.edit(order):
        order.status = "open"


def guarded_edit(session: Session, order: Any) -> None:
    with session.edit(order, guard=True):
        order.status = "open"
        order.day = "d2"


def edit_of_one_part(session: Session, order: Any) -> None:
    with session.edit(order):
        order.day = "d3"


def edit_to_none(session: Session, order: Any) -> None:
    with session.edit(order):
        order.day = None


def update_of_object(session: Session, order: Any) -> None:
    session.update(order, set_(Order.status, "open"))


def update_by_key(session: Session, order: Any) -> None:
    session.update(Order, order.id, set_(Order.day, "d4"))


def update_in_transaction(session: Session, order: Any) -> None:
    with session.transaction() as t:
        t.update(order, set_(Order.status, "open"))


def save(session: Session, order: Any) -> None:
    order.status = "open"
    session.save(order)


WRITES: list[Callable[[Session, Any], None]] = [
    edit, guarded_edit, edit_of_one_part, edit_to_none, update_of_object, update_by_key,
    update_in_transaction, save,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("day", [None, "d1"])
@pytest.mark.parametrize("owner", [None, "ann"])
def test_a_write_of_an_older_item_writes_its_index_keys_whole(
    session: Session,
    older: Any,
    write: Callable[[Session, Any], None],
    day: str | None,
    owner: str | None,
):
    """Half of a key kept the item out of the index, or under what it no longer is."""
    session.save(older("1", day, "new", owner))
    order = session.get_one(Order, "1", consistent=True)

    write(session, order)

    check_whole_parts(session)
    session.migrate(Order)
    check_whole(session)


def check_whole_parts(session: Session) -> None:
    """What an index is made of is as declared, or was left alone."""
    (item,) = stored(session)
    order = session.get_one(Order, "1", consistent=True)
    if item.get("g1pk") == {"S": f"STATUS#{order.status}"}:
        assert item.get("g1sk") == (None if order.day is None else {"S": f"DAY#{order.day}"})
    else:
        assert not str(item.get("g1sk")).startswith("DAY#")


@pytest.mark.parametrize("write", WRITES)
def test_a_write_of_an_item_with_its_keys_is_one_request(
    session: Session, write: Callable[[Session, Any], None]
):
    for owner in (None, "ann"):
        order = session.save(Order("1", "d1", "new", owner))
        before = session.stats.total

        write(session, order)

        assert session.stats.total == before + 1
        check_whole(session)
        session.delete(Order, "1")


def test_migrate_rewrites_index_keys_and_nothing_else(session: Session, older: Any):
    for number, (day, owner) in enumerate(((None, None), ("d1", None), ("d1", "ann"))):
        session.save(older(str(number), day, "new", owner))
    session.save(Order("9", "d1", "open", "ann"))
    odd = {"pk": {"S": "O#8"}, "sk": {"S": "O"}, "status": {"S": "new"}, "unknown": {"S": "kept"}}
    odd["id"] = {"S": "8"}
    odd["changed"] = {"S": "2026-01-01T00:00:00Z"}
    session.client.put_item(TableName=session._core.table_name(TABLE), Item=odd)
    before = stored(session)

    done = session.migrate(Order)

    assert (done.rewritten, done.failed) == (4, 0)
    assert session.migrate(Order).rewritten == 0
    check_whole(session)
    for was, now in zip(before, stored(session), strict=True):
        assert {**was, **{name: now.get(name) for name in KEYS}} == {
            **now, **{name: now.get(name) for name in KEYS}
        }  # fmt: skip


def test_migrate_writes_keys_of_what_is_stored_when_it_writes(session: Session):
    session.save(WITHOUT("1", "d1", "new", "ann"))
    order = session.get_one(Order, "1", consistent=True)
    sent = 0

    def interfere(event: Any) -> None:
        nonlocal sent
        if event.operation == "UpdateItem":
            sent += 1
            if sent == 1:
                item = {"pk": {"S": "O#1"}, "sk": {"S": "O"}, "id": {"S": "1"}}
                item["status"] = {"S": "open"}
                session.client.put_item(TableName=session._core.table_name(TABLE), Item=item)

    session.on("before_send", interfere)
    session.migrate(Order)

    assert sent == 2
    assert session.get_one(Order, "1", consistent=True).status == "open"
    assert order.status == "new"
    check_whole(session)


def test_the_difference_of_a_table_says_that_items_lack_the_keys_of_a_new_index(
    session: Session,
):
    bare, _ = declare("bare")
    session.tables.create(bare)
    table, _ = declare("bare", **KEYS)

    changes = session.tables.diff(table)

    assert [change.setting for change in changes] == ["indexes", "indexes"]
    for change in changes:
        assert "then session.migrate(Order) gives its keys to the items" in change.action
    session.tables.update(table)
    assert session.tables.diff(table) == []


def test_a_model_without_computed_index_keys_has_nothing_to_migrate(session: Session):
    with pytest.raises(QueryError, match="no index keys made of fields"):
        session.migrate(WITHOUT)


# --- Stale objects ------------------------------------------------------------------------------


def test_an_edit_makes_keys_of_what_others_have_written_meanwhile(session: Session):
    """A key of two fields said what neither the item nor the object was."""
    _, plain = unversioned()
    session.save(plain("1", "d1", "new", "ann"))
    first, second = (session.get_one(plain, "1", consistent=True) for _ in range(2))
    with session.edit(first):
        first.owner = "bob"
    with session.edit(second):
        second.status = "open"

    found = session.get_one(plain, "1", consistent=True)
    assert (found.owner, found.status) == ("bob", "open")
    (item,) = stored(session)
    assert item["g2pk"] == {"S": "OWNER#bob#open"}


def test_an_edit_brings_an_item_into_an_index_that_others_have_made_possible(session: Session):
    _, plain = unversioned()
    session.save(plain("1"))
    first, second = (session.get_one(plain, "1", consistent=True) for _ in range(2))
    session.update(first, set_(plain.owner, "bob"))
    with session.edit(second):
        second.status = "open"

    (item,) = stored(session)
    assert item["g2pk"] == {"S": "OWNER#bob#open"}


def test_an_edit_of_an_item_whose_fields_are_spelled_otherwise(session: Session):
    table = Table("app", partition_key="pk", sort_key="sk", indexes=TABLE.indexes)

    @model(table, pk="O#{id}", sk="O", g1pk="{kind}", g1sk="{at}#{kind}")
    class Event:
        id: str
        at: datetime
        kind: str = "a"

    item = {"pk": {"S": "O#1"}, "sk": {"S": "O"}, "id": {"S": "1"}, "kind": {"S": "a"}}
    item["at"] = {"S": "2026-01-01T00:00:00Z"}
    session.client.put_item(TableName=session._core.table_name(TABLE), Item=item)
    event = session.get_one(Event, "1", consistent=True)
    with session.edit(event):
        event.kind = "b"

    (found,) = stored(session)
    assert found["g1pk"] == {"S": "b"}
    assert found["g1sk"] == {"S": "2026-01-01T00:00:00.000000Z#b"}
    assert found["at"] == {"S": "2026-01-01T00:00:00Z"}
    assert event.at == datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_errors_are_as_before(session: Session):
    session.save(Order("1", "d1", "new", "ann"))

    for action in (set_(Order.day, "d2"), set_(Order.status, "open")):
        with pytest.raises((NoSuchItem, StaleKey)):
            session.update(Order, "2", action)
    with pytest.raises(NoSuchItem):
        session.update(Order("2"), set_(Order.status, "open"))
    assert not session.exists(Order, "2")
    with pytest.raises(ConditionFailed):
        session.update(Order, "1", set_(Order.day, "d2"), when=Order.status == "open")

    check_whole(session)


def unversioned() -> tuple[Table, type[Any]]:
    table = Table("app", partition_key="pk", sort_key="sk", indexes=TABLE.indexes)

    @model(table, pk="O#{id}", sk="O", **KEYS)
    class Plain:
        id: str
        day: str | None = None
        status: str = "new"
        owner: str | None = None

    return table, Plain


# --- Keys that say something else than the fields they are made of ---------------------------------


def padded(name: str, pad: str, projection: Any = "all") -> tuple[Table, type[Any]]:
    index = GlobalIndex("by-state", partition_key="gk", sort_key="gs", projection=projection)
    table = Table(name, partition_key="pk", indexes=[index])

    @model(table, pk="T#{id}", gk="S#{state}", gs=pad)
    class Task:
        id: str
        state: str = "open"
        number: int = 0
        code: str | None = field(unique=True, default=None)

    @model(table, pk="P#{id}", gk="S#{state}", gs=pad)
    class Plain:
        id: str
        state: str = "open"
        number: int = 0

    return table, Plain if projection == "all" else Task


_, Wider = padded("padded", "{number:04d}")
PADDED, Padded = padded("padded", "{number:06d}")
IN_PART, InPart = padded("padded-in-part", "{number:06d}", "keys")


def ids(session: Session, cls: Any, *where: Any) -> list[str]:
    return [each.id for each in session.query(cls).where(cls.state == "open", *where)]


def asked(session: Session) -> dict[str, Any]:
    """What each end of a query finds of the tasks from number 5."""
    query = session.query(Padded).where(Padded.state == "open", Padded.number >= 5)
    return {
        "all": {each.id for each in query.all()},
        "count": query.count(),
        "keys": set(map(str, query.keys())),
        "select": {each for (each,) in query.select(Padded.id)},
        "first": query.first(),
        "page": {each.id for each in query.page(2).items},
        "limit": {each.id for each in query.limit(2)},
    }


def test_an_index_key_of_another_template_never_answers_for_its_fields(session: Session):
    """`0001` lies between the bounds of `000005`, and the item has the number 1."""
    session.tables.create(PADDED)
    session.save_all(Wider(str(number), "open", number) for number in range(5))

    found = asked(session)

    assert not found.pop("count")
    assert not any(found.values())
    session.save_all([Padded("7", "open", 7), Padded("8", "open", 8)])
    assert asked(session)["limit"] == {"7", "8"}
    assert asked(session)["count"] == 2

    query = session.query(Padded).where(Padded.state == "open", Padded.number >= 5)
    assert query.delete() == 2
    assert {each.id for each in session.scan(Padded)} == {*"01234"}


@pytest.mark.parametrize("cls", [Padded, InPart], ids=["whole", "in part"])
def test_a_delete_by_query_spares_what_does_not_satisfy_its_condition(session: Session, cls: Any):
    """Another program has changed the field, and knows no keys. The index of the second model has keys
    only, and that has unique values besides."""
    table = PADDED if cls is Padded else IN_PART
    session.tables.create(table)
    session.save_all(cls(str(number), "open", number) for number in range(4))
    prefix = "P#" if cls is Padded else "T#"
    session.client.update_item(
        TableName=session._core.table_name(table),
        Key={"pk": {"S": f"{prefix}1"}},
        UpdateExpression="SET #s = :done",
        ExpressionAttributeNames={"#s": "state"},
        ExpressionAttributeValues={":done": {"S": "done"}},
    )

    query = session.query(cls).where(cls.state == "open", cls.number <= 2).hydrate()
    assert [each.id for each in query] == ["0", "2"]
    query.delete()

    assert {each.id for each in session.scan(cls)} == {"1", "3"}


def test_explain_says_what_is_asked_of_the_fields_as_well(session: Session):
    asked = session.query(Padded).where(Padded.state == "open")
    assert (
        "also filtered, in case a key of the index is out of date: (Plain.state == 'open')"
        in asked.explain()
    )

    in_part = session.query(InPart).where(InPart.state == "open").hydrate()
    assert "what hydrate() fetches or delete() would delete is asked besides" in in_part.explain()


@model(PADDED, pk="R#{id}", gk="S#{state}", gs="{number:06d}")
class Renamed:
    id: str
    state: str = field(name="state", formerly=["status"], default="open")
    number: int = 0


def test_an_older_item_is_found_by_its_key_though_its_field_had_another_name(session: Session):
    session.tables.create(PADDED)
    item = {name: {"S": text} for name, text in {"pk": "R#1", "id": "1", "status": "open"}.items()}
    keys = {"gk": {"S": "S#open"}, "gs": {"S": "000007"}, "number": {"N": "7"}}
    table = session._core.table_name(PADDED)
    session.client.put_item(TableName=table, Item=item | keys)

    assert ids(session, Renamed, Renamed.number == 7) == ["1"]
