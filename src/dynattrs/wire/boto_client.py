"""Making botocore's client: what `boto3.client("dynamodb")` makes, in two thirds of the time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from dynattrs import foreign_names as foreign

#: What a session of our own makes clients of: besides DynamoDB itself what credentials come from.
_SERVICES: Final = frozenset(
    {"dynamodb", "dynamodb-streams", "signin", "sso", "sso-oidc", "streams.dynamodb", "sts"}
)


def make_client(boto3_session: Any, profile_name: str | None, **options: Any) -> Any:
    """A client of *boto3_session*, or of a new session of botocore's.

    boto3 itself is not imported: that takes a while, for its resources and for S3's transfers, of
    which a client has nothing. Measured (benchmarks/second_ways.py): 80.8 -> 68.1 ms.

    Args:
        boto3_session: A boto3 session, or None.
        profile_name: The profile of a new session.
        options: `region_name`, `endpoint_url` and `config`, as botocore takes them.
    """
    if boto3_session is not None:
        return boto3_session.client("dynamodb", **options)
    return own_session(profile_name).create_client("dynamodb", **options)


def own_session(
    profile_name: str | None, session_vars: Mapping[str, tuple[Any, ...]] | None = None
) -> Any:
    """A session of botocore's that knows the services that DynamoDB needs, and is quick to make.

    Args:
        profile_name: The profile of the AWS configuration.
        session_vars: As botocore's session takes them.
    """
    from botocore.session import Session

    options: dict[str, Any] = {"profile": profile_name, "session_vars": session_vars}
    made = foreign.START.made(lambda: _quick_session(options))
    return Session(**options) if made is None else made


def _quick_session(options: dict[str, Any]) -> Any:
    from botocore import handlers
    from botocore.loaders import JSONFileLoader, Loader
    from botocore.session import Session

    foreign.BUILTIN_HANDLERS.of(Session)
    foreign.LOAD_FILE.of(JSONFileLoader)

    # Measured (benchmarks/second_ways.py): making a session takes 19.1 -> 15.9 ms. botocore has over a
    # hundred handlers, most of them S3's and EC2's.
    class OurSession(Session):
        def _register_builtin_handlers(self, events: Any) -> None:
            for event, handler, *order in handlers.BUILTIN_HANDLERS:
                if not _concerns(event):
                    continue
                if not order:
                    self.register(event, handler)
                elif order[0] is handlers.REGISTER_FIRST:
                    events.register_first(event, handler)
                else:
                    events.register_last(event, handler)

    # Measured (benchmarks/second_ways.py): 49.7 -> 15.9 ms. botocore makes an OrderedDict of each JSON
    # object, through Python.
    class Files(JSONFileLoader):
        def _load_file(self, full_path: str, open_method: Any) -> Any:
            try:
                with open_method(full_path, "rb") as file:
                    return description(full_path, file.read())
            except FileNotFoundError:
                return None

    # Measured (benchmarks/second_ways.py): 30.6 -> 15.9 ms. botocore looks into the folders of all four
    # hundred services before it opens that of one.
    class Folders(Loader):
        def list_available_services(self, type_name: str) -> list[str]:
            return _folders_in([path for path in self.search_paths if os.path.isdir(path)])  # noqa: PTH112

    session = OurSession(**options)
    ordinary = session.get_component("data_loader")
    if type(ordinary) is Loader and type(ordinary.file_loader) is JSONFileLoader:
        made = object.__new__(Folders)
        made.__dict__.update(ordinary.__dict__)
        made.file_loader = Files()
        session.register_component("data_loader", made)
    return session


def _folders_in(paths: list[str]) -> list[str]:
    # Whether a folder holds what is wanted is found out right after, by looking for its versions. Other
    # services are asked for too: STS, where a role is assumed.
    return [name for path in paths for name in os.listdir(path)]  # noqa: PTH208 - as botocore


def _concerns(event: str) -> bool:
    """Whether an event may be one of those services: `choose-signer`, `before-call.sts.*`."""
    parts = event.removeprefix("docs.").split(".")
    return len(parts) == 1 or parts[1] in _SERVICES or parts[1] == "*"


def description(path: str, text: bytes) -> Any:
    """What a JSON file of botocore's says; of all services' endpoints, those that we need.

    What is not there botocore takes for a service that is new, and makes its endpoint after the
    pattern that they all follow.

    Raises:
        msgspec.DecodeError: It is not JSON.
    """
    import msgspec

    decode = msgspec.json.decode
    if os.path.basename(path) != "endpoints.json":  # noqa: PTH119 - a fraction of pathlib's time
        return decode(text)
    try:
        found = decode(text, type=dict[str, msgspec.Raw])
        partitions = decode(found["partitions"], type=list[dict[str, msgspec.Raw]])
        services = [
            decode(each.pop("services"), type=dict[str, msgspec.Raw]) for each in partitions
        ]
    except (msgspec.ValidationError, KeyError):
        return decode(text)  # it is laid out in another way
    made: dict[str, Any] = {
        name: decode(raw) for name, raw in found.items() if name != "partitions"
    }
    made["partitions"] = [{name: decode(raw) for name, raw in each.items()} for each in partitions]
    for partition, offered in zip(made["partitions"], services, strict=True):
        known = offered.keys() & _SERVICES
        partition["services"] = {name: decode(offered[name]) for name in known}
    return made


def with_room(config: Any, needed: int, kind: Any = None) -> Any:
    """*config* with room for *needed* connections, unless it says how many there may be.

    botocore keeps ten; what is opened beyond them is closed after one request.

    Args:
        config: A config, or None.
        needed: How many connections there may be.
        kind: The class of a config that is made; botocore's by itself.
    """
    from botocore.config import Config
    from botocore.endpoint import MAX_POOL_CONNECTIONS

    if needed <= MAX_POOL_CONNECTIONS:
        return config
    if _says_how_many(config):
        return config
    room = (kind or Config)(max_pool_connections=needed)
    return room if config is None else config.merge(room)


def _says_how_many(config: Any) -> bool:
    """Whether a config states a number of connections, as far as can be told."""
    if config is None:
        return False
    stated = foreign.ROOM.made(lambda: foreign.STATED_OPTIONS.of(config))
    return stated is None or "max_pool_connections" in stated


def keep_all_connections(client: Any, config: Any, needed: int = 0) -> None:
    """Let a client that is our own keep as many connections as there are calls at once.

    With a number, botocore opens one for each call beyond it, closes it afterwards, and writes a warning
    into the log each time: "Connection pool is full".

    Args:
        client: A client of the session's own. One that is not botocore's is left alone.
        config: The config that it was to be made with: a number that this states holds.
        needed: The number that `with_room` has put into it.
    """
    from botocore.client import BaseClient
    from botocore.endpoint import MAX_POOL_CONNECTIONS

    if isinstance(client, BaseClient) and not _says_how_many(config):
        foreign.ROOM.made(lambda: _unlimited(client, {MAX_POOL_CONNECTIONS, needed}))


def _unlimited(client: Any, usual: set[int]) -> None:
    session = foreign.ENDPOINT.of(client).http_session
    # Another number is from the default config of a session of botocore's.
    if foreign.MOST_CONNECTIONS.of(session) in usual:
        foreign.FORKED_POOLS.of(session).connection_pool_kw["maxsize"] = 0  # of a queue: no limit
        foreign.MOST_CONNECTIONS.replace(session, 0)
