"""Times to live on each engine: every verb stores whole seconds, and every read compares exactly."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest

from dynattrs import (
    ImpossibleKey,
    LocalIndex,
    Session,
    Table,
    between,
    evolve,
    field,
    if_not_exists,
    in_,
    map_class,
    model,
    partition_key,
    set_,
    sort_key,
)
from dynattrs.mapper import Epoch
from dynattrs.schema.model_info import NO_OPTIONS

# Far away: DynamoDB Local deletes what has expired.
AT = datetime(2096, 1, 1, 0, 0, 10, 500_000, timezone.utc)
SECOND = timedelta(seconds=1)
WHOLE = datetime(2096, 1, 1, 0, 0, 11, tzinfo=timezone.utc)
T = 4_000_000_000
STORED = {"N": str(int(WHOLE.timestamp()))}


@model("tokens")
class Token:
    id: str = partition_key()
    expires: datetime = field(ttl=True)
    note: str = ""


@model("epochs", indexes=[LocalIndex("by-end", sort_key="expires")])
class EpochToken:
    note: str = partition_key()
    id: str = sort_key()
    expires: Annotated[datetime, Epoch] | None = field(ttl=True, default=None)


@model("floats")
class FloatToken:
    id: str = partition_key()
    expires: float = field(ttl=True)


@model("decimals")
class DecimalToken:
    id: str = partition_key()
    expires: Decimal = field(ttl=True)


@attrs.define
class Foreign:
    id: str
    expires: datetime = attrs.field(metadata={"dynattrs": attrs.evolve(NO_OPTIONS, ttl=True)})


map_class(Foreign, "foreign", partition_key="id", unknown="drop")

TICKETS = Table("tickets", partition_key="pk", sort_key="sk", ttl="expires")


@model(TICKETS, pk="T#{id}", sk="AT#{expires:012d}")
class Ticket:
    id: str
    expires: int = field(ttl=True)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


@pytest.fixture
def stored(client: Any, table_prefix: str) -> Any:
    def look(table: str = "tokens", id: str = "x") -> Any:
        key = {"id": {"S": id}}
        found = client.get_item(TableName=f"{table_prefix}{table}", Key=key, ConsistentRead=True)
        return found["Item"]["expires"]

    return look


def past_setattr(id: str = "x") -> Token:
    obj = Token(id, WHOLE)
    object.__setattr__(obj, "expires", AT)
    return obj


def by_batch(session: Session, obj: Token) -> None:
    with session.batch() as batch:
        batch.save(obj)


def by_edit(session: Session, obj: Token) -> None:
    mine = session.save(Token("x", WHOLE + SECOND))
    with session.edit(mine):
        object.__setattr__(mine, "expires", obj.expires)


def by_guarded_edit(session: Session, obj: Token) -> None:
    session.save(Token("x", WHOLE + SECOND))
    mine = session.get_one(Token, "x", consistent=True)
    with session.edit(mine, guard=True):
        mine.expires = obj.expires


def by_update(session: Session, obj: Token) -> None:
    session.save(Token("x", WHOLE + SECOND))
    changed = session.update(Token, "x", set_(Token.expires, obj.expires))
    assert changed.expires == WHOLE


def by_upsert(session: Session, obj: Token) -> None:
    session.update(Token, "x", set_(Token.expires, obj.expires), upsert=True)


def by_if_not_exists(session: Session, obj: Token) -> None:
    session.update(
        Token, "x", set_(Token.expires, if_not_exists(Token.expires, obj.expires)), upsert=True
    )


def by_move(session: Session, obj: Token) -> None:
    old = session.save(Token("old", WHOLE))
    session.move(old, obj)


def by_transaction(verb: str) -> Any:
    def write(session: Session, obj: Token) -> None:
        with session.transaction() as t:
            getattr(t, verb)(obj)

    return write


def by_updating_transaction(session: Session, obj: Token) -> None:
    session.save(Token("x", WHOLE + SECOND))
    with session.transaction() as t:
        t.update(Token, "x", set_(Token.expires, obj.expires))


WRITES: dict[str, Any] = {
    "save": lambda session, obj: session.save(obj),
    "save when": lambda session, obj: session.save(obj, when=Token.note != "no"),
    "insert": lambda session, obj: session.insert(obj),
    "save_all": lambda session, obj: session.save_all([obj]),
    "batch": by_batch,
    "edit": by_edit,
    "guarded edit": by_guarded_edit,
    "update": by_update,
    "upsert": by_upsert,
    "if_not_exists": by_if_not_exists,
    "move": by_move,
    "transaction save": by_transaction("save"),
    "transaction insert": by_transaction("insert"),
    "transaction update": by_updating_transaction,
}


@pytest.mark.parametrize("make", [lambda: Token("x", AT), past_setattr], ids=["made", "changed"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_verb_stores_whole_seconds(session: Session, stored: Any, write: Any, make: Any):
    session.tables.create(Token)

    write(session, make())

    assert stored() == STORED
    assert session.get_one(Token, "x", consistent=True) == evolve(Token("x", AT), note="")


def test_what_was_saved_is_what_is_read(session: Session):
    """By every read, in every type."""
    session.tables.create(Token, EpochToken, FloatToken, DecimalToken)
    for obj, more in (
        (Token("x", AT), SECOND), (EpochToken("n", "x", AT), SECOND),
        (FloatToken("x", AT.timestamp()), 0.5),
        (DecimalToken("x", Decimal("3976214410.0000001")), Decimal("0.5")),
    ):  # fmt: skip
        cls: Any = type(obj)
        key = ("n", "x") if cls is EpochToken else "x"
        session.save(obj)

        assert session.get(cls, key, consistent=True) == obj
        assert session.query(cls).where(*key_is(cls)).consistent().all() == [obj]
        assert session.scan(cls).consistent().all() == [obj]
        assert list(session.get_many(cls, [key], consistent=True)) == [obj]
        assert session.transact_get((cls, key)) == (obj,)
        assert session.refresh(obj) == obj
        with session.edit(obj, guard=True):
            obj.expires += more  # type: ignore[operator]
        assert session.get(cls, key, consistent=True) == obj


def key_is(cls: Any) -> list[Any]:
    return [cls.id == "x", *([cls.note == "n"] if cls is EpochToken else [])]


def test_a_mapped_class_is_stored_in_whole_seconds(session: Session, stored: Any):
    session.tables.create(Foreign)

    session.save(Foreign("x", AT))
    assert stored("foreign") == STORED
    with session.batch() as batch:
        batch.save(Foreign("y", AT))
    assert stored("foreign", "y") == STORED
    assert session.get(Foreign, "x", consistent=True) == Foreign("x", WHOLE)


@pytest.mark.parametrize("cls", [Token, EpochToken])
def test_what_is_asked_is_asked_exactly(session: Session, cls: Any):
    """Of whole seconds 10, 11 and 12, by conditions that state 10.5."""
    session.tables.create(cls)
    for name, at in (("a", WHOLE - SECOND), ("b", WHOLE), ("c", WHOLE + SECOND)):
        session.save(cls(id=name, expires=at, note="n"))

    def found(condition: Any) -> str:
        ids = {each.id for each in session.scan(cls).where(condition).consistent()}
        if cls is EpochToken:
            by_index = session.query(cls).where(cls.note == "n", condition).consistent()
            assert {each.id for each in by_index} == ids
        return "".join(sorted(ids))

    assert found(cls.expires > AT) == found(cls.expires >= AT) == "bc"
    assert found(cls.expires < AT) == found(cls.expires <= AT) == "a"
    assert found(cls.expires == AT) == ""
    assert found(between(cls.expires, AT, AT + SECOND)) == "b"
    assert session.scan(cls).where(in_(cls.expires, [AT, WHOLE])).consistent().count() == 1
    assert session.scan(cls).where(cls.expires != AT).consistent().count() == 3


def test_the_time_to_live_in_a_key(session: Session):
    session.tables.create(Ticket)
    for at in (T + 10, T + 10.5, T + 11.5):
        session.save(Ticket("x", at))  # type: ignore[arg-type]

    between_seconds: Any = T + 10.5
    tickets = session.query(Ticket).where(Ticket.id == "x").consistent()
    assert [each.expires for each in tickets] == [T + 10, T + 11, T + 12]
    assert [each.expires for each in tickets.where(Ticket.expires > T + 10.5)] == [T + 11, T + 12]
    assert [each.expires for each in tickets.where(Ticket.expires <= T + 11.5)] == [T + 10, T + 11]
    with pytest.raises(ImpossibleKey):  # no ticket has a fraction, and neither has its key
        tickets.where(Ticket.expires == between_seconds).all()
    assert session.get(Ticket, ("x", T + 10.5), consistent=True) == Ticket("x", T + 11)
    session.delete(Ticket("x", T + 10.5))  # type: ignore[arg-type]
    assert not session.exists(Ticket, ("x", T + 11), consistent=True)


def test_fractions_of_other_programs_are_read(session: Session, client: Any, table_prefix: str):
    """They write `time.time() + 3600`."""
    session.tables.create(Token)
    client.put_item(
        TableName=f"{table_prefix}tokens",
        Item={"id": {"S": "x"}, "expires": {"N": "3976214410.1234567"}},
    )

    obj = session.get_one(Token, "x", consistent=True)
    assert obj == Token("x", WHOLE)
    assert session.scan(Token).where(Token.expires < AT).consistent().all() == [obj]
    session.save(obj)
    assert session.scan(Token).where(Token.expires < AT).consistent().all() == []
