"""Encrypted fields in all verbs, beside other programs on the same items."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from typing import Annotated, Any

import attrs
import pytest

from dynattrs import (
    ItemExists,
    MappingError,
    Session,
    Table,
    exists,
    field,
    model,
    not_exists,
    partition_key,
    path,
    remove,
    set_,
    sort_key,
)
from dynattrs.encryption import Encrypted, StaticKeys
from dynattrs.streams import Modified, changes
from stream_records import record

pytest.importorskip("cryptography")

KEYS = StaticKeys({"one": b"1" * 32})
clinic = Table("clinic", partition_key="pk", sort_key="sk", stream="new and old")


@model("patients")
class Patient:
    id: str = partition_key()
    visit: int = sort_key()
    diagnosis: Annotated[str, Encrypted(KEYS)]
    notes: Annotated[dict[str, list[int]], Encrypted(KEYS)] = attrs.field(factory=dict)
    born: Annotated[dt.date | None, Encrypted(KEYS)] = None
    ward: str = "A"
    version: int = field(version=True, default=0)


@model(clinic, pk="P#{name}", sk="NOTE#{number:03d}")
class Note:
    name: str
    number: int
    text: Annotated[str, Encrypted(KEYS)]


@model(clinic, pk="P#{name}", sk="BILL#{number:03d}")
class Bill:
    name: str
    number: int
    text: str = ""


@attrs.define
class Short:
    """A projection: an encrypted field is encrypted there too."""

    visit: int
    diagnosis: Annotated[str, Encrypted(KEYS)]


@attrs.define
class Read:
    """A projection that does not say that a field is encrypted: it is read, and never saved."""

    diagnosis: str


@pytest.fixture
def table_prefix(kept_tables: Any) -> Any:
    return kept_tables(Patient, clinic)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def stored(client: Any, table_prefix: str, visit: int = 1) -> dict[str, Any]:
    key = {"id": {"S": "p"}, "visit": {"N": str(visit)}}
    found: dict[str, Any] = client.get_item(TableName=f"{table_prefix}patients", Key=key)["Item"]
    return found


def test_all_verbs(session: Session, client: Any, table_prefix: str) -> None:
    patient = Patient("p", 1, "secret", {"x": [1, 2]}, dt.date(1990, 1, 2))
    session.save(patient)
    assert "secret" not in repr(stored(client, table_prefix))
    assert session.get(Patient, ("p", 1)) == patient
    assert session.query(Patient).where(Patient.id == "p").all() == [patient]
    assert list(session.get_many(Patient, [("p", 1)])) == [patient]
    assert session.transact_get((Patient, ("p", 1))) == (patient,)

    new = session.update(
        Patient, ("p", 1), set_(Patient.diagnosis, "better"), set_(Patient.notes, {}),
        remove(Patient.born),
    )  # fmt: skip
    assert (new.diagnosis, new.notes, new.born) == ("better", {}, None)
    assert session.get(Patient, ("p", 1)) == new
    old = session.update(new, set_(Patient.diagnosis, "well"), returns="old")
    assert old is not None
    assert old.diagnosis == "better"
    session.refresh(new)
    assert new.diagnosis == "well"
    changed = session.update(new, set_(Patient.diagnosis, "well again"), returns="changed")
    assert changed == {"Patient.diagnosis": "well again"}
    session.refresh(new)

    with session.edit(new) as edited:
        edited.notes["y"] = [3]
    assert session.get_one(Patient, ("p", 1)).notes == {"y": [3]}
    requests = session.stats.total
    with session.edit(new):
        pass
    assert session.stats.total == requests

    with pytest.raises(ItemExists) as caught:
        session.insert(Patient("p", 1, "another"))
    assert "well" not in str(caught.value)

    assert session.delete(new, returning=True) == new


def test_many_at_once(session: Session) -> None:
    patients = [Patient("p", n, f"secret {n}") for n in range(60)]
    with session.batch() as batch:
        for each in patients:
            batch.save(each)
    assert session.query(Patient).where(Patient.id == "p").all() == patients
    query = session.query(Patient).where(Patient.id == "p", Patient.visit < 3)
    assert query.select(Patient.diagnosis).all() == [("secret 0",), ("secret 1",), ("secret 2",)]
    assert query.as_(Short).all() == [Short(n, f"secret {n}") for n in range(3)]
    assert query.as_(Read).all() == [Read(f"secret {n}") for n in range(3)]
    assert session.query(Patient).where(Patient.id == "p", exists(Patient.diagnosis)).count() == 60
    assert session.scan(Patient).where(not_exists(path(Patient.born))).count() == 60


def test_parts_of_items(session: Session) -> None:
    session.save(Patient("p", 1, "secret", ward="B"))
    key = ("p", 1)
    assert session.get(Patient, key, select=(Patient.diagnosis, Patient.ward)) == ("secret", "B")
    assert session.get(Patient, key, as_=Short) == Short(1, "secret")
    assert list(session.get_many(Patient, [key], select=(Patient.diagnosis,))) == [("secret",)]


def test_upserts_and_transactions(session: Session, client: Any, table_prefix: str) -> None:
    new = session.update(Patient, ("p", 7), set_(Patient.diagnosis, "made"), upsert=True)
    assert session.get(Patient, ("p", 7)) == new == Patient("p", 7, "made", version=1)
    token = secrets.token_hex(8)
    for _ in range(2):  # the same again, with the same token, happens once
        with session.transaction(token=token) as t:
            t.save(Patient("p", 8, "in a transaction"))
            t.update(Patient, ("p", 7), set_(Patient.diagnosis, "changed"))
    assert session.get_one(Patient, ("p", 7)).diagnosis == "changed"
    assert session.get_one(Patient, ("p", 8)).diagnosis == "in a transaction"
    assert "made" not in repr(stored(client, table_prefix, 7))


def test_another_program_moves_a_value(session: Session, client: Any, table_prefix: str) -> None:
    session.save_all([Patient("p", 1, "of the first"), Patient("p", 2, "of the second")])
    item = stored(client, table_prefix, 1) | {"visit": {"N": "2"}}
    client.put_item(TableName=f"{table_prefix}patients", Item=item)
    with pytest.raises(
        MappingError, match=r"Patient\.diagnosis: expected a value that was encrypted"
    ):
        session.get(Patient, ("p", 2))
    readable = session.query(Patient).where(Patient.id == "p").on_error("skip").all()
    assert [each.visit for each in readable] == [1]
    # The same key, as another program may spell it, is the same item.
    item = stored(client, table_prefix, 1) | {"visit": {"N": "1.00"}}
    client.put_item(TableName=f"{table_prefix}patients", Item=item)
    assert session.get_one(Patient, ("p", 1)).diagnosis == "of the first"


def test_two_models_of_one_table(session: Session, client: Any, table_prefix: str) -> None:
    everything = [Bill("a", 1, "plain"), Note("a", 1, "secret"), Note("a", 2, "secret")]
    session.save_all(everything)
    assert session.query(Note, Bill).where(Note.name == "a").all() == everything
    items = client.scan(TableName=f"{table_prefix}clinic")["Items"]
    texts = [item["text"]["B"] for item in items if "B" in item["text"]]
    assert len(texts) == 2
    assert texts[0] != texts[1]


def test_changes_of_a_stream() -> None:
    from dynattrs import mapper

    before, after = mapper.dump(Note("a", 1, "old")), mapper.dump(Note("a", 1, "new"))
    (change,) = changes({"Records": [record(before, after, table="clinic")]}, Note)
    assert isinstance(change, Modified)
    assert (change.old, change.new) == (Note("a", 1, "old"), Note("a", 1, "new"))
    assert change.changed(Note.text)
    assert not change.changed(Note.number)


def tidied(item: dict[str, Any]) -> None:
    item["length"] = len(item.get("text") or "")


def test_migrated_items_keep_their_secrets(
    session: Session, client: Any, table_prefix: str
) -> None:
    loose = Table("clinic", partition_key="pk", sort_key="sk")

    @model(loose, pk="N#{id}", sk="N")
    class First:
        id: str
        text: Annotated[str, Encrypted(KEYS)]

    later = Table("clinic", partition_key="pk", sort_key="sk")

    @model(later, pk="N#{id}", sk="N", upgrades=[tidied])
    class Second:
        id: str
        text: Annotated[str, Encrypted(KEYS)]
        length: int = 0

    session.save_all([First("1", "secret"), First("2", "another secret")])
    assert session.update(Second, "1", set_(Second.length, 7)).text == "secret"
    assert session.migrate(Second).rewritten >= 1
    found = {each.id: each for each in session.scan(Second)}
    assert found == {"1": Second("1", "secret", 7), "2": Second("2", "another secret", 14)}
    items = client.scan(TableName=f"{table_prefix}clinic")["Items"]
    assert all(set(item["text"]) == {"B"} and "schema_version" in item for item in items)
