"""Classes of pydantic's, msgspec's and dataclasses that `map_class` maps: all that attrs models have."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
import pytest

from dynattrs import (
    Accepts,
    AlreadyTaken,
    ConditionFailed,
    GlobalIndex,
    ItemExists,
    MappingError,
    ModelError,
    OtherKind,
    Partial,
    Session,
    Table,
    add,
    evolve,
    field,
    map_class,
    path,
    set_,
)


class Model(pydantic.BaseModel):
    team: str
    id: str
    mail: str | None = None
    score: Annotated[int, pydantic.Field(ge=0)] = 0
    tags: set[str] = set()
    inner: dict[str, list[int]] = {}
    until: dt.datetime | None = None
    revision: int = 0
    made: dt.datetime | None = None
    changed: dt.datetime | None = None

    @pydantic.field_validator("mail")
    @classmethod
    def _has_at(cls, value: str | None) -> str | None:
        if value is not None and "@" not in value:
            raise ValueError("no mail address")
        return value


class FrozenModel(Model):
    model_config = pydantic.ConfigDict(frozen=True)


class Struct(msgspec.Struct):
    team: str
    id: str
    mail: str | None = None
    score: int = 0
    tags: set[str] = msgspec.field(default_factory=set)
    inner: dict[str, list[int]] = msgspec.field(default_factory=dict)
    until: dt.datetime | None = None
    revision: int = 0
    made: dt.datetime | None = None
    changed: dt.datetime | None = None


class FrozenStruct(Struct, frozen=True):
    pass


@dataclasses.dataclass
class Data:
    team: str
    id: str
    mail: str | None = None
    score: int = 0
    tags: set[str] = dataclasses.field(default_factory=set)
    inner: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    until: dt.datetime | None = None
    revision: int = 0
    made: dt.datetime | None = None
    changed: dt.datetime | None = None


@pydantic.dataclasses.dataclass
class PydanticData(Data):
    pass


@attrs.define
class Attrs:
    team: str
    id: str
    mail: str | None = None
    score: int = 0
    tags: set[str] = attrs.field(factory=set)
    inner: dict[str, list[int]] = attrs.field(factory=dict)
    until: dt.datetime | None = None
    revision: int = 0
    made: dt.datetime | None = None
    changed: dt.datetime | None = None


def in_hundreds(item: dict[str, Any]) -> None:
    item["score"] = item.get("score", 0) * 100


def lower(obj: Any) -> Any:
    return evolve(obj, mail=None if obj.mail is None else obj.mail.lower())


CLASSES: list[Any] = [Model, FrozenModel, Struct, FrozenStruct, Data, PydanticData, Attrs]
for each in CLASSES:
    map_class(
        each, f"mapped-{each.__name__}", partition_key="team", sort_key="id", unknown="drop",
        indexes=[GlobalIndex("by-score", partition_key="team", sort_key="score")],
        fields={
            "revision": field(version=True), "made": field(created=True), "changed": field(updated=True),
            "mail": field(name="Mail", unique=True, formerly="email"), "until": field(ttl=True),
        },
        upgrades=[in_hundreds],
    )  # fmt: skip

app = Table("mapped-app", partition_key="pk", sort_key="sk", discriminator="type")


class User(pydantic.BaseModel):
    user: str
    mail: str | None = None


class Order(msgspec.Struct):
    user: str
    number: int


map_class(User, app, keys={"pk": "U#{user}", "sk": "PROFILE"}, unknown="forbid")
map_class(
    Order, app, keys={"pk": "U#{user}", "sk": "O#{number:04d}"}, kind="order", unknown="drop",
    after_load=lambda order: None,
)  # fmt: skip


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(*CLASSES, User, Order)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        yield session


def frozen(cls: Any) -> bool:
    return cls in (FrozenModel, FrozenStruct)


@pytest.mark.parametrize(
    "cls",
    [pytest.param(cls, marks=pytest.mark.smoke) for cls in CLASSES[:3]] + CLASSES[3:],
    ids=lambda cls: cls.__name__,
)
def test_mapped_classes_have_what_models_have(
    session: Session, client: Any, table_prefix: str, cls: Any
):
    fields: Any = path(cls)
    until = dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)
    given = cls(team="t", id="1", mail="a@b", score=3, tags={"x"}, inner={"a": [1]}, until=until)

    saved = session.save(given)

    assert (saved.revision, given.revision) == (1, 0 if frozen(cls) else 1)
    assert saved.made == saved.changed != None  # noqa: E711
    key = {"team": {"S": "t"}, "id": {"S": "1"}}
    stored = client.get_item(TableName=f"{table_prefix}mapped-{cls.__name__}", Key=key)["Item"]
    assert stored["Mail"] == {"S": "a@b"}
    assert stored["until"] == {"N": str(int(until.timestamp()))}
    assert stored["schema_version"] == {"N": "2"}
    assert session.get(cls, ("t", "1")) == saved
    assert [*session.get_many(cls, [("t", "1")])] == [saved]
    query = session.query(cls).where(fields.team == "t", fields.score > 2).using("by-score")
    assert query.all() == [saved]
    assert session.query(cls).where(fields.team == "t", fields.mail == "a@b").all() == [saved]

    actions = (
        set_(fields.score, fields.score + 1),
        add(fields.tags, {"y"}),
        set_(fields.inner["a"][0], 5),
    )
    updated = session.update(cls, ("t", "1"), *actions)
    assert (updated.score, updated.tags, updated.inner) == (4, {"x", "y"}, {"a": [5]})
    assert updated.revision == 2
    with pytest.raises(ConditionFailed):
        session.save(saved)
    with pytest.raises(ItemExists):
        session.insert(cls(team="t", id="1"))
    with pytest.raises(AlreadyTaken):
        session.insert(cls(team="t", id="2", mail="a@b"))

    if not frozen(cls):
        with session.edit(updated):
            updated.score += 1
            updated.inner["b"] = [2]
        assert updated.revision == 3
        assert session.get(cls, ("t", "1")) == updated
        behind = session.get_one(cls, ("t", "1"))
        session.update(cls, ("t", "1"), set_(fields.score, 9))
        session.refresh(behind)
        assert (behind.score, behind.revision) == (9, 4)
    with session.transaction() as t:
        t.save(cls(team="t", id="3"))
        t.delete(cls, ("t", "4"))
    with session.batch() as batch:
        batch.delete(cls, ("t", "3"))
    assert session.scan(cls).count() == 1
    session.delete(session.get_one(cls, ("t", "1")))
    assert not session.exists(cls, ("t", "1"))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_old_items_of_mapped_classes_are_read(
    session: Session, client: Any, table_prefix: str, cls: Any
):
    old = {
        "team": {"S": "t"},
        "id": {"S": "1"},
        "email": {"S": "a@b"},
        "score": {"N": "2"},
        "x": {"S": "y"},
    }
    client.put_item(TableName=f"{table_prefix}mapped-{cls.__name__}", Item=old)

    found = session.get_one(cls, ("t", "1"))

    assert (found.mail, found.score, found.revision) == ("a@b", 200, 0)
    assert session.save(found).revision == 1
    assert session.get_one(cls, ("t", "1")).score == 200


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_objects_of_mapped_classes_evolve(cls: Any):
    given = cls(team="t", id="1", score=3)

    made = evolve(given, score=4)

    assert type(made) is cls
    assert (made.team, made.score, given.score) == ("t", 4, 3)
    with pytest.raises(TypeError):
        evolve(given, scores=4)


@pytest.mark.parametrize("cls", [Model, FrozenModel])
def test_what_a_pydantic_model_refuses_is_not_stored(session: Session, cls: Any):
    fields: Any = path(cls)
    session.save(cls(team="t", id="1"))

    for action in (set_(fields.score, -1), set_(fields.mail, "nowhere")):
        with pytest.raises(MappingError, match=r"its validator accepts"):
            session.update(cls, ("t", "1"), action)

    assert session.update(cls, ("t", "1"), set_(fields.mail, "a@b")).mail == "a@b"


@pytest.mark.smoke
def test_mapped_classes_share_a_table(session: Session):
    user, order = User(user="ann", mail="a@b"), Order("ann", 7)
    session.save_all([user, order])

    users: Any = path(User)
    assert session.query(User, Order).where(users.user == "ann").all() == [order, user]
    assert session.get(User, "ann") == user
    assert session.get(Order, ("ann", 7)) == order
    assert session.query(Order).where(path(Order).user == "ann", path(Order).number > 6).all() == [
        order
    ]
    renamed = session.update(User, "ann", set_(users.mail, None))
    assert renamed == User(user="ann")


def test_a_mapped_class_says_who_has_its_key(session: Session, client: Any, table_prefix: str):
    item = {
        "pk": {"S": "U#ann"},
        "sk": {"S": "PROFILE"},
        "user": {"S": "ann"},
        "type": {"S": "order"},
    }
    client.put_item(TableName=f"{table_prefix}mapped-app", Item=item)

    with pytest.raises(OtherKind):
        session.get(User, "ann")


@pytest.mark.threads_only("nothing is sent")
@pytest.mark.parametrize("cls", [Struct, Data, Attrs])
def test_mapped_classes_are_bodies_whose_versions_are_read_only(cls: Any):
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(Annotated[cls, Accepts()])
    some: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(Partial[cls])

    made = adapter.validate_python({"team": "t", "id": "1", "tags": ["x"]})

    assert made == cls(team="t", id="1", tags={"x"})
    assert json.loads(adapter.dump_json(made))["tags"] == ["x"]
    with pytest.raises(pydantic.ValidationError, match="read-only"):
        adapter.validate_python({"team": "t", "id": "1", "revision": 3})
    assert [str(each) for each in some.validate_python({"score": 3}).actions()] == [
        str(set_(path(cls).score, 3))
    ]
    with pytest.raises(pydantic.ValidationError, match="key"):
        some.validate_python({"team": "t"})


class Simple(pydantic.BaseModel):
    id: str
    note: str = ""
    at: int = 0


@pytest.mark.threads_only("nothing is sent")
@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            {"nte": field(name="x")},
            r"fields names 'nte', which is not a field; did you mean 'note'",
        ),
        ({"note": 3}, r"Simple\.note: fields has 3 for it; write field\(\.\.\.\)"),
        ({"note": attrs.field()}, r"write field\(\.\.\.\)"),
        ({"note": field(default="x")}, "are its class's own"),
        ({"note": field(converter=str)}, "are its class's own"),
        ({"note": field(validator=attrs.validators.max_len(3))}, "are its class's own"),
        ({"note": field(version=True)}, "a version is an int"),
        ({"note": field(name="id")}, "is stored as 'id', and so is"),
        ({"note": field(version=True), "at": field(version=True)}, "a second version=True"),
    ],
)
def test_what_cannot_be_said_of_a_field_is_refused(said: Any, problem: str):
    class Other(Simple):
        pass

    Other.__name__ = "Simple"
    with pytest.raises(ModelError, match=problem):
        map_class(Other, "simple", partition_key="id", fields=said)
