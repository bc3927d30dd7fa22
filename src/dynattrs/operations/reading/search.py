"""Vector searches, which find the items with the nearest vectors. A search is one request and has no pages.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_SearchVectors.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import attrs

from dynattrs import limits
from dynattrs.errors import (
    AccessDenied,
    ConfigurationError,
    InvalidRequest,
    MappingError,
    NoIndex,
    OtherKind,
    QueryError,
    ServiceError,
)
from dynattrs.expressions.conditions import Condition, condition, expressions, models_of
from dynattrs.expressions.paths import data_of, is_path
from dynattrs.keys.discriminator import Sieve
from dynattrs.keys.kinds import are_told_apart, concerns, keys_tell_subclasses
from dynattrs.keys.searches import SearchPlan, check_held, indexes_over, needed, plan_search
from dynattrs.operations.flows import Call, Flow, verb, written_as
from dynattrs.operations.owner import Owner
from dynattrs.operations.reading import search_vectors
from dynattrs.operations.reading.batch_get import whole_items
from dynattrs.operations.reading.belonging import belonging
from dynattrs.operations.reading.hits import Hit, IndexNotReady
from dynattrs.operations.reading.objects import MixedObjects, Objects
from dynattrs.operations.reading.pages import Source, failing_again
from dynattrs.operations.reading.projections import Keys, OnError, Raw, Reader
from dynattrs.operations.tables.looking import find
from dynattrs.schema import vectors
from dynattrs.schema.definitions import two_names
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import StoredItem
from dynattrs.schema.vectors import VectorIndex
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

T_co = TypeVar("T_co", covariant=True)
Self = TypeVar("Self", bound="SearchVerbs[Any]")
Q = TypeVar("Q", bound="SearchVerbs[Any]")

#: How refusals begin that may pass: the search endpoint knows of an index a while after the table does.
_PASSING: Final = ("does not have the specified index", "Cannot search backfilling")


@written_as("search")
@attrs.frozen(eq=False, repr=False)
class SearchVerbs(Generic[T_co]):
    """A vector search. Every method returns a new search and leaves this one unchanged."""

    _handle: Owner
    _info: ModelInfo
    _indexes: tuple[VectorIndex, ...]
    _vector: tuple[float, ...]
    _top_k: int
    _reader: Reader[T_co]
    _where: tuple[Condition, ...] = ()
    _using: str | None = None
    _hydrate: bool = False
    _on_error: OnError = "raise"

    # --- Saying what is wanted ---

    def where(self: Self, *conditions: bool) -> Self:
        """Search only items for which all *conditions* are true. Each must be an equality on the index's
        partition key, which is required if the index has one, or on one of its filters.

        Raises:
            ConditionError: One is not a condition (`is None`, `in` and `not` are decided by Python),
            QueryError: A condition is about another model. Conditions other than equalities are refused when
                the search is sent.
        """
        checked = tuple(map(condition, conditions))
        for each in checked:
            for model in models_of(each):
                if model is not self._info.cls and not concerns(self._info, model):
                    spoken, asked = two_names(model, self._info.cls)
                    raise QueryError(
                        f"the condition {each} is about {spoken}, but the search is of {asked}"
                    )
        return self._with(where=(*self._where, *checked))

    def using(self: Self, index: str) -> Self:
        """Search this index and no other."""
        if not isinstance(index, str):
            raise QueryError(f"using({index!r}): the name of an index is expected")
        return self._with(using=index)

    def hydrate(self: Self) -> Self:
        """Fetch the whole items by their keys, with one BatchGetItem.

        An item that was deleted after it was indexed is left out. An item that has changed since is returned
        as it is now, with the score of its indexed vector.
        """
        return self._with(hydrate=True)

    def on_error(self: Self, what: OnError, /) -> Self:
        """Say what to do with an item that cannot be read: `"raise"` its `MappingError`, `"skip"` the item,
        or call a function with the error (which has `.key` and `.item`) and skip it.
        """
        if what not in ("raise", "skip") and not callable(what):
            raise QueryError(f"on_error({what!r}): write 'raise', 'skip' or a function")
        return self._with(on_error=what)

    def _with(self: Self, **changes: Any) -> Self:
        return attrs.evolve(self, **changes)

    def _giving(self, kind: Callable[..., Q], reader: Reader[Any]) -> Q:
        """The same search of another *kind*, whose results the *reader* makes."""
        fields = {each.alias: getattr(self, each.name) for each in attrs.fields(type(self))}
        return kind(**{**fields, "reader": reader})

    @property
    def _keys(self) -> Keys:
        info = self._info
        return Keys(info, Sieve((info,)) if keys_tell_subclasses(info) else None)

    # --- What will be asked ---

    @property
    def _table(self) -> str:
        return self._handle._core.table_name(self._info.table)

    def _plan(self) -> SearchPlan:
        return plan_search(self._info, self._indexes, self._where, self._using)

    def _partial(self, found: SearchPlan) -> bool:
        """Whether whole items are fetched afterwards."""
        if isinstance(self._reader, Raw) and not self._hydrate:
            return False
        needs = self._reader.needs
        return check_held(self._info, found.index, needs, hydrate=self._hydrate)

    @property
    def _told_apart(self) -> bool:
        """Whether there may be items of other models, which can be told from these."""
        info = self._info
        alone = info.keys is None and info.table.members.declared < 2
        return not alone and are_told_apart((info,))

    def _projection(self, found: SearchPlan, *, partial: bool) -> tuple[str, ...]:
        """The attributes to be returned; none of them means all that the index holds but the vector."""
        table, needs = self._info.table, self._reader.needs
        if isinstance(self._reader, Raw) and not partial:
            return ()
        wanted = table.key if partial else needed(self._info) if needs is None else sorted(needs)
        held, kind = vectors.held_by(found.index, table.key), table.discriminator
        tells = (kind,) if kind is not None and self._told_apart else ()
        return tuple(
            name
            for name in dict.fromkeys((*table.key, *tells, *wanted))
            if held is None or name in held
        )

    def _parameters(self, found: SearchPlan, *, partial: bool) -> Message:
        said = expressions(found.terms, projection=self._projection(found, partial=partial))
        terms = said.pop("KeyConditionExpression", None)
        return {
            "TableName": self._table,
            "IndexName": found.index.name,
            "SearchVector": search_vectors.stored(self._vector),
            "TopK": self._top_k,
            **({} if terms is None else {"SearchConditionExpression": terms}),
            **said,
        }

    def explain(self) -> str:
        """Explain the request that the search would send, without sending it: index, metric, conditions,
        projection, parameters, and the reasons.

        Raises:
            QueryError: The search cannot be sent as written; the subclass says why.
        """
        found = self._plan()
        if found.nothing is not None:
            return "\n".join(("operation: nothing", f"because {found.nothing}"))
        index, partial = found.index, self._partial(found)
        parameters = self._parameters(found, partial=partial)
        shown = parameters["SearchVector"][:3]
        more = len(parameters["SearchVector"]) - len(shown)
        parameters["SearchVector"] = [*shown, *([f"… {more:,} more"] if more else [])]
        del parameters["TableName"]
        order = "more is nearer" if index.distance == "dot" else "less is nearer"
        part = "one part of the index" if index.partition_key is not None else "the whole index"
        lines = [
            "operation: search_vectors, at the service's search endpoint",
            f"table: {self._table}",
            f"index: {index.name}",
            f"metric: {index.distance}, {order}; the nearest come first, {self._top_k} at most",
            f"conditions: {' & '.join(f'({each})' for each in found.terms) or 'none'}",
            f"projection: {', '.join(self._projection(found, partial=partial)) or 'all but the vector'}",
            f"request: {parameters}",
            f"cost: by the bytes examined of {part}, {4 * index.dimensions:,} a vector; at least 1,024",
        ]
        if partial:
            lines.append("then: BatchGetItem for the whole items")
        return "\n".join([*lines, *(f"because {reason}" for reason in found.why)])

    def __str__(self) -> str:
        from dynattrs.operations.reading.written import written_search

        return written_search(self)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self} has no truth value, because it has not run yet; use first() or all()"
        )

    # --- Reading ---

    def _ask(self, found: SearchPlan, parameters: Message) -> Flow[Message]:
        """The reply. An index that the table has and the search endpoint does not know yet is asked again.

        Raises:
            IndexNotReady: It is being created or filled.
            NoIndex: The table has no such index.
        """
        core, table = self._handle._core, self._table
        until = core.environment.monotonic() + core.deadline.total_seconds()
        attempt = 0
        while True:
            try:
                reply: Message = yield Call("search_vectors", parameters)
            except InvalidRequest as error:
                if not any(each in error.message for each in _PASSING):
                    raise
                yield from self._check_ready(found.index, error)
                attempt += 1
                if core.environment.monotonic() >= until:
                    raise
                yield core.pause_before(attempt, error.operation, (table,), 1, error, until)
            except ServiceError as error:
                if error.code != "UnknownOperationException":
                    raise
                raise ConfigurationError(
                    "this engine has no vector search, as DynamoDB Local has none",
                    "use the service, or the embedded engine, Session.local()",
                ) from error
            else:
                return reply

    def _check_ready(self, index: VectorIndex, error: InvalidRequest) -> Flow[None]:
        """Raise what is meant where the table says that an index cannot be searched."""
        try:
            description = yield from find(self._table)
        except AccessDenied:
            return  # who may search need not be allowed to look
        found = {each["IndexName"]: each for each in (description or {}).get("VectorIndexes", ())}
        if index.name not in found:
            raise NoIndex(
                f"table {self._table!r} has no vector index {index.name!r}, which {self._info.name} "
                f"declares; session.tables.update({self._info.name}) creates it"
            ) from error
        if vectors.is_changing(found[index.name]):
            raise IndexNotReady(error.operation, error.code, error.message, error.table) from error

    def _hits(self) -> Flow[list[Hit[T_co]]]:
        found = self._plan()
        partial = self._partial(found)
        handle = self._handle
        handle._check_open()
        yield from handle._settle_table(self._table)
        if found.nothing is not None:
            return []
        reply = yield from self._ask(found, self._parameters(found, partial=partial))
        results: Sequence[Message] = reply.get("SearchResults", ())
        places: list[StoredItem] = [each.get("Item", {}) for each in results]
        scores = [float(each["Score"]) for each in results]
        items = places
        if partial:
            by_place = {id(place): score for place, score in zip(places, scores, strict=True)}
            decode = self._reader.decoder("Responses")
            pairs, _ = yield from whole_items(handle._core, self._info, decode, False, places)
            items = [item for item, _ in pairs]
            scores = [by_place[id(place)] for _, place in pairs]
        return self._made(found.index, items, scores)

    def _made(
        self, index: VectorIndex, items: Sequence[StoredItem], scores: Sequence[float]
    ) -> list[Hit[T_co]]:
        read, finish = self._reader.reads(), None
        if isinstance(self._reader, (Objects, MixedObjects)):
            finish = self._handle._core.after_load(self._info)
        belongs = None
        if self._told_apart and not isinstance(self._reader, Raw):
            belongs = belonging(self._reader, (self._info,), "raise")
        found: list[Hit[T_co]] = []
        for item, score in zip(items, scores, strict=True):
            try:
                if belongs is not None and not belongs(item):
                    raise self._of_other(item)
                made = read(item)
            except MappingError as error:
                if self._on_error == "raise":
                    raise
                if callable(self._on_error):
                    self._on_error(error)
                continue
            found.append(Hit(made if finish is None else finish(made), score, index.distance))
        return found

    def _of_other(self, item: StoredItem) -> OtherKind:
        # Rows are there only where a library that makes them is.
        from dynattrs.mapper.rows import attribute_map

        stored, table = attribute_map(item), self._info.table
        kind = stored.get(table.discriminator or "", {}).get("S")
        key = {name: stored[name] for name in table.key if name in stored}
        return OtherKind(
            self._info.name, f"an item of {self._info.name}", "one of another model", key,
            "it is in the vector index as well; leave it out with on_error('skip')", stored, kind=kind,
        )  # fmt: skip

    # --- Ends ---

    @verb
    def all(self) -> Flow[list[Hit[T_co]]]:
        """Return all hits in a list, the nearest first."""
        return (yield from self._hits())

    @verb
    def first(self) -> Flow[Hit[T_co] | None]:
        """Return the nearest hit, or None. It requests only one."""
        found = yield from self._with(top_k=1)._hits()
        return found[0] if found else None


class OneReply(Source, Generic[T_co]):
    """The hits of a search, once."""

    def __init__(self, search: SearchVerbs[T_co]) -> None:
        self._search: SearchVerbs[T_co] | None = search

    @failing_again
    def next(self) -> Flow[list[Hit[T_co]] | None]:
        """All of them, then None."""
        if self._search is None:
            return None
        found = yield from self._search._hits()
        self._search = None
        return found


def begin(
    kind: Callable[..., Self],
    handle: Owner,
    subject: object,
    vector: object,
    top_k: int,
    model: Any,
) -> Self:
    """A search of that *kind*.

    Args:
        kind: The class.
        handle: What it asks.
        subject: A field of a model, or a model that has one vector only.
        vector: The numbers.
        top_k: How many hits there are at most.
        model: The model, where a field was given that it has inherited.

    Raises:
        NoIndex: There is no vector index.
        QueryError: The vector is none of the index's dimensions; the subject is not a field.
    """
    attribute: str | None = None
    if is_path(subject):
        data = data_of(subject)
        model = data.model if model is None else model
        if not (isinstance(model, type) and issubclass(model, data.model)):
            raise QueryError(
                f"search({subject!r}, model={model!r}): it is not a field of that model"
            )
        attribute = str(data.steps[0])
        if len(data.steps) != 1:
            raise QueryError(
                f"search({subject!r}): a vector is a field of a model, not a value inside one"
            )
    elif model is None and isinstance(subject, type):
        model = subject
    else:
        raise QueryError(
            f"search({subject!r}): a field with vectors is expected, such as Doc.embedding, or a model"
        )
    info = model_info(model)
    indexes = indexes_over(info, attribute)
    fields = dict.fromkeys(index.vector for index in indexes)
    if len(fields) > 1:
        names = [name for name, stored in info.names.items() if stored in fields]
        raise QueryError(
            f"search({info.name}): it has several vectors; name one, such as {info.name}.{names[0]}"
        )
    if type(top_k) is not int or not 1 <= top_k <= limits.SEARCH_RESULTS:
        raise QueryError(f"top_k={top_k!r}: an int from 1 to {limits.SEARCH_RESULTS} is expected")
    numbers, first = search_vectors.numbers_of(vector), indexes[0]
    if len(numbers) != first.dimensions:
        raise QueryError(
            f"search({info.name}): the vector has {len(numbers):,} numbers, and index {first.name!r} "
            f"{first.dimensions:,} dimensions; use the embedding model that made the stored vectors"
        )
    reader: Reader[Any] = Objects(info, model)
    if model is info.cls and keys_tell_subclasses(info):
        reader = MixedObjects(Sieve((info,)))
    return kind(handle, info, tuple(indexes), numbers, top_k, reader)
