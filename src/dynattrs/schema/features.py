"""The other features of a table: tags, encryption, a policy, replicas, a Kinesis stream, contributor
insights.

Only declared features are created, compared and changed.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GlobalTables.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from dynattrs import limits
from dynattrs.errors import ModelError
from dynattrs.quoting import quoted
from dynattrs.schema import capacity
from dynattrs.schema.capacity import TABLE_CLASSES, TableClass
from dynattrs.schema.messages import Message
from dynattrs.schema.option_values import several
from dynattrs.schema.written import Written

__all__ = ["Insights", "KinesisStream", "Replica", "Replicas"]

Insights: TypeAlias = "Literal['accessed and throttled', 'throttled'] | bool"
Policy: TypeAlias = "dict[str, Any]"

INSIGHTS_MODES: Final[Mapping[str, str]] = {
    "accessed and throttled": "ACCESSED_AND_THROTTLED_KEYS",
    "throttled": "THROTTLED_KEYS",
}
PRECISIONS: Final[Mapping[str, str]] = {
    "millisecond": "MILLISECOND",
    "microsecond": "MICROSECOND",
}
#: Keys that are not a customer's.
OWNED, MANAGED = "owned", "managed"
#: What tags of AWS begin with; nothing else may.
AWS_TAG: Final = "aws:"

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_KEY_ID = re.compile(r"(mrk-[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_KEY_ARN = re.compile(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+")
_STREAM_ARN = re.compile(r"arn:[\w-]+:kinesis:[\w-]+:\d{12}:stream/[\w.-]+")


# --- Replicas -----------------------------------------------------------------------------------


def _check_region(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, str) and _REGION.fullmatch(value)):
        raise ModelError(
            type(instance).__name__,
            f"{attribute.name}={quoted(value)}: the name of an AWS region is expected, such as "
            f"'eu-west-1'",
        )


def _check_key(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        check_key(f"Replica({getattr(instance, 'region', '')!r})", attribute.name, value)


def _by_index(value: Mapping[str, int]) -> Mapping[str, int]:
    return dict(value)


def _check_index_units(
    instance: object, attribute: attrs.Attribute[Any], value: Mapping[str, object]
) -> None:
    for index, units in value.items():
        if type(units) is not int or units < 1:
            raise ModelError(
                type(instance).__name__,
                f"{attribute.name}[{index!r}]={units!r}: capacity is a whole number of units a "
                f"second, 1 or more",
            )


@attrs.frozen(repr=False)
class Replica(Written):
    """A replica of a table in another region. Settings that you leave out are those of the table.

    Args:
        region: The region.
        kms_key: The ARN or id of the KMS key in that region, if the table is encrypted with one.
        read: Its own read units a second, if the table is provisioned.
        max_read: The most read units a second, if the table is on demand.
        table_class: `"standard"` or `"infrequent access"`.
        index_read: Its own read units for global indexes, by index name.
        index_max_read: The most read units for global indexes, by index name.
    """

    region: str = attrs.field(validator=_check_region)
    kms_key: str | None = attrs.field(kw_only=True, default=None, validator=_check_key)
    read: int | None = attrs.field(kw_only=True, default=None, validator=capacity.check_units)
    max_read: int | None = attrs.field(kw_only=True, default=None, validator=capacity.check_units)
    table_class: TableClass | None = attrs.field(kw_only=True, default=None)
    index_read: Mapping[str, int] = attrs.field(
        kw_only=True, factory=dict, converter=_by_index, validator=_check_index_units, hash=False
    )
    index_max_read: Mapping[str, int] = attrs.field(
        kw_only=True, factory=dict, converter=_by_index, validator=_check_index_units, hash=False
    )

    def __attrs_post_init__(self) -> None:
        if self.table_class is not None and self.table_class not in TABLE_CLASSES:
            written = " or ".join(map(repr, TABLE_CLASSES))
            raise ModelError(
                f"Replica({self.region!r})", f"table_class={self.table_class!r}: write {written}"
            )

    def arguments(self) -> Message:
        """What creates it, and what updates it, in the words of UpdateTable."""
        found: Message = {"RegionName": self.region}
        if self.kms_key is not None:
            found["KMSMasterKeyId"] = self.kms_key
        found |= _reads(self.read, self.max_read)
        indexes = [
            {"IndexName": name} | _reads(self.index_read.get(name), self.index_max_read.get(name))
            for name in dict.fromkeys((*self.index_read, *self.index_max_read))
        ]
        if indexes:
            found["GlobalSecondaryIndexes"] = indexes
        if self.table_class is not None:
            found["TableClassOverride"] = TABLE_CLASSES[self.table_class]
        return found


def _reads(read: int | None, most: int | None) -> Message:
    found: Message = {}
    if read is not None:
        found["ProvisionedThroughputOverride"] = {"ReadCapacityUnits": read}
    if most is not None:
        found["OnDemandThroughputOverride"] = {"MaxReadRequestUnits": most}
    return found


def _as_replicas(value: object) -> tuple[Replica, ...]:
    return tuple(Replica(each) if isinstance(each, str) else each for each in several(value))


@attrs.frozen(repr=False)
class Replicas(Written):
    """The regions of a global table besides the table's own region, which you may name too.

    Args:
        regions: Names of regions, or `Replica` objects.
        consistency: `"eventual"` or `"strong"`. With `"strong"`, there must be exactly two other regions,
            replicas and witness together, and the table must be empty when they are created. By default new
            replicas are eventual, and the setting is not compared.
        witness: For a strongly consistent global table, a region that keeps no items and cannot be read.
    """

    regions: tuple[Replica, ...] = attrs.field(default=(), converter=_as_replicas)
    consistency: Literal["eventual", "strong"] | None = attrs.field(kw_only=True, default=None)
    witness: str | None = attrs.field(kw_only=True, default=None, validator=_check_region)

    def __attrs_post_init__(self) -> None:
        for each in self.regions:
            if not isinstance(each, Replica):
                raise ModelError("Replicas", f"{quoted(each)}: a region or a Replica is expected")
        names = [each.region for each in self.regions]
        if self.witness is not None:
            names.append(self.witness)
        for name in names:
            if names.count(name) > 1:
                raise ModelError("Replicas", f"the region {name!r} is named twice")
        if self.consistency not in (None, "eventual", "strong"):
            raise ModelError(
                "Replicas", f"consistency={self.consistency!r}: write 'eventual' or 'strong'"
            )
        if self.witness is not None and self.consistency != "strong":
            raise ModelError(
                "Replicas", "a witness belongs to consistency='strong'; others have none"
            )
        # With the table's own region there may be one more.
        least = limits.STRONG_REGIONS - 1
        if self.consistency == "strong" and not least <= len(names) <= limits.STRONG_REGIONS:
            raise ModelError(
                "Replicas",
                f"consistency='strong' takes {limits.STRONG_REGIONS} regions with the table's own; "
                f"two replicas, or one and a witness, are expected",
            )

    def others(self, own: str | None) -> dict[str, Replica]:
        """The replicas by their regions, without the table's own region."""
        return {each.region: each for each in self.regions if each.region != own}


