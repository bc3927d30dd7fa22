"""Errors of botocore as errors of ours, each with a sentence that says what to do."""

from __future__ import annotations

import pickle
from typing import Any

import attrs
import boto3
import botocore.exceptions as botocore_errors
import pytest
from botocore.stub import Stubber

from dynattrs import (
    AccessDenied,
    BatchClosed,
    ConditionFailed,
    ConfigurationError,
    ConnectionFailed,
    DynattrsError,
    ImpossibleCondition,
    InvalidRequest,
    ItemExists,
    MappingError,
    MissingExtra,
    ModelError,
    MultipleItems,
    NoSuchItem,
    NoSuchTable,
    ServiceError,
    ServiceUnavailable,
    Session,
    SessionClosed,
    TableDiffers,
    Throttled,
    Unsent,
    UnsentWrites,
    errors,
)
from dynattrs.operations.flows import Call
from dynattrs.operations.refusals import ConditionFalse
from dynattrs.operations.requests import operation_name
from dynattrs.wire.client import Wire
from dynattrs.wire.exchange import table_in
from dynattrs.wire.service_errors import configured, translate


def client_error(code: str, message: str = "why", *, status: int = 400, **more: Any) -> Exception:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return botocore_errors.ClientError(response, "PutItem")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ResourceNotFoundException", NoSuchTable),
        ("ConditionalCheckFailedException", ConditionFalse),
        ("ValidationException", InvalidRequest),
        ("SerializationException", InvalidRequest),
        ("ItemCollectionSizeLimitExceededException", InvalidRequest),
        ("ProvisionedThroughputExceededException", Throttled),
        ("RequestLimitExceeded", Throttled),
        ("ThrottlingException", Throttled),
        ("InternalServerError", ServiceUnavailable),
        ("ServiceUnavailable", ServiceUnavailable),
        ("AccessDeniedException", AccessDenied),
        ("UnrecognizedClientException", AccessDenied),
        ("ExpiredTokenException", AccessDenied),
        ("SomethingNewException", ServiceError),
    ],
)
def test_the_services_codes_have_their_errors(code: str, kind: type[ServiceError]):
    found = translate(client_error(code), "PutItem", "music")

    assert type(found) is kind
    assert isinstance(found, ServiceError)
    assert (found.operation, found.code, found.message, found.table) == (
        "PutItem", code, "why", "music"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, ServiceUnavailable), (503, ServiceUnavailable), (413, InvalidRequest)],
)
def test_an_answer_without_a_code_is_judged_by_its_status(status: int, kind: type[ServiceError]):
    assert type(translate(client_error("", status=status), "PutItem", None)) is kind


def test_a_false_condition_brings_the_item_that_was_found():
    item = {"id": {"S": "a"}}
    found = translate(client_error("ConditionalCheckFailedException", Item=item), "PutItem", "t")

    assert isinstance(found, ConditionFalse)
    assert found.item == item


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            NoSuchTable("PutItem", "ResourceNotFoundException", "x", "music"),
            (
                "PutItem: table 'music' does not exist (or is still being created) in this account and "
                "region; create it with session.tables.create(...), or check the session's region, "
                "endpoint, table_prefix and tables"
            ),
        ),
        (
            Throttled("PutItem", "ThrottlingException", "slow down", "music"),
            (
                "PutItem on table 'music': ThrottlingException: slow down; try again later, raise the "
                "table's capacity, or spread the partition keys"
            ),
        ),
        (
            ServiceUnavailable("PutItem", "InternalServerError", "oops", "music"),
            (
                "PutItem on table 'music': InternalServerError: oops; try again later; a write may "
                "have been applied"
            ),
        ),
        (
            AccessDenied("Scan", "AccessDeniedException", "not yours", None),
            "Scan: AccessDeniedException: not yours; check the credentials and their policy",
        ),
        (
            AccessDenied("Scan", "UnrecognizedClientException", "The token is invalid.", None),
            "Scan: UnrecognizedClientException: The token is invalid; check the credentials and their policy",
        ),
        (
            ConnectionFailed("Scan", "No reply.", uncertain=False),
            "Scan: No reply; check the endpoint and the network (nothing was changed)",
        ),
        (
            InvalidRequest("Scan", "ValidationException", "odd", None),
            "Scan: ValidationException: odd",
        ),
    ],
)
def test_a_message_says_what_where_and_what_to_do(error: DynattrsError, message: str):
    assert str(error) == message


@pytest.mark.parametrize(
    "error",
    [
        botocore_errors.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        botocore_errors.ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
        botocore_errors.ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        botocore_errors.ConnectionClosedError(endpoint_url="http://127.0.0.1:1"),
        botocore_errors.SSLError(endpoint_url="https://127.0.0.1:1", error="certificate"),
        botocore_errors.HTTPClientError(error="anything"),
    ],
)
def test_no_answer_is_connection_failed_and_also_pythons_connection_error(error: Exception):
    found = translate(error, "PutItem", "music")

    assert isinstance(found, ConnectionFailed)
    assert isinstance(found, ConnectionError)
    assert str(found).startswith("PutItem on table 'music': ")
    assert "check the endpoint and the network" in str(found)


