"""Fields that are encrypted where they are stored, without an engine."""

from __future__ import annotations

import datetime as dt
import decimal
from decimal import Decimal
from typing import Annotated, Any

import attrs
import boto3
import pytest
from botocore.stub import Stubber
from typing_extensions import TypeAliasType

from dynattrs import (
    ConditionError,
    GlobalIndex,
    Json,
    Mapper,
    MappingError,
    ModelError,
    Table,
    asdict,
    begins_with,
    exists,
    field,
    if_not_exists,
    mapper,
    model,
    partition_key,
    path,
    set_,
    sort_key,
)
from dynattrs.encryption import Encrypted, Keys, KeyUnavailable, KmsKeys, StaticKeys
from dynattrs.operations.reading.projections import selected
from dynattrs.schema.model_info import model_info

pytest.importorskip("cryptography")

KEYS = StaticKeys({"one": b"1" * 32})
HELD: dict[str, Keys] = {}


def held() -> Keys:
    """Keys that are known later than the models."""
    return HELD["keys"]


@attrs.define
class Address:
    street: str
    number: int = 0


@attrs.define
class Inner:
    secret: Annotated[str, Encrypted(KEYS)]


@attrs.define
class Outer:
    inner: Inner


@model("patients")
class Patient:
    id: str = partition_key()
    number: Decimal = sort_key()
    diagnosis: Annotated[str, Encrypted(KEYS)]
    address: Annotated[Address | None, Encrypted(KEYS)] = None
    born: Annotated[dt.date, Encrypted(KEYS)] | None = None
    scan: Annotated[bytes, Encrypted(KEYS)] = b""
    tags: Annotated[set[str], Encrypted(KEYS)] = attrs.field(factory=set)
    ward: str = "A"


PATIENT = Patient(
    "p1", Decimal(1), "a secret", Address("another secret", 5), dt.date(1990, 2, 3), b"\0\xff", {"x", "y"}
)  # fmt: skip


def load(item: Any, cls: type[Any] = Patient) -> Any:
    return mapper.default.load(item, cls)


def test_what_is_stored_says_nothing_and_is_read_again() -> None:
    item = mapper.default.dump(PATIENT)
    assert load(item) == PATIENT
    for name in ("diagnosis", "address", "born", "scan", "tags"):
        assert set(item[name]) == {"B"}
        assert b"secret" not in item[name]["B"]
    assert item["ward"] == {"S": "A"}


def test_equal_values_are_stored_as_equal_bytes_in_one_place_only() -> None:
    first, again = mapper.default.dump(PATIENT), mapper.default.dump(PATIENT)
    assert first == again
    other = mapper.default.dump(attrs.evolve(PATIENT, id="p2"))
    assert other["diagnosis"] != first["diagnosis"]


def test_none_and_what_is_absent_can_be_seen() -> None:
    item = mapper.default.dump(Patient("p1", Decimal(1), "x"))
    assert "address" not in item
    assert "born" not in item
    assert load(item).address is None
    assert str(exists(path(Patient.born))) == "exists(Patient.born)"


@pytest.mark.parametrize(
    "change",
    [
        {"id": {"S": "p2"}},
        {"number": {"N": "2"}},
        {"diagnosis": mapper.default.dump(PATIENT)["scan"]},
        {"diagnosis": {"B": b"\x01\x00\x03one" + bytes(40)}},
        {"diagnosis": {"B": b"\x01\xff\xff"}},
        {"diagnosis": {"B": b""}},
        {"diagnosis": {"S": "plain"}},
        {"diagnosis": {"L": []}},
    ],
    ids=["partition key", "sort key", "attribute", "bytes", "cut", "nothing", "plain", "list"],
)  # fmt: skip
def test_what_was_changed_or_moved_is_refused(change: Any) -> None:
    item = mapper.default.dump(PATIENT) | change
    with pytest.raises(
        MappingError, match=r"Patient\.diagnosis|Patient\.\w+: expected a value"
    ) as caught:
        load(item)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["1.0", "1E0", "01", "10e-1"])
def test_the_number_of_a_key_may_be_spelled_otherwise(text: str) -> None:
    assert load(mapper.default.dump(PATIENT) | {"number": {"N": text}}).diagnosis == "a secret"


def test_all_digits_of_a_key_count_in_any_decimal_context() -> None:
    first, second = Decimal("1" * 38), Decimal("1" * 37 + "2")
    with decimal.localcontext() as context:
        context.prec = 2
        item = mapper.default.dump(attrs.evolve(PATIENT, number=first))
        with pytest.raises(MappingError, match="encrypted for this item"):
            load(item | {"number": {"N": str(second)}})
    assert load(item).diagnosis == "a secret"


