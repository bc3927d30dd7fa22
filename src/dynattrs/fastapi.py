"""FastAPI: models as request bodies, and the library's errors as responses with the right status.

It needs `dynattrs[fastapi]`.
"""

from __future__ import annotations

from dynattrs.tools.fastapi import Body, errors

__all__ = ["Body", "errors"]


def __dir__() -> list[str]:
    return __all__
