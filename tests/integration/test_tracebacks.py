"""What the traceback of an error shows: the program's lines, and how to see the library's."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from botocore.exceptions import ClientError

import dynattrs
from dynattrs import (
    ConditionError,
    ConditionFailed,
    ConfigurationError,
    ConnectionFailed,
    ItemExists,
    Mapper,
    MappingError,
    ModelError,
    NoIndex,
    NoSuchItem,
    NoSuchTable,
    Session,
    TransactionFailed,
    begins_with,
    model,
    partition_key,
    set_,
    sort_key,
)
from dynattrs.mapper import default
from dynattrs.tracebacks import VARIABLE
from stepped_session import ByHand

PACKAGE = Path(dynattrs.__file__).parent

pytestmark = pytest.mark.threads_only("a test of asyncio is among them")


@model("songs")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = attrs.field(default=0, validator=attrs.validators.ge(0))


@model("nowhere")
class Lost:
    id: str = partition_key()


class Unknown(Exception):
    """What the program's own code raises."""


def look_up(text: str) -> str:
    """What a validator, a converter or a hook of a program does, from which its error comes."""
    try:
        return {"known": "known"}[text]
    except KeyError as error:
        raise Unknown(text) from error


#: Whether the classes below refuse what they accept while items are written.
strict: list[bool] = []


def strictly(text: str) -> str:
    return look_up(text) if strict else text


@model("songs")
class Validated:
    artist: str = partition_key()
    title: str = sort_key()
    kind: str = attrs.field(default="known", validator=lambda obj, field, value: strictly(value))


@model("songs")
class Converted:
    artist: str = partition_key()
    title: str = sort_key()
    kind: str = attrs.field(default="known", converter=strictly)


@model("songs")
class Checked:
    artist: str = partition_key()
    title: str = sort_key()
    kind: str = "known"

    def __attrs_post_init__(self) -> None:
        strictly(self.kind)


class Kind:
    """A class that only hooks write and read."""


@attrs.define
class Piece:
    kind: Kind


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with Session(client=client, table_prefix=table_prefix) as session:
        session.save(Song("a", "b"))
        yield session


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def transaction(session: Session) -> None:
    with session.transaction() as t:
        t.insert(Song("a", "b"))


def batch(session: Session) -> None:
    with session.batch() as batch:
        batch.save(Song("a", "c"))
        batch.update(Song, ("a", "nothing"), set_(Song.plays, 3))


#: Errors that everybody meets, each with what raises it.
COMMON: dict[str, tuple[type[Exception], Callable[[Session], Any]]] = {
    "get_one": (NoSuchItem, lambda s: s.get_one(Song, ("x", "y"))),
    "insert": (ItemExists, lambda s: s.insert(Song("a", "b"))),
    "update": (ConditionFailed, lambda s: s.update(
        Song, ("a", "b"), set_(Song.plays, 1), when=Song.plays > 3
    )),
    "validator": (MappingError, lambda s: s.update(Song, ("a", "b"), set_(Song.plays, -1))),
    "key": (MappingError, lambda s: s.get(Song, (1, 2))),
    "no index": (NoIndex, lambda s: s.query(Song).where(Song.plays > 3).all()),
    "iteration": (NoIndex, lambda s: list(s.query(Song).where(Song.plays > 3))),
    "no table": (NoSuchTable, lambda s: s.save(Lost("a"))),
    "no table in a loop": (NoSuchTable, lambda s: list(s.query(Lost).where(Lost.id == "a"))),
    "no table of many": (NoSuchTable, lambda s: list(s.get_many(Lost, ["a", "b"]))),
    "no table in pages": (NoSuchTable, lambda s: list(s.scan(Lost).pages())),
    "transaction": (TransactionFailed, transaction),
    "batch": (NoSuchItem, batch),
}  # fmt: skip


def raised(call: Callable[[], Any]) -> BaseException:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def engine_frames(error: BaseException) -> list[str]:
    """The functions of the library in a traceback, wherever that is installed."""
    found = traceback.extract_tb(error.__traceback__)
    return [each.name for each in found if PACKAGE in Path(each.filename).parents]


def chain(error: BaseException | None) -> list[BaseException]:
    found = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