def test_parameters_that_botocore_refuses_are_an_invalid_request():
    error = botocore_errors.ParamValidationError(report="Unknown parameter")

    assert isinstance(translate(error, "PutItem", None), InvalidRequest)


def test_any_other_error_of_botocore_has_our_root():
    found = translate(botocore_errors.DataNotFoundError(data_path="x"), "PutItem", None)

    assert isinstance(found, ServiceError)
    assert found.code == "DataNotFoundError"


def test_errors_that_are_not_botocores_are_left_alone():
    """A hook of the user's that raises, a bug here."""
    assert translate(ZeroDivisionError(), "PutItem", None) is None


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            botocore_errors.NoRegionError(),
            (
                "no AWS region is configured; pass Session(region_name=...), set AWS_DEFAULT_REGION, "
                "or add a region to the profile"
            ),
        ),
        (
            botocore_errors.NoCredentialsError(),
            (
                "no AWS credentials were found, or only part of them; set AWS_PROFILE or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (DynamoDB Local accepts any letters and "
                "digits as both), give the machine a role, or use Session.local() for an embedded engine"
            ),
        ),
        (
            botocore_errors.ProfileNotFound(profile="work"),
            (
                "The config profile (work) could not be found; check profile_name and AWS_PROFILE, or "
                "run aws configure"
            ),
        ),
        (
            botocore_errors.UnauthorizedSSOTokenError(),
            (
                "The SSO session associated with this profile has expired or is otherwise invalid. "
                "To refresh this SSO session run aws sso login with the corresponding profile; log in "
                "again (aws sso login), or check the profile"
            ),
        ),
        (
            botocore_errors.ConfigParseError(path="config"),
            "Unable to parse config file: config; repair the AWS configuration file",
        ),
        (
            botocore_errors.InvalidRegionError(region_name="eu west"),
            (
                "Provided region_name 'eu west' doesn't match a supported format; check region_name "
                "and AWS_DEFAULT_REGION"
            ),
        ),
        (
            ValueError("Invalid endpoint: localhost:8000"),
            (
                "Invalid endpoint: localhost:8000; write endpoint_url with its scheme, as in "
                "http://localhost:8000"
            ),
        ),
    ],
)
def test_what_boto3_lacks_is_one_sentence(error: Exception, sentence: str):
    def make() -> None:
        raise error

    with pytest.raises(ConfigurationError) as caught:
        with configured():
            make()

    assert str(caught.value) == sentence
    assert caught.value.__cause__ is error


def test_other_errors_of_making_a_client_are_left_alone():
    def make() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with configured():
            make()


def test_a_session_without_a_region_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)

    with pytest.raises(ConfigurationError, match="no AWS region is configured"):
        Session()


def test_a_session_with_an_unknown_profile_says_so():
    with pytest.raises(ConfigurationError, match=r"profile \(nobody\) could not be found"):
        Session(profile_name="nobody")


def test_a_session_with_an_endpoint_without_a_scheme_says_so():
    with pytest.raises(ConfigurationError, match=r"write endpoint_url with its scheme"):
        Session(endpoint_url="localhost:8000", region_name="us-east-1")


def test_a_session_without_credentials_says_so_at_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    session = Session(region_name="us-east-1", endpoint_url="http://127.0.0.1:9")

    with pytest.raises(ConfigurationError, match="no AWS credentials were found"):
        session.tables.exists(_table())
    session.close()


def _table() -> Any:
    from dynattrs import Table

    return Table("music", partition_key="id")


def stubbed() -> tuple[Wire, Stubber]:
    client = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    stubber = Stubber(client)
    stubber.activate()
    return Wire(client), stubber


def test_a_translated_error_has_botocores_as_its_cause():
    wire, stubber = stubbed()
    stubber.add_client_error("put_item", "ThrottlingException", "slow down")

    with pytest.raises(Throttled) as caught:
        wire.call(Call("put_item", {"TableName": "music", "Item": {}}))

    assert isinstance(caught.value.__cause__, botocore_errors.ClientError)
    assert caught.value.table == "music"


def test_replies_are_counted_with_what_they_left_unprocessed():
    wire, stubber = stubbed()
    request = {"PutRequest": {"Item": {"id": {"S": "a"}}}}
    stubber.add_response(
        "batch_write_item",
        {"UnprocessedItems": {"music": [request]}, "ResponseMetadata": {"RetryAttempts": 2}},
    )
    stubber.add_response("get_item", {})

    wire.call(Call("batch_write_item", {"RequestItems": {"music": [request]}}))
    wire.call(Call("get_item", {"TableName": "music", "Key": {"id": {"S": "a"}}}))

    assert wire.stats.requests == {"BatchWriteItem": 1, "GetItem": 1}
    assert (wire.stats.total, wire.stats.retries, wire.stats.unprocessed) == (2, 2, 1)