def test_values_as_the_wire_has_them() -> None:
    text = mapper.default.to_dynamodb_json(PATIENT)
    assert "secret" not in text
    assert mapper.default.from_dynamodb_json(text, Patient) == PATIENT
    assert "secret" not in mapper.default.to_json(PATIENT)
    assert mapper.default.from_json(mapper.default.to_json(PATIENT), Patient) == PATIENT


def test_items_from_before_are_read_by_choice() -> None:
    @model("patients")
    class Old:
        id: str = partition_key()
        note: Annotated[str, Encrypted(KEYS, accept_plain=True)] = ""
        data: Annotated[bytes, Encrypted(KEYS, accept_plain=True)] = b""

    assert load({"id": {"S": "a"}, "note": {"S": "old"}, "data": {"B": b"raw"}}, Old) == Old(
        "a", "old", b"raw"
    )
    item = mapper.default.dump(Old("a", "new", b"raw"))
    assert load(item, Old) == Old("a", "new", b"raw")
    with pytest.raises(MappingError):
        load(item | {"id": {"S": "b"}}, Old)


def test_renamed_fields_are_read_by_their_former_name() -> None:
    @model("patients")
    class Before:
        id: str = partition_key()
        note: Annotated[str, Encrypted(KEYS)] = ""

    @model("patients")
    class After:
        id: str = partition_key()
        text: Annotated[str, Encrypted(KEYS)] = field(formerly="note", default="")

    assert load(mapper.default.dump(Before("a", "kept")), After) == After("a", "kept")


def test_computed_keys_are_what_values_belong_to() -> None:
    app = Table("app", partition_key="pk", sort_key="sk")

    @model(app, pk="USER#{name}", sk="NOTE#{number:04d}")
    class Note:
        name: str
        number: int
        text: Annotated[str, Encrypted(KEYS)]

    item = mapper.default.dump(Note("a", 1, "secret"))
    assert load(item, Note) == Note("a", 1, "secret")
    with pytest.raises(MappingError):
        load(item | {"sk": {"S": "NOTE#0002"}}, Note)


def test_data_keys_rotate() -> None:
    HELD["keys"] = StaticKeys({"one": b"1" * 32})

    @model("patients")
    class Rotated:
        id: str = partition_key()
        note: Annotated[str, Encrypted(held)] = ""

    old = mapper.default.dump(Rotated("a", "text"))
    HELD["keys"] = StaticKeys({"one": b"1" * 32, "two": b"2" * 32}, current="two")
    assert load(old, Rotated) == Rotated("a", "text")
    new = mapper.default.dump(load(old, Rotated))
    assert new["note"]["B"][3:6] == b"two"
    HELD["keys"] = StaticKeys({"two": b"2" * 32})
    assert load(new, Rotated) == Rotated("a", "text")
    with pytest.raises(KeyUnavailable, match=r"key 'one', and there are 'two'"):
        load(old, Rotated)
    HELD["keys"] = StaticKeys({"one": b"3" * 32})
    with pytest.raises(MappingError, match="encrypted for this item"):
        load(old, Rotated)


def test_conditions_and_computed_values_are_refused() -> None:
    for wrong in (
        lambda: Patient.diagnosis == "x",
        lambda: begins_with(Patient.diagnosis, "x"),
        lambda: set_(Patient.diagnosis, if_not_exists(Patient.diagnosis, "x")),
        lambda: set_(Patient.diagnosis, path(Patient.diagnosis)),
    ):
        with pytest.raises(ConditionError, match="encrypted"):
            wrong()


