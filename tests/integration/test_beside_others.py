"""boto3's resource, Dyntastic and aiodynamo as the other programs on the same items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import attrs
import boto3
import pytest

import other_programs
from dynattrs import Session, model, partition_key, pynamodb

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

pytestmark = pytest.mark.threads_only("programs take turns")

NOON = datetime(2026, 11, 23, 12, 30, tzinfo=timezone.utc)


@attrs.define
class Part:
    name: str
    at: datetime | None = None


@model("things")
class Thing:
    id: str = partition_key()
    number: Decimal | None = None
    count: int = 7
    text: str | None = None
    flag: bool | None = None
    data: bytes | None = None
    words: set[str] = attrs.field(factory=set)
    numbers: set[Decimal] = attrs.field(factory=set)
    many: list[Any] | None = None
    raw: dict[str, Any] | None = None
    when: datetime | None = None
    day: date | None = None
    span: timedelta | None = None
    uid: UUID | None = None
    part: Part | None = None


class Resource:
    """A program with boto3's resource."""

    def connect(self, endpoint: str, table: str, access: str, secret: str) -> None:
        resource: Any = boto3.resource(
            "dynamodb", endpoint_url=endpoint, region_name="us-east-1",
            aws_access_key_id=access, aws_secret_access_key=secret,
        )  # fmt: skip
        self._table = resource.Table(table)

    def save(self, fields: dict[str, Any]) -> None:
        self._table.put_item(Item=fields)

    def get(self, id: str) -> Any:
        return self._table.get_item(Key={"id": id}, ConsistentRead=True).get("Item")

    def change(self, id: str, fields: dict[str, Any]) -> None:
        found = {**self.get(id), **fields}
        self.save({name: value for name, value in found.items() if value != set()})

    def delete(self, id: str) -> None:
        self._table.delete_item(Key={"id": id})


