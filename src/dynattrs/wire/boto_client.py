"""Making botocore's client: what `boto3.client("dynamodb")` makes, in two thirds of the time."""

from __future__ import annotations

import os
from typing import Any, Final


def make_client(boto3_session: Any, profile_name: str | None, **options: Any) -> Any:
    """A client of *boto3_session*, or of a new session of botocore's.

    boto3 itself is not imported: that takes a while, for its resources and for S3's transfers, of
    which a client has nothing.

    Args:
        boto3_session: A boto3 session, or None.
        profile_name: The profile of a new session.
        options: `region_name`, `endpoint_url` and `config`, as botocore takes them.
    """
    if boto3_session is not None:
        return boto3_session.client("dynamodb", **options)
    return own_session(profile_name).create_client("dynamodb", **options)


#: What a session of our own makes clients of: besides DynamoDB itself what credentials come from.
_SERVICES: Final = frozenset({"dynamodb", "signin", "sso", "sso-oidc", "sts"})


def own_session(profile_name: str | None) -> Any:
    """A session of botocore's without the handlers that belong to services it is not for.

    There are over a hundred, most of them S3's and EC2's, and registering one takes 50 µs.
    """
    from botocore import handlers
    from botocore.session import Session

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

    session = OurSession(profile=profile_name)
    _read_quickly(session)
    return session


def _concerns(event: str) -> bool:
    """Whether an event may be one of those services: `choose-signer`, `before-call.sts.*`."""
    parts = event.removeprefix("docs.").split(".")
    return len(parts) == 1 or parts[1] in _SERVICES or parts[1] == "*"


def _read_quickly(session: Any) -> None:
    """Let a session of our own read botocore's descriptions of services faster.

    botocore makes an OrderedDict of each JSON object, through Python, and looks into the folders of
    all four hundred services before it opens that of one.
    """
    from botocore.loaders import JSONFileLoader, Loader

    from dynattrs.wire.service_descriptions import description

    ordinary = session.get_component("data_loader")
    if type(ordinary) is not Loader or type(ordinary.file_loader) is not JSONFileLoader:
        return

    class Files(JSONFileLoader):
        def _load_file(self, full_path: str, open_method: Any) -> Any:
            try:
                with open_method(full_path, "rb") as file:
                    return description(file.read())
            except FileNotFoundError:
                return None

    class Folders(Loader):
        def list_available_services(self, type_name: str) -> list[str]:
            # Whether a folder holds what is wanted is found out right after, by looking for its
            # versions. Other services are asked for too: STS, where a role is assumed.
            paths: list[str] = [path for path in self.search_paths if os.path.isdir(path)]  # noqa: PTH112
            return [name for path in paths for name in os.listdir(path)]  # noqa: PTH208 - as botocore

    made = object.__new__(Folders)
    made.__dict__.update(ordinary.__dict__)
    made.file_loader = Files()
    session.register_component("data_loader", made)


def with_room(config: Any, needed: int) -> Any:
    """*config* with room for *needed* connections, unless it says how many there may be.

    botocore keeps ten; what is opened beyond them is closed after one request.
    """
    from botocore.endpoint import MAX_POOL_CONNECTIONS

    stated = getattr(config, "_user_provided_options", ())
    if needed <= MAX_POOL_CONNECTIONS or "max_pool_connections" in stated:
        return config
    from botocore.config import Config

    room = Config(max_pool_connections=needed)
    return room if config is None else config.merge(room)
