"""The buffer of a batch and the flows around it, stepped by hand."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from dynattrs import (
    AccessDenied,
    ConditionFailed,
    ConnectionFailed,
    DynattrsError,
    InvalidRequest,
    NoSuchTable,
    OutcomeUnknown,
    ServiceError,
    ServiceUnavailable,
    SessionClosed,
    Throttled,
    UnsentWrites,
)
from dynattrs.models.hooks import Flushed, SessionHooks
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Environment, Flow, Pause, Start, Wait, WaitFor
from dynattrs.operations.item_keys import identity
from dynattrs.operations.writing import batch, beside
from dynattrs.operations.writing.buffer import Buffer, Write, write_by_key

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def core(clock: Callable[[], float] = lambda: 0.0, *, concurrency: int = 4) -> Core:
    environment = Environment(clock, lambda: 0.5, lambda: NOON)
    return Core(environment, timedelta(seconds=60), concurrency)


def put(id_: str, value: str = "", *, table: str = "notes", size: int = 10) -> Write:
    item = {"id": {"S": id_}, "value": {"S": value}}
    key = {"id": {"S": id_}}
    return write_by_key(table, key, {"PutRequest": {"Item": item}}, size, f"{id_}{value}", "save")


def delete(id_: str, *, table: str = "notes") -> Write:
    key = {"id": {"S": id_}}
    return write_by_key(table, key, {"DeleteRequest": {"Key": key}}, 10, ("Note", id_), "delete")


def sent(*writes: Write) -> Call:
    """The call that sends these writes, all of one table."""
    return Call(
        "batch_write_item", {"RequestItems": {writes[0].table: [w.request for w in writes]}}
    )


def unprocessed(*writes: Write) -> dict[str, Any]:
    return {"UnprocessedItems": {writes[0].table: [w.request for w in writes]}}


def finish(flow: Flow[Any], outcome: Any = None) -> Any:
    """Send the last outcome to a flow that must end now; its result."""
    with pytest.raises(StopIteration) as stop:
        flow.send(outcome)
    return stop.value.value


def buffer_with(*writes: Write) -> Buffer:
    buffer = Buffer()
    for write in writes:
        buffer.add(write)
    return buffer


class Finished:
    """A task that has run."""

    def __init__(self, *, done: bool = True) -> None:
        self._done = done

    def done(self) -> bool:
        return self._done

    def cancel(self) -> bool:
        return False


# --- Gathering ------------------------------------------------------------------------------------


def gather_all(core: Core, buffer: Buffer, writes: list[Write]) -> list[Flow[Any]]:
    """Gather writes, with a driver that starts tasks and never runs them; the flows to run."""
    started = []
    for write in writes:
        for effect in (flow := batch.gather(core, buffer, write)):
            assert isinstance(effect, Start)
            started.append(effect.flow)
            with pytest.raises(StopIteration):
                flow.send(Finished())
            break
    return started


def test_nothing_is_sent_before_the_twenty_fifth_write():
    buffer = Buffer()

    assert gather_all(core(), buffer, [put(str(n)) for n in range(24)]) == []
    assert len(buffer) == 24


def test_the_twenty_fifth_write_starts_a_batch_beside_the_caller():
    writes = [put(str(n)) for n in range(25)]
    buffer = Buffer()

    [task] = gather_all(core(), buffer, writes)

    assert next(task) == sent(*writes)
    finish(task, {})
    assert len(buffer) == 0


def test_a_batch_takes_writes_of_several_tables():
    writes = [put(str(n), table="ab"[n % 2]) for n in range(25)]

    [task] = gather_all(core(), Buffer(), writes)

    items = next(task).parameters["RequestItems"]
    assert {table: len(requests) for table, requests in items.items()} == {"a": 13, "b": 12}


def test_no_batch_exceeds_sixteen_megabytes():
    writes = [put(str(n), size=900 * 1024) for n in range(25)]

    [task] = gather_all(core(), Buffer(), writes)

    assert next(task) == sent(*writes[:18])


def test_the_last_write_to_a_key_wins():
    buffer = buffer_with(put("a", "1"), put("b"), put("a", "2"))

    flow = batch.flush(core(), buffer)

    assert next(flow) == sent(put("a", "2"), put("b"))


def test_a_delete_after_a_put_is_what_remains():
    flow = batch.flush(core(), buffer_with(put("a"), delete("a")))

    assert next(flow) == sent(delete("a"))


def test_the_same_key_in_two_tables_is_two_keys():
    assert len(buffer_with(put("a", table="one"), put("a", table="two"))) == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"N": "1"}, {"N": "1.0"}, True),
        ({"N": "1"}, {"N": "10E-1"}, True),
        ({"N": "0"}, {"N": "-0"}, True),
        ({"N": "1"}, {"S": "1"}, False),
        ({"S": "1"}, {"S": "1.0"}, False),
        ({"B": b"x"}, {"B": bytearray(b"x")}, True),
        ({"B": b"x"}, {"S": "x"}, False),
        (
            {"N": "12345678901234567890123456789012345678"},
            {"N": "12345678901234567890123456789012345679"},
            False,
        ),
    ],
)
def test_keys_are_folded_as_the_service_compares_them(one: Any, other: Any, *, same: bool):
    assert (identity("t", {"id": one}) == identity("t", {"id": other})) is same


def test_the_order_of_key_attributes_does_not_matter():
    a, b = {"S": "x"}, {"N": "1"}

    assert identity("t", {"p": a, "s": b}) == identity("t", {"s": b, "p": a})


def test_a_key_that_is_written_all_the_time_does_not_fall_behind():
    buffer = buffer_with(put("hot", "1"))
    for number in range(30):
        buffer.add(put(str(number)))
        buffer.add(put("hot", str(number)))

    assert buffer.take(whole=True)[0].obj == "hot29"


def test_a_key_in_flight_waits_for_its_turn():
    buffer = buffer_with(put("a", "1"))
    first = batch.flush(core(), buffer)
    assert next(first) == sent(put("a", "1"))

    buffer.add(put("a", "2"))

    assert buffer.take(whole=False) == []
    finish(first, {})
    assert [write.obj for write in buffer.take(whole=False)] == ["a2"]


def test_gathering_waits_while_as_many_batches_are_in_flight_as_are_allowed():
    """So memory stays bounded: the caller of `save` waits."""
    own = core(concurrency=2)
    buffer = Buffer()
    running = [Finished(done=False), Finished(done=False)]
    for task in running:
        buffer.began(task)
    for number in range(24):
        assert list(batch.gather(own, buffer, put(str(number)))) == []

    flow = batch.gather(own, buffer, put("24"))

    assert next(flow) == Wait(running[0])
    running[0]._done = True
    assert isinstance(next(flow), Start)
    finish(flow, Finished())


def test_an_interruption_while_waiting_for_room_loses_no_write():
    buffer = Buffer()
    buffer.began(Finished(done=False))
    for number in range(24):
        list(batch.gather(core(concurrency=1), buffer, put(str(number))))
    flow = batch.gather(core(concurrency=1), buffer, put("24"))
    assert isinstance(next(flow), Wait)

    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())

    assert len(buffer.drain(KeyboardInterrupt())) == 25


def test_a_batch_that_cannot_be_started_is_reported():
    """A closed pool of threads, an interpreter that is shutting down."""
    buffer = Buffer()
    for number in range(24):
        list(batch.gather(core(), buffer, put(str(number))))
    flow = batch.gather(core(), buffer, put("24"))
    assert isinstance(next(flow), Start)

    with pytest.raises(RuntimeError):
        flow.throw(RuntimeError("no threads"))

    with pytest.raises(UnsentWrites) as caught:
        list(batch.flush(core(), buffer))
    assert len(caught.value.objects) == 25


def test_after_a_failure_the_next_write_raises_and_is_among_the_unsent():
    buffer = buffer_with(put("a"))
    buffer.fail(buffer.take(whole=False), ServiceError("BatchWriteItem", "Odd", "no"))

    with pytest.raises(UnsentWrites) as caught:
        next(batch.gather(core(), buffer, put("b")))

    assert caught.value.objects == ["a", "b"]
    assert isinstance(caught.value.__cause__, ServiceError)
    assert len(buffer) == 0


OWN = [
    InvalidRequest("BatchWriteItem", "ValidationException", "no"),
    ConditionFailed("PutItem", "Note", "a", "version"),
    OutcomeUnknown("PutItem", "Note", "a"),
]


@pytest.mark.parametrize("cause", OWN, ids=lambda cause: type(cause).__name__)
def test_going_on_means_past_failures_that_say_nothing_of_other_writes(cause: Exception):
    buffer = buffer_with(put("a"))
    buffer.fail(buffer.take(whole=False), cause)

    assert list(batch.gather(core(), buffer, put("b"), going_on=True)) == []

    flow = batch.flush(core(), buffer)
    assert next(flow) == sent(put("b"))
    with pytest.raises(UnsentWrites) as caught:
        flow.send({})
    assert caught.value.objects == ["a"]


def test_nobody_goes_on_where_no_other_write_could_succeed():
    buffer = buffer_with(put("a"), put("b"))
    first, second = buffer.take(whole=False)
    buffer.fail([first], OWN[0])
    buffer.fail([second], NoSuchTable("BatchWriteItem", "ResourceNotFoundException", "no"))

    with pytest.raises(UnsentWrites) as caught:
        next(batch.gather(core(), buffer, put("c"), going_on=True))

    assert caught.value.objects == ["a", "b", "c"]
    assert isinstance(caught.value.__cause__, NoSuchTable)
    assert list(batch.gather(core(), buffer, put("d"), going_on=True)) == []


def test_nobody_goes_on_after_a_thousand_failures():
    """They are kept in memory, with their objects."""
    buffer = Buffer()
    for number in range(1000):
        assert list(batch.gather(core(), buffer, put(str(number)), going_on=True)) == []
        buffer.fail(buffer.take(whole=False), OWN[0])

    with pytest.raises(UnsentWrites) as caught:
        next(batch.gather(core(), buffer, put("one more"), going_on=True))

    assert len(caught.value.objects) == 1001


def test_a_write_of_its_own_request_stops_too_where_there_is_no_hope():
    buffer = buffer_with(put("a"))
    buffer.fail(buffer.take(whole=False), Throttled("PutItem", "Throttling", "no"))

    with pytest.raises(UnsentWrites) as caught:
        next(beside.gather_alone(core(), buffer, put("b"), lambda: iter(())))

    assert caught.value.objects == ["a", "b"]


def test_a_flush_waits_for_a_key_that_is_written_again_meanwhile():
    """Else it would return with the key neither sent nor waited for."""
    buffer = buffer_with(put("a", "1"))
    last = buffer.last_place()
    buffer.add(put("a", "2"))
    buffer.add(put("b"))

    assert buffer.outstanding(last)
    buffer.acknowledge(buffer.take(whole=False)[:1], 0.0)
    assert not buffer.outstanding(last)


def test_a_sealed_buffer_takes_nothing():
    """A thread that saves while the batch ends is told, rather than losing its write."""
    buffer = Buffer()
    buffer.seal()

    with pytest.raises(SessionClosed, match="this batch has ended"):
        next(batch.gather(core(), buffer, put("a")))


# --- Sending again --------------------------------------------------------------------------------


def test_unprocessed_writes_are_sent_again_after_a_pause():
    flow = batch.flush(core(), buffer_with(put("a"), put("b")))

    assert next(flow) == sent(put("a"), put("b"))
    assert flow.send(unprocessed(put("b"))) == Pause(0.5 * 0.05)
    assert next(flow) == sent(put("b"))
    finish(flow, {})


def test_unprocessed_deletes_are_sent_again():
    flow = batch.flush(core(), buffer_with(delete("a"), put("b")))
    next(flow)

    assert isinstance(flow.send(unprocessed(delete("a"))), Pause)
    assert next(flow) == sent(delete("a"))


def test_pauses_grow_while_nothing_is_acknowledged_and_start_over_after_an_acknowledgement():
    writes = [put("a"), put("b"), put("c")]
    flow = batch.flush(core(), buffer_with(*writes))
    next(flow)
    pauses = []
    for left in (writes, writes, writes, writes[1:], writes[1:], writes[2:]):
        pauses.append(flow.send(unprocessed(*left)).seconds)
        next(flow)

    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.025, 0.05, 0.025])


@pytest.mark.parametrize(
    "error",
    [
        Throttled("BatchWriteItem", "ThrottlingException", "slow down"),
        ServiceUnavailable("BatchWriteItem", "InternalServerError", "oops"),
        ConnectionFailed("BatchWriteItem", "connection lost"),
        ServiceError("BatchWriteItem", "ReplicatedWriteConflictException", "other region"),
    ],
)
def test_passing_faults_of_whole_calls_are_retried(error: Exception):
    flow = batch.flush(core(), buffer_with(put("a")))
    next(flow)

    assert isinstance(flow.throw(error), Pause)
    assert next(flow) == sent(put("a"))
    finish(flow, {})


def test_unprocessed_keys_are_recognised_when_the_service_writes_the_number_differently():
    write = write_by_key(
        "n", {"id": {"N": "1.0"}}, {"PutRequest": {"Item": {"id": {"N": "1.0"}}}}, 9, 1, "save"
    )
    other = write_by_key(
        "n", {"id": {"N": "2"}}, {"PutRequest": {"Item": {"id": {"N": "2"}}}}, 9, 2, "save"
    )
    flow = batch.flush(core(), buffer_with(write, other))
    next(flow)

    flow.send({"UnprocessedItems": {"n": [{"PutRequest": {"Item": {"id": {"N": "1"}}}}]}})

    assert next(flow).parameters["RequestItems"] == {"n": [write.request]}


def test_what_cannot_be_told_apart_is_all_sent_again():
    """A table named by its ARN in the reply, say. Puts and deletes are safe to repeat."""
    flow = batch.flush(core(), buffer_with(put("a"), put("b")))
    next(flow)

    assert isinstance(flow.send({"UnprocessedItems": {"arn:x": [put("b").request]}}), Pause)
    assert next(flow) == sent(put("a"), put("b"))


def test_an_object_settles_when_the_service_has_said_yes_and_not_before():
    settled: list[str] = []
    first, second = put("a"), put("b")
    first.acknowledged = lambda: settled.append("a")
    second.acknowledged = lambda: settled.append("b")
    flow = batch.flush(core(), buffer_with(first, second))

    next(flow)
    assert settled == []
    flow.send(unprocessed(put("b")))
    assert settled == ["a"]
    next(flow)
    finish(flow, {})
    assert settled == ["a", "b"]


def test_after_the_deadline_without_any_acknowledgement_the_objects_are_reported():
    clock = Clock()
    flow = batch.flush(core(clock), buffer_with(put("a"), put("b")))
    next(flow)
    flow.send(unprocessed(put("a"), put("b")))
    next(flow)
    clock.seconds = 59.9
    assert isinstance(flow.send(unprocessed(put("a"), put("b"))), Pause)
    next(flow)
    clock.seconds = 60.0

    with pytest.raises(UnsentWrites) as caught:
        flow.send(unprocessed(put("a"), put("b")))

    assert caught.value.objects == ["a", "b"]
    assert all(isinstance(entry.cause, Throttled) for entry in caught.value.unsent)
    assert "2 writes were left unprocessed" in str(caught.value)


def test_an_acknowledgement_of_another_batch_puts_the_deadline_off():
    clock = Clock()
    own, buffer = core(clock), buffer_with(put("a"))
    flow = batch.send(own, buffer, buffer.take(whole=False))
    next(flow)
    buffer.add(put("b"))
    clock.seconds = 30.0
    buffer.acknowledge(buffer.take(whole=False), clock())
    clock.seconds = 80.0

    assert isinstance(flow.send(unprocessed(put("a"))), Pause)


def test_progress_puts_the_deadline_off():
    clock = Clock()
    writes = [put(str(n)) for n in range(5)]
    flow = batch.flush(core(clock), buffer_with(*writes))
    next(flow)
    for done in range(1, 5):
        clock.seconds += 50
        assert isinstance(flow.send(unprocessed(*writes[done:])), Pause)
        next(flow)
    finish(flow, {})


def test_the_cause_of_a_whole_call_that_kept_failing_is_the_services_error():
    clock = Clock()
    flow = batch.flush(core(clock), buffer_with(put("a")))
    next(flow)
    clock.seconds = 100
    error = ConnectionFailed("BatchWriteItem", "no route")

    with pytest.raises(UnsentWrites) as caught:
        flow.throw(error)

    assert caught.value.unsent[0].cause is error
    assert caught.value.__cause__ is error


# --- Refusals -------------------------------------------------------------------------------------


def drive(flow: Flow[Any], answer: Callable[[Call], Any]) -> Any:
    """Run a flow with answers to its calls; tasks run at once."""
    outcome: Any = None
    try:
        effect = next(flow)
        while True:
            try:
                outcome = perform(effect, answer)
            except BaseException as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(outcome)
    except StopIteration as stop:
        return stop.value


def perform(effect: Any, answer: Callable[[Call], Any]) -> Any:
    if isinstance(effect, Call):
        return answer(effect)
    if isinstance(effect, Start):
        drive(effect.flow, answer)
        return Finished()
    assert isinstance(effect, (Pause, Wait))
    return None


class Store:
    """Answers BatchWriteItem: refuses bad items, missing tables and forbidden ones."""

    def __init__(self) -> None:
        self.stored: set[tuple[str, str]] = set()
        self.calls = 0

    def __call__(self, call: Call) -> dict[str, Any]:
        self.calls += 1
        items = call.parameters["RequestItems"]
        assert 1 <= sum(map(len, items.values())) <= 25
        for table in items:
            if table == "missing":
                raise NoSuchTable("BatchWriteItem", "ResourceNotFoundException", "gone", None)
            if table == "forbidden":
                raise AccessDenied("BatchWriteItem", "AccessDeniedException", "no", None)
        puts = [
            (table, request["PutRequest"]["Item"])
            for table, requests in items.items()
            for request in requests
        ]
        if any(item["value"]["S"] == "bad" for _, item in puts):
            raise InvalidRequest("BatchWriteItem", "ValidationException", "bad item", None)
        self.stored |= {(table, item["id"]["S"]) for table, item in puts}
        return {}


@pytest.mark.parametrize("culprits", [{0}, {24}, {3, 17}, set(range(25))])
def test_an_invalid_batch_is_split_until_the_culprits_are_found(culprits: set[int]):
    store = Store()
    writes = [put(str(n), "bad" if n in culprits else "") for n in range(25)]

    with pytest.raises(UnsentWrites) as caught:
        drive(batch.flush(core(), buffer_with(*writes)), store)

    assert caught.value.objects == [writes[n].obj for n in sorted(culprits)]
    assert {id_ for _, id_ in store.stored} == {str(n) for n in range(25) if n not in culprits}
    assert all(isinstance(entry.cause, InvalidRequest) for entry in caught.value.unsent)


def test_finding_one_culprit_costs_few_requests():
    store = Store()
    writes = [put(str(n), "bad" if n == 13 else "") for n in range(25)]

    with pytest.raises(UnsentWrites):
        drive(batch.flush(core(), buffer_with(*writes)), store)

    assert store.calls <= 11


@pytest.mark.parametrize(
    ("table", "cause"), [("missing", NoSuchTable), ("forbidden", AccessDenied)]
)
def test_one_table_that_refuses_does_not_take_the_others_along(table: str, cause: type[Exception]):
    store = Store()
    writes = [put(str(n), table=name) for n in range(5) for name in ("notes", table, "songs")]

    with pytest.raises(UnsentWrites) as caught:
        drive(batch.flush(core(), buffer_with(*writes)), store)

    assert len(store.stored) == 10
    assert [entry.object for entry in caught.value.unsent] == [
        w.obj for w in writes if w.table == table
    ]
    assert all(isinstance(entry.cause, cause) for entry in caught.value.unsent)
    assert store.calls == 4  # not one for each item


def test_an_unknown_refusal_fails_its_batch_and_no_other():
    store = Store()
    refused = iter([True, False, False])

    def answer(call: Call) -> Any:
        if next(refused):
            raise ServiceError("BatchWriteItem", "NewException", "?", None)
        return store(call)

    with pytest.raises(UnsentWrites) as caught:
        drive(batch.flush(core(), buffer_with(*(put(str(n)) for n in range(60)))), answer)

    assert len(caught.value.objects) == 25
    assert len(store.stored) == 35


def test_an_error_that_is_not_the_services_is_a_cause_as_well():
    """A botocore event hook of the user's that raises: its objects must not vanish."""

    def answer(call: Call) -> Any:
        raise ZeroDivisionError("in somebody's hook")

    with pytest.raises(UnsentWrites) as caught:
        drive(batch.flush(core(), buffer_with(put("a"))), answer)

    assert caught.value.objects == ["a"]
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