def test_errors_and_actions_do_not_show_values() -> None:
    assert "secret" not in repr(set_(Patient.diagnosis, "secret"))
    wrong: Any = Patient("p1", Decimal(1), ["secret"])  # type: ignore[arg-type]
    with pytest.raises(
        MappingError, match=r"Patient.diagnosis: expected a str, found list"
    ) as caught:
        mapper.default.dump(wrong)
    assert "secret" not in str(caught.value)
    other: Any = set_
    with pytest.raises(ConditionError, match="found list") as refused:
        other(Patient.diagnosis, ["secret"])
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("type_", "problem"),
    [
        (list[Annotated[str, Encrypted(KEYS)]], "would belong to no item"),
        (dict[str, Annotated[str, Encrypted(KEYS)] | None], "would belong to no item"),
        (tuple[int, Annotated[str, Encrypted(KEYS)]], "would belong to no item"),
        (Patient, "would belong to no item"),
        (list[Patient], "would belong to no item"),
        (Annotated[Annotated[str, Encrypted(KEYS)], Json], "as the last mark"),
        (Annotated[str, Encrypted(KEYS)] | int, "not a member of a union"),
    ],
)
def test_places_where_encryption_could_not_hold(type_: Any, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        model("things")(
            type("M", (), {"__annotations__": {"id": str, "x": type_}, "id": partition_key()})
        )


def test_encrypted_fields_are_in_no_key() -> None:
    secret = Annotated[str, Encrypted(KEYS)]
    fields = {"__annotations__": {"id": str, "x": secret}, "id": partition_key()}
    index = GlobalIndex("by-x", partition_key="x")
    with pytest.raises(ModelError, match="belong to one item alone"):
        model("things", indexes=[index])(type("M", (), dict(fields)))
    with pytest.raises(ModelError, match="belong to one item alone"):
        model("things")(type("M", (), fields | {"x": field(unique=True)}))
    with pytest.raises(ModelError, match="not encrypted"):
        app = Table("app", partition_key="pk")
        model(app, pk="X#{x}")(type("M", (), {"__annotations__": {"x": secret}}))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: StaticKeys({}), "at least one secret"),
        (lambda: StaticKeys({"a": b"short"}), "found 5 bytes"),
        (lambda: StaticKeys({"a": "text" * 10}), "found str"),  # type: ignore[dict-item]
        (lambda: StaticKeys({"a": b"1" * 32, "b": b"2" * 32}), "say which"),
        (lambda: StaticKeys({"a": b"1" * 32}, current="b"), "'b' is not among a"),
        (lambda: KmsKeys(""), "key_id"),
        (lambda: KmsKeys("alias/a", max_age=dt.timedelta()), "max_age"),
        (lambda: KmsKeys("alias/a", max_uses=0), "max_uses"),
        (lambda: Encrypted(3), "StaticKeys, KmsKeys or a function"),  # type: ignore[arg-type]
    ],
)
def test_keys_that_make_no_sense(make: Any, problem: str) -> None:
    with pytest.raises(ModelError, match=problem) as caught:
        make()
    assert "texttext" not in str(caught.value)
    assert "short" not in str(caught.value)


def test_a_nested_class_with_encrypted_fields_is_never_sent_in_plain_text() -> None:
    """Where a class is used by a mapper alone, nothing has checked its places."""

    item = Mapper().dump(Outer(Inner("a secret")))
    assert "a secret" not in repr(item)
    with pytest.raises(TypeError):
        bytes(item["inner"]["M"]["secret"]["B"])


