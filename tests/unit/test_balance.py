"""How shards spread over consumers that look round one after the other, at what may be old by then."""

from __future__ import annotations

import random

import pytest

from dynattrs.streams.balance import Standing, moves


class Fleet:
    """Shards and consumers. Each consumer looks, and acts on what it has seen a while later."""

    def __init__(self, chance: random.Random, shards: int) -> None:
        self.chance = chance
        self.shards: dict[int, Standing[int]] = {each: Standing(each) for each in range(shards)}
        self.consumers: list[str] = []
        self.moved = 0

    def round(self) -> None:
        seen = {each: self._seen() for each in self.consumers}
        for me in self.chance.sample(self.consumers, len(self.consumers)):
            if self.chance.random() < 0.5:
                seen[me] = self._seen()
            todo = moves(me, seen[me], self.consumers)
            for key in todo.take:
                if self.shards[key] in seen[me]:
                    self.shards[key] = Standing(key, me)
            for key in todo.ask:
                there = self.shards[key]
                if there.owner not in (None, me):
                    self.shards[key] = Standing(key, there.owner, me)
            for key in todo.give:
                if self.shards[key].owner == me:
                    self.shards[key] = Standing(key, wanted=self.shards[key].wanted)
                    self.moved += 1
            for key in todo.keep:
                if self.shards[key].owner in (me, None):
                    self.shards[key] = Standing(key, self.shards[key].owner)

    def _seen(self) -> list[Standing[int]]:
        found = list(self.shards.values())
        self.chance.shuffle(found)
        return found

    def loads(self) -> list[int]:
        owners = [each.owner for each in self.shards.values()]
        return [owners.count(each) for each in self.consumers]

    def settle(self, rounds: int) -> None:
        for _ in range(rounds):
            self.round()
        assert all(each.owner is not None for each in self.shards.values())
        assert max(self.loads()) - min(self.loads()) <= 1


@pytest.mark.parametrize("seed", range(40))
def test_every_consumer_gets_as_many_shards_as_any_other_or_one_more(seed: int):
    chance = random.Random(seed)
    fleet = Fleet(chance, chance.randrange(1, 40))
    for number in range(chance.randrange(1, 8)):
        fleet.consumers.append(f"c{number}")
        if chance.random() < 0.6:
            fleet.settle(12)
    fleet.settle(12)
    for gone in chance.sample(fleet.consumers, chance.randrange(len(fleet.consumers))):
        fleet.consumers.remove(gone)
        fleet.shards = {
            key: Standing(key) if each.owner == gone else each for key, each in fleet.shards.items()
        }
    fleet.settle(12)

    moved = fleet.moved
    fleet.settle(10)
    assert fleet.moved == moved, "what is even stays where it is"


def test_a_new_consumer_gets_half_and_no_shard_moves_twice():
    fleet = Fleet(random.Random(1), 10)
    fleet.consumers.append("a")
    fleet.settle(1)
    fleet.consumers.append("b")
    fleet.settle(6)

    assert fleet.loads() == [5, 5]
    assert fleet.moved == 5


def test_more_consumers_than_shards_leave_some_without():
    fleet = Fleet(random.Random(1), 2)
    fleet.consumers += ["a", "b", "c"]
    fleet.settle(4)

    assert sorted(fleet.loads()) == [0, 1, 1]


def test_a_shard_is_not_given_to_a_consumer_that_is_gone():
    shards = [Standing(1, "a", "gone"), Standing(2, "a"), Standing(3, "a")]

    assert moves("a", shards, ["a", "b"]).give == []
    assert moves("a", shards, ["a", "b"]).keep == [1]
