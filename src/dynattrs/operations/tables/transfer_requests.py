"""What exports, imports and bulk puts are asked with, and what of that cannot be meant.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ImportTable.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StartBulkPutItems.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

import attrs

from dynattrs.errors import ModelError, QueryError
from dynattrs.expressions.conditions import (
    Condition,
    condition,
    expressions,
    models_of,
)
from dynattrs.keys.kinds import concerns
from dynattrs.keys.planner import plan
from dynattrs.keys.plans import Plan, Wanted
from dynattrs.operations.reading.groups import of_another
from dynattrs.operations.reading.projections import selected
from dynattrs.operations.tables.backups import aware
from dynattrs.operations.tables.transfer_reports import (
    COMPRESSIONS,
    FORMATS,
    IMAGES,
    REPORTED,
    TIERS,
)
from dynattrs.quoting import quoted
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import ModelInfo, info_of
from dynattrs.schema.table import Table

#: The encryption of what is written to S3 with a key of S3's, and with the key of AWS for the account.
_OF_S3: Final = "s3"
_MANAGED: Final = "managed"

_BUCKET: Final = re.compile(r"[a-z0-9A-Z][.\-\w]*[a-z0-9A-Z]", re.ASCII)
_OWNER: Final = re.compile(r"[0-9]{12}")
_PREFIX_BYTES: Final = 1024
_TOKEN: Final = re.compile(r"[^$]+")
_DELIMITERS: Final = ",;:|\t "
_MOST_HEADERS: Final = 255
_LEAST_WRITE_UNITS: Final = 1024


@attrs.frozen
class Bucket:
    """A place in S3: a bucket, and what the keys there begin with."""

    name: str
    prefix: str


def bucket_of(subject: str, option: str, place: object) -> Bucket:
    """The bucket and prefix of `"s3://bucket/prefix"`.

    Raises:
        ModelError: It is something else.
    """
    scheme, _, rest = place.partition("://") if isinstance(place, str) else ("", "", "")
    name, _, prefix = rest.partition("/")
    if scheme != "s3" or not _BUCKET.fullmatch(name):
        raise ModelError(
            subject, f"{option}={quoted(place)}: a bucket, perhaps with a prefix, is expected, "
            f"'s3://bucket/prefix'"
        )  # fmt: skip
    if len(prefix.encode()) > _PREFIX_BYTES:
        raise ModelError(
            subject,
            f"{option}={quoted(place)}: its prefix is longer than {_PREFIX_BYTES:,} bytes",
        )
    return Bucket(name, prefix)


def token_of(subject: str, token: object) -> str | None:
    if token is not None and not (isinstance(token, str) and _TOKEN.fullmatch(token)):
        raise ModelError(subject, f"token={quoted(token)}: text without '$' is expected")
    return token


# --- Exports --------------------------------------------------------------------------------------


def export_parameters(
    subject: str,
    table: object,
    to: str,
    *,
    at: datetime | None,
    since: datetime | None,
    until: datetime | None,
    images: object,
    where: object,
    fields: Sequence[object],
    format: object,
    owner: object,
    encryption: object,
) -> Message:
    """What ExportTableToPointInTime is asked with, besides the table and the token.

    Args:
        subject: Who asks, for errors.
        table: What was named: a model, for conditions and fields.
        to: Where the files go.
        at: As `export_to_s3` has it, and all others.
        since: The same.
        until: The same.
        images: The same.
        where: The same.
        fields: The same.
        format: The same.
        owner: The same.
        encryption: The same.
    """
    bucket = bucket_of(subject, "to", to)
    asked: Message = {"S3Bucket": bucket.name}
    # The service puts a slash after it.
    prefix = bucket.prefix.rstrip("/")
    if prefix:
        asked["S3Prefix"] = prefix
    asked |= _owned(subject, owner)
    asked |= _encrypted(subject, encryption)
    asked["ExportFormat"] = _chosen(
        subject, "format", format, {each: FORMATS[each] for each in ("json", "ion")}
    )
    asked |= _instants(subject, at, since, until, images)
    found = _filter(subject, table, where, fields)
    if found:
        asked["FilterSpecification"] = found
    return asked


def _instants(
    subject: str,
    at: datetime | None,
    since: datetime | None,
    until: datetime | None,
    images: object,
) -> Message:
    view = None if images is None else _chosen(subject, "images", images, IMAGES)
    for option, given in (("at", at), ("since", since), ("until", until)):
        if given is not None:
            aware(option, given, subject)
    if since is None:
        if until is not None or view is not None:
            left = "until" if until is not None else "images"
            raise ModelError(
                subject,
                f"{left}= is for incremental exports; give since= as well, the time from which "
                f"changes are exported",
            )
        return {"ExportType": "FULL_EXPORT"} | ({} if at is None else {"ExportTime": at})
    if at is not None:
        raise ModelError(
            subject,
            "at= is for full exports and since= for incremental ones; give one of them only",
        )
    if until is not None and until <= since:
        raise ModelError(subject, f"until={until} is not after since={since}; give a later time")
    period: Message = {"ExportFromTime": since}
    if until is not None:
        period["ExportToTime"] = until
    if view is not None:
        period["ExportViewType"] = view
    return {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": period}


def _filter(subject: str, table: object, where: object, fields: Sequence[object]) -> Message:
    """What the service filters by; empty for everything."""
    given = where if isinstance(where, (tuple, list)) else (where,)
    said = tuple(each for each in given if each is not None)
    if not said and not fields:
        return {}
    info = None if isinstance(table, (str, Table)) else info_of(table)
    if info is None:
        option = "where" if said else "fields"
        raise ModelError(
            subject,
            f"{option}= names fields of a model, but {quoted(table)} is not a model; give the model",
        )
    conditions = tuple(map(condition, said))
    for each in conditions:
        for model in models_of(each):
            if model is not info.cls and not concerns(info, model):
                raise of_another(each, model, (info,))
    found = _planned(subject, info, conditions)
    return expressions(found.key, found.filter, _attributes(info, fields))


def _planned(subject: str, info: ModelInfo, conditions: tuple[Condition, ...]) -> Plan:
    """A key condition of one partition of the table where the conditions bind it, else a filter."""
    read = plan(Wanted(info, conditions, scan=True))
    if read.operation == "nothing":
        raise QueryError(f"{subject}: {'; '.join(read.why)}; so there is nothing to export")
    try:
        asked = plan(Wanted(info, conditions))
    except QueryError:
        return read
    if asked.operation == "nothing":
        raise QueryError(f"{subject}: {'; '.join(asked.why)}; so there is nothing to export")
    several = asked.partitions or asked.shards or asked.excluded is not None
    if asked.operation != "query" or asked.index is not None or several:
        return read
    return asked


def _attributes(info: ModelInfo, fields: Sequence[object]) -> tuple[str, ...]:
    """The attributes that hold some fields, with the key, and what tells models apart."""
    if not fields:
        return ()
    needs = selected(info, fields).needs
    if needs is None:
        raise QueryError(
            f"fields=: {info.name} has upgrades, which need whole items; leave fields= out"
        )
    kind = info.table.discriminator
    tells = () if kind is None else (kind,)
    return tuple(dict.fromkeys((*info.table.key, *tells, *sorted(needs))))


# --- Imports --------------------------------------------------------------------------------------


def import_parameters(
    subject: str,
    table: Table,
    name: str,
    source: str,
    *,
    format: object,
    compression: object,
    delimiter: object,
    header: Iterable[object] | None,
    owner: object,
) -> Message:
    """What ImportTable is asked with, besides the token."""
    place = bucket_of(subject, "source", source)
    written = _chosen(subject, "format", format, FORMATS)
    asked: Message = {
        "S3BucketSource": _source(subject, place, owner),
        "InputFormat": written,
        "TableCreationParameters": _made(subject, table, name),
        "InputCompressionType": _compression(subject, compression),
    }
    options = _csv(subject, delimiter, header)
    if written == "CSV":
        asked["InputFormatOptions"] = {"Csv": {"Delimiter": ",", **options}}
    elif options:
        raise ModelError(subject, f"format={format!r}: delimiter= and header= are for 'csv'")
    return asked


def _made(subject: str, table: Table, name: str) -> Message:
    """What the service makes the table of. The rest comes afterwards, by `update`."""
    if table.local_indexes:
        names = ", ".join(repr(each.name) for each in table.local_indexes)
        raise ModelError(
            subject,
            f"table {table.name!r} has local indexes ({names}), which can only be made together with their "
            f"table, and an import cannot make them; create the table first, then use bulk_put or a job's "
            f"import",
        )
    found = table.create_arguments(name)
    return {each: found[each] for each in _CREATED if each in found}


#: What ImportTable takes of CreateTable's parameters.
_CREATED: Final = (
    "TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput",
    "OnDemandThroughput", "SSESpecification", "GlobalSecondaryIndexes", "VectorIndexes",
)  # fmt: skip


def _csv(subject: str, delimiter: object, header: Iterable[object] | None) -> Message:
    options: Message = {}
    if delimiter is not None:
        if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter not in _DELIMITERS:
            one = ", ".join(map(repr, _DELIMITERS))
            raise ModelError(subject, f"delimiter={quoted(delimiter)}: one of {one} is expected")
        options["Delimiter"] = delimiter
    if header is not None:
        names = None if isinstance(header, str) else list(header)
        if (
            not names
            or len(names) > _MOST_HEADERS
            or len(set(names)) < len(names)
            or not all(isinstance(each, str) and each != "" for each in names)
        ):
            raise ModelError(
                subject,
                f"header={quoted(header)}: 1 to {_MOST_HEADERS} names of attributes are expected, each once",
            )
        options["HeaderList"] = names
    return options


# --- Bulk puts ------------------------------------------------------------------------------------


def bulk_put_parameters(
    subject: str,
    source: str,
    reports_to: str,
    *,
    reports: object,
    format: object,
    compression: object,
    most_write_units: object,
    tier: object,
    owner: object,
    reports_owner: object,
    encryption: object,
) -> Message:
    """What StartBulkPutItems is asked with, besides the table and the token."""
    place = bucket_of(subject, "source", source)
    output = bucket_of(subject, "reports_to", reports_to)
    several = [reports] if isinstance(reports, str) else list(cast("Iterable[object]", reports))
    types = list(dict.fromkeys(_chosen(subject, "reports", each, REPORTED) for each in several))
    if not types:
        raise ModelError(subject, "reports=[]: write 'errors', 'conditions' or both")
    formats = {each: FORMATS[each] for each in ("json", "ion")}
    reported: Message = {"S3Bucket": output.name, "OutputType": types}
    if output.prefix:
        reported["S3KeyPrefix"] = output.prefix
    asked: Message = {
        "InputS3Configuration": {
            **_source(subject, place, owner),
            "InputFormat": _chosen(subject, "format", format, formats),
            "InputCompressionType": _compression(subject, compression),
        },
        "OutputS3Configuration": {
            **reported,
            **_owned(subject, reports_owner, "reports_owner"),
            **_encrypted(subject, encryption),
        },
        "PerformanceTier": _chosen(subject, "tier", tier, TIERS),
    }
    if most_write_units is not None:
        if type(most_write_units) is not int or most_write_units < _LEAST_WRITE_UNITS:
            raise ModelError(
                subject,
                f"most_write_units={quoted(most_write_units)}: {_LEAST_WRITE_UNITS:,} or more are expected; "
                f"a job's import writes more slowly",
            )
        asked["MaxWriteRequestUnits"] = most_write_units
    return asked


# --- What they share ------------------------------------------------------------------------------


def _source(subject: str, place: Bucket, owner: object) -> Message:
    found: Message = {"S3Bucket": place.name, **_owned(subject, owner)}
    return {**found, "S3KeyPrefix": place.prefix} if place.prefix else found


def _owned(subject: str, owner: object, option: str = "owner") -> Message:
    if owner is None:
        return {}
    if not isinstance(owner, str) or not _OWNER.fullmatch(owner):
        raise ModelError(
            subject,
            f"{option}={quoted(owner)}: the bucket's account is expected, as text of twelve digits",
        )
    return {"S3BucketOwner": owner}


def _encrypted(subject: str, encryption: object) -> Message:
    if encryption is None:
        return {}
    if encryption == _OF_S3:
        return {"S3SseAlgorithm": "AES256"}
    if encryption == _MANAGED:
        return {"S3SseAlgorithm": "KMS"}
    if not isinstance(encryption, str) or not encryption:
        raise ModelError(
            subject,
            f"encryption={quoted(encryption)}: write 's3', 'managed', or the id, ARN or alias of a KMS key",
        )
    return {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": encryption}


def _compression(subject: str, compression: object) -> str:
    if compression is None:
        return "NONE"
    return _chosen(subject, "compression", compression, COMPRESSIONS, ", or None")


def _chosen(
    subject: str, option: str, value: object, names: Mapping[Any, str], besides: str = ""
) -> str:
    found = names.get(value) if isinstance(value, str) else None
    if found is None:
        written = ", ".join(map(repr, names))
        raise ModelError(subject, f"{option}={quoted(value)}: write {written}{besides}")
    return found