# --- Flushing -------------------------------------------------------------------------------------


def test_flushing_nothing_asks_nothing():
    assert list(batch.flush(core(), Buffer())) == []


def test_a_flush_of_more_than_a_batch_starts_tasks_and_waits_for_them():
    buffer = buffer_with(*(put(str(n)) for n in range(30)))
    flow = batch.flush(core(), buffer)

    start = next(flow)
    assert isinstance(start, Start)
    running = Finished(done=False)
    assert isinstance(flow.send(running), Start)
    drive(start.flow, lambda call: {})
    running._done = True


def test_a_flush_waits_for_what_another_thread_is_sending():
    """Read your writes: the other thread's request may not have arrived yet."""
    buffer = buffer_with(put("a"))
    theirs = core()
    theirs.environment = attrs.evolve(theirs.environment, caller=lambda: "another")
    other = batch.flush(theirs, buffer)
    next(other)

    flow = batch.flush(core(), buffer)

    assert isinstance(next(flow), WaitFor)
    finish(other, {})
    finish(flow)


def test_what_is_called_while_a_batch_is_sent_cannot_wait_for_it():
    """`on_progress` and listeners run in the flow that sends: they would wait for themselves."""
    buffer = buffer_with(put("a"))
    flow = batch.flush(core(), buffer)
    next(flow)

    with pytest.raises(DynattrsError, match="wait for the batch"):
        next(batch.flush(core(), buffer))
    for number in range(30):
        finish(batch.gather(core(), buffer, put(f"b{number}")), None)

    finish(flow, {})
    assert len(buffer) == 30


