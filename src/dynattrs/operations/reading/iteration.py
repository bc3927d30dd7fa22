"""What is read bit by bit, while the program asks for more."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from dynattrs.operations.flows import Flow

R = TypeVar("R")


class Source:
    """What gives one bit after the other."""

    #: What it has failed with.
    failure: Exception | None = None


S = TypeVar("S", bound=Source)


def failing_again(following: Callable[[S], Flow[R]]) -> Callable[[S], Flow[R]]:
    """A source that has failed fails again, with the same error: what would have come is missing, so
    it neither goes on behind that nor says that it is at its end.

    A cancellation is no failure: asked again, it gives what would have come.
    """

    @functools.wraps(following)
    def next_of(source: S) -> Flow[R]:
        if source.failure is not None:
            raise source.failure
        try:
            return (yield from following(source))
        except Exception as error:
            source.failure = error
            raise

    return next_of
