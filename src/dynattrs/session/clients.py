"""Which clients, sessions and configs of botocore a session of ours can work with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dynattrs.errors import ModelError
from dynattrs.mapper.codec import show


def check_client_options(owner: str, client: object, options: Mapping[str, object]) -> None:
    """Refuse what would be ignored beside a client, or beside a session to make one from.

    Args:
        owner: The session's class, for messages.
        client: The client that was handed in, or None.
        options: What is for making one, by name; the session to make it from comes first.
    """
    _check_kind(owner, client, next(iter(options)))
    given = [name for name, value in options.items() if value is not None]
    if client is not None and given:
        raise ModelError(owner, f"client is given, so {', '.join(given)} would be ignored")
    maker = next(iter(options))
    if options[maker] is not None and options["profile_name"] is not None:
        raise ModelError(owner, f"{maker} is given, so profile_name would be ignored")
    _check_maker(owner, maker, options[maker])
    _check_config(owner, options["config"])


def _check_kind(owner: str, client: Any, maker: str) -> None:
    """Refuse what is not a client of DynamoDB. One that is not botocore's is taken as it is."""
    if client is None:
        return
    modules = {each.__module__ for each in type(client).__mro__}
    if "boto3.resources.base" in modules:
        instead = "pass its client: resource.meta.client"
        if maker != "boto3_session":
            instead = "leave it out: the session makes a client of its own, over aiobotocore"
        raise ModelError(owner, f"client is a resource of boto3; {instead}")
    if isinstance(client, str) or modules & {"boto3.session", "botocore.session"}:
        raise ModelError(
            owner,
            f"client is {show(client)}, and a client is expected; leave it out: the session makes one "
            f"itself, or makes it from {maker}=...",
        )
    from botocore.client import BaseClient

    if isinstance(client, BaseClient):
        service = client.meta.service_model.service_name
        if service != "dynamodb":
            fits = [
                f"; pass it as {name}=" for name, its in _OTHER_CLIENTS.items() if its == service
            ]
            raise ModelError(
                owner, f"client is one of {service!r}, and 'dynamodb' is expected{''.join(fits)}"
            )


def _check_maker(owner: str, maker: str, session: Any) -> None:
    method = "client" if maker == "boto3_session" else "create_client"
    if session is not None and not callable(getattr(session, method, None)):
        made = (
            "boto3.Session()" if maker == "boto3_session" else "aiobotocore.session.get_session()"
        )
        raise ModelError(owner, f"{maker} is {show(session)}, and a session is expected: {made}")


def _check_config(owner: str, config: Any) -> None:
    if config is None:
        return
    from botocore.config import Config

    if not isinstance(config, Config):
        raise ModelError(
            owner,
            f"config is {show(config)}, and a botocore.config.Config is expected: "
            f"Config(retries={{'max_attempts': 3}})",
        )


#: The clients besides DynamoDB's that a session may be given, with their services.
_OTHER_CLIENTS: Final = {"streams_client": "dynamodbstreams", "s3_client": "s3"}


def check_other_client(owner: str, name: str, client: Any, *, awaited: bool) -> None:
    """Refuse a client that cannot be used. One that is not botocore's is taken as it is.

    Args:
        owner: The session's class, for messages.
        name: The argument, `"streams_client"` or `"s3_client"`.
        client: The client that was handed in, or None.
        awaited: Whether it has to be aiobotocore's.
    """
    if client is None:
        return
    expected = _OTHER_CLIENTS[name]
    if awaited and not hasattr(client, "meta") and hasattr(client, "__aenter__"):
        raise ModelError(
            owner,
            f"{name} has not been entered; write `async with session.create_client({expected!r}) as client`",
        )
    from botocore.client import BaseClient

    if not isinstance(client, BaseClient):
        return
    service = client.meta.service_model.service_name
    if service != expected:
        raise ModelError(owner, f"{name} is one of {service!r}, and {expected!r} is expected")
    if is_awaited(client) is not awaited:
        ours = "boto3's, for dynattrs.Session"
        theirs = "aiobotocore's, for dynattrs.aio.AsyncSession"
        raise ModelError(owner, f"{name} is {ours if awaited else theirs}")


def is_awaited(client: object) -> bool:
    """Whether a client is aiobotocore's, whose methods are awaited."""
    return any(each.__module__.partition(".")[0] == "aiobotocore" for each in type(client).__mro__)
