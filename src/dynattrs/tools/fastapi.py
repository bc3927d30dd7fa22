"""Models as bodies of requests, and errors as answers, in services on FastAPI.

What an answer says is for clients: which model, which fields, and what to do. Values, keys and conditions
stay inside, because they may be others' or the program's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from dynattrs.errors import (
    AlreadyTaken,
    ConditionFailed,
    ConnectionFailed,
    CursorError,
    DynattrsError,
    ImpossibleKey,
    ItemExists,
    KeyChanged,
    MissingExtra,
    NoSuchItem,
    OtherKind,
    OutcomeUnknown,
    ServiceUnavailable,
    Throttled,
    UnsentWrites,
)
from dynattrs.operations.transaction_errors import TransactionFailed

try:
    from fastapi import Body as _Body
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse
except ImportError as _error:
    raise MissingExtra("fastapi", "fastapi") from _error

T = TypeVar("T")

#: `song: Body[Song]`: the body of a request. FastAPI takes a parameter for a body where its type is
#: pydantic's own; what stands bare and is not is taken for a query parameter.
Body: TypeAlias = Annotated[T, _Body()]


def errors(app: FastAPI) -> None:
    """Answer the errors that a client can do something about. Without it they are 500.

    404: `NoSuchItem`, `OtherKind`. 409: `ItemExists`, `AlreadyTaken`, `ConditionFailed`, `TransactionFailed`.
    400: `CursorError`, `ImpossibleKey`, `KeyChanged`. 503: `Throttled`, `ServiceUnavailable`,
    `ConnectionFailed`, `OutcomeUnknown`.

    A transaction that failed by throttling alone is 503, too, and so are `UnsentWrites` of a batch whose
    writes may all be done by another attempt. Those with a write that was not as the request expects, such
    as a new item whose key is taken, are 409.

    The body is `{"detail": "...", "error": "NoSuchItem"}`, for `AlreadyTaken` with the names of its
    `fields`. It has no values and no conditions, and of keys only what the request itself has in its path
    or its query. All other errors are the program's, and stay
    500. A handler that the app adds for one of these afterwards takes precedence.
    """
    for cls, (status, detail) in _ANSWERS.items():
        app.add_exception_handler(cls, _answering(status, detail))
    app.add_exception_handler(UnsentWrites, _unsent)


def _answering(status: int, detail: Callable[[Any], str]) -> Callable[[Request, Exception], Any]:
    async def answer(request: Request, error: Exception) -> JSONResponse:
        content: dict[str, Any] = {"detail": detail(error), "error": type(error).__name__}
        if isinstance(error, NoSuchItem) and _is_asked(request, error.key):
            content["detail"] = f"T{str(error)[1:]}"
        if isinstance(error, AlreadyTaken):
            content["fields"] = list(error.fields)
        code, headers = status, {}
        if isinstance(error, TransactionFailed) and _is_throttled(error):
            code = 503
        if isinstance(error, Throttled) or code != status:
            headers["Retry-After"] = "1"
        return JSONResponse(content, code, headers)

    return answer


async def _unsent(request: Request, error: Any) -> JSONResponse:
    causes = [each.cause for each in error.unsent]
    if not all(isinstance(cause, (*_AGAIN, *_CONFLICTS)) for cause in causes):
        # It is the program's, and stays 500.
        raise error
    count = f"{len(causes)} of the writes {'was' if len(causes) == 1 else 'were'} not stored"
    content = {"detail": f"{count}; send them again later", "error": type(error).__name__}
    if all(isinstance(cause, _AGAIN) for cause in causes):
        return JSONResponse(content, 503, {"Retry-After": "1"})
    content["detail"] = (
        f"{count}: what is there is not as the request expects; all others are stored"
    )
    return JSONResponse(content, 409)


def _is_asked(request: Request, key: Any) -> bool:
    """Whether all of a key is in the path or the query of a request."""
    parts = key.values() if isinstance(key, Mapping) else key if isinstance(key, tuple) else (key,)
    given = {*map(str, request.path_params.values()), *request.query_params.values()}
    return given.issuperset(map(str, parts))


#: Why the service lets a transaction fail that another attempt may do.
_PASSING: Final = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})


def _is_throttled(error: TransactionFailed) -> bool:
    codes = {reason.code for reason in error.reasons if reason is not None}
    return bool(codes) and codes <= _PASSING


def _without_key(expected: str) -> str:
    """What was expected, without how the table's keys are made, which is not for clients."""
    return expected.partition(" (in the key ")[0]


def _exists(error: ItemExists) -> str:
    if error.kind is not None:
        return f"The key of this {error.model} is taken by an item of another kind"
    return f"The key of this {error.model} is taken already"


def _failed(error: TransactionFailed) -> str:
    if _is_throttled(error):
        return _LATER
    return "Something was changed in the meantime, or is not as the request expects; nothing was written"


def _unreached(error: ConnectionFailed | ServiceUnavailable) -> str:
    return "The store does not answer; a change may have been made" if error.uncertain else _LATER


_AGAIN: Final = (Throttled, ServiceUnavailable, ConnectionFailed)
_CONFLICTS: Final = (ConditionFailed, AlreadyTaken)
_LATER: Final = "The service is busy; try again later"
_ANSWERS: Final[dict[type[DynattrsError], tuple[int, Callable[[Any], str]]]] = {
    NoSuchItem: (404, lambda error: f"There is no {error.model} with this key"),
    OtherKind: (404, lambda error: f"There is no {error.model} with this key"),
    ItemExists: (409, _exists),
    AlreadyTaken: (409, lambda error: f"{error.model}.{'+'.join(error.fields)} is taken already"),
    ConditionFailed: (
        409, lambda error: f"The {error.model} is not as the request expects; nothing was written"
    ),
    TransactionFailed: (409, _failed),
    CursorError: (400, lambda error: "The cursor is damaged, or belongs to another query"),
    ImpossibleKey: (400, lambda error: f"{error.path}: expected {_without_key(error.expected)}"),
    KeyChanged: (400, lambda error: "The key of an item never changes"),
    Throttled: (503, lambda error: _LATER),
    ServiceUnavailable: (503, _unreached),
    ConnectionFailed: (503, _unreached),
    OutcomeUnknown: (
        503, lambda error: f"A change of the {error.model} may have been made; read it before another"
    ),
}  # fmt: skip
