"""A session's own behaviour, with an engine inside the process: blocks, pairing, arguments, close."""

from __future__ import annotations

import contextlib
import gc
import inspect
import pickle
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dynattrs import (
    MappingError,
    ModelError,
    Session,
    SessionClosed,
    UnsentWrites,
    model,
    partition_key,
)
from dynattrs.session import Block


@model("notes")
class Note:
    id: str = partition_key()
    text: str = ""


@model("nowhere")
class Lost:
    id: str = partition_key()


@pytest.fixture
def session() -> Iterator[Session]:
    pytest.importorskip("ministack", reason="pip install 'dynattrs[local]'")
    session = Session.local()
    session.tables.create(Note)
    yield session
    session.close()


def ids(session: Any) -> set[str]:
    return {note.id for note in session.scan(Note).consistent()}


def in_a_block(session: Session, *objects: Any, then: BaseException | None = None) -> None:
    with session as s:
        for each in objects:
            s.save(each)
        if then is not None:
            raise then


# --- Blocks ---------------------------------------------------------------------------------------


def test_outside_a_block_every_write_is_sent_at_once(session: Session):
    session.save(Note("a"))

    assert ids(session) == {"a"}
    assert session.stats.requests["PutItem"] == 1


def test_a_block_stores_what_was_saved_when_it_has_ended(session: Session):
    with session as s:
        s.save(Note("a"))
        assert ids(session) == set()

    assert ids(session) == {"a"}


def test_a_block_binds_its_handle_and_not_the_session(session: Session):
    with session as s:
        assert isinstance(s, Block)
        session.save(Note("at once"))

        assert ids(session) == {"at once"}


def test_blocks_nest_independently(session: Session):
    with session as outer:
        outer.save(Note("outer"))
        with session as inner:
            inner.save(Note("inner"))
        assert ids(session) == {"inner"}
    assert ids(session) == {"inner", "outer"}


def test_two_blocks_in_one_with_statement(session: Session):
    with session as one, session as two:
        one.save(Note("one"))
        two.save(Note("two"))

        assert one is not two
    assert ids(session) == {"one", "two"}


def test_an_exit_stack_pairs_blocks_that_interleave(session: Session):
    """On 3.10 `ExitStack` looks up `__exit__` before `__enter__`."""
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    a = first.enter_context(session)
    b = second.enter_context(session)
    a.save(Note("a"))
    b.save(Note("b"))

    first.close()
    assert ids(session) == {"a"}
    second.close()
    assert ids(session) == {"a", "b"}


def test_with_statements_around_an_exit_stack_keep_their_own_blocks(session: Session):
    stack = contextlib.ExitStack()
    with session as outer:
        kept = stack.enter_context(session)
        outer.save(Note("outer"))
        kept.save(Note("kept"))
    assert ids(session) == {"outer"}
    stack.close()
    assert ids(session) == {"outer", "kept"}


def test_enter_and_exit_called_by_hand(session: Session):
    handle = session.__enter__()
    handle.save(Note("a"))
    session.__exit__(None, None, None)

    assert ids(session) == {"a"}


def test_enter_and_exit_called_by_hand_from_different_functions(session: Session):
    """As a test case's setUp and tearDown do."""

    def set_up() -> Block:
        return session.__enter__()

    def tear_down() -> None:
        session.__exit__(None, None, None)

    set_up().save(Note("a"))
    with session as s:
        s.save(Note("b"))
    assert ids(session) == {"b"}
    tear_down()
    assert ids(session) == {"a", "b"}


def test_exit_by_hand_without_a_block_is_refused(session: Session):
    with pytest.raises(SessionClosed):
        session.__exit__(None, None, None)


def test_looking_for_the_methods_disturbs_no_block(session: Session):
    """`hasattr` in frameworks, autospec, a debugger."""
    assert hasattr(session, "__exit__")
    with session as one:
        assert hasattr(session, "__enter__")
        with session as two:
            assert hasattr(Session, "__exit__")
            two.save(Note("two"))
        assert ids(session) == {"two"}
        one.save(Note("one"))
    assert ids(session) == {"one", "two"}


def test_generators_that_interleave_keep_their_own_blocks(session: Session):
    def writer(name: str) -> Iterator[None]:
        with session as s:
            s.save(Note(f"{name}1"))
            yield
            s.save(Note(f"{name}2"))

    a, b = writer("a"), writer("b")
    next(a)
    next(b)

    assert list(a) == []
    assert ids(session) == {"a1", "a2"}
    assert list(b) == []
    assert ids(session) == {"a1", "a2", "b1", "b2"}


def test_a_generator_may_be_closed_in_another_thread(session: Session):
    def writer() -> Iterator[None]:
        with session as s:
            s.save(Note("a"))
            yield

    generator = writer()
    next(generator)
    with session as s:
        s.save(Note("b"))
        other = threading.Thread(target=lambda: list(generator))
        other.start()
        other.join()
        assert ids(session) == {"a"}
    assert ids(session) == {"a", "b"}


