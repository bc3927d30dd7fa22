"""Requests about streams go to a client of their own, which is like the session's."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dynattrs import ModelError, Session, Table, model
from dynattrs.errors import ConfigurationError, ConnectionFailed, NoSuchTable, SessionClosed
from dynattrs.events import AfterSend
from dynattrs.operations.flows import Call
from dynattrs.testing import faults, lost_reply
from dynattrs.wire.streams_client import make_streams_client, options_like

pytestmark = pytest.mark.threads_only

watched = Table("watched", partition_key="id", stream="new and old")


@model(watched)
class Note:
    id: str
    text: str = ""


def shards_of(watching: Session) -> list[Any]:
    arn = watching.tables.describe(watched)["LatestStreamArn"]
    response: Any = watching._driver.wire.call(Call("describe_stream", {"StreamArn": arn}))
    return list(response["StreamDescription"]["Shards"])


@pytest.fixture
def watching(client: Any, table_prefix: str) -> Any:
    with Session(client=client, table_prefix=table_prefix) as made:
        made.tables.create(watched)
        yield made


def test_the_stream_of_a_handed_in_client_is_read_with_its_credentials_and_connections(
    watching: Session, client: Any
) -> None:
    assert len(shards_of(watching)) == 1

    made = watching._driver.wire.streams()
    assert made is watching._driver.wire.streams()
    assert made._sender._endpoint.http_session is client._endpoint.http_session
    assert made.client._request_signer._credentials is client._request_signer._credentials


def test_what_is_asked_of_streams_is_counted_and_told(watching: Session, table_prefix: str) -> None:
    told: list[AfterSend] = []
    watching.on("after_send", told.append)

    shards_of(watching)

    assert watching.stats.requests["DescribeStream"] == 1
    assert (told[-1].operation, told[-1].tables) == ("DescribeStream", (f"{table_prefix}watched",))


def test_faults_reach_streams(watching: Session) -> None:
    with faults(watching, lost_reply("DescribeStream")):
        with pytest.raises(ConnectionFailed):
            shards_of(watching)
    assert len(shards_of(watching)) == 1


def test_a_client_for_streams_that_is_handed_in_is_used_and_left_open(
    client: Any, client_arguments: Any, table_prefix: str
) -> None:
    streams = boto3.client("dynamodbstreams", **client_arguments)
    called = []
    streams.meta.events.register("before-call", lambda model, **_: called.append(model.name))
    with Session(client=client, streams_client=streams, table_prefix=table_prefix) as session:
        session.tables.create(watched)
        shards_of(session)
        arn = session.tables.describe(watched)["LatestStreamArn"]

    assert called == ["DescribeStream"]
    streams.describe_stream(StreamArn=arn)
    streams.close()


def test_a_forked_process_reads_streams_over_connections_of_its_own(
    watching: Session, client: Any
) -> None:
    shards_of(watching)
    watching._driver.forked()

    assert len(shards_of(watching)) == 1

    made = watching._driver.wire.streams()
    assert made._sender._endpoint.http_session is not client._endpoint.http_session


def test_a_stream_that_is_not_there_is_an_error_of_its_table(watching: Session) -> None:
    arn = watching.tables.describe(watched)["LatestStreamArn"]
    name = watching.tables.describe(watched)["TableName"]

    with pytest.raises(NoSuchTable) as caught:
        gone = f"{arn[:-4]}.999"
        watching._driver.wire.call(Call("describe_stream", {"StreamArn": gone}))

    assert caught.value.table == name


def test_under_asyncio_too(client_arguments: Any, table_prefix: str) -> None:
    pytest.importorskip("aiobotocore", reason="pip install 'dynattrs[aio]'")
    from aiobotocore.session import get_session

    from dynattrs.aio import AsyncSession

    arguments = {**client_arguments}
    arguments.pop("config")

    async def described(session: Any) -> Any:
        await session.tables.create(watched)
        arn = (await session.tables.describe(watched))["LatestStreamArn"]
        call = Call("describe_stream", {"StreamArn": arn})
        response = await session._driver.wire.call(call)
        assert len(response["StreamDescription"]["Shards"]) == 1
        assert session.stats.requests["DescribeStream"] == 1
        return call

    async def main() -> None:
        make = get_session().create_client
        async with make("dynamodb", **arguments) as client:
            session = AsyncSession(client=client, table_prefix=table_prefix)
            call = await described(session)
            ours = session._driver.wire.streams().opened.client
            assert ours._endpoint.http_session is client._endpoint.http_session
            await session.close()
            with pytest.raises(SessionClosed):
                await session._driver.wire.call(call)
            await client.list_tables()  # it is still open

            async with make("dynamodbstreams", **arguments) as streams:
                options: Any = {"streams_client": streams, "table_prefix": f"{table_prefix}2-"}
                async with AsyncSession(client=client, **options) as session:
                    await described(session)
                    assert session._driver.wire.streams().client is streams
            with pytest.raises(ModelError, match="streams_client has not been entered"):
                AsyncSession(client=client, streams_client=contextlib.AsyncExitStack())
            with pytest.raises(ModelError, match="streams_client is aiobotocore's"):
                Session(streams_client=streams)

    asyncio.run(main())


# --- Which client that is -------------------------------------------------------------------------


def client_with(**options: Any) -> Any:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    return boto3.client("dynamodb", **{"region_name": "eu-west-1", **keys, **options})


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ({}, "streams.dynamodb.eu-west-1.amazonaws.com"),
        ({"region_name": "cn-north-1"}, "streams.dynamodb.cn-north-1.amazonaws.com.cn"),
        ({"region_name": "us-east-1", "config": Config(use_fips_endpoint=True)}, "streams.dynamodb-fips"),
        ({"config": Config(use_dualstack_endpoint=True)}, "api.aws"),
        (
            {"endpoint_url": "https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com"},
            "streams.dynamodb.eu-west-1.amazonaws.com",
        ),
        ({"endpoint_url": "http://localhost:8123"}, "localhost:8123"),
    ],
    ids=["ordinary", "china", "fips", "dualstack", "vpc", "engine"],
)  # fmt: skip
def test_its_endpoint_is_the_service_s_or_that_of_an_engine(
    options: dict[str, Any], host: str
) -> None:
    assert host in make_streams_client(client_with(**options)).meta.endpoint_url


def test_an_endpoint_for_streams_in_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://localhost:8200")

    made = make_streams_client(client_with(endpoint_url="http://localhost:8123"))

    assert made.meta.endpoint_url == "http://localhost:8200"


def test_its_config_is_that_of_the_other_client() -> None:
    config = Config(read_timeout=7, retries={"mode": "standard", "total_max_attempts": 2})

    made = make_streams_client(client_with(config=config)).meta.config

    assert made.read_timeout == 7
    assert made.retries["total_max_attempts"] == 2


def test_a_client_that_is_not_botocores_does_not_tell_how_to_read_streams() -> None:
    with pytest.raises(ConfigurationError, match="pass streams_client="):
        options_like(object())


def test_a_client_of_another_service_is_refused() -> None:
    with pytest.raises(ModelError, match="streams_client is one of 'dynamodb'"):
        Session(client=client_with(), streams_client=client_with())
