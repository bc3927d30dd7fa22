"""Who listens to the calls of a client: whether one may pass by botocore's machinery unnoticed.

Programs hook into botocore in two ways: they register event handlers (moto, Sentry, a custom retry,
a Stubber), or they put something in the place of its functions (OpenTelemetry, X-Ray, Datadog, New
Relic, tests that mock). Whoever does either must get every call. So a call goes the short way only
while all handlers of its events are botocore's own and all functions it passes by are as botocore
defines them. That is looked at again for every call; it costs a microsecond.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from types import FunctionType
from typing import Any, Final, cast

#: Events in which botocore itself has no handler for DynamoDB that a short way would have to call.
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


class Listeners:
    """Watches over one client.

    Args:
        client: botocore's client for DynamoDB, or aiobotocore's.
        operations: The methods that may pass by: `get_item`, …

    Raises:
        AttributeError: This botocore is built differently.
    """

    def __init__(self, client: Any, operations: tuple[str, ...]) -> None:
        import botocore
        from botocore import auth, history

        homes = [botocore]
        if type(client._endpoint).__module__.startswith("aiobotocore."):
            homes.append(importlib.import_module("aiobotocore"))
        #: Folders with a separator at their end: those of packages with longer names are not meant.
        self._homes = tuple(str(Path(str(home.__file__)).parent / "_")[:-1] for home in homes)
        self._client = client
        self._names = [client.meta.method_to_api_mapping[name] for name in operations]
        self._emitter = client.meta.events._emitter
        self._history = cast("Any", history.get_global_history_recorder())
        self._debugging = logging.getLogger("botocore").isEnabledFor
        # The class that botocore derives a service's from is where others put their functions.
        passed: dict[Any, tuple[str, ...]] = {
            type(client).__mro__[1]: (
                "_make_api_call", "_make_request", "_convert_to_request_dict",
                "_emit_api_params", "_resolve_endpoint_ruleset",
            ),
            type(client._endpoint): (
                "make_request", "_send_request", "create_request", "prepare_request",
                "_get_response", "_do_get_response", "_send",
            ),
            type(client._endpoint.http_session): ("send",),
            type(client._request_signer): ("handler", "sign", "get_auth_instance"),
            auth.SigV4Auth: ("add_auth", "signature"),
            type(client): operations,
        }  # fmt: skip
        self._functions = [(owner, attrgetter(*names)) for owner, names in passed.items()]
        # Whatever was put on these very objects stays with them.
        objects = (client, client._endpoint, client._endpoint.http_session, client._request_signer)
        own = {name for names in passed.values() for name in names}
        self._altered = any(own & vars(each).keys() for each in objects)
        self._seen_handlers = self._emitter._lookup_cache
        self._seen_functions = self._current_functions()
        self._state: object | None = self._look()
        _ = self._history._enabled

    def state(self) -> object | None:
        """None while somebody listens, else an object: the same one as long as nothing changes."""
        # The emitter makes a new cache whenever a handler is registered or removed.
        if (
            self._emitter._lookup_cache is not self._seen_handlers
            or self._current_functions() != self._seen_functions
        ):
            self._seen_handlers = self._emitter._lookup_cache
            self._seen_functions = self._current_functions()
            self._state = self._look()
        if self._history._enabled or self._debugging(logging.DEBUG):
            return None
        return self._state

    def _current_functions(self) -> list[Any]:
        return [get(owner) for owner, get in self._functions]

    def _look(self) -> object | None:
        if self._altered or not all(map(self._is_botocores, self._each_function())):
            return None
        return object() if all(map(self._is_usual, self._names)) else None

    def _each_function(self) -> Iterator[Any]:
        for found in self._seen_functions:
            yield from found if isinstance(found, tuple) else (found,)

    def _is_botocores(self, function: Any) -> bool:
        """Whether it is a plain function, its code in their files, and what it wraps too."""
        while True:
            if type(function) is not FunctionType:
                return False
            if not function.__code__.co_filename.startswith(self._homes):
                return False
            wrapped = vars(function).get("__wrapped__")
            if wrapped is None:
                return True
            function = wrapped

    def _is_usual(self, operation: str) -> bool:
        def handlers(event: str) -> Any:
            return self._emitter._handlers.prefix_search(f"{event}.dynamodb.{operation}") or ()

        return not any(map(handlers, _SILENT)) and all(
            _is_own(handler) for event in _USUAL for handler in handlers(event)
        )

    def after_call(self) -> tuple[Callable[..., Any], ...]:
        """Who is told of calls that went well: botocore's retry quota."""
        return tuple(self._emitter._handlers.prefix_search(f"after-call.dynamodb.{self._names[0]}"))


def _is_own(handler: Any) -> bool:
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
