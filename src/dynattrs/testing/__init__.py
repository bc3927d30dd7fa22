"""What tests of your own program need: faults, records of requests, a clock, seed data.

    from dynattrs.testing import clock, faults, recorded, throttled

    with faults(session, throttled("PutItem", times=2)), recorded(session) as calls:
        session.save(song)

    assert calls[0].attempts == 3

All of them work with `Session` and `AsyncSession`, whichever way their calls go. The fixtures of the
pytest plugin, `dynattrs_session` and `dynattrs_async_session`, need no import.
"""

# ruff: noqa: I001 - `A as A` stands beside others in one statement

from dynattrs.testing.clocks import Clock as Clock, clock as clock
from dynattrs.testing.injection import (
    Fault as Fault,
    Injected as Injected,
    error as error,
    faults as faults,
    latency as latency,
    lost_reply as lost_reply,
    reset as reset,
    throttled as throttled,
    unavailable as unavailable,
    unprocessed as unprocessed,
    unreachable as unreachable,
)
from dynattrs.testing.records import (
    RecordedCall as RecordedCall,
    RecordedCalls as RecordedCalls,
    recorded as recorded,
)
from dynattrs.tools.seeds import seed as seed

__all__ = [
    "Clock",
    "Fault",
    "Injected",
    "RecordedCall",
    "RecordedCalls",
    "clock",
    "error",
    "faults",
    "latency",
    "lost_reply",
    "recorded",
    "reset",
    "seed",
    "throttled",
    "unavailable",
    "unprocessed",
    "unreachable",
]


def __dir__() -> list[str]:
    return __all__
