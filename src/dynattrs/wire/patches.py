"""What tests and tools put on a client: whether calls have to go to the very client that was given.

Calls go to a copy of the client. What stands in the place of a method of the client itself, as
`unittest.mock.patch.object(client, "put_item")` puts it there, before the session is made or after, is
not on the copy. So while it is there such calls go to the client. What was put in the place of functions
of botocore's classes is for `observers` to see.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import FunctionType
from typing import Any

from dynattrs import foreign_names as foreign
from dynattrs.errors import ConfigurationError


class Patches:
    """Watches over one client. It is true while anything is in the place of something of botocore's.

    Args:
        client: botocore's client, or aiobotocore's, that was copied.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._methods = frozenset(client.meta.method_to_api_mapping)
        endpoint = foreign.ENDPOINT.of(client)
        shared = getattr(endpoint, "http_session", None), getattr(client, foreign.SIGNER.name, None)
        #: The client and its endpoint, which were copied; and what the copies share.
        watched = [each for each in (client, endpoint, *shared) if hasattr(each, "__dict__")]
        self._classes = [type(each) for each in watched]
        self._own = [vars(each) for each in watched]
        #: Gives how much there is now on each of them.
        self.look: Callable[[], Iterable[int]] = partial(map, len, self._own)
        self._judge()

    def _judge(self) -> None:
        #: What `look` gave, and whether anything was in the place of something then.
        self.seen = [*self.look()]
        self._hiding = [*map(hiding, self._classes, self._own)]
        self.found = any(self._hiding)

    def __bool__(self) -> bool:
        if [*self.look()] != self.seen:
            self._judge()
        return self.found

    def sender(self, method: str, usual: object) -> Any:
        """What calls of a client's method go to: the client itself, or what they *usual*ly go to."""
        if not self:
            return usual
        # As much as there was may be something else by now.
        self._judge()
        on_client, on_endpoint, *_ = self._hiding
        if on_endpoint or method in on_client or on_client - self._methods:
            return self._client
        return usual


class Unheard:
    """Watches over the step of botocore's that tests like to replace, and that aiobotocore has one of its
    own of: `patch("botocore.client.BaseClient._make_api_call")`.
    """

    def __init__(self) -> None:
        from botocore.client import BaseClient

        self._class = BaseClient
        self._step = foreign.CLIENT_STEPS[0].name
        self._seen: object = None
        self._replaced = False

    def check(self) -> None:
        """Refuse calls while a test's function stands there. A tool that watches wraps the step.

        Raises:
            ConfigurationError: They would pass by it.
        """
        found = getattr(self._class, self._step, None)
        if found is not self._seen:
            self._seen, self._replaced = found, _is_of_a_test(found)
        if self._replaced:
            raise ConfigurationError(
                f"botocore.client.BaseClient.{self._step} is patched, which aiobotocore's clients do "
                f"not call: requests would be sent all the same",
                f"patch aiobotocore.client.AioBaseClient.{self._step}",
            )


def _is_of_a_test(function: object) -> bool:
    if type(function).__module__ == "unittest.mock":
        return True
    if "pytest" not in sys.modules or type(function) is not FunctionType:
        return False
    return not function.__module__.startswith("botocore.") and not hasattr(function, "__wrapped__")


def hiding(cls: type[object], own: dict[str, Any]) -> frozenset[str]:
    """The names of an object's *own* attributes that hide something of its class."""
    return frozenset(name for name in own if hasattr(cls, name))