def test_an_interruption_between_the_parts_of_a_split_batch_leaves_nothing_in_flight():
    """What is in flight and nobody sends would be waited for without an end."""
    buffer = buffer_with(put("a"), put("b"), put("c"), put("d"))
    flow = batch.flush(core(), buffer)
    next(flow)
    flow.throw(InvalidRequest("BatchWriteItem", "ValidationException", "no"))

    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())

    assert len(buffer) == 0
    assert [each.object for each in buffer.failures()] == ["a", "b", "c", "d"]


def test_a_progress_callback_that_exits_leaves_nothing_in_flight():
    buffer = Buffer(lambda progress: sys.exit())
    first, second = put("a"), put("b")
    buffer.add(first)
    buffer.add(second)
    flow = batch.flush(core(), buffer)
    next(flow)

    with pytest.raises(SystemExit):
        flow.send(unprocessed(second))

    assert len(buffer) == 0
    assert [each.object for each in buffer.failures()] == ["b"]


def test_waiting_for_a_key_sends_what_is_pending_for_it():
    write = put("a")
    buffer = buffer_with(write)

    flow = beside.await_key(core(), buffer, write.identity)

    assert next(flow) == sent(write)
    finish(flow, {})


def test_a_flush_does_not_wait_for_what_is_written_after_it_began():
    """Otherwise it would never end while other threads keep writing."""
    buffer = buffer_with(put("a"))
    flow = batch.flush(core(), buffer)
    next(flow)

    buffer.add(put("b"))

    finish(flow, {})
    assert buffer.holds(identity("notes", {"id": {"S": "b"}}))


