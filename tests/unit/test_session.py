"""A session's own behaviour, with an engine inside the process: batches, arguments, its life."""

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
    Batch,
    BatchClosed,
    MappingError,
    ModelError,
    Session,
    SessionClosed,
    TransactionError,
    UnsentWrites,
    model,
    partition_key,
)


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


def in_a_batch(session: Session, *objects: Any, then: BaseException | None = None) -> None:
    with session.batch() as batch:
        for each in objects:
            batch.save(each)
        if then is not None:
            raise then


# --- Batches --------------------------------------------------------------------------------------


def test_a_session_sends_every_write_at_once(session: Session):
    session.save(Note("a"))

    assert ids(session) == {"a"}
    assert session.stats.requests["PutItem"] == 1


def test_a_batch_stores_what_was_saved_when_it_has_ended(session: Session):
    with session.batch() as batch:
        batch.save(Note("a"))
        assert ids(session) == set()

    assert ids(session) == {"a"}


def test_a_session_beside_its_batch_writes_at_once(session: Session):
    with session.batch() as batch:
        assert isinstance(batch, Batch)
        session.save(Note("at once"))

        assert ids(session) == {"at once"}


def test_batches_nest_independently(session: Session):
    with session.batch() as outer:
        outer.save(Note("outer"))
        with session.batch() as inner:
            inner.save(Note("inner"))
        assert ids(session) == {"inner"}
    assert ids(session) == {"inner", "outer"}


def test_two_batches_in_one_with_statement(session: Session):
    with session.batch() as one, session.batch() as two:
        one.save(Note("one"))
        two.save(Note("two"))

        assert one is not two
    assert ids(session) == {"one", "two"}


def test_exit_stacks_may_interleave(session: Session):
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    a = first.enter_context(session.batch())
    b = second.enter_context(session.batch())
    a.save(Note("a"))
    b.save(Note("b"))

    first.close()
    assert ids(session) == {"a"}
    second.close()
    assert ids(session) == {"a", "b"}


def test_a_with_statement_around_an_exit_stack_ends_its_own_batch(session: Session):
    stack = contextlib.ExitStack()
    with session.batch() as outer:
        kept = stack.enter_context(session.batch())
        outer.save(Note("outer"))
        kept.save(Note("kept"))
    assert ids(session) == {"outer"}
    stack.close()
    assert ids(session) == {"outer", "kept"}


class Wrapper:
    """What a framework puts around a context manager: it hands both ends on."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __enter__(self) -> Any:
        return self.inner.__enter__()

    def __exit__(self, *error: object) -> Any:
        return self.inner.__exit__(*error)


def test_a_wrapper_that_hands_on_both_ends_ends_its_own_batch(session: Session):
    with Wrapper(session.batch()) as outer:
        outer.save(Note("outer"))
        with Wrapper(session.batch()) as inner, session.batch() as plain:
            inner.save(Note("inner"))
            plain.save(Note("plain"))
        assert ids(session) == {"inner", "plain"}
    assert ids(session) == {"outer", "inner", "plain"}


def test_a_batch_may_be_entered_and_left_by_hand_in_different_functions(session: Session):
    """As a test case's setUp and tearDown do."""
    batch = session.batch()

    def set_up() -> Batch:
        return batch.__enter__()

    def tear_down() -> None:
        batch.__exit__(None, None, None)

    set_up().save(Note("a"))
    with session.batch() as other:
        other.save(Note("b"))
    assert ids(session) == {"b"}
    tear_down()
    assert ids(session) == {"a", "b"}


def test_a_batch_that_was_not_entered_takes_nothing(session: Session):
    batch = session.batch()
    with pytest.raises(BatchClosed, match="has not begun"):
        batch.save(Note("a"))
    with pytest.raises(BatchClosed, match="has not begun"):
        batch.discard()
    with pytest.raises(BatchClosed, match="has not begun"):
        batch.__exit__(None, None, None)

    assert "BatchWriteItem" not in session.stats.requests
    session.close()  # a batch that has not begun is not in the way


