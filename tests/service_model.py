"""What DynamoDB can do, and what of it dynattrs does: a list that is held to the newest service model.

Only the step `newest` of .ci/run runs it, by its name: what AWS adds to botocore should not break a
branch that has nothing to do with it, and should not go unnoticed either. A name that fails here is
put to work, and then into `OPERATIONS` or `MEMBERS`, or is left to `session.client` with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name

import dynattrs

#: Operations that the typed layer asks for.
OPERATIONS = """
BatchGetItem BatchWriteItem CreateBackup CreateTable DeleteBackup DeleteItem
DeleteResourcePolicy DeleteTable DescribeBackup DescribeContinuousBackups
DescribeContributorInsights DescribeKinesisStreamingDestination DescribeLimits DescribeTable
DescribeTimeToLive DisableKinesisStreamingDestination EnableKinesisStreamingDestination
ExecuteStatement GetItem GetResourcePolicy ListBackups ListContributorInsights ListTables
ListTagsOfResource PutItem PutResourcePolicy Query RestoreTableFromBackup
RestoreTableToPointInTime Scan TagResource TransactGetItems TransactWriteItems UntagResource
UpdateContinuousBackups UpdateContributorInsights UpdateItem UpdateKinesisStreamingDestination
UpdateTable UpdateTimeToLive BatchExecuteStatement ExecuteTransaction
SearchVectors ExportTableToPointInTime DescribeExport ListExports ImportTable DescribeImport
ListImports StartBulkPutItems DescribeBulkOperation ListBulkOperations CancelBulkOperation
""".split()  # noqa: SIM905 - a list of literals has a line for each

#: Members of what is asked, and values of enumerations, by shape.
MEMBERS = """
ApproximateCreationDateTimePrecision: MILLISECOND MICROSECOND
AttributeDefinition: AttributeName AttributeType
AttributeValue: S N B SS NS BS M L NULL BOOL
BackupTypeFilter: USER SYSTEM AWS_BACKUP ALL
BatchExecuteStatementInput: Statements ReturnConsumedCapacity
BatchGetItemInput: RequestItems ReturnConsumedCapacity
BatchStatementRequest: Statement Parameters ConsistentRead ReturnValuesOnConditionCheckFailure
BatchWriteItemInput: RequestItems ReturnConsumedCapacity
BillingMode: PROVISIONED PAY_PER_REQUEST
BulkOperationInputFormat: DYNAMODB_JSON ION
BulkOperationPerformanceTier: STANDARD ACCELERATED
CancelBulkOperationInput: BulkOperationArn
ConditionCheck: Key TableName ConditionExpression ExpressionAttributeNames
  ExpressionAttributeValues ReturnValuesOnConditionCheckFailure
ContributorInsightsAction: ENABLE DISABLE
ContributorInsightsMode: ACCESSED_AND_THROTTLED_KEYS THROTTLED_KEYS
CreateBackupInput: TableName BackupName
CreateGlobalSecondaryIndexAction: IndexName KeySchema Projection ProvisionedThroughput
  OnDemandThroughput WarmThroughput
CreateGlobalTableWitnessGroupMemberAction: RegionName
CreateReplicationGroupMemberAction: RegionName KMSMasterKeyId ProvisionedThroughputOverride
  OnDemandThroughputOverride GlobalSecondaryIndexes TableClassOverride
CreateTableInput: AttributeDefinitions TableName KeySchema LocalSecondaryIndexes
  GlobalSecondaryIndexes BillingMode ProvisionedThroughput StreamSpecification SSESpecification
  Tags TableClass DeletionProtectionEnabled WarmThroughput ResourcePolicy OnDemandThroughput
  VectorIndexes
CreateVectorIndexAction: IndexName VectorAttribute SearchSchema Projection Dimensions
  DistanceFunction
CsvOptions: Delimiter HeaderList
Delete: Key TableName ConditionExpression ExpressionAttributeNames ExpressionAttributeValues
  ReturnValuesOnConditionCheckFailure
