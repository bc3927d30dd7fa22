"""Values of other libraries' classes, through every verb: what was saved is what is read and found."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pydantic
import pydantic.dataclasses
import pytest
from boto3.dynamodb.types import Binary

from dynattrs import (
    DynattrsError,
    Json,
    Session,
    add,
    delete,
    in_,
    list_append,
    model,
    partition_key,
    set_,
)


@pydantic.dataclasses.dataclass
class Address:
    city: str
    code: str = pydantic.Field(default="", alias="zip")


class Contact(pydantic.BaseModel):
    mail: str = pydantic.Field(default="", validation_alias=pydantic.AliasPath("mails", 0))


class Tags(pydantic.RootModel[list[str]]):
    pass


@model("people")
class Person:
    id: bytes = partition_key()
    address: Address | None = None
    contact: Contact | None = None
    tags: Tags | None = None
    visits: int = 0
    ratio: float = 0.0
    photo: bytes = b""
    active: bool = False
    at: dt.datetime | None = None
    took: dt.timedelta | None = None
    anything: Any = None
    numbers: set[Any] = attrs.field(factory=set)
    notes: Annotated[Any, Json] = None


ADDRESS: Any = Address(city="Paris", zip="75001")  # type: ignore[call-arg]
CONTACT = Contact.model_validate({"mails": ["a@b"]})
TWICE = {0.1, Decimal("0.10")}


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Person)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def test_classes_with_aliases_keep_their_values_through_all_verbs(session: Session) -> None:
    person = Person(b"1", ADDRESS, CONTACT, Tags(["a"]))
    session.save(person)

    assert session.get(Person, b"1") == person
    with session.edit(session.get_one(Person, b"1")) as edited:
        edited.visits += 1
    session.save(session.get_one(Person, b"1"))
    moved = Address(city="Lyon", zip="69001")  # type: ignore[call-arg]
    changed = session.update(Person, b"1", set_(Person.address, moved), set_(Person.tags, Tags([])))

    assert changed == attrs.evolve(person, address=moved, tags=Tags([]), visits=1)
    found = session.query(Person).where(Person.id == b"1", Person.address == moved).all()
    assert found == [changed]
    assert session.scan(Person).where(Person.tags == Tags([])).all() == [changed]
    assert [*session.get_many(Person, [b"1"])] == [changed]


@pytest.mark.parametrize("made", [Binary, memoryview, bytearray])
def test_all_kinds_of_bytes_are_bytes_to_all_verbs(
    session: Session, table_prefix: str, made: Any
) -> None:
    with session.batch() as batch:
        batch.save(Person(made(b"1"), photo=made(b"p"), anything=made(b"a")))

    found = session.get_one(Person, made(b"1"))
    assert (found.id, found.photo, found.anything) == (b"1", b"p", b"a")
    assert session.exists(Person, made(b"1"))
    assert session.query(Person).where(Person.id == made(b"1")).one() == found
    assert session.scan(Person).where(Person.photo == made(b"p")).all() == [found]
    assert session.scan(Person).where(in_(Person.photo, [made(b"p")])).all() == [found]
    changed = session.update(
        Person, made(b"1"), set_(Person.photo, made(b"q")), when=Person.photo == made(b"p")
    )
    assert changed.photo == b"q"
    statement = f'SELECT * FROM "{table_prefix}people" WHERE photo = ?'
    assert [*session.execute(statement, made(b"q"), model=Person)] == [changed]
    with session.transaction() as t:
        t.delete(Person, made(b"1"), when=Person.photo == made(b"q"))
    assert not session.exists(Person, made(b"1"))


def test_scalars_of_numpy_are_numbers_to_all_verbs(session: Session) -> None:
    numpy = pytest.importorskip("numpy", reason="pip install numpy")
    session.save(
        Person(b"1", visits=numpy.int64(3), ratio=numpy.float32(0.5), active=numpy.bool_(True))
    )

    changed = session.update(
        Person, b"1", add(Person.visits, numpy.int64(1)), set_(Person.ratio, numpy.int64(2)),
        when=Person.active == numpy.bool_(True),
    )  # fmt: skip

    assert (changed.visits, changed.ratio, changed.active) == (4, 2.0, True)
    assert session.scan(Person).where(Person.visits == numpy.uint8(4)).all() == [changed]


class Stamp(dt.datetime):
    """As pandas' Timestamp."""

    nanosecond = 1


class Span(dt.timedelta):
    """As pandas' Timedelta."""

    nanoseconds = 1


STAMP = Stamp(2026, 1, 1, tzinfo=dt.timezone.utc)
REFUSED: dict[str, dict[str, Any]] = {
    "set": {"numbers": TWICE},
    "set as anything": {"anything": TWICE},
    "set inside": {"anything": {"a": [TWICE]}},
    "datetime": {"at": STAMP},
    "timedelta": {"took": Span(1)},
    "json": {"notes": {"a": b"x"}},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_stored_as_another_value_is_refused_before_it_is_sent(
    session: Session, case: str
) -> None:
    values = REFUSED[case]
    session.save(Person(b"1"))
    ((name, value),) = values.items()
    field = getattr(Person, name)

    def edit() -> None:
        with session.edit(session.get_one(Person, b"1")) as person:
            setattr(person, name, value)

    def batch(verb: str) -> None:
        with session.batch() as batch:
            getattr(batch, verb)(Person(b"2", **values))

    def transaction() -> None:
        with session.transaction() as t:
            t.save(Person(b"2", **values))

    attempts: list[Callable[[], Any]] = [
        lambda: session.save(Person(b"2", **values)),
        lambda: session.insert(Person(b"2", **values)),
        lambda: session.save_all([Person(b"2", **values)]),
        lambda: batch("save"),
        lambda: batch("insert"),
        lambda: session.update(Person, b"1", set_(field, value)),
        lambda: session.update(Person, b"1", set_(Person.visits, 1), when=field == value),
        lambda: session.delete(Person, b"1", when=field == value),
        lambda: session.scan(Person).where(field == value).all(),
        lambda: session.scan(Person).where(in_(field, [value])).all(),
        edit,
        transaction,
    ]
    if name == "numbers":
        attempts += [
            lambda: session.update(Person, b"1", add(field, value)),
            lambda: session.update(Person, b"1", delete(field, value)),
        ]
    if name == "anything" and isinstance(value, set):
        attempts += [
            lambda: [*session.execute('SELECT * FROM "people" WHERE anything = ?', value)],
            lambda: session.update(Person, b"1", set_(field, list_append(field, [value]))),
        ]
    before = sum(session.stats.requests.values())
    for number, attempt in enumerate(attempts):
        with pytest.raises(DynattrsError) as caught:
            attempt()
        assert re.search(r"expected|goes with|works on", str(caught.value)), number

    reads = 1  # the edit's
    assert sum(session.stats.requests.values()) == before + reads
    assert session.scan(Person).all() == [Person(b"1")]


def test_a_json_attribute_is_json_to_other_programs(session: Session, client: Any) -> None:
    document = {"f": 1.5, "big": 10**50, "": [1e100, "\ud800"], "n": None}
    session.save(Person(b"1", notes=document))

    table = session.tables.describe(Person)["TableName"]
    text = client.get_item(TableName=table, Key={"id": {"B": b"1"}})["Item"]["notes"]["S"]
    assert json.loads(text) == document
    assert session.get_one(Person, b"1").notes == document
    assert session.query(Person).where(Person.id == b"1").one().notes == document
    changed = session.update(Person, b"1", set_(Person.notes, [0.1]), when=Person.notes == document)
    assert changed.notes == [0.1]