@pytest.mark.parametrize("name", COMMON)
def test_a_common_error_shows_the_program_and_hardly_the_engine(name: str, session: Session):
    kind, call = COMMON[name]

    error = raised(lambda: call(session))

    assert type(error) is kind
    assert len(engine_frames(error)) <= 5
    for each in chain(error)[1:]:
        assert engine_frames(each) == [] or isinstance(each, ValueError)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert len(text.splitlines()) < 40
    assert "botocore/client.py" not in text


def test_a_get_shows_three_frames_of_the_library(session: Session):
    error = raised(lambda: session.get_one(Song, ("x", "y")))

    assert engine_frames(error) == ["get_one", "_drive", "drive"]


@pytest.mark.parametrize("name", COMMON)
def test_pytest_shows_none_of_the_engine(name: str, session: Session):
    kind, call = COMMON[name]
    with pytest.raises(kind) as caught:
        call(session)

    shown = [str(each.path) for each in caught.traceback.filter(caught)]

    assert shown
    assert [path for path in shown if not path.endswith("test_tracebacks.py")] == []


@pytest.mark.parametrize(
    "write",
    [
        lambda: Song.plays > "many",
        lambda: set_(Song.plays, "many"),
        lambda: begins_with(Song.plays, "m"),
        lambda: ByHand().query(Song).where(True),
    ],
)
def test_pytest_shows_none_of_what_refuses_a_condition(write: Callable[[], Any]):
    with pytest.raises(ConditionError) as caught:
        write()

    assert {str(each.path) for each in caught.traceback.filter(caught)} == {__file__}


def test_botocores_error_is_the_cause_and_nothing_stands_between(session: Session):
    for name in ("insert", "update", "no table", "transaction"):
        error = raised(lambda name=name: COMMON[name][1](session))

        assert isinstance(error.__cause__, ClientError), name
        assert error.__cause__.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_all_frames_are_shown_where_they_are_asked_for(
    session: Session, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, "full")

    with pytest.raises(NoSuchItem) as caught:
        session.get_one(Song, ("x", "y"))

    assert {"run", "_steps", "get_one"} <= {*engine_frames(caught.value)}
    paths = {str(each.path).rpartition("/")[2] for each in caught.traceback.filter(caught)}
    assert "driver.py" in paths


def test_frames_of_the_program_stay_wherever_they_are(
    session: Session, client: Any, table_prefix: str
):
    def hook(song: Any) -> None:
        look_up(song)

    def look_up(song: Any) -> None:
        session.get_one(Song, ("no", "body"))

    with Session(client=client, table_prefix=table_prefix, after_load=hook) as other:
        error = raised(lambda: other.query(Song).where(Song.artist == "a").all())

    names = [each.name for each in traceback.extract_tb(error.__traceback__)]
    assert names.index("hook") < names.index("look_up")


def test_an_error_that_is_not_the_librarys_own_keeps_all_frames(client: Any):
    def hook(song: Any) -> None:
        raise ZeroDivisionError

    with Session(client=client, before_save=hook) as session:
        error = raised(lambda: session.save(Song("a", "b")))

    assert isinstance(error, ZeroDivisionError)
    assert {"run", "_steps", "save"} <= {*engine_frames(error)}


READS: dict[str, Callable[[Session, type[Any]], Any]] = {
    "get": lambda s, cls: s.get(cls, ("a", "odd")),
    "query": lambda s, cls: s.query(cls).where(cls.artist == "a", cls.title == "odd").all(),
    "loop": lambda s, cls: list(s.query(cls).where(cls.artist == "a", cls.title == "odd")),
    "mapper": lambda s, cls: default.load(
        {"artist": {"S": "a"}, "title": {"S": "odd"}, "kind": {"S": "odd"}}, cls
    ),
}  # fmt: skip


@pytest.mark.parametrize("cls", [Validated, Converted, Checked])
@pytest.mark.parametrize("name", READS)
def test_an_error_of_the_programs_code_is_shown_once(
    name: str, cls: type[Any], session: Session, monkeypatch: pytest.MonkeyPatch
):
    """The mapper tries again to say what is wrong: each try calls that code, and one of them is shown."""
    session.save(cls("a", "odd", "odd"))
    monkeypatch.setattr(f"{__name__}.strict", [True])

    error = raised(lambda: READS[name](session, cls))

    assert [type(each) for each in chain(error)] == [MappingError, Unknown, KeyError]
    assert [each.__context__ for each in chain(error)[2:]] == [None]
    if name != "mapper":
        assert all(engine_frames(each) == [] for each in chain(error)[1:])
        # (From 3.13 on, a call of several lines is underlined in each.)
        assert len("".join(traceback.format_exception(error)).splitlines()) < 60


