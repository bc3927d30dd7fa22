"""Requests to S3, for values that are kept there: its client is made like the session's own.

It has the session's region, credentials (which renew themselves for both) and those settings of its config
that are about connections. Where the session speaks to an engine, or to anything else that is not AWS, so
does this one. Retries are botocore's; putting an object again that is named after its content changes
nothing.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final, cast

from dynattrs.deferral import deferred
from dynattrs.errors import ConnectionFailed, DynattrsError, ServiceError, SessionClosed
from dynattrs.mapper.annotations import LARGE_FIELDS
from dynattrs.operations.flows import Call, ObjectCall
from dynattrs.operations.object_errors import ObjectMissing, ObjectRefused, ObjectsUnavailable
from dynattrs.operations.refusals import PASSING
from dynattrs.operations.requests import operation_name
from dynattrs.schema.messages import Message
from dynattrs.wire.boto_client import keep_all_connections
from dynattrs.wire.service_errors import configured, translate
from dynattrs.wire.time_limits import is_ending

if TYPE_CHECKING:
    from dynattrs.mapper import departures
    from dynattrs.mapper.departures import Departure
    from dynattrs.operations import large_values
    from dynattrs.wire import streams_client
else:
    large_values = deferred("dynattrs.operations.large_values")
    departures = deferred("dynattrs.mapper.departures")
    streams_client = deferred("dynattrs.wire.streams_client")

SERVICE: Final = "s3"

#: Where botocore itself looks for an endpoint.
_VARIABLE: Final = "AWS_ENDPOINT_URL_S3"

#: What of a client's config is about all services.
_SETTINGS: Final = (
    "client_cert", "connect_timeout", "max_pool_connections", "parameter_validation", "proxies",
    "proxies_config", "read_timeout", "retries", "s3", "tcp_keepalive", "use_dualstack_endpoint",
    "use_fips_endpoint", "user_agent_appid", "user_agent_extra",
)  # fmt: skip

#: Operations whose parameters may hold values of items.
_WRITES: Final = frozenset(
    {"batch_write_item", "delete_item", "put_item", "transact_write_items", "update_item"}
)
_MISSING_CODES: Final = frozenset({"404", "NoSuchKey"})
_PASSING_CODES: Final = frozenset({"RequestTimeout", "SlowDown", "InternalError"})

#: So many objects are put at once for one session, whose batches share them.
_AT_ONCE: Final = 32
#: How often the body of a reply is read that breaks off. botocore does not repeat that.
_READS: Final = 4


def options_like(client: Any) -> dict[str, Any]:
    """What a client of S3 is made with for who has a client of DynamoDB."""
    options = streams_client.options_like(client, _VARIABLE, "s3_client", SERVICE)
    config = options["config"]
    stated = {name: getattr(config, name, None) for name in _SETTINGS}
    known = {name: value for name, value in stated.items() if value is not None}
    options["config"] = type(config)(**known)
    return options


def make_objects_client(client: Any) -> Any:
    """A client of S3 like a client of DynamoDB.

    Raises:
        ConfigurationError: *client* is not botocore's.
    """
    from botocore.session import Session

    session = Session()
    streams_client.lend_credentials(session, client)
    options = options_like(client)
    made = session.create_client(SERVICE, **options)
    keep_all_connections(made, None, options["config"].max_pool_connections)
    return made


def opening_objects_client(client: Any) -> Any:
    """The same of an aiobotocore client: an asynchronous context manager."""
    from aiobotocore.session import AioSession

    session = AioSession()
    streams_client.lend_credentials(session, client, awaited=True)
    return session.create_client(SERVICE, **options_like(client))


def _refusal(error: Exception, method: str, parameters: Message) -> DynattrsError | None:
    """The error for what a client of S3 has raised; None for what is none of botocore's."""
    operation = operation_name(method)
    found = translate(error, operation, None)
    if not isinstance(found, (ServiceError, ConnectionFailed)):
        return found
    bucket, key = parameters["Bucket"], parameters.get("Key") or parameters.get("Prefix", "")
    place = f"s3://{bucket}/{key}"
    if isinstance(found, ConnectionFailed):
        return ObjectsUnavailable(operation, type(error).__name__, f"{found.problem} ({place})")
    code, text = found.code, found.message
    if isinstance(found, PASSING) or code in _PASSING_CODES:
        return ObjectsUnavailable(operation, code, f"{text} ({place})")
    kind = ObjectMissing if code in _MISSING_CODES else ObjectRefused
    return kind(operation, code, text, place=place)


def _unreadable(error: Exception, parameters: Message) -> ObjectsUnavailable:
    """The error for a body that has broken off each time."""
    place = f"s3://{parameters['Bucket']}/{parameters['Key']}"
    return ObjectsUnavailable("GetObject", type(error).__name__, f"{error} ({place})")


def _distinct(leaving: Iterable[Departure]) -> list[Departure]:
    return list({(each.place.bucket, each.place.key): each for each in leaving}.values())


def leaving(call: Call) -> list[Departure]:
    """What of a write is to be in S3 before it is sent."""
    if LARGE_FIELDS not in sys.modules or call.operation not in _WRITES:
        return []
    return departures.departures(call.parameters)


# --- Over boto3 ---------------------------------------------------------------------------------