# --- Kinesis ------------------------------------------------------------------------------------


@attrs.frozen(repr=False)
class KinesisStream(Written):
    """A Kinesis data stream that receives every change of an item.

    Args:
        arn: The stream's ARN.
        precision: The precision of a change's time, `"millisecond"` or `"microsecond"`. By default it is the
            service's, milliseconds, and is not compared.
    """

    arn: str
    precision: Literal["millisecond", "microsecond"] | None = attrs.field(
        kw_only=True, default=None
    )

    def __attrs_post_init__(self) -> None:
        given: object = self.arn
        if not (isinstance(given, str) and _STREAM_ARN.fullmatch(given)):
            raise ModelError(
                "KinesisStream",
                f"{quoted(self.arn)}: the ARN of a stream is expected, "
                f"'arn:aws:kinesis:<region>:<account>:stream/<name>'",
            )
        if self.precision is not None and self.precision not in PRECISIONS:
            written = " or ".join(map(repr, PRECISIONS))
            raise ModelError("KinesisStream", f"precision={self.precision!r}: write {written}")


# --- What a `Table` is given --------------------------------------------------------------------


def replicas(value: object) -> Replicas:
    """`replicas=` of a table: regions are enough."""
    if value is False:
        return Replicas()
    return value if isinstance(value, Replicas) else Replicas(_as_replicas(value))


def kinesis(value: object) -> KinesisStream | Literal[False]:
    """`kinesis=` of a table: the ARN is enough."""
    if value is False or isinstance(value, KinesisStream):
        return value
    if isinstance(value, str):
        return KinesisStream(value)
    raise ModelError(
        "Table", f"kinesis={quoted(value)}: a stream's ARN, a KinesisStream or False is expected"
    )