DeleteBackupInput: BackupArn
DeleteGlobalSecondaryIndexAction: IndexName
DeleteGlobalTableWitnessGroupMemberAction: RegionName
DeleteItemInput: TableName Key ReturnValues ReturnConsumedCapacity ConditionExpression
  ExpressionAttributeNames ExpressionAttributeValues ReturnValuesOnConditionCheckFailure
DeleteReplicationGroupMemberAction: RegionName
DeleteRequest: Key
DeleteResourcePolicyInput: ResourceArn
DeleteTableInput: TableName
DeleteVectorIndexAction: IndexName
DescribeBackupInput: BackupArn
DescribeBulkOperationInput: BulkOperationArn
DescribeContinuousBackupsInput: TableName
DescribeContributorInsightsInput: TableName IndexName
DescribeExportInput: ExportArn
DescribeImportInput: ImportArn
DescribeKinesisStreamingDestinationInput: TableName
DescribeLimitsInput:
DescribeTableInput: TableName
DescribeTimeToLiveInput: TableName
EnableKinesisStreamingConfiguration: ApproximateCreationDateTimePrecision
ExecuteStatementInput: Statement Parameters ConsistentRead NextToken ReturnConsumedCapacity
  Limit ReturnValuesOnConditionCheckFailure
ExecuteTransactionInput: TransactStatements ClientRequestToken ReturnConsumedCapacity
ExportFormat: DYNAMODB_JSON ION
ExportTableToPointInTimeInput: TableArn ExportTime ClientToken S3Bucket S3BucketOwner S3Prefix
  S3SseAlgorithm S3SseKmsKeyId ExportFormat ExportType IncrementalExportSpecification
  FilterSpecification
ExportType: FULL_EXPORT INCREMENTAL_EXPORT
ExportViewType: NEW_IMAGE NEW_AND_OLD_IMAGES
FilterSpecification: FilterExpression ProjectionExpression KeyConditionExpression
  ExpressionAttributeNames ExpressionAttributeValues
Get: Key TableName ProjectionExpression ExpressionAttributeNames
GetItemInput: TableName Key ConsistentRead ReturnConsumedCapacity ProjectionExpression
  ExpressionAttributeNames
GetResourcePolicyInput: ResourceArn
GlobalSecondaryIndex: IndexName KeySchema Projection ProvisionedThroughput OnDemandThroughput
  WarmThroughput
GlobalSecondaryIndexUpdate: Update Create Delete
GlobalTableWitnessGroupUpdate: Create Delete
ImportTableInput: ClientToken S3BucketSource InputFormat InputFormatOptions InputCompressionType
  TableCreationParameters
IncrementalExportSpecification: ExportFromTime ExportToTime ExportViewType
InputCompressionType: GZIP ZSTD NONE
InputFormat: DYNAMODB_JSON ION CSV
InputFormatOptions: Csv
InputS3Configuration: S3BucketOwner S3Bucket S3KeyPrefix InputFormat InputCompressionType
KeySchemaElement: AttributeName KeyType
KeyType: HASH RANGE
KeysAndAttributes: Keys ConsistentRead ProjectionExpression ExpressionAttributeNames
KinesisStreamingDestinationInput: TableName StreamArn EnableKinesisStreamingConfiguration
ListBackupsInput: TableName TimeRangeLowerBound TimeRangeUpperBound ExclusiveStartBackupArn
  BackupType
ListBulkOperationsInput: NextToken
ListContributorInsightsInput: TableName NextToken
ListExportsInput: TableArn NextToken
ListImportsInput: TableArn NextToken
ListTablesInput: ExclusiveStartTableName
ListTagsOfResourceInput: ResourceArn NextToken
LocalSecondaryIndex: IndexName KeySchema Projection
MultiRegionConsistency: STRONG
OnDemandThroughput: MaxReadRequestUnits MaxWriteRequestUnits
OnDemandThroughputOverride: MaxReadRequestUnits
OutputS3Configuration: S3BucketOwner S3Bucket S3KeyPrefix S3SseAlgorithm S3SseKmsKeyId OutputType
OutputTypeEnum: ERROR CONDITION_CHECK_FAILURE
ParameterizedStatement: Statement Parameters ReturnValuesOnConditionCheckFailure
PointInTimeRecoverySpecification: PointInTimeRecoveryEnabled RecoveryPeriodInDays
Projection: ProjectionType NonKeyAttributes
ProjectionType: ALL KEYS_ONLY INCLUDE
ProvisionedThroughput: ReadCapacityUnits WriteCapacityUnits
ProvisionedThroughputOverride: ReadCapacityUnits
Put: Item TableName ConditionExpression ExpressionAttributeNames ExpressionAttributeValues
  ReturnValuesOnConditionCheckFailure