def kms() -> tuple[Any, Stubber]:
    client = boto3.client(
        "kms", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    return client, Stubber(client)


def test_data_keys_of_kms() -> None:
    client, stubber = kms()
    context = {"service": "clinic"}
    made = {"KeyId": "alias/app", "NumberOfBytes": 64, "EncryptionContext": context}
    stubber.add_response(
        "generate_data_key", {"CiphertextBlob": b"blob 1", "Plaintext": b"1" * 64}, made
    )
    stubber.add_response(
        "generate_data_key", {"CiphertextBlob": b"blob 2", "Plaintext": b"2" * 64}, made
    )
    keys = KmsKeys("alias/app", client=client, context=context, max_uses=2)
    with stubber:
        names = [keys.current()[0] for _ in range(3)]
        assert names == [b"blob 1", b"blob 1", b"blob 2"]
        assert keys.key(b"blob 1") == b"1" * 64
    # Another process decrypts each data key once.
    client, stubber = kms()
    asked = {"KeyId": "alias/app", "CiphertextBlob": b"blob 1", "EncryptionContext": context}
    stubber.add_response("decrypt", {"Plaintext": b"1" * 64}, asked)
    reader = KmsKeys("alias/app", client=client, context=context)
    with stubber:
        assert [reader.key(b"blob 1") for _ in range(2)] == [b"1" * 64] * 2
    assert isinstance(reader, Keys)


def test_what_kms_refuses_does_not_make_items_unreadable() -> None:
    client, stubber = kms()
    stubber.add_client_error("decrypt", "AccessDeniedException", "no")
    HELD["keys"] = _Given(b"blob", b"1" * 64)

    @model("patients")
    class Kept:
        id: str = partition_key()
        note: Annotated[str, Encrypted(held)] = ""

    item = mapper.default.dump(Kept("a", "text"))
    HELD["keys"] = KmsKeys("alias/app", client=client)
    with stubber, pytest.raises(KeyUnavailable, match="AccessDenied") as caught:
        load(item, Kept)
    assert not isinstance(caught.value, MappingError)
    stubber.assert_no_pending_responses()


class _Given:
    def __init__(self, name: bytes, key: bytes) -> None:
        self._pair = name, key

    def current(self) -> tuple[bytes, bytes]:
        return self._pair

    def key(self, name: bytes) -> bytes:
        return self._pair[1]


def test_a_plain_dict_of_an_object_has_its_values() -> None:
    assert asdict(PATIENT)["diagnosis"] == "a secret"


# --- Upgrades, roles, validators ------------------------------------------------------------------


@model("notes")
class FirstNote:
    id: str = partition_key()
    note: Annotated[str | None, Encrypted(KEYS)] = None
    title: str = ""


def tidied(item: dict[str, Any]) -> None:
    item.get("note") or item.pop("note", None)
    item["length"] = len(item.get("note") or "")


def sealed_title(item: dict[str, Any]) -> None:
    item["secret_title"] = item.pop("title", "")


@model("notes", upgrades=[tidied])
class TidyNote:
    id: str = partition_key()
    note: Annotated[str | None, Encrypted(KEYS)] = None
    title: str = ""
    length: int = 0


@model("notes", upgrades=[sealed_title])
class SealedNote:
    id: str = partition_key()
    secret_title: Annotated[str, Encrypted(KEYS)] = ""
    text: Annotated[str | None, Encrypted(KEYS)] = field(formerly="note", default=None)


def test_upgrades_see_what_is_encrypted() -> None:
    item = mapper.default.dump(FirstNote("a", "a secret", "title"))
    assert load(item, TidyNote) == TidyNote("a", "a secret", "title", 8)
    assert load(mapper.default.dump(FirstNote("a")), TidyNote) == TidyNote("a", None, "", 0)


def test_upgrades_encrypt_other_fields() -> None:
    item = mapper.default.dump(FirstNote("a", "a secret", "title"))
    found = load(item, SealedNote)
    assert found == SealedNote("a", "title", "a secret")
    again = mapper.default.dump(found)
    assert "title" not in repr(again["secret_title"])
    assert load(again, SealedNote) == found


@pytest.mark.parametrize("role", ["version", "created", "updated", "ttl"])
def test_what_a_save_or_the_service_sets_is_not_encrypted(role: str) -> None:
    type_: Any = int if role == "version" else dt.datetime | None
    default = 0 if role == "version" else None
    body = {
        "__annotations__": {"id": str, "x": Annotated[type_, Encrypted(KEYS)]},
        "id": partition_key(), "x": field(default=default, **{role: True}),
    }  # fmt: skip
    with pytest.raises(ModelError, match=rf"{role}=True: .*not encrypted"):
        model("things")(type("M", (), body))


def refuses(instance: Any, attribute: Any, value: Any) -> None:
    raise ValueError(f"{value!r} is too short")


@model("things")
class Strict:
    id: str = partition_key()
    note: Annotated[str, Encrypted(KEYS)] = attrs.field(default="", validator=refuses)


Secret: Any = TypeAliasType("Secret", Annotated[str, Encrypted(KEYS)])
Hidden: Any = TypeAliasType("Hidden", Secret | None)


@model("things")
class StrictByName:
    id: str = partition_key()
    note: Secret = attrs.field(default="", validator=refuses)


@model("things")
class StrictByNames:
    id: str = partition_key()
    note: Hidden = attrs.field(default=None, validator=refuses)


@pytest.mark.parametrize("cls", [Strict, StrictByName, StrictByNames])
def test_what_a_validator_refuses_is_not_shown(cls: Any) -> None:
    with attrs.validators.disabled():
        thing = cls("a", "sesame")
    with pytest.raises(MappingError, match="its value is not shown") as caught:
        mapper.default.model_codec(cls).rules["note"].check("Strict.note", "sesame", thing)
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_reads_an_encrypted_field_asks_for_its_key_as_well() -> None:
    """Also where nothing else needs the key, as in a search of vectors."""
    info = model_info(Patient)
    assert selected(info, (Patient.diagnosis,)).needs == {"diagnosis", "id", "number"}
    assert selected(info, (Patient.ward,)).needs == {"ward"}


def test_values_of_any_type_are_encrypted() -> None:
    @model("things")
    class Anything:
        id: str = partition_key()
        value: Annotated[Any, Encrypted(KEYS)] = None

    for value in (None, 3, "text", [1, {"a": b"\0"}], True):
        item = mapper.default.dump(Anything("a", value))
        assert load(item, Anything) == Anything("a", value)
    assert set(mapper.default.dump(Anything("a", 3))["value"]) == {"B"}
