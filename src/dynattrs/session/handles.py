"""What a session and a batch have in common.

The verbs are written once, in `operations`, and documented once, in `session.any_handle`. Declared here
are those whose types differ between the two sessions in ways that checkers cannot derive: a generic class
for another one (`Query`, `AsyncQuery`), or overloads. `aio.handles` has the same, line for line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from dynattrs.deferral import deferred
from dynattrs.models.model import Instance, M
from dynattrs.operations.flows import Flow, Sync
from dynattrs.operations.item_keys import NO_KEY
from dynattrs.session.any_handle import AnyEditing, AnyHandle
from dynattrs.session.driver import Driver
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynattrs.expressions.operand_types import Key
    from dynattrs.expressions.updates import Action
    from dynattrs.operations.reading import query
    from dynattrs.operations.writing import edits
    from dynattrs.operations.writing.updates import Returns
    from dynattrs.session import blocks, results
    from dynattrs.session.blocks import Tables, Transaction
    from dynattrs.session.results import Items, Query, Rows
else:
    blocks = deferred("dynattrs.session.blocks")
    edits = deferred("dynattrs.operations.writing.edits")
    query = deferred("dynattrs.operations.reading.query")
    results = deferred("dynattrs.session.results")

__tracebackhide__ = hidden

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")


class Editing(AnyEditing["Handle", A]):
    """The block of `session.edit(obj)`."""

    def __enter__(self) -> A:
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


class Handle(AnyHandle, Sync):
    """What a session and a batch have in common."""

    _driver: Driver

    def _drive(self, flow: Flow[R]) -> R:
        __tracebackhide__ = True
        return self._driver.drive(flow)

    @overload
    def save(self, obj: M, *, when: bool | None = None) -> M: ...
    @overload
    def save(self, obj: M, *, when: bool | None = None, returning: Literal[True]) -> M | None: ...
    def save(self, obj: object, *, when: bool | None = None, returning: bool = False) -> Any:
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
        return self._drive(
            self._update(subject, key, actions, when=when, upsert=upsert, returns=returns)
        )

    @overload
    def query(self, one: type[M], /) -> Query[M]: ...
    @overload
    def query(self, one: type[A], two: type[B], /) -> Query[A | B]: ...
    @overload
    def query(self, one: type[A], two: type[B], three: type[C], /) -> Query[A | B | C]: ...
    @overload
    def query(
        self, one: type[A], two: type[B], three: type[C], four: type[D], /
    ) -> Query[A | B | C | D]: ...
    @overload
    def query(
        self, one: type[A], two: type[B], three: type[C], four: type[D], five: type[E], /
    ) -> Query[A | B | C | D | E]: ...
    @overload
    def query(
        self,
        one: type[object],
        two: type[object],
        three: type[object],
        four: type[object],
        five: type[object],
        six: type[object],
        /,
        *more: type[object],
    ) -> Query[Any]: ...
    def query(self, *models: type[object]) -> Query[Any]:
        return self._lazy(models, "query")

    @overload
    def scan(self, one: type[M], /) -> Query[M]: ...
    @overload
    def scan(self, one: type[A], two: type[B], /) -> Query[A | B]: ...
    @overload
    def scan(self, one: type[A], two: type[B], three: type[C], /) -> Query[A | B | C]: ...
    @overload
    def scan(
        self, one: type[A], two: type[B], three: type[C], four: type[D], /
    ) -> Query[A | B | C | D]: ...
    @overload
    def scan(
        self, one: type[A], two: type[B], three: type[C], four: type[D], five: type[E], /
    ) -> Query[A | B | C | D | E]: ...
    @overload
    def scan(
        self,
        one: type[object],
        two: type[object],
        three: type[object],
        four: type[object],
        five: type[object],
        six: type[object],
        /,
        *more: type[object],
    ) -> Query[Any]: ...
    def scan(self, *models: type[object]) -> Query[Any]:
        return self._lazy(models, "scan")

    def _lazy(
        self, models: Sequence[type[object]], operation: Literal["query", "scan"]
    ) -> Query[Any]:
        return query.begin(results.Query[Any], self, models, operation)

    @overload
    def get_many(
        self,
        model: type[M],
        keys: Iterable[Key],
        /,
        *,
        ordered: bool = False,
        missing: Literal["skip"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> Items[M]: ...
    @overload
    def get_many(
        self,
        model: type[M],
        keys: Iterable[Key],
        /,
        *,
        ordered: bool = False,
        missing: Literal["none"],
        consistent: bool = False,
        unexpired: bool = False,
    ) -> Items[M | None]: ...
    def get_many(
        self,
        model: type[M],
        keys: Iterable[Key],
        /,
        *,
        ordered: bool = False,
        missing: Literal["skip", "none"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> Items[Any]:
        found = self._batch_get(
            model, keys, consistent=consistent, unexpired=unexpired, ordered=ordered,
            missing=missing,
        )  # fmt: skip
        return results.Items(self, found)

    @overload
    def execute(
        self, statement: str, /, *parameters: object, model: type[M], consistent: bool = False
    ) -> Rows[M]: ...
    @overload
    def execute(
        self, statement: str, /, *parameters: object, model: None = None, consistent: bool = False
    ) -> Rows[dict[str, Any]]: ...
    def execute(
        self, statement: str, /, *parameters: object, model: object = None, consistent: bool = False
    ) -> Rows[Any]:
        made, first = self._drive(
            self._statement(statement, parameters, model, consistent=consistent)
        )
        return results.Rows(self, made, first)

    def edit(self, obj: M, /, *, guard: bool = False) -> Editing[M]:
        self._check_writable()
        self._drive(self._settle_taking())  # with which versions move
        return Editing(self, obj, edits.begin(obj, guard=guard))

    def transaction(self, *, token: str | None = None, now: datetime | None = None) -> Transaction:
        self._check_writable()
        return blocks.Transaction(self, token, now)

    @overload
    def transact_get(self, one: tuple[type[A], Key], /) -> tuple[A | None]: ...
    @overload
    def transact_get(
        self, one: tuple[type[A], Key], two: tuple[type[B], Key], /
    ) -> tuple[A | None, B | None]: ...
    @overload
    def transact_get(
        self,
        one: tuple[type[A], Key],
        two: tuple[type[B], Key],
        three: tuple[type[C], Key],
        /,
    ) -> tuple[A | None, B | None, C | None]: ...
    @overload
    def transact_get(self, *wanted: tuple[type[object], Key]) -> tuple[Any, ...]: ...
    def transact_get(self, *wanted: tuple[type[object], Key]) -> tuple[Any, ...]:
        return self._transact_get(wanted)

    @property
    def tables(self) -> Tables:
        return blocks.Tables(self)

    @property
    def client(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self._driver.wire.client)