PutItemInput: TableName Item ReturnValues ReturnConsumedCapacity ConditionExpression
  ExpressionAttributeNames ExpressionAttributeValues ReturnValuesOnConditionCheckFailure
PutRequest: Item
PutResourcePolicyInput: ResourceArn Policy
QueryInput: TableName IndexName Select Limit ConsistentRead ScanIndexForward ExclusiveStartKey
  ReturnConsumedCapacity ProjectionExpression FilterExpression KeyConditionExpression
  ExpressionAttributeNames ExpressionAttributeValues
ReplicaGlobalSecondaryIndex: IndexName ProvisionedThroughputOverride OnDemandThroughputOverride
ReplicationGroupUpdate: Create Update Delete
RestoreTableFromBackupInput: TargetTableName BackupArn BillingModeOverride
  GlobalSecondaryIndexOverride ProvisionedThroughputOverride OnDemandThroughputOverride
  SSESpecificationOverride
RestoreTableToPointInTimeInput: SourceTableArn SourceTableName TargetTableName
  UseLatestRestorableTime RestoreDateTime BillingModeOverride GlobalSecondaryIndexOverride
  ProvisionedThroughputOverride OnDemandThroughputOverride SSESpecificationOverride
ReturnConsumedCapacity: INDEXES TOTAL NONE
ReturnValue: NONE ALL_OLD ALL_NEW
ReturnValuesOnConditionCheckFailure: ALL_OLD NONE
S3BucketSource: S3BucketOwner S3Bucket S3KeyPrefix
S3SseAlgorithm: AES256 KMS
SSESpecification: Enabled SSEType KMSMasterKeyId
SSEType: KMS
ScalarAttributeType: S N B
ScanInput: TableName IndexName Limit Select ExclusiveStartKey ReturnConsumedCapacity
  TotalSegments Segment ProjectionExpression FilterExpression ExpressionAttributeNames
  ExpressionAttributeValues ConsistentRead
SearchSchemaElement: AttributeName SearchSchemaElementType
SearchSchemaElementType: HASH INLINE_FILTER
SearchVectorsInput: TableName IndexName ReturnConsumedCapacity ExpressionAttributeNames
  ExpressionAttributeValues ProjectionExpression SearchVector SearchConditionExpression TopK
Select: COUNT
StartBulkPutItemsInput: ClientToken InputS3Configuration OutputS3Configuration TableName
  MaxWriteRequestUnits PerformanceTier
StreamSpecification: StreamEnabled StreamViewType
StreamViewType: NEW_IMAGE OLD_IMAGE NEW_AND_OLD_IMAGES KEYS_ONLY
TableClass: STANDARD STANDARD_INFREQUENT_ACCESS
TableCreationParameters: TableName AttributeDefinitions KeySchema BillingMode
  ProvisionedThroughput OnDemandThroughput SSESpecification GlobalSecondaryIndexes VectorIndexes
Tag: Key Value
TagResourceInput: ResourceArn Tags
TimeToLiveSpecification: Enabled AttributeName
TransactGetItem: Get
TransactGetItemsInput: TransactItems ReturnConsumedCapacity
TransactWriteItem: ConditionCheck Put Delete Update
TransactWriteItemsInput: TransactItems ReturnConsumedCapacity ClientRequestToken
UntagResourceInput: ResourceArn TagKeys
Update: Key UpdateExpression TableName ConditionExpression ExpressionAttributeNames
  ExpressionAttributeValues ReturnValuesOnConditionCheckFailure
UpdateContinuousBackupsInput: TableName PointInTimeRecoverySpecification
UpdateContributorInsightsInput: TableName IndexName ContributorInsightsAction
  ContributorInsightsMode
