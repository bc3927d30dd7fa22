"""Hooks of models and sessions: how they are declared, in what order they run, what they may return."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import pytest

from dynattrs import (
    Flushed,
    ModelError,
    Session,
    Throttled,
    Unsent,
    UnsentWrites,
    evolve,
    map_class,
    model,
    partition_key,
)
from dynattrs.events import Flush
from dynattrs.mapper.carried import Carried, carried_by, carry
from dynattrs.models.hooks import SessionHooks, functions
from dynattrs.operations.flows import Start
from dynattrs.operations.requests import unpacked
from dynattrs.operations.writing import batch, ledger
from dynattrs.operations.writing.buffer import Buffer, Write, write_by_key
from dynattrs.operations.writing.encoding import encode
from dynattrs.schema.model_info import model_info
from stepped_session import ByHand, result

calls: list[str] = []


@pytest.fixture(autouse=True)
def forget():
    calls.clear()


def lower(user: Any) -> None:
    calls.append("lower")
    user.name = user.name.lower()


def strip(user: Any) -> None:
    calls.append("strip")
    user.name = user.name.strip()


def bang(user: Any) -> None:
    calls.append("bang")
    user.name += "!"


@model("users", before_save=lower, after_load=bang)
class User:
    id: str = partition_key()
    name: str = ""


@model("users", before_save=[strip, bang])
class Admin(User):
    level: int = 1


def shortened(tag: Tag) -> Tag | None:
    return attrs.evolve(tag, name=tag.name[:3]) if len(tag.name) > 3 else None


@model("tags", frozen=True, before_save=shortened)
class Tag:
    id: str = partition_key()
    name: str = ""


def handle(**hooks: Any) -> ByHand:
    made = ByHand()
    made._core.hooks = SessionHooks(**hooks)
    return made


# --- Declaring ------------------------------------------------------------------------------------


def test_the_hooks_of_a_base_run_first():
    assert model_info(Admin).before_save == (lower, strip, bang)
    assert model_info(Admin).after_load == (bang,)


def test_the_hooks_of_a_base_that_is_reached_twice_run_once():
    @model("users", before_save=strip)
    class Left(User):
        pass

    @model("users", before_save=bang)
    class Right(User):
        pass

    @model("users", slots=False)
    class Both(Left, Right):
        pass

    assert model_info(Both).before_save == (lower, bang, strip)


def test_a_class_that_is_mapped_from_outside_has_hooks_too():
    @attrs.define
    class Plain:
        id: str
        name: str = ""

    map_class(Plain, "plain", partition_key="id", unknown="drop", before_save=[strip, lower])

    assert encode(ByHand()._core, Plain("a", " ANN ")).item["name"] == {"S": "ann"}


@pytest.mark.parametrize("wrong", ["strip", 7, [strip, None]])
def test_what_is_no_function_is_refused_at_the_declaration(wrong: Any):
    with pytest.raises(ModelError, match=r"Bad: after_load: a function is expected, not"):

        @model("bad", after_load=wrong)
        class Bad:
            id: str = partition_key()


async def later(user: Any) -> None: ...


class Later:
    async def __call__(self, user: Any) -> None: ...


@pytest.mark.parametrize("wrong", [later, Later()])
def test_a_coroutine_function_is_refused_since_nobody_would_await_it(wrong: Any):
    with pytest.raises(ModelError, match="before_save: a plain function is expected, not the coro"):
        functions("Session", "before_save", wrong)


def test_a_session_refuses_what_is_no_function():
    with pytest.raises(ModelError, match="Session: after_flush: a function is expected, not 'x'"):
        Session(region_name="eu-central-1", after_flush="x")  # type: ignore[arg-type]


# --- Before a save --------------------------------------------------------------------------------


def test_what_is_stored_is_the_object_after_the_hooks_in_their_order():
    admin = Admin("a", " ANN ")

    encoded = encode(ByHand()._core, admin)

    assert calls == ["lower", "strip", "bang"]
    assert encoded.item["name"] == {"S": "ann!"}
    assert admin.name == "ann!"


def test_the_hooks_of_the_session_run_after_those_of_the_model():
    def of_session(user: Any) -> None:
        calls.append(f"session sees {user.name}")

    encode(handle(before_save=(of_session,))._core, User("a", "ANN"))

    assert calls == ["lower", "session sees ann"]


def test_a_frozen_object_is_replaced_and_save_returns_what_is_stored():
    tag = Tag("a", "jazz")
    flow = ByHand().save(tag)

    assert unpacked(next(flow).parameters)["Item"]["name"] == {"S": "jaz"}
    assert result(flow, {}) == Tag("a", "jaz")
    assert tag.name == "jazz"


def test_an_object_that_could_not_be_stored_is_the_one_that_was_given():
    tag = Tag("a", "jazz")
    session = handle()
    session._buffer = Buffer()

    result(session.save(tag))

    assert session._buffer.discard()[0].object is tag


def test_a_replacement_keeps_the_stored_attributes_that_the_class_does_not_know():
    """`attrs.evolve` forgets them, and a save would erase them."""
    tag = Tag("a", "jazz")
    carry(tag, Carried({"color": {"S": "red"}}))

    assert encode(ByHand()._core, tag).item["color"] == {"S": "red"}


def test_a_replacement_that_carries_something_itself_keeps_that():
    def repainted(tag: Any) -> Any:
        made = evolve(tag)
        carry(made, Carried({"color": {"S": "blue"}}))
        return made

    tag = Tag("a", "b")
    carry(tag, Carried({"color": {"S": "red"}}))

    item = encode(handle(before_save=(repainted,))._core, tag).item

    assert item["color"] == {"S": "blue"}
    assert carried_by(tag).attributes == {"color": {"S": "red"}}


def test_another_object_of_a_mutable_class_is_refused():
    """Its version and time stamps would move on an object that nobody has."""

    def copied(user: Any) -> Any:
        return attrs.evolve(user)

    with pytest.raises(ModelError, match=r"User: its before_save hook .*copied returned another"):
        encode(handle(before_save=(copied,))._core, User("a"))


@pytest.mark.parametrize("wrong", [True, User("b"), {"id": "a"}])
def test_what_is_no_object_of_the_class_is_refused(wrong: Any):
    session = handle(before_save=(lambda tag: wrong,))

    with pytest.raises(ModelError, match=r"Tag: its before_save hook .* returned a \w+; return No"):
        encode(session._core, Tag("a"))


def test_an_error_of_a_hook_is_raised_by_save_and_nothing_is_taken():
    def fails(user: Any) -> None:
        raise ValueError("no")

    session = handle(before_save=(fails,))
    session._buffer = Buffer()

    with pytest.raises(ValueError, match="no"):
        next(session.save(User("a")))

    assert len(session._buffer) == 0


def test_without_hooks_nothing_stands_between_a_read_and_its_object():
    """The hot path: whoever reads a page asks once for the class, and gets None."""
    assert ByHand()._core.after_load(model_info(Tag)) is None


# --- After a read ---------------------------------------------------------------------------------


def test_what_is_read_by_its_key_goes_through_the_hooks():
    flow = ByHand().get(User, "a")
    next(flow)

    user = result(flow, {"Item": {"id": {"S": "a"}, "name": {"S": "ann"}, "age": {"N": "3"}}})

    assert user == User("a", "ann!")


def test_a_hook_sees_the_object_with_all_that_it_carries():
    seen: list[Any] = []
    flow = handle(after_load=(lambda tag: seen.append(dict(carried_by(tag).attributes)),)).get(
        Tag, "a"
    )
    next(flow)

    result(flow, {"Item": {"id": {"S": "a"}, "color": {"S": "red"}}})

    assert seen == [{"color": {"S": "red"}}]


def test_a_refresh_whose_hook_fails_leaves_the_object_as_it_was():
    def fails(user: Any) -> None:
        assert user.name == "new!", "the hook gets the object itself, read again and complete"
        raise ValueError("no")

    user = User("a", "old")
    flow = handle(after_load=(fails,)).refresh(user)
    next(flow)

    with pytest.raises(ValueError, match="no"):
        flow.send({"Item": {"id": {"S": "a"}, "name": {"S": "new"}}})

    assert user == User("a", "old")


def test_a_refresh_takes_over_what_a_hook_returns_in_place_of_the_object():
    user = User("a", "old")
    flow = handle(after_load=(lambda user: attrs.evolve(user, name="other"),)).refresh(user)
    next(flow)

    assert result(flow, {"Item": {"id": {"S": "a"}}}) is user
    assert user.name == "other"


# --- After a flush --------------------------------------------------------------------------------


def write(id_: str, action: str = "save", size: int = 10) -> Write:
    key = {"id": {"S": id_}}
    return write_by_key("notes", key, {"DeleteRequest": {"Key": key}}, size, id_, action)


def buffer_with(*writes: Write) -> Buffer:
    buffer = Buffer()
    for each in writes:
        buffer.add(each)
    return buffer


def test_after_a_flush_the_hooks_get_the_objects_and_the_listeners_the_numbers():
    flushed: list[Flushed] = []
    events: list[Flush] = []
    session = handle(after_flush=(flushed.append,))
    session._core.events.on("flush", events.append)
    flow = batch.flush(session._core, buffer_with(write("a"), write("b"), write("c", "delete")))
    next(flow)
    session.clock.seconds += 2.5

    result(flow, {})

    assert flushed == [Flushed(("a", "b"), ("c",), ())]
    assert events == [Flush(saved=2, deleted=1, failed=0, seconds=2.5)]


def test_a_flush_of_nothing_is_told_to_nobody():
    told: list[Any] = []
    session = handle(after_flush=(told.append,))
    session._core.events.on("flush", told.append)

    result(batch.flush(session._core, Buffer()))

    assert told == []


def test_what_was_given_up_is_told_with_its_cause_and_raised_nevertheless():
    flushed: list[Flushed] = []
    session = handle(after_flush=(flushed.append,))
    cause = Throttled("BatchWriteItem", "ThrottlingException", "slow down")
    flow = batch.flush(session._core, buffer_with(write("a")))
    next(flow)
    session.clock.seconds += 100

    with pytest.raises(UnsentWrites):
        flow.throw(cause)

    assert flushed == [Flushed((), (), (Unsent("a", "save", cause),))]


def fails_to(*what: str) -> Any:
    def hook(flushed: Flushed) -> None:
        raise ValueError(f"cannot {what[0]}")

    return hook


def test_an_error_after_a_flush_is_raised_when_all_hooks_have_run_and_all_is_stored():
    flushed: list[Flushed] = []
    session = handle(after_flush=(fails_to("count"), flushed.append))
    buffer = buffer_with(write("a"))
    flow = batch.end(session._core, buffer, None)
    next(flow)

    with pytest.raises(ValueError, match="cannot count"):
        flow.send({})

    assert len(buffer) == 0
    assert flushed == [Flushed(("a",), (), ())]


def test_an_error_after_a_flush_does_not_hide_what_ended_the_batch(
    caplog: pytest.LogCaptureFixture,
):
    session = handle(after_flush=(fails_to("count"),))
    flow = batch.end(session._core, buffer_with(write("a")), KeyError("the program's own"))
    next(flow)

    with caplog.at_level(logging.ERROR, "dynattrs"):
        result(flow, {})

    assert "after_flush hook failed" in caplog.text
    assert "ValueError: cannot count" in caplog.text


def test_after_an_interruption_the_hooks_still_hear_what_was_stored():
    flushed: list[Flushed] = []
    session = handle(after_flush=(flushed.append,))
    buffer = buffer_with(write("a"))
    result_of_first = batch.send(session._core, buffer, buffer.take(whole=False))
    next(result_of_first)
    result(result_of_first, {})
    buffer.add(write("b"))
    stop = KeyboardInterrupt()

    result(batch.end(session._core, buffer, stop))

    assert flushed == [Flushed(("a",), (), (Unsent("b", "save", stop),))]


def test_objects_are_handed_over_in_portions_so_that_memory_stays_bounded(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(ledger, "PORTION_OBJECTS", 50)
    sizes: list[int] = []
    session = handle(after_flush=(lambda flushed: sizes.append(len(flushed.saved)),))
    events: list[Flush] = []
    session._core.events.on("flush", events.append)
    buffer = Buffer()

    for number in range(120):
        for effect in (gathering := batch.gather(session._core, buffer, write(str(number)))):
            assert isinstance(effect, Start)
            next(effect.flow)
            result(effect.flow, {})
            with pytest.raises(StopIteration):
                gathering.send(Done())
            break
    flow = batch.flush(session._core, buffer)
    next(flow)
    result(flow, {})

    assert sizes == [50, 50, 20]
    assert [event.saved for event in events] == [120]


def test_objects_are_not_held_where_no_hook_wants_them():
    session = handle()
    buffer = buffer_with(write("a"))

    sending = batch.send(session._core, buffer, buffer.take(whole=False))
    next(sending)
    result(sending, {})

    assert buffer.ledger.take_objects() is None


class Done:
    def done(self) -> bool:
        return True

    def cancel(self) -> bool:
        return False
