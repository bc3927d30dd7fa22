"""Who listens to the calls of a client: whether one may pass by botocore's machinery unnoticed.

Programs hook into botocore in two ways: they register event handlers (moto, Sentry, a custom retry,
a Stubber), or they put something in the place of its functions (OpenTelemetry, X-Ray, Datadog, New
Relic, tests that mock). Both must get every call. So a call goes the fast way only
while all handlers of its events are botocore's own and all functions it passes by are as botocore
defines them. Whether anything has changed is looked at for every call, in one step that costs less than
a microsecond; what has changed is judged when it has. What was put on the client itself is for `patches`
to see.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

import botocore

from dynattrs import foreign_names as foreign

#: Events in which botocore itself has no handler for DynamoDB that a fast way would have to call.
_SILENT: Final = (
    "provide-client-params",
    "before-endpoint-resolution",
    "before-sign",
    "before-send",
    "before-parse",
    "response-received",
    "after-call-error",
)
#: Events in which it has some: they make the request that is the pattern for later ones, or are for
#: calls that fail, which end in botocore's machinery again.
_USUAL: Final = (
    "before-parameter-build",
    "before-call",
    "request-created",
    "choose-signer",
    "needs-retry",
    "after-call",
)

# Parts of botocore that users bring in, and that do more than making requests.
_BROUGHT_IN: Final = tuple(
    f"{home}.{part}"
    for home in ("botocore", "aiobotocore")
    for part in ("stub", "retries.adaptive")
)


class Observers:
    """Watches over one client.

    Args:
        client: botocore's client for DynamoDB, or aiobotocore's.
        operations: The methods that may pass by: `get_item`, …

    Raises:
        AttributeError: This botocore is built differently.
    """

    def __init__(self, client: Any, operations: tuple[str, ...]) -> None:
        from botocore import auth, history

        endpoint, signer = foreign.ENDPOINT.of(client), foreign.SIGNER.of(client)
        http = endpoint.http_session
        homes = [botocore]
        if type(endpoint).__module__.startswith("aiobotocore."):
            homes.append(importlib.import_module("aiobotocore"))
        self._homes = folders_of(homes)
        self._names = [client.meta.method_to_api_mapping[name] for name in operations]
        self._emitter = foreign.EMITTER.of(client.meta.events)
        #: Whether botocore writes a log that shows its machinery at work.
        self.debugging = logging.getLogger("botocore").isEnabledFor
        # The class that botocore derives a service's from is where others put their functions.
        passed: dict[Any, tuple[str, ...]] = {
            type(client).__mro__[1]: tuple(step.name for step in foreign.CLIENT_STEPS),
            type(endpoint): (
                "make_request", "create_request", "prepare_request", foreign.SEND.name,
                *(step.name for step in foreign.ENDPOINT_STEPS),
            ),
            type(http): ("send",),
            type(signer): ("handler", "sign", "get_auth_instance"),
            auth.SigV4Auth: ("add_auth", "signature"),
        }  # fmt: skip
        # The emitter makes a new cache whenever a handler is registered or removed.
        places = [
            (self._emitter, foreign.LOOKUP_CACHE.name),
            (history.get_global_history_recorder(), foreign.RECORDING.name),
            *((owner, name) for owner, names in passed.items() for name in names),
        ]
        owners, names = zip(*places, strict=True)
        #: Gives what there is now: the cache of handlers, whether calls are recorded, and the functions
        #: that all calls pass by. The client's methods are looked at by who calls them.
        self.look: Callable[[], Iterable[Any]] = partial(map, getattr, owners, names)

    def are_botocores(self, seen: Iterable[object]) -> bool:
        """Whether nothing listens, where `look` has *seen* this."""
        _, recording, *functions = seen
        return (
            not recording
            and are_plain(functions, self._homes)
            and all(map(self._is_usual, self._names))
        )

    def _is_usual(self, operation: str) -> bool:
        return not any(self._handlers(event, operation) for event in _SILENT) and all(
            _is_own(handler) for event in _USUAL for handler in self._handlers(event, operation)
        )

    def _handlers(self, event: str, operation: str) -> tuple[Callable[..., Any], ...]:
        found = foreign.HANDLERS.of(self._emitter).prefix_search(f"{event}.dynamodb.{operation}")
        return tuple(found or ())

    def after_call(self) -> tuple[Callable[..., Any], ...]:
        """Who is told of calls that went well: botocore's retry quota."""
        return self._handlers("after-call", self._names[0])


def _is_own(handler: object) -> bool:
    """Whether a handler is one that botocore registers by itself."""
    owner = getattr(handler, "__self__", None)
    modules = [
        getattr(each, "__module__", None) or ""
        for each in (handler, type(handler) if owner is None else type(owner))
        if each is not FunctionType
    ]
    if not all(module.startswith(("botocore.", "aiobotocore.")) for module in modules):
        return False
    if any(module.startswith(_BROUGHT_IN) for module in modules):
        return False
    # Its discovery of endpoints; the other function of that module refuses operations that need it.
    return type(owner).__name__ not in ("EndpointDiscoveryHandler", "AioEndpointDiscoveryHandler")


def folders_of(packages: Iterable[ModuleType]) -> tuple[str, ...]:
    """Where packages are, with a separator at the end: those with longer names are not meant."""
    return tuple(str(Path(str(each.__file__)).parent / "_")[:-1] for each in packages)


def are_plain(found: Iterable[object], folders: tuple[str, ...]) -> bool:
    """Whether each is a plain function, its code in these folders, that wraps no other but such; or
    a tuple of them.
    """
    for each in found:
        for function in each if isinstance(each, tuple) else (each,):
            unwrapped = function
            while unwrapped is not None:
                if type(unwrapped) is not FunctionType:
                    return False
                if not unwrapped.__code__.co_filename.startswith(folders):
                    return False
                unwrapped = vars(unwrapped).get("__wrapped__")
    return True