UpdateGlobalSecondaryIndexAction: IndexName ProvisionedThroughput OnDemandThroughput
  WarmThroughput
UpdateItemInput: TableName Key ReturnValues ReturnConsumedCapacity UpdateExpression
  ConditionExpression ExpressionAttributeNames ExpressionAttributeValues
  ReturnValuesOnConditionCheckFailure
UpdateKinesisStreamingConfiguration: ApproximateCreationDateTimePrecision
UpdateKinesisStreamingDestinationInput: TableName StreamArn UpdateKinesisStreamingConfiguration
UpdateReplicationGroupMemberAction: RegionName KMSMasterKeyId ProvisionedThroughputOverride
  OnDemandThroughputOverride GlobalSecondaryIndexes TableClassOverride
UpdateTableInput: AttributeDefinitions TableName BillingMode ProvisionedThroughput
  GlobalSecondaryIndexUpdates StreamSpecification SSESpecification ReplicaUpdates TableClass
  DeletionProtectionEnabled MultiRegionConsistency GlobalTableWitnessUpdates OnDemandThroughput
  WarmThroughput VectorIndexUpdates
UpdateTimeToLiveInput: TableName TimeToLiveSpecification
VectorAttributeDefinition: AttributeName
VectorDistanceFunction: COSINE DOT_PRODUCT EUCLIDEAN
VectorIndex: IndexName VectorAttribute SearchSchema Projection Dimensions DistanceFunction
VectorIndexUpdate: Create Delete
WarmThroughput: ReadUnitsPerSecond WriteUnitsPerSecond
WriteRequest: PutRequest DeleteRequest
"""

OLDER = "AWS keeps it for programs of before 2014; an expression says the same"
PAGED = "pages are as large as the service makes them, and followed to their end"
ACCOUNTS = "a replica in another account has another owner, who makes it there"
OLD_REPLICAS = "it is of the global tables of 2017, which AWS says not to make any more"
SCALING = "autoscaling is another service's, with clients of its own for tables without replicas"

#: Operations that are left to `session.client`.
LEFT_OPERATIONS = {
    "CreateGlobalTable": OLD_REPLICAS,
    "DescribeGlobalTable": OLD_REPLICAS,
    "DescribeGlobalTableSettings": OLD_REPLICAS,
    "ListGlobalTables": OLD_REPLICAS,
    "UpdateGlobalTable": OLD_REPLICAS,
    "UpdateGlobalTableSettings": OLD_REPLICAS,
    "DescribeTableReplicaAutoScaling": SCALING,
    "UpdateTableReplicaAutoScaling": SCALING,
    "DescribeEndpoints": "botocore asks it by itself where endpoints are discovered",
}

#: Members and values that are left to `session.client`, of a shape, or with `*` of all.
LEFT_MEMBERS = {
    "*.AttributesToGet": OLDER,
    "*.AttributeUpdates": OLDER,
    "*.ConditionalOperator": OLDER,
    "*.Expected": OLDER,
    "*.KeyConditions": OLDER,
    "*.QueryFilter": OLDER,
    "*.ScanFilter": OLDER,
    "*.MaxResults": PAGED,
    "ListBackupsInput.Limit": PAGED,
    "ListTablesInput.Limit": PAGED,
    "ListImportsInput.PageSize": PAGED,
    "CreateTableInput.GlobalTableSourceArn": ACCOUNTS,
    "*.GlobalTableSettingsReplicationMode": ACCOUNTS,
    "ReplicationGroupUpdate.Disassociate": ACCOUNTS,
    "UpdateTableInput.DisassociationProtectionEnabled": ACCOUNTS,
    "*.ReturnItemCollectionMetrics": "only tables with local indexes have such metrics, for watching",
    "*.ExpectedRevisionId": "a declaration replaces whatever policy there is, where that is allowed",
    "PutResourcePolicyInput.ConfirmRemoveSelfResourceAccess": (
        "a policy that shuts out who puts it should be put by hand"
    ),
    "*.LocalSecondaryIndexOverride": "a local index that is not restored can never be made again",
    "*.VectorIndexOverride": "vector indexes come back with the table, and can be dropped then",
    "MultiRegionConsistency.EVENTUAL": "replicas are of eventual consistency without it",
    "ReturnValue.UPDATED_NEW": "the whole item makes an object, and what has changed is found in it",
    "ReturnValue.UPDATED_OLD": "the whole item makes an object, and what has changed is found in it",
    "Select.ALL_ATTRIBUTES": "a model says what is read",
    "Select.ALL_PROJECTED_ATTRIBUTES": "a model says what is read",
    "Select.SPECIFIC_ATTRIBUTES": "a projection says it too",
    "SSEType.AES256": "the service takes no other type than KMS",
}


@cache
def service() -> Any:
    return botocore.session.get_session().get_service_model("dynamodb")


@cache
def words() -> frozenset[str]:
    """All that stands in the library's source as a text, or as the name of an argument."""
    found: set[str] = set()
    root = Path(dynattrs.__file__).parent
    for path in root.rglob("*.py"):
        # What the command prints of policies is not asked for.
        if "tools" in path.relative_to(root).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.keyword) and node.arg:
                found.add(node.arg)
    return frozenset(found)


