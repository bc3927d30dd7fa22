"""Iterators over what is read bit by bit, in threads.

Not generators: one that has raised an error says "the end" when it is asked again, as if everything had
been read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

from dynattrs.errors import QueryError

R = TypeVar("R")
M_co = TypeVar("M_co", covariant=True)


class Following(Generic[M_co]):
    """What comes one after the other, and is fetched when it is asked for.

    Args:
        following: Gives the next one, or None at the end; what it raises it raises again.
        close: Forgets what is being fetched.
    """

    __slots__ = ("_close", "_ended_by", "_following", "_waited_for")

    def __init__(self, following: Callable[[], object], close: Callable[[], None]) -> None:
        self._following = following
        self._close = close
        self._waited_for = False
        self._ended_by: BaseException | None = None

    def __iter__(self) -> Iterator[M_co]:
        return self

    def __next__(self) -> M_co:
        return cast("M_co", self._more())

    def close(self) -> None:
        """Forget what is being fetched. It is enough to leave the loop, which does the same."""
        self._close()

    def __del__(self) -> None:
        self._close()

    def _more(self) -> Any:
        if self._waited_for:
            raise ValueError("another thread waits for this iterator; give each one of its own")
        if self._ended_by is not None:
            raise QueryError(
                f"this iterator was interrupted by {type(self._ended_by).__name__}, and what would have "
                f"come may be lost; iterate anew"
            )
        self._waited_for = True
        try:
            found = self._following()
        except BaseException as error:
            self._close()
            if not isinstance(error, Exception):
                self._ended_by = error
            raise
        finally:
            self._waited_for = False
        if found is None:
            raise StopIteration
        return found


class Each(itertools.chain[R]):
    """The members of sequences that come one after the other."""

    # Measured, pages of 100: 9 ns an item, where a generator takes 19 and a `__next__` of ours 46.
    # `chain` says "the end" once its source has raised, so errors come from what the source gives.
    _pages: _Pages

    @classmethod
    def of(cls, following: Callable[[], object], close: Callable[[], None]) -> Iterator[R]:
        """Those of what *following* gives; see `Following`."""
        pages = _Pages(following, close)
        each = cast("Each[R]", cls.from_iterable(pages))
        each._pages = pages
        return each

    def close(self) -> None:
        """Forget what is being fetched. It is enough to leave the loop, which does the same."""
        self._pages.close()


class _Pages(Following[Any]):
    __slots__ = ()

    def __next__(self) -> Iterator[Any]:
        try:
            return iter(self._more())
        except StopIteration:
            raise
        except BaseException as error:
            return _Failing(error)


class _Failing:
    """Raises an error, once; what gave it is asked again after that."""

    __slots__ = ("_error",)

    def __init__(self, error: BaseException) -> None:
        self._error: BaseException | None = error

    def __iter__(self) -> _Failing:
        return self

    def __next__(self) -> Any:
        error, self._error = self._error, None
        if error is None:
            raise StopIteration
        try:
            raise error
        finally:
            del error  # which would be a circle with its traceback