def test_discard_drops_what_is_pending_and_names_it():
    buffer = buffer_with(put("a"), put("b"))

    assert [write.object for write in buffer.discard()] == ["a", "b"]
    assert list(batch.flush(core(), buffer)) == []


REFUSAL = ServiceError("BatchWriteItem", "Odd", "no")


def test_a_write_that_failed_is_not_named_where_a_newer_one_of_its_key_is_stored():
    """A flush waits for the newer one, because that decides."""
    buffer = buffer_with(put("a", "1"))
    flow = batch.flush(core(), buffer)
    next(flow)
    buffer.add(put("a", "2"))

    assert flow.throw(REFUSAL) == sent(put("a", "2"))
    finish(flow, {})

    assert buffer.failures() == []


def test_all_writes_of_a_key_that_failed_are_named_in_order():
    buffer = buffer_with(put("a", "1"))
    flow = batch.flush(core(), buffer)
    next(flow)
    buffer.add(put("a", "2"))
    flow.throw(REFUSAL)

    with pytest.raises(UnsentWrites) as caught:
        flow.throw(REFUSAL)

    assert caught.value.objects == ["a1", "a2"]
    assert not caught.value.superseded


def test_an_error_for_others_says_what_was_replaced():
    buffer = buffer_with(put("a", "1"), put("b", "1"))
    flow = batch.flush(core(), buffer)
    next(flow)
    buffer.add(put("a", "2"))
    flow.throw(REFUSAL)

    with pytest.raises(UnsentWrites, match="1 besides, which newer writes") as caught:
        flow.send({})

    assert caught.value.objects == ["b1"]
    assert [each.object for each in caught.value.superseded] == ["a1"]


