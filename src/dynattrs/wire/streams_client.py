"""The client of DynamoDB Streams, which is a service of its own: made like the session's client.

It has the session's region, credentials (which renew themselves for both), config and connections. Where
the session speaks to an engine, or to anything else that is not AWS, so does this one.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import urlsplit

from dynattrs import foreign_names as foreign
from dynattrs.errors import ConfigurationError
from dynattrs.wire.boto_client import own_session
from dynattrs.wire.client_copy import with_connections_of

SERVICE: Final = "dynamodbstreams"

#: What names of AWS's hosts end with, in its partitions.
_AWS: Final = (
    ".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws", ".api.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu", ".adc-e.uk", ".hci.ic.gov", ".c2s.ic.gov", ".sc2s.sgov.gov",
)  # fmt: skip

#: Where botocore itself looks for an endpoint.
_VARIABLE: Final = "AWS_ENDPOINT_URL_DYNAMODB_STREAMS"


def make_streams_client(client: Any) -> Any:
    """A client of streams like a client of DynamoDB.

    Raises:
        ConfigurationError: *client* is not botocore's.
    """
    session = own_session(None)
    _lend_credentials(session, client, _Lent)
    made = session.create_client(SERVICE, **options_like(client))
    return lent_connections(made, client)


def lent_connections(made: Any, lender: Any) -> Any:
    """A client like *made* over the connections of another one; *made* itself where that cannot be."""
    return foreign.STREAMS.made(lambda: with_connections_of(made, lender)) or made


def opening_streams_client(client: Any) -> Any:
    """The same of an aiobotocore client: an asynchronous context manager, whose client has connections of its
    own until `lent_connections` has given it those of the other one.
    """
    from aiobotocore.session import AioSession

    session = AioSession()
    _lend_credentials(session, client, _LentAwaited)
    return session.create_client(SERVICE, **options_like(client))


def options_like(client: Any) -> dict[str, Any]:
    """What a client like *client* is made with: its region, config, and its endpoint where that is not
    AWS's.

    Raises:
        ConfigurationError: It is not botocore's.
    """
    from botocore.client import BaseClient

    if not isinstance(client, BaseClient):
        raise ConfigurationError(
            f"the session's client is a {type(client).__name__}, and nothing tells from it how to read "
            f"streams",
            f"pass streams_client= as well: boto3.client({SERVICE!r})",
        )
    meta = client.meta
    options: dict[str, Any] = {"region_name": meta.region_name, "config": meta.config}
    if not is_of_aws(meta.endpoint_url) and _VARIABLE not in os.environ:
        options["endpoint_url"] = meta.endpoint_url
    return options


def is_of_aws(url: str) -> bool:
    """Whether a URL is one of AWS's own hosts."""
    return (urlsplit(url).hostname or "").endswith(_AWS)


class _Lent:
    """Stands where a session looks for credentials: it finds those of a client."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        return self._credentials


class _LentAwaited(_Lent):
    async def load_credentials(self) -> Any:
        return self._credentials


def _lend_credentials(session: Any, client: Any, kind: type[_Lent]) -> None:
    found = foreign.STREAMS.made(
        lambda: kind(foreign.LENT_CREDENTIALS.of(foreign.LENT_SIGNER.of(client)))
    )
    if found is not None:
        session.register_component("credential_provider", found)
