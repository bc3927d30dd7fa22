"""What a session says of a client, a session or a config that it cannot work with."""

from typing import Any

import boto3
import botocore.session
import pytest

from dynattrs import ModelError, Session
from dynattrs.aio import AsyncSession

_KEYS = {
    "region_name": "eu-west-1",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
}
SESSIONS = pytest.mark.parametrize("session", [Session, AsyncSession])


@SESSIONS
@pytest.mark.parametrize("made", ["resource", "table"])
def test_a_resource_is_told_of_its_client(session: Any, made: str):
    resource: Any = boto3.resource("dynamodb", **_KEYS)  # type: ignore[call-overload]
    own = {Session: "pass its client: resource.meta.client", AsyncSession: "leave it out"}[session]

    with pytest.raises(ModelError, match=f"client is a resource of boto3; {own}"):
        session(client=resource if made == "resource" else resource.Table("music"))


def test_the_client_of_a_resource_is_taken():
    resource: Any = boto3.resource("dynamodb", **_KEYS)  # type: ignore[call-overload]
    Session(client=resource.meta.client).close()


@SESSIONS
@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("s3", "client is one of 's3', and 'dynamodb' is expected; pass it as s3_client="),
        ("dynamodbstreams", "'dynamodb' is expected; pass it as streams_client="),
        ("sts", "client is one of 'sts', and 'dynamodb' is expected$"),
    ],
)
def test_a_client_of_another_service_is_refused(session: Any, service: Any, message: str):
    with pytest.raises(ModelError, match=message):
        session(client=boto3.client(service, **_KEYS))


@SESSIONS
@pytest.mark.parametrize("client", ["dynamodb", boto3.Session(), botocore.session.Session()])
def test_what_is_no_client_is_refused(session: Any, client: Any):
    with pytest.raises(ModelError, match=r"client is .*, and a client is expected; leave it out"):
        session(client=client)


@SESSIONS
def test_a_config_as_a_dict_is_refused(session: Any):
    with pytest.raises(
        ModelError, match=r"config is dict .* a botocore\.config\.Config is expected"
    ):
        session(config={"retries": {"max_attempts": 3}}, region_name="eu-west-1")


def test_a_client_where_a_session_is_expected_is_refused():
    client = boto3.client("dynamodb", **_KEYS)  # type: ignore[call-overload]
    with pytest.raises(ModelError, match=r"a session is expected: boto3\.Session\(\)"):
        Session(boto3_session=client)
    with pytest.raises(
        ModelError, match=r"a session is expected: aiobotocore\.session\.get_session"
    ):
        AsyncSession(aiobotocore_session=boto3.Session())


@SESSIONS
def test_names_of_tables_are_a_dict_and_a_text(session: Any):
    with pytest.raises(ModelError, match=r"tables=\['music'\]: a dict is expected"):
        session(tables=["music"], region_name="eu-west-1")
    with pytest.raises(ModelError, match="table_prefix=3: a text is expected"):
        session(table_prefix=3, region_name="eu-west-1")
