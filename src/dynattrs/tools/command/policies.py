"""`iam`: the least policy with which a program can read and write the items of its models, and their values
in S3.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import click

from dynattrs.schema.model_info import ModelInfo, model_info
from dynattrs.schema.table import Table, TableSetting, says
from dynattrs.tools.command.options import TABLE_PREFIX, debugged
from dynattrs.tools.command.outcomes import OK
from dynattrs.tools.command.output import print_json
from dynattrs.tools.command.subjects import Subjects, SubjectsType

#: By keys, and by queries.
_READ: Final = ("BatchGetItem", "GetItem", "Query")
#: A transaction needs the action of each thing that it does; that of a check is its own.
_WRITE: Final = ("BatchWriteItem", "ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem")
#: Of jobs, on the table of their checkpoints, which is made on first use.
_JOBS: Final = ("CreateTable", "DeleteItem", "DescribeTable", "GetItem", "PutItem", "Query")
#: `session.tables.diff`, `describe` and `reflect`.
_LOOK: Final = ("DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive")
#: `session.tables.create` and `update`.
_MANAGE: Final = (
    *_LOOK,
    "CreateTable",
    "UpdateContinuousBackups",
    "UpdateTable",
    "UpdateTimeToLive",
)
#: What else they ask and change, by the settings that a table declares.
_LOOK_AT: Final[Mapping[TableSetting, Sequence[str]]] = {
    "tags": ("ListTagsOfResource",),
    "resource_policy": ("GetResourcePolicy",),
    "kinesis": ("DescribeKinesisStreamingDestination",),
}
_CHANGE: Final[Mapping[TableSetting, Sequence[str]]] = {
    "tags": ("TagResource", "UntagResource"),
    "resource_policy": ("DeleteResourcePolicy", "PutResourcePolicy"),
    "kinesis": (
        "DisableKinesisStreamingDestination",
        "EnableKinesisStreamingDestination",
        "UpdateKinesisStreamingDestination",
    ),
}
#: Of indexes too.
_INSIGHTS: Final = ("DescribeContributorInsights", "UpdateContributorInsights")
#: In all regions: the service fills a replica with the rights of who makes it.
_REPLICATE: Final = (
    "BatchWriteItem", "CreateTable", "CreateTableReplica", "DeleteItem", "DeleteTable",
    "DeleteTableReplica", "DescribeTable", "GetItem", "PutItem", "Query", "Scan", "UpdateItem",
    "UpdateTable",
)  # fmt: skip
_WITNESS: Final = ("CreateGlobalTableWitness", "DeleteGlobalTableWitness")


@click.command()
@click.argument("subjects", metavar="MODULE:NAME", type=SubjectsType())
@click.option("--read-only", is_flag=True, help="Without the actions that write.")
@click.option(
    "--scan", is_flag=True, help="Also for scans and migrations, which read whole tables."
)
@click.option("--tables", is_flag=True, help="Also to create, compare and change the tables.")
@click.option("--jobs", is_flag=True, help="Also for jobs, which scan and keep checkpoints.")
@click.option("--region", default="*", show_default=True, help="The AWS region.")
@click.option("--account", default="*", show_default=True, help="The AWS account, twelve digits.")
@click.option("--partition", default=None, help="Without it that of the region: aws, aws-cn, …")
@TABLE_PREFIX
@debugged
def iam(
    subjects: Subjects,
    read_only: bool,
    scan: bool,
    tables: bool,
    jobs: bool,
    region: str,
    account: str,
    partition: str | None,
    table_prefix: str,
) -> int:
    """Print the least policy for a program with these models. It asks AWS nothing.

    Items are read by keys and queries and written by all verbs of a session, batches and transactions.
    """
    where = f"arn:{partition or partition_of(region)}:dynamodb:{region}:{account}:table"
    declared = {model_info(model).table.name: model_info(model).table for model in subjects.models}
    declared |= {table.name: table for table in subjects.tables}
    infos = [model_info(model) for model in subjects.models]
    print_json(
        policy(
            declared.values(), infos, where=f"{where}/{table_prefix}", read_only=read_only,
            scan=scan or jobs, tables=tables, jobs=jobs,
        )
    )  # fmt: skip
    return OK


def policy(
    tables_: Iterable[Table],
    infos: Sequence[ModelInfo] = (),
    *,
    where: str,
    read_only: bool = False,
    scan: bool = False,
    tables: bool = False,
    jobs: bool = False,
) -> dict[str, Any]:
    """A policy document.

    Args:
        tables_: The tables.
        infos: Their models.
        where: What stands before a table's name in its ARN.
        read_only: Whether to leave out what writes.
        scan: Whether scans are allowed.
        jobs: Whether jobs keep their checkpoints in a table; they are for that whatever *read_only* is.
        tables: Whether the tables themselves are seen, and, unless *read_only*, made and changed.
    """
    names: list[str] = []
    indexes: list[str] = []
    searched: list[str] = []
    declared = [*tables_]
    for table in declared:
        names.append(f"{where}{table.name}")
        every = [table, *(info.table for info in infos if info.table.name == table.name)]
        before = f"{where}{table.name}/index/"
        indexes += dict.fromkeys(before + i.name for each in every for i in each.secondary_indexes)
        searched += dict.fromkeys(before + i.name for each in every for i in each.vector_indexes)
    reads = [*_READ, *(["Scan"] if scan else [])]
    # Jobs that import, copy and compare look at the keys of their tables.
    looks = ["DescribeTable"] if jobs else []
    items = sorted([*reads, *looks, *(() if read_only else _WRITE)])
    statements = [_statement("Items", items, names)]
    if indexes:
        # Nothing else is done through an index.
        statements.append(_statement("Indexes", ["Query", *reads[len(_READ) :]], indexes))
    if searched:
        # By itself: conditions on keys and attributes, added to a statement later, would deny it.
        statements.append(_statement("Searches", ["SearchVectors"], searched))
    statements += _of_objects(infos, where, read_only=read_only, scan=scan)
    if tables:
        statements += _of_tables(declared, names, where, read_only=read_only)
    if jobs:
        statements.append(_statement("Jobs", _JOBS, [f"{where}dynattrs-jobs"]))
    return {"Version": "2012-10-17", "Statement": statements}


def _of_objects(
    infos: Sequence[ModelInfo], where: str, *, read_only: bool, scan: bool
) -> Iterator[dict[str, Any]]:
    """What is needed in S3, for values that are kept there; with *scan* also to find orphans."""
    partition, prefix = where.split(":")[1], where.rpartition("/")[2]
    places = sorted(
        {
            (mark.bucket, mark.folder(prefix + info.table.name))
            for info in infos
            for mark in getattr(info.mapper.model_codec(info.cls), "large", {}).values()
        }
    )
    if not places:
        return
    actions = ["GetObject"] if read_only else ["GetObject", "PutObject"]
    if scan and not read_only:
        actions.insert(0, "DeleteObject")
    objects = [f"arn:{partition}:s3:::{bucket}/{folder}*" for bucket, folder in places]
    yield _statement("Objects", actions, objects, service="s3")
    if scan:
        buckets = [f"arn:{partition}:s3:::{bucket}" for bucket, _ in places]
        yield _statement("ListObjects", ["ListBucket"], list(dict.fromkeys(buckets)), service="s3")


def _of_tables(
    tables: Sequence[Table], names: Sequence[str], where: str, *, read_only: bool
) -> Iterator[dict[str, Any]]:
    """What is needed to see, make and change tables with all that they declare."""
    actions = {*(_LOOK if read_only else _MANAGE)}
    for setting in _LOOK_AT:
        if any(says(table, setting) for table in tables):
            actions |= {*_LOOK_AT[setting], *(() if read_only else _CHANGE[setting])}
    yield _statement("Tables", sorted(actions), names)
    insights = [f"{where}{each.name}" for each in tables if says(each, "contributor_insights")]
    if insights:
        # It takes no resource.
        yield _statement("ListInsights", ["ListContributorInsights"], ["*"])
    if insights and not read_only:
        every = [arn for name in insights for arn in (name, f"{name}/index/*")]
        yield _statement("Insights", _INSIGHTS, every)
    if read_only:
        return
    replicated: list[str] = []
    for table in tables:
        if table.replicas is not None:
            regions = [*table.replicas.others(None), *filter(None, [table.replicas.witness])]
            replicated += [f"{_in_region(where, each)}{table.name}" for each in ("", *regions)]
    if replicated:
        witnesses = any(table.replicas and table.replicas.witness for table in tables)
        actions = {*_REPLICATE, *(_WITNESS if witnesses else ())}
        yield _statement("Replicas", sorted(actions), list(dict.fromkeys(replicated)))


def _in_region(where: str, region: str) -> str:
    """The beginning of ARNs in another region; of all regions where *where* is."""
    parts = where.split(":")
    if region and parts[3] != "*":
        parts[3] = region
    return ":".join(parts)


def _statement(
    sid: str, actions: Iterable[str], resources: Sequence[str], *, service: str = "dynamodb"
) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": list(resources),
    }


def partition_of(region: str) -> str:
    """The partition of a region: that of almost all is `aws`."""
    import botocore.session
    from botocore.exceptions import UnknownRegionError

    try:
        return str(botocore.session.Session().get_partition_for_region(region))
    except UnknownRegionError:
        return "aws"
