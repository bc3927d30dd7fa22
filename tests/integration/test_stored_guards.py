"""The guard items of unique fields as 0.1 wrote them (see tests/unit/test_stored_forms.py)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from dynattrs import AlreadyTaken, Session, field, model, partition_key, sort_key


@model("guarded-people")
class Person:
    id: str = partition_key()
    mail: str = field(unique=True)


@model("guarded-seats")
class Seat:
    hall: str = partition_key()
    row: bytes = sort_key()
    ticket: str = field(unique=True)


PERSON = Person("1", "a@example.com")
PEOPLE = [
    {"id": {"S": "1"}, "mail": {"S": "a@example.com"}},
    {
        "id": {"S": 'dynattrs.unique Person.mail [["S","a@example.com"]]'},
        "dynattrs.owner": {"M": {"id": {"S": "1"}}},
        "dynattrs.unique": {"S": "Person.mail"},
    },
]
SEAT = Seat("3", b"\x01", "T#9")
SEATS = [
    {"hall": {"S": "3"}, "row": {"B": b"\x01"}, "ticket": {"S": "T#9"}},
    {
        "hall": {"S": 'dynattrs.unique Seat.ticket [["S","T#9"]]'},
        "row": {"B": b"dynattrs.unique"},
        "dynattrs.owner": {"M": {"hall": {"S": "3"}, "row": {"B": b"\x01"}}},
        "dynattrs.unique": {"S": "Seat.ticket"},
    },
]
STORED = [(PERSON, PEOPLE), (SEAT, SEATS)]


def in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=len)


@pytest.mark.parametrize(("obj", "stored"), STORED, ids=["text keys", "binary sort key"])
def test_guards_are_written_as_ever(
    obj: Any, stored: list[dict[str, Any]], client: Any, table_prefix: str
):
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(type(obj))
        session.save(obj)
        [name] = [each for each in client.list_tables()["TableNames"] if table_prefix in each]

        assert in_order(client.scan(TableName=name)["Items"]) == stored


@pytest.mark.parametrize(("obj", "stored"), STORED, ids=["text keys", "binary sort key"])
def test_guards_of_0_1_keep_a_value_unique(
    obj: Any, stored: list[dict[str, Any]], client: Any, table_prefix: str
):
    with Session(client=client, table_prefix=table_prefix) as session:
        session.tables.create(type(obj))
        [name] = [each for each in client.list_tables()["TableNames"] if table_prefix in each]
        for item in stored:
            client.put_item(TableName=name, Item=item)

        first = next(iter(stored[0]))
        with pytest.raises(AlreadyTaken):
            session.save(attrs.evolve(obj, **{first: "another"}))
        session.delete(obj)
        assert client.scan(TableName=name)["Items"] == []