def test_a_batch_is_entered_once(session: Session):
    with session.batch() as batch:
        batch.save(Note("a"))
        with pytest.raises(BatchClosed, match="was entered before"), batch:
            pass
        batch.save(Note("b"))
    with pytest.raises(BatchClosed, match="has ended"), batch:
        pass
    with pytest.raises(BatchClosed, match="has ended"):
        batch.__exit__(None, None, None)

    assert ids(session) == {"a", "b"}


def test_a_batch_reads_its_own_writes_and_not_those_of_another(session: Session):
    with session.batch() as one, session.batch() as other:
        one.save(Note("a"))

        assert other.get(Note, "a", consistent=True) is None
        assert one.get(Note, "a", consistent=True) == Note("a")
        assert other.get(Note, "a", consistent=True) == Note("a")


def test_each_batch_may_have_its_own_progress(session: Session):
    told: list[int] = []
    with session.batch(on_progress=lambda progress: told.append(progress.stored)) as batch:
        batch.save_all(map(Note, "abc"))
    with session.batch() as batch:
        batch.save(Note("d"))

    assert told == [3]


def test_a_batch_that_is_forgotten_is_reported_and_does_not_keep_the_session_open(
    session: Session, caplog: pytest.LogCaptureFixture
):
    session.batch().__enter__().save(Note("lost"))
    gc.collect()

    assert "a batch was never ended, and what it had gathered is lost" in caplog.text
    assert "1 write was not stored: save of a Note" in caplog.text
    session.close()


def test_generators_that_interleave_keep_their_own_batches(session: Session):
    def writer(name: str) -> Iterator[None]:
        with session.batch() as batch:
            batch.save(Note(f"{name}1"))
            yield
            batch.save(Note(f"{name}2"))

    a, b = writer("a"), writer("b")
    next(a)
    next(b)

    assert list(a) == []
    assert ids(session) == {"a1", "a2"}
    assert list(b) == []
    assert ids(session) == {"a1", "a2", "b1", "b2"}


def test_a_generator_may_be_closed_in_another_thread(session: Session):
    def writer() -> Iterator[None]:
        with session.batch() as batch:
            batch.save(Note("a"))
            yield

    generator = writer()
    next(generator)
    with session.batch() as batch:
        batch.save(Note("b"))
        other = threading.Thread(target=lambda: list(generator))
        other.start()
        other.join()
        assert ids(session) == {"a"}
    assert ids(session) == {"a", "b"}


def test_batches_of_many_threads_do_not_mix(session: Session):
    wrong = []

    def work(name: str) -> None:
        for number in range(10):
            with session.batch() as batch:
                batch.save(Note(f"{name}-{number}", name))
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
        in_a_batch(session, Note("a"), then=ZeroDivisionError())

    assert ids(session) == {"a"}


def test_a_mapping_error_is_raised_at_save_and_takes_nothing_along(session: Session):
    with pytest.raises(MappingError, match=r"Note\.text"):
        in_a_batch(session, Note("a"), Note("b", 3))  # type: ignore[arg-type]

    assert ids(session) == {"a"}


def test_the_state_at_save_is_what_is_stored(session: Session):
    note = Note("a", "before")
    with session.batch() as batch:
        batch.save(note)
        note.text = "after"

    assert session.get(Note, "a") == Note("a", "before")


def test_writes_that_fail_at_the_end_are_reported_with_the_very_objects(session: Session):
    lost = Lost("x")
    with pytest.raises(UnsentWrites) as caught:
        in_a_batch(session, Note("a"), lost)

    assert caught.value.objects[0] is lost
    assert len(caught.value.unsent) == 1
    assert "table 'nowhere' does not exist" in str(caught.value)
    assert ids(session) == {"a"}