def test_an_error_of_a_hook_that_writes_is_shown_once():
    def write(kind: Kind) -> str:
        return look_up("odd")

    mapper = Mapper()
    mapper.register_unstructure_hook(Kind, write)
    mapper.register_structure_hook(Kind, lambda text, _: look_up(text))

    for call in (
        lambda: mapper.dump(Piece(Kind())),
        lambda: mapper.unstructure(Piece(Kind())),
        lambda: mapper.load({"kind": {"S": "odd"}}, Piece),
        lambda: mapper.structure({"kind": "odd"}, Piece),
    ):
        error = raised(call)

        assert [type(each) for each in chain(error)] == [MappingError, Unknown, KeyError]
        assert chain(error)[2].__context__ is None


def test_what_was_being_handled_stays_the_context(session: Session):
    def handling() -> None:
        try:
            {}["mine"]
        except LookupError:
            session.get_one(Song, ("x", "y"))

    error = raised(handling)

    assert isinstance(error.__context__, LookupError)
    assert not error.__suppress_context__


def test_the_traceback_of_what_was_being_handled_is_left_alone(session: Session, client: Any):
    def handling() -> None:
        try:
            client.get_item(TableName="nowhere", Key={})
        except ClientError as error:
            before.append(traceback.extract_tb(error.__traceback__))
            session.insert(Song("a", "b"))

    before: list[traceback.StackSummary] = []
    error: BaseException | None = raised(handling)

    assert len(before[0]) > 2
    while error is not None and traceback.extract_tb(error.__traceback__) != before[0]:
        error = error.__cause__ or error.__context__
    assert isinstance(error, ClientError)


def test_awaited_errors_are_as_short(
    session: Session, client_arguments: dict[str, Any], table_prefix: str
):
    aiobotocore = pytest.importorskip("aiobotocore.session")
    from dynattrs.aio import AsyncSession

    options = {name: value for name, value in client_arguments.items() if name != "config"}
    making = aiobotocore.get_session()

    async def main() -> list[BaseException]:
        found = []
        async with (
            making.create_client("dynamodb", **options) as client,
            AsyncSession(client=client, table_prefix=table_prefix) as session,
        ):
            for call in (
                lambda: session.get_one(Song, ("x", "y")),
                lambda: session.query(Song).where(Song.plays > 3).all(),
                lambda: session.query(Lost).where(Lost.id == "x").all(),
                lambda: iterated(session.query(Lost).where(Lost.id == "x")),
                lambda: iterated(session.query(Song).where(Song.plays > 3)),
            ):
                try:
                    await call()
                except Exception as error:
                    found.append(error)
        return found

    async def iterated(query: Any) -> None:
        async for _ in query:
            pass

    errors = asyncio.run(main())

    assert [type(each) for each in errors] == [
        NoSuchItem,
        NoIndex,
        NoSuchTable,
        NoSuchTable,
        NoIndex,
    ]
    for error in errors:
        assert len(engine_frames(error)) <= 5
        assert all(engine_frames(each) == [] for each in chain(error)[1:])


# --- Without an engine ------------------------------------------------------------------------------


def test_a_declaration_that_is_refused_shows_where_it_stands():
    def declaring() -> None:
        @model("songs")
        class Wrong:
            id: int | float = partition_key()

    error = raised(declaring)

    assert isinstance(error, ModelError)
    assert engine_frames(error) == ["decorate"]


def test_a_session_without_a_region_shows_no_search_for_one(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)

    error = raised(Session)

    assert isinstance(error, ConfigurationError)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert "NoRegionError" in text
    assert "botocore/" not in text


def test_an_engine_that_does_not_run_is_a_few_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    with Session(region_name="us-east-1", endpoint_url="http://127.0.0.1:1") as session:
        error = raised(lambda: session.get(Song, ("a", "b")))

    assert isinstance(error, ConnectionFailed)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert "Connection refused" in text
    assert "urllib3/" not in text
    assert len(text.splitlines()) < 40
