"""Where data keys for encrypted fields come from: the program, or AWS KMS."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from dynattrs import clock
from dynattrs.errors import MissingExtra, ModelError
from dynattrs.mapper.encrypted import KEY_BYTES, KeyUnavailable

#: The least that a secret has: a shorter one can be guessed.
_SECRET_BYTES: Final = 32
_INFO: Final = b"dynattrs data key 1"


class StaticKeys:
    """Data keys made of secrets of yours, by names that are stored with each value.

    To rotate, add a secret under a new name and make that the current one: what is saved from then on is
    encrypted with it, and what was stored before is read with its own. An old secret may go when no item has
    it any more.

    Args:
        secrets: By name, at least 32 random bytes each: `secrets.token_bytes(32)`.
        current: The name of the one to encrypt with; may be left out where there is one only.

    Raises:
        ModelError: A secret is too short, or *current* is not among them.
    """

    def __init__(self, secrets: Mapping[str, bytes], current: str | None = None) -> None:
        if not secrets:
            raise ModelError("StaticKeys", "at least one secret is expected")
        for name, secret in secrets.items():
            _check_secret(name, secret)
        if current is None and len(secrets) > 1:
            raise ModelError(
                "StaticKeys", f"current: say which to encrypt with, of {', '.join(secrets)}"
            )
        if current is not None and current not in secrets:
            raise ModelError(
                "StaticKeys", f"current: {current!r} is not among {', '.join(secrets)}"
            )
        self._keys = {name.encode(): _derived(secret) for name, secret in secrets.items()}
        self._current = (current or next(iter(secrets))).encode()

    def current(self) -> tuple[bytes, bytes]:
        """The data key to encrypt with."""
        return self._current, self._keys[self._current]

    def key(self, name: bytes) -> bytes:
        """The data key of a name.

        Raises:
            KeyUnavailable: It was not given.
        """
        found = self._keys.get(name)
        if found is None:
            names = ", ".join(repr(each.decode()) for each in self._keys)
            raise KeyUnavailable(
                f"an item is encrypted with the key {name.decode(errors='replace')!r}, and there are {names}",
                "give StaticKeys the secret of that name as well",
            )
        return found

    def __repr__(self) -> str:
        return f"StaticKeys({', '.join(repr(each.decode()) for each in self._keys)})"


class KmsKeys:
    """Data keys that AWS KMS makes, and keeps encrypted with the values.

    A process asks KMS for a data key when it first encrypts, and for another after *max_age* or *max_uses*;
    one that reads asks for each data key that it has not seen, and remembers 1,000 of them. The calls wait,
    under asyncio as well: `await asyncio.to_thread(keys.current)` beforehand spares the event loop the first.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html

    Args:
        key_id: The KMS key: its id, ARN or alias (`alias/app`).
        client: A client for KMS; without it boto3's configuration makes one.
        context: KMS's encryption context, which it logs, and demands again to decrypt.
        max_age: How long a data key encrypts.
        max_uses: How many values it encrypts.
    """

    _KEPT = 1_000

    def __init__(
        self,
        key_id: str,
        *,
        client: Any = None,
        context: Mapping[str, str] | None = None,
        max_age: timedelta = timedelta(hours=1),
        max_uses: int = 1_000_000,
    ) -> None:
        _check_options(key_id, max_age, max_uses)
        self._key_id = key_id
        self._made_client = client
        self._context = dict(context or {})
        self._age = max_age.total_seconds()
        self._most = max_uses
        self._lock = threading.RLock()
        self._current: tuple[bytes, bytes] | None = None
        self._ends = 0.0
        self._uses = 0
        self._known: OrderedDict[bytes, bytes] = OrderedDict()

    def current(self) -> tuple[bytes, bytes]:
        """The data key to encrypt with.

        Raises:
            KeyUnavailable: KMS gives none.
        """
        with self._lock:
            now = clock.monotonic()
            if self._current is None or now >= self._ends or self._uses >= self._most:
                said = self._ask("generate_data_key", KeyId=self._key_id, NumberOfBytes=KEY_BYTES)
                self._current = said["CiphertextBlob"], said["Plaintext"]
                self._ends, self._uses = now + self._age, 0
                self._keep(*self._current)
            self._uses += 1
            return self._current

    def key(self, name: bytes) -> bytes:
        """The data key that KMS has encrypted to *name*.

        Raises:
            KeyUnavailable: KMS does not decrypt it.
        """
        with self._lock:
            found = self._known.get(name)
            if found is not None:
                self._known.move_to_end(name)
                return found
        key: bytes = self._ask("decrypt", KeyId=self._key_id, CiphertextBlob=name)["Plaintext"]
        with self._lock:
            self._keep(name, key)
        return key

    def _keep(self, name: bytes, key: bytes) -> None:
        self._known[name] = key
        if len(self._known) > self._KEPT:
            self._known.popitem(last=False)

    def _ask(self, method: str, **parameters: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with self._lock:
                if self._made_client is None:
                    import boto3

                    self._made_client = boto3.client("kms")
            return getattr(self._made_client, method)(EncryptionContext=self._context, **parameters)
        except (BotoCoreError, ClientError) as error:
            raise KeyUnavailable(
                f"KMS gives no data key of {self._key_id!r}: {error}",
                "check the key, its policy, the credentials and the encryption context",
            ) from error

    def __repr__(self) -> str:
        return f"KmsKeys({self._key_id!r})"


def _derived(secret: bytes) -> bytes:
    """A data key of a secret, by HKDF with SHA-512 (RFC 5869)."""
    try:
        from cryptography.hazmat.primitives.hashes import SHA512
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError as error:
        raise MissingExtra("encryption", "cryptography") from error
    return HKDF(SHA512(), KEY_BYTES, salt=None, info=_INFO).derive(secret)


def _check_secret(name: object, secret: object) -> None:
    if not isinstance(name, str) or not name:
        raise ModelError("StaticKeys", f"a name is a text that is not empty, found {name!r}")
    if not isinstance(secret, bytes) or len(secret) < _SECRET_BYTES:
        found = f"{len(secret)} bytes" if isinstance(secret, bytes) else type(secret).__name__
        wanted = f"at least {_SECRET_BYTES} random bytes"
        raise ModelError("StaticKeys", f"{name!r}: {wanted} are expected, found {found}")


def _check_options(key_id: object, max_age: object, max_uses: object) -> None:
    if not isinstance(key_id, str) or not key_id:
        raise ModelError("KmsKeys", f"key_id: a text is expected, found {key_id!r}")
    if not isinstance(max_age, timedelta) or max_age <= timedelta():
        raise ModelError(
            "KmsKeys", f"max_age={max_age!r}: a timedelta longer than nothing is expected"
        )
    if type(max_uses) is not int or max_uses < 1:
        raise ModelError("KmsKeys", f"max_uses={max_uses!r}: a positive int is expected")