def test_blocks_of_many_threads_do_not_mix(session: Session):
    wrong = []

    def work(name: str) -> None:
        for number in range(10):
            with session as s:
                s.save(Note(f"{name}-{number}", name))
            if session.get(Note, f"{name}-{number}", consistent=True) != Note(
                f"{name}-{number}", name
            ):
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(f"{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert len(ids(session)) == 80


def test_an_exception_stores_what_was_saved_before_it_and_is_let_through(session: Session):
    with pytest.raises(ZeroDivisionError):
        in_a_block(session, Note("a"), then=ZeroDivisionError())

    assert ids(session) == {"a"}


def test_a_mapping_error_is_raised_at_save_and_takes_nothing_along(session: Session):
    with pytest.raises(MappingError, match=r"Note\.text"):
        in_a_block(session, Note("a"), Note("b", 3))  # type: ignore[arg-type]

    assert ids(session) == {"a"}


def test_the_state_at_save_is_what_is_stored(session: Session):
    note = Note("a", "before")
    with session as s:
        s.save(note)
        note.text = "after"

    assert session.get(Note, "a") == Note("a", "before")


def test_writes_that_fail_at_the_end_are_reported_with_the_very_objects(session: Session):
    lost = Lost("x")
    with pytest.raises(UnsentWrites) as caught:
        in_a_block(session, Note("a"), lost)

    assert caught.value.objects[0] is lost
    assert len(caught.value.unsent) == 1
    assert "table 'nowhere' does not exist" in str(caught.value)
    assert ids(session) == {"a"}


def test_unsent_writes_after_an_exception_are_raised_from_it(session: Session):
    with pytest.raises(UnsentWrites) as caught:
        in_a_block(session, Lost("x"), then=ZeroDivisionError())

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_sends_nothing_new_and_reports(
    session: Session, interruption: type[BaseException], caplog: pytest.LogCaptureFixture
):
    note = Note("a")
    with pytest.raises(interruption) as caught:
        in_a_block(session, note, then=interruption())

    assert ids(session) == set()
    report = caught.value.__context__
    assert isinstance(report, UnsentWrites)
    assert report.objects[0] is note
    assert "1 write was not stored" in caplog.text


def test_a_generator_that_is_dropped_sends_nothing_and_reports(
    session: Session, caplog: pytest.LogCaptureFixture
):
    def writer() -> Iterator[None]:
        with session as s:
            s.save(Note("a"))
            yield

    generator = writer()
    next(generator)
    del generator
    gc.collect()

    assert ids(session) == set()
    assert "1 write was not stored" in caplog.text


def test_discard_drops_what_is_gathered(session: Session):
    note = Note("a")
    with session as s:
        s.save(note)
        assert s.discard()[0] is note

    assert ids(session) == set()


def test_flush_sends_what_is_gathered(session: Session):
    with session as s:
        s.save(Note("a"))
        s.flush()
        assert ids(session) == {"a"}


def test_flush_and_discard_outside_a_block_have_nothing_to_do(session: Session):
    session.flush()

    assert session.discard() == []


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s.save(Note("a")),
        lambda s: s.save_all([Note("a")]),
        lambda s: s.insert(Note("a")),
        lambda s: s.delete(Note, "a"),
        lambda s: s.get(Note, "a"),
        lambda s: s.get_one(Note, "a"),
        lambda s: s.exists(Note, "a"),
        lambda s: s.refresh(Note("a")),
        lambda s: s.flush(),
        lambda s: s.scan(Note).all(),
        lambda s: s.tables.exists(Note),
    ],
)
def test_a_handle_is_of_no_use_after_its_block_nor_a_session_after_close(
    session: Session, use: Any
):
    with session as s:
        pass
    with pytest.raises(SessionClosed, match="block of this handle has ended"):
        use(s)
    session.close()
    with pytest.raises(SessionClosed, match="this session is closed"):
        use(session)


def test_a_closed_session_opens_no_block(session: Session):
    session.close()

    with pytest.raises(SessionClosed), session:
        pass


def test_close_refuses_while_a_block_is_open_and_loses_nothing(session: Session):
    with session as s:
        s.save(Note("a"))
        with pytest.raises(SessionClosed):
            session.close()

    assert ids(session) == {"a"}


def test_close_with_an_open_block_says_what_to_do(session: Session):
    with session, pytest.raises(SessionClosed, match="a block of this session is still open"):
        session.close()


def test_closing_twice_is_fine(session: Session):
    session.close()
    session.close()


# --- The client -----------------------------------------------------------------------------------


