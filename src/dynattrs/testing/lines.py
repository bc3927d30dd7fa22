"""The line of a session, on which tests put things."""

from __future__ import annotations

from dynattrs.errors import ModelError
from dynattrs.session.any_session import AnySession
from dynattrs.wire.instruments import Instruments


def instruments_of(session: object, owner: str) -> Instruments:
    """What is on a session's line.

    Args:
        session: A `Session` or an `AsyncSession`.
        owner: Who asks, for messages.

    Raises:
        ModelError: It is something else.
    """
    if not isinstance(session, AnySession):
        raise ModelError(owner, f"a Session or an AsyncSession is expected, found {session!r}")
    wire = session._driver.wire
    if wire.instruments is None:
        wire.instruments = Instruments()
    found: Instruments = wire.instruments
    return found
