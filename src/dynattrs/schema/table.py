"""Tables, their keys and indexes, and their design notes, as plain data.

Names in a `Table` and its indexes are *attribute names* (as stored). In the `indexes=` of
`@model("name", ...)` they are *field names*; the model turns them into attribute names.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.CoreComponents.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from dynattrs import limits
from dynattrs.deferral import deferred
from dynattrs.errors import ModelError
from dynattrs.late_classes import field, frozen
from dynattrs.schema.as_code import TableAsCode
from dynattrs.schema.declared_models import DeclaredModels
from dynattrs.schema.facets import (
    AttributeMap,
    AttributeValue,
    Facet,
    facets_of,
    sample_items_of,
)
from dynattrs.schema.indexes import (
    KEY_TYPES,
    UNSAID,
    AnyIndex,
    GlobalIndex,
    Index,
    KeySchema,
    KeyType,
    LocalIndex,
    Projection,
    Unsaid,
    check_resource_name,
    declared_indexes,
)
from dynattrs.schema.option_values import (
    check_each,
    check_mapping,
    check_name,
    check_names,
    check_unlike,
)

if TYPE_CHECKING:
    from dynattrs.schema import capacity, descriptions, features, vectors
    from dynattrs.schema.capacity import Billing, StreamView, TableClass, WarmThroughput
    from dynattrs.schema.features import Insights, KinesisStream, Policy, Replica, Replicas
    from dynattrs.schema.vectors import VectorIndex
else:
    capacity = deferred("dynattrs.schema.capacity")
    descriptions = deferred("dynattrs.schema.descriptions")
    features = deferred("dynattrs.schema.features")
    vectors = deferred("dynattrs.schema.vectors")

__all__ = [
    "KEY_TYPES", "UNSAID", "AnyIndex", "AttributeMap", "AttributeValue", "Facet", "GlobalIndex", "Index",
    "KeySchema", "KeyType", "LocalIndex",
    "Projection", "Table", "declared_indexes",
]  # fmt: skip

#: What a table has besides its key.
TableSetting: TypeAlias = Literal[
    "indexes", "ttl", "billing", "stream", "deletion_protection", "point_in_time_recovery",
    "table_class", "warm_throughput", "tags", "encryption", "resource_policy", "replicas",
    "contributor_insights", "kinesis",
]  # fmt: skip


class StoredItem(Protocol):
    """An item as a reply had it: an attribute map, or a row (see `dynattrs.mapper.rows`)."""

    def __getitem__(self, name: str, /) -> AttributeValue: ...

    def get(self, name: str, default: AttributeValue, /) -> AttributeValue: ...


def _tags(value: Mapping[str, str | None] | None) -> Mapping[str, str | None] | None:
    return None if value is None else features.tags(value)


def _policy(
    value: Mapping[str, Any] | str | Literal[False] | None,
) -> Policy | Literal[False] | None:
    return None if value is None else features.policy(value)


def _replicas(value: Replicas | Iterable[str | Replica] | Literal[False] | None) -> Replicas | None:
    return None if value is None else features.replicas(value)


def _kinesis(
    value: KinesisStream | str | Literal[False] | None,
) -> KinesisStream | Literal[False] | None:
    return None if value is None else features.kinesis(value)


@frozen(repr=False, slots=False)
class Table(TableAsCode):
    """A table: its name, keys, indexes, time to live attribute and settings.

    A setting that you leave out is not created, compared or changed, so it can be managed elsewhere. Without
    `billing`, a table is created on demand.

    Args:
        name: The table's name, before the session's `table_prefix` and `tables`.
        partition_key: The attribute that is the partition key.
        sort_key: The attribute that is the sort key, if there is one.
        indexes: All its global, local and vector indexes, by attribute names. `[]` for none.
        ttl: The attribute with the time to live (epoch seconds); False for none.
        types: The types of key attributes, `"S"`, `"N"` or `"B"`; the default is `"S"`.
        billing: `OnDemand()`, with maxima if you want, or `Provisioned(read=..., write=...)`.
        stream: The content of the table's stream for a changed item: `"keys"`, `"new"`, `"old"` or
            `"new and old"`; False for no stream.
        deletion_protection: Whether the table refuses to be deleted.
        point_in_time_recovery: Whether the table can be restored to any second of the last 35 days, or of
            the given number of days.
        table_class: `"standard"`, or `"infrequent access"` for cheaper storage and more expensive requests.
        warm_throughput: The traffic that it can handle immediately, at least; see `WarmThroughput`.
        tags: Tag values by name; None for a tag that the table must not have. Other tags are left alone.
        encryption: The key that encrypts items at rest: `"owned"` by the service (AWS's default),
            `"managed"` by AWS for the account, or the ARN or id of your own KMS key.
        resource_policy: The permissions of others on the table: a policy document, as a dict or JSON; False
            for none.
        replicas: The other regions of a global table, as names or `Replica` objects, or as one `Replicas`;
            `[]` for none.
        contributor_insights: Whether CloudWatch reports the most used keys: `"accessed and throttled"`, or
            only those `"throttled"`; True for either of these, False for neither.
        kinesis: The Kinesis data stream that receives changes: its ARN, or a `KinesisStream`; False for
            none.
        facets: The kinds of items in the table. Facets, attributes and sample items are documentation: two
            tables that differ only in them are equal.
        attributes: The types of attributes besides the table's key, by name: `{"plays": "N"}`.
        sample_items: Examples of all kinds, as attribute maps.
        discriminator: The attribute that holds the model of an item, if keys do not tell it. It may be part
            of an index's key.

    Example:
        >>> app = Table("app", partition_key="pk", sort_key="sk", types={"sk": "N"})
        >>> app.type_of("pk"), app.type_of("sk")
        ('S', 'N')
    """

    name: str
    partition_key: str = field(kw_only=True)
    sort_key: str | None = field(kw_only=True, default=None)
    indexes: tuple[AnyIndex, ...] = field(kw_only=True, default=UNSAID, converter=declared_indexes)
    ttl: str | Literal[False] | None = field(kw_only=True, default=None)
    types: Mapping[str, KeyType] = field(kw_only=True, factory=dict, hash=False)
    billing: Billing | None = field(kw_only=True, default=None)
    stream: StreamView | Literal[False] | None = field(kw_only=True, default=None)
    deletion_protection: bool | None = field(kw_only=True, default=None)
    point_in_time_recovery: bool | int | None = field(kw_only=True, default=None)
    table_class: TableClass | None = field(kw_only=True, default=None)
    warm_throughput: WarmThroughput | None = field(kw_only=True, default=None)
    tags: Mapping[str, str | None] | None = field(
        kw_only=True, default=None, converter=_tags, hash=False
    )
    encryption: str | None = field(kw_only=True, default=None)
    resource_policy: Policy | Literal[False] | None = field(
        kw_only=True, default=None, converter=_policy, hash=False
    )
    replicas: Replicas | None = field(kw_only=True, default=None, converter=_replicas)
    contributor_insights: Insights | None = field(kw_only=True, default=None)
    kinesis: KinesisStream | Literal[False] | None = field(
        kw_only=True, default=None, converter=_kinesis
    )
    facets: tuple[Facet, ...] = field(
        kw_only=True, default=(), converter=facets_of, eq=False, repr=False
    )
    attributes: Mapping[str, str] = field(kw_only=True, factory=dict, eq=False, repr=False)
    sample_items: tuple[AttributeMap, ...] = field(
        kw_only=True, default=(), converter=sample_items_of, eq=False, repr=False
    )
    discriminator: str | None = field(kw_only=True, default=None)
    #: The models that were declared on it.
    members: DeclaredModels = field(init=False, factory=DeclaredModels, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_resource_name(self, None, self.name)
        subject = f"Table({self.name!r})"
        self._check_settings(subject)
        if not self.partition_key:
            raise ModelError(subject, "it needs a partition_key")
        check_name(subject, "partition_key", self.partition_key)
        check_names(subject, "sort_key", self.key[1:])
        check_unlike(subject, self.key)
        check_mapping(subject, "types", self.types)
        check_mapping(subject, "attributes", self.attributes)
        if self.vector_indexes:  # or something else
            kinds = (GlobalIndex, LocalIndex, vectors.VectorIndex)
            what = "a GlobalIndex, LocalIndex or VectorIndex"
            check_each(subject, "indexes", self.indexes, kinds, what)
        check_each(subject, "facets", self.facets, Facet, "a Facet")
        check_each(subject, "sample_items", self.sample_items, Mapping, "an attribute map")
        self._check_discriminator(subject)
        names = [index.name for index in self.indexes]
        for name in names:
            if names.count(name) > 1:
                raise ModelError(subject, f"two indexes are named {name!r}")
        if self.local_indexes and self.sort_key is None:
            raise ModelError(
                subject, "a local index needs a table with a sort key; make it a GlobalIndex"
            )
        for name, kind in self.types.items():
            if kind not in KEY_TYPES:
                raise ModelError(
                    subject, f"types[{name!r}] is {kind!r}; a key attribute is 'S', 'N' or 'B'"
                )
            if name not in self.key_attributes:
                raise ModelError(
                    subject,
                    f"types names {name!r}, which is not a key attribute of it or its indexes",
                )
        for index in self.indexes:
            if isinstance(index, GlobalIndex) and index.write_shards is not None:
                self._check_sharded(subject, index)
        if self.vector_indexes:
            keys = [name for each in self.key_schemas for name in (*each.partition, *each.sort)]
            provisioned = capacity.billing_mode(self.billing) != "PAY_PER_REQUEST"
            vectors.check_vector_indexes(
                subject, self.vector_indexes, keys, provisioned=provisioned
            )
        counts = (
            (
                len(self.secondary_indexes) - len(self.local_indexes),
                limits.GLOBAL_INDEXES,
                "global",
            ),
            (len(self.local_indexes), limits.LOCAL_INDEXES, "local"),
        )
        for count, most, kind_of_index in counts:
            if count > most:
                raise ModelError(
                    subject, f"{count} {kind_of_index} indexes; the service allows {most}"
                )

    def _check_discriminator(self, subject: str) -> None:
        """It is text that every item has, and may be part of the key of an index."""
        if self.discriminator is None:
            return
        check_name(subject, "discriminator", self.discriminator)
        if self.discriminator in self.key:
            problem = "it is part of the primary key, which is an item's own"
        elif self.discriminator == self.ttl:
            problem = "it is the time to live as well"
        elif self.discriminator in self.types and self.types[self.discriminator] != "S":
            problem = f"it is text, and types says {self.types[self.discriminator]!r}"
        elif any(
            isinstance(index, GlobalIndex)
            and index.write_shards is not None
            and self.discriminator in index.partition_key
            for index in self.indexes
        ):
            problem = "an index with write_shards has it as its key, which a template makes"
        else:
            return
        raise ModelError(subject, f"discriminator={self.discriminator!r}: {problem}")

    def _check_settings(self, subject: str) -> None:
        ttl: object = self.ttl
        if not (ttl is None or ttl is False or (isinstance(ttl, str) and ttl)):
            raise ModelError(
                subject, f"ttl={ttl!r}: the name of an attribute is expected, or False"
            )
        settings = (
            self.stream, self.deletion_protection, self.point_in_time_recovery, self.table_class
        )  # fmt: skip
        if self.billing is not None or any(each is not None for each in settings):
            capacity.check_billing(subject, self.billing)
            capacity.check_settings(subject, *settings)
        if self.warm_throughput is not None:
            capacity.check_warmth(subject, self.warm_throughput)
        said = (self.tags, self.encryption, self.contributor_insights)
        if any(each is not None for each in said):
            features.check(
                subject,
                tags=self.tags,
                encryption=self.encryption,
                insights=self.contributor_insights,
            )
        if self._replicates_by_stream and self.stream not in (None, "new and old"):
            raise ModelError(
                subject,
                f"stream={self.stream!r}: its replicas are fed by a stream of 'new and old'",
            )
        for index in self.indexes:
            own = index.billing if isinstance(index, GlobalIndex) else None
            if own is not None and capacity.billing_mode(own) != capacity.billing_mode(
                self.billing
            ):
                raise ModelError(
                    subject,
                    f"index {index.name!r} is billed as {own}, the table as "
                    f"{self.billing or capacity.OnDemand()}; both are on demand, or both provisioned",
                )

    @property
    def _replicates_by_stream(self) -> bool:
        """Whether it has replicas, which are made after it, and whose changes come by streams."""
        there = self.replicas
        return there is not None and bool(there.regions) and there.consistency != "strong"

    def _check_sharded(self, subject: str, index: GlobalIndex) -> None:
        """What is spread over shards is made by templates, and is no other key."""
        [attribute] = index.partition_key
        others = [each for each in self.secondary_indexes if each is not index]
        searched = [name for each in self.vector_indexes for name in each.search_attributes]
        if self.type_of(attribute) != "S" or attribute in (
            *self.key, *(name for each in others for name in key_attributes_of(self, each)), *index.sort_key,
            *searched,
        ):  # fmt: skip
            raise ModelError(
                subject,
                f"index {index.name!r} has write_shards, so its partition key {attribute!r} must be "
                f"text and part of no other key; give the index an attribute of its own",
            )

    @classmethod
    def from_description(
        cls,
        description: Mapping[str, Any],
        *,
        name: str | None = None,
        ttl: str | Literal[False] | None = None,
        point_in_time_recovery: bool | int | None = None,
        tags: Mapping[str, str] | None = None,
        resource_policy: Policy | str | Literal[False] | None = None,
        contributor_insights: Insights | None = None,
        kinesis: KinesisStream | str | Literal[False] | None = None,
    ) -> Table:
        """Return the declaration of a table from its description by the service. `session.tables.reflect`
        fetches the description too.

        The declaration has the key, its types, the indexes with their keys, projections and capacities, and
        the billing; also the stream, deletion protection, class, encryption, replicas and warm throughput,
        if the description has them. Indexes that are being deleted are left out, and so is the warm
        throughput that every new table has.

        Args:
            description: The reply of DescribeTable or CreateTable, or its `Table`.
            name: The declared name, if the described one has a prefix.
            ttl: The result of DescribeTimeToLive, which DescribeTable does not include: the attribute, or
                False for none. None leaves it undeclared.
            point_in_time_recovery: The result of DescribeContinuousBackups; None leaves it undeclared.
            tags: The result of ListTagsOfResource; None leaves them undeclared.
            resource_policy: The result of GetResourcePolicy; None leaves it undeclared.
            contributor_insights: The result of DescribeContributorInsights; None leaves it undeclared.
            kinesis: The result of DescribeKinesisStreamingDestination; None leaves it undeclared.

        Raises:
            ModelError: It is not a description of a table.

        Example:
            >>> described = {"Table": {
            ...     "TableName": "dev-music",
            ...     "KeySchema": [{"AttributeName": "artist", "KeyType": "HASH"}],
            ...     "AttributeDefinitions": [{"AttributeName": "artist", "AttributeType": "S"}],
            ... }}
            >>> Table.from_description(described, name="music").key
            ('artist',)
        """
        return cls(
            ttl=ttl,
            point_in_time_recovery=point_in_time_recovery,
            tags=tags,
            resource_policy=resource_policy,
            contributor_insights=contributor_insights,
            kinesis=kinesis,
            **descriptions.declared(description, name),
        )

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The attributes of the primary key: one or two names."""
        return (
            (self.partition_key,) if self.sort_key is None else (self.partition_key, self.sort_key)
        )

    @cached_property
    def key_schemas(self) -> tuple[KeySchema, ...]:
        """The keys of the table itself, and of each of its secondary indexes, in this order."""
        every: tuple[Index | None, ...] = (None, *self.secondary_indexes)
        return tuple(
            KeySchema(each, partition_of(self, each), sort_of(self, each)) for each in every
        )

    @cached_property
    def secondary_indexes(self) -> tuple[Index, ...]:
        """Those of its indexes that can be queried: global and local ones."""
        return tuple(each for each in self.indexes if isinstance(each, (GlobalIndex, LocalIndex)))

    @cached_property
    def vector_indexes(self) -> tuple[VectorIndex, ...]:
        """Those of its indexes that can be searched."""
        kinds = (GlobalIndex, LocalIndex)
        return tuple(each for each in self.indexes if not isinstance(each, kinds))

    @property
    def local_indexes(self) -> tuple[LocalIndex, ...]:
        """Those of its indexes that are local."""
        return tuple(index for index in self.indexes if isinstance(index, LocalIndex))

    @cached_property
    def key_attributes(self) -> tuple[str, ...]:
        """All attributes in a key, those of the table first, then those of the indexes, and the attributes
        that a search may filter by.
        """
        names = dict.fromkeys(self.key)
        for index in self.secondary_indexes:
            names.update(dict.fromkeys(key_attributes_of(self, index)))
        for each in self.vector_indexes:
            names.update(dict.fromkeys(each.search_attributes))
        return tuple(names)

    @property
    def own_attributes(self) -> tuple[str, ...]:
        """The attributes that mean something to the service: keys, and the time to live."""
        ttl = self.ttl_attribute
        return self.key_attributes if ttl is None else (*self.key_attributes, ttl)

    @property
    def ttl_attribute(self) -> str | None:
        """The attribute with the time to live; None where there is none, or nothing is said of it."""
        return self.ttl or None

    def type_of(self, attribute: str) -> KeyType:
        """The type of a key attribute: `"S"` unless `types` says otherwise."""
        return self.types.get(attribute, "S")

    def create_arguments(self, name: str | None = None) -> dict[str, Any]:
        """Return the parameters of CreateTable, as `session.tables.create` sends them.

        The time to live, point-in-time recovery, replicas, contributor insights and a Kinesis stream are set
        by separate calls.

        Args:
            name: The real name, if it differs: `"prod-app"`.

        Example:
            >>> app = Table("app", partition_key="pk")
            >>> app.create_arguments("dev-app")["KeySchema"]
            [{'AttributeName': 'pk', 'KeyType': 'HASH'}]
        """
        return _create_arguments(self, name or self.name)


#: What an index may say for itself.
_OF_INDEXES: Final = frozenset({"billing", "warm_throughput", "contributor_insights"})


def says(table: Table, setting: TableSetting) -> bool:
    """Whether a declaration speaks of a setting."""
    if setting == "indexes":
        return not isinstance(table.indexes, Unsaid)
    own = setting in _OF_INDEXES and any(
        isinstance(index, GlobalIndex) and getattr(index, setting) is not None
        for index in table.indexes
    )
    return own or getattr(table, setting) is not None


def partition_of(table: Table, index: Index | None) -> tuple[str, ...]:
    """The attributes of the partition key of *index*, or of the table if that is None."""
    return index.partition_key if isinstance(index, GlobalIndex) else (table.partition_key,)


def sort_of(table: Table, index: Index | None) -> tuple[str, ...]:
    """The attributes of the sort key of *index*, or of the table if that is None."""
    if index is None:
        return table.key[1:]
    return index.sort_key


def key_attributes_of(table: Table, index: Index | None) -> tuple[str, ...]:
    """All key attributes of *index*, or of the table if that is None."""
    return (*partition_of(table, index), *sort_of(table, index))


def billing_of(table: Table, index: Index | None) -> Billing:
    """How a table, or one of its indexes, is billed."""
    own = index.billing if isinstance(index, GlobalIndex) else None
    return own or table.billing or capacity.OnDemand()


def _create_arguments(table: Table, name: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "TableName": name,
        "BillingMode": capacity.billing_mode(table.billing),
        "AttributeDefinitions": definitions(table, table.key_attributes),
        "KeySchema": key_schema(table, None),
        **billing_of(table, None).arguments(),
    }
    for kind, parameter in (
        (GlobalIndex, "GlobalSecondaryIndexes"), (LocalIndex, "LocalSecondaryIndexes")
    ):  # fmt: skip
        indexes = [index_arguments(table, each) for each in table.indexes if isinstance(each, kind)]
        if indexes:
            arguments[parameter] = indexes
    if table.vector_indexes:
        arguments["VectorIndexes"] = [
            vectors.arguments(each, table.key) for each in table.vector_indexes
        ]
    stream = "new and old" if table._replicates_by_stream else table.stream
    if stream:
        arguments["StreamSpecification"] = stream_specification(stream)
    if table.deletion_protection is not None:
        arguments["DeletionProtectionEnabled"] = table.deletion_protection
    if table.table_class is not None:
        arguments["TableClass"] = capacity.TABLE_CLASSES[table.table_class]
    if table.warm_throughput is not None:
        arguments |= table.warm_throughput.arguments()
    if table.tags or table.encryption is not None or table.resource_policy:
        arguments |= features.arguments(
            tags=table.tags, encryption=table.encryption, resource_policy=table.resource_policy
        )
    return arguments


def definitions(table: Table, attributes: Iterable[str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": attribute, "AttributeType": table.type_of(attribute)}
        for attribute in attributes
    ]


def key_schema(table: Table, index: Index | None) -> list[dict[str, str]]:
    return [
        *({"AttributeName": name, "KeyType": "HASH"} for name in partition_of(table, index)),
        *({"AttributeName": name, "KeyType": "RANGE"} for name in sort_of(table, index)),
    ]


def index_arguments(table: Table, index: Index) -> dict[str, Any]:
    arguments = {
        "IndexName": index.name,
        "KeySchema": key_schema(table, index),
        "Projection": projection_arguments(table, index),
    }
    if isinstance(index, GlobalIndex):
        arguments |= billing_of(table, index).arguments()
        if index.warm_throughput is not None:
            arguments |= index.warm_throughput.arguments()
    return arguments


def projection_arguments(table: Table, index: Index) -> dict[str, Any]:
    if index.projection == "all":
        return {"ProjectionType": "ALL"}
    held = {*table.key, *key_attributes_of(table, index)}
    others = [] if index.projection == "keys" else [n for n in index.projection if n not in held]
    # An INCLUDE of nothing besides the keys is refused by the service.
    if not others:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": others}


def stream_specification(stream: StreamView | Literal[False]) -> dict[str, Any]:
    if stream is False:
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": capacity.STREAM_VIEWS[stream]}
