"""Where the tables of tests are: one place for each process, which is empty for each test.

A test sees no table until its session first reads or writes one; then the table is made as declared. A
table that was made once is kept aside, and is put back, empty, for the next test that needs it.
"""

from __future__ import annotations

import contextlib
import copy
import ipaddress
import os
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import attrs
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dynattrs.errors import ConfigurationError, MissingExtra
from dynattrs.operations.requests import ITEM_OPERATIONS
from dynattrs.schema.messages import Message
from dynattrs.schema.table import Table
from dynattrs.session.session import Session
from dynattrs.testing.processes import MissingEngine
from dynattrs.wire import local_engine
from dynattrs.wire.boto_client import own_session
from dynattrs.wire.exchange import tables_in

#: A table with more items is deleted: to make it anew takes less time.
_MANY: Final = 200
_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


#: What a session of botocore's, or aiobotocore's, is made with that reads neither a profile nor its file.
APART: Final = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}


@attrs.frozen
class Access:
    """How an endpoint is reached."""

    url: str
    access_key: str = "dynattrs"
    secret_key: str = attrs.field(default="dynattrs", repr=False)
    region_name: str = "us-east-1"


class Clients:
    """Makes clients of one endpoint, whatever the environment says of profiles and credentials."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session = own_session(None, APART)

    def client(self, service: str, **options: Any) -> Any:
        """A client, as a boto3 session makes it."""
        access = self._access
        options |= {
            "endpoint_url": access.url,
            "region_name": access.region_name,
            "aws_access_key_id": access.access_key,
            "aws_secret_access_key": access.secret_key,
        }
        return self._session.create_client(service, **options)


class AsyncClients:
    """Makes aiobotocore's clients of one endpoint, as a session of its own would.

    Raises:
        MissingExtra: aiobotocore is not installed.
    """

    def __init__(self, access: Access) -> None:
        try:
            from aiobotocore.session import AioSession
        except ModuleNotFoundError as error:
            raise MissingExtra("aio", "aiobotocore") from error
        self._access = access
        self._session = AioSession(session_vars=APART)
        self._session.set_credentials(access.access_key, access.secret_key)

    def create_client(self, service: str, **options: Any) -> Any:
        """A client, which is to be entered."""
        options |= {"endpoint_url": self._access.url, "region_name": self._access.region_name}
        # Certificates are for HTTPS; to read them takes longer than all else of a test.
        if self._access.url.startswith("http:"):
            options["verify"] = False
        return self._session.create_client(service, **options)


class Engine(Protocol):
    """The engine with the tables."""

    @property
    def prefix(self) -> str:
        """Put before the names of all tables."""
        ...

    @property
    def access(self) -> Access: ...

    def make(self, name: str, table: Table) -> None:
        """Put a table in its place, empty."""
        ...

    def alone(self) -> None:
        """Take away the tables that were kept and that this test has not asked for."""
        ...

    def changed(self, name: str) -> None:
        """The test changes a table itself."""
        ...

    def empty(self) -> None:
        """Be as new."""
        ...

    def close(self) -> None: ...


class World:
    """The place of one process.

    Attributes:
        engine: The engine with the tables.
        clients: Makes clients of it.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clients = Clients(engine.access)
        self._async_clients: AsyncClients | None = None
        #: Whether tables are made when a test first asks for them.
        self.makes = True
        #: Whether nothing of a test is there.
        self._clean = True
        self._lock = threading.RLock()
        self._seen: set[str] = set()

    @property
    def async_clients(self) -> AsyncClients:
        """Makes aiobotocore's, which keeps what it has read of the service's description."""
        if self._async_clients is None:
            self._async_clients = AsyncClients(self.engine.access)
        return self._async_clients

    def begin(self, *, makes: bool) -> None:
        """A test begins."""
        with self._lock:
            self._seen.clear()
            self.makes = makes
            if not self._clean:
                self.engine.empty()
            self._clean = False
            if not makes:
                self.engine.alone()

    def end(self) -> None:
        """A test has ended: nothing of it stays."""
        with self._lock:
            self._seen.clear()
            self.engine.empty()
            self._clean = True

    def close(self) -> None:
        self.engine.close()

    def before(self, declared: Mapping[str, Table]) -> Callable[[str, Message], None]:
        """What a session of a test calls before each call.

        Args:
            declared: By their real names, the tables that the session knows.
        """

        def called(operation: str, parameters: Message) -> None:
            names = tables_in(parameters) or _named(_statements(parameters), declared)
            if self._seen.issuperset(names) and operation in ITEM_OPERATIONS:
                return
            with self._lock:
                if operation not in ITEM_OPERATIONS:
                    self.engine.alone()
                for name in names:
                    self._ask_for(name, operation, declared)

        return called

    def _ask_for(self, name: str, operation: str, declared: Mapping[str, Table]) -> None:
        if operation not in ITEM_OPERATIONS:
            if not operation.startswith("describe"):
                self._seen.add(name)
                self.engine.changed(name)
        elif name not in self._seen and self.makes and name in declared:
            self.engine.make(name, declared[name])
            self._seen.add(name)