def client(**more: Any) -> Any:
    arguments = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client("dynamodb", **{**arguments, **more})


class Closable:
    """Tells whether a client was closed, and nothing else."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Maker:
    """What a session asks of a boto3 session."""

    def __init__(self) -> None:
        self.client_made = Closable()
        self.asked: tuple[Any, ...] = ()

    def client(self, *names: str, **options: Any) -> Closable:
        self.asked = (names, options)
        return self.client_made


def test_a_client_that_was_handed_in_is_used_as_it_is_and_not_closed():
    own = Closable()
    session = Session(client=own)  # type: ignore[arg-type]

    session.close()

    assert session.client is own  # type: ignore[comparison-overlap]
    assert own.closed == 0


def test_a_client_that_the_session_made_is_closed_with_it_once():
    maker = Maker()
    session = Session(boto3_session=maker, region_name="eu-west-1", endpoint_url="http://x")

    session.close()
    session.close()

    assert maker.client_made.closed == 1
    assert maker.asked == (
        ("dynamodb",),
        {"region_name": "eu-west-1", "endpoint_url": "http://x", "config": None},
    )


def test_a_session_takes_region_endpoint_and_configuration_as_boto3_does():
    from botocore.config import Config

    session = Session(
        region_name="eu-north-1",
        endpoint_url="http://127.0.0.1:9",
        config=Config(user_agent_extra="me"),
    )

    assert session.client.meta.region_name == "eu-north-1"
    assert session.client.meta.endpoint_url == "http://127.0.0.1:9"
    assert "me" in session.client.meta.config.user_agent_extra
    session.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"region_name": "eu-west-1", "endpoint_url": "http://x", "client": Closable()},
            "client is given, so region_name, endpoint_url would be ignored",
        ),
        (
            {"boto3_session": Maker(), "profile_name": "work"},
            "boto3_session is given, so profile_name would be ignored",
        ),
        ({"client": Closable(), "concurrency": 0}, "concurrency=0: a positive int is expected"),
        ({"client": Closable(), "deadline": 60}, "deadline=60: a timedelta is expected"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments: dict[str, Any], message: str):
    with pytest.raises(ModelError) as caught:
        Session(**arguments)

    assert message in str(caught.value)


def test_a_deadline_is_a_timedelta():
    Session(client=Closable(), deadline=timedelta(seconds=1)).close()  # type: ignore[arg-type]


# --- save_all outside a block ---------------------------------------------------------------------


def test_save_all_reports_every_object_that_is_not_stored_in_one_error(session: Session):
    """Some fail while later ones are still being gathered, some at the end."""
    lost = [Lost(f"{n}") for n in range(200)]

    with pytest.raises(UnsentWrites) as caught:
        session.save_all(lost)

    taken = {id(each) for each in caught.value.objects}
    assert len(taken) == len(caught.value.unsent)
    assert taken >= {id(each) for each in lost[:25]}
    # It stops reading when it knows; what it took until then is all in the error.
    assert taken == {id(each) for each in lost[: len(taken)]}


def test_save_all_sends_nothing_new_after_an_interruption(session: Session):
    def interrupted() -> Iterator[Note]:
        yield Note("a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.save_all(interrupted())

    assert ids(session) == set()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Note, r"an object is saved, not its class; write Note\(\.\.\.\)"),
        ("text", "str: an object of a model is expected, found str 'text'"),
        (None, "an object of a model is expected, found NoneType None"),
    ],
)
def test_saving_what_is_no_object_of_a_model_says_what_was_expected(
    session: Session, wrong: Any, message: str
):
    with pytest.raises(ModelError, match=message):
        session.save(wrong)


def test_a_query_that_was_not_asked_has_no_truth_value(session: Session):
    """A trap: `if session.query(...)` would always be true."""
    with pytest.raises(TypeError, match=r"use first\(\), one\(\), all\(\) or count\(\)"):
        bool(session.query(Note))


def test_a_verb_can_be_looked_up_and_called_on_the_class(session: Session):
    assert str(inspect.signature(Session.get)).endswith("-> 'M | None'")
    assert Session.exists(session, Note, "nobody") is False


def test_pickling_a_session_is_refused_with_what_to_do(session: Session):
    with pytest.raises(TypeError, match="make a Session in each process"):
        pickle.dumps(session)


def test_a_client_that_the_session_makes_keeps_a_connection_for_each_batch_in_flight():
    def connections(**options: Any) -> int:
        session = Session(region_name="us-east-1", endpoint_url="http://127.0.0.1:9", **options)
        found = session.client.meta.config.max_pool_connections
        session.close()
        return found

    assert connections() == 10
    assert connections(concurrency=32) == 36
    assert connections(concurrency=32, config=Config(read_timeout=3)) == 36
    assert connections(concurrency=32, config=Config(max_pool_connections=5)) == 5