def test_unsent_writes_after_an_exception_are_raised_from_it(session: Session):
    with pytest.raises(UnsentWrites) as caught:
        in_a_batch(session, Lost("x"), then=ZeroDivisionError())

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_sends_nothing_new_and_reports(
    session: Session, interruption: type[BaseException], caplog: pytest.LogCaptureFixture
):
    note = Note("a")
    with pytest.raises(interruption) as caught:
        in_a_batch(session, note, then=interruption())

    assert ids(session) == set()
    report = caught.value.__context__
    assert isinstance(report, UnsentWrites)
    assert report.objects[0] is note
    assert "1 write was not stored" in caplog.text


def test_a_generator_that_is_dropped_sends_nothing_and_reports(
    session: Session, caplog: pytest.LogCaptureFixture
):
    def writer() -> Iterator[None]:
        with session.batch() as batch:
            batch.save(Note("a"))
            yield

    generator = writer()
    next(generator)
    del generator
    gc.collect()

    assert ids(session) == set()
    assert "1 write was not stored" in caplog.text


def test_discard_drops_what_is_gathered(session: Session):
    note = Note("a")
    with session.batch() as batch:
        batch.save(note)
        assert batch.discard()[0].object is note

    assert ids(session) == set()


def test_flush_sends_what_is_gathered(session: Session):
    with session.batch() as batch:
        batch.save(Note("a"))
        batch.flush()
        assert ids(session) == {"a"}


@pytest.mark.parametrize("name", ["flush", "discard"])
def test_a_session_that_gathers_nothing_has_nothing_to_flush(session: Session, name: str):
    """In silence it would let old programs send one request for each item."""
    assert not hasattr(session, name)
    with pytest.raises(AttributeError, match=rf"session\.batch\(\) as batch.*batch\.{name}\(\)"):
        getattr(session, name)()
    with pytest.raises(AttributeError, match="'Session' object has no attribute 'nothing'"):
        session.nothing  # type: ignore[attr-defined]


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
        lambda s: s.scan(Note).all(),
        lambda s: s.tables.exists(Note),
    ],
)
def test_a_batch_is_of_no_use_after_its_end_nor_a_session_after_close(session: Session, use: Any):
    with session.batch() as batch:
        pass
    with pytest.raises(BatchClosed, match="this batch has ended"):
        use(batch)
    session.close()
    with pytest.raises(SessionClosed, match=r"this session is closed.*session\.batch\(\)"):
        use(session)


def test_flush_and_discard_belong_to_an_open_batch(session: Session):
    with session.batch() as batch:
        pass
    with pytest.raises(BatchClosed):
        batch.flush()
    with pytest.raises(BatchClosed):
        batch.discard()


def test_a_closed_session_makes_no_batch(session: Session):
    made = session.batch()
    session.close()

    with pytest.raises(SessionClosed):
        session.batch()
    with pytest.raises(SessionClosed, match="this session is closed"), made:
        pass


def test_a_with_statement_is_the_life_of_a_session(session: Session):
    with session as same:
        assert same is session
        session.save(Note("a"))
        assert ids(session) == {"a"}

    with pytest.raises(SessionClosed):
        session.save(Note("b"))


def test_a_session_that_is_entered_as_batches_once_were_says_what_to_write_now(session: Session):
    with session as s:
        s.save(Note("a"))
    with pytest.raises(SessionClosed, match=r"with session\.batch\(\) as batch"), session as s:
        s.save(Note("b"))