def _statements(parameters: Message) -> str:
    """The statements of PartiQL that a request has."""
    several = (*parameters.get("Statements", ()), *parameters.get("TransactStatements", ()))
    return "\n".join(each["Statement"] for each in (parameters, *several) if "Statement" in each)


def _named(statements: str, declared: Mapping[str, Table]) -> tuple[str, ...]:
    """The tables that statements of PartiQL may mean."""
    if not statements:
        return ()
    whole = "(?<![a-zA-Z0-9_.-]){}(?![a-zA-Z0-9_.-])".format
    return tuple(name for name in declared if re.search(whole(re.escape(name)), statements))


def _create(clients: Clients, name: str, table: Table) -> None:
    with Session(boto3_session=clients, tables={table.name: name}) as session:
        session.tables.create(table)


# --- The embedded engine ------------------------------------------------------------------------


class Embedded:
    """The engine in this process. Tables are taken out and put back without a request."""

    prefix = ""

    def __init__(self) -> None:
        self._lease = local_engine.start()
        self.access = Access(
            self._lease.endpoint_url, self._lease.access_key, self._lease.secret_key,
            self._lease.region_name,
        )  # fmt: skip
        self._clients = Clients(self.access)
        self._kept: list[tuple[str, Table, local_engine.Entries]] = []

    def make(self, name: str, table: Table) -> None:
        for kept, declared, entries in self._kept:
            if kept == name and declared == table:
                self._lease.put(copy.deepcopy(entries))
                return
        before = self._lease.entries().keys()
        _create(self._clients, name, table)
        entries = {
            place: copy.deepcopy(value)
            for place, value in self._lease.entries().items()
            if place not in before and _belongs(place[2], name)
        }
        self._kept.append((name, table, entries))

    def alone(self) -> None:
        pass  # what is kept is not in its place

    def changed(self, name: str) -> None:
        pass

    def empty(self) -> None:
        self._lease.clear()

    def close(self) -> None:
        self._lease.stop()


def _belongs(key: object, name: str) -> bool:
    """Whether an entry is of a table, by its name or its ARN."""
    return key == name or (isinstance(key, str) and f":table/{name}" in key)


# --- Engines behind a URL -----------------------------------------------------------------------