def policy(value: object) -> Policy | Literal[False]:
    """`resource_policy=` of a table: a document, or its JSON."""
    if value is False:
        return False
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError as error:
            raise ModelError("Table", f"resource_policy is not JSON: {error}") from error
    if not isinstance(found, Mapping) or "Statement" not in found:
        raise ModelError(
            "Table",
            f"resource_policy={quoted(value, 80)}: a policy document with its Statement is expected, "
            f"as a dict or as JSON, or False for none",
        )
    size = len(policy_text(dict(found)).encode())
    if size > limits.POLICY_BYTES:
        raise ModelError(
            "Table",
            f"resource_policy has {size} bytes, the service allows {limits.POLICY_BYTES} bytes",
        )
    return dict(found)


def tags(value: object) -> dict[str, str | None]:
    """`tags=` of a table."""
    if not isinstance(value, Mapping):
        raise ModelError("Table", f"tags={quoted(value, 80)}: a dict of texts is expected")
    return dict(value)


def check(
    subject: str,
    *,
    tags: Mapping[str, str | None] | None,
    encryption: object,
    insights: object,
) -> None:
    """Refuse features that no table has."""
    for name, content in (tags or {}).items():
        _check_tag(subject, name, content)
    if tags is not None and len(tags) > limits.TAGS:
        raise ModelError(subject, f"{len(tags)} tags; the service allows {limits.TAGS}")
    if encryption is not None and encryption not in (OWNED, MANAGED):
        check_key(subject, "encryption", encryption)
    if insights is not None:
        check_insights(subject, insights)


def _check_tag(subject: str, name: object, content: object) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= limits.TAG_NAME:
        raise ModelError(
            subject, f"tags: {quoted(name)} is not a name of 1 to {limits.TAG_NAME} characters"
        )
    if name.startswith(AWS_TAG):
        raise ModelError(subject, f"tags[{name!r}]: tags of AWS's own are not yours to set")
    if content is not None and (not isinstance(content, str) or len(content) > limits.TAG_VALUE):
        raise ModelError(
            subject,
            f"tags[{name!r}]={quoted(content)}: a text of up to {limits.TAG_VALUE} characters is "
            f"expected, or None where the table must not have the tag",
        )


def check_key(subject: str, option: str, value: object) -> None:
    """Refuse what does not name a KMS key by itself.

    An alias does not: the service describes a table by its key's ARN, so an alias could not be compared.
    """
    if isinstance(value, str) and (_KEY_ID.fullmatch(value) or _KEY_ARN.fullmatch(value)):
        return
    if isinstance(value, str) and _names_alias(value):
        problem = (
            "an alias says not which key it is, and could not be compared; write the key's ARN"
        )
    elif option == "encryption":
        problem = "write 'owned', 'managed', or the ARN or id of a KMS key"
    else:
        problem = "the ARN or id of a KMS key is expected"
    raise ModelError(subject, f"{option}={quoted(value, 80)}: {problem}")


def check_insights(subject: str, value: object) -> None:
    if not isinstance(value, bool) and value not in INSIGHTS_MODES:
        written = ", ".join(map(repr, INSIGHTS_MODES))
        raise ModelError(
            subject, f"contributor_insights={value!r}: write {written}, True for either, or False"
        )


# --- In the service's words ---------------------------------------------------------------------


def arguments(
    *,
    tags: Mapping[str, str | None] | None,
    encryption: str | None,
    resource_policy: Policy | Literal[False] | None,
) -> Message:
    """What CreateTable takes for them."""
    found: Message = {}
    said = tag_list(tags or {})
    if said:
        found["Tags"] = said
    if encryption is not None:
        found["SSESpecification"] = encryption_specification(encryption)
    if resource_policy:
        found["ResourcePolicy"] = policy_text(resource_policy)
    return found


def tag_list(tags: Mapping[str, str | None]) -> list[Message]:
    return [{"Key": name, "Value": text} for name, text in tags.items() if text is not None]


def encryption_specification(encryption: str) -> Message:
    if encryption == OWNED:
        return {"Enabled": False}
    found: Message = {"Enabled": True, "SSEType": "KMS"}
    if encryption != MANAGED:
        found["KMSMasterKeyId"] = encryption
    return found


def policy_text(policy: Policy) -> str:
    return json.dumps(policy, separators=(",", ":"))