class New:
    """The program with dynattrs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, fields: dict[str, Any]) -> None:
        part = fields.get("part")
        self._session.save(Thing(**{**fields, "part": part and Part(**part)}))

    def get(self, id: str) -> Any:
        found = self._session.get(Thing, id)
        return None if found is None else attrs.asdict(found)

    def change(self, id: str, fields: dict[str, Any]) -> None:
        with self._session.edit(self._session.get_one(Thing, id)) as found:
            for name, value in fields.items():
                setattr(found, name, Part(**value) if name == "part" and value else value)

    def delete(self, id: str) -> None:
        self._session.delete(Thing, id)


PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "é", Decimal("2.5")])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["x", "é"]), inner, max_size=2)
    ),
    max_leaves=4,
)  # fmt: skip
#: What plain programs have.
VALUES: dict[str, Any] = {
    "number": st.sampled_from([Decimal("0.1"), Decimal(10) ** 30, Decimal("-2.50")]),
    "count": st.integers(0, 9),
    "text": st.sampled_from(["", "é\U0001f600"]),
    "flag": st.booleans(),
    "data": st.sampled_from([b"", b"\xca\xfe"]),
    "words": st.sets(st.sampled_from(["a", "é"])),
    "numbers": st.sets(st.sampled_from([Decimal(1), Decimal("2.5")])),
    "many": st.lists(PLAIN, max_size=2),
    "raw": st.dictionaries(st.sampled_from(["x", "é"]), PLAIN, max_size=2),
}
#: What Dyntastic's models have besides.
TYPED: dict[str, Any] = VALUES | {
    "when": st.sampled_from([NOON, NOON + timedelta(microseconds=1500)]),
    "day": st.just(date(2026, 11, 23)),
    "uid": st.just(UUID(int=11)),
    "part": st.fixed_dictionaries({"name": st.just("x")}, optional={"at": st.just(NOON)}),
}
# Dyntastic leaves out None inside of maps, and lists in them.
WITHOUT_NONE: dict[str, Any] = TYPED | {"raw": st.just({"x": 1}), "many": st.just([1, "a"])}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    # boto3's resource wraps bytes.
    return bytes(value) if type(value).__name__ == "Binary" else value


def shown(fields: Any) -> Any:
    if fields is None:
        return None
    found = {name: plain(value) for name, value in fields.items()}
    for name, value in found.items():
        if name == "part" and value is not None:
            found[name] = {each: part for each, part in value.items() if part is not None}
    return {name: value for name, value in found.items() if value is not None and value != set()}


@pytest.fixture
def connected(client: Any, endpoint: Any, table_prefix: str) -> Iterator[Any]:
    """What connects a program to the table, and gives it with the new one."""
    access, secret = (
        endpoint.credentials[name] for name in ("aws_access_key_id", "aws_secret_access_key")
    )
    with ExitStack() as stack:
        session = stack.enter_context(Session(client=client, table_prefix=table_prefix))
        session.tables.create(Thing)

        def connect(name: str) -> Any:
            program: Any = (
                Resource() if name == "boto3" else stack.enter_context(other_programs.running(name))
            )
            program.connect(
                endpoint=endpoint.url, table=f"{table_prefix}things", access=access, secret=secret
            )
            return program, New(session), session

        yield connect


OTHERS = [
    pytest.param("boto3", VALUES, id="boto3"),
    pytest.param("aiodynamo", VALUES, id="aiodynamo", marks=pytest.mark.others),
    pytest.param("dyntastic", WITHOUT_NONE, id="dyntastic", marks=pytest.mark.others),
]


@pytest.mark.parametrize(("name", "values"), OTHERS)
def test_each_reads_what_the_other_has_written_after_each_step(
    connected: Any, name: str, values: Any
) -> None:
    other, new, _ = connected(name)

    @hypothesis.settings(suppress_health_check=[*hypothesis.HealthCheck], deadline=None)
    @hypothesis.given(data=st.data())
    def mixed(data: Any) -> None:
        state: dict[str, Any] | None = None
        for _ in range(data.draw(st.integers(2, 5))):
            program = data.draw(st.sampled_from([other, new]))
            names = data.draw(st.lists(st.sampled_from(list(values)), unique=True, max_size=6))
            fields = {each: data.draw(values[each]) for each in names}
            verb = (
                "save"
                if state is None
                else data.draw(st.sampled_from(["save", "change", "delete"]))
            )
            if verb == "save":
                given = {each: value for each, value in fields.items() if value != set()}
                state = {"id": "a", "count": 7, **given}
                program.save(fields=state)
            elif verb == "change":
                state = {**(state or {}), **fields}
                program.change(id="a", fields=fields)
            else:
                state = None
                program.delete(id="a")
            for reader in (other, new):
                assert shown(reader.get(id="a")) == shown(state)
        new.delete(id="a")

    mixed()


def test_none_of_a_plain_program_is_null_and_read_as_none(connected: Any) -> None:
    other, new, _ = connected("boto3")
    other.save(fields={"id": "a", "text": None, "part": None})
    assert new.get(id="a")["text"] is None
    new.change(id="a", fields={"count": 8})
    assert other.get(id="a") == {"id": "a", "text": None, "part": None, "count": 8}


@pytest.mark.others
def test_times_of_dyntastic_are_read_and_its_spans_are_text(connected: Any) -> None:
    """Its datetimes have no fraction where that is zero, so that texts do not sort as time does; and keys
    are other keys.
    """
    other, new, session = connected("dyntastic")
    other.save(fields={"id": "a", "when": NOON, "span": timedelta(seconds=5)})
    item = session.scan(Thing).raw().one()
    assert item["when"] == {"S": "2026-11-23T12:30:00Z"}
    assert item["span"] == {"S": "PT5S"}

    @model("things")
    class Readable:
        id: str = partition_key()
        when: datetime | None = None
        span: str | None = None

    assert session.get_one(Readable, "a").when == NOON
    new.save(fields={"id": "b", "when": NOON})
    assert other.get(id="b")["when"] == NOON


@pytest.mark.others
def test_a_key_has_the_text_that_the_other_program_writes(connected: Any) -> None:
    """A mark with a format is PynamoDB's, and serves for others' text as well."""
    _, _, session = connected("dyntastic")

    @model("instants")
    class Instant:
        at: Annotated[datetime, pynamodb.UnicodeDatetime(fmt="%Y-%m-%dT%H:%M:%SZ")] = (
            partition_key()
        )

    session.tables.create(Instant)
    session.save(Instant(NOON))
    assert session.scan(Instant).raw().one() == {"at": {"S": "2026-11-23T12:30:00Z"}}
    assert session.get(Instant, NOON) == Instant(NOON)
