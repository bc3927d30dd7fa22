"""The attempts of one call: whether one may have been applied, and whether there may be another.

botocore makes most of them. `watched` stands in the way of its decision to repeat, learns from it what
became of each attempt, and stops it where a write must not be sent again.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import botocore.exceptions as botocore_errors

from dynattrs.clock import monotonic
from dynattrs.operations.flows import Decode

if TYPE_CHECKING:
    from dynattrs.wire.instruments import Line

#: The errors of botocore for requests that did not reach the service.
_NEVER_SENT: Final = (
    botocore_errors.EndpointConnectionError,
    botocore_errors.ConnectTimeoutError,
    botocore_errors.ProxyConnectionError,
    botocore_errors.SSLError,
)

#: From here on a status tells of a failure.
_REFUSED: Final = 300
#: Statuses of a proxy that has not passed the request on: it wants a login, or fewer or smaller ones.
NOT_PASSED_ON: Final = frozenset({407, 413, 429})


class Attempts:
    """What is known of the attempts of one call, botocore's own included.

    Attributes:
        repeat: Whether it may be sent again after an attempt that may have been applied.
        decode: What reads the reply's bytes, instead of plain JSON.
        uncertain: How many such attempts there were.
        watched: Whether attempts are seen; those of a client that is not botocore's are not.
        again: Called when botocore repeats one, with how many there were and why.
        first: How the first attempt ended, if it was not botocore that made it: its response, or the
            error in its place.
        must_say: Whether a reply without content is not an answer: of what reads, and of writes that ask
            for an item.
        deadline: When no further attempt begins any more, as `clock.monotonic` counts; None if any may.
        until: When the call must be over, as `clock.monotonic` counts; None if it may take any time.
        in_flight: Whether there may be an attempt without any news yet.
        over: Whether the call has ended without one, so that there must be no further attempt.
        line: What tests have put on the session's line; None without any.
        monotonic: Tells the time that the deadline is of.
        skip: Lets so many seconds pass without taking them; False if they are to be taken.
    """

    repeat: bool = True
    decode: Decode | None = None
    uncertain: int = 0
    watched: bool = False
    again: Callable[[int, str], object] | None = None
    first: Any = None
    must_say: bool = True
    deadline: float | None = None
    until: float | None = None
    in_flight: bool = False
    over: bool = False
    line: Line | None = None
    monotonic: Callable[[], float] = staticmethod(monotonic)
    skip: Callable[[float], bool] | None = None
    # (Plain defaults: of a usual call most stay the class's, and are not set for each.)

    def begin(self) -> None:
        """An attempt begins now.

        Raises:
            CallOver: The call has ended, in another thread.
        """
        self.in_flight = True
        if self.over:
            raise CallOver

    def is_late(self, pause: float = 0.0) -> bool:
        """Whether it is too late for another attempt after a pause of so many seconds."""
        return self.deadline is not None and self.monotonic() + pause >= self.deadline


class CallOver(Exception):
    """An attempt was to be made for a call that has ended."""


#: The attempts of the call that this thread or task is making.
under_way: ContextVar[Attempts | None] = ContextVar("under_way", default=None)


def begin_attempt() -> None:
    """Note that an attempt of the call begins that this thread or task is making.

    Raises:
        CallOver: The call has ended.
    """
    known = under_way.get()
    if known is not None:
        known.begin()


def line_under_way() -> Line | None:
    """What tests have put on the line of the call that this thread or task is making."""
    known = under_way.get()
    return None if known is None else known.line


def take_first() -> Any:
    """The response of an attempt that botocore is to take for its own first one, once; else None.

    Raises:
        Exception: The attempt ended with an error.
    """
    known = under_way.get()
    if known is None or known.first is None:
        return None
    first, known.first = known.first, None
    if isinstance(first, Exception):
        raise first
    return first


def watched(needs_retry: Callable[..., Any], *, awaited: bool) -> Callable[..., Any]:
    """An `Endpoint._needs_retry` that tells of attempts that may have been applied, and does not
    repeat what must not be.

    Args:
        needs_retry: botocore's, or aiobotocore's.
        awaited: Whether it is aiobotocore's.
    """

    @functools.wraps(needs_retry)
    def watching(*arguments: Any, **named: Any) -> Any:
        if not _may_go_on(*_outcome(*arguments, **named)):
            return False
        repeats = needs_retry(*arguments, **named)
        return _told(repeats, *arguments, **named)

    @functools.wraps(needs_retry)
    async def watching_awaited(*arguments: Any, **named: Any) -> Any:
        if not _may_go_on(*_outcome(*arguments, **named)):
            return False
        repeats = await needs_retry(*arguments, **named)
        return _told(repeats, *arguments, **named)

    return watching_awaited if awaited else watching


class PunctualEvents:
    """A client's events, for its endpoint: what botocore would repeat too late it does not repeat."""

    def __init__(self, events: Any) -> None:
        self._events = events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)

    def emit(self, event_name: str, **named: Any) -> Any:
        found = self._events.emit(event_name, **named)
        if not event_name.startswith("needs-retry"):
            return found
        return _in_time_awaited(found) if inspect.isawaitable(found) else _in_time(found)


