"""What dynattrs uses of other libraries that they promise nothing about: each private name, listed once.

A name is looked up where a session, a client or a hook is made, and never later for the first time. If
a release of its library has dropped it, that is a `Way` less: the library's ordinary one is taken, and
one `RuntimeWarning` a process says what is lost. `tests/integration/test_foreign_names.py` takes each
name away in turn.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar

T = TypeVar("T")


class Way:
    """Something that is done by private names, and can be done without.

    Args:
        libraries: Whose names they are.
        lost: What happens where one of them is gone.
    """

    def __init__(self, libraries: str, lost: str) -> None:
        self.libraries = libraries
        self.lost = lost
        self.names: list[ForeignName] = []

    def uses(self, owner: str, name: str) -> ForeignName:
        found = ForeignName(owner, name)
        self.names.append(found)
        return found

    def made(self, make: Callable[[], T]) -> T | None:
        """What *make* gives; None, after a warning, where it meets something that is not there."""
        try:
            return make()
        except (AttributeError, KeyError, TypeError, ImportError) as error:
            _warn(self, str(error))
            return None


@functools.cache
def _warn(way: Way, why: str) -> None:
    warnings.warn(
        f"this version of {way.libraries} is built differently than dynattrs expects ({why}). "
        f"Everything works, but {way.lost}; a newer dynattrs may know this version",
        RuntimeWarning,
        stacklevel=4,
    )


class ForeignName:
    """A private name.

    Attributes:
        owner: The class that has it.
        name: The name.
        of: Gives what an object has by that name.
    """

    __slots__ = ("name", "of", "owner")

    def __init__(self, owner: str, name: str) -> None:
        self.owner = owner
        self.name = name
        self.of: Callable[[Any], Any] = attrgetter(name)

    def replace(self, thing: object, value: object) -> None:
        """Put something in its place; an AttributeError where there is nothing to replace."""
        self.of(thing)
        setattr(thing, self.name, value)


# --- A copy of the user's client, whose attempts are watched and whose replies are checked --------

COPY: Final = Way(
    "botocore or aiobotocore",
    "replies go the slower way, their CRC32 is checked as botocore does it, and botocore repeats "
    "writes that may have been applied",
)
ENDPOINT = COPY.uses("botocore.client.BaseClient", "_endpoint")
NEEDS_RETRY = COPY.uses("botocore.endpoint.Endpoint", "_needs_retry")
SEND = COPY.uses("botocore.endpoint.Endpoint", "_send")
PARSER_FACTORY = COPY.uses("botocore.endpoint.Endpoint", "_response_parser_factory")

DEADLINE: Final = Way("botocore or aiobotocore", "its retries may go on past a session's deadline")
EVENTS = DEADLINE.uses("botocore.endpoint.Endpoint", "_event_emitter")

# --- Bodies of requests that listeners see --------------------------------------------------------

BODIES: Final = Way("botocore", "the bodies of requests are written the slower way")
SERIALIZER = BODIES.uses("botocore.client.BaseClient", "_serializer")
VALIDATED_SERIALIZER = BODIES.uses("botocore.validate.ParamValidationDecorator", "_serializer")
VALIDATOR = BODIES.uses("botocore.validate.ParamValidationDecorator", "_param_validator")
SERIALIZE = BODIES.uses("botocore.serialize.JSONSerializer", "_serialize")
VALIDATE = BODIES.uses("botocore.validate.ParamValidator", "_validate")

# --- Requests without botocore's machinery ----------------------------------------------------------

FAST: Final = Way("botocore, aiobotocore or urllib3", "calls go the slower way")
SIGNER = FAST.uses("botocore.client.BaseClient", "_request_signer")
CREDENTIALS = FAST.uses("botocore.signers.RequestSigner", "_credentials")
EMITTER = FAST.uses("botocore.hooks.EventAliaser", "_emitter")
HANDLERS = FAST.uses("botocore.hooks.HierarchicalEmitter", "_handlers")
LOOKUP_CACHE = FAST.uses("botocore.hooks.HierarchicalEmitter", "_lookup_cache")
RECORDING = FAST.uses("botocore.history.HistoryRecorder", "_enabled")
#: What a call passes by. Others put functions of their own in the place of these.
CLIENT_STEPS: Final = tuple(
    FAST.uses("botocore.client.BaseClient", name)
    for name in (
        "_make_api_call", "_make_request", "_convert_to_request_dict", "_emit_api_params",
        "_resolve_endpoint_ruleset",
    )
)  # fmt: skip
ENDPOINT_STEPS: Final = tuple(
    FAST.uses("botocore.endpoint.Endpoint", name)
    for name in ("_send_request", "_get_response", "_do_get_response")
)
# Only where threads wait; aiobotocore's own connections are used as they are.
POOLS: Final = FAST.uses("botocore.httpsession.URLLib3Session", "_manager")
PROXIES: Final = FAST.uses("botocore.httpsession.URLLib3Session", "_proxy_config")
TIMEOUT: Final = FAST.uses("botocore.httpsession.URLLib3Session", "_timeout")
GIVE_CONNECTION: Final = FAST.uses("urllib3.connectionpool.HTTPConnectionPool", "_put_conn")
CONTENT: Final = FAST.uses("botocore.awsrequest.AWSResponse", "_content")

ASYNC_CONNECTIONS: Final = Way(
    "aiobotocore or aiohttp", "calls under asyncio are sent by aiohttp, which takes longer"
)
AIO_SESSIONS: Final = ASYNC_CONNECTIONS.uses("aiobotocore.httpsession.AIOHTTPSession", "_sessions")
AIO_PROXIES: Final = ASYNC_CONNECTIONS.uses(
    "aiobotocore.httpsession.AIOHTTPSession", "_proxy_config"
)
AIO_SENDS: Final = ASYNC_CONNECTIONS.uses("aiohttp.ClientSession", "_request")
AIO_WAITERS: Final = ASYNC_CONNECTIONS.uses("aiohttp.BaseConnector", "_waiters")
AIO_PROTOCOL: Final = ASYNC_CONNECTIONS.uses("aiohttp.connector.Connection", "_protocol")

# --- Making a client --------------------------------------------------------------------------------

START: Final = Way("botocore", "making a session takes longer")
BUILTIN_HANDLERS = START.uses("botocore.session.Session", "_register_builtin_handlers")
LOAD_FILE = START.uses("botocore.loaders.JSONFileLoader", "_load_file")

ROOM: Final = Way("botocore", "a session keeps as many connections as its config says, or ten")
STATED_OPTIONS = ROOM.uses("botocore.config.Config", "_user_provided_options")
MOST_CONNECTIONS = ROOM.uses("botocore.httpsession.URLLib3Session", "_max_pool_connections")

STREAMS: Final = Way(
    "botocore or aiobotocore",
    "the clients of streams and of S3 find their credentials anew, and that of streams opens connections "
    "of its own",
)
LENT_ENDPOINT = STREAMS.uses("botocore.client.BaseClient", "_endpoint")
LENT_SIGNER = STREAMS.uses("botocore.client.BaseClient", "_request_signer")
LENT_CREDENTIALS = STREAMS.uses("botocore.signers.RequestSigner", "_credentials")

# --- The end of a process's life, and of a session's ------------------------------------------------

FORK: Final = Way(
    "botocore or urllib3",
    "a forked process closes what it has inherited of connections, also for who uses the client there",
)
FORKED_POOLS = FORK.uses("botocore.httpsession.URLLib3Session", "_manager")
POOL_OPTIONS = FORK.uses("botocore.httpsession.URLLib3Session", "_get_pool_manager_kwargs")
POOL_CLASSES = FORK.uses("botocore.httpsession.URLLib3Session", "_pool_classes_by_scheme")
PROXY_POOLS = FORK.uses("botocore.httpsession.URLLib3Session", "_proxy_managers")

RELEASE: Final = Way(
    "aiobotocore or aiohttp",
    "an AsyncSession that is forgotten without close(), or that outlives its event loop, leaves "
    "connections open",
)
HTTP_SESSIONS = RELEASE.uses("aiobotocore.httpsession.AIOHTTPSession", "_sessions")
CLOSE_CONNECTOR = RELEASE.uses("aiohttp.BaseConnector", "_close")
IDLE = RELEASE.uses("aiohttp.BaseConnector", "_conns")

# --- The mapper -------------------------------------------------------------------------------------

HOOKS: Final = Way(
    "cattrs",
    "a copy of a mapper keeps the codecs of its original: what is registered on it may not count",
)
UNSTRUCTURE_HOOKS = HOOKS.uses("cattrs.Converter", "_unstructure_func")
STRUCTURE_HOOKS = HOOKS.uses("cattrs.Converter", "_structure_func")
UNSTRUCTURE_SKIP = HOOKS.uses("cattrs.Converter", "_unstruct_copy_skip")
STRUCTURE_SKIP = HOOKS.uses("cattrs.Converter", "_struct_copy_skip")

#: By this attrs before 25.4 marks a frozen class, one that inherits it included. Later releases have
#: `attrs.inspect`, so it is never missed.
FROZEN_SETATTR: Final = "_frozen_setattrs"

#: Where attrs keeps the validators of a list of them. Without it, they are skipped together where one
#: of them looks at an object that is not there.
AND_PARTS: Final = "_validators"

#: All of them.
WAYS: Final = (
    COPY, DEADLINE, BODIES, FAST, ASYNC_CONNECTIONS, START, ROOM, STREAMS, FORK, RELEASE, HOOKS,
)  # fmt: skip
