"""The methods that a session and a batch share.

The verbs are written once, in `operations`, and documented once, in `session.any_handle`. This module
declares those whose types differ between the two sessions in ways that checkers cannot derive: another
generic class (`Query`, `AsyncQuery`), or overloads. `aio.handles` is its twin, line for line.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from dynattrs.deferral import deferred
from dynattrs.models.model import Instance, M
from dynattrs.operations.flows import written_as
from dynattrs.operations.item_keys import NO_KEY
from dynattrs.session.any_handle import AnyEditing
from dynattrs.session.reads import ReadingHandle
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynattrs.expressions.operand_types import Key
    from dynattrs.expressions.updates import Action
    from dynattrs.operations.writing import edits
    from dynattrs.operations.writing.updates import Returns
    from dynattrs.session import blocks, locks
    from dynattrs.session.blocks import Tables, Transaction
    from dynattrs.session.locks import Lock
else:
    blocks = deferred("dynattrs.session.blocks")
    locks = deferred("dynattrs.session.locks")
    edits = deferred("dynattrs.operations.writing.edits")

__tracebackhide__ = hidden

R = TypeVar("R")
A = TypeVar("A")


class Editing(AnyEditing["Handle", A]):
    """The context manager that `session.edit(obj)` returns."""

    _block = "with session.edit(obj)"

    def __enter__(self) -> A:
        self._entered = True
        return self._obj

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._handle._finish_edit(self._edit)
        else:
            edits.failed(self._edit)


@written_as("session")
class Handle(ReadingHandle):
    """The methods that a session and a batch share."""

    @overload
    def save(self, obj: M, *, when: bool | None = None) -> M: ...
    @overload
    def save(self, obj: M, *, when: bool | None = None, returning: Literal[True]) -> M | None: ...
    def save(self, obj: object, *, when: bool | None = None, returning: bool = False) -> Any:
        __tracebackhide__ = True
        return self._drive(self._save(obj, when=when, returning=returning))

    @overload
    def delete(self, subject: type[M], key: Key, /, *, when: bool | None = None) -> None: ...
    @overload
    def delete(
        self,
        subject: type[M],
        key: Key,
        /,
        *,
        when: bool | None = None,
        returning: Literal[True],
    ) -> M | None: ...
    @overload
    def delete(self, subject: Instance, /, *, when: bool | None = None) -> None: ...
    @overload
    def delete(
        self, subject: M, /, *, when: bool | None = None, returning: Literal[True]
    ) -> M | None: ...
    def delete(
        self,
        subject: object,
        key: object = NO_KEY,
        /,
        *,
        when: bool | None = None,
        returning: bool = False,
    ) -> Any:
        __tracebackhide__ = True
        return self._drive(self._delete(subject, key, when=when, returning=returning))

    @overload
    def update(
        self,
        subject: type[M],
        key: Key,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["new"] = "new",
    ) -> M: ...
    @overload
    def update(
        self,
        subject: type[M],
        key: Key,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["old"],
    ) -> M | None: ...
    @overload
    def update(
        self,
        subject: type[M],
        key: Key,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["changed", "changed_old"],
    ) -> dict[str, Any]: ...
    @overload
    def update(
        self,
        subject: type[M],
        key: Key,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: None,
    ) -> None: ...
    @overload
    def update(
        self,
        subject: M,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["new"] = "new",
    ) -> M: ...
    @overload
    def update(
        self,
        subject: M,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["old"],
    ) -> M | None: ...
    @overload
    def update(
        self,
        subject: Instance,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Literal["changed", "changed_old"],
    ) -> dict[str, Any]: ...
    @overload
    def update(
        self,
        subject: Instance,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: None,
    ) -> None: ...
    def update(
        self,
        subject: object,
        key: object = NO_KEY,
        /,
        *actions: Action,
        when: bool | None = None,
        upsert: bool = False,
        returns: Returns = "new",
    ) -> Any:
        __tracebackhide__ = True
        return self._drive(
            self._update(subject, key, actions, when=when, upsert=upsert, returns=returns)
        )

    def edit(self, obj: M, /, *, guard: bool = False) -> Editing[M]:
        self._check_writable()
        self._drive(self._settle_taking())  # with which versions move
        return Editing(self, obj, edits.begin(obj, guard=guard))

    def transaction(self, *, token: str | None = None, now: datetime | None = None) -> Transaction:
        self._check_writable()
        return blocks.Transaction(self, token, now)

    def lock(
        self,
        name: str,
        /,
        *,
        for_: timedelta,
        wait: timedelta | None = None,
        table: str = "dynattrs-leases",
    ) -> Lock:
        self._check_open()
        return locks.Lock(self, name, for_, wait, table)

    @property
    def tables(self) -> Tables:
        return blocks.Tables(self)

    @property
    def client(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self._driver.wire.client)
