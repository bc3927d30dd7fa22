"""Making botocore's client: what `boto3.client("dynamodb")` makes, in two thirds of the time."""

from __future__ import annotations

from typing import Any


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
    import botocore.session

    session: Any = botocore.session.Session(profile=profile_name)
    _read_quickly(session)
    return session.create_client("dynamodb", **options)


def _read_quickly(session: Any) -> None:
    """Let a session of our own read botocore's descriptions of services faster.

    botocore makes an OrderedDict of each JSON object, through Python, and lists the folders of all
    four hundred services before it opens that of one.
    """
    import msgspec
    from botocore.loaders import JSONFileLoader, Loader

    ordinary = session.get_component("data_loader")
    if type(ordinary) is not Loader or type(ordinary.file_loader) is not JSONFileLoader:
        return

    class Files(JSONFileLoader):
        def _load_file(self, full_path: str, open_method: Any) -> Any:
            try:
                with open_method(full_path, "rb") as file:
                    return msgspec.json.decode(file.read())
            except FileNotFoundError:
                return None

    class OneService(Loader):
        def list_available_services(self, type_name: str) -> list[str]:
            # Whether there really is one is found out right after, by looking for its versions.
            return ["dynamodb"]

    made = object.__new__(OneService)
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
