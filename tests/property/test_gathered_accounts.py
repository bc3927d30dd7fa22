"""What errors name of gathered writes, in programs of saves, deletes and flushes on a few keys.

Every batch may be refused, throttled, left unprocessed or done without an answer, in any order with the
writes that follow. The laws: what an error names may be saved again. So no newer write of its key is
stored, or is on its way; and the newest write of each key is stored, or named. What is stored and named
all the same is named as uncertain, and repeating all that is named, in order, ends with it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynattrs import ConnectionFailed, ServiceError, Throttled, UnsentWrites, limits
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Start, Wait, WaitFor
from dynattrs.operations.writing import batch
from dynattrs.operations.writing.buffer import Buffer, write_by_key

KEYS = "abc"

#: The task that takes steps.
who: ContextVar[object] = ContextVar("who", default=None)


@attrs.frozen
class Object:
    key: str
    number: int


class Sending:
    """A batch on its way: it is answered when the program says, or when it is waited for."""

    def __init__(
        self, flow: Flow[Any], context: Context, start: Callable[[Flow[Any], Context], Sending]
    ) -> None:
        self.context = context
        self.flow = flow
        self.start = start
        self.effect: Any = None
        context.run(who.set, self)
        self.go_on(None)

    def go_on(self, outcome: object) -> None:
        act = self.flow.throw if isinstance(outcome, Exception) else self.flow.send
        try:
            self.effect = self.context.run(act, outcome)  # type: ignore[arg-type]
            while isinstance(self.effect, Start):
                started = self.start(self.effect.flow, self.context)
                self.effect = self.context.run(self.flow.send, started)
        except StopIteration:
            self.effect = None

    def done(self) -> bool:
        return self.effect is None

    def cancel(self) -> bool:
        return False


@attrs.define
class Program:
    """A buffer, what is stored, and how requests end that are not simply done."""

    faults: dict[int, str]
    parted: bool = False
    requests: int = 0
    #: A second for each request, so that patience ends.
    seconds: float = 0.0
    buffer: Buffer = attrs.field(factory=Buffer)
    stored: dict[str, int] = attrs.field(factory=dict)
    newest: dict[str, int] = attrs.field(factory=dict)
    named: dict[str, int] = attrs.field(factory=dict)
    uncertain: list[Object] = attrs.field(factory=list)
    tasks: list[Sending] = attrs.field(factory=list)
    numbers: int = 0
    core: Core = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        now = datetime(2026, 11, 27, tzinfo=timezone.utc)
        environment = Environment(
            lambda: self.seconds, lambda: 0.0, lambda: now, caller=who.get, cancellable=True
        )
        self.core = Core(environment, timedelta(seconds=2), 3)

    def write(self, key: str, action: str) -> None:
        self.numbers += 1
        at: dict[str, Any] = {"id": {"S": key}}
        if self.parted:  # all in one partition
            at = {"part": {"S": "p"}, **at}
        number = {"N": str(self.numbers)}
        request: Any = (
            {"PutRequest": {"Item": {**at, "number": number}}}
            if action == "save"
            else {"DeleteRequest": {"Key": at, "number": number}}
        )
        write = write_by_key("things", at, request, 10, Object(key, self.numbers), action)  # type: ignore[arg-type]
        self.newest[key] = self.numbers
        self.run(batch.gather(self.core, self.buffer, write))

    def run(self, flow: Flow[Any], body: BaseException | None = None) -> None:
        """What is raised, or was already, is what the program is told."""
        try:
            self.drive(flow)
        except UnsentWrites as error:
            body = error
        if isinstance(body, UnsentWrites):
            self.told(body)

    def drive(self, flow: Flow[Any]) -> None:
        try:
            effect = next(flow)
            while True:
                effect = flow.send(self.perform(effect))
        except StopIteration:
            pass

    def perform(self, effect: Any) -> Any:
        if isinstance(effect, Start):
            return self.start(effect.flow, copy_context())
        if isinstance(effect, Wait):
            self.answer(effect.task)  # type: ignore[arg-type]
        else:
            assert isinstance(effect, WaitFor)
            self.wait(effect)
        return None

    def start(self, flow: Flow[Any], context: Context) -> Sending:
        task = Sending(flow, context.copy(), self.start)
        self.tasks.append(task)
        return task

    def wait(self, effect: WaitFor) -> None:
        """Time passes, and whatever is on its way is answered."""
        for task in list(self.tasks):
            self.reply(task)
        if not effect.signal.given:
            self.seconds += effect.seconds
            for task in list(self.tasks):
                if isinstance(task.effect, (Pause, WaitFor)) and task.effect is not effect:
                    task.go_on(None)

    def answer(self, task: Sending) -> None:
        """What is left to do of a batch on its way."""
        while isinstance(task.effect, (Call, Pause, WaitFor)):
            if isinstance(task.effect, WaitFor):  # perhaps for the place of another one
                self.wait(task.effect)
                task.go_on(None)
            elif isinstance(task.effect, Pause):
                task.go_on(None)
            self.reply(task)

    def reply(self, task: Sending) -> None:
        if isinstance(task.effect, Call):
            self.requests += 1
            self.seconds += 1
            task.go_on(self.outcome(task.effect.parameters["RequestItems"]["things"]))

    def outcome(self, requests: list[Any]) -> Any:
        fault = self.faults.get(self.requests)
        if fault == "refused":
            return ServiceError("BatchWriteItem", "Odd", "no")
        if fault == "throttled":
            return Throttled("BatchWriteItem", "ThrottlingException", "slowly")
        if fault == "exceeded":
            code = "ProvisionedThroughputExceededException"
            return Throttled("BatchWriteItem", code, "slowly")
        if fault == "half":
            self.store(requests[:1])
            return {"UnprocessedItems": {"things": requests[1:]}}
        if fault == "lost":
            self.store(requests)
            return ConnectionFailed("BatchWriteItem", "no answer")
        if fault == "unprocessed":
            return {"UnprocessedItems": {"things": requests}}
        self.store(requests)
        if fault == "lost, then unprocessed":  # botocore itself has sent it again
            return {
                "UnprocessedItems": {"things": requests},
                "ResponseMetadata": {"Uncertain": True},
            }
        return {}

    def store(self, requests: list[Any]) -> None:
        for request in requests:
            item = request["PutRequest"]["Item"] if "PutRequest" in request else None
            deleted = request.get("DeleteRequest", {})
            key = (item or deleted["Key"])["id"]["S"]
            self.stored[key] = int((item or deleted)["number"]["N"])

    def told(self, error: UnsentWrites) -> None:
        on_its_way = {
            write.obj.key: write.obj.number
            for writes in self.buffer._places_of_writes()
            for write in writes.values()
        }
        # Also what an error before has said: what is raised again tells of older writes.
        self.uncertain += [
            write.object for write in error.unsent if getattr(write.cause, "uncertain", False)
        ]
        order: dict[str, int] = {}
        for write in error.unsent:
            assert order.get(write.object.key, 0) < write.object.number, "an older one comes later"
            order[write.object.key] = write.object.number
            each, stored = write.object, self.stored.get(write.object.key, 0)
            doubtful = Object(each.key, stored) in self.uncertain
            assert stored < each.number or doubtful, "it is stored, or a newer one is"
            assert on_its_way.get(each.key, 0) <= each.number, "a newer one is on its way"
            self.named[each.key] = max(self.named.get(each.key, 0), each.number)
        for superseded in error.superseded:
            assert self.stored[superseded.object.key] > superseded.object.number

    def check(self) -> None:
        for key, number in self.newest.items():
            assert number in (self.stored.get(key), self.named.get(key)), (key, number)


STEPS = st.one_of(
    st.tuples(st.sampled_from(["save", "save", "save", "delete"]), st.sampled_from(KEYS)),
    st.tuples(st.just("flush"), st.none()),
    st.tuples(st.just("answer"), st.integers(0, 8)),
    st.tuples(st.just("answer"), st.none()),
)

FAULTS = [
    "refused", "refused", "throttled", "exceeded", "lost", "unprocessed", "half", "lost, then unprocessed"
]  # fmt: skip


@given(
    steps=st.lists(STEPS, max_size=25),
    faults=st.dictionaries(st.integers(1, 8), st.sampled_from(FAULTS)),
    failing=st.booleans(),
    parted=st.booleans(),
)
@example(  # the one that is refused is newer than one that fails at the end
    steps=[("save", "c"), ("save", "a"), ("delete", "c"), ("answer", None), ("save", "c")],
    faults={
        1: "half",
        2: "throttled",
        3: "refused",
        4: "unprocessed",
        5: "throttled",
        6: "refused",
    },
    failing=True,
    parted=False,
)
@settings(max_examples=settings.default.max_examples * 20)  # each takes some milliseconds
def test_what_an_error_names_may_be_saved_again(
    steps: list[tuple[str, Any]], faults: dict[int, str], failing: bool, parted: bool
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "BATCH_WRITE_ITEMS", 2)
        program = Program(faults, parted)
        raised: UnsentWrites | None = None
        for name, argument in steps:
            if name == "flush":
                program.run(batch.flush(program.core, program.buffer))
            elif name == "answer":
                which = slice(argument, argument and argument + 1)
                for task in program.tasks[which]:  # also those that they start
                    program.answer(task)
            else:
                program.write(argument, name)
                raised = program.buffer.raised and program.buffer.raised.error
        # The body may have raised what a save has raised, or another error.
        body = (raised or ValueError("the body has failed")) if failing else None
        program.run(batch.end(program.core, program.buffer, body), body)
        program.check()
