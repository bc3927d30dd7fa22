"""KeyboardInterrupt at any step of ours: what was saved is stored or reported.

The engine answers in the process, where botocore would send. A trace function raises where the n-th
function of dynattrs begins, or generator goes on, in the main thread: there Python looks for signals
(and at jumps back). The threads that send batches run on.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

import dynattrs
from dynattrs import Session, UnsentWrites, model, partition_key
from interruptions import InterruptAt, reported


@model("notes")
class Note:
    id: int = partition_key()


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


def in_a_block(session: Session, taken: set[int]) -> None:
    with session as s:
        for number in range(60):
            s.save(Note(number))
            taken.add(number)


def by_save_all(session: Session, taken: set[int]) -> None:
    def notes() -> Any:
        for number in range(60):
            yield Note(number)
            taken.add(number)  # the next one is asked for: this one was taken

    session.save_all(notes())


def steps_of(program: Callable[[Session, set[int]], None], engine: Engine, session: Session) -> int:
    counter = InterruptAt(-1)
    with counter:
        program(session, set())
    engine.stored.clear()
    return -1 - counter.left


# Where Python itself drops an exception (a generator that is closed, a weak reference's callback), it
# drops this one too, and the program goes on.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("program", [in_a_block, by_save_all])
def test_wherever_it_is_interrupted_every_save_that_returned_is_accounted_for(
    program: Callable[[Session, set[int]], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[UnsentWrites] = []
    monkeypatch.setattr(
        dynattrs.operations.batch._log,
        "error",
        lambda message, *arguments: logged.extend(arguments),
    )
    engine = Engine()
    session = Session(client=engine.client)
    program(session, set())
    steps = steps_of(program, engine, session)
    assert steps > 350
    interrupted = 0
    # Every step of the last saves and of the end; of the rest, which repeats itself, some.
    for step in [*range(1, steps - 300, 23), *range(max(1, steps - 300), steps + 1)]:
        taken: set[int] = set()
        engine.stored.clear()
        logged.clear()
        error: BaseException | None = None
        try:
            with InterruptAt(step):
                program(session, taken)
        except (KeyboardInterrupt, UnsentWrites) as caught:
            error = caught
            interrupted += 1
        except TypeError as artefact:
            # What a trace function raises where one function calls another can damage the caller's
            # stack in CPython 3.11; a signal never strikes there.
            if "'traceback' object is not callable" not in str(artefact):
                raise
            session._blocks.clear()
            continue
        known = engine.stored | reported(error)
        if not taken <= known:
            # Interrupted where its end was about to begin: the block is still open, and says so when
            # it goes.
            error = None
            session._blocks.clear()
            gc.collect()
            known |= {note.id for each in logged for note in each.objects}
        assert taken <= known, (step, sorted(taken - known))
        session._blocks.clear()
    assert interrupted > 250
    session.close()
    engine.client.close()
