"""Errors of writing name the object: which of a thousand it was, and its key. In every verb."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import attrs
import pytest

from dynattrs import (
    MappingError,
    ModelError,
    QueryError,
    Session,
    Table,
    UnsentWrites,
    field,
    if_not_exists,
    map_class,
    mapper,
    model,
    partition_key,
    path,
    set_,
    sort_key,
)
from dynattrs.mapper.anything import load_any

NAN = float("nan")


def _not_negative(_: Any, __: Any, value: float) -> None:
    if value < 0:
        raise ValueError("it is negative")


@model("rows")
class Row:
    id: str = partition_key()
    n: float = field(default=0.0, validator=_not_negative)


@model("places", indexes=[])
class Place:
    box: int = partition_key()
    at: datetime = sort_key()
    n: float = 0.0


@model("versioned")
class Versioned:
    id: str = partition_key()
    n: float = 0.0
    version: int = field(default=0, version=True)


@model("stamped", frozen=True)
class Stamped:
    id: str = partition_key()
    n: float = 0.0
    updated: datetime | None = field(default=None, updated=True)


@model("unique")
class Unique:
    id: str = partition_key()
    email: str | None = field(default=None, unique=True)
    n: float = 0.0


app = Table("app", partition_key="pk", sort_key="sk")


@model(app, pk="ORDER#{id}", sk="LINE#{line:03d}")
class Line:
    id: str
    line: int
    n: float = 0.0


@attrs.define
class Foreign:
    id: str
    n: float = 0.0


map_class(Foreign, "foreign", partition_key="id", unknown="drop")

AT = datetime(2026, 11, 27, tzinfo=timezone.utc)
KEY = {"id": {"S": "7"}}
#: What makes an object whose field `n` is this, and the key of it.
MODELS: dict[str, tuple[Callable[[float], Any], dict[str, Any]]] = {
    "plain": (lambda n: Row("7", n), KEY),
    "two parts": (
        lambda n: Place(7, AT, n),
        {"box": {"N": "7"}, "at": {"S": "2026-11-27T00:00:00.000000Z"}},
    ),
    "versioned": (lambda n: Versioned("7", n), KEY),
    "frozen": (lambda n: Stamped("7", n), KEY),
    "unique": (lambda n: Unique("7", "x@y.z", n), KEY),
    "templates": (lambda n: Line("7", 3, n), {"pk": {"S": "ORDER#7"}, "sk": {"S": "LINE#003"}}),
    "mapped": (lambda n: Foreign("7", n), KEY),
}


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Row, Place, Versioned, Stamped, Unique, app, Foreign)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Any]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def in_batch(session: Any, bad: Any) -> None:
    with session.batch() as batch:
        batch.save(bad)


def in_transaction(act: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
    def acting(session: Any, bad: Any) -> None:
        with session.transaction() as t:
            act(t)(bad)

    return acting


def moved(session: Any, bad: Any) -> None:
    old = attrs.evolve(bad, n=0.0, **({"line": 4} if type(bad) is Line else _other_key(bad)))
    session.save(old)
    session.move(old, bad)


def _other_key(bad: Any) -> dict[str, Any]:
    return {"box": 8} if type(bad) is Place else {"id": "8"}


WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "save": lambda session, bad: session.save(bad),
    "insert": lambda session, bad: session.insert(bad),
    "batch.save": in_batch,
    "save_all": lambda session, bad: session.save_all([bad]),
    "transaction.save": in_transaction(lambda t: t.save),
    "transaction.insert": in_transaction(lambda t: t.insert),
    "move": moved,
    "mapper.dump": lambda _, bad: mapper.dump(bad),
}


@pytest.mark.parametrize("verb", WRITES)
def test_what_cannot_be_stored_is_named(session: Any, verb: str) -> None:
    for make, key in MODELS.values():
        bad = make(NAN)

        with pytest.raises(MappingError) as caught:
            WRITES[verb](session, bad)

        _check(caught.value, bad, key)
        assert caught.value.path == f"{type(bad).__name__}.n"


def _check(error: MappingError, obj: Any, key: dict[str, Any]) -> None:
    assert error.obj is obj
    assert error.key == key
    assert error.item is None
    shown = ", ".join(f"{name}={next(iter(value.values()))!r}" for name, value in key.items())
    assert f"(item with key {shown})" in str(error)


def test_what_an_edit_makes_of_an_object_is_named(session: Any) -> None:
    for kind, (make, key) in MODELS.items():
        if kind == "frozen":
            continue
        stored = make(1.0)
        session.save(stored)

        with pytest.raises(MappingError) as caught:
            with session.edit(stored):
                stored.n = NAN

        _check(caught.value, stored, key)


def test_an_update_that_a_validator_refuses_is_named(session: Any) -> None:
    row = Row("7", 1.0)
    session.save(row)
    action = set_(Row.n, -1.0)
    for subject in ((row,), (Row, "7")):
        for act in (
            lambda: session.update(*subject, action),  # noqa: B023
            lambda: session.update(*subject, action, upsert=True),  # noqa: B023
            lambda: in_transaction(lambda t: lambda _: t.update(*subject, action))(session, None),  # noqa: B023
        ):
            with pytest.raises(MappingError) as caught:
                act()

            _check(caught.value, row if subject[0] is row else None, KEY)


def test_where_the_key_itself_is_wrong_the_rest_of_it_is_named(session: Any) -> None:
    bad: Any = Place(7, datetime(2026, 11, 27))  # noqa: DTZ001 - naive ones are refused
    for act in (
        lambda session, bad: session.delete(bad),
        lambda session, bad: session.update(bad, set_(Place.n, 1.0)),
        lambda session, bad: session.refresh(bad),
        lambda session, bad: session.edit(bad),
        in_transaction(lambda t: t.delete),
        in_transaction(lambda t: lambda bad: t.check(bad, Place.n == 1.0)),
        in_transaction(lambda t: lambda bad: t.update(bad, set_(Place.n, 1.0))),
        lambda session, bad: session.move(bad, Place(1, AT)),
        lambda session, bad: session.move(Place(1, AT), bad),
        *WRITES.values(),
    ):
        if act is moved:
            continue  # its old object has such a key, too

        with pytest.raises(MappingError) as caught:
            act(session, bad)

        _check(caught.value, bad, {"box": {"N": "7"}})


def test_a_key_that_no_template_can_make_leaves_the_object(session: Any) -> None:
    bad = Line("7", -3)

    with pytest.raises(MappingError) as caught:
        session.save(bad)

    assert caught.value.obj is bad
    assert caught.value.key is None


def test_what_is_too_large_is_named(session: Any) -> None:
    @model("rows")
    class Text:
        id: str = partition_key()
        text: Any = None

    for bad in (Text("7", "x" * 500_000), Text("7", "\ud800"), Text("7", _nested(40))):
        for verb in ("save", "save_all", "batch.save", "transaction.save"):
            with pytest.raises(MappingError) as caught:
                WRITES[verb](session, bad)
            _check(caught.value, bad, KEY)


def _nested(depth: int) -> Any:
    return [_nested(depth - 1)] if depth else []


def test_what_was_given_is_named_where_a_hook_makes_another_object(
    client: Any, table_prefix: str
) -> None:
    session = Session(
        client=client, table_prefix=table_prefix, before_save=lambda obj: attrs.evolve(obj, n=NAN)
    )
    given = Stamped("7", 1.0)

    with pytest.raises(MappingError) as caught:
        session.save(given)

    _check(caught.value, given, KEY)
    session.close()


def test_an_item_that_is_read_is_named_as_before(session: Any) -> None:
    stored = {"id": {"S": "7"}, "n": {"S": "x"}}
    with pytest.raises(MappingError) as caught:
        mapper.load(stored, Row)

    assert (caught.value.obj, caught.value.key, caught.value.item) == (None, KEY, stored)


def test_an_error_that_names_an_object_pickles() -> None:
    with pytest.raises(MappingError) as caught:
        mapper.dump(Row("7", float("inf")))
    copied = pickle.loads(pickle.dumps(caught.value))

    assert copied.obj == Row("7", float("inf"))
    assert str(copied) == str(caught.value)


# --- Replies to writes that cannot be read --------------------------------------------------------


def updating(**options: Any) -> Callable[[Any, type[Any], Any, str], Any]:
    def update(session: Any, cls: type[Any], key: Any, _: str) -> Any:
        place = path(cls).n
        return session.update(cls, key, set_(place, if_not_exists(place, 3.0)), **options)

    return update


def stating(statement: str, ending: str) -> Callable[[Any, type[Any], Any, str], Any]:
    def execute(session: Any, cls: type[Any], key: Any, table: str) -> Any:
        where = " AND ".join(f'"{name}" = ?' for name in key)
        text = f"{statement.format(table)} WHERE {where} RETURNING {ending} *"
        return list(session.execute(text, *key.values(), model=cls))

    return execute


ANSWERS: dict[str, Callable[[Any, type[Any], Any, str], Any]] = {
    "update": updating(),
    "update, old": updating(returns="old"),
    "update, changed": updating(returns="changed"),
    "upsert": updating(upsert=True),
    "delete": lambda session, cls, key, _: session.delete(cls, key, returning=True),
    "execute UPDATE": stating('UPDATE "{}" SET other = 1', "ALL NEW"),
    "execute DELETE": stating('DELETE FROM "{}"', "ALL OLD"),
}


@pytest.mark.parametrize("verb", ANSWERS)
def test_a_write_that_answers_with_what_cannot_be_read_was_done(
    session: Any, client: Any, verb: str
) -> None:
    for make, key in MODELS.values():
        cls = type(make(0.0))
        table = session.tables.describe(cls)["TableName"]
        bad = {**mapper.dump(make(1.0)), "n": {"S": "x"}}
        client.put_item(TableName=table, Item=bad)
        given: Any = {Line: ("7", 3), Place: (7, AT)}.get(cls, "7")
        if "execute" in verb:
            given = {name: load_any(value) for name, value in key.items()}

        with pytest.raises(MappingError, match=r"; the write was done, and this") as caught:
            ANSWERS[verb](session, cls, given, table)

        assert caught.value.written
        assert (caught.value.path, caught.value.key) == (f"{cls.__name__}.n", key)
        stored = client.get_item(TableName=table, Key=key).get("Item")
        if "delete" in verb.lower():
            assert stored is None
        elif "execute" in verb:
            assert stored == {**bad, "other": {"N": "1"}}
        elif cls is Versioned:
            assert stored == {**bad, "version": {"N": "1"}}
        copied = pickle.loads(pickle.dumps(caught.value))
        assert copied.written


def test_a_read_that_fails_says_nothing_of_a_write(session: Any, client: Any) -> None:
    table = session.tables.describe(Row)["TableName"]
    client.put_item(TableName=table, Item={**KEY, "n": {"S": "x"}})
    for read in (
        lambda: session.get(Row, "7"), lambda: session.transact_get((Row, "7")),
        lambda: list(session.execute(f'SELECT * FROM "{table}"', model=Row)),
        lambda: session.query(Row).where(Row.id == "7").select(Row.n).all(),
    ):  # fmt: skip
        with pytest.raises(MappingError, match=r"Row\.n: .*key id='7'\)$") as caught:
            read()
        assert not caught.value.written


# --- In the middle of many ------------------------------------------------------------------------

MANY = 130


def many(make: Callable[[str, float], Any], bad: set[int]) -> list[Any]:
    return [make(str(n), NAN if n in bad else 1.0) for n in range(MANY)]


KINDS: dict[str, Callable[[str, float], Any]] = {
    "plain": Row,
    "versioned": Versioned,
    "frozen": Stamped,
    "unique": lambda id_, n: Unique(id_, f"{id_}@y.z", n),
    "templates": lambda id_, n: Line(id_, 3, n),
}
#: One at the beginning, two in one batch, one alone, one at the end.
BAD = {0, 30, 31, 77, MANY - 1}


@pytest.mark.parametrize("through", ["session", "batch"])
@pytest.mark.parametrize("on_error", ["skip", "function"])
def test_save_all_goes_on_past_what_cannot_be_stored(
    session: Any, through: str, on_error: str
) -> None:
    for make in KINDS.values():
        objects = many(make, BAD)
        errors: list[MappingError] = []
        told: Any = errors.append if on_error == "function" else on_error

        if through == "session":
            session.save_all(iter(objects), on_error=told)
        else:
            with session.batch() as batch:
                batch.save_all(iter(objects), on_error=told)

        found = session.scan(type(objects[0])).all()
        assert {each.id for each in found} == {each.id for each in objects} - {str(n) for n in BAD}
        if on_error == "function":
            assert [error.obj for error in errors] == [objects[n] for n in sorted(BAD)]
            assert all(error.key for error in errors)


@pytest.mark.parametrize("through", ["session", "batch"])
@pytest.mark.parametrize("on_error", ["skip", "function", "raise"])
def test_save_all_goes_on_past_what_is_of_no_model(
    session: Any, through: str, on_error: str
) -> None:
    strange = [None, 3, "text", Row, object()]
    errors: list[MappingError] = []
    told: Any = errors.append if on_error == "function" else on_error
    ends = pytest.raises(ModelError) if on_error == "raise" else contextlib.nullcontext()

    with session.batch() as batch, ends:
        handle = session if through == "session" else batch
        handle.save_all([Row("a"), *strange, Row("b")], on_error=told)

    kept = {"a"} if on_error == "raise" else {"a", "b"}
    assert {row.id for row in session.scan(Row)} == kept
    assert [error.obj for error in errors] == (strange if on_error == "function" else [])
    assert all("an object of a model" in str(error) for error in errors)


def test_by_itself_save_all_stops_there_and_stores_what_it_took(session: Any) -> None:
    for make in KINDS.values():
        objects = many(make, {60, 90})
        taken: list[Any] = []

        with pytest.raises(MappingError) as caught:
            session.save_all(_noted(objects, taken))

        assert caught.value.obj is objects[60]
        assert taken == objects[:61]
        assert session.scan(type(objects[0])).count() == 60


def _noted(objects: list[Any], taken: list[Any]) -> Iterator[Any]:
    for each in objects:
        taken.append(each)
        yield each


def test_what_the_function_raises_ends_save_all(session: Any) -> None:
    objects = many(Row, {60, 90})

    def refuse(error: MappingError) -> None:
        raise LookupError from error

    with pytest.raises(LookupError):
        session.save_all(objects, on_error=refuse)

    assert session.scan(Row).count() == 60


def test_what_the_service_refuses_is_named_by_unsent_writes_all_the_same(session: Any) -> None:
    """`on_error` is for what cannot be sent."""
    other, *objects = many(KINDS["versioned"], {60})
    session.save(other)
    stale = Versioned(other.id, 2.0)
    skipped: list[MappingError] = []

    with pytest.raises(UnsentWrites) as caught:
        session.save_all([*objects[:40], stale, *objects[40:]], on_error=skipped.append)

    assert caught.value.objects == [stale]
    assert [error.obj.id for error in skipped] == ["60"]
    assert session.scan(Versioned).count() == MANY - 1


def test_another_word_is_refused_before_anything_is_taken(session: Any) -> None:
    def objects() -> Iterator[Row]:
        raise AssertionError
        yield

    with pytest.raises(QueryError, match="'raise', 'skip' or a function"):
        session.save_all(objects(), on_error="ignore")
