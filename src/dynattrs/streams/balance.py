"""How many shards a consumer should have, which it takes, and which it asks for.

Every consumer should have as many as any other, or one more. It takes what is free. Where nothing is, it
asks those that have more than that: they finish what they are doing, write down how far they are, and
free the shard. So nothing is read twice because shards move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from typing import Generic, TypeVar

import attrs

K = TypeVar("K", bound=Hashable)


@attrs.frozen
class Standing(Generic[K]):
    """How it stands with a shard that is to be read.

    Attributes:
        key: Which one.
        owner: Who reads it; None if it is free, or its reader has been seen to be gone.
        wanted: Who has asked for it; it is freed for that one.
    """

    key: K
    owner: str | None = None
    wanted: str | None = None


@attrs.frozen
class Moves(Generic[K]):
    """What a consumer should do.

    Attributes:
        take: The shards to take.
        ask: Those to ask their owners for.
        give: Those of its own to free, because another one has asked.
        keep: Those whose mark that they are asked for is to go: its owner needs it, or who asked does not.
    """

    take: Sequence[K] = ()
    ask: Sequence[K] = ()
    give: Sequence[K] = ()
    keep: Sequence[K] = ()


def moves(me: str, shards: Sequence[Standing[K]], consumers: Collection[str]) -> Moves[K]:
    """What *me* should do.

    Args:
        me: The consumer.
        shards: All shards that can be read now, in the order in which they are taken or asked for.
        consumers: Those that are there.
    """
    owners = {each.owner for each in shards if each.owner is not None}
    count = len(owners.union(consumers, {me}))
    least, over = divmod(len(shards), count)
    most = least + (over > 0)

    mine = [each for each in shards if each.owner == me]
    have = len(mine)
    give: list[K] = []
    keep: list[K] = []
    for each in mine:
        if each.wanted is None:
            continue
        if each.wanted != me and each.wanted in consumers and have > least:
            give.append(each.key)
            have -= 1
        else:
            keep.append(each.key)

    # What was freed for another one that has asked waits for that one.
    free = [
        each
        for each in shards
        if each.owner is None and (each.wanted in (None, me) or each.wanted not in consumers)
    ]
    free.sort(key=lambda each: each.wanted != me)
    room = max(0, most - have)
    take = [each.key for each in free[:room]]
    keep += [each.key for each in free[room:] if each.wanted == me]
    have += len(take)

    # What was asked for is on its way.
    others = [each for each in shards if each.owner not in (None, me)]
    have += sum(each.wanted == me for each in others)
    loads = Counter(each.owner for each in others if each.wanted is None)
    ask: list[K] = []
    while loads and len(take) == len(free):
        loaded, load = loads.most_common(1)[0]
        if not (load > most > have or load > least > have):
            break
        ask.append(
            next(
                each.key
                for each in others
                if each.owner == loaded and each.wanted is None and each.key not in ask
            )
        )
        loads[loaded] -= 1
        have += 1
    return Moves(take, ask, give, keep)
