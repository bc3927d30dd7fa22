# ruff: noqa: B023 - what is tried is tried at once
r"""Half of a character, as `json.loads` makes of `"\ud800"`: refused in one way by every verb, and never
sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import attrs
import pytest

from dynattrs import (
    Compressed,
    CursorError,
    DynattrsError,
    GlobalIndex,
    ImpossibleKey,
    MappingError,
    ModelError,
    Session,
    Table,
    UnsentWrites,
    add,
    begins_with,
    between,
    contains,
    delete,
    exists,
    field,
    if_not_exists,
    in_,
    list_append,
    model,
    partition_key,
    path,
    remove,
    set_,
    sort_key,
)

BAD = "a\ud800"
APP = Table(
    "app",
    partition_key="pk",
    sort_key="sk",
    indexes=[GlobalIndex("by-group", partition_key="g")],
)


@model("plain", indexes=[GlobalIndex("by-label", partition_key="label")])
class Plain:
    id: str = partition_key()
    at: str = sort_key()
    label: str | None = None
    number: int = 0
    names: dict[str, int] = attrs.field(factory=dict)
    parts: list[str] = attrs.field(factory=list)
    tags: set[str] = attrs.field(factory=set)
    anything: Any = None
    packed: Annotated[str, Compressed] = ""


@model("versioned")
class Versioned:
    id: str = partition_key()
    text: str = ""
    version: int | None = field(version=True, default=None)


@model("unique")
class Unique:
    id: str = partition_key()
    mail: str = field(unique=True, default="")
    text: str = ""


@model(APP, pk="U#{user}", sk="P#{at}#{number}", g="{group}")
class Post:
    user: str
    at: str
    number: str
    group: str | None = None
    text: str = ""


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Plain, Versioned, Unique, APP)


@pytest.fixture(params=[True, False], ids=["fast", "botocore"])
def session(request: Any, client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix, fast=request.param) as session:
        session.save(Plain("1", "1"))
        session.save(Versioned("1"))
        session.save(Unique("1", "x"))
        session.save(Post("1", "1", "1", "g"))
        yield session


BAD_KEYS: dict[str, Any] = {
    "partition": Plain(BAD, "1"),
    "sort": Plain("1", BAD),
    "versioned": Versioned(BAD),
    "unique": Unique(BAD, "z"),
    "template": Post(BAD, "1", "1"),
    "in the middle": Post("1", BAD, "1"),
    "at the end": Post("1", "1", BAD),
}
BAD_VALUES: dict[str, Any] = {
    "text": Plain("2", "1", BAD),
    "name": Plain("2", "1", names={BAD: 1}),
    "list": Plain("2", "1", parts=[BAD]),
    "set": Plain("2", "1", tags={BAD}),
    "anything": Plain("2", "1", anything={"x": [BAD]}),
    "compressed": Plain("2", "1", packed=BAD),
    "versioned": Versioned("2", BAD),
    "unique": Unique("2", BAD),
    "beside a unique value": Unique("2", "y", BAD),
    "index key": Post("2", "1", "1", BAD),
    "of a template": Post("2", "1", "1", text=BAD),
}


def key_of(obj: Any) -> Any:
    if isinstance(obj, Plain):
        return obj.id, obj.at
    if isinstance(obj, Post):
        return {"user": obj.user, "at": obj.at, "number": obj.number}
    return obj.id


def change_of(cls: Any) -> Any:
    return set_(cls.number, 1) if cls is Plain else set_(cls.text, "x")


def writes_of(session: Any) -> int:
    """How many writes have been sent. (Unique values are looked up before.)"""
    requests = session.stats.requests
    return sum(requests[each] for each in requests if "Get" not in each and each != "Scan")


def refused(
    session: Any, attempts: dict[str, Callable[[], Any]], kind: type[Exception] = MappingError
) -> None:
    """Each attempt is refused in the same words, and nothing of it is written or asked."""
    before = writes_of(session)
    for name, attempt in attempts.items():
        with pytest.raises(DynattrsError) as caught:
            attempt()
        error: Any = caught.value
        if isinstance(error, UnsentWrites):
            (entry,) = error.unsent
            error = entry.cause
        assert isinstance(error, kind), (name, error)
        assert "a lone surrogate, '\\ud800'" in str(error), name
        assert "decode the text with errors='replace'" in str(error), name
        str(error).encode()
    assert writes_of(session) == before


def in_batch(session: Any, verb: str, *arguments: Any) -> Callable[[], None]:
    def attempt() -> None:
        with session.batch() as batch:
            getattr(batch, verb)(*arguments)

    return attempt


def in_transaction(
    session: Any, verb: str, *arguments: Any, token: str | None = None, **options: Any
) -> Callable[[], None]:
    def attempt() -> None:
        with session.transaction(token=token) as t:
            getattr(t, verb)(*arguments, **options)

    return attempt


def edited(session: Any, obj: Any, change: Callable[[Any], None]) -> Callable[[], None]:
    def attempt() -> None:
        with session.edit(obj) as each:
            change(each)

    return attempt


@pytest.mark.parametrize("case", BAD_KEYS)
def test_in_keys(session: Session, case: str) -> None:
    obj = BAD_KEYS[case]
    cls, key = type(obj), key_of(obj)
    change = change_of(cls)
    there = exists(cls.number if cls is Plain else cls.text)
    refused(
        session,
        {
            "save": lambda: session.save(obj),
            "insert": lambda: session.insert(obj),
            "save_all": lambda: session.save_all([obj]),
            "delete": lambda: session.delete(obj),
            "update": lambda: session.update(obj, change),
            "refresh": lambda: session.refresh(obj),
            "edit": edited(session, obj, lambda each: None),
            "batch.save": in_batch(session, "save", obj),
            "batch.delete": in_batch(session, "delete", obj),
            "t.save": in_transaction(session, "save", obj),
            "t.insert": in_transaction(session, "insert", obj),
            "t.delete": in_transaction(session, "delete", obj),
            "get": lambda: session.get(cls, key),
            "get_one": lambda: session.get_one(cls, key),
            "exists": lambda: session.exists(cls, key),
            "get_many": lambda: [*session.get_many(cls, [key])],
            "delete by key": lambda: session.delete(cls, key),
            "delete returning": lambda: session.delete(cls, key, returning=True),
            "batch.delete by key": in_batch(session, "delete", cls, key),
            "update by key": lambda: session.update(cls, key, change),
            "upsert": lambda: session.update(cls, key, change, upsert=True),
            "t.check": in_transaction(session, "check", cls, key, there),
            "t.update": in_transaction(session, "update", cls, key, change),
            "t.delete by key": in_transaction(session, "delete", cls, key),
            "transact_get": lambda: session.transact_get((cls, key)),
            "query": lambda: session.query(cls).where(*stated(obj)).all(),
            "count": lambda: session.query(cls).where(*stated(obj)).count(),
            "query of keys": lambda: session.query(cls).where(*stated(obj)).keys().all(),
            "query.delete": lambda: session.query(cls).where(*stated(obj)).delete(),
        },
        ImpossibleKey,
    )


def stated(obj: Any) -> list[Any]:
    cls: Any = type(obj)
    if isinstance(obj, Plain):
        return [cls.id == obj.id, cls.at == obj.at]
    if isinstance(obj, Post):
        return [cls.user == obj.user, cls.at == obj.at, cls.number == obj.number]
    return [cls.id == obj.id]


@pytest.mark.parametrize("case", BAD_VALUES)
def test_in_values(session: Session, case: str) -> None:
    obj = BAD_VALUES[case]
    cls = type(obj)
    stored = session.scan(cls).first()
    (name,) = (
        each.name for each in attrs.fields(cls) if "\\ud800" in ascii(getattr(obj, each.name))
    )
    value = getattr(obj, name)
    target = getattr(cls, name)
    if case == "compressed":  # packed where it is stated
        with pytest.raises(DynattrsError, match="a lone surrogate"):
            set_(target, value)
        refused(session, {"save": lambda: session.save(obj)})
        return
    refused(
        session,
        {
            "save": lambda: session.save(obj),
            "insert": lambda: session.insert(obj),
            "save_all": lambda: session.save_all([obj]),
            "batch.save": in_batch(session, "save", obj),
            "t.save": in_transaction(session, "save", obj),
            "t.insert": in_transaction(session, "insert", obj),
            "update": lambda: session.update(cls, key_of(stored), set_(target, value)),
            "update an object": lambda: session.update(stored, set_(target, value)),
            "upsert": lambda: session.update(cls, key_of(obj), set_(target, value), upsert=True),
            "t.update": in_transaction(session, "update", cls, key_of(stored), set_(target, value)),
            "edit": edited(session, stored, lambda each: setattr(each, name, value)),
        },
    )
    assert session.scan(cls).count() == 1


def test_in_conditions(session: Session) -> None:
    where: dict[str, Callable[[], Any]] = {
        "==": lambda: Plain.parts == [BAD],
        "!=": lambda: Plain.label != BAD,
        "<": lambda: path(Plain.label) < BAD,
        "between": lambda: between(Plain.label, "a", BAD),
        "begins_with": lambda: begins_with(Plain.label, BAD),
        "contains": lambda: contains(Plain.tags, BAD),
        "a map": lambda: Plain.names == {BAD: 1},
        "a name": lambda: Plain.names[BAD] == 1,
        "exists": lambda: exists(Plain.names[BAD]),
        "anything": lambda: Plain.anything == [{"x": BAD}],
        "a sort key": lambda: (Plain.id == "1") & begins_with(Plain.at, BAD),
        "a range of sort keys": lambda: (Plain.id == "1") & (Plain.at < BAD),
        "in_": lambda: in_(Plain.label, [BAD, "x"]),
    }
    one = Plain("1", "1")
    for name, condition in where.items():
        made = condition()
        refused(
            session,
            {
                f"scan {name}": lambda: session.scan(Plain).where(made).all(),
                f"count {name}": lambda: session.scan(Plain).where(made).count(),
                f"page {name}": lambda: session.scan(Plain).where(made).page(1),
                f"delete {name}": lambda: session.scan(Plain).where(made).delete(),
                f"query {name}": lambda: session.query(Plain).where(Plain.id == "1", made).all(),
                f"save when {name}": lambda: session.save(one, when=made),
                f"delete when {name}": lambda: session.delete(one, when=made),
                f"update when {name}": lambda: session.update(
                    one, set_(Plain.number, 1), when=made
                ),
                f"t.check {name}": in_transaction(session, "check", Plain, ("1", "1"), made),
                f"t.save {name}": in_transaction(session, "save", one, when=made),
            },
        )
        assert session.scan(Plain).where(made).explain()


#: What an update states, and the place that its error names.
PLACES: dict[str, tuple[Callable[[], Any], str]] = {
    "text": (lambda: set_(Plain.label, BAD), "Plain.label"),
    "a name": (lambda: set_(Plain.names[BAD], 1), f"Plain.names[{BAD!r}]"),
    "a member": (lambda: set_(Plain.parts[0], BAD), "Plain.parts[0]"),
    "list_append": (lambda: set_(Plain.parts, list_append(Plain.parts, [BAD])), "Plain.parts"),
    "if_not_exists": (lambda: set_(Plain.label, if_not_exists(Plain.label, BAD)), "Plain.label"),
    "add": (lambda: add(Plain.tags, {BAD}), "Plain.tags"),
}


@pytest.mark.parametrize("name", PLACES)
def test_an_update_names_the_place(session: Session, name: str) -> None:
    made, path = PLACES[name]
    action = made()
    writes: list[Callable[[], Any]] = [
        lambda: session.update(Plain, ("1", "1"), action),
        lambda: session.update(Plain("1", "1"), set_(Plain.number, 1), action),
        in_batch(session, "update", Plain, ("1", "1"), action),
        in_transaction(session, "update", Plain, ("1", "1"), action),
        in_transaction(session, "update", Plain, ("1", "1"), action, token="t"),
    ]
    for write in writes:
        with pytest.raises(MappingError) as caught:
            write()
        assert caught.value.path == path
        assert caught.value.key == {"id": {"S": "1"}, "at": {"S": "1"}}


def test_in_updates(session: Session) -> None:
    actions: dict[str, Callable[[], Any]] = {
        "a name": lambda: set_(Plain.names[BAD], 1),
        "list_append": lambda: set_(Plain.parts, list_append(Plain.parts, [BAD])),
        "if_not_exists": lambda: set_(Plain.label, if_not_exists(Plain.label, BAD)),
        "add": lambda: add(Plain.tags, {BAD}),
        "add to a member": lambda: add(Plain.names[BAD], 1),
        "delete": lambda: delete(Plain.tags, {BAD}),
        "remove": lambda: remove(Plain.names[BAD]),
    }
    for name, action in actions.items():
        made = action()
        refused(
            session,
            {
                f"update {name}": lambda: session.update(Plain, ("1", "1"), made),
                f"returns=None {name}": lambda: session.update(
                    Plain, ("1", "1"), made, returns=None
                ),
                f"t.update {name}": in_transaction(session, "update", Plain, ("1", "1"), made),
            },
        )


def test_in_statements_tokens_and_names_of_tables(session: Session, client: Any) -> None:
    elsewhere = Session(client=client, tables={"plain": BAD})
    one = Plain("1", "1")
    refused(
        session,
        {
            "a statement": lambda: [*session.execute(f"SELECT * FROM plain WHERE id = '{BAD}'")],
            "a parameter": lambda: [*session.execute("SELECT * FROM plain WHERE id = ?", BAD)],
            "in a parameter": lambda: [
                *session.execute("SELECT * FROM plain WHERE id = ?", {BAD: 1})
            ],
            "a token": in_transaction(session, "save", one, token=BAD),
            "get": lambda: elsewhere.get(Plain, ("1", "1")),
            "save": lambda: elsewhere.save(one),
            "save_all": lambda: elsewhere.save_all([one]),
            "get_many": lambda: [*elsewhere.get_many(Plain, [("1", "1")])],
            "scan": lambda: elsewhere.scan(Plain).all(),
            "create": lambda: elsewhere.tables.create(Plain),
        },
    )
    elsewhere.close()


def test_in_cursors_and_declarations(session: Session) -> None:
    with pytest.raises(CursorError):
        session.scan(Plain).after(BAD).all()
    page = session.query(Plain).where(Plain.id == "1").page(1)
    with pytest.raises(DynattrsError):
        session.query(Plain).where(Plain.id == "1", Plain.at < BAD).after(page.cursor or "x").all()
    with pytest.raises(ModelError, match="cursor_secret"):
        Session(client=session.client, cursor_secret=BAD)
    with pytest.raises(ModelError):
        Table(BAD, partition_key="id")
    with pytest.raises(ModelError, match="UTF-8"):
        Table("some", partition_key=BAD)
    with pytest.raises(ModelError, match="UTF-8"):

        @model("renamed")
        class Renamed:
            id: str = partition_key()
            text: str = field(name=BAD, default="")

    with pytest.raises(ModelError, match="UTF-8"):

        @model(Table("texts", partition_key="pk"), pk=f"{BAD}{{id}}")
        class Templated:
            id: str