def test_a_save_does_not_raise_for_what_a_newer_write_may_still_replace():
    buffer = buffer_with(put("a", "1"))
    flight = batch.send(core(), buffer, buffer.take(whole=False))
    next(flight)
    buffer.add(put("a", "2"))
    with pytest.raises(StopIteration):
        flight.throw(REFUSAL)

    assert not batch.hold(core(), buffer, put("b", "1"))


def test_a_conflict_is_named_although_a_newer_write_is_stored():
    """Another writer's item was not looked at: to save the object again would be refused again."""
    buffer = buffer_with(put("a", "1"))
    first = buffer.take(whole=False)
    buffer.add(put("a", "2"))
    buffer.fail(first, ConditionFailed("PutItem", {"id": "a"}, "v = 1", None))

    buffer.acknowledge(buffer.take(whole=False), 1.0)

    assert [each.object for each in buffer.failures()] == ["a1"]


def test_hooks_hear_of_what_was_replaced():
    told: list[Flushed] = []
    own = attrs.evolve(core(), hooks=SessionHooks(after_flush=(told.append,)))
    buffer = buffer_with(put("a", "1"))
    flow = batch.flush(own, buffer)
    next(flow)
    buffer.add(put("a", "2"))
    flow.throw(REFUSAL)
    finish(flow, {})

    assert told[0].saved == ("a2",)
    assert not told[0].failed
    assert [each.object for each in told[0].superseded] == ["a1"]


