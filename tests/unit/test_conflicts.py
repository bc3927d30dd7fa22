"""Single writes that meet somebody else's transaction, stepped by hand: no local engine has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionFailed,
    OutcomeUnknown,
    ServiceError,
    UnsentWrites,
    add,
    field,
    model,
    partition_key,
    set_,
)
from dynattrs.events import Retry
from dynattrs.operations.flows import Call, Pause, Start, Wait
from dynattrs.operations.refusals import ConditionFalse
from dynattrs.operations.requests import unpacked
from dynattrs.operations.writing import edits
from stepped_session import ByHand, Job, result


@model("things")
class Thing:
    id: str = partition_key()
    count: int = 0
    tags: set[str] = attrs.field(factory=set)


@model("papers")
class Paper:
    id: str = partition_key()
    text: str = ""
    version: int = field(version=True)


def conflict(*, uncertain: bool = False, code: str = "TransactionConflictException") -> Any:
    return ServiceError("PutItem", code, "a transaction holds the item", "things", uncertain)


def condition_false(item: dict[str, Any] | None) -> ConditionFalse:
    error = ConditionFalse("PutItem", "ConditionalCheckFailedException", "no", "papers")
    error.item = item
    return error


def edited(session: ByHand) -> Any:
    thing = Thing("a")
    edit = edits.begin(thing, guard=False)
    thing.count = 5
    return session._finish_edit(edit)


WRITES: dict[str, Callable[[ByHand], Any]] = {
    "put_item": lambda session: session.save(Thing("a")),
    "delete_item": lambda session: session.delete(Thing, "a"),
    "update_item": lambda session: session.update(Thing, "a", add(Thing.count, 1), returns=None),
    "update_item of an edit": edited,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    "code", ["TransactionConflictException", "ReplicatedWriteConflictException"]
)
def test_a_write_that_meets_a_transaction_is_sent_again_after_a_pause(
    write: Callable[[ByHand], Any], code: str
) -> None:
    session = ByHand()
    retries: list[Retry] = []
    session.on("retry", retries.append)
    flow = write(session)

    first = next(flow)
    assert isinstance(first, Call)
    pauses = []
    for _ in range(3):
        pauses.append(flow.throw(conflict(code=code)).seconds)
        assert next(flow) == first

    result(flow, {})
    # Half of 0.1 s, and twice as much each time.
    assert pauses == [0.05, 0.1, 0.2]
    assert [(each.attempt, each.error) for each in retries] == [(1, code), (2, code), (3, code)]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_conflict_that_does_not_pass_is_raised_after_the_deadline(
    write: Callable[[ByHand], Any],
) -> None:
    session = ByHand()
    flow = write(session)
    next(flow)
    session.clock.seconds += 59
    assert isinstance(flow.throw(conflict()), Pause)
    next(flow)
    session.clock.seconds += 1

    with pytest.raises(ServiceError, match="TransactionConflictException"):
        flow.throw(conflict())


def test_a_write_recognises_itself_also_where_a_conflict_came_after_the_lost_reply() -> None:
    session = ByHand()
    paper = Paper("a", "new")
    flow = session.save(paper)
    sent = next(flow)
    # botocore's first attempt was lost, its second one met a transaction.
    flow.throw(conflict(uncertain=True))
    assert next(flow) == sent

    with pytest.raises(StopIteration) as stop:
        flow.throw(condition_false(unpacked(sent.parameters)["Item"]))

    assert stop.value.value is paper
    assert paper.version == 1


def test_a_conflict_alone_makes_nothing_uncertain() -> None:
    session = ByHand()
    flow = session.save(Paper("a"))
    sent = next(flow)
    flow.throw(conflict())
    next(flow)

    with pytest.raises(ConditionFailed):
        flow.throw(condition_false(unpacked(sent.parameters)["Item"]))


def test_what_would_count_twice_is_not_sent_again_after_an_attempt_that_was_lost() -> None:
    flow = ByHand().update(Thing, "a", add(Thing.count, 1))
    assert next(flow).repeat is False

    with pytest.raises(OutcomeUnknown):
        flow.throw(conflict(uncertain=True))


def test_a_delete_whose_first_attempt_was_lost_cannot_return_the_item() -> None:
    flow = ByHand().delete(Thing, "a", returning=True)
    next(flow)
    flow.throw(conflict(uncertain=True))
    next(flow)

    with pytest.raises(OutcomeUnknown):
        flow.send({})


def test_other_refusals_are_raised_at_once() -> None:
    flow = ByHand().update(Thing, "a", set_(Thing.count, 1))
    next(flow)

    with pytest.raises(ServiceError, match="LimitExceededException"):
        flow.throw(conflict(code="LimitExceededException"))


def saved_beside(session: ByHand) -> tuple[Any, Any]:
    """A `save_all` of one versioned object: its flow, and that of the task that puts the object."""
    flow = session.save_all([Paper("a")])
    start = next(flow)
    assert isinstance(start, Start)
    job = Job(start.flow)
    assert flow.send(job) == Wait(job)
    return flow, job.flow


def test_save_all_sends_a_versioned_object_again_that_meets_a_transaction() -> None:
    session = ByHand()
    _, putting = saved_beside(session)
    sent = next(putting)
    assert isinstance(putting.throw(conflict()), Pause)

    assert next(putting) == sent
    result(putting, {})


def test_an_interrupted_save_all_does_not_wait_for_a_transaction_to_pass() -> None:
    session = ByHand()
    flow, putting = saved_beside(session)
    next(putting)
    putting.throw(conflict())
    flow.throw(KeyboardInterrupt)

    with pytest.raises(StopIteration):
        next(putting)


def test_save_all_reports_an_object_whose_conflict_does_not_pass() -> None:
    session = ByHand()
    flow, putting = saved_beside(session)
    next(putting)
    session.clock.seconds += 60
    error = conflict()
    with pytest.raises(StopIteration):
        putting.throw(error)

    with pytest.raises(UnsentWrites) as unsent:
        while True:
            flow.send(None)
    assert [each.cause for each in unsent.value.unsent] == [error]