def insights_arguments(insights: Insights) -> Message:
    """What UpdateContributorInsights takes besides the names."""
    found: Message = {"ContributorInsightsAction": "ENABLE" if insights else "DISABLE"}
    if isinstance(insights, str):
        found["ContributorInsightsMode"] = INSIGHTS_MODES[insights]
    return found


# --- As the service describes them --------------------------------------------------------------


def region_in(description: Message) -> str | None:
    """The region of a described table."""
    parts = str(description.get("TableArn", "")).split(":")
    return parts[3] if len(parts) > 3 else None


def described_encryption(description: Message) -> str:
    """`"owned"`, the ARN of a KMS key, or `"managed"` where the description does not say which."""
    found = description.get("SSEDescription", {})
    if found.get("Status") in (None, "DISABLED", "DISABLING"):
        return OWNED
    key = str(found.get("KMSMasterKeyArn") or MANAGED)
    # The service has no alias there; some engines have that of AWS's key.
    return MANAGED if _names_alias(key) else key


def _names_alias(key: str) -> bool:
    return "alias/" in key


def same_key(declared: str, stored: str) -> bool:
    """Whether a declared encryption is the one of a description.

    A description does not tell the key that AWS manages from a customer's.
    """
    if declared == MANAGED:
        return stored != OWNED
    return declared in (stored, stored.rpartition("/")[2])


def described_replicas(description: Message) -> dict[str, Message]:
    """The descriptions of a table's replicas by their regions, without its own and those that go."""
    own = region_in(description)
    return {
        each["RegionName"]: each
        for each in description.get("Replicas", ())
        if each["RegionName"] != own and each.get("ReplicaStatus") != "DELETING"
    }


def described_witnesses(description: Message) -> list[str]:
    return [
        each["RegionName"]
        for each in description.get("GlobalTableWitnesses", ())
        if each.get("WitnessStatus") != "DELETING"
    ]


def declared_replicas(description: Message) -> Replicas | None:
    """What a declaration says of the replicas of a described table; None where there are none."""
    found = described_replicas(description)
    if not found:
        return None
    witnesses = described_witnesses(description)
    strong = description.get("MultiRegionConsistency") == "STRONG"
    # While regions are being dropped there are fewer.
    whole = strong and len(found) + len(witnesses) == limits.STRONG_REGIONS - 1
    return Replicas(
        [_declared_replica(each) for each in found.values()],
        consistency="strong" if whole else None,
        witness=witnesses[0] if whole and witnesses else None,
    )


def _declared_replica(found: Message) -> Replica:
    classes: dict[str, Any] = {stored: name for name, stored in TABLE_CLASSES.items()}
    read, most = described_reads(found)
    key = found.get("KMSMasterKeyId")
    indexes = {each["IndexName"]: described_reads(each) for each in indexes_of_replica(found)}
    return Replica(
        found["RegionName"],
        kms_key=None if key is None or _names_alias(key) else key,
        read=read,
        max_read=most,
        table_class=classes.get(found.get("ReplicaTableClassSummary", {}).get("TableClass")),
        index_read={name: units for name, (units, _) in indexes.items() if units is not None},
        index_max_read={name: units for name, (_, units) in indexes.items() if units is not None},
    )


def indexes_of_replica(found: Message) -> Iterable[Message]:
    described: Iterable[Message] = found.get("GlobalSecondaryIndexes", ())
    return described


def described_reads(found: Message) -> tuple[int | None, int | None]:
    """What a replica, or an index of it, has of its own: read units, and the most of them."""
    units = found.get("ProvisionedThroughputOverride", {}).get("ReadCapacityUnits")
    most = found.get("OnDemandThroughputOverride", {}).get("MaxReadRequestUnits")
    return units or None, most if most is not None and most > 0 else None


def same_policy(one: object, other: object) -> bool:
    """Whether two policies say the same: the order of lists, and a list of one, mean nothing."""
    return _ordered(one) == _ordered(other)


def _ordered(value: object) -> object:
    if isinstance(value, Mapping):
        return sorted(((str(name), _ordered(each)) for name, each in value.items()), key=repr)
    if isinstance(value, list):
        members: list[object] = sorted((_ordered(each) for each in value), key=repr)
        return members[0] if len(members) == 1 else members
    return value


def own_tags(found: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Tags without those that are AWS's."""
    for each in found:
        if not each["Key"].startswith(AWS_TAG):
            yield each["Key"], each["Value"]
