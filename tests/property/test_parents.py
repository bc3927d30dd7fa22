"""Updates whose places are in nothing, while others write the same item between the requests.

The law: an update is one step. What is stored in the end is what plain Python makes, at once, of the item as
it was before the last request, so nothing is erased that another writer has put there. A refused one
changes nothing.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import boto3
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

import dynamodb_oracle as oracle
from dynattrs import (
    ConditionError,
    ConditionFailed,
    InvalidRequest,
    NoSuchItem,
    Session,
    TransactionFailed,
    add,
    field,
    if_not_exists,
    mapper,
    model,
    partition_key,
    path,
    remove,
    set_,
)
from dynattrs.wire.local_engine import Lease


@attrs.define
class Box:
    width: int = 1
    sizes: dict[str, int] = attrs.field(factory=dict)


@model("parents-docs")
class Doc:
    id: str = partition_key()
    n: int = 0
    meta: dict[str, dict[str, int]] = attrs.field(factory=dict)
    counts: dict[str, int] = attrs.field(factory=dict)
    box: Box = attrs.field(factory=lambda: Box(3, {"x": 5}))
    maybe: dict[str, int] | None = None


@model("parents-users")
class User(Doc):
    """Its updates are transactions where the unique field changes."""

    mail: str | None = field(unique=True, default=None)


@pytest.fixture(scope="module")
def embedded_session(embedded: Lease) -> Iterator[Session]:
    yield from session_of(
        embedded.endpoint_url,
        aws_access_key_id=embedded.access_key,
        aws_secret_access_key=embedded.secret_key,
    )


@pytest.fixture(scope="module")
def dynamodb_local_session(dynamodb_local: str) -> Iterator[Session]:
    yield from session_of(
        dynamodb_local, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def session_of(endpoint: str, **credentials: str) -> Iterator[Session]:
    client: Any = boto3.client(
        "dynamodb", endpoint_url=endpoint, region_name="us-east-1", **credentials
    )
    with Session(client=client) as session:
        session.tables.create(Doc, User)
        yield session
        session.tables.delete(Doc, User)
    client.close()


# --- What is done ---------------------------------------------------------------------------------

ONE: Any = {"N": "1"}
NOUGHT: Any = ("value", {"N": "0"})
#: Actions as a program writes them of a class, and as the oracle knows them.
ACTIONS: list[tuple[Callable[[Any], Any], tuple[Any, ...]]] = [
    (lambda c: set_(c.meta["a"]["b"], 1), ("SET", ("meta", "a", "b"), ("value", ONE))),
    (lambda c: set_(c.meta["a"]["c"], 1), ("SET", ("meta", "a", "c"), ("value", ONE))),
    (lambda c: add(c.meta["z"]["b"], 1), ("ADD", ("meta", "z", "b"), ONE)),
    (lambda c: remove(c.meta["y"]["b"]), ("REMOVE", ("meta", "y", "b"))),
    (lambda c: add(c.counts["a"], 1), ("ADD", ("counts", "a"), ONE)),
    (
        lambda c: set_(c.counts["b"], if_not_exists(c.counts["b"], 0) + 1),
        ("SET", ("counts", "b"), ("+", ("if_not_exists", ("path", "counts", "b"), NOUGHT), ("value", ONE))),
    ),
    (
        lambda c: set_(c.counts["c"], if_not_exists(c.n, 0) + 1),
        ("SET", ("counts", "c"), ("+", ("if_not_exists", ("path", "n"), NOUGHT), ("value", ONE))),
    ),
    (lambda c: set_(c.box.width, 1), ("SET", ("box", "width"), ("value", ONE))),
    (lambda c: set_(c.box.sizes["y"], 1), ("SET", ("box", "sizes", "y"), ("value", ONE))),
    (lambda c: remove(c.box.sizes["x"]), ("REMOVE", ("box", "sizes", "x"))),
    (lambda c: set_(path(c.maybe)["a"], 1), ("SET", ("maybe", "a"), ("value", ONE))),
    (lambda c: add(c.n, 1), ("ADD", ("n",), ONE)),
]  # fmt: skip
BOX: Any = {"M": {"width": {"N": "3"}, "sizes": {"M": {"x": {"N": "5"}}}}}
DEFAULTS: dict[tuple[Any, ...], Any] = {("box",): BOX, ("box", "sizes"): {"M": {}}}


def whole(place: tuple[Any, ...], value: Any) -> Any:
    """What a save would store of a value."""
    if place != ("box",):
        return value
    return mapper.dump(mapper.load({"id": {"S": "1"}, "box": value}, Doc))["box"]


VALUES: dict[str, list[Any]] = {
    "meta": [
        None, {"NULL": True}, {"M": {}}, {"M": {"a": {"M": {}}}}, {"M": {"z": {"M": {"b": {"N": "7"}}}}},
        {"M": {"a": {"M": {"b": {"N": "9"}, "q": {"N": "8"}}}}}, {"M": {"a": {"NULL": True}}}, {"S": "x"},
    ],
    "counts": [None, {"NULL": True}, {"M": {}}, {"M": {"a": {"N": "5"}, "b": {"N": "6"}}}, {"L": []}],
    "box": [
        None, {"M": {"width": {"N": "2"}}}, {"M": {"width": {"N": "2"}, "sizes": {"M": {"y": {"N": "4"}}}}},
        {"M": {"width": {"N": "2"}, "sizes": {"NULL": True}}},
    ],
    "maybe": [None, {"NULL": True}, {"M": {"b": {"N": "3"}}}],
    "n": [None, {"N": "4"}],
}  # fmt: skip
items = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})
#: A write of another program: one attribute, or the whole item is deleted or made.
foreign = st.one_of(
    st.tuples(st.sampled_from(sorted(VALUES)), st.integers(0, 7)),
    st.just(("delete", 0)),
    st.just(("nothing", 0)),
    st.just(("nothing", 0)),
)
chosen = st.lists(st.integers(0, len(ACTIONS) - 1), min_size=1, max_size=4, unique=True).filter(
    lambda which: len({ACTIONS[i][1][1] for i in which}) == len(which)
)


@attrs.define
class Table:
    """The item, as other programs see and change it before each of our requests."""

    session: Session
    name: str
    key: dict[str, Any]
    writes: list[Any]
    before: Any = None
    sent: int = 0

    def read(self) -> Any:
        found = self.session.client.get_item(TableName=self.name, Key=self.key, ConsistentRead=True)
        return found.get("Item")

    def write(self, what: Any) -> None:
        name, number = what
        item = self.read()
        if name == "nothing":
            return
        if name == "delete":
            self.session.client.delete_item(TableName=self.name, Key=self.key)
            return
        value = VALUES[name][number % len(VALUES[name])]
        item = {**(item or self.key), name: value}
        stored = {each: value for each, value in item.items() if value is not None}
        self.session.client.put_item(TableName=self.name, Item=stored)

    @contextlib.contextmanager
    def meddling(self) -> Iterator[None]:
        """Write before each request of the session, and remember what is stored then."""
        events = self.session.client.meta.events
        inside: list[object] = []

        def meddle(**_: Any) -> None:
            if inside:
                return
            inside.append(1)
            if self.sent and self.writes:
                self.write(self.writes.pop(0))
            self.sent += 1
            self.before = self.read()
            inside.clear()

        events.register("before-call.dynamodb", meddle)
        try:
            yield
        finally:
            events.unregister("before-call.dynamodb", meddle)


# --- The law --------------------------------------------------------------------------------------


def by_update(session: Session, cls: Any, key: str, actions: list[Any]) -> None:
    session.update(cls, key, *actions, returns=None)


def by_batch(session: Session, cls: Any, key: str, actions: list[Any]) -> None:
    with session.batch() as batch:
        batch.update(cls, key, *actions, returns=None)


def by_transaction(session: Session, cls: Any, key: str, actions: list[Any]) -> None:
    with session.transaction() as t:
        t.update(cls, key, *actions)


def by_unique(session: Session, cls: Any, key: str, actions: list[Any]) -> None:
    session.update(cls, key, *actions, set_(cls.mail, f"{key}@x"), returns=None)


WAYS = {"update": by_update, "batch": by_batch, "transaction": by_transaction, "unique": by_unique}


def check(session: Session, way: str, which: list[int], item: Any, writes: list[Any]) -> None:
    cls: Any = User if way == "unique" else Doc
    key = secrets.token_hex(8)
    table = Table(
        session, f"parents-{'users' if cls is User else 'docs'}", {"id": {"S": key}}, list(writes)
    )
    stored = {name: value for name, value in item.items() if value is not None}
    session.client.put_item(TableName=table.name, Item={**table.key, **stored})
    known = [ACTIONS[i][1] for i in which]
    if way == "unique":
        known.append(("SET", ("mail",), ("value", {"S": f"{key}@x"})))

    outcome = "done"
    with table.meddling():
        try:
            WAYS[way](session, cls, key, [ACTIONS[i][0](cls) for i in which])
        except (
            NoSuchItem,
            ConditionFailed,
            TransactionFailed,
            ConditionError,
            InvalidRequest,
        ) as error:
            outcome = f"{type(error).__name__}"
    event(f"{way}: {outcome} after {table.sent}")

    after = table.read()
    if outcome != "done":
        assert canonical(after) == canonical(table.before), "a refused update has changed something"
    if outcome in ("ConditionFailed", "TransactionFailed") and table.before is not None:
        assert table.sent > 3, "it gave up too early"
    if outcome == "NoSuchItem":
        assert table.before is None
    if outcome == "done":
        expected = oracle.with_parents(known, table.before, whole, DEFAULTS)
        assert canonical(after) == canonical(expected)
    if outcome in ("ConditionError", "InvalidRequest"):
        with pytest.raises(oracle.Refused):
            oracle.with_parents(known, table.before, whole, DEFAULTS)


def canonical(item: Any) -> Any:
    return None if item is None else oracle.canonical({"M": item})


@given(st.sampled_from(sorted(WAYS)), chosen, items, st.lists(foreign, max_size=4))
@example("update", [0], dict.fromkeys(VALUES), [("nothing", 0), ("meta", 4)])
@example("update", [4, 7], dict.fromkeys(VALUES), [("counts", 3), ("counts", 0), ("box", 1)])
@example("unique", [0], dict.fromkeys(VALUES), [("meta", 4), ("meta", 5)])
def test_an_update_makes_parents_in_one_step(
    dynamodb_local_session: Session, way: str, which: list[int], item: Any, writes: list[Any]
) -> None:
    check(dynamodb_local_session, way, which, item, writes)


@given(chosen, items, st.lists(foreign, max_size=4))
def test_it_does_on_the_embedded_engine(
    embedded_session: Session, which: list[int], item: Any, writes: list[Any]
) -> None:
    """By transactions, which ask what places are in: otherwise this engine makes some of it by itself."""
    check(embedded_session, "transaction", which, item, writes)
