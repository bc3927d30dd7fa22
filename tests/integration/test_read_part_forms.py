"""Parts of items are as the model reads them: what is absent, defaults, converters, forms; on each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Annotated, Any, TypedDict

import attrs
import pytest

from dynattrs import (
    MappingError,
    QueryError,
    Session,
    field,
    model,
    partition_key,
)
from dynattrs.mapper import Compressed, Epoch, Json


@attrs.define
class Label:
    name: str
    city: str = attrs.field(default="Rome", converter=str.upper)
    years: list[int] = attrs.field(factory=list)


class Size(TypedDict):
    width: int


@model("prints")
class Print:
    id: str = partition_key()
    must: str
    low: str = attrs.field(default="", converter=str.lower)
    year: int | None = None
    plays: int = 5
    label: Label = attrs.field(factory=lambda: Label("none", "Paris", [7]))
    labels: dict[str, Label] = attrs.field(factory=dict)
    size: Size | None = None
    gone: datetime | None = field(ttl=True, default=None)
    at: Annotated[datetime, Epoch] | None = None
    doc: Annotated[dict[str, Any], Json] = attrs.field(factory=dict)
    text: Annotated[str, Json] = ""
    body: Annotated[str, Compressed] = ""


NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Print)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with_prefix = Session(client=client, table_prefix=table_prefix)
    yield with_prefix
    with_prefix.close()


@pytest.fixture
def put(session: Session, table_prefix: str) -> Callable[..., None]:
    def put(**attributes: Any) -> None:
        item = {"id": {"S": "a"}, "must": {"S": "x"}, **attributes}
        item = {name: value for name, value in item.items() if value is not None}
        session.client.put_item(TableName=f"{table_prefix}prints", Item=item)

    return put


def selected(session: Session, *paths: Any) -> Any:
    """What each way to read gives, which is one."""
    found = session.get_one(Print, "a", select=paths)
    assert session.get_many(Print, ["a"], select=paths).all() == [found]
    assert session.transact_get((Print, "a"), select=paths) == (found,)
    assert session.query(Print).where(Print.id == "a").select(*paths).all() == [found]
    assert session.scan(Print).select(*paths).all() == [found]
    return found


# --- select ---------------------------------------------------------------------------------------


def test_a_required_field_that_is_absent_is_an_error(session: Session, put: Callable[..., None]):
    put(must=None)
    paths = (Print.must,)
    for read in (
        lambda: session.get(Print, "a"),
        lambda: session.get(Print, "a", select=paths),
        lambda: session.get_many(Print, ["a"], select=paths).all(),
        lambda: session.transact_get((Print, "a"), select=paths),
        lambda: session.query(Print).where(Print.id == "a").select(*paths).all(),
    ):
        with pytest.raises(MappingError, match=r"Print\.must.*no such attribute") as caught:
            read()
        assert caught.value.key == {"id": {"S": "a"}}
    assert selected(session, Print.plays) == (5,)


@pytest.mark.parametrize(
    ("stored", "path"),
    [
        ({"label": {"M": {}}}, Print.label.name),
        ({"labels": {"M": {"b": {"M": {}}}}}, Print.labels["b"].name),
        ({"size": {"M": {}}}, Print.size["width"]),  # type: ignore[index]
    ],
)
def test_so_is_one_inside_of_a_field(
    session: Session, put: Callable[..., None], stored: Any, path: Any
):
    put(**stored)
    with pytest.raises(MappingError):
        session.get(Print, "a")
    with pytest.raises(MappingError, match=r"Print\.(label|size)"):
        session.get(Print, "a", select=(path,))


def test_what_is_absent_has_the_default_that_objects_have(
    session: Session, put: Callable[..., None]
):
    put(labels={"M": {"b": {"M": {"name": {"S": "B"}}}}})
    whole = session.get_one(Print, "a")

    label, inner = Print.label, Print.labels["b"]
    found = selected(
        session, label.name, label.city, label.years, label.years[0], label.years[1], inner.city,
        inner.years, Print.labels["c"].city, label,
    )  # fmt: skip

    assert found == ("none", "PARIS", [7], 7, None, "ROME", [], None, whole.label)


def test_converters_have_seen_what_is_selected(session: Session, put: Callable[..., None]):
    put(low={"S": "ABC"}, label={"M": {"name": {"S": "n"}, "city": {"S": "Oslo"}}})
    whole = session.get_one(Print, "a")

    found = selected(session, Print.low, Print.label.city, Print.label)

    assert found == (whole.low, whole.label.city, whole.label) == ("abc", "OSLO", whole.label)


# --- as_ ------------------------------------------------------------------------------------------


@attrs.define
class Sparse:
    must: str
    year: int | None
    plays: int
    label: Label
    gone: Annotated[datetime | None, Epoch]
    at: Annotated[datetime, Epoch] | None


def test_an_object_of_another_class_has_the_defaults_of_the_model(
    session: Session, put: Callable[..., None]
):
    put()
    expected = Sparse("x", None, 5, Label("none", "Paris", [7]), None, None)
    saved = Print("b", "x", gone=NOON, at=NOON)
    session.save(saved)

    assert session.get(Print, "a", as_=Sparse) == expected
    assert session.get_many(Print, ["a"], as_=Sparse).all() == [expected]
    assert session.transact_get((Print, "a"), as_=Sparse) == (expected,)
    assert session.query(Print).where(Print.id == "a").as_(Sparse).all() == [expected]
    found = session.scan(Print).as_(Sparse).all()
    assert sorted(found, key=lambda each: each.gone is None) == [
        Sparse("x", None, 5, saved.label, NOON, NOON), expected,
    ]  # fmt: skip


def test_what_the_model_requires_is_required(session: Session, put: Callable[..., None]):
    put(must=None)
    with pytest.raises(MappingError, match="no such attribute"):
        session.get(Print, "a", as_=Sparse)


@attrs.define
class Own:
    plays: int = 9


def test_a_default_of_the_class_goes_before(session: Session, put: Callable[..., None]):
    put()
    assert session.get(Print, "a", as_=Own) == Own(9)


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("gone", datetime | None, r"gone: Annotated\[datetime.datetime \| None, Epoch\]"),
        ("gone", datetime, r"gone: Annotated\[datetime.datetime \| None, Epoch\]"),
        ("at", datetime, r"number.*string.*Epoch"),
        ("doc", dict[str, Any], r"JSON text.*doc: .*Json"),
        ("text", str, r"JSON text.*text: .*Json"),
        ("body", str, r"compressed bytes.*body: .*Compressed"),
        ("plays", str, r"plays: int"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_at_once(
    session: Session, name: str, type_: Any, expected: str
):
    part = attrs.make_class("Part", {name: attrs.field(type=type_)})

    with pytest.raises(QueryError, match=rf"Print\.{name} is stored as .*{expected}"):
        session.query(Print).as_(part)
    with pytest.raises(QueryError, match=rf"Print\.{name} is stored as .*{expected}"):
        session.get(Print, "a", as_=part)


def test_raw_json_can_be_read_as_text(session: Session):
    session.save(Print("a", "x", doc={"b": 1}))
    part: Any = attrs.make_class("Part", {"doc": attrs.field(type=str)})

    assert session.get(Print, "a", as_=part) == part('{"b": 1}')