def _in_time(responses: Any) -> Any:
    """What handlers have said, each a pause or None; nothing if the pause is too long."""
    known = under_way.get()
    pause = next((each for _, each in responses if each is not None), None)
    if known is None or pause is None:
        return responses
    if known.is_late(pause):
        return []
    if known.skip is not None and known.skip(pause):
        return [(each, None if found is None else 0.0) for each, found in responses]
    return responses


async def _in_time_awaited(responses: Any) -> Any:
    return _in_time(await responses)


def _outcome(
    attempts: int,
    operation_model: Any,
    request_dict: Any,
    response: Any = None,
    caught_exception: Exception | None = None,
) -> tuple[Any, Exception | None]:
    return response, caught_exception


def _may_go_on(response: Any, error: Exception | None) -> bool:
    """Note how an attempt ended, and say whether there may be another one."""
    known = under_way.get()
    if known is not None:
        known.watched = True
        uncertain = may_be_applied(response, error)
        if uncertain:
            known.uncertain += 1
        if known.over:
            return False
        # What was answered well stays in flight until the answer is handed on.
        if error is not None or (response and response[0].status_code >= _REFUSED):
            known.in_flight = False
        return known.repeat or not uncertain
    return True


def _told(repeats: Any, attempts: int, *arguments: Any, **named: Any) -> Any:
    known = under_way.get()
    if repeats and known is not None and known.again is not None:
        known.again(attempts, reason(*_outcome(attempts, *arguments, **named)))
    return repeats


def reason(response: Any, error: Exception | None) -> str:
    """Why an attempt is repeated, in one word: the service's code, or the class of an error."""
    if error is not None:
        return type(error).__name__
    code = response[1].get("Error", {}).get("Code") if response else None
    return str(code) if code else "Unknown"


def may_be_applied(response: Any, error: Exception | None) -> bool:
    """Whether an attempt that ended so may have been applied without our knowing.

    Args:
        response: botocore's pair of the HTTP response and the parsed one; None if there was none.
        error: What was raised in its place.
    """
    if error is not None:
        return not was_never_sent(error)
    if not response:
        return False
    status: int = response[0].status_code
    # A failure without a code of the service comes from what is between it and us.
    code: object = response[1].get("Error", {}).get("Code")
    return status >= 500 or (code == str(status) and status not in NOT_PASSED_ON)


def was_never_sent(error: Exception) -> bool:
    """Whether a request that ended with *error* surely did not reach the service."""
    # aiobotocore says "could not connect" of connections that broke later as well.
    known = getattr(error, "kwargs", {})
    reason = known.get("error")
    if isinstance(reason, Exception) and _came_while_connecting(reason):
        return True
    if not isinstance(error, _NEVER_SENT):
        return False
    if type(reason).__module__.partition(".")[0] != "aiohttp":
        return not isinstance(error, botocore_errors.SSLError) or _is_of_a_handshake(reason)
    from aiohttp import ClientConnectorError, ClientHttpProxyError, ClientProxyConnectionError

    if isinstance(reason, (ClientProxyConnectionError, ClientHttpProxyError)):
        return True  # the latter, where it has refused to connect to the service
    # And it goes where a reply has redirected it to.
    url = str(known.get("endpoint_url", ""))
    if isinstance(error, botocore_errors.ConnectTimeoutError):
        return str(reason).endswith(f" {url}")
    meant = urlsplit(url)
    port = meant.port or (443 if meant.scheme == "https" else 80)
    there = (meant.hostname, port)
    return isinstance(reason, ClientConnectorError) and (reason.host, reason.port) == there


#: The functions that open a connection and secure it, or prepare that, and send no request.
_CONNECTING: Final = frozenset(
    {
        ("urllib3.connection", "connect"),
        ("aiobotocore.httpsession", "_get_session"),
    }
)


def _came_while_connecting(reason: Exception) -> bool:
    """Whether an error came before there was a connection.

    What it is called does not tell: a certificate for another host, a handshake that takes too long or is
    broken off, and a file of certificates that is missing have the names of what comes later, too.
    """
    # urllib3 has put the error itself into another one, or behind it.
    for each in (reason, reason.__cause__, *reason.args):
        if isinstance(each, BaseException):
            for frame, _ in traceback.walk_tb(each.__traceback__):
                code, names = frame.f_code, frame.f_globals
                if (names.get("__name__"), code.co_name) in _CONNECTING:
                    return True
    return False


def _is_of_a_handshake(reason: object) -> bool:
    """Whether a certificate was refused, as urllib3 tells it; other errors of TLS may come later."""
    import ssl

    known = (reason, *getattr(reason, "args", ()))
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in known)