@pytest.mark.parametrize("tables", [("music",), ("music", "books")])
def test_capacity_of_each_table_of_a_batch_is_counted(tables: tuple[str, ...]):
    wire, stubber = stubbed()
    consumed = [{"TableName": each, "CapacityUnits": 2.5} for each in tables]
    stubber.add_response("batch_write_item", {"ConsumedCapacity": consumed})
    put = {"PutRequest": {"Item": {"id": {"S": "a"}}}}

    wire.call(Call("batch_write_item", {"RequestItems": {each: [put] for each in tables}}))

    assert wire.stats.capacity == {"BatchWriteItem": 2.5 * len(tables)}


def test_items_are_counted_as_they_are_written_or_read():
    wire, stubber = stubbed()
    item = {"id": {"S": "a"}}
    puts = [{"PutRequest": {"Item": {"id": {"S": id_}}}} for id_ in "abc"]
    stubber.add_response("put_item", {})
    stubber.add_response("batch_write_item", {"UnprocessedItems": {"music": puts[:1]}})
    stubber.add_response("scan", {"Items": [item, item], "Count": 2, "ScannedCount": 5})
    stubber.add_response("scan", {"Count": 2, "ScannedCount": 5})
    stubber.add_response("get_item", {"Item": item})
    stubber.add_response("get_item", {})

    wire.call(Call("put_item", {"TableName": "music", "Item": item}))
    wire.call(Call("batch_write_item", {"RequestItems": {"music": puts}}))
    wire.call(Call("scan", {"TableName": "music"}))
    wire.call(Call("scan", {"TableName": "music", "Select": "COUNT"}))
    wire.call(Call("get_item", {"TableName": "music", "Key": item}))
    wire.call(Call("get_item", {"TableName": "music", "Key": item}))

    assert wire.stats.items == {"PutItem": 1, "BatchWriteItem": 2, "Scan": 2, "GetItem": 1}
    assert (wire.stats.scanned, wire.stats.returned) == (10, 4)


def test_operations_are_named_as_the_service_names_them():
    assert operation_name("batch_write_item") == "BatchWriteItem"
    assert operation_name("describe_time_to_live") == "DescribeTimeToLive"


def test_a_request_for_several_tables_names_none():
    assert table_in({"TableName": "a"}) == "a"
    assert table_in({"RequestItems": {"a": []}}) == "a"
    assert table_in({"RequestItems": {"a": [], "b": []}}) is None


EXAMPLES: list[DynattrsError] = [
    ModelError("Song", "no key", "id"),
    MissingExtra("local", "ministack"),
    MappingError("Song.year", "an int", "str 'x'", {"id": {"S": "a"}}, "do this"),
    SessionClosed("transaction"),
    BatchClosed("not begun"),
    ConfigurationError("no region", "set one"),
    NoSuchTable("PutItem", "ResourceNotFoundException", "x", "music"),
    Throttled("PutItem", "ThrottlingException", "slow down", "music"),
    ConnectionFailed("PutItem", "lost", "music"),
    NoSuchItem("Song", ("a", "b")),
    MultipleItems("Song", "query(Song)"),
    ConditionFailed("PutItem", "Song", {"id": "a"}, "Song.year > 3", {"id": {"S": "a"}}),
    ImpossibleCondition("PutItem", "Song", {"id": "a"}, "in_(Song.year, [])"),
    ItemExists("PutItem", "Song", {"id": "a"}, "not_exists(Song.id)", None),
    UnsentWrites([Unsent({"id": 1}, "save", Throttled("BatchWriteItem", "x", "y"))]),
    TableDiffers("music", ["its key is (a), declared is (b)"]),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_pickle_with_their_attributes_and_message(error: DynattrsError):
    copied = pickle.loads(pickle.dumps(error))

    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert copied.__dict__.keys() == error.__dict__.keys()


def test_an_error_shows_its_attributes_as_attrs_does():
    found = ItemExists("insert", "Song", ("a", "b"), "not_exists(Song.id)", item=3)

    assert repr(found) == (
        "ItemExists(operation='insert', model='Song', key=('a', 'b'), "
        "condition='not_exists(Song.id)', item=3, kind=None, hint='')"
    )
    assert repr(DynattrsError("x")) == "DynattrsError('x')"


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ],
)
def test_every_error_has_the_one_root_and_can_be_made_and_pickled(kind: type[Exception]):
    assert issubclass(kind, DynattrsError)
    if kind is DynattrsError:
        return
    required = [each for each in attrs.fields(kind) if each.default is attrs.NOTHING]
    made = kind(*("x" for _ in required))

    assert type(pickle.loads(pickle.dumps(made))) is kind
