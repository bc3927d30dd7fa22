"""What the traceback of an error shows: the lines of the program that it is about.

An error of this library says what was wrong and what to do, so the frames between the call and the place
that noticed it tell its reader nothing: they are left out, also of the errors that it was raised from.
Frames of the program stay, such as those of a hook. Errors that are not the library's own keep all of
theirs, and with the environment variable `DYNATTRS_TRACEBACKS=full` every error does.
"""

from __future__ import annotations

import os
from types import FrameType, TracebackType
from typing import Final

from dynattrs.errors import DynattrsError

VARIABLE: Final = "DYNATTRS_TRACEBACKS"

#: What runs between a verb and the service.
_ENGINE: Final = frozenset(
    (
        "aiobotocore", "aiohappyeyeballs", "aiohttp", "asyncio", "boto3", "botocore", "concurrent",
        "contextlib", "dynattrs", "http", "httpcore", "httpx", "socket", "ssl", "urllib3", "uvloop",
    )
)  # fmt: skip
#: Errors whose message says all, whatever frames they come from.
_TOLD: Final = frozenset(("aiobotocore", "aiohttp", "botocore", "urllib3"))


def shown_of(error: BaseException) -> TracebackType | None:
    """The traceback with which an error leaves the library, without the frames of that. Those of the
    errors that it was raised from are left out as well.
    """
    seen: set[int] = set()
    each: BaseException | None = error
    full = os.environ.get(VARIABLE) == "full"
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        began = each.__traceback__
        if began is not None and not _is_engine(began.tb_frame):
            break  # what the program was handling when it called
        cause = each.__cause__
        if cause is not None and getattr(cause, "retold", False) and cause.__cause__ is not None:
            each.__cause__ = cause.__cause__
        if not full:
            kept = _of_program(each.__traceback__)
            if kept is not None or _says_all(each):
                each.__traceback__ = kept
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return error.__traceback__


def _says_all(error: BaseException) -> bool:
    if isinstance(error, (DynattrsError, OSError)):
        return True
    return type(error).__module__.partition(".")[0] in _TOLD


def _of_program(traceback: TracebackType | None) -> TracebackType | None:
    """The entries of a traceback whose frames are not the engine's; None if there is none."""
    entries: list[TracebackType] = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    kept: TracebackType | None = None
    for each in reversed(entries):
        if not _is_engine(each.tb_frame):
            kept = TracebackType(kept, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return kept


def _is_engine(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return module in _ENGINE or frame.f_code.co_filename.startswith("<dynattrs")


def hidden(excinfo: object) -> bool:
    """Whether pytest leaves the frames of a module out. One says so with `__tracebackhide__ = hidden`."""
    error: object = getattr(excinfo, "value", None)
    return isinstance(error, DynattrsError) and os.environ.get(VARIABLE) != "full"
