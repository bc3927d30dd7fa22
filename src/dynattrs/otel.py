"""OpenTelemetry for sessions: `dynattrs.otel.instrument(session)`. Needs the extra `dynattrs[otel]`."""

from __future__ import annotations

from dynattrs.tools.otel import instrument

__all__ = ["instrument"]


def __dir__() -> list[str]:
    return __all__
