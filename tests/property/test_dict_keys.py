"""Maps by keys that are not text: programs on them, beside the same on plain dicts."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import attrs
import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynattrs import (
    ConditionFailed,
    Session,
    add,
    exists,
    if_not_exists,
    model,
    partition_key,
    path,
    remove,
    set_,
)
from dynattrs.wire.local_engine import Lease


class Kind(enum.Enum):
    RED = "red"
    GREEN = "green ü"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


@attrs.define
class Box:
    width: int = 1
    sizes: dict[int, int] = attrs.field(factory=dict)


@model("keyed-maps")
class Keyed:
    id: str = partition_key()
    ints: dict[int, int] = attrs.field(factory=dict)
    kinds: dict[Kind, int] = attrs.field(factory=dict)
    levels: dict[Level, int] = attrs.field(factory=dict)
    days: dict[date, int] = attrs.field(factory=dict)
    ids: dict[UUID, int] = attrs.field(factory=dict)
    boxes: dict[date, Box] = attrs.field(factory=dict)
    maybe: dict[UUID, int] | None = None


KEYS: dict[str, list[Any]] = {
    "ints": [0, -1, 7, 10**30],
    "kinds": list(Kind),
    "levels": list(Level),
    "days": [date(1, 1, 1), date(2026, 2, 28), date(9999, 12, 31)],
    "ids": [UUID(int=0), UUID(int=0xABCDEF), UUID(int=2**128 - 1)],
    "boxes": [date(1999, 1, 1), date(2026, 11, 27)],
    "maybe": [UUID(int=1), UUID(int=0xFF)],
}
places = st.sampled_from([(name, key) for name, keys in KEYS.items() for key in keys])
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["set", "add", "count", "remove", "edit", "when", "transaction", "edit in one"]
        ),
        places,
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
)


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
        session.tables.create(Keyed)
        yield session
        session.tables.delete(Keyed)
    client.close()


class Program:
    """The item, as the service has it and as plain dicts have it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.key = secrets.token_hex(8)
        self.plain: dict[str, dict[Any, Any]] = {name: {} for name in KEYS}
        session.save(Keyed(self.key))

    def value(self, name: str, key: Any) -> Any:
        found = self.plain[name].get(key)
        return found if name != "boxes" or found is None else found["width"]

    def put(self, name: str, key: Any, value: int) -> None:
        if name == "boxes":
            self.plain[name].setdefault(key, {"width": 1, "sizes": {}})["width"] = value
            self.plain[name][key]["sizes"][value] = value
        else:
            self.plain[name][key] = value

    def step(self, verb: str, place: tuple[str, Any], number: int) -> None:
        name, key = place
        session, subject = self.session, (Keyed, self.key)
        at: Any = path(getattr(Keyed, name))[key]
        actions: list[Any] = []
        if name == "boxes":
            actions, at = [set_(at.sizes[number], number)], at.width
        if verb in ("set", "when", "transaction"):
            actions.append(set_(at, number))
        elif verb in ("add", "count"):
            # The width of a box that is not there yet is 1.
            before = self.value(name, key)
            computed = (
                set_(at, if_not_exists(at, 0) + number) if verb == "count" else add(at, number)
            )
            if name == "boxes" and before is None:
                return  # a box that is not there has a width all the same, which is computed with
            number += before or 0
            if name == "boxes":
                actions = [set_(path(getattr(Keyed, name))[key].sizes[number], number)]
            actions.append(computed)
        if verb in ("set", "add", "count"):
            session.update(*subject, *actions)
            self.put(name, key, number)
        elif verb == "transaction":
            with session.transaction() as t:
                t.update(*subject, *actions)
            self.put(name, key, number)
        elif verb == "when":
            holds = self.value(name, key) == number
            try:
                session.update(*subject, *actions, when=at == number)
                done = True
            except ConditionFailed:
                done = False
            assert done == holds
            if holds:
                self.put(name, key, number)
        elif verb == "remove":
            if self.value(name, key) is not None or name != "boxes":
                session.update(*subject, remove(path(getattr(Keyed, name))[key]))
            self.plain[name].pop(key, None)
        else:
            self.edit(verb, name, key, number)

    def edit(self, verb: str, name: str, key: Any, number: int) -> None:
        obj = self.session.get_one(Keyed, self.key, consistent=True)

        def change() -> None:
            if name == "boxes":
                box = obj.boxes.setdefault(key, Box())
                box.width = box.sizes[number] = number
            else:
                held = getattr(obj, name)
                setattr(obj, name, {**(held or {}), key: number})

        if verb == "edit":
            with self.session.edit(obj):
                change()
        else:
            with self.session.transaction() as t, t.edit(obj):
                change()
        self.put(name, key, number)

    def check(self, place: tuple[str, Any]) -> None:
        """What is read by the key, by conditions and as a part, is what the dict has."""
        name, key = place
        found = attrs.asdict(self.session.get_one(Keyed, self.key, consistent=True))
        assert {each: found[each] or {} for each in KEYS} == self.plain
        at: Any = path(getattr(Keyed, name))[key]
        expected = self.value(name, key)
        query = self.session.query(Keyed).where(Keyed.id == self.key).consistent()
        assert query.filter(exists(at)).count() == (expected is not None)
        at = at.width if name == "boxes" else at
        assert query.select(at).all() == [(expected,)]
        if expected is not None:
            assert query.filter(at == expected).count() == 1


def check(session: Session, program: list[Any]) -> None:
    found = Program(session)
    for verb, place, number in program:
        found.step(verb, place, number)
        found.check(place)


@given(steps)
def test_maps_are_changed_by_their_python_keys(
    dynamodb_local_session: Session, program: list[Any]
) -> None:
    check(dynamodb_local_session, program)


@given(steps)
def test_they_are_on_the_embedded_engine(embedded_session: Session, program: list[Any]) -> None:
    check(embedded_session, program)
