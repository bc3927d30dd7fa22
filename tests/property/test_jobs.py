"""Laws of jobs over random schedules in virtual time.

Parents come, die, and stand still for longer than their leases; workers die; tasks are run twice, late, or
at the same time. Then calm comes, and:

- every item counts once, whatever was done how often;
- the checkpoints' totals say so;
- no parent that is alive loses a segment to another one.

Where nothing fails, no more than the rate is consumed in any ten seconds, but for a page of each worker, and
not much less.
"""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import job_worlds
from dynattrs.jobs import verbs
from job_worlds import Game, Table


@pytest.fixture(autouse=True)
def _verb(monkeypatch):
    monkeypatch.setitem(sys.modules, "job_worlds", job_worlds)
    monkeypatch.setitem(verbs.VERBS, "playing", "job_worlds:Playing")


def check_counted(game: Game) -> None:
    sizes = game.table.sizes
    assert game.read() == {n: list(range(size)) for n, size in enumerate(sizes)}
    segments = game.segments()
    assert [each.scanned for each in segments] == list(sizes)
    assert [each.counts.get("played", 0) for each in segments] == list(sizes)
    assert all(each.done and each.owner is None and each.error is None for each in segments)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_item_counts_once_whatever_dies_or_stands_still(seed):
    table = Table(sizes=(0, 1, 30, 100, 250, 40, 7), page=10, seconds=0.4)
    game = Game(seed, table)
    world, chance = game.world, game.world.chance
    with game.playing():
        game.machine(chance.choice([1, 2, 4]), chance.choice([0.0, 0.3]))
        while world.seconds < 1060.0:
            world.run(world.seconds + chance.uniform(0.05, 4.0))
            alive = [each for each in game.machines if not each.is_over and not each.process.dead]
            event = chance.random()
            if not alive or event < 0.25:
                game.machine(chance.choice([1, 2, 4]), chance.choice([0.0, 0.3]))
            elif event < 0.5:
                chance.choice(alive).kill()
            elif event < 0.7:
                chance.choice(alive).workers.lose()
            elif event < 0.8:
                chance.choice(alive).freeze(world.seconds + chance.choice([2.0, 20.0]))
        last = game.machine(2)
        world.run(world.seconds + 600.0)

        assert last.is_over, "it does not come to an end"
        for each in game.machines:
            assert each.actor.error is None or _may_end_with(each.actor.error)
        assert game.place.robbed == []
        check_counted(game)


def _may_end_with(error: BaseException) -> bool:
    return type(error).__name__ == "WorkersDied"


def consumed_in(spent: list[tuple[float, float, float]], which: int, seconds: float) -> float:
    """The most that was consumed in any so many seconds."""
    most = total = 0.0
    first = 0
    for at, *units in spent:
        total += units[which]
        while spent[first][0] <= at - seconds:
            total -= spent[first][1 + which]
            first += 1
        most = max(most, total)
    return most


@pytest.mark.parametrize("width", [1, 4, 8])
@pytest.mark.parametrize(
    ("rate", "page", "units"),
    [
        pytest.param(500, 1000, 0.5, id="many items"),
        pytest.param(50, 1000, 0.125, id="small items", marks=pytest.mark.full),
        pytest.param(20, 1, 100, id="large items"),
    ],
)
def test_reading_keeps_to_the_rate(width, rate, page, units):
    """Within the larger of five percent and a page of each worker, in any ten seconds."""
    game = Game(width, Table((100_000,) * 24, page, units, seconds=0.02), read_units=float(rate))
    with game.playing():
        game.machine(width)
        game.world.run(game.world.seconds + 100.0)

        allowed = max(0.05 * rate * 10, min(128.0, page * units) * width)
        assert consumed_in(game.spent, 0, 10.0) <= rate * 10 + allowed
        later = [each for each in game.spent if each[0] > 1020.0]  # sizes are known
        assert sum(each[1] for each in later) / 80.0 >= 0.95 * rate
        if page > 1:
            assert consumed_in(later, 0, 10.0) <= 1.06 * rate * 10


def test_writing_keeps_to_the_rate_where_pages_hold_many_items():
    table = Table((50_000,) * 16, page=1000, units=0.125, writes=1.0, seconds=0.02)
    game = Game(1, table, write_units=100.0)
    with game.playing():
        game.machine(4)
        game.world.run(game.world.seconds + 80.0)

        assert consumed_in(game.spent, 1, 10.0) <= 1.06 * 100 * 10
        later = [each for each in game.spent if each[0] > 1020.0]
        assert sum(each[2] for each in later) / 60.0 >= 95


def test_several_parents_share_the_rate_from_the_moment_on_when_they_come():
    table = Table(sizes=(100_000,) * 40, page=1000, units=0.5, seconds=0.02)
    game = Game(3, table, read_units=200.0)
    with game.playing():
        game.machine(4)
        game.world.run(game.world.seconds + 25.0)
        game.machine(4)
        game.world.run(game.world.seconds + 60.0)
        middle = game.world.seconds
        game.machines[0].kill()
        game.world.run(game.world.seconds + 60.0)

        assert consumed_in(game.spent, 0, 10.0) <= 200 * 10 * 1.06
        late = [each for each in game.spent if middle - 30 < each[0] < middle]
        assert 0.9 * 200 <= sum(each[1] for each in late) / 30 <= 1.06 * 200
        last = [each for each in game.spent if each[0] > middle + 30]
        assert sum(each[1] for each in last) / 30 >= 0.9 * 200
