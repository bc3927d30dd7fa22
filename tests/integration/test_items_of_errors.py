"""What errors of reading hand out is the item as it is stored, which can be repaired and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionFailed,
    MappingError,
    Session,
    Table,
    field,
    model,
    partition_key,
    set_,
    sort_key,
)
from dynattrs.schema.model_info import model_info

KINDS = Table("kinds", partition_key="id", discriminator="type", types={"id": "B"})


@model(KINDS)
class Known:
    id: bytes = partition_key()
    u: bytes = b""


@model(KINDS)
class Special(Known):
    more: int = 0


def fail_on_text(item: dict[str, Any]) -> None:
    item["n"] = item.pop("count") + 1


@model("evolving", upgrades=[fail_on_text, lambda item: None])
class Evolving:
    id: bytes = partition_key()
    n: int = 0


@model("renamed")
class Renamed:
    id: bytes = partition_key()
    n: int = field(formerly="count", default=0)


@model(Table("made", partition_key="pk", sort_key="sk", types={"sk": "B"}), pk="MADE#{id}")
class Made:
    id: str = field(key_only=True)
    sk: bytes = sort_key()
    n: int = 0


@model("plain")
class Plain:
    id: bytes = partition_key()
    n: int = 0
    b: set[str] = field(factory=set)


PARTS: dict[str, Any] = {
    "u": {"B": b"a"},
    "us": {"BS": [b"b"]},
    "in": {"M": {"l": {"L": [{"B": b"c"}, {"S": "YQ=="}]}}},
}
ID = {"id": {"B": b"\x00key"}}
#: The model that is asked for, and an item that is not one, or cannot be read as one.
CASES: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "no model of the table": (Known, {**ID, "type": {"S": "Alien"}}),
    "another type": (Plain, {**ID, "n": {"B": b"5"}}),
    "a set of another type": (Plain, {**ID, "b": {"BS": [b"5"]}}),
    "a newer program's": (Evolving, {**ID, "schema_version": {"N": "9"}}),
    "a failed upgrade": (Evolving, {**ID, "count": {"S": "many"}}),
    "an upgrade that makes no number": (
        Evolving, {**ID, "n": {"S": "x"}, "count": {"N": "1"}, "schema_version": {"N": "2"}},
    ),
    "another type under a former name": (Renamed, {**ID, "count": {"S": "many"}}),
    "another type beside a made key": (
        Made, {"pk": {"S": "MADE#1"}, "sk": {"B": b"\x00key"}, "n": {"S": "many"}},
    ),
}  # fmt: skip


def _key(cls: type[Any]) -> Any:
    return ("1", b"\x00key") if cls is Made else b"\x00key"


def _query(session: Session, cls: type[Any]) -> Any:
    return session.query(cls).where(cls.id == ("1" if cls is Made else b"\x00key"))


def _gathered(query: Any) -> None:
    seen: list[MappingError] = []
    assert query.on_error(seen.append).all() == []
    [error] = seen
    raise error


VERBS: dict[str, Callable[[Session, type[Any]], Any]] = {
    "get": lambda s, cls: s.get(cls, _key(cls)),
    "get_many": lambda s, cls: list(s.get_many(cls, [_key(cls)])),
    "query": lambda s, cls: _query(s, cls).all(),
    "query on_error": lambda s, cls: _gathered(_query(s, cls)),
    "scan": lambda s, cls: s.scan(cls).all(),
    "scan on_error": lambda s, cls: _gathered(s.scan(cls)),
    "refresh": lambda s, cls: s.refresh(
        cls("1", b"\x00key") if cls is Made else cls(b"\x00key")
    ),
    "transact_get": lambda s, cls: s.transact_get((cls, _key(cls))),
    "execute": lambda s, cls: list(
        s.execute(f'SELECT * FROM "{s._core.table_name(_table(cls))}"', model=cls)
    ),
}  # fmt: skip


def _table(cls: type[Any]) -> Table:
    return model_info(cls).table


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


@pytest.mark.parametrize("case", CASES)
def test_the_item_of_an_error_is_what_is_stored(session: Session, client: Any, case: str):
    cls, item = CASES[case]
    item = {**item, **PARTS}
    session.tables.create(cls)
    name = session._core.table_name(_table(cls))
    client.put_item(TableName=name, Item=item)
    key = {each: item[each] for each in _table(cls).key}

    for verb, read in VERBS.items():
        with pytest.raises(MappingError) as caught:
            read(session, cls)
        assert caught.value.item == item, verb
        assert caught.value.key == key, verb
        assert "AGtleQ==" not in str(caught.value), verb
        assert "NQ==" not in str(caught.value), verb


def test_a_refresh_that_meets_a_subclass_has_its_item(session: Session, client: Any):
    session.tables.create(KINDS)
    session.save(Special(b"\x00key", b"a", 3))
    [item] = client.scan(TableName=session._core.table_name(KINDS))["Items"]

    with pytest.raises(MappingError, match="Special") as caught:
        session.refresh(Known(b"\x00key"))

    assert caught.value.item == item
    assert caught.value.key == ID


@attrs.define
class Part:
    n: int


@pytest.mark.parametrize("cls", [Evolving, Renamed])
def test_projections_have_the_item_as_it_is_stored(session: Session, client: Any, cls: type[Any]):
    item = {**ID, "count": {"S": "many"}}
    if cls is Evolving:
        item = {**ID, "n": {"B": b"a"}, "schema_version": {"N": "2"}}
    session.tables.create(cls)
    client.put_item(TableName=session._core.table_name(_table(cls)), Item=item)

    for query in (session.scan(cls).as_(Part), session.scan(cls).select(cls.n)):
        with pytest.raises(MappingError) as caught:
            _gathered(query)
        assert caught.value.item == item
        assert caught.value.key == ID


def test_an_unreadable_item_of_a_false_condition_has_its_bytes(session: Session, client: Any):
    item = {**ID, "n": {"B": b"5"}, **PARTS}
    session.tables.create(Plain)
    client.put_item(TableName=session._core.table_name(_table(Plain)), Item=item)

    with pytest.raises(ConditionFailed) as caught:
        session.update(Plain, b"\x00key", set_(Plain.n, 2), when=Plain.n == 1)

    assert caught.value.item == item


# --- Deleted attributes ---------------------------------------------------------------------------


def _short(_: Any, __: Any, value: list[int]) -> None:
    if len(value) > 3:
        raise ValueError("too long")


@attrs.define
class Inner:
    members: list[int] = attrs.field(factory=list, validator=_short)


@model("deleted")
class Deleted:
    id: str = partition_key()
    members: list[int] = field(factory=list, validator=_short)
    inner: Inner = field(factory=Inner)


@model("stamps")
class Stamps:
    id: str = partition_key()
    created: datetime | None = field(default=None, created=True)
    updated: datetime | None = field(default=None, updated=True)


@model("versions")
class Versions:
    id: str = partition_key()
    version: int = field(default=0, version=True)


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        *((Deleted, each) for each in ("members", "inner", "inner.members", "id")),
        *((Stamps, each) for each in ("created", "updated")), (Versions, "version"),
    ],
)  # fmt: skip
def test_an_object_without_an_attribute_leaves_the_others_alone(
    session: Session, cls: type[Any], name: str
):
    session.tables.create(cls)
    a, b, c = map(cls, "abc")
    if name == "inner.members":
        del b.inner.members
    else:
        delattr(b, name)
    seen: list[MappingError] = []

    session.save_all([a, b, c], on_error=seen.append)

    assert {each.id for each in session.scan(cls)} == {"a", "c"}
    [error] = seen
    assert error.obj is b
    assert f"{cls.__name__}.{name}: expected" in str(error)
    with pytest.raises(MappingError, match=name):
        session.save(b)
    with pytest.raises(MappingError, match=name), session.transaction() as t:
        t.save(b)
