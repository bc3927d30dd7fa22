"""botocore's errors as errors of dynattrs, each with a sentence that says what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any, Final, cast

import botocore.exceptions as botocore_errors

from dynattrs.deferral import pattern
from dynattrs.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectionFailed,
    DynattrsError,
    InvalidRequest,
    NoSuchTable,
    ServiceError,
    ServiceUnavailable,
    Throttled,
)
from dynattrs.operations.refusals import ConditionFalse, TransactionCanceled
from dynattrs.operations.requests import STREAM_OPERATIONS
from dynattrs.schema.messages import Message
from dynattrs.tracebacks import shown_of

_KINDS: Final[dict[str, type[ServiceError]]] = {
    "ResourceNotFoundException": NoSuchTable,
    "TableNotFoundException": NoSuchTable,
    "ConditionalCheckFailedException": ConditionFalse,
    "TransactionCanceledException": TransactionCanceled,
    "ValidationException": InvalidRequest,
    "SerializationException": InvalidRequest,
    "ItemCollectionSizeLimitExceededException": InvalidRequest,
    "ProvisionedThroughputExceededException": Throttled,
    "RequestLimitExceeded": Throttled,
    "ThrottlingException": Throttled,
    "Throttling": Throttled,
    "InternalServerError": ServiceUnavailable,
    "InternalServerException": ServiceUnavailable,
    "ServiceUnavailable": ServiceUnavailable,
    "ServiceUnavailableException": ServiceUnavailable,
    "AccessDeniedException": AccessDenied,
    "UnrecognizedClientException": AccessDenied,
    "InvalidSignatureException": AccessDenied,
    "MissingAuthenticationTokenException": AccessDenied,
    "IncompleteSignatureException": AccessDenied,
    "ExpiredTokenException": AccessDenied,
}

#: Of failures without a code of DynamoDB's: a proxy or a VPC endpoint has refused, say.
_KINDS_BY_STATUS: Final[dict[int, type[ServiceError]]] = {
    401: AccessDenied,
    403: AccessDenied,
    407: AccessDenied,
    413: InvalidRequest,
    429: Throttled,
}

#: What boto3 may lack: its errors, the problem where its own words do not name it, and what to do.
_REMEDIES: Final[tuple[tuple[tuple[type[Exception], ...], str, str], ...]] = (
    (
        (botocore_errors.NoRegionError,),
        "no AWS region is configured",
        "pass Session(region_name=...), set AWS_DEFAULT_REGION, or add a region to the profile",
    ),
    (
        (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError),
        "no AWS credentials were found, or only part of them",
        (
            "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (DynamoDB Local accepts any "
            "letters and digits as both), give the machine a role, or use Session.local() for an embedded "
            "engine"
        ),
    ),
    (
        (botocore_errors.ProfileNotFound,),
        "",
        "check profile_name and AWS_PROFILE, or run aws configure",
    ),
    (
        (
            botocore_errors.CredentialRetrievalError,
            botocore_errors.SSOError,
            botocore_errors.TokenRetrievalError,
            botocore_errors.MetadataRetrievalError,
        ),
        "",
        "log in again (aws sso login), or check the profile",
    ),
    (
        (botocore_errors.ConfigNotFound, botocore_errors.ConfigParseError),
        "",
        "repair the AWS configuration file",
    ),
    ((botocore_errors.InvalidRegionError,), "", "check region_name and AWS_DEFAULT_REGION"),
)


#: What botocore says of a parameter that its service model lacks.
_UNKNOWN: Final = pattern(r'Unknown parameter in [^"]*"(\w+)"')


#: The first version with all that is asked for, but for these methods and parameters.
_NEWEST: Final = "1.43.64"
_LATER: Final[dict[str, str]] = {
    "cancel_bulk_operation": "1.44.8",
    "describe_bulk_operation": "1.44.8",
    "list_bulk_operations": "1.44.8",
    "start_bulk_put_items": "1.44.8",
    "FilterSpecification": "1.43.106",
}


def lacks(method: str) -> ConfigurationError:
    """The error for an operation that a client has no method for: its botocore is older."""
    return _too_old(method, f"it has no {method}")


def _too_old(missing: str, problem: str) -> ConfigurationError:
    import botocore

    return ConfigurationError(
        f"botocore {botocore.__version__} is too old: {problem}",
        f"install boto3 {_LATER.get(missing, _NEWEST)} or newer; aiobotocore and dynattrs[local] each pin a "
        f"version of botocore",
    )


def translate(error: Exception, operation: str, table: str | None) -> DynattrsError | None:
    """A botocore error as one of ours, or None if it is none of botocore's."""
    if isinstance(error, botocore_errors.ClientError):
        return _service_error(error, operation, table)
    configuration = configuration_error(error)
    if configuration is not None:
        return configuration
    if isinstance(error, botocore_errors.ParamValidationError):
        unknown = _UNKNOWN.search(str(error))
        if unknown is not None:
            return _too_old(unknown[1], f"it does not know {unknown[1]} of {operation}")
        return InvalidRequest(operation, "ParamValidation", str(error), table)
    if isinstance(error, (botocore_errors.HTTPClientError, botocore_errors.ConnectionError)):
        return ConnectionFailed(operation, str(error), table)
    if isinstance(error, botocore_errors.BotoCoreError):
        return ServiceError(operation, type(error).__name__, str(error), table)
    return None


def _service_error(
    error: botocore_errors.ClientError, operation: str, table: str | None
) -> ServiceError:
    response: Message = {**error.response}
    details = response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    kind = _KINDS.get(code)
    # Of streams it limits how often they are asked, and not how many there are.
    if code == "LimitExceededException" and operation in STREAM_OPERATIONS.values():
        kind = Throttled
    if kind is None:
        kind = ServiceUnavailable if status >= 500 else ServiceError
        if code in ("", str(status)):
            kind = _KINDS_BY_STATUS.get(status, kind)
    translated = kind(operation, code, message, table)
    if isinstance(translated, ConditionFalse):
        translated.item = response.get("Item")
    if isinstance(translated, TransactionCanceled):
        translated.reasons = cast("Any", response.get("CancellationReasons")) or ()
    return translated


def configuration_error(error: Exception) -> ConfigurationError | None:
    """What boto3 lacks, in one sentence, or None if *error* is something else."""
    for kinds, problem, remedy in _REMEDIES:
        if isinstance(error, kinds):
            return ConfigurationError(problem or str(error).rstrip("."), remedy)
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        return ConfigurationError(
            str(error).rstrip("."),
            "write endpoint_url with its scheme, as in http://localhost:8000",
        )
    return None


@contextlib.contextmanager
def configured() -> Generator[None]:
    """Translate what boto3 says of a missing configuration while a client is made."""
    try:
        yield
    except Exception as error:
        translated = configuration_error(error)
        if translated is None:
            raise
        translated.__cause__ = error
        raise translated.with_traceback(shown_of(translated))  # noqa: B904 - it has its cause
