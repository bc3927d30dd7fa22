"""PartiQL statements with typed rows.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final, Generic, TypeVar

import attrs

from dynattrs.errors import (
    ConditionError,
    ConditionFailed,
    ConnectionFailed,
    ItemExists,
    OutcomeUnknown,
    PartialIndex,
    QueryError,
    ServiceError,
)
from dynattrs.keys.discriminator import is_guard, subclasses
from dynattrs.keys.planner import check_holds
from dynattrs.keys.plans import Wanted
from dynattrs.mapper import default
from dynattrs.mapper.anything import load_any
from dynattrs.mapper.named import answering
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Decode, Flow
from dynattrs.operations.reading.objects import decoder, made_of, reading_own
from dynattrs.operations.reading.pages import Source, failing_again
from dynattrs.operations.refusals import FAILURES, ConditionFalse, found_object, quietly
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, guarded_tables, model_info
from dynattrs.schema.table import AttributeMap, AttributeValue

R = TypeVar("R")

#: Texts and names, which may have in them what looks like a comment, and comments.
_COMMENTS: Final = re.compile(r"""('[^']*'|"[^"]*")|--[^\n]*|/\*.*?\*/""", re.DOTALL)
#: What may ask something of an item that is there. Asked for the item, DynamoDB Local says of a second INSERT
#: that a condition was false, and not that there is one already.
_CONDITIONAL: Final = re.compile(r"\s*(UPDATE|DELETE)\b", re.IGNORECASE)
_SELECT: Final = re.compile(r"[\s(]*SELECT\b", re.IGNORECASE)
_SELECT_ALL: Final = re.compile(r"[\s(]*SELECT\s*\*\s*FROM\b", re.IGNORECASE)
#: The index that whole rows come from; a table's own name may have dots between its quotes.
_INDEX: Final = re.compile(
    _SELECT_ALL.pattern
    + r"""[\s(]*(?:"[^"]*"|[^\s."\[]+)\s*[.\[]\s*(?:"([^"]*)"|'([^']*)'|([\w-]*))""",
    re.IGNORECASE,
)
_MODIFIED: Final = re.compile(r"\bRETURNING\s+MODIFIED\s+(OLD|NEW)\s*\*\s*;?\s*$", re.IGNORECASE)


# --- What is asked --------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Said:
    """A statement with its parameters.

    Attributes:
        statement: The statement.
        parameters: The values of its `?`.
        reads: Whether it changes nothing.
        request: Both as requests have them.
    """

    statement: str
    parameters: tuple[object, ...]
    reads: bool
    request: Message

    def __str__(self) -> str:
        return quoted(self.statement, 200)


def said(statement: object, parameters: Sequence[object], *, consistent: bool = False) -> Said:
    """A statement that is to be sent.

    Raises:
        QueryError: It is none.
        ConditionError: A parameter has no form in DynamoDB.
    """
    if not isinstance(statement, str):
        raise QueryError(f"{quoted(statement)}: a statement of PartiQL, a str, is expected")
    request: Message = {"Statement": statement}
    if parameters:
        request["Parameters"] = [_encoded(each) for each in parameters]
    if consistent:
        request["ConsistentRead"] = True
    if _CONDITIONAL.match(_bare(statement)):
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return Said(statement, tuple(parameters), reads(statement), request)


def reads(statement: str) -> bool:
    """Whether a statement changes nothing."""
    return _SELECT.match(_bare(statement)) is not None


def _bare(statement: str) -> str:
    """A statement without its comments."""
    return _COMMENTS.sub(lambda found: found[1] or " ", statement)


def check_whole(statement: str, info: ModelInfo) -> None:
    """Refuse to read objects from a statement that gives only some attributes.

    Raises:
        QueryError: Fields that were not read would be defaults, and a save would store those.
        PartialIndex: The same, because of the index that the statement reads.
    """
    bare, model = _bare(statement), info.name
    if reads(statement) and not _SELECT_ALL.match(bare):
        raise QueryError(
            f"the statement selects some attributes, and a {model} that lacks the others must not be "
            f"saved back; write SELECT *, or leave model out for plain rows"
        )
    if (found := _INDEX.match(bare)) is not None:
        index = found[1] or found[2] or found[3]
        if not _holds_all(info, index):
            raise PartialIndex(
                f"index {quoted(index)} is not known to hold whole items of {model}, and one that lacks "
                f"the rest must not be saved back; select from the table itself, or leave model out for "
                f"plain rows"
            )
    if (found := _MODIFIED.search(bare)) is not None:
        raise QueryError(
            f"the statement returns what it modifies, and a {model} that lacks the other attributes "
            f"must not be saved back; write RETURNING ALL {found[1].upper()} *, or leave model out for "
            f"plain rows"
        )


def _holds_all(info: ModelInfo, index: str) -> bool:
    """Whether a model's index holds all that an object is made of."""
    for keys in info.table.key_schemas:
        if keys.index is not None and keys.index.name == index:
            try:
                return not check_holds(Wanted(info, (), others=tuple(subclasses(info))), keys)
            except PartialIndex:
                return False
    return False


