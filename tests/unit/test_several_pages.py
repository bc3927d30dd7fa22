"""The pages of several requests, stepped by hand: what is begun ahead, and what an interruption leaves."""

from __future__ import annotations

from typing import Any

import pytest

from dynattrs import in_, model, partition_key, sort_key
from dynattrs.operations.flows import Call, Start, Wait
from stepped_session import ByHand


@model("lines")
class Line:
    page: str = partition_key()
    number: int = sort_key()


hand = ByHand()
#: The numbers of each page. One has as many as fill several answers, one none.
STORED = {"a": [1, 4, 7, 9, 11], "b": [], "c": [2, 3], "d": [5]}


class Interrupted(BaseException):
    pass


class Running:
    """A task. What was begun cannot be cancelled; it ends beside the one who waits."""

    def __init__(self, engine: Engine, flow: Any, *, begun: bool) -> None:
        self._engine, self._flow, self._begun = engine, flow, begun
        self._result: list[Any] = []
        self.cancelled = False
        if begun:
            self._result.append(engine.run(flow, interrupting=False))

    def cancel(self) -> bool:
        if self._begun or self._result:
            return False
        self.cancelled = True
        return True

    def result(self) -> Any:
        assert not self.cancelled
        if not self._result:
            self._result.append(self._engine.run(self._flow, interrupting=False))
        return self._result[0]


class Engine:
    """Answers queries with two items at a time, and interrupts a flow at one of its effects."""

    def __init__(self, *, interrupted_at: int | None, begun: bool) -> None:
        self.asked: list[str] = []
        self.tasks: list[Running] = []
        self._left = interrupted_at
        self._begun = begun

    def run(self, flow: Any, *, interrupting: bool = True) -> Any:
        outcome: Any = None
        try:
            while True:
                effect = flow.send(outcome)
                # A cancellation comes where something is awaited.
                waits = isinstance(effect, (Call, Wait))
                if interrupting and waits and self._left is not None:
                    self._left -= 1
                    if self._left < 0:
                        self._left = None
                        effect = flow.throw(Interrupted())
                outcome = self._perform(effect)
        except StopIteration as stop:
            return stop.value

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Start):
            self.tasks.append(Running(self, effect.flow, begun=self._begun))
            return self.tasks[-1]
        if isinstance(effect, Wait):
            return effect.task.result()
        assert isinstance(effect, Call)
        return self._answer(effect.parameters)

    def _answer(self, asked: Any) -> Any:
        page = asked["ExpressionAttributeValues"][":0"]["S"]
        self.asked.append(page)
        after = (
            int(asked["ExclusiveStartKey"]["number"]["N"]) if "ExclusiveStartKey" in asked else 0
        )
        numbers = [number for number in STORED[page] if number > after]
        items = [{"page": {"S": page}, "number": {"N": str(number)}} for number in numbers]
        found = {"Items": items[:2], "Count": len(items[:2]), "ScannedCount": len(items[:2])}
        return found | ({"LastEvaluatedKey": items[1]} if len(items) > 2 else {})


def asked(*, merged: bool) -> Any:
    query = hand.query(Line).where(in_(Line.page, ["c", "a", "b", "d"])).raw()
    return query.merged() if merged else query


WHOLE = {
    False: [2, 3, 1, 4, 7, 9, 11, 5],
    True: [1, 2, 3, 4, 5, 7, 9, 11],
}


@pytest.mark.parametrize("begun", [False, True], ids=["waiting", "begun"])
@pytest.mark.parametrize("merged", [False, True], ids=["in turn", "merged"])
def test_asked_again_after_an_interruption_nothing_is_missing(*, merged: bool, begun: bool):
    query = asked(merged=merged)
    interrupted = 0
    for place in range(40):
        engine = Engine(interrupted_at=place, begun=begun)
        pages = query._pages(query._plan())
        numbers: list[int] = []
        while True:
            try:
                page = engine.run(pages.next())
            except Interrupted:
                interrupted += 1
                continue
            if page is None:
                break
            numbers += [int(item["number"]["N"]) for item in page.items]

        assert numbers == WHOLE[merged], place
    assert interrupted > 3


def test_the_part_after_the_one_that_is_read_is_begun_and_no_more():
    engine, query = Engine(interrupted_at=None, begun=True), asked(merged=False)
    pages = query._pages(query._plan())

    engine.run(pages.next())
    assert engine.asked == ["c", "a"]  # while the caller works
    engine.run(pages.next())
    assert engine.asked == ["c", "a", "b"]


def test_under_a_limit_no_part_is_begun_that_may_not_be_needed():
    engine, query = Engine(interrupted_at=None, begun=True), asked(merged=False).limit(3)
    pages = query._pages(query._plan())

    engine.run(pages.next())
    assert engine.asked == ["c", "a"]
    engine.run(pages.next())
    assert engine.run(pages.next()) is None
    assert engine.asked == ["c", "a"]


def test_what_is_left_early_is_cancelled():
    engine, query = Engine(interrupted_at=None, begun=False), asked(merged=False)
    pages = query._pages(query._plan())
    engine.run(pages.next())

    pages.close()

    assert [task.cancelled for task in engine.tasks] == [True]
    assert engine.run(pages.next()) is None