# --- The end of a batch ---------------------------------------------------------------------------


def test_the_end_of_a_batch_sends_all_that_was_taken():
    store = Store()
    buffer = buffer_with(*(put(str(n)) for n in range(60)))

    drive(batch.end(core(), buffer, None), store)

    assert len(store.stored) == 60
    with pytest.raises(SessionClosed):
        buffer.add(put("late"))


def test_after_an_exception_what_was_saved_before_is_stored():
    store = Store()

    drive(batch.end(core(), buffer_with(put("a")), ValueError("mine")), store)

    assert store.stored == {("notes", "a")}


def test_unsent_writes_at_the_end_come_from_the_exception_that_ended_the_batch():
    mine = ValueError("mine")

    with pytest.raises(UnsentWrites) as caught:
        drive(batch.end(core(), buffer_with(put("a", "bad")), mine), Store())

    assert caught.value.__cause__ is mine
    assert isinstance(caught.value.unsent[0].cause, InvalidRequest)


def test_one_error_carries_what_failed_before_and_at_the_end_of_a_batch():
    buffer = buffer_with(put("a"))
    buffer.fail(buffer.take(whole=False), ServiceError("BatchWriteItem", "Odd", "no"))
    with pytest.raises(UnsentWrites) as first:
        next(batch.gather(core(), buffer, put("b")))
    buffer.add(put("c", "bad"))

    with pytest.raises(UnsentWrites) as caught:
        drive(batch.end(core(), buffer, first.value), Store())

    assert caught.value.objects == ["a", "b", "cbad"]