class Objects:
    """Sends requests to S3. Safe between threads.

    Args:
        like: The session's client.
        given: A client of S3 to use; None to make one with the first request.
    """

    def __init__(self, like: object, given: object = None) -> None:
        self._like = like
        self._given: Any = given
        self._made: Any = None
        self._lock = threading.Lock()
        #: Puts the objects of requests that have several.
        self._threads: ThreadPoolExecutor | None = None

    @property
    def client(self) -> Any:
        if self._given is not None:
            return self._given
        with self._lock:
            if self._made is None:
                with configured():
                    self._made = make_objects_client(self._like)
            return self._made

    def renew(self) -> None:
        """This is another process than the one that has made the connections."""
        self._lock = threading.Lock()
        self._made = self._threads = None

    def close(self) -> None:
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()
        if self._made is not None:
            self._made.close()

    def call(self, call: ObjectCall) -> Message:
        """The response to a call, with its body as bytes.

        Raises:
            ObjectsUnavailable: S3 has failed.
            ObjectRefused: It does not do it.
            ObjectMissing: The object does not exist.
        """
        method, parameters = call.operation, call.parameters
        send = getattr(self.client, method)
        for left in reversed(range(_READS)):
            try:
                response: Message = send(**parameters)
            except Exception as error:
                refusal = _refusal(error, method, parameters)
                if refusal is None:
                    raise
                raise refusal from error
            if "Body" not in response:
                return response
            try:
                return {**response, "Body": response["Body"].read()}
            except Exception as error:
                if not left:
                    raise _unreadable(error, parameters) from error
        raise AssertionError("the last try returns or raises")

    def keep(self, leaving: list[Departure]) -> None:
        """Put into S3 what is to be there, and the maps in its place.

        Raises:
            DynattrsError: As `call`, of the first that failed. The request is as before then.
        """
        distinct = _distinct(leaving)
        if len(distinct) == 1:
            self._put(distinct[0])
        else:
            self._put_all(distinct)
        for each in leaving:
            each.leave()

    def _put(self, each: Departure) -> None:
        flow, response = large_values.put(each), None
        with contextlib.suppress(StopIteration):
            while True:
                response = self.call(cast("ObjectCall", flow.send(response)))

    def _put_all(self, distinct: list[Departure]) -> None:
        tasks = self._begun(distinct)
        try:
            for task in tasks:
                task.result()
        finally:
            # None may go on behind an error, and none begin.
            for task in tasks:
                task.cancel()
            wait(tasks)
        for each in distinct[len(tasks) :]:
            self._put(each)

    def _begun(self, distinct: list[Departure]) -> list[Future[None]]:
        """The tasks that put objects, or the first of them: without new threads at a process's end."""
        tasks: list[Future[None]] = []
        with self._lock:  # against `close`: what is begun ends before the client is closed
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dynattrs-s3")
            try:
                for each in distinct:
                    tasks.append(self._threads.submit(self._put, each))  # noqa: PERF401 - it may raise
            except RuntimeError as error:
                if not is_ending(error):
                    raise
        return tasks


# --- Over aiobotocore ---------------------------------------------------------------------------


class AsyncObjects:
    """The same for the tasks of one event loop.

    Args:
        like: Gives the session's client.
        given: As `Objects` has it.
    """

    def __init__(self, like: Callable[[], Awaitable[object]], given: object = None) -> None:
        self._like = like
        self._given: Any = given
        self._made: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stack = contextlib.AsyncExitStack()
        self._lock = asyncio.Lock()
        #: The event loop that puts are made in, and the places that they share there.
        self._shared: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None
        self._closed = False

    async def _client(self) -> Any:
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # a former one is over, as the session's client says
            self.renew()
            self._loop = loop
        async with self._lock:
            if self._closed:
                raise SessionClosed
            if self._made is None:
                like = await self._like()
                with configured():
                    opening = opening_objects_client(like)
                    self._made = await self._stack.enter_async_context(opening)
            return self._made

    def renew(self) -> None:
        """As that of `Objects`."""
        self._lock, self._stack = asyncio.Lock(), contextlib.AsyncExitStack()
        self._made = self._loop = None

    async def close(self) -> None:
        self._closed = True
        if self._made is not None and self._loop is asyncio.get_running_loop():
            await self._stack.aclose()

    async def call(self, call: ObjectCall) -> Message:
        """As that of `Objects`."""
        method, parameters = call.operation, call.parameters
        send = getattr(await self._client(), method)
        for left in reversed(range(_READS)):
            try:
                given: Any = send(**parameters)
                response: Message = await given if inspect.isawaitable(given) else given
            except Exception as error:
                refusal = _refusal(error, method, parameters)
                if refusal is None:
                    raise
                raise refusal from error
            if "Body" not in response:
                return response
            try:
                async with response["Body"] as body:
                    return {**response, "Body": await body.read()}
            except Exception as error:
                if not left:
                    raise _unreadable(error, parameters) from error
        raise AssertionError("the last try returns or raises")

    def _places_here(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if self._shared is None or self._shared[0] is not loop:
            self._shared = loop, asyncio.Semaphore(_AT_ONCE)
        return self._shared[1]

    async def keep(self, leaving: list[Departure]) -> None:
        """As that of `Objects`."""
        places = self._places_here()

        async def put(each: Departure) -> None:
            async with places:
                flow, response = large_values.put(each), None
                with contextlib.suppress(StopIteration):
                    while True:
                        response = await self.call(cast("ObjectCall", flow.send(response)))

        tasks = [asyncio.ensure_future(put(each)) for each in _distinct(leaving)]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        for each in leaving:
            each.leave()
