"""How jobs name what other processes import, and describe sessions to them."""

from __future__ import annotations

import json
import pickle
import sys
import types
from datetime import timedelta
from typing import Generic, TypeVar

import attrs
import pytest

from dynattrs import Session, Table, model, partition_key
from dynattrs.errors import ModelError
from dynattrs.jobs import Job, SessionSpec, in_folder
from dynattrs.jobs.importable import importable_name, imported, table_name
from dynattrs.jobs.session_specs import anew, session_of
from dynattrs.jobs.which_items import items_of

V = TypeVar("V")
shelves = Table("job-specs", partition_key="pk")
cellar = Table("job-cellar", partition_key="pk")
rooms = Table("job-rooms", partition_key="pk", sort_key="sk")


@model(shelves)
class Book:
    pk: str = partition_key()

    @staticmethod
    def changed(book: Book) -> Book:
        return book


@model(rooms, pk="DOOR#{number}", sk="DOOR")
class Door:
    number: int


@model(rooms)
class Plain:
    pk: str
    sk: str


@model(cellar)
class Anything:
    pk: str = partition_key()


@model(cellar)
class Something(Anything):
    note: str = ""


@model("job-boxes")
class Box(Generic[V]):
    id: str = partition_key()
    value: V


def made_session() -> Session:
    return Session(region_name="eu-west-1", endpoint_url="http://127.0.0.1:1")


def made_nothing() -> None:
    return None


@pytest.fixture(autouse=True)
def _as_a_module(monkeypatch):
    """pytest imports this file under a name that it forgets, which would not be found."""
    monkeypatch.setitem(sys.modules, __name__, types.ModuleType(__name__))
    for name, value in list(globals().items()):
        setattr(sys.modules[__name__], name, value)


@pytest.mark.parametrize("thing", [made_session, Book, Book.changed])
def test_a_name_finds_what_it_was_made_of(thing):
    assert imported(importable_name(thing, "apply(...)"), "apply(...)") is thing


def test_what_other_processes_cannot_import_is_refused_with_the_way_out():
    def nested(book):
        return book

    for thing in (lambda book: book, nested):
        with pytest.raises(ModelError, match=r"apply\(\.\.\.\): .*with def at the top of a module"):
            importable_name(thing, "apply(...)")
    with pytest.raises(ModelError, match="has no name that other processes could import"):
        importable_name(Book("a"), "apply(...)")


def test_a_model_with_arguments_is_refused_with_the_way_out(tmp_path):
    expected = r"^Job: .*Box\[int\] has arguments, .* give Box itself: "
    with pytest.raises(ModelError, match=expected):
        Job("boxes", models=[Box[int]], checkpoints=in_folder(tmp_path))
    assert Job("boxes", models=[Box], checkpoints=in_folder(tmp_path))


def test_a_function_that_hides_behind_the_name_of_another_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "made_session", made_nothing)
    with pytest.raises(ModelError, match="is another object than the one that was given"):
        importable_name(made_session, "apply(...)")


def test_a_table_is_named_by_the_variable_that_holds_it():
    assert imported(table_name(shelves, "Job"), "Job") is shelves
    with pytest.raises(ModelError, match="is in no variable of a module"):
        table_name(Table("nowhere", partition_key="pk"), "Job")


@pytest.mark.parametrize("name", ["", "json", "json:", ":dumps"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ModelError, match="is expected"):
        imported(name, "Job")


def test_a_name_of_nothing_is_refused():
    with pytest.raises(ModelError, match="cannot be imported"):
        imported("no_such_module_at_all:function", "Job")
    with pytest.raises(ModelError, match="has no 'nothing'"):
        imported("json:nothing", "Job")


spec = SessionSpec(
    region_name="eu-west-1",
    endpoint_url="http://127.0.0.1:1",
    config={"read_timeout": 7},
    table_prefix="dev-",
    tables={"a": "b"},
    cursor_secret="secret",
    call_timeout=timedelta(seconds=3),
    deadline=timedelta(seconds=4),
    concurrency=2,
    fast=False,
)


def test_a_spec_goes_to_other_processes_and_into_records_without_its_secret():
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert "secret" not in repr(spec)
    written = json.dumps(spec.describe())
    assert "secret" not in written
    assert SessionSpec.described(json.loads(written)) == attrs.evolve(spec, cursor_secret=None)
    assert SessionSpec().describe() == {}


def test_a_spec_makes_sessions_with_all_of_its_options():
    with spec.session() as session:
        core = session._core
        assert core.table_names["a"] == "b"
        assert core.table_names["c"] == "dev-c"
        assert core.cursor_secret == b"secret"
        assert core.deadline == timedelta(seconds=4)
        assert core.concurrency == 2
        assert session.client.meta.region_name == "eu-west-1"
        assert session.client.meta.config.read_timeout == 7
        assert session._driver.wire._limit == 3.0


def test_a_spec_is_made_into_one_session_a_process():
    assert session_of(spec) is session_of(attrs.evolve(spec))
    assert session_of(spec) is not session_of(attrs.evolve(spec, table_prefix=""))


def test_a_session_that_was_closed_is_made_again():
    first = session_of(spec)
    first.close()

    again = session_of(spec)

    assert again is not first
    assert again._closed is None
    assert session_of(spec) is again


def test_each_verb_asks_the_function_anew(monkeypatch):
    """It may give the session that the program has now, as tests replace it."""
    here = sys.modules[__name__]
    named = SessionSpec(make=f"{__name__}:current")
    with made_session() as first, made_session() as second:
        monkeypatch.setattr(here, "current", lambda: first, raising=False)
        assert session_of(named) is first
        monkeypatch.setattr(here, "current", lambda: second)
        assert session_of(named) is first  # a verb that is under way keeps its session
        anew(named)
        assert session_of(named) is second


def test_a_function_makes_what_no_value_can_say():
    for make in (made_session, f"{__name__}:made_session"):
        made = SessionSpec(make=make)
        assert made == SessionSpec.described(made.describe())
        made.session().close()
    with pytest.raises(ModelError, match="a Session is expected"):
        SessionSpec(make=made_nothing).session()
    with pytest.raises(ModelError, match="table_prefix would be ignored"):
        SessionSpec(make=made_session, table_prefix="dev-")
    with pytest.raises(ModelError, match="is a lambda"):
        SessionSpec(make=lambda: Session(region_name="eu-west-1"))


def test_an_unknown_option_of_the_client_is_named():
    with pytest.raises(ModelError, match="config="):
        SessionSpec(config={"read_time": 7}).session()


# --- Which items ----------------------------------------------------------------------------------


def test_one_model_that_nothing_tells_may_stand_beside_those_that_keys_tell():
    [found] = items_of([Door, Plain], "count")

    assert [each.cls for each in found.infos] == [Door, Plain]


def test_a_model_that_nothing_tells_stands_for_its_subclasses():
    [found] = items_of([Anything], "count")

    assert [each.cls for each in found.infos] == [Anything]
    for models in ([Anything, Something], [Something, Plain]):
        with pytest.raises(ModelError, match="nothing tells items of"):
            items_of(models, "count")
