"""Encrypted fields: `Annotated[str, Encrypted(keys)]` is encrypted before it leaves the program.

It needs `dynattrs[encryption]`.
"""

from __future__ import annotations

from dynattrs.mapper.data_keys import KmsKeys, StaticKeys
from dynattrs.mapper.encrypted import Encrypted, Keys, KeyUnavailable

__all__ = ["Encrypted", "KeyUnavailable", "Keys", "KmsKeys", "StaticKeys"]


def __dir__() -> list[str]:
    return __all__
