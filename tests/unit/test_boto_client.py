"""The client that a session makes: faster to make than boto3's, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ProfileNotFound, UnknownServiceError
from botocore.loaders import Loader

from dynattrs import ConfigurationError, Session
from dynattrs.wire.boto_client import description, make_client, own_session, with_room

ENDPOINT = "http://127.0.0.1:9"
DATA = Path(botocore.session.__file__).parent / "data"

CONFIG = """
[default]
region = eu-north-1
retry_mode = adaptive
max_attempts = 7

[profile other]
region = ap-south-1
dynamodb =
    endpoint_url = http://127.0.0.1:19

[profile role]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = other
"""
CREDENTIALS = """
[default]
aws_access_key_id = default-key
aws_secret_access_key = default-secret

[other]
aws_access_key_id = other-key
aws_secret_access_key = other-secret
"""


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with files for the configuration and nothing in the environment."""
    for name in (
        "ACCESS_KEY_ID",
        "SECRET_ACCESS_KEY",
        "SESSION_TOKEN",
        "DEFAULT_REGION",
        "PROFILE",
    ):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    for name, text in (("CONFIG_FILE", CONFIG), ("SHARED_CREDENTIALS_FILE", CREDENTIALS)):
        path = tmp_path / name
        path.write_text(text)
        monkeypatch.setenv(f"AWS_{name}", str(path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def both(**options: Any) -> tuple[Any, Any]:
    """Our client, and boto3's with the same options."""
    profile = options.pop("profile_name", None)
    theirs = boto3.Session(profile_name=profile).client("dynamodb", **options)
    return make_client(None, profile, **options), theirs


CASES: dict[str, dict[str, Any]] = {
    "the default profile": {},
    "a region": {"region_name": "us-gov-west-1"},
    "a region that is not known yet": {"region_name": "eu-north-9"},
    "an endpoint": {"endpoint_url": ENDPOINT},
    "a profile": {"profile_name": "other"},
    "FIPS": {"region_name": "us-east-1", "config": Config(use_fips_endpoint=True)},
    "dual stack": {"region_name": "us-east-1", "config": Config(use_dualstack_endpoint=True)},
    "a config": {
        "config": Config(
            retries={"mode": "standard", "total_max_attempts": 2}, read_timeout=3, connect_timeout=1,
            max_pool_connections=33, user_agent_extra="shop/1",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_a_client_is_as_boto3_would_make_it(options: dict[str, Any]):
    ours, theirs = both(**options)

    assert ours.meta.region_name == theirs.meta.region_name
    assert ours.meta.endpoint_url == theirs.meta.endpoint_url
    assert ours.meta.partition == theirs.meta.partition
    assert ours.meta.method_to_api_mapping == theirs.meta.method_to_api_mapping
    for name in ("retries", "read_timeout", "connect_timeout", "max_pool_connections", "proxies",
                 "signature_version", "use_fips_endpoint", "user_agent_extra"):  # fmt: skip
        assert getattr(ours.meta.config, name) == getattr(theirs.meta.config, name), name
    credentials = [each._request_signer._credentials for each in (ours, theirs)]
    keys = [(each.access_key, each.secret_key, each.token, each.method) for each in credentials]
    assert keys[0] == keys[1]


def test_the_user_agent_is_botocores_and_does_not_claim_to_be_boto3():
    ours, theirs = both()

    assert "Botocore/" in ours.meta.config.user_agent
    assert "Boto3/" not in ours.meta.config.user_agent
    assert "Boto3/" in theirs.meta.config.user_agent


def test_every_operation_has_the_shapes_that_boto3s_client_knows():
    ours, theirs = (each.meta.service_model for each in both())

    assert ours.operation_names == theirs.operation_names
    assert ours.shape_names == theirs.shape_names
    for name in ours.operation_names:
        mine, other = ours.operation_model(name), theirs.operation_model(name)
        assert list(mine.input_shape.members) == list(other.input_shape.members)
        assert mine.input_shape.required_members == other.input_shape.required_members
        assert [shape.name for shape in mine.error_shapes] == [e.name for e in other.error_shapes]
        assert mine.documentation == other.documentation


def test_paginators_waiters_exceptions_and_help_are_there():
    ours, theirs = both()

    assert ours.can_paginate("scan")
    assert not ours.can_paginate("put_item")
    pages = [each.get_paginator("list_tables")._pagination_cfg for each in (ours, theirs)]
    assert pages[0] == pages[1]
    assert ours.waiter_names == theirs.waiter_names
    assert (
        ours.get_waiter("table_exists").config.delay
        == theirs.get_waiter("table_exists").config.delay
    )
    assert issubclass(ours.exceptions.ResourceNotFoundException, ours.exceptions.ClientError)
    assert str(ours.get_item.__doc__) == str(theirs.get_item.__doc__)


def test_what_listens_to_a_client_is_what_listens_to_boto3s_except_to_other_services():
    ours, theirs = both()

    for event in (
        "choose-service-name", "creating-client-class.dynamodb", "before-parameter-build.dynamodb.PutItem",
        "before-call.dynamodb.PutItem", "request-created.dynamodb.PutItem", "needs-retry.dynamodb.PutItem",
        "choose-signer.dynamodb.PutItem", "before-sign.dynamodb.PutItem", "after-call.dynamodb.PutItem",
        "before-parse.dynamodb.PutItem", "choose-signer.sts.AssumeRoleWithWebIdentity",
        "before-parse.sso-oidc.CreateToken", "getattr.signin.create_o_auth2_token",
    ):  # fmt: skip
        names = [
            [
                getattr(each, "__qualname__", type(each).__name__)
                for each in listeners(client, event)
            ]
            for client in (ours, theirs)
        ]
        assert names[0] == names[1], event
    assert len(listeners(ours, "before-call.s3.DeleteObjects")) < len(
        listeners(theirs, "before-call.s3.DeleteObjects")
    )


def listeners(client: Any, event: str) -> list[Callable[..., Any]]:
    handlers = client.meta.events._emitter._handlers
    return [each for each in handlers.prefix_search(event) if "UserAgentString" not in repr(each)]


def test_a_profile_that_assumes_a_role_gets_its_client_of_sts():
    """Another service, and not one that the session was made for."""
    session = own_session("role")

    assert session.get_credentials().method == "assume-role"
    for name in ("sts", "sso", "sso-oidc"):
        expected = boto3.Session().client(name, region_name="eu-west-1").meta.endpoint_url
        made = session.create_client(name, region_name="eu-west-1")
        assert made.meta.endpoint_url == expected


def test_a_service_that_there_is_not_is_refused():
    with pytest.raises((UnknownServiceError, botocore.exceptions.DataNotFoundError)):
        own_session(None).create_client("dynamo", region_name="eu-west-1")


def test_a_profile_that_there_is_not_is_said_so():
    with pytest.raises(ProfileNotFound):
        make_client(None, "nobody")
    with pytest.raises(ConfigurationError, match="check profile_name"):
        Session(profile_name="nobody")


def test_descriptions_that_the_user_put_into_his_folder_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """AWS_DATA_PATH, as botocore reads it."""
    folder = tmp_path / "models" / "dynamodb" / "2012-08-10"
    folder.mkdir(parents=True)
    model = Loader().load_service_model("dynamodb", "service-2")
    model["metadata"]["serviceFullName"] = "Ours"
    (folder / "service-2.json").write_text(json.dumps(model))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))

    client = make_client(None, None)

    assert client.meta.service_model.metadata["serviceFullName"] == "Ours"


def test_a_client_of_a_boto3_session_is_made_by_that_session():
    session = boto3.Session(profile_name="other")

    client = make_client(session, None, region_name="eu-west-3")

    assert "Boto3/" in client.meta.config.user_agent
    assert client.meta.region_name == "eu-west-3"


def test_a_config_gets_room_for_connections_unless_it_says_how_many():
    assert with_room(None, 8) is None
    assert with_room(None, 40).max_pool_connections == 40
    merged = with_room(Config(read_timeout=3), 40)
    assert (merged.max_pool_connections, merged.read_timeout) == (40, 3)
    stated = Config(max_pool_connections=5)
    assert with_room(stated, 40) is stated


# --- Descriptions -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["partitions", "_retry"])
def test_a_description_says_what_its_file_says(name: str):
    path = DATA / f"{name}.json"

    assert description(str(path), path.read_bytes()) == json.loads(path.read_bytes())


def test_the_description_of_endpoints_says_what_its_file_says_of_the_services_that_are_needed():
    path = DATA / "endpoints.json"
    expected = json.loads(path.read_bytes())
    offering = []
    for partition in expected["partitions"]:
        offered = partition["services"]
        needed = offered.keys() & {
            "dynamodb", "signin", "sso", "sso-oidc", "streams.dynamodb", "sts"
        }  # fmt: skip
        partition["services"] = {name: offered[name] for name in needed}
        if "dynamodb" in offered:
            offering.append(partition["partition"])

    found = description(str(path), path.read_bytes())

    assert found == expected
    # Older releases of botocore have partitions whose services they do not list.
    kept = [each["partition"] for each in found["partitions"] if "dynamodb" in each["services"]]
    assert kept == offering
    assert "aws" in offering


def test_endpoints_of_another_layout_are_read_all_the_same():
    for value in ([1], {"partitions": {"a": 1}}, {"partitions": [{"regions": {}}]}, {"more": 1}):
        assert description("endpoints.json", json.dumps(value).encode()) == value
