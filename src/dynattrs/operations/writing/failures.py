"""Writes that were given up: those that the caller is told of, and those that a newer write of
their key has replaced since.

A write fails, and a newer one of its key is stored: the item is as it should be. To save the older
one's object again would go back in time, so it is not among what was not stored.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any, Final, Protocol, cast

from dynattrs.errors import (
    ConditionFailed,
    InvalidRequest,
    KeyChanged,
    MappingError,
    OutcomeUnknown,
    Unsent,
    UnsentWrites,
)
from dynattrs.late_classes import define, field, frozen
from dynattrs.mapper.key_rules import plain_numbers
from dynattrs.operations.context import is_frozen
from dynattrs.operations.item_keys import (
    fields_of_key,
    identity,
    is_class_of,
    key_map,
    own_fields,
    plain_key,
    put_key,
)
from dynattrs.quoting import quoted
from dynattrs.schema.model_info import ModelInfo, info_of, model_info

#: So many failures are not a coincidence, and more of them would be kept in memory.
_MANY: Final = 1000


def given(obj: object) -> Any:
    """What was given to `save` or `delete`; of what a query found, what would be given."""
    return obj() if type(obj) is functools.partial else obj


def not_stored(write: Placed, cause: BaseException) -> Unsent:
    return Unsent(
        given(write.obj),
        write.action,
        cause,
        WrittenKey(cast("tuple[Any, ...]", write.identity), write.place),
    )


@frozen
class WrittenKey:
    """The primary key of a write, which its object may have no more.

    Attributes:
        identity: What makes it the same as others to the service.
        place: The write's among those of its buffer.
    """

    identity: tuple[Any, ...]
    place: int = 0

    def fields(self, subject: object) -> dict[str, Any] | None:
        """The key as fields, for an object or `(Model, key)`."""
        info = _info_of(subject)
        if info is None:
            return None
        key = key_map(self.identity)
        plain_numbers(key, info.table.key)
        return fields_of_key(info, key, plain_key(info, key))

    def check(self, subject: object, action: str) -> None:
        """Refuse an object that has another key by now.

        Raises:
            KeyChanged: It names both.
        """
        info = _info_of(subject)
        # A frozen object cannot have changed, and a hook may have saved another one in its place.
        if info is None or is_frozen(info) or self._is_of(info, subject):
            return
        do = f"write session.delete({info.name}, write.key)"
        if action == "save":
            do = "give it that key again, or call save() with it if the new key is meant"
        raise KeyChanged(
            f"the {action} of {info.name} with the key {quoted(self.fields(subject), 200)} cannot be "
            f"repeated: its object has the key {quoted(own_fields(info, subject), 200)} now, which is "
            f"another item's; {do}"
        )

    def _is_of(self, info: ModelInfo, obj: object) -> bool:
        """Whether it is the key that an object has now, whatever the table is called."""
        try:
            return identity(self.identity[0], put_key(info, obj)) == self.identity
        except MappingError:  # it cannot be written any more
            return False


def _info_of(subject: object) -> ModelInfo | None:
    """The model of an object, or of a pair `(Model, key)`."""
    if type(subject) is tuple:
        return model_info(subject[0]) if is_class_of(subject[0]) else None
    return info_of(type(subject))


def is_own(cause: BaseException) -> bool:
    """Whether a write failed for a reason of its own, which says nothing of the next one."""
    return isinstance(cause, (ConditionFailed, InvalidRequest, OutcomeUnknown))


class Placed(Protocol):
    """A write, as far as it matters here. Its object may be made when it is asked for."""

    obj: object
    action: str
    identity: Hashable
    place: int


@define(eq=False, repr=False)
class Failure:
    """A write that was given up."""

    unsent: Unsent
    identity: Hashable
    place: float
    #: A newer write of its key is stored.
    superseded: bool = False


@define(eq=False, repr=False)
class Raised:
    """The error that a `save` has raised for earlier writes, with one that it did not take.

    Attributes:
        error: The error.
        failures: All that it tells of; the last one was not taken.
        older: What the buffer held of that one's key then.
    """

    error: UnsentWrites
    failures: list[Failure]
    older: Sequence[Placed]

    def stored(self, writes: Iterable[Placed]) -> None:
        """Writes are stored."""
        *failed, refused = self.failures
        _supersede(failed, writes)
        older = {*map(id, self.older)}
        _supersede([refused], (write for write in writes if id(write) not in older))

    def took_place(self, write: Placed, place: int) -> None:
        """A write has taken the place of an earlier one to its key."""
        refused = self.failures[-1]
        if write.identity == refused.identity and not any(write is each for each in self.older):
            refused.place = min(refused.place, place - 0.5)

    def unsent(self) -> list[Unsent]:
        """What of it was not stored to this day."""
        return unsent_of(self.failures)

    def unsent_with(self, found: Iterable[Unsent]) -> list[Unsent]:
        """The same with what was found since, in the order of the calls."""
        placed = [(each.place, each.unsent) for each in self.failures if not each.superseded]
        placed += [(_place_of(each), each) for each in found]
        return [each for _, each in sorted(placed, key=operator.itemgetter(0))]


def _place_of(unsent: Unsent) -> float:
    return cast("WrittenKey", unsent._written).place


def unsent_of(failures: Iterable[Failure]) -> list[Unsent]:
    return [each.unsent for each in failures if not each.superseded]


def superseded_of(failures: Iterable[Failure]) -> list[Unsent]:
    return [each.unsent for each in failures if each.superseded]


@define(eq=False, repr=False)
class Failures:
    """What was given up and not told of. Its buffer's lock keeps it safe between threads."""

    _waiting: list[Failure] = field(factory=list, init=False)
    #: Those that were taken and are in no report yet: an interruption may come before that.
    _taken: list[Failure] = field(factory=list, init=False)
    #: Whether one of them failed for a reason that is not its own.
    _all_fail: bool = field(default=False, init=False)

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._waiting) or self._all_fail

    def is_hopeless(self) -> bool:
        """Whether no other write can succeed: no table, no answer, too many failures."""
        return self._all_fail or len(self._waiting) >= _MANY

    def add(self, write: Placed, cause: BaseException) -> None:
        self._all_fail = self._all_fail or not is_own(cause)
        self.left(write, cause)

    def left(self, write: Placed, cause: BaseException) -> None:
        """As `add`, where nothing else is to be written any more."""
        unsent = not_stored(write, cause)
        self._waiting.append(Failure(unsent, write.identity, write.place))

    def stored(self, writes: Iterable[Placed]) -> None:
        """Writes are stored: newer ones, because a key is in flight once at a time."""
        _supersede(self._waiting, writes)

    def waits_for(self, keys: Collection[Hashable]) -> bool:
        """Whether a newer write of a key, one of these, decides what is to be told."""
        return any(each.identity in keys for each in self._waiting)

    def take(self, keys: Collection[Hashable] = ()) -> list[Failure]:
        """Those to tell of now, in the order of the calls. Of these keys newer writes are on their way."""
        taken = _in_order([each for each in self._waiting if each.identity not in keys])
        self._taken = [*self._taken, *taken]
        self._waiting = [each for each in self._waiting if each.identity in keys]
        return taken

    def told(self) -> None:
        """Those that were taken are in a report."""
        self._taken = []

    def look(self) -> list[Failure]:
        """All of them, which stay."""
        return _in_order([*self._taken, *self._waiting])


def _supersede(failures: Iterable[Failure], writes: Iterable[Placed]) -> None:
    keys = {write.identity for write in writes}
    for each in failures:
        # What another writer's item has refused would be refused again.
        if each.identity in keys and not isinstance(each.unsent.cause, ConditionFailed):
            each.superseded = True


def _in_order(failures: list[Failure]) -> list[Failure]:
    """By place, which no two of them have: an interruption may have put one there twice."""
    by_place = {each.place: each for each in failures}
    return [by_place[place] for place in sorted(by_place)]