class Remote:
    """An engine behind a URL, which others may use. Only tables with this process's prefix are touched.

    Args:
        url: Its URL, on this machine or in a private network.
        worker: The name of this process in the test run.

    Raises:
        ConfigurationError: The URL is elsewhere, or belongs to AWS.
        MissingEngine: It does not answer.
    """

    def __init__(self, url: str, worker: str) -> None:
        check_local(url)
        self.access = Access(url)
        self.prefix = f"dynattrs-{secrets.token_hex(4)}-{worker}-"
        self._clients = Clients(self.access)
        _check_answers(url, self._clients)
        self._client = self._clients.client("dynamodb")
        #: Tables that are there, as they were made, and empty where no test has asked for them.
        self._kept: dict[str, tuple[Table, Message]] = {}
        self._asked: set[str] = set()
        self._changed: set[str] = set()

    def make(self, name: str, table: Table) -> None:
        known = self._kept.get(name)
        if known is None or known[0] != table:
            if known is not None:
                self._delete(name)
            _create(self._clients, name, table)
            self._kept[name] = (table, self._traits(name))
        self._asked.add(name)

    def alone(self) -> None:
        for name in self._kept.keys() - self._asked:
            self._delete(name)

    def changed(self, name: str) -> None:
        self._changed.add(name)

    def empty(self) -> None:
        there = self._names()
        for name in self._kept.keys() - set(there):
            del self._kept[name]  # a test has deleted it
        for name in there:
            kept = self._kept.get(name)
            if kept is None or name in self._changed or self._traits(name) != kept[1]:
                self._delete(name)
            else:
                self._empty(name)
        self._asked.clear()
        self._changed.clear()

    def close(self) -> None:
        for name in self._names():
            self._delete(name)
        self._client.close()

    def _names(self) -> list[str]:
        pages = self._client.get_paginator("list_tables").paginate()
        found = [name for page in pages for name in page["TableNames"]]
        return [name for name in found if name.startswith(self.prefix)]

    def _delete(self, name: str) -> None:
        assert name.startswith(self.prefix)
        self._kept.pop(name, None)
        gone = self._client.exceptions.ResourceNotFoundException
        with contextlib.suppress(gone):
            self._client.delete_table(TableName=name)

    def _traits(self, name: str) -> Message:
        """What a test may change of a table besides its items."""
        table = self._client.describe_table(TableName=name)["Table"]
        for each in (
            table,
            *table.get("GlobalSecondaryIndexes", ()),
            *table.get("LocalSecondaryIndexes", ()),
        ):
            for moving in ("ItemCount", "TableSizeBytes", "IndexSizeBytes"):
                each.pop(moving, None)
        table["TimeToLive"] = self._client.describe_time_to_live(TableName=name)[
            "TimeToLiveDescription"
        ]
        found: Message = table
        return found

    def _empty(self, name: str) -> None:
        assert name.startswith(self.prefix)
        key = [each["AttributeName"] for each in self._kept[name][1]["KeySchema"]]
        names = {f"#{place}": each for place, each in enumerate(key)}
        pages = self._client.get_paginator("scan").paginate(
            TableName=name, ConsistentRead=True, ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
        )  # fmt: skip
        count = 0
        for page in pages:
            count += len(page["Items"])
            if count > _MANY:
                self._delete(name)
                return
            deletes = [{"DeleteRequest": {"Key": each}} for each in page["Items"]]
            for start in range(0, len(deletes), 25):
                left: Message = {name: deletes[start : start + 25]}
                while left:
                    left = self._client.batch_write_item(RequestItems=left)["UnprocessedItems"]


def check_local(url: str) -> None:
    """Refuse an endpoint that is not on this machine or in a private network.

    Raises:
        ConfigurationError: It may hold tables that do not belong to tests.
    """
    hint = "write embedded, dynamodb-local, or a URL such as http://localhost:8000"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"--dynattrs-engine={url} is not a URL: {error}", hint) from error
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"--dynattrs-engine={url} is not an engine", hint)
    if not host.endswith(_AWS) and all(map(_is_private, _addresses(host))):
        return
    raise ConfigurationError(
        f"--dynattrs-engine={url} is not on this machine or in a private network, and the plugin "
        f"makes, empties and deletes tables",
        "test against DynamoDB Local, and write fixtures of your own for the service itself",
    )


def _check_answers(url: str, clients: Clients) -> None:
    """Ask an engine once, without the retries of a test's requests.

    Raises:
        MissingEngine: It does not answer as DynamoDB does.
    """
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)
    cause, problem = None, "its answer is another one"
    with contextlib.closing(clients.client("dynamodb", config=once)) as client:
        try:
            if "TableNames" in client.list_tables(Limit=1):
                return
        except (BotoCoreError, ClientError) as error:
            cause, problem = error, str(error)
    raise MissingEngine(
        f"--dynattrs-engine={url}: no DynamoDB answers there ({problem}); start the engine, for example "
        f"with `docker run -p 8000:8000 amazon/dynamodb-local`, or choose embedded"
    ) from cause


def _addresses(host: str) -> Iterator[str]:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError as error:
        raise ConfigurationError(
            f"--dynattrs-engine: the host {host!r} is not known ({error})", "is the engine running?"
        ) from error
    return (str(each[4][0]).partition("%")[0] for each in found)


def _is_private(address: str) -> bool:
    return ipaddress.ip_address(address).is_private
