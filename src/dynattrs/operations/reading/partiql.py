"""PartiQL statements with typed rows.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final, Generic, TypeVar

from dynattrs.errors import (
    ConditionError,
    ConditionFailed,
    ConnectionFailed,
    ItemExists,
    OutcomeUnknown,
    QueryError,
    ServiceError,
)
from dynattrs.mapper import default
from dynattrs.mapper.named import answering
from dynattrs.operations.flows import Call, Decode, Flow
from dynattrs.operations.reading.pages import Source, failing_again
from dynattrs.operations.refusals import FAILURES, ConditionFalse
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message
from dynattrs.schema.table import AttributeValue

R = TypeVar("R")

_SELECT: Final = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_SELECT_ALL: Final = re.compile(r"\s*SELECT\s*\*\s*FROM\b", re.IGNORECASE)
_MODIFIED: Final = re.compile(r"\bRETURNING\s+MODIFIED\s+(OLD|NEW)\s*\*\s*;?\s*$", re.IGNORECASE)


class Statement(Source, Generic[R]):
    """The rows of one statement, page by page."""

    def __init__(
        self,
        statement: str,
        parameters: Sequence[object],
        read: Callable[[Any], R],
        *,
        consistent: bool,
        decode: Decode | None = None,
        left_out: Callable[[Any], bool] | None = None,
    ) -> None:
        self._parameters: Message = {"Statement": statement}
        if parameters:
            self._parameters["Parameters"] = [_encoded(each) for each in parameters]
        if consistent:
            self._parameters["ConsistentRead"] = True
        self._read = read
        self._decode = decode
        self._left_out = left_out
        self._reads = reads(statement)
        self._done = False
        #: The first page, which is there before anybody asks for it.
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
        call = Call(
            "execute_statement", dict(self._parameters), repeat=self._reads, decode=self._decode
        )
        try:
            response = yield call
        except FAILURES as error:
            refusal = _refusal(error)
            if refusal is not None:
                statement = quoted(self._parameters["Statement"], 200)
                raise refusal(error.operation, "item", None, statement) from error
            if self._reads or not error.uncertain:
                raise
            raise OutcomeUnknown(error.operation, "what the statement says") from error
        token = response.get("NextToken")
        self._done = token is None
        self._parameters["NextToken"] = token
        items = response.get("Items", [])
        if self._left_out is not None:
            items = itertools.filterfalse(self._left_out, items)
        with nullcontext() if self._reads else answering():
            return [self._read(item) for item in items]


def _refusal(error: ServiceError | ConnectionFailed) -> type[ConditionFailed] | None:
    """What a refusal is, where what is stored is the reason."""
    if isinstance(error, ConditionFalse):
        return ConditionFailed
    duplicate = getattr(error, "code", "").startswith("DuplicateItem")
    return ItemExists if duplicate else None


def reads(statement: str) -> bool:
    """Whether a statement changes nothing."""
    return _SELECT.match(statement) is not None


def check_whole(statement: str, model: str) -> None:
    """Refuse to read objects from a statement that gives only some attributes.

    Raises:
        QueryError: Fields that were not read would be defaults, and a save would store those.
    """
    if reads(statement) and not _SELECT_ALL.match(statement):
        raise QueryError(
            f"the statement selects some attributes, and a {model} that lacks the others must not be "
            f"saved back; write SELECT *, or leave model out for plain rows"
        )
    if (found := _MODIFIED.search(statement)) is not None:
        raise QueryError(
            f"the statement returns what it modifies, and a {model} that lacks the other attributes "
            f"must not be saved back; write RETURNING ALL {found[1].upper()} *, or leave model out for "
            f"plain rows"
        )


def _encoded(value: object) -> AttributeValue:
    try:
        return default.codec(Any).dump(value)
    except Exception as error:
        expected = getattr(error, "expected", "a value that DynamoDB can hold")
        raise ConditionError(
            f"a statement's parameter is {quoted(value)}; expected {expected}"
        ) from error
