"""KeyboardInterrupt at any step of ours: what was saved is stored or reported.

The engine answers in the process, where botocore would send. The threads that send batches run on.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from dynattrs import (
    Progress,
    Session,
    TransactionError,
    UnsentWrites,
    add,
    model,
    partition_key,
)
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.writing import reports
from dynattrs.operations.writing.buffer import Buffer, Write, write_by_key
from dynattrs.session.driver import Driver
from interruptions import OURS, InterruptAt, dropped, reported


@model("notes")
class Note:
    id: int = partition_key()
    seen: int = 0


class Engine:
    """Stores what BatchWriteItem and PutItem put."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
        )
        self.client.meta.events.register("before-send.dynamodb", self._answer)
        self.stored: set[int] = set()

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        body = json.loads(request.body)
        if "RequestItems" in body:
            items = [each["PutRequest"]["Item"] for each in body["RequestItems"]["notes"]]
        else:
            items = [body["Item"]]
        self.stored.update(int(item["id"]["N"]) for item in items)
        response = AWSResponse(request.url, 200, {}, None)
        response._content = b"{}"
        return response


def in_a_batch(session: Session, taken: set[int]) -> None:
    with session.batch() as batch:
        for number in range(60):
            batch.save(Note(number))
            taken.add(number)


def by_save_all(session: Session, taken: set[int]) -> None:
    def notes() -> Any:
        for number in range(140):
            yield Note(number)
            taken.add(number)  # the next one is asked for: this one was taken

    session.save_all(notes())


def steps_of(program: Callable[[Session, set[int]], None], engine: Engine, session: Session) -> int:
    counter = InterruptAt(-1)
    with counter:
        program(session, set())
    engine.stored.clear()
    return -1 - counter.left