def members_covered() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    shape = ""
    for line in MEMBERS.strip().splitlines():
        if not line.startswith(" "):
            shape = line.partition(":")[0]
        found.setdefault(shape, []).extend(line.rpartition(":")[2].split())
    return found


def is_left(shape: str, member: str) -> bool:
    return any(f"{each}.{member}" in LEFT_MEMBERS for each in (shape, "*"))


def members_of(shape: Any, seen: set[str]) -> Iterator[tuple[str, str]]:
    """Every member and every value of what is asked, with its shape."""
    if shape.type_name == "list":
        yield from members_of(shape.member, seen)
    elif shape.type_name == "map":
        yield from members_of(shape.value, seen)
    elif shape.name not in seen:
        if shape.type_name == "structure":
            seen.add(shape.name)
            for name, member in shape.members.items():
                yield shape.name, name
                if not is_left(shape.name, name):
                    yield from members_of(member, seen)
        elif getattr(shape, "enum", None):
            seen.add(shape.name)
            for value in shape.enum:
                yield shape.name, value


@cache
def in_the_model() -> frozenset[tuple[str, str]]:
    seen: set[str] = set()
    shapes = (service().operation_model(each).input_shape for each in OPERATIONS)
    return frozenset(pair for shape in shapes if shape for pair in members_of(shape, seen))


def test_every_operation_is_asked_for_or_left_with_a_reason():
    known = {*OPERATIONS, *LEFT_OPERATIONS}

    missing = [each for each in service().operation_names if each not in known]
    assert not missing, f"neither covered nor left: {', '.join(missing)}"


def test_every_parameter_is_said_or_left_with_a_reason():
    covered = {(shape, name) for shape, names in members_covered().items() for name in names}

    missing = {pair for pair in in_the_model() - covered if not is_left(*pair)}
    named = sorted(".".join(pair) for pair in missing)
    assert not named, f"neither covered nor left: {', '.join(named)}"


def test_what_is_listed_as_covered_is_in_the_source():
    asked = {each for each in OPERATIONS if xform_name(each) not in words()}
    said = {
        f"{shape}.{name}"
        for shape, names in members_covered().items()
        for name in names
        if name not in words()
    }

    assert (asked, said) == (set(), set())


def test_what_is_left_is_not_asked_for():
    assert {each for each in LEFT_OPERATIONS if xform_name(each) in words()} == set()


def test_the_lists_have_no_names_that_are_gone():
    operations = {*OPERATIONS, *LEFT_OPERATIONS}
    assert operations - set(service().operation_names) == set()

    covered = {(shape, name) for shape, names in members_covered().items() for name in names}
    assert covered - in_the_model() == set()
    there = {name for _, name in in_the_model()}
    pairs = {".".join(pair) for pair in in_the_model()}
    left = {
        each
        for each in LEFT_MEMBERS
        if (each[2:] not in there if each.startswith("*.") else each not in pairs)
    }
    assert left == set()