def test_an_exception_closes_the_session_and_is_let_through(session: Session):
    def program() -> None:
        with session, session.batch() as batch:
            batch.save(Note("a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        program()
    with pytest.raises(SessionClosed, match="this session is closed"):
        session.get(Note, "a")


def test_a_batch_reads_nothing_when_its_session_is_closed(session: Session):
    """An exception closes a session, also while a batch of it is open elsewhere."""

    def program(batch: Any) -> None:
        with session:
            batch.__enter__()
            raise ZeroDivisionError

    batch = session.batch()
    with pytest.raises(ZeroDivisionError):
        program(batch)

    with pytest.raises(SessionClosed, match="this session is closed"):
        batch.query(Note).where(Note.id == "a").all()


def test_close_refuses_while_a_batch_is_open_and_loses_nothing(session: Session):
    with session.batch() as batch:
        batch.save(Note("a"))
        with pytest.raises(SessionClosed):
            session.close()

    assert ids(session) == {"a"}


def test_close_with_an_open_batch_says_what_to_do(session: Session):
    message = r"a batch of this session is still open.*with session\.batch\(\) as batch"
    with session.batch(), pytest.raises(SessionClosed, match=message):
        session.close()


def test_a_session_is_not_left_before_its_batches_unless_by_an_exception(session: Session):
    stack = contextlib.ExitStack()
    with pytest.raises(SessionClosed, match="still open"), session:
        batch = stack.enter_context(session.batch())
        batch.save(Note("a"))
    stack.close()

    assert ids(session) == {"a"}


def test_a_batch_takes_no_write_inside_a_transaction(session: Session):
    """It would be stored also where the transaction fails."""
    with session.batch() as batch, session.transaction() as t:
        with pytest.raises(TransactionError, match="would not be part of it"):
            batch.save(Note("a"))
        t.save(Note("b"))

    assert ids(session) == {"b"}


def test_what_a_batch_still_holds_when_an_exception_closes_its_session_is_named(session: Session):
    note = Note("a")
    stack = contextlib.ExitStack()

    def program(batch: Batch) -> None:
        with session:
            stack.enter_context(batch).save(note)
            raise ZeroDivisionError

    batch = session.batch()
    with pytest.raises(ZeroDivisionError):
        program(batch)
    with pytest.raises(SessionClosed, match="this session is closed"):
        batch.save(Note("b"))
    asked = session.stats.total
    with pytest.raises(UnsentWrites) as caught:
        stack.close()
    assert caught.value.objects[0] is note
    assert type(caught.value.__cause__) is SessionClosed
    assert session.stats.total == asked


def test_nothing_is_sent_with_a_client_of_the_caller_after_its_session_is_closed(session: Session):
    """That client stays open, so the writes could be stored after the session's end."""
    stack = contextlib.ExitStack()
    with pytest.raises(ZeroDivisionError), Session(client=session.client) as other:
        batch = stack.enter_context(other.batch())
        for name in "abc":
            batch.save(Note(name))
        raise ZeroDivisionError

    with pytest.raises(UnsentWrites) as caught:
        stack.close()
    assert [each.id for each in caught.value.objects] == ["a", "b", "c"]
    assert ids(session) == set()


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


# --- save_all outside a batch ---------------------------------------------------------------------


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
        ([Note("a")], r"found list .*; give one object, or save several with save_all\(\.\.\.\)"),
        ({"id": "1"}, r"found dict .*; make one of it, such as Song\(\*\*values\)"),
    ],
)
def test_saving_what_is_no_object_of_a_model_says_what_was_expected(
    session: Session, wrong: Any, message: str
):
    with pytest.raises(ModelError, match=message):
        session.save(wrong)


def test_one_object_is_not_taken_for_several(session: Session):
    one: Any = Note("a")
    for wrong in (one, None):
        with pytest.raises(
            ModelError, match=r"save_all\(\) expects several objects, .* with save\("
        ):
            session.save_all(wrong)


def test_a_query_that_was_not_asked_has_no_truth_value(session: Session):
    """A trap: `if session.query(...)` would always be true."""
    with pytest.raises(TypeError, match=r"use first\(\), one\(\), all\(\) or count\(\)"):
        bool(session.query(Note))


def test_a_verb_can_be_looked_up_and_called_on_the_class(session: Session):
    assert str(inspect.signature(Session.refresh)).endswith("-> 'M'")
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