@pytest.mark.parametrize("program", [in_a_batch, by_save_all])
def test_wherever_it_is_interrupted_every_save_that_returned_is_accounted_for(
    program: Callable[[Session, set[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[UnsentWrites] = []
    monkeypatch.setattr(
        reports._log,
        "error",
        lambda message, *arguments: logged.extend(arguments),
    )
    lost = dropped(monkeypatch)
    engine = Engine()
    session = Session(client=engine.client)
    for _ in range(20):  # until classes are made and code is generated, which are steps too
        program(session, set())
    steps = steps_of(program, engine, session)
    assert steps > 350
    interrupted = 0
    # Every step of the last saves and of the end; of the rest, which repeats itself, some.
    for step in [*range(1, steps - 300, 23), *range(max(1, steps - 300), steps + 1)]:
        taken: set[int] = set()
        engine.stored.clear()
        logged.clear()
        lost.clear()
        error: BaseException | None = None
        interruption = InterruptAt(step)
        try:
            with interruption:
                program(session, taken)
        except (KeyboardInterrupt, UnsentWrites) as caught:
            error = caught
        except TypeError as caught:
            # CPython makes it of some interruptions where a `with` statement is being left.
            if "'traceback' object is not callable" not in str(caught):
                raise
            lost.append(KeyboardInterrupt)
        # How often threads are waited for, and so the number of steps, is not always the same.
        if interruption.struck and KeyboardInterrupt not in lost:
            assert isinstance(error, KeyboardInterrupt), step
            interrupted += 1
        known = engine.stored | reported(error)
        if not taken <= known:
            # Interrupted where its end was about to begin: the batch is still open, and says so when
            # it goes.
            error = None
            session._batches.clear()
            gc.collect()
            known |= engine.stored | {note.id for each in logged for note in each.objects}
        assert taken <= known, (step, sorted(taken - known))
        session._batches.clear()
    assert interrupted > 150
    session.close()
    engine.client.close()


def failing_in_a_handler(session: Session, taken: set[int]) -> None:
    try:
        raise LookupError("the cache is down")  # noqa: TRY301
    except LookupError:
        with session.batch() as batch:
            for number in range(30):
                batch.save(Note(number))
                taken.add(number)
            raise ValueError("the body has failed") from None


def by_save_all_in_a_handler(session: Session, taken: set[int]) -> None:
    try:
        raise LookupError("the cache is down")
    finally:
        by_save_all(session, taken)


def named_by_causes(error: BaseException | None) -> set[int]:
    named: set[int] = set()
    while error is not None:
        if isinstance(error, UnsentWrites):
            named |= {note.id for note in error.objects}
        error = error.__cause__
    return named


@pytest.mark.parametrize("program", [failing_in_a_handler, by_save_all_in_a_handler])
def test_what_is_interrupted_in_a_handler_has_the_report_as_its_cause(
    program: Callable[[Session, set[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports._log, "error", lambda *_: None)
    lost = dropped(monkeypatch)
    engine = Engine()
    session = Session(client=engine.client)
    # All: CPython makes a TypeError of some interruptions where a `with` statement is being left.
    own = (KeyboardInterrupt, Exception)
    counter = InterruptAt(-1)
    for _ in range(2):
        with contextlib.suppress(*own), counter:
            program(session, set())
    interrupted = 0
    steps = (-1 - counter.left) // 2
    for step in range(steps // 3, steps + 1, 3):
        taken: set[int] = set()
        engine.stored.clear()
        lost.clear()
        error: BaseException | None = None
        try:
            with InterruptAt(step):
                program(session, taken)
        except own as caught:
            error = caught
        unsent = taken - engine.stored
        # A batch whose end had not begun says so when it goes.
        if KeyboardInterrupt not in lost and not session._batches:
            assert unsent <= named_by_causes(error), (step, unsent - named_by_causes(error))
            interrupted += bool(unsent)
        session._batches.clear()
    assert interrupted > 40
    session.close()
    engine.client.close()


# --- Progress ------------------------------------------------------------------------------------


def write(number: int) -> Write:
    return write_by_key("notes", {"id": {"N": str(number)}}, {}, 10, Note(number), "save")


@pytest.mark.parametrize("keys", [range(20), [0, 1, 0, 2, 0, 0, 1] * 3], ids=["all", "some twice"])
def test_what_is_taken_is_counted_once_wherever_an_interruption_strikes(keys: Any) -> None:
    heard: list[Progress] = []

    def buffer_of() -> Buffer:
        buffer = Buffer(heard.append)
        buffer.coming += map(write, keys)
        return buffer

    counter = InterruptAt(-1)
    with counter:
        buffer_of().last_place()
    interrupted = 0
    for step in range(1, -counter.left):
        buffer = buffer_of()
        interruption = InterruptAt(step)
        try:
            with interruption:
                buffer.last_place()
        except KeyboardInterrupt:
            interrupted += 1
        buffer._report()

        assert heard[-1].taken == len(keys)
        assert heard[-1].replaced == len(keys) - len(set(keys))
        places = sorted(each.place for each in buffer._every())
        assert len(set(places)) == len(set(keys))
    assert interrupted


@pytest.mark.parametrize("wanted", [False, True], ids=["no hook", "a hook"])
@pytest.mark.parametrize("listened", [False, True], ids=["in silence", "with progress"])
def test_what_is_stored_is_not_given_up_wherever_an_interruption_strikes(
    listened: bool, wanted: bool
) -> None:
    """`send` gives up what is in flight when an interruption reaches it."""
    told: list[int] = []
    heard: list[Progress] = []

    def in_flight() -> tuple[Buffer, list[Write]]:
        told.clear()
        buffer = Buffer(heard.append if listened else None)
        for number in range(5):
            each = write(number)
            if listened:
                each.acknowledged = functools.partial(told.append, number)
            buffer.add(each)
        return buffer, buffer.take(whole=False)

    def acknowledge(step: int) -> tuple[Buffer, BaseException | None]:
        buffer, batch = in_flight()
        try:
            with interrupting(step):
                buffer.acknowledge(batch, 1.0, wanted=wanted)
        except KeyboardInterrupt as error:
            buffer.fail(batch, error)
            return buffer, error
        return buffer, None

    def interrupting(step: int) -> InterruptAt:
        nonlocal interruption
        interruption = InterruptAt(step)
        return interruption

    interruption = InterruptAt(-1)
    acknowledge(-1)
    outcomes: set[int] = set()
    for step in range(1, -interruption.left):
        buffer, error = acknowledge(step)
        failed = buffer.failures()
        saved, _, given_up = buffer.take_counts()

        assert saved + given_up == 5, step
        assert len(failed) == given_up == (0 if saved else 5), step
        assert not len(buffer), step
        flushed = buffer.ledger.take_objects()
        assert flushed is None if not (wanted or failed) else flushed is not None
        if flushed is not None:
            assert len(flushed.saved) == saved * wanted, step
        if listened:
            assert set(told) == set(range(saved)), step
            assert (heard[-1].stored, heard[-1].failed) == (saved, given_up), step
        if error is not None:
            outcomes.add(saved)
    assert outcomes == {0, 5}


# --- Transactions --------------------------------------------------------------------------------


def test_an_error_that_an_interruption_has_overtaken_is_not_thrown_later() -> None:
    """It strikes when a call has failed, just before the flow is told of that."""
    asked: list[Call] = []

    class Line:
        def call(self, call: Call) -> str:
            asked.append(call)
            if len(asked) == 1:
                raise TransactionError("no")
            return "answer"

    def flow() -> Flow[str]:
        try:
            yield Call("get_item", {})
        except KeyboardInterrupt:
            answer: str = yield Call("get_item", {})
            return answer
        return "not interrupted"

    def strike(frame: Any, event: str, argument: object) -> Any:
        stepping = frame.f_code is Driver._steps.__code__ and event == "line"
        if stepping and asked and frame.f_locals["thrown"]:
            sys.settrace(None)
            raise KeyboardInterrupt
        return strike

    wire: Any = None
    line: Any = Line()
    driver = Driver(wire, 1, line)
    before = sys.gettrace()
    sys.settrace(strike)
    try:
        found = driver.run(flow())
    finally:
        sys.settrace(before)
    assert found == "answer"


def test_a_transaction_whose_end_was_not_called_is_open_no_longer_than_it_lives() -> None:
    """Where an interruption strikes as its `with` statement is being left, or entered."""
    engine = Engine()
    session = Session(client=engine.client)
    transaction: Any = session.transaction()
    transaction.__enter__()
    with pytest.raises(TransactionError):
        session.save(Note(1))

    transaction.update(Note, 1, add(Note.seen, 1))  # which keeps a function that refers to it
    del transaction

    with session.transaction():  # another one, which ends as usual
        pass
    session.save(Note(1))
    assert engine.stored == {1}
    assert not session._core.transactions
    session.close()
    engine.client.close()


# --- What CPython makes of loops in `with` blocks ------------------------------------------------


def chooses(loop: ast.AST) -> bool:
    """Whether the end of a loop may be a jump of a condition."""
    if isinstance(loop, (ast.ListComp, ast.SetComp, ast.DictComp)):
        return any(each.ifs for each in loop.generators)
    if isinstance(loop, (ast.For, ast.AsyncFor)):
        return any(isinstance(each, (ast.If, ast.Try, ast.While)) for each in ast.walk(loop))
    return isinstance(loop, ast.While)


def loops_of(node: ast.AST) -> Iterator[ast.AST]:
    """The loops that a statement runs in its own frame."""
    if chooses(node):
        yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.Lambda, ast.GeneratorExp, ast.ClassDef)):
            yield from loops_of(child)


def is_lock(context: ast.expr) -> bool:
    return ast.unparse(context).rpartition(".")[2] in {"_lock", "lock", "_reporting"}


@pytest.mark.parametrize(
    "file", sorted(Path(OURS).rglob("*.py")), ids=lambda file: str(file.relative_to(OURS))
)
def test_no_loop_that_chooses_is_run_in_a_frame_that_holds_a_lock(file: Path) -> None:
    """From 3.12 on an interruption at its end would leave the lock held: python/cpython#108214."""
    found = [
        loop.lineno
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.With) and any(is_lock(item.context_expr) for item in node.items)
        for statement in node.body
        for loop in loops_of(statement)
    ]

    assert found == []