def _encoded(value: object) -> AttributeValue:
    try:
        return default.codec(Any).dump(value)
    except Exception as error:
        expected = getattr(error, "expected", "a value that DynamoDB can hold")
        raise ConditionError(
            f"a statement's parameter is {quoted(value)}; expected {expected}"
        ) from error


# --- What comes of it -----------------------------------------------------------------------------


def _plain_row(item: AttributeMap) -> dict[str, Any]:
    return {name: load_any(value) for name, value in item.items()}


@attrs.frozen(eq=False)
class RowReader:
    """Makes rows of items: objects of a model, or dicts of plain values.

    Attributes:
        info: The model, if there is one.
        load: Makes an object of an item.
        finish: The hooks that it goes through then.
        decode: Reads a reply to a single statement.
    """

    info: ModelInfo | None = None
    load: Callable[[Any], Any] = _plain_row
    finish: Callable[[Any], Any] | None = None
    decode: Decode | None = None

    def check(self, said: Said) -> None:
        """Refuse a statement that gives parts of items as objects.

        Raises:
            QueryError: It does.
        """
        if self.info is not None:
            check_whole(said.statement, self.info)

    @property
    def has_guards(self) -> bool:
        """Whether among the items there may be guards of unique values, which are not rows."""
        return self.info is not None and self.info.table.name in guarded_tables

    def is_guard(self, item: Any) -> bool:
        return self.info is not None and is_guard(self.info.table, item)

    def read(self, item: Any) -> Any:
        row = self.load(item)
        return row if self.finish is None else self.finish(row)

    def row(self, said: Said, item: Any) -> Any:
        """The row of a statement that has one at most; None where it has none.

        Raises:
            MappingError: The item cannot be read; it says so where the statement was a write, and done.
        """
        if not item or (self.has_guards and self.is_guard(item)):
            return None
        with nullcontext() if said.reads else answering():
            return self.read(item)

    def refused(
        self, operation: str, kind: type[ConditionFailed], said: Said, item: AttributeMap | None
    ) -> ConditionFailed:
        """The error where what is stored is the reason why a statement was not done."""
        found = self.found(item) if item else None
        return kind(operation, "item", None, str(said), found)

    def found(self, item: AttributeMap) -> Any:
        """An item that a condition was asked of, as a row; as it is stored where it cannot be read."""
        if self.info is None:
            return _plain_row(item)
        found = found_object(self.info, item)
        if self.finish is None or type(found) is not self.info.cls:
            return found
        return quietly(self.finish, found)


def rows_of(core: Core, model: Any) -> RowReader:
    """What makes rows of the items that statements give, of any key.

    Raises:
        ModelError: *model* is none.
    """
    if model is None:
        return RowReader()
    info = model_info(model)
    core.table_name(info.table)  # the statement names it, and tests may have to make it
    # Not the function that makes objects now: rows may learn on the way.
    load = reading_own(info, model, functools.partial(made_of, info, model))
    return RowReader(info, load, core.after_load(info), decoder(info, model, "Items"))


class Statement(Source, Generic[R]):
    """The rows of one statement, page by page."""

    def __init__(self, said: Said, reader: RowReader) -> None:
        self.said = said
        self._parameters: Message = dict(said.request)
        self._reader = reader
        self._done = False
        #: The first page, which is there before it is asked for.
        self._first: list[R] | None = None

    def begin(self) -> Flow[None]:
        """Run the statement: what it writes is done then."""
        self._first = yield from self._page()

    @failing_again
    def next(self) -> Flow[list[R] | None]:
        """The rows of the next page, or None at the end."""
        first, self._first = self._first, None
        return (yield from self._page()) if first is None else first

    def close(self) -> None:
        """Give no more rows."""
        self._first, self._done = None, True

    def _page(self) -> Flow[list[R] | None]:
        if self._done:
            return None
        reading, reader = self.said.reads, self._reader
        call = Call(
            "execute_statement", dict(self._parameters), repeat=reading, decode=reader.decode
        )
        try:
            response = yield call
        except FAILURES as error:
            refusal = _refusal(error)
            if refusal is not None:
                item = getattr(error, "item", None)
                raise reader.refused(error.operation, refusal, self.said, item) from error
            if reading or not error.uncertain:
                raise
            raise OutcomeUnknown(error.operation, "what the statement says") from error
        token = response.get("NextToken")
        self._done = token is None
        self._parameters["NextToken"] = token
        items = response.get("Items", [])
        if reader.has_guards:
            items = itertools.filterfalse(reader.is_guard, items)
        with nullcontext() if reading else answering():
            return [reader.read(item) for item in items]


def _refusal(error: ServiceError | ConnectionFailed) -> type[ConditionFailed] | None:
    """What a refusal is, where what is stored is the reason."""
    if isinstance(error, ConditionFalse):
        return ConditionFailed
    duplicate = getattr(error, "code", "").startswith("DuplicateItem")
    return ItemExists if duplicate else None
