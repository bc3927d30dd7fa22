"""Writes that the service has stored, while they leave their buffer."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

import msgspec

W = TypeVar("W")


class Landing(msgspec.Struct, eq=False):
    """Writes from when they are counted as stored until they have left the buffer.

    An interruption may strike in between: then what is left of that is done by what would give them up.

    Attributes:
        writes: The writes.
        now: When the answer came.
        wanted: Whether hooks are to have the objects, and the ledger does not have them yet.
    """

    writes: list[Any]
    now: float
    wanted: bool

    def tell(self) -> None:
        """Tell objects that they are stored."""
        for write in self.writes:
            if write.acknowledged is not None:
                write.acknowledged()


def of_key(key: Hashable, places: Iterable[dict[Hashable, W]]) -> list[W]:
    return [writes[key] for writes in places if key in writes]


def without(landing: Iterable[Landing], left: Landing) -> list[Landing]:
    return [each for each in landing if each is not left]


def that_hold(landing: Iterable[Landing], writes: Iterable[object]) -> list[Landing]:
    """Those that writes are of."""
    found = {*map(id, writes)}
    return [each for each in landing if any(id(write) in found for write in each.writes)]


def not_counted(places: Iterable[Iterable[W]], landing: Iterable[Landing]) -> dict[int, W]:
    """The writes, by their ids, that are not counted as stored."""
    counted = {id(write) for each in landing for write in each.writes}
    return {id(each): each for writes in places for each in writes if id(each) not in counted}
