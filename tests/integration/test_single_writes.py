"""What takes a request of its own is stored as its attribute map says, however it is sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any
from uuid import uuid4

import attrs
import pytest

from dynattrs import (
    AlreadyTaken,
    Compressed,
    ConditionFailed,
    GlobalIndex,
    ItemExists,
    Json,
    Session,
    Table,
    TransactionFailed,
    field,
    mapper,
    model,
    partition_key,
    sort_key,
)
from dynattrs.mapper.equality import same
from dynattrs.schema.model_info import model_info


@attrs.define
class Part:
    name: str
    data: bytes = b"\x00\xff"


def tidy(obj: Any) -> None:
    obj.word = obj.word.lower()


@model("single_plain")
class Plain:
    id: bytes = partition_key()
    at: Decimal = sort_key()
    word: str = "w"
    tags: set[bytes] = attrs.field(factory=set)
    parts: list[Part] = attrs.field(factory=list)
    text: Annotated[Any, Json] = None
    zipped: Annotated[str, Compressed] = ""


@model("single_versioned", before_save=tidy)
class Versioned(Plain):
    version: int = field(version=True, default=0)
    updated: dt.datetime | None = field(updated=True, default=None)


@model("single_unique")
class Unique(Plain):
    name: str = field(unique=True, default="n")


@model("single_frozen", frozen=True)
class Frozen:
    id: bytes = partition_key()
    at: Decimal = sort_key()
    word: str = "w"
    created: dt.datetime | None = field(created=True, default=None)
    version: int = field(version=True, default=0)


SHELF = Table(
    "single_shelf", partition_key="pk", sort_key="sk", discriminator="type",
    indexes=[GlobalIndex("by-word", partition_key="word_key")],
)  # fmt: skip


@model(SHELF, pk="{id}", sk="{at}", word_key="{word}")
class Keyed:
    id: int
    at: dt.datetime
    word: str = "w"
    version: int = field(version=True, default=0)


AT = dt.datetime(2026, 11, 27, tzinfo=dt.timezone.utc)
MAKERS: dict[str, Callable[[int], Any]] = {
    cls.__name__: lambda number, cls=cls: cls(
        b"\x00\xfe", Decimal(number) / 2, "Word", {b"a", b"\xff"}, [Part("é")], {"a": [1]}, "z"
    )
    for cls in (Plain, Versioned)
} | {
    "Unique": lambda number: Unique(b"\x01", Decimal(number), name=f"n{number}"),
    "Frozen": lambda number: Frozen(b"\xff", Decimal("1.50") + number),
    "Keyed": lambda number: Keyed(number, AT),
}


class Heard:
    """What a listener or a patch of the client gets: attribute maps."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def patched(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def method_(**parameters: Any) -> Any:
            self.listen(parameters)
            return method(**parameters)

        return method_

    def listen(self, params: Any, **_: object) -> None:
        self.items += [params["Item"]] if "Item" in params else []
        for action in params.get("TransactItems", ()):
            self.items += [action["Put"]["Item"]] if "Put" in action else []
        for requests in params.get("RequestItems", {}).values():
            if isinstance(requests, list):
                self.items += [
                    each["PutRequest"]["Item"] for each in requests if "PutRequest" in each
                ]


@pytest.fixture(params=["fast", "slow", "heard", "patched"])
def way(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def session(client: Any, table_prefix: str, way: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix, fast=way != "slow")
    yield session
    session.close()


@pytest.fixture
def heard(session: Session, session_kind: str, way: str) -> Iterator[Heard]:
    client: Any = session.client
    if session_kind == "asyncio":
        client = pytest.importorskip("awaited_session").twin_of(client)
    heard = Heard()
    if way == "heard":
        client.meta.events.register("provide-client-params.dynamodb", heard.listen)
        yield heard
        client.meta.events.unregister("provide-client-params.dynamodb", heard.listen)
    elif way == "patched":
        for method in _METHODS:
            setattr(client, method, heard.patched(getattr(client, method)))
        yield heard
        for method in _METHODS:
            delattr(client, method)
    else:
        yield heard


_METHODS = ("put_item", "transact_write_items", "batch_write_item")


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_stored_is_the_attribute_map_of_what_is_returned(
    session: Session, client: Any, heard: Heard, way: str, name: str
) -> None:
    make = MAKERS[name]
    cls: Any = type(make(0))
    info = model_info(cls)
    session.tables.create(cls)
    asked: list[str] = []
    session.on("after_send", lambda event: asked.append(event.operation))

    stored = [
        session.save(make(0)),
        session.insert(make(1)),
        session.save(make(2), when=cls.word != "x"),
    ]
    with session.transaction() as t:
        stored += [t.save(make(3)), t.insert(make(4))]
    with session.transaction(token=uuid4().hex, now=AT) as t:
        stored += [t.save(make(6))] if not info.guarding else []
    with session.batch() as batch:
        stored += [batch.save(make(5))]
    session.save_all([make(7), make(8)])

    kept = {_key(info, each): each for each in _stored(client, session, info)}
    for obj in stored:
        expected = mapper.dump(obj)
        assert same(kept[_key(info, expected)], expected)
    assert len(kept) == len(stored) + 2
    assert "PutItem" in asked
    assert "TransactWriteItems" in asked
    if way in ("heard", "patched"):
        assert len(heard.items) >= len(stored) + 2
        assert all(type(item) is dict for item in heard.items)


def _key(info: Any, item: Any) -> str:
    return repr([item[name] for name in info.table.key])


def _stored(client: Any, session: Session, info: Any) -> list[dict[str, Any]]:
    table = session._core.table_name(info.table)
    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    return [each for each in items if "dynattrs.unique" not in each]


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("name", MAKERS)
def test_a_refusal_shows_the_item_and_leaves_the_object(session: Session, name: str) -> None:
    make = MAKERS[name]
    cls: Any = type(make(0))
    session.tables.create(cls)
    first, second = session.insert(make(1)), make(1)

    with pytest.raises(ItemExists) as exists:
        session.insert(second)
    with pytest.raises(ConditionFailed) as failed:
        session.save(second, when=cls.word == "other")
    with pytest.raises(TransactionFailed) as canceled, session.transaction() as t:
        t.insert(second)

    assert exists.value.item == failed.value.item == first
    [reason] = canceled.value.reasons
    assert reason is not None
    assert reason.item == first
    assert getattr(second, "version", 0) == 0
    if hasattr(second, "version"):
        with pytest.raises(ConditionFailed):
            session.save(second)


@pytest.mark.usefixtures("heard")
def test_a_unique_value_is_taken_in_a_transaction_and_alone(session: Session) -> None:
    session.tables.create(Unique)
    session.save(Unique(b"a", Decimal(1), name="ann"))

    with pytest.raises(AlreadyTaken):
        session.save(Unique(b"b", Decimal(1), name="ann"))
    with pytest.raises(AlreadyTaken), session.transaction() as t:
        t.insert(Unique(b"b", Decimal(1), name="ann"))
    session.save(Unique(b"a", Decimal(1), "again", name="ann"))
    session.save(Unique(b"a", Decimal(1), name="bob"))
    session.insert(Unique(b"b", Decimal(1), name="ann"))

    assert {each.name for each in session.scan(Unique)} == {"ann", "bob"}
