"""The methods of a session and a batch that read items and run PartiQL. See `aio.handles`;
`session.reads` is its twin, line for line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from dynattrs.aio.driver import Driver
from dynattrs.deferral import deferred
from dynattrs.models.model import Instance, M
from dynattrs.operations.flows import Async, Flow, written_as
from dynattrs.session.any_handle import AnyHandle
from dynattrs.tracebacks import hidden

if TYPE_CHECKING:
    from dynattrs.aio import results, searches
    from dynattrs.aio.results import AsyncItems, AsyncQuery, AsyncRows
    from dynattrs.aio.searches import AsyncSearch
    from dynattrs.expressions.operand_types import Key
    from dynattrs.operations.reading import query, search
    from dynattrs.operations.reading.search_vectors import Vector
else:
    query = deferred("dynattrs.operations.reading.query")
    results = deferred("dynattrs.aio.results")
    search = deferred("dynattrs.operations.reading.search")
    searches = deferred("dynattrs.aio.searches")

__tracebackhide__ = hidden

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
Row = TypeVar("Row", bound="tuple[Any, ...]")


@written_as("session")
class AsyncReadingHandle(AnyHandle, Async):
    """The methods of a session and a batch that read."""

    _driver: Driver

    async def _drive(self, flow: Flow[R]) -> R:
        __tracebackhide__ = True
        return await self._driver.drive(flow)

    @overload
    def query(self, one: type[M], /) -> AsyncQuery[M]: ...
    @overload
    def query(self, one: type[A], two: type[B], /) -> AsyncQuery[A | B]: ...
    @overload
    def query(self, one: type[A], two: type[B], three: type[C], /) -> AsyncQuery[A | B | C]: ...
    @overload
    def query(
        self, one: type[A], two: type[B], three: type[C], four: type[D], /
    ) -> AsyncQuery[A | B | C | D]: ...
    @overload
    def query(
        self, one: type[A], two: type[B], three: type[C], four: type[D], five: type[E], /
    ) -> AsyncQuery[A | B | C | D | E]: ...
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
    ) -> AsyncQuery[Any]: ...
    def query(self, *models: type[object]) -> AsyncQuery[Any]:
        return self._lazy(models, "query")

    @overload
    def scan(self, one: type[M], /) -> AsyncQuery[M]: ...
    @overload
    def scan(self, one: type[A], two: type[B], /) -> AsyncQuery[A | B]: ...
    @overload
    def scan(self, one: type[A], two: type[B], three: type[C], /) -> AsyncQuery[A | B | C]: ...
    @overload
    def scan(
        self, one: type[A], two: type[B], three: type[C], four: type[D], /
    ) -> AsyncQuery[A | B | C | D]: ...
    @overload
    def scan(
        self, one: type[A], two: type[B], three: type[C], four: type[D], five: type[E], /
    ) -> AsyncQuery[A | B | C | D | E]: ...
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
    ) -> AsyncQuery[Any]: ...
    def scan(self, *models: type[object]) -> AsyncQuery[Any]:
        return self._lazy(models, "scan")

    def _lazy(
        self, models: Sequence[type[object]], operation: Literal["query", "scan"]
    ) -> AsyncQuery[Any]:
        return query.begin(results.AsyncQuery[Any], self, models, operation)

    @overload
    async def get(
        self, model: type[M], key: Key, *, consistent: bool = False, unexpired: bool = False
    ) -> M | None: ...
    @overload
    async def get(
        self,
        model: type[Instance],
        key: Key,
        *,
        as_: type[A],
        consistent: bool = False,
        unexpired: bool = False,
    ) -> A | None: ...
    @overload
    async def get(
        self,
        model: type[Instance],
        key: Key,
        *,
        select: Row,
        consistent: bool = False,
        unexpired: bool = False,
    ) -> Row | None: ...
    async def get(
        self,
        model: type[object],
        key: Key,
        *,
        as_: type[object] | None = None,
        select: tuple[Any, ...] | None = None,
        consistent: bool = False,
        unexpired: bool = False,
    ) -> Any:
        __tracebackhide__ = True
        return await self._drive(
            self._object(
                model, key, as_=as_, select=select, consistent=consistent, unexpired=unexpired
            )
        )

    @overload
    async def get_one(
        self, model: type[M], key: Key, *, consistent: bool = False, unexpired: bool = False
    ) -> M: ...
    @overload
    async def get_one(
        self,
        model: type[Instance],
        key: Key,
        *,
        as_: type[A],
        consistent: bool = False,
        unexpired: bool = False,
    ) -> A: ...
    @overload
    async def get_one(
        self,
        model: type[Instance],
        key: Key,
        *,
        select: Row,
        consistent: bool = False,
        unexpired: bool = False,
    ) -> Row: ...
    async def get_one(
        self,
        model: type[object],
        key: Key,
        *,
        as_: type[object] | None = None,
        select: tuple[Any, ...] | None = None,
        consistent: bool = False,
        unexpired: bool = False,
    ) -> Any:
        __tracebackhide__ = True
        return await self._drive(
            self._object(
                model,
                key,
                as_=as_,
                select=select,
                consistent=consistent,
                unexpired=unexpired,
                there=True,
            )
        )

    @overload
    def search(self, model: type[M], vector: Vector, /, *, top_k: int = 10) -> AsyncSearch[M]: ...
    @overload
    def search(
        self, field: object, vector: Vector, /, *, top_k: int = 10, model: type[M]
    ) -> AsyncSearch[M]: ...
    @overload
    def search(self, field: object, vector: Vector, /, *, top_k: int = 10) -> AsyncSearch[Any]: ...
    def search(
        self, subject: object, vector: Vector, /, *, top_k: int = 10, model: Any = None
    ) -> AsyncSearch[Any]:
        return search.begin(searches.AsyncSearch[Any], self, subject, vector, top_k, model)

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
    ) -> AsyncItems[M]: ...
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
    ) -> AsyncItems[M | None]: ...
    @overload
    def get_many(
        self,
        model: type[Instance],
        keys: Iterable[Key],
        /,
        *,
        as_: type[A],
        ordered: bool = False,
        missing: Literal["skip"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[A]: ...
    @overload
    def get_many(
        self,
        model: type[Instance],
        keys: Iterable[Key],
        /,
        *,
        as_: type[A],
        ordered: bool = False,
        missing: Literal["none"],
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[A | None]: ...
    @overload
    def get_many(
        self,
        model: type[Instance],
        keys: Iterable[Key],
        /,
        *,
        select: Row,
        ordered: bool = False,
        missing: Literal["skip"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[Row]: ...
    @overload
    def get_many(
        self,
        model: type[Instance],
        keys: Iterable[Key],
        /,
        *,
        select: Row,
        ordered: bool = False,
        missing: Literal["none"],
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[Row | None]: ...
    @overload
    def get_many(
        self,
        wanted: Iterable[tuple[type[M], Key]],
        /,
        *,
        ordered: bool = False,
        missing: Literal["skip"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[M]: ...
    @overload
    def get_many(
        self,
        wanted: Iterable[tuple[type[M], Key]],
        /,
        *,
        ordered: bool = False,
        missing: Literal["none"],
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[M | None]: ...
    @overload
    def get_many(
        self,
        wanted: Iterable[tuple[type[Instance], object]],
        /,
        *,
        as_: type[A],
        ordered: bool = False,
        missing: Literal["skip"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[A]: ...
    @overload
    def get_many(
        self,
        wanted: Iterable[tuple[type[Instance], object]],
        /,
        *,
        as_: type[A],
        ordered: bool = False,
        missing: Literal["none"],
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[A | None]: ...
    @overload
    def get_many(
        self,
        wanted: Iterable[tuple[type[Instance], object]],
        /,
        *,
        select: Row,
        ordered: bool = False,
        missing: Literal["skip"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[Row]: ...
    @overload
    def get_many(
        self,
        wanted: Iterable[tuple[type[Instance], object]],
        /,
        *,
        select: Row,
        ordered: bool = False,
        missing: Literal["none"],
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[Row | None]: ...
    @overload
    def get_many(  # what a checker finds no common type for
        self,
        wanted: Iterable[tuple[type[Instance], object]],
        /,
        *,
        ordered: bool = False,
        missing: Literal["skip", "none"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[Any]: ...
    def get_many(
        self,
        wanted: Any,
        keys: Iterable[Key] | None = None,
        /,
        *,
        as_: type[object] | None = None,
        select: tuple[Any, ...] | None = None,
        ordered: bool = False,
        missing: Literal["skip", "none"] = "skip",
        consistent: bool = False,
        unexpired: bool = False,
    ) -> AsyncItems[Any]:
        found = self._batch_get(
            wanted, keys, as_=as_, select=select, consistent=consistent, unexpired=unexpired,
            ordered=ordered, missing=missing,
        )  # fmt: skip
        return results.AsyncItems(self, found)

    @overload
    async def execute(
        self, statement: str, /, *parameters: object, model: type[M], consistent: bool = False
    ) -> AsyncRows[M]: ...
    @overload
    async def execute(
        self, statement: str, /, *parameters: object, model: None = None, consistent: bool = False
    ) -> AsyncRows[dict[str, Any]]: ...
    async def execute(
        self, statement: str, /, *parameters: object, model: object = None, consistent: bool = False
    ) -> AsyncRows[Any]:
        made = await self._drive(
            self._statement(statement, parameters, model, consistent=consistent)
        )
        return results.AsyncRows(self, made)

    @overload
    async def execute_many(
        self,
        statements: Iterable[str | tuple[Any, ...]],
        /,
        *,
        model: type[M],
        consistent: bool = False,
    ) -> list[M | None]: ...
    @overload
    async def execute_many(
        self,
        statements: Iterable[str | tuple[Any, ...]],
        /,
        *,
        model: None = None,
        consistent: bool = False,
    ) -> list[dict[str, Any] | None]: ...
    @overload
    async def execute_many(
        self,
        statement: str,
        rows: Iterable[Sequence[object]],
        /,
        *,
        model: type[M],
        consistent: bool = False,
    ) -> list[M | None]: ...
    @overload
    async def execute_many(
        self,
        statement: str,
        rows: Iterable[Sequence[object]],
        /,
        *,
        model: None = None,
        consistent: bool = False,
    ) -> list[dict[str, Any] | None]: ...
    async def execute_many(
        self,
        statements: object,
        rows: Iterable[Sequence[object]] | None = None,
        /,
        *,
        model: object = None,
        consistent: bool = False,
    ) -> list[Any]:
        return await self._execute_many(statements, rows, model, consistent=consistent)

    @overload
    async def transact_get(self, one: tuple[type[A], Key], /) -> tuple[A | None]: ...
    @overload
    async def transact_get(
        self, one: tuple[type[A], Key], two: tuple[type[B], Key], /
    ) -> tuple[A | None, B | None]: ...
    @overload
    async def transact_get(
        self,
        one: tuple[type[A], Key],
        two: tuple[type[B], Key],
        three: tuple[type[C], Key],
        /,
    ) -> tuple[A | None, B | None, C | None]: ...
    @overload
    async def transact_get(self, *wanted: tuple[type[Instance], Key]) -> tuple[Any, ...]: ...
    @overload
    async def transact_get(
        self, *wanted: tuple[type[Instance], Key], as_: type[A]
    ) -> tuple[A | None, ...]: ...
    @overload
    async def transact_get(
        self, *wanted: tuple[type[Instance], Key], select: Row
    ) -> tuple[Row | None, ...]: ...
    async def transact_get(
        self,
        *wanted: tuple[type[object], Key],
        as_: type[object] | None = None,
        select: tuple[Any, ...] | None = None,
    ) -> tuple[Any, ...]:
        return await self._transact_get(wanted, as_, select)
