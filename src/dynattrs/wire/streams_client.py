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
    lend_credentials(session, client)
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
    lend_credentials(session, client, awaited=True)
    return session.create_client(SERVICE, **options_like(client))


def options_like(
    client: Any, variable: str = _VARIABLE, argument: str = "streams_client", service: str = SERVICE
) -> dict[str, Any]:
    """What a client of another service, like *client*, is made with: its region, config, and its endpoint
    where that is not AWS's.

    Args:
        client: A client of DynamoDB.
        variable: Where botocore looks for the other service's endpoint.
        argument: How the session is given a client of that service.
        service: The service.

    Raises:
        ConfigurationError: It is not botocore's.
    """
    from botocore.client import BaseClient

    if not isinstance(client, BaseClient):
        raise ConfigurationError(
            f"the session's client is a {type(client).__name__}, from which the session cannot make one for "
            f"{service!r}",
            f"pass {argument}= as well: boto3.client({service!r})",
        )
    meta = client.meta
    options: dict[str, Any] = {"region_name": meta.region_name, "config": meta.config}
    if not is_of_aws(meta.endpoint_url) and variable not in os.environ:
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


def lend_credentials(session: Any, client: Any, *, awaited: bool = False) -> None:
    """Let a session of botocore's find the credentials of a client."""
    kind = _LentAwaited if awaited else _Lent
    found = foreign.STREAMS.made(
        lambda: kind(foreign.LENT_CREDENTIALS.of(foreign.LENT_SIGNER.of(client)))
    )
    if found is not None:
        session.register_component("credential_provider", found)