@pytest.mark.parametrize("more", [False, True])
def test_what_was_replaced_since_a_save_raised_is_not_named_at_the_end(more: bool):
    buffer = buffer_with(put("a", "1"), put("b", "1"))
    buffer.fail(buffer.take(whole=False), REFUSAL)
    with pytest.raises(UnsentWrites) as first:
        next(batch.gather(core(), buffer, put("c")))
    buffer.add(put("a", "2"))
    if more:
        buffer.add(put("d", "bad"))

    with pytest.raises(UnsentWrites) as caught:
        drive(batch.end(core(), buffer, first.value), Store())

    assert caught.value.objects == ["b1", "c", *["dbad"] * more]
    assert [each.object for each in caught.value.superseded] == ["a1"]
    assert caught.value.__cause__ is first.value


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_after_an_interruption_nothing_is_sent_and_all_is_reported(
    interruption: type[BaseException], caplog: pytest.LogCaptureFixture
):
    error = interruption()

    assert list(batch.end(core(), buffer_with(put("a"), put("b")), error)) == []

    report = error.__context__
    assert isinstance(report, UnsentWrites)
    assert report.objects == ["a", "b"]
    assert all(entry.cause is error for entry in report.unsent)
    assert "2 writes were not stored" in caplog.text


def test_the_report_of_an_interruption_goes_to_the_end_of_its_context():
    error, earlier = KeyboardInterrupt(), ValueError("being handled")
    error.__context__ = earlier

    list(batch.end(core(), buffer_with(put("a")), error))

    assert error.__context__ is earlier
    assert isinstance(earlier.__context__, UnsentWrites)


def test_an_interruption_waits_for_the_batches_in_flight_and_sends_no_queued_one():
    buffer = buffer_with(*(put(str(n)) for n in range(60)))
    own = core()
    in_flight = batch.send(own, buffer, buffer.take(whole=True))
    next(in_flight)
    queued = batch.send(own, buffer, buffer.take(whole=True))
    tasks = [Finished(done=False), Finished(done=False)]
    for task in tasks:
        buffer.began(task)

    error = KeyboardInterrupt()
    flow = batch.end(own, buffer, error)
    assert next(flow) == Wait(tasks[0])
    finish(in_flight, {})
    tasks[0]._done = True
    assert flow.send(None) == Wait(tasks[1])
    finish(queued)  # without a call
    tasks[1]._done = True
    finish(flow)

    report = error.__context__
    assert isinstance(report, UnsentWrites)
    assert report.objects == [str(n) for n in range(25, 60)]


def test_a_retry_stops_after_an_interruption():
    buffer = buffer_with(put("a"))
    flow = batch.send(core(), buffer, buffer.take(whole=False))
    next(flow)
    buffer.abandoned = KeyboardInterrupt()

    finish(flow, unprocessed(put("a")))

    assert [entry.object for entry in buffer.failures()] == ["a"]


def test_an_interruption_while_the_batch_ends_reports_what_is_unsent():
    store = Store()
    calls = itertools.count()

    def answer(call: Call) -> Any:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return store(call)

    with pytest.raises(KeyboardInterrupt) as caught:
        drive(batch.end(core(), buffer_with(*(put(str(n)) for n in range(60))), None), answer)

    report = caught.value.__context__
    assert isinstance(report, UnsentWrites)
    assert report.objects == [str(n) for n in range(25, 60)]


def test_a_driver_that_fails_at_the_end_reports_the_objects():
    buffer = buffer_with(*(put(str(n)) for n in range(30)))
    flow = batch.end(core(), buffer, None)
    assert isinstance(next(flow), Start)

    with pytest.raises(UnsentWrites) as caught:
        flow.throw(SessionClosed())

    assert len(caught.value.objects) == 30


@pytest.mark.parametrize(
    "last",
    [
        Throttled("BatchWriteItem", "ThrottlingException", "slowly"),
        AccessDenied("BatchWriteItem", "ExpiredTokenException", "expired"),
        unprocessed(put("a"), delete("b")),
    ],
)
def test_a_lost_reply_is_not_forgotten_by_what_came_after_it(last: Any):
    clock = Clock()
    buffer = buffer_with(put("a"), delete("b"))
    flow = batch.send(core(clock), buffer, buffer.take(whole=False))
    next(flow)

    assert isinstance(flow.throw(ConnectionFailed("BatchWriteItem", "lost")), Pause)
    next(flow)
    clock.seconds = 61
    with pytest.raises(StopIteration):
        flow.send(last) if isinstance(last, dict) else flow.throw(last)

    assert [getattr(each.cause, "uncertain", None) for each in buffer.failures()] == [True, True]
